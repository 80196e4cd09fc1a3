//! Figures as small, themable, byte-stable SVG.
//!
//! The key decision: **plotters computes charts, a backend of our own writes them.** The stock SVG
//! backend has fixed colours, and its text depends on installed fonts. Ours writes colours as CSS
//! classes, so one figure serves light and dark pages, and every coordinate from an integer number of
//! tenths of a pixel, so that the same report gives the same bytes on every machine.
//!
//! | To show | there is |
//! |---|---|
//! | values over a common x: lines, bands, marks with bars, clouds of points, bounds | [`LineChart`] of [`Curve`]s |
//! | single values in named rows, with intervals and medians | [`DotChart`] of [`DotRow`]s |
//! | a value for each pair of x and y, its contours, ways through it | [`HeatMap`] |
//! | how often values occur | [`Histogram`] of [`Bins`] |
//! | what belongs where, such as statements and their verdicts | [`MarkTable`] |
//! | how something is made of parts | [`Diagram`] |
//!
//! Charts other than the dot chart may be split into panels that share their axes: `panel` starts one, `columns` says how
//! many stand beside each other.
//!
//! **Size.** A figure is 440 px wide in its own coordinates and has text of 12 and 13 px. A page shows it up to
//! 550 px wide, where its text is as large as a book's; on a phone 360 px wide it is 10 px and more, and nothing
//! has to scroll. An SVG can't break its lines anew for a narrow screen, so this width must do everywhere:
//! text is never smaller for want of room, and three panels beside each other are the most. For more there are
//! rows, or several figures.
//!
//! **Colour.** A cell has one ink in every figure ([`ink_of`]). No figure needs its colours: curves have their
//! names at their ends, sets of dots their shapes, cells of heat maps their lightness and their numbers.
//!
//! **Labels.** Titles and labels may hold a small markup: `^{…}` raises, `_{…}` lowers, `*…*` is italic, so that
//! `‖∂*L*/∂*h*_{*t*}‖` looks as it does in the text. Names inside a plot go where they cover the fewest lines.
//!
//! **What has no place.** Values that an axis has no place for (zero and below on a logarithmic axis, infinities,
//! NaN) are drawn in a lane of their own beside the axis, which is labelled `0`, `< 0`, `∞` or `NaN`;
//! [`Axis::infinity`] says it in words, for runs stopped at a budget. Cells of heat maps are crossed out.
//!
//! **Not seen.** An SVG has the role of an image and the chart's description as its label. Only a file that stands
//! alone has it as a title too: in a page that would be a tooltip over the whole figure.
//!
//! ```
//! use longlag_report::figure::{Axis, Css, Curve, LineChart};
//!
//! let steps = || (0..=64).map(f64::from);
//! let figure = LineChart::new(
//!     "Gradient norm against lag: the RNN's falls to 10⁻⁹ over 64 steps, the LSTM's stays near 1.",
//!     Axis::linear("Lag"),
//!     Axis::log("Gradient norm"),
//! )
//! .curve(Curve::new("RNN", steps().zip(steps().map(|lag| 0.72f64.powi(lag as i32)))))
//! .curve(Curve::new("LSTM", steps().map(|lag| (lag, 1.0 / (1.0 + 0.01 * lag)))))
//! .figure();
//! assert_eq!(figure.lint(), Vec::<String>::new());
//! assert!(figure.svg(Css::Page).starts_with("<svg"));
//! ```

mod backend;
mod canvas;
mod contour;
mod curve;
mod diagram;
mod dot_chart;
mod heat_map;
mod histogram;
mod ink;
mod line_chart;
mod mark_table;
mod markup;
mod panels;
mod path;
mod ramp;
mod scale;

pub use curve::Curve;
pub use diagram::Diagram;
pub use dot_chart::{DotChart, DotRow, Marker};
pub use heat_map::HeatMap;
pub use histogram::{Bins, Histogram};
pub use ink::{Ink, ink_of, page_css};
pub use line_chart::LineChart;
pub use mark_table::MarkTable;
pub use scale::Axis;

/// Where a figure's colours come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Css {
    /// From the page that the figure is written into: its style sheet must have [`page_css`].
    Page,
    /// From the file itself, which follows the reader's system: for a file that stands alone.
    Embedded,
}

/// A finished figure, drawn by a chart's `figure`.
#[derive(Debug)]
pub struct Figure {
    drawing: backend::Drawing,
}

impl Figure {
    /// The figure as SVG. It may stand in Markdown as it is: it has no blank line, and no character in it
    /// is Markdown's.
    pub fn svg(&self, css: Css) -> String {
        self.drawing.svg(css)
    }

    /// What is wrong with the layout, for a test to assert empty: texts that leave the figure or overlap
    /// each other, labels without room, numbers wider than their cells, plots too narrow to read, data outside
    /// its axes' ranges. Text widths are estimates.
    pub fn lint(&self) -> Vec<String> {
        self.drawing.lint()
    }

    /// What the figure shows, in a sentence or two, for readers who cannot see it.
    pub fn description(&self) -> &str {
        &self.drawing.description
    }
}
