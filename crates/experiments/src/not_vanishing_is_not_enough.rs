//! Not vanishing is not enough: what else does a long memory cost?
//!
//! A linear unit h_t = λ h_{t−1} + x_t is the simplest carousel: what it keeps and what its gradient keeps is λ^k, as
//! much of it as one likes. Its derivative by λ is measured against the memory 1/(1 − λ), over T = 10/(1 − λ) steps and
//! over too few. Then units learn the memory of another unit, at every learning rate of a grid, in four ways.
//!
//! The learning rates that claims go by are chosen from the same grid for all, by seeds of their own: the tuning is a
//! part of the runs.

mod claims;
mod figures;
mod report;
mod unit;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::protocol::Claim;
use crate::runs::{Measure, OneByOne, Recorded, Runs, run_all};
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, slice};
use longlag_report::Report;
use serde::{Deserialize, Serialize};

pub use unit::{
    At, Coins, End, Form, Law, Lesson, NEAR, SEQUENCES, Student, Unit, WAYS,
    Way, gradient, lambda_of, sensitivity,
};

/// The config of [`NotVanishingIsNotEnough`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// How many more by which learning rates are chosen.
    pub tuning_seeds: u64,
    /// The memories 1/(1 − λ) whose sensitivity is measured.
    pub memories: Vec<f64>,
    /// Over so many sequences.
    pub sequences: usize,
    /// T, as a multiple of the memory.
    pub multiple: usize,
    /// And a T that is the same for all.
    pub short: usize,
    /// The memories to be learnt, the shortest first.
    pub teachers: Vec<f64>,
    /// The learning rates.
    pub rates: Vec<f64>,
    /// The most updates of a training.
    pub updates: u32,
    /// So many updates in a row the memory must be right.
    pub in_a_row: u32,
}

impl Default for Config {
    fn default() -> Self {
        let rates = [
            1e-10, 3e-10, 1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 3e-6, 1e-5,
            3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0,
        ];
        Config {
            seed: 1,
            seeds: 20,
            tuning_seeds: 5,
            memories: vec![2.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0],
            sequences: 1000,
            multiple: 10,
            short: 100,
            teachers: vec![10.0, 30.0, 100.0, 300.0, 1000.0],
            rates: rates.into(),
            updates: 300,
            in_a_row: 20,
        }
    }
}

impl Config {
    fn lesson(&self, memory: f64) -> Lesson {
        let Config { updates, in_a_row, .. } = *self;
        Lesson { memory, steps: self.steps(memory), updates, in_a_row }
    }

