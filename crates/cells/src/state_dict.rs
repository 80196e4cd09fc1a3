//! Weights from and to bytes: PyTorch's state dicts, in the safetensors format.
//!
//! The key decision: **bytes in, bytes out, and no name is changed on the way.** [`Parameters`] have PyTorch's
//! names, so a `state_dict` that PyTorch saved fits a network of ours as it is, and the reverse. Files are read
//! and written by who calls.
//!
//! The format: eight bytes with the length of a header, the header (JSON: each tensor's dtype, shape and
//! place), and the tensors' bytes, row-major, little-endian. Which headers are sound is for the reference
//! library to say, the crate `safetensors`; see <https://huggingface.co/docs/safetensors>.

mod tensor;

pub use tensor::{Dtype, Tensor};

use longlag_numerics::{Float, Parameters};
use safetensors::tensor::{Metadata, View};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Named tensors, as PyTorch's `state_dict()` gives them.
///
/// ```
/// use longlag_cells::{Cell, Dtype, Initialisation, Network, StateDict};
/// use longlag_numerics::random::Rng;
///
/// let network = Network::new(Cell::Lstm, 3, 5, 2);
/// let start = |seed| network.parameters::<f32>(&Initialisation::default(), &Rng::new(seed));
/// let (trained, mut loaded) = (start(1), start(2));
///
/// let bytes = StateDict::from_parameters(&trained, Dtype::F32).to_bytes();
/// let state_dict = StateDict::from_bytes(&bytes)?;
/// assert_eq!(state_dict.get("rnn.bias_ih_l0").map(|b| b.shape()), Some(&[20][..]));
/// state_dict.load_into(&mut loaded)?;
/// assert_eq!(trained, loaded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDict {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

/// The bytes of the header's length.
const LENGTH: usize = size_of::<u64>();

/// The header's name for what is no tensor.
const METADATA: &str = "__metadata__";

impl StateDict {
    /// Reads the bytes of a safetensors file. All that they hold is copied; no more is allocated, whatever
    /// the header says.
    ///
    /// # Errors
    /// If these aren't the bytes of a whole, sound file, as the reference library sees it.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateDict, LoadError> {
        let (header, body) = split(bytes)?;
        let header: Metadata =
            serde_json::from_slice(header).map_err(|error| {
                LoadError(format!("the header is wrong: {error}"))
            })?;
        // The crate's own comparison overflows if the last offset is near the largest number.
        let end = header.data_len();
        if end != body.len() {
            return Err(LoadError(format!(
                "by its header {end} bytes of tensors follow, and there are {}",
                body.len()
            )));
        }
        let tensors = header.tensors().into_iter().map(|(name, info)| {
            let (start, end) = info.data_offsets;
            let bytes = body[start..end].to_vec();
            (name, Tensor::of_bytes(info.dtype, info.shape.clone(), bytes))
        });
        let metadata = header.metadata().iter().flatten();
        Ok(StateDict {
            tensors: tensors.collect(),
            metadata: metadata.map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    }

    /// The bytes of a safetensors file of these tensors. Its metadata is `format: pt` alone, by which other
    /// programs know it for PyTorch's.
    pub fn to_bytes(&self) -> Vec<u8> {
        let format = [("format".to_owned(), "pt".to_owned())];
        let metadata = format.into_iter().collect();
        safetensors::serialize(&self.tensors, Some(metadata))
            .expect("the tensors have the sizes of their shapes")
    }

    /// Parameters as PyTorch would have them, in a dtype of floating-point numbers.
    ///
    /// A parameter of one row whose name (or what stands behind its last `.`) begins with `bias` or `running`
    /// becomes a vector. PyTorch has more vectors, such as the `weight` of a normalisation:
    /// [`squeeze`](Self::squeeze) them.
    ///
    /// Numbers that the dtype doesn't have are rounded to the nearest one, by way of `f32` if it has 16 bits,
    /// as PyTorch does it; what is too large for it becomes infinite.
    ///
    /// # Panics
    /// If the dtype is none of F64, F32, F16 and BF16.
    #[track_caller]
    pub fn from_parameters<T: Float>(
        parameters: &Parameters<T>,
        dtype: Dtype,
    ) -> StateDict {
        let mut state_dict = StateDict::default();
        for span in parameters.spans() {
            let numbers = &parameters.values[span.range()];
            let tensor = Tensor::new(dtype, &span.shape, numbers);
            state_dict.insert(&span.name, tensor);
            let part = span.name.rsplit('.').next().unwrap_or_default();
            let vector = |begin: &&str| part.starts_with(*begin);
            if span.shape[0] == 1 && ["bias", "running"].iter().any(vector) {
                state_dict.squeeze(&span.name);
            }
        }
        state_dict
    }

    /// Gives each parameter the numbers of the tensor of its name, rounded to `T` if that has fewer digits.
    ///
    /// A vector fits a parameter of one row. A tensor of integers for which there is no parameter, such as
    /// the `num_batches_tracked` of a batch normalisation, is a counter and no weight, and passed over.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape, or has no parameter: all of them are listed, and nothing
    /// is changed. Tensors that aren't meant for these parameters can be [left out](Self::retain) before.
    pub fn load_into<T: Float>(
        &self,
        parameters: &mut Parameters<T>,
    ) -> Result<(), Misfit> {
        let mut misfit = Misfit::default();
        let mut values = parameters.values.clone();
        for span in parameters.spans() {
            match self.tensors.get(&span.name) {
                None => misfit.missing.push(span.name.clone()),
                Some(tensor) if !tensor.fits(span.shape) => {
                    misfit.other_shape.push(OtherShape {
                        name: span.name.clone(),
                        found: tensor.shape().to_vec(),
                        wanted: span.shape,
                    });
                }
                Some(tensor) => match tensor.numbers() {
                    None => misfit.unreadable.push(format!(
                        "{} ({})",
                        span.name,
                        tensor.dtype()
                    )),
                    Some(numbers) => {
                        values[span.range()].copy_from_slice(&numbers);
                    }
                },
            }
        }
        let has =
            |name: &String| parameters.spans().iter().any(|s| &s.name == name);
        let unexpected = self
            .tensors
            .iter()
            .filter(|(name, tensor)| !tensor.is_integer() && !has(name));
        misfit.unexpected = unexpected.map(|(name, _)| name.clone()).collect();
        if misfit != Misfit::default() {
            return Err(misfit);
        }
        parameters.values = values;
        Ok(())
    }

    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All names and tensors, in the names' order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (&name[..], tensor))
    }

