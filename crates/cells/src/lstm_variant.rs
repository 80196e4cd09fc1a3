//! Variants of the LSTM: what becomes of it when a part is added or taken away.
//!
//! The parts are those of Greff, Srivastava, Koutník, Steunebrink and Schmidhuber, "LSTM: a search space
//! odyssey" (IEEE TNNLS 28(10), 2017), of which *full gate recurrence* alone is missing. Peepholes: Gers and
//! Schmidhuber, "Recurrent nets that time and count" (IJCNN 2000).

use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::panel::Segments;
use longlag_numerics::{Float, Pointwise, Real, Scalar};
use serde::{Deserialize, Serialize};

/// Which parts an LSTM has. The default is the standard LSTM.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct LstmParts {
    /// The input gate; without it i = 1.
    pub input_gate: bool,
    /// Where f comes from.
    pub forget: Forget,
    /// The output gate; without it o = 1.
    pub output_gate: bool,
    /// g = tanh(a_g); without it g = a_g.
    pub input_activation: bool,
    /// h = o tanh(c); without it h = o c.
    pub output_activation: bool,
    /// Weights from c_{t−1} to the input and forget gate, and from c_t to the output gate, unit by unit.
    pub peepholes: bool,
}

/// Where the LSTM's forget factor f comes from.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Forget {
    /// A gate of its own (Gers, Schmidhuber and Cummins 2000).
    Gate,
    /// f = 1: nothing is forgotten (Hochreiter and Schmidhuber 1997).
    Never,
    /// f = 1 − i (Greff et al. 2017: coupled input and forget gate).
    Coupled,
}

impl Default for LstmParts {
    fn default() -> Self {
        LstmParts {
            input_gate: true,
            forget: Forget::Gate,
            output_gate: true,
            input_activation: true,
            output_activation: true,
            peepholes: false,
        }
    }
}

impl LstmParts {
    /// The standard LSTM with peepholes.
    pub const PEEPHOLES: LstmParts = LstmParts {
        input_gate: true,
        forget: Forget::Gate,
        output_gate: true,
        input_activation: true,
        output_activation: true,
        peepholes: true,
    };
    /// Whether there are the gates i, f, g and o; g always is.
    fn parts(self) -> [bool; 4] {
        [self.input_gate, self.forget == Forget::Gate, true, self.output_gate]
    }
    /// The names of the gates that there are.
    pub(crate) fn gate_names(self) -> &'static [&'static str] {
        let [i, f, _, o] = self.parts();
        match (i, f, o) {
            (true, true, true) => &["i", "f", "g", "o"],
            (true, true, false) => &["i", "f", "g"],
            (true, false, true) => &["i", "g", "o"],
            (true, false, false) => &["i", "g"],
            (false, true, true) => &["f", "g", "o"],
            (false, true, false) => &["f", "g"],
            (false, false, true) => &["g", "o"],
            (false, false, false) => &["g"],
        }
    }
    /// The number of vectors of peephole weights: one for each gate but g.
    pub(crate) fn peephole_vectors(self) -> usize {
        if self.peepholes { self.gate_names().len() - 1 } else { 0 }
    }
    /// Where gate i, f, g or o stands among the gates that there are.
    pub(crate) fn place(self, gate: usize) -> Option<usize> {
        let gates = self.parts();
        gates[gate].then(|| gates[..gate].iter().filter(|g| **g).count())
    }
    /// Where the peepholes of gate i, f or o stand.
    pub(crate) fn peephole(self, gate: usize) -> Option<usize> {
        let place = self.place(gate)?;
        self.peepholes.then_some(if gate == 3 { place - 1 } else { place })
    }
}

