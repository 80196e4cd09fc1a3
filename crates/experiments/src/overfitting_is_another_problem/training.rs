//! Networks with dropout, and their training on a few sequences.

use super::{Config, Cure, Setting, adding, stream};
use crate::ConfigError;
use crate::learner::{Learnable, Learner, Lesson, Standing, adam};
use crate::runs::Run;
use crate::tasks::{Adding, Baseline, Batch, Sequence, Success, Task};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::dropout::{
    dropout, dropout_mask, lstm_candidate_dropout_step,
};
use longlag_cells::{
    Cell, Initialisation, Layer, Network, RecurrentCell, State, Weights,
};
use longlag_numerics::Scalar;
use longlag_numerics::random::Rng;
use longlag_optim::{AdamWConfig, Clip, OptimizerConfig};
use longlag_train::{Checkpoint, TrainerConfig};
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, RangeInclusive};

/// What of an LSTM is dropped in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dropping {
    /// The last state on its way up to the read-out: no step sees it (Zaremba, Sutskever & Vinyals 2014).
    Upward,
    /// The state h, by one mask for the whole sequence (Gal & Ghahramani 2016).
    Sequence,
    /// The candidate g, by a new mask in each step (Semeniuta, Severyn & Barth 2016).
    Candidate,
    /// The cell's state c, by a new mask in each step.
    Cell,
}

impl Dropping {
    /// All.
    pub const ALL: [Dropping; 4] = [
        Dropping::Upward,
        Dropping::Sequence,
        Dropping::Candidate,
        Dropping::Cell,
    ];

    /// What facts have in their names.
    pub fn key(self) -> &'static str {
        match self {
            Dropping::Upward => "upward",
            Dropping::Sequence => "sequence",
            Dropping::Candidate => "candidate",
            Dropping::Cell => "cell",
        }
    }
}

// ANCHOR: unroll
/// The states of an LSTM after each step of `x` (T·B, I), with dropout on
/// its way through time. Upward dropout isn't: these states are its input.
pub fn unroll<'t, T: Scalar>(
    layer: &Layer,
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    start: State<Var<'t, T>>,
    (how, p): (Dropping, f64),
    rng: &mut Rng,
) -> Vec<State<Var<'t, T>>> {
    let [batch, hidden] = start.h.shape();
    let mut mask = || dropout_mask(x.tape(), [batch, hidden], p, rng);
    let fixed = mask();
    let mut state = start;
    let step = |t: usize| {
        let x = x.rows(t * batch..(t + 1) * batch);
        let State { h, c } = state;
        state = match how {
            Dropping::Upward => layer.cell.step(w, x, state),
            Dropping::Sequence => {
                layer.cell.step(w, x, State { h: h * fixed, c })
            }
            Dropping::Candidate => {
                lstm_candidate_dropout_step(w, x, state, mask())
            }
            Dropping::Cell => {
                let c = c.map(|c| c * mask());
                layer.cell.step(w, x, State { h, c })
            }
        };
        state
    };
    (0..x.shape()[0] / batch).map(step).collect()
}
// ANCHOR_END: unroll

/// A network that is trained with dropout, or without.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The network, an LSTM.
    pub network: Network,
    /// What is dropped, and with which probability.
    pub dropping: Option<(Dropping, f64)>,
    /// Masks of update n are drawn from its stream n.
    pub masks: Rng,
}

