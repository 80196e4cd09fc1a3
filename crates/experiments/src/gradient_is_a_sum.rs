//! The gradient is a sum: what the gradient of a recurrent weight is made of, lag by lag, and what happens to
//! learning when its parts are changed.
//!
//! RNN and LSTM learn to add two marked numbers that both lie in the first half of the sequence. Before,
//! during and after training the gradient ∂L/∂W_hh is split by lag, and beside each part's share stands its
//! usable signal: how far its mean over sequences sticks out of their noise, less what is left of that when the
//! targets are permuted. The same walk back gives ∂L/∂W_ih by step and ‖∂ℓ/∂x_t‖.
//!
//! Shares and signals only accompany success or failure. The test of a cause is surgery on the way back, the
//! forward pass untouched: a plain network is trained with δ_t held at constant norm, an LSTM without all that
//! comes from lags beyond K.

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use crate::protocol::{
    CONFIDENCE, Claim, Contrast, KaplanMeier, Prediction, Primary, Rule, SEEDS,
    SHARE_MARGIN, SUCCESS_MARGIN, SolveTime, clopper_pearson,
};
use crate::runs::{Hash, Recorded, Run, Runs, run_all};
use crate::summary::{add_band, add_facts, key_of, spread};
use crate::tasks::{Adding, Batch, Definition, Task, frozen};
use longlag_autodiff::Tape;
use longlag_cells::{
    Cell, Initialisation, Layer, Network, RecurrentCell, init::Init,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, slice};
use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
use longlag_probe::split::{Split, usable_signal};
use longlag_probe::statistics::horizon;
use longlag_probe::surgery::{Surgery, altered_gradient, loss_with_gradient};
use longlag_probe::walk::{Factor, Losses, Walk, Weight};
use longlag_probe::{LayerStep, OnTape, Trajectory};
use longlag_report::figure::{
    Axis, Curve, DotChart, DotRow, Figure, LineChart, Marker, ink_of,
};
use longlag_report::format::format_percent;
use longlag_report::{LookupError, Number, Report, Value};
use longlag_train::{Checkpoint, Trainer};
use ndarray::{Array2, ArrayView1, Slice};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// The config of [`GradientIsASum`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides everything random.
    pub seed: u64,
    /// How many times each training is done, from other weights and with other sequences.
    pub runs: u64,
    /// The task.
    pub task: Adding,
    /// H.
    pub hidden: usize,
    /// What is trained, and with which gradient.
    pub trainings: Vec<Condition>,
    /// Sequences in a batch.
    pub batch: usize,
    /// How gradients are clipped.
    pub clip: Clip,
    /// The most updates of a training. It ends before when the task is solved.
    pub updates: u64,
    /// After how many updates the gradient is split between the start and the end.
    pub midway: u64,
    /// Whether the task is solved is asked every so many updates.
    pub measure_every: u64,
    /// By so many sequences.
    pub test: usize,
    /// It is, if at most this share of them is answered wrongly.
    pub wrong: f64,
    /// N, how many sequences a split is over.
    pub probe: usize,
    /// The tanh networks that are split at their start alone.
    pub starts: Vec<Start>,
    /// The T of the sequences that they are split over.
    pub start_steps: usize,
}

/// How a tanh network starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What it is called.
    pub name: String,
    /// Its recurrent layer's parameters.
    pub initialisation: Initialisation,
}

/// A training, by Adam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What it is called.
    pub name: String,
    /// The cell.
    pub cell: Cell,
    /// How the recurrent layer's parameters start.
    #[serde(default)]
    pub initialisation: Initialisation,
    /// The optimizer's.
    pub learning_rate: f64,
    /// Its gradient.
    pub gradient: Gradient,
}

/// Which gradient a network is trained with; in a config `"whole"` or `{ "cut_beyond": 12 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gradient {
    /// The true one.
    Whole,
    /// That of [`Surgery::ConstantNorm`].
    ConstantNorm,
    /// That of [`Surgery::CutBeyond`].
    CutBeyond(usize),
}

impl Condition {
    /// What its facts and series begin with.
    fn key(&self) -> String {
        key_of(&self.name)
    }
}

impl Default for Config {
    fn default() -> Self {
        let plain = Condition {
            name: "RNN".into(),
            cell: Cell::RnnTanh,
            initialisation: Initialisation::default(),
            learning_rate: 1e-3,
            gradient: Gradient::Whole,
        };
        let constant = Condition {
            name: "RNN, constant norm".into(),
            gradient: Gradient::ConstantNorm,
            ..plain.clone()
        };
        let orthogonal = Condition {
            name: "RNN, orthogonal".into(),
            initialisation: Initialisation {
                recurrent: Init::Orthogonal { gain: 1.0 },
                ..Initialisation::default()
            },
            ..plain.clone()
        };
        let lstm = Condition {
            name: "LSTM".into(),
            cell: Cell::Lstm,
            initialisation: Initialisation {
                forget_bias: Some(3.0),
                ..Initialisation::default()
            },
            learning_rate: 5e-3,
            gradient: Gradient::Whole,
        };
        let cut = Condition {
            name: "LSTM, cut".into(),
            gradient: Gradient::CutBeyond(14),
            ..lstm.clone()
        };
        let start = |name: &str, gain, initialisation| Start {
            name: name.into(),
            initialisation: Initialisation {
                recurrent: Init::Gaussian { gain },
                ..initialisation
            },
        };
        let weak = Initialisation::default();
        // Of variance 1 if H is 32.
        let strong = Initialisation {
            input: Init::Gaussian { gain: 5.657 },
            bias: Init::Zero,
            ..weak
        };
        Config {
            seed: 2,
            runs: 20,
            task: Adding {
                definition: Definition::Pascanu2013,
                success: Definition::Pascanu2013,
                steps: 30,
            },
            hidden: 32,
            trainings: vec![plain, constant, orthogonal, lstm, cut],
            batch: 20,
            clip: Clip::Norm(1.0),
            updates: 3000,
            midway: 300,
            measure_every: 50,
            test: 1000,
            wrong: 0.01,
            probe: 400,
            starts: vec![
                start("gain 1", 1.0, weak),
                start("gain 1, strong input", 1.0, strong),
                start("gain 2", 2.0, weak),
                start("gain 2, strong input", 2.0, strong),
            ],
            start_steps: 100,
        }
    }
}

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct GradientIsASum;

