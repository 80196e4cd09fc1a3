//! A case as its files have it, and what every group needs of one.

use super::CASE;
use super::property::Property;
use longlag_autodiff::{Tape, Var};
use longlag_cells::{Cell, Dtype, RecurrentCell, StateDict, Tensor};
use longlag_numerics::{Float, Parameters, Scalar};
use ndarray::{Array, Array2, ArrayD, ArrayView2, Dimension};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

const TENSORS: &str = "tensors.safetensors";

/// Why a case has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What it asks for isn't known.
    Unknown(String),
    /// Its files are damaged, or contradict themselves.
    Failed(String),
}

pub(super) fn unknown(what: impl Display) -> Stop {
    Stop::Unknown(what.to_string())
}

pub(super) fn failed(why: impl Display) -> Stop {
    Stop::Failed(why.to_string())
}

/// A way to compute, and what it gave.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) results: StateDict,
}

/// What the ways gave; the first is the one that is shown.
pub(super) type Computed = Vec<Way>;

/// The two ways through a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Fused,
    Composed,
}

/// Computes in both ways, or in the one that there is for this cell.
pub(super) fn ways(
    cell: &Cell,
    mut compute: impl FnMut(By) -> Result<StateDict, Stop>,
) -> Result<Computed, Stop> {
    let fused = cell.fused().map(|_| ("fused", By::Fused));
    (fused.into_iter())
        .chain([("composed", By::Composed)])
        .map(|(name, by)| Ok(Way { name, results: compute(by)? }))
        .collect()
}

/// `case.json`. What else it says is for readers.
#[derive(Debug, Deserialize)]
struct Document {
    format: u64,
    kind: String,
    options: Map<String, Value>,
    inputs: BTreeMap<String, Declared>,
    expected: BTreeMap<String, Expected>,
    #[serde(default)]
    properties: Vec<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Declared {
    dtype: Dtype,
    shape: Vec<usize>,
}

/// A tensor that a result is compared with.
#[derive(Debug, Deserialize)]
pub(super) struct Expected {
    #[serde(flatten)]
    declared: Declared,
    /// Relative to the expected number.
    #[serde(default)]
    pub(super) rtol: f64,
    #[serde(default)]
    pub(super) atol: f64,
    #[serde(default)]
    pub(super) optional: bool,
}

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    folder: PathBuf,
    pub(super) kind: String,
    pub(super) options: Options,
    pub(super) expected: BTreeMap<String, Expected>,
    pub(super) properties: Vec<Property>,
    inputs: BTreeSet<String>,
    tensors: StateDict,
    /// The inputs that were asked for.
    used: RefCell<BTreeSet<String>>,
}

impl Case {
    /// Reads its files, and makes sure that these agree with each other.
    pub(super) fn read(folder: &Path) -> Result<Case, Stop> {
        let place = folder.join(CASE);
        let text = read(&place)?;
        let document: Document =
            serde_json::from_slice(&text).map_err(|error| failed(format!("{}: {error}", place.display())))?;
        let Document { format, kind, options, inputs, expected, properties } = document;
        if format != 1 {
            return Err(unknown(format!("format {format}")));
        }
        let place = folder.join(TENSORS);
        let tensors = StateDict::from_bytes(&read(&place)?)
            .map_err(|error| failed(format!("{}: {error}", place.display())))?;
        let declared = expected.iter().map(|(name, expected)| (name, &expected.declared));
        for (name, Declared { dtype, shape }) in inputs.iter().chain(declared) {
            let found = tensors.get(name);
            if found.is_none_or(|found| found.dtype() != *dtype || found.shape() != shape) {
                let found = found.map(|found| format!("{} {:?}", found.dtype(), found.shape()));
                return Err(failed(format!(
                    "{}: `{name}` is {}, and {dtype} {shape:?} in {CASE}",
                    place.display(),
                    found.as_deref().unwrap_or("missing")
                )));
            }
        }
        let properties = properties.into_iter().map(|of_one| Property::read(&Options::new(of_one)));
        Ok(Case {
            folder: folder.to_owned(),
            kind,
            options: Options::new(options),
            expected,
            properties: properties.collect::<Result<_, _>>()?,
            inputs: inputs.into_keys().collect(),
            tensors,
            used: RefCell::default(),
        })
    }

    /// Another file of its folder.
    pub(super) fn file(&self, name: &str) -> Result<Vec<u8>, Stop> {
        read(&self.folder.join(name))
    }

    /// Whether there is such an input.
    pub(super) fn has(&self, name: &str) -> bool {
        self.inputs.contains(name)
    }

    /// The names of inputs that begin so.
    pub(super) fn inputs_from<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.inputs.iter().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, Stop> {
        self.used.borrow_mut().insert(name.to_owned());
        self.tensors
            .get(name)
            .filter(|_| self.has(name))
            .ok_or_else(|| failed(format!("the input `{name}` is missing")))
    }

