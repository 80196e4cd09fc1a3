use longlag_autodiff::{Bound, Tape, Var};
use longlag_numerics::{Float, Parameters, Scalar};
use longlag_optim::{Clip, Clipped, Memory, Optimizer, OptimizerConfig};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::ControlFlow;

/// Everything that a training has between two updates.
#[derive(Debug)]
pub struct Trainer<T> {
    /// What is trained.
    pub parameters: Parameters<T>,
    optimizer: Box<dyn Optimizer<T>>,
    clip: Clip,
    tape: Tape<T>,
    updates: u64,
}

/// A training between two updates, as far as it changes: with it, one of the same network, optimizer and clipping
/// goes on to the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint<T> {
    /// The updates that are done.
    pub updates: u64,
    /// All parameters, in their order.
    pub parameters: Vec<T>,
    /// What the optimizer remembers.
    pub optimizer: Memory<T>,
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

/// What an observer sees of an update.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a, T> {
    /// Its number, from 1.
    pub update: u64,
    /// The loss before the update.
    pub loss: T,
    /// What clipping found and did.
    pub clipped: Clipped,
    /// The gradient after clipping.
    pub gradient: &'a [T],
    /// The parameters after the update.
    pub parameters: &'a Parameters<T>,
}

/// A gradient had entries that are infinite or NaN; the parameters are those before the update.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// The number of the update, from 1.
    pub update: u64,
    /// The loss.
    pub loss: f64,
    /// The first parameter with such an entry in its gradient.
    pub parameter: String,
    /// How many entries of the whole gradient are such.
    pub non_finite: usize,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diverged { update, loss, parameter, non_finite } = self;
        write!(
            f,
            "update {update}: {non_finite} entries of the gradient are infinite or NaN, the first in \
             `{parameter}`; the loss was {loss:e}"
        )
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
        let optimizer = optimizer.build(parameters.values.len());
        Trainer { parameters, optimizer, clip, tape: Tape::new(), updates: 0 }
    }

    /// How many updates are done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Where the training is. NaNs, whose bits differ between processors, all become the same one.
    pub fn checkpoint(&self) -> Checkpoint<T> {
        let one_nan = |x: &mut T| {
            if x.to_f64().is_nan() {
                *x = T::from_f64(f64::NAN);
            }
        };
        let mut parameters = self.parameters.values.clone();
        let mut optimizer = self.optimizer.memory();
        parameters
            .iter_mut()
            .chain(optimizer.vectors.iter_mut().flatten())
            .for_each(one_nan);
        Checkpoint { updates: self.updates, parameters, optimizer }
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// If it has another number of parameters, or its optimizer is another; then nothing changes.
    pub fn restore(
        &mut self,
        from: Checkpoint<T>,
    ) -> Result<(), ForeignCheckpoint> {
        let Checkpoint { updates, parameters, optimizer } = from;
        let (there, here) = (parameters.len(), self.parameters.values.len());
        if there != here {
            return Err(ForeignCheckpoint(format!(
                "it has {there} parameters, this one {here}"
            )));
        }
        self.optimizer
            .restore(optimizer)
            .map_err(|error| ForeignCheckpoint(error.to_string()))?;
        self.parameters.values = parameters;
        self.updates = updates;
        Ok(())
    }

    // ANCHOR: update
    /// One update: records `loss` over the parameters, walks back, clips,
    /// and lets the optimizer step.
    ///
    /// # Errors
    /// If the gradient has an infinite or NaN entry; then nothing changes.
    pub fn update(
        &mut self,
        loss: impl for<'t> FnOnce(&Bound<'t, '_, T>) -> Var<'t, T>,
        observe: impl FnOnce(Step<'_, T>),
    ) -> Result<(), Diverged> {
        self.tape.reset();
        let bound = self.tape.bind(&self.parameters);
        let loss = loss(&bound);
        let value = loss.item();
        let mut grads = loss.backward();
        let gradient = grads.of_parameters_mut(&bound);
        if gradient.iter().any(|g| !g.finite()) {
            return Err(self.diverged(value, gradient));
        }
        let clipped = self.clip.apply(gradient);
        self.optimizer.step(&mut self.parameters.values, gradient);
        self.updates += 1;
        observe(Step {
            update: self.updates,
            loss: value,
            clipped,
            gradient,
            parameters: &self.parameters,
        });
        Ok(())
    }
    // ANCHOR_END: update

    /// Updates until `updates` are done in all, or `observe` breaks.
    ///
    /// `loss` is given the number of the update, from 1, and records the loss of that update's batch.
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
            let next = self.updates + 1;
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

    fn diverged(&self, loss: T, gradient: &[T]) -> Diverged {
        let bad = |s: &&longlag_numerics::Span| {
            gradient[s.range()].iter().any(|g| !g.finite())
        };
        let span = self
            .parameters
            .spans()
            .iter()
            .find(bad)
            .expect("an entry is not finite");
        Diverged {
            update: self.updates + 1,
            loss: loss.to_f64(),
            parameter: span.name.clone(),
            non_finite: gradient.iter().filter(|g| !g.finite()).count(),
        }
    }
}
