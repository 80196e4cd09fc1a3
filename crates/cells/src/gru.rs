//! The gated recurrent unit, in both its forms.
//!
//! They differ in where the reset gate acts. PyTorch and cuDNN apply it *after* the recurrent product, as in
//! n = tanh(W x + b + r ∘ (U h + b′)); Cho et al. 2014 *before* it, as in n = tanh(W x + b + U (r ∘ h) + b′).
//! The two are different models, and weights of one mean something else in the other.

use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};

// ANCHOR: equations
/// The GRU, reset after. From the sums of r and z, the input's and the
/// state's part of n's sum, and h_{t−1}, to h_t, and the gates.
#[derive(Clone, Copy, Debug)]
pub struct GruEquations;
impl Pointwise<5, 4> for GruEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_r, a_z, x_n, h_n, h_prev]: [R; 5]) -> [R; 4] {
        let (r, z) = (a_r.sigmoid(), a_z.sigmoid());
        let n = (x_n + r * h_n).tanh();
        let h = n + z * (h_prev - n); // (1 − z) n + z h_prev
        [h, r, z, n]
    }
}
// ANCHOR_END: equations

/// The first half of the GRU with reset before: from the sum of r and h_{t−1} to r ∘ h_{t−1}
/// and r.
#[derive(Clone, Copy, Debug)]
pub struct GruGates;
impl Pointwise<2, 2> for GruGates {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_r, h_prev]: [R; 2]) -> [R; 2] {
        let r = a_r.sigmoid();
        [r * h_prev, r]
    }
}

/// The second half: from the sums of z and n and h_{t−1} to h_t, and the gates.
#[derive(Clone, Copy, Debug)]
pub struct GruCandidate;
impl Pointwise<3, 3> for GruCandidate {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_z, a_n, h_prev]: [R; 3]) -> [R; 3] {
        let (z, n) = (a_z.sigmoid(), a_n.tanh());
        [n + z * (h_prev - n), z, n]
    }
}

/// The gated recurrent unit whose reset gate acts after the recurrent product.
#[derive(Clone, Copy, Debug)]
pub struct Gru;
impl RecurrentCell for Gru {
    fn name(&self) -> &'static str {
        "GRU"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["r", "z", "n"]
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [_, hidden] = s.h.shape();
        let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
        let n = w.gates(hidden, 2, 3);
        let (x_n, h_n) = (n.input_sum(x), n.state_sum(s.h));
        let [h, ..] = GruEquations.apply([a_r, a_z, x_n, h_n, s.h]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::Gru)
    }
}

/// The gated recurrent unit whose reset gate acts before the recurrent product.
#[derive(Clone, Copy, Debug)]
pub struct GruResetBefore;
impl RecurrentCell for GruResetBefore {
    fn name(&self) -> &'static str {
        "GRU, reset before"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["r", "z", "n"]
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [_, hidden] = s.h.shape();
        let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
        let [kept, _] = GruGates.apply([a_r, s.h]);
        let a_n = w.gates(hidden, 2, 3).sum(x, kept);
        let [h, ..] = GruCandidate.apply([a_z, a_n, s.h]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::GruResetBefore)
    }
}

/// From ∂L/∂h_t of h_t = (1 − z) n + z h_{t−1} to the gradients of the sums of
/// z and n.
#[inline(always)]
fn blend_backward<R: Real>(d_h: R, z: R, n: R, h_prev: R) -> [R; 2] {
    let d_z = d_h * (h_prev - n) * z * z.one_minus();
    let d_n = d_h * z.one_minus() * (n * n).one_minus();
    [d_z, d_n]
}

/// The derivative of [`GruEquations`]: from the gates, the state's part of
/// n's sum, h_{t−1} and the parts of ∂L/∂h_t to the gradients of the sums
/// of r, z and n and of the state's part of n's, of h_{t−1} beside the
/// products, and of h_t.
struct GruBackward;
impl Pointwise<7, 6> for GruBackward {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 7]) -> [R; 6] {
        let [r, z, n, h_n, h_prev, d_given, d_carried] = x;
        let d_h = d_given + d_carried;
        let [d_z, d_n] = blend_backward(d_h, z, n, h_prev);
        let d_r = d_n * h_n * r * r.one_minus();
        [d_r, d_z, d_n, d_n * r, d_h * z, d_h]
    }
}

