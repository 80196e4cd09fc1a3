//! From what was measured to the report.

use super::{
    Config, End, FORMS, Form, Found, Law, NotVanishingIsNotEnough, Swept,
    Units, WAYS, exponent, lambda_of,
};
use crate::experiment::Experiment;
use crate::protocol::{KaplanMeier, SolveTime};
use crate::summary::{add_band, add_facts, key_of, spread};
use longlag_numerics::Real;
use longlag_report::{Number, Report};

/// The exponent is fitted from this memory on.
const FITTED: f64 = 10.0;

/// What series and facts of a form begin with.
fn key_of_form(form: Form) -> &'static str {
    match form {
        Form::Plain => "plain",
        Form::Normalised => "normalised",
        Form::Exponential => "exponential",
    }
}

/// What series and facts of a training in a way towards a memory begin with.
pub(super) fn training_key(way: &str, memory: f64) -> String {
    key_of(&format!("{way} {memory}"))
}

impl Units {
    pub(super) fn summary(&self, outcomes: &[Vec<Found>]) -> Report {
        let mut report =
            Report::new(NotVanishingIsNotEnough::NAME, &self.config);
        let (seeds, tuning) = outcomes.split_at(self.config.seeds as usize);
        self.add_sweep(&mut report, seeds);
        self.add_trainings(&mut report, seeds, tuning);
        report
    }

