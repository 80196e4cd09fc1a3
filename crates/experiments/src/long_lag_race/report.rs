//! From what was measured to the report.

use super::claims::{self, longest_key};
use super::{Config, Contender, LongLagRace, Race};
use crate::experiment::Experiment;
use crate::protocol::{CONFIDENCE, KaplanMeier, clopper_pearson};
use crate::summary::{add_band, add_claims, add_facts, key_of};
use crate::trials::Tried;
use longlag_numerics::Real;
use longlag_probe::statistics::median;
use longlag_report::{Number, Report, Value};

impl Race {
    pub(super) fn summary(
        &self,
        untrained: &[&Vec<f64>],
        tried: &[Tried],
    ) -> Report {
        let mut report = Report::new(LongLagRace::NAME, &self.config);
        self.trials.add_to(&mut report, tried);
        self.add_sizes(&mut report);
        self.add_baselines(&mut report, untrained);
        self.add_race(&mut report, tried);
        self.add_beats(&mut report, tried);
        self.add_overview(&mut report, tried);
        add_claims(&mut report, claims::ALL).expect("all is there");
        for claim in claims::ALL {
            let finding = claim.judge(&report).expect("all is there");
            let key = format!("claim_{}", key_of(claim.id));
            let of = &finding.contrasts[0];
            let number = |x: f64| Number::rounded(x, 3);
            report
                .fact(format!("{key}_verdict"), finding.verdict.to_string())
                .fact(format!("{key}_estimate"), number(of.estimate.low))
                .fact(format!("{key}_from"), number(of.interval.low))
                .fact(format!("{key}_to"), number(of.interval.high));
        }
        report
    }

    /// Units and parameters of everyone, and how many multiplications and additions a sequence takes.
    fn add_sizes(&self, report: &mut Report) {
        let Config { contenders, relatives, decisive, .. } = &self.config;
        let task = self.config.adding(*decisive);
        let columns = ["network", "units", "parameters", "learning rate"];
        let table = report.table("networks", columns);
        for of in contenders.iter().chain(relatives) {
            let network = self.config.network(of, task.task());
            table.row((
                &*of.name,
                network.layer.hidden,
                network.size(),
                of.learning_rate,
            ));
        }
    }

    /// How often and how soon everyone solved everything.
    fn add_overview(&self, report: &mut Report, tried: &[Tried]) {
        let Config { contenders, relatives, lengths, decisive, .. } =
            &self.config;
        let named = |of: &Contender, what: &str| -> Option<&[Tried]> {
            let key = key_of(&format!("{}, {what}", of.name));
            let trials = &self.trials.trials;
            let found = trials.iter().position(|trial| trial.key() == key);
            found.map(|found| self.trials.of(found, tried))
        };
        let at = |of: &Contender, steps: usize| {
            named(of, &format!("adding {steps}")).expect("it races")
        };

        let heads = |last: Option<&str>| {
            let lengths = lengths.iter().map(|steps| format!("T = {steps}"));
            let network = std::iter::once("network".to_owned());
            let last = last.into_iter().map(str::to_owned);
            network.chain(lengths).chain(last).collect::<Vec<_>>()
        };
        let table = report.table("solved", heads(Some("longest, median")));
        for of in contenders {
            let all = lengths.iter().map(|&steps| at(of, steps));
            let mut row = vec![Value::from(&*of.name)];
            row.extend(all.map(|of| Value::from(solved(of))));
            row.push(Value::from(self.longest(of, tried).1));
            table.row(row);
        }
        let table = report.table("medians", heads(None));
        for of in contenders {
            let all = lengths.iter().map(|&steps| at(of, steps));
            let mut row = vec![Value::from(&*of.name)];
            row.extend(all.map(|of| Value::from(median_updates(of))));
            table.row(row);
        }

        let columns = ["network", "solved", "from", "to", "median updates"];
        let columns = columns.into_iter().chain(["right in the end"]);
        let table = report.table("relatives", columns);
        for of in contenders.iter().chain(relatives) {
            let all = at(of, *decisive);
            let share = clopper_pearson(solved(all), all.len(), CONFIDENCE);
            table.row((
                &*of.name,
                solved(all),
                Number::rounded(share.low, 2),
                Number::rounded(share.high, 2),
                median_updates(all),
                Number::rounded(median_right(all), 3),
            ));
        }

        let columns = [
            "network",
            "solved, equal parameters",
            "median updates",
            "solved, equal units",
            "median updates, equal units",
        ];
        let table = report.table("equal_units", columns);
        for of in contenders {
            let ours = at(of, *decisive);
            // The LSTM's own units are everyone's.
            let units = named(of, "equal units").unwrap_or(ours);
            table.row((
                &*of.name,
                solved(ours),
                median_updates(ours),
                solved(units),
                median_updates(units),
            ));
        }

        let mut columns = vec!["network".to_owned()];
        let copied = self.config.copying.iter();
        let copied = copied.map(|task| format!("copying {}", task.symbols));
        let tasks: Vec<String> =
            std::iter::once("order".to_owned()).chain(copied).collect();
        for task in &tasks {
            columns.push(task.clone());
            columns.push(format!("{task}, right in the end"));
        }
        let table = report.table("other_tasks", columns);
        for of in contenders {
            let mut row = vec![Value::from(&*of.name)];
            for task in &tasks {
                let all = named(of, task).expect("it races");
                row.push(Value::from(solved(all)));
                let right = Number::rounded(median_right(all), 3);
                row.push(Value::from(right));
            }
            table.row(row);
        }
    }

