//! What is left of a memory that is dropped on.

use super::{Config, Dropping, unroll};
use crate::runs::Measure;
use longlag_autodiff::Tape;
use longlag_cells::init::Init;
use longlag_cells::{Cell, GateBiases, Initialisation, Network, State};
use longlag_numerics::random::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The biases of its forget and input gates: what it holds stays, and nearly nothing is added to it.
const BIASES: [f64; 2] = [10.0, -8.0];

/// What is left after some steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// Of the bits: twice the share that is read rightly, less 1.
    pub bits: f64,
    /// The share of units whose gradient by what they held is at least a hundredth.
    pub gradient: f64,
}

// ANCHOR: hold
/// Gives an LSTM of `hidden` units a bit in each, `sequences` times; what is
/// left of them after `spans` steps with noise as input and dropout in it?
pub fn hold(
    (hidden, sequences): (usize, usize),
    spans: &[usize],
    dropped: (Dropping, f64),
    rng: &Rng,
) -> Vec<Left> {
    let [f, i] = BIASES.map(|value| Some(Init::Constant { value }));
    let gate_biases = GateBiases { f, i, ..GateBiases::default() };
    let start = Initialisation { gate_biases, ..Initialisation::default() };
    let network = Network::new(Cell::Lstm, 1, hidden, 1);
    let parameters = network.parameters::<f64>(&start, &rng.stream("weights"));
    let layer = network.layer;
    let mut draw = rng.stream("sequences");
    let steps = spans.iter().max().copied().unwrap_or(0);
    let noise =
        Array2::from_shape_fn((steps * sequences, 1), |_| draw.normal());
    let bits = Array2::from_shape_fn((sequences, hidden), |_| {
        if draw.uniform() < 0.5 { -1.0 } else { 1.0 }
    });
    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let held = tape.leaf(&bits.view());
    let h = layer.zero_state(&tape, sequences).h;
    let start = State { h, c: Some(held) };
    let (w, x) = (layer.weights(&bound), tape.constant(&noise.view()));
    let mut masks = rng.stream("masks");
    let states = unroll(&layer, &w, x, start, dropped, &mut masks);
    let left = |&span: &usize| {
        let c = states[span - 1].c.expect("an LSTM has a cell state");
        let all = bits.len() as f64;
        let read = c.value();
        let same = read.iter().zip(&bits).filter(|(c, b)| *c * *b > 0.0);
        let gradients = c.sum().backward();
        let gradients = gradients.of(held);
        let there = gradients.iter().filter(|g| g.abs() >= 0.01);
        Left {
            bits: 2.0 * same.count() as f64 / all - 1.0,
            gradient: there.count() as f64 / all,
        }
    };
    spans.iter().map(left).collect()
}
// ANCHOR_END: hold

/// What is dropped on, with its name.
pub(super) fn kinds(config: &Config) -> Vec<(String, (Dropping, f64))> {
    let most = config.drops.iter().copied().fold(0.0, f64::max);
    let harmless = [Dropping::Sequence, Dropping::Candidate];
    let mut all = vec![];
    for how in harmless {
        all.push((how.key().to_owned(), (how, most)));
    }
    for (i, &p) in config.leaks.iter().enumerate() {
        let how = Dropping::Cell;
        all.push((format!("{}_{i}", how.key()), (how, p)));
    }
    all
}

/// The memories of a seed.
#[derive(Debug)]
pub struct Memory<'a> {
    pub(super) config: &'a Config,
    pub(super) rng: Rng,
}

impl Measure for Memory<'_> {
    type Found = Vec<Left>;

    fn count(&self) -> usize {
        kinds(self.config).len()
    }
    fn measure(&mut self, number: usize) -> Vec<Left> {
        let Config { holding, sequences, spans, .. } = self.config;
        let (_, dropped) = kinds(self.config)[number];
        hold((*holding, *sequences), spans, dropped, &self.rng)
    }
}
