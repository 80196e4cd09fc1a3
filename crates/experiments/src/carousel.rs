//! The carousel: on which path does the gradient of an LSTM travel?
//!
//! ∂c_T/∂c_k is followed along trajectories by the direct path, the product of forget gates, by all paths, and by those
//! with at most so many detours through h. Untrained LSTMs run on noise, at pairs of forget bias and gain that
//! make up a map of where the gradient vanishes and where it explodes; a plain network runs beside them. Others are
//! trained on temporal order, from several places on that map, and drawn on it as they go.
//!
//! One functional for all: ‖J_cc‖_F / √H, in decades per 100 steps. Beside it stand the two of an earlier
//! measurement, the growth of one random direction and the product of forget gates of the unit that keeps most.

mod claims;
mod figures;
mod report;

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::law_of_the_product::{Activation, Plain};
use crate::learner::{Learner, Lesson, Schedule, Standing};
use crate::lstm_paths::{DrivenLstm, gain, input_of};
use crate::protocol::Claim;
use crate::runs::{
    Either, Hash, Measure, OneByOne, Recorded, Run, Runs, run_all,
};
use crate::summary::spread;
use crate::tasks::{Batch, Definition, Task, TemporalOrder};
use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, slice};
use longlag_probe::Trajectory;
use longlag_probe::paths::Paths;
use longlag_report::Report;
use longlag_train::Checkpoint;
use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};
use std::f64::consts::LOG10_E;
use std::ops::ControlFlow;

/// The config of [`Carousel`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many untrained networks of each kind.
    pub seeds: u64,
    /// H. All is measured at the first, what claims are judged by at all of them.
    pub widths: Vec<usize>,
    /// The standard deviation of the noise on each sum.
    pub noise: f64,
    /// Steps before the measurement.
    pub burn_in: usize,
    /// Steps of the measurement.
    pub steps: usize,
    /// How many detours paths are told apart by.
    pub detours: usize,
    /// The forget biases of the map.
    pub biases: Vec<f64>,
    /// The gains of the map.
    pub gains: Vec<f64>,
    /// The task.
    pub task: TemporalOrder,
    /// The places on the map from which networks are trained.
    pub starts: Vec<Place>,
    /// How many networks from each.
    pub runs: u64,
    /// How they are trained.
    pub training: Schedule,
    /// After how many updates it is looked where on the map they are, besides the end.
    pub looks: Vec<u64>,
    /// Along so many sequences.
    pub probes: usize,
}

/// A place on the map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The forget gates' bias.
    pub bias: f64,
    /// g: recurrent weights from N(0, g²/H).
    pub gain: f64,
}

impl Place {
    /// What facts of it begin with.
    fn key(self) -> String {
        let Place { bias, gain } = self;
        format!("b{bias}_g{gain}").replace('.', "_").replace('-', "minus_")
    }
}

/// Where the claims are judged: the forget bias that is recommended most, and the spread of the recurrent weights
/// that PyTorch draws, 1/√3.
pub const USUAL: Place = Place { bias: 1.0, gain: 0.577 };

