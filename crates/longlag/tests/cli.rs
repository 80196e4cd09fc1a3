//! The program as a user meets it: what it prints, what it writes, how it fails.

use insta::assert_snapshot;
use longlag_numerics::isa::Isa;
use longlag_report::Report;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Runs in a moment, and uses every part of a report.
const TINY: &str = r#"{"cells": ["lstm"], "steps": [1, 2], "batch": 1, "input": 1, "hidden": 2}"#;
const NAME: &str = "trust-the-gradient";

/// What a run of the program gave.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A folder for one test, and the program started in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        fs::write(place.path("tiny.json"), TINY).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longlag"));
        command.args(arguments.split_whitespace()).current_dir(&self.folder).env_remove("LONGLAG_ISA");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &str) -> Done {
        done(self.command(arguments), "")
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
        done.stderr
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
fn done(mut command: Command, input: &str) -> Done {
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
    assert_snapshot!(Place::new().good("list trust-the-gradient"), @"");
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
    assert_snapshot!(words, @"");
    assert_snapshot!(text.lines().last().unwrap(), @"");
    assert!(text.contains("\nfacts\n"), "{text}");
}

#[test]
fn run_writes_report_tables_series_and_figures() {
    let place = Place::new();
    let text = place.good("run trust-the-gradient --config tiny.json --out a/results");
    assert_eq!(text.lines().last(), Some("written to a/results/trust-the-gradient"));
    let folder = place.path("a/results");
    let files = files(&folder);
    let text = |name: &str| String::from_utf8(files[&format!("{NAME}/{name}")].clone()).unwrap();

    let entry = longlag_experiments::find(NAME).unwrap();
    let direct = entry.prepare(TINY, None).unwrap()(&longlag_experiments::Silent);
    assert_eq!(text("report.json"), direct.to_snapshot());
    assert_eq!(Report::from_snapshot(&text("report.json")).unwrap().to_snapshot(), direct.to_snapshot());

    let mut expected = vec![format!("{NAME}/report.json")];
    for (name, table) in direct.tables() {
        assert_eq!(text(&format!("tables/{name}.csv")), table.to_csv());
        expected.push(format!("{NAME}/tables/{name}.csv"));
    }
    for (name, series) in direct.all_series() {
        let csv = text(&format!("series/{name}.csv"));
        let header = if series.band().is_some() { "x,y,low,high" } else { "x,y" };
        assert_eq!(csv.lines().next(), Some(header));
        assert_eq!(csv.lines().count(), 1 + series.x().len());
        expected.push(format!("{NAME}/series/{name}.csv"));
    }
    for figure in entry.figures {
        let svg = text(&format!("figures/{}.svg", figure.name));
        let parsed = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(parsed.root_element().tag_name().name(), "svg");
        assert!(svg.contains("<style"), "colours of its own");
        expected.push(format!("{NAME}/figures/{}.svg", figure.name));
    }
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [NAME], "no folder of the writing is left");
}

#[test]
fn config_from_the_standard_input() {
    let place = Place::new();
    let piped = done(place.command(&format!("run {NAME} --config -")), TINY);
    assert_eq!((piped.code, piped.stderr), (0, String::new()));
    assert_eq!(piped.stdout, place.good(&format!("run {NAME} --config tiny.json")));
    let piped = done(place.command(&format!("run {NAME} --config -")), "{,}");
    assert_eq!((piped.code, piped.stdout), (2, String::new()));
    assert_snapshot!(piped.stderr, @"");
}

#[test]
fn threads_do_not_change_a_byte() {
    let place = Place::new();
    for threads in [1, 2] {
        place.good(&format!("run {NAME} --config tiny.json --out t{threads} --threads {threads}"));
    }
    let one = files(&place.path("t1"));
    assert!(one.len() > 2);
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
fn a_failed_write_leaves_the_earlier_results() {
    let place = Place::new();
    let run = format!("run {NAME} --config tiny.json --out results");
    place.good(&run);
    let before = files(&place.path("results"));
    fs::write(place.path("results").join(NAME).join("notes.txt"), "mine").unwrap();
    assert_snapshot!(place.wrong(&run), @"");
    fs::remove_file(place.path("results").join(NAME).join("notes.txt")).unwrap();
    assert!(before == files(&place.path("results")));
}

#[test]
fn out_is_checked_before_the_run() {
    let place = Place::new();
    fs::write(place.path("taken"), "").unwrap();
    // The published config of all experiments takes minutes: an error in a moment came before.
    assert_snapshot!(place.wrong("run --all --out taken"), @"");
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
            let done = done(command, "");
            assert_eq!(done.code, 1);
            assert!(done.stderr.starts_with("error: can't write to the standard output: "), "{}", done.stderr);
        }
    }
}