impl Experiment for GradientIsASum {
    type Config = Config;
    const NAME: &'static str = "gradient-is-a-sum";
    const QUESTION: &'static str = "Which lags is the gradient made of, which of them can be learnt from, and is \
         vanishing why a plain network doesn't learn?";
    const FIGURES: &'static [FigureSpec] = &[
        FigureSpec { name: "gradient-is-a-sum-shares", draw: shares },
        FigureSpec { name: "gradient-is-a-sum-signals", draw: signals },
        FigureSpec { name: "gradient-is-a-sum-inputs", draw: inputs },
        FigureSpec { name: "gradient-is-a-sum-solved", draw: solved },
        FigureSpec { name: "gradient-is-a-sum-right", draw: right },
    ];
    const CLAIMS: &'static [Claim] = &[
        Claim {
            id: "A1",
            statement: "In a plain network near gradients dominate and far ones become tiny: that is why it doesn't \
                 learn long dependencies.",
            rule: Rule::Measured(Primary {
                contrast: "success of the plain network trained with δ_t at constant norm, less success with the true \
                     gradient",
                predicts: Prediction::Beyond(SUCCESS_MARGIN),
                seeds: SEEDS,
                only_if: None,
                measure: norm_rescues,
            }),
        },
        Claim {
            id: "A2",
            statement: "Early steps have less and less influence on the updates.",
            rule: Rule::Measured(Primary {
                contrast: "one half, less the norm share of the first half of the steps in ∂L/∂W_ih of the plain \
                     network",
                predicts: Prediction::Beyond(SHARE_MARGIN),
                seeds: SEEDS,
                only_if: None,
                measure: early_steps,
            }),
        },
    ];

    fn check(config: &Config) -> Result<(), ConfigError> {
        config.task.check()?;
        let counts = [
            ("runs", config.runs, 1, 1_000),
            ("hidden", config.hidden as u64, 1, 10_000),
            ("batch", config.batch as u64, 1, 100_000),
            ("updates", config.updates, 1, 10_000_000),
            ("midway", config.midway, 1, config.updates),
            ("start_steps", config.start_steps as u64, 20, 100_000),
            ("measure_every", config.measure_every, 1, 10_000_000),
            ("test", config.test as u64, 1, 1_000_000),
            ("probe", config.probe as u64, 2, 1_000_000),
        ];
        for (field, value, least, most) in counts {
            ConfigError::within(field, value, least..=most)?;
        }
        let trainings = &config.trainings;
        let keys: Vec<String> = trainings.iter().map(|t| t.key()).collect();
        ConfigError::unless(
            unlike(&keys),
            "trainings",
            trainings,
            "no two may have the same letters and digits in their names",
        )?;
        for training in trainings {
            let layer = Layer::new("", training.cell, 2, config.hidden);
            layer.check(&training.initialisation).map_err(|unfit| {
                let name = &training.name;
                ConfigError(format!("`initialisation` of {name}: {unfit}"))
            })?;
            let rate = training.learning_rate;
            ConfigError::unless(
                (0.0..=1.0).contains(&rate),
                "learning_rate",
                rate,
                "it must be from 0 to 1",
            )?;
        }
        let starts = &config.starts;
        let keys: Vec<String> =
            starts.iter().map(|s| key_of(&s.name)).collect();
        ConfigError::unless(
            unlike(&keys),
            "starts",
            starts,
            "no two may have the same letters and digits in their names",
        )?;
        for Start { name, initialisation } in starts {
            let layer = Layer::new("", Cell::RnnTanh, 2, config.hidden);
            layer.check(initialisation).map_err(|unfit| {
                ConfigError(format!("`initialisation` of {name}: {unfit}"))
            })?;
        }
        ConfigError::unless(
            (0.0..1.0).contains(&config.wrong),
            "wrong",
            config.wrong,
            "it must be from 0 to below 1",
        )
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        run_all::<Self>(config, progress)
    }
}

impl Recorded for GradientIsASum {
    type Runs = Sum;
    fn runs(config: &Config) -> Sum {
        let rng = Rng::new(config.seed);
        let task = &config.task;
        Sum {
            config: config.clone(),
            test: task.batch(config.test, &mut rng.stream("test")),
        }
    }
}

