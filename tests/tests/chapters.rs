//! What chapters and README say in words or show beside numbers, held against the reports.

use longlag_numerics::Real;
use longlag_report::figure::Css;
use longlag_report::{Number, Report};
use longlag_tests::{read, root};
use std::{env, fs};

fn report(experiment: &str) -> Report {
    let snapshot = read(&format!("tests/snapshots/{experiment}.snap"));
    let body = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot has a head and a body");
    Report::from_snapshot(body).expect("a report")
}

fn number(report: &Report, path: &str) -> f64 {
    let value = report.value(path).unwrap_or_else(|e| panic!("{e}"));
    value.as_number().map(Number::to_f64).expect("a number")
}

#[test]
fn trust_the_gradient() {
    let report = report("trust-the-gradient");
    assert_eq!(report.value("facts.agrees").expect("a fact").to_string(), "true");
    // "At T = 1 the wrong gradient is right to the last digits. … From two steps on the mistake is obvious."
    let mistake = report.find_table("mistake").expect("a table").numbers("disagreement");
    assert!(mistake[0] < 1e-14, "{mistake:?}");
    assert!(mistake[1..].iter().all(|&m| m > 0.1), "{mistake:?}");
    // "More steps cost some digits, never many": from one step to forty, less than two.
    let table = report.find_table("agreement").expect("a table");
    for column in ["duals", "differences", "f32"] {
        for cell in table.numbers(column).chunks(4) {
            assert!(cell[3] / cell[0] < 100.0, "{column}: {cell:?}");
        }
    }
}

#[test]
fn the_first_race() {
    let report = report("first-race");
    let fact = |name: &str| number(&report, &format!("facts.{name}"));
    // "Every run of the gated networks is better than every run of the plain one."
    for gated in ["lstm", "gru"] {
        assert!(fact(&format!("{gated}_accuracy_low")) > fact("rnn_accuracy_high"));
    }
    // "All know far more than the most frequent digit. None reaches the logistic regression."
    for cell in ["rnn", "lstm", "gru"] {
        assert!(fact(&format!("{cell}_accuracy_low")) > 2.0 * fact("majority_accuracy"));
        assert!(fact(&format!("{cell}_accuracy_high")) < fact("regression_accuracy"));
    }
    // "First the LSTM leads, then the GRU, and the plain network keeps up. From then on it is behind both, and
    // its runs end up the furthest apart."
    let curve = |cell: &str| report.find_series(&format!("{cell}_accuracy")).expect("a series").clone();
    let [rnn, lstm, gru] = ["rnn", "lstm", "gru"].map(curve);
    for (i, update) in rnn.x().into_iter().enumerate() {
        let [rnn, lstm, gru] = [&rnn, &lstm, &gru].map(|curve| curve.y()[i]);
        if (300.0..400.0).contains(&update) {
            assert!(lstm > gru.max(rnn), "update {update}");
        }
        if (400.0..750.0).contains(&update) {
            assert!(gru > lstm.max(rnn), "update {update}");
        }
        if update < 750.0 {
            assert!(rnn > lstm.max(gru) - 0.13, "update {update}");
        } else {
            assert!(rnn < lstm.min(gru), "update {update}");
        }
    }
    let apart = |cell: &str| fact(&format!("{cell}_accuracy_high")) - fact(&format!("{cell}_accuracy_low"));
    assert!(apart("rnn") > apart("lstm").max(apart("gru")));
    // "Both fall along a straight line": the first and the second half of the way cost about the same factor.
    for cell in ["rnn", "gru"] {
        let norms = report.find_series(&format!("{cell}_gradient_before")).expect("a series").y();
        let (first, second) = (norms[32] / norms[64], norms[0] / norms[32]);
        assert!((Real::ln(first) / Real::ln(second) - 1.0).abs() < 0.15, "{cell}: {first:e} and {second:e}");
    }
    // "The LSTM keeps many powers of ten more, and still next to nothing."
    assert!(fact("lstm_reach_before") > 1e6 * fact("gru_reach_before").max(fact("rnn_reach_before")));
    assert!(fact("lstm_reach_before") < 1e-3);
    let cell_state = fact("lstm_cell_state_reach_before");
    assert!((1e-6..1e-3).contains(&cell_state), "{cell_state:e}");
    // "The GRU ends with one of which a good part arrives. The plain network has repaired its own gradient."
    assert!(fact("gru_reach_after_low") > 0.3 && fact("gru_reach_before_high") < 1e-9);
    assert!(fact("rnn_reach_after_low") > 1e-2 && fact("rnn_reach_before_high") < 1e-9);
    // Matched parameters: within two per cent.
    for cell in ["rnn", "lstm", "gru"] {
        let size = fact(&format!("{cell}_parameters"));
        assert!((size / number(&report, "config.parameters") - 1.0).abs() <= 0.02, "{cell}: {size}");
    }
}

#[test]
fn the_figure_of_the_readme_is_that_of_the_chapter() {
    const FIGURE: &str = "first-race-gradient";
    let path = format!("book/{FIGURE}.svg");
    assert!(read("README.md").contains(&format!("]({path})")), "the README shows another figure");
    let experiment = longlag_experiments::find("first-race").expect("an experiment");
    let spec = experiment.figures.iter().find(|f| f.name == FIGURE).expect("a figure");
    let svg = (spec.draw)(&report("first-race")).expect("all that is drawn").svg(Css::Embedded);
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(root().join(&path), &svg).expect("the figure is written");
    }
    assert!(
        read(&path) == svg,
        "{path} is not what first-race.snap draws: INSTA_UPDATE=always draws it again"
    );
}

#[test]
fn no_figure_has_a_fault_in_its_layout() {
    for experiment in longlag_experiments::all() {
        let report = report(experiment.name);
        for spec in experiment.figures {
            let figure = (spec.draw)(&report).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            assert_eq!(figure.lint(), Vec::<String>::new(), "{}", spec.name);
        }
    }
}
