//! `longlag list`.

use crate::cli::ListArgs;
use crate::failure::{Failure, print};
use longlag_experiments::{Entry, all, find};
use longlag_report::nearest_first;

pub(crate) fn list(args: &ListArgs) -> Result<(), Failure> {
    match &args.name {
        Some(name) if args.config => print(&experiment(name)?.default_config()),
        Some(name) => print(&format!(
            "{}\nrun it:              longlag run {name}\nits configuration:   longlag list {name} --config\n",
            entry(experiment(name)?)
        )),
        None => print(&all().iter().map(entry).collect::<Vec<_>>().join("\n")),
    }
}

/// The experiment of that name, or the advice what to call instead.
pub(crate) fn experiment(name: &str) -> Result<&'static Entry, Failure> {
    find(name).ok_or_else(|| {
        let nearest = nearest_first(name, all().iter().map(|entry| entry.name.to_owned()));
        let advice = nearest.first().map(|nearest| format!("did you mean `{nearest}`? ")).unwrap_or_default();
        Failure::Usage(format!("no experiment is called `{name}`; {advice}`longlag list` shows all"))
    })
}

fn entry(entry: &Entry) -> String {
    let figures: Vec<&str> = entry.figures.iter().map(|figure| figure.name).collect();
    format!("{}\n  {}\n  figures: {}\n", entry.name, entry.question, figures.join(", "))
}
