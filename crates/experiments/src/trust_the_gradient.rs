//! Trust the gradient: the tape against duals against differences, entry by entry.
//!
//! For each cell and each number of steps T, the loss is L = Σ_t ⟨r_t, h_t⟩ with random r_t, so every step
//! has its own say. Its gradient by every weight, every input and the initial state is computed three ways:
//! by the tape (reverse mode), by dual numbers through the cells' plain definition (forward mode, one pass
//! an entry), and by central differences of that definition. A planted mistake shows what the check sees.

use crate::experiment::{
    ConfigError, Experiment, FigureSpec, Progress, unlike,
};
use longlag_autodiff::check::{DUAL_TOLERANCE, STEP};
use longlag_autodiff::{Dual, Tape, Var};
use longlag_cells::{
    Cell, Initialisation, Layer, RecurrentCell, State, reference,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar, Span};
use longlag_report::figure::{Axis, DotChart, DotRow, Figure, Marker};
use longlag_report::{LookupError, Number, Report};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The config of [`TrustTheGradient`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decides weights, inputs, states and the loss.
    pub seed: u64,
    /// The cells to check.
    pub cells: Vec<Cell>,
    /// The lengths T to check.
    pub steps: Vec<usize>,
    /// B, sequences in the batch.
    pub batch: usize,
    /// I.
    pub input: usize,
    /// H.
    pub hidden: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            cells: Cell::ALL.to_vec(),
            steps: vec![1, 2, 7, 40],
            batch: 2,
            input: 3,
            hidden: 5,
        }
    }
}

/// Largest relative disagreement with central differences that counts as agreement. Their own error may come
/// near 10⁻⁸: rounding of the loss divided by the step, and the step squared times a third derivative.
pub const DIFFERENCE_TOLERANCE: f64 = 1e-7;

/// The experiment.
#[derive(Clone, Copy, Debug)]
pub struct TrustTheGradient;

impl Experiment for TrustTheGradient {
    type Config = Config;
    const NAME: &'static str = "trust-the-gradient";
    const QUESTION: &'static str = "Is the gradient that everything else rests on right, for every cell and up to 40 steps?";
    const FIGURES: &'static [FigureSpec] =
        &[FigureSpec { name: "trust-the-gradient-agreement", draw: agreement }];

    fn check(config: &Config) -> Result<(), ConfigError> {
        let Config { cells, steps, batch, input, hidden, .. } = config;
        let good = !cells.is_empty() && unlike(cells);
        ConfigError::unless(
            good,
            "cells",
            cells,
            "it must list at least one cell, and each only once",
        )?;
        let good = steps.iter().all(|t| (1..=200).contains(t));
        ConfigError::unless(
            good && !steps.is_empty() && unlike(steps),
            "steps",
            steps,
            "it must list lengths from 1 to 200, each only once",
        )?;
        for (field, value) in
            [("batch", batch), ("input", input), ("hidden", hidden)]
        {
            ConfigError::unless(
                (1..=16).contains(value),
                field,
                value,
                "it must be from 1 to 16: every entry of the gradient takes passes of its own",
            )?;
        }
        Ok(())
    }

    fn run(config: &Config, progress: &dyn Progress) -> Report {
        let cases: Vec<(Cell, usize)> = config
            .cells
            .iter()
            .flat_map(|&c| config.steps.iter().map(move |&t| (c, t)))
            .collect();
        let (done, total) = (AtomicU64::new(0), cases.len() as u64);
        let rows: Vec<Row> = cases
            .par_iter()
            .map(|&(cell, steps)| {
                let row = Case::new(config, cell, steps).compare();
                progress.advance(done.fetch_add(1, Relaxed) + 1, total);
                row
            })
            .collect();

        let mut report = Report::new(Self::NAME, config);
        let table = report.table(
            "agreement",
            ["cell", "T", "entries", "duals", "differences", "f32"],
        );
        for r in &rows {
            let short = |x| Number::rounded(x, 3);
            table.row((
                r.cell.name(),
                r.steps,
                r.entries,
                short(r.duals),
                short(r.differences),
                short(r.f32),
            ));
        }
        let worst = |f: fn(&Row) -> f64| largest(rows.iter().map(f));
        let (duals, differences) =
            (worst(|r| r.duals), worst(|r| r.differences));
        report
            .fact("entries", rows.iter().map(|r| r.entries).sum::<usize>())
            .fact("worst_with_duals", Number::rounded(duals, 3))
            .fact("worst_with_differences", Number::rounded(differences, 3))
            .fact("worst_of_f32", Number::rounded(worst(|r| r.f32), 3))
            .fact("dual_tolerance", DUAL_TOLERANCE)
            .fact("difference_tolerance", DIFFERENCE_TOLERANCE)
            .fact(
                "agrees",
                duals <= DUAL_TOLERANCE && differences <= DIFFERENCE_TOLERANCE,
            );

        let mistakes: Vec<(usize, f64)> = config
            .steps
            .par_iter()
            .map(|&steps| {
                (steps, Case::new(config, Cell::Lstm, steps).detached())
            })
            .collect();
        let table = report.table("mistake", ["T", "disagreement"]);
        for (steps, disagreement) in mistakes {
            table.row((steps, Number::rounded(disagreement, 3)));
        }
        report
    }
}

