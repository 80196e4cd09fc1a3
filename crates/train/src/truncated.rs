use crate::trainer::{Diverged, Step, Trainer, Updated};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{Layer, RecurrentCell, State};
use longlag_numerics::{Float, Scalar};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::ops::Range;

// ANCHOR: window
/// How truncated backpropagation through time cuts long sequences into
/// windows, with an update for each.
///
/// Source: Williams & Peng 1990, "An efficient gradient-based algorithm for
/// on-line training of recurrent network trajectories": BPTT(h; h′), where
/// h is [`back`](Self::back) and h′ [`advance`](Self::advance). There, the
/// states of a window are those that older weights gave; here, the state
/// before a window is, and the window runs with the weights of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truncation {
    /// k₁, 1 or more: how many steps there are from one update to the next.
    pub advance: usize,
    /// k₂, k₁ or more: how many steps a gradient goes back from there.
    pub back: usize,
}

/// A piece of the sequences. Steps count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The steps that the network runs over.
    pub steps: Range<usize>,
    /// The first of them that no window before had: from here on outputs
    /// count in the loss.
    pub new: usize,
    /// The step at which the next window begins, or `steps.end` if nothing
    /// is left. The state before it is to be carried.
    pub next: usize,
}

impl Truncation {
    /// Windows of so many steps, side by side: k₁ = k₂.
    pub fn every(steps: usize) -> Truncation {
        Truncation { advance: steps, back: steps }
    }

    /// Window number `n`, from 0, of sequences of `steps` steps; none behind
    /// their end.
    ///
    /// Panics if k₁ is 0 or k₂ is less.
    #[track_caller]
    pub fn window(self, n: usize, steps: usize) -> Option<Window> {
        let Truncation { advance, back } = self;
        assert!(
            0 < advance && advance <= back,
            "truncation: an update every {advance} steps can't go back {back}"
        );
        let new = n * advance;
        let start = |n: usize| ((n + 1) * advance).saturating_sub(back);
        let end = steps.min(new + advance);
        let window =
            Window { steps: start(n)..end, new, next: end.min(start(n + 1)) };
        (new < steps).then_some(window)
    }
}
// ANCHOR_END: window

/// The state between two windows, as numbers: what is known of the past, and
/// no way back into it.
///
/// It belongs to what is saved of a training, beside its
/// [`Checkpoint`](crate::Checkpoint).
///
/// ```
/// use longlag_cells::{Cell, Initialisation, Linear, Stack, StackRequest};
/// use longlag_numerics::{Parameters, random::Rng};
/// use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
/// use longlag_train::{CarriedState, Trainer, Truncation, mse};
/// use ndarray::{Array2, s};
///
/// // Two sequences of 100 steps; the steps one below the other.
/// let (steps, batch) = (100, 2);
/// let (x, y) = (Array2::<f32>::ones((steps * batch, 3)), Array2::ones((steps * batch, 1)));
/// let (stack, head) = (Stack::new("", Cell::Lstm, 3, 8, 2), Linear::new("head", 8, 1));
/// let mut parameters = Parameters::default();
/// stack.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(1));
/// head.push_parameters(&mut parameters, &Rng::new(1));
/// let adam = OptimizerConfig::Adam(AdamConfig::default());
/// let mut trainer = Trainer::new(parameters, adam, Clip::Norm(1.0));
///
/// let truncation = Truncation::every(30);
/// let mut carried = CarriedState::zero(stack.all(), batch);
/// while let Some(window) = truncation.window(carried.window, steps) {
///     let rows = s![window.steps.start * batch..window.steps.end * batch, ..];
///     let _ = trainer.update_window(
///         &mut carried,
///         |bound, start| {
///             let tape = bound.tape();
///             let request = StackRequest { start: Some(&start), ..StackRequest::default() };
///             let states = stack.apply(bound, tape.constant(&x.slice(rows)), batch, request);
///             let output = head.apply(bound, states.output);
///             (mse(output, tape.constant(&y.slice(rows))), states.last)
///         },
///         |step| assert!(step.loss.is_finite()),
///     )?;
/// }
/// assert_eq!((trainer.updates(), carried.window), (4, 4));
/// # Ok::<(), longlag_train::Diverged>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarriedState<T> {
    /// The number of the next window, from 0.
    pub window: usize,
    /// B.
    pub batch: usize,
    /// Of each layer, or direction, h and c, row by row.
    pub states: Vec<State<Vec<T>>>,
}

impl<T: Float + Scalar> CarriedState<T> {
    /// Zeros before the first window of `batch` sequences: of a
    /// [`Stack`](longlag_cells::Stack) `stack.all()`, of a layer `[&layer]`.
    pub fn zero<'a, C: RecurrentCell + 'a>(
        layers: impl IntoIterator<Item = &'a Layer<C>>,
        batch: usize,
    ) -> CarriedState<T> {
        let zeros = |layer: &Layer<C>| {
            let widths = layer.cell.widths(layer.hidden);
            widths.map(|width| vec![T::ZERO; batch * width])
        };
        let states = layers.into_iter().map(zeros).collect();
        CarriedState { window: 0, batch, states }
    }

    /// It on a tape, as data: what a gradient doesn't go through.
    pub fn start<'t>(&self, tape: &'t Tape<T>) -> Vec<State<Var<'t, T>>> {
        let data = |numbers: &Vec<T>| {
            let shape = (self.batch, numbers.len() / self.batch);
            let matrix = ArrayView2::from_shape(shape, numbers);
            tape.constant(&matrix.expect("whole rows"))
        };
        let state = |state: &State<Vec<T>>| State {
            h: data(&state.h),
            c: state.c.as_ref().map(data),
        };
        self.states.iter().map(state).collect()
    }
}

impl<T: Float + Scalar> Trainer<T> {
    /// One update from a window of long sequences: [`update`](Self::update),
    /// with a state that comes in and one that goes out.
    ///
    /// `loss` gets the carried states, as data, and gives with its loss those
    /// to be carried on; their number and shapes are the same. Of a window
    /// that is left out nothing is carried on: the next one begins with the
    /// state before it.
    ///
    /// # Errors
    /// As [`update`](Self::update); then nothing is carried on either.
    pub fn update_window(
        &mut self,
        carried: &mut CarriedState<T>,
        loss: impl for<'t> FnOnce(
            &Bound<'t, '_, T>,
            Vec<State<Var<'t, T>>>,
        ) -> (Var<'t, T>, Vec<State<Var<'t, T>>>),
        observe: impl FnOnce(Step<'_, T>),
    ) -> Result<Updated, Diverged> {
        let mut next = Vec::new();
        let numbers = |v: Var<'_, T>| v.value().into_iter().collect();
        let updated = self.update(
            |bound| {
                let (loss, states) = loss(bound, carried.start(bound.tape()));
                next.extend(states.into_iter().map(|s| s.map(numbers)));
                loss
            },
            observe,
        )?;
        carried.window += 1;
        if !matches!(updated, Updated::Skipped(_)) {
            carried.states = next;
        }
        Ok(updated)
    }
}
