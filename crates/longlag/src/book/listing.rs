//! Listings: whole items out of real source files.

/// The widest line that a listing shows without scrolling beside the page's margins.
pub(super) const WIDTH: usize = 80;

/// Part of a source file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The lines without common indentation.
    pub(super) text: String,
    /// The 1-based line of the file at which it begins.
    pub(super) line: usize,
}

/// Cuts `selector` out of `source`: the name of an anchor, or the beginning of an item such as
/// `fn step` or `impl Cell for Lstm`.
///
/// An anchor is what stands between the comments `ANCHOR: name` and `ANCHOR_END: name`. An item comes with
/// its documentation and attributes.
///
/// # Errors
/// If it is not there (the message says what is), there more than once, cut inside an item, or too wide.
pub(super) fn cut(source: &str, selector: &str) -> Result<Listing, String> {
    let lines: Vec<&str> = source.lines().collect();
    let mask = mask(source);
    let code: Vec<&str> = mask.lines().collect();
    let (first, last) = if selector.contains(' ') {
        find_item(&lines, &code, selector)?
    } else {
        find_anchor(&lines, selector)?
    };
    check_balance(&code[first..=last])?;
    let is_anchor =
        |line: &str| anchor_name(line, "ANCHOR: ").or(anchor_name(line, "ANCHOR_END: ")).is_some();
    let mut kept: Vec<(usize, &str)> =
        (first..=last).map(|at| (at, lines[at])).filter(|(_, line)| !is_anchor(line)).collect();
    let blank = |entry: Option<&(usize, &str)>| entry.is_some_and(|(_, line)| line.trim().is_empty());
    while blank(kept.last()) {
        kept.pop();
    }
    let leading = kept.iter().take_while(|entry| blank(Some(entry))).count();
    let kept = &kept[leading..];
    let Some(&(start, _)) = kept.first() else { return Err(format!("`{selector}` holds no line")) };
    let filled = kept.iter().filter(|(_, line)| !line.trim().is_empty());
    let indent = filled.map(|(_, line)| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let mut text = String::new();
    for (at, line) in kept {
        let line = line.get(indent..).unwrap_or("").trim_end();
        let width = line.chars().count();
        if width > WIDTH {
            return Err(format!("line {} has {width} columns, a listing has at most {WIDTH}", at + 1));
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(Listing { text, line: start + 1 })
}

fn anchor_name<'l>(line: &'l str, mark: &str) -> Option<&'l str> {
    let (before, name) = line.split_once(mark)?;
    before.trim_start().starts_with("//").then_some(name.trim())
}

fn find_anchor(lines: &[&str], name: &str) -> Result<(usize, usize), String> {
    let at = |mark| {
        let here = |at: &usize| anchor_name(lines[*at], mark) == Some(name);
        (0..lines.len()).filter(here).collect::<Vec<_>>()
    };
    match (&at("ANCHOR: ")[..], &at("ANCHOR_END: ")[..]) {
        ([], _) => {
            let known = lines.iter().filter_map(|line| anchor_name(line, "ANCHOR: ")).map(str::to_owned);
            Err(super::not_found("anchor", name, known.collect()))
        }
        ([_], []) => Err(format!("the anchor `{name}` has no `ANCHOR_END: {name}`")),
        ([start], [end]) if start < end => Ok((*start, *end)),
        _ => Err(format!("the anchor `{name}` must begin once and then end once")),
    }
}

/// What may stand before the keyword that a selector begins with.
const MODIFIERS: [&str; 6] = ["pub ", "pub(crate) ", "pub(super) ", "const ", "unsafe ", "async "];

fn find_item(lines: &[&str], code: &[&str], selector: &str) -> Result<(usize, usize), String> {
    let heads = |at: usize| {
        let mut head = code[at].trim_start();
        let mut heads = vec![head];
        while let Some(rest) = MODIFIERS.iter().find_map(|modifier| head.strip_prefix(modifier)) {
            head = rest;
            heads.push(head);
        }
        heads
    };
    let identifier = |c: char| c.is_alphanumeric() || c == '_';
    let matches = |at: &usize| {
        let rest = heads(*at).into_iter().find_map(|head| head.strip_prefix(selector));
        rest.is_some_and(|rest| !rest.starts_with(identifier))
    };
    let found: Vec<usize> = (0..lines.len()).filter(matches).collect();
    let [start] = found[..] else {
        if found.is_empty() {
            let keyword = selector.split(' ').next().expect("a selector with a space");
            let item = |at: usize| {
                let head = heads(at).into_iter().find(|head| head.starts_with(&format!("{keyword} ")))?;
                let end = head.find(['(', '{', ';', ':', '=']).unwrap_or(head.len());
                Some(head[..end].trim().to_owned())
            };
            return Err(super::not_found("item", selector, (0..lines.len()).filter_map(item).collect()));
        }
        let places = found.iter().map(|at| (at + 1).to_string()).collect::<Vec<_>>().join(", ");
        return Err(format!("`{selector}` begins on lines {places}: set an anchor around the one you mean"));
    };
    // A value's braces don't end the item, a body's do.
    let valued = ["const ", "static ", "type "].iter().any(|keyword| selector.starts_with(keyword));
    let mut depth = 0;
    let end = (start..lines.len()).find(|&at| {
        code[at].chars().any(|c| {
            depth += match c {
                '(' | '[' | '{' => 1,
                ')' | ']' | '}' => -1,
                _ => 0,
            };
            depth == 0 && (c == ';' || (c == '}' && !valued))
        })
    });
    let end = end.ok_or_else(|| format!("`{selector}` has no end"))?;
    let belongs = |line: &str| line.trim_start().starts_with("///") || line.trim_start().starts_with("#[");
    let above = lines[..start].iter().rev().take_while(|line| belongs(line)).count();
    Ok((start - above, end))
}

fn check_balance(code: &[&str]) -> Result<(), String> {
    let mut depth = 0;
    for c in code.iter().flat_map(|line| line.chars()) {
        depth += match c {
            '(' | '[' | '{' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        };
        if depth < 0 {
            break;
        }
    }
    if depth == 0 { Ok(()) } else { Err("the anchor cuts an item in two: brackets don't match".to_owned()) }
}

/// `source` with every character of comments, strings and character literals blanked, so that brackets
/// and keywords in it are code. Lines keep their numbers and columns.
fn mask(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let mut at = 0;
    while at < chars.len() {
        let identifier = at > 0 && (get(at - 1).is_alphanumeric() || get(at - 1) == '_');
        let end = match (get(at), get(at + 1)) {
            ('/', '/') => line_end(&chars, at),
            ('/', '*') => comment_end(&chars, at),
            ('"', _) => quote_end(&chars, at + 1, '"'),
            ('r', '"' | '#') if !identifier => raw_string_end(&chars, at).unwrap_or(at),
            // A lifetime has no closing quote: 'a, but 'a' and '\n' do.
            ('\'', '\\') => quote_end(&chars, at + 1, '\''),
            ('\'', _) if get(at + 2) == '\'' => at + 3,
            _ => at,
        };
        if end == at {
            out.push(get(at));
            at += 1;
        }
        while at < end {
            out.push(if get(at) == '\n' { '\n' } else { ' ' });
            at += 1;
        }
    }
    out
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quote_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += 1 + usize::from(chars[at] == '\\');
    }
    (at + 1).min(chars.len())
}

fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |&end: &usize| {
        chars[end] == '"'
            && chars.len() > end + hashes
            && chars[end + 1..=end + hashes].iter().all(|&c| c == '#')
    };
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r##"//! A file.
// ANCHOR: both
/// Adds one: `fn step` in text is not a match.
#[inline]
pub fn step<'a>(x: &'a str) -> usize {
    let open = '{'; // }
    let text = "}\" fn lost() {" ;
    let raw = r#"}"{"#;
    x.len() + 1
}

// ANCHOR: cell
/// A cell.
pub struct Cell {
    /// Its width.
    pub width: usize,
}
// ANCHOR_END: cell
// ANCHOR_END: both

pub const TABLE: [Cell; 1] = [Cell { width: 2 }];

impl Default for Cell {
    fn default() -> Cell {
        Cell { width: 0 }
    }
}

impl Cell {
    fn width(&self) -> usize { self.width }
    fn step(&self) {}
}
// ANCHOR: half
fn half() {
// ANCHOR_END: half
}
// ANCHOR: open
fn wide() { let a_very_long_name_that_goes_on = "and on, and on, until the line is wider than a listing"; }
"##;

    fn lines(selector: &str) -> (usize, String) {
        let listing = cut(SOURCE, selector).expect(selector);
        let lines: Vec<&str> = listing.text.lines().collect();
        (listing.line, format!("{} … {}", lines[0], lines[lines.len() - 1]))
    }

    #[test]
    fn anchors_and_items() {
        assert_eq!(lines("cell"), (13, "/// A cell. … }".into()));
        assert_eq!(lines("both"), (3, "/// Adds one: `fn step` in text is not a match. … }".into()));
        assert!(!cut(SOURCE, "both").expect("both").text.contains("ANCHOR"));
        assert_eq!(lines("fn step<"), (3, "/// Adds one: `fn step` in text is not a match. … }".into()));
        assert_eq!(lines("struct Cell"), (13, "/// A cell. … }".into()));
        assert_eq!(lines("const TABLE").1, lines("pub const TABLE").1);
        assert!(lines("const TABLE").1.ends_with("[Cell { width: 2 }];"));
        assert_eq!(lines("fn default"), (24, "fn default() -> Cell { … }".into()));
        assert_eq!(lines("impl Default for Cell"), (23, "impl Default for Cell { … }".into()));
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let error = |selector| cut(SOURCE, selector).expect_err(selector);
        assert_eq!(error("sell"), "there is no anchor `sell`; there is cell, half, both, open");
        assert_eq!(error("struct Sell"), "there is no item `struct Sell`; there is struct Cell");
        assert!(error("fn step").contains("lines 5, 31: set an anchor"), "{}", error("fn step"));
        assert!(error("half").contains("cuts an item in two"));
        assert!(error("open").contains("no `ANCHOR_END: open`"));
        assert!(error("fn wide").contains("line 38 has 107 columns"), "{}", error("fn wide"));
    }
}
