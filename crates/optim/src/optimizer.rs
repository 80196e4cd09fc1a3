//! Optimizers.

use longlag_numerics::Float;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::fmt::{self, Debug};

/// Turns gradients into changes of the parameters.
pub trait Optimizer<T>: Debug + Send {
    /// One update of `parameters` against `gradient`; allocates nothing.
    ///
    /// Panics if their lengths differ from the one the optimizer was made for.
    #[track_caller]
    fn step(&mut self, parameters: &mut [T], gradient: &[T]);
    /// What it remembers from update to update.
    fn memory(&self) -> Memory<T>;
    /// Goes on from what an optimizer of the same settings remembered.
    ///
    /// # Errors
    /// If the memory is that of another kind of optimizer, or of another number of parameters; then nothing
    /// changes.
    fn restore(&mut self, memory: Memory<T>) -> Result<(), ForeignMemory>;
}

/// What an optimizer remembers from update to update: with it, a training goes on to the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory<T> {
    /// Numbers for each parameter: vectors of the parameters' length.
    pub vectors: Vec<Vec<T>>,
    /// Numbers for all parameters together.
    pub numbers: Vec<f64>,
}

/// A [`Memory`] that isn't an optimizer's of the same kind and number of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignMemory;

impl fmt::Display for ForeignMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the optimizer's memory is that of another optimizer, or of other parameters")
    }
}
impl std::error::Error for ForeignMemory {}

impl<T> Memory<T> {
    /// Its parts, if there are as many as wanted, and the vectors are of this length.
    fn parts<const V: usize, const N: usize>(
        self,
        len: usize,
    ) -> Result<([Vec<T>; V], [f64; N]), ForeignMemory> {
        let vectors: [Vec<T>; V] = self.vectors.try_into().map_err(|_| ForeignMemory)?;
        let numbers = self.numbers.try_into().map_err(|_| ForeignMemory)?;
        if vectors.iter().all(|v| v.len() == len) { Ok((vectors, numbers)) } else { Err(ForeignMemory) }
    }
}

/// Which optimizer, with which settings; in a config `{ "adam": { "learning_rate": 0.001 } }`.
///
/// Settings that are left out have PyTorch's defaults; an unknown one is an error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd(SgdConfig),
    /// Adam.
    Adam(AdamConfig),
}

impl OptimizerConfig {
    /// The optimizer for `len` parameters, in its first state.
    pub fn build<T: Float>(self, len: usize) -> Box<dyn Optimizer<T>> {
        match self {
            OptimizerConfig::Sgd(config) => Box::new(Sgd::new(config, len)),
            OptimizerConfig::Adam(config) => Box::new(Adam::new(config, len)),
        }
    }
}

/// The settings of [`Sgd`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// μ, from 0 (none) to below 1.
    #[serde(deserialize_with = "below_one")]
    pub momentum: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { learning_rate: 1e-3, momentum: 0.0 }
    }
}

/// Stochastic gradient descent with momentum, in PyTorch's form:
///
/// u ← μ·u + g, θ ← θ − η·u, with u = 0 at the start.
///
/// The learning rate stands outside the velocity u, unlike in Polyak 1964: a changed rate acts at once.
#[derive(Clone, Debug)]
pub struct Sgd<T> {
    config: SgdConfig,
    velocity: Vec<T>,
}

impl<T: Float> Sgd<T> {
    /// For `len` parameters.
    pub fn new(config: SgdConfig, len: usize) -> Sgd<T> {
        Sgd { config, velocity: vec![T::ZERO; len] }
    }
}

impl<T: Float> Optimizer<T> for Sgd<T> {
    #[track_caller]
    fn step(&mut self, parameters: &mut [T], gradient: &[T]) {
        check_lengths("Sgd", self.velocity.len(), parameters.len(), gradient.len());
        let [rate, momentum] = [self.config.learning_rate, self.config.momentum].map(T::from_f64);
        for ((p, &g), u) in parameters.iter_mut().zip(gradient).zip(&mut self.velocity) {
            *u = momentum * *u + g;
            *p = *p - rate * *u;
        }
    }
    fn memory(&self) -> Memory<T> {
        Memory { vectors: vec![self.velocity.clone()], numbers: vec![] }
    }
    fn restore(&mut self, memory: Memory<T>) -> Result<(), ForeignMemory> {
        let ([velocity], []) = memory.parts(self.velocity.len())?;
        self.velocity = velocity;
        Ok(())
    }
}

