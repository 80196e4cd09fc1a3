//! The loops of the sequence kernels against their definitions: bits, layouts, and what they must not touch.

use longlag_numerics::isa::{self, Isa};
use longlag_numerics::panel::{
    Columns, Layout, Matrix, Operand, PANEL, Rows, SEGMENT, Segments, Start, accumulate, map, map_above,
    multiply,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Pointwise, Real};
use ndarray::{Array2, s};
use proptest::prelude::*;
use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};

/// Runs `f` with every instruction set of this machine, one caller at a time.
fn with_every_isa(mut f: impl FnMut(Isa)) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    for set in Isa::available() {
        isa::cap(set).expect("it is available");
        f(set);
    }
}

/// The constructors of [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    RowMajor,
    Spaced,
    Panels,
    PanelsOfSteps,
}
use Kind::*;

const KINDS: [Kind; 4] = [RowMajor, Spaced, Panels, PanelsOfSteps];
const PANELS: [Kind; 2] = [Panels, PanelsOfSteps];
/// Elements between the rows of `Spaced`.
const GAP: usize = 3;

/// Where a matrix lies: `None` if it is all of its memory, else what is around it: elements on both sides of
/// the memory, and steps, rows and panels before and behind.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: Kind,
    within: Option<[usize; 6]>,
}

fn place(kinds: &'static [Kind]) -> impl Strategy<Value = Place> {
    let within = prop::option::of([0..2_usize, 0..2, 0..3, 0..3, 0..2, 0..2]);
    (prop::sample::select(kinds), within).prop_map(|(kind, within)| Place { kind, within })
}

/// A matrix amid elements that are none of its own.
#[derive(Clone)]
struct Laid<T> {
    memory: Vec<T>,
    kind: Kind,
    /// Elements on both sides.
    guard: usize,
    /// Steps, rows and columns of all that the memory holds.
    all: [usize; 3],
    step: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<T: Float> Laid<T> {
    fn new(place: Place, rows: usize, columns: usize, outside: T, mut fill: impl FnMut() -> T) -> Laid<T> {
        let Place { kind, within } = place;
        let guard = if within.is_some() { 5 } else { 0 };
        let [t, steps, r, below, panels, right] = within.unwrap_or_default();
        // All of a matrix in panels has whole segments.
        let whole = PANELS.contains(&kind) && within.is_none();
        let columns = if whole { columns.next_multiple_of(SEGMENT) } else { columns };
        let first = panels * PANEL;
        let mut laid = Laid {
            memory: Vec::new(),
            kind,
            guard,
            all: [t + 1 + steps, r + rows + below, first + columns + right * 21],
            step: t,
            rows: r..r + rows,
            columns: first..first + columns,
        };
        laid.memory = vec![outside; laid.layout().len() + 2 * guard];
        laid.each(|_, _, x| *x = fill());
        laid
    }
    fn layout(&self) -> Layout {
        let [steps, rows, columns] = self.all;
        match self.kind {
            RowMajor => Layout::row_major(steps, rows, columns),
            Spaced => Layout::spaced(steps, rows, columns, columns + GAP),
            Panels => Layout::panels(steps, rows, columns),
            PanelsOfSteps => Layout::panels_of_steps(steps, rows, columns),
        }
    }
    /// Where an element lies, by the definition of the layout.
    fn at(&self, row: usize, column: usize) -> usize {
        let [steps, rows, columns] = self.all;
        let (t, r, c) = (self.step, self.rows.start + row, self.columns.start + column);
        let (panel, lane) = (c / PANEL, c % PANEL);
        self.guard
            + match self.kind {
                RowMajor => (t * rows + r) * columns + c,
                Spaced => (t * rows + r) * (columns + GAP) + c,
                Panels => ((t * columns.div_ceil(PANEL) + panel) * rows + r) * PANEL + lane,
                PanelsOfSteps => ((panel * steps + t) * rows + r) * PANEL + lane,
            }
    }
    fn get(&self, row: usize, column: usize) -> T {
        self.memory[self.at(row, column)]
    }
    fn each(&mut self, mut f: impl FnMut(usize, usize, &mut T)) {
        for r in 0..self.rows.len() {
            for c in 0..self.columns.len() {
                let at = self.at(r, c);
                f(r, c, &mut self.memory[at]);
            }
        }
    }
    fn cut<'a>(&self, all: Matrix<'a, T>) -> Matrix<'a, T> {
        all.at(self.step).of_rows(self.rows.clone()).of_columns(self.columns.clone())
    }
    fn read(&self) -> Matrix<'_, T> {
        let end = self.memory.len() - self.guard;
        self.cut(Matrix::read(&self.memory[self.guard..end], self.layout()))
    }
    fn write(&mut self) -> Matrix<'_, T> {
        let (layout, end) = (self.layout(), self.memory.len() - self.guard);
        let (guard, cut) = (self.guard, Laid { memory: Vec::new(), ..self.clone() });
        cut.cut(Matrix::write(&mut self.memory[guard..end], layout))
    }
    /// Where this differs from what is wanted, in the matrix or beside it.
    fn difference(&self, want: &Laid<T>) -> Option<String> {
        let all = self.memory.iter().zip(&want.memory);
        // NaN has many bits, and which of them an operation gives is not promised.
        let same = |a: T, b: T| a.bits() == b.bits() || a.to_f64().is_nan() && b.to_f64().is_nan();
        let at = all.clone().position(|(&got, &want)| !same(got, want))?;
        let mut place = "beside it".to_string();
        let mut probe = self.clone();
        probe.memory = vec![T::ZERO; self.memory.len()];
        probe.memory[at] = T::ONE;
        probe.each(|r, c, x| {
            if *x == T::ONE {
                place = format!("at ({r}, {c})");
            }
        });
        Some(format!("{place}: {:e}, not {:e}", self.memory[at], want.memory[at]))
    }
}

