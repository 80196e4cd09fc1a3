//! The first race: handwritten digits, read one pixel at a time.
//!
//! An image is a sequence of 64 grey values; the network sees one a step and must name the digit after the
//! last. RNN, LSTM and GRU of (nearly) equal numbers of parameters train on the same batches. Beside their
//! accuracy stand two baselines that see no sequence at all: the most frequent digit, and a logistic
//! regression on all 64 pixels at once. Before and after training, ‖∂ℓ/∂h_t‖ says how much of the loss's
//! gradient reaches the state after pixel t.

use crate::digits::{self, CLASSES, Digits, PIXELS};
use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Linear, Network, State};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar, slice};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, LineChart, Marker,
};
use longlag_report::format::format_percent;
use longlag_report::{LookupError, Number, Report, Series};
use longlag_train::{Trainer, cross_entropy, one_hot};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The config of [`FirstRace`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times each network is trained, from other weights and with other batches.
    pub runs: u64,
    /// The cells that race.
    pub cells: Vec<Cell>,
    /// The number of parameters that each network comes as near to as its H allows.
    pub parameters: usize,
    /// How the recurrent layer's parameters start.
    pub initialisation: Initialisation,
    /// Updates of each training.
    pub updates: u64,
    /// Images in a batch.
    pub batch: usize,
    /// The optimizer of the networks.
    pub optimizer: OptimizerConfig,
    /// How gradients are clipped.
    pub clip: Clip,
    /// The test accuracy is measured every so many updates.
    pub measure_every: u64,
    /// How many test images ‖∂ℓ/∂h_t‖ is the median over.
    pub probe_images: usize,
    /// Updates of the logistic regression, each with all training images.
    pub regression_updates: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            runs: 3,
            cells: vec![Cell::RnnTanh, Cell::Lstm, Cell::Gru],
            parameters: 5000,
            initialisation: Initialisation {
                forget_bias: Some(1.0),
                ..Initialisation::default()
            },
            updates: 1350,
            batch: 32,
            optimizer: OptimizerConfig::Adam(AdamConfig {
                learning_rate: 5e-3,
                ..AdamConfig::default()
            }),
            clip: Clip::Norm(1.0),
            measure_every: 90,
            probe_images: 100,
            regression_updates: 300,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct FirstRace;

impl Experiment for FirstRace {
    type Config = Config;
    const NAME: &'static str = "first-race";
    const QUESTION: &'static str = "Which of RNN, LSTM and GRU learns to name a digit that it reads one pixel at a time?";
    const FIGURES: &'static [FigureSpec] = &[
        FigureSpec { name: "first-race-accuracy", draw: accuracy },
        FigureSpec { name: "first-race-training", draw: training },
        FigureSpec { name: "first-race-gradient", draw: gradient },
    ];

    fn check(config: &Config) -> Result<(), ConfigError> {
        let counts = [
            ("runs", config.runs, 1_000),
            ("updates", config.updates, 10_000_000),
            ("measure_every", config.measure_every, 10_000_000),
            ("regression_updates", config.regression_updates, 1_000_000),
        ];
        for (field, value, most) in counts {
            let rule = format!("it must be from 1 to {most}");
            let good = (1..=most).contains(&value);
            ConfigError::unless(good, field, value, &rule)?;
        }
        let cells = &config.cells;
        ConfigError::unless(
            !cells.is_empty() && unlike(cells),
            "cells",
            cells,
            "it must list at least one cell, and each only once",
        )?;
        let size = config.parameters;
        let sizes = 100..=10_000_000;
        ConfigError::unless(
            sizes.contains(&size),
            "parameters",
            size,
            "it must be from 100 to 10000000",
        )?;
        for &cell in cells {
            let network = Network::of_size(cell, 1, CLASSES, size);
            network.layer.check(&config.initialisation).map_err(|unfit| {
                ConfigError(format!("`initialisation` of {cell}: {unfit}"))
            })?;
        }
        let train = digits::TRAIN.len();
        let batch = (1..=train).contains(&config.batch);
        ConfigError::unless(
            batch,
            "batch",
            config.batch,
            &format!("it must be from 1 to {train}"),
        )?;
        let (test, images) = (digits::TEST.len(), config.probe_images);
        let fits = (1..=test).contains(&images);
        ConfigError::unless(
            fits,
            "probe_images",
            images,
            &format!("it must be from 1 to {test}"),
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        let all = Digits::load();
        let (train, test) = (all.rows(digits::TRAIN), all.rows(digits::TEST));
        let race = Race { config, train: &train, test: &test };

        let runs: Vec<(Cell, u64)> = config
            .cells
            .iter()
            .flat_map(|&cell| (1..=config.runs).map(move |run| (cell, run)))
            .collect();
        let (done, total) =
            (AtomicU64::new(0), runs.len() as u64 * config.updates);
        let outcomes: Vec<Outcome> = runs
            .par_iter()
            .map(|&(cell, run)| {
                race.run(cell, run, || {
                    progress.advance(done.fetch_add(1, Relaxed) + 1, total)
                })
            })
            .collect();

        let mut report = Report::new(Self::NAME, config);
        report
            .fact("train_images", train.len())
            .fact("test_images", test.len())
            .fact("chance", 1.0 / CLASSES as f64)
            .fact("majority_accuracy", majority_accuracy(&train, &test))
            .fact("regression_accuracy", race.regression());
        for (cell, outcomes) in
            config.cells.iter().zip(outcomes.chunks(config.runs as usize))
        {
            race.summarise(&mut report, *cell, outcomes);
        }
        let table = report.table(
            "runs",
            [
                "cell", "run", "updates", "accuracy", "loss", "clipped",
                "weights",
            ],
        );
        for ((cell, run), outcome) in runs.iter().zip(&outcomes) {
            table.row((
                cell.name(),
                *run,
                outcome.updates,
                outcome.final_accuracy(),
                Number::rounded(outcome.loss, 4),
                outcome.clipped,
                format!("{:016x}", outcome.weights),
            ));
        }
        report
    }
}

/// What every run shares.
struct Race<'a> {
    config: &'a Config,
    train: &'a Digits,
    test: &'a Digits,
}

