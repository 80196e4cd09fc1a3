//! Powers and the cosine of one `f64`, for settings rather than arrays.
//!
//! The key decision: **twice the digits inside, so that what comes out is the nearest number but for rare ties.**
//! Learning rates and bias corrections take a power with an exponent that grows with the training; computed in
//! `f64` alone, its error would grow along. Here a number is an unevaluated sum of two `f64` (Dekker, "A
//! floating-point technique for extending the available precision", Numerische Mathematik 18, 1971), of about 100
//! bits, made of additions, products and fused multiply-adds: the bits are the same everywhere. That costs a
//! microsecond; in loops over arrays [`Real`] is what to use.

use crate::real::Real;

/// `high + low`, with `low` at most half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug)]
struct Double {
    high: f64,
    low: f64,
}

const ONE: Double = Double { high: 1.0, low: 0.0 };
/// To 107 bits.
const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };
const PI: Double = Double { high: std::f64::consts::PI, low: 1.224_646_799_147_353_2e-16 };

impl Double {
    fn of(x: f64) -> Double {
        Double { high: x, low: 0.0 }
    }
    /// a + b exactly, for |a| ≥ |b| or a = 0.
    fn ordered(a: f64, b: f64) -> Double {
        let high = a + b;
        Double { high, low: b - (high - a) }
    }
    fn plus(self, b: Double) -> Double {
        let high = self.high + b.high;
        // What the addition lost, exactly, whichever is larger: Knuth's two-sum.
        let shadow = high - self.high;
        let lost = (self.high - (high - shadow)) + (b.high - shadow);
        Double::ordered(high, lost + (self.low + b.low))
    }
    fn negated(self) -> Double {
        Double { high: -self.high, low: -self.low }
    }
    fn times(self, b: Double) -> Double {
        let high = self.high * b.high;
        let lost = self.high.mul_add(b.high, -high);
        Double::ordered(high, lost + self.high.mul_add(b.low, self.low * b.high))
    }
    /// By a small whole number.
    fn over(self, n: f64) -> Double {
        let high = self.high / n;
        Double::ordered(high, ((-high).mul_add(n, self.high) + self.low) / n)
    }
    /// Times a power of two: exact.
    fn scaled(self, by: f64) -> Double {
        Double { high: self.high * by, low: self.low * by }
    }
    fn value(self) -> f64 {
        self.high + self.low
    }
}

/// 2ⁿ for n from −1022 to 1023.
fn two_to(n: i64) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// m and n of eˣ = m · 2ⁿ, m from about 0.7 to 1.4, for |x| up to 2000.
fn exp_parts(x: Double) -> (Double, i64) {
    let n = (x.high * std::f64::consts::LOG2_E).round_ties_even();
    // |r| ≤ ½ ln 2 / 256, where ten terms of the series are more than enough.
    let r = x.plus(LN_2.times(Double::of(-n))).scaled(1.0 / 256.0);
    let mut series = ONE;
    for k in (2..=10).rev() {
        series = ONE.plus(r.times(series).over(f64::from(k)));
    }
    // e^(2r) − 1 = 2 (eʳ − 1) + (eʳ − 1)²: keeping the 1 apart keeps the digits.
    let mut rest = r.times(series);
    for _ in 0..8 {
        rest = rest.scaled(2.0).plus(rest.times(rest));
    }
    (ONE.plus(rest), n as i64)
}

/// ln x of a positive x: a step of Newton's method from the logarithm of [`crate::math`].
fn ln(x: f64) -> Double {
    // x = m · 2ⁿ, so that the exponential below neither overflows nor loses digits.
    let (m, lift) = if x < two_to(-900) { (x * two_to(200), -200.0) } else { (x, 0.0) };
    let guess = Real::ln(m);
    let (e, n) = exp_parts(Double::of(-guess));
    let half = n / 2;
    let ratio = Double::of(m).scaled(two_to(half)).scaled(two_to(n - half)).times(e);
    let off = ratio.plus(ONE.negated());
    let log = Double::of(guess).plus(off).plus(off.times(off).scaled(-0.5));
    log.plus(LN_2.times(Double::of(lift)))
}

