//! What the architecture promises, read off manifests and sources.
//!
//! Most of it is absences. Each rule first proves on made-up code that it sees what it forbids.

use longlag_tests::manifest::{self, Manifest};
use longlag_tests::source::{Source, all_code, product_code};
use longlag_tests::{files_in, names_in, read, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// The crates, and which of the others each may depend on (tests may use any).
const EDGES: [(&str, &[&str]); 9] = [
    ("numerics", &[]),
    ("autodiff", &["numerics"]),
    ("cells", &["numerics", "autodiff"]),
    ("optim", &["numerics"]),
    ("train", &["autodiff", "cells", "optim", "numerics"]),
    ("probe", &["cells", "autodiff", "numerics"]),
    ("report", &["numerics"]),
    ("experiments", &["train", "probe", "report", "cells", "optim", "autodiff", "numerics"]),
    ("longlag", &["experiments", "train", "probe", "report", "cells", "optim", "autodiff", "numerics"]),
];

/// The crates whose code makes results; `longlag` only carries them in and out.
const RESULT_CRATES: [&str; 8] =
    ["numerics", "autodiff", "cells", "optim", "train", "probe", "report", "experiments"];

/// Files that may say `allow(clippy::disallowed_methods)` outside of tests, each with the reason there.
const MAY_CALL_STD: [&str; 0] = [];

/// Tests with `unsafe` in them: allocators that count.
const MAY_BE_UNSAFE: [&str; 2] =
    ["crates/numerics/tests/buffer.rs", "crates/numerics/tests/product_allocation.rs"];

/// Functions of `f32` and `f64` whose last bits the standard library leaves to the platform.
const UNPORTABLE: [&str; 26] = [
    "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "powf", "powi", "sin", "cos", "tan",
    "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt",
    "hypot",
];

/// Those of them that `Real` has too, so that generic code calls them rightly.
const OF_REAL: [&str; 5] = ["exp", "exp_m1", "ln", "ln_1p", "tanh"];

// ---------------------------------------------------------------------------------------------- the layout

/// What stands at the workspace's top level, apart from `target` and what begins with a dot.
const TOP_LEVEL: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "book",
    "clippy.toml",
    "crates",
    "examples",
    "rustfmt.toml",
    "tests",
];

#[test]
fn top_level() {
    let found = names_in("");
    let missing: Vec<_> = TOP_LEVEL.iter().filter(|name| !found.contains(&(**name).to_owned())).collect();
    assert!(missing.is_empty(), "the top level lacks {missing:?}");
    assert_eq!(names_in(".ci"), ["neon", "run", "sanitize"]);

    // What git doesn't know may lie there: results of one's own runs, say. Without git there is no telling.
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let Some(listing) = git.ok().filter(|git| git.status.success()) else { return };
    let listing = String::from_utf8(listing.stdout).expect("names are UTF-8");
    let tracked: BTreeSet<&str> = listing.split('\0').filter_map(|path| path.split('/').next()).collect();
    let known = |name: &&&str| name.is_empty() || name.starts_with('.') || TOP_LEVEL.contains(*name);
    let strange: Vec<_> = tracked.iter().filter(|name| !known(name)).collect();
    assert!(strange.is_empty(), "the top level holds {strange:?}");
}

#[test]
fn crates_and_members() {
    let mut crates = EDGES.map(|(name, _)| name).to_vec();
    crates.sort_unstable();
    assert_eq!(names_in("crates"), crates);

    let workspace = manifest::workspace();
    assert!(!workspace.contains_key("package"), "the workspace's manifest is virtual");
    let members = workspace["workspace"]["members"].as_array().expect("a list of members");
    let members: Vec<_> = members.iter().filter_map(|m| m.as_str()).collect();
    assert_eq!(members, ["crates/*", "examples", "tests"]);
}

