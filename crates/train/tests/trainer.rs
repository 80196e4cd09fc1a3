//! What the training loop does, and shows of it.

use longlag_autodiff::{Bound, Place, Var};
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use longlag_optim::{
    AdamConfig, Clip, Group, OptimizerConfig, PlateauConfig, Schedule,
    SgdConfig,
};
use longlag_train::{
    Diverged, EarlyStopping, NonFinitePolicy, Trainer, TrainerConfig, Updated,
    mse,
};
use ndarray::array;
use std::ops::ControlFlow;

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
    let stopping = EarlyStopping {
        patience: 1,
        min_delta: 0.5,
        ..serde_json::from_str(r#"{"patience":1}"#).unwrap()
    };
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
