//! How much memory a training step takes: what its arrays take, and little more.

use allocation_counter::measure;
use longlag_cells::{
    Cell, Initialisation, Layer, Lengths, Sequence, SequenceGradients,
    SequenceInputs, SequenceOptions, SequenceShape, SequenceStates, State,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use ndarray::Array2;

/// (T, B, I, H): the grid that speed is measured on.
const GRID: [[usize; 4]; 8] = [
    [100, 32, 2, 64],
    [200, 32, 2, 128],
    [750, 32, 2, 128],
    [784, 64, 1, 128],
    [100, 64, 128, 256],
    [50, 64, 512, 512],
    [35, 20, 650, 650],
    [100, 1, 2, 64],
];

/// The most that a step may take beyond its arrays: room to work in.
const MARGIN: f64 = 1.3;

/// The arrays of a training step of an LSTM, in numbers: for each unit and step five saved values (four gates
/// and c), h, and its gradient; the weights, the copies of them that are packed for the way there and the way
/// back, and their gradient.
fn arrays([steps, batch, input, hidden]: [usize; 4]) -> usize {
    let weights = 4 * hidden * (input + hidden + 2);
    let states = steps * batch * hidden;
    (5 + 1 + 1) * states + (1 + 2 + 1) * weights
}

/// A step of a layer whose weights are there.
fn step(
    [steps, batch, input, hidden]: [usize; 4],
    layer: &Layer,
    parameters: &Parameters<f32>,
) {
    let shape = SequenceShape { steps, batch, input, hidden };
    let options =
        SequenceOptions { input_gradient: false, ..SequenceOptions::default() };
    let mut sequence = Sequence::<f32>::new(Cell::Lstm, shape, options);
    let x = Array2::ones((steps * batch, input));
    let zero = Array2::zeros((batch, hidden));
    let mut h = Array2::zeros((steps * batch, hidden));
    let (mut last_h, mut last_c) = (zero.clone(), zero.clone());
    let inputs = SequenceInputs {
        weights: layer.views(parameters),
        x: x.view(),
        start: State { h: zero.view(), c: Some(zero.view()) },
        lengths: Lengths::Full,
    };
    sequence.forward(
        &inputs,
        SequenceStates {
            h: h.view_mut(),
            c: None,
            last: State { h: last_h.view_mut(), c: Some(last_c.view_mut()) },
        },
    );
    let mut d_h = Array2::ones((steps * batch, hidden));
    let mut d = parameters.map(|_| 0.0);
    sequence.backward(
        &inputs,
        h.view(),
        SequenceStates {
            h: d_h.view_mut(),
            c: None,
            last: State { h: last_h.view_mut(), c: Some(last_c.view_mut()) },
        },
        layer.views_mut(&mut d),
        SequenceGradients { x: None, start: None },
    );
    assert!(d.values.iter().all(|d| d.is_finite()));
}

#[test]
fn a_training_step_takes_little_more_than_its_arrays() {
    for shape in GRID {
        // The input is the caller's.
        let [steps, batch, input, hidden] = shape;
        let x = steps * batch * input * size_of::<f32>();
        let layer = Layer::new("", Cell::Lstm, input, hidden);
        let mut parameters = Parameters::<f32>::default();
        let start = Initialisation::default();
        layer.push_parameters(&mut parameters, &start, &Rng::new(1));
        let weights = size_of_val(&parameters.values[..]);
        let most = measure(|| step(shape, &layer, &parameters)).bytes_max;
        let most = most as usize + weights - x;
        let ratio = most as f64 / (arrays(shape) * size_of::<f32>()) as f64;
        println!("{shape:?}: {most} bytes, {ratio:.3} of the arrays");
        assert!(ratio <= MARGIN, "{shape:?}: {ratio:.3} of the arrays");
        // What measures this must see the arrays at least.
        assert!(ratio > 0.8, "{shape:?}: {ratio:.3} of the arrays");
    }
}
