//! Records: a part of each is computed again, and a single wrong bit anywhere in one is noticed and named.

use longlag::record::{Record, recorded};
use longlag_experiments::Entry;
use longlag_tests::{files_in, names_in, root, setup};
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn read(experiment: &'static Entry) -> Record {
    Record::read(&root(), experiment).unwrap_or_else(|error| panic!("{error}"))
}

/// The start of a run and the end of another, of each; `longlag verify` does all that a record can replay.
#[test]
fn segments_give_the_same_bits() {
    setup();
    let records: Vec<Record> = recorded().map(read).collect();
    let segments = records.iter().flat_map(|record| [1, record.segments()].map(|segment| (record, segment)));
    // One after the other, they would leave a core idle most of the time.
    segments.collect::<Vec<_>>().into_par_iter().for_each(|(record, segment)| {
        let replayed = record.replay(segment);
        assert!(replayed.unwrap_or_else(|error| panic!("{error}")) > 0);
    });
}

#[test]
fn snapshots_are_the_records_reports() {
    for experiment in recorded() {
        read(experiment).check_snapshot(&root()).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A record is what is in the folder of records, apart from the benchmarks' measurements; and they stay small.
#[test]
fn records_are_those_of_experiments() {
    let files = files_in("tests/records");
    let mut bytes = 0;
    for path in files {
        bytes += fs::metadata(root().join(&path)).expect("a file").len();
        let rest = path.strip_prefix("tests/records/").expect("it is in there");
        let Some((name, _)) = rest.split_once('/') else {
            assert_eq!(rest, "speed.json");
            continue;
        };
        assert!(recorded().any(|experiment| experiment.name == name), "{path} belongs to no experiment");
    }
    assert!(bytes <= 20_000_000, "the records take {bytes} bytes");
}

/// A copy of the record and the snapshot of an experiment.
fn copy(experiment: &Entry) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let name = experiment.name;
    let record = format!("tests/records/{name}");
    for place in [&*record, "tests/snapshots"] {
        fs::create_dir_all(folder.path().join(place)).expect("a folder");
    }
    let snapshot = format!("tests/snapshots/{name}.snap");
    for file in files_in(&record).into_iter().chain([snapshot]) {
        fs::copy(root().join(&file), folder.path().join(&file)).expect("a copy");
    }
    folder
}

/// Flips the lowest bit of the byte at which `find` points in a file.
fn flip(root: &Path, file: &str, find: impl Fn(&[u8]) -> usize) {
    let path = root.join(file);
    let mut bytes = fs::read(&path).expect("a file");
    let at = find(&bytes);
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("a copy to write to");
}

/// Where a text stands in a file, and how far behind its beginning.
fn behind(text: &str, by: usize) -> impl Fn(&[u8]) -> usize {
    move |bytes| {
        let found = bytes.windows(text.len()).position(|w| w == text.as_bytes());
        found.unwrap_or_else(|| panic!("there is no {text}")) + by
    }
}

#[test]
fn a_flipped_bit_is_noticed_and_named() {
    setup();
    let experiment = recorded().next().expect("something is recorded");
    let name = experiment.name;
    let original = read(experiment);
    let last = original.segments();
    // The checkpoint of the last segment is that of the run of the highest number.
    let number = |file: &String| file.strip_suffix(".checkpoint")?.parse::<usize>().ok();
    let checkpoints = names_in(&format!("tests/records/{name}")).iter().filter_map(number).max();
    let late = format!("tests/records/{name}/{}.checkpoint", checkpoints.expect("a checkpoint"));
    let check = |folder: &TempDir, segment: usize| -> Result<(), String> {
        let record = Record::read(folder.path(), experiment)?;
        record.check_snapshot(folder.path())?;
        record.replay(segment)?;
        Ok(())
    };
    assert_eq!(check(&copy(experiment), last), Ok(()));

    // (file, where the bit is, the segment that is replayed, what the message names)
    let snapshot = format!("tests/snapshots/{name}.snap");
    let (contents, outcomes) =
        (format!("tests/records/{name}/record.json"), format!("tests/records/{name}/outcomes.bin"));
    type Find = Box<dyn Fn(&[u8]) -> usize>;
    let first_digit = |of: &'static str| -> Find { Box::new(behind(of, of.len())) };
    let cases: [(&str, Find, usize, &[&str]); 6] = [
        // A stored figure.
        (&snapshot, first_digit("\"test_images\": "), last, &["facts.test_images"]),
        (&outcomes, Box::new(|bytes| bytes.len() / 2), last, &["outcomes.bin", "the outcome of"]),
        // Hashes: of a run's first units, of an end, of an outcome. A digit of a hash stays one with another lowest bit.
        (&contents, first_digit("\"first\":\""), 1, &["after 50 units", "the record says"]),
        (&contents, first_digit("\"outcome\":\""), 1, &["outcomes.bin", "record.json says"]),
        (&contents, first_digit("\"seed\": "), 1, &["another configuration"]),
        // A checkpoint.
        (&late, Box::new(|bytes| bytes.len() / 2), last, &[".checkpoint", "damaged"]),
    ];
    for (file, find, segment, named) in cases {
        let folder = copy(experiment);
        flip(folder.path(), file, find);
        let error = check(&folder, segment).expect_err(file);
        for named in named {
            assert!(error.contains(named), "{file}: {error}");
        }
    }
    // The hash of an end, of the run whose end is replayed.
    let folder = copy(experiment);
    let end = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.rfind("\"end\":\"").expect("a hash of an end") + "\"end\":\"".len()
    };
    flip(folder.path(), &contents, end);
    let error = check(&folder, last).expect_err("another hash");
    assert!(error.contains("its state at the end") && error.contains("the record says"), "{error}");
}
