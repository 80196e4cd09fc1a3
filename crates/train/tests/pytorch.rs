//! A training of an LSTM with a read-out against what PyTorch computed: the case in `data/`.

use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_train::{Trainer, mse};
use serde_json::Value;
use std::ops::ControlFlow;

/// Both sides compute in f64, in different orders of the sums. Adam divides each entry of the gradient by its
/// own size, so that an entry's relative error counts, however small the entry: far less than 10⁶ roundings
/// of 2⁻⁵³.
const TOLERANCE: f64 = 1e-10;

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    case[name]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

/// Entries may differ by the tolerance times the largest.
#[track_caller]
fn check(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let most = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (got - want).abs() <= TOLERANCE * most,
            "{what}[{i}]: {got:e}, not {want:e}"
        );
    }
}

#[test]
fn losses_norms_and_weights_agree_with_pytorch() {
    let file: Value =
        serde_json::from_str(include_str!("data/pytorch.json")).unwrap();
    let case = &file["cases"][0];
    let (inputs, targets) = (numbers(case, "input"), numbers(case, "target"));
    let shape: Vec<_> = case["input"]["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap() as usize)
        .collect();
    let &[updates, steps, batch, input] = &shape[..] else {
        panic!("{shape:?}")
    };
    let network = Network::new(Cell::Lstm, input, 16, 2);

    let mut parameters =
        network.parameters::<f64>(&Initialisation::default(), &Rng::new(0));
    for span in parameters.spans().to_vec() {
        let init = numbers(case, &format!("init.{}", span.name));
        parameters.values[span.range()].copy_from_slice(&init);
    }
    let adam = OptimizerConfig::Adam(AdamConfig {
        learning_rate: 0.01,
        ..AdamConfig::default()
    });
    let mut trainer = Trainer::new(parameters, adam, Clip::Norm(1.0));
    let (mut losses, mut norms, mut cut) = (Vec::new(), Vec::new(), 0);
    trainer
        .run(
            updates as u64,
            |update, bound| {
                let k = update as usize - 1;
                let constant = |rows, cols, all: &[f64]| {
                    let n = rows * cols;
                    bound.tape().constant_with(rows, cols, |to| {
                        to.copy_from_slice(&all[k * n..(k + 1) * n])
                    })
                };
                let output = network.apply(
                    bound,
                    constant(steps * batch, input, &inputs),
                    batch,
                );
                mse(output, constant(batch, 2, &targets))
            },
            |step| {
                losses.push(step.loss);
                norms.push(step.clipped.norm_before);
                cut += usize::from(step.clipped.factor < 1.0);
                if step.update == 10 {
                    for span in step.parameters.spans() {
                        let want =
                            numbers(case, &format!("after10.{}", span.name));
                        check(
                            &span.name,
                            &step.parameters.values[span.range()],
                            &want,
                        );
                    }
                }
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    check("loss", &losses, &numbers(case, "loss"));
    check("grad_norm", &norms, &numbers(case, "grad_norm"));
    assert!(
        0 < cut && cut < updates,
        "clipping acted on {cut} of {updates} updates"
    );
}
