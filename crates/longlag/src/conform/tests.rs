//! All cases of the repository, and whether a wrong one would be noticed.

use super::*;
use longlag_cells::{StateDict, Tensor};
use longlag_experiments::Silent;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference")
}

fn outcome_of(outcomes: &Outcomes) -> &Outcome {
    assert_eq!(outcomes.len(), 1);
    outcomes.values().next().unwrap()
}

#[test]
fn every_case_of_the_repository_passes() {
    let cases = cases(&reference(), &[]).unwrap();
    let index: Value = serde_json::from_slice(&fs::read(reference().join("index.json")).unwrap()).unwrap();
    let listed = index["cases"].as_array().unwrap().iter().map(|case| case["path"].as_str().unwrap());
    assert!(cases.iter().eq(listed), "the index lists other cases");

    let outcomes = run(&reference(), None, &cases, &Silent).unwrap();
    for (path, outcome) in &outcomes {
        assert_eq!(outcome, &Outcome::Passed, "{path}");
    }
    let counts = summary(&outcomes);
    let all = of_each([cases.len(), 0, 0]);
    assert!(counts.ends_with(&format!("all          {all}\n")), "{counts}");
}

/// One case of each group and kind of result.
const SAMPLES: [&str; 14] = [
    "cell/lstm_basic",
    "gradflow/lstm_default",
    "init/gain_table",
    "load/file_two_tensors",
    "load/state_dict_f16",
    "loss/bce_with_logits_pos_weight",
    "loss/cross_entropy_sequence",
    "loss/ctc_lengths",
    "norm/batchnorm1d_train_3d",
    "norm/layernorm_2axes",
    "onnx_random/lstm_bidirectional",
    "onnx/test_gru_batchwise",
    "rnn/gru_bi_layers2",
    "train/gru_h16",
];

/// A number that is off by ten tolerances, and one that isn't a number, in each expected tensor.
#[test]
fn a_result_outside_of_its_tolerance_fails() {
    for path in SAMPLES {
        let (_, compute) = GROUPS.iter().find(|(group, _)| path.starts_with(&format!("{group}/"))).unwrap();
        let case = Case::read(&reference().join(path)).unwrap();
        let computed = compute(&case).unwrap();
        for (name, expected) in &case.expected {
            let want: Vec<f64> = case.wanted(name).unwrap().numbers().unwrap();
            let at = want.len() / 2;
            let tolerance = expected.atol + expected.rtol * want[at].abs();
            for wrong in [want[at] + 10.0 * tolerance.max(f64::MIN_POSITIVE), f64::NAN] {
                for way in &computed {
                    assert_eq!(judge::judge(&case, way.name, &way.results), [""; 0], "{path}");
                    let tensor = way.results.get(name).unwrap();
                    let mut numbers: Vec<f64> = tensor.numbers().unwrap();
                    numbers[at] = if tolerance == 0.0 && !wrong.is_nan() { want[at] + 1.0 } else { wrong };
                    if tensor.is_integer() && wrong.is_nan() {
                        continue;
                    }
                    let mut results = way.results.clone();
                    results.insert(name, Tensor::new(tensor.dtype(), tensor.shape(), &numbers));
                    let problems = judge::judge(&case, way.name, &results);
                    assert_eq!(problems.len(), 1, "{path}: {problems:?}");
                    assert!(problems[0].starts_with(&format!("{name} ({})", way.name)), "{problems:?}");
                }
            }
            if !expected.optional {
                let mut results = computed[0].results.clone();
                results.retain(|other| other != name);
                assert_eq!(judge::judge(&case, "way", &results), [format!("{name} (way): missing")]);
            }
        }
    }
}

