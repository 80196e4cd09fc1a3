//! Why do my LSTM gradients still vanish? What the forget gate's bias does to the reach of the gradient, at the start
//! and after training.
//!
//! The question was asked in 2022 with twenty printed values of ∂c_t/∂c_0. Networks like the one that was asked about
//! give them again, with the direct path beside them. Then the half-lives of both, the direct path and all,
//! are measured at the start, for forget biases from 0 to 5 and for chrono initialisation, over up to 750
//! steps; and before and after training on the adding problem, with whether it was solved.
//!
//! A half-life is the first lag at which ‖∂c_t/∂c_k‖_F is at most half of what it is at lag 0.

mod figures;
mod report;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::learner::{Learner, Lesson, Schedule, Standing};
use crate::lstm_paths::DrivenLstm;
use crate::protocol::Claim;
use crate::runs::{
    Either, Hash, Measure, OneByOne, Recorded, Run, Runs, run_all,
};
use crate::summary::spread;
use crate::tasks::{Adding, Batch, Definition, Task};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar, slice};
use longlag_probe::statistics;
use longlag_report::Report;
use longlag_train::Checkpoint;
use ndarray::{Array2, Array3, Axis, Slice};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// The config of [`StillVanishing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many untrained networks of each kind, and how many trainings.
    pub seeds: u64,
    /// H. All is measured at the first, what the first claim is judged by at all of them.
    pub widths: Vec<usize>,
    /// How forget gates start.
    pub forget: Vec<Forget>,
    /// T: the lengths of the sequences that untrained networks read.
    pub lengths: Vec<usize>,
    /// Steps before that which don't count.
    pub burn_in: usize,
    /// H of the networks that the question was about.
    pub asked_hidden: usize,
    /// The task.
    pub task: Adding,
    /// How networks are trained.
    pub training: Schedule,
    /// Trained networks are measured along so many sequences.
    pub probes: usize,
}

/// How forget gates start; in a config `{ "bias": 1.0 }` or `"chrono"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forget {
    /// All with this bias.
    Bias(f64),
    /// Chrono initialisation: the biases of the forget gates are ln u, u ~ U(1, T − 1), where T is the length of the
    /// sequences, those of the input gates −ln u. Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp
    /// time?", equation 16.
    Chrono,
}

/// The bias that the claims are about.
const ONE: Forget = Forget::Bias(1.0);
/// The bias that it is compared with.
const NONE: Forget = Forget::Bias(0.0);

impl Forget {
    /// What its facts and series begin with.
    fn key(self) -> String {
        match self {
            Forget::Bias(bias) => {
                format!("b{bias}").replace('.', "_").replace('-', "minus_")
            }
            Forget::Chrono => "chrono".into(),
        }
    }

    // ANCHOR: start
    /// The parameters of a network that starts so, for sequences of a
    /// length: all else as PyTorch draws it.
    pub fn parameters<T: Scalar>(
        self,
        network: &Network,
        length: usize,
        rng: &Rng,
    ) -> Parameters<T> {
        let forget_bias = match self {
            Forget::Bias(bias) => Some(bias),
            Forget::Chrono => None,
        };
        let start = Initialisation { forget_bias, ..Default::default() };
        let mut parameters = network.parameters(&start, rng);
        if self == Forget::Chrono {
            let hidden = network.layer.hidden;
            let mut rng = rng.stream("chrono");
            let w = network.layer.views_mut(&mut parameters);
            let [mut b_ih, mut b_hh] = [w.b_ih, w.b_hh];
            for unit in 0..hidden {
                let u = rng.uniform_in(1.0, (length - 1) as f64);
                let (i, f) = ([0, unit], [0, hidden + unit]);
                b_ih[i] = T::of(-Real::ln(u));
                b_ih[f] = T::of(Real::ln(u));
                b_hh[i] = T::of(0.0);
                b_hh[f] = T::of(0.0);
            }
        }
        parameters
    }
    // ANCHOR_END: start
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![32, 64],
            forget: vec![
                NONE,
                ONE,
                Forget::Bias(3.0),
                Forget::Bias(5.0),
                Forget::Chrono,
            ],
            lengths: vec![50, 100, 200, 400, 750],
            burn_in: 50,
            asked_hidden: 200,
            task: Adding {
                definition: Definition::Pascanu2013,
                success: Definition::Pascanu2013,
                steps: 50,
            },
            training: Schedule {
                learning_rate: 1e-2,
                updates: 1500,
                ..Schedule::default()
            },
            probes: 3,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct StillVanishing;

impl Experiment for StillVanishing {
    type Config = Config;
    const NAME: &'static str = "still-vanishing";
    const QUESTION: &'static str = "Why do my LSTM gradients still vanish?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = report::CLAIMS;

