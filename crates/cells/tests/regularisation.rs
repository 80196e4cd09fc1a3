//! Normalisation, dropout and the embedding against their definitions, duals and differences. `longlag conform` has
//! PyTorch's results.

use allocation_counter::measure;
use longlag_autodiff::check::{self, Function};
use longlag_autodiff::{Tape, Var};
use longlag_cells::dropout::{
    dropout, dropout_mask, dropout_step, gru_candidate_dropout_step,
    lstm_candidate_dropout_step, sequence_dropout, weight_noise, zoneout,
    zoneout_mean,
};
use longlag_cells::normalisation::{
    NormParameters, NormWeights, NormalisedCell, RecurrentBatchNorm,
    RunningStatistics, Statistics, StepStatistics, batch_norm, layer_norm,
};
use longlag_cells::{Cell, Embedding, RecurrentCell, State, Weights};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

fn normal(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut rng = Rng::new(seed);
    Array2::from_shape_simple_fn(shape, || rng.normal())
}

// ------------------------------------------------------------------------------------------------ gradients

/// Declares functions over any scalar and checks each at normal arguments of the given shapes.
macro_rules! gradients {
    ($($name:ident($x:ident: [$($shape:expr),+]) = $value:expr;)+) => {$(
        #[test]
        fn $name() {
            struct Op;
            impl Function for Op {
                fn name(&self) -> &str { stringify!($name) }
                fn eval<'t, T: Scalar>(&self, $x: &[Var<'t, T>]) -> Var<'t, T> {
                    $value
                }
            }
            let mut seed = 0;
            let x = [$($shape),+].map(|shape| { seed += 1; normal(shape, seed) });
            for seed in 0..3 {
                check::gradient(&Op, &x, seed).unwrap_or_else(|e| panic!("{e}"));
            }
        }
    )+};
}

const B: usize = 4;
const I: usize = 3;
const H: usize = 2;

fn weights<'t, T: Scalar>(x: &[Var<'t, T>]) -> Weights<Var<'t, T>> {
    let &[w_ih, w_hh, b_ih, b_hh, ..] = x else { unreachable!() };
    Weights { w_ih, w_hh, b_ih, b_hh, per_unit: None, w_hr: None }
}

/// All of a state in one matrix.
fn both<'t, T: Scalar>(s: State<Var<'t, T>>) -> Var<'t, T> {
    s.c.map_or(s.h, |c| s.h.tape().beside(&[s.h, c]))
}

