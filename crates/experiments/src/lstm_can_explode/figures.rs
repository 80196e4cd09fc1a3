//! The figures.

use super::Kind;
use super::claims::config;
use crate::experiment::FigureSpec;
use crate::trials::tried;
use longlag_probe::statistics::median;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "lstm-can-explode-sweep", draw: sweep },
    FigureSpec { name: "lstm-can-explode-trained", draw: trained },
    FigureSpec { name: "lstm-can-explode-norms", draw: norms },
];

fn sweep(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Growth of the derivative of the last state by an earlier one, untrained networks on noise, against the gain of \
         the recurrent weights: the plain network explodes from a gain of 2.5 on, the LSTM later and less, but it does.",
        Axis::log("Gain *g*").ticks([0.5, 1.0, 2.0, 4.0, 8.0]),
        Axis::linear("Decades per 100 steps"),
    )
    .columns(2)
    .reference("keeps its size", 0.0);
    for hidden in config(report).widths {
        chart = chart.panel(format!("H = {hidden}"));
        for kind in Kind::ALL {
            let name = format!("sweep_h{hidden}_{}", kind.key());
            let (label, ink) = match kind {
                Kind::Rnn => ("RNN".to_owned(), Ink::Orange),
                Kind::Lstm(1.0) => ("LSTM".to_owned(), Ink::Blue),
                Kind::Lstm(bias) => (format!("bias {bias}"), Ink::Green),
            };
            let series = report.find_series(&name)?;
            chart = chart.curve(Curve::of(label, series).ink(ink));
        }
    }
    Ok(chart.figure())
}

/// A chart with a group of rows for each gain that networks were trained from.
fn rows(
    report: &Report,
    mut chart: DotChart,
    row: impl Fn(DotRow, &str) -> Result<Option<DotRow>, LookupError>,
) -> Result<Figure, LookupError> {
    let config = config(report);
    for &gain in &config.trained_gains {
        chart = chart.group(format!("*g* = {gain}"));
        for method in &config.methods {
            let name = method.name(gain);
            let name = name.replace(&format!(" g = {gain},"), "");
            if let Some(row) = row(DotRow::new(name), &method.key(gain))? {
                chart = chart.row(row);
            }
        }
    }
    Ok(chart.figure())
}

fn trained(report: &Report) -> Result<Figure, LookupError> {
    let most = config(report).budget.updates;
    let chart = DotChart::new(
        "Updates until the task is solved, of LSTMs that start from large gains, by gradient descent and by Adam, with \
         clipping and without.",
        Axis::log("Updates until solved").infinity(format!("> {most}")),
    );
    rows(report, chart, |row, key| {
        if key.starts_with("rnn") {
            return Ok(None);
        }
        let of = tried(report, key)?;
        let updates = of
            .iter()
            .map(|t| if t.solved { t.updates as f64 } else { f64::INFINITY });
        let updates: Vec<f64> = updates.collect();
        let solved = of.iter().filter(|t| t.solved).count();
        let row = row.median(median(&updates)).dots(Marker::Disc, updates);
        Ok(Some(row.note(format!("{solved} of {}", of.len()))))
    })
}

fn norms(report: &Report) -> Result<Figure, LookupError> {
    let chart = DotChart::new(
        "The largest norm of a gradient before clipping in each training from a large gain.",
        Axis::log("Largest norm of the gradient"),
    );
    rows(report, chart, |row, key| {
        let norms = report.find_series(&format!("largest_{key}"))?.y();
        Ok(Some(row.median(median(&norms)).dots(Marker::Disc, norms)))
    })
}
