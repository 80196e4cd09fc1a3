//! Overfitting is another problem: do its cures help over long lags, and do they cost memory?
//!
//! LSTMs learn the adding problem from a few sequences, with each cure and without, and from sequences without end.
//! And a memory that isn't trained shows what is left of a bit, and of its gradient, after many steps of dropout.
//!
//! The key decision: **early stopping pays for what it looks at.** The sequences that tell it when to stop are taken
//! from the few; every other cure learns from all of them.

mod figures;
mod memory;
mod report;
mod training;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::Budget;
use crate::protocol::Claim;
use crate::runs::{Either, OneByOne, Recorded, Runs, run_all};
use crate::tasks::{Adding, Batch, Definition, Task};
use longlag_numerics::random::Rng;
use longlag_report::Report;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

pub use memory::{Left, Memory, hold};
use training::Planned;
pub use training::{Dropped, Dropping, Few, Learnt, Look, Training, unroll};

/// The config of [`OverfittingIsAnotherProblem`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each kind.
    pub seeds: u64,
    /// How many more, with seeds of their own, where strengths are tried.
    pub sweep_seeds: u64,
    /// H of networks that are trained.
    pub hidden: usize,
    /// T of the adding problem. Strengths are tried at the first.
    pub lengths: Vec<usize>,
    /// How many sequences are known where few are.
    pub few: usize,
    /// Adam's.
    pub learning_rate: f64,
    /// For how long networks are trained.
    pub budget: Budget,
    /// The strengths of early stopping: the share of the sequences that it isn't trained on.
    pub shares: Vec<f64>,
    /// As many of weight decay: λ.
    pub decays: Vec<f64>,
    /// As many of all kinds of dropout: the probability of being dropped.
    pub drops: Vec<f64>,
    /// Where claims are judged, the strengths that were found best, in the order of [`Cure::ALL`].
    pub own: [f64; 6],
    /// H of a memory.
    pub holding: usize,
    /// The lengths that a memory is asked at, ascending.
    pub spans: Vec<usize>,
    /// The probabilities that its state is dropped with.
    pub leaks: Vec<f64>,
    /// How many sequences.
    pub sequences: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            sweep_seeds: 5,
            hidden: 16,
            lengths: vec![50, 100],
            few: 20,
            learning_rate: 1e-2,
            budget: Budget {
                updates: 800,
                ask_every: 40,
                test: 200,
                ..Budget::default()
            },
            shares: vec![0.05, 0.1, 0.2],
            decays: vec![0.001, 0.003, 0.01],
            drops: vec![0.05, 0.2, 0.5],
            own: [0.2, 0.001, 0.2, 0.2, 0.05, 0.05],
            holding: 16,
            spans: vec![100, 200, 300, 400],
            leaks: vec![0.003, 0.01],
            sequences: 100,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct OverfittingIsAnotherProblem;

impl Experiment for OverfittingIsAnotherProblem {
    type Config = Config;
    const NAME: &'static str = "overfitting-is-another-problem";
    const QUESTION: &'static str = "Do the cures of overfitting help over long lags, or do they cost memory?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = report::CLAIMS;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("sweep_seeds", config.sweep_seeds as usize, 1, 1_000),
            ("hidden", config.hidden, 1, 1_024),
            ("few", config.few, 2, 100_000),
            ("holding", config.holding, 1, 1_024),
            ("sequences", config.sequences, 1, 10_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        for (field, list) in
            [("lengths", &config.lengths), ("spans", &config.spans)]
        {
            ConfigError::unless(
                !list.is_empty()
                    && list.windows(2).all(|w| w[0] < w[1])
                    && list.iter().all(|t| (1..=10_000).contains(t)),
                field,
                list,
                "it must list numbers from 1 to 10000 in ascending order",
            )?;
        }
        let Config { shares, decays, drops, leaks, .. } = config;
        for (field, list) in
            [("shares", shares), ("drops", drops), ("leaks", leaks)]
        {
            ConfigError::unless(
                !list.is_empty()
                    && unlike(list)
                    && list.iter().all(|p| 0.0 < *p && *p < 1.0),
                field,
                list,
                "it must list different ones between 0 and 1",
            )?;
        }
        ConfigError::unless(
            decays.len() == drops.len() && shares.len() == drops.len(),
            "decays",
            decays,
            "it must have as many as `drops` and `shares`, for equal budgets",
        )?;
        let good = |list: &[f64]| list.iter().all(|x| (0.0..=1e3).contains(x));
        let rule = "each must be from 0 to 1000";
        ConfigError::unless(good(decays), "decays", decays, rule)?;
        for (cure, own) in Cure::ALL.iter().zip(config.own) {
            let most = if *cure == Cure::WeightDecay { 1e3 } else { 0.99 };
            ConfigError::within("own", own, 0.0..=most)?;
        }
        let rate = config.learning_rate;
        ConfigError::within("learning_rate", rate, 0.0..=1.0)?;
        config.budget.check()?;
        config.lengths.iter().try_for_each(|&t| adding(t).check())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// The task, at this length: the sequences of 2016, all equally long, and what counts as right in 2013.
pub fn adding(steps: usize) -> Adding {
    Adding {
        definition: Definition::Arjovsky2016,
        success: Definition::Pascanu2013,
        steps,
    }
}

/// What is done against overfitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// A part of the sequences tells when to stop.
    EarlyStopping,
    /// Decoupled weight decay.
    WeightDecay,
    /// Dropout.
    Dropout(Dropping),
}

impl Cure {
    /// All.
    pub const ALL: [Cure; 6] = [
        Cure::EarlyStopping,
        Cure::WeightDecay,
        Cure::Dropout(Dropping::Upward),
        Cure::Dropout(Dropping::Sequence),
        Cure::Dropout(Dropping::Candidate),
        Cure::Dropout(Dropping::Cell),
    ];

