//! The LSTM can explode: does it only relieve the explosion of gradients, or prevent it?
//!
//! The key decision: **plain networks and LSTMs are compared at the same gain.** Recurrent weights from N(0, g²/H) for
//! both, the same noise on all sums; what differs is the cell. Along trajectories of untrained networks the derivative
//! of the last state by an earlier one is followed through all paths. Then networks are trained from large gains, with
//! clipping and without, by plain gradient descent and by Adam, and the largest gradient that clipping saw is kept.
//!
//! One functional for all: ‖J‖_F / √H of ∂h_T/∂h_k or ∂c_T/∂c_k, in decades per 100 steps. Beside it stands that of an
//! earlier measurement, the growth of one random direction.

mod claims;
mod figures;
mod report;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::law_of_the_product::{Activation, Plain};
use crate::learner::{Budget, adam};
use crate::lstm_paths::DrivenLstm;
use crate::protocol::Claim;
use crate::runs::{
    Either, Hash, Measure, OneByOne, Recorded, Run, Runs, run_all,
};
use crate::summary::key_of;
use crate::tasks::{Definition, Task, TaskConfig, TemporalOrder};
use crate::trials::{self, Trial, TrialRun, Trials, Tried};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation};
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, slice};
use longlag_optim::{Clip, OptimizerConfig, SgdConfig};
use longlag_probe::Trajectory;
use longlag_probe::paths::Paths;
use longlag_report::Report;
use longlag_train::TrainerConfig;
use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG10_E;
use std::ops::ControlFlow;

/// The config of [`LstmCanExplode`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each kind.
    pub seeds: u64,
    /// H. Networks are trained at the first.
    pub widths: Vec<usize>,
    /// g.
    pub gains: Vec<f64>,
    /// The standard deviation of the noise on each sum.
    pub noise: f64,
    /// Steps before the measurement.
    pub burn_in: usize,
    /// Steps of the measurement.
    pub steps: usize,
    /// The gains that networks are trained from.
    pub trained_gains: Vec<f64>,
    /// The task.
    pub task: TemporalOrder,
    /// How they are trained.
    pub methods: Vec<Method>,
    /// For how long.
    pub budget: Budget,
    /// The norm that gradients are clipped to, where they are.
    pub clip: f64,
    /// The growth of trained networks is measured along so many sequences.
    pub probes: usize,
}

/// A cell and by what it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The plain network or the LSTM.
    pub cell: Trained,
    /// Plain gradient descent, or Adam.
    pub optimizer: Optimizer,
    /// Whether gradients are clipped.
    pub clipped: bool,
    /// The optimizer's.
    pub learning_rate: f64,
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trained {
    /// The plain network with tanh.
    Rnn,
    /// The LSTM with a forget bias of 1.
    Lstm,
}

/// By what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent without momentum.
    Sgd,
    /// Adam.
    Adam,
}

impl Optimizer {
    /// As a text names it.
    fn in_words(self) -> &'static str {
        match self {
            Optimizer::Sgd => "gradient descent",
            Optimizer::Adam => "Adam",
        }
    }
}

impl Method {
    /// What it is called, from a gain.
    fn name(self, gain: f64) -> String {
        let cell = match self.cell {
            Trained::Rnn => "RNN",
            Trained::Lstm => "LSTM",
        };
        let optimizer = match self.optimizer {
            Optimizer::Sgd => "SGD",
            Optimizer::Adam => "Adam",
        };
        let clipped = if self.clipped { ", clipped" } else { "" };
        format!("{cell}, g = {gain}, {optimizer}{clipped}")
    }
    /// What facts of it begin with.
    fn key(self, gain: f64) -> String {
        key_of(&self.name(gain))
    }
}

