//! The claims, each with the rule that it is judged by.

use super::{Condition, Config, Gains, Input, Norm, WITH, WITHOUT};
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, SEEDS, SEEDS_OF_MEASUREMENTS,
    SUCCESS_MARGIN,
};
use crate::summary::key_of;
use crate::trials::solved_pairs;
use longlag_cells::Cell;
use longlag_report::Report;

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A13",
        "Batch normalisation helps.",
        "success of the LSTM with recurrent batch normalisation, γ from 0.1, less success without",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let Config { widths, task, .. } = config(report);
            let pairs = solved_pairs(report, &key_of(WITH), &key_of(WITHOUT))?;
            let condition = format!("H = {}, T = {}", widths[0], task.steps);
            Ok(vec![Contrast::of_successes(condition, &pairs)])
        },
    ),
    Claim::measured(
        "A13, at the start",
        "With gains of 1, batch normalisation makes an untrained LSTM lose more of the gradient.",
        "growth of a gradient without normalisation less that with γ_h = γ_x = 1, untrained LSTMs",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let mut all = vec![];
            for hidden in config(report).widths {
                for input in Input::ALL {
                    let of = |norm| {
                        let cell = Cell::Lstm;
                        let at = Condition { cell, hidden, input, norm };
                        let name = format!("seeds_{}", at.key());
                        Ok(report.find_series(&name)?.y())
                    };
                    let one = of(Norm::Batch(Gains::both(1.0)))?;
                    let pairs = of(Norm::None)?.into_iter().zip(one);
                    let more = pairs.map(|(none, one)| none - one);
                    let condition = format!("H = {hidden}, {}", input.key());
                    all.push(Contrast::of_differences(condition, more));
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
