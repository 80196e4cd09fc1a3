//! The cells beside the RNN, the LSTM and the GRU: each against its equations on plain numbers, its gradient in
//! reverse mode against forward mode, its sequence against its steps, and what is special about it.

#[allow(dead_code, reason = "another test program runs all kernels")]
mod sequence_check;

use longlag_autodiff::check::{self, DUAL_TOLERANCE, Function};
use longlag_autodiff::{Tape, Var};
use longlag_cells::init::Init;
use longlag_cells::{
    Cell, GateBiases, Initialisation, Layer, LeakyRnn, Linear, Lstm1997,
    Network, ProjectedLstm, RecurrentCell, SequenceRequest, SkipRnn, State,
    Weights,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use proptest::prelude::*;
use sequence_check::{Case, Way, normal, plain_cells, variants};

/// The family with the options of its cells.
fn family() -> Vec<Cell> {
    let blocks =
        |block, truncated| Cell::Lstm1997(Lstm1997 { block, truncated });
    let mut all = Cell::FAMILY.to_vec();
    all.extend([
        blocks(1, true),
        blocks(7, false),
        blocks(7, true),
        Cell::LeakyRnn(LeakyRnn::new(1.0)),
        Cell::SkipRnn(SkipRnn { steps: 1 }),
        Cell::SkipRnn(SkipRnn { steps: 3 }),
        Cell::ProjectedLstm(ProjectedLstm { outputs: 1 }),
        Cell::ProjectedLstm(ProjectedLstm { outputs: 20 }),
    ]);
    all.extend(variants().into_iter().step_by(7));
    all
}

/// A layer without all its symmetries: gains and shifts are drawn too.
fn drawn(cell: Cell, input: usize, hidden: usize) -> (Layer, Parameters<f64>) {
    let layer = Layer::new("", cell, input, hidden);
    let mut parameters = Parameters::default();
    let start = Initialisation::default();
    layer.push_parameters(&mut parameters, &start, &Rng::new(3));
    let mut draw = Rng::new(4);
    for value in &mut parameters.values {
        *value += 0.3 * draw.normal();
    }
    (layer, parameters)
}

/// σ, and the rest in the papers' words, on single numbers.
fn sigma(a: f64) -> f64 {
    1.0 / (1.0 + Real::exp(-a))
}
fn tanh(a: f64) -> f64 {
    2.0 * sigma(2.0 * a) - 1.0
}
fn norm(v: &Array1<f64>) -> Array1<f64> {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let variance = v.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    v.mapv(|v| (v - mean) / (variance + 1e-5).sqrt())
}
fn times(w: ArrayView2<f64>, v: ArrayView1<f64>) -> Array1<f64> {
    let row = |w: ArrayView1<f64>| w.iter().zip(v).map(|(w, v)| w * v).sum();
    w.rows().into_iter().map(row).collect()
}

/// One step of a cell of H = 4 by the equations in its docs, written out anew: h and c.
fn by_hand(
    cell: Cell,
    w: &Weights<ArrayView2<f64>>,
    x: ArrayView1<f64>,
    h: ArrayView1<f64>,
    c: ArrayView1<f64>,
) -> (Vec<f64>, Vec<f64>) {
    let of_x = || times(w.w_ih, x) + w.b_ih.row(0);
    let of = |h: ArrayView1<f64>| of_x() + times(w.w_hh, h) + w.b_hh.row(0);
    let part = |a: &Array1<f64>, k: usize, j: usize| a[4 * k + j];
    let each = |f: &dyn Fn(usize) -> f64| (0..4).map(f).collect::<Vec<_>>();
    match cell {
        Cell::LeakyRnn(leaky) => {
            let (a, leak) = (of(h), leaky.leak());
            let h = each(&|j| (1.0 - leak) * h[j] + leak * tanh(a[j]));
            (h, vec![])
        }
        Cell::SkipRnn(SkipRnn { steps }) => {
            let past = h.to_vec();
            let a = of(ArrayView1::from(&past[..4]));
            let mut new = each(&|j| past[4 * (steps - 1) + j] + tanh(a[j]));
            new.extend(&past[..4 * (steps - 1)]);
            (new, vec![])
        }
        Cell::Lstm1997(Lstm1997 { block, .. }) => {
            let (a, blocks) = (of(h), 4 / block);
            let i = |j: usize| sigma(a[j / block]);
            let o = |j: usize| sigma(a[blocks + 4 + j / block]);
            let g = |j: usize| 4.0 * sigma(a[blocks + j]) - 2.0;
            let c = each(&|j| c[j] + i(j) * g(j));
            let mut u = each(&|j| o(j) * (2.0 * sigma(c[j]) - 1.0));
            u.extend((0..blocks).map(|b| i(b * block)));
            u.extend((0..blocks).map(|b| o(b * block)));
            (u, c)
        }
        Cell::Janet => {
            let a = of(h);
            let h = each(&|j| {
                let (s, candidate) = (part(&a, 0, j), tanh(part(&a, 1, j)));
                sigma(s) * h[j] + (1.0 - sigma(s - 1.0)) * candidate
            });
            (h, vec![])
        }
        Cell::ProjectedLstm(_) => {
            let a = of(h);
            let gate = |k, j| sigma(part(&a, k, j));
            let c = each(&|j| {
                gate(1, j) * c[j] + gate(0, j) * tanh(part(&a, 2, j))
            });
            let m = each(&|j| gate(3, j) * tanh(c[j]));
            let h = times(w.w_hr.unwrap(), Array1::from(m).view());
            (h.to_vec(), c)
        }
        Cell::LayerNormLstm => {
            let gains = w.per_unit.unwrap();
            let flat = |from: usize| -> Array1<f64> {
                (0..16).map(|k| gains[[from + k / 4, k % 4]]).collect()
            };
            let a = norm(&times(w.w_hh, h)) * flat(0)
                + norm(&times(w.w_ih, x)) * flat(4)
                + w.b_ih.row(0)
                + w.b_hh.row(0);
            let gate = |k, j| sigma(part(&a, k, j));
            let c = each(&|j| {
                gate(1, j) * c[j] + gate(0, j) * tanh(part(&a, 2, j))
            });
            let shown = norm(&Array1::from(c.clone())) * gains.row(8);
            let h = each(&|j| gate(3, j) * tanh(shown[j] + gains[[9, j]]));
            (h, c)
        }
        Cell::Mgu => {
            let z: Vec<f64> = of(h).iter().take(4).map(|&a| sigma(a)).collect();
            let kept: Array1<f64> =
                z.iter().zip(h).map(|(z, h)| z * h).collect();
            let a = of(kept.view());
            let n = |j| tanh(part(&a, 1, j));
            (each(&|j| (1.0 - z[j]) * h[j] + z[j] * n(j)), vec![])
        }
        Cell::MinGru => {
            let a = of_x();
            let z = |j| sigma(part(&a, 0, j));
            let h = each(&|j| (1.0 - z(j)) * h[j] + z(j) * part(&a, 1, j));
            (h, vec![])
        }
        Cell::MinLstm => {
            let a = of_x();
            let h = each(&|j| {
                let (i, f) = (sigma(part(&a, 0, j)), sigma(part(&a, 1, j)));
                f / (f + i) * h[j] + i / (f + i) * part(&a, 2, j)
            });
            (h, vec![])
        }
        _ => unreachable!("{cell} is checked against PyTorch"),
    }
}

/// A step is sums of at most a dozen terms and a few functions; between the two forms lie a few dozen roundings.
const STEP_TOLERANCE: f64 = 1e-14;

#[test]
fn a_step_is_what_its_equations_say() {
    for cell in [
        Cell::LeakyRnn(LeakyRnn::new(0.3)),
        Cell::SkipRnn(SkipRnn { steps: 1 }),
        Cell::SkipRnn(SkipRnn { steps: 3 }),
        Cell::Lstm1997(Lstm1997 { block: 1, truncated: false }),
        Cell::Lstm1997(Lstm1997 { block: 2, truncated: true }),
        Cell::Janet,
        Cell::ProjectedLstm(ProjectedLstm { outputs: 3 }),
        Cell::LayerNormLstm,
        Cell::Mgu,
        Cell::MinGru,
        Cell::MinLstm,
    ] {
        let (layer, parameters) = drawn(cell, 3, 4);
        let widths = cell.widths(4);
        let x = normal::<f64>(2, 3, "x");
        let h = normal::<f64>(2, widths.h, "h");
        let c = normal::<f64>(2, widths.c.unwrap_or(1), "c");
        let tape = Tape::new();
        let w = layer.weights(&tape.bind(&parameters));
        let start = State {
            h: tape.constant(&h.view()),
            c: widths.c.map(|_| tape.constant(&c.view())),
        };
        let got = cell.step(&w, tape.constant(&x.view()), start);
        for b in 0..2 {
            let views = layer.views(&parameters);
            let (want_h, want_c) =
                by_hand(cell, &views, x.row(b), h.row(b), c.row(b));
            let c = got.c.map_or(vec![], |c| c.value().row(b).to_vec());
            let got = [got.h.value().row(b).to_vec(), c].concat();
            let want = [want_h, want_c].concat();
            assert_eq!(got.len(), want.len(), "{cell:?}");
            for (got, want) in got.iter().zip(&want) {
                let near = (got - want).abs() <= STEP_TOLERANCE;
                assert!(near, "{cell:?}: {got:?}, not {want:?}");
            }
        }
    }
}

/// A layer's sequence as a function of everything that goes in: x, h_0, c_0 and the weights.
struct Run {
    layer: Layer,
    batch: usize,
}
impl Run {
    /// The arguments.
    fn arguments(
        &self,
        parameters: &Parameters<f64>,
        steps: usize,
    ) -> Vec<Array2<f64>> {
        let Layer { cell, input, hidden, .. } = self.layer;
        let State { h, c } = cell.widths(hidden);
        let mut all = vec![
            normal(steps * self.batch, input, "x"),
            normal(self.batch, h, "h"),
        ];
        all.extend(c.map(|c| normal(self.batch, c, "c")));
        let spans = parameters.spans().iter();
        all.extend(spans.map(|span| parameters.view(&span.name).to_owned()));
        all
    }
}
impl Function for Run {
    fn name(&self) -> &str {
        self.layer.cell.name()
    }
    /// All outputs and the last state, side by side.
    fn eval<'t, T: longlag_numerics::Scalar>(
        &self,
        x: &[Var<'t, T>],
    ) -> Var<'t, T> {
        let Layer { cell, input, hidden, .. } = self.layer;
        let tape = x[0].tape();
        let mut rest = x.iter().copied();
        let mut next = || rest.next().expect("there are as many arguments");
        let (x, h) = (next(), next());
        let start = State { h, c: cell.has_c().then(&mut next) };
        let w = cell.shapes(input, hidden).map(|&[rows, columns]| {
            if rows * columns > 0 {
                next()
            } else {
                tape.constant_with(1, 1, |zero| zero.fill(T::of(0.0)))
            }
        });
        let request = SequenceRequest::default();
        let states = self.layer.composed(&w, x, start, request);
        let steps = x.shape()[0] / self.batch;
        let at = |t: usize| t * self.batch..(t + 1) * self.batch;
        let mut all: Vec<_> =
            (0..steps).map(|t| states.h.rows(at(t))).collect();
        all.push(states.last.h);
        all.extend(states.last.c);
        tape.beside(&all)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    /// Of the truncated gradient too: its cuts are in both modes.
    #[test]
    fn reverse_mode_agrees_with_forward_mode(
        which in 0..family().len(),
        hidden in prop::sample::select(vec![1_usize, 7, 17]),
        batch in prop::sample::select(vec![1_usize, 3]),
        steps in prop::sample::select(vec![1_usize, 5]),
        seed: u64,
    ) {
        let cell = family()[which];
        prop_assume!(cell.check(hidden).is_ok());
        let (layer, parameters) = drawn(cell, 2, hidden);
        let run = Run { layer, batch };
        let x = run.arguments(&parameters, steps);
        for (k, comparison) in check::compare(&run, &x, seed).iter().enumerate() {
            // Through a normalisation a gradient is a small difference of large terms, which are as large as its values.
            let terms = match cell {
                Cell::LayerNormLstm => comparison.value_scale,
                _ => 0.0,
            };
            let off = (comparison.reverse - comparison.forward).abs();
            prop_assert!(
                off <= DUAL_TOLERANCE * (comparison.scale + terms),
                "{cell:?}, H = {hidden}, argument {k}: off by {off:e}: {comparison:?}",
            );
        }
    }
}

/// Both run the same steps, and differ in nothing but the order in which gradients are added up.
#[test]
fn a_sequence_is_its_steps_with_and_without_lengths() {
    let lengths: &[usize] = &[2, 5, 1];
    for cell in family() {
        for hidden in [1, 7].into_iter().filter(|&h| cell.check(h).is_ok()) {
            for lengths in [None, Some(lengths)] {
                let case =
                    Case { lengths, ..Case::new(cell, [5, 3, 2, hidden]) };
                let ways = [Way::Composed, Way::Unrolled];
                let [got, want] = ways.map(|way| case.run::<f64>(way));
                // What goes from step to step doesn't pass through the matrix of all states.
                let inner = |name: &str| {
                    name.starts_with("d h ") || name.starts_with("d c ")
                };
                for (name, want) in want.iter().filter(|(n, _)| !inner(n)) {
                    let most =
                        want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    for (got, want) in got[name].iter().zip(want) {
                        let near = (got - want).abs() <= 1e-13 * most;
                        assert!(near, "{cell:?}: {name}: {got:e}, {want:e}");
                    }
                }
            }
        }
    }
}

#[test]
fn only_what_has_a_kernel_says_so() {
    let kernels = plain_cells();
    for cell in family() {
        let want = kernels.contains(&cell)
            || matches!(cell, Cell::LstmVariant(_) | Cell::LeakyRnn(_));
        assert_eq!(cell.fused().is_some(), want, "{cell:?}");
    }
}

/// A step against the gradient makes the loss smaller, whatever the cell.
#[test]
fn every_cell_trains() {
    let (steps, batch) = (6, 4);
    for cell in family() {
        let network = Network::new(cell, 3, 7, 2);
        let start = Initialisation::default();
        let mut parameters = network.parameters::<f64>(&start, &Rng::new(2));
        let size: usize = parameters.values.len();
        assert_eq!(size, network.size(), "{cell:?}");
        let x = normal::<f64>(steps * batch, 3, "x");
        let target = normal::<f64>(batch, 2, "target");
        let step = |parameters: &Parameters<f64>| {
            let tape = Tape::new();
            let bound = tape.bind(parameters);
            let y = network.apply(&bound, tape.constant(&x.view()), batch);
            let error = y - tape.constant(&target.view());
            let loss = (error * error).mean();
            (loss.item(), loss.backward().of_parameters(&bound).to_vec())
        };
        let (before, gradient) = step(&parameters);
        for (w, d) in parameters.values.iter_mut().zip(&gradient) {
            *w -= 1e-2 * d;
        }
        let (after, _) = step(&parameters);
        assert!(after < before, "{cell:?}: {before} became {after}");
    }
}

/// The weights that Hochreiter and Schmidhuber's tables 1 to 9 print, by this reading of their networks: every cell and
/// gate sees all inputs and all outputs of the hidden layer, the output units see the cells alone, and biases are where
/// the experiment's text puts them: at the gates (1), nowhere (2c), at cells and gates (3), at the output units too
/// (4, 5, 6). Experiment 2a's 10504 belong to another network, whose inputs reach the output units directly.
#[test]
fn the_weights_of_1997_are_as_many_as_printed() {
    enum Biases {
        No,
        Gates,
        Hidden,
        All,
    }
    use Biases::*;
    let table = [
        ("1", 7, 4, 1, 7, Gates, 264),
        ("1", 7, 3, 2, 7, Gates, 276),
        ("2c, q = 50", 54, 2, 1, 2, No, 364),
        ("2c, q = 100", 104, 2, 1, 2, No, 664),
        ("2c, q = 200", 204, 2, 1, 2, No, 1264),
        ("2c, q = 500", 504, 2, 1, 2, No, 3064),
        ("2c, q = 1000", 1004, 2, 1, 2, No, 6064),
        ("3", 1, 3, 1, 1, Hidden, 102),
        ("4 and 5", 2, 2, 2, 1, All, 93),
        ("6a", 8, 2, 2, 4, All, 156),
        ("6b", 8, 3, 2, 8, All, 308),
    ];
    for (experiment, input, blocks, block, output, biases, printed) in table {
        let cell = Cell::Lstm1997(Lstm1997 { block, truncated: true });
        let cells = blocks * block;
        let layer = Layer::new("", cell, input, cells);
        let head = Linear::new("head", layer.output(), output);
        let [_, hidden] = cell.shapes(input, cells).b_ih;
        let gates =
            cell.gate_rows(0, cells).len() + cell.gate_rows(2, cells).len();
        let biases = match biases {
            No => 0,
            Gates => gates,
            Hidden => hidden,
            All => hidden + output,
        };
        let weights = layer.without_bias().size() + head.input * head.output;
        assert_eq!(weights + biases, printed, "experiment {experiment}");
    }
}

/// Two steps of one cell, the loss y_2, its truncated gradient derived by hand: the error reaches earlier steps along c
/// alone.
#[test]
fn the_truncated_gradient_of_1997_goes_along_the_cell_alone() {
    let cell = Cell::Lstm1997(Lstm1997 { block: 1, truncated: true });
    let (layer, parameters) = drawn(cell, 1, 1);
    let w = layer.views(&parameters);
    let (x, u_0, c_0) = ([0.7, -1.1], [0.3, 0.6, 0.4], -0.2);
    // Rows and columns: i g o, and y i o.
    let sums = |x: f64, u: [f64; 3]| {
        [0, 1, 2].map(|k| {
            let of_u: f64 = (0..3).map(|j| w.w_hh[[k, j]] * u[j]).sum();
            w.w_ih[[k, 0]] * x + of_u + w.b_ih[[0, k]] + w.b_hh[[0, k]]
        })
    };
    let slope = |a: f64| sigma(a) * (1.0 - sigma(a));
    let (g, h) = (|a| 4.0 * sigma(a) - 2.0, |c| 2.0 * sigma(c) - 1.0);
    let a_1 = sums(x[0], u_0);
    let c_1 = c_0 + sigma(a_1[0]) * g(a_1[1]);
    let u_1 = [sigma(a_1[2]) * h(c_1), sigma(a_1[0]), sigma(a_1[2])];
    let a_2 = sums(x[1], u_1);
    let c_2 = c_1 + sigma(a_2[0]) * g(a_2[1]);
    let d_c = sigma(a_2[2]) * 2.0 * slope(c_2); // ∂y_2/∂c_2 = ∂y_2/∂c_1
    let of_sums = |a: [f64; 3], of_o: f64| {
        let of_i = d_c * slope(a[0]) * g(a[1]);
        let of_g = d_c * sigma(a[0]) * 4.0 * slope(a[1]);
        [of_i, of_g, of_o]
    };
    let d_1 = of_sums(a_1, 0.0);
    let d_2 = of_sums(a_2, slope(a_2[2]) * h(c_2));

    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let at = layer.weights(&bound);
    let leaf = |v: &[f64]| {
        tape.leaf(&ArrayView2::from_shape((1, v.len()), v).unwrap())
    };
    let xs = x.map(|x| leaf(&[x]));
    let start = State { h: leaf(&u_0), c: Some(leaf(&[c_0])) };
    let state = cell.step(&at, xs[0], start);
    let state = cell.step(&at, xs[1], state);
    let grads = state.h.columns(0..1).sum().backward();
    let near = |what: &str, got: f64, want: f64| {
        assert!((got - want).abs() <= 1e-15, "{what}: {got:e}, not {want:e}");
    };
    for k in 0..3 {
        near("b", grads.of(at.b_ih)[[0, k]], d_1[k] + d_2[k]);
        near("w_ih", grads.of(at.w_ih)[[k, 0]], d_1[k] * x[0] + d_2[k] * x[1]);
        for j in 0..3 {
            let want = d_1[k] * u_0[j] + d_2[k] * u_1[j];
            near("w_hh", grads.of(at.w_hh)[[k, j]], want);
        }
        near("u_0", grads.of(start.h)[[0, k]], 0.0);
    }
    near("c_0", grads.of(start.c.unwrap())[[0, 0]], d_c);
    for (d, x) in [(d_1, xs[0]), (d_2, xs[1])] {
        let want = (0..3).map(|k| d[k] * w.w_ih[[k, 0]]).sum();
        near("x", grads.of(x)[[0, 0]], want);
    }
}

#[test]
fn gates_that_do_not_see_the_state_have_no_weights_from_it() {
    for (cell, gates) in [(Cell::MinGru, 2), (Cell::MinLstm, 3)] {
        let layer = Layer::new("", cell, 3, 5);
        let (_, parameters) = drawn(cell, 3, 5);
        let names: Vec<_> =
            parameters.spans().iter().map(|s| &s.name[..]).collect();
        assert_eq!(names, ["weight_ih_l0", "bias_ih_l0"]);
        assert_eq!(layer.size(), gates * 5 * 4);
        assert_eq!(layer.without_bias().size(), gates * 5 * 3);
    }
}

/// Where both gates are 0 up to rounding, their ratio is not.
#[test]
fn saturated_gates_of_the_min_lstm_have_a_ratio() {
    let tape = Tape::<f64>::new();
    let number = |x: f64| tape.leaf(&ndarray::array![[x]].view());
    let (w, b) = (tape.zeros(3, 1), tape.zeros(1, 1));
    let sums = tape.leaf(&ndarray::array![[-2000.0, -2000.0, 1.0]].view());
    let w = Weights {
        w_ih: w,
        w_hh: b,
        b_ih: sums,
        b_hh: b,
        per_unit: None,
        w_hr: None,
    };
    let state = State { h: number(3.0), c: None };
    let h = Cell::MinLstm.step(&w, number(0.0), state).h;
    assert_eq!(h.item(), 2.0);
    let d = h.sum().backward().of(sums).to_owned();
    assert!(d.iter().all(|d| d.is_finite()), "{d}");
}

#[test]
fn a_config_reads_as_it_is_written() {
    for (cell, json) in [
        (Cell::LeakyRnn(LeakyRnn::new(0.1)), r#"{"leaky-rnn":0.1}"#),
        (Cell::SkipRnn(SkipRnn { steps: 4 }), r#"{"skip-rnn":{"steps":4}}"#),
        (
            Cell::Lstm1997(Lstm1997 { block: 2, truncated: true }),
            r#"{"lstm1997":{"block":2,"truncated":true}}"#,
        ),
        (Cell::Janet, r#""janet""#),
        (
            Cell::ProjectedLstm(ProjectedLstm { outputs: 16 }),
            r#"{"projected-lstm":{"outputs":16}}"#,
        ),
        (Cell::LayerNormLstm, r#""layer-norm-lstm""#),
        (Cell::Mgu, r#""mgu""#),
        (Cell::MinGru, r#""min-gru""#),
        (Cell::MinLstm, r#""min-lstm""#),
    ] {
        assert_eq!(serde_json::to_string(&cell).unwrap(), json);
        assert_eq!(serde_json::from_str::<Cell>(json).unwrap(), cell);
    }
    for leak in ["0.0", "-0.5", "1.5"] {
        let json = format!(r#"{{"leaky-rnn":{leak}}}"#);
        let error = serde_json::from_str::<Cell>(&json).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("must be above 0 and at most 1"), "{text}");
    }
    assert!(LeakyRnn::new(0.25) < LeakyRnn::new(0.5));
}

#[test]
fn a_layer_that_cannot_be_is_refused() {
    let blocks = |block| Cell::Lstm1997(Lstm1997 { block, truncated: false });
    for (cell, want) in [
        (blocks(2), "7 cells don't stand in blocks of 2"),
        (blocks(0), "7 cells don't stand in blocks of 0"),
        (
            Cell::SkipRnn(SkipRnn { steps: 0 }),
            "a skip connection goes over at least 1 step, not 0",
        ),
        (
            Cell::ProjectedLstm(ProjectedLstm { outputs: 0 }),
            "a projection has at least 1 output, not 0",
        ),
    ] {
        assert_eq!(cell.check(7).unwrap_err(), want);
    }
    for cell in family() {
        let layer = Layer::new("", cell, 2, 7);
        assert_eq!(layer.check(&Initialisation::default()), Ok(()));
    }
}

/// b_ih + b_hh of a layer.
fn biases(cell: Cell, hidden: usize, start: &Initialisation) -> Vec<f64> {
    let layer = Layer::new("", cell, 2, hidden);
    layer.check(start).unwrap();
    let mut parameters = Parameters::<f64>::default();
    layer.push_parameters(&mut parameters, start, &Rng::new(1));
    let w = layer.views(&parameters);
    let mut sums = w.b_ih.row(0).to_vec();
    for (sum, b) in sums.iter_mut().zip(w.b_hh) {
        *sum += b;
    }
    sums
}

#[test]
fn gates_start_with_biases_of_their_own() {
    let constant = |value| Some(Init::Constant { value });
    let start = Initialisation {
        bias: Init::Zero,
        gate_biases: GateBiases {
            i: Some(Init::Progression { first: -1.0, step: -2.0 }),
            o: constant(-4.0),
            ..GateBiases::default()
        },
        ..Initialisation::default()
    };
    let blocks = Cell::Lstm1997(Lstm1997 { block: 2, truncated: false });
    let want = [-1.0, -3.0, -5.0, 0., 0., 0., 0., 0., 0., -4.0, -4.0, -4.0];
    assert_eq!(biases(blocks, 6, &start), want);
    let want = [-1.0, -3.0, 0.0, 0.0, 0.0, 0.0, -4.0, -4.0];
    assert_eq!(biases(Cell::Lstm, 2, &start), want);
    assert_eq!(biases(Cell::MinLstm, 2, &start)[..3], [-1.0, -3.0, 0.0]);
    // A cell without such gates is left alone; an initialiser that doesn't fit is refused.
    assert_eq!(biases(Cell::Gru, 1, &start), [0.0; 3]);
    let start = Initialisation {
        gate_biases: GateBiases {
            f: Some(Init::Orthogonal { gain: 1.0 }),
            ..GateBiases::default()
        },
        ..Initialisation::default()
    };
    let error = Layer::new("", Cell::Lstm, 2, 3).check(&start).unwrap_err();
    assert!(error.starts_with("the bias of gate f: Orthogonal"), "{error}");
}

#[test]
fn chrono_biases_are_logarithms_of_times() {
    let hidden = 400;
    let start = Initialisation {
        bias: Init::Zero,
        chrono: Some(100.0),
        ..Initialisation::default()
    };
    let sums = biases(Cell::Lstm, hidden, &start);
    let [i, f] = [0, 1].map(|k| &sums[k * hidden..(k + 1) * hidden]);
    assert!(sums[2 * hidden..].iter().all(|&b| b == 0.0));
    assert!(i.iter().zip(f).all(|(i, f)| *i == -f));
    let times: Vec<f64> = f.iter().map(|&f| Real::exp(f)).collect();
    // Uniform in 1 … 99: the mean is 50, its standard error 98/√(12·400) = 1.4.
    assert!(times.iter().all(|t| (1.0..99.0).contains(t)));
    let mean = times.iter().sum::<f64>() / hidden as f64;
    assert!((mean - 50.0).abs() < 5.0 * 1.4, "{mean}");
    assert!(times.iter().any(|&t| t < 4.0) && times.iter().any(|&t| t > 96.0));
    // A forget gate alone gets its half of it; an explicit forget bias wins.
    let of_janet = biases(Cell::Janet, hidden, &start);
    assert_eq!(&of_janet[..hidden], f);
    let explicit = Initialisation { forget_bias: Some(1.0), ..start };
    assert!(biases(Cell::Janet, 2, &explicit)[..2].iter().all(|&b| b == 1.0));
    for chrono in [1.5, f64::NAN, f64::INFINITY] {
        let start = Initialisation { chrono: Some(chrono), ..start };
        let error = Layer::new("", Cell::Lstm, 2, 3).check(&start).unwrap_err();
        assert!(error.contains("not a time of 2 or more"), "{error}");
    }
}

/// What recorded runs were written with reads as it did, and writes as it did.
#[test]
fn an_initialisation_without_gate_biases_is_written_without_them() {
    let json = serde_json::to_string(&Initialisation::default()).unwrap();
    let want = r#"{"input":"uniform","recurrent":"uniform","bias":"uniform","peephole":"uniform","forget_bias":null}"#;
    assert_eq!(json, want);
    let start = Initialisation {
        gate_biases: GateBiases {
            o: Some(Init::Progression { first: -1.0, step: -1.0 }),
            ..GateBiases::default()
        },
        chrono: Some(750.0),
        ..Initialisation::default()
    };
    let json = serde_json::to_string(&start).unwrap();
    let tail = r#""gate_biases":{"o":{"progression":{"first":-1.0,"step":-1.0}}},"chrono":750.0}"#;
    assert!(json.ends_with(tail), "{json}");
    assert_eq!(serde_json::from_str::<Initialisation>(&json).unwrap(), start);
}
