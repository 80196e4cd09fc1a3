//! The first race: handwritten digits, read one pixel at a time.
//!
//! An image is a sequence of 64 grey values; the network sees one a step and must name the digit after the
//! last. RNN, LSTM and GRU of (nearly) equal numbers of parameters train on the same batches, once with the
//! pixels row by row and once in an order drawn at random, the same for all images. Beside their accuracy
//! stand two baselines that see no sequence at all, the most frequent digit and a logistic regression on all
//! 64 pixels at once, and an RNN whose recurrent weights stay as they start. Before and after training, ‖∂ℓ/∂h_t‖ says how much of the loss's gradient reaches the
//! state after pixel t.

use crate::digits::{self, CLASSES, Digits, PIXELS};
use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::runs::{Hash, Recorded, Run, Runs, run_all};
use crate::summary::{add_band, add_facts, key_of, spread};
use crate::tasks::{Batch, Success, frozen};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Linear, Network, RecurrentCell};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar, slice};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, LineChart, Marker, ink_of,
};
use longlag_report::format::format_percent;
use longlag_report::{LookupError, Number, Report, Series};
use longlag_train::{Checkpoint, Trainer, cross_entropy, one_hot};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

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
    /// The orders of pixels that they race over.
    pub orders: Vec<Order>,
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

/// In which order an image's pixels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Row by row from the top left.
    Rows,
    /// In an order drawn at random, the same for all images and runs: what belongs together lies apart.
    Permuted,
}

impl Order {
    /// What its facts and series begin with.
    fn key(self) -> &'static str {
        match self {
            Order::Rows => "",
            Order::Permuted => "permuted_",
        }
    }
    fn name(self) -> &'static str {
        match self {
            Order::Rows => "row by row",
            Order::Permuted => "permuted",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            runs: 20,
            cells: vec![Cell::RnnTanh, Cell::Lstm, Cell::Gru],
            orders: vec![Order::Rows, Order::Permuted],
            parameters: 5000,
            initialisation: Initialisation {
                forget_bias: Some(1.0),
                ..Initialisation::default()
            },
            updates: 2700,
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
            ConfigError::within(field, value, 1..=most)?;
        }
        let cells = &config.cells;
        ConfigError::unless(
            !cells.is_empty() && unlike(cells),
            "cells",
            cells,
            "it must list at least one cell, and each only once",
        )?;
        let orders = &config.orders;
        ConfigError::unless(
            !orders.is_empty() && unlike(orders),
            "orders",
            orders,
            "it must list at least one order, and each only once",
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
        run_all::<Self>(config, progress)
    }
}

impl Recorded for FirstRace {
    type Runs = Race;
    fn runs(config: &Config) -> Race {
        let all = Digits::load();
        let data = config.orders.iter().map(|&order| {
            let all = match order {
                Order::Rows => all.clone(),
                Order::Permuted => {
                    let rng = Rng::new(config.seed).stream("permutation");
                    all.permuted(rng)
                }
            };
            let (train, test) =
                (all.rows(digits::TRAIN), all.rows(digits::TEST));
            Data { order, train, test }
        });
        Race { config: config.clone(), data: data.collect() }
    }
}

/// All runs of the race.
#[derive(Debug)]
pub struct Race {
    config: Config,
    data: Vec<Data>,
}

/// The images with their pixels in one order.
#[derive(Debug)]
struct Data {
    order: Order,
    train: Digits,
    test: Digits,
}

/// What one run gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
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
    weights: Hash,
}

impl Outcome {
    fn final_accuracy(&self) -> f64 {
        *self.accuracy.last().expect("the start was measured")
    }
}

/// The medians over images of ‖∂ℓ/∂h_t‖, and for a cell with a cell state ‖∂ℓ/∂c_t‖, for t = 0 … 64.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Norms {
    h: Vec<f64>,
    c: Option<Vec<f64>>,
}