#[test]
fn files_are_written_though_nobody_reads_the_summary() {
    let place = Place::new();
    let mut child = place.command(&format!("run {NAME} {NAME} --seed 3 --out results")).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    assert!(place.path("results").join(NAME).join("report.json").exists());
}

#[test]
fn wrong_names() {
    let place = Place::new();
    assert_snapshot!(place.wrong("run frist-race"), @"");
    assert_snapshot!(place.wrong("list Trust-Gradient"), @"");
    assert_snapshot!(place.wrong("run"), @"");
    assert_snapshot!(place.wrong("run --all first-race"), @"");
    assert_snapshot!(place.wrong("list --config"), @"");
    assert_snapshot!(place.wrong("rnu"), @"");
}

#[test]
fn wrong_numbers() {
    let place = Place::new();
    assert_snapshot!(place.wrong("run --all --threads 0"), @"");
    let zero = place.wrong("run --all --threads 0");
    for threads in ["two", "-1", "100000", "1.5", "99999999999999999999999"] {
        assert_eq!(place.wrong(&format!("run --all --threads={threads}")), zero.replace("'0'", &format!("'{threads}'")));
    }
    assert_snapshot!(place.wrong("run --all --seed one"), @"");
}

#[test]
fn wrong_configs() {
    let place = Place::new();
    assert_snapshot!(place.wrong_config("{\n  \"batch\": 1,\n  \"hidden\" 2\n}\n"), @"");
    assert_snapshot!(place.wrong_config("{\n  \"batsh\": 1\n}\n"), @"");
    assert_snapshot!(place.wrong_config("{\n  \"batch\": \"one\"\n}\n"), @"");
    assert_snapshot!(place.wrong_config("{\n  \"batch\": 1,\n  \"hidden\": 0\n}\n"), @"");
    assert_snapshot!(place.wrong_config(""), @"");
    assert_snapshot!(place.wrong("run trust-the-gradient first-race --config tiny.json"), @"");
    assert_eq!(place.wrong("run --all --config tiny.json"), place.wrong("run first-race first-race --config tiny.json"));
    let missing = place.wrong("run trust-the-gradient --config missing.json");
    assert!(missing.starts_with("error: can't read the configuration missing.json: "), "{missing}");
    fs::write(place.path("latin1.json"), b"{\"caf\xe9\": 1}").unwrap();
    assert_snapshot!(place.wrong("run trust-the-gradient --config latin1.json"), @"");
}

#[test]
fn no_command_shows_the_help() {
    let place = Place::new();
    let help = place.wrong("");
    for part in ["Usage: longlag <COMMAND>", "  run ", "  list ", "  book ", "LONGLAG_ISA"] {
        assert!(help.contains(part), "{help}");
    }
    assert_eq!(place.good("--help"), place.good("-h").replace("", ""));
    assert_eq!(place.good("--version"), format!("longlag {}\n", env!("CARGO_PKG_VERSION")));
    assert_snapshot!(place.good("--help"), @"");
    assert_snapshot!(place.good("run --help"), @"");
    assert_snapshot!(place.good("list --help"), @"");
    assert_snapshot!(place.good("book --help"), @"");
}

#[test]
fn instruction_sets() {
    let place = Place::new();
    let with = |isa: &str| {
        let mut command = place.command(&format!("run {NAME} --config tiny.json"));
        command.env("LONGLAG_ISA", isa);
        done(command, "")
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
        assert_snapshot!(message, @"");
    }
    let unknown = with("sse9");
    assert_eq!((unknown.code, &*unknown.stdout), (2, ""));
    assert_snapshot!(unknown.stderr.replace(&machine, "[THOSE HERE]"), @"");
}

#[test]
fn book_outside_of_the_source_folder() {
    let place = Place::new();
    let message = place.wrong("book");
    let folder = place.folder.path().canonicalize().unwrap();
    assert_snapshot!(message.replace(folder.to_str().unwrap(), "[FOLDER]"), @"");
    assert_snapshot!(place.wrong("book --serve --out site"), @"");
    assert_snapshot!(place.wrong("book --port 80"), @"");
}

#[test]
fn book_does_not_empty_other_folders() {
    let place = Place::new();
    let mut command = place.command("book --out");
    command.arg(place.folder.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let done = done(command, "");
    assert_eq!((done.code, &*done.stdout), (2, ""));
    assert_snapshot!(done.stderr.replace(place.folder.path().to_str().unwrap(), "[FOLDER]"), @"");
    assert!(place.path("tiny.json").exists());
}

#[test]
fn mdbook_is_told_which_renderer_there_is() {
    let place = Place::new();
    assert_eq!(place.good("book preprocess supports html"), "");
    assert_eq!(place.run("book preprocess supports pdf").code, 1);
    let done = done(place.command("book preprocess"), "no book");
    assert_eq!((done.code, &*done.stdout), (1, ""));
    assert!(done.stderr.starts_with("error: mdBook's input or output: "), "{}", done.stderr);
}
