//! `train`: training runs, update by update.

use super::case::{By, Case, Computed, Stop, cell, failed, insert, unknown, ways};
use longlag_cells::{Dtype, Initialisation, Network, StateDict};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_train::{Trainer, mse};
use ndarray::{Array2, Axis};
use std::ops::ControlFlow;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    if case.kind != "TrainingRun" {
        return Err(unknown(format!("the kind {}", case.kind)));
    }
    let (cell, _) = cell(&options.get::<String>("mode")?)?;
    let [updates, steps, batch, input] = case.shape("input")?;
    let [_, hidden] = case.shape("init.rnn.weight_hh_l0")?;
    let [outputs, _] = case.shape("init.head.weight")?;
    options.agrees("steps", updates)?;
    options.agrees("seq_len", steps)?;
    options.agrees("batch", batch)?;
    options.agrees("input_size", input)?;
    options.agrees("hidden_size", hidden)?;
    options.agrees("output_size", outputs)?;
    options.only("num_layers", 1)?;
    options.only("loss", "mse mean".to_owned())?;
    options.only("initial_state", "zeros".to_owned())?;
    let adam = options.group("optimizer")?;
    adam.only("kind", "Adam".to_owned())?;
    let [beta1, beta2] = adam.get("betas")?;
    let config = AdamConfig {
        learning_rate: adam.get("lr")?,
        beta1,
        beta2,
        epsilon: adam.get("eps")?,
        weight_decay: adam.get("weight_decay")?,
        ..AdamConfig::default()
    };
    adam.all_known()?;
    let clip = options.group("clip_grad_norm")?;
    clip.only("norm_type", "2".to_owned())?;
    let limit = clip.get("max_norm")?;
    clip.all_known()?;

    let network = Network::new(cell, input, hidden, outputs);
    let mut parameters = network.parameters(&Initialisation::default(), &Rng::new(0));
    case.load("init.", &mut parameters)?;
    let inputs = case.matrix("input", &[updates, steps, batch, input])?;
    let targets = case.matrix("target", &[updates, batch, outputs])?;
    case.all_known()?;
    ways(&cell, |by| {
        let optimizer = OptimizerConfig::Adam(config);
        let mut trainer = Trainer::new(parameters.clone(), optimizer, Clip::Norm(limit));
        let (mut losses, mut norms) = (vec![], vec![]);
        let mut results = StateDict::default();
        let done = trainer.run(
            updates as u64,
            |update, bound| {
                let k = update as usize - 1;
                let part = |all: &Array2<f64>, rows: usize| {
                    let rows = k * rows..(k + 1) * rows;
                    bound.tape().constant(&all.slice_axis(Axis(0), rows.into()))
                };
                let x = part(&inputs, steps * batch);
                let output = match by {
                    By::Fused => network.apply(bound, x, batch),
                    By::Composed => network.unroll(bound, x, batch, |_, _| ()),
                };
                mse(output, part(&targets, batch))
            },
            |step| {
                losses.push(step.loss);
                norms.push(step.clipped.norm_before);
                keep(case, &format!("after{}.", step.update), step.parameters, &mut results);
                ControlFlow::Continue(())
            },
        );
        done.map_err(failed)?;
        keep(case, "final.", &trainer.parameters, &mut results);
        insert(&mut results, "loss", &[updates], &losses);
        insert(&mut results, "grad_norm", &[updates], &norms);
        Ok(results)
    })
}

/// Adds the parameters under a prefix, if the case wants them.
fn keep(case: &Case, prefix: &str, parameters: &Parameters<f64>, results: &mut StateDict) {
    if case.expected.keys().any(|name| name.starts_with(prefix)) {
        for (name, tensor) in StateDict::from_parameters(parameters, Dtype::F64).iter() {
            results.insert(format!("{prefix}{name}"), tensor.clone());
        }
    }
}
