//! A matrix of values as coloured cells.
use plotters::coord::ranged1d::Ranged;
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::BTreeSet;

use super::canvas::{
    Canvas, Frame, LINE_HEIGHT, Look, MARGIN, Plot, Rect, TEXT_SIZE, TICK_ROOM, TICK_SIZE, WIDTH, along,
    around, px, widest,
};
use super::contour::contour;
use super::curve::Curve;
use super::ink::{Paint, Tone};
use super::markup::{width, wrap};
use super::panels::{Grid, Panels};
use super::path::{Bounds, Point};
use super::ramp::LEVELS;
use super::scale::{Axis, Odd, Scale, log10};
use super::{Figure, Ink, Marker};
use crate::format::format_number;

/// A heat map: a cell for each pair of an x and a y, coloured by its value; one map, or panels that share their
/// axes and colours.
///
/// Cells without a value are left out. Values that the colours have no place for (NaN, infinities, zero and
/// below on a logarithmic scale) are crossed out instead of coloured, with an entry below or above the colours.
///
/// ```
/// use longlag_report::figure::{Axis, Curve, HeatMap};
///
/// // A matrix of names with its numbers.
/// let solved = [[1.0, 0.55, 0.1], [1.0, 0.95, 0.6]];
/// let cell = |row: usize, column: usize| (column as f64, row as f64, solved[row][column]);
/// let figure = HeatMap::new(
///     "Share of runs that solve the task, for two cells and three lags.",
///     Axis::names("Lag *T*", ["50", "100", "200"]),
///     Axis::names("", ["GRU", "LSTM"]),
///     Axis::linear("Runs that solve the task").percent().range(0.0, 1.0),
/// )
/// .cells((0..2).flat_map(|row| (0..3).map(move |column| cell(row, column))))
/// .numbers(0)
/// .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
///
/// // A phase diagram: a middle, the line where it is passed, and a run's way through it.
/// let steps = |from: f64| (0..20).map(move |i| from + 0.25 * f64::from(i));
/// let figure = HeatMap::new(
///     "Growth of the gradient against forget bias and gain: it vanishes below the line and explodes above.",
///     Axis::linear("Forget bias"),
///     Axis::linear("Gain"),
///     Axis::linear("Growth, decades per 100 steps"),
/// )
/// .diverging(0.0)
/// .cells(steps(-1.0).flat_map(|b| steps(0.25).map(move |g| (b, g, b + g - 3.0))))
/// .contour("neither", 0.0)
/// .curve(Curve::new("LSTM", [(0.0, 1.0), (0.6, 1.3), (1.5, 1.4)]))
/// .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap {
    description: String,
    x: Axis,
    y: Axis,
    value: Axis,
    middle: Option<f64>,
    decimals: Option<usize>,
    columns: usize,
    contours: Vec<(String, f64)>,
    panels: Panels<Map>,
}

/// What one panel shows.
#[derive(Clone, Debug, Default)]
struct Map {
    /// x, y, value.
    cells: Vec<(f64, f64, f64)>,
    /// The bits of each x and y.
    places: BTreeSet<(u64, u64)>,
    curves: Vec<Curve>,
}

impl HeatMap {
    /// A map without cells; `value` is the axis of their colours. The description says what it shows to those
    /// who cannot see it.
    pub fn new(description: impl Into<String>, x: Axis, y: Axis, value: Axis) -> HeatMap {
        HeatMap {
            description: description.into(),
            x,
            y,
            value,
            middle: None,
            decimals: None,
            columns: 2,
            contours: Vec::new(),
            panels: Panels::default(),
        }
    }

    /// Two ramps of colours that meet at `middle`, as far to either side: blue below it, orange above. Without
    /// it there is one ramp from the least to the greatest value.
    pub fn diverging(self, middle: f64) -> HeatMap {
        HeatMap { middle: Some(middle), ..self }
    }

    /// Writes each cell's value into it, with that many decimals, as percentages if the axis has these. On a
    /// logarithmic axis they are the exponent's where a power of ten is shorter.
    pub fn numbers(self, decimals: usize) -> HeatMap {
        HeatMap { decimals: Some(decimals), ..self }
    }

    /// Starts a panel: the cells and curves after it go there.
    pub fn panel(mut self, title: impl Into<String>) -> HeatMap {
        self.panels.start(title.into());
        self
    }

