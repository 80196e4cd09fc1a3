//! From what was trained to the report.

use super::{
    BLOCKS, By, Config, Kind, Recipe, Setting, Trained, Trainings,
    TruncationAndDetaching, chain_rule, claims,
};
use crate::experiment::Experiment;
use crate::protocol::KaplanMeier;
use crate::summary::{add_claims, add_facts, key_of, spread};
use crate::trials::{Tried, add_trial};
use longlag_report::{Number, Report, Value};

/// The recipe's published unit: its weight, its first state, its steps.
const PUBLISHED: (f64, f64, usize) = (0.2, 0.9, 3);
/// And one that remembers.
const LONGER: (f64, f64, usize) = (0.9, 0.9, 10);

impl Trainings {
    pub(super) fn summary(&self, outcomes: &[Trained]) -> Report {
        let mut report =
            Report::new(TruncationAndDetaching::NAME, &self.config);
        let Config { seeds, looks, training, .. } = &self.config;
        let all = || {
            let chunks = outcomes.chunks(*seeds as usize);
            self.settings.iter().zip(chunks)
        };
        for (setting, of) in all() {
            let key = setting.key();
            let tried: Vec<Tried> = of.iter().map(tried).collect();
            add_trial(&mut report, &key, &tried);
            let x = (1..=of.len()).map(|seed| seed as f64);
            let is = |t: &Tried| if t.solved { 1.0 } else { 0.0 };
            let y: Vec<f64> = tried.iter().map(is).collect();
            report.series(format!("solved_{key}"), x, y);
            let share = |t: &Tried| t.right;
            let right: Vec<f64> = tried.iter().map(share).collect();
            let x = (1..=of.len()).map(|seed| seed as f64);
            report.series(format!("right_{key}"), x, right);
        }
        // Success over the length of the window.
        for &hidden in &self.config.widths {
            for kind in [Kind::Usual, Kind::Chrono] {
                let share = |by: By| {
                    let found = all().find(|(s, _)| {
                        (s.hidden, s.kind, s.by) == (hidden, kind, by)
                    });
                    let (_, of) = found.expect("every width has all settings");
                    let solved = of.iter().filter(|t| t.standing.solved);
                    solved.count() as f64 / of.len() as f64
                };
                let windows = &self.config.windows;
                let whole = self.config.task.longest;
                let x = || {
                    let x = windows.iter().chain([&whole]);
                    x.map(|&w| w as f64)
                };
                let key = match kind {
                    Kind::Usual => "usual",
                    _ => "chrono",
                };
                for (name, by) in [
                    ("carried", By::Carried as fn(usize) -> By),
                    ("fresh", By::Fresh),
                ] {
                    let y = windows.iter().map(|&w| share(by(w)));
                    let y: Vec<Number> = y
                        .chain([share(By::Whole)])
                        .map(|y| Number::rounded(y, 3))
                        .collect();
                    let name = format!("windows_h{hidden}_{key}_{name}");
                    report.series(name, x(), y);
                }
            }
        }
        // Cosines, of those that learn by the truncated gradient.
        for (setting, of) in all().filter(|(s, _)| s.kind == Kind::Old) {
            let key = setting.key();
            let times = looks.iter().copied().chain([training.updates]);
            let times: Vec<u64> = times.collect();
            for (k, block) in BLOCKS.iter().enumerate() {
                // Who has solved the task stays where it is.
                let at = |trained: &Trained, time: u64| {
                    let seen =
                        trained.looks.iter().rfind(|look| look.update <= time);
                    seen.map_or(f64::NAN, |look| look.cosines[k])
                };
                let column = |time: u64| -> Vec<f64> {
                    of.iter().map(|trained| at(trained, time)).collect()
                };
                let bands: Vec<[f64; 3]> =
                    times.iter().map(|&time| spread(column(time))).collect();
                let part = |j: usize| {
                    bands.iter().map(move |band| Number::rounded(band[j], 4))
                };
                let name = format!("cosine_{key}_{}", key_of(block));
                let x = times.iter().map(|&time| time as f64);
                report.band(name.clone(), x, part(1), part(0), part(2));
                let end = column(training.updates);
                let start = column(0);
                if *block == "all" {
                    for (when, values) in [("start", &start), ("end", &end)] {
                        let x = (1..=of.len()).map(|seed| seed as f64);
                        let y = values.iter().map(|&c| Number::rounded(c, 6));
                        report.series(format!("{name}_{when}"), x, y);
                    }
                }
                add_facts(&mut report, &format!("{name}_start"), start, 3);
                add_facts(&mut report, &format!("{name}_end"), end, 3);
            }
        }
        self.add_overview(&mut report, outcomes);
        add_claims(&mut report, claims::ALL).expect("all is there");
        add_recipe(&mut report, "recipe", PUBLISHED);
        add_recipe(&mut report, "recipe_longer", LONGER);
        report
    }

