//! What the optimizers promise beside PyTorch's figures.

use longlag_optim::*;
use proptest::prelude::*;

const ADAM: AdamConfig = AdamConfig {
    learning_rate: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
    amsgrad: false,
    maximize: false,
};

fn sgd(learning_rate: f64, momentum: f64) -> SgdConfig {
    SgdConfig { learning_rate, momentum, ..SgdConfig::default() }
}

#[test]
fn momentum_sums_the_past() {
    let mut sgd = OptimizerConfig::Sgd(sgd(0.5, 0.5)).build(1);
    let mut p = [0.0];
    // The velocities are 1, 1.5, 1.75, 0.875.
    for (gradient, want) in [(1.0, -0.5), (1.0, -1.25), (1.0, -2.125), (0.0, -2.5625)] {
        sgd.step(&mut p, &[gradient]);
        assert_eq!(p, [want]);
    }
}

#[test]
fn without_momentum_the_past_is_forgotten() {
    let mut sgd = OptimizerConfig::Sgd(sgd(0.5, 0.0)).build(2);
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
        OptimizerConfig::Adam(AdamConfig { epsilon: 0.0, ..ADAM }).build(1).step(&mut p, &[gradient]);
        // Half a dozen roundings, and 1 − β₂ itself is off by 10⁻¹³ of its value.
        prop_assert!((p[0] / -0.01_f64.copysign(gradient) - 1.0).abs() < 1e-12, "{:?}", p);
    }

    #[test]
    fn every_entry_goes_its_own_way(gradients in prop::collection::vec([-1.0..1.0, -1e-6..1e-6], 1..20)) {
        for config in [
            OptimizerConfig::Adam(ADAM),
            OptimizerConfig::Sgd(sgd(0.1, 0.9)),
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
    let mut adam = OptimizerConfig::Adam(ADAM).build(1);
    let mut p = [3.0_f32];
    for _ in 0..10 {
        adam.step(&mut p, &[0.0]);
    }
    assert_eq!(p, [3.0]);
}

#[test]
fn both_find_the_bottom_of_a_bowl() {
    let configs = [
        OptimizerConfig::Sgd(sgd(0.02, 0.9)),
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
    let sgd = sgd(0.1, 0.0);
    let read = serde_json::from_str::<OptimizerConfig>(r#"{"sgd":{"learning_rate":0.1}}"#).unwrap();
    assert_eq!(read, OptimizerConfig::Sgd(sgd));
}

#[test]
fn a_broken_config_says_what_and_where() {
    let cases = [
        (r#"{"adam":{"learnin_rate":0.1}}"#, "unknown field `learnin_rate`"),
        (r#"{"adam":{"learning_rate":-0.1}}"#, "-0.1 must be 0 or more at line 1 column"),
        (r#"{"sgd":{"momentum":1.0}}"#, "1 must be at least 0 and below 1 at line 1 column"),
        (r#"{"sgd":{"dampening":1.5}}"#, "1.5 must be at least 0 and at most 1"),
        (r#"{"rmsprop":{"alpha":-1}}"#, "-1 must be at least 0 and below 1"),
        (r#"{"adm":{}}"#, "unknown variant `adm`, expected one of `sgd`, `adam`, `adamw`, "),
    ];
    for (json, want) in cases {
        let error = serde_json::from_str::<OptimizerConfig>(json).unwrap_err().to_string();
        assert!(error.contains(want), "{json}: {error}");
    }
}

#[test]
#[should_panic(expected = "Optimizer::step: made for 2 parameters, given 2 and a gradient of 1")]
fn wrong_lengths_panic() {
    OptimizerConfig::Adam(ADAM).build(2).step(&mut [0.0, 0.0], &[1.0]);
}

const STEPS: usize = 12;

/// Every kind of optimizer, with what has a memory of its own.
fn optimizers() -> Vec<OptimizerConfig> {
    [
        r#"{"sgd":{"momentum":0.9,"dampening":0.2}}"#,
        r#"{"sgd":{"momentum":0.9,"nesterov":true}}"#,
        r#"{"rmsprop":{"momentum":0.5}}"#,
        r#"{"rmsprop":{"centered":true}}"#,
        r#"{"adagrad":{"learning_rate_decay":0.1,"initial_accumulator":0.3}}"#,
        r#"{"adadelta":{}}"#,
        r#"{"adam":{}}"#,
        r#"{"adam":{"amsgrad":true,"beta2":0.5}}"#,
        r#"{"adamw":{"weight_decay":0.3}}"#,
        r#"{"nadam":{"weight_decay":0.1}}"#,
        r#"{"radam":{"beta2":0.9}}"#,
    ]
    .map(|json| serde_json::from_str(json).unwrap())
    .into()
}

fn schedules() -> Vec<Schedule> {
    [
        r#""none""#,
        r#"{"exponential":{"gamma":0.9}}"#,
        r#"{"one_cycle":{"steps":10}}"#,
        r#"{"chain":[{"warm_up":{"steps":4}},{"cosine_restarts":{"period":3,"period_factor":2}}]}"#,
        r#"{"sequence":[{"steps":3,"schedule":{"linear":{}}},{"schedule":{"polynomial":{"steps":7,"power":0.9}}}]}"#,
        r#"{"sequence":[{"steps":4,"schedule":{"one_cycle":{"steps":4}}},{"schedule":{"step":{"step_size":2}}}]}"#,
    ]
    .map(|json| serde_json::from_str(json).unwrap())
    .into()
}

/// A training of two ranges, of which the second has a gradient at every other step only.
struct Run<T> {
    parameters: Vec<T>,
    optimizer: Optimizer<T>,
    plateau: Plateau,
    telemetry: ClipTelemetry,
}

impl<T: longlag_numerics::Float> Run<T> {
    fn new(config: OptimizerConfig) -> Run<T> {
        let plateau = PlateauConfig { patience: 1, factor: 0.5, ..PlateauConfig::default() };
        Run {
            parameters: [1.0, -2.0, 3.0, 0.5].map(T::from_f64).into(),
            optimizer: Optimizer::new(4, [(0..3, config), (3..4, config.with_weight_decay(0.2))]),
            plateau: Plateau::new(plateau),
            telemetry: ClipTelemetry::default(),
        }
    }
    fn step(&mut self, k: usize, schedule: &Schedule, clip: Clip, gradients: &[[f64; 4]]) {
        let mut gradient = gradients[k].map(T::from_f64);
        let spans = [longlag_numerics::Span { name: "w".into(), shape: [2, 2], start: 0 }];
        self.telemetry.add(&clip.apply(&mut gradient, &self.parameters, &spans));
        let plateau = self.plateau;
        self.optimizer.set(
            |base| schedule.learning_rate(plateau.learning_rate(base), k as u64),
            schedule.momentum(k as u64),
        );
        self.optimizer.step_where(&mut self.parameters, &gradient, |range| range == 0 || k.is_multiple_of(2));
        self.plateau.observe(gradients[k][0]);
    }
    /// Puts all that goes on through the bytes of a file.
    fn saved_and_restored(&self, config: OptimizerConfig) -> Run<T>
    where
        T: serde::Serialize + for<'de> serde::Deserialize<'de>,
    {
        let all = (&self.parameters, self.optimizer.memory(), self.plateau.memory(), self.telemetry);
        let bytes = postcard::to_allocvec(&all).unwrap();
        let (parameters, memory, plateau, telemetry) = postcard::from_bytes(&bytes).unwrap();
        let mut run = Run { parameters, telemetry, ..Run::new(config) };
        run.optimizer.restore(memory).unwrap();
        run.plateau.restore(plateau);
        run
    }
}

fn goes_on<T>(gradients: &[[f64; 4]], stop: usize) -> Result<(), TestCaseError>
where
    T: longlag_numerics::Float + serde::Serialize + for<'de> serde::Deserialize<'de>,
{
    let clips = [
        Clip::None,
        Clip::Norm(0.5),
        Clip::PNorm { p: 3.0, limit: 0.5 },
        Clip::Value(0.3),
        Clip::Adaptive { factor: 0.1, epsilon: 1e-3 },
    ];
    for config in optimizers() {
        for schedule in schedules() {
            for clip in clips {
                let mut whole = Run::<T>::new(config);
                let mut stopped = Run::<T>::new(config);
                for k in 0..STEPS {
                    if k == stop {
                        stopped = stopped.saved_and_restored(config);
                    }
                    whole.step(k, &schedule, clip, gradients);
                    stopped.step(k, &schedule, clip, gradients);
                }
                let bits = |run: &Run<T>| run.parameters.iter().map(|p| p.bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&whole), bits(&stopped), "{:?}, {:?}, {:?}", config, schedule, clip);
                prop_assert_eq!(whole.optimizer.memory(), stopped.optimizer.memory());
                prop_assert_eq!((whole.plateau, whole.telemetry), (stopped.plateau, stopped.telemetry));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_stopped_training_goes_on_to_the_same_bits(
        gradients in prop::collection::vec([-2.0..2.0, -1.0..1.0, -0.1..0.1, -1.0..1.0], STEPS),
        stop in 0..STEPS,
    ) {
        goes_on::<f64>(&gradients, stop)?;
        goes_on::<f32>(&gradients, stop)?;
    }
}

#[test]
fn a_memory_of_another_optimizer_is_refused() {
    for (i, config) in optimizers().into_iter().enumerate() {
        let mut optimizer = config.build::<f64>(3);
        let before = optimizer.memory();
        assert_eq!(optimizer.restore(config.build(2).memory()), Err(ForeignMemory), "{i}");
        let mut longer = before.clone();
        longer.numbers.push(0.0);
        assert_eq!(optimizer.restore(longer), Err(ForeignMemory), "{i}");
        assert_eq!(optimizer.memory(), before);
    }
}

/// Records hold these bytes.
#[test]
fn what_sgd_and_adam_remember_is_laid_out_as_ever() {
    let layout = |config: OptimizerConfig| {
        let memory = config.build::<f32>(3).memory();
        (memory.vectors, memory.numbers)
    };
    assert_eq!(layout(OptimizerConfig::Sgd(sgd(0.1, 0.9))), (vec![vec![0.0; 3]], vec![]));
    assert_eq!(layout(OptimizerConfig::Adam(ADAM)), (vec![vec![0.0; 3]; 2], vec![1.0, 1.0]));
}

#[test]
fn a_range_without_gradient_stays_and_so_does_what_no_range_covers() {
    for config in optimizers() {
        let mut both = Optimizer::new(4, [(0..1, config), (2..4, config)]);
        let mut parameters = [1.0; 4];
        both.step_where(&mut parameters, &[1.0; 4], |range| range == 1);
        assert_eq!(parameters[..2], [1.0; 2], "{config:?}");
        assert!(parameters[2] < 1.0 && parameters[2] == parameters[3], "{config:?}: {parameters:?}");
        // The first range then begins as if nothing had been.
        both.step_where(&mut parameters, &[1.0; 4], |range| range == 0);
        let mut alone = [1.0];
        config.build(1).step(&mut alone, &[1.0]);
        assert_eq!(parameters[0], alone[0], "{config:?}");
    }
}

#[test]
#[should_panic(expected = "1..3 overlaps 0..2")]
fn overlapping_ranges_panic() {
    let config = OptimizerConfig::Adam(ADAM);
    let _ = Optimizer::<f64>::new(3, [(0..2, config), (1..3, config)]);
}

#[test]
fn schedules_read_as_they_are_written_and_say_what_is_wrong() {
    for schedule in schedules() {
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule, "{json}");
    }
    for (json, want) in [
        (r#"{"step":{"step_size":0}}"#, "0 must be 1 or more"),
        (r#"{"step":{"step_size":3,"gama":0.5}}"#, "unknown field `gama`"),
        (r#"{"cosine":{}}"#, "missing field `steps`"),
        (r#"{"one_cycle":{"steps":9,"rise":1.5}}"#, "1.5 must be at least 0 and at most 1"),
        (r#"{"one_cycle":{"steps":9,"momentum":[0.8,1.0]}}"#, "1 must be at least 0 and below 1"),
        (r#"{"lambda":{}}"#, "unknown variant `lambda`"),
    ] {
        let error = serde_json::from_str::<Schedule>(json).unwrap_err().to_string();
        assert!(error.contains(want), "{json}: {error}");
    }
    assert!(serde_json::to_string(&Schedule::Lambda(Lambda::new(|_| 1.0))).is_err());
    let error = serde_json::from_str::<PlateauConfig>(r#"{"factor":2.0}"#).unwrap_err().to_string();
    assert!(error.contains("2 must be at least 0 and at most 1"), "{error}");
}

#[test]
fn a_warm_up_is_its_formula() {
    let formula = Schedule::Lambda(Lambda::new(|t| ((t + 1) as f64 / 7.0).min(1.0)));
    let warm_up = Schedule::WarmUp { steps: 7 };
    for step in 0..10 {
        assert_eq!(warm_up.learning_rate(0.3, step), formula.learning_rate(0.3, step));
    }
}

#[test]
fn the_last_phase_holds_for_good_and_a_chain_multiplies() {
    let phase = |steps, factor| Phase { steps, schedule: Schedule::Constant { factor, steps: u64::MAX } };
    let sequence = Schedule::Sequence(vec![phase(Some(2), 0.5), phase(Some(1), 0.25)]);
    let rates: Vec<f64> = (0..5).map(|step| sequence.learning_rate(8.0, step)).collect();
    assert_eq!(rates, [4.0, 4.0, 2.0, 2.0, 2.0]);
    assert_eq!(Schedule::Sequence(vec![]).learning_rate(8.0, 3), 8.0);
    let chain = Schedule::Chain(vec![Schedule::WarmUp { steps: 4 }, Schedule::Exponential { gamma: 0.5 }]);
    let rates: Vec<f64> = (0..5).map(|step| chain.learning_rate(8.0, step)).collect();
    assert_eq!(rates, [2.0, 2.0, 1.5, 1.0, 0.5]);
    // After its end a cycle stays where it came to.
    let cycle = Schedule::OneCycle(OneCycle::new(10));
    assert_eq!(cycle.learning_rate(1.0, 9), cycle.learning_rate(1.0, 1000));
    assert_eq!(cycle.momentum(1000), Some(0.95));
}
