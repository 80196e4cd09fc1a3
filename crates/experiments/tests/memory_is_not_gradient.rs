//! Memory is not gradient: decoders and systems against what can be computed by hand.

use longlag_experiments::memory_is_not_gradient::*;
use longlag_experiments::protocol::Verdict;
use longlag_experiments::readout::{Examples, linear};
use longlag_experiments::{Experiment, Silent};
use longlag_numerics::random::Rng;
use ndarray::{Array2, array};

fn kind(name: &str) -> Kind {
    let all = four();
    all.into_iter().find(|kind| kind.name == name).expect("one of the four")
}

fn listener(name: &str, hidden: usize, noise: f64) -> Listener {
    let mut rng = Rng::new(1);
    let system = kind(name).draw(hidden, &mut rng);
    let written = Array2::from_shape_simple_fn((2, hidden), || rng.normal());
    Listener { system, written, noise }
}

/// What the decoders make of `count` fresh messages.
fn decoded(listener: &Listener, count: usize, steps: usize) -> [Decoded; 2] {
    let hear = |part: &str| {
        let mut rng = Rng::new(2).stream(part);
        let told = messages(count, &mut rng);
        let states = listener.states(&told, &[steps], &mut rng);
        (told, states.into_iter().next().expect("of one T"))
    };
    let ((told, states), (asked, fresh)) = (hear("known"), hear("tested"));
    let known = Examples { states: &states, answers: &told };
    [linear(known, &fresh), nearest(known, &fresh)]
        .map(|said| Decoded::of(&said, &asked))
}

/// The read-out fitted on 4000 states of 8 numbers errs by about 8 / 4000 more than the best. An R² from 4000 has a
/// standard error of about 0.01 at most; four of them.
const SAMPLING: f64 = 0.04;

#[test]
fn the_linear_read_out_finds_what_there_is_in_linear_systems() {
    for (name, gain, steps) in
        [("orthogonal", 1.0_f64, 20), ("contraction", 0.5, 2)]
    {
        let listener = listener(name, 8, 0.5);
        let w = &listener.written;
        let inner = |i: usize, j: usize| -> f64 {
            w.row(i).iter().zip(w.row(j)).map(|(a, b)| a * b).sum()
        };
        // W is `gain` times an orthogonal matrix: message and noise are turned and scaled.
        let mut signal = 1.0;
        let mut noise = 0.0;
        for _ in 0..steps {
            noise += 0.25 * signal;
            signal *= gain * gain;
        }
        // The best linear estimate: its errors' covariance is the inverse of (1 / the message's + signal / noise).
        let ratio = signal / noise;
        let [a, b, d] = [
            1.0 + ratio * inner(0, 0),
            ratio * inner(0, 1),
            3.0 + ratio * inner(1, 1),
        ];
        let error = a / (a * d - b * b);
        let best = 1.0 - 3.0 * error;
        let [linear, nearest] = decoded(&listener, 4000, steps);
        let found = linear.number;
        assert!((found - best).abs() < SAMPLING, "{name}: {found}, not {best}");
        assert!(nearest.number < best + SAMPLING, "{name}: {nearest:?}");
        assert!(0.1 < best && best < 0.95, "{name}: {best} tells little");
    }
}

#[test]
fn contraction_and_orthogonal_system_have_the_same_matrix_but_for_one_half() {
    let [half, whole] = ["contraction", "orthogonal"]
        .map(|name| kind(name).draw(7, &mut Rng::new(1)).w);
    assert_eq!(half * 2.0, whole);
}

#[test]
fn without_noise_a_contraction_keeps_everything() {
    let listener = listener("contraction", 8, 0.0);
    let [linear, _] = decoded(&listener, 100, 150);
    assert_eq!(linear.bit, 1.0);
    assert!(linear.number > 0.999, "{linear:?}");
}

#[test]
fn neighbours_vote_and_the_first_of_equals_counts() {
    let states = array![[0.0], [1.0], [1.0], [1.0], [2.0], [1.0], [9.0]];
    let bits = [1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0];
    let told = Array2::from_shape_fn((7, 2), |(i, part)| match part {
        0 => bits[i],
        _ => i as f64,
    });
    let known = Examples { states: &states, answers: &told };
    // Next to 1 are 1, 2, 3, 5, and of 0 and 4, which are as near, 0.
    let said = nearest(known, &array![[1.0]]);
    assert_eq!(said, array![[1.0 / 5.0, 11.0 / 5.0]]);
}

#[test]
fn what_is_decoded_is_scored() {
    let told = array![[1.0, 0.5], [-1.0, -0.5], [1.0, 0.5], [-1.0, -0.5]];
    let said = array![[0.1, 0.5], [0.1, -0.5], [2.0, 0.0], [0.0, -0.5]];
    let decoded = Decoded::of(&said, &told);
    assert_eq!((decoded.bit, decoded.number), (0.5, 1.0 - 0.25));
}

#[test]
fn the_latch_settles_the_claim_only_where_its_gradient_has_vanished() {
    let config = |steps| Config {
        hidden: vec![6],
        systems: vec![kind("latch"), kind("chaos")],
        steps: vec![steps],
        noise: vec![0.1],
        known: 30,
        tested: 20,
        probes: 1,
        ..Config::default()
    };
    for (steps, verdict) in [(5, Verdict::Unsettled), (40, Verdict::Fails)] {
        let report = MemoryIsNotGradient::run(&config(steps), &Silent);
        let claim = &MemoryIsNotGradient::CLAIMS[0];
        let finding = claim.judge(&report).expect("what is measured");
        assert_eq!(finding.verdict, verdict, "{finding:?}");
    }
}

#[test]
fn configs_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut Config), named: &str| {
        let mut config = Config::default();
        change(&mut config);
        let error = MemoryIsNotGradient::check(&config).expect_err(named);
        assert!(error.0.starts_with(&format!("`{named}` is ")), "{error}");
    };
    assert_eq!(MemoryIsNotGradient::check(&Config::default()), Ok(()));
    refused(|c| c.steps = vec![2, 1], "steps");
    refused(|c| c.steps = vec![0], "steps");
    refused(|c| c.noise = vec![-0.1], "noise");
    refused(|c| c.noise = vec![f64::NAN], "noise");
    refused(|c| c.hidden = vec![], "hidden");
    refused(|c| c.tested = 1, "tested");
    refused(|c| c.systems[0].name = "latch".into(), "systems");
    refused(|c| c.systems[0].name = "A b".into(), "systems");
}