gradients! {
    batch_norm_of_a_batch(x: [(5, 3), (1, 3), (1, 3)]) =
        batch_norm(x[0], Some(x[1]), Some(x[2]), 0.1, Statistics::Batch(None));
    batch_norm_in_use(x: [(5, 3), (1, 3), (1, 3)]) = {
        let mut running = RunningStatistics::new(3);
        running.variance = vec![0.5, 1.5, 3.0];
        batch_norm(x[0], Some(x[1]), Some(x[2]), 0.1, Statistics::Running(&running))
    };
    layer_norm_of_rows(x: [(4, 5), (1, 5), (1, 5)]) =
        layer_norm(x[0], Some(x[1]), Some(x[2]), 0.1);
    a_normalised_lstm(x: [(4 * H, I), (4 * H, H), (1, 4 * H), (1, 4 * H), (3 * B, I),
        (B, H), (B, H), (1, 4 * H), (1, 4 * H), (1, H), (1, H)]) = {
        let cell = NormalisedCell::Lstm { output: true };
        let norm = NormWeights { input: x[7], state: x[8], output: Some([x[9], x[10]]) };
        let start = State { h: x[5], c: Some(x[6]) };
        let mut layer = RecurrentBatchNorm::new("", cell, H);
        layer.eps = 0.1;
        let mut seen = vec![];
        let statistics = Statistics::Batch(Some(&mut seen));
        both(layer.unroll(&weights(x), &norm, x[4], start, statistics, |_, _| ()))
    };
    a_normalised_rnn(x: [(H, I), (H, H), (1, H), (1, H), (3 * B, I), (B, H), (1, H), (1, H)]) = {
        let norm = NormWeights { input: x[6], state: x[7], output: None };
        let mut layer = RecurrentBatchNorm::new("", NormalisedCell::RnnTanh, H);
        layer.eps = 0.1;
        let start = State { h: x[5], c: None };
        layer.unroll(&weights(x), &norm, x[4], start, Statistics::Batch(None), |_, _| ()).h
    };
    an_lstm_with_dropout_and_zoneout(x: [(4 * H, I), (4 * H, H), (1, 4 * H), (1, 4 * H), (B, I),
        (B, H), (B, H)]) = {
        let (w, tape, mut rng) = (weights(x), x[4].tape(), Rng::new(3));
        let masks = [I, H].map(|n| dropout_mask(tape, [B, n], 0.3, &mut rng));
        let mut s = State { h: x[5], c: Some(x[6]) };
        for _ in 0..2 {
            let next = dropout_step(&Cell::Lstm, &w, x[4], s, masks);
            s = zoneout(s, next, State { h: 0.3, c: Some(0.5) }, &mut rng);
            s = lstm_candidate_dropout_step(&w, x[4], s, masks[1]);
        }
        both(zoneout_mean(State { h: x[5], c: Some(x[6]) }, s, State { h: 0.1, c: Some(0.2) }))
    };
    a_gru_with_dropout_and_noise(x: [(3 * H, I), (3 * H, H), (1, 3 * H), (1, 3 * H), (B, I), (B, H)]) = {
        let (tape, mut rng) = (x[4].tape(), Rng::new(3));
        let w = weights(x).map(|w| weight_noise(*w, 0.2, &mut rng));
        let mask = dropout_mask(tape, [B, H], 0.3, &mut rng);
        gru_candidate_dropout_step(&w, x[4], State { h: x[5], c: None }, mask).h
    };
}

// --------------------------------------------------------------------------------------------- definitions

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// What is normalised has mean 0 and variance 1, and doesn't see scale or offset.
    #[test]
    fn a_normalised_batch_is_centred_and_of_variance_1(
        seed in any::<u64>(), n in 3..9_usize, features in 3..6_usize, scale in 0.5..4.0_f64, offset in -3.0..3.0_f64,
    ) {
        let x = normal((n, features), seed);
        let tape = Tape::<f64>::new();
        let both = |x: &Array2<f64>| {
            let x = tape.leaf(&x.view());
            let batch = batch_norm(x, None, None, 0.0, Statistics::Batch(None)).value();
            (batch, layer_norm(x, None, None, 0.0).value())
        };
        let (by_columns, by_rows) = both(&x);
        for (y, axis) in [(&by_columns, Axis(0)), (&by_rows, Axis(1))] {
            for lane in y.lanes(axis) {
                let mean = lane.iter().fold(0.0, |s, y| s + y) / lane.len() as f64;
                let square = lane.iter().fold(0.0, |s, y| s + y * y) / lane.len() as f64;
                // Differences of a normal sample are rarely below 1e-3 of its size.
                prop_assert!(mean.abs() < 1e-11 && (square - 1.0).abs() < 1e-11, "{mean}, {square}");
            }
        }
        let (moved_columns, moved_rows) = both(&x.mapv(|x| scale * x + offset));
        for (a, b) in [(by_columns, moved_columns), (by_rows, moved_rows)] {
            prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-10));
        }
    }
}

fn layer_of(
    cell: NormalisedCell,
    seed: u64,
) -> (RecurrentBatchNorm, longlag_cells::Layer, Parameters<f64>) {
    let plain = match cell {
        NormalisedCell::RnnTanh => Cell::RnnTanh,
        NormalisedCell::Lstm { .. } => Cell::Lstm,
    };
    let layer = longlag_cells::Layer::new("", plain, I, H);
    let mut parameters = Parameters::default();
    layer.push_parameters(
        &mut parameters,
        &Default::default(),
        &Rng::new(seed),
    );
    let norm = RecurrentBatchNorm::new("", cell, H);
    norm.push_parameters(&mut parameters);
    (norm, layer, parameters)
}

