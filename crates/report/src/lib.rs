//! Reports, tables and figures of longlag's experiments.
//!
//! The key decision: **a report keeps every bit in memory and writes significant digits.** Two runs are
//! compared to the last bit ([`Report::first_difference`]); a snapshot shows what a person reads, to six
//! significant digits unless a number says otherwise. Digits are significant ones and not decimals,
//! because 3.1e-9 is the subject here and must not become 0.
//!
//! - [`Report`]: config, facts, tables and series of one run; to and from JSON ([`Report::to_snapshot`]).
//! - [`Number`], [`Value`]: what a report holds. [`format`](mod@format): how prose writes it.
//! - [`Table`]: to Markdown, aligned text and CSV.
//! - [`figure`]: line and dot charts, heat maps and histograms as SVG.
//! - [`LookupError`]: what a dotted path such as `facts.lstm_accuracy` did not find, and what there is.

pub mod figure;
pub mod format;
mod lookup;
mod number;
mod report;
mod snapshot;
mod table;

pub use lookup::{LookupError, nearest_first};
pub use number::{DEFAULT_DIGITS, FULL_DIGITS, Number};
pub use report::{Report, Series, Value};
pub use snapshot::SnapshotError;
pub use table::{Row, Table};
