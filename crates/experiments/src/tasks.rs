//! Tasks whose answer lies a long way back.
//!
//! The key decision: **a task draws one sequence, as its paper defines it.** Batches in the layout of training,
//! the loss, and what counts as right are made from that in one place, so that a race can run any
//! [`Task`] without knowing which, and a definition can be read beside its paper.
//!
//! - [`Adding`]: the sum of two marked numbers, in the definitions of 1997, 2013 and 2016.
//! - [`TemporalOrder`]: in which order two or three symbols came, in those of 1997 and 2013.
//! - [`Latch`]: to which of two classes the first steps belonged.
//! - [`Copying`]: the first symbols again.
//! - [`ReberStream`]: strings of the embedded Reber grammar without end, of which each next letter is to be
//!   predicted. It is no [`Task`], for it has no sequences.
//! - [`Baseline`]: what is reached without the memory that the task is about. A solution must beat it, and also
//!   what is reached without training the memory: by [`frozen`] recurrent weights, or by [`guess`]ing them.
//!
//! All draws come from the generator that is handed in: the same generator gives the same sequences, however
//! they are divided into batches.

mod adding;
mod baselines;
mod copying;
mod latch;
mod reber;
mod temporal_order;

pub use adding::Adding;
pub use baselines::{Baseline, Guesses, frozen, guess};
pub use copying::Copying;
pub use latch::Latch;
pub use reber::{LETTERS, Letter, Reber, ReberStream, predicts, string};
pub use temporal_order::TemporalOrder;

use crate::ConfigError;
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{Layer, Network, SequenceRequest, SequenceStates};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Real, Scalar};
use longlag_train::{cross_entropy, mse};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;

/// A task for a network that reads a sequence.
pub trait Task: fmt::Debug + Send + Sync {
    /// I, the numbers that are read a step.
    fn inputs(&self) -> usize;
    /// O, the numbers that are answered.
    fn outputs(&self) -> usize;
    /// The shortest and the longest sequence.
    fn lengths(&self) -> RangeInclusive<usize>;
    /// When an answer is right.
    fn success(&self) -> Success;
    /// Draws a sequence.
    fn sequence(&self, rng: &mut Rng) -> Sequence;
    /// What is reached without the memory that the task is about.
    fn baselines(&self) -> Vec<Baseline>;
    /// Whether there are such sequences.
    ///
    /// # Errors
    /// A message that names the field, its value, and what is allowed.
    fn check(&self) -> Result<(), ConfigError>;

    /// Draws a batch.
    ///
    /// # Panics
    /// If `size` is 0.
    fn batch(&self, size: usize, rng: &mut Rng) -> Batch {
        let sequences: Vec<_> = (0..size).map(|_| self.sequence(rng)).collect();
        Batch::of(&sequences, *self.lengths().end(), self.success())
    }
}

/// Which task; in a config `{ "adding": { "steps": 100 } }`. What is left out has its default: the task of 1997
/// at T = 100, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskConfig {
    /// The adding problem.
    Adding(Adding),
    /// Temporal order.
    TemporalOrder(TemporalOrder),
    /// The latch, or two-sequence, problem.
    Latch(Latch),
    /// The copying memory problem.
    Copying(Copying),
}

impl TaskConfig {
    /// The task.
    pub fn task(&self) -> &dyn Task {
        match self {
            TaskConfig::Adding(task) => task,
            TaskConfig::TemporalOrder(task) => task,
            TaskConfig::Latch(task) => task,
            TaskConfig::Copying(task) => task,
        }
    }
}

/// Whose definition a task follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definition {
    /// Hochreiter & Schmidhuber 1997, "Long short-term memory"; in a config `"1997"`.
    #[serde(rename = "1997")]
    Hochreiter1997,
    /// Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks", as their
    /// published code (`trainingRNNs`) has it; in a config `"2013"`.
    #[serde(rename = "2013")]
    Pascanu2013,
    /// Arjovsky, Shah & Bengio 2016, "Unitary evolution recurrent neural networks", who define sequences but no
    /// right answers; in a config `"2016"`.
    #[serde(rename = "2016")]
    Arjovsky2016,
}

