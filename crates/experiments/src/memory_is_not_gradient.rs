//! Memory is not gradient: what can be decoded of an early input, beside how far the gradient reaches.
//!
//! A system is told a bit and a number before its first step and hears noise from then on. After T steps two
//! decoders, fitted on other trajectories of the same system, say what they were: a linear read-out and the
//! nearest neighbours. Beside that stands ‖∂h_T/∂h_0‖. Four systems are made to take the four corners: gradient
//! gone or not, message there or not. The systems of a seed share messages and noise.

mod decode;
mod systems;

pub use decode::{Decoded, nearest};
pub use systems::{Kind, Listener, System, four, messages};

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::protocol::{
    Claim, Contrast, Interval, Prediction, Primary, Rule, SEEDS, SUCCESS_MARGIN,
};
use crate::readout::{Examples, linear};
use crate::runs::{Measure, OneByOne, Recorded, Runs, run_all};
use crate::summary::{add_band, add_facts, spread};
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use longlag_report::figure::{Axis, Curve, Figure, Ink, LineChart, Marker};
use longlag_report::{LookupError, Number, Report};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_10;

/// The config of [`MemoryIsNotGradient`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times every system is drawn, told and decoded.
    pub seeds: u64,
    /// H: the widths of the systems. What is shown over T and under other noises is of the first.
    pub hidden: Vec<usize>,
    /// The systems.
    pub systems: Vec<Kind>,
    /// T: the steps after which is decoded, in ascending order.
    pub steps: Vec<usize>,
    /// Standard deviations of the noise. What is shown over T is of the first.
    pub noise: Vec<f64>,
    /// Trajectories that a decoder is fitted on.
    pub known: usize,
    /// Trajectories that it is tested on.
    pub tested: usize,
    /// Trajectories along which ‖∂h_T/∂h_0‖ is computed; their median counts.
    pub probes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            seeds: 20,
            hidden: vec![32, 64],
            systems: four(),
            steps: vec![1, 2, 5, 10, 20, 50, 100, 200],
            noise: vec![0.1, 0.0, 0.3, 0.5, 1.0],
            known: 500,
            tested: 250,
            probes: 3,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct MemoryIsNotGradient;

/// At ‖∂h_T/∂h_0‖ below this, in decades, the gradient has vanished: what is added to a gradient of size 1 and
/// is smaller than its rounding changes nothing.
pub const VANISHED: f64 = -16.0;

