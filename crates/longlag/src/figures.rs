use crate::book::FigureSource;
use crate::cell_diagrams::{DIAGRAMS, diagram};
use longlag_experiments::{FigureSpec, all, ledger};
use longlag_report::figure::{Axis, Css, DotChart, DotRow, Figure, Ink, Marker};
use longlag_report::format::format_number;
use longlag_report::{LookupError, Report};

/// The figures of all reports, and the diagrams of the cells, for the book.
#[derive(Clone, Copy, Debug)]
pub struct ReportFigures;

/// The figures that are drawn from what belongs to no experiment: a record, the ledger.
const OF_OTHERS: [(&str, FigureSpec); 2] = [
    ("speed", FigureSpec { name: "speed-against-pytorch", draw: against_pytorch }),
    (ledger::NAME, FigureSpec { name: "ledger-summary", draw: ledger::summary }),
];

/// All figures, each with the name of the report that it is drawn from.
pub fn figures() -> impl Iterator<Item = (&'static str, FigureSpec)> {
    let of_experiments =
        all().iter().flat_map(|entry| entry.figures.iter().map(|figure| (entry.name, *figure)));
    of_experiments.chain(OF_OTHERS)
}

impl FigureSource for ReportFigures {
    fn names(&self) -> Vec<String> {
        let of_reports = figures().map(|(_, figure)| figure.name);
        of_reports.chain(DIAGRAMS.map(|(name, _)| name)).map(str::to_owned).collect()
    }

    fn svg(&self, name: &str, report: &dyn Fn(&str) -> Result<Report, String>) -> Result<String, String> {
        if let Some(diagram) = diagram(name) {
            return Ok(diagram.svg(Css::Page));
        }
        let found = figures().find(|(_, figure)| figure.name == name);
        let (of, figure) = found.ok_or_else(|| format!("no report has a figure `{name}`"))?;
        let drawn = (figure.draw)(&report(of)?).map_err(|error| error.to_string())?;
        Ok(drawn.svg(Css::Page))
    }
}

/// How many times as fast as PyTorch an LSTM's training step is, and how many times the machine would allow.
fn against_pytorch(report: &Report) -> Result<Figure, LookupError> {
    let (one, two) = (report.find_table("lstm")?, report.find_table("lstm_two")?);
    let (ratios, of_two, most) = (one.numbers("ratio"), two.numbers("ratio"), one.numbers("most"));
    let all = || ratios.iter().chain(&of_two).chain(&most).copied();
    let (least, greatest) = (all().fold(1.0, f64::min) * 0.95, all().fold(1.0, f64::max) * 1.05);
    let mut ticks = vec![0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
    ticks.retain(|tick| (least..greatest).contains(tick));
    let mut chart = DotChart::new(
        "For each shape a row: PyTorch's time over longlag's with one and with two threads, and over the least time \
         that the products take on this machine. longlag's stand between 1 and that limit.",
        Axis::log("PyTorch's time over longlag's").range(least, greatest).ticks(ticks),
    )
    .legend(Marker::Disc, "1 thread")
    .legend(Marker::Ring, "2 threads")
    .legend(Marker::Diamond, "1 thread at the processor's peak")
    .reference("as fast as PyTorch", 1.0);
    for (i, row) in one.rows().iter().enumerate() {
        let shape = row[0].to_string().replace(',', ", ");
        let row = DotRow::new(shape).ink(Ink::Blue).note(format_number(ratios[i], 3));
        let row = row.dots(Marker::Disc, [ratios[i]]).dots(Marker::Ring, [of_two[i]]);
        chart = chart.row(row.dots(Marker::Diamond, [most[i]]));
    }
    Ok(chart.figure())
}
