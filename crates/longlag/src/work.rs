//! The long work of recorded experiments: all cores, progress, and no more than a few seconds lost to whatever
//! stops it.

use crate::checkpoint::{Checkpoint, Owner, replace};
use crate::failure::{Failure, complain};
use longlag_experiments::runs::{Hash, Together};
use longlag_experiments::{PreparedRuns, Progress};
use rayon::current_num_threads;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};
use std::{fs, mem};

/// After so many units of a run, or at its end if that is earlier, a record holds a hash of its state.
pub(crate) const FIRST: u64 = 50;

/// How often a run is saved.
const EVERY: Duration = Duration::from_secs(3);

/// Whether somebody pressed Ctrl-C.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C ends the work where it can go on later; pressed again, at once.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let pressed = || {
            if STOPPED.swap(true, Relaxed) {
                std::process::exit(130);
            }
        };
        // Without a handler Ctrl-C kills the process, which loses a few seconds.
        let _ = ctrlc::set_handler(pressed);
    });
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) units: u64,
    /// Of the state after the first units.
    pub(crate) first: Hash,
    /// Of the state at the end.
    pub(crate) end: Hash,
    pub(crate) outcome: Vec<u8>,
}

/// A folder with the checkpoints of runs that are not all over.
pub(crate) struct Unfinished {
    folder: PathBuf,
    experiment: String,
    config: Hash,
    names: Vec<String>,
}

const CONFIG: &str = "config.json";

impl Unfinished {
    /// Opens the folder, or makes it. Says on the standard error stream if there is something to go on from.
    pub(crate) fn open(
        folder: PathBuf,
        experiment: &str,
        prepared: &PreparedRuns,
    ) -> Result<Unfinished, Failure> {
        let place = folder.display().to_string();
        let unwritable = |error| Failure::Usage(format!("{place}: can't be written: {error}"));
        let config = pretty(&prepared.config);
        let file = folder.join(CONFIG);
        if file.exists() {
            let there = fs::read_to_string(&file).map_err(unwritable)?;
            if there != config {
                return Err(Failure::Usage(format!(
                    "{place}: a run of {experiment} with another configuration was stopped here ({CONFIG} has it); \
                     finish it with that configuration, or remove the folder"
                )));
            }
        } else {
            fs::create_dir_all(&folder).map_err(unwritable)?;
            replace(&file, config.as_bytes()).map_err(unwritable)?;
        }
        let names = prepared.runs.names();
        let config = Hash::of(config.as_bytes());
        let unfinished = Unfinished { folder, experiment: experiment.to_owned(), config, names };
        let begun = (0..unfinished.names.len()).filter(|&run| unfinished.place(run).exists()).count();
        if begun > 0 {
            let runs = unfinished.names.len();
            complain(
                "note",
                format!("{experiment} goes on where it was stopped: {begun} of {runs} runs were begun"),
            );
        }
        Ok(unfinished)
    }

    fn place(&self, run: usize) -> PathBuf {
        self.folder.join(format!("{run}.checkpoint"))
    }
    /// Where the checkpoint stands from which the run's last units can be replayed.
    pub(crate) fn late(&self, run: usize) -> PathBuf {
        self.folder.join(format!("{run}.late"))
    }
    fn owner(&self, run: usize) -> Owner<'_> {
        Owner { experiment: &self.experiment, config: self.config, run: &self.names[run] }
    }
    fn read(&self, run: usize) -> Result<Option<Checkpoint>, String> {
        let place = self.place(run);
        if !place.exists() {
            return Ok(None);
        }
        let read = Checkpoint::read(&place, self.owner(run));
        read.map(Some).map_err(|error| format!("{error}; remove the file, and the run begins anew"))
    }
    /// The work is done: nothing is left to go on from.
    pub(crate) fn remove(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Calls `work` with each number below `count`, on as many threads as rayon's current pool has, in order as
/// threads become free. Each call is in a pool of one thread: a run doesn't wait for threads that are busy
/// with others.
///
/// # Panics
/// If the threads can't be started, or `work` panics.
pub(crate) fn each(count: usize, work: impl Fn(usize) + Sync) {
    let threads = current_num_threads().min(count);
    let next = AtomicUsize::new(0);
    let worker = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.expect("a thread can be started");
        pool.install(|| {
            loop {
                let run = next.fetch_add(1, Relaxed);
                if run >= count {
                    break;
                }
                work(run);
            }
        });
    };
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(worker);
        });
    });
}

