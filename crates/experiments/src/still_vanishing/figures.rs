//! The figures.

use super::report::config;
use super::{Forget, RATE_STEPS, training_key};
use crate::experiment::FigureSpec;
use longlag_probe::statistics::median;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "still-vanishing-asked", draw: asked },
    FigureSpec { name: "still-vanishing-lags", draw: lags },
    FigureSpec { name: "still-vanishing-trained", draw: trained },
];

fn asked(report: &Report) -> Result<Figure, LookupError> {
    let series = |name: &str| report.find_series(name);
    let direct = series("asked_direct")?.points();
    let chart = LineChart::new(
        "Derivative of the cell state by the first one over 20 steps: twice the printed values lie on the median of \
         networks of our own by all paths, above the direct path.",
        Axis::linear("Step *t*").ticks([1.0, 5.0, 10.0, 15.0, 20.0]),
        Axis::log("∂*c*_{*t*}/∂*c*_{0}"),
    )
    .curve(Curve::of("all paths", series("asked_total")?).ink(Ink::Blue))
    .curve(Curve::new("direct", direct).ink(Ink::Orange).dashed())
    .curve(
        Curve::new("printed, doubled", series("asked_printed")?.points())
            .scattered(Marker::Disc)
            .ink(Ink::Text),
    );
    Ok(chart.figure())
}

/// What a start is called in figures.
fn name(forget: Forget) -> String {
    match forget {
        Forget::Bias(bias) => format!("bias {bias}"),
        Forget::Chrono => "chrono".into(),
    }
}

fn lags(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let hidden = config.widths[0];
    let mut chart = LineChart::new(
        "Size of the derivative of the cell state by an earlier one against the lag, untrained LSTMs reading the adding \
         problem, by the direct path and by all, for forget biases 0, 1, 3, 5 and chrono initialisation.",
        Axis::linear("Lag *t* − *k*"),
        Axis::linear("log_{10} of ‖∂*c*_{*t*}/∂*c*_{*k*}‖"),
    )
    .columns(2);
    let inks = [Ink::Orange, Ink::Purple, Ink::Blue, Ink::Green, Ink::Text];
    let length = config.lengths.iter().find(|&&t| t >= RATE_STEPS);
    let length = length.or(config.lengths.last()).expect("there is one");
    for (path, title) in [("direct", "Direct path"), ("total", "All paths")] {
        chart = chart.panel(title);
        for (i, &forget) in config.forget.iter().enumerate() {
            let mut key = format!("h{hidden}_{}", forget.key());
            if forget == Forget::Chrono {
                key = format!("{key}_{length}");
            }
            let series = report.find_series(&format!("lags_{key}_{path}"))?;
            let curve = Curve::of(name(forget), series);
            chart = chart.curve(curve.ink(inks[i % inks.len()]));
        }
    }
    Ok(chart.figure())
}

fn trained(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let hidden = config.widths[0];
    let steps = config.task.steps;
    let mut chart = DotChart::new(
        "Half-lives of the derivative of the cell state by the first one, by all paths, of each network, before and \
         after training on the adding problem, for each start of the forget gate.",
        Axis::log("Half-life by all paths, steps").ticks([1.0, 2.0, 5.0, 10.0, 20.0, 50.0]).infinity(format!("> {steps}")),
    )
    .legend(Marker::Disc, "solved")
    .legend(Marker::Ring, "not solved");
    let runs = report.find_table("trained")?;
    for &forget in &config.forget {
        let key = training_key((hidden, forget));
        chart = chart.group(name(forget));
        for (when, column) in [("start", 6), ("trained", 8)] {
            let rows = runs.rows().iter();
            let rows = rows.filter(|row| row[0].to_string() == key);
            let (mut solved, mut unsolved) = (vec![], vec![]);
            for row in rows {
                let half =
                    row[column].as_number().expect("a half-life").to_f64();
                if row[3].to_string() == "true" {
                    solved.push(half);
                } else {
                    unsolved.push(half);
                }
            }
            let all: Vec<f64> =
                solved.iter().chain(&unsolved).copied().collect();
            let note = match when {
                "trained" => format!("{} of {}", solved.len(), all.len()),
                _ => String::new(),
            };
            let row = DotRow::new(when)
                .dots(Marker::Disc, solved)
                .dots(Marker::Ring, unsolved)
                .median(median(&all))
                .note(note)
                .ink(Ink::Blue);
            chart = chart.row(row);
        }
    }
    Ok(chart.figure())
}
