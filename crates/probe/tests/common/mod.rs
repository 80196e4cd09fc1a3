//! Cells of the cells crate, probed; matrices and comparisons.

#![allow(dead_code, reason = "each test file has its own use of it")]

use longlag_autodiff::{Dual, Tape, Var};
use longlag_cells::{Cell, Forget, Initialisation, Layer, LstmParts, RecurrentCell, State, reference};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar};
use longlag_probe::{ComposedStep, LayerStep, OnTape};
use ndarray::{Array2, Array3};

/// A layer with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    pub(crate) layer: Layer,
    pub(crate) parameters: Parameters<f64>,
}

impl Probed {
    /// Weights and biases from the normal distribution with standard deviation gain/√H.
    pub(crate) fn new(cell: Cell, input: usize, hidden: usize, gain: f64) -> Probed {
        let layer = Layer::new("", cell, input, hidden);
        let mut parameters = Parameters::default();
        layer.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(1));
        let mut draw = Rng::new(1).stream("weights");
        let deviation = gain / (hidden as f64).sqrt();
        parameters.values.fill_with(|| deviation * draw.normal());
        Probed { layer, parameters }
    }

    pub(crate) fn on_tape(self) -> OnTape<Probed> {
        OnTape::new(self)
    }

    /// The plain definition's step on one state, h and c side by side.
    pub(crate) fn reference<R: Scalar>(&self, parameters: &Parameters<R>, x: &[R], s: &[R]) -> Vec<R> {
        let (h, c) = s.split_at(self.layer.hidden);
        let state = State { h: h.to_vec(), c: self.layer.cell.has_c().then(|| c.to_vec()) };
        let State { mut h, c } = reference::step(&self.layer, parameters, x, &state);
        h.extend(c.into_iter().flatten());
        h
    }

    /// The derivatives of the plain definition's step by duals: (S, S) by s_{t−1}, (S, I) by x_t, (S, M) by
    /// b_hh.
    pub(crate) fn jacobians(&self, x: &[f64], s: &[f64]) -> [Array2<f64>; 3] {
        let bias = self.parameters.span("bias_hh_l0").range();
        let column = |wrt: usize, j: usize| {
            let seed = |which: usize, values: &[f64]| -> Vec<Dual> {
                let seeded = |(i, &v)| Dual::new(v, f64::from(u8::from(which == wrt && i == j)));
                values.iter().enumerate().map(seeded).collect()
            };
            let mut parameters = self.parameters.map(Dual::of);
            let biases = seed(2, &self.parameters.values[bias.clone()]);
            parameters.values[bias.clone()].copy_from_slice(&biases);
            let next = self.reference(&parameters, &seed(1, x), &seed(0, s));
            next.into_iter().map(Dual::derivative).collect::<Vec<_>>()
        };
        [s.len(), x.len(), bias.len()]
            .map(|n| n)
            .into_iter()
            .enumerate()
            .map(|(wrt, n)| {
                let columns: Vec<Vec<f64>> = (0..n).map(|j| column(wrt, j)).collect();
                Array2::from_shape_fn((s.len(), n), |(i, j)| columns[j][i])
            })
            .collect::<Vec<_>>()
            .try_into()
            .expect("three")
    }
}

impl Probed {
    fn step(&self) -> LayerStep<'_> {
        LayerStep { layer: &self.layer, parameters: &self.parameters }
    }
}

impl ComposedStep for Probed {
    fn parts(&self) -> Vec<usize> {
        self.step().parts()
    }
    fn sums(&self) -> usize {
        self.step().sums()
    }
    fn record<'t, T: Scalar>(&self, x: Var<'t, T>, state: &[Var<'t, T>], dz: Var<'t, T>) -> Vec<Var<'t, T>> {
        self.step().record(x, state, dz)
    }
}

/// All cells, and an LSTM with peepholes, coupled gates and no output activation.
pub(crate) fn cells() -> Vec<Cell> {
    let parts = LstmParts {
        forget: Forget::Coupled,
        output_activation: false,
        peepholes: true,
        ..LstmParts::default()
    };
    Cell::ALL.into_iter().chain([Cell::LstmVariant(parts)]).collect()
}

pub(crate) fn normal2(shape: (usize, usize), purpose: &str) -> Array2<f64> {
    let mut draw = Rng::new(1).stream(purpose);
    Array2::from_shape_simple_fn(shape, || draw.normal())
}

pub(crate) fn normal3(shape: (usize, usize, usize), purpose: &str) -> Array3<f64> {
    let mut draw = Rng::new(1).stream(purpose);
    Array3::from_shape_simple_fn(shape, || draw.normal())
}

/// a·b in plain loops.
pub(crate) fn times(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    assert_eq!(a.ncols(), b.nrows());
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
        (0..a.ncols()).map(|k| a[[i, k]] * b[[k, j]]).sum()
    })
}

pub(crate) fn largest<'a>(x: impl IntoIterator<Item = &'a f64>) -> f64 {
    x.into_iter().fold(0.0, |most: f64, x| if x.abs() <= most { most } else { x.abs() })
}

/// |a − b| ≤ tolerance · the largest |b|, entry by entry.
#[track_caller]
pub(crate) fn close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    let apart = largest(&(a - b));
    assert!(apart <= tolerance * largest(b), "{apart:e} apart, of {:e}", largest(b));
}

/// The whole gradient Σ over all losses by the tape: ⟨d_states, states⟩, states h and c side by side, by each
/// parameter in their order. Of GRUs too.
pub(crate) fn gradient_by_tape(
    probed: &Probed,
    x: &Array3<f64>,
    start: &Array2<f64>,
    d_states: &Array3<f64>,
) -> Parameters<f64> {
    let tape = Tape::<f64>::new();
    let bound = tape.bind(&probed.parameters);
    let w = probed.layer.weights(&bound);
    let (steps, batch, inputs) = x.dim();
    let hidden = probed.layer.hidden;
    let flat = x.to_shape((steps * batch, inputs)).unwrap();
    let s = tape.leaf(&start.view());
    let start =
        State { h: s.columns(0..hidden), c: (s.shape()[1] > hidden).then(|| s.columns(hidden..2 * hidden)) };
    let mut loss = None;
    probed.layer.unroll(&w, tape.constant(&flat.view()), start, |t, s| {
        let d = tape.constant(&d_states.index_axis(ndarray::Axis(0), t - 1));
        let parts = [Some(s.h), s.c].into_iter().flatten().enumerate();
        for (i, part) in parts {
            let inner = (part * d.columns(i * hidden..(i + 1) * hidden)).sum();
            loss = Some(loss.map_or(inner, |loss| loss + inner));
        }
    });
    let grads = loss.expect("there are steps").backward();
    let mut gradient = probed.parameters.clone();
    gradient.values.copy_from_slice(grads.of_parameters(&bound));
    gradient
}
