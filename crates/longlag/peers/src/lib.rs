//! What the benchmarks of the peers share: flags, timing, and the line they print.
//!
//! The key decision: **every peer is a program with the flags and the last line of `longlag bench`**, so that one
//! script can alternate them all.

use clap::{Parser, ValueEnum};
use serde_json::json;
use std::process::{Command, exit};
use std::time::Instant;

/// What to measure, from the command line.
#[derive(Parser, Debug)]
pub struct Case {
    /// The recurrent cell.
    #[arg(long, value_enum)]
    pub cell: Cell,
    /// T: steps in a sequence.
    #[arg(long)]
    pub seq_len: usize,
    /// B: sequences in a batch.
    #[arg(long)]
    pub batch: usize,
    /// I: features of the input.
    #[arg(long)]
    pub input: usize,
    /// H: hidden units.
    #[arg(long)]
    pub hidden: usize,
    /// Threads of the peer's pool, if it has one.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// What a repetition computes.
    #[arg(long, value_enum, default_value = "train")]
    pub mode: Mode,
    /// How long to repeat, in seconds; at least three times.
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
    /// Number type; by default f32, or what the peer has.
    #[arg(long, value_enum)]
    pub dtype: Option<Dtype>,
    /// For the likeness to `longlag bench`: a line of JSON is all that is ever printed.
    #[arg(long)]
    pub json: bool,
}

/// A recurrent cell.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Cell {
    /// Long short-term memory with a forget gate.
    Lstm,
    /// Gated recurrent unit.
    Gru,
    /// The plain recurrent network with tanh.
    RnnTanh,
}

/// What a repetition computes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Mode {
    /// Forward, and backward of the mean of the squared outputs, for the parameters' gradients.
    Train,
    /// The same with the gradient of the input.
    TrainDx,
    /// Forward only.
    Fwd,
}

/// A number type.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

/// The environment variable from which rayon, and candle without it, take their number of threads.
const THREADS: &str = "RAYON_NUM_THREADS";

impl Case {
    /// Reads the command line, and sees to the number of threads.
    ///
    /// The peers read that from the environment, which a program can only change safely for another: this one starts
    /// itself again.
    pub fn from_args() -> Case {
        let case = Case::parse();
        let threads = case.threads.to_string();
        if std::env::var(THREADS).as_ref() == Ok(&threads) {
            return case;
        }
        let again = std::env::current_exe().and_then(|program| {
            Command::new(program).args(std::env::args_os().skip(1)).env(THREADS, threads).status()
        });
        match again {
            Ok(status) => exit(status.code().unwrap_or(1)),
            Err(error) => fail(&format!("can't start itself again with {THREADS}: {error}")),
        }
    }

    /// Runs `step` once to warm up, then for as long as asked, and prints the line of JSON.
    ///
    /// `package` is the crate measured, whose version is the one in `Cargo.lock`.
    pub fn measure(&self, package: &str, dtype: Dtype, mut step: impl FnMut()) {
        step();
        let mut times = Vec::new();
        let start = Instant::now();
        while times.len() < 3 || start.elapsed().as_secs_f64() < self.seconds {
            let before = Instant::now();
            step();
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let median = f64::midpoint(times[(times.len() - 1) / 2], times[times.len() / 2]);
        let line = json!({
            "peer": package, "version": version(package),
            "cell": name(self.cell), "mode": name(self.mode), "dtype": name(dtype), "threads": self.threads,
            "T": self.seq_len, "B": self.batch, "I": self.input, "H": self.hidden,
            "ms_median": rounded(median), "ms_min": rounded(times[0]), "repetitions": times.len(),
            "gflops": rounded(self.operations() / median / 1e6),
        });
        println!("{line}");
    }

    /// Multiplications and additions of the matrix products in a repetition; a backward pass has twice the forward's.
    fn operations(&self) -> f64 {
        let gates = match self.cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::RnnTanh => 1,
        };
        let forward = 2 * self.seq_len * self.batch * (self.input + self.hidden) * gates * self.hidden;
        (if self.mode == Mode::Fwd { forward } else { 3 * forward }) as f64
    }
}

/// The version of a package in `Cargo.lock`.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).expect("a dependency");
    rest.split('"').next().expect("a version")
}

/// To four decimals.
fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

/// What a value is called on the command line.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("no value is hidden").get_name().to_owned()
}

/// Ends the program because the peer can't do what is asked.
pub fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    exit(2)
}
