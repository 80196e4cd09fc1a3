//! What the optimizers promise beside PyTorch's figures.

use longlag_optim::{Adam, AdamConfig, Optimizer, OptimizerConfig, Sgd, SgdConfig};
use proptest::prelude::*;

const ADAM: AdamConfig = AdamConfig { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

#[test]
fn momentum_sums_the_past() {
    let config = SgdConfig { learning_rate: 0.5, momentum: 0.5 };
    let mut sgd = Sgd::new(config, 1);
    let mut p = [0.0];
    // The velocities are 1, 1.5, 1.75, 0.875.
    for (gradient, want) in [(1.0, -0.5), (1.0, -1.25), (1.0, -2.125), (0.0, -2.5625)] {
        sgd.step(&mut p, &[gradient]);
        assert_eq!(p, [want]);
    }
}

#[test]
fn without_momentum_the_past_is_forgotten() {
    let mut sgd = Sgd::new(SgdConfig { learning_rate: 0.5, momentum: 0.0 }, 2);
    let mut p = [1.0_f32, 2.0];
    sgd.step(&mut p, &[8.0, -8.0]);
    sgd.step(&mut p, &[2.0, 0.0]);
    assert_eq!(p, [-4.0, 6.0]);
}

proptest! {
    /// Bias correction makes the first step η·sign(g), whatever the size of g.
    #[test]
    fn adams_first_step_is_the_learning_rate(exponent in -100..100, positive: bool) {
        let size: f64 = format!("1e{exponent}").parse().unwrap();
        let gradient = if positive { size } else { -size };
        let mut p = [0.0];
        Adam::new(AdamConfig { epsilon: 0.0, ..ADAM }, 1).step(&mut p, &[gradient]);
        // Half a dozen roundings, and 1 − β₂ itself is off by 10⁻¹³ of its value.
        prop_assert!((p[0] / -0.01_f64.copysign(gradient) - 1.0).abs() < 1e-12, "{:?}", p);
    }

    #[test]
    fn every_entry_goes_its_own_way(gradients in prop::collection::vec([-1.0..1.0, -1e-6..1e-6], 1..20)) {
        for config in [
            OptimizerConfig::Adam(ADAM),
            OptimizerConfig::Sgd(SgdConfig { learning_rate: 0.1, momentum: 0.9 }),
        ] {
            let (mut both, mut first) = (config.build(2), config.build(1));
            let (mut pair, mut single) = ([1.0, 2.0], [1.0]);
            for g in &gradients {
                both.step(&mut pair, g);
                first.step(&mut single, &g[..1]);
            }
            prop_assert_eq!(pair[0], single[0]);
        }
    }
}

#[test]
fn adam_stands_still_without_a_gradient() {
    let mut adam = Adam::new(ADAM, 1);
    let mut p = [3.0_f32];
    for _ in 0..10 {
        adam.step(&mut p, &[0.0]);
    }
    assert_eq!(p, [3.0]);
}

#[test]
fn both_find_the_bottom_of_a_bowl() {
    let configs = [
        OptimizerConfig::Sgd(SgdConfig { learning_rate: 0.02, momentum: 0.9 }),
        OptimizerConfig::Adam(AdamConfig { learning_rate: 0.05, ..ADAM }),
    ];
    for config in configs {
        let mut p = [3.0, -2.0];
        let mut optimizer = config.build(2);
        for _ in 0..2000 {
            let gradient = [p[0] - 1.0, 10.0 * (p[1] - 2.0)];
            optimizer.step(&mut p, &gradient);
        }
        assert!((p[0] - 1.0_f64).abs() < 1e-6 && (p[1] - 2.0_f64).abs() < 1e-6, "{config:?}: {p:?}");
    }
}

#[test]
fn a_config_reads_as_it_is_written() {
    let json = r#"{"adam":{"learning_rate":0.01,"beta1":0.9,"beta2":0.999,"epsilon":1e-8}}"#;
    assert_eq!(serde_json::to_string(&OptimizerConfig::Adam(ADAM)).unwrap(), json);
    assert_eq!(serde_json::from_str::<OptimizerConfig>(json).unwrap(), OptimizerConfig::Adam(ADAM));
    let sgd = SgdConfig { learning_rate: 0.1, momentum: 0.0 };
    let read = serde_json::from_str::<OptimizerConfig>(r#"{"sgd":{"learning_rate":0.1}}"#).unwrap();
    assert_eq!(read, OptimizerConfig::Sgd(sgd));
}

#[test]
fn a_broken_config_says_what_and_where() {
    let cases = [
        (r#"{"adam":{"learnin_rate":0.1}}"#, "unknown field `learnin_rate`"),
        (r#"{"adam":{"learning_rate":-0.1}}"#, "-0.1 must be 0 or more at line 1 column"),
        (r#"{"sgd":{"momentum":1.0}}"#, "1 must be at least 0 and below 1 at line 1 column"),
        (r#"{"adm":{}}"#, "unknown variant `adm`, expected `sgd` or `adam`"),
    ];
    for (json, want) in cases {
        let error = serde_json::from_str::<OptimizerConfig>(json).unwrap_err().to_string();
        assert!(error.contains(want), "{json}: {error}");
    }
}

#[test]
#[should_panic(expected = "Adam::step: made for 2 parameters, given 2 and a gradient of 1")]
fn wrong_lengths_panic() {
    Adam::new(ADAM, 2).step(&mut [0.0, 0.0], &[1.0]);
}
