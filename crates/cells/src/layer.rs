use crate::cell::{Cell, State, Weights};
use crate::init::{Init, gate_bias};
use crate::sequence::{self, SequenceRequest, SequenceStates};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};
use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

/// A layer of one recurrent cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Which cell.
    pub cell: Cell,
    /// I.
    pub input: usize,
    /// H.
    pub hidden: usize,
    /// The parameters' names: (G·H, I), (G·H, H), (1, G·H), (1, G·H), and (P, H) if there are peepholes.
    pub names: Weights<String>,
}

/// How a layer's parameters start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Initialisation {
    /// The weights from the input.
    pub input: Init,
    /// The weights from the state.
    pub recurrent: Init,
    /// Both biases.
    pub bias: Init,
    /// The peepholes of an LSTM that has them.
    pub peephole: Init,
    /// The sum of the two biases of an LSTM's forget gate, in place of what `bias` drew; none by default.
    pub forget_bias: Option<f64>,
}

impl Default for Initialisation {
    /// PyTorch's: everything from U(−1/√H, 1/√H).
    fn default() -> Self {
        Initialisation {
            input: Init::Uniform,
            recurrent: Init::Uniform,
            bias: Init::Uniform,
            peephole: Init::Uniform,
            forget_bias: None,
        }
    }
}

impl Layer {
    /// A layer whose parameters are `{prefix}weight_ih_l0` and so on.
    pub fn new(prefix: &str, cell: Cell, input: usize, hidden: usize) -> Layer {
        let name = |part| format!("{prefix}{part}_l0");
        let names = Weights {
            w_ih: name("weight_ih"),
            w_hh: name("weight_hh"),
            b_ih: name("bias_ih"),
            b_hh: name("bias_hh"),
            peephole: (cell.peepholes() > 0).then(|| name("weight_peephole")),
        };
        Layer { cell, input, hidden, names }
    }

    /// Whether `start` can fill this layer's parameters.
    ///
    /// # Errors
    /// The first parameter whose initialiser doesn't fit its shape, in words.
    pub fn check(&self, start: &Initialisation) -> Result<(), String> {
        self.parts(start).try_for_each(|(name, shape, init)| {
            let unfit = |unfit| format!("`{name}`: {unfit}");
            init.check(shape, self.hidden).map_err(unfit)
        })
    }

    /// Each parameter's name, shape and initialiser.
    fn parts(
        &self,
        start: &Initialisation,
    ) -> impl Iterator<Item = (&str, [usize; 2], Init)> {
        let rows = self.cell.gates().len() * self.hidden;
        let Weights { w_ih, w_hh, b_ih, b_hh, peephole } = &self.names;
        let vectors = [self.cell.peepholes(), self.hidden];
        let peephole =
            peephole.as_deref().map(|p| (p, vectors, start.peephole));
        let sums = [
            (&w_ih[..], [rows, self.input], start.input),
            (&w_hh[..], [rows, self.hidden], start.recurrent),
            (&b_ih[..], [1, rows], start.bias),
            (&b_hh[..], [1, rows], start.bias),
        ];
        sums.into_iter().chain(peephole)
    }