    /// What its facts have in their names.
    pub fn key(self) -> &'static str {
        match self {
            Cure::EarlyStopping => "early_stopping",
            Cure::WeightDecay => "weight_decay",
            Cure::Dropout(how) => how.key(),
        }
    }

    /// The strengths that are tried.
    fn strengths(self, config: &Config) -> &[f64] {
        match self {
            Cure::EarlyStopping => &config.shares,
            Cure::WeightDecay => &config.decays,
            Cure::Dropout(_) => &config.drops,
        }
    }
}

/// A training, but for its seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// T.
    pub steps: usize,
    /// Whether only a few sequences are known; else every batch is new.
    pub few: bool,
    /// What is done, and how much of it.
    pub cure: Option<(Cure, f64)>,
}

impl Setting {
    /// What facts of it begin with.
    pub fn key(&self) -> String {
        let from = if self.few { "few" } else { "new" };
        let cure = self.cure.map_or("none", |(cure, _)| cure.key());
        format!("t{}_{from}_{cure}", self.steps)
    }
}

impl Config {
    /// Those that claims are judged by.
    fn judged(&self) -> Vec<Setting> {
        let mut all = vec![];
        for &steps in &self.lengths {
            let with = |few, cure| Setting { steps, few, cure };
            all.extend([with(false, None), with(true, None)]);
            for (cure, own) in Cure::ALL.into_iter().zip(self.own) {
                all.push(with(true, Some((cure, own))));
            }
            // What a cure costs is seen where there is nothing to cure.
            for (cure, own) in Cure::ALL.into_iter().zip(self.own) {
                if matches!(cure, Cure::Dropout(_)) {
                    all.push(with(false, Some((cure, own))));
                }
            }
        }
        all
    }

    /// Those that strengths are tried by.
    fn sweep(&self) -> Vec<Setting> {
        let steps = self.lengths[0];
        let of = |cure: Cure| {
            let with = move |&by: &f64| Some((cure, by));
            cure.strengths(self).iter().map(with)
        };
        let cures = Cure::ALL.into_iter().flat_map(of);
        cures.map(|cure| Setting { steps, few: true, cure }).collect()
    }
}

/// All runs: trainings, then those where strengths are tried, then memories; in each all seeds of the first setting
/// come first.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    trainings: Vec<Planned>,
    /// At each length: the sequences that all are tested by.
    tests: Vec<Batch>,
}

impl Recorded for OverfittingIsAnotherProblem {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let Config { seeds, sweep_seeds, .. } = *config;
        let planned = |of: Vec<Setting>, seeds: RangeInclusive<u64>| {
            let each = move |setting| {
                let plan = move |seed| Planned::new(config, setting, seed);
                seeds.clone().map(plan)
            };
            of.into_iter().flat_map(each)
        };
        let sweep = planned(config.sweep(), seeds + 1..=seeds + sweep_seeds);
        let judged = planned(config.judged(), 1..=seeds);
        let test = |&steps: &usize| {
            let mut draw = Rng::new(config.seed).stream("test");
            adding(steps).batch(config.budget.test, &mut draw)
        };
        Networks {
            trainings: judged.chain(sweep).collect(),
            tests: config.lengths.iter().map(test).collect(),
            config: config.clone(),
        }
    }
}

/// What a seed draws from.
fn stream(config: &Config, seed: u64) -> Rng {
    Rng::new(config.seed).stream(&format!("seed {seed}"))
}

impl Runs for Networks {
    type Run<'a> = Either<Training<'a>, OneByOne<Memory<'a>>>;
    type Outcome = Either<Learnt, Vec<Vec<Left>>>;

    fn names(&self) -> Vec<String> {
        let name = |Planned { setting, seed, .. }: &Planned| {
            let by = setting.cure.map_or(0.0, |(_, by)| by);
            format!("{} {by} {seed}", setting.key())
        };
        let memory = |seed: u64| format!("memory {seed}");
        let memories = (1..=self.config.seeds).map(memory);
        self.trainings.iter().map(name).chain(memories).collect()
    }
    fn units(&self, run: usize) -> u64 {
        if run < self.trainings.len() {
            self.config.budget.updates
        } else {
            memory::kinds(&self.config).len() as u64
        }
    }
    fn start(&self, run: usize) -> Self::Run<'_> {
        let config = &self.config;
        let Some(planned) = self.trainings.get(run) else {
            let seed = (run - self.trainings.len()) as u64 + 1;
            let rng = stream(config, seed);
            return Either::Right(OneByOne::new(Memory { config, rng }));
        };
        let steps = planned.setting.steps;
        let at = config.lengths.iter().position(|&t| t == steps);
        let test = &self.tests[at.expect("one of the lengths")];
        Either::Left(Training::new(config, planned, test))
    }
    fn report(&self, outcomes: &[Self::Outcome]) -> Report {
        self.summary(outcomes)
    }
}
