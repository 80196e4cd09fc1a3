//! The fused kernels against the composed step, and against themselves.

mod sequence_check;

use longlag_autodiff::{Tape, Var};
use longlag_cells::{
    Cell, Forget, GRADIENT_FLOOR, Lengths, RecurrentCell, Sequence,
    SequenceGradients, SequenceInputs, SequenceOptions, SequenceRequest,
    SequenceShape, SequenceStates, State,
};
use ndarray::{Array2, Axis};
use sequence_check::*;

/// Of the largest entry of an array. In f64 both sides sum in another order, and neither is exact: a thousand
/// roundings of 2⁻⁵³ that all add up.
const TOLERANCE: f64 = 1e-13;
/// In f32, whose weights and inputs are computed with in f64 on the other side: sixteen roundings of 2⁻²⁴ that
/// all add up. Of the largest entry, or of 1 or the largest state if they are larger: a slope 1 − y² is known to
/// 2⁻²⁴ of 1, not of itself, and a state that grew is known to 2⁻²⁴ of its largest value.
const SINGLE_TOLERANCE: f64 = 1e-6;

#[track_caller]
fn check_near(
    case: &Case,
    got: &Outcome,
    want: &Outcome,
    tolerance: f64,
    least: f64,
) {
    let names = |o: &Outcome| o.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(want));
    for (name, want) in want {
        let most = want.iter().fold(least, |most: f64, x| most.max(x.abs()));
        for ((at, got), want) in got[name].indexed_iter().zip(want) {
            assert!(
                (got - want).abs() <= tolerance * most,
                "{:?} {:?} {:?}: {name} at {at:?}: {got:e}, not {want:e}",
                case.cell,
                case.shape,
                case.lengths
            );
        }
    }
}

/// Whether it is ∂L/∂h_t or ∂L/∂c_t: "d h 3".
fn is_state_gradient(name: &str) -> bool {
    name.starts_with("d h ") || name.starts_with("d c ")
}

/// The kernel gives what the composed step gives, and that is what an unrolling gives.
#[track_caller]
fn check_composed(case: &Case) {
    let (got, mut want) =
        (case.run::<f64>(Way::Fused), case.run::<f64>(Way::Unrolled));
    check_near(case, &got, &want, TOLERANCE, 0.0);
    // What goes from step to step doesn't pass through the matrix of all states there.
    let mut composed = case.run::<f64>(Way::Composed);
    for outcome in [&mut composed, &mut want] {
        outcome.retain(|name, _| !is_state_gradient(name));
    }
    check_near(case, &composed, &want, TOLERANCE, 0.0);
}

fn cells() -> Vec<Cell> {
    plain_cells().into_iter().chain(variants()).collect()
}

/// H below, at and above a segment, one panel and more; few inputs and many; one row and more than two parts.
const SHAPES: [[usize; 4]; 6] = [
    [1, 1, 1, 1],
    [4, 3, 2, 5],
    [3, 17, 1, 16],
    [7, 2, 40, 17],
    [5, 35, 3, 33],
    [12, 1, 33, 70],
];

#[test]
fn the_kernels_compute_what_the_composed_step_does() {
    for cell in cells() {
        for shape in SHAPES {
            let case = Case::new(cell, shape);
            check_composed(&case);
        }
    }
}

#[test]
fn weights_that_are_not_small_have_one_part() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::GruResetBefore, Cell::RnnTanh] {
        let hidden = if cell == Cell::RnnTanh { 410 } else { 210 };
        for lengths in [None, Some(&[3, 1, 2, 3, 3, 1, 2][..])] {
            let case = Case { lengths, ..Case::new(cell, [3, 7, 34, hidden]) };
            check_composed(&case);
        }
    }
}

#[test]
fn in_f32_too() {
    // Variants whose c can grow without bound lose digits where large numbers cancel; f64 checks them.
    let bounded = |cell: &Cell| match cell {
        Cell::LstmVariant(parts) => {
            parts.input_activation && parts.forget != Forget::Never
        }
        _ => true,
    };
    for cell in cells().into_iter().filter(bounded) {
        for shape in SHAPES {
            let case = Case::new(cell, shape);
            let want = case.run::<f64>(Way::Unrolled);
            let states =
                want.iter().filter(|(name, _)| !name.starts_with("d "));
            let entries = states.flat_map(|(_, states)| states);
            let least = entries.fold(1.0, |most: f64, x| most.max(x.abs()));
            let got = case.run::<f32>(Way::Fused);
            check_near(&case, &got, &want, SINGLE_TOLERANCE, least);
        }
    }
}

