use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};

// ANCHOR: equations
/// The LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers,
/// Schmidhuber and Cummins 2000). From the sums before the gates,
/// a = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh in four parts, and
/// c_{t−1}, to h_t and c_t, and the gates.
#[derive(Clone, Copy, Debug)]
pub struct LstmEquations;
impl Pointwise<5, 6> for LstmEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_i, a_f, a_g, a_o, c_prev]: [R; 5]) -> [R; 6] {
        let (i, f) = (a_i.sigmoid(), a_f.sigmoid());
        let (g, o) = (a_g.tanh(), a_o.sigmoid());
        let c = f * c_prev + i * g;
        let h = o * c.tanh();
        [h, c, i, f, g, o]
    }
}
// ANCHOR_END: equations

/// Long short-term memory with a forget gate.
#[derive(Clone, Copy, Debug)]
pub struct Lstm;
impl RecurrentCell for Lstm {
    fn name(&self) -> &'static str {
        "LSTM"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["i", "f", "g", "o"]
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: hidden, c: Some(hidden) }
    }
    // ANCHOR: step
    /// One step on the tape: one affine sum for all gates, then the
    /// equations, element by element.
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_i, a_f, a_g, a_o] = w.sum(x, s.h).split();
        let c_prev = s.c.expect("an LSTM has a cell state");
        let [h, c, ..] = LstmEquations.apply([a_i, a_f, a_g, a_o, c_prev]);
        State { h, c: Some(c) }
    }
    // ANCHOR_END: step
    fn fused(&self) -> Option<Cell> {
        Some(Cell::Lstm)
    }
}

// ANCHOR: backward
/// The derivative of the equations, by hand. From the gates, c_t and
/// c_{t−1}, and the parts of ∂L/∂h_t and ∂L/∂c_t, to the gradients of
/// the sums and of c_{t−1}, h_t and c_t.
#[derive(Clone, Copy, Debug)]
pub struct LstmBackward;
impl Pointwise<10, 7> for LstmBackward {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 10]) -> [R; 7] {
        let [i, f, g, o, c, c_prev, h_given, h_carried, c_given, c_carried] = x;
        let tanh_c = c.tanh();
        let d_h = h_given + h_carried;
        let d_o = d_h * tanh_c * o * o.one_minus();
        let d_c = c_given + c_carried + d_h * o * (tanh_c * tanh_c).one_minus();
        let d_i = d_c * g * i * i.one_minus();
        let d_f = d_c * c_prev * f * f.one_minus();
        let d_g = d_c * i * (g * g).one_minus();
        [d_i, d_f, d_g, d_o, d_c * f, d_h, d_c]
    }
}
// ANCHOR_END: backward

/// The standard LSTM for the sequence kernels.
pub(crate) struct FusedLstm;

impl<T: Float> Fused<T> for FusedLstm {
    fn groups(&self) -> &[Group] {
        const SUMS: Group = Group {
            gates: (0, 4),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        &[SUMS]
    }
    fn reads_h(&self) -> bool {
        false
    }
    fn has_c(&self) -> bool {
        true
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| u.gate(0, gate));
        let (c_prev, c, h) = (every(u.c_prev), every(u.c), every(u.h));
        u.map(&LstmEquations, [i, f, g, o, c_prev], [h, c, i, f, g, o]);
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| u.step.gate(0, gate));
        let [d_i, d_f, d_g, d_o] = [0, 1, 2, 3].map(|gate| u.d_gate(0, gate));
        let (c, c_prev) = (every(u.step.c), every(u.step.c_prev));
        let (d_h, carry, d_c) = (every(u.d_h), every(u.carry), every(u.d_c));
        u.map(
            &LstmBackward,
            [i, f, g, o, c, c_prev, d_h, carry, u.d_c_given, d_c],
            [d_i, d_f, d_g, d_o, d_c, d_h, u.d_c_whole],
        );
    }
}
