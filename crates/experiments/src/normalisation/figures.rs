//! The figures.

use super::claims::config;
use super::{Config, Input};
use crate::experiment::FigureSpec;
use crate::summary::key_of;
use crate::trials::tried;
use longlag_probe::statistics::median;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, HeatMap, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "normalisation-gains", draw: gains },
    FigureSpec { name: "normalisation-map", draw: map },
    FigureSpec { name: "normalisation-eps", draw: eps },
    FigureSpec { name: "normalisation-trained", draw: trained },
];

const TICKS: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

fn gains(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Growth of a gradient in untrained LSTMs against the gain of both normalised sums, for three inputs: with batch \
         normalisation, with layer normalisation, and without either.",
        Axis::log("Gain γ_{*h*} = γ_{*x*}").ticks(TICKS),
        Axis::linear("Decades per 100 steps"),
    )
    .columns(2);
    for input in Input::ALL {
        chart = chart.panel(input.title());
        let key = input.key();
        let series =
            |name: &str| report.find_series(&format!("{name}_lstm_{key}"));
        chart = chart
            .curve(Curve::of("batch", series("batch")?).ink(Ink::Blue))
            .curve(Curve::of("layer", series("layer")?).ink(Ink::Green))
            .curve(
                Curve::new("none", series("none")?.points())
                    .ink(Ink::Muted)
                    .dashed(),
            );
    }
    Ok(chart.figure())
}

fn map(report: &Report) -> Result<Figure, LookupError> {
    let map = report.find_table("map")?;
    let mut chart = HeatMap::new(
        "Growth of a gradient in untrained batch-normalised networks against both gains, for RNN and LSTM and three \
         inputs.",
        Axis::log("Gain of the input γ_{*x*}").ticks(TICKS),
        Axis::log("Gain of the state γ_{*h*}").ticks(TICKS),
        Axis::linear("Decades per 100 steps"),
    )
    .diverging(0.0)
    .columns(2);
    for input in Input::ALL {
        for (cell, title) in [("rnn", "RNN"), ("lstm", "LSTM")] {
            let rows = map.rows().iter().filter(|row| {
                row[0].to_string() == cell && row[1].to_string() == input.key()
            });
            let number = |value: &longlag_report::Value| {
                value.as_number().map_or(f64::NAN, |n| n.to_f64())
            };
            let cells = rows
                .map(|row| (number(&row[3]), number(&row[2]), number(&row[4])));
            chart = chart
                .panel(format!("{title}, {}", input.title().to_lowercase()))
                .cells(cells.collect::<Vec<_>>());
        }
    }
    Ok(chart.contour("keeps its size", 0.0).figure())
}

fn eps(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Growth of a gradient in untrained batch-normalised LSTMs on white noise against the gain, for several eps.",
        Axis::log("Gain γ_{*h*} = γ_{*x*}").ticks(TICKS),
        Axis::linear("Decades per 100 steps"),
    );
    let inks = [Ink::Blue, Ink::Orange, Ink::Green, Ink::Purple];
    for (i, eps) in config(report).eps.iter().enumerate() {
        let series = report.find_series(&format!("eps_{eps:e}"))?;
        let curve = Curve::of(format!("ε = {eps:e}"), series);
        chart = chart.curve(curve.ink(inks[i % inks.len()]));
    }
    Ok(chart.figure())
}

fn trained(report: &Report) -> Result<Figure, LookupError> {
    let Config { learners, budget, .. } = config(report);
    let mut chart = DotChart::new(
        "Updates until temporal order is solved, of each network, with batch normalisation, layer normalisation or none.",
        Axis::linear("Updates until solved")
            .infinity(format!("> {}", budget.updates)),
    );
    for learner in &learners {
        let of = tried(report, &key_of(&learner.name))?;
        let time = |t: &crate::trials::Tried| {
            if t.solved { t.updates as f64 } else { f64::INFINITY }
        };
        let times: Vec<f64> = of.iter().map(time).collect();
        let solved = of.iter().filter(|t| t.solved).count();
        let row = DotRow::new(&*learner.name)
            .dots(Marker::Ring, times.iter().copied())
            .median(median(&times))
            .note(format!("{solved} of {}", of.len()));
        chart = chart.row(row);
    }
    Ok(chart.figure())
}
