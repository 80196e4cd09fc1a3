//! The chapter "Trust the gradient" as a program you can change.
//!
//! `cargo run --release --example trust_the_gradient`

use longlag_autodiff::{Dual, Tape, Var, check};
use longlag_cells::{
    Cell, Initialisation, Layer, RecurrentCell, State, Weights,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar};
use ndarray::{Array2, array};
use std::io::{self, Write};

// ANCHOR: unit
const W: f64 = 1.5;
const STEPS: usize = 3;
const DIFFERENCE: f64 = 1e-5;

/// A recurrent unit with a weight w, some steps from the state 0.9.
fn unit<R: Real>(w: R) -> R {
    let mut h = w.constant(0.9);
    for _ in 0..STEPS {
        h = (w * h).tanh();
    }
    h
}

/// Its derivative at W, three ways.
fn three_ways(out: &mut impl Write) -> io::Result<()> {
    let duals = unit(Dual::new(W, 1.0)).derivative();

    let tape = Tape::<f64>::new();
    let w = tape.leaf(&array![[W]].view());
    let reverse = unit(w).backward().of(w)[[0, 0]];

    let moved = unit(W + DIFFERENCE) - unit(W - DIFFERENCE);
    let differences = moved / (2.0 * DIFFERENCE);

    writeln!(out, "duals        {duals:.14e}")?;
    writeln!(out, "tape         {reverse:.14e}")?;
    writeln!(out, "differences  {differences:.14e}")
}
// ANCHOR_END: unit

// ANCHOR: function
/// The outputs of a layer over a sequence, as a function of its
/// weights, its input and its initial state.
struct Outputs {
    layer: Layer,
}

impl check::Function for Outputs {
    fn name(&self) -> &str {
        self.layer.cell.name()
    }
    fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let weights = Weights {
            w_ih: x[0],
            w_hh: x[1],
            b_ih: x[2],
            b_hh: x[3],
            per_unit: None,
            w_hr: None,
        };
        let start = State { h: x[5], c: x.get(6).copied() };
        let mut outputs = Vec::new();
        self.layer.unroll(&weights, x[4], start, |_, s| outputs.push(s.h));
        x[0].tape().stack(&outputs)
    }
}
// ANCHOR_END: function

// ANCHOR: check
/// Checks every cell over 7 steps of 2 sequences.
fn check_all(out: &mut impl Write) -> io::Result<()> {
    let (input, hidden, batch, steps) = (3, 5, 2, 7);
    for cell in Cell::ALL {
        let layer = Layer::new("", cell, input, hidden);
        let rng = Rng::new(1).stream(cell.name());
        let mut weights = Parameters::default();
        let start = Initialisation::default();
        layer.push_parameters(&mut weights, &start, &rng);

        let mut at: Vec<Array2<f64>> = weights
            .spans()
            .iter()
            .map(|span| weights.view(&span.name).to_owned())
            .collect();
        let mut draw = rng.stream("input and state");
        let mut normal = |rows, columns| {
            Array2::from_shape_simple_fn((rows, columns), || draw.normal())
        };
        at.push(normal(steps * batch, input));
        at.push(normal(batch, hidden));
        if cell.has_c() {
            at.push(normal(batch, hidden));
        }
        match check::gradient(&Outputs { layer }, &at, 1) {
            Ok(found) => writeln!(
                out,
                "{:18}{} arguments agree",
                cell.name(),
                found.len()
            )?,
            Err(wrong) => writeln!(out, "{wrong}")?,
        }
    }
    Ok(())
}
// ANCHOR_END: check

/// Prints the derivative of a unit three ways, and checks all cells.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    three_ways(out)?;
    writeln!(out)?;
    check_all(out)
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}
