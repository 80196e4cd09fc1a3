//! Normalisation: of a batch, of a row, and of the sums inside a recurrent step.
//!
//! The key decision: **running statistics are an explicit value.** They are no parameters and have no gradient:
//! who trains holds them, passes them in to be updated, saves them, and passes them in to be used. Everything
//! else is composed on the tape, so that the gradient goes through mean and variance by itself.
//!
//! The tape stretches rows, not columns: what is one number for each row is stretched by a product with a row
//! of ones.

use crate::recurrent_cell::{State, Weights};
use longlag_autodiff::{Bound, Var};
use longlag_numerics::{Parameters, Pointwise, Real, Scalar};
use serde::{Deserialize, Serialize};

/// Mean and variance of each feature over the batches seen in training, for use after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningStatistics {
    /// The means; PyTorch's `running_mean`.
    pub mean: Vec<f64>,
    /// The variances, each batch's the unbiased one; PyTorch's `running_var`.
    pub variance: Vec<f64>,
    /// How many batches were seen; PyTorch's `num_batches_tracked`.
    pub batches: u64,
    /// m: a batch moves them to (1 − m) of what they were and m of its own. If none, they are the average over
    /// all batches.
    pub momentum: Option<f64>,
}

impl RunningStatistics {
    /// Those of no batch yet: means 0, variances 1; momentum 0.1.
    pub fn new(features: usize) -> RunningStatistics {
        RunningStatistics {
            mean: vec![0.0; features],
            variance: vec![1.0; features],
            batches: 0,
            momentum: Some(0.1),
        }
    }

    /// Takes in the statistics of a batch of `rows`, its variance the biased one.
    fn follow<T: Scalar>(
        &mut self,
        mean: Var<'_, T>,
        variance: Var<'_, T>,
        rows: usize,
    ) {
        self.batches += 1;
        let share = self.momentum.unwrap_or(1.0 / self.batches as f64);
        let unbias = rows as f64 / (rows - 1) as f64;
        let targets = [(&mut self.mean, mean, 1.0)];
        let targets = targets.into_iter();
        for (running, of_batch, factor) in
            targets.chain([(&mut self.variance, variance, unbias)])
        {
            for (j, running) in running.iter_mut().enumerate() {
                let now = of_batch.columns(j..j + 1).item().value() * factor;
                *running = (1.0 - share) * *running + share * now;
            }
        }
    }
}

/// Which statistics normalise. S is a [`RunningStatistics`], or several for a recurrent layer.
#[derive(Debug)]
pub enum Statistics<'a, S> {
    /// In training: those of the batch itself. The running ones, if there are any, take them in.
    Batch(Option<&'a mut S>),
    /// After training: the running ones as they are.
    Running(&'a S),
}

/// Batch normalisation: (x − mean) / √(variance + eps) · weight + bias, each column by its own mean and variance
/// over the rows.
///
/// Shapes: `x` (N, C), `weight` (γ) and `bias` (β) (1, C), each left out if none. What has more axes, as (N, C,
/// L) or the steps of a sequence (T·B, C), is normalised over all of them as rows. A batch's variance is the
/// biased one here and the unbiased one in the running statistics, as in PyTorch's `BatchNorm1d`.
///
/// The rows of a batch then depend on one another, and training and use are different functions.
///
/// Source: Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal
/// covariate shift", algorithms 1 and 2.
///
/// Panics if shapes don't fit, or a batch has one row: it has no variance.
#[track_caller]
pub fn batch_norm<'t, T: Scalar>(
    x: Var<'t, T>,
    weight: Option<Var<'t, T>>,
    bias: Option<Var<'t, T>>,
    eps: f64,
    statistics: Statistics<'_, RunningStatistics>,
) -> Var<'t, T> {
    let (tape, [rows, features]) = (x.tape(), x.shape());
    let check = |s: &RunningStatistics| {
        let n = (s.mean.len(), s.variance.len());
        assert!(
            n == (features, features),
            "batch_norm: statistics of {n:?} features for ({rows}, {features})"
        );
    };
    let (centred, variance) = match statistics {
        Statistics::Batch(running) => {
            assert!(rows > 1, "batch_norm: a batch of one row has no variance");
            let ones = tape.constant_with(1, rows, |to| to.fill(T::of(1.0)));
            let mean_of =
                |x: Var<'t, T>| ones.matmul(x).scale(1.0 / rows as f64);
            let mean = mean_of(x);
            let centred = x - mean;
            let variance = mean_of(centred * centred);
            if let Some(running) = running {
                check(running);
                running.follow(mean, variance, rows);
            }
            (centred, variance)
        }
        Statistics::Running(running) => {
            check(running);
            let row = |x: &[f64]| {
                tape.constant_with(1, features, |to| {
                    to.iter_mut().zip(x).for_each(|(to, &x)| *to = T::of(x));
                })
            };
            (x - row(&running.mean), row(&running.variance))
        }
    };
    let deviation = (variance + variance.constant(eps)).sqrt();
    scaled(centred / deviation, weight, bias)
}

