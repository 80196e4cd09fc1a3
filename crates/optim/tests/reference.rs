//! Optimizers, clipping and schedules against what PyTorch computed: all cases in `tests/reference`.

use longlag_optim::*;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A case: what it is, and its tensors, flat.
struct Case {
    name: String,
    json: Value,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Case {
    fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap()
    }
    fn option(&self, name: &str) -> f64 {
        self.json["options"][name].as_f64().unwrap_or_else(|| panic!("{}: no number `{name}`", self.name))
    }
    fn flag(&self, name: &str) -> bool {
        self.json["options"][name].as_bool().unwrap_or_else(|| panic!("{}: no flag `{name}`", self.name))
    }
    fn tensor(&self, name: &str) -> &[f64] {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor `{name}`", self.name))
    }
    /// `stem0`, `stem1` … one behind the other, and where each begins and ends.
    fn joined(&self, stem: &str) -> (Vec<f64>, Vec<std::ops::Range<usize>>) {
        let (mut all, mut ranges) = (Vec::new(), Vec::new());
        for i in 0.. {
            let Some(values) = self.tensors.get(&format!("{stem}{i}")) else { break };
            ranges.push(all.len()..all.len() + values.len());
            all.extend(values);
        }
        assert!(!ranges.is_empty(), "{}: no `{stem}0`", self.name);
        (all, ranges)
    }
    /// Holds a result against what is expected, with the tolerance that the case states.
    fn check(&self, name: &str, got: &[f64]) {
        let (want, tolerance) = (self.tensor(name), &self.json["expected"][name]);
        let of = |name: &str| tolerance[name].as_f64().unwrap_or(0.0);
        assert_eq!(got.len(), want.len(), "{}: {name}", self.name);
        for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
            let same = got == want || got.is_nan() && want.is_nan();
            let near = want.is_finite() && (got - want).abs() <= of("atol") + of("rtol") * want.abs();
            assert!(same || near, "{}: {name}[{i}] is {got:e}, not {want:e}", self.name);
        }
    }
}

/// All cases of a group, as many as there must be.
fn cases(group: &str, count: usize) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference").join(group);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), count, "{}", folder.display());
    let case = |folder: PathBuf| {
        let json = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("tensors.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, numbers(&view))).collect();
        Case { name: folder.display().to_string(), json, tensors }
    };
    folders.into_iter().map(case).collect()
}

fn numbers(view: &safetensors::tensor::TensorView<'_>) -> Vec<f64> {
    let data = view.data();
    match view.dtype() {
        safetensors::Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        safetensors::Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        safetensors::Dtype::U8 => data.iter().map(|b| f64::from(*b)).collect(),
        other => panic!("tensors of {other:?}"),
    }
}

fn config(case: &Case) -> OptimizerConfig {
    let [learning_rate, weight_decay] = ["lr", "weight_decay"].map(|name| case.option(name));
    let maximize = case.flag("maximize");
    let epsilon = || case.option("eps");
    let beta = |i: usize| case.json["options"]["betas"][i].as_f64().unwrap();
    let decoupled = || case.flag("decoupled_weight_decay");
    match case.kind() {
        "SGD" => OptimizerConfig::Sgd(SgdConfig {
            learning_rate,
            momentum: case.option("momentum"),
            dampening: case.option("dampening"),
            nesterov: case.flag("nesterov"),
            weight_decay,
            maximize,
        }),
        "RMSprop" => OptimizerConfig::RmsProp(RmsPropConfig {
            learning_rate,
            alpha: case.option("alpha"),
            epsilon: epsilon(),
            momentum: case.option("momentum"),
            centered: case.flag("centered"),
            weight_decay,
            maximize,
        }),
        "Adagrad" => OptimizerConfig::Adagrad(AdagradConfig {
            learning_rate,
            learning_rate_decay: case.option("lr_decay"),
            initial_accumulator: case.option("initial_accumulator_value"),
            epsilon: epsilon(),
            weight_decay,
            maximize,
        }),
        "Adadelta" => OptimizerConfig::Adadelta(AdadeltaConfig {
            learning_rate,
            rho: case.option("rho"),
            epsilon: epsilon(),
            weight_decay,
            maximize,
        }),
        "Adam" => {
            assert!(!decoupled(), "{}: that is AdamW", case.name);
            OptimizerConfig::Adam(AdamConfig {
                learning_rate,
                beta1: beta(0),
                beta2: beta(1),
                epsilon: epsilon(),
                weight_decay,
                amsgrad: case.flag("amsgrad"),
                maximize,
            })
        }
        "AdamW" => OptimizerConfig::AdamW(AdamWConfig {
            learning_rate,
            beta1: beta(0),
            beta2: beta(1),
            epsilon: epsilon(),
            weight_decay,
            amsgrad: case.flag("amsgrad"),
            maximize,
        }),
        "NAdam" => OptimizerConfig::NAdam(NAdamConfig {
            learning_rate,
            beta1: beta(0),
            beta2: beta(1),
            epsilon: epsilon(),
            momentum_decay: case.option("momentum_decay"),
            weight_decay,
            decoupled_weight_decay: decoupled(),
            maximize,
        }),
        "RAdam" => OptimizerConfig::RAdam(RAdamConfig {
            learning_rate,
            beta1: beta(0),
            beta2: beta(1),
            epsilon: epsilon(),
            weight_decay,
            decoupled_weight_decay: decoupled(),
            maximize,
        }),
        other => panic!("{}: the optimizer {other}", case.name),
    }
}

