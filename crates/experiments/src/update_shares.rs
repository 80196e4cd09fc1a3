//! What an update of the recurrent weights is made of, lag by lag.
//!
//! The key decision: **the parts of the gradient go through all that is done to it.** The gradient of W_hh is a sum
//! over lags, G = Σ_k G_k. Clipping, momentum and per-weight scaling make a step of it. Momentum is linear, so each
//! part has a running sum of its own. The rest multiplies every weight's entry by some number, so each part is
//! multiplied by that number too. So the parts add up to the step, entry by entry, and the clipping and the optimizer
//! are those that train.

use crate::gradient_is_a_sum::forward;
use crate::tasks::Batch;
use longlag_cells::{Network, RecurrentCell};
use longlag_numerics::{Parameters, slice};
use longlag_optim::{Clip, Clipped, Optimizer, OptimizerConfig};
use longlag_probe::split::Split;
use longlag_probe::walk::{Factor, Losses, Walk, Weight};
use longlag_probe::{LayerStep, OnTape};
use ndarray::{Array2, Zip};

/// The gradient of a batch's loss, with that of the recurrent weights in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct ByLag {
    /// Of all parameters, laid out as they are.
    pub gradient: Vec<f64>,
    /// Where the recurrent weights stand in it.
    pub recurrent: std::ops::Range<usize>,
    /// What comes of each lag to the recurrent weights' gradient, lag 0 first.
    pub parts: Vec<Array2<f64>>,
}

// ANCHOR: by_lag
impl ByLag {
    /// That of a batch with one answer after each sequence's last step.
    pub fn of(network: &Network, at: &Parameters<f64>, batch: &Batch) -> ByLag {
        let Network { layer, .. } = network;
        let step = OnTape::new(LayerStep { layer, parameters: at });
        let (trajectory, _, d_state, _) = forward(network, at, batch, &step);
        let rows = layer.cell.gates().len() * layer.hidden;
        let weight =
            Weight { sums: 0..rows, factor: Factor::State(0..layer.hidden) };
        // A split has the mean over sequences of each one's own loss.
        let size = batch.lengths.len();
        let ends = batch.lengths.iter().copied().enumerate().collect();
        let losses = Losses::new(ends, d_state * size as f64);
        let mut split = Split::new(weight);
        let mut walk = Walk::over_lags(&step, &trajectory, &losses);
        let mut lags = 0;
        while let Some(back) = walk.next() {
            split.add(back);
            lags += 1;
        }
        let tape = longlag_autodiff::Tape::new();
        let bound = tape.bind(at);
        let grads = batch.loss(batch.outputs(network, &bound)).backward();
        ByLag {
            gradient: grads.of_parameters(&bound).to_vec(),
            recurrent: at.span(&layer.names.w_hh).range(),
            parts: (0..lags).map(|lag| split.mean(lag)).collect(),
        }
    }

    /// The same after clipping, all parameters together.
    pub fn clip(&mut self, clip: Clip, at: &Parameters<f64>) -> Clipped {
        let before = self.gradient[self.recurrent.clone()].to_vec();
        let clipped = clip.apply(&mut self.gradient, &at.values, at.spans());
        let after = &self.gradient[self.recurrent.clone()];
        rescale(&mut self.parts, &before, after);
        clipped
    }
}

/// Multiplies every entry of the parts by the number that makes `after` of
/// `before`, the entry of their sum.
fn rescale(parts: &mut [Array2<f64>], before: &[f64], after: &[f64]) {
    for part in parts {
        for (i, entry) in part.iter_mut().enumerate() {
            *entry = if before[i] == 0.0 {
                0.0
            } else {
                *entry * (after[i] / before[i])
            };
        }
    }
}
// ANCHOR_END: by_lag

