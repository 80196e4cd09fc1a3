//! Layers over one another, in one direction or in both.

use crate::cell::Cell;
use crate::dropout;
use crate::layer::{Initialisation, Layer};
use crate::recurrent_cell::{RecurrentCell, State};
use crate::sequence::{Lengths, SequenceRequest, SequenceStates};
use longlag_autodiff::{Bound, Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};

/// Layers of a cell over one another: each runs over the outputs of the one below, in one direction or in both.
///
/// It is what PyTorch's `RNN`, `LSTM` and `GRU` are, with the same names of parameters:
/// `{prefix}weight_ih_l0`, and with `_reverse` behind it those of the direction that begins at the end.
///
/// ```
/// use longlag_autodiff::Tape;
/// use longlag_cells::{Cell, Initialisation, Stack, StackRequest};
/// use longlag_numerics::{Parameters, random::Rng};
/// use ndarray::Array2;
///
/// // Two layers, both directions, 3 inputs, 8 units a direction.
/// let stack = Stack::new("", Cell::Lstm, 3, 8, 2).bidirectional();
/// let mut parameters = Parameters::<f32>::default();
/// stack.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(1));
///
/// let tape = Tape::new();
/// let bound = tape.bind(&parameters);
/// // 5 steps of 2 sequences, the second of which has but 3.
/// let x = tape.constant(&Array2::ones((5 * 2, 3)).view());
/// let request = StackRequest { lengths: Some(&[5, 3]), ..StackRequest::default() };
/// let states = stack.apply(&bound, x, 2, request);
/// assert_eq!(states.output.shape(), [5 * 2, 2 * 8]);
/// assert_eq!(states.last.len(), 2 * 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Stack<C = Cell> {
    /// The layers from the input on; of each its direction, or its two: forward, then backward.
    pub layers: Vec<Vec<Layer<C>>>,
    /// The share of the outputs of every layer but the last that [`StackRequest::dropout`] sets to 0.
    pub dropout: f64,
}

/// What [`Stack::apply`] is asked for. The default: from the state 0, all steps of all rows, without dropout.
#[derive(Debug)]
pub struct StackRequest<'a, V> {
    /// The state before the first step of each layer and direction, in the order of [`StackStates::last`]; the
    /// backward direction's first step is the last one.
    pub start: Option<&'a [State<V>]>,
    /// How many steps each row has, from 1 to T. Behind its end a row's outputs are zeros, its last states are
    /// those at its end, and there the backward direction begins; inputs behind it don't matter.
    pub lengths: Option<&'a [usize]>,
    /// Whether input and output have their rows in the order (B, T) instead of (T, B).
    pub batch_first: bool,
    /// In training: where the dropped outputs are drawn from.
    pub dropout: Option<&'a mut Rng>,
}

impl<V> Default for StackRequest<'_, V> {
    fn default() -> Self {
        StackRequest {
            start: None,
            lengths: None,
            batch_first: false,
            dropout: None,
        }
    }
}

/// What a [`Stack`] gives.
#[derive(Clone, Debug)]
pub struct StackStates<V> {
    /// (T·B, D·H): the outputs of the last layer, its D directions side by side.
    pub output: V,
    /// Of each layer and direction the state at the end of each row, (B, H): layer by layer, in each forward,
    /// then backward.
    pub last: Vec<State<V>>,
}

impl<C: RecurrentCell> Stack<C> {
    /// A stack of `layers` layers in one direction, from I inputs through H units each.
    ///
    /// # Panics
    /// If there are no layers.
    #[track_caller]
    pub fn new(
        prefix: &str,
        cell: C,
        input: usize,
        hidden: usize,
        layers: usize,
    ) -> Stack<C> {
        assert!(layers > 0, "a stack of no layers");
        let mut below = input;
        let layers = (0..layers).map(|k| {
            let suffix = format!("_l{k}");
            let layer =
                Layer::named(prefix, &suffix, cell.clone(), below, hidden);
            below = layer.output();
            vec![layer]
        });
        Stack { layers: layers.collect(), dropout: 0.0 }
    }

    /// The same in both directions. Every layer above the first then has the outputs of both as its input.
    pub fn bidirectional(mut self) -> Stack<C> {
        for (k, directions) in self.layers.iter_mut().enumerate() {
            let mut layer = directions[0].clone();
            if k > 0 {
                layer.input = 2 * layer.output();
            }
            let mut reverse = layer.clone();
            reverse.names = layer.names.map(|name| format!("{name}_reverse"));
            *directions = vec![layer, reverse];
        }
        self
    }

    /// The same without biases.
    pub fn without_bias(mut self) -> Stack<C> {
        self.layers.iter_mut().flatten().for_each(|layer| layer.bias = false);
        self
    }

    /// The same with dropout between layers, 0 ≤ `share` ≤ 1, as `dropout` of PyTorch's layers.
    ///
    /// # Panics
    /// If it is another number.
    #[track_caller]
    pub fn with_dropout(self, share: f64) -> Stack<C> {
        assert!(
            (0.0..=1.0).contains(&share),
            "a share of {share} to be dropped is not from 0 to 1"
        );
        Stack { dropout: share, ..self }
    }

    /// All layers and directions, in the order of their states and parameters.
    pub fn all(&self) -> impl Iterator<Item = &Layer<C>> {
        self.layers.iter().flatten()
    }

