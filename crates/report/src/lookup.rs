//! Single values by dotted path, and errors that help.
use serde_json::Value as Json;

use crate::{Number, Report, Table, Value};

/// A path led nowhere: which part was not found, and what there is in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} leads nowhere: {}", self.explain())]
pub struct LookupError {
    /// The whole path asked for.
    pub path: String,
    /// The part that was not found; empty if the path ended too early.
    pub missing: String,
    /// Where it was looked for, such as `facts` or `tables.accuracy`.
    pub level: String,
    /// What exists there, the nearest to `missing` first.
    pub known: Vec<String>,
}

/// More names than this would hide the message.
const NAMES_SHOWN: usize = 12;

impl LookupError {
    pub(crate) fn new(
        path: &str,
        missing: &str,
        level: &str,
        known: impl IntoIterator<Item = String>,
    ) -> LookupError {
        let known = nearest_first(missing, known);
        LookupError { path: path.to_owned(), missing: missing.to_owned(), level: level.to_owned(), known }
    }

    fn explain(&self) -> String {
        let level = if self.level.is_empty() { "the report" } else { &self.level };
        let problem = match (self.missing.is_empty(), self.known.is_empty()) {
            (_, true) if self.missing.is_empty() => return format!("{level} is empty"),
            (_, true) => return format!("{level} has nothing below it, so no {:?}", self.missing),
            (true, _) => format!("{level} is not a single value"),
            (false, _) => format!("{level} has no {:?}", self.missing),
        };
        let shown = self.known.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = self.known.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{problem}; it has {shown}{more}")
    }
}

/// `names` with those first that contain `wanted`, then those that take the fewest typing errors to become
/// it; equally near ones keep their order.
pub fn nearest_first(wanted: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    if !wanted.is_empty() {
        names.sort_by_key(|name| (!name.contains(wanted), edit_distance(wanted, name)));
    }
    names
}

/// Levenshtein's distance: insertions, deletions and replacements of one character.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A path on the way down: what is left of it and where it stands.
struct Walk<'p> {
    path: &'p str,
    rest: &'p str,
    level: String,
}

impl<'p> Walk<'p> {
    /// Takes the longest of `names` that the rest of the path starts with.
    fn step(&mut self, names: &[String]) -> Result<usize, LookupError> {
        let fits = |name: &str| {
            let after = self.rest.strip_prefix(name)?;
            if after.is_empty() { Some("") } else { after.strip_prefix('.') }
        };
        let found = names
            .iter()
            .enumerate()
            .filter_map(|(index, name)| Some((name.len(), index, fits(name)?)))
            .max_by_key(|&(length, index, _)| (length, std::cmp::Reverse(index)));
        match found {
            Some((_, index, rest)) => {
                let dot = if self.level.is_empty() { "" } else { "." };
                self.level = format!("{}{dot}{}", self.level, names[index]);
                self.rest = rest;
                Ok(index)
            }
            None => {
                let missing = self.rest.split('.').next().unwrap_or_default();
                Err(LookupError::new(self.path, missing, &self.level, names.iter().cloned()))
            }
        }
    }

    /// At a single value: the path must end here.
    fn finish(self, value: Value) -> Result<Value, LookupError> {
        if self.rest.is_empty() {
            return Ok(value);
        }
        Err(LookupError::new(self.path, self.rest, &self.level, []))
    }
}

pub(crate) fn value(report: &Report, path: &str) -> Result<Value, LookupError> {
    let mut walk = Walk { path, rest: path, level: String::new() };
    let sections = ["experiment", "config", "facts", "tables", "series"];
    match sections[walk.step(&sections.map(str::to_owned))?] {
        "experiment" => walk.finish(report.experiment().into()),
        "config" => config_value(report.config(), walk),
        "facts" => {
            let (names, facts): (Vec<_>, Vec<_>) = report.facts().clone().into_iter().unzip();
            let index = walk.step(&names)?;
            walk.finish(facts[index].clone())
        }
        "tables" => {
            let (names, tables): (Vec<_>, Vec<_>) = report.tables().clone().into_iter().unzip();
            let index = walk.step(&names)?;
            table_value(&tables[index], walk)
        }
        _ => {
            let (names, series): (Vec<_>, Vec<_>) = report.all_series().clone().into_iter().unzip();
            let index = walk.step(&names)?;
            let (names, parts): (Vec<_>, Vec<_>) = series[index].parts().into_iter().unzip();
            let index = walk.step(&names.into_iter().map(str::to_owned).collect::<Vec<_>>())?;
            point_value(parts[index], walk)
        }
    }
}

/// Narrows the rows down, column by column, until one is left; then takes the column.
fn table_value(table: &Table, mut walk: Walk<'_>) -> Result<Value, LookupError> {
    let mut rows: Vec<&Vec<Value>> = table.rows().iter().collect();
    for key in 0..table.columns().len() {
        let mut names: Vec<String> = Vec::new();
        for name in rows.iter().map(|row| row[key].to_string()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let index = walk.step(&names)?;
        rows.retain(|row| row[key].to_string() == names[index]);
        if rows.len() == 1 {
            break;
        }
    }
    let column = walk.step(table.columns())?;
    walk.finish(rows[0][column].clone())
}

fn point_value(points: &[Number], mut walk: Walk<'_>) -> Result<Value, LookupError> {
    let part = walk.rest;
    let index = match part {
        "last" => points.len().checked_sub(1),
        _ => part.parse().ok().filter(|&index: &usize| index < points.len()),
    };
    match index {
        Some(index) => {
            walk.rest = "";
            walk.finish(points[index].into())
        }
        None if points.is_empty() => Err(LookupError::new(walk.path, part, &walk.level, [])),
        None => {
            let known = ["last".to_owned(), format!("0 to {}", points.len() - 1)];
            Err(LookupError { known: known.into(), ..LookupError::new(walk.path, part, &walk.level, []) })
        }
    }
}

fn config_value(mut json: &Json, mut walk: Walk<'_>) -> Result<Value, LookupError> {
    loop {
        if let Some(value) = single(json) {
            return walk.finish(value);
        }
        let (names, below): (Vec<_>, Vec<_>) = children(json).into_iter().unzip();
        json = below[walk.step(&names)?];
    }
}

/// The value of a JSON node that is neither an array nor an object; null reads as the text `null`.
pub(crate) fn single(json: &Json) -> Option<Value> {
    match json {
        Json::Array(_) | Json::Object(_) => None,
        Json::Null => Some("null".into()),
        _ => Some(serde_json::from_value(json.clone()).expect("a number, a text or a flag")),
    }
}

/// What is below an array or an object, by index or sorted by key.
pub(crate) fn children(json: &Json) -> Vec<(String, &Json)> {
    match json {
        Json::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        Json::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), value)).collect();
            // serde_json keeps the order of insertion if any crate in the build asks for it.
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields
        }
        _ => Vec::new(),
    }
}
