//! The losses against values by hand, their definitions, duals and differences. `longlag conform` has PyTorch's
//! results.

use longlag_autodiff::check::{self, Function};
use longlag_autodiff::{Dual, Tape, Var};
use longlag_cells::{Cell, Initialisation, Layer};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar};
use longlag_train::{
    CrossEntropy, Ctc, Reduction, bce_with_logits, cross_entropy, mse, omega,
    one_hot,
};
use ndarray::{Array2, ArrayView2, Axis, array};
use proptest::prelude::*;

#[test]
fn mse_is_the_mean_over_all_entries() {
    let tape = Tape::<f64>::new();
    let prediction = tape.leaf(&array![[1.0, 2.0], [3.0, 4.0]].view());
    let target = tape.constant(&array![[1.0, 4.0], [0.0, 5.0]].view());
    let loss = mse(prediction, target);
    // (0 + 4 + 9 + 1) / 4, with gradient 2 (prediction − target) / 4.
    assert_eq!(loss.item(), 3.5);
    assert_eq!(
        loss.backward().of(prediction),
        array![[0.0, -1.0], [1.5, -0.5]]
    );
}

#[test]
fn cross_entropy_is_the_mean_over_the_rows_of_what_the_right_class_lacks() {
    let tape = Tape::<f64>::new();
    // The softmax of the logarithms of 1, 2, 5 is 1/8, 2/8, 5/8; of equal numbers, 1/3 each.
    let [zero, two, five] = [1.0, 2.0, 5.0].map(Real::ln);
    let logits = tape.leaf(&array![[zero, two, five], [7.0, 7.0, 7.0]].view());
    let loss = cross_entropy(logits, one_hot(&tape, [1, 0].into_iter(), 3));
    let want: f64 = (Real::ln(4.0) + Real::ln(3.0)) / 2.0;
    assert!(
        (loss.item() - want).abs() < 1e-15 * 4.0,
        "{} is not {want}",
        loss.item()
    );
    // (softmax − target) / B.
    let got = loss.backward().of(logits).to_owned();
    let third = 1.0 / 3.0;
    let want =
        array![[1.0 / 8.0, -6.0 / 8.0, 5.0 / 8.0], [third - 1.0, third, third]]
            / 2.0;
    let apart =
        (&got - &want).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // Numbers near 7 have roundings of 4·10⁻¹⁶.
    assert!(apart < 1e-15, "{got}");
}

/// No exponential overflows, and the loss of a sure and wrong answer is how sure it was.
#[test]
fn cross_entropy_bears_large_logits() {
    let tape = Tape::<f32>::new();
    let logits = tape.leaf(&array![[1e4, -1e4], [1e4, -1e4]].view());
    let loss = cross_entropy(logits, one_hot(&tape, [0, 1].into_iter(), 2));
    assert_eq!(loss.item(), 1e4);
    assert_eq!(loss.backward().of(logits), array![[0.0, 0.0], [0.5, -0.5]]);
}

/// At 0, where its formula has a corner in each of two terms; and far out, where an exponential would overflow.
#[test]
fn bce_with_logits_has_the_slope_of_its_definition_everywhere() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(&array![[0.0, -0.0, 800.0, -800.0, 1e-9]].view());
    let target = tape.constant(&array![[0.25, 1.0, 0.0, 1.0, 0.5]].view());
    let losses = bce_with_logits(x, target, None);
    let ln_2: f64 = Real::ln(2.0);
    let value = losses.value();
    for (got, want) in value.iter().zip([ln_2, ln_2, 800.0, 800.0, ln_2]) {
        assert!((got - want).abs() < 1e-15, "{got}");
    }
    // σ(x) − y.
    let grads = losses.sum().backward();
    for (got, want) in grads.of(x).iter().zip([0.25, -0.5, 1.0, -1.0, 2.5e-10])
    {
        assert!((got - want).abs() < 1e-16, "{got}");
    }
}

