//! Learning to forget: what the forget gate is for, and what it does to the gradient when it is nearly open.
//!
//! Two measurements. On the continual embedded Reber grammar networks with and without a forget gate predict the
//! next letter of a stream that nobody resets: how far they get, and what becomes of c. And in an LSTM that isn't
//! trained, the forget gate is held at one value after the other: what is left of a far state, of the far gradient,
//! and what gradient the gate itself gets. The learners of a seed read the same letters.

mod claims;
mod clamp;
mod figures;
mod report;
mod stream;

pub use clamp::{Clamped, Held, Probe, signal_of_white_drive};
pub use stream::{
    Gates, Learner, Learnt, Measured, Read, Reader, Training, slope, streams,
    until_mistake,
};

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::protocol::Claim;
use crate::runs::{Either, Measure, OneByOne, Recorded, Runs, run_all};
use crate::summary::key_of;
use longlag_cells::Initialisation;
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use longlag_report::Report;
use serde::{Deserialize, Serialize};

/// The config of [`LearningToForget`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times each learner is trained.
    pub seeds: u64,
    /// The networks that predict the stream.
    pub learners: Vec<Learner>,
    /// How their recurrent layers start.
    pub initialisation: Initialisation,
    /// The most updates of a training; it ends earlier when the stream is predicted.
    pub updates: u64,
    /// Streams that are read side by side.
    pub batch: usize,
    /// Letters of each that an update is computed from. A stream ends where one of them is predicted wrongly.
    pub window: usize,
    /// How gradients are clipped.
    pub clip: Clip,
    /// Every so many updates fresh streams are predicted.
    pub measure_every: u64,
    /// How many.
    pub test_streams: usize,
    /// The stream counts as predicted if so many letters are, from the first, in each of them.
    pub test_letters: u64,
    /// Forget gates that are held, in ascending order.
    pub held: Vec<f64>,
    /// How many networks they are held in.
    pub held_seeds: u64,
    /// H of these networks.
    pub widths: Vec<usize>,
    /// The gain of their recurrent weights. There are others whose units are on their own.
    pub gain: f64,
    /// The standard deviation of the noise on each pre-activation but the forget gate's.
    pub noise: f64,
    /// Trajectories in each.
    pub trajectories: usize,
    /// T, in ascending order.
    pub steps: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        let learner = |name: &str, hidden, forget_gate, reset| Learner {
            name: name.to_owned(),
            hidden,
            forget_gate,
            reset,
            learning_rate: 0.02,
        };
        Config {
            seed: 1,
            seeds: 20,
            learners: vec![
                learner("LSTM", 8, true, false),
                learner("no forget gate", 8, false, false),
                // Nearest to the LSTM's number of parameters, and above it.
                learner("no forget gate, wider", 10, false, false),
                learner("no forget gate, reset", 8, false, true),
                learner("LSTM, 16 units", 16, true, false),
                learner("no forget gate, 16 units", 16, false, false),
            ],
            initialisation: Initialisation {
                forget_bias: Some(1.0),
                ..Initialisation::default()
            },
            updates: 3000,
            batch: 16,
            window: 32,
            clip: Clip::Norm(1.0),
            measure_every: 100,
            test_streams: 4,
            test_letters: 10_000,
            held: vec![0.1, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999, 0.9997, 0.9999],
            held_seeds: 10,
            widths: vec![8, 16],
            gain: 1.0,
            noise: 0.5,
            trajectories: 8,
            steps: vec![10, 30, 100, 300, 1000],
        }
    }
}

