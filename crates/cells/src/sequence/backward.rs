//! And back.

use super::by_rows::{ByRows, OfGroups, by_rows, matrices};
use super::plan::{BackwardRoom, PartRoom, Plan};
use super::*;
use crate::fused::{Backward, Forward, Group, MAX_GROUPS, Of, every, one};
use longlag_numerics::panel::{
    Columns, Layout, Matrix, Operand, PANEL, Rows, SEGMENT, Start, accumulate,
    multiply,
};
use std::ops::Range;

/// What all rows share.
struct Shared<'a, 'i, T> {
    inputs: &'a SequenceInputs<'i, T>,
    h: ArrayView2<'a, T>,
    input_panels: [&'a [T]; MAX_GROUPS],
    state_panels: [&'a [T]; MAX_GROUPS],
    peepholes: &'a [T],
    /// Whether the gradient of the state before the first step is asked for.
    start: bool,
}

/// What belongs to rows of the batch.
struct Part<'a, T> {
    rows: Range<usize>,
    sums: OfGroups<'a, T>,
    c: Option<Rows<'a, T>>,
    carry: Rows<'a, T>,
    d_c: Option<Rows<'a, T>>,
    d_kept: Option<Rows<'a, T>>,
    d_peepholes: Option<Rows<'a, T>>,
    d_h: Rows<'a, T>,
    d_c_out: Option<Rows<'a, T>>,
    d_last_h: Rows<'a, T>,
    d_last_c: Option<Rows<'a, T>>,
    d_x: Option<Rows<'a, T>>,
}

/// The gradients of the sums over a chunk of steps, of the same rows.
struct Chunk<'a, T> {
    d_sums: OfGroups<'a, T>,
    kept: Option<Rows<'a, T>>,
}

by_rows!(Part: rows sums c carry d_c d_kept d_peepholes d_h d_c_out d_last_h d_last_c d_x);
by_rows!(Chunk: d_sums kept);

impl<T: Copy> Part<'_, T> {
    /// The same, for a while.
    fn reborrow(&mut self) -> Part<'_, T> {
        fn of<'b, T: Copy>(
            rows: &'b mut Option<Rows<'_, T>>,
        ) -> Option<Rows<'b, T>> {
            rows.as_mut().map(|rows| rows.reborrow())
        }
        Part {
            rows: self.rows.clone(),
            sums: self.sums.each_mut().map(of),
            c: of(&mut self.c),
            carry: self.carry.reborrow(),
            d_c: of(&mut self.d_c),
            d_kept: of(&mut self.d_kept),
            d_peepholes: of(&mut self.d_peepholes),
            d_h: self.d_h.reborrow(),
            d_c_out: of(&mut self.d_c_out),
            d_last_h: self.d_last_h.reborrow(),
            d_last_c: of(&mut self.d_last_c),
            d_x: of(&mut self.d_x),
        }
    }
}

impl<T: Float> Plan<T> {
    pub(crate) fn backward(
        &self,
        room: &mut [T],
        inputs: &SequenceInputs<'_, T>,
        h: ArrayView2<'_, T>,
        gradients: SequenceStates<ArrayViewMut2<'_, T>>,
        d_x: Option<ArrayViewMut2<'_, T>>,
        start: bool,
    ) {
        let SequenceShape { steps, batch, .. } = self.shape;
        assert!(
            self.options.backward,
            "the sequence was made without a backward pass"
        );
        let allowed = self.options.input_gradient || d_x.is_none();
        assert!(
            allowed,
            "the sequence was made without the gradient of its input"
        );
        let mut room = self.backward_room(room);
        self.pack_backward(&mut room, inputs);
        let shared = Shared {
            inputs,
            h: h.view(),
            input_panels: room.input_panels.map(|p| &*p),
            state_panels: room.state_panels.map(|p| &*p),
            peepholes: room.peepholes,
            start,
        };
        let sums = self.of_groups(room.sums, |g| self.sums_layout(g));
        room.d_peepholes.fill(T::ZERO);
        let units = self.units_layout(batch);
        let part = Part {
            rows: 0..batch,
            sums,
            c: self
                .equations
                .has_c()
                .then(|| Rows::new(room.c, self.c_layout())),
            carry: Rows::new(room.carry, units),
            d_c: self.equations.has_c().then(|| Rows::new(room.d_c, units)),
            d_kept: self.has_kept().then(|| Rows::new(room.d_kept, units)),
            d_peepholes: (self.equations.peepholes() > 0).then(|| {
                Rows::new(room.d_peepholes, self.d_peepholes_layout(batch))
            }),
            d_h: Rows::of(gradients.h, steps),
            d_c_out: gradients.c.map(|c| Rows::of(c, steps)),
            d_last_h: Rows::of(gradients.last.h, 1),
            d_last_c: gradients.last.c.map(|c| Rows::of(c, 1)),
            d_x: d_x.map(|x| Rows::of(x, steps)),
        };
        let most = self.rows_of_a_thread();
        self.backward_parts(&shared, part, room.parts, most);
    }

