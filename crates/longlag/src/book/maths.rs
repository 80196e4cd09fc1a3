//! TeX to HTML with MathML inside, by katex-rs.

use katex::{KatexContext, Settings, render_to_string};

/// Renders formulas. Building one takes a few milliseconds: keep it for a whole book.
pub(super) struct Maths {
    context: KatexContext,
    inline: Settings,
    display: Settings,
}

impl Maths {
    pub(super) fn new() -> Maths {
        Maths {
            context: KatexContext::default(),
            inline: Settings::default(),
            display: Settings::builder().display_mode(true).build(),
        }
    }

    /// HTML on one line that Markdown takes for inline HTML and leaves as it is.
    pub(super) fn render(&self, tex: &str, display: bool) -> Result<String, String> {
        if let Some(at) = bare_root(tex) {
            return Err(format!(
                "the formula `{tex}`: write `\\sqrt{{…}}`, not `{at}`; katex-rs draws a root without braces over what \
                 stands in it"
            ));
        }
        let settings = if display { &self.display } else { &self.inline };
        match render_to_string(&self.context, tex, settings) {
            Ok(html) => Ok(stable(&without_source(&html))),
            // KaTeX underlines the culprit with combining characters; a terminal shows them badly.
            Err(error) => {
                let plain: String = error.to_string().chars().filter(|&c| c != '\u{332}').collect();
                Err(format!("the formula `{tex}` is not understood: {plain}"))
            }
        }
    }
}

/// A root whose argument has no braces.
fn bare_root(tex: &str) -> Option<&str> {
    let roots = tex.match_indices("\\sqrt").map(|(at, root)| {
        let rest = tex[at + root.len()..].trim_start();
        let degree = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        (at, degree.map_or(rest, |(_, rest)| rest.trim_start()))
    });
    let mut bare = roots.filter(|(_, rest)| !rest.starts_with('{'));
    bare.next().map(|(at, rest)| {
        let argument = rest.chars().next().map_or(0, char::len_utf8);
        &tex[at..tex.len() - rest.len() + argument]
    })
}

/// Without the TeX source that KaTeX adds to the MathML: search would show it among the words.
fn without_source(html: &str) -> String {
    match (html.find("<annotation "), html.find("</annotation>")) {
        (Some(start), Some(end)) => format!("{}{}", &html[..start], &html[end + "</annotation>".len()..]),
        _ => html.to_owned(),
    }
}

/// Sorted attributes, because katex-rs writes them in random order; no line feeds, which could end the
/// HTML; and text in which Markdown finds nothing to interpret.
fn stable(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        escape_text(&rest[..start], &mut out);
        let end = tag_end(&rest[start..]) + start;
        out.push_str(&sorted_tag(&rest[start..end]));
        rest = &rest[end..];
    }
    escape_text(rest, &mut out);
    out
}

/// The length of the tag that `text` begins with; a `>` inside quotes doesn't end it.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn sorted_tag(tag: &str) -> String {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    let (inner, close) = match inner.strip_suffix('/') {
        Some(inner) => (inner, " />"),
        None => (inner, ">"),
    };
    let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        attributes.push(format!(" {}=\"{}\"", key.trim(), value.replace('\n', " ")));
        rest = after;
    }
    attributes.sort();
    format!("<{name}{}{close}", attributes.concat())
}

fn escape_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\n' => out.push(' '),
            // Entities that are there already stay.
            '&' | ';' | '#' => out.push(c),
            c if c.is_ascii_punctuation() => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_the_same_text_each_time() {
        let tex = r"\left\lVert \sqrt{\underbrace{x^2}_{n}} \right\rVert_F = \begin{aligned}a&=b\\c&=d\end{aligned}";
        let first = Maths::new().render(tex, true).expect("a formula");
        for _ in 0..20 {
            assert_eq!(Maths::new().render(tex, true).expect("a formula"), first);
        }
        assert!(first.contains("<math") && !first.contains('\n') && !first.contains("annotation encoding"));
    }

    #[test]
    fn nothing_is_left_for_markdown() {
        let html = Maths::new().render(r"a_1 * [b]_2 * |c| \text{\_x\_ `d`}", false).expect("a formula");
        let mut text = String::new();
        let mut rest = html.as_str();
        while let Some((before, after)) = rest.split_once('<') {
            text.push_str(before);
            rest = &after[after.find('>').expect("a tag's end") + 1..];
        }
        assert!(!text.contains(['*', '_', '`', '[', '|']), "{text}");
    }

    #[test]
    fn a_root_makes_room_for_its_sign() {
        for tex in [r"\sqrt{H}", r"\sqrt[3]{H}", r"\sqrt { 2 \pi }"] {
            let html = Maths::new().render(tex, false).expect("a formula");
            assert!(html.contains("padding-left"), "{html}");
        }
        for (tex, root) in [(r"g/\sqrt H", r"`\sqrt H`"), (r"\sqrt[3]2", r"`\sqrt[3]2`")] {
            let error = Maths::new().render(tex, false).expect_err("a bare root");
            assert!(error.contains(root), "{error}");
        }
    }

    #[test]
    fn an_unknown_command_is_named() {
        let error = Maths::new().render(r"\foo{x}", false).expect_err("no such command");
        assert!(error.contains(r"`\foo{x}`") && error.contains("Undefined control sequence"), "{error}");
    }
}
