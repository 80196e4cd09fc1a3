//! Elementary functions from correctly rounded operations.
//!
//! The key decision: **no branches, no tables, one text for all registers.** Each function is a fixed
//! sequence of additions, products, fused multiply-adds, divisions and selections over [`Lanes`], so a
//! number has the same result alone and in a register of any width. `f32` and `f64` differ in their
//! constants only ([`Elementary`]).
//!
//! The largest errors, in ulp of the exact value (where that is subnormal, of the smallest number). Those
//! of `f32` were found over all 2³² inputs, and `at` is where; a test reads this table and measures again, over
//! all inputs where `exp`, `exp_m1`, `tanh` and `sigmoid` are not trivial and over every 13th for the
//! logarithms. Those of `f64` are over the points in `tests/data`, which has the worst of a million and more
//! for each function.
//!
//! | function  | f32  | at         | f64  |
//! |-----------|------|------------|------|
//! | `exp`     | 0.93 | 5.199918   | 0.88 |
//! | `exp_m1`  | 1.33 | 17.13998   | 1.35 |
//! | `ln`      | 0.84 | 1.4133185  | 0.81 |
//! | `ln_1p`   | 1.40 | 0.42367855 | 1.41 |
//! | `tanh`    | 1.88 | 0.5013354  | 1.60 |
//! | `sigmoid` | 1.65 | -1.0993261 | 1.69 |
//!
//! `tanh` is exactly odd and never beyond ±1; `sigmoid` is never outside 0 to 1.
//!
//! Sources: the reduction of the exponential's argument is W. J. Cody and W. Waite's (*Software Manual for
//! the Elementary Functions*, 1980). The logarithm's form around 1 is that of fdlibm's `e_log.c` (Sun
//! Microsystems, 1993). The polynomials are our own: `tests/data/minimax.py` makes them.

use crate::lanes::Lanes;
use crate::real::Real;

/// The constants that the elementary functions of a number type are made with.
pub trait Elementary: Sized + 'static {
    /// log₂ e.
    const LOG2_E: Self;
    /// ln 2 as a sum: the nearest number, and the rest.
    const LN_2: [Self; 2];
    /// Whether `tanh` takes three operations more to stay well below 2 ulp. The error in `f32` is known for
    /// every input, so that it may come near; that in `f64` is not.
    const TANH_MARGIN: bool;
    /// q in eʳ = 1 + r + r² q(r) for |r| ≤ ½ ln 2; lowest degree first.
    const EXP: &'static [Self];
    /// R in ln(1 + f) = 2s + s z R(z) with s = f / (2 + f), z = s², for 1 + f from √½ to √2.
    const LN: &'static [Self];
    /// Up to here eˣ rounds to 0.
    const EXP_ZERO: Self;
    /// From here on eˣ is infinite.
    const EXP_INFINITE: Self;
    /// From here on 1 ± e⁻ˣ rounds to 1.
    const SATURATED: Self;
}

impl Elementary for f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2: [f32; 2] = [std::f32::consts::LN_2, -1.904_654_3e-9];
    const TANH_MARGIN: bool = false;
    const EXP: &'static [f32] = &[0.49999997, 0.16666546, 0.041667443, 0.008366254, 0.0013869914];
    const LN: &'static [f32] = &[0.66666776, 0.39977586, 0.29870695];
    const EXP_ZERO: f32 = -104.0;
    const EXP_INFINITE: f32 = 89.0;
    const SATURATED: f32 = 20.0;
}

impl Elementary for f64 {
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    const LN_2: [f64; 2] = [std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17];
    const TANH_MARGIN: bool = true;
    const EXP: &'static [f64] = &[
        0.5000000000000006,
        0.16666666666666646,
        0.041666666666575994,
        0.008333333333360702,
        0.0013888888931481683,
        0.00019841269770624572,
        2.4801505512983427e-05,
        2.7557368276367015e-06,
        2.7625921869883017e-07,
        2.5064594651919417e-08,
    ];
    const LN: &'static [f64] = &[
        0.6666666666666734,
        0.3999999999941709,
        0.2857142874187133,
        0.2222219862454945,
        0.18183561735225132,
        0.1531411486549919,
        0.1479532571126122,
    ];
    const EXP_ZERO: f64 = -746.0;
    const EXP_INFINITE: f64 = 710.0;
    const SATURATED: f64 = 40.0;
}

/// c₀ + c₁x + c₂x² + … by Horner's rule.
#[inline(always)]
fn polynomial<L: Lanes>(x: L, c: &[L::Element]) -> L {
    let mut sum = x.fill(c[c.len() - 1]);
    for i in (0..c.len() - 1).rev() {
        sum = sum.mul_add(x, x.fill(c[i]));
    }
    sum
}

/// n and r of x = n ln 2 + r with |r| ≤ ½ ln 2.
///
/// The first step is nearly exact, for x and n·`LN_2[0]` are close; r is off by n·`LN_2[1]`.
#[inline(always)]
fn reduce<L: Lanes>(x: L) -> (L, L) {
    let n = (x * x.fill(L::Element::LOG2_E)).round();
    (n, n.neg_mul_add(x.fill(L::Element::LN_2[0]), x))
}

/// eˣ of an x in the range where it is neither 0 nor infinite, or not far outside.
#[inline(always)]
fn exp_in_range<L: Lanes>(x: L) -> L {
    let one = x.constant(1.0);
    let (n, r) = reduce(x);
    let r = n.neg_mul_add(x.fill(L::Element::LN_2[1]), r);
    polynomial(r, L::Element::EXP).mul_add(r, one).mul_add(r, one).scale(n)
}

