use crate::cell::Cell;
use crate::init::{Init, chrono_biases};
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use crate::sequence::{self, Lengths, SequenceRequest, SequenceStates};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Real, Scalar};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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
    /// The sums of the two biases of single gates, in place of what `bias` drew; none by default.
    #[serde(skip_serializing_if = "GateBiases::is_none")]
    pub gate_biases: GateBiases,
    /// T_max of the chrono initialisation, 2 or more: the longest time that the network should span. None by default.
    ///
    /// The sum of the two biases becomes ln u for the gate f, with u ~ U(1, T_max − 1) for each unit, and −ln u for the
    /// gate i: the gates start with time scales up to T_max. Source: Tallec and Ollivier 2018, "Can recurrent neural
    /// networks warp time?"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chrono: Option<f64>,
}

/// How the biases of single gates start, by the gate's name.
///
/// Each is of the sum of the gate's two biases: the first one becomes it, the second 0. For example −1, −2, −3 … for the
/// output gates of successive memory blocks (Hochreiter and Schmidhuber 1997), in a config
/// `{ "o": { "progression": { "first": -1, "step": -1 } } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are those of the gates")]
pub struct GateBiases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub i: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub g: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub o: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub z: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<Init>,
}

impl GateBiases {
    /// That of a gate.
    pub fn of(&self, gate: &str) -> Option<Init> {
        match gate {
            "h" => self.h,
            "i" => self.i,
            "f" => self.f,
            "g" => self.g,
            "o" => self.o,
            "r" => self.r,
            "z" => self.z,
            "n" => self.n,
            _ => None,
        }
    }
    fn is_none(&self) -> bool {
        *self == GateBiases::default()
    }
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
            gate_biases: GateBiases::default(),
            chrono: None,
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

    /// Whether there can be such a layer, and `start` can fill its parameters.
    ///
    /// # Errors
    /// What doesn't fit of the cell, or the first parameter whose initialiser doesn't fit its shape, in words.
    pub fn check(&self, start: &Initialisation) -> Result<(), String> {
        self.cell.check(self.hidden)?;
        self.parts(start).try_for_each(|(name, shape, init)| {
            let unfit = |unfit| format!("`{name}`: {unfit}");
            init.check(shape, self.hidden).map_err(unfit)
        })?;
        for (gate, rows) in self.gates() {
            if let Some(init) = start.gate_biases.of(gate) {
                let unfit = |unfit| format!("the bias of gate {gate}: {unfit}");
                init.check([1, rows.len()], self.hidden).map_err(unfit)?;
            }
        }
        match start.chrono {
            Some(longest) if !(longest >= 2.0 && longest.is_finite()) => {
                Err(format!("chrono is {longest}, not a time of 2 or more"))
            }
            _ => Ok(()),
        }
    }

    /// The gates' names and rows.
    fn gates(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        let rows = |gate| self.cell.gate_rows(gate, self.hidden);
        let names = self.cell.gates().iter().enumerate();
        names.map(move |(gate, name)| (*name, rows(gate)))
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
        .filter(|(_, [rows, columns], _)| rows * columns > 0)
    }

    /// Adds the layer's parameters. Each is drawn from a stream of `rng` under its own name.
    ///
    /// `gate_biases`, `chrono` and `forget_bias`, in this order, are for cells with such gates and left out of account for
    /// others.
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
        if self.bias {
            self.start_gates(to, start, rng);
        }
    }

    /// Fills the biases of those gates that have a start of their own.
    fn start_gates<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        start: &Initialisation,
        rng: &Rng,
    ) {
        let rng = rng.stream(&self.names.b_ih);
        let chrono = start.chrono.map(|longest| {
            chrono_biases(longest, self.hidden, &mut rng.stream("chrono"))
        });
        for (gate, rows) in self.gates() {
            let drawn = start.gate_biases.of(gate).map(|init| {
                let mut sums = Array2::zeros((1, rows.len()));
                init.fill(sums.view_mut(), self.hidden, &mut rng.stream(gate));
                sums.into_raw_vec_and_offset().0
            });
            let of_time = match (gate, &chrono) {
                ("f", Some(sums)) => Some(sums.clone()),
                ("i", Some(sums)) => Some(sums.iter().map(|b| -b).collect()),
                _ => None,
            };
            let forget = start.forget_bias.filter(|_| gate == "f");
            let forget = forget.map(|bias| vec![bias; rows.len()]);
            if let Some(sums) = forget.or(of_time).or(drawn) {
                self.set_gate(to, rows, &sums);
            }
        }
    }

    /// Makes the two biases of a gate's rows add up to `sums`.
    fn set_gate<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        rows: Range<usize>,
        sums: &[f64],
    ) {
        let mut set = |name: &str, of: &dyn Fn(f64) -> f64| {
            let start = to.span(name).start;
            let at = start + rows.start..start + rows.end;
            for (b, &sum) in to.values[at].iter_mut().zip(sums) {
                *b = T::of(of(sum));
            }
        };
        set(&self.names.b_ih, &|sum| sum);
        if self.cell.shapes(self.input, self.hidden).b_hh[1] > 0 {
            set(&self.names.b_hh, &|_| 0.0);
        }
    }

    /// Its weights among the bound parameters; what it hasn't got is 0.
    #[track_caller]
    pub fn weights<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
    ) -> Weights<Var<'t, T>> {
        self.weights_by(parameters.tape(), |name| parameters.get(name))
    }

    /// The same, where `get` puts a parameter on the tape: as a constant, for instance.
    #[track_caller]
    pub fn weights_by<'t, T: Scalar>(
        &self,
        tape: &'t Tape<T>,
        get: impl Fn(&str) -> Var<'t, T>,
    ) -> Weights<Var<'t, T>> {
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } = &self.names;
        let shapes = self.cell.shapes(self.input, self.hidden);
        let get_if = |there: bool, name: &str, shape: [usize; 2]| {
            if there && !shape.contains(&0) {
                return get(name);
            }
            let [rows, columns] = shape.map(|n| n.max(1));
            tape.constant_with(rows, columns, |y| y.fill(T::of(0.0)))
        };
        Weights {
            w_ih: get(w_ih),
            w_hh: get_if(true, w_hh, shapes.w_hh),
            b_ih: get_if(self.bias, b_ih, shapes.b_ih),
            b_hh: get_if(self.bias, b_hh, shapes.b_hh),
            per_unit: per_unit.as_deref().map(&get),
            w_hr: w_hr.as_deref().map(&get),
        }
    }

    /// Its weights among parameters that are on no tape. Panics if it has no biases.
    #[track_caller]
    pub fn views<'a, T: Copy>(
        &self,
        parameters: &'a Parameters<T>,
    ) -> Weights<ArrayView2<'a, T>> {
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } = &self.names;
        let shapes = self.cell.shapes(self.input, self.hidden);
        let view = |name: &String| parameters.view(name);
        let view_if = |name, [rows, columns]: [usize; 2]| {
            if rows * columns > 0 {
                view(name)
            } else {
                let empty = ArrayView2::from_shape((rows, columns), &[]);
                empty.expect("nothing has the shape of nothing")
            }
        };
        Weights {
            w_ih: view(w_ih),
            w_hh: view_if(w_hh, shapes.w_hh),
            b_ih: view(b_ih),
            b_hh: view_if(b_hh, shapes.b_hh),
            per_unit: per_unit.as_ref().map(view),
            w_hr: w_hr.as_ref().map(view),
        }
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
