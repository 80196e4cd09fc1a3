//! The book: it builds, the same each time, and whatever it pulls in and does not find stops it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;

use longlag::ReportFigures;
use longlag::book::{FigureSource, Server, build, check_html, preprocess};
use longlag_report::Report;
use longlag_tests::root;

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_owned();
                found.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn the_book_builds_and_its_pages_are_sound() {
    let dest = tempfile::tempdir().expect("a folder");
    let built = build(&root(), Some(dest.path()), &ReportFigures).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(built.index.is_file());
    let summary = fs::read_to_string(root().join("book/en/SUMMARY.md")).expect("the table of contents");
    assert_eq!(built.chapters, summary.matches(".md)").count(), "every chapter of the table of contents");
    assert_eq!(check_html(dest.path()), []);

    let again = tempfile::tempdir().expect("a folder");
    build(&root(), Some(again.path()), &ReportFigures).unwrap_or_else(|errors| panic!("{errors}"));
    let (first, second) = (files(dest.path()), files(again.path()));
    assert!(first.keys().eq(second.keys()), "the same files");
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{} differs between two builds", name.display());
    }
}

// ------------------------------------------------------------------------------------------- a small book

/// A workspace with a book of two chapters that uses every directive.
struct Fixture(tempfile::TempDir);

const CHAPTER: &str = r#"# Race

