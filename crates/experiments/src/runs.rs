//! Long work: many runs, each of which can stop after any unit of work and go on later.
//!
//! The key decision: **what a run is between two units is plain data.** An experiment says how a run starts,
//! what one unit of it is (an update, a trajectory) and what of it counts in the end ([`Runs`], [`Run`]).
//! Everything else works on the saved bytes: a run that was killed goes on from them, a replay is compared
//! with them by their [`struct@Hash`], and the report is computed from the runs' outcomes alone, so that a table can
//! be added to it without running anything again.

use crate::experiment::{Experiment, Progress};
use longlag_report::Report;
use longlag_train::Trainer;
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An experiment whose runs are too long for a test: they are recorded once and replayed in part.
pub trait Recorded: Experiment {
    /// Its runs.
    type Runs: Runs;
    /// The runs of a config that has passed [`check`](Experiment::check).
    fn runs(config: &Self::Config) -> Self::Runs;
}

// ANCHOR: recorded
/// The runs of an experiment, and what they share.
pub trait Runs: Sync {
    /// One of them.
    type Run<'a>: Run<Outcome = Self::Outcome>
    where
        Self: 'a;
    /// What a run gives to the report.
    type Outcome: Serialize + DeserializeOwned + Send;
    /// Their names, all different, in the order of the outcomes.
    fn names(&self) -> Vec<String>;
    /// The most units that a run takes.
    fn units(&self, run: usize) -> u64;
    /// The run at its start.
    fn start(&self, run: usize) -> Self::Run<'_>;
    /// The report, from the outcomes of all.
    fn report(&self, outcomes: &[Self::Outcome]) -> Report;
}

/// Work in units.
pub trait Run {
    /// All that changes from unit to unit, with what was measured so far.
    type Saved: Serialize + DeserializeOwned;
    /// What it gives in the end.
    type Outcome;
    /// Does a unit; breaks if it was the last.
    fn advance(&mut self) -> ControlFlow<()>;
    /// Where the run is. Its bits are the same on every machine: a NaN is
    /// `f64::NAN` or `f32::NAN`.
    fn save(&self) -> Self::Saved;
    /// Goes on from there.
    ///
    /// # Errors
    /// If it was saved by another run: why that can be told.
    fn restore(&mut self, saved: Self::Saved) -> Result<(), String>;
    /// What came out, at the end.
    fn outcome(&self) -> Self::Outcome;
}
// ANCHOR_END: recorded

/// Measurements that are made one after the other.
pub trait Measure {
    /// What one of them finds.
    type Found: Clone + Serialize + DeserializeOwned;
    /// How many there are, 1 or more.
    fn count(&self) -> usize;
    /// Makes one of them, by its number from 0.
    fn measure(&mut self, number: usize) -> Self::Found;
}

/// A run whose units are the measurements; its outcome is all that they find.
#[derive(Debug)]
pub struct OneByOne<M: Measure> {
    measure: M,
    found: Vec<M::Found>,
}

impl<M: Measure> OneByOne<M> {
    /// Before the first.
    pub fn new(measure: M) -> Self {
        OneByOne { measure, found: vec![] }
    }
}

impl<M: Measure> Run for OneByOne<M> {
    type Saved = Vec<M::Found>;
    type Outcome = Vec<M::Found>;

    fn advance(&mut self) -> ControlFlow<()> {
        self.found.push(self.measure.measure(self.found.len()));
        if self.found.len() == self.measure.count() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
    fn save(&self) -> Self::Saved {
        self.found.clone()
    }
    fn restore(&mut self, found: Self::Saved) -> Result<(), String> {
        let (there, most) = (found.len(), self.measure.count());
        if there > most {
            return Err(format!("it has {there} measurements of {most}"));
        }
        self.found = found;
        Ok(())
    }
    fn outcome(&self) -> Self::Outcome {
        self.found.clone()
    }
}

/// A run of one of two kinds, and what it saves or gives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// Of the first kind.
    Left(L),
    /// Of the second.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// If it is of the first kind.
    pub fn left(&self) -> Option<&L> {
        match self {
            Either::Left(left) => Some(left),
            Either::Right(_) => None,
        }
    }
    /// If it is of the second.
    pub fn right(&self) -> Option<&R> {
        match self {
            Either::Left(_) => None,
            Either::Right(right) => Some(right),
        }
    }
}

impl<L: Run, R: Run> Run for Either<L, R> {
    type Saved = Either<L::Saved, R::Saved>;
    type Outcome = Either<L::Outcome, R::Outcome>;

    fn advance(&mut self) -> ControlFlow<()> {
        match self {
            Either::Left(run) => run.advance(),
            Either::Right(run) => run.advance(),
        }
    }
    fn save(&self) -> Self::Saved {
        match self {
            Either::Left(run) => Either::Left(run.save()),
            Either::Right(run) => Either::Right(run.save()),
        }
    }
    fn restore(&mut self, saved: Self::Saved) -> Result<(), String> {
        match (self, saved) {
            (Either::Left(run), Either::Left(saved)) => run.restore(saved),
            (Either::Right(run), Either::Right(saved)) => run.restore(saved),
            _ => Err("it is that of another kind of run".into()),
        }
    }
    fn outcome(&self) -> Self::Outcome {
        match self {
            Either::Left(run) => Either::Left(run.outcome()),
            Either::Right(run) => Either::Right(run.outcome()),
        }
    }
}

/// What tells two saved states or outcomes apart: 64-bit FNV-1a over their bytes (Fowler, Noll and Vo). No
/// change of a single bit leaves it as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(u64);

