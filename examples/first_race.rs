//! The chapter "The first race" as a program you can change: one run of each network, with a smaller budget.
//!
//! `cargo run --release --example first_race`

use longlag_autodiff::{Tape, Var};
use longlag_cells::{Cell, Initialisation, Network, RecurrentCell};
use longlag_experiments::digits::{self, CLASSES, Digits, PIXELS};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar, slice};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_train::{Trainer, cross_entropy, one_hot};
use std::io::{self, Write};
use std::ops::ControlFlow;

// ANCHOR: settings
const UPDATES: u64 = 300;
const BATCH: usize = 32;
const PARAMETERS: usize = 2500;
const LEARNING_RATE: f64 = 1e-2;
const CLIP: Clip = Clip::Norm(1.0);
const FORGET_BIAS: Option<f64> = Some(1.0);
// ANCHOR_END: settings

// ANCHOR: loss
/// Some images as sequences, a pixel a step: (64·B, 1).
fn pixels<'t, T: Scalar>(
    tape: &'t Tape<T>,
    images: &Digits,
    rows: &[usize],
) -> Var<'t, T> {
    let write = |to: &mut [T]| images.write_sequences(rows, to);
    tape.constant_with(PIXELS * rows.len(), 1, write)
}

/// The cross-entropy of what a network says to them, (B, 10).
fn loss<'t, T: Scalar>(
    logits: Var<'t, T>,
    images: &Digits,
    rows: &[usize],
) -> Var<'t, T> {
    let labels = rows.iter().map(|&row| images.labels[row]);
    cross_entropy(logits, one_hot(logits.tape(), labels, CLASSES))
}
// ANCHOR_END: loss

// ANCHOR: train
fn train(cell: Cell, images: &Digits) -> (Network, Parameters<f32>) {
    let rng = Rng::new(1);
    let network = Network::of_size(cell, 1, CLASSES, PARAMETERS);
    let start = Initialisation {
        forget_bias: FORGET_BIAS,
        ..Initialisation::default()
    };
    let parameters = network.parameters(&start, &rng.stream("weights"));
    let adam =
        AdamConfig { learning_rate: LEARNING_RATE, ..AdamConfig::default() };
    let mut draw = rng.stream("batches");
    let mut trainer =
        Trainer::<f32>::new(parameters, OptimizerConfig::Adam(adam), CLIP);
    let ended = trainer.run(
        UPDATES,
        |_, parameters| {
            let rows: Vec<usize> = (0..BATCH)
                .map(|_| draw.below(images.len() as u64) as usize)
                .collect();
            let x = pixels(parameters.tape(), images, &rows);
            loss(network.apply(parameters, x, BATCH), images, &rows)
        },
        |_| ControlFlow::Continue(()),
    );
    ended.expect("this small race does not diverge");
    (network, trainer.parameters)
}
// ANCHOR_END: train

/// The share of images that the network names rightly.
fn accuracy(network: &Network, at: &Parameters<f32>, images: &Digits) -> f64 {
    let rows: Vec<usize> = (0..images.len()).collect();
    let tape = Tape::new();
    let x = pixels(&tape, images, &rows);
    let said = network.apply(&tape.bind(at), x, rows.len());
    let right = |(row, &label): (ndarray::ArrayView1<f32>, &usize)| {
        (0..row.len()).all(|i| i == label || row[i] < row[label])
    };
    let said = said.value();
    let pairs = said.rows().into_iter().zip(&images.labels);
    pairs.filter(|&(row, label)| right((row, label))).count() as f64
        / images.len() as f64
}

// ANCHOR: reach
/// ‖∂ℓ/∂h_1‖ over ‖∂ℓ/∂h_64‖, for one image: how much of the gradient
/// reaches the state after the first pixel. Step by step, so that the
/// states can be kept.
fn reach(network: &Network, at: &Parameters<f32>, images: &Digits) -> f64 {
    let at = at.map(f64::from);
    let tape = Tape::new();
    let mut states = Vec::new();
    let rows = [0];
    let x = pixels(&tape, images, &rows);
    let parameters = tape.bind(&at);
    let logits = network.unroll(&parameters, x, 1, |_, s| states.push(s.h));
    let grads = loss(logits, images, &rows).backward();
    let norm = |t: usize| slice::norm(&grads.of(states[t]).row(0).to_vec());
    norm(1) / norm(PIXELS)
}
// ANCHOR_END: reach

/// Trains the three networks and prints what they reach.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let all = Digits::load();
    let (images, test) = (all.rows(digits::TRAIN), all.rows(digits::TEST));
    writeln!(out, "cell   H   parameters  accuracy  gradient at pixel 1")?;
    for cell in [Cell::RnnTanh, Cell::Lstm, Cell::Gru] {
        let (network, at) = train(cell, &images);
        writeln!(
            out,
            "{:5}{:3}{:13}{:9.1} %  {:.1e} of that at pixel 64",
            cell.name(),
            network.layer.hidden,
            network.size(),
            100.0 * accuracy(&network, &at, &test),
            reach(&network, &at, &test),
        )?;
    }
    Ok(())
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}
