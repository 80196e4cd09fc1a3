//! How often values fall between two borders.
use longlag_numerics::Real;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    Canvas, Frame, LINE_HEIGHT, Look, MARGIN, Place, Plot, TEXT_SIZE, TICK_ROOM, TICK_SIZE, WIDTH, along, px,
    widest,
};
use super::ink::Paint;
use super::panels::{Grid, Panels};
use super::path::Point;
use super::scale::{Axis, Scale, log10};
use super::{Figure, Ink, ink_of};

/// Named counts of values between borders, for a [`Histogram`].
///
/// ```
/// use longlag_report::figure::{Bins, Ink};
///
/// let gates = Bins::even("*b* = 1", 0.0, 1.0, 20).count([0.71, 0.75, 0.66]).ink(Ink::Green);
/// // Borders in equal ratios, for a logarithmic axis.
/// let norms = Bins::logarithmic("LSTM", 1e-6, 1.0, 24).count([3e-5, 2e-4]);
/// // What a report has counted.
/// let counted = Bins::new("RNN", [0.0, 0.5, 1.0]).counts([12, 30]);
/// ```
#[derive(Clone, Debug)]
pub struct Bins {
    name: String,
    ink: Ink,
    borders: Vec<f64>,
    counts: Vec<u64>,
    /// Values in no bin.
    outside: u64,
}

impl Bins {
    /// Empty bins between these borders, in the ink of the cell that the name names ([`ink_of`]).
    ///
    /// # Panics
    /// If there are fewer than two borders, or if they don't rise or aren't finite.
    #[track_caller]
    pub fn new(name: impl Into<String>, borders: impl Into<Vec<f64>>) -> Bins {
        let (name, borders) = (name.into(), borders.into());
        let rise = borders.windows(2).all(|pair| pair[0] < pair[1]) && borders.iter().all(|b| b.is_finite());
        assert!(borders.len() > 1 && rise, "the bins {name:?} have the borders {borders:?}");
        Bins { ink: ink_of(&name), name, counts: vec![0; borders.len() - 1], borders, outside: 0 }
    }

    /// Empty bins of one width.
    ///
    /// # Panics
    /// If there are none, or if `low` isn't below `high`.
    #[track_caller]
    pub fn even(name: impl Into<String>, low: f64, high: f64, number: usize) -> Bins {
        let part = |index: usize| index as f64 / number as f64;
        Bins::new(name, (0..=number).map(|i| low * (1.0 - part(i)) + high * part(i)).collect::<Vec<f64>>())
    }

    /// Empty bins whose borders have one ratio.
    ///
    /// # Panics
    /// If there are none, if `low` isn't positive, or isn't below `high`.
    #[track_caller]
    pub fn logarithmic(name: impl Into<String>, low: f64, high: f64, number: usize) -> Bins {
        let part = |index: usize| index as f64 / number as f64;
        let border = |index: usize| match index {
            0 => low,
            _ if index == number => high,
            _ => Real::exp(Real::ln(low) * (1.0 - part(index)) + Real::ln(high) * part(index)),
        };
        Bins::new(name, (0..=number).map(border).collect::<Vec<f64>>())
    }

    /// Adds values. One on a border is in the bin above, one on the last border in the last bin.
    pub fn count(mut self, values: impl IntoIterator<Item = f64>) -> Bins {
        let last = self.borders[self.borders.len() - 1];
        for value in values {
            let above = self.borders.partition_point(|border| *border <= value);
            match above.checked_sub(1) {
                Some(bin) if bin < self.counts.len() => self.counts[bin] += 1,
                Some(bin) if value == last => self.counts[bin - 1] += 1,
                _ => self.outside += 1,
            }
        }
        self
    }

    /// Sets the counts of all bins.
    ///
    /// # Panics
    /// If there are more or fewer than bins.
    #[track_caller]
    pub fn counts(self, counts: impl Into<Vec<u64>>) -> Bins {
        let counts = counts.into();
        assert_eq!(counts.len(), self.counts.len(), "counts of the bins {:?}", self.name);
        Bins { counts, ..self }
    }

    /// Another ink than the name's.
    pub fn ink(self, ink: Ink) -> Bins {
        Bins { ink, ..self }
    }

