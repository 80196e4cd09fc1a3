//! Curves over a common x: in one plot, in panels that share their axes, or in plots with axes of their own
//! below each other.
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    Canvas, Frame, LINE_HEIGHT, Legend, Look, MARGIN, Plot, TEXT_SIZE, TICK_ROOM, TICK_SIZE, WIDTH, along,
    px, spread, widest,
};
use super::curve::Curve;
use super::ink::{DASHED, DOTTED, Paint};
use super::markup::bold_width;
use super::panels::{Grid, Panels};
use super::path::Point;
use super::scale::{Axis, Scale};
use super::{Figure, Ink, Marker};

/// A line chart: one plot, or panels that share both axes.
///
/// The y axis's title stands at the top left, as horizontal as all text, and each curve's name at its end.
///
/// ```
/// use longlag_report::figure::{Axis, Curve, LineChart, Marker};
///
/// let norm = |rate: f64| (0..=100).map(move |lag| (f64::from(lag), rate.powi(lag)));
/// let figure = LineChart::new(
///     "What is remembered and what the gradient says, against the lag: the latch keeps its bit over 100 steps \
///      while its gradient falls to 10⁻⁹⁰.",
///     Axis::linear("Lag *k*"),
///     Axis::linear("Decoded correctly").percent().range(0.0, 1.0),
/// )
/// .reference("chance", 0.5)
/// .curve(Curve::new("latch", [(0.0, 1.0), (50.0, 1.0), (100.0, 0.99)]).marked(Marker::Disc))
/// .below(Axis::log("‖∂*h*_{*t*}/∂*h*_{*t*−*k*}‖"))
/// .curve(Curve::new("latch", norm(0.126)))
/// .curve(Curve::new("0.2^{*k*}", norm(0.2)).bound())
/// .vertical("end of training", 64.0)
/// .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    description: String,
    x: Axis,
    columns: usize,
    legend: Vec<(Marker, String)>,
    verticals: Vec<(String, f64)>,
    /// From the top down; at least one.
    blocks: Vec<Block>,
}

/// Panels with one y axis.
#[derive(Clone, Debug)]
struct Block {
    y: Axis,
    references: Vec<(String, f64)>,
    panels: Panels<Vec<Curve>>,
}

impl Block {
    fn new(y: Axis) -> Block {
        Block { y, references: Vec::new(), panels: Panels::default() }
    }

    fn curves(&self) -> impl Iterator<Item = &Curve> {
        self.panels.contents().flatten()
    }
}

impl LineChart {
    /// A chart without curves. The description says what it shows to those who cannot see it.
    pub fn new(description: impl Into<String>, x: Axis, y: Axis) -> LineChart {
        LineChart {
            description: description.into(),
            x,
            columns: 2,
            legend: Vec::new(),
            verticals: Vec::new(),
            blocks: vec![Block::new(y)],
        }
    }

    fn block(&mut self) -> &mut Block {
        self.blocks.last_mut().expect("there is one from the start")
    }

    /// Starts a panel: the curves after it go there.
    pub fn panel(mut self, title: impl Into<String>) -> LineChart {
        self.block().panels.start(title.into());
        self
    }

