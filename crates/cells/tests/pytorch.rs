//! Each cell against what PyTorch computed, and the one that PyTorch doesn't have against onnxruntime: the
//! cases in `data/`.

use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{
    Cell, Initialisation, Layer, RecurrentCell, SequenceRequest, State,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use serde_json::Value;

/// Both sides compute in f64, in different orders of the sums. No sum here has more than a hundred terms
/// and no run more than forty steps; 10⁻¹² is 9,000 roundings of 2⁻⁵³ that all add up.
const TOLERANCE: f64 = 1e-12;
/// onnxruntime computes in f32: 10⁻⁶ is sixteen roundings of 2⁻²⁴ that all add up.
const SINGLE_TOLERANCE: f64 = 1e-6;

fn cases(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn pytorch(with: &str) -> Vec<Value> {
    let all = cases(include_str!("data/pytorch.json"));
    let some: Vec<_> =
        all.into_iter().filter(|case| case.get(with).is_some()).collect();
    assert!(!some.is_empty(), "no case has `{with}`");
    some
}

/// A tensor as a matrix; all its axes but the last are rows.
fn matrix(case: &Value, name: &str) -> Array2<f64> {
    let tensor = &case[name];
    let cols =
        tensor["shape"].as_array().unwrap().last().unwrap().as_u64().unwrap()
            as usize;
    let data: Vec<f64> = tensor["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect();
    Array2::from_shape_vec((data.len() / cols, cols), data).unwrap()
}

/// The layer of a case; `weights` gives each of its parameters by its PyTorch name.
fn layer(
    case: &Value,
    weights: impl Fn(&str) -> Array2<f64>,
) -> (Layer, Parameters<f64>) {
    let cell: Cell = serde_json::from_value(case["cell"].clone()).unwrap();
    let (input, hidden) =
        (weights("weight_ih_l0").ncols(), weights("weight_hh_l0").ncols());
    let layer = Layer::new("", cell, input, hidden);
    let mut parameters = Parameters::default();
    layer.push_parameters(
        &mut parameters,
        &Initialisation::default(),
        &Rng::new(0),
    );
    for span in parameters.spans().to_vec() {
        parameters.view_mut(&span.name).assign(&weights(&span.name));
    }
    (layer, parameters)
}

/// Entries may differ by `tolerance` times the largest.
#[track_caller]
fn check(
    case: &Value,
    what: &str,
    got: ArrayView2<f64>,
    want: ArrayView2<f64>,
    tolerance: f64,
) {
    assert_eq!(got.dim(), want.dim(), "{} of {}", what, case["name"]);
    let most = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for ((at, got), want) in got.indexed_iter().zip(want) {
        let near = (got - want).abs() <= tolerance * most;
        assert!(
            near,
            "{} of {} at {at:?}: {got:e}, not {want:e}",
            what, case["name"]
        );
    }
}

/// The outputs (T·B, H) among the states.
fn outputs<'t>(
    tape: &'t Tape<f64>,
    states: &[State<Var<'t, f64>>],
) -> Var<'t, f64> {
    tape.stack(&states[1..].iter().map(|s| s.h).collect::<Vec<_>>())
}

/// Both ways to run a layer.
#[derive(Clone, Copy, Debug)]
enum Way {
    Composed,
    Fused,
}

/// All states, the start first.
fn states<'t>(
    way: Way,
    layer: &Layer,
    parameters: &Bound<'t, '_, f64>,
    x: Var<'t, f64>,
    start: State<Var<'t, f64>>,
) -> Vec<State<Var<'t, f64>>> {
    let w = layer.weights(parameters);
    let ([rows, _], [batch, _]) = (x.shape(), start.h.shape());
    match way {
        Way::Composed => layer.states(&w, x, start),
        Way::Fused => {
            let request = SequenceRequest {
                all_c: true,
                floor: Some(0.0),
                ..SequenceRequest::default()
            };
            let all = layer.sequence_with(&w, x, start, request);
            let step = |t: usize| State {
                h: all.h.rows(t * batch..(t + 1) * batch),
                c: all.c.map(|c| c.rows(t * batch..(t + 1) * batch)),
            };
            std::iter::once(start).chain((0..rows / batch).map(step)).collect()
        }
    }
}

/// The states of a case on the tape, the start first, and Σ result · its upstream gradient.
fn run<'t>(
    way: Way,
    case: &Value,
    layer: &Layer,
    tape: &'t Tape<f64>,
    parameters: &Bound<'t, '_, f64>,
    x: Var<'t, f64>,
) -> (Vec<State<Var<'t, f64>>>, Var<'t, f64>) {
    let leaf = |name| tape.leaf(&matrix(case, name).view());
    let start =
        State { h: leaf("h0"), c: layer.cell.has_c().then(|| leaf("c0")) };
    let states = states(way, layer, parameters, x, start);
    let last = *states.last().unwrap();
    let results = [
        ("d_output", Some(outputs(tape, &states))),
        ("d_h_n", Some(last.h)),
        ("d_c_n", last.c),
    ];
    let loss = (results.into_iter())
        .filter(|(d, _)| case.get(d).is_some())
        .map(|(d, result)| {
            (result.unwrap() * tape.constant(&matrix(case, d).view())).sum()
        })
        .reduce(|a, b| a + b);
    (states, loss.unwrap())
}

