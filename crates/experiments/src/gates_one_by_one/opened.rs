//! An LSTM with its gates laid open: what they did along sequences, the derivatives of its steps written out, and
//! gates that are closed in the derivative alone, or held.

use crate::lstm_paths::input_of;
use crate::tasks::Batch;
use longlag_cells::{Layer, LstmEquations, Weights};
use longlag_numerics::product::product;
use longlag_numerics::{Parameters, Pointwise, Real, slice};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use std::f64::consts::LOG10_E;
use std::ops::Range;

/// A gate of the LSTM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// i, which lets the candidate in.
    Input,
    /// f, which keeps the state.
    Forget,
    /// o, which lets the state out.
    Output,
}

impl Gate {
    /// All three.
    pub const ALL: [Gate; 3] = [Gate::Input, Gate::Forget, Gate::Output];

    /// Its letter.
    pub fn letter(self) -> &'static str {
        ["i", "f", "o"][self as usize]
    }
    /// Its rows among the sums, which are in the order i f g o.
    fn rows(self, hidden: usize) -> Range<usize> {
        let block = [0, 1, 3][self as usize];
        block * hidden..(block + 1) * hidden
    }
}

/// What an LSTM's gates did along sequences, from the state 0.
#[derive(Debug)]
pub struct OpenedLstm<'a> {
    weights: Weights<ArrayView2<'a, f64>>,
    /// For each step i, f, g, o, c before and c after it, (B, H) each.
    steps: Vec<[Array2<f64>; 6]>,
}

/// A step of a sequence, both from 0.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Which sequence.
    pub sequence: usize,
    /// Which step.
    pub step: usize,
}

// ANCHOR: slopes
/// The partial derivatives of one unit's step.
struct Slopes {
    /// ∂c_t by the sums of i, f and g.
    c: [f64; 3],
    /// ∂c_t/∂c_{t−1}.
    kept: f64,
    /// ∂h_t by the sum of o.
    h: f64,
    /// ∂h_t/∂c_t.
    read: f64,
}

impl OpenedLstm<'_> {
    /// With one gate closed, if that is wanted: it and its derivative are
    /// 0 here. What the step computed stays as it was.
    fn slopes(&self, at: At, unit: usize, closed: Option<Gate>) -> Slopes {
        let of = |part: usize| self.steps[at.step][part][[at.sequence, unit]];
        let [i, f, g, o, c_prev, c] = [0, 1, 2, 3, 4, 5].map(of);
        let tanh_c = Real::tanh(c);
        let if_open =
            |gate, slope| if closed == Some(gate) { 0.0 } else { slope };
        Slopes {
            c: [
                if_open(Gate::Input, g * i * (1.0 - i)),
                if_open(Gate::Forget, c_prev * f * (1.0 - f)),
                if_open(Gate::Input, i * (1.0 - g * g)),
            ],
            kept: if_open(Gate::Forget, f),
            h: if_open(Gate::Output, tanh_c * o * (1.0 - o)),
            read: if_open(Gate::Output, o * (1.0 - tanh_c * tanh_c)),
        }
    }
}
// ANCHOR_END: slopes

