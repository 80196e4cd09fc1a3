//! Networks that predict a stream.

use super::Config;
use crate::runs::{Hash, Run};
use crate::summary::spread;
use crate::tasks::{LETTERS, Letter, ReberStream, predicts};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{
    Cell, Forget, LstmParts, Network, RecurrentCell, SequenceRequest,
    SequenceStates, State,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use longlag_optim::{AdamConfig, OptimizerConfig};
use longlag_train::{Checkpoint, Trainer, cross_entropy, one_hot};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

// ANCHOR: learner
/// A network that learns to predict the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learner {
    /// Its name, in figures and keys of the report.
    pub name: String,
    /// H.
    pub hidden: usize,
    /// Whether its cell has a forget gate. Without one f = 1: nothing is
    /// forgotten, as in 1997.
    pub forget_gate: bool,
    /// Whether somebody outside sets its state to 0 before each string.
    pub reset: bool,
    /// Of Adam.
    pub learning_rate: f64,
}

impl Learner {
    /// The network: a letter in, a score for each letter out.
    pub fn network(&self) -> Network {
        let forget = Forget::Never;
        let cell = if self.forget_gate {
            Cell::Lstm
        } else {
            Cell::LstmVariant(LstmParts { forget, ..LstmParts::default() })
        };
        Network::new(cell, LETTERS.len(), self.hidden, LETTERS.len())
    }
}
// ANCHOR_END: learner

/// A network that reads streams side by side, and remembers where it is.
#[derive(Debug)]
pub struct Reader {
    network: Network,
    reset: bool,
    streams: Vec<ReberStream>,
    /// h and c, (B, H).
    state: State<Array2<f32>>,
}

/// What came of reading T letters of B streams, the steps one below the other.
#[derive(Debug)]
pub struct Read<'t> {
    /// The scores, (T·B, 7).
    pub scores: Var<'t, f32>,
    /// The letters that come next, (T·B, 7).
    pub target: Var<'t, f32>,
    /// (T·B, H).
    pub h: Var<'t, f32>,
    /// (T·B, H).
    pub c: Var<'t, f32>,
    /// The letters read: T·B.
    pub letters: Vec<Letter>,
}

impl Read<'_> {
    /// Which of the letters that come next are predicted rightly: T·B.
    pub fn right(&self) -> Vec<bool> {
        let scores = self.scores.value();
        let rows = scores.rows().into_iter().zip(&self.letters);
        let right = rows.map(|(scores, &letter)| {
            predicts(scores.iter().map(|&s| f64::from(s)), letter)
        });
        right.collect()
    }
}

impl Reader {
    /// From the state 0.
    pub fn new(learner: &Learner, streams: Vec<ReberStream>) -> Reader {
        let network = learner.network();
        let zeros = || Array2::zeros((streams.len(), learner.hidden));
        let state = State { h: zeros(), c: Some(zeros()) };
        Reader { network, reset: learner.reset, streams, state }
    }

