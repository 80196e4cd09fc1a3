//! What chapters and README say in words or show beside numbers, held against the reports.

use longlag_experiments::Experiment;
use longlag_experiments::protocol::Verdict;
use longlag_numerics::Real;
use longlag_report::figure::Css;
use longlag_report::{Number, Report};
use longlag_tests::{read, root};
use std::{env, fs};

/// The record of speed, or the report of an experiment.
fn report(name: &str) -> Report {
    if name == "speed" {
        return Report::from_snapshot(&read(SPEED)).expect("a report");
    }
    let snapshot = read(&format!("tests/snapshots/{name}.snap"));
    let body = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot has a head and a body");
    Report::from_snapshot(body).expect("a report")
}

/// What `crates/longlag/peers/record.py` writes.
const SPEED: &str = "tests/records/speed.json";

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
    let above = |a: &str, b: &str| fact(&format!("{a}_accuracy_low")) > fact(&format!("{b}_accuracy_high"));
    // "Row by row, both gated networks are well ahead of the plain one. Their intervals overlap."
    assert!(above("lstm", "rnn") && above("gru", "rnn"));
    assert!(!above("lstm", "gru") && !above("gru", "lstm"));
    // "Permuted, the LSTM is ahead of the GRU. The gated networks lose a few points. The plain network gains."
    assert!(above("permuted_lstm", "permuted_gru"));
    for gated in ["lstm", "gru"] {
        let loss = fact(&format!("{gated}_accuracy")) - fact(&format!("permuted_{gated}_accuracy"));
        assert!((0.02..0.08).contains(&loss), "{gated}: {loss}");
        assert!(above(gated, &format!("permuted_{gated}")));
    }
    assert!(above("permuted_rnn", "rnn"));
    // "All know far more than the most frequent digit. None of the medians reaches the logistic regression."
    for cell in ["rnn", "lstm", "gru", "permuted_rnn", "permuted_lstm", "permuted_gru"] {
        assert!(fact(&format!("{cell}_accuracy_low")) > 5.0 * fact("majority_accuracy"));
        assert!(fact(&format!("{cell}_accuracy")) < fact("regression_accuracy"));
    }
    // "Row by row, the three begin alike. Then the plain network stops at about three quarters and later falls back,
    // while the others go on. Permuted, the plain network leads for more than the first third of the updates."
    let curve = |cell: &str| report.find_series(&format!("{cell}_accuracy")).expect("a series").clone();
    let updates = number(&report, "config.updates");
    for prefix in ["", "permuted_"] {
        let [rnn, lstm, gru] = ["rnn", "lstm", "gru"].map(|cell| curve(&format!("{prefix}{cell}")));
        for (i, update) in rnn.x().into_iter().enumerate() {
            let [plain, lstm, gru] = [&rnn, &lstm, &gru].map(|curve| curve.y()[i]);
            match prefix {
                "" if update <= 200.0 => {
                    assert!((plain - lstm).abs().max((plain - gru).abs()) < 0.04, "{update}")
                }
                "" if update >= 900.0 => assert!(plain < lstm.min(gru), "{update}"),
                "permuted_" if update > 0.0 && update <= 0.4 * updates => {
                    assert!(plain > lstm.max(gru), "{update}");
                }
                _ => {}
            }
        }
        if prefix.is_empty() {
            let plain = rnn.y();
            let best = plain.iter().fold(0.0, |best: f64, a| best.max(*a));
            assert!((0.72..0.78).contains(&best) && best - plain[plain.len() - 1] > 0.04, "{best}");
        }
    }
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
    assert!(fact("gru_reach_after_low") > 0.25 && fact("gru_reach_before_high") < 1e-9);
    assert!(fact("rnn_reach_after_low") > 1e-2 && fact("rnn_reach_before_high") < 1e-9);
    // Matched parameters: within two per cent.
    for cell in ["rnn", "lstm", "gru"] {
        let size = fact(&format!("{cell}_parameters"));
        assert!((size / number(&report, "config.parameters") - 1.0).abs() <= 0.02, "{cell}: {size}");
    }
}

