//! Does batch normalisation help?
//!
//! First the growth of a gradient in untrained networks, over the gains γ_h and γ_x of the two normalised sums, over the
//! input and over eps, with layer normalisation and no normalisation beside it. Then networks with and without are
//! trained.
//!
//! The key decision: **a gradient is followed in the whole batch at once.** Where a batch is normalised, its sequences
//! depend on one another, so that the state is that of all of them, (B, S), and a tangent is a displacement of all. For
//! networks without it that is the root mean square over sequences.

mod claims;
mod figures;
mod report;

use crate::digits::Digits;
use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Budget, Learnable, Learner, Lesson, Standing, adam};
use crate::lstm_paths::input_of;
use crate::protocol::Claim;
use crate::runs::{Either, Measure, OneByOne, Recorded, Run, Runs, run_all};
use crate::tasks::{Batch, Definition, Task, TaskConfig, TemporalOrder};
use crate::trials::{Trial, Trials, Tried, check};
use longlag_autodiff::{Bound, Var};
use longlag_cells::normalisation::{
    NormWeights, NormalisedCell, RecurrentBatchNorm, Statistics,
};
use longlag_cells::{Cell, Initialisation, Network, RecurrentCell, State};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar, slice};
use longlag_optim::Clip;
use longlag_probe::{ComposedStep, OnTape, RecurrentStep};
use longlag_report::Report;
use longlag_train::Checkpoint;
use ndarray::{Array2, Array3, ArrayView3};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG10_E;
use std::ops::ControlFlow;

/// The config of [`Normalisation`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each kind.
    pub seeds: u64,
    /// H. All is measured at the first, what is claimed of the start at all of them.
    pub widths: Vec<usize>,
    /// B: the sequences that are normalised together in a measurement.
    pub sequences: usize,
    /// Steps before a measurement.
    pub burn_in: usize,
    /// Steps of a measurement.
    pub steps: usize,
    /// The gains, of either sum.
    pub gammas: Vec<f64>,
    /// What is added to variances.
    pub eps: Vec<f64>,
    /// What is learnt.
    pub task: TemporalOrder,
    /// For how long.
    pub budget: Budget,
    /// What learns it.
    pub learners: Vec<LearnerConfig>,
}

/// A network that is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerConfig {
    /// What it is called.
    pub name: String,
    /// The cell: `rnn-tanh` or `lstm`, batch-normalised if there is a gain; or any other.
    pub cell: Cell,
    /// Where γ_h and γ_x start.
    #[serde(default)]
    pub gamma: Option<f64>,
    /// The learning rate.
    pub learning_rate: f64,
}

/// The learning rates that were tried with each network: with three networks of another seed. Each has the one with the
/// largest share of right answers in the end, and of those within a hundredth the one that took the fewest updates.
pub const LEARNING_RATES: [f64; 3] = [1e-3, 3e-3, 1e-2];

/// The networks that the claim on training compares.
pub const WITHOUT: &str = "LSTM";
/// As published: γ from 0.1.
pub const WITH: &str = "LSTM, batch norm 0.1";