/// Numbers from −1 to 1; now and then, if `special`, others that need care.
fn numbers<T: Float>(seed: u64, special: bool) -> impl FnMut() -> T {
    let mut rng = Rng::new(seed);
    move || {
        let all = [0.0, -0.0, 1e-42, -1e-310, 3e38, -1.7e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let (x, pick) = (rng.uniform_in(-1.0, 1.0), rng.below(300) as usize);
        T::from_f64(if special && pick < all.len() { all[pick] } else { x })
    }
}

/// What a product's operands have around them: read, it would show in every sum.
const UNREAD: f64 = f64::NAN;
/// What a result has around it.
const UNWRITTEN: f64 = 1234.5;

#[derive(Clone, Debug)]
struct Product {
    m: usize,
    n: usize,
    /// Of each operand: k, where it lies, and rows and panels of b that have no counterpart.
    operands: Vec<(usize, Place, Place, [usize; 2])>,
    start: usize,
    c: Place,
    special: bool,
    seed: u64,
}

fn product() -> impl Strategy<Value = Product> {
    let k = prop_oneof![4 => 1..=70_usize, 2 => 250..=300_usize, 1 => 510..=580_usize];
    let operand = (k, place(&KINDS), place(&PANELS), [0..3_usize, 0..2]);
    let operands = prop::collection::vec(operand, 0..=3);
    (1..=40_usize, 1..=150_usize, operands, 0..3_usize, place(&KINDS), any::<bool>(), any::<u64>()).prop_map(
        |(m, n, operands, start, c, special, seed)| Product { m, n, operands, start, c, special, seed },
    )
}

fn check_multiply<T: Float>(case: &Product) {
    let mut fill = numbers::<T>(case.seed, case.special);
    let (m, unread) = (case.m, T::from_f64(UNREAD));
    let before = Laid::new(case.c, m, case.n, T::from_f64(UNWRITTEN), &mut fill);
    let n = before.columns.len();
    let whole = n.next_multiple_of(SEGMENT);
    let mut operands = Vec::new();
    for &(k, a, b, [rows, panels]) in &case.operands {
        let b_columns = whole + panels * PANEL;
        let a = Laid::new(a, m, k, unread, &mut fill);
        operands.push((Laid::new(b, a.columns.len() + rows, b_columns, unread, &mut fill), a));
    }
    let row: Vec<T> = (0..whole).map(|_| fill()).collect();

    let mut want = before.clone();
    want.each(|i, j, c| {
        let mut sum = [T::ZERO, row[j], *c][case.start];
        for (b, a) in &operands {
            for k in 0..a.columns.len() {
                sum = a.get(i, k).mul_add(b.get(k, j), sum);
            }
        }
        *c = sum;
    });
    with_every_isa(|set| {
        let mut got = before.clone();
        let start = [Start::Zero, Start::Row(&row), Start::Held][case.start];
        let operands: Vec<_> = operands.iter().map(|(b, a)| Operand { a: a.read(), b: b.read() }).collect();
        multiply(start, &operands, got.write());
        if let Some(difference) = got.difference(&want) {
            panic!("{} with {set}, {case:?}: {difference}", T::NAME);
        }
    });
}

/// `c += aᵀ·b`, a filled piece by piece.
#[derive(Clone, Debug)]
struct Accumulation {
    k: usize,
    m: usize,
    segments: usize,
    /// The pieces: how many columns of `a` each takes at most, and how they lie; columns of one number between.
    pieces: Vec<(usize, Place)>,
    b: Place,
    c: Place,
    seed: u64,
}

fn accumulation() -> impl Strategy<Value = Accumulation> {
    let k = prop_oneof![1..=20_usize, 120..=140_usize];
    let pieces = prop::collection::vec((1..=90_usize, place(&KINDS)), 1..5);
    (k, 1..=140_usize, 1..=9_usize, pieces, place(&PANELS), place(&PANELS), any::<u64>())
        .prop_map(|(k, m, segments, pieces, b, c, seed)| Accumulation { k, m, segments, pieces, b, c, seed })
}

fn check_accumulate<T: Float>(case: &Accumulation) {
    let &Accumulation { k, m, segments, .. } = case;
    let mut fill = numbers::<T>(case.seed, false);
    let unread = T::from_f64(UNREAD);
    let b = Laid::new(case.b, k, segments * SEGMENT, unread, &mut fill);
    let before = Laid::new(case.c, m, segments * SEGMENT, T::from_f64(UNWRITTEN), &mut fill);
    // The columns of a: from matrices of their own, cut into two by rows, or one number.
    let (mut a, mut pieces) = (Array2::from_elem((k, m), unread), Vec::new());
    let mut column = 0;
    while column < m {
        let (columns, place) = case.pieces[pieces.len() % case.pieces.len()];
        let columns = columns.min(m - column);
        // Memory that is a matrix's own may have more columns than asked for; no such place here.
        let place = Place { within: place.within.or(Some([0; 6])), ..place };
        let split = fill().to_f64().abs() * k as f64;
        let rows = [0..split as usize, split as usize..k];
        for rows in rows.into_iter().filter(|rows| !rows.is_empty()) {
            let piece = Laid::new(place, rows.len(), columns, unread, &mut fill);
            for (r, c) in (0..rows.len()).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                a[[rows.start + r, column + c]] = piece.get(r, c);
            }
            pieces.push((rows.start, column, Some(piece), T::ZERO));
        }
        column += columns;
        if column < m {
            let value = fill();
            a.column_mut(column).fill(value);
            pieces.push((0, column, None, value));
            column += 1;
        }
    }
    let mut want = before.clone();
    want.each(|i, j, c| *c += (0..k).fold(T::ZERO, |sum, k| a[[k, i]].mul_add(b.get(k, j), sum)));
    with_every_isa(|set| {
        let len = Columns::<T>::len_of(k, m);
        let mut room = vec![unread; len + 1];
        let mut columns = Columns::new(&mut room, k, m);
        for (row, column, piece, value) in &pieces {
            match piece {
                Some(piece) => columns.put(*row, *column, piece.read()),
                None => columns.fill(*column, *value),
            }
        }
        let mut got = before.clone();
        accumulate(&columns, b.read(), got.write());
        assert!(room[len].to_f64().is_nan(), "wrote behind the columns");
        if let Some(difference) = got.difference(&want) {
            panic!("{} with {set}, {case:?}: {difference}", T::NAME);
        }
    });
}