/// The derivative of [`GruCandidate`]: from r, z, n, h_{t−1} and the parts
/// of ∂L/∂h_t to the gradients of the sums of z and n, of h_{t−1} beside
/// the products, and of h_t, and to r ∘ h_{t−1} once more.
struct GruCandidateBackward;
impl Pointwise<6, 5> for GruCandidateBackward {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 6]) -> [R; 5] {
        let [r, z, n, h_prev, d_given, d_carried] = x;
        let d_h = d_given + d_carried;
        let [d_z, d_n] = blend_backward(d_h, z, n, h_prev);
        [d_z, d_n, d_h * z, d_h, r * h_prev]
    }
}

/// The derivative of [`GruGates`]: from r, h_{t−1}, ∂L/∂(r ∘ h_{t−1}) and
/// what reaches h_{t−1} already to the gradient of r's sum and what reaches
/// h_{t−1} now.
struct GruGatesBackward;
impl Pointwise<4, 2> for GruGatesBackward {
    #[inline(always)]
    fn apply<R: Real>(&self, [r, h_prev, d_kept, carry]: [R; 4]) -> [R; 2] {
        [d_kept * h_prev * r * r.one_minus(), carry + d_kept * r]
    }
}

/// The GRU for the sequence kernels, reset after.
pub(crate) struct FusedGru;

impl<T: Float> Fused<T> for FusedGru {
    fn groups(&self) -> &[Group] {
        const RZ: Group = Group {
            gates: (0, 2),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        const X_N: Group =
            Group { gates: (2, 1), input: true, state: None, saved: true };
        const H_N: Group = Group {
            gates: (2, 1),
            input: false,
            state: Some(Of::H),
            saved: true,
        };
        &[RZ, X_N, H_N]
    }
    fn reads_h(&self) -> bool {
        true
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        let (r, z) = (u.gate(0, 0), u.gate(0, 1));
        let (n, h_n) = (u.gate(1, 0), u.gate(2, 0));
        let x = [r, z, n, h_n, every(u.h_prev)];
        u.map(&GruEquations, x, [every(u.h), r, z, n]);
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let (r, z) = (u.step.gate(0, 0), u.step.gate(0, 1));
        let (n, h_n) = (u.step.gate(1, 0), u.step.gate(2, 0));
        let [h_prev, d_h, carry] = [u.step.h_prev, u.d_h, u.carry].map(every);
        u.map(
            &GruBackward,
            [r, z, n, h_n, h_prev, d_h, carry],
            [
                u.d_gate(0, 0),
                u.d_gate(0, 1),
                u.d_gate(1, 0),
                u.d_gate(2, 0),
                carry,
                d_h,
            ],
        );
    }
}

/// The GRU for the sequence kernels, reset before.
pub(crate) struct FusedGruResetBefore;

impl<T: Float> Fused<T> for FusedGruResetBefore {
    fn groups(&self) -> &[Group] {
        const RZ: Group = Group {
            gates: (0, 2),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        const N: Group = Group {
            gates: (2, 1),
            input: true,
            state: Some(Of::Kept),
            saved: true,
        };
        &[RZ, N]
    }
    fn reads_h(&self) -> bool {
        true
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, stage: usize, u: &Forward<'_, T>) {
        let (r, z, n) = (u.gate(0, 0), u.gate(0, 1), u.gate(1, 0));
        let h_prev = every(u.h_prev);
        if stage == 0 {
            u.map(&GruGates, [r, h_prev], [every(u.kept), r]);
        } else {
            u.map(&GruCandidate, [z, n, h_prev], [every(u.h), z, n]);
        }
    }
    fn backward(&self, stage: usize, u: &Backward<'_, T>) {
        let step = &u.step;
        let (r, z, n) = (step.gate(0, 0), step.gate(0, 1), step.gate(1, 0));
        let [h_prev, d_h, carry] = [step.h_prev, u.d_h, u.carry].map(every);
        if stage == 1 {
            u.map(
                &GruCandidateBackward,
                [r, z, n, h_prev, d_h, carry],
                [u.d_gate(0, 1), u.d_gate(1, 0), carry, d_h, every(step.kept)],
            );
        } else {
            u.map(
                &GruGatesBackward,
                [r, h_prev, every(u.d_kept), carry],
                [u.d_gate(0, 0), carry],
            );
        }
    }
}
