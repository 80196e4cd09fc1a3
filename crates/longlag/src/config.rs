//! Configurations from files.

use crate::failure::Failure;
use longlag_experiments::{ConfigError, Entry, Prepared, PreparedRuns};
use std::io::Read;
use std::path::Path;
use std::{fs, io};

/// A configuration and where it comes from.
pub(crate) struct Config {
    /// As messages call it.
    file: String,
    text: String,
}

impl Config {
    /// Reads a file, or the standard input if `path` is `-`.
    pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
        let mut bytes = Vec::new();
        let (file, read) = if path == Path::new("-") {
            ("standard input".to_owned(), io::stdin().read_to_end(&mut bytes).map(|_| ()))
        } else {
            (path.display().to_string(), fs::read(path).map(|read| bytes = read))
        };
        read.map_err(|error| Failure::Usage(format!("can't read the configuration {file}: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::Usage(format!("{file}: this is not a text in UTF-8, so not a configuration in JSON"))
        })?;
        Ok(Config { file, text })
    }
}

/// An experiment ready to run.
pub(crate) enum Job {
    /// In one go.
    Whole(Prepared),
    /// Run by run.
    Runs(PreparedRuns),
}

/// Makes an experiment ready to run with this configuration, or else with the published one.
pub(crate) fn prepare(entry: &Entry, config: Option<&Config>, seed: Option<u64>) -> Result<Job, Failure> {
    let published = entry.default_config();
    let text = config.map_or(&published, |config| &config.text);
    let job = |seed| -> Result<Job, ConfigError> {
        match entry.prepare_runs(text, seed) {
            Some(runs) => runs.map(Job::Runs),
            None => entry.prepare(text, seed).map(Job::Whole),
        }
    };
    job(seed).map_err(|error| {
        let name = entry.name;
        Failure::Usage(match (config, seed) {
            // It is the seed's fault if all is well without.
            (_, Some(seed)) if job(None).is_ok() => {
                format!("--seed {seed} with {name}: {error}")
            }
            (Some(config), _) => {
                let problem = located(&config.file, text, &error.to_string());
                format!("{problem}; `longlag list {name} --config` prints a good configuration")
            }
            (None, _) => format!("the published configuration of {name}: {error}"),
        })
    })
}

/// `file:line:column: message`, as far as the message knows a place: at its end, as serde writes it, or by
/// the field that it begins with.
fn located(file: &str, text: &str, message: &str) -> String {
    let at_end = || {
        let (message, place) = message.rsplit_once(" at line ")?;
        let (line, column) = place.split_once(" column ")?;
        Some((message, line.parse().ok()?, column.parse::<usize>().ok()?.max(1)))
    };
    let by_field = || {
        let (field, _) = message.strip_prefix('`')?.split_once('`')?;
        let (line, column) = place_of(field, text)?;
        Some((message, line, column))
    };
    match at_end().or_else(by_field) {
        Some((message, line, column)) => format!("{file}:{line}:{column}: {message}"),
        None => format!("{file}: {message}"),
    }
}

/// Line and column, from 1, of the JSON key that `field` names; of `a.b` or `a[0].b` that is `b`.
fn place_of(field: &str, text: &str) -> Option<(usize, usize)> {
    let key = format!("\"{}\"", field.rsplit('.').next().unwrap_or(field).split('[').next()?);
    let mut keys =
        text.match_indices(&key).filter(|(at, _)| text[at + key.len()..].trim_start().starts_with(':'));
    let (at, _) = keys.next()?;
    // Of two keys of one name, no telling which is meant.
    if keys.next().is_some() {
        return None;
    }
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let text = "{\n  \"rate\": 3,\n  \"title\": \"hidden\",\n  \"é\": 1, \"hidden\" : 0,\n  \"a\": {\"n\": 1}, \"b\": {\"n\": 2}\n}\n";
        assert_eq!(located("f.json", text, message), expected);
    }

    #[test]
    fn messages_get_their_place() {
        check("unknown field `x` at line 3 column 9", "f.json:3:9: unknown field `x`");
        check("EOF while parsing a value at line 1 column 0", "f.json:1:1: EOF while parsing a value");
        check("`rate` is 3, but it is at most 1", "f.json:2:3: `rate` is 3, but it is at most 1");
        check("`hidden` is 0, but", "f.json:4:11: `hidden` is 0, but");
        check("`cells[0].hidden` is 0, but", "f.json:4:11: `cells[0].hidden` is 0, but");
        check("`a.n` is 1, but", "f.json: `a.n` is 1, but");
        check("`missing` is 0, but", "f.json: `missing` is 0, but");
        check("no field named", "f.json: no field named");
    }
}
