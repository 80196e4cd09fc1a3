//! Equations and reductions along slices: values, orders, bits.

use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Isa, Pointwise, Real, isa, slice};
use std::sync::Mutex;

/// Runs `f` with every instruction set and asserts that it always gives the same.
fn same_with_every_isa<R: PartialEq + std::fmt::Debug>(f: impl Fn() -> R) -> R {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let all: Vec<R> = Isa::available()
        .into_iter()
        .map(|set| {
            isa::cap(set).unwrap();
            f()
        })
        .collect();
    all.into_iter()
        .reduce(|a, b| {
            assert_eq!(a, b);
            a
        })
        .unwrap()
}

fn uniform<T: Float>(n: usize) -> Vec<T> {
    let mut rng = Rng::new(n as u64);
    (0..n).map(|_| T::from_f64(rng.uniform_in(-4.0, 4.0))).collect()
}

struct Gate;
impl Pointwise<3, 2> for Gate {
    #[inline(always)]
    fn apply<R: Real>(&self, [f, c, x]: [R; 3]) -> [R; 2] {
        let c = f.sigmoid() * c + f.one_minus() * x.tanh();
        [c, c.relu()]
    }
}

fn pointwise<T: Float>() {
    for n in (0..40).chain([100, 1000]) {
        let [f, c, x, start] = [0, 1, 2, 3].map(|i| uniform::<T>(n + i)[i..].to_vec());
        for accumulate in [false, true] {
            let expected: Vec<u64> = (0..n)
                .flat_map(|i| {
                    let zero = if accumulate { start[i] } else { T::ZERO };
                    Gate.apply([f[i], c[i], x[i]])
                        .map(|y| if accumulate { (zero + y).bits() } else { y.bits() })
                })
                .collect();
            let got = same_with_every_isa(|| {
                let (mut y, mut z) = (start.clone(), start.clone());
                slice::pointwise(&Gate, [&f, &c, &x], [&mut y, &mut z], accumulate);
                y.iter().zip(&z).flat_map(|(y, z)| [y.bits(), z.bits()]).collect::<Vec<_>>()
            });
            assert_eq!(got, expected, "{} × {n}", T::NAME);
        }
    }
}

#[test]
fn pointwise_is_the_scalar_equation() {
    pointwise::<f32>();
    pointwise::<f64>();
}

#[test]
#[should_panic(expected = "pointwise: the slices differ in length: [2, 3, 2] to [2, 2]")]
fn lengths_that_differ_panic() {
    let (mut y, mut z) = ([0.0; 2], [0.0; 2]);
    slice::pointwise(&Gate, [&[0.0; 2], &[0.0; 3], &[0.0; 2]], [&mut y, &mut z], false);
}

/// The order that the module states.
fn sum_as_stated(x: impl Iterator<Item = f64>) -> f64 {
    let mut parts = [0.0; 16];
    for (i, x) in x.enumerate() {
        parts[i % 16] += x;
    }
    let mut parts = parts.to_vec();
    while parts.len() > 1 {
        let (first, second) = parts.split_at(parts.len() / 2);
        parts = first.iter().zip(second).map(|(a, b)| a + b).collect();
    }
    parts[0]
}

fn reductions<T: Float>() {
    for n in (0..70).chain([1000, 1001]) {
        let x = uniform::<T>(n);
        let sum = same_with_every_isa(|| slice::sum(&x).to_bits());
        assert_eq!(sum, sum_as_stated(x.iter().map(|x| x.to_f64())).to_bits(), "{} × {n}", T::NAME);
        let norm = same_with_every_isa(|| slice::norm(&x).to_bits());
        let squares = sum_as_stated(x.iter().map(|x| x.to_f64() * x.to_f64()));
        assert_eq!(norm, squares.sqrt().to_bits(), "{} × {n}", T::NAME);
        let largest = same_with_every_isa(|| slice::max_abs(&x));
        assert_eq!(largest, x.iter().fold(0.0, |m: f64, x| m.max(x.to_f64().abs())));
    }
}

#[test]
fn reductions_take_the_stated_order() {
    reductions::<f32>();
    reductions::<f64>();
}

#[test]
fn a_norm_neither_overflows_nor_underflows() {
    for scale in [1e-323, 1e-310, 1e-300, 1e-200, 1e-150, 1e-100, 1.0, 1e100, 1e150, 1e200, 1e300, 3e307] {
        let norm = same_with_every_isa(|| slice::norm(&[3.0 * scale, 0.0, -4.0 * scale]));
        // The entries and the result are each rounded, to a multiple of 5e-324 at worst.
        let error = (norm - 5.0 * scale).abs();
        assert!(error <= 4.0 * f64::EPSILON * norm + 1.5e-323, "{scale:e}: {norm:e}");
    }
    assert_eq!(slice::norm(&[1e-300, 1e300]), 1e300);
    assert_eq!(slice::norm(&[1e308; 4]), f64::INFINITY, "2e308 is no f64");
    assert_eq!(slice::norm(&[f32::MAX; 4]), 2.0 * f64::from(f32::MAX));
    assert_eq!(slice::norm(&[f32::from_bits(1); 4]), 2.0 * f64::from(f32::from_bits(1)));
    assert_eq!(slice::norm::<f32>(&[]), 0.0);
}

#[test]
fn infinite_and_nan_entries() {
    for n in [1, 5, 16, 40] {
        for at in 0..n {
            let mut x = uniform::<f32>(n);
            x[at] = f32::NEG_INFINITY;
            assert_eq!(same_with_every_isa(|| slice::norm(&x)), f64::INFINITY);
            assert_eq!(same_with_every_isa(|| slice::max_abs(&x)), f64::INFINITY);
            x[(at + n / 2) % n] = f32::NAN;
            assert!(same_with_every_isa(|| slice::norm(&x).is_nan()), "{x:?}");
            assert!(same_with_every_isa(|| slice::max_abs(&x).is_nan() && slice::sum(&x).is_nan()), "{x:?}");
        }
    }
}
