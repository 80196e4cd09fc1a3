//! How exact the elementary functions are, and what they give at the ends of their ranges.

#[path = "elementary/functions.rs"]
mod functions;

use functions::*;
use longlag_numerics::slice::pointwise;
use longlag_numerics::{Isa, Pointwise, Real, isa};

/// No function may be further from the exact value, in ulp.
const BOUND: f64 = 2.0;

/// A row of the table in `math`'s documentation.
struct Documented {
    /// The largest error in f32.
    single: f64,
    /// Where it is.
    at: f32,
    /// The largest error in f64.
    double: f64,
}

fn documented(name: &str) -> Documented {
    let start = format!("//! | `{name}` ");
    let row = include_str!("../src/math.rs").lines().find(|l| l.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("the table in math.rs has no row of `{name}`"));
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let number =
        |i: usize| cells[i].parse().unwrap_or_else(|_| panic!("{name}: `{}` is no number", cells[i]));
    Documented { single: number(2), at: cells[3].parse().expect("an f32"), double: number(4) }
}

/// The documented figure is the measured one, rounded up to two digits.
#[track_caller]
fn check_figure(name: &str, documented: f64, measured: f64) {
    assert!(measured <= BOUND, "{name}: {measured} ulp");
    assert!(
        measured <= documented && documented - 0.011 < measured,
        "{name}: math.rs says at most {documented} ulp, measured are {measured}"
    );
}

/// The distance of `got` from `exact` in ulp of an f32 of that size; subnormal numbers have the smallest.
fn ulps(got: f32, exact: f64) -> f64 {
    let exponent = (exact.to_bits() >> 52 & 0x7ff).max(1023 - 126);
    let ulp = f64::from_bits((exponent - 23) << 52);
    (f64::from(got) - exact).abs() / ulp
}

/// The largest error over the f32 whose bits are first, first + stride, … below `end`.
///
/// The reference is the f64 function, itself held to the table of exact values: its own error is below
/// 2⁻²⁸ ulp of f32.
fn largest_error<P: Pointwise<1, 1>>(p: &P, first: u32, end: u64, stride: u32) -> (f64, f32) {
    const N: usize = 4096;
    let (mut x, mut y) = (vec![0_f32; N], vec![0_f32; N]);
    let (mut wide, mut exact) = (vec![0_f64; N], vec![0_f64; N]);
    let mut largest = (0.0, 0.0);
    let mut bits = u64::from(first);
    while bits < end {
        for (x, wide) in x.iter_mut().zip(&mut wide) {
            *x = f32::from_bits(bits.min(end - 1) as u32);
            *wide = f64::from(*x);
            bits += u64::from(stride);
        }
        pointwise(p, [&x], [&mut y], false);
        pointwise(p, [&wide], [&mut exact], false);
        for ((&x, &y), &exact) in x.iter().zip(&y).zip(&exact) {
            // An exact value beyond f32's largest number, or not a number, must come out as it is.
            let same = y == exact as f32 || y.is_nan() && exact.is_nan();
            let error = if same && !y.is_finite() { 0.0 } else { ulps(y, exact) };
            if error.is_nan() || error > largest.0 {
                largest = (if error.is_nan() { f64::INFINITY } else { error }, x);
            }
        }
    }
    largest
}

/// Holds the f32 function to its bound and its documented figure: over every f32 from `from` to `to` of
/// both signs, where the function isn't trivial, and over every 251st f32 of all.
///
/// Without vector registers that would take minutes: the walk is then coarser.
#[track_caller]
fn check_single<P: Pointwise<1, 1>>(p: P, name: &str, from: f32, to: f32, stride: u32) {
    let stride = if isa::active() == Isa::Portable { 251 } else { stride };
    let documented = documented(name);
    let at = documented.at.to_bits();
    let mut walks = vec![largest_error(&p, 0, 1 << 32, 251), largest_error(&p, at, u64::from(at) + 1, 1)];
    for sign in [0, 1 << 31] {
        walks.push(largest_error(&p, from.to_bits() | sign, u64::from(to.to_bits() | sign) + 1, stride));
    }
    let (error, x) = walks.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).expect("four walks");
    check_figure(&format!("{name}({x:e}), bits {:#x}", x.to_bits()), documented.single, error);
}