/// Statistics in which nothing is normalised: mean 0 and variance 1.
#[test]
fn without_statistics_to_divide_by_it_is_the_plain_cell() {
    for (cell, plain) in [
        (NormalisedCell::RnnTanh, Cell::RnnTanh),
        (NormalisedCell::Lstm { output: false }, Cell::Lstm),
    ] {
        let (mut norm, layer, mut parameters) = layer_of(cell, 1);
        norm.eps = 0.0;
        for name in ["bn_ih.weight", "bn_hh.weight"] {
            assert!(parameters.view(name).iter().all(|g| *g == 0.1));
            parameters.view_mut(name).fill(1.0);
        }
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let (w, gains) = (layer.weights(&bound), norm.weights(&bound));
        let x = tape.constant(&normal((5 * B, I), 2).view());
        let start = layer.zero_state(&tape, B);
        let known = vec![norm.no_statistics()];
        let of = Statistics::Running(&known);
        let got = norm.unroll(&w, &gains, x, start, of, |_, _| ());
        let want = layer.unroll(&w, x, start, |_, _| ());
        let apart = both(got).value() - both(want).value();
        assert!(apart.iter().all(|d| d.abs() < 1e-15), "{plain:?}: {apart}");
    }
}

#[test]
fn each_step_has_statistics_of_its_own_and_the_last_serve_all_after_it() {
    let cell = NormalisedCell::Lstm { output: true };
    let (mut norm, layer, parameters) = layer_of(cell, 1);
    norm.momentum = None;
    let x = normal((3 * B, I), 2);
    let run = |x: &Array2<f64>, of: Statistics<'_, Vec<StepStatistics>>| {
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let (w, gains) = (layer.weights(&bound), norm.weights(&bound));
        let start = layer.zero_state(&tape, B);
        let mut states = vec![];
        let keep = |t, s: State<Var<'_, f64>>| {
            assert_eq!(t, states.len() + 1);
            states.push(both(s).value());
        };
        norm.unroll(&w, &gains, tape.constant(&x.view()), start, of, keep);
        states
    };
    let mut known = vec![];
    let trained = run(&x, Statistics::Batch(Some(&mut known)));
    assert_eq!(known.len(), 3);
    assert_ne!(known[0], known[1]);
    assert!(known.iter().all(|s| s.input.batches == 1 && s.output.is_some()));
    // All rows are in the same state before the first step.
    assert!(known[0].state.mean.iter().all(|m| *m == 0.0));
    assert_eq!(trained, run(&x, Statistics::Batch(None)));

    // Five steps in use, the statistics of the third behind the third.
    let longer = normal((5 * B, I), 3);
    let used = run(&longer, Statistics::Running(&known));
    let mut more = known.clone();
    more.extend([known[2].clone(), known[2].clone()]);
    assert_eq!(used, run(&longer, Statistics::Running(&more)));
    more[4] = known[0].clone();
    assert_ne!(used[4], run(&longer, Statistics::Running(&more))[4]);

    // They are saved and restored whole.
    let saved = serde_json::to_value(&known).unwrap();
    let back: Vec<StepStatistics> = serde_json::from_value(saved).unwrap();
    assert_eq!(back, known);
}

#[test]
fn parameters_of_a_normalisation_change_nothing_at_the_start() {
    let mut parameters = Parameters::<f64>::default();
    let names = NormParameters::new("bn", 3);
    names.push(&mut parameters);
    let tape = Tape::new();
    let [weight, bias] = names.get(&tape.bind(&parameters));
    let x = tape.leaf(&normal((4, 3), 1).view());
    let y = layer_norm(x, Some(weight), Some(bias), 1e-5);
    assert_eq!(y.value(), layer_norm(x, None, None, 1e-5).value());
}

