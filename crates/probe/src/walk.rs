//! The way back through a trajectory, with the losses kept apart.
//!
//! The key decision: **rows are losses, not sequences.** With δ_t^{(s)} = ∂ℓ_s/∂z_t of the loss at step s,
//! what lies k steps behind every loss is one batch: row s stands at step s − k, all rows go back one step at
//! a time, and T losses on T steps take T calls of the vector-Jacobian product, with T, T − 1, … rows. Where
//! the only loss is that of the last step, the rows are the sequences. [`crate::split`] has an example.

use crate::step::{RecurrentStep, StepGradients, Trajectory};
use longlag_numerics::slice;
use ndarray::{Array2, Array3, ArrayView3, Axis, Slice, concatenate};
use std::ops::Range;

/// Losses at some steps of some sequences, known by their gradients with respect to the state there.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    at: Vec<(usize, usize)>,
    d_state: Array2<f64>,
}

impl Losses {
    /// Row i of `d_state` (R, S) is ∂ℓ/∂s_t of a loss at `at[i]` = (sequence, t), t from 1.
    ///
    /// Panics if there isn't one place for each row, or a sequence's losses don't stand together.
    #[track_caller]
    pub fn new(at: Vec<(usize, usize)>, d_state: Array2<f64>) -> Losses {
        let rows = d_state.nrows();
        assert!(at.len() == rows, "losses: {} places for {rows} gradients", at.len());
        let mut sequences: Vec<usize> = at.chunk_by(|a, b| a.0 == b.0).map(|chunk| chunk[0].0).collect();
        let chunks = sequences.len();
        sequences.sort_unstable();
        sequences.dedup();
        assert!(sequences.len() == chunks, "losses: those of a sequence must stand together");
        Losses { at, d_state }
    }

    /// One for each sequence, at its last step T: `d_state` (B, S) is ∂ℓ/∂s_T.
    #[track_caller]
    pub fn at_the_end(trajectory: &Trajectory, d_state: Array2<f64>) -> Losses {
        Losses::new((0..d_state.nrows()).map(|n| (n, trajectory.steps())).collect(), d_state)
    }

    /// One for each step of each sequence: `d_states` (T, B, S) is ∂ℓ_t/∂s_t for t = 1 … T, the direct part
    /// only, not what comes back from later losses.
    #[track_caller]
    pub fn at_every_step(d_states: ArrayView3<'_, f64>) -> Losses {
        let (steps, sequences, _) = d_states.dim();
        let at = (0..sequences).flat_map(|n| (1..=steps).map(move |t| (n, t))).collect();
        let rows: Vec<_> = d_states.axis_iter(Axis(1)).collect();
        Losses::new(at, concatenate(Axis(0), &rows).expect("sequences have the same shape"))
    }

    /// How many.
    #[expect(clippy::len_without_is_empty, reason = "no losses, no gradient")]
    pub fn len(&self) -> usize {
        self.at.len()
    }
}

/// Where a row of a [`Back`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which of the [`Losses`]; over steps, which sequence.
    pub loss: usize,
    /// Which sequence of the trajectory.
    pub sequence: usize,
    /// t: the row has the step from s_{t−1} to s_t behind it.
    pub t: usize,
}

/// One step back, of R rows at once.
#[derive(Clone, Debug)]
pub struct Back {
    /// k: how many steps were walked before this one.
    pub lag: usize,
    /// What the rows are of; those of one sequence stand together.
    pub rows: Vec<Row>,
    /// x_t of each row, (R, I).
    pub x: Array2<f64>,
    /// s_{t−1} of each row, (R, S).
    pub state: Array2<f64>,
    /// The gradients of each row's loss with respect to s_{t−1}, x_t and z_t. The walk goes on with what it
    /// finds in `d_state`: whoever alters that alters all that comes after.
    pub gradients: StepGradients,
}

/// The way back. `while let Some(back) = walk.next() { … }` sees every step of it, and may alter it.
pub struct Walk<'a> {
    step: &'a dyn RecurrentStep,
    trajectory: &'a Trajectory,
    /// Over steps, ∂ℓ_t/∂s_t for t = 1 … T.
    losses: Option<ArrayView3<'a, f64>>,
    /// Where the next step begins.
    rows: Vec<Row>,
    d_state: Array2<f64>,
    last: Option<Back>,
}

