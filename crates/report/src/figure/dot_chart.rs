//! Single values in rows: dots, intervals, medians, with baselines drawn across.
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    Canvas, Frame, LINE_HEIGHT, Legend, Look, MARGIN, MARKER_RADIUS, Plot, Rect, TEXT_SIZE, TICK_ROOM,
    TICK_SIZE, WIDTH, px,
};
use super::ink::{DASHED, Paint};
use super::markup::{bold_width, width};
use super::path::Point;
use super::scale::{Axis, Scale};
use super::{Figure, Ink, ink_of};

/// The shape of a dot or a mark: tells sets apart without their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A filled circle.
    Disc,
    /// An empty circle.
    Ring,
    /// A filled square on its corner.
    Diamond,
    /// A filled square.
    Square,
    /// A filled triangle.
    Triangle,
}

/// One row of a [`DotChart`].
#[derive(Clone, Debug)]
pub struct DotRow {
    name: String,
    note: String,
    ink: Option<Ink>,
    dots: Vec<(Marker, f64)>,
    median: Option<f64>,
    interval: Option<(f64, f64)>,
}

impl DotRow {
    /// A row of that name without dots, in the ink of the cell that it or its group names ([`ink_of`]).
    pub fn new(name: impl Into<String>) -> DotRow {
        DotRow {
            name: name.into(),
            note: String::new(),
            ink: None,
            dots: vec![],
            median: None,
            interval: None,
        }
    }

    /// Adds dots. Dots that would overlap are stacked.
    pub fn dots(mut self, marker: Marker, values: impl IntoIterator<Item = f64>) -> DotRow {
        self.dots.extend(values.into_iter().map(|value| (marker, value)));
        self
    }

    /// A short thick line across the row.
    pub fn median(self, median: f64) -> DotRow {
        DotRow { median: Some(median), ..self }
    }

    /// A thin line from `low` to `high` along the row. An infinite end has an arrow head.
    pub fn interval(self, low: f64, high: f64) -> DotRow {
        DotRow { interval: Some((low, high)), ..self }
    }

    /// A text at the right end of the row, such as the median in figures.
    pub fn note(self, note: impl Into<String>) -> DotRow {
        DotRow { note: note.into(), ..self }
    }

    /// Another ink than the name's.
    pub fn ink(self, ink: Ink) -> DotRow {
        DotRow { ink: Some(ink), ..self }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let interval = self.interval.into_iter().flat_map(|(low, high)| [low, high]);
        self.dots.iter().map(|dot| dot.1).chain(self.median).chain(interval)
    }
}

/// A dot chart: named rows over one horizontal axis of values, if wanted in groups.
///
/// ```
/// use longlag_report::figure::{Axis, DotChart, DotRow, Marker};
///
/// // Runs that hadn't solved the task after 50,000 updates count as infinite.
/// let never = f64::INFINITY;
/// let figure = DotChart::new(
///     "Updates until the task is solved: the LSTM's median is 1900, most RNNs don't solve it.",
///     Axis::log("Updates until solved").infinity("> 50,000"),
/// )
/// .row(DotRow::new("RNN").dots(Marker::Ring, [41e3, never, never]).median(never).interval(41e3, never))
/// .row(DotRow::new("LSTM").dots(Marker::Ring, [900.0, 1900.0, 4800.0]).median(1900.0).note("1900"))
/// .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// ```
#[derive(Clone, Debug)]
pub struct DotChart {
    description: String,
    axis: Axis,
    legend: Vec<(Marker, String)>,
    references: Vec<(String, f64)>,
    /// Names and rows; the first has no name if the chart has no groups.
    groups: Vec<(String, Vec<DotRow>)>,
}

impl DotChart {
    /// A chart without rows. The description says what it shows to those who cannot see it.
    pub fn new(description: impl Into<String>, axis: Axis) -> DotChart {
        DotChart { description: description.into(), axis, legend: vec![], references: vec![], groups: vec![] }
    }

    /// Says above the plot what a marker means.
    pub fn legend(mut self, marker: Marker, meaning: impl Into<String>) -> DotChart {
        self.legend.push((marker, meaning.into()));
        self
    }

