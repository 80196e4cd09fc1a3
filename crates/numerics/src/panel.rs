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

#![expect(clippy::needless_range_loop, reason = "two arrays in step; closures are not always inlined here")]

use crate::isa::{self, Cpu, Kernel, MAX_WIDTH};
use crate::lanes::{Float, Lanes, Pair};
use crate::real::Pointwise;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;

/// Columns that lie together: the widest register.
pub const SEGMENT: usize = MAX_WIDTH;
/// Segments in a panel.
const SEGMENTS: usize = 4;
/// Columns of a panel.
pub const PANEL: usize = SEGMENTS * SEGMENT;
/// Rows of the largest tile of a product.
const TILE_ROWS: usize = 6;
/// The length of a block of k in [`multiply`]: a block of a panel takes 64 KiB in `f32`.
const DEPTH: usize = 256;
/// The size of the operands from which on the next block of a panel is fetched ahead: below, they stay in the
/// second-level cache by themselves.
const FETCH_BYTES: usize = 768 << 10;

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

/// What the chains of [`multiply`] start at.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, T> {
    /// 0.
    Zero,
    /// A number for each column, such as a bias; at least as many as there are, in whole segments.
    Row(&'a [T]),
    /// What `c` holds.
    Held,
}

/// One product of [`multiply`]: a (m, k) times b (k, n).
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a, T> {
    /// (m, k).
    pub a: Matrix<'a, T>,
    /// (k, n), k or more rows; fastest in panels.
    pub b: Matrix<'a, T>,
}

/// `c = start + Σ a·b` over the operands.
///
/// Shapes: `c` (m, n), each `a` (m, k) and `b` (≥ k, ≥ n in whole segments), with a k of its own each; one step of
/// each. What it gives where `c` overlaps `a` or `b` is not defined.
///
/// # Panics
/// If the shapes don't fit, or `c` is for reading.
#[track_caller]
pub fn multiply<T: Float>(start: Start<'_, T>, operands: &[Operand<'_, T>], c: Matrix<'_, T>) {
    let n = c.segments() * SEGMENT;
    for Operand { a, b } in operands {
        let fits = a.rows() == c.rows() && b.rows() >= a.columns() && b.columns() >= n;
        let single = a.single() && b.single() && c.single();
        assert!(fits && single, "multiply: {:?} by {:?} to {:?}", a.layout, b.layout, c.layout);
    }
    if let Start::Row(row) = start {
        assert!(row.len() >= n, "multiply: a row of {} for {n} columns", row.len());
    }
    assert!(c.writable, "multiply: c is for reading");
    isa::run(Multiply { start, operands, c });
}

/// The rows of `a` and `b` multiplied and added up, over all of them: `c += aᵀ·b`.
///
/// Shapes: `a` (k, m), `b` (k, n) in panels, `c` (m, n) in panels.
///
/// # Panics
/// If the shapes don't fit, or `c` is for reading.
#[track_caller]
pub fn accumulate<T: Float>(a: &Columns<'_, T>, b: Matrix<'_, T>, c: Matrix<'_, T>) {
    assert!(b.rows() == a.rows && c.rows() == a.columns, "accumulate: {:?} to {:?}", b.layout, c.layout);
    let whole = b.columns() == c.columns() && c.columns().is_multiple_of(SEGMENT) && b.single() && c.single();
    assert!(whole && b.layout.row == PANEL && c.writable, "accumulate: {:?} to {:?}", b.layout, c.layout);
    isa::run(Accumulate { a, b, c });
}

/// A matrix (rows, columns) laid out for [`accumulate`]: by groups of columns, each group row by row.
#[derive(Debug)]
pub struct Columns<'a, T> {
    values: &'a mut [T],
    rows: usize,
    columns: usize,
}

