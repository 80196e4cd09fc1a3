//! From what became of the trainings to the report.

use super::{
    Initialisation, LEARNING_RATES, NamedStart, Outcome, Trainings, claims,
};
use crate::experiment::Experiment;
use crate::summary::{add_claims, key_of, rank_correlation, spread};
use crate::trials::Tried;
use longlag_cells::{Cell, RecurrentCell};
use longlag_report::{Number, Report};

/// From where to where the decades over the sequence are counted together, in the table `bins`.
const BORDERS: [f64; 7] =
    [f64::NEG_INFINITY, -16.0, -8.0, -4.0, -2.0, 2.0, f64::INFINITY];

/// A start at a length: where it stands in the collapse plot.
struct Place<'a> {
    start: &'a NamedStart,
    steps: usize,
    /// Median growth at the start and at the end, per 100 steps.
    growth: [f64; 2],
    /// Which share of the runs has solved the task.
    solved: f64,
}

impl Place<'_> {
    /// What a gradient gains over the whole sequence before training.
    fn decades(&self) -> f64 {
        self.growth[0] * self.steps as f64 / 100.0
    }
}

impl Trainings {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(Initialisation::NAME, &self.config);
        let tried: Vec<Tried> = outcomes.iter().map(|o| o.tried).collect();
        self.trials.add_to(&mut report, &tried);
        let rates = LEARNING_RATES.map(|rate| rate.to_string());
        report.fact("learning_rates", rates.join(", "));
        let places = self.places(&tried);
        self.add_starts(&mut report, &places, &tried);
        self.add_looks(&mut report, outcomes);
        add_collapse(&mut report, &places);
        add_claims(&mut report, claims::ALL).expect("all is there");
        report
    }

    /// All starts at the first width, by length.
    fn places(&self, tried: &[Tried]) -> Vec<Place<'_>> {
        let lengths = &self.config.lengths;
        let all =
            self.config.starts.iter().flat_map(|start| {
                lengths.iter().map(move |&steps| (start, steps))
            });
        let place = |(trial, (start, steps)): (usize, (_, usize))| {
            let of = self.trials.of(trial, tried);
            let solved = of.iter().filter(|t| t.solved).count();
            let growth =
                |k: usize| spread(of.iter().map(|t| t.growth[k]).collect())[1];
            Place {
                start,
                steps,
                growth: [growth(0), growth(1)],
                solved: solved as f64 / of.len() as f64,
            }
        };
        all.enumerate().map(place).collect()
    }

    /// The table of the starts: what it was like and what came of it.
    fn add_starts(
        &self,
        report: &mut Report,
        places: &[Place<'_>],
        tried: &[Tried],
    ) {
        let lengths = &self.config.lengths;
        let titles = lengths.iter().map(|t| format!("solved, T = {t}"));
        let columns: Vec<String> =
            ["start", "learning rate", "growth, start", "growth, end"]
                .map(str::to_owned)
                .into_iter()
                .chain(titles)
                .collect();
        let judged = lengths.iter().position(|t| *t == self.config.judged);
        let judged = judged.expect("the config was checked");
        let number = |x: f64| Number::rounded(x, 3);
        let table = report.table("starts", columns);
        for (i, of) in places.chunks(lengths.len()).enumerate() {
            let [start, end] = of[judged].growth;
            let first = &self.config.starts[i];
            let mut row = vec![
                first.name.as_str().into(),
                first.learning_rate.into(),
                number(start).into(),
                number(end).into(),
            ];
            for (j, _) in of.iter().enumerate() {
                let of = self.trials.of(i * lengths.len() + j, tried);
                let solved = of.iter().filter(|t| t.solved).count();
                row.push(solved.into());
            }
            table.row(row);
        }
    }

    /// How growth moves in training, medians over the runs; who has solved the task stays as it is.
    fn add_looks(&self, report: &mut Report, outcomes: &[Outcome]) {
        let columns = ["trial", "update", "growth", "low", "high"];
        let mut rows = vec![];
        let updates = self.config.budget.updates;
        let times = self.config.looks.iter().copied();
        let times = times.filter(|&t| t < updates).chain([updates]);
        for (number, trial) in self.trials.trials.iter().enumerate() {
            let of = self.trials.of(number, outcomes);
            let at = |place: Option<usize>| {
                let growth = |o: &Outcome| match place {
                    None => o.tried.growth[0],
                    Some(look) => {
                        let seen = o.looks.get(look).copied();
                        seen.unwrap_or(o.tried.growth[1])
                    }
                };
                spread(of.iter().map(growth).collect())
            };
            let mut push = |update: u64, [low, middle, high]: [f64; 3]| {
                let [low, middle, high] =
                    [low, middle, high].map(|x| Number::rounded(x, 3));
                rows.push((trial.key(), update, middle, low, high));
            };
            push(0, at(None));
            for (look, time) in times.clone().enumerate() {
                push(time, at(Some(look)));
            }
        }
        let table = report.table("looks", columns);
        for row in rows {
            table.row(row);
        }
    }
}

