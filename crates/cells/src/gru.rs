//! The gated recurrent unit, in both its forms.
//!
//! They differ in where the reset gate acts. PyTorch and cuDNN apply it *after* the recurrent product, as in
//! n = tanh(W x + b + r ∘ (U h + b′)); Cho et al. 2014 *before* it, as in n = tanh(W x + b + U (r ∘ h) + b′).
//! The two are different models, and weights of one mean something else in the other.

use crate::cell::{State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// The GRU, reset after. From the sums of r and z, the input's and the
/// state's part of n's sum, and h_{t−1}, to h_t.
#[derive(Clone, Copy, Debug)]
pub struct GruEquations;
impl Pointwise<5, 1> for GruEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_r, a_z, x_n, h_n, h_prev]: [R; 5]) -> [R; 1] {
        let (r, z) = (a_r.sigmoid(), a_z.sigmoid());
        let n = (x_n + r * h_n).tanh();
        [n + z * (h_prev - n)] // (1 − z) n + z h_prev
    }
}
// ANCHOR_END: equations

/// The first half of the GRU with reset before: from the sum of r and h_{t−1} to r ∘ h_{t−1}.
#[derive(Clone, Copy, Debug)]
pub struct GruGates;
impl Pointwise<2, 1> for GruGates {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_r, h_prev]: [R; 2]) -> [R; 1] {
        [a_r.sigmoid() * h_prev]
    }
}

/// The second half: from the sums of z and n and h_{t−1} to h_t.
#[derive(Clone, Copy, Debug)]
pub struct GruCandidate;
impl Pointwise<3, 1> for GruCandidate {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_z, a_n, h_prev]: [R; 3]) -> [R; 1] {
        let (z, n) = (a_z.sigmoid(), a_n.tanh());
        [n + z * (h_prev - n)]
    }
}

/// One step on the tape, reset after.
#[track_caller]
pub(crate) fn step_reset_after<'t, T: Scalar>(
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
) -> State<Var<'t, T>> {
    let [_, hidden] = s.h.shape();
    let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
    let n = w.gates(hidden, 2, 3);
    let [h] =
        GruEquations.apply([a_r, a_z, n.input_sum(x), n.state_sum(s.h), s.h]);
    State { h, c: None }
}

/// One step on the tape, reset before.
#[track_caller]
pub(crate) fn step_reset_before<'t, T: Scalar>(
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
) -> State<Var<'t, T>> {
    let [_, hidden] = s.h.shape();
    let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
    let [kept] = GruGates.apply([a_r, s.h]);
    let a_n = w.gates(hidden, 2, 3).sum(x, kept);
    let [h] = GruCandidate.apply([a_z, a_n, s.h]);
    State { h, c: None }
}