    fn check(config: &Config) -> Result<(), ConfigError> {
        config.task.check()?;
        config.training.check()?;
        let counts = [
            ("seeds", config.seeds as usize, 1_000),
            ("asked_hidden", config.asked_hidden, 1_024),
            ("probes", config.probes, 1_000),
        ];
        ConfigError::unless(
            config.burn_in <= 100_000,
            "burn_in",
            config.burn_in,
            "it must be at most 100000",
        )?;
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
        let forget = &config.forget;
        let good = |f: &Forget| match f {
            Forget::Bias(bias) => (-20.0..=20.0).contains(bias),
            Forget::Chrono => true,
        };
        ConfigError::unless(
            forget.contains(&NONE)
                && forget.contains(&ONE)
                && unlike(forget)
                && forget.iter().all(good),
            "forget",
            forget,
            "it must list different starts, biases from -20 to 20, with those of 0 and 1 which claims are judged by",
        )?;
        let lengths = &config.lengths;
        ConfigError::unless(
            !lengths.is_empty()
                && lengths.windows(2).all(|t| t[0] < t[1])
                && lengths.iter().all(|t| (20..=100_000).contains(t)),
            "lengths",
            lengths,
            "it must list lengths from 20 to 100000 in ascending order",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// Rates are over so many steps, or all if there are fewer.
const RATE_STEPS: usize = 100;
/// How far and how often curves are kept.
const CURVE: (usize, usize) = (100, 5);

// ANCHOR: published
/// ∂c_t/∂c_0 for t = 1 … 20 as they were printed in the issue 16151 of
/// keras-team/keras, 2022.
pub const PUBLISHED: [f64; 20] = [
    0.3665247, 0.26928115, 0.1976515, 0.14535545, 0.10950759, 0.08470534,
    0.06685485, 0.05372887, 0.04372946, 0.03605935, 0.03003456, 0.02522282,
    0.0212584, 0.0179563, 0.01519926, 0.01289501, 0.01096781, 0.00932435,
    0.00791104, 0.00670664,
];
// ANCHOR_END: published

/// One thing to measure of a seed's networks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    /// Of a network like the one that was asked about, step by step: by all paths as it was printed there, by the
    /// direct path likewise, then ‖∂c_t/∂c_0‖_F / √H by all paths.
    Asked,
    /// Half-lives by the direct path and by all, rates likewise; then the curves of both.
    Start {
        /// H.
        hidden: usize,
        /// How it starts.
        forget: Forget,
        /// T.
        length: usize,
    },
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    conditions: Vec<Condition>,
    /// What is trained, at which width.
    trainings: Vec<(usize, Forget)>,
    /// By which it is asked whether the task is solved.
    test: Batch,
}

impl Recorded for StillVanishing {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let Config { widths, forget, lengths, .. } = config;
        let (first, longest) = (widths[0], lengths[lengths.len() - 1]);
        let start = |hidden, forget, length| Condition::Start {
            hidden,
            forget,
            length,
        };
        let mut conditions = vec![Condition::Asked];
        for &hidden in &widths[1..] {
            conditions.push(start(hidden, ONE, RATE_STEPS));
        }
        // The longest first: what comes last is what tests replay.
        for &forget in forget {
            match forget {
                Forget::Bias(_) => {
                    conditions.push(start(first, forget, longest))
                }
                Forget::Chrono => conditions.extend(
                    lengths.iter().rev().map(|&t| start(first, forget, t)),
                ),
            }
        }
        let wide = widths[1..].iter().map(|&hidden| (hidden, ONE));
        let trainings = forget.iter().map(|&forget| (first, forget));
        let rng = Rng::new(config.seed);
        let (training, task) = (&config.training, &config.task);
        Networks {
            conditions,
            trainings: trainings.chain(wide).collect(),
            test: task.batch(training.test, &mut rng.stream("test")),
            config: config.clone(),
        }
    }
}

/// Which run.
enum Which {
    /// The training of this number, and its run from 1.
    Training(usize, u64),
    /// From 1.
    Seed(u64),
}

impl Networks {
    fn which(&self, run: usize) -> Which {
        let seeds = self.config.seeds as usize;
        let number = (run % seeds) as u64 + 1;
        if run < self.trainings.len() * seeds {
            Which::Training(run / seeds, number)
        } else {
            Which::Seed(number)
        }
    }
}

/// What a training is called.
fn training_key((hidden, forget): (usize, Forget)) -> String {
    format!("h{hidden}_{}", forget.key())
}

impl Runs for Networks {
    type Run<'a> = Work<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let seeds = self.config.seeds;
        let keys = self.trainings.iter().map(|&t| training_key(t));
        keys.chain(["seed".to_owned()])
            .flat_map(|key| {
                (1..=seeds).map(move |seed| format!("{key} {seed}"))
            })
            .collect()
    }
    fn units(&self, run: usize) -> u64 {
        match self.which(run) {
            Which::Training(..) => self.config.training.updates,
            Which::Seed(_) => self.conditions.len() as u64,
        }
    }
    fn start(&self, run: usize) -> Work<'_> {
        let rng = Rng::new(self.config.seed);
        match self.which(run) {
            Which::Training(training, run) => {
                let rng = rng.stream(&format!("run {run}"));
                Either::Left(Training::start(self, training, rng))
            }
            Which::Seed(seed) => {
                let rng = rng.stream(&format!("seed {seed}"));
                Either::Right(OneByOne::new(Seed { networks: self, rng }))
            }
        }
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// A training, or the untrained networks of a seed.
pub type Work<'a> = Either<Training<'a>, OneByOne<Seed<'a>>>;

/// What a run gave: a training; or of each condition the numbers that it says.
pub type Outcome = Either<Trained, Vec<Vec<f64>>>;

/// What a training gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trained {
    /// At the start.
    pub start: Reach,
    /// At the end.
    pub end: Reach,
    /// How many updates it took, or was given.
    pub updates: u64,
    /// Whether it has solved its task.
    pub solved: bool,
    /// The share of test sequences that is answered rightly.
    pub right: f64,
    /// A hash of the weights at the end.
    pub weights: Hash,
}

/// How far ∂c_t/∂c_0 of a network reaches, along sequences of its task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// The mean of what goes into the forget gates.
    pub bias: f64,
    /// Half-lives by the direct path and by all, in steps; infinite if it takes more than there are.
    pub half_lives: [f64; 2],
    /// Growth by the direct path and by all, in decades per 100 steps.
    pub rates: [f64; 2],
}

