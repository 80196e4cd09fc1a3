//! Medians and their intervals, horizon and half-life.
//!
//! The key decision: **every interval is one of order statistics.** It asks nothing of the distribution, has
//! no random numbers in it, and is the same for whatever is repeated: seeds of an experiment, or, for one
//! network, disjoint groups of its N sequences. (The signal-to-noise ratio of a group already has the noise
//! of its size taken off, so groups of any size estimate the same number.)

use ndarray::{ArrayView1, ArrayView2};
use std::f64::consts::LOG10_2;

/// In ascending order, with every NaN, whatever its sign, as the largest of all.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
    sorted
}

/// The median; the mean of the middle two of an even number. A NaN counts as the largest of all.
///
/// Panics if there are no values.
#[track_caller]
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "median: no values");
    let sorted = sorted(values);
    let (a, b) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    // The sum of two large ones overflows, the half of a tiny one loses a bit.
    if (a + b).is_finite() { (a + b) / 2.0 } else { a / 2.0 + b / 2.0 }
}

/// Which of n sorted samples bound the median of their distribution, from 1: the narrowest pair, from the r-th
/// smallest to the r-th largest, that has it with a probability of at least 95 %. That is 2 and 9 of 10 (97.9
/// %), 6 and 15 of 20 (95.9 %); of fewer than 6 there is none.
///
/// The probability that they miss it is 2·P(X < r), X the number of heads in n tosses of a coin.
pub fn median_ranks(n: usize) -> Option<[usize; 2]> {
    // The binomial coefficients as shares of the middle one, which is out of range for large n.
    let mut ways = vec![1.0; n + 1];
    for r in (0..n / 2).rev() {
        ways[r] = ways[r + 1] * (r + 1) as f64 / (n - r) as f64;
    }
    (n.div_ceil(2) + 1..=n).for_each(|r| ways[r] = ways[n - r]);
    let all: f64 = ways.iter().sum();
    let mut below = 0.0;
    let misses = |ways: &&f64| {
        below += **ways;
        2.0 * below <= 0.05 * all
    };
    let r = ways.iter().take_while(misses).count();
    (r > 0).then_some([r, n + 1 - r])
}

/// An interval for the median of a distribution from independent samples: those of [`median_ranks`], if there are
/// enough. A NaN among the samples counts as the largest of all.
pub fn median_interval(values: &[f64]) -> Option<[f64; 2]> {
    let sorted = sorted(values);
    median_ranks(sorted.len()).map(|ranks| ranks.map(|rank| sorted[rank - 1]))
}

/// The horizon: the first lag at which the interval of the usable signal includes 0; none within those given.
///
/// `signals` (R, K) has the [`usable_signal`](crate::split::usable_signal) of R repetitions (seeds, or groups
/// of sequences) at the lags 0 … K − 1. The interval is [`median_interval`]; one that lies wholly below 0 is
/// no usable signal either, nor is NaN.
///
/// Panics if R is less than 6.
#[track_caller]
pub fn horizon(signals: ArrayView2<'_, f64>) -> Option<usize> {
    let r = signals.nrows();
    assert!(r >= 6, "horizon: {r} repetitions have no interval, 6 have");
    let usable = |s: ArrayView1<'_, f64>| median_interval(&s.to_vec()).is_some_and(|[low, _]| low > 0.0);
    signals.columns().into_iter().position(|s| !usable(s))
}

/// The half-life: the first lag at which the median of A is at most half of that at lag 0; none within those
/// given, which is to be read as "> T".
///
/// `curves` (R, K) has log₁₀ A of R repetitions at the lags 0 … K − 1, where A is a magnitude that begins at
/// lag 0, such as [`Paths::log10_total`](crate::paths::Paths::log10_total); say of which path. The median is
/// that of log₁₀ A. What is half but for the roundings of logarithms is half.
pub fn half_life(curves: ArrayView2<'_, f64>) -> Option<usize> {
    let medians: Vec<f64> = curves.columns().into_iter().map(|c| median(&c.to_vec())).collect();
    medians.iter().position(|m| *m <= medians[0] - LOG10_2 + 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[-f64::NAN, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(median(&[f64::INFINITY, 1.0, f64::INFINITY]), f64::INFINITY);
        assert_eq!(
            median(&[f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY]),
            f64::NEG_INFINITY
        );
    }

    #[test]
    fn intervals_are_those_of_the_protocol() {
        let samples = |n| (1..=n).rev().map(f64::from).collect::<Vec<_>>();
        assert_eq!(median_interval(&samples(5)), None);
        assert_eq!(median_interval(&samples(6)), Some([1.0, 6.0]));
        assert_eq!(median_interval(&samples(8)), Some([1.0, 8.0]));
        assert_eq!(median_interval(&samples(9)), Some([2.0, 8.0]));
        assert_eq!(median_interval(&samples(10)), Some([2.0, 9.0]));
        assert_eq!(median_interval(&samples(20)), Some([6.0, 15.0]));
        assert_eq!(median_interval(&[]), None);
        let [low, high] = median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, -f64::NAN]).expect("there are 6");
        assert!(low == 1.0 && high.is_nan());
        // By the normal distribution: 2000/2 − 1.96·√2000/2 = 956.2.
        assert_eq!(median_interval(&samples(2000)), Some([956.0, 1045.0]));
    }

    /// The probability from its definition: of all 2ⁿ ways in which n samples can lie below or above the
    /// median, those in which the interval has it.
    #[test]
    fn an_interval_has_the_median_in_95_of_100_cases_and_is_the_narrowest() {
        for n in 6..=16_usize {
            let positions: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            let [low, _] = median_interval(&positions).expect("there are 6");
            let covered = |r: usize| {
                let inside = |ways: &u32| (r..=n - r).contains(&(ways.count_ones() as usize));
                (0..1_u32 << n).filter(inside).count() as f64 / f64::from(1 << n)
            };
            assert!(covered(low as usize) >= 0.95 && covered(low as usize + 1) < 0.95, "{n}");
        }
    }

    #[test]
    fn horizons() {
        let rows = |lags: [f64; 4]| Array2::from_shape_fn((6, 4), |(i, k)| lags[k] + i as f64);
        assert_eq!(horizon(rows([1.0, 2.0, 0.1, 3.0]).view()), None);
        assert_eq!(horizon(rows([1.0, 2.0, 0.0, 3.0]).view()), Some(2));
        assert_eq!(horizon(rows([1.0, -20.0, 1.0, 3.0]).view()), Some(1));
        assert_eq!(horizon(rows([f64::NAN, 2.0, 1.0, 3.0]).view()), Some(0));
    }

    #[test]
    fn half_lives() {
        let of = |curves: Array2<f64>| half_life(curves.mapv(crate::scaled::log10).view());
        assert_eq!(of(array![[1.0, 0.7, 0.5, 0.1], [1.0, 0.7, 0.5, 0.1]]), Some(2));
        assert_eq!(of(array![[1.0, 0.7, 0.51, 0.5001]]), None);
        assert_eq!(of(array![[1.0, 0.2, 0.2], [1.0, 0.9, 0.9], [1.0, 0.8, 0.8]]), None);
        assert_eq!(of(array![[8.0, 4.0]]), Some(1));
        assert_eq!(of(array![[8.0, 0.0]]), Some(1));
    }
}