impl<'a, T: Float> Columns<'a, T> {
    /// How much room it takes.
    #[track_caller]
    pub fn len_of(rows: usize, columns: usize) -> usize {
        times(rows, columns.checked_next_multiple_of(TILE_ROWS).expect(TOO_LARGE))
    }
    /// A matrix to be filled with [`put`](Self::put), in the given room.
    #[track_caller]
    pub fn new(room: &'a mut [T], rows: usize, columns: usize) -> Self {
        Columns { values: &mut room[..Columns::<T>::len_of(rows, columns)], rows, columns }
    }
    /// Copies a matrix to where its first element is (`row`, `column`).
    #[track_caller]
    pub fn put(&mut self, row: usize, column: usize, from: Matrix<'_, T>) {
        let (rows, columns) = (from.rows(), from.columns());
        let fits = rows <= self.rows && row <= self.rows - rows;
        let beside = columns <= self.columns && column <= self.columns - columns;
        assert!(fits && beside && from.single(), "put: {:?} at ({row}, {column})", from.layout);
        isa::run(Put { to: self, row, column, from });
    }
    /// Fills a column.
    #[track_caller]
    pub fn fill(&mut self, column: usize, value: T) {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        let group = column / TILE_ROWS * self.rows * TILE_ROWS;
        let rows = self.values[group..group + self.rows * TILE_ROWS].chunks_exact_mut(TILE_ROWS);
        rows.for_each(|row| row[column % TILE_ROWS] = value);
    }
}

/// Part of the columns of a matrix that [`map`] reads or writes: the segments `first`, `first + every`, …
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a, T> {
    /// The matrix. If it has one row, that is every row's.
    pub matrix: Matrix<'a, T>,
    /// The segment that belongs to the first block.
    pub first: usize,
    /// From a block's segment to the next block's; 0 if all share one.
    pub every: usize,
}

