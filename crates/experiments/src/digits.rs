//! Handwritten digits, from the pages of the `smartcore` crate.
//!
//! 1,797 images of 8 × 8 pixels with 17 grey levels, 0 to 16: the test part of the UCI repository's "Optical
//! Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998). No writer of the first part of that data
//! set appears in it; here, as is usual for this file, the first 1,437 rows train and the last 360 test.

use longlag_numerics::Scalar;
use longlag_numerics::random::Rng;
use ndarray::{Array2, Axis};
use std::ops::Range;

/// Pixels of an image: the steps of its sequence.
pub const PIXELS: usize = 64;
/// Classes.
pub const CLASSES: usize = 10;
/// The rows to train with.
pub const TRAIN: Range<usize> = 0..1437;
/// The rows to test with.
pub const TEST: Range<usize> = 1437..1797;

/// Images and their labels.
#[derive(Clone, Debug)]
pub struct Digits {
    /// (N, 64), row by row from the top left, from 0 (white) to 1 (black).
    pub pixels: Array2<f32>,
    /// The digit of each image.
    pub labels: Vec<usize>,
}

impl Digits {
    /// All images.
    pub fn load() -> Digits {
        let set = smartcore::dataset::digits::load_dataset();
        let pixels = set.data.iter().map(|x| x / 16.0).collect();
        let pixels = Array2::from_shape_vec((set.num_samples, PIXELS), pixels);
        let labels = set.target.iter().map(|&y| y as usize).collect();
        Digits { pixels: pixels.expect("64 pixels an image"), labels }
    }

    /// Some rows.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Digits {
        let pixels =
            self.pixels.slice_axis(Axis(0), rows.clone().into()).to_owned();
        Digits { pixels, labels: self.labels[rows].to_vec() }
    }

    /// The same images with their pixels in an order drawn from `rng`.
    #[must_use]
    pub fn permuted(&self, mut rng: Rng) -> Digits {
        let order = rng.permutation(PIXELS);
        let pixels = self.pixels.select(Axis(1), &order);
        Digits { pixels, labels: self.labels.clone() }
    }

    /// Writes images as sequences of their pixels, (64·B, 1): the pixel of step t of the b-th row of `rows`
    /// stands in entry t·B + b.
    pub fn write_sequences<T: Scalar>(&self, rows: &[usize], to: &mut [T]) {
        for (t, step) in to.chunks_exact_mut(rows.len()).enumerate() {
            for (to, &row) in step.iter_mut().zip(rows) {
                *to = T::of(f64::from(self.pixels[[row, t]]));
            }
        }
    }

    /// The number of images.
    #[expect(clippy::len_without_is_empty, reason = "there are always images")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}
