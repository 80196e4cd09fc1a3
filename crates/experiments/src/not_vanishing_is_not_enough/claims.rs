//! The claims, each with the rule that it is judged by.

use super::Config;
use super::report::training_key;
use crate::protocol::{Claim, Contrast, Prediction, SEEDS, SUCCESS_MARGIN};
use longlag_report::{LookupError, Report};

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "B7",
        "If the gradient doesn't vanish, it trains.",
        "success with a long memory less that with the shortest, by gradient descent, at the learning rate that \
         suits the shortest",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "plain", "one"),
    ),
    Claim::measured(
        "B7, own rate",
        "If the gradient doesn't vanish, it trains, at a learning rate of its own.",
        "success with a long memory less that with the shortest, by gradient descent, each at the learning rate that \
         suits it",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "plain", "own"),
    ),
    Claim::measured(
        "B7, Adam",
        "By Adam, one learning rate trains short memories and long ones.",
        "success with a long memory less that with the shortest, by Adam, at the learning rate that suits the shortest",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "adam", "one"),
    ),
    Claim::measured(
        "B7, normalised",
        "With its input normalised, one learning rate trains short memories and long ones.",
        "success with a long memory less that with the shortest, with normalised input, at the learning rate that \
         suits the shortest",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "normalised", "one"),
    ),
    Claim::measured(
        "B7, exponential",
        "With its input normalised and ln(−ln λ) trained in place of λ, one learning rate trains short memories and \
         long ones.",
        "success with a long memory less that with the shortest, with both, at the learning rate that suits the \
         shortest",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "exponential", "one"),
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// How often a memory of at least ten times the shortest was learnt less how often the shortest was.
fn contrasts(
    report: &Report,
    way: &str,
    rate: &str,
) -> Result<Vec<Contrast>, LookupError> {
    let teachers = config(report).teachers;
    let learnt = |memory: f64| {
        let key = training_key(way, memory);
        let series = report.find_series(&format!("{rate}_{key}"))?;
        Ok(series.y().into_iter().map(|solved| solved > 0.5))
    };
    let short = teachers[0];
    let long = teachers.iter().filter(|&&memory| memory >= 10.0 * short);
    let contrast = |&memory: &f64| {
        let pairs: Vec<_> = learnt(memory)?.zip(learnt(short)?).collect();
        let condition = format!("{memory} steps against {short}");
        Ok(Contrast::of_successes(condition, &pairs))
    };
    long.map(contrast).collect()
}
