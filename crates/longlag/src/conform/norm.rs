//! `norm`: normalisation and dropout, values and gradients.

use super::case::{Case, Computed, Stop, Way, channels_last, channels_second, failed, insert, unknown};
use longlag_autodiff::{Grads, Tape, Var};
use longlag_cells::dropout::dropout;
use longlag_cells::normalisation::{RunningStatistics, Statistics, batch_norm, layer_norm};
use longlag_cells::{Dtype, StateDict, Tensor};
use longlag_numerics::random::Rng;
use ndarray::Array2;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let results = match &case.kind[..] {
        "BatchNorm1d" => batch_normalisation(case),
        "LayerNorm" => layer_normalisation(case),
        "Dropout" => masked(case, false),
        "DropoutMask" => masked(case, true),
        kind => Err(unknown(format!("the kind {kind}"))),
    };
    Ok(vec![Way { name: "tape", results: results? }])
}

/// The factors and what is added, each in one row, if the case has them.
struct Affine {
    shape: Vec<usize>,
    rows: [(&'static str, Option<Array2<f64>>); 2],
}

impl Affine {
    fn read(case: &Case, shape: &[usize]) -> Result<Affine, Stop> {
        let row = |name| {
            let row = |rows: Array2<f64>| {
                let one = (1, rows.len());
                rows.into_shape_with_order(one).expect("as many numbers")
            };
            case.has(name).then(|| case.matrix(name, shape).map(row)).transpose()
        };
        Ok(Affine { shape: shape.to_vec(), rows: [("weight", row("weight")?), ("bias", row("bias")?)] })
    }

    fn on<'t>(&self, tape: &'t Tape<f64>) -> [Option<Var<'t, f64>>; 2] {
        self.rows.each_ref().map(|(_, row)| row.as_ref().map(|row| tape.leaf(&row.view())))
    }

    fn insert_gradients(
        &self,
        results: &mut StateDict,
        gradients: &Grads<'_, f64>,
        vars: [Option<Var<'_, f64>>; 2],
    ) {
        for ((name, _), var) in self.rows.iter().zip(vars) {
            if let Some(var) = var {
                insert(results, &format!("grad.{name}"), &self.shape, gradients.of(var));
            }
        }
    }
}

fn batch_normalisation(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    // One batch; or several, of which the last is not for training.
    let several: Vec<String> =
        (0..).map(|k| format!("input.{k}")).take_while(|name| case.has(name)).collect();
    let last = several.len().saturating_sub(1);
    let batches: Vec<(String, bool)> = if several.is_empty() {
        vec![("input".to_owned(), options.get("training")?)]
    } else {
        several.into_iter().enumerate().map(|(k, name)| (name, k < last)).collect()
    };
    let features: usize = options.get("num_features")?;
    let affine = Affine::read(case, &[features])?;
    options.agrees("affine", affine.rows[0].1.is_some() && affine.rows[1].1.is_some())?;
    let tracks: bool = options.get("track_running_stats")?;
    let eps = options.get("eps")?;
    let momentum = options.optional("momentum")?;
    let mut running = RunningStatistics { momentum, ..RunningStatistics::new(features) };
    if tracks && case.has("running_mean") {
        running.mean = case.matrix("running_mean", &[features])?.into_iter().collect();
        running.variance = case.matrix("running_var", &[features])?.into_iter().collect();
        running.batches = case.indices("num_batches_tracked", usize::MAX)?.first().map_or(0, |&n| n as u64);
    }
    let mut inputs = vec![];
    for (name, training) in &batches {
        let shape = case.axes(name)?;
        if shape.get(1) != Some(&features) {
            return Err(failed(format!("`{name}` has the shape {shape:?}, not {features} features")));
        }
        let x = channels_last(&case.input(name)?);
        if x.nrows() < 2 && (*training || !tracks) {
            return Err(failed(format!("`{name}` has one row, which has no variance")));
        }
        inputs.push((name, *training, shape, x));
    }
    let upstream = |shape: &[usize]| {
        case.matrix("d_output", shape)?;
        Ok(channels_last(&case.input("d_output")?))
    };
    // Of several batches, the parameters' gradient would be that of one.
    let one = inputs.len() == 1 && case.has("d_output");
    let d_output = if one { Some(upstream(&inputs[0].2)?) } else { None };
    case.all_known()?;

    let mut results = StateDict::default();
    for (name, training, shape, x) in inputs {
        let tape = Tape::new();
        let x = tape.leaf(&x.view());
        let [weight, bias] = affine.on(&tape);
        let statistics = match (tracks, training) {
            (false, _) => Statistics::Batch(None),
            (true, true) => Statistics::Batch(Some(&mut running)),
            (true, false) => Statistics::Running(&running),
        };
        let y = batch_norm(x, weight, bias, eps, statistics);
        let output = name.replacen("input", "output", 1);
        insert(&mut results, &output, &shape, &channels_second(y.value().view(), &shape));
        if let Some(d_output) = &d_output {
            let gradients = (y * tape.constant(&d_output.view())).sum().backward();
            insert(&mut results, "grad.input", &shape, &channels_second(gradients.of(x), &shape));
            affine.insert_gradients(&mut results, &gradients, [weight, bias]);
        }
    }
    if tracks {
        insert(&mut results, "after.running_mean", &[features], &running.mean);
        insert(&mut results, "after.running_var", &[features], &running.variance);
        let batches = Tensor::new(Dtype::I64, &[], &[running.batches as f64]);
        results.insert("after.num_batches_tracked", batches);
    }
    Ok(results)
}

fn layer_normalisation(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    let shape = case.axes("input")?;
    let normalised: Vec<usize> = options.get("normalized_shape")?;
    if normalised.is_empty() || !shape.ends_with(&normalised) {
        return Err(failed(format!("`input` of {shape:?} doesn't end with the axes {normalised:?}")));
    }
    let affine = Affine::read(case, &normalised)?;
    let [has_weight, has_bias] = affine.rows.each_ref().map(|(_, row)| row.is_some());
    options.agrees("elementwise_affine", has_weight)?;
    // Without a factor there is nothing to add either, whatever the option says.
    let bias: bool = options.get("bias")?;
    if has_bias != (bias && has_weight) {
        options.agrees("bias", has_bias)?;
    }
    let eps = options.get("eps")?;
    let columns: usize = normalised.iter().product();
    let rows = |name| {
        let rows = case.matrix(name, &shape)?;
        let rows_of = (rows.len() / columns, columns);
        Ok(rows.into_shape_with_order(rows_of).expect("as many numbers"))
    };
    let x = rows("input")?;
    let d_output = case.has("d_output").then(|| rows("d_output")).transpose()?;
    case.all_known()?;

    let tape = Tape::new();
    let x = tape.leaf(&x.view());
    let [weight, bias] = affine.on(&tape);
    let y = layer_norm(x, weight, bias, eps);
    let mut results = StateDict::default();
    insert(&mut results, "output", &shape, &y.value());
    if let Some(d_output) = d_output {
        let gradients = (y * tape.constant(&d_output.view())).sum().backward();
        insert(&mut results, "grad.input", &shape, gradients.of(x));
        affine.insert_gradients(&mut results, &gradients, [weight, bias]);
    }
    Ok(results)
}

/// Dropout; with a mask that is `given`, or with one of its own.
fn masked(case: &Case, given: bool) -> Result<StateDict, Stop> {
    let options = &case.options;
    let shape = case.axes("input")?;
    let x = case.matrix("input", &shape)?;
    let p: f64 = options.get("p")?;
    if !(0.0..=1.0).contains(&p) {
        return Err(failed(format!("a probability of {p}, not from 0 to 1")));
    }
    let mask = given.then(|| case.matrix("mask", &shape)).transpose()?;
    let training = given || options.get("training")?;
    if training && !given && 0.0 < p && p < 1.0 && case.properties.is_empty() {
        return Err(unknown(format!("p = {p} in training: other random numbers")));
    }
    if case.has("d_output") {
        case.matrix("d_output", &shape)?;
    }
    case.all_known()?;

    let tape = Tape::new();
    let x = tape.leaf(&x.view());
    let y = match mask {
        Some(mask) => (x * tape.constant(&mask.view())).scale(1.0 / (1.0 - p)),
        None if training => dropout(x, p, &mut Rng::new(0)),
        None => x,
    };
    let mut results = StateDict::default();
    insert(&mut results, "output", &shape, &y.value());
    if let Some(loss) = case.loss(&tape, &[("output", &shape, y)])? {
        insert(&mut results, "grad.input", &shape, loss.backward().of(x));
    }
    Ok(results)
}
