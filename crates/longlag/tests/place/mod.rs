//! A folder for one test, and the program started in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The folder.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    /// With these files in it, by name and text.
    pub(crate) fn with(files: &[(&str, &str)]) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            fs::write(place.path(name), text).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments, all its streams piped.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longlag"));
        command.args(arguments.split_whitespace()).current_dir(&self.folder).env_remove("LONGLAG_ISA");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