The cell reaches {{#value race.facts.accuracy digits=2 percent}} at lag $t$, not \$5.

{{#code src/cell.rs step}}

{{#code src/cell.rs struct Cell}}

{{#snapshot output}}

{{#table race.accuracy columns=cell,test_accuracy}}

{{#figure lag "After {{#value race.config.steps}} steps of $h_t$, as `{{#value}}` says."}}

Quoted: {{#fact paper-steps}} steps, from the paper{{#cite author-1997}}.

```sh
echo {{#shown}} $PATH
```
"#;

const FILES: [(&str, &str); 8] = [
    (
        "book/book.toml",
        "[book]\ntitle = \"fixture\"\nsrc = \"en\"\n\
         [build]\ncreate-missing = false\nuse-default-preprocessors = false\n\
         [preprocessor.longlag]\ncommand = \"no-such-program\"\n\
         [output.html]\nhash-files = false\ninput-404 = \"\"\nplayground.runnable = false\n",
    ),
    ("book/en/SUMMARY.md", "# Summary\n\n- [Race](race.md)\n\n[Sources](sources.md)\n"),
    ("book/en/race.md", CHAPTER),
    ("book/en/sources.md", "# Sources\n\n{{#sources}}\n"),
    (
        "book/facts.toml",
        "[sources.author-1997]\ncite = \"A. Author. A Paper. 1997.\"\nurl = \"https://doi.org/10.1/a\"\n\
         [facts.paper-steps]\nvalue = \"1,000\"\nsays = \"steps bridged\"\nsource = \"author-1997\"\nwhere = \"abstract\"\n",
    ),
    (
        "src/cell.rs",
        "//! Cells.\n\n// ANCHOR: step\n/// One step.\npub fn step(h: f64) -> f64 {\n    h.abs()\n}\n// ANCHOR_END: step\n\n\
         pub struct Cell {\n    pub h: f64,\n}\n",
    ),
    ("tests/snapshots/output.snap", "---\nsource: tests/tests/examples.rs\n---\nlag  norm\n  1   0.5\n"),
    ("tests/snapshots/race.snap", ""),
];

impl Fixture {
    fn new() -> Fixture {
        let fixture = Fixture(tempfile::tempdir().expect("a folder"));
        for (path, text) in FILES {
            fixture.write(path, text);
        }
        let config: BTreeMap<_, _> = [("steps", 64)].into();
        let mut report = Report::new("race", &config);
        report.fact("accuracy", 0.912).fact("winner", "LSTM");
        let accuracy = report.table("accuracy", ["cell", "parameters", "test_accuracy"]);
        accuracy.row(("RNN", 4210, 0.5)).row(("LSTM", 4180, 0.912));
        fixture.write("tests/snapshots/race.snap", &format!("---\nsource: x\n---\n{}", report.to_snapshot()));
        fixture
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Replaces `old`, which must be there once, in a file.
    #[track_caller]
    fn edit(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.root().join(path)).expect("a file");
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {path}");
        self.write(path, &text.replace(old, new));
    }

    fn errors(&self) -> String {
        let errors = build(self.root(), None, &Figures).expect_err("a broken book").to_string();
        errors.replace(&self.root().display().to_string(), "ROOT")
    }

    fn page(&self, name: &str) -> String {
        build(self.root(), None, &Figures).unwrap_or_else(|errors| panic!("{errors}"));
        fs::read_to_string(self.root().join("target/book").join(name)).expect("a page")
    }
}

struct Figures;

impl FigureSource for Figures {
    fn names(&self) -> Vec<String> {
        ["lag", "spectrum"].map(str::to_owned).into()
    }

    fn svg(&self, name: &str, report: &dyn Fn(&str) -> Result<Report, String>) -> Result<String, String> {
        let accuracy = report("race")?.value("facts.accuracy").map_err(|error| error.to_string())?;
        Ok(format!(
            "<svg role=\"img\" aria-label=\"{name}\"\n\nviewBox=\"0 0 9 9\"><text>*{accuracy}*</text></svg>\n"
        ))
    }
}

#[test]
fn every_directive_puts_in_what_it_names() {
    let fixture = Fixture::new();
    let page = fixture.page("race.html");
    for expected in [
        "The cell reaches 91% at lag <span class=\"katex\">",
        "not $5.",
        "<div class=\"path\">src/cell.rs, line 4</div>",
        "<code class=\"language-rust\">/// One step.\npub fn step(h: f64) -&gt; f64 {\n    h.abs()\n}</code>",
        "<div class=\"path\">src/cell.rs, line 10</div>",
        "<code class=\"language-text\">lag  norm\n  1   0.5\n</code>",
        "test accuracy</th>",
        "0.912</td>",
        "<text>*0.912*</text>",
        "<strong>Figure 1.1.</strong> After 64 steps of <span class=\"katex\">",
        "as <code>{{#value}}</code> says.",
        "Quoted: 1,000<sup class=\"cite\"><a href=\"sources.html#source-author-1997\" title=\"A. Author. A Paper. 1997. abstract.\">[1]</a></sup> steps",
        "echo {{#shown}} $PATH",
    ] {
        assert!(page.contains(expected), "no {expected:?} in\n{page}");
    }
    assert!(!page.contains("parameters"), "a column that was not chosen");
    let sources = fixture.page("sources.html");
    let entry = "steps bridged: 1,000 (abstract). Quoted in <a href=\"race.html\">Race</a>.";
    assert!(
        sources.contains(entry) && sources.contains("Cited in <a href=\"race.html\">Race</a>"),
        "{sources}"
    );
}

#[test]
fn a_number_at_the_start_of_a_line_begins_no_list() {
    let fixture = Fixture::new();
    let steps = "{{#value race.config.steps}}";
    fixture.edit("book/en/race.md", "not \\$5.", &format!("so.\n\n{steps}. More, and\n\n- {steps}) more."));
    let page = fixture.page("race.html");
    assert!(page.contains("<p>64. More, and</p>") && page.contains("<li>64) more.</li>"), "{page}");
}

#[test]
fn a_record_is_quoted_like_a_snapshot() {
    let fixture = Fixture::new();
    let mut record = Report::new("speed", &BTreeMap::<String, u8>::new());
    record.fact("ratio", 2.5).table("lstm", ["shape", "ratio"]).row(("1,1,1,1", 2.5));
    fixture.write("tests/records/speed.json", &record.to_snapshot());
    fixture.edit("book/en/race.md", "not \\$5", "{{#value speed.tables.lstm.1,1,1,1.ratio}} times as fast");
    assert!(fixture.page("race.html").contains("2.5 times as fast"));

    fixture.edit("book/en/race.md", "{{#value speed.", "{{#value sped.");
    let unknown =
        "there is no report `sped`; there is speed, race, output in tests/snapshots and tests/records";
    assert!(fixture.errors().contains(unknown), "{}", fixture.errors());
    fixture.edit("book/en/race.md", "{{#value sped.", "{{#value speed.");
    fixture.edit("tests/records/speed.json", "\"facts\": {", "\"facts\": [");
    assert!(fixture.errors().contains("record `speed`: not a report"), "{}", fixture.errors());
}

/// What is broken, in which file, by which replacement.
const BREAKS: [(&str, &str, &str, &str); 33] = [
    ("anchor", "book/en/race.md", "cell.rs step", "cell.rs stop"),
    (
        "half an item",
        "src/cell.rs",
        "    h.abs()\n}\n// ANCHOR_END: step",
        "    h.abs()\n// ANCHOR_END: step\n}",
    ),
    ("item", "book/en/race.md", "struct Cell", "struct Call"),
    ("listing file", "book/en/race.md", "src/cell.rs step", "src/sell.rs step"),
    ("listing outside", "book/en/race.md", "src/cell.rs step", "../cell.rs step"),
    (
        "wide code",
        "src/cell.rs",
        "h.abs()",
        "h.abs() + h.abs() + h.abs() + h.abs() + h.abs() + h.abs() + h.abs() + h.abs()",
    ),
    ("snapshot", "book/en/race.md", "{{#snapshot output}}", "{{#snapshot outputs}}"),
    ("report", "book/en/race.md", "race.facts.accuracy", "rice.facts.accuracy"),
    ("value", "book/en/race.md", "facts.accuracy", "facts.acuracy"),
    ("text as number", "book/en/race.md", "facts.accuracy", "facts.winner"),
    ("option", "book/en/race.md", "digits=2 percent", "digit=2"),
    ("broken report", "tests/snapshots/race.snap", "\"facts\": {", "\"facts\": ["),
    ("table", "book/en/race.md", "{{#table race.accuracy", "{{#table race.acuracy"),
    ("column", "book/en/race.md", "columns=cell,test_accuracy", "columns=cell,accuracy"),
    ("figure", "book/en/race.md", "{{#figure lag", "{{#figure log"),
    ("caption", "book/en/race.md", "{{#figure lag \"After", "{{#figure lag \"After 0.87,"),
    ("value in caption", "book/en/race.md", "race.config.steps", "race.config.step"),
    ("fact", "book/en/race.md", "{{#fact paper-steps}}", "{{#fact paper-step}}"),
    ("source", "book/en/race.md", "{{#cite author-1997}}", "{{#cite author-1998}}"),
    ("list of sources", "book/en/sources.md", "{{#sources}}", "None."),
    ("fact without source", "book/facts.toml", "source = \"author-1997\"", "source = \"author\""),
    ("source elsewhere", "book/facts.toml", "https://doi.org/10.1/a", "https://example.org/a"),
    ("stray dollar", "book/en/race.md", "\\$5", "$5"),
    ("formula", "book/en/race.md", "$t$", "$\\frac{t}$"),
    ("maths in heading", "book/en/race.md", "# Race", "# Race for $h$"),
    ("code in prose", "book/en/race.md", "```sh", "```rust"),
    ("number in prose", "book/en/race.md", "Quoted:", "It is 0.87. Quoted:"),
    ("directive", "book/en/race.md", "{{#snapshot output}}", "{{#snapshop output}}"),
    ("directive of mdBook", "book/en/race.md", "{{#snapshot output}}", "{{#include output.txt}}"),
    ("block in a line", "book/en/race.md", "{{#snapshot output}}", "Output: {{#snapshot output}}"),
    ("forgotten chapter", "book/en/SUMMARY.md", "\n[Sources](sources.md)", ""),
    ("link", "book/en/race.md", "Quoted:", "[Gone](gone.md). Quoted:"),
    ("tag", "book/en/race.md", "Quoted:", "<b>Quoted:"),
];

#[test]
fn what_is_missing_or_typed_stops_the_build() {
    let mut shown = String::new();
    for (name, file, old, new) in BREAKS {
        let fixture = Fixture::new();
        fixture.edit(file, old, new);
        shown += &format!("{name}:\n{}\n\n", fixture.errors());
    }
    insta::assert_snapshot!(shown, @r#"
    anchor:
    book/en/race.md:5: src/cell.rs: there is no anchor `stop`; there is step
    the book was not built: 1 error

    half an item:
    book/en/race.md:5: src/cell.rs: the anchor cuts an item in two: brackets don't match
    the book was not built: 1 error

    item:
    book/en/race.md:7: src/cell.rs: there is no item `struct Call`; there is struct Cell
    the book was not built: 1 error

    listing file:
    book/en/race.md:5: there is no file `src/sell.rs`: in src there is no entry `sell.rs`; there is cell.rs
    the book was not built: 1 error

    listing outside:
    book/en/race.md:5: `../cell.rs` must be a path below the workspace's root
    the book was not built: 1 error

    wide code:
    book/en/race.md:5: src/cell.rs: line 6 has 81 columns, a listing has at most 80
    the book was not built: 1 error

    snapshot:
    book/en/race.md:9: there is no snapshot `outputs`; there is output, race in tests/snapshots
    the book was not built: 1 error

    report:
    book/en/race.md:3: there is no report `rice`; there is race, output in tests/snapshots and tests/records
    the book was not built: 1 error

    value:
    book/en/race.md:3: race: "facts.acuracy" leads nowhere: facts has no "acuracy"; it has accuracy, winner
    the book was not built: 1 error

    text as number:
    book/en/race.md:3: `race.facts.winner` is no number: LSTM
    the book was not built: 1 error

    option:
    book/en/race.md:3: `digit=2` is no option: it is written {{#value report.path [digits=3] [percent]}}
    the book was not built: 1 error

    broken report:
    book/en/race.md:3: snapshot `race`: not a report: invalid type: sequence, expected a map at line 6 column 11
    book/en/race.md:11: snapshot `race`: not a report: invalid type: sequence, expected a map at line 6 column 11
    book/en/race.md:13: figure `lag`: snapshot `race`: not a report: invalid type: sequence, expected a map at line 6 column 11
    the book was not built: 3 errors

    table:
    book/en/race.md:11: race: "tables.acuracy" leads nowhere: tables has no "acuracy"; it has accuracy
    the book was not built: 1 error

    column:
    book/en/race.md:11: there is no column `accuracy`; there is test_accuracy, cell, parameters
    the book was not built: 1 error

    figure:
    book/en/race.md:13: there is no figure `log`; there is lag, spectrum
    the book was not built: 1 error

    caption:
    book/en/race.md:13: in the caption of `lag`: the number `0.87` is typed into prose. Measured: `{{#value report.path}}`; from a paper: `{{#fact key}}`; part of a formula: `$…$`; a name or version: `` `…` ``
    the book was not built: 1 error

    value in caption:
    book/en/race.md:13: race: "config.step" leads nowhere: config has no "step"; it has steps
    the book was not built: 1 error

    fact:
    book/en/race.md:15: there is no fact `paper-step`; there is paper-steps in book/facts.toml
    the book was not built: 1 error

    source:
    book/en/race.md:15: there is no source `author-1998`; there is author-1997 in book/facts.toml
    the book was not built: 1 error

    list of sources:
    book/en/race.md:15: no chapter lists the sources: put `{{#sources}}` into one
    book/en/race.md:15: no chapter lists the sources: put `{{#sources}}` into one
    the book was not built: 2 errors

    fact without source:
    book/facts.toml: fact `paper-steps`: there is no source `author`; there is author-1997
    the book was not built: 1 error

    source elsewhere:
    book/facts.toml: source `author-1997`: https://example.org/a is not at doi.org or arxiv.org
    the book was not built: 1 error

    stray dollar:
    book/en/race.md:3: stray `$`: maths is `$…$` without a space at its ends, a dollar sign is `\$`
    the book was not built: 1 error

    formula:
    book/en/race.md:3: the formula `\frac{t}` is not understood: KaTeX parse error: Unexpected end of input in a macro argument, expected '}' at end of input: \frac{t}
    the book was not built: 1 error

    maths in heading:
    book/en/race.md:1: maths in a heading: it would spoil the heading's link and the table of contents
    the book was not built: 1 error

    code in prose:
    book/en/race.md:17: code typed into prose: a fenced block marked with `rust`. Listings come by `{{#code path anchor}}`, output by `{{#snapshot name}}`; a block may be sh, console, text, toml, json, markdown
    the book was not built: 1 error

    number in prose:
    book/en/race.md:15: the number `0.87` is typed into prose. Measured: `{{#value report.path}}`; from a paper: `{{#fact key}}`; part of a formula: `$…$`; a name or version: `` `…` ``
    the book was not built: 1 error

    directive:
    book/en/race.md:9: there is no directive `snapshop`; there is snapshot, value, table, fact, sources, code, figure, cite, ledger
    the book was not built: 1 error

    directive of mdBook:
    book/en/race.md:9: mdBook's own `{{#include}}` is not used here, because it hides what is missing; there is code, snapshot, value, table, figure, fact, cite, sources, ledger
    the book was not built: 1 error

    block in a line:
    book/en/race.md:9: `{{#snapshot}}` makes a block: it stands alone on its line, without indentation
    the book was not built: 1 error

    forgotten chapter:
    book/en/sources.md: SUMMARY.md doesn't list this chapter
    book/en/race.md:15: no chapter lists the sources: put `{{#sources}}` into one
    book/en/race.md:15: no chapter lists the sources: put `{{#sources}}` into one
    the book was not built: 3 errors

    link:
    book/en/race.md:15: a link to `gone.html`, which is no file of the book
    the book was not built: 1 error

    tag:
    mdBook: unclosed HTML tag `<b>` found in `race.md` while exiting Paragraph
    HTML tags must be closed before exiting a markdown element.
    the book was not built: 1 error
    "#);
}

#[test]
fn all_errors_come_at_once_and_the_old_book_stays() {
    let fixture = Fixture::new();
    let before = fixture.page("race.html");
    for (old, new) in
        [("race.facts.accuracy", "race.facts.none"), ("{{#figure lag", "{{#figure none"), ("\\$5", "$5")]
    {
        fixture.edit("book/en/race.md", old, new);
    }
    let errors = build(fixture.root(), None, &Figures).expect_err("three errors").0;
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [Some(3), Some(3), Some(13)]);
    assert_eq!(fs::read_to_string(fixture.root().join("target/book/race.html")).expect("a page"), before);
}

#[test]
fn mdbook_itself_gets_the_same_chapters() {
    let fixture = Fixture::new();
    let chapter = |name: &str, path: &str, text: &str| {
        serde_json::json!({"Chapter": {
            "name": name, "content": text, "number": null, "sub_items": [], "path": path, "source_path": path, "parent_names": [],
        }})
    };
    let items = [chapter("Race", "race.md", CHAPTER), chapter("Sources", "sources.md", "{{#sources}}\n")];
    let context = serde_json::json!({
        "root": fixture.root().join("book"), "config": {"book": {"src": "en"}}, "renderer": "html", "mdbook_version": "0.5.4",
    });
    let input = serde_json::json!([context, {"items": items}]).to_string();
    let mut output = Vec::new();
    preprocess(&Figures, input.as_bytes(), &mut output).unwrap_or_else(|errors| panic!("{errors}"));
    let book: serde_json::Value = serde_json::from_slice(&output).expect("a book as JSON");
    let text = book["items"][0]["Chapter"]["content"].as_str().expect("a chapter");
    assert!(text.contains("reaches 91% at") && !text.contains("{{#snapshot"), "{text}");

    let errors = preprocess(&Figures, "{}".as_bytes(), Vec::new()).expect_err("no book").to_string();
    assert!(errors.starts_with("mdBook's input or output: "), "{errors}");
}

// ------------------------------------------------------------------------------------------------- serving

/// The response to a request for `target`, from the book's server at `url`.
fn ask(url: &str, target: &str, host: Option<&str>) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", host.unwrap_or(address)).expect("a request");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    String::from_utf8_lossy(&response).into_owned()
}

#[test]
fn the_server_gives_pages_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.write("target/secret.txt", "secret");
    let mut server = Server::bind(fixture.root(), 0).unwrap_or_else(|errors| panic!("{errors}"));
    let url = server.url();
    assert!(ask(&url, "/", None).starts_with("HTTP/1.1 404 "), "nothing is built yet");
    server.poll(&Figures).expect("the first build").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!fixture.root().join("target/book").exists(), "the plain build's folder is left alone");

    for page in ["/", "/index.html", "/race.html?x=1", "/r%61ce.html"] {
        let response = ask(&url, page, None);
        assert!(
            response.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html") && response.contains("<h1"),
            "{page}"
        );
    }
    for outside in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "//etc/passwd",
        "/x/../../secret.txt",
        "secret.txt",
        "",
    ] {
        let response = ask(&url, outside, None);
        assert!(
            response.starts_with("HTTP/1.1 404 ") && !response.ends_with("secret"),
            "{outside}: {response}"
        );
    }
    assert!(ask(&url, "/", Some("elsewhere.example")).starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_served_page_is_rebuilt_and_reloads() {
    let fixture = Fixture::new();
    let mut server = Server::bind(fixture.root(), 0).unwrap_or_else(|errors| panic!("{errors}"));
    server.poll(&Figures).expect("the first build").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(server.poll(&Figures).is_none(), "nothing changed");
    let url = server.url();
    assert!(ask(&url, "/race.html", None).contains("new EventSource('/.reload?1')"));

    // A source beside the book is watched as well, and the page that is open hears of it.
    let page = thread::spawn({
        let url = url.clone();
        move || ask(&url, "/.reload?1", None)
    });
    fixture.edit("src/cell.rs", "/// One step.", "/// One longer step.");
    server.poll(&Figures).expect("a change").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(page.join().expect("a response").ends_with("data: reload\n\n"));
    assert!(ask(&url, "/race.html", None).contains("One longer step."));

    fixture.edit("src/cell.rs", "ANCHOR: step", "ANCHOR: other");
    server.poll(&Figures).expect("a change").expect_err("a missing anchor");
    assert!(ask(&url, "/race.html", None).contains("One longer step."), "the page stays");
    assert!(server.poll(&Figures).is_none(), "the error is told once");
    fixture.edit("src/cell.rs", "ANCHOR: other", "ANCHOR: step");
    server.poll(&Figures).expect("a change").unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn a_taken_port_is_an_error() {
    let fixture = Fixture::new();
    let server = Server::bind(fixture.root(), 0).unwrap_or_else(|errors| panic!("{errors}"));
    let url = server.url();
    let port =
        url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let error = Server::bind(fixture.root(), port).err().expect("a taken port").to_string();
    assert!(error.contains(&format!("port {port} of 127.0.0.1 can't be used")), "{error}");
}
