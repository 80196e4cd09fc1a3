//! `load`: state dicts that PyTorch wrote, and files that may be damaged.

use super::case::{By, Case, Computed, Stop, Way, cell, failed, insert, unknown, ways};
use longlag_autodiff::Tape;
use longlag_cells::{Dtype, Embedding, Initialisation, Linear, Stack, StackRequest, StateDict, Tensor};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use std::collections::BTreeMap;

pub(super) fn run(case: &Case) -> Result<Computed, Stop> {
    match &case.kind[..] {
        "SafetensorsFile" => file(case),
        "StateDict" => state_dict(case),
        kind => Err(unknown(format!("the kind {kind}"))),
    }
}

/// Whether a file is refused, and all that it holds if not.
fn file(case: &Case) -> Result<Computed, Stop> {
    case.options.for_readers(&["variant", "reference_error"]);
    let bytes = case.file("file.safetensors")?;
    case.all_known()?;
    let read = StateDict::from_bytes(&bytes);
    let mut results = StateDict::default();
    let rejected = if read.is_err() { 1.0 } else { 0.0 };
    results.insert("rejected", Tensor::new(Dtype::U8, &[], &[rejected]));
    widen(&read.unwrap_or_default(), "tensor.", &mut results)?;
    Ok(vec![Way { name: "read", results }])
}

/// Adds all tensors in double precision.
fn widen(from: &StateDict, prefix: &str, results: &mut StateDict) -> Result<(), Stop> {
    for (name, tensor) in from.iter() {
        let numbers: Vec<f64> =
            tensor.numbers().ok_or_else(|| unknown(format!("the dtype {}", tensor.dtype())))?;
        insert(results, &format!("{prefix}{name}"), tensor.shape(), &numbers);
    }
    Ok(())
}

/// The output of embedding, recurrent layers and linear decoder with the weights of a file.
fn state_dict(case: &Case) -> Result<Computed, Stop> {
    let options = &case.options;
    let model = StateDict::from_bytes(&case.file("model.safetensors")?)
        .map_err(|error| failed(format!("model.safetensors: {error}")))?;
    let shape = |name: &str| match model.get(name).map(Tensor::shape) {
        Some(&[rows, columns]) if rows > 0 && columns > 0 => Ok([rows, columns]),
        _ => Err(failed(format!("model.safetensors: `{name}` is missing, or not a matrix"))),
    };
    let (cell, _) = cell(&options.get::<String>("mode")?)?;
    let [vocabulary, input] = shape("embedding.weight")?;
    let [_, hidden] = shape("encoder.weight_hh_l0")?;
    let [outputs, _] = shape("decoder.weight")?;
    let of_layers = |name: &&str| name.starts_with("encoder.weight_ih_l") && !name.ends_with("_reverse");
    let layers = model.iter().map(|(name, _)| name).filter(of_layers).count().max(1);
    let bidirectional = model.get("encoder.weight_ih_l0_reverse").is_some();
    let dtype = model.get("decoder.weight").map(Tensor::dtype).map(|dtype| dtype.to_string());
    options.agrees("vocabulary", vocabulary)?;
    options.agrees("embedding_dim", input)?;
    options.agrees("hidden_size", hidden)?;
    options.agrees("output_size", outputs)?;
    options.agrees("num_layers", layers)?;
    options.agrees("bidirectional", bidirectional)?;
    options.agrees("dtype", dtype.unwrap_or_default())?;
    let metadata: BTreeMap<String, String> = options.optional("metadata")?.unwrap_or_default();
    if &metadata != model.metadata() {
        return Err(failed(format!("model.safetensors: the metadata is {:?}", model.metadata())));
    }
    let [steps, batch] = case.shape("ids")?;
    let ids = case.indices("ids", vocabulary)?;
    case.all_known()?;

    let embedding = Embedding::new("embedding", vocabulary, input);
    let mut encoder = Stack::new("encoder.", cell, input, hidden, layers);
    if bidirectional {
        encoder = encoder.bidirectional();
    }
    let decoder = Linear::new("decoder", encoder.output(), outputs);
    let mut parameters = Parameters::<f64>::default();
    embedding.push_parameters(&mut parameters, &Rng::new(0));
    encoder.push_parameters(&mut parameters, &Initialisation::default(), &Rng::new(0));
    decoder.push_parameters(&mut parameters, &Rng::new(0));
    model.load_into(&mut parameters).map_err(|error| failed(format!("model.safetensors: {error}")))?;
    ways(&cell, |by| {
        let tape = Tape::new();
        let bound = tape.bind(&parameters);
        let x = embedding.apply(&bound, &ids);
        let request = StackRequest::default();
        let states = match by {
            By::Fused => encoder.apply(&bound, x, batch, request),
            By::Composed => encoder.composed(&bound, x, batch, request),
        };
        let output = decoder.apply(&bound, states.output);
        let mut results = StateDict::default();
        insert(&mut results, "output", &[steps, batch, outputs], &output.value());
        widen(&model, "weights.", &mut results)?;
        Ok(results)
    })
}
