//! Cliffs and clipping: what does clipping do to a training, and to what an update is made of?
//!
//! The error of a network of one unit can be drawn, with its cliff, and gradient descent on it, with clipping and
//! without. Small networks learn the temporal order of two symbols by plain gradient descent, over learning rates and
//! ways to clip, from starts whose gradient explodes and others. And the gradient of their recurrent weights, batch by
//! batch and lag by lag, goes through clipping: within one batch, and across many.

mod figures;
mod regularised;
mod report;
mod surface;

pub use regularised::{Regularised, RegularisedRun};
pub use surface::OneUnit;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Budget, Learner, Lesson};
use crate::protocol::Claim;
use crate::runs::{Either, Measure, OneByOne, Recorded, Runs, run_all};
use crate::tasks::{Task, TaskConfig, TemporalOrder};
use crate::trials::{self, Trial, TrialRun, Trials, Tried};
use crate::update_shares::{ByLag, add, far_share, moved, norm_shares};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::slice;
use longlag_optim::{Clip, OptimizerConfig, SgdConfig};
use longlag_report::Report;
use longlag_train::TrainerConfig;
use serde::{Deserialize, Serialize};

/// The config of [`CliffsAndClipping`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks where claims are judged.
    pub seeds: u64,
    /// How many on the map of learning rates and clips.
    pub map_seeds: u64,
    /// The network of one unit.
    pub one_unit: OneUnit,
    /// T of temporal order.
    pub steps: usize,
    /// A longer T, for a second map.
    pub longer: usize,
    /// H. The maps are of the first, the claims of all.
    pub widths: Vec<usize>,
    /// The gain of recurrent weights at which the gradient explodes.
    pub gain: f64,
    /// For how long networks are trained.
    pub budget: Budget,
    /// The map's learning rates.
    pub rates: Vec<f64>,
    /// The map's ways to clip.
    pub clips: Vec<Clip>,
    /// The norm that gradients are clipped to where claims are judged.
    pub limit: f64,
    /// The learning rate there.
    pub rate: f64,
    /// Without clipping, the rate that was found best for each width.
    pub own_rates: Vec<f64>,
    /// The weight of Ω where it is added.
    pub omega: f64,
    /// How many batches are told apart by lag.
    pub batches: usize,
    /// Before that, at the start and after so many updates.
    pub trained: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            map_seeds: 10,
            one_unit: OneUnit::default(),
            steps: 20,
            longer: 30,
            widths: vec![16, 32],
            gain: 2.0,
            budget: Budget { updates: 1500, test: 200, ..Budget::default() },
            rates: vec![0.01, 0.03, 0.1, 0.3, 1.0],
            clips: vec![Clip::None, Clip::Norm(1.0), Clip::Norm(0.1)],
            limit: 1.0,
            rate: 0.1,
            own_rates: vec![0.01, 0.03],
            omega: 0.1,
            batches: 30,
            trained: 300,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct CliffsAndClipping;

impl Experiment for CliffsAndClipping {
    type Config = Config;
    const NAME: &'static str = "cliffs-and-clipping";
    const QUESTION: &'static str = "What does clipping the gradient do to a training, and to what an update is made \
         of?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = report::CLAIMS;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds, 1, 1_000),
            ("map_seeds", config.map_seeds, 1, 1_000),
            ("one_unit", config.one_unit.steps as u64, 1, 10_000),
            ("batches", config.batches as u64, 1, 10_000),
            ("trained", config.trained, 1, 1_000_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let widths = &config.widths;
        let rule = "it must list different ones, 1 or more";
        let good = !widths.is_empty() && unlike(widths);
        ConfigError::unless(good, "widths", widths, rule)?;
        let own = &config.own_rates;
        let rule = "it must have one for each width";
        ConfigError::unless(own.len() == widths.len(), "own_rates", own, rule)?;
        let rates = [&config.rates[..], own, &[config.rate]].concat();
        let rule = "learning rates must be from 0 to 1000";
        let good = rates.iter().all(|rate| (0.0..=1e3).contains(rate));
        ConfigError::unless(good, "rates", rates, rule)?;
        let limit = config.limit;
        let rule = "it must be from 1e-6 to 1e6";
        let good = (1e-6..=1e6).contains(&limit);
        ConfigError::unless(good, "limit", limit, rule)?;
        let omega = config.omega;
        let rule = "it must be from 0 to 1000";
        let good = (0.0..=1e3).contains(&omega);
        ConfigError::unless(good, "omega", omega, rule)?;
        trials::check(&config.judged())?;
        trials::check(&config.regularised())?;
        trials::check(&config.map())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// A start of networks on the map.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// What its trials' names begin with.
    pub name: String,
    /// What its panel is called.
    pub title: String,
    cell: Cell,
    start: Initialisation,
    steps: usize,
}

impl Config {
    fn task(&self, steps: usize) -> TemporalOrder {
        let definition = crate::tasks::Definition::Pascanu2013;
        TemporalOrder { definition, symbols: 2, steps }
    }

