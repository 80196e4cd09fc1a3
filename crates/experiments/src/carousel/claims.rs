//! The claims, each with the rule that it is judged by.

use super::{Config, USUAL, training_key};
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, SEEDS_OF_MEASUREMENTS,
};
use longlag_report::{LookupError, Report, Value};

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A3",
        "The LSTM avoids the vanishing gradient by its gates.",
        "growth of ∂c_T/∂c_k by all paths, 0 if it grows, forget bias 1 and gain 1/√3, at the start and trained",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let lost = |_: f64, total: f64| total.min(0.0);
            contrasts(report, lost)
        },
    ),
    Claim::measured(
        "A3, mitigates",
        "The LSTM's gates keep more of the gradient than a plain network has.",
        "growth of ∂c_T/∂c_k of the LSTM by all paths less that of ∂h_T/∂h_k of the tanh RNN, equal gain, at the \
         start",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let at = |&hidden: &usize| {
                let of = |what: &str| {
                    let name = format!("usual_{what}_h{hidden}");
                    Ok(report.find_series(&name)?.y())
                };
                let pairs = of("total")?.into_iter().zip(of("rnn")?);
                let more = pairs.map(|(lstm, rnn)| lstm - rnn);
                let condition = format!("H = {hidden}, start");
                Ok(Contrast::of_differences(condition, more))
            };
            config(report).widths.iter().map(at).collect()
        },
    ),
    Claim::measured(
        "B1",
        "The gradient along the cell state is the product of the forget gates.",
        "growth of ∂c_T/∂c_k by all paths less that by the direct path, forget bias 1 and gain 1/√3, at the start \
         and trained",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| contrasts(report, |direct, total| total - direct),
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// Of the growth by the direct path and by all, at the start and trained, at each width.
fn contrasts(
    report: &Report,
    of: fn(f64, f64) -> f64,
) -> Result<Vec<Contrast>, LookupError> {
    let widths = config(report).widths;
    let trained = report.find_table("trained")?;
    let mut all = vec![];
    for &hidden in &widths {
        let series = |what: &str| {
            Ok(report.find_series(&format!("usual_{what}_h{hidden}"))?.y())
        };
        let pairs = series("direct")?.into_iter().zip(series("total")?);
        let values = pairs.map(|(direct, total)| of(direct, total));
        let condition = format!("H = {hidden}, start");
        all.push(Contrast::of_differences(condition, values));
    }
    for &hidden in &widths {
        let key = training_key(hidden, USUAL);
        let numbers = |row: &&Vec<Value>| {
            let [direct, total] = [7, 8].map(|column: usize| {
                let number = row[column].as_number();
                number.expect("a rate").to_f64()
            });
            of(direct, total)
        };
        let rows = trained.rows().iter();
        let rows = rows.filter(|row| row[0].to_string() == key);
        let values: Vec<f64> =
            rows.collect::<Vec<_>>().iter().map(numbers).collect();
        let condition = format!("H = {hidden}, trained");
        all.push(Contrast::of_differences(condition, values));
    }
    Ok(all)
}
