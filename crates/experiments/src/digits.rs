//! Handwritten digits, from the pages of the `smartcore` crate.
//!
//! 1,797 images of 8 × 8 pixels with 17 grey levels, 0 to 16: the test part of the UCI repository's "Optical
//! Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998). No writer of the first part of that data
//! set appears in it; here, as is usual for this file, the first 1,437 rows train and the last 360 test.

use ndarray::{Array2, ArrayView2};
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
        let pixels = self.pixels.slice(ndarray::s![rows.clone(), ..]).to_owned();
        Digits { pixels, labels: self.labels[rows].to_vec() }
    }

    /// The number of images.
    #[expect(clippy::len_without_is_empty, reason = "there are always images")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// Writes the images of `rows` as a sequence of pixels: (64·B, 1), the pixel of step t of image b in row
/// t·B + b.
pub fn as_sequence<T: From<f32>>(pixels: ArrayView2<'_, f32>, rows: &[usize], to: &mut [T]) {
    for t in 0..PIXELS {
        for (b, &row) in rows.iter().enumerate() {
            to[t * rows.len() + b] = pixels[[row, t]].into();
        }
    }
}
