//! `longlag bench`.

use crate::cli::{BenchArgs, BenchCell, Dtype, Mode};
use crate::failure::{Failure, print};
use crate::limits::limits;
use longlag_autodiff::Tape;
use longlag_cells::{
    GRADIENT_FLOOR, Initialisation, Layer, Lengths, RecurrentCell, Sequence, SequenceGradients,
    SequenceInputs, SequenceOptions, SequenceShape, SequenceStates, State, Weights,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Pointwise, Real, Scalar, isa, slice};
use ndarray::{Array2, Axis};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What was measured; the field's names are those of the peers' benchmarks.
#[derive(Debug, Serialize)]
struct Measured {
    peer: &'static str,
    cell: BenchCell,
    mode: Mode,
    dtype: Dtype,
    threads: usize,
    isa: &'static str,
    vanishing: bool,
    composed: bool,
    #[serde(rename = "T")]
    steps: usize,
    #[serde(rename = "B")]
    batch: usize,
    #[serde(rename = "I")]
    input: usize,
    #[serde(rename = "H")]
    hidden: usize,
    ms_median: f64,
    ms_min: f64,
    repetitions: usize,
    gflops: f64,
}

/// Measures one layer and prints the result.
pub(crate) fn bench(args: BenchArgs) -> Result<(), Failure> {
    if args.limits {
        return limits(args.json);
    }
    let BenchArgs { seq_len, batch, input, hidden, .. } = args;
    if numbers(&args).is_none_or(|n| n > MOST_NUMBERS) {
        let advice = "take fewer steps, sequences or units";
        return Err(Failure::Usage(format!("the layer would need more memory than 64 GiB: {advice}")));
    }
    let shape = SequenceShape { steps: seq_len, batch, input, hidden };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
    let pool = pool.map_err(|error| {
        Failure::Work(format!("can't start the threads: {error}; give fewer by --threads"))
    })?;
    let times = pool.install(|| match (args.dtype, args.composed) {
        (Dtype::F32, false) => measure::<f32>(&args, shape),
        (Dtype::F64, false) => measure::<f64>(&args, shape),
        (Dtype::F32, true) => measure_composed::<f32>(&args, shape),
        (Dtype::F64, true) => measure_composed::<f64>(&args, shape),
    });
    let measured = summarise(&args, times);
    if args.json {
        let line = serde_json::to_string(&measured).expect("numbers and names become JSON");
        return print(&format!("{line}\n"));
    }
    let Measured { ms_median, ms_min, repetitions, gflops, isa, .. } = measured;
    print(&format!(
        "{ms_median:.4} ms, the median of {repetitions} (fastest {ms_min:.4} ms); {gflops:.1} GFLOP/s with {isa}\n"
    ))
}

/// More than any machine that this is for has room for.
const MOST_NUMBERS: usize = 1 << 33;

/// About how many numbers a training step takes, if there is a number for that: states with what is kept of them,
/// and weights with their copies and gradients.
fn numbers(args: &BenchArgs) -> Option<usize> {
    let BenchArgs { seq_len, batch, input, hidden, .. } = *args;
    let states = seq_len.checked_mul(batch)?.checked_mul(8 * hidden + input)?;
    let weights = (4 * args.cell.cell().gates().len() * hidden).checked_mul(hidden + input)?;
    states.checked_add(weights)
}

fn summarise(args: &BenchArgs, mut times: Vec<Duration>) -> Measured {
    times.sort_unstable();
    let n = times.len();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let ms_median = (ms(times[(n - 1) / 2]) + ms(times[n / 2])) / 2.0;
    let BenchArgs { seq_len, batch, input, hidden, .. } = *args;
    let passes = if args.mode == Mode::Fwd { 1 } else { 3 };
    let products = seq_len * batch * (input + hidden) * args.cell.cell().gates().len() * hidden;
    Measured {
        peer: "longlag",
        cell: args.cell,
        mode: args.mode,
        dtype: args.dtype,
        threads: args.threads,
        isa: isa::active().name(),
        vanishing: args.vanishing,
        composed: args.composed,
        steps: seq_len,
        batch,
        input,
        hidden,
        ms_median,
        ms_min: ms(times[0]),
        repetitions: n,
        gflops: (2 * passes * products) as f64 / ms_median / 1e6,
    }
}

/// One number times another.
struct Times(f64);
impl Pointwise<1, 1> for Times {
    #[inline(always)]
    fn apply<R: Real>(&self, [x]: [R; 1]) -> [R; 1] {
        [x * x.constant(self.0)]
    }
}

/// A layer with its weights, and an input (T·B, I).
fn draw<T: Float + Scalar>(args: &BenchArgs, shape: SequenceShape) -> (Layer, Parameters<T>, Array2<T>) {
    let SequenceShape { steps, batch, input, hidden } = shape;
    let rng = Rng::new(1);
    let layer = Layer::new("", args.cell.cell(), input, hidden);
    let mut parameters = Parameters::default();
    layer.push_parameters(&mut parameters, &Initialisation::default(), &rng);
    let mut draw = rng.stream("input");
    let x = Array2::from_shape_simple_fn((steps * batch, input), || T::of(draw.normal()));
    (layer, parameters, x)
}