/// Layer normalisation: the same with the mean and the variance of each row over its columns.
///
/// Shapes: `x` (N, C), `weight` (γ) and `bias` (β) (1, C), each left out if none. What is to be normalised over
/// several axes has them in its columns. The variance is the biased one, as in PyTorch's `LayerNorm`.
///
/// No row depends on another, there are no statistics to keep, and training and use are the same function. It
/// can't tell inputs apart that differ in scale alone, or by a number added to all of a row.
///
/// Source: Ba, Kiros & Hinton 2016, "Layer normalization", equations 3 and 4.
#[track_caller]
pub fn layer_norm<'t, T: Scalar>(
    x: Var<'t, T>,
    weight: Option<Var<'t, T>>,
    bias: Option<Var<'t, T>>,
    eps: f64,
) -> Var<'t, T> {
    let (tape, [_, features]) = (x.tape(), x.shape());
    let column = tape.constant_with(features, 1, |to| to.fill(T::of(1.0)));
    let row = x.constant(1.0);
    let mean_of = |x: Var<'t, T>| x.matmul(column).scale(1.0 / features as f64);
    let centred = x - mean_of(x).matmul(row);
    let variance = mean_of(centred * centred);
    let deviation = (variance + variance.constant(eps)).sqrt();
    scaled(centred / deviation.matmul(row), weight, bias)
}

#[track_caller]
fn scaled<'t, T: Scalar>(
    x: Var<'t, T>,
    weight: Option<Var<'t, T>>,
    bias: Option<Var<'t, T>>,
) -> Var<'t, T> {
    let x = weight.map_or(x, |weight| x * weight);
    bias.map_or(x, |bias| x + bias)
}

/// The parameters of a normalisation, (1, C) each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormParameters {
    /// C.
    pub features: usize,
    /// The name of γ.
    pub weight: String,
    /// The name of β.
    pub bias: String,
}

impl NormParameters {
    /// Parameters named `{name}.weight` and `{name}.bias`, as PyTorch names them.
    pub fn new(name: &str, features: usize) -> NormParameters {
        NormParameters {
            features,
            weight: format!("{name}.weight"),
            bias: format!("{name}.bias"),
        }
    }

    /// Adds them: γ = 1, β = 0.
    pub fn push<T: Scalar>(&self, to: &mut Parameters<T>) {
        to.push(&self.weight, [1, self.features], T::of(1.0));
        to.push(&self.bias, [1, self.features], T::of(0.0));
    }

    /// γ and β among the bound parameters.
    #[track_caller]
    pub fn get<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
    ) -> [Var<'t, T>; 2] {
        [parameters.get(&self.weight), parameters.get(&self.bias)]
    }
}

/// Which cell is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalisedCell {
    /// h_t = tanh(BN(W_hh h_{t−1}; γ_h) + BN(W_ih x_t; γ_x) + b_ih + b_hh).
    RnnTanh,
    /// The LSTM whose four sums are made that way.
    Lstm {
        /// Whether the output is made from a normalised c too, h_t = o ∘ tanh(BN(c_t; γ_c, β_c)), as published.
        /// c_t itself, which carries the memory, never is.
        output: bool,
    },
}

