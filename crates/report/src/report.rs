//! The result of an experiment.
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

use crate::{LookupError, Number, Table, lookup};

/// A number, a text, or yes or no: a fact, or one entry of a table.
#[derive(Clone, Debug)]
pub enum Value {
    /// A count or a measurement.
    Number(Number),
    /// A name, a hash in hexadecimal. The texts `NaN`, `inf` and `-inf` read back as numbers.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

impl Value {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn bits_equal(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.bits_equal(*b),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Flag(a), Value::Flag(b)) => a == b,
            _ => false,
        }
    }

    /// Text with every bit, for a message about a difference.
    fn in_full(&self) -> String {
        match self {
            Value::Number(Number::Float { value, .. }) => {
                format!("{value:?} (bits {:016x})", value.to_bits())
            }
            Value::Text(text) => format!("{text:?}"),
            other => other.to_string(),
        }
    }
}

/// Machine-readable text, as in [`Number`]'s `Display`; prose uses [`format_value`](crate::format::format_value).
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Flag(flag) => flag.fmt(f),
        }
    }
}

impl<N: Into<Number>> From<N> for Value {
    fn from(number: N) -> Value {
        Value::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) => number.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct AnyValue;
        impl Visitor<'_> for AnyValue {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text, true or false")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
                Ok(Value::Flag(flag))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                // All its digits were chosen by the writer, so all are kept.
                Ok(Number::exact(value).into())
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(match text {
                    "NaN" => Number::exact(f64::NAN).into(),
                    "inf" => Number::exact(f64::INFINITY).into(),
                    "-inf" => Number::exact(f64::NEG_INFINITY).into(),
                    _ => text.into(),
                })
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// A curve: `y` against `x`, and where the report has one a band from `low` to `high` around it.
///
/// All four are of one length, `low` and `high` also of length 0 when there is no band.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "RawSeries")]
pub struct Series {
    x: Vec<Number>,
    y: Vec<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    low: Vec<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    high: Vec<Number>,
}

impl Series {
    /// The abscissae.
    pub fn x(&self) -> Vec<f64> {
        floats(&self.x)
    }

    /// The values.
    pub fn y(&self) -> Vec<f64> {
        floats(&self.y)
    }

    /// The lower and the upper edge of the band, if there is one.
    pub fn band(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        (!self.low.is_empty()).then(|| (floats(&self.low), floats(&self.high)))
    }

    /// The points, for a figure.
    pub fn points(&self) -> Vec<(f64, f64)> {
        self.x().into_iter().zip(self.y()).collect()
    }

    /// Comma-separated values under the header `x,y` or `x,y,low,high`, as in [`Table::to_csv`].
    pub fn to_csv(&self) -> String {
        let parts = self.parts();
        let mut table = Table::new(parts.iter().map(|(name, _)| *name));
        for point in 0..self.x.len() {
            table.row(parts.iter().map(|(_, numbers)| numbers[point].into()).collect::<Vec<Value>>());
        }
        table.to_csv()
    }

    /// The parts by name, in the order of writing; without the band where there is none.
    pub(crate) fn parts(&self) -> Vec<(&'static str, &[Number])> {
        let mut parts = vec![("x", &*self.x), ("y", &*self.y)];
        if !self.low.is_empty() {
            parts.extend([("low", &*self.low), ("high", &*self.high)]);
        }
        parts
    }
}

fn floats(numbers: &[Number]) -> Vec<f64> {
    numbers.iter().map(|number| number.to_f64()).collect()
}

/// A series as it stands in a file, before its lengths are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeries {
    x: Vec<Number>,
    y: Vec<Number>,
    #[serde(default)]
    low: Vec<Number>,
    #[serde(default)]
    high: Vec<Number>,
}

impl TryFrom<RawSeries> for Series {
    type Error = String;
    fn try_from(RawSeries { x, y, low, high }: RawSeries) -> Result<Series, String> {
        let lengths = [x.len(), y.len(), low.len(), high.len()];
        let band_is_empty = low.is_empty() && high.is_empty();
        if x.len() != y.len() || !band_is_empty && (low.len() != x.len() || high.len() != x.len()) {
            return Err(format!("a series of unequal lengths: x, y, low, high have {lengths:?}"));
        }
        Ok(Series { x, y, low, high })
    }
}