impl Experiment for MemoryIsNotGradient {
    type Config = Config;
    const NAME: &'static str = "memory-is-not-gradient";
    const QUESTION: &'static str = "Has a recurrent network forgotten what its gradient no longer reaches?";
    const FIGURES: &'static [FigureSpec] = &[
        FigureSpec { name: "memory-beside-gradient", draw: beside },
        FigureSpec { name: "memory-over-steps", draw: over_steps },
        FigureSpec { name: "memory-under-noise", draw: under_noise },
    ];
    const CLAIMS: &'static [Claim] = &[
        Claim {
            id: "B11",
            statement: "A vanished gradient means it forgot.",
            rule: Rule::Measured(Primary {
                contrast: "success of naming the latch's bit after the most steps less that of guessing, in seeds \
                           whose gradient has vanished",
                predicts: Prediction::Within(SUCCESS_MARGIN),
                seeds: SEEDS,
                only_if: None,
                measure: |report| {
                    success_if(report, "latch", |decades| decades < VANISHED)
                },
            }),
        },
        Claim {
            id: "B11, converse",
            statement: "A gradient that reaches back means it remembers.",
            rule: Rule::Measured(Primary {
                contrast: "success of naming the bit told to chaos after the most steps less that of guessing, in \
                           seeds whose gradient has not shrunk",
                predicts: Prediction::Beyond(SUCCESS_MARGIN),
                seeds: SEEDS,
                only_if: None,
                measure: |report| {
                    success_if(report, "chaos", |decades| decades >= 0.0)
                },
            }),
        },
    ];

    fn check(config: &Config) -> Result<(), ConfigError> {
        let sizes = [
            ("seeds", config.seeds, 1..=1000),
            ("known", config.known as u64, 2..=1_000_000),
            ("tested", config.tested as u64, 2..=1_000_000),
            ("probes", config.probes as u64, 1..=1000),
        ];
        for (field, value, range) in sizes {
            let rule =
                format!("it must be from {} to {}", range.start(), range.end());
            ConfigError::unless(range.contains(&value), field, value, &rule)?;
        }
        let hidden = &config.hidden;
        let good = |h: &usize| (1..=4096).contains(h);
        ConfigError::unless(
            !hidden.is_empty() && unlike(hidden) && hidden.iter().all(good),
            "hidden",
            hidden,
            "it must list widths from 1 to 4096, at least one, and each only once",
        )?;
        let steps = &config.steps;
        let ascending = steps.windows(2).all(|t| t[0] < t[1]);
        let within = |t: &usize| (1..=100_000).contains(t);
        ConfigError::unless(
            !steps.is_empty() && ascending && steps.iter().all(within),
            "steps",
            steps,
            "it must list at least one number from 1 to 100000, in ascending order",
        )?;
        let noise = &config.noise;
        let good = |n: &f64| (0.0..=1e6).contains(n);
        ConfigError::unless(
            !noise.is_empty() && unlike(noise) && noise.iter().all(good),
            "noise",
            noise,
            "it must list at least one number from 0 to 1000000, and each only once",
        )?;
        let names: Vec<&str> =
            config.systems.iter().map(|kind| &*kind.name).collect();
        let letters = |name: &&str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        ConfigError::unless(
            !names.is_empty() && unlike(&names) && names.iter().all(letters),
            "systems",
            &names,
            "it must list at least one, their names all different, of the letters a to z and _",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

impl Recorded for MemoryIsNotGradient {
    type Runs = Listening;
    fn runs(config: &Config) -> Listening {
        Listening { config: config.clone() }
    }
}

/// All runs: every system, in every width, of every seed.
#[derive(Debug)]
pub struct Listening {
    config: Config,
}

/// What was found of one system under one noise, for each T.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// log₁₀ ‖∂h_T/∂h_0‖.
    decades: Vec<f64>,
    /// By the linear read-out.
    linear: Vec<Decoded>,
    /// By the nearest neighbours.
    nearest: Vec<Decoded>,
}

impl Found {
    /// By the better of the two decoders.
    fn best(&self) -> impl Iterator<Item = Decoded> {
        self.linear.iter().zip(&self.nearest).map(|(l, n)| l.better(*n))
    }
}

impl Listening {
    /// The noises that systems of that width hear: in the first all, in the others the first.
    fn levels(&self, hidden: usize) -> &[f64] {
        let Config { hidden: widths, noise, .. } = &self.config;
        if hidden == widths[0] { noise } else { &noise[..1] }
    }

    /// Every run: its width, its system, its number from 1.
    fn all(&self) -> impl Iterator<Item = (usize, &Kind, u64)> {
        let Config { hidden, systems, seeds, .. } = &self.config;
        hidden.iter().flat_map(move |&hidden| {
            systems.iter().flat_map(move |kind| {
                (1..=*seeds).map(move |seed| (hidden, kind, seed))
            })
        })
    }
}

impl Runs for Listening {
    type Run<'a> = OneByOne<Telling<'a>>;
    type Outcome = Vec<Found>;

    fn names(&self) -> Vec<String> {
        let name = |(hidden, kind, seed): (usize, &Kind, u64)| {
            format!("{hidden} {} {seed}", kind.name)
        };
        self.all().map(name).collect()
    }
    fn units(&self, run: usize) -> u64 {
        let (hidden, ..) = self.all().nth(run).expect("a run");
        self.levels(hidden).len() as u64
    }
    fn start(&self, run: usize) -> OneByOne<Telling<'_>> {
        let (hidden, kind, seed) = self.all().nth(run).expect("a run");
        // The streams don't depend on the system.
        let rng = Rng::new(self.config.seed).stream(&format!("seed {seed}"));
        let mut draw = rng.stream("written");
        let written =
            Array2::from_shape_simple_fn((2, hidden), || draw.normal());
        let system = kind.draw(hidden, &mut rng.stream("weights"));
        let listener = Listener { system, written, noise: 0.0 };
        let levels = self.levels(hidden);
        OneByOne::new(Telling { config: &self.config, levels, rng, listener })
    }
    fn report(&self, outcomes: &[Vec<Found>]) -> Report {
        self.summary(outcomes)
    }
}

