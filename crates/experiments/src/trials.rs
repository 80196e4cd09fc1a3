//! Trainings as data: which network learns which task by what, over seeds, and when it had solved it.
//!
//! The key decision: **a training is a value.** A race, a sweep over learning rates, a comparison of starts are
//! lists of [`Trial`]s; how they run, are paired by their seeds, are saved and written in a report is here, once.
//! In a seed all trials draw from the same streams: the weights of two networks of one shape differ only by how
//! they start, and batches of one task and size are the same.

use crate::ConfigError;
use crate::experiment::unlike;
use crate::learner::{Budget, Learnable, Learner, Lesson, Standing};
use crate::lstm_paths::input_of;
use crate::protocol::{CONFIDENCE, KaplanMeier, SolveTime, clopper_pearson};
use crate::runs::Run;
use crate::summary::{add_facts, key_of};
use crate::tasks::{Batch, TaskConfig};
use longlag_cells::{Cell, Initialisation, Network, RecurrentCell};
use longlag_numerics::random::Rng;
use longlag_probe::growth::GrowthProbe;
use longlag_probe::{LayerStep, OnTape};
use longlag_report::{LookupError, Number, Report};
use longlag_train::{Checkpoint, Trainer, TrainerConfig};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, Range};

// ANCHOR: trial
/// A training, by all that it depends on besides its seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// What it is called; no two trials of an experiment may have the same
    /// letters and digits.
    pub name: String,
    /// What is learnt.
    pub task: TaskConfig,
    /// The cell.
    pub cell: Cell,
    /// H.
    pub hidden: usize,
    /// How the recurrent layer's parameters start.
    #[serde(default)]
    pub start: Initialisation,
    /// By what the network is trained.
    pub trainer: TrainerConfig,
    /// For how long.
    #[serde(default)]
    pub budget: Budget,
}
// ANCHOR_END: trial

impl Trial {
    /// The network.
    pub fn network(&self) -> Network {
        let task = self.task.task();
        Network::new(self.cell, task.inputs(), self.hidden, task.outputs())
    }

    /// What its facts and series begin with.
    pub fn key(&self) -> String {
        key_of(&self.name)
    }

    /// Whether it can be run.
    ///
    /// # Errors
    /// A message that names the field, its value, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.task.task().check()?;
        self.budget.check()?;
        let rule = "it must be from 1 to 10000";
        let good = (1..=10_000).contains(&self.hidden);
        ConfigError::unless(good, "hidden", self.hidden, rule)?;
        let wrong = |what: &dyn std::fmt::Display| {
            ConfigError(format!("`{}`: {what}", self.name))
        };
        let network = self.network();
        network.layer.check(&self.start).map_err(|unfit| wrong(&unfit))?;
        let start = network.parameters(&self.start, &Rng::new(1));
        let trainer = Trainer::<f32>::with(start, &self.trainer);
        trainer.map(|_| ()).map_err(|error| wrong(&error))
    }
}

/// Checks all trials of an experiment.
///
/// # Errors
/// As [`Trial::check`], or if two have the same key, or there are none.
pub fn check(trials: &[Trial]) -> Result<(), ConfigError> {
    let keys: Vec<String> = trials.iter().map(Trial::key).collect();
    ConfigError::unless(
        !trials.is_empty() && unlike(&keys),
        "trials",
        &keys,
        "there must be some, and no two with the same letters and digits in their names",
    )?;
    trials.iter().try_for_each(Trial::check)
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// How many updates it took, or was given.
    pub updates: u64,
    /// Whether the task is solved.
    pub solved: bool,
    /// Whether it ended in infinities or NaN.
    pub diverged: bool,
    /// The share of test sequences that is answered rightly.
    pub right: f64,
    /// Growth of ∂s_t/∂s_0 along sequences of the task, s the whole state, at the start and at the end: the median
    /// over sequences of decades per 100 steps in a random direction. NaN if no sequences are probed.
    pub growth: [f64; 2],
}

impl Tried {
    /// In updates.
    pub fn solve_time(&self) -> SolveTime {
        let cost = self.updates as f64;
        if self.solved {
            SolveTime::Solved(cost)
        } else {
            SolveTime::Unsolved(cost)
        }
    }
}

/// Trials over seeds: the runs of an experiment, or a part of them. All seeds of the first trial come first.
#[derive(Debug)]
pub struct Trials {
    /// The trials.
    pub trials: Vec<Trial>,
    /// How many seeds, from 1.
    pub seeds: u64,
    rng: Rng,
    /// Along so many sequences growth is measured.
    probes: usize,
    /// Test batches, and which of them each trial has.
    tests: Vec<Batch>,
    test: Vec<usize>,
}

