//! Singular values of long products of matrices.
//!
//! The key decision: **the product is never formed.** Its entries are about as large as its largest singular
//! value, and every rounding of them as large as all values below 10⁻¹⁶ of that: the singular values of
//! 100 Jacobians span 200 decades. Three stages keep each value's own digits:
//!
//! 1. QR factorisations along the transposed product give an orthogonal Q₀ that is nearly that of the right
//!    singular vectors. Any other would do for matrices in general position, but not for block triangular
//!    ones (those of a network without recurrent weights, say): a shrinking direction that they keep would be
//!    taken for the first and never left.
//! 2. QR factorisations along the product, from Q₀: A_i·Q_{i−1} = Q_i·R_i. So A_T·…·A_1·Q₀ = Q_T·R with the
//!    triangular R = R_T·…·R_1, whose rows lie on scales of their own, decades apart.
//! 3. One-sided Jacobi rotations on the rows of R, each kept with its own power of two.
//!
//! The diagonal of R alone is not the singular values: it has their rates of growth, exact in the limit of
//! infinitely many factors. From Q₀ = 1 the product of k shears [[1, 1], [0, 1]] has the diagonal (1, 1), and
//! singular values of about k and 1/k.
//!
//! The result is log₁₀ of each value. That is the scale on which it is read, it has no range to leave (1000
//! steps may well give 10⁻⁴⁰⁰), and it costs no digits: the logarithm of a value down to 10⁻¹⁰⁰⁰⁰⁰ is exact
//! to 10⁻¹⁰ of the value.
//!
//! What no algorithm can mend: a factor whose entries are rounded has small singular values with an error of
//! 10⁻¹⁶ of its largest one. If directions shrink by more than 16 decades against others and then outgrow
//! them, that rounding decides the result.
//!
//! Sources: Stewart, "A new algorithm for the SVD of a long product of matrices and the stability of
//! products", ETNA 5, 1997, for QR along a product; Demmel and Veselić, "Jacobi's method is more accurate
//! than QR", SIAM J. Matrix Anal. Appl. 13(4), 1992: one-sided Jacobi on D·B, D diagonal, gives every
//! singular value with a relative error that depends on B's condition and not on D.

use crate::qr::qr;
use crate::scaled::{ZERO, log10_norm, normalise, pow2};
use longlag_numerics::product::product;
use longlag_numerics::slice;
use ndarray::{Array2, ArrayView2};

