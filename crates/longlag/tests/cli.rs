//! The program as a user meets it: what it prints, what it writes, how it fails.

mod place;

use insta::assert_snapshot;
use longlag_numerics::isa::Isa;
use longlag_report::Report;
use place::Place;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs in a moment.
const TINY: &str = r#"{"cells": ["lstm"], "steps": [1, 2], "batch": 1, "input": 1, "hidden": 2}"#;
const NAME: &str = "trust-the-gradient";

/// Runs almost as fast, and its report has series.
const TINY_RACE: &str = r#"{
    "cells": ["gru"], "runs": 2, "parameters": 600, "updates": 2, "batch": 2, "measure_every": 1,
    "probe_images": 2, "regression_updates": 1
}"#;
const RACE: &str = "first-race";

/// What a run of the program gave.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place::with(&[("tiny.json", TINY), ("race.json", TINY_RACE)])
    }

    #[track_caller]
    fn run(&self, arguments: &str) -> Done {
        done(&mut self.command(arguments), "")
    }

    /// Runs well, and gives the standard output.
    #[track_caller]
    fn good(&self, arguments: &str) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, &*done.stderr), (0, ""), "longlag {arguments}");
        done.stdout
    }

    /// Fails as wrong use, before it prints anything, and gives the message.
    #[track_caller]
    fn wrong(&self, arguments: &str) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, &*done.stdout), (2, ""), "longlag {arguments}: {}", done.stderr);
        // Nothing but the files the test put there.
        let left: Vec<_> = fs::read_dir(&self.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
        done.stderr.replace('\\', "/")
    }

    /// As [`Place::wrong`], with this text as `--config`.
    #[track_caller]
    fn wrong_config(&self, config: &str) -> String {
        fs::write(self.path("broken.json"), config).unwrap();
        let message = self.wrong(&format!("run {NAME} --config broken.json --out results"));
        assert!(!self.path("results").exists());
        message
    }
}

