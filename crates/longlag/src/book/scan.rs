//! Cuts a chapter into prose, code, comments, maths and directives.
//!
//! This is not a Markdown parser: it knows the few marks that decide whether a `$` or a `{{#` means
//! something, and leaves all else to mdBook.

use std::ops::Range;

/// A stretch of a chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    /// Where it stands in the chapter's text, delimiters included.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything else: Markdown as it is written.
    Prose,
    /// An HTML comment.
    Comment,
    /// An inline code span with its backticks.
    CodeSpan,
    /// A fenced code block, fences included.
    Fence {
        /// What follows the opening fence, such as `sh`.
        info: String,
    },
    /// TeX between dollar signs.
    Maths { tex: String, display: bool },
    /// What stands between `{{#` and `}}`.
    Directive(String),
}

/// A mark without its partner: byte offset and message.
pub(super) type Fault = (usize, String);

/// Cuts `text` into pieces that cover it without gaps, and lists what has no end.
pub(super) fn scan(text: &str) -> (Vec<Piece>, Vec<Fault>) {
    let mut scanner = Scanner { text, at: 0, prose: 0, pieces: Vec::new(), faults: Vec::new() };
    scanner.run();
    (scanner.pieces, scanner.faults)
}

/// The 1-based line of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].bytes().filter(|&byte| byte == b'\n').count()
}

/// The line around a byte offset, without its line feed.
pub(super) fn line_around(text: &str, offset: usize) -> &str {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    &text[start..end]
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Where the prose that is not yet a piece begins.
    prose: usize,
    pieces: Vec<Piece>,
    faults: Vec<Fault>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while self.at < self.text.len() {
            if self.at_line_start()
                && let Some((info, end)) = self.fence()
            {
                self.piece(Kind::Fence { info }, end);
                continue;
            }
            let rest = &self.text[self.at..];
            if rest.starts_with('\\') {
                self.at += 1;
                self.skip_char();
            } else if rest.starts_with("<!--") {
                match rest.find("-->") {
                    Some(end) => self.piece(Kind::Comment, self.at + end + 3),
                    None => self.fault("`<!--` has no `-->`"),
                }
            } else if rest.starts_with('`') {
                self.code_span();
            } else if rest.starts_with('$') {
                self.maths();
            } else if rest.starts_with("{{#") {
                self.directive();
            } else {
                self.skip_char();
            }
        }
        self.end_prose();
    }

    fn at_line_start(&self) -> bool {
        self.at == 0 || self.text.as_bytes()[self.at - 1] == b'\n'
    }

    fn skip_char(&mut self) {
        self.at += self.text[self.at..].chars().next().map_or(0, char::len_utf8);
    }

    fn end_prose(&mut self) {
        if self.prose < self.at {
            self.pieces.push(Piece { kind: Kind::Prose, range: self.prose..self.at });
        }
    }

    fn piece(&mut self, kind: Kind, end: usize) {
        self.end_prose();
        self.pieces.push(Piece { kind, range: self.at..end });
        self.at = end;
        self.prose = end;
    }

    fn fault(&mut self, message: &str) {
        self.faults.push((self.at, message.to_owned()));
        self.skip_char();
    }

    /// The info string and the end of a fenced block that begins on this line.
    fn fence(&self) -> Option<(String, usize)> {
        // Quotes and list items may hold a fence.
        let inner = |line: &str| line.trim_start_matches([' ', '>', '-', '*', '+']).trim_end().to_owned();
        let run = |line: &str, mark: char| line.chars().take_while(|&c| c == mark).count();
        let mut lines = self.text[self.at..].split_inclusive('\n');
        let opening = lines.next()?;
        let first = inner(opening);
        let mark = first.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let length = run(&first, mark);
        let info = first[length..].trim();
        if length < 3 || (mark == '`' && info.contains('`')) {
            return None;
        }
        let mut end = self.at + opening.len();
        for line in lines {
            end += line.len();
            let line = inner(line);
            if run(&line, mark) >= length && line.chars().all(|c| c == mark) {
                break;
            }
        }
        Some((info.to_owned(), end))
    }

    /// Up to the next blank line: nothing inline goes beyond it.
    fn paragraph(&self) -> &str {
        let rest = &self.text[self.at..];
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            if end > 0 && line.trim().is_empty() {
                break;
            }
            end += line.len();
        }
        &rest[..end]
    }

    fn code_span(&mut self) {
        let paragraph = self.paragraph();
        let length = paragraph.bytes().take_while(|&byte| byte == b'`').count();
        let mut at = length;
        while let Some(start) = paragraph[at..].find('`') {
            let start = at + start;
            let run = paragraph[start..].bytes().take_while(|&byte| byte == b'`').count();
            if run == length {
                return self.piece(Kind::CodeSpan, self.at + start + run);
            }
            at = start + run;
        }
        // Markdown shows backticks without partner as they are.
        self.at += length;
    }

    fn maths(&mut self) {
        let paragraph = self.paragraph();
        let display = paragraph.starts_with("$$");
        let mark = if display { "$$" } else { "$" };
        let inside = &paragraph[mark.len()..];
        let Some(end) = find_unescaped(inside, mark) else {
            let end = if display { "`$$` has no `$$` before the paragraph ends" } else { STRAY_DOLLAR };
            self.fault(end);
            if display {
                self.skip_char();
            }
            return;
        };
        let tex = &inside[..end];
        let padded = tex.starts_with(char::is_whitespace) || tex.ends_with(char::is_whitespace);
        if tex.trim().is_empty() || (!display && padded) {
            return self.fault(STRAY_DOLLAR);
        }
        let kind = Kind::Maths { tex: tex.trim().to_owned(), display };
        self.piece(kind, self.at + end + 2 * mark.len());
    }

    fn directive(&mut self) {
        let paragraph = self.paragraph();
        let (mut quoted, mut escaped) = (false, false);
        for (at, c) in paragraph.char_indices().skip(3) {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '}' if !quoted && paragraph[at..].starts_with("}}") => {
                    let inside = paragraph[3..at].trim().to_owned();
                    return self.piece(Kind::Directive(inside), self.at + at + 2);
                }
                _ => {}
            }
        }
        self.fault(if quoted { "a directive's quote `\"` has no end" } else { "`{{#` has no `}}`" });
        self.at += 2;
    }
}