/// `y = p(x)` element by element, over `rows` rows and the blocks of [`SEGMENT`] units in `blocks`.
///
/// Sources and targets may be the same segments: what is read of an element is read before it is written. If a
/// target overlaps a source in another way, the result is not defined.
/// A segment that ends early, because its matrix does, is read as if zeros followed; of others all is written.
///
/// # Panics
/// If a segment is not in its matrix, or a matrix has several steps, or a target is for reading.
#[track_caller]
pub fn map<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize>(
    p: &P,
    rows: usize,
    blocks: Range<usize>,
    x: &[Segments<'_, T>; N],
    y: &[Segments<'_, T>; M],
) {
    if check_map(rows, &blocks, x, y) {
        isa::run(Map::<_, _, N, M, false> { p, rows, blocks, x, y, floor: T::ZERO });
    }
}

/// [`map`], but numbers whose absolute value is below `floor` are written as 0.
///
/// # Panics
/// As [`map`].
#[track_caller]
pub fn map_above<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize>(
    floor: T,
    p: &P,
    rows: usize,
    blocks: Range<usize>,
    x: &[Segments<'_, T>; N],
    y: &[Segments<'_, T>; M],
) {
    if check_map(rows, &blocks, x, y) {
        isa::run(Map::<_, _, N, M, true> { p, rows, blocks, x, y, floor });
    }
}

/// Whether there is anything to do.
#[track_caller]
fn check_map<T: Copy + std::fmt::Debug>(
    rows: usize,
    blocks: &Range<usize>,
    x: &[Segments<'_, T>],
    y: &[Segments<'_, T>],
) -> bool {
    if blocks.is_empty() || rows == 0 {
        return false;
    }
    for s in x.iter().chain(y) {
        let last = (blocks.end - 1).checked_mul(s.every).and_then(|n| n.checked_add(s.first));
        let there = last.is_some_and(|last| last < s.matrix.segments());
        let tall = s.matrix.rows();
        let fits = tall == rows || tall == 1;
        assert!(there && fits && s.matrix.single(), "map: {s:?}, {blocks:?} × {rows}");
    }
    assert!(y.iter().all(|s| s.matrix.writable), "map: a target is for reading");
    true
}

struct Map<'a, T, P, const N: usize, const M: usize, const FLOOR: bool> {
    p: &'a P,
    rows: usize,
    blocks: Range<usize>,
    x: &'a [Segments<'a, T>; N],
    y: &'a [Segments<'a, T>; M],
    floor: T,
}

impl<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize, const FLOOR: bool> Kernel<T>
    for Map<'_, T, P, N, M, FLOOR>
{
    type Output = ();
    #[inline(always)]
    #[allow(unsafe_code)]
    fn run<L: Lanes<Element = T>>(self, cpu: Cpu<L>) {
        let floor = cpu.splat(self.floor);
        let whole = |at: &Places<T, N, M>| at.x_width.iter().chain(&at.y_width).all(|&n| n == SEGMENT);
        let mut room = Room { x: [[T::ZERO; SEGMENT]; N], y: [[T::ZERO; SEGMENT]; M] };
        // SAFETY: `map` has checked that the blocks' segments and all rows are in the matrices; the widths say how
        // much of a segment is there; the `Cpu` proves the registers.
        unsafe {
            let mut block = self.blocks.start;
            while block < self.blocks.end {
                let at = self.places(block);
                block += 1;
                if !whole(&at) {
                    for r in 0..self.rows {
                        at.row(r).through::<L, P, FLOOR>(&mut room, &at, self.p, floor);
                    }
                    continue;
                }
                let mut r = 0;
                if self.rows == 1 && block < self.blocks.end && whole(&self.places(block)) {
                    // A single row has its companion in the next block.
                    at.row(0).pair::<L, P, FLOOR>(&self.places(block).row(0), self.p, floor);
                    block += 1;
                    continue;
                }
                while r + 1 < self.rows {
                    at.row(r).pair::<L, P, FLOOR>(&at.row(r + 1), self.p, floor);
                    r += 2;
                }
                if r < self.rows {
                    at.row(r).single::<L, P, FLOOR>(self.p, floor);
                }
            }
        }
    }
}

impl<T: Float, P, const N: usize, const M: usize, const FLOOR: bool> Map<'_, T, P, N, M, FLOOR> {
    #[inline(always)]
    fn places(&self, block: usize) -> Places<T, N, M> {
        let mut places = Places {
            x: [(std::ptr::null_mut(), 0); N],
            y: [(std::ptr::null_mut(), 0); M],
            x_width: [0; N],
            y_width: [0; M],
        };
        let place = |s: &Segments<'_, T>| {
            let column = (s.first + block * s.every) * SEGMENT;
            let row = if s.matrix.rows() == 1 { 0 } else { s.matrix.layout.row };
            ((s.matrix.element(0, 0, column), row), SEGMENT.min(s.matrix.columns() - column))
        };
        for i in 0..N {
            (places.x[i], places.x_width[i]) = place(&self.x[i]);
        }
        for i in 0..M {
            (places.y[i], places.y_width[i]) = place(&self.y[i]);
        }
        places
    }
}

/// Where a block begins in each matrix, and how far apart its rows are.
struct Places<T, const N: usize, const M: usize> {
    x: [(*mut T, usize); N],
    y: [(*mut T, usize); M],
    /// How many columns of each segment are there.
    x_width: [usize; N],
    y_width: [usize; M],
}

/// Whole segments in place of those that end early.
struct Room<T, const N: usize, const M: usize> {
    x: [[T; SEGMENT]; N],
    y: [[T; SEGMENT]; M],
}

/// Where a row of a block begins in each matrix.
struct Row<T, const N: usize, const M: usize> {
    x: [*mut T; N],
    y: [*mut T; M],
}

impl<T: Float, const N: usize, const M: usize> Places<T, N, M> {
    #[inline(always)]
    fn row(&self, r: usize) -> Row<T, N, M> {
        let mut row = Row { x: [std::ptr::null_mut(); N], y: [std::ptr::null_mut(); M] };
        for i in 0..N {
            row.x[i] = self.x[i].0.wrapping_add(r * self.x[i].1);
        }
        for i in 0..M {
            row.y[i] = self.y[i].0.wrapping_add(r * self.y[i].1);
        }
        row
    }
}

#[allow(unsafe_code)]
impl<T: Float, const N: usize, const M: usize> Row<T, N, M> {
    /// The equations over this row.
    ///
    /// # Safety
    /// A segment of each of `x` can be read, of each of `y` written; the CPU has the registers.
    #[inline(always)]
    unsafe fn single<L, P, const FLOOR: bool>(&self, p: &P, floor: L)
    where
        L: Lanes<Element = T>,
        P: Pointwise<N, M>,
    {
        let zero = floor.fill(T::ZERO);
        for v in (0..SEGMENT).step_by(L::WIDTH) {
            let mut x = [zero; N];
            // SAFETY: the caller's promise.
            unsafe {
                for i in 0..N {
                    x[i] = L::load(self.x[i].wrapping_add(v));
                }
                let y = p.apply(x);
                for i in 0..M {
                    above::<L, FLOOR>(y[i], floor).store(self.y[i].wrapping_add(v));
                }
            }
        }
    }

    /// The equations over this row and another, together.
    ///
    /// # Safety
    /// As for [`single`](Self::single), for both.
    #[inline(always)]
    unsafe fn pair<L, P, const FLOOR: bool>(&self, other: &Self, p: &P, floor: L)
    where
        L: Lanes<Element = T>,
        P: Pointwise<N, M>,
    {
        let zero = floor.fill(T::ZERO);
        for v in (0..SEGMENT).step_by(L::WIDTH) {
            let mut x = [Pair(zero, zero); N];
            // SAFETY: the caller's promise.
            unsafe {
                for i in 0..N {
                    x[i] = Pair(L::load(self.x[i].wrapping_add(v)), L::load(other.x[i].wrapping_add(v)));
                }
                let y = p.apply(x);
                for i in 0..M {
                    let Pair(first, second) = above::<Pair<L>, FLOOR>(y[i], Pair(floor, floor));
                    first.store(self.y[i].wrapping_add(v));
                    second.store(other.y[i].wrapping_add(v));
                }
            }
        }
    }

    /// The equations over this row where segments end early: with `room` in their place, which has zeros behind
    /// their ends.
    ///
    /// # Safety
    /// The segments' widths of `at` can be read of each of `x`, written of each of `y`; the CPU has the
    /// registers.
    #[inline(always)]
    unsafe fn through<L, P, const FLOOR: bool>(
        &self,
        room: &mut Room<T, N, M>,
        at: &Places<T, N, M>,
        p: &P,
        floor: L,
    ) where
        L: Lanes<Element = T>,
        P: Pointwise<N, M>,
    {
        let mut whole = Row { x: self.x, y: self.y };
        // SAFETY: the caller's promise; the segments in the room are whole.
        unsafe {
            for i in 0..N {
                if at.x_width[i] < SEGMENT {
                    whole.x[i] = room.x[i].as_mut_ptr();
                    self.x[i].copy_to_nonoverlapping(whole.x[i], at.x_width[i]);
                }
            }
            for i in 0..M {
                if at.y_width[i] < SEGMENT {
                    whole.y[i] = room.y[i].as_mut_ptr();
                }
            }
            whole.single::<L, P, FLOOR>(p, floor);
            for i in 0..M {
                if at.y_width[i] < SEGMENT {
                    self.y[i].copy_from_nonoverlapping(whole.y[i], at.y_width[i]);
                }
            }
        }
    }
}

/// `value`, or 0 where it is below the floor.
#[inline(always)]
fn above<L: Lanes, const FLOOR: bool>(value: L, floor: L) -> L {
    if FLOOR { L::pick(value.abs().lt(floor), value.fill(L::Element::ZERO), value) } else { value }
}

struct Multiply<'a, T> {
    start: Start<'a, T>,
    operands: &'a [Operand<'a, T>],
    c: Matrix<'a, T>,
}