#[test]
fn rows_of_different_lengths() {
    let sorted: &[usize] = &[6, 4, 4, 2, 1];
    let mixed: &[usize] = &[2, 6, 1, 1, 5];
    for cell in cells() {
        for lengths in [sorted, mixed] {
            for (input, hidden) in [(2, 5), (33, 18)] {
                let case = Case {
                    lengths: Some(lengths),
                    ..Case::new(cell, [6, 5, input, hidden])
                };
                check_composed(&case);
            }
        }
    }
}

/// What a row holds behind its end is nobody's business.
#[test]
fn behind_its_end_a_row_is_not_read_and_its_states_are_zero() {
    let (steps, batch, input, hidden) = (5, 3, 2, 4);
    let lengths = [5, 2, 3];
    for cell in cells() {
        let (layer, parameters) = layer::<f64>(cell, input, hidden);
        let run = |garbage: f64| {
            let mut x = normal(steps * batch, input, "x");
            for (t, b) in
                (0..steps).flat_map(|t| (0..batch).map(move |b| (t, b)))
            {
                if lengths[b] <= t {
                    x.row_mut(t * batch + b).fill(garbage);
                }
            }
            let tape = Tape::new();
            let bound = tape.bind(&parameters);
            let x = tape.leaf(&x.view());
            let request = SequenceRequest {
                lengths: Some(&lengths),
                all_c: true,
                floor: None,
            };
            let w = layer.weights(&bound);
            let s = layer.sequence_with(
                &w,
                x,
                layer.zero_state(&tape, batch),
                request,
            );
            // The gradient that comes to states behind the end is not read either.
            let loss = (s.h * s.h).sum() + s.h.sum() + s.last.h.sum();
            let grads = loss.backward();
            let d = grads.of_parameters(&bound).to_vec();
            let (d_x, h) = (grads.of(x).to_owned(), s.h.value());
            (h, s.c.map(|c| c.value()), s.last.h.value(), d, d_x)
        };
        let (one, other) = (run(0.0), run(f64::NAN));
        assert_eq!(one, other, "{cell:?}");
        for (t, b) in (0..steps).flat_map(|t| (0..batch).map(move |b| (t, b))) {
            let row = t * batch + b;
            if lengths[b] <= t {
                assert!(one.0.row(row).iter().all(|h| *h == 0.0));
                assert!(
                    one.1.iter().all(|c| c.row(row).iter().all(|c| *c == 0.0))
                );
                assert!(one.4.row(row).iter().all(|d| *d == 0.0));
            } else if lengths[b] == t + 1 {
                assert_eq!(one.0.row(row), one.2.row(b));
            }
        }
    }
}

/// A batch is its rows: what a row gives doesn't depend on which others there are.
#[test]
fn a_row_is_computed_alone() {
    let (steps, batch, input, hidden) = (4, 7, 2, 19);
    for cell in some_cells() {
        let (layer, parameters) = layer::<f32>(cell, input, hidden);
        let x = normal::<f32>(steps * batch, input, "x");
        let run = |rows: &[usize]| {
            let chosen: Vec<usize> = (0..steps)
                .flat_map(|t| rows.iter().map(move |b| t * batch + b))
                .collect();
            let tape = Tape::new();
            let w = layer.weights(&tape.bind(&parameters));
            let x = tape.constant(&x.select(Axis(0), &chosen).view());
            layer
                .sequence(&w, x, layer.zero_state(&tape, rows.len()))
                .last
                .h
                .value()
        };
        let all = run(&[0, 1, 2, 3, 4, 5, 6]);
        for b in 0..batch {
            assert_eq!(all.row(b), run(&[b]).row(0), "{cell:?}");
        }
        assert_eq!(all.row(3), run(&[5, 3]).row(1), "{cell:?}");
    }
}

