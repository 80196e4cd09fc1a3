//! Axes, and the scales that they become once the data is known.
use longlag_numerics::Real;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::path::Point;
use crate::format::{format_integer, format_value};
use crate::number::round_significant;

/// An axis as a chart asks for it: a title, linear or logarithmic, and a range where the data's own will
/// not do.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) title: String,
    logarithmic: bool,
    percent: bool,
    range: Option<(f64, f64)>,
    ticks: Option<Vec<f64>>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(title: impl Into<String>) -> Axis {
        Axis { title: title.into(), logarithmic: false, percent: false, range: None, ticks: None }
    }

    /// A logarithmic axis with ticks at powers of ten.
    pub fn log(title: impl Into<String>) -> Axis {
        Axis { logarithmic: true, ..Axis::linear(title) }
    }

    /// From here to there, and not as far as the data reaches; `from` may be the larger one, which turns
    /// the axis around. Data outside is cut off and is a finding of [`Figure::lint`](super::Figure::lint).
    ///
    /// # Panics
    /// If the two are equal or not finite, or not positive on a logarithmic axis.
    #[track_caller]
    pub fn range(mut self, from: f64, to: f64) -> Axis {
        assert!(from != to && from.is_finite() && to.is_finite(), "an axis from {from} to {to}");
        assert!(!self.logarithmic || from.min(to) > 0.0, "a logarithmic axis from {from} to {to}");
        self.range = Some((from, to));
        self
    }

    /// Ticks at these values, and not at round ones.
    pub fn ticks(mut self, ticks: impl Into<Vec<f64>>) -> Axis {
        self.ticks = Some(ticks.into());
        self
    }

    /// Tick labels as percentages: 0.5 is `50%`.
    pub fn percent(mut self) -> Axis {
        self.percent = true;
        self
    }

    /// The scale for that data with about `intervals` steps between ticks. `round` widens the range to
    /// whole steps.
    pub(super) fn scale(&self, data: impl IntoIterator<Item = f64>, intervals: i32, round: bool) -> Scale {
        let mut lanes: Vec<Odd> = Vec::new();
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in data {
            match Odd::of(value, self.logarithmic) {
                Some(odd) if !lanes.contains(&odd) => lanes.push(odd),
                Some(_) => {}
                None => (least, greatest) = (least.min(value), greatest.max(value)),
            }
        }
        lanes.sort();
        let (lanes_below, lanes_above) = lanes.into_iter().partition(|odd| *odd <= Odd::Zero);
        let position = |value| if self.logarithmic { log10(value) } else { value };
        let (from, to) = match self.range {
            Some((from, to)) => (position(from), position(to)),
            None if least <= greatest => (position(least), position(greatest)),
            None => (0.0, 1.0),
        };
        let (mut low, mut high) = (from.min(to), from.max(to));
        if self.range.is_none() && self.logarithmic {
            (low, high) = (low.floor(), high.ceil());
        }
        if low == high {
            (low, high) = if self.logarithmic { (low, low + 1.0) } else { (low - 0.5, high + 0.5) };
        }
        let step = if self.logarithmic {
            decade_step(high - low, intervals)
        } else {
            round_step(high - low, intervals)
        };
        if self.range.is_none() && round && !self.logarithmic {
            // Within rounding of a tick is on the tick.
            let width = step.times(1);
            low = step.times((low / width + 1e-9).floor() as i64);
            high = step.times((high / width - 1e-9).ceil() as i64);
        }
        let ticks = self.ticks.clone().unwrap_or_else(|| step.ticks(low, high, self.logarithmic));
        let (from, to) = if from > to { (high, low) } else { (low, high) };
        Scale {
            from,
            to,
            logarithmic: self.logarithmic,
            percent: self.percent,
            ticks,
            lanes_below,
            lanes_above,
        }
    }
}

/// Decimal logarithm; exact for powers of ten, so that ticks lie where they should to the last unit.
fn log10(value: f64) -> f64 {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("a finite number in scientific form");
    let parse = |text: &str| text.parse::<f64>().expect("formatted by Rust");
    parse(exponent) + Real::ln(parse(mantissa)) / std::f64::consts::LN_10
}

/// A distance between ticks: `digit` · 10^`exponent`, so that multiples of it are exact decimals.
struct Step {
    digit: i64,
    exponent: i32,
}

/// 1, 2 or 5 times a power of ten.
fn round_step(span: f64, intervals: i32) -> Step {
    let text = format!("{:e}", span / f64::from(intervals));
    let (mantissa, exponent) = text.split_once('e').expect("a finite span in scientific form");
    let mantissa: f64 = mantissa.parse().expect("formatted by Rust");
    let exponent: i32 = exponent.parse().expect("formatted by Rust");
    let digit = [1, 2, 5, 10].into_iter().find(|&digit| digit as f64 >= mantissa).unwrap_or(10);
    Step { digit, exponent }
}