/// Part of a chain: k rows of a panel of `b`, and the same columns of `a`, which lie in panels of their own.
#[derive(Clone, Copy)]
struct Piece<T> {
    k: usize,
    a: *const T,
    a_row: usize,
    a_panel: usize,
    b: *const T,
    b_row: usize,
}

/// How a tile's chains begin and end.
#[derive(Clone, Copy, PartialEq)]
enum Chain<T> {
    FromZero,
    /// From a number for each column.
    FromRow(*const T),
    FromHeld,
    /// From zero, and the sum is added to what is held.
    Added,
}

impl<T: Float> Kernel<T> for Multiply<'_, T> {
    type Output = ();
    #[inline(always)]
    #[allow(unsafe_code)]
    fn run<L: Lanes<Element = T>>(self, _: Cpu<L>) {
        let Multiply { start, operands, c } = self;
        let (m, segments) = (c.rows(), c.segments());
        if m == 0 {
            return;
        }
        let size: usize = operands.iter().map(|o| o.a.columns() * c.columns() * size_of::<T>()).sum();
        let fetch = size > FETCH_BYTES;
        let nothing = Piece { k: 0, a: c.first, a_row: 0, a_panel: 0, b: c.first, b_row: 0 };
        for first in (0..segments).step_by(SEGMENTS) {
            let count = SEGMENTS.min(segments - first);
            let column = first * SEGMENT;
            let width = (count * SEGMENT).min(c.columns() - column);
            let mut chain = match start {
                Start::Zero => Chain::FromZero,
                Start::Row(row) => Chain::FromRow(row[column..].as_ptr()),
                Start::Held => Chain::FromHeld,
            };
            // The next piece begins at k of operand o.
            let (mut o, mut k, mut begun) = (0, 0, false);
            while o < operands.len() || !begun {
                let mut pieces = [nothing; 2];
                let mut depth = 0;
                for piece in &mut pieces {
                    // A second piece only if the whole pass stays in the cache.
                    let Some(Operand { a, b }) = operands.get(o) else { break };
                    let left = (a.columns() - k).min(DEPTH);
                    if depth + left > DEPTH + SEGMENT && depth > 0 {
                        break;
                    }
                    *piece = Piece {
                        k: left,
                        a: a.element(0, 0, k),
                        a_row: a.layout.row,
                        a_panel: a.layout.panel,
                        b: b.element(0, k, column),
                        b_row: b.layout.row,
                    };
                    depth += left;
                    k += left;
                    if k == a.columns() {
                        (o, k) = (o + 1, 0);
                    }
                }
                // What comes next: the same rows of the next panel.
                let next = match operands.first() {
                    Some(Operand { b, .. }) if fetch && first + SEGMENTS < segments => {
                        pieces[0].b.wrapping_add(b.layout.panel)
                    }
                    _ => std::ptr::null(),
                };
                // SAFETY: `multiply` has checked that the pieces lie in their matrices for all m rows of `a`
                // and `count` segments of `b`, and that `c` may be written; of its columns `width` are left.
                unsafe {
                    if width == count * SEGMENT {
                        tiles::<L, false>(
                            m,
                            count,
                            pieces,
                            chain,
                            c.element(0, 0, column),
                            c.layout.row,
                            next,
                        );
                    } else {
                        through_whole_tiles::<L>(
                            m,
                            count,
                            pieces,
                            chain,
                            c.element(0, 0, column),
                            c.layout.row,
                            width,
                        );
                    }
                }
                chain = Chain::FromHeld;
                begun = true;
            }
        }
    }
}

