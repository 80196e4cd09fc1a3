//! The first race: handwritten digits, read one pixel at a time.
//!
//! An image is a sequence of 64 grey values; the network sees one a step and must name the digit after the
//! last. RNN, LSTM and GRU of (nearly) equal numbers of parameters train on the same batches. Beside their
//! accuracy stand two baselines that see no sequence at all: the most frequent digit, and a logistic
//! regression on all 64 pixels at once. Before and after training, ‖∂ℓ/∂h_t‖ says how much of the loss's
//! gradient reaches the state after pixel t.

use crate::digits::{self, CLASSES, Digits, PIXELS};
use crate::experiment::{ConfigError, Experiment, FigureSpec, Progress};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Linear, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar, slice};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, LineChart, Marker,
};
use longlag_report::format::format_percent;
use longlag_report::{LookupError, Number, Report};
use longlag_train::{Trainer, cross_entropy, one_hot};
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
        let at_least_1 = |field, value: u64| {
            ConfigError::unless(
                value >= 1,
                field,
                value,
                "it must be at least 1",
            )
        };
        at_least_1("runs", config.runs)?;
        at_least_1("updates", config.updates)?;
        at_least_1("measure_every", config.measure_every)?;
        at_least_1("regression_updates", config.regression_updates)?;
        let cells = &config.cells;
        ConfigError::unless(
            !cells.is_empty(),
            "cells",
            cells,
            "there must be at least one",
        )?;
        let unlike = (1..cells.len()).all(|i| !cells[..i].contains(&cells[i]));
        ConfigError::unless(unlike, "cells", cells, "each may race only once")?;
        let size = config.parameters;
        let sizes = 100..=10_000_000;
        ConfigError::unless(
            sizes.contains(&size),
            "parameters",
            size,
            "it must be from 100 to 10000000",
        )?;
        for &cell in cells {
            let layer = Network::of_size(cell, 1, CLASSES, size).layer;
            layer.check(&config.initialisation).map_err(|unfit| {
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
            .fact(
                "majority_accuracy",
                accuracy_of(&test, &vec![majority(&train); test.len()]),
            )
            .fact("regression_accuracy", race.regression());
        for (cell, outcomes) in
            config.cells.iter().zip(outcomes.chunks(config.runs as usize))
        {
            race.summarise(&mut report, *cell, outcomes);
        }
        let table = report.table(
            "runs",
            ["cell", "run", "accuracy", "loss", "clipped", "weights"],
        );
        for ((cell, run), outcome) in runs.iter().zip(&outcomes) {
            let accuracy = outcome.accuracy.last().copied().unwrap_or(f64::NAN);
            let Outcome { loss, clipped, weights, .. } = outcome;
            table.row((
                cell.name(),
                *run,
                accuracy,
                Number::rounded(*loss, 4),
                *clipped,
                format!("{weights:016x}"),
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
    /// The test accuracy at the start and after every `measure_every` updates, and at the end.
    accuracy: Vec<f64>,
    /// The median ‖∂ℓ/∂h_t‖ for t = 0 … 64, before and after.
    before: Vec<f64>,
    after: Vec<f64>,
    /// The loss of the last batch; NaN if the training broke off.
    loss: f64,
    /// How many updates were clipped.
    clipped: u64,
    /// A hash of the weights at the end: two runs with the same are the same to the bit.
    weights: u64,
}

impl Race<'_> {
    fn network(&self, cell: Cell) -> Network {
        Network::of_size(cell, 1, CLASSES, self.config.parameters)
    }

    /// One training. Its random streams depend on the seed and the run, not on the cell: the cells see the
    /// same batches.
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
        let (mut loss, mut clipped) = (f64::NAN, 0);

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
                let logits =
                    network.apply(parameters, x, rows.len(), |_, _| {});
                cross_entropy(logits, target)
            },
            |step| {
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
            // A broken training stays in the report: its loss is NaN and its curve ends.
            loss = f64::NAN;
        }
        let end = &trainer.parameters;
        let after = self.gradient(&network, end);
        Outcome { accuracy, before, after, loss, clipped, weights: hash(end) }
    }

    /// The share of test images that a network names rightly.
    fn accuracy(&self, network: &Network, parameters: &Parameters<f32>) -> f64 {
        let rows: Vec<usize> = (0..self.test.len()).collect();
        let mut tape = Tape::new();
        let mut said = Vec::new();
        for rows in rows.chunks(60) {
            tape.reset();
            let x = sequences(&tape, self.test, rows);
            let logits =
                network.apply(&tape.bind(parameters), x, rows.len(), |_, _| {});
            said.extend(
                logits
                    .value()
                    .rows()
                    .into_iter()
                    .map(|row| largest(row.iter().copied())),
            );
        }
        accuracy_of(self.test, &said)
    }

    // ANCHOR: gradient
    /// The median over test images of ‖∂ℓ/∂h_t‖, for t = 0 … 64: ℓ is an
    /// image's own loss, h_t the state after its pixel t. In f64, so that
    /// nothing underflows.
    fn gradient(&self, network: &Network, at: &Parameters<f32>) -> Vec<f64> {
        let images: Vec<usize> = (0..self.config.probe_images).collect();
        let at = at.map(f64::from);
        let tape = Tape::new();
        let parameters = tape.bind(&at);
        let x = sequences(&tape, self.test, &images);
        let mut states = Vec::new();
        let logits = network
            .apply(&parameters, x, images.len(), |_, s| states.push(s.h));
        let labels = images.iter().map(|&i| self.test.labels[i]);
        let target = one_hot(&tape, labels, CLASSES);
        // The sum of the images' losses: a row of its gradient by h_t is
        // one image's.
        let loss = cross_entropy(logits, target).scale(images.len() as f64);
        let grads = loss.backward();
        let norms = |h| {
            let d_h = grads.of(h);
            let norm = |row: usize| slice::norm(&d_h.row(row).to_vec());
            images.iter().map(|&i| norm(i)).collect()
        };
        states.into_iter().map(|h| median(norms(h))).collect()
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
        let said: Vec<usize> = logits
            .rows()
            .into_iter()
            .map(|row| largest(row.iter().copied()))
            .collect();
        accuracy_of(self.test, &said)
    }

    /// Adds a cell's facts and series to the report.
    fn summarise(&self, report: &mut Report, cell: Cell, outcomes: &[Outcome]) {
        let network = self.network(cell);
        let key = |what: &str| {
            format!(
                "{}_{what}",
                cell.name().to_lowercase().replace([' ', ','], "_")
            )
        };
        let last = |o: &Outcome| o.accuracy.last().copied().unwrap_or(f64::NAN);
        let ends: Vec<f64> = outcomes.iter().map(last).collect();
        let at = |t: usize, of: fn(&Outcome) -> &[f64]| {
            median(outcomes.iter().map(|o| of(o)[t]).collect())
        };
        // From the first pixel's state to the last one's: how much is left on the way back.
        let reach = |of: fn(&Outcome) -> &[f64]| at(1, of) / at(PIXELS, of);
        report
            .fact(key("hidden"), network.layer.hidden)
            .fact(key("parameters"), network.size())
            .fact(key("accuracy"), median(ends.clone()))
            .fact(
                key("accuracy_low"),
                ends.iter().copied().fold(f64::INFINITY, f64::min),
            )
            .fact(
                key("accuracy_high"),
                ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            )
            .fact(key("reach_before"), Number::rounded(reach(|o| &o.before), 3))
            .fact(key("reach_after"), Number::rounded(reach(|o| &o.after), 3));

        let longest =
            outcomes.iter().map(|o| o.accuracy.len()).max().unwrap_or(0);
        let updates = (0..longest as u64)
            .map(|i| (i * self.config.measure_every).min(self.config.updates));
        let curves: Vec<Vec<f64>> = (0..longest)
            .map(|i| {
                outcomes
                    .iter()
                    .map(|o| o.accuracy.get(i).copied().unwrap_or(f64::NAN))
                    .collect()
            })
            .collect();
        add_band(
            report,
            key("accuracy"),
            updates.map(|u| u as f64).collect(),
            &curves,
        );
        for (name, of) in [
            ("before", (|o| &o.before) as fn(&Outcome) -> &Vec<f64>),
            ("after", |o| &o.after),
        ] {
            let values: Vec<Vec<f64>> = (0..=PIXELS)
                .map(|t| outcomes.iter().map(|o| of(o)[t]).collect())
                .collect();
            add_band(
                report,
                key(&format!("gradient_{name}")),
                (0..=PIXELS).map(|t| t as f64).collect(),
                &values,
            );
        }
    }
}

/// Adds a series of medians within their range.
fn add_band(
    report: &mut Report,
    name: String,
    x: Vec<f64>,
    values: &[Vec<f64>],
) {
    let short = |v: f64| Number::rounded(v, 4);
    let fold = |with: fn(f64, f64) -> f64| {
        move |v: &Vec<f64>| {
            short(v.iter().copied().reduce(with).expect("at least one run"))
        }
    };
    report.band(
        name,
        x,
        values.iter().map(|v| short(median(v.clone()))),
        values.iter().map(fold(f64::min)),
        values.iter().map(fold(f64::max)),
    );
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

/// The digit that most training images show.
fn majority(train: &Digits) -> usize {
    let mut counts = [0_u32; CLASSES];
    train.labels.iter().for_each(|&label| counts[label] += 1);
    largest(counts.into_iter())
}

/// The index of the largest entry; of equal ones the first.
fn largest<T: PartialOrd>(values: impl Iterator<Item = T>) -> usize {
    let (mut best, mut at) = (None, 0);
    for (i, value) in values.enumerate() {
        if best.as_ref().is_none_or(|best| value > *best) {
            (best, at) = (Some(value), i);
        }
    }
    at
}

fn accuracy_of(images: &Digits, said: &[usize]) -> f64 {
    let right = images.labels.iter().zip(said).filter(|(a, b)| a == b).count();
    right as f64 / images.len() as f64
}

/// The median; of an even number the lower of the middle two, so that it is one of the values. NaN counts
/// as the largest.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

/// FNV-1a over the bits of all weights.
fn hash(parameters: &Parameters<f32>) -> u64 {
    let bytes =
        parameters.values.iter().flat_map(|v| v.to_bits().to_le_bytes());
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
    cells
        .into_iter()
        .map(|c| (c.to_lowercase().replace([' ', ','], "_"), c))
        .collect()
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
         training, for each cell: median and range over the runs.",
        Axis::linear("After pixel *t*, from the last one back")
            .range(PIXELS as f64, 0.0),
        Axis::log("‖∂*ℓ*/∂*h*_{*t*}‖"),
    );
    for (part, title) in
        [("before", "Before training"), ("after", "After training")]
    {
        chart = chart.panel(title);
        for (key, cell) in racers(report) {
            let name = format!("{key}_gradient_{part}");
            let series = report.find_series(&name)?;
            // From the end of the sequence to its beginning, so that a curve's name stands at pixel 0.
            let reversed = |mut v: Vec<f64>| {
                v.reverse();
                v
            };
            let (x, y) = (reversed(series.x()), reversed(series.y()));
            let mut curve = Curve::new(&cell, x.into_iter().zip(y));
            if let Some((low, high)) = series.band() {
                curve = curve.band(reversed(low), reversed(high));
            }
            chart = chart.curve(curve);
        }
    }
    Ok(chart.figure())
}
