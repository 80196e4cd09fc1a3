//! A whole sequence as one operation of the tape.

use super::*;
use longlag_autodiff::{CustomOp, InputGradients, Inputs, Tape, Var};
use longlag_numerics::Scalar;
use ndarray::Axis;
use std::any::{Any, TypeId};
use std::rc::Rc;

/// What an operation is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    cell: Cell,
    shape: SequenceShape,
    options: SequenceOptions,
    all_c: bool,
    lengths: bool,
}

/// Inputs: x, the state before (h, or h and c), the weights, and the lengths if there are. Output, one below the
/// other: h of all steps, c of all steps if asked for, the last h, the last c.
struct SequenceOp<T> {
    key: Key,
    plan: Plan<T>,
}

impl Key {
    /// How many rows of the output each kind of state takes.
    fn rows(&self) -> [usize; 4] {
        let SequenceShape { steps, batch, .. } = self.shape;
        let all = steps * batch;
        [
            all,
            if self.all_c { all } else { 0 },
            batch,
            if self.cell.has_c() { batch } else { 0 },
        ]
    }
    /// Divides an output, or its gradient.
    fn states<'a, T>(
        &self,
        y: ArrayViewMut2<'a, T>,
    ) -> SequenceStates<ArrayViewMut2<'a, T>> {
        let [h_rows, c_rows, last_rows, _] = self.rows();
        let (h, rest) = y.split_at(Axis(0), h_rows);
        let (c, rest) = rest.split_at(Axis(0), c_rows);
        let (last_h, last_c) = rest.split_at(Axis(0), last_rows);
        let some =
            |view: ArrayViewMut2<'a, T>| (view.nrows() > 0).then_some(view);
        SequenceStates {
            h,
            c: some(c),
            last: State { h: last_h, c: some(last_c) },
        }
    }
    /// Where the weights begin among the inputs.
    fn weights(&self) -> usize {
        if self.cell.has_c() { 3 } else { 2 }
    }
    fn inputs<'a, T>(&self, x: Inputs<'a, T>) -> SequenceInputs<'a, T> {
        let w = self.weights();
        let peepholes = self.cell.per_unit().is_some();
        SequenceInputs {
            weights: Weights {
                w_ih: x.get(w),
                w_hh: x.get(w + 1),
                b_ih: x.get(w + 2),
                b_hh: x.get(w + 3),
                per_unit: peepholes.then(|| x.get(w + 4)),
                w_hr: None,
            },
            x: x.get(0),
            start: State {
                h: x.get(1),
                c: self.cell.has_c().then(|| x.get(2)),
            },
            lengths: if self.lengths {
                Lengths::Row(x.get(x.len() - 1))
            } else {
                Lengths::Full
            },
        }
    }
}

impl<T: Float + Scalar> CustomOp<T> for SequenceOp<T> {
    fn name(&self) -> &str {
        "sequence"
    }
    fn room(&self) -> usize {
        self.plan.room()
    }
    fn step(&self, row: usize) -> Option<usize> {
        let SequenceShape { steps, batch, .. } = self.key.shape;
        let [h_rows, c_rows, ..] = self.key.rows();
        // Behind the states of all steps stand those of the last.
        let of_all = row < h_rows + c_rows;
        Some(if of_all { row % h_rows / batch + 1 } else { steps })
    }
    fn forward(
        &self,
        x: Inputs<'_, T>,
        y: ArrayViewMut2<'_, T>,
        room: &mut [T],
    ) {
        let inputs = self.key.inputs(x);
        self.plan.check(&inputs);
        self.plan.forward(room, &inputs, self.key.states(y));
    }
    fn backward(
        &self,
        x: Inputs<'_, T>,
        y: ArrayView2<'_, T>,
        d_y: ArrayViewMut2<'_, T>,
        mut d_x: InputGradients<'_, T>,
        room: &mut [T],
    ) {
        let Key { cell, .. } = self.key;
        let (h, _) = y.split_at(Axis(0), self.key.rows()[0]);
        let start = d_x.wanted(1) || cell.has_c() && d_x.wanted(2);
        let d_input = d_x.wanted(0).then(|| d_x.get(0));
        let gradients = self.key.states(d_y);
        self.plan.backward(
            room,
            &self.key.inputs(x),
            h,
            gradients,
            d_input,
            start,
        );
        let room = &*room;
        let plan = &self.plan;
        if d_x.wanted(1) {
            plan.start_h(room, d_x.get(1));
        }
        if cell.has_c() && d_x.wanted(2) {
            plan.start_c(room, d_x.get(2));
        }
        let w = self.key.weights();
        for (i, add) in [
            Plan::input_weights,
            Plan::state_weights,
            Plan::input_bias,
            Plan::state_bias,
        ]
        .into_iter()
        .enumerate()
        {
            if d_x.wanted(w + i) {
                add(plan, room, d_x.get(w + i));
            }
        }
        if cell.per_unit().is_some() && d_x.wanted(w + 4) {
            plan.peephole_weights(room, d_x.get(w + 4));
        }
    }
}