    /// Some parts, each with a room of its own.
    fn backward_parts(
        &self,
        shared: &Shared<'_, '_, T>,
        part: Part<'_, T>,
        room: &mut [T],
        most: usize,
    ) {
        let parts = part.rows.len().div_ceil(self.part);
        if parts == 1 {
            return self.backward_part(shared, part, room, most);
        }
        let (first, rest) = part.split(parts / 2 * self.part);
        let (room, room_of_rest) =
            room.split_at_mut(parts / 2 * self.part_room());
        let first_half = || self.backward_parts(shared, first, room, most);
        let rest_half =
            || self.backward_parts(shared, rest, room_of_rest, most);
        // A large share for one thread is one thread's anyway.
        if parts * self.part <= most {
            first_half();
            rest_half();
        } else {
            rayon::join(first_half, rest_half);
        }
    }

    /// A part: chunk after chunk the walk back, then the weights' gradient.
    fn backward_part(
        &self,
        shared: &Shared<'_, '_, T>,
        mut part: Part<'_, T>,
        room: &mut [T],
        most: usize,
    ) {
        let PartRoom { mut d_sums, kept, columns, mut d_weights } =
            self.part_rooms(room);
        let rows = part.rows.len();
        d_weights.iter_mut().for_each(|d| d.fill(T::ZERO));
        part.carry.matrix().fill(T::ZERO);
        part.carry.matrix().copy(part.d_last_h.matrix());
        if let Some(d_c) = &mut part.d_c {
            d_c.matrix().fill(T::ZERO);
            if let Some(last) = &mut part.d_last_c {
                d_c.matrix().copy(last.matrix());
            }
        }
        let mut end = self.shape.steps;
        while end > 0 {
            let steps = end.saturating_sub(self.chunk)..end;
            let chunk = Chunk {
                d_sums: self
                    .of_groups(d_sums.each_mut().map(|d| &mut **d), |g| {
                        self.d_sums_layout(g, rows)
                    }),
                kept: self
                    .has_kept()
                    .then(|| Rows::new(kept, self.kept_layout(rows))),
            };
            self.backward_rows(
                shared,
                part.reborrow(),
                chunk,
                steps.clone(),
                most,
            );
            self.weight_gradients(
                shared,
                &part.rows,
                &steps,
                &mut d_sums,
                kept,
                columns,
                &mut d_weights,
                most,
            );
            end = steps.start;
        }
    }

    /// The steps of a chunk, last to first, for rows that are split between threads.
    fn backward_rows(
        &self,
        shared: &Shared<'_, '_, T>,
        part: Part<'_, T>,
        chunk: Chunk<'_, T>,
        steps: Range<usize>,
        most: usize,
    ) {
        let rows = part.rows.len();
        if rows <= most {
            return self.backward_steps(shared, part, chunk, steps);
        }
        let at = rows.div_ceil(most) / 2 * most;
        let ((first, rest), (chunk, chunk_of_rest)) =
            (part.split(at), chunk.split(at));
        rayon::join(
            || self.backward_rows(shared, first, chunk, steps.clone(), most),
            || {
                self.backward_rows(
                    shared,
                    rest,
                    chunk_of_rest,
                    steps.clone(),
                    most,
                )
            },
        );
    }

