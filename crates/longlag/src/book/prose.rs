//! What a chapter may not hold of its own: code, and measured numbers.
//!
//! Code and numbers typed into prose go stale. The rule is plain, so that a text can be checked: outside
//! maths, code, directives, headings and links there is no decimal (`0.87`), percentage, power of ten, number of five
//! and more digits or with a thousands separator, and no number of four digits but a year (1900 to 2099). Fenced blocks are for
//! commands and formats; those that could show output ([`OUTPUT`]) are under the same rule.

use super::scan::{Fault, Kind, Piece, line_around};

/// What a fenced block may be marked with. Rust comes from tested files, by `{{#code}}`.
const FENCES: [&str; 6] = ["sh", "console", "text", "toml", "json", "markdown"];

/// Fences under the rule for numbers.
const OUTPUT: [&str; 3] = ["console", "text", "json"];

/// Code and numbers of the chapter's own, by byte offset.
pub(super) fn check(text: &str, pieces: &[Piece]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for piece in pieces {
        let part = &text[piece.range.clone()];
        let (part, what) = match &piece.kind {
            Kind::Prose => (without_links(part), "prose"),
            Kind::Fence { info } => {
                let language = info.split([',', ' ']).next().unwrap_or("");
                if !FENCES.contains(&language) {
                    let marked = if info.is_empty() { "nothing".into() } else { format!("`{info}`") };
                    let message = format!(
                        "code typed into prose: a fenced block marked with {marked}. Listings come by \
                         `{{{{#code path anchor}}}}`, output by `{{{{#snapshot name}}}}`; a block may be {}",
                        FENCES.join(", ")
                    );
                    faults.push((piece.range.start, message));
                }
                if !OUTPUT.contains(&language) {
                    continue;
                }
                (part.to_owned(), "a fenced block")
            }
            _ => continue,
        };
        for (at, number) in numbers(&part) {
            let at = piece.range.start + at;
            if what == "prose" && is_exempt(line_around(text, at)) {
                continue;
            }
            let message = format!(
                "the number `{number}` is typed into {what}. Measured: `{{{{#value report.path}}}}`; \
                 from a paper: `{{{{#fact key}}}}`; part of a formula: `$…$`; a name or version: `` `…` ``"
            );
            faults.push((at, message));
        }
    }
    faults
}

/// Headings, and the targets of reference links.
fn is_exempt(line: &str) -> bool {
    line.starts_with('#') || (line.starts_with('[') && line.contains("]: "))
}

/// Inline links and autolinks blanked, text and target; other characters keep their byte offsets.
fn without_links(prose: &str) -> String {
    let mut bytes = prose.as_bytes().to_vec();
    let mut blank = |range: std::ops::Range<usize>| {
        for byte in &mut bytes[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    for (at, _) in prose.match_indices("](") {
        let start = prose[..at].rfind('[').unwrap_or(at);
        let end = prose[at..].find(')').map_or(prose.len(), |end| at + end);
        blank(start..end);
    }
    for (at, _) in prose.match_indices("<http") {
        blank(at..prose[at..].find('>').map_or(prose.len(), |end| at + end));
    }
    String::from_utf8(bytes).expect("whole stretches are blanked")
}

/// Numbers that look measured, with their byte offsets.
fn numbers(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        // Back over a leading point, as in `.87`.
        let start = at - usize::from(at > 0 && bytes[at - 1] == b'.');
        let before = text[..start].chars().next_back().unwrap_or(' ');
        while at < bytes.len()
            && (bytes[at].is_ascii_digit()
                || (matches!(bytes[at], b'.' | b',') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)))
        {
            at += 1;
        }
        let mantissa = &text[start..at];
        let exponent = exponent_length(&text[at..]);
        at += exponent;
        if before.is_alphanumeric() || before == '_' {
            continue;
        }
        if exponent > 0 || is_percentage(&text[at..]) || looks_measured(mantissa) {
            found.push((start, text[start..at].to_owned()));
        }
    }
    found
}

/// The length of `e-5`, ` × 10⁻⁵`, `·10^` or of raised digits after a number.
fn exponent_length(rest: &str) -> usize {
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let unsigned = exponent.trim_start_matches(['+', '-', '−']);
        let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            return rest.len() - unsigned.len() + digits;
        }
    }
    let is_raised = |c: char| "⁻⁰¹²³⁴⁵⁶⁷⁸⁹^".contains(c);
    let without_space = |text: &'_ str| text.trim_start_matches([' ', '\u{a0}']).len();
    let power = &rest[rest.len() - without_space(rest)..];
    if let Some(power) = power.strip_prefix(['×', '·'])
        && let Some(power) = power[power.len() - without_space(power)..].strip_prefix("10")
        && power.starts_with(is_raised)
    {
        return rest.len() - power.trim_start_matches(is_raised).len();
    }
    rest.len() - rest.trim_start_matches(is_raised).len()
}

fn is_percentage(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\u{a0}', '-']);
    ["%", "‰", "percent", "per cent"].iter().any(|mark| rest.starts_with(mark))
}

fn looks_measured(number: &str) -> bool {
    match number.matches('.').count() {
        // A version has two points.
        2.. => false,
        1 => true,
        _ if number.contains(',') => true,
        _ if number.len() == 4 => !("1900"..="2099").contains(&number),
        _ => number.len() > 4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let (pieces, faults) = scan(text);
        assert!(faults.is_empty(), "{faults:?}");
        check(text, &pieces)
            .into_iter()
            .map(|(_, message)| message.split('`').nth(1).unwrap_or("").into())
            .collect()
    }

    #[test]
    fn measured_numbers_are_found() {
        let text = "It is 0.87, or .87, 12% or 12 percent, 3e-5, 3.1 × 10⁻⁹, 10⁻⁵, 13,210 or 13210 of 1797.";
        let expected = ["0.87", ".87", "12", "12", "3e-5", "3.1 × 10⁻⁹", "10⁻⁵", "13,210", "13210", "1797"];
        assert_eq!(found(text), expected);
        assert_eq!(found("```text\naccuracy 0.91\n```\n"), ["0.91"]);
    }

    #[test]
    fn small_integers_years_names_and_exempt_places_pass() {
        let text = "# The 0.5 rule\n\nIn 1997, 64 steps of an 8×8 image, 2 gates, f64, 3D and mdBook 0.5.4; $0.87$, `0.87`, \
                    [Section 3.2](https://doi.org/10.1162/neco.1997.9.8.1735), <https://arxiv.org/abs/1211.5063> and \
                    {{#value race.facts.a digits=2}}.\n\n1. First.\n\n[paper]: https://arxiv.org/abs/1211.5063\n\n\
                    ```sh\ncargo run -- --lr 0.01\n```\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn only_commands_and_formats_may_be_typed() {
        assert_eq!(found("```rust\nfn main() {}\n```\n"), ["rust"]);
        assert_eq!(found("```rust,ignore\n```\n"), ["rust,ignore"]);
        assert_eq!(found("~~~\nlet x = 1;\n~~~\n"), ["{{#code path anchor}}"]);
    }
}
