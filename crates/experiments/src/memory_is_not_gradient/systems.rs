//! The systems, and what they are told.

use crate::summary::spread;
use longlag_cells::init::Init;
use longlag_numerics::Real;
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_probe::products::singular_values;
use longlag_probe::{RecurrentStep, StepGradients, Trajectory};
use ndarray::{Array2, Array3, ArrayView2};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG10_E;

/// What is known of a system before its weights are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name, in figures and keys of the report.
    pub name: String,
    /// How its recurrent weights W are drawn.
    pub weights: Init,
    /// Whether its units are hyperbolic tangents; else it is linear.
    pub tanh: bool,
}

impl Kind {
    /// A system of that name, with tanh units or linear.
    pub fn new(name: &str, weights: Init, tanh: bool) -> Kind {
        Kind { name: name.to_owned(), weights, tanh }
    }

    /// With weights, for H units.
    pub fn draw(&self, hidden: usize, rng: &mut Rng) -> System {
        let mut w = Array2::zeros((hidden, hidden));
        self.weights.fill(w.view_mut(), hidden, rng);
        System { w, tanh: self.tanh }
    }
}

// ANCHOR: systems
/// What contracts, what turns, what is chaotic, and what latches.
pub fn four() -> Vec<Kind> {
    let orthogonal = |gain| Init::Orthogonal { gain };
    vec![
        Kind::new("contraction", orthogonal(0.5), false),
        Kind::new("orthogonal", orthogonal(1.0), false),
        Kind::new("chaos", Init::Gaussian { gain: 4.0 }, true),
        Kind::new("latch", Init::Identity { scale: 2.0 }, true),
    ]
}
// ANCHOR_END: systems

// ANCHOR: step
/// h_t = W·h_{t−1} + x_t, or its tanh, unit by unit.
#[derive(Clone, Debug)]
pub struct System {
    /// W, (H, H).
    pub w: Array2<f64>,
    /// Whether the tanh is taken.
    pub tanh: bool,
}

impl RecurrentStep for System {
    fn state_size(&self) -> usize {
        self.w.nrows()
    }
    fn step(&self, x: ArrayView2<f64>, h: ArrayView2<f64>) -> Array2<f64> {
        let mut z = x.to_owned();
        product(h, self.w.t(), z.view_mut(), true);
        if self.tanh { z.mapv_into(Real::tanh) } else { z }
    }
    fn vjp(
        &self,
        x: ArrayView2<f64>,
        h: ArrayView2<f64>,
        d_next: ArrayView2<f64>,
    ) -> StepGradients {
        let mut d_z = d_next.to_owned();
        if self.tanh {
            d_z *= &self.step(x, h).mapv(|h| 1.0 - h * h);
        }
        let mut d_state = Array2::zeros(h.dim());
        product(d_z.view(), self.w.view(), d_state.view_mut(), false);
        StepGradients { d_state, d_x: d_z.clone(), d_z }
    }
}
// ANCHOR_END: step

// ANCHOR: messages
/// What a system is told before the noise begins: a bit, −1 or 1, and a
/// number between them, both equally likely everywhere.
///
/// Shape (B, 2).
pub fn messages(count: usize, rng: &mut Rng) -> Array2<f64> {
    Array2::from_shape_fn((count, 2), |(_, part)| match part {
        0 if rng.below(2) == 0 => -1.0,
        0 => 1.0,
        _ => rng.uniform_in(-1.0, 1.0),
    })
}

/// A system that is told messages and then hears noise.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The system.
    pub system: System,
    /// What a unit hears of bit and number, (2, H).
    pub written: Array2<f64>,
    /// The standard deviation of the noise in each unit at each step.
    pub noise: f64,
}

impl Listener {
    /// h_0, (B, H): a step from the state 0 with the messages (B, 2) as
    /// input. There is no noise in it yet.
    pub fn told(&self, messages: &Array2<f64>) -> Array2<f64> {
        let mut x = Array2::zeros((messages.nrows(), self.written.ncols()));
        let written = self.written.view();
        product(messages.view(), written, x.view_mut(), false);
        self.system.step(x.view(), Array2::zeros(x.dim()).view())
    }

