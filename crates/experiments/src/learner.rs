//! A network that learns a task, until it has solved it or its budget is spent.
//!
//! The key decision: **what is trained is told apart from how long and by what.** A [`Learnable`] answers a batch;
//! a [`Lesson`] is the task, the trainer's settings and the [`Budget`]; a [`Learner`] brings them together, and is
//! the run of every race in the book.

use crate::ConfigError;
use crate::tasks::{Batch, Task};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::Network;
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_train::{
    Checkpoint, Diverged, Step, Trainer, TrainerConfig, Updated,
};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How long a network may learn, and when a task counts as solved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// The most updates. A training ends before when the task is solved.
    pub updates: u64,
    /// Sequences in a batch.
    pub batch: usize,
    /// Whether the task is solved is asked every so many updates.
    pub ask_every: u64,
    /// By so many sequences.
    pub test: usize,
    /// It is, if at most this share of them is answered wrongly.
    pub wrong: f64,
}

impl Default for Budget {
    fn default() -> Self {
        let (updates, ask_every) = (2000, 50);
        Budget { updates, batch: 20, ask_every, test: 500, wrong: 0.01 }
    }
}

impl Budget {
    /// Whether it can be kept to.
    ///
    /// # Errors
    /// A message that names the field, its value, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let counts = [
            ("batch", self.batch as u64, 100_000),
            ("updates", self.updates, 10_000_000),
            ("ask_every", self.ask_every, 10_000_000),
            ("test", self.test as u64, 1_000_000),
        ];
        for (field, value, most) in counts {
            ConfigError::within(field, value, 1..=most)?;
        }
        ConfigError::unless(
            (0.0..1.0).contains(&self.wrong),
            "wrong",
            self.wrong,
            "it must be from 0 to below 1",
        )
    }
}

/// A budget with the two settings that most trainings differ in; the optimizer is Adam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// The optimizer's.
    pub learning_rate: f64,
    /// Sequences in a batch.
    pub batch: usize,
    /// How gradients are clipped.
    pub clip: Clip,
    /// The most updates. A training ends before when the task is solved.
    pub updates: u64,
    /// Whether it is, is asked every so many updates.
    pub ask_every: u64,
    /// By so many sequences.
    pub test: usize,
    /// It is, if at most this share of them is answered wrongly.
    pub wrong: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        let Budget { updates, batch, ask_every, test, wrong } =
            Budget::default();
        Schedule {
            learning_rate: 5e-3,
            batch,
            clip: Clip::Norm(1.0),
            updates,
            ask_every,
            test,
            wrong,
        }
    }
}

impl Schedule {
    /// Whether it can be followed.
    ///
    /// # Errors
    /// A message that names the field, its value, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.budget().check()?;
        let rule = "it must be from 0 to below 1";
        let rate = self.learning_rate;
        let good = (0.0..1.0).contains(&rate);
        ConfigError::unless(good, "learning_rate", rate, rule)
    }

    /// How long.
    pub fn budget(&self) -> Budget {
        let Schedule { batch, updates, ask_every, test, wrong, .. } = *self;
        Budget { updates, batch, ask_every, test, wrong }
    }

    /// By what.
    pub fn trainer(&self) -> TrainerConfig {
        let Schedule { learning_rate, clip, .. } = *self;
        adam(learning_rate, clip)
    }
}

/// Adam's settings with this learning rate, with clipping.
pub fn adam(learning_rate: f64, clip: Clip) -> TrainerConfig {
    let adam = AdamConfig { learning_rate, ..AdamConfig::default() };
    TrainerConfig { clip, ..TrainerConfig::new(OptimizerConfig::Adam(adam)) }
}

/// A model that can learn a task.
pub trait Learnable {
    /// What it answers, as [`Batch::outputs`].
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32>;

    /// What update number `update`, from 1, is to make smaller: the task's loss of its outputs, unless something
    /// happens in training alone, such as dropout.
    fn loss<'t>(
        &self,
        batch: &Batch,
        _update: u64,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        batch.loss(self.outputs(batch, parameters))
    }

    /// Update number `update`: by the gradient of that loss alone, unless a model adds to it, as a regulariser may.
    ///
    /// # Errors
    /// If the loss or its gradient is infinite or NaN.
    fn train(
        &self,
        trainer: &mut Trainer<f32>,
        batch: &Batch,
        update: u64,
        see: &mut dyn FnMut(Step<'_, f32>),
    ) -> Result<Updated, Diverged> {
        trainer.update(|p| self.loss(batch, update, p), see)
    }
}