/// Without the tape, and with nothing kept, the states are the same bits.
#[test]
fn a_sequence_needs_no_tape_and_may_keep_nothing() {
    let (steps, batch, input, hidden) = (6, 3, 40, 20);
    let shape = SequenceShape { steps, batch, input, hidden };
    for cell in cells() {
        let (layer, parameters) = layer::<f32>(cell, input, hidden);
        let x = normal::<f32>(steps * batch, input, "x");
        let (h_0, c_0) =
            (normal(batch, hidden, "h"), normal(batch, hidden, "c"));
        let has_c = cell.has_c();

        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let start = State {
            h: tape.leaf(&h_0.view()),
            c: has_c.then(|| tape.leaf(&c_0.view())),
        };
        let x_var = tape.leaf(&x.view());
        let states = layer.sequence(&layer.weights(&bound), x_var, start);
        let loss = (states.h * states.h).sum() + states.last.h.sum();
        let grads = loss.backward();

        let inputs = SequenceInputs {
            weights: layer.views(&parameters),
            x: x.view(),
            start: State { h: h_0.view(), c: has_c.then(|| c_0.view()) },
            lengths: Lengths::Full,
        };
        for backward in [true, false] {
            let options =
                SequenceOptions { backward, ..SequenceOptions::default() };
            let mut sequence = Sequence::<f32>::new(cell, shape, options);
            let zeros = |rows| Array2::<f32>::zeros((rows, hidden));
            let (mut h, mut c, mut last_h, mut last_c) = (
                zeros(steps * batch),
                zeros(steps * batch),
                zeros(batch),
                zeros(batch),
            );
            sequence.forward(
                &inputs,
                SequenceStates {
                    h: h.view_mut(),
                    c: has_c.then(|| c.view_mut()),
                    last: State {
                        h: last_h.view_mut(),
                        c: has_c.then(|| last_c.view_mut()),
                    },
                },
            );
            assert_eq!(h, states.h.value(), "{cell:?}");
            assert_eq!(last_h, states.last.h.value(), "{cell:?}");
            assert_eq!(
                has_c.then_some(last_c),
                states.last.c.map(|c| c.value()),
                "{cell:?}"
            );
            if has_c {
                let end = c.slice_axis(Axis(0), ((steps - 1) * batch..).into());
                assert_eq!(end, states.last.c.unwrap().value());
            }
            if !backward {
                continue;
            }
            let mut d_h = h.mapv(|h| h + h);
            let (mut d_last_h, mut d_last_c) =
                (Array2::ones((batch, hidden)), zeros(batch));
            let mut d = parameters.map(|_| 0.0);
            let mut d_x = Array2::zeros((steps * batch, input));
            let (mut d_h_0, mut d_c_0) = (zeros(batch), zeros(batch));
            sequence.backward(
                &inputs,
                h.view(),
                SequenceStates {
                    h: d_h.view_mut(),
                    c: None,
                    last: State {
                        h: d_last_h.view_mut(),
                        c: has_c.then(|| d_last_c.view_mut()),
                    },
                },
                layer.views_mut(&mut d),
                SequenceGradients {
                    x: Some(d_x.view_mut()),
                    start: Some(State {
                        h: d_h_0.view_mut(),
                        c: has_c.then(|| d_c_0.view_mut()),
                    }),
                },
            );
            let of = |v: Var<'_, f32>| grads.of(v).to_owned();
            assert_eq!(d_h, of(states.h), "{cell:?}");
            assert_eq!(d_x, of(x_var), "{cell:?}");
            assert_eq!(d_h_0, of(start.h), "{cell:?}");
            let of_parameters = grads.of_parameters(&bound);
            assert_eq!(d.values, of_parameters, "{cell:?}");
            assert_eq!(has_c.then_some(d_c_0), start.c.map(of), "{cell:?}");
        }
    }
}

/// Going back twice over one recording gives the same gradients: the first time leaves what was kept alone.
#[test]
fn the_way_back_can_be_walked_again() {
    for cell in cells() {
        let (layer, parameters) = layer::<f64>(cell, 2, 9);
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.leaf(&normal(8, 2, "x").view());
        let states = layer.sequence(
            &layer.weights(&bound),
            x,
            layer.zero_state(&tape, 2),
        );
        let loss = (states.h * states.h).sum();
        let first = loss.backward().of_parameters(&bound).to_vec();
        let again = loss.backward().of_parameters(&bound).to_vec();
        assert_eq!(first, again, "{cell:?}");
    }
}

/// The room of a tape is used again and again; what an earlier, broken step left there must not matter.
#[test]
fn what_the_room_held_before_does_not_matter() {
    for cell in cells() {
        let run = |tape: &mut Tape<f32>, [t, b, i, h]: [usize; 4], x: f32| {
            tape.reset();
            let (layer, parameters) = layer::<f32>(cell, i, h);
            let bound = tape.bind(&parameters);
            let mut input = normal::<f32>(t * b, i, "x");
            input.mapv_inplace(|v| v * x);
            let x = tape.leaf(&input.view());
            let w = layer.weights(&bound);
            let states = layer.sequence(&w, x, layer.zero_state(tape, b));
            let grads = (states.h * states.h).sum().backward();
            let d = grads.of_parameters(&bound).iter().map(|d| d.to_bits());
            d.collect::<Vec<_>>()
        };
        for shape in [[3, 2, 2, 5], [4, 17, 33, 21]] {
            let (mut fresh, mut used) = (Tape::new(), Tape::new());
            run(&mut used, [6, 20, 34, 30], f32::NAN);
            let want = run(&mut fresh, shape, 1.0);
            assert_eq!(run(&mut used, shape, 1.0), want, "{cell:?} {shape:?}");
        }
    }
}

