use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::Var;
use longlag_numerics::{Pointwise, Real, Scalar};
use serde::{Deserialize, Serialize};
use std::ops::Range;

// ANCHOR: equations
/// A memory cell of 1997. From the input gate's output i, the sum of g, the
/// output gate's output o and c_{t−1} to y and c_t.
#[derive(Clone, Copy, Debug)]
pub struct MemoryCell;
impl Pointwise<4, 2> for MemoryCell {
    #[inline(always)]
    fn apply<R: Real>(&self, [i, a_g, o, c_prev]: [R; 4]) -> [R; 2] {
        let number = |x| a_g.constant(x);
        let g = number(4.0) * a_g.sigmoid() - number(2.0);
        let c = c_prev + i * g;
        let y = o * (number(2.0) * c.sigmoid() - number(1.0));
        [y, c]
    }
}
// ANCHOR_END: equations

/// The LSTM as it was first published: memory blocks, no forget gate.
///
/// H cells stand in blocks of S, cell j in block j / S. A block's cells share an input gate i and an output gate
/// o. With u_{t−1} all outputs of the hidden layer, those of the cells and of the gates,
/// a = W_ih x_t + b_ih + W_hh u_{t−1} + b_hh, i = σ(a_i), o = σ(a_o) for each block, and for each cell
/// c_t = c_{t−1} + i g(a_g), y_t = o h(c_t), with g(a) = 4 σ(a) − 2 and h(c) = 2 σ(c) − 1. Source: Hochreiter and
/// Schmidhuber 1997, "Long short-term memory", sections 3 and 4; the paper calls the cell state s_c.
///
/// The state's h is u, (B, H + 2H/S): y of the cells, then i of the blocks, then o; y is the output. c is (B, H).
/// Shapes: `weight_ih` (H + 2H/S, I), `weight_hh` (H + 2H/S, H + 2H/S), both biases (1, H + 2H/S); rows in the
/// order i of the blocks, g of the cells, o of the blocks; columns of `weight_hh` in the order of u. PyTorch's
/// LSTM is another: a forget gate, tanh, gates for each cell, and only y is fed back.
///
/// In a config: `{ "lstm1997": { "block": 2, "truncated": true } }`.
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
pub struct Lstm1997 {
    /// S, the cells in a block: 1 or more, and a divisor of H.
    pub block: usize,
    /// Whether the gradient is cut as in the paper (its appendix A.1): what reaches a_i, a_g and a_o does not go on to u_{t−1}.
    /// Errors then go back in time through c alone, where they stay as they are. Values don't change, nor does the
    /// way to x. False computes the whole gradient.
    pub truncated: bool,
}

impl Lstm1997 {
    /// Where the gates i of the blocks stand in u, and the gates o.
    pub(crate) fn gate_outputs(self, hidden: usize) -> [Range<usize>; 2] {
        let blocks = hidden / self.block;
        [hidden..hidden + blocks, hidden + blocks..hidden + 2 * blocks]
    }
}

impl RecurrentCell for Lstm1997 {
    fn name(&self) -> &'static str {
        "LSTM of 1997"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["i", "g", "o"]
    }
    fn gate_rows(&self, gate: usize, hidden: usize) -> Range<usize> {
        let blocks = hidden / self.block;
        let ends = [0, blocks, blocks + hidden, 2 * blocks + hidden];
        ends[gate]..ends[gate + 1]
    }
    fn check(&self, hidden: usize) -> Result<(), String> {
        if self.block > 0 && hidden.is_multiple_of(self.block) {
            Ok(())
        } else {
            Err(format!(
                "{hidden} cells don't stand in blocks of {}",
                self.block
            ))
        }
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        let [_, o] = self.gate_outputs(hidden);
        State { h: o.end, c: Some(hidden) }
    }
    #[track_caller]
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        if let Err(why) = self.check(hidden) {
            panic!("{why}");
        }
        let units = self.widths(hidden).h;
        Weights {
            w_ih: [units, input],
            w_hh: [units, units],
            b_ih: [1, units],
            b_hh: [1, units],
            per_unit: None,
            w_hr: None,
        }
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
        let c_prev = s.c.expect("an LSTM has a cell state");
        let [_, hidden] = c_prev.shape();
        let u = if self.truncated { s.h.detach() } else { s.h };
        let sums = w.sum(x, u);
        let [a_i, a_g, a_o] =
            [0, 1, 2].map(|gate| sums.columns(self.gate_rows(gate, hidden)));
        let (i, o) = (a_i.sigmoid(), a_o.sigmoid());
        let of_cells = |gate| self.of_cells(gate);
        let [y, c] = MemoryCell.apply([of_cells(i), a_g, of_cells(o), c_prev]);
        State { h: x.tape().beside(&[y, i, o]), c: Some(c) }
    }
    // ANCHOR_END: step
}

impl Lstm1997 {
    /// From a column for each block to one for each cell.
    fn of_cells<'t, T: Scalar>(&self, gate: Var<'t, T>) -> Var<'t, T> {
        if self.block == 1 {
            return gate;
        }
        let [_, blocks] = gate.shape();
        let columns: Vec<_> = (0..blocks * self.block)
            .map(|cell| cell / self.block)
            .map(|block| gate.columns(block..block + 1))
            .collect();
        gate.tape().beside(&columns)
    }
}
