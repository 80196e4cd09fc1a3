//! Adam and its relatives.

use crate::optimizer::{Memory, Rule, Slope, parts, zeros};
use crate::settings::{below_one, is_default, non_negative};
use longlag_numerics::Float;
use longlag_numerics::precise::{powf, powi};
use serde::{Deserialize, Serialize};

/// Adam with bias correction. At step t, from m = v = 0:
///
/// g ← g + λ·θ, m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g²,
/// θ ← θ − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε);
/// with AMSGrad the largest v so far stands for v in the last line.
///
/// Sources: Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1; Reddi, Kale & Kumar,
/// "On the convergence of Adam and beyond", 2018. As in PyTorch, ε is added after the correction of √v, and
/// AMSGrad corrects for the bias, which its paper does not. Where a schedule changes β₁, the product of all that
/// there were stands for β₁ᵗ: the weights in m add up to 1 minus it. PyTorch takes the latest to the power t.
///
/// A gradient that is small at every step moves the parameters as far as a large one, as long as √v is far
/// above ε.
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
    /// λ, 0 or more: a penalty ½λ|θ|² on the loss, which m and v see; [`AdamWConfig`] keeps it from them.
    #[serde(deserialize_with = "non_negative", skip_serializing_if = "is_default")]
    pub weight_decay: f64,
    /// Whether to divide by the largest v so far.
    #[serde(skip_serializing_if = "is_default")]
    pub amsgrad: bool,
    /// Whether to go up instead of down.
    #[serde(skip_serializing_if = "is_default")]
    pub maximize: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
            maximize: false,
        }
    }
}

/// Memory: m, v, and with AMSGrad the largest v; β₁ᵗ and β₂ᵗ.
impl Rule for AdamConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        zeros(2 + usize::from(self.amsgrad), len, &[1.0, 1.0])
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let &AdamConfig { learning_rate, beta1, beta2, epsilon, .. } = self;
        let [beta1_power, beta2_power] = &mut memory.numbers[..] else { unreachable!("the rule's memory") };
        // By one multiplication a step, which takes a β₁ that changes.
        *beta1_power *= beta1;
        *beta2_power *= beta2;
        let rate = T::from_f64(learning_rate / (1.0 - *beta1_power));
        let correction = T::from_f64((1.0 - *beta2_power).sqrt());
        let means = Means::new(beta1, beta2);
        let epsilon = T::from_f64(epsilon);
        let slope = Slope::new(self.maximize, self.weight_decay);
        if self.amsgrad {
            let ([m, v, largest], [_, _]) = parts(memory);
            let moments = m.iter_mut().zip(v).zip(largest);
            for ((p, &g), ((m, v), largest)) in parameters.iter_mut().zip(gradient).zip(moments) {
                let g = slope.at(*p, g);
                means.update(m, v, g);
                *largest = v.at_least(*largest);
                *p = *p - rate * *m / (largest.sqrt() / correction + epsilon);
            }
        } else {
            let ([m, v], [_, _]) = parts(memory);
            let moments = m.iter_mut().zip(v);
            for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
                let g = slope.at(*p, g);
                means.update(m, v, g);
                *p = *p - rate * *m / (v.sqrt() / correction + epsilon);
            }
        }
    }
}

/// The running means that they all keep: m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g².
struct Means<T> {
    /// β₁ and 1 − β₁, β₂ and 1 − β₂.
    of_gradient: [T; 2],
    of_square: [T; 2],
}

impl<T: Float> Means<T> {
    fn new(beta1: f64, beta2: f64) -> Means<T> {
        let of = |beta: f64| [beta, 1.0 - beta].map(T::from_f64);
        Means { of_gradient: of(beta1), of_square: of(beta2) }
    }
    #[inline(always)]
    fn update(&self, m: &mut T, v: &mut T, g: T) {
        let [keep, take] = self.of_gradient;
        *m = keep * *m + take * g;
        let [keep, take] = self.of_square;
        *v = keep * *v + take * g * g;
    }
}

/// θ ← (1 − η·λ)·θ: weight decay that no gradient sees.
fn shrink<T: Float>(parameters: &mut [T], learning_rate: f64, weight_decay: f64) {
    if weight_decay != 0.0 {
        let keep = T::from_f64(1.0 - learning_rate * weight_decay);
        parameters.iter_mut().for_each(|p| *p = keep * *p);
    }
}

/// How much of the weight decay shrinks the parameters, and how much is a penalty that m and v see.
fn apart(weight_decay: f64, decoupled: bool) -> [f64; 2] {
    if decoupled { [weight_decay, 0.0] } else { [0.0, weight_decay] }
}

/// Adam with decoupled weight decay: θ ← (1 − η·λ)·θ, then the step of [`AdamConfig`] without λ.
///
/// Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2. There the decay is not
/// multiplied by η but by the schedule's factor alone; here, as in PyTorch, by the learning rate in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
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
    /// λ, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether to divide by the largest v so far.
    pub amsgrad: bool,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl AdamWConfig {
    /// The step behind the decay.
    fn adam(&self) -> AdamConfig {
        let &AdamWConfig { learning_rate, beta1, beta2, epsilon, weight_decay: _, amsgrad, maximize } = self;
        AdamConfig { learning_rate, beta1, beta2, epsilon, weight_decay: 0.0, amsgrad, maximize }
    }
}

impl Default for AdamWConfig {
    fn default() -> Self {
        let AdamConfig { learning_rate, beta1, beta2, epsilon, weight_decay: _, amsgrad, maximize } =
            AdamConfig::default();
        AdamWConfig { learning_rate, beta1, beta2, epsilon, weight_decay: 0.01, amsgrad, maximize }
    }
}

