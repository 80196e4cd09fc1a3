//! The law of the product: what decides whether a long product of Jacobians shrinks or grows.
//!
//! ∂h_T/∂h_0 is a product of T Jacobians diag(φ′)·U. Networks that were never trained run on noise, and the rate
//! at which tangents grow along them is measured in decades per 100 steps: against the gain of U, for three
//! activations, several starts and several levels of noise. Beside it stand the bounds, the eigenvalue, the
//! exponents of the limit, and the same product in numbers of 32 and of 64 bits. An LSTM runs for comparison.
//!
//! A run is a seed; it goes through all conditions, which share its random numbers and so are paired.

mod claims;
mod figures;
mod network;
mod report;

pub(crate) use network::driven;
pub use network::{Activation, NoisyLstm, Plain};

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::protocol::Claim;
use crate::runs::{Measure, OneByOne, Recorded, Runs, run_all};
use longlag_cells::init::{Init, spectral_radius};
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Real, Scalar, slice};
use longlag_probe::growth::{
    DECADES_PER_100_STEPS, GrowthProbe, LyapunovProbe,
};
use longlag_probe::products::singular_values;
use longlag_probe::{OnTape, RecurrentStep, Trajectory};
use longlag_report::Report;
use ndarray::{Array, Array2, Array3, Axis, ShapeBuilder, Slice};
use network::matrix;
use serde::{Deserialize, Serialize};
use std::f64::consts::{LOG10_E, SQRT_2};

/// The config of [`LawOfTheProduct`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many networks of each kind.
    pub seeds: u64,
    /// H; what is measured at one width only is measured at the first.
    pub widths: Vec<usize>,
    /// The gains g of the sweep: entries of U from N(0, g²/H).
    pub gains: Vec<f64>,
    /// The standard deviation of the input noise.
    pub noise: f64,
    /// Those that the starts are compared at.
    pub noises: Vec<f64>,
    /// A network's rate is the median over so many trajectories.
    pub trajectories: usize,
    /// Steps before the measurement.
    pub burn_in: usize,
    /// Steps of the measurement.
    pub steps: usize,
    /// Steps that Lyapunov exponents are measured over.
    pub exponent_steps: usize,
    /// How far gradients are followed in numbers of 32 and of 64 bits.
    pub lags: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            widths: vec![32, 128],
            gains: vec![0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0, 8.0],
            noise: 0.5,
            noises: vec![0.0, 0.1, 0.5],
            trajectories: 200,
            burn_in: 100,
            steps: 100,
            exponent_steps: 10_000,
            lags: 1000,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct LawOfTheProduct;

