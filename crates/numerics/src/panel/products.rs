//! Products whose right factor lies in panels.

#![expect(clippy::needless_range_loop, reason = "two arrays in step; closures are not always inlined here")]

use super::{Matrix, PANEL, SEGMENT, SEGMENTS, TOO_LARGE, times};
use crate::isa::{self, Cpu, Kernel};
use crate::lanes::{Float, Lanes};

/// Rows of the largest tile of a product.
const TILE_ROWS: usize = 6;
/// The length of a block of k in [`multiply`]: a block of a panel takes 64 KiB in `f32`.
const DEPTH: usize = 256;
/// The size of the operands from which on the next block of a panel is fetched ahead: below, they stay in the
/// second-level cache by themselves.
const FETCH_BYTES: usize = 768 << 10;

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
    T::multiply(Multiply { start, operands, c });
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
    T::accumulate(Accumulate { a, b, c });
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
        T::put(Put { to: self, row, column, from });
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

/// The loops for one type of number. Compiled here: as generic functions they would be compiled anew, for every
/// instruction set, in each crate that multiplies.
pub trait Compiled: Sized {
    fn multiply(loops: Multiply<'_, Self>);
    fn accumulate(loops: Accumulate<'_, Self>);
    fn put(loops: Put<'_, '_, Self>);
}

macro_rules! compiled {
    ($($t:ident)*) => { $(
        impl Compiled for $t {
            fn multiply(loops: Multiply<'_, $t>) {
                isa::run(loops);
            }
            fn accumulate(loops: Accumulate<'_, $t>) {
                isa::run(loops);
            }
            fn put(loops: Put<'_, '_, $t>) {
                isa::run(loops);
            }
        }
    )* };
}
compiled! { f32 f64 }

pub struct Multiply<'a, T> {
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

pub struct Accumulate<'a, T> {
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

pub struct Put<'a, 'b, T> {
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