/// What one run gave.
struct Outcome {
    /// How many updates were done: fewer than wished if the training broke off.
    updates: u64,
    /// The test accuracy at the start, after every `measure_every` updates, and at the end. A training that
    /// broke off has a NaN there, and nothing behind it.
    accuracy: Vec<f64>,
    /// The gradient's norms before and after.
    before: Norms,
    after: Norms,
    /// The loss of the last batch; NaN if the training broke off.
    loss: f64,
    /// How many updates were clipped.
    clipped: u64,
    /// A hash of the weights at the end: two runs with the same are the same to the bit.
    weights: u64,
}

impl Outcome {
    fn final_accuracy(&self) -> f64 {
        *self.accuracy.last().expect("the start was measured")
    }
}

/// The medians over images of ‖∂ℓ/∂h_t‖, and for a cell with a cell state ‖∂ℓ/∂c_t‖, for t = 0 … 64.
type Norms = State<Vec<f64>>;

impl Race<'_> {
    fn network(&self, cell: Cell) -> Network {
        Network::of_size(cell, 1, CLASSES, self.config.parameters)
    }

    /// One training. Its random streams depend on the seed and the run, not on the cell: in a run, the cells
    /// see the same batches and start from the same random numbers, scaled to their sizes, which makes runs
    /// comparable in pairs.
    fn run(&self, cell: Cell, run: u64, mut advance: impl FnMut()) -> Outcome {
        let &Config {
            updates,
            batch,
            optimizer,
            clip,
            measure_every,
            ref initialisation,
            ..
        } = self.config;
        let rng = Rng::new(self.config.seed).stream(&format!("run {run}"));
        let network = self.network(cell);
        let start: Parameters<f32> =
            network.parameters(initialisation, &rng.stream("weights"));
        let before = self.gradient(&network, &start);
        let mut batches =
            Batches::new(self.train.len(), batch, rng.stream("batches"));
        let mut accuracy = vec![self.accuracy(&network, &start)];
        let (mut done, mut loss, mut clipped) = (0, f64::NAN, 0);

        // ANCHOR: training
        let mut trainer = Trainer::new(start, optimizer, clip);
        let result = trainer.run(
            updates,
            |_, parameters| {
                let tape = parameters.tape();
                let rows = batches.next();
                let x = sequences(tape, self.train, rows);
                let labels = rows.iter().map(|&i| self.train.labels[i]);
                let target = one_hot(tape, labels, CLASSES);
                let logits = network.apply(parameters, x, rows.len());
                cross_entropy(logits, target)
            },
            |step| {
                done = step.update;
                loss = f64::from(step.loss);
                clipped += u64::from(step.clipped.factor < 1.0);
                if step.update % measure_every == 0 || step.update == updates {
                    accuracy.push(self.accuracy(&network, step.parameters));
                }
                advance();
                ControlFlow::Continue(())
            },
        );
        // ANCHOR_END: training
        if result.is_err() {
            accuracy.push(f64::NAN);
            loss = f64::NAN;
        }
        let end = &trainer.parameters;
        Outcome {
            updates: done,
            accuracy,
            before,
            after: self.gradient(&network, end),
            loss,
            clipped,
            weights: hash(end),
        }
    }

    /// The share of test images that a network names rightly.
    fn accuracy(&self, network: &Network, parameters: &Parameters<f32>) -> f64 {
        let rows: Vec<usize> = (0..self.test.len()).collect();
        let mut tape = Tape::new();
        let mut right = 0;
        for rows in rows.chunks(60) {
            tape.reset();
            let x = sequences(&tape, self.test, rows);
            let logits = network.apply(&tape.bind(parameters), x, rows.len());
            let labels = rows.iter().map(|&i| self.test.labels[i]);
            right += count_right(&logits.value(), labels);
        }
        share(right, self.test)
    }

    // ANCHOR: gradient
    /// For t = 0 … 64, the median over test images of ‖∂ℓ/∂h_t‖: ℓ is an
    /// image's own loss, h_t the hidden state after its pixel t. For an
    /// LSTM also ‖∂ℓ/∂c_t‖. In f64, so that nothing underflows.
    fn gradient(&self, network: &Network, at: &Parameters<f32>) -> Norms {
        let images: Vec<usize> = (0..self.config.probe_images).collect();
        let at = at.map(f64::from);
        let tape = Tape::new();
        let parameters = tape.bind(&at);
        let x = sequences(&tape, self.test, &images);
        let mut states = Vec::new();
        let logits =
            network.unroll(&parameters, x, images.len(), |_, s| states.push(s));
        let labels = images.iter().map(|&i| self.test.labels[i]);
        let target = one_hot(&tape, labels, CLASSES);
        // The sum of the images' losses: a row of its gradient by a
        // state is one image's.
        let loss = cross_entropy(logits, target).scale(images.len() as f64);
        let grads = loss.backward();
        let norm = |state| {
            let d = grads.of(state);
            median(d.rows().into_iter().map(|d| slice::norm(&d.to_vec())))
        };
        State {
            h: states.iter().map(|s| norm(s.h)).collect(),
            c: states.iter().map(|s| s.c.map(norm)).collect(),
        }
    }
    // ANCHOR_END: gradient

    /// The test accuracy of a softmax regression on the 64 pixels at once.
    fn regression(&self) -> f64 {
        let rng = Rng::new(self.config.seed).stream("regression");
        let layer = Linear::new("regression", PIXELS, CLASSES);
        let mut parameters = Parameters::default();
        layer.push_parameters(&mut parameters, &rng);
        let optimizer = OptimizerConfig::Adam(AdamConfig {
            learning_rate: 0.05,
            ..AdamConfig::default()
        });
        let mut trainer =
            Trainer::<f32>::new(parameters, optimizer, Clip::None);
        let ended = trainer.run(
            self.config.regression_updates,
            |_, parameters| {
                let tape = parameters.tape();
                let x = tape.constant(&self.train.pixels.view());
                let target =
                    one_hot(tape, self.train.labels.iter().copied(), CLASSES);
                cross_entropy(layer.apply(parameters, x), target)
            },
            |_| ControlFlow::Continue(()),
        );
        if ended.is_err() {
            return f64::NAN;
        }
        let tape = Tape::new();
        let x = tape.constant(&self.test.pixels.view());
        let logits = layer.apply(&tape.bind(&trainer.parameters), x).value();
        let labels = self.test.labels.iter().copied();
        share(count_right(&logits, labels), self.test)
    }

    /// Adds a cell's facts and series to the report.
    fn summarise(&self, report: &mut Report, cell: Cell, outcomes: &[Outcome]) {
        let network = self.network(cell);
        let key = |what: &str| format!("{}_{what}", key_of(cell.name()));
        report
            .fact(key("hidden"), network.layer.hidden)
            .fact(key("parameters"), network.size());
        let ends = outcomes.iter().map(Outcome::final_accuracy).collect();
        add_facts(report, &key("accuracy"), ends, 6);

        let longest =
            outcomes.iter().map(|o| o.accuracy.len()).max().unwrap_or(0);
        let updates = (0..longest as u64)
            .map(|i| (i * self.config.measure_every).min(self.config.updates));
        let updates = updates.map(|u| u as f64).collect();
        let curves = outcomes.iter().map(|o| &o.accuracy[..]).collect();
        add_band(report, key("accuracy"), updates, curves);

        for side in ["before", "after"] {
            let norms = outcomes.iter().map(|outcome| match side {
                "before" => &outcome.before,
                _ => &outcome.after,
            });
            let h = norms.clone().map(|n| &n.h[..]).collect();
            let c = norms.filter_map(|n| n.c.as_deref()).collect();
            for (prefix, curves) in [("", h), ("cell_state_", c)] {
                let curves: Vec<&[f64]> = curves;
                if curves.is_empty() {
                    continue;
                }
                // How much of what leaves the state after the last pixel arrives at that after the first.
                let reach = curves.iter().map(|n| n[1] / n[PIXELS]).collect();
                let name = key(&format!("{prefix}reach_{side}"));
                add_facts(report, &name, reach, 3);
                let steps = (0..=PIXELS).map(|t| t as f64).collect();
                let name = key(&format!("{prefix}gradient_{side}"));
                add_band(report, name, steps, curves);
            }
        }
    }
}

