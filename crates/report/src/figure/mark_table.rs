use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, Look, TICK_SIZE, WIDTH, px};
use super::ink::Paint;
use super::{Figure, Ink};

/// Marks in named rows under named columns: what belongs where.
///
/// ```
/// use longlag_report::figure::{Ink, MarkTable};
///
/// let figure = MarkTable::new("What is closed and what is open.", 300)
///     .column("closed", Ink::Green)
///     .column("open", Ink::Muted)
///     .heading("On the first page")
///     .row("the question", &[1])
///     .row("two answers", &[0, 0])
///     .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// ```
#[derive(Clone, Debug)]
pub struct MarkTable {
    description: String,
    /// Where the columns begin.
    left: i32,
    columns: Vec<(String, Ink)>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
enum Row {
    Heading(String),
    /// The columns of its marks.
    Marks(String, Vec<usize>),
}

const ROW: i32 = px(18);
const HEADING: i32 = px(28);
const TOP: i32 = px(24);
const RADIUS: i32 = 42;
/// From mark to mark of one cell.
const APART: i32 = px(11);

impl MarkTable {
    /// An empty table; the rows' names have `left` px of room.
    pub fn new(description: impl Into<String>, left: i32) -> MarkTable {
        MarkTable { description: description.into(), left: px(left), columns: Vec::new(), rows: Vec::new() }
    }

    /// A column, to the right of those before, and the ink of its marks.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, ink: Ink) -> MarkTable {
        self.columns.push((name.into(), ink));
        self
    }

    /// A line of its own above the rows that follow.
    #[must_use]
    pub fn heading(mut self, text: impl Into<String>) -> MarkTable {
        self.rows.push(Row::Heading(text.into()));
        self
    }

    /// A row with a mark in each of these columns, by their numbers from 0; one that comes twice has two marks.
    #[must_use]
    pub fn row(mut self, name: impl Into<String>, marks: &[usize]) -> MarkTable {
        self.rows.push(Row::Marks(name.into(), marks.to_vec()));
        self
    }

    /// Draws it.
    ///
    /// # Panics
    /// If a mark is in no column.
    #[track_caller]
    pub fn figure(&self) -> Figure {
        let height = |row: &Row| match row {
            Row::Heading(_) => HEADING,
            Row::Marks(..) => ROW,
        };
        let canvas = Canvas::new(TOP + self.rows.iter().map(height).sum::<i32>() + px(4), &self.description);
        let width = (WIDTH - self.left) / self.columns.len().max(1) as i32;
        let middle = |column: usize| self.left + width * column as i32 + width / 2;
        for (k, (name, _)) in self.columns.iter().enumerate() {
            let look = Look::label(Ink::Muted).size(TICK_SIZE).held(HPos::Center, VPos::Center);
            canvas.text(name, (middle(k), TOP / 2), look);
        }
        let mut y = TOP;
        for row in &self.rows {
            let line = Paint::from(Ink::Muted).percent(25).stroke(8);
            match row {
                Row::Heading(text) => {
                    let look = Look::label(Ink::Text).bold().held(HPos::Left, VPos::Center);
                    canvas.text(text, (0, y + HEADING - px(11)), look);
                }
                Row::Marks(name, marks) => {
                    canvas.stroke(vec![(0, y), (WIDTH, y)], line);
                    let look = Look::label(Ink::Text).size(TICK_SIZE).held(HPos::Left, VPos::Center);
                    canvas.text(name, (0, y + ROW / 2), look);
                    for (k, (_, ink)) in self.columns.iter().enumerate() {
                        let count = marks.iter().filter(|&&mark| mark == k).count() as i32;
                        for i in 0..count {
                            let x = middle(k) + APART * i - APART * (count - 1) / 2;
                            canvas.disc((x, y + ROW / 2), RADIUS, *ink, *ink);
                        }
                    }
                    assert!(
                        marks.iter().all(|&mark| mark < self.columns.len()),
                        "marks {marks:?} in {} columns",
                        self.columns.len()
                    );
                }
            }
            y += height(row);
        }
        canvas.finish()
    }
}
