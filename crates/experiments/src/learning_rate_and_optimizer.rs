//! What the learning rate and the optimizer can do about long time lags.
//!
//! Plain networks and LSTMs learn to add two marked numbers, by several optimizers at several learning rates, and by
//! Adam with several ε. The published comparison of momentums is done again, with a small budget. And the steps of
//! each optimizer on the recurrent weights are told apart by lag: a learning rate multiplies all lags alike, scaling
//! each weight by itself doesn't.

mod figures;
mod report;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::Budget;
use crate::protocol::Claim;
use crate::runs::{Either, Measure, OneByOne, Recorded, Runs, run_all};
use crate::tasks::{Adding, Definition, Task, TaskConfig};
use crate::trials::{self, Trial, TrialRun, Trials, Tried};
use crate::update_shares::{ByLag, Steps, far_share, moved, norm_shares};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_optim::{
    AdamConfig, Clip, OptimizerConfig, RmsPropConfig, SgdConfig,
};
use longlag_report::Report;
use longlag_train::TrainerConfig;
use serde::{Deserialize, Serialize};

/// The config of [`LearningRateAndOptimizer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks where claims are judged.
    pub seeds: u64,
    /// How many on the map, in the sweep of ε, and for each momentum.
    pub map_seeds: u64,
    /// H. The map is of the first, the claims of all.
    pub widths: Vec<usize>,
    /// T of the adding problem: a short and a longer one.
    pub lengths: [usize; 2],
    /// For how long networks are trained.
    pub budget: Budget,
    /// The norm that all gradients are clipped to.
    pub limit: f64,
    /// The learning rates of descent, with momentum or without.
    pub rates: Vec<f64>,
    /// As many of optimizers that divide by the gradient's size.
    pub scaled_rates: Vec<f64>,
    /// Where claims are judged, the rates that were found best: of plain descent, and of Adam for the plain network and
    /// for the LSTM.
    pub own_rates: [f64; 3],
    /// The ε of Adam that are tried at its own rate.
    pub epsilons: Vec<f64>,
    /// The momentums of the published comparison.
    pub momentums: Vec<f64>,
    /// T of it.
    pub momentum_steps: usize,
    /// Its learning rate.
    pub momentum_rate: f64,
    /// After how many updates steps are told apart by lag.
    pub updates: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            map_seeds: 5,
            widths: vec![16, 32],
            lengths: [10, 20],
            budget: Budget { updates: 1500, test: 200, ..Budget::default() },
            limit: 1.0,
            rates: vec![0.03, 0.1, 0.3, 1.0],
            scaled_rates: vec![0.001, 0.003, 0.01, 0.03],
            own_rates: [0.3, 0.01, 0.003],
            epsilons: vec![1e-8, 1e-5, 1e-3, 1e-1],
            momentums: vec![0.0, 0.9, 0.98, 0.995],
            momentum_steps: 80,
            momentum_rate: 0.01,
            updates: 50,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct LearningRateAndOptimizer;