/// A sequence and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// (n, I): what is read, step by step.
    pub x: Array2<f64>,
    /// What is to be answered: (1, O) after the last step, or (n, O) after every step. Of classes, a row has
    /// a 1 in the right one's column and 0 elsewhere.
    pub target: Array2<f64>,
}

/// Sequences side by side, as training takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// (T·B, I): step t of the b-th sequence, both from 0, is row t·B + b. T is that of the task's longest
    /// sequence, so that all batches have one shape; behind a sequence's end there are zeros.
    pub x: Array2<f64>,
    /// The number of steps of each sequence.
    pub lengths: Vec<usize>,
    /// (B, O), or (T·B, O) where every step has an answer, in the order of `x`.
    pub target: Array2<f64>,
    /// When an answer is right.
    pub success: Success,
}

impl Batch {
    /// These, with room for `steps` steps.
    pub(crate) fn of(
        sequences: &[Sequence],
        steps: usize,
        success: Success,
    ) -> Batch {
        let first = sequences.first().expect("a batch of sequences");
        let answers = first.target.nrows();
        Batch {
            x: interleave(steps, sequences, |sequence| &sequence.x),
            lengths: sequences.iter().map(|s| s.x.nrows()).collect(),
            target: interleave(answers, sequences, |s| &s.target),
            success,
        }
    }

    // ANCHOR: outputs
    /// What a network answers: (B, O) after each sequence's last step, or
    /// (T·B, O) where every step has an answer. A row of raw outputs; of
    /// classes, their probabilities before the softmax.
    #[track_caller]
    pub fn outputs<'t, T: Float + Scalar>(
        &self,
        network: &Network,
        parameters: &Bound<'t, '_, T>,
    ) -> Var<'t, T> {
        let h = self.states(&network.layer, parameters);
        network.head.apply(parameters, h)
    }
    // ANCHOR_END: outputs

    /// The states h that outputs are read from, (B, H) or (T·B, H), without
    /// what a cell hands on beside its output.
    #[track_caller]
    pub fn states<'t, T: Float + Scalar>(
        &self,
        layer: &Layer,
        parameters: &Bound<'t, '_, T>,
    ) -> Var<'t, T> {
        let states = self.all_states(layer, parameters);
        let at_the_end = self.target.nrows() == self.lengths.len();
        let states = if at_the_end { states.last.h } else { states.h };
        states.columns(0..layer.output())
    }

    /// All states, from the state 0.
    #[track_caller]
    pub fn all_states<'t, T: Float + Scalar>(
        &self,
        layer: &Layer,
        parameters: &Bound<'t, '_, T>,
    ) -> SequenceStates<Var<'t, T>> {
        let (tape, size) = (parameters.tape(), self.lengths.len());
        let x = place(tape, &self.x);
        let start = layer.zero_state(tape, size);
        let steps = self.x.nrows() / size;
        let differ = self.lengths.iter().any(|&n| n < steps);
        let request = SequenceRequest {
            lengths: differ.then_some(&self.lengths[..]),
            ..SequenceRequest::default()
        };
        let weights = layer.weights(parameters);
        layer.sequence_with(&weights, x, start, request)
    }

    /// The loss of these outputs: of numbers the mean squared error, of classes the cross-entropy in nats,
    /// averaged over sequences and over steps that have an answer.
    #[track_caller]
    pub fn loss<'t, T: Scalar>(&self, outputs: Var<'t, T>) -> Var<'t, T> {
        let target = place(outputs.tape(), &self.target);
        if self.success.is_of_classes() {
            cross_entropy(outputs, target)
        } else {
            mse(outputs, target)
        }
    }

    /// Which sequences these outputs answer rightly, at every step that has an answer.
    ///
    /// # Panics
    /// If `outputs` has not the shape of the targets.
    #[track_caller]
    pub fn right<T: Scalar>(&self, outputs: ArrayView2<'_, T>) -> Vec<bool> {
        let (given, wanted) = (outputs.dim(), self.target.dim());
        assert!(given == wanted, "right: {given:?} against {wanted:?}");
        let size = self.lengths.len();
        let mut right = vec![true; size];
        let rows = outputs.rows().into_iter().zip(self.target.rows());
        for (i, (output, target)) in rows.enumerate() {
            let output: Vec<f64> = output.iter().map(|o| o.value()).collect();
            right[i % size] &= self.success.is_right(&output, &target.to_vec());
        }
        right
    }
}