#[test]
fn names() {
    for package in manifest::packages() {
        let folder = package.folder.rsplit('/').next().expect("a folder has a name");
        let name = if folder == "longlag" { "longlag".to_owned() } else { format!("longlag-{folder}") };
        assert_eq!(package.name(), name, "{}", package.folder);
        let renamed = ["bin", "lib"].into_iter().find(|target| package.table.contains_key(*target));
        assert_eq!(renamed, None, "{}: its targets have the names that Cargo gives", package.folder);
        assert!(package.package("default-run").is_none(), "{}", package.folder);
    }
    assert!(names_in("crates/longlag/src").contains(&"main.rs".to_owned()), "the binary longlag");
}

// ------------------------------------------------------------------------------------------- the manifests

#[test]
fn packages_inherit() {
    let workspace = manifest::workspace();
    let shared = workspace["workspace"]["package"].as_table().expect("shared metadata");
    let mut descriptions = BTreeSet::new();
    for package in manifest::packages() {
        let folder = &package.folder;
        for key in ["version", "edition", "rust-version", "license", "authors", "publish"] {
            assert!(shared.contains_key(key), "[workspace.package] has no {key}");
            let inherits = package.package(key).and_then(|value| value.get("workspace"));
            assert_eq!(inherits.and_then(|v| v.as_bool()), Some(true), "{folder}: {key}.workspace = true");
        }
        let description = package.package("description").and_then(|d| d.as_str()).unwrap_or("");
        assert!(description.len() > 20, "{folder}: a description of the package");
        assert!(descriptions.insert(description.to_owned()), "{folder}: another package's description");
    }
}

#[test]
fn packages_share_lints() {
    let workspace = manifest::workspace();
    let shared = &workspace["workspace"]["lints"];
    assert_eq!(shared["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for Manifest { folder, table } in manifest::packages() {
        let lints = table.get("lints").unwrap_or_else(|| panic!("{folder}: no [lints]"));
        if folder != "crates/numerics" {
            assert_eq!(lints.get("workspace").and_then(|v| v.as_bool()), Some(true), "{folder}: lints");
            continue;
        }
        // Here alone `unsafe` may stand; else its lints are the others' and more.
        assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("deny"));
        for (tool, levels) in shared.as_table().expect("a table of tools") {
            for (lint, level) in levels.as_table().expect("a table of lints") {
                let own = lints.get(tool).and_then(|levels| levels.get(lint));
                assert!(
                    lint == "unsafe_code" || own == Some(level),
                    "{folder}: {tool} lint {lint} is {own:?}"
                );
            }
        }
    }
}

#[test]
fn versions_stand_in_one_place() {
    let workspace = manifest::workspace();
    let shared = workspace["workspace"]["dependencies"].as_table().expect("shared dependencies");
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in manifest::packages() {
        for dependency in package.dependencies() {
            let inherits = dependency.value.get("workspace").and_then(|value| value.as_bool());
            if inherits != Some(true) || !shared.contains_key(&dependency.name) {
                wrong.push(format!("{}: {} has a version of its own", package.folder, dependency.name));
            }
            used.insert(dependency.name);
        }
    }
    assert!(wrong.is_empty(), "move them to [workspace.dependencies]:\n{}", wrong.join("\n"));
    let unused: Vec<_> = shared.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "[workspace.dependencies] that no package uses: {unused:?}");

    let paths = shared.iter().filter_map(|(name, value)| Some((name, value.get("path")?.as_str()?)));
    for (name, path) in paths {
        let folder = name.strip_prefix("longlag-").unwrap_or(name);
        assert_eq!(path, format!("crates/{folder}"), "the path of {name}");
    }
}

// ------------------------------------------------------------------------------------------------ the edges

#[test]
fn edges() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    for package in manifest::packages() {
        let Some(name) = package.folder.strip_prefix("crates/") else { continue };
        let forbidden = edges_of(&package).into_iter().find(|to| !allowed[name].contains(&&**to));
        assert_eq!(forbidden, None, "{name} must not depend on it");
    }
}

/// The crates of ours that a package depends on, apart from its tests.
fn edges_of(package: &Manifest) -> Vec<String> {
    let ours =
        |name: &str| Some(name.strip_prefix("longlag").map(|rest| rest.trim_start_matches('-'))?.to_owned());
    package.dependencies().into_iter().filter(|d| !d.dev).filter_map(|d| ours(&d.name)).collect()
}

