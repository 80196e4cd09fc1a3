//! Records: experiments too long for a test, run once and replayed.
//!
//! The key decision: **a record holds what came out, and the hashes by which any part of it can be computed
//! again and compared.** `tests/records/NAME` has, of every run, a hash of its state after the first units
//! and at the end, the bytes of its outcome, and of up to three runs a late checkpoint. The report is computed
//! from the outcomes, and its snapshot is tested like that of any experiment; so a report may be laid out anew
//! without running anything. A replay from the start of a run, or from a checkpoint to the end, takes a moment
//! and fails if a bit has changed.

use crate::book::{RECORDS, SNAPSHOTS, find_root, snapshot_body};
use crate::checkpoint::{Checkpoint, Owner};
use crate::cli::{RecordArgs, VerifyArgs};
use crate::failure::{Failure, complain, print};
use crate::list::experiment;
use crate::output::Staging;
use crate::run::{Bar, pool};
use crate::work::{self, Done, FIRST, Unfinished, each, pretty, replayable};
use longlag_experiments::runs::{Hash, Moment};
use longlag_experiments::{Entry, PreparedRuns, Progress, all};
use longlag_report::Report;
use serde::{Deserialize, Serialize};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a record says of its runs.
const RUNS: &str = "record.json";
/// The outcomes of all runs, one behind the other.
const OUTCOMES: &str = "outcomes.bin";

/// `record.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    experiment: String,
    config: serde_json::Value,
    runs: Vec<RecordedRun>,
    /// Runs that have a late checkpoint.
    checkpoints: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedRun {
    name: String,
    units: u64,
    /// Of the state after the first 50 units, or at the end if that is earlier.
    first: Hash,
    /// Of the state at the end.
    end: Hash,
    /// Of the outcome.
    outcome: Hash,
    /// The length of the outcome.
    bytes: usize,
}

/// The record of an experiment.
pub struct Record {
    entry: &'static Entry,
    folder: PathBuf,
    prepared: PreparedRuns,
    contents: Contents,
    outcomes: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({})", self.folder.display())
    }
}

/// The experiments that are recorded.
pub fn recorded() -> impl Iterator<Item = &'static Entry> {
    all().iter().filter(|entry| entry.is_recorded())
}

fn prepared(entry: &Entry) -> Result<PreparedRuns, String> {
    let runs = entry.prepare_runs(&entry.default_config(), None);
    let runs = runs.ok_or_else(|| {
        let name = entry.name;
        format!(
            "{name} is not recorded: `longlag run {name}` does all of it in a moment, and a test does, too"
        )
    })?;
    runs.map_err(|error| format!("the published configuration of {}: {error}", entry.name))
}

impl Record {
    /// Reads the record of an experiment below the root of longlag's sources, and holds it against the published
    /// configuration and the hashes that it contains.
    ///
    /// # Errors
    /// A message that names the file and what is wrong with it, or says that there is none.
    pub fn read(root: &Path, entry: &'static Entry) -> Result<Record, String> {
        let prepared = prepared(entry)?;
        let folder = root.join(RECORDS).join(entry.name);
        let again = format!("`longlag record {}` makes it", entry.name);
        let path = folder.join(RUNS);
        let place = path.display();
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{place}: can't be read: {error}; {again}"))?;
        let contents: Contents = serde_json::from_str(&text).map_err(|error| format!("{place}: {error}"))?;
        if contents.experiment != entry.name {
            return Err(format!("{place}: this is the record of {}", contents.experiment));
        }
        if contents.config != prepared.config {
            return Err(format!(
                "{place}: this was recorded with another configuration than the published one; {again} anew"
            ));
        }
        let names = prepared.runs.names();
        if !contents.runs.iter().map(|run| &run.name).eq(&names) {
            return Err(format!(
                "{place}: its runs are not those of the published configuration; {again} anew"
            ));
        }
        let path = folder.join(OUTCOMES);
        let place = path.display();
        let bytes = fs::read(&path).map_err(|error| format!("{place}: can't be read: {error}; {again}"))?;
        let mut rest = &bytes[..];
        let mut outcomes = Vec::new();
        for run in &contents.runs {
            let damaged = |what| format!("{place}: the outcome of {} {what}", run.name);
            let (outcome, behind) =
                rest.split_at_checked(run.bytes).ok_or_else(|| damaged("is cut off".to_owned()))?;
            let hash = Hash::of(outcome);
            if hash != run.outcome {
                return Err(damaged(format!("has the hash {hash}, and {RUNS} says {}", run.outcome)));
            }
            outcomes.push(outcome.to_vec());
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(format!("{place}: {} bytes behind the last outcome", rest.len()));
        }
        Ok(Record { entry, folder, prepared, contents, outcomes })
    }