impl<'a> OpenedLstm<'a> {
    /// Runs a layer along the sequences of a batch, which all have the same length.
    pub fn run(
        layer: &Layer,
        parameters: &'a Parameters<f64>,
        batch: &Batch,
    ) -> OpenedLstm<'a> {
        let weights = layer.views(parameters);
        let (x, hidden) = (input_of(batch), layer.hidden);
        let zero = || Array2::<f64>::zeros((x.dim().1, hidden));
        let (mut h, mut c) = (zero(), zero());
        let mut steps = vec![];
        for x in x.outer_iter() {
            let mut z = Array2::zeros((x.nrows(), 4 * hidden));
            z += &weights.b_ih;
            z += &weights.b_hh;
            product(x, weights.w_ih.t(), z.view_mut(), true);
            product(h.view(), weights.w_hh.t(), z.view_mut(), true);
            let mut parts = [(); 6].map(|()| zero());
            for row in 0..z.nrows() {
                for unit in 0..hidden {
                    let at = [row, unit];
                    let a = |gate: usize| z[[row, gate * hidden + unit]];
                    let before = c[at];
                    let [h_now, c_now, i, f, g, o] =
                        LstmEquations.apply([a(0), a(1), a(2), a(3), before]);
                    (h[at], c[at]) = (h_now, c_now);
                    let all = [i, f, g, o, before, c_now];
                    for (part, value) in parts.iter_mut().zip(all) {
                        part[at] = value;
                    }
                }
            }
            steps.push(parts);
        }
        OpenedLstm { weights, steps }
    }

    /// T.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    fn hidden(&self) -> usize {
        self.weights.w_hh.ncols()
    }

    // ANCHOR: by_sums
    /// ∂c_t and ∂h_t, the latter at a fixed c_t, by what enters the sums
    /// of all gates through the weights `w` (4·H, n): (H, n) each.
    fn by_sums(
        &self,
        w: ArrayView2<'_, f64>,
        at: At,
        closed: Option<Gate>,
    ) -> [Array2<f64>; 2] {
        let hidden = self.hidden();
        let mut by = [(); 2].map(|()| Array2::zeros((hidden, w.ncols())));
        for unit in 0..hidden {
            let slopes = self.slopes(at, unit, closed);
            for k in 0..w.ncols() {
                let w = |gate: usize| w[[gate * hidden + unit, k]];
                let [i, f, g] = slopes.c;
                by[0][[unit, k]] = i * w(0) + f * w(1) + g * w(2);
                by[1][[unit, k]] = slopes.h * w(3);
            }
        }
        by
    }

    /// ∂c_t/∂x_t, (H, I).
    pub fn by_input(&self, at: At, closed: Option<Gate>) -> Array2<f64> {
        let [by_c, _] = self.by_sums(self.weights.w_ih, at, closed);
        by_c
    }
    // ANCHOR_END: by_sums

    // ANCHOR: reach
    /// log₁₀ of ‖∂c_t/∂c_k‖_F / √H by all paths, for each t of the steps; k
    /// is the one before them. c_k is moved together with h_k, which is read
    /// from it.
    pub fn reach(
        &self,
        sequence: usize,
        steps: Range<usize>,
        closed: Option<Gate>,
    ) -> Vec<f64> {
        let hidden = self.hidden();
        let eye = Array2::<f64>::eye(hidden);
        let by_unit = |at: At, of: fn(&Slopes) -> f64, m: &Array2<f64>| {
            let mut m = m.clone();
            for (unit, mut row) in m.rows_mut().into_iter().enumerate() {
                row *= of(&self.slopes(at, unit, closed));
            }
            m
        };
        let before = At { sequence, step: steps.start - 1 };
        let mut c = eye.clone();
        let mut h = by_unit(before, |slopes| slopes.read, &eye);
        let later = steps.map(|step| {
            let at = At { sequence, step };
            let [c_by_h, h_by_h] = self.by_sums(self.weights.w_hh, at, closed);
            c = by_unit(at, |slopes| slopes.kept, &c);
            product(c_by_h.view(), h.view(), c.view_mut(), true);
            let mut next = by_unit(at, |slopes| slopes.read, &c);
            product(h_by_h.view(), h.view(), next.view_mut(), true);
            h = next;
            log10_norm(&c) - 0.5 * LOG10_E * Real::ln(hidden as f64)
        });
        later.collect()
    }
    // ANCHOR_END: reach

    /// The mean of each unit's gate over steps and sequences.
    pub fn means(&self, gate: Gate) -> Vec<f64> {
        let mean = |unit| {
            let values = self.values(gate, unit);
            slice::sum(&values) / values.len() as f64
        };
        (0..self.hidden()).map(mean).collect()
    }

    /// A unit's gate at all steps of all sequences, step by step.
    fn values(&self, gate: Gate, unit: usize) -> Vec<f64> {
        let part = [0, 1, 3][gate as usize];
        let column = |step: &[Array2<f64>; 6]| step[part].column(unit).to_vec();
        self.steps.iter().flat_map(column).collect()
    }

    // ANCHOR: separation
    /// How well a gate separates marked steps from the others: by how much
    /// it is wider open there in the mean, or less wide, in the unit where
    /// that is most. `marked` is for each step of each sequence, as the
    /// rows of a batch.
    pub fn separation(&self, gate: Gate, marked: &[bool]) -> f64 {
        let of = |unit| {
            let values = self.values(gate, unit);
            let mean = |which: bool| {
                let both = values.iter().zip(marked);
                let of = both.filter(|(_, marked)| **marked == which);
                let of: Vec<f64> = of.map(|(value, _)| *value).collect();
                slice::sum(&of) / of.len() as f64
            };
            (mean(true) - mean(false)).abs()
        };
        (0..self.hidden()).map(of).fold(0.0, f64::max)
    }
    // ANCHOR_END: separation
}

fn log10_norm(m: &Array2<f64>) -> f64 {
    let entries: Vec<f64> = m.iter().copied().collect();
    LOG10_E * Real::ln(slice::norm(&entries))
}

// ANCHOR: hold
/// The same network with a gate that is held: it has no weights, and each
/// unit's bias is ln(v / (1 − v)) of its value v, so that the gate is v
/// whatever comes.
pub fn hold(
    layer: &Layer,
    parameters: &Parameters<f64>,
    gate: Gate,
    values: &[f64],
) -> Parameters<f64> {
    let mut held = parameters.clone();
    let rows = gate.rows(layer.hidden);
    let weights = layer.views_mut(&mut held);
    for mut w in [weights.w_ih, weights.w_hh] {
        w.slice_axis_mut(Axis(0), Slice::from(rows.clone())).fill(0.0);
    }
    let [mut b_ih, mut b_hh] = [weights.b_ih, weights.b_hh];
    for (row, v) in rows.zip(values) {
        b_ih[[0, row]] = Real::ln(v / (1.0 - v));
        b_hh[[0, row]] = 0.0;
    }
    held
}
// ANCHOR_END: hold