impl Trials {
    /// These trials; everything random is drawn from `rng`. Growth is measured along `probes` sequences; 0: not at all.
    pub fn new(
        trials: Vec<Trial>,
        seeds: u64,
        probes: usize,
        rng: Rng,
    ) -> Trials {
        let of = |trial: &Trial| (trial.task, trial.budget.test);
        let mut unlike = vec![];
        for trial in &trials {
            if !unlike.contains(&of(trial)) {
                unlike.push(of(trial));
            }
        }
        let place = |trial: &Trial| {
            unlike.iter().position(|u| *u == of(trial)).expect("it is there")
        };
        let batch = |&(task, count): &(TaskConfig, usize)| {
            task.task().batch(count, &mut rng.stream("test"))
        };
        Trials {
            test: trials.iter().map(place).collect(),
            tests: unlike.iter().map(batch).collect(),
            trials,
            seeds,
            rng,
            probes,
        }
    }

    /// How many runs.
    pub fn count(&self) -> usize {
        self.trials.len() * self.seeds as usize
    }

    /// [`Runs::names`](crate::runs::Runs::names).
    pub fn names(&self) -> Vec<String> {
        let name = |trial: &Trial| {
            let key = trial.key();
            (1..=self.seeds).map(move |seed| format!("{key} {seed}"))
        };
        self.trials.iter().flat_map(name).collect()
    }

    /// [`Runs::units`](crate::runs::Runs::units): a unit is an update.
    pub fn units(&self, run: usize) -> u64 {
        self.trial(run).budget.updates
    }

    /// [`Runs::start`](crate::runs::Runs::start).
    pub fn start(&self, run: usize) -> TrialRun<'_> {
        let learner = self.learner(run, |network| network);
        let rng = self.stream(run);
        let task = learner.lesson.task;
        let probe = (self.probes > 0)
            .then(|| task.batch(self.probes, &mut rng.stream("probe")));
        let mut run = TrialRun { learner, probe, rng, start_growth: f64::NAN };
        run.start_growth = run.growth();
        run
    }

    /// The training of a run at its start, of what `model` makes of the trial's network, with its parameters.
    pub fn learner<M: Learnable>(
        &self,
        run: usize,
        model: impl FnOnce(Network) -> M,
    ) -> Learner<'_, M> {
        let (trial, rng) = (self.trial(run), self.stream(run));
        let (task, network) = (trial.task.task(), trial.network());
        let start = network.parameters(&trial.start, &rng.stream("weights"));
        let test = &self.tests[self.test[run / self.seeds as usize]];
        let lesson = Lesson { task, test, budget: trial.budget };
        let (model, batches) = (model(network), rng.stream("batches"));
        Learner::new(lesson, model, &trial.trainer, start, batches)
    }

    /// The trial of a run.
    fn trial(&self, run: usize) -> &Trial {
        &self.trials[run / self.seeds as usize]
    }

    /// What a run draws from.
    fn stream(&self, run: usize) -> Rng {
        let seed = run % self.seeds as usize + 1;
        self.rng.stream(&format!("seed {seed}"))
    }

    /// The outcomes of one trial among those of all, by its number.
    pub fn of<'o, O>(&self, trial: usize, outcomes: &'o [O]) -> &'o [O] {
        let seeds = self.seeds as usize;
        &outcomes[trial * seeds..(trial + 1) * seeds]
    }

    /// Writes what became of all in a report: the table `trials` with a row for each run, which [`tried`] reads, and
    /// for each trial facts that begin with its key: how many runs have `solved` it, the share's interval
    /// `solved_low` to `solved_high`, the Kaplan-Meier `median` of the updates it took (infinite if fewer than half
    /// have solved it), how many `diverged`, the share of sequences that is `right` in the end, and, if it was
    /// measured, `growth_start` and `growth_end`.
    pub fn add_to(&self, report: &mut Report, outcomes: &[Tried]) {
        for (number, trial) in self.trials.iter().enumerate() {
            add_trial(report, &trial.key(), self.of(number, outcomes));
        }
        let table = report.table("trials", COLUMNS);
        for (number, trial) in self.trials.iter().enumerate() {
            let of = self.of(number, outcomes);
            for (seed, tried) in of.iter().enumerate() {
                let Tried { updates, solved, diverged, right, growth } = *tried;
                let [start, end] = growth.map(|g| Number::rounded(g, 4));
                let key = trial.key();
                table.row((
                    key,
                    seed + 1,
                    updates,
                    solved,
                    diverged,
                    right,
                    start,
                    end,
                ));
            }
        }
    }
}

const COLUMNS: [&str; 8] = [
    "trial",
    "seed",
    "updates",
    "solved",
    "diverged",
    "right",
    "growth, start",
    "growth, end",
];

