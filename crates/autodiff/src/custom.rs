use crate::matrix::Matrix;
use longlag_numerics::Scalar;
use ndarray::{ArrayView2, ArrayViewMut2};

/// An operation of your own: any number of matrices in, one matrix out.
///
/// Several results stand side by side in the columns of the output; [`Var::columns`](crate::Var::columns)
/// takes them apart at no cost. Record it with [`Tape::custom`](crate::Tape::custom).
pub trait CustomOp<T: Scalar> {
    /// What it is called in messages.
    fn name(&self) -> &str;
    /// How many numbers it needs room for, beside its output: what it keeps for the way back, and working
    /// space. They have no gradient.
    fn room(&self) -> usize {
        0
    }
    /// The time step, from 1, that a row of the output belongs to, of an operation on sequences. The rows of its first
    /// input are in the same order.
    fn step(&self, row: usize) -> Option<usize> {
        let _ = row;
        None
    }
    /// Writes the output `y` for the inputs `x`, all of it: what `y` and `room` held before is garbage.
    fn forward(&self, x: Inputs<'_, T>, y: ArrayViewMut2<'_, T>, room: &mut [T]);
    /// Adds to the inputs' gradients `d_x` what the output's gradient `d_y` makes of them.
    ///
    /// `d_y` may be overwritten with something of the same meaning: it is what
    /// [`Grads::of`](crate::Grads::of) shows of the output afterwards. `room` is as the last pass of the same
    /// recording left it.
    fn backward(
        &self,
        x: Inputs<'_, T>,
        y: ArrayView2<'_, T>,
        d_y: ArrayViewMut2<'_, T>,
        d_x: InputGradients<'_, T>,
        room: &mut [T],
    );
}

/// The inputs of a [`CustomOp`].
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T> {
    pub(crate) at: &'a [Matrix],
    pub(crate) values: &'a [T],
}

impl<'a, T> Inputs<'a, T> {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "an operation without inputs is a constant")]
    pub fn len(&self) -> usize {
        self.at.len()
    }
    /// Input `i`.
    pub fn get(&self, i: usize) -> ArrayView2<'a, T> {
        self.at[i].view(self.values)
    }
}

/// The gradients of the inputs of a [`CustomOp`], to be added to.
#[derive(Debug)]
pub struct InputGradients<'a, T> {
    pub(crate) at: &'a [Matrix],
    pub(crate) grads: &'a mut [T],
}

impl<T> InputGradients<'_, T> {
    /// Whether anyone asks for the gradient of input `i`; if not, its work may be left out.
    pub fn wanted(&self, i: usize) -> bool {
        self.at[i].varies
    }
    /// The gradient of input `i`. It is one at a time, since two inputs may be the same variable.
    pub fn get(&mut self, i: usize) -> ArrayViewMut2<'_, T> {
        self.at[i].view_mut(self.grads)
    }
}
