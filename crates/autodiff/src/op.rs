//! What each operation does, there and back. A rule stands beside its forward.

use crate::custom::{CustomOp, InputGradients, Inputs};
use crate::dual::Dual;
use crate::matrix::{Matrix, pieces};
use longlag_numerics::{Pointwise, Real, Scalar};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

/// What made a matrix. The set is closed, so an operation without a rule does not compile.
pub(crate) enum Op<T> {
    /// a·b.
    MatMul(Matrix, Matrix),
    /// Σ x·wᵀ + Σ b over `terms` pairs and then the biases, all in the list of inputs.
    Affine {
        terms: usize,
        inputs: Range<usize>,
    },
    Add(Matrix, Matrix),
    Sub(Matrix, Matrix),
    Mul(Matrix, Matrix),
    Div(Matrix, Matrix),
    /// One function of one number.
    Map(Function, Matrix),
    /// The matrix times a number.
    Scale(Matrix, f64),
    /// The second where the first is positive, else the third.
    Select(Matrix, Matrix, Matrix),
    /// The sum of all elements.
    Sum(Matrix),
    /// x − ln Σ eˣ of each row.
    LogSoftmax(Matrix),
    /// The inputs one below the other.
    Stack(Range<usize>),
    /// The inputs side by side.
    Beside(Range<usize>),
    Custom {
        op: Rc<dyn CustomOp<T>>,
        inputs: Range<usize>,
        room: Range<usize>,
    },
}

/// A function of one number that the tape knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Neg,
    OneMinus,
    Exp,
    ExpM1,
    Ln,
    Ln1p,
    Sqrt,
    Tanh,
    Sigmoid,
    Relu,
}

impl Function {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Function::Neg => "neg",
            Function::OneMinus => "one_minus",
            Function::Exp => "exp",
            Function::ExpM1 => "exp_m1",
            Function::Ln => "ln",
            Function::Ln1p => "ln_1p",
            Function::Sqrt => "sqrt",
            Function::Tanh => "tanh",
            Function::Sigmoid => "sigmoid",
            Function::Relu => "relu",
        }
    }
}

/// A formula written in place: `pointwise!(|a, b| -> a * b)`.
macro_rules! pointwise {
    (|$($x:ident),+| $value:expr) => {{
        struct Formula;
        impl Pointwise<{ [$(stringify!($x)),+].len() }, 1> for Formula {
            #[inline(always)]
            fn apply<R: Real>(&self, [$($x),+]: [R; { [$(stringify!($x)),+].len() }]) -> [R; 1] {
                [$value]
            }
        }
        Formula
    }};
}

/// A factor that scales one number.
struct Times(f64);
impl Pointwise<1, 1> for Times {
    #[inline(always)]
    fn apply<R: Real>(&self, [x]: [R; 1]) -> [R; 1] {
        [x * x.constant(self.0)]
    }
}

/// Both arenas as the backward pass of one operation sees them.
pub(crate) struct Backward<'a, T> {
    /// All values.
    pub(crate) values: &'a [T],
    /// The gradients of all that was recorded before this operation's output.
    pub(crate) before: &'a mut [T],
    /// The output's gradient, at the beginning of a slice of its own.
    pub(crate) d_y: &'a mut [T],
    /// The output.
    pub(crate) out: Matrix,
    /// The rooms of all custom operations.
    pub(crate) rooms: &'a mut [T],
}

/// What every operation on numbers of one type does, compiled here once: a generic function would be compiled anew in
/// each crate that records on a tape.
struct Rules<T> {
    forward: Forward<T>,
    backward: fn(&Op<T>, &[Matrix], Backward<'_, T>),
}

/// As [`Op::forward`].
type Forward<T> = fn(&Op<T>, &[Matrix], &[T], Matrix, &mut [T], &mut [T]);

static F32: Rules<f32> = Rules { forward: Op::forward_rule, backward: Op::backward_rule };
static F64: Rules<f64> = Rules { forward: Op::forward_rule, backward: Op::backward_rule };
static DUAL: Rules<Dual> = Rules { forward: Op::forward_rule, backward: Op::backward_rule };

impl<T: 'static> Rules<T> {
    fn of() -> &'static Rules<T> {
        let all: [&'static dyn Any; 3] = [&F32, &F64, &DUAL];
        let found = all.into_iter().find_map(|rules| rules.downcast_ref());
        found.expect("a tape is of f32, f64 or dual numbers")
    }
}

