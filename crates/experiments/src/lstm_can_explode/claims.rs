//! The claims, each with the rule that it is judged by.

use super::{Config, Kind, LARGE, Method, Optimizer, Trained};
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, SEEDS, SEEDS_OF_MEASUREMENTS,
    SUCCESS_MARGIN,
};
use crate::trials::{solved_pairs, tried};
use longlag_report::{LookupError, Report};

/// The forget bias that the claims are about.
const ONE: Kind = Kind::Lstm(1.0);

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A10",
        "The LSTM's gates relieve the explosion of gradients.",
        "growth through all paths of the tanh RNN less that of the LSTM with forget bias 1 at the same large gain, at \
         the start",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        relieved,
    ),
    Claim::measured(
        "A10, trained",
        "The LSTM's gates still relieve it after training from the same large gain.",
        "growth through all paths of the tanh RNN less that of the LSTM, after training by Adam with clipping from the \
         same large gain, along sequences of the task",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        relieved_in_the_end,
    ),
    Claim::measured(
        "A10, prevents",
        "The LSTM's gates prevent the explosion of gradients.",
        "largest growth through all paths over all gains, 0 if there is none, of the LSTM with forget bias 1 at the \
         start",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let config = config(report);
            let at = |&hidden: &usize| {
                let mut most: Vec<f64> = vec![];
                for &gain in &config.gains {
                    let growth = growth(report, hidden, ONE, gain)?;
                    most.resize(growth.len(), 0.0);
                    for (most, growth) in most.iter_mut().zip(growth) {
                        *most = most.max(growth);
                    }
                }
                let condition = format!("H = {hidden}, start");
                Ok(Contrast::of_differences(condition, most))
            };
            config.widths.iter().map(at).collect()
        },
    ),
    Claim::measured(
        "A10, without clipping",
        "An LSTM trains without gradient clipping as well as with it, even from large weights.",
        "success of the LSTM without clipping less that with clipping, by the same optimizer from the same large gain",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let config = config(report);
            let mut all = vec![];
            for optimizer in [Optimizer::Sgd, Optimizer::Adam] {
                for &gain in &config.trained_gains {
                    let [without, with] = [false, true].map(|clipped| {
                        method(Trained::Lstm, optimizer, clipped).key(gain)
                    });
                    let pairs = solved_pairs(report, &without, &with)?;
                    let condition =
                        format!("{}, g = {gain}", optimizer.in_words());
                    all.push(Contrast::of_successes(condition, &pairs));
                }
            }
            Ok(all)
        },
    ),
];

fn relieved(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let config = config(report);
    let mut all = vec![];
    for &hidden in &config.widths {
        for gain in LARGE {
            let of = |kind| growth(report, hidden, kind, gain);
            let relieved = less(of(Kind::Rnn)?, of(ONE)?);
            let condition = format!("H = {hidden}, g = {gain}, start");
            all.push(Contrast::of_differences(condition, relieved));
        }
    }
    Ok(all)
}

fn relieved_in_the_end(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let config = config(report);
    let mut all = vec![];
    for &gain in &config.trained_gains {
        let of = |cell| -> Result<Vec<f64>, LookupError> {
            let key = method(cell, Optimizer::Adam, true).key(gain);
            Ok(tried(report, &key)?.iter().map(|t| t.growth[1]).collect())
        };
        let relieved = less(of(Trained::Rnn)?, of(Trained::Lstm)?);
        let condition =
            format!("H = {}, g = {gain}, trained", config.widths[0]);
        all.push(Contrast::of_differences(condition, relieved));
    }
    Ok(all)
}
// ANCHOR_END: claims

/// Seed by seed.
fn less(ours: Vec<f64>, theirs: Vec<f64>) -> impl Iterator<Item = f64> {
    ours.into_iter().zip(theirs).map(|(a, b)| a - b)
}

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// What it is called does not depend on the learning rate.
fn method(cell: Trained, optimizer: Optimizer, clipped: bool) -> Method {
    Method { cell, optimizer, clipped, learning_rate: 0.0 }
}

/// Of an untrained network, seed by seed.
fn growth(
    report: &Report,
    hidden: usize,
    kind: Kind,
    gain: f64,
) -> Result<Vec<f64>, LookupError> {
    let gain = gain.to_string().replace('.', "_");
    let name = format!("growth_h{hidden}_{}_g{gain}", kind.key());
    Ok(report.find_series(&name)?.y())
}