impl Default for Config {
    fn default() -> Self {
        use {Optimizer::Adam, Optimizer::Sgd, Trained::Lstm, Trained::Rnn};
        let method = |(cell, optimizer, clipped, learning_rate)| Method {
            cell,
            optimizer,
            clipped,
            learning_rate,
        };
        // Of four rates each, those with which most networks of other seeds solved the task, then in fewest updates; of
        // plain networks, none of which did, those with which most answers were right.
        let methods = [
            (Rnn, Sgd, false, 1.0),
            (Rnn, Sgd, true, 1.0),
            (Rnn, Adam, false, 0.03),
            (Rnn, Adam, true, 0.01),
            (Lstm, Sgd, false, 1.0),
            (Lstm, Sgd, true, 1.0),
            (Lstm, Adam, false, 0.03),
            (Lstm, Adam, true, 0.03),
        ];
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![32, 64],
            gains: vec![0.5, 1.0, 2.5, 4.0, 8.0],
            noise: 0.5,
            burn_in: 50,
            steps: 100,
            trained_gains: vec![4.0, 8.0],
            task: TemporalOrder {
                definition: Definition::Pascanu2013,
                symbols: 2,
                steps: 20,
            },
            methods: methods.map(method).to_vec(),
            budget: Budget { updates: 1000, test: 300, ..Budget::default() },
            clip: 1.0,
            probes: 3,
        }
    }
}

/// The gains at which the plain network explodes, where the first claim is judged.
const LARGE: [f64; 3] = [2.5, 4.0, 8.0];

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct LstmCanExplode;

impl Experiment for LstmCanExplode {
    type Config = Config;
    const NAME: &'static str = "lstm-can-explode";
    const QUESTION: &'static str =
        "Does the LSTM relieve the explosion of gradients, or prevent it?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("burn_in", config.burn_in, 0, 100_000),
            ("steps", config.steps, 1, 100_000),
            ("probes", config.probes, 1, 1_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let widths = &config.widths;
        ConfigError::unless(
            !widths.is_empty()
                && unlike(widths)
                && widths.iter().all(|h| (1..=1024).contains(h)),
            "widths",
            widths,
            "it must list different widths from 1 to 1024",
        )?;
        let good = |gains: &[f64]| {
            gains.windows(2).all(|g| g[0] < g[1])
                && gains.iter().all(|g| (1e-3..=1e3).contains(g))
        };
        ConfigError::unless(
            good(&config.gains)
                && LARGE.iter().all(|g| config.gains.contains(g)),
            "gains",
            &config.gains,
            "it must list gains from 0.001 to 1000 in ascending order, with 2.5, 4 and 8 which a claim is judged by",
        )?;
        ConfigError::unless(
            good(&config.trained_gains) && !config.trained_gains.is_empty(),
            "trained_gains",
            &config.trained_gains,
            "it must list gains from 0.001 to 1000 in ascending order",
        )?;
        ConfigError::unless(
            (0.0..=100.0).contains(&config.noise),
            "noise",
            config.noise,
            "it must be from 0 to 100",
        )?;
        let each = |method: &Method| {
            let same = |other: &&Method| {
                let name = |method: &Method| method.name(1.0);
                name(other) == name(method)
            };
            config.methods.iter().filter(same).count() == 1
        };
        ConfigError::unless(
            config.methods.len() == 8 && config.methods.iter().all(each),
            "methods",
            &config.methods,
            "it must have each cell by each optimizer, clipped and not",
        )?;
        config.task.check()?;
        trials::check(&list(config))
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// What is trained.
fn list(config: &Config) -> Vec<Trial> {
    let trial = |method: &Method, gain: f64| {
        let Method { cell, optimizer, clipped, learning_rate } = *method;
        let clip = if clipped { Clip::Norm(config.clip) } else { Clip::None };
        let trainer = match optimizer {
            Optimizer::Adam => adam(learning_rate, clip),
            Optimizer::Sgd => {
                let sgd = SgdConfig { learning_rate, ..SgdConfig::default() };
                let sgd = OptimizerConfig::Sgd(sgd);
                TrainerConfig { clip, ..TrainerConfig::new(sgd) }
            }
        };
        Trial {
            name: method.name(gain),
            task: TaskConfig::TemporalOrder(config.task),
            cell: match cell {
                Trained::Rnn => Cell::RnnTanh,
                Trained::Lstm => Cell::Lstm,
            },
            hidden: config.widths[0],
            start: Initialisation {
                recurrent: Init::Gaussian { gain },
                bias: Init::Zero,
                forget_bias: Some(1.0),
                ..Initialisation::default()
            },
            trainer,
            budget: config.budget,
        }
    };
    let gains = config.trained_gains.iter();
    let all = gains.flat_map(|&gain| {
        config.methods.iter().map(move |method| trial(method, gain))
    });
    all.collect()
}

/// A cell whose growth is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The plain network with tanh.
    Rnn,
    /// The LSTM with a forget bias.
    Lstm(f64),
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Rnn, Kind::Lstm(1.0), Kind::Lstm(3.0)];