fn both_ways(cases: &[Value]) -> impl Iterator<Item = (&Value, Way)> {
    cases.iter().flat_map(|case| [(case, Way::Composed), (case, Way::Fused)])
}

#[test]
fn outputs_and_all_gradients_agree_with_pytorch() {
    let cases = pytorch("d_output");
    let cells: Vec<_> =
        cases.iter().map(|case| case["cell"].as_str().unwrap()).collect();
    assert_eq!(cells, ["rnn-tanh", "rnn-relu", "lstm", "gru"]);
    for (case, way) in both_ways(&cases) {
        let (layer, parameters) = layer(case, |name| matrix(case, name));
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.leaf(&matrix(case, "input").view());
        let (states, loss) = run(way, case, &layer, &tape, &bound, x);
        let check = |what: &str, got: ArrayView2<f64>| {
            check(case, what, got, matrix(case, what).view(), TOLERANCE);
        };
        check("output", outputs(&tape, &states).value().view());
        let last = states.last().unwrap();
        check("h_n", last.h.value().view());
        let grads = loss.backward();
        check("grad.input", grads.of(x));
        check("grad.h0", grads.of(states[0].h));
        if let (Some(c_n), Some(c_0)) = (last.c, states[0].c) {
            check("c_n", c_n.value().view());
            check("grad.c0", grads.of(c_0));
        }
        for span in parameters.spans() {
            check(
                &format!("grad.{}", span.name),
                grads.of(bound.get(&span.name)),
            );
        }
    }
}

/// The loss reads the last output alone and the gradient vanishes on its way back, so each step is compared
/// by itself.
#[test]
fn the_gradients_of_all_states_agree_with_pytorch() {
    for (case, way) in both_ways(&pytorch("dL_dh")) {
        let (layer, parameters) = layer(case, |name| matrix(case, name));
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.constant(&matrix(case, "input").view());
        let (states, loss) = run(way, case, &layer, &tape, &bound, x);
        let grads = loss.backward();
        let [batch, _] = states[0].h.shape();
        for (t, state) in states.iter().enumerate() {
            for (what, var) in [("dL_dh", Some(state.h)), ("dL_dc", state.c)] {
                let Some(var) = var else { continue };
                let want = matrix(case, what);
                let want = want
                    .slice_axis(Axis(0), (t * batch..(t + 1) * batch).into());
                check(
                    case,
                    &format!("{what}[{t}]"),
                    grads.of(var),
                    want,
                    TOLERANCE,
                );
            }
        }
    }
}

/// ONNX's GRU with `linear_before_reset` = 0; its gates are in the order z r h, ours r z n.
#[test]
fn the_gru_with_reset_before_agrees_with_onnxruntime() {
    for case in &cases(include_str!("data/onnx.json")) {
        let (layer, parameters) = layer(case, |name| {
            let biases = matrix(case, "B");
            let (b_ih, b_hh) =
                biases.view().split_at(Axis(1), biases.ncols() / 2);
            let (from, axis) = match name {
                "weight_ih_l0" => (matrix(case, "W"), 0),
                "weight_hh_l0" => (matrix(case, "R"), 0),
                "bias_ih_l0" => (b_ih.to_owned(), 1),
                _ => (b_hh.to_owned(), 1),
            };
            let blocks: Vec<_> = from
                .axis_chunks_iter(Axis(axis), from.len_of(Axis(axis)) / 3)
                .collect();
            concatenate(Axis(axis), &[blocks[1], blocks[0], blocks[2]]).unwrap()
        });
        let output = |way: Way, layer: &Layer| {
            let tape = Tape::new();
            let bound = tape.bind(&parameters);
            let x = tape.constant(&matrix(case, "X").view());
            let start = State {
                h: tape.leaf(&matrix(case, "initial_h").view()),
                c: None,
            };
            outputs(&tape, &states(way, layer, &bound, x, start)).value()
        };
        let want = matrix(case, "Y");
        for way in [Way::Composed, Way::Fused] {
            let got = output(way, &layer);
            check(case, "Y", got.view(), want.view(), SINGLE_TOLERANCE);
        }
        let after = output(Way::Fused, &Layer { cell: Cell::Gru, ..layer });
        let apart =
            (&after - &want).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(
            apart > 0.1,
            "reset after differs from reset before by {apart} only"
        );
    }
}
