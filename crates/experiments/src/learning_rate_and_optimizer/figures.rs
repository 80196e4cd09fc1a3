//! The figures.

use super::report::config;
use super::{CELLS, OPTIMIZERS};
use crate::experiment::FigureSpec;
use longlag_report::figure::{Axis, Curve, Figure, HeatMap, Ink, LineChart};
use longlag_report::{LookupError, Number, Report, Value};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "optimizer-map", draw: map },
    FigureSpec { name: "optimizer-shares", draw: shares },
];

fn number(value: &Value) -> f64 {
    value.as_number().map_or(f64::NAN, Number::to_f64)
}

fn map(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    // Optimizers that divide have other rates: their number is what they share.
    let rates = (1..=config.rates.len()).map(|i| i.to_string());
    let mut chart = HeatMap::new(
        "Share of networks that solve the adding problem, against optimizer and learning rate, for a plain network and \
         an LSTM at two lengths.",
        Axis::names("Learning rate, from small to large", rates),
        Axis::names("", OPTIMIZERS.map(|(name, _)| name)),
        Axis::linear("Networks that solve the task").percent().range(0.0, 1.0),
    )
    .numbers(0)
    .columns(2);
    let rows = report.find_table("map")?.rows();
    for (cell, _) in CELLS {
        for steps in config.lengths {
            let name = cell.to_uppercase();
            chart = chart.panel(format!("{name}, *T* = {steps}"));
            let of = rows.iter().filter(|row| {
                row[0].to_string() == cell
                    && row[1].to_string() == steps.to_string()
            });
            let columns = config.rates.len();
            let at = |(i, row): (usize, &Vec<Value>)| {
                ((i % columns) as f64, (i / columns) as f64, number(&row[4]))
            };
            chart = chart.cells(of.enumerate().map(at));
        }
    }
    Ok(chart.figure())
}

fn shares(report: &Report) -> Result<Figure, LookupError> {
    let hidden = config(report).widths[0];
    let mut chart = LineChart::new(
        "Norm shares by lag of the last gradient of a short training and of the optimizer's step at that update, for \
         plain descent, momentum, RMSprop and Adam.",
        Axis::linear("Lag"),
        Axis::linear("Share").percent(),
    )
    .columns(2);
    let panels = [
        ("sgd", "SGD"),
        ("momentum", "momentum"),
        ("rmsprop", "RMSprop"),
        ("adam", "Adam"),
    ];
    for (name, title) in panels {
        chart = chart.panel(title);
        for (what, ink) in [("gradient", Ink::Orange), ("step", Ink::Blue)] {
            let key = format!("shares_h{hidden}_{name}_{what}");
            let series = report.find_series(&key)?;
            let curve = Curve::of(what, series).ink(ink);
            let curve = if what == "step" { curve.dashed() } else { curve };
            chart = chart.curve(curve);
        }
    }
    Ok(chart.figure())
}
