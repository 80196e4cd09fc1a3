//! QR factorisation by Householder's reflections.
//!
//! Own code: a library's products and `hypot` have bits of the CPU's. Reflections, and not Gram and Schmidt's
//! process, because Q is then orthogonal whatever A is, also where its columns depend on each other: the
//! Jacobians of rectifiers and of saturated units do that.

use ndarray::{Array2, ArrayViewMut2, Axis, Slice};

/// A = Q·R. Shapes: A (n, k) with n ≥ k, Q (n, k), R (k, k), upper triangular.
pub(crate) fn qr(mut a: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let (n, k) = a.dim();
    let mut reflections = Vec::with_capacity(k);
    for j in 0..k {
        let mut v: Vec<f64> = a.column(j).iter().skip(j).copied().collect();
        let tau = reflection(&mut v);
        reflect(from(&mut a, j), &v, tau);
        a.column_mut(j).iter_mut().skip(j + 1).for_each(|a| *a = 0.0);
        reflections.push((v, tau));
    }
    // Q = P₁·P₂·…·P_k, built from the right.
    let mut q = Array2::from_shape_fn((n, k), |(i, j)| if i == j { 1.0 } else { 0.0 });
    for (j, (v, tau)) in reflections.iter().enumerate().rev() {
        reflect(from(&mut q, j), v, *tau);
    }
    a.slice_axis_inplace(Axis(0), Slice::from(..k));
    (q, a)
}

/// What begins at row j and column j.
fn from(a: &mut Array2<f64>, j: usize) -> ArrayViewMut2<'_, f64> {
    let mut part = a.view_mut();
    part.slice_axis_inplace(Axis(0), Slice::from(j..));
    part.slice_axis_inplace(Axis(1), Slice::from(j..));
    part
}

/// Turns x into the v of a reflection P = I − τ·v·vᵀ with P·x = (α, 0, …, 0); gives τ. α has the sign
/// opposite to x's first element, so that nothing cancels.
fn reflection(x: &mut [f64]) -> f64 {
    let largest = x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    x.iter_mut().for_each(|x| *x /= largest);
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let tau = 1.0 / (norm * (norm + x[0].abs()));
    x[0] += norm.copysign(x[0]);
    tau
}

/// A ← (I − τ·v·vᵀ)·A, row after row: the inner loops run along the rows.
fn reflect(mut a: ArrayViewMut2<'_, f64>, v: &[f64], tau: f64) {
    let mut along = vec![0.0; a.ncols()];
    for (row, v) in a.rows().into_iter().zip(v) {
        along.iter_mut().zip(row).for_each(|(sum, a)| *sum += v * a);
    }
    for (mut row, v) in a.rows_mut().into_iter().zip(v) {
        let by = tau * v;
        row.iter_mut().zip(&along).for_each(|(a, along)| *a -= by * along);
    }
}

#[cfg(test)]
mod tests {
    use super::qr;
    use longlag_numerics::random::Rng;
    use ndarray::Array2;

    /// A sum of n products is off by at most n·2⁻⁵³ of their magnitudes, and each of n reflections passes
    /// that on; all numbers here are of about 1.
    fn tolerance(n: usize) -> f64 {
        4.0 * (n * n) as f64 * f64::EPSILON
    }

    #[track_caller]
    fn check(a: &Array2<f64>) {
        let (n, k) = a.dim();
        let (q, r) = qr(a.clone());
        assert_eq!((q.dim(), r.dim()), ((n, k), (k, k)));
        for ((i, j), a) in a.indexed_iter() {
            let product: f64 = (0..k).map(|l| q[[i, l]] * r[[l, j]]).sum();
            assert!((product - a).abs() <= tolerance(n), "A[{i}, {j}]: {product} for {a}");
        }
        for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
            let inner: f64 = (0..n).map(|l| q[[l, i]] * q[[l, j]]).sum();
            let want = if i == j { 1.0 } else { 0.0 };
            assert!((inner - want).abs() <= tolerance(n), "QᵀQ[{i}, {j}] is {inner}");
            assert!(j >= i || r[[i, j]] == 0.0, "R[{i}, {j}] is {}", r[[i, j]]);
        }
    }

    #[test]
    fn the_factors_are_orthogonal_and_triangular_and_multiply_to_the_matrix() {
        let mut draw = Rng::new(1);
        for (n, k) in [(1, 1), (2, 2), (5, 5), (7, 3), (20, 20), (20, 1)] {
            let mut a = Array2::from_shape_simple_fn((n, k), || draw.normal());
            check(&a);
            // Columns that depend on each other, columns of 0, all 0.
            let first = a.column(0).to_owned();
            a.column_mut(k - 1).assign(&first);
            check(&a);
            a.column_mut(k / 2).fill(0.0);
            check(&a);
            a.fill(0.0);
            check(&a);
        }
        // Squares of these are beyond the range.
        let tiny = Array2::from_shape_simple_fn((4, 4), || draw.normal()) * 1e-200;
        let (_, r) = qr(tiny.clone());
        let norm =
            |x: ndarray::ArrayView1<f64>| x.iter().map(|x| x / 1e-200 * (x / 1e-200)).sum::<f64>().sqrt();
        assert!((r[[0, 0]].abs() / 1e-200 - norm(tiny.column(0))).abs() < tolerance(4));
    }
}
