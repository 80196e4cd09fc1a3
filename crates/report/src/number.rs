//! Numbers that know how many of their digits are worth writing.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

use crate::Value;

/// Significant digits of a float that was given without a wish.
pub const DEFAULT_DIGITS: u8 = 6;

/// Enough significant digits for every bit of an `f64`: nothing is rounded.
pub const FULL_DIGITS: u8 = 17;

/// An exact integer, or a float with the number of significant digits it is written with.
///
/// In memory a float keeps all its bits; it is rounded where it is written. Digits are 1 to 15, or
/// [`FULL_DIGITS`]: every decimal number of up to 15 digits survives the way through an `f64`, so what
/// is written reads back as the number that writes the same text.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A count or an index: written in full.
    Integer(i128),
    /// A measurement.
    Float {
        /// The unrounded value; may be NaN or infinite.
        value: f64,
        /// Significant digits to write.
        digits: u8,
    },
}

impl Number {
    /// A float written with `digits` significant digits.
    ///
    /// # Panics
    /// If `digits` is neither in 1..=15 nor [`FULL_DIGITS`].
    #[track_caller]
    pub fn rounded(value: impl Into<f64>, digits: u8) -> Number {
        assert!(
            (1..=15).contains(&digits) || digits == FULL_DIGITS,
            "a number is written with 1 to 15 significant digits, or {FULL_DIGITS} for all bits, not {digits}"
        );
        Number::Float { value: value.into(), digits }
    }

    /// A float written with as many digits as tell it from every other `f64`.
    pub fn exact(value: impl Into<f64>) -> Number {
        Number::Float { value: value.into(), digits: FULL_DIGITS }
    }

    /// The unrounded value; an integer beyond 2⁵³ loses its last bits.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Integer(i) => i as f64,
            Number::Float { value, .. } => value,
        }
    }

    /// The number as it will be read back after writing: a float rounded to its digits, with
    /// [`FULL_DIGITS`] from then on.
    pub fn as_written(self) -> Number {
        match self {
            Number::Integer(_) => self,
            Number::Float { value, digits } => Number::exact(round_significant(value, digits)),
        }
    }

    /// Whether two numbers are of one kind and agree in every bit. Digits don't count: they belong to
    /// the writing. A NaN agrees with a NaN of the same bits.
    pub fn bits_equal(self, other: Number) -> bool {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a == b,
            (Number::Float { value: a, .. }, Number::Float { value: b, .. }) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

/// Machine-readable text: `3.1e-9`, `12`, `NaN`, `inf`, `-inf`. Prose uses [`format`](mod@crate::format).
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_written() {
            Number::Integer(i) => write!(f, "{i}"),
            // `Debug` keeps the point in `3.0`, so that a float reads back as a float.
            Number::Float { value, .. } => write!(f, "{value:?}"),
        }
    }
}

/// `value` to `digits` significant decimal digits, ties of the exact binary value to even.
///
/// Formatting with a fixed number of digits is exact in Rust's standard library, and so is parsing:
/// no transcendental function, the same on every platform. NaN, infinities, and the few numbers that
/// would round to beyond the range of `f64` are returned as they are.
pub(crate) fn round_significant(value: f64, digits: u8) -> f64 {
    if !value.is_finite() || digits >= FULL_DIGITS {
        return value;
    }
    let rounded: f64 = scientific(value, digits).parse().expect("formatted by Rust");
    if rounded.is_finite() { rounded } else { value }
}

/// `d.dd…e±x` with exactly `digits` digits.
pub(crate) fn scientific(value: f64, digits: u8) -> String {
    format!("{value:.*e}", usize::from(digits) - 1)
}

macro_rules! from_integers {
    ($($t:ty)*) => {$(
        impl From<$t> for Number {
            fn from(value: $t) -> Number {
                Number::Integer(value as i128)
            }
        }
    )*};
}
from_integers!(i32 i64 u8 u32 u64 usize);

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number::Float { value, digits: DEFAULT_DIGITS }
    }
}

impl From<f32> for Number {
    fn from(value: f32) -> Number {
        Number::from(f64::from(value))
    }
}

