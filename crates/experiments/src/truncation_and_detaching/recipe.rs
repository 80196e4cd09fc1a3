//! A recipe for truncated backpropagation through time that is often copied, and what it computes.

// ANCHOR: recipe
/// A recipe for backpropagation through stored states, on the smallest
/// network there is: x_t = w · x_{t−1}, all numbers.
///
/// Every state is kept twice, detached, as the next step reads it, and as
/// the step gave it. After step t the gradient of x_t goes back one step,
/// arrives in the detached state's `gradient`, and from there goes on
/// through the stored step before it, as far as there are stored states.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// w.
    pub weight: f64,
    /// x_0.
    pub first: f64,
    /// Whether the gradients in the stored states are set to 0 before each
    /// pass. The recipe doesn't.
    pub clear: bool,
}

impl Recipe {
    /// What it gives for ∂x_t/∂w, for t from 1 to `steps`.
    pub fn gradients(&self, steps: usize) -> Vec<f64> {
        let Recipe { weight, first, clear } = *self;
        // The detached states x_0, x_1 … and the gradients in them.
        let (mut states, mut gradients) = (vec![first], vec![0.0]);
        let mut found = vec![];
        for t in 1..=steps {
            if clear {
                gradients.fill(0.0);
            }
            let (mut by_weight, mut arriving) = (0.0, 1.0);
            for k in (0..t).rev() {
                // Step k + 1 took x_k to w · x_k.
                by_weight += arriving * states[k];
                // Automatic differentiation adds to what is there.
                gradients[k] += arriving * weight;
                arriving = gradients[k];
            }
            found.push(by_weight);
            states.push(weight * states[t - 1]);
            gradients.push(0.0);
        }
        found
    }
}
// ANCHOR_END: recipe

/// ∂x_t/∂w = t w^(t−1) x_0, for t from 1 to `steps`.
pub fn chain_rule(weight: f64, first: f64, steps: usize) -> Vec<f64> {
    let mut power = first;
    let at = |t: usize| {
        let derivative = t as f64 * power;
        power *= weight;
        derivative
    };
    (1..=steps).map(at).collect()
}