const STRAY_DOLLAR: &str = "stray `$`: maths is `$…$` without a space at its ends, a dollar sign is `\\$`";

fn find_unescaped(text: &str, mark: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(mark) {
            return Some(at);
        }
        let escaped = rest.starts_with('\\');
        at += rest.chars().take(1 + usize::from(escaped)).map(char::len_utf8).sum::<usize>();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let (pieces, faults) = scan(text);
        let covered: String = pieces.iter().map(|piece| &text[piece.range.clone()]).collect();
        assert_eq!(covered, text, "pieces cover the text");
        let pieces = pieces.iter().map(|piece| match &piece.kind {
            Kind::Prose => format!("P[{}]", &text[piece.range.clone()]),
            Kind::Comment => "!".to_owned(),
            Kind::CodeSpan => format!("C[{}]", &text[piece.range.clone()]),
            Kind::Fence { info } => format!("F[{info}]"),
            Kind::Maths { tex, display } => format!("M{}[{tex}]", if *display { "!" } else { "" }),
            Kind::Directive(inside) => format!("D[{inside}]"),
        });
        let faults = faults.iter().map(|(at, _)| format!("fault@{at}"));
        pieces.chain(faults).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn marks_are_found_outside_code_only() {
        assert_eq!(show("a $x_t$ b"), "P[a ] M[x_t] P[ b]");
        assert_eq!(show("`$x$` and ``a`{{#b}}``"), "C[`$x$`] P[ and ] C[``a`{{#b}}``]");
        assert_eq!(show("```sh\n$ ls {{#x}}\n```\n$y$"), "F[sh] M[y]");
        assert_eq!(show("- ~~~ text\n  $\n  ~~~\n"), "F[text]");
        assert_eq!(show("<!-- $ {{# -->"), "!");
        assert_eq!(show("$$\na \\\\ b\n$$"), "M![a \\\\ b]");
        assert_eq!(
            show("{{#figure f \"$a_{b_{c}}$ {{#value x.y}}\"}}"),
            "D[figure f \"$a_{b_{c}}$ {{#value x.y}}\"]"
        );
        assert_eq!(show(r"costs \$5, \\$x$"), r"P[costs \$5, \\] M[x]");
    }

    #[test]
    fn what_has_no_end_is_a_fault() {
        assert_eq!(show("costs $5"), "P[costs $5] fault@6");
        assert_eq!(show("from $5 to $6"), "P[from $5 to $6] fault@5 fault@11");
        assert_eq!(show("$$a\n\nb$$"), "P[$$a\n\nb$$] fault@0 fault@6");
        assert_eq!(show("{{#value a"), "P[{{#value a] fault@0");
        assert_eq!(show("{{#figure a \"b}}"), "P[{{#figure a \"b}}] fault@0");
        assert_eq!(show("a ` b"), "P[a ` b]");
    }
}
