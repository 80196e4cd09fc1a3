//! The chapter "The gradient is a sum" as a program you can change: one LSTM on the adding task, its gradient
//! split by lag before and after it learns.
//!
//! `cargo run --release --example gradient_is_a_sum`

use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::gradient_is_a_sum::{Lags, of_length, split};
use longlag_experiments::tasks::{Adding, Definition, Task};
use longlag_numerics::random::Rng;
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_train::Trainer;
use std::io::{self, Write};
use std::ops::ControlFlow;

// ANCHOR: settings
/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The cell.
    pub cell: Cell,
    /// T.
    pub steps: usize,
    /// The LSTM's; other cells have none.
    pub forget_bias: f64,
    /// Adam's.
    pub learning_rate: f64,
    /// How many updates.
    pub updates: u64,
}

/// Those of the chapter's LSTM.
pub const SETTINGS: Settings = Settings {
    cell: Cell::Lstm,
    steps: 30,
    forget_bias: 3.0,
    learning_rate: 5e-3,
    updates: 600,
};
// ANCHOR_END: settings

// ANCHOR: before_and_after
/// The gradient by lag, before and after training.
pub fn before_and_after(settings: Settings) -> [Lags; 2] {
    let Settings { cell, steps, forget_bias, learning_rate, updates } =
        settings;
    let paper = Definition::Pascanu2013;
    let task = Adding { definition: paper, success: paper, steps };
    let rng = Rng::new(1);
    let sequences = of_length(&task, 400, rng.stream("probe"));
    let network = Network::new(cell, task.inputs(), 32, task.outputs());
    let start = Initialisation {
        forget_bias: Some(forget_bias),
        ..Initialisation::default()
    };
    let start = network.parameters(&start, &rng.stream("weights"));
    let adam = AdamConfig { learning_rate, ..AdamConfig::default() };
    let adam = OptimizerConfig::Adam(adam);
    let mut trainer = Trainer::<f32>::new(start, adam, Clip::Norm(1.0));
    let before = trainer.parameters.map(f64::from);
    let mut draw = rng.stream("batches");
    let ended = trainer.run(
        updates,
        |_, parameters| {
            let batch = task.batch(20, &mut draw);
            batch.loss(batch.outputs(&network, parameters))
        },
        |_| ControlFlow::Continue(()),
    );
    ended.expect("this small training does not diverge");
    let after = trainer.parameters.map(f64::from);
    [before, after].map(|at| split(&network, &at, &sequences))
}
// ANCHOR_END: before_and_after

/// Trains and prints a row for every fourth lag.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let [before, after] = before_and_after(SETTINGS);
    writeln!(out, "     before training           after training")?;
    writeln!(out, "lag  share    SNR²    usable   share    SNR²    usable")?;
    for lag in (0..SETTINGS.steps).step_by(4) {
        write!(out, "{lag:3}")?;
        for lags in [&before, &after] {
            let percent = 100.0 * lags.share[lag];
            let (snr, usable) = (lags.snr[lag], lags.usable[lag]);
            write!(out, "  {percent:4.1} %  {snr:6.3}  {usable:6.3} ")?;
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

    // ANCHOR: solutions
    #[test]
    fn exercises() {
        let far_share = |shares: &[f64]| shares[15..].iter().sum::<f64>();
        let least = |usable: &[f64]| {
            usable[15..29].iter().fold(1.0_f64, |least, u| least.min(*u))
        };
        let [_, lstm] = before_and_after(SETTINGS);
        assert!(far_share(&lstm.share) > 0.5 && least(&lstm.usable) > 0.01);
        // 1. Next to nothing, before and after.
        let plain = Settings { cell: Cell::RnnTanh, ..SETTINGS };
        for lags in before_and_after(plain) {
            assert!(far_share(&lags.share) < 0.01);
        }
        // 2. No: not yet, at least.
        let usual = Settings { forget_bias: 1.0, ..SETTINGS };
        let [_, usual] = before_and_after(usual);
        assert!(least(&usual.usable) < 0.01);
    }
    // ANCHOR_END: solutions
}
