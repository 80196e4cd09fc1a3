//! What a step and an unrolling take and give, and how large networks are.

use longlag_autodiff::Tape;
use longlag_cells::init::Init;
use longlag_cells::{
    Cell, Initialisation, Layer, Network, RecurrentCell, State,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, product};
use ndarray::Array2;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

const T: usize = 4;
const B: usize = 2;
const I: usize = 3;
const H: usize = 5;

fn normal(rows: usize, cols: usize, purpose: &str) -> Array2<f64> {
    let mut draw = Rng::new(1).stream(purpose);
    Array2::from_shape_simple_fn((rows, cols), || draw.normal())
}

fn layer(cell: Cell, start: &Initialisation) -> (Layer, Parameters<f64>) {
    let layer = Layer::new("", cell, I, H);
    let mut parameters = Parameters::default();
    layer.push_parameters(&mut parameters, start, &Rng::new(1));
    (layer, parameters)
}

/// The values of a state.
fn values(s: State<longlag_autodiff::Var<'_, f64>>) -> State<Array2<f64>> {
    s.map(|s| s.value())
}

#[test]
fn an_unrolling_is_step_after_step() {
    for cell in Cell::ALL {
        let (layer, parameters) = layer(cell, &Initialisation::default());
        let tape = Tape::new();
        let w = layer.weights(&tape.bind(&parameters));
        let x = tape.constant(&normal(T * B, I, "x").view());
        let h = tape.leaf(&normal(B, H, "h").view());
        let start = State {
            h,
            c: cell.has_c().then(|| tape.leaf(&normal(B, H, "c").view())),
        };

        let mut seen = Vec::new();
        let last = layer
            .unroll(&w, x, start, |t, state| seen.push((t, values(state))));
        let kept = layer.states(&w, x, start);

        assert_eq!(
            seen.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_eq!(kept.len(), T + 1);
        assert_eq!(values(kept[0]), values(start));
        let mut state = start;
        for (t, (_, seen)) in seen.iter().enumerate() {
            state = cell.step(&w, x.rows(t * B..(t + 1) * B), state);
            assert_eq!(*seen, values(state), "{cell}, step {}", t + 1);
            assert_eq!(*seen, values(kept[t + 1]), "{cell}, step {}", t + 1);
            assert_eq!(seen.h.dim(), (B, H));
        }
        assert_eq!(values(last), values(state));
    }
}

#[test]
fn a_network_reads_out_the_last_state_from_zero() {
    for cell in Cell::ALL {
        let network = Network::new(cell, I, H, 2);
        let parameters =
            network.parameters::<f64>(&Initialisation::default(), &Rng::new(1));
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.constant(&normal(T * B, I, "x").view());
        let mut seen = Vec::new();
        let y = network.unroll(&bound, x, B, |t, state| seen.push((t, state)));
        assert_eq!(
            seen.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        let zero = Array2::zeros((B, H));
        assert_eq!(
            values(seen[0].1),
            State { c: cell.has_c().then(|| zero.clone()), h: zero }
        );
        let mut want =
            parameters.view("head.bias").broadcast((B, 2)).unwrap().to_owned();
        let (h, w) = (seen[T].1.h.value(), parameters.view("head.weight"));
        product::reference(h.view(), w.reversed_axes(), want.view_mut(), true);
        assert_eq!(y.value(), want, "{cell}");
        // By the fused kernel to rounding: a sum of a hundred terms at most.
        let fused = network.apply(&bound, x, B).value();
        let apart = (&fused - &want).fold(0.0, |m: f64, x| m.max(x.abs()));
        assert!(apart < 1e-14, "{cell}: {apart:e}");
    }
}

/// The message and the file of the panic in `f`.
fn panic_of(f: impl FnOnce()) -> (String, String) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static SEEN: Mutex<Option<(String, String)>> = Mutex::new(None);
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or_default().to_string();
        *SEEN.lock().unwrap() =
            Some((text, info.location().unwrap().file().to_string()));
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(old);
    assert!(result.is_err(), "it did not panic");
    SEEN.lock().unwrap().take().unwrap()
}

/// Unrolls the cell over an input and from a state of the given shapes; it must panic here, with `parts` in
/// the message.
#[track_caller]
fn check_panic(
    cell: Cell,
    x: [usize; 2],
    h: [usize; 2],
    c: Option<[usize; 2]>,
    parts: &[&str],
) {
    let (text, file) = panic_of(|| {
        let (layer, parameters) = layer(cell, &Initialisation::default());
        let tape = Tape::new();
        let w = layer.weights(&tape.bind(&parameters));
        let zeros = |[rows, cols]: [usize; 2]| tape.zeros(rows, cols);
        layer.states(&w, zeros(x), State { h: zeros(h), c: c.map(zeros) });
    });
    assert!(
        file.ends_with("tests/unroll.rs"),
        "{text}: the panic points to {file}"
    );
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
}

#[test]
fn a_wrong_shape_panics_at_the_callers_line_and_is_named() {
    for cell in Cell::ALL {
        let c = |shape| cell.has_c().then_some(shape);
        check_panic(
            cell,
            [5, I],
            [B, H],
            c([B, H]),
            &["unroll", "5 rows", "2 sequences"],
        );
        check_panic(
            cell,
            [T * B, I + 1],
            [B, H],
            c([B, H]),
            &["affine", "(2, 4)", &format!("{I})")],
        );
        // PyTorch's GRU in one block of rows for r and z, one for n; the others all in one.
        let affine: &[&str] = &["affine", "(2, 6)", "5)"];
        check_panic(cell, [T * B, I], [B, H + 1], c([B, H + 1]), affine);
    }
    check_panic(
        Cell::Lstm,
        [T * B, I],
        [B, H],
        Some([1, H]),
        &["LSTM", "[2, 5]", "[1, 5]"],
    );
}

#[test]
fn a_missing_or_needless_c_panics() {
    for cell in Cell::ALL {
        let c = (!cell.has_c()).then_some([B, H]);
        check_panic(cell, [T * B, I], [B, H], c, &[cell.name(), "state c"]);
    }
}

#[test]
fn the_size_of_a_network_is_that_of_its_parameters() {
    for cell in Cell::ALL {
        for [input, hidden, output] in [[1, 1, 1], [1, 7, 10], [28, 13, 3]] {
            let network = Network::new(cell, input, hidden, output);
            let parameters = network
                .parameters::<f32>(&Initialisation::default(), &Rng::new(1));
            assert_eq!(network.size(), parameters.values.len(), "{cell}");
        }
    }
}

#[test]
fn no_other_hidden_size_comes_nearer_to_a_wanted_size() {
    for cell in Cell::ALL {
        for size in [1, 100, 999, 5000, 20_000] {
            let found = Network::of_size(cell, 1, 10, size);
            let off = |hidden| {
                Network::new(cell, 1, hidden, 10).size().abs_diff(size)
            };
            let hidden = found.layer.hidden;
            assert!(
                off(hidden) <= off(hidden + 1),
                "{cell}, {size}: {hidden} is too small"
            );
            assert!(
                hidden == 1 || off(hidden) <= off(hidden - 1),
                "{cell}, {size}: {hidden} is too large"
            );
        }
    }
}

#[test]
fn the_forget_bias_is_that_of_the_f_block_alone() {
    let start =
        Initialisation { forget_bias: Some(1.0), ..Initialisation::default() };
    for cell in Cell::ALL {
        let (_, plain) = layer(cell, &Initialisation::default());
        let (_, biased) = layer(cell, &start);
        let sum =
            |p: &Parameters<f64>| &p.view("bias_ih_l0") + &p.view("bias_hh_l0");
        for (k, (&biased, &plain)) in
            sum(&biased).iter().zip(&sum(&plain)).enumerate()
        {
            let gate = cell.gates()[k / H];
            let want = if gate == "f" { 1.0 } else { plain };
            assert_eq!(biased, want, "{cell}, gate {gate}, unit {}", k % H);
        }
        for name in ["weight_ih_l0", "weight_hh_l0"] {
            assert_eq!(biased.view(name), plain.view(name));
        }
    }
}

/// With zero weights and a zero input, nothing is written and c_1 = σ(1) c_0.
#[test]
fn the_forget_bias_decides_how_much_of_c_stays() {
    let zero = Initialisation {
        input: Init::Zero,
        recurrent: Init::Zero,
        bias: Init::Zero,
        forget_bias: Some(1.0),
        ..Initialisation::default()
    };
    let (layer, parameters) = layer(Cell::Lstm, &zero);
    let tape = Tape::new();
    let w = layer.weights(&tape.bind(&parameters));
    let c = normal(B, H, "c");
    let start = State { h: tape.zeros(B, H), c: Some(tape.leaf(&c.view())) };
    let state = layer.cell.step(&w, tape.zeros(B, I), start);
    assert_eq!(state.c.unwrap().value(), c.mapv(|c| Real::sigmoid(1.0) * c));
}

/// As in PyTorch: at a sum of exactly 0, nothing flows back.
#[test]
fn the_rectifier_has_slope_0_at_0() {
    let zero = Initialisation {
        input: Init::Zero,
        recurrent: Init::Zero,
        bias: Init::Zero,
        ..Initialisation::default()
    };
    let (layer, parameters) = layer(Cell::RnnRelu, &zero);
    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let start = layer.zero_state(&tape, B);
    let state = layer.cell.step(
        &layer.weights(&bound),
        tape.constant(&normal(B, I, "x").view()),
        start,
    );
    assert_eq!(state.h.value(), Array2::<f64>::zeros((B, H)));
    let grads = state.h.sum().backward();
    assert_eq!(grads.of(state.h), Array2::<f64>::ones((B, H)));
    assert!(grads.of_parameters(&bound).iter().all(|&g| g == 0.0));
}