    /// The report, from the outcomes.
    ///
    /// # Errors
    /// If the outcomes are not what the experiment's runs give today.
    pub fn report(&self) -> Result<Report, String> {
        self.prepared.runs.report(&self.outcomes).map_err(|error| {
            let name = self.entry.name;
            format!(
                "{}: {error}; `longlag record {name}` makes it anew",
                self.folder.join(OUTCOMES).display()
            )
        })
    }

    /// Holds the committed snapshot against the report.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_snapshot(&self, root: &Path) -> Result<(), String> {
        let path = root.join(SNAPSHOTS).join(format!("{}.snap", self.entry.name));
        let place = path.display();
        let text = fs::read_to_string(&path).map_err(|error| format!("{place}: can't be read: {error}"))?;
        let text = text.replace("\r\n", "\n");
        let body = snapshot_body(&text);
        let computed = self.report()?.to_snapshot();
        if body.trim_end() == computed.trim_end() {
            return Ok(());
        }
        let read = |text: &str| Report::from_snapshot(text).map_err(|error| format!("{place}: {error}"));
        let difference = read(&computed)?.first_difference(&read(body)?);
        let difference = difference.unwrap_or_else(|| "the two texts are laid out differently".to_owned());
        Err(format!("{place}: the record gives another report: {difference}"))
    }

    /// How many segments there are: the start of every run, and the ends that have a checkpoint.
    pub fn segments(&self) -> usize {
        self.contents.runs.len() + self.contents.checkpoints.len()
    }

    /// Computes a segment again, from 1: first the starts of all runs, then the ends. Returns the number of units.
    ///
    /// # Errors
    /// What differs from the record, or what is wrong with a checkpoint.
    ///
    /// # Panics
    /// If there is no such segment.
    #[track_caller]
    pub fn replay(&self, segment: usize) -> Result<u64, String> {
        assert!((1..=self.segments()).contains(&segment), "segment {segment} of {}", self.segments());
        let count = self.contents.runs.len();
        if segment <= count {
            return self.start(segment - 1);
        }
        let run = self.contents.checkpoints[segment - 1 - count];
        let path = late_place(&self.folder, run);
        let config = Hash::of(pretty(&self.prepared.config).as_bytes());
        let name = &self.contents.runs[run].name;
        let checkpoint = Checkpoint::read(&path, Owner { experiment: self.entry.name, config, run: name })?;
        let units = self.whole(run, Some(&checkpoint), &|_| {})?;
        Ok(units - checkpoint.unit)
    }

    fn differs(
        &self,
        run: usize,
        what: &str,
        found: impl std::fmt::Display,
        recorded: impl std::fmt::Display,
    ) -> String {
        let name = &self.contents.runs[run].name;
        format!("{}: {name}: {what} is {found}, and the record says {recorded}", self.entry.name)
    }

    /// The first units of a run.
    fn start(&self, run: usize) -> Result<u64, String> {
        let mut seen = None;
        let mut watch = |moment: &Moment<'_>| {
            if moment.unit < FIRST && !moment.over {
                return ControlFlow::Continue(());
            }
            seen = Some((moment.unit, Hash::of(&moment.state())));
            ControlFlow::Break(())
        };
        self.prepared.runs.go(run, None, &mut watch).map_err(|error| error.to_string())?;
        let (unit, hash) = seen.expect("a run comes to its first units");
        let recorded = self.contents.runs[run].first;
        if hash == recorded {
            Ok(unit)
        } else {
            Err(self.differs(run, &format!("the hash of its state after {unit} units"), hash, recorded))
        }
    }

    /// A run to its end, from a checkpoint or from its start; `at` sees each moment. Returns its units.
    fn whole(&self, run: usize, from: Option<&Checkpoint>, at: &dyn Fn(&Moment<'_>)) -> Result<u64, String> {
        let recorded = &self.contents.runs[run];
        let (mut end, mut first) = (None, None);
        let mut watch = |moment: &Moment<'_>| {
            at(moment);
            if from.is_none() && first.is_none() && (moment.unit == FIRST || moment.over) {
                first = Some(Hash::of(&moment.state()));
            }
            if moment.over {
                end = Some((moment.unit, Hash::of(&moment.state())));
            }
            ControlFlow::Continue(())
        };
        let saved = from.map(Checkpoint::saved);
        let outcome = self.prepared.runs.go(run, saved.as_ref(), &mut watch);
        let outcome = outcome.map_err(|error| format!("{}: {}: {error}", self.entry.name, recorded.name))?;
        let outcome = Hash::of(&outcome.expect("nothing stops the run"));
        let (units, end) = end.expect("the run is over");
        if let Some(first) = first.filter(|first| *first != recorded.first) {
            return Err(self.differs(
                run,
                "the hash of its state after the first units",
                first,
                recorded.first,
            ));
        }
        if units != recorded.units {
            return Err(self.differs(run, "the number of its units", units, recorded.units));
        }
        if end != recorded.end {
            return Err(self.differs(run, "the hash of its state at the end", end, recorded.end));
        }
        if outcome != recorded.outcome {
            return Err(self.differs(run, "the hash of its outcome", outcome, recorded.outcome));
        }
        Ok(units)
    }

    /// Several parts, on all threads. Returns the number of units, or all that differs.
    fn parts(
        &self,
        count: usize,
        part: impl Fn(usize) -> Result<u64, String> + Sync,
    ) -> Result<u64, Vec<String>> {
        let units = AtomicU64::new(0);
        let wrong = Mutex::new(Vec::new());
        each(count, |i| match part(i) {
            Ok(done) => {
                units.fetch_add(done, Relaxed);
            }
            Err(error) => wrong.lock().expect("no thread panicked").push((i, error)),
        });
        let mut wrong = wrong.into_inner().expect("no thread panicked");
        wrong.sort();
        if wrong.is_empty() {
            Ok(units.into_inner())
        } else {
            Err(wrong.into_iter().map(|(_, error)| error).collect())
        }
    }
}