    fn backward_steps(
        &self,
        shared: &Shared<'_, '_, T>,
        mut part: Part<'_, T>,
        mut chunk: Chunk<'_, T>,
        steps: Range<usize>,
    ) {
        let inputs = shared.inputs;
        let (rows, first) = (part.rows.clone(), part.rows.start);
        let zero = [T::ZERO; SEGMENT];
        let mut unread = [T::ZERO; SEGMENT];
        let zero = Matrix::read(&zero, Layout::row_major(1, 1, SEGMENT));
        let unread =
            Matrix::write(&mut unread, Layout::row_major(1, 1, SEGMENT));
        let sums = matrices(&mut part.sums, unread);
        let d_sums = matrices(&mut chunk.d_sums, unread);
        let h = Matrix::of(shared.h, self.shape.steps);
        let h_start = Matrix::of(inputs.start.h, 1);
        let c = part.c.as_mut().map(|c| c.matrix());
        let kept = chunk.kept.as_mut().map(|k| k.matrix());
        let carry = part.carry.matrix();
        let d_c = part.d_c.as_mut().map(|d| d.matrix());
        let d_kept = part.d_kept.as_mut().map(|d| d.matrix());
        let d_peepholes = part.d_peepholes.as_mut().map(|d| d.matrix());
        let d_h = part.d_h.matrix();
        let d_c_out = part.d_c_out.as_mut().map(|d| d.matrix());
        let d_x = part.d_x.as_mut().map(|d| d.matrix());
        let peepholes = self.peepholes(shared.peepholes).unwrap_or(zero);
        let groups = self.equations.groups();

        for t in steps.clone().rev() {
            let slot = t - steps.start;
            for run in self.active(&inputs.lengths, rows.clone(), t) {
                let own = run.start - first..run.end - first;
                let c_at = |t| match c {
                    Some(c) => c.at(t).of_rows(own.clone()),
                    None => unread,
                };
                let mut saved = sums;
                let mut d = d_sums;
                for (g, group) in groups.iter().enumerate() {
                    if group.saved {
                        saved[g] = sums[g].at(t).of_rows(own.clone());
                    }
                    d[g] = d_sums[g].at(slot).of_rows(own.clone());
                }
                let whole =
                    d_c_out.map(|d| every(d.at(t).of_rows(own.clone())));
                let u = Backward {
                    step: Forward {
                        groups,
                        rows: run.len(),
                        blocks: 0..self.blocks,
                        sums: saved,
                        h_prev: if t == 0 { h_start } else { h.at(t - 1) }
                            .of_rows(run.clone()),
                        h: h.at(t).of_rows(run.clone()),
                        c_prev: c_at(t),
                        c: c_at(t + 1),
                        kept: kept.map_or(unread, |k| {
                            k.at(slot).of_rows(own.clone())
                        }),
                        peepholes,
                        zero,
                        unread,
                    },
                    d_sums: d,
                    d_h: d_h.at(t).of_rows(own.clone()),
                    carry: carry.of_rows(own.clone()),
                    d_c_given: whole.unwrap_or(one(zero)),
                    d_c_whole: whole.unwrap_or(one(unread)),
                    d_c: d_c.map_or(unread, |d| d.of_rows(own.clone())),
                    d_kept: d_kept.map_or(unread, |d| d.of_rows(own.clone())),
                    d_peepholes: d_peepholes
                        .map_or(unread, |d| d.of_rows(own.clone())),
                    floor: self.floor,
                };
                for stage in (0..self.stages()).rev() {
                    self.equations.backward(stage, &u);
                    let last = stage == 0 && t == 0 && !shared.start;
                    if !last {
                        let to = if stage == 0 { u.carry } else { u.d_kept };
                        let held = stage == 0 && self.equations.reads_h();
                        let start =
                            if held { Start::Held } else { Start::Zero };
                        let chosen = |group: &Group| {
                            group.state.is_some()
                                && Plan::<T>::stage(group) == stage
                        };
                        self.back_products(
                            start,
                            &u.d_sums,
                            &shared.state_panels,
                            chosen,
                            Plan::backward_state,
                            to,
                        );
                    }
                }
                if let Some(d_x) = d_x {
                    let to = d_x.at(t).of_rows(own.clone());
                    let chosen = |group: &Group| group.input;
                    let panels = &shared.input_panels;
                    self.back_products(
                        Start::Held,
                        &u.d_sums,
                        panels,
                        chosen,
                        Plan::backward_input,
                        to,
                    );
                }
            }
        }
    }

