use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// minLSTM (Feng et al. 2024). From the sums of i, f and g and h_{t−1} to
/// h_t.
#[derive(Clone, Copy, Debug)]
pub struct MinLstmEquations;
impl Pointwise<4, 1> for MinLstmEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_i, a_f, g, h_prev]: [R; 4]) -> [R; 1] {
        // f / (f + i) with f = σ(a_f), i = σ(a_i): in logarithms, since
        // both may be 0 up to rounding.
        let f = (ln_sigmoid(a_f) - ln_sigmoid(a_i)).sigmoid();
        [g + f * (h_prev - g)]
    }
}

/// ln σ(a), which neither overflows nor loses digits.
#[inline(always)]
fn ln_sigmoid<R: Real>(a: R) -> R {
    a.select(a.constant(0.0), a) - a.select(-a, a).exp().ln_1p()
}
// ANCHOR_END: equations

/// An LSTM whose gates don't see the state and add up to 1.
///
/// f = σ(a_f), i = σ(a_i), f′ = f / (f + i), i′ = i / (f + i), h_t = f′ h_{t−1} + i′ a_g, with
/// a = W_ih x_t + b_ih in three parts. So ∂h_t/∂h_{t−1} is diag(f′), never above 1. There is no output gate and no
/// c. Source: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.2; a form
/// in logarithms there, for long sequences in parallel, has g(a) = a + ½ (a ≥ 0) or σ(a) in place of a_g.
///
/// Shapes: `weight_ih` (3H, I), `bias_ih` (1, 3H), gates in the order i f g; there is no `weight_hh` and no `bias_hh`.
/// PyTorch has no such layer.
#[derive(Clone, Copy, Debug)]
pub struct MinLstm;
impl RecurrentCell for MinLstm {
    fn name(&self) -> &'static str {
        "minLSTM"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["i", "f", "g"]
    }
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        Weights::from_input(3 * hidden, input)
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_i, a_f, g] = w.input_sum(x).split();
        let [h] = MinLstmEquations.apply([a_i, a_f, g, s.h]);
        State { h, c: None }
    }
}