// ANCHOR: equations
/// The equations with the parts that there are. What stands for a part
/// that is missing is not looked at.
impl Pointwise<8, 6> for LstmParts {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 8]) -> [R; 6] {
        let [a_i, a_f, a_g, a_o, c_prev, p_i, p_f, p_o] = x;
        let one = c_prev.constant(1.0);
        let gate = |a: R, p: R, c: R| {
            if self.peepholes { (a + p * c).sigmoid() } else { a.sigmoid() }
        };
        let i = if self.input_gate { gate(a_i, p_i, c_prev) } else { one };
        let f = match self.forget {
            Forget::Gate => gate(a_f, p_f, c_prev),
            Forget::Never => one,
            Forget::Coupled => i.one_minus(),
        };
        let g = if self.input_activation { a_g.tanh() } else { a_g };
        let c = f * c_prev + i * g;
        let o = if self.output_gate { gate(a_o, p_o, c) } else { one };
        let h = o * if self.output_activation { c.tanh() } else { c };
        [h, c, i, f, g, o]
    }
}
// ANCHOR_END: equations

impl RecurrentCell for LstmParts {
    fn name(&self) -> &'static str {
        "LSTM variant"
    }
    fn gates(&self) -> &'static [&'static str] {
        self.gate_names()
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: hidden, c: Some(hidden) }
    }
    fn per_unit(&self) -> Option<PerUnit> {
        let vectors = self.peephole_vectors();
        let peepholes =
            PerUnit { name: "weight_peephole", vectors, starts: &[] };
        (vectors > 0).then_some(peepholes)
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let sums = w.sum(x, s.h);
        let c_prev = s.c.expect("an LSTM has a cell state");
        let [_, hidden] = s.h.shape();
        // Anything may stand for what is missing.
        let sum = |gate| match self.place(gate) {
            Some(k) => sums.columns(k * hidden..(k + 1) * hidden),
            None => c_prev,
        };
        let peephole = |gate| match (self.peephole(gate), w.per_unit) {
            (Some(k), Some(p)) => p.rows(k..k + 1),
            _ => c_prev,
        };
        let [a_i, a_f, a_g, a_o] = [0, 1, 2, 3].map(sum);
        let [p_i, p_f, p_o] = [0, 1, 3].map(peephole);
        let [h, c, ..] =
            self.apply([a_i, a_f, a_g, a_o, c_prev, p_i, p_f, p_o]);
        State { h, c: Some(c) }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::LstmVariant(*self))
    }
}

/// The derivative of the equations.
struct Back(LstmParts);
impl Pointwise<13, 7> for Back {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 13]) -> [R; 7] {
        let [i, f, g, o, c, c_prev, h_given, h_carried, c_given, c_carried, ..] =
            x;
        let [.., p_i, p_f, p_o] = x;
        let parts = self.0;
        let (one, zero) = (c.constant(1.0), c.constant(0.0));
        let i = if parts.input_gate { i } else { one };
        let f = match parts.forget {
            Forget::Gate => f,
            Forget::Never => one,
            Forget::Coupled => i.one_minus(),
        };
        let o = if parts.output_gate { o } else { one };
        let d_h = h_given + h_carried;
        let (out, slope) = if parts.output_activation {
            let out = c.tanh();
            (out, (out * out).one_minus())
        } else {
            (c, one)
        };
        let d_o = if parts.output_gate {
            d_h * out * o * o.one_minus()
        } else {
            zero
        };
        let mut d_c = c_given + c_carried + d_h * o * slope;
        if parts.peepholes {
            d_c = d_c + p_o * d_o;
        }
        let through_i = match parts.forget {
            Forget::Coupled => g - c_prev,
            _ => g,
        };
        let d_i = if parts.input_gate {
            d_c * through_i * i * i.one_minus()
        } else {
            zero
        };
        let d_f = if parts.forget == Forget::Gate {
            d_c * c_prev * f * f.one_minus()
        } else {
            zero
        };
        let slope =
            if parts.input_activation { (g * g).one_minus() } else { one };
        let d_g = d_c * i * slope;
        let mut d_c_prev = d_c * f;
        if parts.peepholes {
            d_c_prev = d_c_prev + p_i * d_i + p_f * d_f;
        }
        [d_i, d_f, d_g, d_o, d_c_prev, d_h, d_c]
    }
}