/// All runs, and what they share.
#[derive(Debug)]
pub struct Sum {
    config: Config,
    /// By which it is asked whether the task is solved.
    test: Batch,
}

/// Sequences of the task's shortest length T, so that lag k is step T − k.
pub fn of_length(task: &Adding, count: usize, mut rng: Rng) -> Batch {
    let steps = task.steps;
    let mut batch = Batch {
        x: Array2::zeros((steps * count, task.inputs())),
        lengths: vec![steps; count],
        target: Array2::zeros((count, task.outputs())),
        success: task.success(),
    };
    for n in 0..count {
        let sequence = loop {
            let sequence = task.sequence(&mut rng);
            if sequence.x.nrows() == steps {
                break sequence;
            }
        };
        for (t, x) in sequence.x.rows().into_iter().enumerate() {
            batch.x.row_mut(t * count + n).assign(&x);
        }
        batch.target.row_mut(n).assign(&sequence.target.row(0));
    }
    batch
}

/// What one run does.
#[derive(Clone, Copy, Debug)]
enum Part<'a> {
    /// Trains.
    Train(&'a Condition),
    /// Splits the gradient of a tanh network at its start, and is done.
    Start(&'a Start),
}

impl Sum {
    /// Every run, and its number from 1.
    fn all(&self) -> impl Iterator<Item = (Part<'_>, u64)> {
        let Config { trainings, starts, runs, .. } = &self.config;
        let starts = starts.iter().map(Part::Start);
        let parts = trainings.iter().map(Part::Train).chain(starts);
        parts.flat_map(move |part| (1..=*runs).map(move |run| (part, run)))
    }
}

impl Runs for Sum {
    type Run<'a> = Training<'a>;
    type Outcome = Outcome;

    fn names(&self) -> Vec<String> {
        let name = |(part, run)| match part {
            Part::Train(condition) => format!("{} {run}", condition.name),
            Part::Start(start) => format!("{} {run}", start.name),
        };
        self.all().map(name).collect()
    }
    fn units(&self, run: usize) -> u64 {
        match self.all().nth(run).expect("a run").0 {
            Part::Train(_) => self.config.updates,
            Part::Start(_) => 1,
        }
    }
    fn start(&self, run: usize) -> Training<'_> {
        let (part, run) = self.all().nth(run).expect("a run");
        Training::start(self, part, run)
    }
    fn report(&self, outcomes: &[Outcome]) -> Report {
        self.summary(outcomes)
    }
}

/// One run.
#[derive(Debug)]
pub struct Training<'a> {
    sum: &'a Sum,
    part: Part<'a>,
    network: Network,
    trainer: Trainer<f32>,
    batches: Rng,
    /// What its gradient is split over: each run's own, or the noise of one draw would look like a signal in all.
    probe: Batch,
    measured: Measured,
}

/// What is known of a run so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// At the start and midway.
    splits: Vec<Lags>,
    /// The share of test sequences answered rightly, at the start and after every `measure_every` updates.
    right: Vec<f64>,
    solved: bool,
    diverged: bool,
}

/// What one run gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// At the start, midway and at the end, of what was to be split.
    splits: Vec<Lags>,
    right: Vec<f64>,
    updates: u64,
    solved: bool,
    diverged: bool,
    /// A hash of the weights at the end.
    weights: Hash,
}

/// The gradient of one network, split. Index k is lag k, and step T − k.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lags {
    /// ‖Ḡ_k‖ / Σ_j ‖Ḡ_j‖, of ∂L/∂W_hh.
    pub share: Vec<f64>,
    /// ⟨Ḡ_k, Ḡ⟩ / ‖Ḡ‖².
    pub signed: Vec<f64>,
    /// SNR_k².
    pub snr: Vec<f64>,
    /// That less the same of permuted targets.
    pub usable: Vec<f64>,
    /// The same with δ_t at constant norm.
    pub usable_rescaled: Vec<f64>,
    /// The norm share in ∂L/∂W_ih.
    pub input_share: Vec<f64>,
    /// The median over sequences of ‖∂ℓ/∂x_t‖.
    pub input_norm: Vec<f64>,
}

impl<'a> Training<'a> {
    /// Its random streams depend on the seed and the run alone: in a run, all trainings see the same batches
    /// and those of a cell start from the same weights.
    fn start(sum: &'a Sum, part: Part<'a>, run: u64) -> Self {
        let config = &sum.config;
        let rng = Rng::new(config.seed).stream(&format!("run {run}"));
        let (cell, initialisation, learning_rate) = match part {
            Part::Train(c) => (c.cell, c.initialisation, c.learning_rate),
            Part::Start(start) => (Cell::RnnTanh, start.initialisation, 0.0),
        };
        let adam = AdamConfig { learning_rate, ..AdamConfig::default() };
        let adam = OptimizerConfig::Adam(adam);
        let task = match part {
            Part::Train(_) => config.task,
            Part::Start(_) => {
                Adding { steps: config.start_steps, ..config.task }
            }
        };
        let network = Network::new(cell, 2, config.hidden, 1);
        let start = network.parameters(&initialisation, &rng.stream("weights"));
        let mut training = Training {
            sum,
            part,
            network,
            trainer: Trainer::new(start, adam, config.clip),
            batches: rng.stream("batches"),
            probe: of_length(&task, config.probe, rng.stream("probe")),
            measured: Measured::default(),
        };
        training.split();
        if let Part::Train(_) = part {
            training.ask();
        }
        training
    }