    /// The start at which a plain network's gradient explodes.
    fn exploding(&self) -> Initialisation {
        let recurrent = Init::Gaussian { gain: self.gain };
        Initialisation { recurrent, ..Initialisation::default() }
    }

    /// Plain gradient descent on the task.
    fn trial(
        &self,
        name: String,
        (cell, hidden): (Cell, usize),
        start: &Initialisation,
        steps: usize,
        (rate, clip): (f64, Clip),
    ) -> Trial {
        Trial {
            name,
            task: TaskConfig::TemporalOrder(self.task(steps)),
            cell,
            hidden,
            start: *start,
            trainer: descent(rate, clip),
            budget: self.budget,
        }
    }

    /// What claims are judged by: at each width without clipping and with it at one learning rate, and without it at
    /// its own.
    fn judged(&self) -> Vec<Trial> {
        let start = self.exploding();
        let clip = Clip::Norm(self.limit);
        let mut all = vec![];
        for (&hidden, &own) in self.widths.iter().zip(&self.own_rates) {
            let kinds = [
                ("none", self.rate, Clip::None),
                ("clip", self.rate, clip),
                ("none own", own, Clip::None),
            ];
            for (name, rate, clip) in kinds {
                let name = format!("H{hidden} {name}");
                let network = (Cell::RnnTanh, hidden);
                let by = (rate, clip);
                all.push(self.trial(name, network, &start, self.steps, by));
            }
        }
        all
    }

    /// With Ω, at both lengths; clipped, at the rate where claims are judged.
    fn regularised(&self) -> Vec<Trial> {
        let start = self.exploding();
        let by = (self.rate, Clip::Norm(self.limit));
        let network = (Cell::RnnTanh, self.widths[0]);
        let lengths = [("omega", self.steps), ("omega longer", self.longer)];
        let trial = |(name, steps): (&str, usize)| {
            self.trial(name.into(), network, &start, steps, by)
        };
        lengths.map(trial).into()
    }

    /// The starts of the map.
    pub(crate) fn starts(&self) -> Vec<Start> {
        let Config { steps, longer, gain, .. } = *self;
        let explodes = self.exploding();
        let identity = Initialisation {
            recurrent: Init::Identity { scale: 1.0 },
            bias: Init::Zero,
            ..Initialisation::default()
        };
        let lstm = Initialisation {
            recurrent: Init::Gaussian { gain: 2.0 * gain },
            forget_bias: Some(1.0),
            ..Initialisation::default()
        };
        let usual = Initialisation::default();
        let start = |name: &str, title: String, cell, start, steps| Start {
            name: name.into(),
            title,
            cell,
            start,
            steps,
        };
        let (plain, rectified) = (Cell::RnnTanh, Cell::RnnRelu);
        let title = |what: String, steps| format!("{what}, *T* = {steps}");
        let rnn = format!("tanh, *g* = {gain}");
        let twice = format!("LSTM, *g* = {}", 2.0 * gain);
        let usually = "tanh, usual start".to_owned();
        let irnn = "ReLU, identity".to_owned();
        vec![
            start("high", title(rnn.clone(), steps), plain, explodes, steps),
            start("longer", title(rnn, longer), plain, explodes, longer),
            start("usual", title(usually, steps), plain, usual, steps),
            start("relu", title(irnn, steps), rectified, identity, steps),
            start("lstm", title(twice, steps), Cell::Lstm, lstm, steps),
        ]
    }

