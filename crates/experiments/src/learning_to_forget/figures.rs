//! The figures.

use super::{Config, signal_of_white_drive};
use crate::summary::key_of;
use longlag_numerics::Real;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, HeatMap, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// The points of a curve that falls with x, up to where the straight line to
/// the first one below `least` crosses it, on a logarithmic axis of x.
fn cut_off(
    points: impl Iterator<Item = (f64, f64)>,
    least: f64,
) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(below) = points.iter().position(|point| point.1 < least) else {
        return points;
    };
    if let Some(before) = below.checked_sub(1) {
        let [(x, y), (x_below, y_below)] = [points[before], points[below]];
        let part = (least - y) / (y_below - y);
        let log_x = Real::ln(x) + part * (Real::ln(x_below) - Real::ln(x));
        points[below] = (Real::exp(log_x), least);
        points.truncate(below + 1);
    } else {
        points.clear();
    }
    points
}

/// The gate held: what is left of the gradient, and what the gate gets.
pub(super) fn held(report: &Report) -> Result<Figure, LookupError> {
    /// Decades, the end of the axis: curves are cut off there.
    const LEAST: f64 = -40.0;
    let config = config(report);
    let mut shown = vec![config.steps[0]];
    shown.extend(config.steps.iter().copied().filter(|t| *t == 100));
    shown.extend(config.steps.last().copied());
    shown.dedup();
    let table = report.find_table("held")?;
    let kinds: Vec<_> =
        config.kinds().into_iter().filter(|k| k.coupled).collect();
    let network = kinds.last().map(|k| k.key()).unwrap_or_default();
    let (gates, steps) = (table.numbers("f"), table.numbers("steps"));
    let rows = |t: usize| -> Vec<usize> {
        let of = |&row: &usize| {
            steps[row] == t as f64
                && table.rows()[row][0].to_string() == network
        };
        (0..gates.len()).filter(of).collect()
    };
    let inks = [Ink::Green, Ink::Orange, Ink::Blue];
    let mut chart = LineChart::new(
        "Above, how much of the gradient along c is left after 10, 100 and 1000 steps, in powers of ten, against 1 - f: the \
         nearer f is to 1, the more. Below, the gradient that the gate's own bias gets: it rises as f comes near 1, \
         until 1 - f is about one over the number of steps, and then falls.",
        Axis::log("1 − *f*"),
        Axis::linear("log_{10} ‖∂*c*_{*T*}/∂*c*_{0}‖").range(LEAST, 5.0),
    );
    let decades = table.numbers("decades");
    for (&t, ink) in shown.iter().zip(inks) {
        let points =
            rows(t).into_iter().map(|row| (1.0 - gates[row], decades[row]));
        let points = cut_off(points, LEAST);
        let name = format!("*T* = {t}");
        chart = chart.curve(Curve::new(name, points).ink(ink));
    }
    chart = chart.below(Axis::log("‖∂*c*_{*T*}/∂*b*_{*f*}‖"));
    let column = |name: &str| table.numbers(name);
    let [signal, low, high] =
        ["signal", "signal_low", "signal_high"].map(column);
    for (&t, ink) in shown.iter().zip(inks) {
        let rows = rows(t);
        let of = |column: &[f64]| -> Vec<f64> {
            rows.iter().map(|&row| column[row]).collect()
        };
        let x = rows.iter().map(|&row| 1.0 - gates[row]);
        let curve = Curve::new(format!("*T* = {t}"), x.zip(of(&signal)))
            .band(of(&low), of(&high))
            .marked(Marker::Disc);
        chart = chart.curve(curve.ink(ink));
        let law =
            config.held.iter().map(|&f| (1.0 - f, signal_of_white_drive(f, t)));
        chart = chart.curve(Curve::new("", law).ink(ink).dashed().faint());
    }
    Ok(chart.figure())
}

/// How far each network gets.
pub(super) fn predicted(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let all = config.test_letters as f64;
    let mut chart = DotChart::new(
        "Letters until the first mistake in fresh streams after training, one dot for each seed, for networks with a forget \
         gate, without one, and without one but reset from outside. At the right, how many make none.",
        Axis::log("Letters until the first mistake").infinity(format!(
            "> {}",
            longlag_report::format::format_integer(all as i128)
        )),
    );
    for learner in &config.learners {
        let key = key_of(&learner.name);
        let right = report.find_series(&format!("right_{key}_seeds"))?.y();
        let solved = right.iter().filter(|r| **r >= all).count();
        let until = right
            .iter()
            .map(|&r| if r >= all { f64::INFINITY } else { r + 1.0 });
        let ink = match (learner.forget_gate, learner.reset) {
            (true, _) => Ink::Blue,
            (false, true) => Ink::Green,
            (false, false) => Ink::Orange,
        };
        let row = DotRow::new(&learner.name)
            .dots(Marker::Disc, until)
            .note(format!("{solved} of {}", right.len()))
            .ink(ink);
        chart = chart.row(row);
    }
    Ok(chart.figure())
}

/// |c| along the stream, and how steep its reading is.
pub(super) fn cell_state(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let mut chart = LineChart::new(
        "Above, the largest |c| so far along a stream, after training: without a forget gate it grows in proportion to the \
         letters; with one, or with resets, it stays at some tens. Below, the median of tanh'(c): without a forget gate it \
         falls to zero within some hundred letters.",
        Axis::log("Letters of the stream"),
        Axis::log("Largest |*c*| so far"),
    )
    .reference("bound of tanh", 1.0);
    let learners: Vec<_> = config
        .learners
        .iter()
        .filter(|l| l.hidden == config.learners[0].hidden)
        .collect();
    let inks = [Ink::Blue, Ink::Orange, Ink::Green, Ink::Purple];
    for (learner, ink) in learners.iter().zip(inks) {
        let key = key_of(&learner.name);
        let series = report.find_series(&format!("{key}_largest"))?;
        chart = chart.curve(Curve::of(&learner.name, series).ink(ink));
    }
    chart = chart.below(Axis::linear("Median of tanh′(*c*)").range(0.0, 1.0));
    for (learner, ink) in learners.iter().zip(inks) {
        let key = key_of(&learner.name);
        let series = report.find_series(&format!("{key}_slope"))?;
        chart = chart.curve(Curve::of(&learner.name, series).ink(ink));
    }
    Ok(chart.figure())
}

/// f of each unit along a stretch of the stream.
pub(super) fn gates(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let first = config.learners.iter().find(|l| l.forget_gate);
    let key = first.map(|l| key_of(&l.name)).unwrap_or_default();
    let table = report.find_table(&format!("gates_{key}"))?;
    let [at, unit, f] = ["at", "unit", "f"].map(|column| table.numbers(column));
    let letters = table.rows().iter().zip(&unit).filter(|(_, u)| **u == 1.0);
    let letters: Vec<String> =
        letters.map(|(row, _)| row[1].to_string()).collect();
    let cells = (0..f.len()).map(|row| (at[row] - 1.0, unit[row], f[row]));
    let chart = HeatMap::new(
        "The forget gate of each unit of one trained network along a stretch of the stream. At the letters where strings end \
         and begin some of the gates close.",
        Axis::names("The stream", letters),
        Axis::linear("Unit"),
        Axis::linear("*f*").range(0.0, 1.0),
    )
    .cells(cells);
    Ok(chart.figure())
}