/// Recurrent batch normalisation: the two products of a step are normalised apart, each by statistics of its own
/// time step, before they are added.
///
/// Source: Cooijmans, Ballas, Laurent, Gülçehre & Courville 2017, "Recurrent batch normalization", equations 6
/// to 8; after them, the statistics of steps longer than any in training are those of the last one known. With
/// γ = 1 the tanh saturates and gradients vanish (their section 4), so that γ starts at 0.1.
///
/// It needs a batch in training, and sequences whose steps mean the same: one that starts elsewhere meets
/// statistics of other steps.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentBatchNorm {
    /// Which cell; the weights are those of a layer of it.
    pub cell: NormalisedCell,
    /// H.
    pub hidden: usize,
    /// What is added to each variance. Where all rows are in the same state, as before the first step, it is all
    /// there is.
    pub eps: f64,
    /// Where γ_x, γ_h and γ_c start.
    pub gain: f64,
    /// The momentum of the running statistics: see [`RunningStatistics::momentum`].
    pub momentum: Option<f64>,
    /// The names of γ_x and γ_h, (1, G·H), and γ_c and β_c, (1, H).
    pub names: NormWeights<String>,
}

/// The parameters of a [`RecurrentBatchNorm`], whatever they are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormWeights<V> {
    /// γ_x.
    pub input: V,
    /// γ_h.
    pub state: V,
    /// γ_c and β_c, for an LSTM with a normalised output.
    pub output: Option<[V; 2]>,
}

/// The running statistics of one time step of a [`RecurrentBatchNorm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepStatistics {
    /// Of W_ih x_t.
    pub input: RunningStatistics,
    /// Of W_hh h_{t−1}.
    pub state: RunningStatistics,
    /// Of c_t.
    pub output: Option<RunningStatistics>,
}

impl RecurrentBatchNorm {
    /// For H units, with eps 1e-5, γ from 0.1, momentum 0.1, and parameters `{prefix}bn_ih.weight`,
    /// `{prefix}bn_hh.weight`, `{prefix}bn_c.weight` and `{prefix}bn_c.bias`.
    pub fn new(
        prefix: &str,
        cell: NormalisedCell,
        hidden: usize,
    ) -> RecurrentBatchNorm {
        let name = |part| format!("{prefix}{part}");
        let output = cell == NormalisedCell::Lstm { output: true };
        RecurrentBatchNorm {
            cell,
            hidden,
            eps: 1e-5,
            gain: 0.1,
            momentum: Some(0.1),
            names: NormWeights {
                input: name("bn_ih.weight"),
                state: name("bn_hh.weight"),
                output: output
                    .then(|| [name("bn_c.weight"), name("bn_c.bias")]),
            },
        }
    }

    fn sums(&self) -> usize {
        match self.cell {
            NormalisedCell::RnnTanh => self.hidden,
            NormalisedCell::Lstm { .. } => 4 * self.hidden,
        }
    }

    /// Adds its parameters: gains at [`gain`](Self::gain), β_c at 0.
    pub fn push_parameters<T: Scalar>(&self, to: &mut Parameters<T>) {
        let (gain, sums) = (T::of(self.gain), self.sums());
        to.push(&self.names.input, [1, sums], gain);
        to.push(&self.names.state, [1, sums], gain);
        if let Some([weight, bias]) = &self.names.output {
            to.push(weight, [1, self.hidden], gain);
            to.push(bias, [1, self.hidden], T::of(0.0));
        }
    }