    /// Adds the layer's parameters. Each is drawn from a stream of `rng` under its own name.
    ///
    /// `forget_bias` is for cells with a forget gate and left out of account for others.
    pub fn push_parameters<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        start: &Initialisation,
        rng: &Rng,
    ) {
        for (name, shape, init) in self.parts(start) {
            to.push(name, shape, T::of(0.0));
            init.fill(to.view_mut(name), self.hidden, &mut rng.stream(name));
        }
        let gates = self.cell.gates();
        let forget = gates.iter().position(|gate| *gate == "f");
        if let (Some(forget), Some(bias)) = (forget, start.forget_bias) {
            let names = [&self.names.b_ih[..], &self.names.b_hh[..]];
            gate_bias(to, names, forget, gates.len(), bias);
        }
    }

    /// Its weights among the bound parameters.
    #[track_caller]
    pub fn weights<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
    ) -> Weights<Var<'t, T>> {
        self.names.map(|name| parameters.get(name))
    }

    /// Its weights among parameters that are on no tape.
    #[track_caller]
    pub fn views<'a, T: Copy>(
        &self,
        parameters: &'a Parameters<T>,
    ) -> Weights<ArrayView2<'a, T>> {
        self.names.map(|name| parameters.view(name))
    }

    /// The same to write to, as [`Sequence::backward`](crate::Sequence::backward) adds to gradients.
    #[track_caller]
    pub fn views_mut<'a, T: Copy>(
        &self,
        parameters: &'a mut Parameters<T>,
    ) -> Weights<ArrayViewMut2<'a, T>> {
        let Weights { w_ih, w_hh, b_ih, b_hh, peephole } = &self.names;
        let (sums, peephole) = match peephole {
            None => (parameters.views_mut([w_ih, w_hh, b_ih, b_hh]), None),
            Some(peephole) => {
                let [w_ih, w_hh, b_ih, b_hh, peephole] =
                    parameters.views_mut([w_ih, w_hh, b_ih, b_hh, peephole]);
                ([w_ih, w_hh, b_ih, b_hh], Some(peephole))
            }
        };
        let [w_ih, w_hh, b_ih, b_hh] = sums;
        Weights { w_ih, w_hh, b_ih, b_hh, peephole }
    }

    /// The state 0 for `batch` sequences.
    pub fn zero_state<'t, T: Scalar>(
        &self,
        tape: &'t Tape<T>,
        batch: usize,
    ) -> State<Var<'t, T>> {
        let zeros = || tape.zeros(batch, self.hidden);
        State { h: zeros(), c: self.cell.has_c().then(zeros) }
    }

    /// Runs the cell over a sequence by its fused kernel, recorded as one operation: the states that
    /// [`states`](Self::states) gives, to rounding, in a fraction of the time.
    ///
    /// `x` is (T·B, I): the steps of the input (T, B, I) one below the other. `start` is the state before
    /// the first step, its matrices (B, H). Panics if a shape doesn't fit, or a state c is missing or too many.
    #[track_caller]
    pub fn sequence<'t, T: Float + Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
    ) -> SequenceStates<Var<'t, T>> {
        self.sequence_with(w, x, start, SequenceRequest::default())
    }

    /// [`sequence`](Self::sequence), with rows of different lengths, or all of c.
    #[track_caller]
    pub fn sequence_with<'t, T: Float + Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
        request: SequenceRequest<'t, T>,
    ) -> SequenceStates<Var<'t, T>> {
        sequence::record(self.cell, w, x, start, request)
    }

    /// Runs the cell over a sequence, step by step, and gives the state after the last one.
    ///
    /// `x` is (T·B, I): the steps of the input (T, B, I) one below the other. `start` is the state before
    /// the first step, its matrices (B, H). `each` sees (t, state after step t) for t = 1 … T.
    #[track_caller]
    pub fn unroll<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
        mut each: impl FnMut(usize, State<Var<'t, T>>),
    ) -> State<Var<'t, T>> {
        let ([rows, _], [batch, _]) = (x.shape(), start.h.shape());
        assert!(
            rows % batch == 0,
            "unroll: {rows} rows are no whole number of steps of {batch} sequences"
        );
        let mut state = start;
        for t in 0..rows / batch {
            let x = x.rows(t * batch..(t + 1) * batch);
            state = self.cell.step(w, x, state);
            each(t + 1, state);
        }
        state
    }

    /// All states over a sequence, index 0 the one before the first step: [`unroll`](Self::unroll), kept.
    #[track_caller]
    pub fn states<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
    ) -> Vec<State<Var<'t, T>>> {
        let mut states = vec![start];
        self.unroll(w, x, start, |_, state| states.push(state));
        states
    }
}
