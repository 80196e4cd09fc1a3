//! `onnx` and `onnx_random`: nodes of ONNX's recurrent operators, in single precision.

use super::case::{Case, Computed, Stop, Way, failed, unknown};
use longlag_cells::onnx::{Activation, Direction, Misfit, Node, NodeInputs, NodeOutputs, Operator};
use longlag_cells::{Dtype, StateDict, Tensor};
use ndarray::{Array, ArrayView, Dimension, Ix2, Ix3};

/// The versions of the operator set in which these operators are as in version 22: since 7, as `layout`, which
/// came with 14, is absent before.
const OPSETS: std::ops::RangeInclusive<u64> = 7..=22;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    options.only("op_type", case.kind.clone())?;
    let opset: u64 = options.get("opset")?;
    if !OPSETS.contains(&opset) {
        return Err(unknown(format!("opset = {opset}")));
    }
    let attributes = options.group("attributes")?;
    let flag = |name| match attributes.optional(name)? {
        None | Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(other) => Err(unknown(format!("{name} = {other}"))),
    };
    let (operator, gates) = match &case.kind[..] {
        "RNN" => (Operator::Rnn, "i"),
        "LSTM" => (Operator::Lstm { input_forget: flag("input_forget")? }, "i, o, f, c"),
        "GRU" => (Operator::Gru { linear_before_reset: flag("linear_before_reset")? }, "z, r, h"),
        kind => return Err(unknown(format!("the kind {kind}"))),
    };
    options.only("gate_order", gates.to_owned())?;
    let direction = match attributes.optional::<String>("direction")?.as_deref() {
        None | Some("forward") => Direction::Forward,
        Some("reverse") => Direction::Reverse,
        Some("bidirectional") => Direction::Bidirectional,
        Some(other) => return Err(unknown(format!("direction = {other}"))),
    };
    let mut activations = operator.default_activations().repeat(direction.count());
    let (alphas, betas) = (attributes.optional("activation_alpha")?, attributes.optional("activation_beta")?);
    if let Some(names) = attributes.optional::<Vec<String>>("activations")? {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let list = |numbers: Option<Vec<f64>>| numbers.unwrap_or_default();
        activations = Activation::parse_all(&names, &list(alphas), &list(betas)).map_err(unknown)?;
    } else if alphas.is_some() || betas.is_some() {
        return Err(unknown("α or β of activations that aren't named"));
    }
    let [_, _, hidden] = case.shape("R")?;
    attributes.agrees("hidden_size", hidden)?;
    let batch_first = flag("layout")?;
    let node =
        Node { operator, hidden, direction, activations, clip: attributes.optional("clip")?, batch_first };
    attributes.all_known()?;

    let [first, second, _] = case.shape("X")?;
    let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
    let lengths = case.lengths("sequence_lens", steps, batch)?;
    let (x, w, r) = (case.array::<f32, Ix3>("X")?, case.array("W")?, case.array("R")?);
    let (b, p) = (optional::<Ix2>(case, "B")?, optional::<Ix2>(case, "P")?);
    let (h, c) = (optional::<Ix3>(case, "initial_h")?, optional::<Ix3>(case, "initial_c")?);
    case.all_known()?;
    let inputs = NodeInputs {
        x: x.view(),
        w: w.view(),
        r: r.view(),
        b: b.as_ref().map(|a| a.view()),
        sequence_lens: lengths.as_deref(),
        initial_h: h.as_ref().map(|a| a.view()),
        initial_c: c.as_ref().map(|a| a.view()),
        p: p.as_ref().map(|a| a.view()),
    };
    let way = |name, outputs: Result<NodeOutputs<f32>, Misfit>| {
        Ok(Way { name, results: results(&outputs.map_err(failed)?) })
    };
    let composed = way("composed", node.run_composed(&inputs))?;
    Ok(if node.is_fused(p.is_some()) {
        vec![way("fused", node.run(&inputs))?, composed]
    } else {
        vec![composed]
    })
}

fn optional<D: Dimension>(case: &Case, name: &str) -> Result<Option<Array<f32, D>>, Stop> {
    case.has(name).then(|| case.array(name)).transpose()
}

fn results(outputs: &NodeOutputs<f32>) -> StateDict {
    fn insert<D: Dimension>(results: &mut StateDict, name: &str, array: ArrayView<'_, f32, D>) {
        let numbers: Vec<f32> = array.iter().copied().collect();
        results.insert(name, Tensor::new(Dtype::F32, array.shape(), &numbers));
    }
    let mut results = StateDict::default();
    insert(&mut results, "Y", outputs.y.view());
    insert(&mut results, "Y_h", outputs.y_h.view());
    if let Some(y_c) = &outputs.y_c {
        insert(&mut results, "Y_c", y_c.view());
    }
    results
}
