//! Whole sequences in one go: the fused kernels.
//!
//! The key decision: **one driver for all cells.** A cell gives its sums and its equations ([`crate::fused`]);
//! packing, products, the walk through time, threads and weight gradients are here, over the loops of
//! [`longlag_numerics::panel`]. It computes what the composed step on the tape computes, to rounding.
//!
//! How it is fast:
//! - Recurrent weights are packed once a sequence, in the order in which a tile of a product reads them.
//! - Inputs of few columns share a chain with the state; others are multiplied for many steps at once.
//! - The batch is split between threads, each of which walks through whole sequences; none waits for another.
//! - Going back, the weights' gradient is added up every few steps, while the sums' gradients are in the cache.
//! - tanh(c) is computed again rather than kept.
//!
//! The same bits for every number of threads: a row of the batch is computed alone, and sums over rows and
//! steps run in chunks that the shape alone decides.

use crate::cell::Cell;
use crate::fused::Fused;
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_numerics::{Buffer, Float};
use ndarray::{ArrayView2, ArrayViewMut2};

mod backward;
mod by_rows;
mod forward;
mod op;
mod plan;

pub use op::SequenceRequest;
pub(crate) use op::record;
use plan::Plan;

/// The sizes of a sequence's arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceShape {
    /// T.
    pub steps: usize,
    /// B.
    pub batch: usize,
    /// I.
    pub input: usize,
    /// H.
    pub hidden: usize,
}

/// What a [`Sequence`] is asked for beside its states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceOptions {
    /// Whether to keep what the backward pass needs.
    pub backward: bool,
    /// Whether the backward pass gives ∂L/∂x.
    pub input_gradient: bool,
    /// Gradients of smaller absolute value become 0 on their way back
    /// through time; 0 keeps all.
    ///
    /// Products of numbers this small end below the smallest normal
    /// number, where arithmetic is slow on many processors. The default
    /// is [`GRADIENT_FLOOR`] in `f32` and 0 in `f64`, whose range is wide
    /// enough to measure vanishing gradients in.
    pub floor: Option<f64>,
}

/// 2⁻⁹⁶, where `f32` sequences set gradients to 0: times a weight, a state or a slope above 2⁻³⁰ it is still a
/// normal number.
pub const GRADIENT_FLOOR: f64 = 1.0 / (1_u128 << 96) as f64;

impl Default for SequenceOptions {
    fn default() -> Self {
        SequenceOptions { backward: true, input_gradient: true, floor: None }
    }
}

/// How many steps each row of a batch has.
#[derive(Clone, Copy, Debug, Default)]
pub enum Lengths<'a, T> {
    /// All have all.
    #[default]
    Full,
    /// From 1 to T each.
    Given(&'a [usize]),
    /// The same in a row (1, B) of numbers.
    Row(ArrayView2<'a, T>),
}

impl<T: Float> Lengths<'_, T> {
    /// That of row `b`.
    pub(crate) fn of(&self, b: usize, steps: usize) -> usize {
        match self {
            Lengths::Full => steps,
            Lengths::Given(lengths) => lengths[b],
            Lengths::Row(lengths) => lengths[[0, b]].to_f64() as usize,
        }
    }
    fn full(&self) -> bool {
        matches!(self, Lengths::Full)
    }
    #[track_caller]
    pub(crate) fn check(&self, steps: usize, batch: usize) {
        let count = match self {
            Lengths::Full => return,
            Lengths::Given(lengths) => lengths.len(),
            Lengths::Row(lengths) => lengths.ncols(),
        };
        assert!(count == batch, "{count} lengths for {batch} sequences");
        for b in 0..batch {
            let n = self.of(b, steps);
            assert!(
                (1..=steps).contains(&n),
                "sequence {b} has length {n}, not 1 to {steps}"
            );
        }
    }
}

/// What a sequence is run on.
#[derive(Clone, Copy, Debug)]
pub struct SequenceInputs<'a, T> {
    /// The layer's weights.
    pub weights: Weights<ArrayView2<'a, T>>,
    /// (T·B, I): the steps of the input one below the other.
    pub x: ArrayView2<'a, T>,
    /// The state before the first step, (B, H).
    pub start: State<ArrayView2<'a, T>>,
    /// How many steps each row has; behind its end a row's states are zeros.
    pub lengths: Lengths<'a, T>,
}

/// All states of a sequence, or their gradients. `V` is a view to write or to read.
#[derive(Debug)]
pub struct SequenceStates<V> {
    /// (T·B, H): h_1 … h_T, one below the other.
    pub h: V,
    /// (T·B, H): c_1 … c_T, if asked for.
    pub c: Option<V>,
    /// (B, H): each row's state after its last step.
    pub last: State<V>,
}