    /// How many numbers it gives at each step: D·H.
    pub fn output(&self) -> usize {
        let last = self.layers.last().expect("a stack has a layer");
        last.iter().map(Layer::output).sum()
    }

    /// The number of its parameters.
    pub fn size(&self) -> usize {
        self.all().map(Layer::size).sum()
    }

    /// Whether `start` can fill its parameters: see [`Layer::check`].
    ///
    /// # Errors
    /// The first parameter whose initialiser doesn't fit its shape, in words.
    pub fn check(&self, start: &Initialisation) -> Result<(), String> {
        self.all().try_for_each(|layer| layer.check(start))
    }

    /// Adds its parameters: see [`Layer::push_parameters`].
    pub fn push_parameters<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        start: &Initialisation,
        rng: &Rng,
    ) {
        self.all().for_each(|layer| layer.push_parameters(to, start, rng));
    }

    /// The states 0 of `batch` sequences, one of each layer and direction.
    pub fn zero_states<'t, T: Scalar>(
        &self,
        tape: &'t Tape<T>,
        batch: usize,
    ) -> Vec<State<Var<'t, T>>> {
        self.all().map(|layer| layer.zero_state(tape, batch)).collect()
    }

    /// Runs it over `batch` sequences `x` (T·B, I), by the fused kernels where there are such.
    ///
    /// # Panics
    /// If a shape doesn't fit, or there are too few or too many start states or lengths.
    #[track_caller]
    pub fn apply<'t, T: Float + Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
        batch: usize,
        request: StackRequest<'_, Var<'t, T>>,
    ) -> StackStates<Var<'t, T>> {
        self.run(parameters, x, batch, request, |layer, x, start, request| {
            layer.sequence_with(&layer.weights(parameters), x, start, request)
        })
    }

    /// The same composed step by step on the tape, whatever the cell.
    #[track_caller]
    pub fn composed<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
        batch: usize,
        request: StackRequest<'_, Var<'t, T>>,
    ) -> StackStates<Var<'t, T>> {
        self.run(parameters, x, batch, request, |layer, x, start, request| {
            layer.composed(&layer.weights(parameters), x, start, request)
        })
    }

    /// `direction` runs one layer in one direction.
    #[track_caller]
    fn run<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
        batch: usize,
        request: StackRequest<'_, Var<'t, T>>,
        direction: impl Fn(
            &Layer<C>,
            Var<'t, T>,
            State<Var<'t, T>>,
            SequenceRequest<'_>,
        ) -> SequenceStates<Var<'t, T>>,
    ) -> StackStates<Var<'t, T>> {
        let StackRequest { start, lengths, batch_first, mut dropout } = request;
        let tape = parameters.tape();
        let [rows, _] = x.shape();
        assert!(
            batch > 0 && rows.is_multiple_of(batch),
            "stack: {rows} rows are no whole number of steps of {batch} sequences"
        );
        let steps = rows / batch;
        if let Some(lengths) = lengths {
            Lengths::<f64>::Given(lengths).check(steps, batch);
        }
        let zero;
        let start = match start {
            Some(start) => start,
            None => {
                zero = self.zero_states(tape, batch);
                &zero
            }
        };
        let (found, wanted) = (start.len(), self.all().count());
        assert!(
            found == wanted,
            "stack: {found} start states for {wanted} layers and directions"
        );

        let mut start = start.iter();
        let mut last = Vec::with_capacity(wanted);
        let mut output =
            if batch_first { transposed(x, batch, steps) } else { x };
        for (k, directions) in self.layers.iter().enumerate() {
            if let (1.., Some(rng)) = (k, &mut dropout) {
                output = dropout::dropout(output, self.dropout, rng);
            }
            let mut sides = Vec::with_capacity(directions.len());
            for (side, layer) in directions.iter().enumerate() {
                let turn = |v: Var<'t, T>| match side {
                    0 => v,
                    _ => reversed(v, batch, lengths),
                };
                let start = *start.next().expect("the count is checked");
                let request =
                    SequenceRequest { lengths, ..SequenceRequest::default() };
                let states = direction(layer, turn(output), start, request);
                sides.push(turn(states.h));
                last.push(states.last);
            }
            output = match sides[..] {
                [only] => only,
                _ => tape.beside(&sides),
            };
        }
        if batch_first {
            output = transposed(output, steps, batch);
        }
        StackStates { output, last }
    }
}

/// The steps of `x` (T·B, I) in reverse order, for each row up to its end; what is behind it stays where it is.
///
/// Done twice, it is `x` again.
#[track_caller]
pub fn reversed<'t, T: Scalar>(
    x: Var<'t, T>,
    batch: usize,
    lengths: Option<&[usize]>,
) -> Var<'t, T> {
    let [rows, _] = x.shape();
    let steps = rows / batch;
    let from = |row: usize| {
        let (t, b) = (row / batch, row % batch);
        let n = lengths.map_or(steps, |lengths| lengths[b]);
        if t < n { (n - 1 - t) * batch + b } else { row }
    };
    x.gather_rows(&(0..rows).map(from).collect::<Vec<_>>())
}

/// The rows of `x`, which are those of (`first`, `second`), in the order (`second`, `first`).
#[track_caller]
fn transposed<'t, T: Scalar>(
    x: Var<'t, T>,
    first: usize,
    second: usize,
) -> Var<'t, T> {
    let order =
        (0..second).flat_map(|b| (0..first).map(move |a| a * second + b));
    x.gather_rows(&order.collect::<Vec<_>>())
}
