//! The book: chapters in Markdown, made into pages by mdBook inside this process.
//!
//! The key decision: **nothing that can go stale is typed into a chapter.** Code, output, numbers, tables,
//! figures and quoted facts are pulled in by directives from what the tests assert, and a directive that
//! finds nothing fails the build, with file and line, what was asked for, and what there is. mdBook's own
//! `{{#include}}` only logs that a file is missing, and an anchor that is missing gives an empty block in
//! silence; so it is not used, and what mdBook logs as a warning counts as an error.
//!
//! | directive | what it becomes |
//! |---|---|
//! | `{{#code path anchor}}` | the lines between the comments `ANCHOR: anchor` and `ANCHOR_END: anchor` of that file |
//! | `{{#code path fn name}}` | the item that begins so, with its documentation |
//! | `{{#snapshot name}}` | the body of `tests/snapshots/name.snap` |
//! | `{{#value report.path digits=3 percent}}` | one number of a report, see [`Report::value`] |
//! | `{{#table report.table columns=a,b}}` | a table of a report, or some columns of it |
//! | `{{#figure name "caption"}}` | a figure drawn from a report, numbered in its chapter |
//! | `{{#fact key}}` | a figure from the literature, out of `book/facts.toml`, with its source |
//! | `{{#cite source}}` | a reference to a source of that file |
//! | `{{#sources}}` | the list of all sources that the book cites |
//! | `{{#ledger}}` | every statement of the ledger with the verdicts of its claims and the figures behind them |
//!
//! A report is that of an experiment, in `tests/snapshots`, or a record in `tests/records`: what was measured once,
//! such as times, with machine and date. `digits` counts significant digits. A caption may hold `{{#value}}`,
//! `{{#fact}}`, `{{#cite}}` and maths. Maths stands between `$` or `$$` and becomes HTML with MathML inside, so that
//! a page needs neither network nor JavaScript. In code, fenced or in backticks, nothing is replaced.

mod chapter;
mod facts;
mod ledger;
mod listing;
mod log;
mod maths;
mod page;
mod prose;
mod scan;
mod serve;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longlag_report::{Report, nearest_first};
use mdbook_driver::MDBook;
use mdbook_driver::book::{Book, BookItem};
use mdbook_driver::config::Config;

use chapter::{Chapter, Materials};
pub(crate) use chapter::{RECORDS, SNAPSHOTS, snapshot_body};
pub use page::check_html;
pub use serve::{Server, serve};

/// What draws the book's figures.
pub trait FigureSource {
    /// The names of all figures.
    fn names(&self) -> Vec<String>;

    /// The figure of that name as an `<svg>` element, with `role="img"` and a label. `report` reads the report of a
    /// name.
    ///
    /// # Errors
    /// A message if a report is not there or holds too little.
    fn svg(&self, name: &str, report: &dyn Fn(&str) -> Result<Report, String>) -> Result<String, String>;
}

/// A book that stands on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The page to open first.
    pub index: PathBuf,
    /// The number of chapters.
    pub chapters: usize,
    /// The files outside of `book/` that were read: sources, snapshots and records.
    pub inputs: BTreeSet<PathBuf>,
}

/// Something in the book that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookError {
    /// The file below the workspace's root, or the page of the built book; empty if none is to blame.
    pub file: String,
    /// The 1-based line of the file.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl BookError {
    fn at(file: &str, line: Option<usize>, message: impl Into<String>) -> BookError {
        BookError { file: file.into(), line, message: message.into() }
    }

    fn general(message: impl Into<String>) -> BookError {
        BookError::at("", None, message)
    }
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, _) => write!(f, "{}", self.message),
            (false, None) => write!(f, "{}: {}", self.file, self.message),
            (false, Some(line)) => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Everything that is wrong, in the order of the chapters; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BookErrors(pub Vec<BookError>);

impl fmt::Display for BookErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "the book was not built: {} error{plural}", self.0.len())
    }
}

