use crate::optimizer::{Memory, Rule, Slope};
use crate::settings::{below_one, is_default, non_negative, share};
use longlag_numerics::Float;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent, with momentum μ in PyTorch's form:
///
/// g ← g + λ·θ, u ← μ·u + (1 − τ)·g, θ ← θ − η·u, with u = g at the first step;
/// with Nesterov's momentum θ ← θ − η·(g + μ·u) instead.
///
/// Sources: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever, Martens,
/// Dahl & Hinton, "On the importance of initialization and momentum in deep learning", 2013. In both papers the
/// learning rate stands inside the velocity, v ← μ·v − η·g; here, as in PyTorch, outside: a changed rate acts at
/// once on the whole velocity. Sutskever's Nesterov takes the gradient at θ + μ·v; PyTorch's form is that with
/// the parameters read as being there already. PyTorch refuses Nesterov without momentum or with dampening; here
/// the equations say what that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// μ, from 0 (none) to below 1.
    #[serde(deserialize_with = "below_one")]
    pub momentum: f64,
    /// τ, the share of each gradient but the first that does not go into the velocity.
    #[serde(deserialize_with = "share", skip_serializing_if = "is_default")]
    pub dampening: f64,
    /// Whether the step looks ahead along the velocity.
    #[serde(skip_serializing_if = "is_default")]
    pub nesterov: bool,
    /// λ, 0 or more: a penalty ½λ|θ|² on the loss.
    #[serde(deserialize_with = "non_negative", skip_serializing_if = "is_default")]
    pub weight_decay: f64,
    /// Whether to go up instead of down; the penalty still pulls towards 0.
    #[serde(skip_serializing_if = "is_default")]
    pub maximize: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig {
            learning_rate: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// Memory: u; with dampening also whether there was a step.
impl Rule for SgdConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        let numbers = if self.dampening == 0.0 { vec![] } else { vec![0.0] };
        Memory { vectors: vec![vec![T::ZERO; len]], numbers }
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let first = memory.numbers.first_mut().is_some_and(|done| std::mem::replace(done, 1.0) == 0.0);
        let dampening = if first { 0.0 } else { self.dampening };
        let [rate, momentum, take] = [self.learning_rate, self.momentum, 1.0 - dampening].map(T::from_f64);
        let slope = Slope::new(self.maximize, self.weight_decay);
        let nesterov = self.nesterov;
        for ((p, &g), u) in parameters.iter_mut().zip(gradient).zip(&mut memory.vectors[0]) {
            let g = slope.at(*p, g);
            *u = momentum * *u + take * g;
            *p = *p - rate * if nesterov { g + momentum * *u } else { *u };
        }
    }
}
