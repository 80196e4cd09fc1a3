//! The page "Bringing your own weights" as a program you can change.
//!
//! `cargo run --release --example bringing_your_own_weights`

use longlag_autodiff::{Bound, Tape, Var};
use longlag_cells::{
    Cell, Dtype, Initialisation, Linear, Stack, StackRequest, StateDict,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use ndarray::Array2;
use std::error::Error;
use std::io::{self, Write};

type Problem = Box<dyn Error + Send + Sync>;

const STEPS: usize = 6;
const BATCH: usize = 2;

// ANCHOR: network
/// What in PyTorch is a module with
/// `encoder = nn.LSTM(3, 8, num_layers=2, bidirectional=True)` and
/// `decoder = nn.Linear(16, 2)`.
struct Tagger {
    encoder: Stack,
    decoder: Linear,
}

impl Tagger {
    fn new() -> Tagger {
        let encoder = Stack::new("encoder.", Cell::Lstm, 3, 8, 2);
        let encoder = encoder.bidirectional();
        let decoder = Linear::new("decoder", encoder.output(), 2);
        Tagger { encoder, decoder }
    }

    /// Places for its weights, with random numbers in them.
    fn parameters(&self, seed: u64) -> Parameters<f32> {
        let (start, rng) = (Initialisation::default(), Rng::new(seed));
        let mut parameters = Parameters::default();
        self.encoder.push_parameters(&mut parameters, &start, &rng);
        self.decoder.push_parameters(&mut parameters, &rng);
        parameters
    }

    /// From inputs (T·B, 3) to outputs (T·B, 2).
    fn apply<'t>(
        &self,
        parameters: &Bound<'t, '_, f32>,
        x: Var<'t, f32>,
        batch: usize,
    ) -> Var<'t, f32> {
        let request = StackRequest::default();
        let states = self.encoder.apply(parameters, x, batch, request);
        self.decoder.apply(parameters, states.output)
    }
}
// ANCHOR_END: network

// ANCHOR: run
/// The outputs for some sequences, with the weights of a file.
fn run_with(bytes: &[u8], x: &Array2<f32>) -> Result<Array2<f32>, Problem> {
    let tagger = Tagger::new();
    let mut parameters = tagger.parameters(0);
    StateDict::from_bytes(bytes)?.load_into(&mut parameters)?;

    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    Ok(tagger.apply(&bound, tape.constant(&x.view()), BATCH).value())
}
// ANCHOR_END: run

/// Writes the weights in each dtype, and runs the network with what is read.
fn all_dtypes(out: &mut impl Write) -> Result<(), Problem> {
    let mut draw = Rng::new(1).stream("input");
    let x = Array2::from_shape_simple_fn((STEPS * BATCH, 3), || {
        draw.normal() as f32
    });
    // ANCHOR: write
    let trained = Tagger::new().parameters(1);
    let file = |dtype| StateDict::from_parameters(&trained, dtype).to_bytes();
    // ANCHOR_END: write
    let exact = run_with(&file(Dtype::F32), &x)?;
    writeln!(out, "dtype   bytes  farthest output")?;
    for dtype in [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16] {
        let bytes = file(dtype);
        let off = run_with(&bytes, &x)? - &exact;
        let most = off.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let dtype = dtype.to_string();
        writeln!(out, "{dtype:<6}{:>7}  {most:.1e}", bytes.len())?;
    }
    Ok(())
}

/// Prints the first tensors of a file, and what doesn't fit.
fn names_and_misfits(out: &mut impl Write) -> Result<(), Problem> {
    let bytes =
        StateDict::from_parameters(&Tagger::new().parameters(1), Dtype::F32)
            .to_bytes();
    let state_dict = StateDict::from_bytes(&bytes)?;
    writeln!(out)?;
    for (name, tensor) in state_dict.iter().take(6) {
        let (dtype, shape) = (tensor.dtype(), tensor.shape());
        writeln!(out, "{name:<28}{dtype} {shape:?}")?;
    }
    writeln!(out, "and {} more", state_dict.iter().len() - 6)?;

    // ANCHOR: misfit
    let decoder = Linear::new("decoder", 8, 2);
    let mut other = Parameters::<f32>::default();
    decoder.push_parameters(&mut other, &Rng::new(0));

    let mut part = state_dict.clone();
    part.retain(|name| name.starts_with("decoder."));
    if let Err(misfit) = part.load_into(&mut other) {
        writeln!(out, "\n{}", folded(&misfit))?;
    }
    if let Err(damaged) = StateDict::from_bytes(&bytes[..5000]) {
        writeln!(out, "\n{}", folded(&damaged))?;
    }
    // ANCHOR_END: misfit
    Ok(())
}

/// Writes weights, reads them, and runs a network with them.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let all = all_dtypes(out).and_then(|()| names_and_misfits(out));
    all.map_err(io::Error::other)
}

/// A message in lines that fit the page.
fn folded(message: &impl ToString) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in message.to_string().split_whitespace() {
        let fits = width + word.len() < 78;
        text += if text.is_empty() {
            ""
        } else if fits {
            " "
        } else {
            "\n"
        };
        width = if fits { width } else { 0 } + word.len() + 1;
        text += word;
    }
    text
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}
