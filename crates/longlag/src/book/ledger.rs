//! The page of the ledger.

use longlag_report::{Report, Value, format};

use super::chapter::escape;

/// Every statement, its claims with their verdicts, and the contrasts behind each, folded. `link` gives the link to
/// the chapter of a name.
pub(super) fn page(report: &Report, link: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let table = |name: &str| report.find_table(name).map_err(|error| error.to_string());
    let (statements, claims, figures) = (table("statements")?, table("claims")?, table("figures")?);
    let text = |value: &Value| escape(&value.to_string());
    let mut page = String::new();
    for statement in statements.rows() {
        page += &format!("\n### {}: {}\n\n", statement[0], text(&statement[1]));
        page += &format!("Settled by: {}.\n\n", text(&statement[4]));
        for claim in claims.rows().iter().filter(|claim| claim[1].to_string() == statement[0].to_string()) {
            let chapter = claim[6].to_string();
            let chapter = link(&chapter).ok_or_else(|| format!("the book has no chapter `{chapter}.md`"))?;
            let stop = if chapter.contains("?]") { "" } else { "." };
            page += &format!("**{}** {} In {chapter}{stop}\n\n", verdict(&claim[5]), text(&claim[2]));
            let contrasts: Vec<_> =
                figures.rows().iter().filter(|row| row[0].to_string() == claim[0].to_string()).collect();
            page += &format!("<details><summary>{}</summary>\n\n", summary(&claim[3], &claim[4]));
            if !contrasts.is_empty() {
                page += "| condition | contrast | interval | seeds | p |\n|:---|---:|:---:|---:|---:|\n";
            }
            for row in contrasts {
                let [middle, low, high, seeds, p] = [2, 3, 4, 5, 6].map(|k| format::format_value(&row[k]));
                page += &format!("| {} | {middle} | {low} to {high} | {seeds} | {p} |\n", text(&row[1]));
            }
            if claim[8].as_number().is_some_and(|p| !p.to_f64().is_nan()) {
                page += &format!("\nAdjusted for all claims: p = {}.\n", format::format_value(&claim[8]));
            }
            page += "\n</details>\n\n";
        }
        if !statement[3].to_string().is_empty() {
            page += &format!("**open** {}.\n\n", text(&statement[3]));
        }
    }
    Ok(page)
}

/// As it stands before a claim.
fn verdict(verdict: &Value) -> String {
    escape(&verdict.to_string())
}

/// In HTML, where Markdown's escapes mean nothing.
fn summary(contrast: &Value, predicted: &Value) -> String {
    let (contrast, predicted) = (contrast.to_string(), predicted.to_string());
    let text = if predicted.is_empty() { contrast } else { format!("{contrast}; predicted {predicted}") };
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