    // ANCHOR: read
    /// Reads the next `steps` letters of each stream, from the state that
    /// the last ones left behind. The gradient stays within these steps.
    pub fn read<'t>(
        &mut self,
        parameters: &Bound<'t, '_, f32>,
        steps: usize,
    ) -> Read<'t> {
        let (tape, batch) = (parameters.tape(), self.streams.len());
        let mut letters = Vec::with_capacity((steps + 1) * batch);
        for t in 0..=steps {
            for stream in &mut self.streams {
                letters.push(stream.now());
                if t < steps {
                    stream.advance();
                }
            }
        }
        let now = letters[..steps * batch].iter().map(|l| l.letter);
        let next = letters[batch..].iter().map(|l| l.letter);
        let x = one_hot(tape, now, LETTERS.len());
        let target = one_hot(tape, next, LETTERS.len());
        letters.truncate(steps * batch);
        let states = self.states(parameters, x, &letters);
        self.state = states.last.map(Var::value);
        let scores = self.network.head.apply(parameters, states.h);
        let c = states.c.expect("an LSTM has a cell state");
        Read { scores, target, h: states.h, c, letters }
    }
    // ANCHOR_END: read

    // ANCHOR: end
    /// Ends the streams in which a prediction was wrong: what is read next
    /// in their place is a new string, from the state 0.
    pub fn end(&mut self, right: &[bool]) {
        let batch = self.streams.len();
        for (b, stream) in self.streams.iter_mut().enumerate() {
            if right.iter().skip(b).step_by(batch).all(|&right| right) {
                continue;
            }
            let (string, _) = stream.position();
            stream.go_to((string + 1, 0));
            self.state.h.row_mut(b).fill(0.0);
            let c = self.state.c.as_mut().expect("an LSTM has c");
            c.row_mut(b).fill(0.0);
        }
    }
    // ANCHOR_END: end

    fn states<'t>(
        &self,
        parameters: &Bound<'t, '_, f32>,
        x: Var<'t, f32>,
        letters: &[Letter],
    ) -> SequenceStates<Var<'t, f32>> {
        let (tape, layer) = (parameters.tape(), &self.network.layer);
        let weights = layer.weights(parameters);
        let start = State {
            h: tape.constant(&self.state.h.view()),
            c: self.state.c.as_ref().map(|c| tape.constant(&c.view())),
        };
        if !self.reset {
            let request =
                SequenceRequest { all_c: true, ..SequenceRequest::default() };
            return layer.sequence_with(&weights, x, start, request);
        }
        let (mut last, mut h, mut c) = (start, vec![], vec![]);
        let batch = self.streams.len();
        for (t, letters) in letters.chunks(batch).enumerate() {
            let width = layer.hidden;
            let goes_on = tape.constant_with(batch, width, |mask| {
                for (row, l) in mask.chunks_exact_mut(width).zip(letters) {
                    row.fill(if l.first { 0.0 } else { 1.0 });
                }
            });
            let x = x.rows(t * batch..(t + 1) * batch);
            let before = last.map(|part| part * goes_on);
            last = layer.cell.step(&weights, x, before);
            h.push(last.h);
            c.extend(last.c);
        }
        SequenceStates { h: tape.stack(&h), c: Some(tape.stack(&c)), last }
    }
}

/// How many letters are read at once where nothing is learnt.
const CHUNK: usize = 100;

// ANCHOR: until_mistake
/// How many letters of each of some fresh streams are predicted rightly
/// from the first on, at most `letters`. `see` is shown c, (T·B, H), of
/// each chunk, and says whether to go on when all have made a mistake.
pub fn until_mistake(
    learner: &Learner,
    parameters: &Parameters<f32>,
    streams: Vec<ReberStream>,
    letters: u64,
    mut see: impl FnMut(ArrayView2<f32>) -> bool,
) -> Vec<u64> {
    let batch = streams.len();
    let mut right = vec![0; batch];
    let mut reader = Reader::new(learner, streams);
    let mut tape = Tape::new();
    let (mut done, mut on) = (0, true);
    while on && done < letters {
        let steps = (letters - done).min(CHUNK as u64);
        tape.reset();
        let read = reader.read(&tape.bind(parameters), steps as usize);
        for (i, is_right) in read.right().into_iter().enumerate() {
            let (t, right) = (done + (i / batch) as u64, &mut right[i % batch]);
            *right += u64::from(is_right && *right == t);
        }
        done += steps;
        on = see(read.c.value().view()) || right.contains(&done);
    }
    right
}
// ANCHOR_END: until_mistake

/// Fresh streams.
pub fn streams(count: usize, rng: &Rng) -> Vec<ReberStream> {
    let stream = |i| ReberStream::new(rng.stream(&format!("stream {i}")));
    (1..=count).map(stream).collect()
}

// ANCHOR: slope
/// tanh′(c) = 1 − tanh²(c), also where tanh(c) is rounded to 1.
pub fn slope(c: f64) -> f64 {
    let e = Real::exp(-2.0 * c.abs());
    4.0 * e / ((1.0 + e) * (1.0 + e))
}
// ANCHOR_END: slope

/// What is known of a training so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// At each measurement the fewest letters until a mistake.
    pub right: Vec<u64>,
    /// The largest |c| of the state that training is in.
    pub largest: Vec<f64>,
    /// The median of its tanh′(c).
    pub slope: Vec<f64>,
    /// The updates after which there was no mistake in any stream.
    pub solved_at: Option<u64>,
}

/// What the forget gates of a network do on the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// Means over units and steps of f: at the first letter of a string, at its last, and elsewhere.
    pub mean: [f64; 3],
    /// Of the unit whose gate closes most at one of these, the same.
    pub most: [f64; 3],
    /// The letters of a stretch of the stream.
    pub letters: Vec<u64>,
    /// f of each unit at each of them.
    pub f: Vec<f64>,
}