#[test]
fn the_gradient_is_a_sum() {
    let report = report("gradient-is-a-sum");
    let fact = |name: &str| number(&report, &format!("facts.{name}"));
    // "The plain network's share falls by many powers of ten, at all times."
    for time in ["start", "midway", "end"] {
        let share = report.find_series(&format!("rnn_{time}_share")).expect("a series").y();
        assert!(share[share.len() - 2] < 1e-4 * share[0], "{time}: {share:?}");
        assert!(fact(&format!("rnn_{time}_far_high")) < 0.02);
    }
    // "The LSTM's begins nearly level and, once the task is learnt, is largest at the far lags."
    assert!(fact("lstm_start_far_low") > 0.2 && fact("lstm_end_far_low") > 0.5);
    assert!(fact("rnn_start_early_high") < 0.02 && fact("lstm_start_early_low") > 0.3);
    // "The trained LSTM listens to the beginning more than to the last step. Its first half has more than the second."
    assert!(fact("lstm_end_reach_low") > 1.0 && fact("lstm_end_early_low") > 0.5);
    // "The usable signal of neither can be told from zero" at the start, though one sequence shows the mean.
    for cell in ["rnn", "lstm"] {
        assert!(fact(&format!("{cell}_start_far_snr_low")) > 1.0, "{cell}");
        let (low, high) = (format!("{cell}_start_far_usable_low"), format!("{cell}_start_far_usable_high"));
        assert!(fact(&low) < 0.0 && 0.0 < fact(&high), "{cell}");
    }
    // "The trained LSTM has it at all lags, the plain network never."
    let steps = number(&report, "config.task.steps");
    assert_eq!(fact("lstm_end_horizon"), steps);
    assert!(fact("lstm_midway_far_usable_low") > 0.0 && fact("lstm_end_far_usable_low") > 0.01);
    let usable = |name: &str| report.find_series(name).expect("a series").clone();
    assert!(usable("rnn_end_usable").y().iter().all(|u| *u < 0.01));
    // "The rescaled gradient of the plain network at the end has no usable signal at its far lags."
    let (low, _) = usable("rnn_end_usable_rescaled").band().expect("a band");
    let far = low.len() / 2..low.len() - 1;
    assert!(low[far.clone()].iter().filter(|low| **low <= 0.0).count() > far.len() / 2, "{low:?}");
    // "At g = 2 the far lags carry all but nothing less than the whole gradient, and it is noise. At g = 1 their share
    // depends by powers of ten on the input weights." The ranges are those of an earlier measurement: 99 %, SNR² ≲ 1e-3.
    for start in ["gain_2", "gain_2_strong_input"] {
        assert!(fact(&format!("{start}_far_low")) > 0.9 && fact(&format!("{start}_far")) > 0.99, "{start}");
        assert!(fact(&format!("{start}_far_snr")) < 1e-3, "{start}");
    }
    assert!(fact("gain_1_far") > 30.0 * fact("gain_1_strong_input_far"));
    assert!(fact("gain_1_far_snr_high") > 1.0);
    // "Solves it in every run; without far lags, in none. No better than with its own gradient."
    let runs = number(&report, "config.runs");
    assert_eq!([fact("lstm_solved"), fact("lstm_cut_solved")], [runs, 0.0]);
    assert_eq!([fact("rnn_solved"), fact("rnn_constant_norm_solved")], [0.0, 0.0]);
    for training in ["lstm_cut", "rnn", "rnn_constant_norm"] {
        let right = fact(&format!("{training}_right"));
        assert!((right / fact("constant_right") - 1.0).abs() < 0.1, "{training}: {right}");
    }
    // "It keeps far more of its gradient, but that is not enough either."
    assert!(fact("rnn_orthogonal_start_far") > 100.0 * fact("rnn_start_far"));
    assert!(2.0 * fact("rnn_orthogonal_solved") < runs);
    // "The first claim in this form fails, the second holds."
    let claims = longlag_experiments::gradient_is_a_sum::GradientIsASum::CLAIMS;
    let verdicts = claims.iter().map(|claim| claim.judge(&report).expect("a finding").verdict);
    assert_eq!(verdicts.collect::<Vec<_>>(), [Verdict::Fails, Verdict::Holds]);
}

