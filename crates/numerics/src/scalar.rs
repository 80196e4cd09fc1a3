//! What a matrix may hold.

use crate::real::{Pointwise, Real};
use crate::{product, slice};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::fmt::Debug;
use std::ops::AddAssign;

/// A number that matrices (and so the tape) may hold: `f32`, `f64`, or a dual number.
///
/// It brings the two loops that decide the speed of a network, products and pointwise equations, so that
/// the floating-point types run them in vector registers and a dual number in plain loops.
pub trait Scalar: Real + Default + PartialOrd + AddAssign + Debug + Send + Sync + 'static {
    /// The nearest number of this type to `x`; of a dual number, with derivative 0.
    fn of(x: f64) -> Self;
    /// This number as `f64`; of a dual number, without its derivative.
    fn value(self) -> f64;
    /// `c = a·b`, or `c += a·b` if `accumulate`, as [`product::product`] orders it.
    ///
    /// Shapes: `a` (m, k), `b` (k, n), `c` (m, n); any strides. Panics if they don't fit.
    #[track_caller]
    fn product(a: ArrayView2<Self>, b: ArrayView2<Self>, c: ArrayViewMut2<Self>, accumulate: bool);
    /// `y = p(x)`, or `y += p(x)` if `accumulate`, element by element; all slices of one length.
    #[track_caller]
    fn pointwise<P: Pointwise<N, M>, const N: usize, const M: usize>(
        p: &P,
        x: [&[Self]; N],
        y: [&mut [Self]; M],
        accumulate: bool,
    );
}

macro_rules! scalar {
    ($t:ident) => {
        impl Scalar for $t {
            #[inline(always)]
            fn of(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn value(self) -> f64 {
                f64::from(self)
            }
            #[track_caller]
            fn product(a: ArrayView2<$t>, b: ArrayView2<$t>, c: ArrayViewMut2<$t>, accumulate: bool) {
                product::product(a, b, c, accumulate);
            }
            #[track_caller]
            fn pointwise<P: Pointwise<N, M>, const N: usize, const M: usize>(
                p: &P,
                x: [&[$t]; N],
                y: [&mut [$t]; M],
                accumulate: bool,
            ) {
                slice::pointwise(p, x, y, accumulate);
            }
        }
    };
}
scalar!(f32);
scalar!(f64);
