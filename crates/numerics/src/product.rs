//! Matrix products in a fixed order.
//!
//! The key decision: **every element of `c` is one chain of fused multiply-adds over k, in increasing
//! order**, that starts at 0 or at what the element held. [`reference()`] is that sentence as code. A chain
//! can be cut anywhere and taken up again, so blocks, registers, threads and instruction sets decide the
//! speed and never the bits (of a NaN, only that it is one). What it costs: a sum never runs in several
//! partial sums, so the lanes of a register always hold different elements of `c`.
//!
//! How it is fast (after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
//! ACM TOMS 34(3), 2008): a *tile* of `c`, a few rows of a few registers each, stays in registers. A *panel*,
//! the columns of `b` that a tile takes, is used in place if its rows are contiguous and transposed into a
//! copy if not. k runs in blocks, so that a panel stays in the first-level cache. cᵀ = bᵀ·aᵀ is computed
//! instead where that is less work.

use crate::isa::{self, Cpu, Kernel, MAX_WIDTH};
use crate::lanes::{Float, Lanes};
use crate::scalar::Scalar;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use std::cell::UnsafeCell;

/// The most rows of a tile. Six rows of four registers leave eight of AVX-512's 32 for the operands, six
/// rows of two leave four of AVX2's 16.
const TILE_ROWS: usize = 6;
/// The most registers in a row of a copied panel.
const PANEL_REGISTERS: usize = 4;
/// The registers of the largest tile, where the CPU has 32 of them or 16.
const TILE_REGISTERS: [usize; 2] = [24, 12];
/// The rows of `a` that share a copy of a panel of `b`.
const BLOCK_ROWS: usize = 32 * TILE_ROWS;
/// The length of a block of k: a panel of four AVX-512 registers takes 32 KiB.
const DEPTH: usize = 128;
/// Above this number of tiles a copy of `a` pays if its rows aren't contiguous: its columns may lie a power
/// of two apart, where they crowd each other out of the cache.
const MANY_TILES: usize = 8;
/// The multiply-adds that are worth waking a thread for.
const THREAD_WORK: usize = 1 << 18;

/// `c = a·b`, or `c += a·b` if `accumulate`.
///
/// Shapes: `a` (m, k), `b` (k, n), `c` (m, n), with any strides. Where k = 0 the product is zeros. It stays
/// on the calling thread, and allocates only in a thread's first call.
///
/// # Panics
/// If the shapes don't fit.
#[track_caller]
pub fn product<T: Float>(a: ArrayView2<T>, b: ArrayView2<T>, mut c: ArrayViewMut2<T>, accumulate: bool) {
    check_shapes(&a, &b, &c);
    isa::run::<T, _>(Problem {
        m: a.nrows(),
        k: a.ncols(),
        n: b.ncols(),
        a: Matrix { first: a.as_ptr().cast_mut(), row: a.strides()[0], column: a.strides()[1] },
        b: Matrix { first: b.as_ptr().cast_mut(), row: b.strides()[0], column: b.strides()[1] },
        c: Matrix { first: c.as_mut_ptr(), row: c.strides()[0], column: c.strides()[1] },
        accumulate,
    });
}

/// [`product`] with the threads of rayon's current pool: the same bits, sooner if there is enough to do.
///
/// The rows of `c` are split among them, or its columns if there are more of those.
///
/// # Panics
/// If the shapes don't fit.
#[track_caller]
pub fn product_threads<T: Scalar>(a: ArrayView2<T>, b: ArrayView2<T>, c: ArrayViewMut2<T>, accumulate: bool) {
    check_shapes(&a, &b, &c);
    let work = a.len().saturating_mul(b.ncols());
    split(a, b, c, accumulate, rayon::current_num_threads().min(work / THREAD_WORK));
}