    /// Starts a group: the rows after it go there.
    pub fn group(mut self, name: impl Into<String>) -> DotChart {
        self.groups.push((name.into(), Vec::new()));
        self
    }

    /// Adds a row to the last group, or to the chart.
    pub fn row(mut self, row: DotRow) -> DotChart {
        if self.groups.is_empty() {
            self = self.group("");
        }
        if let Some((_, rows)) = self.groups.last_mut() {
            rows.push(row);
        }
        self
    }

    /// Adds a dashed line across all rows, its name above the plot.
    pub fn reference(mut self, name: impl Into<String>, value: f64) -> DotChart {
        self.references.push((name.into(), value));
        self
    }

    /// Draws the chart.
    pub fn figure(&self) -> Figure {
        let rows = || self.groups.iter().flat_map(|(_, rows)| rows);
        let references = self.references.iter().map(|(_, value)| *value);
        let scale = self.axis.scale(rows().flat_map(DotRow::values).chain(references), 7, true);

        let column = |texts: Vec<&str>| match texts.into_iter().map(|text| bold_width(text, TEXT_SIZE)).max()
        {
            None | Some(0) => 0,
            Some(width) => width + px(12),
        };
        let group_column = column(self.groups.iter().map(|(name, _)| name.as_str()).collect());
        let row_column = column(rows().map(|row| row.name.as_str()).collect());
        let note_column = column(rows().map(|row| row.note.as_str()).collect());
        let grouped = group_column > 0;
        let (row_height, group_gap) = if grouped { (px(18), px(8)) } else { (px(36), 0) };

        let left = MARGIN + group_column + row_column;
        let right = WIDTH - MARGIN - note_column.max(px(14));
        let mut legend = Legend::new(MARGIN);
        self.legend.iter().for_each(|(marker, meaning)| legend.add(*marker, Ink::Text, meaning));
        let legend_bottom = legend.bottom();
        let scale = scale.horizontal(right - left, TICK_SIZE);
        let names = self.reference_places(&scale, left, right);
        let name_lines = names.iter().map(|place| place.line + 1).max().unwrap_or(0);
        let top = legend_bottom + LINE_HEIGHT * name_lines + px(4);
        let group_count = self.groups.len().max(1) as i32;
        let height = row_height * rows().count() as i32 + group_gap * group_count;
        let title_top = top + height + TICK_ROOM;

        let canvas = Canvas::new(title_top + LINE_HEIGHT + MARGIN, &self.description);
        legend.draw(&canvas);
        let rect = Rect { left, top, width: right - left, height };
        let frame = Frame { x_labels: true, y_labels: false, x_grid: true, y_grid: false, x_axis: true };
        let plot = canvas.plot(rect, &scale, &Scale::plain(1.0), frame);

        for ReferencePlace { name, value, centre, line } in &names {
            if !value.is_finite() || !scale.holds(*value) {
                canvas.note(format!("the reference {name:?} at {value} is outside the axis"));
                continue;
            }
            let (x, bottom) = (plot.at_x(*value), legend_bottom + LINE_HEIGHT * (line + 1));
            canvas.stroke(
                vec![(x, bottom), (x, rect.bottom())],
                Paint::from(Ink::Muted).with(DASHED).stroke(12),
            );
            let look = Look::label(Ink::Muted).size(TICK_SIZE).halo().held(HPos::Center, VPos::Bottom);
            canvas.text(name, (*centre, bottom - px(1)), look);
        }

        let mut y = top + group_gap / 2;
        for (index, (group, rows)) in self.groups.iter().enumerate() {
            if grouped {
                let border = y - group_gap / 2;
                if index > 0 {
                    canvas.stroke(vec![(MARGIN, border), (right, border)], Paint::from(Ink::Grid).stroke(10));
                }
                canvas.text(group, (MARGIN, y + row_height / 2), Look::label(ink_of(group)).bold());
            }
            for row in rows {
                let middle = y + row_height / 2;
                let ink = row.ink.unwrap_or_else(|| ink_of(if grouped { group } else { &row.name }));
                let look = Look::label(if grouped { Ink::Muted } else { ink });
                let look = if grouped { look } else { look.bold() };
                canvas.text(&row.name, (MARGIN + group_column, middle), look);
                canvas.text(&row.note, (right + px(12), middle), Look::label(ink).bold());
                draw_row(&canvas, &plot, &scale, row, ink, middle, row_height);
                y += row_height;
            }
            y += group_gap;
        }
        let look = Look::label(Ink::Muted).held(HPos::Center, VPos::Center);
        canvas.text(&self.axis.title, ((left + right) / 2, title_top + LINE_HEIGHT / 2), look);
        canvas.finish()
    }

