//! The page "longlag as a library" as a program you can change.
//!
//! `cargo run --release --example longlag_as_a_library`

use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{
    Cell, Dtype, Initialisation, Linear, Stack, StackRequest, StateDict,
};
use longlag_numerics::{Parameters, random::Rng};
use longlag_optim::{
    AdamConfig, Clip, ClipTelemetry, OptimizerConfig, Phase, Schedule,
};
use longlag_train::{EarlyStopping, Trainer, TrainerConfig, mse};
use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};
use std::error::Error;
use std::io::{self, Write};
use std::{env, fs, process};

type Problem = Box<dyn Error + Send + Sync>;

// ANCHOR: model
const INPUTS: usize = 2;
const HIDDEN: usize = 16;
const OUTPUTS: usize = 1;

/// Two layers of LSTM, and a read-out of what the upper one gives at the
/// last step.
struct Model {
    lstm: Stack,
    head: Linear,
}

impl Model {
    fn new() -> Model {
        let lstm = Stack::new("lstm.", Cell::Lstm, INPUTS, HIDDEN, 2);
        let lstm = lstm.with_dropout(0.1);
        Model { head: Linear::new("head", lstm.output(), OUTPUTS), lstm }
    }

    fn parameters(&self, seed: u64) -> Parameters<f32> {
        let rng = Rng::new(seed);
        let start = Initialisation {
            forget_bias: Some(1.0),
            ..Initialisation::default()
        };
        let mut parameters = Parameters::default();
        self.lstm.push_parameters(&mut parameters, &start, &rng);
        self.head.push_parameters(&mut parameters, &rng);
        parameters
    }

    /// From sequences (T, B, I) to answers (B, O). Dropout is for training:
    /// without a source of masks there is none.
    fn apply<'t>(
        &self,
        bound: &Bound<'t, '_, f32>,
        x: ArrayView3<'_, f32>,
        masks: Option<&mut Rng>,
    ) -> Var<'t, f32> {
        let (steps, batch, inputs) = x.dim();
        // The steps stand one below the other: (T·B, I).
        let rows = x.to_shape((steps * batch, inputs)).expect("the same size");
        let x = bound.tape().constant(&rows.view());
        let request = StackRequest { dropout: masks, ..Default::default() };
        let output = self.lstm.apply(bound, x, batch, request).output;
        let last = output.rows((steps - 1) * batch..steps * batch);
        self.head.apply(bound, last)
    }
}
// ANCHOR_END: model

// ANCHOR: data
/// Your own arrays: sequences (T, N, I) and their answers (N, O).
struct Data {
    x: Array3<f32>,
    y: Array2<f32>,
}

/// Here, the adding problem: of numbers from 0 to 1 two are marked, and the
/// answer is their sum. After Hochreiter & Schmidhuber 1997, section 5.4.
fn adding(steps: usize, count: usize, mut rng: Rng) -> Data {
    let mut x = Array3::zeros((steps, count, INPUTS));
    let mut y = Array2::zeros((count, OUTPUTS));
    for n in 0..count {
        for t in 0..steps {
            x[[t, n, 0]] = rng.uniform() as f32;
        }
        let half = steps / 2;
        for from in [0, half] {
            let t = from + rng.below(half as u64) as usize;
            x[[t, n, 1]] = 1.0;
            y[[n, 0]] += x[[t, n, 0]];
        }
    }
    Data { x, y }
}
// ANCHOR_END: data

// ANCHOR: config
const UPDATES: u64 = 900;
const BATCH: usize = 32;

/// Adam with a warm-up, then a cosine down to nothing; gradients clipped to
/// norm 1; an end when validation has not got better for a while.
fn config() -> TrainerConfig {
    let adam = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
    let warm_up =
        Phase { steps: Some(50), schedule: Schedule::WarmUp { steps: 50 } };
    let cosine = Phase {
        steps: None,
        schedule: Schedule::Cosine { steps: UPDATES - 50, minimum: 0.0 },
    };
    TrainerConfig {
        clip: Clip::Norm(1.0),
        schedule: Schedule::Sequence(vec![warm_up, cosine]),
        stopping: Some(EarlyStopping::with_patience(5)),
        ..TrainerConfig::new(OptimizerConfig::Adam(adam))
    }
}
// ANCHOR_END: config

