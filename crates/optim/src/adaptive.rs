//! Optimizers that divide each entry of the gradient by its own past size.

use crate::optimizer::{Memory, Rule, Slope, parts, zeros};
use crate::settings::{below_one, non_negative};
use longlag_numerics::Float;
use serde::{Deserialize, Serialize};

/// RMSprop. From v = ḡ = u = 0:
///
/// g ← g + λ·θ, v ← α·v + (1 − α)·g², ḡ ← α·ḡ + (1 − α)·g,
/// u ← μ·u + g / (√v + ε), θ ← θ − η·u; centred, √(v − ḡ²) stands for √v.
///
/// Sources: Tieleman & Hinton, "Lecture 6.5: rmsprop", 2012; centred: Graves, "Generating sequences with recurrent
/// neural networks", 2013, equations 38 to 41. Graves has ε under the root; here, as in PyTorch, it is added
/// to the root. Nothing corrects for v's start at 0: the first steps are long, up to η / √(1 − α). Where rounding
/// makes v − ḡ² negative, PyTorch's root is NaN; here it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// α, the decay of the squared gradient's running mean; from 0 to below 1.
    #[serde(deserialize_with = "below_one")]
    pub alpha: f64,
    /// ε, which keeps the denominator from 0; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub epsilon: f64,
    /// μ, from 0 (none) to below 1.
    #[serde(deserialize_with = "below_one")]
    pub momentum: f64,
    /// Whether to divide by the gradient's standard deviation instead of its root mean square.
    pub centered: bool,
    /// λ, 0 or more: a penalty ½λ|θ|² on the loss.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        RmsPropConfig {
            learning_rate: 1e-2,
            alpha: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// Memory: v, u, and if centred ḡ.
impl Rule for RmsPropConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        zeros(2 + usize::from(self.centered), len, &[])
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let [rate, epsilon, momentum] = [self.learning_rate, self.epsilon, self.momentum].map(T::from_f64);
        let [keep, take] = [self.alpha, 1.0 - self.alpha].map(T::from_f64);
        let slope = Slope::new(self.maximize, self.weight_decay);
        let go = |p: &mut T, g: T, variance: T, u: &mut T| {
            *u = momentum * *u + g / (variance.sqrt() + epsilon);
            *p = *p - rate * *u;
        };
        if self.centered {
            let ([v, u, mean], []) = parts(memory);
            let state = v.iter_mut().zip(u).zip(mean);
            for ((p, &g), ((v, u), mean)) in parameters.iter_mut().zip(gradient).zip(state) {
                let g = slope.at(*p, g);
                *v = keep * *v + take * g * g;
                *mean = keep * *mean + take * g;
                go(p, g, (*v - *mean * *mean).at_least(T::ZERO), u);
            }
        } else {
            let ([v, u], []) = parts(memory);
            for ((p, &g), (v, u)) in parameters.iter_mut().zip(gradient).zip(v.iter_mut().zip(u)) {
                let g = slope.at(*p, g);
                *v = keep * *v + take * g * g;
                go(p, g, *v, u);
            }
        }
    }
}

/// Adagrad. At step t, from s = the initial accumulator:
///
/// g ← g + λ·θ, s ← s + g², θ ← θ − η / (1 + (t − 1)·κ) · g / (√s + ε).
///
/// Source: Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
/// 2011, with the diagonal of the matrix. The decay κ of the learning rate is PyTorch's addition; the paper has
/// none, and its ε (δ) stands as here. The steps only ever become shorter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdagradConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// κ, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate_decay: f64,
    /// What s is at the start; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub initial_accumulator: f64,
    /// ε, which keeps the denominator from 0; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub epsilon: f64,
    /// λ, 0 or more: a penalty ½λ|θ|² on the loss.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        AdagradConfig {
            learning_rate: 1e-2,
            learning_rate_decay: 0.0,
            initial_accumulator: 0.0,
            epsilon: 1e-10,
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// Memory: s, and the number of updates.
impl Rule for AdagradConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        let vectors = vec![vec![T::from_f64(self.initial_accumulator); len]];
        Memory { vectors, numbers: vec![0.0] }
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let ([sum], [updates]) = parts(memory);
        let rate = T::from_f64(self.learning_rate / (1.0 + *updates * self.learning_rate_decay));
        *updates += 1.0;
        let epsilon = T::from_f64(self.epsilon);
        let slope = Slope::new(self.maximize, self.weight_decay);
        for ((p, &g), s) in parameters.iter_mut().zip(gradient).zip(sum) {
            let g = slope.at(*p, g);
            *s += g * g;
            *p = *p - rate * g / (s.sqrt() + epsilon);
        }
    }
}

/// Adadelta. From v = d = 0:
///
/// g ← g + λ·θ, v ← ρ·v + (1 − ρ)·g², Δ = √(d + ε) / √(v + ε) · g,
/// d ← ρ·d + (1 − ρ)·Δ², θ ← θ − η·Δ.
///
/// Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1. There is no learning rate in
/// the paper: η = 1, the default here as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdadeltaConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// ρ, the decay of both running means; from 0 to below 1.
    #[serde(deserialize_with = "below_one")]
    pub rho: f64,
    /// ε, which gets the first steps going and keeps the denominator from 0; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub epsilon: f64,
    /// λ, 0 or more: a penalty ½λ|θ|² on the loss.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl Default for AdadeltaConfig {
    fn default() -> Self {
        AdadeltaConfig { learning_rate: 1.0, rho: 0.9, epsilon: 1e-6, weight_decay: 0.0, maximize: false }
    }
}

/// Memory: v and d.
impl Rule for AdadeltaConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        zeros(2, len, &[])
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let ([v, d], []) = parts(memory);
        let [rate, epsilon] = [self.learning_rate, self.epsilon].map(T::from_f64);
        let [keep, take] = [self.rho, 1.0 - self.rho].map(T::from_f64);
        let slope = Slope::new(self.maximize, self.weight_decay);
        for ((p, &g), (v, d)) in parameters.iter_mut().zip(gradient).zip(v.iter_mut().zip(d)) {
            let g = slope.at(*p, g);
            *v = keep * *v + take * g * g;
            let delta = (*d + epsilon).sqrt() / (*v + epsilon).sqrt() * g;
            *d = keep * *d + take * delta * delta;
            *p = *p - rate * delta;
        }
    }
}
