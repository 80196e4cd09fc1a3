//! Exact distributions and tests: finite sums, by `+ − × ÷` only.

/// P(X = k) for k = 0 … n, where X counts the successes in n trials of probability p.
///
/// From the likeliest count outwards by the ratio of neighbours, then divided by the sum: nothing overflows,
/// and what underflows is too small to count.
///
/// # Panics
/// If p isn't from 0 to 1.
#[track_caller]
pub fn binomial(n: usize, p: f64) -> Vec<f64> {
    assert!((0.0..=1.0).contains(&p), "binomial: a probability of {p}");
    let mode = (((n + 1) as f64 * p) as usize).min(n);
    let mut weights = vec![1.0; n + 1];
    for k in mode..n {
        let ratio = (n - k) as f64 / (k + 1) as f64 * (p / (1.0 - p));
        weights[k + 1] = weights[k] * ratio;
    }
    for k in (1..=mode).rev() {
        let ratio = k as f64 / (n - k + 1) as f64 * ((1.0 - p) / p);
        weights[k - 1] = weights[k] * ratio;
    }
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

// ANCHOR: sign_test
/// The exact two-sided sign test: how probable it is that so many pairs
/// or more go the same way if each is as likely to go either way. Pairs
/// that go neither way are left out.
///
/// For pairs that both succeed or fail, counted where only one does, this
/// is McNemar's exact test.
pub fn sign_test(above: usize, below: usize) -> f64 {
    let rarer = above.min(below);
    let coin = binomial(above + below, 0.5);
    (2.0 * coin[..=rarer].iter().sum::<f64>()).min(1.0)
}
// ANCHOR_END: sign_test

/// Wilcoxon's signed-rank test of paired differences, two-sided: how probable a rank sum as far from its mean
/// or farther is, if every sign is as likely to be the other one.
///
/// Exact with ties too: differences of equal size share their mean rank, and the distribution is that of the
/// ranks at hand. Zeros are left out. It takes more than the sign test for granted: that the differences are
/// spread symmetrically. Source: Wilcoxon 1945, "Individual comparisons by ranking methods".
///
/// # Panics
/// If a difference is NaN.
#[track_caller]
pub fn wilcoxon(differences: &[f64]) -> f64 {
    assert!(differences.iter().all(|d| !d.is_nan()), "a difference is NaN");
    let differences: Vec<f64> =
        differences.iter().copied().filter(|&d| d != 0.0).collect();
    // Twice the rank is a whole number.
    let rank = |d: f64| -> usize {
        let count = |f: &dyn Fn(f64) -> bool| {
            differences.iter().filter(|other| f(other.abs())).count()
        };
        2 * count(&|other| other < d.abs())
            + count(&|other| other == d.abs())
            + 1
    };
    let ranks: Vec<usize> = differences.iter().map(|&d| rank(d)).collect();
    let total: usize = ranks.iter().sum();
    let mut sums = vec![0.0; total + 1];
    sums[0] = 1.0;
    for &rank in &ranks {
        for sum in (0..=total).rev() {
            let without = if sum < rank { 0.0 } else { sums[sum - rank] };
            sums[sum] = (sums[sum] + without) / 2.0;
        }
    }
    let signed = differences.iter().zip(&ranks);
    let above: usize =
        signed.filter(|(d, _)| **d > 0.0).map(|(_, rank)| rank).sum();
    let smaller = above.min(total - above);
    (2.0 * sums[..=smaller].iter().sum::<f64>()).min(1.0)
}

// ANCHOR: holm
/// Holm's adjustment of the p-values of many tests: rejecting those that
/// come out below α is wrong anywhere with probability α at most.
///
/// The smallest of m is multiplied by m, the next by m − 1 and so on;
/// none becomes smaller than the one before it, or larger than 1.
/// Source: Holm 1979, "A simple sequentially rejective multiple test
/// procedure".
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut before = 0.0;
    for (rank, &test) in order.iter().enumerate() {
        let alone = (p.len() - rank) as f64 * p[test];
        before = alone.clamp(before, 1.0);
        adjusted[test] = before;
    }
    adjusted
}
// ANCHOR_END: holm
