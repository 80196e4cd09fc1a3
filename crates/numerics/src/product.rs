//! Matrix products in a fixed order.

use crate::lanes::{Float, Lanes};
use ndarray::{ArrayView2, ArrayViewMut2};

/// `c = a·b`, or `c += a·b` if `accumulate`.
pub fn product<T: Float>(a: ArrayView2<T>, b: ArrayView2<T>, mut c: ArrayViewMut2<T>, accumulate: bool) {
    assert_eq!(a.ncols(), b.nrows());
    for i in 0..c.nrows() {
        for j in 0..c.ncols() {
            let mut s = if accumulate { c[[i, j]] } else { T::ZERO };
            for k in 0..a.ncols() {
                s = Lanes::mul_add(a[[i, k]], b[[k, j]], s);
            }
            c[[i, j]] = s;
        }
    }
}