    /// The shape of an input, none of whose dimensions is 0.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], Stop> {
        let shape = self.tensor(name)?.shape();
        match <[usize; N]>::try_from(shape) {
            Ok(shape) if !shape.contains(&0) => Ok(shape),
            _ => Err(failed(format!(
                "the input `{name}` has the shape {shape:?}, not one of {N} numbers above 0"
            ))),
        }
    }

    /// The shape of an input of any number of dimensions, none of which is 0.
    pub(super) fn axes(&self, name: &str) -> Result<Vec<usize>, Stop> {
        let shape = self.tensor(name)?.shape();
        if shape.contains(&0) {
            return Err(failed(format!("the input `{name}` of the shape {shape:?} has no entries")));
        }
        Ok(shape.to_vec())
    }

    /// An input of any shape.
    pub(super) fn input<T: Float>(&self, name: &str) -> Result<ArrayD<T>, Stop> {
        let tensor = self.tensor(name)?;
        let numbers =
            tensor.numbers().ok_or_else(|| unknown(format!("the dtype {} of `{name}`", tensor.dtype())))?;
        Ok(ArrayD::from_shape_vec(tensor.shape(), numbers).expect("a tensor has its shape's size"))
    }

    /// An input of as many dimensions as the array has.
    pub(super) fn array<T: Float, D: Dimension>(&self, name: &str) -> Result<Array<T, D>, Stop> {
        let array = self.input(name)?;
        let shape = array.shape().to_vec();
        array.into_dimensionality().map_err(|_| failed(format!("the input `{name}` has the shape {shape:?}")))
    }

    /// An input of this shape as a matrix: all dimensions but the last are rows.
    pub(super) fn matrix(&self, name: &str, shape: &[usize]) -> Result<Array2<f64>, Stop> {
        let input = self.input(name)?;
        if input.shape() != shape {
            let found = input.shape();
            return Err(failed(format!(
                "the input `{name}` has the shape {found:?}, and {shape:?} is needed"
            )));
        }
        let columns = shape.last().copied().unwrap_or(1);
        let rows = input.len() / columns.max(1);
        Ok(input.into_shape_with_order((rows, columns)).expect("as many numbers"))
    }

    /// An input of whole numbers from 0 to below `end`.
    pub(super) fn indices(&self, name: &str, end: usize) -> Result<Vec<usize>, Stop> {
        let numbers = self.input::<f64>(name)?;
        let whole = |x: f64| x.fract() == 0.0 && (0.0..end as f64).contains(&x);
        let index = |x: &f64| whole(*x).then_some(*x as usize);
        numbers
            .iter()
            .map(|x| {
                index(x).ok_or_else(|| failed(format!("`{name}` has {x}, not one from 0 to below {end}")))
            })
            .collect()
    }

    /// How many of `steps` steps each of `batch` sequences has, if the case says so.
    pub(super) fn lengths(&self, name: &str, steps: usize, batch: usize) -> Result<Option<Vec<usize>>, Stop> {
        if !self.has(name) {
            return Ok(None);
        }
        let lengths = self.indices(name, steps + 1)?;
        if lengths.len() != batch || lengths.contains(&0) {
            return Err(failed(format!("`{name}` is {lengths:?}, not {batch} numbers from 1 to {steps}")));
        }
        Ok(Some(lengths))
    }

    /// Fills parameters from the inputs of their names, with `prefix` before them.
    pub(super) fn load<T: Float>(&self, prefix: &str, parameters: &mut Parameters<T>) -> Result<(), Stop> {
        let mut weights = StateDict::default();
        for span in parameters.spans() {
            let name = format!("{prefix}{}", span.name);
            if self.has(&name) {
                weights.insert(&span.name, self.tensor(&name)?.clone());
            }
        }
        weights.load_into(parameters).map_err(failed)
    }

    /// Σ result · its upstream gradient, over the results that have one; each with its name and its shape.
    pub(super) fn loss<'t>(
        &self,
        tape: &'t Tape<f64>,
        results: &[(&str, &[usize], Var<'t, f64>)],
    ) -> Result<Option<Var<'t, f64>>, Stop> {
        let mut loss = None;
        for &(name, shape, result) in results {
            let upstream = format!("d_{name}");
            if self.has(&upstream) {
                let term = (result * tape.constant(&self.matrix(&upstream, shape)?.view())).sum();
                loss = Some(loss.map_or(term, |loss| loss + term));
            }
        }
        Ok(loss)
    }

    /// The last check before computing: whether all that the case says was asked for.
    pub(super) fn all_known(&self) -> Result<(), Stop> {
        self.options.all_known()?;
        let used = self.used.borrow();
        match self.inputs.iter().find(|name| !used.contains(*name)) {
            Some(name) => Err(unknown(format!("the input `{name}`"))),
            None => Ok(()),
        }
    }

    /// What a result is compared with.
    pub(super) fn wanted(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| failed(format!("{}: can't be read: {error}", path.display())))
}

