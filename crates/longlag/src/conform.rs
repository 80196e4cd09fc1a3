//! `longlag conform`: what other programs computed, computed again.
//!
//! The key decision: **a case is judged here by the rule of its own folder, and never by what longlag would
//! like.** Shapes come from the case's tensors, its options must agree with them, results may differ from the
//! expected tensors by the tolerances that stand beside these. What a case asks for and longlag doesn't know is
//! said to be not known: it is neither passed over nor guessed.
//!
//! A group of cases is a file with a function, [`Run`]; [`GROUPS`] lists them. The format is explained in
//! `tests/reference/README.md`.

mod case;
mod cell;
mod clip;
mod gradflow;
mod init;
mod judge;
mod load;
mod loss;
mod norm;
mod onnx;
mod optim;
mod property;
mod rnn;
mod sched;
#[cfg(test)]
mod tests;
mod train;

use crate::checkpoint::replace;
use crate::cli::ConformArgs;
use crate::failure::{Failure, print};
use crate::run::Bar;
use case::{Case, Computed, Stop};
use longlag_experiments::Progress;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Computes the results of a case, in each way that there is.
type Run = fn(&Case) -> Result<Computed, Stop>;

/// The groups that longlag knows.
const GROUPS: [(&str, Run); 13] = [
    ("cell", cell::run),
    ("clip", clip::run),
    ("gradflow", gradflow::run),
    ("init", init::run),
    ("load", load::run),
    ("loss", loss::run),
    ("norm", norm::run),
    ("onnx", onnx::run),
    ("onnx_random", onnx::run),
    ("optim", optim::run),
    ("rnn", rnn::run),
    ("sched", sched::run),
    ("train", train::run),
];

const CASE: &str = "case.json";
const RESULT: &str = "result.safetensors";

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// With what is wrong.
    Failed(Vec<String>),
    /// With what is not known.
    Unknown(String),
}

/// What became of each case, by its path `group/name`.
type Outcomes = BTreeMap<String, Outcome>;

pub(crate) fn conform(args: &ConformArgs) -> Result<(), Failure> {
    let cases = cases(&args.reference, &args.only)?;
    let results = &args.results;
    fs::create_dir_all(results).map_err(|error| {
        let place = results.display();
        Failure::Usage(format!("{place}: this folder can't be made ({error}); give another"))
    })?;
    let bar = Bar::new("conform");
    let outcomes = run(&args.reference, Some(results), &cases, &bar);
    drop(bar);
    let outcomes = outcomes.map_err(|error| {
        Failure::Work(format!("{}: the results can't be written: {error}", results.display()))
    })?;
    print(&summary(&outcomes))?;
    let failed = outcomes.values().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Work(format!("{failed} of {} cases failed", outcomes.len()))),
    }
}

/// The paths of the cases asked for: all, or those of some groups, or single ones.
fn cases(reference: &Path, only: &[String]) -> Result<Vec<String>, Failure> {
    let unread = |folder: &Path, error| {
        Failure::Usage(format!(
            "{}: can't be read ({error}); give a folder of reference cases, such as tests/reference",
            folder.display()
        ))
    };
    let mut cases = Vec::new();
    for group in folders(reference).map_err(|error| unread(reference, error))? {
        let folder = reference.join(&group);
        let names = folders(&folder).map_err(|error| unread(&folder, error))?;
        cases.extend(names.iter().map(|name| format!("{group}/{name}")));
    }
    let of = |only: &str| {
        let only = only.trim_end_matches('/').to_owned();
        move |case: &&String| **case == only || case.split('/').next() == Some(&only)
    };
    if let Some(nothing) = only.iter().find(|only| !cases.iter().any(|case| of(only)(&case))) {
        let mut groups: Vec<_> = cases.iter().filter_map(|case| case.split('/').next()).collect();
        groups.dedup();
        return Err(Failure::Usage(format!(
            "--only {nothing}: there is no such group or case; the groups are {}",
            groups.join(", ")
        )));
    }
    if cases.is_empty() {
        let place = reference.display();
        return Err(Failure::Usage(format!(
            "{place}: holds no reference cases; they are folders GROUP/NAME with a file {CASE} in each"
        )));
    }
    cases.retain(|case| only.is_empty() || only.iter().any(|only| of(only)(&case)));
    Ok(cases)
}

