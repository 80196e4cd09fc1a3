//! Checks of the built pages: a reader without network, without JavaScript or with a screen reader must
//! find everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::BookError;

/// Hosts that a page may link to. It never loads anything from them.
const HOSTS: [&str; 4] = ["doi.org", "arxiv.org", "docs.rs", "github.com"];

/// Attributes by which an element loads or leads to something.
const REFERENCES: [&str; 6] = ["href", "src", "xlink:href", "poster", "data", "srcset"];

/// Checks every page and style sheet in `dest`; an empty list means that all is well.
///
/// Links lead to pages and anchors that exist, or by `https` to doi.org, arxiv.org, docs.rs or github.com;
/// nothing is loaded from outside; an id stands once in a page; images have a text, inline figures a role
/// and a label; a page names its language; and neither a directive nor an indented code block is left.
pub fn check_html(dest: &Path) -> Vec<BookError> {
    let mut files = Vec::new();
    collect(dest, Path::new(""), &mut files);
    let read = |extension: &str| {
        let of_kind = files.iter().filter(|path| path.extension().is_some_and(|found| found == extension));
        let text = |path: &PathBuf| (path.clone(), fs::read_to_string(dest.join(path)).unwrap_or_default());
        of_kind.map(text).collect::<Vec<_>>()
    };
    let pages: BTreeMap<PathBuf, Page> =
        read("html").into_iter().map(|(path, html)| (path, Page::parse(&html))).collect();
    let known: BTreeSet<&PathBuf> = files.iter().collect();
    let mut errors = Vec::new();
    if pages.is_empty() {
        errors.push(BookError::general(format!("{} holds no page", dest.display())));
    }
    for (path, page) in &pages {
        let links =
            page.links.iter().filter_map(|link| Some((link.line, broken(link, path, &pages, &known)?)));
        let mut faults: Vec<(usize, String)> = page.faults.iter().cloned().chain(links).collect();
        faults.sort();
        let file = path.display().to_string();
        errors.extend(faults.into_iter().map(|(line, message)| BookError::at(&file, Some(line), message)));
    }
    for (path, css) in read("css") {
        let file = path.display().to_string();
        if css.contains("@import") {
            errors.push(BookError::at(&file, None, "`@import` loads another style sheet"));
        }
        for target in css_urls(&css).filter(|target| !target.starts_with("data:")) {
            let place = target.split(['#', '?']).next().unwrap_or("");
            if !join(&path, place).is_some_and(|place| known.contains(&place)) {
                errors.push(BookError::at(&file, None, format!("`url({target})` is no file of the book")));
            }
        }
    }
    errors
}

fn collect(root: &Path, below: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(root.join(below)).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = below.join(entry.file_name());
        if root.join(&path).is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path);
        }
    }
}

struct Link {
    line: usize,
    element: String,
    target: String,
}

/// What the checks need to know of a page.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: Vec<Link>,
    faults: Vec<(usize, String)>,
}

impl Page {
    fn parse(html: &str) -> Page {
        let mut page = Page::default();
        let mut open: Vec<String> = Vec::new();
        let mut references = Vec::new();
        for (line, token) in tokens(html) {
            match token {
                Token::Text(text) => {
                    let shown = open.iter().any(|name| matches!(name.as_str(), "code" | "pre"));
                    if text.contains("{{#") && !shown {
                        page.faults.push((line, "a directive is left over: `{{#`".into()));
                    }
                }
                Token::Close(name) => {
                    if let Some(at) = open.iter().rposition(|open| *open == name) {
                        open.truncate(at);
                    }
                }
                Token::Open { name, attributes, closed } => {
                    page.element(line, &name, &attributes, &open, &mut references);
                    if !closed && !VOID.contains(&name.as_str()) {
                        open.push(name);
                    }
                }
            }
        }
        for (line, id) in references {
            if !page.ids.contains(&id) {
                page.faults.push((line, format!("no element has the id `{id}` that is referred to")));
            }
        }
        page
    }

