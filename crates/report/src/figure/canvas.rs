//! What the charts share: plotters' chart and frame, texts, lines cut at the plot's border, markers, and labels
//! that find a place beside what is drawn.
//!
//! A chart is laid out from the plot rectangle outwards: plotters' own layout makes panels unequal.
use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle};
use std::cell::RefCell;
use std::rc::Rc;

use super::backend::{Drawing, text_bounds};
use super::ink::{DASHED, DOTTED, HALO, Paint, Tone};
use super::markup::{width, wrap};
use super::path::{Bounds, Point, clip};
use super::scale::Scale;
use super::{Figure, Ink, Marker};

/// Pixels in units, which are tenths of a pixel.
pub(super) const fn px(pixels: i32) -> i32 {
    pixels * 10
}

/// Every figure is as wide; see [`figure`](super).
pub(super) const WIDTH: i32 = px(440);
/// Free space along the figure's border.
pub(super) const MARGIN: i32 = px(6);
/// Size of titles and labels.
pub(super) const TEXT_SIZE: i32 = px(13);
/// Size of tick labels.
pub(super) const TICK_SIZE: i32 = px(12);
/// From line to line of a text.
pub(super) const LINE_HEIGHT: i32 = px(17);
/// Room below a plot for tick labels.
pub(super) const TICK_ROOM: i32 = px(24);

/// How a text looks and where it is held.
#[derive(Clone, Copy)]
pub(super) struct Look {
    paint: Paint,
    size: i32,
    bold: bool,
    horizontal: HPos,
    vertical: VPos,
}

impl Look {
    /// Held at its left end, at half its height.
    pub(super) fn label(ink: impl Into<Tone>) -> Look {
        Look {
            paint: ink.into().into(),
            size: TEXT_SIZE,
            bold: false,
            horizontal: HPos::Left,
            vertical: VPos::Center,
        }
    }

    pub(super) fn bold(self) -> Look {
        Look { bold: true, ..self }
    }

    pub(super) fn size(self, size: i32) -> Look {
        Look { size, ..self }
    }

    /// With a border of the page's colour, to stay legible on lines.
    pub(super) fn halo(self) -> Look {
        Look { paint: self.paint.with(HALO), ..self }
    }

    pub(super) fn held(self, horizontal: HPos, vertical: VPos) -> Look {
        Look { horizontal, vertical, ..self }
    }

    fn style(self) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let mut style: TextStyle = FontDesc::new(FontFamily::SansSerif, f64::from(self.size), weight).into();
        style.color = self.paint.to_backend_color();
        style.pos(Pos::new(self.horizontal, self.vertical))
    }
}

/// The plot rectangle, without labels.
#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Rect {
    pub(super) fn right(&self) -> i32 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> i32 {
        self.top + self.height
    }

    pub(super) fn holds(&self, (x, y): Point) -> bool {
        (self.left..=self.right()).contains(&x) && (self.top..=self.bottom()).contains(&y)
    }

    pub(super) fn bounds(&self) -> Bounds {
        [self.left, self.top, self.right(), self.bottom()]
    }
}

/// Which parts of the frame a plot has.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) x_labels: bool,
    pub(super) y_labels: bool,
    pub(super) x_grid: bool,
    pub(super) y_grid: bool,
    /// A line with ticks at the bottom.
    pub(super) x_axis: bool,
}

/// A plot with its frame drawn.
pub(super) struct Plot {
    pub(super) rect: Rect,
    x: Scale,
    y: Scale,
}

impl Plot {
    /// Where a point of the data is in the figure, outside the plot if it is beyond the axes.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        (self.at_x(x), self.at_y(y))
    }

    pub(super) fn at_x(&self, x: f64) -> i32 {
        self.x.map(&x, (self.rect.left, self.rect.right()))
    }

    pub(super) fn at_y(&self, y: f64) -> i32 {
        self.y.map(&y, (self.rect.bottom(), self.rect.top))
    }
}