/// Where the gradients of a sequence's inputs go. What is there is added to.
#[derive(Debug)]
pub struct SequenceGradients<'a, T> {
    /// (T·B, I), if asked for.
    pub x: Option<ArrayViewMut2<'a, T>>,
    /// Of the state before the first step, (B, H), if asked for.
    pub start: Option<State<ArrayViewMut2<'a, T>>>,
}

/// A layer over whole sequences of one shape, without a tape, with the memory it needs.
///
/// ```
/// use longlag_cells::{Cell, Sequence, SequenceInputs, SequenceOptions, SequenceShape, SequenceStates};
/// use longlag_cells::{Lengths, State, Weights};
/// use ndarray::Array2;
///
/// let shape = SequenceShape { steps: 3, batch: 2, input: 1, hidden: 4 };
/// let mut sequence = Sequence::<f32>::new(Cell::Gru, shape, SequenceOptions::default());
/// let (w_ih, w_hh, bias) = (Array2::ones((12, 1)), Array2::zeros((12, 4)), Array2::zeros((1, 12)));
/// let (x, zero) = (Array2::ones((6, 1)), Array2::zeros((2, 4)));
/// let (mut h, mut last) = (Array2::zeros((6, 4)), Array2::zeros((2, 4)));
/// sequence.forward(
///     &SequenceInputs {
///         weights: Weights {
///             w_ih: w_ih.view(), w_hh: w_hh.view(), b_ih: bias.view(), b_hh: bias.view(), per_unit: None,
///             w_hr: None,
///         },
///         x: x.view(),
///         start: State { h: zero.view(), c: None },
///         lengths: Lengths::Full,
///     },
///     SequenceStates { h: h.view_mut(), c: None, last: State { h: last.view_mut(), c: None } },
/// );
/// assert_eq!(h.row(5), last.row(1));
/// ```
pub struct Sequence<T> {
    plan: Plan<T>,
    room: Buffer<T>,
}

impl<T> std::fmt::Debug for Sequence<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sequence with room for {} numbers", self.room.len())
    }
}

impl<T: Float> Sequence<T> {
    /// Sequences of a cell.
    ///
    /// # Panics
    /// If a size is 0, or if there is no kernel for the cell: if it isn't its own
    /// [`fused`](RecurrentCell::fused).
    #[track_caller]
    pub fn new(
        cell: Cell,
        shape: SequenceShape,
        options: SequenceOptions,
    ) -> Self {
        let plan = Plan::new(cell, shape, options);
        let mut room = Buffer::new();
        room.resize(plan.room(), T::ZERO);
        Sequence { plan, room }
    }
    /// The numbers that it keeps room for: packed weights, what the backward pass needs of each step, and
    /// working space.
    pub fn room(&self) -> usize {
        self.room.len()
    }
    /// Runs the cell over the sequence.
    ///
    /// # Panics
    /// If a shape doesn't fit, or a state c is missing or too many.
    #[track_caller]
    pub fn forward(
        &mut self,
        inputs: &SequenceInputs<'_, T>,
        states: SequenceStates<ArrayViewMut2<'_, T>>,
    ) {
        self.plan.check(inputs);
        self.plan.forward(&mut self.room, inputs, states);
    }
    /// Goes back through what [`forward`](Self::forward) did last, with the same inputs.
    ///
    /// `h` is what it gave, (T·B, H). `gradients` has the gradients of the states as they come from outside
    /// the sequence; in place of those of h and c it leaves the whole ones, ∂L/∂h_t and ∂L/∂c_t. Those of the
    /// weights are added to `d_weights`, those of the inputs to `d_inputs`.
    ///
    /// # Panics
    /// If a shape doesn't fit, or the options rule a gradient out.
    #[track_caller]
    pub fn backward(
        &mut self,
        inputs: &SequenceInputs<'_, T>,
        h: ArrayView2<'_, T>,
        gradients: SequenceStates<ArrayViewMut2<'_, T>>,
        d_weights: Weights<ArrayViewMut2<'_, T>>,
        d_inputs: SequenceGradients<'_, T>,
    ) {
        self.plan.check(inputs);
        let SequenceGradients { x, start } = d_inputs;
        self.plan.backward(
            &mut self.room,
            inputs,
            h,
            gradients,
            x,
            start.is_some(),
        );
        if let Some(start) = start {
            self.plan.start_h(&self.room, start.h);
            if let Some(c) = start.c {
                self.plan.start_c(&self.room, c);
            }
        }
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, .. } = d_weights;
        self.plan.input_weights(&self.room, w_ih);
        self.plan.state_weights(&self.room, w_hh);
        self.plan.input_bias(&self.room, b_ih);
        self.plan.state_bias(&self.room, b_hh);
        if let Some(peepholes) = per_unit {
            self.plan.peephole_weights(&self.room, peepholes);
        }
    }
}
