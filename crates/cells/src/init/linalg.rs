//! Orthogonal matrices and spectral radii, by Householder's reflections in `f64`.
//!
//! Own code, because the bits of weights must not depend on the CPU: only sums, products, quotients and
//! square roots, one after the other.

use longlag_numerics::Scalar;
use longlag_numerics::random::Rng;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder};
use std::ops::Range;

/// Turns `x` into the v of a reflection P = I − τ·v·vᵀ with P·x = (α, 0, …, 0); gives τ and α.
///
/// α has the sign opposite to x's first element, so that nothing cancels.
fn reflection(x: &mut [f64]) -> (f64, f64) {
    let largest = x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest == 0.0 {
        return (0.0, 0.0);
    }
    x.iter_mut().for_each(|x| *x /= largest);
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let alpha = -norm.copysign(x[0]);
    let tau = 1.0 / (norm * (norm + x[0].abs()));
    x[0] -= alpha;
    (tau, alpha * largest)
}

/// A ← (I − τ·v·vᵀ)·A. Of a transposed view: A ← A·(I − τ·v·vᵀ).
fn reflect(mut a: ArrayViewMut2<f64>, v: &[f64], tau: f64) {
    for mut column in a.columns_mut() {
        let along = tau * column.iter().zip(v).map(|(a, v)| a * v).sum::<f64>();
        column.iter_mut().zip(v).for_each(|(a, v)| *a -= along * v);
    }
}

/// Some rows and columns of a matrix.
fn part(
    mut a: ArrayViewMut2<f64>,
    rows: Range<usize>,
    columns: Range<usize>,
) -> ArrayViewMut2<f64> {
    a.slice_axis_inplace(Axis(0), rows.into());
    a.slice_axis_inplace(Axis(1), columns.into());
    a
}

/// A random matrix with orthonormal columns, or rows if they are fewer, uniform by Haar's measure.
///
/// It is the Q of the factorisation Q·R of a Gaussian matrix, with the signs of its columns such that R has
/// a positive diagonal: without that, it would not be uniform (Mezzadri 2007).
pub(super) fn orthogonal(
    (rows, columns): (usize, usize),
    rng: &mut Rng,
) -> Array2<f64> {
    if rows < columns {
        return orthogonal((columns, rows), rng).reversed_axes();
    }
    // Columns lie densely: reflections run along them. The numbers are drawn row by row all the same.
    let mut a = Array2::zeros((rows, columns).f());
    a.iter_mut().for_each(|x| *x = rng.normal());
    let mut reflections = Vec::with_capacity(columns);
    for k in 0..columns {
        let mut v: Vec<f64> = (k..rows).map(|i| a[[i, k]]).collect();
        let (tau, alpha) = reflection(&mut v);
        reflect(part(a.view_mut(), k..rows, k + 1..columns), &v, tau);
        reflections.push((v, tau, alpha));
    }
    // Q = P₁·P₂·…·Pₙ·diag(sign α), built from the right.
    let mut q = Array2::zeros((rows, columns).f());
    for (k, (v, tau, alpha)) in reflections.iter().enumerate().rev() {
        q[[k, k]] = 1.0_f64.copysign(*alpha);
        reflect(part(q.view_mut(), k..rows, k..columns), v, *tau);
    }
    q
}

/// The largest |eigenvalue| of a square matrix; NaN if an entry isn't finite, 0 if there is none.
///
/// Francis's implicit double-shift QR iteration on the Hessenberg form (Golub & Van Loan 2013, "Matrix
/// computations", algorithms 7.4.2 and 7.5.1), in `f64`. Like every backward stable method it gives the
/// exact radius of a matrix that differs from this one by rounding: eigenvalues of well-conditioned
/// matrices are right to about n·10⁻¹⁶, a k-fold defective one only to about 10^(−16/k).
///
/// Panics if the matrix isn't square.
#[track_caller]
pub fn spectral_radius<T: Scalar>(matrix: ArrayView2<T>) -> f64 {
    assert!(
        matrix.is_square(),
        "spectral_radius: the shape {:?} isn't square",
        matrix.shape()
    );
    let mut a = matrix.map(|x| x.value());
    if a.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    let largest = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // A power of two, so that scaling is exact: products then neither overflow nor underflow.
    let scale = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits())
        .max(f64::MIN_POSITIVE);
    a.iter_mut().for_each(|x| *x /= scale);
    to_hessenberg(&mut a);
    scale * radius_of_hessenberg(a)
}