/// Adds a step to the gradients of the peepholes.
struct PeepholeBack;
impl Pointwise<8, 3> for PeepholeBack {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 8]) -> [R; 3] {
        let [d_i, d_f, d_o, c_prev, c, sum_i, sum_f, sum_o] = x;
        [sum_i + d_i * c_prev, sum_f + d_f * c_prev, sum_o + d_o * c]
    }
}

/// A variant for the sequence kernels.
pub(crate) struct FusedVariant {
    parts: LstmParts,
    groups: [Group; 1],
}

impl FusedVariant {
    pub(crate) fn new(parts: LstmParts) -> Self {
        let gates = (0, parts.gate_names().len());
        let sums =
            Group { gates, input: true, state: Some(Of::H), saved: true };
        FusedVariant { parts, groups: [sums] }
    }
}

impl<T: Float> Fused<T> for FusedVariant {
    fn groups(&self) -> &[Group] {
        &self.groups
    }
    fn reads_h(&self) -> bool {
        false
    }
    fn has_c(&self) -> bool {
        true
    }
    fn peepholes(&self) -> usize {
        self.parts.peephole_vectors()
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        let x = |gate| self.sum(gate, |k| u.gate(0, k), u.zero());
        let y = |gate| self.sum(gate, |k| u.gate(0, k), u.unread());
        let [p_i, p_f, p_o] = self.peepholes_of(u);
        let (c_prev, c, h) = (every(u.c_prev), every(u.c), every(u.h));
        u.map(
            &self.parts,
            [x(0), x(1), x(2), x(3), c_prev, p_i, p_f, p_o],
            [h, c, y(0), y(1), y(2), y(3)],
        );
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let step = &u.step;
        let x = |gate| self.sum(gate, |k| step.gate(0, k), step.zero());
        let y = |gate| self.sum(gate, |k| u.d_gate(0, k), step.unread());
        let d = |gate| self.sum(gate, |k| u.d_gate(0, k), step.zero());
        let [p_i, p_f, p_o] = self.peepholes_of(step);
        let (c, c_prev) = (every(step.c), every(step.c_prev));
        let (d_h, carry, d_c) = (every(u.d_h), every(u.carry), every(u.d_c));
        u.map(
            &Back(self.parts),
            [
                x(0),
                x(1),
                x(2),
                x(3),
                c,
                c_prev,
                d_h,
                carry,
                u.d_c_given,
                d_c,
                p_i,
                p_f,
                p_o,
            ],
            [y(0), y(1), y(2), y(3), d_c, d_h, u.d_c_whole],
        );
        let n = self.parts.peephole_vectors();
        if n > 0 {
            let sums = |other| {
                [0, 1, 3].map(|gate| match self.parts.peephole(gate) {
                    Some(k) => u.d_peephole(k, n),
                    None => other,
                })
            };
            let [s_i, s_f, s_o] = sums(step.zero());
            u.map(
                &PeepholeBack,
                [d(0), d(1), d(3), c_prev, c, s_i, s_f, s_o],
                sums(step.unread()),
            );
        }
    }
}

impl FusedVariant {
    /// What `of` has for a gate, or `missing`.
    fn sum<'a, T>(
        &self,
        gate: usize,
        of: impl Fn(usize) -> Segments<'a, T>,
        missing: Segments<'a, T>,
    ) -> Segments<'a, T> {
        self.parts.place(gate).map_or(missing, of)
    }
    /// The peepholes of i, f and o.
    fn peepholes_of<'a, T: Float>(
        &self,
        u: &Forward<'a, T>,
    ) -> [Segments<'a, T>; 3] {
        let n = self.parts.peephole_vectors();
        [0, 1, 3].map(|gate| match self.parts.peephole(gate) {
            Some(k) => u.peephole(k, n),
            None => u.zero(),
        })
    }
}
