//! A linear read-out of states, by least squares: what it finds, a network has at hand.

use longlag_numerics::product::product;
use ndarray::{Array1, Array2, Axis};

/// States and what is to be read out of them.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// (N, H).
    pub states: &'a Array2<f64>,
    /// (N, O).
    pub answers: &'a Array2<f64>,
}

// ANCHOR: linear
/// What the ridge is, against a unit's variance of 1. It is there to make
/// the equations solvable, not to shrink: 10⁻⁶ changes no digit shown.
const RIDGE: f64 = 1e-6;

/// The linear read-out with the least squared error on the examples, for
/// other states (M, H): their answers, (M, O).
///
/// Units are first shifted and scaled to mean 0 and variance 1, so that
/// it doesn't matter how small what they carry is.
pub fn linear(known: Examples<'_>, states: &Array2<f64>) -> Array2<f64> {
    let Examples { states: x, answers: y } = known;
    let n = x.nrows() as f64;
    let means = |of: &Array2<f64>| columns(of, |a| a / n);
    let (x_means, y_means) = (means(x), means(y));
    let (mut x, y) = (x - &x_means, y - &y_means);
    let squares = columns(&x.mapv(|x| x * x), |s| (s / n).sqrt());
    let scale = squares.mapv(|s| if s > 0.0 { 1.0 / s } else { 0.0 });
    x *= &scale;
    let mut normal = Array2::eye(x.ncols()) * (RIDGE * n);
    product(x.t(), x.view(), normal.view_mut(), true);
    let mut weights = Array2::zeros((x.ncols(), y.ncols()));
    product(x.t(), y.view(), weights.view_mut(), false);
    solve(normal, &mut weights);

    let states = (states - &x_means) * &scale;
    let mut said = Array2::zeros((states.nrows(), y.ncols()));
    product(states.view(), weights.view(), said.view_mut(), false);
    said + &y_means
}

/// Solves A·X = B by Cholesky's factorisation A = L·Lᵀ; X takes B's
/// place. A (n, n) is symmetric and positive definite, B (n, m).
fn solve(mut a: Array2<f64>, b: &mut Array2<f64>) {
    let n = a.nrows();
    for i in 0..n {
        for j in 0..=i {
            let inner = |k| a[[i, k]] * a[[j, k]];
            let rest = a[[i, j]] - (0..j).map(inner).sum::<f64>();
            a[[i, j]] = if i == j { rest.sqrt() } else { rest / a[[j, j]] };
        }
    }
    for mut b in b.columns_mut() {
        for i in 0..n {
            let done: f64 = (0..i).map(|k| a[[i, k]] * b[k]).sum();
            b[i] = (b[i] - done) / a[[i, i]];
        }
        for i in (0..n).rev() {
            let done: f64 = (i + 1..n).map(|k| a[[k, i]] * b[k]).sum();
            b[i] = (b[i] - done) / a[[i, i]];
        }
    }
}
// ANCHOR_END: linear

/// The columns' sums, row after row, and what is made of them.
fn columns(of: &Array2<f64>, then: impl Fn(f64) -> f64) -> Array1<f64> {
    let zero = Array1::zeros(of.ncols());
    of.axis_iter(Axis(0)).fold(zero, |sum, row| sum + row).mapv(then)
}
