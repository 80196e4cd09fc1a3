//! `init`: weights at the start, judged by what their distribution must satisfy; and gains.

use super::case::{Case, Computed, Options, Stop, Way, failed, insert, unknown};
use super::property::{Law, Property};
use longlag_cells::StateDict;
use longlag_cells::init::{Fan, Init, Nonlinearity};
use longlag_numerics::random::Rng;
use ndarray::Array2;

const LINEAR: &str = "weight and bias of a Linear layer: uniform(-1/sqrt(in), 1/sqrt(in))";
const RECURRENT: &str = "every parameter of an RNN, LSTM or GRU layer is drawn from \
     uniform(-1/sqrt(hidden_size), 1/sqrt(hidden_size))";

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let results = match &case.kind[..] {
        "Initialiser" => weight(case)?,
        "CalculateGain" => gains(case)?,
        kind => return Err(unknown(format!("the kind {kind}"))),
    };
    Ok(vec![Way { name: "draw", results }])
}

fn weight(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    let [Property { tensor, shape, law }] = &case.properties[..] else {
        return Err(unknown(format!("{} tensors to draw", case.properties.len())));
    };
    if tensor != "weight" {
        return Err(unknown(format!("the tensor `{tensor}`")));
    }
    if options.get::<Vec<usize>>("shape")? != *shape {
        return Err(failed("the shape isn't that of the property"));
    }
    let &[rows, columns] = &shape[..] else {
        return Err(unknown(format!("a weight of the shape {shape:?}")));
    };
    // For longlag's rules that know blocks of H rows, a matrix that isn't a layer's is one block.
    let hidden = options.optional("hidden_size")?.unwrap_or(rows);
    if rows == 0 || columns == 0 || hidden == 0 {
        return Err(failed(format!("a weight of the shape {shape:?} for {hidden} units")));
    }
    let init = initialiser(options, law)?;
    case.all_known()?;
    init.check([rows, columns], hidden).map_err(unknown)?;
    let mut weight = Array2::<f64>::zeros((rows, columns));
    init.fill(weight.view_mut(), hidden, &mut Rng::new(0));
    let mut results = StateDict::default();
    insert(&mut results, tensor, shape, &weight);
    Ok(results)
}

/// The options don't name it: it is the one that has these options and this distribution.
fn initialiser(options: &Options, law: &Law) -> Result<Init, Stop> {
    let number = |name| options.get::<f64>(name);
    Ok(match law {
        Law::Constant { .. } => Init::Constant { value: number("value")? },
        Law::Orthogonal { .. } => Init::Orthogonal { gain: number("gain")? },
        Law::Uniform { .. } if options.has("rule") => match &options.get::<String>("rule")?[..] {
            LINEAR => {
                let nonlinearity = Nonlinearity::LeakyRelu { slope: 5_f64.sqrt() };
                Init::KaimingUniform { fan: Fan::In, nonlinearity }
            }
            RECURRENT => {
                options.get::<usize>("hidden_size")?;
                Init::Uniform
            }
            rule => return Err(unknown(format!("the rule `{rule}`"))),
        },
        Law::Uniform { .. } if options.has("mode") => {
            Init::KaimingUniform { fan: fan(options)?, nonlinearity: of_kaiming(options)? }
        }
        Law::Uniform { .. } if options.has("gain") => Init::Xavier { gain: number("gain")? },
        Law::Uniform { .. } => {
            let [low, high] = [number("low")?, number("high")?];
            if low >= high || !(high - low).is_finite() {
                return Err(failed(format!("no numbers from {low} to below {high}")));
            }
            Init::UniformIn { low, high }
        }
        Law::Normal { .. } if options.has("mode") => {
            Init::KaimingNormal { fan: fan(options)?, nonlinearity: of_kaiming(options)? }
        }
        Law::Normal { .. } if options.has("gain") => Init::XavierNormal { gain: number("gain")? },
        Law::Normal { .. } => Init::Normal { mean: number("mean")?, deviation: number("std")? },
        Law::Dropout { .. } => return Err(unknown("a weight with dropout")),
    })
}

fn fan(options: &Options) -> Result<Fan, Stop> {
    match &options.get::<String>("mode")?[..] {
        "fan_in" => Ok(Fan::In),
        "fan_out" => Ok(Fan::Out),
        mode => Err(unknown(format!("mode = {mode}"))),
    }
}

/// Kaiming's slope is 0 unless it is given, and no other function has one.
fn of_kaiming(options: &Options) -> Result<Nonlinearity, Stop> {
    let slope = options.optional("a")?.unwrap_or(0.0);
    nonlinearity(&options.get::<String>("nonlinearity")?, slope)
}

fn nonlinearity(name: &str, slope: f64) -> Result<Nonlinearity, Stop> {
    Ok(match name {
        "linear" => Nonlinearity::Linear,
        "sigmoid" => Nonlinearity::Sigmoid,
        "tanh" => Nonlinearity::Tanh,
        "relu" => Nonlinearity::Relu,
        "selu" => Nonlinearity::Selu,
        "leaky_relu" => Nonlinearity::LeakyRelu { slope },
        _ => return Err(unknown(format!("nonlinearity = {name}"))),
    })
}

fn gains(case: &Case) -> Result<StateDict, Stop> {
    let options = &case.options;
    let order: Vec<String> = options.get("order")?;
    // `calculate_gain`'s own default.
    let slope = options.optional("leaky_relu_slope")?.unwrap_or(0.01);
    case.all_known()?;
    let gain = |name: &String| Ok(nonlinearity(name, slope)?.gain());
    let gains = order.iter().map(gain).collect::<Result<Vec<_>, Stop>>()?;
    let mut results = StateDict::default();
    insert(&mut results, "gain", &[gains.len()], &gains);
    Ok(results)
}
