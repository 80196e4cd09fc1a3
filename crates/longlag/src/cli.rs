//! The arguments, and the help.

use clap::{Args, Parser, Subcommand, ValueEnum};
use longlag_cells::Cell;
use serde::Serialize;
use std::path::PathBuf;

/// A pool of more threads than any machine has cores for is a slip of the finger.
const MOST_THREADS: usize = 1024;

/// longlag answers by measurement how the LSTM keeps gradients alive over long time lags, when that is
/// not enough, and what else helps.
///
/// An experiment asks a question, measures, and reports numbers, tables and figures. Its report
/// depends on its configuration alone: it is the same to the last bit on every machine, with any
/// number of threads. The book explains the experiments and quotes their reports.
#[derive(Debug, Parser)]
#[command(
    version,
    bin_name = "longlag",
    verbatim_doc_comment,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  longlag list                     the experiments there are
  longlag run trust-the-gradient   run one and print what it found
  longlag book --open              build the book and open it in the browser
  longlag run --help               all that a command can do, with examples

Exit code:
  0 done, 1 the work failed, 2 the command or a file that it names is wrong,
  130 stopped by Ctrl-C; the same command goes on from there

Environment:
  LONGLAG_ISA=portable|avx2|avx512|neon
      The instruction set to compute with, in place of the fastest one of this machine. Every one
      gives the same results; this is an aid for testing that."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(ListArgs),
    Run(RunArgs),
    Record(RecordArgs),
    Verify(VerifyArgs),
    Book(BookArgs),
    Bench(BenchArgs),
    Conform(ConformArgs),
    Ledger(LedgerArgs),
}

/// Show the experiments, their questions and their figures
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag list
  longlag list first-race
  longlag list first-race --config > mine.json   a configuration to change and run")]
pub(crate) struct ListArgs {
    /// Show this experiment only
    pub(crate) name: Option<String>,
    /// Print the published configuration as JSON, as `longlag run NAME --config` reads it
    #[arg(long, requires = "name")]
    pub(crate) config: bool,
}

/// Show what is said about LSTMs and gradients, and the verdicts of all claims
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag ledger
  longlag ledger --json     with the contrast behind each verdict, its intervals and p

