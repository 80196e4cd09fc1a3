//! The three loops that fused sequence kernels are made of: [`multiply`], [`accumulate`] and [`map`].
//!
//! The key decision: **columns lie in panels of [`PANEL`], panels in segments of [`SEGMENT`]**, whatever the
//! instruction set. A segment is one AVX-512 register of `f32`, or several smaller registers, so a matrix has
//! one layout everywhere, a tile of a product reads contiguous memory, and sixteen units of a cell with all
//! their gates lie side by side. A [`Matrix`] says where a matrix, or one matrix a time step, lies in a slice;
//! its making checks the bounds, once for a whole sequence.
//!
//! The loops stay on the calling thread. [`Rows`] splits a matrix between threads by its rows.
//!
//! Orders, which the shapes alone decide: an element of [`multiply`] is one chain of fused multiply-adds over
//! the operands in turn and each one's k upwards; [`accumulate`] adds one such chain from 0 to what is there.

use crate::isa::MAX_WIDTH;
use crate::lanes::Float;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;

mod map;
mod products;

pub use map::{Segments, map, map_above};
pub(crate) use products::Compiled;
pub use products::{Columns, Operand, Start, accumulate, multiply};

/// Columns that lie together: the widest register.
pub const SEGMENT: usize = MAX_WIDTH;
/// Segments in a panel.
const SEGMENTS: usize = 4;
/// Columns of a panel.
pub const PANEL: usize = SEGMENTS * SEGMENT;
const TOO_LARGE: &str = "more elements than there are addresses";

#[track_caller]
fn times(a: usize, b: usize) -> usize {
    a.checked_mul(b).expect(TOO_LARGE)
}

/// `columns` in whole segments.
#[track_caller]
fn segments_of(columns: usize) -> usize {
    columns.checked_next_multiple_of(SEGMENT).expect(TOO_LARGE)
}

/// Where the elements of a matrix, or of one matrix a step, lie in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    steps: usize,
    rows: usize,
    columns: usize,
    /// From one step to the next.
    step: usize,
    /// From one row to the next.
    row: usize,
    /// From one panel to the next; within a panel columns are contiguous.
    panel: usize,
}

impl Layout {
    /// Row after row, as in C and in PyTorch: (steps, rows, columns).
    ///
    /// # Panics
    /// As the others that make a layout, if there are more elements than addresses.
    #[track_caller]
    pub fn row_major(steps: usize, rows: usize, columns: usize) -> Layout {
        Layout::spaced(steps, rows, columns, columns)
    }
    /// Row after row, `row` ≥ `columns` elements apart.
    #[track_caller]
    pub fn spaced(steps: usize, rows: usize, columns: usize, row: usize) -> Layout {
        assert!(row >= columns, "rows of {columns} columns lie {row} apart");
        Layout { steps, rows, columns, step: times(rows, row), row, panel: PANEL }.checked()
    }
    /// In each step panel after panel; `columns` is rounded up to whole segments, a step to whole panels.
    #[track_caller]
    pub fn panels(steps: usize, rows: usize, columns: usize) -> Layout {
        let panel = times(rows, PANEL);
        let step = times(columns.div_ceil(PANEL), panel);
        Layout { steps, rows, columns: segments_of(columns), step, row: PANEL, panel }.checked()
    }
    /// Panel after panel, in each step after step: the rows of all steps are one column of rows.
    #[track_caller]
    pub fn panels_of_steps(steps: usize, rows: usize, columns: usize) -> Layout {
        let step = times(rows, PANEL);
        let panel = times(steps, step);
        Layout { steps, rows, columns: segments_of(columns), step, row: PANEL, panel }.checked()
    }
    /// The layout, if its last element has an address. Of no steps there are no rows.
    #[track_caller]
    fn checked(mut self) -> Layout {
        if self.steps == 0 {
            self.rows = 0;
        }
        let panels = times(self.columns.div_ceil(PANEL), self.panel);
        let steps = times(self.steps, self.step);
        let all = panels.checked_add(steps).and_then(|n| n.checked_add(times(self.rows, self.row)));
        assert!(all.is_some_and(|n| n < isize::MAX as usize), "{TOO_LARGE}");
        self
    }
    /// The length of the slice that holds it.
    pub fn len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        let last = (self.columns - 1) / PANEL * self.panel + (self.columns - 1) % PANEL;
        (self.steps - 1) * self.step + (self.rows - 1) * self.row + last + 1
    }
    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.steps == 0 || self.rows == 0 || self.columns == 0
    }
    #[track_caller]
    fn check(&self, len: usize) {
        assert!(len >= self.len(), "a matrix {self:?} takes {} elements, the slice has {len}", self.len());
    }
}

