//! The figures.

use super::Contender;
use super::claims::config;
use crate::experiment::FigureSpec;
use crate::protocol::{CONFIDENCE, KaplanMeier, clopper_pearson};
use crate::summary::key_of;
use crate::trials::{Tried, tried};
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker, ink_of,
};
use longlag_report::{LookupError, Number, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "long-lag-race-success", draw: success },
    FigureSpec { name: "long-lag-race-times", draw: times },
    FigureSpec { name: "long-lag-race-relatives", draw: relatives },
];

/// A contender's trainings on the adding problem.
fn at(
    report: &Report,
    of: &Contender,
    steps: usize,
) -> Result<Vec<Tried>, LookupError> {
    tried(report, &key_of(&format!("{}, adding {steps}", of.name)))
}

fn fact(report: &Report, name: &str) -> Result<f64, LookupError> {
    let value = report.value(&format!("facts.{name}"))?;
    Ok(value.as_number().map_or(f64::NAN, Number::to_f64))
}

/// A remedied start is dashed beside the plain one of the same cell.
fn curve(of: &Contender, points: Vec<(f64, f64)>) -> Curve {
    let curve = Curve::new(&*of.name, points).ink(ink_of(match &*of.name {
        "IRNN" => "ReLU RNN",
        name => name,
    }));
    if of.name.contains(',') { curve.dashed() } else { curve }
}

fn success(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let x = Axis::log("Length *T*")
        .ticks(config.lengths.iter().map(|&t| t as f64).collect::<Vec<_>>());
    let mut chart = LineChart::new(
        "Share of trainings that solve the adding problem against its length, for each contender; below the median \
         share of sequences that they answer rightly in the end, with the shares of a constant answer, of an answer \
         from one of the two numbers and of a network with frozen recurrent weights.",
        x,
        Axis::linear("Trainings that solve the adding problem")
            .range(0.0, 1.0)
            .percent(),
    );
    for of in &config.contenders {
        let mut points = vec![];
        for &steps in &config.lengths {
            let tried = at(report, of, steps)?;
            let solved = tried.iter().filter(|t| t.solved).count();
            points.push((steps as f64, solved as f64 / tried.len() as f64));
        }
        chart = chart.curve(curve(of, points).marked(Marker::Disc));
    }
    chart = chart
        .below(Axis::linear("Sequences answered rightly in the end").percent())
        .reference(
            "one of the two numbers",
            fact(report, "baseline_one_marker")?,
        )
        .reference("constant", fact(report, "baseline_constant")?);
    for of in &config.contenders {
        let series =
            report.find_series(&format!("right_{}", key_of(&of.name)))?;
        chart = chart.curve(curve(of, series.points()).marked(Marker::Disc));
    }
    let frozen = report.find_series(&format!(
        "frozen_{}",
        key_of(&config.contenders[0].name)
    ))?;
    let frozen = Curve::new("RNN, frozen", frozen.points()).ink(Ink::Muted);
    Ok(chart.curve(frozen.marked(Marker::Ring)).figure())
}

fn times(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let most = config.budget.updates as f64;
    let mut chart = LineChart::new(
        "Kaplan-Meier curves: the share of trainings that has not solved the adding problem against updates, for each \
         contender at each length.",
        Axis::linear("Updates").range(0.0, most),
        Axis::linear("Not solved yet").range(0.0, 1.0).percent(),
    )
    .columns(1);
    for &steps in &config.lengths {
        chart = chart.panel(format!("*T* = {steps}"));
        for of in &config.contenders {
            let tried = at(report, of, steps)?;
            let times: Vec<_> = tried.iter().map(Tried::solve_time).collect();
            let mut points = vec![(0.0, 1.0)];
            for (cost, share) in KaplanMeier::of(&times).steps {
                points.push((cost, points[points.len() - 1].1));
                points.push((cost, share));
            }
            points.push((most, points[points.len() - 1].1));
            chart = chart.curve(curve(of, points));
        }
    }
    Ok(chart.figure())
}

fn relatives(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let steps = config.decisive;
    let mut chart = DotChart::new(
        "Share of trainings that solve the adding problem at one length, with its interval, of networks with gates, \
         of those that add without gates, and of plain networks.",
        Axis::linear("Trainings that solve the adding problem")
            .range(0.0, 1.0)
            .percent(),
    );
    for (title, all) in
        [("contenders", &config.contenders), ("relatives", &config.relatives)]
    {
        chart = chart.group(title);
        for of in all {
            let tried = at(report, of, steps)?;
            let solved = tried.iter().filter(|t| t.solved).count();
            let n = tried.len();
            let interval = clopper_pearson(solved, n, CONFIDENCE);
            let row = DotRow::new(&*of.name)
                .dots(Marker::Disc, [solved as f64 / n as f64])
                .interval(interval.low, interval.high)
                .note(format!("{solved} of {n}"))
                .ink(Ink::Blue);
            chart = chart.row(row);
        }
    }
    Ok(chart.figure())
}
