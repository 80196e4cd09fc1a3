use longlag_optim::{ForeignMemory, Memory, Mode};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// When to stop a training whose figure, such as the loss on validation data,
/// no longer gets better, and what to keep of it.
///
/// Source: Prechelt 1998, "Early stopping – but when?".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// How many figures in a row may be no better: one more ends the training.
    pub patience: u64,
    /// By how much a figure must be better than the best to count; 0 or more.
    #[serde(default, deserialize_with = "non_negative")]
    pub min_delta: f64,
    /// Which figures are better.
    #[serde(default)]
    pub mode: Mode,
    /// Whether the parameters become those of the best figure at the end.
    #[serde(default = "yes")]
    pub restore_best: bool,
}

impl EarlyStopping {
    /// For a figure that should be low, and the best parameters at the end.
    pub fn with_patience(patience: u64) -> EarlyStopping {
        EarlyStopping {
            patience,
            min_delta: 0.0,
            mode: Mode::Min,
            restore_best: true,
        }
    }
}

fn yes() -> bool {
    true
}

fn non_negative<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if x >= 0.0 {
        Ok(x)
    } else {
        Err(D::Error::custom(format_args!("{x} must be 0 or more")))
    }
}

/// Where an [`EarlyStopping`] is.
#[derive(Debug)]
pub(crate) struct Best<T> {
    pub(crate) config: EarlyStopping,
    pub(crate) figure: f64,
    pub(crate) parameters: Vec<T>,
    worse: u64,
}

impl<T: Copy> Best<T> {
    pub(crate) fn new(config: EarlyStopping, parameters: &[T]) -> Best<T> {
        let figure = config.mode.worst();
        Best { config, figure, parameters: parameters.to_vec(), worse: 0 }
    }
    /// Takes the next figure, which these parameters have; says whether
    /// patience is at an end. NaN counts as no better.
    pub(crate) fn observe(&mut self, figure: f64, parameters: &[T]) -> bool {
        let EarlyStopping { patience, min_delta, mode, .. } = self.config;
        if mode.better(figure, self.figure, min_delta) {
            self.figure = figure;
            self.worse = 0;
            self.parameters.copy_from_slice(parameters);
        } else {
            self.worse += 1;
        }
        self.worse > patience
    }
    pub(crate) fn memory(&self) -> Memory<T> {
        Memory {
            vectors: vec![self.parameters.clone()],
            numbers: vec![self.figure, self.worse as f64],
        }
    }
    pub(crate) fn restore(
        &mut self,
        memory: Memory<T>,
    ) -> Result<(), ForeignMemory> {
        let [parameters] =
            memory.vectors.try_into().map_err(|_| ForeignMemory)?;
        let [figure, worse] =
            memory.numbers[..].try_into().map_err(|_| ForeignMemory)?;
        let worse = worse as u64;
        *self = Best { config: self.config, figure, parameters, worse };
        Ok(())
    }
}
