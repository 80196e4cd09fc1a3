//! The experiments: a config in, a report out.
//!
//! The key decision: **an experiment is a pure function.** It reads no file, no clock, no environment, and
//! its result depends on its config alone (the seed is part of it): not on the thread count, not on the CPU.
//! That is what lets a snapshot test assert every digit of it, and the book quote those digits.
//!
//! - [`Experiment`]: what one is. [`all`]: the registry; [`find`]: one by its name.
//! - [`runs`]: long work that is recorded, goes on where it was stopped, and is replayed.
//! - [`digits`]: the handwritten digits. [`tasks`]: sequences with long time lags.
//! - [`readout`]: a linear read-out by least squares. [`protocol`]: how a claim is judged. [`summary`]: medians over runs, with their intervals.
//! - [`learner`]: a network that learns a task until it is solved. [`trials`]: many of them, as data.
//! - [`update_shares`]: what an update of recurrent weights is made of, lag by lag.
//! - [`lstm_paths`]: LSTMs along whose trajectories gradients are followed.
//! - [`ledger`]: all that is said, and what has become of it.
//! - One module for each experiment.

pub mod carousel;
pub mod cliffs_and_clipping;
pub mod digits;
mod experiment;
pub mod first_race;
pub mod gates_one_by_one;
pub mod gradient_is_a_sum;
pub mod initialisation;
pub mod law_of_the_product;
pub mod learner;
pub mod learning_rate_and_optimizer;
pub mod learning_to_forget;
pub mod ledger;
pub mod long_lag_race;
pub mod lstm_can_explode;
pub mod lstm_paths;
pub mod memory_is_not_gradient;
pub mod normalisation;
pub mod not_vanishing_is_not_enough;
pub mod overfitting_is_another_problem;
pub mod protocol;
pub mod readout;
pub mod runs;
pub mod still_vanishing;
pub mod summary;
pub mod tasks;
pub mod trials;
pub mod truncation_and_detaching;
pub mod trust_the_gradient;
pub mod update_shares;
pub mod which_gate_matters;

pub use experiment::{
    ConfigError, Entry, Experiment, FigureSpec, Prepared, PreparedRuns,
    Progress, Silent,
};

/// All experiments, in the order of the book.
pub fn all() -> &'static [Entry] {
    static ALL: [Entry; 19] = [
        Entry::of::<trust_the_gradient::TrustTheGradient>(),
        Entry::recorded::<first_race::FirstRace>(),
        Entry::recorded::<gradient_is_a_sum::GradientIsASum>(),
        Entry::recorded::<law_of_the_product::LawOfTheProduct>(),
        Entry::recorded::<memory_is_not_gradient::MemoryIsNotGradient>(),
        Entry::recorded::<carousel::Carousel>(),
        Entry::recorded::<still_vanishing::StillVanishing>(),
        Entry::recorded::<learning_to_forget::LearningToForget>(),
        Entry::recorded::<gates_one_by_one::GatesOneByOne>(),
        Entry::recorded::<lstm_can_explode::LstmCanExplode>(),
        Entry::recorded::<long_lag_race::LongLagRace>(),
        Entry::recorded::<which_gate_matters::WhichGateMatters>(),
        Entry::recorded::<cliffs_and_clipping::CliffsAndClipping>(),
        Entry::recorded::<learning_rate_and_optimizer::LearningRateAndOptimizer>(
        ),
        Entry::recorded::<initialisation::Initialisation>(),
        Entry::recorded::<normalisation::Normalisation>(),
        Entry::recorded::<truncation_and_detaching::TruncationAndDetaching>(),
        Entry::recorded::<
            overfitting_is_another_problem::OverfittingIsAnotherProblem,
        >(),
        Entry::recorded::<not_vanishing_is_not_enough::NotVanishingIsNotEnough>(
        ),
    ];
    &ALL
}

/// The experiment of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|e| e.name == name)
}