/// A figure in the making.
pub(super) struct Canvas {
    drawing: Rc<RefCell<Drawing>>,
    root: DrawingArea<Drawing, Shift>,
    /// What labels are not to cover: lines and markers of data.
    lines: RefCell<Vec<Vec<Point>>>,
}

/// A place for a label: the point that it is held at, and which side of it is there.
pub(super) type Place = (Point, HPos, VPos);

/// The backend cannot fail.
const DRAWN: &str = "drawing into memory";

impl Canvas {
    pub(super) fn new(height: i32, description: &str) -> Canvas {
        let drawing = Rc::new(RefCell::new(Drawing::new(WIDTH, height, description.to_owned())));
        Canvas { root: DrawingArea::from(&drawing), drawing, lines: RefCell::default() }
    }

    pub(super) fn finish(self) -> Figure {
        drop(self.root);
        let drawing = Rc::try_unwrap(self.drawing).expect("plots end before their canvas");
        Figure { drawing: drawing.into_inner() }
    }

    /// A finding for `lint`.
    pub(super) fn note(&self, finding: String) {
        self.drawing.borrow_mut().notes.push(finding);
    }

    pub(super) fn text(&self, text: &str, at: Point, look: Look) {
        self.root.draw_text(text, &look.style(), at).expect(DRAWN);
    }

    /// Muted lines of text from `top` down; returns where they end.
    pub(super) fn paragraph(&self, text: &str, top: i32) -> i32 {
        let lines = wrap(text, TEXT_SIZE, WIDTH - 2 * MARGIN);
        for (index, line) in (0..).zip(&lines) {
            self.text(line, (MARGIN, top + LINE_HEIGHT * index + LINE_HEIGHT / 2), Look::label(Ink::Muted));
        }
        top + LINE_HEIGHT * lines.len() as i32
    }

    /// A label at the first of the places where it covers the fewest lines, inside of `plot` and on no other
    /// text.
    pub(super) fn label(&self, plot: &Plot, text: &str, look: Look, places: impl IntoIterator<Item = Place>) {
        // Worse than any number of lines.
        const UNFIT: usize = 1 << 20;
        let cost = |&(at, horizontal, vertical): &Place| {
            let bounds = text_bounds(text, look.size, look.bold, at, horizontal, vertical);
            let [left, top, right, bottom] = plot.rect.bounds();
            let outside = bounds[0] < left || bounds[1] < top || bounds[2] > right || bounds[3] > bottom;
            let taken = self.drawing.borrow().is_taken(bounds);
            let crosses = |line: &Vec<Point>| {
                line.windows(2).filter(|ends| clip(ends[0], ends[1], bounds).is_some()).count()
            };
            let covered: usize = self.lines.borrow().iter().map(crosses).sum();
            covered + [outside, taken].into_iter().filter(|bad| *bad).count() * UNFIT
        };
        let best = places.into_iter().map(|place| (cost(&place), place)).min_by_key(|(cost, _)| *cost);
        let Some((cost, (at, horizontal, vertical))) = best else {
            self.note(format!("there is nothing to place the label {text:?} at"));
            return;
        };
        if cost >= UNFIT {
            self.note(format!("there is no room for the label {text:?}"));
        }
        self.text(text, at, look.held(horizontal, vertical));
    }

    /// Makes labels keep away from a line.
    pub(super) fn keep_clear(&self, line: Vec<Point>) {
        self.lines.borrow_mut().push(line);
    }

    pub(super) fn stroke(&self, points: Vec<Point>, style: ShapeStyle) {
        self.root.draw(&PathElement::new(points, style)).expect(DRAWN);
    }

    pub(super) fn fill(&self, outline: Vec<Point>, style: ShapeStyle) {
        self.root.draw(&Polygon::new(outline, style)).expect(DRAWN);
    }

    pub(super) fn rectangle(&self, [left, top, right, bottom]: Bounds, style: ShapeStyle) {
        self.root.draw(&Rectangle::new([(left, top), (right, bottom)], style)).expect(DRAWN);
    }