    /// What facts of it begin with.
    fn key(self) -> String {
        match self {
            Kind::Rnn => "rnn".into(),
            Kind::Lstm(bias) => format!("lstm_b{bias}"),
        }
    }
}

/// An untrained network.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Untrained {
    hidden: usize,
    kind: Kind,
    gain: f64,
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    trials: Trials,
    untrained: Vec<Untrained>,
}

impl Recorded for LstmCanExplode {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let mut untrained = vec![];
        // The widest first: what comes last is what tests replay.
        for &hidden in config.widths.iter().rev() {
            for kind in Kind::ALL.into_iter().rev() {
                let at = |&gain: &f64| Untrained { hidden, kind, gain };
                untrained.extend(config.gains.iter().map(at));
            }
        }
        let rng = Rng::new(config.seed);
        let Config { seeds, probes, .. } = *config;
        Networks {
            trials: Trials::new(list(config), seeds, probes, rng),
            untrained,
            config: config.clone(),
        }
    }
}

impl Networks {
    /// The seed of a run whose networks aren't trained, from 1.
    fn seed(&self, run: usize) -> Option<usize> {
        Some(run.checked_sub(self.trials.count())? + 1)
    }
}

impl Runs for Networks {
    type Run<'a> = Either<Watched<'a>, OneByOne<Seed<'a>>>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let seeds = 1..=self.config.seeds;
        let mut names = self.trials.names();
        names.extend(seeds.map(|seed| format!("seed {seed}")));
        names
    }
    fn units(&self, run: usize) -> u64 {
        match self.seed(run) {
            Some(_) => self.untrained.len() as u64,
            None => self.trials.units(run),
        }
    }
    fn start(&self, run: usize) -> Self::Run<'_> {
        match self.seed(run) {
            Some(seed) => {
                let rng = Rng::new(self.config.seed);
                let rng = rng.stream(&format!("untrained {seed}"));
                Either::Right(OneByOne::new(Seed { networks: self, rng }))
            }
            None => {
                let trial = self.trials.start(run);
                Either::Left(Watched { trial, largest: 0.0 })
            }
        }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// What a run gave: of a training; or of each untrained network the growth in all directions and in a random one.
pub type Outcome = Either<Watch, Vec<[f64; 2]>>;

/// What a training gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// What became of it.
    pub tried: Tried,
    /// The largest norm of a gradient before clipping.
    pub largest: f64,
    /// A hash of the weights at the end.
    pub weights: Hash,
}

// ANCHOR: watched
/// A training whose largest gradient is kept.
#[derive(Debug)]
pub struct Watched<'a> {
    trial: TrialRun<'a>,
    largest: f64,
}

impl Run for Watched<'_> {
    type Saved = (<TrialRun<'static> as Run>::Saved, f64);
    type Outcome = Watch;

    fn advance(&mut self) -> ControlFlow<()> {
        let largest = &mut self.largest;
        self.trial.learner.update_seen(&mut |step| {
            *largest = largest.max(step.clipped.norm_before);
        })
    }
    fn save(&self) -> Self::Saved {
        (self.trial.save(), self.largest)
    }
    fn restore(&mut self, (trial, largest): Self::Saved) -> Result<(), String> {
        self.largest = largest;
        self.trial.restore(trial)
    }
    fn outcome(&self) -> Watch {
        Watch {
            tried: self.trial.outcome(),
            largest: self.largest,
            weights: Hash::of_weights(&self.trial.learner.trainer),
        }
    }
}
// ANCHOR_END: watched

