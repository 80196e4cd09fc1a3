//! From what was measured to the report, and the claims.

use super::{
    CURVE, Condition, Config, Forget, NONE, Networks, ONE, Outcome, PUBLISHED,
    Reach, StillVanishing, Trained, training_key,
};
use crate::experiment::Experiment;
use crate::protocol::{
    CONFIDENCE, Claim, Contrast, GROWTH_MARGIN, KaplanMeier, Prediction,
    Primary, Rule, SEEDS, SEEDS_OF_MEASUREMENTS, SUCCESS_MARGIN, SolveTime,
    clopper_pearson,
};
use crate::runs::Either;
use crate::summary::{add_band, add_facts, spread};
use longlag_numerics::Real;
use longlag_report::{LookupError, Number, Report};
use std::f64::consts::LOG10_E;

// ANCHOR: claims
pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "B4",
        statement: "A forget bias of 1 gives the LSTM a long memory.",
        rule: Rule::Measured(Primary {
            contrast: "growth of ∂c_t/∂c_k by all paths with a forget bias of 1, 0 if it grows, at the start and \
                 trained",
            predicts: Prediction::Within(GROWTH_MARGIN),
            seeds: SEEDS_OF_MEASUREMENTS,
            only_if: None,
            measure: lost_with_one,
        }),
    },
    Claim {
        id: "B4, foothold",
        statement: "With a forget bias of 1 an LSTM learns a lag that it doesn't learn with 0.",
        rule: Rule::Measured(Primary {
            contrast: "success on the adding problem with a forget bias of 1, less success with 0",
            predicts: Prediction::Beyond(SUCCESS_MARGIN),
            seeds: SEEDS,
            only_if: None,
            measure: more_solved,
        }),
    },
];

/// How many decades the gradient of networks with a forget bias of 1
/// loses in 100 steps, by all paths.
fn lost_with_one(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let widths = config(report).widths;
    let mut all = vec![];
    for &hidden in &widths {
        let name = format!("rate_h{hidden}_b1_total");
        let rates = report.find_series(&name)?.y();
        let lost = rates.into_iter().map(|rate| rate.min(0.0));
        let condition = format!("H = {hidden}, start");
        all.push(Contrast::of_differences(condition, lost));
    }
    for &hidden in &widths {
        let name = format!("end_{}_total", training_key((hidden, ONE)));
        let rates = report.find_series(&name)?.y();
        let lost = rates.into_iter().map(|rate| rate.min(0.0));
        let condition = format!("H = {hidden}, trained");
        all.push(Contrast::of_differences(condition, lost));
    }
    Ok(all)
}

/// Whether runs solve the task with a forget bias of 1 and with 0.
fn more_solved(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let config = config(report);
    let hidden = config.widths[0];
    let runs = report.find_table("trained")?;
    let solved = |forget: Forget| -> Vec<bool> {
        let key = training_key((hidden, forget));
        let rows = runs.rows().iter();
        let of = rows.filter(|row| row[0].to_string() == key);
        of.map(|row| row[3].to_string() == "true").collect()
    };
    let pairs: Vec<(bool, bool)> =
        solved(ONE).into_iter().zip(solved(NONE)).collect();
    let condition = format!("H = {hidden}, T = {}", config.task.steps);
    Ok(vec![Contrast::of_successes(condition, &pairs)])
}
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// The two ways that are told apart.
const PATHS: [&str; 2] = ["direct", "total"];

