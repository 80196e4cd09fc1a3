//! The program `longlag`: it lists and runs the experiments, and builds the book.
//!
//! The key decision: **whatever a result must not depend on is here.** The experiments are pure functions;
//! files, the terminal, threads and the environment belong to this crate, so that no report can see them.
//! And what a run writes appears whole or not at all: long work is neither lost to a folder that can't be
//! written nor left in halves. Time, too, is measured here alone: `longlag bench` says how fast a layer is.
//!
//! - [`main`]: the program. [`isa_from_env`]: the environment variable that the tests read as well.
//! - [`record`]: experiments that are run once and replayed.
//! - [`book`]: the book. [`ReportFigures`]: its figures, drawn from reports.

mod bench;
pub mod book;
mod cell_diagrams;
mod checkpoint;
mod cli;
mod config;
mod conform;
mod failure;
mod figures;
mod isa;
pub mod ledger;
mod limits;
mod list;
mod output;
mod read;
pub mod record;
mod run;
mod work;

pub use figures::{ReportFigures, figures};
pub use isa::isa_from_env;

use clap::Parser;
use cli::{Cli, Command};
use failure::{Failure, print};
use std::process::ExitCode;

/// Runs the program with the process's arguments.
///
/// The exit code is 0 when all is done, 1 when the work failed, 2 when the command, a file that it names or
/// the environment is wrong, 130 when Ctrl-C stopped it. Every error is a line on the standard error stream.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => isa_from_env().map_err(Failure::Usage).and_then(|_| match cli.command {
            Command::List(args) => list::list(&args),
            Command::Run(args) => run::run(args),
            Command::Book(args) => read::book(args),
            Command::Bench(args) => bench::bench(args),
            Command::Conform(args) => conform::conform(&args),
            Command::Ledger(args) => ledger::ledger(&args),
            Command::Record(args) => record::record(args),
            Command::Verify(args) => record::verify(args),
        }),
        // Help and version that were asked for.
        Err(text) if !text.use_stderr() => print(&text.render().to_string()),
        Err(error) => Err(Failure::Command(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
