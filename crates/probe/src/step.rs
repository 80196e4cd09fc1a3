//! What is probed: a step and its derivatives.

use longlag_numerics::product::product;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis, Slice};

/// The step of a recurrent network, s_t = f(x_t, s_{t−1}), and its derivatives.
///
/// Everything is for B rows at once, each a sequence of its own. A state is one row of S numbers; where it
/// has parts, such as h and c of an LSTM, they stand side by side.
///
/// A cell that is composed on the tape gets all of this from [`OnTape`](crate::OnTape). One written by hand
/// takes these lines:
///
/// ```
/// use longlag_numerics::{Real, product::product};
/// use longlag_probe::{RecurrentStep, StepGradients, jacobian};
/// use ndarray::{Array2, ArrayView2, array};
///
/// /// h_t = tanh(z), z = U h_{t−1} + x_t.
/// struct Mine {
///     u: Array2<f64>,
/// }
/// impl RecurrentStep for Mine {
///     fn state_size(&self) -> usize {
///         self.u.nrows()
///     }
///     fn step(&self, x: ArrayView2<f64>, h: ArrayView2<f64>) -> Array2<f64> {
///         let mut z = x.to_owned();
///         product(h, self.u.t(), z.view_mut(), true);
///         z.mapv_into(Real::tanh)
///     }
///     fn vjp(&self, x: ArrayView2<f64>, h: ArrayView2<f64>, d_next: ArrayView2<f64>) -> StepGradients {
///         let d_z = &d_next * &self.step(x, h).mapv(|h| 1.0 - h * h);
///         let mut d_state = Array2::zeros(h.dim());
///         product(d_z.view(), self.u.view(), d_state.view_mut(), false);
///         StepGradients { d_state, d_x: d_z.clone(), d_z }
///     }
/// }
///
/// let mine = Mine { u: array![[0.0, 2.0], [-1.0, 0.0]] };
/// let zero = array![0.0, 0.0];
/// assert_eq!(jacobian(&mine, zero.view(), zero.view()), mine.u);
/// ```
pub trait RecurrentStep {
    /// S.
    fn state_size(&self) -> usize;

    /// s_t (B, S) from x_t (B, I) and s_{t−1} (B, S).
    fn step(&self, x: ArrayView2<'_, f64>, state: ArrayView2<'_, f64>) -> Array2<f64>;

    /// The vector-Jacobian products: what ∂L/∂s_t, `d_next` (B, S), becomes on the way back through the step.
    fn vjp(
        &self,
        x: ArrayView2<'_, f64>,
        state: ArrayView2<'_, f64>,
        d_next: ArrayView2<'_, f64>,
    ) -> StepGradients;

    /// The Jacobian-vector product: the tangent of s_t (B, S) from that of s_{t−1}, x_t being held.
    ///
    /// By default from the [`jacobian`], which costs S products back for each row.
    fn jvp(
        &self,
        x: ArrayView2<'_, f64>,
        state: ArrayView2<'_, f64>,
        tangent: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        let mut next = Array2::zeros(tangent.dim());
        for (b, mut next) in next.axis_chunks_iter_mut(Axis(0), 1).enumerate() {
            let j = jacobian(self, x.row(b), state.row(b));
            let tangent = tangent.slice_axis(Axis(0), Slice::from(b..b + 1));
            product(tangent, j.t(), next.view_mut(), false);
        }
        next
    }
}

/// What [`RecurrentStep::vjp`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct StepGradients {
    /// ∂L/∂s_{t−1}, (B, S), as far as it goes through this step.
    pub d_state: Array2<f64>,
    /// ∂L/∂x_t, (B, I).
    pub d_x: Array2<f64>,
    /// δ_t = ∂L/∂z_t, (B, M): with respect to the M sums of products before the nonlinearities, which is what
    /// the split of a weight's gradient is made of. It may have no columns if nobody asks for such a split.
    pub d_z: Array2<f64>,
}

/// The Jacobian of the step, (S, S): row i is ∂s_{t,i}/∂s_{t−1}, by S vector-Jacobian products.
pub fn jacobian(
    step: &(impl RecurrentStep + ?Sized),
    x: ArrayView1<'_, f64>,
    state: ArrayView1<'_, f64>,
) -> Array2<f64> {
    let n = step.state_size();
    let x = x.broadcast((n, x.len())).expect("a row stretches to any height");
    let state = state.broadcast((n, n)).expect("a row stretches to any height");
    step.vjp(x, state, Array2::eye(n).view()).d_state
}

/// Where B sequences went in T steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// (T, B, I): x_1 … x_T.
    pub x: Array3<f64>,
    /// (T + 1, B, S): s_0 … s_T.
    pub states: Array3<f64>,
}

impl Trajectory {
    /// Runs the step over the input `x` (T, B, I) from the states `start` (B, S).
    #[track_caller]
    pub fn run(step: &dyn RecurrentStep, x: Array3<f64>, start: ArrayView2<'_, f64>) -> Trajectory {
        let (steps, batch, _) = x.dim();
        let shape = (batch, step.state_size());
        assert!(start.dim() == shape, "run: the start is {:?}, not {shape:?} as (B, S)", start.dim());
        let mut states = Array3::zeros((steps + 1, shape.0, shape.1));
        states.index_axis_mut(Axis(0), 0).assign(&start);
        for (t, x) in x.outer_iter().enumerate() {
            let next = step.step(x, states.index_axis(Axis(0), t));
            states.index_axis_mut(Axis(0), t + 1).assign(&next);
        }
        Trajectory { x, states }
    }

    /// T.
    pub fn steps(&self) -> usize {
        self.x.dim().0
    }

    /// B.
    pub fn sequences(&self) -> usize {
        self.x.dim().1
    }

    /// ∂s_t/∂s_{t−1} for t = 1 … T along one of the sequences, (S, S) each.
    pub fn jacobians(&self, step: &dyn RecurrentStep, sequence: usize) -> impl Iterator<Item = Array2<f64>> {
        (0..self.steps()).map(move |t| {
            let (x, states) = (self.x.index_axis(Axis(0), t), self.states.index_axis(Axis(0), t));
            jacobian(step, x.row(sequence), states.row(sequence))
        })
    }
}
