use crate::accumulation::Accumulation;
use crate::stopping::{Best, EarlyStopping};
use longlag_autodiff::{Bound, NonFinite, Tape, Var};
use longlag_numerics::{Float, Parameters, Scalar};
use longlag_optim::{
    Clip, Clipped, ForeignMemory, Group, Groups, Memory, Optimizer,
    OptimizerConfig, Plateau, PlateauConfig, Schedule,
};
use ndarray::Array2;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::fmt;
use std::ops::ControlFlow;

/// What a training does with gradients; in a config at least
/// `{ "optimizer": { "adam": {} } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerConfig {
    /// What changes the parameters.
    pub optimizer: OptimizerConfig,
    /// How gradients are clipped first.
    #[serde(default)]
    pub clip: Clip,
    /// Parameters with settings of their own.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// How the learning rate changes; its step is the number of updates done.
    #[serde(default)]
    pub schedule: Schedule,
    /// Whether and how [`Trainer::validate`] reduces the learning rate.
    #[serde(default)]
    pub plateau: Option<PlateauConfig>,
    /// Whether and when [`Trainer::validate`] ends the training.
    #[serde(default)]
    pub stopping: Option<EarlyStopping>,
    /// What a loss or a gradient that is not finite leads to.
    #[serde(default)]
    pub non_finite: NonFinitePolicy,
    /// The number of batches whose mean gradient makes an update; 1 or more.
    #[serde(default = "one", deserialize_with = "count")]
    pub accumulate: u64,
}

fn one() -> u64 {
    1
}

fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        0 => Err(D::Error::custom("0 must be 1 or more")),
        n => Ok(n),
    }
}

impl TrainerConfig {
    /// With this optimizer, and nothing else.
    pub fn new(optimizer: OptimizerConfig) -> TrainerConfig {
        TrainerConfig {
            optimizer,
            clip: Clip::None,
            groups: Vec::new(),
            schedule: Schedule::None,
            plateau: None,
            stopping: None,
            non_finite: NonFinitePolicy::Error,
            accumulate: 1,
        }
    }
}

/// What a loss or a gradient that is not finite leads to. In no case does it
/// change parameters or what the optimizer remembers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NonFinitePolicy {
    /// An error: [`Diverged`].
    #[default]
    Error,
    /// The update is left out, and counted: [`Trainer::skipped`].
    Skip,
}

/// A mistake in a [`TrainerConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainerConfigError(String);

impl fmt::Display for TrainerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for TrainerConfigError {}

/// Everything that a training has between two updates.
#[derive(Debug)]
pub struct Trainer<T> {
    /// What is trained.
    pub parameters: Parameters<T>,
    optimizer: Optimizer<T>,
    groups: Groups,
    schedule: Schedule,
    plateau: Option<Plateau>,
    best: Option<Best<T>>,
    non_finite: NonFinitePolicy,
    accumulation: Option<Accumulation<T>>,
    learning_rate: f64,
    tape: Tape<T>,
    updates: u64,
    skipped: u64,
    clipped: Vec<Clipped>,
}

/// A training between two updates, as far as it changes: with it, one of the
/// same network and settings goes on to the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint<T> {
    /// The updates that are done.
    pub updates: u64,
    /// All parameters, in their order.
    pub parameters: Vec<T>,
    /// What the optimizer remembers, and behind it what those settings that
    /// are in use do: plateau, stopping, skipped updates, accumulation.
    pub memory: Memory<T>,
}

/// A [`Checkpoint`] of another training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignCheckpoint(String);

impl fmt::Display for ForeignCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the checkpoint is that of another training: {}", self.0)
    }
}
impl std::error::Error for ForeignCheckpoint {}

impl From<ForeignMemory> for ForeignCheckpoint {
    fn from(error: ForeignMemory) -> ForeignCheckpoint {
        ForeignCheckpoint(error.to_string())
    }
}

/// What an observer sees of an update.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a, T> {
    /// Its number, from 1.
    pub update: u64,
    /// The loss before the update; with several batches, their mean.
    pub loss: T,
    /// What clipping found and did, to all that no group clips by itself.
    pub clipped: Clipped,
    /// What it found and did to the groups that clip by themselves, in order.
    pub clipped_groups: &'a [Clipped],
    /// The learning rate of the update, where a group has no factor.
    pub learning_rate: f64,
    /// The gradient after clipping.
    pub gradient: &'a [T],
    /// The parameters after the update.
    pub parameters: &'a Parameters<T>,
}