#[test]
fn edges_are_seen_in_every_table() {
    let text = "
        [dependencies]
        longlag-numerics.workspace = true
        ndarray.workspace = true
        [dev-dependencies]
        longlag-report.workspace = true
        [build-dependencies]
        longlag-cells.workspace = true
        [target.'cfg(unix)'.dependencies]
        longlag-train = { workspace = true }
    ";
    let package = Manifest { folder: "made up".into(), table: manifest::parse("made up", text) };
    assert_eq!(edges_of(&package), ["numerics", "cells", "train"]);
}

// --------------------------------------------------------------------------------------------- the absences

/// Holds `rule`, which finds tokens and says what is wrong with them, against `sources`; before that, makes
/// sure that it finds something in each text of `seen` and nothing in `unseen`.
#[track_caller]
fn hold(sources: Vec<Source>, rule: impl Fn(&Source) -> Vec<(usize, String)>, seen: &[&str], unseen: &str) {
    for text in seen {
        assert!(!rule(&Source::of("made up", text, false)).is_empty(), "the rule doesn't see {text}");
    }
    assert_eq!(rule(&Source::of("made up", unseen, false)), [], "the rule sees ghosts");
    assert!(!sources.is_empty(), "there are sources to look at");
    let found = sources.iter().flat_map(|s| rule(s).into_iter().map(|(token, what)| s.at(token, &what)));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The product code of some crates.
fn code_of(crates: &[&str]) -> Vec<Source> {
    crates.iter().flat_map(|name| product_code(&format!("crates/{name}/src"))).collect()
}

/// Finds sequences of tokens.
fn any_of(sequences: &[impl AsRef<str>]) -> impl Fn(&Source) -> Vec<(usize, String)> {
    move |source| {
        let places = |s: &str| source.find(s).map(|at| (at, format!("`{s}`"))).collect::<Vec<_>>();
        sequences.iter().flat_map(|s| places(s.as_ref())).collect()
    }
}

/// Finds names that have one of these words in them, whatever the case: `rnn` in `RnnTanh` and in `NEW_RNN`.
fn any_word_of(words: &[&str]) -> impl Fn(&Source) -> Vec<(usize, String)> {
    move |source| {
        let named = |text: &str| words_of(text).iter().any(|word| words.contains(&&**word));
        let tokens = source.tokens.iter().enumerate().filter(|(_, token)| named(&token.text));
        tokens.map(|(at, token)| (at, format!("`{}`", token.text))).collect()
    }
}

/// The words of a name in snake, camel or upper case, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || c.is_uppercase() && after_lower {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("there is a word").extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words
}

#[test]
fn optim_names_no_tape() {
    let rule = any_of(&["longlag_autodiff", "Tape", "Var", "Bound", "Grads"]);
    let seen =
        ["use longlag_autodiff::check;", "fn step<T>(w: Var<'_, T>) {}", "struct A { tape: Tape<f32> }"];
    hold(code_of(&["optim"]), rule, &seen, "/// A [`Tape`].\nconst VARIANCE: &str = \"Var\";");
}

#[test]
fn autodiff_names_no_cell() {
    let words = any_word_of(&["lstm", "gru", "rnn"]);
    let names = any_of(&["longlag_cells", "Cell"]);
    let rule = |source: &Source| [words(source), names(source)].concat();
    let seen = ["struct FusedLstm;", "fn gru_step() {}", "const RNN_TANH: u8 = 0;", "fn f(cell: Cell) {}"];
    hold(code_of(&["autodiff"]), rule, &seen, "// an LSTM\nuse std::cell::RefCell; fn congruent() {}");
}

#[test]
fn cells_name_no_loss_and_no_optimizer() {
    let words =
        any_word_of(&["loss", "losses", "entropy", "mse", "sgd", "adam", "optimizer", "clip", "trainer"]);
    let names = any_of(&["longlag_optim", "longlag_train"]);
    let rule = |source: &Source| {
        let mut found = [words(source), names(source)].concat();
        // An attribute of ONNX's operators, which bounds sums and no gradient.
        found.retain(|(_, what)| !(source.path.ends_with("onnx.rs") && what == "`clip`"));
        found
    };
    let seen = ["fn cross_entropy() {}", "let loss = 0.0;", "struct AdamW;", "use longlag_optim::Clip;"];
    hold(code_of(&["cells"]), rule, &seen, "/// The loss.\nfn eclipse() { lossless() }");
}

