//! How a command fails, and what the user gets to see of it.

use crate::book::BookErrors;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command ended early. A message says what is wrong, where, and what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments don't fit together; clap has the message.
    Command(clap::Error),
    /// An argument, a file that it names, or the environment is wrong.
    Usage(String),
    /// The work itself failed.
    Work(String),
    /// The book has errors.
    Book(BookErrors),
    /// Ctrl-C was pressed, and the work can go on later.
    Stopped,
    /// Who reads the standard output has seen enough, as `head` does: no error.
    ReaderGone,
}

impl Failure {
    /// The command needs longlag's source folder, and was given elsewhere.
    pub(crate) fn outside(BookErrors(errors): BookErrors) -> Failure {
        Failure::Usage(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Writes the message to the standard error stream.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Failure::Command(error) => {
                // Where not even this can be written, the exit code has to do.
                let _ = error.print();
                ExitCode::from(2)
            }
            Failure::Usage(message) => {
                complain("error", message);
                ExitCode::from(2)
            }
            Failure::Work(message) => {
                complain("error", message);
                ExitCode::FAILURE
            }
            Failure::Book(BookErrors(errors)) => {
                errors.iter().for_each(|error| complain("error", error));
                ExitCode::FAILURE
            }
            Failure::Stopped => {
                complain("stopped", "the same command goes on from here");
                // As shells say it of a process that SIGINT ended.
                ExitCode::from(130)
            }
            Failure::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

/// Writes a line to the standard error stream, and does without if that is closed.
pub(crate) fn complain(kind: &str, message: impl Display) {
    let _ = writeln!(io::stderr(), "{kind}: {message}");
}

/// Writes to the standard output, at once.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Work(format!("can't write to the standard output: {error}")),
    })
}
