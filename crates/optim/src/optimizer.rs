use crate::adam::{AdamConfig, AdamWConfig, NAdamConfig, RAdamConfig};
use crate::adaptive::{AdadeltaConfig, AdagradConfig, RmsPropConfig};
use crate::sgd::SgdConfig;
use longlag_numerics::Float;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// What is remembered from update to update: with it, a training goes on to the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory<T> {
    /// Numbers for each parameter: vectors of their length.
    pub vectors: Vec<Vec<T>>,
    /// Numbers for all of them together.
    pub numbers: Vec<f64>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Memory { vectors: Vec::new(), numbers: Vec::new() }
    }
}

impl<T> Memory<T> {
    /// Takes the first vectors and numbers away, as many as `like` has, if they are of its vectors' lengths.
    ///
    /// # Errors
    /// If there are fewer, or a length differs; then nothing changes.
    pub fn take(&mut self, like: &Memory<T>) -> Result<Memory<T>, ForeignMemory> {
        let (vectors, numbers) = (like.vectors.len(), like.numbers.len());
        let fits = |there: &[Vec<T>]| there.iter().map(Vec::len).eq(like.vectors.iter().map(Vec::len));
        if self.numbers.len() < numbers || !self.vectors.get(..vectors).is_some_and(fits) {
            return Err(ForeignMemory);
        }
        Ok(Memory {
            vectors: self.vectors.drain(..vectors).collect(),
            numbers: self.numbers.drain(..numbers).collect(),
        })
    }
    /// Puts what another remembers behind it.
    pub fn append(&mut self, mut more: Memory<T>) {
        self.vectors.append(&mut more.vectors);
        self.numbers.append(&mut more.numbers);
    }
    /// Whether nothing is left in it.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty() && self.numbers.is_empty()
    }
}

/// A [`Memory`] that isn't an optimizer's of the same kind and number of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignMemory;

impl fmt::Display for ForeignMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the optimizer's memory is that of another optimizer, or of other parameters")
    }
}
impl std::error::Error for ForeignMemory {}

/// How an optimizer turns gradients into changes of parameters.
pub(crate) trait Rule {
    /// What it remembers before the first update of `len` parameters.
    fn start<T: Float>(&self, len: usize) -> Memory<T>;
    /// One update; the memory is as `start` made it, and all slices are of one length.
    fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]);
}

/// A memory of vectors of zeros and of numbers.
pub(crate) fn zeros<T: Float>(vectors: usize, len: usize, numbers: &[f64]) -> Memory<T> {
    Memory { vectors: vec![vec![T::ZERO; len]; vectors], numbers: numbers.to_vec() }
}

/// The vectors and numbers of a memory, by pattern.
pub(crate) fn parts<T, const V: usize, const N: usize>(
    memory: &mut Memory<T>,
) -> ([&mut [T]; V], &mut [f64; N]) {
    let vectors: &mut [Vec<T>; V] = (&mut memory.vectors[..]).try_into().expect("the memory is the rule's");
    let numbers = (&mut memory.numbers[..]).try_into().expect("the memory is the rule's");
    (vectors.each_mut().map(|v| &mut v[..]), numbers)
}

/// The gradient that a rule sees: −g if it maximizes, and λ·θ added for a penalty ½λ|θ|² on the loss.
#[derive(Clone, Copy)]
pub(crate) struct Slope<T> {
    maximize: bool,
    /// If it isn't 0.
    weight_decay: Option<T>,
}

impl<T: Float> Slope<T> {
    pub(crate) fn new(maximize: bool, weight_decay: f64) -> Slope<T> {
        Slope { maximize, weight_decay: (weight_decay != 0.0).then(|| T::from_f64(weight_decay)) }
    }
    #[inline(always)]
    pub(crate) fn at(self, parameter: T, gradient: T) -> T {
        let g = if self.maximize { -gradient } else { gradient };
        match self.weight_decay {
            Some(decay) => g + decay * parameter,
            None => g,
        }
    }
}