/// A config as a text that is the same for the same config.
pub(crate) fn pretty(config: &serde_json::Value) -> String {
    format!("{config:#}\n")
}

/// The runs whose last units a record can replay: the first, the middle one and the last.
pub(crate) fn replayable(count: usize) -> Vec<usize> {
    let mut runs = vec![0, count / 2, count.saturating_sub(1)];
    runs.dedup();
    runs
}

/// How far apart the states lie one of which becomes a run's late checkpoint.
fn late_every(units: u64) -> u64 {
    (units / 16).max(1)
}

/// Does all runs, or what is left of them, in the current pool's number of threads.
///
/// # Errors
/// If it was stopped, or a checkpoint can't be read or written. What was done is saved, if there is a place for it.
pub(crate) fn complete(
    prepared: &PreparedRuns,
    unfinished: Option<&Unfinished>,
    progress: &dyn Progress,
) -> Result<Vec<Done>, Failure> {
    if unfinished.is_some() {
        listen();
    }
    let runs = &*prepared.runs;
    let names = runs.names();
    let together = Together::new(runs, progress);
    let replayable = replayable(names.len());
    let done: Vec<Mutex<Option<Done>>> = names.iter().map(|_| Mutex::new(None)).collect();
    let failed: Mutex<Option<String>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let fail = |message: String| {
        failed.lock().expect("no thread panicked").get_or_insert(message);
        stop.store(true, Relaxed);
    };
    each(names.len(), |run| {
        if stop.load(Relaxed) || STOPPED.load(Relaxed) {
            return;
        }
        let from = match unfinished.map_or(Ok(None), |unfinished| unfinished.read(run)) {
            Ok(from) => from,
            Err(message) => return fail(message),
        };
        let units = runs.units(run);
        let (mut before, mut saved_at) = (0, Instant::now());
        let mut first = from.as_ref().and_then(|from| from.first);
        let resumed = from.as_ref().map(|from| from.unit);
        let mut end = None;
        let mut watch = |moment: &longlag_experiments::runs::Moment<'_>| {
            together.at(moment, mem::replace(&mut before, moment.unit), units);
            if first.is_none() && (moment.unit == FIRST || moment.over) {
                first = Some(Hash::of(&moment.state()));
            }
            if moment.over {
                end = Some((moment.unit, Hash::of(&moment.state())));
            }
            let Some(unfinished) = unfinished else { return ControlFlow::Continue(()) };
            let stopped = stop.load(Relaxed) || STOPPED.load(Relaxed);
            let owner = unfinished.owner(run);
            let checkpoint = || Checkpoint {
                experiment: owner.experiment.to_owned(),
                config: owner.config,
                run: owner.run.to_owned(),
                unit: moment.unit,
                over: moment.over,
                state: moment.state(),
                first,
            };
            let mut written = Ok(());
            let late =
                replayable.contains(&run) && moment.unit.is_multiple_of(late_every(units)) && !moment.over;
            if late && resumed != Some(moment.unit) {
                written = checkpoint().write(&unfinished.late(run));
            }
            if moment.over || stopped || saved_at.elapsed() >= EVERY {
                written = written.and_then(|()| checkpoint().write(&unfinished.place(run)));
                saved_at = Instant::now();
            }
            if let Err(error) = written {
                fail(format!("{}: can't be written: {error}", unfinished.folder().display()));
                return ControlFlow::Break(());
            }
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let outcome = runs.go(run, from.as_ref().map(Checkpoint::saved).as_ref(), &mut watch);
        match outcome {
            Err(error) => fail(format!("{}: {error}", names[run])),
            Ok(None) => {}
            Ok(Some(outcome)) => {
                let (units, end) = end.expect("the run is over");
                let first = first.expect("a run that is over has begun");
                *done[run].lock().expect("no thread panicked") = Some(Done { units, first, end, outcome });
            }
        }
    });
    if let Some(message) = failed.into_inner().expect("no thread panicked") {
        return Err(Failure::Work(message));
    }
    let done: Option<Vec<Done>> =
        done.into_iter().map(|done| done.into_inner().expect("no thread panicked")).collect();
    done.ok_or(Failure::Stopped)
}