impl<T: Scalar> Op<T> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Op::MatMul(..) => "matmul",
            Op::Affine { .. } => "affine",
            Op::Add(..) => "add",
            Op::Sub(..) => "sub",
            Op::Mul(..) => "mul",
            Op::Div(..) => "div",
            Op::Map(f, _) => f.name(),
            Op::Scale(..) => "scale",
            Op::Select(..) => "select",
            Op::Sum(_) => "sum",
            Op::LogSoftmax(_) => "log_softmax",
            Op::Stack(_) => "stack",
            Op::Beside(_) => "beside",
            Op::Custom { op, .. } => op.name(),
        }
    }

    /// The time step, from 1, that a row of the output belongs to, if it has such rows.
    pub(crate) fn step(&self, row: usize) -> Option<usize> {
        match self {
            Op::Custom { op, .. } => op.step(row),
            _ => None,
        }
    }

    /// The matrices that it reads, in order.
    pub(crate) fn inputs<'a>(&self, list: &'a [Matrix]) -> impl Iterator<Item = Matrix> + use<'a, T> {
        let (own, listed): ([Option<Matrix>; 3], &[Matrix]) = match *self {
            Op::MatMul(a, b) | Op::Add(a, b) | Op::Sub(a, b) | Op::Mul(a, b) | Op::Div(a, b) => {
                ([Some(a), Some(b), None], &[])
            }
            Op::Map(_, a) | Op::Scale(a, _) | Op::Sum(a) | Op::LogSoftmax(a) => ([Some(a), None, None], &[]),
            Op::Select(a, b, c) => ([Some(a), Some(b), Some(c)], &[]),
            Op::Affine { ref inputs, .. }
            | Op::Stack(ref inputs)
            | Op::Beside(ref inputs)
            | Op::Custom { ref inputs, .. } => ([None; 3], &list[inputs.clone()]),
        };
        own.into_iter().flatten().chain(listed.iter().copied())
    }

    /// Writes the output `y`, which is `out` at the beginning of its slice; the inputs lie in `before`.
    /// `rooms` are those of all operations.
    pub(crate) fn forward(&self, list: &[Matrix], before: &[T], out: Matrix, y: &mut [T], rooms: &mut [T]) {
        (Rules::of().forward)(self, list, before, out, y, rooms);
    }

    /// Adds to the inputs' gradients what the output's gradient makes of them.
    pub(crate) fn backward(&self, list: &[Matrix], at: Backward<'_, T>) {
        (Rules::of().backward)(self, list, at);
    }

    fn forward_rule(&self, list: &[Matrix], before: &[T], out: Matrix, y: &mut [T], rooms: &mut [T]) {
        let y_at = out.alone();
        match self {
            &Op::MatMul(a, b) => T::product(a.view(before), b.view(before), y_at.view_mut(y), false),
            Op::Affine { terms, inputs } => {
                let (pairs, biases) = list[inputs.clone()].split_at(2 * terms);
                let mut started = false;
                for &b in biases {
                    map(&pointwise!(|b| b), before, [b], out, y, started);
                    started = true;
                }
                for pair in pairs.chunks_exact(2) {
                    let (x, w) = (pair[0].view(before), pair[1].view(before));
                    T::product(x, w.reversed_axes(), y_at.view_mut(y), started);
                    started = true;
                }
            }
            &Op::Add(a, b) => map(&pointwise!(|a, b| a + b), before, [a, b], out, y, false),
            &Op::Sub(a, b) => map(&pointwise!(|a, b| a - b), before, [a, b], out, y, false),
            &Op::Mul(a, b) => map(&pointwise!(|a, b| a * b), before, [a, b], out, y, false),
            &Op::Div(a, b) => map(&pointwise!(|a, b| a / b), before, [a, b], out, y, false),
            &Op::Map(f, a) => {
                let x = [a];
                match f {
                    Function::Neg => map(&pointwise!(|x| -x), before, x, out, y, false),
                    Function::OneMinus => map(&pointwise!(|x| x.one_minus()), before, x, out, y, false),
                    Function::Exp => map(&pointwise!(|x| x.exp()), before, x, out, y, false),
                    Function::ExpM1 => map(&pointwise!(|x| x.exp_m1()), before, x, out, y, false),
                    Function::Ln => map(&pointwise!(|x| x.ln()), before, x, out, y, false),
                    Function::Ln1p => map(&pointwise!(|x| x.ln_1p()), before, x, out, y, false),
                    Function::Sqrt => map(&pointwise!(|x| x.sqrt()), before, x, out, y, false),
                    Function::Tanh => map(&pointwise!(|x| x.tanh()), before, x, out, y, false),
                    Function::Sigmoid => map(&pointwise!(|x| x.sigmoid()), before, x, out, y, false),
                    Function::Relu => map(&pointwise!(|x| x.relu()), before, x, out, y, false),
                }
            }
            &Op::Scale(a, by) => map(&Times(by), before, [a], out, y, false),
            &Op::Select(a, b, c) => {
                map(&pointwise!(|a, b, c| a.select(b, c)), before, [a, b, c], out, y, false);
            }
            &Op::Sum(a) => y[0] = sum(a, before),
            &Op::LogSoftmax(a) => {
                for i in 0..a.rows {
                    let (x, y) = (&before[a.row(i)], &mut y[y_at.row(i)]);
                    let most = x.iter().copied().fold(x[0], |m, x| if x > m { x } else { m });
                    let total = x.iter().fold(T::of(0.0), |s, &x| s + (x - most).exp());
                    let shift = most + total.ln();
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = x - shift);
                }
            }
            Op::Stack(inputs) => {
                let mut at = 0;
                for &m in &list[inputs.clone()] {
                    for i in 0..m.rows {
                        y[at..at + m.cols].copy_from_slice(&before[m.row(i)]);
                        at += m.cols;
                    }
                }
            }
            Op::Beside(inputs) => {
                let mut left = 0;
                for &m in &list[inputs.clone()] {
                    for i in 0..m.rows {
                        let at = i * out.cols + left;
                        y[at..at + m.cols].copy_from_slice(&before[m.row(i)]);
                    }
                    left += m.cols;
                }
            }
            Op::Custom { op, inputs, room } => {
                let x = Inputs { at: &list[inputs.clone()], values: before };
                op.forward(x, y_at.view_mut(y), &mut rooms[room.clone()]);
            }
        }
    }

    fn backward_rule(&self, list: &[Matrix], mut at: Backward<'_, T>) {
        use Operand::Value;
        let (out, g) = (at.out, Operand::Gradient);
        match self {
            &Op::MatMul(a, b) => {
                let Backward { values, before, d_y, .. } = at;
                let d_y = out.alone().view(d_y);
                if a.varies {
                    let b = b.view(values).reversed_axes();
                    T::product(d_y, b, a.view_mut(before), true);
                }
                if b.varies {
                    let a = a.view(values).reversed_axes();
                    T::product(a, d_y, b.view_mut(before), true);
                }
            }
            Op::Affine { terms, inputs } => {
                let (pairs, biases) = list[inputs.clone()].split_at(2 * terms);
                for pair in pairs.chunks_exact(2) {
                    let &[x, w] = pair else { unreachable!("chunks of two") };
                    let d_y = out.alone().view(at.d_y);
                    if x.varies {
                        T::product(d_y, w.view(at.values), x.view_mut(at.before), true);
                    }
                    if w.varies {
                        let d_y = d_y.reversed_axes();
                        T::product(d_y, x.view(at.values), w.view_mut(at.before), true);
                    }
                }
                for &b in biases {
                    at.pull(b, [g], &pointwise!(|d| d));
                }
            }
            &Op::Add(a, b) => {
                at.pull(a, [g], &pointwise!(|d| d));
                at.pull(b, [g], &pointwise!(|d| d));
            }
            &Op::Sub(a, b) => {
                at.pull(a, [g], &pointwise!(|d| d));
                at.pull(b, [g], &pointwise!(|d| -d));
            }
            &Op::Mul(a, b) => {
                at.pull(a, [g, Value(b)], &pointwise!(|d, b| d * b));
                at.pull(b, [g, Value(a)], &pointwise!(|d, a| d * a));
            }
            &Op::Div(a, b) => {
                at.pull(a, [g, Value(b)], &pointwise!(|d, b| d / b));
                at.pull(b, [g, Value(b), Value(out)], &pointwise!(|d, b, y| -(d * y) / b));
            }
            &Op::Map(f, a) => match f {
                Function::Neg | Function::OneMinus => at.pull(a, [g], &pointwise!(|d| -d)),
                Function::Exp => at.pull(a, [g, Value(out)], &pointwise!(|d, y| d * y)),
                Function::ExpM1 => at.pull(a, [g, Value(a)], &pointwise!(|d, x| d * x.exp())),
                Function::Ln => at.pull(a, [g, Value(a)], &pointwise!(|d, x| d / x)),
                Function::Ln1p => at.pull(a, [g, Value(a)], &pointwise!(|d, x| d / (x + x.constant(1.0)))),
                Function::Sqrt => at.pull(a, [g, Value(out)], &pointwise!(|d, y| d * y.constant(0.5) / y)),
                Function::Tanh => at.pull(a, [g, Value(out)], &pointwise!(|d, y| d * (y * y).one_minus())),
                Function::Sigmoid => at.pull(a, [g, Value(out)], &pointwise!(|d, y| d * y * y.one_minus())),
                Function::Relu => at.pull(a, [g, Value(a)], &pointwise!(|d, x| x.select(d, d.constant(0.0)))),
            },
            &Op::Scale(a, by) => at.pull(a, [g], &Times(by)),
            &Op::Select(a, b, c) => {
                at.pull(b, [g, Value(a)], &pointwise!(|d, a| a.select(d, d.constant(0.0))));
                at.pull(c, [g, Value(a)], &pointwise!(|d, a| a.select(d.constant(0.0), d)));
            }
            &Op::Sum(a) => {
                let d_y = at.d_y[0];
                for i in 0..a.rows {
                    at.before[a.row(i)].iter_mut().for_each(|d| *d += d_y);
                }
            }
            &Op::LogSoftmax(a) => {
                for i in 0..a.rows {
                    let row = out.alone().row(i);
                    let d_y = &at.d_y[row.clone()];
                    let y = &at.values[out.range()][row];
                    let total = d_y.iter().fold(T::of(0.0), |s, &d| s + d);
                    let d_x = &mut at.before[a.row(i)];
                    for ((d_x, &d), &y) in d_x.iter_mut().zip(d_y).zip(y) {
                        *d_x += d - y.exp() * total;
                    }
                }
            }
            Op::Stack(inputs) => {
                let mut from = 0;
                for &m in &list[inputs.clone()] {
                    for i in 0..m.rows {
                        for (d_x, &d) in at.before[m.row(i)].iter_mut().zip(&at.d_y[from..]) {
                            *d_x += d;
                        }
                        from += m.cols;
                    }
                }
            }
            Op::Beside(inputs) => {
                let mut left = 0;
                for &m in &list[inputs.clone()] {
                    for i in 0..m.rows {
                        let from = &at.d_y[i * out.cols + left..];
                        for (d_x, &d) in at.before[m.row(i)].iter_mut().zip(from) {
                            *d_x += d;
                        }
                    }
                    left += m.cols;
                }
            }
            Op::Custom { op, inputs, room } => {
                let list = &list[inputs.clone()];
                let Backward { values, before, d_y, rooms, .. } = at;
                let x = Inputs { at: list, values };
                let d_x = InputGradients { at: list, grads: before };
                op.backward(x, out.view(values), out.alone().view_mut(d_y), d_x, &mut rooms[room.clone()]);
            }
        }
    }
}

