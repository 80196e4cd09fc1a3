//! Truncation and detaching: what does a network learn beyond the window that its gradient goes back?
//!
//! One lag and no shorter ones: a symbol in the first step is asked for after the last. Networks learn it by truncated
//! backpropagation through time, with windows of several lengths, with the state carried from window to window and
//! without. Beside them stands the LSTM of 1997, whose published gradient is truncated in another way, along all paths
//! but that of the cell state: its gradient is compared with the full one, block by block, and what both of them learn.
//!
//! A published recipe for truncated backpropagation that computes another gradient is reproduced: [`Recipe`].

mod claims;
mod figures;
mod recipe;
mod report;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Learnable, Learner, Lesson, Schedule, Standing};
use crate::protocol::Claim;
use crate::runs::{Recorded, Run, Runs, run_all};
use crate::tasks::{Batch, Latch, Task};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{Cell, Initialisation, Lstm1997, Network, RecurrentCell};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};
use longlag_report::Report;
use longlag_train::{Checkpoint, Truncation};
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, Range};

pub use recipe::{Recipe, chain_rule};

/// The config of [`TruncationAndDetaching`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// The task; all its sequences have the same length.
    pub task: Latch,
    /// H.
    pub widths: Vec<usize>,
    /// The lengths of windows, divisors of the sequences' length and less than it.
    pub windows: Vec<usize>,
    /// The window that claims are judged by, one of these.
    pub judged: usize,
    /// How networks are trained.
    pub training: Schedule,
    /// After how many updates the two gradients of 1997 are compared, besides the end.
    pub looks: Vec<u64>,
    /// Over so many sequences.
    pub probe: usize,
}

impl Default for Config {
    fn default() -> Self {
        let steps = 30;
        Config {
            seed: 1,
            seeds: 20,
            task: Latch {
                shortest: steps,
                longest: steps,
                signal: 1,
                noise_variance: 0.001,
                noisy_signal: false,
            },
            widths: vec![8, 16],
            windows: vec![3, 6, 15],
            judged: 6,
            training: Schedule {
                learning_rate: 1e-2,
                updates: 2000,
                test: 200,
                ..Schedule::default()
            },
            looks: vec![0, 50, 100, 200, 500],
            probe: 100,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct TruncationAndDetaching;

impl Experiment for TruncationAndDetaching {
    type Config = Config;
    const NAME: &'static str = "truncation-and-detaching";
    const QUESTION: &'static str = "What does a network learn beyond the window that its gradient goes back?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        config.task.check()?;
        config.training.check()?;
        let Config { task, widths, windows, judged, .. } = config;
        ConfigError::unless(
            task.shortest == task.longest,
            "task",
            task,
            "all its sequences must have the same length",
        )?;
        let counts = [
            ("seeds", config.seeds, 1000),
            ("probe", config.probe as u64, 10_000),
        ];
        for (field, value, most) in counts {
            let rule = format!("it must be from 1 to {most}");
            let good = (1..=most).contains(&value);
            ConfigError::unless(good, field, value, &rule)?;
        }
        ConfigError::unless(
            !widths.is_empty()
                && unlike(widths)
                && widths.iter().all(|h| (1..=1024).contains(h)),
            "widths",
            widths,
            "it must list different widths from 1 to 1024",
        )?;
        let steps = task.longest;
        let good = |&w: &usize| 0 < w && w < steps && steps.is_multiple_of(w);
        ConfigError::unless(
            windows.windows(2).all(|w| w[0] < w[1]) && windows.iter().all(good),
            "windows",
            windows,
            "it must list divisors of the sequences' length that are less, in ascending order",
        )?;
        ConfigError::unless(
            windows.contains(judged),
            "judged",
            judged,
            "it must be one of the windows",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// A network, and where it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The LSTM, forget biases of 1.
    Usual,
    /// The LSTM, chrono initialisation: from the start it keeps what it has.
    Chrono,
    /// The LSTM of 1997.
    Old,
}

/// Which gradient a network learns by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// That of windows of so many steps, the state carried from one to the next.
    Carried(usize),
    /// That of windows of so many steps, each begun with the state 0.
    Fresh(usize),
    /// All of it.
    Whole,
    /// That of 1997.
    Truncated,
}

/// A training but for its seed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Setting {
    hidden: usize,
    kind: Kind,
    by: By,
}

impl Setting {
    /// What facts of it begin with.
    fn key(self) -> String {
        let kind = match self.kind {
            Kind::Usual => "usual",
            Kind::Chrono => "chrono",
            Kind::Old => "old",
        };
        let by = match self.by {
            By::Carried(window) => format!("carried_{window}"),
            By::Fresh(window) => format!("fresh_{window}"),
            By::Whole => "whole".to_owned(),
            By::Truncated => "truncated".to_owned(),
        };
        format!("h{}_{kind}_{by}", self.hidden)
    }

    fn model(self, task: &Latch) -> Windowed {
        let cell = match self.kind {
            Kind::Usual | Kind::Chrono => Cell::Lstm,
            Kind::Old => old(self.by == By::Truncated),
        };
        let (window, carried) = match self.by {
            By::Carried(window) => (window, true),
            By::Fresh(window) => (window, false),
            By::Whole | By::Truncated => (task.longest, false),
        };
        let network =
            Network::new(cell, task.inputs(), self.hidden, task.outputs());
        Windowed { network, truncation: Truncation::every(window), carried }
    }

    fn start(self, task: &Latch) -> Initialisation {
        let usual = Initialisation::default();
        match self.kind {
            Kind::Usual => Initialisation { forget_bias: Some(1.0), ..usual },
            Kind::Chrono => {
                Initialisation { chrono: Some(task.longest as f64), ..usual }
            }
            Kind::Old => usual,
        }
    }
}

/// The cell of 1997, each in a block of its own.
fn old(truncated: bool) -> Cell {
    Cell::Lstm1997(Lstm1997 { block: 1, truncated })
}

// ANCHOR: windowed
/// A network that learns by truncated backpropagation through time.
#[derive(Clone, Debug)]
pub struct Windowed {
    /// The network.
    pub network: Network,
    /// How sequences are cut into windows.
    pub truncation: Truncation,
    /// Whether a window begins with the state of the one before; else with
    /// the state 0.
    pub carried: bool,
}

impl Windowed {
    /// What is answered after the last of the windows that `truncation`
    /// cuts. Between two windows no gradient flows.
    pub fn answer<'t, T: Float + Scalar>(
        &self,
        batch: &Batch,
        truncation: Truncation,
        parameters: &Bound<'t, '_, T>,
    ) -> Var<'t, T> {
        let Network { layer, head } = &self.network;
        let (tape, size) = (parameters.tape(), batch.lengths.len());
        let [rows, columns] = [batch.x.nrows(), batch.x.ncols()];
        let x = tape.constant_with(rows, columns, |to| {
            to.iter_mut().zip(&batch.x).for_each(|(to, &x)| *to = T::of(x))
        });
        let weights = layer.weights(parameters);
        let zero = layer.zero_state(tape, size);
        let (mut state, mut number) = (zero, 0);
        while let Some(window) = truncation.window(number, rows / size) {
            let start =
                if self.carried { state.map(Var::detach) } else { zero };
            let x = x.rows(window.steps.start * size..window.steps.end * size);
            state = layer.sequence(&weights, x, start).last;
            number += 1;
        }
        head.apply(parameters, state.h.columns(0..layer.output()))
    }
}

