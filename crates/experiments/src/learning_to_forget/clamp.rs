//! An LSTM whose forget gate is held at one value.

use crate::law_of_the_product::driven;
use crate::summary::spread;
use longlag_autodiff::Var;
use longlag_cells::init::Init;
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, Scalar};
use longlag_probe::{ComposedStep, OnTape, RecurrentStep};
use ndarray::{Array2, Axis, Slice, concatenate};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG10_E;

// ANCHOR: clamped
/// An LSTM whose forget gate has no weights, only its bias. The bias is a
/// part of the state that every step hands on, so that the derivative of a
/// later state by it is the tangent of a state like any other. The step's
/// input is what is added to its four pre-activations, (B, 4·H).
#[derive(Clone, Debug)]
pub struct Clamped {
    /// (4·H, H), the rows of the forget gate 0.
    pub w_hh: Array2<f64>,
}

impl ComposedStep for Clamped {
    /// h, c and b_f.
    fn parts(&self) -> Vec<usize> {
        vec![self.w_hh.ncols(); 3]
    }
    fn sums(&self) -> usize {
        self.w_hh.nrows()
    }
    fn record<'t, T: Scalar>(
        &self,
        x: Var<'t, T>,
        state: &[Var<'t, T>],
        dz: Var<'t, T>,
    ) -> Vec<Var<'t, T>> {
        let (tape, [batch, hidden]) = (x.tape(), state[2].shape());
        let constant = |a: &Array2<f64>| tape.constant(&a.mapv(T::of).view());
        let zeros = |columns| constant(&Array2::zeros((batch, columns)));
        let bias = [zeros(hidden), state[2], zeros(2 * hidden)];
        let bias = tape.beside(&bias) + dz;
        let from = [state[0], state[1]];
        let [h, c] = driven(constant(&self.w_hh), x, bias, from);
        vec![h, c, state[2]]
    }
}
// ANCHOR_END: clamped

/// What is measured with a clamped gate.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The forget gate.
    pub f: f64,
    /// The standard deviation of the noise on the other pre-activations.
    pub noise: f64,
    /// Trajectories.
    pub trajectories: usize,
    /// T, in ascending order.
    pub steps: &'a [usize],
}

/// What was found, for each T.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The far state: two copies hear the same and were told the opposite. What is left of their difference in c, median over
    /// trajectories of its norm.
    pub state: Vec<f64>,
    /// The far gradient: log₁₀ of ‖∂c_T/∂c_0 v‖/‖v‖, median over trajectories of random v.
    pub gradient: Vec<f64>,
    /// The gate's own signal: the mean square of ‖∂c_T/∂b_f v‖/‖v‖, in units of the mean square of what is written
    /// into c in a step.
    pub signal: Vec<f64>,
}

impl Clamped {
    /// With recurrent weights of a gain; with 0, the units are on their own and what is written into c is white.
    pub fn draw(hidden: usize, gain: f64, rng: &mut Rng) -> Clamped {
        let mut w_hh = Array2::zeros((4 * hidden, hidden));
        Init::Gaussian { gain }.fill(w_hh.view_mut(), hidden, rng);
        let forget = Slice::from(hidden..2 * hidden);
        w_hh.slice_axis_mut(Axis(0), forget).fill(0.0);
        Clamped { w_hh }
    }

    // ANCHOR: measure
    /// Runs the network from a message c_0 of ±1 in every unit, and for the
    /// gate's own signal from the state 0.
    pub fn measure(&self, probe: &Probe<'_>, rng: &Rng) -> Held {
        let Probe { f, noise, trajectories: rows, steps } = *probe;
        let hidden = self.w_hh.ncols();
        let step = OnTape::new(self.clone());
        let part = |k: usize| Slice::from(k * hidden..(k + 1) * hidden);
        let signs = |label: &str| {
            let mut rng = rng.stream(label);
            Array2::from_shape_simple_fn((rows, hidden), || {
                if rng.below(2) == 0 { -1.0 } else { 1.0 }
            })
        };
        // Three copies, one below the other: told something, told nothing, told the opposite of the first.
        let told = signs("told");
        let nothing = Array2::zeros(told.dim());
        let mut state = Array2::zeros((3 * rows, 3 * hidden));
        let all = concatenate![Axis(0), told, nothing, -&told];
        state.slice_axis_mut(Axis(1), part(1)).assign(&all);
        let bias = Real::ln(f / (1.0 - f));
        state.slice_axis_mut(Axis(1), part(2)).fill(bias);
        // A tangent of the first along c_0, and one of the second along b_f.
        let mut tangent = Array2::zeros((2 * rows, 3 * hidden));
        let (two, second) = (Slice::from(..2 * rows), rows..2 * rows);
        for (k, label) in [(1, "along c"), (2, "along b")] {
            let block = Slice::from((k - 1) * rows..k * rows);
            let mut block = tangent.slice_axis_mut(Axis(0), block);
            block.slice_axis_mut(Axis(1), part(k)).assign(&signs(label));
        }
        let mut decades = vec![0.0; rows];
        let mut hears = rng.stream("noise");
        let (mut held, mut written) = (Held::default(), 0.0);
        for t in 1..=*steps.last().unwrap_or(&0) {
            let once = Array2::from_shape_fn((rows, 4 * hidden), |(_, k)| {
                let forget = (hidden..2 * hidden).contains(&k);
                if forget { 0.0 } else { noise * hears.normal() }
            });
            let x = concatenate![Axis(0), once, once, once];
            let here = state.slice_axis(Axis(0), two);
            let hear = x.slice_axis(Axis(0), two);
            tangent = step.jvp(hear, here, tangent.view());
            let next = step.step(x.view(), state.view());
            let c = |s: &Array2<f64>| {
                let s = s.slice_axis(Axis(1), part(1));
                let rows = Slice::from(second.clone());
                s.slice_axis(Axis(0), rows).to_owned()
            };
            let wrote = c(&next) - c(&state) * f;
            written += mean_square(wrote.iter());
            state = next;
            // The tangent along c may leave the range of numbers: each row is scaled to a largest entry of 1.
            for (row, decades) in decades.iter_mut().enumerate() {
                let mut row = tangent.row_mut(row);
                let most = row.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                if most > 0.0 {
                    row /= most;
                    *decades += Real::ln(most) * LOG10_E;
                }
            }
            if steps.contains(&t) {
                let c = tangent.slice_axis(Axis(1), part(1));
                let size = |row: usize| {
                    let square = mean_square(c.row(row).iter());
                    decades[row] + 0.5 * Real::ln(square) * LOG10_E
                };
                held.gradient.push(median((0..rows).map(size)));
                let along_b = c.slice_axis(Axis(0), Slice::from(rows..));
                let square = mean_square(along_b.iter());
                held.signal.push(square * t as f64 / written);
                let c = state.slice_axis(Axis(1), part(1));
                let copy = |k: usize| {
                    let rows = k * rows..(k + 1) * rows;
                    c.slice_axis(Axis(0), Slice::from(rows))
                };
                let apart = &copy(0) - &copy(2);
                let left = |row| mean_square(apart.row(row).iter()).sqrt();
                held.state.push(median((0..rows).map(|row| left(row) / 2.0)));
            }
        }
        held
    }
    // ANCHOR_END: measure
}

