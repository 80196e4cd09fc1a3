//! The chapter "The LSTM can explode" as a program you can change: growth of the gradient through all paths of a plain
//! network and of an LSTM, at equal gains.
//!
//! `cargo run --release --example lstm_can_explode`

use longlag_experiments::lstm_can_explode::{Drive, lstm, rnn};
use longlag_numerics::random::Rng;
use longlag_probe::statistics::median;
use std::io::{self, Write};

// ANCHOR: settings
const DRIVE: Drive = Drive { hidden: 16, noise: 0.5, burn_in: 50, steps: 100 };
const FORGET_BIAS: f64 = 1.0;
const GAINS: [f64; 5] = [0.5, 1.0, 2.5, 4.0, 8.0];
const NETWORKS: u64 = 5;
// ANCHOR_END: settings

// ANCHOR: growth
/// Median growth over some networks, in decades per 100 steps: of the
/// plain network and of the LSTM.
fn growth(drive: Drive, bias: f64, gain: f64) -> [f64; 2] {
    let per_100 = 100.0 / drive.steps as f64;
    let (mut plain, mut gated) = (vec![], vec![]);
    for seed in 1..=NETWORKS {
        let rng = Rng::new(seed);
        plain.push(per_100 * rnn(drive, gain, &rng).log10_total());
        gated.push(per_100 * lstm(drive, bias, gain, &rng).log10_total());
    }
    [median(&plain), median(&gated)]
}
// ANCHOR_END: growth

/// Measures the growth at each gain and prints it.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "gain       RNN      LSTM")?;
    for gain in GAINS {
        let [plain, gated] = growth(DRIVE, FORGET_BIAS, gain);
        writeln!(out, "{gain:4}{plain:10.1}{gated:10.1}")?;
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
    /// Exercise 1: closed forget gates relieve more than open ones.
    #[test]
    fn a_closed_forget_gate_takes_away_more() {
        let [_, closed] = growth(DRIVE, -3.0, 4.0);
        let [_, usual] = growth(DRIVE, FORGET_BIAS, 4.0);
        assert!(closed < usual - 1.0, "{closed} {usual}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: strong noise saturates gates and candidates.
    #[test]
    fn strong_noise_relieves_both() {
        let loud = Drive { noise: 5.0, ..DRIVE };
        let [plain, gated] = growth(DRIVE, FORGET_BIAS, 8.0);
        let [plain_loud, gated_loud] = growth(loud, FORGET_BIAS, 8.0);
        assert!(plain_loud < plain, "{plain} {plain_loud}");
        assert!(gated_loud < gated, "{gated} {gated_loud}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: at a gain of 16 the LSTM grows as the plain network
    /// does at a smaller one.
    #[test]
    fn a_larger_gain_undoes_the_relief() {
        let [_, gated] = growth(DRIVE, FORGET_BIAS, 16.0);
        let [_, before] = growth(DRIVE, FORGET_BIAS, 8.0);
        assert!(gated > before && gated > 1.0, "{before} {gated}");
    }
    // ANCHOR_END: third
}