    /// At most that many panels beside each other; 2 unless said otherwise. Three are legible on a phone if
    /// their curves have no names at their ends.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn columns(mut self, columns: usize) -> LineChart {
        assert!(columns > 0, "panels stand in at least one column");
        self.columns = columns;
        self
    }

    /// Starts a plot below, with its own y axis over the same x: panels, curves and references after it go
    /// there.
    pub fn below(mut self, y: Axis) -> LineChart {
        self.blocks.push(Block::new(y));
        self
    }

    /// Adds a curve to the last panel, or to the only plot.
    pub fn curve(mut self, curve: Curve) -> LineChart {
        self.block().panels.last().push(curve);
        self
    }

    /// Adds a dashed line across every panel; its name stands on it in the first one.
    pub fn reference(mut self, name: impl Into<String>, y: f64) -> LineChart {
        self.block().references.push((name.into(), y));
        self
    }

    /// Adds a dashed line up and down through every plot; its name stands at it in the first one.
    pub fn vertical(mut self, name: impl Into<String>, x: f64) -> LineChart {
        self.verticals.push((name.into(), x));
        self
    }

    /// Says above the plot what a marker means. Scattered curves are there by themselves.
    pub fn legend(mut self, marker: Marker, meaning: impl Into<String>) -> LineChart {
        self.legend.push((marker, meaning.into()));
        self
    }

    /// Draws the chart.
    pub fn figure(&self) -> Figure {
        let curves = || self.blocks.iter().flat_map(Block::curves);
        // Bounds are cut off where the data ends; without data they are the data.
        let all_bounds = curves().all(|curve| curve.bound);
        let counts = |curve: &&Curve| all_bounds || !curve.bound;
        let most = self.blocks.iter().map(|block| block.panels.len().min(self.columns)).max().unwrap_or(1);
        let xs = curves().filter(counts).flat_map(|curve| curve.points.iter().map(|point| point.0));
        let xs = xs.chain(self.verticals.iter().map(|(_, x)| *x));
        let x = self.x.scale(xs, 12 / most.max(1) as i32, false);
        // Lines end at the border, marks would lie on it.
        let inset = if curves().any(|curve| curve.marker.is_some()) { px(9) } else { 0 };
        let ys: Vec<Scale> = self
            .blocks
            .iter()
            .map(|block| {
                let values = block.curves().filter(counts).flat_map(Curve::values);
                let references = block.references.iter().map(|(_, value)| *value);
                let rows = block.panels.len().div_ceil(self.columns);
                let intervals = if rows > 1 || self.blocks.len() > 1 { 4 } else { 6 };
                block.y.scale(values.chain(references), intervals, true)
            })
            .collect();

        let labels: Vec<String> = ys.iter().flat_map(Scale::labels).collect();
        let left = MARGIN + widest(labels.iter().map(String::as_str), TICK_SIZE) + px(7);
        let at_ends = curves().filter(|curve| curve.joined && !curve.bound);
        let names = at_ends.filter_map(Curve::label).map(|name| bold_width(name, TEXT_SIZE)).max();
        // Room for names, or at least for half of the last tick label.
        let beside = names.map_or(px(12), |names| NAME_GAP + names);
        let many = self.blocks.iter().map(|block| block.panels.len().max(1)).sum::<usize>() > 1;
        let plot_height = if many { px(150) } else { px(230) };

        let mut legend = Legend::new(MARGIN + LINE_HEIGHT * lines(&self.blocks[0].y.title));
        for curve in curves().filter(|curve| !curve.joined) {
            if let (Some(marker), Some(name)) = (curve.marker, curve.label()) {
                legend.add(marker, curve.ink, name);
            }
        }
        self.legend.iter().for_each(|(marker, meaning)| legend.add(*marker, Ink::Text, meaning));
        // Block by block from the top: the title, then the plots.
        let mut grids: Vec<(i32, Grid)> = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let title_top = grids.last().map_or(MARGIN, |(_, above)| above.bottom() + px(16));
            let title_bottom = title_top + LINE_HEIGHT * lines(&block.y.title);
            let top = if index == 0 { legend.bottom() } else { title_bottom };
            let grid = Grid::new(&block.panels, self.columns, left, beside, WIDTH - MARGIN);
            grids.push((title_top, grid.at(top + px(10), plot_height)));
        }
        let (_, lowest) = grids[grids.len() - 1];
        let x = x.inset(inset).horizontal(lowest.plot_width(), TICK_SIZE);
        let x_title_top = lowest.bottom() + TICK_ROOM;
        let canvas = Canvas::new(x_title_top + LINE_HEIGHT + MARGIN, &self.description);
        legend.draw(&canvas);
        for (index, ((block, y), (title_top, grid))) in self.blocks.iter().zip(&ys).zip(&grids).enumerate() {
            canvas.paragraph(&block.y.title, *title_top);
            let last = index + 1 == self.blocks.len();
            for (panel, (title, curves)) in block.panels.iter().enumerate() {
                let frame = Frame {
                    x_labels: last && grid.is_lowest(panel),
                    y_labels: grid.is_leftmost(panel),
                    x_grid: false,
                    y_grid: true,
                    x_axis: true,
                };
                let rect = grid.rect(panel);
                let plot = canvas.plot(rect, &x, y, frame);
                grid.title(&canvas, rect, title);
                let drawn = Panel { canvas: &canvas, plot: &plot, x: &x, y };
                // Lines before names, which keep away from them.
                let bounds = drawn.draw_curves(curves);
                drawn.draw_references(&block.references);
                canvas.verticals(&plot, &x, &self.verticals);
                if panel == 0 {
                    drawn.name_references(&block.references);
                }
                if panel == 0 && index == 0 {
                    canvas.vertical_names(&plot, &x, &self.verticals);
                }
                for (name, look, line) in bounds {
                    canvas.label(&plot, name, look, along(&line));
                }
            }
        }
        let look = Look::label(Ink::Muted).held(HPos::Center, VPos::Center);
        canvas.text(&self.x.title, (lowest.middle(), x_title_top + LINE_HEIGHT / 2), look);
        canvas.finish()
    }
}

/// From the plot to the names of curves.
const NAME_GAP: i32 = px(12);

/// How many lines a title takes.
fn lines(title: &str) -> i32 {
    super::markup::wrap(title, TEXT_SIZE, WIDTH - 2 * MARGIN).len() as i32
}