impl Default for Config {
    fn default() -> Self {
        let place = |bias, gain| Place { bias, gain };
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![32, 64],
            noise: 0.5,
            burn_in: 50,
            steps: 100,
            detours: 60,
            biases: (-2..=12).map(|b| f64::from(b) / 2.0).collect(),
            gains: vec![
                0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0,
            ],
            task: TemporalOrder {
                definition: Definition::Pascanu2013,
                symbols: 2,
                steps: 30,
            },
            starts: vec![
                place(0.0, 0.577),
                USUAL,
                place(4.0, 0.577),
                place(1.0, 4.0),
            ],
            runs: 10,
            training: Schedule::default(),
            looks: vec![0, 50, 100, 200, 300, 500, 800, 1200, 1600],
            probes: 3,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct Carousel;

impl Experiment for Carousel {
    type Config = Config;
    const NAME: &'static str = "carousel";
    const QUESTION: &'static str =
        "On which path does the gradient of an LSTM travel?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        config.task.check()?;
        config.training.check()?;
        let same = config.task.lengths();
        ConfigError::unless(
            same.start() == same.end(),
            "task",
            config.task,
            "all its sequences must have the same length, as in 2013",
        )?;
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("runs", config.runs as usize, 1, 1_000),
            ("burn_in", config.burn_in, 0, 100_000),
            ("steps", config.steps, LAG_STEP, 100_000),
            ("detours", config.detours, 0, 1_000),
            ("probes", config.probes, 1, 1_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let widths = &config.widths;
        ConfigError::unless(
            !widths.is_empty()
                && unlike(widths)
                && widths.iter().all(|h| (2..=1024).contains(h)),
            "widths",
            widths,
            "it must list different widths from 2 to 1024",
        )?;
        ConfigError::unless(
            (0.0..=100.0).contains(&config.noise),
            "noise",
            config.noise,
            "it must be from 0 to 100",
        )?;
        let Config { biases, gains, starts, .. } = config;
        let ascending = |of: &[f64]| of.windows(2).all(|x| x[0] < x[1]);
        let good_bias = |b: f64| (-20.0..=20.0).contains(&b);
        let good_gain = |g: f64| (1e-3..=1e3).contains(&g);
        ConfigError::unless(
            biases.len() > 1
                && ascending(biases)
                && biases.iter().all(|&b| good_bias(b)),
            "biases",
            biases,
            "it must list two or more from -20 to 20 in ascending order",
        )?;
        ConfigError::unless(
            gains.len() > 1
                && ascending(gains)
                && gains.iter().all(|&g| good_gain(g)),
            "gains",
            gains,
            "it must list two or more from 0.001 to 1000 in ascending order",
        )?;
        ConfigError::unless(
            starts.contains(&USUAL)
                && unlike(starts)
                && starts
                    .iter()
                    .all(|s| good_bias(s.bias) && good_gain(s.gain)),
            "starts",
            starts,
            "it must list different ones, biases from -20 to 20, gains from 0.001 to 1000, with that of bias 1 and \
             gain 0.577 which claims are judged by",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

/// Along a trajectory, what has arrived is kept at every so manieth lag.
const LAG_STEP: usize = 5;
/// The places of the earlier measurement.
const ONCE: [Place; 6] = [
    Place { bias: 0.0, gain: 0.577 },
    USUAL,
    Place { bias: 1.0, gain: 1.0 },
    Place { bias: 1.0, gain: 8.0 },
    Place { bias: 3.0, gain: 1.0 },
    Place { bias: 3.0, gain: 8.0 },
];
/// The place that was measured at a second width too.
const WIDE: Place = ONCE[3];
/// What is drawn lag by lag: the paths with at most so many detours.
const DRAWN: [usize; 6] = [0, 1, 2, 4, 8, 16];

/// One thing to measure of a seed's networks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    /// By the direct path, by all, and of the plain network of the same gain: decades per 100 steps.
    Usual(usize),
    /// By both functionals, the direct path and all; then all up to each number of detours; then that of each number
    /// in [`DRAWN`] and all, lag by lag.
    Once(Place),
    /// By both functionals, the direct path and all.
    Wide(usize),
    /// By the direct path and by all: decades per 100 steps.
    Map(Place),
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    conditions: Vec<Condition>,
    /// What is trained from where, at which width.
    trainings: Vec<(usize, Place)>,
    /// By which it is asked whether the task is solved.
    test: Batch,
}

impl Recorded for Carousel {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        let Config { widths, biases, gains, starts, .. } = config;
        let first = widths[0];
        let mut conditions: Vec<Condition> =
            widths.iter().map(|&h| Condition::Usual(h)).collect();
        let wide = widths.iter().skip(1);
        conditions.extend(wide.map(|&h| Condition::Wide(h)));
        conditions.extend(ONCE.map(Condition::Once));
        for &bias in biases {
            let place = |&gain: &f64| Condition::Map(Place { bias, gain });
            conditions.extend(gains.iter().map(place));
        }
        let wide = widths.iter().skip(1).map(|&h| (h, USUAL));
        let trainings = starts.iter().map(|&place| (first, place));
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
        let runs = self.config.runs as usize;
        let trained = self.trainings.len() * runs;
        if run < trained {
            Which::Training(run / runs, (run % runs) as u64 + 1)
        } else {
            Which::Seed((run - trained) as u64 + 1)
        }
    }
}

/// What a training is called.
fn training_key(hidden: usize, place: Place) -> String {
    format!("h{hidden}_{}", place.key())
}

impl Runs for Networks {
    type Run<'a> = Work<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let Config { seeds, runs, .. } = self.config;
        let training = |&(hidden, place): &(usize, Place)| {
            let key = training_key(hidden, place);
            (1..=runs).map(move |run| format!("{key} {run}"))
        };
        let trainings = self.trainings.iter().flat_map(training);
        trainings.chain((1..=seeds).map(|s| format!("seed {s}"))).collect()
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
    /// Where on the map it was, the end last.
    pub looks: Vec<Look>,
    /// Whether it has solved its task.
    pub solved: bool,
    /// A hash of the weights at the end.
    pub weights: Hash,
}

/// Where a network in training is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Look {
    /// After how many updates.
    pub update: u64,
    /// The mean of what goes into the forget gates, on data.
    pub bias: f64,
    /// The gain of its recurrent weights.
    pub gain: f64,
    /// ∂c_T/∂c_0 by the direct path, on data, in decades per 100 steps.
    pub direct: f64,
    /// The same by all paths.
    pub total: f64,
    /// The share of test sequences that is answered rightly.
    pub right: f64,
}

/// What is known of a training besides its weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learnt {
    looks: Vec<Look>,
    standing: Standing,
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Learnt);
    type Outcome = Trained;

