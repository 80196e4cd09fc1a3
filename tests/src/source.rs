//! Rust sources as tokens.

use crate::{files_in, read};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A Rust file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, relative to the workspace.
    pub path: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// Its tokens.
    pub tokens: Vec<Token>,
}

/// A word, a sign, a bracket or a number. The path separator is one token; a text or a character is the
/// token `"…"`, whatever it says.
#[derive(Clone, Debug)]
pub struct Token {
    /// The 1-based line it stands in.
    pub line: usize,
    /// How it is written.
    pub text: String,
}

/// The sources below a folder, without what is compiled only for tests: items marked `#[cfg(test)]`.
pub fn product_code(folder: &str) -> Vec<Source> {
    rust_files(folder).map(|path| Source::of(&path, &read(&path), false)).collect()
}

/// All sources below a folder.
pub fn all_code(folder: &str) -> Vec<Source> {
    rust_files(folder).map(|path| Source::of(&path, &read(&path), true)).collect()
}

fn rust_files(folder: &str) -> impl Iterator<Item = String> {
    files_in(folder).into_iter().filter(|path| path.ends_with(".rs"))
}

impl Source {
    /// Cuts a file's text into tokens, with `tests` also the items that are marked `#[cfg(test)]`.
    ///
    /// # Panics
    /// If it isn't Rust.
    #[track_caller]
    pub fn of(path: &str, text: &str, tests: bool) -> Source {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, tests, &mut tokens);
        Source { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect(), tokens }
    }

    /// Where a sequence of tokens, written with spaces between them, begins.
    pub fn find<'a>(&'a self, sequence: &str) -> impl Iterator<Item = usize> + use<'a> {
        let sequence: Vec<String> = sequence.split_whitespace().map(str::to_owned).collect();
        let fits = move |at: &usize| {
            let tokens = &self.tokens[*at..];
            tokens.len() >= sequence.len() && tokens.iter().zip(&sequence).all(|(t, s)| t.text == *s)
        };
        (0..self.tokens.len()).filter(fits)
    }

    /// The text of a token; of one beyond the end, nothing.
    pub fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// The modules of the standard library that are used, each with the token that names it: what follows
    /// `std`, `core` or `alloc`, also in the braces of a `use`.
    pub fn std_modules(&self) -> Vec<usize> {
        let mut modules = Vec::new();
        for library in ["std", "core", "alloc"] {
            for at in self.find(&format!("{library} ::")).map(|at| at + 2) {
                if self.text(at) == "{" {
                    modules.extend(self.items_within(at));
                } else {
                    modules.push(at);
                }
            }
        }
        modules
    }

    /// The first token of each item between the bracket at `open` and its match, separated by commas.
    fn items_within(&self, open: usize) -> Vec<usize> {
        let (mut items, mut depth, mut first) = (Vec::new(), 0, true);
        for at in open..self.tokens.len() {
            match self.text(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => first = true,
                _ if depth == 1 && first => {
                    items.push(at);
                    first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        items
    }

    /// `path:line: message` for a token.
    pub fn at(&self, token: usize, message: &str) -> String {
        format!("{}:{}: {message}", self.path, self.tokens[token].line)
    }
}

fn flatten(stream: TokenStream, tests: bool, to: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        if !tests && marks_a_test(&trees[at..]) {
            at += trees[at..].iter().position(ends_an_item).map_or(trees.len() - at, |end| end + 1);
            continue;
        }
        let line = trees[at].span().start().line;
        let mut push = |line, text: &str| to.push(Token { line, text: text.to_owned() });
        match &trees[at] {
            TokenTree::Ident(word) => push(line, &word.to_string()),
            TokenTree::Punct(sign) => {
                let next = trees.get(at + 1);
                let pair = sign.as_char() == ':' && sign.spacing() == Spacing::Joint;
                if pair && matches!(next, Some(TokenTree::Punct(next)) if next.as_char() == ':') {
                    push(line, "::");
                    at += 1;
                } else {
                    push(line, &sign.as_char().to_string());
                }
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                push(line, if text.starts_with(|c: char| c.is_ascii_digit()) { &text } else { "\"…\"" });
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(line, open);
                flatten(group.stream(), tests, to);
                to.push(Token { line: group.span_close().start().line, text: close.to_owned() });
            }
        }
        at += 1;
    }
}

/// Whether `#[cfg(test)]` stands here.
fn marks_a_test(trees: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = trees else { return false };
    hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

fn ends_an_item(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(sign) => sign.as_char() == ';',
        _ => false,
    }
}
