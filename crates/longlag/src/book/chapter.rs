//! Chapters with their directives replaced.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use longlag_report::figure::page_css;
use longlag_report::{Report, Value, format};

use super::facts::{Fact, Facts};
use super::listing::{self, WIDTH};
use super::maths::Maths;
use super::scan::{Fault, Kind, Piece, line_around, line_of, scan};
use super::{BookError, FigureSource, ledger, not_found, prose};

/// Every directive and how it is written.
pub(super) const DIRECTIVES: [(&str, &str); 9] = [
    ("code", "{{#code path anchor}} or {{#code path fn name}}"),
    ("snapshot", "{{#snapshot name}}"),
    ("value", "{{#value report.path [digits=3] [percent]}}"),
    ("table", "{{#table report.table [columns=a,b]}}"),
    ("figure", "{{#figure name \"caption\"}}"),
    ("fact", "{{#fact key}}"),
    ("cite", "{{#cite source}}"),
    ("sources", "{{#sources}}"),
    ("ledger", "{{#ledger}}"),
];

/// Directives that make a block of their own.
const BLOCKS: [&str; 6] = ["code", "snapshot", "table", "figure", "sources", "ledger"];

/// mdBook's directives. A missing file only makes them log, a missing anchor not even that.
const OF_MDBOOK: [&str; 5] = ["include", "rustdoc_include", "playground", "playpen", "title"];

/// A chapter as it was read.
pub(super) struct Chapter {
    /// The title in the table of contents.
    pub(super) title: String,
    /// The path below the folder of chapters, such as `first-race.md`.
    pub(super) path: PathBuf,
    /// The path below the workspace's root, for messages.
    pub(super) file: String,
    /// `2.` in the second chapter, empty before and after the numbered ones.
    pub(super) number: String,
    text: String,
    pieces: Vec<Piece>,
    faults: Vec<Fault>,
}

impl Chapter {
    pub(super) fn new(title: &str, path: &Path, file: String, number: String, text: &str) -> Chapter {
        let (pieces, faults) = scan(text);
        Chapter { title: title.into(), path: path.into(), file, number, text: text.into(), pieces, faults }
    }

    /// The texts of the directives, those in captions included.
    fn directives(&self) -> Vec<String> {
        fn of(pieces: &[Piece], found: &mut Vec<String>) {
            for piece in pieces {
                if let Kind::Directive(inside) = &piece.kind {
                    found.push(inside.clone());
                    for argument in arguments(inside) {
                        of(&scan(&argument.text).0, found);
                    }
                }
            }
        }
        let mut found = Vec::new();
        of(&self.pieces, &mut found);
        found
    }

    /// The first argument of each directive of that name.
    fn named(&self, name: &str) -> Vec<String> {
        let directives = self.directives();
        let words = directives.iter().map(|inside| arguments(inside));
        words
            .filter(|words| words.first().is_some_and(|word| word.text == name))
            .map(|words| words.get(1).map(|word| word.text.clone()).unwrap_or_default())
            .collect()
    }
}