/// One system, under one noise after the other.
#[derive(Debug)]
pub struct Telling<'a> {
    config: &'a Config,
    /// The noises.
    levels: &'a [f64],
    rng: Rng,
    listener: Listener,
}

impl Measure for Telling<'_> {
    type Found = Found;

    fn count(&self) -> usize {
        self.levels.len()
    }
    // ANCHOR: unit
    fn measure(&mut self, number: usize) -> Found {
        let &Config { ref steps, known, tested, probes, .. } = self.config;
        self.listener.noise = self.levels[number];
        let rng = |part: &str| self.rng.stream(part);
        let hear = |part: &str, count: usize| {
            let rng = rng(part);
            let told = messages(count, &mut rng.stream("messages"));
            let noise = &mut rng.stream("noise");
            let states = self.listener.states(&told, steps, noise);
            (told, states)
        };
        let (told, states) = hear("known", known);
        let (asked, fresh) = hear("tested", tested);
        let probed = messages(probes, &mut rng("probed messages"));
        let mut found = Found {
            decades: self.listener.gradient(
                &probed,
                steps,
                &mut rng("probed noise"),
            ),
            linear: vec![],
            nearest: vec![],
        };
        for (states, fresh) in states.iter().zip(&fresh) {
            let examples = Examples { states, answers: &told };
            let said = linear(examples, fresh);
            found.linear.push(Decoded::of(&said, &asked));
            let said = nearest(examples, fresh);
            found.nearest.push(Decoded::of(&said, &asked));
        }
        found
    }
    // ANCHOR_END: unit
}

impl Listening {
    fn summary(&self, outcomes: &[Vec<Found>]) -> Report {
        let Config { systems, steps, noise, seeds, .. } = &self.config;
        let mut report = Report::new(MemoryIsNotGradient::NAME, &self.config);
        report.fact("guessing", 0.5);
        for (kind, outcomes) in
            systems.iter().zip(outcomes.chunks(*seeds as usize))
        {
            let found: Vec<&Found> = outcomes.iter().map(|o| &o[0]).collect();
            over_t(&mut report, &kind.name, steps, &found);
        }
        let outcomes_of_first = outcomes.chunks(*seeds as usize);
        decoders(&mut report, steps, systems.iter().zip(outcomes_of_first));

        // After the most steps, under every noise.
        let last = steps.len() - 1;
        let columns = ["system", "noise", "gradient"];
        let of = |what| ["", "_low", "_high"].map(|end| format!("{what}{end}"));
        let columns = columns.into_iter().map(str::to_owned);
        let columns = columns.chain(of("bit")).chain(of("number"));
        let table = report.table("noise", columns);
        for (kind, outcomes) in
            systems.iter().zip(outcomes.chunks(*seeds as usize))
        {
            for (i, &noise) in noise.iter().enumerate() {
                let of = |what: &dyn Fn(&Found) -> f64| {
                    spread(outcomes.iter().map(|o| what(&o[i])).collect())
                };
                let end = |f: &Found| f.best().nth(last).expect("a T");
                let [_, decades, _] = of(&|f| f.decades[last]);
                let rounded = |x: f64| Number::rounded(x, 4);
                let [bit_low, bit, bit_high] = of(&|f| end(f).bit).map(rounded);
                let [number_low, number, number_high] =
                    of(&|f| end(f).number).map(rounded);
                table.row((
                    &*kind.name,
                    noise,
                    Number::rounded(ten_to(decades), 3),
                    bit,
                    bit_low,
                    bit_high,
                    number,
                    number_low,
                    number_high,
                ));
            }
        }
        let table = report.table(
            "ends",
            ["hidden", "system", "seed", "decades", "bit", "number"],
        );
        for ((hidden, kind, seed), outcome) in self.all().zip(outcomes) {
            let end = outcome[0].best().nth(last).expect("a T");
            table.row((
                hidden,
                &*kind.name,
                seed,
                Number::rounded(outcome[0].decades[last], 4),
                end.bit,
                Number::rounded(end.number, 4),
            ));
        }
        report
    }
}

