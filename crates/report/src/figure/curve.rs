//! Curves: points with what stands for them, in line charts and on heat maps.
use plotters::style::ShapeStyle;

use super::ink::{DASHED, Paint};
use super::{Ink, Marker, ink_of};
use crate::Series;

/// Named points: a line with its name at its end, marks at the points, or both. If each point has an interval,
/// they are a band around the line, or bars at the marks.
///
/// ```
/// use longlag_report::figure::{Curve, Marker};
///
/// // Many points: a line and its band.
/// let lags = || (0..=20).map(f64::from);
/// let (low, high): (Vec<f64>, Vec<f64>) = lags().map(|lag| (0.7 - lag / 50.0, 0.9 - lag / 50.0)).unzip();
/// let share = Curve::new("LSTM", lags().map(|lag| (lag, 0.8 - lag / 50.0))).band(low, high);
/// // A law to compare with: dashed, and cut off where the axes end that the data has.
/// let law = Curve::new("0.9^{*k*}", lags().scan(1.0, |y, lag| Some((lag, std::mem::replace(y, *y * 0.9)))))
///     .bound();
/// // Few points: marks with bars.
/// let solved = Curve::new("GRU", [(50.0, 1.0), (100.0, 0.95), (200.0, 0.4)])
///     .band([0.83, 0.75, 0.19], [1.0, 1.0, 0.64])
///     .marked(Marker::Disc);
/// // Points in no order: marks alone, their name above the plot.
/// let runs = Curve::new("RNN", [(0.4, 0.2), (0.1, 0.9)]).scattered(Marker::Diamond);
/// ```
#[derive(Clone, Debug)]
pub struct Curve {
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) points: Vec<(f64, f64)>,
    /// Low and high ends.
    pub(super) band: Option<(Vec<f64>, Vec<f64>)>,
    pub(super) marker: Option<Marker>,
    pub(super) joined: bool,
    pub(super) bound: bool,
    faint: bool,
    dashed: bool,
}

impl Curve {
    /// A curve of that name in the ink of the cell it names ([`ink_of`]).
    ///
    /// # Panics
    /// If an x is not finite.
    #[track_caller]
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        let (name, points) = (name.into(), points.into_iter().collect::<Vec<_>>());
        if let Some((x, _)) = points.iter().find(|(x, _)| !x.is_finite()) {
            panic!("the curve {name:?} has a point at x = {x}");
        }
        Curve {
            ink: ink_of(&name),
            name,
            points,
            band: None,
            marker: None,
            joined: true,
            bound: false,
            faint: false,
            dashed: false,
        }
    }

    /// A report's series with its band.
    ///
    /// # Panics
    /// If an x is not finite.
    #[track_caller]
    pub fn of(name: impl Into<String>, series: &Series) -> Curve {
        Curve { band: series.band(), ..Curve::new(name, series.points()) }
    }

    /// An interval from `low` to `high` for every point.
    ///
    /// # Panics
    /// If lengths differ.
    #[track_caller]
    pub fn band(self, low: impl Into<Vec<f64>>, high: impl Into<Vec<f64>>) -> Curve {
        let (low, high) = (low.into(), high.into());
        let lengths = [self.points.len(), low.len(), high.len()];
        assert!(lengths.iter().all(|n| *n == lengths[0]), "points, low and high are {lengths:?}");
        Curve { band: Some((low, high)), ..self }
    }

    /// Marks every point; intervals become bars.
    pub fn marked(self, marker: Marker) -> Curve {
        Curve { marker: Some(marker), ..self }
    }

    /// Marks every point and leaves out the line between them. The name stands in the legend, with its mark.
    pub fn scattered(self, marker: Marker) -> Curve {
        Curve { joined: false, ..self.marked(marker) }
    }

    /// A bound or a law to compare the data with: dashed, cut off at the plot's border, without a say in the
    /// axes' ranges, and named along itself.
    pub fn bound(self) -> Curve {
        Curve { bound: true, ..self.dashed() }
    }

    /// Thin and pale: one run of many, or another panel's curve for comparison. It has no name in the figure.
    pub fn faint(self) -> Curve {
        Curve { faint: true, ..self }
    }

    /// Another ink than the name's.
    pub fn ink(self, ink: Ink) -> Curve {
        Curve { ink, ..self }
    }

    /// Dashed, for one of two curves in the same ink.
    pub fn dashed(self) -> Curve {
        Curve { dashed: true, ..self }
    }

    /// All values, of the band too.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        let band = self.band.iter().flat_map(|(low, high)| low.iter().chain(high).copied());
        self.points.iter().map(|point| point.1).chain(band)
    }

    /// Points with the ends of their intervals: x, low, high.
    pub(super) fn intervals(&self) -> Vec<(f64, f64, f64)> {
        let Some((low, high)) = &self.band else { return Vec::new() };
        self.points.iter().zip(low.iter().zip(high)).map(|(&(x, _), (&low, &high))| (x, low, high)).collect()
    }

    /// How its line is drawn.
    pub(super) fn style(&self) -> ShapeStyle {
        let paint = Paint::from(self.ink);
        let paint = if self.dashed { paint.with(DASHED) } else { paint };
        match (self.faint, self.bound) {
            (true, _) => paint.percent(45).stroke(10),
            (false, true) => paint.stroke(13),
            (false, false) => paint.stroke(17),
        }
    }

    /// The name that stands in the figure, if any.
    pub(super) fn label(&self) -> Option<&str> {
        (!self.faint && !self.name.is_empty()).then_some(self.name.as_str())
    }
}