// ANCHOR: success
/// When an answer is right. NaN never is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Success {
    /// Of numbers: every absolute error is below this.
    ErrorBelow(f64),
    /// Of numbers: the squared errors' sum is at most this.
    SquaredErrorAtMost(f64),
    /// Of classes: every probability, by the softmax of the outputs, is
    /// off by less than this.
    ProbabilityErrorBelow(f64),
    /// Of classes: the right one has the largest output, alone.
    LargestOutput,
}

impl Success {
    /// Whether the outputs for one answer are right.
    pub fn is_right(self, output: &[f64], target: &[f64]) -> bool {
        let near = |output: &[f64], limit| {
            output.iter().zip(target).all(|(o, y)| (o - y).abs() < limit)
        };
        match self {
            Success::ErrorBelow(limit) => near(output, limit),
            Success::SquaredErrorAtMost(limit) => {
                let errors = output.iter().zip(target).map(|(o, y)| o - y);
                errors.map(|e| e * e).sum::<f64>() <= limit
            }
            Success::ProbabilityErrorBelow(limit) => {
                near(&softmax(output), limit)
            }
            Success::LargestOutput => {
                let right = target.iter().position(|&y| y == 1.0);
                let right = right.expect("one class is the right one");
                let below = |k| k == right || output[k] < output[right];
                (0..output.len()).all(below)
            }
        }
    }

    fn is_of_classes(self) -> bool {
        use Success::{LargestOutput, ProbabilityErrorBelow};
        matches!(self, ProbabilityErrorBelow(_) | LargestOutput)
    }
}
// ANCHOR_END: success

fn place<'t, T: Scalar>(tape: &'t Tape<T>, a: &Array2<f64>) -> Var<'t, T> {
    tape.constant_with(a.nrows(), a.ncols(), |to| {
        to.iter_mut().zip(a).for_each(|(to, &a)| *to = T::of(a))
    })
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f64> = x.iter().map(|x| Real::exp(x - most)).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|p| p / total).collect()
}

impl Sequence {
    /// One whose answer, after its last step, is a number.
    fn of_number(x: Array2<f64>, target: f64) -> Sequence {
        Sequence { x, target: Array2::from_elem((1, 1), target) }
    }
}

/// Row t of the b-th of B matrices becomes row t·B + b; there is room for `rows` rows of each.
fn interleave(
    rows: usize,
    sequences: &[Sequence],
    part: impl Fn(&Sequence) -> &Array2<f64>,
) -> Array2<f64> {
    let size = sequences.len();
    let mut all = Array2::zeros((rows * size, part(&sequences[0]).ncols()));
    for (b, sequence) in sequences.iter().enumerate() {
        for (t, row) in part(sequence).rows().into_iter().enumerate() {
            all.row_mut(t * size + b).assign(&row);
        }
    }
    all
}

/// Rows that have a 1 in the column of each entry, and 0 elsewhere.
fn one_hot(entries: &[usize], columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((entries.len(), columns), |(row, column)| {
        if entries[row] == column { 1.0 } else { 0.0 }
    })
}

/// From 0 to n − 1, every one equally likely.
fn below(n: usize, rng: &mut Rng) -> usize {
    rng.below(n as u64) as usize
}