    fn advance(&mut self) -> ControlFlow<()> {
        let ends = self.learner.update();
        let due = self.config.looks.contains(&self.learner.updates());
        if ends.is_break() || (due && self.is_watched()) {
            self.look();
        }
        ends
    }
    fn save(&self) -> Self::Saved {
        let (trainer, standing) = self.learner.save();
        (trainer, Learnt { looks: self.looks.clone(), standing })
    }
    fn restore(
        &mut self,
        (trainer, learnt): Self::Saved,
    ) -> Result<(), String> {
        self.looks = learnt.looks;
        self.learner.restore((trainer, learnt.standing))
    }
    fn outcome(&self) -> Trained {
        Trained {
            looks: self.looks.clone(),
            solved: self.learner.standing.solved,
            weights: Hash::of_weights(&self.learner.trainer),
        }
    }
}

/// A training, with what has been seen of it.
#[derive(Debug)]
pub struct Training<'a> {
    config: &'a Config,
    learner: Learner<'a>,
    /// Sequences that it is looked at along, (T, B, I).
    probe: Array3<f64>,
    looks: Vec<Look>,
}

impl<'a> Training<'a> {
    /// Its random streams depend on the seed and the run alone: in a run, all trainings see the same batches and
    /// those of a width start from the same random numbers.
    fn start(networks: &'a Networks, training: usize, rng: Rng) -> Self {
        let Networks { config, trainings, test, .. } = networks;
        let Config { task, training: schedule, .. } = config;
        let (hidden, Place { bias, gain }) = trainings[training];
        let network =
            Network::new(Cell::Lstm, task.inputs(), hidden, task.outputs());
        let start = Initialisation {
            recurrent: Init::Gaussian { gain },
            bias: Init::Zero,
            forget_bias: Some(bias),
            ..Initialisation::default()
        };
        let start = network.parameters(&start, &rng.stream("weights"));
        let batches = rng.stream("batches");
        let probe = task.batch(config.probes, &mut rng.stream("probe"));
        let lesson = Lesson { task, test, budget: schedule.budget() };
        let trainer = schedule.trainer();
        let learner = Learner::new(lesson, network, &trainer, start, batches);
        let probe = input_of(&probe);
        let mut training = Training { config, learner, probe, looks: vec![] };
        if training.is_watched() && config.looks.contains(&0) {
            training.look();
        }
        training
    }

    /// At the other widths only the end counts.
    fn is_watched(&self) -> bool {
        self.learner.model.layer.hidden == self.config.widths[0]
    }