/// [`tiles`] for a last panel whose rows end within a segment: computes in room of its own and copies.
///
/// # Safety
/// As for [`tiles`], but only `width` columns of `c` are there.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn through_whole_tiles<L: Lanes>(
    m: usize,
    segments: usize,
    pieces: [Piece<L::Element>; 2],
    chain: Chain<L::Element>,
    c: *mut L::Element,
    c_row: usize,
    width: usize,
) {
    let mut room = [L::Element::ZERO; TILE_ROWS * PANEL];
    for i in (0..m).step_by(TILE_ROWS) {
        let rows = TILE_ROWS.min(m - i);
        let pieces = pieces.map(|p| Piece { a: p.a.wrapping_add(i * p.a_row), ..p });
        // SAFETY: the caller's promise; the room holds the tile.
        unsafe {
            for r in 0..rows {
                c.wrapping_add((i + r) * c_row).copy_to_nonoverlapping(room[r * PANEL..].as_mut_ptr(), width);
            }
            tiles::<L, false>(rows, segments, pieces, chain, room.as_mut_ptr(), PANEL, std::ptr::null());
            for r in 0..rows {
                c.wrapping_add((i + r) * c_row).copy_from_nonoverlapping(room[r * PANEL..].as_ptr(), width);
            }
        }
    }
}

/// How many registers a row of a tile gets: six rows of four leave eight of AVX-512's 32 for the operands,
/// six rows of two leave four of the 16 that others have.
#[inline(always)]
const fn tile_registers<L: Lanes>() -> usize {
    if size_of::<L>() == 64 { 4 } else { 2 }
}