impl Default for Config {
    fn default() -> Self {
        let learner = |name: &str, cell, gamma, learning_rate| LearnerConfig {
            name: name.into(),
            cell,
            gamma,
            learning_rate,
        };
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![16, 32],
            sequences: 20,
            burn_in: 10,
            steps: 40,
            gammas: vec![0.01, 0.03, 0.1, 0.3, 1.0, 3.0],
            eps: vec![1e-8, 1e-5, 1e-2],
            task: TemporalOrder {
                definition: Definition::Pascanu2013,
                symbols: 2,
                steps: 60,
            },
            budget: Budget { updates: 400, ..Budget::default() },
            learners: vec![
                learner(WITHOUT, Cell::Lstm, None, 3e-3),
                learner(WITH, Cell::Lstm, Some(0.1), 1e-2),
                learner("LSTM, batch norm 1", Cell::Lstm, Some(1.0), 1e-2),
                learner("LSTM, layer norm", Cell::LayerNormLstm, None, 1e-2),
                learner("RNN", Cell::RnnTanh, None, 3e-3),
                learner("RNN, batch norm 0.1", Cell::RnnTanh, Some(0.1), 1e-2),
            ],
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation;

impl Experiment for Normalisation {
    type Config = Config;
    const NAME: &'static str = "normalisation";
    const QUESTION: &'static str = "Does batch normalisation help?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let Config { widths, gammas, eps, learners, .. } = config;
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("sequences", config.sequences, 2, 1_000),
            ("burn_in", config.burn_in, 0, 10_000),
            ("steps", config.steps, 1, 10_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        ConfigError::unless(
            !widths.is_empty()
                && unlike(widths)
                && widths.iter().all(|h| (1..=1024).contains(h)),
            "widths",
            widths,
            "it must list different widths from 1 to 1024",
        )?;
        let positive = |x: &f64| (1e-12..=1e6).contains(x);
        ConfigError::unless(
            gammas.contains(&1.0)
                && gammas.windows(2).all(|g| g[0] < g[1])
                && gammas.iter().all(positive),
            "gammas",
            gammas,
            "it must list gains in ascending order, with 1, which a claim is about",
        )?;
        ConfigError::unless(
            !eps.is_empty() && unlike(eps) && eps.iter().all(positive),
            "eps",
            eps,
            "it must list different numbers from 1e-12 to 1000000",
        )?;
        ConfigError::unless(
            config.task.definition == Definition::Pascanu2013,
            "task",
            config.task,
            "all its sequences must have the same length, as in 2013",
        )?;
        let names: Vec<&str> = learners.iter().map(|l| &l.name[..]).collect();
        ConfigError::unless(
            [WITH, WITHOUT].iter().all(|name| names.contains(name)),
            "learners",
            &names,
            "the claims need \"LSTM\" and \"LSTM, batch norm 0.1\"",
        )?;
        for LearnerConfig { cell, gamma, .. } in learners {
            let good = gamma.as_ref().is_none_or(positive)
                && (gamma.is_none() || normalised(*cell).is_some());
            let rule =
                "it must be positive, and only RNN and LSTM are normalised so";
            ConfigError::unless(good, "gamma", gamma, rule)?;
        }
        check(&trials(config))
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// The trainings, but for the normalisation of a batch.
fn trials(config: &Config) -> Vec<Trial> {
    let trial = |learner: &LearnerConfig| Trial {
        name: learner.name.clone(),
        task: TaskConfig::TemporalOrder(config.task),
        cell: learner.cell,
        hidden: config.widths[0],
        start: start(),
        trainer: adam(learner.learning_rate, Clip::Norm(1.0)),
        budget: config.budget,
    };
    config.learners.iter().map(trial).collect()
}

/// As PyTorch's, with the forget bias that goes with batch normalisation as published.
fn start() -> Initialisation {
    Initialisation { forget_bias: Some(1.0), ..Initialisation::default() }
}

/// A cell as batch normalisation knows it.
fn normalised(cell: Cell) -> Option<NormalisedCell> {
    match cell {
        Cell::RnnTanh => Some(NormalisedCell::RnnTanh),
        Cell::Lstm => Some(NormalisedCell::Lstm { output: true }),
        _ => None,
    }
}

/// Where γ_h and γ_x start, and what is added to variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains {
    /// γ_h.
    pub state: f64,
    /// γ_x.
    pub input: f64,
    /// eps.
    pub eps: f64,
}

impl Gains {
    /// Both the same, with the usual eps.
    pub fn both(gamma: f64) -> Gains {
        Gains { state: gamma, input: gamma, eps: 1e-5 }
    }
}

// ANCHOR: network
/// A network whose recurrent layer is batch-normalised, or isn't.
#[derive(Clone, Debug)]
pub struct NormalisedNetwork {
    /// The network.
    pub network: Network,
    /// How its layer is normalised.
    pub norm: Option<RecurrentBatchNorm>,
}

impl NormalisedNetwork {
    /// With a cell that can be normalised, if there are gains.
    #[track_caller]
    pub fn new(network: Network, gains: Option<Gains>) -> Self {
        let norm = gains.map(|Gains { eps, .. }| {
            let Network { layer, .. } = &network;
            let cell = normalised(layer.cell).expect("an RNN or an LSTM");
            let norm = RecurrentBatchNorm::new("", cell, layer.hidden);
            RecurrentBatchNorm { eps, ..norm }
        });
        NormalisedNetwork { network, norm }
    }

    /// Its parameters at the start. The gain of what is read from the cell
    /// is 0.1 in any case.
    pub fn parameters<T: Scalar>(
        &self,
        start: &Initialisation,
        gains: Option<Gains>,
        rng: &Rng,
    ) -> Parameters<T> {
        let mut parameters = self.network.parameters(start, rng);
        if let (Some(norm), Some(gains)) = (&self.norm, gains) {
            norm.push_parameters(&mut parameters);
            let mut set = |name: &str, gain: f64| {
                parameters.view_mut(name).fill(T::of(gain));
            };
            set(&norm.names.input, gains.input);
            set(&norm.names.state, gains.state);
        }
        parameters
    }
}

impl Learnable for NormalisedNetwork {
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        let NormalisedNetwork { network, norm } = self;
        let Some(norm) = norm else {
            return batch.outputs(network, parameters);
        };
        let tape = parameters.tape();
        let x = tape.constant(&batch.x.mapv(|x| x as f32).view());
        let w = network.layer.weights(parameters);
        let gains = norm.weights(parameters);
        let start = network.layer.zero_state(tape, batch.lengths.len());
        let of_batch = Statistics::Batch(None);
        let last = norm.unroll(&w, &gains, x, start, of_batch, |_, _| {});
        network.head.apply(parameters, last.h)
    }
}
// ANCHOR_END: network

/// The step of such a network with its parameters, as the instruments take it.
#[derive(Clone, Copy, Debug)]
pub struct NormalisedStep<'a> {
    /// The network.
    pub network: &'a NormalisedNetwork,
    /// Its parameters.
    pub parameters: &'a Parameters<f64>,
}

impl ComposedStep for NormalisedStep<'_> {
    fn parts(&self) -> Vec<usize> {
        let layer = &self.network.network.layer;
        let State { h, c } = layer.cell.widths(layer.hidden);
        [h].into_iter().chain(c).collect()
    }
    fn sums(&self) -> usize {
        let layer = &self.network.network.layer;
        layer.cell.shapes(layer.input, layer.hidden).b_ih[1]
    }
    fn record<'t, T: Scalar>(
        &self,
        x: Var<'t, T>,
        state: &[Var<'t, T>],
        dz: Var<'t, T>,
    ) -> Vec<Var<'t, T>> {
        let constant = |name: &str| {
            let values = self.parameters.view(name).mapv(T::of);
            x.tape().constant(&values.view())
        };
        let NormalisedNetwork { network, norm } = self.network;
        let mut w = network.layer.weights_by(x.tape(), constant);
        w.b_hh = w.b_hh + dz;
        let state = State { h: state[0], c: state.get(1).copied() };
        let State { h, c } = match norm {
            None => network.layer.cell.step(&w, x, state),
            Some(norm) => {
                let names = &norm.names;
                let output = names.output.as_ref();
                let gains = NormWeights {
                    input: constant(&names.input),
                    state: constant(&names.state),
                    output: output
                        .map(|n| n.each_ref().map(|name| constant(name))),
                };
                norm.step(&w, &gains, x, state, Statistics::Batch(None))
            }
        };
        [h].into_iter().chain(c).collect()
    }
}