#[test]
fn the_record_of_speed_agrees_with_itself() {
    let report = report("speed");
    assert_eq!(report.to_snapshot(), read(SPEED), "{SPEED} is laid out as reports are");
    let fact = |name: &str| number(&report, &format!("facts.{name}"));
    let three_digits = |x: f64| Number::rounded(x, 3).as_written().to_f64();
    let mut quotients = 0;
    for (name, table) in report.tables() {
        let Some(at) = table.columns().iter().position(|column| column == "ratio") else { continue };
        for row in table.rows() {
            let numbers: Vec<f64> =
                row[at - 2..].iter().map(|value| value.as_number().expect("a number").to_f64()).collect();
            let [ms, base_ms, ratio, lowest, highest] = numbers[..5] else { panic!("{name}: {row:?}") };
            assert_eq!(ratio, three_digits(ms / base_ms), "{name}: {row:?}");
            // Of rounded numbers.
            assert!(lowest <= ratio * 1.01 && ratio <= highest * 1.01, "{name}: {row:?}");
            if let [least_ms, most, share] = numbers[5..] {
                assert_eq!((most, share), (three_digits(ms / least_ms), three_digits(least_ms / base_ms)));
            }
            quotients += 1;
        }
    }
    assert!(quotients > 80, "{quotients} quotients");
    assert_eq!(fact("subnormal_slower"), three_digits(fact("peak") / fact("peak_subnormal")));

    // The operations of a step's products: gates, threads, and the columns that are multiplied.
    type Columns = fn(f64, f64) -> f64;
    let products: [(&str, f64, f64, Columns); 7] = [
        ("lstm", 4.0, 1.0, |i, h| 2.0 * (i + h) + h),
        ("lstm_two", 4.0, 2.0, |i, h| 2.0 * (i + h) + h),
        ("odd", 4.0, 1.0, |i, h| 2.0 * (i + h) + h),
        ("gru", 3.0, 1.0, |i, h| 2.0 * (i + h) + h),
        ("rnn", 1.0, 1.0, |i, h| 2.0 * (i + h) + h),
        ("train_dx", 4.0, 1.0, |i, h| 3.0 * (i + h)),
        ("forward", 4.0, 1.0, |i, h| i + h),
    ];
    for (name, gates, threads, columns) in products {
        let table = report.find_table(name).expect("a table");
        for (row, least) in table.rows().iter().zip(table.numbers("least_ms")) {
            let shape = row[0].to_string();
            let shape: Vec<f64> = shape.split(',').map(|size| size.parse().expect("a size")).collect();
            let [t, b, i, h] = shape[..] else { panic!("{name}: {shape:?}") };
            let operations = 2.0 * t * b * gates * h * columns(i, h);
            let expected = operations / (fact("peak") * threads * 1e6);
            assert!((least / expected - 1.0).abs() < 1e-3, "{name}: {shape:?} at least {least} ms");
        }
        let ratios = table.numbers("ratio");
        let logarithms: f64 = ratios.iter().map(|ratio| Real::ln(*ratio)).sum();
        let mean = Real::exp(logarithms / ratios.len() as f64);
        assert_eq!(fact(&format!("{name}_mean")), three_digits(mean), "{name}");
        let (low, high) = ratios.iter().fold((f64::MAX, 0.0_f64), |(l, h), r| (l.min(*r), h.max(*r)));
        assert_eq!((fact(&format!("{name}_low")), fact(&format!("{name}_high"))), (low, high), "{name}");
    }
}