/// What one learner gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// The updates that were done.
    pub updates: u64,
    /// What was measured meanwhile.
    pub measured: Measured,
    /// After training, on other fresh streams: the letters until a mistake.
    pub right: Vec<u64>,
    /// Along these, after the letters of [`Config::marks`]: the largest |c| so far.
    pub largest: Vec<f64>,
    /// The median of |c| there.
    pub middle: Vec<f64>,
    /// The median of tanh′(c) there.
    pub slope: Vec<f64>,
    /// Where there are forget gates.
    pub gates: Option<Gates>,
    /// Of the trained network.
    pub weights: Hash,
}

/// A training.
#[derive(Debug)]
pub struct Training<'a> {
    config: &'a Config,
    learner: &'a Learner,
    rng: Rng,
    trainer: Trainer<f32>,
    reader: Reader,
    measured: Measured,
}

/// Where a training is: the trainer, h and c, where in the streams, what was measured.
type Saved = (Checkpoint<f32>, [Vec<f32>; 2], Vec<(u64, u64)>, Measured);

impl<'a> Training<'a> {
    /// Its streams depend on the seed alone: learners read the same letters.
    pub fn start(config: &'a Config, learner: &'a Learner, rng: Rng) -> Self {
        let Config { initialisation, clip, batch, .. } = config;
        let network = learner.network();
        let start = network.parameters(initialisation, &rng.stream("weights"));
        let optimizer = OptimizerConfig::Adam(AdamConfig {
            learning_rate: learner.learning_rate,
            ..AdamConfig::default()
        });
        Training {
            config,
            learner,
            trainer: Trainer::new(start, optimizer, *clip),
            reader: Reader::new(
                learner,
                streams(*batch, &rng.stream("training")),
            ),
            measured: Measured::default(),
            rng,
        }
    }

    /// c of all streams, in f64.
    fn cells(&self) -> Vec<f64> {
        let c = self.reader.state.c.as_ref().expect("an LSTM has c");
        c.iter().map(|&c| f64::from(c)).collect()
    }

    fn fresh(&self, label: &str) -> Vec<ReberStream> {
        streams(self.config.test_streams, &self.rng.stream(label))
    }

    fn measure(&mut self) {
        let (updates, all) = (self.trainer.updates(), self.config.test_letters);
        let right = until_mistake(
            self.learner,
            &self.trainer.parameters,
            self.fresh(&format!("test {updates}")),
            all,
            |_| false,
        );
        let least = right.iter().copied().min().expect("a test stream");
        let cells = self.cells();
        let measured = &mut self.measured;
        measured.right.push(least);
        measured.largest.push(largest(&cells));
        measured.slope.push(median(cells.into_iter().map(slope).collect()));
        if least == all {
            measured.solved_at = Some(updates);
        }
    }

    /// The forget gates along fresh streams.
    fn gates(&self) -> Option<Gates> {
        /// How many letters are shown.
        const SHOWN: usize = 40;
        let forget = self.learner.network().layer.cell.gates();
        let forget = forget.iter().position(|gate| *gate == "f")?;
        let streams = self.fresh("gates");
        let (batch, hidden) = (streams.len(), self.learner.hidden);
        let mut reader = Reader::new(self.learner, streams);
        let tape = Tape::new();
        let read = reader.read(&tape.bind(&self.trainer.parameters), 1000);
        let h = read.h.value();
        let w = self.reader.network.layer.views(&self.trainer.parameters);
        let factor = |row: usize, unit: usize| -> f64 {
            let gate = forget * hidden + unit;
            let mut sum = w.b_ih[[0, gate]] + w.b_hh[[0, gate]];
            sum += w.w_ih[[gate, read.letters[row].letter]];
            for k in 0..hidden {
                sum += w.w_hh[[gate, k]] * h[[row - batch, k]];
            }
            Real::sigmoid(f64::from(sum))
        };
        // Steps that have one before and one after them.
        let rows = batch..h.nrows() - batch;
        let place = |row: usize| match read.letters[row].first {
            true => 0,
            false if read.letters[row + batch].first => 1,
            false => 2,
        };
        let mut sums = vec![[0.0; 3]; hidden];
        let mut counts = [0.0; 3];
        for row in rows {
            counts[place(row)] += 1.0;
            for (unit, sums) in sums.iter_mut().enumerate() {
                sums[place(row)] += factor(row, unit);
            }
        }
        let means: Vec<[f64; 3]> =
            sums.iter().map(|s| [0, 1, 2].map(|k| s[k] / counts[k])).collect();
        let mean = [0, 1, 2]
            .map(|k| means.iter().map(|m| m[k]).sum::<f64>() / hidden as f64);
        let closes = |m: &&[f64; 3]| (m[2] - m[0], m[2] - m[1]);
        let more = |a: &&[f64; 3], b: &&[f64; 3]| {
            let of = |m| {
                let (first, last) = closes(m);
                first.max(last)
            };
            of(a).total_cmp(&of(b))
        };
        let most = *means.iter().max_by(more).expect("a unit");
        let shown = || (1..=SHOWN).map(|t| t * batch);
        let f = shown()
            .flat_map(|row| (0..hidden).map(move |unit| (row, unit)))
            .map(|(row, unit)| factor(row, unit));
        let letters = shown().map(|row| read.letters[row].letter as u64);
        Some(Gates { mean, most, letters: letters.collect(), f: f.collect() })
    }
}