/// Something like a cell's equations: two gates, a state, and a weight for each unit.
struct Gates;
impl Pointwise<4, 3> for Gates {
    #[inline(always)]
    fn apply<R: Real>(&self, [i, f, c, w]: [R; 4]) -> [R; 3] {
        let (i, f) = ((i + w * c).sigmoid(), f.sigmoid());
        let c = f * c + i * w.tanh();
        [i, c, f * c.one_minus()]
    }
}

#[derive(Clone, Debug)]
struct Mapping {
    rows: usize,
    units: usize,
    blocks: Range<usize>,
    gates: usize,
    /// Of the gates, the state, the weights and what is only written.
    places: [Place; 4],
    one_row: bool,
    shared: bool,
    floor: Option<f64>,
    seed: u64,
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let places = [place(&PANELS), place(&KINDS), place(&KINDS), place(&KINDS)];
    let rows = prop_oneof![1 => Just(1), 3 => 2..=12_usize];
    let sizes = (rows, 1..=150_usize, 2..=5_usize);
    let floor = prop::sample::select(vec![None, Some(1e-30), Some(0.4)]);
    (sizes, [0..10_usize, 0..10], places, any::<[bool; 2]>(), floor, any::<u64>()).prop_map(
        |((rows, units, gates), [start, end], places, [one_row, shared], floor, seed)| {
            let all = units.div_ceil(SEGMENT);
            let (start, end) = (start % all, end % all + 1);
            let blocks = start.min(end - 1)..end;
            Mapping { rows, units, blocks, gates, places, one_row, shared, floor, seed }
        },
    )
}

fn check_map<T: Float>(case: &Mapping) {
    let Mapping { rows, units, ref blocks, gates, one_row, shared, .. } = *case;
    let (mut fill, outside) = (numbers::<T>(case.seed, true), T::from_f64(UNWRITTEN));
    let floor = case.floor.map(T::from_f64);
    let whole = units.next_multiple_of(SEGMENT);
    let [sums, state, weights, result] = case.places;
    // Where all is memory of its own, matrices in panels have whole segments; others end within one.
    let before = [
        Laid::new(sums, rows, whole * gates, outside, &mut fill),
        Laid::new(state, rows, units, outside, &mut fill),
        Laid::new(result, rows, units, outside, &mut fill),
    ];
    let weights = Laid::new(weights, if one_row { 1 } else { rows }, units, outside, &mut fill);
    // Gates lie side by side, and all units may have the same weights.
    let (every, weight) = (gates, usize::from(!shared));
    let column = |block: usize, gate: usize, lane: usize| (block * every + gate) * SEGMENT + lane;
    let mut want = before.clone();
    for block in blocks.clone() {
        let segment = if shared { 0 } else { block * SEGMENT };
        for (r, lane) in (0..rows).flat_map(|r| (0..SEGMENT).map(move |lane| (r, lane))) {
            let [sums, c, result] = &mut want;
            // Behind the end of a matrix there are zeros to read, and nothing is written.
            let there = |m: &Laid<T>, column: usize| column < m.columns.len();
            let or_zero = |m: &Laid<T>, r, column| if there(m, column) { m.get(r, column) } else { T::ZERO };
            let (i, f, u) = (column(block, 0, lane), column(block, 1, lane), block * SEGMENT + lane);
            let w = or_zero(&weights, if one_row { 0 } else { r }, segment + lane);
            let y = Gates.apply([sums.get(r, i), sums.get(r, f), or_zero(c, r, u), w]);
            let [y_i, y_c, y] =
                y.map(|y| if floor.is_some_and(|floor| y.abs() < floor) { T::ZERO } else { y });
            for (m, column, y) in [(sums, i, y_i), (c, u, y_c), (result, u, y)] {
                if there(m, column) {
                    let at = m.at(r, column);
                    m.memory[at] = y;
                }
            }
        }
    }
    with_every_isa(|set| {
        let mut got = before.clone();
        let [sums, c, result] = &mut got;
        let (sums, c, result) = (sums.write(), c.write(), result.write());
        let x = [
            Segments { matrix: sums, first: 0, every },
            Segments { matrix: sums, first: 1, every },
            Segments { matrix: c, first: 0, every: 1 },
            Segments { matrix: weights.read(), first: 0, every: weight },
        ];
        let y = [x[0], x[2], Segments { matrix: result, first: 0, every: 1 }];
        match floor {
            Some(floor) => map_above(floor, &Gates, rows, blocks.clone(), &x, &y),
            None => map(&Gates, rows, blocks.clone(), &x, &y),
        }
        for (name, (got, want)) in ["gates", "state", "result"].iter().zip(got.iter().zip(&want)) {
            if let Some(difference) = got.difference(want) {
                panic!("{} with {set}, {case:?}, {name} {difference}", T::NAME);
            }
        }
    });
}