/// A variable of a loss, after the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched<T> {
    /// What it was.
    pub value: Array2<T>,
    /// The loss's gradient by it.
    pub gradient: Array2<T>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Updated {
    /// The parameters changed.
    Done,
    /// Its gradient waits for those of further batches.
    Accumulated,
    /// Something was not finite, and the update, with all batches
    /// accumulated for it, was left out.
    Skipped(Diverged),
}

/// A loss or its gradient was infinite or NaN; the parameters are those
/// before the update.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// The number of the update, from 1.
    pub update: u64,
    /// The loss.
    pub loss: f64,
    /// The first parameter with such an entry in its gradient.
    pub parameter: Option<String>,
    /// How many entries of the whole gradient are such.
    pub non_finite: usize,
    /// What was first not finite, in the order of computation.
    pub cause: Option<Box<NonFinite>>,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diverged { update, loss, parameter, non_finite, cause } = self;
        write!(f, "update {update}: ")?;
        if let Some(parameter) = parameter {
            write!(
                f,
                "{non_finite} entries of the gradient are infinite or NaN, the first in `{parameter}`; "
            )?;
        }
        write!(f, "the loss was {loss:e}")?;
        match cause {
            Some(cause) => write!(f, "; first of all, {cause}"),
            None => Ok(()),
        }
    }
}
impl std::error::Error for Diverged {}

impl<T: Float + Scalar> Trainer<T> {
    /// A training that starts at `parameters`.
    pub fn new(
        parameters: Parameters<T>,
        optimizer: OptimizerConfig,
        clip: Clip,
    ) -> Trainer<T> {
        let config = TrainerConfig { clip, ..TrainerConfig::new(optimizer) };
        Trainer::with(parameters, &config).expect("nothing in it can be wrong")
    }

    /// A training that starts at `parameters`, with more settings.
    ///
    /// # Errors
    /// If a group names what is no parameter or two name the same one, or if
    /// the schedule sets a momentum that the optimizer doesn't have.
    pub fn with(
        parameters: Parameters<T>,
        config: &TrainerConfig,
    ) -> Result<Trainer<T>, TrainerConfigError> {
        let TrainerConfig { optimizer, clip, schedule, .. } = config;
        let groups = Groups::new(&config.groups, *clip, parameters.spans())
            .map_err(|error| TrainerConfigError(error.to_string()))?;
        if schedule.moves_momentum() && optimizer.momentum().is_none() {
            return Err(TrainerConfigError(
                "the schedule sets a momentum, and the optimizer has none: \
                 say `\"momentum\": null` in the schedule"
                    .into(),
            ));
        }
        let len = parameters.values.len();
        let (accumulate, clips) = (config.accumulate, groups.clips());
        Ok(Trainer {
            optimizer: groups.optimizer(*optimizer, len),
            groups,
            schedule: schedule.clone(),
            plateau: config.plateau.map(Plateau::new),
            best: config
                .stopping
                .map(|stopping| Best::new(stopping, &parameters.values)),
            non_finite: config.non_finite,
            accumulation: (accumulate > 1)
                .then(|| Accumulation::new(accumulate, len)),
            learning_rate: optimizer.learning_rate(),
            parameters,
            tape: Tape::new(),
            updates: 0,
            skipped: 0,
            clipped: Vec::with_capacity(clips),
        })
    }

    /// How many updates are done, with those that were skipped.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// How many updates were skipped because something was not finite.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Where the training is. NaNs, whose bits differ between processors, all
    /// become the same one.
    pub fn checkpoint(&self) -> Checkpoint<T> {
        let one_nan = |x: &mut T| {
            if x.to_f64().is_nan() {
                *x = T::from_f64(f64::NAN);
            }
        };
        let mut parameters = self.parameters.values.clone();
        let mut memory = self.optimizer.memory();
        self.memories().into_iter().for_each(|more| memory.append(more));
        parameters
            .iter_mut()
            .chain(memory.vectors.iter_mut().flatten())
            .for_each(one_nan);
        Checkpoint { updates: self.updates, parameters, memory }
    }

