use crate::custom::CustomOp;
use crate::matrix::Matrix;
use crate::op::{Backward, Op};
use crate::var::Var;
use longlag_numerics::{Buffer, Parameters, Scalar, Span};
use ndarray::{Array2, ArrayView2};
use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

pub(crate) struct Node<T> {
    pub(crate) op: Op<T>,
    pub(crate) out: Matrix,
}

/// What was computed, in order. Recording may go on while gradients of an earlier pass are read.
pub(crate) struct Record<T> {
    pub(crate) nodes: Vec<Node<T>>,
    /// What was put here without an operation.
    pub(crate) leaves: Vec<Matrix>,
    /// The inputs of operations that have many.
    pub(crate) inputs: Vec<Matrix>,
    /// The arena. It may be longer than `used`: what a reset left there is overwritten.
    pub(crate) values: Vec<T>,
    pub(crate) used: usize,
    /// How much of the rooms' arena is taken.
    pub(crate) rooms: usize,
}

/// The record of a computation, for going back through it.
///
/// A node's storage follows that of its inputs, so the arena splits between them in both passes.
pub struct Tape<T> {
    pub(crate) record: RefCell<Record<T>>,
    grads: RefCell<Vec<T>>,
    /// The rooms of custom operations: a third arena, without gradients.
    pub(crate) rooms: RefCell<Buffer<T>>,
    /// Custom operations with what they were made from, kept over resets.
    registered: RefCell<Vec<Registered<T>>>,
}

type Registered<T> = (Box<dyn Any>, Rc<dyn CustomOp<T>>);

/// Rooms begin at multiples of it, so at a cache line.
const ROOM_UNIT: usize = 16;

impl<T> Default for Tape<T> {
    fn default() -> Self {
        let record = Record {
            nodes: Vec::new(),
            leaves: Vec::new(),
            inputs: Vec::new(),
            values: Vec::new(),
            used: 0,
            rooms: 0,
        };
        Tape {
            record: RefCell::new(record),
            grads: RefCell::default(),
            rooms: RefCell::default(),
            registered: RefCell::default(),
        }
    }
}

impl<T> std::fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let record = self.record.borrow();
        write!(f, "Tape of {} operations on {} numbers", record.nodes.len(), record.used)
    }
}

