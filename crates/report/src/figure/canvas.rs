//! What the charts share: plotters' chart and frame, texts, lines cut at the plot's border, markers.
//!
//! A chart is laid out from the plot rectangle outwards: plotters' own layout makes panels unequal.
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle};
use std::cell::RefCell;
use std::rc::Rc;

use super::backend::{Drawing, text_bounds};
use super::ink::{HALO, Paint};
use super::markup::{width, wrap};
use super::path::{Point, clip};
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
    pub(super) fn label(ink: Ink) -> Look {
        Look {
            paint: ink.into(),
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

    fn bounds(&self) -> [i32; 4] {
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
}

/// A plot with its frame drawn.
pub(super) struct Plot {
    chart: ChartContext<'static, Drawing, Cartesian2d<Scale, Scale>>,
    pub(super) rect: Rect,
}

impl Plot {
    /// Where a point of the data is in the figure, outside the plot if it is beyond the axes.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        self.chart.backend_coord(&(x, y))
    }
}

/// A figure in the making.
pub(super) struct Canvas {
    drawing: Rc<RefCell<Drawing>>,
    root: DrawingArea<Drawing, Shift>,
}

/// The backend cannot fail.
const DRAWN: &str = "drawing into memory";

impl Canvas {
    pub(super) fn new(height: i32, description: &str) -> Canvas {
        let drawing = Rc::new(RefCell::new(Drawing::new(WIDTH, height, description.to_owned())));
        Canvas { root: DrawingArea::from(&drawing), drawing }
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

    /// Whether a text would fit there without touching another one.
    pub(super) fn is_free(&self, text: &str, at: Point, look: Look) -> bool {
        !self.drawing.borrow().is_taken(text_bounds(text, look.size, at, look.horizontal, look.vertical))
    }

    pub(super) fn stroke(&self, points: Vec<Point>, style: ShapeStyle) {
        self.root.draw(&PathElement::new(points, style)).expect(DRAWN);
    }

    pub(super) fn fill(&self, outline: Vec<Point>, style: ShapeStyle) {
        self.root.draw(&Polygon::new(outline, style)).expect(DRAWN);
    }

    /// A point of a curve that has no neighbours.
    pub(super) fn dot(&self, at: Point, ink: Ink) {
        self.root.draw(&Circle::new(at, 20, Paint::from(ink).fill())).expect(DRAWN);
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
        }
    }

    /// A line as far as it is inside the plot. plotters itself would move points outside to the border,
    /// which bends lines and draws data that doesn't exist.
    pub(super) fn line(&self, plot: &Plot, points: &[Point], style: ShapeStyle) {
        let mut piece: Vec<Point> = Vec::new();
        for ends in points.windows(2) {
            let Some((start, end)) = clip(ends[0], ends[1], plot.rect.bounds()) else { continue };
            if piece.last() != Some(&start) && !piece.is_empty() {
                self.stroke(std::mem::take(&mut piece), style);
            }
            if piece.is_empty() {
                piece.push(start);
            }
            piece.push(end);
        }
        if !piece.is_empty() {
            self.stroke(piece, style);
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
    pub(super) fn plot(&self, rect: Rect, x: Scale, y: Scale, frame: Frame) -> Plot {
        let y_room = if frame.y_labels { rect.left } else { 0 };
        // Always there below: without a label area plotters draws no axis.
        let area = self
            .root
            .clone()
            .shrink((rect.left - y_room, rect.top), (rect.width + y_room + 1, rect.height + TICK_ROOM + 1));
        let (x_scale, y_scale) = (x.clone(), y.clone());
        let mut chart = ChartBuilder::on(&area)
            .set_label_area_size(LabelAreaPosition::Left, y_room)
            .set_label_area_size(LabelAreaPosition::Bottom, TICK_ROOM)
            .build_cartesian_2d(x, y)
            .expect(DRAWN);
        let none = Paint::NONE.fill();
        let axis = Paint::from(Ink::Axis).stroke(10);
        let grid = |wanted| if wanted { Paint::from(Ink::Grid).stroke(10) } else { none };
        let look = Look::label(Ink::Muted).size(TICK_SIZE);
        let x_label = |tick: &f64| if frame.x_labels { x_scale.label(*tick) } else { String::new() };
        let y_label = |tick: &f64| y_scale.label(*tick);
        // In passes: plotters has one style for both axes, and drops the labels of an axis without a line.
        let mut mesh = chart.configure_mesh();
        mesh.disable_axes().disable_y_mesh().light_line_style(none).bold_line_style(grid(frame.x_grid));
        mesh.draw().expect(DRAWN);
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_axis().disable_x_mesh().light_line_style(none).bold_line_style(grid(frame.y_grid));
        // An invisible tick keeps the labels at their distance, which is twice the tick's length.
        mesh.axis_style(none)
            .set_all_tick_mark_size(px(3))
            .label_style(look.style())
            .y_label_formatter(&y_label);
        mesh.draw().expect(DRAWN);
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_axis().disable_mesh().light_line_style(none).axis_style(axis);
        mesh.set_all_tick_mark_size(px(4)).label_style(look.style()).x_label_formatter(&x_label);
        mesh.draw().expect(DRAWN);
        drop(mesh);
        Plot { chart, rect }
    }
}

/// Of a disc or a ring.
pub(super) const MARKER_RADIUS: i32 = 36;

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