/// What of the standard library neither reads nor writes anything outside the program.
const PURE_STD: [&str; 22] = [
    "array",
    "borrow",
    "boxed",
    "cell",
    "cmp",
    "collections",
    "convert",
    "error",
    "f32",
    "f64",
    "fmt",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "rc",
    "slice",
    "str",
    "string",
    "sync",
];

#[test]
fn experiments_do_no_io_and_read_no_clock_or_environment() {
    let rest = any_of(&[
        "print !",
        "println !",
        "eprint !",
        "eprintln !",
        "dbg !",
        "env !",
        "option_env !",
        "extern",
        // What depends on the threads.
        "current_num_threads",
        "current_thread_index",
        "available_parallelism",
        "thread_local !",
    ]);
    let rule = |source: &Source| {
        let impure = source.std_modules().into_iter().filter(|&at| !PURE_STD.contains(&source.text(at)));
        let impure = impure.map(|at| (at, format!("`std::{}`", source.text(at))));
        impure.chain(rest(source)).collect()
    };
    let seen = [
        "use std::{fmt, io::Write};",
        "use std::{ops::{Add, Mul}, time};",
        "fn f() -> bool { std::env::var(\"SEED\").is_ok() }",
        "let t = ::std::time::Instant::now();",
        "use std as s;\nuse core::arch;",
        "fn f() { println!(); }",
        "let chunk = n / rayon::current_num_threads();",
    ];
    let unseen = "use std::collections::{BTreeMap, BTreeSet};\n// std::fs\nconst HELP: &str = \"std::env\";";
    hold(code_of(&["experiments"]), rule, &seen, unseen);
}

/// Whoever needs one of these functions writes `Real::tanh(x)`. In generic code over `Real` that is `x.tanh()`
/// just as well, and only types tell it from std's: those calls clippy watches, by the list in `clippy.toml`.
/// Here every other way to write one is forbidden, and that one too in files that don't name `Real`.
#[test]
fn no_transcendental_function_of_std() {
    let paths = UNPORTABLE.iter().flat_map(|f| [format!("f32 :: {f}"), format!("f64 :: {f}")]);
    let others = UNPORTABLE.iter().filter(|f| !OF_REAL.contains(f)).map(|f| format!(". {f} ("));
    let anywhere: Vec<String> = paths.chain(others).collect();
    let rule = |source: &Source| {
        let mut found = any_of(&anywhere)(source);
        if source.find("Real").next().is_none() {
            found.extend(any_of(&OF_REAL.map(|f| format!(". {f} (")))(source));
        }
        found
    };
    let seen = [
        "use longlag_numerics::Real; fn f(x: f32) -> f32 { x.powi(2) }",
        "use longlag_numerics::Real; fn f(x: &[f64]) { x.iter().copied().map(f64::tanh); }",
        "fn f(x: f64) -> f64 { x.exp() }",
        "fn f() -> f64 { 2_f64 . log10 () }",
    ];
    let unseen =
        "use longlag_numerics::Real; fn f<R: Real>(x: R) -> R { x.tanh() * Real::exp(x) } // f64::sin";
    let crates: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let mut sources = code_of(&crates);
    sources.retain(|source| !MAY_CALL_STD.contains(&&*source.path));
    hold(sources, rule, &seen, unseen);
}

#[test]
fn no_way_around_the_lints() {
    let levels = ["allow", "expect", "warn"].map(|level| format!("{level} ( clippy :: disallowed_methods"));
    let rule = any_of(&levels);
    let seen = [
        "#![allow(clippy::disallowed_methods)]",
        "#[expect(clippy::disallowed_methods, reason = \"\")] fn f() {}",
    ];
    let crates: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let mut sources = code_of(&crates);
    sources.retain(|source| !MAY_CALL_STD.contains(&&*source.path));
    hold(sources, rule, &seen, "#[cfg(test)]\n#[allow(clippy::disallowed_methods)]\nmod tests {}");
}

