//! The chapter "Initialisation" as a program you can change: what a gradient gains or loses over a sequence before
//! the first update, from several starts.
//!
//! `cargo run --release --example initialisation`

use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network, RecurrentCell};
use longlag_experiments::tasks::{Definition, Task, TemporalOrder};
use longlag_experiments::trials::growth;
use longlag_numerics::random::Rng;
use longlag_probe::LayerStep;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 32;
const STEPS: usize = 50;
const SEQUENCES: usize = 20;
const SEED: u64 = 1;

/// Cells, with what differs from PyTorch's start.
fn starts() -> Vec<(&'static str, Cell, Initialisation)> {
    let orthogonal = Init::Orthogonal { gain: 1.0 };
    vec![
        ("RNN, PyTorch's", Cell::RnnTanh, Initialisation::default()),
        ("RNN, orthogonal", Cell::RnnTanh, recurrent(orthogonal)),
        ("LSTM, forget 1", Cell::Lstm, forget(1.0)),
        ("LSTM, forget 3", Cell::Lstm, forget(3.0)),
        ("GRU, PyTorch's", Cell::Gru, Initialisation::default()),
    ]
}
// ANCHOR_END: settings

fn recurrent(recurrent: Init) -> Initialisation {
    Initialisation { recurrent, ..Initialisation::default() }
}

fn forget(bias: f64) -> Initialisation {
    Initialisation { forget_bias: Some(bias), ..Initialisation::default() }
}

const TASK: TemporalOrder = TemporalOrder {
    definition: Definition::Pascanu2013,
    symbols: 2,
    steps: STEPS,
};

// ANCHOR: growth_of
/// How a gradient grows in an untrained network along sequences of the
/// task, in decades per 100 steps.
fn growth_of(cell: Cell, start: Initialisation) -> f64 {
    let rng = Rng::new(SEED);
    let network = Network::new(cell, TASK.inputs(), HIDDEN, TASK.outputs());
    let parameters = network.parameters(&start, &rng.stream("weights"));
    let sequences = TASK.batch(SEQUENCES, &mut rng.stream("sequences"));
    let step = LayerStep { layer: &network.layer, parameters: &parameters };
    let width = cell.widths(HIDDEN);
    let state = 0..width.h + width.c.unwrap_or(0);
    growth(step, state, &sequences, &mut rng.stream("directions"))
}
// ANCHOR_END: growth_of

/// Measures each start and prints what it does to a gradient.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "start             per 100 steps   over {STEPS} steps")?;
    for (name, cell, start) in starts() {
        let rate = growth_of(cell, start);
        let whole = rate * STEPS as f64 / 100.0;
        writeln!(out, "{name:18}{rate:13.1}{whole:16.1}")?;
    }
    Ok(())
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;
    use longlag_experiments::learner::{Budget, adam};
    use longlag_experiments::runs::Run;
    use longlag_experiments::tasks::TaskConfig;
    use longlag_experiments::trials::{Trial, Trials};
    use longlag_optim::Clip;

    // ANCHOR: first
    /// Exercise 1: between a gain of one, which loses, and one of two,
    /// which gains.
    #[test]
    fn a_gain_that_keeps_the_gradient() {
        let of =
            |gain| growth_of(Cell::RnnTanh, recurrent(Init::Gaussian { gain }));
        let (mut low, mut high) = (1.0, 2.0);
        for _ in 0..8 {
            let middle = 0.5 * (low + high);
            if of(middle) < 0.0 { low = middle } else { high = middle }
        }
        assert!(of(1.0) < 0.0 && of(2.0) > 0.0, "{} {}", of(1.0), of(2.0));
        assert!((1.1..1.7).contains(&low), "{low}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: it depends on the slope beside it. tanh takes something
    /// away at each step; max(·, 0) of a state that isn't below 0 nothing.
    #[test]
    fn the_identity_needs_its_nonlinearity() {
        let identity = Initialisation {
            bias: Init::Zero,
            ..recurrent(Init::Identity { scale: 1.0 })
        };
        let [tanh, relu] = [Cell::RnnTanh, Cell::RnnRelu]
            .map(|cell| growth_of(cell, identity));
        assert!(tanh < relu && relu.abs() < 2.0, "{tanh} {relu}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: it has found its way to where gradients are kept.
    #[test]
    fn training_moves_the_gradient() {
        let trial = Trial {
            name: "GRU".into(),
            task: TaskConfig::TemporalOrder(TemporalOrder {
                steps: 20,
                ..TASK
            }),
            cell: Cell::Gru,
            hidden: HIDDEN,
            start: Initialisation::default(),
            trainer: adam(1e-2, Clip::Norm(1.0)),
            budget: Budget { updates: 500, ..Budget::default() },
        };
        let trials = Trials::new(vec![trial], 1, SEQUENCES, Rng::new(SEED));
        let mut run = trials.start(0);
        while run.advance().is_continue() {}
        let [start, end] = run.outcome().growth;
        assert!(run.outcome().solved);
        assert!(start < -10.0 && end > start + 5.0, "{start} {end}");
    }
    // ANCHOR_END: third
}
