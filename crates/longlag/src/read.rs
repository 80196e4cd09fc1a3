//! `longlag book`.

use crate::ReportFigures;
use crate::book;
use crate::cli::{BookArgs, BookCommand, Question};
use crate::failure::{Failure, complain, print};
use std::path::Path;
use std::{fs, io, thread};

pub(crate) fn book(args: BookArgs) -> Result<(), Failure> {
    if let Some(BookCommand::Preprocess { question }) = args.command {
        return match question {
            // The chapters come out as Markdown with HTML in it, for every renderer that takes that.
            Some(Question::Supports { renderer }) if renderer == "html" => Ok(()),
            Some(Question::Supports { renderer }) => {
                Err(Failure::Work(format!("no renderer `{renderer}`: only html")))
            }
            None => book::preprocess(&ReportFigures, io::stdin(), io::stdout()).map_err(Failure::Book),
        };
    }
    let root = book::find_root().map_err(Failure::outside)?;
    if args.serve {
        return serve(&root, args.port, args.open);
    }
    if let Some(dest) = &args.out {
        check(dest)?;
    }
    let built = book::build(&root, args.out.as_deref(), &ReportFigures).map_err(Failure::Book)?;
    let index = built.index.display().to_string();
    print(&format!("the book is at {index}\n"))?;
    if args.open {
        open(&index);
    }
    Ok(())
}

fn serve(root: &Path, port: u16, open_it: bool) -> Result<(), Failure> {
    let mut unopened = open_it;
    let mut tell = |line: &str| {
        let address = line.starts_with("http://");
        // Whether somebody reads the terminal or not, the book is served.
        let _ = print(&if address {
            format!("the book is at {line}; Ctrl-C ends it\n")
        } else {
            format!("{line}\n")
        });
        if address && std::mem::take(&mut unopened) {
            let url = line.to_owned();
            // Some browsers' starters wait until the browser is closed.
            thread::spawn(move || open(&url));
        }
    };
    match book::serve(root, port, &ReportFigures, &mut tell) {
        Ok(never) => match never {},
        Err(errors) => Err(Failure::Book(errors)),
    }
}

/// The book is there even if no browser is.
fn open(page: &str) {
    if let Err(message) = book::open_in_browser(page) {
        complain("note", message);
    }
}

/// mdBook empties the folder that it builds into, so that must be a book's, or empty.
fn check(dest: &Path) -> Result<(), Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--out {}: {problem}", dest.display()));
    if !dest.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(dest)
        .map_err(|error| wrong(format!("not a folder to build into ({error}); give another")))?;
    let is_a_book = [".nojekyll", "toc.html"].iter().all(|name| dest.join(name).is_file());
    if entries.next().is_some() && !is_a_book {
        return Err(wrong(
            "the folder holds other things than a book, and building would delete them; give another".into(),
        ));
    }
    Ok(())
}
