//! There.

use super::by_rows::{ByRows, OfGroups, by_rows, matrices};
use super::plan::{BLOCKS, ForwardRoom, Plan};
use super::*;
use crate::fused::{Forward, Group, MAX_GROUPS, Of};
use longlag_numerics::panel::{
    Layout, Matrix, Operand, PANEL, Rows, SEGMENT, Start, multiply,
};
use ndarray::Axis;
use std::ops::Range;

/// The multiply-adds that are worth a thread.
const THREAD_WORK: usize = 1 << 21;

/// What all rows share.
struct Shared<'a, 'i, T> {
    inputs: &'a SequenceInputs<'i, T>,
    input_panels: [&'a [T]; MAX_GROUPS],
    state_panels: [&'a [T]; MAX_GROUPS],
    bias: [&'a [T]; MAX_GROUPS],
    peepholes: &'a [T],
}

/// What belongs to rows of the batch.
struct Part<'a, T> {
    rows: Range<usize>,
    sums: OfGroups<'a, T>,
    c: Option<Rows<'a, T>>,
    kept: Option<Rows<'a, T>>,
    h: Rows<'a, T>,
    c_out: Option<Rows<'a, T>>,
    last_h: Rows<'a, T>,
    last_c: Option<Rows<'a, T>>,
}

by_rows!(Part: rows sums c kept h c_out last_h last_c);

impl<T: Float> Plan<T> {
    pub(crate) fn forward(
        &self,
        room: &mut [T],
        inputs: &SequenceInputs<'_, T>,
        states: SequenceStates<ArrayViewMut2<'_, T>>,
    ) {
        let mut room = self.forward_room(room);
        self.pack_forward(&mut room, inputs);
        let ForwardRoom {
            sums,
            c,
            kept,
            input_panels,
            state_panels,
            bias,
            peepholes,
        } = room;
        let shared = Shared {
            inputs,
            input_panels: input_panels.map(|p| &*p),
            state_panels: state_panels.map(|p| &*p),
            bias: bias.map(|b| &*b),
            peepholes,
        };
        let sums = self.of_groups(sums, |g| self.sums_layout(g));
        let SequenceShape { steps, batch, .. } = self.shape;
        let part = Part {
            rows: 0..batch,
            sums,
            c: self.equations.has_c().then(|| Rows::new(c, self.c_layout())),
            kept: self
                .has_kept()
                .then(|| Rows::new(kept, self.units_layout(batch))),
            h: Rows::of(states.h, steps),
            c_out: states.c.map(|c| Rows::of(c, steps)),
            last_h: Rows::of(states.last.h, 1),
            last_c: states.last.c.map(|c| Rows::of(c, 1)),
        };
        self.forward_parts(&shared, part, self.rows_of_a_thread());
    }

    /// How many rows of the batch one thread takes.
    pub(super) fn rows_of_a_thread(&self) -> usize {
        let SequenceShape { steps, batch, hidden, input } = self.shape;
        let work =
            steps * batch * self.cell.gates().len() * hidden * (hidden + input);
        if work < THREAD_WORK {
            return batch;
        }
        let threads = rayon::current_num_threads();
        let even = batch.div_ceil(threads);
        // Rows of a few tiles are finished at different times where cores are not alike busy.
        if self.part < batch && threads > 1 {
            even.min(self.part)
        } else {
            even
        }
    }

    fn forward_parts(
        &self,
        shared: &Shared<'_, '_, T>,
        part: Part<'_, T>,
        most: usize,
    ) {
        let rows = part.rows.len();
        if rows <= most {
            return self.forward_rows(shared, part);
        }
        let (first, rest) = part.split(rows.div_ceil(most) / 2 * most);
        rayon::join(
            || self.forward_parts(shared, first, most),
            || self.forward_parts(shared, rest, most),
        );
    }

    /// All steps of some rows.
    fn forward_rows(&self, shared: &Shared<'_, '_, T>, mut part: Part<'_, T>) {
        let SequenceShape { steps, .. } = self.shape;
        let inputs = shared.inputs;
        let (rows, first) = (part.rows.clone(), part.rows.start);
        let zero = [T::ZERO; SEGMENT];
        let mut unread = [T::ZERO; SEGMENT];
        let zero = Matrix::read(&zero, Layout::row_major(1, 1, SEGMENT));
        let unread =
            Matrix::write(&mut unread, Layout::row_major(1, 1, SEGMENT));

        let x = Matrix::of(inputs.x, steps);
        let h_start = Matrix::of(inputs.start.h, 1).of_rows(rows.clone());
        let h = part.h.matrix();
        let sums = matrices(&mut part.sums, unread);
        let c = part.c.as_mut().map(|c| c.matrix());
        let kept = part.kept.as_mut().map_or(unread, |kept| kept.matrix());
        if let (Some(c), Some(start)) = (c, inputs.start.c) {
            let start = Matrix::of(start, 1).of_rows(rows.clone());
            c.at(0).fill(T::ZERO);
            c.at(0).copy(start);
        }
        let c_out = part.c_out.as_mut().map(|c| c.matrix());
        let last_h = part.last_h.matrix();
        let last_c = part.last_c.as_mut().map(|c| c.matrix());
        let peepholes = self.peepholes(shared.peepholes).unwrap_or(zero);

        for t in 0..steps {
            if self.input_steps > 0 && t % self.input_steps == 0 {
                let steps = t..(t + self.input_steps).min(steps);
                self.input_products(shared, x, &sums, &rows, steps);
            }
            for run in self.active(&inputs.lengths, rows.clone(), t) {
                let own = run.start - first..run.end - first;
                let h_prev = if t == 0 { h_start } else { h.at(t - 1) }
                    .of_rows(own.clone());
                let c_at = |t| match c {
                    Some(c) => c.at(self.c_slot(t)).of_rows(own.clone()),
                    None => unread,
                };
                let mut step = Forward {
                    groups: self.equations.groups(),
                    rows: run.len(),
                    blocks: 0..0,
                    sums: self.sums_at(&sums, t, own.clone()),
                    h_prev,
                    h: h.at(t).of_rows(own.clone()),
                    c_prev: c_at(t),
                    c: c_at(t + 1),
                    kept: if self.has_kept() {
                        kept.of_rows(own.clone())
                    } else {
                        kept
                    },
                    peepholes,
                    zero,
                    unread,
                };
                for stage in 0..self.stages() {
                    for block in (0..self.blocks).step_by(BLOCKS) {
                        step.blocks = block..(block + BLOCKS).min(self.blocks);
                        self.products(
                            shared,
                            stage,
                            &step,
                            x.at(t).of_rows(run.clone()),
                        );
                        self.equations.forward(stage, &step);
                    }
                }
                if let (Some(to), Some(c)) = (c_out, c) {
                    to.at(t)
                        .of_rows(own.clone())
                        .copy(c.at(self.c_slot(t + 1)).of_rows(own.clone()));
                }
            }
        }
        for (own, b) in rows.clone().enumerate() {
            let length = inputs.lengths.of(b, steps);
            let own = own..own + 1;
            last_h
                .of_rows(own.clone())
                .copy(h.at(length - 1).of_rows(own.clone()));
            if let (Some(to), Some(c)) = (last_c, c) {
                let c = c.at(self.c_slot(length)).of_rows(own.clone());
                to.of_rows(own.clone()).copy(c);
            }
            for states in [Some(h), c_out].into_iter().flatten() {
                for t in length..steps {
                    states.at(t).of_rows(own.clone()).fill(T::ZERO);
                }
            }
        }
    }

    /// The sums of a step, of some rows.
    fn sums_at<'a>(
        &self,
        sums: &[Matrix<'a, T>; MAX_GROUPS],
        t: usize,
        rows: Range<usize>,
    ) -> [Matrix<'a, T>; MAX_GROUPS] {
        let mut at = *sums;
        for (at, group) in at.iter_mut().zip(self.equations.groups()) {
            *at = at.at(self.slot(group, t)).of_rows(rows.clone());
        }
        at
    }

    /// Starts the sums of some steps with what the inputs bring.
    fn input_products(
        &self,
        shared: &Shared<'_, '_, T>,
        x: Matrix<'_, T>,
        sums: &[Matrix<'_, T>; MAX_GROUPS],
        rows: &Range<usize>,
        steps: Range<usize>,
    ) {
        for (g, group) in self.groups(|g| g.input) {
            let columns = self.columns(group);
            let panels =
                Matrix::read(shared.input_panels[g], self.forward_input(group));
            for column in (0..columns).step_by(PANEL) {
                let columns = column..(column + PANEL).min(columns);
                let b = panels.of_columns(columns.clone());
                for t in steps.clone() {
                    for run in
                        self.active(&shared.inputs.lengths, rows.clone(), t)
                    {
                        let a = x.at(t).of_rows(run.clone());
                        let own = run.start - rows.start..run.end - rows.start;
                        let c = sums[g]
                            .at(self.slot(group, t))
                            .of_rows(own)
                            .of_columns(columns.clone());
                        multiply(
                            Start::Row(&shared.bias[g][column..]),
                            &[Operand { a, b }],
                            c,
                        );
                    }
                }
            }
        }
    }

    /// The sums of a stage, for the units of the step.
    fn products(
        &self,
        shared: &Shared<'_, '_, T>,
        stage: usize,
        step: &Forward<'_, T>,
        x: Matrix<'_, T>,
    ) {
        for (g, group) in self.groups(|g| Plan::<T>::stage(g) == stage) {
            let each = SEGMENT * group.gates.1;
            let columns = step.blocks.start * each..step.blocks.end * each;
            let state = group.state.map(|of| Operand {
                a: match of {
                    Of::H => step.h_prev,
                    Of::Kept => step.kept.of_columns(0..self.shape.hidden),
                },
                b: Matrix::read(
                    shared.state_panels[g],
                    self.forward_state(group),
                )
                .of_columns(columns.clone()),
            });
            let c = step.sums[g].of_columns(columns.clone());
            let bias = Start::Row(&shared.bias[g][columns.start..]);
            let joined = group.input && self.input_steps == 0;
            match (joined, state) {
                (true, state) => {
                    let b = Matrix::read(
                        shared.input_panels[g],
                        self.forward_input(group),
                    )
                    .of_columns(columns);
                    let input = Operand { a: x, b };
                    match state {
                        Some(state) => multiply(bias, &[input, state], c),
                        None => multiply(bias, &[input], c),
                    }
                }
                (false, Some(state)) => {
                    multiply(
                        if group.input { Start::Held } else { bias },
                        &[state],
                        c,
                    );
                }
                (false, None) => {}
            }
        }
    }

    /// Lays the weights out as the products read them.
    fn pack_forward(
        &self,
        room: &mut ForwardRoom<'_, T>,
        inputs: &SequenceInputs<'_, T>,
    ) {
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, .. } = &inputs.weights;
        for (g, group) in self.groups(|_| true) {
            if group.input {
                self.pack_columns(group, *w_ih, room.input_panels[g]);
            }
            if group.state.is_some() {
                self.pack_columns(group, *w_hh, room.state_panels[g]);
            }
            let bias = &mut room.bias[g];
            bias.fill(T::ZERO);
            for (column, row) in self.column_rows(group) {
                for (u, row) in row.enumerate() {
                    bias[column + u] = match (group.input, group.state) {
                        (true, Some(_)) => b_ih[[0, row]] + b_hh[[0, row]],
                        (true, None) => b_ih[[0, row]],
                        (false, _) => b_hh[[0, row]],
                    };
                }
            }
        }
        if let Some(peepholes) = per_unit {
            self.pack_peepholes(room.peepholes, *peepholes);
        }
    }

    fn pack_peepholes(&self, to: &mut [T], from: ArrayView2<'_, T>) {
        to.fill(T::ZERO);
        let n = from.nrows();
        for (p, row) in from.axis_iter(Axis(0)).enumerate() {
            for (j, &x) in row.iter().enumerate() {
                to[(j / SEGMENT * n + p) * SEGMENT + j % SEGMENT] = x;
            }
        }
    }

    /// Of each segment of a group's columns, the first column and the rows of the weights that it stands for.
    pub(super) fn column_rows(
        &self,
        group: &Group,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + use<T> {
        let (first, gates) = group.gates;
        let hidden = self.shape.hidden;
        (0..self.blocks * gates).map(move |segment| {
            let (block, gate) = (segment / gates, segment % gates);
            let row = (first + gate) * hidden;
            let units = block * SEGMENT..((block + 1) * SEGMENT).min(hidden);
            (segment * SEGMENT, row + units.start..row + units.end)
        })
    }

    /// A group's rows of `w` as columns, in panels.
    fn pack_columns(&self, group: &Group, w: ArrayView2<'_, T>, to: &mut [T]) {
        let depth = w.ncols();
        for (column, rows) in self.column_rows(group) {
            let panel = column / PANEL * depth * PANEL + column % PANEL;
            // Squares, so that both are read and written along cache lines.
            for k in (0..depth).step_by(SEGMENT) {
                let n = SEGMENT.min(depth - k);
                let mut square = [[T::ZERO; SEGMENT]; SEGMENT];
                for (u, row) in rows.clone().enumerate() {
                    let row = w.row(row);
                    let row =
                        &row.as_slice().expect("rows are contiguous")[k..k + n];
                    for (square, &w) in square.iter_mut().zip(row) {
                        square[u] = w;
                    }
                }
                for (i, square) in square.iter().enumerate().take(n) {
                    to[panel + (k + i) * PANEL..][..SEGMENT]
                        .copy_from_slice(square);
                }
            }
        }
    }
}