/// What all chapters draw from.
pub(super) struct Materials<'a> {
    root: &'a Path,
    figures: &'a dyn FigureSource,
    facts: Facts,
    maths: Maths,
    reports: RefCell<BTreeMap<String, Result<Report, String>>>,
    /// The files that went into the book beside the chapters.
    inputs: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Materials<'a> {
    pub(super) fn new(root: &'a Path, figures: &'a dyn FigureSource) -> Result<Materials<'a>, BookError> {
        let path = root.join(FACTS);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let facts = Facts::parse(&text).map_err(|message| BookError::at(FACTS, None, message))?;
        Ok(Materials {
            root,
            figures,
            facts,
            maths: Maths::new(),
            reports: RefCell::default(),
            inputs: RefCell::new([path].into()),
        })
    }

    pub(super) fn into_inputs(self) -> BTreeSet<PathBuf> {
        self.inputs.into_inner()
    }

    /// All chapters as Markdown for mdBook, in their order.
    pub(super) fn render(&self, chapters: &[Chapter]) -> Result<Vec<String>, Vec<BookError>> {
        let mut errors = Vec::new();
        let citations = Citations::new(&self.facts, chapters);
        let mut render =
            |chapter| Page { materials: self, citations: &citations, chapter }.render(&mut errors);
        let texts = chapters.iter().map(&mut render).collect();
        if errors.is_empty() { Ok(texts) } else { Err(errors) }
    }

    fn snapshots(&self) -> Vec<String> {
        self.stems(SNAPSHOTS, ".snap")
    }

    /// The names of the files in a folder that end so, without that end.
    fn stems(&self, folder: &str, end: &str) -> Vec<String> {
        let names = names_in(&self.root.join(folder));
        names.iter().filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        self.inputs.borrow_mut().insert(path.to_owned());
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The body of a snapshot.
    fn snapshot(&self, name: &str) -> Result<String, String> {
        let path = self.root.join(SNAPSHOTS).join(format!("{name}.snap"));
        if !path.is_file() {
            return Err(format!("{} in {SNAPSHOTS}", not_found("snapshot", name, self.snapshots())));
        }
        let text = self.read(&path)?.replace("\r\n", "\n");
        Ok(snapshot_body(&text).to_owned())
    }

    /// A report by its name: that of an experiment, out of its snapshot, or a record.
    fn report(&self, name: &str) -> Result<Report, String> {
        let read = || {
            let (snapshots, records) = (self.snapshots(), self.stems(RECORDS, ".json"));
            let (kind, text) = if records.iter().any(|record| record == name) {
                ("record", self.read(&self.root.join(RECORDS).join(format!("{name}.json")))?)
            } else if snapshots.iter().any(|snapshot| snapshot == name) {
                ("snapshot", self.snapshot(name)?)
            } else {
                let known = [snapshots, records].concat();
                return Err(format!("{} in {SNAPSHOTS} and {RECORDS}", not_found("report", name, known)));
            };
            Report::from_snapshot(&text).map_err(|error| format!("{kind} `{name}`: {error}"))
        };
        let mut reports = self.reports.borrow_mut();
        reports.entry(name.to_owned()).or_insert_with(read).clone()
    }

    /// The report and the rest of `report.path`.
    fn lookup<'p>(&self, path: &'p str) -> Result<(Report, &'p str), String> {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        Ok((self.report(name)?, rest))
    }

    fn fact(&self, key: &str) -> Result<&Fact, String> {
        let known = || self.facts.facts.keys().cloned().collect();
        self.facts.facts.get(key).ok_or_else(|| format!("{} in {FACTS}", not_found("fact", key, known())))
    }
}

/// The file of cited facts, below the root.
const FACTS: &str = "book/facts.toml";

/// The folder of snapshots, below the root.
pub(crate) const SNAPSHOTS: &str = "tests/snapshots";

/// What follows the header of a snapshot, which stands between `---` lines.
pub(crate) fn snapshot_body(text: &str) -> &str {
    let body = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    body.map_or(text, |(_, body)| body)
}

/// The folder of records, below the root: reports of what can't be computed again to the digit, such as times, and
/// folders with the runs of experiments.
pub(crate) const RECORDS: &str = "tests/records";

/// Which sources the book cites, and where.
struct Citations {
    /// Keys of the cited sources, in the order of their numbers.
    sources: Vec<String>,
    /// By fact: the chapters that quote it, as indices.
    quoted: BTreeMap<String, BTreeSet<usize>>,
    /// By source: the chapters that cite it without a fact.
    cited: BTreeMap<String, BTreeSet<usize>>,
    /// Titles and paths of the chapters.
    chapters: Vec<(String, PathBuf)>,
    /// The path of the page that lists them.
    page: Option<PathBuf>,
}

impl Citations {
    fn new(facts: &Facts, chapters: &[Chapter]) -> Citations {
        let mut quoted: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let mut cited: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, chapter) in chapters.iter().enumerate() {
            for key in chapter.named("fact") {
                quoted.entry(key).or_default().insert(index);
            }
            for key in chapter.named("cite") {
                cited.entry(key).or_default().insert(index);
            }
        }
        let of_facts = quoted.keys().filter_map(|key| facts.facts.get(key)).map(|fact| &fact.source);
        let sources: BTreeSet<&String> = of_facts.chain(cited.keys()).collect();
        Citations {
            sources: sources.into_iter().filter(|key| facts.sources.contains_key(*key)).cloned().collect(),
            quoted,
            cited,
            chapters: chapters.iter().map(|chapter| (chapter.title.clone(), chapter.path.clone())).collect(),
            page: chapters
                .iter()
                .find(|chapter| !chapter.named("sources").is_empty())
                .map(|c| c.path.clone()),
        }
    }
}