impl<T: Scalar> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Tape::default()
    }

    /// Forgets everything but the memory. It cannot be called while a variable of the tape lives:
    ///
    /// ```compile_fail,E0502
    /// let mut tape = longlag_autodiff::Tape::<f64>::new();
    /// let x = tape.zeros(1, 1);
    /// tape.reset();
    /// println!("{}", x.item());
    /// ```
    pub fn reset(&mut self) {
        let record = self.record.get_mut();
        record.nodes.clear();
        record.leaves.clear();
        record.inputs.clear();
        record.used = 0;
        record.rooms = 0;
    }

    /// A variable: its gradient is wanted. Panics if the matrix is empty.
    #[track_caller]
    pub fn leaf(&self, a: &ArrayView2<'_, T>) -> Var<'_, T> {
        self.place(a.nrows(), a.ncols(), true, |y| y.iter_mut().zip(a).for_each(|(y, &a)| *y = a))
    }

    /// Data, whose gradient nobody asks for: the products for it are left out. Panics if it is empty.
    #[track_caller]
    pub fn constant(&self, a: &ArrayView2<'_, T>) -> Var<'_, T> {
        self.place(a.nrows(), a.ncols(), false, |y| y.iter_mut().zip(a).for_each(|(y, &a)| *y = a))
    }

    /// Data that `fill` writes, row by row, over whatever is there. Panics if it is empty.
    #[track_caller]
    pub fn constant_with(&self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Var<'_, T> {
        self.place(rows, cols, false, fill)
    }

    /// A variable of zeros, such as an initial state. Panics if it is empty.
    #[track_caller]
    pub fn zeros(&self, rows: usize, cols: usize) -> Var<'_, T> {
        self.place(rows, cols, true, |y| y.fill(T::of(0.0)))
    }

    /// All `parameters` as variables, in one gapless piece of the arena, as they lie in their buffer.
    #[track_caller]
    pub fn bind<'t, 'p>(&'t self, parameters: &'p Parameters<T>) -> Bound<'t, 'p, T> {
        let n = parameters.values.len();
        let all = self.place(1, n, true, |y| y.copy_from_slice(&parameters.values));
        Bound { all, parameters }
    }

    #[track_caller]
    pub(crate) fn place(
        &self,
        rows: usize,
        cols: usize,
        varies: bool,
        fill: impl FnOnce(&mut [T]),
    ) -> Var<'_, T> {
        let mut record = self.record.borrow_mut();
        let at = record.bump(rows, cols, varies);
        record.leaves.push(at);
        fill(&mut record.values[at.range()]);
        Var { tape: self, at }
    }

    /// A copy of a matrix that lies on the tape, as data: without derivatives of either mode.
    #[track_caller]
    pub(crate) fn detached(&self, m: Matrix) -> Var<'_, T> {
        let mut record = self.record.borrow_mut();
        let at = record.bump(m.rows, m.cols, false);
        let (before, y) = record.values.split_at_mut(at.at);
        for (i, y) in y[..m.rows * m.cols].chunks_exact_mut(m.cols).enumerate() {
            y.iter_mut().zip(&before[m.row(i)]).for_each(|(y, x)| *y = T::of(x.value()));
        }
        Var { tape: self, at }
    }

    #[track_caller]
    pub(crate) fn push(&self, op: Op<T>, rows: usize, cols: usize, varies: bool) -> Var<'_, T> {
        let mut record = self.record.borrow_mut();
        let out = record.bump(rows, cols, varies);
        let Record { values, inputs, nodes, .. } = &mut *record;
        let (before, y) = values.split_at_mut(out.at);
        op.forward(inputs, before, out, &mut y[..rows * cols], &mut self.rooms.borrow_mut());
        nodes.push(Node { op, out });
        Var { tape: self, at: out }
    }

    /// Puts the inputs of an operation in the list; gives where, and whether any varies.
    #[track_caller]
    pub(crate) fn list<'t>(&self, vars: impl Iterator<Item = Var<'t, T>>) -> (Range<usize>, bool)
    where
        T: 't,
    {
        let inputs = &mut self.record.borrow_mut().inputs;
        let (start, mut varies) = (inputs.len(), false);
        for v in vars {
            self.own(v);
            varies |= v.at.varies;
            inputs.push(v.at);
        }
        (start..inputs.len(), varies)
    }

    #[track_caller]
    pub(crate) fn own(&self, v: Var<'_, T>) {
        assert!(std::ptr::eq(self, v.tape), "a variable of another tape");
    }

    /// Σ x·wᵀ over `terms` (x, w), plus Σ b over `biases`: the sum before a gate's nonlinearity.
    ///
    /// Shapes: x (B, I), w (O, I) as PyTorch lays weights out, b (1, O) or (B, O); the result is (B, O).
    /// Panics if they don't fit, or if `terms` is empty.
    #[track_caller]
    pub fn affine<'t>(&'t self, terms: &[(Var<'t, T>, Var<'t, T>)], biases: &[Var<'t, T>]) -> Var<'t, T> {
        let &[(x, w), ..] = terms else { panic!("affine: no terms") };
        let (rows, cols) = (x.at.rows, w.at.rows);
        for (x, w) in terms {
            let fits = x.at.cols == w.at.cols && x.at.rows == rows && w.at.rows == cols;
            assert!(fits, "affine: x {} and w {} don't give ({rows}, {cols}) as x·wᵀ", x.at, w.at);
        }
        for b in biases {
            let fits = b.at.cols == cols && (b.at.rows == rows || b.at.rows == 1);
            assert!(fits, "affine: bias {} doesn't fit the sum ({rows}, {cols})", b.at);
        }
        let vars = terms.iter().flat_map(|&(x, w)| [x, w]).chain(biases.iter().copied());
        let (inputs, varies) = self.list(vars);
        self.push(Op::Affine { terms: terms.len(), inputs }, rows, cols, varies)
    }

    /// The matrices one below the other. Panics if there are none or their widths differ.
    #[track_caller]
    pub fn stack<'t>(&'t self, parts: &[Var<'t, T>]) -> Var<'t, T> {
        let first = parts.first().expect("stack: no matrices").at;
        for p in parts {
            assert!(p.at.cols == first.cols, "stack: {} and {} differ in width", first, p.at);
        }
        let rows = parts.iter().map(|p| p.at.rows).sum();
        let (inputs, varies) = self.list(parts.iter().copied());
        self.push(Op::Stack(inputs), rows, first.cols, varies)
    }

    /// The matrices side by side. Panics if there are none or their heights differ.
    #[track_caller]
    pub fn beside<'t>(&'t self, parts: &[Var<'t, T>]) -> Var<'t, T> {
        let first = parts.first().expect("beside: no matrices").at;
        for p in parts {
            assert!(p.at.rows == first.rows, "beside: {} and {} differ in height", first, p.at);
        }
        let cols = parts.iter().map(|p| p.at.cols).sum();
        let (inputs, varies) = self.list(parts.iter().copied());
        self.push(Op::Beside(inputs), first.rows, cols, varies)
    }

    /// Records an operation of your own, whose output has shape (`rows`, `cols`).
    #[track_caller]
    pub fn custom<'t>(
        &'t self,
        op: &Rc<dyn CustomOp<T>>,
        inputs: &[Var<'t, T>],
        [rows, cols]: [usize; 2],
    ) -> Var<'t, T> {
        let (inputs, varies) = self.list(inputs.iter().copied());
        let needs = op.room();
        let start = self.record.borrow().rooms;
        let end = (start + needs).next_multiple_of(ROOM_UNIT);
        self.record.borrow_mut().rooms = end;
        let mut rooms = self.rooms.borrow_mut();
        if rooms.len() < end {
            rooms.resize(end, T::of(0.0));
        }
        drop(rooms);
        let op = Op::Custom { op: Rc::clone(op), inputs, room: start..start + needs };
        self.push(op, rows, cols, varies)
    }

    /// The operation that was made from an equal `key` before, or the one that `make` makes now.
    ///
    /// A tape keeps it over resets, so that a step records operations of its own without allocating.
    pub fn registered<K: PartialEq + 'static>(
        &self,
        key: K,
        make: impl FnOnce(&K) -> Rc<dyn CustomOp<T>>,
    ) -> Rc<dyn CustomOp<T>> {
        let mut registered = self.registered.borrow_mut();
        let same = |(other, _): &&Registered<T>| other.downcast_ref::<K>() == Some(&key);
        if let Some((_, op)) = registered.iter().find(same) {
            return Rc::clone(op);
        }
        let op = make(&key);
        registered.push((Box::new(key), Rc::clone(&op)));
        op
    }

    /// How many operations were recorded since the last reset.
    pub fn operations(&self) -> usize {
        self.record.borrow().nodes.len()
    }

    /// The gradients of `loss` with respect to everything before it.
    pub(crate) fn backward(&self, loss: Matrix) -> Grads<'_, T> {
        self.walk_back(loss, |_, _, _| ControlFlow::Continue(()))
    }

    /// The same; `look` sees the gradients after each operation's rule, by its index, and may end the walk.
    #[inline(always)]
    pub(crate) fn walk_back(
        &self,
        loss: Matrix,
        mut look: impl FnMut(&Record<T>, usize, &[T]) -> ControlFlow<()>,
    ) -> Grads<'_, T> {
        let record = self.record.borrow();
        let mut grads = self.grads.borrow_mut();
        let mut rooms = self.rooms.borrow_mut();
        grads.resize(record.used, T::of(0.0));
        // What an earlier pass left is zeroed on the way, `clean` being how far: shortly before it is added
        // to, a gradient comes into the cache once instead of twice. The leaves, which steps near and far
        // add to, are zeroed at once.
        let leaves = record.nodes.first().map_or(loss.at, |n| n.out.at);
        grads[..leaves].fill(T::of(0.0));
        grads[loss.at..].fill(T::of(0.0));
        grads[loss.at] = T::of(1.0);
        let mut clean = loss.at;
        let last = record.nodes.partition_point(|n| n.out.at <= loss.at);
        let nodes = record.nodes[..last].iter().enumerate().rev().filter(|(_, n)| n.out.varies);
        for (index, Node { op, out }) in nodes {
            let inputs = op.inputs(&record.inputs).map(|m| m.at).filter(|&at| at >= leaves);
            let first = inputs.fold(out.at, usize::min);
            if first < clean {
                grads[first..clean].fill(T::of(0.0));
                clean = first;
            }
            let (before, d_y) = grads.split_at_mut(out.at);
            let d_y = &mut d_y[..out.rows * out.cols];
            let rooms = &mut rooms[..];
            let at = Backward { values: &record.values, before, d_y, rooms, out: *out };
            op.backward(&record.inputs, at);
            if look(&record, index, &grads).is_break() {
                break;
            }
        }
        if leaves < clean {
            grads[leaves..clean].fill(T::of(0.0));
        }
        Grads { tape: self, grads }
    }

    pub(crate) fn values(&self) -> Ref<'_, [T]> {
        Ref::map(self.record.borrow(), |r| &r.values[..])
    }
}