/// Times one step after another: forward, or also mean(out²) and backward.
fn measure<T: Float + Scalar>(args: &BenchArgs, shape: SequenceShape) -> Vec<Duration> {
    let SequenceShape { steps, batch, input, hidden } = shape;
    let (layer, mut parameters, x) = draw::<T>(args, shape);
    let cell = layer.cell;
    if args.vanishing {
        shrink(&layer, &mut parameters);
    }
    let mut d_parameters = parameters.map(|_| T::ZERO);
    let zero = Array2::from_elem((batch, hidden), T::ZERO);
    let (train, with_x) = (args.mode != Mode::Fwd, args.mode == Mode::TrainDx);
    let floor = args.floor.map(|floor| if floor { GRADIENT_FLOOR } else { 0.0 });
    let options = SequenceOptions { backward: train, input_gradient: with_x, floor };
    let mut sequence = Sequence::<T>::new(cell, shape, options);

    let outputs = |rows| Array2::from_elem((rows, hidden), T::ZERO);
    let (mut h, mut last_h, mut last_c) = (outputs(steps * batch), outputs(batch), outputs(batch));
    let (mut d_h, mut d_x) = (outputs(if train { steps * batch } else { 1 }), None);
    if with_x {
        d_x = Some(Array2::from_elem((steps * batch, input), T::ZERO));
    }
    let inputs = SequenceInputs {
        weights: layer.views(&parameters),
        x: x.view(),
        start: State { h: zero.view(), c: cell.has_c().then(|| zero.view()) },
        lengths: Lengths::Full,
    };
    // The loss is the mean of the squares of all outputs, or of those of the last step.
    let first = if args.vanishing { (steps - 1) * batch } else { 0 };
    let step = || {
        let c = cell.has_c().then(|| last_c.view_mut());
        let last = State { h: last_h.view_mut(), c };
        sequence.forward(&inputs, SequenceStates { h: h.view_mut(), c: None, last });
        if !train {
            return;
        }
        let out = &h.as_slice().expect("whole rows")[first * hidden..];
        let loss = slice::norm(out);
        std::hint::black_box(loss * loss / out.len() as f64);
        let all = d_h.as_slice_mut().expect("whole rows");
        let (before, d_out) = all.split_at_mut(first * hidden);
        before.fill(T::ZERO);
        slice::pointwise(&Times(2.0 / out.len() as f64), [out], [d_out], false);
        d_parameters.values.fill(T::ZERO);
        if let Some(d_x) = &mut d_x {
            d_x.fill(T::ZERO);
        }
        // What comes from the last state alone is nothing.
        let c = cell.has_c().then(|| last_c.view_mut());
        let mut last = State { h: last_h.view_mut(), c };
        last.h.fill(T::ZERO);
        last.c.iter_mut().for_each(|c| c.fill(T::ZERO));
        let gradients = SequenceStates { h: d_h.view_mut(), c: None, last };
        let d_inputs = SequenceGradients { x: d_x.as_mut().map(|d| d.view_mut()), start: None };
        let d_weights = layer.views_mut(&mut d_parameters);
        sequence.backward(&inputs, h.view(), gradients, d_weights, d_inputs);
    };
    repeat(args.seconds, step)
}

/// The same step by step on a tape.
fn measure_composed<T: Float + Scalar>(args: &BenchArgs, shape: SequenceShape) -> Vec<Duration> {
    let SequenceShape { steps, batch, .. } = shape;
    let (layer, parameters, x) = draw::<T>(args, shape);
    let mut tape = Tape::new();
    repeat(args.seconds, || {
        tape.reset();
        let bound = tape.bind(&parameters);
        let x = if args.mode == Mode::TrainDx { tape.leaf(&x.view()) } else { tape.constant(&x.view()) };
        let mut outputs = Vec::with_capacity(steps);
        let start = layer.zero_state(&tape, batch);
        layer.unroll(&layer.weights(&bound), x, start, |_, state| outputs.push(state.h));
        if args.mode != Mode::Fwd {
            let output = tape.stack(&outputs);
            (output * output).mean().backward();
        }
    })
}

/// Times a step again and again, after two to warm up.
fn repeat(seconds: f64, mut step: impl FnMut()) -> Vec<Duration> {
    let mut timed = || {
        let start = Instant::now();
        step();
        start.elapsed()
    };
    timed();
    timed();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        times.push(timed());
    }
    times
}

/// Makes gradients vanish: recurrent weights a tenth, and no bias in an LSTM's forget gate.
fn shrink<T: Float + Scalar>(layer: &Layer, parameters: &mut Parameters<T>) {
    let Weights { mut w_hh, b_ih, b_hh, .. } = layer.views_mut(parameters);
    w_hh.map_inplace(|w| *w = *w * T::of(0.1));
    if let Some(gate) = layer.cell.gates().iter().position(|&gate| gate == "f") {
        for mut bias in [b_ih, b_hh] {
            let units = gate * layer.hidden..(gate + 1) * layer.hidden;
            bias.slice_axis_mut(Axis(1), units.into()).fill(T::ZERO);
        }
    }
}