    fn element(
        &mut self,
        line: usize,
        name: &str,
        attributes: &BTreeMap<String, String>,
        open: &[String],
        references: &mut Vec<(usize, String)>,
    ) {
        let get = |key: &str| attributes.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let is_open = |name: &str| open.iter().any(|open| open == name);
        if let Some(id) = get("id")
            && !self.ids.insert(id.to_owned())
        {
            self.faults.push((line, format!("the id `{id}` stands twice in the page")));
        }
        if name == "html" && get("lang").is_none() {
            self.faults.push((line, "the page doesn't name its language".into()));
        }
        if name == "img" && get("alt").is_none() {
            self.faults.push((line, "an image without `alt` text".into()));
        }
        // Fences name their language, so this one was indented.
        if name == "code" && open.last().is_some_and(|open| open == "pre") && get("class").is_none() {
            self.faults
                .push((line, "an indented code block; listings come by `{{#code path anchor}}`".into()));
        }
        let labels = ["aria-label", "aria-labelledby"];
        if name == "svg" && is_open("figure") {
            let labelled = labels.iter().any(|key| get(key).is_some());
            if get("role") != Some("img") || !labelled {
                self.faults.push((line, "a figure without `role=\"img\"` and `aria-label`".into()));
            }
        }
        // mdBook's own buttons refer to elements that its scripts make.
        if is_open("main") {
            let ids = ["aria-labelledby", "aria-describedby"].iter().filter_map(|key| get(key));
            references.extend(ids.flat_map(str::split_whitespace).map(|id| (line, id.to_owned())));
            for value in attributes.values() {
                let local = css_urls(value).filter_map(|url| url.strip_prefix('#').map(str::to_owned));
                references.extend(local.map(|id| (line, id)));
            }
        }
        if let Some(url) = get("style").into_iter().flat_map(css_urls).next() {
            self.faults.push((line, format!("`url({url})` in a style attribute")));
        }
        for target in REFERENCES.iter().filter_map(|key| get(key)) {
            self.links.push(Link { line, element: name.to_owned(), target: target.to_owned() });
        }
    }
}

/// What is wrong with a link of the page at `path`.
fn broken(
    link: &Link,
    path: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    known: &BTreeSet<&PathBuf>,
) -> Option<String> {
    let Link { element, target, .. } = link;
    if let Some(rest) = target.strip_prefix("https://")
        && element == "a"
    {
        let host = rest.split('/').next().unwrap_or("");
        let allowed = HOSTS.contains(&host);
        return (!allowed).then(|| format!("a link to {host}; allowed are {}", HOSTS.join(", ")));
    }
    let scheme = target.split(['/', '#', '?']).next().is_some_and(|start| start.contains(':'));
    if scheme || target.starts_with("//") {
        return Some(format!("`<{element}>` leads outside the book: {target}"));
    }
    let (place, anchor) = target.split_once('#').unwrap_or((target, ""));
    let place = decode(place.split('?').next().unwrap_or(""));
    let page = if place.is_empty() { Some(path.to_owned()) } else { join(path, &place) };
    let Some(page) = page.filter(|page| known.contains(page)) else {
        return Some(format!("a link to `{place}`, which is no file of the book"));
    };
    let anchor = decode(anchor);
    let found = anchor.is_empty() || pages.get(&page).is_some_and(|page| page.ids.contains(&anchor));
    (!found).then(|| format!("a link to `{target}`: {} has no `#{anchor}`", page.display()))
}

/// `target` as seen from the file `from`; `None` if it leads out of the book.
fn join(from: &Path, target: &str) -> Option<PathBuf> {
    let mut path = from.parent()?.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

/// `%20` to a space, and so on.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn css_urls(css: &str) -> impl Iterator<Item = &str> {
    css.match_indices("url(").map(|(at, _)| {
        let inside = &css[at + 4..];
        let inside = &inside[..inside.find(')').unwrap_or(inside.len())];
        inside.trim().trim_matches(['"', '\''])
    })
}

/// Elements without an end tag.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

enum Token<'h> {
    Text(&'h str),
    Close(String),
    Open { name: String, attributes: BTreeMap<String, String>, closed: bool },
}

