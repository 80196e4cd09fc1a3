//! Equations over segments of matrices.

#![expect(clippy::needless_range_loop, reason = "two arrays in step; closures are not always inlined here")]

use super::{Matrix, SEGMENT};
use crate::isa::{self, Cpu, Kernel};
use crate::lanes::{Float, Lanes, Pair};
use crate::real::Pointwise;
use std::ops::Range;

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
