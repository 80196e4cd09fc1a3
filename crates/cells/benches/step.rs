//! A layer forward and backward on the tape in f32, step by step and by the fused kernel:
//! `cargo bench -p longlag-cells`.
//!
//! The loss is the mean of the squares of all outputs, so that gradients stay far above the smallest normal
//! numbers, below which arithmetic is slow.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Layer, State};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;

/// (T, B, I, H).
const SIZES: [[usize; 4]; 2] = [[64, 32, 1, 48], [200, 32, 2, 128]];

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward and backward");
    group.sample_size(20);
    for [steps, batch, input, hidden] in SIZES {
        for cell in [Cell::Lstm, Cell::Gru, Cell::RnnTanh] {
            let layer = Layer::new("", cell, input, hidden);
            let mut parameters = Parameters::<f32>::default();
            let rng = Rng::new(1);
            layer.push_parameters(
                &mut parameters,
                &Initialisation::default(),
                &rng,
            );
            let mut draw = rng.stream("input");
            let rows = steps * batch;
            let x: Vec<f32> =
                (0..rows * input).map(|_| draw.normal() as f32).collect();
            let mut tape = Tape::new();
            let size = format!("{steps}x{batch}x{input}x{hidden}");
            for way in ["fused", "composed"] {
                let id = BenchmarkId::new(format!("{cell}, {way}"), &size);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        tape.reset();
                        let bound = tape.bind(&parameters);
                        let x = tape.constant_with(rows, input, |values| {
                            values.copy_from_slice(&x)
                        });
                        let w = layer.weights(&bound);
                        let start = layer.zero_state(&tape, batch);
                        let output = if way == "fused" {
                            layer.sequence(&w, x, start).h
                        } else {
                            let mut outputs = Vec::with_capacity(steps);
                            let each = |_, state: State<_>| {
                                outputs.push(state.h);
                            };
                            layer.unroll(&w, x, start, each);
                            tape.stack(&outputs)
                        };
                        let grads = (output * output).mean().backward();
                        grads.of_parameters(&bound)[0]
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
