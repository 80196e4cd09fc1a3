//! Curves over a common x, in one plot or in several that share their axes.
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    Canvas, Frame, LINE_HEIGHT, Look, MARGIN, Plot, Rect, TEXT_SIZE, TICK_ROOM, TICK_SIZE, WIDTH, px, spread,
    widest,
};
use super::ink::{DASHED, DOTTED, Paint};
use super::markup::width;
use super::path::{Point, clip};
use super::scale::{Axis, Scale};
use super::{Figure, Ink, ink_of};
use crate::Series;

/// A line with a name at its end, and a band around it if it has one.
#[derive(Clone, Debug)]
pub struct Curve {
    name: String,
    ink: Ink,
    dashed: bool,
    points: Vec<(f64, f64)>,
    band: Option<(Vec<f64>, Vec<f64>)>,
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
        Curve { ink: ink_of(&name), name, dashed: false, points, band: None }
    }

    /// A report's series with its band.
    ///
    /// # Panics
    /// If an x is not finite.
    #[track_caller]
    pub fn of(name: impl Into<String>, series: &Series) -> Curve {
        Curve { band: series.band(), ..Curve::new(name, series.points()) }
    }

    /// A band from `low` to `high`, one value of each for every point.
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

    /// Another ink than the name's.
    pub fn ink(self, ink: Ink) -> Curve {
        Curve { ink, ..self }
    }

    /// Dashed, for one of two curves in the same ink.
    pub fn dashed(self) -> Curve {
        Curve { dashed: true, ..self }
    }

    /// All values, of the band too.
    fn values(&self) -> impl Iterator<Item = f64> {
        let band = self.band.iter().flat_map(|(low, high)| low.iter().chain(high).copied());
        self.points.iter().map(|point| point.1).chain(band)
    }
}

/// A line chart: one plot, or panels that share both axes.
///
/// The y axis's title stands at the top left, as horizontal as all text, and each curve's name at its end.
#[derive(Clone, Debug)]
pub struct LineChart {
    description: String,
    x: Axis,
    y: Axis,
    columns: usize,
    references: Vec<(String, f64)>,
    /// Titles and curves; the first has no title if the chart has no panels.
    panels: Vec<(String, Vec<Curve>)>,
}

impl LineChart {
    /// A chart without curves. The description says what it shows to those who cannot see it.
    pub fn new(description: impl Into<String>, x: Axis, y: Axis) -> LineChart {
        LineChart {
            description: description.into(),
            x,
            y,
            columns: 2,
            references: Vec::new(),
            panels: Vec::new(),
        }
    }

    /// Starts a panel: the curves after it go there.
    pub fn panel(mut self, title: impl Into<String>) -> LineChart {
        self.panels.push((title.into(), Vec::new()));
        self
    }

