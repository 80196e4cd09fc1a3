use crate::protocol::Claim;
use crate::runs::{AnyRuns, Recorded};
use longlag_report::Report;
use longlag_report::figure::Figure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::RangeInclusive;

/// A question that is answered by measuring.
pub trait Experiment {
    /// Everything that the result depends on. Its default is the published configuration.
    type Config: Serialize + DeserializeOwned + Default;
    /// Its name on the command line and in the book, such as `first-race`.
    const NAME: &'static str;
    /// What it asks, in one sentence.
    const QUESTION: &'static str;
    /// The figures that its report is drawn as.
    const FIGURES: &'static [FigureSpec];
    /// The claims that its report settles.
    const CLAIMS: &'static [Claim] = &[];

    /// Whether `config` can be run.
    ///
    /// # Errors
    /// A message that names the field, its value, and what is allowed.
    fn check(config: &Self::Config) -> Result<(), ConfigError>;

    /// Runs it. `config` has passed [`check`](Self::check). Work is spread over rayon's current pool; the
    /// result does not depend on it.
    fn run(config: &Self::Config, progress: &dyn Progress) -> Report;
}

/// Sees how far an experiment is.
pub trait Progress: Sync {
    /// `done` of `total` units of work are done; called from any thread, in any order.
    fn advance(&self, done: u64, total: u64);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;
impl Progress for Silent {
    fn advance(&self, _: u64, _: u64) {}
}

/// A config that can't be run: what is wrong, where, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for ConfigError {}

impl ConfigError {
    /// An error unless `ok`: "`field` is `value`, but `rule`".
    pub(crate) fn unless(
        ok: bool,
        field: &str,
        value: impl Serialize,
        rule: &str,
    ) -> Result<(), ConfigError> {
        if ok {
            Ok(())
        } else {
            let value =
                serde_json::to_string(&value).expect("a value from a config");
            Err(ConfigError(format!("`{field}` is {value}, but {rule}")))
        }
    }

    /// An error unless a number is in this range.
    pub(crate) fn within<V: PartialOrd + fmt::Display + Serialize>(
        field: &str,
        value: V,
        range: RangeInclusive<V>,
    ) -> Result<(), ConfigError> {
        let (least, most) = (range.start(), range.end());
        let rule = format!("it must be from {least} to {most}");
        ConfigError::unless(range.contains(&value), field, value, &rule)
    }
}

/// Whether no two are equal.
pub(crate) fn unlike<T: PartialEq>(of: &[T]) -> bool {
    (1..of.len()).all(|i| !of[..i].contains(&of[i]))
}

/// A figure and the report it is drawn from.
#[derive(Clone, Copy)]
pub struct FigureSpec {
    /// Its name in the book, such as `first-race-accuracy`.
    pub name: &'static str,
    /// Draws it. A report that lacks what is drawn is an error with the lookup's message.
    pub draw: fn(&Report) -> Result<Figure, longlag_report::LookupError>,
}

impl fmt::Debug for FigureSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FigureSpec({})", self.name)
    }
}

/// An experiment in the registry, its config as JSON.
#[derive(Clone, Copy)]
pub struct Entry {
    /// [`Experiment::NAME`].
    pub name: &'static str,
    /// [`Experiment::QUESTION`].
    pub question: &'static str,
    /// [`Experiment::FIGURES`].
    pub figures: &'static [FigureSpec],
    /// [`Experiment::CLAIMS`].
    pub claims: &'static [Claim],
    default: fn() -> String,
    prepare: Prepare<Prepared>,
    runs: Option<Prepare<PreparedRuns>>,
}

/// Reads a config, with another seed if one is given.
type Prepare<P> = fn(&str, Option<u64>) -> Result<P, ConfigError>;

/// An experiment whose config is known to be good, to be run.
pub type Prepared = Box<dyn FnOnce(&dyn Progress) -> Report + Send>;

/// The runs of a recorded experiment whose config is known to be good, and that config as JSON, with all fields.
pub struct PreparedRuns {
    /// The runs.
    pub runs: Box<dyn AnyRuns>,
    /// The config.
    pub config: serde_json::Value,
}

impl fmt::Debug for PreparedRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedRuns({})", self.config)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name)
    }
}

impl Entry {
    /// The entry of an experiment.
    pub(crate) const fn of<E: Experiment>() -> Entry
    where
        E::Config: Send + 'static,
    {
        Entry {
            name: E::NAME,
            question: E::QUESTION,
            figures: E::FIGURES,
            claims: E::CLAIMS,
            default: || {
                serde_json::to_string_pretty(&E::Config::default())
                    .expect("a config is plain data")
                    + "\n"
            },
            prepare: |config, seed| {
                let config: E::Config = checked::<E>(config, seed)?;
                Ok(Box::new(move |progress| E::run(&config, progress)))
            },
            runs: None,
        }
    }

    /// The entry of an experiment that is recorded.
    pub(crate) const fn recorded<E: Recorded>() -> Entry
    where
        E::Config: Send + 'static,
        E::Runs: 'static,
    {
        Entry {
            runs: Some(|config, seed| {
                let config = checked::<E>(config, seed)?;
                let runs = Box::new(E::runs(&config));
                let config = serde_json::to_value(&config)
                    .expect("a config is plain data");
                Ok(PreparedRuns { runs, config })
            }),
            ..Entry::of::<E>()
        }
    }

    /// Whether it is recorded: run once, and replayed by tests.
    pub fn is_recorded(&self) -> bool {
        self.runs.is_some()
    }

    /// As [`prepare`](Self::prepare), to run one by one what it consists of, if it is recorded.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_runs(
        &self,
        config: &str,
        seed: Option<u64>,
    ) -> Option<Result<PreparedRuns, ConfigError>> {
        self.runs.map(|prepare| prepare(config, seed))
    }

    /// The published config, as JSON text that [`prepare`](Self::prepare) reads.
    pub fn default_config(&self) -> String {
        (self.default)()
    }

    /// Reads a config (JSON; fields left out have their default) and makes ready to run it, with `seed` in
    /// place of its own if there is one.
    ///
    /// # Errors
    /// If it isn't JSON of the right fields (with line and column), or a value can't be run.
    pub fn prepare(
        &self,
        config: &str,
        seed: Option<u64>,
    ) -> Result<Prepared, ConfigError> {
        (self.prepare)(config, seed)
    }

    /// Runs the published config.
    pub fn run_default(&self, progress: &dyn Progress) -> Report {
        let run = self
            .prepare(&self.default_config(), None)
            .expect("the published config is good");
        run(progress)
    }
}

/// Reads a config and checks it, with `seed` in place of its own if there is one.
fn checked<E: Experiment>(
    config: &str,
    seed: Option<u64>,
) -> Result<E::Config, ConfigError> {
    let mut value: serde_json::Value = parse(config)?;
    if !value.is_object() {
        return Err(ConfigError("a config is a JSON object, `{ … }`".into()));
    }
    if let (Some(seed), Some(fields)) = (seed, value.as_object_mut()) {
        fields.insert("seed".into(), seed.into());
    }
    // Read from the text again, so that a message has line and column.
    let _: E::Config = parse(config)?;
    let config: E::Config = serde_json::from_value(value)
        .map_err(|e| ConfigError(e.to_string()))?;
    E::check(&config)?;
    Ok(config)
}

fn parse<C: DeserializeOwned>(text: &str) -> Result<C, ConfigError> {
    serde_json::from_str(text).map_err(|e| ConfigError(e.to_string()))
}