/// What is known of a training besides its weights.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Learnt {
    start: Reach,
    standing: Standing,
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Learnt);
    type Outcome = Trained;

    fn advance(&mut self) -> ControlFlow<()> {
        self.learner.update()
    }
    fn save(&self) -> Self::Saved {
        let (trainer, standing) = self.learner.save();
        (trainer, Learnt { start: self.start, standing })
    }
    fn restore(
        &mut self,
        (trainer, learnt): Self::Saved,
    ) -> Result<(), String> {
        self.start = learnt.start;
        self.learner.restore((trainer, learnt.standing))
    }
    fn outcome(&self) -> Trained {
        let Training { learner, probe, start } = self;
        Trained {
            start: *start,
            end: reach(learner, probe),
            updates: learner.updates(),
            solved: learner.standing.solved,
            right: learner.standing.right,
            weights: Hash::of_weights(&learner.trainer),
        }
    }
}

/// A training, and where it began.
#[derive(Debug)]
pub struct Training<'a> {
    learner: Learner<'a>,
    /// Sequences that it is measured along, (T, B, I).
    probe: Array3<f64>,
    start: Reach,
}

/// The first T steps of sequences of the adding problem, (T, B, 2).
fn inputs(
    task: Adding,
    steps: usize,
    count: usize,
    rng: &mut Rng,
) -> Array3<f64> {
    let task = Adding { steps, ..task };
    let mut x = Array3::zeros((steps, count, task.inputs()));
    for mut x in x.axis_iter_mut(Axis(1)) {
        let sequence = task.sequence(rng).x;
        x.assign(&sequence.slice_axis(Axis(0), Slice::from(..steps)));
    }
    x
}

