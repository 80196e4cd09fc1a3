//! Axes, and the scales that they become once the data is known.
use longlag_numerics::Real;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::markup::width;
use super::path::Point;
use crate::format::{format_integer, format_value};
use crate::number::round_significant;

/// An axis as a chart asks for it: a title; linear, logarithmic or of names; and a range where the data's own
/// will not do.
///
/// ```
/// use longlag_report::figure::Axis;
///
/// let norms = Axis::log("Gradient norm");
/// let accuracy = Axis::linear("Test accuracy").percent().range(0.0, 1.0);
/// // Runs that hadn't solved the task when they were stopped have +∞ updates.
/// let updates = Axis::log("Updates until solved").infinity("> 50,000");
/// // Values 0, 1 and 2.
/// let optimizers = Axis::names("Optimizer", ["SGD", "momentum", "Adam"]);
/// ```
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) title: String,
    pub(super) logarithmic: bool,
    pub(super) percent: bool,
    range: Option<(f64, f64)>,
    ticks: Option<Vec<f64>>,
    names: Vec<String>,
    infinity: Option<String>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(title: impl Into<String>) -> Axis {
        Axis {
            title: title.into(),
            logarithmic: false,
            percent: false,
            range: None,
            ticks: None,
            names: Vec::new(),
            infinity: None,
        }
    }

    /// An axis of names: the first has its place at 0, the second at 1. On a vertical axis the first is the
    /// topmost.
    ///
    /// # Panics
    /// If there is no name.
    #[track_caller]
    pub fn names<N: Into<String>>(title: impl Into<String>, names: impl IntoIterator<Item = N>) -> Axis {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        assert!(!names.is_empty(), "an axis of names without a name");
        Axis { names, ..Axis::linear(title) }
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

    /// What +∞ means on this axis, to stand where its tick label `∞` would: `> 50,000` for what was stopped
    /// at that many.
    pub fn infinity(mut self, meaning: impl Into<String>) -> Axis {
        self.infinity = Some(meaning.into());
        self
    }

    pub(super) fn is_of_names(&self) -> bool {
        !self.names.is_empty()
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
        let given = self.range.is_some() || !self.names.is_empty();
        let (from, to) = match self.range {
            _ if !self.names.is_empty() => (-0.5, self.names.len() as f64 - 0.5),
            Some((from, to)) => (position(from), position(to)),
            None if least <= greatest => (position(least), position(greatest)),
            None => (0.0, 1.0),
        };
        let (mut low, mut high) = (from.min(to), from.max(to));
        if !given {
            // Also where values differ by less than labels would show.
            let whole_decades = self.logarithmic && (round || high - low < 1e-3);
            (low, high) = match whole_decades {
                true => (low.floor(), high.ceil().max(low.floor() + 1.0)),
                false if self.logarithmic => (low, high),
                false => distinct(low, high),
            };
        }
        let step = if self.is_of_names() {
            Step { digit: 1, exponent: 0 }
        } else {
            round_step(high - low, intervals)
        };
        if !given && round && !self.logarithmic {
            // Within rounding of a tick is on the tick.
            let width = step.times(1);
            low = step.times((low / width + 1e-9).floor() as i64);
            high = step.times((high / width - 1e-9).ceil() as i64);
        }
        let ticks = match &self.ticks {
            Some(ticks) => Ticks::chosen(ticks),
            None if self.logarithmic => Ticks::logarithmic(low, high, intervals),
            None => Ticks::chosen(&step.ticks(low, high)),
        };
        let (from, to) = if from > to { (high, low) } else { (low, high) };
        Scale {
            from,
            to,
            logarithmic: self.logarithmic,
            percent: self.percent,
            ticks,
            names: self.names.clone(),
            infinity: self.infinity.clone(),
            lanes_below,
            lanes_above,
            lane: LANE,
            inset: 0,
        }
    }

    /// The scale for that data that reaches as far to either side of `middle`; see [`Axis::scale`].
    pub(super) fn scale_around(
        &self,
        middle: f64,
        data: impl IntoIterator<Item = f64>,
        intervals: i32,
    ) -> Scale {
        let mirrored = |value: f64| match Odd::of(value, self.logarithmic) {
            Some(_) => value,
            None if self.logarithmic => middle * (middle / value),
            None => middle - (value - middle),
        };
        let range = self.range.map(|(from, to)| {
            let ends = [from, to, mirrored(from), mirrored(to)];
            (ends.into_iter().fold(from, f64::min), ends.into_iter().fold(to, f64::max))
        });
        let data = data.into_iter().flat_map(|value| [value, mirrored(value)]);
        Axis { range, ..self.clone() }.scale(data, intervals, true)
    }
}