/// All m rows of one panel of `c`, `segments` segments wide. `GROUPED` as in [`tile`].
///
/// # Safety
/// The pieces can be read in m rows of `a` and in `segments` segments of each row of `b`; `c` can be read
/// and written in m rows of as many segments, `c_row` apart. The CPU has the registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn tiles<L: Lanes, const GROUPED: bool>(
    m: usize,
    segments: usize,
    pieces: [Piece<L::Element>; 2],
    chain: Chain<L::Element>,
    c: *mut L::Element,
    c_row: usize,
    next: *const L::Element,
) {
    let registers = segments * (SEGMENT / L::WIDTH);
    let count = m.div_ceil(TILE_ROWS);
    let (rows, longer) = (m / count, m % count);
    let depth = pieces[0].k;
    let mut i = 0;
    for t in 0..count {
        // Tiles of about the same height; groups of columns have theirs.
        let rows = if GROUPED { TILE_ROWS.min(m - i) } else { rows + usize::from(t < longer) };
        let mut v = 0;
        while v < registers {
            let wide = tile_registers::<L>().min(registers - v);
            let at = v * L::WIDTH;
            let pieces =
                pieces.map(|p| Piece { a: p.a.wrapping_add(i * p.a_row), b: p.b.wrapping_add(at), ..p });
            let chain = match chain {
                Chain::FromRow(row) => Chain::FromRow(row.wrapping_add(at)),
                other => other,
            };
            // Each tile fetches a part of what comes next, a cache line for each k.
            let line = 64 / size_of::<L::Element>();
            let fetch = if next.is_null() || t >= SEGMENTS || v > 0 {
                Fetch { at: c, step: 0 }
            } else {
                Fetch { at: next.wrapping_add(t * depth * line), step: line }
            };
            // SAFETY: the caller's promise; the tile's rows and registers are among the panel's.
            unsafe {
                tile_of::<L, GROUPED>(rows, wide, pieces, chain, c.wrapping_add(i * c_row + at), c_row, fetch)
            };
            v += wide;
        }
        i += rows;
    }
}

/// What a tile fetches into the cache beside its work: a line for each k.
#[derive(Clone, Copy)]
struct Fetch<T> {
    at: *const T,
    step: usize,
}

/// [`tile`] of a size known only at run time.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn tile_of<L: Lanes, const GROUPED: bool>(
    rows: usize,
    registers: usize,
    pieces: [Piece<L::Element>; 2],
    chain: Chain<L::Element>,
    c: *mut L::Element,
    c_row: usize,
    fetch: Fetch<L::Element>,
) {
    macro_rules! sizes {
        ($($rows:literal x $registers:literal)*) => {
            match (rows, registers) {
                $(
                    // SAFETY: the caller's promise.
                    ($rows, $registers) if $registers <= tile_registers::<L>() => unsafe {
                        tile::<L, $rows, $registers, GROUPED>(pieces, chain, c, c_row, fetch)
                    },
                )*
                _ => unreachable!("no tile has {rows} rows of {registers} registers"),
            }
        };
    }
    sizes! {
        1 x 1  2 x 1  3 x 1  4 x 1  5 x 1  6 x 1
        1 x 2  2 x 2  3 x 2  4 x 2  5 x 2  6 x 2
        1 x 3  2 x 3  3 x 3  4 x 3  5 x 3  6 x 3
        1 x 4  2 x 4  3 x 4  4 x 4  5 x 4  6 x 4
    }
}

/// The chains of a tile of `c`, in registers. `GROUPED`: the columns of `a` are those of [`Columns`].
///
/// # Safety
/// The pieces can be read in `ROWS` rows of `a` and `REGISTERS` registers of each row of `b`, `c` read and
/// written in as many rows and registers. The CPU has the registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn tile<L: Lanes, const ROWS: usize, const REGISTERS: usize, const GROUPED: bool>(
    pieces: [Piece<L::Element>; 2],
    chain: Chain<L::Element>,
    c: *mut L::Element,
    c_row: usize,
    fetch: Fetch<L::Element>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = L::splat(L::Element::ZERO);
        let mut sum = [[zero; REGISTERS]; ROWS];
        match chain {
            Chain::FromZero | Chain::Added => {}
            Chain::FromRow(from) => {
                for r in 0..ROWS {
                    for v in 0..REGISTERS {
                        sum[r][v] = L::load(from.wrapping_add(v * L::WIDTH));
                    }
                }
            }
            Chain::FromHeld => {
                for r in 0..ROWS {
                    for v in 0..REGISTERS {
                        sum[r][v] = L::load(c.wrapping_add(r * c_row + v * L::WIDTH));
                    }
                }
            }
        }
        let mut fetch = fetch;
        for Piece { k, a, a_row, a_panel, b, b_row } in pieces {
            let (mut a, mut b, mut left) = (a, b, k);
            while left > 0 {
                // Columns of `a` are contiguous within a panel only. A piece begins at that of a panel.
                let k = if GROUPED { left } else { left.min(PANEL) };
                let mut x = a;
                macro_rules! chains {
                    ($fetch:literal) => {
                        for _ in 0..k {
                            if $fetch {
                                zero.prefetch(fetch.at);
                                fetch.at = fetch.at.wrapping_add(fetch.step);
                            }
                            let mut y = [zero; REGISTERS];
                            for v in 0..REGISTERS {
                                y[v] = L::load(b.wrapping_add(v * L::WIDTH));
                            }
                            for r in 0..ROWS {
                                let x = zero.fill(*x.wrapping_add(if GROUPED { r } else { r * a_row }));
                                for v in 0..REGISTERS {
                                    sum[r][v] = x.mul_add(y[v], sum[r][v]);
                                }
                            }
                            x = x.wrapping_add(if GROUPED { TILE_ROWS } else { 1 });
                            b = b.wrapping_add(b_row);
                        }
                    };
                }
                if fetch.step > 0 {
                    chains!(true);
                } else {
                    chains!(false);
                }
                a = a.wrapping_add(a_panel);
                left -= k;
            }
        }
        for r in 0..ROWS {
            for v in 0..REGISTERS {
                let at = c.wrapping_add(r * c_row + v * L::WIDTH);
                let added = if let Chain::Added = chain { L::load(at) + sum[r][v] } else { sum[r][v] };
                added.store(at);
            }
        }
    }
}