/// Numbers of another distribution with the same bounds, mean or deviation, or of another mask.
#[test]
fn a_result_without_its_property_fails() {
    type Change = fn(usize, f64) -> f64;
    let wrong: [(&str, &str, Change, &str); 13] = [
        ("init/constant", "weight", |k, x| if k == 7 { -x } else { x }, "entry 7 is -3e-1, not 3e-1"),
        (
            "init/uniform",
            "weight",
            |k, x| if k == 7 { 0.300001 } else { x },
            "entry 7 is 3.00001e-1, not from",
        ),
        ("init/uniform", "weight", |k, x| if k == 7 { f64::NAN } else { x }, "entry 7 is NaN"),
        ("init/uniform", "weight", |_, x| 0.3 - (0.3 - x) * 0.9, "the mean is 0.1"),
        ("init/uniform", "weight", |_, x| 0.1 + (x - 0.1) * 0.9, "the standard deviation is 0."),
        // Two numbers with the mean and the deviation of all of them.
        (
            "init/uniform",
            "weight",
            |k, _| 0.1 + [-1.0, 1.0][k % 2] * 0.2 / 3_f64.sqrt(),
            "Kolmogorov-Smirnov",
        ),
        ("init/normal", "weight", |k, _| [0.4, 0.6][k % 2], "Kolmogorov-Smirnov"),
        ("init/normal", "weight", |_, x| x + 0.01, "the mean is 0.5"),
        ("init/orthogonal_tall", "weight", |k, x| if k == 7 { x + 1e-8 } else { x }, "are not orthogonal"),
        ("norm/dropout_random_a", "output", |_, x| x * 1.000001, ", neither 0 nor "),
        ("norm/dropout_random_a", "output", |_, _| 0.0, "3000 of 3000 entries are dropped"),
        (
            "norm/dropout_random_b",
            "grad.input",
            |k, x| if k < 40 { 1.0 } else { x },
            "the gradient's entry 0 is 1e0",
        ),
        ("norm/dropout_random_b", "grad.input", |_, _| f64::NAN, "the gradient's entry 0 is NaN"),
    ];
    for (path, name, change, what) in wrong {
        let (_, compute) = GROUPS.iter().find(|(group, _)| path.starts_with(&format!("{group}/"))).unwrap();
        let case = Case::read(&reference().join(path)).unwrap();
        let mut results = compute(&case).unwrap().remove(0).results;
        assert_eq!(judge::judge(&case, "way", &results), [""; 0], "{path}");
        let tensor = results.get(name).unwrap();
        let numbers: Vec<f64> = tensor.numbers().unwrap();
        let numbers: Vec<f64> = numbers.into_iter().enumerate().map(|(k, x)| change(k, x)).collect();
        results.insert(name, Tensor::new(tensor.dtype(), tensor.shape(), &numbers));
        let problems = judge::judge(&case, "way", &results);
        assert!(problems.len() == 1 && problems[0].contains(what), "{path}: {problems:?}, not {what}");
        results.retain(|other| other != name);
        let problems = judge::judge(&case, "way", &results);
        assert!(problems.len() == 1 && problems[0].ends_with("missing"), "{path}: {problems:?}");
    }
}

/// A copy of a case that may be changed.
struct Copy {
    folder: TempDir,
    path: &'static str,
}

