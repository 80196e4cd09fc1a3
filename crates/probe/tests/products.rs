//! Singular values of products that are known by construction, and nalgebra's where it has the digits.

mod common;

use common::times;
use longlag_cells::init::Init;
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use longlag_probe::products::singular_values;
use nalgebra::DMatrix;
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use std::f64::consts::{LN_10, LOG10_2};

/// The promise: relative error of a singular value.
const PROMISE: f64 = 1e-10;

fn orthogonal(n: usize, rng: &mut Rng) -> Array2<f64> {
    let mut q = Array2::zeros((n, n));
    Init::Orthogonal { gain: 1.0 }.fill(q.view_mut(), n, rng);
    q
}

fn diagonal(d: &[f64]) -> Array2<f64> {
    Array2::from_diag(&Array1::from(d.to_vec()))
}

/// Factors U_i·D_i·U_{i−1}ᵀ, whose product has exactly the values Π_i D_i, up to the rounding of the factors.
fn constructed(diagonals: &[Vec<f64>], seed: u64) -> Vec<Array2<f64>> {
    let mut rng = Rng::new(seed);
    let n = diagonals[0].len();
    let mut before = orthogonal(n, &mut rng);
    diagonals
        .iter()
        .map(|d| {
            let after = orthogonal(n, &mut rng);
            let factor = times(&times(&after, &diagonal(d)), &before.t().to_owned());
            before = after;
            factor
        })
        .collect()
}

/// log₁₀ of 10^`decades` · 2^`twos` is `decades + twos·log₁₀ 2`: exponents add up without rounding.
#[track_caller]
fn check(factors: &[Array2<f64>], want: &[f64], tolerance: f64) {
    let got = singular_values(factors);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = ((got - want) * LN_10).abs();
        assert!(error <= tolerance || got == want, "value {i}: 10^{got}, not 10^{want}: {error:e}");
    }
}

/// All D_i have entries from 1 down to 2^−`fall`; the product has those from 1 to 2^−(`fall` · factors).
fn graded(n: usize, factors: usize, fall: i32) -> (Vec<Vec<f64>>, Vec<f64>) {
    let exponents: Vec<f64> = (0..n).map(|j| (f64::from(fall) * j as f64 / (n - 1) as f64).round()).collect();
    let one: Vec<f64> = exponents.iter().map(|e| (0..*e as i32).fold(1.0, |x, _| x / 2.0)).collect();
    (vec![one; factors], exponents.iter().map(|e| -e * factors as f64 * LOG10_2).collect())
}

#[test]
fn from_1_to_1e_200() {
    // 2^−664 is 10^−199.9.
    for (n, factors, fall) in [(2, 166, 4), (8, 83, 8), (20, 166, 4), (33, 664, 1), (8, 332, 2)] {
        let (diagonals, want) = graded(n, factors, fall);
        assert!((want[n - 1] + 199.9).abs() < 0.1);
        check(&constructed(&diagonals, 1), &want, PROMISE);
    }
}

#[test]
fn values_far_beyond_the_range() {
    // From 2^20000 to 2^−20000: 10^±6020.
    let diagonal = vec![1024.0, 1.0, 1.0, 0.5, 1.0 / 1024.0];
    let want = [10.0, 0.0, 0.0, -1.0, -10.0].map(|e| e * 2000.0 * LOG10_2);
    // The logarithm of 10⁶⁰²⁰ is itself rounded to 10⁻¹²; 2000 factors of condition 2²⁰ round a lot.
    check(&constructed(&vec![diagonal; 2000], 1), &want, 2000.0 * 1e-9);
    let gentle = vec![2.0, 1.0, 1.0, 0.5, 0.5];
    let want = [1.0, 0.0, 0.0, -1.0, -1.0].map(|e| e * 20_000.0 * LOG10_2);
    check(&constructed(&vec![gentle; 20_000], 1), &want, PROMISE);
}

#[test]
fn diagonal_matrices_in_the_wrong_order() {
    // Nothing mixes the directions, so nothing but the sorting brings them in order; the second shrinks by
    // 600 decades and then grows by 800, beyond the first.
    let shrink = diagonal(&[1.0, 1e-6, 0.5]);
    let grow = diagonal(&[1.0, 1e8, 0.5]);
    let factors = [vec![shrink; 100], vec![grow; 100]].concat();
    check(&factors, &[200.0, 0.0, -200.0 * LOG10_2], 1e-12);
    let huge = diagonal(&[1e-200, 1e200, 1.0]);
    check(&[huge.clone(), huge], &[400.0, 0.0, -400.0], 1e-12);
}

