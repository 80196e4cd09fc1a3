//! The loops of the sequence kernels at the sizes of an LSTM with H = 128 and B = 16, by instruction set.
//!
//! `cargo bench -p longlag-numerics --bench panel`: the throughput in Gelem/s is in multiply-adds (twice that is
//! GFLOP/s), for the equations in units.

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use longlag_numerics::panel::{
    Columns, Layout, Matrix, Operand, SEGMENT, Segments, Start, accumulate, map, multiply,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Buffer, Isa, Pointwise, Real, isa};

const BATCH: usize = 16;
const HIDDEN: usize = 128;
const GATES: usize = 4;

fn uniform(rng: &mut Rng, len: usize) -> Buffer<f32> {
    let mut room = Buffer::new();
    room.resize(len, 0.0);
    room.fill_with(|| rng.uniform_in(-1.0, 1.0) as f32);
    room
}

/// a (16, k) times b (k, n): forward b has the rows of the state, two inputs; back those of the gates.
fn multiplied(bench: &mut Bencher, k: usize, n: usize) {
    let mut rng = Rng::new(1);
    let [of_a, of_b, of_c] =
        [Layout::row_major(1, BATCH, k), Layout::panels(1, k, n), Layout::panels(1, BATCH, n)];
    let [a, b, mut c] = [of_a, of_b, of_c].map(|layout| uniform(&mut rng, layout.len()));
    let operand = Operand { a: Matrix::read(&a, of_a), b: Matrix::read(&b, of_b) };
    let c = Matrix::write(&mut c, of_c);
    bench.iter(|| multiply(Start::Zero, &[operand], c));
}

/// The gradient of the weights of state, inputs and bias, from eight steps.
fn accumulated(bench: &mut Bencher, k: usize, m: usize, n: usize) {
    let mut rng = Rng::new(1);
    let [of_a, of_b, of_c] = [Layout::row_major(1, k, m), Layout::panels(1, k, n), Layout::panels(1, m, n)];
    let [a, b, mut c] = [of_a, of_b, of_c].map(|layout| uniform(&mut rng, layout.len()));
    let mut room = uniform(&mut rng, Columns::<f32>::len_of(k, m));
    let mut columns = Columns::new(&mut room, k, m);
    columns.put(0, 0, Matrix::read(&a, of_a));
    let (b, c) = (Matrix::read(&b, of_b), Matrix::write(&mut c, of_c));
    bench.iter(|| accumulate(&columns, b, c));
}

/// The equations of an LSTM: sums and c to gates, the next c and h.
struct Lstm;
impl Pointwise<5, 6> for Lstm {
    #[inline(always)]
    fn apply<R: Real>(&self, [i, f, g, o, c]: [R; 5]) -> [R; 6] {
        let (i, f, g, o) = (i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid());
        let c = f * c + i * g;
        [i, f, g, o, c, o * c.tanh()]
    }
}

/// The gates in place of their sums; h row-major, as a user gets it.
fn mapped(bench: &mut Bencher) {
    let mut rng = Rng::new(1);
    let of_units = Layout::panels(1, BATCH, HIDDEN);
    let layouts =
        [Layout::panels(1, BATCH, GATES * HIDDEN), of_units, of_units, Layout::row_major(1, BATCH, HIDDEN)];
    let mut rooms = layouts.map(|layout| uniform(&mut rng, layout.len()));
    let mut all = rooms.iter_mut().zip(layouts).map(|(room, layout)| Matrix::write(room, layout));
    let [sums, c_prev, c, h] = std::array::from_fn(|_| all.next().expect("one for each"));
    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| Segments { matrix: sums, first: gate, every: GATES });
    let [c_prev, c, h] = [c_prev, c, h].map(|matrix| Segments { matrix, first: 0, every: 1 });
    bench.iter(|| {
        map(&Lstm, BATCH, 0..HIDDEN / SEGMENT, &[i, f, g, o, c_prev], &[i, f, g, o, c, h]);
    });
}

fn parts(bench: &mut Criterion) {
    let (sums, factors, rows) = (GATES * HIDDEN, HIDDEN + 2, 8 * BATCH);
    let mut group = bench.benchmark_group("f32 H=128 B=16");
    for set in Isa::available() {
        isa::cap(set).expect("it is available");
        group.throughput(Throughput::Elements((BATCH * factors * sums) as u64));
        group.bench_function(format!("multiply/{set}"), |b| multiplied(b, factors, sums));
        group.throughput(Throughput::Elements((BATCH * sums * HIDDEN) as u64));
        group.bench_function(format!("multiply back/{set}"), |b| multiplied(b, sums, HIDDEN));
        group.throughput(Throughput::Elements((rows * (factors + 1) * sums) as u64));
        group.bench_function(format!("accumulate/{set}"), |b| accumulated(b, rows, factors + 1, sums));
        group.throughput(Throughput::Elements((BATCH * HIDDEN) as u64));
        group.bench_function(format!("map/{set}"), mapped);
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