    /// At most that many panels beside each other; 2 unless said otherwise.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn columns(mut self, columns: usize) -> LineChart {
        assert!(columns > 0, "panels stand in at least one column");
        self.columns = columns;
        self
    }

    /// Adds a curve to the last panel, or to the only plot.
    pub fn curve(mut self, curve: Curve) -> LineChart {
        if self.panels.is_empty() {
            self = self.panel("");
        }
        if let Some((_, curves)) = self.panels.last_mut() {
            curves.push(curve);
        }
        self
    }

    /// Adds a dashed line across every panel; its name stands on it in the first one.
    pub fn reference(mut self, name: impl Into<String>, y: f64) -> LineChart {
        self.references.push((name.into(), y));
        self
    }

    /// Draws the chart.
    pub fn figure(&self) -> Figure {
        let columns = self.columns.min(self.panels.len()).max(1);
        let rows = self.panels.len().div_ceil(columns).max(1);
        let curves = || self.panels.iter().flat_map(|(_, curves)| curves);
        let x = self.x.scale(
            curves().flat_map(|curve| curve.points.iter().map(|p| p.0)),
            12 / columns as i32,
            false,
        );
        let references = self.references.iter().map(|(_, value)| *value);
        let y = self.y.scale(
            curves().flat_map(Curve::values).chain(references),
            if rows > 1 { 4 } else { 6 },
            true,
        );

        let y_labels = y.labels();
        let left = MARGIN + widest(y_labels.iter().map(String::as_str), TICK_SIZE) + px(7);
        let names = widest(curves().map(|curve| curve.name.as_str()), TEXT_SIZE * 106 / 100);
        // Room for names, or at least for half of the last tick label.
        let names = if names > 0 { NAME_GAP + names } else { px(12) };
        let title_room = if self.panels.iter().any(|(title, _)| !title.is_empty()) { px(20) } else { 0 };
        let (gap, count) = (px(10), columns as i32);
        let plot_width = (WIDTH - MARGIN - left - names * count - gap * (count - 1)) / count;
        let plot_height = if self.panels.len() > 1 { px(150) } else { px(230) };

        let top = MARGIN + LINE_HEIGHT * lines(&self.y.title) + px(10);
        let row_height = title_room + plot_height + px(18);
        let x_title_top = top + row_height * (rows as i32 - 1) + title_room + plot_height + TICK_ROOM;
        let canvas = Canvas::new(x_title_top + LINE_HEIGHT + MARGIN, &self.description);
        canvas.paragraph(&self.y.title, MARGIN);
        for (index, (title, curves)) in self.panels.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let rect = Rect {
                left: left + (plot_width + names + gap) * column as i32,
                top: top + row_height * row as i32 + title_room,
                width: plot_width,
                height: plot_height,
            };
            let below = index + columns >= self.panels.len();
            let frame = Frame { x_labels: below, y_labels: column == 0, x_grid: false, y_grid: true };
            let plot = canvas.plot(rect, x.clone(), y.clone(), frame);
            canvas.text(title, (rect.left, rect.top - px(13)), Look::label(ink_of(title)).bold());
            self.draw_panel(&canvas, &plot, &x, &y, curves, index == 0);
        }
        let middle = (left + WIDTH - MARGIN - names) / 2;
        let look = Look::label(Ink::Muted).held(HPos::Center, VPos::Center);
        canvas.text(&self.x.title, (middle, x_title_top + LINE_HEIGHT / 2), look);
        canvas.finish()
    }

    fn draw_panel(&self, canvas: &Canvas, plot: &Plot, x: &Scale, y: &Scale, curves: &[Curve], first: bool) {
        let mut drawn: Vec<Vec<Point>> = Vec::new();
        let mut ends: Vec<(Point, &Curve)> = Vec::new();
        for curve in curves {
            draw_band(canvas, plot, x, y, curve);
        }
        for (index, curve) in curves.iter().enumerate() {
            // In a lane curves lie beside each other, not on top.
            let lane_shift = 30 * index as i32 - 15 * (curves.len() as i32 - 1);
            let runs = draw_curve(canvas, plot, x, y, curve, lane_shift);
            if let Some(end) = runs.last().and_then(|run| run.last()) {
                ends.push((*end, curve));
            }
            drawn.extend(runs);
        }
        draw_names(canvas, plot, ends);
        for (name, value) in &self.references {
            if !value.is_finite() || !y.holds(*value) {
                canvas.note(format!("the reference {name:?} at {value} is outside the y axis"));
                continue;
            }
            let height = plot.at(0.0, *value).1;
            let (left, right) = ((plot.rect.left, height), (plot.rect.right(), height));
            canvas.stroke(vec![left, right], Paint::from(Ink::Muted).with(DASHED).stroke(12));
            if first {
                draw_reference_name(canvas, plot, name, height, &drawn);
            }
        }
    }
}

/// From the plot to the names of curves.
const NAME_GAP: i32 = px(12);

/// How many lines a title takes.
fn lines(title: &str) -> i32 {
    super::markup::wrap(title, TEXT_SIZE, WIDTH - 2 * MARGIN).len() as i32
}

/// Draws a curve in runs, which end where it goes to or from a lane; returns them.
fn draw_curve(
    canvas: &Canvas,
    plot: &Plot,
    x: &Scale,
    y: &Scale,
    curve: &Curve,
    lane_shift: i32,
) -> Vec<Vec<Point>> {
    let paint = Paint::from(curve.ink);
    let paint = if curve.dashed { paint.with(DASHED) } else { paint };
    if let Some(point) =
        curve.points.iter().find(|point| x.odd(point.0).is_some() || !x.holds(point.0) || !y.holds(point.1))
    {
        canvas.note(format!("the curve {:?} leaves the plot at {point:?}", curve.name));
    }
    let points: Vec<(f64, f64)> =
        curve.points.iter().copied().filter(|point| x.odd(point.0).is_none()).collect();
    let runs = points.chunk_by(|a, b| y.odd(a.1) == y.odd(b.1)).map(|run| {
        let shift = if y.odd(run[0].1).is_some() { lane_shift } else { 0 };
        let run: Vec<Point> = run.iter().map(|&(x, y)| plot.at(x, y)).map(|(x, y)| (x, y + shift)).collect();
        if let [point] = run[..] {
            // A point alone has no line.
            canvas.dot(point, curve.ink);
        } else {
            canvas.line(plot, &run, paint.stroke(17));
        }
        run
    });
    runs.collect()
}