/// One line of the result; the disagreements are relative, see [`disagreement`].
struct Row {
    cell: Cell,
    steps: usize,
    entries: usize,
    duals: f64,
    differences: f64,
    f32: f64,
}

/// A cell over T steps, and everything its loss depends on in one flat buffer.
struct Case {
    layer: Layer,
    steps: usize,
    batch: usize,
    /// The weights, the input `x` (T·B, I), the initial states `h0` and `c0` (B, H).
    at: Parameters<f64>,
    /// r (T·B, H).
    r: Vec<f64>,
}

impl Case {
    fn new(config: &Config, cell: Cell, steps: usize) -> Case {
        let &Config { batch, input, hidden, .. } = config;
        let rng = Rng::new(config.seed).stream(cell.name());
        let layer = Layer::new("", cell, input, hidden);
        let mut at = Parameters::default();
        layer.push_parameters(&mut at, &Initialisation::default(), &rng);
        at.push("x", [steps * batch, input], 0.0);
        at.push("h0", [batch, hidden], 0.0);
        if cell.has_c() {
            at.push("c0", [batch, hidden], 0.0);
        }
        for name in ["x", "h0", "c0"] {
            if let Some(span) = at.find(name).cloned() {
                let mut rng = rng.stream(name);
                at.values[span.range()].fill_with(|| rng.normal());
            }
        }
        let mut rng = rng.stream("r");
        let r = (0..steps * batch * hidden).map(|_| rng.normal()).collect();
        Case { layer, steps, batch, at, r }
    }

    // ANCHOR: tape
    /// The gradient by the tape: one pass forward, one pass back.
    fn by_tape<T: Scalar>(&self) -> Vec<f64> {
        let at = self.at.map(T::of);
        let tape = Tape::new();
        let v = tape.bind(&at);
        let start = State { h: v.get("h0"), c: v.find("c0") };
        let mut outputs = Vec::new();
        let weights = self.layer.weights(&v);
        self.layer.unroll(&weights, v.get("x"), start, |_, s| {
            outputs.push(s.h);
        });
        let grads = (tape.stack(&outputs) * self.r(&tape)).sum().backward();
        grads.of_parameters(&v).iter().map(|g| g.value()).collect()
    }
    // ANCHOR_END: tape

    /// r as a constant of the tape.
    fn r<'t, T: Scalar>(&self, tape: &'t Tape<T>) -> Var<'t, T> {
        let shape = [self.steps * self.batch, self.layer.hidden];
        let fill = |to: &mut [T]| {
            to.iter_mut().zip(&self.r).for_each(|(to, &r)| *to = T::of(r))
        };
        tape.constant_with(shape[0], shape[1], fill)
    }

    // ANCHOR: detached
    /// The gradient with a planted mistake: every step takes the state
    /// before it for a constant, so nothing flows back through time.
    fn by_tape_detached(&self) -> Vec<f64> {
        let tape = Tape::new();
        let v = tape.bind(&self.at);
        let weights = self.layer.weights(&v);
        let mut s = State { h: v.get("h0"), c: v.find("c0") };
        let mut outputs = Vec::new();
        for t in 0..self.steps {
            let rows = t * self.batch..(t + 1) * self.batch;
            let x = v.get("x").rows(rows);
            s = self.layer.cell.step(&weights, x, s);
            outputs.push(s.h);
            s = s.map(|s| tape.constant(&s.value().view()));
        }
        let grads = (tape.stack(&outputs) * self.r(&tape)).sum().backward();
        grads.of_parameters(&v).to_vec()
    }
    // ANCHOR_END: detached

    // ANCHOR: loss
    /// The loss by the cells' plain definition, for any number type.
    fn loss<R: Scalar>(&self, at: &Parameters<R>) -> R {
        let (layer, n) = (&self.layer, self.layer.hidden);
        let (x, h0) = (at.view("x"), at.view("h0"));
        let c0 = at.find("c0").map(|_| at.view("c0"));
        let mut loss = R::of(0.0);
        for b in 0..self.batch {
            let mut s = State {
                h: h0.row(b).to_vec(),
                c: c0.map(|c0| c0.row(b).to_vec()),
            };
            for t in 0..self.steps {
                let row = t * self.batch + b;
                s = reference::step(layer, at, &x.row(row).to_vec(), &s);
                for (&r, &h) in self.r[row * n..].iter().zip(&s.h) {
                    loss += R::of(r) * h;
                }
            }
        }
        loss
    }
    // ANCHOR_END: loss

    // ANCHOR: duals
    /// The gradient by dual numbers: one pass for each entry.
    fn by_duals(&self) -> Vec<f64> {
        let mut at = self.at.map(Dual::of);
        (0..at.values.len())
            .map(|i| {
                let x = at.values[i].value();
                at.values[i] = Dual::new(x, 1.0);
                let derivative = self.loss(&at).derivative();
                at.values[i] = Dual::of(x);
                derivative
            })
            .collect()
    }

    /// The gradient by central differences: two passes an entry.
    fn by_differences(&self) -> Vec<f64> {
        let mut at = self.at.clone();
        (0..at.values.len())
            .map(|i| {
                let x = at.values[i];
                let mut moved = |by: f64| {
                    at.values[i] = x + by;
                    self.loss(&at)
                };
                let difference = moved(STEP) - moved(-STEP);
                at.values[i] = x;
                difference / (2.0 * STEP)
            })
            .collect()
    }
    // ANCHOR_END: duals

    fn compare(&self) -> Row {
        let (tape, duals) = (self.by_tape::<f64>(), self.by_duals());
        let spans = self.at.spans();
        Row {
            cell: self.layer.cell,
            steps: self.steps,
            entries: duals.len(),
            duals: disagreement(spans, &tape, &duals),
            differences: disagreement(spans, &tape, &self.by_differences()),
            f32: disagreement(spans, &self.by_tape::<f32>(), &tape),
        }
    }

    /// How far the planted mistake is off, over the weights alone.
    fn detached(&self) -> f64 {
        let weights = 4;
        disagreement(
            &self.at.spans()[..weights],
            &self.by_tape_detached(),
            &self.by_duals(),
        )
    }
}

