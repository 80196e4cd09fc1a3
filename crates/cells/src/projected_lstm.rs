use crate::lstm::LstmEquations;
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Scalar};
use serde::{Deserialize, Serialize};

/// An LSTM with a linear projection of its outputs.
///
/// c_t is the LSTM's ([`LstmEquations`]); h_t = W_hr (o ∘ tanh(c_t)). What the layer hands on, to the next step
/// too, has R numbers in place of H, so that the cells may be many and the recurrent weights few. Source: Sak,
/// Senior and Beaufays 2014, "Long short-term memory recurrent neural network architectures for large scale
/// acoustic modeling"; the paper has peepholes, and outputs that are not fed back as well: neither is here.
///
/// Shapes: `weight_ih` (4H, I), `weight_hh` (4H, R), both biases (1, 4H), `weight_hr` (R, H), gates in the order
/// i f g o; the state's h is (B, R), c (B, H). This is PyTorch's `LSTM` with `proj_size` R, which must be below H
/// there.
///
/// In a config: `{ "projected-lstm": { "outputs": 16 } }`.
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
pub struct ProjectedLstm {
    /// R, 1 or more.
    pub outputs: usize,
}

impl RecurrentCell for ProjectedLstm {
    fn name(&self) -> &'static str {
        "LSTM with projection"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["i", "f", "g", "o"]
    }
    fn check(&self, _: usize) -> Result<(), String> {
        if self.outputs > 0 {
            Ok(())
        } else {
            Err("a projection has at least 1 output, not 0".into())
        }
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: self.outputs, c: Some(hidden) }
    }
    fn output(&self, _: usize) -> usize {
        self.outputs
    }
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        Weights {
            w_ih: [4 * hidden, input],
            w_hh: [4 * hidden, self.outputs],
            b_ih: [1, 4 * hidden],
            b_hh: [1, 4 * hidden],
            per_unit: None,
            w_hr: Some([self.outputs, hidden]),
        }
    }
    // ANCHOR: step
    /// The LSTM's step, and a product.
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_i, a_f, a_g, a_o] = w.sum(x, s.h).split();
        let c_prev = s.c.expect("an LSTM has a cell state");
        let [m, c, ..] = LstmEquations.apply([a_i, a_f, a_g, a_o, c_prev]);
        let w_hr = w.w_hr.expect("a projection has weights");
        State { h: x.tape().affine(&[(m, w_hr)], &[]), c: Some(c) }
    }
    // ANCHOR_END: step
}
