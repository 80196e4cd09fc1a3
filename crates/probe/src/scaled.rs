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
/// or none if all of x is 0.
pub(crate) fn normalise(x: &mut [f64]) -> Option<i64> {
    let largest = slice::max_abs(x);
    if largest == 0.0 {
        return None;
    }
    let n = exponent(largest);
    x.iter_mut().for_each(|x| *x = times_pow2(*x, -n));
    Some(n)
}

/// The exponent of what is 0: below every other, with room to subtract.
pub(crate) const ZERO: i64 = i64::MIN / 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_go_out_and_in_exactly_over_the_whole_range() {
        let smallest = f64::from_bits(1);
        for (x, n) in [(smallest, -1074), (f64::MIN_POSITIVE, -1022), (0.75, -1), (1.0, 0), (f64::MAX, 1023)]
        {
            let mut v = [0.0, -x, x / 2.0];
            assert_eq!(normalise(&mut v), Some(n), "{x:e}");
            assert!((1.0..2.0).contains(&-v[1]) && v[0] == 0.0);
            assert_eq!(times_pow2(v[1], n), -x);
        }
        assert_eq!(normalise(&mut [0.0, -0.0]), None);
        assert_eq!((pow2(10), pow2(-2000), pow2(2000)), (1024.0, 0.0, f64::INFINITY));
    }

    #[test]
    fn logarithms_of_norms_beyond_the_range() {
        assert_eq!(log10_norm(&[3.0, 4.0], 0), log10(5.0));
        // 2¹⁰⁰⁰⁰ = 10^3010.2999566398…
        assert!((log10_norm(&[1.0], 10_000) - 3_010.299_956_639_812).abs() < 1e-11);
        assert_eq!(log10_norm(&[0.0], ZERO), f64::NEG_INFINITY);
    }
}
