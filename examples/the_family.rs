//! The chapter "The family" as a program you can change: how many weights each cell has, and how much of a gradient
//! it passes on before it is trained; and a cell of one's own among them.
//!
//! `cargo run --release --example the_family`

use longlag_autodiff::Var;
use longlag_cells::{
    Cell, Initialisation, Layer, RecurrentCell, State, Weights,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar};
use longlag_probe::growth::GrowthProbe;
use longlag_probe::{LayerStep, OnTape};
use ndarray::Array2;
use std::io::{self, Write};

// ANCHOR: settings
const INPUT: usize = 2;
const HIDDEN: usize = 16;
const SEED: u64 = 1;
// ANCHOR_END: settings

// ANCHOR: own
/// A state that goes on as it is, as far as the gate lets it.
#[derive(Clone, Debug)]
struct OneGate;

impl RecurrentCell for OneGate {
    fn name(&self) -> &'static str {
        "one gate"
    }
    fn gates(&self) -> &'static [&'static str] {
        &["f", "g"]
    }
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        let [a_f, a_g] = w.sum(x, s.h).split();
        let f = a_f.sigmoid();
        State { h: f * s.h + f.one_minus() * a_g.tanh(), c: None }
    }
}
// ANCHOR_END: own

// ANCHOR: growth
/// Decades per 100 steps that a displacement of the state grows by: the
/// median over 40 trajectories, driven by noise.
fn growth<C: RecurrentCell>(cell: C, start: &Initialisation) -> f64 {
    let layer = Layer::new("", cell, INPUT, HIDDEN);
    let rng = Rng::new(SEED);
    let mut parameters = Parameters::default();
    layer.push_parameters(&mut parameters, start, &rng);
    let step =
        OnTape::new(LayerStep { layer: &layer, parameters: &parameters });
    let State { h, c } = layer.cell.widths(HIDDEN);
    let width = h + c.unwrap_or(0);
    let probe = GrowthProbe { burn_in: 20, steps: 50, part: 0..width };
    let zeros = Array2::zeros((40, width));
    let mut noise = rng.stream("noise");
    let input =
        |_| Array2::from_shape_simple_fn((40, INPUT), || noise.normal());
    let mut tangents = rng.stream("tangents");
    probe.measure(&step, zeros.view(), input, &mut tangents).median
}
// ANCHOR_END: growth

fn line<C: RecurrentCell>(out: &mut impl Write, cell: C) -> io::Result<()> {
    let (name, size) = (cell.name(), cell.size(INPUT, HIDDEN));
    let grown = growth(cell, &Initialisation::default());
    writeln!(out, "{name:30}{size:8}{grown:24.1}")
}

/// Measures every cell and prints what it finds.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let [cell, weights, growth] = ["cell", "weights", "decades per 100 steps"];
    writeln!(out, "{cell:30}{weights:>8}{growth:>24}")?;
    for cell in Cell::FAMILY {
        line(out, cell)?;
    }
    line(out, OneGate)
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;
    use longlag_cells::{GateBiases, LeakyRnn, init::Init};

    // ANCHOR: first
    /// Exercise 1: a leak passes on the more the smaller it is.
    #[test]
    fn the_smaller_the_leak_the_more_is_passed_on() {
        let rates = [1.0, 0.5, 0.1, 0.01].map(|a| {
            let cell = Cell::LeakyRnn(LeakyRnn::new(a));
            growth(cell, &Initialisation::default())
        });
        assert!(rates.is_sorted(), "{rates:?}");
        assert!(rates[3] > -2.0, "{rates:?}");
    }
    // ANCHOR_END: first

    // ANCHOR: second
    /// Exercise 2: a forget bias of 5 makes the LSTM pass on most of it.
    #[test]
    fn a_forget_bias_opens_the_way() {
        let rates = [0.0, 1.0, 5.0].map(|bias| {
            let start = Initialisation {
                forget_bias: Some(bias),
                ..Initialisation::default()
            };
            growth(Cell::Lstm, &start)
        });
        assert!(rates.is_sorted(), "{rates:?}");
        assert!(rates[2] > -3.0, "{rates:?}");
    }
    // ANCHOR_END: second

    // ANCHOR: third
    /// Exercise 3: a bias of the gate of one's own does the same there.
    #[test]
    fn the_gate_of_ones_own_has_a_bias_too() {
        let five = Some(Init::Constant { value: 5.0 });
        let start = Initialisation {
            gate_biases: GateBiases { f: five, ..GateBiases::default() },
            ..Initialisation::default()
        };
        let rate = growth(OneGate, &start);
        assert!(rate > growth(OneGate, &Initialisation::default()) + 10.0);
        assert!(rate > -2.0, "{rate}");
    }
    // ANCHOR_END: third

    /// What the chapter says of the table.
    #[test]
    fn what_the_pictures_say_is_what_is_measured() {
        let start = Initialisation::default();
        let rate = |cell| growth(cell, &start);
        let family: Vec<_> =
            Cell::FAMILY.into_iter().map(|cell| (cell, rate(cell))).collect();
        let plain = rate(Cell::RnnTanh);
        for (cell, rate) in family {
            match cell {
                Cell::Lstm1997(_) | Cell::SkipRnn(_) => {
                    assert!(rate > -1.0, "{cell}: {rate}");
                }
                _ => assert!(rate < -3.0, "{cell}: {rate}"),
            }
            if matches!(cell, Cell::Lstm | Cell::Gru | Cell::GruResetBefore) {
                assert!(rate < plain / 2.0, "{cell}: {rate}");
            }
            if matches!(cell, Cell::MinGru | Cell::MinLstm) {
                assert!(rate < plain, "{cell}: {rate}");
            }
        }
    }
}