impl Learnable for Windowed {
    /// The network reads whole sequences when it is asked.
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        let steps = batch.x.nrows() / batch.lengths.len();
        self.answer(batch, Truncation::every(steps), parameters)
    }

    /// And windows when it learns.
    fn loss<'t>(
        &self,
        batch: &Batch,
        _: u64,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        batch.loss(self.answer(batch, self.truncation, parameters))
    }
}
// ANCHOR_END: windowed

/// The blocks of weights whose gradients are compared: of each gate those from the input, then of each those from the
/// units; and all of the layer.
pub const BLOCKS: [&str; 7] = [
    "i, input", "g, input", "o, input", "i, units", "g, units", "o, units",
    "all",
];

// ANCHOR: cosines
/// The cosines between the truncated gradient of 1997 and the full one, at
/// the same weights, for each of [`BLOCKS`].
pub fn cosines(
    hidden: usize,
    batch: &Batch,
    parameters: &Parameters<f64>,
) -> [f64; 7] {
    let gradient = |truncated: bool| -> Vec<f64> {
        let inputs = batch.x.ncols();
        let outputs = batch.target.ncols();
        let network = Network::new(old(truncated), inputs, hidden, outputs);
        let steps = batch.x.nrows() / batch.lengths.len();
        let truncation = Truncation::every(steps);
        let model = Windowed { network, truncation, carried: false };
        let tape = Tape::new();
        let bound = tape.bind(parameters);
        let loss = batch.loss(model.answer(batch, truncation, &bound));
        let gradients = loss.backward();
        gradients.of_parameters(&bound).to_vec()
    };
    let [cut, full] = [gradient(true), gradient(false)];
    let cell = old(true);
    let rows = |name: &str, gate: usize| -> Range<usize> {
        let span = parameters.span(name);
        let Range { start, end } = cell.gate_rows(gate, hidden);
        let [_, columns] = span.shape;
        span.start + start * columns..span.start + end * columns
    };
    let layer = parameters.spans().iter();
    let layer = layer.filter(|span| span.name.starts_with("rnn."));
    let all = layer.map(|span| span.range().end).max().expect("a layer");
    let block = |k: usize| match k {
        6 => 0..all,
        k => rows(["rnn.weight_ih_l0", "rnn.weight_hh_l0"][k / 3], k % 3),
    };
    std::array::from_fn(|k| cosine(&cut[block(k)], &full[block(k)]))
}
// ANCHOR_END: cosines

