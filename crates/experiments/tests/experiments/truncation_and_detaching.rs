use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Lstm1997, Network};
use longlag_experiments::Experiment;
use longlag_experiments::tasks::{Batch, Latch, Task};
use longlag_experiments::truncation_and_detaching::{
    Config, Recipe, TruncationAndDetaching, Windowed, chain_rule, cosines,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use longlag_train::Truncation;

const STEPS: usize = 12;

fn batch() -> Batch {
    let task = Latch {
        shortest: STEPS,
        longest: STEPS,
        signal: 1,
        noise_variance: 0.1,
        noisy_signal: false,
    };
    task.batch(5, &mut Rng::new(3))
}

fn network() -> (Network, Parameters<f64>) {
    let network = Network::new(Cell::Lstm, 1, 4, 1);
    let weights = network.parameters(&Initialisation::default(), &Rng::new(1));
    (network, weights)
}

/// The loss, and its gradient by windows.
fn by_windows(window: usize, carried: bool) -> (f64, Vec<f64>) {
    let (network, weights) = network();
    let truncation = Truncation::every(window);
    let model = Windowed { network, truncation, carried };
    let (tape, batch) = (Tape::new(), batch());
    let bound = tape.bind(&weights);
    let loss = batch.loss(model.answer(&batch, truncation, &bound));
    let gradient = loss.backward().of_parameters(&bound).to_vec();
    (loss.item(), gradient)
}

/// Windows change the gradient, and a carried state no value; a window of the whole length changes nothing.
#[test]
fn a_carried_state_leaves_the_values_as_they_are() {
    let (loss, whole) = by_windows(STEPS, false);
    let (same, cut) = by_windows(3, true);
    assert!((loss / same - 1.0).abs() < 1e-12 && whole != cut);
    let (other, _) = by_windows(3, false);
    assert!((loss / other - 1.0).abs() > 1e-9);
    let both = [true, false].map(|carried| by_windows(STEPS, carried).1);
    assert_eq!(both[0], both[1]);
}

/// The network of 1997 hands on its gates beside its output, which no read-out sees.
#[test]
fn one_window_answers_what_the_network_answers() {
    let cell = Cell::Lstm1997(Lstm1997 { block: 1, truncated: true });
    let network = Network::new(cell, 1, 4, 1);
    let weights: Parameters<f64> =
        network.parameters(&Initialisation::default(), &Rng::new(1));
    let (tape, batch) = (Tape::new(), batch());
    let bound = tape.bind(&weights);
    let truncation = Truncation::every(STEPS);
    let model =
        Windowed { network: network.clone(), truncation, carried: false };
    let answer = model.answer(&batch, truncation, &bound).value();
    assert_eq!(answer, batch.outputs(&network, &bound).value());
}

/// With fresh states only the last window counts: what came before it can't.
#[test]
fn a_fresh_window_sees_only_itself() {
    let (network, weights) = network();
    let truncation = Truncation::every(3);
    let model = Windowed { network, truncation, carried: false };
    let answer = |batch: &Batch| {
        let tape = Tape::new();
        model.answer(batch, truncation, &tape.bind(&weights)).value()
    };
    let first = batch();
    let mut second = first.clone();
    second.x.row_mut(0).fill(7.0);
    assert_eq!(answer(&first), answer(&second));
}

/// Published: .9, .36 and, in place of .108, .288.
#[test]
fn the_recipe_gives_what_was_published() {
    let recipe = Recipe { weight: 0.2, first: 0.9, clear: false };
    let near = |found: Vec<f64>, wanted: [f64; 3]| {
        for (a, b) in found.into_iter().zip(wanted) {
            assert!((a - b).abs() < 1e-15, "{a} against {b}");
        }
    };
    near(recipe.gradients(3), [0.9, 0.36, 0.288]);
    near(Recipe { clear: true, ..recipe }.gradients(3), [0.9, 0.36, 0.108]);
    near(chain_rule(0.2, 0.9, 3), [0.9, 0.36, 0.108]);
}

/// Only the output gate's way to the last output is cut nowhere: every block is of some length, and all lie from −1 to 1.
#[test]
fn cosines_are_of_every_block() {
    let cell = Cell::Lstm1997(Lstm1997 { block: 1, truncated: false });
    let network = Network::new(cell, 1, 4, 1);
    let weights = network.parameters(&Initialisation::default(), &Rng::new(1));
    let cosines = cosines(4, &batch(), &weights);
    assert!(cosines.iter().all(|c| (-1.0..=1.0).contains(c)), "{cosines:?}");
    assert!(cosines[6] > 0.0 && cosines[6] < 1.0 - 1e-9, "{cosines:?}");
}

#[test]
fn wrong_configs_are_refused() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        TruncationAndDetaching::check(&config).expect_err("a mistake").0
    };
    assert!(refused(&|c| c.task.longest = 60).contains("same length"));
    assert!(refused(&|c| c.windows = vec![7]).contains("divisors"));
    assert!(refused(&|c| c.judged = 7).contains("`judged` is 7"));
    assert!(refused(&|c| c.widths = vec![]).contains("`widths`"));
    assert!(TruncationAndDetaching::check(&Config::default()).is_ok());
}