/// Writes the facts of one trial, as [`Trials::add_to`] says.
pub fn add_trial(report: &mut Report, key: &str, tried: &[Tried]) {
    let solved = tried.iter().filter(|t| t.solved).count();
    let share = clopper_pearson(solved, tried.len(), CONFIDENCE);
    let times: Vec<SolveTime> = tried.iter().map(Tried::solve_time).collect();
    let median = KaplanMeier::of(&times).median().unwrap_or(f64::INFINITY);
    report
        .fact(format!("{key}_solved"), solved)
        .fact(format!("{key}_solved_low"), Number::rounded(share.low, 3))
        .fact(format!("{key}_solved_high"), Number::rounded(share.high, 3))
        .fact(format!("{key}_median"), median)
        .fact(
            format!("{key}_diverged"),
            tried.iter().filter(|t| t.diverged).count(),
        );
    let right = tried.iter().map(|t| t.right).collect();
    add_facts(report, &format!("{key}_right"), right, 3);
    if tried.iter().any(|t| !t.growth[0].is_nan()) {
        for (k, when) in ["start", "end"].iter().enumerate() {
            let growth = tried.iter().map(|t| t.growth[k]).collect();
            add_facts(report, &format!("{key}_growth_{when}"), growth, 3);
        }
    }
}

/// What became of a trial, seed by seed, from a report that has it.
///
/// # Errors
/// If the report has no table of trials.
pub fn tried(report: &Report, key: &str) -> Result<Vec<Tried>, LookupError> {
    let rows = report.find_table("trials")?.rows().iter();
    let number = |value: &longlag_report::Value| {
        value.as_number().map_or(f64::NAN, Number::to_f64)
    };
    let is = |value: &longlag_report::Value| value.to_string() == "true";
    let of = rows.filter(|row| row[0].to_string() == key);
    let tried = of.map(|row| Tried {
        updates: number(&row[2]) as u64,
        solved: is(&row[3]),
        diverged: is(&row[4]),
        right: number(&row[5]),
        growth: [number(&row[6]), number(&row[7])],
    });
    Ok(tried.collect())
}

/// For each seed, whether the first and whether the second trial solved its task, for
/// [`Contrast::of_successes`](crate::protocol::Contrast::of_successes).
///
/// # Errors
/// If the report has no table of trials.
pub fn solved_pairs(
    report: &Report,
    first: &str,
    second: &str,
) -> Result<Vec<(bool, bool)>, LookupError> {
    let (first, second) = (tried(report, first)?, tried(report, second)?);
    let pairs = first.iter().zip(&second);
    Ok(pairs.map(|(a, b)| (a.solved, b.solved)).collect())
}

/// A trial of one seed.
#[derive(Debug)]
pub struct TrialRun<'a> {
    /// The training.
    pub learner: Learner<'a>,
    /// Sequences that growth is measured along.
    probe: Option<Batch>,
    rng: Rng,
    start_growth: f64,
}

impl TrialRun<'_> {
    /// How a gradient grows now, as [`Tried::growth`]; NaN has the same bits on every processor.
    pub fn growth(&self) -> f64 {
        let Some(probe) = &self.probe else { return f64::NAN };
        let parameters = self.learner.trainer.parameters.map(f64::from);
        let layer = &self.learner.model.layer;
        let width = layer.cell.widths(layer.hidden);
        let state = 0..width.h + width.c.unwrap_or(0);
        let mut directions = self.rng.stream("directions");
        let step = LayerStep { layer, parameters: &parameters };
        let growth = growth(step, state, probe, &mut directions);
        if growth.is_nan() { f64::NAN } else { growth }
    }
}

/// Growth of ∂s_t/∂s_0 in random directions of a `part` of the state, along sequences, from the state 0: the median
/// over the sequences, in decades per 100 steps. It is taken over the steps that all of them have.
pub fn growth(
    step: LayerStep<'_>,
    part: Range<usize>,
    sequences: &Batch,
    directions: &mut Rng,
) -> f64 {
    let x = input_of(sequences);
    let shortest = sequences.lengths.iter().min();
    let probe = GrowthProbe {
        burn_in: 0,
        steps: *shortest.expect("a batch has sequences"),
        part,
    };
    let step = OnTape::new(step);
    let width = step.composed.layer.cell.widths(step.composed.layer.hidden);
    let state = width.h + width.c.unwrap_or(0);
    let start = Array2::zeros((x.dim().1, state));
    let input = |t: usize| x.index_axis(Axis(0), t - 1).to_owned();
    probe.measure(&step, start.view(), input, directions).median
}

impl Run for TrialRun<'_> {
    type Saved = (Checkpoint<f32>, Standing, f64);
    type Outcome = Tried;

    fn advance(&mut self) -> ControlFlow<()> {
        self.learner.update()
    }
    fn save(&self) -> Self::Saved {
        let (trainer, standing) = self.learner.save();
        (trainer, standing, self.start_growth)
    }
    fn restore(
        &mut self,
        (trainer, standing, start): Self::Saved,
    ) -> Result<(), String> {
        self.start_growth = start;
        self.learner.restore((trainer, standing))
    }
    fn outcome(&self) -> Tried {
        let Standing { right, solved, diverged } = self.learner.standing;
        let updates = self.learner.updates();
        let growth = [self.start_growth, self.growth()];
        Tried { updates, solved, diverged, right, growth }
    }
}
