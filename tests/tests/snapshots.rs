//! Every digit of every experiment's report, and no snapshot that nobody looks at.
//!
//! To accept a change that is meant: `INSTA_UPDATE=always cargo test -p longlag-tests`, then read the difference.

use longlag::ledger::ledger_report;
use longlag::record::Record;
use longlag_experiments::protocol::Rule;
use longlag_experiments::{Entry, Silent, all, find};
use longlag_tests::{files_in, names_in, read, root, setup, with_snapshots};
use std::process::Command;
use std::{env, fs};

/// The report of the published config: computed, or out of the record of what takes too long (which the tests of
/// records replay in part).
fn report(experiment: &'static Entry) -> String {
    let report = if experiment.is_recorded() {
        let record = Record::read(&root(), experiment).unwrap_or_else(|error| panic!("{error}"));
        record.report().unwrap_or_else(|error| panic!("{error}"))
    } else {
        experiment.run_default(&Silent)
    };
    report.to_snapshot()
}

/// A test for each experiment: the published config gives the committed report.
macro_rules! experiments {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            setup();
            let report = report(find($name).expect("an experiment of this name"));
            with_snapshots(|| insta::assert_snapshot!($name, report));
        })*

        #[test]
        fn every_experiment_is_tested() {
            let names: Vec<&str> = all().iter().map(|experiment| experiment.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

experiments! {
    trust_the_gradient: "trust-the-gradient",
    first_race: "first-race",
    gradient_is_a_sum: "gradient-is-a-sum",
    law_of_the_product: "law-of-the-product",
    memory_is_not_gradient: "memory-is-not-gradient",
    carousel: "carousel",
    still_vanishing: "still-vanishing",
    learning_to_forget: "learning-to-forget",
    gates_one_by_one: "gates-one-by-one",
    lstm_can_explode: "lstm-can-explode",
    long_lag_race: "long-lag-race",
    which_gate_matters: "which-gate-matters",
    cliffs_and_clipping: "cliffs-and-clipping",
    learning_rate_and_optimizer: "learning-rate-and-optimizer",
    initialisation: "initialisation",
    normalisation: "normalisation",
    truncation_and_detaching: "truncation-and-detaching",
    overfitting_is_another_problem: "overfitting-is-another-problem",
    not_vanishing_is_not_enough: "not-vanishing-is-not-enough",
}

/// What the ledger says, by the committed reports.
#[test]
fn the_ledger() {
    setup();
    let report = ledger_report(&root()).unwrap_or_else(|error| panic!("{error}"));
    with_snapshots(|| insta::assert_snapshot!("ledger", report.to_snapshot()));
    for claim in all().iter().flat_map(|entry| entry.claims) {
        if let Rule::Identity { test } = claim.rule {
            assert!(root().join(test).is_file(), "{}: there is no test {test}", claim.id);
        }
    }
}

#[test]
fn a_broken_digit_fails_the_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshot = "trust-the-gradient.snap";
    let text = read(&format!("tests/snapshots/{snapshot}"));
    let compare_with = |text: &str| {
        fs::write(folder.path().join(snapshot), text).expect("a copy");
        let mut test = Command::new(env::current_exe().expect("this program"));
        test.args(["--exact", "trust_the_gradient"]).env(longlag_tests::SNAPSHOTS, folder.path());
        let output = test.env("INSTA_UPDATE", "no").output().expect("this program runs again");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (passed, log) = compare_with(&text);
    assert!(passed, "{log}");

    // The last digit of the last line that ends in one: the smallest change there can be.
    let is_digit = |line: &&str| line.trim_end_matches([']', ',']).ends_with(|c: char| c.is_ascii_digit());
    let right = text.lines().rfind(is_digit).expect("a line that ends with a number");
    let at = right.rfind(|c: char| c.is_ascii_digit()).expect("a digit");
    let other = if right[at..].starts_with('7') { "3" } else { "7" };
    let wrong = format!("{}{other}{}", &right[..at], &right[at + 1..]);
    let (passed, log) = compare_with(&text.replace(right, &wrong));
    assert!(!passed, "nobody notices {wrong} in the place of {right}");
    for line in [right, &wrong] {
        assert!(log.contains(line), "the difference doesn't show {line}:\n{log}");
    }
}

// --------------------------------------------------------------------------------------------- no orphans

#[test]
fn every_snapshot_of_a_result_has_its_test() {
    let examples =
        names_in("examples").into_iter().filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()));
    let examples = examples.map(|name| format!("example-{name}.snap"));
    let mut expected: Vec<String> =
        all().iter().map(|e| format!("{}.snap", e.name)).chain(examples).collect();
    expected.push("ledger.snap".into());
    expected.sort();
    assert_eq!(names_in("tests/snapshots"), expected);
}

#[test]
fn every_other_snapshot_has_its_test() {
    let files = files_in("");
    let pending = |path: &&String| path.ends_with(".snap.new") || path.ends_with(".pending-snap");
    let pending: Vec<_> = files.iter().filter(pending).collect();
    assert!(pending.is_empty(), "neither accepted nor thrown away: {pending:?}");
    let others = files.iter().filter(|f| f.contains("/snapshots/") && !f.starts_with("tests/snapshots/"));
    let orphans: Vec<String> = others.filter_map(|path| orphaned(path, &read(path))).collect();
    assert!(orphans.is_empty(), "{}", orphans.join("\n"));
}

/// Why no test uses the snapshot with this path and text, if that is so. insta calls it `module__name.snap`, by the
/// name given or else that of the test's function, and writes the test's file into the snapshot's head.
fn orphaned(path: &str, text: &str) -> Option<String> {
    let source = text.lines().find_map(|line| line.strip_prefix("source: ")).unwrap_or("");
    if !root().join(source).is_file() {
        return Some(format!("{path}: its source `{source}` is no file"));
    }
    let name = path.trim_end_matches(".snap");
    let name = name.rsplit_once("__").map_or(name, |(_, name)| name);
    let code = read(source);
    // The second assertion of a function without a name of its own gets the function's, and `-2`.
    let function = name.rsplit_once('-').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(name, |(f, _)| f);
    let used = code.contains(&format!("\"{name}\"")) || code.contains(&format!("fn {function}("));
    (!used).then(|| format!("{path}: {source} has no snapshot {name:?}"))
}

#[test]
fn orphans_are_seen() {
    let here = "tests/tests/snapshots.rs";
    let orphaned = |path: &str, source: &str| orphaned(path, &format!("---\nsource: {source}\n---\n1\n"));
    assert_eq!(orphaned("a/snapshots/snapshots__orphans_are_seen.snap", here), None);
    assert_eq!(orphaned("a/snapshots/snapshots__orphans_are_seen-2.snap", here), None);
    // The name is put together, or it would stand in this file.
    let gone = format!("a/snapshots/snapshots__{}.snap", ["gone", "test"].join("_"));
    assert!(orphaned(&gone, here).expect("it is one").contains("has no snapshot"));
    let no_file = orphaned("a/snapshots/snapshots__a.snap", "tests/gone.rs").expect("it is one");
    assert!(no_file.contains("is no file"), "{no_file}");
}