impl Run for Training<'_> {
    type Saved = Saved;
    type Outcome = Learnt;

    // ANCHOR: advance
    fn advance(&mut self) -> ControlFlow<()> {
        let Config { window, updates, measure_every, .. } = *self.config;
        let (reader, mut right) = (&mut self.reader, vec![]);
        let result = self.trainer.update(
            |parameters| {
                let read = reader.read(parameters, window);
                right = read.right();
                cross_entropy(read.scores, read.target)
            },
            |_| {},
        );
        reader.end(&right);
        let done = self.trainer.updates();
        let last = result.is_err() || done == updates;
        if last || done.is_multiple_of(measure_every) {
            self.measure();
        }
        if last || self.measured.solved_at.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
    // ANCHOR_END: advance
    fn save(&self) -> Saved {
        let State { h, c } = &self.reader.state;
        let c = c.as_ref().expect("an LSTM has c");
        let flat = |a: &Array2<f32>| {
            let one_nan = |x: &f32| if x.is_nan() { f32::NAN } else { *x };
            a.iter().map(one_nan).collect()
        };
        let streams = self.reader.streams.iter().map(ReberStream::position);
        (
            self.trainer.checkpoint(),
            [flat(h), flat(c)],
            streams.collect(),
            self.measured.clone(),
        )
    }
    fn restore(
        &mut self,
        (trainer, [h, c], streams, measured): Saved,
    ) -> Result<(), String> {
        let reader = &mut self.reader;
        let shape = reader.state.h.dim();
        if streams.len() != reader.streams.len() {
            return Err(format!("it reads {} streams", streams.len()));
        }
        let array = |part: Vec<f32>| {
            Array2::from_shape_vec(shape, part).map_err(|e| e.to_string())
        };
        let state = State { h: array(h)?, c: Some(array(c)?) };
        self.trainer.restore(trainer).map_err(|error| error.to_string())?;
        reader.state = state;
        for (stream, at) in reader.streams.iter_mut().zip(streams) {
            stream.go_to(at);
        }
        self.measured = measured;
        Ok(())
    }
    fn outcome(&self) -> Learnt {
        let (batch, marks) = (self.config.test_streams, self.config.marks());
        let (mut so_far, mut done) = (0.0_f64, 0);
        let mut along = [vec![], vec![], vec![]];
        let right = until_mistake(
            self.learner,
            &self.trainer.parameters,
            self.fresh("end"),
            self.config.test_letters,
            |c| {
                let row = |row: usize| c.row(row).into_iter();
                for t in 0..c.nrows() / batch {
                    done += 1;
                    let now: Vec<f64> = (t * batch..(t + 1) * batch)
                        .flat_map(row)
                        .map(|&c| f64::from(c))
                        .collect();
                    so_far = so_far.max(largest(&now));
                    if marks.contains(&done) {
                        along[0].push(so_far);
                        let size = now.iter().map(|c| c.abs()).collect();
                        along[1].push(median(size));
                        along[2]
                            .push(median(now.into_iter().map(slope).collect()));
                    }
                }
                true
            },
        );
        let [largest, middle, slope] = along;
        Learnt {
            updates: self.trainer.updates(),
            measured: self.measured.clone(),
            right,
            largest,
            middle,
            slope,
            gates: self.gates(),
            weights: Hash::of_weights(&self.trainer),
        }
    }
}

