//! The chapter "Not vanishing is not enough" as a program you can change: a linear unit that learns how long another one
//! remembers.
//!
//! `cargo run --release --example not_vanishing_is_not_enough`

use longlag_experiments::not_vanishing_is_not_enough::{
    End, Form, Lesson, Student, Way,
};
use longlag_numerics::random::Rng;
use std::io::{self, Write};

// ANCHOR: settings
const WAY: Way = Way { key: "plain", form: Form::Plain, adam: false };
const RATES: [f64; 4] = [3e-3, 3e-5, 3e-7, 3e-9];
const MEMORIES: [f64; 3] = [10.0, 100.0, 1000.0];
const START: f64 = 0.4;
const MULTIPLE: f64 = 10.0;
const UPDATES: u32 = 300;
const SEED: u64 = 1;
// ANCHOR_END: settings

// ANCHOR: learn
/// A student that begins with a memory of so many times `start` its
/// teacher's.
fn learn(way: Way, rate: f64, memory: f64, start: f64) -> (u32, End) {
    let steps = (MULTIPLE * memory) as usize;
    let lesson = Lesson { memory, steps, updates: UPDATES, in_a_row: 20 };
    let mut student = Student::new(way, rate, start * memory);
    student.learn(&lesson, &Rng::new(SEED))
}
// ANCHOR_END: learn

/// Trains a student for each memory and learning rate, and prints how it ended.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    write!(out, "learning rate")?;
    for memory in MEMORIES {
        write!(out, "{:>18}", format!("memory {memory}"))?;
    }
    writeln!(out)?;
    for rate in RATES {
        write!(out, "{:13}", format!("{rate:e}"))?;
        for memory in MEMORIES {
            let (updates, end) = learn(WAY, rate, memory, START);
            let what = match end {
                End::Solved => format!("after {updates}"),
                End::Unsolved => "not learnt".to_owned(),
                End::Diverged => "diverged".to_owned(),
            };
            write!(out, "{what:>18}")?;
        }
        writeln!(out)?;
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
    use longlag_experiments::not_vanishing_is_not_enough::{Law, lambda_of};

    // ANCHOR: first
    /// Exercise 1: the third power of ten.
    #[test]
    fn a_memory_ten_times_as_long_needs_a_thousandth_of_the_rate() {
        let ends = [(10.0, 3e-3), (100.0, 3e-6), (1000.0, 3e-9)]
            .map(|(memory, rate)| learn(WAY, rate, memory, START).1);
        assert_eq!(ends, [End::Solved; 3]);
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: one rate for all.
    #[test]
    fn the_exponential_unit_needs_one_rate() {
        let way = Way { form: Form::Exponential, ..WAY };
        let ends = MEMORIES.map(|memory| learn(way, 1.0, memory, START).1);
        assert_eq!(ends, [End::Solved; 3]);
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: where the growth is no longer seen.
    #[test]
    fn too_few_steps_hide_it() {
        let seen = |multiple: usize| {
            let lambda = lambda_of(1000.0);
            let law = Law::after(multiple * 1000, lambda);
            law.slope / Law::in_the_end(lambda).slope
        };
        assert!(seen(1) < 0.4 && seen(3) > 0.9 && seen(10) > 0.999_999);
    }
    // ANCHOR_END: third
}
