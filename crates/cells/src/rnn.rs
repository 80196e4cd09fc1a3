use crate::cell::{State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// Elman 1990, with tanh: h_t = tanh(a), a = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh.
#[derive(Clone, Copy, Debug)]
pub struct RnnTanh;
impl Pointwise<1, 1> for RnnTanh {
    #[inline(always)]
    fn apply<R: Real>(&self, [a]: [R; 1]) -> [R; 1] {
        [a.tanh()]
    }
}

/// The same with a rectifier: h_t = max(a, 0).
#[derive(Clone, Copy, Debug)]
pub struct RnnRelu;
impl Pointwise<1, 1> for RnnRelu {
    #[inline(always)]
    fn apply<R: Real>(&self, [a]: [R; 1]) -> [R; 1] {
        [a.relu()]
    }
}
// ANCHOR_END: equations

/// One step on the tape.
#[track_caller]
pub(crate) fn step<'t, T: Scalar>(
    equations: &impl Pointwise<1, 1>,
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
) -> State<Var<'t, T>> {
    let [h] = equations.apply([w.sum(x, s.h)]);
    State { h, c: None }
}