    fn add_sweep(&self, report: &mut Report, seeds: &[Vec<Found>]) {
        let Config { memories, short, .. } = &self.config;
        let swept = |of: &[Found]| -> Vec<Swept> {
            let all = of.iter().filter_map(|found| match found {
                Found::Swept(swept) => Some(*swept),
                Found::Trained(..) => None,
            });
            all.collect()
        };
        let swept: Vec<Vec<Swept>> = seeds.iter().map(|s| swept(s)).collect();
        let steps = |memory| self.config.steps(memory);

        // What each curve is: measured in a seed at a memory, and by theory.
        type Curve<'a> = (
            &'a str,
            Box<dyn Fn(&Swept) -> f64 + 'a>,
            Box<dyn Fn(f64) -> f64 + 'a>,
        );
        let form = |k: usize| -> Curve<'_> {
            let form: Form = FORMS[k];
            let law = move |memory: f64| {
                let lambda = lambda_of(memory);
                let law = Law::after(steps(memory), lambda);
                law.sensitivity(form.at(form.parameter(lambda)))
            };
            (key_of_form(form), Box::new(move |s| s.forms[k]), Box::new(law))
        };
        let at_short =
            |memory: f64| Law::after(*short, lambda_of(memory)).slope;
        let size = |memory| Law::after(steps(memory), lambda_of(memory)).h;
        let curves: [Curve<'_>; 5] = [
            ("state", Box::new(|s| s.h), Box::new(size)),
            form(0),
            form(1),
            form(2),
            ("short", Box::new(|s| s.short), Box::new(at_short)),
        ];

        let mut columns = vec!["memory", "steps", "left after 100"];
        columns.extend(["state", "law", "slope", "its law"]);
        let table = report.table("sweep", columns);
        for (m, &memory) in memories.iter().enumerate() {
            let middle = |of: &dyn Fn(&Swept) -> f64| {
                let [_, middle, _] =
                    spread(swept.iter().map(|s| of(&s[m])).collect());
                Number::rounded(middle, 3)
            };
            let law = |of: &dyn Fn(f64) -> f64| Number::rounded(of(memory), 3);
            let left = Real::exp(100.0 * Real::ln(lambda_of(memory)));
            let [state, plain, ..] = &curves;
            table.row((
                memory,
                steps(memory),
                Number::rounded(left, 2),
                middle(&state.1),
                law(&state.2),
                middle(&plain.1),
                law(&plain.2),
            ));
        }
        for (name, measured, law) in &curves {
            let of = |s: &Vec<Swept>| -> Vec<f64> {
                s.iter().map(measured).collect()
            };
            let all: Vec<Vec<f64>> = swept.iter().map(of).collect();
            let rows = all.iter().map(|row| &row[..]).collect();
            add_band(report, format!("sweep_{name}"), memories.clone(), rows);
            let laws: Vec<f64> = memories.iter().map(|&m| law(m)).collect();
            let rounded = laws.iter().map(|&y| Number::rounded(y, 4));
            report.series(
                format!("law_{name}"),
                memories.iter().copied(),
                rounded,
            );
            let worst = all.iter().flat_map(|row| row.iter().zip(&laws));
            let worst = worst.map(|(y, law)| (y / law - 1.0).abs());
            let worst = worst.fold(0.0, f64::max);
            report.fact(format!("off_{name}"), Number::rounded(worst, 2));
            let fit = |row: &[f64]| {
                let rest =
                    |memory: f64| 1.0 - lambda_of(memory) * lambda_of(memory);
                let points = memories.iter().zip(row);
                let points = points.filter(|(memory, _)| **memory >= FITTED);
                let points =
                    points.map(|(&memory, &y)| (1.0 / rest(memory), y));
                exponent(&points.collect::<Vec<_>>())
            };
            let fits = all.iter().map(|row| fit(row)).collect();
            add_facts(report, &format!("exponent_{name}"), fits, 3);
            let law = Number::rounded(fit(&laws), 3);
            report.fact(format!("exponent_{name}_law"), law);
        }
        // At a memory of 1000, what a T of 100 sees of the sensitivity.
        let last = *memories.last().expect("a memory");
        let seen = at_short(last) / Law::in_the_end(lambda_of(last)).slope;
        report.fact("short_sees", Number::rounded(seen, 2));
        let full = Law::after(steps(last), lambda_of(last)).slope;
        let missing = 1.0 - full / Law::in_the_end(lambda_of(last)).slope;
        report.fact("rule_misses", Number::rounded(missing, 2));
    }

    fn add_trainings(
        &self,
        report: &mut Report,
        seeds: &[Vec<Found>],
        tuning: &[Vec<Found>],
    ) {
        let Config { teachers, rates, .. } = &self.config;
        let at = |teacher: usize, rate: usize, way: usize| {
            (teacher * rates.len() + rate) * WAYS.len() + way
        };
        let trained = |of: &[Vec<Found>], place: usize| -> Vec<(u32, End)> {
            let trained = of.iter().map(|found| match found[place] {
                Found::Trained(updates, end) => (updates, end),
                Found::Swept(_) => unreachable!("trainings come first"),
            });
            trained.collect()
        };
        let count = |of: &[(u32, End)], end: End| {
            of.iter().filter(|trained| trained.1 == end).count()
        };
        // The most are solved; of equals, in the fewest updates.
        let best = |teacher: usize, way: usize| {
            let score = |&rate: &usize| {
                let of = trained(tuning, at(teacher, rate, way));
                let spent = |&(updates, end): &(u32, End)| match end {
                    End::Solved => u64::from(updates),
                    _ => u64::from(self.config.updates),
                };
                let spent: u64 = of.iter().map(spent).sum();
                (count(&of, End::Solved), u64::MAX - spent, rates.len() - rate)
            };
            (0..rates.len()).max_by_key(score).expect("a learning rate")
        };
        let median = |of: &[(u32, End)]| {
            let times = of.iter().map(|&(updates, end)| match end {
                End::Solved => SolveTime::Solved(updates.into()),
                _ => SolveTime::Unsolved(self.config.updates.into()),
            });
            let times: Vec<SolveTime> = times.collect();
            KaplanMeier::of(&times).median().unwrap_or(f64::INFINITY)
        };
        let mut rows = vec![];
        for (w, way) in WAYS.iter().enumerate() {
            // That of the shortest memory, for all.
            let one = best(0, w);
            report.fact(format!("{}_rate", way.key), rates[one]);
            let solved = |teacher: usize, rate: usize| {
                count(&trained(seeds, at(teacher, rate, w)), End::Solved)
            };
            let most = |teacher: usize, rate: usize| {
                2 * solved(teacher, rate) > seeds.len()
            };
            let common = (0..rates.len())
                .filter(|&rate| (0..teachers.len()).all(|t| most(t, rate)));
            report.fact(format!("{}_common", way.key), common.count());
            let learnt = (0..teachers.len()).take_while(|&t| most(t, one));
            let longest = learnt.last().map_or(0.0, |t| teachers[t]);
            report.fact(format!("{}_longest", way.key), longest);
            for (t, &memory) in teachers.iter().enumerate() {
                let key = training_key(way.key, memory);
                let own = best(t, w);
                let shares = (0..rates.len())
                    .map(|rate| solved(t, rate) as f64 / seeds.len() as f64);
                let shares = shares.map(|share| Number::rounded(share, 3));
                report.series(
                    format!("solved_{key}"),
                    rates.iter().copied(),
                    shares,
                );
                let ends = [("own", own), ("one", one)].map(|(name, rate)| {
                    let of = trained(seeds, at(t, rate, w));
                    let solved = count(&of, End::Solved);
                    let diverged = count(&of, End::Diverged);
                    report
                        .fact(format!("{key}_{name}_solved"), solved)
                        .fact(format!("{key}_{name}_diverged"), diverged)
                        .fact(format!("{key}_{name}_median"), median(&of));
                    let is = |trained: &(u32, End)| {
                        if trained.1 == End::Solved { 1.0 } else { 0.0 }
                    };
                    let x = (1..=of.len()).map(|seed| seed as f64);
                    let y: Vec<f64> = of.iter().map(is).collect();
                    report.series(format!("{name}_{key}"), x, y);
                    solved
                });
                let good: Vec<f64> = (0..rates.len())
                    .filter(|&rate| most(t, rate))
                    .map(|rate| rates[rate])
                    .collect();
                let low = good.iter().copied().fold(f64::NAN, f64::min);
                let high = good.iter().copied().fold(f64::NAN, f64::max);
                let updates = median(&trained(seeds, at(t, own, w)));
                rows.push((
                    way.key, memory, rates[own], ends[0], updates, low, high,
                    ends[1],
                ));
            }
            // How the learning rate has to fall as the memory grows.
            let points: Vec<(f64, f64)> = teachers
                .iter()
                .enumerate()
                .map(|(t, &memory)| (memory, 1.0 / rates[best(t, w)]))
                .collect();
            let fit = Number::rounded(exponent(&points), 2);
            report.fact(format!("{}_rate_exponent", way.key), fit);
        }
        let table = report.table(
            "trained",
            [
                "way",
                "memory",
                "own rate",
                "solved",
                "updates",
                "lowest",
                "highest",
                "solved at one rate",
            ],
        );
        for row in rows {
            table.row(row);
        }
    }
}
