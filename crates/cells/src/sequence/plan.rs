//! What the shape decides: how the room is divided, and how sums are cut.

use super::*;
use crate::fused::{Group, MAX_GROUPS, Of};
use longlag_numerics::panel::{Columns, Layout, PANEL, SEGMENT};
use std::ops::Range;

/// Rows of the batch whose weight gradients are added up by themselves, where weights are small.
const PART_ROWS: usize = 16;
/// Up to this number of weights they count as small: their gradient then stays in the second-level cache
/// beside what it is made from.
const SMALL_WEIGHTS: usize = 160 << 10;
/// The rows of the sums' gradients that are added to the weights' at a time, for small weights and others.
const CHUNK_ROWS: [usize; 2] = [128, 512];
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

impl<T: Float> Plan<T> {
    #[track_caller]
    pub(crate) fn new(cell: Cell, shape: SequenceShape, options: SequenceOptions) -> Plan<T> {
        let SequenceShape { steps, batch, input, hidden } = shape;
        assert!(steps > 0 && batch > 0 && input > 0 && hidden > 0, "a sequence of {shape:?}");
        let weights = cell.gates().len() * hidden * (hidden + input);
        let small = weights <= SMALL_WEIGHTS;
        let part = if small { batch.div_ceil(batch.div_ceil(PART_ROWS)) } else { batch };
        let chunk = CHUNK_ROWS[usize::from(!small)].div_ceil(part).min(steps);
        let many = input >= MANY_INPUTS;
        let floor = options.floor.unwrap_or(if size_of::<T>() == 4 { GRADIENT_FLOOR } else { 0.0 });
        Plan {
            cell,
            equations: cell.fused(),
            shape,
            options,
            floor: T::from_f64(floor),
            blocks: hidden.div_ceil(SEGMENT),
            input_steps: if many { INPUT_ROWS.div_ceil(batch).min(steps) } else { 0 },
            part,
            chunk,
        }
    }

