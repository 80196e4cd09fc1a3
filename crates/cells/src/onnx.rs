//! The recurrent operators of ONNX: `RNN`, `LSTM` and `GRU`, with their own names, layouts and gate orders.
//!
//! They differ from PyTorch's layers in more than names: activations can be chosen, sums clipped before them, the
//! LSTM can have peepholes and coupled gates, and the GRU's reset gate acts *before* the product unless asked.
//! Source: ONNX operator specification, version 22 of `RNN`, `LSTM` and `GRU`; where it is silent, ONNX
//! Runtime.

use crate::cell::Cell;
use crate::layer::Layer;
use crate::lstm_variant::{Forget, LstmParts};
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use crate::sequence::SequenceRequest;
use crate::stack::reversed;
use longlag_autodiff::{Tape, Var};
use longlag_numerics::{Float, Real, Scalar};
use ndarray::{Array3, Array4, ArrayView2, ArrayView3, Axis, concatenate};
use std::fmt;

/// Which of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `RNN`: gate i.
    Rnn,
    /// `LSTM`: gates i, o, f, c.
    Lstm {
        /// f = 1 − i; the weights of f are there but not used.
        input_forget: bool,
    },
    /// `GRU`: gates z, r, h.
    Gru {
        /// The reset gate acts after the recurrent product, as in PyTorch.
        linear_before_reset: bool,
    },
}

/// The attribute `direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first step on.
    Forward,
    /// From the last step back.
    Reverse,
    /// Both.
    Bidirectional,
}

impl Direction {
    /// D: 1 or 2.
    pub fn count(self) -> usize {
        if self == Direction::Bidirectional { 2 } else { 1 }
    }
}

/// A function that can stand where a gate or a state has its nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// tanh x.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// α x + β.
    Affine {
        /// α.
        alpha: f64,
        /// β.
        beta: f64,
    },
    /// x, or α x below 0.
    LeakyRelu {
        /// α.
        alpha: f64,
    },
    /// x, or 0 up to α.
    ThresholdedRelu {
        /// α.
        alpha: f64,
    },
    /// α tanh(β x).
    ScaledTanh {
        /// α.
        alpha: f64,
        /// β.
        beta: f64,
    },
    /// α x + β, but at least 0 and at most 1.
    HardSigmoid {
        /// α.
        alpha: f64,
        /// β.
        beta: f64,
    },
    /// x, or α (eˣ − 1) below 0.
    Elu {
        /// α.
        alpha: f64,
    },
    /// x / (1 + |x|).
    Softsign,
    /// ln(1 + eˣ).
    Softplus,
}

impl Activation {
    /// What the attributes `activations`, `activation_alpha` and `activation_beta` mean: each function takes its
    /// α and β from the front of those that are left, or has its default.
    ///
    /// # Errors
    /// A function that ONNX doesn't know, or one without the α or β that it needs, in words.
    pub fn parse_all(
        names: &[&str],
        alphas: &[f64],
        betas: &[f64],
    ) -> Result<Vec<Activation>, String> {
        let mut alphas = alphas.iter().copied();
        let mut betas = betas.iter().copied();
        let parse = |name: &&str| {
            let mut alpha = |default: Option<f64>| {
                let missing = || format!("the activation `{name}` needs an α");
                alphas.next().or(default).ok_or_else(missing)
            };
            let mut beta = |default: Option<f64>| {
                let missing = || format!("the activation `{name}` needs a β");
                betas.next().or(default).ok_or_else(missing)
            };
            Ok(match name.to_ascii_lowercase().as_str() {
                "relu" => Activation::Relu,
                "tanh" => Activation::Tanh,
                "sigmoid" => Activation::Sigmoid,
                "affine" => Activation::Affine {
                    alpha: alpha(None)?,
                    beta: beta(None)?,
                },
                "leakyrelu" => {
                    Activation::LeakyRelu { alpha: alpha(Some(0.01))? }
                }
                "thresholdedrelu" => {
                    Activation::ThresholdedRelu { alpha: alpha(Some(1.0))? }
                }
                "scaledtanh" => Activation::ScaledTanh {
                    alpha: alpha(None)?,
                    beta: beta(None)?,
                },
                "hardsigmoid" => Activation::HardSigmoid {
                    alpha: alpha(Some(0.2))?,
                    beta: beta(Some(0.5))?,
                },
                "elu" => Activation::Elu { alpha: alpha(Some(1.0))? },
                "softsign" => Activation::Softsign,
                "softplus" => Activation::Softplus,
                _ => return Err(format!("`{name}` is no activation of ONNX")),
            })
        };
        names.iter().map(parse).collect()
    }

