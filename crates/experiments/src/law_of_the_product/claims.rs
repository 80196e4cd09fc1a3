//! The claims, each with the rule that it is judged by.

use super::{Activation, Config, Setting, gaussian, starts};
use crate::protocol::{
    Claim, Contrast, GROWTH_MARGIN, Prediction, SEEDS_OF_MEASUREMENTS,
};
use longlag_cells::init::Init;
use longlag_report::{LookupError, Report};
use std::f64::consts::SQRT_2;

// ANCHOR: claims
pub(super) const ALL: &[Claim] = &[
    Claim::measured(
        "A16",
        "The gradient of an untrained plain network vanishes exponentially in the length: every further step costs the \
         same factor.",
        "growth rate over four times as many steps less that over 100 steps, tanh, Gaussian of gain 1",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| lengths(report, "four", "once"),
    ),
    Claim::measured(
        "B3",
        "An eigenvalue of the recurrent matrix above 1 (logistic: 4) makes gradients explode.",
        "growth rate, at a spectral radius of 1.5 with tanh and of 4 with the logistic function",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let radius = |radius: f64| {
                let init = Init::SpectralRadius { radius };
                (format!("radius_{radius}"), init)
            };
            let tanh = rates(report, Activation::Tanh, &radius(1.5))?;
            let logistic = rates(report, Activation::Logistic, &radius(4.0))?;
            Ok([tanh, logistic].concat())
        },
    ),
    Claim::measured(
        "B13a",
        "ReLU in place of tanh: the gradient neither vanishes nor explodes.",
        "growth rate, ReLU, Gaussian of gain 1 and of gain √2",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let he = ("he".to_owned(), Init::Gaussian { gain: SQRT_2 });
            let one = rates(report, Activation::Relu, &gaussian(1.0))?;
            Ok([one, rates(report, Activation::Relu, &he)?].concat())
        },
    ),
    Claim::measured(
        "B13b",
        "ReLU and a start at the identity: the gradient neither vanishes nor explodes.",
        "growth rate, ReLU, identity",
        Prediction::Within(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| {
            let [.., identity] = starts();
            rates(report, Activation::Relu, &identity)
        },
    ),
    Claim::measured(
        "B13c",
        "It is underflow: numbers with a wider range keep more of the gradient.",
        "growth rate in f64 less that in f32, over all steps that f32 has numbers for",
        Prediction::Beyond(GROWTH_MARGIN),
        SEEDS_OF_MEASUREMENTS,
        |report| lengths(report, "in_f64", "in_f32"),
    ),
];
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// At each width, the difference of two series of seeds.
fn lengths(
    report: &Report,
    ours: &str,
    theirs: &str,
) -> Result<Vec<Contrast>, LookupError> {
    let at = |&h: &usize| {
        let of = |what: &str| report.find_series(&format!("{what}_h{h}"));
        let pairs = of(ours)?.y().into_iter().zip(of(theirs)?.y());
        let differences = pairs.map(|(a, b)| a - b);
        Ok(Contrast::of_differences(format!("H = {h}"), differences))
    };
    config(report).widths.iter().map(at).collect()
}

/// At each width, the rates of a kind of network.
fn rates(
    report: &Report,
    activation: Activation,
    (name, init): &(String, Init),
) -> Result<Vec<Contrast>, LookupError> {
    let Config { widths, noise, .. } = config(report);
    let at = |hidden: usize| {
        let start = (name.clone(), *init);
        let key = Setting { hidden, activation, start, noise }.key();
        let rates = report.find_series(&format!("rate_{key}"))?.y();
        let start = match init {
            Init::Gaussian { gain } if *gain == SQRT_2 => "gain √2".to_owned(),
            Init::Gaussian { gain } => format!("gain {gain}"),
            _ => name.replace('_', " "),
        };
        let condition = format!("{}, {start}, H = {hidden}", activation.name());
        Ok(Contrast::of_differences(condition, rates))
    };
    widths.into_iter().map(at).collect()
}
