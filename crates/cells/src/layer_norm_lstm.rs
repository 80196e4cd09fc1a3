use crate::normalisation::layer_norm;
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};

// ANCHOR: equations
/// The first half of the layer-normalised LSTM: from the sums of i, f and g
/// and c_{t−1} to c_t.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormLstmMemory;
impl Pointwise<4, 1> for LayerNormLstmMemory {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_i, a_f, a_g, c_prev]: [R; 4]) -> [R; 1] {
        [a_f.sigmoid() * c_prev + a_i.sigmoid() * a_g.tanh()]
    }
}

/// The second half: from the sum of o and the normalised c_t to h_t.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormLstmOutput;
impl Pointwise<2, 1> for LayerNormLstmOutput {
    #[inline(always)]
    fn apply<R: Real>(&self, [a_o, c]: [R; 2]) -> [R; 1] {
        [a_o.sigmoid() * c.tanh()]
    }
}
// ANCHOR_END: equations

/// What is added to a variance before the root is taken, as in PyTorch's `LayerNorm`.
pub(crate) const EPSILON: f64 = 1e-5;

/// An LSTM with layer normalisation.
///
/// a = α_h ∘ N(W_hh h_{t−1}) + α_x ∘ N(W_ih x_t) + b_ih + b_hh in the parts a_i, a_f, a_g, a_o,
/// c_t = σ(a_f) c_{t−1} + σ(a_i) tanh(a_g), h_t = σ(a_o) tanh(α_c ∘ N(c_t) + β_c), where
/// N(v) = (v − mean) / √(variance + 10⁻⁵) over all entries of v, all four gates together. Source: Ba, Kiros and
/// Hinton 2016, "Layer normalization", the LSTM of its supplement. The shifts of the first two normalisations and the bias
/// of the paper are one sum, so that the two biases here are all of them.
///
/// What is handed on is c_t itself. Others differ: some normalise each gate by itself (TensorFlow's
/// `LayerNormBasicLSTMCell`), and some carry on the normalised c (it, and the `LayerNormLSTMCell` in PyTorch's
/// benchmarks). PyTorch's library has no such layer.
///
/// Shapes: `weight_ih` (4H, I), `weight_hh` (4H, H), both biases (1, 4H), gates in the order i f g o; `weight_norm`
/// (10, H): four rows of α_h, one for each gate, four of α_x, then α_c and β_c. The gains start at 1, the shift at 0.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormLstm;
impl RecurrentCell for LayerNormLstm {
    fn name(&self) -> &'static str {
        "LSTM with layer normalisation"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["i", "f", "g", "o"]
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: hidden, c: Some(hidden) }
    }
    fn per_unit(&self) -> Option<PerUnit> {
        Some(PerUnit {
            name: "weight_norm",
            vectors: 10,
            starts: &[1., 1., 1., 1., 1., 1., 1., 1., 1., 0.],
        })
    }
    // ANCHOR: step
    /// One step on the tape.
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let tape = x.tape();
        let norm = w.per_unit.expect("a normalisation has gains");
        let row = |k: usize| norm.rows(k..k + 1);
        let gain = |k: usize| tape.beside(&[0, 1, 2, 3].map(|j| row(k + j)));
        let of = |v, w, k| {
            let sums = tape.affine(&[(v, w)], &[]);
            layer_norm(sums, Some(gain(k)), None, EPSILON)
        };
        let sums = of(s.h, w.w_hh, 0) + of(x, w.w_ih, 4) + w.b_ih + w.b_hh;
        let [a_i, a_f, a_g, a_o] = sums.split();
        let c_prev = s.c.expect("an LSTM has a cell state");
        let [c] = LayerNormLstmMemory.apply([a_i, a_f, a_g, c_prev]);
        let shown = layer_norm(c, Some(row(8)), Some(row(9)), EPSILON);
        let [h] = LayerNormLstmOutput.apply([a_o, shown]);
        State { h, c: Some(c) }
    }
    // ANCHOR_END: step
}