    /// Splits the gradient, if this run is one to be looked into.
    fn split(&mut self) {
        if let Some(lags) = self.lags() {
            self.measured.splits.push(lags);
        }
    }
    fn lags(&self) -> Option<Lags> {
        let unwanted = |c: &Condition| c.gradient != Gradient::Whole;
        if matches!(self.part, Part::Train(c) if unwanted(c)) {
            return None;
        }
        let at = self.trainer.parameters.map(f64::from);
        Some(split(&self.network, &at, &self.probe))
    }

    /// Asks whether the task is solved.
    fn ask(&mut self) {
        let test = &self.sum.test;
        let tape = Tape::new();
        let bound = tape.bind(&self.trainer.parameters);
        let outputs = test.outputs(&self.network, &bound).value();
        let share = share(&test.right(outputs.view()));
        self.measured.right.push(share);
        self.measured.solved = 1.0 - share <= self.sum.config.wrong;
    }
}

impl Run for Training<'_> {
    type Saved = (Checkpoint<f32>, Measured);
    type Outcome = Outcome;

    // ANCHOR: training
    fn advance(&mut self) -> ControlFlow<()> {
        let Part::Train(&Condition { gradient, .. }) = self.part else {
            return ControlFlow::Break(());
        };
        let config = &self.sum.config;
        let surgery = match gradient {
            Gradient::Whole => Surgery::None,
            Gradient::ConstantNorm => Surgery::ConstantNorm,
            Gradient::CutBeyond(lag) => Surgery::CutBeyond(lag),
        };
        let update = self.trainer.updates();
        let mut draw = self.batches.stream(&update.to_string());
        let batch = config.task.batch(config.batch, &mut draw);
        let network = &self.network;
        let result = if surgery == Surgery::None {
            self.trainer
                .update(|p| batch.loss(batch.outputs(network, p)), |_| {})
        } else {
            let at = self.trainer.parameters.map(f64::from);
            let (loss, gradient) = altered(network, &at, &batch, surgery);
            self.trainer
                .update(|p| loss_with_gradient(p, loss, &gradient), |_| {})
        };
        // ANCHOR_END: training
        if result.is_err() {
            self.measured.diverged = true;
            return ControlFlow::Break(());
        }
        let (updates, midway) = (config.updates, config.midway);
        let update = self.trainer.updates();
        if update == midway {
            self.split();
        }
        if update.is_multiple_of(config.measure_every) || update == updates {
            self.ask();
        }
        // What is solved before midway goes on to there.
        if update == updates || (self.measured.solved && update >= midway) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
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
        let Measured { mut splits, right, solved, diverged } =
            self.measured.clone();
        if let Part::Train(_) = self.part {
            splits.extend(self.lags());
        }
        Outcome {
            splits,
            right,
            updates: self.trainer.updates(),
            solved,
            diverged,
            weights: Hash::of_weights(&self.trainer),
        }
    }
}

/// A batch's way through a network, and the way back into its last state: the trajectory, the loss, ∂L/∂s of each
/// sequence's last state, and the gradient so far, which is that of the read-out.
pub(crate) fn forward(
    network: &Network,
    at: &Parameters<f64>,
    batch: &Batch,
    step: &OnTape<LayerStep<'_>>,
) -> (Trajectory, f64, Array2<f64>, Parameters<f64>) {
    let hidden = network.layer.hidden;
    let (size, inputs) = (batch.lengths.len(), network.layer.input);
    let shape = (batch.x.nrows() / size, size, inputs);
    let x = batch.x.clone().into_shape_with_order(shape);
    let states = if network.layer.cell.has_c() { 2 } else { 1 } * hidden;
    let start = Array2::zeros((size, states));
    let trajectory = Trajectory::run(step, x.expect("T·B rows"), start.view());
    let h = Array2::from_shape_fn((size, hidden), |(n, unit)| {
        trajectory.states[[batch.lengths[n], n, unit]]
    });
    let tape = Tape::new();
    let bound = tape.bind(at);
    let h = tape.leaf(&h.view());
    let loss = batch.loss(network.head.apply(&bound, h));
    let grads = loss.backward();
    let mut d_state = start;
    d_state
        .slice_axis_mut(ndarray::Axis(1), Slice::from(..hidden))
        .assign(&grads.of(h));
    let mut gradient = at.clone();
    gradient.values.copy_from_slice(grads.of_parameters(&bound));
    (trajectory, loss.item(), d_state, gradient)
}

// ANCHOR: altered
/// The loss of a batch, and its gradient after surgery.
fn altered(
    network: &Network,
    at: &Parameters<f64>,
    batch: &Batch,
    surgery: Surgery,
) -> (f64, Parameters<f64>) {
    let Network { layer, .. } = network;
    let step = OnTape::new(LayerStep { layer, parameters: at });
    let (trajectory, loss, d_state, mut gradient) =
        forward(network, at, batch, &step);
    let ends = batch.lengths.iter().copied().enumerate().collect();
    let losses = Losses::new(ends, d_state);
    let factors = [
        Factor::Input(0..layer.input),
        Factor::State(0..layer.hidden),
        Factor::One,
    ];
    let sums = 0..layer.cell.gates().len() * layer.hidden;
    let weights = factors.map(|f| Weight { sums: sums.clone(), factor: f });
    let parts =
        altered_gradient(&step, &trajectory, &losses, surgery, &weights);
    let to = layer.views_mut(&mut gradient);
    let [mut w_ih, mut w_hh] = [to.w_ih, to.w_hh];
    w_ih.assign(&parts[0]);
    w_hh.assign(&parts[1]);
    for mut b in [to.b_ih, to.b_hh] {
        b.assign(&parts[2].t());
    }
    (loss, gradient)
}
// ANCHOR_END: altered

