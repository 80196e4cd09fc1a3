//! The claims, each with the rule that it is judged by.

use super::Config;
use crate::protocol::{
    Claim, Contrast, Prediction, SEEDS, SEEDS_OF_MEASUREMENTS, SHARE_MARGIN,
    SUCCESS_MARGIN,
};
use longlag_report::{LookupError, Report};

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "B9",
        "The LSTM of 1997 was trained by the full gradient of backpropagation through time.",
        "1 less the cosine between its published gradient and the full one, over all weights of the layer, at the \
         start and trained",
        Prediction::Within(SHARE_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let at = |&hidden: &usize| {
                ["start", "end"].map(|when| {
                    let name =
                        format!("cosine_h{hidden}_old_truncated_all_{when}");
                    let cosines = report.find_series(&name)?.y();
                    let off = cosines.into_iter().map(|c| 1.0 - c);
                    let condition = format!("H = {hidden}, {when}");
                    Ok(Contrast::of_differences(condition, off))
                })
            };
            config(report).widths.iter().flat_map(at).collect()
        },
    ),
    Claim::measured(
        "B9, success",
        "By its truncated gradient the LSTM of 1997 learns as well as by the full one.",
        "success by the full gradient less success by the truncated one",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            contrasts(report, |_| ["old_whole".into(), "old_truncated".into()])
        },
    ),
    Claim::measured(
        "B10",
        "Truncated backpropagation can't learn beyond its window.",
        "success with the state carried less success without, windows a fifth of the lag, chrono initialisation",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            contrasts(report, |window| {
                ["carried", "fresh"].map(|by| format!("chrono_{by}_{window}"))
            })
        },
    ),
    Claim::measured(
        "B10, usual start",
        "Truncated backpropagation can't learn beyond its window, if the state doesn't last from the start.",
        "success with the state carried less success without, windows a fifth of the lag, forget bias 1",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            contrasts(report, |window| {
                ["carried", "fresh"].map(|by| format!("usual_{by}_{window}"))
            })
        },
    ),
    Claim::measured(
        "B10, as well",
        "With the state carried, a short window teaches as well as the whole sequence.",
        "success with the whole sequence less success with windows a fifth of the lag, state carried, chrono \
         initialisation",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            contrasts(report, |window| {
                ["chrono_whole".into(), format!("chrono_carried_{window}")]
            })
        },
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// At each width, success of the first less that of the second.
fn contrasts(
    report: &Report,
    of: fn(usize) -> [String; 2],
) -> Result<Vec<Contrast>, LookupError> {
    let Config { widths, judged, .. } = config(report);
    let at = |&hidden: &usize| {
        let solved = |key: &str| {
            let series =
                report.find_series(&format!("solved_h{hidden}_{key}"))?;
            Ok(series.y().into_iter().map(|solved| solved > 0.5))
        };
        let [first, second] = of(judged);
        let pairs: Vec<_> = solved(&first)?.zip(solved(&second)?).collect();
        Ok(Contrast::of_successes(format!("H = {hidden}"), &pairs))
    };
    widths.iter().map(at).collect()
}
