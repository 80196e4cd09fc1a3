//! The chapter "The gates, one by one" as a program you can change: what remains of the derivatives of an untrained
//! LSTM with one gate closed in the derivative alone.
//!
//! `cargo run --release --example gates_one_by_one`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::gates_one_by_one::{At, Gate, OpenedLstm};
use longlag_experiments::tasks::{Adding, Batch, Definition, Task};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, slice};
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 16;
const FORGET_BIAS: f64 = 1.0;
const STEPS: usize = 30;
const BURN_IN: usize = 5;
const LAGS: [usize; 4] = [1, 5, 10, 25];
const SEED: u64 = 1;
// ANCHOR_END: settings

fn network() -> Network {
    Network::new(Cell::Lstm, 2, HIDDEN, 1)
}

fn start(forget_bias: f64) -> Parameters<f64> {
    let start = Initialisation {
        forget_bias: Some(forget_bias),
        ..Initialisation::default()
    };
    network().parameters(&start, &Rng::new(SEED).stream("weights"))
}

/// One sequence of the adding problem.
fn sequence() -> Batch {
    let paper = Definition::Arjovsky2016;
    let task = Adding { definition: paper, steps: STEPS, ..Adding::default() };
    task.batch(1, &mut Rng::new(SEED).stream("sequence"))
}

// ANCHOR: closed
/// With a gate closed in the derivative: log₁₀ of ∂c_t/∂c_k at each lag.
fn decades(parameters: &Parameters<f64>, closed: Option<Gate>) -> Vec<f64> {
    let (layer, sequence) = (network().layer, sequence());
    let lstm = OpenedLstm::run(&layer, parameters, &sequence);
    lstm.reach(0, BURN_IN..STEPS, closed)
}

/// The share of ∂c_t/∂x_t that remains with a gate closed, at one step.
fn share(parameters: &Parameters<f64>, step: usize, closed: Gate) -> f64 {
    let (layer, sequence) = (network().layer, sequence());
    let lstm = OpenedLstm::run(&layer, parameters, &sequence);
    let norm = |closed| {
        let by_x = lstm.by_input(At { sequence: 0, step }, closed);
        slice::norm(&by_x.iter().copied().collect::<Vec<_>>())
    };
    norm(Some(closed)) / norm(None)
}
// ANCHOR_END: closed

/// Closes the gates one by one and prints what remains.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let parameters = start(FORGET_BIAS);
    write!(out, "closed   by x_t, % left   by c_k, log10 at lag")?;
    writeln!(out, "{}", LAGS.map(|lag| format!("{lag:6}")).concat())?;
    for closed in [None].into_iter().chain(Gate::ALL.map(Some)) {
        let name = closed.map_or("none", Gate::letter);
        let last = STEPS - 1;
        let left = closed.map_or(1.0, |gate| share(&parameters, last, gate));
        let decades = decades(&parameters, closed);
        let at = LAGS.map(|lag| format!("{:6.1}", decades[lag - 1])).concat();
        writeln!(out, "{name:6}{:18.1}{:24}{at}", 100.0 * left, "")?;
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
    use longlag_experiments::gates_one_by_one::hold;

    // ANCHOR: first
    /// Exercise 1: at the first step c_{t−1} is 0, so f has nothing to act
    /// on. Later it has.
    #[test]
    fn nothing_goes_round_the_input_gate_at_the_first_step() {
        let parameters = start(FORGET_BIAS);
        let first = share(&parameters, 0, Gate::Input);
        let last = share(&parameters, STEPS - 1, Gate::Input);
        assert!(first == 0.0 && last > 0.01, "{first} {last}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: without weights from the output, all paths are direct,
    /// and what closing the output gate takes away isn't there.
    #[test]
    fn without_recurrent_weights_the_output_gate_does_not_matter() {
        let mut parameters = start(FORGET_BIAS);
        network().layer.views_mut(&mut parameters).w_hh.fill(0.0);
        let all = decades(&parameters, None);
        let left = decades(&parameters, Some(Gate::Output));
        assert_eq!(all, left);
        let with = start(FORGET_BIAS);
        assert!(decades(&with, None) != decades(&with, Some(Gate::Output)));
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: a forget gate that is held has no derivative, so nothing
    /// goes round the input gate any more.
    #[test]
    fn a_held_forget_gate_leaves_no_way_round_the_input_gate() {
        let parameters = start(FORGET_BIAS);
        let values = [0.9; HIDDEN];
        let layer = network().layer;
        let held = hold(&layer, &parameters, Gate::Forget, &values);
        let left = share(&held, STEPS - 1, Gate::Input);
        assert_eq!(left, 0.0);
    }
    // ANCHOR_END: third
}