/// A matrix of some steps in one layout and another of the same rows, of more or fewer columns, in a second.
#[derive(Clone, Debug)]
struct Moved {
    steps: usize,
    rows: usize,
    columns: [usize; 2],
    kinds: [Kind; 2],
    split: usize,
}

fn moved() -> impl Strategy<Value = Moved> {
    let kind = || prop::sample::select(KINDS.to_vec());
    (1..=3_usize, 1..=9_usize, [1..=140_usize, 1..=140], [kind(), kind()], any::<usize>()).prop_map(
        |(steps, rows, columns, kinds, split)| Moved {
            steps,
            rows,
            columns,
            kinds,
            split: split % (rows + 1),
        },
    )
}

fn check_moves(case: &Moved) {
    let Moved { steps, rows, columns: [columns, others], kinds: [kind, other], split } = *case;
    // All steps of a matrix; `step` says of which one the elements are meant.
    let make = |kind, columns, start: f64| {
        let mut number = start;
        let within = Some([0, steps - 1, 0, 0, 0, 0]);
        let mut laid = Laid::new(Place { kind, within }, rows, columns, UNWRITTEN, || 0.0);
        for t in 0..steps {
            laid.step = t;
            laid.each(|_, _, x| {
                number += 1.0;
                *x = number;
            });
        }
        laid
    };
    let (from, before) = (make(other, others, 0.0), make(kind, columns, 1e6));
    let inside = |laid: &Laid<f64>| laid.guard..laid.memory.len() - laid.guard;
    let (layout, at) = (before.layout(), inside(&before));
    // Element by element over all steps: what is there and what `from` has, if it has it, to what shall be.
    let change = |f: &dyn Fn(usize, f64, Option<f64>) -> f64| {
        let (mut want, mut from) = (before.clone(), from.clone());
        // Whole matrices in panels have whole segments, whose last elements count.
        for laid in [&mut want, &mut from] {
            if PANELS.contains(&laid.kind) {
                laid.columns.end = laid.columns.end.next_multiple_of(SEGMENT);
            }
        }
        for t in 0..steps {
            (want.step, from.step) = (t, t);
            want.each(|r, c, x| *x = f(r, *x, (c < from.columns.len()).then(|| from.get(r, c))));
        }
        want
    };
    let check = |what: &str, got: &Laid<f64>, want: &Laid<f64>| {
        assert!(got.memory == want.memory, "{what}, {case:?}: {:?}", got.difference(want));
    };
    let source = Matrix::read(&from.memory[inside(&from)], from.layout());

    let mut got = before.clone();
    Matrix::write(&mut got.memory[at.clone()], layout).copy(source);
    check("copy", &got, &change(&|_, x, y| y.unwrap_or(x)));

    let mut got = before.clone();
    Matrix::write(&mut got.memory[at.clone()], layout).add(source);
    check("add", &got, &change(&|_, x, y| y.map_or(x, |y| x + y)));

    let mut got = before.clone();
    Matrix::write(&mut got.memory[at.clone()], layout).fill(7.0);
    check("fill", &got, &change(&|_, _, _| 7.0));

    // Split, each part has its own rows of all steps, on a thread of its own.
    let mut got = before.clone();
    let mut whole = Rows::new(&mut got.memory[at.clone()], layout);
    assert_eq!(whole.rows(), rows);
    let (mut upper, mut lower) = whole.reborrow().split(split);
    assert_eq!((upper.rows(), lower.rows()), (split, rows - split));
    std::thread::scope(|scope| {
        scope.spawn(|| upper.matrix().fill(-1.0));
        lower.matrix().fill(-2.0);
    });
    check("split", &got, &change(&|r, _, _| if r < split { -1.0 } else { -2.0 }));

    // The rows of some steps one below the other.
    if kind == PanelsOfSteps {
        for n in 0..=steps {
            let mut got = before.clone();
            let all = Matrix::write(&mut got.memory[at.clone()], layout).of_steps(n);
            assert_eq!(all.rows(), n * rows);
            all.fill(3.0);
            let mut want = before.clone();
            want.columns.end = want.columns.end.next_multiple_of(SEGMENT);
            for t in 0..n {
                want.step = t;
                want.each(|_, _, x| *x = 3.0);
            }
            check("steps", &got, &want);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn multiply_is_one_chain_for_each_element(case in product()) {
        check_multiply::<f32>(&case);
        check_multiply::<f64>(&case);
    }

    #[test]
    fn accumulate_adds_one_chain_to_each_element(case in accumulation()) {
        check_accumulate::<f32>(&case);
        check_accumulate::<f64>(&case);
    }

    #[test]
    fn map_applies_the_function_to_each_element(case in mapping()) {
        check_map::<f32>(&case);
        check_map::<f64>(&case);
    }

    #[test]
    fn elements_are_copied_added_filled_and_split_by_rows(case in moved()) {
        check_moves(&case);
    }
}

/// So large that parts of b are fetched ahead, in rows of more tiles than fetch.
#[test]
fn large_operands_too() {
    let within = Some([1, 0, 1, 1, 0, 1]);
    for (c, n) in [(RowMajor, 700), (Panels, 704)] {
        let a = Place { kind: RowMajor, within: None };
        let b = Place { kind: Panels, within };
        let c = Place { kind: c, within };
        let operands = vec![(290, a, b, [0, 0]), (20, a, b, [0, 0])];
        let case = Product { m: 26, n, operands, start: 1, c, special: false, seed: 1 };
        check_multiply::<f32>(&case);
        check_multiply::<f64>(&case);
    }
}

/// The order that the bits rest on: 2²⁴ swallows a 1 added to it.
#[test]
fn chains_run_from_the_start_over_the_operands_in_turn() {
    let big = 16_777_216.0_f32;
    let b = [1.0_f32; 4 * PANEL];
    let mut c = [0.0_f32; PANEL];
    let layout = Layout::panels(1, 1, PANEL);
    let mut run = |start, a: [&[f32]; 2]| {
        let operands = a.map(|a| Operand {
            a: Matrix::read(a, Layout::row_major(1, 1, a.len())),
            b: Matrix::read(&b, Layout::panels(1, 4, PANEL)),
        });
        multiply(start, &operands, Matrix::write(&mut c, layout));
        c[0]
    };
    assert_eq!(run(Start::Zero, [&[1.0, big], &[1.0, -big]]), 0.0);
    assert_eq!(run(Start::Zero, [&[big, -big], &[1.0, 1.0]]), 2.0);
    assert_eq!(run(Start::Row(&[1.0; PANEL]), [&[big], &[-big]]), 0.0);
    assert_eq!(run(Start::Held, [&[big], &[-big, 1.0]]), 1.0);

    // What is accumulated is a chain of its own.
    let mut room = [0.0; 4 * 6];
    let mut a = Columns::new(&mut room, 4, 1);
    a.put(0, 0, Matrix::read(&[1.0, big, 1.0, -big], Layout::row_major(1, 4, 1)));
    accumulate(&a, Matrix::read(&b, Layout::panels(1, 4, PANEL)), Matrix::write(&mut c, layout));
    assert_eq!(c[0], 1.0);
}

#[test]
fn no_operands_give_the_start() {
    let mut c = Laid::new(Place { kind: RowMajor, within: None }, 5, 70, 0.0_f32, || 2.0);
    multiply(Start::Held, &[], c.write());
    assert!(c.memory.iter().all(|c| *c == 2.0));
    multiply(Start::Row(&[3.0; 80]), &[], c.write());
    assert!(c.memory.iter().all(|c| *c == 3.0));
    multiply(Start::Zero, &[], c.write());
    assert!(c.memory.iter().all(|c| *c == 0.0));
}

struct Same;
impl Pointwise<1, 1> for Same {
    #[inline(always)]
    fn apply<R: Real>(&self, x: [R; 1]) -> [R; 1] {
        x
    }
}

#[test]
fn what_is_below_the_floor_becomes_zero_and_nothing_else_changes() {
    fn check<T: Float>(floor: f64, below: f64) {
        let all =
            [f64::NAN, f64::INFINITY, -f64::INFINITY, floor, -floor, below, -below, 0.0, -0.0, 1.0, -2.0];
        let x: Vec<T> = all.iter().cycle().take(3 * 21).map(|&x| T::from_f64(x)).collect();
        let layout = Layout::row_major(1, 3, 21);
        with_every_isa(|set| {
            for floor in [T::from_f64(floor), T::ZERO] {
                let mut y = vec![T::ONE; x.len()];
                let from = Segments { matrix: Matrix::read(&x, layout), first: 0, every: 1 };
                let to = Segments { matrix: Matrix::write(&mut y, layout), ..from };
                map_above(floor, &Same, 3, 0..2, &[from], &[to]);
                for (&x, &y) in x.iter().zip(&y) {
                    let small = x.to_f64().abs() < floor.to_f64();
                    let bits = if small { T::ZERO.bits() } else { x.bits() };
                    assert_eq!(y.bits(), bits, "{x:e} to {y:e} with {set}, {}", T::NAME);
                }
            }
        });
    }
    check::<f32>(f64::from(f32::MIN_POSITIVE), 1e-40);
    check::<f32>(f64::from(1e-30_f32), f64::from(1e-30_f32.next_down()));
    check::<f64>(1e-300, 1e-300_f64.next_down());
}

#[test]
fn one_row_is_every_rows_source() {
    let x: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let mut y = vec![0.0; 3 * 20];
    let one = Segments { matrix: Matrix::read(&x, Layout::row_major(1, 1, 20)), first: 0, every: 1 };
    let all = Segments { matrix: Matrix::write(&mut y, Layout::row_major(1, 3, 20)), ..one };
    with_every_isa(|_| map(&Same, 3, 0..2, &[one], &[all]));
    assert!(y.chunks(20).all(|row| row == x));
}

#[test]
fn arrays_are_matrices_where_their_rows_are_contiguous() {
    let number = |(r, c)| (100 * r + c) as f64;
    let mut array = Array2::from_shape_fn((6, 9), number);
    let part = array.slice(s![.., 2..7]);
    let mut got = vec![0.0; 30];
    // Two steps of three rows.
    let copy = Matrix::write(&mut got, Layout::row_major(2, 3, 5));
    let matrix = Matrix::of(part, 2);
    assert_eq!((matrix.rows(), matrix.columns()), (3, 5));
    copy.copy(matrix);
    assert_eq!(got, part.iter().copied().collect::<Vec<_>>());
    // Rows that are some apart, one column, one row with a stride of its own.
    for part in [array.slice(s![..;2, 1..]), array.slice(s![.., 4..5]), array.slice(s![2..3;-1, ..])] {
        let (rows, columns) = part.dim();
        let mut got = vec![0.0; rows * columns];
        Matrix::write(&mut got, Layout::row_major(1, rows, columns)).copy(Matrix::of(part, 1));
        assert_eq!(got, part.iter().copied().collect::<Vec<_>>());
    }
    let (mut upper, mut lower) = Rows::of(array.slice_mut(s![1..5, 3..]), 2).split(1);
    upper.matrix().fill(-1.0);
    lower.matrix().at(1).fill(-2.0);
    let want = Array2::from_shape_fn((6, 9), |(r, c)| match r {
        1 | 3 if c >= 3 => -1.0,
        4 if c >= 3 => -2.0,
        _ => number((r, c)),
    });
    assert_eq!(array, want);
    // No row, and rows of nothing.
    for shape in [(0, 5), (4, 0), (0, 0)] {
        let array = Array2::<f64>::zeros(shape);
        assert_eq!(Matrix::of(array.view(), 2).columns(), shape.1);
    }
}

#[test]
fn a_layout_has_room_for_its_last_element_and_no_more() {
    for (kind, steps, rows, columns) in
        KINDS.iter().flat_map(|&kind| [(kind, 1, 1, 1), (kind, 3, 2, 70), (kind, 2, 5, 128)])
    {
        let mut laid = Laid::new(Place { kind, within: None }, rows, columns, 0.0_f32, || 0.0);
        laid.all[0] = steps;
        laid.step = steps - 1;
        let (layout, len) = (laid.layout(), laid.at(rows - 1, laid.columns.len() - 1) + 1);
        assert_eq!(layout.len(), len, "{layout:?}");
        assert!(!layout.is_empty());
        let mut room = vec![0.0; len];
        Matrix::read(&room, layout).at(steps - 1);
        Matrix::write(&mut room, layout).fill(1.0);
        let short = format!("takes {len} elements, the slice has {}", len - 1);
        refuses(&short, || Matrix::read(&room[1..], layout).rows());
        refuses(&short, || Matrix::write(&mut room[1..], layout).rows());
        refuses(&short, || Rows::new(&mut room[1..], layout).rows());
    }
    for (steps, rows, columns) in [(0, 4, 20), (4, 0, 20), (4, 20, 0)] {
        let rows_and_panels = [Layout::row_major, Layout::panels, Layout::panels_of_steps];
        for layout in rows_and_panels.map(|layout| layout(steps, rows, columns)) {
            assert!(layout.is_empty(), "{layout:?}");
            assert_eq!(layout.len(), 0, "{layout:?}");
            Matrix::write(&mut [0.0_f32; 0], layout).fill(1.0);
        }
    }
}

thread_local! {
    static PANICKED_IN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Asserts that `f` panics with a message that contains `message`, and that the line blamed is here.
#[track_caller]
fn refuses<R: Debug>(message: &str, f: impl FnOnce() -> R) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let file = info.location().map(|at| at.file().to_string());
            PANICKED_IN.with(|panicked| panicked.replace(file.unwrap_or_default()));
            usual(info);
        }));
    });
    let error = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => panic!("no panic with `{message}`, but {result:?}"),
        Err(error) => error,
    };
    let got = error.downcast_ref::<String>().cloned();
    let got = got.or_else(|| error.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
    assert!(got.contains(message), "not `{message}`, but `{got}`");
    let file = PANICKED_IN.with(|file| file.borrow().clone());
    assert!(file.replace('\\', "/").ends_with("tests/panel.rs"), "`{got}` blames {file}");
}

