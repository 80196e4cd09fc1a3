//! The figures.

use super::Gate;
use super::claims::{conditions, config};
use super::report::closed_key;
use crate::experiment::FigureSpec;
use crate::protocol::SHARE_MARGIN;
use longlag_probe::statistics::median;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "gates-one-by-one-paths", draw: paths },
    FigureSpec { name: "gates-one-by-one-shares", draw: shares },
    FigureSpec { name: "gates-one-by-one-means", draw: means },
];

fn paths(report: &Report) -> Result<Figure, LookupError> {
    let size = || Axis::linear("log_{10} of ‖∂*c*_{*t*}/∂*c*_{*k*}‖");
    let mut chart = LineChart::new(
        "Size of the derivative of the cell state by an earlier one against the lag, at the start and trained. Above, \
         as it is, and with the input gate or the output gate closed in the derivative: all of the same order. Below, \
         with the forget gate closed: it falls by many decades.",
        Axis::linear("Lag *t* − *k*"),
        size(),
    )
    .columns(2);
    let conditions = conditions(&config(report));
    let widths = conditions.len() / 2;
    let first = || conditions.iter().step_by(widths);
    let draw = |mut chart: LineChart, key: &str, closed: &[Option<Gate>]| {
        for &closed in closed {
            let of = closed_key(closed);
            let series = report.find_series(&format!("lags_{key}_{of}"))?;
            let (name, ink) = match closed {
                None => ("all".into(), Ink::Text),
                Some(gate) => (format!("*{of}* = 0"), ink(gate)),
            };
            chart = chart.curve(Curve::of(name, series).ink(ink));
        }
        Ok(chart)
    };
    for (key, title) in first() {
        let closed = [None, Some(Gate::Input), Some(Gate::Output)];
        chart = draw(chart.panel(title), key, &closed)?;
    }
    chart = chart.below(size());
    for (key, title) in first() {
        let forget = Some(Gate::Forget);
        chart = draw(chart.panel(title), key, &[None, forget])?;
    }
    Ok(chart.figure())
}

fn ink(gate: Gate) -> Ink {
    [Ink::Blue, Ink::Orange, Ink::Green][gate as usize]
}

/// A row with a dot for each seed.
fn row(
    report: &Report,
    name: &str,
    series: &str,
    ink: Ink,
) -> Result<DotRow, LookupError> {
    let values = report.find_series(series)?.y();
    let middle = median(&values);
    Ok(DotRow::new(name).dots(Marker::Disc, values).median(middle).ink(ink))
}

fn shares(report: &Report) -> Result<Figure, LookupError> {
    let margin = SHARE_MARGIN.within().high;
    let mut chart = DotChart::new(
        "What remains of the derivative of the state by the input with the input gate closed, and of that by the state \
         before with the forget gate closed, of each network at the start and trained.",
        Axis::linear("Share that remains")
            .percent()
            .ticks([0.0, 0.25, 0.5, 0.75]),
    )
    .reference("margin", margin);
    for (what, title) in [
        ("share", "By the input, *i* = 0"),
        ("one_step", "By the state before, *f* = 0"),
    ] {
        chart = chart.group(title);
        for (key, name) in conditions(&config(report)) {
            let series = format!("{what}_{key}");
            chart = chart.row(row(report, &name, &series, Ink::Blue)?);
        }
    }
    Ok(chart.figure())
}

fn means(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = DotChart::new(
        "How many times as large the error becomes if a gate of a trained network is held at its own means, of each \
         network.",
        Axis::log("Error, times as large"),
    );
    let trained = conditions(&config(report));
    let trained = trained.iter().filter(|(key, _)| key.ends_with("trained"));
    for (key, title) in trained {
        chart = chart.group(title);
        for gate in Gate::ALL {
            let letter = gate.letter();
            let series = format!("times_{letter}_{key}");
            let name = format!("*{letter}*");
            chart = chart.row(row(report, &name, &series, ink(gate))?);
        }
    }
    Ok(chart.figure())
}