// ANCHOR: train
/// Trains to the best weights that the validation data see.
fn train(
    model: &Model,
    training: &Data,
    validation: &Data,
    out: &mut impl Write,
) -> Result<Parameters<f32>, Problem> {
    let rng = Rng::new(1);
    let mut trainer = Trainer::with(model.parameters(1), &config())?;
    let mut clipping = ClipTelemetry::default();
    while trainer.updates() < UPDATES {
        // Batch and masks belong to the number of the update, so that a
        // training that is stopped and resumed sees the same.
        let mut draw = rng.stream(&format!("update {}", trainer.updates()));
        let count = training.y.nrows() as u64;
        let batch: Vec<usize> =
            (0..BATCH).map(|_| draw.below(count) as usize).collect();
        let x = training.x.select(Axis(1), &batch);
        let y = training.y.select(Axis(0), &batch);
        let _ = trainer.update(
            |bound| {
                let answer = model.apply(bound, x.view(), Some(&mut draw));
                mse(answer, bound.tape().constant(&y.view()))
            },
            |step| clipping.add(&step.clipped),
        )?;
        if trainer.updates() % 100 == 0 {
            let error =
                mean_squared_error(model, &trainer.parameters, validation);
            let updates = trainer.updates();
            let share = 100.0 * clipping.share();
            writeln!(out, "{updates:>7}  {error:.5}  {share:>4.1}%")?;
            clipping = ClipTelemetry::default();
            if trainer.validate(error).is_break() {
                break;
            }
        }
    }
    trainer.restore_best();
    Ok(trainer.parameters)
}
// ANCHOR_END: train

// ANCHOR: predict
/// The answers (N, O) to sequences (T, N, I), some hundred at a time.
fn predict(
    model: &Model,
    parameters: &Parameters<f32>,
    x: &Array3<f32>,
) -> Array2<f32> {
    let mut tape = Tape::new();
    let mut answers = Vec::new();
    for part in x.axis_chunks_iter(Axis(1), 256) {
        tape.reset();
        let bound = tape.bind(parameters);
        answers.push(model.apply(&bound, part, None).value());
    }
    let parts: Vec<_> = answers.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &parts).expect("all have O columns")
}

fn mean_squared_error(
    model: &Model,
    parameters: &Parameters<f32>,
    data: &Data,
) -> f64 {
    let off = predict(model, parameters, &data.x) - &data.y;
    let squares = off.iter().map(|&e| f64::from(e) * f64::from(e));
    squares.sum::<f64>() / off.len() as f64
}
// ANCHOR_END: predict

/// Trains, saves, loads, and predicts.
fn all(out: &mut impl Write) -> Result<(), Problem> {
    let (model, rng) = (Model::new(), Rng::new(2));
    let training = adding(20, 2000, rng.stream("training"));
    let validation = adding(20, 500, rng.stream("validation"));
    writeln!(out, "updates    error  clipped")?;
    let trained = train(&model, &training, &validation, out)?;

    let path = env::temp_dir()
        .join(format!("longlag-model-{}.safetensors", process::id()));
    // ANCHOR: save
    let state_dict = StateDict::from_parameters(&trained, Dtype::F32);
    fs::write(&path, state_dict.to_bytes())?;
    // ANCHOR_END: save

    // ANCHOR: load
    let mut loaded = model.parameters(0);
    StateDict::from_bytes(&fs::read(&path)?)?.load_into(&mut loaded)?;
    // ANCHOR_END: load
    fs::remove_file(&path)?;

    let test = adding(20, 1000, rng.stream("test"));
    let error = mean_squared_error(&model, &loaded, &test);
    writeln!(out, "\ntest error {error:.5}\n\nanswer  right")?;
    let answers = predict(&model, &loaded, &test.x);
    for (answer, right) in answers.iter().zip(&test.y).take(5) {
        writeln!(out, "{answer:>6.3}{right:>7.3}")?;
    }
    Ok(())
}

/// Trains a network on arrays, saves it, loads it, and asks it.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    all(out).map_err(io::Error::other)
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}
