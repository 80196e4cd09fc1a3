//! The definition of each cell in plain loops over single numbers.
//!
//! It shares the cells' equations with the tape, but no product, no arena and no backward rule. Over
//! [`Dual`](longlag_autodiff::Dual) numbers it is the oracle that gradients are checked against; over `f64`
//! the one that values are.

use crate::cell::Cell;
use crate::gru::{GruCandidate, GruEquations, GruGates};
use crate::janet::JanetEquations;
use crate::layer::Layer;
use crate::layer_norm_lstm::{
    EPSILON, LayerNormLstmMemory, LayerNormLstmOutput,
};
use crate::lstm::LstmEquations;
use crate::lstm_1997::MemoryCell;
use crate::mgu::MguCandidate;
use crate::min_gru::MinGruEquations;
use crate::min_lstm::MinLstmEquations;
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use crate::rnn::{RnnRelu, RnnTanh};
use crate::skip_rnn::SKIP;
use longlag_numerics::{Parameters, Pointwise, Real, Scalar};
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

/// (v − mean) / √(variance + ε).
fn normalised<R: Scalar>(v: &[R]) -> Vec<R> {
    let n = R::of(v.len() as f64);
    let mean = |v: &[R]| v.iter().fold(R::of(0.0), |s, &v| s + v) / n;
    let middle = mean(v);
    let centred: Vec<R> = v.iter().map(|&v| v - middle).collect();
    let squares: Vec<R> = centred.iter().map(|&v| v * v).collect();
    let size = Real::sqrt(mean(&squares) + R::of(EPSILON));
    centred.into_iter().map(|v| v / size).collect()
}

/// One step of one sequence: `x` has I numbers, the state's vectors are as wide as the cell says.
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
        Cell::LeakyRnn(cell) => {
            let unit = |j| cell.unit(w.sum(j, x, h), h[j]);
            State { h: (0..n).map(unit).collect(), c: None }
        }
        Cell::SkipRnn(_) => {
            let (h_prev, h_skip) = (&h[..n], &h[h.len() - n..]);
            let unit = |j| SKIP.apply([w.sum(j, x, h_prev), h_skip[j]])[0];
            let mut states: Vec<R> = (0..n).map(unit).collect();
            states.extend(&h[..h.len() - n]);
            State { h: states, c: None }
        }
        Cell::Lstm1997(cell) => {
            let c = s.c.as_ref().expect("an LSTM has a cell state");
            // What is cut from the gradient has no derivative in forward mode either.
            let cut =
                |&u: &R| if cell.truncated { R::of(u.value()) } else { u };
            let u: Vec<R> = h.iter().map(cut).collect();
            let sums = |gate| {
                let rows = cell.gate_rows(gate, n);
                rows.map(|k| w.sum(k, x, &u)).collect::<Vec<R>>()
            };
            let open = |gate| sums(gate).into_iter().map(Real::sigmoid);
            let (i, o): (Vec<R>, Vec<R>) =
                (open(0).collect(), open(2).collect());
            let a_g = sums(1);
            let unit = |j: usize| {
                let block = j / cell.block;
                MemoryCell.apply([i[block], a_g[j], o[block], c[j]])
            };
            let (y, c): (Vec<R>, Vec<R>) =
                (0..n).map(unit).map(|[y, c]| (y, c)).unzip();
            State { h: [y, i, o].concat(), c: Some(c) }
        }
        Cell::Janet => {
            let unit = |j| {
                let [a_f, a_g] = [0, 1].map(|gate| w.sum(gate * n + j, x, h));
                JanetEquations.apply([a_f, a_g, h[j]])[0]
            };
            State { h: (0..n).map(unit).collect(), c: None }
        }
        Cell::ProjectedLstm(_) => {
            let c = s.c.as_ref().expect("an LSTM has a cell state");
            let w_hr = w.w_hr.expect("a projection has weights");
            let unit = |j| {
                let [a_i, a_f, a_g, a_o] =
                    [0, 1, 2, 3].map(|gate| w.sum(gate * n + j, x, h));
                LstmEquations.apply([a_i, a_f, a_g, a_o, c[j]])
            };
            let (m, c): (Vec<R>, Vec<R>) =
                (0..n).map(unit).map(|[m, c, ..]| (m, c)).unzip();
            let h = (0..w_hr.nrows()).map(|k| inner(w_hr, k, &m)).collect();
            State { h, c: Some(c) }
        }
        Cell::LayerNormLstm => {
            let c = s.c.as_ref().expect("an LSTM has a cell state");
            let norm = w.per_unit.expect("a normalisation has gains");
            let of = |w: ArrayView2<R>, v: &[R]| {
                let sums: Vec<R> = (0..4 * n).map(|k| inner(w, k, v)).collect();
                normalised(&sums)
            };
            let (of_h, of_x) = (of(w.w_hh, h), of(w.w_ih, x));
            let sum = |k: usize| {
                norm[[k / n, k % n]] * of_h[k]
                    + norm[[4 + k / n, k % n]] * of_x[k]
                    + w.b_ih[[0, k]]
                    + w.b_hh[[0, k]]
            };
            let memory = |j| {
                let [a_i, a_f, a_g] = [0, 1, 2].map(|gate| sum(gate * n + j));
                LayerNormLstmMemory.apply([a_i, a_f, a_g, c[j]])[0]
            };
            let c: Vec<R> = (0..n).map(memory).collect();
            let shown = normalised(&c);
            let unit = |j| {
                let shown = norm[[8, j]] * shown[j] + norm[[9, j]];
                LayerNormLstmOutput.apply([sum(3 * n + j), shown])[0]
            };
            State { h: (0..n).map(unit).collect(), c: Some(c) }
        }
        Cell::Mgu => {
            let gates: Vec<[R; 2]> = (0..n)
                .map(|j| GruGates.apply([w.sum(j, x, h), h[j]]))
                .collect();
            let kept: Vec<R> = gates.iter().map(|[kept, _]| *kept).collect();
            let unit = |j: usize| {
                let a_n = w.sum(n + j, x, &kept);
                MguCandidate.apply([gates[j][1], a_n, h[j]])[0]
            };
            State { h: (0..n).map(unit).collect(), c: None }
        }
        Cell::MinGru => {
            let unit = |j| {
                let [a_z, n] = [0, 1].map(|k| w.input_sum(k * n + j, x));
                MinGruEquations.apply([a_z, n, h[j]])[0]
            };
            State { h: (0..n).map(unit).collect(), c: None }
        }
        Cell::MinLstm => {
            let unit = |j| {
                let [i, f, g] = [0, 1, 2].map(|k| w.input_sum(k * n + j, x));
                MinLstmEquations.apply([i, f, g, h[j]])[0]
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
