//! The chapter "Overfitting is another problem" as a program you can change: what does an LSTM learn from few sequences,
//! and what does dropout leave of a memory?
//!
//! `cargo run --release --example overfitting_is_another_problem`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::learner::{Budget, Learner, Lesson, adam};
use longlag_experiments::overfitting_is_another_problem::{
    Dropped, Dropping, Few, adding, hold,
};
use longlag_experiments::tasks::Task;
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 16;
const STEPS: usize = 50;
const FEW: usize = 20;
const DROP: f64 = 0.2;
const LEAK: f64 = 0.01;
const SPANS: [usize; 3] = [100, 200, 400];
const UPDATES: u64 = 1000;
const SEED: u64 = 1;
// ANCHOR_END: settings

// ANCHOR: learn
/// The shares of `few` sequences and of new ones that a network answers
/// rightly after learning from the few.
fn learn(few: usize, dropping: Option<(Dropping, f64)>) -> [f64; 2] {
    let (task, rng) = (adding(STEPS), Rng::new(SEED));
    let few = Few::of(task, few, &mut rng.stream("few"));
    let network = Network::new(Cell::Lstm, 2, HIDDEN, 1);
    let chrono = Some(STEPS as f64);
    let start = Initialisation { chrono, ..Initialisation::default() };
    let weights = network.parameters(&start, &rng.stream("weights"));
    let budget = Budget { updates: UPDATES, test: 200, ..Budget::default() };
    let test = task.batch(budget.test, &mut rng.stream("test"));
    let lesson = Lesson { task: &few, test: &test, budget };
    let model = Dropped { network, dropping, masks: rng.stream("masks") };
    let trainer = adam(1e-2, Clip::Norm(1.0));
    let batches = rng.stream("batches");
    let mut learner = Learner::new(lesson, model, &trainer, weights, batches);
    while learner.update().is_continue() {}
    let known = few.all();
    let answers = |batch| learner.answers(batch);
    let right = |batch| share(&answers(batch));
    [right(&known), right(&test)]
}
// ANCHOR_END: learn

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
}

/// Prints what is learnt without dropout and with three kinds, and what is left of a memory.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "dropout           of the few   of new ones")?;
    let kinds = [
        ("none", None),
        ("upward", Some(Dropping::Upward)),
        ("h, one mask", Some(Dropping::Sequence)),
        ("candidate", Some(Dropping::Candidate)),
    ];
    for (name, how) in kinds {
        let shares = learn(FEW, how.map(|how| (how, DROP)));
        let [known, new] = shares.map(|share| 100.0 * share);
        writeln!(out, "{name:14}{known:13.1}%{new:13.1}%")?;
    }
    let size = (HIDDEN, 50);
    let [c, g] = [(Dropping::Cell, LEAK), (Dropping::Candidate, DROP)]
        .map(|dropped| hold(size, &SPANS, dropped, &Rng::new(SEED)));
    writeln!(out, "\nsteps    bits left: of c   of the candidate")?;
    for (k, span) in SPANS.iter().enumerate() {
        let [c, g] = [c[k], g[k]].map(|left| 100.0 * left.bits);
        writeln!(out, "{span:5}{c:18.1}%{g:18.1}%")?;
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
    use longlag_numerics::precise::{powf, powi};

    // ANCHOR: first
    /// Exercise 1: with enough sequences there is nothing to cure.
    #[test]
    fn more_sequences_are_a_cure() {
        let [known, new] = learn(200, None);
        assert!(known > 0.9 && new > 0.9, "{known} {new}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: what is kept in one step, to the power of the steps.
    #[test]
    fn a_memory_decays_by_the_law_of_the_product() {
        let p = 1.0 - powf(0.5, 1.0 / 200.0);
        let left = hold((16, 400), &[200], (Dropping::Cell, p), &Rng::new(1));
        assert!((left[0].bits - 0.5).abs() < 0.08, "{left:?}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: a bit in each of sixteen units, and one bit in all of them.
    #[test]
    fn a_memory_that_is_held_often_enough_is_not_lost() {
        let p: f64 = 0.01;
        let one = powi(1.0 - p, 200);
        let any = 1.0 - powi(1.0 - one, 16);
        assert!(one < 0.14 && any > 0.88, "{one} {any}");
    }
    // ANCHOR_END: third
}
