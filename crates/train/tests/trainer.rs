//! What the training loop does, and shows of it.

use longlag_autodiff::{Bound, Var};
use longlag_numerics::Parameters;
use longlag_optim::{AdamConfig, Clip, OptimizerConfig, SgdConfig};
use longlag_train::{Diverged, Trainer};
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
        let Diverged { update, loss, ref parameter, non_finite } = error;
        assert_eq!((update, parameter.as_str(), non_finite), (2, "b", 2));
        assert!(loss.is_nan());
        assert_eq!(
            error.to_string(),
            "update 2: 2 entries of the gradient are infinite or NaN, the first in `b`; the loss was NaN"
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
        (error.update, error.parameter.as_str(), error.non_finite),
        (3, "b", 1)
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