fn split<T: Scalar>(a: ArrayView2<T>, b: ArrayView2<T>, c: ArrayViewMut2<T>, accumulate: bool, parts: usize) {
    if parts < 2 {
        return T::product(a, b, c, accumulate);
    }
    if c.ncols() > c.nrows() {
        return split(b.reversed_axes(), a.reversed_axes(), c.reversed_axes(), accumulate, parts);
    }
    let first_parts = parts / 2;
    let rows = c.nrows() * first_parts / parts;
    let (a_first, a_rest) = a.split_at(Axis(0), rows);
    let (c_first, c_rest) = c.split_at(Axis(0), rows);
    rayon::join(
        || split(a_first, b, c_first, accumulate, first_parts),
        || split(a_rest, b, c_rest, accumulate, parts - first_parts),
    );
}

/// What [`product`] gives, by its definition: slow, and the specification that tests hold it to.
///
/// # Panics
/// If the shapes don't fit.
#[track_caller]
pub fn reference<T: Float>(a: ArrayView2<T>, b: ArrayView2<T>, mut c: ArrayViewMut2<T>, accumulate: bool) {
    check_shapes(&a, &b, &c);
    for ((i, j), c) in c.indexed_iter_mut() {
        let mut sum = if accumulate { *c } else { T::ZERO };
        for k in 0..a.ncols() {
            sum = Lanes::mul_add(a[[i, k]], b[[k, j]], sum);
        }
        *c = sum;
    }
}

#[track_caller]
fn check_shapes<T>(a: &ArrayView2<T>, b: &ArrayView2<T>, c: &ArrayViewMut2<T>) {
    let ((m, k), (l, n)) = (a.dim(), b.dim());
    assert!(k == l, "product: a is {m}×{k} and b is {l}×{n}: the columns of a must be the rows of b");
    let (r, s) = c.dim();
    assert!((r, s) == (m, n), "product: a is {m}×{k} and b is {l}×{n}, so c must be {m}×{n}, not {r}×{s}");
}

/// A matrix in memory; the strides count elements.
#[derive(Clone, Copy)]
struct Matrix<T> {
    first: *mut T,
    row: isize,
    column: isize,
}

impl<T: Copy> Matrix<T> {
    #[inline(always)]
    fn at(self, i: usize, j: usize) -> *mut T {
        self.first.wrapping_offset(i as isize * self.row + j as isize * self.column)
    }
    /// The part that begins at row i and column j.
    #[inline(always)]
    fn from(self, i: usize, j: usize) -> Matrix<T> {
        Matrix { first: self.at(i, j), ..self }
    }
    #[inline(always)]
    fn transposed(self) -> Matrix<T> {
        Matrix { first: self.first, row: self.column, column: self.row }
    }
}

/// A product to compute. Whoever makes one promises that `a` (m, k) and `b` (k, n) can be read and `c`
/// (m, n) can be written, and that `c` shares no element with itself or the others.
#[derive(Clone, Copy)]
struct Problem<T> {
    m: usize,
    k: usize,
    n: usize,
    a: Matrix<T>,
    b: Matrix<T>,
    c: Matrix<T>,
    accumulate: bool,
}

impl<T: Float> Kernel<T> for Problem<T> {
    type Output = ();
    #[inline(always)]
    #[allow(unsafe_code)]
    fn run<L: Lanes<Element = T>>(self, _: Cpu<L>) {
        let turned = self.transposed();
        let best = if turned.cost::<L>() < self.cost::<L>() { turned } else { self };
        // SAFETY: the `Cpu` proves the registers, the maker of the problem promised the rest.
        unsafe { best.sweep::<L>() }
    }
}

impl<T: Float> Problem<T> {
    /// cᵀ = bᵀ·aᵀ: the same chains.
    #[inline(always)]
    fn transposed(self) -> Problem<T> {
        let (a, b) = (self.b.transposed(), self.a.transposed());
        Problem { m: self.n, n: self.m, a, b, c: self.c.transposed(), ..self }
    }