/// What begins with the shrinking direction never turns to the other one: the factors leave it where it is.
#[test]
fn triangular_matrices_that_keep_a_shrinking_direction() {
    let keep = |small: f64| array![[small, 1.0], [0.0, 1.0]];
    // [[sⁿ, (1 − sⁿ)/(1 − s)], [0, 1]]: the squares sum to 1 + 1/(1 − s)², and their product is s²ⁿ.
    for small in [0.5, 1.0 / 64.0] {
        let n = 700.0;
        let largest = 0.5 * Real::ln(1.0 + 1.0 / ((1.0 - small) * (1.0 - small))) / LN_10;
        let smallest = n * Real::ln(small) / LN_10 - largest;
        check(&vec![keep(small); 700], &[largest, smallest], 1e-12 * n);
        check(&vec![keep(small).reversed_axes(); 700], &[largest, smallest], 1e-12 * n);
    }
}

/// c_t = f∘c_{t−1} and h_t = a∘c_t, with nothing from h: an LSTM without recurrent weights. Half of the
/// values are 0, and may not hide the others.
#[test]
fn an_lstm_without_recurrent_weights() {
    let (f, a) = ([0.5, 0.25, 0.125], [0.3, 0.5, 0.9]);
    let mut step = Array2::zeros((6, 6));
    for j in 0..3 {
        step[[j, 3 + j]] = a[j] * f[j];
        step[[3 + j, 3 + j]] = f[j];
    }
    let steps = 200.0;
    let value = |j: usize| -(j as f64 + 1.0) * steps * LOG10_2 + 0.5 * Real::ln(1.0 + a[j] * a[j]) / LN_10;
    let none = f64::NEG_INFINITY;
    check(&vec![step; 200], &[value(0), value(1), value(2), none, none, none], 1e-12);
}

/// Values that end up close to each other have the digits of the rotations alone.
#[test]
fn values_that_end_up_close() {
    let turns = [[2.0, 1.0, 0.5, 1.0], [1.0, 0.5, 1.0, 2.0], [0.5, 2.0, 2.0, 0.5], [1.0, 1.0, 1.0, 1.0]];
    let mut diagonals: Vec<Vec<f64>> = (0..60).map(|i| turns[i % 4].to_vec()).collect();
    diagonals.push(vec![1.0, 1.01, 1.1, 2.0]);
    let want = [2.0, 1.1, 1.01, 1.0].map(|x| Real::ln(x) / LN_10);
    check(&constructed(&diagonals, 1), &want, 1e-13);
}

#[test]
fn zeros_are_zeros() {
    let nilpotent = array![[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]];
    let none = f64::NEG_INFINITY;
    check(std::slice::from_ref(&nilpotent), &[LOG10_2, 0.0, none], 1e-15);
    check(&vec![nilpotent.clone(); 2], &[LOG10_2, none, none], 1e-15);
    check(&vec![nilpotent; 3], &[none; 3], 0.0);
    // The shift of a dead unit: a rectifier's mask takes rows out of an orthogonal matrix.
    let mut masked = orthogonal(4, &mut Rng::new(1));
    masked.row_mut(2).fill(0.0);
    check(&[masked], &[0.0, 0.0, 0.0, none], 1e-14);
    // Of one rank up to rounding: the others are nothing but that, or less.
    let mut draw = Rng::new(1);
    let (u, v): (Vec<f64>, Vec<f64>) = (0..20).map(|_| (draw.normal(), draw.normal())).unzip();
    let outer = Array2::from_shape_fn((20, 20), |(i, j)| u[i] * v[j]);
    let size = |x: &[f64]| 0.5 * Real::ln(x.iter().map(|x| x * x).sum::<f64>()) / LN_10;
    for factors in [vec![outer.clone()], vec![outer.clone(), outer.t().to_owned()]] {
        let values = singular_values(&factors);
        let largest = (size(&u) + size(&v)) * factors.len() as f64;
        assert!((values[0] - largest).abs() < 1e-13 && values[1] < largest - 14.5, "{values:?}");
    }
    let mut bad = Array2::eye(2);
    bad[[0, 1]] = f64::NAN;
    assert!(singular_values(&[bad]).iter().all(|v| v.is_nan()));
}