/// The two, or a range around them if ticks between them would need more digits than labels have, or if they
/// are farther apart than numbers go.
fn distinct(low: f64, high: f64) -> (f64, f64) {
    const FAR: f64 = 1e300;
    let (low, high) = (low.clamp(-FAR, FAR), high.clamp(-FAR, FAR));
    let size = low.abs().max(high.abs());
    if high - low > 1e-9 * size && high - low > 1.0 / FAR {
        return (low, high);
    }
    let reach = f64::max(0.5, 0.1 * size);
    (low - reach, high + reach)
}

/// Decimal logarithm; exact for powers of ten, so that ticks lie where they should to the last unit.
pub(super) fn log10(value: f64) -> f64 {
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

/// Where an axis has ticks.
#[derive(Clone, Debug)]
struct Ticks {
    labelled: Vec<f64>,
    minor: Vec<f64>,
    /// Powers of ten are written without superscripts, as the other ticks between them are.
    plain: bool,
    /// Some may go if their labels need more room than there is.
    dense: bool,
}

impl Ticks {
    fn chosen(ticks: &[f64]) -> Ticks {
        let plain = ticks.iter().any(|tick| *tick > 0.0 && log10(*tick) != log10(*tick).round());
        Ticks { labelled: ticks.to_vec(), minor: Vec::new(), plain, dense: false }
    }

    /// Between two decimal logarithms: at powers of ten; if these are few at 1, 2 and 5 in each decade; within a
    /// fraction of a decade as on a linear axis.
    fn logarithmic(low: f64, high: f64, intervals: i32) -> Ticks {
        let decades = high - low;
        let step = decade_step(decades, intervals);
        let powers: Vec<f64> =
            step.ticks(low, high).into_iter().map(power_of_ten).filter(is_positive).collect();
        if 3.0 * decades > f64::from(intervals) && (powers.len() > 1 || decades > 2.0) {
            let minor = step.digit == 1 && decades <= 8.0;
            let minor = if minor { in_decades(low, high, &MINOR) } else { Vec::new() };
            return Ticks { labelled: powers, minor, plain: false, dense: true };
        }
        let few = in_decades(low, high, &[1, 2, 5]);
        if few.len() > 1 {
            return Ticks { labelled: few, minor: Vec::new(), plain: true, dense: true };
        }
        let [from, to] = [low, high].map(|exponent| Real::exp(exponent * std::f64::consts::LN_10));
        let within = round_step(to - from, intervals).ticks(from, to);
        Ticks { labelled: within, minor: Vec::new(), plain: true, dense: false }
    }

    /// Fewer labels on a logarithmic axis: powers of ten alone, then every second of them.
    fn thin(&mut self, low: f64, high: f64) {
        if self.plain && self.minor.is_empty() {
            self.labelled = in_decades(low, high, &[1]);
            self.minor = in_decades(low, high, &MINOR);
            return;
        }
        let exponents: Vec<f64> = self.labelled.iter().map(|tick| log10(*tick)).collect();
        let [first, second, ..] = exponents[..] else {
            self.dense = false;
            return;
        };
        let step = 2.0 * (second - first);
        let stays = |tick: &f64| log10(*tick).rem_euclid(step) == 0.0;
        let (labelled, others): (Vec<f64>, Vec<f64>) = self.labelled.iter().partition(|tick| stays(tick));
        self.labelled = labelled;
        self.minor.extend(others);
    }
}

/// Of ticks between powers of ten.
const MINOR: [u8; 8] = [2, 3, 4, 5, 6, 7, 8, 9];

/// These multiples of the powers of ten between two decimal logarithms.
fn in_decades(low: f64, high: f64, digits: &[u8]) -> Vec<f64> {
    let decades = low.floor() as i32..=high.ceil() as i32;
    let values = decades.flat_map(|exponent| digits.iter().map(move |digit| format!("{digit}e{exponent}")));
    let values = values.map(|text| text.parse::<f64>().expect("a number in scientific form"));
    let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&log10(*value));
    values.filter(is_positive).filter(inside).collect()
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

    /// Its multiples between two values.
    fn ticks(&self, low: f64, high: f64) -> Vec<f64> {
        let width = self.times(1);
        let (first, last) = ((low / width - 1e-9).ceil() as i64, (high / width + 1e-9).floor() as i64);
        (first..=last).map(|n| self.times(n)).collect()
    }
}