/// The untrained networks of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    networks: &'a Networks,
    rng: Rng,
}

impl Measure for Seed<'_> {
    type Found = [f64; 2];

    fn count(&self) -> usize {
        self.networks.untrained.len()
    }
    fn measure(&mut self, number: usize) -> [f64; 2] {
        let Untrained { hidden, kind, gain } = self.networks.untrained[number];
        let config = &self.networks.config;
        let rng = self.rng.stream(&format!("{hidden}"));
        let Config { noise, burn_in, steps, .. } = *config;
        let drive = Drive { hidden, noise, burn_in, steps };
        let paths = match kind {
            Kind::Rnn => rnn(drive, gain, &rng),
            Kind::Lstm(bias) => lstm(drive, bias, gain, &rng),
        };
        let per_100 = 100.0 / steps as f64;
        let mut direction = rng.stream("direction");
        [per_100 * paths.log10_total(), per_100 * along(&paths, &mut direction)]
    }
}

/// How a network is run that isn't trained.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    /// H.
    pub hidden: usize,
    /// The standard deviation of the noise on each sum.
    pub noise: f64,
    /// Steps before those that are followed.
    pub burn_in: usize,
    /// The steps that are followed.
    pub steps: usize,
}

impl Drive {
    /// (T, 1, sums).
    fn noise(self, sums: usize, rng: &Rng) -> Array3<f64> {
        let shape = (self.burn_in + self.steps, 1, sums);
        let mut rng = rng.stream(&format!("noise {sums}"));
        Array3::from_shape_simple_fn(shape, || self.noise * rng.normal())
    }
}

// ANCHOR: paths
/// ∂c_T/∂c_k of an untrained LSTM on noise.
pub fn lstm(drive: Drive, bias: f64, gain: f64, rng: &Rng) -> Paths {
    let noise = drive.noise(4 * drive.hidden, rng);
    let mut weights = rng.stream("lstm");
    let lstm = DrivenLstm::on_noise(bias, gain, noise.view(), &mut weights);
    lstm.follow(0, drive.burn_in, 0, |_| {})
}

/// ∂h_T/∂h_k of an untrained tanh network on noise.
pub fn rnn(drive: Drive, gain: f64, rng: &Rng) -> Paths {
    let Drive { hidden, burn_in, .. } = drive;
    let mut u = Array2::zeros((hidden, hidden));
    let mut weights = rng.stream("rnn");
    Init::Gaussian { gain }.fill(u.view_mut(), hidden, &mut weights);
    let plain = Plain { activation: Activation::Tanh, u };
    let (noise, start) = (drive.noise(hidden, rng), Array2::zeros((1, hidden)));
    let trajectory = Trajectory::run(&plain, noise, start.view());
    // There is one path only: no column is a detour's.
    let mut paths = Paths::new(hidden, 0..hidden, hidden..hidden, 0);
    for j in trajectory.jacobians(&plain, 0).skip(burn_in) {
        paths.advance(j.view());
    }
    paths
}
// ANCHOR_END: paths

/// log₁₀ of the growth of a random direction by all paths.
fn along(paths: &Paths, rng: &mut Rng) -> f64 {
    let total = paths.total();
    let v: Vec<f64> = (0..total.ncols()).map(|_| rng.normal()).collect();
    let moved = total.rows().into_iter().map(|row| {
        let terms = row.iter().zip(&v).map(|(j, v)| j * v);
        slice::sum(&terms.collect::<Vec<_>>())
    });
    let moved: Vec<f64> = moved.collect();
    LOG10_E * Real::ln(slice::norm(&moved) / slice::norm(&v))
}
