use crate::cell::Cell;
use crate::init::{Init, gate_bias};
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use crate::sequence::{self, Lengths, SequenceRequest, SequenceStates};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Real, Scalar};
use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

/// A layer of one recurrent cell, in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer<C = Cell> {
    /// Which cell.
    pub cell: C,
    /// I.
    pub input: usize,
    /// H.
    pub hidden: usize,
    /// Whether there are biases; without them both are 0 and no parameters.
    pub bias: bool,
    /// The parameters' names, of those that there are: (G·H, I), (G·H, H), (1, G·H), (1, G·H), and what else
    /// the cell has.
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
    /// The weights that act unit by unit, of cells that have such and don't say themselves how they start: the
    /// peepholes of an LSTM.
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

impl<C: RecurrentCell> Layer<C> {
    /// A layer whose parameters are `{prefix}weight_ih_l0` and so on.
    pub fn new(prefix: &str, cell: C, input: usize, hidden: usize) -> Layer<C> {
        Layer::named(prefix, "_l0", cell, input, hidden)
    }

    /// A layer whose parameters are `{prefix}weight_ih{suffix}` and so on.
    pub fn named(
        prefix: &str,
        suffix: &str,
        cell: C,
        input: usize,
        hidden: usize,
    ) -> Layer<C> {
        let name = |part| format!("{prefix}{part}{suffix}");
        let shapes = cell.shapes(input, hidden);
        let names = Weights {
            w_ih: name("weight_ih"),
            w_hh: name("weight_hh"),
            b_ih: name("bias_ih"),
            b_hh: name("bias_hh"),
            per_unit: cell.per_unit().map(|p| name(p.name)),
            w_hr: shapes.w_hr.map(|_| name("weight_hr")),
        };
        Layer { cell, input, hidden, bias: true, names }
    }

    /// The same without biases.
    pub fn without_bias(self) -> Layer<C> {
        Layer { bias: false, ..self }
    }

    /// How many numbers it gives at each step.
    pub fn output(&self) -> usize {
        self.cell.output(self.hidden)
    }