/// Adds what was found of a system over T.
fn over_t(report: &mut Report, name: &str, steps: &[usize], found: &[&Found]) {
    let last = steps.len() - 1;
    let of = |what: &dyn Fn(Decoded) -> f64| -> Vec<Vec<f64>> {
        found.iter().map(|f| f.best().map(what).collect()).collect()
    };
    let x: Vec<f64> = steps.iter().map(|&t| t as f64).collect();
    for (what, curves) in
        [("bit", of(&|d| d.bit)), ("number", of(&|d| d.number))]
    {
        let ends = curves.iter().map(|curve| curve[last]).collect();
        add_facts(report, &format!("{name}_{what}"), ends, 4);
        let curves = curves.iter().map(|curve| &curve[..]).collect();
        add_band(report, format!("{name}_{what}"), x.clone(), curves);
    }
    // Of logarithms: the mean of the two in the middle would be the larger one.
    let all: Vec<[f64; 3]> = (0..steps.len())
        .map(|i| spread(found.iter().map(|f| f.decades[i]).collect()))
        .collect();
    let column = |k: usize| {
        all.iter().map(move |row| Number::rounded(ten_to(row[k]), 4))
    };
    report.band(format!("{name}_gradient"), x, column(1), column(0), column(2));
    for (end, k) in [("", 1), ("_low", 0), ("_high", 2)] {
        let value = Number::rounded(ten_to(all[last][k]), 3);
        report.fact(format!("{name}_gradient{end}"), value);
    }
}

/// Adds what each decoder found: medians over the seeds.
fn decoders<'a>(
    report: &mut Report,
    steps: &[usize],
    found: impl Iterator<Item = (&'a Kind, &'a [Vec<Found>])>,
) {
    let by = ["linear", "nearest"];
    let columns = ["system", "steps"].map(str::to_owned);
    let of = |what| by.map(|decoder| format!("{what}_{decoder}"));
    let columns = columns.into_iter().chain(of("bit")).chain(of("number"));
    let table = report.table("decoders", columns);
    for (kind, outcomes) in found {
        for (i, &t) in steps.iter().enumerate() {
            let median = |what: &dyn Fn(&Found) -> f64| {
                let all = outcomes.iter().map(|o| what(&o[0])).collect();
                Number::rounded(spread(all)[1], 4)
            };
            table.row((
                &*kind.name,
                t,
                median(&|f| f.linear[i].bit),
                median(&|f| f.nearest[i].bit),
                median(&|f| f.linear[i].number),
                median(&|f| f.nearest[i].number),
            ));
        }
    }
}

/// 10ˣ.
fn ten_to(x: f64) -> f64 {
    Real::exp(x * LN_10)
}

/// For each width, the success of naming the bit of a system less that of guessing, at the end; nothing is
/// known of seeds whose gradient, in decades, isn't as asked for.
fn success_if(
    report: &Report,
    system: &str,
    gradient: fn(f64) -> bool,
) -> Result<Vec<Contrast>, LookupError> {
    let ends = report.find_table("ends")?;
    let [hidden, decades, bits] =
        ["hidden", "decades", "bit"].map(|column| ends.numbers(column));
    let mut widths = hidden.clone();
    widths.dedup();
    let of = |width: f64| {
        let rows = (0..ends.rows().len()).filter(|&row| {
            hidden[row] == width && ends.rows()[row][1].to_string() == system
        });
        let value = |row: usize| match gradient(decades[row]) {
            true => Interval::from(bits[row] - 0.5),
            false => Interval::ALL,
        };
        Contrast::of_differences(
            format!("H = {width}"),
            rows.map(value).collect::<Vec<_>>(),
        )
    };
    Ok(widths.into_iter().map(of).collect())
}