    /// At most that many panels beside each other; 2 unless said otherwise.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn columns(self, columns: usize) -> HeatMap {
        assert!(columns > 0, "panels stand in at least one column");
        HeatMap { columns, ..self }
    }

    /// Adds cells to the last panel, or to the only map: x, y and value of each. On an axis of names x or y is
    /// the name's index. Between cells are the borders, so x and y are their middles.
    ///
    /// # Panics
    /// If an x or y isn't finite, or not positive on a logarithmic axis, or if a cell comes twice.
    #[track_caller]
    pub fn cells(mut self, cells: impl IntoIterator<Item = (f64, f64, f64)>) -> HeatMap {
        for (x, y, value) in cells {
            let place = |axis: &Axis, at: f64| at.is_finite() && (at > 0.0 || !axis.logarithmic);
            assert!(place(&self.x, x) && place(&self.y, y), "a cell at ({x}, {y})");
            // Zero has two forms.
            let (x, y, map) = (x + 0.0, y + 0.0, self.panels.last());
            assert!(map.places.insert((x.to_bits(), y.to_bits())), "two cells at ({x}, {y})");
            map.cells.push((x, y, value));
        }
        self
    }

    /// Adds a line through all panels where values pass `value`.
    pub fn contour(mut self, name: impl Into<String>, value: f64) -> HeatMap {
        self.contours.push((name.into(), value));
        self
    }

    /// Adds a way through the last panel: from a ring to a disc, with its name near the end.
    pub fn curve(mut self, curve: Curve) -> HeatMap {
        self.panels.last().curves.push(curve);
        self
    }

    /// Draws the map.
    pub fn figure(&self) -> Figure {
        let cells = || self.panels.contents().flat_map(|map| map.cells.iter());
        let columns = Side::new(&self.x, cells().map(|cell| cell.0));
        let rows = Side::new(&self.y, cells().map(|cell| cell.1));
        let values = || cells().map(|cell| cell.2);
        let most_columns = self.columns.min(self.panels.len()).max(1);
        let x = self.x.scale(columns.edges(), 10 / most_columns as i32, false);
        let y = self.y.scale(rows.edges(), if self.panels.len() > most_columns { 4 } else { 6 }, false);
        let y = if y.is_of_names() { y.turned() } else { y };
        let of_numbers = self.decimals.map(|_| (px(25) * rows.centres.len() as i32).max(px(75)));
        let scale = |intervals: i32| match self.middle {
            Some(middle) => self.value.scale_around(middle, values(), intervals),
            None => self.value.scale(values(), intervals, true),
        };
        // A map of few rows has a short bar for its colours.
        let lanes = scale(1).lanes().count() as i32;
        let bar_height =
            of_numbers.map_or(px(200), |height| height * self.panels.len().div_ceil(most_columns) as i32);
        let scale = scale(((bar_height - px(27) * lanes) / px(22)).clamp(1, 6));
        let colors = Colors { scale, middle: self.middle };

        let widest_of = |labels: Vec<String>| widest(labels.iter().map(String::as_str), TICK_SIZE);
        let left = MARGIN + widest_of(y.labels()) + px(7);
        let bar_left = WIDTH - MARGIN - widest_of(colors.scale.labels()) - px(6) - BAR_WIDTH;
        let grid = Grid::new(&self.panels, self.columns, left, 0, bar_left - px(14));
        let x = x.horizontal(grid.plot_width(), TICK_SIZE);
        let height = of_numbers.unwrap_or_else(|| match self.panels.len() {
            0 | 1 => grid.plot_width().min(px(240)),
            _ => grid.plot_width().clamp(px(80), px(150)),
        });
        let titles = Titles::new(&self.y.title, &self.value.title);
        let grid = grid.at(MARGIN + LINE_HEIGHT * titles.lines() + px(10), height);
        let x_title_top = grid.bottom() + TICK_ROOM;
        let canvas = Canvas::new(x_title_top + LINE_HEIGHT + MARGIN, &self.description);
        titles.draw(&canvas);
        for (index, (title, map)) in self.panels.iter().enumerate() {
            let frame = Frame {
                x_labels: grid.is_lowest(index),
                y_labels: grid.is_leftmost(index),
                x_grid: false,
                y_grid: false,
                x_axis: !x.is_of_names(),
            };
            let rect = grid.rect(index);
            let plot = canvas.plot(rect, &x, &y, frame);
            grid.title(&canvas, rect, title);
            let drawn =
                Panel { canvas: &canvas, plot: &plot, columns: &columns, rows: &rows, colors: &colors };
            let cells = drawn.draw_cells(&map.cells);
            if let Some(decimals) = self.decimals {
                drawn.draw_numbers(cells, |value| self.number(value, decimals));
            }
            let contours = drawn.draw_contours(&self.contours, &map.cells);
            let ways = drawn.draw_ways(&map.curves, &x, &y);
            // Lines before names, which keep away from them.
            for (name, line) in contours.iter().filter(|(name, _)| index == 0 && !name.is_empty()) {
                let look = Look::label(Ink::Text).size(TICK_SIZE).halo();
                canvas.label(&plot, name, look, along(line));
            }
            for (name, ink, way) in &ways {
                let places = way.last().into_iter().flat_map(|last| around(*last, px(6))).chain(along(way));
                canvas.label(&plot, name, Look::label(*ink).bold().halo(), places);
            }
        }
        let top = grid.rect(0).top;
        let bar = Rect { left: bar_left, top, width: BAR_WIDTH, height: grid.bottom() - top };
        draw_bar(&canvas, bar, &colors);
        let look = Look::label(Ink::Muted).held(HPos::Center, VPos::Center);
        canvas.text(&self.x.title, (grid.middle(), x_title_top + LINE_HEIGHT / 2), look);
        canvas.finish()
    }

    /// A value as its cell has it.
    fn number(&self, value: f64, decimals: usize) -> String {
        if Odd::of(value, self.value.logarithmic).is_some() {
            return self.value.scale([value], 1, false).label(value);
        }
        let plain = |value: f64| format!("{value:.decimals$}").replace('-', "−");
        match value {
            _ if !self.value.logarithmic => plain(if self.value.percent { value * 100.0 } else { value }),
            0.01..1000.0 => format_number(value, decimals as u8 + 1),
            _ => format!("10^{{{}}}", plain(log10(value))),
        }
    }
}

