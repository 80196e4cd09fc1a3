//! Whether results are within their tolerances, and those of random numbers have their properties.

use super::case::{Case, Expected};
use longlag_cells::{StateDict, Tensor};

/// What is wrong with the results of a way; nothing, if all expected tensors are there and near enough,
/// and every property holds.
pub(super) fn judge(case: &Case, way: &str, results: &StateDict) -> Vec<String> {
    let judged = case.expected.iter().filter_map(|(name, expected)| {
        let problem = match (results.get(name), case.wanted(name)) {
            (Some(got), Some(want)) => compare(expected, got, want),
            _ if expected.optional => None,
            _ => Some("missing".to_owned()),
        };
        problem.map(|problem| format!("{name} ({way}): {problem}"))
    });
    let properties = case.properties.iter().filter_map(|property| {
        let problem = property.judge(case, results)?;
        Some(format!("{} ({way}): {problem}", property.tensor))
    });
    judged.chain(properties).collect()
}

/// The worst entry, if it is outside of its tolerance.
fn compare(expected: &Expected, got: &Tensor, want: &Tensor) -> Option<String> {
    let (found, wanted) = (got.shape(), want.shape());
    // A number may be a vector of one.
    if found != wanted && !(wanted.is_empty() && found == [1]) {
        return Some(format!("the shape is {found:?}, not {wanted:?}"));
    }
    let (Some(got), Some(want)) = (got.numbers::<f64>(), want.numbers::<f64>()) else {
        return Some(format!("{} can't be compared", want.dtype()));
    };
    let excess = |(&got, &want): (&f64, &f64)| {
        if got == want || got.is_nan() && want.is_nan() {
            return 0.0;
        }
        if !got.is_finite() || !want.is_finite() {
            return f64::INFINITY;
        }
        // With no tolerance at all this is infinite.
        (got - want).abs() / (expected.atol + expected.rtol * want.abs())
    };
    let excesses = got.iter().zip(&want).map(excess).enumerate();
    let (at, worst) = excesses.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let outside = got.iter().zip(&want).filter(|&pair| excess(pair) > 1.0).count();
    (outside > 0).then(|| {
        format!(
            "entry {at} is {:e}, not {:e}, {worst:.3} times the tolerance; {outside} of {} are outside",
            got[at],
            want[at],
            want.len()
        )
    })
}