// ANCHOR: split
/// Splits the gradient of a batch whose sequences all have the same
/// length, and that of the same sequences with targets permuted.
///
/// # Panics
/// If lengths differ.
#[track_caller]
pub fn split(network: &Network, at: &Parameters<f64>, batch: &Batch) -> Lags {
    let steps = batch.x.nrows() / batch.lengths.len();
    assert!(batch.lengths.iter().all(|&n| n == steps), "lengths differ");
    let Network { layer, .. } = network;
    let step = OnTape::new(LayerStep { layer, parameters: at });
    let sums = 0..layer.cell.gates().len() * layer.hidden;
    let weight = |factor| Weight { sums: sums.clone(), factor };
    // Each sequence gets the target of the next.
    let mut permuted = batch.clone();
    let size = batch.lengths.len();
    for (n, target) in batch.target.rows().into_iter().enumerate() {
        permuted.target.row_mut((n + 1) % size).assign(&target);
    }
    let [whole, null] = [batch, &permuted].map(|batch| {
        let mut recurrent = Split::new(weight(Factor::State(0..layer.hidden)));
        let mut rescaled = recurrent.clone();
        let mut input = Split::new(weight(Factor::Input(0..layer.input)));
        let (trajectory, _, d_state, _) = forward(network, at, batch, &step);
        // The sum of the sequences' losses, not their mean.
        let losses = Losses::at_the_end(&trajectory, d_state * size as f64);
        let mut walk = Walk::over_lags(&step, &trajectory, &losses);
        let (mut ends, mut input_norm) = (vec![], vec![]);
        while let Some(back) = walk.next() {
            recurrent.add(back);
            input.add(back);
            let norms = |a: &Array2<f64>| -> Vec<f64> {
                let rows = a.rows().into_iter();
                rows.map(|row| slice::norm(&row.to_vec())).collect()
            };
            input_norm.push(spread(norms(&back.gradients.d_x))[1]);
            let lengths = norms(&back.gradients.d_z);
            if back.lag == 0 {
                ends.clone_from(&lengths);
            }
            let rows = back.gradients.d_z.rows_mut();
            for (n, mut d_z) in rows.into_iter().enumerate() {
                if lengths[n] > 0.0 {
                    d_z *= ends[n] / lengths[n];
                }
            }
            rescaled.add(back);
        }
        (recurrent, rescaled, input, input_norm)
    });
    let recurrent = whole.0.parts();
    let of = |f: fn(&longlag_probe::split::Part) -> f64| {
        recurrent.iter().map(f).collect()
    };
    Lags {
        share: of(|part| part.norm_share),
        signed: of(|part| part.signed_share),
        snr: of(|part| part.snr_squared),
        usable: usable_signal(&whole.0, &null.0),
        usable_rescaled: usable_signal(&whole.1, &null.1),
        input_share: whole.2.parts().iter().map(|p| p.norm_share).collect(),
        input_norm: whole.3,
    }
}
// ANCHOR_END: split

/// The share of what is true.
fn share(of: &[bool]) -> f64 {
    of.iter().filter(|&&right| right).count() as f64 / of.len() as f64
}

/// When a network is split.
const TIMES: [&str; 3] = ["start", "midway", "end"];

impl Sum {
    fn summary(&self, outcomes: &[Outcome]) -> Report {
        let config = &self.config;
        let mut report = Report::new(GradientIsASum::NAME, config);
        for baseline in config.task.baselines() {
            let name = key_of(baseline.name);
            report.fact(format!("{name}_right"), baseline.success);
        }
        report.fact("far_lags", config.task.steps - 1 - config.task.steps / 2);
        let runs = config.runs as usize;
        let (trained, starts) =
            outcomes.split_at(config.trainings.len() * runs);
        for (condition, outcomes) in
            config.trainings.iter().zip(trained.chunks(runs))
        {
            self.summarise(&mut report, condition, outcomes);
        }
        self.add_frozen(&mut report);
        for (start, outcomes) in config.starts.iter().zip(starts.chunks(runs)) {
            let splits = outcomes.iter().map(|o| &o.splits[0]).collect();
            add_start(&mut report, &key_of(&start.name), splits);
        }

        let columns =
            ["training", "run", "updates", "solved", "right", "weights"];
        let table = report.table("runs", columns);
        for ((part, run), outcome) in self.all().zip(outcomes) {
            if let Part::Train(condition) = part {
                table.row((
                    condition.key(),
                    run,
                    outcome.updates,
                    outcome.solved,
                    *outcome.right.last().expect("the start was measured"),
                    outcome.weights.to_string(),
                ));
            }
        }
        let table = report.table("early", ["training", "time", "run", "share"]);
        for ((part, run), outcome) in self.all().zip(outcomes) {
            let Part::Train(condition) = part else { continue };
            for (time, lags) in TIMES.iter().zip(&outcome.splits) {
                let share = Number::rounded(lags.early(), 4);
                table.row((condition.key(), *time, run, share));
            }
        }
        report
    }