/// Makes all entries below the first subdiagonal 0; the eigenvalues stay.
fn to_hessenberg(a: &mut Array2<f64>) {
    let n = a.nrows();
    for k in 0..n.saturating_sub(2) {
        let mut v: Vec<f64> = (k + 1..n).map(|i| a[[i, k]]).collect();
        let (tau, alpha) = reflection(&mut v);
        part(a.view_mut(), k + 2..n, k..k + 1).fill(0.0);
        a[[k + 1, k]] = alpha;
        reflect(part(a.view_mut(), k + 1..n, k + 1..n), &v, tau);
        reflect(part(a.view_mut(), 0..n, k + 1..n).reversed_axes(), &v, tau);
    }
}

fn radius_of_hessenberg(mut h: Array2<f64>) -> f64 {
    let most_sweeps = 30 * h.nrows().max(10);
    let (mut radius, mut sweeps, mut end) = (0.0_f64, 0, h.nrows());
    while end > 0 {
        // The last block that is coupled: above it stands a subdiagonal entry lost in rounding.
        let start = (1..end).rev().find(|&i| {
            let diagonal = h[[i - 1, i - 1]].abs() + h[[i, i]].abs();
            let scale = if diagonal == 0.0 { 1.0 } else { diagonal };
            h[[i, i - 1]].abs() <= f64::EPSILON * scale
        });
        let start = start.unwrap_or(0);
        let block = part(h.view_mut(), start..end, start..end);
        if block.nrows() > 2 {
            sweeps += 1;
            assert!(
                sweeps <= most_sweeps,
                "spectral_radius: no convergence in {most_sweeps} sweeps"
            );
            sweep(block, sweeps % 10 == 0);
        } else {
            radius = radius.max(radius_of_small(block.view()));
            (end, sweeps) = (start, 0);
        }
    }
    radius
}

/// Of one row, or two.
fn radius_of_small(a: ArrayView2<f64>) -> f64 {
    if a.nrows() == 1 {
        return a[[0, 0]].abs();
    }
    // The eigenvalues are m ± √d.
    let m = (a[[0, 0]] + a[[1, 1]]) / 2.0;
    let p = (a[[0, 0]] - a[[1, 1]]) / 2.0;
    let d = p * p + a[[0, 1]] * a[[1, 0]];
    if d >= 0.0 { m.abs() + d.sqrt() } else { (m * m - d).sqrt() }
}

/// One step of the QR iteration with two shifts, the eigenvalues of the last 2×2 block, in real numbers.
///
/// `stuck` takes other shifts: there are matrices (a cyclic permutation) that the usual ones don't change.
fn sweep(mut h: ArrayViewMut2<f64>, stuck: bool) {
    let n = h.nrows();
    let (sum, product) = if stuck {
        let s = h[[n - 1, n - 2]].abs() + h[[n - 2, n - 3]].abs();
        (1.5 * s, s * s)
    } else {
        let (a, b) = (h[[n - 2, n - 2]], h[[n - 2, n - 1]]);
        let (c, d) = (h[[n - 1, n - 2]], h[[n - 1, n - 1]]);
        (a + d, a * d - b * c)
    };
    // The first column of H² − sum·H + product·I; the rest of it is 0.
    let mut x = [
        h[[0, 0]] * (h[[0, 0]] - sum) + h[[0, 1]] * h[[1, 0]] + product,
        h[[1, 0]] * (h[[0, 0]] + h[[1, 1]] - sum),
        h[[1, 0]] * h[[2, 1]],
    ];
    // Its reflection puts a bulge below the subdiagonal; the further ones chase it down and out.
    for k in 0..n - 1 {
        let stop = (k + 3).min(n);
        let v = &mut x[..stop - k];
        if k > 0 {
            v.iter_mut().zip(k..).for_each(|(v, i)| *v = h[[i, k - 1]]);
        }
        let (tau, alpha) = reflection(v);
        if k > 0 {
            part(h.view_mut(), k + 1..stop, k - 1..k).fill(0.0);
            h[[k, k - 1]] = alpha;
        }
        reflect(part(h.view_mut(), k..stop, k..n), v, tau);
        reflect(
            part(h.view_mut(), 0..(stop + 1).min(n), k..stop).reversed_axes(),
            v,
            tau,
        );
    }
}