/// The result of an experiment: its config, and what it found as facts, tables and series.
///
/// Facts, tables and series are sorted by name, rows and points stay in the order given.
/// Adding a name twice is a mistake in the experiment and panics.
///
/// ```
/// use longlag_report::{Number, Report};
///
/// let mut report = Report::new("first-race", &serde_json::json!({ "hidden": 32 }));
/// report.fact("updates", 400).fact("smallest_gradient", Number::rounded(3.14159e-9, 2));
/// report.table("accuracy", ["cell", "accuracy"]).row(("LSTM", 0.9123)).row(("RNN", 0.5));
/// report.series("loss", [0, 100], [2.302, 0.41]);
///
/// assert_eq!(report.value("tables.accuracy.LSTM.accuracy").unwrap().to_string(), "0.9123");
/// assert_eq!(report.value("config.hidden").unwrap().to_string(), "32");
/// assert_eq!(report.value("facts.smallest_gradient").unwrap().to_string(), "3.1e-9");
/// let read = Report::from_snapshot(&report.to_snapshot()).unwrap();
/// assert_eq!(read.to_snapshot(), report.to_snapshot());
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    experiment: String,
    config: serde_json::Value,
    facts: BTreeMap<String, Value>,
    tables: BTreeMap<String, Table>,
    series: BTreeMap<String, Series>,
}

impl Report {
    /// An empty report of the experiment of that name, run with `config`.
    ///
    /// # Panics
    /// If `config` cannot be written as JSON: its keys are not texts.
    #[track_caller]
    pub fn new(experiment: impl Into<String>, config: &impl Serialize) -> Report {
        // By way of text, for there an `f32` of 0.1 is written 0.1; as a JSON value it becomes an `f64`
        // with the digits 0.10000000149.
        let json = serde_json::to_string(config).expect("a config that can be written as JSON");
        Report {
            experiment: experiment.into(),
            config: serde_json::from_str(&json).expect("JSON that was just written"),
            facts: BTreeMap::new(),
            tables: BTreeMap::new(),
            series: BTreeMap::new(),
        }
    }

    /// Adds a single value.
    ///
    /// # Panics
    /// If there is a fact of that name.
    #[track_caller]
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Report {
        insert_new(&mut self.facts, "fact", name.into(), value.into());
        self
    }

    /// Adds an empty table and returns it, to be filled by [`Table::row`].
    ///
    /// # Panics
    /// If there is a table of that name, no column, or a column name twice.
    #[track_caller]
    pub fn table<C: Into<String>>(
        &mut self,
        name: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
    ) -> &mut Table {
        insert_new(&mut self.tables, "table", name.into(), Table::new(columns))
    }

    /// Adds a curve.
    ///
    /// # Panics
    /// If there is a series of that name, or `x` and `y` differ in length.
    #[track_caller]
    pub fn series<X: Into<Number>, Y: Into<Number>>(
        &mut self,
        name: impl Into<String>,
        x: impl IntoIterator<Item = X>,
        y: impl IntoIterator<Item = Y>,
    ) -> &mut Report {
        self.add_series(name.into(), numbers(x), numbers(y), vec![], vec![])
    }

    /// Adds a curve `y` with a band from `low` to `high`, such as a median within its range over seeds.
    ///
    /// # Panics
    /// If there is a series of that name, or lengths differ.
    #[track_caller]
    pub fn band<X: Into<Number>, Y: Into<Number>>(
        &mut self,
        name: impl Into<String>,
        x: impl IntoIterator<Item = X>,
        y: impl IntoIterator<Item = Y>,
        low: impl IntoIterator<Item = Y>,
        high: impl IntoIterator<Item = Y>,
    ) -> &mut Report {
        self.add_series(name.into(), numbers(x), numbers(y), numbers(low), numbers(high))
    }

    #[track_caller]
    fn add_series(
        &mut self,
        name: String,
        x: Vec<Number>,
        y: Vec<Number>,
        low: Vec<Number>,
        high: Vec<Number>,
    ) -> &mut Report {
        let series = match Series::try_from(RawSeries { x, y, low, high }) {
            Ok(series) => series,
            Err(message) => panic!("series {name:?}: {message}"),
        };
        insert_new(&mut self.series, "series", name, series);
        self
    }

    /// The experiment's name.
    pub fn experiment(&self) -> &str {
        &self.experiment
    }

    /// The config as JSON.
    pub fn config(&self) -> &serde_json::Value {
        &self.config
    }

    /// The config as the experiment's own type.
    ///
    /// # Errors
    /// If the config was not written from such a type.
    pub fn config_as<C: DeserializeOwned>(&self) -> Result<C, serde_json::Error> {
        C::deserialize(&self.config)
    }

    /// All facts, sorted by name.
    pub fn facts(&self) -> &BTreeMap<String, Value> {
        &self.facts
    }

