//! The fused kernels against the composed step, and against themselves.

use longlag_autodiff::{Tape, Var};
use longlag_cells::{
    Cell, Forget, Initialisation, Layer, LstmParts, SequenceRequest, State,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};
use ndarray::Array2;

fn variants() -> Vec<Cell> {
    let mut all = Vec::new();
    for input_gate in [true, false] {
        for forget in [Forget::Gate, Forget::Never, Forget::Coupled] {
            for output_gate in [true, false] {
                for (input_activation, output_activation) in [(true, true), (false, true), (true, false)] {
                    for peepholes in [false, true] {
                        all.push(Cell::LstmVariant(LstmParts {
                            input_gate,
                            forget,
                            output_gate,
                            input_activation,
                            output_activation,
                            peepholes,
                        }));
                    }
                }
            }
        }
    }
    all
}

fn cells() -> Vec<Cell> {
    Cell::ALL.into_iter().chain(variants()).collect()
}

fn normal<T: Scalar>(rows: usize, cols: usize, purpose: &str) -> Array2<T> {
    let mut draw = Rng::new(1).stream(purpose);
    Array2::from_shape_simple_fn((rows, cols), || T::of(draw.normal()))
}

/// Values and gradients of everything.
struct Outcome {
    names: Vec<&'static str>,
    values: Vec<Array2<f64>>,
}

fn run<T: Float + Scalar>(
    cell: Cell,
    [steps, batch, input, hidden]: [usize; 4],
    lengths: Option<&[usize]>,
    fused: bool,
) -> Outcome {
    let layer = Layer::new("", cell, input, hidden);
    let mut parameters = Parameters::<T>::default();
    layer.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(7));
    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let w = layer.weights(&bound);
    let x = tape.leaf(&normal(steps * batch, input, "x").view());
    let start = State {
        h: tape.leaf(&normal(batch, hidden, "h").view()),
        c: cell.has_c().then(|| tape.leaf(&normal(batch, hidden, "c").view())),
    };
    let length = |b: usize| lengths.map_or(steps, |l| l[b]);
    let (h, c, last): (Vec<Var<T>>, Vec<Var<T>>, State<Var<T>>);
    if fused {
        let row = lengths.map(|l| {
            let row: Vec<T> = l.iter().map(|&n| T::of(n as f64)).collect();
            tape.constant(&Array2::from_shape_vec((1, batch), row).unwrap().view())
        });
        let request = SequenceRequest { all_c: true, lengths: row, floor: Some(0.0) };
        let s = layer.sequence_with(&w, x, start, request);
        h = (0..steps).map(|t| s.h.rows(t * batch..(t + 1) * batch)).collect();
        c = s.c.map_or(vec![], |c| (0..steps).map(|t| c.rows(t * batch..(t + 1) * batch)).collect());
        last = s.last;
    } else {
        let states = layer.states(&w, x, start);
        h = states[1..].iter().map(|s| s.h).collect();
        c = states[1..].iter().filter_map(|s| s.c).collect();
        let hs: Vec<_> = (0..batch).map(|b| states[length(b)].h.rows(b..b + 1)).collect();
        let cs: Vec<_> = (0..batch).filter_map(|b| states[length(b)].c.map(|c| c.rows(b..b + 1))).collect();
        last = State { h: tape.stack(&hs), c: (!cs.is_empty()).then(|| tape.stack(&cs)) };
    }
    // Σ of weights times states, only of the steps that there are.
    let mut loss = (last.h * tape.constant(&normal(batch, hidden, "last h").view())).sum();
    if let Some(c) = last.c {
        loss = loss + (c * tape.constant(&normal(batch, hidden, "last c").view())).sum();
    }
    let mask = |t: usize, purpose: String| {
        let mut w = normal::<T>(batch, hidden, &purpose);
        for b in (0..batch).filter(|&b| length(b) <= t) {
            w.row_mut(b).fill(T::of(0.0));
        }
        w
    };
    for (t, h) in h.iter().enumerate() {
        let w = mask(t, format!("h {t}"));
        loss = loss + (*h * tape.constant(&w.view())).sum();
    }
    for (t, c) in c.iter().enumerate() {
        let w = mask(t, format!("c {t}"));
        loss = loss + (*c * tape.constant(&w.view())).sum();
    }
    let grads = loss.backward();
    let f = |a: Array2<T>| a.mapv(|v| v.to_f64());
    let (mut names, mut values) = (vec![], vec![]);
    let mut push = |name, a: Array2<T>| {
        names.push(name);
        values.push(f(a));
    };
    let gap = |t: usize, mut a: Array2<T>| {
        for b in (0..batch).filter(|&b| length(b) <= t) {
            a.row_mut(b).fill(T::of(0.0));
        }
        a
    };
    for (t, &h) in h.iter().enumerate() {
        push("h", gap(t, h.value()));
        push("d_h", gap(t, grads.of(h).to_owned()));
    }
    for (t, &c) in c.iter().enumerate() {
        push("c", gap(t, c.value()));
        push("d_c", gap(t, grads.of(c).to_owned()));
    }
    push("last h", last.h.value());
    push("d_x", grads.of(x).to_owned());
    push("d_h0", grads.of(start.h).to_owned());
    if let Some(c) = start.c {
        push("d_c0", grads.of(c).to_owned());
    }
    push("d_w_ih", grads.of(w.w_ih).to_owned());
    push("d_w_hh", grads.of(w.w_hh).to_owned());
    push("d_b_ih", grads.of(w.b_ih).to_owned());
    push("d_b_hh", grads.of(w.b_hh).to_owned());
    if let Some(p) = w.peephole {
        push("d_peephole", grads.of(p).to_owned());
    }
    Outcome { names, values }
}

fn compare(cell: Cell, shape: [usize; 4], lengths: Option<&[usize]>) -> f64 {
    let (a, b) = (run::<f64>(cell, shape, lengths, true), run::<f64>(cell, shape, lengths, false));
    assert_eq!(a.names, b.names);
    let mut worst = 0.0;
    for ((name, a), b) in a.names.iter().zip(&a.values).zip(&b.values) {
        // With rows of different lengths, ∂L/∂h_t of the composed network has what comes from `last` elsewhere.
        if lengths.is_some() && name.starts_with("d_h") && *name == "d_h" || lengths.is_some() && *name == "d_c" {
            continue;
        }
        let scale = b.iter().fold(1e-300_f64, |m, v| m.max(v.abs()));
        for (x, y) in a.iter().zip(b) {
            let error = (x - y).abs() / scale;
            assert!(error < 1e-12, "{cell:?} {shape:?} {lengths:?}: {name}: {x} and {y}, scale {scale}");
            worst = f64::max(worst, error);
        }
    }
    worst
}

#[test]
fn fused_is_composed() {
    for cell in cells() {
        for shape in [[1, 1, 1, 1], [4, 3, 2, 5], [7, 2, 40, 17], [3, 17, 1, 20]] {
            let worst = compare(cell, shape, None);
            println!("{cell:?} {shape:?} {worst:e}");
        }
        compare(cell, [6, 4, 2, 5], Some(&[6, 4, 4, 1]));
        compare(cell, [6, 5, 33, 5], Some(&[2, 6, 1, 1, 5]));
    }
}
