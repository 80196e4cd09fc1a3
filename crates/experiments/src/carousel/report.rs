//! From what was measured to the report.

use super::{
    Carousel, Condition, Config, DRAWN, LAG_STEP, Look, Networks, ONCE,
    Outcome, Place, Trained, training_key,
};
use crate::experiment::Experiment;
use crate::runs::Either;
use crate::summary::{add_band, add_facts, spread};
use longlag_numerics::Real;
use longlag_probe::statistics::median;
use longlag_report::{Number, Report};
use std::f64::consts::LOG10_2;

/// What was measured once, earlier, by other code: at each place of [`ONCE`] the medians over 20 networks (over 5 at
/// the last) of the growth of a random direction by all paths, and of the product of forget gates of the unit that
/// keeps most.
const EARLIER: [(f64, f64); 6] = [
    (-22.4, -29.2),
    (-8.6, -13.2),
    (-5.8, -13.4),
    (7.2, -1.7),
    (-0.2, -1.3),
    (4.4, -0.9),
];

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(Carousel::NAME, &self.config);
        let measured: Vec<&Vec<Vec<f64>>> =
            outcomes.iter().filter_map(Either::right).collect();
        let mut map = vec![];
        for (i, condition) in self.conditions.iter().enumerate() {
            let of: Vec<&[f64]> = measured.iter().map(|m| &m[i][..]).collect();
            let column = |k: usize| of.iter().map(|o| o[k]).collect::<Vec<_>>();
            match *condition {
                Condition::Usual(h) => {
                    for (k, what) in
                        ["direct", "total", "rnn"].iter().enumerate()
                    {
                        let name = format!("usual_{what}_h{h}");
                        let seeds = (1..=of.len()).map(|seed| seed as f64);
                        report.series(&*name, seeds, column(k));
                        add_facts(&mut report, &name, column(k), 3);
                    }
                    let more = |o: &&[f64]| o[1] - o[0];
                    let more = of.iter().map(more).collect();
                    add_facts(
                        &mut report,
                        &format!("usual_more_h{h}"),
                        more,
                        3,
                    );
                }
                Condition::Once(place) => {
                    self.once_report(&mut report, place, &of)
                }
                Condition::Wide(h) => {
                    let names = ["direct", "total", "most", "random"];
                    for (k, what) in names.iter().enumerate() {
                        let name = format!("wide_{what}_h{h}");
                        add_facts(&mut report, &name, column(k), 3);
                    }
                }
                Condition::Map(place) => {
                    map.push((place, median(&column(0)), median(&column(1))));
                }
            }
        }
        self.add_earlier(&mut report, &measured);
        self.add_map(&mut report, &map);
        self.add_trainings(&mut report, outcomes);
        report
    }

    /// The spectrum of detours at one place.
    fn once_report(&self, report: &mut Report, place: Place, of: &[&[f64]]) {
        let Config { detours, steps, .. } = self.config;
        let key = place.key();
        for (k, what) in
            ["direct", "total", "most", "random"].iter().enumerate()
        {
            let values = of.iter().map(|o| o[k]).collect();
            add_facts(report, &format!("{key}_{what}"), values, 3);
        }
        let per_100 = 100.0 / steps as f64;
        // From all paths with at most so many detours to all paths.
        let short = |o: &&[f64]| -> Vec<f64> {
            o[4..=4 + detours]
                .iter()
                .map(|up_to| per_100 * up_to - o[1])
                .collect()
        };
        let short: Vec<Vec<f64>> = of.iter().map(short).collect();
        let enough = |short: &Vec<f64>| {
            let off = short.iter().rposition(|s| s.abs() > per_100 * LOG10_2);
            match off {
                Some(off) if off == detours => f64::INFINITY,
                off => off.map_or(0.0, |off| (off + 1) as f64),
            }
        };
        let enough = short.iter().map(enough).collect();
        add_facts(report, &format!("{key}_detours"), enough, 3);
        let x = (0..=detours).map(|d| d as f64).collect();
        let curves = short.iter().map(|s| &s[..]).collect();
        add_band(report, format!("detours_{key}"), x, curves);

        let drawn: Vec<String> = DRAWN
            .iter()
            .filter(|&&d| d <= detours)
            .map(|d| format!("lags_{key}_{d}"))
            .chain([format!("lags_{key}_all")])
            .collect();
        let lags = 0..=steps / LAG_STEP;
        for (k, name) in drawn.iter().enumerate() {
            let curve = |o: &&[f64]| -> Vec<f64> {
                let along = &o[5 + detours..];
                let at = |lag: usize| match lag {
                    0 => 0.0,
                    lag => along[(lag - 1) * drawn.len() + k],
                };
                lags.clone().map(at).collect()
            };
            let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
            let curves = curves.iter().map(|c| &c[..]).collect();
            let x = lags.clone().map(|lag| (lag * LAG_STEP) as f64).collect();
            add_band(report, name.clone(), x, curves);
        }
    }

    /// The earlier measurement beside this one, by its functionals.
    fn add_earlier(&self, report: &mut Report, measured: &[&Vec<Vec<f64>>]) {
        for (name, column) in [("earlier_total", 3), ("earlier_direct", 2)] {
            let columns = [
                "forget bias",
                "gain",
                "earlier",
                "now",
                "low",
                "high",
                "least",
                "most",
            ];
            let table = report.table(name, columns);
            for (place, earlier) in ONCE.into_iter().zip(EARLIER) {
                let condition = Condition::Once(place);
                let at = self.conditions.iter().position(|&c| c == condition);
                let at = at.expect("a condition of every config");
                let values: Vec<f64> =
                    measured.iter().map(|m| m[at][column]).collect();
                let [low, middle, high] = spread(values.clone());
                let least =
                    values.iter().copied().fold(f64::INFINITY, f64::min);
                let most =
                    values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let earlier = if column == 3 { earlier.0 } else { earlier.1 };
                let number = |x: f64| Number::rounded(x, 3);
                table.row((
                    place.bias,
                    place.gain,
                    earlier,
                    number(middle),
                    number(low),
                    number(high),
                    number(least),
                    number(most),
                ));
            }
        }
    }

    fn add_map(&self, report: &mut Report, map: &[(Place, f64, f64)]) {
        let table = report.table("map", ["bias", "gain", "direct", "total"]);
        for &(Place { bias, gain }, direct, total) in map {
            let number = |x: f64| Number::rounded(x, 4);
            table.row((bias, gain, number(direct), number(total)));
        }
        let most = |of: fn(&(Place, f64, f64)) -> f64| {
            Number::rounded(
                map.iter().map(of).fold(f64::NEG_INFINITY, f64::max),
                3,
            )
        };
        report
            .fact("map_most_direct", most(|cell| cell.1))
            .fact("map_most_total", most(|cell| cell.2))
            .fact("map_most_apart", most(|cell| cell.2 - cell.1));
        let grows = map.iter().filter(|cell| cell.2 > 0.0).count();
        let share = grows as f64 / map.len() as f64;
        report.fact("map_growing", Number::rounded(share, 3));
        // Where the total passes 0 for the last time: on a straight line over ln g.
        let table = report.table("edge", ["bias", "gain"]);
        for row in map.chunks(self.config.gains.len()) {
            let crossing =
                row.windows(2).rfind(|w| w[0].2 < 0.0 && w[1].2 >= 0.0);
            if let Some([a, b]) = crossing {
                let part = a.2 / (a.2 - b.2);
                let [from, to] = [a, b].map(|cell| Real::ln(cell.0.gain));
                let gain = Real::exp(from + part * (to - from));
                table.row((a.0.bias, Number::rounded(gain, 3)));
            }
        }
    }

    fn add_trainings(&self, report: &mut Report, outcomes: &[Outcome]) {
        let runs = self.config.runs as usize;
        let chunks = outcomes.chunks(runs);
        let columns = [
            "training", "run", "updates", "solved", "right", "bias", "gain",
            "direct", "total", "weights",
        ];
        let table = report.table("trained", columns);
        let all = || self.trainings.iter().zip(chunks.clone());
        for (&(hidden, place), outcomes) in all() {
            for (run, outcome) in outcomes.iter().enumerate() {
                let (looks, solved, weights) = trained(outcome);
                let end = looks.last().expect("the end is looked at");
                let number = |x: f64| Number::rounded(x, 4);
                table.row((
                    training_key(hidden, place),
                    run as u64 + 1,
                    end.update,
                    solved,
                    end.right,
                    number(end.bias),
                    number(end.gain),
                    number(end.direct),
                    number(end.total),
                    weights,
                ));
            }
        }
        let columns =
            ["training", "update", "bias", "gain", "direct", "total", "right"];
        let mut ways = vec![];
        for (&(hidden, place), outcomes) in all() {
            let key = training_key(hidden, place);
            let solved = outcomes.iter().filter(|o| trained(o).1).count();
            report.fact(format!("{key}_solved"), solved);
            let looks: Vec<&[Look]> =
                outcomes.iter().map(|o| trained(o).0).collect();
            let mut add = |when: &str, of: fn(&[Look]) -> &Look| {
                let mut add = |what: &str, value: fn(&Look) -> f64| {
                    let values = looks.iter().map(|l| value(of(l))).collect();
                    add_facts(
                        report,
                        &format!("{key}_{when}_{what}"),
                        values,
                        3,
                    );
                };
                add("bias", |look| look.bias);
                add("gain", |look| look.gain);
                add("direct", |look| look.direct);
                add("total", |look| look.total);
                add("more", |look| look.total - look.direct);
            };
            add("end", |looks| looks.last().expect("the end is looked at"));
            // At the other widths only the end is looked at.
            if hidden != self.config.widths[0] {
                continue;
            }
            add("start", |looks| &looks[0]);
            let updates = self.config.training.updates;
            let times = self.config.looks.iter().copied().chain([updates]);
            for time in times {
                // Who has solved the task stays where it is.
                let at = |looks: &&[Look]| {
                    let seen = looks.iter().rfind(|look| look.update <= time);
                    *seen.unwrap_or(&looks[0])
                };
                let now: Vec<Look> = looks.iter().map(at).collect();
                let middle = |of: fn(&Look) -> f64| {
                    Number::rounded(
                        median(&now.iter().map(of).collect::<Vec<_>>()),
                        4,
                    )
                };
                ways.push((
                    key.clone(),
                    time,
                    middle(|look| look.bias),
                    middle(|look| look.gain),
                    middle(|look| look.direct),
                    middle(|look| look.total),
                    middle(|look| look.right),
                ));
            }
        }
        let table = report.table("ways", columns);
        for row in ways {
            table.row(row);
        }
    }
}

/// Of a training: looks, whether the task is solved, the hash of the weights.
fn trained(outcome: &Outcome) -> (&[Look], bool, String) {
    match outcome {
        Either::Left(Trained { looks, solved, weights }) => {
            (looks, *solved, weights.to_string())
        }
        Either::Right(_) => unreachable!("trainings come first"),
    }
}