fn largest(cells: &[f64]) -> f64 {
    cells.iter().fold(0.0, |most: f64, c| most.max(c.abs()))
}

fn median(values: Vec<f64>) -> f64 {
    spread(values)[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use longlag_cells::Initialisation;

    fn learner(forget_gate: bool, reset: bool) -> Learner {
        let name = String::new();
        Learner { name, hidden: 5, forget_gate, reset, learning_rate: 0.01 }
    }

    fn parameters(learner: &Learner) -> Parameters<f32> {
        let start = Initialisation::default();
        learner.network().parameters(&start, &Rng::new(7))
    }

    #[track_caller]
    fn check_same(a: &Array2<f32>, b: &Array2<f32>) {
        assert_eq!(a.dim(), b.dim());
        for (a, b) in a.iter().zip(b) {
            // Kernel and tape add in another order.
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
    }

    /// Reading goes on where it was, with every kind of learner.
    #[test]
    fn a_reader_carries_its_state() {
        let kinds = [(true, false), (false, false), (false, true)];
        for (forget_gate, reset) in kinds {
            let learner = learner(forget_gate, reset);
            let parameters = parameters(&learner);
            let tape = Tape::new();
            let bound = tape.bind(&parameters);
            let reader = || Reader::new(&learner, streams(2, &Rng::new(1)));
            let (mut one, mut two) = (reader(), reader());
            let whole = one.read(&bound, 30).scores.value();
            two.read(&bound, 17);
            let rest = two.read(&bound, 13).scores.value();
            check_same(
                &whole.slice_axis_move(ndarray::Axis(0), (34..).into()),
                &rest,
            );
        }
    }

    /// What is reset knows nothing of earlier strings, nor does what is ended; what isn't does.
    #[test]
    fn a_reset_begins_anew() {
        let learners = [learner(false, true), learner(false, false)];
        let scores = learners.each_ref().map(|learner| {
            let parameters = parameters(learner);
            let tape = Tape::new();
            let bound = tape.bind(&parameters);
            let mut reader = Reader::new(learner, streams(1, &Rng::new(1)));
            let read = reader.read(&bound, 40);
            let first = |l: &Letter| l.first;
            let begins = 1 + read.letters[1..].iter().position(first).unwrap();
            let mut other = Reader::new(learner, streams(1, &Rng::new(1)));
            other.end(&[true, false]);
            let rest = other.read(&bound, 40 - begins).scores.value();
            let whole = read.scores.value();
            (whole.slice_axis_move(ndarray::Axis(0), (begins..).into()), rest)
        });
        check_same(&scores[0].0, &scores[0].1);
        let apart = &scores[1].0 - &scores[1].1;
        assert!(apart.iter().any(|d| d.abs() > 1e-3));
    }

    #[test]
    fn only_streams_with_a_mistake_end() {
        let learner = learner(true, false);
        let parameters = parameters(&learner);
        let tape = Tape::new();
        let mut reader = Reader::new(&learner, streams(3, &Rng::new(1)));
        reader.read(&tape.bind(&parameters), 4);
        let before: Vec<_> =
            reader.streams.iter().map(ReberStream::position).collect();
        let mut right = [true; 12];
        right[3 + 1] = false;
        reader.end(&right);
        for (b, &(string, letter)) in before.iter().enumerate() {
            let ended = b == 1;
            let now = reader.streams[b].position();
            let next = (string + 1, 0);
            assert_eq!(now, if ended { next } else { (string, letter) });
            let h = reader.state.h.row(b);
            assert_eq!(h.iter().all(|h| *h == 0.0), ended);
        }
    }

    #[test]
    fn the_slope_of_tanh() {
        for c in [-3.0, 0.0, 0.4, 5.0] {
            let t = Real::tanh(c);
            assert!((slope(c) - (1.0 - t * t)).abs() < 1e-15);
        }
        // Where 1 − tanh² is 0 long since.
        assert!((1e-260..2e-260).contains(&slope(300.0)));
    }
}
