//! The chapter "Normalisation" as a program you can change: what the gain of batch normalisation does to a gradient in
//! an untrained LSTM.
//!
//! `cargo run --release --example normalisation`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::normalisation::{
    Gains, NormalisedNetwork, NormalisedStep, growth,
};
use longlag_numerics::random::Rng;
use longlag_probe::OnTape;
use ndarray::Array3;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 16;
const SEQUENCES: usize = 20;
const BURN_IN: usize = 10;
const STEPS: usize = 40;
const GAMMAS: [f64; 5] = [0.01, 0.1, 0.3, 1.0, 3.0];
const EPS: f64 = 1e-5;
const SEED: u64 = 1;
// ANCHOR_END: settings

// ANCHOR: growth_with
/// How a gradient grows in an untrained network that reads noise, in
/// decades per 100 steps.
fn growth_with(cell: Cell, gains: Option<Gains>) -> f64 {
    let rng = Rng::new(SEED);
    let network = Network::new(cell, 1, HIDDEN, 1);
    let network = NormalisedNetwork::new(network, gains);
    let start = Initialisation { forget_bias: Some(1.0), ..Default::default() };
    let parameters = network.parameters(&start, gains, &rng.stream("weights"));
    let mut noise = rng.stream("noise");
    let shape = (BURN_IN + STEPS, SEQUENCES, 1);
    let x = Array3::from_shape_simple_fn(shape, || noise.normal());
    let step = NormalisedStep { network: &network, parameters: &parameters };
    let step = OnTape::new(step);
    growth(&step, x.view(), BURN_IN, &mut rng.stream("directions"))
}
// ANCHOR_END: growth_with

/// Measures each gain and prints what it does to a gradient.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "gain   decades per 100 steps")?;
    let none = growth_with(Cell::Lstm, None);
    writeln!(out, "{:4}{none:24.1}", "none")?;
    for gamma in GAMMAS {
        let gains = Gains { eps: EPS, ..Gains::both(gamma) };
        let growth = growth_with(Cell::Lstm, Some(gains));
        writeln!(out, "{gamma:4}{growth:24.1}")?;
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
    /// Exercise 1: between a gain that keeps the gradient and one that
    /// makes it grow.
    #[test]
    fn a_gain_that_keeps_the_gradient() {
        let of = |gamma| growth_with(Cell::Lstm, Some(Gains::both(gamma)));
        let (mut low, mut high) = (0.05, 1.0);
        for _ in 0..6 {
            let middle = 0.5 * (low + high);
            if of(middle) < 0.0 { low = middle } else { high = middle }
        }
        assert!(of(1.0) > 1.0, "{}", of(1.0));
        assert!(of(high).abs() < 1.5, "{high}: {}", of(high));
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: a variance below eps is divided by the root of eps, not
    /// by its own.
    #[test]
    fn a_large_eps_kills_the_gradient() {
        let small = Gains::both(0.01);
        let large = Gains { eps: 1e-2, ..small };
        let [small, large] =
            [small, large].map(|gains| growth_with(Cell::Lstm, Some(gains)));
        assert!(large < small - 5.0, "{small} {large}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: with the input's share of the sums, the state's is less.
    #[test]
    fn the_input_takes_the_share_of_the_state() {
        let [loud, even, quiet] = [1.0, 0.1, 0.01].map(|input| {
            let gains = Gains { input, ..Gains::both(0.1) };
            growth_with(Cell::RnnTanh, Some(gains))
        });
        assert!(loud < even && even < quiet, "{loud} {even} {quiet}");
    }
    // ANCHOR_END: third
}