/// The settings of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// η, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub learning_rate: f64,
    /// β₁, the decay of the gradient's running mean; from 0 to below 1.
    #[serde(deserialize_with = "below_one")]
    pub beta1: f64,
    /// β₂, the decay of the squared gradient's running mean; from 0 to below 1.
    #[serde(deserialize_with = "below_one")]
    pub beta2: f64,
    /// ε, which keeps the denominator from 0; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub epsilon: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// Adam with bias correction. At step t, from m = v = 0:
///
/// m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g²,
/// θ ← θ − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
///
/// Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1. As in PyTorch, ε is
/// added after the correction of √v.
///
/// A gradient that is small at every step moves the parameters as far as a large one, as long as √v is far
/// above ε.
#[derive(Clone, Debug)]
pub struct Adam<T> {
    config: AdamConfig,
    mean: Vec<T>,
    mean_square: Vec<T>,
    // β₁ᵗ and β₂ᵗ, by one multiplication a step: `powi` differs between platforms.
    beta1_power: f64,
    beta2_power: f64,
}

impl<T: Float> Adam<T> {
    /// For `len` parameters.
    pub fn new(config: AdamConfig, len: usize) -> Adam<T> {
        let zeros = vec![T::ZERO; len];
        Adam { config, mean: zeros.clone(), mean_square: zeros, beta1_power: 1.0, beta2_power: 1.0 }
    }
}

impl<T: Float> Optimizer<T> for Adam<T> {
    #[track_caller]
    fn step(&mut self, parameters: &mut [T], gradient: &[T]) {
        check_lengths("Adam", self.mean.len(), parameters.len(), gradient.len());
        let AdamConfig { learning_rate, beta1, beta2, epsilon } = self.config;
        self.beta1_power *= beta1;
        self.beta2_power *= beta2;
        let rate = T::from_f64(learning_rate / (1.0 - self.beta1_power));
        let correction = T::from_f64((1.0 - self.beta2_power).sqrt());
        let [keep1, take1] = [beta1, 1.0 - beta1].map(T::from_f64);
        let [keep2, take2] = [beta2, 1.0 - beta2].map(T::from_f64);
        let epsilon = T::from_f64(epsilon);
        let moments = self.mean.iter_mut().zip(&mut self.mean_square);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *m = keep1 * *m + take1 * g;
            *v = keep2 * *v + take2 * g * g;
            *p = *p - rate * *m / (v.sqrt() / correction + epsilon);
        }
    }
    fn memory(&self) -> Memory<T> {
        let vectors = vec![self.mean.clone(), self.mean_square.clone()];
        Memory { vectors, numbers: vec![self.beta1_power, self.beta2_power] }
    }
    fn restore(&mut self, memory: Memory<T>) -> Result<(), ForeignMemory> {
        let ([mean, mean_square], [beta1_power, beta2_power]) = memory.parts(self.mean.len())?;
        *self = Adam { config: self.config, mean, mean_square, beta1_power, beta2_power };
        Ok(())
    }
}

#[track_caller]
fn check_lengths(name: &str, len: usize, parameters: usize, gradient: usize) {
    assert!(
        parameters == len && gradient == len,
        "{name}::step: made for {len} parameters, given {parameters} and a gradient of {gradient}"
    );
}

/// Reads a number from 0 on. The check stands here so that a config's mistake is told with its line.
fn non_negative<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if x >= 0.0 { Ok(x) } else { Err(D::Error::custom(format_args!("{x} must be 0 or more"))) }
}

/// Reads a number from 0 to below 1, the share of the past that a running average keeps.
fn below_one<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if (0.0..1.0).contains(&x) {
        Ok(x)
    } else {
        Err(D::Error::custom(format_args!("{x} must be at least 0 and below 1")))
    }
}