#[test]
fn optimizers_agree_with_pytorch() {
    for case in cases("optim", 35) {
        let config = config(&case);
        let (mut parameters, ranges) = case.joined("init.p");
        let mut optimizer =
            Optimizer::new(parameters.len(), ranges.iter().map(|range| (range.clone(), config)));
        let steps = case.option("steps") as usize;
        let mut paths = vec![Vec::new(); ranges.len()];
        for k in 0..steps {
            let of_step = |i: usize| {
                let n = ranges[i].len();
                &case.tensor(&format!("grads.p{i}"))[k * n..(k + 1) * n]
            };
            let gradient: Vec<f64> = (0..ranges.len()).flat_map(of_step).copied().collect();
            let present = |i| case.tensors.get(&format!("has_grad.p{i}")).is_none_or(|flags| flags[k] != 0.0);
            optimizer.step_where(&mut parameters, &gradient, present);
            for (path, range) in paths.iter_mut().zip(&ranges) {
                path.extend(&parameters[range.clone()]);
            }
        }
        for (i, path) in paths.iter().enumerate() {
            case.check(&format!("params.p{i}"), path);
        }
    }
}

#[test]
fn clipping_agrees_with_pytorch() {
    for case in cases("clip", 29) {
        let (mut gradient, ranges) = case.joined("grad.p");
        if case.kind() == "clip_grad_value_" {
            let _ = clip_value(&mut gradient, case.option("clip_value"));
        } else {
            let order = case.json["options"]["norm_type"].as_str().unwrap();
            let (p, limit) = (order.parse().unwrap(), case.option("max_norm"));
            let clipped = if case.flag("error_if_nonfinite") {
                try_clip_p_norm(&mut gradient, p, limit).ok()
            } else {
                Some(clip_p_norm(&mut gradient, p, limit))
            };
            case.check("raised", &[f64::from(clipped.is_none())]);
            if let Some(clipped) = clipped {
                case.check("total_norm", &[clipped.norm_before]);
            }
        }
        for (i, range) in ranges.into_iter().enumerate() {
            case.check(&format!("clipped.p{i}"), &gradient[range]);
        }
    }
}