#[test]
fn what_does_not_fit_panics_at_the_callers_line() {
    let x = vec![1.0_f32; 1 << 12];
    let mut room = vec![0.0_f32; 1 << 12];
    let rows = |rows, columns| Matrix::read(&x, Layout::row_major(1, rows, columns));
    let panels = |rows, columns| Matrix::read(&x, Layout::panels(1, rows, columns));
    let to = Matrix::write(&mut room, Layout::panels(1, 6, 70));

    refuses("rows of 5 columns lie 4 apart", || Layout::spaced(1, 2, 5, 4));
    refuses("step 1 of 1", || to.at(1));
    refuses("rows 5..7 of 6", || to.of_rows(5..7));
    refuses("rows 2..2 of 6", || to.of_rows(2..2));
    refuses("32..64", || to.of_columns(32..64));
    refuses("64..81", || to.of_columns(64..81));
    refuses("64..64", || to.of_columns(64..64));
    refuses("2 steps", || to.of_steps(2));
    // Steps whose panels lie apart.
    refuses("1 steps", || to.of_steps(1));
    refuses("copy: ", || to.copy(rows(5, 70)));
    refuses("copy: ", || rows(6, 70).copy(rows(6, 70)));
    refuses("copy: ", || to.copy(Matrix::read(&x, Layout::row_major(2, 6, 70))));
    refuses("add: ", || to.add(rows(7, 70)));
    refuses("add: ", || rows(6, 70).add(rows(6, 70)));
    refuses("fill: ", || rows(6, 70).fill(1.0));

    let operand = |a, b| [Operand { a, b }];
    refuses("multiply: ", || multiply(Start::Zero, &operand(rows(5, 3), panels(3, 80)), to));
    refuses("multiply: ", || multiply(Start::Zero, &operand(rows(6, 4), panels(3, 80)), to));
    refuses("multiply: ", || multiply(Start::Zero, &operand(rows(6, 3), panels(3, 64)), to));
    refuses("multiply: a row of 79 for 80 columns", || multiply(Start::Row(&x[..79]), &[], to));
    refuses("multiply: c is for reading", || multiply(Start::Zero, &[], panels(6, 70)));

    let mut of_columns = vec![0.0; Columns::<f32>::len_of(4, 6)];
    refuses("", || Columns::new(&mut of_columns[1..], 4, 6));
    let mut a = Columns::new(&mut of_columns, 4, 6);
    refuses("put: ", || a.put(0, 5, rows(4, 2)));
    refuses("put: ", || a.put(1, 0, rows(4, 2)));
    refuses("put: ", || a.put(usize::MAX, 0, rows(1, 1)));
    refuses("put: ", || a.put(0, usize::MAX, rows(1, 1)));
    refuses("column 6 of 6", || a.fill(6, 0.0));
    refuses("accumulate: ", || accumulate(&a, panels(5, 80), to));
    refuses("accumulate: ", || accumulate(&a, panels(4, 80), to.of_rows(0..5)));
    refuses("accumulate: ", || accumulate(&a, panels(4, 64), to));
    refuses("accumulate: ", || accumulate(&a, rows(4, 80), to));
    refuses("accumulate: ", || accumulate(&a, panels(4, 70), to.of_columns(0..70)));
    refuses("accumulate: ", || accumulate(&a, panels(4, 80), panels(6, 80)));

    let segments = |matrix, first, every| Segments { matrix, first, every };
    let run = |x, y, rows, blocks| map(&Same, rows, blocks, &[x], &[y]);
    refuses("map: ", || run(segments(rows(6, 70), 0, 1), segments(to, 0, 1), 6, 0..6));
    refuses("map: ", || run(segments(rows(6, 70), 1, 2), segments(to, 0, 1), 6, 1..3));
    refuses("map: ", || run(segments(rows(6, 70), 0, 1), segments(to, 5, 0), 6, 0..1));
    refuses("map: ", || run(segments(rows(5, 70), 0, 1), segments(to, 0, 1), 6, 0..1));
    refuses("map: a target is for reading", || {
        run(segments(to, 0, 1), segments(rows(6, 70), 0, 1), 6, 0..1);
    });

    let array = Array2::<f32>::zeros((4, 6));
    refuses("4 rows are no whole number of 3 steps", || Matrix::of(array.view(), 3));
    refuses("4 rows are no whole number of 0 steps", || Matrix::of(array.view(), 0));
    refuses("the rows of the array are not contiguous", || Matrix::of(array.t(), 1));
    refuses("the rows of the array are not contiguous", || Matrix::of(array.slice(s![..;-1, ..]), 1));
    refuses("the rows of the array are not contiguous", || Matrix::of(array.slice(s![.., ..;2]), 1));
    let row = Array2::<f32>::zeros((1, 6));
    refuses("the rows of the array are not contiguous", || Matrix::of(row.broadcast((4, 6)).unwrap(), 1));
    refuses("row 7 of 6", || Rows::new(&mut room, Layout::panels(1, 6, 70)).split(7));
    assert!(room.iter().all(|x| *x == 0.0), "written before it was refused");
}