// ANCHOR: half_life
/// The first lag at which a curve of logarithms, from lag 1 on, is at most
/// half of what it was at lag 0, which is 1.
pub fn half_life(decades: &[f64]) -> f64 {
    let from_0 = [&[0.0], decades].concat();
    let half =
        statistics::half_life(ndarray::aview1(&from_0).insert_axis(Axis(0)));
    half.map_or(f64::INFINITY, |lag| lag as f64)
}
// ANCHOR_END: half_life

/// How far ∂c_t/∂c_k reaches along one sequence from a step k on: the curves by the direct path and by all.
fn curves(driven: &DrivenLstm, sequence: usize, from: usize) -> [Vec<f64>; 2] {
    let mut curves = [vec![], vec![]];
    driven.follow(sequence, from, 0, |paths| {
        curves[0].push(paths.log10_up_to(0));
        curves[1].push(paths.log10_total());
    });
    curves
}

/// Decades per 100 steps.
fn rate(curve: &[f64]) -> f64 {
    let steps = curve.len().min(RATE_STEPS);
    100.0 * curve[steps - 1] / steps as f64
}

fn reach(learner: &Learner<'_>, probe: &Array3<f64>) -> Reach {
    let driven = DrivenLstm::of_learner(learner, probe.view());
    let all: Vec<[Vec<f64>; 2]> =
        (0..probe.dim().1).map(|n| curves(&driven, n, 0)).collect();
    let middle = |of: fn(&[f64]) -> f64, path: usize| {
        spread(all.iter().map(|curves| of(&curves[path])).collect())[1]
    };
    Reach {
        bias: driven.mean_forget_logit(),
        half_lives: [middle(half_life, 0), middle(half_life, 1)],
        rates: [middle(rate, 0), middle(rate, 1)],
    }
}

impl<'a> Training<'a> {
    /// Its random streams depend on the seed and the run alone: in a run, all trainings see the same batches and
    /// those of a width start from the same random numbers.
    fn start(networks: &'a Networks, training: usize, rng: Rng) -> Self {
        let Networks { config, trainings, test, .. } = networks;
        let Config { task, training: schedule, probes, .. } = config;
        let (hidden, forget) = trainings[training];
        let network =
            Network::new(Cell::Lstm, task.inputs(), hidden, task.outputs());
        let weights = rng.stream("weights");
        let start = forget.parameters(&network, task.steps, &weights);
        let lesson = Lesson { task, test, budget: schedule.budget() };
        let batches = rng.stream("batches");
        let trainer = schedule.trainer();
        let learner = Learner::new(lesson, network, &trainer, start, batches);
        let mut sequences = rng.stream("probe");
        let probe = inputs(*task, task.steps, *probes, &mut sequences);
        let start = reach(&learner, &probe);
        Training { learner, probe, start }
    }
}