/// A series with one value for each seed.
fn add_seeds(report: &mut Report, name: String, values: Vec<f64>) {
    let seeds = (1..=values.len()).map(|seed| seed as f64);
    report.series(name, seeds, values);
}

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(StillVanishing::NAME, &self.config);
        let measured: Vec<&Vec<Vec<f64>>> =
            outcomes.iter().filter_map(Either::right).collect();
        let mut half_lives = vec![];
        for (i, condition) in self.conditions.iter().enumerate() {
            let of: Vec<&[f64]> = measured.iter().map(|m| &m[i][..]).collect();
            match *condition {
                Condition::Asked => add_asked(&mut report, &of),
                Condition::Start { hidden, forget, length } => {
                    let mut key = format!("h{hidden}_{}", forget.key());
                    if forget == Forget::Chrono {
                        key = format!("{key}_{length}");
                    }
                    add_start(&mut report, &key, &of);
                    if hidden == self.config.widths[0] {
                        half_lives.push((forget, length, of));
                    }
                }
            }
        }
        self.add_half_lives(&mut report, &half_lives);
        self.add_trainings(&mut report, outcomes);
        report
    }

    /// Half-lives at each length; beyond it they are not known.
    fn add_half_lives(
        &self,
        report: &mut Report,
        half_lives: &[(Forget, usize, Vec<&[f64]>)],
    ) {
        let columns = [
            "forget gate",
            "steps",
            "direct",
            "direct low",
            "direct high",
            "all",
            "all low",
            "all high",
        ];
        let mut rows = vec![];
        for &forget in &self.config.forget {
            for &steps in &self.config.lengths {
                let of = half_lives.iter().find(|(f, length, _)| {
                    *f == forget && (*length == steps || *f != Forget::Chrono)
                });
                let (_, _, of) = of.expect("each was measured");
                let [direct, all] = [0, 1].map(|path: usize| {
                    let within = |o: &&[f64]| {
                        if o[path] <= steps as f64 {
                            o[path]
                        } else {
                            f64::INFINITY
                        }
                    };
                    spread(of.iter().map(within).collect())
                });
                let key = format!("half_{}_{steps}", forget.key());
                for (path, [low, middle, high]) in
                    PATHS.into_iter().zip([direct, all])
                {
                    report
                        .fact(format!("{key}_{path}"), middle)
                        .fact(format!("{key}_{path}_low"), low)
                        .fact(format!("{key}_{path}_high"), high);
                }
                let name = match forget {
                    Forget::Bias(bias) => format!("bias {bias}"),
                    Forget::Chrono => "chrono".into(),
                };
                rows.push((
                    name, steps, direct[1], direct[0], direct[2], all[1],
                    all[0], all[2],
                ));
            }
        }
        let table = report.table("half_lives", columns);
        for row in rows {
            table.row(row);
        }
    }

    fn add_trainings(&self, report: &mut Report, outcomes: &[Outcome]) {
        let seeds = self.config.seeds as usize;
        let mut rows = vec![];
        for (&training, outcomes) in
            self.trainings.iter().zip(outcomes.chunks(seeds))
        {
            let key = training_key(training);
            let mut reaches: [Vec<Reach>; 2] = [vec![], vec![]];
            let mut times = vec![];
            for (run, outcome) in outcomes.iter().enumerate() {
                let Either::Left(Trained {
                    start,
                    end,
                    updates,
                    solved,
                    right,
                    weights,
                }) = outcome
                else {
                    unreachable!("trainings come first")
                };
                reaches[0].push(*start);
                reaches[1].push(*end);
                times.push(if *solved {
                    SolveTime::Solved(*updates as f64)
                } else {
                    SolveTime::Unsolved(*updates as f64)
                });
                rows.push((
                    key.clone(),
                    run + 1,
                    *updates,
                    *solved,
                    *right,
                    start.half_lives[0],
                    start.half_lives[1],
                    end.half_lives[0],
                    end.half_lives[1],
                    weights.to_string(),
                ));
            }
            let solved = |t: &&SolveTime| matches!(t, SolveTime::Solved(_));
            let solved = times.iter().filter(solved).count();
            let share = clopper_pearson(solved, seeds, CONFIDENCE);
            report
                .fact(format!("{key}_solved"), solved)
                .fact(
                    format!("{key}_solved_low"),
                    Number::rounded(share.low, 3),
                )
                .fact(
                    format!("{key}_solved_high"),
                    Number::rounded(share.high, 3),
                );
            if let Some(updates) = KaplanMeier::of(&times).median() {
                report.fact(format!("{key}_median"), updates);
            }
            for (when, reaches) in ["start", "end"].into_iter().zip(&reaches) {
                let key = format!("{when}_{key}");
                let of = |f: &dyn Fn(&Reach) -> f64| {
                    reaches.iter().map(f).collect::<Vec<_>>()
                };
                add_facts(report, &format!("{key}_bias"), of(&|r| r.bias), 3);
                for (k, path) in PATHS.iter().enumerate() {
                    let half = of(&|r| r.half_lives[k]);
                    add_facts(report, &format!("{key}_{path}_half"), half, 3);
                    let rates = of(&|r| r.rates[k]);
                    add_facts(
                        report,
                        &format!("{key}_{path}"),
                        rates.clone(),
                        3,
                    );
                    add_seeds(report, format!("{key}_{path}"), rates);
                }
            }
        }
        let columns = [
            "training",
            "run",
            "updates",
            "solved",
            "right",
            "direct, start",
            "all, start",
            "direct, end",
            "all, end",
            "weights",
        ];
        let table = report.table("trained", columns);
        for row in rows {
            table.row(row);
        }
    }
}