impl Copy {
    fn of(path: &'static str) -> Copy {
        let copy = Copy { folder: tempfile::tempdir().unwrap(), path };
        fs::create_dir_all(copy.folder.path().join(path)).unwrap();
        for entry in fs::read_dir(reference().join(path)).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, copy.file(from.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        copy
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(self.path).join(name)
    }

    fn with_options(self, changes: &Value) -> Copy {
        let place = self.file(CASE);
        let mut case: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
        for (pointer, value) in changes.as_object().unwrap() {
            let (group, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
            let group = if group.is_empty() { "/options".to_owned() } else { format!("/options/{group}") };
            case.pointer_mut(&group).unwrap()[name] = value.clone();
        }
        fs::write(place, case.to_string()).unwrap();
        self
    }

    fn run(&self) -> Outcome {
        let cases = cases(self.folder.path(), &[]).unwrap();
        outcome_of(&run(self.folder.path(), None, &cases, &Silent).unwrap()).clone()
    }

    /// The one problem, without the folder's name.
    fn problem(&self) -> String {
        match self.run() {
            Outcome::Failed(problems) if problems.len() == 1 => {
                let folder = format!("{}/{}/", self.folder.path().display(), self.path);
                problems[0].replace('\\', "/").replace(&folder.replace('\\', "/"), "")
            }
            other => panic!("{}: {other:?}", self.path),
        }
    }
}

#[test]
fn another_option_fails_or_is_not_known() {
    let outside = "times the tolerance";
    for (path, options, what) in [
        ("rnn/rnn_tanh_layers2", json!({"mode": "RNN_RELU"}), outside),
        ("rnn/rnn_tanh_dropout_eval", json!({"training": true, "dropout": 1.0}), outside),
        ("onnx_random/gru_forward_lbr0", json!({"attributes/linear_before_reset": 1}), outside),
        ("onnx_random/lstm_clip", json!({"attributes/clip": 0.5}), outside),
        ("onnx_random/lstm_forward", json!({"attributes/input_forget": 1}), outside),
        ("train/lstm_h16", json!({"optimizer/lr": 0.02}), outside),
        ("train/lstm_h16", json!({"clip_grad_norm/max_norm": 0.5}), outside),
        ("init/xavier_uniform", json!({"gain": 0.9}), "the standard deviation is 0."),
        ("init/xavier_normal", json!({"gain": 1.1}), "the standard deviation is 0."),
        ("init/uniform", json!({"low": -0.2}), ", not from -1e-1 to 3e-1"),
        ("init/normal", json!({"mean": 0.52}), "the mean is 0.5"),
        ("init/constant", json!({"value": 0.2}), "entry 0 is 2e-1, not 3e-1"),
        ("init/orthogonal_tall", json!({"gain": 1.1}), "vectors 0 and 0 are not orthogonal of length 1"),
        ("init/kaiming_uniform_fan_in_relu", json!({"mode": "fan_out"}), "the standard deviation is 0."),
        ("init/recurrent_default", json!({"hidden_size": 40}), "not from -1.4"),
        ("init/recurrent_default", json!({"shape": [50, 80]}), "the shape isn't that of the property"),
        ("init/uniform", json!({"high": -0.3}), "no numbers from -0.1 to below -0.3"),
        ("loss/cross_entropy_smoothing", json!({"label_smoothing": 0.2}), outside),
        ("loss/cross_entropy_ignore_mean", json!({"ignore_index": -100}), outside),
        (
            "loss/cross_entropy_ignore_negative",
            json!({"ignore_index": -1}),
            "`target` has -100, which is none",
        ),
        ("loss/mse_mean", json!({"reduction": "sum"}), outside),
        ("loss/mse_mean", json!({"reduction": "none"}), "the input `d_loss` has the shape [], and [4, 4]"),
        ("loss/ctc_basic", json!({"blank": 5}), "the blank is 5, and there are 5 classes"),
        ("loss/ctc_blank_last", json!({"blank": 0}), "`targets` has 0, not a class below 5"),
        ("loss/ctc_infinite_zero_infinity_sum", json!({"zero_infinity": false}), outside),
        ("norm/batchnorm1d_train_3d", json!({"momentum": 0.2}), outside),
        ("norm/batchnorm1d_train_3d", json!({"training": false}), outside),
        (
            "norm/batchnorm1d_train_3d",
            json!({"num_features": 4}),
            "the input `weight` has the shape [6], and [4]",
        ),
        ("norm/layernorm_2axes", json!({"eps": 0.1}), outside),
        ("norm/layernorm_2axes", json!({"normalized_shape": [4]}), "doesn't end with the axes [4]"),
        (
            "norm/layernorm_nobias",
            json!({"bias": true}),
            "the option `bias` is true, and false by the tensors",
        ),
        ("norm/dropout_given_mask", json!({"p": 0.4}), outside),
        ("norm/dropout_random_a", json!({"p": 0.3}), ", neither 0 nor "),
        ("rnn/lstm_layers2", json!({"hidden_size": 7}), "the option `hidden_size` is 7, and "),
        ("rnn/lstm_layers2", json!({"num_layers": 3}), "the option `num_layers` is 3, and 2 by the tensors"),
        ("rnn/lstm_layers2", json!({"batch_first": true}), "by the tensors"),
        ("rnn/lstm_layers2", json!({"dropout": "much"}), "option `dropout`: invalid type"),
        ("rnn/lstm_layers2", json!({"bias": null}), "the option `bias` is missing"),
        (
            "onnx_random/lstm_forward",
            json!({"attributes/activations": ["Sigmoid"]}),
            "1 activations, and 3 are needed",
        ),
    ] {
        let Outcome::Failed(problems) = Copy::of(path).with_options(&options).run() else {
            panic!("{path} with {options} is not noticed")
        };
        assert!(problems.iter().all(|problem| problem.contains(what)), "{path} with {options}: {problems:?}");
    }
    for (path, options, what) in [
        ("rnn/lstm_layers2", json!({"mode": "GRU"}), "the kind LSTM"),
        ("rnn/lstm_layers2", json!({"mode": "QRNN"}), "mode = QRNN"),
        ("rnn/lstm_layers2", json!({"zoneout": 0.1}), "the option `zoneout`"),
        ("rnn/lstm_layers2", json!({"dropout": 0.5}), "dropout = 0.5 in training: other random numbers"),
        ("init/gain_table", json!({"order": ["tanh", "sine"]}), "nonlinearity = sine"),
        ("init/kaiming_normal_fan_in_relu", json!({"mode": "fan_average"}), "mode = fan_average"),
        ("init/linear_default", json!({"rule": "uniform"}), "the rule `uniform`"),
        ("init/normal", json!({"a": -2, "b": 2}), "the option `a`"),
        ("loss/cross_entropy_mean", json!({"reduction": "batchmean"}), "reduction = batchmean"),
        ("loss/cross_entropy_mean", json!({"focus": 2}), "the option `focus`"),
        ("norm/batchnorm1d_train_nostats", json!({"renorm": true}), "the option `renorm`"),
        ("norm/dropout_p0", json!({"p": 0.5}), "p = 0.5 in training: other random numbers"),
        ("onnx_random/lstm_forward", json!({"opset": 23}), "opset = 23"),
        (
            "onnx_random/lstm_forward",
            json!({"attributes/output_sequence": 1}),
            "the option `output_sequence`",
        ),
        (
            "onnx_random/lstm_hard_sigmoid",
            json!({"attributes/activations": ["Sine", "Tanh", "Tanh"]}),
            "`Sine` is no activation of ONNX",
        ),
        ("train/lstm_h16", json!({"optimizer/kind": "SGD"}), "kind = SGD"),
        ("train/lstm_h16", json!({"optimizer/amsgrad": true}), "the option `amsgrad`"),
    ] {
        let outcome = Copy::of(path).with_options(&options).run();
        assert_eq!(outcome, Outcome::Unknown(what.to_owned()), "{path} with {options}");
    }
}

#[test]
fn damaged_cases_are_named() {
    const PATH: &str = "rnn/lstm_layers2";
    let case = Copy::of(PATH);
    fs::write(case.file(CASE), "{").unwrap();
    assert_eq!(case.problem(), "case.json: EOF while parsing an object at line 1 column 1");
    fs::remove_file(case.file(CASE)).unwrap();
    assert!(case.problem().starts_with("case.json: can't be read: "));

    let case = Copy::of(PATH);
    let tensors = case.file("tensors.safetensors");
    let bytes = fs::read(&tensors).unwrap();
    fs::write(&tensors, &bytes[..bytes.len() - 8]).unwrap();
    let problem = case.problem();
    assert!(
        problem
            .starts_with("tensors.safetensors: this is no safetensors file, or a damaged one: by its header"),
        "{problem}"
    );

    let mut cut = StateDict::from_bytes(&bytes).unwrap();
    cut.retain(|name| name != "h0");
    fs::write(&tensors, cut.to_bytes()).unwrap();
    let problem = case.problem();
    assert!(problem.starts_with("tensors.safetensors: `h0` is missing, and F64 ["), "{problem}");

    let case = Copy::of("rnn/gru_lengths_sorted");
    let tensors = case.file("tensors.safetensors");
    let mut wrong = StateDict::from_bytes(&fs::read(&tensors).unwrap()).unwrap();
    let lengths = wrong.get("lengths").unwrap();
    let longer: Vec<f64> = lengths.numbers::<f64>().unwrap().iter().map(|n| n + 100.0).collect();
    wrong.insert("lengths", Tensor::new(lengths.dtype(), lengths.shape(), &longer));
    fs::write(&tensors, wrong.to_bytes()).unwrap();
    let problem = case.problem();
    assert!(problem.starts_with("`lengths` has 10"), "{problem}");
}
