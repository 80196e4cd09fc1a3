//! What is measured: plain networks, and an LSTM for comparison.

use longlag_autodiff::Var;
use longlag_cells::init::Init;
use longlag_cells::{Cell, RecurrentCell, State, Weights};
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Pointwise, Real, Scalar, slice};
use longlag_probe::{ComposedStep, RecurrentStep, StepGradients};
use ndarray::{Array2, ArrayView2};

// ANCHOR: activation
/// What a unit makes of its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// tanh, with a slope of at most 1.
    Tanh,
    /// The logistic function, with a slope of at most ¼.
    Logistic,
    /// The rectifier, with a slope of 0 or 1.
    Relu,
}

impl Activation {
    /// φ(z).
    #[inline(always)]
    fn of<R: Real>(self, z: R) -> R {
        match self {
            Activation::Tanh => z.tanh(),
            Activation::Logistic => z.sigmoid(),
            Activation::Relu => z.relu(),
        }
    }
    /// φ′(z), from h = φ(z).
    #[inline(always)]
    fn slope<R: Real>(self, h: R) -> R {
        match self {
            Activation::Tanh => (h * h).one_minus(),
            Activation::Logistic => h * h.one_minus(),
            Activation::Relu => h.select(h.constant(1.0), h.constant(0.0)),
        }
    }
    /// γ: the steepest slope.
    pub fn steepest(self) -> f64 {
        match self {
            Activation::Tanh | Activation::Relu => 1.0,
            Activation::Logistic => 0.25,
        }
    }
}
// ANCHOR_END: activation

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 3] =
        [Activation::Tanh, Activation::Logistic, Activation::Relu];

    /// Its name in keys and tables.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Tanh => "tanh",
            Activation::Logistic => "logistic",
            Activation::Relu => "relu",
        }
    }
}

struct Apply(Activation);
impl Pointwise<1, 1> for Apply {
    #[inline(always)]
    fn apply<R: Real>(&self, [z]: [R; 1]) -> [R; 1] {
        [self.0.of(z)]
    }
}

/// v·φ′, from h.
struct Slope(Activation);
impl Pointwise<2, 1> for Slope {
    #[inline(always)]
    fn apply<R: Real>(&self, [h, v]: [R; 2]) -> [R; 1] {
        [v * self.0.slope(h)]
    }
}

// ANCHOR: plain
/// h_t = φ(U h_{t−1} + x_t): the input comes in as it is, through no
/// weights.
#[derive(Clone, Debug)]
pub struct Plain<T> {
    /// φ.
    pub activation: Activation,
    /// U, (H, H).
    pub u: Array2<T>,
}

impl<T: Float> Plain<T> {
    /// h_t (B, H) from x_t and h_{t−1} (B, H).
    pub fn next(
        &self,
        x: ArrayView2<'_, T>,
        h: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let mut z = x.to_owned();
        product(h, self.u.t(), z.view_mut(), true);
        let mut next = Array2::default(z.dim());
        let (z, to) = (dense(&z), dense_mut(&mut next));
        slice::pointwise(&Apply(self.activation), [z], [to], false);
        next
    }
    /// v ∘ φ′, from h_t.
    pub fn through(&self, h: &Array2<T>, v: &Array2<T>) -> Array2<T> {
        let mut out = Array2::default(v.dim());
        let (from, to) = ([dense(h), dense(v)], dense_mut(&mut out));
        slice::pointwise(&Slope(self.activation), from, [to], false);
        out
    }
}

impl RecurrentStep for Plain<f64> {
    fn state_size(&self) -> usize {
        self.u.nrows()
    }
    fn step(
        &self,
        x: ArrayView2<'_, f64>,
        h: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        self.next(x, h)
    }
    fn vjp(
        &self,
        x: ArrayView2<'_, f64>,
        h: ArrayView2<'_, f64>,
        d_next: ArrayView2<'_, f64>,
    ) -> StepGradients {
        let d_next = d_next.as_standard_layout().into_owned();
        let d_z = self.through(&self.next(x, h), &d_next);
        let mut d_state = Array2::zeros(h.dim());
        product(d_z.view(), self.u.view(), d_state.view_mut(), false);
        StepGradients { d_state, d_x: d_z.clone(), d_z }
    }
    fn jvp(
        &self,
        x: ArrayView2<'_, f64>,
        h: ArrayView2<'_, f64>,
        tangent: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        let mut d_z = Array2::zeros(h.dim());
        product(tangent, self.u.t(), d_z.view_mut(), false);
        self.through(&self.next(x, h), &d_z)
    }
}
// ANCHOR_END: plain

