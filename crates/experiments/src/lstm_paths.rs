//! What experiments on the paths through an LSTM share: one that runs along a trajectory, with ∂c_t/∂c_k followed by
//! the direct path and by all.
//!
//! The key decision: **an LSTM is its recurrent weights and what comes into its sums.** Noise, or a network's
//! input times its input weights: both are numbers that are added before the gates, and what follows is the same.

use crate::law_of_the_product::NoisyLstm;
use crate::learner::Learner;
use crate::tasks::Batch;
use longlag_cells::Layer;
use longlag_cells::init::Init;
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, slice};
use longlag_probe::paths::Paths;
use longlag_probe::{OnTape, Trajectory, jacobian};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Slice};

/// An LSTM and B trajectories of it.
#[derive(Debug)]
pub struct DrivenLstm {
    step: OnTape<NoisyLstm>,
    trajectory: Trajectory,
}

impl DrivenLstm {
    /// Runs from the states `start` (B, 2·H), h beside c. `sums` (T, B, 4·H) is what is added to W_hh·h at each step:
    /// biases and all that comes in; gates in the order i f g o.
    #[track_caller]
    pub fn run(
        w_hh: Array2<f64>,
        sums: Array3<f64>,
        start: ArrayView2<'_, f64>,
    ) -> DrivenLstm {
        let bias = Array2::zeros((1, w_hh.nrows()));
        let step = OnTape::new(NoisyLstm { w_hh, bias });
        let trajectory = Trajectory::run(&step, sums, start);
        DrivenLstm { step, trajectory }
    }

    // ANCHOR: on_noise
    /// One with Gaussian recurrent weights of a gain, a forget bias, and
    /// `noise` (T, 1, 4·H) on its sums, from the state 0.
    pub fn on_noise(
        bias: f64,
        gain: f64,
        noise: ArrayView3<'_, f64>,
        weights: &mut Rng,
    ) -> DrivenLstm {
        let hidden = noise.dim().2 / 4;
        let mut w_hh = Array2::zeros((4 * hidden, hidden));
        Init::Gaussian { gain }.fill(w_hh.view_mut(), hidden, weights);
        let mut sums = noise.to_owned();
        let forget = Slice::from(hidden..2 * hidden);
        sums.slice_axis_mut(Axis(2), forget).mapv_inplace(|z| z + bias);
        let start = Array2::zeros((1, 2 * hidden));
        DrivenLstm::run(w_hh, sums, start.view())
    }
    // ANCHOR_END: on_noise

    /// A network's layer on the input `x` (T, B, I), from the state 0.
    pub fn of_layer(
        layer: &Layer,
        parameters: &Parameters<f64>,
        x: ArrayView3<'_, f64>,
    ) -> DrivenLstm {
        let w = layer.views(parameters);
        let (steps, batch, _) = x.dim();
        let shape = (steps, batch, 4 * layer.hidden);
        let mut sums = Array3::zeros(shape);
        for (x, mut sums) in x.outer_iter().zip(sums.outer_iter_mut()) {
            sums += &w.b_ih;
            sums += &w.b_hh;
            product(x, w.w_ih.t(), sums, true);
        }
        let start = Array2::zeros((batch, 2 * layer.hidden));
        DrivenLstm::run(w.w_hh.to_owned(), sums, start.view())
    }

    /// The layer of a network that learns, with the weights of now, on the input `x` (T, B, I).
    pub(crate) fn of_learner(
        learner: &Learner<'_>,
        x: ArrayView3<'_, f64>,
    ) -> DrivenLstm {
        let parameters = learner.trainer.parameters.map(f64::from);
        DrivenLstm::of_layer(&learner.model.layer, &parameters, x)
    }

    // ANCHOR: follow
    /// Follows ∂c_t/∂c_k along one of the trajectories from t = k to T.
    /// Paths are told apart by their detours up to `most`. `each` sees
    /// them after every step.
    pub fn follow(
        &self,
        sequence: usize,
        k: usize,
        most: usize,
        mut each: impl FnMut(&Paths),
    ) -> Paths {
        let hidden = self.step.composed.w_hh.ncols();
        let (h, c) = (0..hidden, hidden..2 * hidden);
        let mut paths = Paths::new(2 * hidden, c, h, most);
        let Trajectory { x, states } = &self.trajectory;
        for t in k..self.trajectory.steps() {
            let (x, s) =
                (x.index_axis(Axis(0), t), states.index_axis(Axis(0), t));
            let j = jacobian(&self.step, x.row(sequence), s.row(sequence));
            paths.advance(j.view());
            each(&paths);
        }
        paths
    }
    // ANCHOR_END: follow