/// One chapter in the making.
struct Page<'a> {
    materials: &'a Materials<'a>,
    citations: &'a Citations,
    chapter: &'a Chapter,
}

impl Page<'_> {
    fn render(&self, errors: &mut Vec<BookError>) -> String {
        let chapter = self.chapter;
        let mut faults = chapter.faults.clone();
        faults.extend(prose::check(&chapter.text, &chapter.pieces));
        let mut out = String::with_capacity(chapter.text.len());
        let mut figures = 0;
        for piece in &chapter.pieces {
            let written = &chapter.text[piece.range.clone()];
            let made = match &piece.kind {
                Kind::Directive(inside) => self.block_or_inline(piece, inside, &mut figures),
                Kind::Maths { .. } if line_around(&chapter.text, piece.range.start).starts_with('#') => {
                    Err("maths in a heading: it would spoil the heading's link and the table of contents"
                        .into())
                }
                Kind::Maths { tex, display } => self.materials.maths.render(tex, *display),
                _ => Ok(written.to_owned()),
            };
            match made {
                Ok(text) => {
                    // A raised mark follows its word.
                    if text.starts_with("<sup") {
                        out.truncate(out.trim_end().len());
                    }
                    out.push_str(&text);
                    // At the start of a line, `1.` would begin a list.
                    let next = &chapter.text[piece.range.end..];
                    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                    if digits && !text.is_empty() && next.starts_with(['.', ')']) {
                        out.push('\\');
                    }
                }
                Err(message) => faults.push((piece.range.start, message)),
            }
        }
        faults.sort();
        errors.extend(faults.into_iter().map(|(at, message)| {
            let line = line_of(&chapter.text, at);
            BookError::at(&chapter.file, Some(line), message)
        }));
        out
    }

    fn block_or_inline(&self, piece: &Piece, inside: &str, figures: &mut usize) -> Result<String, String> {
        let words = arguments(inside);
        let name = words.first().map_or("", |word| &word.text);
        if !BLOCKS.contains(&name) {
            return self.inline(inside);
        }
        let text = &self.chapter.text;
        let before = text[..piece.range.start].chars().next_back();
        let after = text[piece.range.end..].lines().next().unwrap_or("");
        if before.is_some_and(|c| c != '\n') || !after.trim().is_empty() {
            return Err(format!(
                "`{{{{#{name}}}}}` makes a block: it stands alone on its line, without indentation"
            ));
        }
        let block = match name {
            "code" => self.code(&words[1..]),
            "snapshot" => self.snapshot(&words[1..]),
            "table" => self.table(&words[1..]),
            "figure" => {
                *figures += 1;
                self.figure(&words[1..], *figures)
            }
            "ledger" => self.ledger(&words[1..]),
            _ => self.sources(&words[1..]),
        }?;
        Ok(format!("\n{}\n", block.trim_end()))
    }

    /// A directive within a line.
    fn inline(&self, inside: &str) -> Result<String, String> {
        let words = arguments(inside);
        let name = words.first().map_or("", |word| &word.text);
        match name {
            "value" => self.value(&words[1..]),
            "fact" => self.fact(&words[1..]),
            "cite" => {
                let [key] = exactly("cite", &words[1..])?;
                self.mark(key, "")
            }
            _ if OF_MDBOOK.contains(&name) => Err(format!(
                "mdBook's own `{{{{#{name}}}}}` is not used here, because it hides what is missing; there is {}",
                names().join(", ")
            )),
            _ if BLOCKS.contains(&name) => {
                Err(format!("`{{{{#{name}}}}}` makes a block and can't stand in a caption"))
            }
            _ => Err(not_found("directive", name, names())),
        }
    }

    /// Markdown within a caption or a fact: code spans, maths and the inline directives.
    fn expand(&self, text: &str) -> Result<String, String> {
        let (pieces, faults) = scan(text);
        if let Some((_, message)) = faults.into_iter().next() {
            return Err(format!("in {text:?}: {message}"));
        }
        let mut out = String::new();
        for piece in pieces {
            match piece.kind {
                Kind::Maths { tex, display } => out.push_str(&self.materials.maths.render(&tex, display)?),
                Kind::Directive(inside) => out.push_str(&self.inline(&inside)?),
                _ => out.push_str(&text[piece.range]),
            }
        }
        Ok(out.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn code(&self, words: &[Word]) -> Result<String, String> {
        let [path, selector @ ..] = words else { return Err(usage("code")) };
        if selector.is_empty() {
            return Err(usage("code"));
        }
        let path = &path.text;
        let selector = selector.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let source = self.source_file(path)?;
        let listing = listing::cut(&source, &selector).map_err(|message| format!("{path}: {message}"))?;
        let language = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
            Some("rs") => "rust",
            Some("toml") => "toml",
            _ => "text",
        };
        Ok(framed("", &format!("{path}, line {}", listing.line), language, &listing.text))
    }

    fn source_file(&self, path: &str) -> Result<String, String> {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("`{path}` must be a path below the workspace's root"));
        }
        let full = self.materials.root.join(relative);
        if full.is_file() {
            return self.materials.read(&full);
        }
        let folder = relative.ancestors().skip(1).find(|folder| self.materials.root.join(folder).is_dir());
        let folder = folder.expect("the root is a folder");
        let missing = relative.strip_prefix(folder).expect("an ancestor").components().next();
        let missing = missing.map_or(String::new(), |part| part.as_os_str().to_string_lossy().into_owned());
        let place =
            if folder.as_os_str().is_empty() { "the root".into() } else { folder.display().to_string() };
        let known = names_in(&self.materials.root.join(folder));
        Err(format!("there is no file `{path}`: in {place} {}", not_found("entry", &missing, known)))
    }

    fn snapshot(&self, words: &[Word]) -> Result<String, String> {
        let [name] = exactly("snapshot", words)?;
        let body = self.materials.snapshot(name)?;
        if let Some((at, line)) = body.lines().enumerate().find(|(_, line)| line.chars().count() > WIDTH) {
            let width = line.chars().count();
            return Err(format!(
                "snapshot `{name}`: line {} has {width} columns, at most {WIDTH} fit",
                at + 1
            ));
        }
        Ok(framed(" output", &format!("{SNAPSHOTS}/{name}.snap"), "text", &body))
    }

    fn value(&self, words: &[Word]) -> Result<String, String> {
        let [path, options @ ..] = words else { return Err(usage("value")) };
        let (mut digits, mut percent) = (None, false);
        for option in options {
            match option.text.split_once('=') {
                Some(("digits", number)) => match number.parse() {
                    Ok(number @ 1..=17) => digits = Some(number),
                    _ => return Err(format!("`digits={number}`: significant digits are 1 to 17")),
                },
                None if option.text == "percent" => percent = true,
                _ => return Err(format!("`{}` is no option: {}", option.text, usage("value"))),
            }
        }
        let (report, rest) = self.materials.lookup(&path.text)?;
        let value = report.value(rest).map_err(|error| format!("{}: {error}", report.experiment()))?;
        let text = match (digits, percent) {
            (None, false) => format::format_value(&value),
            (digits, percent) => {
                let number =
                    value.as_number().ok_or_else(|| format!("`{}` is no number: {value}", path.text))?;
                let (number, digits) = (number.to_f64(), digits.unwrap_or(3));
                if percent { percentage(number, digits) } else { format::format_number(number, digits) }
            }
        };
        Ok(raise(&escape(&text)))
    }

    fn table(&self, words: &[Word]) -> Result<String, String> {
        let [path, options @ ..] = words else { return Err(usage("table")) };
        let (report, name) = self.materials.lookup(&path.text)?;
        let name = name.strip_prefix("tables.").unwrap_or(name);
        let table = report.find_table(name).map_err(|error| format!("{}: {error}", report.experiment()))?;
        let mut chosen: Vec<usize> = (0..table.columns().len()).collect();
        for option in options {
            let Some(("columns", names)) = option.text.split_once('=') else {
                return Err(format!("`{}` is no option: {}", option.text, usage("table")));
            };
            let find = |name: &str| {
                let at = table.columns().iter().position(|column| column == name);
                at.ok_or_else(|| not_found("column", name, table.columns().to_vec()))
            };
            chosen = names.split(',').map(str::trim).map(find).collect::<Result<_, _>>()?;
        }
        let heads = chosen.iter().map(|&column| table.columns()[column].replace('_', " "));
        let mut shown = Report::new("", &());
        let shown = shown.table("", heads);
        for row in table.rows() {
            shown.row(chosen.iter().map(|&column| row[column].clone()).collect::<Vec<Value>>());
        }
        Ok(format!("\n{}", raise(&shown.to_markdown())))
    }

    fn ledger(&self, words: &[Word]) -> Result<String, String> {
        let [] = exactly("ledger", words)?;
        let text = ledger::page(&self.materials.report(longlag_experiments::ledger::NAME)?, |name| {
            let path = format!("{name}.md");
            let found = self.citations.chapters.iter().find(|(_, known)| known.as_os_str() == path.as_str());
            found.map(|(title, _)| format!("[{}]({path})", escape(title)))
        })?;
        Ok(raise(&text))
    }

    fn figure(&self, words: &[Word], number: usize) -> Result<String, String> {
        let [name, caption] = words else { return Err(usage("figure")) };
        if name.quoted || !caption.quoted {
            return Err(usage("figure"));
        }
        let (name, caption) = (&name.text, &caption.text);
        if let Some((_, message)) = prose::check(caption, &scan(caption).0).into_iter().next() {
            return Err(format!("in the caption of `{name}`: {message}"));
        }
        let known = self.materials.figures.names();
        if !known.contains(name) {
            return Err(not_found("figure", name, known));
        }
        let report = |experiment: &str| self.materials.report(experiment);
        let svg =
            self.materials.figures.svg(name, &report).map_err(|error| format!("figure `{name}`: {error}"))?;
        // A blank line would end the HTML for Markdown.
        let svg: Vec<&str> = svg.lines().filter(|line| !line.trim().is_empty()).collect();
        // The style sheet of all figures, once in a chapter: mdBook has no place for a generated one.
        let style = if number == 1 { format!("<style>\n{}\n</style>\n", page_css()) } else { String::new() };
        Ok(format!(
            "\n{style}<figure id=\"figure-{name}\">\n{}\n<figcaption>\n\n**Figure {}{number}.** {}\n\n</figcaption>\n</figure>\n",
            svg.join("\n"),
            self.chapter.number,
            self.expand(caption)?
        ))
    }

    fn fact(&self, words: &[Word]) -> Result<String, String> {
        let [key] = exactly("fact", words)?;
        let fact = self.materials.fact(key)?;
        Ok(format!("{}{}", self.expand(&fact.value)?, self.mark(&fact.source, &fact.place)?))
    }

    /// The superscript number that leads to a source.
    fn mark(&self, key: &str, place: &str) -> Result<String, String> {
        let sources = &self.materials.facts.sources;
        let known = || sources.keys().cloned().collect();
        let source =
            sources.get(key).ok_or_else(|| format!("{} in {FACTS}", not_found("source", key, known())))?;
        let Some(page) = &self.citations.page else {
            return Err("no chapter lists the sources: put `{{#sources}}` into one".into());
        };
        let number =
            1 + self.citations.sources.iter().position(|cited| cited == key).expect("it is cited here");
        let up = "../".repeat(self.chapter.path.components().count() - 1);
        let place = if place.is_empty() { String::new() } else { format!(" {place}.") };
        let title = format!("{}{place}", source.cite).replace('&', "&amp;").replace('"', "&quot;");
        Ok(format!(
            "<sup class=\"cite\"><a href=\"{up}{}#source-{key}\" title=\"{title}\">&#91;{number}&#93;</a></sup>",
            page.display()
        ))
    }

    fn sources(&self, words: &[Word]) -> Result<String, String> {
        let [] = exactly("sources", words)?;
        let up = "../".repeat(self.chapter.path.components().count() - 1);
        let places = |chapters: &BTreeSet<usize>| {
            let link = |&index: &usize| {
                let (title, path) = &self.citations.chapters[index];
                format!("[{title}]({up}{})", path.display())
            };
            chapters.iter().map(link).collect::<Vec<_>>().join(", ")
        };
        let mut out = String::new();
        for (number, key) in (1..).zip(&self.citations.sources) {
            let source = &self.materials.facts.sources[key];
            let link = source.url.as_ref().map(|url| format!(" <{url}>")).unwrap_or_default();
            out += &format!("\n<div class=\"source\" id=\"source-{key}\">\n\n");
            out += &format!("**\\[{number}\\]** {}{link}\n\n", escape(&source.cite));
            for (name, chapters) in &self.citations.quoted {
                let Some(fact) = self.materials.facts.facts.get(name).filter(|fact| &fact.source == key)
                else {
                    continue;
                };
                let (says, value) = (self.expand(&fact.says)?, self.expand(&fact.value)?);
                out += &format!(
                    "- {says}: {value} ({}). Quoted in {}.\n",
                    escape(&fact.place),
                    places(chapters)
                );
            }
            if let Some(chapters) = self.citations.cited.get(key) {
                out += &format!("- Cited in {}.\n", places(chapters));
            }
            out += "\n</div>\n";
        }
        Ok(out)
    }
}