/// What a cell's facts and series begin with: its name in lower case, `_` for all that is no letter.
fn key_of(cell: &str) -> String {
    let name = cell.to_lowercase();
    let words = name.split(|c: char| !c.is_alphabetic());
    words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join("_")
}

/// Adds the median of the runs' values, the lowest and the highest as facts.
fn add_facts(report: &mut Report, name: &str, values: Vec<f64>, digits: u8) {
    let [low, middle, high] = spread(values);
    report
        .fact(name, Number::rounded(middle, digits))
        .fact(format!("{name}_low"), Number::rounded(low, digits))
        .fact(format!("{name}_high"), Number::rounded(high, digits));
}

/// Adds a series of medians over the runs' curves within their range. Where a curve has ended it counts as
/// NaN.
fn add_band(
    report: &mut Report,
    name: String,
    x: Vec<f64>,
    curves: Vec<&[f64]>,
) {
    let at = |i: usize| {
        let at = |c: &&[f64]| c.get(i).copied().unwrap_or(f64::NAN);
        spread(curves.iter().map(at).collect())
    };
    let all: Vec<[f64; 3]> = (0..x.len()).map(at).collect();
    let column =
        |k: usize| all.iter().map(move |row| Number::rounded(row[k], 4));
    report.band(name, x, column(1), column(0), column(2));
}