    // ANCHOR: look
    fn look(&mut self) {
        let learner = &self.learner;
        let driven = DrivenLstm::of_learner(learner, self.probe.view());
        let (steps, sequences, _) = self.probe.dim();
        let reach: Vec<[f64; 2]> =
            (0..sequences).map(|n| driven.reach(n, 0)).collect();
        let rate = |path: usize| {
            let decades = reach.iter().map(|reach| reach[path]).collect();
            100.0 * spread(decades)[1] / steps as f64
        };
        let weights = learner.trainer.parameters.map(f64::from);
        let w = learner.model.layer.views(&weights);
        self.looks.push(Look {
            update: learner.updates(),
            bias: driven.mean_forget_logit(),
            gain: gain(w.w_hh),
            direct: rate(0),
            total: rate(1),
            right: learner.standing.right,
        });
    }
    // ANCHOR_END: look
}

/// The untrained networks of a seed.
#[derive(Debug)]
pub struct Seed<'a> {
    networks: &'a Networks,
    rng: Rng,
}

/// From the normal distribution.
fn normals(shape: [usize; 3], deviation: f64, mut rng: Rng) -> Array3<f64> {
    Array3::from_shape_simple_fn(shape, || deviation * rng.normal())
}

impl Measure for Seed<'_> {
    type Found = Vec<f64>;

    fn count(&self) -> usize {
        self.networks.conditions.len()
    }
    fn measure(&mut self, number: usize) -> Vec<f64> {
        match self.networks.conditions[number] {
            Condition::Usual(hidden) => self.usual(hidden),
            Condition::Once(place) => self.once(place),
            Condition::Wide(hidden) => {
                self.functionals(&self.paths(WIDE, hidden, 0, |_| {}))
            }
            Condition::Map(place) => {
                let first = self.networks.config.widths[0];
                self.rates(&self.paths(place, first, 0, |_| {}))
            }
        }
    }
}

