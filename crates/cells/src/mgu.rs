use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::gru::GruGates;
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};

// ANCHOR: equations
/// The second half of the minimal gated unit (Zhou, Wu, Zhang and Zhou 2016); the first is
/// [`GruGates`]. From z, the sum of n and h_{t−1} to h_t and n.
#[derive(Clone, Copy, Debug)]
pub struct MguCandidate;
impl Pointwise<3, 2> for MguCandidate {
    #[inline(always)]
    fn apply<R: Real>(&self, [z, a_n, h_prev]: [R; 3]) -> [R; 2] {
        let n = a_n.tanh();
        [h_prev + z * (n - h_prev), n] // (1 − z) h_prev + z n
    }
}
// ANCHOR_END: equations

/// The minimal gated unit: a GRU (reset before) whose reset and update gate are one.
///
/// z = σ(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh), n = tanh(W x_t + b + U (z ∘ h_{t−1}) + b′),
/// h_t = (1 − z) h_{t−1} + z n. Source: Zhou, Wu, Zhang and Zhou 2016, "Minimal gated unit for recurrent
/// neural networks". The paper calls the gate a forget gate, f; but at 1 it takes the new value, so it is z here:
/// an f is in every cell of this crate the factor of the past, which is what a forget bias raises.
///
/// Shapes: `weight_ih` (2H, I), `weight_hh` (2H, H), both biases (1, 2H), gates in the order z n. PyTorch has no such
/// layer, and its GRU's z is the other way round, a factor of the past.
#[derive(Clone, Copy, Debug)]
pub struct Mgu;
impl RecurrentCell for Mgu {
    fn name(&self) -> &'static str {
        "minimal gated unit"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["z", "n"]
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [_, hidden] = s.h.shape();
        let a_z = w.gates(hidden, 0, 1).sum(x, s.h);
        let [kept, z] = GruGates.apply([a_z, s.h]);
        let a_n = w.gates(hidden, 1, 2).sum(x, kept);
        let [h, _] = MguCandidate.apply([z, a_n, s.h]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::Mgu)
    }
}

/// The derivative of [`MguCandidate`]: from z, n, h_{t−1} and the parts of ∂L/∂h_t to the gradients of z, as far as
/// it goes this way, of the sum of n, of h_{t−1} beside the products, and of h_t, and to z ∘ h_{t−1} once more.
struct CandidateBack;
impl Pointwise<5, 5> for CandidateBack {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 5]) -> [R; 5] {
        let [z, n, h_prev, d_given, d_carried] = x;
        let d_h = d_given + d_carried;
        let d_n = d_h * z * (n * n).one_minus();
        [d_h * (n - h_prev), d_n, d_h * z.one_minus(), d_h, z * h_prev]
    }
}

/// The derivative of [`GruGates`]: from z, h_{t−1}, ∂L/∂(z ∘ h_{t−1}) and what reaches z and h_{t−1} already to
/// the gradient of z's sum and what reaches h_{t−1} now.
struct GateBack;
impl Pointwise<5, 2> for GateBack {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 5]) -> [R; 2] {
        let [z, h_prev, d_kept, d_z, carry] = x;
        let d_z = d_z + d_kept * h_prev;
        [d_z * z * z.one_minus(), carry + d_kept * z]
    }
}

/// It for the sequence kernels.
pub(crate) struct FusedMgu;

impl<T: Float> Fused<T> for FusedMgu {
    fn groups(&self) -> &[Group] {
        const Z: Group = Group {
            gates: (0, 1),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        const N: Group = Group {
            gates: (1, 1),
            input: true,
            state: Some(Of::Kept),
            saved: true,
        };
        &[Z, N]
    }
    fn reads_h(&self) -> bool {
        true
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, stage: usize, u: &Forward<'_, T>) {
        let (z, n) = (u.gate(0, 0), u.gate(1, 0));
        let h_prev = every(u.h_prev);
        if stage == 0 {
            u.map(&GruGates, [z, h_prev], [every(u.kept), z]);
        } else {
            u.map(&MguCandidate, [z, n, h_prev], [every(u.h), n]);
        }
    }
    fn backward(&self, stage: usize, u: &Backward<'_, T>) {
        let (z, n) = (u.step.gate(0, 0), u.step.gate(1, 0));
        let (d_z, d_n) = (u.d_gate(0, 0), u.d_gate(1, 0));
        let [h_prev, d_h, carry] = [u.step.h_prev, u.d_h, u.carry].map(every);
        if stage == 1 {
            u.map(
                &CandidateBack,
                [z, n, h_prev, d_h, carry],
                [d_z, d_n, carry, d_h, every(u.step.kept)],
            );
        } else {
            let x = [z, h_prev, every(u.d_kept), d_z, carry];
            u.map(&GateBack, x, [d_z, carry]);
        }
    }
}
