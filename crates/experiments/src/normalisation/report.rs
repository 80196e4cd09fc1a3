//! From what was measured to the report.

use super::{
    Condition, Gains, Input, LEARNING_RATES, Networks, Norm, Normalisation,
    claims,
};
use crate::experiment::Experiment;
use crate::runs::Either;
use crate::summary::{add_claims, add_facts, spread};
use crate::trials::Tried;
use longlag_cells::Cell;
use longlag_report::{Number, Report};

impl Networks {
    pub(super) fn summary(
        &self,
        outcomes: &[Either<Tried, Vec<f64>>],
    ) -> Report {
        let mut report = Report::new(Normalisation::NAME, &self.config);
        let tried: Vec<Tried> =
            outcomes.iter().filter_map(Either::left).copied().collect();
        self.trials.add_to(&mut report, &tried);
        let rates = LEARNING_RATES.map(|rate| rate.to_string());
        report.fact("learning_rates", rates.join(", "));
        let found: Vec<&Vec<f64>> =
            outcomes.iter().filter_map(Either::right).collect();
        for (i, condition) in self.conditions.iter().enumerate() {
            let of: Vec<f64> = found.iter().map(|found| found[i]).collect();
            let (key, usual) = (condition.key(), Gains::both(1.0));
            let Condition { hidden, norm, .. } = condition;
            let claimed =
                matches!(norm, Norm::None) || *norm == Norm::Batch(usual);
            if claimed {
                let seeds = (1..=of.len()).map(|seed| seed as f64);
                report.series(format!("seeds_{key}"), seeds, of.clone());
            }
            if claimed || *hidden == self.config.widths[0] {
                add_facts(&mut report, &key, of, 3);
            }
        }
        self.add_map(&mut report, &found);
        self.add_lines(&mut report, &found);
        self.add_learners(&mut report, &tried);
        add_claims(&mut report, claims::ALL).expect("all is there");
        report
    }

    /// The median and its interval under a condition, if that was measured.
    fn of(&self, found: &[&Vec<f64>], condition: Condition) -> [f64; 3] {
        let at = self.conditions.iter().position(|c| *c == condition);
        let at = at.expect("a condition of every config");
        spread(found.iter().map(|found| found[at]).collect())
    }

    /// Growth over both gains.
    fn add_map(&self, report: &mut Report, found: &[&Vec<f64>]) {
        let columns = ["cell", "input", "γ_h", "γ_x", "growth"];
        let mut rows = vec![];
        for cell in [Cell::RnnTanh, Cell::Lstm] {
            for input in Input::ALL {
                for &state in &self.config.gammas {
                    for &gamma in &self.config.gammas {
                        let gains =
                            Gains { state, input: gamma, ..Gains::both(1.0) };
                        let hidden = self.config.widths[0];
                        let norm = Norm::Batch(gains);
                        let at = Condition { cell, hidden, input, norm };
                        let [_, middle, _] = self.of(found, at);
                        rows.push((
                            name_of(cell),
                            input.key(),
                            state,
                            gamma,
                            Number::rounded(middle, 3),
                        ));
                    }
                }
            }
        }
        let table = report.table("map", columns);
        for row in rows {
            table.row(row);
        }
    }

    /// Growth where both gains are the same, and for each eps.
    fn add_lines(&self, report: &mut Report, found: &[&Vec<f64>]) {
        let hidden = self.config.widths[0];
        let gammas = &self.config.gammas;
        let mut add = |name: String, of: &dyn Fn(f64) -> Condition| {
            let all: Vec<[f64; 3]> =
                gammas.iter().map(|&g| self.of(found, of(g))).collect();
            let column = |k: usize| {
                all.iter().map(move |row| Number::rounded(row[k], 4))
            };
            let x = gammas.iter().copied();
            report.band(name, x, column(1), column(0), column(2));
        };
        for input in Input::ALL {
            for cell in [Cell::RnnTanh, Cell::Lstm] {
                let at = |norm| Condition { cell, hidden, input, norm };
                let (cell, input) = (name_of(cell), input.key());
                add(format!("batch_{cell}_{input}"), &|gamma| {
                    at(Norm::Batch(Gains::both(gamma)))
                });
                add(format!("none_{cell}_{input}"), &|_| at(Norm::None));
            }
            let at = |norm| Condition { cell: Cell::Lstm, hidden, input, norm };
            add(format!("layer_lstm_{}", input.key()), &|gamma| {
                at(Norm::Layer(gamma))
            });
        }
        for &eps in &self.config.eps {
            let (cell, input) = (Cell::Lstm, Input::White);
            add(format!("eps_{eps:e}"), &|gamma| {
                let gains = Gains { eps, ..Gains::both(gamma) };
                Condition { cell, hidden, input, norm: Norm::Batch(gains) }
            });
        }
    }

    /// What came of the trainings, as a table.
    fn add_learners(&self, report: &mut Report, tried: &[Tried]) {
        let columns = [
            "network",
            "learning rate",
            "solved",
            "right",
            "growth, start",
            "growth, end",
        ];
        let mut rows = vec![];
        for (number, trial) in self.trials.trials.iter().enumerate() {
            let of = self.trials.of(number, tried);
            let middle = |value: fn(&Tried) -> f64| {
                let all = of.iter().map(value).collect();
                Number::rounded(spread(all)[1], 3)
            };
            rows.push((
                trial.name.clone(),
                self.config.learners[number].learning_rate,
                of.iter().filter(|t| t.solved).count(),
                middle(|t| t.right),
                middle(|t| t.growth[0]),
                middle(|t| t.growth[1]),
            ));
        }
        let table = report.table("learners", columns);
        for row in rows {
            table.row(row);
        }
    }
}

fn name_of(cell: Cell) -> &'static str {
    if cell == Cell::RnnTanh { "rnn" } else { "lstm" }
}
