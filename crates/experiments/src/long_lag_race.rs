//! The long-lag race, first lap: who learns tasks whose answer lies a long way back, up to which lag, and how soon?
//!
//! Networks of nearly equal numbers of parameters learn the adding problem at several lengths, each until it has
//! solved it or its updates are spent: plain networks by three starts, LSTMs by two, a GRU. At one length
//! relatives run beside them, which add to their state without gates or have gates of one kind only, and the same
//! contenders with equal numbers of units. Temporal order and copying are raced over at one length each.
//!
//! Beside them stands what is reached without training a memory: constant answers, those from one of the two
//! numbers, networks with frozen recurrent weights, guessed weights.

mod claims;
mod figures;
mod report;

pub use report::Fits;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Budget, adam};
use crate::protocol::Claim;
use crate::runs::{Either, Measure, OneByOne, Recorded, Runs, run_all};
use crate::summary::key_of;
use crate::tasks::{
    Adding, Batch, Copying, Definition, Guesses, Task, TaskConfig,
    TemporalOrder, frozen, guess,
};
use crate::trials::{self, Trial, TrialRun, Trials, Tried};
use longlag_cells::init::Init;
use longlag_cells::{
    Cell, Forget, Initialisation, LeakyRnn, LstmParts, Network, SkipRnn,
};
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use longlag_report::Report;
use serde::{Deserialize, Serialize};

/// The config of [`LongLagRace`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times each network is trained.
    pub seeds: u64,
    /// The number of parameters that each network comes as near to as its H allows.
    pub parameters: usize,
    /// Who races over all lengths and tasks.
    pub contenders: Vec<Contender>,
    /// T of the adding problem.
    pub lengths: Vec<usize>,
    /// Who races at one length only.
    pub relatives: Vec<Contender>,
    /// Which. There the contenders also race with equal numbers of units.
    pub decisive: usize,
    /// T of temporal order.
    pub order: usize,
    /// Copying problems, of different numbers of symbols.
    pub copying: Vec<Copying>,
    /// How long each training is.
    pub budget: Budget,
}

/// A network that races.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contender {
    /// What it is called.
    pub name: String,
    /// The cell.
    pub cell: Cell,
    /// How the recurrent layer's parameters start.
    #[serde(default)]
    pub start: Initialisation,
    /// Whether chrono initialisation starts its gates for the length of the sequences.
    #[serde(default)]
    pub chrono: bool,
    /// Adam's.
    pub learning_rate: f64,
}

impl Contender {
    pub(crate) fn new(name: &str, cell: Cell, learning_rate: f64) -> Contender {
        let start = Initialisation::default();
        let name = name.to_owned();
        Contender { name, cell, start, chrono: false, learning_rate }
    }

    /// With another start of the weights from the state, and biases 0.
    fn from(mut self, recurrent: Init) -> Contender {
        self.start = Initialisation {
            recurrent,
            bias: Init::Zero,
            ..Initialisation::default()
        };
        self
    }

    pub(crate) fn forget_bias(mut self, bias: f64) -> Contender {
        self.start.forget_bias = Some(bias);
        self
    }

    pub(crate) fn chrono(self) -> Contender {
        Contender { chrono: true, ..self }
    }

    // ANCHOR: trial
    /// Its training on a task with so many units.
    pub(crate) fn trial(
        &self,
        name: String,
        task: TaskConfig,
        hidden: usize,
        budget: Budget,
    ) -> Trial {
        let mut start = self.start;
        if self.chrono {
            start.chrono = Some(*task.task().lengths().start() as f64);
        }
        Trial {
            name,
            task,
            cell: self.cell,
            hidden,
            start,
            trainer: adam(self.learning_rate, Clip::Norm(1.0)),
            budget,
        }
    }
    // ANCHOR_END: trial
}

/// An LSTM with nothing of it but the carousel: c_t = c_{t−1} + tanh(…), h_t = tanh(c_t).
const BARE: LstmParts = LstmParts {
    input_gate: false,
    forget: Forget::Never,
    output_gate: false,
    input_activation: true,
    output_activation: true,
    peepholes: false,
};
/// The LSTM without its forget gate: c_t = c_{t−1} + i g.
const NEVER: LstmParts = LstmParts {
    input_gate: true,
    forget: Forget::Never,
    output_gate: true,
    ..BARE
};

