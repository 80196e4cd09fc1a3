use crate::on_tape::ComposedStep;
use longlag_autodiff::Var;
use longlag_cells::{Cell, Layer, RecurrentCell, State};
use longlag_numerics::{Parameters, Scalar};

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
        // ANCHOR: step
        let constant = |name: &str| {
            let values = self.parameters.view(name).mapv(T::of);
            x.tape().constant(&values.view())
        };
        let mut w = self.layer.weights_by(x.tape(), constant);
        let Layer { cell, input, hidden, .. } = self.layer;
        let of_state = cell.shapes(*input, *hidden).b_hh[1] > 0;
        let bias = if of_state { &mut w.b_hh } else { &mut w.b_ih };
        *bias = *bias + dz;
        let state = State { h: state[0], c: state.get(1).copied() };
        let State { h, c } = self.layer.cell.step(&w, x, state);
        [h].into_iter().chain(c).collect()
        // ANCHOR_END: step
    }
}
