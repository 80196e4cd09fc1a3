use crate::on_tape::ComposedStep;
use longlag_autodiff::Var;
use longlag_cells::{Cell, Layer, RecurrentCell, State};
use longlag_numerics::{Parameters, Scalar};
use ndarray::ArrayView2;

/// A layer with its weights, as the instruments take it: the step that [`OnTape`](crate::OnTape) makes a
/// [`RecurrentStep`](crate::RecurrentStep) of.
///
/// The state is h, and c beside it if the cell has one. The sums z are those of all gates, in their order; δ is
/// their gradient through the bias b_hh, or b_ih of cells that have no other.
#[derive(Clone, Copy, Debug)]
pub struct LayerStep<'a, C = Cell> {
    /// The layer.
    pub layer: &'a Layer<C>,
    /// Parameters among which its own are.
    pub parameters: &'a Parameters<f64>,
}

// ANCHOR: step
impl<C: RecurrentCell> ComposedStep for LayerStep<'_, C> {
    fn parts(&self) -> Vec<usize> {
        let State { h, c } = self.layer.cell.widths(self.layer.hidden);
        [h].into_iter().chain(c).collect()
    }
    fn sums(&self) -> usize {
        let Layer { cell, input, hidden, .. } = self.layer;
        cell.shapes(*input, *hidden).b_ih[1]
    }
    fn record<'t, T: Scalar>(&self, x: Var<'t, T>, state: &[Var<'t, T>], dz: Var<'t, T>) -> Vec<Var<'t, T>> {
        let constant =
            |w: &ArrayView2<'_, f64>| (!w.is_empty()).then(|| x.tape().constant(&w.mapv(T::of).view()));
        let zero = |y: &mut [T]| y.fill(T::of(0.0));
        let nothing = || x.tape().constant_with(1, 1, zero);
        let views = self.layer.views(self.parameters);
        let mut w = views.map(|w| constant(w).unwrap_or_else(nothing));
        let of_state = !views.b_hh.is_empty();
        let bias = if of_state { &mut w.b_hh } else { &mut w.b_ih };
        *bias = *bias + dz;
        let state = State { h: state[0], c: state.get(1).copied() };
        let State { h, c } = self.layer.cell.step(&w, x, state);
        [h].into_iter().chain(c).collect()
    }
}
// ANCHOR_END: step
