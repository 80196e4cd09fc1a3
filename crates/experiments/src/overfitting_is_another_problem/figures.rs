//! The figures.

use super::report::{config, kept};
use crate::experiment::FigureSpec;
use longlag_report::figure::{Axis, Curve, Figure, Ink, LineChart, Marker};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "overfitting-losses", draw: losses },
    FigureSpec { name: "overfitting-memory", draw: memory },
];

fn losses(report: &Report) -> Result<Figure, LookupError> {
    let steps = config(report).lengths[0];
    let mut chart = LineChart::new(
        "Loss on new sequences and on the few that are learnt from, against updates, without a cure, with weight decay \
         and with two kinds of dropout.",
        Axis::linear("Updates"),
        Axis::log("Mean squared error"),
    )
    .columns(2);
    let panels = [
        ("none", "No cure"),
        ("weight_decay", "Weight decay"),
        ("sequence", "Dropout of *h*"),
        ("cell", "Dropout of *c*"),
    ];
    for (cure, title) in panels {
        chart = chart.panel(title);
        for (what, ink) in [("learnt", Ink::Orange), ("test", Ink::Blue)] {
            let key = format!("loss_t{steps}_few_{cure}_{what}");
            let name = if what == "test" { "new" } else { "learnt" };
            let curve = Curve::of(name, report.find_series(&key)?).ink(ink);
            chart = chart.curve(curve);
        }
    }
    Ok(chart.figure())
}

fn memory(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let mut chart = LineChart::new(
        "Share of bits that a memory has left against the number of steps, with dropout of the candidate and with \
         dropout of the state c at two probabilities; the law of the product dashed.",
        Axis::linear("Steps"),
        Axis::linear("Bits left").percent().range(0.0, 1.02),
    );
    let series = report.find_series("memory_candidate_left")?;
    let curve = Curve::of("candidate", series).ink(Ink::Blue);
    chart = chart.curve(curve.marked(Marker::Disc));
    let last = config.spans[config.spans.len() - 1];
    for (i, p) in config.leaks.iter().enumerate() {
        let series = report.find_series(&format!("memory_cell_{i}_left"))?;
        let curve = Curve::of(format!("*c*, {p}"), series).ink(Ink::Orange);
        chart = chart.curve(curve.marked(Marker::Disc));
        let law = (0..=last).step_by(5).map(|t| (t as f64, kept(*p, t)));
        let law: Vec<_> = law.collect();
        chart = chart.curve(Curve::new("", law).ink(Ink::Text).dashed());
    }
    Ok(chart.figure())
}