const DENSE: &str = "a new array lies densely";
fn dense<T>(a: &Array2<T>) -> &[T] {
    a.as_slice().expect(DENSE)
}
fn dense_mut<T>(a: &mut Array2<T>) -> &mut [T] {
    a.as_slice_mut().expect(DENSE)
}

/// A recurrent matrix (H, H).
pub(super) fn matrix(start: Init, hidden: usize, rng: &mut Rng) -> Array2<f64> {
    let mut u = Array2::zeros((hidden, hidden));
    start.fill(u.view_mut(), hidden, rng);
    u
}

// ANCHOR: lstm
/// An LSTM whose step's input is what is added to its four pre-activations,
/// (B, 4·H). Its state is h and c.
#[derive(Clone, Debug)]
pub struct NoisyLstm {
    /// (4·H, H).
    pub w_hh: Array2<f64>,
    /// (1, 4·H).
    pub bias: Array2<f64>,
}

impl ComposedStep for NoisyLstm {
    fn parts(&self) -> Vec<usize> {
        vec![self.w_hh.ncols(); 2]
    }
    fn sums(&self) -> usize {
        self.w_hh.nrows()
    }
    fn record<'t, T: Scalar>(
        &self,
        x: Var<'t, T>,
        state: &[Var<'t, T>],
        dz: Var<'t, T>,
    ) -> Vec<Var<'t, T>> {
        let tape = x.tape();
        let constant = |a: &Array2<f64>| tape.constant(&a.mapv(T::of).view());
        let (w_hh, bias) = (constant(&self.w_hh), constant(&self.bias) + dz);
        driven(w_hh, x, bias, [state[0], state[1]]).to_vec()
    }
}

/// One step of an LSTM whose input is `x` itself, (B, 4·H), from h and c to
/// the next.
pub(crate) fn driven<'t, T: Scalar>(
    w_hh: Var<'t, T>,
    x: Var<'t, T>,
    bias: Var<'t, T>,
    [h, c]: [Var<'t, T>; 2],
) -> [Var<'t, T>; 2] {
    let zeros = |rows| x.tape().constant_with(rows, 1, |y| y.fill(T::of(0.0)));
    let ([batch, _], [rows, _]) = (x.shape(), w_hh.shape());
    let w = Weights {
        // An input layer with nothing to read.
        w_ih: zeros(rows),
        w_hh,
        b_ih: x,
        b_hh: bias,
        per_unit: None,
        w_hr: None,
    };
    let State { h, c } =
        Cell::Lstm.step(&w, zeros(batch), State { h, c: Some(c) });
    [h, c.expect("an LSTM has a cell state")]
}
// ANCHOR_END: lstm

#[cfg(test)]
mod tests {
    use super::*;

    /// The products with the Jacobian against differences of the step, and with its transpose against those:
    /// ⟨w, J v⟩ = ⟨Jᵀ w, v⟩.
    #[test]
    fn derivatives_of_the_plain_step() {
        let mut rng = Rng::new(1);
        let mut normal =
            || Array2::from_shape_simple_fn((3, 5), || rng.normal());
        let (x, h, v, w) = (normal(), normal(), normal(), normal());
        let start = Init::Gaussian { gain: 1.5 };
        let u = matrix(start, 5, &mut Rng::new(2));
        for activation in Activation::ALL {
            let step = Plain { activation, u: u.clone() };
            let jv = step.jvp(x.view(), h.view(), v.view());
            let e = 1e-6;
            let moved = |e: f64| step.next(x.view(), (&h + &(&v * e)).view());
            let differences = (moved(e) - moved(-e)) / (2.0 * e);
            // Their own error is about e² and 10⁻¹⁶/e.
            let apart = slice::max_abs(dense(&(&jv - &differences)));
            assert!(apart < 1e-9, "{activation:?}: {apart}");
            let back = step.vjp(x.view(), h.view(), w.view()).d_state;
            let inner =
                |a: &Array2<f64>, b: &Array2<f64>| slice::sum(dense(&(a * b)));
            let (one, other) = (inner(&w, &jv), inner(&back, &v));
            assert!((one - other).abs() < 1e-13, "{one} and {other}");
        }
    }
}
