use crate::cell::Cell;
use crate::fused::{Backward, Forward, Fused, Group, Of, every};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Pointwise, Real, Scalar};

// ANCHOR: equations
/// Elman 1990, with tanh: h_t = tanh(a),
/// a = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh.
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

impl RecurrentCell for RnnTanh {
    fn name(&self) -> &'static str {
        "RNN"
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
        let [h] = self.apply([w.sum(x, s.h)]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::RnnTanh)
    }
}

impl RecurrentCell for RnnRelu {
    fn name(&self) -> &'static str {
        "ReLU RNN"
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
        let [h] = self.apply([w.sum(x, s.h)]);
        State { h, c: None }
    }
    fn fused(&self) -> Option<Cell> {
        Some(Cell::RnnRelu)
    }
}

/// From h_t and the two parts of ∂L/∂h_t to ∂L/∂a and ∂L/∂h_t.
struct Back<E>(E);
impl Pointwise<3, 2> for Back<RnnTanh> {
    #[inline(always)]
    fn apply<R: Real>(&self, [h, d_given, d_carried]: [R; 3]) -> [R; 2] {
        let d_h = d_given + d_carried;
        [d_h * (h * h).one_minus(), d_h]
    }
}
impl Pointwise<3, 2> for Back<RnnRelu> {
    #[inline(always)]
    fn apply<R: Real>(&self, [h, d_given, d_carried]: [R; 3]) -> [R; 2] {
        let d_h = d_given + d_carried;
        [h.select(d_h, d_h.constant(0.0)), d_h]
    }
}

impl<T: Float, E> Fused<T> for E
where
    E: Pointwise<1, 1> + Copy + Send + Sync,
    Back<E>: Pointwise<3, 2>,
{
    fn groups(&self) -> &[Group] {
        const SUM: Group = Group {
            gates: (0, 1),
            input: true,
            state: Some(Of::H),
            saved: false,
        };
        &[SUM]
    }
    fn reads_h(&self) -> bool {
        false
    }
    fn has_c(&self) -> bool {
        false
    }
    fn forward(&self, _: usize, u: &Forward<'_, T>) {
        u.map(self, [u.gate(0, 0)], [every(u.h)]);
    }
    fn backward(&self, _: usize, u: &Backward<'_, T>) {
        let x = [u.step.h, u.d_h, u.carry].map(every);
        u.map(&Back(*self), x, [u.d_gate(0, 0), every(u.d_h)]);
    }
}
