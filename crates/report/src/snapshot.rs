//! The text form of a report: JSON laid out for reading and for diffs.
use serde_json::Value as Json;

use crate::{Report, lookup};

/// A text is not a report.
#[derive(Debug, thiserror::Error)]
#[error("not a report: {0}")]
pub struct SnapshotError(#[from] serde_json::Error);

/// An array stays on one line up to this width.
const LINE_WIDTH: usize = 100;

/// Longer arrays of numbers have this many to a line. A fixed count, and not as many as fit: then a
/// number that gets longer changes its own line only.
const NUMBERS_PER_LINE: usize = 8;

impl Report {
    /// The report as JSON text, numbers rounded to their significant digits: the same text for the same
    /// report on every machine. Arrays of numbers are wrapped, the entries of a table row stand on one line.
    pub fn to_snapshot(&self) -> String {
        let json = serde_json::to_value(self).expect("names are texts and integers fit into 64 bits");
        // In the report's own order; below it everything is sorted.
        let sections = ["experiment", "config", "facts", "tables", "series"];
        let mut text = String::from("{\n");
        for (index, section) in sections.iter().enumerate() {
            text += &format!("  {}: ", Json::from(*section));
            write_json(&json[section], 2, &mut text);
            text += if index + 1 < sections.len() { ",\n" } else { "\n" };
        }
        text + "}\n"
    }

    /// Reads what [`to_snapshot`](Report::to_snapshot) wrote. Numbers keep the digits they were written
    /// with, so writing the result gives the same text again.
    ///
    /// # Errors
    /// If the text is not JSON or not a report; the message has line and column.
    pub fn from_snapshot(text: &str) -> Result<Report, SnapshotError> {
        Ok(serde_json::from_str(text)?)
    }
}

fn write_json(json: &Json, indent: usize, text: &mut String) {
    let inner = " ".repeat(indent + 2);
    let lines: Vec<String> = match json {
        Json::Object(_) => {
            let entries = lookup::children(json).into_iter().map(|(key, value)| {
                let mut entry = format!("{}: ", Json::from(key));
                write_json(value, indent + 2, &mut entry);
                entry
            });
            entries.collect()
        }
        Json::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => {
            let entries = items.iter().map(|item| {
                let mut entry = String::new();
                write_json(item, indent + 2, &mut entry);
                entry
            });
            entries.collect()
        }
        Json::Array(items) => {
            let entries: Vec<String> = items.iter().map(write_single).collect();
            let line = entries.join(", ");
            if line.chars().count() + indent <= LINE_WIDTH || !items.iter().all(is_number) {
                *text += &format!("[{line}]");
                return;
            }
            entries.chunks(NUMBERS_PER_LINE).map(|chunk| chunk.join(", ")).collect()
        }
        _ => {
            *text += &write_single(json);
            return;
        }
    };
    let (open, close) = if json.is_object() { ('{', '}') } else { ('[', ']') };
    if lines.is_empty() {
        *text += &format!("{open}{close}");
        return;
    }
    *text += &format!("{open}\n{inner}{}\n{}{close}", lines.join(&format!(",\n{inner}")), " ".repeat(indent));
}

fn write_single(json: &Json) -> String {
    match json.as_f64() {
        // Rust's own shortest form; serde_json's writer may choose another one in another version.
        Some(value) if json.is_f64() => format!("{value:?}"),
        _ => json.to_string(),
    }
}

fn is_number(json: &Json) -> bool {
    json.is_number() || matches!(json.as_str(), Some("NaN" | "inf" | "-inf"))
}
