//! The chapter "The law of the product" as a program you can change: how fast gradients shrink or grow in one
//! plain network, against the gain of its recurrent matrix, and the bound that the matrix alone gives.
//!
//! `cargo run --release --example law_of_the_product`

use longlag_cells::init::Init;
use longlag_experiments::law_of_the_product::{Activation, Plain};
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use longlag_probe::growth::{DECADES_PER_100_STEPS, GrowthProbe};
use longlag_probe::products::singular_values;
use ndarray::Array2;
use std::io::{self, Write};
use std::slice::from_ref;

// ANCHOR: settings
const HIDDEN: usize = 32;
const GAINS: [f64; 6] = [0.5, 1.0, 1.5, 2.0, 4.0, 8.0];
const ACTIVATION: Activation = Activation::Tanh;
const NOISE: f64 = 0.5;
const SEED: u64 = 1;
// ANCHOR_END: settings

/// How the recurrent matrix starts, at a gain.
fn start(gain: f64) -> Init {
    Init::Gaussian { gain }
}

/// A network of that start; U the same random numbers at every gain.
fn network(activation: Activation, start: Init, seed: u64) -> Plain<f64> {
    let mut u = Array2::zeros((HIDDEN, HIDDEN));
    let mut rng = Rng::new(seed).stream("weights");
    start.fill(u.view_mut(), HIDDEN, &mut rng);
    Plain { activation, u }
}

// ANCHOR: growth
/// Decades per 100 steps, the median over 50 trajectories driven by
/// noise.
fn growth(network: &Plain<f64>, noise: f64, seed: u64) -> f64 {
    let rng = Rng::new(seed);
    let normals = |mut rng: Rng| {
        move || Array2::from_shape_simple_fn((50, HIDDEN), || rng.normal())
    };
    let begin = normals(rng.stream("start"))();
    let mut drive = normals(rng.stream("noise"));
    let probe = GrowthProbe { burn_in: 100, steps: 100, part: 0..HIDDEN };
    let input = |_| drive() * noise;
    let mut tangents = rng.stream("tangents");
    probe.measure(network, begin.view(), input, &mut tangents).median
}
// ANCHOR_END: growth

// ANCHOR: bound
/// What no trajectory exceeds: a step stretches no vector by more than
/// the steepest slope times U's largest singular value.
fn bound(network: &Plain<f64>) -> f64 {
    let stretch = Real::ln(network.activation.steepest());
    let singular = 100.0 * singular_values(from_ref(&network.u))[0];
    DECADES_PER_100_STEPS * stretch + singular
}
// ANCHOR_END: bound

/// Measures one network at each gain and prints what it finds.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "gain  decades per 100 steps   at most")?;
    for gain in GAINS {
        let network = network(ACTIVATION, start(gain), SEED);
        let grown = growth(&network, NOISE, SEED);
        writeln!(out, "{gain:4}{grown:23.1}{:10.1}", bound(&network))?;
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

    // ANCHOR: first
    /// Exercise 1: without noise the state of tanh ends in 0 below a gain
    /// of about 1, and the spectral radius decides.
    #[test]
    fn without_noise_the_eigenvalue_is_right_about_small_gains() {
        let still = network(Activation::Tanh, start(0.5), SEED);
        let rate = growth(&still, 0.0, SEED);
        let radius = longlag_cells::init::spectral_radius(still.u.view());
        let eigenvalue = DECADES_PER_100_STEPS * Real::ln(radius);
        assert!((rate - eigenvalue).abs() < 1.5, "{rate} {eigenvalue}");
        let noisy = growth(&still, NOISE, SEED);
        assert!(noisy < rate - 3.0, "{noisy} {rate}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: the logistic function falls below its bound by tens of
    /// decades, at every gain.
    #[test]
    fn the_logistic_function_vanishes_beyond_its_bound() {
        let rates = GAINS.map(|gain| {
            let network = network(Activation::Logistic, start(gain), SEED);
            (growth(&network, NOISE, SEED), bound(&network))
        });
        for (rate, bound) in rates {
            assert!(rate < -1.0 && rate < bound - 10.0, "{rate} {bound}");
        }
        assert!(rates[4].1 > 10.0, "a bound above 0 makes nothing grow");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: an orthogonal start keeps the gradient only where there
    /// is nothing to read.
    #[test]
    fn an_orthogonal_start_keeps_it_without_noise() {
        let orthogonal = Init::Orthogonal { gain: 1.0 };
        let network = network(Activation::Tanh, orthogonal, SEED);
        let rates = [0.0, 0.1, 0.5].map(|n| growth(&network, n, SEED));
        assert!((-1.0..=0.0).contains(&rates[0]), "{rates:?}");
        assert!(rates[1] < rates[0] - 1.0 && rates[2] < rates[1] - 5.0);
        assert!(bound(&network).abs() < 1e-9);
    }
    // ANCHOR_END: third
}