/// A panel while it is drawn.
struct Panel<'a> {
    canvas: &'a Canvas,
    plot: &'a Plot,
    columns: &'a Side,
    rows: &'a Side,
    colors: &'a Colors,
}

/// A cell as it is drawn: its level, if it has one, its place and its value.
type Cell = (Option<i8>, Bounds, f64);

/// Cells at least as wide and high have gaps between them.
const LARGE: i32 = px(14);

impl Panel<'_> {
    /// Where a cell is, as far as it is inside the plot.
    fn place(&self, x: f64, y: f64) -> Bounds {
        let borders = |side: &Side, at: f64| side.borders(side.index(at));
        let (columns, rows) = (borders(self.columns, x), borders(self.rows, y));
        let [x, y] = [columns.map(|x| self.plot.at_x(x)), rows.map(|y| self.plot.at_y(y))];
        let [left, top, right, bottom] = self.plot.rect.bounds();
        let hold = |value: i32, low: i32, high: i32| value.max(low).min(high);
        [
            hold(x[0].min(x[1]), left, right),
            hold(y[0].min(y[1]), top, bottom),
            hold(x[0].max(x[1]), left, right),
            hold(y[0].max(y[1]), top, bottom),
        ]
    }

    fn draw_cells(&self, cells: &[(f64, f64, f64)]) -> Vec<Cell> {
        let Panel { canvas, plot, colors, .. } = self;
        let mut drawn: Vec<Cell> = Vec::new();
        for &(x, y, value) in cells {
            if !colors.scale.holds(value) {
                canvas.note(format!("the cell at ({x}, {y}) has the value {value}, which has no colour"));
            }
            drawn.push((colors.level(value), self.place(x, y), value));
        }
        // Cells of one colour are one path.
        drawn.sort_by_key(|&(level, [left, top, ..], _)| (level, top, left));
        let is_large =
            |&(_, [left, top, right, bottom], _): &Cell| right - left >= LARGE && bottom - top >= LARGE;
        let large = drawn.iter().all(is_large);
        let borders = plot.rect.bounds();
        for run in drawn.chunk_by(|a, b| !large && a.0 == b.0 && a.1[1] == b.1[1] && a.1[2] == b.1[0]) {
            let (Some(level), [left, top, _, bottom], _) = run[0] else { continue };
            let whole = [left, top, run[run.len() - 1].1[2], bottom];
            // Small cells reach under their neighbours: where rounding leaves gaps the page would show.
            let bounds = if large { inside(whole, 5) } else { within(inside(whole, -3), borders) };
            canvas.rectangle(bounds, Paint::from(Tone::level(level)).fill());
        }
        for &(_, bounds, value) in drawn.iter().filter(|(level, ..)| level.is_none()) {
            if large {
                let box_style = Paint::from(Ink::Axis).stroke(8);
                canvas.rectangle(inside(bounds, 9), box_style);
            }
            cross_out(canvas, if large { inside(bounds, 9) } else { bounds }, colors.scale.odd(value));
        }
        drawn
    }

    fn draw_numbers(&self, cells: Vec<Cell>, number: impl Fn(f64) -> String) {
        let tone = |level: Option<i8>| level.map_or(Ink::Text.into(), Tone::on_level);
        let mut numbers: Vec<(Tone, Bounds, String)> =
            cells.into_iter().map(|(level, bounds, value)| (tone(level), bounds, number(value))).collect();
        // Numbers of one colour are one group.
        numbers.sort_by_key(|&(tone, [left, top, ..], _)| (tone, top, left));
        for (tone, [left, top, right, bottom], number) in numbers {
            let room = right - left - px(2);
            if width(&number, TICK_SIZE) > room {
                self.canvas.note(format!("the number {number:?} is wider than its cell's {} px", room / 10));
            }
            let look = Look::label(tone).size(TICK_SIZE).held(HPos::Center, VPos::Center);
            let crossed = tone == Ink::Text.into();
            let look = if crossed { look.halo() } else { look };
            self.canvas.text(&number, ((left + right) / 2, (top + bottom) / 2), look);
        }
    }

    /// Draws the contours; returns the longest line of each.
    fn draw_contours<'a>(
        &self,
        contours: &'a [(String, f64)],
        cells: &[(f64, f64, f64)],
    ) -> Vec<(&'a str, Vec<Point>)> {
        let Panel { canvas, plot, columns, rows, colors } = self;
        let scale = &colors.scale;
        let values = self.values(cells);
        let x: Vec<i32> = columns.with_ends().into_iter().map(|x| plot.at_x(x)).collect();
        let y: Vec<i32> = rows.with_ends().into_iter().map(|y| plot.at_y(y)).collect();
        let mut longest = Vec::new();
        for (name, level) in contours {
            if scale.odd(*level).is_some() || !scale.holds(*level) {
                canvas.note(format!("the contour {name:?} at {level} is outside the colours"));
                continue;
            }
            let lines = contour(&x, &y, |column, row| values[row][column], scale.fraction(*level));
            for line in &lines {
                self.draw_over(line, Paint::from(Ink::Text).stroke(14));
            }
            longest.extend(lines.into_iter().max_by_key(Vec::len).map(|line| (name.as_str(), line)));
        }
        longest
    }

    /// Places on the scale of colours, in rows, at the places of [`Side::with_ends`]: at the outer borders what
    /// the values come to if they go on straight.
    fn values(&self, cells: &[(f64, f64, f64)]) -> Vec<Vec<Option<f64>>> {
        let scale = &self.colors.scale;
        let mut grid = vec![vec![None; self.columns.centres.len()]; self.rows.centres.len()];
        for &(x, y, value) in cells.iter().filter(|cell| scale.odd(cell.2).is_none()) {
            grid[self.rows.index(y)][self.columns.index(x)] = Some(scale.fraction(value));
        }
        let beyond = |last: Option<f64>, before: Option<f64>| Some(last? + 0.5 * (last? - before.or(last)?));
        let with_ends = |line: Vec<Option<f64>>| -> Vec<Option<f64>> {
            let at = |index: usize| line.get(index).copied().flatten();
            let n = line.len();
            let ends = [beyond(at(0), at(1)), beyond(at(n - 1), at(n.wrapping_sub(2)))];
            [ends[0]].into_iter().chain(line).chain([ends[1]]).collect()
        };
        let rows: Vec<Vec<Option<f64>>> = grid.into_iter().map(with_ends).collect();
        let Some(width) = rows.first().map(Vec::len) else { return rows };
        let columns: Vec<Vec<Option<f64>>> =
            (0..width).map(|column| with_ends(rows.iter().map(|row| row[column]).collect())).collect();
        (0..rows.len() + 2).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
    }

    /// A line with a border of the page's colour, to be seen on any cell.
    fn draw_over(&self, line: &[Point], style: ShapeStyle) {
        let border = Paint::from(Ink::Page).percent(85).stroke(style.stroke_width as i32 + 18);
        self.canvas.line(self.plot, line, border);
        self.canvas.line(self.plot, line, style);
    }

    /// Draws curves through the map; returns those that have names.
    fn draw_ways<'a>(&self, curves: &'a [Curve], x: &Scale, y: &Scale) -> Vec<(&'a str, Ink, Vec<Point>)> {
        let Panel { canvas, plot, .. } = self;
        let mut ways: Vec<(&Curve, Vec<Point>)> = Vec::new();
        for curve in curves {
            let is_number = |point: &(f64, f64)| x.odd(point.0).is_none() && y.odd(point.1).is_none();
            let is_inside = |point: &(f64, f64)| is_number(point) && x.holds(point.0) && y.holds(point.1);
            if let Some(point) = curve.points.iter().find(|point| !curve.bound && !is_inside(point)) {
                canvas.note(format!("the curve {:?} leaves the map at {point:?}", curve.name));
            }
            let numbers = curve.points.iter().filter(|point| is_number(point));
            let way: Vec<Point> = numbers.map(|point| plot.at(point.0, point.1)).collect();
            if curve.joined {
                self.draw_over(&way, curve.style());
            }
            ways.push((curve, way));
        }
        for (curve, way) in &ways {
            let marks = |marker: Marker, points: &[Point]| {
                let points: Vec<Point> =
                    points.iter().copied().filter(|point| plot.rect.holds(*point)).collect();
                canvas.make_room(&points);
                canvas.markers(marker, &points, curve.ink);
            };
            match (curve.marker, &way[..]) {
                (Some(marker), _) => marks(marker, way),
                (None, _) if curve.bound => {}
                (None, [first, .., last]) => {
                    marks(Marker::Ring, &[*first]);
                    marks(Marker::Disc, &[*last]);
                }
                (None, _) => marks(Marker::Disc, way),
            }
        }
        ways.into_iter().filter_map(|(curve, way)| curve.label().map(|name| (name, curve.ink, way))).collect()
    }
}