impl<T: Scalar> Record<T> {
    #[track_caller]
    fn bump(&mut self, rows: usize, cols: usize, varies: bool) -> Matrix {
        assert!(rows > 0 && cols > 0, "a matrix on the tape has at least one element, not ({rows}, {cols})");
        let out = Matrix::dense(self.used, rows, cols, varies);
        self.used += rows * cols;
        if self.values.len() < self.used {
            self.values.resize(self.used, T::of(0.0));
        }
        out
    }
}

/// Parameters as variables of a tape.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'t, 'p, T> {
    pub(crate) all: Var<'t, T>,
    pub(crate) parameters: &'p Parameters<T>,
}

impl<'t, T: Scalar> Bound<'t, '_, T> {
    /// The parameter of a name. Panics, naming those that exist, if there is none.
    #[track_caller]
    pub fn get(&self, name: &str) -> Var<'t, T> {
        self.span(self.parameters.span(name))
    }
    /// The parameter of a name, if there is one.
    pub fn find(&self, name: &str) -> Option<Var<'t, T>> {
        self.parameters.find(name).map(|s| self.span(s))
    }
    fn span(&self, span: &Span) -> Var<'t, T> {
        let [rows, cols] = span.shape;
        let at = Matrix::dense(self.all.at.at + span.start, rows, cols, true);
        Var { at, ..self.all }
    }
    /// The tape they are on.
    pub fn tape(&self) -> &'t Tape<T> {
        self.all.tape
    }
}