/// A panel while it is drawn.
struct Panel<'a> {
    canvas: &'a Canvas,
    plot: &'a Plot,
    x: &'a Scale,
    y: &'a Scale,
}

impl Panel<'_> {
    /// Draws the curves with the names at their ends; returns what is to be named along a line.
    fn draw_curves<'a>(&self, curves: &'a [Curve]) -> Vec<(&'a str, Look, Vec<Point>)> {
        for curve in curves.iter().filter(|curve| curve.marker.is_none()) {
            self.draw_band(curve);
        }
        let mut ends: Vec<(Point, &Curve)> = Vec::new();
        let mut bounds = Vec::new();
        for (index, curve) in curves.iter().enumerate() {
            // In a lane curves lie beside each other, not on top.
            let lane_shift = 30 * index as i32 - 15 * (curves.len() as i32 - 1);
            let runs = self.draw_curve(curve, self.aside(curves, index), lane_shift);
            let end = runs.last().and_then(|run| run.last()).copied();
            match curve.label() {
                Some(name) if curve.bound => match runs.into_iter().max_by_key(Vec::len) {
                    Some(longest) => bounds.push((name, Look::label(curve.ink).halo(), longest)),
                    None => self.canvas.note(format!("the bound {name:?} is nowhere in the plot")),
                },
                Some(_) if curve.joined => ends.extend(end.map(|end| (end, curve))),
                _ => {}
            }
        }
        self.draw_names(ends);
        bounds
    }

    /// How far a curve moves along x, so that its bars are beside those of the other curves.
    fn aside(&self, curves: &[Curve], index: usize) -> i32 {
        const APART: i32 = 35;
        let has_bars = |curve: &&Curve| curve.marker.is_some() && curve.band.is_some();
        let count = curves.iter().filter(has_bars).count() as i32;
        let gap = |curve: &Curve| {
            let x = curve.points.iter().filter(|point| self.x.odd(point.0).is_none());
            let x: Vec<i32> = x.map(|point| self.plot.at_x(point.0)).collect();
            x.windows(2).map(|pair| (pair[1] - pair[0]).abs()).min().unwrap_or(i32::MAX)
        };
        let gap = curves.iter().filter(has_bars).map(gap).min().unwrap_or(0);
        if !has_bars(&&curves[index]) || gap < APART * (count + 1) {
            return 0;
        }
        let rank = curves[..index].iter().filter(has_bars).count() as i32;
        APART * rank - APART * (count - 1) / 2
    }

    /// Draws a curve in runs, which end where it goes to or from a lane; returns what is inside the plot.
    fn draw_curve(&self, curve: &Curve, aside: i32, lane_shift: i32) -> Vec<Vec<Point>> {
        let Panel { canvas, plot, x, y } = self;
        let is_inside = |point: &(f64, f64)| x.odd(point.0).is_none() && x.holds(point.0) && y.holds(point.1);
        if let Some(point) = curve.points.iter().find(|point| !curve.bound && !is_inside(point)) {
            canvas.note(format!("the curve {:?} leaves the plot at {point:?}", curve.name));
        }
        let has_place = |point: &(f64, f64)| x.odd(point.0).is_none() && self.has_place(curve, point.1);
        let points: Vec<(f64, f64)> = curve.points.iter().copied().filter(has_place).collect();
        let mut drawn: Vec<Vec<Point>> = Vec::new();
        let mut marks: Vec<Point> = Vec::new();
        for run in points.chunk_by(|a, b| y.odd(a.1) == y.odd(b.1)) {
            let shift = if y.odd(run[0].1).is_some() { lane_shift } else { 0 };
            let run: Vec<Point> =
                run.iter().map(|&(x, y)| plot.at(x, y)).map(|(x, y)| (x + aside, y + shift)).collect();
            marks.extend(run.iter().filter(|point| plot.rect.holds(**point)));
            match run[..] {
                _ if !curve.joined => {}
                // A point alone has no line.
                [point] => {
                    if curve.marker.is_none() {
                        canvas.dot(point, curve.ink);
                    }
                    drawn.push(run);
                }
                _ => drawn.extend(canvas.line(plot, &run, curve.style())),
            }
        }
        if let Some(marker) = curve.marker {
            canvas.make_room(&marks);
            self.draw_bars(curve, aside);
            canvas.markers(marker, &marks, curve.ink);
        }
        drawn
    }

    /// Whether a curve's value has a place on the axis, beyond its ends or in a lane. A bound that is no number
    /// on the axis has none.
    fn has_place(&self, curve: &Curve, value: f64) -> bool {
        self.y.odd(value).is_none() || !curve.bound
    }

    fn draw_band(&self, curve: &Curve) {
        let Panel { canvas, plot, x, y } = self;
        let edges = curve.intervals();
        let is_inside = |edge: &(f64, f64, f64)| y.holds(edge.1) && y.holds(edge.2);
        if let Some(edge) = edges.iter().find(|edge| !curve.bound && !is_inside(edge)) {
            canvas.note(format!("the band of {:?} leaves the plot at {edge:?}", curve.name));
        }
        // An edge in a lane ends there: a band from zero reaches down to the lane of zero. Within a lane there
        // is no band, and NaN is a gap.
        let is_area = |&(at, low, high): &(f64, f64, f64)| {
            let numbers = !low.is_nan() && !high.is_nan() && x.odd(at).is_none();
            let places = self.has_place(curve, low) && self.has_place(curve, high);
            numbers && places && (y.odd(low).is_none() || y.odd(low) != y.odd(high))
        };
        for run in edges.chunk_by(|a, b| is_area(a) == is_area(b)).filter(|run| is_area(&run[0])) {
            let low: Vec<Point> = run.iter().map(|&(x, low, _)| plot.at(x, low)).collect();
            let high: Vec<Point> = run.iter().map(|&(x, _, high)| plot.at(x, high)).collect();
            canvas.band(plot, &low, &high, Paint::from(curve.ink).percent(16).fill());
        }
    }

    /// Bars from low to high. One that ends in a lane has an arrow head there.
    fn draw_bars(&self, curve: &Curve, aside: i32) {
        let Panel { canvas, plot, x, y } = self;
        for (at, low, high) in curve.intervals() {
            if !curve.bound && (!y.holds(low) || !y.holds(high)) {
                canvas.note(format!("the bar of {:?} at {at} leaves the plot: {low} to {high}", curve.name));
            }
            let has_place = |value: f64| !value.is_nan() && self.has_place(curve, value);
            if x.odd(at).is_some() || !has_place(low) || !has_place(high) {
                continue;
            }
            let ends = [low, high].map(|end| plot.at(at, end)).map(|(x, y)| (x + aside, y));
            let pieces = canvas.line(plot, &ends, Paint::from(curve.ink).stroke(13));
            for (value, [from, to]) in [(low, [ends[1], ends[0]]), (high, ends)] {
                if y.odd(value).is_some() && !pieces.is_empty() {
                    canvas.arrow_head(from, to, curve.ink);
                }
            }
        }
    }

    /// Names at the curves' ends, apart from each other, with a thin line to those that had to move.
    fn draw_names(&self, mut ends: Vec<(Point, &Curve)>) {
        let Panel { canvas, plot, .. } = self;
        ends.sort_by_key(|(end, _)| end.1);
        let wishes: Vec<i32> = ends.iter().map(|(end, _)| end.1).collect();
        let heights = spread(&wishes, px(15), plot.rect.top - px(2), plot.rect.bottom() + px(2));
        for (((x, y), curve), height) in ends.into_iter().zip(heights) {
            let at = (plot.rect.right() + NAME_GAP, height);
            if (height - y).abs() > px(4) || x < plot.rect.right() - px(12) {
                let line = vec![(x + px(2), y), (at.0 - px(2), height)];
                canvas.stroke(line, Paint::from(curve.ink).with(DOTTED).stroke(10));
            }
            canvas.text(&curve.name, at, Look::label(curve.ink).bold());
        }
    }

    fn draw_references(&self, references: &[(String, f64)]) {
        let Panel { canvas, plot, y, .. } = self;
        for (name, value) in references {
            if !value.is_finite() || !y.holds(*value) {
                canvas.note(format!("the reference {name:?} at {value} is outside the y axis"));
                continue;
            }
            let height = plot.at_y(*value);
            let line = vec![(plot.rect.left, height), (plot.rect.right(), height)];
            canvas.stroke(line.clone(), Paint::from(Ink::Muted).with(DASHED).stroke(12));
            canvas.keep_clear(line);
        }
    }

    /// Names above or below such lines, at their ends.
    fn name_references(&self, references: &[(String, f64)]) {
        let Panel { canvas, plot, y, .. } = self;
        let look = Look::label(Ink::Muted).size(TICK_SIZE).halo();
        let (left, right) = (plot.rect.left + px(3), plot.rect.right() - px(3));
        for (name, value) in references.iter().filter(|(name, value)| !name.is_empty() && y.holds(*value)) {
            let height = plot.at_y(*value);
            let (above, below) = (height - px(3), height + px(3));
            let places = [
                ((right, above), HPos::Right, VPos::Bottom),
                ((left, above), HPos::Left, VPos::Bottom),
                ((right, below), HPos::Right, VPos::Top),
                ((left, below), HPos::Left, VPos::Top),
            ];
            canvas.label(plot, name, look, places);
        }
    }
}
