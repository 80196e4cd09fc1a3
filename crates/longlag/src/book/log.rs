//! mdBook reports through `tracing`: a missing chapter is an error, an unclosed tag only a warning that
//! would go unseen. Here both are collected.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Runs `work` and returns what it logged as warning or error.
pub(super) fn with_warnings<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let log = Log::default();
    let lines = Arc::clone(&log.0);
    let result = tracing::subscriber::with_default(log, work);
    let lines = std::mem::take(&mut *lines.lock().expect("no panic while logging"));
    (result, lines)
}

#[derive(Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().expect("no panic while logging").push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let separator = if self.0.is_empty() { "" } else { ", " };
        let name = if field.name() == "message" { String::new() } else { format!("{}: ", field.name()) };
        write!(self.0, "{separator}{name}{value:?}").expect("writing to a string");
    }
}
