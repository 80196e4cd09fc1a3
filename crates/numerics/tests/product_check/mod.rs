//! Holds a matrix product to its definition, bit by bit.

use longlag_numerics::product::reference;
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Isa, isa};
use ndarray::{Array2, ArrayBase, ArrayView2, ArrayViewMut2, Ix2, RawData, s};
use std::sync::Mutex;

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    Dense,
    /// Row-major within a wider matrix.
    Rows,
    /// The transpose of that.
    Columns,
    /// The last row first.
    RowsReversed,
    /// The last column first.
    ColumnsReversed,
    /// Every second element of every second row.
    Spread,
}
pub(crate) use Layout::*;

pub(crate) const LAYOUTS: [Layout; 6] = [Dense, Rows, Columns, RowsReversed, ColumnsReversed, Spread];

/// A matrix amid elements that no product may touch.
#[derive(Clone)]
pub(crate) struct Laid<T> {
    buffer: Array2<T>,
    layout: Layout,
    shape: (usize, usize),
}

impl<T: Float> Laid<T> {
    pub(crate) fn new(layout: Layout, shape: (usize, usize), mut fill: impl FnMut() -> T) -> Laid<T> {
        let outside = T::from_f64(f64::NAN);
        let around = match (layout, shape) {
            (Dense, _) => shape,
            (Columns, (r, c)) => (c + 2, r + 2),
            (Spread, (r, c)) => (2 * r + 1, 2 * c + 1),
            (_, (r, c)) => (r + 2, c + 2),
        };
        let mut laid = Laid { buffer: Array2::from_elem(around, outside), layout, shape };
        laid.view_mut().mapv_inplace(|_| fill());
        laid
    }
    pub(crate) fn view(&self) -> ArrayView2<'_, T> {
        self.cut(self.buffer.view())
    }
    pub(crate) fn view_mut(&mut self) -> ArrayViewMut2<'_, T> {
        let Laid { layout, shape, .. } = *self;
        Laid { buffer: Array2::<T>::default((0, 0)), layout, shape }.cut(self.buffer.view_mut())
    }
    fn cut<S: RawData>(&self, buffer: ArrayBase<S, Ix2>) -> ArrayBase<S, Ix2> {
        let (r, c) = self.shape;
        match self.layout {
            Dense => buffer,
            Columns => buffer.slice_move(s![1..=c, 1..=r]).reversed_axes(),
            Rows => buffer.slice_move(s![1..=r, 1..=c]),
            RowsReversed => buffer.slice_move(s![1..=r;-1, 1..=c]),
            ColumnsReversed => buffer.slice_move(s![1..=r, 1..=c;-1]),
            Spread => buffer.slice_move(s![1..;2, 1..;2]),
        }
    }
}

/// NaN has many bits, and which of them a product gives is not promised.
fn same<T: Float>(a: T, b: T) -> bool {
    a.bits() == b.bits() || a.to_f64().is_nan() && b.to_f64().is_nan()
}

/// One product to check.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: (usize, usize, usize),
    pub(crate) layouts: [Layout; 3],
    pub(crate) accumulate: bool,
    pub(crate) seed: u64,
    /// Infinities, NaN, zeros of both signs, subnormal and huge numbers among the elements.
    pub(crate) special: bool,
}

/// Computes the case with `product`; says where it isn't what the definition gives, or what it touched beside it.
pub(crate) fn check_case<T: Float>(
    case: &Case,
    product: impl Fn(ArrayView2<T>, ArrayView2<T>, ArrayViewMut2<T>, bool),
) -> Result<(), String> {
    let (m, k, n) = case.shape;
    let mut rng = Rng::new(case.seed);
    let mut fill = || {
        let special = [0.0, -0.0, 1e-42, -1e-310, 3e38, -1.7e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let x = rng.uniform_in(-1.0, 1.0);
        let pick = rng.below(200) as usize;
        T::from_f64(if case.special && pick < special.len() { special[pick] } else { x })
    };
    let a = Laid::new(case.layouts[0], (m, k), &mut fill);
    let b = Laid::new(case.layouts[1], (k, n), &mut fill);
    let mut c = Laid::new(case.layouts[2], (m, n), &mut fill);
    let mut expected = c.clone();
    reference(a.view(), b.view(), expected.view_mut(), case.accumulate);
    product(a.view(), b.view(), c.view_mut(), case.accumulate);
    let what = || format!("{} {case:?} with {}", T::NAME, isa::active());
    for ((at, &x), &y) in c.view().indexed_iter().zip(expected.view()) {
        if !same(x, y) {
            return Err(format!("{}: c{at:?} is {x:e}, not {y:e}", what()));
        }
    }
    let touched = c.buffer.iter().zip(&expected.buffer).position(|(&x, &y)| !same(x, y));
    touched.map_or(Ok(()), |at| Err(format!("{}: wrote outside of c, at {at} of its buffer", what())))
}

/// Runs `f` with every instruction set of this machine, one caller at a time; stops at the first error.
pub(crate) fn with_every_isa(mut f: impl FnMut(Isa) -> Result<(), String>) -> Result<(), String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    Isa::available().into_iter().try_for_each(|set| {
        isa::cap(set).expect("it is available");
        f(set)
    })
}
