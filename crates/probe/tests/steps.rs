//! Every cell probed: its step and products against the plain definition over duals.

mod common;

use common::{Probed, cells, close, normal2, normal3, times};
use longlag_autodiff::{Tape, Var};
use longlag_cells::{Cell, RecurrentCell, State};
use longlag_numerics::Scalar;
use longlag_probe::{ComposedStep, OnTape, RecurrentStep, StepGradients, Trajectory, jacobian};
use ndarray::{Array2, ArrayView2, Axis};

const B: usize = 3;
const I: usize = 2;
const H: usize = 5;

/// Both sides add I + H + 2 products in different orders, in two products in turn (reset before).
const TOLERANCE: f64 = 4.0 * (I + H + 2) as f64 * f64::EPSILON;

/// Has the products back alone, so that the product forward is the default one.
struct OnlyBack<'a>(&'a OnTape<Probed>);
impl RecurrentStep for OnlyBack<'_> {
    fn state_size(&self) -> usize {
        self.0.state_size()
    }
    fn step(&self, x: ArrayView2<'_, f64>, state: ArrayView2<'_, f64>) -> Array2<f64> {
        self.0.step(x, state)
    }
    fn vjp(&self, x: ArrayView2<'_, f64>, s: ArrayView2<'_, f64>, d: ArrayView2<'_, f64>) -> StepGradients {
        self.0.vjp(x, s, d)
    }
}

#[test]
fn every_cell_and_all_its_derivatives() {
    for cell in cells() {
        let probed = Probed::new(cell, I, H, 1.0);
        let step = probed.clone().on_tape();
        let n = step.state_size();
        assert_eq!(n, if cell.has_c() { 2 * H } else { H });
        let (x, s) = (normal2((B, I), "x"), normal2((B, n), "s"));
        let (v, w) = (normal2((B, n), "v"), normal2((B, n), "w"));

        let next = step.step(x.view(), s.view());
        let StepGradients { d_state, d_x, d_z } = step.vjp(x.view(), s.view(), w.view());
        let tangents = step.jvp(x.view(), s.view(), v.view());
        let by_default = OnlyBack(&step).jvp(x.view(), s.view(), v.view());
        for b in 0..B {
            let row = |a: &Array2<f64>| a.row(b).insert_axis(Axis(0)).to_owned();
            let (x, s) = (x.row(b).to_vec(), s.row(b).to_vec());
            let want = probed.reference(&probed.parameters, &x, &s);
            close(&row(&next), &Array2::from_shape_vec((1, n), want).unwrap(), TOLERANCE);
            let [by_s, by_x, by_z] = probed.jacobians(&x, &s);
            close(&jacobian(&step, x[..].into(), s[..].into()), &by_s, TOLERANCE);
            close(&row(&d_state), &times(&row(&w), &by_s), TOLERANCE);
            close(&row(&d_x), &times(&row(&w), &by_x), TOLERANCE);
            close(&row(&d_z), &times(&row(&w), &by_z), TOLERANCE);
            let want = times(&row(&v), &by_s.t().to_owned());
            close(&row(&tangents), &want, TOLERANCE);
            close(&row(&by_default), &want, TOLERANCE);
        }
    }
}

#[test]
fn a_trajectory_is_the_unrolling() {
    for cell in cells() {
        let probed = Probed::new(cell, I, H, 1.0);
        let step = probed.clone().on_tape();
        let (x, start) = (normal3((4, B, I), "x"), normal2((B, step.state_size()), "start"));
        let trajectory = Trajectory::run(&step, x.clone(), start.view());
        assert_eq!((trajectory.steps(), trajectory.sequences()), (4, B));

        let tape = Tape::new();
        let w = probed.layer.weights(&tape.bind(&probed.parameters));
        let flat = x.to_shape((4 * B, I)).unwrap();
        let s = tape.leaf(&start.view());
        let start = State { h: s.columns(0..H), c: cell.has_c().then(|| s.columns(H..2 * H)) };
        for (t, state) in probed.layer.states(&w, tape.constant(&flat.view()), start).into_iter().enumerate()
        {
            let got = trajectory.states.index_axis(Axis(0), t);
            let part = |k: usize| got.slice_axis(Axis(1), (k * H..(k + 1) * H).into()).to_owned();
            assert_eq!(part(0), state.h.value(), "{cell}, step {t}");
            if let Some(c) = state.c {
                assert_eq!(part(1), c.value(), "{cell}, step {t}");
            }
        }
        for (t, j) in trajectory.jacobians(&step, 1).enumerate() {
            let row = |a: &ndarray::Array3<f64>| a.index_axis(Axis(0), t).row(1).to_vec();
            close(&j, &probed.jacobians(&row(&x), &row(&trajectory.states))[0], TOLERANCE);
        }
    }
}

struct Wrong;
impl ComposedStep for Wrong {
    fn parts(&self) -> Vec<usize> {
        vec![2, 1]
    }
    fn sums(&self) -> usize {
        1
    }
    fn record<'t, T: Scalar>(&self, _: Var<'t, T>, s: &[Var<'t, T>], _: Var<'t, T>) -> Vec<Var<'t, T>> {
        vec![s[1], s[0]]
    }
}

#[test]
#[should_panic = "the step makes states of shapes [[1, 1], [1, 2]] from [[1, 2], [1, 1]]"]
fn a_step_to_another_state_is_refused() {
    let zero = Array2::zeros((1, 3));
    OnTape::new(Wrong).step(zero.view(), zero.view());
}

#[test]
#[should_panic = "run: the start is (2, 5), not (3, 5) as (B, S)"]
fn a_start_of_another_batch_is_refused() {
    let step = Probed::new(Cell::RnnTanh, I, H, 1.0).on_tape();
    Trajectory::run(&step, normal3((4, B, I), "x"), Array2::zeros((2, H)).view());
}