/// A code block under the path it comes from.
fn framed(class: &str, path: &str, language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let text = text.trim_end_matches('\n');
    format!(
        "\n<div class=\"listing{class}\">\n<div class=\"path\">{path}</div>\n\n{fence}{language}\n{text}\n{fence}\n\n</div>\n"
    )
}

/// A percentage with `digits` significant digits.
fn percentage(value: f64, digits: u8) -> String {
    let exponent = format!("{:.*e}", usize::from(digits) - 1, value * 100.0);
    let exponent =
        exponent.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok()).unwrap_or(0);
    format::format_percent(value, (i32::from(digits) - 1 - exponent).max(0) as usize)
}

/// `text` so that Markdown shows it as it is.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '|' | '~' | '$' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `10⁻⁹` as `10<sup>−9</sup>`: few fonts have all the raised digits, and a mixture looks ragged.
fn raise(text: &str) -> String {
    const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
    let plain =
        |c: char| RAISED.chars().position(|raised| raised == c).and_then(|at| "0123456789−".chars().nth(at));
    let mut out = String::new();
    let mut open = false;
    for c in text.chars() {
        let lowered = plain(c);
        if lowered.is_some() != open {
            open = !open;
            out.push_str(if open { "<sup>" } else { "</sup>" });
        }
        out.push(lowered.unwrap_or(c));
    }
    out + if open { "</sup>" } else { "" }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn names() -> Vec<String> {
    DIRECTIVES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn usage(name: &str) -> String {
    let (_, usage) = DIRECTIVES.iter().find(|(known, _)| *known == name).expect("a known directive");
    format!("it is written {usage}")
}

fn exactly<'w, const N: usize>(name: &str, words: &'w [Word]) -> Result<[&'w str; N], String> {
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    words.try_into().map_err(|_| usage(name))
}

/// A part of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// Whether it began with a quote.
    quoted: bool,
}