/// The lowest, the median and the highest. NaN counts as the largest, whatever its sign: which sign a NaN
/// gets differs between processors.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    let order =
        |a: &f64, b: &f64| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b));
    values.sort_by(order);
    let last = values.len() - 1;
    [values[0], values[last / 2], values[last]]
}

/// Training images in random order, over and over; a batch never spans two passes.
struct Batches {
    order: Vec<usize>,
    at: usize,
    batch: usize,
    rng: Rng,
}

impl Batches {
    fn new(images: usize, batch: usize, rng: Rng) -> Batches {
        Batches { order: (0..images).collect(), at: images, batch, rng }
    }

    fn next(&mut self) -> &[usize] {
        if self.at + self.batch > self.order.len() {
            self.rng.shuffle(&mut self.order);
            self.at = 0;
        }
        self.at += self.batch;
        &self.order[self.at - self.batch..self.at]
    }
}

/// Images as sequences of pixels on a tape: (64·B, 1).
fn sequences<'t, T: Scalar>(
    tape: &'t Tape<T>,
    images: &Digits,
    rows: &[usize],
) -> longlag_autodiff::Var<'t, T> {
    tape.constant_with(PIXELS * rows.len(), 1, |to| {
        images.write_sequences(rows, to)
    })
}

/// The share of test images that show the digit which most training images show.
fn majority_accuracy(train: &Digits, test: &Digits) -> f64 {
    let count = |images: &Digits, digit: usize| {
        images.labels.iter().filter(|&&label| label == digit).count()
    };
    let digit = (0..CLASSES).rev().max_by_key(|&digit| count(train, digit));
    share(count(test, digit.expect("there are digits")), test)
}

/// How many rows of the logits (B, 10) are largest at their label. A tie or a NaN makes a row wrong.
fn count_right(
    logits: &Array2<f32>,
    labels: impl Iterator<Item = usize>,
) -> usize {
    let rows = logits.rows().into_iter().zip(labels);
    let right = |row: ArrayView1<f32>, label: usize| {
        (0..row.len()).all(|i| i == label || row[i] < row[label])
    };
    rows.filter(|&(row, label)| right(row, label)).count()
}