/// The untrained networks of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    networks: &'a Networks,
    rng: Rng,
}

impl Measure for Seed<'_> {
    type Found = Vec<f64>;

    fn count(&self) -> usize {
        self.networks.conditions.len()
    }
    fn measure(&mut self, number: usize) -> Vec<f64> {
        match self.networks.conditions[number] {
            Condition::Asked => {
                asked(self.networks.config.asked_hidden, &self.rng)
            }
            Condition::Start { hidden, forget, length } => {
                self.start(hidden, forget, length)
            }
        }
    }
}

impl Seed<'_> {
    fn start(&self, hidden: usize, forget: Forget, length: usize) -> Vec<f64> {
        let task = self.networks.config.task;
        let network =
            Network::new(Cell::Lstm, task.inputs(), hidden, task.outputs());
        let weights = self.rng.stream(&format!("weights {hidden}"));
        let parameters = forget.parameters(&network, length, &weights);
        let burn_in = self.networks.config.burn_in;
        let mut sequences = self.rng.stream(&format!("sequence {length}"));
        let x = inputs(task, burn_in + length, 1, &mut sequences);
        let driven =
            DrivenLstm::of_layer(&network.layer, &parameters, x.view());
        let curves = curves(&driven, 0, burn_in);
        let [direct, total] = &curves;
        let mut all = vec![
            half_life(direct),
            half_life(total),
            rate(direct),
            rate(total),
        ];
        let (far, every) = CURVE;
        for curve in &curves {
            let kept = curve[..far.min(length)].chunks_exact(every);
            all.extend(kept.map(|lags| lags[every - 1]));
        }
        all
    }
}

