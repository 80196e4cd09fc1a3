//! The figures.

use super::claims::config;
use super::{BEST, DEFAULT, NamedStart, trial_name};
use crate::experiment::FigureSpec;
use crate::summary::key_of;
use longlag_cells::Cell;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report, Value};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "initialisation-collapse", draw: collapse },
    FigureSpec { name: "initialisation-survives", draw: survives },
    FigureSpec { name: "initialisation-looks", draw: looks },
];

/// The kinds of networks, as figures have them.
const KINDS: [(&str, Cell, Ink, Marker); 4] = [
    ("tanh RNN", Cell::RnnTanh, Ink::Orange, Marker::Disc),
    ("ReLU RNN", Cell::RnnRelu, Ink::Purple, Marker::Square),
    ("LSTM", Cell::Lstm, Ink::Blue, Marker::Diamond),
    ("GRU", Cell::Gru, Ink::Green, Marker::Triangle),
];

fn number(value: &Value) -> f64 {
    value.as_number().map_or(f64::NAN, |n| n.to_f64())
}

/// A start's name without its cell.
fn short(start: &NamedStart) -> &str {
    start.name.split_once(", ").map_or(&start.name, |(_, name)| name)
}

fn collapse(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let rows = report.find_table("collapse")?.rows();
    let mut chart = LineChart::new(
        "Share of networks that solve the task against the decades that a gradient gains over the whole sequence before \
         training, for all cells, starts and lengths. Near zero nearly all solve it, far to the left none.",
        Axis::linear("Decades that a gradient gains over the sequence, before training"),
        Axis::linear("Networks that solve the task").percent().range(0.0, 1.0),
    )
    .vertical("keeps its size", 0.0);
    let lengths = config.lengths.len();
    let of_cell = |cell: Cell| {
        let starts = config.starts.iter().zip(rows.chunks(lengths));
        starts.filter(move |(start, _)| start.cell == cell)
    };
    let point = |row: &Vec<Value>| (number(&row[4]), number(&row[5]));
    let seen = |point: &(f64, f64)| point.0.is_finite();
    for (_, cell, ink, _) in KINDS {
        for (start, rows) in of_cell(cell) {
            let way: Vec<_> = rows.iter().map(point).filter(seen).collect();
            chart = chart.curve(Curve::new(&*start.name, way).faint().ink(ink));
        }
    }
    for (name, cell, ink, marker) in KINDS {
        let points: Vec<_> = of_cell(cell)
            .flat_map(|(_, rows)| rows.iter().map(point))
            .filter(seen)
            .collect();
        if !points.is_empty() {
            let curve = Curve::new(name, points).scattered(marker).ink(ink);
            chart = chart.curve(curve);
        }
    }
    Ok(chart.figure())
}

fn survives(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let rows = report.find_table("starts")?.rows();
    let steps = config.judged;
    let mut chart = DotChart::new(
        "Growth of a gradient before and after training, medians over networks, for each start, with how many networks \
         solve the task. Starts lie many decades apart, and after training they lie nearer to zero.",
        Axis::linear(format!("Decades per 100 steps, *T* = {steps}")),
    )
    .legend(Marker::Ring, "start")
    .legend(Marker::Disc, "end")
    .reference("keeps its size", 0.0);
    let judged = config.lengths.iter().position(|t| *t == steps);
    let judged = judged.expect("the config was checked");
    for (name, cell, ink, _) in KINDS {
        chart = chart.group(name);
        let of = config.starts.iter().zip(rows);
        for (start, row) in of.filter(|(start, _)| start.cell == cell) {
            let [from, to] = [2, 3].map(|column: usize| number(&row[column]));
            let solved = number(&row[4 + judged]);
            let row = DotRow::new(short(start))
                .interval(from.min(to), from.max(to))
                .dots(Marker::Ring, [from])
                .dots(Marker::Disc, [to])
                .note(format!("{solved} of {}", config.seeds))
                .ink(ink);
            chart = chart.row(row);
        }
    }
    Ok(chart.figure())
}

/// Whose ways through training are drawn.
const SHOWN: [(&str, Ink); 5] = [
    (DEFAULT, Ink::Orange),
    (BEST, Ink::Text),
    ("RNN, Gaussian 2", Ink::Purple),
    ("LSTM, forget 1", Ink::Blue),
    ("GRU, PyTorch's", Ink::Green),
];

fn looks(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let rows = report.find_table("looks")?.rows();
    let mut chart = LineChart::new(
        "Growth of a gradient against updates, medians over networks with their intervals, from five starts.",
        Axis::linear("Updates"),
        Axis::linear(format!("Decades per 100 steps, *T* = {}", config.judged)),
    );
    for (start, ink) in SHOWN {
        let key = key_of(&trial_name(start, config.widths[0], config.judged));
        let of = rows.iter().filter(|row| row[0].to_string() == key);
        let of: Vec<Vec<f64>> =
            of.map(|row| row[1..].iter().map(number).collect()).collect();
        let column = |k: usize| of.iter().map(|row| row[k]).collect::<Vec<_>>();
        let points = of.iter().map(|row| (row[0], row[1]));
        let curve = Curve::new(start, points).band(column(2), column(3));
        chart = chart.curve(curve.ink(ink));
    }
    Ok(chart.figure())
}