impl Seed<'_> {
    /// The stream of what has to do with this width.
    fn stream(&self, what: &str, hidden: usize) -> Rng {
        self.rng.stream(&format!("{what} {hidden}"))
    }

    // ANCHOR: paths
    /// The paths of an LSTM on noise after the steps of the measurement.
    /// At all places of the map, a seed has the same random numbers.
    fn paths(
        &self,
        place: Place,
        hidden: usize,
        most: usize,
        each: impl FnMut(&Paths),
    ) -> Paths {
        let Config { noise, burn_in, steps, .. } = self.networks.config;
        let shape = [burn_in + steps, 1, 4 * hidden];
        let noise = normals(shape, noise, self.stream("noise", hidden));
        let mut weights = self.stream("weights", hidden);
        let Place { bias, gain } = place;
        let lstm = DrivenLstm::on_noise(bias, gain, noise.view(), &mut weights);
        lstm.follow(0, burn_in, most, each)
    }
    // ANCHOR_END: paths

    /// By the direct path and by all, in decades per 100 steps.
    fn rates(&self, paths: &Paths) -> Vec<f64> {
        let per_100 = 100.0 / self.networks.config.steps as f64;
        vec![per_100 * paths.log10_up_to(0), per_100 * paths.log10_total()]
    }

    // ANCHOR: functionals
    /// What has become of the state c in all directions, by the direct
    /// path and by all; then, as measured earlier, by the direct path of
    /// the unit that keeps most, and by all paths in a random direction.
    fn functionals(&self, paths: &Paths) -> Vec<f64> {
        let mut all = self.rates(paths);
        let per_100 = 100.0 / self.networks.config.steps as f64;
        let mut push = |x: f64| all.push(per_100 * LOG10_E * Real::ln(x));
        let kept = paths.up_to(0);
        push(kept.diag().iter().fold(0.0, |most: f64, f| most.max(f.abs())));
        let mut rng = self.stream("direction", kept.nrows());
        let v: Vec<f64> = (0..kept.nrows()).map(|_| rng.normal()).collect();
        let total = paths.total();
        let moved = total.rows().into_iter().map(|row| {
            let terms = row.iter().zip(&v).map(|(j, v)| j * v);
            slice::sum(&terms.collect::<Vec<_>>())
        });
        let moved: Vec<f64> = moved.collect();
        push(slice::norm(&moved) / slice::norm(&v));
        all
    }
    // ANCHOR_END: functionals

    fn once(&self, place: Place) -> Vec<f64> {
        let Config { detours, ref widths, .. } = self.networks.config;
        let (mut lag, mut along) = (0, vec![]);
        let paths = self.paths(place, widths[0], detours, |paths| {
            lag += 1;
            if lag % LAG_STEP == 0 {
                let drawn = DRAWN.iter().filter(|&&d| d <= detours);
                along.extend(drawn.map(|&d| paths.log10_up_to(d)));
                along.push(paths.log10_total());
            }
        });
        let mut all = self.functionals(&paths);
        all.extend((0..=detours).map(|d| paths.log10_up_to(d)));
        all.extend(along);
        all
    }

    fn usual(&self, hidden: usize) -> Vec<f64> {
        let mut all = self.rates(&self.paths(USUAL, hidden, 0, |_| {}));
        let Config { noise, burn_in, steps, .. } = self.networks.config;
        let shape = [burn_in + steps, 1, hidden];
        let noise = normals(shape, noise, self.stream("plain noise", hidden));
        let mut u = Array2::zeros((hidden, hidden));
        let mut weights = self.stream("plain weights", hidden);
        let start = Init::Gaussian { gain: USUAL.gain };
        start.fill(u.view_mut(), hidden, &mut weights);
        let plain = Plain { activation: Activation::Tanh, u };
        let start = Array2::zeros((1, hidden));
        let trajectory = Trajectory::run(&plain, noise, start.view());
        // There is one path only: no column is a detour's.
        let mut paths = Paths::new(hidden, 0..hidden, hidden..hidden, 0);
        for j in trajectory.jacobians(&plain, 0).skip(burn_in) {
            paths.advance(j.view());
        }
        all.push(self.rates(&paths)[1]);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Silent;

    fn small() -> Config {
        Config {
            seeds: 2,
            widths: vec![6, 4],
            burn_in: 3,
            steps: 10,
            detours: 10,
            biases: vec![-1.0, 1.0, 3.0],
            gains: vec![0.5, 1.0, 4.0, 16.0],
            task: TemporalOrder { steps: 20, ..Config::default().task },
            runs: 2,
            training: Schedule {
                updates: 4,
                ask_every: 2,
                batch: 2,
                test: 3,
                ..Schedule::default()
            },
            looks: vec![0, 3],
            probes: 1,
            ..Config::default()
        }
    }

    #[test]
    fn every_figure_and_claim_has_its_data() {
        let report = Carousel::run(&small(), &Silent);
        for figure in Carousel::FIGURES {
            (figure.draw)(&report).expect(figure.name);
        }
        for claim in Carousel::CLAIMS {
            let finding = claim.judge(&report).expect(claim.id);
            let at_least = small().widths.len();
            assert!(finding.contrasts.len() >= at_least, "{}", claim.id);
        }
    }

    /// As many steps have at most as many detours: then all paths are told apart.
    #[test]
    fn all_detours_are_all_paths() {
        let config = small();
        let networks = Carousel::runs(&config);
        let seed = Seed { networks: &networks, rng: Rng::new(1) };
        let place = Place { bias: 1.0, gain: 4.0 };
        let paths = seed.paths(place, 6, 10, |_| {});
        let apart = paths.log10_up_to(10) - paths.log10_total();
        assert!(apart.abs() < 1e-12, "{apart:e}");
        // The direct path alone is the product of forget gates: below 1.
        assert!(paths.log10_up_to(0) < 0.0);
        assert!(paths.log10_up_to(0) != paths.log10_total());
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let of_1997 = TemporalOrder {
            definition: Definition::Hochreiter1997,
            ..small().task
        };
        let bad = [
            (Config { widths: vec![], ..small() }, "`widths` is []"),
            (Config { gains: vec![2.0, 1.0], ..small() }, "`gains`"),
            (Config { steps: 1, ..small() }, "`steps` is 1, but"),
            (Config { task: of_1997, ..small() }, "the same length"),
            (Config { starts: vec![ONCE[0]], ..small() }, "`starts`"),
        ];
        for (config, message) in bad {
            let error = Carousel::check(&config).expect_err(message);
            assert!(error.0.contains(message), "{error}");
        }
    }
}