#[test]
fn clippy_watches_all_of_them() {
    let table = manifest::parse("clippy.toml", &read("clippy.toml"));
    let listed = table["disallowed-methods"].as_array().expect("a list of methods");
    let listed: BTreeSet<&str> = listed.iter().filter_map(|method| method.get("path")?.as_str()).collect();
    let floats = ["f32", "f64"].iter().flat_map(|t| UNPORTABLE.map(|f| format!("{t}::{f}")));
    let reductions = REDUCTIONS.map(|f| format!("rayon::iter::ParallelIterator::{f}"));
    let products =
        ["Dot::dot", "general_mat_mul", "general_mat_vec_mul"].map(|f| format!("ndarray::linalg::{f}"));
    let others = ["ndarray::ArrayRef::dot", "ndarray::ArrayRef::sum"].map(str::to_owned);
    let missing: Vec<String> = floats.chain(reductions).chain(products).chain(others).collect();
    let missing: Vec<&String> = missing.iter().filter(|path| !listed.contains(&***path)).collect();
    assert!(missing.is_empty(), "clippy.toml doesn't forbid {missing:?}");
    let lints = &manifest::workspace()["workspace"]["lints"]["clippy"];
    assert_eq!(lints["disallowed_methods"].as_str(), Some("warn"));
}

/// Methods of rayon that combine in an order that depends on the threads.
const REDUCTIONS: [&str; 10] = [
    "sum",
    "product",
    "reduce",
    "reduce_with",
    "try_reduce",
    "try_reduce_with",
    "fold",
    "fold_with",
    "try_fold",
    "try_fold_with",
];

#[test]
fn no_order_by_chance() {
    let names = any_of(&[
        "HashMap",
        "HashSet",
        "RandomState",
        "DefaultHasher",
        "rand ::",
        "thread_rng",
        "getrandom",
        "SmallRng",
        "StdRng",
        "general_mat_mul",
        "general_mat_vec_mul",
    ]);
    let rule = |source: &Source| {
        let parallel = (0..source.tokens.len()).filter(|&at| {
            let name = source.text(at);
            name.starts_with("par_") || name == "into_par_iter"
        });
        let reductions = parallel.filter_map(|at| reduction_after(source, at)).map(|at| {
            (at, format!("`.{}` of a parallel iterator: the order depends on the threads", source.text(at)))
        });
        names(source).into_iter().chain(reductions).collect()
    };
    let seen = [
        "use std::collections::HashMap;",
        "let x: f64 = rand::random();",
        "use ndarray::linalg::general_mat_mul;",
        "let s: f64 = x.par_iter().map(|x| x * x).sum();",
        "let s = (0..9).into_par_iter().filter(|&i| { i; i > 3 }).reduce(|| 0, add);",
        "let s = x.par_chunks(8).map(f).sum::<f64>();",
    ];
    let unseen =
        "let s: f64 = x.par_iter().map(|x| x.iter().sum()).collect::<Vec<f64>>(); let t = s.iter().sum();
        use rand_chacha::rand_core; // HashMap";
    hold(code_of(&RESULT_CRATES), rule, &seen, unseen);
}