/// Where a run's late checkpoint stands in a record.
fn late_place(folder: &Path, run: usize) -> PathBuf {
    folder.join(format!("{run}.checkpoint"))
}

/// `longlag record`.
pub(crate) fn record(args: RecordArgs) -> Result<(), Failure> {
    let entry = experiment(&args.name)?;
    let prepared = prepared(entry).map_err(Failure::Usage)?;
    let pool = pool(args.threads)?;
    let root = find_root().map_err(Failure::outside)?;
    let earlier = Record::read(&root, entry).ok();
    let unfinished = Unfinished::open(root.join("target/records").join(entry.name), entry.name, &prepared)?;
    let bar = Bar::new(entry.name);
    let done = pool.install(|| work::complete(&prepared, Some(&unfinished), &bar));
    drop(bar);
    let done = done?;
    let place = root.join(RECORDS).join(entry.name);
    let written = write(entry, &prepared, &done, &unfinished, &place);
    written.map_err(|error| {
        let kept = unfinished.folder().display();
        Failure::Work(format!(
            "the record can't be written to {}: {error}; the runs are kept in {kept}",
            place.display()
        ))
    })?;
    unfinished.remove();
    let changed = earlier.map(|earlier| {
        let pairs = earlier.contents.runs.iter().zip(&done);
        pairs.filter(|(recorded, done)| recorded.end != done.end).count()
    });
    let runs = done.len();
    let compared = match changed {
        None => "there was none that could be compared".to_owned(),
        Some(0) => "all as before, to the bit".to_owned(),
        Some(changed) => format!("{changed} of {runs} end in other bits than before"),
    };
    let units: u64 = done.iter().map(|done| done.units).sum();
    print(&format!(
        "{}: {runs} runs, {units} units: {compared}\nwritten to {}\n\n\
         `INSTA_UPDATE=always cargo test -p longlag-tests` takes the report over into {SNAPSHOTS}; look at the \
         difference\n",
        entry.name,
        place.display()
    ))
}

fn write(
    entry: &Entry,
    prepared: &PreparedRuns,
    done: &[Done],
    unfinished: &Unfinished,
    place: &Path,
) -> std::io::Result<()> {
    let beside = place.parent().expect("a record has a folder around it");
    fs::create_dir_all(beside)?;
    let staging = Staging::create(beside, entry.name)?;
    let new = staging.new_folder();
    fs::create_dir_all(&new)?;
    let mut checkpoints = Vec::new();
    for run in replayable(done.len()) {
        // A run of few units has none.
        if unfinished.late(run).exists() {
            fs::copy(unfinished.late(run), late_place(&new, run))?;
            checkpoints.push(run);
        }
    }
    let runs = prepared.runs.names().into_iter().zip(done).map(|(name, done)| RecordedRun {
        name,
        units: done.units,
        first: done.first,
        end: done.end,
        outcome: Hash::of(&done.outcome),
        bytes: done.outcome.len(),
    });
    let contents = Contents {
        experiment: entry.name.to_owned(),
        config: prepared.config.clone(),
        runs: runs.collect(),
        checkpoints,
    };
    fs::write(new.join(RUNS), text(&contents))?;
    let outcomes: Vec<u8> = done.iter().flat_map(|done| done.outcome.iter().copied()).collect();
    fs::write(new.join(OUTCOMES), outcomes)?;
    staging.take_the_place_of(place)
}

