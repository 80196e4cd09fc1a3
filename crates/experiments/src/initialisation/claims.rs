//! The claims, each with the rule that it is judged by.

use super::{BEST, Config, DEFAULT, trial_name};
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, SEEDS, SUCCESS_MARGIN,
};
use crate::summary::key_of;
use crate::trials::{Tried, solved_pairs, tried};
use longlag_report::Report;

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A14",
        "Initialisation helps.",
        "success of the tanh network from orthogonal recurrent weights of gain 1 less that from PyTorch's start",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let config = config(report);
            let at = |&hidden: &usize| {
                let [best, default] =
                    [BEST, DEFAULT].map(|start| key(&config, start, hidden));
                let pairs = solved_pairs(report, &best, &default)?;
                let condition = condition(&config, hidden);
                Ok(Contrast::of_successes(condition, &pairs))
            };
            config.widths.iter().map(at).collect()
        },
    ),
    Claim::measured(
        "A14, survives",
        "What the start sets, training leaves as it is.",
        "the absolute difference of the gradient's growth at the end and at the start of training, of the tanh \
         networks of the other claim",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS,
        |report| {
            let config = config(report);
            let mut all = vec![];
            for start in [BEST, DEFAULT] {
                for &hidden in &config.widths {
                    let of = tried(report, &key(&config, start, hidden))?;
                    let moved = |t: &Tried| (t.growth[1] - t.growth[0]).abs();
                    let condition =
                        format!("{start}, {}", condition(&config, hidden));
                    let moved = of.iter().map(moved);
                    all.push(Contrast::of_differences(condition, moved));
                }
            }
            Ok(all)
        },
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

fn key(config: &Config, start: &str, hidden: usize) -> String {
    key_of(&trial_name(start, hidden, config.judged))
}

fn condition(config: &Config, hidden: usize) -> String {
    format!("H = {hidden}, T = {}", config.judged)
}