/// eˣ.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    exp_in_range(x.at_least(x.fill(L::Element::EXP_ZERO)).at_most(x.fill(L::Element::EXP_INFINITE)))
}

/// eˣ − 1 = 2ⁿ · ((1 − 2⁻ⁿ) + (eʳ − 1)).
#[inline(always)]
pub(crate) fn exp_m1<L: Lanes>(x: L) -> L {
    let one = x.constant(1.0);
    let in_range = x.at_least(x.fill(-L::Element::SATURATED)).at_most(x.fill(L::Element::EXP_INFINITE));
    let (n, high) = reduce(in_range);
    let low = x.fill(L::Element::LN_2[1]);
    let r = n.neg_mul_add(low, high);
    // What the rounding of r lost: 1 − 2⁻ⁿ and r may cancel.
    let lost = n.neg_mul_add(low, high - r);
    let tail = polynomial(r, L::Element::EXP).mul_add(r * r, lost);
    // The sign of x is that of the result, and keeps −0.
    ((one - one.scale(-n)) + r + tail).scale(n).copysign(x)
}

/// tanh x = h / (h + 1) with h = ½ (e^(2|x|) − 1).
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(x: L) -> L {
    let (one, half) = (x.constant(1.0), x.constant(0.5));
    let twice = (x.abs() + x.abs()).at_most(x.fill(L::Element::SATURATED));
    let (n, r) = reduce(twice);
    let mut tail = polynomial(r, L::Element::EXP) * (r * r);
    if L::Element::TANH_MARGIN {
        tail = n.neg_mul_add(x.fill(L::Element::LN_2[1]), tail);
    }
    let scale = (n - one).pow2();
    let h = scale.mul_add(tail, scale.mul_add(r, scale - half));
    // The quotient alone would gather the roundings of h, of h + 1 and its own: up to 2.6 ulp. Written as
    // h − h·h/(h + 1) where h is small, and else as 1 − 1/(h + 1) or ½ − ½(1 − h)/(h + 1), it corrects a
    // number that has fewer. The last is the most exact and takes two operations more than 1 − 1/(h + 1).
    let (small, start, fall) =
        if L::Element::TANH_MARGIN { (std::f64::consts::LN_2, half, one - h) } else { (1.0, one, one) };
    let small = twice.lt(x.constant(small));
    let (start, fall) = (L::pick(small, h, start), L::pick(small, h, fall));
    start.neg_mul_add(fall / (h + one), start).copysign(x)
}

/// σ(x) = t / (1 + t) for x < 0 and 1 / (1 + t) otherwise, with t = e^(−|x|).
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: L) -> L {
    let one = x.constant(1.0);
    let t = exp_in_range((-x.abs()).at_least(x.fill(L::Element::EXP_ZERO)));
    // As in `tanh`: t − t·t/(1 + t), or 1 − t/(1 + t), is more exact than the quotient.
    let start = L::pick(x.lt(x.constant(0.0)), t, one);
    start.neg_mul_add(t / (t + one), start)
}

/// The e for which x · 2⁻ᵉ is from √½ to √2, of a normal x that is not the smallest.
#[inline(always)]
fn nearest_exponent<L: Lanes>(x: L) -> L {
    (x * x.constant(std::f64::consts::FRAC_1_SQRT_2)).exponent() + x.constant(1.0)
}

/// ln(2ᵉ · (1 + f)), 1 + f from √½ to √2.
#[inline(always)]
fn ln_of_parts<L: Lanes>(e: L, f: L) -> L {
    let s = f / (f + f.constant(2.0));
    let z = s * s;
    let r = polynomial(z, L::Element::LN) * z;
    // f − ½f² + … rather than 2s + …: the first terms then have no rounding of s.
    let h = f.constant(0.5) * f * f;
    let near = f - (h - s.mul_add(h + r, e * f.fill(L::Element::LN_2[1])));
    e.mul_add(f.fill(L::Element::LN_2[0]), near)
}

/// `y` where x is above `pole` and finite; −∞ at the pole, NaN below it, ∞ at ∞.
#[inline(always)]
fn with_pole<L: Lanes>(x: L, pole: f64, y: L) -> L {
    let (pole, infinite) = (x.constant(pole), x.constant(f64::INFINITY));
    let outside = L::pick(x.eq(pole), -infinite, x.constant(f64::NAN));
    L::pick(pole.lt(x), L::pick(x.eq(infinite), infinite, y), outside)
}

/// ln x.
#[inline(always)]
pub(crate) fn ln<L: Lanes>(x: L) -> L {
    // Multiplied by 2⁶⁴, subnormal numbers are normal.
    let tiny = x.lt(x.constant(1.0 / TWO_64));
    let normal = L::pick(tiny, x * x.constant(TWO_64), x);
    let e = nearest_exponent(normal);
    let f = normal.scale(-e) - x.constant(1.0);
    let y = ln_of_parts(L::pick(tiny, e - x.constant(64.0), e), f);
    with_pole(x, 0.0, y)
}
const TWO_64: f64 = (1_u128 << 64) as f64;

/// ln(1 + x), with 1 + f = x · 2⁻ᵉ + 2⁻ᵉ: the rounding of 1 + x decides e only.
#[inline(always)]
pub(crate) fn ln_1p<L: Lanes>(x: L) -> L {
    let one = x.constant(1.0);
    let e = nearest_exponent(x + one);
    let f = x.scale(-e) + (one.scale(-e) - one);
    // The sign of x is that of the result, and keeps −0.
    with_pole(x, -1.0, ln_of_parts(e, f)).copysign(x)
}
