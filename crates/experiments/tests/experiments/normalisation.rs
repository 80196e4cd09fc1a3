use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::Experiment;
use longlag_experiments::learner::Learnable;
use longlag_experiments::normalisation::{
    Config, Gains, Normalisation, NormalisedNetwork, NormalisedStep, growth,
};
use longlag_experiments::tasks::Task;
use longlag_numerics::random::Rng;
use longlag_probe::{OnTape, RecurrentStep};
use ndarray::{Array2, Array3, Axis};

const GAINS: Gains = Gains { state: 0.4, input: 0.7, eps: 1e-3 };

/// What is measured is what is trained: the step's states are those that outputs are read from.
#[test]
fn the_step_is_that_of_the_network() {
    let task = Config::default().task;
    let batch = task.batch(5, &mut Rng::new(2));
    for cell in [Cell::RnnTanh, Cell::Lstm] {
        let network = Network::new(cell, task.inputs(), 4, task.outputs());
        let network = NormalisedNetwork::new(network, Some(GAINS));
        let start = Initialisation::default();
        let rng = Rng::new(3);
        let parameters = network.parameters(&start, Some(GAINS), &rng);
        let exact = parameters.map(f64::from);
        let step = OnTape::new(NormalisedStep {
            network: &network,
            parameters: &exact,
        });
        let mut state = Array2::zeros((5, step.state_size()));
        for x in batch.x.axis_chunks_iter(Axis(0), 5) {
            state = step.step(x, state.view());
        }
        let tape = Tape::new();
        let h = state.slice_axis(Axis(1), (0..4).into()).to_owned();
        let bound = tape.bind(&exact);
        let h = tape.constant(&h.view());
        let expected = network.network.head.apply(&bound, h).value();
        let tape = Tape::new();
        let outputs = network.outputs(&batch, &tape.bind(&parameters)).value();
        for (a, b) in outputs.iter().zip(&expected) {
            // Forty steps in f32.
            assert!((f64::from(*a) - b).abs() < 1e-4, "{cell}: {a} {b}");
        }
    }
}

/// A small displacement of the states of all sequences grows as is said, through the statistics that they share.
#[test]
fn growth_is_that_of_a_small_displacement() {
    let (burn_in, steps, batch) = (3, 6, 4);
    let mut draw = Rng::new(5);
    let x = Array3::from_shape_simple_fn((burn_in + steps, batch, 1), || {
        draw.normal()
    });
    for (cell, gains) in [
        (Cell::Lstm, None),
        (Cell::Lstm, Some(GAINS)),
        (Cell::RnnTanh, Some(GAINS)),
    ] {
        let network =
            NormalisedNetwork::new(Network::new(cell, 1, 3, 1), gains);
        let parameters =
            network.parameters(&Initialisation::default(), gains, &Rng::new(1));
        let step = OnTape::new(NormalisedStep {
            network: &network,
            parameters: &parameters,
        });
        let found = growth(&step, x.view(), burn_in, &mut Rng::new(7));
        let shape = (batch, step.state_size());
        let mut direction = Rng::new(7);
        let v = Array2::from_shape_simple_fn(shape, || direction.normal());
        let mut near = Array2::zeros(shape);
        let mut states = [near.clone(), near.clone()];
        for (t, x) in x.outer_iter().enumerate() {
            if t == burn_in {
                near = &v * 1e-6;
                states = [&states[0] - &near, &states[1] + &near];
            }
            states = states.map(|s| step.step(x, s.view()));
        }
        let size =
            |a: &Array2<f64>| a.iter().map(|x| x * x).sum::<f64>().sqrt();
        let ratio = size(&(&states[1] - &states[0])) / size(&(2.0 * &near));
        let grown = longlag_numerics::Real::exp(
            found * steps as f64 / 100.0 * std::f64::consts::LN_10,
        );
        assert!(
            (ratio / grown - 1.0).abs() < 1e-6,
            "{cell}, {gains:?}: {ratio} {grown}"
        );
    }
}

#[test]
fn what_cannot_be_normalised_is_refused() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Normalisation::check(&config).expect_err("a mistake").0
    };
    let message = refused(&|c| c.sequences = 1);
    assert!(message.contains("`sequences` is 1"), "{message}");
    let message = refused(&|c| c.gammas = vec![0.1, 3.0]);
    assert!(message.contains("`gammas`"), "{message}");
    let message = refused(&|c| c.eps = vec![0.0]);
    assert!(message.contains("`eps` is [0.0]"), "{message}");
    let message = refused(&|c| c.learners[3].gamma = Some(1.0));
    assert!(message.contains("only RNN and LSTM"), "{message}");
    assert!(Normalisation::check(&Config::default()).is_ok());
}