struct Accumulate<'a, T> {
    a: &'a Columns<'a, T>,
    b: Matrix<'a, T>,
    c: Matrix<'a, T>,
}

impl<T: Float> Kernel<T> for Accumulate<'_, T> {
    type Output = ();
    #[inline(always)]
    #[allow(unsafe_code)]
    fn run<L: Lanes<Element = T>>(self, _: Cpu<L>) {
        let Accumulate { a, b, c } = self;
        let (k, m, segments) = (a.rows, a.columns, c.segments());
        let nothing = Piece { k: 0, a: c.first, a_row: 0, a_panel: 0, b: c.first, b_row: 0 };
        for first in (0..segments).step_by(SEGMENTS) {
            let count = SEGMENTS.min(segments - first);
            let column = first * SEGMENT;
            let piece = Piece {
                k,
                a: a.values.as_ptr(),
                // A row of a tile is a column of `a`; the groups of columns lie one behind the other.
                a_row: k,
                a_panel: 0,
                b: b.element(0, 0, column),
                b_row: PANEL,
            };
            let more = first + SEGMENTS < segments;
            let next = if more { piece.b.wrapping_add(b.layout.panel) } else { std::ptr::null() };
            let to = c.element(0, 0, column);
            // SAFETY: `accumulate` has checked that `a` and `b` have k rows, that `c` has m, and that their columns
            // are the same; the last group of columns of `a` is padded.
            unsafe {
                tiles::<L, true>(m, count, [piece, nothing], Chain::Added, to, c.layout.row, next);
            }
        }
    }
}

struct Put<'a, 'b, T> {
    to: &'a mut Columns<'b, T>,
    row: usize,
    column: usize,
    from: Matrix<'a, T>,
}

impl<T: Float> Kernel<T> for Put<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    #[allow(unsafe_code)]
    fn run<L: Lanes<Element = T>>(self, _: Cpu<L>) {
        let Put { to, row, column, from } = self;
        let (rows, columns) = (from.rows(), from.columns());
        let mut c = 0;
        while c < columns {
            // What lies in one group of columns there and in one panel here.
            let lane = (column + c) % TILE_ROWS;
            let n = (TILE_ROWS - lane).min(columns - c).min(PANEL - c % PANEL);
            let start = (column + c) / TILE_ROWS * to.rows * TILE_ROWS + row * TILE_ROWS;
            let to = &mut to.values[start..start + rows * TILE_ROWS];
            for (r, to) in to.chunks_exact_mut(TILE_ROWS).enumerate() {
                let x = from.element(0, r, c);
                // SAFETY: `from` has the n columns, which lie in one panel, in each of its rows.
                unsafe {
                    if n == TILE_ROWS {
                        x.copy_to_nonoverlapping(to.as_mut_ptr(), TILE_ROWS);
                    } else {
                        x.copy_to_nonoverlapping(to[lane..lane + n].as_mut_ptr(), n);
                    }
                }
            }
            c += n;
        }
    }
}
