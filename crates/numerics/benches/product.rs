//! Matrix products at the sizes of recurrent networks, by instruction set, beside the definition's loops and
//! ndarray's general product (the `matrixmultiply` crate).
//!
//! `cargo bench -p longlag-numerics`: the throughput in Gelem/s is in multiply-adds; twice that is GFLOP/s.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Isa, isa, product};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, LinalgScalar};

fn uniform<T: Float>(rng: &mut Rng, rows: usize, columns: usize) -> Array2<T> {
    Array2::from_shape_simple_fn((rows, columns), || T::from_f64(rng.uniform_in(-1.0, 1.0)))
}

/// The three products of a layer of B = m rows, k inputs and n outputs.
fn layer<T: Float + LinalgScalar>(bench: &mut Criterion, (m, k, n): (usize, usize, usize)) {
    let mut group = bench.benchmark_group(format!("{} {m}x{k}x{n}", T::NAME));
    group.throughput(Throughput::Elements((m * k * n) as u64));
    let mut rng = Rng::new(1);
    let x = uniform::<T>(&mut rng, m, k);
    let w = uniform::<T>(&mut rng, n, k);
    let dz = uniform::<T>(&mut rng, m, n);
    let (mut z, mut dx, mut dw) = (dz.clone(), x.clone(), w.clone());
    let mut all = |name: &str, f: &mut dyn FnMut(Product<'_, T>)| {
        group.bench_function(BenchmarkId::new("x·Wᵀ", name), |b| {
            b.iter(|| f((x.view(), w.t(), z.view_mut(), false)));
        });
        group.bench_function(BenchmarkId::new("dz·W", name), |b| {
            b.iter(|| f((dz.view(), w.view(), dx.view_mut(), false)));
        });
        group.bench_function(BenchmarkId::new("dzᵀ·x", name), |b| {
            b.iter(|| f((dz.t(), x.view(), dw.view_mut(), true)));
        });
    };
    all("reference", &mut |(a, b, c, accumulate)| product::reference(a, b, c, accumulate));
    #[expect(clippy::disallowed_methods, reason = "the peer to compare with")]
    all("ndarray", &mut |(a, b, mut c, accumulate)| {
        general_mat_mul(T::ONE, &a, &b, if accumulate { T::ONE } else { T::ZERO }, &mut c);
    });
    for set in Isa::available() {
        isa::cap(set).expect("it is available");
        all(set.name(), &mut |(a, b, c, accumulate)| product::product(a, b, c, accumulate));
    }
}

type Product<'a, T> =
    (ndarray::ArrayView2<'a, T>, ndarray::ArrayView2<'a, T>, ndarray::ArrayViewMut2<'a, T>, bool);

fn layers(bench: &mut Criterion) {
    for size in [(1, 128, 512), (32, 2, 512), (32, 128, 512), (64, 512, 2048)] {
        layer::<f32>(bench, size);
    }
    layer::<f64>(bench, (32, 128, 512));
}

criterion_group!(benches, layers);
criterion_main!(benches);