/// A matrix that the loops of this module read or write: a view, with no thought for aliasing.
///
/// Like a slice of [`Cell`]s it may be copied freely, read and written through any copy, but not given to
/// another thread. Where it was made with [`read`](Matrix::read), writing to it panics.
#[derive(Debug)]
pub struct Matrix<'a, T> {
    first: *mut T,
    layout: Layout,
    writable: bool,
    life: PhantomData<&'a [Cell<T>]>,
}

impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Matrix<'_, T> {}

impl<'a, T: Copy> Matrix<'a, T> {
    /// A matrix to read.
    ///
    /// # Panics
    /// If the slice is too short for the layout; so do the others that make one.
    #[track_caller]
    pub fn read(x: &'a [T], layout: Layout) -> Self {
        layout.check(x.len());
        Matrix { first: x.as_ptr().cast_mut(), layout, writable: false, life: PhantomData }
    }
    /// A matrix to read and write.
    #[track_caller]
    pub fn write(x: &'a mut [T], layout: Layout) -> Self {
        layout.check(x.len());
        Matrix { first: x.as_mut_ptr(), layout, writable: true, life: PhantomData }
    }
    /// An array (steps · rows, columns) whose rows are contiguous, to read.
    #[track_caller]
    pub fn of(x: ArrayView2<'a, T>, steps: usize) -> Self {
        let layout = layout_of(x.dim(), x.strides(), steps);
        Matrix { first: x.as_ptr().cast_mut(), layout, writable: false, life: PhantomData }
    }
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }
    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.layout.columns
    }
    /// The matrix of step `t`.
    #[track_caller]
    pub fn at(self, t: usize) -> Self {
        assert!(t < self.layout.steps, "step {t} of {}", self.layout.steps);
        let first = self.first.wrapping_add(t * self.layout.step);
        Matrix { first, layout: Layout { steps: 1, ..self.layout }, ..self }
    }
    /// Some of the rows.
    #[track_caller]
    pub fn of_rows(self, rows: Range<usize>) -> Self {
        assert!(
            rows.start < rows.end && rows.end <= self.layout.rows,
            "rows {rows:?} of {}",
            self.layout.rows
        );
        let first = self.first.wrapping_add(rows.start * self.layout.row);
        Matrix { first, layout: Layout { rows: rows.len(), ..self.layout }, ..self }
    }
    /// Some of the columns, from the beginning of a panel.
    #[track_caller]
    pub fn of_columns(self, columns: Range<usize>) -> Self {
        let whole = columns.start.is_multiple_of(PANEL);
        let there = columns.start < columns.end && columns.end <= self.layout.columns;
        assert!(whole && there, "columns {columns:?} of {}", self.layout.columns);
        let first = self.first.wrapping_add(columns.start / PANEL * self.layout.panel);
        Matrix { first, layout: Layout { columns: columns.len(), ..self.layout }, ..self }
    }
    /// The first `steps` steps of [`Layout::panels_of_steps`] as one matrix, their rows one below the other.
    #[track_caller]
    pub fn of_steps(self, steps: usize) -> Self {
        let Layout { rows, row, step, .. } = self.layout;
        assert!(
            steps <= self.layout.steps && step == rows * row,
            "the rows of {steps} steps follow one another"
        );
        Matrix { layout: Layout { steps: 1, rows: steps * rows, ..self.layout }, ..self }
    }
    /// Copies the elements of `from`, a matrix of the same steps and rows, in the columns that both have.
    #[track_caller]
    pub fn copy(self, from: Matrix<'_, T>) {
        let (to, of) = (self.layout, from.layout);
        assert!(to.steps == of.steps && to.rows == of.rows && self.writable, "copy: {of:?} to {to:?}");
        let columns = to.columns.min(of.columns);
        for t in 0..to.steps {
            for r in 0..to.rows {
                for c in (0..columns).step_by(PANEL) {
                    let n = PANEL.min(columns - c);
                    #[allow(unsafe_code)]
                    // SAFETY: both matrices have these n elements, which lie in one panel; they may be the same.
                    unsafe {
                        std::ptr::copy(from.element(t, r, c), self.element(t, r, c), n)
                    }
                }
            }
        }
    }
    /// Adds the elements of `from`, a matrix of the same steps and rows, in the columns that both have.
    #[track_caller]
    pub fn add(self, from: Matrix<'_, T>)
    where
        T: Float,
    {
        let (to, of) = (self.layout, from.layout);
        assert!(to.steps == of.steps && to.rows == of.rows && self.writable, "add: {of:?} to {to:?}");
        for t in 0..to.steps {
            for r in 0..to.rows {
                for c in 0..to.columns.min(of.columns) {
                    #[allow(unsafe_code)]
                    // SAFETY: both matrices have the element, and this one may be written.
                    unsafe {
                        *self.element(t, r, c) += *from.element(t, r, c)
                    }
                }
            }
        }
    }
    /// Fills rows and columns of all steps with `value`.
    #[track_caller]
    pub fn fill(self, value: T) {
        assert!(self.writable, "fill: the matrix is for reading");
        for t in 0..self.layout.steps {
            for r in 0..self.layout.rows {
                for c in 0..self.layout.columns {
                    #[allow(unsafe_code)]
                    // SAFETY: it is an element of the matrix, which may be written.
                    unsafe {
                        *self.element(t, r, c) = value
                    }
                }
            }
        }
    }
    #[inline(always)]
    fn element(&self, t: usize, r: usize, c: usize) -> *mut T {
        let Layout { step, row, panel, .. } = self.layout;
        self.first.wrapping_add(t * step + r * row + c / PANEL * panel + c % PANEL)
    }
    /// Whether it is the matrix of one step, which is what the loops take.
    #[inline(always)]
    fn single(&self) -> bool {
        self.layout.steps <= 1
    }
    /// The number of segments, the last of which may be shorter.
    #[inline(always)]
    fn segments(&self) -> usize {
        self.layout.columns.div_ceil(SEGMENT)
    }
}

