//! Numbers beyond the range of `f64`: a slice of them and a power of two.

use longlag_numerics::{Real, slice};
use std::f64::consts::{LOG10_2, LOG10_E};

/// log₁₀ x; −∞ at 0, NaN below.
pub(crate) fn log10(x: f64) -> f64 {
    Real::ln(x) * LOG10_E
}

/// log₁₀ of the Euclidean norm of x · 2ⁿ.
pub(crate) fn log10_norm(x: &[f64], n: i64) -> f64 {
    log10(slice::norm(x)) + n as f64 * LOG10_2
}

/// 2ⁿ; 0 below the normal numbers, infinite above.
pub(crate) fn pow2(n: i64) -> f64 {
    match n {
        ..-1022 => 0.0,
        -1022..1024 => f64::from_bits(((n + 1023) as u64) << 52),
        _ => f64::INFINITY,
    }
}

/// x · 2ⁿ, in two halves: 2ⁿ itself may be beyond the range.
pub(crate) fn times_pow2(x: f64, n: i64) -> f64 {
    x * pow2(n / 2) * pow2(n - n / 2)
}

/// ⌊log₂ |x|⌋; beyond the range of every number if x is infinite or NaN. x isn't 0.
fn exponent(x: f64) -> i64 {
    let field = |x: f64| ((x.to_bits() >> 52) & 0x7ff) as i64 - 1023;
    // Subnormal numbers become normal by 2⁶⁴.
    if x.abs() < f64::MIN_POSITIVE { field(x * pow2(64)) - 64 } else { field(x) }
}

/// Takes the power of two out of x that brings its largest magnitude to between 1 and 2; gives its exponent,
/// or that of nothing, [`ZERO`], if all of x is 0.
pub(crate) fn normalise(x: &mut [f64]) -> i64 {
    let largest = slice::max_abs(x);
    if largest == 0.0 {
        return ZERO;
    }
    let n = exponent(largest);
    x.iter_mut().for_each(|x| *x = times_pow2(*x, -n));
    n
}

/// The exponent of 0: below every other, with room to subtract.
pub(crate) const ZERO: i64 = i64::MIN / 4;