/// Splits at whitespace outside of quotes; in quotes, `\"` is a quote.
fn arguments(inside: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let (mut quoted, mut chars) = (false, inside.chars().peekable());
    while let Some(c) = chars.next() {
        if c.is_whitespace() && !quoted {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert(Word { text: String::new(), quoted: c == '"' });
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted && chars.peek() == Some(&'"') => current.text.extend(chars.next()),
            c => current.text.push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_quoted() {
        let words =
            |inside| arguments(inside).into_iter().map(|word| (word.text, word.quoted)).collect::<Vec<_>>();
        let plain = |text: &str| (text.to_owned(), false);
        assert_eq!(words("value a.b  digits=3"), [plain("value"), plain("a.b"), plain("digits=3")]);
        assert_eq!(words(r#"figure f "a \"b\" \alpha""#)[2], (r#"a "b" \alpha"#.to_owned(), true));
        assert_eq!(words(r#"table t columns="a b,c""#)[2], plain("columns=a b,c"));
    }

    #[test]
    fn exponents_are_raised_by_markup() {
        assert_eq!(raise("3 × 10⁻¹² of 10⁶"), "3 × 10<sup>−12</sup> of 10<sup>6</sup>");
    }

    #[test]
    fn percentages_have_significant_digits() {
        let text = |value, digits| percentage(value, digits);
        assert_eq!(
            [text(0.91234, 3), text(0.9996, 3), text(1.0, 3), text(0.00512, 2)],
            ["91.2%", "100%", "100%", "0.51%"]
        );
    }
}