/// Where a backward rule's argument comes from.
#[derive(Clone, Copy)]
enum Operand {
    /// The output's gradient.
    Gradient,
    /// A value.
    Value(Matrix),
}

impl<T: Scalar> Backward<'_, T> {
    /// `d_a += rule(sources)`, element by element. A row that was broadcast gets the sum over the rows.
    fn pull<P: Pointwise<N, 1>, const N: usize>(&mut self, a: Matrix, sources: [Operand; N], rule: &P) {
        if !a.varies {
            return;
        }
        let matrices = sources.map(|s| match s {
            Operand::Gradient => self.out,
            Operand::Value(m) => m,
        });
        for piece in pieces(self.out, a, &matrices) {
            let x = std::array::from_fn(|i| match sources[i] {
                Operand::Gradient => &self.d_y[piece.of(self.out.alone())],
                Operand::Value(m) => &self.values[piece.of(m)],
            });
            T::pointwise(rule, x, [&mut self.before[piece.of(a)]], true);
        }
    }
}

/// `y = f(inputs)`, element by element, or `y += …` if `accumulate`.
fn map<T: Scalar, P: Pointwise<N, 1>, const N: usize>(
    f: &P,
    before: &[T],
    inputs: [Matrix; N],
    out: Matrix,
    y: &mut [T],
    accumulate: bool,
) {
    for piece in pieces(out, out, &inputs) {
        let x = inputs.map(|m| &before[piece.of(m)]);
        T::pointwise(f, x, [&mut y[piece.of(out.alone())]], accumulate);
    }
}

/// The sum of f over all elements, row after row.
fn sum<T: Scalar>(a: Matrix, x: &[T]) -> T {
    (0..a.rows).flat_map(|i| &x[a.row(i)]).fold(T::of(0.0), |s, &x| s + x)
}
