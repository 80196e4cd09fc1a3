//! Many runs in few numbers: medians, with the intervals that they surely lie in.

use crate::protocol::{Claim, median_ranks};
use longlag_probe::statistics::median;
use longlag_report::{LookupError, Number, Report};

/// A name as keys have it: in lower case, with `_` for all that is neither letter nor digit.
pub fn key_of(name: &str) -> String {
    let name = name.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join("_")
}

/// Adds the median of the runs' values and the ends of its interval as facts: `name`, `name_low`, `name_high`.
pub fn add_facts(
    report: &mut Report,
    name: &str,
    values: Vec<f64>,
    digits: u8,
) {
    let [low, middle, high] = spread(values);
    report
        .fact(name, Number::rounded(middle, digits))
        .fact(format!("{name}_low"), Number::rounded(low, digits))
        .fact(format!("{name}_high"), Number::rounded(high, digits));
}

/// Adds a series of medians over the runs' curves with their intervals. Where a curve has ended it counts as
/// NaN.
pub fn add_band(
    report: &mut Report,
    name: String,
    x: Vec<f64>,
    curves: Vec<&[f64]>,
) {
    let at = |i: usize| {
        let at = |c: &&[f64]| c.get(i).copied().unwrap_or(f64::NAN);
        spread(curves.iter().map(at).collect())
    };
    let all: Vec<[f64; 3]> = (0..x.len()).map(at).collect();
    let column =
        |k: usize| all.iter().map(move |row| Number::rounded(row[k], 4));
    report.band(name, x, column(1), column(0), column(2));
}

/// Judges claims by what the report has so far and writes what is behind the verdicts in it: the table `claims` has for
/// each claim and condition the contrast's estimate, the interval `from`, `to` that the verdict goes by, and the verdict.
///
/// What counts is the report as it is written, with the digits that it prints: the ledger has no others.
///
/// # Errors
/// If the report lacks what is measured.
pub fn add_claims(
    report: &mut Report,
    claims: &[Claim],
) -> Result<(), LookupError> {
    let written = Report::from_snapshot(&report.to_snapshot())
        .expect("a report that was just written");
    let mut rows = vec![];
    for claim in claims {
        let finding = claim.judge(&written)?;
        let verdict = finding.verdict.to_string();
        for of in finding.contrasts {
            let number = |x: f64| Number::rounded(x, 3);
            rows.push((
                claim.id,
                of.condition,
                number(of.estimate.low),
                number(of.interval.low),
                number(of.interval.high),
                verdict.clone(),
            ));
        }
    }
    let columns = ["claim", "condition", "estimate", "from", "to", "verdict"];
    let table = report.table("claims", columns);
    for row in rows {
        table.row(row);
    }
    Ok(())
}

/// The median with its interval's ends around it: the order statistics of [`median_ranks`], of fewer values than
/// it needs the lowest and the highest. NaN counts as the largest, whatever its sign: which sign a NaN gets
/// differs between processors.
pub fn spread(mut values: Vec<f64>) -> [f64; 3] {
    let order =
        |a: &f64, b: &f64| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b));
    values.sort_by(order);
    let n = values.len();
    let ranks = median_ranks(n).map_or(1..=n, |(ranks, _)| ranks);
    [values[ranks.start() - 1], median(&values), values[ranks.end() - 1]]
}

/// Spearman's rank correlation of paired values, from −1 to 1: that of their ranks, where equal values share the mean
/// of theirs. NaN if all values of a side are equal.
///
/// # Panics
/// If there are more of one than of the other.
#[track_caller]
pub fn rank_correlation(x: &[f64], y: &[f64]) -> f64 {
    assert!(x.len() == y.len(), "{} values with {}", x.len(), y.len());
    let [x, y] = [x, y].map(centred_ranks);
    let product =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let all = product(&x, &x) * product(&y, &y);
    if all == 0.0 { f64::NAN } else { product(&x, &y) / all.sqrt() }
}

/// Each value's rank, less the mean of all ranks.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|v| v.total_cmp(value).is_lt());
        let above = values.iter().filter(|v| v.total_cmp(value).is_gt());
        0.5 * (below.count() as f64 - above.count() as f64)
    };
    values.iter().map(rank).collect()
}