/// The gradients of one number with respect to everything on its tape.
pub struct Grads<'t, T> {
    tape: &'t Tape<T>,
    grads: RefMut<'t, Vec<T>>,
}

impl<T> std::fmt::Debug for Grads<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grads of {} numbers", self.grads.len())
    }
}

impl<T: Scalar> Grads<'_, T> {
    /// The gradient with respect to a variable, whether leaf or intermediate; zeros for what the loss
    /// doesn't depend on.
    ///
    /// Panics if the variable is of another tape, was recorded after the backward pass, or is a constant.
    #[track_caller]
    pub fn of(&self, v: Var<'_, T>) -> ArrayView2<'_, T> {
        self.tape.own(v);
        assert!(v.at.varies, "the gradient of a constant was not computed: make it a leaf");
        assert!(v.at.range().end <= self.grads.len(), "the variable was recorded after the backward pass");
        v.at.view(&self.grads)
    }
    /// The gradient of all parameters, laid out as they are.
    #[track_caller]
    pub fn of_parameters(&self, bound: &Bound<'_, '_, T>) -> &[T] {
        self.tape.own(bound.all);
        &self.grads[bound.all.at.range()]
    }
    /// The gradient of all parameters, laid out as they are, to be clipped in place.
    #[track_caller]
    pub fn of_parameters_mut(&mut self, bound: &Bound<'_, '_, T>) -> &mut [T] {
        self.tape.own(bound.all);
        &mut self.grads[bound.all.at.range()]
    }
}

impl<'t, T: Scalar> Var<'t, T> {
    /// A copy of its value.
    pub fn value(self) -> Array2<T> {
        self.at.view(&self.tape.values()).to_owned()
    }
    /// The value of a matrix of one element. Panics if there are more.
    #[track_caller]
    pub fn item(self) -> T {
        assert!(self.at.shape() == [1, 1], "item: the matrix is {}, not (1, 1)", self.at);
        self.tape.values()[self.at.at]
    }
    /// The gradients of this number with respect to everything before it on the tape.
    ///
    /// Panics if it is not a matrix of one element, or if gradients of an earlier pass are still held.
    #[track_caller]
    pub fn backward(self) -> Grads<'t, T> {
        assert!(self.at.shape() == [1, 1], "backward: a gradient is that of a number, not of {}", self.at);
        assert!(self.at.varies, "backward: the number depends on no variable");
        self.tape.backward(self.at)
    }
}