    /// About how long [`Problem::sweep`] takes, in multiply-adds of a register.
    #[inline(always)]
    fn cost<L: Lanes>(&self) -> usize {
        let multiply = self.m * self.k * self.n.div_ceil(L::WIDTH);
        let transpose_b = if self.b.column == 1 { 0 } else { self.k * self.n / 2 };
        let scatter_c = if self.c.column == 1 { 0 } else { 4 * self.m * self.n * self.k.div_ceil(DEPTH) };
        multiply + transpose_b + scatter_c
    }

    /// The product, with the lanes along the columns of `c`.
    ///
    /// # Safety
    /// The CPU has the registers `L`.
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn sweep<L: Lanes<Element = T>>(self) {
        let space = Space::of_thread();
        let single = L::WIDTH == 1;
        for m0 in (0..self.m).step_by(BLOCK_ROWS) {
            let m = (self.m - m0).min(BLOCK_ROWS);
            let tiles = m.div_ceil(TILE_ROWS);
            let (tile_rows, longer_tiles) = (m / tiles, m % tiles);
            let copy_a = tiles > MANY_TILES && self.a.column != 1;
            let copy_b = self.b.column != 1 && !single;
            let widest = widest::<L>(m.div_ceil(tiles), copy_b);
            let mut k0 = 0;
            while k0 < self.k || k0 == 0 {
                let k = (self.k - k0).min(DEPTH);
                let resume = self.accumulate || k0 > 0;
                let mut a = self.a.from(m0, k0);
                if copy_a {
                    let block = space.block();
                    // SAFETY: `a` has m rows and k columns from here on, and the block has room for them.
                    unsafe { copy(a.transposed(), k, m, block.transposed()) };
                    a = block;
                }
                let mut j = 0;
                while j < self.n {
                    let mut registers = widest;
                    while registers > 1 && registers * L::WIDTH > self.n - j {
                        registers /= 2;
                    }
                    let width = registers * L::WIDTH;
                    let n = width.min(self.n - j);
                    let mut b = self.b.from(k0, j);
                    if copy_b || n < width {
                        let panel = space.panel(width);
                        // SAFETY: `b` has k rows and n columns from here on, and the panel has room for
                        // k ≤ DEPTH rows of at most `PANEL_REGISTERS` registers.
                        unsafe { copy_panel::<L>(b, k, n, panel, width) };
                        b = panel;
                    }
                    let mut i = 0;
                    for t in 0..tiles {
                        let rows = tile_rows + usize::from(t < longer_tiles);
                        let (a, c) = (a.from(i, 0), self.c.from(m0 + i, j));
                        // SAFETY: a tile reads `rows` rows of `a` and `registers` registers of `b`, k deep,
                        // all within the matrices or their copies. It reads and writes `rows` rows of n
                        // elements of `c`, or of `width` elements of the scratch tile, which has room.
                        unsafe {
                            if single || n == width && self.c.column == 1 {
                                tile_of::<L>(rows, registers, k, a, b, c, resume);
                            } else {
                                let whole = space.tile(width);
                                if resume {
                                    copy(c, rows, n, whole);
                                }
                                tile_of::<L>(rows, registers, k, a, b, whole, resume);
                                copy(whole, rows, n, c);
                            }
                        }
                        i += rows;
                    }
                    j += n;
                }
                k0 += DEPTH;
            }
        }
    }
}

#[inline(always)]
const fn tile_registers<L: Lanes>() -> usize {
    TILE_REGISTERS[if size_of::<L>() == CACHE_LINE { 0 } else { 1 }]
}

/// How many registers a row of a tile gets: a power of two, so that tails need few kinds of tile.
#[inline(always)]
fn widest<L: Lanes>(rows: usize, panel: bool) -> usize {
    let mut registers = if panel { PANEL_REGISTERS } else { 8 };
    while registers * rows > tile_registers::<L>() {
        registers /= 2;
    }
    registers
}

const CACHE_LINE: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; CACHE_LINE]);

/// Room for copies, kept by each thread: a panel of `b`, a block of `a`, a tile of `c`.
#[derive(Clone, Copy)]
struct Space(*mut CacheLine);

