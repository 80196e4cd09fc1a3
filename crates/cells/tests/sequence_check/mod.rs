//! Sequences of all cells, by the kernels and step by step.

use longlag_autodiff::{Tape, Var};
use longlag_cells::{
    Cell, Forget, Initialisation, Layer, LeakyRnn, LstmParts, RecurrentCell,
    SequenceRequest, SkipRnn, State,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};
use ndarray::Array2;
use std::collections::BTreeMap;

/// How to run a sequence.
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "not every test program runs it every way")]
pub(crate) enum Way {
    /// By the kernel.
    Fused,
    /// Step by step on the tape, as a sequence.
    Composed,
    /// The same from the states of an unrolling, which knows no lengths.
    Unrolled,
}

/// All combinations of parts.
pub(crate) fn variants() -> Vec<Cell> {
    let both = [true, false];
    let mut all = Vec::new();
    for k in 0..32_usize {
        for forget in [Forget::Gate, Forget::Never, Forget::Coupled] {
            all.push(Cell::LstmVariant(LstmParts {
                input_gate: both[k & 1],
                forget,
                output_gate: both[k >> 1 & 1],
                input_activation: both[k >> 2 & 1],
                output_activation: both[k >> 3 & 1],
                peepholes: both[k >> 4 & 1],
            }));
        }
    }
    all
}

/// The cells that there is a kernel for, but for the variants of the LSTM.
pub(crate) fn plain_cells() -> Vec<Cell> {
    let more = [
        Cell::LeakyRnn(LeakyRnn::new(0.3)),
        Cell::SkipRnn(SkipRnn { steps: 1 }),
        Cell::Janet,
        Cell::Mgu,
    ];
    Cell::ALL.into_iter().chain(more).collect()
}

/// A few of the variants, for what takes long.
pub(crate) fn some_cells() -> Vec<Cell> {
    let some = variants().into_iter().step_by(13);
    plain_cells().into_iter().chain(some).collect()
}

pub(crate) fn normal<T: Scalar>(
    rows: usize,
    cols: usize,
    purpose: &str,
) -> Array2<T> {
    let mut draw = Rng::new(1).stream(purpose);
    // A number of f32, so that both types compute with the same.
    Array2::from_shape_simple_fn((rows, cols), || {
        T::of(f64::from(draw.normal() as f32))
    })
}

pub(crate) fn layer<T: Float + Scalar>(
    cell: Cell,
    input: usize,
    hidden: usize,
) -> (Layer, Parameters<T>) {
    let layer = Layer::new("", cell, input, hidden);
    let mut parameters = Parameters::<f32>::default();
    let start = Initialisation::default();
    layer.push_parameters(&mut parameters, &start, &Rng::new(7));
    (layer, parameters.map(|w| T::of(f64::from(w))))
}

/// Values and gradients by name, in f64.
pub(crate) type Outcome = BTreeMap<String, Array2<f64>>;

pub(crate) struct Case<'a> {
    pub(crate) cell: Cell,
    /// (T, B, I, H).
    pub(crate) shape: [usize; 4],
    pub(crate) lengths: Option<&'a [usize]>,
    pub(crate) floor: f64,
}