/// log₁₀ of the singular values of A_T·…·A_1, in descending order; −∞ for those that are 0.
///
/// `factors` are A_1 … A_T, the first one first, (n, n) each. All values are NaN if an entry isn't finite.
///
/// The relative error is below 10⁻¹⁰ where the factors' condition numbers sum up to less than 10⁵ and
/// directions grow or shrink in the same order along the product (see [above](self)).
///
/// Panics if there are no factors, or one isn't square or not as large as the first.
#[track_caller]
pub fn singular_values(factors: &[Array2<f64>]) -> Vec<f64> {
    let n = factors.first().expect("singular_values: a product has factors").nrows();
    for a in factors {
        assert!(a.dim() == (n, n), "singular_values: a factor is {:?}, not {:?}", a.dim(), (n, n));
    }
    if factors.iter().flatten().any(|a| !a.is_finite()) {
        return vec![f64::NAN; n];
    }
    let mut rows = rows_of_product(factors, right_basis(factors));
    orthogonalise(&mut rows);
    let mut values: Vec<f64> = rows.iter().map(|r| log10_norm(&r.entries, r.exponent)).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

fn times(a: ArrayView2<'_, f64>, b: &Array2<f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    product(a, b.view(), c.view_mut(), false);
    c
}

/// Stage 1: nearly the right singular vectors.
fn right_basis(factors: &[Array2<f64>]) -> Array2<f64> {
    factors.iter().rev().fold(Array2::eye(factors[0].nrows()), |q, a| qr(times(a.t(), &q)).0)
}

/// A row of the triangular factor: its entries times 2^exponent.
struct Row {
    entries: Vec<f64>,
    exponent: i64,
}

/// Stage 2: the rows of R_T·…·R_1.
fn rows_of_product(factors: &[Array2<f64>], mut q: Array2<f64>) -> Vec<Row> {
    let n = q.nrows();
    let unit = |i| Row { entries: Array2::eye(n).row(i).to_vec(), exponent: 0 };
    let mut rows: Vec<Row> = (0..n).map(unit).collect();
    for a in factors {
        let (next, r) = qr(times(a.view(), &q));
        q = next;
        // Row i depends on rows i … n of the product so far, so it may be written in their place.
        for i in 0..n {
            // What is multiplied by 0 has no say in the scale.
            let terms = || (i..n).filter(|&k| r[[i, k]] != 0.0);
            let top = terms().map(|k| rows[k].exponent).max().unwrap_or(ZERO);
            let mut entries = vec![0.0; n];
            for k in terms() {
                let by = r[[i, k]] * pow2(rows[k].exponent - top);
                entries.iter_mut().zip(&rows[k].entries).for_each(|(sum, e)| *sum += by * e);
            }
            let exponent = normalise(&mut entries).map_or(ZERO, |n| top + n);
            rows[i] = Row { entries, exponent };
        }
    }
    rows
}

/// Stage 3: rotates pairs of rows until all are orthogonal.
fn orthogonalise(rows: &mut [Row]) {
    let n = rows.len();
    // What rounding leaves of the cosine of the angle between orthogonal rows of n entries.
    let straight = n as f64 * f64::EPSILON;
    let mut turned = true;
    let mut sweeps = 0;
    while turned {
        turned = false;
        for i in 0..n {
            for j in i + 1..n {
                let [a, b] = rows.get_disjoint_mut([i, j]).expect("i and j differ");
                turned |= rotate(a, b, straight);
            }
        }
        sweeps += 1;
        assert!(sweeps < MOST_SWEEPS, "singular_values: no convergence in {MOST_SWEEPS} sweeps");
    }
}

/// Convergence is quadratic: a dozen sweeps do for matrices of thousands of rows.
const MOST_SWEEPS: usize = 60;

/// Makes two rows orthogonal unless the cosine of their angle is at most `straight`; says whether it did.
///
/// For rows σu and ρσv with unit vectors u and v, ρ ≤ 1 and g = u·v, the rotation by the smaller angle that
/// does it has the tangent t = ρτ with τ = sign(g) / (η + √(ρ² + η²)), η = (1 − ρ²) / (2|g|). In u and v:
///   u ← c (u + ρ²τ v), v ← c (v − τ u), c = 1 / √(1 + t²).
/// No number here is far from 1, however small ρ is.
fn rotate(a: &mut Row, b: &mut Row, straight: f64) -> bool {
    let size = |r: &Row| (slice::norm(&r.entries), r.exponent);
    let (mut norm_a, mut norm_b) = (size(a), size(b));
    if norm_a.0 == 0.0 || norm_b.0 == 0.0 {
        return false;
    }
    let ratio = |a: (f64, i64), b: (f64, i64)| b.0 / a.0 * pow2(b.1 - a.1);
    let (mut large, mut small) = (a, b);
    if ratio(norm_a, norm_b) > 1.0 {
        (large, small) = (small, large);
        (norm_a, norm_b) = (norm_b, norm_a);
    }
    let rho = ratio(norm_a, norm_b);
    let inner: f64 = large.entries.iter().zip(&small.entries).map(|(a, b)| a * b).sum();
    let g = inner / (norm_a.0 * norm_b.0);
    if g.abs() <= straight {
        return false;
    }
    let eta = (1.0 - rho * rho) / (2.0 * g.abs());
    let tau = g.signum() / (eta + (rho * rho + eta * eta).sqrt());
    let t = rho * tau;
    let c = 1.0 / (1.0 + t * t).sqrt();
    // The entries hold u and v times their norms.
    let unit = norm_b.0 / norm_a.0;
    for (u, v) in large.entries.iter_mut().zip(&mut small.entries) {
        (*u, *v) = (c * (*u + rho * t / unit * *v), c * (*v - tau * unit * *u));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 decades apart, whichever comes first: the large one keeps its size, the small one its distance.
    #[test]
    fn a_rotation_takes_rows_in_any_order() {
        for exponents in [[0, 0], [0, -700], [-700, 0], [3000, -3000], [-3000, 3000]] {
            let row = |entries: [f64; 2], exponent| Row { entries: entries.to_vec(), exponent };
            let (mut a, mut b) = (row([1.0, 1.0], exponents[0]), row([1.0, 2.0], exponents[1]));
            assert!(rotate(&mut a, &mut b, 1e-15));
            let cosine = (a.entries[0] * b.entries[0] + a.entries[1] * b.entries[1])
                / (slice::norm(&a.entries) * slice::norm(&b.entries));
            assert!(cosine.abs() < 1e-15, "{exponents:?}: {cosine}");
            let [a, b] = [a, b].map(|r| log10_norm(&r.entries, r.exponent));
            // Their determinant stays: 1 · 2^(sum of the exponents).
            let area = log10_norm(&[1.0], exponents[0] + exponents[1]);
            assert!((a + b - area).abs() < 1e-12, "{exponents:?}: {a} and {b}");
            let (large, norm) = if exponents[0] > exponents[1] { (a, 2.0_f64) } else { (b, 5.0) };
            let want = log10_norm(&[norm.sqrt()], exponents[0].max(exponents[1]));
            assert!(exponents[0] == exponents[1] || (large - want).abs() < 1e-12, "{exponents:?}: {large}");
        }
    }
}