    /// What else the file's header said: names and texts.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Puts a tensor in, in place of one of the same name.
    ///
    /// # Panics
    /// If the name is `__metadata__`, which the format keeps for itself.
    #[track_caller]
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        assert!(name != METADATA, "no tensor can have the name `{METADATA}`");
        self.tensors.insert(name, tensor);
    }

    /// Leaves out the tensors whose names `keep` doesn't want.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.tensors.retain(|name, _| keep(name));
    }

    /// Makes a vector (n) of a matrix (1, n).
    ///
    /// # Panics
    /// If there is no tensor of that name, or it isn't of one row.
    #[track_caller]
    pub fn squeeze(&mut self, name: &str) {
        let Some(tensor) = self.tensors.get_mut(name) else {
            panic!("squeeze: there is no tensor `{name}`")
        };
        tensor.squeeze();
    }
}

/// The header and what follows it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), LoadError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Err(LoadError(format!(
            "it has {} bytes, and the length of the header alone takes {LENGTH}",
            bytes.len()
        )));
    };
    let length = u64::from_le_bytes(*length);
    let split = usize::try_from(length).ok();
    split.and_then(|split| rest.split_at_checked(split)).ok_or_else(|| {
        LoadError(format!(
            "its header is said to have {length} bytes, and {} follow",
            rest.len()
        ))
    })
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Tensor::dtype(self)
    }
    fn shape(&self) -> &[usize] {
        Tensor::shape(self)
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.bytes().into()
    }
    fn data_len(&self) -> usize {
        self.bytes().len()
    }
}

/// What was read is no safetensors file, or a damaged one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadError(problem) = self;
        write!(
            f,
            "this is no safetensors file, or a damaged one: {problem}; write or fetch it again"
        )
    }
}
impl std::error::Error for LoadError {}

/// A [`StateDict`] of another network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfit {
    /// Parameters that have no tensor.
    pub missing: Vec<String>,
    /// Tensors that have no parameter.
    pub unexpected: Vec<String>,
    /// Parameters whose tensor has another shape.
    pub other_shape: Vec<OtherShape>,
    /// Parameters whose tensor is of a dtype that isn't read, with the dtype.
    pub unreadable: Vec<String>,
}

/// A parameter whose tensor has another shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherShape {
    /// Its name.
    pub name: String,
    /// The tensor's shape.
    pub found: Vec<usize>,
    /// The parameter's shape.
    pub wanted: [usize; 2],
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit { missing, unexpected, other_shape, unreadable } = self;
        let shapes: Vec<_> = (other_shape.iter())
            .map(|OtherShape { name, found, wanted }| {
                format!("{name} {found:?} in place of {wanted:?}")
            })
            .collect();
        write!(f, "these weights are of another network")?;
        for (what, names) in [
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", &shapes),
            ("of a dtype that can't be read", unreadable),
        ] {
            if !names.is_empty() {
                write!(f, "; {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}
impl std::error::Error for Misfit {}
