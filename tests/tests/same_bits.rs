//! The same bits for every thread count and every instruction set.
//!
//! This is a program of its own, with one test that computes: the instruction set is chosen for the whole
//! process.

use longlag::record::Record;
use longlag_experiments::{Entry, Silent, all};
use longlag_numerics::isa::{self, Isa};
use longlag_report::Report;
use longlag_tests::{root, setup};
use std::io::Write;

/// The published config of an experiment made small: what is left out stays as published. The portable
/// kernels are slow, and meant to be: they are the reference, plain enough to be seen right.
fn shortened(experiment: &Entry) -> &'static str {
    match experiment.name {
        "trust-the-gradient" => r#"{ "steps": [1, 7], "batch": 1, "hidden": 4 }"#,
        "first-race" => {
            r#"{ "runs": 1, "parameters": 600, "updates": 4, "measure_every": 2, "batch": 7,
                 "probe_images": 5, "regression_updates": 3 }"#
        }
        "law-of-the-product" => {
            r#"{ "seeds": 1, "widths": [5], "gains": [0.5, 1, 2.5, 4], "noises": [0, 0.5], "trajectories": 3,
                 "burn_in": 5, "steps": 10, "exponent_steps": 20, "lags": 20 }"#
        }
        "memory-is-not-gradient" => {
            r#"{ "seeds": 1, "hidden": [5, 3], "steps": [1, 4, 9], "noise": [0.1, 0.0], "known": 20, "tested": 9,
                 "probes": 2 }"#
        }
        "gradient-is-a-sum" => {
            r#"{ "runs": 1, "hidden": 3, "updates": 2, "midway": 1, "measure_every": 2, "batch": 2, "test": 3,
                 "probe": 3, "start_steps": 20 }"#
        }
        "carousel" => {
            r#"{ "seeds": 1, "widths": [5, 3], "burn_in": 3, "steps": 10, "detours": 3, "biases": [0, 2],
                 "gains": [0.5, 4], "task": { "definition": "2013", "symbols": 2, "steps": 20 }, "runs": 1,
                 "training": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "looks": [0, 1],
                 "probes": 1 }"#
        }
        "still-vanishing" => {
            r#"{ "seeds": 1, "widths": [5, 3], "lengths": [20, 30], "burn_in": 3, "asked_hidden": 4,
                 "task": { "definition": "2013", "success": "2013", "steps": 20 },
                 "training": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "probes": 1 }"#
        }
        "learning-to-forget" => {
            r#"{ "seeds": 1, "updates": 3, "measure_every": 2, "batch": 2, "window": 5, "test_streams": 2,
                 "test_letters": 20, "held": [0.1, 0.5, 0.9, 0.999], "held_seeds": 1, "widths": [3], "trajectories": 2,
                 "steps": [2, 10],
                 "learners": [
                     { "name": "LSTM", "hidden": 3, "forget_gate": true, "reset": false, "learning_rate": 0.01 },
                     { "name": "no forget gate", "hidden": 3, "forget_gate": false, "reset": false, "learning_rate": 0.01 },
                     { "name": "no forget gate, reset", "hidden": 3, "forget_gate": false, "reset": true, "learning_rate": 0.01 },
                     { "name": "LSTM, 16 units", "hidden": 3, "forget_gate": true, "reset": false, "learning_rate": 0.01 },
                     { "name": "no forget gate, 16 units", "hidden": 3, "forget_gate": false, "reset": false, "learning_rate": 0.01 },
                     { "name": "no forget gate, wider", "hidden": 3, "forget_gate": false, "reset": false, "learning_rate": 0.01 }
                 ] }"#
        }
        "learning-rate-and-optimizer" => {
            r#"{ "seeds": 1, "map_seeds": 1, "widths": [3], "lengths": [10, 12], "rates": [0.1], "scaled_rates": [0.01],
                 "epsilons": [1e-8], "momentums": [0, 0.9], "momentum_steps": 12, "updates": 2,
                 "budget": { "updates": 2, "batch": 2, "ask_every": 1, "test": 5 } }"#
        }
        "truncation-and-detaching" => {
            r#"{ "seeds": 1, "task": { "shortest": 6, "longest": 6, "signal": 1 }, "widths": [3], "windows": [2],
                 "judged": 2, "training": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "looks": [0, 1],
                 "probe": 3 }"#
        }
        "overfitting-is-another-problem" => {
            r#"{ "seeds": 1, "sweep_seeds": 1, "hidden": 3, "lengths": [6], "few": 4, "holding": 3, "spans": [3, 5],
                 "sequences": 3, "budget": { "updates": 2, "batch": 2, "ask_every": 1, "test": 3 } }"#
        }
        "not-vanishing-is-not-enough" => {
            r#"{ "seeds": 1, "tuning_seeds": 1, "memories": [10, 20], "sequences": 8, "multiple": 3, "short": 9,
                 "teachers": [2, 20], "rates": [0.01, 1], "updates": 3, "in_a_row": 2 }"#
        }
        "gates-one-by-one" => {
            r#"{ "seeds": 1, "widths": [4, 3], "task": { "definition": "2016", "success": "2013", "steps": 20 },
                 "training": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "probes": 2,
                 "held": [0.5] }"#
        }
        "cliffs-and-clipping" => {
            r#"{ "seeds": 1, "map_seeds": 1, "longer": 25, "widths": [3, 2], "rates": [0.1], "batches": 2,
                 "budget": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "trained": 1 }"#
        }
        "lstm-can-explode" => {
            r#"{ "seeds": 1, "widths": [4, 3], "gains": [2.5, 4, 8], "burn_in": 3, "steps": 10, "trained_gains": [8],
                 "task": { "definition": "2013", "symbols": 2, "steps": 20 },
                 "budget": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 }, "probes": 1 }"#
        }
        "initialisation" => {
            r#"{ "seeds": 1, "widths": [4, 3], "lengths": [20, 21], "judged": 21, "looks": [1], "probes": 2,
                 "budget": { "updates": 2, "ask_every": 1, "batch": 2, "test": 3 },
                 "starts": [
                     { "name": "RNN, PyTorch's", "cell": "rnn-tanh", "start": {}, "learning_rate": 0.01 },
                     { "name": "RNN, orthogonal 1", "cell": "rnn-tanh",
                       "start": { "recurrent": { "orthogonal": {} } }, "learning_rate": 0.01 },
                     { "name": "LSTM, chrono", "cell": "lstm", "start": {}, "chrono": true, "learning_rate": 0.01 }
                 ] }"#
        }
        "long-lag-race" => {
            r#"{ "seeds": 1, "parameters": 60, "lengths": [20, 30], "decisive": 30, "order": 20, "copying": [{ "steps": 1, "symbols": 2 }],
                 "budget": { "updates": 2, "batch": 2, "ask_every": 1, "test": 5 } }"#
        }
        "which-gate-matters" => {
            r#"{ "seeds": 1, "hidden": 3, "adding": 20, "order": 20, "probes": 2,
                 "budget": { "updates": 2, "batch": 2, "ask_every": 1, "test": 5 } }"#
        }
        "normalisation" => {
            r#"{ "seeds": 1, "widths": [3, 2], "sequences": 3, "burn_in": 2, "steps": 4, "gammas": [0.1, 1],
                 "eps": [1e-5, 1e-2], "task": { "definition": "2013", "symbols": 2, "steps": 20 },
                 "budget": { "updates": 2, "ask_every": 1, "batch": 3, "test": 3 } }"#
        }
        name => panic!("write a shortened config of {name}"),
    }
}

