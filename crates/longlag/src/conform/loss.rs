//! `loss`: losses and their gradients.

use super::case::{
    Case, Computed, Options, Stop, Way, channels_last, channels_second, failed, insert, unknown,
};
use longlag_autodiff::{Tape, Var};
use longlag_cells::StateDict;
use longlag_train::{CrossEntropy, Ctc, Reduction, bce_with_logits, squared_error};
use ndarray::{Array2, ArrayD, Ix2};

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let results = match &case.kind[..] {
        "MSE" => mean_squared_error(case),
        "BCEWithLogits" => binary_cross_entropy(case),
        "CrossEntropy" => cross_entropy(case),
        "CTCLoss" => ctc(case),
        kind => Err(unknown(format!("the kind {kind}"))),
    };
    Ok(vec![Way { name: "tape", results: results? }])
}

fn reduction(options: &Options) -> Result<Reduction, Stop> {
    match &options.get::<String>("reduction")?[..] {
        "mean" => Ok(Reduction::Mean),
        "sum" => Ok(Reduction::Sum),
        "none" => Ok(Reduction::None),
        other => Err(unknown(format!("reduction = {other}"))),
    }
}

/// What comes behind a loss.
struct End {
    reduction: Reduction,
    /// The shape of the loss: no axis, or those of what is not reduced.
    shape: Vec<usize>,
    d_loss: Option<Array2<f64>>,
}

impl End {
    fn read(case: &Case, of_each: &[usize]) -> Result<End, Stop> {
        let reduction = reduction(&case.options)?;
        let shape = if reduction == Reduction::None { of_each.to_vec() } else { vec![] };
        let d_loss = case.has("d_loss").then(|| case.matrix("d_loss", &shape)).transpose()?;
        Ok(End { reduction, shape, d_loss })
    }

    fn reduced<'t>(&self, losses: Var<'t, f64>) -> Var<'t, f64> {
        match self.reduction {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }

    /// Adds the loss; gives what the gradients are those of, if they are asked for.
    fn add<'t>(&self, results: &mut StateDict, loss: Var<'t, f64>) -> Option<Var<'t, f64>> {
        let value = loss.value();
        insert(results, "loss", &self.shape, &value);
        let d_loss = self.d_loss.clone()?.into_shape_with_order(value.dim()).expect("as many numbers");
        Some((loss * loss.tape().constant(&d_loss.view())).sum())
    }
}

fn mean_squared_error(case: &Case) -> Result<StateDict, Stop> {
    let shape = case.axes("input")?;
    let [input, target] = [case.matrix("input", &shape)?, case.matrix("target", &shape)?];
    let end = End::read(case, &shape)?;
    case.all_known()?;
    let tape = Tape::new();
    let [x, y] = [tape.leaf(&input.view()), tape.leaf(&target.view())];
    let mut results = StateDict::default();
    if let Some(weighted) = end.add(&mut results, end.reduced(squared_error(x, y))) {
        let gradients = weighted.backward();
        insert(&mut results, "grad.input", &shape, gradients.of(x));
        insert(&mut results, "grad.target", &shape, gradients.of(y));
    }
    Ok(results)
}

fn binary_cross_entropy(case: &Case) -> Result<StateDict, Stop> {
    let shape = case.axes("input")?;
    let [input, target] = [case.matrix("input", &shape)?, case.matrix("target", &shape)?];
    // Weights stretch to the shape of the input.
    let stretched = |name| {
        let stretch = |weight: ArrayD<f64>| match weight.broadcast(&shape[..]) {
            Some(all) => {
                let numbers = all.iter().copied().collect();
                Ok(Array2::from_shape_vec(input.dim(), numbers).expect("as many numbers"))
            }
            None => Err(failed(format!("`{name}` of {:?} doesn't stretch to {shape:?}", weight.shape()))),
        };
        case.has(name).then(|| case.input(name).and_then(stretch)).transpose()
    };
    let [weight, pos_weight] = [stretched("weight")?, stretched("pos_weight")?];
    let end = End::read(case, &shape)?;
    case.all_known()?;
    let tape = Tape::new();
    let [x, y] = [tape.leaf(&input.view()), tape.leaf(&target.view())];
    let constant = |all: Array2<f64>| tape.constant(&all.view());
    let mut losses = bce_with_logits(x, y, pos_weight.map(constant));
    if let Some(weight) = weight {
        losses = losses * constant(weight);
    }
    let mut results = StateDict::default();
    if let Some(weighted) = end.add(&mut results, end.reduced(losses)) {
        let gradients = weighted.backward();
        insert(&mut results, "grad.input", &shape, gradients.of(x));
        insert(&mut results, "grad.target", &shape, gradients.of(y));
    }
    Ok(results)
}

/// What each row of logits should be.
enum Target {
    Labels(Vec<Option<usize>>),
    Distributions(Array2<f64>),
}