impl Experiment for LawOfTheProduct {
    type Config = Config;
    const NAME: &'static str = "law-of-the-product";
    const QUESTION: &'static str = "What decides whether a gradient shrinks or grows on its way through a recurrent network?";
    const FIGURES: &'static [FigureSpec] = figures::ALL;
    const CLAIMS: &'static [Claim] = claims::ALL;

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("seeds", config.seeds as usize, 1, 1_000),
            ("trajectories", config.trajectories, 1, 100_000),
            ("burn_in", config.burn_in, 0, 100_000),
            ("steps", config.steps, 1, 100_000),
            ("exponent_steps", config.exponent_steps, BLOCKS, 10_000_000),
            ("lags", config.lags, LAG_STEP, 100_000),
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
        let gains = &config.gains;
        ConfigError::unless(
            !gains.is_empty()
                && gains.windows(2).all(|g| g[0] < g[1])
                && gains.iter().all(|g| (1e-3..=1e3).contains(g)),
            "gains",
            gains,
            "it must list gains from 0.001 to 1000 in ascending order",
        )?;
        let noises = &config.noises;
        ConfigError::unless(
            !noises.is_empty()
                && unlike(noises)
                && noises.iter().all(|n| (0.0..=100.0).contains(n)),
            "noises",
            noises,
            "it must list different levels from 0 to 100",
        )?;
        let noise = config.noise;
        ConfigError::unless(
            (0.0..=100.0).contains(&noise),
            "noise",
            noise,
            "it must be from 0 to 100",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

impl Recorded for LawOfTheProduct {
    type Runs = Networks;
    fn runs(config: &Config) -> Networks {
        Networks { conditions: conditions(config), config: config.clone() }
    }
}

/// Singular values are those of products of so many Jacobians.
const LENGTHS: [usize; 6] = [10, 25, 50, 100, 150, 200];
/// From so many blocks the error of a Lyapunov exponent is estimated.
const BLOCKS: usize = 20;
/// Norms of gradients are kept at every so manieth lag.
const LAG_STEP: usize = 10;
/// The gains whose products are taken apart.
const SPECTRUM_GAINS: [f64; 2] = [1.0, 2.5];
/// Forget bias, gain and noise of the LSTMs.
const LSTMS: [(f64, f64, f64); 10] = [
    (0.0, 0.577, 0.5),
    (1.0, 0.577, 0.5),
    (1.0, 1.0, 0.1),
    (1.0, 1.0, 0.5),
    (1.0, 1.0, 2.0),
    (1.0, 2.5, 0.5),
    (1.0, 4.0, 0.5),
    (1.0, 8.0, 0.5),
    (3.0, 1.0, 0.5),
    (3.0, 8.0, 0.5),
];
/// Burn-in and steps of a single trajectory, as for the LSTMs.
const SINGLE: (usize, usize) = (50, 100);

/// A plain network and what runs into it.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    hidden: usize,
    activation: Activation,
    /// How U starts, with the name that this has in keys.
    start: (String, Init),
    noise: f64,
}

impl Setting {
    /// What its facts and series are called.
    fn key(&self) -> String {
        let Setting { hidden, activation, start: (start, _), noise } = self;
        let key = activation.name();
        format!("{key}_{start}_noise_{noise}_h{hidden}").replace('.', "_")
    }
    fn network(&self, rng: &Rng) -> Plain<f64> {
        // The same numbers whatever the activation, the noise and the gain.
        let mut rng = rng.stream(&format!("weights {}", self.hidden));
        let u = matrix(self.start.1, self.hidden, &mut rng);
        Plain { activation: self.activation, u }
    }
}

/// Gaussian of a gain.
fn gaussian(gain: f64) -> (String, Init) {
    (format!("gaussian_{gain}"), Init::Gaussian { gain })
}

/// One thing to measure of a seed's networks.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    /// The median growth rate over trajectories, and the log-RMS.
    Growth(Setting),
    /// The same over as many steps and over four times as many.
    Length(Setting),
    /// Of the Gaussian matrix of gain 1: largest singular value, largest sum of a row's magnitudes, H times
    /// the largest magnitude, spectral radius.
    Bounds(usize),
    /// The growth along a single trajectory.
    Single(Setting),
    /// The growth along a single trajectory from c to c: by all paths, and by the direct path of the unit
    /// that keeps most.
    Lstm(f64, f64, f64),
    /// log₁₀ of all singular values of products, of each length; then the Lyapunov exponents; then their
    /// standard errors.
    Spectrum(Setting),
    /// log₁₀ of the norm of a gradient at every tenth lag, in `f32`; then in `f64`.
    Underflow(Setting),
}