    /// All tables, sorted by name.
    pub fn tables(&self) -> &BTreeMap<String, Table> {
        &self.tables
    }

    /// All series, sorted by name.
    pub fn all_series(&self) -> &BTreeMap<String, Series> {
        &self.series
    }

    /// The table of that name.
    ///
    /// # Errors
    /// If there is none: the error lists those that exist, the nearest name first.
    pub fn find_table(&self, name: &str) -> Result<&Table, LookupError> {
        let miss =
            || LookupError::new(&format!("tables.{name}"), name, "tables", self.tables.keys().cloned());
        self.tables.get(name).ok_or_else(miss)
    }

    /// The series of that name.
    ///
    /// # Errors
    /// If there is none: the error lists those that exist, the nearest name first.
    pub fn find_series(&self, name: &str) -> Result<&Series, LookupError> {
        let miss =
            || LookupError::new(&format!("series.{name}"), name, "series", self.series.keys().cloned());
        self.series.get(name).ok_or_else(miss)
    }

    /// The single value at a dotted path:
    ///
    /// - `facts.NAME`, `config.KEY.KEY`, `experiment`;
    /// - `tables.NAME.ROW.COLUMN`, the row by its first entry. Where several rows share it, the next
    ///   parts of the path name the second entry and so on: `tables.disagreement.LSTM.40.duals`;
    /// - `series.NAME.PART.INDEX` with part `x`, `y`, `low` or `high`, and an index from 0, or `last`.
    ///
    /// A name may hold dots; the longest name that fits is taken.
    ///
    /// # Errors
    /// If a part is not there: the error says which, and lists what exists at that level, nearest first.
    pub fn value(&self, path: &str) -> Result<Value, LookupError> {
        lookup::value(self, path)
    }

    /// Where two reports differ first, to the last bit, as text for a message; `None` if nowhere.
    ///
    /// Only reports from memory hold every bit: one that was read back is rounded already.
    pub fn first_difference(&self, other: &Report) -> Option<String> {
        let (ours, theirs) = (self.leaves(), other.leaves());
        for ((our_path, a), (their_path, b)) in ours.iter().zip(&theirs) {
            if our_path != their_path {
                return Some(format!("{our_path} stands where the other report has {their_path}"));
            }
            if !a.bits_equal(b) {
                return Some(format!("{our_path}: {} against {}", a.in_full(), b.in_full()));
            }
        }
        let common = ours.len().min(theirs.len());
        match (ours.get(common), theirs.get(common)) {
            (Some((path, _)), _) => Some(format!("{path} is missing in the other report")),
            (_, Some((path, _))) => Some(format!("{path} is only in the other report")),
            _ => None,
        }
    }

    /// Whether two reports agree in every name and every bit.
    pub fn bits_equal(&self, other: &Report) -> bool {
        self.first_difference(other).is_none()
    }

    /// Every single value with its path, in the order of writing.
    fn leaves(&self) -> Vec<(String, Value)> {
        let mut leaves = vec![("experiment".to_owned(), Value::from(&*self.experiment))];
        config_leaves("config", &self.config, &mut leaves);
        leaves.extend(self.facts.iter().map(|(name, value)| (format!("facts.{name}"), value.clone())));
        for (name, table) in &self.tables {
            for (index, row) in table.rows().iter().enumerate() {
                let cells = table.columns().iter().zip(row);
                leaves.extend(
                    cells.map(|(column, value)| {
                        (format!("tables.{name} row {index}, {column}"), value.clone())
                    }),
                );
            }
        }
        for (name, series) in &self.series {
            for (part, numbers) in series.parts() {
                let points = numbers.iter().enumerate();
                leaves.extend(
                    points.map(|(index, n)| (format!("series.{name}.{part}.{index}"), Value::from(*n))),
                );
            }
        }
        leaves
    }
}

fn config_leaves(path: &str, value: &serde_json::Value, leaves: &mut Vec<(String, Value)>) {
    match lookup::single(value) {
        Some(single) => leaves.push((path.to_owned(), single)),
        None => {
            for (key, child) in lookup::children(value) {
                config_leaves(&format!("{path}.{key}"), child, leaves);
            }
        }
    }
}

fn numbers<N: Into<Number>>(values: impl IntoIterator<Item = N>) -> Vec<Number> {
    values.into_iter().map(Into::into).collect()
}

#[track_caller]
fn insert_new<'a, T>(map: &'a mut BTreeMap<String, T>, kind: &str, name: String, value: T) -> &'a mut T {
    assert!(!map.contains_key(&name), "the report has a {kind} {name:?} already");
    map.entry(name).or_insert(value)
}