/// Any of these, every one equally likely.
fn any(of: RangeInclusive<usize>, rng: &mut Rng) -> usize {
    of.start() + below(of.end() + 1 - of.start(), rng)
}

/// Checks a number of steps: more than this are a mistake in the config.
fn check_steps(
    field: &str,
    steps: usize,
    least: usize,
) -> Result<(), ConfigError> {
    const MOST: usize = 100_000;
    let rule = format!("it must be from {least} to {MOST}");
    let good = (least..=MOST).contains(&steps);
    ConfigError::unless(good, field, steps, &rule)
}

// What needs a network: here and not in `tests`, because its kernels are compiled into the library anyway.
#[cfg(test)]
mod tests {
    use super::*;
    use longlag_cells::{Cell, Initialisation};
    use longlag_numerics::Parameters;
    use longlag_optim::{Clip, OptimizerConfig};
    use longlag_train::Trainer;
    use std::ops::ControlFlow;

    /// One of each, short.
    fn configs() -> [TaskConfig; 4] {
        let order = TemporalOrder { steps: 24, ..TemporalOrder::default() };
        [
            TaskConfig::Adding(Adding { steps: 24, ..Adding::default() }),
            TaskConfig::TemporalOrder(order),
            TaskConfig::Latch(Latch::of_1994(20, 2)),
            TaskConfig::Copying(Copying { steps: 5, ..Copying::default() }),
        ]
    }

    fn network(task: &dyn Task) -> (Network, Parameters<f32>) {
        let network =
            Network::new(Cell::Lstm, task.inputs(), 6, task.outputs());
        let parameters =
            network.parameters(&Initialisation::default(), &Rng::new(3));
        (network, parameters)
    }

    /// What a network answers in a batch is what it answers to each sequence alone, step by step.
    #[test]
    fn outputs_are_those_of_each_sequence() {
        for config in configs() {
            let task = config.task();
            let (network, parameters) = network(task);
            let mut rng = Rng::new(5);
            let batch = task.batch(4, &mut rng.clone());
            let tape = Tape::new();
            let bound = tape.bind(&parameters);
            let outputs = batch.outputs(&network, &bound).value();
            assert_eq!(outputs.dim(), batch.target.dim());
            for i in 0..4 {
                let s = task.sequence(&mut rng);
                let x = s.x.mapv(|x| x as f32);
                let mut answers = Vec::new();
                network.unroll(
                    &bound,
                    tape.constant(&x.view()),
                    1,
                    |t, state| {
                        if t > 0 {
                            let answer = network.head.apply(&bound, state.h);
                            answers.push(answer.value());
                        }
                    },
                );
                let asked = &answers[answers.len() - s.target.nrows()..];
                for (t, answer) in asked.iter().enumerate() {
                    for (a, b) in
                        answer.row(0).iter().zip(outputs.row(t * 4 + i))
                    {
                        // The kernel adds in another order.
                        assert!((a - b).abs() < 1e-6, "{a} against {b}");
                    }
                }
            }
        }
    }

    /// A race needs to know nothing of the task but its config. Here a network learns some sequences by heart.
    #[test]
    fn any_task_can_be_trained() {
        let optimizer = r#"{ "adam": { "learning_rate": 0.03 } }"#;
        let optimizer: OptimizerConfig =
            serde_json::from_str(optimizer).unwrap();
        for config in configs() {
            let task = config.task();
            let (network, parameters) = network(task);
            let batch = task.batch(4, &mut Rng::new(5));
            let mut trainer =
                Trainer::new(parameters, optimizer, Clip::Norm(1.0));
            let mut losses = Vec::new();
            let ended = trainer.run(
                100,
                |_, parameters| batch.loss(batch.outputs(&network, parameters)),
                |step| {
                    losses.push(step.loss);
                    ControlFlow::Continue(())
                },
            );
            ended.unwrap();
            assert!(losses[99] < 0.5 * losses[0], "{config:?}: {losses:?}");
            let tape = Tape::new();
            let outputs =
                batch.outputs(&network, &tape.bind(&trainer.parameters));
            assert_eq!(batch.right(outputs.value().view()).len(), 4);
        }
    }