macro_rules! optimizers {
    ($($(#[$doc:meta])* $name:ident($config:ident) $([$momentum:ident])?,)+) => {
        /// Which optimizer, with which settings; in a config `{ "adam": { "learning_rate": 0.001 } }`.
        ///
        /// Settings that are left out have PyTorch's defaults; an unknown one is an error.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum OptimizerConfig {
            $($(#[$doc])* $name($config),)+
        }

        impl OptimizerConfig {
            /// η.
            pub fn learning_rate(&self) -> f64 {
                match self {
                    $(OptimizerConfig::$name(config) => config.learning_rate,)+
                }
            }
            /// The same with another η.
            #[must_use]
            pub fn with_learning_rate(mut self, learning_rate: f64) -> OptimizerConfig {
                match &mut self {
                    $(OptimizerConfig::$name(config) => config.learning_rate = learning_rate,)+
                }
                self
            }
            /// The same with another λ.
            #[must_use]
            pub fn with_weight_decay(mut self, weight_decay: f64) -> OptimizerConfig {
                match &mut self {
                    $(OptimizerConfig::$name(config) => config.weight_decay = weight_decay,)+
                }
                self
            }
            /// The momentum μ, or what stands for it, β₁; none for Adagrad and Adadelta.
            pub fn momentum(&self) -> Option<f64> {
                match self {
                    $(OptimizerConfig::$name(_config) => None$(.or(Some(_config.$momentum)))?,)+
                }
            }
            /// The same with another momentum, or β₁, if it has one.
            #[must_use]
            pub fn with_momentum(mut self, _momentum: f64) -> OptimizerConfig {
                match &mut self {
                    $(OptimizerConfig::$name(_config) => { $(_config.$momentum = _momentum;)? })+
                }
                self
            }
        }

        impl Rule for OptimizerConfig {
            fn start<T: Float>(&self, len: usize) -> Memory<T> {
                match self {
                    $(OptimizerConfig::$name(config) => config.start(len),)+
                }
            }
            fn step<T: Float>(&self, memory: &mut Memory<T>, parameters: &mut [T], gradient: &[T]) {
                match self {
                    $(OptimizerConfig::$name(config) => config.step(memory, parameters, gradient),)+
                }
            }
        }
    };
}

optimizers! {
    /// Stochastic gradient descent.
    Sgd(SgdConfig) [momentum],
    /// Adam.
    Adam(AdamConfig) [beta1],
    /// Adam with decoupled weight decay.
    AdamW(AdamWConfig) [beta1],
    /// Adam with Nesterov's momentum.
    NAdam(NAdamConfig) [beta1],
    /// Rectified Adam.
    RAdam(RAdamConfig) [beta1],
    /// RMSprop.
    RmsProp(RmsPropConfig) [momentum],
    /// Adagrad.
    Adagrad(AdagradConfig),
    /// Adadelta.
    Adadelta(AdadeltaConfig),
}

impl OptimizerConfig {
    /// The optimizer for `len` parameters, in its first state.
    pub fn build<T: Float>(self, len: usize) -> Optimizer<T> {
        Optimizer::new(len, [(0..len, self)])
    }
}

/// Turns gradients into changes of the parameters.
///
/// Each range of the parameters has settings and a memory of its own, as PyTorch's `param_groups` have; with
/// [`OptimizerConfig::build`] there is one range, of everything. What no range covers never changes.
#[derive(Clone, Debug)]
pub struct Optimizer<T> {
    len: usize,
    ranges: Vec<Part<T>>,
}

/// A range of the parameters.
#[derive(Clone, Debug)]
struct Part<T> {
    range: Range<usize>,
    /// Before any schedule.
    own: OptimizerConfig,
    /// With what a schedule has set.
    config: OptimizerConfig,
    memory: Memory<T>,
}

impl<T: Float> Optimizer<T> {
    /// For `len` parameters, of which each range has its settings; in its first state.
    ///
    /// Panics if a range goes beyond them, or overlaps another.
    #[track_caller]
    pub fn new(
        len: usize,
        ranges: impl IntoIterator<Item = (Range<usize>, OptimizerConfig)>,
    ) -> Optimizer<T> {
        let mut parts: Vec<Part<T>> = Vec::new();
        for (range, config) in ranges {
            assert!(range.start <= range.end && range.end <= len, "Optimizer: {range:?} of {len} parameters");
            for Part { range: other, .. } in &parts {
                let apart = range.end <= other.start || other.end <= range.start;
                assert!(apart, "Optimizer: {range:?} overlaps {other:?}");
            }
            let memory = config.start(range.len());
            parts.push(Part { range, own: config, config, memory });
        }
        Optimizer { len, ranges: parts }
    }

    /// One update of `parameters` against `gradient`; allocates nothing.
    ///
    /// Panics if their lengths differ from the one the optimizer was made for.
    #[track_caller]
    pub fn step(&mut self, parameters: &mut [T], gradient: &[T]) {
        self.step_where(parameters, gradient, |_| true);
    }

    /// The same for those ranges only, by their index, that have a gradient this time. The others' parameters
    /// and memories stay, their count of updates too: as PyTorch does where `grad` is `None`, which is not the
    /// same as a gradient of zeros.
    ///
    /// Panics as [`step`](Self::step).
    #[track_caller]
    pub fn step_where(&mut self, parameters: &mut [T], gradient: &[T], has_gradient: impl Fn(usize) -> bool) {
        let (len, p, g) = (self.len, parameters.len(), gradient.len());
        assert!(
            p == len && g == len,
            "Optimizer::step: made for {len} parameters, given {p} and a gradient of {g}"
        );
        for (index, part) in self.ranges.iter_mut().enumerate() {
            if has_gradient(index) {
                let (p, g) = (&mut parameters[part.range.clone()], &gradient[part.range.clone()]);
                part.config.step(&mut part.memory, p, g);
            }
        }
    }

    /// Sets what a schedule asks for: each range's learning rate, from the one it was made with, and the momentum
    /// (β₁ where there is no momentum); with none to set, it is the one that the range was made with.
    ///
    /// This is no part of the memory: a schedule sets it again before each update.
    pub fn set(&mut self, learning_rate: impl Fn(f64) -> f64, momentum: Option<f64>) {
        for Part { own, config, .. } in &mut self.ranges {
            *config = own.with_learning_rate(learning_rate(own.learning_rate()));
            if let Some(momentum) = momentum {
                *config = config.with_momentum(momentum);
            }
        }
    }

    /// The settings of each range, as they are now.
    pub fn configs(&self) -> impl Iterator<Item = OptimizerConfig> {
        self.ranges.iter().map(|part| part.config)
    }

    /// What it remembers from update to update, range after range.
    pub fn memory(&self) -> Memory<T> {
        let mut all = Memory::default();
        self.ranges.iter().for_each(|part| all.append(part.memory.clone()));
        all
    }

    /// Goes on from what an optimizer of the same settings remembered.
    ///
    /// # Errors
    /// If the memory is that of another kind of optimizer, or of another number of parameters; then nothing
    /// changes.
    pub fn restore(&mut self, mut memory: Memory<T>) -> Result<(), ForeignMemory> {
        let parts: Vec<_> =
            self.ranges.iter().map(|part| memory.take(&part.memory)).collect::<Result<_, _>>()?;
        if !memory.is_empty() {
            return Err(ForeignMemory);
        }
        for (part, memory) in self.ranges.iter_mut().zip(parts) {
            part.memory = memory;
        }
        Ok(())
    }
}
