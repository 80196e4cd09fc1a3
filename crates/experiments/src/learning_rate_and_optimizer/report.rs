//! From what was measured to the report, and the claims.

use super::{
    CELLS, Config, LearningRateAndOptimizer, Networks, OPTIMIZERS, Outcome,
    Shares,
};
use crate::experiment::Experiment;
use crate::protocol::{
    Claim, Contrast, Prediction, Rule, SEEDS, SHARE_MARGIN, SUCCESS_MARGIN,
};
use crate::runs::Either;
use crate::summary::{add_band, add_claims, add_facts};
use crate::trials::{Tried, add_trial, solved_pairs};
use longlag_probe::statistics::median;
use longlag_report::{LookupError, Number, Report};

// ANCHOR: claims
pub(super) const CLAIMS: &[Claim] = &[
    Claim::measured(
        "A15",
        "A suitable learning rate and optimizer help a plain network to learn what descent at its own best rate doesn't.",
        "success of the plain network on the shorter adding problem by Adam, less success by plain descent, each at \
         the best of equally many rates",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "rnn_adam", "rnn_sgd"),
    ),
    Claim {
        id: "A15, near and far",
        statement: "The learning rate doesn't change the ratio of near to far.",
        rule: Rule::Identity {
            test: "crates/experiments/tests/experiments/learning_rate_and_optimizer.rs",
        },
    },
    Claim::measured(
        "B6",
        "Adam fixes it: with Adam a plain network learns a long lag as an LSTM does.",
        "success of the plain network on the longer adding problem by Adam, less the LSTM's, each at its best rate",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, "rnn_adam_long", "lstm_adam_long"),
    ),
    Claim::measured(
        "B6, shares",
        "Adam's step is made of other lags than the gradient of its batch, in part.",
        "how much of Adam's step on the recurrent weights has another lag than in the gradient",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        adam_moves,
    ),
];

/// Success of one trial less that of another, at each width.
fn contrasts(
    report: &Report,
    ours: &str,
    theirs: &str,
) -> Result<Vec<Contrast>, LookupError> {
    let contrast = |hidden: usize| {
        let [ours, theirs] = [ours, theirs].map(|n| format!("h{hidden}_{n}"));
        let pairs = solved_pairs(report, &ours, &theirs)?;
        Ok(Contrast::of_successes(format!("H = {hidden}"), &pairs))
    };
    config(report).widths.into_iter().map(contrast).collect()
}

fn adam_moves(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let contrast = |hidden: usize| {
        let moved = report.find_series(&format!("moved_h{hidden}_adam"))?.y();
        Ok(Contrast::of_differences(format!("H = {hidden}"), moved))
    };
    config(report).widths.into_iter().map(contrast).collect()
}
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let config = &self.config;
        let mut report = Report::new(LearningRateAndOptimizer::NAME, config);
        let mut left = outcomes;
        let mut groups = vec![];
        for trials in &self.groups {
            let (these, rest) = left.split_at(trials.count());
            left = rest;
            let tried: Vec<Tried> =
                these.iter().filter_map(Either::left).copied().collect();
            groups.push(tried);
        }
        self.groups[0].add_to(&mut report, &groups[0]);
        self.add_map(&mut report, &groups[1]);
        for k in [2, 3] {
            let trials = &self.groups[k];
            for (number, trial) in trials.trials.iter().enumerate() {
                let of = trials.of(number, &groups[k]);
                add_trial(&mut report, &trial.key(), of);
            }
        }
        let seeds: Vec<&Vec<Shares>> =
            left.iter().filter_map(Either::right).collect();
        let kinds = config.told_apart();
        for (i, hidden) in config.widths.iter().enumerate() {
            for (j, (name, _)) in kinds.iter().enumerate() {
                let number = i * kinds.len() + j;
                let of: Vec<&Shares> =
                    seeds.iter().map(|found| &found[number]).collect();
                add_shares(&mut report, &format!("h{hidden}_{name}"), &of);
            }
        }
        add_claims(&mut report, CLAIMS).expect("all is there");
        report
    }

    fn add_map(&self, report: &mut Report, tried: &[Tried]) {
        let columns = [
            "cell",
            "steps",
            "optimizer",
            "rate",
            "solved",
            "right",
            "updates",
        ];
        let table = report.table("map", columns);
        let config = &self.config;
        let mut number = 0;
        for (cell, _) in CELLS {
            for steps in config.lengths {
                for (name, scaled) in OPTIMIZERS {
                    for &rate in config.rates_of(scaled) {
                        let of = self.groups[1].of(number, tried);
                        number += 1;
                        let right: Vec<f64> =
                            of.iter().map(|t| t.right).collect();
                        let updates: Vec<f64> =
                            of.iter().map(|t| t.updates as f64).collect();
                        let solved = of.iter().filter(|t| t.solved).count();
                        table.row((
                            cell,
                            steps,
                            name,
                            rate,
                            solved as f64 / of.len() as f64,
                            Number::rounded(median(&right), 3),
                            median(&updates),
                        ));
                    }
                }
            }
        }
    }
}

fn add_shares(report: &mut Report, key: &str, of: &[&Shares]) {
    for (k, what) in ["gradient", "step"].iter().enumerate() {
        let far = of.iter().map(|s| s.far[k]).collect();
        add_facts(report, &format!("{key}_far_{what}"), far, 3);
        let curves: Vec<&[f64]> = of.iter().map(|s| &s.by_lag[k][..]).collect();
        let lags = curves.iter().map(|c| c.len()).min().unwrap_or(0);
        let lags = (0..lags).map(|lag| lag as f64).collect();
        add_band(report, format!("shares_{key}_{what}"), lags, curves);
    }
    let moved: Vec<f64> = of.iter().map(|s| s.moved).collect();
    add_facts(report, &format!("{key}_moved"), moved.clone(), 3);
    let seeds = (1..=moved.len()).map(|seed| seed as f64);
    let moved = moved.into_iter().map(|m| Number::rounded(m, 4));
    report.series(format!("moved_{key}"), seeds, moved);
}