impl Experiment for LearningRateAndOptimizer {
    type Config = Config;
    const NAME: &'static str = "learning-rate-and-optimizer";
    const QUESTION: &'static str =
        "What can the learning rate and the optimizer do about long time lags?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = report::CLAIMS;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds, 1, 1_000),
            ("map_seeds", config.map_seeds, 1, 1_000),
            ("updates", config.updates, 1, 100_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let widths = &config.widths;
        let rule = "it must list different ones, 1 or more";
        let good = !widths.is_empty() && unlike(widths);
        ConfigError::unless(good, "widths", widths, rule)?;
        let Config { rates, scaled_rates, epsilons, momentums, .. } = config;
        let rule = "it must have as many as `rates`, for equal budgets";
        let good = scaled_rates.len() == rates.len();
        ConfigError::unless(good, "scaled_rates", scaled_rates, rule)?;
        let all = [&rates[..], scaled_rates, &config.own_rates].concat();
        let rule = "learning rates must be from 0 to 1000";
        let good = all.iter().all(|rate| (0.0..=1e3).contains(rate));
        ConfigError::unless(good, "rates", all, rule)?;
        let good = epsilons.iter().all(|e| (0.0..=1e3).contains(e));
        let rule = "each must be from 0 to 1000";
        ConfigError::unless(good, "epsilons", epsilons, rule)?;
        let good = momentums.iter().all(|m| (0.0..1.0).contains(m));
        let rule = "each must be from 0 to below 1";
        ConfigError::unless(good, "momentums", momentums, rule)?;
        ConfigError::within("limit", config.limit, 1e-6..=1e6)?;
        config.groups().iter().try_for_each(|(_, of, _)| trials::check(of))
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

// ANCHOR: optimizers
/// The optimizers, by their names, and whether they divide each weight's
/// step by the size of its gradient.
pub const OPTIMIZERS: [(&str, bool); 5] = [
    ("SGD", false),
    ("momentum", false),
    ("Nesterov", false),
    ("RMSprop", true),
    ("Adam", true),
];

/// One of them, with the settings that are usual.
pub fn optimizer(name: &str, learning_rate: f64) -> OptimizerConfig {
    let sgd = SgdConfig { learning_rate, ..SgdConfig::default() };
    let momentum = SgdConfig { momentum: 0.9, ..sgd };
    match name {
        "SGD" => OptimizerConfig::Sgd(sgd),
        "momentum" => OptimizerConfig::Sgd(momentum),
        "Nesterov" => {
            OptimizerConfig::Sgd(SgdConfig { nesterov: true, ..momentum })
        }
        "RMSprop" => OptimizerConfig::RmsProp(RmsPropConfig {
            learning_rate,
            ..RmsPropConfig::default()
        }),
        "Adam" => adam(learning_rate, AdamConfig::default().epsilon),
        name => panic!("{name} is none of the optimizers"),
    }
}
// ANCHOR_END: optimizers

fn adam(learning_rate: f64, epsilon: f64) -> OptimizerConfig {
    let usual = AdamConfig::default();
    OptimizerConfig::Adam(AdamConfig { learning_rate, epsilon, ..usual })
}

fn adding(steps: usize) -> Adding {
    let paper = Definition::Pascanu2013;
    Adding { definition: paper, success: paper, steps }
}

/// The networks that are compared, as names of trials and figures have them.
pub(crate) const CELLS: [(&str, Cell); 2] =
    [("rnn", Cell::RnnTanh), ("lstm", Cell::Lstm)];

impl Config {
    fn trial(
        &self,
        name: String,
        (cell, hidden): (Cell, usize),
        steps: usize,
        optimizer: OptimizerConfig,
    ) -> Trial {
        let forget_bias = (cell == Cell::Lstm).then_some(1.0);
        let clip = Clip::Norm(self.limit);
        Trial {
            name,
            task: TaskConfig::Adding(adding(steps)),
            cell,
            hidden,
            start: Initialisation { forget_bias, ..Default::default() },
            trainer: TrainerConfig { clip, ..TrainerConfig::new(optimizer) },
            budget: self.budget,
        }
    }

    /// All trials: what they are for, and over how many seeds.
    pub(crate) fn groups(&self) -> [(&'static str, Vec<Trial>, u64); 4] {
        [
            ("judged", self.judged(), self.seeds),
            ("map", self.map(), self.map_seeds),
            ("epsilon", self.sweep(), self.map_seeds),
            ("momentum", self.momentum(), self.map_seeds),
        ]
    }

    fn judged(&self) -> Vec<Trial> {
        let [sgd, plain, gated] = self.own_rates;
        let [short, long] = self.lengths;
        let mut all = vec![];
        for &hidden in &self.widths {
            let rnn = (Cell::RnnTanh, hidden);
            let lstm = (Cell::Lstm, hidden);
            let kinds = [
                ("RNN SGD", rnn, short, optimizer("SGD", sgd)),
                ("RNN Adam", rnn, short, optimizer("Adam", plain)),
                ("RNN Adam long", rnn, long, optimizer("Adam", plain)),
                ("LSTM Adam long", lstm, long, optimizer("Adam", gated)),
            ];
            for (name, network, steps, by) in kinds {
                let name = format!("H{hidden} {name}");
                all.push(self.trial(name, network, steps, by));
            }
        }
        all
    }

    /// The learning rates of an optimizer.
    pub(crate) fn rates_of(&self, scaled: bool) -> &[f64] {
        if scaled { &self.scaled_rates } else { &self.rates }
    }

    fn map(&self) -> Vec<Trial> {
        let mut all = vec![];
        for (cell_name, cell) in CELLS {
            for steps in self.lengths {
                for (name, scaled) in OPTIMIZERS {
                    for (i, &rate) in self.rates_of(scaled).iter().enumerate() {
                        let called = format!("{cell_name} {steps} {name} {i}");
                        let network = (cell, self.widths[0]);
                        let by = optimizer(name, rate);
                        all.push(self.trial(called, network, steps, by));
                    }
                }
            }
        }
        all
    }

    fn sweep(&self) -> Vec<Trial> {
        let rate = self.own_rates[1];
        let network = (Cell::RnnTanh, self.widths[0]);
        let trial = |(i, &epsilon): (usize, &f64)| {
            let by = adam(rate, epsilon);
            self.trial(format!("epsilon {i}"), network, self.lengths[0], by)
        };
        self.epsilons.iter().enumerate().map(trial).collect()
    }

    fn momentum(&self) -> Vec<Trial> {
        let network = (Cell::RnnTanh, self.widths[0]);
        let start = Initialisation {
            recurrent: Init::SpectralRadius { radius: 1.1 },
            ..Initialisation::default()
        };
        let mut all = vec![];
        for nesterov in [false, true] {
            for (i, &momentum) in self.momentums.iter().enumerate() {
                if nesterov && momentum == 0.0 {
                    continue;
                }
                let kind = if nesterov { "Nesterov" } else { "classical" };
                let by = OptimizerConfig::Sgd(SgdConfig {
                    learning_rate: self.momentum_rate,
                    momentum,
                    nesterov,
                    ..SgdConfig::default()
                });
                let name = format!("{kind} {i}");
                let trial = self.trial(name, network, self.momentum_steps, by);
                all.push(Trial { start, ..trial });
            }
        }
        all
    }

    /// The optimizers whose steps are told apart, with their names.
    pub(crate) fn told_apart(&self) -> Vec<(String, OptimizerConfig)> {
        let rate = |scaled: bool| self.own_rates[usize::from(scaled)];
        let mut all: Vec<(String, OptimizerConfig)> = OPTIMIZERS
            .iter()
            .map(|&(name, scaled)| {
                (name.to_lowercase(), optimizer(name, rate(scaled)))
            })
            .collect();
        let large = self.epsilons.iter().copied().fold(0.0, f64::max);
        all.push(("adam_large_epsilon".into(), adam(rate(true), large)));
        all
    }
}

/// All runs.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    groups: Vec<Trials>,
}

impl Recorded for LearningRateAndOptimizer {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let rng = Rng::new(config.seed);
        let trials = |(_, trials, seeds): (&str, Vec<Trial>, u64)| {
            Trials::new(trials, seeds, 0, rng.clone())
        };
        let groups = config.groups().into_iter().map(trials).collect();
        Networks { config: config.clone(), groups }
    }
}

impl Networks {
    /// The group of a run and its number there; else the seed, from 1, whose steps are told apart.
    fn which(&self, mut run: usize) -> Either<(usize, usize), usize> {
        for (group, trials) in self.groups.iter().enumerate() {
            if run < trials.count() {
                return Either::Left((group, run));
            }
            run -= trials.count();
        }
        Either::Right(run + 1)
    }
}

impl Runs for Networks {
    type Run<'a> = Work<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let groups = self.config.groups();
        let names = groups.iter().zip(&self.groups).flat_map(|(g, trials)| {
            trials.names().into_iter().map(move |n| format!("{} {n}", g.0))
        });
        let seeds = (1..=self.config.seeds).map(|seed| format!("seed {seed}"));
        names.chain(seeds).collect()
    }
    fn units(&self, run: usize) -> u64 {
        match self.which(run) {
            Either::Left((group, run)) => self.groups[group].units(run),
            Either::Right(_) => {
                (self.config.told_apart().len() * self.config.widths.len())
                    as u64
            }
        }
    }
    fn start(&self, run: usize) -> Work<'_> {
        match self.which(run) {
            Either::Left((group, run)) => {
                Either::Left(self.groups[group].start(run))
            }
            Either::Right(seed) => {
                let rng = Rng::new(self.config.seed);
                let rng = rng.stream(&format!("seed {seed}"));
                let config = &self.config;
                Either::Right(OneByOne::new(Seed { config, rng }))
            }
        }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// A training, or the steps of a seed's networks.
pub type Work<'a> = Either<TrialRun<'a>, OneByOne<Seed<'a>>>;

/// What a run gave.
pub type Outcome = Either<Tried, Vec<Shares>>;

/// What the last of some steps of an optimizer is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Norm shares by lag of the gradient there, and of the step.
    pub by_lag: [Vec<f64>; 2],
    /// The share of lags from half of their number on, of both.
    pub far: [f64; 2],
    /// How much of the step has another lag than in the gradient.
    pub moved: f64,
}