/// The systems of a report, in their order, with their inks.
fn inks(report: &Report) -> Result<Vec<(String, Ink)>, LookupError> {
    let ends = report.find_table("ends")?;
    let mut names: Vec<String> =
        ends.rows().iter().map(|row| row[1].to_string()).collect();
    names.dedup();
    let inks = [Ink::Text, Ink::Green, Ink::Orange, Ink::Blue];
    let first = |i: usize| !names[..i].contains(&names[i]);
    let all = (0..names.len()).filter(|&i| first(i)).enumerate();
    Ok(all.map(|(k, i)| (names[i].clone(), inks[k % 4])).collect())
}

/// The medians of what was decoded, one panel each: the bit and the number.
const PARTS: [(&str, &str); 2] = [("bit", "The bit"), ("number", "The number")];

/// How well both were decoded, on one axis.
fn decoded() -> Axis {
    Axis::linear("Bits named rightly; *R*² of the number")
        .range(-0.2, 1.0)
        .ticks([0.0, 0.5, 1.0])
}

fn beside(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "What is decoded of bit and number against the norm of the Jacobian from the first state to the last, one \
         curve over T for each system, marked at every T. The latch's stays high while its gradient falls below 10^-100; that of chaos \
         falls while its gradient grows.",
        Axis::log("‖∂*h*_{*T*}/∂*h*_{0}‖"),
        decoded(),
    )
    .columns(1);
    for (part, title) in PARTS {
        chart = chart.panel(title);
        for (name, ink) in inks(report)? {
            let gradient = report.find_series(&format!("{name}_gradient"))?.y();
            let series = report.find_series(&format!("{name}_{part}"))?;
            let mut points: Vec<(f64, f64)> =
                gradient.into_iter().zip(series.y()).collect();
            // A name stands at the end that lies to the right.
            if points.first().map(|p| p.0) > points.last().map(|p| p.0) {
                points.reverse();
            }
            let curve = Curve::new(name, points).ink(ink);
            chart = chart.curve(curve.marked(Marker::Disc));
        }
    }
    Ok(chart.figure())
}

fn over_steps(report: &Report) -> Result<Figure, LookupError> {
    let steps = report.find_table("decoders")?.numbers("steps");
    let [from, to] = [steps.first(), steps.last()].map(|t| t.copied());
    let mut x = Axis::log("Steps *T*");
    if let (Some(from), Some(to)) = (from, to)
        && from < to
    {
        x = x.range(from, to);
    }
    let mut chart = LineChart::new(
        "How well bit and number are decoded from the state after T steps, for each system: median over the seeds, \
         and its interval. Contraction and chaos lose both within some tens of steps; orthogonal and latch keep them.",
        x,
        decoded(),
    );
    for (part, title) in PARTS {
        chart = chart.panel(title);
        for (name, ink) in inks(report)? {
            let series = report.find_series(&format!("{name}_{part}"))?;
            chart = chart.curve(Curve::of(name, series).ink(ink));
        }
    }
    Ok(chart.figure())
}

fn under_noise(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "How well bit and number are decoded after the most steps, against the noise, for each system: median over \
         the seeds, and its interval. The latch keeps the bit under noise that wears the orthogonal system's down, \
         and then loses it at once.",
        Axis::linear("Standard deviation of the noise"),
        decoded(),
    );
    let table = report.find_table("noise")?;
    let noise = table.numbers("noise");
    for (part, title) in PARTS {
        chart = chart.panel(title);
        let column = |end: &str| table.numbers(&format!("{part}{end}"));
        let [middle, low, high] = ["", "_low", "_high"].map(column);
        for (name, ink) in inks(report)? {
            let mut rows: Vec<usize> = (0..noise.len())
                .filter(|&row| table.rows()[row][0].to_string() == name)
                .collect();
            rows.sort_by(|&a, &b| noise[a].total_cmp(&noise[b]));
            let of = |column: &[f64]| -> Vec<f64> {
                rows.iter().map(|&row| column[row]).collect()
            };
            let points = of(&noise).into_iter().zip(of(&middle));
            let curve = Curve::new(name, points).band(of(&low), of(&high));
            chart = chart.curve(curve.ink(ink));
        }
    }
    Ok(chart.figure())
}