// ANCHOR: disagreement
/// The largest |a − b| of a tensor over the tensor's largest |b|, for
/// the worst of the tensors; NaN if anything is.
fn disagreement(spans: &[Span], a: &[f64], b: &[f64]) -> f64 {
    largest(spans.iter().map(|span| {
        let pairs = || a[span.range()].iter().zip(&b[span.range()]);
        let error = largest(pairs().map(|(a, b)| (a - b).abs()));
        let scale = largest(pairs().map(|(_, b)| b.abs()));
        if error == 0.0 { 0.0 } else { error / scale }
    }))
}

/// The largest of numbers that are not negative. Unlike `f64::max`, it
/// lets no NaN slip by.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    let stays = |most: f64, x: f64| x <= most || most.is_nan();
    numbers.fold(0.0, |most, x| if stays(most, x) { most } else { x })
}
// ANCHOR_END: disagreement

fn agreement(report: &Report) -> Result<Figure, LookupError> {
    let table = report.find_table("agreement")?;
    let mut chart = DotChart::new(
        "Relative disagreement of the tape's gradient for each cell at several lengths: smallest with dual numbers, \
         then with central differences, then of single with double precision.",
        Axis::log("Largest relative disagreement of an entry").range(1e-17, 1e-5),
    )
    .legend(Marker::Disc, "with duals")
    .legend(Marker::Diamond, "with differences")
    .legend(Marker::Ring, "of f32 with f64");
    let [duals, differences, single] =
        ["duals", "differences", "f32"].map(|c| table.numbers(c));
    let mut group = String::new();
    for (i, row) in table.rows().iter().enumerate() {
        let (cell, steps) = (row[0].to_string(), &row[1]);
        if cell != group {
            chart = chart.group(&cell);
            group = cell;
        }
        let row = DotRow::new(format!("*T* = {steps}"))
            .dots(Marker::Disc, [duals[i]])
            .dots(Marker::Diamond, [differences[i]])
            .dots(Marker::Ring, [single[i]]);
        chart = chart.row(row);
    }
    Ok(chart.figure())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_a_disagreement() {
        let spans = [
            Span { name: "a".into(), shape: [1, 2], start: 0 },
            Span { name: "b".into(), shape: [1, 1], start: 2 },
        ];
        let right = [1.0, 2.0, 3.0];
        assert_eq!(disagreement(&spans, &right, &right), 0.0);
        assert_eq!(disagreement(&spans, &[1.0, 2.5, 3.0], &right), 0.25);
        for wrong in
            [[f64::NAN, 2.0, 3.0], [1.0, f64::NAN, 3.0], [1.0, 2.0, f64::NAN]]
        {
            assert!(disagreement(&spans, &wrong, &right).is_nan());
        }
        let infinite = [f64::INFINITY, 2.0, 3.0];
        assert!(disagreement(&spans, &infinite, &infinite).is_nan());
        assert!(largest([1.0, f64::NAN, 2.0].into_iter()).is_nan());
    }
}