/// The steps of a seed's networks.
#[derive(Debug)]
pub struct Seed<'a> {
    config: &'a Config,
    rng: Rng,
}

impl Measure for Seed<'_> {
    type Found = Shares;

    fn count(&self) -> usize {
        self.config.told_apart().len() * self.config.widths.len()
    }
    fn measure(&mut self, number: usize) -> Shares {
        let kinds = self.config.told_apart();
        let hidden = self.config.widths[number / kinds.len()];
        let (_, by) = kinds[number % kinds.len()];
        shares(self.config, hidden, by, &self.rng)
    }
}

// ANCHOR: shares
/// Trains a plain network for some updates, and tells the last one apart.
fn shares(
    config: &Config,
    hidden: usize,
    by: OptimizerConfig,
    rng: &Rng,
) -> Shares {
    let task = adding(config.lengths[0]);
    let network =
        Network::new(Cell::RnnTanh, task.inputs(), hidden, task.outputs());
    let start = Initialisation::default();
    let mut at = network.parameters(&start, &rng.stream("weights"));
    let mut steps = Steps::new(by, at.values.len());
    let mut draw = rng.stream("batches");
    let mut last = None;
    for _ in 0..config.updates {
        let batch = task.batch(config.budget.batch, &mut draw);
        let mut by_lag = ByLag::of(&network, &at, &batch);
        let _ = by_lag.clip(Clip::Norm(config.limit), &at);
        let parts = steps.step(&mut at, &by_lag);
        last = Some([norm_shares(&by_lag.parts), norm_shares(&parts)]);
    }
    let by_lag = last.expect("there is an update");
    Shares {
        far: [0, 1].map(|k| far_share(&by_lag[k])),
        moved: moved(&by_lag[0], &by_lag[1]),
        by_lag,
    }
}
// ANCHOR_END: shares
