//! Gradient checks for anyone's function.
//!
//! One number compares a whole Jacobian J: for random v and w, reverse mode gives ⟨v, Jᵀw⟩, forward mode
//! ⟨J v, w⟩, and they must agree. [`gradient`] asks the tape for the first, [`Dual`] numbers for the second,
//! and central differences for the second once more.
//!
//! Choose arguments of about 1, where the functions bend and the fixed step of the differences fits. Far out,
//! where tanh and sigmoid saturate, the tape takes their slope from their value (1 − y², as PyTorch does):
//! its error is 2⁻⁵³ of the steepest slope, which is much of a slope that is nearly 0, and a check there
//! says so.
//!
//! ```
//! use longlag_autodiff::{Var, check};
//! use longlag_numerics::{Real, Scalar};
//! use ndarray::array;
//!
//! struct Swish;
//! impl check::Function for Swish {
//!     fn name(&self) -> &str {
//!         "swish"
//!     }
//!     fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
//!         x[0] * x[0].sigmoid()
//!     }
//! }
//! check::gradient(&Swish, &[array![[0.3, -1.2]]], 1).unwrap();
//! ```

use crate::matrix::Matrix;
use crate::op::Backward;
use crate::tape::Tape;
use crate::{Dual, Var};
use longlag_numerics::Scalar;
use longlag_numerics::random::Rng;
use ndarray::Array2;
use std::fmt;

/// A differentiable function of matrices to one matrix, for whatever the tape may hold.
pub trait Function {
    /// What it is called in messages.
    fn name(&self) -> &str;
    /// Records its value at `x`.
    fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T>;
}

/// Largest accepted relative disagreement with duals. Both sides compute in f64 with different but equally
/// many roundings; nine thousand of them, each 2⁻⁵³, that all add up stay below it.
pub const DUAL_TOLERANCE: f64 = 1e-12;
/// Largest accepted relative disagreement with central differences of step [`STEP`]: what is left of f64
/// after dividing a rounding error of 2⁻⁵³ by the step, times a hundred for curvature and long sums.
pub const DIFFERENCE_TOLERANCE: f64 = 2e-9;
/// The step of the central differences: near the cube root of 2⁻⁵³, where truncation and rounding balance.
pub const STEP: f64 = 1.0 / 131_072.0;

/// One directional derivative, computed three ways, and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// ⟨v, Jᵀw⟩ by the tape.
    pub reverse: f64,
    /// ⟨J v, w⟩ by duals.
    pub forward: f64,
    /// ⟨J v, w⟩ by central differences.
    pub difference: f64,
    /// What a disagreement is relative to: Σ |v·Jᵀw| over the entries, so that cancellation in the inner
    /// product doesn't count as an error.
    pub scale: f64,
    /// What a rounding error of the differences is relative to: Σ |w·f| over the entries of the value.
    pub value_scale: f64,
}

impl Comparison {
    /// |reverse − forward| / scale; 0 if both are 0.
    pub fn with_duals(&self) -> f64 {
        relative(self.reverse - self.forward, self.scale)
    }
    /// |reverse − difference| / (scale + value scale); 0 if both are 0.
    pub fn with_differences(&self) -> f64 {
        relative(self.reverse - self.difference, self.scale + self.value_scale)
    }
    /// Whether both are within their tolerances (a NaN is not).
    pub fn agrees(&self) -> bool {
        self.with_duals() <= DUAL_TOLERANCE && self.with_differences() <= DIFFERENCE_TOLERANCE
    }
}

fn relative(error: f64, scale: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error.abs() / scale }
}

/// Where a check failed.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientError {
    /// The function's name.
    pub function: String,
    /// Which argument, from 0.
    pub argument: usize,
    /// What the three ways gave.
    pub comparison: Comparison,
    /// The operation whose backward rule disagrees with its own forward, if it is one of them.
    pub culprit: Option<Box<Culprit>>,
}

/// An operation whose backward rule is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Culprit {
    /// Its name.
    pub op: String,
    /// Its number on the tape, from 0.
    pub node: usize,
    /// Which of its inputs, from 0.
    pub input: usize,
    /// The directional derivative by its backward rule.
    pub reverse: f64,
    /// The same by its forward rule on duals.
    pub forward: f64,
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { reverse, forward, difference, .. } = self.comparison;
        write!(
            f,
            "gradient of `{}` by argument {}: reverse mode gives {reverse:e}, duals {forward:e}, central \
             differences {difference:e}",
            self.function, self.argument
        )?;
        if let Some(culprit) = &self.culprit {
            let Culprit { op, node, input, reverse, forward } = &**culprit;
            write!(
                f,
                "; the backward rule of op `{op}` (node {node}) by its input {input} gives {reverse:e} where \
                 its forward gives {forward:e}"
            )?;
        }
        Ok(())
    }
}
impl std::error::Error for GradientError {}

/// Checks the gradient of `f` at `x`, argument by argument, in random directions drawn from `seed`.
///
/// Gives the comparison of each argument.
///
/// # Errors
/// The first argument whose three derivatives disagree, with the operation at fault where it can be told.
pub fn gradient<F: Function>(f: &F, x: &[Array2<f64>], seed: u64) -> Result<Vec<Comparison>, GradientError> {
    let found = compare(f, x, seed);
    for (argument, comparison) in found.iter().enumerate() {
        if !comparison.agrees() {
            return Err(GradientError {
                function: f.name().to_string(),
                argument,
                comparison: *comparison,
                culprit: culprit(f, x, seed).map(Box::new),
            });
        }
    }
    Ok(found)
}

