use crate::cell::{State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// The LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers,
/// Schmidhuber and Cummins 2000). From the sums before the gates,
/// a = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh in four parts, and
/// c_{t−1}, to h_t and c_t.
#[derive(Clone, Copy, Debug)]
pub struct LstmEquations;
impl Pointwise<5, 2> for LstmEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_i, a_f, a_g, a_o, c_prev]: [R; 5]) -> [R; 2] {
        let (i, f) = (a_i.sigmoid(), a_f.sigmoid());
        let (g, o) = (a_g.tanh(), a_o.sigmoid());
        let c = f * c_prev + i * g;
        let h = o * c.tanh();
        [h, c]
    }
}
// ANCHOR_END: equations

// ANCHOR: step
/// One step on the tape: one affine sum for all gates, then the
/// equations, element by element.
#[track_caller]
pub(crate) fn step<'t, T: Scalar>(
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
) -> State<Var<'t, T>> {
    let [a_i, a_f, a_g, a_o] = w.sum(x, s.h).split();
    let c_prev = s.c.expect("an LSTM has a cell state");
    let [h, c] = LstmEquations.apply([a_i, a_f, a_g, a_o, c_prev]);
    State { h, c: Some(c) }
}
// ANCHOR_END: step
