use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};
use std::fmt;
use std::ops::Range;

/// Where a matrix lies in an arena: where it begins, its shape, and how far apart its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    pub(crate) at: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) stride: usize,
    /// Whether its gradient is wanted.
    pub(crate) varies: bool,
}

impl Matrix {
    /// Rows and columns.
    pub fn shape(self) -> [usize; 2] {
        [self.rows, self.cols]
    }
    pub(crate) fn dense(at: usize, rows: usize, cols: usize, varies: bool) -> Matrix {
        Matrix { at, rows, cols, stride: cols, varies }
    }
    /// Everything from its first to its last element.
    pub(crate) fn range(self) -> Range<usize> {
        self.at..self.at + (self.rows - 1) * self.stride + self.cols
    }
    /// The same matrix at the beginning of an arena of its own.
    pub(crate) fn alone(self) -> Matrix {
        Matrix { at: 0, ..self }
    }
    /// Whether its elements follow one another without gaps.
    fn contiguous(self) -> bool {
        self.stride == self.cols || self.rows == 1
    }
    /// Row `i`. A matrix of one row is as tall as needed: this is the only broadcast there is.
    pub(crate) fn row(self, i: usize) -> Range<usize> {
        let at = self.at + if self.rows == 1 { 0 } else { i * self.stride };
        at..at + self.cols
    }
    pub(crate) fn view<T>(self, arena: &[T]) -> ArrayView2<'_, T> {
        let shape = (self.rows, self.cols).strides((self.stride, 1));
        ArrayView2::from_shape(shape, &arena[self.range()]).expect("a matrix lies in its arena")
    }
    pub(crate) fn view_mut<T>(self, arena: &mut [T]) -> ArrayViewMut2<'_, T> {
        let shape = (self.rows, self.cols).strides((self.stride, 1));
        ArrayViewMut2::from_shape(shape, &mut arena[self.range()]).expect("a matrix lies in its arena")
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.rows, self.cols)
    }
}

/// The pieces over which an elementwise operation of the shape of `out` may run slice by slice: one piece
/// if all matrices are gapless and of that shape, else row by row.
pub(crate) fn pieces(out: Matrix, target: Matrix, sources: &[Matrix]) -> impl Iterator<Item = Piece> + use<> {
    let fits = |m: &Matrix| m.shape() == out.shape() && m.contiguous();
    let whole = out.contiguous() && fits(&target) && sources.iter().all(fits);
    let count = if whole { 1 } else { out.rows };
    (0..count).map(move |row| Piece { whole, row })
}

/// One piece of an elementwise operation: all of the matrices, or one row of each.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    whole: bool,
    row: usize,
}

impl Piece {
    pub(crate) fn of(self, m: Matrix) -> Range<usize> {
        if self.whole { m.range() } else { m.row(self.row) }
    }
}