    /// From the sums' gradients, of the groups that are chosen, to that of what they are sums of.
    fn back_products(
        &self,
        start: Start<'_, T>,
        d_sums: &[Matrix<'_, T>; MAX_GROUPS],
        panels: &[&[T]; MAX_GROUPS],
        chosen: impl Fn(&Group) -> bool,
        layout: impl Fn(&Self, &Group) -> Layout,
        to: Matrix<'_, T>,
    ) {
        let mut start = start;
        for (g, group) in self.groups(chosen) {
            let b = Matrix::read(panels[g], layout(self, group));
            multiply(start, &[Operand { a: d_sums[g], b }], to);
            start = Start::Held;
        }
    }

    /// Adds a chunk to the gradients of a part's weights.
    #[expect(
        clippy::too_many_arguments,
        reason = "the pieces of one room, apart so that they can be borrowed"
    )]
    fn weight_gradients(
        &self,
        shared: &Shared<'_, '_, T>,
        rows: &Range<usize>,
        steps: &Range<usize>,
        d_sums: &mut [&mut [T]; MAX_GROUPS],
        kept: &mut [T],
        columns: &mut [T],
        d_weights: &mut [&mut [T]; MAX_GROUPS],
        most: usize,
    ) {
        let lengths = &shared.inputs.lengths;
        let runs =
            steps.clone().flat_map(|t| self.active(lengths, rows.clone(), t));
        let count: usize = runs.map(|run| run.len()).sum();
        if count == 0 {
            return;
        }
        if self.has_kept() {
            let layout = self.kept_layout(rows.len());
            self.compact(shared, rows, steps, Matrix::write(kept, layout));
        }
        for (g, group) in self.groups(|_| true) {
            let layout = self.d_sums_layout(group, rows.len());
            self.compact(shared, rows, steps, Matrix::write(d_sums[g], layout));

            let factors = self.factors(group);
            let mut a = Columns::new(columns, count, factors);
            let mut column = 0;
            match group.state {
                Some(Of::Kept) => {
                    let kept = Matrix::read(kept, self.kept_layout(rows.len()))
                        .of_steps(self.chunk);
                    a.put(
                        0,
                        0,
                        kept.of_rows(0..count).of_columns(0..self.shape.hidden),
                    );
                }
                Some(Of::H) => {
                    let h = Matrix::of(shared.h, self.shape.steps);
                    let start = Matrix::of(shared.inputs.start.h, 1);
                    self.put(shared, rows, steps, &mut a, 0, |t| {
                        if t == 0 { start } else { h.at(t - 1) }
                    });
                }
                None => {}
            }
            if group.state.is_some() {
                column += self.shape.hidden;
            }
            if group.input {
                let x = Matrix::of(shared.inputs.x, self.shape.steps);
                self.put(shared, rows, steps, &mut a, column, |t| x.at(t));
                column += self.shape.input;
            }
            a.fill(column, T::ONE);

            let d_sums = &*d_sums[g];
            let panel = factors * PANEL;
            let width = self.columns(group);
            let add = |first: usize, d_weights: &mut [T]| {
                let d_sums = Matrix::read(d_sums, layout)
                    .of_steps(self.chunk)
                    .of_rows(0..count);
                let columns = first * PANEL
                    ..(first * PANEL + d_weights.len().div_ceil(panel) * PANEL)
                        .min(width);
                let layout = Layout::panels(1, factors, columns.len());
                accumulate(
                    &a,
                    d_sums.of_columns(columns),
                    Matrix::write(d_weights, layout),
                );
            };
            let panels = width.div_ceil(PANEL);
            // One thread had all rows; else the panels are shared out.
            let share = if most >= rows.len() {
                panels
            } else {
                panels.div_ceil(rayon::current_num_threads())
            };
            halve(d_weights[g], 0, panels, panel, share, &add);
        }
    }

    /// Copies the rows of some steps to columns of `a`.
    fn put<'a>(
        &self,
        shared: &Shared<'_, '_, T>,
        rows: &Range<usize>,
        steps: &Range<usize>,
        a: &mut Columns<'_, T>,
        column: usize,
        of: impl Fn(usize) -> Matrix<'a, T>,
    ) where
        T: 'a,
    {
        let mut row = 0;
        for t in steps.clone() {
            for run in self.active(&shared.inputs.lengths, rows.clone(), t) {
                a.put(row, column, of(t).of_rows(run.clone()));
                row += run.len();
            }
        }
    }

    /// Moves the rows that have a step up, one below the other.
    fn compact(
        &self,
        shared: &Shared<'_, '_, T>,
        rows: &Range<usize>,
        steps: &Range<usize>,
        m: Matrix<'_, T>,
    ) {
        let m = m.of_steps(self.chunk);
        let mut to = 0;
        for (slot, t) in steps.clone().enumerate() {
            for run in self.active(&shared.inputs.lengths, rows.clone(), t) {
                let from = slot * rows.len() + run.start - rows.start;
                let n = run.len();
                if from != to {
                    for i in 0..n {
                        m.of_rows(to + i..to + i + 1)
                            .copy(m.of_rows(from + i..from + i + 1));
                    }
                }
                to += n;
            }
        }
    }

    /// Lays the weights out for the way back.
    fn pack_backward(
        &self,
        room: &mut BackwardRoom<'_, T>,
        inputs: &SequenceInputs<'_, T>,
    ) {
        for (g, group) in self.groups(|_| true) {
            if group.state.is_some() {
                self.pack_rows(
                    group,
                    inputs.weights.w_hh,
                    room.state_panels[g],
                );
            }
            if group.input && self.options.input_gradient {
                self.pack_rows(
                    group,
                    inputs.weights.w_ih,
                    room.input_panels[g],
                );
            }
        }
    }

    /// A group's rows of `w`, in the order of its columns, in panels.
    fn pack_rows(&self, group: &Group, w: ArrayView2<'_, T>, to: &mut [T]) {
        let (depth, width) = (self.columns(group), w.ncols());
        for (k, rows) in self.column_rows(group) {
            for u in 0..SEGMENT {
                let row = rows.clone().nth(u).map(|row| w.row(row));
                let row = row
                    .as_ref()
                    .map(|row| row.as_slice().expect("rows are contiguous"));
                for (p, first) in (0..width).step_by(PANEL).enumerate() {
                    let n = PANEL.min(width - first);
                    let at = (p * depth + k + u) * PANEL;
                    let to = &mut to[at..at + n.next_multiple_of(SEGMENT)];
                    match row {
                        Some(row) => {
                            to[..n].copy_from_slice(&row[first..first + n]);
                            to[n..].fill(T::ZERO);
                        }
                        None => to.fill(T::ZERO),
                    }
                }
            }
        }
    }

    /// Adds the gradients of all parts, in order, to a matrix of the weights; `column` is the first of the
    /// factors that its columns are multiplied with, or the one that the biases are.
    fn add_weights(
        &self,
        room: &[T],
        mut to: ArrayViewMut2<'_, T>,
        chosen: impl Fn(&Group) -> bool,
        column: impl Fn(&Group) -> usize,
        bias: bool,
    ) {
        for (g, group) in self.groups(chosen) {
            let (first, factors) = (column(group), self.factors(group));
            let count = if bias { 1 } else { to.ncols() };
            for (segment, rows) in self.column_rows(group) {
                let at = segment / PANEL * factors * PANEL + segment % PANEL;
                // Squares of units and factors, so that both are read and written along cache lines.
                for m in (0..count).step_by(SEGMENT) {
                    let n = SEGMENT.min(count - m);
                    let mut square = [[T::ZERO; SEGMENT]; SEGMENT];
                    for part in 0..self.part_count() {
                        let d = &room[self.d_weights_at(part, g)]
                            [at + (first + m) * PANEL..];
                        for (square, d) in
                            square.iter_mut().zip(d.chunks(PANEL)).take(n)
                        {
                            for (sum, &d) in square.iter_mut().zip(d) {
                                *sum = if part == 0 { d } else { *sum + d };
                            }
                        }
                    }
                    for (u, row) in rows.clone().enumerate() {
                        if bias {
                            to[[0, row]] += square[0][u];
                            continue;
                        }
                        let mut to = to.row_mut(row);
                        let to = &mut to
                            .as_slice_mut()
                            .expect("rows are contiguous")
                            [m..m + n];
                        for (to, square) in to.iter_mut().zip(&square) {
                            *to += square[u];
                        }
                    }
                }
            }
        }
    }

    /// Adds ∂L/∂W_ih of the last backward pass, (G·H, I).
    pub(crate) fn input_weights(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        let state =
            |g: &Group| if g.state.is_some() { self.shape.hidden } else { 0 };
        self.add_weights(room, to, |g| g.input, state, false);
    }
    /// Adds ∂L/∂W_hh, (G·H, H).
    pub(crate) fn state_weights(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        self.add_weights(room, to, |g| g.state.is_some(), |_| 0, false);
    }
    /// Adds ∂L/∂b_ih, (1, G·H).
    pub(crate) fn input_bias(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        self.add_weights(room, to, |g| g.input, |g| self.factors(g) - 1, true);
    }
    /// Adds ∂L/∂b_hh, (1, G·H).
    pub(crate) fn state_bias(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        self.add_weights(
            room,
            to,
            |g| g.state.is_some(),
            |g| self.factors(g) - 1,
            true,
        );
    }
    /// Adds ∂L/∂h_0, (B, H), if the pass was asked for it.
    pub(crate) fn start_h(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        self.add_units(&room[self.carry_at()], to);
    }
    /// Adds ∂L/∂c_0, (B, H).
    pub(crate) fn start_c(&self, room: &[T], to: ArrayViewMut2<'_, T>) {
        self.add_units(&room[self.d_c_at()], to);
    }
    fn add_units(&self, units: &[T], to: ArrayViewMut2<'_, T>) {
        let from = Matrix::read(units, self.units_layout(self.shape.batch));
        Rows::of(to, 1).matrix().add(from);
    }
    /// Adds those of the peepholes, (P, H).
    pub(crate) fn peephole_weights(
        &self,
        room: &[T],
        mut to: ArrayViewMut2<'_, T>,
    ) {
        let n = self.equations.peepholes();
        let batch = self.shape.batch;
        let d = &room[self.d_peepholes_at()];
        for ((p, j), to) in to.indexed_iter_mut() {
            let segment = j / SEGMENT * n + p;
            let panel = segment * SEGMENT / PANEL * batch * PANEL
                + segment * SEGMENT % PANEL
                + j % SEGMENT;
            let mut sum = T::ZERO;
            for b in 0..batch {
                sum += d[panel + b * PANEL];
            }
            *to += sum;
        }
    }
}

/// Runs `f` on pieces of at most `most` panels, on several threads.
fn halve<T: Send>(
    values: &mut [T],
    first: usize,
    panels: usize,
    panel: usize,
    most: usize,
    f: &(impl Fn(usize, &mut [T]) + Sync),
) {
    if panels <= most {
        return f(first, values);
    }
    let before = panels / 2;
    let (left, right) = values.split_at_mut(before * panel);
    rayon::join(
        || halve(left, first, before, panel, most, f),
        || halve(right, first + before, panels - before, panel, most, f),
    );
}