impl Default for Config {
    fn default() -> Self {
        let new = Contender::new;
        let (orthogonal, identity) =
            (Init::Orthogonal { gain: 1.0 }, Init::Identity { scale: 1.0 });
        Config {
            seed: 1,
            seeds: 20,
            parameters: 1300,
            contenders: vec![
                new("RNN", Cell::RnnTanh, 1e-2),
                new("RNN, orthogonal", Cell::RnnTanh, 3e-3).from(orthogonal),
                new("IRNN", Cell::RnnRelu, 3e-3).from(identity),
                new("LSTM", Cell::Lstm, 3e-3).forget_bias(1.0),
                new("LSTM, chrono", Cell::Lstm, 1e-2).chrono(),
                new("GRU", Cell::Gru, 1e-2),
            ],
            lengths: vec![10, 15, 20, 30, 50, 100, 200, 400],
            relatives: vec![
                new("leak 1/10", Cell::LeakyRnn(LeakyRnn::new(0.1)), 3e-3),
                new("leak 1/100", Cell::LeakyRnn(LeakyRnn::new(0.01)), 3e-3),
                new("skip", Cell::SkipRnn(SkipRnn { steps: 1 }), 3e-3),
                new("carousel alone", Cell::LstmVariant(BARE), 3e-3),
                new("no forget gate", Cell::LstmVariant(NEVER), 3e-3),
                new("JANET, chrono", Cell::Janet, 1e-2).chrono(),
                new("minGRU", Cell::MinGru, 1e-2),
            ],
            decisive: 100,
            order: 100,
            copying: vec![
                Copying { steps: 10, symbols: 10 },
                Copying { steps: 20, symbols: 1 },
            ],
            budget: Budget { updates: 1500, ..Budget::default() },
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct LongLagRace;

impl Experiment for LongLagRace {
    type Config = Config;
    const NAME: &'static str = "long-lag-race";
    const QUESTION: &'static str =
        "Up to which lag does each network learn, and how soon?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("parameters", config.parameters, 20, 100_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let lengths = &config.lengths;
        ConfigError::unless(
            !lengths.is_empty() && lengths.windows(2).all(|t| t[0] < t[1]),
            "lengths",
            lengths,
            "it must list lengths in ascending order",
        )?;
        ConfigError::unless(
            lengths.contains(&config.decisive),
            "decisive",
            config.decisive,
            "it must be one of `lengths`",
        )?;
        let copied: Vec<usize> =
            config.copying.iter().map(|task| task.symbols).collect();
        let rule = "each must have its own number of symbols";
        ConfigError::unless(unlike(&copied), "copying", &copied, rule)?;
        let contenders: Vec<&str> =
            config.contenders.iter().map(|c| &*c.name).collect();
        let needed = claims::NEEDED;
        let rule =
            format!("it must have {needed:?}, by which claims are judged");
        let good = needed.iter().all(|name| contenders.contains(name));
        ConfigError::unless(good, "contenders", &contenders, &rule)?;
        let all = config.contenders.iter().chain(&config.relatives);
        let keys: Vec<String> = all.map(|c| key_of(&c.name)).collect();
        ConfigError::unless(
            unlike(&keys),
            "contenders",
            &keys,
            "no two may have the same letters and digits in their names",
        )?;
        trials::check(&config.trials())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

impl Config {
    // ANCHOR: adding
    /// The adding problem of 2013, whose right answers are off by less
    /// than .2.
    fn adding(&self, steps: usize) -> TaskConfig {
        let paper = Definition::Pascanu2013;
        TaskConfig::Adding(Adding { definition: paper, success: paper, steps })
    }
    // ANCHOR_END: adding

    fn order(&self) -> TaskConfig {
        let definition = Definition::Pascanu2013;
        let steps = self.order;
        TaskConfig::TemporalOrder(TemporalOrder {
            definition,
            symbols: 2,
            steps,
        })
    }

    /// The network of a contender at the matched number of parameters.
    fn network(&self, contender: &Contender, task: &dyn Task) -> Network {
        let (inputs, outputs) = (task.inputs(), task.outputs());
        Network::of_size(contender.cell, inputs, outputs, self.parameters)
    }

    /// All trainings, the longest sequences first.
    fn trials(&self) -> Vec<Trial> {
        let mut all = vec![];
        let mut add = |of: &Contender, what: &str, task: TaskConfig, hidden| {
            let name = format!("{}, {what}", of.name);
            all.push(of.trial(name, task, hidden, self.budget));
        };
        let matched = |of: &Contender, task: TaskConfig| {
            self.network(of, task.task()).layer.hidden
        };
        for &steps in self.lengths.iter().rev() {
            let (task, what) = (self.adding(steps), format!("adding {steps}"));
            for of in &self.contenders {
                add(of, &what, task, matched(of, task));
            }
        }
        let task = self.adding(self.decisive);
        for of in &self.relatives {
            add(
                of,
                &format!("adding {}", self.decisive),
                task,
                matched(of, task),
            );
        }
        let lstm = self.contenders.iter().find(|c| c.name == claims::LSTM);
        let units = matched(lstm.expect("it races"), task);
        for of in self.contenders.iter().filter(|c| matched(c, task) != units) {
            add(of, "equal units", task, units);
        }
        let mut others = vec![("order".to_owned(), self.order())];
        for &task in &self.copying {
            let what = format!("copying {}", task.symbols);
            others.push((what, TaskConfig::Copying(task)));
        }
        for (what, task) in others {
            for of in &self.contenders {
                add(of, &what, task, matched(of, task));
            }
        }
        all
    }
}

/// All runs: first, for each seed, what needs no training, then the trainings.
#[derive(Debug)]
pub struct Race {
    config: Config,
    trials: Trials,
    /// The adding problem's test sequences, one batch for each length.
    tests: Vec<Batch>,
}

impl Recorded for LongLagRace {
    type Runs = Race;
    fn runs(config: &Config) -> Race {
        let rng = Rng::new(config.seed);
        let test = |&steps: &usize| {
            let task = config.adding(steps);
            task.task().batch(SEQUENCES, &mut rng.stream("frozen"))
        };
        Race {
            tests: config.lengths.iter().map(test).collect(),
            trials: Trials::new(config.trials(), config.seeds, 0, rng.clone()),
            config: config.clone(),
        }
    }
}

impl Runs for Race {
    type Run<'a> = Either<OneByOne<Untrained<'a>>, TrialRun<'a>>;
    type Outcome = Either<Vec<f64>, Tried>;

    fn names(&self) -> Vec<String> {
        let untrained =
            (1..=self.config.seeds).map(|seed| format!("untrained {seed}"));
        untrained.chain(self.trials.names()).collect()
    }
    fn units(&self, run: usize) -> u64 {
        match run.checked_sub(self.config.seeds as usize) {
            None => self.untrained(run).count() as u64,
            Some(run) => self.trials.units(run),
        }
    }
    fn start(&self, run: usize) -> Self::Run<'_> {
        match run.checked_sub(self.config.seeds as usize) {
            None => Either::Left(OneByOne::new(self.untrained(run))),
            Some(run) => Either::Right(self.trials.start(run)),
        }
    }
    fn report(&self, outcomes: &[Self::Outcome]) -> Report {
        let untrained: Vec<&Vec<f64>> =
            outcomes.iter().filter_map(Either::left).collect();
        let tried: Vec<Tried> =
            outcomes.iter().filter_map(Either::right).copied().collect();
        self.summary(&untrained, &tried)
    }
}

/// So many sequences a frozen network's read-out is fitted to, and as many it is asked.
const SEQUENCES: usize = 300;
/// After so many guesses weights are no longer guessed.
const GUESSES: u64 = 1000;

impl Race {
    fn untrained(&self, run: usize) -> Untrained<'_> {
        let rng = Rng::new(self.config.seed);
        let rng = rng.stream(&format!("seed {}", run + 1));
        Untrained { race: self, rng }
    }

    /// Whose weights are guessed on what: the contenders in the shortest of each task.
    fn guessed(&self) -> Vec<TaskConfig> {
        let Config { lengths, .. } = &self.config;
        vec![self.config.adding(lengths[0]), self.config.order()]
    }
}

/// What a seed's networks reach without training their memory: the shares that they answer rightly at each length
/// with frozen recurrent weights, contender by contender, and then how many guesses solve a task.
#[derive(Debug)]
pub struct Untrained<'a> {
    race: &'a Race,
    rng: Rng,
}

impl Measure for Untrained<'_> {
    type Found = f64;