/// Success against the decades that a gradient gains over the sequence before training.
fn add_collapse(report: &mut Report, places: &[Place<'_>]) {
    let columns =
        ["place", "cell", "T", "growth", "decades", "solved", "growth, end"];
    let number = |x: f64| Number::rounded(x, 3);
    let table = report.table("collapse", columns);
    for place in places {
        let Place { start, steps, growth, solved } = place;
        table.row((
            key_of(&format!("{} t{steps}", start.name)),
            start.cell.name(),
            *steps,
            number(growth[0]),
            number(place.decades()),
            *solved,
            number(growth[1]),
        ));
    }

    let columns = ["from", "to", "conditions", "solved", "least", "most"];
    let table = report.table("bins", columns);
    for ends in BORDERS.windows(2) {
        let within = |p: &&Place<'_>| (ends[0]..ends[1]).contains(&p.decades());
        let mut solved: Vec<f64> =
            places.iter().filter(within).map(|p| p.solved).collect();
        solved.sort_by(f64::total_cmp);
        let count = solved.len();
        let mean = solved.iter().sum::<f64>() / count as f64;
        let end = |at: Option<&f64>| at.copied().unwrap_or(f64::NAN);
        table.row((
            ends[0],
            ends[1],
            count,
            number(if count == 0 { f64::NAN } else { mean }),
            end(solved.first()),
            end(solved.last()),
        ));
    }

    // What goes with success better: how far the whole sequence is from
    // keeping a gradient, or how far a step is, or the length alone.
    let solved: Vec<f64> = places.iter().map(|p| p.solved).collect();
    let mut correlate = |name: &str, of: &dyn Fn(&Place<'_>) -> f64| {
        let values: Vec<f64> = places.iter().map(of).collect();
        let found = rank_correlation(&values, &solved);
        report.fact(format!("rank_{name}"), number(found));
    };
    correlate("decades", &|p| -p.decades().abs());
    correlate("growth", &|p| -p.growth[0].abs());
    correlate("length", &|p| -(p.steps as f64));
    for (name, cell) in
        [("rnn", Cell::RnnTanh), ("lstm", Cell::Lstm), ("gru", Cell::Gru)]
    {
        let of: Vec<&Place<'_>> =
            places.iter().filter(|p| p.start.cell == cell).collect();
        let decades: Vec<f64> = of.iter().map(|p| -p.decades().abs()).collect();
        let solved: Vec<f64> = of.iter().map(|p| p.solved).collect();
        let found = rank_correlation(&decades, &solved);
        report.fact(format!("rank_decades_{name}"), number(found));
    }
    // Whether starts keep their order.
    for (k, when) in ["start", "end"].into_iter().enumerate() {
        let growth: Vec<f64> = places.iter().map(|p| p.growth[k]).collect();
        let [low, middle, high] = spread(growth);
        let name = |part: &str| format!("growth_{when}{part}");
        report
            .fact(name(""), number(middle))
            .fact(name("_low"), number(low))
            .fact(name("_high"), number(high));
    }
    let [start, end] = [0, 1]
        .map(|k: usize| places.iter().map(|p| p.growth[k]).collect::<Vec<_>>());
    let kept = rank_correlation(&start, &end);
    report.fact("rank_survives", number(kept));
}
