//! The chapter "The long-lag race, first lap" as a program you can change: a race over short sequences, with
//! baselines.
//!
//! `cargo run --release --example long_lag_race`

use longlag_cells::{Cell, Initialisation, Network, SkipRnn};
use longlag_experiments::learner::{Budget, adam};
use longlag_experiments::runs::Run;
use longlag_experiments::tasks::{
    Adding, Definition, Task, TaskConfig, frozen,
};
use longlag_experiments::trials::{Trial, Trials, Tried};
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use std::io::{self, Write};

// ANCHOR: settings
const STEPS: usize = 20;
const PARAMETERS: usize = 600;
const UPDATES: u64 = 800;
const SEEDS: u64 = 3;
const RACERS: [(&str, Cell); 4] = [
    ("RNN", Cell::RnnTanh),
    ("LSTM", Cell::Lstm),
    ("GRU", Cell::Gru),
    ("skip", Cell::SkipRnn(SkipRnn { steps: 1 })),
];
const LEARNING_RATE: f64 = 1e-2;
// ANCHOR_END: settings

// ANCHOR: trial
fn adding() -> Adding {
    let paper = Definition::Pascanu2013;
    Adding { definition: paper, success: paper, steps: STEPS }
}

fn network(cell: Cell) -> Network {
    let task = adding();
    Network::of_size(cell, task.inputs(), task.outputs(), PARAMETERS)
}

/// A training of this cell at the matched number of parameters.
fn trial(name: &str, cell: Cell) -> Trial {
    Trial {
        name: name.into(),
        task: TaskConfig::Adding(adding()),
        cell,
        hidden: network(cell).layer.hidden,
        start: Initialisation { forget_bias: Some(1.0), ..Default::default() },
        trainer: adam(LEARNING_RATE, Clip::Norm(1.0)),
        budget: Budget { updates: UPDATES, ..Budget::default() },
    }
}

/// What becomes of it, seed by seed.
fn race(trial: Trial) -> Vec<Tried> {
    let trials = Trials::new(vec![trial], SEEDS, 0, Rng::new(1));
    let to_the_end = |run| {
        let mut run = trials.start(run);
        while run.advance().is_continue() {}
        run.outcome()
    };
    (0..trials.count()).map(to_the_end).collect()
}
// ANCHOR_END: trial

/// What a network answers rightly whose recurrent weights stay as they start.
fn frozen_share(cell: Cell) -> f64 {
    let rng = Rng::new(1);
    let network = network(cell);
    let at = network.parameters(&Initialisation::default(), &rng);
    let [known, asked] = ["known", "asked"]
        .map(|name| adding().batch(500, &mut rng.stream(name)));
    let answers = frozen(&network.layer, &at, &known, &asked);
    let right = asked.right(answers.view());
    right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
}

/// Races and prints who has solved the task when.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    for baseline in adding().baselines() {
        let (name, share) = (baseline.name, 100.0 * baseline.success);
        writeln!(out, "{name:12}{share:5.1} % of the sequences right")?;
    }
    let share = 100.0 * frozen_share(Cell::RnnTanh);
    writeln!(out, "{:12}{share:5.1} % of the sequences right", "frozen RNN")?;
    for (name, cell) in RACERS {
        let units = network(cell).layer.hidden;
        write!(out, "{:5} H = {units:2}:", format!("{name},"))?;
        for Tried { solved, updates, right, .. } in race(trial(name, cell)) {
            if solved {
                write!(out, " solved after {updates:4};")?;
            } else {
                write!(out, " {:10.1} % right;", 100.0 * right)?;
            }
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
    use longlag_cells::init::Init;

    // ANCHOR: first
    /// Exercise 1: the rule of 1997 leaves little to a constant answer.
    #[test]
    fn a_strict_rule() {
        let strict = Adding { success: Definition::Hochreiter1997, ..adding() };
        let constant = |task: Adding| task.baselines()[0].success;
        let [before, after] = [adding(), strict].map(constant);
        assert!(before > 0.6 && after < 0.2, "{before} {after}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: a plain network that starts by adding learns it.
    #[test]
    fn an_identity_start() {
        let mut irnn = trial("IRNN", Cell::RnnRelu);
        irnn.start = Initialisation {
            recurrent: Init::Identity { scale: 1.0 },
            bias: Init::Zero,
            ..Default::default()
        };
        irnn.trainer = adam(3e-3, Clip::Norm(1.0));
        let solved = race(irnn).iter().filter(|tried| tried.solved).count();
        assert_eq!(solved, SEEDS as usize);
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: with equal units the LSTM has four times the RNN's
    /// parameters, and the RNN loses most of its own.
    #[test]
    fn equal_units() {
        let units = network(Cell::Lstm).layer.hidden;
        let size = |cell| Network::new(cell, 2, units, 1).size() as f64;
        let [rnn, lstm] = [size(Cell::RnnTanh), size(Cell::Lstm)];
        let matched = network(Cell::RnnTanh).layer.hidden;
        assert!((3.5..4.0).contains(&(lstm / rnn)), "{lstm} {rnn}");
        assert!(matched > 2 * units - 3, "{matched} {units}");
    }
    // ANCHOR_END: third
}
