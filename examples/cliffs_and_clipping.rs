//! The chapter "Cliffs and clipping" as a program you can change: gradient descent on the error of a network of one
//! unit, with its cliff.
//!
//! `cargo run --release --example cliffs_and_clipping`

use longlag_experiments::cliffs_and_clipping::OneUnit;
use longlag_optim::Clip;
use std::io::{self, Write};

// ANCHOR: settings
const UNIT: OneUnit = OneUnit { steps: 50, start: 0.5, target: 0.7 };
const START: [f64; 2] = [6.5, -2.5];
const RATE: f64 = 0.3;
const LIMIT: f64 = 0.5;
const UPDATES: usize = 400;
// ANCHOR_END: settings

// ANCHOR: run
/// Descends with the gradient as it is and clipped, and prints both ways.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let clips = [Clip::None, Clip::Norm(LIMIT)];
    let ways = clips.map(|clip| UNIT.descend(START, RATE, clip, UPDATES));
    writeln!(out, "         as it is                 clipped")?;
    writeln!(out, "update      w      b   error       w      b   error")?;
    for update in [0, 10, 50, 60, 80, 100, 150, 200, 400] {
        write!(out, "{update:6}")?;
        for way in &ways {
            let [w, b] = way[update];
            let (error, _) = UNIT.error([w, b]);
            write!(out, "{w:7.2}{b:7.2}{error:8.4} ")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
// ANCHOR_END: run

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;

    /// The error at the end of a way from the example's start.
    fn ends(rate: f64, clip: Clip, updates: usize) -> f64 {
        let way = UNIT.descend(START, rate, clip, updates);
        UNIT.error(way[updates]).0
    }

    // ANCHOR: first
    /// Exercise 1: the largest derivative by b, at (w, −w/2), grows by w/4
    /// a step.
    #[test]
    fn the_cliff_has_a_slope() {
        let slope = |steps| {
            let unit = OneUnit { steps, ..UNIT };
            unit.error([6.0, -3.0]).1[1].abs()
        };
        let by_a_step = slope(51) / slope(50);
        assert!((by_a_step - 6.0 / 4.0).abs() < 1e-6, "{by_a_step}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: a tenth of the rate is not small enough.
    #[test]
    fn a_smaller_rate_falls_off_too() {
        let slow = ends(RATE / 10.0, Clip::None, 10 * UPDATES);
        let clipped = ends(RATE, Clip::Norm(LIMIT), UPDATES);
        assert!(slow > 0.03 && clipped < 1e-3, "{slow} {clipped}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: a threshold that is never reached is none.
    #[test]
    fn a_threshold_can_be_too_large() {
        let [small, large] = [LIMIT, 100.0 * LIMIT]
            .map(|limit| ends(RATE, Clip::Norm(limit), UPDATES));
        assert!(small < 1e-3 && large > 0.03, "{small} {large}");
    }
    // ANCHOR_END: third
}