/// NaN if one of them is 0.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    };
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    // A NaN has the same bits on every processor.
    if cosine.is_nan() { f64::NAN } else { cosine }
}

/// All trainings.
#[derive(Debug)]
pub struct Trainings {
    config: Config,
    settings: Vec<Setting>,
    test: Batch,
}

impl Recorded for TruncationAndDetaching {
    type Runs = Trainings;
    fn runs(config: &Config) -> Trainings {
        let mut settings = vec![];
        for &hidden in &config.widths {
            for kind in [Kind::Usual, Kind::Chrono] {
                let by = |by| Setting { hidden, kind, by };
                for &window in &config.windows {
                    settings.push(by(By::Carried(window)));
                    settings.push(by(By::Fresh(window)));
                }
                settings.push(by(By::Whole));
            }
            for by in [By::Whole, By::Truncated] {
                settings.push(Setting { hidden, kind: Kind::Old, by });
            }
        }
        let mut rng = Rng::new(config.seed).stream("test");
        let test = config.task.batch(config.training.test, &mut rng);
        Trainings { settings, test, config: config.clone() }
    }
}

impl Runs for Trainings {
    type Run<'a> = Training<'a>;
    type Outcome = Trained;

    fn names(&self) -> Vec<String> {
        let seeds = self.config.seeds;
        let name = |setting: &Setting| {
            let key = setting.key();
            (1..=seeds).map(move |seed| format!("{key} {seed}"))
        };
        self.settings.iter().flat_map(name).collect()
    }
    fn units(&self, _: usize) -> u64 {
        self.config.training.updates
    }
    fn start(&self, run: usize) -> Training<'_> {
        let Config { seed, seeds, task, training, .. } = &self.config;
        let seeds = *seeds as usize;
        let (setting, number) = (self.settings[run / seeds], run % seeds + 1);
        let rng = Rng::new(*seed).stream(&format!("seed {number}"));
        let model = setting.model(task);
        let start = setting.start(task);
        let weights = model.network.parameters(&start, &rng.stream("weights"));
        let budget = training.budget();
        let lesson = Lesson { task, test: &self.test, budget };
        let batches = rng.stream("batches");
        let trainer = training.trainer();
        let learner = Learner::new(lesson, model, &trainer, weights, batches);
        let probe = (setting.kind == Kind::Old)
            .then(|| task.batch(self.config.probe, &mut rng.stream("probe")));
        let config = &self.config;
        let mut training = Training { config, learner, probe, looks: vec![] };
        training.look();
        training
    }
    fn report(&self, outcomes: &[Trained]) -> Report {
        self.summary(outcomes)
    }
}

/// A training.
#[derive(Debug)]
pub struct Training<'a> {
    config: &'a Config,
    learner: Learner<'a, Windowed>,
    /// By what the gradients of 1997 are compared.
    probe: Option<Batch>,
    looks: Vec<Look>,
}

/// The two gradients of 1997 compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// After how many updates.
    pub update: u64,
    /// Their [`cosines`].
    pub cosines: [f64; 7],
}

/// What a training gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// How many updates it took, or was given.
    pub updates: u64,
    /// How it stands.
    pub standing: Standing,
    /// Of a network of 1997, the gradients compared, at the end last.
    pub looks: Vec<Look>,
}

impl Training<'_> {
    fn look(&mut self) {
        let Some(probe) = &self.probe else { return };
        let Learner { trainer, model, .. } = &self.learner;
        let parameters = trainer.parameters.map(f64::from);
        let hidden = model.network.layer.hidden;
        let cosines = cosines(hidden, probe, &parameters);
        self.looks.push(Look { update: trainer.updates(), cosines });
    }
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Standing, Vec<Look>);
    type Outcome = Trained;

    fn advance(&mut self) -> ControlFlow<()> {
        let ends = self.learner.update();
        let due = self.config.looks.contains(&self.learner.updates());
        if ends.is_break() || due {
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
    fn outcome(&self) -> Trained {
        Trained {
            updates: self.learner.updates(),
            standing: self.learner.standing,
            looks: self.looks.clone(),
        }
    }
}
