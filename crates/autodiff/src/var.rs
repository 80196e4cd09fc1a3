use crate::matrix::Matrix;
use crate::op::{Function, Op};
use crate::tape::Tape;
use longlag_numerics::{Real, Scalar};
use std::ops::{Add, Div, Mul, Neg, Range, Sub};

/// A matrix on a tape. Cheap to copy: it says where the matrix lies.
#[derive(Debug)]
pub struct Var<'t, T> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) at: Matrix,
}

impl<T> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Var<'_, T> {}

impl<'t, T: Scalar> Var<'t, T> {
    /// Rows and columns.
    pub fn shape(self) -> [usize; 2] {
        self.at.shape()
    }
    /// Whether it depends on a variable, so that it has a gradient.
    pub fn varies(self) -> bool {
        self.at.varies
    }
    /// The tape it is on.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Some of the rows. This is no operation: they lie where the matrix lies, and so does their gradient.
    #[track_caller]
    pub fn rows(self, r: Range<usize>) -> Self {
        assert!(r.start < r.end && r.end <= self.at.rows, "rows: {r:?} of a matrix {}", self.at);
        let at = self.at.at + r.start * self.at.stride;
        Var { at: Matrix { at, rows: r.len(), ..self.at }, ..self }
    }
    /// Some of the columns; no operation either.
    #[track_caller]
    pub fn columns(self, r: Range<usize>) -> Self {
        assert!(r.start < r.end && r.end <= self.at.cols, "columns: {r:?} of a matrix {}", self.at);
        Var { at: Matrix { at: self.at.at + r.start, cols: r.len(), ..self.at }, ..self }
    }
    /// The columns in `N` equal parts; no operation either.
    #[track_caller]
    pub fn split<const N: usize>(self) -> [Self; N] {
        let n = self.at.cols / N;
        assert!(n * N == self.at.cols, "split: a matrix {} in {N} equal parts", self.at);
        std::array::from_fn(|k| self.columns(k * n..(k + 1) * n))
    }

    /// The rows of these numbers, in this order, each as often as it is named: tokens from an embedding, steps
    /// backwards in time, a batch in another order. The gradient of a row is the sum over its copies.
    ///
    /// Shapes: (m, k) and n indices give (n, k). Panics if there are none or one of them is not below m.
    #[track_caller]
    pub fn gather_rows(self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "gather_rows: no indices");
        for &i in indices {
            assert!(i < self.at.rows, "gather_rows: row {i} of a matrix {}", self.at);
        }
        let (inputs, varies) = self.tape.list(indices.iter().map(|&i| self.rows(i..i + 1)));
        self.tape.push(Op::Stack(inputs), indices.len(), self.at.cols, varies)
    }
    /// The same value, as data: no gradient goes through it. A dual number in it loses its derivative.
    #[track_caller]
    pub fn detach(self) -> Self {
        self.tape.detached(self.at)
    }

    /// The matrix product self·b. Shapes: (m, k) and (k, n) give (m, n).
    #[track_caller]
    pub fn matmul(self, b: Self) -> Self {
        self.tape.own(b);
        assert!(self.at.cols == b.at.rows, "matmul: {} · {}", self.at, b.at);
        let varies = self.at.varies || b.at.varies;
        self.tape.push(Op::MatMul(self.at, b.at), self.at.rows, b.at.cols, varies)
    }
    /// The sum of all elements, a matrix of one.
    #[track_caller]
    pub fn sum(self) -> Self {
        self.tape.push(Op::Sum(self.at), 1, 1, self.at.varies)
    }
    /// The mean of all elements, a matrix of one.
    #[track_caller]
    pub fn mean(self) -> Self {
        self.sum().scale(1.0 / (self.at.rows * self.at.cols) as f64)
    }
    /// Every element times `by`.
    #[track_caller]
    pub fn scale(self, by: f64) -> Self {
        self.tape.push(Op::Scale(self.at, by), self.at.rows, self.at.cols, self.at.varies)
    }
    /// x − ln Σ eˣ along each row: the logarithms of the softmax.
    #[track_caller]
    pub fn log_softmax(self) -> Self {
        self.tape.push(Op::LogSoftmax(self.at), self.at.rows, self.at.cols, self.at.varies)
    }

    #[track_caller]
    fn map(self, f: Function) -> Self {
        self.tape.push(Op::Map(f, self.at), self.at.rows, self.at.cols, self.at.varies)
    }
    #[track_caller]
    fn zip(self, b: Self, name: &str, op: fn(Matrix, Matrix) -> Op<T>) -> Self {
        self.tape.own(b);
        let [rows, cols] = broadcast(name, &[self.at, b.at]);
        self.tape.push(op(self.at, b.at), rows, cols, self.at.varies || b.at.varies)
    }
}

/// The shape of an elementwise operation: a matrix of one row is as tall as needed.
#[track_caller]
fn broadcast(name: &str, of: &[Matrix]) -> [usize; 2] {
    let rows = of.iter().map(|m| m.rows).max().expect("an operation has operands");
    let fits = of.iter().all(|m| m.cols == of[0].cols && (m.rows == rows || m.rows == 1));
    if !fits {
        let shapes: Vec<_> = of.iter().map(Matrix::to_string).collect();
        panic!("{name}: shapes {} differ, and only one row stretches", shapes.join(" and "));
    }
    [rows, of[0].cols]
}

impl<T: Scalar> Add for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn add(self, b: Self) -> Self {
        self.zip(b, "add", Op::Add)
    }
}
impl<T: Scalar> Sub for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn sub(self, b: Self) -> Self {
        self.zip(b, "sub", Op::Sub)
    }
}
impl<T: Scalar> Mul for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn mul(self, b: Self) -> Self {
        self.zip(b, "mul", Op::Mul)
    }
}
impl<T: Scalar> Div for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn div(self, b: Self) -> Self {
        self.zip(b, "div", Op::Div)
    }
}
impl<T: Scalar> Neg for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.map(Function::Neg)
    }
}

/// Whole matrices, element by element.
impl<T: Scalar> Real for Var<'_, T> {
    /// One row of the number, which stretches to any height.
    #[track_caller]
    fn constant(self, value: f64) -> Self {
        self.tape.place(1, self.at.cols, false, |y| y.fill(T::of(value)))
    }
    #[track_caller]
    fn exp(self) -> Self {
        self.map(Function::Exp)
    }
    #[track_caller]
    fn exp_m1(self) -> Self {
        self.map(Function::ExpM1)
    }
    #[track_caller]
    fn ln(self) -> Self {
        self.map(Function::Ln)
    }
    #[track_caller]
    fn ln_1p(self) -> Self {
        self.map(Function::Ln1p)
    }
    #[track_caller]
    fn sqrt(self) -> Self {
        self.map(Function::Sqrt)
    }
    #[track_caller]
    fn tanh(self) -> Self {
        self.map(Function::Tanh)
    }
    #[track_caller]
    fn sigmoid(self) -> Self {
        self.map(Function::Sigmoid)
    }
    #[track_caller]
    fn select(self, positive: Self, otherwise: Self) -> Self {
        self.tape.own(positive);
        self.tape.own(otherwise);
        let [rows, cols] = broadcast("select", &[self.at, positive.at, otherwise.at]);
        let varies = positive.at.varies || otherwise.at.varies;
        self.tape.push(Op::Select(self.at, positive.at, otherwise.at), rows, cols, varies)
    }
    #[track_caller]
    fn relu(self) -> Self {
        self.map(Function::Relu)
    }
    #[track_caller]
    fn one_minus(self) -> Self {
        self.map(Function::OneMinus)
    }
}
