//! The gates, one by one: what each gate of the LSTM controls, and what it doesn't.
//!
//! The key decision: **a gate can be closed in three ways, and they are different questions.** In the derivative alone,
//! with all activations as they were: then what remains is what came by other ways. By holding it at a value and
//! running again: then the whole network answers. By holding it at its own mean: then what is missing is only what it
//! decides from step to step.
//!
//! LSTMs are trained on the adding problem; all is measured at the start and in the end, along sequences of the task.

mod claims;
mod figures;
mod opened;
mod report;

pub use opened::{At, Gate, OpenedLstm, hold};

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Learner, Schedule};
use crate::protocol::Claim;
use crate::runs::{Hash, Recorded, Run, Runs, run_all};
use crate::summary::spread;
use crate::tasks::{Adding, Batch, Definition, Task, TaskConfig};
use crate::trials::{Trial, TrialRun, Trials, Tried};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, slice};
use longlag_report::Report;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_10;
use std::ops::ControlFlow;

/// The config of [`GatesOneByOne`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each width.
    pub seeds: u64,
    /// H.
    pub widths: Vec<usize>,
    /// The bias that forget gates start with.
    pub forget_bias: f64,
    /// The task.
    pub task: Adding,
    /// How networks are trained.
    pub training: Schedule,
    /// All is measured along so many sequences.
    pub probes: usize,
    /// After so many of their steps.
    pub burn_in: usize,
    /// The values that gates are held at, besides their own means.
    pub held: Vec<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![16, 32],
            forget_bias: 1.0,
            task: Adding {
                definition: Definition::Arjovsky2016,
                success: Definition::Pascanu2013,
                steps: 30,
            },
            training: Schedule {
                learning_rate: 1e-2,
                updates: 2000,
                test: 300,
                ..Schedule::default()
            },
            probes: 20,
            burn_in: 5,
            held: vec![0.001, 0.999],
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct GatesOneByOne;

impl Experiment for GatesOneByOne {
    type Config = Config;
    const NAME: &'static str = "gates-one-by-one";
    const QUESTION: &'static str =
        "What does each gate of the LSTM control, and what doesn't it?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let Config { task, training, burn_in, ref held, .. } = *config;
        task.check()?;
        training.check()?;
        ConfigError::unless(
            task.definition == Definition::Arjovsky2016,
            "task",
            task,
            "all its sequences must have the same length, as in 2016",
        )?;
        let last = task.steps - 2;
        let counts = [
            ("seeds", config.seeds as usize, 1_000),
            ("probes", config.probes, 1_000),
            ("burn_in", burn_in, last),
        ];
        for (field, value, most) in counts {
            ConfigError::within(field, value, 1..=most)?;
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
        ConfigError::unless(
            (-20.0..=20.0).contains(&config.forget_bias),
            "forget_bias",
            config.forget_bias,
            "it must be from -20 to 20",
        )?;
        ConfigError::unless(
            held.iter().all(|v| (1e-9..=1.0 - 1e-9).contains(v)),
            "held",
            held,
            "it must list values of gates, above 0 and below 1",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// What is closed: nothing, or a gate.
const CLOSED: [Option<Gate>; 4] =
    [None, Some(Gate::Input), Some(Gate::Forget), Some(Gate::Output)];

/// All networks.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    trials: Trials,
}

impl Recorded for GatesOneByOne {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let Config { seed, seeds, training, task, .. } = *config;
        let trial = |&hidden: &usize| Trial {
            name: format!("h{hidden}"),
            task: TaskConfig::Adding(task),
            cell: Cell::Lstm,
            hidden,
            start: Initialisation {
                forget_bias: Some(config.forget_bias),
                ..Initialisation::default()
            },
            trainer: training.trainer(),
            budget: training.budget(),
        };
        let trials = config.widths.iter().map(trial).collect();
        Networks {
            trials: Trials::new(trials, seeds, 0, Rng::new(seed)),
            config: config.clone(),
        }
    }
}

impl Runs for Networks {
    type Run<'a> = Training<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        self.trials.names()
    }
    fn units(&self, run: usize) -> u64 {
        self.trials.units(run)
    }
    fn start(&self, run: usize) -> Training<'_> {
        let Config { seed, seeds, task, probes, .. } = self.config;
        let seed_of_run = run as u64 % seeds + 1;
        let rng = Rng::new(seed).stream(&format!("probe {seed_of_run}"));
        let probe = task.batch(probes, &mut rng.clone());
        let trial = self.trials.start(run);
        let start = measure(&self.config, &trial.learner, &probe);
        Training { config: &self.config, trial, probe, start }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// A training, and what was measured at its start.
#[derive(Debug)]
pub struct Training<'a> {
    config: &'a Config,
    trial: TrialRun<'a>,
    probe: Batch,
    start: Measured,
}

/// What a run gave: what became of the training, the hash of its weights, and what was measured at the start and in the
/// end.
pub type Outcome = (Tried, Hash, [Measured; 2]);

impl Run for Training<'_> {
    type Saved = (<TrialRun<'static> as Run>::Saved, Measured);
    type Outcome = Outcome;

    fn advance(&mut self) -> ControlFlow<()> {
        self.trial.advance()
    }
    fn save(&self) -> Self::Saved {
        (self.trial.save(), self.start.clone())
    }
    fn restore(&mut self, (trial, start): Self::Saved) -> Result<(), String> {
        self.start = start;
        self.trial.restore(trial)
    }
    fn outcome(&self) -> Outcome {
        let Training { config, trial, probe, start } = self;
        let end = measure(config, &trial.learner, probe);
        let weights = Hash::of_weights(&trial.learner.trainer);
        (trial.outcome(), weights, [start.clone(), end])
    }
}

