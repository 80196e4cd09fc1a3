//! How long the elementary functions take along a slice that stays in the fastest cache, in every
//! instruction set, and `std`'s beside them.
// To compare with them.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/elementary/functions.rs"]
mod functions;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use functions::*;
use longlag_numerics::slice::pointwise;
use longlag_numerics::{Float, Isa, Pointwise, isa};
use std::hint::black_box;

const N: usize = 1024;

/// Points from `low` to `high`, out of order, so that no branch predictor learns them.
fn points<T: Float>(low: f64, high: f64) -> Vec<T> {
    (0..N).map(|i| T::from_f64(low + (high - low) * (i * 389 % N) as f64 / N as f64)).collect()
}

fn measure<T: Float, P: Pointwise<1, 1>>(
    c: &mut Criterion,
    p: P,
    name: &str,
    (low, high): (f64, f64),
    std: fn(T) -> T,
) {
    let x = points::<T>(low, high);
    let mut y = x.clone();
    let mut group = c.benchmark_group(format!("{name}/{}", T::NAME));
    group.throughput(Throughput::Elements(N as u64));
    for set in Isa::available() {
        isa::cap(set).expect("an available set");
        group.bench_function(set.name(), |b| {
            b.iter(|| pointwise(&p, [black_box(&x[..])], [&mut y[..]], false))
        });
    }
    group.bench_function("std", |b| {
        b.iter(|| black_box(&x).iter().zip(&mut y).for_each(|(&x, y)| *y = std(x)));
    });
    group.finish();
}

fn elementary(c: &mut Criterion) {
    macro_rules! both {
        ($name:ident, $range:expr, $std:expr) => {
            measure::<f32, _>(c, $name, stringify!($name), $range, $std);
            measure::<f64, _>(c, $name, stringify!($name), $range, $std);
        };
    }
    both!(exp, (-20.0, 20.0), |x| x.exp());
    both!(exp_m1, (-20.0, 20.0), |x| x.exp_m1());
    both!(ln, (1e-3, 20.0), |x| x.ln());
    both!(ln_1p, (-0.999, 20.0), |x| x.ln_1p());
    both!(tanh, (-10.0, 10.0), |x| x.tanh());
    both!(sigmoid, (-10.0, 10.0), |x| 1.0 / (1.0 + (-x).exp()));
}

criterion_group!(benches, elementary);
criterion_main!(benches);
