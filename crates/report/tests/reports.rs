//! Reports: built, written, read back, compared, looked up.
use longlag_report::{Number, Report, Value};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Config {
    seed: u64,
    hidden: usize,
    learning_rate: f32,
    steps: Vec<usize>,
    clip: Option<f64>,
}

fn config() -> Config {
    Config { seed: u64::MAX, hidden: 32, learning_rate: 0.01, steps: vec![1, 2, 7, 40], clip: None }
}

fn sample() -> Report {
    let mut report = Report::new("first-race", &config());
    report
        .fact("lstm_accuracy", 0.912_345_678)
        .fact("gru_accuracy", 0.9)
        .fact("smallest_gradient", Number::rounded(3.14159e-9, 2))
        .fact("diverged", f64::INFINITY)
        .fact("undefined", f64::NAN)
        .fact("updates", 400)
        .fact("passed", true)
        .fact("hash", "00ff12ab34cd56ef");
    report
        .table("accuracy", ["cell", "accuracy", "parameters"])
        .row(("LSTM", 0.912, 13_210))
        .row(("RNN", 0.5, 13_199))
        .row(("GRU, reset \"before\"", f32::NAN, -1));
    report
        .table("disagreement", ["cell", "T", "duals"])
        .row(("LSTM", 1, 0.0))
        .row(("LSTM", 40, 6.5e-13))
        .row(("GRU", 1, 1.1e-16));
    let steps = 0..20;
    report.series("loss", steps.clone(), steps.clone().map(|t| 1.0 / (1.0 + f64::from(t))));
    let ys = |scale: f64| move |t| scale / f64::from(t + 3);
    report.band("norm", [0.5, 1.5], (0..2).map(ys(1.0)), (0..2).map(ys(0.5)), (0..2).map(ys(2.0)));
    report
}

#[test]
fn a_snapshot_is_readable() {
    insta::assert_snapshot!("snapshot", sample().to_snapshot());
}

#[test]
fn a_snapshot_reads_back() {
    let text = sample().to_snapshot();
    let read = Report::from_snapshot(&text).unwrap();
    assert_eq!(read.to_snapshot(), text);
    assert_eq!(read.config_as::<Config>().unwrap(), config());
    assert!(read.value("facts.undefined").unwrap().as_number().unwrap().to_f64().is_nan());
    assert_eq!(read.value("facts.diverged").unwrap().as_number().unwrap().to_f64(), f64::INFINITY);
    // By way of serde alone too.
    let value = serde_json::to_value(&read).unwrap();
    assert_eq!(serde_json::from_value::<Report>(value).unwrap().to_snapshot(), text);
}

#[test]
fn broken_snapshots_say_where() {
    let text = sample().to_snapshot();
    for (from, to, expected) in [
        ("\"facts\"", "\"fact\"", "unknown field `fact`"),
        ("[\"LSTM\", 0.912, 13210]", "[\"LSTM\", 0.912]", "row 0 has 2 entries under 3 columns"),
        ("\"x\": [0.5, 1.5]", "\"x\": [0.5]", "unequal lengths"),
        ("\"x\": [0.5, 1.5]", "\"x\": [\"half\", 1.5]", "expected a number"),
        ("\"passed\": true", "\"passed\": []", "a number, a text, true or false"),
        ("\"cell\", \"T\"", "\"cell\", \"cell\"", "two columns \"cell\""),
    ] {
        let broken = text.replace(from, to);
        assert_ne!(broken, text, "{from} is not in the snapshot");
        let message = Report::from_snapshot(&broken).unwrap_err().to_string();
        assert!(message.starts_with("not a report: ") && message.contains(expected), "{message}");
        assert!(message.contains(" line "), "{message}");
    }
}

#[test]
fn values_are_found_by_path() {
    let report = sample();
    for (path, expected) in [
        ("experiment", "first-race"),
        ("facts.lstm_accuracy", "0.912346"),
        ("facts.passed", "true"),
        ("tables.accuracy.LSTM.accuracy", "0.912"),
        ("tables.accuracy.GRU, reset \"before\".parameters", "-1"),
        ("tables.disagreement.LSTM.40.duals", "6.5e-13"),
        ("tables.disagreement.GRU.duals", "1.1e-16"),
        ("series.loss.y.3", "0.25"),
        ("series.loss.x.last", "19"),
        ("series.norm.high.0", "0.666667"),
        ("config.hidden", "32"),
        ("config.learning_rate", "0.01"),
        ("config.steps.3", "40"),
        ("config.seed", "18446744073709551615"),
        ("config.clip", "null"),
    ] {
        assert_eq!(report.value(path).map(|value| value.to_string()), Ok(expected.to_owned()), "{path}");
    }
}

#[test]
fn names_may_hold_dots() {
    let mut report = Report::new("dots", &());
    report.fact("a", 1).fact("a.b", 2);
    report.table("rates", ["rate", "loss"]).row((0.5, 10)).row((0.05, 11));
    assert_eq!(report.value("facts.a.b").unwrap().to_string(), "2");
    assert_eq!(report.value("facts.a").unwrap().to_string(), "1");
    assert_eq!(report.value("tables.rates.0.05.loss").unwrap().to_string(), "11");
}

