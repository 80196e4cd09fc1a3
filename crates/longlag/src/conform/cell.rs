//! `cell`: one step, values and all gradients.

use super::case::{By, Case, Computed, Stop, cell, insert, insert_gradients, unknown, ways};
use longlag_autodiff::Tape;
use longlag_cells::{Initialisation, Layer, RecurrentCell, State, StateDict};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    let (cell, kind) = cell(&options.get::<String>("mode")?)?;
    if case.kind.strip_suffix("Cell") != Some(kind) {
        return Err(unknown(format!("the kind {}", case.kind)));
    }
    let [batch, input] = case.shape("input")?;
    let [_, hidden] = case.shape("weight_hh")?;
    let (bias, start) = (case.has("bias_ih"), case.has("h0"));
    options.agrees("input_size", input)?;
    options.agrees("hidden_size", hidden)?;
    options.agrees("bias", bias)?;
    options.agrees("batch", batch)?;
    options.agrees("initial_state", start)?;

    let layer = Layer { bias, ..Layer::named("", "", cell, input, hidden) };
    let mut parameters = Parameters::default();
    layer.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(0));
    case.load("", &mut parameters)?;
    let x = case.matrix("input", &[batch, input])?;
    let shape = [batch, hidden];
    let state = |name| start.then(|| case.matrix(name, &shape)).transpose();
    let h0 = state("h0")?;
    let c0 = if cell.has_c() { state("c0")? } else { None };
    for name in ["d_h1", "d_c1"].into_iter().filter(|name| case.has(name)) {
        case.input::<f64>(name)?;
    }
    case.all_known()?;
    ways(&cell, |by| {
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = tape.leaf(&x.view());
        let w = layer.weights(&bound);
        let given = State { h: h0.as_ref(), c: cell.has_c().then_some(c0.as_ref()) };
        let before = given.map(|given: Option<_>| match given {
            Some(given) => tape.leaf(&given.view()),
            None => tape.zeros(batch, hidden),
        });
        let after = match by {
            By::Fused => layer.sequence(&w, x, before).last,
            By::Composed => cell.step(&w, x, before),
        };
        let mut all = vec![("h1", &shape[..], after.h)];
        all.extend(after.c.map(|c| ("c1", &shape[..], c)));
        let mut results = StateDict::default();
        for (name, shape, result) in &all {
            insert(&mut results, name, shape, &result.value());
        }
        let Some(loss) = case.loss(&tape, &all)? else { return Ok(results) };
        let gradients = loss.backward();
        insert(&mut results, "grad.input", &[batch, input], gradients.of(x));
        insert_gradients(&mut results, &parameters, gradients.of_parameters(&bound));
        if start {
            insert(&mut results, "grad.h0", &shape, gradients.of(before.h));
            if let Some(c) = before.c {
                insert(&mut results, "grad.c0", &shape, gradients.of(c));
            }
        }
        Ok(results)
    })
}
