//! The figures.

use super::BLOCKS;
use super::claims::config;
use crate::experiment::FigureSpec;
use crate::summary::key_of;
use longlag_report::figure::{Axis, Curve, Figure, Ink, LineChart, Marker};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "truncation-and-detaching-windows", draw: windows },
    FigureSpec { name: "truncation-and-detaching-cosines", draw: cosines },
];

fn windows(report: &Report) -> Result<Figure, LookupError> {
    let config = config(report);
    let ticks = config.windows.iter().chain([&config.task.longest]);
    let ticks: Vec<f64> = ticks.map(|&w| w as f64).collect();
    let mut chart = LineChart::new(
        "Share of networks that learn one lag against the length of the window that the gradient goes back, \
         with the state carried from window to window and without, for two starts of the forget gates.",
        Axis::log("Window, in steps").ticks(ticks),
        Axis::linear("Networks that learn it").percent().range(0.0, 1.0),
    )
    .columns(2);
    for (kind, title) in
        [("chrono", "Chrono initialisation"), ("usual", "Forget bias 1")]
    {
        chart = chart.panel(title);
        for (i, hidden) in config.widths.iter().enumerate() {
            for (by, ink) in [("carried", Ink::Blue), ("fresh", Ink::Orange)] {
                let name = format!("windows_h{hidden}_{kind}_{by}");
                let series = report.find_series(&name)?;
                // The caption says which is which.
                let curve = Curve::new("", series.points())
                    .marked(if i == 0 { Marker::Ring } else { Marker::Disc })
                    .ink(ink);
                chart =
                    chart.curve(if i == 0 { curve.dashed() } else { curve });
            }
        }
    }
    Ok(chart.figure())
}

fn cosines(report: &Report) -> Result<Figure, LookupError> {
    let widths = config(report).widths;
    let hidden = widths[widths.len() - 1];
    let mut chart = LineChart::new(
        "Cosine between the truncated gradient of 1997 and the full one against updates, for each block of weights of \
         networks that learn by the truncated one, and for all weights of the layer.",
        Axis::linear("Updates"),
        Axis::linear("Cosine"),
    );
    for block in BLOCKS {
        let name = format!("cosine_h{hidden}_old_truncated_{}", key_of(block));
        let series = report.find_series(&name)?;
        let ink = match block {
            "all" => Ink::Text,
            block if block.ends_with("input") => Ink::Blue,
            _ => Ink::Orange,
        };
        let curve = match block {
            "all" => Curve::of(block, series),
            block => Curve::new(block, series.points()),
        };
        chart = chart.curve(curve.ink(ink));
    }
    Ok(chart.figure())
}