    /// Its value.
    pub fn apply<R: Real>(self, x: R) -> R {
        let number = |value| x.constant(value);
        match self {
            Activation::Relu => x.relu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Affine { alpha, beta } => {
                number(alpha) * x + number(beta)
            }
            Activation::LeakyRelu { alpha } => x.select(x, number(alpha) * x),
            Activation::ThresholdedRelu { alpha } => {
                (x - number(alpha)).select(x, number(0.0))
            }
            Activation::ScaledTanh { alpha, beta } => {
                number(alpha) * (number(beta) * x).tanh()
            }
            Activation::HardSigmoid { alpha, beta } => {
                between(number(alpha) * x + number(beta), 0.0, 1.0)
            }
            Activation::Elu { alpha } => {
                x.select(x, number(alpha) * (-(-x).relu()).exp_m1())
            }
            Activation::Softsign => x / (number(1.0) + x.relu() + (-x).relu()),
            // Of −|x|, so that nothing overflows.
            Activation::Softplus => {
                x.relu() + (-(x.relu() + (-x).relu())).exp().ln_1p()
            }
        }
    }
}

/// A node of one of the operators: its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Which operator.
    pub operator: Operator,
    /// `hidden_size`.
    pub hidden: usize,
    /// `direction`.
    pub direction: Direction,
    /// f, or f and g, or f, g and h of each direction, in this order.
    pub activations: Vec<Activation>,
    /// `clip`: sums are kept within ± this number before a gate's activation; c is not, before h's, as in ONNX
    /// Runtime.
    pub clip: Option<f64>,
    /// `layout` 1: the batch is the first axis.
    pub batch_first: bool,
}

/// The inputs of a node, with the operator's formal names.
#[derive(Clone, Copy, Debug)]
pub struct NodeInputs<'a, T> {
    /// [T, B, I], or [B, T, I] if batch first.
    pub x: ArrayView3<'a, T>,
    /// [D, G·H, I].
    pub w: ArrayView3<'a, T>,
    /// [D, G·H, H].
    pub r: ArrayView3<'a, T>,
    /// [D, 2·G·H]: the biases of W, then those of R; 0 if absent.
    pub b: Option<ArrayView2<'a, T>>,
    /// `[B]`; all steps if absent.
    pub sequence_lens: Option<&'a [usize]>,
    /// [D, B, H], or [B, D, H] if batch first; 0 if absent.
    pub initial_h: Option<ArrayView3<'a, T>>,
    /// The same; for the LSTM.
    pub initial_c: Option<ArrayView3<'a, T>>,
    /// [D, 3·H]: the peepholes of i, o and f; for the LSTM. None if absent.
    pub p: Option<ArrayView2<'a, T>>,
}

/// The outputs of a node.
#[derive(Clone, Debug)]
pub struct NodeOutputs<T> {
    /// [T, D, B, H], or [B, T, D, H] if batch first.
    pub y: Array4<T>,
    /// [D, B, H], or [B, D, H] if batch first.
    pub y_h: Array3<T>,
    /// The same; of the LSTM.
    pub y_c: Option<Array3<T>>,
}

/// Inputs that don't fit a node, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Misfit {}

impl Operator {
    /// G.
    fn gates(self) -> usize {
        self.order().len()
    }
    /// Where in ONNX's order the gates stand that longlag has in its own: i f g o, r z n.
    fn order(self) -> &'static [usize] {
        match self {
            Operator::Rnn => &[0],
            Operator::Lstm { .. } => &[0, 2, 3, 1],
            Operator::Gru { .. } => &[1, 0, 2],
        }
    }
    /// The activations where none are named.
    pub fn default_activations(self) -> &'static [Activation] {
        use Activation::{Sigmoid, Tanh};
        match self {
            Operator::Rnn => &[Tanh],
            Operator::Lstm { .. } => &[Sigmoid, Tanh, Tanh],
            Operator::Gru { .. } => &[Sigmoid, Tanh],
        }
    }
}

impl Node {
    /// A node with ONNX's defaults for everything else.
    pub fn new(operator: Operator, hidden: usize) -> Node {
        Node {
            operator,
            hidden,
            direction: Direction::Forward,
            activations: operator.default_activations().to_vec(),
            clip: None,
            batch_first: false,
        }
    }

