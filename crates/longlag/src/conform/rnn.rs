//! `rnn`: whole layers, values and all gradients.

use super::case::{By, Case, Computed, Stop, cell, failed, insert, insert_gradients, unknown, ways};
use longlag_autodiff::Tape;
use longlag_cells::{
    Cell, Initialisation, ProjectedLstm, RecurrentCell, Stack, StackRequest, State, StateDict,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use ndarray::{Array2, ArrayView2, Axis};

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    let (mut cell, kind) = cell(&options.get::<String>("mode")?)?;
    if case.kind != kind {
        return Err(unknown(format!("the kind {}", case.kind)));
    }
    let batch_first: bool = options.get("batch_first")?;
    let [first, second, input] = case.shape("input")?;
    let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
    let [rows, projected] = case.shape("weight_hh_l0")?;
    let hidden = rows / cell.gates().len();
    let layers = case.inputs_from("weight_ih_l").filter(|name| !name.ends_with("_reverse")).count();
    if hidden == 0 || layers == 0 {
        return Err(failed("the weights are those of no layer"));
    }
    let bidirectional = case.has("weight_ih_l0_reverse");
    let bias = case.has("bias_ih_l0");
    let start = case.has("h0");
    let lengths = case.lengths("lengths", steps, batch)?;

    let projection = case.has("weight_hr_l0");
    options.agrees("proj_size", if projection { projected } else { 0 })?;
    if projection {
        if cell != Cell::Lstm {
            return Err(unknown(format!("a projection of a {kind}")));
        }
        cell = Cell::ProjectedLstm(ProjectedLstm { outputs: projected });
    }
    options.agrees("input_size", input)?;
    options.agrees("hidden_size", hidden)?;
    options.agrees("num_layers", layers)?;
    options.agrees("bias", bias)?;
    options.agrees("bidirectional", bidirectional)?;
    options.agrees("seq_len", steps)?;
    options.agrees("batch", batch)?;
    options.agrees("initial_state", start)?;
    options.agrees("variable_lengths", lengths.is_some())?;
    let dropout: f64 = options.get("dropout")?;
    let training: bool = options.get("training")?;
    if training && dropout != 0.0 && dropout != 1.0 {
        return Err(unknown(format!("dropout = {dropout} in training: other random numbers")));
    }
    if !(0.0..=1.0).contains(&dropout) {
        return Err(failed(format!("dropout is {dropout}, not from 0 to 1")));
    }

    let mut stack = Stack::new("", cell, input, hidden, layers).with_dropout(dropout);
    if bidirectional {
        stack = stack.bidirectional();
    }
    if !bias {
        stack = stack.without_bias();
    }
    let mut parameters = Parameters::default();
    stack.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(0));
    case.load("", &mut parameters)?;
    let starts = if start { Some(Starts::read(case, &stack, batch)?) } else { None };
    let x = case.matrix("input", &[first, second, input])?;
    for name in ["d_output", "d_h_n", "d_c_n"].into_iter().filter(|name| case.has(name)) {
        case.input::<f64>(name)?;
    }
    case.all_known()?;
    ways(&cell, |by| {
        let lengths = lengths.as_deref();
        let inputs = Inputs { x: &x, axes: [first, second, input], batch, batch_first, lengths, training };
        compute(case, &stack, &parameters, starts.as_ref(), &inputs, by)
    })
}

/// The start states of all layers and directions, one below the other.
struct Starts {
    h: Array2<f64>,
    c: Option<Array2<f64>>,
}

impl Starts {
    fn read(case: &Case, stack: &Stack<Cell>, batch: usize) -> Result<Starts, Stop> {
        let State { h, c } = widths(stack);
        let count = stack.all().count();
        let c = c.map(|c| case.matrix("c0", &[count, batch, c])).transpose()?;
        Ok(Starts { h: case.matrix("h0", &[count, batch, h])?, c })
    }
}

/// How many columns a state of each kind has.
fn widths(stack: &Stack<Cell>) -> State<usize> {
    let layer = &stack.layers[0][0];
    State { h: layer.output(), c: layer.cell.widths(layer.hidden).c }
}

struct Inputs<'a> {
    x: &'a Array2<f64>,
    axes: [usize; 3],
    batch: usize,
    batch_first: bool,
    lengths: Option<&'a [usize]>,
    training: bool,
}

fn compute(
    case: &Case,
    stack: &Stack<Cell>,
    parameters: &Parameters<f64>,
    starts: Option<&Starts>,
    inputs: &Inputs<'_>,
    by: By,
) -> Result<StateDict, Stop> {
    let Inputs { x, axes, batch, batch_first, lengths, training } = *inputs;
    let tape = Tape::new();
    let bound = tape.bind(parameters);
    let x = tape.leaf(&x.view());
    let count = stack.all().count();
    let part = |all: &Array2<f64>, k: usize| {
        tape.leaf(&all.slice_axis(Axis(0), (k * batch..(k + 1) * batch).into()))
    };
    let start = starts.map(|Starts { h, c }| {
        let state = |k| State { h: part(h, k), c: c.as_ref().map(|c| part(c, k)) };
        (0..count).map(state).collect::<Vec<_>>()
    });
    // All or nothing is dropped, so the seed doesn't matter.
    let mut rng = Rng::new(0);
    let request =
        StackRequest { start: start.as_deref(), lengths, batch_first, dropout: training.then_some(&mut rng) };
    let states = match by {
        By::Fused => stack.apply(&bound, x, batch, request),
        By::Composed => stack.composed(&bound, x, batch, request),
    };

    let State { h, c } = widths(stack);
    let output = [axes[0], axes[1], stack.output()];
    let h_shape = [count, batch, h];
    let h_n = tape.stack(&states.last.iter().map(|state| state.h).collect::<Vec<_>>());
    let mut all = vec![("output", &output[..], states.output), ("h_n", &h_shape[..], h_n)];
    let c_shape = c.map(|c| [count, batch, c]);
    if let Some(shape) = &c_shape {
        let c_n: Vec<_> = states.last.iter().filter_map(|state| state.c).collect();
        all.push(("c_n", &shape[..], tape.stack(&c_n)));
    }
    let mut results = StateDict::default();
    for (name, shape, result) in &all {
        insert(&mut results, name, shape, &result.value());
    }
    let Some(loss) = case.loss(&tape, &all)? else { return Ok(results) };
    let gradients = loss.backward();
    insert(&mut results, "grad.input", &axes, gradients.of(x));
    insert_gradients(&mut results, parameters, gradients.of_parameters(&bound));
    if let Some(start) = start {
        let mut whole = |name: &str, shape: &[usize], parts: Vec<ArrayView2<'_, f64>>| {
            insert(&mut results, name, shape, parts.iter().flatten());
        };
        whole("grad.h0", &h_shape, start.iter().map(|state| gradients.of(state.h)).collect());
        if let Some(shape) = &c_shape {
            let c = start.iter().filter_map(|state| state.c);
            whole("grad.c0", shape, c.map(|c| gradients.of(c)).collect());
        }
    }
    Ok(results)
}