    /// A point of a curve that has no neighbours.
    pub(super) fn dot(&self, at: Point, ink: Ink) {
        self.root.draw(&Circle::new(at, 20, Paint::from(ink).fill())).expect(DRAWN);
    }

    /// A circle with its area.
    pub(super) fn disc(&self, at: Point, radius: i32, area: Ink, line: Ink) {
        for style in [Paint::from(area).fill(), Paint::from(line).stroke(13)] {
            self.root.draw(&Circle::new(at, radius as u32, style)).expect(DRAWN);
        }
    }

    pub(super) fn marker(&self, marker: Marker, (x, y): Point, ink: Ink) {
        let paint = Paint::from(ink);
        let disc = |radius, style| self.root.draw(&Circle::new((x, y), radius, style)).expect(DRAWN);
        match marker {
            Marker::Disc => disc(MARKER_RADIUS as u32, paint.fill()),
            Marker::Ring => {
                disc(MARKER_RADIUS as u32, Paint::from(Ink::Page).fill());
                disc(MARKER_RADIUS as u32 - 5, paint.stroke(15));
            }
            Marker::Diamond => {
                let r = MARKER_RADIUS + 10;
                self.fill(vec![(x - r, y), (x, y - r), (x + r, y), (x, y + r)], paint.fill());
            }
            Marker::Square => {
                let r = MARKER_RADIUS - 4;
                self.rectangle([x - r, y - r, x + r, y + r], paint.fill());
            }
            Marker::Triangle => {
                let r = MARKER_RADIUS + 4;
                self.fill(vec![(x - r, y + r * 3 / 4), (x, y - r), (x + r, y + r * 3 / 4)], paint.fill());
            }
        }
    }

    /// Discs of the page's colour where markers will be, to tell them apart from the lines below.
    pub(super) fn make_room(&self, points: &[Point]) {
        let halo = Paint::from(Ink::Page).fill();
        for &point in points {
            self.root.draw(&Circle::new(point, MARKER_RADIUS as u32 + 9, halo)).expect(DRAWN);
        }
    }

    /// Markers of one kind, for labels to keep away from.
    pub(super) fn markers(&self, marker: Marker, points: &[Point], ink: Ink) {
        for &(x, y) in points {
            self.marker(marker, (x, y), ink);
            self.keep_clear(vec![
                (x - MARKER_RADIUS, y - MARKER_RADIUS),
                (x + MARKER_RADIUS, y + MARKER_RADIUS),
            ]);
        }
    }

    /// An arrow head just beyond `to`, for what goes on: a line from `from` that ends in a lane.
    pub(super) fn arrow_head(&self, from: Point, to: Point, ink: Ink) {
        let (dx, dy) = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
        let at = |forth: i32, aside: i32| (to.0 + dx * forth + dy * aside, to.1 + dy * forth + dx * aside);
        self.fill(vec![at(90, 0), at(40, 32), at(40, -32)], Paint::from(ink).fill());
        self.stroke(vec![to, at(40, 0)], Paint::from(ink).stroke(15));
    }

    /// A line as far as it is inside the plot; returns the pieces. plotters itself would move points outside to
    /// the border, which bends lines and draws data that doesn't exist.
    pub(super) fn line(&self, plot: &Plot, points: &[Point], style: ShapeStyle) -> Vec<Vec<Point>> {
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        for ends in points.windows(2) {
            let Some((start, end)) = clip(ends[0], ends[1], plot.rect.bounds()) else { continue };
            match pieces.last_mut() {
                Some(piece) if piece.last() == Some(&start) => piece.push(end),
                _ => pieces.push(vec![start, end]),
            }
        }
        for piece in &pieces {
            self.stroke(piece.clone(), style);
            self.keep_clear(piece.clone());
        }
        pieces
    }