/// Everything that is measured of one seed. What has the same width stands together.
fn conditions(config: &Config) -> Vec<Condition> {
    let Config { noise, ref noises, ref gains, .. } = *config;
    let mut all: Vec<Condition> = Vec::new();
    let mut add = |condition| {
        if !all.contains(&condition) {
            all.push(condition);
        }
    };
    for &hidden in &config.widths {
        let setting = |activation, start, noise| Setting {
            hidden,
            activation,
            start,
            noise,
        };
        for activation in Activation::ALL {
            for &gain in gains {
                let start = gaussian(gain);
                add(Condition::Growth(setting(activation, start, noise)));
            }
        }
        for activation in [Activation::Tanh, Activation::Relu] {
            for start in starts() {
                for &noise in noises {
                    let start = start.clone();
                    add(Condition::Growth(setting(activation, start, noise)));
                }
            }
        }
        let he = ("he".to_owned(), Init::Gaussian { gain: SQRT_2 });
        add(Condition::Growth(setting(Activation::Relu, he, noise)));
        for (activation, radius) in
            [(Activation::Tanh, 1.5), (Activation::Logistic, 4.0)]
        {
            let start = format!("radius_{radius}");
            let start = (start, Init::SpectralRadius { radius });
            add(Condition::Growth(setting(activation, start, noise)));
        }
        let common = setting(Activation::Tanh, gaussian(1.0), noise);
        add(Condition::Length(common.clone()));
        add(Condition::Bounds(hidden));
        add(Condition::Underflow(common));
    }
    let hidden = config.widths[0];
    let setting =
        |activation, start, noise| Setting { hidden, activation, start, noise };
    for gain in SPECTRUM_GAINS {
        let start = gaussian(gain);
        add(Condition::Spectrum(setting(Activation::Tanh, start, noise)));
    }
    for gain in [1.5, 2.5, 4.0, 8.0] {
        let start = gaussian(gain);
        add(Condition::Single(setting(Activation::Tanh, start, noise)));
    }
    for &noise in noises {
        let start = starts()[1].clone();
        add(Condition::Single(setting(Activation::Tanh, start, noise)));
    }
    add(Condition::Single(setting(Activation::Logistic, gaussian(4.0), noise)));
    for (bias, gain, noise) in LSTMS {
        add(Condition::Lstm(bias, gain, noise));
    }
    all
}

/// How U starts, with singular values or a spectral radius near 1.
fn starts() -> [(String, Init); 3] {
    [
        gaussian(1.0),
        ("orthogonal".to_owned(), Init::Orthogonal { gain: 1.0 }),
        ("identity".to_owned(), Init::Identity { scale: 1.0 }),
    ]
}

/// All networks of all seeds.
#[derive(Debug)]
pub struct Networks {
    config: Config,
    conditions: Vec<Condition>,
}

impl Runs for Networks {
    type Run<'a> = OneByOne<Seed<'a>>;
    /// Of each condition the numbers that it says.
    type Outcome = Vec<Vec<f64>>;

    fn names(&self) -> Vec<String> {
        (1..=self.config.seeds).map(|seed| format!("seed {seed}")).collect()
    }
    fn units(&self, _: usize) -> u64 {
        self.conditions.len() as u64
    }
    fn start(&self, run: usize) -> OneByOne<Seed<'_>> {
        let rng =
            Rng::new(self.config.seed).stream(&format!("run {}", run + 1));
        OneByOne::new(Seed { networks: self, rng, noise: None })
    }
    fn report(&self, outcomes: &[Self::Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// The networks of one seed.
#[derive(Debug)]
pub struct Seed<'a> {
    networks: &'a Networks,
    rng: Rng,
    /// What runs into networks of a width, (T, B, H), of standard deviation 1: computed when asked for.
    noise: Option<Array3<f64>>,
}

impl Measure for Seed<'_> {
    type Found = Vec<f64>;

    fn count(&self) -> usize {
        self.networks.conditions.len()
    }
    fn measure(&mut self, number: usize) -> Vec<f64> {
        match &self.networks.conditions[number] {
            Condition::Growth(setting) => self.growth(setting),
            Condition::Length(setting) => self.length(setting),
            &Condition::Bounds(hidden) => self.bounds(hidden),
            Condition::Single(setting) => vec![self.single(setting)],
            &Condition::Lstm(bias, gain, noise) => self.lstm(bias, gain, noise),
            Condition::Spectrum(setting) => self.spectrum(setting),
            Condition::Underflow(setting) => {
                let mut norms = self.norms::<f32>(setting);
                norms.extend(self.norms::<f64>(setting));
                norms
            }
        }
    }
}

