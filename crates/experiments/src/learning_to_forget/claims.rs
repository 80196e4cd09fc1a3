//! The claims, each with the rule that it is judged by.

use super::{Config, Kind};
use crate::protocol::{
    Claim, Contrast, FACTOR_MARGIN, GROWTH_MARGIN, Prediction, SEEDS,
    SEEDS_OF_MEASUREMENTS, SUCCESS_MARGIN,
};
use crate::summary::key_of;
use longlag_report::{LookupError, Report};

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A8",
        "A forget gate near 1 is saturated and forgets the far gradient.",
        "growth of the gradient along c per 100 steps, over all paths, at f = 0.5 less that at f = 0.999",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| gradients(report, 0.5, 0.999),
    ),
    Claim::measured(
        "A8, near 0",
        "A forget gate near 0 blocks the gradient.",
        "growth of the gradient along c per 100 steps, over all paths, at f = 0.9 less that at f = 0.1",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| gradients(report, 0.9, 0.1),
    ),
    Claim::measured(
        "A8, its own signal",
        "A forget gate near 1 is saturated, so it hardly gets a gradient of its own.",
        "root mean square of the gradient of c after the most steps by the gate's bias, at f = 0.5 over that at f = 0.999",
        Prediction::Beyond(FACTOR_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| signals(report, 0.5, 0.999),
    ),
    Claim::measured(
        "B2",
        "Without the third gate, which forgets, an LSTM goes on in a stream that nobody resets as it does with it.",
        "success on the stream of the LSTM without a forget gate less that of the one with it",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let pairs = [
                ("no forget gate", "LSTM"),
                ("no forget gate, wider", "LSTM"),
                ("no forget gate, 16 units", "LSTM, 16 units"),
            ];
            pairs.map(|pair| successes(report, pair)).into_iter().collect()
        },
    ),
    Claim::measured(
        "B5",
        "The tanh bounds the cell: |c| stays at 1 or below.",
        "largest |c| along the stream after training, over 1",
        Prediction::Within(FACTOR_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let learners = [
                "LSTM",
                "LSTM, 16 units",
                "no forget gate",
                "no forget gate, 16 units",
            ];
            let of = |name: &str| {
                let key = format!("largest_{}_seeds", key_of(name));
                let ratios = report.find_series(&key)?.y();
                Ok(Contrast::of_ratios(name, ratios))
            };
            learners.into_iter().map(of).collect()
        },
    ),
];
// ANCHOR_END: claims

/// The networks with recurrent weights whose gate is held.
fn coupled(report: &Report) -> impl Iterator<Item = Kind> {
    let config: Config = report.config_as().unwrap_or_default();
    config.kinds().into_iter().filter(|kind| kind.coupled)
}

/// What was found of every seed at two values of f.
fn two(
    report: &Report,
    what: &str,
    kind: Kind,
    gates: [f64; 2],
) -> Result<impl Iterator<Item = (f64, f64)>, LookupError> {
    let of = |f: f64| {
        let key = format!("{what}_{}_f_{f}_seeds", kind.key());
        Ok(report.find_series(&key)?.y())
    };
    let [ours, theirs] = gates;
    Ok(of(ours)?.into_iter().zip(of(theirs)?))
}

fn gradients(
    report: &Report,
    ours: f64,
    theirs: f64,
) -> Result<Vec<Contrast>, LookupError> {
    let at = |kind: Kind| {
        let pairs = two(report, "gradient", kind, [ours, theirs])?;
        let condition = format!("H = {}", kind.hidden);
        let differences = pairs.map(|(a, b)| a - b);
        Ok(Contrast::of_differences(condition, differences))
    };
    coupled(report).map(at).collect()
}

fn signals(
    report: &Report,
    ours: f64,
    theirs: f64,
) -> Result<Vec<Contrast>, LookupError> {
    let at = |kind: Kind| {
        let pairs = two(report, "signal", kind, [ours, theirs])?;
        let condition = format!("H = {}", kind.hidden);
        Ok(Contrast::of_ratios(condition, pairs.map(|(a, b)| a / b)))
    };
    coupled(report).map(at).collect()
}

fn successes(
    report: &Report,
    (ours, theirs): (&str, &str),
) -> Result<Contrast, LookupError> {
    let of = |name: &str| {
        let key = format!("solved_{}_seeds", key_of(name));
        Ok(report.find_series(&key)?.y().into_iter().map(|s| s == 1.0))
    };
    let pairs: Vec<(bool, bool)> = of(ours)?.zip(of(theirs)?).collect();
    Ok(Contrast::of_successes(format!("{ours} against {theirs}"), &pairs))
}