    /// The height of each bin: its count, or the share of all values over its width, in decades if
    /// `logarithmic`.
    fn heights(&self, density: bool, logarithmic: bool) -> Vec<f64> {
        let all = (self.counts.iter().sum::<u64>() + self.outside).max(1) as f64;
        let position = |border: f64| if logarithmic { log10(border) } else { border };
        let bins = self.borders.windows(2).zip(&self.counts);
        bins.map(|(ends, &count)| match density {
            false => count as f64,
            true => count as f64 / all / (position(ends[1]) - position(ends[0])),
        })
        .collect()
    }
}

/// A histogram: sets of values over each other in one plot, or panels that share both axes.
///
/// ```
/// use longlag_report::figure::{Axis, Bins, Histogram, Ink};
///
/// let values = |middle: f64| (-50..=50).map(move |i| middle + f64::from(i * i * i) / 5e5);
/// let figure = Histogram::new(
///     "Forget gates at the start: with bias 0 they are about one half, with bias 1 about 0.7.",
///     Axis::linear("Forget gate *f*_{*t*}").range(0.0, 1.0),
///     Axis::linear("Density"),
/// )
/// .densities()
/// .bins(Bins::even("*b* = 0", 0.0, 1.0, 25).count(values(0.5)).ink(Ink::Orange))
/// .bins(Bins::even("*b* = 1", 0.0, 1.0, 25).count(values(0.71)).ink(Ink::Blue))
/// .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    description: String,
    x: Axis,
    y: Axis,
    density: bool,
    columns: usize,
    references: Vec<(String, f64)>,
    panels: Panels<Vec<Bins>>,
}

impl Histogram {
    /// A histogram of counts, without bins yet. The description says what it shows to those who cannot see it.
    pub fn new(description: impl Into<String>, x: Axis, y: Axis) -> Histogram {
        Histogram {
            description: description.into(),
            x,
            y,
            density: false,
            columns: 2,
            references: Vec::new(),
            panels: Panels::default(),
        }
    }

    /// Densities in place of counts: the share of a set's values over the bin's width, so that sets of
    /// different sizes and bins of different widths can be compared. On a logarithmic axis the width is in
    /// decades.
    pub fn densities(self) -> Histogram {
        Histogram { density: true, ..self }
    }

    /// Starts a panel: the bins after it go there.
    pub fn panel(mut self, title: impl Into<String>) -> Histogram {
        self.panels.start(title.into());
        self
    }

    /// At most that many panels beside each other; 2 unless said otherwise. In one column they are lower, for
    /// the eye to compare along x.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn columns(self, columns: usize) -> Histogram {
        assert!(columns > 0, "panels stand in at least one column");
        Histogram { columns, ..self }
    }

    /// Adds a set of values to the last panel, or to the only plot.
    ///
    /// # Panics
    /// If a border isn't positive and the axis is logarithmic.
    #[track_caller]
    pub fn bins(mut self, bins: Bins) -> Histogram {
        let fits = !self.x.logarithmic || bins.borders[0] > 0.0;
        assert!(fits, "the bins {:?} begin at {} on a logarithmic axis", bins.name, bins.borders[0]);
        self.panels.last().push(bins);
        self
    }

    /// Adds a dashed line up and down through every panel; its name stands at it in the first one.
    pub fn reference(mut self, name: impl Into<String>, x: f64) -> Histogram {
        self.references.push((name.into(), x));
        self
    }

    /// Draws the histogram.
    pub fn figure(&self) -> Figure {
        let all = || self.panels.contents().flatten();
        let columns = self.columns.min(self.panels.len()).max(1);
        let xs = all().flat_map(|bins| bins.borders.iter().copied());
        let x = self.x.scale(xs.chain(self.references.iter().map(|(_, x)| *x)), 12 / columns as i32, false);
        let (height, intervals) = match (self.panels.len(), columns) {
            (0 | 1, _) => (px(200), 5),
            (_, 1) => (px(72), 3),
            _ => (px(120), 4),
        };
        let heights = |bins: &Bins| bins.heights(self.density, self.x.logarithmic);
        let y = self.y.scale(all().flat_map(heights).chain([0.0]), intervals, true);
        let labels = y.labels();
        let left = MARGIN + widest(labels.iter().map(String::as_str), TICK_SIZE) + px(7);
        let grid = Grid::new(&self.panels, columns, left, px(12), WIDTH - MARGIN);
        let x = x.horizontal(grid.plot_width(), TICK_SIZE);
        let title_lines = super::markup::wrap(&self.y.title, TEXT_SIZE, WIDTH - 2 * MARGIN).len() as i32;
        let grid = grid.at(MARGIN + LINE_HEIGHT * title_lines + px(10), height);
        let x_title_top = grid.bottom() + TICK_ROOM;
        let canvas = Canvas::new(x_title_top + LINE_HEIGHT + MARGIN, &self.description);
        canvas.paragraph(&self.y.title, MARGIN);
        for (index, (title, sets)) in self.panels.iter().enumerate() {
            let frame = Frame {
                x_labels: grid.is_lowest(index),
                y_labels: grid.is_leftmost(index),
                x_grid: false,
                y_grid: true,
                x_axis: true,
            };
            let rect = grid.rect(index);
            let plot = canvas.plot(rect, &x, &y, frame);
            grid.title(&canvas, rect, title);
            let outlines: Vec<Vec<Point>> =
                sets.iter().map(|bins| draw_bins(&canvas, &plot, bins, &heights(bins), &y)).collect();
            canvas.verticals(&plot, &x, &self.references);
            if index == 0 {
                canvas.vertical_names(&plot, &x, &self.references);
            }
            for (bins, outline) in sets.iter().zip(outlines).filter(|(bins, _)| !bins.name.is_empty()) {
                let look = Look::label(bins.ink).bold().halo();
                canvas.label(&plot, &bins.name, look, beside_peak(&outline));
            }
        }
        let look = Look::label(Ink::Muted).held(HPos::Center, VPos::Center);
        canvas.text(&self.x.title, (grid.middle(), x_title_top + LINE_HEIGHT / 2), look);
        canvas.finish()
    }
}