/// Sizes whose product is beyond the addresses must not wrap round to one that a slice has.
#[test]
fn a_layout_that_no_memory_holds_is_refused() {
    for layout in [
        || Layout::row_major(1, 1 << 32, 1 << 32),
        || Layout::row_major(1 << 32, 1, 1 << 32),
        || Layout::row_major(1 << 22, 1 << 21, 1 << 21),
        || Layout::spaced(1, 5, 1, 1 << 62),
        || Layout::spaced(2, 1, 1, usize::MAX),
        || Layout::panels(1, 1 << 58, 64),
        || Layout::panels(1 << 58, 1, 64),
        || Layout::panels(1, 1, usize::MAX),
        || Layout::panels_of_steps(1 << 29, 1 << 29, 64),
        || Layout::panels_of_steps(1, 1 << 32, 1 << 32),
    ] {
        refuses("", || Matrix::write(&mut [0.0_f32; 8], layout()).rows());
        refuses("", || Rows::new(&mut [0.0_f32; 8], layout()).rows());
    }
    refuses("", || Columns::<f32>::len_of(1 << 63, 6));
    refuses("", || Columns::<f32>::len_of(1, usize::MAX));
}

/// Segments whose numbers are beyond the addresses must not wrap round to those of the matrix, or before it.
#[test]
fn segments_that_no_matrix_has_are_refused() {
    let x = [1.0_f32; PANEL];
    let mut y = [0.0_f32; 2 * PANEL];
    let from = Segments { matrix: Matrix::read(&x, Layout::row_major(1, 1, PANEL)), first: 0, every: 0 };
    // What is before it is still in the slice.
    let to = Matrix::write(&mut y, Layout::row_major(1, 1, 2 * PANEL)).of_columns(PANEL..2 * PANEL);
    for (first, every, blocks) in [
        (usize::MAX, 1, 0..2),
        (usize::MAX, 1, 1..2),
        (0, 1 << 63, 0..3),
        (2, usize::MAX, 0..3),
        (1, usize::MAX / 3 + 1, 0..4),
    ] {
        refuses("map: ", || {
            map(&Same, 1, blocks, &[from], &[Segments { matrix: to, first, every }]);
        });
    }
    assert!(y.iter().all(|y| *y == 0.0), "written before it was refused");
}

