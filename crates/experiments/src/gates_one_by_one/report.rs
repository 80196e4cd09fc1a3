//! From what was measured to the report.

use super::claims::conditions;
use super::{
    CLOSED, Gate, GatesOneByOne, Held, Measured, Networks, Outcome, rate,
};
use crate::experiment::Experiment;
use crate::summary::{add_band, add_facts};
use crate::trials::Tried;
use longlag_probe::statistics::median;
use longlag_report::{Number, Report};

/// What a gate that is closed is called in keys; `all` if none is.
pub(super) fn closed_key(closed: Option<Gate>) -> &'static str {
    closed.map_or("all", Gate::letter)
}

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(GatesOneByOne::NAME, &self.config);
        let tried: Vec<Tried> = outcomes.iter().map(|o| o.0).collect();
        self.trials.add_to(&mut report, &tried);
        let table = report.table("weights", ["run", "weights"]);
        for (name, outcome) in self.trials.names().iter().zip(outcomes) {
            table.row((name.as_str(), outcome.1.to_string()));
        }
        let widths = self.config.widths.len();
        for (i, (key, _)) in conditions(&self.config).iter().enumerate() {
            let of = self.trials.of(i % widths, outcomes);
            let measured = of.iter().map(|o| &o.2[i / widths]);
            self.add(&mut report, key, &measured.collect::<Vec<_>>());
        }
        report
    }

    /// What was measured in one condition.
    fn add(&self, report: &mut Report, key: &str, of: &[&Measured]) {
        let mut add = |what: &str, value: &dyn Fn(&Measured) -> f64| {
            let values: Vec<f64> = of.iter().map(|m| value(m)).collect();
            let seeds = (1..=values.len()).map(|seed| seed as f64);
            report.series(format!("{what}_{key}"), seeds, values.clone());
            add_facts(report, &format!("{what}_{key}"), values, 3);
        };
        add("share", &|m| m.share[0]);
        add("share_marked", &|m| m.share[1]);
        add("share_others", &|m| m.share[2]);
        add("one_step", &|m| m.one_step);
        for (k, closed) in CLOSED.into_iter().enumerate() {
            let name = format!("growth_{}", closed_key(closed));
            add(&name, &|m| rate(&m.curves[k]));
            if closed.is_some() {
                let name = format!("lost_{}", closed_key(closed));
                add(&name, &|m| rate(&m.curves[0]) - rate(&m.curves[k]));
            }
        }
        for (k, gate) in Gate::ALL.into_iter().enumerate() {
            let name = format!("separation_{}", gate.letter());
            add(&name, &|m| m.separation[k]);
            let name = format!("times_{}", gate.letter());
            add(&name, &|m| m.held[k][0].loss / m.free.loss);
        }
        add("loss", &|m| m.free.loss);
        for (k, closed) in CLOSED.into_iter().enumerate() {
            let name = format!("lags_{key}_{}", closed_key(closed));
            let curve = |m: &&Measured| [&[0.0], &m.curves[k][..]].concat();
            let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
            let x = (0..curves[0].len()).map(|lag| lag as f64).collect();
            let curves = curves.iter().map(|c| &c[..]).collect();
            add_band(report, name, x, curves);
        }
        let columns =
            ["gate", "held at", "error", "right", "direct path", "all paths"];
        let table = report.table(format!("held_{key}"), columns);
        let mut row = |gate: &str, at: &str, of: Vec<&Held>| {
            let middle = |value: fn(&Held) -> f64| {
                let values: Vec<f64> = of.iter().map(|h| value(h)).collect();
                Number::rounded(median(&values), 3)
            };
            table.row((
                gate,
                at,
                middle(|h| h.loss),
                middle(|h| h.right),
                middle(|h| h.growth[0]),
                middle(|h| h.growth[1]),
            ));
        };
        row("none", "", of.iter().map(|m| &m.free).collect());
        for (k, gate) in Gate::ALL.into_iter().enumerate() {
            let values = self.config.held.iter().map(|v| v.to_string());
            let values = ["its means".to_owned()].into_iter().chain(values);
            for (n, at) in values.enumerate() {
                let held = of.iter().map(|m| &m.held[k][n]).collect();
                row(gate.letter(), &at, held);
            }
        }
    }
}