impl<'a> Walk<'a> {
    /// Back from each loss by itself: at lag k, a row of a loss at s gives δ_{s−k}^{(s)}.
    ///
    /// Panics if a loss lies outside of the trajectory.
    #[track_caller]
    pub fn over_lags(step: &'a dyn RecurrentStep, trajectory: &'a Trajectory, losses: &Losses) -> Walk<'a> {
        let (steps, sequences) = (trajectory.steps(), trajectory.sequences());
        let row = |(loss, &(sequence, t)): (usize, &(usize, usize))| {
            let inside = sequence < sequences && (1..=steps).contains(&t);
            assert!(inside, "a loss at step {t} of sequence {sequence}: there are {steps} of {sequences}");
            Row { loss, sequence, t }
        };
        let rows = losses.at.iter().enumerate().map(row).collect();
        Walk { step, trajectory, losses: None, rows, d_state: losses.d_state.clone(), last: None }
    }

    /// Back from the last step with the losses of all later steps summed up, a row for each sequence, as
    /// backpropagation does it: at lag k, each row is at t = T − k and gives Σ_s δ_t^{(s)}.
    ///
    /// `d_states` (T, B, S) is ∂ℓ_t/∂s_t for t = 1 … T, the direct part only. Panics if its shape isn't that
    /// of the trajectory.
    #[track_caller]
    pub fn over_steps(
        step: &'a dyn RecurrentStep,
        trajectory: &'a Trajectory,
        d_states: ArrayView3<'a, f64>,
    ) -> Walk<'a> {
        let want = (trajectory.steps(), trajectory.sequences(), trajectory.states.dim().2);
        assert!(d_states.dim() == want, "gradients of the states {:?}, not {want:?}", d_states.dim());
        let row = |n| Row { loss: n, sequence: n, t: trajectory.steps() };
        let rows = (0..trajectory.sequences()).map(row).collect();
        let d_state = Array2::zeros((want.1, want.2));
        let mut walk = Walk { step, trajectory, losses: Some(d_states), rows, d_state, last: None };
        walk.add_losses();
        walk
    }

    fn add_losses(&mut self) {
        if let (Some(losses), Some(row)) = (self.losses, self.rows.first()) {
            self.d_state += &losses.index_axis(Axis(0), row.t - 1);
        }
    }

    /// The next step back; none before the first step of the trajectory.
    #[expect(clippy::should_implement_trait, reason = "an iterator can't lend what it gives")]
    pub fn next(&mut self) -> Option<&mut Back> {
        let lag = self.last.as_ref().map_or(0, |last| last.lag + 1);
        if let Some(Back { rows, gradients, .. }) = self.last.take() {
            let stays: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].t > 1).collect();
            self.rows = stays.iter().map(|&i| Row { t: rows[i].t - 1, ..rows[i] }).collect();
            self.d_state = gradients.d_state.select(Axis(0), &stays);
            self.add_losses();
        }
        let Trajectory { x, states } = self.trajectory;
        let gather = |from: &Array3<f64>| {
            let mut to = Array2::zeros((self.rows.len(), from.dim().2));
            for (mut to, row) in to.rows_mut().into_iter().zip(&self.rows) {
                to.assign(&from.index_axis(Axis(0), row.t - 1).row(row.sequence));
            }
            to
        };
        if self.rows.is_empty() {
            return None;
        }
        let (x, state) = (gather(x), gather(states));
        let gradients = self.step.vjp(x.view(), state.view(), self.d_state.view());
        let rows = std::mem::take(&mut self.rows);
        Some(self.last.insert(Back { lag, rows, x, state, gradients }))
    }
}

/// A weight matrix W, or part of one, by its place in the step: z = … + W·u + ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Which of the M sums z are its rows.
    pub sums: Range<usize>,
    /// u, what it multiplies.
    pub factor: Factor,
}

/// What a weight multiplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Factor {
    /// These columns of x_t: W_ih.
    Input(Range<usize>),
    /// These columns of s_{t−1}, those of h: W_hh.
    State(Range<usize>),
    /// 1: a bias, as a matrix of one column.
    One,
}

impl Weight {
    /// δ and u of each row of a step back, whose products δ·uᵀ are the gradient's terms: (R, rows of W) and
    /// (R, columns of W).
    pub(crate) fn terms(&self, back: &Back) -> [Array2<f64>; 2] {
        let of = |a: &Array2<f64>, columns: &Range<usize>| {
            a.slice_axis(Axis(1), Slice::from(columns.clone())).as_standard_layout().into_owned()
        };
        let u = match &self.factor {
            Factor::Input(columns) => of(&back.x, columns),
            Factor::State(columns) => of(&back.state, columns),
            Factor::One => Array2::ones((back.rows.len(), 1)),
        };
        [of(&back.gradients.d_z, &self.sums), u]
    }
}

/// ‖∂L/∂x_t‖ of each sequence, (T, B), for the sum L of losses with `d_states` (T, B, S) as in
/// [`Walk::over_steps`]: how much each step's input counts.
#[track_caller]
pub fn input_gradient_norms(
    step: &dyn RecurrentStep,
    trajectory: &Trajectory,
    d_states: ArrayView3<'_, f64>,
) -> Array2<f64> {
    let mut norms = Array2::zeros((trajectory.steps(), trajectory.sequences()));
    let mut walk = Walk::over_steps(step, trajectory, d_states);
    while let Some(back) = walk.next() {
        for (row, d_x) in back.rows.iter().zip(back.gradients.d_x.rows()) {
            norms[[row.t - 1, row.sequence]] = slice::norm(&d_x.to_vec());
        }
    }
    norms
}