/// Whether it is neither 0 nor infinite, as powers of ten are where numbers end.
fn is_positive(value: &f64) -> bool {
    *value > 0.0 && value.is_finite()
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

/// Tenths of a pixel from lane to lane where their labels are short or on top of each other.
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
    ticks: Ticks,
    names: Vec<String>,
    infinity: Option<String>,
    lanes_below: Vec<Odd>,
    lanes_above: Vec<Odd>,
    /// From lane to lane, and from the axis to the first one.
    lane: i32,
    inset: i32,
}

impl Scale {
    /// From 0 to `to`, without ticks.
    pub(super) fn plain(to: f64) -> Scale {
        Axis::linear("").range(0.0, to).ticks([]).scale([], 1, false)
    }

    /// For a horizontal axis of that length with labels of that size: with lanes wide enough for what +∞ means,
    /// and as many labels on a logarithmic axis as don't touch each other.
    pub(super) fn horizontal(mut self, length: i32, label_size: i32) -> Scale {
        if let Some(meaning) = self.infinity.as_ref().filter(|_| self.lanes_above.contains(&Odd::Infinity)) {
            self.lane = LANE.max(width(meaning, label_size) / 2 + 260);
        }
        while self.ticks.dense && self.labels_touch(length, label_size) {
            let (low, high) = (self.from.min(self.to), self.from.max(self.to));
            self.ticks.thin(low, high);
        }
        self
    }

    /// Whether two labels have less than half a letter between them, on a horizontal axis of that length.
    fn labels_touch(&self, length: i32, label_size: i32) -> bool {
        let label = |tick: &f64| (self.position(*tick, (0, length)), width(&self.label(*tick), label_size));
        let labels: Vec<(i32, i32)> = self.ticks().iter().map(label).collect();
        labels.windows(2).any(|pair| {
            let ((a, width_a), (b, width_b)) = (pair[0], pair[1]);
            (b - a).abs() < (width_a + width_b) / 2 + 50
        })
    }

    /// With free room at both ends, for marks that would lie on the plot's border.
    pub(super) fn inset(self, inset: i32) -> Scale {
        Scale { inset, ..self }
    }

    /// From its end to its beginning.
    pub(super) fn turned(self) -> Scale {
        Scale { from: self.to, to: self.from, ..self }
    }

    pub(super) fn is_of_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether the axis goes through zero, with room on both sides.
    pub(super) fn crosses_zero(&self) -> bool {
        !self.logarithmic
            && !self.is_of_names()
            && self.from.min(self.to) < 0.0
            && self.from.max(self.to) > 0.0
    }