    /// The number of its parameters.
    pub fn size(&self) -> usize {
        let start = Initialisation::default();
        self.parts(&start).map(|(_, [rows, columns], _)| rows * columns).sum()
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
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } = &self.names;
        let shapes = self.cell.shapes(self.input, self.hidden);
        let biases = [
            (&b_ih[..], shapes.b_ih, start.bias),
            (&b_hh[..], shapes.b_hh, start.bias),
        ];
        let per_unit = per_unit.as_deref().zip(shapes.per_unit);
        let w_hr = w_hr.as_deref().zip(shapes.w_hr);
        [
            (&w_ih[..], shapes.w_ih, start.input),
            (&w_hh[..], shapes.w_hh, start.recurrent),
        ]
        .into_iter()
        .chain(biases.into_iter().filter(|_| self.bias))
        .chain(per_unit.map(|(name, shape)| (name, shape, start.peephole)))
        .chain(w_hr.map(|(name, shape)| (name, shape, start.input)))
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
        if let (Some(name), Some(PerUnit { starts, .. })) =
            (&self.names.per_unit, self.cell.per_unit())
        {
            let mut rows = to.view_mut(name);
            for (mut row, &start) in rows.rows_mut().into_iter().zip(starts) {
                row.fill(T::of(start));
            }
        }
        let gates = self.cell.gates();
        let forget = gates.iter().position(|gate| *gate == "f");
        if let (true, Some(forget), Some(bias)) =
            (self.bias, forget, start.forget_bias)
        {
            let names = [&self.names.b_ih[..], &self.names.b_hh[..]];
            gate_bias(to, names, forget, gates.len(), bias);
        }
    }

    /// Its weights among the bound parameters; biases that it hasn't are 0.
    #[track_caller]
    pub fn weights<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
    ) -> Weights<Var<'t, T>> {
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } = &self.names;
        let [_, rows] = self.cell.shapes(self.input, self.hidden).b_ih;
        let get = |name: &String| parameters.get(name);
        let bias = |name| {
            let zeros = |y: &mut [T]| y.fill(T::of(0.0));
            if self.bias {
                parameters.get(name)
            } else {
                parameters.tape().constant_with(1, rows, zeros)
            }
        };
        Weights {
            w_ih: get(w_ih),
            w_hh: get(w_hh),
            b_ih: bias(b_ih),
            b_hh: bias(b_hh),
            per_unit: per_unit.as_ref().map(get),
            w_hr: w_hr.as_ref().map(get),
        }
    }

    /// Its weights among parameters that are on no tape. Panics if it has no biases.
    #[track_caller]
    pub fn views<'a, T: Copy>(
        &self,
        parameters: &'a Parameters<T>,
    ) -> Weights<ArrayView2<'a, T>> {
        self.names.map(|name| parameters.view(name))
    }

    /// The same to write to, as [`Sequence::backward`](crate::Sequence::backward) adds to gradients. Panics if it has
    /// no biases.
    #[track_caller]
    pub fn views_mut<'a, T: Copy>(
        &self,
        parameters: &'a mut Parameters<T>,
    ) -> Weights<ArrayViewMut2<'a, T>> {
        let mut all: Vec<_> = parameters.views_mut().collect();
        self.names.map(|name| {
            let found = all.iter().position(|(span, _)| span.name == *name);
            let at = found.unwrap_or_else(|| panic!("no parameter `{name}`"));
            all.swap_remove(at).1
        })
    }

    /// The state 0 for `batch` sequences.
    pub fn zero_state<'t, T: Scalar>(
        &self,
        tape: &'t Tape<T>,
        batch: usize,
    ) -> State<Var<'t, T>> {
        self.cell.widths(self.hidden).map(|width| tape.zeros(batch, width))
    }

    /// Runs the cell over a sequence by its fused kernel, recorded as one operation: the states that
    /// [`states`](Self::states) gives, to rounding, in a fraction of the time. A cell without a kernel runs step
    /// by step.
    ///
    /// `x` is (T·B, I): the steps of the input (T, B, I) one below the other. `start` is the state before
    /// the first step. Panics if a shape doesn't fit, or a state c is missing or too many.
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
        request: SequenceRequest<'_>,
    ) -> SequenceStates<Var<'t, T>> {
        match self.cell.fused() {
            Some(cell) => sequence::record(cell, w, x, start, request),
            None => self.composed(w, x, start, request),
        }
    }

    /// What [`sequence_with`](Self::sequence_with) gives, composed step by step on the tape whatever the cell.
    ///
    /// Gradients have no floor. The gradient of the matrix of all h holds what comes from outside the layer;
    /// who wants the whole ∂L/∂h_t takes [`unroll`](Self::unroll).
    #[track_caller]
    pub fn composed<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
        request: SequenceRequest<'_>,
    ) -> SequenceStates<Var<'t, T>> {
        let (steps, batch) = steps_of("composed", x, start);
        let tape = x.tape();
        if let Some(lengths) = request.lengths {
            Lengths::<f64>::Given(lengths).check(steps, batch);
        }
        // What rows that have ended keep instead.
        let ended = |t: usize, new: Var<'t, T>, old: Option<Var<'t, T>>| {
            let lengths = request.lengths.unwrap_or(&[]);
            if lengths.iter().all(|&n| n > t) {
                return new;
            }
            let [rows, columns] = new.shape();
            let going = tape.constant_with(rows, columns, |mask| {
                for (row, &n) in mask.chunks_exact_mut(columns).zip(lengths) {
                    row.fill(T::of(if n > t { 1.0 } else { 0.0 }));
                }
            });
            let old = old.unwrap_or_else(|| new.constant(0.0));
            going.select(new, old)
        };
        let (mut h, mut c) = (vec![], vec![]);
        let mut last = start;
        for t in 0..steps {
            let x = ended(t, x.rows(t * batch..(t + 1) * batch), None);
            let next = self.cell.step(w, x, last);
            h.push(ended(t, next.h.columns(0..self.output()), None));
            c.extend(next.c.map(|c| ended(t, c, None)));
            last = State {
                h: ended(t, next.h, Some(last.h)),
                c: next.c.map(|c| ended(t, c, last.c)),
            };
        }
        let all_c = request.all_c && !c.is_empty();
        SequenceStates {
            h: tape.stack(&h),
            c: all_c.then(|| tape.stack(&c)),
            last,
        }
    }

    /// Runs the cell over a sequence, step by step, and gives the state after the last one.
    ///
    /// `x` is (T·B, I): the steps of the input (T, B, I) one below the other. `start` is the state before
    /// the first step. `each` sees (t, state after step t) for t = 1 … T.
    #[track_caller]
    pub fn unroll<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        start: State<Var<'t, T>>,
        mut each: impl FnMut(usize, State<Var<'t, T>>),
    ) -> State<Var<'t, T>> {
        let (steps, batch) = steps_of("unroll", x, start);
        let mut state = start;
        for t in 0..steps {
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

/// T and B of an input (T·B, I) and a start.
#[track_caller]
fn steps_of<T: Scalar>(
    name: &str,
    x: Var<'_, T>,
    start: State<Var<'_, T>>,
) -> (usize, usize) {
    let ([rows, _], [batch, _]) = (x.shape(), start.h.shape());
    assert!(
        rows.is_multiple_of(batch),
        "{name}: {rows} rows are no whole number of steps of {batch} sequences"
    );
    (rows / batch, batch)
}
