use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// minGRU (Feng et al. 2024). From the sums of z and n and h_{t−1} to h_t.
#[derive(Clone, Copy, Debug)]
pub struct MinGruEquations;
impl Pointwise<3, 1> for MinGruEquations {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_z, n, h_prev]: [R; 3]) -> [R; 1] {
        [h_prev + a_z.sigmoid() * (n - h_prev)] // (1 − z) h_prev + z n
    }
}
// ANCHOR_END: equations

/// A GRU whose gates don't see the state.
///
/// z = σ(a_z), n = a_n, h_t = (1 − z) h_{t−1} + z n, with a = W_ih x_t + b_ih in two parts. So ∂h_t/∂h_{t−1} is
/// diag(1 − z), never above 1: a gradient through time can vanish and cannot explode. Source: Feng, Tung, Ahmed,
/// Bengio and Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.1; a form in logarithms there, for long
/// sequences in parallel, has g(n) = n + ½ (n ≥ 0) or σ(n) in place of n.
///
/// Shapes: `weight_ih` (2H, I), `bias_ih` (1, 2H), gates in the order z n; there is no `weight_hh` and no `bias_hh`.
/// PyTorch has no such layer, and its GRU's z is the other way round.
#[derive(Clone, Copy, Debug)]
pub struct MinGru;
impl RecurrentCell for MinGru {
    fn name(&self) -> &'static str {
        "minGRU"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["z", "n"]
    }
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        Weights::from_input(2 * hidden, input)
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_z, n] = w.input_sum(x).split();
        let [h] = MinGruEquations.apply([a_z, n, s.h]);
        State { h, c: None }
    }
}