    /// The ticks that have labels, without lanes.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks.labelled
    }

    /// The ticks between them that have none.
    pub(super) fn minor_ticks(&self) -> &[f64] {
        &self.ticks.minor
    }

    pub(super) fn has_lanes(&self) -> [bool; 2] {
        [&self.lanes_below, &self.lanes_above].map(|lanes| !lanes.is_empty())
    }

    /// A value for every lane.
    pub(super) fn lanes(&self) -> impl Iterator<Item = f64> {
        self.lanes_below.iter().chain(&self.lanes_above).map(|odd| odd.value())
    }

    pub(super) fn odd(&self, value: f64) -> Option<Odd> {
        Odd::of(value, self.logarithmic)
    }

    /// Where between its ends the axis has a value that is not odd: from 0 to 1 if inside.
    pub(super) fn fraction(&self, value: f64) -> f64 {
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
            return match &self.infinity {
                Some(meaning) if odd == Odd::Infinity => meaning.clone(),
                _ => odd.label().into(),
            };
        }
        if self.is_of_names() {
            return self.names.get(tick as usize).cloned().unwrap_or_default();
        }
        let exponent = if self.logarithmic { log10(tick) } else { 0.0 };
        let is_power = self.logarithmic && exponent == exponent.round();
        if is_power
            && !(0.0..=1.0).contains(&exponent)
            && !(self.ticks.plain && (-3.0..6.0).contains(&exponent))
        {
            return format!("10^{{{exponent}}}").replace('-', "−");
        }
        // Twelve digits: enough for any tick, and without the last bits' noise.
        let shown = round_significant(if self.percent { tick * 100.0 } else { tick }, 12);
        let whole = shown == shown.round() && shown.abs() < 1e6;
        let text = if whole { format_integer(shown as i128) } else { format_value(&shown.into()) };
        text + if self.percent { "%" } else { "" }
    }

    fn all_ticks(&self) -> Vec<f64> {
        let lane = |odd: &Odd| odd.value();
        let below = self.lanes_below.iter().map(lane);
        below.chain(self.ticks().iter().copied()).chain(self.lanes_above.iter().map(lane)).collect()
    }

    /// Where the axis itself begins and ends between `start` and `end`: at these, if it has neither lanes nor
    /// room at its ends.
    pub(super) fn ends(&self, (start, end): Point) -> Point {
        let towards_end = (end - start).signum();
        // The outermost lane is half a lane away from the plot's border.
        let room = |lanes: &[Odd]| match lanes.len() as i32 {
            0 => self.inset,
            lanes => self.lane * lanes + LANE / 2,
        };
        (start + towards_end * room(&self.lanes_below), end - towards_end * room(&self.lanes_above))
    }

    fn position(&self, value: f64, (start, end): Point) -> i32 {
        let towards_end = (end - start).signum();
        let (first, last) = self.ends((start, end));
        let lane = |lanes: &[Odd], odd| lanes.iter().position(|lane| *lane == odd).map(|index| index as i32);
        match self.odd(value) {
            Some(odd) => match (lane(&self.lanes_below, odd), lane(&self.lanes_above, odd)) {
                (Some(index), _) => start + towards_end * (self.lane * index + LANE / 2),
                (_, Some(index)) => last + towards_end * self.lane * (index + 1),
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
    use proptest::prelude::*;

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
    fn two_hundred_decades_have_few_ticks() {
        assert_eq!(labels(Axis::log(""), &[1e-200, 3e9], 6), "10^{−200} 10^{−150} 10^{−100} 10^{−50} 1");
        assert_eq!(labels(Axis::log("").range(110.0, 170.0), &[], 6), "120 140 160");
        assert_eq!(labels(Axis::log("").ticks([10.0, 100.0]), &[10.0, 1e3], 6), "10 10^{2}");
        assert_eq!(labels(Axis::log("").ticks([50.0, 100.0]), &[10.0, 1e3], 6), "50 100");
        let few = |intervals| labels(Axis::log("").range(30.0, 4000.0), &[], intervals);
        assert_eq!(few(7), "50 100 200 500 1000 2000");
        assert_eq!(few(6), "10^{2} 10^{3}");
        let minor = Axis::log("").range(50.0, 4000.0).scale([], 4, true);
        let expected = (5..10).map(|n| 10.0 * f64::from(n)).chain((2..10).map(|n| 100.0 * f64::from(n)));
        assert_eq!(minor.minor_ticks(), expected.chain([2e3, 3e3, 4e3]).collect::<Vec<f64>>());
    }

    #[test]
    fn names_have_whole_places() {
        let scale = Axis::names("", ["a", "b", "c"]).scale([0.0, 2.0], 5, false);
        assert_eq!(scale.labels(), ["a", "b", "c"]);
        assert_eq!([0.0, 1.0, 2.0].map(|index| scale.map(&index, (0, 600))), [100, 300, 500]);
        assert_eq!(scale.turned().map(&0.0, (0, 600)), 500);
    }

    #[test]
    fn labels_of_a_horizontal_axis_do_not_touch() {
        let scale = || Axis::log("").range(500.0, 50_000.0).scale([], 7, false);
        assert_eq!(scale().horizontal(6000, 120).ticks(), [500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4]);
        assert_eq!(scale().horizontal(2000, 120).ticks(), [1e3, 1e4]);
        let wide = |length| Axis::log("").range(1e-150, 1e30).scale([], 9, false).horizontal(length, 120);
        assert_eq!(wide(6000).ticks().len(), 9);
        assert_eq!(wide(2400).labels().join(" "), "10^{−120} 10^{−80} 10^{−40} 1");
        assert_eq!(wide(2400).minor_ticks(), [1e-140, 1e-100, 1e-60, 1e-20, 1e20]);
        let axis = Axis::linear("").infinity("> 1000");
        assert_eq!(axis.scale([0.0, 1.0, f64::INFINITY], 1, false).labels(), ["0", "1", "> 1000"]);
        assert_eq!(axis.scale([0.0, 1.0], 1, false).labels(), ["0", "1"]);
    }

    #[test]
    fn the_middle_is_in_the_middle() {
        let middle_of = |axis: Axis, middle: f64, data: &[f64]| {
            axis.scale_around(middle, data.iter().copied(), 6).fraction(middle)
        };
        for data in [&[-0.3, 7.1][..], &[1.0, 2.0], &[0.0], &[f64::NAN, -4.0]] {
            assert_eq!(middle_of(Axis::linear(""), 0.0, data), 0.5, "{data:?}");
        }
        assert_eq!(middle_of(Axis::linear("").range(-1.0, 5.0), 0.0, &[]), 0.5);
        assert_eq!(middle_of(Axis::log(""), 1.0, &[0.01, 2.0]), 0.5);
    }

    proptest! {
        /// Whatever the data, also where floats end: the axis holds it, in its order, and its ticks can be told
        /// apart.
        #[test]
        fn all_data_has_a_scale(
            data in prop::collection::vec(prop::num::f64::ANY, 0..12),
            near in prop::option::of((prop::num::f64::NORMAL, 0..60i32)),
            logarithmic: bool,
            round: bool,
            intervals in 1..13,
        ) {
            let axis = if logarithmic { Axis::log("") } else { Axis::linear("") };
            // Beside values from everywhere also such as differ in their last bits.
            let data: Vec<f64> = match near {
                Some((value, steps)) => (0..steps).map(|i| value * (1.0 + f64::from(i) * f64::EPSILON)).collect(),
                None => data,
            };
            let data = || data.iter().copied().filter(|value| !value.is_finite() || value.abs() <= 1e300);
            let scale = axis.scale(data(), intervals, round);
            let ticks = scale.ticks();
            let (low, high) = (scale.from.min(scale.to), scale.from.max(scale.to));
            prop_assert!(low < high && (high - low).is_finite(), "{low} to {high}");
            prop_assert!(ticks.iter().all(|tick| tick.is_finite() && scale.holds(*tick)), "{ticks:?}");
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
            prop_assert!(ticks.len() as i32 <= 3 * intervals + 3, "{ticks:?} for {intervals} intervals");
            let labels = scale.labels();
            for (index, label) in labels.iter().enumerate() {
                prop_assert!(!labels[..index].contains(label), "{labels:?}");
            }
            let mut numbers: Vec<f64> = data().filter(|value| scale.odd(*value).is_none()).collect();
            numbers.sort_by(f64::total_cmp);
            let ends = scale.ends((0, 4000));
            let places: Vec<i32> = numbers.iter().map(|value| scale.map(value, (0, 4000))).collect();
            prop_assert!(places.is_sorted(), "{places:?}");
            prop_assert!(places.iter().all(|place| (ends.0..=ends.1).contains(place)), "{places:?} in {ends:?}");
            for value in data() {
                prop_assert!(scale.holds(value), "{value}");
                let place = scale.map(&value, (0, 4000));
                prop_assert_eq!(scale.odd(value).is_none(), (ends.0..=ends.1).contains(&place));
            }
        }
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
        assert_eq!(scale.labels(), ["0", "1", "2", "5", "10", "∞", "NaN"]);
        let places = [0.0, 1.0, 10.0, f64::INFINITY, f64::NAN].map(|value| scale.map(&value, (0, 1720)));
        assert_eq!(places, [90, 270, 1270, 1450, 1630]);
        assert!(!scale.holds(-1.0));
        assert_eq!(
            Axis::linear("").scale([0.0, -1.0, f64::NEG_INFINITY], 1, true).labels(),
            ["−∞", "−1", "0"]
        );
    }
}
