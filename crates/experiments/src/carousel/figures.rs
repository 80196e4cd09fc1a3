//! The figures.

use super::claims::config;
use super::{Config, DRAWN, ONCE, Place, training_key};
use crate::experiment::FigureSpec;
use longlag_report::figure::{Axis, Curve, Figure, HeatMap, Ink, LineChart};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "carousel-paths", draw: paths },
    FigureSpec { name: "carousel-detours", draw: detours },
    FigureSpec { name: "carousel-map", draw: map },
    FigureSpec { name: "carousel-ways", draw: ways },
];

/// Those whose paths are drawn lag by lag.
const SHOWN: [Place; 2] = [ONCE[2], ONCE[4]];

/// What the starts of trainings are called, in their order.
const LETTERS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

fn title(Place { bias, gain }: Place) -> String {
    format!("Forget bias {bias}, gain {gain}")
}

fn paths(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Size of the derivative of the cell state by an earlier one against the lag, untrained LSTMs on noise: by the \
         direct path, with at most 1, 2, 4, 8 and 16 detours, and by all paths. With forget bias 1 the direct path \
         falls far below all paths together.",
        Axis::linear("Lag"),
        Axis::linear("log_{10} of ‖∂*c*_{*T*}/∂*c*_{*k*}‖_{F}/√*H*"),
    )
    .columns(2);
    let detours = config(report).detours;
    for place in SHOWN {
        chart = chart.panel(title(place));
        let key = place.key();
        for d in DRAWN.into_iter().filter(|&d| d <= detours) {
            let series = report.find_series(&format!("lags_{key}_{d}"))?;
            chart = chart.curve(match d {
                0 => Curve::of("direct", series).ink(Ink::Orange),
                d => Curve::new(format!("≤ {d}"), series.points())
                    .ink(Ink::Muted),
            });
        }
        let series = report.find_series(&format!("lags_{key}_all"))?;
        chart = chart.curve(Curve::of("all", series).ink(Ink::Blue));
    }
    Ok(chart.figure())
}

fn detours(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "By how many decades the paths with at most so many detours fall short of all paths over 100 steps, at \
         several forget biases and gains.",
        Axis::linear("Detours at most"),
        Axis::linear("Decades from all paths, per 100 steps"),
    );
    for (place, ink) in [
        (ONCE[0], Ink::Muted),
        (ONCE[2], Ink::Blue),
        (ONCE[3], Ink::Orange),
        (ONCE[4], Ink::Green),
    ] {
        let series = report.find_series(&format!("detours_{}", place.key()))?;
        let name = format!("*b* = {}, *g* = {}", place.bias, place.gain);
        chart = chart.curve(Curve::of(name, series).ink(ink));
    }
    Ok(chart.figure())
}

fn map(report: &Report) -> Result<Figure, LookupError> {
    let Config { widths, starts, .. } = config(report);
    let map = report.find_table("map")?;
    let column = |name: &str| map.numbers(name);
    let places = column("bias").into_iter().zip(column("gain"));
    let cells = places.zip(column("total"));
    let mut chart = HeatMap::new(
        "Growth of the derivative of the cell state by an earlier one, by all paths, of untrained LSTMs on noise, \
         against forget bias and gain. It vanishes at small biases and gains, grows at large gains; a line divides \
         the two. Ways of networks in training begin on either side of it.",
        Axis::linear("Forget bias, or mean input of the forget gates"),
        Axis::log("Gain *g*").ticks([0.25, 0.5, 1.0, 2.0, 4.0, 8.0]),
        Axis::linear("Decades per 100 steps, all paths"),
    )
    .diverging(0.0)
    .cells(cells.map(|((bias, gain), total)| (bias, gain, total)))
    .contour("keeps its size", 0.0);
    for (i, &start) in starts.iter().enumerate() {
        let points = way(report, training_key(widths[0], start), |row| {
            (row[2], row[3])
        })?;
        let name = LETTERS[i % LETTERS.len()];
        chart = chart.curve(Curve::new(name, points).ink(Ink::Text));
    }
    Ok(chart.figure())
}

fn ways(report: &Report) -> Result<Figure, LookupError> {
    let Config { widths, starts, .. } = config(report);
    let mut chart = LineChart::new(
        "Growth of the derivative of the last cell state by the first against updates, along sequences of the task, by \
         all paths and by the direct path, for each start.",
        Axis::linear("Updates"),
        Axis::linear("Decades per 100 steps"),
    )
    .columns(2);
    for (&start, letter) in starts.iter().zip(LETTERS.iter().cycle()) {
        chart = chart.panel(format!("{letter}: {}", title(start)));
        let key = training_key(widths[0], start);
        for (name, column, ink) in
            [("direct", 4, Ink::Orange), ("all", 5, Ink::Blue)]
        {
            let points = way(report, key.clone(), |row| (row[1], row[column]))?;
            chart = chart.curve(Curve::new(name, points).ink(ink));
        }
    }
    Ok(chart.figure())
}

/// A training's rows in the table of ways, as points.
fn way(
    report: &Report,
    key: String,
    point: impl Fn(&[f64]) -> (f64, f64),
) -> Result<Vec<(f64, f64)>, LookupError> {
    let rows = report.find_table("ways")?.rows().iter();
    let rows = rows.filter(|row| row[0].to_string() == key);
    let number = |row: &Vec<longlag_report::Value>| -> Vec<f64> {
        let number =
            |v: &longlag_report::Value| v.as_number().map(|n| n.to_f64());
        row.iter().map(|v| number(v).unwrap_or(f64::NAN)).collect()
    };
    Ok(rows.map(|row| point(&number(row))).collect())
}
