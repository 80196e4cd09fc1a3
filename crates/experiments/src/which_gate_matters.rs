//! Which gate matters? What becomes of learning when the LSTM lacks a part, and when another cell stands in its place.
//!
//! Networks with equal numbers of units learn the adding problem and temporal order: the plain network, the LSTM, LSTMs
//! without one part or with one more, and relatives with fewer gates. Of each it is counted who solves the task and
//! after how many updates; and by one probe for all, how the derivative of its state by an earlier one grows, at
//! the start and at the end.

use crate::experiment::{ConfigError, Experiment, FigureSpec, Progress};
use crate::learner::Budget;
use crate::long_lag_race::Contender;
use crate::protocol::{
    CONFIDENCE, Claim, Contrast, Prediction, SEEDS, SUCCESS_MARGIN,
    clopper_pearson,
};
use crate::runs::{Recorded, Runs, run_all};
use crate::summary::{add_claims, key_of};
use crate::tasks::{Adding, Definition, TaskConfig, TemporalOrder};
use crate::trials::{self, TrialRun, Trials, Tried, solved_pairs, tried};
use longlag_cells::{Cell, Forget, LstmParts};
use longlag_numerics::random::Rng;
use longlag_probe::statistics::median;
use longlag_report::figure::{Axis, DotChart, DotRow, Figure, Ink, Marker};
use longlag_report::{LookupError, Report};
use serde::{Deserialize, Serialize};

/// The config of [`WhichGateMatters`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times each network is trained on each task.
    pub seeds: u64,
    /// H of all.
    pub hidden: usize,
    /// Who learns.
    pub networks: Vec<Contender>,
    /// T of the adding problem.
    pub adding: usize,
    /// T of temporal order.
    pub order: usize,
    /// How long each training is.
    pub budget: Budget,
    /// Growth is measured along so many sequences.
    pub probes: usize,
}

/// Whom claims are judged by.
const RNN: &str = "RNN";
const LSTM: &str = "LSTM";
const GRU: &str = "GRU";
const NO_FORGET: &str = "no forget gate";
const OTHERS: [&str; 2] = ["no input gate", "no output gate"];
const NEEDED: [&str; 6] = [RNN, LSTM, GRU, NO_FORGET, OTHERS[0], OTHERS[1]];

/// The tasks, as they are called in names and in figures.
const TASKS: [(&str, &str); 2] =
    [("adding", "adding problem"), ("order", "temporal order")];

// ANCHOR: parts
/// The LSTM with a change.
fn lstm(change: impl FnOnce(&mut LstmParts)) -> Cell {
    let mut parts = LstmParts::default();
    change(&mut parts);
    Cell::LstmVariant(parts)
}

/// The LSTM, and LSTMs that lack one part or have one more.
fn lstms() -> Vec<(&'static str, Cell)> {
    vec![
        (LSTM, Cell::Lstm),
        (OTHERS[0], lstm(|parts| parts.input_gate = false)),
        (NO_FORGET, lstm(|parts| parts.forget = Forget::Never)),
        (OTHERS[1], lstm(|parts| parts.output_gate = false)),
        ("coupled gates", lstm(|parts| parts.forget = Forget::Coupled)),
        ("no input tanh", lstm(|parts| parts.input_activation = false)),
        ("no output tanh", lstm(|parts| parts.output_activation = false)),
        ("peepholes", lstm(|parts| parts.peepholes = true)),
    ]
}
// ANCHOR_END: parts

