//! What the shape decides: how the room is divided, and how sums are cut.

use super::by_rows::OfGroups;
use super::*;
use crate::fused::{Group, MAX_GROUPS, Of};
use longlag_numerics::panel::{Columns, Layout, Matrix, PANEL, Rows, SEGMENT};
use std::ops::Range;

/// Rows of the batch whose weight gradients are added up by themselves, where weights are small.
const PART_ROWS: usize = 16;
/// Up to this number of weights they count as small: their gradient then stays in the second-level cache
/// beside what it is made from.
const SMALL_WEIGHTS: usize = 160 << 10;
/// The rows of the sums' gradients that are added to the weights' at a time, for small weights and others.
const CHUNK_ROWS: [usize; 2] = [128, 256];
/// From this number of inputs on they are multiplied for many steps at once.
const MANY_INPUTS: usize = 32;
/// About how many rows of inputs are multiplied at once.
const INPUT_ROWS: usize = 192;
/// Blocks of units that go from products to equations while their sums are in the cache: whole panels
/// whatever the number of gates.
pub(super) const BLOCKS: usize = PANEL / SEGMENT;

/// How one sequence of a given shape is computed.
pub(crate) struct Plan<T> {
    pub(super) cell: Cell,
    pub(super) equations: Box<dyn Fused<T>>,
    pub(super) shape: SequenceShape,
    pub(super) options: SequenceOptions,
    pub(super) floor: T,
    /// Blocks of [`SEGMENT`] units.
    pub(super) blocks: usize,
    /// Steps whose inputs are multiplied at once; 0 if they share the chains of the state.
    pub(super) input_steps: usize,
    /// Rows of a part.
    pub(super) part: usize,
    /// Steps of a chunk.
    pub(super) chunk: usize,
    pieces: Pieces,
}