const PANEL_LINES: usize = DEPTH * PANEL_REGISTERS;
/// The stride of a block of `a` is no power of two cache lines (in `f32` 13, in `f64` 26), so that a column
/// spreads over the cache.
const BLOCK_STRIDE: usize = BLOCK_ROWS + MAX_WIDTH;
const BLOCK_LINES: usize = DEPTH * BLOCK_STRIDE * size_of::<f64>() / CACHE_LINE;
const TILE_LINES: usize = TILE_REGISTERS[0];

impl Space {
    #[allow(unsafe_code)]
    fn of_thread() -> Space {
        const LINES: usize = PANEL_LINES + BLOCK_LINES + TILE_LINES;
        thread_local! {
            static SPACE: UnsafeCell<Box<[CacheLine]>> =
                UnsafeCell::new(vec![CacheLine([0; CACHE_LINE]); LINES].into_boxed_slice());
        }
        // SAFETY: no reference to the lines is ever kept; of the pointers, those of one `sweep` at a time
        // are in use, as it calls nothing that could sweep again.
        SPACE.with(|lines| Space(unsafe { (*lines.get()).as_mut_ptr() }))
    }
    fn panel<T>(self, width: usize) -> Matrix<T> {
        Matrix { first: self.0.cast(), row: width as isize, column: 1 }
    }
    /// Columns are contiguous.
    fn block<T>(self) -> Matrix<T> {
        let first = self.0.wrapping_add(PANEL_LINES).cast();
        Matrix { first, row: 1, column: BLOCK_STRIDE as isize }
    }
    fn tile<T>(self, width: usize) -> Matrix<T> {
        let first = self.0.wrapping_add(PANEL_LINES + BLOCK_LINES).cast();
        Matrix { first, row: width as isize, column: 1 }
    }
}

/// Copies a matrix.
///
/// # Safety
/// `from` can be read and `to` can be written in all rows and columns.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn copy<T: Copy>(from: Matrix<T>, rows: usize, columns: usize, to: Matrix<T>) {
    for i in 0..rows {
        let (from, to) = (from.from(i, 0), to.from(i, 0));
        if from.column == 1 && to.column == 1 {
            for j in 0..columns {
                // SAFETY: the caller's promise.
                unsafe { *to.first.wrapping_add(j) = *from.first.wrapping_add(j) }
            }
        } else {
            for j in 0..columns {
                // SAFETY: the caller's promise.
                unsafe { *to.at(0, j) = *from.at(0, j) }
            }
        }
    }
}

/// Copies `rows` × `columns` elements to a panel whose rows are contiguous, with zeros up to `width`.
///
/// # Safety
/// `from` can be read in all rows and columns, `to` can be written in all rows up to `width`, a whole number
/// of registers, and the CPU has the registers `L`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn copy_panel<L: Lanes>(
    from: Matrix<L::Element>,
    rows: usize,
    columns: usize,
    to: Matrix<L::Element>,
    width: usize,
) {
    // SAFETY: the caller's promise; every part lies within `rows` × `columns`.
    unsafe {
        let mut below = 0;
        if from.row == 1 {
            below = rows - rows % L::WIDTH;
            let beside = columns - columns % L::WIDTH;
            for j in (0..beside).step_by(L::WIDTH) {
                for i in (0..below).step_by(L::WIDTH) {
                    transpose_square::<L>(from.from(i, j), to.from(i, j));
                }
            }
            copy(from.from(0, beside), below, columns - beside, to.from(0, beside));
        }
        copy(from.from(below, 0), rows - below, columns, to.from(below, 0));
        for i in 0..rows {
            for j in columns..width {
                *to.at(i, j) = L::Element::ZERO;
            }
        }
    }
}