#[test]
fn a_miss_lists_what_exists() {
    let report = sample();
    let paths = [
        "fact.lstm_accuracy",
        "facts.lstm_acuracy",
        "facts",
        "facts.updates.total",
        "tables.accuracy.GRU.accuracy",
        "tables.accuracy.LSTM.acuracy",
        "tables.accuracy.LSTM",
        "tables.disagreement.LSTM.duals",
        "series.loss.low.0",
        "series.loss.y.20",
        "config.steps",
        "config.hiden",
        "",
    ];
    let messages: Vec<String> =
        paths.iter().map(|path| report.value(path).unwrap_err().to_string()).collect();
    insta::assert_snapshot!("misses", messages.join("\n"));
    assert_eq!(report.find_series("los").unwrap_err().known[0], "loss");
    assert_eq!(report.find_table("accurcy").unwrap_err().known[0], "accuracy");
}

#[test]
fn tables_for_every_reader() {
    let report = sample();
    let table = report.find_table("accuracy").unwrap();
    insta::assert_snapshot!(
        "tables",
        [
            table.to_markdown(),
            table.to_text(),
            table.to_csv(),
            report.find_table("disagreement").unwrap().to_text()
        ]
        .join("\n")
    );
    assert_eq!(table.numbers("parameters"), [13210.0, 13199.0, -1.0]);
}

#[test]
fn reports_differ_by_a_bit() {
    let ours = sample();
    assert_eq!(ours.first_difference(&sample()), None);
    let mut theirs = sample();
    theirs.fact("zero", 0.0);
    let mut minus = sample();
    minus.fact("zero", -0.0);
    assert_eq!(
        theirs.first_difference(&minus).unwrap(),
        "facts.zero: 0.0 (bits 0000000000000000) against -0.0 (bits 8000000000000000)"
    );
    assert_eq!(
        ours.first_difference(&theirs).unwrap(),
        "tables.accuracy row 0, cell stands where the other report has facts.zero"
    );
    let with_series = |last: f64, digits: u8| {
        let mut report = Report::new("e", &());
        report.series("s", [0, 1], [Number::rounded(0.1, digits), Number::rounded(last, digits)]);
        report
    };
    let next = f64::from_bits(0.2f64.to_bits() + 1);
    assert_eq!(with_series(0.2, 6).to_snapshot(), with_series(next, 6).to_snapshot());
    let difference = with_series(0.2, 6).first_difference(&with_series(next, 6)).unwrap();
    assert!(difference.starts_with("series.s.y.1: 0.2 (bits "), "{difference}");
    assert!(with_series(0.2, 6).bits_equal(&with_series(0.2, 2)), "digits belong to the writing");
    assert!(!with_series(f64::NAN, 6).bits_equal(&with_series(0.2, 6)));
    assert!(with_series(f64::NAN, 6).bits_equal(&with_series(f64::NAN, 6)));
    assert_eq!(
        Report::new("e", &()).first_difference(&with_series(0.2, 6)).unwrap(),
        "series.s.x.0 is only in the other report"
    );
}

#[test]
#[should_panic(expected = "the report has a fact \"updates\" already")]
fn a_fact_has_one_value() {
    sample().fact("updates", 1);
}

#[test]
#[should_panic(expected = "2 entries under the columns [\"cell\", \"T\", \"duals\"]")]
fn a_row_has_every_column() {
    let mut report = Report::new("e", &());
    report.table("t", ["cell", "T", "duals"]).row(("LSTM", 1));
}

#[test]
#[should_panic(expected = "series \"s\": a series of unequal lengths")]
fn a_series_has_one_length() {
    Report::new("e", &()).series("s", [1, 2], [1.0]);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (any::<u64>(), 1u8..=15)
            .prop_map(|(bits, digits)| Number::rounded(f64::from_bits(bits), digits).into()),
        any::<f64>().prop_map(|value| Number::exact(value).into()),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn written_read_written_is_the_same_text(
        facts in proptest::collection::btree_map(any::<String>(), any_value(), 0..8),
        rows in proptest::collection::vec((any_value(), any_value()), 0..8),
        points in proptest::collection::vec((any::<f64>(), any::<u64>().prop_map(f64::from_bits)), 0..40),
    ) {
        let mut report = Report::new("property", &serde_json::json!({ "rate": 0.1, "nested": [{}, [], [1, [2]]] }));
        for (name, value) in facts {
            report.fact(name, value);
        }
        let table = report.table("table", ["a", "b"]);
        for row in rows {
            table.row(row);
        }
        let (x, y): (Vec<_>, Vec<_>) = points.into_iter().unzip();
        report.band("series", x, y.clone(), y.clone(), y);
        let text = report.to_snapshot();
        let read = Report::from_snapshot(&text).unwrap();
        prop_assert_eq!(read.to_snapshot(), text);
    }
}