/// JSON with a run to a line.
fn text(contents: &Contents) -> String {
    let Contents { experiment, config, runs, checkpoints } = contents;
    let json = |value: serde_json::Result<String>| value.expect("it is plain data");
    let config = pretty(config).trim_end().replace('\n', "\n  ");
    let runs: Vec<String> =
        runs.iter().map(|run| format!("    {}", json(serde_json::to_string(run)))).collect();
    format!(
        "{{\n  \"experiment\": {},\n  \"config\": {config},\n  \"runs\": [\n{}\n  ],\n  \"checkpoints\": {}\n}}\n",
        json(serde_json::to_string(experiment)),
        runs.join(",\n"),
        json(serde_json::to_string(checkpoints))
    )
}

/// `longlag verify`.
pub(crate) fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let entries: Vec<&'static Entry> = if args.names.is_empty() {
        recorded().collect()
    } else {
        args.names.iter().map(|name| experiment(name)).collect::<Result<_, _>>()?
    };
    if args.segment.is_some() && entries.len() != 1 {
        let advice = "name one, as in `longlag verify first-race --segment 1`";
        return Err(Failure::Usage(format!("--segment belongs to one record; {advice}")));
    }
    for entry in &entries {
        prepared(entry).map_err(Failure::Usage)?;
    }
    let pool = pool(args.threads)?;
    let root = find_root().map_err(Failure::outside)?;
    let mut wrong = 0;
    for entry in entries {
        match pool.install(|| verify_one(&root, entry, &args)) {
            Ok(line) => print(&format!("{}: {line}\n", entry.name))?,
            Err(Problem::Usage(message)) => return Err(Failure::Usage(message)),
            Err(Problem::Differs(messages)) => {
                messages.iter().for_each(|message| complain("error", message));
                wrong += messages.len();
            }
        }
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::Work("a record differs from what is computed today".to_owned())),
        _ => Err(Failure::Work(format!("records differ in {wrong} places from what is computed today"))),
    }
}

enum Problem {
    Usage(String),
    Differs(Vec<String>),
}

fn verify_one(root: &Path, entry: &'static Entry, args: &VerifyArgs) -> Result<String, Problem> {
    let one = |message: String| Problem::Differs(vec![message]);
    let record = Record::read(root, entry).map_err(one)?;
    let (runs, segments) = (record.contents.runs.len(), record.segments());
    if let Some(segment) = args.segment {
        if !(1..=segments).contains(&segment) {
            return Err(Problem::Usage(format!(
                "--segment {segment}: {} has the segments 1 to {segments}",
                entry.name
            )));
        }
        let units = record.replay(segment).map_err(one)?;
        return Ok(format!("segment {segment} of {segments} gives the same bits ({units} units)"));
    }
    record.check_snapshot(root).map_err(one)?;
    let bar = Bar::new(entry.name);
    if args.full {
        let total: u64 = record.contents.runs.iter().map(|run| run.units).sum();
        let done = AtomicU64::new(0);
        let at = |_: &Moment<'_>| bar.advance(done.fetch_add(1, Relaxed) + 1, total);
        let units = record.parts(runs, |run| record.whole(run, None, &at));
        let units = units.map_err(Problem::Differs)?;
        return Ok(format!(
            "the report is the committed one, and all {runs} runs give the same bits ({units} units)"
        ));
    }
    let done = AtomicU64::new(0);
    let units = record.parts(segments, |i| {
        let replayed = record.replay(i + 1);
        bar.advance(done.fetch_add(1, Relaxed) + 1, segments as u64);
        replayed
    });
    let units = units.map_err(Problem::Differs)?;
    let ends = match segments - runs {
        1 => "1 end".to_owned(),
        ends => format!("{ends} ends"),
    };
    Ok(format!(
        "the report is the committed one, and the starts of all {runs} runs and {ends} give the same bits ({units} units)"
    ))
}
