//! The claims, each with the rule that it is judged by.

use super::Config;
use crate::protocol::{
    Claim, Contrast, FACTOR_MARGIN, Interval, Prediction, SEEDS, SHARE_MARGIN,
    SUCCESS_MARGIN,
};
use crate::summary::key_of;
use crate::trials::solved_pairs;
use longlag_report::{LookupError, Report};

/// The plain network as libraries start it.
pub(super) const RNN: &str = "RNN";
/// The remedied one: of two, the better on other seeds.
pub(super) const REMEDIED: &str = "IRNN";
/// The LSTM whose forget gates start with a bias of 1.
pub(super) const LSTM: &str = "LSTM";
/// The LSTM whose gates start for the length of the sequences.
pub(super) const CHRONO: &str = "LSTM, chrono";
/// The best without gates, on other seeds. By its start it adds to its state: the weights from the state are 1 from each
/// unit to itself.
const WITHOUT_GATES: &str = REMEDIED;

/// Whom claims are judged by.
pub(super) const NEEDED: [&str; 4] = [RNN, REMEDIED, LSTM, CHRONO];

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A9",
        "The LSTM handles long sequences better than the RNN.",
        "the longest T of the adding problem that the LSTM with a forget bias of 1 solves over that of the RNN, \
         matched parameters",
        Prediction::Beyond(FACTOR_MARGIN),
        SEEDS,
        |report| Ok(vec![times_as_long(report, LSTM, RNN)?]),
    ),
    Claim::measured(
        "A9, chrono",
        "The LSTM started for the length of the sequences handles long ones better than the RNN.",
        "the longest T of the adding problem that the LSTM with chrono initialisation solves over that of the RNN, \
         matched parameters",
        Prediction::Beyond(FACTOR_MARGIN),
        SEEDS,
        |report| Ok(vec![times_as_long(report, CHRONO, RNN)?]),
    ),
    Claim::measured(
        "A9, remedied",
        "The LSTM started for the length of the sequences handles long ones better than a remedied RNN.",
        "the longest T of the adding problem that the LSTM with chrono initialisation solves over that of the IRNN, \
         matched parameters",
        Prediction::Beyond(FACTOR_MARGIN),
        SEEDS,
        |report| Ok(vec![times_as_long(report, CHRONO, REMEDIED)?]),
    ),
    Claim::measured(
        "B8",
        "Who beats the baseline has solved the task.",
        "of the trainings on the adding problem that end better than a constant answer, the share that has not \
         solved it",
        Prediction::Within(SHARE_MARGIN),
        SEEDS,
        |report| {
            let shares = report.find_series("beats_unsolved")?.y();
            let condition = "all contenders, all lengths";
            Ok(vec![Contrast::of_differences(condition, shares)])
        },
    ),
    Claim::measured(
        "B12",
        "Gating does it.",
        "success of the LSTM with chrono initialisation on the adding problem less that of the best network without \
         gates on other seeds, the IRNN, matched parameters, at the decisive length",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let steps = config(report).decisive;
            let at = |name| key_of(&format!("{name}, adding {steps}"));
            let (ours, theirs) = (at(CHRONO), at(WITHOUT_GATES));
            let pairs = solved_pairs(report, &ours, &theirs)?;
            let condition =
                format!("{CHRONO} less {WITHOUT_GATES}, T = {steps}");
            Ok(vec![Contrast::of_successes(condition, &pairs)])
        },
    ),
];

/// How many times as long one network's longest sequences are as another's.
fn times_as_long(
    report: &Report,
    one: &str,
    other: &str,
) -> Result<Contrast, LookupError> {
    let lengths = config(report).lengths;
    let longest = |name: &str| -> Result<Vec<Interval>, LookupError> {
        let series = report.find_series(&longest_key(name))?;
        let known = |longest| known(&lengths, longest);
        Ok(series.y().into_iter().map(known).collect())
    };
    let pairs = longest(one)?.into_iter().zip(longest(other)?);
    let ratios = pairs.map(|(ours, theirs)| Interval {
        low: ours.low / theirs.high,
        high: ours.high / theirs.low,
    });
    Ok(Contrast::of_ratios(format!("{one} over {other}"), ratios))
}

/// What is known of the longest length that a network can learn: that one
/// of the race; less than the shortest if it learnt none; the longest of
/// the race or more.
fn known(lengths: &[usize], longest: f64) -> Interval {
    let [first, last] =
        [lengths[0], lengths[lengths.len() - 1]].map(|t| t as f64);
    Interval {
        low: if longest == 0.0 { 1.0 } else { longest },
        high: match longest {
            0.0 => first,
            longest if longest == last => f64::INFINITY,
            longest => longest,
        },
    }
}
// ANCHOR_END: claims

/// The series of the longest lengths that a contender solved, seed by seed; 0 if none.
pub(super) fn longest_key(name: &str) -> String {
    format!("longest_{}", key_of(name))
}

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}