Verdicts are judged anew from the committed reports of the experiments; the last page of the book shows them.")]
pub(crate) struct LedgerArgs {
    /// Print JSON: a list of claims, each with id, claim, verdict, figures and chapter
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run experiments and print what they found
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag run trust-the-gradient
  longlag run first-race --seed 7 --out results
  longlag run --all --out results
  longlag list first-race --config > mine.json
  longlag run first-race --config mine.json        after changing numbers in mine.json

A configuration is JSON; fields that it leaves out keep their published value.

With --out, the folder DIR/NAME of each experiment holds report.json (configuration and everything
found), tables/*.csv, series/*.csv (the curves), and figures/*.svg. It appears when all of it is
written, in place of an earlier one. Long work that is stopped by Ctrl-C or killed goes on where it was
when the same command is given again: to the same bits. Until then DIR/NAME.unfinished keeps it.")]
pub(crate) struct RunArgs {
    /// The experiments to run; `longlag list` shows them
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Run every experiment
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
    /// Run with the configuration in this file, not the published one; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write reports, tables, series and figures into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How many threads to compute with; by default one for each core. The results are the same
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Use this seed for the random numbers, instead of the configuration's
    #[arg(long, value_name = "S", value_parser = seed)]
    pub(crate) seed: Option<u64>,
}

/// Run an experiment of long training once, and keep what came out in tests/records
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag record first-race

Stopped by Ctrl-C or killed, it goes on where it was when the same command is given again: to the same
bits. A record belongs to the source folder of longlag that the current folder is in.")]
pub(crate) struct RecordArgs {
    /// The experiment
    pub(crate) name: String,
    /// How many threads to compute with; by default one for each core. The results are the same
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// Compute recorded experiments again, in part or in full, and compare every bit
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag verify                        the starts and some ends of all recorded runs
  longlag verify first-race --full      all of one
  longlag verify first-race --segment 7

Segments are numbered: first the starts of all runs, then the ends that a record can replay.")]
pub(crate) struct VerifyArgs {
    /// The experiments; by default all that are recorded
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Every run from its start to its end
    #[arg(long, conflicts_with = "segment")]
    pub(crate) full: bool,
    /// This segment only
    #[arg(long, value_name = "K")]
    pub(crate) segment: Option<usize>,
    /// How many threads to compute with; by default one for each core. The results are the same
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// Build the book, and open or serve it
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  longlag book --open           build it and open it in the browser; no network is needed
  longlag book --serve --open   show it while you edit: a changed chapter reloads by itself
  longlag book --out site       build it into the folder `site`

The book is built from the source folder of longlag that the current folder is in."
)]
pub(crate) struct BookArgs {
    /// Open the book in the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Serve the book on this machine (127.0.0.1), and rebuild and reload it when a file changes
    #[arg(long)]
    pub(crate) serve: bool,
    /// The port to serve at; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 3000, requires = "serve")]
    pub(crate) port: u16,
    /// Build into this folder instead of target/book
    #[arg(long, value_name = "DIR", conflicts_with = "serve")]
    pub(crate) out: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<BookCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BookCommand {
    /// What `mdbook build book` calls: reads the book from the standard input, writes it with all directives replaced
    #[command(hide = true)]
    Preprocess {
        #[command(subcommand)]
        question: Option<Question>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// mdBook's question whether a renderer is supported; the exit code is the answer
    Supports { renderer: String },
}

/// Measure how fast a layer is on this machine
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  longlag bench
  longlag bench --cell gru --seq-len 784 --batch 64 --input 1 --hidden 128 --threads 2
  longlag bench --mode fwd --json

A training step is the forward pass, the mean of the squares of all outputs, and the backward pass.
GFLOP/s counts 2*B*T*(I+H)*gates*H operations for the forward pass and three times that for a training step."
)]
pub(crate) struct BenchArgs {
    /// The cell
    #[arg(long, value_enum, default_value_t = BenchCell::Lstm)]
    pub(crate) cell: BenchCell,
    /// T, the steps of a sequence
    #[arg(long, value_name = "T", default_value_t = 200, value_parser = size)]
    pub(crate) seq_len: usize,
    /// B, the sequences of a batch
    #[arg(long, value_name = "B", default_value_t = 32, value_parser = size)]
    pub(crate) batch: usize,
    /// I, the inputs of a step
    #[arg(long, value_name = "I", default_value_t = 2, value_parser = size)]
    pub(crate) input: usize,
    /// H, the hidden units
    #[arg(long, value_name = "H", default_value_t = 128, value_parser = size)]
    pub(crate) hidden: usize,
    /// How many threads to compute with
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub(crate) threads: usize,
    /// What to measure
    #[arg(long, value_enum, default_value_t = Mode::Train)]
    pub(crate) mode: Mode,
    /// How long to measure, at least three steps
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// The type of the numbers
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub(crate) dtype: Dtype,
    /// Put the loss on the last step of a network whose gradients vanish
    #[arg(long)]
    pub(crate) vanishing: bool,
    /// Whether gradients below 2^-96 become 0; by default in f32 they do
    #[arg(long, value_name = "YES", action = clap::ArgAction::Set)]
    pub(crate) floor: Option<bool>,
    /// Take the readable way in place of the fused kernel: step by step on the tape
    #[arg(long, conflicts_with_all = ["vanishing", "floor"])]
    pub(crate) composed: bool,
    /// Measure what one core can do at most, in place of a layer
    #[arg(long, conflicts_with_all = ["cell", "seq_len", "batch", "input", "hidden", "threads", "mode", "seconds", "dtype", "vanishing", "floor", "composed"])]
    pub(crate) limits: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Compute what PyTorch, ONNX and others computed, and compare
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longlag conform tests/reference results
  longlag conform tests/reference results --only rnn cell
  longlag conform tests/reference results --only load/state_dict_f16

A case passes if every result is within the tolerance that the case states. What a case asks for and longlag
doesn't know is listed, and is no failure. tests/reference/README.md explains the format; any folder of it will
do.")]
pub(crate) struct ConformArgs {
    /// The folder of the cases, GROUP/NAME in it
    #[arg(value_name = "REFERENCE_DIR")]
    pub(crate) reference: PathBuf,
    /// Write the results here, as GROUP/NAME/result.safetensors
    #[arg(value_name = "RESULTS_DIR")]
    pub(crate) results: PathBuf,
    /// Run the cases of these groups only
    #[arg(long, value_name = "GROUP", num_args = 1..)]
    pub(crate) only: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum BenchCell {
    Lstm,
    Gru,
    RnnTanh,
    RnnRelu,
    GruResetBefore,
}

impl BenchCell {
    pub(crate) fn cell(self) -> Cell {
        match self {
            BenchCell::Lstm => Cell::Lstm,
            BenchCell::Gru => Cell::Gru,
            BenchCell::RnnTanh => Cell::RnnTanh,
            BenchCell::RnnRelu => Cell::RnnRelu,
            BenchCell::GruResetBefore => Cell::GruResetBefore,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// A training step without the gradient of the input
    Train,
    /// A training step with it
    TrainDx,
    /// The forward pass alone, of which nothing is kept
    Fwd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Dtype {
    F32,
    F64,
}

/// A layer with more of anything is a slip of the finger.
const MOST: usize = 1 << 20;

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=MOST).contains(&size) => Ok(size),
        _ => Err(format!("give a whole number from 1 to {MOST}")),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 0 to 3600".to_owned()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=MOST_THREADS).contains(&threads) => Ok(threads),
        _ => Err(format!(
            "give a whole number from 1 to {MOST_THREADS}, or leave it out for one for each core"
        )),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_in_the_help_work() {
        let mut command = Cli::command();
        let helps = [command.clone()].into_iter().chain(command.get_subcommands_mut().map(|c| c.clone()));
        let mut examples = 0;
        for mut help in helps {
            for line in help.render_long_help().to_string().lines() {
                let Some(rest) = line.strip_prefix("  longlag ") else { continue };
                // Behind two spaces a comment begins.
                let line = rest.split("  ").next().unwrap_or(rest).split(" >").next().unwrap_or(rest);
                let words = ["longlag"].into_iter().chain(line.split(' '));
                match Cli::try_parse_from(words) {
                    Ok(cli) => {
                        let names = match cli.command {
                            Command::List(args) => args.name.into_iter().collect(),
                            Command::Run(args) => args.names,
                            Command::Record(args) => vec![args.name],
                            Command::Verify(args) => args.names,
                            Command::Book(_)
                            | Command::Bench(_)
                            | Command::Conform(_)
                            | Command::Ledger(_) => vec![],
                        };
                        for name in names {
                            assert!(longlag_experiments::find(&name).is_some(), "{line}: {name}");
                        }
                    }
                    Err(error) => assert!(!error.use_stderr(), "{line}: {error}"),
                }
                examples += 1;
            }
        }
        assert_eq!(examples, 27);
    }
}
