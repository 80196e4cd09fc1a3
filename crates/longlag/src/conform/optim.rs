//! `optim`: parameters under an optimizer, step by step, with gradients that are given.

use super::case::{Case, Computed, Options, Stop, Way, failed, insert, unknown};
use longlag_cells::StateDict;
use longlag_optim::{
    AdadeltaConfig, AdagradConfig, AdamConfig, AdamWConfig, NAdamConfig, Optimizer, OptimizerConfig,
    RAdamConfig, RmsPropConfig, SgdConfig,
};

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let config = config(&case.kind, &case.options)?;
    let steps: usize = case.options.get("steps")?;
    let names: Vec<&str> = case.inputs_from("init.").filter_map(|name| name.strip_prefix("init.")).collect();
    let mut parts = Vec::new();
    let mut parameters = Vec::new();
    for name in &names {
        let start = case.input::<f64>(&format!("init.{name}"))?;
        let mut path = vec![steps];
        path.extend(start.shape());
        let gradients = case.input::<f64>(&format!("grads.{name}"))?;
        if gradients.shape() != path {
            return Err(failed(format!(
                "`grads.{name}` has the shape {:?}, not {path:?}",
                gradients.shape()
            )));
        }
        let present = format!("has_grad.{name}");
        let present = if case.has(&present) {
            case.matrix(&present, &[steps])?.iter().map(|&flag| flag != 0.0).collect()
        } else {
            vec![true; steps]
        };
        let range = parameters.len()..parameters.len() + start.len();
        parameters.extend(start);
        parts.push(Part { range, path, gradients: gradients.into_iter().collect(), present, values: vec![] });
    }
    case.all_known()?;
    let mut optimizer =
        Optimizer::new(parameters.len(), parts.iter().map(|part| (part.range.clone(), config)));
    for k in 0..steps {
        let of_step = |part: &Part| {
            let n = part.range.len();
            part.gradients[k * n..(k + 1) * n].to_vec()
        };
        let gradient: Vec<f64> = parts.iter().flat_map(of_step).collect();
        optimizer.step_where(&mut parameters, &gradient, |i| parts[i].present[k]);
        for part in &mut parts {
            part.values.extend(&parameters[part.range.clone()]);
        }
    }
    let mut results = StateDict::default();
    for (name, part) in names.iter().zip(&parts) {
        insert(&mut results, &format!("params.{name}"), &part.path, &part.values);
    }
    Ok(vec![Way { name: "steps", results }])
}

/// A parameter.
struct Part {
    /// Where it stands among all.
    range: std::ops::Range<usize>,
    /// The shape of its values after all steps.
    path: Vec<usize>,
    gradients: Vec<f64>,
    /// At which steps it has a gradient.
    present: Vec<bool>,
    values: Vec<f64>,
}

fn config(kind: &str, options: &Options) -> Result<OptimizerConfig, Stop> {
    let number = |name| options.get::<f64>(name);
    let flag = |name| options.get::<bool>(name);
    let [learning_rate, weight_decay] = [number("lr")?, number("weight_decay")?];
    let maximize = flag("maximize")?;
    let betas = || options.get::<[f64; 2]>("betas");
    Ok(match kind {
        "SGD" => OptimizerConfig::Sgd(SgdConfig {
            learning_rate,
            momentum: number("momentum")?,
            dampening: number("dampening")?,
            nesterov: flag("nesterov")?,
            weight_decay,
            maximize,
        }),
        "RMSprop" => OptimizerConfig::RmsProp(RmsPropConfig {
            learning_rate,
            alpha: number("alpha")?,
            epsilon: number("eps")?,
            momentum: number("momentum")?,
            centered: flag("centered")?,
            weight_decay,
            maximize,
        }),
        "Adagrad" => OptimizerConfig::Adagrad(AdagradConfig {
            learning_rate,
            learning_rate_decay: number("lr_decay")?,
            initial_accumulator: number("initial_accumulator_value")?,
            epsilon: number("eps")?,
            weight_decay,
            maximize,
        }),
        "Adadelta" => OptimizerConfig::Adadelta(AdadeltaConfig {
            learning_rate,
            rho: number("rho")?,
            epsilon: number("eps")?,
            weight_decay,
            maximize,
        }),
        "Adam" => {
            options.only("decoupled_weight_decay", false)?;
            let [beta1, beta2] = betas()?;
            OptimizerConfig::Adam(AdamConfig {
                learning_rate,
                beta1,
                beta2,
                epsilon: number("eps")?,
                weight_decay,
                amsgrad: flag("amsgrad")?,
                maximize,
            })
        }
        "AdamW" => {
            let [beta1, beta2] = betas()?;
            OptimizerConfig::AdamW(AdamWConfig {
                learning_rate,
                beta1,
                beta2,
                epsilon: number("eps")?,
                weight_decay,
                amsgrad: flag("amsgrad")?,
                maximize,
            })
        }
        "NAdam" => {
            let [beta1, beta2] = betas()?;
            OptimizerConfig::NAdam(NAdamConfig {
                learning_rate,
                beta1,
                beta2,
                epsilon: number("eps")?,
                momentum_decay: number("momentum_decay")?,
                weight_decay,
                decoupled_weight_decay: flag("decoupled_weight_decay")?,
                maximize,
            })
        }
        "RAdam" => {
            let [beta1, beta2] = betas()?;
            OptimizerConfig::RAdam(RAdamConfig {
                learning_rate,
                beta1,
                beta2,
                epsilon: number("eps")?,
                weight_decay,
                decoupled_weight_decay: flag("decoupled_weight_decay")?,
                maximize,
            })
        }
        other => return Err(unknown(format!("the kind {other}"))),
    })
}
