//! The figures.

use super::report::{clip_name, config};
use crate::experiment::FigureSpec;
use longlag_report::figure::{Axis, Curve, Figure, HeatMap, Ink, LineChart};
use longlag_report::{LookupError, Number, Report, Value};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "cliffs-surface", draw: surface },
    FigureSpec { name: "cliffs-gradient", draw: gradient },
    FigureSpec { name: "cliffs-map", draw: map },
    FigureSpec { name: "cliffs-shares", draw: shares },
];

fn number(value: &Value) -> f64 {
    value.as_number().map_or(f64::NAN, Number::to_f64)
}

/// The places of the surface with one column of its table.
fn cells(
    report: &Report,
    column: usize,
) -> Result<Vec<(f64, f64, f64)>, LookupError> {
    let rows = report.find_table("surface")?.rows().iter();
    let cell = |row: &Vec<Value>| {
        (number(&row[0]), number(&row[1]), number(&row[column]))
    };
    Ok(rows.map(cell).collect())
}

fn sides() -> [Axis; 2] {
    [Axis::linear("Weight *w*"), Axis::linear("Bias *b*")]
}

fn surface(report: &Report) -> Result<Figure, LookupError> {
    let [w, b] = sides();
    let mut chart = HeatMap::new(
        "Error of a network of one unit after 50 steps against its weight and bias, with a cliff, and two ways of \
         gradient descent on it: one is thrown off the cliff, the clipped one follows it down to the valley.",
        w,
        b,
        Axis::linear("Error"),
    )
    .cells(cells(report, 2)?);
    for (name, series) in
        [("as it is", "way_unclipped"), ("clipped", "way_clipped")]
    {
        let points = report.find_series(series)?.points();
        chart = chart.curve(Curve::new(name, points).ink(Ink::Text));
    }
    Ok(chart.figure())
}

fn gradient(report: &Report) -> Result<Figure, LookupError> {
    let [w, b] = sides();
    let chart = HeatMap::new(
        "Norm of the gradient of that error, in powers of ten: largest along the cliff, and next to nothing on the \
         plateaus beside it.",
        w,
        b,
        Axis::linear("log_{10} of the largest gradient"),
    )
    .diverging(0.0)
    .cells(cells(report, 3)?);
    Ok(chart.figure())
}

fn map(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let clips: Vec<String> =
        config.clips.iter().map(|&clip| clip_name(clip)).collect();
    let rates: Vec<String> = config.rates.iter().map(f64::to_string).collect();
    let mut chart = HeatMap::new(
        "Share of networks that learn the temporal order of two symbols by plain gradient descent, against learning \
         rate and clipping, for five starts.",
        Axis::names("Learning rate", rates),
        Axis::names("", clips),
        Axis::linear("Networks that solve the task").percent().range(0.0, 1.0),
    )
    .numbers(0)
    .columns(2);
    let rows = report.find_table("map")?.rows();
    for start in config.starts() {
        chart = chart.panel(start.title);
        let of = rows.iter().filter(|r| r[0].to_string() == start.name);
        let columns = config.rates.len();
        let cell = |(i, row): (usize, &Vec<Value>)| {
            ((i % columns) as f64, (i / columns) as f64, number(&row[3]))
        };
        chart = chart.cells(of.enumerate().map(cell));
    }
    Ok(chart.figure())
}

fn shares(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let hidden = config.widths[0];
    let mut chart = LineChart::new(
        "Norm shares by lag of the mean gradient of many batches, as they are and with each batch clipped, of plain \
         networks from a start whose gradient explodes and from the usual one, untrained and trained.",
        Axis::linear("Lag"),
        Axis::linear("Share of the mean gradient").percent(),
    )
    .columns(2);
    for (start, named) in [("high", "explodes"), ("usual", "usual start")] {
        for when in ["start", "trained"] {
            let panel = match when {
                "start" => format!("{named}, untrained"),
                _ => format!("{named}, trained"),
            };
            chart = chart.panel(panel);
            for (name, ink) in [("whole", Ink::Orange), ("clipped", Ink::Blue)]
            {
                let key = format!("shares_h{hidden}_{start}_{when}_{name}");
                let series = report.find_series(&key)?;
                let shown = match name {
                    "whole" => "as it is",
                    _ => "clipped",
                };
                chart = chart.curve(Curve::of(shown, series).ink(ink));
            }
        }
    }
    Ok(chart.figure())
}