/// Runs an experiment with one instruction set and a number of threads.
fn run(experiment: &Entry, config: &str, (isa, threads): (Isa, usize)) -> Report {
    isa::cap(isa).expect("this machine has it");
    isa::forget_runs();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let prepared = experiment.prepare(config, None).expect("a good config");
    let report = pool.install(|| prepared(&Silent));
    assert_eq!(isa::ran(), [isa], "{}: kernels of this set alone ran", experiment.name);
    report
}

/// Replays the last segment of a record.
fn replay_last(experiment: &'static Entry, isa: Isa, threads: usize) {
    isa::cap(isa).expect("this machine has it");
    isa::forget_runs();
    let record = Record::read(&root(), experiment).expect("a record");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| record.replay(record.segments())).unwrap_or_else(|error| panic!("{isa}: {error}"));
    assert_eq!(isa::ran(), [isa], "{}: kernels of this set alone ran", experiment.name);
}

/// Asserts that all runs give what the first gives, prints which ran, and returns their report.
fn assert_same(experiment: &Entry, which: &str, config: &str, runs: &[(Isa, usize)]) -> Report {
    let name = |(isa, threads): (Isa, usize)| format!("{isa} on {threads}");
    let first = run(experiment, config, runs[0]);
    for &other in &runs[1..] {
        let report = run(experiment, config, other);
        let what = format!("{}, {which}: {} against {}", experiment.name, name(runs[0]), name(other));
        assert_eq!(first.first_difference(&report), None, "{what}");
        assert_eq!(first.to_snapshot(), report.to_snapshot(), "{what}");
    }
    let runs: Vec<String> = runs.iter().copied().map(name).collect();
    // Not by `println!`, which a test that passes keeps to itself.
    let ran = format!("same bits: {}, {which}: {} threads\n", experiment.name, runs.join(", "));
    std::io::stderr().write_all(ran.as_bytes()).expect("there is a standard error stream");
    first
}

#[test]
fn every_thread_count_and_instruction_set_gives_the_same_bits() {
    setup();
    let mut sets = Isa::available();
    sets.retain(|&isa| isa <= isa::active());
    let best = *sets.last().expect("the portable set is always there");
    for experiment in all() {
        // Two runs that differ in both at once say as much as all combinations, in half the time. The
        // portable set is too slow for this: the shortened config has it.
        let other = sets.iter().rev().find(|&&isa| isa != best && isa != Isa::Portable);
        let published = [(best, 2), (*other.unwrap_or(&best), 1)];
        if experiment.is_recorded() {
            // What was recorded with one set and one number of threads comes out with others.
            for (isa, threads) in published {
                replay_last(experiment, isa, threads);
            }
        } else {
            assert_same(experiment, "as published", &experiment.default_config(), &published);
        }

        let every: Vec<(Isa, usize)> = sets.iter().flat_map(|&isa| [(isa, 1), (isa, 2)]).collect();
        let report = assert_same(experiment, "shortened", shortened(experiment), &every);
        // What it is drawn as and judged by is in every report of it.
        for figure in experiment.figures {
            (figure.draw)(&report).unwrap_or_else(|error| panic!("{}: {error}", figure.name));
        }
        for claim in experiment.claims {
            claim.judge(&report).unwrap_or_else(|error| panic!("{}: {error}", claim.id));
        }
    }
}

#[test]
fn one_wrong_bit_is_noticed() {
    let with = |value: f64| {
        let mut report = Report::new("made-up", &[1]);
        report.fact("answer", value);
        report
    };
    let one_up = f64::from_bits(0.1_f64.to_bits() + 1);
    let difference = with(0.1).first_difference(&with(one_up)).expect("they differ");
    assert!(difference.contains("facts.answer"), "{difference}");
}
