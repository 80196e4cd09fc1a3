//! Decoders: what can be read of a message out of a state.
//!
//! A decoder is fitted on states whose messages it is told and tested on fresh ones. What none of these finds
//! may still be there.

use longlag_numerics::product::product;
use ndarray::{Array2, ArrayView1, Axis};

/// How well messages were decoded.
#[derive(
    Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize,
)]
pub struct Decoded {
    /// The share of bits that were named rightly; one half by guessing.
    pub bit: f64,
    /// R² of the number: 1 − its squared errors over its squared distances from its mean. 1 if it was found
    /// exactly, 0 for who always says the mean, less for who errs more than that.
    pub number: f64,
}

impl Decoded {
    /// Compares decoded messages (B, 2) with the true ones.
    pub fn of(said: &Array2<f64>, messages: &Array2<f64>) -> Decoded {
        let pairs = || said.rows().into_iter().zip(messages.rows());
        let count = messages.nrows() as f64;
        let right = pairs().filter(|(s, m)| s[0] * m[0] > 0.0).count();
        let mean = pairs().map(|(_, m)| m[1]).sum::<f64>() / count;
        let square = |x: f64| x * x;
        let errors: f64 = pairs().map(|(s, m)| square(s[1] - m[1])).sum();
        let all: f64 = pairs().map(|(_, m)| square(m[1] - mean)).sum();
        let number = 1.0 - errors / all;
        // Which sign a NaN gets differs between processors.
        let number = if number.is_nan() { f64::NAN } else { number };
        Decoded { bit: right as f64 / count, number }
    }

    /// Of each the better one.
    #[must_use]
    pub fn better(self, other: Decoded) -> Decoded {
        Decoded {
            bit: self.bit.max(other.bit),
            number: self.number.max(other.number),
        }
    }
}

/// States (B, H) and the messages (B, 2) that they come from.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// The states.
    pub states: &'a Array2<f64>,
    /// The messages.
    pub messages: &'a Array2<f64>,
}

// ANCHOR: linear
/// What the ridge is, against a unit's variance of 1. It is there to make
/// the equations solvable, not to shrink: 10⁻⁶ changes no digit shown.
const RIDGE: f64 = 1e-6;

/// The linear read-out with the least squared error on the examples, for
/// other states (B', H): their messages, (B', 2).
///
/// Units are first shifted and scaled to mean 0 and variance 1, so that
/// it doesn't matter how small what they carry is.
pub fn linear(known: Examples<'_>, states: &Array2<f64>) -> Array2<f64> {
    let Examples { states: x, messages: y } = known;
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
fn columns(
    of: &Array2<f64>,
    then: impl Fn(f64) -> f64,
) -> ndarray::Array1<f64> {
    let zero = ndarray::Array1::zeros(of.ncols());
    of.axis_iter(Axis(0)).fold(zero, |sum, row| sum + row).mapv(then)
}

// ANCHOR: nearest
/// How many neighbours: an odd number, so that no vote is a tie.
const NEIGHBOURS: usize = 5;

/// The mean message of the nearest examples, for other states (B', H).
/// What it says of the bit is a vote.
pub fn nearest(known: Examples<'_>, states: &Array2<f64>) -> Array2<f64> {
    let distance = |a: ArrayView1<f64>, b: ArrayView1<f64>| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut said = Array2::zeros((states.nrows(), known.messages.ncols()));
    for (state, mut said) in states.rows().into_iter().zip(said.rows_mut()) {
        let rows = known.states.rows().into_iter().enumerate();
        let mut all: Vec<(f64, usize)> =
            rows.map(|(i, row)| (distance(row, state), i)).collect();
        // Of examples that are equally near, the first.
        let order = |a: &(f64, usize), b: &(f64, usize)| {
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
        };
        let count = NEIGHBOURS.min(all.len());
        all.select_nth_unstable_by(count - 1, order);
        let near = &mut all[..count];
        near.sort_by(order);
        for &(_, i) in &*near {
            said += &known.messages.row(i);
        }
        said /= near.len() as f64;
    }
    said
}
// ANCHOR_END: nearest