/// The names of the folders in a folder, in order.
fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Runs the cases, and writes their results if there is a folder for them.
fn run(
    reference: &Path,
    results: Option<&Path>,
    cases: &[String],
    progress: &dyn Progress,
) -> io::Result<Outcomes> {
    let mut outcomes = Outcomes::new();
    for (done, path) in cases.iter().enumerate() {
        let result = results.map(|results| Place::make(&results.join(path))).transpose()?;
        let group = path.split('/').next().unwrap_or_default();
        let known = GROUPS.iter().find(|(name, _)| *name == group);
        let computed = match known {
            Some((_, run)) => Case::read(&reference.join(path)).and_then(|case| Ok((run(&case)?, case))),
            None => Err(Stop::Unknown(format!("the group `{group}`"))),
        };
        let outcome = match computed {
            Err(Stop::Unknown(what)) => Outcome::Unknown(what),
            Err(Stop::Failed(why)) => Outcome::Failed(vec![why]),
            Ok((computed, case)) => {
                let judged: Vec<_> =
                    computed.iter().map(|way| judge::judge(&case, way.name, &way.results)).collect();
                // Where ways differ in their verdict, who judges from outside must see the one that fails.
                let shown = judged.iter().position(|problems| !problems.is_empty()).unwrap_or(0);
                if let (Some(result), Some(way)) = (&result, computed.get(shown)) {
                    replace(&result.0, &way.results.to_bytes())?;
                }
                let problems = judged.concat();
                if problems.is_empty() { Outcome::Passed } else { Outcome::Failed(problems) }
            }
        };
        outcomes.insert(path.clone(), outcome);
        progress.advance(done as u64 + 1, cases.len() as u64);
    }
    Ok(outcomes)
}

/// Where a case's result goes.
struct Place(PathBuf);

impl Place {
    /// Makes the folder. A result of an earlier run must not be taken for one of this.
    fn make(folder: &Path) -> io::Result<Place> {
        fs::create_dir_all(folder)?;
        let place = folder.join(RESULT);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Place(place)),
        }
    }
}

/// Counts by group, then all that is not as it should be.
fn summary(outcomes: &Outcomes) -> String {
    let mut groups = BTreeMap::<&str, [usize; 3]>::new();
    let (mut text, mut failed, mut unknown) = (String::new(), String::new(), vec![]);
    for (path, outcome) in outcomes {
        let group = path.split('/').next().unwrap_or_default();
        let counts = groups.entry(group).or_default();
        let kind = match outcome {
            Outcome::Passed => 0,
            Outcome::Failed(problems) => {
                problems.iter().for_each(|problem| _ = writeln!(failed, "failed {path}: {problem}"));
                1
            }
            Outcome::Unknown(what) => {
                // A group is not known once.
                let known = GROUPS.iter().any(|(name, _)| *name == group);
                let line = format!("not known {}: {what}\n", if known { path } else { group });
                if unknown.last() != Some(&line) {
                    unknown.push(line);
                }
                2
            }
        };
        counts[kind] += 1;
    }
    let mut all = [0; 3];
    for (group, counts) in &groups {
        _ = writeln!(text, "{group:<12} {}", of_each(*counts));
        all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    _ = writeln!(text, "{:<12} {}", "all", of_each(all));
    text + &unknown.concat() + &failed
}

fn of_each([passed, failed, unknown]: [usize; 3]) -> String {
    format!("{passed} passed, {failed} failed, {unknown} not known")
}