#[test]
#[should_panic(expected = "batch_norm: a batch of one row")]
fn a_batch_of_one_row_is_refused() {
    let tape = Tape::<f64>::new();
    batch_norm(tape.zeros(1, 3), None, None, 1e-5, Statistics::Batch(None));
}

// -------------------------------------------------------------------------------------------------- dropout

#[test]
fn a_sequence_has_one_mask_for_all_its_steps() {
    let tape = Tape::<f64>::new();
    let x = tape.constant(&Array2::ones((5 * B, 7)).view());
    let y = sequence_dropout(x, B, 0.4, &mut Rng::new(1));
    let mask = dropout_mask(&tape, [B, 7], 0.4, &mut Rng::new(1)).value();
    assert!(mask.iter().any(|m| *m == 0.0));
    assert_ne!(mask.row(0), mask.row(1));
    for t in 0..5 {
        assert_eq!(y.rows(t * B..(t + 1) * B).value(), mask);
    }
    let other = dropout(x, 0.4, &mut Rng::new(1)).value();
    assert_ne!(other, y.value());
    // What depends on a seed depends on nothing else.
    assert_eq!(other, dropout(x, 0.4, &mut Rng::new(1)).value());
    let mut rng = Rng::new(1);
    assert_eq!(sequence_dropout(x, B, 0.0, &mut rng).value(), x.value());
    assert_eq!(rng.bits(), Rng::new(1).bits());
}

/// A cell that drops no candidate is the plain one, and one that drops all of them keeps what it has.
#[test]
fn the_candidate_alone_is_dropped() {
    let tape = Tape::<f64>::new();
    let leaf =
        |rows, columns, seed| tape.leaf(&normal((rows, columns), seed).view());
    let w = |gates: usize| Weights {
        w_ih: leaf(gates * H, I, 1),
        w_hh: leaf(gates * H, H, 2),
        b_ih: leaf(1, gates * H, 3),
        b_hh: leaf(1, gates * H, 4),
        per_unit: None,
        w_hr: None,
    };
    let x = leaf(B, I, 5);
    let (h, c) = (leaf(B, H, 6), leaf(B, H, 7));
    let [all, none] =
        [1.0, 0.0].map(|m| tape.constant_with(B, H, |to| to.fill(m)));

    let (lstm, s) = (w(4), State { h, c: Some(c) });
    let plain = Cell::Lstm.step(&lstm, x, s);
    let kept = lstm_candidate_dropout_step(&lstm, x, s, all);
    assert_eq!(both(kept).value(), both(plain).value());
    let dropped = lstm_candidate_dropout_step(&lstm, x, s, none).c.unwrap();
    let [_, a_f, ..] = lstm.sum(x, h).split::<4>();
    let forgotten = longlag_numerics::Real::sigmoid(a_f) * c;
    assert_eq!(dropped.value(), forgotten.value());

    let (gru, s) = (w(3), State { h, c: None });
    let plain = Cell::Gru.step(&gru, x, s);
    let kept = gru_candidate_dropout_step(&gru, x, s, all);
    assert_eq!(kept.h.value(), plain.h.value());
    let [_, z, _] = gru.sum(x, h).split::<3>();
    let dropped = gru_candidate_dropout_step(&gru, x, s, none).h;
    let want = (longlag_numerics::Real::sigmoid(z) * h).value();
    let apart = dropped.value() - want;
    assert!(apart.iter().all(|d| d.abs() < 1e-15));
}

