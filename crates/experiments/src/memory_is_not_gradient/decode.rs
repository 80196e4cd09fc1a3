//! Decoders: what can be read of a message out of a state, by a [linear read-out](crate::readout::linear) or by its
//! neighbours.
//!
//! A decoder is fitted on states whose messages it is told and tested on fresh ones. What none of these finds
//! may still be there.

use crate::readout::Examples;
use ndarray::{Array2, ArrayView1};

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

// ANCHOR: nearest
/// How many neighbours: an odd number, so that no vote is a tie.
const NEIGHBOURS: usize = 5;

/// The mean message of the nearest examples, for other states (B', H).
/// What it says of the bit is a vote.
pub fn nearest(known: Examples<'_>, states: &Array2<f64>) -> Array2<f64> {
    let distance = |a: ArrayView1<f64>, b: ArrayView1<f64>| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut said = Array2::zeros((states.nrows(), known.answers.ncols()));
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
            said += &known.answers.row(i);
        }
        said /= near.len() as f64;
    }
    said
}
// ANCHOR_END: nearest