// From here on upwards these functions are not simply 1, ½ or x. The upper ends are where they saturate.
const SMALL: f32 = 1.0 / (1 << 26) as f32;

#[test]
fn exp_single() {
    check_single(exp, "exp", SMALL, 104.5, 1);
}
#[test]
fn exp_m1_single() {
    check_single(exp_m1, "exp_m1", SMALL, 89.5, 1);
}
#[test]
fn tanh_single() {
    check_single(tanh, "tanh", SMALL, 10.5, 1);
}
#[test]
fn sigmoid_single() {
    check_single(sigmoid, "sigmoid", SMALL, 104.5, 1);
}
// The logarithms' range is too large to walk over every number.
#[test]
fn ln_single() {
    check_single(ln, "ln", 0.0, f32::MAX, 13);
}
#[test]
fn ln_1p_single() {
    check_single(ln_1p, "ln_1p", 0.0, f32::MAX, 13);
}

/// Holds the f64 function to `data/NAME.txt`, which `data/elementary.py` wrote. A line has x, the nearest
/// f64 to the exact value, both as bits in hexadecimal, and how far the exact value is above that, in
/// thousandths of an ulp.
#[track_caller]
fn check_double<P: Pointwise<1, 1>>(p: P, name: &str, table: &str) {
    let (mut x, mut exact) = (Vec::new(), Vec::new());
    for line in table.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| f64::from_bits(u64::from_str_radix(words[i], 16).expect("bits"));
        x.push(number(0));
        exact.push((number(1), words[2].parse::<f64>().expect("thousandths of an ulp") / 1000.0));
    }
    assert!(x.len() >= 4000, "{name}: the table has only {} lines", x.len());
    let mut y = vec![0.0; x.len()];
    pointwise(&p, [&x], [&mut y], false);
    let mut largest = (0.0, 0.0);
    for ((x, y), (nearest, above)) in x.into_iter().zip(y).zip(exact) {
        if !nearest.is_finite() {
            assert!(y == nearest || y.is_nan() && nearest.is_nan(), "{name}({x:e}) = {y:e}, not {nearest:e}");
            continue;
        }
        // Just below a power of two, the ulp is that of the numbers below.
        let below = nearest != 0.0 && above != 0.0 && (above < 0.0) == (nearest > 0.0);
        let inside = nearest.abs().to_bits() - u64::from(below);
        let ulp = f64::from_bits(inside | 1) - f64::from_bits(inside & !1);
        let error = ((y - nearest) / ulp - above).abs();
        if error.is_nan() || error > largest.0 {
            largest = (if error.is_nan() { f64::INFINITY } else { error }, x);
        }
    }
    check_figure(&format!("{name}({:e})", largest.1), documented(name).double, largest.0);
}

#[test]
fn exp_double() {
    check_double(exp, "exp", include_str!("data/exp.txt"));
}
#[test]
fn exp_m1_double() {
    check_double(exp_m1, "exp_m1", include_str!("data/exp_m1.txt"));
}
#[test]
fn ln_double() {
    check_double(ln, "ln", include_str!("data/ln.txt"));
}
#[test]
fn ln_1p_double() {
    check_double(ln_1p, "ln_1p", include_str!("data/ln_1p.txt"));
}
#[test]
fn tanh_double() {
    check_double(tanh, "tanh", include_str!("data/tanh.txt"));
}
#[test]
fn sigmoid_double() {
    check_double(sigmoid, "sigmoid", include_str!("data/sigmoid.txt"));
}