    /// Dashed lines up and down through a plot.
    pub(super) fn verticals(&self, plot: &Plot, x: &Scale, lines: &[(String, f64)]) {
        for (name, value) in lines {
            if !value.is_finite() || !x.holds(*value) {
                self.note(format!("the line {name:?} at {value} is outside the x axis"));
                continue;
            }
            let at = plot.at_x(*value);
            let line = vec![(at, plot.rect.top), (at, plot.rect.bottom())];
            self.stroke(line.clone(), Paint::from(Ink::Muted).with(DASHED).stroke(12));
            self.keep_clear(line);
        }
    }

    /// The names of such lines.
    pub(super) fn vertical_names(&self, plot: &Plot, x: &Scale, lines: &[(String, f64)]) {
        let look = Look::label(Ink::Muted).size(TICK_SIZE).halo();
        for (name, value) in lines.iter().filter(|(name, value)| !name.is_empty() && x.holds(*value)) {
            self.label(plot, name, look, beside_vertical(plot, plot.at_x(*value)));
        }
    }

    /// The area between two lines over the same x, as far as it is inside the plot: the edges are held at
    /// its border, which for an area is cutting it off, up to the slope of one segment.
    pub(super) fn band(&self, plot: &Plot, low: &[Point], high: &[Point], style: ShapeStyle) {
        let [left, top, right, bottom] = plot.rect.bounds();
        let hold = |&(x, y): &Point| (x.clamp(left, right), y.clamp(top, bottom));
        self.fill(high.iter().chain(low.iter().rev()).map(hold).collect(), style);
    }

    /// A plot with axes, ticks and grid, and room for tick labels to its left and below.
    pub(super) fn plot(&self, rect: Rect, x: &Scale, y: &Scale, frame: Frame) -> Plot {
        let y_room = if frame.y_labels { rect.left } else { 0 };
        // Always there below: without a label area plotters draws no axis.
        let area = self
            .root
            .clone()
            .shrink((rect.left - y_room, rect.top), (rect.width + y_room + 1, rect.height + TICK_ROOM + 1));
        let mut chart = ChartBuilder::on(&area)
            .set_label_area_size(LabelAreaPosition::Left, y_room)
            .set_label_area_size(LabelAreaPosition::Bottom, TICK_ROOM)
            .build_cartesian_2d(x.clone(), y.clone())
            .expect(DRAWN);
        self.grid(rect, x, y, frame);
        let none = Paint::NONE.fill();
        let axis = if frame.x_axis { Paint::from(Ink::Axis).stroke(10) } else { none };
        let look = Look::label(Ink::Muted).size(TICK_SIZE);
        let x_label = |tick: &f64| if frame.x_labels { x.label(*tick) } else { String::new() };
        let y_label = |tick: &f64| y.label(*tick);
        // In passes: plotters has one style for both axes, and drops the labels of an axis without a line.
        let mut mesh = chart.configure_mesh();
        // An invisible tick keeps the labels at their distance, which is twice the tick's length.
        mesh.disable_x_axis().disable_mesh().axis_style(none).set_all_tick_mark_size(px(3));
        mesh.label_style(look.style()).y_label_formatter(&y_label).draw().expect(DRAWN);
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_axis().disable_mesh().axis_style(axis);
        mesh.set_all_tick_mark_size(px(if frame.x_axis { 4 } else { 3 }));
        mesh.label_style(look.style()).x_label_formatter(&x_label).draw().expect(DRAWN);
        drop(mesh);
        if frame.x_axis {
            self.axis_details(rect, x);
        }
        Plot { rect, x: x.clone(), y: y.clone() }
    }