fn inside([left, top, right, bottom]: Bounds, by: i32) -> Bounds {
    [left + by, top + by, right - by, bottom - by]
}

fn within(a: Bounds, b: Bounds) -> Bounds {
    [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]
}

/// The cells along one axis.
struct Side {
    /// In order.
    centres: Vec<f64>,
    logarithmic: bool,
    names: bool,
}

impl Side {
    fn new(axis: &Axis, centres: impl Iterator<Item = f64>) -> Side {
        let mut centres: Vec<f64> = centres.collect();
        centres.sort_by(f64::total_cmp);
        centres.dedup();
        Side { centres, logarithmic: axis.logarithmic, names: axis.is_of_names() }
    }

    fn index(&self, centre: f64) -> usize {
        self.centres.partition_point(|other| *other < centre)
    }

    /// Where the cells at an index begin and end: halfway to their neighbours.
    fn borders(&self, index: usize) -> [f64; 2] {
        let at = self.centres[index];
        let halfway = |a: f64, b: f64| if self.logarithmic { a.sqrt() * b.sqrt() } else { 0.5 * a + 0.5 * b };
        let opposite = |border: f64| if self.logarithmic { at * (at / border) } else { at + (at - border) };
        let before = index.checked_sub(1).map(|before| halfway(self.centres[before], at));
        let after = self.centres.get(index + 1).map(|&after| halfway(at, after));
        match (before, after) {
            _ if self.names => [at - 0.5, at + 0.5],
            (Some(before), Some(after)) => [before, after],
            (Some(before), None) => [before, opposite(before)],
            (None, Some(after)) => [opposite(after), after],
            (None, None) if self.logarithmic => [at / 2.0, at * 2.0],
            (None, None) => [at - 0.5, at + 0.5],
        }
    }

