//! `sched`: learning rates, step by step.

use super::case::{Case, Computed, Options, Stop, Way, failed, insert, unknown};
use longlag_cells::StateDict;
use longlag_optim::{Anneal, Lambda, Mode, OneCycle, Phase, Plateau, PlateauConfig, Schedule, ThresholdMode};
use serde_json::Map;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    let base: f64 = options.get("base_lr")?;
    let steps: usize = options.get("steps")?;
    let mut results = StateDict::default();
    let mut of_steps = |name: &str, values: Vec<f64>| insert(&mut results, name, &[values.len()], &values);
    if case.kind == "ReduceLROnPlateau" {
        let config = plateau(options)?;
        let metrics = case.input::<f64>("metrics")?;
        case.all_known()?;
        let mut plateau = Plateau::new(config);
        let mut rates = vec![plateau.learning_rate(base)];
        for metric in metrics {
            plateau.observe(metric);
            rates.push(plateau.learning_rate(base));
        }
        of_steps("lr", rates);
    } else {
        let schedule = schedule(&case.kind, options)?;
        // The peak of a cycle is PyTorch's own setting, here the optimizer's learning rate.
        let base = if case.kind == "OneCycleLR" { options.get("max_lr")? } else { base };
        case.all_known()?;
        let steps = 0..steps as u64;
        of_steps("lr", steps.clone().map(|step| schedule.learning_rate(base, step)).collect());
        if let Some(momenta) = steps.map(|step| schedule.momentum(step)).collect() {
            of_steps("momentum", momenta);
        }
    }
    Ok(vec![Way { name: "steps", results }])
}

/// The schedule of a case, or a part of one.
fn schedule(kind: &str, options: &Options) -> Result<Schedule, Stop> {
    let number = |name| options.get::<f64>(name);
    let whole = |name| match options.get::<u64>(name)? {
        0 => Err(failed(format!("the option `{name}` is 0"))),
        n => Ok(n),
    };
    Ok(match kind {
        "StepLR" => Schedule::Step { step_size: whole("step_size")?, gamma: number("gamma")? },
        "MultiStepLR" => {
            Schedule::MultiStep { milestones: options.get("milestones")?, gamma: number("gamma")? }
        }
        "ExponentialLR" => Schedule::Exponential { gamma: number("gamma")? },
        "ConstantLR" => Schedule::Constant { factor: number("factor")?, steps: options.get("total_iters")? },
        "LinearLR" => Schedule::Linear {
            start_factor: number("start_factor")?,
            end_factor: number("end_factor")?,
            steps: whole("total_iters")?,
        },
        "PolynomialLR" => Schedule::Polynomial { steps: whole("total_iters")?, power: number("power")? },
        "CosineAnnealingLR" => Schedule::Cosine { steps: whole("T_max")?, minimum: number("eta_min")? },
        "CosineAnnealingWarmRestarts" => Schedule::CosineRestarts {
            period: whole("T_0")?,
            period_factor: whole("T_mult")?,
            minimum: number("eta_min")?,
        },
        "OneCycleLR" => {
            let momenta = [number("base_momentum")?, number("max_momentum")?];
            Schedule::OneCycle(OneCycle {
                steps: whole("total_steps")?,
                rise: number("pct_start")?,
                anneal: match &options.get::<String>("anneal_strategy")?[..] {
                    "cos" => Anneal::Cosine,
                    "linear" => Anneal::Linear,
                    other => return Err(unknown(format!("anneal_strategy = {other}"))),
                },
                three_phase: options.get("three_phase")?,
                div_factor: number("div_factor")?,
                final_div_factor: number("final_div_factor")?,
                momentum: options.get::<bool>("cycle_momentum")?.then_some(momenta),
            })
        }
        "LambdaLR" => {
            options.only("formula", "lr(t) = base_lr * min(1, (t + 1) / k)".to_owned())?;
            let k = number("k")?;
            Schedule::Lambda(Lambda::new(move |t| ((t + 1) as f64 / k).min(1.0)))
        }
        "SequentialLR" => {
            let parts: Vec<Map<_, _>> = options.get("schedulers")?;
            let milestones: Vec<u64> = options.get("milestones")?;
            let rises = milestones.is_sorted_by(|a, b| a < b) && milestones.first() != Some(&0);
            if !rises || milestones.len() + 1 != parts.len() {
                return Err(failed(format!("{} schedulers with milestones {milestones:?}", parts.len())));
            }
            let mut phases = Vec::new();
            let mut from = 0;
            for (k, part) in parts.into_iter().enumerate() {
                let part = Options::new(part);
                let steps = milestones.get(k).map(|at| at - std::mem::replace(&mut from, *at));
                phases.push(Phase { steps, schedule: schedule(&part.get::<String>("kind")?, &part)? });
                part.all_known()?;
            }
            Schedule::Sequence(phases)
        }
        other => return Err(unknown(format!("the kind {other}"))),
    })
}

fn plateau(options: &Options) -> Result<PlateauConfig, Stop> {
    let number = |name| options.get::<f64>(name);
    Ok(PlateauConfig {
        mode: match &options.get::<String>("mode")?[..] {
            "min" => Mode::Min,
            "max" => Mode::Max,
            other => return Err(unknown(format!("mode = {other}"))),
        },
        factor: number("factor")?,
        patience: options.get("patience")?,
        threshold: number("threshold")?,
        threshold_mode: match &options.get::<String>("threshold_mode")?[..] {
            "rel" => ThresholdMode::Relative,
            "abs" => ThresholdMode::Absolute,
            other => return Err(unknown(format!("threshold_mode = {other}"))),
        },
        cooldown: options.get("cooldown")?,
        minimum: number("min_lr")?,
        epsilon: number("eps")?,
    })
}
