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
    writeln!(out, "each training: right, updates, growth per 100 steps")?;
    for (name, cell) in networks() {
        write!(out, "{name:14}")?;
        for tried in learn(trial(name, cell)) {
            let [start, end] = tried.growth;
            write!(
                out,
                " | {:5.1} % {:4} {start:6.1} to {end:5.1}",
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