/// Tags and texts with their 1-based lines. Made for what mdBook and this module write, not for any HTML.
fn tokens(html: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < html.len() {
        let rest = &html[at..];
        let (token, length) = if rest.starts_with("<!--") {
            (None, rest.find("-->").map_or(rest.len(), |end| end + 3))
        } else if rest.starts_with("<!") {
            (None, rest.find('>').map_or(rest.len(), |end| end + 1))
        } else if let Some(name) = rest.strip_prefix("</") {
            let end = name.find('>').unwrap_or(name.len());
            (Some(Token::Close(name[..end].trim().to_ascii_lowercase())), (end + 3).min(rest.len()))
        } else if rest
            .strip_prefix('<')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            open_tag(rest)
        } else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let end = rest[first..].find('<').map_or(rest.len(), |end| first + end);
            (Some(Token::Text(&rest[..end])), end)
        };
        tokens.extend(token.map(|token| (line, token)));
        line += rest[..length].bytes().filter(|&byte| byte == b'\n').count();
        at += length;
    }
    tokens
}

/// The tag that `rest` begins with and its length; scripts and styles with all they hold.
fn open_tag(rest: &str) -> (Option<Token<'_>>, usize) {
    let (mut quote, mut end) = (None, rest.len());
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let inside = rest[1..end].trim_end();
    let closed = inside.ends_with('/');
    let inside = inside.trim_end_matches('/');
    let name_end = inside.find(|c: char| c.is_whitespace()).unwrap_or(inside.len());
    let name = inside[..name_end].to_ascii_lowercase();
    let mut attributes = BTreeMap::new();
    let mut left = inside[name_end..].trim_start();
    while !left.is_empty() {
        let key_end = left.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(left.len());
        let key = left[..key_end].to_ascii_lowercase();
        left = left[key_end..].trim_start();
        let mut value = "";
        if let Some(after) = left.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            (value, left) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
        }
        attributes.insert(key, value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"));
        left = left.trim_start();
    }
    let mut length = (end + 1).min(rest.len());
    let raw = matches!(name.as_str(), "script" | "style") && !closed;
    if raw {
        let close = format!("</{name}");
        length = rest[length..].find(&close).map_or(rest.len(), |at| length + at);
    }
    (Some(Token::Open { name, attributes, closed }), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        check_html(folder.path()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_page_passes() {
        let page = "<!DOCTYPE html><html lang=en><body><main><h1 id=\"a\">A</h1>\n<a href=\"b.html#b\">x</a> \
                    <a href='https://doi.org/10.1/x'>y</a> <code>{{#value x}}</code><script>'<a href=\"no\">'</script>\
                    <figure><svg role=\"img\" aria-label=\"l\"><g clip-path=\"url(#a)\"/></svg></figure></main></body></html>";
        let other = "<html lang=en><p id=b><a href=\"index.html\">z</a><img src=p.png alt=p></html>";
        let files = [("index.html", page), ("b.html", other), ("p.png", ""), ("s.css", "a{b:url('p.png')}")];
        assert_eq!(faults(&files), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let page = "<html><main>\n<a href=\"gone.html\">x</a>\n<a href=\"#gone\">x</a>\n<a href=\"https://example.org/\">x</a>\n\
                    <script src=\"https://doi.org/x.js\"></script>\n<p id=a><p id=a>\n<pre><code>x</code></pre><img src=\"index.html\">\n\
                    <figure><svg></svg></figure>\n{{#value x}}\n<g fill=\"url(#no)\"/>\n<i style=\"background:url(x)\"></i>\
                    <a href=\"../../etc/passwd\">x</a></html>";
        let css = "@import 'x'; a{b:url(//x.org/y)} c{d:url(z.png)}";
        insta::assert_snapshot!(faults(&[("index.html", page), ("s.css", css)]).join("\n"), @r#"
        index.html:1: the page doesn't name its language
        index.html:2: a link to `gone.html`, which is no file of the book
        index.html:3: a link to `#gone`: index.html has no `#gone`
        index.html:4: a link to example.org; allowed are doi.org, arxiv.org, docs.rs, github.com
        index.html:5: `<script>` leads outside the book: https://doi.org/x.js
        index.html:6: the id `a` stands twice in the page
        index.html:7: an image without `alt` text
        index.html:7: an indented code block; listings come by `{{#code path anchor}}`
        index.html:8: a directive is left over: `{{#`
        index.html:8: a figure without `role="img"` and `aria-label`
        index.html:10: no element has the id `no` that is referred to
        index.html:11: `url(x)` in a style attribute
        index.html:11: a link to `../../etc/passwd`, which is no file of the book
        s.css: `@import` loads another style sheet
        s.css: `url(//x.org/y)` is no file of the book
        s.css: `url(z.png)` is no file of the book
        "#);
    }
}