    /// How often and how soon everyone solved the task, at each width.
    fn add_overview(&self, report: &mut Report, outcomes: &[Trained]) {
        let Config { seeds, widths, .. } = &self.config;
        let seeds = *seeds as usize;
        let solved = |setting: &Setting| {
            let at = self.settings.iter().position(|s| s == setting);
            let at = at.expect("every width has all settings") * seeds;
            let of = outcomes[at..at + seeds].iter().map(tried);
            let of: Vec<Tried> = of.collect();
            let times: Vec<_> = of.iter().map(Tried::solve_time).collect();
            let median = KaplanMeier::of(&times).median();
            let count = of.iter().filter(|t| t.solved).count();
            [count as f64, median.unwrap_or(f64::INFINITY)]
        };
        let heads = |h: &usize| {
            [format!("solved, H = {h}"), format!("median updates, H = {h}")]
        };
        let columns = ["network", "gradient of"].map(str::to_owned);
        let columns = columns.into_iter().chain(widths.iter().flat_map(heads));
        let table = report.table("overview", columns);
        let first =
            self.settings.iter().filter(|setting| setting.hidden == widths[0]);
        for setting in first {
            let network = match setting.kind {
                Kind::Usual => "LSTM, forget bias 1",
                Kind::Chrono => "LSTM, chrono",
                Kind::Old => "LSTM of 1997",
            };
            let by = match setting.by {
                By::Carried(window) => format!("{window} steps, state carried"),
                By::Fresh(window) => format!("{window} steps, state 0"),
                By::Whole => "the whole sequence".to_owned(),
                By::Truncated => "the truncated one".to_owned(),
            };
            let mut row = vec![Value::from(network), Value::from(by)];
            for &hidden in widths {
                let found = solved(&Setting { hidden, ..*setting });
                row.extend(found.map(Value::from));
            }
            table.row(row);
        }
    }
}

fn add_recipe(
    report: &mut Report,
    name: &str,
    (weight, first, steps): (f64, f64, usize),
) {
    let recipe = Recipe { weight, first, clear: false };
    let cleared = Recipe { clear: true, ..recipe };
    let [found, cleared] = [recipe, cleared].map(|r| r.gradients(steps));
    let right = chain_rule(weight, first, steps);
    report
        .fact(format!("{name}_weight"), weight)
        .fact(format!("{name}_last"), Number::rounded(found[steps - 1], 6))
        .fact(format!("{name}_right"), Number::rounded(right[steps - 1], 6))
        .fact(
            format!("{name}_times"),
            Number::rounded(found[steps - 1] / right[steps - 1], 3),
        );
    let columns = ["step", "chain rule", "recipe", "recipe, cleared"];
    let table = report.table(name, columns);
    for t in 0..steps {
        let number = |of: &[f64]| Number::rounded(of[t], 4);
        table.row((t + 1, number(&right), number(&found), number(&cleared)));
    }
}

fn tried(trained: &Trained) -> Tried {
    let crate::learner::Standing { right, solved, diverged } = trained.standing;
    let growth = [f64::NAN; 2];
    Tried { updates: trained.updates, solved, diverged, right, growth }
}