    /// T of a memory, by the rule.
    fn steps(&self, memory: f64) -> usize {
        (memory * self.multiple as f64) as usize
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct NotVanishingIsNotEnough;

impl Experiment for NotVanishingIsNotEnough {
    type Config = Config;
    const NAME: &'static str = "not-vanishing-is-not-enough";
    const QUESTION: &'static str = "If the gradient doesn't vanish, does a long memory learn like a short one?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds, 1, 1000),
            ("tuning_seeds", config.tuning_seeds, 1, 1000),
            ("sequences", config.sequences as u64, 1, 1_000_000),
            ("multiple", config.multiple as u64, 1, 1000),
            ("short", config.short as u64, 1, 1_000_000),
            ("updates", config.updates.into(), 1, 1_000_000),
            ("in_a_row", config.in_a_row.into(), 1, config.updates.into()),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        for (field, memories) in
            [("memories", &config.memories), ("teachers", &config.teachers)]
        {
            ConfigError::unless(
                memories.len() > 1
                    && memories.windows(2).all(|m| m[0] < m[1])
                    && memories.iter().all(|m| (2.0..=1e5).contains(m)),
                field,
                memories,
                "it must list two or more from 2 to 100000 in ascending order",
            )?;
        }
        let teachers = &config.teachers;
        ConfigError::unless(
            teachers[teachers.len() - 1] >= 10.0 * teachers[0],
            "teachers",
            teachers,
            "the longest must be ten times the shortest or more, for claims compare them",
        )?;
        let rates = &config.rates;
        ConfigError::unless(
            !rates.is_empty()
                && unlike(rates)
                && rates.iter().all(|r| (0.0..=1e3).contains(r)),
            "rates",
            rates,
            "it must list different ones from 0 to 1000",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// One thing to measure in a seed.
#[derive(Clone, Copy, Debug)]
enum Condition {
    /// Training towards this memory, in this way, at this rate.
    Training(f64, Way, f64),
    /// Sensitivity at this memory.
    Sweep(f64),
}

/// All units.
#[derive(Debug)]
pub struct Units {
    config: Config,
    conditions: Vec<Condition>,
}

impl Recorded for NotVanishingIsNotEnough {
    type Runs = Units;
    fn runs(config: &Config) -> Units {
        let mut conditions = vec![];
        for &memory in &config.teachers {
            for &rate in &config.rates {
                let of = |way| Condition::Training(memory, way, rate);
                conditions.extend(WAYS.map(of));
            }
        }
        conditions.extend(config.memories.iter().map(|&m| Condition::Sweep(m)));
        Units { conditions, config: config.clone() }
    }
}

impl Units {
    /// How many trainings a seed has; what comes behind them is left out of tuning.
    fn trainings(&self) -> usize {
        let Config { teachers, rates, .. } = &self.config;
        teachers.len() * rates.len() * WAYS.len()
    }
    fn is_tuning(&self, run: usize) -> bool {
        run as u64 >= self.config.seeds
    }
}

impl Runs for Units {
    type Run<'a> = OneByOne<Seed<'a>>;
    type Outcome = Vec<Found>;

    fn names(&self) -> Vec<String> {
        let Config { seeds, tuning_seeds, .. } = self.config;
        let seeds = (1..=seeds).map(|seed| format!("seed {seed}"));
        let tuning = (1..=tuning_seeds).map(|seed| format!("tuning {seed}"));
        seeds.chain(tuning).collect()
    }
    fn units(&self, run: usize) -> u64 {
        let of_all = self.conditions.len();
        let count = if self.is_tuning(run) { self.trainings() } else { of_all };
        count as u64
    }
    fn start(&self, run: usize) -> OneByOne<Seed<'_>> {
        let conditions = &self.conditions[..self.units(run) as usize];
        let rng = Rng::new(self.config.seed).stream(&self.names()[run]);
        OneByOne::new(Seed { config: &self.config, conditions, rng })
    }
    fn report(&self, outcomes: &[Vec<Found>]) -> Report {
        self.summary(outcomes)
    }
}

/// The units of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    config: &'a Config,
    conditions: &'a [Condition],
    rng: Rng,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Found {
    /// After how many updates a training ended, and how.
    Trained(u32, End),
    /// Mean squares.
    Swept(Swept),
}

/// Mean squares over sequences, in the last step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swept {
    /// Of h.
    pub h: f64,
    /// Of what [`sensitivity`] gives, in each form.
    pub forms: [f64; 3],
    /// Of ∂h/∂λ after the short T.
    pub short: f64,
}

/// All forms.
pub const FORMS: [Form; 3] = [Form::Plain, Form::Normalised, Form::Exponential];

impl Measure for Seed<'_> {
    type Found = Found;
    fn count(&self) -> usize {
        self.conditions.len()
    }
    fn measure(&mut self, number: usize) -> Found {
        match self.conditions[number] {
            Condition::Training(memory, way, rate) => {
                let lesson = self.config.lesson(memory);
                let start = memory * head_start(&mut self.rng.stream("start"));
                let rng = self.rng.stream(&format!("teacher {memory}"));
                let mut student = Student::new(way, rate, start);
                let (updates, end) = student.learn(&lesson, &rng);
                Found::Trained(updates, end)
            }
            Condition::Sweep(memory) => {
                let rng = self.rng.stream(&format!("sweep {memory}"));
                Found::Swept(self.config.sweep(memory, rng))
            }
        }
    }
}

/// How many times as long as the teacher's memory a student's is at the start: two to three times, or a half to a
/// third.
pub fn head_start(rng: &mut Rng) -> f64 {
    let far = 2.0 + rng.uniform();
    if rng.uniform() < 0.5 { far } else { 1.0 / far }
}

impl Config {
    /// Mean squares over sequences at a memory.
    pub fn sweep(&self, memory: f64, mut rng: Rng) -> Swept {
        let lambda = lambda_of(memory);
        let steps = self.steps(memory);
        let longest = steps.max(self.short);
        let mut squares: [Vec<f64>; 5] = Default::default();
        for _ in 0..self.sequences.div_ceil(SEQUENCES) {
            let (mut unit, mut coins) = (Unit::default(), Coins::new(&mut rng));
            let mut add = |to: usize, of: [f64; SEQUENCES]| {
                squares[to].extend(of.map(|x| x * x));
            };
            for step in 1..=longest {
                unit.step(lambda, &coins.toss());
                if step == steps {
                    add(0, unit.h);
                    for (form, k) in FORMS.into_iter().zip(1..) {
                        let at = form.at(form.parameter(lambda));
                        add(k, sensitivity(at, &unit));
                    }
                }
                if step == self.short {
                    add(4, unit.slope);
                }
            }
        }
        let mean = |of: &Vec<f64>| slice::sum(of) / of.len() as f64;
        let [h, plain, normalised, exponential, short] = &squares;
        let forms = [plain, normalised, exponential].map(mean);
        Swept { h: mean(h), forms, short: mean(short) }
    }
}

/// The exponent of a power law by least squares: the slope of ln y over ln x.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> =
        points.iter().map(|&(x, y)| (Real::ln(x), Real::ln(y))).collect();
    let n = logs.len() as f64;
    let mean =
        |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut up, mut along) = (0.0, 0.0);
    for (a, b) in logs {
        up += (a - x) * (b - y);
        along += (a - x) * (a - x);
    }
    up / along
}