fn cross_entropy(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    let shape = case.axes("input")?;
    let [_, classes, ..] = shape[..] else {
        return Err(unknown("logits of one sample that have no axis for more"));
    };
    let logits = channels_last(&case.input("input")?);
    let mut of_each = shape.clone();
    of_each.remove(1);
    let end = End::read(case, &of_each)?;
    let label_smoothing: f64 = options.get("label_smoothing")?;
    if !(0.0..=1.0).contains(&label_smoothing) {
        return Err(failed(format!("a label smoothing of {label_smoothing}, not from 0 to 1")));
    }
    let weights = case.has("weight").then(|| case.matrix("weight", &[classes])).transpose()?;
    let ignored: Option<i64> = options.optional("ignore_index")?;
    let target: ArrayD<f64> = case.input("target")?;
    let probabilities = options.optional("probabilities")?.unwrap_or(false);
    let wanted = if probabilities { &shape } else { &of_each };
    if target.shape() != &wanted[..] {
        return Err(failed(format!("`target` has the shape {:?}, not {wanted:?}", target.shape())));
    }
    let target = if probabilities {
        if ignored.is_some_and(|class| class >= 0) {
            return Err(unknown("ignore_index with probabilities"));
        }
        Target::Distributions(channels_last(&target))
    } else {
        let label = |&y: &f64| {
            if ignored.is_some_and(|class| y == class as f64) {
                return Ok(None);
            }
            if (0.0..classes as f64).contains(&y) && y.fract() == 0.0 {
                return Ok(Some(y as usize));
            }
            Err(failed(format!("`target` has {y}, which is none of {classes} classes")))
        };
        Target::Labels(target.iter().map(label).collect::<Result<_, _>>()?)
    };
    case.all_known()?;
    let tape = Tape::new();
    let x = tape.leaf(&logits.view());
    let loss = CrossEntropy {
        class_weights: weights.as_ref().and_then(|weights| weights.as_slice()),
        label_smoothing,
        reduction: end.reduction,
    };
    let loss = match target {
        Target::Labels(labels) => loss.of_labels(x, &labels),
        Target::Distributions(target) => loss.of_distributions(x, tape.constant(&target.view())),
    };
    let mut results = StateDict::default();
    if let Some(weighted) = end.add(&mut results, loss) {
        let gradients = weighted.backward();
        insert(&mut results, "grad.input", &shape, &channels_second(gradients.of(x), &shape));
    }
    Ok(results)
}

fn ctc(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    let shape @ [steps, n, classes] = case.shape("logits")?;
    let blank: usize = options.get("blank")?;
    if blank >= classes {
        return Err(failed(format!("the blank is {blank}, and there are {classes} classes")));
    }
    let of_each = |name: &str, end| {
        let numbers = case.indices(name, end)?;
        let found = numbers.len();
        if found == n { Ok(numbers) } else { Err(failed(format!("`{name}` has {found} numbers, not {n}"))) }
    };
    let lengths = of_each("input_lengths", steps + 1)?;
    if lengths.contains(&0) {
        return Err(unknown("a sequence without steps"));
    }
    let padded = case.array::<f64, Ix2>("targets")?;
    let (rows, width) = padded.dim();
    if rows != n {
        return Err(failed(format!("`targets` has {rows} rows, not {n}")));
    }
    let target_lengths = of_each("target_lengths", width + 1)?;
    let label = |&y: &f64| {
        if (0.0..classes as f64).contains(&y) && y.fract() == 0.0 && y != blank as f64 {
            return Ok(y as usize);
        }
        Err(failed(format!("`targets` has {y}, not a class below {classes} that isn't the blank, {blank}")))
    };
    // What stands behind the end of a target doesn't count.
    let of_row = |(row, &length): (_, &usize)| -> Result<Vec<usize>, Stop> {
        padded.row(row).iter().take(length).map(label).collect()
    };
    let targets = target_lengths.iter().enumerate().map(of_row).collect::<Result<Vec<_>, _>>()?;
    let zero_infinity = options.get("zero_infinity")?;
    let logits = case.matrix("logits", &shape)?;
    let end = End::read(case, &[n])?;
    case.all_known()?;
    let tape = Tape::new();
    let logits = tape.leaf(&logits.view());
    let log_probs = logits.log_softmax();
    let targets: Vec<&[usize]> = targets.iter().map(|target| &target[..]).collect();
    let loss = Ctc { blank, zero_infinity, reduction: end.reduction }.apply(log_probs, &targets, &lengths);
    let mut results = StateDict::default();
    insert(&mut results, "log_probs", &shape, &log_probs.value());
    if let Some(weighted) = end.add(&mut results, loss) {
        let gradients = weighted.backward();
        insert(&mut results, "grad.logits", &shape, gradients.of(logits));
        insert(&mut results, "grad.log_probs", &shape, gradients.of(log_probs));
    }
    Ok(results)
}
