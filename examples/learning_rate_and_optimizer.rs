//! The chapter "What the learning rate and the optimizer can do" as a program you can change: the steps of two
//! optimizers on the recurrent weights of one plain network, told apart by lag.
//!
//! `cargo run --release --example learning_rate_and_optimizer`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::learning_rate_and_optimizer::optimizer;
use longlag_experiments::tasks::{Adding, Definition, Task};
use longlag_experiments::update_shares::{ByLag, Steps, norm_shares};
use longlag_numerics::random::Rng;
use longlag_optim::OptimizerConfig;
use std::io::{self, Write};

// ANCHOR: settings
const STEPS: usize = 20;
const HIDDEN: usize = 16;
const UPDATES: usize = 30;
const RATE: f64 = 0.01;
// ANCHOR_END: settings

// ANCHOR: last
/// Norm shares by lag of the last gradient and of the last step.
fn last(by: OptimizerConfig, updates: usize) -> [Vec<f64>; 2] {
    let paper = Definition::Pascanu2013;
    let task = Adding { definition: paper, success: paper, steps: STEPS };
    let rng = Rng::new(1);
    let network =
        Network::new(Cell::RnnTanh, task.inputs(), HIDDEN, task.outputs());
    let start = Initialisation::default();
    let mut at = network.parameters(&start, &rng.stream("weights"));
    let mut steps = Steps::new(by, at.values.len());
    let mut draw = rng.stream("batches");
    let mut shares = [vec![], vec![]];
    for _ in 0..updates {
        let batch = task.batch(20, &mut draw);
        let by_lag = ByLag::of(&network, &at, &batch);
        let parts = steps.step(&mut at, &by_lag);
        shares = [norm_shares(&by_lag.parts), norm_shares(&parts)];
    }
    shares
}
// ANCHOR_END: last

/// Prints what the last update is made of.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let [sgd, adam] =
        ["SGD", "Adam"].map(|name| last(optimizer(name, RATE), UPDATES));
    writeln!(out, "           SGD                   Adam")?;
    writeln!(out, "lag   gradient      step    gradient      step")?;
    for lag in (0..STEPS).step_by(3) {
        write!(out, "{lag:3}")?;
        for shares in [&sgd, &adam] {
            let [gradient, step] = [0, 1].map(|k| 100.0 * shares[k][lag]);
            write!(out, "{gradient:9.4} %{step:8.4} %")?;
        }
        writeln!(out)?;
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
    use longlag_experiments::update_shares::moved;
    use longlag_optim::AdamConfig;

    // ANCHOR: first
    /// Exercise 1: ten times the rate, the same shares of the first step.
    #[test]
    fn the_rate_changes_no_share() {
        let [small, large] = [RATE, 10.0 * RATE]
            .map(|rate| last(optimizer("Adam", rate), 1)[1].clone());
        let apart = moved(&small, &large);
        assert!(apart < 1e-12, "{apart}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: with a large ε Adam is descent with momentum.
    #[test]
    fn a_large_epsilon_makes_momentum_of_adam() {
        let shares = |epsilon| {
            let adam = AdamConfig { epsilon, ..AdamConfig::default() };
            let [gradient, step] = last(OptimizerConfig::Adam(adam), 1);
            moved(&gradient, &step)
        };
        let [usual, large] = [1e-8, 1e4].map(shares);
        assert!(usual > 0.01 && large < 1e-4, "{usual} {large}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: no optimizer makes the far half of the lags count.
    #[test]
    fn the_far_half_stays_small() {
        let far = |name| {
            let [_, step] = last(optimizer(name, RATE), UPDATES);
            step[STEPS / 2..].iter().sum::<f64>()
        };
        let [sgd, adam] = ["SGD", "Adam"].map(far);
        assert!(sgd < 0.02 && adam < 0.1, "{sgd} {adam}");
    }
    // ANCHOR_END: third
}