/// A whole number of decades.
fn decade_step(decades: f64, intervals: i32) -> Step {
    let fits = |&digit: &i64| decades <= (digit * i64::from(intervals)) as f64;
    Step { digit: [1, 2, 5, 10, 20, 50, 100].into_iter().find(fits).unwrap_or(200), exponent: 0 }
}

impl Step {
    fn times(&self, n: i64) -> f64 {
        format!("{}e{}", n * self.digit, self.exponent).parse().expect("formatted by Rust")
    }

    fn ticks(&self, low: f64, high: f64, logarithmic: bool) -> Vec<f64> {
        let width = self.times(1);
        let (first, last) = ((low / width - 1e-9).ceil() as i64, (high / width + 1e-9).floor() as i64);
        let value = |position: f64| if logarithmic { power_of_ten(position) } else { position };
        (first..=last).map(|n| value(self.times(n))).collect()
    }
}

fn power_of_ten(exponent: f64) -> f64 {
    format!("1e{exponent}").parse().expect("a whole exponent")
}

/// A value that an axis has no place for, in the order of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    /// Below zero on a logarithmic axis.
    Negative,
    /// −∞ on a linear axis.
    MinusInfinity,
    /// Zero on a logarithmic axis.
    Zero,
    /// +∞.
    Infinity,
    NotANumber,
}

impl Odd {
    pub(super) fn of(value: f64, logarithmic: bool) -> Option<Odd> {
        match value {
            _ if value.is_nan() => Some(Odd::NotANumber),
            f64::INFINITY => Some(Odd::Infinity),
            _ if logarithmic && value == 0.0 => Some(Odd::Zero),
            _ if logarithmic && value < 0.0 => Some(Odd::Negative),
            f64::NEG_INFINITY => Some(Odd::MinusInfinity),
            _ => None,
        }
    }

    /// A value of that kind, to stand for it as a tick.
    fn value(self) -> f64 {
        match self {
            Odd::Negative => -1.0,
            Odd::MinusInfinity => f64::NEG_INFINITY,
            Odd::Zero => 0.0,
            Odd::Infinity => f64::INFINITY,
            Odd::NotANumber => f64::NAN,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Odd::Negative => "< 0",
            Odd::MinusInfinity => "−∞",
            Odd::Zero => "0",
            Odd::Infinity => "∞",
            Odd::NotANumber => "NaN",
        }
    }
}

/// Tenths of a pixel from lane to lane, and from the axis to the first one.
const LANE: i32 = 180;

/// One axis of a chart, from values to positions.
///
/// plotters' own do not fit: `LogCoord` puts NaN, zero and negative values onto the axis minimum and drops
/// ticks below 2.2e-16, and both kinds round down to the unit.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// Values, or their decimal logarithms.
    from: f64,
    to: f64,
    logarithmic: bool,
    percent: bool,
    ticks: Vec<f64>,
    lanes_below: Vec<Odd>,
    lanes_above: Vec<Odd>,
}

impl Scale {
    /// From 0 to `to`, without ticks.
    pub(super) fn plain(to: f64) -> Scale {
        Axis::linear("").range(0.0, to).ticks([]).scale([], 1, false)
    }

    pub(super) fn odd(&self, value: f64) -> Option<Odd> {
        Odd::of(value, self.logarithmic)
    }

    /// Where between its ends the axis has a value that is not odd: from 0 to 1 if inside.
    fn fraction(&self, value: f64) -> f64 {
        let position = if self.logarithmic { log10(value) } else { value };
        (position - self.from) / (self.to - self.from)
    }

    /// Whether there is a place for the value on the axis or in a lane.
    pub(super) fn holds(&self, value: f64) -> bool {
        match self.odd(value) {
            Some(odd) => self.lanes_below.contains(&odd) || self.lanes_above.contains(&odd),
            // The ends themselves, whatever rounding did to them.
            None => (-1e-9..=1.0 + 1e-9).contains(&self.fraction(value)),
        }
    }

    /// The ticks with their labels, lanes included.
    pub(super) fn labels(&self) -> Vec<String> {
        self.all_ticks().iter().map(|&tick| self.label(tick)).collect()
    }

    pub(super) fn label(&self, tick: f64) -> String {
        if let Some(odd) = self.odd(tick) {
            return odd.label().into();
        }
        if !self.logarithmic {
            // Twelve digits: enough for any tick, and without the last bits' noise.
            let shown = round_significant(if self.percent { tick * 100.0 } else { tick }, 12);
            let whole = shown == shown.round() && shown.abs() < 1e6;
            let text = if whole { format_integer(shown as i128) } else { format_value(&shown.into()) };
            return text + if self.percent { "%" } else { "" };
        }
        match log10(tick) {
            exponent if exponent == exponent.round() && !(0.0..=1.0).contains(&exponent) => {
                format!("10^{{{exponent}}}").replace('-', "−")
            }
            _ => format_value(&tick.into()),
        }
    }