    /// The input of a step, (B, H).
    fn hears(&self, rows: usize, rng: &mut Rng) -> Array2<f64> {
        let shape = (rows, self.written.ncols());
        Array2::from_shape_simple_fn(shape, || self.noise * rng.normal())
    }

    /// h_T, (B, H), for each T of `steps`, in ascending order.
    pub fn states(
        &self,
        messages: &Array2<f64>,
        steps: &[usize],
        rng: &mut Rng,
    ) -> Vec<Array2<f64>> {
        let mut h = self.told(messages);
        let mut kept = Vec::new();
        for t in 1..=*steps.last().unwrap_or(&0) {
            let x = self.hears(h.nrows(), rng);
            h = self.system.step(x.view(), h.view());
            if steps.contains(&t) {
                kept.push(h.clone());
            }
        }
        kept
    }

    /// log₁₀ ‖∂h_T/∂h_0‖, the largest singular value, for each T of
    /// `steps`: the median over the messages, each with its own noise.
    pub fn gradient(
        &self,
        messages: &Array2<f64>,
        steps: &[usize],
        rng: &mut Rng,
    ) -> Vec<f64> {
        let start = self.told(messages);
        let longest = *steps.last().unwrap_or(&0);
        let mut x = Array3::zeros((longest, start.nrows(), start.ncols()));
        for mut x in x.outer_iter_mut() {
            x.assign(&self.hears(start.nrows(), rng));
        }
        let trajectory = Trajectory::run(&self.system, x, start.view());
        let norms: Vec<Vec<f64>> = (0..messages.nrows())
            .map(|row| norms(trajectory.jacobians(&self.system, row), steps))
            .collect();
        let at = |i| norms.iter().map(|of| of[i]).collect();
        (0..steps.len()).map(|i| spread(at(i))[1]).collect()
    }
}
// ANCHOR_END: messages

/// log₁₀ ‖J_T·…·J_1‖ for each T of `steps`.
///
/// The product is formed, scaled to entries of 1 at most. That costs the small singular values all their digits,
/// but the largest one only rounding.
fn norms(
    jacobians: impl Iterator<Item = Array2<f64>>,
    steps: &[usize],
) -> Vec<f64> {
    let mut all = Vec::new();
    let mut so_far: Option<Array2<f64>> = None;
    let mut decades = 0.0;
    for (t, j) in (1..).zip(jacobians) {
        let mut next = match so_far {
            None => j,
            Some(before) => {
                let mut next = Array2::zeros(j.dim());
                product(j.view(), before.view(), next.view_mut(), false);
                next
            }
        };
        let largest = next.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if largest > 0.0 {
            next /= largest;
            decades += Real::ln(largest) * LOG10_E;
        }
        if steps.contains(&t) {
            let norm = singular_values(std::slice::from_ref(&next))[0];
            all.push(decades + norm);
        }
        so_far = Some(next);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{four, norms};
    use longlag_numerics::random::Rng;
    use longlag_probe::products::singular_values;
    use ndarray::Array2;

    /// Rounding of 60 products of matrices of 8 rows, in decades.
    const ROUNDING: f64 = 1e-12;

    #[test]
    fn the_norm_of_a_formed_product_is_its_largest_singular_value() {
        for kind in four() {
            let mut rng = Rng::new(1);
            let w = kind.draw(8, &mut rng).w;
            // Each row by a slope of its own, as along a trajectory.
            let mut factor = || {
                let mut j = w.clone();
                j.rows_mut().into_iter().for_each(|mut r| r *= rng.uniform());
                j
            };
            let factors: Vec<Array2<f64>> = (0..60).map(|_| factor()).collect();
            let got = norms(factors.iter().cloned(), &[1, 7, 60]);
            for (got, t) in got.iter().zip([1, 7, 60]) {
                let want = singular_values(&factors[..t])[0];
                assert!((got - want).abs() < ROUNDING, "{got}, not {want}");
            }
        }
    }
}