impl Default for Config {
    fn default() -> Self {
        let new = Contender::new;
        let mut networks = vec![new(RNN, Cell::RnnTanh, 3e-3)];
        let lstms = lstms().into_iter();
        networks
            .extend(lstms.map(|(name, cell)| new(name, cell, 1e-2).chrono()));
        networks.extend([
            new("JANET", Cell::Janet, 1e-2).chrono(),
            new(GRU, Cell::Gru, 1e-2),
            new("GRU, reset before", Cell::GruResetBefore, 1e-2),
            new("MGU", Cell::Mgu, 1e-2),
        ]);
        Config {
            seed: 1,
            seeds: 20,
            hidden: 16,
            networks,
            adding: 50,
            order: 50,
            budget: Budget { updates: 1500, ..Budget::default() },
            probes: 3,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct WhichGateMatters;

impl Experiment for WhichGateMatters {
    type Config = Config;
    const NAME: &'static str = "which-gate-matters";
    const QUESTION: &'static str =
        "Which of the LSTM's gates does learning need?";
    const FIGURES: &'static [FigureSpec] = &[
        FigureSpec { name: "which-gate-matters-success", draw: success },
        FigureSpec { name: "which-gate-matters-growth", draw: growth },
    ];
    const CLAIMS: &'static [Claim] = CLAIMS;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts =
            [("seeds", config.seeds as usize), ("probes", config.probes)];
        for (field, value) in counts {
            let good = (1..=1_000).contains(&value);
            let rule = "it must be from 1 to 1000";
            ConfigError::unless(good, field, value, rule)?;
        }
        let names: Vec<&str> =
            config.networks.iter().map(|n| &*n.name).collect();
        let rule =
            format!("it must have {NEEDED:?}, by which claims are judged");
        let good = NEEDED.iter().all(|name| names.contains(name));
        ConfigError::unless(good, "networks", &names, &rule)?;
        trials::check(&config.trials())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

impl Config {
    /// The tasks, in the order of [`TASKS`], by the definitions of 2013.
    fn tasks(&self) -> [TaskConfig; 2] {
        let definition = Definition::Pascanu2013;
        let success = definition;
        let (steps, symbols) = (self.adding, 2);
        let adding = Adding { definition, success, steps };
        let steps = self.order;
        let order = TemporalOrder { definition, symbols, steps };
        [TaskConfig::Adding(adding), TaskConfig::TemporalOrder(order)]
    }

    fn trials(&self) -> Vec<trials::Trial> {
        let of = |(task, (what, _)): (TaskConfig, (&'static str, &str))| {
            self.networks.iter().map(move |network| {
                let name = format!("{}, {what}", network.name);
                network.trial(name, task, self.hidden, self.budget)
            })
        };
        self.tasks().into_iter().zip(TASKS).flat_map(of).collect()
    }
}

/// All trainings.
#[derive(Debug)]
pub struct Trainings {
    config: Config,
    trials: Trials,
}

impl Recorded for WhichGateMatters {
    type Runs = Trainings;
    fn runs(config: &Config) -> Trainings {
        let rng = Rng::new(config.seed);
        let Config { seeds, probes, .. } = *config;
        let trials = Trials::new(config.trials(), seeds, probes, rng);
        Trainings { trials, config: config.clone() }
    }
}

impl Runs for Trainings {
    type Run<'a> = TrialRun<'a>;
    type Outcome = Tried;

    fn names(&self) -> Vec<String> {
        self.trials.names()
    }
    fn units(&self, run: usize) -> u64 {
        self.trials.units(run)
    }
    fn start(&self, run: usize) -> TrialRun<'_> {
        self.trials.start(run)
    }
    fn report(&self, outcomes: &[Tried]) -> Report {
        let mut report = Report::new(WhichGateMatters::NAME, &self.config);
        self.trials.add_to(&mut report, outcomes);
        let columns = ["network", "parameters", "learning rate"];
        let table = report.table("networks", columns);
        for (network, trial) in
            self.config.networks.iter().zip(&self.trials.trials)
        {
            let size = trial.network().size();
            table.row((&*network.name, size, network.learning_rate));
        }
        add_claims(&mut report, CLAIMS).expect("all is there");
        report
    }
}

// ANCHOR: claims
const CLAIMS: &[Claim] = &[
    Claim::measured(
        "A12",
        "Variants of the LSTM such as the GRU help too.",
        "success of the GRU less that of the RNN, equal numbers of units, on each task",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, &[(GRU, RNN)]),
    ),
    Claim::measured(
        "A12, as well",
        "The GRU learns as well as the LSTM.",
        "success of the GRU less that of the LSTM, equal numbers of units, on each task",
        Prediction::Within(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, &[(GRU, LSTM)]),
    ),
    Claim::measured(
        "A12, forget gate",
        "Of the LSTM's gates the forget gate matters most.",
        "success without input gate, and without output gate, less that without forget gate, on each task",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| contrasts(report, &OTHERS.map(|other| (other, NO_FORGET))),
    ),
];

/// The difference of success for each pair on each task.
fn contrasts(
    report: &Report,
    pairs: &[(&str, &str)],
) -> Result<Vec<Contrast>, LookupError> {
    let mut all = vec![];
    for (what, task) in TASKS {
        for (first, second) in pairs {
            let [a, b] = [first, second].map(|name| key(name, what));
            let solved = solved_pairs(report, &a, &b)?;
            let condition = format!("{first} less {second}, {task}");
            all.push(Contrast::of_successes(condition, &solved));
        }
    }
    Ok(all)
}
// ANCHOR_END: claims

fn key(network: &str, task: &str) -> String {
    key_of(&format!("{network}, {task}"))
}

/// The config that a report was computed with.
fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

fn success(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = DotChart::new(
        "Share of trainings that solve the adding problem and temporal order, with its interval, for the plain \
         network, the LSTM, LSTMs without a part or with one more, and relatives.",
        Axis::linear("Trainings that solve the task")
            .ticks([0.0, 0.5, 1.0])
            .range(0.0, 1.0)
            .percent(),
    );
    for (what, task) in TASKS {
        chart = chart.group(task);
        for network in config(report).networks {
            let tried = tried(report, &key(&network.name, what))?;
            let solved = tried.iter().filter(|t| t.solved).count();
            let n = tried.len();
            let share = clopper_pearson(solved, n, CONFIDENCE);
            let row = DotRow::new(&*network.name)
                .dots(Marker::Disc, [solved as f64 / n as f64])
                .interval(share.low, share.high)
                .note(format!("{solved} of {n}"))
                .ink(ink(&network));
            chart = chart.row(row);
        }
    }
    Ok(chart.figure())
}

/// The LSTM and what is made of it in one ink.
fn ink(network: &Contender) -> Ink {
    match network.cell {
        Cell::RnnTanh => Ink::Orange,
        Cell::Lstm | Cell::LstmVariant(_) => Ink::Blue,
        _ => Ink::Green,
    }
}

fn growth(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = DotChart::new(
        "Growth of the derivative of the state by the first one along sequences of the adding problem, of each \
         training at the start and at the end.",
        Axis::linear("Growth, decades per 100 steps"),
    )
    .legend(Marker::Ring, "at the start (median)")
    .legend(Marker::Disc, "at the end, each training")
    .reference("neither", 0.0);
    let (what, _) = TASKS[0];
    for network in config(report).networks {
        let tried = tried(report, &key(&network.name, what))?;
        let finite = |k: usize| -> Vec<f64> {
            let of = tried.iter().map(|t| t.growth[k]);
            of.filter(|g| g.is_finite()).collect()
        };
        let [start, end] = [finite(0), finite(1)];
        let row = DotRow::new(&*network.name)
            .dots(Marker::Ring, [median(&start)])
            .dots(Marker::Disc, end)
            .ink(ink(&network));
        chart = chart.row(row);
    }
    Ok(chart.figure())
}
