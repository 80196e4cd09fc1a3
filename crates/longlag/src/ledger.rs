//! `longlag ledger`: what is said, and what has become of it.

use crate::book::{SNAPSHOTS, find_root, snapshot_body};
use crate::cli::LedgerArgs;
use crate::failure::{Failure, print};
use longlag_experiments::{all, ledger};
use longlag_report::{Report, Table, Value};
use serde_json::{Map, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The ledger's report, from the committed reports of the experiments below `root`.
///
/// # Errors
/// A message that names the report that is not there, or doesn't have what a claim is judged by.
pub fn ledger_report(root: &Path) -> Result<Report, String> {
    let read = |name: &str| {
        let path = Path::new(SNAPSHOTS).join(format!("{name}.snap"));
        let wrong = |why: &dyn std::fmt::Display| {
            format!("{}: {why}; `INSTA_UPDATE=always cargo test -p longlag-tests` writes it", path.display())
        };
        let text = fs::read_to_string(root.join(&path)).map_err(|error| wrong(&error))?.replace("\r\n", "\n");
        Report::from_snapshot(snapshot_body(&text)).map_err(|error| wrong(&error))
    };
    let judged = all().iter().filter(|entry| !entry.claims.is_empty());
    let reports = judged.map(|entry| Ok((entry, read(entry.name)?))).collect::<Result<Vec<_>, String>>()?;
    ledger::report(&reports).map_err(|error| error.to_string())
}

pub(crate) fn ledger(args: &LedgerArgs) -> Result<(), Failure> {
    let root = find_root().map_err(Failure::outside)?;
    let report = ledger_report(&root).map_err(Failure::Work)?;
    print(&if args.json { as_json(&report) } else { as_text(&report) })
}

fn table<'r>(report: &'r Report, name: &str) -> &'r Table {
    report.find_table(name).expect("the ledger has it")
}

/// The rows of a table whose entry in a column is this.
fn rows_of<'r>(table: &'r Table, column: usize, is: &'r Value) -> impl Iterator<Item = &'r Vec<Value>> {
    table.rows().iter().filter(move |row| row[column].to_string() == is.to_string())
}

/// Each statement with its claims below it.
fn as_text(report: &Report) -> String {
    let (statements, claims) = (table(report, "statements"), table(report, "claims"));
    let mut text = String::new();
    for statement in statements.rows() {
        let _ = writeln!(text, "{:<4} {}", statement[0].to_string(), statement[1]);
        for claim in rows_of(claims, 1, &statement[0]) {
            let _ = writeln!(text, "     {:<10} {} ({})", claim[5].to_string(), claim[2], claim[6]);
        }
        if !statement[3].to_string().is_empty() {
            let _ = writeln!(text, "     {:<10} {}", "open", statement[3]);
        }
    }
    text
}

/// A list of all claims, and of the statements that have none.
fn as_json(report: &Report) -> String {
    let (statements, claims) = (table(report, "statements"), table(report, "claims"));
    let figures = table(report, "figures");
    let object = |columns: &[String], row: &[Value], of: &[usize]| {
        let entry = |&k: &usize| (columns[k].clone(), json!(row[k]));
        of.iter().map(entry).collect::<Map<_, _>>()
    };
    let mut list = Vec::new();
    for statement in statements.rows() {
        let before = list.len();
        for claim in rows_of(claims, 1, &statement[0]) {
            let contrasts = rows_of(figures, 0, &claim[0]);
            let contrasts: Vec<_> =
                contrasts.map(|row| object(figures.columns(), row, &[1, 2, 3, 4, 5, 6])).collect();
            list.push(json!({
                "id": claim[0], "statement": statement[1], "claim": claim[2], "contrast": claim[3],
                "predicted": claim[4], "verdict": claim[5], "figures": contrasts, "chapter": claim[6],
                "p": claim[7], "adjusted_p": claim[8],
            }));
        }
        if list.len() == before || !statement[3].to_string().is_empty() {
            list.push(json!({
                "id": statement[0], "statement": statement[1], "claim": statement[3], "verdict": "open",
                "figures": [], "chapter": null,
            }));
        }
    }
    serde_json::to_string_pretty(&list).expect("plain data") + "\n"
}