    fn all_ticks(&self) -> Vec<f64> {
        let lane = |odd: &Odd| odd.value();
        let below = self.lanes_below.iter().map(lane);
        below.chain(self.ticks.iter().copied()).chain(self.lanes_above.iter().map(lane)).collect()
    }

    fn position(&self, value: f64, (start, end): Point) -> i32 {
        let towards_end = (end - start).signum();
        // The outermost lane is half a lane away from the plot's border.
        let room = |lanes: &[Odd]| if lanes.is_empty() { 0 } else { LANE * lanes.len() as i32 + LANE / 2 };
        let first = start + towards_end * room(&self.lanes_below);
        let last = end - towards_end * room(&self.lanes_above);
        let lane = |lanes: &[Odd], odd| lanes.iter().position(|lane| *lane == odd).map(|index| index as i32);
        match self.odd(value) {
            Some(odd) => match (lane(&self.lanes_below, odd), lane(&self.lanes_above, odd)) {
                (Some(index), _) => start + towards_end * (LANE * index + LANE / 2),
                (_, Some(index)) => last + towards_end * LANE * (index + 1),
                _ => panic!("{value} has neither a place on the axis nor a lane"),
            },
            // Far outside is far off the figure, where everything is cut off.
            None => {
                first + (self.fraction(value).clamp(-50.0, 50.0) * f64::from(last - first)).round() as i32
            }
        }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, ends: (i32, i32)) -> i32 {
        self.position(*value, ends)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // plotters asks twice, for bold and for light lines; there are no light ones.
        if hint.weight().allow_light_points() { Vec::new() } else { self.all_ticks() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, data: &[f64], intervals: i32) -> String {
        axis.scale(data.iter().copied(), intervals, true).labels().join(" ")
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Axis::linear(""), &[0.013, 0.94], 5), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(labels(Axis::linear(""), &[0.3, 0.6], 3), "0.3 0.4 0.5 0.6");
        assert_eq!(labels(Axis::linear(""), &[-3.0, 12_000.0], 3), "−5000 0 5000 10,000 15,000");
        assert_eq!(labels(Axis::linear("").percent(), &[0.07, 0.29], 3), "0% 10% 20% 30%");
        assert_eq!(
            labels(Axis::log(""), &[3e-17, 2e-6], 6),
            "10^{−16} 10^{−14} 10^{−12} 10^{−10} 10^{−8} 10^{−6}"
        );
        assert_eq!(labels(Axis::log(""), &[0.5, 70.0], 6), "10^{−1} 1 10 10^{2}");
        assert_eq!(labels(Axis::linear(""), &[], 5), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(labels(Axis::linear(""), &[2.0], 2), "1.5 2 2.5");
        assert_eq!(labels(Axis::linear("").range(64.0, 1.0), &[], 4), "20 40 60");
    }

    #[test]
    fn values_have_exact_places() {
        let decades = Axis::log("").range(1e-10, 1.0).scale([], 5, true);
        // A third of the way would be off by one unit with a logarithm that is not exact.
        for exponent in -10..=0 {
            let value: f64 = format!("1e{exponent}").parse().unwrap();
            assert_eq!(
                decades.map(&value, (2355, 0)),
                2355 - (235.5 * f64::from(exponent + 10)).round() as i32
            );
        }
        let backwards = Axis::linear("").range(64.0, 0.0).scale([], 4, false);
        assert_eq!(backwards.map(&64.0, (100, 740)), 100);
        assert_eq!(backwards.map(&16.0, (100, 740)), 580);
        assert!(backwards.holds(0.0) && !backwards.holds(65.0));
    }

    #[test]
    fn odd_values_have_lanes() {
        let data = [1.0, 10.0, 0.0, f64::NAN, f64::INFINITY, 0.0];
        let scale = Axis::log("").scale(data, 5, true);
        assert_eq!(scale.labels(), ["0", "1", "10", "∞", "NaN"]);
        let places = [0.0, 1.0, 10.0, f64::INFINITY, f64::NAN].map(|value| scale.map(&value, (0, 1720)));
        assert_eq!(places, [90, 270, 1270, 1450, 1630]);
        assert!(!scale.holds(-1.0));
        assert_eq!(
            Axis::linear("").scale([0.0, -1.0, f64::NEG_INFINITY], 1, true).labels(),
            ["−∞", "−1", "0"]
        );
    }
}