impl From<BookError> for BookErrors {
    fn from(error: BookError) -> BookErrors {
        BookErrors(vec![error])
    }
}

/// Builds the book of the workspace at `root` into `dest`, or else into `target/book`.
///
/// The same inputs give the same bytes. What `dest` held is replaced, but only once all directives are
/// resolved.
///
/// # Errors
/// Everything that is wrong: with chapters (see the [module](self)), with what mdBook makes of them, and
/// with the pages ([`check_html`]).
pub fn build(root: &Path, dest: Option<&Path>, figures: &dyn FigureSource) -> Result<Built, BookErrors> {
    let dest = dest.map_or_else(|| root.join("target/book"), Path::to_owned);
    let dest = std::path::absolute(&dest).map_err(|error| BookError::general(error.to_string()))?;
    let (result, warnings) = log::with_warnings(|| build_logged(root, &dest, figures));
    let mut errors: Vec<BookError> =
        warnings.into_iter().map(|line| BookError::general(format!("mdBook: {line}"))).collect();
    let built = match result {
        Ok(built) => Some(built),
        Err(BookErrors(more)) => {
            errors.extend(more);
            None
        }
    };
    match built {
        Some(built) if errors.is_empty() => Ok(built),
        _ => Err(BookErrors(errors)),
    }
}

fn build_logged(root: &Path, dest: &Path, figures: &dyn FigureSource) -> Result<Built, BookErrors> {
    let folder = root.join("book");
    let mdbook =
        |error: &dyn fmt::Display| BookError::at("book/book.toml", None, format!("mdBook: {error:#}"));
    let mut config = Config::from_disk(folder.join("book.toml")).map_err(|error| mdbook(&error))?;
    // `mdbook build` calls this program for the chapters; here they are made beforehand.
    config.set("preprocessor", serde_json::Map::new()).map_err(|error| mdbook(&error))?;
    config.build.build_dir = dest.to_owned();
    let source = config.book.src.clone();
    let mut driver = MDBook::load_with_config(&folder, config).map_err(|error| mdbook(&error))?;
    let inputs = resolve(root, &source, &mut driver.book, figures)?;
    driver.build().map_err(|error| mdbook(&error))?;
    let mut mistakes = check_html(dest);
    // These two pages repeat the chapters.
    let repeats = |error: &BookError| ["index.html", "print.html"].contains(&error.file.as_str());
    if !mistakes.iter().all(repeats) {
        mistakes.retain(|error| !repeats(error));
    }
    if !mistakes.is_empty() {
        let source = Path::new("book").join(source);
        return Err(BookErrors(mistakes.into_iter().map(|error| in_chapter(root, &source, error)).collect()));
    }
    let chapters = driver.iter().filter(|item| matches!(item, BookItem::Chapter(_))).count();
    Ok(Built { index: dest.join("index.html"), chapters, inputs })
}

/// A mistake in a page as one in its chapter, with the line where the chapter has what the message quotes.
fn in_chapter(root: &Path, source: &Path, error: BookError) -> BookError {
    let file = source.join(&error.file).with_extension("md");
    let Ok(text) = fs::read_to_string(root.join(&file)) else { return error };
    let quoted = error.message.split('`').nth(1).unwrap_or_default().replace(".html", ".md");
    let line = text.lines().position(|line| !quoted.is_empty() && line.contains(&quoted)).map(|at| at + 1);
    BookError { file: file.to_string_lossy().into_owned(), line, message: error.message }
}