// ANCHOR: asked
/// ∂c_t/∂c_0 of a network like the one of the question, step by step: as
/// Keras starts it, from a random state, on random embeddings.
///
/// What was printed is the mean over units j of |Σ_i ∂c_{t,i}/∂c_{0,j}|:
/// a gradient of a vector is there the gradient of its sum.
pub fn asked(hidden: usize, rng: &Rng) -> Vec<f64> {
    let (inputs, steps) = (100, PUBLISHED.len());
    let mut w_ih = Array2::<f64>::zeros((4 * hidden, inputs));
    let mut w_hh = Array2::zeros((4 * hidden, hidden));
    let glorot = Init::Xavier { gain: 1.0 };
    glorot.fill(w_ih.view_mut(), hidden, &mut rng.stream("w_ih"));
    // There all four gates' weights are one matrix, whose rows are
    // orthonormal; here, where it stands the other way, its columns.
    let orthogonal = Init::Orthogonal { gain: 1.0 };
    orthogonal.fill(w_hh.view_mut(), 4 * hidden, &mut rng.stream("w_hh"));
    let mut embedding = rng.stream("embedding");
    let mut sums = Array3::zeros((steps, 1, 4 * hidden));
    for mut sums in sums.rows_mut() {
        let x: Vec<f64> =
            (0..inputs).map(|_| embedding.uniform_in(-0.05, 0.05)).collect();
        for (unit, (z, w)) in sums.iter_mut().zip(w_ih.rows()).enumerate() {
            let terms: Vec<f64> =
                w.iter().zip(&x).map(|(w, x)| w * x).collect();
            let forget = (hidden..2 * hidden).contains(&unit);
            *z = slice::sum(&terms) + if forget { 1.0 } else { 0.0 };
        }
    }
    let mut state = rng.stream("state");
    let start =
        Array2::from_shape_simple_fn((1, 2 * hidden), || state.uniform());
    let lstm = DrivenLstm::run(w_hh, sums, start.view());
    let printed = |j: &Array2<f64>| {
        let column = |column: ndarray::ArrayView1<'_, f64>| {
            slice::sum(&column.to_vec()).abs()
        };
        let sums: Vec<f64> = j.columns().into_iter().map(column).collect();
        slice::sum(&sums) / hidden as f64
    };
    let mut all = [vec![], vec![], vec![]];
    lstm.follow(0, 0, 0, |paths| {
        all[0].push(printed(&paths.total()));
        all[1].push(printed(&paths.up_to(0)));
        all[2].push(paths.log10_total());
    });
    all.concat()
}
// ANCHOR_END: asked

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Silent;
    use std::f64::consts::LOG10_2;

    fn small() -> Config {
        Config {
            seeds: 2,
            widths: vec![5, 4],
            lengths: vec![20, 30],
            burn_in: 3,
            asked_hidden: 6,
            task: Adding { steps: 20, ..Config::default().task },
            training: Schedule {
                updates: 4,
                ask_every: 2,
                batch: 2,
                test: 3,
                ..Schedule::default()
            },
            probes: 1,
            ..Config::default()
        }
    }

    #[test]
    fn every_figure_and_claim_has_its_data() {
        let report = StillVanishing::run(&small(), &Silent);
        for figure in StillVanishing::FIGURES {
            (figure.draw)(&report).expect(figure.name);
        }
        for claim in StillVanishing::CLAIMS {
            claim.judge(&report).expect(claim.id);
        }
    }

    #[test]
    fn chrono_draws_what_its_paper_says() {
        let network = Network::new(Cell::Lstm, 2, 200, 1);
        let of = |forget: Forget| {
            forget.parameters::<f64>(&network, 101, &Rng::new(1))
        };
        let (chrono, other) = (of(Forget::Chrono), of(ONE));
        let w = network.layer.views(&chrono);
        let sum = &w.b_ih + &w.b_hh;
        let forget: Vec<f64> =
            sum.row(0).iter().skip(200).take(200).copied().collect();
        for (unit, b) in forget.iter().enumerate() {
            assert_eq!(sum[[0, unit]], -b);
            // u from 1 to 100.
            assert!((0.0..=Real::ln(100.0)).contains(b));
        }
        let times: Vec<f64> = forget.iter().map(|b| Real::exp(*b)).collect();
        // The mean of 200 of them is within three of its errors of 50.5.
        let mean = slice::sum(&times) / 200.0;
        assert!((mean - 50.5).abs() < 6.1, "{mean}");
        // Nothing else differs.
        let others = network.layer.views(&other);
        assert_eq!(w.w_hh, others.w_hh);
        let rest = Slice::from(400..);
        let rest = |b: &ndarray::ArrayView2<'_, f64>| {
            b.slice_axis(Axis(1), rest).to_owned()
        };
        assert_eq!(rest(&w.b_ih), rest(&others.b_ih));
    }

    /// At the first step there is no other path yet.
    #[test]
    fn the_first_derivative_is_the_forget_gate() {
        let of = asked(10, &Rng::new(1));
        assert!((of[0] - of[20]).abs() < 1e-15);
        assert!(of[19] != of[39]);
    }

    #[test]
    fn half_lives() {
        assert_eq!(half_life(&[-0.1, -LOG10_2, -1.0]), 2.0);
        assert_eq!(half_life(&[-0.1, -0.2, -0.3]), f64::INFINITY);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let bad = [
            (Config { widths: vec![], ..small() }, "`widths` is []"),
            (Config { lengths: vec![50, 50], ..small() }, "`lengths`"),
            (Config { forget: vec![ONE], ..small() }, "`forget`"),
            (Config { probes: 0, ..small() }, "`probes` is 0, but"),
        ];
        for (config, message) in bad {
            let error = StillVanishing::check(&config).expect_err(message);
            assert!(error.0.contains(message), "{error}");
        }
    }
}