#[test]
fn gradients_agree_with_duals_and_differences() {
    struct Mse;
    impl Function for Mse {
        fn name(&self) -> &str {
            "mse"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            mse(x[0], x[1])
        }
    }
    struct Plain;
    impl Function for Plain {
        fn name(&self) -> &str {
            "cross_entropy"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            cross_entropy(x[0], x[1])
        }
    }
    struct Bce;
    impl Function for Bce {
        fn name(&self) -> &str {
            "bce_with_logits"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            bce_with_logits(x[0], x[1], Some(x[1].rows(1..2)))
        }
    }
    struct Smoothed;
    impl Function for Smoothed {
        fn name(&self) -> &str {
            "smoothed cross-entropy"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            let loss = CrossEntropy {
                class_weights: Some(&[0.5, 2.0, 1.0]),
                label_smoothing: 0.2,
                reduction: Reduction::None,
            };
            loss.of_distributions(x[0], x[1])
                + loss.of_labels(x[0], &[Some(2), None])
        }
    }
    let x = [
        array![[0.3, -1.2, 2.0], [0.1, 0.7, -0.4]],
        array![[0.2, 0.5, 0.3], [0.9, 0.0, 0.1]],
    ];
    for seed in 0..3 {
        check::gradient(&Mse, &x, seed).unwrap_or_else(|e| panic!("{e}"));
        check::gradient(&Bce, &x, seed).unwrap_or_else(|e| panic!("{e}"));
        check::gradient(&Smoothed, &x, seed).unwrap_or_else(|e| panic!("{e}"));
        check::gradient(&Plain, &x, seed).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn one_hot_has_a_one_in_each_row_and_forgets_what_was_there() {
    let mut tape = Tape::<f64>::new();
    tape.leaf(&Array2::from_elem((3, 4), 7.0).view());
    tape.reset();
    let target = one_hot(&tape, [2, 0, 3].into_iter(), 4).value();
    assert_eq!(
        target,
        array![
            [0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0]
        ]
    );
}

#[test]
#[should_panic(expected = "one_hot: the label 4 of 4 classes")]
fn one_hot_names_a_label_that_is_none() {
    one_hot(&Tape::<f64>::new(), [0, 4, 1].into_iter(), 4);
}

/// A target of one row would otherwise stretch.
#[test]
#[should_panic(expected = "mse: shapes [2, 3] and [1, 3] differ")]
fn mse_names_shapes_that_differ() {
    let tape = Tape::<f64>::new();
    mse(tape.zeros(2, 3), tape.zeros(1, 3));
}

#[test]
#[should_panic(expected = "cross_entropy: shapes [2, 3] and [1, 3] differ")]
fn cross_entropy_names_shapes_that_differ() {
    let tape = Tape::<f64>::new();
    cross_entropy(tape.zeros(2, 3), one_hot(&tape, [1].into_iter(), 3));
}

#[test]
#[should_panic(expected = "CrossEntropy: the label 3 of 3 classes")]
fn a_label_that_is_no_class_is_named() {
    let tape = Tape::<f64>::new();
    CrossEntropy::default().of_labels(tape.zeros(2, 3), &[None, Some(3)]);
}

// ------------------------------------------------------------------------------------------------------ CTC

/// What a path spells: runs become one, then blanks fall out.
fn spelt(path: &[usize], blank: usize) -> Vec<usize> {
    let mut runs = path.to_vec();
    runs.dedup();
    runs.retain(|&label| label != blank);
    runs
}

/// p(target) by its definition: the sum over all C^T paths of the product of their probabilities.
fn enumerated<T: Scalar>(
    log_probs: ArrayView2<'_, T>,
    target: &[usize],
    blank: usize,
) -> T {
    let (steps, classes) = log_probs.dim();
    let mut sum = T::of(0.0);
    for number in 0..classes.pow(steps as u32) {
        let path: Vec<usize> = (0..steps)
            .map(|t| number / classes.pow(t as u32) % classes)
            .collect();
        if spelt(&path, blank) == target {
            let lp = path.iter().enumerate().map(|(t, &k)| log_probs[[t, k]]);
            sum += lp.fold(T::of(0.0), |s, lp| s + lp).exp();
        }
    }
    sum
}

/// (T, C, blank, target, a seed): small enough to enumerate.
fn small() -> impl Strategy<Value = (usize, usize, usize, Vec<usize>, u64)> {
    (1..=5_usize, 2..=3_usize).prop_flat_map(|(steps, classes)| {
        let labels = prop::collection::vec(1..classes, 0..=steps);
        (Just(steps), Just(classes), 0..classes, labels, any::<u64>()).prop_map(
            |(steps, classes, blank, mut labels, seed)| {
                // Labels are all classes but the blank.
                labels.iter_mut().for_each(|label| {
                    if *label == blank {
                        *label = 0;
                    }
                });
                (steps, classes, blank, labels, seed)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The log-probabilities are free numbers here, so that the gradient by each is checked by itself.
    #[test]
    fn ctc_sums_over_all_paths((steps, classes, blank, target, seed) in small()) {
        let mut draw = Rng::new(seed);
        let log_probs = Array2::from_shape_simple_fn((steps, classes), || draw.normal());
        let p = enumerated(log_probs.view(), &target, blank);
        let ctc = Ctc { blank, reduction: Reduction::Sum, ..Ctc::default() };
        let tape = Tape::new();
        let x = tape.leaf(&log_probs.view());
        let loss = ctc.apply(x, &[&target], &[steps]);
        if p == 0.0 {
            prop_assert_eq!(loss.item(), f64::INFINITY);
            let ctc = Ctc { zero_infinity: true, ..ctc };
            let tape = Tape::new();
            let x = tape.leaf(&log_probs.view());
            let loss = ctc.apply(x, &[&target], &[steps]);
            prop_assert_eq!(loss.item(), 0.0);
            prop_assert!(loss.backward().of(x).iter().all(|d| *d == 0.0));
            return Ok(());
        }
        let want = -Real::ln(p);
        // A hundred roundings of logarithms up to 20.
        prop_assert!((loss.item() - want).abs() < 1e-13, "{} is not {}", loss.item(), want);
        let grads = loss.backward();
        let seeded = |at| {
            let one = |(i, &x): ((usize, usize), &f64)| Dual::new(x, f64::from(i == at));
            let x: Vec<_> = log_probs.indexed_iter().map(one).collect();
            Array2::from_shape_vec((steps, classes), x).unwrap()
        };
        for (at, &got) in grads.of(x).indexed_iter() {
            let want = -enumerated(seeded(at).view(), &target, blank).ln().derivative();
            prop_assert!((got - want).abs() < 1e-13, "{:?}: {} is not {}", at, got, want);
        }
    }
}

/// Sequences of different lengths beside one another, memory that held something else, and duals on the tape.
#[test]
fn ctc_agrees_with_duals_and_differences() {
    struct OfThree;
    impl Function for OfThree {
        fn name(&self) -> &str {
            "ctc"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            let ctc = Ctc { reduction: Reduction::None, ..Ctc::default() };
            ctc.apply(x[0], &[&[1, 1, 2], &[], &[2]], &[6, 3, 1])
        }
    }
    let mut draw = Rng::new(1);
    let x = [Array2::from_shape_simple_fn((18, 3), || draw.normal())];
    for seed in 0..3 {
        check::gradient(&OfThree, &x, seed).unwrap_or_else(|e| panic!("{e}"));
    }
    let run = |tape: &Tape<f64>| {
        let x = tape.leaf(&x[0].view());
        let losses = OfThree.eval(&[x]);
        let d = losses.sum().backward().of(x).to_owned();
        (losses.value(), d)
    };
    let mut tape = Tape::new();
    let nan = tape.leaf(&Array2::from_elem((20, 20), f64::NAN).view());
    let ctc = Ctc::default().apply(nan, &[&[1, 2]], &[20]);
    assert!(ctc.backward().of(nan).iter().any(|d| d.is_nan()));
    tape.reset();
    let (losses, d) = run(&tape);
    assert_eq!((losses, d.clone()), run(&Tape::new()));
    // Steps after a sequence's end don't count.
    let row = |t: usize, n: usize| d.row(t * 3 + n);
    assert!((3..6).all(|t| row(t, 1).iter().all(|d| *d == 0.0)));
    assert!((1..6).all(|t| row(t, 2).iter().all(|d| *d == 0.0)));
}

#[test]
#[should_panic(expected = "Ctc: the label 0 of 3 classes, of which 0 is")]
fn ctc_names_a_label_that_is_the_blank() {
    let tape = Tape::<f64>::new();
    Ctc::default().apply(tape.zeros(4, 3), &[&[1, 0]], &[4]);
}

// ---------------------------------------------------------------------------------------------------- omega

/// Ω of given gradients and states as its definition says it, with J = diag(σ′) W row by row.
fn omega_by_hand(
    relu: bool,
    w: &Array2<f64>,
    h: &Array2<f64>,
    d_h: &Array2<f64>,
    batch: usize,
) -> f64 {
    let (rows, hidden) = h.dim();
    let norm = |x: &[f64]| x.iter().fold(0.0, |s, x| s + x * x).sqrt();
    let mut value = 0.0;
    for i in 0..rows {
        let before = d_h.row(i).to_vec();
        if before.iter().all(|d| *d == 0.0) {
            continue;
        }
        let after: Vec<f64> = (0..hidden)
            .map(|k| {
                (0..hidden).fold(0.0, |s, j| {
                    let h = h[[i, j]];
                    let ramp = f64::from(h > 0.0);
                    let slope = if relu { ramp } else { 1.0 - h * h };
                    s + before[j] * slope * w[[j, k]]
                })
            })
            .collect();
        let excess = norm(&after) / norm(&before) - 1.0;
        value += excess * excess / batch as f64;
    }
    value
}

#[test]
fn the_gradient_of_omega_is_that_by_the_matrix_in_its_formula() {
    const STEPS: usize = 6;
    const BATCH: usize = 3;
    for (cell, relu) in [(Cell::RnnTanh, false), (Cell::RnnRelu, true)] {
        let layer = Layer::new("", cell, 2, 4);
        let mut parameters = Parameters::<f64>::default();
        let rng = Rng::new(5);
        layer.push_parameters(
            &mut parameters,
            &Initialisation::default(),
            &rng,
        );
        let mut draw = rng.stream("x");
        let x =
            Array2::from_shape_simple_fn((STEPS * BATCH, 2), || draw.normal());
        let tape = Tape::new();
        let w = layer.weights(&tape.bind(&parameters));
        let start = layer.zero_state(&tape, BATCH);
        let states = layer.states(&w, tape.constant(&x.view()), start);
        let last = states[STEPS].h;
        let grads = (last * last).sum().backward();
        let below = |part: &dyn Fn(Var<'_, f64>) -> Array2<f64>| {
            let parts: Vec<_> = states[1..].iter().map(|s| part(s.h)).collect();
            let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
            ndarray::concatenate(Axis(0), &views).unwrap()
        };
        let h = below(&|h| h.value());
        let d_h = below(&|h| grads.of(h).to_owned());
        let w_hh = w.w_hh.value();

        let got = omega(cell, w_hh.view(), h.view(), d_h.view(), BATCH);
        let by_hand = |w: &Array2<f64>| omega_by_hand(relu, w, &h, &d_h, BATCH);
        let want = by_hand(&w_hh);
        assert!((got.value - want).abs() < 1e-14 * want, "{got:?}");
        for (at, &d) in got.d_w_hh.indexed_iter() {
            let moved = |step: f64| {
                let mut w = w_hh.clone();
                w[at] += step;
                by_hand(&w)
            };
            let step = check::STEP;
            let want = (moved(step) - moved(-step)) / (2.0 * step);
            // The differences' own error: DIFFERENCE_TOLERANCE of values of about 1.
            assert!((d - want).abs() < 2e-9, "{at:?}: {d} is not {want}");
        }

        // It asks for directions only, so it bears a gradient that has all but vanished.
        let tiny = d_h.mapv(|d| (d * 1e-35) as f32);
        let [w32, h32] = [&w_hh, &h].map(|x| x.mapv(|x| x as f32));
        let single = omega(cell, w32.view(), h32.view(), tiny.view(), BATCH);
        assert!((single.value - got.value).abs() < 1e-4 * got.value);
    }
}

#[test]
fn omega_is_0_for_a_rotation_that_keeps_every_norm() {
    let w = array![[0.6, -0.8], [0.8, 0.6]];
    let h = Array2::from_elem((8, 2), 0.5);
    let mut d_h = Array2::from_shape_fn((8, 2), |(i, j)| (i + j) as f64 - 3.0);
    // A gradient of 0 has no direction.
    d_h.row_mut(5).fill(0.0);
    let got = omega(Cell::RnnRelu, w.view(), h.view(), d_h.view(), 2);
    assert!(got.value < 1e-30 && got.d_w_hh.iter().all(|d| d.abs() < 1e-14));
    let half = omega(Cell::RnnRelu, (&w / 2.0).view(), h.view(), d_h.view(), 2);
    // Four steps of two sequences, of which one counts nothing, each (1/2 − 1)².
    assert!((half.value - 7.0 * 0.25 / 2.0).abs() < 1e-15, "{half:?}");
}