impl Learnable for Dropped {
    /// Nothing is dropped when the network is asked.
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        batch.outputs(&self.network, parameters)
    }

    /// # Panics
    /// If sequences differ in length, or are asked before their end.
    fn loss<'t>(
        &self,
        batch: &Batch,
        update: u64,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        let Some((how, p)) = self.dropping else {
            return batch.loss(self.outputs(batch, parameters));
        };
        let Network { layer, head } = &self.network;
        let mut rng = self.masks.stream(&update.to_string());
        if how == Dropping::Upward {
            let h = dropout(batch.states(layer, parameters), p, &mut rng);
            return batch.loss(head.apply(parameters, h));
        }
        let (tape, size) = (parameters.tape(), batch.lengths.len());
        let steps = batch.x.nrows() / size;
        assert!(
            batch.lengths.iter().all(|&n| n == steps)
                && batch.target.nrows() == size,
            "dropout through time: sequences of one length with one answer"
        );
        let x = tape.constant(&batch.x.mapv(|x| x as f32).view());
        let (w, start) =
            (layer.weights(parameters), layer.zero_state(tape, size));
        let states = unroll(layer, &w, x, start, (how, p), &mut rng);
        let last = states.last().expect("a sequence has steps");
        batch.loss(head.apply(parameters, last.h))
    }
}

/// A task of which only a few sequences are known, all of one length.
#[derive(Clone, Debug)]
pub struct Few {
    /// The task.
    pub task: Adding,
    /// The sequences.
    pub sequences: Vec<Sequence>,
}

impl Few {
    /// So many. Their lengths are those of the task's batches.
    pub fn of(task: Adding, count: usize, rng: &mut Rng) -> Few {
        let sequences = (0..count).map(|_| task.sequence(rng)).collect();
        Few { task, sequences }
    }

    /// The first of them, without the last `left_out`, and those.
    pub fn split(&self, left_out: usize) -> [Few; 2] {
        let (first, last) =
            self.sequences.split_at(self.sequences.len() - left_out);
        [first, last].map(|s| Few { task: self.task, sequences: s.to_vec() })
    }
}

impl Task for Few {
    fn inputs(&self) -> usize {
        self.task.inputs()
    }
    fn outputs(&self) -> usize {
        self.task.outputs()
    }
    fn lengths(&self) -> RangeInclusive<usize> {
        self.task.lengths()
    }
    fn success(&self) -> Success {
        self.task.success()
    }
    /// Any of them.
    fn sequence(&self, rng: &mut Rng) -> Sequence {
        let at = rng.below(self.sequences.len() as u64);
        self.sequences[at as usize].clone()
    }
    fn baselines(&self) -> Vec<Baseline> {
        self.task.baselines()
    }
    fn check(&self) -> Result<(), ConfigError> {
        self.task.check()
    }
}

impl Few {
    /// All of them.
    pub fn all(&self) -> Batch {
        let steps = *self.task.lengths().end();
        Batch::of(&self.sequences, steps, self.task.success())
    }
}

/// How a training stands when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The updates that are done.
    pub updates: u64,
    /// The loss on the few sequences that are learnt from; NaN if every batch is new.
    pub learnt: f64,
    /// The loss on those of them that are held out; NaN if none are.
    pub held_out: f64,
    /// The loss on new sequences.
    pub test: f64,
    /// The share of them that is answered rightly.
    pub right: f64,
    /// Whether that is enough for the task to be solved.
    pub solved: bool,
}

/// What became of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// All looks, in order.
    pub looks: Vec<Look>,
    /// Whether it ended in infinities or NaN.
    pub diverged: bool,
}

impl Learnt {
    /// Where it ends: at the last look, or, if sequences are held out, at the look with the least loss on them.
    pub fn end(&self) -> Look {
        let last = *self.looks.last().expect("it was looked at");
        let known = self.looks.iter().filter(|look| !look.held_out.is_nan());
        let order = |a: &&Look, b: &&Look| a.held_out.total_cmp(&b.held_out);
        known.min_by(order).copied().unwrap_or(last)
    }
}

/// A training.
#[derive(Debug)]
pub struct Training<'a> {
    learner: Learner<'a, Dropped>,
    learnt: Option<Batch>,
    held_out: Option<Batch>,
    looks: Vec<Look>,
}

/// A training that is to be run.
#[derive(Debug)]
pub(super) struct Planned {
    pub setting: Setting,
    /// From 1.
    pub seed: u64,
    /// Every sequence there is.
    task: Adding,
    /// What is learnt from, and what is held out, if few are known.
    few: Option<[Few; 2]>,
}