/// Adds `factor` times some parts to others, which may be fewer.
pub fn add(to: &mut Vec<Array2<f64>>, factor: f64, parts: &[Array2<f64>]) {
    if let Some(first) = parts.first() {
        let more = to.len().max(parts.len());
        to.resize(more, Array2::zeros(first.dim()));
    }
    for (to, part) in to.iter_mut().zip(parts) {
        Zip::from(to).and(part).for_each(|to, part| *to += factor * part);
    }
}

/// The norm of each part as a share of the sum of these norms; NaN if all are 0.
pub fn norm_shares(parts: &[Array2<f64>]) -> Vec<f64> {
    let norm = |part: &Array2<f64>| {
        slice::norm(&part.iter().copied().collect::<Vec<f64>>())
    };
    let norms: Vec<f64> = parts.iter().map(norm).collect();
    let all = slice::sum(&norms);
    norms.into_iter().map(|norm| norm / all).collect()
}

/// How much of the whole has another lag in `a` than in `b`: half the sum of the differences of the shares.
pub fn moved(a: &[f64], b: &[f64]) -> f64 {
    let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect();
    0.5 * slice::sum(&apart)
}

/// The share of the lags from half of their number on.
pub fn far_share(shares: &[f64]) -> f64 {
    slice::sum(&shares[shares.len() / 2..])
}

/// An optimizer whose steps on the recurrent weights are told apart by lag.
#[derive(Clone, Debug)]
pub struct Steps {
    config: OptimizerConfig,
    optimizer: Optimizer<f64>,
    /// Each lag's running sum.
    sums: Vec<Array2<f64>>,
}

// ANCHOR: steps
impl Steps {
    /// From the start of a training of so many parameters.
    ///
    /// # Panics
    /// If it is none of SGD, with momentum or without, Adam, and RMSprop
    /// without momentum; or has weight decay, whose steps have no lag.
    #[track_caller]
    pub fn new(config: OptimizerConfig, parameters: usize) -> Steps {
        let known = match config {
            OptimizerConfig::Sgd(sgd) => {
                sgd.dampening == 0.0 && sgd.weight_decay == 0.0
            }
            OptimizerConfig::Adam(adam) => adam.weight_decay == 0.0,
            OptimizerConfig::RmsProp(rms) => {
                rms.momentum == 0.0 && rms.weight_decay == 0.0 && !rms.centered
            }
            _ => false,
        };
        assert!(known, "Steps: the parts of {config:?} are not known");
        Steps { config, optimizer: config.build(parameters), sums: vec![] }
    }

    /// Takes a step, and returns what comes of each lag to that of the
    /// recurrent weights: parts that add up to it.
    pub fn step(
        &mut self,
        at: &mut Parameters<f64>,
        by_lag: &ByLag,
    ) -> Vec<Array2<f64>> {
        let before = at.values.clone();
        self.optimizer.step(&mut at.values, &by_lag.gradient);
        let step: Vec<f64> = by_lag
            .recurrent
            .clone()
            .map(|i| at.values[i] - before[i])
            .collect();
        // What the step is proportional to, entry by entry.
        let (keep, take) = match self.config {
            OptimizerConfig::Sgd(sgd) => (sgd.momentum, 1.0),
            OptimizerConfig::Adam(adam) => (adam.beta1, 1.0 - adam.beta1),
            _ => (0.0, 1.0),
        };
        for sum in &mut self.sums {
            sum.mapv_inplace(|x| keep * x);
        }
        add(&mut self.sums, take, &by_lag.parts);
        let mut parts = self.sums.clone();
        if let OptimizerConfig::Sgd(sgd) = self.config
            && sgd.nesterov
        {
            for part in &mut parts {
                part.mapv_inplace(|x| sgd.momentum * x);
            }
            add(&mut parts, 1.0, &by_lag.parts);
        }
        let sum = parts
            .iter()
            .fold(Array2::zeros(parts[0].dim()), |sum, part| sum + part);
        let sum: Vec<f64> = sum.iter().copied().collect();
        rescale(&mut parts, &sum, &step);
        parts
    }
}
// ANCHOR_END: steps
