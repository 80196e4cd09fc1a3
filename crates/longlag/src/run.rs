//! `longlag run`.

use crate::cli::RunArgs;
use crate::config::{Config, Job, prepare};
use crate::failure::{Failure, print};
use crate::list::experiment;
use crate::output::Output;
use crate::work::{self, Unfinished};
use indicatif::{ProgressBar, ProgressStyle};
use longlag_experiments::{Entry, PreparedRuns, Progress, all};
use longlag_report::Report;
use longlag_report::format::format_value;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Everything that can be wrong with the command is found before the first experiment runs.
pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    let entries = chosen(&args)?;
    let config = args.config.as_deref().map(Config::read).transpose()?;
    let jobs: Vec<(&Entry, Job)> = entries
        .iter()
        .map(|&entry| Ok((entry, prepare(entry, config.as_ref(), args.seed)?)))
        .collect::<Result<_, Failure>>()?;
    let pool = pool(args.threads)?;
    let output = args.out.map(|folder| Output::open(folder, entries.iter().map(|entry| entry.name)));
    let output = output.transpose().map_err(Failure::Usage)?;
    for (index, (entry, job)) in jobs.into_iter().enumerate() {
        let report = match job {
            Job::Whole(prepared) => {
                let bar = Bar::new(entry.name);
                pool.install(|| prepared(&bar))
            }
            Job::Runs(prepared) => pool.install(|| long_run(entry, &prepared, output.as_ref()))?,
        };
        let saved = output.as_ref().map(|output| output.save(entry, &report));
        let mut text = if index == 0 { String::new() } else { "\n".to_owned() };
        text += &summary(entry, &report);
        text += &match &saved {
            Some(Ok(place)) => format!("\nwritten to {}\n", place.display()),
            Some(Err(_)) => String::new(),
            None => format!("\n`--out DIR` also writes the report, {} to files\n", parts(entry, &report)),
        };
        match print(&text) {
            // Who asked for files gets the others too.
            Err(Failure::ReaderGone) if output.is_some() => {}
            printed => printed?,
        }
        saved.transpose().map_err(Failure::Work)?;
    }
    Ok(())
}

/// So many threads, or one for each core.
pub(crate) fn pool(threads: Option<usize>) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    pool.map_err(|error| Failure::Work(format!("can't start the threads: {error}; give fewer by --threads")))
}

/// Does what can be stopped and goes on later, if there is a folder to keep it in.
fn long_run(entry: &Entry, prepared: &PreparedRuns, output: Option<&Output>) -> Result<Report, Failure> {
    let unfinished = output.map(|output| Unfinished::open(output.unfinished(entry), entry.name, prepared));
    let unfinished = unfinished.transpose()?;
    let bar = Bar::new(entry.name);
    let done = work::complete(prepared, unfinished.as_ref(), &bar);
    drop(bar);
    let outcomes: Vec<Vec<u8>> = done?.into_iter().map(|done| done.outcome).collect();
    let report = prepared.runs.report(&outcomes).map_err(|error| Failure::Work(error.to_string()))?;
    if let Some(unfinished) = unfinished {
        unfinished.remove();
    }
    Ok(report)
}

fn chosen(args: &RunArgs) -> Result<Vec<&'static Entry>, Failure> {
    if args.config.is_some() && (args.all || args.names.len() > 1) {
        let advice = "a configuration belongs to one experiment; run them one by one, each with its own";
        return Err(Failure::Usage(format!("--config with several experiments: {advice}")));
    }
    if args.all {
        return Ok(all().iter().collect());
    }
    if args.names.is_empty() {
        let advice = "name some of those that `longlag list` shows, or give --all";
        return Err(Failure::Usage(format!("no experiment to run: {advice}")));
    }
    args.names.iter().map(|name| experiment(name)).collect()
}

/// Question, facts and tables, for reading on a terminal.
fn summary(entry: &Entry, report: &Report) -> String {
    let mut text = format!("{}\n{}\n", entry.name, entry.question);
    let mut section = |name: &str, lines: &mut dyn Iterator<Item = String>| {
        let _ = write!(text, "\n{name}\n");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    };
    let facts = report.facts();
    if !facts.is_empty() {
        let width = facts.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        section(
            "facts",
            &mut facts.iter().map(|(name, value)| format!("{name:<width$}  {}", format_value(value))),
        );
    }
    for (name, table) in report.tables() {
        section(name, &mut table.to_text().lines().map(str::to_owned));
    }
    text
}

fn parts(entry: &Entry, report: &Report) -> String {
    let (tables, series, figures) = (report.tables().len(), report.all_series().len(), entry.figures.len());
    let several = |count: usize| if count == 1 { "" } else { "s" };
    format!("{tables} table{}, {series} series and {figures} figure{}", several(tables), several(figures))
}

/// How far the run is, on a terminal only.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    /// The most that was done; threads may tell of it late.
    done: AtomicU64,
}

impl Bar {
    pub(crate) fn new(name: &'static str) -> Bar {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg}  {wide_bar}  {percent:>3}%  {eta} left");
            let bar = ProgressBar::new(1).with_style(style.expect("a good template")).with_message(name);
            bar.tick();
            bar
        });
        Bar { bar, done: AtomicU64::new(0) }
    }
}

impl Progress for Bar {
    fn advance(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        let most = self.done.fetch_max(done, Relaxed).max(done);
        bar.set_length(total);
        bar.set_position(most);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
