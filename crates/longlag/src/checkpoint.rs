//! Where runs are, on disk: what a process that is killed leaves for the next one.
//!
//! A checkpoint is written beside its place and renamed, so that the file is the earlier one or the new one,
//! whole. It names what it belongs to and ends in a hash of all that stands before: what is damaged, or
//! belongs to something else, is refused and not computed with.

use longlag_experiments::runs::{Hash, Saved};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, mem};

/// What every checkpoint begins with.
const MAGIC: &[u8] = b"longlag checkpoint 1\n";

/// Where a run is, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) experiment: String,
    /// Of the config's JSON text.
    pub(crate) config: Hash,
    pub(crate) run: String,
    pub(crate) unit: u64,
    pub(crate) over: bool,
    pub(crate) state: Vec<u8>,
    /// Of the state after the first units that a record holds, if the run has come so far.
    pub(crate) first: Option<Hash>,
}

/// Whose a checkpoint is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) experiment: &'a str,
    pub(crate) config: Hash,
    pub(crate) run: &'a str,
}

impl Checkpoint {
    pub(crate) fn saved(&self) -> Saved {
        Saved { unit: self.unit, over: self.over, state: self.state.clone() }
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(postcard::to_allocvec(self).expect("it is plain data"));
        let hash = Hash::of(&bytes).to_string();
        bytes.extend(hash.as_bytes());
        replace(path, &bytes)
    }

    /// Reads the checkpoint of a run.
    ///
    /// # Errors
    /// A message that names the file and what is wrong with it.
    pub(crate) fn read(path: &Path, owner: Owner<'_>) -> Result<Checkpoint, String> {
        let place = path.display();
        let bytes = fs::read(path).map_err(|error| format!("{place}: can't be read: {error}"))?;
        let damaged = |what: &str| format!("{place}: this checkpoint is damaged: {what}");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
            format!("{place}: this is no checkpoint of this version of longlag, or its beginning is damaged")
        })?;
        let (body, hash) = rest.split_last_chunk::<16>().ok_or_else(|| damaged("it ends before its hash"))?;
        if Hash::of(&bytes[..bytes.len() - hash.len()]).to_string().as_bytes() != hash {
            return Err(damaged("its bytes don't have the hash that it ends in"));
        }
        let checkpoint: Checkpoint =
            postcard::from_bytes(body).map_err(|error| damaged(&error.to_string()))?;
        let Owner { experiment, config, run } = owner;
        let of = |what: &str, there: &str, wanted: &str| {
            Err(format!("{place}: this checkpoint belongs to {what} {there}, not to {wanted}"))
        };
        if checkpoint.experiment != experiment {
            return of("the experiment", &checkpoint.experiment, experiment);
        }
        if checkpoint.run != run {
            return of("the run", &checkpoint.run, run);
        }
        if checkpoint.config != config {
            return of("a configuration of hash", &checkpoint.config.to_string(), &config.to_string());
        }
        Ok(checkpoint)
    }
}

/// Writes a file so that it is there whole, or as it was before.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = Beside(path.with_extension("new"));
    let mut file = File::create(&beside.0)?;
    file.write_all(bytes)?;
    // Else the name might reach the disk before the bytes do.
    file.sync_all()?;
    fs::rename(&beside.0, path)?;
    mem::forget(beside);
    Ok(())
}

/// A file that goes away by itself.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            experiment: "race".into(),
            config: Hash::of(b"{}"),
            run: "LSTM 1".into(),
            unit: 70,
            over: false,
            state: (0..200).collect(),
            first: Some(Hash::of(b"first")),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.checkpoint");
        let written = checkpoint();
        written.write(&path).unwrap();
        let owner = Owner { experiment: "race", config: written.config, run: "LSTM 1" };
        assert_eq!(Checkpoint::read(&path, owner).unwrap(), written);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["0.checkpoint"]);
    }

    #[test]
    fn every_flipped_bit_and_every_shorter_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.checkpoint");
        let written = checkpoint();
        written.write(&path).unwrap();
        let owner = Owner { experiment: "race", config: written.config, run: "LSTM 1" };
        let good = fs::read(&path).unwrap();
        for bit in 0..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let error = Checkpoint::read(&path, owner).unwrap_err();
            assert!(error.contains("damaged") && error.contains("0.checkpoint"), "{error}");
        }
        for len in 0..good.len() {
            fs::write(&path, &good[..len]).unwrap();
            let error = Checkpoint::read(&path, owner).unwrap_err();
            assert!(error.contains("damaged"), "{error}");
        }
    }

    #[test]
    fn what_belongs_to_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.checkpoint");
        let written = checkpoint();
        written.write(&path).unwrap();
        let owner = Owner { experiment: "race", config: written.config, run: "LSTM 1" };
        let others = [
            (Owner { experiment: "latch", ..owner }, "the experiment race, not to latch"),
            (Owner { run: "GRU 1", ..owner }, "the run LSTM 1, not to GRU 1"),
            (Owner { config: Hash::of(b"[]"), ..owner }, "a configuration of hash"),
        ];
        for (owner, why) in others {
            let error = Checkpoint::read(&path, owner).unwrap_err();
            assert!(error.contains(&format!("belongs to {why}")), "{error}");
        }
        let gone = Checkpoint::read(&folder.path().join("1.checkpoint"), owner).unwrap_err();
        assert!(gone.contains("can't be read"), "{gone}");
    }
}