/// From the standard normal distribution.
fn normals<S: ShapeBuilder>(shape: S, mut rng: Rng) -> Array<f64, S::Dim> {
    Array::from_shape_simple_fn(shape, || rng.normal())
}

impl Seed<'_> {
    /// The stream of what has to do with this width.
    fn stream(&self, what: &str, hidden: usize) -> Rng {
        self.rng.stream(&format!("{what} {hidden}"))
    }

    // ANCHOR: growth
    fn growth(&mut self, setting: &Setting) -> Vec<f64> {
        let &Config { trajectories, burn_in, steps, .. } =
            &self.networks.config;
        let hidden = setting.hidden;
        let start =
            normals((trajectories, hidden), self.stream("start", hidden));
        let network = setting.network(&self.rng);
        let mut tangents = self.stream("tangents", hidden);
        let noise = self.noise(hidden);
        let input =
            |t: usize| &noise.index_axis(Axis(0), t - 1) * setting.noise;
        let probe = GrowthProbe { burn_in, steps, part: 0..hidden };
        let growth =
            probe.measure(&network, start.view(), input, &mut tangents);
        vec![growth.median, growth.log_rms]
    }
    // ANCHOR_END: growth

    /// The noise of all conditions of a width: they see the same.
    fn noise(&mut self, hidden: usize) -> &Array3<f64> {
        let &Config { trajectories, burn_in, steps, .. } =
            &self.networks.config;
        if self.noise.as_ref().is_none_or(|noise| noise.dim().2 != hidden) {
            let rng = self.stream("noise", hidden);
            let shape = (burn_in + steps, trajectories, hidden);
            self.noise = Some(normals(shape, rng));
        }
        self.noise.as_ref().expect("it was just computed")
    }

    fn length(&self, setting: &Setting) -> Vec<f64> {
        let &Config { trajectories, burn_in, steps, .. } =
            &self.networks.config;
        let hidden = setting.hidden;
        let start =
            normals((trajectories, hidden), self.stream("start", hidden));
        let network = setting.network(&self.rng);
        let rate = |steps: usize| {
            let mut tangents = self.stream("tangents", hidden);
            let mut noise = self.stream("noise along", hidden);
            let input = |_| {
                let shape = (trajectories, hidden);
                let mut draw = || setting.noise * noise.normal();
                Array2::from_shape_simple_fn(shape, &mut draw)
            };
            let probe = GrowthProbe { burn_in, steps, part: 0..hidden };
            let rates =
                probe.measure(&network, start.view(), input, &mut tangents);
            rates.median
        };
        vec![rate(steps), rate(4 * steps)]
    }

    // ANCHOR: bounds
    fn bounds(&self, hidden: usize) -> Vec<f64> {
        let mut rng = self.stream("weights", hidden);
        let factors = [matrix(Init::Gaussian { gain: 1.0 }, hidden, &mut rng)];
        let [u] = &factors;
        let row_sum = |row: ndarray::ArrayView1<'_, f64>| {
            row.iter().map(|w| w.abs()).sum::<f64>()
        };
        let most = |of: &mut dyn Iterator<Item = f64>| of.fold(0.0, f64::max);
        vec![
            Real::exp(singular_values(&factors)[0] / LOG10_E),
            most(&mut u.rows().into_iter().map(row_sum)),
            hidden as f64 * most(&mut u.iter().map(|w| w.abs())),
            spectral_radius(u.view()),
        ]
    }
    // ANCHOR_END: bounds

    fn single(&self, setting: &Setting) -> f64 {
        let hidden = setting.hidden;
        let (burn_in, steps) = SINGLE;
        let start = normals((1, hidden), self.stream("start", hidden));
        let mut noise = self.stream("noise along", hidden);
        let mut draw = || setting.noise * noise.normal();
        let input = |_| Array2::from_shape_simple_fn((1, hidden), &mut draw);
        let mut tangents = self.stream("tangents", hidden);
        let probe = GrowthProbe { burn_in, steps, part: 0..hidden };
        let network = setting.network(&self.rng);
        let growth =
            probe.measure(&network, start.view(), input, &mut tangents);
        growth.median
    }

    // ANCHOR: lstm
    /// The total growth of a random direction of c, and that by the direct
    /// path: the tangent through a step of c alone, h being held, is f.
    fn lstm(&self, bias: f64, gain: f64, noise: f64) -> Vec<f64> {
        let hidden = self.networks.config.widths[0];
        let (burn_in, steps) = SINGLE;
        let mut rng = self.stream("lstm", hidden);
        let mut w_hh = Array2::zeros((4 * hidden, hidden));
        Init::Gaussian { gain }.fill(w_hh.view_mut(), hidden, &mut rng);
        let forget = hidden..2 * hidden;
        let bias = Array2::from_shape_fn((1, 4 * hidden), |(_, j)| {
            if forget.contains(&j) { bias } else { 0.0 }
        });
        let lstm = OnTape::new(NoisyLstm { w_hh, bias });
        let x = normals(
            (burn_in + steps, 1, 4 * hidden),
            self.stream("noise of lstm", hidden),
        );
        let x = x * noise;
        let start = Array2::zeros((1, 2 * hidden));
        let c = hidden..2 * hidden;
        let probe = GrowthProbe { burn_in, steps, part: c.clone() };
        let mut tangents = self.stream("tangents", hidden);
        let input = |t: usize| x.index_axis(Axis(0), t - 1).to_owned();
        let total = probe.measure(&lstm, start.view(), input, &mut tangents);

        let trajectory = Trajectory::run(&lstm, x.clone(), start.view());
        let ones = Array2::from_shape_fn((1, 2 * hidden), |(_, j)| {
            if c.contains(&j) { 1.0 } else { 0.0 }
        });
        let mut kept = vec![0.0; hidden];
        for t in burn_in..burn_in + steps {
            let state = trajectory.states.index_axis(Axis(0), t);
            let x = x.index_axis(Axis(0), t);
            let f = lstm.jvp(x, state, ones.view());
            let f = f.slice_axis(Axis(1), Slice::from(c.clone()));
            kept.iter_mut().zip(&f).for_each(|(sum, f)| *sum += Real::ln(*f));
        }
        let most = kept.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let per_100 = DECADES_PER_100_STEPS / steps as f64;
        vec![total.median, most * per_100]
    }
    // ANCHOR_END: lstm

    // ANCHOR: spectrum
    fn spectrum(&self, setting: &Setting) -> Vec<f64> {
        let Config { burn_in, exponent_steps, .. } = self.networks.config;
        let hidden = setting.hidden;
        let network = setting.network(&self.rng);
        let mut noise = self.stream("noise along", hidden);
        let longest = LENGTHS[LENGTHS.len() - 1];
        let x = normals((burn_in + longest, 1, hidden), noise.clone());
        let start = normals((1, hidden), self.stream("start", hidden));
        let walk = Trajectory::run(&network, x * setting.noise, start.view());
        let factors: Vec<Array2<f64>> =
            walk.jacobians(&network, 0).skip(burn_in).collect();
        let of = |length: &usize| singular_values(&factors[..*length]);
        let mut all: Vec<f64> = LENGTHS.iter().flat_map(of).collect();

        let probe = LyapunovProbe {
            exponents: hidden,
            burn_in,
            steps: exponent_steps,
            blocks: BLOCKS,
        };
        let mut draw = || setting.noise * noise.normal();
        let input = |_| Array2::from_shape_simple_fn((1, hidden), &mut draw);
        let mut turn = self.stream("tangents", hidden);
        let found = probe.measure(&network, start.view(), input, &mut turn);
        all.extend(found.iter().map(|exponent| exponent.value));
        all.extend(found.iter().map(|exponent| exponent.standard_error));
        all
    }
    // ANCHOR_END: spectrum

    // ANCHOR: norms
    /// log₁₀ of the norm of a gradient, at lag 0 and every tenth lag, as
    /// arithmetic of this precision has it: nothing is scaled on the way.
    fn norms<T: Float + Scalar>(&self, setting: &Setting) -> Vec<f64> {
        let Config { burn_in, lags, .. } = self.networks.config;
        let hidden = setting.hidden;
        let Plain { activation, u } = setting.network(&self.rng);
        let network = Plain { activation, u: u.mapv(T::of) };
        let mut noise = self.stream("noise along", hidden);
        let mut h =
            normals((1, hidden), self.stream("start", hidden)).mapv(T::of);
        let mut states = Vec::new();
        for _ in 0..burn_in + lags {
            let mut draw = || T::of(setting.noise * noise.normal());
            let x = Array2::from_shape_simple_fn((1, hidden), &mut draw);
            h = network.next(x.view(), h.view());
            states.push(h.clone());
        }
        let mut d_h =
            normals((1, hidden), self.stream("tangents", hidden)).mapv(T::of);
        let norm = |d: &Array2<T>| {
            slice::norm(d.as_slice().expect("a new array lies densely"))
        };
        let first = norm(&d_h);
        let mut norms = vec![0.0];
        for (lag, h) in (1..=lags).zip(states.iter().rev()) {
            let d_z = network.through(h, &d_h);
            d_h = Array2::default((1, hidden));
            product(d_z.view(), network.u.view(), d_h.view_mut(), false);
            if lag % LAG_STEP == 0 {
                norms.push(Real::ln(norm(&d_h) / first) * LOG10_E);
            }
        }
        norms
    }
    // ANCHOR_END: norms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Silent;

    fn small() -> Config {
        Config {
            seeds: 1,
            widths: vec![6],
            trajectories: 2,
            burn_in: 5,
            steps: 20,
            exponent_steps: 20,
            lags: 20,
            ..Config::default()
        }
    }

    #[test]
    fn every_condition_has_a_name_of_its_own_and_every_figure_its_data() {
        let report = LawOfTheProduct::run(&small(), &Silent);
        for figure in LawOfTheProduct::FIGURES {
            (figure.draw)(&report).expect(figure.name);
        }
        for claim in LawOfTheProduct::CLAIMS {
            claim.judge(&report).expect(claim.id);
        }
    }

    /// A step stretches nothing by more than γ times the largest singular value: of any matrix, along any
    /// trajectory.
    #[test]
    fn no_rate_is_above_its_bound() {
        let report = LawOfTheProduct::run(&small(), &Silent);
        for activation in Activation::ALL {
            let name = activation.name();
            let curve =
                |name: String| report.find_series(&name).expect("a series").y();
            let rates = curve(format!("sweep_{name}_h6"));
            let bounds = curve(format!("bound_singular_{name}"));
            for (rate, bound) in rates.into_iter().zip(bounds) {
                assert!(rate < bound, "{name}: {rate} > {bound}");
            }
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let bad = [
            (Config { widths: vec![], ..small() }, "`widths` is []"),
            (Config { gains: vec![2.0, 1.0], ..small() }, "`gains`"),
            (Config { lags: 5, ..small() }, "`lags` is 5, but"),
            (Config { noises: vec![f64::NAN], ..small() }, "`noises`"),
        ];
        for (config, message) in bad {
            let error = LawOfTheProduct::check(&config).expect_err(message);
            assert!(error.0.contains(message), "{error}");
        }
    }
}