#[test]
fn fast_and_the_same_bits() {
    let report = report("speed");
    let fact = |name: &str| number(&report, &format!("facts.{name}"));
    let cell = |path: &str| number(&report, &format!("tables.{path}"));
    // "An LSTM's training step is faster than PyTorch's at every shape, with one thread and with two, and so
    // are those of the other cells."
    for table in ["lstm", "lstm_two", "gru", "rnn", "odd"] {
        assert!(fact(&format!("{table}_low")) > 1.0, "{table}");
    }
    // "The products alone need more than two thirds of the time where layers are wide."
    for shape in ["100,64,128,256", "50,64,512,512", "35,20,650,650"] {
        let share = cell(&format!("lstm.{shape}.share"));
        assert!(share > 0.667, "{shape}: {share}");
    }
    // "No other technique brings as much as the kernel as a whole. None of the smaller ones brings a tenth."
    let ablation = report.find_table("ablation").expect("a table");
    for row in ablation.rows() {
        let (without, shape) = (row[0].to_string(), row[1].to_string());
        let of = |what: &str| cell(&format!("ablation.{what}.{shape}.ratio"));
        assert!(without == "fused" || of(&without) < of("fused").min(1.1), "{without} at {shape}");
    }
    // "Each of the others takes longer everywhere."
    assert!(report.find_table("peers").expect("a table").numbers("ratio").iter().all(|ratio| *ratio > 1.0));
    // "Where a core is taken away, two threads of PyTorch lose more than two of longlag."
    let with_core_taken = |program: &str| cell(&format!("loaded.{program}.2.true.ratio"));
    assert!(with_core_taken("longlag") < with_core_taken("PyTorch"));
    // "Two threads of longlag then take about as long as one that nobody disturbs."
    assert!(with_core_taken("longlag") < 1.15);
    // "The portable code is many times slower."
    assert!(cell("isa.portable.ratio") > 10.0);
    // "The vanishing gradient takes about as long as the ordinary one."
    assert!(cell("subnormal.longlag.vanishing.ratio") < 1.25);
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

/// PyTorch's time over longlag's, as the README shows it.
fn speed_table(speed: &Report) -> String {
    let columns = [
        ("LSTM", "lstm"),
        ("LSTM, two threads", "lstm_two"),
        ("LSTM with ∂L/∂x", "train_dx"),
        ("LSTM, forward only", "forward"),
        ("GRU", "gru"),
        ("RNN", "rnn"),
    ];
    let row = |first: &str, cells: [String; 6]| format!("| {first} | {} |\n", cells.join(" | "));
    let mut table = row("T, B, I, H", columns.map(|(title, _)| title.to_owned()));
    table += "|:---|---:|---:|---:|---:|---:|---:|\n";
    let value = |path: String| speed.value(&path).unwrap_or_else(|e| panic!("{e}")).to_string();
    for shape in speed.find_table("lstm").expect("a table").rows() {
        let shape = shape[0].to_string();
        let ratios = columns.map(|(_, name)| value(format!("tables.{name}.{shape}.ratio")));
        table += &row(&shape.replace(',', ", "), ratios);
    }
    table + &row("geometric mean", columns.map(|(_, name)| value(format!("facts.{name}_mean"))))
}

#[test]
fn the_table_of_the_readme_is_that_of_the_record() {
    let (readme, table) = (read("README.md"), speed_table(&report("speed")));
    let parts = readme.split_once("<!-- speed -->\n").and_then(|(before, rest)| {
        rest.split_once("<!-- end of speed -->").map(|(shown, behind)| (before, shown, behind))
    });
    let (before, shown, behind) = parts.expect("the README marks where the table is");
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") && shown != table {
        let readme = format!("{before}<!-- speed -->\n{table}<!-- end of speed -->{behind}");
        fs::write(root().join("README.md"), readme).expect("the table is written");
        return;
    }
    assert!(
        shown == table,
        "README.md is not what {SPEED} says: INSTA_UPDATE=always writes it again\n{table}"
    );
}

#[test]
fn no_figure_has_a_fault_in_its_layout() {
    for (name, spec) in longlag::figures() {
        let figure = (spec.draw)(&report(name)).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        assert_eq!(figure.lint(), Vec::<String>::new(), "{}", spec.name);
    }
}