impl From<&f64> for Number {
    fn from(value: &f64) -> Number {
        Number::from(*value)
    }
}

impl From<&f32> for Number {
    fn from(value: &f32) -> Number {
        Number::from(*value)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_written() {
            Number::Integer(i) => match u64::try_from(i) {
                Ok(i) => serializer.serialize_u64(i),
                Err(_) => serializer.serialize_i64(i64::try_from(i).map_err(serde::ser::Error::custom)?),
            },
            Number::Float { value, .. } if value.is_finite() => serializer.serialize_f64(value),
            // JSON has no such numbers; these are the texts of Rust's own `Display`.
            Number::Float { value, .. } => serializer.collect_str(&value),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(number),
            other => Err(D::Error::custom(format!(
                "expected a number, \"NaN\", \"inf\" or \"-inf\", found \"{other}\""
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_significant_digits() {
        let text = |value: f64, digits| Number::rounded(value, digits).to_string();
        assert_eq!(text(3.14159e-9, 2), "3.1e-9");
        assert_eq!(text(0.912_345_678, 6), "0.912346");
        assert_eq!(text(0.912_345_678, 9), "0.912345678");
        assert_eq!(text(3.0, 6), "3.0");
        assert_eq!(text(1_234_567.0, 3), "1230000.0");
        assert_eq!(text(9.9996, 4), "10.0");
        assert_eq!(text(0.1 + 0.2, FULL_DIGITS), "0.30000000000000004");
        assert_eq!(text(-0.0, 6), "-0.0");
        assert_eq!(text(f64::NAN, 6), "NaN");
        assert_eq!(text(f64::NEG_INFINITY, 6), "-inf");
        assert_eq!(text(5e-324, 15), "5e-324");
        // Two digits would make it 1.8e308, which is no f64.
        assert_eq!(text(f64::MAX, 2), format!("{:?}", f64::MAX));
        assert_eq!(Number::from(u64::MAX).to_string(), "18446744073709551615");
    }

    #[test]
    #[should_panic(expected = "1 to 15 significant digits")]
    fn sixteen_digits_do_not_survive() {
        Number::rounded(1.0, 16);
    }

    /// Every finite `f64` alike, small ones as often as large ones.
    fn any_finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite())
    }

    proptest! {
        #[test]
        fn rounding_moves_by_half_a_unit_at_most(x in any_finite(), digits in 1u8..=15) {
            let rounded = round_significant(x, digits);
            // In exact decimal arithmetic: both have at most 1100 digits after the leading one.
            let exponent: i32 = scientific(x, digits).split_once('e').unwrap().1.parse().unwrap();
            let unit: f64 = format!("1e{}", exponent - i32::from(digits) + 1).parse().unwrap();
            // Half a unit in the last digit; the parse may add half an ulp of the result.
            let ulp = f64::from_bits(rounded.abs().to_bits() + 1) - rounded.abs();
            if rounded.is_finite() && rounded != x {
                prop_assert!((rounded - x).abs() <= 0.5 * unit + ulp, "{x:e} -> {rounded:e}, unit {unit:e}");
            }
        }

        #[test]
        fn rounding_is_idempotent(x in any_finite(), digits in 1u8..=15) {
            let once = round_significant(x, digits);
            prop_assert_eq!(round_significant(once, digits).to_bits(), once.to_bits());
        }

        #[test]
        fn what_is_written_has_no_more_digits(x in any_finite(), digits in 1u8..=15) {
            prop_assume!(x.abs() < 1e308);
            let text = format!("{:e}", round_significant(x, digits));
            let written = text.split('e').next().unwrap().chars().filter(char::is_ascii_digit).count();
            prop_assert!(written <= usize::from(digits), "{}", text);
        }

        #[test]
        fn text_reads_back(x in any_finite(), digits in 1u8..=15) {
            let number = Number::rounded(x, digits);
            let back: f64 = number.to_string().parse().unwrap();
            prop_assert_eq!(Number::exact(back).to_string(), number.to_string());
        }
    }
}