    /// What is remembered beside the optimizer's; empty where not in use.
    fn memories(&self) -> [Memory<T>; 4] {
        let numbers = |numbers: Vec<f64>| Memory { vectors: vec![], numbers };
        let skips = self.non_finite == NonFinitePolicy::Skip;
        [
            self.plateau.map(|plateau| numbers(plateau.memory().into())),
            self.best.as_ref().map(Best::memory),
            skips.then(|| numbers(vec![self.skipped as f64])),
            self.accumulation.as_ref().map(Accumulation::memory),
        ]
        .map(Option::unwrap_or_default)
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// If it has another number of parameters, or its settings are others;
    /// then nothing changes.
    pub fn restore(
        &mut self,
        from: Checkpoint<T>,
    ) -> Result<(), ForeignCheckpoint> {
        let Checkpoint { updates, parameters, mut memory } = from;
        let (there, here) = (parameters.len(), self.parameters.values.len());
        if there != here {
            return Err(ForeignCheckpoint(format!(
                "it has {there} parameters, this one {here}"
            )));
        }
        let optimizer = memory.take(&self.optimizer.memory())?;
        let [a, b, c, d] = self.memories().map(|like| memory.take(&like));
        let [plateau, best, skips, accumulation] = [a?, b?, c?, d?];
        if !memory.is_empty() {
            return Err(ForeignMemory.into());
        }
        // All are of the right lengths, so that nothing below fails.
        self.optimizer.restore(optimizer)?;
        if let Some(state) = &mut self.plateau {
            let numbers = plateau.numbers[..].try_into();
            state.restore(numbers.map_err(|_| ForeignMemory)?);
        }
        if let Some(state) = &mut self.best {
            state.restore(best)?;
        }
        if let Some(state) = &mut self.accumulation {
            state.restore(accumulation)?;
        }
        self.skipped = skips.numbers.first().map_or(0, |n| *n as u64);
        self.parameters.values = parameters;
        self.updates = updates;
        Ok(())
    }

    /// One update: records `loss` over the parameters, walks back, clips,
    /// and lets the optimizer step.
    ///
    /// # Errors
    /// If the loss or an entry of its gradient is infinite or NaN, and the
    /// policy is not to skip; then nothing changes.
    pub fn update(
        &mut self,
        loss: impl for<'t> FnOnce(&Bound<'t, '_, T>) -> Var<'t, T>,
        observe: impl FnOnce(Step<'_, T>),
    ) -> Result<Updated, Diverged> {
        self.update_adding(
            |bound| (loss(bound), Vec::new()),
            |_, _, _| {},
            observe,
        )
    }

    // ANCHOR: update
    /// [`update`](Self::update) with a gradient that is not the loss's own,
    /// such as that of [`omega`](crate::omega).
    ///
    /// `loss` also gives the variables to be watched, none of them constant.
    /// `add` gets these, in order, and the parameters, and adds to the
    /// gradient of all parameters, laid out as they are. This is before
    /// batches are accumulated and gradients are clipped. The loss that the
    /// observer sees is without what was added.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn update_adding(
        &mut self,
        loss: impl for<'t> FnOnce(
            &Bound<'t, '_, T>,
        ) -> (Var<'t, T>, Vec<Var<'t, T>>),
        add: impl FnOnce(&[Watched<T>], &Parameters<T>, &mut [T]),
        observe: impl FnOnce(Step<'_, T>),
    ) -> Result<Updated, Diverged> {
        self.tape.reset();
        let bound = self.tape.bind(&self.parameters);
        let (loss, watched) = loss(&bound);
        let mut value = loss.item();
        let mut grads = loss.backward();
        let watch = |&v: &Var<'_, T>| Watched {
            value: v.value(),
            gradient: grads.of(v).to_owned(),
        };
        let watched: Vec<_> = watched.iter().map(watch).collect();
        let mut gradient = grads.of_parameters_mut(&bound);
        add(&watched, &self.parameters, gradient);
        if !value.finite() || gradient.iter().any(|g| !g.finite()) {
            let mut diverged = self.diverged(value, gradient);
            drop(grads);
            diverged.cause = loss.first_non_finite(&bound).map(Box::new);
            return self.pass_over(diverged);
        }
        if let Some(batches) = &mut self.accumulation {
            match batches.add(value, gradient) {
                None => return Ok(Updated::Accumulated),
                Some(mean) => (value, gradient) = mean,
            }
        }
        let values = &mut self.parameters.values;
        self.clipped.clear();
        self.groups.clip(gradient, values, |_, c| self.clipped.push(c));
        let rate = |base| {
            let base = self.plateau.map_or(base, |p| p.learning_rate(base));
            self.schedule.learning_rate(base, self.updates)
        };
        self.optimizer.set(rate, self.schedule.momentum(self.updates));
        let learning_rate = rate(self.learning_rate);
        self.optimizer.step(values, gradient);
        self.updates += 1;
        observe(Step {
            update: self.updates,
            loss: value,
            clipped: self.clipped[0],
            clipped_groups: &self.clipped[1..],
            learning_rate,
            gradient,
            parameters: &self.parameters,
        });
        Ok(Updated::Done)
    }
    // ANCHOR_END: update