/// Where the pieces of the room lie. Of groups that have no such piece it is empty.
pub(super) struct ForwardRoom<'a, T> {
    pub(super) sums: [&'a mut [T]; MAX_GROUPS],
    pub(super) c: &'a mut [T],
    pub(super) kept: &'a mut [T],
    pub(super) input_panels: [&'a mut [T]; MAX_GROUPS],
    pub(super) state_panels: [&'a mut [T]; MAX_GROUPS],
    pub(super) bias: [&'a mut [T]; MAX_GROUPS],
    pub(super) peepholes: &'a mut [T],
}

pub(super) struct BackwardRoom<'a, T> {
    pub(super) sums: [&'a mut [T]; MAX_GROUPS],
    pub(super) c: &'a mut [T],
    pub(super) input_panels: [&'a mut [T]; MAX_GROUPS],
    pub(super) state_panels: [&'a mut [T]; MAX_GROUPS],
    pub(super) peepholes: &'a mut [T],
    pub(super) carry: &'a mut [T],
    pub(super) d_c: &'a mut [T],
    pub(super) d_kept: &'a mut [T],
    pub(super) d_peepholes: &'a mut [T],
    /// Of all parts, one after the other.
    pub(super) parts: &'a mut [T],
}

/// The room of one part.
pub(super) struct PartRoom<'a, T> {
    pub(super) d_sums: [&'a mut [T]; MAX_GROUPS],
    pub(super) kept: &'a mut [T],
    pub(super) columns: &'a mut [T],
    pub(super) d_weights: [&'a mut [T]; MAX_GROUPS],
}

/// Cuts pieces off a slice, each at the beginning of a cache line.
struct Cut<'a, T>(&'a mut [T]);

impl<'a, T> Cut<'a, T> {
    fn off(&mut self, len: usize) -> &'a mut [T] {
        let all = std::mem::take(&mut self.0);
        let (piece, rest) = all.split_at_mut(whole(len));
        self.0 = rest;
        &mut piece[..len]
    }
}

/// `len` in whole cache lines of any number type.
fn whole(len: usize) -> usize {
    len.next_multiple_of(SEGMENT)
}

fn sum(lengths: &[usize]) -> usize {
    lengths.iter().map(|&n| whole(n)).sum()
}

/// The lengths of the pieces of the room, of each group or of all. First what stays from the forward to the
/// backward pass; then what the forward pass works with, and in the same place what the backward pass does,
/// its last four for each part.
#[derive(Default)]
struct Pieces {
    saved_sums: [usize; MAX_GROUPS],
    c: usize,
    peepholes: usize,

    working_sums: [usize; MAX_GROUPS],
    forward_input: [usize; MAX_GROUPS],
    forward_state: [usize; MAX_GROUPS],
    bias: [usize; MAX_GROUPS],
    kept: usize,

    backward_input: [usize; MAX_GROUPS],
    backward_state: [usize; MAX_GROUPS],
    carry: usize,
    d_c: usize,
    d_kept: usize,
    d_peepholes: usize,
    d_sums: [usize; MAX_GROUPS],
    kept_of_chunk: usize,
    columns: usize,
    d_weights: [usize; MAX_GROUPS],
}

impl<T: Float> Plan<T> {
    #[track_caller]
    pub(crate) fn new(
        cell: Cell,
        shape: SequenceShape,
        options: SequenceOptions,
    ) -> Plan<T> {
        let SequenceShape { steps, batch, input, hidden } = shape;
        assert!(
            steps > 0 && batch > 0 && input > 0 && hidden > 0,
            "a sequence of {shape:?}"
        );
        let weights = cell.gates().len() * hidden * (hidden + input);
        let small = weights <= SMALL_WEIGHTS;
        let part = if small {
            batch.div_ceil(batch.div_ceil(PART_ROWS))
        } else {
            batch
        };
        let chunk = CHUNK_ROWS[usize::from(!small)].div_ceil(part).min(steps);
        let many = input >= MANY_INPUTS;
        let floor = options.floor.unwrap_or(if size_of::<T>() == 4 {
            GRADIENT_FLOOR
        } else {
            0.0
        });
        let mut plan = Plan {
            cell,
            equations: cell.kernel(),
            shape,
            options,
            floor: T::from_f64(floor),
            blocks: hidden.div_ceil(SEGMENT),
            input_steps: if many {
                INPUT_ROWS.div_ceil(batch).min(steps)
            } else {
                0
            },
            part,
            chunk,
            pieces: Pieces::default(),
        };
        plan.pieces = plan.measure();
        plan
    }

    /// The groups that are chosen, with their numbers.
    pub(super) fn groups(
        &self,
        chosen: impl Fn(&Group) -> bool,
    ) -> impl Iterator<Item = (usize, &Group)> {
        let groups = self.equations.groups().iter().enumerate();
        groups.filter(move |(_, group)| chosen(group))
    }
    /// Of each group that has such a piece of the room, its rows.
    pub(super) fn of_groups<'a>(
        &self,
        pieces: [&'a mut [T]; MAX_GROUPS],
        layout: impl Fn(&Group) -> Layout,
    ) -> OfGroups<'a, T> {
        let mut groups = self.equations.groups().iter();
        pieces.map(|piece| {
            let group = groups.next().filter(|_| !piece.is_empty());
            group.map(|group| Rows::new(piece, layout(group)))
        })
    }
    /// The peepholes in one row, if the cell has them.
    pub(super) fn peepholes<'a>(
        &self,
        values: &'a [T],
    ) -> Option<Matrix<'a, T>> {
        let layout = Layout::row_major(1, 1, self.pieces.peepholes);
        (self.pieces.peepholes > 0).then(|| Matrix::read(values, layout))
    }
    pub(super) fn has_kept(&self) -> bool {
        self.equations.groups().iter().any(|g| g.state == Some(Of::Kept))
    }
    pub(super) fn stages(&self) -> usize {
        if self.has_kept() { 2 } else { 1 }
    }
    /// The stage at which a group's sums are complete.
    pub(super) fn stage(group: &Group) -> usize {
        usize::from(group.state == Some(Of::Kept))
    }
    /// H in whole segments.
    pub(super) fn units(&self) -> usize {
        self.blocks * SEGMENT
    }
    /// Columns of a group's sums.
    pub(super) fn columns(&self, group: &Group) -> usize {
        self.units() * group.gates.1
    }
    /// The columns that a group's weights are multiplied with: state, inputs, and 1 for the bias.
    pub(super) fn factors(&self, group: &Group) -> usize {
        let state = if group.state.is_some() { self.shape.hidden } else { 0 };
        let input = if group.input { self.shape.input } else { 0 };
        state + input + 1
    }
    /// The step of a group's sums at time t.
    pub(super) fn slot(&self, group: &Group, t: usize) -> usize {
        if self.options.backward && group.saved {
            t
        } else {
            t % self.input_steps.max(1)
        }
    }
    pub(super) fn sums_layout(&self, group: &Group) -> Layout {
        let saved = self.options.backward && group.saved;
        let steps =
            if saved { self.shape.steps } else { self.input_steps.max(1) };
        Layout::panels(steps, self.shape.batch, self.columns(group))
    }
    /// c_0 … c_T, or the latest only.
    pub(super) fn c_layout(&self) -> Layout {
        let steps =
            if self.options.backward { self.shape.steps + 1 } else { 1 };
        Layout::panels(steps, self.shape.batch, self.units())
    }
    pub(super) fn c_slot(&self, t: usize) -> usize {
        if self.options.backward { t } else { 0 }
    }
    /// A (rows, H) matrix in panels.
    pub(super) fn units_layout(&self, rows: usize) -> Layout {
        Layout::panels(1, rows, self.units())
    }
    pub(super) fn forward_input(&self, group: &Group) -> Layout {
        Layout::panels(1, self.shape.input, self.columns(group))
    }
    pub(super) fn forward_state(&self, group: &Group) -> Layout {
        Layout::panels(1, self.shape.hidden, self.columns(group))
    }
    pub(super) fn backward_input(&self, group: &Group) -> Layout {
        Layout::panels(1, self.columns(group), self.shape.input)
    }
    pub(super) fn backward_state(&self, group: &Group) -> Layout {
        Layout::panels(1, self.columns(group), self.shape.hidden)
    }
    pub(super) fn d_sums_layout(&self, group: &Group, rows: usize) -> Layout {
        Layout::panels_of_steps(self.chunk, rows, self.columns(group))
    }
    pub(super) fn kept_layout(&self, rows: usize) -> Layout {
        Layout::panels_of_steps(self.chunk, rows, self.units())
    }
    pub(super) fn d_weights_layout(&self, group: &Group) -> Layout {
        Layout::panels(1, self.factors(group), self.columns(group))
    }
    pub(super) fn d_peepholes_layout(&self, rows: usize) -> Layout {
        Layout::panels(1, rows, self.units() * self.equations.peepholes())
    }

    pub(super) fn part_count(&self) -> usize {
        self.shape.batch.div_ceil(self.part)
    }

    /// The lengths of all pieces of the room.
    fn measure(&self) -> Pieces {
        let batch = self.shape.batch;
        let groups = |len: &dyn Fn(&Group) -> usize| {
            std::array::from_fn(|g| {
                self.equations.groups().get(g).map_or(0, len)
            })
        };
        let if_there = |there: bool, len: usize| if there { len } else { 0 };
        let backward = self.options.backward;
        let with_x = self.options.input_gradient;
        let (has_c, has_kept) = (self.equations.has_c(), self.has_kept());
        let units = self.units_layout(batch).len();
        let peepholes = self.equations.peepholes();
        let most = self
            .equations
            .groups()
            .iter()
            .map(|g| self.factors(g))
            .max()
            .unwrap_or(0);
        Pieces {
            saved_sums: groups(&|g| {
                if_there(backward && g.saved, self.sums_layout(g).len())
            }),
            c: if_there(has_c, self.c_layout().len()),
            peepholes: self.units() * peepholes,
            working_sums: groups(&|g| {
                if_there(!(backward && g.saved), self.sums_layout(g).len())
            }),
            forward_input: groups(&|g| {
                if_there(g.input, self.forward_input(g).len())
            }),
            forward_state: groups(&|g| {
                if_there(g.state.is_some(), self.forward_state(g).len())
            }),
            bias: groups(&|g| self.columns(g)),
            kept: if_there(has_kept, units),
            backward_input: groups(&|g| {
                if_there(g.input && with_x, self.backward_input(g).len())
            }),
            backward_state: groups(&|g| {
                if_there(g.state.is_some(), self.backward_state(g).len())
            }),
            carry: units,
            d_c: if_there(has_c, units),
            d_kept: if_there(has_kept, units),
            d_peepholes: if_there(
                peepholes > 0,
                self.d_peepholes_layout(batch).len(),
            ),
            d_sums: groups(&|g| self.d_sums_layout(g, self.part).len()),
            kept_of_chunk: if_there(
                has_kept,
                self.kept_layout(self.part).len(),
            ),
            columns: Columns::<T>::len_of(self.chunk * self.part, most),
            d_weights: groups(&|g| self.d_weights_layout(g).len()),
        }
    }
    /// The room of one part.
    pub(super) fn part_room(&self) -> usize {
        let p = &self.pieces;
        sum(&p.d_sums)
            + whole(p.kept_of_chunk)
            + whole(p.columns)
            + sum(&p.d_weights)
    }
    /// What stays from the forward to the backward pass.
    fn saved_room(&self) -> usize {
        let p = &self.pieces;
        sum(&p.saved_sums) + whole(p.c) + whole(p.peepholes)
    }
    /// Where, behind that, the backward pass has its parts.
    fn parts_at(&self) -> usize {
        let p = &self.pieces;
        let panels = sum(&p.backward_input) + sum(&p.backward_state);
        self.saved_room()
            + panels
            + whole(p.carry)
            + whole(p.d_c)
            + whole(p.d_kept)
            + whole(p.d_peepholes)
    }
    /// The numbers that a sequence needs room for.
    pub(crate) fn room(&self) -> usize {
        let p = &self.pieces;
        let panels = sum(&p.forward_input) + sum(&p.forward_state);
        let forward = self.saved_room()
            + sum(&p.working_sums)
            + panels
            + sum(&p.bias)
            + whole(p.kept);
        let backward = self.parts_at() + self.part_count() * self.part_room();
        if self.options.backward { forward.max(backward) } else { forward }
    }

    pub(super) fn forward_room<'a>(
        &self,
        room: &'a mut [T],
    ) -> ForwardRoom<'a, T> {
        let p = &self.pieces;
        let mut cut = Cut(room);
        let saved = p.saved_sums.map(|n| cut.off(n));
        let (c, peepholes) = (cut.off(p.c), cut.off(p.peepholes));
        // Of each group one of the two is empty.
        let mut sums = saved;
        for (sums, working) in
            sums.iter_mut().zip(p.working_sums.map(|n| cut.off(n)))
        {
            if sums.is_empty() {
                *sums = working;
            }
        }
        ForwardRoom {
            sums,
            c,
            peepholes,
            input_panels: p.forward_input.map(|n| cut.off(n)),
            state_panels: p.forward_state.map(|n| cut.off(n)),
            bias: p.bias.map(|n| cut.off(n)),
            kept: cut.off(p.kept),
        }
    }
    pub(super) fn backward_room<'a>(
        &self,
        room: &'a mut [T],
    ) -> BackwardRoom<'a, T> {
        let p = &self.pieces;
        let mut cut = Cut(room);
        BackwardRoom {
            sums: p.saved_sums.map(|n| cut.off(n)),
            c: cut.off(p.c),
            peepholes: cut.off(p.peepholes),
            input_panels: p.backward_input.map(|n| cut.off(n)),
            state_panels: p.backward_state.map(|n| cut.off(n)),
            carry: cut.off(p.carry),
            d_c: cut.off(p.d_c),
            d_kept: cut.off(p.d_kept),
            d_peepholes: cut.off(p.d_peepholes),
            parts: cut.off(self.part_count() * self.part_room()),
        }
    }
    pub(super) fn part_rooms<'a>(&self, room: &'a mut [T]) -> PartRoom<'a, T> {
        let p = &self.pieces;
        let mut cut = Cut(room);
        PartRoom {
            d_sums: p.d_sums.map(|n| cut.off(n)),
            kept: cut.off(p.kept_of_chunk),
            columns: cut.off(p.columns),
            d_weights: p.d_weights.map(|n| cut.off(n)),
        }
    }
    /// Where in the whole room a group's weight gradients of a part lie.
    pub(super) fn d_weights_at(
        &self,
        part: usize,
        group: usize,
    ) -> Range<usize> {
        let p = &self.pieces;
        let before = sum(&p.d_sums)
            + whole(p.kept_of_chunk)
            + whole(p.columns)
            + sum(&p.d_weights[..group]);
        let start = self.parts_at() + part * self.part_room() + before;
        start..start + p.d_weights[group]
    }
    /// Where the gradients lie that have reached h before the first step.
    pub(super) fn carry_at(&self) -> Range<usize> {
        let p = &self.pieces;
        let behind = whole(p.carry)
            + whole(p.d_c)
            + whole(p.d_kept)
            + whole(p.d_peepholes);
        let start = self.parts_at() - behind;
        start..start + p.carry
    }
    /// The same for c.
    pub(super) fn d_c_at(&self) -> Range<usize> {
        let start = self.carry_at().start + whole(self.pieces.carry);
        start..start + self.pieces.d_c
    }
    pub(super) fn d_peepholes_at(&self) -> Range<usize> {
        let start = self.parts_at() - whole(self.pieces.d_peepholes);
        start..start + self.pieces.d_peepholes
    }

    /// Whether the shapes fit, and the states are those of the cell.
    #[track_caller]
    pub(super) fn check(&self, inputs: &SequenceInputs<'_, T>) {
        let SequenceShape { steps, batch, input, hidden } = self.shape;
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } =
            &inputs.weights;
        let cell = self.cell;
        let rows = cell.gates().len() * hidden;
        let vectors = self.equations.peepholes();
        let shapes = [
            ("x", inputs.x.dim(), (steps * batch, input)),
            ("h", inputs.start.h.dim(), (batch, hidden)),
            ("w_ih", w_ih.dim(), (rows, input)),
            ("w_hh", w_hh.dim(), (rows, hidden)),
            ("b_ih", b_ih.dim(), (1, rows)),
            ("b_hh", b_hh.dim(), (1, rows)),
        ];
        for (name, found, wanted) in shapes {
            assert!(
                found == wanted,
                "{cell}: {name} is {found:?}, and {wanted:?} is needed"
            );
        }
        let c = inputs.start.c.as_ref().map(|c| c.dim());
        let wanted = self.equations.has_c().then_some((batch, hidden));
        assert!(
            c == wanted,
            "{cell}: the state c is {c:?}, and {wanted:?} is needed"
        );
        assert!(w_hr.is_none(), "{cell}: it has no projection w_hr");
        let peephole = per_unit.as_ref().map(|p| p.dim());
        let wanted = (vectors > 0).then_some((vectors, hidden));
        assert!(
            peephole == wanted,
            "{cell}: the peepholes are {peephole:?}, and {wanted:?} is needed"
        );
        inputs.lengths.check(steps, batch);
    }

    /// Runs of rows among `rows` that have a step `t`.
    pub(super) fn active<'a, 'l>(
        &self,
        lengths: &'a Lengths<'l, T>,
        rows: Range<usize>,
        t: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<'a, 'l, T> {
        let steps = self.shape.steps;
        let mut next = rows.start;
        std::iter::from_fn(move || {
            if lengths.full() {
                let all = next..rows.end;
                next = rows.end;
                return (!all.is_empty()).then_some(all);
            }
            let start = (next..rows.end).find(|&b| lengths.of(b, steps) > t)?;
            let end = (start..rows.end)
                .find(|&b| lengths.of(b, steps) <= t)
                .unwrap_or(rows.end);
            next = end;
            Some(start..end)
        })
    }
}