/// Memory: that of Adam.
impl Rule for AdamWConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        self.adam().start(len)
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        shrink(parameters, self.learning_rate, self.weight_decay);
        self.adam().step(memory, parameters, gradient);
    }
}

/// Adam with Nesterov's momentum. At step t, with m and v as in [`AdamConfig`]:
///
/// μₜ = β₁·(1 − ½·0.96^(t·ψ)), Mₜ = μ₁·…·μₜ,
/// θ ← θ − η·((1 − μₜ)·g / (1 − Mₜ) + μₜ₊₁·m / (1 − Mₜ₊₁)) / (√(v / (1 − β₂ᵗ)) + ε).
///
/// Source: Dozat 2016, "Incorporating Nesterov momentum into Adam". The paper leaves the schedule of μ open and
/// weighs m's average by μₜ as well; here, as in PyTorch, m has the constant β₁.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NAdamConfig {
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
    /// ψ, how fast μ rises from ½β₁ to β₁; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub momentum_decay: f64,
    /// λ, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether λ shrinks the parameters, θ ← (1 − η·λ)·θ, instead of being a penalty that m and v see.
    pub decoupled_weight_decay: bool,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl Default for NAdamConfig {
    fn default() -> Self {
        NAdamConfig {
            learning_rate: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            momentum_decay: 4e-3,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

/// Memory: m and v; Mₜ and t.
impl Rule for NAdamConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        zeros(2, len, &[1.0, 0.0])
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let &NAdamConfig { learning_rate, beta1, beta2, epsilon, weight_decay, .. } = self;
        let ([m, v], [product, t]) = parts(memory);
        *t += 1.0;
        let mu = |t: f64| beta1 * (1.0 - 0.5 * powf(0.96, t * self.momentum_decay));
        let (now, next) = (mu(*t), mu(*t + 1.0));
        *product *= now;
        let of_gradient = T::from_f64(learning_rate * (1.0 - now) / (1.0 - *product));
        let of_mean = T::from_f64(learning_rate * next / (1.0 - *product * next));
        let correction = T::from_f64(1.0 - powi(beta2, *t as u64));
        let means = Means::new(beta1, beta2);
        let epsilon = T::from_f64(epsilon);
        let [decay, penalty] = apart(weight_decay, self.decoupled_weight_decay);
        shrink(parameters, learning_rate, decay);
        let slope = Slope::new(self.maximize, penalty);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(m.iter_mut().zip(v)) {
            let g = slope.at(*p, g);
            means.update(m, v, g);
            *p = *p - (of_gradient * g + of_mean * *m) / ((*v / correction).sqrt() + epsilon);
        }
    }
}

/// Rectified Adam. At step t, with m and v as in [`AdamConfig`]:
///
/// ρ∞ = 2 / (1 − β₂) − 1, ρₜ = ρ∞ − 2t·β₂ᵗ / (1 − β₂ᵗ), m̂ = m / (1 − β₁ᵗ);
/// if ρₜ > 5: r = √((ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ)), θ ← θ − η·r·m̂·√(1 − β₂ᵗ) / (√v + ε);
/// else θ ← θ − η·m̂.
///
/// Source: Liu, Jiang, He, Chen, Liu, Gao & Han 2020, "On the variance of the adaptive learning rate and beyond",
/// algorithm 2. The paper switches at ρₜ > 4, its authors' code and PyTorch at 5; ε, which the paper leaves out,
/// stands as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RAdamConfig {
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
    /// λ, 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
    /// Whether λ shrinks the parameters, θ ← (1 − η·λ)·θ, instead of being a penalty that m and v see.
    pub decoupled_weight_decay: bool,
    /// Whether to go up instead of down.
    pub maximize: bool,
}

impl Default for RAdamConfig {
    fn default() -> Self {
        RAdamConfig {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

/// Memory: m and v; β₁ᵗ and t.
impl Rule for RAdamConfig {
    fn start<T: Float>(&self, len: usize) -> Memory<T> {
        zeros(2, len, &[1.0, 0.0])
    }
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
        let &RAdamConfig { learning_rate, beta1, beta2, epsilon, weight_decay, .. } = self;
        let ([m, v], [beta1_power, t]) = parts(memory);
        *t += 1.0;
        *beta1_power *= beta1;
        let beta2_power = powi(beta2, *t as u64);
        let limit = 2.0 / (1.0 - beta2) - 1.0;
        let length = limit - 2.0 * *t * beta2_power / (1.0 - beta2_power);
        let plain = learning_rate / (1.0 - *beta1_power);
        let adaptive = (length > 5.0).then(|| {
            let rectified =
                (length - 4.0) * (length - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * length);
            T::from_f64(plain * (rectified * (1.0 - beta2_power)).sqrt())
        });
        let plain = T::from_f64(plain);
        let means = Means::new(beta1, beta2);
        let epsilon = T::from_f64(epsilon);
        let [decay, penalty] = apart(weight_decay, self.decoupled_weight_decay);
        shrink(parameters, learning_rate, decay);
        let slope = Slope::new(self.maximize, penalty);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(m.iter_mut().zip(v)) {
            let g = slope.at(*p, g);
            means.update(m, v, g);
            *p = *p
                - match adaptive {
                    Some(rate) => rate * *m / (v.sqrt() + epsilon),
                    None => plain * *m,
                };
        }
    }
}
