//! The chapter "The carousel" as a program you can change: how much of the gradient along the cell state of one
//! untrained LSTM takes the direct path, and how much the detours through h.
//!
//! `cargo run --release --example carousel`

use longlag_experiments::lstm_paths::DrivenLstm;
use longlag_numerics::random::Rng;
use longlag_probe::paths::Paths;
use ndarray::Array3;
use std::io::{self, Write};

// ANCHOR: settings
const HIDDEN: usize = 32;
const FORGET_BIAS: f64 = 1.0;
const GAIN: f64 = 1.0;
const NOISE: f64 = 0.5;
const BURN_IN: usize = 50;
const STEPS: usize = 100;
const DETOURS: [usize; 7] = [0, 1, 2, 4, 8, 16, 32];
const SEED: u64 = 1;
// ANCHOR_END: settings

// ANCHOR: paths
/// The paths of an LSTM that runs on noise.
fn paths(bias: f64, gain: f64, noise: f64) -> Paths {
    let rng = Rng::new(SEED);
    let mut draw = rng.stream("noise");
    let shape = (BURN_IN + STEPS, 1, 4 * HIDDEN);
    let noise = Array3::from_shape_simple_fn(shape, || noise * draw.normal());
    let mut weights = rng.stream("weights");
    let lstm = DrivenLstm::on_noise(bias, gain, noise.view(), &mut weights);
    lstm.follow(0, BURN_IN, DETOURS[DETOURS.len() - 1], |_| {})
}
// ANCHOR_END: paths

/// Follows the gradient and prints what arrives on which paths.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let paths = paths(FORGET_BIAS, GAIN, NOISE);
    writeln!(out, "detours at most   what arrives, log10")?;
    for detours in DETOURS {
        writeln!(out, "{detours:15}{:23.1}", paths.log10_up_to(detours))?;
    }
    writeln!(out, "      all paths{:23.1}", paths.log10_total())
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;

    // ANCHOR: first
    /// Exercise 1: with a forget gate near 1 the direct path and all paths
    /// are less than a decade apart.
    #[test]
    fn a_large_forget_bias_leaves_little_to_detours() {
        let paths = paths(5.0, 0.577, NOISE);
        let (direct, all) = (paths.log10_up_to(0), paths.log10_total());
        assert!(direct > -0.6 && (all - direct).abs() < 1.0, "{direct} {all}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: at a large gain all paths grow, and the direct one
    /// can't.
    #[test]
    fn detours_explode_and_the_direct_path_does_not() {
        let paths = paths(FORGET_BIAS, 8.0, NOISE);
        let (direct, all) = (paths.log10_up_to(0), paths.log10_total());
        assert!(direct < 0.0 && all > 1.0, "{direct} {all}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: it does: the stronger the noise, the less arrives.
    #[test]
    fn noise_decides_how_open_the_detours_are() {
        let all = [0.1, 0.5, 2.0]
            .map(|noise| paths(FORGET_BIAS, GAIN, noise).log10_total());
        assert!(all[0] > all[1] && all[1] > all[2], "{all:?}");
    }
    // ANCHOR_END: third
}