macro_rules! ends_and_symmetry {
    ($t:ident, $ends:ident, $symmetry:ident) => {
        #[test]
        fn $ends() {
            /// Equal with the sign of zeros; any NaN is like any other.
            #[track_caller]
            fn same(got: $t, expected: $t) {
                let nan = got.is_nan() && expected.is_nan();
                assert!(nan || got.to_bits() == expected.to_bits(), "{got:e}, not {expected:e}");
            }
            const INF: $t = $t::INFINITY;
            const NAN: $t = $t::NAN;
            // The smallest number, the smallest normal one, the largest.
            const LEAST: $t = $t::from_bits(1);
            const NORMAL: $t = $t::MIN_POSITIVE;
            const MOST: $t = $t::MAX;

            for nan in [NAN, -NAN] {
                for f in [Real::exp, Real::exp_m1, Real::ln, Real::ln_1p, Real::tanh, Real::sigmoid] {
                    same(f(nan), NAN);
                }
            }
            for (x, y) in [(0.0, 1.0), (-0.0, 1.0), (LEAST, 1.0), (-LEAST, 1.0)] {
                same(Real::exp(x), y);
            }
            for (x, y) in [(INF, INF), (-INF, 0.0), (MOST, INF), (-MOST, 0.0)] {
                same(Real::exp(x), y);
            }
            for (x, y) in [(INF, INF), (-INF, -1.0), (MOST, INF), (-MOST, -1.0)] {
                same(Real::exp_m1(x), y);
            }
            for (x, y) in [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF)] {
                same(Real::ln(x), y);
            }
            for x in [-LEAST, -NORMAL, -1.0, -MOST, -INF] {
                same(Real::ln(x), NAN);
            }
            for (x, y) in [(-1.0, -INF), (INF, INF)] {
                same(Real::ln_1p(x), y);
            }
            for x in [-1.0 - $t::EPSILON, -2.0, -MOST, -INF] {
                same(Real::ln_1p(x), NAN);
            }
            for (x, y) in [(INF, 1.0), (-INF, -1.0), (MOST, 1.0), (-MOST, -1.0)] {
                same(Real::tanh(x), y);
            }
            for (x, y) in [(INF, 1.0), (-INF, 0.0), (MOST, 1.0), (-MOST, 0.0)] {
                same(Real::sigmoid(x), y);
            }
            for x in [0.0, LEAST, -LEAST] {
                same(Real::sigmoid(x), 0.5);
            }
            // Nearest to x itself, with its sign.
            for x in [0.0, LEAST, 2.0 * LEAST, 3.0 * LEAST, NORMAL - LEAST, NORMAL, 3.0 * NORMAL] {
                for f in [Real::exp_m1, Real::ln_1p, Real::tanh] {
                    same(f(x), x);
                    same(f(-x), -x);
                }
            }
        }

        #[test]
        fn $symmetry() {
            // Steps coprime to powers of two, from 0 to the first NaN.
            let nan = $t::INFINITY.to_bits() + 1;
            for x in (0..nan).step_by((nan / 1_000_000 | 1) as usize).map($t::from_bits) {
                assert_eq!(Real::tanh(-x).to_bits(), (-Real::tanh(x)).to_bits(), "tanh of {x:e}");
                assert!((0.0..=1.0).contains(&Real::tanh(x)), "tanh({x:e}) = {:e}", Real::tanh(x));
                let (left, right) = (Real::sigmoid(-x), Real::sigmoid(x));
                assert!((0.0..=0.5).contains(&left), "sigmoid({:e}) = {left:e}", -x);
                assert!((0.5..=1.0).contains(&right), "sigmoid({x:e}) = {right:e}");
                // An error of 2 ulp is at most EPSILON on the right, half of that on the left; the sum rounds.
                assert!(
                    (left + right - 1.0).abs() <= 2.0 * $t::EPSILON,
                    "sigmoid(±{x:e}): {left:e}, {right:e}"
                );
            }
        }
    };
}
ends_and_symmetry!(f32, ends_single, symmetry_single);
ends_and_symmetry!(f64, ends_double, symmetry_double);