    /// Adds how many test sequences are answered rightly if the recurrent weights of a training stay as they
    /// start.
    fn add_frozen(&self, report: &mut Report) {
        let config = &self.config;
        let of = |condition: &Condition| -> Vec<f64> {
            let network = Network::new(condition.cell, 2, config.hidden, 1);
            let right = |run: u64| {
                let rng = Rng::new(config.seed).stream(&format!("run {run}"));
                let at = network.parameters(
                    &condition.initialisation,
                    &rng.stream("weights"),
                );
                let mut draw = rng.stream("frozen");
                let known = config.task.batch(config.test, &mut draw);
                let answers = frozen(&network.layer, &at, &known, &self.test);
                share(&self.test.right(answers.view()))
            };
            (1..=config.runs).into_par_iter().map(right).collect()
        };
        let trainings = config.trainings.iter();
        let whole = trainings.filter(|t| t.gradient == Gradient::Whole);
        let all: Vec<_> = whole.map(|t| (t.key(), of(t))).collect();
        for (key, right) in &all {
            add_facts(report, &format!("{key}_frozen_right"), right.clone(), 3);
        }
        let table = report.table("frozen", ["training", "run", "right"]);
        for (key, all) in all {
            for (run, right) in (1..).zip(all) {
                table.row((key.clone(), run as u64, right));
            }
        }
    }

    /// Adds a training's facts and series.
    fn summarise(
        &self,
        report: &mut Report,
        condition: &Condition,
        outcomes: &[Outcome],
    ) {
        let key = condition.key();
        let solved = outcomes.iter().filter(|o| o.solved).count();
        let rate = clopper_pearson(solved, outcomes.len(), CONFIDENCE);
        report
            .fact(format!("{key}_solved"), solved)
            .fact(format!("{key}_solved_low"), Number::rounded(rate.low, 3))
            .fact(format!("{key}_solved_high"), Number::rounded(rate.high, 3));
        let times: Vec<SolveTime> =
            outcomes.iter().map(Outcome::solve_time).collect();
        let survival = KaplanMeier::of(&times);
        if let Some(updates) = survival.median() {
            report.fact(format!("{key}_median"), updates);
        }
        // A staircase, drawn by both ends of each step.
        let (mut x, mut y) = (vec![0.0], vec![0.0]);
        for &(updates, unsolved) in &survival.steps {
            x.extend([updates; 2]);
            y.extend([y[y.len() - 1], 1.0 - unsolved]);
        }
        x.push(self.config.updates as f64);
        y.push(y[y.len() - 1]);
        let y = y.into_iter().map(|y| Number::rounded(y, 4));
        report.series(format!("{key}_solved"), x, y);
        let last = |o: &Outcome| o.right.last().copied().unwrap_or(f64::NAN);
        let right = outcomes.iter().map(last).collect();
        add_facts(report, &format!("{key}_right"), right, 3);

        for (i, time) in TIMES.iter().enumerate() {
            let splits: Vec<&Lags> =
                outcomes.iter().filter_map(|o| o.splits.get(i)).collect();
            let Some(first) = splits.first() else { continue };
            let steps = first.share.len();
            let key = format!("{key}_{time}");
            for (what, of) in CURVES {
                let curves = splits.iter().map(|lags| &of(lags)[..]).collect();
                let x = (0..steps).map(|lag| lag as f64).collect();
                add_band(report, format!("{key}_{what}"), x, curves);
            }
            let mut add = |what: &str, of: &dyn Fn(&Lags) -> f64| {
                let values = splits.iter().map(|lags| of(lags)).collect();
                add_facts(report, &format!("{key}_{what}"), values, 3);
            };
            add("early", &Lags::early);
            add("far", &|lags| slice::sum(&lags.share[steps / 2..]));
            add("far_snr", &|lags| middle(&lags.snr[steps / 2..]));
            add("far_usable", &|lags| middle(&lags.usable[steps / 2..]));
            add("reach", &|lags| {
                lags.input_norm[steps - 1] / lags.input_norm[0]
            });
            // At the last lag the gradient is that of the state 0, which is none.
            let usable = |of: fn(&Lags) -> &Vec<f64>, from: usize| {
                let of =
                    |(run, lag): (usize, usize)| of(splits[run])[from + lag];
                Array2::from_shape_fn((splits.len(), steps - 1 - from), of)
            };
            let lags = |of: fn(&Lags) -> &Vec<f64>| {
                let far = usable(of, steps / 2);
                let signal =
                    |lag: &ArrayView1<'_, f64>| spread(lag.to_vec())[0] > 0.0;
                far.columns().into_iter().filter(signal).count()
            };
            report
                .fact(
                    format!("{key}_far_usable_lags"),
                    lags(|lags| &lags.usable),
                )
                .fact(
                    format!("{key}_far_rescaled_lags"),
                    lags(|lags| &lags.usable_rescaled),
                );
            if splits.len() >= 6 {
                let all = usable(|lags| &lags.usable, 0);
                let horizon = horizon(all.view()).unwrap_or(steps);
                report.fact(format!("{key}_horizon"), horizon);
            }
        }
    }
}

