//! The protocol for a verdict, as code.
//!
//! The key decision: **a claim is data, and one function judges all.** A [`Claim`] names one contrast, its
//! margin and where it expects it, and is committed before the run; what it can't do is decide for itself. The
//! verdict goes by intervals that take nothing for granted about distributions: order statistics for medians,
//! Clopper–Pearson for successes. They are exact where the usual ones are approximations that 10 or 20 seeds
//! are too few for.
//!
//! - The unit is a seed; conditions that are compared share it. [`Contrast`]: one number for each seed, or
//!   success and failure, to an estimate, an interval and a p.
//! - [`decide`]: intervals and a margin to a [`Verdict`]. [`ledger`]: all claims, their p-values adjusted.
//! - [`median_interval`], [`clopper_pearson`], [`success_difference`]: the intervals.
//! - [`sign_test`], [`wilcoxon`], [`holm`]: the tests. [`binomial`]: what they stand on.
//! - [`SolveTime`], [`KaplanMeier`]: time to solve, with runs that never did.

mod claim;
mod exact;
mod interval;
mod survival;

pub use claim::{
    Claim, Contrast, FACTOR_MARGIN, Finding, GROWTH_MARGIN, LedgerLine, Margin,
    Prediction, Primary, Rule, SEEDS, SEEDS_OF_MEASUREMENTS, SHARE_MARGIN,
    SUCCESS_MARGIN, Verdict, decide, ledger,
};
pub use exact::{binomial, holm, sign_test, wilcoxon};
pub use interval::{
    CONFIDENCE, Interval, clopper_pearson, median_interval, median_ranks,
    success_difference,
};
pub use survival::{KaplanMeier, SolveTime};
