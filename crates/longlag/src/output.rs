//! What a run leaves on disk.
//!
//! All files of a run are written into a folder beside their place, which then takes that place: a reader
//! sees the earlier run or the new one, whole.

use longlag_experiments::Entry;
use longlag_report::Report;
use longlag_report::figure::Css;
use std::path::{Path, PathBuf};
use std::{fs, io, iter, mem, process};

const REPORT: &str = "report.json";
const TABLES: &str = "tables";
const SERIES: &str = "series";
const FIGURES: &str = "figures";

/// The folder of `--out`.
pub(crate) struct Output {
    folder: PathBuf,
}

impl Output {
    /// Creates the folder if it isn't there, and makes sure, before the long work, that runs of these names
    /// can be put there.
    pub(crate) fn open<'a>(
        folder: PathBuf,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Output, String> {
        let output = Output { folder };
        for name in names {
            output.check(name)?;
        }
        Ok(output)
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let folder = self.folder.display();
        let unwritable =
            |error: io::Error| format!("--out {folder}: can't be written ({error}); give a folder that can");
        if self.folder.exists() && !self.folder.is_dir() {
            return Err(format!("--out {folder}: this is a file; give a folder, or a name that is free"));
        }
        fs::create_dir_all(&self.folder).map_err(unwritable)?;
        Staging::create(&self.folder, name).map_err(unwritable)?;
        let place = self.folder.join(name);
        if !place.exists() {
            return Ok(());
        }
        let advice = "remove it, or give another --out";
        let place = place.display();
        let entries = match fs::read_dir(self.folder.join(name)) {
            Ok(entries) => entries,
            Err(error) => {
                return Err(format!("{place}: this is in the place of the results ({error}); {advice}"));
            }
        };
        // What longlag didn't write, it doesn't delete.
        let ours = [REPORT, TABLES, SERIES, FIGURES];
        let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        match names.find(|name| !ours.contains(&&**name)) {
            Some(other) => {
                Err(format!("{place}: the results would replace `{other}`, which is not longlag's; {advice}"))
            }
            None => Ok(()),
        }
    }

    /// Where runs are kept that are not all over.
    pub(crate) fn unfinished(&self, entry: &Entry) -> PathBuf {
        self.folder.join(format!("{}.unfinished", entry.name))
    }

    /// Writes report, tables, series and figures, and returns their folder.
    ///
    /// A figure that can't be drawn from the report is an error, and everything else is written.
    pub(crate) fn save(&self, entry: &Entry, report: &Report) -> Result<PathBuf, String> {
        let place = self.folder.join(entry.name);
        let undrawn = self.write(entry, report, &place).map_err(|error| {
            format!("the results of {} can't be written to {}: {error}", entry.name, place.display())
        })?;
        if undrawn.is_empty() { Ok(place) } else { Err(undrawn.join("; ")) }
    }

    /// Returns what is wrong with figures.
    fn write(&self, entry: &Entry, report: &Report, place: &Path) -> io::Result<Vec<String>> {
        let staging = Staging::create(&self.folder, entry.name)?;
        let new = staging.new_folder();
        for folder in [TABLES, SERIES, FIGURES] {
            fs::create_dir_all(new.join(folder))?;
        }
        fs::write(new.join(REPORT), report.to_snapshot())?;
        let (tables, series) = (report.tables(), report.all_series());
        for (file, table) in file_names(tables.keys()).iter().zip(tables.values()) {
            fs::write(new.join(TABLES).join(format!("{file}.csv")), table.to_csv())?;
        }
        for (file, series) in file_names(series.keys()).iter().zip(series.values()) {
            fs::write(new.join(SERIES).join(format!("{file}.csv")), series.to_csv())?;
        }
        let mut undrawn = Vec::new();
        for figure in entry.figures {
            match (figure.draw)(report) {
                Ok(drawn) => {
                    let file = new.join(FIGURES).join(format!("{}.svg", figure.name));
                    fs::write(file, drawn.svg(Css::Embedded))?;
                }
                Err(error) => undrawn.push(format!("figure `{}` can't be drawn: {error}", figure.name)),
            }
        }
        staging.take_the_place_of(place)?;
        Ok(undrawn)
    }
}

/// A folder where results are written, and where earlier ones wait until the new ones are in their place.
/// It goes away by itself, with all that is left in it.
pub(crate) struct Staging(PathBuf);

impl Staging {
    /// In the folder where the results go: within one file system, renaming is one step.
    pub(crate) fn create(beside: &Path, name: &str) -> io::Result<Staging> {
        let id = process::id();
        // One of this name may be left from a process that was killed.
        for number in 0.. {
            let folder = beside.join(format!(".{name}-{id}-{number}"));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map(|()| Staging(folder)),
            }
        }
        unreachable!("there are more numbers than folders")
    }

    pub(crate) fn new_folder(&self) -> PathBuf {
        self.0.join("new")
    }

    pub(crate) fn take_the_place_of(self, place: &Path) -> io::Result<()> {
        let earlier = self.0.join("earlier");
        if place.exists() {
            fs::rename(place, &earlier)?;
        }
        let moved = fs::rename(self.new_folder(), place);
        if moved.is_err() && earlier.exists() && fs::rename(&earlier, place).is_err() {
            // Rather a folder too many than the earlier results lost.
            mem::forget(self);
        }
        moved
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names that every file system takes, different ones for different names: what is not a letter, a digit,
/// `-`, `_` or `.` becomes `-`, and what then looks alike is numbered.
fn file_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let base: String = name.chars().map(plain).collect();
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
        let name = iter::once(base.clone()).chain(numbered).find(free);
        taken.push(name.expect("there are more numbers than names"));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_differ() {
        let names = ["GRU (reset before)", "GRU -reset before-", "a/../b", "loss", "Loss", "loss-2"]
            .map(String::from);
        let files = file_names(&names);
        assert_eq!(
            files,
            ["GRU--reset-before-", "GRU--reset-before--2", "a-..-b", "loss", "Loss-2", "loss-2-2"]
        );
    }
}
