//! The experiments: a config in, a report out.
//!
//! The key decision: **an experiment is a pure function.** It reads no file, no clock, no environment, and
//! its result depends on its config alone (the seed is part of it): not on the thread count, not on the CPU.
//! That is what lets a snapshot test assert every digit of it, and the book quote those digits.
//!
//! - [`Experiment`]: what one is. [`all`]: the registry; [`find`]: one by its name.
//! - [`digits`]: the handwritten digits. [`tasks`]: sequences with long time lags.
//! - [`protocol`]: how a claim is judged. One module for each experiment.

pub mod digits;
mod experiment;
pub mod first_race;
pub mod protocol;
pub mod tasks;
pub mod trust_the_gradient;

pub use experiment::{
    ConfigError, Entry, Experiment, FigureSpec, Prepared, Progress, Silent,
};

/// All experiments, in the order of the book.
pub fn all() -> &'static [Entry] {
    static ALL: [Entry; 2] = [
        Entry::of::<trust_the_gradient::TrustTheGradient>(),
        Entry::of::<first_race::FirstRace>(),
    ];
    &ALL
}

/// The experiment of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|e| e.name == name)
}