    /// The group at an index, if the cell has so many.
    pub(super) fn group(&self, g: usize) -> Option<&Group> {
        self.equations.groups().get(g)
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
        if self.options.backward && group.saved { t } else { t % self.input_steps.max(1) }
    }
    pub(super) fn sums_layout(&self, group: &Group) -> Layout {
        let saved = self.options.backward && group.saved;
        let steps = if saved { self.shape.steps } else { self.input_steps.max(1) };
        Layout::panels(steps, self.shape.batch, self.columns(group))
    }
    /// c_0 … c_T, or the latest only.
    pub(super) fn c_layout(&self) -> Layout {
        let steps = if self.options.backward { self.shape.steps + 1 } else { 1 };
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

    /// Gives the lengths of something for each group, 0 if the cell has fewer.
    fn for_groups(&self, len: impl Fn(&Group) -> usize) -> [usize; MAX_GROUPS] {
        std::array::from_fn(|g| self.group(g).map_or(0, &len))
    }
    /// `yes` if the condition holds, else 0.
    fn lengths_of_saved(&self, saved: bool) -> [usize; MAX_GROUPS] {
        self.for_groups(|g| if (self.options.backward && g.saved) == saved { self.sums_layout(g).len() } else { 0 })
    }
    fn c_len(&self) -> usize {
        if self.equations.has_c() { self.c_layout().len() } else { 0 }
    }
    fn peepholes_len(&self) -> usize {
        self.units() * self.equations.peepholes()
    }
    pub(super) fn part_count(&self) -> usize {
        self.shape.batch.div_ceil(self.part)
    }
    fn part_lengths(&self) -> ([usize; MAX_GROUPS], usize, usize, [usize; MAX_GROUPS]) {
        let most = self.equations.groups().iter().map(|g| self.factors(g)).max().unwrap_or(0);
        (
            self.for_groups(|g| self.d_sums_layout(g, self.part).len()),
            if self.has_kept() { self.kept_layout(self.part).len() } else { 0 },
            Columns::<T>::len_of(self.chunk * self.part, most),
            self.for_groups(|g| self.d_weights_layout(g).len()),
        )
    }
    /// The room of one part.
    pub(super) fn part_room(&self) -> usize {
        let (d_sums, kept, columns, d_weights) = self.part_lengths();
        let groups: usize = d_sums.iter().chain(&d_weights).map(|&n| whole(n)).sum();
        groups + whole(kept) + whole(columns)
    }
    /// The numbers that a sequence needs room for.
    pub(crate) fn room(&self) -> usize {
        let kept: usize = self.lengths_of_saved(true).iter().map(|&n| whole(n)).sum::<usize>() + whole(self.c_len());
        let work = |lengths: &[usize]| lengths.iter().map(|&n| whole(n)).sum::<usize>();
        let forward = work(&self.lengths_of_saved(false))
            + work(&self.for_groups(|g| if g.input { self.forward_input(g).len() } else { 0 }))
            + work(&self.for_groups(|g| if g.state.is_some() { self.forward_state(g).len() } else { 0 }))
            + work(&self.for_groups(|g| self.columns(g)))
            + if self.has_kept() { whole(self.units_layout(self.shape.batch).len()) } else { 0 };
        let backward = if self.options.backward { self.backward_work() } else { 0 };
        kept + whole(self.peepholes_len()) + forward.max(backward)
    }
    fn backward_work(&self) -> usize {
        let batch = self.shape.batch;
        let units = whole(self.units_layout(batch).len());
        let panels = self.backward_panels();
        panels.iter().flatten().map(|&n| whole(n)).sum::<usize>()
            + units * (1 + usize::from(self.equations.has_c()) + usize::from(self.has_kept()))
            + whole(self.d_peepholes_len())
            + self.part_count() * self.part_room()
    }
    fn backward_panels(&self) -> [[usize; MAX_GROUPS]; 2] {
        let wanted = self.options.input_gradient;
        [
            self.for_groups(|g| if g.input && wanted { self.backward_input(g).len() } else { 0 }),
            self.for_groups(|g| if g.state.is_some() { self.backward_state(g).len() } else { 0 }),
        ]
    }
    fn d_peepholes_len(&self) -> usize {
        if self.equations.peepholes() > 0 { self.d_peepholes_layout(self.shape.batch).len() } else { 0 }
    }

    pub(super) fn forward_room<'a>(&self, room: &'a mut [T]) -> ForwardRoom<'a, T> {
        let mut cut = Cut(room);
        let kept = self.lengths_of_saved(true).map(|n| cut.off(n));
        let c = cut.off(self.c_len());
        let peepholes = cut.off(self.peepholes_len());
        let sums = self.lengths_of_saved(false).map(|n| cut.off(n));
        let mut both = kept.into_iter().zip(sums);
        ForwardRoom {
            sums: std::array::from_fn(|_| {
                let (kept, work) = both.next().expect("one of each for each group");
                if kept.is_empty() { work } else { kept }
            }),
            c,
            peepholes,
            input_panels: self
                .for_groups(|g| if g.input { self.forward_input(g).len() } else { 0 })
                .map(|n| cut.off(n)),
            state_panels: self
                .for_groups(|g| if g.state.is_some() { self.forward_state(g).len() } else { 0 })
                .map(|n| cut.off(n)),
            bias: self.for_groups(|g| self.columns(g)).map(|n| cut.off(n)),
            kept: cut.off(if self.has_kept() { self.units_layout(self.shape.batch).len() } else { 0 }),
        }
    }
    pub(super) fn backward_room<'a>(&self, room: &'a mut [T]) -> BackwardRoom<'a, T> {
        let batch = self.shape.batch;
        let units = self.units_layout(batch).len();
        let mut cut = Cut(room);
        let sums = self.lengths_of_saved(true).map(|n| cut.off(n));
        let c = cut.off(self.c_len());
        let peepholes = cut.off(self.peepholes_len());
        let [input_panels, state_panels] = self.backward_panels().map(|group| group.map(|n| cut.off(n)));
        BackwardRoom {
            sums,
            c,
            peepholes,
            input_panels,
            state_panels,
            carry: cut.off(units),
            d_c: cut.off(if self.equations.has_c() { units } else { 0 }),
            d_kept: cut.off(if self.has_kept() { units } else { 0 }),
            d_peepholes: cut.off(self.d_peepholes_len()),
            parts: cut.off(self.part_count() * self.part_room()),
        }
    }
    pub(super) fn part_rooms<'a>(&self, room: &'a mut [T]) -> PartRoom<'a, T> {
        let (d_sums, kept, columns, d_weights) = self.part_lengths();
        let mut cut = Cut(room);
        PartRoom {
            d_sums: d_sums.map(|n| cut.off(n)),
            kept: cut.off(kept),
            columns: cut.off(columns),
            d_weights: d_weights.map(|n| cut.off(n)),
        }
    }
    /// Where in the whole room a group's weight gradients of a part lie.
    pub(super) fn d_weights_at(&self, part: usize, group: usize) -> Range<usize> {
        let sum = |lengths: &[usize]| lengths.iter().map(|&n| whole(n)).sum::<usize>();
        let (d_sums, kept, columns, d_weights) = self.part_lengths();
        let before = sum(&d_sums) + whole(kept) + whole(columns) + sum(&d_weights[..group]);
        let start = self.parts_at() + part * self.part_room() + before;
        start..start + d_weights[group]
    }
    /// Where the parts begin.
    fn parts_at(&self) -> usize {
        let kept: usize = self.lengths_of_saved(true).iter().map(|&n| whole(n)).sum::<usize>() + whole(self.c_len());
        kept + whole(self.peepholes_len()) + self.backward_work() - self.part_count() * self.part_room()
    }
    /// Where the gradients lie that have reached h before the first step.
    pub(super) fn carry_at(&self) -> Range<usize> {
        let units = self.units_layout(self.shape.batch).len();
        let others = usize::from(self.equations.has_c()) + usize::from(self.has_kept());
        let start = self.parts_at() - whole(self.d_peepholes_len()) - (1 + others) * whole(units);
        start..start + units
    }
    /// The same for c.
    pub(super) fn d_c_at(&self) -> Range<usize> {
        let Range { start, end } = self.carry_at();
        let units = whole(end - start);
        start + units..end + units
    }
    pub(super) fn d_peepholes_at(&self) -> Range<usize> {
        let end = self.parts_at();
        let start = end - whole(self.d_peepholes_len());
        start..start + self.d_peepholes_len()
    }

    /// Whether the shapes fit, and the states are those of the cell.
    #[track_caller]
    pub(super) fn check(&self, inputs: &SequenceInputs<'_, T>) {
        let SequenceShape { steps, batch, input, hidden } = self.shape;
        let Weights { w_ih, w_hh, b_ih, b_hh, peephole } = &inputs.weights;
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
            assert!(found == wanted, "{cell}: {name} is {found:?}, and {wanted:?} is needed");
        }
        let c = inputs.start.c.as_ref().map(|c| c.dim());
        let wanted = self.equations.has_c().then_some((batch, hidden));
        assert!(c == wanted, "{cell}: the state c is {c:?}, and {wanted:?} is needed");
        let peephole = peephole.as_ref().map(|p| p.dim());
        let wanted = (vectors > 0).then_some((vectors, hidden));
        assert!(peephole == wanted, "{cell}: the peepholes are {peephole:?}, and {wanted:?} is needed");
        inputs.lengths.check(&self.shape);
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
            let end = (start..rows.end).find(|&b| lengths.of(b, steps) <= t).unwrap_or(rows.end);
            next = end;
            Some(start..end)
        })
    }
}