/// A matrix of no steps has no elements, whatever its rows and columns: the loops must not touch memory.
#[test]
fn without_steps_nothing_is_read_or_written() {
    let x = [1.0_f32; 4 * PANEL];
    let mut room = [0.0_f32; 4 * PANEL];
    for layout in
        [Layout::row_major(0, 4, PANEL), Layout::panels(0, 4, PANEL), Layout::panels_of_steps(0, 4, PANEL)]
    {
        let (of, no) = (Matrix::read(&x, Layout::panels(1, 4, PANEL)), Matrix::read(&x, layout));
        let no_target = Matrix::write(&mut room, layout);
        let mut columns = [0.0; 4 * 6];
        let mut a = Columns::new(&mut columns, 4, 4);
        let from = Segments { matrix: of, first: 0, every: 1 };
        let to = Segments { matrix: no_target, first: 0, every: 1 };
        let refused_or_done = |f: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(f)));
        refused_or_done(&mut || multiply(Start::Row(&x), &[], no_target));
        refused_or_done(&mut || map(&Same, 4, 0..4, &[from], &[to]));
        a.fill(0, 1.0);
        refused_or_done(&mut || accumulate(&a, of, no_target));
        refused_or_done(&mut || no_target.of_rows(1..2).of_columns(0..16).fill(1.0));
        refused_or_done(&mut || no_target.of_steps(0).fill(1.0));
        refused_or_done(&mut || a.put(0, 1, no.of_columns(0..3)));
        assert!(columns.iter().enumerate().all(|(i, x)| i % 6 == 0 || *x == 0.0), "put: {columns:?}");
        let mut rows = Rows::new(&mut room, layout);
        refused_or_done(&mut || multiply(Start::Row(&x), &[], rows.matrix()));
        assert!(room.iter().all(|x| *x == 0.0), "{layout:?}");
    }
}

