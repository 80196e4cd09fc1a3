//! The figures.

use super::WAYS;
use crate::experiment::FigureSpec;
use longlag_report::figure::{Axis, Curve, Figure, Ink, LineChart, Marker};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "not-vanishing-is-not-enough-rates", draw: rates },
    FigureSpec { name: "not-vanishing-is-not-enough-sweep", draw: sweep },
];

const TICKS: [f64; 3] = [10.0, 100.0, 1000.0];

fn rates(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Learning rates at which most units learn their teacher's memory, against that memory, for four ways to learn \
         it. For the plain unit by gradient descent they fall by three powers of ten for each of the memory, for the \
         exponential one they don't fall.",
        Axis::log("Memory to be learnt, in steps").ticks(TICKS),
        Axis::log("Learning rate"),
    )
    .columns(2);
    let inks = [Ink::Orange, Ink::Green, Ink::Purple, Ink::Blue];
    let names = ["Plain", "Plain, by Adam", "Normalised", "Exponential"];
    let table = report.find_table("trained")?;
    let columns = ["memory", "own rate", "lowest", "highest"]
        .map(|column| table.numbers(column));
    for ((way, ink), name) in WAYS.iter().zip(inks).zip(names) {
        let rows = table.rows().iter().enumerate();
        let rows: Vec<usize> = rows
            .filter(|(_, row)| row[0].to_string() == way.key)
            .map(|(i, _)| i)
            .filter(|&i| columns[2][i].is_finite())
            .collect();
        let of = |k: usize| -> Vec<f64> {
            rows.iter().map(|&i| columns[k][i]).collect()
        };
        let points = of(0).into_iter().zip(of(1));
        let curve = Curve::new("", points).band(of(2), of(3)).ink(ink);
        chart = chart.panel(name).curve(curve.marked(Marker::Disc));
    }
    Ok(chart.figure())
}

fn sweep(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Mean square of the output's derivative by what is trained, against the memory: for the plain unit it grows with \
         the third power, with normalised input with the second, for the exponential unit it stays. Over too few steps \
         the growth is not seen.",
        Axis::log("Memory 1/(1 − *λ*), in steps").ticks(TICKS),
        Axis::log("Mean square of the derivative"),
    );
    for (key, name, ink) in [
        ("plain", "plain", Ink::Orange),
        ("short", "too few steps", Ink::Muted),
        ("normalised", "normalised", Ink::Purple),
        ("exponential", "exponential", Ink::Blue),
    ] {
        let law = report.find_series(&format!("law_{key}"))?;
        chart = chart.curve(Curve::new("", law.points()).ink(ink).dashed());
        let series = report.find_series(&format!("sweep_{key}"))?;
        let curve = Curve::new(name, series.points()).ink(ink);
        chart = chart.curve(curve.marked(Marker::Disc));
    }
    Ok(chart.figure())
}
