//! What a trained memory has to beat.

use super::{Batch, Task};
use crate::readout::{Examples, linear};
use longlag_autodiff::Tape;
use longlag_cells::{Initialisation, Layer, Network};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use ndarray::Array2;

/// What is reached without the memory that a task is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// What answers, such as `constant`.
    pub name: &'static str,
    /// The largest share of sequences that it can answer rightly.
    pub success: f64,
    /// The smallest expected loss it can have. Not always of the same answers: of two classes, naming one is
    /// right half of the time, and giving each one half costs least.
    pub loss: f64,
}

// ANCHOR: frozen
/// What a network answers whose recurrent weights stay as they are and
/// whose read-out alone is trained: by least squares on `known`. The
/// outputs for `asked`, (B, O) or (T·B, O).
///
/// Of classes, the squares are those of the distance to 1 and 0.
pub fn frozen(
    layer: &Layer,
    at: &Parameters<f32>,
    known: &Batch,
    asked: &Batch,
) -> Array2<f64> {
    let [states, asked] = [known, asked].map(|batch| {
        let tape = Tape::new();
        let h = batch.states(layer, &tape.bind(at));
        h.value().mapv(f64::from)
    });
    linear(Examples { states: &states, answers: &known.target }, &asked)
}
// ANCHOR_END: frozen

/// How weights are guessed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guesses {
    /// Every parameter is drawn from between minus this and this.
    pub reach: f64,
    /// How many sequences a guess must answer rightly, every one.
    pub sequences: usize,
    /// After how many guesses to give up.
    pub most: u64,
}

impl Guesses {
    /// As in the paper: weights from −100 to 100, 100 sequences.
    pub fn of_2001(most: u64) -> Guesses {
        Guesses { reach: 100.0, sequences: 100, most }
    }
}

// ANCHOR: guess
/// Random weight guessing: draws all parameters of a network anew until
/// it solves the task. How many guesses that took, if it did. Outputs pass
/// through the logistic function, as theirs do; answers lie from 0 to 1.
///
/// Sources: Hochreiter & Schmidhuber 1997, who say that it solves the
/// two-sequence problem faster than training does; Schmidhuber, Hochreiter
/// & Bengio 2001, "Evaluating benchmark problems by random guessing".
pub fn guess(
    task: &dyn Task,
    network: &Network,
    guesses: Guesses,
    rng: &Rng,
) -> Option<u64> {
    let Guesses { reach, sequences, most } = guesses;
    // Nearly all guesses fail on the first few sequences.
    let batches = [sequences.min(4), sequences]
        .map(|size| task.batch(size, &mut rng.stream("sequences")));
    let mut draw = rng.stream("weights");
    let mut at: Parameters<f32> =
        network.parameters(&Initialisation::default(), rng);
    let mut tape = Tape::new();
    (1..=most).find(|_| {
        at.values.fill_with(|| draw.uniform_in(-reach, reach) as f32);
        batches.iter().all(|batch| {
            tape.reset();
            let outputs = batch.outputs(network, &tape.bind(&at)).value();
            let outputs = outputs.mapv(|o| f64::from(o).sigmoid());
            batch.right(outputs.view()).into_iter().all(|right| right)
        })
    })
}
// ANCHOR_END: guess
