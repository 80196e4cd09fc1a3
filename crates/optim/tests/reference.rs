//! Clipping and optimizers against what PyTorch computed: the cases in `data/`.

use longlag_optim::{Clip, OptimizerConfig};
use serde_json::Value;

fn cases(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// Numbers; the non-finite ones are strings.
fn numbers(x: &Value) -> Vec<f64> {
    x.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap_or_else(|| x.as_str().unwrap().parse().unwrap()))
        .collect()
}

/// Both sides do the same few operations, in `f64`. PyTorch may fuse or reorder some of them, so that the
/// last digits differ; over twenty steps this stays below 10⁻¹³ of the value.
#[track_caller]
fn check(case: &Value, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{}", case["name"]);
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let same = got == want || got.is_nan() && want.is_nan();
        assert!(
            same || (got - want).abs() <= 1e-13 * want.abs(),
            "{}[{i}]: {got:e}, not {want:e}",
            case["name"]
        );
    }
}

#[test]
fn clipping_agrees_with_pytorch() {
    for case in cases(include_str!("data/clip.json")) {
        let clip: Clip = serde_json::from_value(case["clip"].clone()).unwrap();
        let before = numbers(&case["gradient"]);
        let mut gradient = before.clone();
        let clipped = clip.apply(&mut gradient);
        check(&case, &gradient, &numbers(&case["clipped"]));
        if let Clip::Norm(_) = clip {
            check(&case, &[clipped.norm_before], &numbers(&Value::Array(vec![case["norm"].clone()])));
        }
        assert_eq!(clipped.non_finite, before.iter().filter(|x| !x.is_finite()).count(), "{}", case["name"]);
    }
}

#[test]
fn optimizers_agree_with_pytorch() {
    for case in cases(include_str!("data/optim.json")) {
        let config: OptimizerConfig = serde_json::from_value(case["config"].clone()).unwrap();
        let mut parameters = numbers(&case["initial"]);
        let mut optimizer = config.build(parameters.len());
        let steps = case["gradients"].as_array().unwrap().iter().zip(case["parameters"].as_array().unwrap());
        for (gradient, want) in steps {
            optimizer.step(&mut parameters, &numbers(gradient));
            check(&case, &parameters, &numbers(want));
        }
    }
}
