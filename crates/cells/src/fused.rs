//! What a cell gives to the sequence kernels: its mathematics.
//!
//! A step of any cell here is *sums of products, then equations unit by unit*. [`Fused`] says which sums
//! there are ([`Group`]) and has the equations both ways; [`crate::sequence`] does everything else, for all
//! cells alike.

use longlag_numerics::panel::{self, Matrix, Segments};
use longlag_numerics::{Float, Pointwise};
use std::ops::Range;

/// The most groups that a cell has.
pub(crate) const MAX_GROUPS: usize = 3;

/// Gates whose sums are of the same things, and so are computed, stored and differentiated together.
///
/// In a matrix of a group's sums the gates of sixteen units lie side by side, a segment each, then those of
/// the next sixteen units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Which blocks of H rows of the weights.
    pub(crate) gates: Gates,
    /// Whether W_ih x_t and b_ih are in the sum.
    pub(crate) input: bool,
    /// Which state W_hh is multiplied with; b_hh is in the sum too.
    pub(crate) state: Option<Of>,
    /// Whether the forward equations leave something in the sums' place that the backward ones need.
    pub(crate) saved: bool,
}

/// The first gate, and the number of gates.
pub(crate) type Gates = (usize, usize);

/// What W_hh is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// h_{t−1}.
    H,
    /// What the equations of the first stage make of it; the sums of this group make a second stage.
    Kept,
}

/// A cell as the sequence kernels see it.
///
/// The equations work on whole segments, through [`panel::map`]. Units that only fill up the last segment
/// have weights, states and gradients 0; equations must leave those states and gradients 0.
pub(crate) trait Fused<T: Float>: Send + Sync {
    /// The groups of its sums, at most [`MAX_GROUPS`].
    fn groups(&self) -> &[Group];
    /// Whether h_{t−1} enters the equations, beside the products.
    fn reads_h(&self) -> bool;
    /// Whether there is a cell state.
    fn has_c(&self) -> bool;
    /// The number of peephole vectors: weights (rows, H) that the equations read for each unit.
    fn peepholes(&self) -> usize {
        0
    }
    /// The equations after the sums of `stage`: reads the sums, leaves h (in the last stage), c, what the
    /// next stage multiplies, and in place of the sums what [`backward`](Self::backward) needs.
    fn forward(&self, stage: usize, u: &Forward<'_, T>);
    /// From the gradients of h and c after the step to those of the sums of `stage`, of c before it, and of
    /// what of h_{t−1} doesn't go through the products. Stages come last to first.
    fn backward(&self, stage: usize, u: &Backward<'_, T>);
}

/// What the forward equations of one step read and write.
pub(crate) struct Forward<'a, T> {
    pub(crate) groups: &'a [Group],
    pub(crate) rows: usize,
    pub(crate) blocks: Range<usize>,
    /// Of each group.
    pub(crate) sums: [Matrix<'a, T>; MAX_GROUPS],
    pub(crate) h_prev: Matrix<'a, T>,
    pub(crate) h: Matrix<'a, T>,
    pub(crate) c_prev: Matrix<'a, T>,
    pub(crate) c: Matrix<'a, T>,
    pub(crate) kept: Matrix<'a, T>,
    /// One row (peepholes · H, in whole segments).
    pub(crate) peepholes: Matrix<'a, T>,
    /// One segment of zeros.
    pub(crate) zero: Matrix<'a, T>,
    /// One segment for what nobody reads.
    pub(crate) unread: Matrix<'a, T>,
}

/// What the backward equations of one step read and write.
pub(crate) struct Backward<'a, T> {
    /// The step as the forward equations left it.
    pub(crate) step: Forward<'a, T>,
    /// The gradients of the sums, of each group.
    pub(crate) d_sums: [Matrix<'a, T>; MAX_GROUPS],
    /// ∂L/∂h_t, what reaches it from outside the layer; the whole is written here.
    pub(crate) d_h: Matrix<'a, T>,
    /// What reaches h_t from step t + 1; what reaches h_{t−1} beside the products is written here.
    pub(crate) carry: Matrix<'a, T>,
    /// ∂L/∂c_t, what reaches it from outside the layer.
    pub(crate) d_c_given: Segments<'a, T>,
    /// Where the whole of ∂L/∂c_t goes.
    pub(crate) d_c_whole: Segments<'a, T>,
    /// What reaches c_t from step t + 1; ∂L/∂c_{t−1} of this step is written here.
    pub(crate) d_c: Matrix<'a, T>,
    pub(crate) d_kept: Matrix<'a, T>,
    /// Sums over the steps so far, for each row (peepholes · H).
    pub(crate) d_peepholes: Matrix<'a, T>,
    /// Below it gradients are 0.
    pub(crate) floor: T,
}

/// All segments of a matrix that has one for each block.
pub(crate) fn every<T>(matrix: Matrix<'_, T>) -> Segments<'_, T> {
    Segments { matrix, first: 0, every: 1 }
}

/// One segment for all blocks.
pub(crate) fn one<T>(matrix: Matrix<'_, T>) -> Segments<'_, T> {
    Segments { matrix, first: 0, every: 0 }
}

impl<'a, T: Float> Forward<'a, T> {
    /// Gate number `gate` of the group.
    pub(crate) fn gate(&self, group: usize, gate: usize) -> Segments<'a, T> {
        Segments {
            matrix: self.sums[group],
            first: gate,
            every: self.groups[group].gates.1,
        }
    }
    pub(crate) fn peephole(&self, i: usize, of: usize) -> Segments<'a, T> {
        Segments { matrix: self.peepholes, first: i, every: of }
    }
    pub(crate) fn zero(&self) -> Segments<'a, T> {
        one(self.zero)
    }
    pub(crate) fn unread(&self) -> Segments<'a, T> {
        one(self.unread)
    }
    /// Runs equations over the units.
    pub(crate) fn map<const N: usize, const M: usize>(
        &self,
        p: &impl Pointwise<N, M>,
        x: [Segments<'_, T>; N],
        y: [Segments<'_, T>; M],
    ) {
        panel::map(p, self.rows, self.blocks.clone(), &x, &y);
    }
}

impl<'a, T: Float> Backward<'a, T> {
    pub(crate) fn d_gate(&self, group: usize, gate: usize) -> Segments<'a, T> {
        Segments {
            matrix: self.d_sums[group],
            first: gate,
            every: self.step.groups[group].gates.1,
        }
    }
    pub(crate) fn d_peephole(&self, i: usize, of: usize) -> Segments<'a, T> {
        Segments { matrix: self.d_peepholes, first: i, every: of }
    }
    /// Runs equations over the units; numbers below the floor become 0.
    pub(crate) fn map<const N: usize, const M: usize>(
        &self,
        p: &impl Pointwise<N, M>,
        x: [Segments<'_, T>; N],
        y: [Segments<'_, T>; M],
    ) {
        let Forward { rows, blocks, .. } = &self.step;
        panel::map_above(self.floor, p, *rows, blocks.clone(), &x, &y);
    }
}
