use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The plain network with a fixed leak: leaky integrators.
///
/// h_t = (1 − a) h_{t−1} + a tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh), with the same a, 0 < a ≤ 1, for all
/// units; it is no parameter. At a = 1 it is the plain network. The direct path from h_{t−1} to h_t passes on
/// the share 1 − a of a gradient, so its time scale is about 1/a steps.
///
/// Shapes: `weight_ih` (H, I), `weight_hh` (H, H), both biases (1, H). PyTorch has no such layer. Papers differ
/// in what the leak holds on to: here and in Bengio, Boulanger-Lewandowski and Pascanu 2013, "Advances in
/// optimizing recurrent networks", it is the state after tanh, and one number says how much; Jaeger, Lukoševičius,
/// Popovici and Siewert 2007, "Optimization and applications of echo state networks with leaky-integrator
/// neurons", have two, (1 − aγ) h_{t−1} + γ tanh(…).
///
/// In a config it is the number: `{ "leaky-rnn": 0.1 }`.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "f64", into = "f64")]
pub struct LeakyRnn {
    /// The bits of a. Those of positive numbers are in the order of the numbers.
    bits: u64,
}

impl LeakyRnn {
    /// The cell with the leak a. Panics if it isn't above 0 and at most 1.
    #[track_caller]
    pub const fn new(leak: f64) -> LeakyRnn {
        assert!(
            leak > 0.0 && leak <= 1.0,
            "a leak must be above 0 and at most 1"
        );
        LeakyRnn { bits: leak.to_bits() }
    }
    /// a.
    pub const fn leak(self) -> f64 {
        f64::from_bits(self.bits)
    }
    fn blend(self) -> Blend {
        Blend { keep: 1.0 - self.leak(), take: self.leak() }
    }
}

impl TryFrom<f64> for LeakyRnn {
    type Error = String;
    fn try_from(leak: f64) -> Result<LeakyRnn, String> {
        if leak > 0.0 && leak <= 1.0 {
            Ok(LeakyRnn::new(leak))
        } else {
            Err(format!("the leak {leak} must be above 0 and at most 1"))
        }
    }
}
impl From<LeakyRnn> for f64 {
    fn from(cell: LeakyRnn) -> f64 {
        cell.leak()
    }
}
impl fmt::Debug for LeakyRnn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeakyRnn").field(&self.leak()).finish()
    }
}

// ANCHOR: equations
/// h_t = keep · h' + take · tanh(a), from the sum a and an earlier state
/// h'; and tanh(a).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blend {
    pub(crate) keep: f64,
    pub(crate) take: f64,
}
impl Pointwise<2, 2> for Blend {
    #[inline(always)]
    fn apply<R: Real>(&self, [a, h_prev]: [R; 2]) -> [R; 2] {
        let (keep, take) = (a.constant(self.keep), a.constant(self.take));
        let n = a.tanh();
        [keep * h_prev + take * n, n]
    }
}
// ANCHOR_END: equations

impl RecurrentCell for LeakyRnn {
    fn name(&self) -> &'static str {
        "leaky RNN"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["h"]
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [h, _] = self.blend().apply([w.sum(x, s.h), s.h]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::LeakyRnn(*self))
    }
}

impl LeakyRnn {
    /// The same for one unit: from its sum and h_{t−1} to h_t.
    pub(crate) fn unit<R: Real>(self, a: R, h_prev: R) -> R {
        self.blend().apply([a, h_prev])[0]
    }
    pub(crate) fn kernel(self) -> FusedBlend {
        FusedBlend(self.blend())
    }
}

/// The derivative: from tanh(a) and the two parts of ∂L/∂h_t to ∂L/∂a, what reaches h_{t−1} beside the product,
/// and ∂L/∂h_t.
struct Back(Blend);
impl Pointwise<3, 3> for Back {
    #[inline(always)]
    fn apply<R: Real>(&self, [n, d_given, d_carried]: [R; 3]) -> [R; 3] {
        let Blend { keep, take } = self.0;
        let d_h = d_given + d_carried;
        let slope = (n * n).one_minus() * d_h.constant(take);
        [d_h * slope, d_h * d_h.constant(keep), d_h]
    }
}

/// It for the sequence kernels.
pub(crate) struct FusedBlend(pub(crate) Blend);

impl<T: Float> Fused<T> for FusedBlend {
    fn groups(&self) -> &[Group] {
        const SUM: Group = Group {
            gates: (0, 1),
            input: true,
            state: Some(Of::H),
            saved: true,
        };
        &[SUM]
    }
    fn reads_h(&self) -> bool {
        true
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        let n = u.gate(0, 0);
        u.map(&self.0, [n, every(u.h_prev)], [every(u.h), n]);
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let (d_h, carry) = (every(u.d_h), every(u.carry));
        let x = [u.step.gate(0, 0), d_h, carry];
        u.map(&Back(self.0), x, [u.d_gate(0, 0), carry, d_h]);
    }
}