impl Learnable for Network {
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        batch.outputs(self, parameters)
    }
}

/// What is learnt.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The task that batches are drawn from.
    pub task: &'a dyn Task,
    /// The sequences by which it is asked whether the task is solved.
    pub test: &'a Batch,
    /// How long.
    pub budget: Budget,
}

/// What is known of a training besides its weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The share of test sequences that is answered rightly.
    pub right: f64,
    /// Whether the task is solved.
    pub solved: bool,
    /// Whether the training has ended in infinities or NaN.
    pub diverged: bool,
}

/// A model that learns a task.
#[derive(Debug)]
pub struct Learner<'a, M = Network> {
    /// What it learns.
    pub lesson: Lesson<'a>,
    /// What learns.
    pub model: M,
    /// Its training.
    pub trainer: Trainer<f32>,
    /// How it stands.
    pub standing: Standing,
    batches: Rng,
}

impl<'a, M: Learnable> Learner<'a, M> {
    /// At the start. Update n has the batch that the stream n of `batches` draws.
    ///
    /// # Panics
    /// If `trainer` names parameters that there are not.
    #[track_caller]
    pub fn new(
        lesson: Lesson<'a>,
        model: M,
        trainer: &TrainerConfig,
        start: Parameters<f32>,
        batches: Rng,
    ) -> Self {
        let trainer = Trainer::with(start, trainer)
            .unwrap_or_else(|error| panic!("a learner: {error}"));
        let standing = Standing { right: 0.0, solved: false, diverged: false };
        let mut learner = Learner { lesson, model, trainer, standing, batches };
        learner.ask();
        learner
    }

    /// Which sequences of a batch the model answers rightly.
    pub fn answers(&self, batch: &Batch) -> Vec<bool> {
        let tape = Tape::new();
        let bound = tape.bind(&self.trainer.parameters);
        let outputs = self.model.outputs(batch, &bound).value();
        batch.right(outputs.view())
    }

    /// Asks whether the task is solved.
    fn ask(&mut self) {
        let Lesson { test, budget, .. } = self.lesson;
        let right = self.answers(test);
        let share = right.iter().filter(|&&right| right).count() as f64
            / right.len() as f64;
        self.standing.right = share;
        self.standing.solved = 1.0 - share <= budget.wrong;
    }

    /// One update; breaks if it was the last.
    pub fn update(&mut self) -> ControlFlow<()> {
        self.update_seen(&mut |_| {})
    }

    /// The same; `see` sees the update, unless the training ends in infinities or NaN before it.
    pub fn update_seen(
        &mut self,
        see: &mut dyn FnMut(Step<'_, f32>),
    ) -> ControlFlow<()> {
        let Lesson { task, budget, .. } = self.lesson;
        let mut draw = self.batches.stream(&self.updates().to_string());
        let batch = task.batch(budget.batch, &mut draw);
        let update = self.updates() + 1;
        let result = self.model.train(&mut self.trainer, &batch, update, see);
        if result.is_err() {
            self.standing.diverged = true;
            return ControlFlow::Break(());
        }
        let done = self.updates();
        let last = done >= budget.updates;
        if last || done.is_multiple_of(budget.ask_every) {
            self.ask();
        }
        if self.standing.solved || last {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The updates that are done.
    pub fn updates(&self) -> u64 {
        self.trainer.updates()
    }

    /// What [`restore`](Self::restore) goes on from.
    pub fn save(&self) -> (Checkpoint<f32>, Standing) {
        (self.trainer.checkpoint(), self.standing)
    }

    /// Goes on from what was saved.
    ///
    /// # Errors
    /// If it is of another training.
    pub fn restore(
        &mut self,
        (trainer, standing): (Checkpoint<f32>, Standing),
    ) -> Result<(), String> {
        self.trainer.restore(trainer).map_err(|error| error.to_string())?;
        self.standing = standing;
        Ok(())
    }
}