/// The schedule of a case, or of a part of one.
fn schedule(kind: &str, options: &Value) -> Schedule {
    let f = |name: &str| options[name].as_f64().unwrap_or_else(|| panic!("{kind}: no number `{name}`"));
    let n = |name: &str| options[name].as_u64().unwrap_or_else(|| panic!("{kind}: no whole number `{name}`"));
    match kind {
        "StepLR" => Schedule::Step { step_size: n("step_size"), gamma: f("gamma") },
        "MultiStepLR" => {
            let milestones = serde_json::from_value(options["milestones"].clone()).unwrap();
            Schedule::MultiStep { milestones, gamma: f("gamma") }
        }
        "ExponentialLR" => Schedule::Exponential { gamma: f("gamma") },
        "ConstantLR" => Schedule::Constant { factor: f("factor"), steps: n("total_iters") },
        "LinearLR" => Schedule::Linear {
            start_factor: f("start_factor"),
            end_factor: f("end_factor"),
            steps: n("total_iters"),
        },
        "PolynomialLR" => Schedule::Polynomial { steps: n("total_iters"), power: f("power") },
        "CosineAnnealingLR" => Schedule::Cosine { steps: n("T_max"), minimum: f("eta_min") },
        "CosineAnnealingWarmRestarts" => {
            Schedule::CosineRestarts { period: n("T_0"), period_factor: n("T_mult"), minimum: f("eta_min") }
        }
        "OneCycleLR" => Schedule::OneCycle(OneCycle {
            steps: n("total_steps"),
            rise: f("pct_start"),
            anneal: match options["anneal_strategy"].as_str().unwrap() {
                "cos" => Anneal::Cosine,
                "linear" => Anneal::Linear,
                other => panic!("OneCycleLR: {other}"),
            },
            three_phase: options["three_phase"].as_bool().unwrap(),
            div_factor: f("div_factor"),
            final_div_factor: f("final_div_factor"),
            momentum: options["cycle_momentum"]
                .as_bool()
                .unwrap()
                .then(|| [f("base_momentum"), f("max_momentum")]),
        }),
        "LambdaLR" => {
            assert_eq!(options["formula"], "lr(t) = base_lr * min(1, (t + 1) / k)");
            let k = f("k");
            Schedule::Lambda(Lambda::new(move |t| ((t + 1) as f64 / k).min(1.0)))
        }
        "SequentialLR" => {
            let parts = options["schedulers"].as_array().unwrap();
            let milestones: Vec<u64> = serde_json::from_value(options["milestones"].clone()).unwrap();
            let mut from = 0;
            let lengths =
                milestones.iter().map(|&at| Some(at - std::mem::replace(&mut from, at))).chain([None]);
            let phase = |(steps, part): (_, &Value)| Phase {
                steps,
                schedule: schedule(part["kind"].as_str().unwrap(), part),
            };
            Schedule::Sequence(lengths.collect::<Vec<_>>().into_iter().zip(parts).map(phase).collect())
        }
        other => panic!("the schedule {other}"),
    }
}

fn plateau(case: &Case) -> PlateauConfig {
    let option = |name: &str| case.json["options"][name].as_str().unwrap();
    PlateauConfig {
        mode: if option("mode") == "min" { Mode::Min } else { Mode::Max },
        factor: case.option("factor"),
        patience: case.option("patience") as u64,
        threshold: case.option("threshold"),
        threshold_mode: match option("threshold_mode") {
            "rel" => ThresholdMode::Relative,
            _ => ThresholdMode::Absolute,
        },
        cooldown: case.option("cooldown") as u64,
        minimum: case.option("min_lr"),
        epsilon: case.option("eps"),
    }
}

#[test]
fn schedules_agree_with_pytorch() {
    for case in cases("sched", 28) {
        let steps = case.option("steps") as u64;
        if case.kind() == "ReduceLROnPlateau" {
            let mut plateau = Plateau::new(plateau(&case));
            let base = case.option("base_lr");
            let mut rates = vec![plateau.learning_rate(base)];
            for &metric in case.tensor("metrics") {
                plateau.observe(metric);
                rates.push(plateau.learning_rate(base));
            }
            case.check("lr", &rates);
            continue;
        }
        let schedule = schedule(case.kind(), &case.json["options"]);
        // The peak of a cycle is PyTorch's own setting, here the optimizer's learning rate.
        let base = case.option(if case.kind() == "OneCycleLR" { "max_lr" } else { "base_lr" });
        let rates: Vec<f64> = (0..steps).map(|step| schedule.learning_rate(base, step)).collect();
        case.check("lr", &rates);
        if case.tensors.contains_key("momentum") {
            let momenta: Vec<f64> = (0..steps).filter_map(|step| schedule.momentum(step)).collect();
            case.check("momentum", &momenta);
        }
        // The same holds of the formula as a warm-up.
        if case.kind() == "LambdaLR" {
            let warm_up = Schedule::WarmUp { steps: case.option("k") as u64 };
            assert_eq!((0..steps).map(|t| warm_up.learning_rate(base, t)).collect::<Vec<_>>(), rates);
        }
    }
}
