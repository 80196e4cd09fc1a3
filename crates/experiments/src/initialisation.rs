//! Does initialisation help, and what of it survives training?
//!
//! Plain networks, LSTMs and GRUs learn temporal order from many starts, at several lengths. Of each network it is
//! known how a gradient grows along sequences of its task, before the first update, a few times in training, and at
//! the end.
//!
//! The key decision: **starts differ in the recurrent weights, or in the gates' biases, and in nothing else**, but for
//! the learning rate, which is chosen for each from one small grid on other seeds. Then one number tells all of them
//! apart, whatever the cell: the decades that a gradient gains or loses over the whole sequence at the start.

mod claims;
mod figures;
mod report;

use crate::experiment::{ConfigError, Experiment, FigureSpec, Progress};
use crate::learner::{Budget, adam};
use crate::protocol::Claim;
use crate::runs::{Recorded, Run, Runs, run_all};
use crate::tasks::{Definition, TaskConfig, TemporalOrder};
use crate::trials::{Trial, TrialRun, Trials, Tried, check};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation as Start};
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use longlag_report::Report;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// The config of [`Initialisation`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each kind.
    pub seeds: u64,
    /// H. All starts at the first; what the claims are judged by at all of them.
    pub widths: Vec<usize>,
    /// T: the lengths of the sequences.
    pub lengths: Vec<usize>,
    /// That of the claims.
    pub judged: usize,
    /// The starts.
    pub starts: Vec<NamedStart>,
    /// For how long a network is trained.
    pub budget: Budget,
    /// After how many updates its gradient is looked at, besides start and end.
    pub looks: Vec<u64>,
    /// Along so many sequences.
    pub probes: usize,
}

/// A cell and how it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedStart {
    /// What it is called.
    pub name: String,
    /// The cell.
    pub cell: Cell,
    /// How its parameters start.
    pub start: Start,
    /// Whether its gates start by chrono initialisation for the length of the sequences.
    #[serde(default)]
    pub chrono: bool,
    /// The learning rate.
    pub learning_rate: f64,
}

/// The learning rates that were tried with each start: at the length of the claims and the first width, with three
/// networks of another seed. Each start has the one with the largest share of right answers in the end, and of those
/// within a hundredth the one that took the fewest updates.
pub const LEARNING_RATES: [f64; 3] = [1e-3, 3e-3, 1e-2];

/// What the others are compared with: everything as PyTorch draws it.
pub const DEFAULT: &str = "RNN, PyTorch's";
/// The start of a plain network that was declared the best before any run.
pub const BEST: &str = "RNN, orthogonal 1";

impl NamedStart {
    fn new(name: &str, cell: Cell, start: Start, learning_rate: f64) -> Self {
        let name = name.to_owned();
        NamedStart { name, cell, start, chrono: false, learning_rate }
    }

    // ANCHOR: trial
    /// The training from this start of a network with H units, on
    /// sequences of T steps.
    pub fn trial(&self, hidden: usize, steps: usize, budget: Budget) -> Trial {
        let chrono = self.chrono.then_some(steps as f64);
        Trial {
            name: self.trial_name(hidden, steps),
            task: task(steps),
            cell: self.cell,
            hidden,
            start: Start { chrono, ..self.start },
            trainer: adam(self.learning_rate, Clip::Norm(1.0)),
            budget,
        }
    }
    // ANCHOR_END: trial

    fn trial_name(&self, hidden: usize, steps: usize) -> String {
        trial_name(&self.name, hidden, steps)
    }
}

/// What the training from a start is called.
fn trial_name(start: &str, hidden: usize, steps: usize) -> String {
    format!("{start} h{hidden} t{steps}")
}

/// The task at a length.
fn task(steps: usize) -> TaskConfig {
    let definition = Definition::Pascanu2013;
    TaskConfig::TemporalOrder(TemporalOrder { definition, symbols: 2, steps })
}