// ANCHOR: growth
/// Growth of a random displacement of the states of all sequences of `x`
/// (T, B, I) together, from the state 0 and after `burn_in` steps, in
/// decades per 100 steps.
pub fn growth(
    step: &dyn RecurrentStep,
    x: ArrayView3<'_, f64>,
    burn_in: usize,
    directions: &mut Rng,
) -> f64 {
    let (steps, batch, _) = x.dim();
    let shape = (batch, step.state_size());
    let mut state = Array2::zeros(shape);
    let mut tangent =
        Array2::from_shape_simple_fn(shape, || directions.normal());
    let mut decades = -log10_norm(&tangent);
    for (t, x) in x.outer_iter().enumerate() {
        if t >= burn_in {
            tangent = step.jvp(x, state.view(), tangent.view());
            // Scaled anew before it can overflow.
            let size = log10_norm(&tangent);
            if size == f64::NEG_INFINITY {
                return size;
            }
            let scale = Real::exp(-size / LOG10_E);
            tangent.mapv_inplace(|v| v * scale);
            decades += size;
        }
        state = step.step(x, state.view());
    }
    100.0 * decades / (steps - burn_in) as f64
}
// ANCHOR_END: growth

/// log₁₀ of the root of the sum of all squares.
fn log10_norm(of: &Array2<f64>) -> f64 {
    let all: Vec<f64> = of.iter().copied().collect();
    LOG10_E * Real::ln(slice::norm(&all))
}

/// What a network reads in a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// Normal numbers, all independent.
    White,
    /// Normal numbers that keep most of themselves from step to step.
    Slow,
    /// Handwritten digits, pixel by pixel.
    Digits,
}

