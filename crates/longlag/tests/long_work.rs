//! Long work that is stopped, killed, damaged or mixed up.
#![cfg(unix)]

mod place;

use place::Place;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

/// Takes long enough to be stopped in the middle.
const CONFIG: &str = r#"{
    "cells": ["lstm", "gru"], "orders": ["rows"], "runs": 1, "parameters": 600, "updates": 6000, "batch": 4,
    "measure_every": 3000, "probe_images": 2, "regression_updates": 1
}"#;

impl Place {
    fn new() -> Place {
        Place::with(&[("race.json", CONFIG)])
    }

    /// Exit code and standard error stream.
    fn run(&self, arguments: &str) -> (i32, String) {
        ended(self.command(arguments).spawn().unwrap())
    }

    /// Starts the race, and waits until its first run is under way.
    fn begun(&self) -> Child {
        let child = self.command(RUN).spawn().unwrap();
        let late = self.path("out/first-race.unfinished/0.late");
        while !late.exists() {
            sleep(Duration::from_millis(2));
        }
        child
    }

    fn report(&self) -> String {
        fs::read_to_string(self.path("out/first-race/report.json")).unwrap()
    }
}

const RUN: &str = "run first-race --config race.json --out out --threads 1";

fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code().unwrap_or(-1), error)
}

#[test]
fn stopped_and_killed_it_ends_in_the_same_bits() {
    let whole = Place::new();
    assert_eq!(whole.run(RUN), (0, String::new()));
    assert!(!whole.path("out/first-race.unfinished").exists());

    let place = Place::new();
    let child = place.begun();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let (code, error) = ended(child);
    assert_eq!((code, &*error), (130, "stopped: the same command goes on from here\n"));
    assert!(!place.path("out/first-race").exists(), "no results before the end");
    let checkpoint = place.path("out/first-race.unfinished/0.checkpoint");
    let stopped_at = fs::read(&checkpoint).unwrap();

    // Killed without warning, in the middle of whatever it does.
    for milliseconds in [1, 30, 200] {
        let mut child = place.command(RUN).spawn().unwrap();
        sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    assert!(fs::read(&checkpoint).unwrap() == stopped_at, "a run is saved every few seconds");

    let (code, error) = place.run(RUN);
    assert_eq!(code, 0, "{error}");
    assert!(
        error.starts_with("note: first-race goes on where it was stopped: 1 of 2 runs were begun"),
        "{error}"
    );
    assert_eq!(place.report(), whole.report());
    assert!(!place.path("out/first-race.unfinished").exists());
}

#[test]
fn what_is_damaged_or_foreign_is_refused() {
    let place = Place::new();
    let child = place.begun();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(ended(child).0, 130);

    // Another configuration in the same place.
    let (code, error) = place.run(&format!("{RUN} --seed 2"));
    assert_eq!(code, 2);
    assert!(
        error.contains("another configuration was stopped here") && error.contains("remove the folder"),
        "{error}"
    );

    let path = place.path("out/first-race.unfinished/0.checkpoint");
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&path, &bytes).unwrap();
    let (code, error) = place.run(RUN);
    assert_eq!(code, 1);
    let named = error.contains("0.checkpoint: this checkpoint is damaged");
    assert!(named && error.contains("remove the file, and the run begins anew"), "{error}");
    assert!(fs::read(&path).unwrap() == bytes, "what can't be read is left as it is");

    // That of another run.
    fs::write(&path, &good).unwrap();
    fs::rename(&path, place.path("out/first-race.unfinished/1.checkpoint")).unwrap();
    let (code, error) = place.run(RUN);
    assert_eq!(code, 1);
    assert!(error.contains("belongs to the run row by row LSTM 1, not to row by row GRU 1"), "{error}");
}

#[test]
fn records_are_for_what_is_recorded_and_for_the_source_folder() {
    let place = Place::new();
    let cases = [
        ("record trust-the-gradient", "trust-the-gradient is not recorded"),
        ("verify trust-the-gradient", "trust-the-gradient is not recorded"),
        ("record frist-race", "no experiment is called `frist-race`; did you mean `first-race`?"),
        ("verify --segment 1 first-race first-race", "--segment belongs to one record"),
        ("verify first-race", "inside longlag's source folder"),
        ("record first-race", "inside longlag's source folder"),
    ];
    for (arguments, message) in cases {
        let (code, error) = place.run(arguments);
        assert_eq!(code, 2, "{arguments}: {error}");
        assert!(error.contains(message) && error.lines().count() == 1, "{arguments}: {error}");
    }
}
