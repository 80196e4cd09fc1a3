//! `gradflow`: the gradients of all states, and the Jacobians over the whole sequence.

use super::case::{By, Case, Computed, Stop, cell, insert, insert_gradients, unknown, ways};
use longlag_autodiff::{Tape, Var};
use longlag_cells::{Initialisation, Layer, RecurrentCell, SequenceRequest, State, StateDict, Weights};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, slice};
use longlag_probe::products::singular_values;
use ndarray::Array2;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    if case.kind != "GradientFlow" {
        return Err(unknown(format!("the kind {}", case.kind)));
    }
    let (cell, _) = cell(&options.get::<String>("mode")?)?;
    let [steps, batch, input] = case.shape("input")?;
    let [_, hidden] = case.shape("weight_hh_l0")?;
    options.agrees("input_size", input)?;
    options.agrees("hidden_size", hidden)?;
    options.agrees("seq_len", steps)?;
    options.agrees("batch", batch)?;
    options.for_readers(&["variant", "upstream"]);

    let layer = Layer::new("", cell, input, hidden);
    let mut parameters = Parameters::default();
    layer.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(0));
    case.load("", &mut parameters)?;
    let x = case.matrix("input", &[steps, batch, input])?;
    let h0 = case.matrix("h0", &[batch, hidden])?;
    let c0 = if cell.has_c() { Some(case.matrix("c0", &[batch, hidden])?) } else { None };
    let output = [steps, batch, hidden];
    case.matrix("d_output", &output)?;
    case.all_known()?;
    ways(&cell, |by| {
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.constant(&x.view());
        let start = State { h: tape.leaf(&h0.view()), c: c0.as_ref().map(|c| tape.leaf(&c.view())) };
        let (h, states) = states(&layer, &layer.weights(&bound), x, start, by);
        let mut results = StateDict::default();
        insert(&mut results, "output", &output, &h.value());

        let loss = case.loss(&tape, &[("output", &output, h)])?.expect("it has an upstream gradient");
        let gradients = loss.backward();
        insert_gradients(&mut results, &parameters, gradients.of_parameters(&bound));
        for (name, of) in KINDS {
            let vars: Vec<_> = states.iter().filter_map(|state| of.part(state)).collect();
            if vars.is_empty() {
                continue;
            }
            let all: Vec<f64> = vars.iter().flat_map(|&var| gradients.of(var).to_owned()).collect();
            let norms: Vec<f64> = all.chunks(batch * hidden).map(slice::norm).collect();
            insert(&mut results, &format!("dL_d{name}"), &[steps + 1, batch, hidden], &all);
            insert(&mut results, &format!("norm.dL_d{name}"), &[steps + 1], &norms);
        }
        drop(gradients);

        let last = states[steps];
        if batch == 1 {
            for (of_name, of) in KINDS {
                let Some(of) = of.part(&last) else { continue };
                let jacobians = jacobians(of, start);
                for ((by_name, _), jacobian) in KINDS.iter().zip(&jacobians) {
                    let name = format!("{of_name}T_{by_name}0");
                    insert(&mut results, &format!("J.{name}"), &[hidden, hidden], jacobian);
                    if of_name == *by_name {
                        let values = singular_values(std::slice::from_ref(jacobian));
                        let values: Vec<f64> = values.into_iter().map(power_of_ten).collect();
                        insert(&mut results, &format!("sv.{name}"), &[hidden], &values);
                    }
                }
            }
        }
        Ok(results)
    })
}

/// The parts of a state.
#[derive(Clone, Copy)]
enum Part {
    H,
    C,
}
const KINDS: [(&str, Part); 2] = [("h", Part::H), ("c", Part::C)];

impl Part {
    fn part<'t>(self, state: &State<Var<'t, f64>>) -> Option<Var<'t, f64>> {
        match self {
            Part::H => Some(state.h),
            Part::C => state.c,
        }
    }
}

/// All h one below the other, and all states, that before the first step included.
fn states<'t>(
    layer: &Layer,
    w: &Weights<Var<'t, f64>>,
    x: Var<'t, f64>,
    start: State<Var<'t, f64>>,
    by: By,
) -> (Var<'t, f64>, Vec<State<Var<'t, f64>>>) {
    match by {
        By::Composed => {
            let states = layer.states(w, x, start);
            let h: Vec<_> = states[1..].iter().map(|state| state.h).collect();
            (x.tape().stack(&h), states)
        }
        By::Fused => {
            let request = SequenceRequest { all_c: true, ..SequenceRequest::default() };
            let all = layer.sequence_with(w, x, start, request);
            let [batch, _] = start.h.shape();
            let [rows, _] = x.shape();
            let step = |t: usize| {
                let rows = |all: Var<'t, f64>| all.rows(t * batch..(t + 1) * batch);
                State { h: rows(all.h), c: all.c.map(rows) }
            };
            (all.h, std::iter::once(start).chain((0..rows / batch).map(step)).collect())
        }
    }
}

/// The derivatives of a row (1, H) by h and, if there is one, c of `start`: row k is that of entry k.
fn jacobians(of: Var<'_, f64>, start: State<Var<'_, f64>>) -> Vec<Array2<f64>> {
    let [_, hidden] = of.shape();
    let by: Vec<_> = [Some(start.h), start.c].into_iter().flatten().collect();
    let mut jacobians = vec![Array2::zeros((hidden, hidden)); by.len()];
    for k in 0..hidden {
        let gradients = of.columns(k..k + 1).backward();
        for (jacobian, &by) in jacobians.iter_mut().zip(&by) {
            jacobian.row_mut(k).assign(&gradients.of(by).row(0));
        }
    }
    jacobians
}

fn power_of_ten(x: f64) -> f64 {
    Real::exp(x * std::f64::consts::LN_10)
}
