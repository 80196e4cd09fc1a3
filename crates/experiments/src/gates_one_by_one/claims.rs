//! The claims, each with the rule that it is judged by.

use super::Config;
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, Rule, SEEDS_OF_MEASUREMENTS,
    SHARE_MARGIN,
};
use longlag_report::{LookupError, Report};

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim {
        id: "A4",
        statement: "An LSTM's unit has a state and an output, and each step uses the input and what was before.",
        rule: Rule::Identity { test: "crates/longlag/src/conform/tests.rs" },
    },
    Claim::measured(
        "A5",
        "The input gate controls what the input does to the state.",
        "share of ‖∂c_t/∂x_t‖ that remains with the input gate and its derivative at 0, all else as it was, at the \
         start and trained",
        Prediction::Within(SHARE_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| contrasts(report, |of| of("share")),
    ),
    Claim {
        id: "A6, direct path",
        statement: "On the direct path, what is left of an earlier state is the product of the forget gates.",
        rule: Rule::Identity { test: "crates/probe/tests/paths.rs" },
    },
    Claim::measured(
        "A6",
        "The forget gate controls what an earlier state does to a later one.",
        "growth of ∂c_T/∂c_k by all paths less that with the forget gate and its derivative at 0, all else as it was, \
         at the start and trained",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            contrasts(report, |of| {
                Ok(less(of("growth_all")?, &of("growth_f")?))
            })
        },
    ),
    Claim::measured(
        "A6, alone",
        "From a step to the next, the forget gate alone controls what the state does to the state.",
        "share of ‖∂c_t/∂c_{t−1}‖ that remains with the forget gate and its derivative at 0, all else as it was, at \
         the start and trained",
        Prediction::Within(SHARE_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| contrasts(report, |of| of("one_step")),
    ),
    Claim {
        id: "A7, one step",
        statement: "The output gate controls what the state does to the output of the same step.",
        rule: Rule::Identity {
            test: "crates/experiments/tests/experiments/gates_one_by_one.rs",
        },
    },
    Claim::measured(
        "A7",
        "The output gate is about the output: what becomes of the state doesn't depend on it.",
        "growth of ∂c_T/∂c_k by all paths less that with the output gate and its derivative at 0, all else as it was, \
         at the start and trained",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            contrasts(report, |of| {
                Ok(less(of("growth_all")?, &of("growth_o")?))
            })
        },
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// What a width at a time is called in keys and in words.
pub(super) fn conditions(config: &Config) -> Vec<(String, String)> {
    let widths = config.widths.iter();
    let both = ["start", "trained"].map(|when| {
        widths
            .clone()
            .map(move |h| (format!("h{h}_{when}"), format!("H = {h}, {when}")))
    });
    both.into_iter().flatten().collect()
}

fn less(ours: Vec<f64>, theirs: &[f64]) -> Vec<f64> {
    ours.into_iter().zip(theirs).map(|(a, b)| a - b).collect()
}

type Numbers = Result<Vec<f64>, LookupError>;
/// Gives the series of a name.
type Series<'a> = dyn Fn(&str) -> Numbers + 'a;

/// A number for each seed, from the series that it is given by their names, in every condition.
fn contrasts(
    report: &Report,
    of: fn(&Series<'_>) -> Numbers,
) -> Result<Vec<Contrast>, LookupError> {
    let at = |(key, condition): (String, String)| {
        let series =
            |what: &str| Ok(report.find_series(&format!("{what}_{key}"))?.y());
        Ok(Contrast::of_differences(condition, of(&series)?))
    };
    conditions(&config(report)).into_iter().map(at).collect()
}