impl Planned {
    pub(super) fn new(config: &Config, setting: Setting, seed: u64) -> Planned {
        let task = adding(setting.steps);
        let few = setting.few.then(|| {
            let mut draw = stream(config, seed).stream("few");
            let few = Few::of(task, config.few, &mut draw);
            let held_out = match setting.cure {
                Some((Cure::EarlyStopping, share)) => {
                    (share * config.few as f64).ceil() as usize
                }
                _ => 0,
            };
            few.split(held_out)
        });
        Planned { setting, seed, task, few }
    }
}

impl<'a> Training<'a> {
    /// At its start.
    pub(super) fn new(
        config: &Config,
        planned: &'a Planned,
        test: &'a Batch,
    ) -> Self {
        let Planned { setting, seed, task, few } = planned;
        let rng = stream(config, *seed);
        let (inputs, outputs) = (task.inputs(), task.outputs());
        let network = Network::new(Cell::Lstm, inputs, config.hidden, outputs);
        let chrono = Some(setting.steps as f64);
        let start = Initialisation { chrono, ..Initialisation::default() };
        let weights = network.parameters(&start, &rng.stream("weights"));
        let masks = rng.stream("masks");
        let mut trainer = adam(config.learning_rate, Clip::Norm(1.0));
        let mut dropping = None;
        match setting.cure {
            Some((Cure::WeightDecay, weight_decay)) => {
                trainer = TrainerConfig {
                    clip: trainer.clip,
                    ..TrainerConfig::new(OptimizerConfig::AdamW(AdamWConfig {
                        learning_rate: config.learning_rate,
                        weight_decay,
                        ..AdamWConfig::default()
                    }))
                };
            }
            Some((Cure::Dropout(how), p)) => dropping = Some((how, p)),
            Some((Cure::EarlyStopping, _)) | None => {}
        }
        let source: &dyn Task = match few {
            Some([learnt, _]) => learnt,
            None => task,
        };
        let held_out = few.as_ref().map(|[_, held_out]| held_out);
        let held_out = held_out.filter(|of| !of.sequences.is_empty());
        let lesson = Lesson { task: source, test, budget: config.budget };
        let model = Dropped { network, dropping, masks };
        let batches = rng.stream("batches");
        let mut training = Training {
            learner: Learner::new(lesson, model, &trainer, weights, batches),
            learnt: few.as_ref().map(|[learnt, _]| learnt.all()),
            held_out: held_out.map(Few::all),
            looks: vec![],
        };
        training.look();
        training
    }

    fn look(&mut self) {
        let Learner { lesson, model, trainer, standing, .. } = &self.learner;
        let tape = Tape::new();
        let bound = tape.bind(&trainer.parameters);
        let loss = |batch: &Batch| {
            f64::from(batch.loss(model.outputs(batch, &bound)).item())
        };
        let of = |batch: &Option<Batch>| batch.as_ref().map_or(f64::NAN, loss);
        self.looks.push(Look {
            updates: trainer.updates(),
            learnt: of(&self.learnt),
            held_out: of(&self.held_out),
            test: loss(lesson.test),
            right: standing.right,
            solved: standing.solved,
        });
    }
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Standing, Vec<Look>);
    type Outcome = Learnt;

    fn advance(&mut self) -> ControlFlow<()> {
        let ends = self.learner.update();
        let updates = self.learner.updates();
        let every = self.learner.lesson.budget.ask_every;
        if !self.learner.standing.diverged
            && (ends.is_break() || updates.is_multiple_of(every))
        {
            self.look();
        }
        ends
    }
    fn save(&self) -> Self::Saved {
        let (trainer, standing) = self.learner.save();
        (trainer, standing, self.looks.clone())
    }
    fn restore(
        &mut self,
        (trainer, standing, looks): Self::Saved,
    ) -> Result<(), String> {
        self.looks = looks;
        self.learner.restore((trainer, standing))
    }
    fn outcome(&self) -> Learnt {
        let diverged = self.learner.standing.diverged;
        Learnt { looks: self.looks.clone(), diverged }
    }
}