/// Half-lives, rates and curves of one kind of network at the start.
fn add_start(report: &mut Report, key: &str, of: &[&[f64]]) {
    let (_, every) = CURVE;
    for (k, path) in PATHS.iter().enumerate() {
        let column = |k: usize| of.iter().map(|o| o[k]).collect::<Vec<_>>();
        add_facts(report, &format!("rate_{key}_{path}"), column(2 + k), 3);
        add_seeds(report, format!("rate_{key}_{path}"), column(2 + k));
        let count = (of[0].len() - 4) / 2;
        let curve = |o: &&[f64]| -> Vec<f64> {
            let kept = &o[4 + k * count..4 + (k + 1) * count];
            [0.0].into_iter().chain(kept.iter().copied()).collect()
        };
        let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
        let curves = curves.iter().map(|c| &c[..]).collect();
        let x = (0..=count).map(|i| (i * every) as f64).collect();
        add_band(report, format!("lags_{key}_{path}"), x, curves);
    }
}

/// What was printed, what it comes from, and the same from networks of our own.
fn add_asked(report: &mut Report, of: &[&[f64]]) {
    let steps = PUBLISHED.len();
    let columns = ["step", "printed", "twice", "all", "low", "high", "direct"];
    let table = report.table("asked", columns);
    let middle = |k: usize| spread(of.iter().map(|o| o[k]).collect());
    let number = |x: f64| Number::rounded(x, 3);
    let mut apart = 0.0_f64;
    for (t, printed) in PUBLISHED.into_iter().enumerate() {
        let ([low, all, high], [_, direct, _]) = (middle(t), middle(steps + t));
        apart = apart.max((Real::ln(2.0 * printed / all) * LOG10_E).abs());
        table.row((
            t + 1,
            number(printed),
            number(2.0 * printed),
            number(all),
            number(low),
            number(high),
            number(direct),
        ));
    }
    let x: Vec<f64> = (1..=steps).map(|t| t as f64).collect();
    for (k, name) in ["asked_total", "asked_direct"].iter().enumerate() {
        let curves =
            of.iter().map(|o| &o[k * steps..(k + 1) * steps]).collect();
        add_band(report, (*name).into(), x.clone(), curves);
    }
    report.series("asked_printed", x, PUBLISHED.map(|p| 2.0 * p));
    let logit = |p: f64| Real::ln(p / (1.0 - p));
    let [first, last] = [PUBLISHED[0], PUBLISHED[steps - 1]];
    let sigmoid: f64 = Real::sigmoid(1.0);
    let ratio = |t: usize| PUBLISHED[t] / PUBLISHED[t - 1];
    let own = |t: usize| middle(t)[1] / middle(t - 1)[1];
    report
        .fact("printed_first", number(first))
        .fact("printed_first_twice", number(2.0 * first))
        .fact("printed_last_twice", number(2.0 * last))
        .fact("printed_bias", number(logit(first)))
        .fact("printed_bias_twice", number(logit(2.0 * first)))
        .fact("printed_second_ratio", number(ratio(1)))
        .fact("printed_last_ratio", number(ratio(steps - 1)))
        .fact("own_second_ratio", number(own(1)))
        .fact("own_last_ratio", number(own(steps - 1)))
        .fact("gate_of_one", number(sigmoid))
        .fact("asked_apart", Number::rounded(apart, 2));
    let column = |k: usize| of.iter().map(|o| o[k]).collect::<Vec<_>>();
    add_facts(report, "asked_first", column(0), 3);
    add_facts(report, "asked_last", column(steps - 1), 3);
    add_facts(report, "asked_last_direct", column(2 * steps - 1), 3);
    let norm = column(3 * steps - 1);
    add_facts(report, "asked_last_norm", norm, 3);
}
