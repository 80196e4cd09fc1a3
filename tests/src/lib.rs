//! What the tests of the whole workspace share.
//!
//! The key decision: **what the architecture promises is a test, read off the files themselves.** Manifests
//! are parsed ([`manifest`]) and sources cut into tokens ([`source`]), so that a comment or a text that
//! names a thing is not mistaken for its use.

pub mod manifest;
pub mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's folder.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("this package stands in the workspace").to_owned()
}

/// Limits the kernels to the instruction set that the environment variable `LONGLAG_ISA` names, if it is set.
/// Every test that computes calls this first.
///
/// # Panics
/// If there is no set of that name, or this machine can't run it.
pub fn setup() {
    longlag::isa_from_env().unwrap_or_else(|error| panic!("{error}"));
}

/// Runs `assert` so that `insta::assert_snapshot!(name, text)` in it compares with `tests/snapshots/name.snap`, the
/// place where the book finds it.
pub fn with_snapshots<R>(assert: impl FnOnce() -> R) -> R {
    let folder = std::env::var_os(SNAPSHOTS).map_or_else(|| root().join("tests/snapshots"), PathBuf::from);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(assert)
}

/// The environment variable by which a test that breaks snapshots has others compare with its broken copies.
pub const SNAPSHOTS: &str = "LONGLAG_TESTS_SNAPSHOTS";

/// Reads a file of the workspace; `path` is relative to its [`root`].
///
/// # Panics
/// If it isn't there or isn't text.
#[track_caller]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of what is in a folder of the workspace, sorted.
///
/// # Panics
/// If there is no such folder.
#[track_caller]
pub fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry can be read").file_name();
    let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All files below a folder of the workspace (`""` for all of it), sorted, as paths relative to its root with
/// `/` between the parts. What is built (`target`) and git's own folder are left out.
pub fn files_in(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for name in names_in(folder) {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !root().join(&path).is_dir() {
            files.push(path);
        } else if !["target", ".git"].contains(&&*name) {
            files.extend(files_in(&path));
        }
    }
    files
}
