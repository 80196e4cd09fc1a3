//! From what was measured to the report, and the claims.

use super::{
    Config, Cure, Dropping, Learnt, Left, Networks,
    OverfittingIsAnotherProblem, memory,
};
use crate::experiment::Experiment;
use crate::protocol::{
    Claim, Contrast, Prediction, SEEDS, SHARE_MARGIN, SUCCESS_MARGIN,
};
use crate::runs::Either;
use crate::summary::{add_band, add_claims, add_facts};
use crate::trials::{Tried, add_trial};
use longlag_numerics::precise;
use longlag_probe::statistics::median;
use longlag_report::{LookupError, Number, Report};

// ANCHOR: claims
pub(super) const CLAIMS: &[Claim] = &[
    Claim::measured(
        "A17",
        "A network that can carry a lag can still overfit: from few sequences an LSTM learns less than from many.",
        "share of new sequences answered rightly after learning from new ones, less the share after learning from few",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "new_none", "few_none"),
    ),
    Claim::measured(
        "A17, early stopping",
        "Early stopping helps where few sequences are known.",
        "share answered rightly with it, less the share without any cure",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "few_early_stopping", "few_none"),
    ),
    Claim::measured(
        "A17, weight decay",
        "Weight decay helps where few sequences are known.",
        "share answered rightly with it, less the share without any cure",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "few_weight_decay", "few_none"),
    ),
    Claim::measured(
        "A17, dropout upward",
        "Dropout of the last state on its way to the read-out helps where few sequences are known.",
        "share answered rightly with it, less the share without any cure",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "few_upward", "few_none"),
    ),
    Claim::measured(
        "A17, dropout of h",
        "Dropout of the state h by one mask for a sequence helps where few sequences are known.",
        "share answered rightly with it, less the share without any cure",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "few_sequence", "few_none"),
    ),
    Claim::measured(
        "A17, dropout of g",
        "Dropout of the candidate helps where few sequences are known.",
        "share answered rightly with it, less the share without any cure",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        |report| right(report, "few_candidate", "few_none"),
    ),
    Claim::measured(
        "A17, cost",
        "Dropout of the state c costs what is learnt even where nothing overfits.",
        "success without it less success with it, all sequences new",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| {
            let contrast = |steps: usize| {
                let solved = |of: &str| {
                    let name = format!("solved_t{steps}_new_{of}");
                    let series = report.find_series(&name)?;
                    Ok(series.y().into_iter().map(|solved| solved > 0.5))
                };
                let pairs: Vec<_> =
                    solved("none")?.zip(solved("cell")?).collect();
                Ok(Contrast::of_successes(format!("T = {steps}"), &pairs))
            };
            config(report).lengths.into_iter().map(contrast).collect()
        },
    ),
    Claim::measured(
        "A17, memory",
        "Of a memory whose state c is dropped on in each step, what is kept in one step to the power of the steps is left.",
        "share of bits left after so many steps, less the probability of being kept to their power",
        Prediction::Within(SHARE_MARGIN),
        SEEDS,
        |report| {
            let Config { leaks, spans, .. } = config(report);
            let mut all = vec![];
            for (i, p) in leaks.iter().enumerate() {
                for &span in &spans {
                    let name = format!("left_cell_{i}_{span}");
                    let left = report.find_series(&name)?.y();
                    let predicted = kept(*p, span);
                    let off = left.into_iter().map(|left| left - predicted);
                    let condition = format!("p = {p}, T = {span}");
                    all.push(Contrast::of_differences(condition, off));
                }
            }
            Ok(all)
        },
    ),
    Claim::measured(
        "A17, no cost",
        "Dropout of the candidate and of h cost a memory nothing.",
        "1 less the share of bits left after so many steps",
        Prediction::Within(SHARE_MARGIN),
        SEEDS,
        |report| {
            let mut all = vec![];
            for how in [Dropping::Candidate, Dropping::Sequence] {
                for span in config(report).spans {
                    let name = format!("left_{}_{span}", how.key());
                    let left = report.find_series(&name)?.y();
                    let lost = left.into_iter().map(|left| 1.0 - left);
                    let condition = format!("{}, T = {span}", how.key());
                    all.push(Contrast::of_differences(condition, lost));
                }
            }
            Ok(all)
        },
    ),
];

/// At each length: the share answered rightly by the first less that by the second.
fn right(
    report: &Report,
    first: &str,
    second: &str,
) -> Result<Vec<Contrast>, LookupError> {
    let contrast = |steps: usize| {
        let of = |name: &str| {
            let series =
                report.find_series(&format!("right_t{steps}_{name}"))?;
            Ok(series.y())
        };
        let pairs = of(first)?.into_iter().zip(of(second)?);
        let more = pairs.map(|(first, second)| first - second);
        Ok(Contrast::of_differences(format!("T = {steps}"), more))
    };
    config(report).lengths.into_iter().map(contrast).collect()
}
// ANCHOR_END: claims