    /// log₁₀ of ‖∂c_T/∂c_k‖_F / √H by the direct path and by all.
    pub fn reach(&self, sequence: usize, k: usize) -> [f64; 2] {
        let paths = self.follow(sequence, k, 0, |_| {});
        [paths.log10_up_to(0), paths.log10_total()]
    }

    // ANCHOR: forget_logit
    /// The mean over steps, trajectories and units of what goes into the
    /// forget gates.
    pub fn mean_forget_logit(&self) -> f64 {
        let w_hh = &self.step.composed.w_hh;
        let hidden = w_hh.ncols();
        let [f, h] = [hidden..2 * hidden, 0..hidden].map(Slice::from);
        let w_f = w_hh.slice_axis(Axis(0), f);
        let Trajectory { x, states } = &self.trajectory;
        let mut means = Vec::new();
        for (x, s) in x.outer_iter().zip(states.outer_iter()) {
            let mut z = x.slice_axis(Axis(1), f).to_owned();
            product(s.slice_axis(Axis(1), h), w_f.t(), z.view_mut(), true);
            let z: Vec<f64> = z.iter().copied().collect();
            means.push(slice::sum(&z) / z.len() as f64);
        }
        slice::sum(&means) / means.len() as f64
    }
    // ANCHOR_END: forget_logit
}

// ANCHOR: gain
/// The gain of recurrent weights (4·H, H): the root mean square of their
/// entries times √H, which is g of those drawn from N(0, g²/H).
pub fn gain(w_hh: ArrayView2<'_, f64>) -> f64 {
    let entries: Vec<f64> = w_hh.iter().copied().collect();
    let rows = w_hh.nrows() as f64;
    slice::norm(&entries) / rows.sqrt()
}
// ANCHOR_END: gain

/// Sequences of a task as an input (T, B, I), where all have T steps.
pub(crate) fn input_of(batch: &Batch) -> Array3<f64> {
    let size = batch.lengths.len();
    let (rows, inputs) = batch.x.dim();
    let shape = (rows / size, size, inputs);
    batch.x.clone().into_shape_with_order(shape).expect("T·B rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use longlag_autodiff::Tape;
    use longlag_cells::{Cell, Initialisation};
    use longlag_numerics::Real;
    use std::f64::consts::LOG10_E;

    /// The states of the trajectory are those of the layer on the tape.
    #[test]
    fn a_layer_is_driven_as_it_runs() {
        let layer = Layer::new("", Cell::Lstm, 3, 4);
        let mut parameters = Parameters::<f64>::default();
        let start = Initialisation::default();
        layer.push_parameters(&mut parameters, &start, &Rng::new(1));
        let mut rng = Rng::new(2);
        let x = Array2::from_shape_simple_fn((7 * 2, 3), || rng.normal());
        let steps = x.clone().into_shape_with_order((7, 2, 3)).unwrap();
        let driven = DrivenLstm::of_layer(&layer, &parameters, steps.view());
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let w = layer.weights(&bound);
        let zero = layer.zero_state(&tape, 2);
        let states = layer.states(&w, tape.constant(&x.view()), zero);
        for (t, state) in states.iter().enumerate() {
            let ours = driven.trajectory.states.index_axis(Axis(0), t);
            let c = state.c.expect("an LSTM").value();
            for (n, unit) in [(0, 0), (1, 3)] {
                let apart = ours[[n, 4 + unit]] - c[[n, unit]];
                assert!(apart.abs() < 1e-15, "{t}: {apart:e}");
            }
        }
    }

    #[test]
    fn the_gain_and_the_logit_are_those_of_the_start() {
        let mut rng = Rng::new(1);
        let noise = Array3::zeros((5, 1, 4 * 100));
        let driven = DrivenLstm::on_noise(1.5, 2.0, noise.view(), &mut rng);
        // 40,000 entries: g is off by about 0.35 %.
        let found = gain(driven.step.composed.w_hh.view());
        assert!((found - 2.0).abs() < 0.03, "{found}");
        // From the state 0 and without noise nothing moves.
        let logit = driven.mean_forget_logit();
        assert!((logit - 1.5).abs() < 1e-12, "{logit}");
        // f = σ(1.5) at every step; h adds to it.
        let [direct, total] = driven.reach(0, 0);
        let f: f64 = Real::sigmoid(1.5);
        let expected = 5.0 * Real::ln(f) * LOG10_E;
        assert!((direct - expected).abs() < 1e-12 && total > direct);
    }
}