/// The comparison that [`gradient`] judges, for each argument.
pub fn compare<F: Function>(f: &F, x: &[Array2<f64>], seed: u64) -> Vec<Comparison> {
    let rng = Rng::new(seed);
    let mut draw = rng.stream("gradient check: directions");
    let directions: Vec<Array2<f64>> =
        x.iter().map(|x| Array2::from_shape_simple_fn(x.dim(), || draw.normal())).collect();

    let tape = Tape::<f64>::new();
    let vars: Vec<_> = x.iter().map(|x| tape.leaf(&x.view())).collect();
    let y = f.eval(&vars);
    let value = y.value();
    let mut draw = rng.stream("gradient check: weights");
    let w = Array2::from_shape_simple_fn(value.dim(), || draw.normal());
    let grads = (y * tape.constant(&w.view())).sum().backward();

    let inner = |a: &Array2<f64>| dot(a, &w);
    let at = |x: &[Array2<f64>]| {
        let tape = Tape::<f64>::new();
        let vars: Vec<_> = x.iter().map(|x| tape.leaf(&x.view())).collect();
        inner(&f.eval(&vars).value())
    };
    (0..x.len())
        .map(|i| {
            let v = &directions[i];
            let d_x = grads.of(vars[i]).to_owned();
            let moved = |step: f64| {
                let mut x = x.to_vec();
                x[i].zip_mut_with(v, |x, &v| *x += step * v);
                at(&x)
            };
            let duals = Tape::<Dual>::new();
            let seeded: Vec<_> = (x.iter().enumerate())
                .map(|(j, x)| {
                    let mut x = x.mapv(Dual::of);
                    if j == i {
                        x.zip_mut_with(v, |x, &v| *x = Dual::new(x.value(), v));
                    }
                    duals.leaf(&x.view())
                })
                .collect();
            Comparison {
                reverse: dot(v, &d_x),
                forward: inner(&f.eval(&seeded).value().mapv(Dual::derivative)),
                difference: (moved(STEP) - moved(-STEP)) / (2.0 * STEP),
                scale: dot(&v.mapv(f64::abs), &d_x.mapv(f64::abs)),
                value_scale: dot(&value.mapv(f64::abs), &w.mapv(f64::abs)),
            }
        })
        .collect()
}

fn dot(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).fold(0.0, |s, (a, b)| s + a * b)
}

/// Runs every recorded operation by itself, backward on numbers and forward on duals, and gives the first
/// that disagrees with itself.
fn culprit<F: Function>(f: &F, x: &[Array2<f64>], seed: u64) -> Option<Culprit> {
    let (tape, duals) = (Tape::<f64>::new(), Tape::<Dual>::new());
    let vars: Vec<_> = x.iter().map(|x| tape.leaf(&x.view())).collect();
    let _ = f.eval(&vars);
    let vars: Vec<_> = x.iter().map(|x| duals.leaf(&x.mapv(Dual::of).view())).collect();
    let _ = f.eval(&vars);
    let (mut rooms, mut dual_rooms) = (tape.rooms.borrow_mut(), duals.rooms.borrow_mut());
    let (tape, duals) = (tape.record.borrow(), duals.record.borrow());
    let mut draw = Rng::new(seed).stream("gradient check: operations");
    for (k, (node, dual)) in tape.nodes.iter().zip(&duals.nodes).enumerate() {
        let w: Vec<f64> = (0..node.out.rows * node.out.cols).map(|_| draw.normal()).collect();
        let mut d_x = vec![0.0; node.out.at];
        let mut d_y = w.clone();
        let (before, d_y, rooms) = (&mut d_x[..], &mut d_y[..], &mut rooms[..]);
        let at = Backward { values: &tape.values, before, d_y, rooms, out: node.out };
        node.op.backward(&tape.inputs, at);
        let inputs = node.op.inputs(&tape.inputs).enumerate();
        for (input, m) in inputs.filter(|(_, m)| m.varies) {
            let mut seeded = duals.values[..node.out.at].to_vec();
            let (mut reverse, mut scale) = (0.0, 0.0);
            for i in elements(m) {
                let v = draw.normal();
                seeded[i] = Dual::new(seeded[i].value(), v);
                reverse += v * d_x[i];
                scale += (v * d_x[i]).abs();
            }
            let mut y = vec![Dual::default(); w.len()];
            dual.op.forward(&duals.inputs, &seeded, node.out, &mut y, &mut dual_rooms);
            let forward = y.iter().zip(&w).fold(0.0, |s, (y, w)| s + y.derivative() * w);
            let bound = DUAL_TOLERANCE * scale.max(forward.abs()).max(f64::MIN_POSITIVE);
            let agrees = (reverse - forward).abs() <= bound;
            if !agrees {
                let op = node.op.name().to_string();
                return Some(Culprit { op, node: k, input, reverse, forward });
            }
        }
    }
    None
}

fn elements(m: Matrix) -> impl Iterator<Item = usize> {
    (0..m.rows).flat_map(move |i| m.row(i))
}