    fn map(&self) -> Vec<Trial> {
        let mut all = vec![];
        for Start { name, cell, start, steps, .. } in self.starts() {
            for (i, &clip) in self.clips.iter().enumerate() {
                for (j, &rate) in self.rates.iter().enumerate() {
                    let name = format!("{name} {i} {j}");
                    let network = (cell, self.widths[0]);
                    let by = (rate, clip);
                    all.push(self.trial(name, network, &start, steps, by));
                }
            }
        }
        all
    }
}

/// Plain gradient descent.
fn descent(learning_rate: f64, clip: Clip) -> TrainerConfig {
    let sgd = SgdConfig { learning_rate, ..SgdConfig::default() };
    TrainerConfig { clip, ..TrainerConfig::new(OptimizerConfig::Sgd(sgd)) }
}

/// All runs.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    judged: Trials,
    regularised: Trials,
    map: Trials,
}

impl Recorded for CliffsAndClipping {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let Config { seed, seeds, map_seeds, .. } = *config;
        let rng = Rng::new(seed);
        let trials = |trials, seeds, probes| {
            Trials::new(trials, seeds, probes, rng.clone())
        };
        Networks {
            judged: trials(config.judged(), seeds, PROBES),
            regularised: trials(config.regularised(), seeds, 0),
            map: trials(config.map(), map_seeds, 0),
            config: config.clone(),
        }
    }
}

/// Along so many sequences growth is measured.
const PROBES: usize = 5;

/// Which run.
enum Which {
    /// Of the trials that are judged.
    Judged(usize),
    /// Of those with Ω.
    Regularised(usize),
    /// Of the map.
    Map(usize),
    /// Of the seeds, from 1, whose batches are told apart.
    Seed(usize),
}

impl Networks {
    fn which(&self, run: usize) -> Which {
        let mut left = run;
        if left < self.judged.count() {
            return Which::Judged(left);
        }
        left -= self.judged.count();
        if left < self.regularised.count() {
            return Which::Regularised(left);
        }
        left -= self.regularised.count();
        if left < self.map.count() {
            return Which::Map(left);
        }
        Which::Seed(left - self.map.count() + 1)
    }
}

impl Runs for Networks {
    type Run<'a> = Work<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let map = self.map.names().into_iter();
        let seeds = (1..=self.config.seeds).map(|seed| format!("seed {seed}"));
        let mut all = self.judged.names();
        all.extend(self.regularised.names());
        all.extend(map.map(|name| format!("map {name}")));
        all.extend(seeds);
        all
    }
    fn units(&self, run: usize) -> u64 {
        match self.which(run) {
            Which::Judged(run) => self.judged.units(run),
            Which::Regularised(run) => self.regularised.units(run),
            Which::Map(run) => self.map.units(run),
            Which::Seed(_) => self.config.kinds().len() as u64,
        }
    }
    fn start(&self, run: usize) -> Work<'_> {
        match self.which(run) {
            Which::Judged(run) => {
                Either::Left(Either::Left(self.judged.start(run)))
            }
            Which::Map(run) => Either::Left(Either::Left(self.map.start(run))),
            Which::Regularised(run) => {
                let (trials, omega) = (&self.regularised, self.config.omega);
                let run = RegularisedRun::start(trials, run, omega);
                Either::Left(Either::Right(run))
            }
            Which::Seed(seed) => {
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

/// A training, with Ω or not, or the batches of a seed.
pub type Work<'a> =
    Either<Either<TrialRun<'a>, RegularisedRun<'a>>, OneByOne<Seed<'a>>>;

/// What a run gave.
pub type Outcome = Either<Either<Tried, Tried>, Vec<Batches>>;

/// Of which network batches are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kind {
    hidden: usize,
    explodes: bool,
    updates: u64,
}

impl Kind {
    /// What its facts begin with.
    pub(crate) fn key(self) -> String {
        let start = if self.explodes { "high" } else { "usual" };
        let when = if self.updates > 0 { "trained" } else { "start" };
        format!("h{}_{start}_{when}", self.hidden)
    }
}

impl Config {
    /// Each width, from both starts, before and after some updates.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut all = vec![];
        for &hidden in &self.widths {
            for explodes in [true, false] {
                for updates in [0, self.trained] {
                    all.push(Kind { hidden, explodes, updates });
                }
            }
        }
        all
    }
}

/// What clipping does to the gradient of the recurrent weights over some batches of one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    /// The median of their gradients' norms, and the largest.
    pub norms: [f64; 2],
    /// The share of batches whose gradient is clipped.
    pub clipped: f64,
    /// The largest batch's share in the sum of all norms, before clipping and after.
    pub largest: [f64; 2],
    /// How much of one batch's gradient has another lag after clipping by norm, and by value: the median.
    pub within: [f64; 2],
    /// The same of the mean over all batches.
    pub across: [f64; 2],
    /// The share of lags from T/2 on in the mean: as it is, clipped by norm, by value.
    pub far: [f64; 3],
    /// Norm shares by lag of the mean, as it is and clipped by norm.
    pub shares: [Vec<f64>; 2],
}