/// What is left if, in each of so many steps, a thing is lost with probability `p`.
pub(super) fn kept(p: f64, steps: usize) -> f64 {
    precise::powi(1.0 - p, steps as u64)
}

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let config = &self.config;
        let mut report = Report::new(OverfittingIsAnotherProblem::NAME, config);
        let (trainings, memories) = outcomes.split_at(self.trainings.len());
        let mut trainings: Vec<&Learnt> =
            trainings.iter().filter_map(Either::left).collect();
        let sweep =
            trainings.split_off(config.judged().len() * config.seeds as usize);
        for (setting, of) in
            config.judged().iter().zip(trainings.chunks(config.seeds as usize))
        {
            add_trainings(&mut report, &setting.key(), of);
        }
        add_overview(&mut report, config);
        let table = report.table("sweep", ["cure", "strength", "right"]);
        for (setting, of) in
            config.sweep().iter().zip(sweep.chunks(config.sweep_seeds as usize))
        {
            let (cure, by) = setting.cure.expect("a cure is tried");
            let right: Vec<f64> = of.iter().map(|l| l.end().right).collect();
            table.row((
                name(Some(cure)),
                by,
                Number::rounded(median(&right), 3),
            ));
        }
        let memories: Vec<&Vec<Vec<Left>>> =
            memories.iter().filter_map(Either::right).collect();
        for (number, (key, _)) in memory::kinds(config).iter().enumerate() {
            let of: Vec<&Vec<Left>> =
                memories.iter().map(|m| &m[number]).collect();
            add_memories(&mut report, key, &of, &config.spans);
        }
        for (i, &p) in config.leaks.iter().enumerate() {
            let last = config.spans[config.spans.len() - 1];
            let value = Number::rounded(kept(p, last), 3);
            report.fact(format!("kept_{i}_{last}"), value);
        }
        add_claims(&mut report, CLAIMS).expect("all is there");
        report
    }
}

type Outcome = Either<Learnt, Vec<Vec<Left>>>;

/// What tables call a cure.
fn name(cure: Option<Cure>) -> &'static str {
    match cure {
        None => "none",
        Some(Cure::EarlyStopping) => "early stopping",
        Some(Cure::WeightDecay) => "weight decay",
        Some(Cure::Dropout(Dropping::Upward)) => "dropout, upward",
        Some(Cure::Dropout(Dropping::Sequence)) => "dropout, h",
        Some(Cure::Dropout(Dropping::Candidate)) => "dropout, candidate",
        Some(Cure::Dropout(Dropping::Cell)) => "dropout, c",
    }
}

fn tried(learnt: &Learnt) -> Tried {
    let end = learnt.end();
    Tried {
        updates: end.updates,
        solved: end.solved,
        diverged: learnt.diverged,
        right: end.right,
        growth: [f64::NAN; 2],
    }
}

fn add_trainings(report: &mut Report, key: &str, of: &[&Learnt]) {
    let tried: Vec<Tried> = of.iter().map(|learnt| tried(learnt)).collect();
    add_trial(report, key, &tried);
    let seeds = || (1..=of.len()).map(|seed| seed as f64);
    let right = tried.iter().map(|t| Number::rounded(t.right, 4));
    report.series(format!("right_{key}"), seeds(), right);
    let solved = tried.iter().map(|t| f64::from(u8::from(t.solved)));
    report.series(format!("solved_{key}"), seeds(), solved);
    let longest = of.iter().max_by_key(|l| l.looks.len()).expect("a seed");
    let updates: Vec<f64> =
        longest.looks.iter().map(|l| l.updates as f64).collect();
    for (what, part) in [
        ("learnt", (|l| l.learnt) as fn(&super::Look) -> f64),
        ("test", |l| l.test),
    ] {
        let last = |l: &&Learnt| part(&l.end());
        let values: Vec<f64> = of.iter().map(last).collect();
        if values.iter().all(|v| v.is_nan()) {
            continue;
        }
        add_facts(report, &format!("{key}_loss_{what}"), values, 3);
        // A training that has ended stays where it is.
        let curve = |l: &&Learnt| -> Vec<f64> {
            let at = |i: usize| &l.looks[i.min(l.looks.len() - 1)];
            (0..updates.len()).map(|i| part(at(i))).collect()
        };
        let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
        let curves = curves.iter().map(|c| &c[..]).collect();
        add_band(report, format!("loss_{key}_{what}"), updates.clone(), curves);
    }
}

fn add_overview(report: &mut Report, config: &Config) {
    let mut rows = vec![];
    for setting in config.judged() {
        let key = setting.key();
        let fact =
            |what: &str| report.facts()[&format!("{key}_{what}")].clone();
        let cure = setting.cure.map(|(cure, _)| cure);
        let by = setting.cure.map_or(0.0, |(_, by)| by);
        let from = if setting.few { "few" } else { "new" };
        let right = fact("right");
        let interval = [fact("right_low"), fact("right_high")];
        let [low, high] = interval;
        rows.push((
            setting.steps,
            from,
            name(cure),
            by,
            right,
            low,
            high,
            fact("solved"),
        ));
    }
    let columns =
        ["T", "sequences", "cure", "strength", "right", "from", "to", "solved"];
    let table = report.table("overview", columns);
    for row in rows {
        table.row(row);
    }
}

fn add_memories(
    report: &mut Report,
    key: &str,
    of: &[&Vec<Left>],
    spans: &[usize],
) {
    for (what, part) in [
        ("left", (|l| l.bits) as fn(&Left) -> f64),
        ("gradient", |l| l.gradient),
    ] {
        let curve =
            |m: &&Vec<Left>| -> Vec<f64> { m.iter().map(part).collect() };
        let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
        for (i, span) in spans.iter().enumerate() {
            let values: Vec<f64> = curves.iter().map(|c| c[i]).collect();
            let seeds = (1..=values.len()).map(|seed| seed as f64);
            add_facts(
                report,
                &format!("{key}_{what}_{span}"),
                values.clone(),
                3,
            );
            if what == "left" {
                let values = values.into_iter().map(|v| Number::rounded(v, 4));
                report.series(format!("left_{key}_{span}"), seeds, values);
            }
        }
        let x = spans.iter().map(|&t| t as f64).collect();
        let curves = curves.iter().map(|c| &c[..]).collect();
        add_band(report, format!("memory_{key}_{what}"), x, curves);
    }
}