fn draw_band(canvas: &Canvas, plot: &Plot, x: &Scale, y: &Scale, curve: &Curve) {
    let Some((low, high)) = &curve.band else { return };
    let edges: Vec<(f64, f64, f64)> = curve
        .points
        .iter()
        .zip(low.iter().zip(high))
        .map(|(&(x, _), (&low, &high))| (x, low, high))
        .collect();
    if let Some(edge) = edges.iter().find(|edge| !y.holds(edge.1) || !y.holds(edge.2)) {
        canvas.note(format!("the band of {:?} leaves the plot at {edge:?}", curve.name));
    }
    // An edge in a lane ends there: a band from zero reaches down to the lane of zero. NaN is a gap.
    let drawable = |edge: &(f64, f64, f64)| x.odd(edge.0).is_none() && !edge.1.is_nan() && !edge.2.is_nan();
    for run in edges.chunk_by(|a, b| drawable(a) == drawable(b)).filter(|run| drawable(&run[0])) {
        let low: Vec<Point> = run.iter().map(|&(x, low, _)| plot.at(x, low)).collect();
        let high: Vec<Point> = run.iter().map(|&(x, _, high)| plot.at(x, high)).collect();
        canvas.band(plot, &low, &high, Paint::from(curve.ink).percent(16).fill());
    }
}

/// Names at the curves' ends, apart from each other, with a thin line to those that had to move.
fn draw_names(canvas: &Canvas, plot: &Plot, mut ends: Vec<(Point, &Curve)>) {
    ends.retain(|(_, curve)| !curve.name.is_empty());
    ends.sort_by_key(|(end, _)| end.1);
    let wishes: Vec<i32> = ends.iter().map(|(end, _)| end.1).collect();
    let heights = spread(&wishes, px(15), plot.rect.top - px(2), plot.rect.bottom() + px(2));
    for (((x, y), curve), height) in ends.into_iter().zip(heights) {
        let at = (plot.rect.right() + NAME_GAP, height);
        if (height - y).abs() > px(4) || x < plot.rect.right() - px(2) {
            let line = vec![(x + px(2), y), (at.0 - px(2), height)];
            canvas.stroke(line, Paint::from(curve.ink).with(DOTTED).stroke(10));
        }
        canvas.text(&curve.name, at, Look::label(curve.ink).bold());
    }
}

/// The name of a reference line, above or below it, at its right or left end, where it covers the fewest
/// segments of curves.
fn draw_reference_name(canvas: &Canvas, plot: &Plot, name: &str, height: i32, drawn: &[Vec<Point>]) {
    let look = Look::label(Ink::Muted).size(TICK_SIZE).halo();
    let size = width(name, TICK_SIZE);
    let (left, right) = (plot.rect.left + px(3), plot.rect.right() - px(3));
    let places = [
        (right, HPos::Right, right - size, -1),
        (left, HPos::Left, left, -1),
        (right, HPos::Right, right - size, 1),
        (left, HPos::Left, left, 1),
    ];
    let covered = |x: i32, side: i32| {
        let (near, far) = (height + side * px(3), height + side * px(15));
        let bounds = [x, near.min(far), x + size, near.max(far)];
        let crosses =
            |run: &Vec<Point>| run.windows(2).filter(|ends| clip(ends[0], ends[1], bounds).is_some()).count();
        let outside = far < plot.rect.top || far > plot.rect.bottom();
        drawn.iter().map(crosses).sum::<usize>() + if outside { 1000 } else { 0 }
    };
    let place = |&(x, hold, start, side): &(i32, HPos, i32, i32)| {
        let vertical = if side < 0 { VPos::Bottom } else { VPos::Top };
        let (at, look) = ((x, height + side * px(3)), look.held(hold, vertical));
        let taken = if canvas.is_free(name, at, look) { 0 } else { 1000 };
        (covered(start, side) + taken, at, look)
    };
    if let Some((_, at, look)) = places.iter().map(place).min_by_key(|place| place.0) {
        canvas.text(name, at, look);
    }
}