/// The same matrix, for one thread alone, to be split between several by its rows.
#[derive(Debug)]
pub struct Rows<'a, T> {
    first: *mut T,
    layout: Layout,
    life: PhantomData<&'a mut [T]>,
}

#[allow(unsafe_code)]
// SAFETY: whoever has it is alone with its rows, as with a mutable slice.
unsafe impl<T: Send> Send for Rows<'_, T> {}

impl<'a, T: Copy> Rows<'a, T> {
    /// All rows.
    ///
    /// # Panics
    /// If the slice is too short for the layout.
    #[track_caller]
    pub fn new(x: &'a mut [T], layout: Layout) -> Self {
        layout.check(x.len());
        Rows { first: x.as_mut_ptr(), layout, life: PhantomData }
    }
    /// All rows of an array (steps · rows, columns) whose rows are contiguous.
    #[track_caller]
    pub fn of(mut x: ArrayViewMut2<'a, T>, steps: usize) -> Self {
        let layout = layout_of(x.dim(), x.strides(), steps);
        Rows { first: x.as_mut_ptr(), layout, life: PhantomData }
    }
    /// The rows before `row`, and those from it on; either may be none.
    #[track_caller]
    pub fn split(self, row: usize) -> (Self, Self) {
        assert!(row <= self.layout.rows, "row {row} of {}", self.layout.rows);
        let rest = self.first.wrapping_add(row * self.layout.row);
        let part = |first, rows| Rows { first, layout: Layout { rows, ..self.layout }, life: PhantomData };
        (part(self.first, row), part(rest, self.layout.rows - row))
    }
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }
    /// The same rows, for a while.
    pub fn reborrow(&mut self) -> Rows<'_, T> {
        Rows { first: self.first, layout: self.layout, life: PhantomData }
    }
    /// As a matrix to read and write.
    pub fn matrix(&mut self) -> Matrix<'_, T> {
        Matrix { first: self.first, layout: self.layout, writable: true, life: PhantomData }
    }
}

#[track_caller]
fn layout_of((rows, columns): (usize, usize), strides: &[isize], steps: usize) -> Layout {
    assert!(steps > 0 && rows.is_multiple_of(steps), "{rows} rows are no whole number of {steps} steps");
    if rows == 0 || columns == 0 {
        return Layout::row_major(steps, rows / steps, columns);
    }
    let row = if rows > 1 { strides[0] } else { columns as isize };
    let contiguous = columns < 2 || strides[1] == 1;
    assert!(contiguous && row >= columns as isize, "the rows of the array are not contiguous: {strides:?}");
    Layout::spaced(steps, rows / steps, columns, row as usize)
}
