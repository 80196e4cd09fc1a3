//! The chapter "Why do my LSTM gradients still vanish?" as a program you can change: half-lives of the gradient along
//! the cell state of an untrained LSTM, for several starts of its forget gate.
//!
//! `cargo run --release --example still_vanishing`

use longlag_cells::{Cell, Network};
use longlag_experiments::lstm_paths::DrivenLstm;
use longlag_experiments::still_vanishing::{Forget, half_life};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use ndarray::Array3;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 32;
const STEPS: usize = 200;
const STARTS: [Forget; 5] = [
    Forget::Bias(0.0),
    Forget::Bias(1.0),
    Forget::Bias(3.0),
    Forget::Bias(5.0),
    Forget::Chrono,
];
const SEED: u64 = 1;
// ANCHOR_END: settings

fn network() -> Network {
    Network::new(Cell::Lstm, 1, HIDDEN, 1)
}

fn start(forget: Forget) -> Parameters<f64> {
    forget.parameters(&network(), STEPS, &Rng::new(SEED).stream("weights"))
}

// ANCHOR: half_lives
/// Half-lives of ∂c_k/∂c_0 by the direct path and by all, in steps, while
/// the network reads noise; infinite if they are longer than that.
fn half_lives(parameters: &Parameters<f64>) -> [f64; 2] {
    let mut rng = Rng::new(SEED).stream("input");
    let x = Array3::from_shape_simple_fn((STEPS, 1, 1), || rng.normal());
    let layer = network().layer;
    let lstm = DrivenLstm::of_layer(&layer, parameters, x.view());
    let (mut direct, mut all) = (vec![], vec![]);
    lstm.follow(0, 0, 0, |paths| {
        direct.push(paths.log10_up_to(0));
        all.push(paths.log10_total());
    });
    [half_life(&direct), half_life(&all)]
}
// ANCHOR_END: half_lives

/// Measures the half-lives of each start and prints them.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "forget gate      direct path    all paths")?;
    for forget in STARTS {
        let name = format!("{forget:?}");
        let [direct, all] = half_lives(&start(forget));
        writeln!(out, "{name:15}{direct:13}{all:13}")?;
    }
    Ok(())
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;
    use longlag_numerics::Real;

    // ANCHOR: first
    /// Exercise 1: f = 2^(−1/n) has a half-life of n, and its bias is
    /// ln(f / (1 − f)), nearly ln(n / ln 2).
    #[test]
    fn the_bias_for_a_half_life() {
        let n: f64 = 50.0;
        let f = Real::exp(-Real::ln(2.0_f64) / n);
        let bias = Real::ln(f / (1.0 - f));
        let [direct, _] = half_lives(&start(Forget::Bias(bias)));
        assert!((bias - 4.27).abs() < 0.01, "{bias}");
        assert!((direct / n - 1.0).abs() < 0.2, "{direct}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: setting both biases adds them up.
    #[test]
    fn both_biases_of_one_are_a_bias_of_two() {
        let mut both = start(Forget::Bias(1.0));
        let layer = network().layer;
        let mut b_hh = layer.views_mut(&mut both).b_hh;
        for unit in HIDDEN..2 * HIDDEN {
            b_hh[[0, unit]] = 1.0;
        }
        let two = start(Forget::Bias(2.0));
        assert_eq!(half_lives(&both), half_lives(&two));
        let one = half_lives(&start(Forget::Bias(1.0)));
        assert!(half_lives(&both)[0] > 1.5 * one[0]);
    }
    // ANCHOR_END: second
}
