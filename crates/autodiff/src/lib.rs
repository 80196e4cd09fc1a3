//! Derivatives, three ways.
//!
//! - [`Tape`]: reverse mode. The key decision: **a list of matrices, walked backwards.** A node is a
//!   matrix, never a number; values and gradients lie in two arenas that are kept from step to step, so
//!   after warm-up a training step allocates nothing; and the gradient of *every* intermediate value
//!   survives a backward pass, because ∂L/∂h_t is what longlag is about.
//! - [`Dual`]: forward mode, from the `autodiff` crate, with the elementary functions of
//!   `longlag_numerics`. It shares neither the tape nor a backward rule with what it checks.
//! - [`Var::first_non_finite`]: where an infinity or a NaN came from.
//! - [`check`]: both against each other and against central differences, for anyone's function.
//!
//! Equations are written over [`Real`](longlag_numerics::Real), so the same line of code runs on numbers,
//! on duals and on the tape's [`Var`]iables. A tape of duals gives second derivatives.
//!
//! ```
//! use longlag_autodiff::Tape;
//! use longlag_numerics::Real;
//! use ndarray::array;
//!
//! let tape = Tape::<f64>::new();
//! let (x, w) = (tape.leaf(&array![[1.0, 2.0]].view()), tape.leaf(&array![[0.5, -0.5]].view()));
//! let h = tape.affine(&[(x, w)], &[]).tanh(); // tanh(x·wᵀ)
//! let grads = h.backward();
//! assert_eq!(grads.of(w).dim(), (1, 2));
//! assert!((grads.of(h)[[0, 0]] - 1.0).abs() < 1e-15);
//! ```

pub mod check;
mod custom;
mod dual;
mod matrix;
mod non_finite;
mod op;
mod tape;
mod var;

pub use custom::{CustomOp, InputGradients, Inputs};
pub use dual::Dual;
pub use matrix::Matrix;
pub use non_finite::{NonFinite, Place};
pub use tape::{Bound, Grads, Tape};
pub use var::Var;