/// Copies a square of `WIDTH` × `WIDTH` elements from contiguous columns to contiguous rows.
///
/// # Safety
/// `from` can be read and `to` written in the square, and the CPU has the registers `L`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn transpose_square<L: Lanes>(from: Matrix<L::Element>, to: Matrix<L::Element>) {
    /// The transposition of 2×2 blocks of `SPAN`²; all spans together transpose the square.
    #[inline(always)]
    fn exchange<L: Lanes, const SPAN: usize>(square: &mut [L; MAX_WIDTH]) {
        if SPAN < L::WIDTH {
            for i in 0..L::WIDTH {
                if i & SPAN == 0 {
                    (square[i], square[i + SPAN]) = square[i].exchange::<SPAN>(square[i + SPAN]);
                }
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        let mut square = [L::splat(L::Element::ZERO); MAX_WIDTH];
        for (j, column) in square.iter_mut().take(L::WIDTH).enumerate() {
            *column = L::load(from.at(0, j));
        }
        exchange::<L, 1>(&mut square);
        exchange::<L, 2>(&mut square);
        exchange::<L, 4>(&mut square);
        exchange::<L, 8>(&mut square);
        for (i, row) in square.iter().take(L::WIDTH).enumerate() {
            row.store(to.at(i, 0));
        }
    }
}

/// [`tile`] of a size known only at run time.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn tile_of<L: Lanes>(
    rows: usize,
    registers: usize,
    k: usize,
    a: Matrix<L::Element>,
    b: Matrix<L::Element>,
    c: Matrix<L::Element>,
    resume: bool,
) {
    macro_rules! sizes {
        ($($rows:literal x $registers:literal)*) => {
            match (rows, registers) {
                $(
                    // SAFETY: the caller's promise.
                    ($rows, $registers) if $rows * $registers <= tile_registers::<L>() => unsafe {
                        tile::<L, $rows, $registers>(k, a, b, c, resume)
                    },
                )*
                _ => unreachable!("no tile has {rows} rows of {registers} registers"),
            }
        };
    }
    sizes! {
        1 x 1  2 x 1  3 x 1  4 x 1  5 x 1  6 x 1
        1 x 2  2 x 2  3 x 2  4 x 2  5 x 2  6 x 2
        1 x 4  2 x 4  3 x 4  4 x 4  5 x 4  6 x 4
        1 x 8  2 x 8  3 x 8
    }
}

/// Adds k products to a tile of `c` that stays in registers; it starts at zeros unless `resume`.
///
/// # Safety
/// `a` can be read in `ROWS` rows and k columns, `b` in k rows and `REGISTERS` registers of columns, and `c`
/// read and written in `ROWS` rows and as many columns. The rows of `b` and `c` are contiguous, or `L` has
/// one lane. The CPU has the registers `L`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn tile<L: Lanes, const ROWS: usize, const REGISTERS: usize>(
    k: usize,
    a: Matrix<L::Element>,
    b: Matrix<L::Element>,
    c: Matrix<L::Element>,
    resume: bool,
) {
    let register = |x: Matrix<L::Element>, i: usize, v: usize| match L::WIDTH {
        1 => x.at(i, v),
        _ => x.first.wrapping_offset(i as isize * x.row + (v * L::WIDTH) as isize),
    };
    // SAFETY: the caller's promise.
    unsafe {
        let zero = L::splat(L::Element::ZERO);
        let mut sum = [[zero; REGISTERS]; ROWS];
        if resume {
            for (r, row) in sum.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = L::load(register(c, r, v));
                }
            }
        }
        let (mut a, mut b) = (a, b);
        for _ in 0..k {
            let mut y = [zero; REGISTERS];
            for (v, y) in y.iter_mut().enumerate() {
                *y = L::load(register(b, 0, v));
            }
            for (r, row) in sum.iter_mut().enumerate() {
                let x = L::splat(*a.at(r, 0));
                for (sum, y) in row.iter_mut().zip(y) {
                    *sum = x.mul_add(y, *sum);
                }
            }
            (a, b) = (a.from(0, 1), b.from(1, 0));
        }
        for (r, row) in sum.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                sum.store(register(c, r, v));
            }
        }
    }
}