    /// The cell whose kernel computes the same, if there is one for direction `d`.
    fn fused(&self, d: usize, peepholes: bool) -> Option<Cell> {
        use Activation::{Relu, Tanh};
        if self.clip.is_some() {
            return None;
        }
        let activations = self.activations_of(d);
        let standard = activations == self.operator.default_activations();
        match self.operator {
            Operator::Rnn if activations == [Tanh] => Some(Cell::RnnTanh),
            Operator::Rnn if activations == [Relu] => Some(Cell::RnnRelu),
            Operator::Gru { linear_before_reset: true } if standard => {
                Some(Cell::Gru)
            }
            Operator::Gru { linear_before_reset: false } if standard => {
                Some(Cell::GruResetBefore)
            }
            Operator::Lstm { input_forget: false }
                if standard && !peepholes =>
            {
                Some(Cell::Lstm)
            }
            Operator::Lstm { input_forget } if standard => {
                let coupled = [Forget::Gate, Forget::Coupled];
                let forget = coupled[usize::from(input_forget)];
                let parts = LstmParts::default();
                let parts = LstmParts { forget, peepholes, ..parts };
                Some(Cell::LstmVariant(parts))
            }
            _ => None,
        }
    }

    fn activations_of(&self, d: usize) -> &[Activation] {
        let n = self.operator.default_activations().len();
        &self.activations[d * n..(d + 1) * n]
    }

    /// The outputs, by the fused kernels where there are such.
    ///
    /// # Errors
    /// The first input whose shape doesn't fit, or the wrong number of activations, in words.
    pub fn run<T: Float + Scalar>(
        &self,
        inputs: &NodeInputs<'_, T>,
    ) -> Result<NodeOutputs<T>, Misfit> {
        self.run_by(inputs, |d| self.fused(d, inputs.p.is_some()))
    }