/// Options, and which of them were asked for.
#[derive(Debug)]
pub(super) struct Options {
    values: Map<String, Value>,
    used: RefCell<BTreeSet<String>>,
}

impl Options {
    pub(super) fn new(values: Map<String, Value>) -> Options {
        Options { values, used: RefCell::default() }
    }

    /// Whether there is such an option.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// An option that may be absent; null is the same.
    pub(super) fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Stop> {
        self.used.borrow_mut().insert(name.to_owned());
        let value = self.values.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| failed(format!("{CASE}: option `{name}`: {error}")))
    }

    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, Stop> {
        let missing = || failed(format!("{CASE}: the option `{name}` is missing"));
        self.optional(name)?.ok_or_else(missing)
    }

    /// An option that has options of its own.
    pub(super) fn group(&self, name: &str) -> Result<Options, Stop> {
        Ok(Options::new(self.get(name)?))
    }

    /// An option that must be what the tensors say.
    pub(super) fn agrees<T>(&self, name: &str, found: T) -> Result<(), Stop>
    where
        T: DeserializeOwned + PartialEq + Display,
    {
        let said: T = self.get(name)?;
        if said == found {
            Ok(())
        } else {
            Err(failed(format!("{CASE}: the option `{name}` is {said}, and {found} by the tensors")))
        }
    }

    /// An option of which one value is known.
    pub(super) fn only<T>(&self, name: &str, known: T) -> Result<(), Stop>
    where
        T: DeserializeOwned + PartialEq + Display,
    {
        let said: T = self.get(name)?;
        if said == known { Ok(()) } else { Err(unknown(format!("{name} = {said}"))) }
    }

    /// Options that say in words what the tensors hold.
    pub(super) fn for_readers(&self, names: &[&str]) {
        self.used.borrow_mut().extend(names.iter().map(|&name| name.to_owned()));
    }

    pub(super) fn all_known(&self) -> Result<(), Stop> {
        let used = self.used.borrow();
        match self.values.keys().find(|name| !used.contains(*name)) {
            Some(name) => Err(unknown(format!("the option `{name}`"))),
            None => Ok(()),
        }
    }
}

/// The cell of PyTorch's `mode`, and that `mode`'s name for layers.
pub(super) fn cell(mode: &str) -> Result<(Cell, &'static str), Stop> {
    Ok(match mode {
        "RNN_TANH" => (Cell::RnnTanh, "RNN"),
        "RNN_RELU" => (Cell::RnnRelu, "RNN"),
        "LSTM" => (Cell::Lstm, "LSTM"),
        "GRU" => (Cell::Gru, "GRU"),
        _ => return Err(unknown(format!("mode = {mode}"))),
    })
}

/// Rows of channels, as longlag has them, from an array with the channels in its second axis, as PyTorch does:
/// (N, C, L) becomes (N·L, C).
pub(super) fn channels_last(x: &ArrayD<f64>) -> Array2<f64> {
    let channels = x.shape()[1];
    let mut axes: Vec<usize> = (0..x.ndim()).collect();
    axes[1..].rotate_left(1);
    let numbers: Vec<f64> = x.view().permuted_axes(axes).iter().copied().collect();
    Array2::from_shape_vec((numbers.len() / channels, channels), numbers).expect("rows of all channels")
}

/// The way back, to an array of this shape.
pub(super) fn channels_second(rows: ArrayView2<'_, f64>, shape: &[usize]) -> Vec<f64> {
    let mut last = shape.to_vec();
    last[1..].rotate_left(1);
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    axes[1..].rotate_right(1);
    let numbers = rows.iter().copied().collect();
    let array = ArrayD::from_shape_vec(last, numbers).expect("as many numbers");
    array.permuted_axes(axes).iter().copied().collect()
}

/// Adds a result of double precision.
pub(super) fn insert<'a, T: Float + Scalar>(
    results: &mut StateDict,
    name: &str,
    shape: &[usize],
    numbers: impl IntoIterator<Item = &'a T>,
) {
    let numbers: Vec<T> = numbers.into_iter().copied().collect();
    results.insert(name, Tensor::new(Dtype::F64, shape, &numbers));
}

/// Adds the gradients of parameters under their names with `grad.` before.
pub(super) fn insert_gradients(results: &mut StateDict, parameters: &Parameters<f64>, gradient: &[f64]) {
    let mut gradients = parameters.clone();
    gradients.values.copy_from_slice(gradient);
    for (name, tensor) in StateDict::from_parameters(&gradients, Dtype::F64).iter() {
        results.insert(format!("grad.{name}"), tensor.clone());
    }
}
