use longlag_cells::{Cell, Initialisation, Layer};
use longlag_experiments::Experiment;
use longlag_experiments::gates_one_by_one::{
    At, Config, Gate, GatesOneByOne, OpenedLstm, hold,
};
use longlag_experiments::lstm_paths::DrivenLstm;
use longlag_experiments::tasks::{Adding, Batch, Definition, Task};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, slice};
use longlag_probe::{LayerStep, OnTape, RecurrentStep, Trajectory, jacobian};
use ndarray::{Array2, Axis, Slice};
use std::f64::consts::LOG10_E;

const H: usize = 5;
const T: usize = 20;
const SEQUENCES: usize = 3;

/// A layer with large weights, so that all of its paths count, and sequences.
fn setting() -> (Layer, Parameters<f64>, Batch) {
    let layer = Layer::new("", Cell::Lstm, 2, H);
    let mut parameters = Parameters::default();
    let start = Initialisation::default();
    layer.push_parameters(&mut parameters, &start, &Rng::new(1));
    parameters.values.iter_mut().for_each(|w| *w *= 3.0);
    let paper = Definition::Arjovsky2016;
    let task = Adding { definition: paper, steps: T, ..Adding::default() };
    (layer, parameters, task.batch(SEQUENCES, &mut Rng::new(2)))
}

/// The sequences as (T, B, 2).
fn input(batch: &Batch) -> ndarray::Array3<f64> {
    let x = batch.x.clone();
    x.into_shape_with_order((T, SEQUENCES, 2)).unwrap()
}

fn close(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-12, "{ours} and {theirs}");
}

/// The derivatives that are written out against the tape's.
#[test]
fn with_no_gate_closed_the_derivatives_are_the_tapes() {
    let (layer, parameters, batch) = setting();
    let lstm = OpenedLstm::run(&layer, &parameters, &batch);
    let step =
        OnTape::new(LayerStep { layer: &layer, parameters: &parameters });
    let start = Array2::zeros((SEQUENCES, 2 * H));
    let trajectory = Trajectory::run(&step, input(&batch), start.view());
    let (from, sequence) = (4, 1);
    // c_k moves h_k = o tanh(c_k): from the tape, ∂h_k/∂c_{k−1} over ∂c_k/∂c_{k−1}.
    let js: Vec<_> = trajectory.jacobians(&step, sequence).collect();
    let before = &js[from - 1];
    let mut moved = Array2::<f64>::zeros((2 * H, H));
    for unit in 0..H {
        let [h, c] = [unit, H + unit];
        moved[[c, unit]] = 1.0;
        moved[[h, unit]] = before[[h, c]] / before[[c, c]];
    }
    let ours = lstm.reach(sequence, from..T, None);
    for (t, ours) in (from..T).zip(ours) {
        let mut next = Array2::zeros(moved.dim());
        for ((i, j), next) in next.indexed_iter_mut() {
            *next = (0..2 * H).map(|k| js[t][[i, k]] * moved[[k, j]]).sum();
        }
        moved = next;
        let c = moved.slice_axis(Axis(0), Slice::from(H..));
        let c: Vec<f64> = c.iter().copied().collect();
        let rms = slice::norm(&c) / (H as f64).sqrt();
        close(ours, LOG10_E * Real::ln(rms));

        let [x, s] = [&trajectory.x, &trajectory.states]
            .map(|a| a.index_axis(Axis(0), t).row(sequence).to_owned());
        let rows = |a: &ndarray::Array1<f64>| {
            a.broadcast((2 * H, a.len())).unwrap().to_owned()
        };
        let eye = Array2::eye(2 * H);
        let theirs = step.vjp(rows(&x).view(), rows(&s).view(), eye.view());
        let ours = lstm.by_input(At { sequence, step: t }, None);
        let theirs =
            theirs.d_x.slice_axis(Axis(0), Slice::from(H..)).to_owned();
        ours.iter().zip(&theirs).for_each(|(a, b)| close(*a, *b));
        assert_eq!(js[t], jacobian(&step, x.view(), s.view()));
    }
}

