//! Numbers as prose writes them: a true minus, `3.1 × 10⁻⁹`, `91.2%`.
//!
//! Powers of ten use Unicode's superscripts, so the text stands as it is in HTML, Markdown and a terminal.
//! The spaces around × don't break.

use crate::number::{round_significant, scientific};
use crate::{Number, Value};

/// Decimal exponents that are written without a power of ten: 0.0001 to 999999.
const PLAIN_EXPONENTS: std::ops::Range<i32> = -4..6;

/// `value` with exactly `digits` significant digits (1 to 17), trailing zeros included: `0.0123`, `0.90`,
/// `3.1 × 10⁻⁹`, `−∞`, `NaN`.
///
/// ```
/// use longlag_report::format::format_number;
/// assert_eq!(format_number(0.012345, 3), "0.0123");
/// assert_eq!(format_number(-3.14e-9, 2), "−3.1\u{a0}×\u{a0}10⁻⁹");
/// assert_eq!(format_number(0.9, 2), "0.90");
/// ```
///
/// # Panics
/// If `digits` is 0.
#[track_caller]
pub fn format_number(value: f64, digits: u8) -> String {
    assert!(digits > 0, "a number has at least one significant digit");
    if !value.is_finite() {
        return format_special(value);
    }
    let text = scientific(value, digits);
    let (mantissa, exponent) = text.split_once('e').expect("scientific form");
    let exponent: i32 = exponent.parse().expect("an integer exponent");
    if PLAIN_EXPONENTS.contains(&exponent) {
        let decimals = (i32::from(digits) - 1 - exponent).max(0);
        // Rounded first: digits left of the point are rounded too.
        return true_minus(&format!("{:.*}", decimals as usize, round_significant(value, digits)));
    }
    power_of_ten(mantissa, exponent)
}

/// `value` as a percentage with that many decimals: `format_percent(0.9123, 1)` is `91.2%`.
pub fn format_percent(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return format_special(value);
    }
    true_minus(&format!("{:.decimals$}%", value * 100.0))
}

/// An integer in groups of three from five digits on: `1437`, `13,210`.
pub fn format_integer(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len() > 4 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value as prose has it: its own significant digits without trailing zeros.
pub fn format_value(value: &Value) -> String {
    match value {
        Value::Number(Number::Integer(value)) => format_integer(*value),
        Value::Number(Number::Float { value, digits }) => {
            shortest(round_significant(*value, *digits)).text(0)
        }
        Value::Text(text) => text.clone(),
        Value::Flag(true) => "yes".into(),
        Value::Flag(false) => "no".into(),
    }
}

/// The values of a table's column. A float gets back the trailing zeros that its shortest form lost,
/// up to the decimals and the significant digits that the column's other floats have: 0.912 and 0.9
/// become 0.912 and 0.900, but beside 0.0123 the number 45.6 stays.
pub(crate) fn format_column<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let values: Vec<&Value> = values.collect();
    let float = |value: &Value| match value {
        Value::Number(Number::Float { value, digits }) => Some(shortest(round_significant(*value, *digits))),
        _ => None,
    };
    let plain: Vec<Shortest> =
        values.iter().filter_map(|value| float(value)).filter(Shortest::is_plain).collect();
    let decimals = plain.iter().map(Shortest::decimals).max().unwrap_or(0);
    let digits = plain.iter().map(|number| number.digits).max().unwrap_or(0);
    let write = |value: &&Value| match float(value) {
        Some(number) => number.text(decimals.min(digits - 1 - number.exponent)),
        None => format_value(value),
    };
    values.iter().map(write).collect()
}

/// The shortest decimal form of a float.
struct Shortest {
    value: f64,
    mantissa: String,
    /// Significant digits.
    digits: i32,
    exponent: i32,
}

fn shortest(value: f64) -> Shortest {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).count() as i32;
    Shortest { value, mantissa: mantissa.to_owned(), digits, exponent: exponent.parse().expect("an integer") }
}

impl Shortest {
    fn is_plain(&self) -> bool {
        self.value.is_finite() && PLAIN_EXPONENTS.contains(&self.exponent)
    }

    fn decimals(&self) -> i32 {
        (self.digits - 1 - self.exponent).max(0)
    }

    /// With at least `decimals` decimals, if it is written plainly.
    fn text(&self, decimals: i32) -> String {
        if !self.value.is_finite() {
            format_special(self.value)
        } else if self.is_plain() {
            true_minus(&format!("{:.*}", self.decimals().max(decimals) as usize, self.value))
        } else {
            power_of_ten(&self.mantissa, self.exponent)
        }
    }
}

fn power_of_ten(mantissa: &str, exponent: i32) -> String {
    format!("{}\u{a0}×\u{a0}10{}", true_minus(mantissa), superscript(exponent))
}

fn superscript(exponent: i32) -> String {
    let raise = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).expect("a superscript digit"),
    };
    exponent.to_string().chars().map(raise).collect()
}

fn true_minus(text: &str) -> String {
    text.replace('-', "−")
}

fn format_special(value: f64) -> String {
    match value {
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "−∞".into(),
        _ => "NaN".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_numbers() {
        for (value, digits, expected) in [
            (0.0123, 3, "0.0123"),
            (3.1e-9, 2, "3.1 × 10⁻⁹"),
            (-1.5e-12, 1, "−2 × 10⁻¹²"),
            (123456.0, 2, "120000"),
            (1234567.0, 4, "1.235 × 10⁶"),
            (0.00009999, 2, "0.00010"),
            (9.99, 2, "10"),
            (0.0, 2, "0.0"),
            (f64::NEG_INFINITY, 3, "−∞"),
            (f64::NAN, 3, "NaN"),
        ] {
            assert_eq!(format_number(value, digits), expected.replace(' ', "\u{a0}"), "{value} to {digits}");
        }
        assert_eq!(format_percent(0.91234, 1), "91.2%");
        assert_eq!(format_percent(-0.5, 0), "−50%");
        assert_eq!(format_percent(f64::NAN, 0), "NaN");
        assert_eq!(
            ["0", "1437", "−13,210", "1,000,000"],
            [0, 1437, -13210, 1_000_000].map(format_integer)[..]
        );
    }

    #[test]
    fn prose_values_keep_their_own_digits() {
        let text = |value: Value| format_value(&value);
        assert_eq!(text(0.912_345_67.into()), "0.912346");
        assert_eq!(text(0.5.into()), "0.5");
        assert_eq!(text(3.0.into()), "3");
        assert_eq!(text(Number::rounded(1.26e-17, 2).into()), "1.3\u{a0}×\u{a0}10⁻¹⁷");
        assert_eq!(text(true.into()), "yes");
    }

    #[test]
    fn columns_get_their_zeros_back() {
        let column = |numbers: &[f64]| {
            let values: Vec<Value> = numbers.iter().map(|&number| number.into()).collect();
            format_column(values.iter())
        };
        assert_eq!(column(&[0.912, 0.9, 0.5]), ["0.912", "0.900", "0.500"]);
        assert_eq!(column(&[0.0123, 45.6]), ["0.0123", "45.6"]);
        assert_eq!(column(&[2.0, 40.0]), ["2", "40"]);
        assert_eq!(column(&[0.25, 3e-9, f64::NAN]), ["0.25", "3\u{a0}×\u{a0}10⁻⁹", "NaN"]);
    }
}