/// A curve of a split: what it is called, and where it is.
type CurveOf = (&'static str, fn(&Lags) -> &Vec<f64>);

const CURVES: [CurveOf; 6] = [
    ("share", |lags| &lags.share),
    ("snr", |lags| &lags.snr),
    ("usable", |lags| &lags.usable),
    ("usable_rescaled", |lags| &lags.usable_rescaled),
    ("input_share", |lags| &lags.input_share),
    ("input_norm", |lags| &lags.input_norm),
];

impl Lags {
    /// The share of the first half of the steps in ∂L/∂W_ih.
    fn early(&self) -> f64 {
        slice::sum(&self.input_share[self.input_share.len() / 2..])
    }
}

impl Outcome {
    fn solve_time(&self) -> SolveTime {
        if self.solved {
            SolveTime::Solved(self.updates as f64)
        } else {
            SolveTime::Unsolved(self.updates as f64)
        }
    }
}

/// The median, and nothing of its interval.
fn middle(values: &[f64]) -> f64 {
    spread(values.to_vec())[1]
}

/// Adds the facts of networks that don't train: what the lags from T/4 on have together.
fn add_start(report: &mut Report, key: &str, splits: Vec<&Lags>) {
    let mut add = |what: &str, of: fn(&Lags, usize) -> f64| {
        let from = |lags: &&Lags| of(lags, lags.share.len() / 4);
        let values = splits.iter().map(from).collect();
        add_facts(report, &format!("{key}_{what}"), values, 3);
    };
    add("far", |lags, far| slice::sum(&lags.share[far..]));
    add("far_signed", |lags, far| slice::sum(&lags.signed[far..]));
    add("far_squares", |lags, far| {
        let squares: Vec<f64> = lags.share.iter().map(|s| s * s).collect();
        slice::sum(&squares[far..]) / slice::sum(&squares)
    });
    add("far_snr", |lags, far| middle(&lags.snr[far..]));
    add("far_usable", |lags, far| middle(&lags.usable[far..]));
    add("snr", |lags, _| lags.snr[0]);
}

// ANCHOR: claims
/// Whether runs with δ_t at constant norm solve the task where those with
/// the true gradient don't.
fn norm_rescues(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let runs = report.find_table("runs")?;
    let solved = |training: &str| -> Vec<bool> {
        let rows = runs.rows().iter();
        let of = rows.filter(|row| row[0].to_string() == training);
        of.map(|row| row[3].to_string() == "true").collect()
    };
    let pairs = solved("rnn_constant_norm").into_iter().zip(solved("rnn"));
    let pairs: Vec<(bool, bool)> = pairs.collect();
    let condition = format!("T = {}", report.value("config.task.steps")?);
    Ok(vec![Contrast::of_successes(condition, &pairs)])
}

/// By how much the share of the first half of the steps in ∂L/∂W_ih of
/// the plain network falls short of one half.
fn early_steps(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let early = report.find_table("early")?;
    let shares = early.numbers("share");
    let at = |time: &&str| {
        let rows = early.rows().iter().zip(&shares);
        let of = |row: &[Value]| {
            row[0].to_string() == "rnn" && row[1].to_string() == *time
        };
        let short = rows.filter(|(r, _)| of(r)).map(|(_, share)| 0.5 - share);
        Contrast::of_differences(format!("RNN, {time}"), short)
    };
    Ok(TIMES.iter().map(at).collect())
}
// ANCHOR_END: claims

/// The times of a report, for titles.
const TITLES: [&str; 3] = ["At the start", "Midway", "At the end"];

/// Panels for the three times, with a curve of each network whose gradient was split.
fn over_time(
    report: &Report,
    mut chart: LineChart,
    what: &str,
    turned: bool,
) -> Result<Figure, LookupError> {
    for (time, title) in TIMES.iter().zip(TITLES) {
        chart = chart.panel(title);
        for (key, name) in [("rnn", "RNN"), ("lstm", "LSTM")] {
            let series = report.find_series(&format!("{key}_{time}_{what}"))?;
            // At the last lag, that of the state 0, there is no gradient.
            let n = series.x().len() - usize::from(!turned);
            // A name stands at the end of its curve, which is to be at the right.
            let ordered = |mut of: Vec<f64>| {
                of.truncate(n);
                if turned {
                    of.reverse();
                }
                of
            };
            let x = |lag: f64| if turned { n as f64 - lag } else { lag };
            let x = ordered(series.x()).into_iter().map(x);
            let mut curve = Curve::new(name, x.zip(ordered(series.y())));
            if let Some((low, high)) = series.band() {
                curve = curve.band(ordered(low), ordered(high));
            }
            chart = chart.curve(curve);
        }
    }
    Ok(chart.columns(2).figure())
}

fn shares(report: &Report) -> Result<Figure, LookupError> {
    let chart = LineChart::new(
        "Norm share of each lag in the gradient of the recurrent weights, on a logarithmic axis, of RNN and LSTM at \
         the start, midway and at the end of training.",
        Axis::linear("Lag *k*"),
        Axis::log("Share of lag *k* in ∂*L*/∂*W*_{hh}"),
    );
    over_time(report, chart, "share", false)
}

fn signals(report: &Report) -> Result<Figure, LookupError> {
    let chart = LineChart::new(
        "Usable signal of each lag: the squared signal-to-noise ratio less that of permuted targets, of RNN and LSTM \
         at the start, midway and at the end of training.",
        Axis::linear("Lag *k*"),
        Axis::linear("Usable signal of lag *k*"),
    );
    over_time(report, chart, "usable", false)
}

fn inputs(report: &Report) -> Result<Figure, LookupError> {
    let chart = LineChart::new(
        "Norm of the gradient of the loss by the input of each step, on a logarithmic axis, of RNN and LSTM at the \
         start, midway and at the end of training.",
        Axis::linear("Step *t*"),
        Axis::log("‖∂*ℓ*/∂*x*_{*t*}‖"),
    );
    over_time(report, chart, "input_norm", true)
}

fn solved(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = LineChart::new(
        "Share of runs that have solved the task, by updates: RNN and LSTM with the whole gradient, the RNN with an \
         orthogonal start, the RNN with constant norm, the LSTM with lags cut.",
        Axis::linear("Updates").ticks([0.0, 1000.0, 2000.0]),
        Axis::linear("Runs that solved the task").range(0.0, 1.0).percent(),
    );
    let runs = report.find_table("runs")?;
    let mut keys: Vec<String> =
        runs.rows().iter().map(|row| row[0].to_string()).collect();
    keys.dedup();
    for key in keys {
        let series = report.find_series(&format!("{key}_solved"))?;
        let curve = Curve::new(training_name(&key), series.points());
        let whole = !key.contains('_');
        chart = chart.curve(if whole { curve } else { curve.dashed() });
    }
    Ok(chart.figure())
}

fn right(report: &Report) -> Result<Figure, LookupError> {
    let number = |name: &str| -> Result<f64, LookupError> {
        let value = report.value(&format!("facts.{name}"))?;
        Ok(value.as_number().map_or(f64::NAN, Number::to_f64))
    };
    let mut chart = DotChart::new(
        "Share of test sequences answered rightly in the end, a dot for each run: the trainings, and networks whose \
         recurrent weights stay as they start. Lines: a constant, and the answer from the later marker alone.",
        Axis::linear("Test sequences answered rightly")
            .range(0.5, 1.0)
            .percent(),
    )
    .reference("constant", number("constant_right")?)
    .reference("one marker", number("one_marker_right")?);
    for (group, table) in [("Trained", "runs"), ("Frozen", "frozen")] {
        chart = chart.group(group);
        let runs = report.find_table(table)?;
        let all = runs.numbers("right");
        let name = |row: usize| runs.rows()[row][0].to_string();
        let mut keys: Vec<String> = (0..all.len()).map(name).collect();
        keys.dedup();
        for key in keys {
            let dots = (0..all.len()).filter(|&row| name(row) == key);
            let end = if table == "frozen" { "_frozen" } else { "" };
            let median = number(&format!("{key}{end}_right"))?;
            let row = DotRow::new(training_name(&key))
                .ink(ink_of(&training_name(&key)))
                .dots(Marker::Disc, dots.map(|row| all[row]))
                .median(median);
            chart = chart.row(row.note(format_percent(median, 1)));
        }
    }
    Ok(chart.figure())
}

/// A training's name from its key.
fn training_name(key: &str) -> String {
    let (cell, rest) = key.split_once('_').unwrap_or((key, ""));
    let name = [cell.to_uppercase(), rest.replace('_', " ")].join(" ");
    name.trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> impl Iterator<Item = (Network, Parameters<f64>)> {
        [Cell::RnnTanh, Cell::Lstm].into_iter().map(|cell| {
            let network = Network::new(cell, 2, 5, 1);
            let start = Initialisation::default();
            let at = network.parameters(&start, &Rng::new(3));
            (network, at)
        })
    }

    fn task() -> Adding {
        Adding { steps: 20, ..Config::default().task }
    }

    /// Sequences of different lengths, whose fused kernel is another way back.
    #[test]
    fn without_surgery_the_gradient_is_that_of_training() {
        let batch = task().batch(6, &mut Rng::new(5));
        assert!(batch.lengths.iter().any(|n| *n != batch.lengths[0]));
        for (network, at) in networks() {
            let (loss, gradient) =
                altered(&network, &at, &batch, Surgery::None);
            let tape = Tape::new();
            let bound = tape.bind(&at);
            let wanted = batch.loss(batch.outputs(&network, &bound));
            assert!((loss - wanted.item()).abs() < 1e-14);
            let grads = wanted.backward();
            let wanted = grads.of_parameters(&bound);
            let largest = slice::max_abs(wanted);
            for (a, b) in gradient.values.iter().zip(wanted) {
                // Sums of some hundred terms, in another order.
                assert!((a - b).abs() < 1e-13 * largest, "{a} against {b}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_split_make_up_the_gradient() {
        let batch = of_length(&task(), 8, Rng::new(5));
        for (network, at) in networks() {
            let lags = split(&network, &at, &batch);
            assert_eq!(lags.share.len(), 20);
            for shares in [&lags.share, &lags.signed, &lags.input_share] {
                assert!((slice::sum(shares) - 1.0).abs() < 1e-12);
            }
            // The state 0 before the first step has no part.
            assert_eq!(lags.share[19], 0.0);
            // At lag 0 nothing is rescaled.
            assert_eq!(lags.usable[0], lags.usable_rescaled[0]);
        }
    }
}
