use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};

// ANCHOR: equations
/// JANET (van der Westhuizen and Lasenby 2018). From the sums of f and g
/// and h_{t−1} to h_t, f and g.
#[derive(Clone, Copy, Debug)]
pub struct JanetEquations;
impl Pointwise<3, 3> for JanetEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_f, a_g, h_prev]: [R; 3]) -> [R; 3] {
        let (f, g) = (a_f.sigmoid(), a_g.tanh());
        let i = (a_f.constant(BETA) - a_f).sigmoid(); // 1 − σ(a_f − β)
        [f * h_prev + i * g, f, g]
    }
}
// ANCHOR_END: equations

/// β of the paper: how much more than 1 − f is taken in.
const BETA: f64 = 1.0;
/// e^β.
const EXP_BETA: f64 = std::f64::consts::E;

/// An LSTM with a forget gate only: "just another network".
///
/// f = σ(a_f), g = tanh(a_g), h_t = f h_{t−1} + (1 − σ(a_f − β)) g with β = 1, and
/// a = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh in two parts. Source: van der Westhuizen and Lasenby 2018, "The
/// unreasonable effectiveness of the forget gate", where the state is called c and h = c; here it is h, and there
/// is no c. The paper starts the bias of f by chrono initialisation
/// ([`Initialisation::chrono`](crate::Initialisation::chrono)).
///
/// Shapes: `weight_ih` (2H, I), `weight_hh` (2H, H), both biases (1, 2H), gates in the order f g. PyTorch has no such
/// layer.
#[derive(Clone, Copy, Debug)]
pub struct Janet;
impl RecurrentCell for Janet {
    fn name(&self) -> &'static str {
        "JANET"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["f", "g"]
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_f, a_g] = w.sum(x, s.h).split();
        let [h, ..] = JanetEquations.apply([a_f, a_g, s.h]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::Janet)
    }
}

/// The derivative of the equations: from f, g, h_{t−1} and the parts of ∂L/∂h_t to the gradients of the sums, of
/// h_{t−1} beside the products, and of h_t.
struct Back;
impl Pointwise<5, 4> for Back {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 5]) -> [R; 4] {
        let [f, g, h_prev, d_given, d_carried] = x;
        let d_h = d_given + d_carried;
        // 1 − σ(a_f − β) from f alone: of e^a_f = f / (1 − f).
        let rest = f.one_minus() * f.constant(EXP_BETA);
        let i = rest / (f + rest);
        let d_f = d_h * (h_prev * f * f.one_minus() - g * i * i.one_minus());
        [d_f, d_h * i * (g * g).one_minus(), d_h * f, d_h]
    }
}

/// It for the sequence kernels.
pub(crate) struct FusedJanet;

impl<T: Float> Fused<T> for FusedJanet {
    fn groups(&self) -> &[Group] {
        const SUMS: Group = Group {
            gates: (0, 2),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        &[SUMS]
    }
    fn reads_h(&self) -> bool {
        true
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        let (f, g) = (u.gate(0, 0), u.gate(0, 1));
        let x = [f, g, every(u.h_prev)];
        u.map(&JanetEquations, x, [every(u.h), f, g]);
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let (f, g) = (u.step.gate(0, 0), u.step.gate(0, 1));
        let [h_prev, d_h, carry] = [u.step.h_prev, u.d_h, u.carry].map(every);
        u.map(
            &Back,
            [f, g, h_prev, d_h, carry],
            [u.d_gate(0, 0), u.d_gate(0, 1), carry, d_h],
        );
    }
}