/// The batches of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    config: &'a Config,
    rng: Rng,
}

impl Measure for Seed<'_> {
    type Found = Batches;

    fn count(&self) -> usize {
        self.config.kinds().len()
    }
    fn measure(&mut self, number: usize) -> Batches {
        let Config { steps, batches, limit, rate, .. } = *self.config;
        let Kind { hidden, explodes, updates } = self.config.kinds()[number];
        let task = self.config.task(steps);
        let network =
            Network::new(Cell::RnnTanh, task.inputs(), hidden, task.outputs());
        let usual = Initialisation::default();
        let start = if explodes { self.config.exploding() } else { usual };
        let start = network.parameters(&start, &self.rng.stream("weights"));
        // Trained as those that claims are judged by; that it may have solved its task doesn't end it.
        let never = Budget {
            updates: updates.max(1),
            ask_every: u64::MAX,
            test: 1,
            ..self.config.budget
        };
        let test = task.batch(1, &mut self.rng.stream("test"));
        let lesson = Lesson { task: &task, test: &test, budget: never };
        let trainer = descent(rate, Clip::Norm(limit));
        let draw = self.rng.stream("batches");
        let mut learner =
            Learner::new(lesson, network.clone(), &trainer, start, draw);
        while learner.updates() < updates {
            if learner.update().is_break() {
                break;
            }
        }
        let at = learner.trainer.parameters.map(f64::from);
        let size = self.config.budget.batch;
        let mut draw = self.rng.stream("told apart");
        let all: Vec<ByLag> = (0..batches)
            .map(|_| ByLag::of(&network, &at, &task.batch(size, &mut draw)))
            .collect();
        // By value so that all recurrent weights at the limit together have the norm that they are clipped to.
        let clips = [Clip::Norm(limit), Clip::Value(limit / hidden as f64)];
        let clipped = clips.map(|clip| {
            let clipped = |by_lag: &ByLag| {
                let mut after = by_lag.clone();
                let fired = after.clip(clip, &at).fired();
                (after, fired)
            };
            all.iter().map(clipped).collect::<Vec<_>>()
        });
        batches_of(&all, &clipped)
    }
}

// ANCHOR: batches
/// What becomes of the shares, from the gradients of batches and from the
/// same gradients clipped, with whether that changed them.
fn batches_of(all: &[ByLag], clipped: &[Vec<(ByLag, bool)>; 2]) -> Batches {
    let norms_of = |of: &mut dyn Iterator<Item = &ByLag>| -> Vec<f64> {
        of.map(|by_lag| slice::norm(&by_lag.gradient)).collect()
    };
    let most = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    let before = norms_of(&mut all.iter());
    let after = norms_of(&mut clipped[0].iter().map(|c| &c.0));
    let mean = |of: &mut dyn Iterator<Item = &ByLag>| {
        let mut sum = vec![];
        of.for_each(|by_lag| add(&mut sum, 1.0, &by_lag.parts));
        norm_shares(&sum)
    };
    let whole = mean(&mut all.iter());
    let of_clipped = [0, 1].map(|k| mean(&mut clipped[k].iter().map(|c| &c.0)));
    let within = |k: usize| {
        let moved = |(one, clipped): (&ByLag, &(ByLag, bool))| {
            moved(&norm_shares(&one.parts), &norm_shares(&clipped.0.parts))
        };
        let each: Vec<f64> = all.iter().zip(&clipped[k]).map(moved).collect();
        longlag_probe::statistics::median(&each)
    };
    let fired = clipped[0].iter().filter(|c| c.1).count();
    Batches {
        norms: [longlag_probe::statistics::median(&before), most(&before)],
        clipped: fired as f64 / all.len() as f64,
        largest: [&before, &after].map(|n| most(n) / slice::sum(n)),
        within: [within(0), within(1)],
        across: [0, 1].map(|k| moved(&whole, &of_clipped[k])),
        far: [&whole, &of_clipped[0], &of_clipped[1]].map(|s| far_share(s)),
        shares: [whole.clone(), of_clipped[0].clone()],
    }
}
// ANCHOR_END: batches