/// The operation, for numbers of one type.
///
/// Those of `f32` and `f64` are compiled here: a generic operation would be compiled anew in each crate that
/// records a sequence.
#[track_caller]
fn operation<T: Float + Scalar>(key: Key) -> Rc<dyn CustomOp<T>> {
    let of_t: Box<dyn Any> = if TypeId::of::<T>() == TypeId::of::<f32>() {
        Box::new(of_f32(key))
    } else {
        Box::new(of_f64(key))
    };
    *of_t.downcast().expect("a Float is f32 or f64")
}
#[track_caller]
fn of_f32(key: Key) -> Rc<dyn CustomOp<f32>> {
    SequenceOp::shared(key)
}
#[track_caller]
fn of_f64(key: Key) -> Rc<dyn CustomOp<f64>> {
    SequenceOp::shared(key)
}

impl<T: Float + Scalar> SequenceOp<T> {
    #[track_caller]
    fn shared(key: Key) -> Rc<dyn CustomOp<T>> {
        let Key { cell, shape, options, .. } = key;
        Rc::new(SequenceOp { key, plan: Plan::new(cell, shape, options) })
    }
}

/// What [`Layer::sequence_with`](crate::Layer::sequence_with) is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceRequest<'a> {
    /// Whether c_1 … c_T are wanted too, not only the last: as variables, with their gradients.
    pub all_c: bool,
    /// How many steps each row has, from 1 to T; all, if not given. Behind its end a row's states are zeros.
    pub lengths: Option<&'a [usize]>,
    /// As in [`SequenceOptions::floor`].
    pub floor: Option<f64>,
}

/// Records a sequence.
#[track_caller]
pub(crate) fn record<'t, T: Float + Scalar>(
    cell: Cell,
    weights: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    start: State<Var<'t, T>>,
    request: SequenceRequest<'_>,
) -> SequenceStates<Var<'t, T>> {
    let tape: &'t Tape<T> = x.tape();
    let ([rows, input], [batch, hidden]) = (x.shape(), start.h.shape());
    assert!(
        rows.is_multiple_of(batch),
        "sequence: {rows} rows are no whole number of steps of {batch} sequences"
    );
    let shape = SequenceShape { steps: rows / batch, batch, input, hidden };
    let options = SequenceOptions {
        backward: true,
        input_gradient: x.varies(),
        floor: request.floor,
    };
    let SequenceRequest { all_c, lengths, .. } = request;
    let key = Key {
        cell,
        shape,
        options,
        all_c: all_c && cell.has_c(),
        lengths: lengths.is_some(),
    };
    assert!(
        start.c.is_some() == cell.has_c(),
        "{cell}: the state c is for cells that have one, and only them"
    );
    let op = tape.registered(key, |&key| operation(key));
    let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, .. } = *weights;
    let lengths = lengths.map(|lengths| {
        tape.constant_with(1, lengths.len(), |row| {
            let numbers = lengths.iter().map(|&n| T::of(n as f64));
            row.iter_mut().zip(numbers).for_each(|(to, n)| *to = n);
        })
    });
    let inputs = [
        Some(x),
        Some(start.h),
        start.c,
        Some(w_ih),
        Some(w_hh),
        Some(b_ih),
        Some(b_hh),
        per_unit,
        lengths,
    ];
    let mut all = [x; 9];
    let mut count = 0;
    for input in inputs.into_iter().flatten() {
        all[count] = input;
        count += 1;
    }
    let parts = key.rows();
    let y = tape.custom(&op, &all[..count], [parts.iter().sum(), hidden]);
    let mut from = 0;
    let [h, c, last_h, last_c] = parts.map(|n| {
        let part = (n > 0).then(|| y.rows(from..from + n));
        from += n;
        part
    });
    let there = "every sequence has an output";
    SequenceStates {
        h: h.expect(there),
        c,
        last: State { h: last_h.expect(there), c: last_c },
    }
}
