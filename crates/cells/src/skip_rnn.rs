use crate::cell::Cell;
use crate::leaky_rnn::{Blend, FusedBlend};
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Scalar};
use serde::{Deserialize, Serialize};

/// The plain network with skip connections over k steps.
///
/// h_t = h_{t−k} + tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh). A gradient reaches h_{t−k} undiminished along the
/// skip, so T steps are T/k hops, and nothing is ever forgotten. With k = 1 it is the residual connection of
/// He, Zhang, Ren and Sun 2016 ("Deep residual learning for image recognition"), laid through time instead of
/// depth.
///
/// The state is the last k of h side by side, h_{t−1} first, (B, k·H); its first H columns are the output.
/// Shapes: `weight_ih` (H, I), `weight_hh` (H, H), both biases (1, H). PyTorch has no such layer. Papers differ in
/// what a skip carries: the delays of Lin, Horne, Tiňo and Giles 1996 ("Learning long-term dependencies in NARX
/// recurrent neural networks") go through weights and inside of the tanh; here they go beside both. Zhang et
/// al. 2016 ("Architectural complexity measures of recurrent neural networks") count what k buys.
///
/// In a config: `{ "skip-rnn": { "steps": 4 } }`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct SkipRnn {
    /// k, 1 or more.
    pub steps: usize,
}

// ANCHOR: equations
/// h_t = h_{t−k} + tanh(a).
pub(crate) const SKIP: Blend = Blend { keep: 1.0, take: 1.0 };
// ANCHOR_END: equations

impl RecurrentCell for SkipRnn {
    fn name(&self) -> &'static str {
        "skip RNN"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["h"]
    }
    fn check(&self, _: usize) -> Result<(), String> {
        if self.steps > 0 {
            Ok(())
        } else {
            Err("a skip connection goes over at least 1 step, not 0".into())
        }
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: self.steps * hidden, c: None }
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let ([_, width], [_, hidden]) = (s.h.shape(), w.w_hh.shape());
        let (h_prev, h_skip) =
            (s.h.columns(0..hidden), s.h.columns(width - hidden..width));
        let [h, _] = SKIP.apply([w.sum(x, h_prev), h_skip]);
        if self.steps == 1 {
            return State { h, c: None };
        }
        let kept = s.h.columns(0..width - hidden);
        State { h: x.tape().beside(&[h, kept]), c: None }
    }
    fn fused(&self) -> Option<Cell> {
        (self.steps == 1).then_some(Cell::SkipRnn(*self))
    }
}

impl SkipRnn {
    /// The kernel for k = 1.
    pub(crate) fn kernel() -> FusedBlend {
        FusedBlend(SKIP)
    }
}