    /// Lines at the ticks; dotted ones in the lanes, which are beside the axis.
    fn grid(&self, rect: Rect, x: &Scale, y: &Scale, frame: Frame) {
        let paint = Paint::from(Ink::Grid);
        let styles = [paint.stroke(10), paint.with(DOTTED).stroke(10)];
        for (style, values) in styles.into_iter().zip([x.ticks().to_vec(), x.lanes().collect()]) {
            for value in values.into_iter().filter(|_| frame.x_grid) {
                let at = x.map(&value, (rect.left, rect.right()));
                self.stroke(vec![(at, rect.top), (at, rect.bottom())], style);
            }
        }
        for (style, values) in styles.into_iter().zip([y.ticks().to_vec(), y.lanes().collect()]) {
            for value in values.into_iter().filter(|_| frame.y_grid) {
                let at = y.map(&value, (rect.bottom(), rect.top));
                self.stroke(vec![(rect.left, at), (rect.right(), at)], style);
            }
        }
        if frame.y_grid && y.crosses_zero() {
            let at = y.map(&0.0, (rect.bottom(), rect.top));
            self.stroke(vec![(rect.left, at), (rect.right(), at)], Paint::from(Ink::Axis).stroke(10));
        }
    }

    /// Short ticks between the ticks of a logarithmic axis, and a break in the line before each lane.
    fn axis_details(&self, rect: Rect, x: &Scale) {
        let style = Paint::from(Ink::Axis).stroke(10);
        let (ends, bottom) = ((rect.left, rect.right()), rect.bottom());
        let minor: Vec<i32> = x.minor_ticks().iter().map(|tick| x.map(tick, ends)).collect();
        if minor.windows(2).all(|pair| (pair[1] - pair[0]).abs() >= px(2)) {
            for at in minor {
                self.stroke(vec![(at, bottom), (at, bottom + 25)], style);
            }
        }
        let (first, last) = x.ends(ends);
        let breaks =
            x.has_lanes().into_iter().zip([first - 60, last + 60]).filter(|(has_lanes, _)| *has_lanes);
        for at in breaks.map(|(_, at)| at) {
            self.rectangle([at - 20, bottom - 15, at + 20, bottom + 15], Paint::from(Ink::Page).fill());
            for x in [at - 20, at + 20] {
                self.stroke(vec![(x - 12, bottom + 35), (x + 12, bottom - 35)], style);
            }
        }
    }
}

/// Of a disc or a ring.
pub(super) const MARKER_RADIUS: i32 = 36;

/// Above the plots: markers, and what they mean.
pub(super) struct Legend {
    top: i32,
    entries: Vec<(Marker, Ink, String)>,
}

/// From a marker's left end to its meaning.
const LEGEND_INDENT: i32 = px(14);

impl Legend {
    pub(super) fn new(top: i32) -> Legend {
        Legend { top, entries: Vec::new() }
    }

    /// Adds an entry if it isn't there.
    pub(super) fn add(&mut self, marker: Marker, ink: Ink, meaning: &str) {
        let entry = (marker, ink, meaning.to_owned());
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
        }
    }

    /// Where entries start, at half the height of their lines.
    fn places(&self) -> Vec<Point> {
        let (mut x, mut y) = (MARGIN, self.top + LINE_HEIGHT / 2);
        let mut places = Vec::new();
        for (_, _, meaning) in &self.entries {
            let size = LEGEND_INDENT + width(meaning, TEXT_SIZE);
            if x > MARGIN && x + size > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + LINE_HEIGHT);
            }
            places.push((x, y));
            x += size + px(18);
        }
        places
    }

    /// Where it ends: where it starts if it is empty.
    pub(super) fn bottom(&self) -> i32 {
        self.places().last().map_or(self.top, |place| place.1 + LINE_HEIGHT / 2 + px(4))
    }

    pub(super) fn draw(&self, canvas: &Canvas) {
        for ((marker, ink, meaning), (x, y)) in self.entries.iter().zip(self.places()) {
            canvas.marker(*marker, (x + px(5), y), *ink);
            let ink = if *ink == Ink::Text { Ink::Muted } else { *ink };
            canvas.text(meaning, (x + LEGEND_INDENT, y), Look::label(ink));
        }
    }
}