    /// Where the names of references stand: centred above their lines if there is room, in the lowest
    /// line that is free.
    fn reference_places(&self, scale: &Scale, left: i32, right: i32) -> Vec<ReferencePlace<'_>> {
        use plotters::coord::ranged1d::Ranged;
        let mut places: Vec<ReferencePlace> = Vec::new();
        for (name, value) in &self.references {
            let half = width(name, TICK_SIZE) / 2;
            let wanted = if scale.holds(*value) { scale.map(value, (left, right)) } else { left };
            let centre = wanted.clamp(MARGIN + half, WIDTH - MARGIN - half);
            let free = |line: &i32| {
                let mut others = places.iter().filter(|place| place.line == *line);
                others.all(|place| {
                    (place.centre - centre).abs() > half + width(place.name, TICK_SIZE) / 2 + px(8)
                })
            };
            let line = (0..).find(free).expect("there are endless lines");
            places.push(ReferencePlace { name, value: *value, centre, line });
        }
        // Lines count from the top in the figure: the first found is to be the lowest.
        let last = places.iter().map(|place| place.line).max().unwrap_or(0);
        places.iter_mut().for_each(|place| place.line = last - place.line);
        places
    }
}

/// The name of a reference: its middle, and its line from the top.
struct ReferencePlace<'a> {
    name: &'a str,
    value: f64,
    centre: i32,
    line: i32,
}

fn draw_row(canvas: &Canvas, plot: &Plot, scale: &Scale, row: &DotRow, ink: Ink, middle: i32, height: i32) {
    if let Some(value) = row.values().find(|value| !scale.holds(*value)) {
        canvas.note(format!("row {:?}: {value} is outside the axis", row.name));
    }
    if let Some((low, high)) = row.interval.filter(|(low, high)| scale.holds(*low) && scale.holds(*high)) {
        let ends = [(plot.at_x(low), middle), (plot.at_x(high), middle)];
        canvas.stroke(ends.to_vec(), Paint::from(ink).stroke(15));
        for (value, [from, to]) in [(low, [ends[1], ends[0]]), (high, ends)] {
            if scale.odd(value).is_some() {
                canvas.arrow_head(from, to, ink);
            }
        }
    }
    if let Some(median) = row.median.filter(|median| scale.holds(*median)) {
        let (x, reach) = (plot.at_x(median), height * 2 / 5);
        canvas.stroke(vec![(x, middle - reach), (x, middle + reach)], Paint::from(Ink::Text).stroke(20));
    }
    let mut dots: Vec<(i32, Marker)> = row
        .dots
        .iter()
        .filter(|dot| scale.holds(dot.1))
        .map(|&(marker, value)| (plot.at_x(value), marker))
        .collect();
    dots.sort_by_key(|dot| dot.0);
    let mut placed: Vec<Point> = Vec::new();
    for (x, marker) in dots {
        let place = (x, middle + stacked(x, &placed, height, middle));
        canvas.marker(marker, place, ink);
        placed.push(place);
    }
}

/// How far from the row's middle a dot must go to touch none of the others: 0, or steps to either side;
/// 0 again if the row is full.
fn stacked(x: i32, placed: &[Point], height: i32, middle: i32) -> i32 {
    let apart = 2 * MARKER_RADIUS + 4;
    let most = (height / 2 - MARKER_RADIUS) / apart;
    let offsets = (0..=most).flat_map(|level| [level * apart, -level * apart]);
    let free = |offset: &i32| {
        placed.iter().all(|&(other, y)| {
            let (dx, dy) = (x - other, middle + offset - y);
            dx * dx + dy * dy >= apart * apart
        })
    };
    offsets.into_iter().find(free).unwrap_or(0)
}
