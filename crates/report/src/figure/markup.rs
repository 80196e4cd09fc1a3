//! Text with superscripts, subscripts and italics, and an estimate of its width.
use std::fmt::Write;

/// A piece of one style.
#[derive(Debug, PartialEq)]
struct Run {
    /// 1: raised, −1: lowered.
    level: i32,
    italic: bool,
    text: String,
}

/// Size of raised and lowered text in percent; the style sheet's class `u` has the same.
const SMALL_PERCENT: i32 = 72;

fn runs(markup: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut level, mut italic) = (0, false);
    let mut characters = markup.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '^' | '_' if characters.peek() == Some(&'{') => {
                characters.next();
                level = if character == '^' { 1 } else { -1 };
            }
            '}' if level != 0 => level = 0,
            '*' => italic = !italic,
            _ => match runs.last_mut() {
                Some(run) if (run.level, run.italic) == (level, italic) => run.text.push(character),
                _ => runs.push(Run { level, italic, text: character.into() }),
            },
        }
    }
    runs
}

/// The inside of an SVG text element.
pub(super) fn to_svg(markup: &str) -> String {
    let mut svg = String::new();
    let mut shift = 0; // of the baseline, in hundredths of the full size
    for Run { level, italic, text } in runs(markup) {
        let wanted = match level {
            1 => -36,
            -1 => 18,
            _ => 0,
        };
        // `dy` counts in the element's own size.
        let size = if level == 0 { 100 } else { SMALL_PERCENT };
        let step = (wanted - shift) * 100 / size;
        shift = wanted;
        let class = match (level != 0, italic) {
            (true, true) => " class=\"u i\"",
            (true, false) => " class=\"u\"",
            (false, true) => " class=\"i\"",
            (false, false) => "",
        };
        let dy = if step == 0 { String::new() } else { format!(" dy=\"{}em\"", hundredths(step)) };
        if class.is_empty() && dy.is_empty() {
            svg += &escape(&text);
        } else {
            let _ = write!(svg, "<tspan{class}{dy}>{}</tspan>", escape(&text));
        }
    }
    svg
}

fn hundredths(n: i32) -> String {
    format!("{}.{:02}", if n < 0 { "-" } else { "" }, n.abs()).trim_end_matches('0').to_owned()
}

/// Escapes what XML reads, and what Markdown reads inside an HTML block.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '"' => escaped += "&quot;",
            '*' | '_' | '`' | '[' | ']' | '\\' | '|' | '~' | '$' => {
                let _ = write!(escaped, "&#{};", character as u32);
            }
            '\n' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Helvetica's advance widths in thousandths of the size, for the characters from space to `~`: enough
/// for a layout without fonts. From Adobe's metrics of the 14 standard fonts (Helvetica.afm).
const ADVANCES: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// The same of the bold one (Helvetica-Bold.afm).
const BOLD_ADVANCES: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278,
    556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584,
    556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556,
    333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];

/// Width of a text of that size, in the unit of `size`. An estimate for fonts like Helvetica.
pub(super) fn width(markup: &str, size: i32) -> i32 {
    width_by(&ADVANCES, markup, size)
}

/// Width of a bold text, which is a little wider.
pub(super) fn bold_width(markup: &str, size: i32) -> i32 {
    width_by(&BOLD_ADVANCES, markup, size)
}

fn width_by(advances: &[u16; 95], markup: &str, size: i32) -> i32 {
    let advance = |character: char| match character {
        ' '..='~' => i32::from(advances[character as usize - 32]),
        '\u{2009}' | '\u{202f}' => 200,
        '\u{a0}' => 278,
        _ => 600,
    };
    let run_width = |run: &Run| {
        let full: i32 = run.text.chars().map(advance).sum();
        if run.level == 0 { full } else { full * SMALL_PERCENT / 100 }
    };
    runs(markup).iter().map(run_width).sum::<i32>() * size / 1000
}

/// Breaks a text at spaces into lines no wider than `limit`.
pub(super) fn wrap(markup: &str, size: i32, limit: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in markup.split(' ') {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= limit => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_spans() {
        assert_eq!(
            to_svg("‖∂*L*/∂*h*_{*t*}‖ < 10^{−5}"),
            "‖∂<tspan class=\"i\">L</tspan>/∂<tspan class=\"i\">h</tspan><tspan class=\"u i\" dy=\".25em\">t</tspan>\
             <tspan dy=\"-.18em\">‖ &lt; 10</tspan><tspan class=\"u\" dy=\"-.5em\">−5</tspan>"
        );
        assert_eq!(to_svg("a_b [c] 5 $"), "a&#95;b &#91;c&#93; 5 &#36;");
    }

    #[test]
    fn widths_and_lines() {
        // Helvetica: L 556, S 667, T 611, M 833.
        assert_eq!(width("LSTM", 1000), 2667);
        assert_eq!(bold_width("chaos", 1000), 556 + 611 + 556 + 611 + 556);
        assert_eq!(width("10^{5}", 1000), 2 * 556 + 556 * 72 / 100);
        assert_eq!(wrap("one two three", 10, width("one two", 10)), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 10, 1), ["unbreakable"]);
    }
}
