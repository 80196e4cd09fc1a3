//! What the training loop does, and shows of it.

use longlag_autodiff::{Bound, Place, Tape, Var, check};
use longlag_cells::init::Init;
use longlag_cells::{
    Cell, Initialisation, Linear, Network, Stack, StackRequest, State,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use longlag_optim::{
    AdamConfig, Clip, Group, OptimizerConfig, PlateauConfig, Schedule,
    SgdConfig,
};
use longlag_train::{
    CarriedState, Diverged, EarlyStopping, NonFinitePolicy, Trainer,
    TrainerConfig, Truncation, Updated, Window, mse, omega,
};
use ndarray::{Array2, Axis, Slice, array};
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::{ControlFlow, Range};

/// Two parameters, a = (3, 4) and b = (0, 0, 0).
fn parameters() -> Parameters<f64> {
    let mut parameters = Parameters::default();
    parameters.push("a", [1, 2], 0.0);
    parameters.push("b", [1, 3], 0.0);
    parameters.values[..2].copy_from_slice(&[3.0, 4.0]);
    parameters
}

fn sgd(learning_rate: f64) -> OptimizerConfig {
    OptimizerConfig::Sgd(SgdConfig { learning_rate, ..SgdConfig::default() })
}

fn adam() -> OptimizerConfig {
    OptimizerConfig::Adam(AdamConfig {
        learning_rate: 0.1,
        ..AdamConfig::default()
    })
}

/// ½|a|² + Σ b, whose gradient is a and ones.
fn bowl<'t>(bound: &Bound<'t, '_, f64>) -> Var<'t, f64> {
    let a = bound.get("a");
    (a * a).sum().scale(0.5) + bound.get("b").sum()
}

/// ½|a|² + Σ b·f, whose gradient by b is f.
fn bowl_with<'t>(bound: &Bound<'t, '_, f64>, f: [f64; 3]) -> Var<'t, f64> {
    let [x, y, z] = f;
    let (a, f) =
        (bound.get("a"), bound.tape().constant(&array![[x, y, z]].view()));
    (a * a).sum().scale(0.5) + (bound.get("b") * f).sum()
}

#[test]
fn the_observer_sees_each_update() {
    let mut trainer = Trainer::new(parameters(), sgd(0.5), Clip::None);
    let mut seen = Vec::new();
    trainer
        .run(
            3,
            |_, bound| bowl(bound),
            |step| {
                assert_eq!(step.clipped.factor, 1.0);
                seen.push((
                    step.update,
                    step.loss,
                    step.gradient.to_vec(),
                    step.parameters.values.clone(),
                ));
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    // a halves, b falls by ½; the loss is that before the update, the parameters those after it.
    let want = [
        (
            1,
            12.5,
            vec![3.0, 4.0, 1.0, 1.0, 1.0],
            vec![1.5, 2.0, -0.5, -0.5, -0.5],
        ),
        (
            2,
            3.125 - 1.5,
            vec![1.5, 2.0, 1.0, 1.0, 1.0],
            vec![0.75, 1.0, -1.0, -1.0, -1.0],
        ),
        (
            3,
            0.78125 - 3.0,
            vec![0.75, 1.0, 1.0, 1.0, 1.0],
            vec![0.375, 0.5, -1.5, -1.5, -1.5],
        ),
    ];
    assert_eq!(seen, want);
    assert_eq!(trainer.parameters.values, want[2].3);
}

#[test]
fn a_break_stops_and_a_further_run_goes_on_counting() {
    let mut trainer = Trainer::new(parameters(), adam(), Clip::None);
    let (mut asked, mut seen) = (Vec::new(), Vec::new());
    let mut run = |trainer: &mut Trainer<f64>, updates, last| {
        trainer
            .run(
                updates,
                |update, bound| {
                    asked.push(update);
                    bowl(bound)
                },
                |step| {
                    seen.push(step.update);
                    if step.update == last {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            )
            .unwrap();
    };
    run(&mut trainer, 5, 2);
    run(&mut trainer, 4, 99);
    // All four are done.
    run(&mut trainer, 4, 99);
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(asked, seen);

    let mut at_once = Trainer::new(parameters(), adam(), Clip::None);
    at_once
        .run(4, |_, bound| bowl(bound), |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(trainer.parameters, at_once.parameters);
}

#[test]
fn the_optimizer_gets_the_clipped_gradient() {
    let mut trainer = Trainer::new(parameters(), sgd(1.0), Clip::Norm(1.0));
    let mut clipped = None;
    trainer
        .update(
            |bound| {
                let a = bound.get("a");
                (a * a).sum().scale(0.5)
            },
            |step| clipped = Some((step.clipped, step.gradient.to_vec())),
        )
        .unwrap();
    let (clipped, gradient) = clipped.unwrap();
    let factor = 1.0 / (5.0 + 1e-6);
    assert_eq!((clipped.norm_before, clipped.factor), (5.0, factor));
    assert_eq!(gradient, [3.0 * factor, 4.0 * factor, 0.0, 0.0, 0.0]);
    assert_eq!(
        trainer.parameters.values,
        [3.0 - 3.0 * factor, 4.0 - 4.0 * factor, 0.0, 0.0, 0.0]
    );
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing_and_names_the_parameter() {
    for clip in [Clip::None, Clip::Norm(1.0), Clip::Value(1.0)] {
        let mut trainer = Trainer::new(parameters(), adam(), clip);
        let good = [1.0, 2.0, 3.0];
        trainer.update(|bound| bowl_with(bound, good), |_| {}).unwrap();
        let before = trainer.parameters.clone();

        let bad = [1.0, f64::INFINITY, f64::NAN];
        let error = trainer
            .update(|bound| bowl_with(bound, bad), |_| panic!("observed"))
            .unwrap_err();
        assert_eq!(trainer.parameters, before);
        let Diverged { update, loss, ref parameter, non_finite, .. } = error;
        assert_eq!(
            (update, parameter.as_deref(), non_finite),
            (2, Some("b"), 2)
        );
        assert!(loss.is_nan());
        assert_eq!(
            error.to_string(),
            "update 2: 2 entries of the gradient are infinite or NaN, the first in `b`; the loss was NaN; first \
             of all, an input, (1, 3), read by operation 4, `mul`, has inf in row 0, column 1"
        );
        // The optimizer's state stayed as it was too: what follows is as if the bad batch had not been.
        let mut undisturbed = Trainer::new(parameters(), adam(), clip);
        undisturbed.update(|bound| bowl_with(bound, good), |_| {}).unwrap();
        let mut updates = Vec::new();
        for trainer in [&mut trainer, &mut undisturbed] {
            trainer
                .update(
                    |bound| bowl_with(bound, good),
                    |step| updates.push(step.update),
                )
                .unwrap();
        }
        assert_eq!(updates, [2, 2]);
        assert_eq!(trainer.parameters, undisturbed.parameters);
    }
}

#[test]
fn a_run_ends_at_a_gradient_that_is_not_finite() {
    let mut trainer = Trainer::new(parameters(), sgd(0.5), Clip::None);
    let mut seen = Vec::new();
    let error = trainer
        .run(
            9,
            |update, bound| {
                bowl_with(
                    bound,
                    [
                        if update == 3 { f64::NEG_INFINITY } else { 1.0 },
                        1.0,
                        1.0,
                    ],
                )
            },
            |step| {
                seen.push(step.update);
                ControlFlow::Continue(())
            },
        )
        .unwrap_err();
    assert_eq!(
        (error.update, error.parameter.as_deref(), error.non_finite),
        (3, Some("b"), 1)
    );
    assert_eq!(seen, [1, 2]);
}

#[test]
fn a_training_goes_on_from_a_checkpoint() {
    for optimizer in [sgd(0.1), adam()] {
        let start = || Trainer::new(parameters(), optimizer, Clip::Norm(1.0));
        let go = |trainer: &mut Trainer<f64>, to| {
            let ended = trainer.run(
                to,
                |update, bound| {
                    bowl_with(bound, [update as f64, 1.0, -(update as f64)])
                },
                |_| ControlFlow::Continue(()),
            );
            ended.unwrap();
        };
        let mut whole = start();
        go(&mut whole, 5);
        let mut first = start();
        go(&mut first, 2);
        let checkpoint = first.checkpoint();
        assert_eq!(checkpoint.updates, 2);
        let mut second = start();
        second.restore(checkpoint).unwrap();
        assert_eq!(second.updates(), 2);
        go(&mut second, 5);
        assert_eq!(second.checkpoint(), whole.checkpoint());
        assert_ne!(first.checkpoint(), whole.checkpoint());
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let mut trainer = Trainer::new(parameters(), adam(), Clip::None);
    let before = trainer.checkpoint();
    let mut longer = parameters();
    longer.push("c", [1, 1], 0.0);
    let longer = Trainer::new(longer, adam(), Clip::None).checkpoint();
    let error = trainer.restore(longer).unwrap_err().to_string();
    assert_eq!(
        error,
        "the checkpoint is that of another training: it has 6 parameters, this one 5"
    );
    let other = Trainer::new(parameters(), sgd(0.1), Clip::None).checkpoint();
    let error = trainer.restore(other).unwrap_err().to_string();
    assert!(error.contains("another optimizer"), "{error}");
    assert_eq!(trainer.checkpoint(), before);
}

/// A small network on fixed data, as (x, y, steps, batch).
struct Task {
    network: Network,
    x: Vec<f64>,
    y: Vec<f64>,
}

const STEPS: usize = 6;
const BATCH: usize = 4;

impl Task {
    fn new() -> Task {
        let mut draw = Rng::new(3).stream("data");
        let network = Network::new(Cell::Lstm, 2, 5, 1);
        let mut numbers = |n| (0..n).map(|_| draw.normal()).collect();
        Task { network, x: numbers(STEPS * BATCH * 2), y: numbers(BATCH) }
    }
    fn parameters(&self) -> Parameters<f64> {
        self.network.parameters(&Initialisation::default(), &Rng::new(1))
    }
    fn loss<'t>(&self, bound: &Bound<'t, '_, f64>, scale: f64) -> Var<'t, f64> {
        let tape = bound.tape();
        let x = tape.constant_with(STEPS * BATCH, 2, |to| {
            to.iter_mut().zip(&self.x).for_each(|(to, x)| *to = x * scale)
        });
        let output = self.network.apply(bound, x, BATCH);
        mse(
            output,
            tape.constant_with(BATCH, 1, |to| to.copy_from_slice(&self.y)),
        )
    }
}

/// The error of an update with NaN somewhere; nothing changes by it, and
/// what follows is as if it had not been.
fn planted(plant: impl Fn(&mut Task, &mut Parameters<f64>)) -> Diverged {
    let good = Task::new();
    let mut trainer = Trainer::new(good.parameters(), adam(), Clip::Norm(1.0));
    trainer.update(|bound| good.loss(bound, 1.0), |_| {}).unwrap();
    let before = trainer.checkpoint();
    let (mut bad, clean) = (Task::new(), trainer.parameters.clone());
    plant(&mut bad, &mut trainer.parameters);
    let error = trainer
        .update(|bound| bad.loss(bound, 1.0), |_| panic!("observed"))
        .unwrap_err();
    trainer.parameters = clean;
    assert_eq!(trainer.checkpoint(), before);
    assert_eq!(error.update, 2);
    assert!(error.loss.is_nan());
    error
}

#[test]
fn a_nan_in_an_input_is_found_with_its_time_step() {
    // Row 14 of 4 to a step.
    let error = planted(|task, _| task.x[2 * 14 + 1] = f64::NAN);
    let cause = error.cause.unwrap();
    let Place::Input(Some((_, name))) = &cause.place else {
        panic!("{cause:?}")
    };
    assert_eq!((name.as_str(), cause.gradient), ("sequence", false));
    assert_eq!((cause.shape, cause.at), ([24, 2], [14, 1]));
    assert_eq!(cause.step, Some(4));
    let text = cause.to_string();
    assert!(
        text.ends_with("has NaN in row 14, column 1: time step 4"),
        "{text}"
    );
}

#[test]
fn a_nan_in_a_weight_is_named() {
    let error = planted(|_, parameters| {
        let names: Vec<String> =
            parameters.spans().iter().map(|s| s.name.clone()).collect();
        assert!(names[1].contains("weight_hh"), "{names:?}");
        parameters.view_mut(&names[1])[[7, 3]] = f64::NAN;
    });
    let cause = error.cause.unwrap();
    let Place::Parameter(name) = &cause.place else { panic!("{cause:?}") };
    assert!(name.contains("weight_hh"), "{name}");
    assert_eq!((cause.at, cause.step), ([7, 3], None));
}

#[test]
fn a_nan_in_a_target_is_found() {
    let error = planted(|task, _| task.y[2] = f64::NAN);
    let cause = error.cause.unwrap();
    let Place::Input(Some((_, name))) = &cause.place else {
        panic!("{cause:?}")
    };
    assert_eq!((name.as_str(), cause.at), ("sub", [2, 0]));
}

#[test]
fn an_operation_that_overflows_is_named_on_the_way_there_and_back() {
    let mut trainer = Trainer::new(parameters(), adam(), Clip::None);
    let update = |trainer: &mut Trainer<f64>, there: bool| {
        let updated = trainer.update(
            |bound| {
                let a = bound.get("a");
                if there {
                    // e³⁰⁰⁰ is infinite.
                    (a.scale(1000.0)).exp().sum() + bound.get("b").sum()
                } else {
                    // √0 is 0, and its derivative infinite.
                    bound.get("b").sqrt().sum() + (a * a).sum()
                }
            },
            |_| {},
        );
        updated.unwrap_err()
    };
    let there = update(&mut trainer, true);
    assert_eq!(there.loss, f64::INFINITY);
    let cause = there.cause.unwrap();
    let exp = |number, name: &str, parameter| Place::Operation {
        number,
        name: name.into(),
        parameter,
    };
    assert_eq!(cause.place, exp(2, "exp", None));
    assert_eq!((cause.gradient, cause.at), (false, [0, 0]));
    let back = update(&mut trainer, false);
    assert_eq!((back.loss, back.non_finite), (25.0, 3));
    let cause = back.cause.unwrap();
    assert_eq!(cause.place, exp(1, "sqrt", Some("b".into())));
    assert_eq!((cause.gradient, cause.at), (true, [0, 0]));
    assert_eq!(
        cause.to_string(),
        "operation 1, `sqrt`, gave the gradient of `b`, (1, 3), inf in row 0, column 0"
    );
    assert_eq!(trainer.parameters, parameters());
}

#[test]
fn skipped_updates_are_counted_and_change_nothing() {
    let config = TrainerConfig {
        non_finite: NonFinitePolicy::Skip,
        ..TrainerConfig::new(adam())
    };
    let train = |bad: u64| {
        let mut trainer = Trainer::with(parameters(), &config).unwrap();
        let mut seen = Vec::new();
        let ended = trainer.run(
            4,
            |update, bound| {
                let f = if update == bad { f64::NAN } else { 1.0 };
                bowl_with(bound, [f, 1.0, 1.0])
            },
            |step| {
                seen.push(step.update);
                ControlFlow::Continue(())
            },
        );
        ended.unwrap();
        (trainer, seen)
    };
    let (skipping, seen) = train(2);
    assert_eq!(seen, [1, 3, 4]);
    assert_eq!((skipping.updates(), skipping.skipped()), (4, 1));
    // As if there had been three updates only.
    let mut three = Trainer::new(parameters(), adam(), Clip::None);
    three
        .run(
            3,
            |_, bound| bowl_with(bound, [1.0; 3]),
            |_| ControlFlow::Continue(()),
        )
        .unwrap();
    assert_eq!(skipping.parameters, three.parameters);
    let mut restored = Trainer::with(parameters(), &config).unwrap();
    restored.restore(skipping.checkpoint()).unwrap();
    assert_eq!(restored.skipped(), 1);
    let last = restored.update(|bound| bowl_with(bound, [f64::NAN; 3]), |_| {});
    assert!(matches!(last, Ok(Updated::Skipped(_))), "{last:?}");
}

#[test]
fn accumulated_batches_make_the_update_of_their_mean() {
    let config =
        TrainerConfig { accumulate: 2, ..TrainerConfig::new(sgd(0.5)) };
    let mut trainer = Trainer::with(parameters(), &config).unwrap();
    let (mut asked, mut seen) = (Vec::new(), Vec::new());
    trainer
        .run(
            2,
            |batch, bound| {
                asked.push(batch);
                bowl_with(bound, [batch as f64, 0.0, 1.0])
            },
            |step| {
                seen.push((step.update, step.gradient.to_vec()));
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    assert_eq!(asked, [1, 2, 3, 4]);
    assert_eq!(seen[0], (1, vec![3.0, 4.0, 1.5, 0.0, 1.0]));
    assert_eq!(seen[1], (2, vec![1.5, 2.0, 3.5, 0.0, 1.0]));
    // What is not finite takes the whole update with it.
    let config = TrainerConfig { non_finite: NonFinitePolicy::Skip, ..config };
    let mut skipping = Trainer::with(parameters(), &config).unwrap();
    for f in [7.0, f64::NAN, 1.0, 2.0] {
        let _ = skipping
            .update(|bound| bowl_with(bound, [f, 0.0, 1.0]), |_| {})
            .unwrap();
    }
    assert_eq!((skipping.updates(), skipping.skipped()), (2, 1));
    assert_eq!(skipping.parameters.values[2], -0.5 * 1.5);
}

#[test]
fn patience_ends_a_training_at_its_best_weights() {
    let said = serde_json::from_str(r#"{"patience":1}"#).unwrap();
    assert_eq!(EarlyStopping::with_patience(1), said);
    let stopping = EarlyStopping { min_delta: 0.5, ..said };
    let config = TrainerConfig {
        stopping: Some(stopping),
        plateau: Some(PlateauConfig {
            patience: 0,
            factor: 0.5,
            ..PlateauConfig::default()
        }),
        ..TrainerConfig::new(sgd(0.5))
    };
    let mut trainer = Trainer::with(parameters(), &config).unwrap();
    // Nothing is the best yet.
    trainer.parameters.values[0] = 3.5;
    trainer.restore_best();
    assert_eq!(trainer.parameters.values[0], 3.5);
    let (mut weights, mut rates) = (Vec::new(), Vec::new());
    // The third is better, but by too little for the stopping.
    let figures = [9.0, 5.0, 4.8, f64::NAN, 1.0];
    let ended = figures.iter().position(|&figure| {
        trainer
            .update(bowl, |step| {
                weights.push(step.parameters.clone());
                rates.push(step.learning_rate);
            })
            .unwrap();
        trainer.validate(figure).is_break()
    });
    assert_eq!(ended, Some(3));
    assert_eq!(trainer.parameters, weights[1]);
    assert_eq!(trainer.best(), Some((5.0, &weights[1].values[..])));
    assert_eq!(rates, [0.5; 4]);
    // The NaN was no better for the plateau either.
    trainer.update(bowl, |step| assert_eq!(step.learning_rate, 0.25)).unwrap();
    assert_ne!(trainer.parameters, weights[1]);
    trainer.restore_best();
    assert_eq!(trainer.parameters, weights[1]);
}

#[test]
fn a_training_with_everything_goes_on_to_the_same_bits_from_any_batch() {
    let config: TrainerConfig = serde_json::from_str(
        r#"{
            "optimizer": {"adamw": {"learning_rate": 0.05, "amsgrad": true}},
            "clip": {"norm": 0.5},
            "groups": [
                {"parameters": ["*bias*"], "weight_decay": 0.0, "clip": {"value": 0.1}},
                {"parameters": ["*weight_hh*"], "learning_rate_factor": 0.5, "clip": {"adaptive": {"factor": 0.1}}}
            ],
            "schedule": {"one_cycle": {"steps": 6}},
            "plateau": {"patience": 0, "factor": 0.5},
            "stopping": {"patience": 9},
            "non_finite": "skip",
            "accumulate": 2
        }"#,
    )
    .unwrap();
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<TrainerConfig>(&text).unwrap(), config);
    let task = Task::new();
    let go = |trainer: &mut Trainer<f64>, batches: std::ops::Range<u64>| {
        for batch in batches {
            let scale = if batch == 5 { f64::NAN } else { batch as f64 };
            let mut groups = 2;
            let _ = trainer
                .update(
                    |bound| task.loss(bound, scale),
                    |step| groups = step.clipped_groups.len(),
                )
                .unwrap();
            assert_eq!(groups, 2);
            // Better once, then worse: all counters move.
            let _ = trainer.validate(if batch == 2 { 1.0 } else { 2.0 });
        }
    };
    let start = || Trainer::with(task.parameters(), &config).unwrap();
    let mut whole = start();
    go(&mut whole, 0..12);
    for stop in 0..12 {
        let mut first = start();
        go(&mut first, 0..stop);
        let mut second = start();
        second.restore(first.checkpoint()).unwrap();
        assert_eq!(second.checkpoint(), first.checkpoint());
        go(&mut second, stop..12);
        assert_eq!(second.checkpoint(), whole.checkpoint(), "{stop}");
    }
    // One that has other settings refuses it.
    let other = TrainerConfig { accumulate: 1, ..config.clone() };
    let mut other = Trainer::with(task.parameters(), &other).unwrap();
    assert!(other.restore(whole.checkpoint()).is_err());
}

#[test]
fn mistakes_in_a_config_are_told() {
    let with = |config: &TrainerConfig| {
        Trainer::with(parameters(), config).unwrap_err().to_string()
    };
    let group = TrainerConfig {
        groups: vec![Group::new(["c"])],
        ..TrainerConfig::new(adam())
    };
    assert_eq!(
        with(&group),
        "a group names `c`, which is no parameter; there are: a, b"
    );
    let adagrad = serde_json::from_str(r#"{"adagrad":{}}"#).unwrap();
    let cycle = serde_json::from_str(r#"{"one_cycle":{"steps":9}}"#).unwrap();
    let momentum =
        TrainerConfig { schedule: cycle, ..TrainerConfig::new(adagrad) };
    assert!(with(&momentum).contains("the optimizer has none"));
    for (json, want) in [
        (r#"{}"#, "missing field `optimizer`"),
        (r#"{"optimizer":{"sgd":{}},"accumulate":0}"#, "0 must be 1 or more"),
        (r#"{"optimizer":{"sgd":{}},"stop":1}"#, "unknown field `stop`"),
        (
            r#"{"optimizer":{"sgd":{}},"stopping":{"patience":1,"min_delta":-1}}"#,
            "-1 must be 0 or more",
        ),
    ] {
        let error = serde_json::from_str::<TrainerConfig>(json).unwrap_err();
        assert!(error.to_string().contains(want), "{json}: {error}");
    }
}

#[test]
fn the_schedule_acts_on_each_update() {
    let schedule = Schedule::WarmUp { steps: 4 };
    let config = TrainerConfig { schedule, ..TrainerConfig::new(sgd(1.0)) };
    let mut trainer = Trainer::with(parameters(), &config).unwrap();
    let mut last = 0.0;
    for want in [0.25, 0.5, 0.75, 1.0, 1.0] {
        trainer
            .update(
                |bound| bound.get("b").sum(),
                |step| assert_eq!(step.learning_rate, want),
            )
            .unwrap();
        assert_eq!(trainer.parameters.values[4], last - want);
        last = trainer.parameters.values[4];
    }
}

/// Whatever a config may say of each, with numbers at which it acts.
const OPTIMIZERS: [&str; 10] = [
    r#"{"sgd":{"learning_rate":0.1}}"#,
    r#"{"sgd":{"learning_rate":0.1,"momentum":0.9,"nesterov":true}}"#,
    r#"{"rmsprop":{"centered":true,"momentum":0.5}}"#,
    r#"{"adagrad":{"learning_rate_decay":0.1}}"#,
    r#"{"adadelta":{}}"#,
    r#"{"adam":{"amsgrad":true}}"#,
    r#"{"adam":{"weight_decay":0.1}}"#,
    r#"{"adamw":{}}"#,
    r#"{"nadam":{}}"#,
    r#"{"radam":{"learning_rate":0.1}}"#,
];
const SCHEDULES: [&str; 11] = [
    r#""none""#,
    r#"{"step":{"step_size":2}}"#,
    r#"{"multi_step":{"milestones":[1,4]}}"#,
    r#"{"exponential":{"gamma":0.7}}"#,
    r#"{"linear":{}}"#,
    r#"{"warm_up":{"steps":3}}"#,
    r#"{"polynomial":{"power":2}}"#,
    r#"{"cosine":{"steps":4}}"#,
    r#"{"cosine_restarts":{"period":2,"period_factor":2}}"#,
    r#"{"one_cycle":{"steps":6,"momentum":null}}"#,
    r#"{"sequence":[{"steps":2,"schedule":{"warm_up":{"steps":2}}},{"schedule":{"exponential":{"gamma":0.5}}}]}"#,
];
const CLIPS: [&str; 6] = [
    r#""none""#,
    r#"{"norm":0.05}"#,
    r#"{"p_norm":{"p":1,"limit":0.1}}"#,
    r#"{"p_norm":{"p":"inf","limit":0.01}}"#,
    r#"{"value":0.01}"#,
    r#"{"adaptive":{"factor":0.01}}"#,
];

/// Trains two layers with dropout between them, whose masks are those of the
/// update's number; the plateau goes by a figure that grows worse.
fn with_dropout(trainer: &mut Trainer<f32>, share: f64, updates: u64) {
    let stack = two_layers().with_dropout(share);
    let rng = Rng::new(4);
    let mut draw = rng.stream("x");
    let x = Array2::from_shape_simple_fn((5 * 3, 2), || draw.normal() as f32);
    while trainer.updates() < updates {
        let mut masks = rng.stream(&format!("masks {}", trainer.updates()));
        let updated = trainer.update(
            |bound| {
                let x = bound.tape().constant(&x.view());
                let dropout = Some(&mut masks);
                let request =
                    StackRequest { dropout, ..StackRequest::default() };
                let output = stack.apply(bound, x, 3, request).output;
                let off = output - output.constant(0.3);
                (off * off).mean()
            },
            |_| {},
        );
        assert_eq!(updated, Ok(Updated::Done));
        let _ = trainer.validate(trainer.updates() as f64);
    }
}

fn two_layers() -> Stack {
    Stack::new("", Cell::Gru, 2, 3, 2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_training_stopped_anywhere_goes_on_to_the_same_bits(
        optimizer in select(&OPTIMIZERS[..]),
        schedule in select(&SCHEDULES[..]),
        clip in select(&CLIPS[..]),
        plateau in select(&["null", r#"{"patience":1,"factor":0.5}"#][..]),
        share in select(&[0.0, 0.5][..]),
        stop in 0_u64..7,
    ) {
        let config: TrainerConfig = serde_json::from_str(&format!(
            r#"{{"optimizer":{optimizer},"schedule":{schedule},"clip":{clip},"plateau":{plateau}}}"#
        )).unwrap();
        let start = || {
            let mut parameters = Parameters::default();
            let rng = Rng::new(2);
            two_layers().push_parameters(&mut parameters, &Initialisation::default(), &rng);
            Trainer::with(parameters, &config).unwrap()
        };
        let mut whole = start();
        with_dropout(&mut whole, share, 7);

        let mut first = start();
        with_dropout(&mut first, share, stop);
        let mut second = start();
        second.restore(first.checkpoint()).unwrap();
        with_dropout(&mut second, share, 7);
        prop_assert_eq!(second.checkpoint(), whole.checkpoint());
        // It did move, and the masks did something.
        prop_assert_ne!(whole.checkpoint(), start().checkpoint());
        if share > 0.0 {
            let mut without = start();
            with_dropout(&mut without, 0.0, 7);
            prop_assert_ne!(whole.checkpoint(), without.checkpoint());
        }
    }
}

// ------------------------------------------------------------------------------------------------- an added gradient

#[test]
fn a_plain_network_trains_with_omega() {
    let network = Network::new(Cell::RnnTanh, 2, 6, 1);
    let w_hh = &network.layer.names.w_hh;
    let task = Task::new();
    let small = Initialisation {
        recurrent: Init::Identity { scale: 0.3 },
        ..Initialisation::default()
    };
    let start = network.parameters(&small, &Rng::new(1));
    let train = |weight: f64, updates: usize| {
        let mut trainer =
            Trainer::new(start.clone(), sgd(0.05), Clip::Norm(1.0));
        let mut values = Vec::new();
        for _ in 0..updates {
            let done = trainer.update_adding(
                |bound| {
                    let tape = bound.tape();
                    let layer = &network.layer;
                    let x = tape.constant_with(STEPS * BATCH, 2, |to| {
                        to.copy_from_slice(&task.x)
                    });
                    let zero = layer.zero_state(tape, BATCH);
                    let states = layer.sequence(&layer.weights(bound), x, zero);
                    let output = network.head.apply(bound, states.last.h);
                    let y = tape.constant_with(BATCH, 1, |to| {
                        to.copy_from_slice(&task.y)
                    });
                    (mse(output, y), vec![states.h])
                },
                |watched, parameters, gradient| {
                    let [h] = watched else { panic!("one is watched") };
                    let omega = omega(
                        Cell::RnnTanh,
                        parameters.view(w_hh),
                        h.value.view(),
                        h.gradient.view(),
                        BATCH,
                    );
                    values.push(omega.value);
                    let own = &mut gradient[parameters.span(w_hh).range()];
                    for (g, d) in own.iter_mut().zip(&omega.d_w_hh) {
                        *g += weight * d;
                    }
                },
                // What was added is clipped with the rest.
                |step| {
                    assert!(
                        step.gradient.iter().map(|g| g * g).sum::<f64>()
                            <= 1.0 + 1e-12
                    )
                },
            );
            assert_eq!(done, Ok(Updated::Done));
        }
        (values, trainer.parameters)
    };
    let (with, _) = train(0.2, 30);
    let (without, plain) = train(0.0, 30);
    assert_eq!(with[0], without[0]);
    assert!(
        with[29] < 0.5 * with[0] && with[29] < 0.5 * without[29],
        "{with:?} {without:?}"
    );
    // With nothing added it is the update that it always was.
    let mut trainer = Trainer::new(start.clone(), sgd(0.05), Clip::Norm(1.0));
    let same = Task { network: network.clone(), ..Task::new() };
    for _ in 0..30 {
        trainer.update(|bound| same.loss(bound, 1.0), |_| {}).unwrap();
    }
    assert_eq!(trainer.parameters, plain);

    // The whole gradient of each h is watched: the same Ω from the one that is composed step by step.
    let tape = Tape::new();
    let bound = tape.bind(&start);
    let x =
        tape.constant_with(STEPS * BATCH, 2, |to| to.copy_from_slice(&task.x));
    let mut h = Vec::new();
    let output = network.unroll(&bound, x, BATCH, |t, s| {
        if t > 0 {
            h.push(s.h)
        }
    });
    let y = tape.constant_with(BATCH, 1, |to| to.copy_from_slice(&task.y));
    let grads = mse(output, y).backward();
    let below = |of: &dyn Fn(Var<'_, f64>) -> Array2<f64>| {
        let parts: Vec<_> = h.iter().map(|&h| of(h)).collect();
        let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
        ndarray::concatenate(Axis(0), &views).unwrap()
    };
    let (value, gradient) =
        (below(&|h| h.value()), below(&|h| grads.of(h).to_owned()));
    let composed = omega(
        Cell::RnnTanh,
        start.view(w_hh),
        value.view(),
        gradient.view(),
        BATCH,
    );
    assert!(
        (composed.value - with[0]).abs() < 1e-13 * with[0],
        "{} {}",
        composed.value,
        with[0]
    );
}

#[test]
fn an_added_gradient_that_is_not_finite_is_found() {
    let mut trainer = Trainer::new(parameters(), sgd(1.0), Clip::None);
    let error = trainer
        .update_adding(
            |bound| (bowl(bound), vec![]),
            |_, parameters, gradient| {
                gradient[parameters.span("b").start] = f64::NAN
            },
            |_| panic!("observed"),
        )
        .unwrap_err();
    assert_eq!((error.parameter.as_deref(), error.non_finite), (Some("b"), 1));
    assert_eq!((error.cause, trainer.parameters), (None, parameters()));
}

// ----------------------------------------------------------------------------------------- truncated in time

/// Long sequences, and two layers with a read-out of every step.
struct Long {
    stack: Stack,
    head: Linear,
    x: Array2<f64>,
    y: Array2<f64>,
}

const LENGTH: usize = 11;

impl Long {
    fn new() -> Long {
        let mut draw = Rng::new(8).stream("long");
        let mut numbers = |columns| {
            Array2::from_shape_simple_fn((LENGTH * BATCH, columns), || {
                draw.normal()
            })
        };
        let (x, y) = (numbers(2), numbers(1));
        Long {
            stack: Stack::new("", Cell::Lstm, 2, 4, 2),
            head: Linear::new("head", 4, 1),
            x,
            y,
        }
    }
    fn parameters(&self) -> Parameters<f64> {
        let mut parameters = Parameters::default();
        self.stack.push_parameters(
            &mut parameters,
            &Initialisation::default(),
            &Rng::new(1),
        );
        self.head.push_parameters(&mut parameters, &Rng::new(1));
        parameters
    }
    fn carried(&self) -> CarriedState<f64> {
        CarriedState::zero(self.stack.all(), BATCH)
    }
    /// The squared error of the new steps of a window, and the states before the next one.
    fn loss<'t>(
        &self,
        bound: &Bound<'t, '_, f64>,
        start: &[State<Var<'t, f64>>],
        window: &Window,
    ) -> (Var<'t, f64>, Vec<State<Var<'t, f64>>>) {
        let rows = |of: &Array2<f64>, steps: Range<usize>| {
            bound.tape().constant(&of.slice_axis(
                Axis(0),
                Slice::from(steps.start * BATCH..steps.end * BATCH),
            ))
        };
        let Window { steps, new, next } = window.clone();
        let (mut states, mut outputs) = (start.to_vec(), Vec::new());
        let mut carried = states.clone();
        for part in [steps.start..next, next..steps.end] {
            if part.is_empty() {
                continue;
            }
            let request = StackRequest {
                start: Some(&states),
                ..StackRequest::default()
            };
            let got = self.stack.apply(
                bound,
                rows(&self.x, part.clone()),
                BATCH,
                request,
            );
            states = got.last;
            outputs.push(got.output);
            if part.end == next {
                carried = states.clone();
            }
        }
        let output = bound.tape().stack(&outputs);
        let fresh = output.rows(
            (new - steps.start) * BATCH..(steps.end - steps.start) * BATCH,
        );
        let y = rows(&self.y, new..steps.end);
        (mse(self.head.apply(bound, fresh), y), carried)
    }
    fn windows(
        &self,
        trainer: &mut Trainer<f64>,
        carried: &mut CarriedState<f64>,
        truncation: Truncation,
        to: usize,
    ) -> Vec<Vec<f64>> {
        let mut gradients = Vec::new();
        while let (true, Some(window)) =
            (carried.window < to, truncation.window(carried.window, LENGTH))
        {
            let updated = trainer.update_window(
                carried,
                |bound, start| self.loss(bound, &start, &window),
                |step| gradients.push(step.gradient.to_vec()),
            );
            assert_eq!(updated, Ok(Updated::Done));
        }
        gradients
    }
}

fn close(got: &[f64], want: &[f64]) {
    let most = want.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
    for (g, w) in got.iter().zip(want) {
        // Sums of a few dozen products in another order.
        assert!((g - w).abs() < 1e-14 * most.max(1.0), "{g} is not {w}");
    }
}

#[test]
fn windows_cover_every_step_once_and_begin_where_the_one_before_says() {
    for (advance, back) in
        [(1, 1), (4, 4), (3, 7), (2, 5), (5, 11), (11, 11), (20, 30)]
    {
        let truncation = Truncation { advance, back };
        let mut windows = (0..).map_while(|n| truncation.window(n, LENGTH));
        let (mut at, mut next) = (0, 0);
        for Window { steps, new, next: then } in windows.by_ref() {
            assert_eq!((new, steps.start), (at, next), "{truncation:?}");
            assert!(
                steps.len() <= back
                    && steps.contains(&new)
                    && then <= steps.end
            );
            // It goes back as far as it may.
            assert!(
                steps.start == 0 || steps.end == LENGTH || steps.len() == back
            );
            (at, next) = (steps.end, then);
        }
        assert_eq!(at, LENGTH);
    }
    assert_eq!(
        Truncation::every(4).window(2, LENGTH),
        Some(Window { steps: 8..11, new: 8, next: 11 })
    );
}

#[test]
fn a_window_as_long_as_the_sequence_has_the_whole_gradient() {
    let long = Long::new();
    let mut trainer = Trainer::new(long.parameters(), sgd(0.1), Clip::None);
    let mut carried = long.carried();
    let got =
        long.windows(&mut trainer, &mut carried, Truncation::every(LENGTH), 9);
    // Composed step by step on a tape of its own.
    let (tape, parameters) = (Tape::new(), long.parameters());
    let bound = tape.bind(&parameters);
    let states = long.stack.composed(
        &bound,
        tape.constant(&long.x.view()),
        BATCH,
        StackRequest::default(),
    );
    let output = long.head.apply(&bound, states.output);
    let grads = mse(output, tape.constant(&long.y.view())).backward();
    assert_eq!(got.len(), 1);
    close(&got[0], grads.of_parameters(&bound));
    let wanted = states.last.iter().map(|s| s.map(|v| v.value()));
    for (got, want) in carried.states.iter().zip(wanted) {
        close(&got.h, want.h.as_slice().unwrap());
        close(got.c.as_ref().unwrap(), want.c.unwrap().as_slice().unwrap());
    }
}

/// Against differences of a loss whose start is fixed numbers.
#[test]
fn the_second_window_takes_the_state_as_data() {
    let long = Long::new();
    // The learning rate is 0, so that both windows have the same weights.
    let mut trainer = Trainer::new(long.parameters(), sgd(0.0), Clip::None);
    let truncation = Truncation { advance: 5, back: 7 };
    let got = long.windows(&mut trainer, &mut long.carried(), truncation, 2);
    let window = truncation.window(1, LENGTH).unwrap();
    assert_eq!((window.steps.clone(), window.new), (3..10, 5));

    // The states after 3 steps, by weights that stay; then the window's loss as a function of the weights.
    let parameters = long.parameters();
    let states_at = |steps: usize| {
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = long.x.slice_axis(Axis(0), Slice::from(..steps * BATCH));
        let states = long.stack.composed(
            &bound,
            tape.constant(&x),
            BATCH,
            StackRequest::default(),
        );
        states.last.iter().map(|s| s.map(|v| v.value())).collect::<Vec<_>>()
    };
    let fixed = states_at(3);
    let loss = |parameters: &Parameters<f64>| {
        let tape = Tape::new();
        let bound = tape.bind(parameters);
        let start: Vec<_> = fixed
            .iter()
            .map(|s| s.clone().map(|m| tape.constant(&m.view())))
            .collect();
        let x = long.x.slice_axis(Axis(0), Slice::from(3 * BATCH..10 * BATCH));
        let request =
            StackRequest { start: Some(&start), ..StackRequest::default() };
        let output = long
            .stack
            .composed(&bound, tape.constant(&x), BATCH, request)
            .output;
        let output = long.head.apply(&bound, output.rows(2 * BATCH..7 * BATCH));
        mse(
            output,
            tape.constant(
                &long.y.slice_axis(Axis(0), Slice::from(5 * BATCH..10 * BATCH)),
            ),
        )
        .item()
    };
    for (i, got) in got[1].iter().enumerate() {
        let moved = |step: f64| {
            let mut moved = parameters.clone();
            moved.values[i] += step;
            loss(&moved)
        };
        let step = check::STEP;
        let want = (moved(step) - moved(-step)) / (2.0 * step);
        assert!(
            (got - want).abs() < check::DIFFERENCE_TOLERANCE,
            "{i}: {got} is not {want}"
        );
    }
    // And it is not the gradient through all steps.
    let mut whole = Trainer::new(long.parameters(), sgd(0.0), Clip::None);
    let far = Truncation { advance: 5, back: 10 };
    let through = long.windows(&mut whole, &mut long.carried(), far, 2);
    assert!(through[1].iter().zip(&got[1]).any(|(a, b)| (a - b).abs() > 1e-4));
}

#[test]
fn a_training_in_windows_goes_on_to_the_same_bits_from_any_window() {
    let long = Long::new();
    for truncation in [Truncation::every(2), Truncation { advance: 2, back: 5 }]
    {
        let start = || {
            (
                Trainer::new(long.parameters(), adam(), Clip::Norm(0.1)),
                long.carried(),
            )
        };
        let (mut whole, mut state) = start();
        long.windows(&mut whole, &mut state, truncation, 6);
        assert_eq!(whole.updates(), 6);
        for stop in 0..6 {
            let (mut first, mut carried) = start();
            long.windows(&mut first, &mut carried, truncation, stop);
            let saved = serde_json::to_value(&carried).unwrap();
            let mut carried = serde_json::from_value(saved).unwrap();
            let (mut second, _) = start();
            second.restore(first.checkpoint()).unwrap();
            long.windows(&mut second, &mut carried, truncation, 6);
            assert_eq!(
                (second.checkpoint(), carried),
                (whole.checkpoint(), state.clone())
            );
        }
    }
}

#[test]
fn of_a_window_that_is_skipped_nothing_is_carried_on() {
    let mut long = Long::new();
    long.x[[5 * BATCH, 0]] = f64::NAN;
    let config = TrainerConfig {
        non_finite: NonFinitePolicy::Skip,
        ..TrainerConfig::new(sgd(0.1))
    };
    let mut trainer = Trainer::with(long.parameters(), &config).unwrap();
    let mut carried = long.carried();
    let mut before = carried.clone();
    for n in 0..3 {
        let window = Truncation::every(4).window(n, LENGTH).unwrap();
        let updated = trainer
            .update_window(
                &mut carried,
                |bound, start| long.loss(bound, &start, &window),
                |_| {},
            )
            .unwrap();
        assert_eq!(matches!(updated, Updated::Skipped(_)), n == 1);
        assert_eq!(carried.states == before.states, n == 1);
        before = carried.clone();
    }
    assert_eq!(carried.window, 3);
    assert!(carried.states.iter().all(|s| s.h.iter().all(|h| h.is_finite())));
}
