//! The figures.

use super::claims::config;
use super::report::shown;
use super::{Activation, Config, SPECTRUM_GAINS, Setting, gaussian, starts};
use crate::experiment::FigureSpec;
use longlag_probe::statistics::median;
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker,
};
use longlag_report::{LookupError, Report};

pub(super) const ALL: &[FigureSpec] = &[
    FigureSpec { name: "law-of-the-product-gain", draw: gain },
    FigureSpec { name: "law-of-the-product-starts", draw: starting },
    FigureSpec { name: "law-of-the-product-spectrum", draw: spectrum },
    FigureSpec { name: "law-of-the-product-underflow", draw: underflow },
];

fn ink(activation: Activation) -> Ink {
    longlag_report::figure::ink_of(match activation {
        Activation::Tanh => "RNN",
        Activation::Logistic => "logistic",
        Activation::Relu => "ReLU",
    })
}

fn title(activation: Activation) -> &'static str {
    match activation {
        Activation::Tanh => "tanh",
        Activation::Logistic => "logistic",
        Activation::Relu => "ReLU",
    }
}

fn gain(report: &Report) -> Result<Figure, LookupError> {
    let Config { widths, .. } = config(report);
    let mut chart = LineChart::new(
        "Growth of tangents in decades per 100 steps against the gain of a Gaussian recurrent matrix, for tanh, the \
         logistic function and ReLU, with two upper bounds: the largest singular value and the largest sum of a row.",
        Axis::log("Gain *g* of the recurrent matrix")
            .ticks([0.25, 0.5, 1.0, 2.0, 4.0, 8.0]),
        Axis::linear("Decades per 100 steps").range(-130.0, 180.0),
    )
    .columns(1);
    for activation in Activation::ALL {
        chart = chart.panel(title(activation));
        let name = activation.name();
        for (bound, label) in
            [("row_sum", "row sums"), ("singular", "singular value")]
        {
            let series =
                report.find_series(&format!("bound_{bound}_{name}"))?;
            let curve = Curve::of(label, series).ink(Ink::Muted).dashed();
            chart = chart.curve(curve);
        }
        for (i, h) in widths.iter().enumerate() {
            let series = report.find_series(&format!("sweep_{name}_h{h}"))?;
            let curve =
                Curve::of(format!("*H* = {h}"), series).ink(ink(activation));
            chart = chart.curve(if i == 0 { curve } else { curve.dashed() });
        }
    }
    Ok(chart.figure())
}

fn starting(report: &Report) -> Result<Figure, LookupError> {
    let Config { widths, noises, .. } = config(report);
    let mut chart = DotChart::new(
        "Growth in decades per 100 steps of each seed's network, for tanh and ReLU, started with a Gaussian, an \
         orthogonal and the identity matrix, at several levels of input noise.",
        Axis::linear("Decades per 100 steps"),
    )
    .reference("keeps its length", 0.0);
    for activation in [Activation::Tanh, Activation::Relu] {
        for start in starts() {
            let name = match start.0.split('_').next().unwrap_or_default() {
                "gaussian" => "Gaussian",
                name => name,
            };
            chart = chart.group(format!("{}, {name}", title(activation)));
            for &noise in &noises {
                let (hidden, start) = (widths[0], start.clone());
                let key = Setting { hidden, activation, start, noise }.key();
                let rates = report.find_series(&format!("rate_{key}"))?.y();
                let middle = median(&rates);
                let row = DotRow::new(format!("noise {noise}"))
                    .dots(Marker::Disc, rates)
                    .median(middle)
                    .note(format!("{middle:.1}").replace('-', "−"))
                    .ink(ink(activation));
                chart = chart.row(row);
            }
        }
    }
    Ok(chart.figure())
}

fn spectrum(report: &Report) -> Result<Figure, LookupError> {
    let hidden = config(report).widths[0];
    let mut chart = LineChart::new(
        "Singular values of products of Jacobians against their number, tanh, at two gains: the largest, the smallest \
         and three between them. Dashed: what the Lyapunov exponents say.",
        Axis::linear("Steps multiplied").range(0.0, 200.0),
        Axis::linear("log_{10} of the singular value")
            .range(-850.0, 50.0)
            .ticks([-800.0, -600.0, -400.0, -200.0, 0.0]),
    )
    .columns(1);
    for gain in SPECTRUM_GAINS {
        chart = chart.panel(format!("*g* = {gain}"));
        let key = gaussian(gain).0.replace('.', "_");
        let exponents = report.find_series(&format!("exponents_{key}"))?.y();
        for i in shown(hidden) {
            let name = format!("singular_{key}_{}", i + 1);
            let series = report.find_series(&name)?;
            let curve = Curve::of(format!("*σ*_{{{}}}", i + 1), series);
            chart = chart.curve(curve.ink(Ink::Orange));
            let line =
                series.x().into_iter().map(|x| (x, exponents[i] * x / 100.0));
            let line = [(0.0, 0.0)].into_iter().chain(line);
            chart = chart.curve(Curve::new("", line).ink(Ink::Muted).dashed());
        }
    }
    Ok(chart.figure())
}

fn underflow(report: &Report) -> Result<Figure, LookupError> {
    let widths = config(report).widths;
    let hidden = widths[widths.len() - 1];
    let series = |what: &str| report.find_series(&format!("{what}_h{hidden}"));
    let chart = LineChart::new(
        "Norm of a gradient against the lag, in numbers of 64 and of 32 bits: one line, until the one of 32 bits ends \
         in zero.",
        Axis::linear("Lag"),
        Axis::log("‖∂*ℓ*/∂*h*_{*t*}‖ over that at lag 0"),
    )
    .curve(Curve::of("f64", series("norm_f64")?).ink(Ink::Orange))
    .curve(Curve::of("f32", series("norm_f32")?).ink(Ink::Text).dashed());
    Ok(chart.figure())
}
