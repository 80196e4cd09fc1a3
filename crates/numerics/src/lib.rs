//! The floor that all bits of longlag stand on.
//!
//! The key decision: **only correctly rounded operations, in an order that the shape alone decides.**
//! Addition, multiplication, division, square root, fused multiply-add and rounding to an integer give
//! the same bits on every CPU; `std`'s `exp` or `tanh`, reciprocal estimates and reassociated sums do
//! not. Everything here is built from the former, so a result depends on its inputs, never on the
//! thread count, the instruction set, the operating system or the C library.
//!
//! - [`Real`]: what an equation is written over; numbers, vector registers, duals, tape variables.
//! - [`Lanes`], [`Float`]: a vector register of `f32` or `f64`, and the two number types themselves.
//! - [`isa`]: which instruction set runs, and how to cap it.
//! - [`mod@slice`]: equations along slices. [`product`]: matrix products.
//! - [`panel`]: the loops of the fused sequence kernels.
//! - [`random`]: a named generator with streams, and samples from it.
//! - [`precise`]: powers and the cosine of one number, to the last digit.
//! - [`Buffer`]: memory for large arrays. [`params`]: one flat buffer of parameters with named spans.

mod buffer;
pub mod isa;
pub mod lanes;
pub mod math;
pub mod panel;
pub mod params;
pub mod precise;
pub mod product;
pub mod random;
mod real;
mod scalar;
pub mod slice;

pub use buffer::Buffer;
pub use isa::Isa;
pub use lanes::{Float, Lanes};
pub use params::{Parameters, Span};
pub use real::{Pointwise, Real};
pub use scalar::Scalar;
