//! Steps that are composed on the tape.

use crate::step::{RecurrentStep, StepGradients};
use longlag_autodiff::{Dual, Tape, Var};
use longlag_numerics::Scalar;
use ndarray::{Array2, ArrayView2, Axis, Slice, Zip};
use std::cell::RefCell;

/// A step written for the tape. [`OnTape`] makes a [`RecurrentStep`] of it.
///
/// It is a trait and not a closure because it is recorded over two kinds of numbers: `f64` for the products
/// with the Jacobian's transpose, dual numbers for those with the Jacobian itself.
///
/// ```
/// use longlag_autodiff::Var;
/// use longlag_numerics::{Real, Scalar};
/// use longlag_probe::{ComposedStep, OnTape, jacobian};
/// use ndarray::{Array2, array};
///
/// /// h_t = tanh(z), z = U h_{t−1} + x_t.
/// struct Mine {
///     u: Array2<f64>,
/// }
/// impl ComposedStep for Mine {
///     fn parts(&self) -> Vec<usize> {
///         vec![self.u.nrows()]
///     }
///     fn sums(&self) -> usize {
///         self.u.nrows()
///     }
///     fn record<'t, T: Scalar>(&self, x: Var<'t, T>, s: &[Var<'t, T>], dz: Var<'t, T>) -> Vec<Var<'t, T>> {
///         let u = x.tape().constant(&self.u.mapv(T::of).view());
///         vec![x.tape().affine(&[(s[0], u)], &[x, dz]).tanh()]
///     }
/// }
///
/// let mine = OnTape::new(Mine { u: array![[0.0, 2.0], [-1.0, 0.0]] });
/// let zero = array![0.0, 0.0];
/// assert_eq!(jacobian(&mine, zero.view(), zero.view()), array![[0.0, 2.0], [-1.0, 0.0]]);
/// ```
pub trait ComposedStep {
    /// The sizes of the state's parts, in the order in which they stand side by side: H, or H and H with c.
    fn parts(&self) -> Vec<usize>;
    /// M: how many sums of products there are before the nonlinearities, 1 or more.
    fn sums(&self) -> usize;
    /// Records the step: from x_t (B, I) and the parts of s_{t−1} to those of s_t, (B, H) each.
    ///
    /// `dz` (B, M) is 0 and is to be added to the sums z_t, for instance to a bias: its gradient is δ_t.
    /// Weights are best recorded as constants; that leaves out the products for their gradients.
    fn record<'t, T: Scalar>(&self, x: Var<'t, T>, state: &[Var<'t, T>], dz: Var<'t, T>) -> Vec<Var<'t, T>>;
}

/// A [`ComposedStep`] with the tapes it is recorded on, whose memory is kept from call to call.
///
/// Its products back are those of backpropagation, with the slope of tanh and sigmoid from their values.
/// Where they saturate, that is off by 2⁻⁵³ of the steepest slope; the products forward, by dual numbers, are
/// not.
#[derive(Debug, Default)]
pub struct OnTape<C> {
    /// The step; a training may put other weights into it between two calls.
    pub composed: C,
    tape: RefCell<Tape<f64>>,
    duals: RefCell<Tape<Dual>>,
}

impl<C: ComposedStep> OnTape<C> {
    /// A step to be probed.
    pub fn new(composed: C) -> OnTape<C> {
        OnTape { composed, tape: RefCell::default(), duals: RefCell::default() }
    }

    /// Where the parts stand in a state.
    fn columns(&self) -> impl Iterator<Item = Slice> {
        self.composed.parts().into_iter().scan(0, |at, n| {
            *at += n;
            Some(Slice::from(*at - n..*at))
        })
    }

    /// Records the step; gives its parts.
    #[track_caller]
    fn record<'t, T: Scalar>(&self, x: Var<'t, T>, state: &[Var<'t, T>], dz: Var<'t, T>) -> Vec<Var<'t, T>> {
        let next = self.composed.record(x, state, dz);
        let shapes = |parts: &[Var<'t, T>]| parts.iter().map(|p| p.shape()).collect::<Vec<_>>();
        let (from, to) = (shapes(state), shapes(&next));
        assert!(from == to, "the step makes states of shapes {to:?} from {from:?}");
        next
    }
}

impl<C: ComposedStep> RecurrentStep for OnTape<C> {
    fn state_size(&self) -> usize {
        self.composed.parts().iter().sum()
    }

    fn step(&self, x: ArrayView2<'_, f64>, state: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut tape = self.tape.borrow_mut();
        tape.reset();
        let dz = tape.constant_with(x.nrows(), self.composed.sums(), |dz| dz.fill(0.0));
        let parts: Vec<_> = self.columns().map(|c| tape.constant(&state.slice_axis(Axis(1), c))).collect();
        let next = self.record(tape.constant(&x), &parts, dz);
        side_by_side(next.into_iter().map(Var::value))
    }

    fn vjp(
        &self,
        x: ArrayView2<'_, f64>,
        state: ArrayView2<'_, f64>,
        d_next: ArrayView2<'_, f64>,
    ) -> StepGradients {
        let mut tape = self.tape.borrow_mut();
        tape.reset();
        let (x, dz) = (tape.leaf(&x), tape.zeros(x.nrows(), self.composed.sums()));
        let parts: Vec<_> = self.columns().map(|c| tape.leaf(&state.slice_axis(Axis(1), c))).collect();
        let next = self.record(x, &parts, dz);
        let d_parts = self.columns().map(|c| tape.constant(&d_next.slice_axis(Axis(1), c)));
        let inner = next.iter().zip(d_parts).map(|(&next, d_next)| (next * d_next).sum());
        let grads = inner.reduce(|a, b| a + b).expect("a state has a part").backward();
        StepGradients {
            d_state: side_by_side(parts.iter().map(|p| grads.of(*p).to_owned())),
            d_x: grads.of(x).to_owned(),
            d_z: grads.of(dz).to_owned(),
        }
    }

    fn jvp(
        &self,
        x: ArrayView2<'_, f64>,
        state: ArrayView2<'_, f64>,
        tangent: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        let mut tape = self.duals.borrow_mut();
        tape.reset();
        let duals = Zip::from(&state).and(&tangent).map_collect(|&s, &v| Dual::new(s, v));
        let x = tape.constant(&x.mapv(Dual::of).view());
        let dz = tape.constant_with(x.shape()[0], self.composed.sums(), |dz| dz.fill(Dual::of(0.0)));
        let parts: Vec<_> = self.columns().map(|c| tape.constant(&duals.slice_axis(Axis(1), c))).collect();
        let next = self.record(x, &parts, dz);
        side_by_side(next.into_iter().map(|part| part.value().mapv(Dual::derivative)))
    }
}

fn side_by_side(parts: impl Iterator<Item = Array2<f64>>) -> Array2<f64> {
    let parts: Vec<_> = parts.collect();
    let mut all = Array2::zeros((parts[0].nrows(), parts.iter().map(Array2::ncols).sum()));
    let mut at = 0;
    for part in parts {
        all.slice_axis_mut(Axis(1), Slice::from(at..at + part.ncols())).assign(&part);
        at += part.ncols();
    }
    all
}