/// A reduction in the chain of methods that goes on from a token.
fn reduction_after(source: &Source, start: usize) -> Option<usize> {
    let mut depth = 0;
    for at in start..source.tokens.len() {
        match source.text(at) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            ";" | "," if depth == 0 => return None,
            name if depth == 0 && source.text(at - 1) == "." && REDUCTIONS.contains(&name) => {
                return Some(at);
            }
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

#[test]
fn unsafe_stands_only_in_numerics() {
    let sources = ["crates", "examples", "tests"].iter().flat_map(|folder| all_code(folder));
    let may = |path: &str| path.starts_with("crates/numerics/src/") || MAY_BE_UNSAFE.contains(&path);
    let sources = sources.filter(|source| !may(&source.path)).collect();
    let rule = any_of(&["unsafe", "unsafe_code"]);
    hold(sources, rule, &["unsafe { f() }", "#![allow(unsafe_code)]"], "// unsafe\nfn unsafely() {}");
}

/// Clippy doesn't look into macros; this does.
#[test]
fn every_unsafe_block_has_its_reason() {
    let rule = |source: &Source| {
        let reasons: Vec<usize> = (0..source.lines.len()).filter(|&i| is_reason(&source.lines[i])).collect();
        let blocks = ["unsafe {", "unsafe impl"].iter().flat_map(|s| source.find(s)).collect::<BTreeSet<_>>();
        let mut given = BTreeSet::new();
        let without = blocks.into_iter().filter(|&at| {
            let line = source.tokens[at].line - 1;
            let nearest = reasons.iter().copied().rfind(|&r| r <= line && line - r <= REASON_WITHIN);
            // One reason counts for one block.
            !nearest.is_some_and(|reason| given.insert(reason))
        });
        without.map(|at| (at, "`unsafe` without its `// SAFETY:` just above".to_owned())).collect()
    };
    let mut sources = all_code("crates/numerics/src");
    sources.extend(MAY_BE_UNSAFE.map(|path| Source::of(path, &read(path), true)));
    let seen = [
        "fn f() { unsafe { g() } }",
        "fn f() {\n // SAFETY: checked above.\n unsafe { g() }\n unsafe { g() }\n }",
        "// SAFETY: far away.\n\n\n\n\n\n\n\n\nfn f() { unsafe { g() } }",
        "unsafe impl Send for A {}",
        "macro_rules! m { () => { unsafe { g() } } }",
    ];
    let unseen = "// SAFETY: the caller's promise.\nlet x = unsafe { g() };\nunsafe fn g() {} // unsafe {";
    hold(sources, rule, &seen, unseen);
}

/// How many lines a reason may stand above its block: some are long, and the block may end a statement.
const REASON_WITHIN: usize = 7;

fn is_reason(line: &str) -> bool {
    line.trim_start().starts_with("//") && line.contains("SAFETY: ")
}

#[test]
fn nothing_is_left_undone_or_ignored() {
    let sources = ["crates", "examples", "tests"].iter().flat_map(|folder| all_code(folder)).collect();
    let rule = any_of(&["# [ ignore", "todo !", "unimplemented !"]);
    let seen =
        ["#[test]\n#[ignore = \"slow\"] fn f() {}", "fn f() { todo!() }", "fn f() { unimplemented!(\"g\") }"];
    hold(sources, rule, &seen, "// #[ignore]\nfn ignore() {}");
}

// -------------------------------------------------------------------------------------- texts of every kind

/// All text files: sources, chapters, data, scripts.
fn texts() -> impl Iterator<Item = (String, String)> {
    let text = |path: String| {
        let bytes = fs::read(root().join(&path)).expect("a listed file can be read");
        Some((path, String::from_utf8(bytes).ok()?))
    };
    let top = TOP_LEVEL.map(str::to_owned).into_iter().chain([".ci".to_owned()]);
    let below = |name: String| if root().join(&name).is_dir() { files_in(&name) } else { vec![name] };
    top.flat_map(below).filter_map(text)
}

/// The lines that contain one of `words`.
fn lines_with(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    lines.map(|(i, line)| format!("{path}:{}: {}", i + 1, line.trim())).collect()
}

#[test]
fn no_reminders_and_no_paths_of_a_machine() {
    // In two parts each, or this file would contain them.
    let words = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("```", "ignore"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("/tm", "p/"),
    ];
    assert_eq!(lines_with("a.rs", &format!("fn f()\n// {}: later", words[0]), &words).len(), 1);
    let found: Vec<String> = texts().flat_map(|(path, text)| lines_with(&path, &text, &words)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn readme_names_what_it_promises() {
    let readme = read("README.md");
    let commands = [
        "cargo run --release -p longlag -- book --open",
        "cargo test --workspace --exclude longlag-examples",
    ]
    .map(str::to_owned);
    let examples = names_in("examples")
        .into_iter()
        .filter_map(|name| Some(format!("cargo run --release --example {}", name.strip_suffix(".rs")?)));
    for command in commands.into_iter().chain(examples) {
        assert!(readme.contains(&command), "README.md doesn't say `{command}`");
    }
}