    fn count(&self) -> usize {
        let Config { lengths, contenders, .. } = &self.race.config;
        lengths.len() * contenders.len() + self.race.guessed().len()
    }
    fn measure(&mut self, number: usize) -> f64 {
        let Config { lengths, contenders, .. } = &self.race.config;
        let of = contenders.len();
        if number < lengths.len() * of {
            self.frozen(number / of, &contenders[number % of])
        } else {
            self.guess(self.race.guessed()[number - lengths.len() * of])
        }
    }
}

impl Untrained<'_> {
    fn frozen(&self, length: usize, of: &Contender) -> f64 {
        let config = &self.race.config;
        let task = config.adding(config.lengths[length]);
        let network = config.network(of, task.task());
        let trial =
            of.trial(String::new(), task, network.layer.hidden, config.budget);
        let at = network.parameters(&trial.start, &self.rng.stream("weights"));
        let mut known = self.rng.stream("known");
        let known = task.task().batch(SEQUENCES, &mut known);
        let asked = &self.race.tests[length];
        let answers = frozen(&network.layer, &at, &known, asked);
        let right = asked.right(answers.view());
        right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
    }

    /// How many guesses it took; infinite if none was right.
    fn guess(&self, task: TaskConfig) -> f64 {
        let config = &self.race.config;
        let of = config.contenders.iter().find(|c| c.name == claims::LSTM);
        let network = config.network(of.expect("it races"), task.task());
        let rng = self.rng.stream("guesses");
        let guesses = Guesses::of_2001(GUESSES);
        let found = guess(task.task(), &network, guesses, &rng);
        found.map_or(f64::INFINITY, |guesses| guesses as f64)
    }
}