    fn edges(&self) -> impl Iterator<Item = f64> {
        (0..self.centres.len()).flat_map(|index| self.borders(index))
    }

    /// The first border, the centres and the last border.
    fn with_ends(&self) -> Vec<f64> {
        let Some(last) = self.centres.len().checked_sub(1) else { return Vec::new() };
        let ends = [self.borders(0)[0], self.borders(last)[1]];
        [ends[0]].into_iter().chain(self.centres.iter().copied()).chain([ends[1]]).collect()
    }
}

/// From values to levels of the ramps.
struct Colors {
    scale: Scale,
    middle: Option<f64>,
}

impl Colors {
    /// None where the scale has no place for the value.
    fn level(&self, value: f64) -> Option<i8> {
        if self.scale.odd(value).is_some() {
            return None;
        }
        let at = self.scale.fraction(value).clamp(0.0, 1.0);
        let level = match self.middle.map(|middle| self.scale.fraction(middle)) {
            None => -at,
            Some(middle) => (at - middle) / middle.max(1.0 - middle),
        };
        Some((level * f64::from(LEVELS)).round() as i8)
    }
}

/// Instead of a colour: a diagonal up for what is above the axis, down for what is below, both for NaN.
fn cross_out(canvas: &Canvas, [left, top, right, bottom]: Bounds, odd: Option<Odd>) {
    let style = Paint::from(Ink::Axis).stroke(8);
    if odd != Some(Odd::Infinity) {
        canvas.stroke(vec![(left, top), (right, bottom)], style);
    }
    if odd >= Some(Odd::Infinity) {
        canvas.stroke(vec![(left, bottom), (right, top)], style);
    }
}