#[track_caller]
fn done(command: &mut Command, input: &str) -> Done {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let done = Done {
        code: output.status.code().expect("ended by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    done
}

/// All files below a folder, by their paths from it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn list_shows_every_experiment() {
    let text = Place::new().good("list");
    for entry in longlag_experiments::all() {
        let lines: Vec<&str> = text.lines().skip_while(|line| *line != entry.name).take(3).collect();
        assert_eq!(lines[1].trim(), entry.question);
        for figure in entry.figures {
            assert!(lines[2].contains(figure.name), "{lines:?}");
        }
    }
}

#[test]
fn list_of_one() {
    assert_snapshot!(Place::new().good("list trust-the-gradient"), @r"
    trust-the-gradient
      Is the gradient that everything else rests on right, for every cell and up to 40 steps?
      figures: trust-the-gradient-agreement

    run it:              longlag run trust-the-gradient
    its configuration:   longlag list trust-the-gradient --config
    ");
}

#[test]
fn the_published_config_is_what_config_reads() {
    let place = Place::new();
    for entry in longlag_experiments::all() {
        let text = place.good(&format!("list {} --config", entry.name));
        assert_eq!(text, entry.default_config());
        assert!(entry.prepare(&text, None).is_ok());
    }
}

#[test]
fn run_prints_a_summary() {
    let text = Place::new().good("run trust-the-gradient --config tiny.json");
    // The figures themselves are the experiments' snapshots.
    let words: String = text.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_snapshot!(words, @r"
    trust-the-gradient
    Is the gradient that everything else rests on right, for every cell and up to 40 steps?
    ");
    assert_snapshot!(text.lines().last().unwrap(), @"`--out DIR` also writes the report, 2 tables, 0 series and 1 figure to files");
    assert!(text.contains("\nfacts\n"), "{text}");
}

#[test]
fn run_writes_report_tables_series_and_figures() {
    let place = Place::new();
    let out = "a/results";
    for (name, file, config) in [(NAME, "tiny.json", TINY), (RACE, "race.json", TINY_RACE)] {
        let text = place.good(&format!("run {name} --config {file} --out {out}"));
        assert_eq!(text.lines().last(), Some(&*format!("written to {out}/{name}")));
        let files = files(&place.path(out).join(name));
        let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();

        let entry = longlag_experiments::find(name).unwrap();
        let direct = entry.prepare(config, None).unwrap()(&longlag_experiments::Silent);
        assert_eq!(text("report.json"), direct.to_snapshot());
        let read = Report::from_snapshot(&text("report.json")).unwrap();
        assert_eq!(read.to_snapshot(), direct.to_snapshot());

        let mut expected = vec!["report.json".to_owned()];
        for (name, table) in direct.tables() {
            let file = format!("tables/{name}.csv");
            assert_eq!(text(&file), table.to_csv());
            expected.push(file);
        }
        for (name, series) in direct.all_series() {
            let file = format!("series/{name}.csv");
            let parts = if series.band().is_some() { &["x", "y", "low", "high"][..] } else { &["x", "y"] };
            let point = |at: usize| {
                let value =
                    |part: &&str| direct.value(&format!("series.{name}.{part}.{at}")).unwrap().to_string();
                parts.iter().map(value).collect::<Vec<_>>().join(",")
            };
            let lines: Vec<String> =
                [parts.join(",")].into_iter().chain((0..series.x().len()).map(point)).collect();
            assert_eq!(text(&file).lines().collect::<Vec<_>>(), lines);
            expected.push(file);
        }
        for figure in entry.figures {
            let file = format!("figures/{}.svg", figure.name);
            let svg = text(&file);
            let parsed = roxmltree::Document::parse(&svg).unwrap();
            assert_eq!(parsed.root_element().tag_name().name(), "svg");
            assert!(svg.contains("<style"), "colours of its own");
            expected.push(file);
        }
        expected.sort();
        assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    }
    let mut names: Vec<_> = fs::read_dir(place.path(out)).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [RACE, NAME], "no folder of the writing is left");
}

#[test]
fn config_from_the_standard_input() {
    let place = Place::new();
    let piped = done(&mut place.command(&format!("run {NAME} --config -")), TINY);
    assert_eq!((piped.code, piped.stderr), (0, String::new()));
    assert_eq!(piped.stdout, place.good(&format!("run {NAME} --config tiny.json")));
    let piped = done(&mut place.command(&format!("run {NAME} --config -")), "{,}");
    assert_eq!((piped.code, piped.stdout), (2, String::new()));
    assert_snapshot!(piped.stderr, @"error: standard input:1:2: key must be a string; `longlag list trust-the-gradient --config` prints a good configuration");
}

#[test]
fn threads_do_not_change_a_byte() {
    let place = Place::new();
    for threads in [1, 2] {
        for run in [format!("{NAME} --config tiny.json"), format!("{RACE} --config race.json")] {
            place.good(&format!("run {run} --out t{threads} --threads {threads}"));
        }
    }
    let one = files(&place.path("t1"));
    assert!(one.len() > 4);
    assert!(one == files(&place.path("t2")));
}

#[test]
fn seed_takes_the_place_of_the_configs() {
    let place = Place::new();
    let of_flag = place.good(&format!("run {NAME} --config tiny.json --seed 7"));
    assert_ne!(of_flag, place.good(&format!("run {NAME} --config tiny.json")));
    fs::write(place.path("tiny.json"), TINY.replacen('{', r#"{"seed": 7, "#, 1)).unwrap();
    assert_eq!(of_flag, place.good(&format!("run {NAME} --config tiny.json")));
}

#[test]
fn results_are_replaced_whole() {
    let place = Place::new();
    let run = format!("run {NAME} --config tiny.json --out results");
    place.good(&run);
    let first = files(&place.path("results"));
    fs::write(place.path("results").join(NAME).join("tables/old.csv"), "old").unwrap();
    place.good(&format!("{run} --seed 7"));
    let second = files(&place.path("results"));
    assert!(first.keys().eq(second.keys()), "the old table is gone");
    assert_ne!(first[&format!("{NAME}/report.json")], second[&format!("{NAME}/report.json")]);
}

#[test]
fn files_that_are_not_longlags_stay() {
    let place = Place::new();
    let run = format!("run {NAME} --config tiny.json --out results");
    place.good(&run);
    fs::write(place.path("results").join(NAME).join("notes.txt"), "mine").unwrap();
    let before = files(&place.path("results"));
    assert_snapshot!(place.wrong(&run), @"error: results/trust-the-gradient: the results would replace `notes.txt`, which is not longlag's; remove it, or give another --out");
    assert!(before == files(&place.path("results")));
}

#[test]
#[cfg(unix)]
fn a_failed_write_leaves_the_earlier_results() {
    let place = Place::new();
    let run = format!("run {NAME} --config tiny.json --out results");
    place.good(&run);
    let before = files(&place.path("results"));
    // No file may have more than one block of 512 or 1024 bytes, and the figure has.
    assert!(before.values().any(|file| file.len() > 1024));
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_longlag")]);
    command.args(run.split(' ')).args(["--seed", "7"]).current_dir(&place.folder);
    let done = done(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()), "");
    assert_eq!(done.code, 1);
    let begin = "error: the results of trust-the-gradient can't be written to results/trust-the-gradient: ";
    assert!(done.stderr.starts_with(begin), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1);
    assert!(done.stdout.contains("\nfacts\n"), "what was found is shown all the same");
    assert!(before == files(&place.path("results")));
}

#[test]
fn out_is_checked_before_the_run() {
    let place = Place::new();
    fs::write(place.path("taken"), "").unwrap();
    // The published config of all experiments takes minutes: an error in a moment came before.
    assert_snapshot!(place.wrong("run --all --out taken"), @"error: --out taken: this is a file; give a folder, or a name that is free");
    let below = place.wrong("run --all --out taken/below");
    assert!(below.starts_with("error: --out taken/below: can't be written ("), "{below}");
    assert_eq!(below.lines().count(), 1);
    fs::create_dir(place.path("results")).unwrap();
    fs::write(place.path("results").join(NAME), "").unwrap();
    let file = place.wrong("run --all --out results");
    assert!(file.contains("results/trust-the-gradient: this is in the place of the results ("), "{file}");
    assert_eq!(fs::read_dir(place.path("results")).unwrap().count(), 1);
}

#[test]
fn a_full_disk_or_closed_output_is_no_panic() {
    let place = Place::new();
    // A reader that is gone: the process ends quietly.
    let mut child = place.command("list").spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    if cfg!(target_os = "linux") {
        for arguments in ["list", "--help"] {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut command = place.command(arguments);
            command.stdout(full);
            let done = done(&mut command, "");
            assert_eq!(done.code, 1);
            assert!(
                done.stderr.starts_with("error: can't write to the standard output: "),
                "{}",
                done.stderr
            );
        }
    }
}

#[test]
fn files_are_written_though_nobody_reads_the_summary() {
    let place = Place::new();
    let mut child = place.command(&format!("run {NAME} --config tiny.json --out results")).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    assert!(place.path("results").join(NAME).join("report.json").exists());
}

#[test]
fn wrong_names() {
    let place = Place::new();
    assert_snapshot!(place.wrong("run frist-race"), @"error: no experiment is called `frist-race`; did you mean `first-race`? `longlag list` shows all");
    assert_snapshot!(place.wrong("list Trust-Gradient"), @"error: no experiment is called `Trust-Gradient`; did you mean `trust-the-gradient`? `longlag list` shows all");
    assert_snapshot!(place.wrong("run"), @"error: no experiment to run: name some of those that `longlag list` shows, or give --all");
    assert_snapshot!(place.wrong("run --all first-race"), @r"
    error: the argument '--all' cannot be used with '[NAME]...'

    Usage: longlag run --all [NAME]...

    For more information, try '--help'.
    ");
    assert_snapshot!(place.wrong("list --config"), @r"
    error: the following required arguments were not provided:
      <NAME>

    Usage: longlag list --config <NAME>

    For more information, try '--help'.
    ");
    assert_snapshot!(place.wrong("rnu"), @r"
    error: unrecognized subcommand 'rnu'

    Usage: longlag <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn wrong_numbers() {
    let place = Place::new();
    assert_snapshot!(place.wrong("run --all --threads 0"), @r"
    error: invalid value '0' for '--threads <N>': give a whole number from 1 to 1024, or leave it out for one for each core

    For more information, try '--help'.
    ");
    let zero = place.wrong("run --all --threads 0");
    for threads in ["two", "-1", "100000", "1.5", "99999999999999999999999"] {
        assert_eq!(
            place.wrong(&format!("run --all --threads={threads}")),
            zero.replace("'0'", &format!("'{threads}'"))
        );
    }
    assert_snapshot!(place.wrong("run --all --seed one"), @r"
    error: invalid value 'one' for '--seed <S>': give a whole number from 0 to 18446744073709551615

    For more information, try '--help'.
    ");
}

#[test]
fn wrong_configs() {
    let place = Place::new();
    assert_snapshot!(place.wrong_config("{\n  \"batch\": 1,\n  \"hidden\" 2\n}\n"), @"error: broken.json:3:12: expected `:`; `longlag list trust-the-gradient --config` prints a good configuration");
    assert_snapshot!(place.wrong_config("{\n  \"batsh\": 1\n}\n"), @"error: broken.json:2:9: unknown field `batsh`, expected one of `seed`, `cells`, `steps`, `batch`, `input`, `hidden`; `longlag list trust-the-gradient --config` prints a good configuration");
    assert_snapshot!(place.wrong_config("{\n  \"batch\": \"one\"\n}\n"), @r#"error: broken.json:2:16: invalid type: string "one", expected usize; `longlag list trust-the-gradient --config` prints a good configuration"#);
    assert_snapshot!(place.wrong_config("{\n  \"batch\": 1,\n  \"hidden\": 0\n}\n"), @"error: broken.json:3:3: `hidden` is 0, but it must be from 1 to 16: every entry of the gradient takes passes of its own; `longlag list trust-the-gradient --config` prints a good configuration");
    assert_snapshot!(place.wrong_config("[]"), @"error: broken.json: a config is a JSON object, `{ … }`; `longlag list trust-the-gradient --config` prints a good configuration");
    assert_snapshot!(place.wrong_config("{ \"cells\": [\"lstm\", \"lstm\"] }"), @r#"error: broken.json:1:3: `cells` is ["lstm","lstm"], but it must list at least one cell, and each only once; `longlag list trust-the-gradient --config` prints a good configuration"#);
    assert_snapshot!(place.wrong_config(""), @"error: broken.json:1:1: EOF while parsing a value; `longlag list trust-the-gradient --config` prints a good configuration");
    assert_snapshot!(place.wrong("run trust-the-gradient first-race --config tiny.json"), @"error: --config with several experiments: a configuration belongs to one experiment; run them one by one, each with its own");
    assert_eq!(
        place.wrong("run --all --config tiny.json"),
        place.wrong("run first-race first-race --config tiny.json")
    );
    let missing = place.wrong("run trust-the-gradient --config missing.json");
    assert!(missing.starts_with("error: can't read the configuration missing.json: "), "{missing}");
    fs::write(place.path("latin1.json"), b"{\"caf\xe9\": 1}").unwrap();
    assert_snapshot!(place.wrong("run trust-the-gradient --config latin1.json"), @"error: latin1.json: this is not a text in UTF-8, so not a configuration in JSON");
}

#[test]
fn bench_measures_and_says_what() {
    let place = Place::new();
    let small = "bench --seq-len 3 --batch 2 --input 2 --hidden 4 --seconds 0";
    for cell in ["lstm", "gru", "rnn_tanh", "rnn_relu", "gru_reset_before"] {
        for mode in ["train", "train_dx", "fwd"] {
            for rest in ["", " --dtype f64", " --threads 2", " --vanishing", " --composed", " --floor false"]
            {
                let line = place.good(&format!("{small} --cell {cell} --mode {mode}{rest} --json"));
                let value: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
                assert_eq!((&value["cell"], &value["mode"]), (&json!(cell), &json!(mode)));
                for field in ["ms_median", "ms_min", "gflops"] {
                    assert!(value[field].as_f64().is_some_and(|x| x > 0.0), "{field}: {line}");
                }
                let [least, median] = ["ms_min", "ms_median"].map(|field| value[field].as_f64());
                assert!(least <= median);
            }
        }
    }
    assert!(place.good(small).contains(" ms, the median of "));
}

#[test]
fn bench_refuses_what_cannot_be() {
    let place = Place::new();
    for (args, part) in [
        ("--hidden 0", "give a whole number from 1 to"),
        ("--seq-len x", "give a whole number from 1 to"),
        ("--seconds -1", "give a number of seconds from 0 to"),
        ("--threads 0", "give a whole number from 1 to"),
        ("--cell lsm", "lstm"),
        ("--mode backward", "train_dx"),
        ("--seq-len 1000000 --batch 1000000 --hidden 1000", "take fewer steps, sequences or units"),
        ("--hidden 1000000 --seq-len 1 --batch 1", "take fewer steps, sequences or units"),
        ("--limits --cell gru", "cannot be used with"),
    ] {
        let error = place.wrong(&format!("bench {args}"));
        assert!(error.contains(part), "{args}: {error}");
    }
}

#[test]
fn no_command_shows_the_help() {
    let place = Place::new();
    let help = place.wrong("");
    for part in ["Usage: longlag <COMMAND>", "  run ", "  list ", "  book ", "  bench ", "LONGLAG_ISA"] {
        assert!(help.contains(part), "{help}");
    }
    assert_eq!(place.good("--version"), format!("longlag {}\n", env!("CARGO_PKG_VERSION")));
    assert_snapshot!(place.good("--help"), @r"
    longlag answers by measurement how the LSTM keeps gradients alive over long time lags, when that is
    not enough, and what else helps.

    An experiment asks a question, measures, and reports numbers, tables and figures. Its report
    depends on its configuration alone: it is the same to the last bit on every machine, with any
    number of threads. The book explains the experiments and quotes their reports.

    Usage: longlag <COMMAND>

    Commands:
      list     Show the experiments, their questions and their figures
      run      Run experiments and print what they found
      record   Run an experiment of long training once, and keep what came out in tests/records
      verify   Compute recorded experiments again, in part or in full, and compare every bit
      book     Build the book, and open or serve it
      bench    Measure how fast a layer is on this machine
      conform  Compute what PyTorch, ONNX and others computed, and compare
      ledger   Show what is said about LSTMs and gradients, and the verdicts of all claims

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

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
          gives the same results; this is an aid for testing that.
    ");
    assert_snapshot!(place.good("run --help"), @r"
    Run experiments and print what they found

    Usage: longlag run [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  The experiments to run; `longlag list` shows them

    Options:
          --all            Run every experiment
          --config <FILE>  Run with the configuration in this file, not the published one; `-` reads the standard input
          --out <DIR>      Write reports, tables, series and figures into this folder
          --threads <N>    How many threads to compute with; by default one for each core. The results are the same
          --seed <S>       Use this seed for the random numbers, instead of the configuration's
      -h, --help           Print help

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
    when the same command is given again: to the same bits. Until then DIR/NAME.unfinished keeps it.
    ");
    assert_snapshot!(place.good("record --help"), @r"
    Run an experiment of long training once, and keep what came out in tests/records

    Usage: longlag record [OPTIONS] <NAME>

    Arguments:
      <NAME>  The experiment

    Options:
          --threads <N>  How many threads to compute with; by default one for each core. The results are the same
      -h, --help         Print help

    Examples:
      longlag record first-race

    Stopped by Ctrl-C or killed, it goes on where it was when the same command is given again: to the same
    bits. A record belongs to the source folder of longlag that the current folder is in.
    ");
    assert_snapshot!(place.good("verify --help"), @r"
    Compute recorded experiments again, in part or in full, and compare every bit

    Usage: longlag verify [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  The experiments; by default all that are recorded

    Options:
          --full         Every run from its start to its end
          --segment <K>  This segment only
          --threads <N>  How many threads to compute with; by default one for each core. The results are the same
      -h, --help         Print help

    Examples:
      longlag verify                        the starts and some ends of all recorded runs
      longlag verify first-race --full      all of one
      longlag verify first-race --segment 7

    Segments are numbered: first the starts of all runs, then the ends that a record can replay.
    ");
    assert_snapshot!(place.good("list --help"), @r"
    Show the experiments, their questions and their figures

    Usage: longlag list [OPTIONS] [NAME]

    Arguments:
      [NAME]  Show this experiment only

    Options:
          --config  Print the published configuration as JSON, as `longlag run NAME --config` reads it
      -h, --help    Print help

    Examples:
      longlag list
      longlag list first-race
      longlag list first-race --config > mine.json   a configuration to change and run
    ");
    assert_snapshot!(place.good("book --help"), @r"
    Build the book, and open or serve it

    Usage: longlag book [OPTIONS]

    Options:
          --open       Open the book in the browser
          --serve      Serve the book on this machine (127.0.0.1), and rebuild and reload it when a file changes
          --port <P>   The port to serve at; 0 takes a free one [default: 3000]
          --out <DIR>  Build into this folder instead of target/book
      -h, --help       Print help

    Examples:
      longlag book --open           build it and open it in the browser; no network is needed
      longlag book --serve --open   show it while you edit: a changed chapter reloads by itself
      longlag book --out site       build it into the folder `site`

    The book is built from the source folder of longlag that the current folder is in.
    ");
}

#[test]
fn instruction_sets() {
    let place = Place::new();
    let with = |isa: &str| {
        let mut command = place.command(&format!("run {NAME} --config tiny.json"));
        command.env("LONGLAG_ISA", isa);
        done(&mut command, "")
    };
    let plain = place.good(&format!("run {NAME} --config tiny.json"));
    let all = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon];
    let (here, elsewhere): (Vec<Isa>, Vec<Isa>) = all.iter().partition(|isa| isa.supported());
    for isa in here {
        let done = with(isa.name());
        assert_eq!((done.code, &*done.stdout, &*done.stderr), (0, &*plain, ""), "{isa}");
    }
    let machine = Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
    assert!(!elsewhere.is_empty(), "no machine has all");
    for isa in elsewhere {
        let done = with(isa.name());
        assert_eq!((done.code, &*done.stdout), (2, ""));
        let message = done.stderr.replace(isa.name(), "[NAME]").replace(&machine, "[THOSE HERE]");
        assert_snapshot!(message, @"error: the environment variable LONGLAG_ISA is wrong: the instruction set `[NAME]` can't be used on this machine; there is: [THOSE HERE]");
    }
    let unknown = with("sse9");
    assert_eq!((unknown.code, &*unknown.stdout), (2, ""));
    assert_snapshot!(unknown.stderr.replace(&machine, "[THOSE HERE]"), @"error: the environment variable LONGLAG_ISA is wrong: no instruction set is called `sse9`; there is: [THOSE HERE]");
}

#[test]
fn book_outside_of_the_source_folder() {
    let place = Place::new();
    let message = place.wrong("book");
    let folder = place.folder.path().canonicalize().unwrap();
    assert_snapshot!(message.replace(folder.to_str().unwrap(), "[FOLDER]"), @"error: neither [FOLDER] nor a folder above it holds Cargo.toml and book/book.toml: run this inside longlag's source folder");
    assert_snapshot!(place.wrong("book --serve --out site"), @r"
    error: the argument '--serve' cannot be used with '--out <DIR>'

    Usage: longlag book --serve

    For more information, try '--help'.
    ");
    assert_snapshot!(place.wrong("book --port 80"), @r"
    error: the following required arguments were not provided:
      --serve

    Usage: longlag book --serve --port <P>

    For more information, try '--help'.
    ");
}

#[test]
fn book_does_not_empty_other_folders() {
    let place = Place::new();
    let mut command = place.command("book --out");
    command.arg(place.folder.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let done = done(&mut command, "");
    assert_eq!((done.code, &*done.stdout), (2, ""));
    assert_snapshot!(done.stderr.replace(place.folder.path().to_str().unwrap(), "[FOLDER]"), @"error: --out [FOLDER]: the folder holds other things than a book, and building would delete them; give another");
    assert!(place.path("tiny.json").exists());
}

#[test]
fn book_is_built_and_its_errors_are_listed() {
    let place = Place::new();
    fs::create_dir_all(place.path("book/en")).unwrap();
    let write = |name: &str, text: &str| fs::write(place.path(name), text).unwrap();
    write("Cargo.toml", "");
    write("book/facts.toml", "");
    let html = "[output.html]\nhash-files = false\ninput-404 = \"\"\n";
    write("book/book.toml", &format!("[book]\ntitle = \"A book\"\nsrc = \"en\"\n{html}"));
    write("book/en/SUMMARY.md", "# Summary\n\n- [One](one.md)\n");
    write("book/en/one.md", "# One\n\nA page.\n");
    for out in ["", " --out site", " --out site"] {
        let folder = if out.is_empty() { "target/book" } else { "site" };
        let text = place.good(&format!("book{out}"));
        let index = text.strip_prefix("the book is at ").unwrap().trim_end();
        assert_eq!(
            Path::new(index).canonicalize().unwrap(),
            place.path(folder).join("index.html").canonicalize().unwrap()
        );
    }
    write("book/en/one.md", "# One\n\n{{#value a.b}}\n\n{{#snapshot c}}\n");
    let before = files(&place.path("site"));
    let done = place.run("book --out site");
    assert_eq!((done.code, &*done.stdout), (1, ""));
    assert_snapshot!(done.stderr, @r"
    error: book/en/one.md:3: there is no report `a`, nor any other in tests/snapshots and tests/records
    error: book/en/one.md:5: there is no snapshot `c`, nor any other in tests/snapshots
    ");
    assert!(before == files(&place.path("site")));
}

#[test]
fn mdbook_is_told_which_renderer_there_is() {
    let place = Place::new();
    assert_eq!(place.good("book preprocess supports html"), "");
    assert_eq!(place.run("book preprocess supports pdf").code, 1);
    let done = done(&mut place.command("book preprocess"), "no book");
    assert_eq!((done.code, &*done.stdout), (1, ""));
    assert!(done.stderr.starts_with("error: mdBook's input or output: "), "{}", done.stderr);
}

#[test]
fn conform_judges_cases_and_writes_their_results() {
    let place = Place::new();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference");
    for case in ["cell/gru_basic", "cell/lstm_basic", "load/file_two_tensors"] {
        for (name, bytes) in files(&reference.join(case)) {
            let to = place.path("cases").join(case).join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }
    assert_snapshot!(place.good("conform cases results"), @"
    cell         2 passed, 0 failed, 0 not known
    load         1 passed, 0 failed, 0 not known
    all          3 passed, 0 failed, 0 not known
    ");
    let written: Vec<_> = files(&place.path("results")).into_keys().collect();
    let expected = ["cell/gru_basic", "cell/lstm_basic", "load/file_two_tensors"];
    assert_eq!(written, expected.map(|case| format!("{case}/result.safetensors")));

    // One that another kind of cell computed, and one that asks for more than there is.
    let change = |case: &str, from: &str, to: &str| {
        let place = place.path("cases").join(case).join("case.json");
        let text = fs::read_to_string(&place).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(place, text.replace(from, to)).unwrap();
    };
    change("cell/gru_basic", "\"bias\": true", "\"bias\": true, \"zoneout\": 0");
    change("cell/lstm_basic", "\"bias\": true", "\"bias\": false");
    let done = place.run("conform cases results --only cell");
    assert_eq!((done.code, &*done.stderr), (1, "error: 1 of 2 cases failed\n"));
    assert_snapshot!(done.stdout, @"
    cell         0 passed, 1 failed, 1 not known
    all          0 passed, 1 failed, 1 not known
    not known cell/gru_basic: the option `zoneout`
    failed cell/lstm_basic: case.json: the option `bias` is false, and true by the tensors
    ");
    let written: Vec<_> = files(&place.path("results")).into_keys().collect();
    assert_eq!(written, ["load/file_two_tensors/result.safetensors"]);
}

#[test]
fn the_ledger_is_printed_in_both_forms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = Place::new();
    let ledger = |arguments: &str| {
        let done = done(place.command(arguments).current_dir(&root), "");
        assert_eq!((done.code, &*done.stderr), (0, ""), "longlag {arguments}");
        done.stdout
    };
    let text = ledger("ledger");
    assert!(text.starts_with("A1   "), "{text}");
    assert!(text.contains("\n     holds      "), "{text}");
    let json: Value = serde_json::from_str(&ledger("ledger --json")).expect("JSON");
    for line in json.as_array().expect("a list") {
        for key in ["id", "claim", "verdict", "figures", "chapter"] {
            assert!(line.get(key).is_some(), "{line} has no {key}");
        }
        let measured = !["open", "identity"].contains(&line["verdict"].as_str().expect("text"));
        assert_eq!(measured, line["figures"].as_array().is_some_and(|f| !f.is_empty()), "{line}");
    }
    let elsewhere = place.wrong("ledger");
    assert!(elsewhere.contains("run this inside longlag's source folder"), "{elsewhere}");
}

#[test]
fn conform_says_what_is_wrong_with_its_folders() {
    let place = Place::new();
    assert_snapshot!(place.wrong("conform nothing results"), @"error: nothing: can't be read (No such file or directory (os error 2)); give a folder of reference cases, such as tests/reference");
    fs::create_dir_all(place.path("cases/cell/one")).unwrap();
    fs::create_dir_all(place.path("empty")).unwrap();
    assert_snapshot!(place.wrong("conform empty results"), @"error: empty: holds no reference cases; they are folders GROUP/NAME with a file case.json in each");
    assert_snapshot!(place.wrong("conform cases results --only rnn"), @"error: --only rnn: there is no such group or case; the groups are cell");
    assert_snapshot!(place.wrong("conform cases tiny.json"), @"error: tiny.json: this folder can't be made (File exists (os error 17)); give another");
}