impl Runs for Race {
    type Run<'a> = Training<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let name = |(data, cell, run): (&Data, Cell, u64)| {
            format!("{} {} {run}", data.order.name(), cell.name())
        };
        self.all().map(name).collect()
    }
    fn units(&self, _: usize) -> u64 {
        self.config.updates
    }
    fn start(&self, run: usize) -> Training<'_> {
        let (data, cell, run) = self.all().nth(run).expect("a run");
        Training::start(self, data, cell, run)
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// One training.
#[derive(Debug)]
pub struct Training<'a> {
    race: &'a Race,
    data: &'a Data,
    network: Network,
    trainer: Trainer<f32>,
    batches: Batches,
    measured: Measured,
}

/// What is known of a training so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    accuracy: Vec<f64>,
    before: Norms,
    loss: f64,
    clipped: u64,
}

impl<'a> Training<'a> {
    /// Its random streams depend on the seed and the run, not on cell or order: in a run, the cells see the
    /// same batches and start from the same random numbers, scaled to their sizes, which makes runs
    /// comparable in pairs.
    fn start(race: &'a Race, data: &'a Data, cell: Cell, run: u64) -> Self {
        let &Config {
            seed, batch, optimizer, clip, ref initialisation, ..
        } = &race.config;
        let rng = Rng::new(seed).stream(&format!("run {run}"));
        let network = race.network(cell);
        let start: Parameters<f32> =
            network.parameters(initialisation, &rng.stream("weights"));
        let measured = Measured {
            accuracy: vec![data.accuracy(&network, &start)],
            before: race.gradient(data, &network, &start),
            loss: f64::NAN,
            clipped: 0,
        };
        let trainer = Trainer::new(start, optimizer, clip);
        let images = data.train.len();
        let batches = Batches::new(images, batch, rng.stream("batches"));
        Training { race, data, network, trainer, batches, measured }
    }
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Measured);
    type Outcome = Outcome;

    // ANCHOR: training
    fn advance(&mut self) -> ControlFlow<()> {
        let Config { updates, measure_every, .. } = self.race.config;
        let (network, data) = (&self.network, self.data);
        let measured = &mut self.measured;
        let rows = self.batches.of(self.trainer.updates());
        let result = self.trainer.update(
            |parameters| {
                let tape = parameters.tape();
                let x = sequences(tape, &data.train, rows);
                let labels = rows.iter().map(|&i| data.train.labels[i]);
                let target = one_hot(tape, labels, CLASSES);
                let logits = network.apply(parameters, x, rows.len());
                cross_entropy(logits, target)
            },
            |step| {
                measured.loss = f64::from(step.loss);
                measured.clipped += u64::from(step.clipped.factor < 1.0);
                if step.update % measure_every == 0 || step.update == updates {
                    let now = data.accuracy(network, step.parameters);
                    measured.accuracy.push(now);
                }
            },
        );
        if result.is_err() {
            measured.accuracy.push(f64::NAN);
            measured.loss = f64::NAN;
        }
        if result.is_err() || self.trainer.updates() == updates {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
    // ANCHOR_END: training
    fn save(&self) -> Self::Saved {
        (self.trainer.checkpoint(), self.measured.clone())
    }
    fn restore(
        &mut self,
        (trainer, measured): Self::Saved,
    ) -> Result<(), String> {
        self.trainer.restore(trainer).map_err(|error| error.to_string())?;
        self.measured = measured;
        Ok(())
    }
    fn outcome(&self) -> Outcome {
        let Measured { accuracy, before, loss, clipped } =
            self.measured.clone();
        let end = &self.trainer.parameters;
        Outcome {
            updates: self.trainer.updates(),
            accuracy,
            before,
            after: self.race.gradient(self.data, &self.network, end),
            loss,
            clipped,
            weights: Hash::of_weights(&self.trainer),
        }
    }
}

impl Data {
    /// The share of test images that a network names rightly.
    fn accuracy(&self, network: &Network, parameters: &Parameters<f32>) -> f64 {
        let rows: Vec<usize> = (0..self.test.len()).collect();
        let mut tape = Tape::new();
        let mut right = 0;
        for rows in rows.chunks(60) {
            tape.reset();
            let x = sequences(&tape, &self.test, rows);
            let logits = network.apply(&tape.bind(parameters), x, rows.len());
            let labels = rows.iter().map(|&i| self.test.labels[i]);
            right += count_right(&logits.value(), labels);
        }
        share(right, &self.test)
    }
}

impl Race {
    /// Every run: its images, its cell, its number from 1.
    fn all(&self) -> impl Iterator<Item = (&Data, Cell, u64)> {
        let Config { cells, runs, .. } = &self.config;
        let of = move |data| {
            cells.iter().flat_map(move |&cell| {
                (1..=*runs).map(move |run| (data, cell, run))
            })
        };
        self.data.iter().flat_map(of)
    }

    fn network(&self, cell: Cell) -> Network {
        Network::of_size(cell, 1, CLASSES, self.config.parameters)
    }

    // ANCHOR: gradient
    /// For t = 0 … 64, the median over test images of ‖∂ℓ/∂h_t‖: ℓ is an
    /// image's own loss, h_t the hidden state after its pixel t. For an
    /// LSTM also ‖∂ℓ/∂c_t‖. In f64, so that nothing underflows.
    fn gradient(
        &self,
        data: &Data,
        network: &Network,
        at: &Parameters<f32>,
    ) -> Norms {
        let images: Vec<usize> = (0..self.config.probe_images).collect();
        let at = at.map(f64::from);
        let tape = Tape::new();
        let parameters = tape.bind(&at);
        let x = sequences(&tape, &data.test, &images);
        let mut states = Vec::new();
        let logits =
            network.unroll(&parameters, x, images.len(), |_, s| states.push(s));
        let labels = images.iter().map(|&i| data.test.labels[i]);
        let target = one_hot(&tape, labels, CLASSES);
        // The sum of the images' losses: a row of its gradient by a
        // state is one image's.
        let loss = cross_entropy(logits, target).scale(images.len() as f64);
        let grads = loss.backward();
        let norm = |state| {
            let d = grads.of(state);
            median(d.rows().into_iter().map(|d| slice::norm(&d.to_vec())))
        };
        Norms {
            h: states.iter().map(|s| norm(s.h)).collect(),
            c: states.iter().map(|s| s.c.map(norm)).collect(),
        }
    }
    // ANCHOR_END: gradient

    /// The test accuracy of a softmax regression on the 64 pixels at once.
    fn regression(&self) -> f64 {
        let Data { train, test, .. } = &self.data[0];
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
                let x = tape.constant(&train.pixels.view());
                let target =
                    one_hot(tape, train.labels.iter().copied(), CLASSES);
                cross_entropy(layer.apply(parameters, x), target)
            },
            |_| ControlFlow::Continue(()),
        );
        if ended.is_err() {
            return f64::NAN;
        }
        let tape = Tape::new();
        let x = tape.constant(&test.pixels.view());
        let logits = layer.apply(&tape.bind(&trainer.parameters), x).value();
        let labels = test.labels.iter().copied();
        share(count_right(&logits, labels), test)
    }

    /// The test accuracies of the RNNs that the runs start from, with the read-out alone trained.
    fn frozen(&self, data: &Data) -> Vec<f64> {
        let network = self.network(Cell::RnnTanh);
        let [train, test] = [&data.train, &data.test].map(batch_of);
        let accuracy = |run: u64| {
            let rng = Rng::new(self.config.seed).stream(&format!("run {run}"));
            let start = &self.config.initialisation;
            let at = network.parameters(start, &rng.stream("weights"));
            let answers = frozen(&network.layer, &at, &train, &test);
            let right = test.right(answers.view());
            let right = right.into_iter().filter(|&right| right).count();
            share(right, &data.test)
        };
        (1..=self.config.runs).into_par_iter().map(accuracy).collect()
    }

    fn summary(&self, outcomes: &[Outcome]) -> Report {
        let Data { train, test, .. } = &self.data[0];
        let mut report = Report::new(FirstRace::NAME, &self.config);
        report
            .fact("train_images", train.len())
            .fact("test_images", test.len())
            .fact("chance", 1.0 / CLASSES as f64)
            .fact("majority_accuracy", majority_accuracy(train, test))
            .fact("regression_accuracy", self.regression());
        let mut parts = outcomes.chunks(self.config.runs as usize);
        for data in &self.data {
            for &cell in &self.config.cells {
                let outcomes = parts.next().expect("every run has an outcome");
                self.summarise(&mut report, data.order, cell, outcomes);
            }
        }
        let frozen: Vec<Vec<f64>> =
            self.data.iter().map(|data| self.frozen(data)).collect();
        for (data, all) in self.data.iter().zip(&frozen) {
            let name = format!("{}frozen_accuracy", data.order.key());
            add_facts(&mut report, &name, all.clone(), 6);
        }
        let table = report.table("frozen", ["order", "run", "accuracy"]);
        for (data, all) in self.data.iter().zip(frozen) {
            for (run, accuracy) in (1..).zip(all) {
                table.row((data.order.name(), run as u64, accuracy));
            }
        }
        let table = report.table(
            "runs",
            [
                "order", "cell", "run", "updates", "accuracy", "loss",
                "clipped", "weights",
            ],
        );
        for ((data, cell, run), outcome) in self.all().zip(outcomes) {
            table.row((
                data.order.name(),
                cell.name(),
                run,
                outcome.updates,
                outcome.final_accuracy(),
                Number::rounded(outcome.loss, 4),
                outcome.clipped,
                outcome.weights.to_string(),
            ));
        }
        report
    }

    /// Adds a cell's facts and series to the report.
    fn summarise(
        &self,
        report: &mut Report,
        order: Order,
        cell: Cell,
        outcomes: &[Outcome],
    ) {
        let network = self.network(cell);
        let name = key_of(cell.name());
        let key = |what: &str| format!("{}{name}_{what}", order.key());
        if order == self.data[0].order {
            report
                .fact(format!("{name}_hidden"), network.layer.hidden)
                .fact(format!("{name}_parameters"), network.size());
        }
        let ends = outcomes.iter().map(Outcome::final_accuracy).collect();
        add_facts(report, &key("accuracy"), ends, 6);
        let share = |o: &Outcome| o.clipped as f64 / o.updates as f64;
        let clipped = outcomes.iter().map(share).collect();
        add_facts(report, &key("clipped"), clipped, 3);

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

/// Training images in random order, over and over; a batch never spans two passes.
#[derive(Debug)]
struct Batches {
    batch: usize,
    rng: Rng,
    pass: u64,
    /// That of the pass.
    order: Vec<usize>,
}

impl Batches {
    fn new(images: usize, batch: usize, rng: Rng) -> Batches {
        let mut batches =
            Batches { batch, rng, pass: 0, order: vec![0; images] };
        batches.shuffle();
        batches
    }
    /// The rows of the batch after so many updates. Which they are is computed from the number alone: a run
    /// that goes on needs no generator's state.
    fn of(&mut self, updates: u64) -> &[usize] {
        let a_pass = (self.order.len() / self.batch) as u64;
        if self.pass != updates / a_pass {
            self.pass = updates / a_pass;
            self.shuffle();
        }
        let at = (updates % a_pass) as usize * self.batch;
        &self.order[at..at + self.batch]
    }
    fn shuffle(&mut self) {
        let mut rng = self.rng.stream(&format!("pass {}", self.pass));
        self.order = rng.permutation(self.order.len());
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

/// All images as one batch.
fn batch_of(images: &Digits) -> Batch {
    let rows: Vec<usize> = (0..images.len()).collect();
    let mut x = vec![0.0; PIXELS * rows.len()];
    images.write_sequences(&rows, &mut x);
    let x = Array2::from_shape_vec((x.len(), 1), x);
    let target =
        |(row, digit)| f64::from(u8::from(images.labels[row] == digit));
    Batch {
        x: x.expect("a column"),
        lengths: vec![PIXELS; rows.len()],
        target: Array2::from_shape_fn((rows.len(), CLASSES), target),
        success: Success::LargestOutput,
    }
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

/// The median, and nothing of its interval.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    spread(values.collect())[1]
}

/// The orders of a report, each by its name and what its keys begin with.
fn orders(report: &Report) -> Vec<(String, &'static str)> {
    let there = of_runs(report, 0);
    let all = [Order::Rows, Order::Permuted];
    let key = |name: &String| all.iter().find(|o| o.name() == *name);
    there
        .into_iter()
        .filter_map(|n| Some((n.clone(), key(&n)?.key())))
        .collect()
}

/// The cells of a report, by what stands in its keys and by name.
fn racers(report: &Report) -> Vec<(String, String)> {
    let cells = of_runs(report, 1);
    cells.into_iter().map(|cell| (key_of(&cell), cell)).collect()
}

/// What stands in a column of the table of runs, each once.
fn of_runs(report: &Report, column: usize) -> Vec<String> {
    let Some(runs) = report.tables().get("runs") else { return vec![] };
    let mut all: Vec<String> = Vec::new();
    for row in runs.rows() {
        let value = row[column].to_string();
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn number(report: &Report, path: &str) -> Result<f64, LookupError> {
    Ok(report.value(path)?.as_number().map_or(f64::NAN, Number::to_f64))
}

fn accuracy(report: &Report) -> Result<Figure, LookupError> {
    let runs = report.find_table("runs")?;
    let all = runs.numbers("accuracy");
    let frozen = report.find_table("frozen")?;
    let mut chart = DotChart::new(
        "Test accuracy of each run of RNN, LSTM and GRU and of an RNN with frozen recurrent weights, over the pixels \
         row by row and permuted, with the logistic regression and the most frequent digit as lines.",
        Axis::linear("Test accuracy").range(0.0, 1.0).percent(),
    )
    .reference("most frequent digit", number(report, "facts.majority_accuracy")?)
    .reference("logistic regression", number(report, "facts.regression_accuracy")?);
    for (order, prefix) in orders(report) {
        chart = chart.group(&order);
        for (key, cell) in racers(report) {
            let of = [&order, &cell];
            let dots = runs
                .rows()
                .iter()
                .zip(&all)
                .filter(|(r, _)| {
                    of.iter().zip(*r).all(|(o, v)| **o == v.to_string())
                })
                .map(|(_, &a)| a);
            let median =
                number(report, &format!("facts.{prefix}{key}_accuracy"))?;
            let row =
                DotRow::new(&cell).dots(Marker::Disc, dots).median(median);
            let row = row.note(format_percent(median, 1));
            chart = chart.row(row.ink(ink_of(&cell)));
        }
        let dots = frozen.rows().iter().zip(frozen.numbers("accuracy"));
        let dots = dots.filter(|(row, _)| row[0].to_string() == order);
        let median = number(report, &format!("facts.{prefix}frozen_accuracy"))?;
        let row = DotRow::new("RNN, frozen")
            .dots(Marker::Ring, dots.map(|(_, accuracy)| accuracy))
            .median(median);
        let row = row.note(format_percent(median, 1));
        chart = chart.row(row.ink(ink_of("RNN")));
    }
    Ok(chart.figure())
}

fn training(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Test accuracy against updates, over the pixels row by row and permuted: median over the runs and its \
         interval, for each cell, with the logistic regression and the most frequent digit as lines.",
        Axis::linear("Updates").ticks([0.0, 1000.0, 2000.0]),
        Axis::linear("Test accuracy").range(0.0, 1.0).percent(),
    )
    .reference("most frequent digit", number(report, "facts.majority_accuracy")?)
    .reference("logistic regression", number(report, "facts.regression_accuracy")?);
    for (order, prefix) in orders(report) {
        chart = chart.panel(&order);
        for (key, cell) in racers(report) {
            let name = format!("{prefix}{key}_accuracy");
            chart = chart.curve(Curve::of(&cell, report.find_series(&name)?));
        }
    }
    Ok(chart.figure())
}

fn gradient(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Norm of the loss's gradient by the state after each of 64 pixels, read row by row, on a logarithmic axis, \
         before and after training: the hidden state of each cell and the LSTM's cell state. Median over the runs, \
         and its interval.",
        Axis::linear("After pixel *t*, from the last one back")
            .range(PIXELS as f64, 0.0),
        Axis::log("‖∂*ℓ*/∂*h*_{*t*}‖; dashed ‖∂*ℓ*/∂*c*_{*t*}‖"),
    );
    let prefix = orders(report).first().map_or("", |(_, prefix)| prefix);
    for (part, title) in
        [("before", "Before training"), ("after", "After training")]
    {
        chart = chart.panel(title);
        for (key, cell) in racers(report) {
            let name = format!("{prefix}{key}_gradient_{part}");
            let series = report.find_series(&name)?;
            chart = chart.curve(backwards(&cell, series));
            let name = format!("{prefix}{key}_cell_state_gradient_{part}");
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
