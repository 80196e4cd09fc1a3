//! The chapter "Which gate matters" as a program you can change: what becomes of an LSTM that lacks a part.
//!
//! `cargo run --release --example which_gate_matters`

use longlag_cells::{Cell, Forget, Initialisation, LstmParts};
use longlag_experiments::learner::{Budget, adam};
use longlag_experiments::runs::Run;
use longlag_experiments::tasks::{Definition, TaskConfig, TemporalOrder};
use longlag_experiments::trials::{Trial, Trials, Tried};
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use std::io::{self, Write};

// ANCHOR: settings
const STEPS: usize = 30;
const HIDDEN: usize = 16;
const UPDATES: u64 = 300;
const SEEDS: u64 = 3;
const LEARNING_RATE: f64 = 1e-2;

fn networks() -> Vec<(&'static str, Cell)> {
    let whole = LstmParts::default();
    let without = [
        ("LSTM", whole),
        ("no input gate", LstmParts { input_gate: false, ..whole }),
        ("no forget gate", LstmParts { forget: Forget::Never, ..whole }),
        ("no output gate", LstmParts { output_gate: false, ..whole }),
    ];
    let cell = |(name, parts)| (name, Cell::LstmVariant(parts));
    without.into_iter().map(cell).chain([("GRU", Cell::Gru)]).collect()
}
// ANCHOR_END: settings

// ANCHOR: trial
/// A training on temporal order, with gates that start for its length.
fn trial(name: &str, cell: Cell) -> Trial {
    let task = TemporalOrder {
        definition: Definition::Pascanu2013,
        symbols: 2,
        steps: STEPS,
    };
    let start =
        Initialisation { chrono: Some(STEPS as f64), ..Default::default() };
    Trial {
        name: name.into(),
        task: TaskConfig::TemporalOrder(task),
        cell,
        hidden: HIDDEN,
        start,
        trainer: adam(LEARNING_RATE, Clip::Norm(1.0)),
        budget: Budget { updates: UPDATES, ..Budget::default() },
    }
}

/// What becomes of it, seed by seed; growth is measured along two
/// sequences.
fn learn(trial: Trial) -> Vec<Tried> {
    let trials = Trials::new(vec![trial], SEEDS, 2, Rng::new(1));
    let to_the_end = |run| {
        let mut run = trials.start(run);
        while run.advance().is_continue() {}
        run.outcome()
    };
    (0..trials.count()).map(to_the_end).collect()
}
// ANCHOR_END: trial

/// Trains them and prints who has solved the task, and how the gradient of their states grew.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "each training: % right, updates, growth at the start, at the end"
    )?;
    for (name, cell) in networks() {
        write!(out, "{name:14}")?;
        for tried in learn(trial(name, cell)) {
            let [start, end] = tried.growth;
            write!(
                out,
                " | {:3.0} {:3} {start:4.0} {end:4.0}",
                100.0 * tried.right,
                tried.updates,
            )?;
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
    use longlag_cells::Network;

    fn cell(name: &str) -> Cell {
        let all = networks();
        all.into_iter().find(|of| of.0 == name).expect("it is there").1
    }

    // ANCHOR: first
    /// Exercise 1: nearly nothing is lost.
    #[test]
    fn without_the_forget_gate_all_is_passed_on() {
        let growth = |name: &str| {
            let mut trial = trial(name, cell(name));
            trial.budget.updates = 1;
            learn(trial)[0].growth[0]
        };
        let (whole, without) = (growth("LSTM"), growth("no forget gate"));
        assert!(without.abs() < 1.0 && whole < without - 1.0);
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: a quarter of those of the layer.
    #[test]
    fn a_gate_takes_a_quarter() {
        let size = |name| Network::new(cell(name), 6, HIDDEN, 4).layer.size();
        let left = size("no input gate") as f64 / size("LSTM") as f64;
        assert_eq!(left, 0.75);
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: the GRU has neither of the gates that chrono starts.
    #[test]
    fn chrono_is_not_for_the_gru() {
        let once = |start| {
            let mut trial = Trial { start, ..trial("GRU", Cell::Gru) };
            trial.budget.updates = 20;
            learn(trial)
        };
        let with = once(trial("GRU", Cell::Gru).start);
        let without = once(Initialisation::default());
        assert_eq!(with, without);
    }
    // ANCHOR_END: third
}