#[test]
fn zoneout_keeps_units_and_their_mean_is_what_is_used() {
    let tape = Tape::<f64>::new();
    let state = |h, c| State {
        h: tape.leaf(&Array2::from_elem((50, 40), h).view()),
        c: Some(tape.leaf(&Array2::from_elem((50, 40), c).view())),
    };
    let (previous, next) = (state(1.0, 2.0), state(3.0, 4.0));
    let p = State { h: 0.2, c: Some(0.7) };
    let zoned = zoneout(previous, next, p, &mut Rng::new(1));
    let mean = zoneout_mean(previous, next, p);
    for (zoned, previous, next, mean, p) in [
        (zoned.h, 1.0, 3.0, mean.h, 0.2),
        (zoned.c.unwrap(), 2.0, 4.0, mean.c.unwrap(), 0.7),
    ] {
        let zoned = zoned.value();
        assert!(zoned.iter().all(|x| *x == previous || *x == next));
        let kept = zoned.iter().filter(|x| **x == previous).count();
        let share = kept as f64 / 2000.0;
        // Four standard deviations of a binomial.
        let deviation = (p * (1.0 - p) / 2000.0_f64).sqrt();
        assert!((share - p).abs() < 4.0 * deviation, "{share}");
        let want = p * previous + (1.0 - p) * next;
        assert!(mean.value().iter().all(|x| (x - want).abs() < 1e-15));
    }
    // A unit that keeps its state passes its gradient on unchanged, and the new state gets none.
    let grads = zoned.h.sum().backward();
    let h = zoned.h.value();
    for ((h, old), new) in
        h.iter().zip(grads.of(previous.h)).zip(grads.of(next.h))
    {
        let keeps = f64::from(*h == 1.0);
        assert_eq!((*old, *new), (keeps, 1.0 - keeps));
    }
}

#[test]
fn weight_noise_has_its_deviation_and_leaves_the_gradient_alone() {
    let tape = Tape::<f64>::new();
    let w = tape.leaf(&Array2::from_elem((50, 40), 3.0).view());
    let noisy = weight_noise(w, 0.25, &mut Rng::new(1));
    let noise = noisy.value() - 3.0;
    let mean = noise.iter().fold(0.0, |s, x| s + x) / 2000.0;
    let square = noise.iter().fold(0.0, |s, x| s + x * x) / 2000.0;
    // Four standard deviations: σ/√n of the mean, √2 σ²/√n of the variance.
    assert!(mean.abs() < 4.0 * 0.25 / 2000.0_f64.sqrt(), "{mean}");
    let spread = 4.0 * 0.0625 * (2.0 / 2000.0_f64).sqrt();
    assert!((square - 0.0625).abs() < spread, "{square}");
    assert!(noisy.sum().backward().of(w).iter().all(|d| *d == 1.0));
}

#[test]
#[should_panic(expected = "a probability of 1.5, not from 0 to 1")]
fn a_probability_above_1_is_refused() {
    let tape = Tape::<f64>::new();
    dropout(tape.zeros(2, 2), 1.5, &mut Rng::new(1));
}

// ------------------------------------------------------------------------------------------------ embedding

#[test]
fn an_embedding_gives_rows_and_allocates_nothing_once_warm() {
    let embedding = Embedding::new("words", 5, 3);
    let mut parameters = Parameters::<f32>::default();
    embedding.push_parameters(&mut parameters, &Rng::new(1));
    let table = parameters.view("words.weight").to_owned();
    let mut tape = Tape::new();
    let tokens = [4, 0, 4, 1, 4, 2, 2];
    let mut step = |look: bool| {
        tape.reset();
        let bound = tape.bind(&parameters);
        let x = embedding.apply(&bound, &tokens);
        let masked = dropout(x, 0.5, &mut Rng::new(2));
        let grads = masked.sum().backward();
        if look {
            for (x, &token) in x.value().rows().into_iter().zip(&tokens) {
                assert_eq!(x, table.row(token));
            }
            // Token 3 stands nowhere.
            let d = grads.of(bound.get("words.weight")).to_owned();
            assert_eq!(d.row(3), array![0.0, 0.0, 0.0]);
            let mask = grads.of(x);
            let of_4 = &mask.row(0) + &mask.row(2) + mask.row(4);
            assert_eq!(d.row(4), of_4);
        }
    };
    step(true);
    step(false);
    assert_eq!(measure(|| step(false)).count_total, 0);
}