const BAR_WIDTH: i32 = px(11);

/// The colours from the least value to the greatest, with labels; crossed-out entries in the lanes.
fn draw_bar(canvas: &Canvas, rect: Rect, colors: &Colors) {
    let scale = &colors.scale;
    let ends = (rect.bottom(), rect.top);
    let (low, high) = scale.ends(ends);
    let levels: Vec<i8> = match colors.middle {
        Some(_) => (-LEVELS..=LEVELS).collect(),
        None => (-LEVELS..=0).rev().collect(),
    };
    for (index, level) in (0..).zip(&levels) {
        let [from, to] = [index, index + 1].map(|step| low + (high - low) * step / levels.len() as i32);
        // Under the next one, as cells are.
        let to = if index + 1 < levels.len() as i32 { to - 3 } else { to };
        canvas.rectangle([rect.left, to, rect.right(), from], Paint::from(Tone::level(*level)).fill());
    }
    let axis = Paint::from(Ink::Axis);
    for lane in scale.lanes() {
        let (middle, half) = (scale.map(&lane, ends), rect.width / 2);
        let bounds = [rect.left, middle - half, rect.right(), middle + half];
        canvas.rectangle(bounds, axis.stroke(8));
        cross_out(canvas, bounds, scale.odd(lane));
    }
    for tick in scale.ticks().iter().map(|tick| scale.map(tick, ends)) {
        canvas.stroke(vec![(rect.right(), tick), (rect.right() + px(3), tick)], axis.stroke(10));
    }
    for tick in scale.ticks().iter().copied().chain(scale.lanes()) {
        let at = (rect.right() + px(6), scale.map(&tick, ends));
        canvas.text(&scale.label(tick), at, Look::label(Ink::Muted).size(TICK_SIZE));
    }
}

/// What is coloured, at the right above its colours, and the y axis's title at the left: in one line if both
/// fit, else below each other.
struct Titles {
    value: Vec<String>,
    y: Vec<String>,
    beside: bool,
}

impl Titles {
    fn new(y: &str, value: &str) -> Titles {
        let room = WIDTH - 2 * MARGIN;
        let lines = |text: &str| if text.is_empty() { Vec::new() } else { wrap(text, TEXT_SIZE, room) };
        let beside = width(y, TEXT_SIZE) + px(16) + width(value, TEXT_SIZE) <= room;
        Titles { value: lines(value), y: lines(y), beside }
    }

    fn lines(&self) -> i32 {
        let (value, y) = (self.value.len() as i32, self.y.len() as i32);
        if self.beside { value.max(y) } else { value + y }
    }

    fn draw(&self, canvas: &Canvas) {
        let middle = |line: usize| MARGIN + LINE_HEIGHT * line as i32 + LINE_HEIGHT / 2;
        let look = Look::label(Ink::Muted);
        for (index, line) in self.value.iter().enumerate() {
            canvas.text(line, (WIDTH - MARGIN, middle(index)), look.held(HPos::Right, VPos::Center));
        }
        let first = if self.beside { 0 } else { self.value.len() };
        for (index, line) in self.y.iter().enumerate() {
            canvas.text(line, (MARGIN, middle(first + index)), look);
        }
    }
}
