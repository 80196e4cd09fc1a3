//! Intervals without an assumption about a distribution.

use super::exact::binomial;
use longlag_probe::statistics;
use std::ops::RangeInclusive;

/// How often, at least, an interval contains what it is about, whatever the distribution.
pub const CONFIDENCE: f64 = 0.95;

/// All that is known of a number: from `low` to `high`, both included.
///
/// It is what an estimate is given with, and what a seed's own value is where that isn't known exactly: a
/// number is an interval from itself to itself, NaN one from −∞ to ∞, and a run that had not solved its task
/// when its budget ended took from the budget to ∞.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Nothing is known.
    pub const ALL: Interval =
        Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// Whether `x` lies in it.
    pub fn contains(self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }
}

impl From<f64> for Interval {
    fn from(x: f64) -> Interval {
        if x.is_nan() { Interval::ALL } else { Interval { low: x, high: x } }
    }
}

// ANCHOR: median_interval
/// Which order statistics bound the median of what n independent values
/// are drawn from, and the probability that they do.
///
/// It lies below the r-th smallest or above the r-th largest value if
/// fewer than r of n fair coins show heads, or tails: they miss it with
/// probability 2·P(Bin(n, ½) < r), or less if values can be equal. The
/// ranks are r and n + 1 − r for the largest r with which that is at
/// most 5 %. There is none for n below 6.
pub fn median_ranks(n: usize) -> Option<(RangeInclusive<usize>, f64)> {
    let [low, high] = statistics::median_ranks(n)?;
    let missed = 2.0 * binomial(n, 0.5)[..low].iter().sum::<f64>();
    Some((low..=high, 1.0 - missed))
}

/// An interval for the median of what the values are drawn from: the
/// order statistics of [`median_ranks`]; all numbers if there are none.
///
/// A value that is itself only known to lie in an interval counts with
/// its lower end for the lower one, with its upper end for the upper one.
pub fn median_interval(values: &[Interval]) -> Interval {
    let Some((ranks, _)) = median_ranks(values.len()) else {
        return Interval::ALL;
    };
    let low = sorted(values.iter().map(|v| v.low));
    let high = sorted(values.iter().map(|v| v.high));
    Interval { low: low[ranks.start() - 1], high: high[ranks.end() - 1] }
}
// ANCHOR_END: median_interval

#[track_caller]
fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    assert!(values.iter().all(|v| !v.is_nan()), "a value is NaN");
    values.sort_by(f64::total_cmp);
    values
}

// ANCHOR: clopper_pearson
/// An interval for the probability of a success that was seen
/// `successes` times in `trials`: all p with which neither as many nor as
/// few are less likely than half of what `confidence` leaves.
///
/// Source: Clopper & Pearson 1934, "The use of confidence or fiducial
/// limits illustrated in the case of the binomial".
///
/// # Panics
/// If there are more successes than trials, or `confidence` is not
/// between 0 and 1.
#[track_caller]
pub fn clopper_pearson(
    successes: usize,
    trials: usize,
    confidence: f64,
) -> Interval {
    assert!(successes <= trials, "{successes} successes in {trials} trials");
    assert!(0.0 < confidence && confidence < 1.0, "a confidence {confidence}");
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        low: lower_limit(successes, trials, tail),
        high: 1.0 - lower_limit(trials - successes, trials, tail),
    }
}

/// The largest p with P(Bin(n, p) ≥ k) ≤ tail, by bisection down to two
/// neighbouring numbers; 0 for k = 0.
fn lower_limit(k: usize, n: usize, tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, if k == 0 { 0.0 } else { 1.0 });
    loop {
        let p = low + (high - low) / 2.0;
        if p <= low || high <= p {
            return low;
        }
        if binomial(n, p)[k..].iter().sum::<f64>() <= tail {
            low = p;
        } else {
            high = p;
        }
    }
}
// ANCHOR_END: clopper_pearson

/// An interval for the difference of two success probabilities, of n pairs in which `ours` times only the
/// first succeeded and `theirs` times only the second.
///
/// The difference is that of the probabilities of the two kinds of discordant pairs. Each has its
/// Clopper–Pearson interval, both together hold with [`CONFIDENCE`] (Bonferroni), and so does the difference
/// between their far ends. Of 20 pairs, 16 against none are enough to be beyond a margin of .30.
///
/// # Panics
/// If there are more discordant pairs than pairs.
#[track_caller]
pub fn success_difference(
    ours: usize,
    theirs: usize,
    pairs: usize,
) -> Interval {
    let discordant = ours + theirs;
    assert!(discordant <= pairs, "{discordant} discordant of {pairs} pairs");
    let each = (1.0 + CONFIDENCE) / 2.0;
    let [ours, theirs] =
        [ours, theirs].map(|count| clopper_pearson(count, pairs, each));
    Interval { low: ours.low - theirs.high, high: ours.high - theirs.low }
}