    /// Its parameters among the bound ones.
    #[track_caller]
    pub fn weights<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
    ) -> NormWeights<Var<'t, T>> {
        let NormWeights { input, state, output } = &self.names;
        NormWeights {
            input: parameters.get(input),
            state: parameters.get(state),
            output: output
                .as_ref()
                .map(|names| names.each_ref().map(|name| parameters.get(name))),
        }
    }

    /// The statistics of a step that no batch was seen of.
    pub fn no_statistics(&self) -> StepStatistics {
        let new = |features| RunningStatistics {
            momentum: self.momentum,
            ..RunningStatistics::new(features)
        };
        StepStatistics {
            input: new(self.sums()),
            state: new(self.sums()),
            output: self.names.output.is_some().then(|| new(self.hidden)),
        }
    }

    // ANCHOR: step
    /// One step. Shapes: `x` (B, I), the state's matrices (B, H); `w` are
    /// the weights of the layer, `norm` the gains.
    ///
    /// Panics if they don't fit, or the cell state is missing.
    #[track_caller]
    pub fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        norm: &NormWeights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
        statistics: Statistics<'_, StepStatistics>,
    ) -> State<Var<'t, T>> {
        let [of_x, of_h, of_c] = parts(statistics);
        let tape = x.tape();
        let (x, h) = (
            tape.affine(&[(x, w.w_ih)], &[]),
            tape.affine(&[(s.h, w.w_hh)], &[]),
        );
        let a = batch_norm(x, Some(norm.input), None, self.eps, of_x)
            + batch_norm(h, Some(norm.state), None, self.eps, of_h)
            + w.b_ih
            + w.b_hh;
        let NormalisedCell::Lstm { .. } = self.cell else {
            let [h] = crate::RnnTanh.apply([a]);
            return State { h, c: None };
        };
        let [a_i, a_f, a_g, a_o] = a.split();
        let c_prev = s.c.expect("an LSTM has a cell state");
        let sums = [a_i, a_f, a_g, a_o, c_prev];
        let [h, c, _, _, _, o] = crate::LstmEquations.apply(sums);
        let h = match norm.output {
            Some([weight, bias]) => {
                let (weight, bias) = (Some(weight), Some(bias));
                o * batch_norm(c, weight, bias, self.eps, of_c).tanh()
            }
            None => h,
        };
        State { h, c: Some(c) }
    }
    // ANCHOR_END: step

    /// Runs over a sequence, step by step, and gives the state after the last one: as
    /// [`Layer::unroll`](crate::Layer::unroll), each step with statistics of its own, those of the first step
    /// first.
    ///
    /// In training, steps that are new get statistics. After it, those of the last one known serve all steps
    /// behind it. Panics if none are known then.
    #[track_caller]
    pub fn unroll<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        norm: &NormWeights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
        mut statistics: Statistics<'_, Vec<StepStatistics>>,
        mut each: impl FnMut(usize, State<Var<'t, T>>),
    ) -> State<Var<'t, T>> {
        let ([rows, _], [batch, _]) = (x.shape(), start.h.shape());
        assert!(
            rows % batch == 0,
            "unroll: {rows} rows are no whole number of steps of {batch} sequences"
        );
        let mut state = start;
        for t in 0..rows / batch {
            let of_step = match &mut statistics {
                Statistics::Batch(None) => Statistics::Batch(None),
                Statistics::Batch(Some(known)) => {
                    if known.len() == t {
                        known.push(self.no_statistics());
                    }
                    Statistics::Batch(Some(&mut known[t]))
                }
                Statistics::Running(known) => {
                    let last = known.len().checked_sub(1);
                    let last = last.expect("unroll: no statistics of any step");
                    Statistics::Running(&known[t.min(last)])
                }
            };
            let x = x.rows(t * batch..(t + 1) * batch);
            state = self.step(w, norm, x, state, of_step);
            each(t + 1, state);
        }
        state
    }
}

/// The statistics of the parts of a step: of x, of h, and of c, for which those of x stand in if it has none.
fn parts(
    statistics: Statistics<'_, StepStatistics>,
) -> [Statistics<'_, RunningStatistics>; 3] {
    match statistics {
        Statistics::Batch(None) => [const { Statistics::Batch(None) }; 3],
        Statistics::Batch(Some(StepStatistics { input, state, output })) => [
            Statistics::Batch(Some(input)),
            Statistics::Batch(Some(state)),
            Statistics::Batch(output.as_mut()),
        ],
        Statistics::Running(StepStatistics { input, state, output }) => [
            Statistics::Running(input),
            Statistics::Running(state),
            Statistics::Running(output.as_ref().unwrap_or(input)),
        ],
    }
}