/// Draws the area and its outline, which leaves out empty bins at both ends; returns the outline.
fn draw_bins(canvas: &Canvas, plot: &Plot, bins: &Bins, heights: &[f64], y: &Scale) -> Vec<Point> {
    if bins.outside > 0 {
        canvas.note(format!("{} values of {:?} are in no bin", bins.outside, bins.name));
    }
    if let Some(height) = heights.iter().find(|height| !y.holds(**height)) {
        canvas.note(format!("a bin of {:?} leaves the plot: {height}", bins.name));
    }
    let is_full = |count: &u64| *count > 0;
    let Some(first) = bins.counts.iter().position(is_full) else { return Vec::new() };
    let last = bins.counts.iter().rposition(is_full).unwrap_or(first);
    let ground = plot.at_y(0.0);
    let mut outline = vec![(plot.at_x(bins.borders[first]), ground)];
    for (ends, height) in bins.borders.windows(2).zip(heights).take(last + 1).skip(first) {
        let top = plot.at_y(*height);
        outline.extend([(plot.at_x(ends[0]), top), (plot.at_x(ends[1]), top)]);
    }
    outline.push((plot.at_x(bins.borders[last + 1]), ground));
    canvas.band(plot, &outline, &[], Paint::from(bins.ink).percent(16).fill());
    canvas.line(plot, &outline, Paint::from(bins.ink).stroke(14));
    outline
}

/// Places for a name: above the peak, at its shoulders, then anywhere along.
fn beside_peak(outline: &[Point]) -> Vec<Place> {
    let Some(peak) = outline.iter().map(|point| point.1).min() else { return Vec::new() };
    let ground = outline[0].1;
    let mut places = Vec::new();
    let of_peak: Vec<i32> = outline.iter().filter(|point| point.1 == peak).map(|point| point.0).collect();
    places.push((((of_peak[0] + of_peak[of_peak.len() - 1]) / 2, peak - px(4)), HPos::Center, VPos::Bottom));
    for part in [15, 30, 45, 60] {
        let height = peak + (ground - peak) * part / 100;
        let above: Vec<i32> = outline.iter().filter(|point| point.1 <= height).map(|point| point.0).collect();
        places.push(((above[above.len() - 1] + px(5), height), HPos::Left, VPos::Center));
        places.push(((above[0] - px(5), height), HPos::Right, VPos::Center));
    }
    places.extend(along(outline));
    places
}
