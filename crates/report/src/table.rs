//! Tables: rows of values under named columns.
use serde::{Deserialize, Serialize};

use crate::{Value, format};

/// Rows of values under named columns. The first columns name a row, for lookup by path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "RawTable")]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// A table as it stands in a file, before its rows are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl TryFrom<RawTable> for Table {
    type Error = String;
    fn try_from(RawTable { columns, rows }: RawTable) -> Result<Table, String> {
        if columns.is_empty() {
            return Err("a table without columns".into());
        }
        if let Some((at, name)) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name))
        {
            return Err(format!("a table with two columns {name:?}, the second at {at}"));
        }
        match rows.iter().enumerate().find(|(_, row)| row.len() != columns.len()) {
            Some((at, row)) => {
                Err(format!("row {at} has {} entries under {} columns", row.len(), columns.len()))
            }
            None => Ok(Table { columns, rows }),
        }
    }
}

/// What can be a row: a tuple of up to ten things that are [`Value`]s, or a vector of values.
pub trait Row {
    /// The entries, left to right.
    fn into_values(self) -> Vec<Value>;
}

impl Row for Vec<Value> {
    fn into_values(self) -> Vec<Value> {
        self
    }
}

macro_rules! tuple_rows {
    ($($name:ident)*) => {
        impl<$($name: Into<Value>),*> Row for ($($name,)*) {
            #[allow(non_snake_case)]
            fn into_values(self) -> Vec<Value> {
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        }
    };
}
tuple_rows!(A);
tuple_rows!(A B);
tuple_rows!(A B C);
tuple_rows!(A B C D);
tuple_rows!(A B C D E);
tuple_rows!(A B C D E F);
tuple_rows!(A B C D E F G);
tuple_rows!(A B C D E F G H);
tuple_rows!(A B C D E F G H I);
tuple_rows!(A B C D E F G H I J);

impl Table {
    #[track_caller]
    pub(crate) fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Table {
        let columns = columns.into_iter().map(Into::into).collect();
        match Table::try_from(RawTable { columns, rows: Vec::new() }) {
            Ok(table) => table,
            Err(message) => panic!("{message}"),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not one entry for every column.
    #[track_caller]
    pub fn row(&mut self, row: impl Row) -> &mut Table {
        let row = row.into_values();
        let columns = &self.columns;
        assert!(row.len() == columns.len(), "{} entries under the columns {columns:?}", row.len());
        self.rows.push(row);
        self
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, each with one value for every column.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// The numbers of a column, unrounded; entries that are no numbers are left out.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn numbers(&self, column: &str) -> Vec<f64> {
        let Some(index) = self.columns.iter().position(|name| name == column) else {
            panic!("the table has no column {column:?}, but {:?}", self.columns)
        };
        self.rows.iter().filter_map(|row| Some(row[index].as_number()?.to_f64())).collect()
    }

    /// A Markdown table: numbers to the right, written as in prose.
    pub fn to_markdown(&self) -> String {
        let rule = (0..self.columns.len()).map(|column| match self.is_numeric(column) {
            true => "---:".to_owned(),
            false => "---".to_owned(),
        });
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escape = |text: &String| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
        let mut text = line(self.columns.iter().map(escape).collect()) + &line(rule.collect());
        for row in self.prose_rows() {
            text += &line(row.iter().map(escape).collect());
        }
        text
    }

    /// Columns aligned by spaces, for a terminal: numbers to the right.
    pub fn to_text(&self) -> String {
        let mut rows = vec![self.columns.clone()];
        rows.extend(self.prose_rows());
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if self.is_numeric(column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text += "\n";
        }
        text
    }

    /// Comma-separated values with a header line, numbers in machine-readable form (RFC 4180, with
    /// line feeds).
    pub fn to_csv(&self) -> String {
        let quote = |text: &str| match text.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let mut text = String::new();
        let header = self.columns.iter().map(|name| quote(name)).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|value| quote(&value.to_string())).collect());
        for line in std::iter::once::<Vec<String>>(header).chain(rows) {
            text += &line.join(",");
            text += "\n";
        }
        text
    }

    /// Whether a column holds numbers, and nothing else.
    fn is_numeric(&self, column: usize) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| matches!(row[column], Value::Number(_)))
    }

    fn prose_rows(&self) -> Vec<Vec<String>> {
        let columns: Vec<Vec<String>> = (0..self.columns.len())
            .map(|column| format::format_column(self.rows.iter().map(|row| &row[column])))
            .collect();
        (0..self.rows.len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
    }
}
