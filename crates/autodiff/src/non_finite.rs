//! Where infinities and NaNs come from.
//!
//! A loss or a gradient that is not finite says little of its cause. The tape has all values in the order in which
//! they came about, and can walk back again with a look at each rule's work: the first matrix that is not
//! finite is the cause, or what shows it first.

use crate::matrix::Matrix;
use crate::op::Op;
use crate::tape::{Bound, Node, Record, Tape};
use crate::var::Var;
use longlag_numerics::Scalar;
use std::fmt;
use std::ops::ControlFlow;

/// The first number on a tape that is infinite or NaN, on the way there or else on the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// What it belongs to.
    pub place: Place,
    /// Whether it is a gradient: no value is infinite or NaN then.
    pub gradient: bool,
    /// The number.
    pub value: f64,
    /// Rows and columns of its matrix.
    pub shape: [usize; 2],
    /// Its row and column, from 0.
    pub at: [usize; 2],
    /// The time step that the row belongs to, from 1, where an operation on whole sequences tells it.
    pub step: Option<usize>,
}

/// What a number on a tape belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The value of a parameter, of this name.
    Parameter(String),
    /// Data or a variable that was put on the tape, and the operation that reads it first: its number and name.
    Input(Option<(usize, String)>),
    /// The result of an operation, or of a gradient what its backward rule made of that of its result: its number,
    /// from 1 in the order of recording, and its name. A gradient's row and column are those of the operation's
    /// input; the parameter is named if it is one.
    Operation {
        /// From 1.
        number: usize,
        /// As the tape calls it.
        name: String,
        /// Of a gradient, the parameter that it is by.
        parameter: Option<String>,
    },
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NonFinite { place, gradient, value, shape: [rows, cols], at: [row, col], step } = self;
        match place {
            Place::Parameter(name) => write!(f, "the parameter `{name}`, ({rows}, {cols}), has {value}")?,
            Place::Input(reader) => {
                write!(f, "an input, ({rows}, {cols}), ")?;
                if let Some((number, name)) = reader {
                    write!(f, "read by operation {number}, `{name}`, ")?;
                }
                write!(f, "has {value}")?;
            }
            Place::Operation { number, name, parameter } => {
                write!(f, "operation {number}, `{name}`, ")?;
                match parameter {
                    _ if !gradient => write!(f, "gave ({rows}, {cols}) with {value}")?,
                    Some(parameter) => {
                        write!(f, "gave the gradient of `{parameter}`, ({rows}, {cols}), {value}")?
                    }
                    None => write!(f, "gave the gradient of its input, ({rows}, {cols}), {value}")?,
                }
            }
        }
        write!(f, " in row {row}, column {col}")?;
        match step {
            Some(step) => write!(f, ": time step {step}"),
            None => Ok(()),
        }
    }
}

impl<T: Scalar> Var<'_, T> {
    /// Where the first infinity or NaN is, of all values up to this number or else of the gradients with respect to
    /// it; nothing if all are finite.
    ///
    /// This walks back again: it overwrites gradients of an earlier pass with the same. Panics if gradients are
    /// being looked at.
    #[track_caller]
    pub fn first_non_finite(self, parameters: &Bound<'_, '_, T>) -> Option<NonFinite> {
        self.tape.own(parameters.all);
        first_value(self.tape, parameters).or_else(|| first_gradient(self.tape, self.at, parameters))
    }
}

/// The index of the first element of a matrix that isn't finite, as row and column, and it.
fn find<T: Scalar>(m: Matrix, arena: &[T]) -> Option<([usize; 2], f64)> {
    (0..m.rows).find_map(|row| {
        let numbers = arena[m.row(row)].iter().map(|x| x.value());
        numbers.enumerate().find(|(_, x)| !x.is_finite()).map(|(col, x)| ([row, col], x))
    })
}

/// The parameter whose place holds the number at an index of the arena: its name, shape, and the row and column.
fn parameter<T: Scalar>(bound: &Bound<'_, '_, T>, index: usize) -> Option<(String, [usize; 2], [usize; 2])> {
    let within = index.checked_sub(bound.all.at.at)?;
    let span = bound.parameters.spans().iter().find(|span| span.range().contains(&within))?;
    let (at, cols) = (within - span.start, span.shape[1]);
    Some((span.name.clone(), span.shape, [at / cols, at % cols]))
}

fn first_value<T: Scalar>(tape: &Tape<T>, bound: &Bound<'_, '_, T>) -> Option<NonFinite> {
    let record = tape.record.borrow();
    let values = &record.values[..record.used];
    let (index, value) = values.iter().map(|x| x.value()).enumerate().find(|(_, x)| !x.is_finite())?;
    let found = |place, shape, at, step| NonFinite { place, gradient: false, value, shape, at, step };
    if let Some((name, shape, at)) = parameter(bound, index) {
        return Some(found(Place::Parameter(name), shape, at, None));
    }
    let holds = |m: Matrix| m.range().contains(&index);
    if let Some(i) = record.nodes.iter().position(|node| holds(node.out)) {
        let Node { op, out } = &record.nodes[i];
        let at = [(index - out.at) / out.cols, (index - out.at) % out.cols];
        let place = Place::Operation { number: i + 1, name: op.name().into(), parameter: None };
        return Some(found(place, out.shape(), at, op.step(at[0])));
    }
    let input = record.leaves.iter().copied().find(|m| holds(*m))?;
    let at = [(index - input.at) / input.cols, (index - input.at) % input.cols];
    let reads = |node: &Node<T>| {
        node.op.inputs(&record.inputs).any(|m| m.at < input.range().end && input.at < m.range().end)
    };
    let reader = record.nodes.iter().position(reads);
    // The rows of a sequence, its first input, are in the order of those of its states.
    let step = reader.and_then(|i| {
        let op = &record.nodes[i].op;
        let first = op.inputs(&record.inputs).next().is_some_and(|m| m == input);
        op.step(at[0]).filter(|_| first)
    });
    let reader = reader.map(|i| (i + 1, record.nodes[i].op.name().into()));
    Some(found(Place::Input(reader), input.shape(), at, step))
}

fn first_gradient<T: Scalar>(tape: &Tape<T>, loss: Matrix, bound: &Bound<'_, '_, T>) -> Option<NonFinite> {
    let mut found = None;
    tape.walk_back(loss, |record: &Record<T>, i, grads: &[T]| {
        let op: &Op<T> = &record.nodes[i].op;
        let inputs = op.inputs(&record.inputs).filter(|m| m.varies);
        let bad = inputs.enumerate().find_map(|(k, m)| find(m, grads).map(|(at, value)| (k, m, at, value)));
        let Some((k, m, at, value)) = bad else { return ControlFlow::Continue(()) };
        let named = parameter(bound, m.at + at[0] * m.stride + at[1]);
        let step = op.step(at[0]).filter(|_| k == 0 && named.is_none());
        let (parameter, shape, at) = match named {
            Some((name, shape, at)) => (Some(name), shape, at),
            None => (None, m.shape(), at),
        };
        let place = Place::Operation { number: i + 1, name: op.name().into(), parameter };
        found = Some(NonFinite { place, gradient: true, value, shape, at, step });
        ControlFlow::Break(())
    });
    found
}