    /// The outputs, composed step by step.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_composed<T: Float + Scalar>(
        &self,
        inputs: &NodeInputs<'_, T>,
    ) -> Result<NodeOutputs<T>, Misfit> {
        self.run_by(inputs, |_| None)
    }

    /// Whether [`run`](Self::run) uses a kernel for all of it.
    pub fn is_fused(&self, peepholes: bool) -> bool {
        (0..self.direction.count()).all(|d| self.fused(d, peepholes).is_some())
    }

    fn check<T>(&self, inputs: &NodeInputs<'_, T>) -> Result<(), Misfit> {
        let h = self.hidden;
        let d = self.direction.count();
        let rows = self.operator.gates() * h;
        let is_lstm = matches!(self.operator, Operator::Lstm { .. });
        let (first, second, i) = inputs.x.dim();
        let (t, b) =
            if self.batch_first { (second, first) } else { (first, second) };
        let state = if self.batch_first { [b, d, h] } else { [d, b, h] };
        let shape =
            |name: &str, found: Option<&[usize]>, wanted: &[usize]| match found
            {
                Some(found) if found != wanted => Err(Misfit(format!(
                    "{name} has the shape {found:?}, and {wanted:?} is needed"
                ))),
                _ => Ok(()),
            };
        if [t, b, i, h].contains(&0) {
            let x = [first, second, i];
            let text = format!("X of {x:?} for {h} units is empty");
            return Err(Misfit(text));
        }
        shape("W", Some(inputs.w.shape()), &[d, rows, i])?;
        shape("R", Some(inputs.r.shape()), &[d, rows, h])?;
        shape("B", inputs.b.as_ref().map(|b| b.shape()), &[d, 2 * rows])?;
        let states =
            [("initial_h", inputs.initial_h), ("initial_c", inputs.initial_c)];
        for (name, found) in states {
            shape(name, found.as_ref().map(|v| v.shape()), &state)?;
        }
        shape("P", inputs.p.as_ref().map(|p| p.shape()), &[d, 3 * h])?;
        if !is_lstm && (inputs.initial_c.is_some() || inputs.p.is_some()) {
            let text = "initial_c and P are inputs of the LSTM only";
            return Err(Misfit(text.into()));
        }
        let (found, wanted) = (
            self.activations.len(),
            d * self.operator.default_activations().len(),
        );
        if found != wanted {
            let text = format!("{found} activations, and {wanted} are needed");
            return Err(Misfit(text));
        }
        let Some(lengths) = inputs.sequence_lens else { return Ok(()) };
        if lengths.len() != b {
            let n = lengths.len();
            let text = format!("{n} sequence_lens for {b} sequences");
            return Err(Misfit(text));
        }
        match lengths.iter().find(|n| !(1..=t).contains(n)) {
            Some(n) => Err(Misfit(format!(
                "a sequence_lens of {n} is not from 1 to {t}"
            ))),
            None => Ok(()),
        }
    }

    /// `fused` gives the cell whose kernel a direction is to be run by.
    fn run_by<T: Float + Scalar>(
        &self,
        inputs: &NodeInputs<'_, T>,
        fused: impl Fn(usize) -> Option<Cell>,
    ) -> Result<NodeOutputs<T>, Misfit> {
        self.check(inputs)?;
        let hidden = self.hidden;
        let directions = self.direction.count();
        let mut x = inputs.x;
        if self.batch_first {
            x.swap_axes(0, 1);
        }
        let (steps, batch, input) = x.dim();
        let x = x.to_shape((steps * batch, input)).expect("as many numbers");
        let lengths = inputs.sequence_lens;
        let zero = T::from_f64(0.0);
        let mut y = Array4::from_elem((steps, directions, batch, hidden), zero);
        let mut y_h = Array3::from_elem((directions, batch, hidden), zero);
        let mut y_c = y_h.clone();
        for d in 0..directions {
            let tape = Tape::new();
            let cell = NodeCell {
                operator: self.operator,
                activations: self.activations_of(d).to_vec(),
                clip: self.clip,
                peepholes: inputs.p.is_some(),
            };
            let state = |given: Option<ArrayView3<'_, T>>| {
                let axis = Axis(usize::from(self.batch_first));
                match given {
                    Some(given) => tape.constant(&given.index_axis(axis, d)),
                    None => tape.constant_with(batch, hidden, |y| y.fill(zero)),
                }
            };
            let start = State {
                h: state(inputs.initial_h),
                c: cell.has_c().then(|| state(inputs.initial_c)),
            };
            let backwards = self.direction == Direction::Reverse || d == 1;
            let turn =
                |v| if backwards { reversed(v, batch, lengths) } else { v };
            let x = turn(tape.constant(&x.view()));
            let request =
                SequenceRequest { lengths, ..SequenceRequest::default() };
            let states = match fused(d) {
                Some(cell) => {
                    let without_f = matches!(
                        cell,
                        Cell::LstmVariant(parts) if parts.forget == Forget::Coupled
                    );
                    let w = self.weights(inputs, d, &tape, without_f);
                    Layer::new("", cell, input, hidden)
                        .sequence_with(&w, x, start, request)
                }
                None => {
                    let w = self.weights(inputs, d, &tape, false);
                    Layer::new("", cell, input, hidden)
                        .composed(&w, x, start, request)
                }
            };
            let h = turn(states.h).value();
            let h = h.to_shape((steps, batch, hidden));
            y.index_axis_mut(Axis(1), d).assign(&h.expect("as many numbers"));
            y_h.index_axis_mut(Axis(0), d).assign(&states.last.h.value());
            if let Some(c) = states.last.c {
                y_c.index_axis_mut(Axis(0), d).assign(&c.value());
            }
        }
        if self.batch_first {
            y = y.permuted_axes([2, 0, 1, 3]).as_standard_layout().to_owned();
            for states in [&mut y_h, &mut y_c] {
                states.swap_axes(0, 1);
                *states = states.as_standard_layout().to_owned();
            }
        }
        let is_lstm = matches!(self.operator, Operator::Lstm { .. });
        Ok(NodeOutputs { y, y_h, y_c: is_lstm.then_some(y_c) })
    }

    /// The weights of a direction, in longlag's order of gates.
    fn weights<'t, T: Scalar>(
        &self,
        inputs: &NodeInputs<'_, T>,
        d: usize,
        tape: &'t Tape<T>,
        without_f: bool,
    ) -> Weights<Var<'t, T>> {
        let hidden = self.hidden;
        let (order, peepholes): (&[usize], &[usize]) = if without_f {
            (&[0, 3, 1], &[0, 1])
        } else {
            (self.operator.order(), &[0, 2, 1])
        };
        // Blocks of H rows in another order.
        let blocks = |from: ArrayView2<'_, T>, order: &[usize]| {
            let all: Vec<_> = from.axis_chunks_iter(Axis(0), hidden).collect();
            let blocks: Vec<_> = order.iter().map(|&k| all[k]).collect();
            concatenate(Axis(0), &blocks).expect("blocks are of one width")
        };
        let matrix = |from: ArrayView3<'_, T>| {
            let from = from.index_axis_move(Axis(0), d);
            tape.constant(&blocks(from, order).view())
        };
        // Blocks of a vector, one below the other.
        let vector = |from: ArrayView2<'_, T>, order: &[usize]| {
            let from = from.index_axis_move(Axis(0), d);
            blocks(from.insert_axis(Axis(1)), order)
        };
        // Those of W stand before those of R.
        let bias = |first: usize| match inputs.b {
            Some(b) => {
                let order: Vec<_> = order.iter().map(|k| first + k).collect();
                tape.constant(&vector(b, &order).t())
            }
            None => {
                let zeros = |y: &mut [T]| y.fill(T::of(0.0));
                tape.constant_with(1, order.len() * hidden, zeros)
            }
        };
        let per_unit = inputs.p.map(|p| {
            let p = vector(p, peepholes);
            let p = p.to_shape((peepholes.len(), hidden));
            tape.constant(&p.expect("as many numbers").view())
        });
        Weights {
            w_ih: matrix(inputs.w),
            w_hh: matrix(inputs.r),
            b_ih: bias(0),
            b_hh: bias(self.operator.gates()),
            per_unit,
            w_hr: None,
        }
    }
}

