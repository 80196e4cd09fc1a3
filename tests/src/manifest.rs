//! The packages' manifests.

use crate::{names_in, read};
use toml::{Table, Value};

/// A package's `Cargo.toml`.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The package's folder, relative to the workspace.
    pub folder: String,
    /// All that the file says.
    pub table: Table,
}

/// A dependency as a manifest states it.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Whether only tests, examples and benchmarks use it.
    pub dev: bool,
    /// What it is called.
    pub name: String,
    /// What stands behind the name: a version, or a table.
    pub value: Value,
}

/// The workspace's own manifest.
pub fn workspace() -> Table {
    parse("Cargo.toml", &read("Cargo.toml"))
}

/// The manifests of all packages: the crates, then `examples` and `tests`.
pub fn packages() -> Vec<Manifest> {
    let crates = names_in("crates").into_iter().map(|name| format!("crates/{name}"));
    let folders = crates.chain(["examples".to_owned(), "tests".to_owned()]);
    let manifest = |folder: String| {
        let path = format!("{folder}/Cargo.toml");
        Manifest { table: parse(&path, &read(&path)), folder }
    };
    folders.map(manifest).collect()
}

/// A manifest's text as a table.
///
/// # Panics
/// If it isn't TOML.
#[track_caller]
pub fn parse(path: &str, text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Manifest {
    /// A key of `[package]`.
    pub fn package(&self, key: &str) -> Option<&Value> {
        self.table.get("package")?.get(key)
    }

    /// The package's name.
    ///
    /// # Panics
    /// If it has none.
    pub fn name(&self) -> &str {
        let name = self.package("name").and_then(Value::as_str);
        name.unwrap_or_else(|| panic!("{}: no package name", self.folder))
    }

    /// All dependencies: of every kind, and on every platform.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let platforms = self.table.get("target").and_then(Value::as_table);
        let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        let mut all = Vec::new();
        for table in [&self.table].into_iter().chain(platforms) {
            for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
                for (name, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                    let (name, value) = (name.clone(), value.clone());
                    all.push(Dependency { dev: kind == "dev-dependencies", name, value });
                }
            }
        }
        all
    }
}
