//! A reference case as a test reads it: `case.json` and `tensors.safetensors` of one folder.

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::path::Path;

/// What one folder holds.
pub(crate) struct Case {
    /// The folder's name.
    pub(crate) name: String,
    /// The whole `case.json`.
    pub(crate) json: Value,
    tensors: Vec<u8>,
}

/// All cases of a group, in the order of their names; `crate_folder` is CARGO_MANIFEST_DIR.
pub(crate) fn group(crate_folder: &str, group: &str) -> Vec<Case> {
    let folder =
        Path::new(crate_folder).join("../../tests/reference").join(group);
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    let read = |path: &Path| Case {
        name: path.file_name().unwrap().to_str().unwrap().to_string(),
        json: serde_json::from_slice(
            &std::fs::read(path.join("case.json")).unwrap(),
        )
        .unwrap(),
        tensors: std::fs::read(path.join("tensors.safetensors")).unwrap(),
    };
    names.iter().map(|path| read(path)).collect()
}

impl Case {
    /// What is computed.
    pub(crate) fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap()
    }
    /// An option; null where it is absent.
    pub(crate) fn option(&self, name: &str) -> &Value {
        &self.json["options"][name]
    }
    /// Whether there is such an input.
    pub(crate) fn has(&self, input: &str) -> bool {
        !self.json["inputs"][input].is_null()
    }
    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.tensors)
            .unwrap()
            .tensor(name)
            .unwrap()
            .shape()
            .to_vec()
    }
    /// The numbers of a tensor of floats or whole numbers.
    pub(crate) fn tensor(&self, name: &str) -> Vec<f64> {
        let all = SafeTensors::deserialize(&self.tensors).unwrap();
        let tensor = all
            .tensor(name)
            .unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
        let bytes =
            tensor.data().chunks_exact(8).map(|b| b.try_into().unwrap());
        match tensor.dtype() {
            Dtype::F64 => bytes.map(f64::from_le_bytes).collect(),
            Dtype::I64 => bytes.map(|b| i64::from_le_bytes(b) as f64).collect(),
            other => panic!("{}: {name} is {other:?}", self.name),
        }
    }
    /// Asserts that `got` is the expected tensor, within its tolerance.
    pub(crate) fn check(&self, name: &str, got: impl IntoIterator<Item = f64>) {
        let expected = &self.json["expected"][name];
        let tolerance = |key: &str| expected[key].as_f64().unwrap_or(0.0);
        let (rtol, atol) = (tolerance("rtol"), tolerance("atol"));
        let (got, want): (Vec<f64>, _) =
            (got.into_iter().collect(), self.tensor(name));
        assert_eq!(got.len(), want.len(), "{}: {name}", self.name);
        for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
            let same = got == want || got.is_nan() && want.is_nan();
            let near = (got - want).abs() <= atol + rtol * want.abs();
            assert!(
                same || near,
                "{}: {name}[{i}] is {got:e}, not {want:e}",
                self.name
            );
        }
    }
    /// Asserts that nothing is expected but what `checked` names.
    pub(crate) fn complete(&self, checked: &[&str]) {
        for name in self.json["expected"].as_object().unwrap().keys() {
            assert!(
                checked.contains(&name.as_str()),
                "{}: {name} is not checked",
                self.name
            );
        }
    }
}