    /// Updates until `updates` are done in all, or `observe` breaks.
    ///
    /// `loss` is given the number of the batch, from 1, and records its loss.
    /// That is the number of the update, unless several batches make one.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn run(
        &mut self,
        updates: u64,
        mut loss: impl for<'t> FnMut(u64, &Bound<'t, '_, T>) -> Var<'t, T>,
        mut observe: impl FnMut(Step<'_, T>) -> ControlFlow<()>,
    ) -> Result<(), Diverged> {
        while self.updates < updates {
            let next = match &self.accumulation {
                None => self.updates + 1,
                Some(of) => self.updates * of.batches + of.done + 1,
            };
            let mut flow = ControlFlow::Continue(());
            self.update(
                |bound| loss(next, bound),
                |step| flow = observe(step),
            )?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Takes a figure that the parameters have now, such as the loss on
    /// validation data: the plateau and the stopping go by it.
    ///
    /// It breaks where the training should end; then the parameters are those
    /// of the best figure, if the settings say so. The optimizer's memory
    /// stays that of the last update.
    pub fn validate(&mut self, figure: f64) -> ControlFlow<()> {
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(figure);
        }
        let Some(best) = &mut self.best else {
            return ControlFlow::Continue(());
        };
        if !best.observe(figure, &self.parameters.values) {
            return ControlFlow::Continue(());
        }
        if best.config.restore_best {
            self.restore_best();
        }
        ControlFlow::Break(())
    }

    /// Makes the parameters those of the best figure that
    /// [`validate`](Self::validate) has seen, for a training that ends before
    /// its patience. If it has seen none, or the settings have no stopping,
    /// nothing changes.
    pub fn restore_best(&mut self) {
        if let Some(best) = &self.best
            && best.figure != best.config.mode.worst()
        {
            self.parameters.values.copy_from_slice(&best.parameters);
        }
    }

    /// The best figure that [`validate`](Self::validate) has seen, and the
    /// parameters that it was seen with; of the start, if it has seen none.
    /// Nothing if the settings have no stopping.
    pub fn best(&self) -> Option<(f64, &[T])> {
        self.best.as_ref().map(|best| (best.figure, &best.parameters[..]))
    }

    /// What is told of an update that must not be.
    fn diverged(&self, loss: T, gradient: &[T]) -> Diverged {
        let bad = |s: &&longlag_numerics::Span| {
            gradient[s.range()].iter().any(|g| !g.finite())
        };
        let span = self.parameters.spans().iter().find(bad);
        Diverged {
            update: self.updates + 1,
            loss: loss.to_f64(),
            parameter: span.map(|span| span.name.clone()),
            non_finite: gradient.iter().filter(|g| !g.finite()).count(),
            cause: None,
        }
    }

    /// Does what the policy says.
    fn pass_over(&mut self, diverged: Diverged) -> Result<Updated, Diverged> {
        match self.non_finite {
            NonFinitePolicy::Error => Err(diverged),
            NonFinitePolicy::Skip => {
                if let Some(batches) = &mut self.accumulation {
                    batches.done = 0;
                }
                self.updates += 1;
                self.skipped += 1;
                Ok(Updated::Skipped(diverged))
            }
        }
    }
}