    /// The longest length that a contender solved, in each seed, 0 if none; and the median over seeds.
    fn longest(&self, of: &Contender, tried: &[Tried]) -> (Vec<f64>, f64) {
        let lengths = &self.config.lengths;
        let all = self.at_lengths(of, tried);
        let longest = |seed: usize| {
            let solved = (0..lengths.len()).filter(|&i| all[i][seed].solved);
            solved.map(|i| lengths[i] as f64).fold(0.0, f64::max)
        };
        let seeds = self.trials.seeds as usize;
        let longest: Vec<f64> = (0..seeds).map(longest).collect();
        let middle = median(&longest);
        (longest, middle)
    }

    /// The outcomes of a contender at each length, shortest first.
    fn at_lengths<'t>(
        &self,
        of: &Contender,
        tried: &'t [Tried],
    ) -> Vec<&'t [Tried]> {
        let at = |steps: &usize| {
            let key = key_of(&format!("{}, adding {steps}", of.name));
            let trials = &self.trials.trials;
            let found = trials.iter().position(|trial| trial.key() == key);
            self.trials.of(found.expect("it races"), tried)
        };
        self.config.lengths.iter().map(at).collect()
    }

    fn add_baselines(&self, report: &mut Report, untrained: &[&Vec<f64>]) {
        let Config { contenders, lengths, .. } = &self.config;
        let task = self.config.adding(lengths[0]);
        for baseline in task.task().baselines() {
            let key = key_of(&format!("baseline {}", baseline.name));
            report.fact(key, Number::rounded(baseline.success, 3));
        }
        let order = self.config.order();
        for baseline in order.task().baselines() {
            let key = key_of(&format!("baseline order {}", baseline.name));
            report.fact(key, Number::rounded(baseline.success, 3));
        }
        let x: Vec<f64> = lengths.iter().map(|&t| t as f64).collect();
        for (k, of) in contenders.iter().enumerate() {
            let curve = |found: &&Vec<f64>| -> Vec<f64> {
                let at = |length| found[length * contenders.len() + k];
                (0..lengths.len()).map(at).collect()
            };
            let curves: Vec<Vec<f64>> = untrained.iter().map(curve).collect();
            let curves = curves.iter().map(|c| &c[..]).collect();
            let name = format!("frozen_{}", key_of(&of.name));
            add_band(report, name, x.clone(), curves);
        }
        for (k, of) in contenders.iter().enumerate() {
            for (length, steps) in lengths.iter().enumerate() {
                let at = length * contenders.len() + k;
                let found = untrained.iter().map(|found| found[at]).collect();
                let name = format!("frozen_{}_{steps}", key_of(&of.name));
                add_facts(report, &name, found, 3);
            }
        }
        let guesses = lengths.len() * contenders.len();
        for (k, what) in ["adding", "order"].iter().enumerate() {
            let guessed = |found: &&&Vec<f64>| found[guesses + k].is_finite();
            let guessed = untrained.iter().filter(guessed).count();
            report.fact(format!("guessed_{what}"), guessed);
        }
    }

    /// How far each contender comes, and how the time that it takes grows with the length.
    fn add_race(&self, report: &mut Report, tried: &[Tried]) {
        let Config { contenders, lengths, .. } = &self.config;
        let x: Vec<f64> = lengths.iter().map(|&t| t as f64).collect();
        let mut rows = vec![];
        for of in contenders {
            let all = self.at_lengths(of, tried);
            let (longest, _) = self.longest(of, tried);
            let seeds = self.trials.seeds as usize;
            let numbers = (1..=seeds).map(|seed| seed as f64);
            report.series(longest_key(&of.name), numbers, longest.clone());
            add_facts(report, &longest_key(&of.name), longest, 3);

            let right = |seed: usize| -> Vec<f64> {
                all.iter().map(|of| of[seed].right).collect()
            };
            let right: Vec<Vec<f64>> = (0..seeds).map(right).collect();
            let right = right.iter().map(|c| &c[..]).collect();
            let name = format!("right_{}", key_of(&of.name));
            add_band(report, name, x.clone(), right);

            let medians = all.iter().map(|of| median_updates(of));
            let solved: Vec<(f64, f64)> = x
                .iter()
                .copied()
                .zip(medians)
                .filter(|(_, median)| median.is_finite())
                .collect();
            if let Some(Fits { power, power_miss, rate, rate_miss }) =
                Fits::of(&solved)
            {
                rows.push((
                    of.name.clone(),
                    solved.len(),
                    Number::rounded(power, 3),
                    Number::rounded(power_miss, 2),
                    Number::rounded(100.0 * rate, 3),
                    Number::rounded(rate_miss, 2),
                ));
            }
        }
        let table = report.table(
            "scaling",
            [
                "network",
                "lengths",
                "power of T",
                "miss of the power",
                "rate per 100 steps",
                "miss of the rate",
            ],
        );
        for row in rows {
            table.row(row);
        }
    }

    /// Of the trainings on the adding problem, which end better than a constant answer, and which of these have not
    /// solved it.
    fn add_beats(&self, report: &mut Report, tried: &[Tried]) {
        let Config { contenders, lengths, budget, .. } = &self.config;
        let task = self.config.adding(lengths[0]);
        let constant = task.task().baselines()[0].success;
        let least = beats(constant, budget.test);
        let seeds = self.trials.seeds as usize;
        let all: Vec<&[Tried]> = contenders
            .iter()
            .flat_map(|of| self.at_lengths(of, tried))
            .collect();
        let counts = |seed: usize| {
            let better = all.iter().map(|of| &of[seed]);
            let better = better.filter(|of| of.right > least);
            let (solved, unsolved): (Vec<&Tried>, Vec<&Tried>) =
                better.partition(|of| of.solved);
            [solved.len(), unsolved.len()].map(|n| n as f64)
        };
        let counts: Vec<[f64; 2]> = (0..seeds).map(counts).collect();
        let share =
            |[solved, unsolved]: &[f64; 2]| unsolved / (solved + unsolved);
        let shares: Vec<f64> = counts
            .iter()
            .map(share)
            .map(|share| if share.is_nan() { f64::NAN } else { share })
            .collect();
        let total = |k: usize| counts.iter().map(|c| c[k]).sum::<f64>();
        let numbers = (1..=seeds).map(|seed| seed as f64);
        report
            .series("beats_unsolved", numbers, shares.clone())
            .fact("beats_from", Number::rounded(least, 3))
            .fact("beats_trainings", (all.len() * seeds) as f64)
            .fact("beats_all", total(0) + total(1))
            .fact("beats_not_solved", total(1));
        let clearly = all.iter().flat_map(|of| of.iter());
        let clearly = clearly.filter(|of| !of.solved && of.right > 0.75);
        report.fact("beats_clearly_not_solved", clearly.count());
        add_facts(report, "beats_unsolved", shares, 3);
    }
}