/// What one keeps of itself.
const KEPT: f64 = 0.98;

impl Input {
    const ALL: [Input; 3] = [Input::White, Input::Slow, Input::Digits];

    fn key(self) -> &'static str {
        match self {
            Input::White => "white",
            Input::Slow => "slow",
            Input::Digits => "digits",
        }
    }

    /// What it is called in figures.
    fn title(self) -> &'static str {
        match self {
            Input::White => "White noise",
            Input::Slow => "Slow noise",
            Input::Digits => "Digits",
        }
    }

    // ANCHOR: inputs
    /// Sequences of one number a step, (T, B, 1).
    fn draw(self, steps: usize, batch: usize, rng: &mut Rng) -> Array3<f64> {
        let mut x = Array3::zeros((steps, batch, 1));
        let mut now = vec![0.0; batch];
        now.fill_with(|| rng.normal());
        let digits = (self == Input::Digits).then(|| {
            let digits = Digits::load();
            (0..batch).for_each(|b| now[b] = rng.below(1437) as f64);
            digits
        });
        for ((t, b, _), x) in x.indexed_iter_mut() {
            let noise = rng.normal();
            *x = match self {
                Input::White => noise,
                Input::Slow => {
                    let new = (1.0 - KEPT * KEPT).sqrt() * noise;
                    now[b] = KEPT * now[b] + new;
                    now[b]
                }
                Input::Digits => {
                    let pixels = &digits.as_ref().expect("loaded").pixels;
                    f64::from(pixels[[now[b] as usize, t % pixels.ncols()]])
                }
            };
        }
        x
    }
    // ANCHOR_END: inputs
}

/// How a measured network is normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Norm {
    /// Not at all.
    None,
    /// The batch.
    Batch(Gains),
    /// Each row; both gains.
    Layer(f64),
}

/// One thing to measure of a seed's networks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Condition {
    cell: Cell,
    hidden: usize,
    input: Input,
    norm: Norm,
}

impl Condition {
    /// What its facts and series begin with.
    fn key(&self) -> String {
        let Condition { cell, hidden, input, norm } = self;
        let cell = if *cell == Cell::RnnTanh { "rnn" } else { "lstm" };
        let norm = match norm {
            Norm::None => "none".into(),
            Norm::Batch(Gains { state, input, eps }) => {
                format!("batch {state} {input} {eps:e}")
            }
            Norm::Layer(gamma) => format!("layer {gamma}"),
        };
        crate::summary::key_of(&format!(
            "{cell} {} {norm} h{hidden}",
            input.key()
        ))
    }
}

/// All that is measured at the start.
fn conditions(config: &Config) -> Vec<Condition> {
    let Config { widths, gammas, eps, .. } = config;
    let mut all = vec![];
    for input in Input::ALL {
        for cell in [Cell::RnnTanh, Cell::Lstm] {
            let mut push = |hidden, norm| {
                let condition = Condition { cell, hidden, input, norm };
                if !all.contains(&condition) {
                    all.push(condition);
                }
            };
            for &hidden in widths {
                push(hidden, Norm::None);
                push(hidden, Norm::Batch(Gains::both(1.0)));
            }
            for &state in gammas {
                for &input in gammas {
                    let gains = Gains { state, input, ..Gains::both(1.0) };
                    push(widths[0], Norm::Batch(gains));
                }
            }
            if cell == Cell::Lstm {
                for &gamma in gammas {
                    push(widths[0], Norm::Layer(gamma));
                }
            }
            if cell == Cell::Lstm && input == Input::White {
                for &eps in eps {
                    for &gamma in gammas {
                        let gains = Gains { eps, ..Gains::both(gamma) };
                        push(widths[0], Norm::Batch(gains));
                    }
                }
            }
        }
    }
    all
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    conditions: Vec<Condition>,
    trials: Trials,
    /// By which it is asked whether the task is solved.
    test: Batch,
}

impl Recorded for Normalisation {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let rng = Rng::new(config.seed);
        let test =
            config.task.batch(config.budget.test, &mut rng.stream("test"));
        Networks {
            conditions: conditions(config),
            trials: Trials::new(trials(config), config.seeds, 0, rng),
            test,
            config: config.clone(),
        }
    }
}

impl Networks {
    fn stream(&self, run: usize) -> Rng {
        let seed = run as u64 % self.config.seeds + 1;
        Rng::new(self.config.seed).stream(&format!("seed {seed}"))
    }
}