/// Nothing leaves a cell whose output gate is closed but by its own forget gate.
#[test]
fn with_the_output_gate_closed_the_direct_path_remains() {
    let (layer, parameters, batch) = setting();
    let lstm = OpenedLstm::run(&layer, &parameters, &batch);
    let x = input(&batch);
    let driven = DrivenLstm::of_layer(&layer, &parameters, x.view());
    let (from, sequence) = (4, 2);
    let mut theirs = vec![];
    driven.follow(sequence, from, 0, |paths| {
        theirs.push([paths.log10_up_to(0), paths.log10_total()]);
    });
    let ours = lstm.reach(sequence, from..T, Some(Gate::Output));
    assert_eq!(ours.len(), theirs.len());
    for (ours, [direct, _]) in ours.iter().zip(&theirs) {
        close(*ours, *direct);
    }
    assert!((ours[T - from - 1] - theirs[T - from - 1][1]).abs() > 1e-3);
}

/// c_t doesn't depend on the output gate of its own step, and h_t is that gate times tanh(c_t).
#[test]
fn in_one_step_the_output_gate_is_between_state_and_output() {
    let (layer, parameters, batch) = setting();
    let values = [0.1, 0.3, 0.5, 0.7, 0.9];
    let held = hold(&layer, &parameters, Gate::Output, &values);
    let x = input(&batch);
    let mut rng = Rng::new(3);
    let state =
        Array2::from_shape_simple_fn((SEQUENCES, 2 * H), || rng.normal());
    let next = |parameters: &Parameters<f64>| {
        let step = OnTape::new(LayerStep { layer: &layer, parameters });
        step.step(x.index_axis(Axis(0), 0), state.view())
    };
    let (free, held) = (next(&parameters), next(&held));
    for ((row, unit), &h) in
        held.slice_axis(Axis(1), Slice::from(..H)).indexed_iter()
    {
        let c = held[[row, H + unit]];
        assert_eq!(c, free[[row, H + unit]]);
        close(h, values[unit] * Real::tanh(c));
    }
}

#[test]
fn a_gate_that_is_held_stays_where_it_is() {
    let (layer, parameters, batch) = setting();
    let values = [0.001, 0.25, 0.5, 0.9, 0.999];
    for gate in Gate::ALL {
        let held = hold(&layer, &parameters, gate, &values);
        let lstm = OpenedLstm::run(&layer, &held, &batch);
        for (mean, value) in lstm.means(gate).into_iter().zip(values) {
            close(mean, value);
        }
        let free = OpenedLstm::run(&layer, &parameters, &batch);
        assert!((free.means(gate)[4] - 0.999).abs() > 1e-3);
    }
}

/// Held at ½, an input gate that then sees nothing but the marker, in one unit.
#[test]
fn a_gate_that_sees_the_marker_alone_separates_by_what_it_makes_of_it() {
    let (layer, parameters, batch) = setting();
    let mut one = hold(&layer, &parameters, Gate::Input, &[0.5; H]);
    let marked: Vec<bool> =
        batch.x.column(1).iter().map(|&m| m == 1.0).collect();
    let of = |parameters: &Parameters<f64>| {
        let lstm = OpenedLstm::run(&layer, parameters, &batch);
        lstm.separation(Gate::Input, &marked)
    };
    close(of(&one), 0.0);
    layer.views_mut(&mut one).w_ih[[2, 1]] = -1.5;
    close(of(&one), 0.5 - Real::sigmoid(-1.5));
}

#[test]
fn what_cannot_be_run_is_refused() {
    let task = |definition| Adding { definition, ..Config::default().task };
    let good = Config::default;
    let bad = [
        (
            Config { task: task(Definition::Pascanu2013), ..good() },
            "same length",
        ),
        (Config { burn_in: 0, ..good() }, "`burn_in` is 0, but"),
        (Config { widths: vec![4, 4], ..good() }, "`widths`"),
        (Config { held: vec![1.0], ..good() }, "`held` is [1.0]"),
        (Config { forget_bias: f64::NAN, ..good() }, "`forget_bias`"),
    ];
    for (config, message) in bad {
        let error = GatesOneByOne::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
    assert!(GatesOneByOne::check(&good()).is_ok());
}