/// Places for a label right and left of a vertical line, from the top down.
fn beside_vertical(plot: &Plot, at: i32) -> impl Iterator<Item = Place> {
    let heights = (plot.rect.top + px(3)..plot.rect.bottom() - px(15)).step_by(px(12) as usize);
    heights.flat_map(move |height| {
        [((at + px(4), height), HPos::Left, VPos::Top), ((at - px(4), height), HPos::Right, VPos::Top)]
    })
}

/// Places for a label along a line, from its middle on.
pub(super) fn along(line: &[Point]) -> Vec<Place> {
    let length = |ends: &[Point]| {
        let (dx, dy) = (f64::from(ends[1].0 - ends[0].0), f64::from(ends[1].1 - ends[0].1));
        (dx * dx + dy * dy).sqrt()
    };
    let whole: f64 = line.windows(2).map(length).sum();
    let point_at = |part: f64| {
        let mut rest = part * whole;
        for ends in line.windows(2) {
            let long = length(ends);
            if long > 0.0 && rest <= long {
                let between = |a: i32, b: i32| a + (f64::from(b - a) * (rest / long)).round() as i32;
                return (between(ends[0].0, ends[1].0), between(ends[0].1, ends[1].1));
            }
            rest -= long;
        }
        *line.last().expect("a line has points")
    };
    let parts = [0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2, 0.9, 0.1, 1.0, 0.0];
    parts.into_iter().flat_map(|part| around(point_at(part), px(4))).collect()
}

/// Places for a label at that distance from a point.
pub(super) fn around((x, y): Point, distance: i32) -> [Place; 8] {
    let near = distance / 2;
    [
        ((x + distance, y - near), HPos::Left, VPos::Bottom),
        ((x - distance, y + near), HPos::Right, VPos::Top),
        ((x - distance, y - near), HPos::Right, VPos::Bottom),
        ((x + distance, y + near), HPos::Left, VPos::Top),
        ((x + distance, y), HPos::Left, VPos::Center),
        ((x - distance, y), HPos::Right, VPos::Center),
        ((x, y - distance), HPos::Center, VPos::Bottom),
        ((x, y + distance), HPos::Center, VPos::Top),
    ]
}

/// The widest of some texts.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: i32) -> i32 {
    texts.into_iter().map(|text| width(text, size)).max().unwrap_or(0)
}

/// Positions at least `gap` apart and inside `low..=high`, as near as possible to the wishes, which are
/// sorted: least squares by pooling adjacent violators, then held inside.
pub(super) fn spread(wishes: &[i32], gap: i32, low: i32, high: i32) -> Vec<i32> {
    // A pool is a run of texts as close as they may be: the mean of wish − rank · gap, and a count.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, &wish) in (0..).zip(wishes) {
        pools.push((f64::from(wish - rank * gap), 1));
        while let [.., before, last] = pools[..]
            && before.0 > last.0
        {
            let count = before.1 + last.1;
            let mean = (before.0 * before.1 as f64 + last.0 * last.1 as f64) / count as f64;
            pools.truncate(pools.len() - 2);
            pools.push((mean, count));
        }
    }
    let means = pools.iter().flat_map(|&(mean, count)| std::iter::repeat_n(mean, count));
    let last = wishes.len() as i32 - 1;
    let hold = |(rank, mean): (i32, f64)| {
        let wanted = (mean.round() as i32 + rank * gap).max(low + rank * gap);
        wanted.min(high - (last - rank) * gap)
    };
    (0..).zip(means).map(hold).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn labels_keep_their_distance() {
        assert_eq!(spread(&[100, 500], 140, 0, 1000), [100, 500]);
        assert_eq!(spread(&[300, 300, 310], 140, 0, 1000), [163, 303, 443]);
        assert_eq!(spread(&[0, 100, 900], 140, 0, 1000), [0, 140, 900]);
        assert_eq!(spread(&[900, 990, 1000], 140, 0, 1000), [720, 860, 1000]);
        assert!(spread(&[], 140, 0, 1000).is_empty());
    }
}