impl Config {
    /// The numbers of letters after which c is looked at: 10, 30, 100 and so on.
    pub fn marks(&self) -> Vec<u64> {
        let mut marks = Vec::new();
        let mut ten = 10;
        while ten <= self.test_letters {
            marks.extend([ten, 3 * ten]);
            ten *= 10;
        }
        marks.retain(|m| *m <= self.test_letters);
        marks
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct LearningToForget;

impl Experiment for LearningToForget {
    type Config = Config;
    const NAME: &'static str = "learning-to-forget";
    const QUESTION: &'static str = "What does an LSTM need to forget for, and does a forget gate near 1 lose the far gradient?";
    const FIGURES: &'static [FigureSpec] = &[
        FigureSpec { name: "forget-gate-held", draw: figures::held },
        FigureSpec { name: "forget-stream", draw: figures::predicted },
        FigureSpec { name: "forget-cell-state", draw: figures::cell_state },
        FigureSpec { name: "forget-gates", draw: figures::gates },
    ];
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let sizes = [
            ("seeds", config.seeds, 1..=1000),
            ("updates", config.updates, 1..=10_000_000),
            ("batch", config.batch as u64, 1..=10_000),
            ("window", config.window as u64, 1..=100_000),
            ("measure_every", config.measure_every, 1..=10_000_000),
            ("test_streams", config.test_streams as u64, 1..=1000),
            ("test_letters", config.test_letters, 10..=1_000_000_000),
            ("held_seeds", config.held_seeds, 1..=1000),
            ("trajectories", config.trajectories as u64, 1..=10_000),
        ];
        for (field, value, range) in sizes {
            let rule =
                format!("it must be from {} to {}", range.start(), range.end());
            ConfigError::unless(range.contains(&value), field, value, &rule)?;
        }
        let learners = &config.learners;
        let keys: Vec<String> =
            learners.iter().map(|l| key_of(&l.name)).collect();
        let good = |l: &Learner| {
            !key_of(&l.name).is_empty()
                && (1..=4096).contains(&l.hidden)
                && l.learning_rate > 0.0
                && l.learning_rate <= 1e6
        };
        ConfigError::unless(
            !keys.is_empty() && unlike(&keys) && learners.iter().all(good),
            "learners",
            learners,
            "it must list at least one, their names all different, with 1 to 4096 units and a learning rate above 0",
        )?;
        for learner in learners {
            let layer = learner.network().layer;
            layer.check(&config.initialisation).map_err(|unfit| {
                ConfigError(format!("`initialisation`: {unfit}"))
            })?;
        }
        let held = &config.held;
        let within = |f: &f64| *f > 0.0 && *f < 1.0;
        ConfigError::unless(
            !held.is_empty() && ascending(held) && held.iter().all(within),
            "held",
            held,
            "it must list at least one number between 0 and 1, in ascending order",
        )?;
        let widths = &config.widths;
        let good = |h: &usize| (1..=1024).contains(h);
        ConfigError::unless(
            !widths.is_empty() && unlike(widths) && widths.iter().all(good),
            "widths",
            widths,
            "it must list widths from 1 to 1024, at least one, and each only once",
        )?;
        let steps = &config.steps;
        let within = |t: &usize| (1..=1_000_000).contains(t);
        ConfigError::unless(
            !steps.is_empty() && ascending(steps) && steps.iter().all(within),
            "steps",
            steps,
            "it must list at least one number from 1 to 1000000, in ascending order",
        )?;
        for (field, value) in [("gain", config.gain), ("noise", config.noise)] {
            ConfigError::unless(
                value > 0.0 && value <= 1e6,
                field,
                value,
                "it must be above 0 and at most 1000000",
            )?;
        }
        Ok(())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

fn ascending<T: PartialOrd>(of: &[T]) -> bool {
    of.windows(2).all(|pair| pair[0] < pair[1])
}

impl Recorded for LearningToForget {
    type Runs = All;
    fn runs(config: &Config) -> All {
        All { config: config.clone() }
    }
}

/// All runs: every learner of every seed, then the networks whose gate is held.
#[derive(Debug)]
pub struct All {
    config: Config,
}

/// What one run is of.
#[derive(Clone, Copy, Debug)]
enum Part<'a> {
    Stream(&'a Learner),
    Held(Kind),
}

/// Networks whose gate is held.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind {
    hidden: usize,
    /// Whether there are recurrent weights.
    coupled: bool,
}

impl Kind {
    /// What stands in keys.
    fn key(self) -> String {
        let Kind { hidden, coupled } = self;
        format!("{}_h{hidden}", if coupled { "coupled" } else { "alone" })
    }
}

impl Config {
    /// Units on their own are the same at every width.
    fn kinds(&self) -> Vec<Kind> {
        let coupled = |&hidden: &usize| Kind { hidden, coupled: true };
        let widest = self.widths.iter().copied().max().unwrap_or(1);
        let alone = Kind { hidden: widest, coupled: false };
        self.widths.iter().map(coupled).chain([alone]).collect()
    }

    fn all(&self) -> Vec<(Part<'_>, u64)> {
        let learners = self.learners.iter().flat_map(|learner| {
            (1..=self.seeds).map(move |seed| (Part::Stream(learner), seed))
        });
        let held = self.kinds().into_iter().flat_map(|kind| {
            (1..=self.held_seeds).map(move |seed| (Part::Held(kind), seed))
        });
        learners.chain(held).collect()
    }
}

/// A training, or a network whose gate is held.
pub type One<'a> = Either<Training<'a>, OneByOne<Holding<'a>>>;

/// What one run gave: a training; or a network, with its gate at one value after the other.
pub type Outcome = Either<Learnt, Vec<Held>>;

impl Runs for All {
    type Run<'a> = One<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let name = |(part, seed): (Part<'_>, u64)| match part {
            Part::Stream(learner) => format!("{} {seed}", learner.name),
            Part::Held(kind) => format!("held {} {seed}", kind.key()),
        };
        self.config.all().into_iter().map(name).collect()
    }
    fn units(&self, run: usize) -> u64 {
        match self.config.all()[run].0 {
            Part::Stream(_) => self.config.updates,
            Part::Held(_) => self.config.held.len() as u64,
        }
    }
    fn start(&self, run: usize) -> One<'_> {
        let (part, seed) = self.config.all()[run];
        // The streams depend on neither learner nor width.
        let rng = Rng::new(self.config.seed).stream(&format!("seed {seed}"));
        match part {
            Part::Stream(learner) => {
                Either::Left(Training::start(&self.config, learner, rng))
            }
            Part::Held(kind) => {
                let gain = if kind.coupled { self.config.gain } else { 0.0 };
                let weights = &mut rng.stream("held weights");
                let network = Clamped::draw(kind.hidden, gain, weights);
                let config = &self.config;
                Either::Right(OneByOne::new(Holding { config, rng, network }))
            }
        }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        report::summary(&self.config, outcomes)
    }
}

/// A network with its gate held at one value after the other.
#[derive(Debug)]
pub struct Holding<'a> {
    config: &'a Config,
    rng: Rng,
    network: Clamped,
}

impl Measure for Holding<'_> {
    type Found = Held;

    fn count(&self) -> usize {
        self.config.held.len()
    }
    fn measure(&mut self, number: usize) -> Held {
        let config = self.config;
        let probe = Probe {
            f: config.held[number],
            noise: config.noise,
            trajectories: config.trajectories,
            steps: &config.steps,
        };
        self.network.measure(&probe, &self.rng.stream("held"))
    }
}