fn solved(of: &[Tried]) -> usize {
    of.iter().filter(|of| of.solved).count()
}

/// The median number of updates to solve; infinite if fewer than half have.
fn median_updates(of: &[Tried]) -> f64 {
    let times: Vec<_> = of.iter().map(Tried::solve_time).collect();
    KaplanMeier::of(&times).median().unwrap_or(f64::INFINITY)
}

fn median_right(of: &[Tried]) -> f64 {
    median(&of.iter().map(|of| of.right).collect::<Vec<_>>())
}

// ANCHOR: beats
/// From what share of right answers on, of so many sequences, a network
/// is better than a baseline: by more than two standard errors.
fn beats(baseline: f64, sequences: usize) -> f64 {
    let variance = baseline * (1.0 - baseline) / sequences as f64;
    baseline + 2.0 * variance.sqrt()
}
// ANCHOR_END: beats

// ANCHOR: fits
/// Laws fitted to times u at lengths T, by least squares on ln u: u ∝ T^α
/// and u ∝ e^{cT}; and by how much they miss, as the root of the mean
/// square, in decades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fits {
    /// α.
    pub power: f64,
    /// How much it misses.
    pub power_miss: f64,
    /// c, per step.
    pub rate: f64,
    /// How much it misses.
    pub rate_miss: f64,
}

impl Fits {
    /// To points (T, u); none to fewer than three.
    pub fn of(points: &[(f64, f64)]) -> Option<Fits> {
        if points.len() < 3 {
            return None;
        }
        let y: Vec<f64> = points.iter().map(|(_, u)| Real::ln(*u)).collect();
        let t: Vec<f64> = points.iter().map(|(t, _)| *t).collect();
        let logs: Vec<f64> = t.iter().map(|t| Real::ln(*t)).collect();
        let [(power, power_miss), (rate, rate_miss)] =
            [line(&logs, &y), line(&t, &y)];
        Some(Fits { power, power_miss, rate, rate_miss })
    }
}

/// The slope of the line nearest to points, and how much it misses, in
/// decades.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (middle, level) = (mean(x), mean(y));
    let pairs = || x.iter().zip(y).map(|(x, y)| (x - middle, y - level));
    let slope = pairs().map(|(x, y)| x * y).sum::<f64>()
        / pairs().map(|(x, _)| x * x).sum::<f64>();
    let off = |(x, y): (f64, f64)| (y - slope * x) * (y - slope * x);
    let miss = (pairs().map(off).sum::<f64>() / n).sqrt();
    (slope, miss * std::f64::consts::LOG10_E)
}
// ANCHOR_END: fits