impl Hash {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// Of the weights that a training has come to.
    pub fn of_weights(trainer: &Trainer<f32>) -> Hash {
        let weights = trainer.checkpoint().parameters;
        let bytes = weights.iter().flat_map(|w| w.to_bits().to_le_bytes());
        Hash::of(&bytes.collect::<Vec<u8>>())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = String;
    fn try_from(text: String) -> Result<Hash, String> {
        let digits = text.len() == 16
            && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
        let value = u64::from_str_radix(&text, 16).ok().filter(|_| digits);
        value.map(Hash).ok_or_else(|| {
            format!("`{text}` is no hash: 16 digits of 0-9 and a-f")
        })
    }
}

/// A run between two units, as a watcher sees it.
pub struct Moment<'a> {
    /// How many units are done.
    pub unit: u64,
    /// Whether the run is over.
    pub over: bool,
    state: &'a dyn Fn() -> Vec<u8>,
}

impl Moment<'_> {
    /// The bytes from which the run goes on.
    pub fn state(&self) -> Vec<u8> {
        (self.state)()
    }
}

impl fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Moment({}, over: {})", self.unit, self.over)
    }
}

/// Where a run goes on: after `unit` units, with these bytes of [`Moment::state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// How many units are done.
    pub unit: u64,
    /// Whether the run is over.
    pub over: bool,
    /// The bytes.
    pub state: Vec<u8>,
}

/// Saved bytes that this run can't go on from; the text says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unreadable {}

/// The [`Runs`] of any experiment, by their saved bytes.
pub trait AnyRuns: Sync {
    /// [`Runs::names`].
    fn names(&self) -> Vec<String>;
    /// [`Runs::units`].
    fn units(&self, run: usize) -> u64;
    /// Goes through a run from its start, or from where it was saved, and returns the bytes of its outcome. After
    /// every unit, and at once where the run goes on from a saved state, `watch` sees where it is; if it
    /// breaks before the end, there is no outcome.
    ///
    /// # Errors
    /// If the saved bytes are not this run's.
    fn go(
        &self,
        run: usize,
        from: Option<&Saved>,
        watch: &mut dyn FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Vec<u8>>, Unreadable>;
    /// The report, from the bytes of all outcomes.
    ///
    /// # Errors
    /// If the bytes are not outcomes of these runs.
    fn report(&self, outcomes: &[Vec<u8>]) -> Result<Report, Unreadable>;
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("what a run saves is plain data")
}

fn from_bytes<V: DeserializeOwned>(
    what: &str,
    bytes: &[u8],
) -> Result<V, Unreadable> {
    let unreadable = |why: &dyn fmt::Display| {
        Unreadable(format!("{what} can't be read: {why}"))
    };
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            Err(unreadable(&format_args!("{} bytes too many", rest.len())))
        }
        Err(error) => Err(unreadable(&error)),
    }
}

impl<R: Runs> AnyRuns for R {
    fn names(&self) -> Vec<String> {
        Runs::names(self)
    }
    fn units(&self, run: usize) -> u64 {
        Runs::units(self, run)
    }
    fn go(
        &self,
        run: usize,
        from: Option<&Saved>,
        watch: &mut dyn FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut work = self.start(run);
        let (mut unit, mut over) = (0, false);
        if let Some(saved) = from {
            let state = from_bytes("the saved state", &saved.state)?;
            work.restore(state).map_err(Unreadable)?;
            (unit, over) = (saved.unit, saved.over);
        }
        loop {
            if unit > 0 {
                let state = || to_bytes(&work.save());
                let moment = Moment { unit, over, state: &state };
                let stop = watch(&moment).is_break();
                if over {
                    return Ok(Some(to_bytes(&work.outcome())));
                }
                if stop {
                    return Ok(None);
                }
            }
            over = work.advance().is_break();
            unit += 1;
        }
    }
    fn report(&self, outcomes: &[Vec<u8>]) -> Result<Report, Unreadable> {
        let read = |bytes: &Vec<u8>| from_bytes("an outcome", bytes);
        let outcomes: Vec<R::Outcome> =
            outcomes.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Runs::report(self, &outcomes))
    }
}

/// How far all runs are together, for a [`Progress`]. Runs may end early: what they leave out counts as
/// done.
pub struct Together<'a> {
    progress: &'a dyn Progress,
    done: AtomicU64,
    total: u64,
}

impl fmt::Debug for Together<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Together({:?} of {})", self.done, self.total)
    }
}

impl<'a> Together<'a> {
    /// Nothing is done yet.
    pub fn new(runs: &dyn AnyRuns, progress: &'a dyn Progress) -> Self {
        let total = (0..runs.names().len()).map(|run| runs.units(run)).sum();
        Together { progress, done: AtomicU64::new(0), total }
    }
    /// A run of at most `units` units is at this moment, and was after `before` units the last time.
    pub fn at(&self, moment: &Moment<'_>, before: u64, units: u64) {
        let now = if moment.over { units } else { moment.unit };
        let more = now.saturating_sub(before);
        let done = self.done.fetch_add(more, Relaxed) + more;
        self.progress.advance(done, self.total);
    }
}

/// All runs from start to end, and their report: [`Experiment::run`] of what is recorded.
pub fn run_all<E: Recorded>(
    config: &E::Config,
    progress: &dyn Progress,
) -> Report {
    let runs = E::runs(config);
    let runs: &dyn AnyRuns = &runs;
    let together = Together::new(runs, progress);
    let outcomes = (0..runs.names().len()).into_par_iter().map(|run| {
        let units = runs.units(run);
        let mut watch = |moment: &Moment<'_>| {
            together.at(moment, moment.unit - 1, units);
            ControlFlow::Continue(())
        };
        let outcome = runs.go(run, None, &mut watch);
        outcome.ok().flatten().expect("nothing stops the run")
    });
    let outcomes: Vec<Vec<u8>> = outcomes.collect();
    runs.report(&outcomes).expect("these are the runs' own outcomes")
}