/// All starts, each with its learning rate.
fn starts() -> Vec<NamedStart> {
    let recurrent = |recurrent| Start { recurrent, ..Start::default() };
    let tanh = |name: &str, init, rate| {
        NamedStart::new(name, Cell::RnnTanh, recurrent(init), rate)
    };
    let lstm = |name: &str, bias, rate| {
        let start = Start { forget_bias: Some(bias), ..Start::default() };
        NamedStart::new(name, Cell::Lstm, start, rate)
    };
    let relu =
        |name: &str, start| NamedStart::new(name, Cell::RnnRelu, start, 1e-3);
    // The start of Le, Jaitly and Hinton has no biases.
    let irnn =
        Start { bias: Init::Zero, ..recurrent(Init::Identity { scale: 1.0 }) };
    let chrono =
        NamedStart::new("LSTM, chrono", Cell::Lstm, Start::default(), 3e-3);
    let chrono = NamedStart { chrono: true, ..chrono };
    let gru = |name: &str, start| NamedStart::new(name, Cell::Gru, start, 1e-2);
    let orthogonal = |gain| Init::Orthogonal { gain };
    let gaussian = |gain| Init::Gaussian { gain };
    vec![
        tanh(DEFAULT, Init::Uniform, 3e-3),
        tanh("RNN, Xavier", Init::Xavier { gain: 1.0 }, 1e-3),
        tanh("RNN, Gaussian 0.5", gaussian(0.5), 3e-3),
        tanh("RNN, Gaussian 1", gaussian(1.0), 1e-3),
        tanh("RNN, Gaussian 2", gaussian(2.0), 3e-3),
        tanh("RNN, orthogonal 0.8", orthogonal(0.8), 3e-3),
        tanh(BEST, orthogonal(1.0), 1e-3),
        tanh("RNN, orthogonal 1.3", orthogonal(1.3), 1e-3),
        tanh("RNN, identity", Init::Identity { scale: 1.0 }, 3e-3),
        tanh("RNN, radius 1", Init::SpectralRadius { radius: 1.0 }, 3e-3),
        tanh("RNN, smart tanh", Init::SMART_TANH, 1e-3),
        relu("ReLU RNN, PyTorch's", Start::default()),
        relu("ReLU RNN, identity", irnn),
        lstm("LSTM, forget 0", 0.0, 3e-3),
        lstm("LSTM, forget 1", 1.0, 1e-3),
        lstm("LSTM, forget 3", 3.0, 1e-3),
        lstm("LSTM, forget 5", 5.0, 1e-3),
        chrono,
        gru("GRU, PyTorch's", Start::default()),
        gru("GRU, orthogonal 1", recurrent(orthogonal(1.0))),
    ]
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![32, 64],
            lengths: vec![20, 50, 80],
            judged: 50,
            starts: starts(),
            budget: Budget { updates: 1000, ..Budget::default() },
            looks: vec![100, 400],
            probes: 10,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct Initialisation;

impl Experiment for Initialisation {
    type Config = Config;
    const NAME: &'static str = "initialisation";
    const QUESTION: &'static str =
        "Does initialisation help, and what of it survives training?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let Config { widths, lengths, judged, starts, .. } = config;
        let counts = [
            ("seeds", config.seeds as usize, 1_000),
            ("probes", config.probes, 1_000),
        ];
        for (field, value, most) in counts {
            ConfigError::within(field, value, 1..=most)?;
        }
        ConfigError::unless(
            !widths.is_empty(),
            "widths",
            widths,
            "there must be one",
        )?;
        ConfigError::unless(
            lengths.contains(judged),
            "judged",
            judged,
            "it must be one of `lengths`",
        )?;
        let names: Vec<&str> = starts.iter().map(|s| &s.name[..]).collect();
        ConfigError::unless(
            [DEFAULT, BEST].iter().all(|name| names.contains(name)),
            "starts",
            &names,
            "the claims need \"RNN, PyTorch's\" and \"RNN, orthogonal 1\"",
        )?;
        check(&trials(config))
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// All starts at the first width and every length, then those of the claims at the other widths.
fn trials(config: &Config) -> Vec<Trial> {
    let Config { widths, lengths, judged, starts, budget, .. } = config;
    let mut all = vec![];
    for start in starts {
        all.extend(lengths.iter().map(|&t| start.trial(widths[0], t, *budget)));
    }
    for &hidden in &widths[1..] {
        let of_claims =
            starts.iter().filter(|s| [DEFAULT, BEST].contains(&&s.name[..]));
        all.extend(of_claims.map(|s| s.trial(hidden, *judged, *budget)));
    }
    all
}

/// All trainings.
#[derive(Debug)]
pub struct Trainings {
    config: Config,
    trials: Trials,
}

impl Recorded for Initialisation {
    type Runs = Trainings;
    fn runs(config: &Config) -> Trainings {
        let Config { seed, seeds, probes, .. } = *config;
        let (trials, rng) = (trials(config), Rng::new(seed));
        let trials = Trials::new(trials, seeds, probes, rng);
        Trainings { config: config.clone(), trials }
    }
}

/// What became of a training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// At the end.
    pub tried: Tried,
    /// Growth at the looks that came before the end.
    pub looks: Vec<f64>,
}

impl Runs for Trainings {
    type Run<'a> = Watched<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        self.trials.names()
    }
    fn units(&self, run: usize) -> u64 {
        self.trials.units(run)
    }
    fn start(&self, run: usize) -> Watched<'_> {
        let looks = &self.config.looks;
        Watched { run: self.trials.start(run), looks, seen: vec![] }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// A training whose gradient is looked at.
#[derive(Debug)]
pub struct Watched<'a> {
    run: TrialRun<'a>,
    looks: &'a [u64],
    seen: Vec<f64>,
}

impl<'a> Run for Watched<'a> {
    type Saved = (<TrialRun<'a> as Run>::Saved, Vec<f64>);
    type Outcome = Outcome;

    fn advance(&mut self) -> ControlFlow<()> {
        self.run.advance()?;
        if self.looks.contains(&self.run.learner.updates()) {
            self.seen.push(self.run.growth());
        }
        ControlFlow::Continue(())
    }
    fn save(&self) -> Self::Saved {
        (self.run.save(), self.seen.clone())
    }
    fn restore(&mut self, (run, seen): Self::Saved) -> Result<(), String> {
        self.seen = seen;
        self.run.restore(run)
    }
    fn outcome(&self) -> Outcome {
        Outcome { tried: self.run.outcome(), looks: self.seen.clone() }
    }
}