    /// Training takes the mean over all steps, as the paper of the task does.
    #[test]
    fn the_loss_of_the_baselines_of_copying() {
        let task = Copying { steps: 30, ..Copying::default() };
        let batch = task.batch(4, &mut Rng::new(1));
        let check = |baseline: &Baseline,
                     logit: &dyn Fn(usize, usize) -> f32| {
            let tape = Tape::new();
            let logits =
                Array2::from_shape_fn(batch.target.dim(), |(row, k)| {
                    logit(row / batch.lengths.len(), k)
                });
            let loss = batch.loss(tape.constant(&logits.view())).item();
            let error = f64::from(loss) - baseline.loss;
            assert!(error.abs() < 1e-6, "{loss} against {baseline:?}");
        };
        let [constant, memoryless] = &task.baselines()[..] else {
            panic!("two baselines")
        };
        // Blanks are 40 of 50 answers, each of the 8 symbols a fortieth.
        let odds: f32 = Real::ln(0.8 / 0.025);
        check(constant, &|_, k| if k == 8 { odds } else { 0.0 });
        check(memoryless, &|t, k| {
            let copying = t >= 40;
            if copying == (k < 8) { 0.0 } else { -1e3 }
        });
    }

    /// The number of the last step is in the state: the read-out finds it.
    #[test]
    fn a_frozen_network_reads_out_what_its_state_has() {
        let task = Adding { steps: 20, ..Adding::default() };
        let mut rng = Rng::new(5);
        let [mut known, mut asked] =
            [400, 100].map(|n| task.batch(n, &mut rng));
        for batch in [&mut known, &mut asked] {
            let size = batch.lengths.len();
            // Of sequences of one length, the number in the last step.
            batch.lengths.fill(20);
            let last = batch
                .x
                .slice_axis(ndarray::Axis(0), (19 * size..20 * size).into());
            batch.target = last.select(ndarray::Axis(1), &[0]);
        }
        let network = Network::new(Cell::RnnTanh, 2, 16, 1);
        // Weak, so that units stay where they are linear.
        let start = Initialisation {
            input: longlag_cells::init::Init::Gaussian { gain: 0.01 },
            recurrent: longlag_cells::init::Init::Gaussian { gain: 0.1 },
            bias: longlag_cells::init::Init::Zero,
            ..Initialisation::default()
        };
        let at = network.parameters(&start, &Rng::new(3));
        let answers = frozen(&network.layer, &at, &known, &asked);
        // Half of the uniform numbers' width is 1; a ridge and the bend of tanh are left.
        let apart = (&answers - &asked.target).mapv(f64::abs);
        let largest = apart.iter().fold(0.0, |a: f64, &b| a.max(b));
        assert!(largest < 0.02, "{largest}");
        assert_eq!(answers, frozen(&network.layer, &at, &known, &asked));
    }

    /// Published: guessing solves the two-sequence problem before training does, which takes an LSTM 27,380
    /// sequences of T = 100 with three steps that show the class; nobody guesses how to add.
    #[test]
    fn guessing_solves_the_latch_and_does_not_add() {
        let network = Network::new(Cell::RnnTanh, 1, 1, 1);
        let latch = Latch::two_sequence(100, 3);
        // Nearly all guesses read 4 sequences, the right one 100 more.
        let guesses = Guesses::of_2001(2000);
        for seed in 0..20 {
            let found = guess(&latch, &network, guesses, &Rng::new(seed));
            assert!(found.is_some(), "seed {seed}");
        }
        let network = Network::new(Cell::RnnTanh, 2, 3, 1);
        let adding = Adding::default();
        assert_eq!(guess(&adding, &network, guesses, &Rng::new(1)), None);
    }
}