impl Case<'_> {
    pub(crate) fn new(cell: Cell, shape: [usize; 4]) -> Self {
        Case { cell, shape, lengths: None, floor: 0.0 }
    }

    fn length(&self, b: usize) -> usize {
        self.lengths.map_or(self.shape[0], |lengths| lengths[b])
    }

    /// Σ weight · state over all states that there are, of which the gradients are, and all of them.
    fn outcome<'t, T: Float + Scalar>(
        &self,
        h: &[Var<'t, T>],
        c: &[Var<'t, T>],
        last: State<Var<'t, T>>,
        inputs: &[(&str, Option<Var<'t, T>>)],
    ) -> Outcome {
        let tape = last.h.tape();
        let [_, batch, ..] = self.shape;
        let term = |v: Var<'t, T>, t: usize, name: &str| {
            let [_, width] = v.shape();
            let mut w = normal::<T>(batch, width, &format!("{name} {t}"));
            for b in (0..batch).filter(|&b| self.length(b) < t) {
                w.row_mut(b).fill(T::of(0.0));
            }
            (v * tape.constant(&w.view())).sum()
        };
        let mut named = Vec::new();
        for (name, states) in [("h", h), ("c", c)] {
            let states = states.iter().enumerate();
            named.extend(states.map(|(t, &v)| (name, t + 1, v)));
        }
        named.push(("last h", 0, last.h));
        named.extend(last.c.map(|c| ("last c", 0, c)));
        let terms = named.iter().map(|&(name, t, v)| term(v, t, name));
        let loss = terms.reduce(|a, b| a + b).unwrap();
        let grads = loss.backward();
        let numbers = |a: Array2<T>| a.mapv(Float::to_f64);
        let mut all = Outcome::new();
        for (name, t, v) in named {
            let gap = |mut a: Array2<T>| {
                for b in (0..batch).filter(|&b| self.length(b) < t) {
                    a.row_mut(b).fill(T::of(0.0));
                }
                numbers(a)
            };
            all.insert(format!("{name} {t}"), gap(v.value()));
            // Where rows end apart, part of ∂L/∂h_t comes through the last state on one side only.
            if self.lengths.is_none() && t > 0 {
                let d = grads.of(v).to_owned();
                all.insert(format!("d {name} {t}"), gap(d));
            }
        }
        for &(name, v) in inputs {
            let Some(v) = v.filter(|v| v.varies()) else { continue };
            all.insert(format!("d {name}"), numbers(grads.of(v).to_owned()));
        }
        all
    }

    pub(crate) fn run<T: Float + Scalar>(&self, way: Way) -> Outcome {
        let [steps, batch, input, hidden] = self.shape;
        let (layer, parameters) = layer::<T>(self.cell, input, hidden);
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let w = layer.weights(&bound);
        let x = tape.leaf(&normal(steps * batch, input, "x").view());
        let leaf = |name, width| tape.leaf(&normal(batch, width, name).view());
        let State { h, c } = self.cell.widths(hidden);
        let start = State { h: leaf("h", h), c: c.map(|c| leaf("c", c)) };
        let inputs = [
            ("x", Some(x)),
            ("h_0", Some(start.h)),
            ("c_0", start.c),
            ("w_ih", Some(w.w_ih)),
            ("w_hh", Some(w.w_hh)),
            ("b_ih", Some(w.b_ih)),
            ("b_hh", Some(w.b_hh)),
            ("peephole", w.per_unit),
            ("w_hr", w.w_hr),
        ];
        if way == Way::Unrolled {
            let states = layer.states(&w, x, start);
            let output = 0..layer.output();
            let h = states[1..].iter().map(|s| s.h.columns(output.clone()));
            let h: Vec<_> = h.collect();
            let c: Vec<_> = states[1..].iter().filter_map(|s| s.c).collect();
            let ends = || (0..batch).map(|b| (b, states[self.length(b)]));
            let last_h: Vec<_> =
                ends().map(|(b, s)| s.h.rows(b..b + 1)).collect();
            let last_c: Vec<_> = ends()
                .filter_map(|(b, s)| s.c.map(|c| c.rows(b..b + 1)))
                .collect();
            let c_end = (!last_c.is_empty()).then(|| tape.stack(&last_c));
            let last = State { h: tape.stack(&last_h), c: c_end };
            return self.outcome(&h, &c, last, &inputs);
        }
        let floor = Some(self.floor);
        let request =
            SequenceRequest { all_c: true, lengths: self.lengths, floor };
        let states = match way {
            Way::Composed => layer.composed(&w, x, start, request),
            _ => layer.sequence_with(&w, x, start, request),
        };
        let at = |t: usize| t * batch..(t + 1) * batch;
        let h: Vec<_> = (0..steps).map(|t| states.h.rows(at(t))).collect();
        let c = states.c;
        let c: Vec<_> =
            (0..steps).filter_map(|t| c.map(|c| c.rows(at(t)))).collect();
        self.outcome(&h, &c, states.last, &inputs)
    }
}