/// xⁿ, by repeated squaring; 1 for n = 0. For NaN and infinite x it is what products give.
pub fn powi(x: f64, mut n: u64) -> f64 {
    if !x.is_finite() {
        return match n {
            0 => 1.0,
            _ if n % 2 == 1 => x,
            _ => x * x,
        };
    }
    let (mut square, mut power) = (Double::of(x), ONE);
    let mut plain = (x, 1.0);
    while n > 0 {
        if n & 1 == 1 {
            power = power.times(square);
            plain.1 *= plain.0;
        }
        n >>= 1;
        if n > 0 {
            square = square.times(square);
            plain.0 *= plain.0;
        }
    }
    // Beyond the normal numbers the lost parts are no longer exact; plain products overflow and underflow as
    // they should.
    let value = power.value();
    if value.is_finite() && value.abs() >= two_to(-960) { value } else { plain.1 }
}

/// xʸ of an x of 0 or more; NaN for a negative x, and if either is NaN.
///
/// 0⁰ = 1; x⁰ = 1.
pub fn powf(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x == 0.0 || x == f64::INFINITY || y.is_infinite() {
        let grows = (x > 1.0) == (y > 0.0);
        return if grows { f64::INFINITY } else { 0.0 };
    }
    let log = ln(x);
    // Outside, the result is 0 or infinite, and the product might overflow on the way.
    let rough = log.high * y;
    if rough > 720.0 {
        return f64::INFINITY;
    }
    if rough < -760.0 {
        return 0.0;
    }
    let (m, n) = exp_parts(log.times(Double::of(y)));
    let half = n / 2;
    m.value() * two_to(half) * two_to(n - half)
}

/// cos(πx); exactly 0 at the halves, ±1 at the whole numbers. NaN if x is not finite.
pub fn cos_pi(x: f64) -> f64 {
    // Remainder and differences are exact.
    let x = x.abs() % 2.0;
    let x = if x > 1.0 { 2.0 - x } else { x };
    if x > 0.5 { -first_quarter(1.0 - x) } else { first_quarter(x) }
}

/// cos(πx) for x from 0 to ½, or NaN.
fn first_quarter(x: f64) -> f64 {
    // Whichever of sine and cosine has the smaller argument.
    let (z, odd) = if x > 0.25 { (0.5 - x, 1.0) } else { (x, 0.0) };
    let z = PI.times(Double::of(z));
    let square = z.times(z);
    // 1 − z²/(1·2)(1 − z²/(3·4)(…)), or 1 − z²/(2·3)(1 − z²/(4·5)(…)) for sin z / z.
    let mut series = ONE;
    for k in (1..=15).rev() {
        let k = 2.0 * f64::from(k) + odd;
        series = ONE.plus(square.times(series).over(-k * (k - 1.0)));
    }
    (if odd == 1.0 { z.times(series) } else { series }).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From mpmath 1.3 with 60 digits, rounded to the nearest `f64`.
    #[test]
    fn powers_and_cosines_are_the_nearest_numbers() {
        for (line, what) in include_str!("../tests/data/precise.txt").lines().zip(1..) {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            let [x, y, want] =
                [(); 3].map(|()| f64::from_bits(u64::from_str_radix(words.next().unwrap(), 16).unwrap()));
            let got = match name {
                "powi" => powi(x, y as u64),
                "powf" => powf(x, y),
                "cos_pi" => cos_pi(x),
                _ => panic!("line {what}: {name}"),
            };
            assert_eq!(
                got.to_bits(),
                want.to_bits(),
                "line {what}: {name}({x:e}, {y:e}) is {got:e}, not {want:e}"
            );
        }
    }

    #[test]
    fn what_has_no_digits() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        assert!(
            [powf(-1.0, 2.0), powf(nan, 1.0), powf(2.0, nan), cos_pi(inf), cos_pi(nan)]
                .iter()
                .all(|x| x.is_nan())
        );
        assert_eq!([powf(0.0, 0.0), powf(5.0, 0.0), powf(1.0, inf)], [1.0; 3]);
        assert_eq!(
            [powf(0.0, 2.0), powf(0.5, inf), powf(inf, -1.0), powf(2.0, -2000.0), powf(1e-300, 2e300)],
            [0.0; 5]
        );
        assert_eq!(
            [powf(0.0, -1.0), powf(2.0, inf), powf(inf, 0.1), powf(2.0, 1024.0), powi(-inf, 2)],
            [inf; 5]
        );
        assert_eq!(
            [powi(0.0, 0), powi(2.0, 1023), powi(-2.0, 3), powi(-inf, 3)],
            [1.0, two_to(1023), -8.0, -inf]
        );
        assert_eq!([powi(2.0, 1024), powi(0.5, 1074), powi(0.5, 1075)], [inf, f64::from_bits(1), 0.0]);
        assert_eq!([0.0, 0.5, 1.0, 1.5, 2.0, -3.0].map(cos_pi), [1.0, 0.0, -1.0, -0.0, 1.0, -1.0]);
    }
}