/// `x`, but at least `low` and at most `high`; NaN stays.
fn between<R: Real>(x: R, low: f64, high: f64) -> R {
    let (low, high) = (x.constant(low), x.constant(high));
    let x = (low - x).select(low, x);
    (x - high).select(high, x)
}

/// The cell of a node, with all that ONNX lets one choose; gates in longlag's order.
#[derive(Clone, Debug, PartialEq)]
struct NodeCell {
    operator: Operator,
    activations: Vec<Activation>,
    clip: Option<f64>,
    peepholes: bool,
}

impl NodeCell {
    /// Activation `k` of `x`, which is clipped before.
    fn activate<R: Real>(&self, k: usize, x: R) -> R {
        let x = match self.clip {
            Some(clip) => between(x, -clip, clip),
            None => x,
        };
        self.activations[k].apply(x)
    }
}

impl RecurrentCell for NodeCell {
    fn name(&self) -> &'static str {
        match self.operator {
            Operator::Rnn => "RNN of ONNX",
            Operator::Lstm { .. } => "LSTM of ONNX",
            Operator::Gru { .. } => "GRU of ONNX",
        }
    }
    fn gates(&self) -> &'static [&'static str] {
        match self.operator {
            Operator::Rnn => &["h"],
            Operator::Lstm { .. } => &["i", "f", "g", "o"],
            Operator::Gru { .. } => &["r", "z", "n"],
        }
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        let is_lstm = matches!(self.operator, Operator::Lstm { .. });
        State { h: hidden, c: is_lstm.then_some(hidden) }
    }
    fn per_unit(&self) -> Option<PerUnit> {
        let peepholes =
            PerUnit { name: "weight_peephole", vectors: 3, starts: &[] };
        self.peepholes.then_some(peepholes)
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [_, hidden] = s.h.shape();
        match self.operator {
            Operator::Rnn => {
                State { h: self.activate(0, w.sum(x, s.h)), c: None }
            }
            Operator::Gru { linear_before_reset } => {
                let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
                let (r, z) = (self.activate(0, a_r), self.activate(0, a_z));
                let n = w.gates(hidden, 2, 3);
                let a_n = if linear_before_reset {
                    n.input_sum(x) + r * n.state_sum(s.h)
                } else {
                    n.sum(x, r * s.h)
                };
                let n = self.activate(1, a_n);
                State { h: z.one_minus() * n + z * s.h, c: None }
            }
            Operator::Lstm { input_forget } => {
                let [a_i, a_f, a_g, a_o] = w.sum(x, s.h).split();
                let c_prev = s.c.expect("an LSTM has a cell state");
                let gate = |a: Var<'t, T>, k: usize, c: Var<'t, T>| {
                    let seen = w.per_unit.map(|p| a + p.rows(k..k + 1) * c);
                    self.activate(0, seen.unwrap_or(a))
                };
                let i = gate(a_i, 0, c_prev);
                let f = if input_forget {
                    i.one_minus()
                } else {
                    gate(a_f, 1, c_prev)
                };
                let c = f * c_prev + i * self.activate(1, a_g);
                let o = gate(a_o, 2, c);
                let h = o * self.activations[2].apply(c);
                State { h, c: Some(c) }
            }
        }
    }
}
