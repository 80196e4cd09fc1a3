//! Panels: plots of one size in rows and columns, which share their axes.
use super::canvas::{Canvas, Look, Rect, px};
use super::ink::ink_of;

/// Titles and contents. A chart without panels has one without a title.
#[derive(Clone, Debug)]
pub(super) struct Panels<T>(Vec<(String, T)>);

impl<T> Default for Panels<T> {
    fn default() -> Panels<T> {
        Panels(Vec::new())
    }
}

impl<T: Default> Panels<T> {
    pub(super) fn start(&mut self, title: String) {
        self.0.push((title, T::default()));
    }

    /// The panel that is being filled.
    pub(super) fn last(&mut self) -> &mut T {
        if self.0.is_empty() {
            self.start(String::new());
        }
        let (_, last) = self.0.last_mut().expect("there is one now");
        last
    }
}

impl<T> Panels<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, content)| content)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(title, content)| (title.as_str(), content))
    }

    fn has_titles(&self) -> bool {
        self.0.iter().any(|(title, _)| !title.is_empty())
    }
}

/// Where the plots of panels are.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) left: i32,
    pub(super) top: i32,
    columns: usize,
    count: usize,
    title_room: i32,
    plot_width: i32,
    plot_height: i32,
    /// Right of each plot, for the names of curves.
    beside: i32,
}

/// Between a plot with what stands beside it and the next plot.
const GAP: i32 = px(10);
/// Between a row of plots and the next one's titles.
const ROW_GAP: i32 = px(18);
/// What is narrower isn't a plot.
const NARROWEST: i32 = px(80);

impl Grid {
    /// Room for plots from `left` to `right`, in at most that many columns; their height is not known yet.
    pub(super) fn new<T>(
        panels: &Panels<T>,
        most_columns: usize,
        left: i32,
        beside: i32,
        right: i32,
    ) -> Grid {
        let columns = most_columns.min(panels.len()).max(1);
        let title_room = if panels.has_titles() { px(20) } else { 0 };
        let (gap, n) = (GAP, columns as i32);
        let plot_width = (right - left - beside * n - gap * (n - 1)) / n;
        Grid { left, top: 0, columns, count: panels.len(), title_room, plot_width, plot_height: 0, beside }
    }

    pub(super) fn at(self, top: i32, plot_height: i32) -> Grid {
        Grid { top, plot_height, ..self }
    }

    pub(super) fn plot_width(&self) -> i32 {
        self.plot_width
    }

    pub(super) fn rows(&self) -> usize {
        self.count.div_ceil(self.columns).max(1)
    }

    pub(super) fn rect(&self, index: usize) -> Rect {
        let (row, column) = ((index / self.columns) as i32, (index % self.columns) as i32);
        Rect {
            left: self.left + (self.plot_width + self.beside + GAP) * column,
            top: self.top + (self.title_room + self.plot_height + ROW_GAP) * row + self.title_room,
            width: self.plot_width,
            height: self.plot_height,
        }
    }

    /// Where the lowest plots end.
    pub(super) fn bottom(&self) -> i32 {
        self.rect((self.rows() - 1) * self.columns).bottom()
    }

    /// The middle of all plots, where the x axis has its title.
    pub(super) fn middle(&self) -> i32 {
        (self.left + self.rect(self.columns - 1).right()) / 2
    }

    /// Whether a panel has the y axis's labels.
    pub(super) fn is_leftmost(&self, index: usize) -> bool {
        index.is_multiple_of(self.columns)
    }

    /// Whether a panel has the x axis's labels.
    pub(super) fn is_lowest(&self, index: usize) -> bool {
        index + self.columns >= self.count
    }

    /// Writes a panel's title, in the ink of the cell that it names.
    pub(super) fn title(&self, canvas: &Canvas, rect: Rect, title: &str) {
        canvas.text(title, (rect.left, rect.top - px(13)), Look::label(ink_of(title)).bold());
        if rect.width < NARROWEST {
            canvas.note(format!("a plot only {} px wide", rect.width / 10));
        }
    }
}