impl Runs for Networks {
    type Run<'a> = Either<Training<'a>, OneByOne<Seed<'a>>>;
    type Outcome = Either<Tried, Vec<f64>>;

    fn names(&self) -> Vec<String> {
        let seeds = (1..=self.config.seeds).map(|s| format!("seed {s}"));
        self.trials.names().into_iter().chain(seeds).collect()
    }
    fn units(&self, run: usize) -> u64 {
        if run < self.trials.count() {
            self.trials.units(run)
        } else {
            self.conditions.len() as u64
        }
    }
    fn start(&self, run: usize) -> Self::Run<'_> {
        let rng = self.stream(run);
        if run < self.trials.count() {
            let trial = run / self.config.seeds as usize;
            Either::Left(Training::start(self, trial, rng))
        } else {
            Either::Right(OneByOne::new(Seed { networks: self, rng }))
        }
    }
    fn report(&self, outcomes: &[Self::Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// A training.
#[derive(Debug)]
pub struct Training<'a> {
    learner: Learner<'a, NormalisedNetwork>,
    /// Sequences that a gradient is followed along, (T, B, I).
    probe: Array3<f64>,
    burn_in: usize,
    rng: Rng,
    start_growth: f64,
}

impl<'a> Training<'a> {
    /// Its random streams depend on the seed alone: weights that networks share start from the same numbers.
    fn start(networks: &'a Networks, trial: usize, rng: Rng) -> Self {
        let Networks { config, trials, test, .. } = networks;
        let (task, trial) = (&config.task, (&trials.trials[trial], trial));
        let gains = config.learners[trial.1].gamma.map(Gains::both);
        let model = NormalisedNetwork::new(trial.0.network(), gains);
        let weights = rng.stream("weights");
        let start = model.parameters(&trial.0.start, gains, &weights);
        let lesson = Lesson { task, test, budget: config.budget };
        let batches = rng.stream("batches");
        let trainer = &trial.0.trainer;
        let learner = Learner::new(lesson, model, trainer, start, batches);
        let probe = task.batch(config.sequences, &mut rng.stream("probe"));
        let mut training = Training {
            learner,
            probe: input_of(&probe),
            burn_in: config.burn_in.min(task.steps - 1),
            rng,
            start_growth: f64::NAN,
        };
        training.start_growth = training.growth();
        training
    }

    fn growth(&self) -> f64 {
        let parameters = self.learner.trainer.parameters.map(f64::from);
        let network = &self.learner.model;
        let step = NormalisedStep { network, parameters: &parameters };
        let mut directions = self.rng.stream("directions");
        let x = self.probe.view();
        growth_or_nan(growth(
            &OnTape::new(step),
            x,
            self.burn_in,
            &mut directions,
        ))
    }
}

/// NaN has the same bits on every processor.
fn growth_or_nan(growth: f64) -> f64 {
    if growth.is_nan() { f64::NAN } else { growth }
}

impl Run for Training<'_> {
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

/// The untrained networks of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    networks: &'a Networks,
    rng: Rng,
}

impl Measure for Seed<'_> {
    type Found = f64;

    fn count(&self) -> usize {
        self.networks.conditions.len()
    }
    fn measure(&mut self, number: usize) -> f64 {
        let Config { sequences, burn_in, steps, .. } = self.networks.config;
        let Condition { cell, hidden, input, norm } =
            self.networks.conditions[number];
        let mut inputs = self.rng.stream(input.key());
        let x = input.draw(burn_in + steps, sequences, &mut inputs);
        let (cell, gains) = match norm {
            Norm::None => (cell, None),
            Norm::Batch(gains) => (cell, Some(gains)),
            Norm::Layer(_) => (Cell::LayerNormLstm, None),
        };
        let network = Network::new(cell, 1, hidden, 1);
        let network = NormalisedNetwork::new(network, gains);
        let weights = self.rng.stream(&format!("weights {hidden}"));
        let mut parameters = network.parameters(&start(), gains, &weights);
        if let Norm::Layer(gamma) = norm {
            let name = network.network.layer.names.per_unit.as_deref();
            let mut rows = parameters.view_mut(name.expect("it has gains"));
            for mut row in rows.rows_mut().into_iter().take(8) {
                row.fill(gamma);
            }
        }
        let step =
            NormalisedStep { network: &network, parameters: &parameters };
        let mut directions = self.rng.stream("directions");
        let x = x.view();
        growth_or_nan(growth(&OnTape::new(step), x, burn_in, &mut directions))
    }
}