// ANCHOR: law
/// The root mean square of ∂c_T/∂b_f where what is written into c is white,
/// of variance 1: c_T is Σ f^j x_{T−j}, so its derivative by f is
/// Σ j·f^(j−1) x_{T−j}, and that of f by its bias is f·(1 − f).
pub fn signal_of_white_drive(f: f64, steps: usize) -> f64 {
    let (mut sum, mut power) = (0.0, 1.0);
    for j in 1..steps {
        let term = j as f64 * power;
        sum += term * term;
        power *= f;
    }
    f * (1.0 - f) * sum.sqrt()
}
// ANCHOR_END: law

fn mean_square<'a>(x: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let n = x.len() as f64;
    x.map(|x| x * x).sum::<f64>() / n
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    spread(values.collect())[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(f: f64, steps: &[usize]) -> Probe<'_> {
        Probe { f, noise: 0.5, trajectories: 64, steps }
    }

    /// Units on their own: what is told and its gradient shrink by f in each step, and the gate's signal follows the law.
    #[test]
    fn units_on_their_own_follow_the_law() {
        let network = Clamped::draw(8, 0.0, &mut Rng::new(1));
        let steps = [5, 40];
        for f in [0.5, 0.9, 0.99] {
            let held = network.measure(&probe(f, &steps), &Rng::new(2));
            for (k, t) in steps.into_iter().enumerate() {
                // Rounding of t steps.
                let decades = t as f64 * Real::ln(f) * LOG10_E;
                assert!((held.gradient[k] - decades).abs() < 1e-9);
                let left: f64 = (0..t).map(|_| f).product();
                assert!((held.state[k] - left).abs() < 1e-12);
                // Of 512 draws, whose root mean square is off by 3 % or so.
                let ratio = held.signal[k].sqrt() / signal_of_white_drive(f, t);
                assert!((ratio - 1.0).abs() < 0.12, "{f}, {t}: {ratio}");
            }
        }
    }

    #[test]
    fn the_law_as_it_was_computed_once() {
        let all = [(0.5, 0.43), (0.9, 1.5), (0.99, 5.0), (0.999, 9.0)];
        for (f, want) in all.into_iter().chain([(0.9999, 1.7)]) {
            let got = signal_of_white_drive(f, 1000);
            // Given to two digits.
            assert!((got / want - 1.0).abs() < 0.04, "{f}: {got}");
        }
    }

    /// The derivative by b_f along five steps, against differences.
    #[test]
    fn the_bias_is_a_state_like_any_other() {
        let network = Clamped::draw(4, 1.0, &mut Rng::new(3));
        let step = OnTape::new(network);
        let mut rng = Rng::new(4);
        let x: Vec<Array2<f64>> = (0..5)
            .map(|_| Array2::from_shape_simple_fn((1, 16), || rng.normal()))
            .collect();
        let along = Array2::from_shape_fn((1, 12), |(_, k)| {
            if k < 8 { 0.0 } else { (k as f64) - 9.0 }
        });
        let start = |e: f64| &along * e + 0.3;
        let run = |e: f64| {
            let from = start(e);
            x.iter().fold(from, |s, x| step.step(x.view(), s.view()))
        };
        let (mut state, mut tangent) = (start(0.0), along.clone());
        for x in &x {
            tangent = step.jvp(x.view(), state.view(), tangent.view());
            state = step.step(x.view(), state.view());
        }
        let e = 1e-5;
        let differences = (run(e) - run(-e)) / (2.0 * e);
        // Their own error is about e².
        for (a, b) in tangent.iter().zip(&differences) {
            assert!((a - b).abs() < 1e-8, "{a} against {b}");
        }
    }
}
