//! The chapter "Truncation and detaching" as a program you can change: which lag does a network learn whose gradient goes
//! back only so far?
//!
//! `cargo run --release --example truncation_and_detaching`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::learner::{Learner, Lesson, Schedule};
use longlag_experiments::tasks::{Latch, Task};
use longlag_experiments::truncation_and_detaching::{
    Recipe, Windowed, chain_rule,
};
use longlag_numerics::random::Rng;
use longlag_train::Truncation;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 16;
const STEPS: usize = 30;
const WINDOWS: [usize; 3] = [6, 15, 30];
const CHRONO: bool = true;
const UPDATES: u64 = 1500;
const SEED: u64 = 2;
// ANCHOR_END: settings

/// A symbol in the first step, weak noise behind it.
fn task() -> Latch {
    Latch {
        shortest: STEPS,
        longest: STEPS,
        signal: 1,
        noise_variance: 0.001,
        noisy_signal: false,
    }
}

// ANCHOR: learn
/// What share of fresh sequences a network answers rightly that learns with
/// such windows.
fn learn(window: usize, carried: bool, chrono: bool) -> f64 {
    let (task, rng) = (task(), Rng::new(SEED));
    let network = Network::new(Cell::Lstm, 1, HIDDEN, 1);
    let usual = Initialisation { forget_bias: Some(1.0), ..Default::default() };
    let long =
        Initialisation { chrono: Some(STEPS as f64), ..Default::default() };
    let start = if chrono { long } else { usual };
    let weights = network.parameters(&start, &rng.stream("weights"));
    let truncation = Truncation::every(window);
    let model = Windowed { network, truncation, carried };
    let schedule = Schedule {
        learning_rate: 1e-2,
        updates: UPDATES,
        test: 200,
        ..Schedule::default()
    };
    let test = task.batch(schedule.test, &mut rng.stream("test"));
    let budget = schedule.budget();
    let lesson = Lesson { task: &task, test: &test, budget };
    let (batches, trainer) = (rng.stream("batches"), schedule.trainer());
    let mut learner = Learner::new(lesson, model, &trainer, weights, batches);
    while learner.update().is_continue() {}
    learner.standing.right
}
// ANCHOR_END: learn

/// Prints what is learnt with each window, and what the recipe gives.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "window    state carried    begun with 0")?;
    for window in WINDOWS {
        let [carried, fresh] =
            [true, false].map(|by| 100.0 * learn(window, by, CHRONO));
        writeln!(out, "{window:6}{carried:15.1}%{fresh:15.1}%")?;
    }
    let recipe = Recipe { weight: 0.2, first: 0.9, clear: false };
    let (found, right) = (recipe.gradients(3), chain_rule(0.2, 0.9, 3));
    writeln!(out, "\nstep      chain rule       recipe")?;
    for t in 0..3 {
        writeln!(out, "{:4}{:16.3}{:13.3}", t + 1, right[t], found[t])?;
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
    use longlag_cells::Lstm1997;
    use longlag_experiments::truncation_and_detaching::cosines;

    // ANCHOR: first
    /// Exercise 1: what isn't in the state can't be read.
    #[test]
    fn a_state_that_does_not_last_is_no_use() {
        let right = learn(6, true, false);
        assert!(right < 0.9, "{right}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: the recipe's error grows with what the unit remembers.
    #[test]
    fn the_recipe_counts_paths_twice() {
        let recipe = Recipe { weight: 0.9, first: 0.9, clear: false };
        let found = recipe.gradients(10)[9];
        let cleared = Recipe { clear: true, ..recipe }.gradients(10)[9];
        let right = chain_rule(0.9, 0.9, 10)[9];
        assert!((cleared / right - 1.0).abs() < 1e-12);
        assert!(found > 10.0 * right, "{found} {right}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: without recurrent weights nothing is cut.
    #[test]
    fn without_recurrent_weights_the_two_gradients_are_one() {
        let cell = Lstm1997 { block: 1, truncated: true };
        let network = Network::new(Cell::Lstm1997(cell), 1, HIDDEN, 1);
        let (start, rng) = (Initialisation::default(), Rng::new(SEED));
        let mut weights = network.parameters::<f64>(&start, &rng);
        let batch = task().batch(20, &mut rng.stream("batch"));
        let with = cosines(HIDDEN, &batch, &weights);
        let recurrent = weights.span("rnn.weight_hh_l0").range();
        weights.values[recurrent].fill(0.0);
        let without = cosines(HIDDEN, &batch, &weights);
        assert!(with[6] < 1.0 - 1e-6, "{with:?}");
        assert!(without.iter().all(|c| (c - 1.0).abs() < 1e-9));
    }
    // ANCHOR_END: third
}
