use crate::book::FigureSource;
use longlag_experiments::{Entry, FigureSpec, all};
use longlag_report::Report;
use longlag_report::figure::Css;

/// The figures of all experiments, for the book.
#[derive(Clone, Copy, Debug)]
pub struct ExperimentFigures;

fn figures() -> impl Iterator<Item = (&'static Entry, &'static FigureSpec)> {
    all().iter().flat_map(|entry| entry.figures.iter().map(move |figure| (entry, figure)))
}

impl FigureSource for ExperimentFigures {
    fn names(&self) -> Vec<String> {
        figures().map(|(_, figure)| figure.name.to_owned()).collect()
    }

    fn svg(&self, name: &str, report: &dyn Fn(&str) -> Result<Report, String>) -> Result<String, String> {
        let found = figures().find(|(_, figure)| figure.name == name);
        let (entry, figure) = found.ok_or_else(|| format!("no experiment has a figure `{name}`"))?;
        let drawn = (figure.draw)(&report(entry.name)?).map_err(|error| error.to_string())?;
        Ok(drawn.svg(Css::Page))
    }
}
