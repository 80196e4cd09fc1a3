//! The elementary functions have the same bits in registers of every width. The set in use is a matter of
//! the whole process, so this is a test program of its own, with one test.

#[path = "elementary/functions.rs"]
mod functions;

use functions::*;
use longlag_numerics::slice::pointwise;
use longlag_numerics::{Float, Isa, Pointwise, isa};

/// Numbers that ask most of the selections: ends of ranges, halfway points, both signs of everything.
fn unusual<T: Float>() -> Vec<T> {
    let ends = [0.0, f64::INFINITY, f64::NAN, 1e-45, 1.1e-38, 1.2e-38, 5e-324, 2.2e-308, 3.4e38, 1.7e308];
    let middle =
        [1e-30, 1e-9, 0.3465, 0.3466, 0.5, 1.0, 1.5, 2.0, 9.02, 19.1, 20.0, 40.0, 87.5, 88.8, 104.0, 708.5];
    let magnitudes = ends.into_iter().chain(middle);
    magnitudes.flat_map(|x| [T::from_f64(x), T::from_f64(-x)]).collect()
}

/// Numbers of all sizes and both signs, their bits a fixed step apart.
fn spread<T: Float>(from_bits: impl Fn(u64) -> T, bits: u32) -> Vec<T> {
    const COUNT: u64 = 200_003;
    (0..COUNT).map(|i| from_bits((u64::MAX >> (64 - bits)) / COUNT * i)).collect()
}

/// The bits, with one NaN for all.
fn bits<T: Float>(y: T) -> u64 {
    if y.to_f64().is_nan() { u64::MAX } else { y.bits() }
}

#[track_caller]
fn check<T: Float, P: Pointwise<1, 1>>(p: P, name: &str, values: &[T]) {
    let unusual = unusual::<T>();
    let lengths = (1..=40).flat_map(|n| (0..unusual.len()).step_by(5).map(move |from| (n, from)));
    let mut inputs: Vec<Vec<T>> =
        lengths.map(|(n, from)| unusual.iter().copied().cycle().skip(from).take(n).collect()).collect();
    inputs.push(values.to_vec());
    for set in Isa::available() {
        isa::cap(set).expect("an available set");
        for x in &inputs {
            let mut y = vec![T::ONE; x.len()];
            pointwise(&p, [x], [&mut y], false);
            for (&x, &y) in x.iter().zip(&y) {
                let [alone] = p.apply([x]);
                assert_eq!(
                    bits(y),
                    bits(alone),
                    "{name}({x:e}) of {} is {y:e} with {set}, {alone:e} alone",
                    T::NAME
                );
            }
        }
    }
}

#[test]
fn every_width_gives_the_bits_of_the_scalar() {
    let single = spread(|b| f32::from_bits(b as u32), 32);
    let double = spread(f64::from_bits, 64);
    macro_rules! each {
        ($($name:ident)*) => {$(
            check::<f32, _>($name, stringify!($name), &single);
            check::<f64, _>($name, stringify!($name), &double);
        )*};
    }
    isa::forget_runs();
    each!(exp exp_m1 ln ln_1p tanh sigmoid);
    assert_eq!(isa::ran(), Isa::available());
}
