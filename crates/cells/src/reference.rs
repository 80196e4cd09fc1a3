//! The definition of each cell in plain loops over single numbers.
//!
//! It shares the cells' equations with the tape, but no product, no arena and no backward rule. Over
//! [`Dual`](longlag_autodiff::Dual) numbers it is the oracle that gradients are checked against; over `f64`
//! the one that values are.

use crate::cell::Cell;
use crate::gru::{GruCandidate, GruEquations, GruGates};
use crate::layer::Layer;
use crate::lstm::LstmEquations;
use crate::recurrent_cell::{State, Weights};
use crate::rnn::{RnnRelu, RnnTanh};
use longlag_numerics::{Parameters, Pointwise, Scalar};
use ndarray::ArrayView2;

impl<R: Scalar> Weights<ArrayView2<'_, R>> {
    /// Row `k` of W_ih x + b_ih.
    fn input_sum(&self, k: usize, x: &[R]) -> R {
        inner(self.w_ih, k, x) + self.b_ih[[0, k]]
    }
    /// Row `k` of W_hh h + b_hh.
    fn state_sum(&self, k: usize, h: &[R]) -> R {
        inner(self.w_hh, k, h) + self.b_hh[[0, k]]
    }
    /// Row `k` of the sum of both.
    fn sum(&self, k: usize, x: &[R], h: &[R]) -> R {
        self.input_sum(k, x) + self.state_sum(k, h)
    }
}

fn inner<R: Scalar>(w: ArrayView2<R>, row: usize, x: &[R]) -> R {
    w.row(row).iter().zip(x).fold(R::of(0.0), |s, (&w, &x)| s + w * x)
}

/// One step of one sequence: `x` has I numbers, the state's vectors have H.
///
/// Panics if the parameters are not those of the layer, or if a state c is missing.
#[track_caller]
pub fn step<R: Scalar>(
    layer: &Layer,
    parameters: &Parameters<R>,
    x: &[R],
    s: &State<Vec<R>>,
) -> State<Vec<R>> {
    let n = layer.hidden;
    let w = layer.views(parameters);
    let h = &s.h[..];
    let plain = |equations: &dyn Fn(R) -> R| -> Vec<R> {
        (0..n).map(|j| equations(w.sum(j, x, h))).collect()
    };
    match layer.cell {
        Cell::RnnTanh => {
            State { h: plain(&|a| RnnTanh.apply([a])[0]), c: None }
        }
        Cell::RnnRelu => {
            State { h: plain(&|a| RnnRelu.apply([a])[0]), c: None }
        }
        Cell::Lstm => {
            let c = s.c.as_ref().expect("an LSTM has a cell state");
            let unit = |j| {
                let [a_i, a_f, a_g, a_o] =
                    [0, 1, 2, 3].map(|gate| w.sum(gate * n + j, x, h));
                LstmEquations.apply([a_i, a_f, a_g, a_o, c[j]])
            };
            let (h, c) = (0..n).map(unit).map(|[h, c, ..]| (h, c)).unzip();
            State { h, c: Some(c) }
        }
        Cell::LstmVariant(parts) => {
            let c = s.c.as_ref().expect("an LSTM has a cell state");
            let unit = |j| {
                let absent = R::of(0.0);
                let a = |gate| match parts.place(gate) {
                    Some(k) => w.sum(k * n + j, x, h),
                    None => absent,
                };
                let p = |gate| match (parts.peephole(gate), w.per_unit) {
                    (Some(k), Some(p)) => p[[k, j]],
                    _ => absent,
                };
                let (a, p) = ([0, 1, 2, 3].map(a), [0, 1, 3].map(p));
                parts.apply([a[0], a[1], a[2], a[3], c[j], p[0], p[1], p[2]])
            };
            let (h, c) = (0..n).map(unit).map(|[h, c, ..]| (h, c)).unzip();
            State { h, c: Some(c) }
        }
        Cell::Gru => {
            let unit = |j| {
                let [a_r, a_z] = [0, 1].map(|gate| w.sum(gate * n + j, x, h));
                let k = 2 * n + j;
                GruEquations.apply([
                    a_r,
                    a_z,
                    w.input_sum(k, x),
                    w.state_sum(k, h),
                    h[j],
                ])[0]
            };
            State { h: (0..n).map(unit).collect(), c: None }
        }
        Cell::GruResetBefore => {
            let kept: Vec<R> = (0..n)
                .map(|j| GruGates.apply([w.sum(j, x, h), h[j]])[0])
                .collect();
            let unit = |j| {
                let a_n = w.sum(2 * n + j, x, &kept);
                GruCandidate.apply([w.sum(n + j, x, h), a_n, h[j]])[0]
            };
            State { h: (0..n).map(unit).collect(), c: None }
        }
    }
}

/// All states of one sequence `x` (T, I) from the state `start`, which is index 0 of the result.
#[track_caller]
pub fn states<R: Scalar>(
    layer: &Layer,
    parameters: &Parameters<R>,
    x: ArrayView2<R>,
    start: State<Vec<R>>,
) -> Vec<State<Vec<R>>> {
    let mut states = vec![start];
    for x in x.rows() {
        let last = states.last().expect("the start is there");
        states.push(step(layer, parameters, &x.to_vec(), last));
    }
    states
}