/// |r_11|, |r_22| … of the accumulated QR factorisation, as log₁₀.
fn diagonal_of_r(factors: &[Array2<f64>]) -> Vec<f64> {
    let n = factors[0].nrows();
    let mut q = DMatrix::<f64>::identity(n, n);
    let mut sums = vec![0.0; n];
    for a in factors {
        let qr = (to_nalgebra(a) * q).qr();
        q = qr.q();
        sums.iter_mut().zip(qr.r().diagonal().iter()).for_each(|(s, r)| *s += Real::ln(r.abs()) / LN_10);
    }
    sums
}

/// Why there are rotations after the factorisations.
#[test]
fn the_diagonal_of_r_is_not_the_singular_values() {
    // Shears: the diagonal of R is (1, 1) for ever. The values of [[1, 0], [k, 1]] are √(1 + k²/4) ± k/2.
    let shear = array![[1.0, 0.0], [1.0, 1.0]].reversed_axes();
    let k = 100.0_f64;
    let largest = Real::ln((1.0 + k * k / 4.0).sqrt() + k / 2.0) / LN_10;
    let factors = vec![shear; 100];
    check(&factors, &[largest, -largest], 1e-12);
    let diagonal = diagonal_of_r(&factors);
    assert!(diagonal.iter().all(|d| d.abs() < 1e-12) && largest > 1.9, "{diagonal:?}");

    // Of matrices in general position the sizes are right, and not one digit.
    let (diagonals, want) = graded(8, 83, 8);
    let diagonal = diagonal_of_r(&constructed(&diagonals, 1));
    let worst = diagonal.iter().zip(&want).fold(0.0_f64, |m, (d, w)| m.max((d - w).abs()));
    assert!((0.1..5.0).contains(&worst), "{worst} decades");
}

fn to_nalgebra(a: &Array2<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[[i, j]])
}

fn matrices() -> impl Strategy<Value = Vec<Array2<f64>>> {
    (1..7_usize, 1..5_usize).prop_flat_map(|(n, count)| {
        let matrix = prop::collection::vec(-2.0..2.0_f64, n * n)
            .prop_map(move |x| Array2::from_shape_vec((n, n), x).expect("n² entries"));
        prop::collection::vec(matrix, count)
    })
}

/// The product of the factors' condition numbers.
fn condition(factors: &[Array2<f64>]) -> f64 {
    let of = |a: &Array2<f64>| {
        let values = to_nalgebra(a).singular_values();
        values.max() / values.min()
    };
    factors.iter().map(of).product()
}

proptest! {
    #[test]
    fn nalgebra_agrees_on_short_products(factors in matrices()) {
        let n = factors[0].nrows();
        let product = factors.iter().fold(DMatrix::identity(n, n), |p, a| to_nalgebra(a) * p);
        let mut want: Vec<f64> = product.singular_values().iter().copied().collect();
        want.sort_by(|a, b| b.total_cmp(a));
        // A formed product has only the largest value's digits: n² entries, rounded in each factor.
        let size: f64 = factors.iter().map(|a| to_nalgebra(a).norm()).product();
        for (got, want) in singular_values(&factors).iter().zip(&want) {
            let got = Real::exp(got * LN_10);
            prop_assert!((got - want).abs() <= 4e-14 * size, "{} for {}", got, want);
        }
    }

    #[test]
    fn the_transposed_product_has_the_same(factors in matrices()) {
        let condition = condition(&factors);
        prop_assume!(condition < 1e6);
        let transposed: Vec<_> = factors.iter().rev().map(|a| a.t().to_owned()).collect();
        for (a, b) in singular_values(&factors).iter().zip(singular_values(&transposed)) {
            prop_assert!((a - b).abs() <= 1e-14 * condition, "{} and {}", a, b);
        }
    }

    #[test]
    fn their_product_is_the_determinants(factors in matrices()) {
        let condition = condition(&factors);
        prop_assume!(condition < 1e6);
        let sum: f64 = singular_values(&factors).iter().sum();
        let log10 = |a| Real::ln(f64::abs(to_nalgebra(a).determinant())) / LN_10;
        let want: f64 = factors.iter().map(log10).sum();
        prop_assert!((sum - want).abs() <= 1e-14 * condition, "{} for {}", sum, want);
    }
}

#[test]
#[should_panic = "singular_values: a factor is (2, 3), not (2, 2)"]
fn factors_of_other_shapes_are_refused() {
    singular_values(&[Array2::eye(2), Array2::zeros((2, 3)).select(Axis(0), &[0, 1])]);
}