/// Replaces the directives and maths in all chapters, and returns the files that went into them.
fn resolve(
    root: &Path,
    source: &Path,
    book: &mut Book,
    figures: &dyn FigureSource,
) -> Result<BTreeSet<PathBuf>, BookErrors> {
    let source = Path::new("book").join(source);
    let chapters: Vec<Chapter> = book
        .chapters()
        .filter_map(|chapter| {
            let path = chapter.path.as_deref()?;
            let file = source.join(path).to_string_lossy().into_owned();
            let number = chapter.number.as_ref().map(ToString::to_string).unwrap_or_default();
            Some(Chapter::new(&chapter.name, path, file, number, &chapter.content))
        })
        .collect();
    let materials = Materials::new(root, figures)?;
    let mut errors = strays(root, &source, &chapters);
    match materials.render(&chapters) {
        Ok(texts) if errors.is_empty() => {
            book.for_each_chapter_mut(|chapter| {
                let at = chapters.iter().position(|known| Some(&known.path) == chapter.path.as_ref());
                if let Some(at) = at {
                    chapter.content.clone_from(&texts[at]);
                }
            });
            Ok(materials.into_inputs())
        }
        Ok(_) => Err(BookErrors(errors)),
        Err(more) => {
            errors.extend(more);
            Err(BookErrors(errors))
        }
    }
}

/// Chapters that the table of contents forgot.
fn strays(root: &Path, source: &Path, chapters: &[Chapter]) -> Vec<BookError> {
    let folder = root.join(source);
    let entries =
        fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| PathBuf::from(entry.file_name()));
    let stray = |path: &PathBuf| {
        let listed = path.as_os_str() == "SUMMARY.md" || chapters.iter().any(|chapter| &chapter.path == path);
        path.extension().is_some_and(|extension| extension == "md") && !listed
    };
    let mut strays: Vec<PathBuf> = entries.filter(stray).collect();
    strays.sort();
    let file = |path: &PathBuf| source.join(path).to_string_lossy().into_owned();
    strays
        .iter()
        .map(|path| BookError::at(&file(path), None, "SUMMARY.md doesn't list this chapter"))
        .collect()
}

/// mdBook's side of `mdbook build`: reads the book as JSON, writes it with all directives replaced.
///
/// `book.toml` names this program as preprocessor, so a reader who has mdBook gets the same pages.
///
/// # Errors
/// If `input` is not what mdBook sends, or as in [`build`].
pub fn preprocess(
    figures: &dyn FigureSource,
    input: impl Read,
    mut output: impl Write,
) -> Result<(), BookErrors> {
    let failed =
        |error: &dyn fmt::Display| BookError::general(format!("mdBook's input or output: {error:#}"));
    let (context, mut book) = mdbook_preprocessor::parse_input(input).map_err(|error| failed(&error))?;
    let root = context.root.parent().unwrap_or(&context.root);
    resolve(root, &context.config.book.src, &mut book, figures)?;
    serde_json::to_writer(&mut output, &book).map_err(|error| failed(&error))?;
    output.flush().map_err(|error| BookErrors::from(failed(&error)))
}

/// The workspace around the current folder: the nearest folder upwards with `Cargo.toml` and `book/book.toml`.
///
/// # Errors
/// If there is none.
pub fn find_root() -> Result<PathBuf, BookErrors> {
    let here =
        std::env::current_dir().map_err(|error| BookError::general(format!("no current folder: {error}")))?;
    let is_root =
        |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("book/book.toml").is_file();
    here.ancestors().find(is_root).map(Path::to_owned).ok_or_else(|| {
        let here = here.display();
        let message = format!("neither {here} nor a folder above it holds Cargo.toml and book/book.toml: run this inside longlag's source folder");
        BookError::general(message).into()
    })
}

/// Shows a page in the reader's browser.
///
/// # Errors
/// If no program for that is found, as on a machine without screen: the message says what to open.
pub fn open_in_browser(page: &str) -> Result<(), String> {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("cmd");
        command.args(["/c", "start", ""]);
        command
    } else {
        Command::new("xdg-open")
    };
    let status = command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("no browser could be started; open {page} yourself")),
    }
}

/// `there is no anchor "x"; there is a, b`, the nearest name first.
fn not_found(kind: &str, name: &str, known: Vec<String>) -> String {
    const SHOWN: usize = 12;
    let known = nearest_first(name, known);
    if known.is_empty() {
        return format!("there is no {kind} `{name}`, nor any other");
    }
    let more = known.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there is no {kind} `{name}`; there is {}{more}", known[..known.len().min(SHOWN)].join(", "))
}