/// What is measured of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The share of ‖∂c_t/∂x_t‖_F that remains with the input gate closed in the derivative: the median over all steps
    /// after the burn-in, over those with a marked number, and over the others.
    share: [f64; 3],
    /// The share of ‖∂c_t/∂c_{t−1}‖_F that remains with the forget gate closed likewise, h_{t−1} moving with c_{t−1}:
    /// the median over those steps.
    one_step: f64,
    /// For each of [`CLOSED`] the logarithm of ‖∂c_t/∂c_k‖_F / √H by lag, from lag 1 on, k being the last step of the
    /// burn-in: medians over sequences.
    curves: [Vec<f64>; 4],
    /// How well each gate separates marked steps from the others.
    separation: [f64; 3],
    /// As it is.
    free: Held,
    /// For each gate: held at its own means, then at each of the values.
    held: [Vec<Held>; 3],
}

/// A network some of whose gates may be held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    /// The mean squared error.
    loss: f64,
    /// The share of test sequences that is answered rightly.
    right: f64,
    /// Growth of ∂c_T/∂c_k by the direct path and by all, in decades per 100 steps.
    growth: [f64; 2],
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    spread(values.collect())[1]
}

// ANCHOR: measure
fn measure(config: &Config, learner: &Learner<'_>, probe: &Batch) -> Measured {
    let (network, test) = (&learner.model, learner.lesson.test);
    let layer = &network.layer;
    let parameters = learner.trainer.parameters.map(f64::from);
    let lstm = OpenedLstm::run(layer, &parameters, probe);
    let Config { burn_in, task, .. } = *config;
    let sequences = probe.lengths.len();
    // As the rows of x: (T·B, 2), the second column marks.
    let marked: Vec<bool> =
        probe.x.column(1).iter().map(|&m| m > 0.5).collect();
    let steps = || {
        (burn_in..task.steps).flat_map(|step| {
            (0..sequences).map(move |sequence| At { sequence, step })
        })
    };
    let norm = |at: At, closed| {
        let by: Vec<f64> = lstm.by_input(at, closed).iter().copied().collect();
        slice::norm(&by)
    };
    let shares: Vec<(bool, f64)> = steps()
        .map(|at| {
            let left = norm(at, Some(Gate::Input)) / norm(at, None);
            (marked[at.step * sequences + at.sequence], left)
        })
        .collect();
    let share_of = |which: &dyn Fn(bool) -> bool| {
        let of = shares.iter().filter(|(marked, _)| which(*marked));
        median(of.map(|(_, share)| *share))
    };
    let one_step = steps().map(|At { sequence, step }| {
        let [all, left] = [None, Some(Gate::Forget)]
            .map(|closed| lstm.reach(sequence, step..step + 1, closed)[0]);
        Real::exp(LN_10 * (left - all))
    });
    let hold_at = |gate: Gate, values: &[f64]| {
        let held = hold(layer, &parameters, gate, values);
        whole(network, &held, [test, probe], burn_in)
    };
    Measured {
        share: [
            share_of(&|_| true),
            share_of(&|marked| marked),
            share_of(&|marked| !marked),
        ],
        one_step: median(one_step),
        curves: CLOSED.map(|closed| curve(&lstm, sequences, burn_in, closed)),
        separation: Gate::ALL.map(|gate| lstm.separation(gate, &marked)),
        free: whole(network, &parameters, [test, probe], burn_in),
        held: Gate::ALL.map(|gate| {
            let own = hold_at(gate, &lstm.means(gate));
            let at = |&v: &f64| hold_at(gate, &vec![v; layer.hidden]);
            [own].into_iter().chain(config.held.iter().map(at)).collect()
        }),
    }
}
// ANCHOR_END: measure

/// The median over sequences of how ∂c_t/∂c_k goes on after the burn-in.
fn curve(
    lstm: &OpenedLstm<'_>,
    sequences: usize,
    burn_in: usize,
    closed: Option<Gate>,
) -> Vec<f64> {
    let curve = |n| lstm.reach(n, burn_in..lstm.steps(), closed);
    let curves: Vec<Vec<f64>> = (0..sequences).map(curve).collect();
    let at = |lag: usize| median(curves.iter().map(|curve| curve[lag]));
    (0..curves[0].len()).map(at).collect()
}

/// The growth at the end of a curve, in decades per 100 steps.
fn rate(curve: &[f64]) -> f64 {
    100.0 * curve[curve.len() - 1] / curve.len() as f64
}

/// How a network answers, and how its gradient grows. With the output gate closed in the derivative, the direct path
/// alone remains.
fn whole(
    network: &Network,
    parameters: &Parameters<f64>,
    [test, probe]: [&Batch; 2],
    burn_in: usize,
) -> Held {
    let tape = Tape::new();
    let bound = tape.bind(parameters);
    let outputs = test.outputs(network, &bound);
    let loss = test.loss(outputs).item();
    let right = test.right(outputs.value().view());
    let count = right.iter().filter(|&&right| right).count();
    let lstm = OpenedLstm::run(&network.layer, parameters, probe);
    let sequences = probe.lengths.len();
    let growth = [Some(Gate::Output), None]
        .map(|closed| rate(&curve(&lstm, sequences, burn_in, closed)));
    Held { loss, right: count as f64 / right.len() as f64, growth }
}