/// The sequence of a network whose gradient vanishes: the loss is on the last step.
fn vanishing(cell: Cell, floor: f64) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (steps, batch, hidden) = (60, 2, 20);
    let (layer, mut parameters) = layer::<f32>(cell, 1, hidden);
    parameters.view_mut(&layer.names.w_hh).iter_mut().for_each(|w| *w *= 0.1);
    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let x = tape.constant(&normal(steps * batch, 1, "x").view());
    let request =
        SequenceRequest { floor: Some(floor), ..SequenceRequest::default() };
    let w = layer.weights(&bound);
    let states =
        layer.sequence_with(&w, x, layer.zero_state(&tape, batch), request);
    let grads = states.last.h.sum().backward();
    let d_h = (0..steps).map(|t| {
        grads
            .of(states.h.rows(t * batch..(t + 1) * batch))
            .iter()
            .copied()
            .collect()
    });
    (grads.of_parameters(&bound).to_vec(), d_h.collect())
}

/// Small gradients become 0, and no other bit changes.
#[test]
fn gradients_above_the_floor_keep_their_bits() {
    for cell in [
        Cell::RnnTanh,
        Cell::RnnRelu,
        Cell::Lstm,
        Cell::Gru,
        Cell::GruResetBefore,
    ] {
        let (weights, all) = vanishing(cell, 0.0);
        let (floored_weights, floored) = vanishing(cell, GRADIENT_FLOOR);
        let (mut kept, mut subnormal) = (0, 0);
        for (d, with) in all.iter().flatten().zip(floored.iter().flatten()) {
            subnormal += usize::from(*d != 0.0 && d.abs() < f32::MIN_POSITIVE);
            let above = f64::from(d.abs()) >= 2.0 * GRADIENT_FLOOR;
            kept += usize::from(above);
            if above {
                // What is a sum of large parts and of one below the floor may lose that part.
                let near = (d - with).abs() <= 4.0 * GRADIENT_FLOOR as f32;
                assert!(
                    d.to_bits() == with.to_bits() || near,
                    "{cell}: {d:e} became {with:e}"
                );
            }
            assert!(
                *with == 0.0 || f64::from(with.abs()) >= GRADIENT_FLOOR,
                "{cell}: {with:e}"
            );
        }
        assert_eq!(
            weights, floored_weights,
            "{cell}: the gradient of the weights"
        );
        assert!(kept > 0, "{cell}: no gradient is above the floor");
        if cell == Cell::RnnTanh {
            assert!(subnormal > 0, "nothing vanished");
        }
    }
}

#[test]
fn what_a_sequence_is_asked_for_must_fit() {
    let check = |what: &str, f: &dyn Fn()| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        let text = *caught
            .expect_err("it did not panic")
            .downcast::<String>()
            .unwrap();
        assert!(text.contains(what), "`{what}` is not in `{text}`");
    };
    let sequence = |x: [usize; 2],
                    h: [usize; 2],
                    lengths: Option<Vec<usize>>| {
        let (layer, parameters) = layer::<f64>(Cell::Gru, 2, 3);
        let tape = Tape::new();
        let w = layer.weights(&tape.bind(&parameters));
        let lengths = lengths.as_deref();
        let request = SequenceRequest { lengths, ..SequenceRequest::default() };
        let zeros = |[rows, cols]: [usize; 2]| tape.zeros(rows, cols);
        let start = State { h: zeros(h), c: None };
        layer.sequence_with(&w, zeros(x), start, request);
    };
    sequence([6, 2], [2, 3], Some(vec![3, 1]));
    check("5 rows are no whole number of steps of 2 sequences", &|| {
        sequence([5, 2], [2, 3], None)
    });
    check("w_ih is (9, 2), and (9, 4) is needed", &|| {
        sequence([6, 4], [2, 3], None)
    });
    check("w_ih is (9, 2), and (12, 2) is needed", &|| {
        sequence([6, 2], [2, 4], None)
    });
    check("3 lengths for 2 sequences", &|| {
        sequence([6, 2], [2, 3], Some(vec![1; 3]))
    });
    check("sequence 1 has length 4, not 1 to 3", &|| {
        sequence([6, 2], [2, 3], Some(vec![1, 4]))
    });
    check("sequence 0 has length 0, not 1 to 3", &|| {
        sequence([6, 2], [2, 3], Some(vec![0, 3]))
    });
}