/// As when rows are split and one side gets none.
#[test]
fn no_rows_are_no_work() {
    let x = [1.0_f32; 4 * PANEL];
    let mut room = [0.0_f32; 4 * PANEL];
    for layout in [Layout::panels(1, 4, PANEL), Layout::row_major(1, 4, 50)] {
        let (mut none, mut all) = Rows::new(&mut room, layout).split(0);
        let a = Matrix::read(&x, Layout::row_major(1, 0, 3));
        let b = Matrix::read(&x, Layout::panels(1, 3, PANEL));
        with_every_isa(|_| {
            multiply(Start::Row(&x), &[Operand { a, b }], none.matrix());
            let to = Segments { matrix: none.matrix(), first: 0, every: 1 };
            map(&Same, 0, 0..2, &[to], &[to]);
        });
        all.matrix().add(Matrix::read(&x, layout));
        let (mut all, mut none) = all.split(4);
        with_every_isa(|_| multiply(Start::Zero, &[], none.matrix()));
        all.matrix().add(Matrix::read(&x, layout));
        assert!(room[..50].iter().all(|x| *x == 2.0));
        room.fill(0.0);
    }
}

/// Rows go to other threads; a matrix, which may be copied and written through every copy, must not. The line
/// marked compiles only while [`Matrix`] is not `Send`: else there would be two ways to fill in the blank.
#[test]
fn only_rows_go_to_other_threads() {
    trait Stays<How> {
        const HERE: bool = true;
    }
    struct AsIs;
    struct BySend;
    impl<T> Stays<AsIs> for T {}
    impl<T: Send> Stays<BySend> for T {}
    const { assert!(<Matrix<'static, f32> as Stays<_>>::HERE) } // this one
    fn goes(_: &impl Send) {}
    goes(&Rows::new(&mut [0.0_f32], Layout::row_major(1, 1, 1)));
}
