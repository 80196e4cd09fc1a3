//! A training step of shapes that were seen before allocates nothing.

use allocation_counter::measure;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Scalar};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig, SgdConfig};
use longlag_train::{Trainer, TrainerConfig, cross_entropy, mse, one_hot};
use std::ops::ControlFlow;

/// Odd sizes: some products need copies of their operands, some none.
const STEPS: usize = 9;
const BATCH: usize = 7;
const INPUT: usize = 3;
const HIDDEN: usize = 33;
const OUTPUT: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Loss {
    Mse,
    CrossEntropy,
}

/// How often one update allocates, after two of the same shapes.
fn allocations<T: Float + Scalar>(
    cell: Cell,
    loss: Loss,
    config: &TrainerConfig,
) -> u64 {
    let network = Network::new(cell, INPUT, HIDDEN, OUTPUT);
    let rng = Rng::new(1);
    let parameters = network.parameters::<T>(&Initialisation::default(), &rng);
    let mut draw = rng.stream("data");
    let x: Vec<T> =
        (0..STEPS * BATCH * INPUT).map(|_| T::of(draw.normal())).collect();
    let y: Vec<T> = (0..BATCH * OUTPUT).map(|_| T::of(draw.normal())).collect();
    let labels = [0, 1, 2, 3, 4, 0, 1];

    let mut trainer = Trainer::with(parameters, config).unwrap();
    let mut until = |updates| {
        let mut seen = 0;
        trainer
            .run(
                updates,
                |_, bound| {
                    let tape = bound.tape();
                    let x = tape.constant_with(STEPS * BATCH, INPUT, |to| {
                        to.copy_from_slice(&x)
                    });
                    let output = network.apply(bound, x, BATCH);
                    match loss {
                        Loss::Mse => mse(
                            output,
                            tape.constant_with(BATCH, OUTPUT, |to| {
                                to.copy_from_slice(&y)
                            }),
                        ),
                        Loss::CrossEntropy => cross_entropy(
                            output,
                            one_hot(tape, labels.iter().copied(), OUTPUT),
                        ),
                    }
                },
                |step| {
                    seen = step.update;
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        assert_eq!(seen, updates);
    };
    until(2);
    measure(|| until(3)).count_total
}

fn check<T: Float + Scalar>() {
    let adam = OptimizerConfig::Adam(AdamConfig::default());
    let sgd = OptimizerConfig::Sgd(SgdConfig {
        momentum: 0.9,
        ..SgdConfig::default()
    });
    let plain = |clip, optimizer| TrainerConfig {
        clip,
        ..TrainerConfig::new(optimizer)
    };
    let everything = serde_json::from_str(
        r#"{
            "optimizer": {"nadam": {}},
            "clip": {"p_norm": {"p": 3.0, "limit": 0.001}},
            "groups": [{"parameters": ["*weight*"], "clip": {"adaptive": {"factor": 0.001}}}],
            "schedule": {"chain": [{"warm_up": {"steps": 5}}, {"cosine": {"steps": 9}}]},
            "plateau": {},
            "stopping": {"patience": 1},
            "accumulate": 2
        }"#,
    );
    let configs = [
        plain(Clip::Norm(1e-3), adam),
        plain(Clip::Value(1e-3), sgd),
        plain(Clip::None, sgd),
        everything.unwrap(),
    ];
    for cell in Cell::ALL {
        for loss in [Loss::Mse, Loss::CrossEntropy] {
            for config in &configs {
                let count = allocations::<T>(cell, loss, config);
                assert_eq!(
                    count,
                    0,
                    "{}: {cell}, {loss:?}, {config:?}",
                    T::NAME
                );
            }
        }
    }
}

#[test]
fn a_warm_update_in_f32_allocates_nothing() {
    check::<f32>();
}

#[test]
fn a_warm_update_in_f64_allocates_nothing() {
    check::<f64>();
}

#[test]
fn the_counter_counts() {
    assert_eq!(
        measure(|| drop(std::hint::black_box(vec![1_u8; 3]))).count_total,
        1
    );
}