fn share(count: usize, of: &Digits) -> f64 {
    count as f64 / of.len() as f64
}

/// The median; of an even number the lower of the middle two, so that it is one of the values.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    spread(values.collect())[1]
}

/// FNV-1a over the bits of all weights.
fn hash(parameters: &Parameters<f32>) -> u64 {
    // The other bits of a NaN differ between processors.
    let one_nan = |v: &f32| if v.is_nan() { f32::NAN } else { *v };
    let values = parameters.values.iter().map(one_nan);
    let bytes = values.flat_map(|v| v.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The cells of a report, as they are called in its keys and in figures.
fn racers(report: &Report) -> Vec<(String, String)> {
    let mut cells: Vec<String> =
        report.tables().get("runs").map_or(vec![], |t| {
            t.rows().iter().map(|r| r[0].to_string()).collect()
        });
    cells.dedup();
    cells.into_iter().map(|cell| (key_of(&cell), cell)).collect()
}

fn number(report: &Report, path: &str) -> Result<f64, LookupError> {
    Ok(report.value(path)?.as_number().map_or(f64::NAN, Number::to_f64))
}

fn accuracy(report: &Report) -> Result<Figure, LookupError> {
    let runs = report.find_table("runs")?;
    let all = runs.numbers("accuracy");
    let mut chart = DotChart::new(
        "Test accuracy of each run of RNN, LSTM and GRU, with the logistic regression and the most frequent digit \
         as lines.",
        Axis::linear("Test accuracy").range(0.0, 1.0).percent(),
    )
    .reference("most frequent digit", number(report, "facts.majority_accuracy")?)
    .reference("logistic regression", number(report, "facts.regression_accuracy")?);
    for (key, cell) in racers(report) {
        let dots = runs
            .rows()
            .iter()
            .zip(&all)
            .filter(|(r, _)| r[0].to_string() == cell)
            .map(|(_, &a)| a);
        let median = number(report, &format!("facts.{key}_accuracy"))?;
        let row = DotRow::new(&cell).dots(Marker::Disc, dots).median(median);
        chart = chart.row(row.note(format_percent(median, 1)));
    }
    Ok(chart.figure())
}

fn training(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Test accuracy against updates: median and range over the runs, for each cell, with the logistic \
         regression as a line.",
        Axis::linear("Updates"),
        Axis::linear("Test accuracy").range(0.0, 1.0).percent(),
    )
    .reference("logistic regression", number(report, "facts.regression_accuracy")?);
    for (key, cell) in racers(report) {
        chart = chart.curve(Curve::of(
            &cell,
            report.find_series(&format!("{key}_accuracy"))?,
        ));
    }
    Ok(chart.figure())
}

fn gradient(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Norm of the loss's gradient by the state after each of 64 pixels, on a logarithmic axis, before and after \
         training: the hidden state of each cell and the LSTM's cell state. Median and range over the runs.",
        Axis::linear("After pixel *t*, from the last one back")
            .range(PIXELS as f64, 0.0),
        Axis::log("‖∂*ℓ*/∂*h*_{*t*}‖; dashed ‖∂*ℓ*/∂*c*_{*t*}‖"),
    );
    for (part, title) in
        [("before", "Before training"), ("after", "After training")]
    {
        chart = chart.panel(title);
        for (key, cell) in racers(report) {
            let name = format!("{key}_gradient_{part}");
            let series = report.find_series(&name)?;
            chart = chart.curve(backwards(&cell, series));
            let name = format!("{key}_cell_state_gradient_{part}");
            if let Some(series) = report.all_series().get(&name) {
                let name = format!("{cell} *c*_{{*t*}}");
                chart = chart.curve(backwards(&name, series).dashed());
            }
        }
    }
    Ok(chart.figure())
}

/// A curve from the end of the sequence to its beginning, so that its name stands at pixel 0.
fn backwards(name: &str, series: &Series) -> Curve {
    let reversed = |mut v: Vec<f64>| {
        v.reverse();
        v
    };
    let (x, y) = (reversed(series.x()), reversed(series.y()));
    let curve = Curve::new(name, x.into_iter().zip(y));
    match series.band() {
        Some((low, high)) => curve.band(reversed(low), reversed(high)),
        None => curve,
    }
}
