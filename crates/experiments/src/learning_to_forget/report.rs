//! The report, from the outcomes.

use super::{
    Config, Experiment, Gates, Held, Learner, LearningToForget, Learnt,
    Outcome, signal_of_white_drive,
};
use crate::runs::Either;
use crate::summary::{add_band, add_facts, key_of, spread};
use crate::tasks::LETTERS;
use longlag_numerics::Real;
use longlag_report::{Number, Report, Value};
use std::f64::consts::LN_10;

pub(super) fn summary(config: &Config, outcomes: &[Outcome]) -> Report {
    let mut report = Report::new(LearningToForget::NAME, config);
    let learnt: Vec<&Learnt> =
        outcomes.iter().filter_map(Either::left).collect();
    let held: Vec<&[Held]> =
        outcomes.iter().filter_map(Either::right).map(Vec::as_slice).collect();
    for (learner, of) in
        config.learners.iter().zip(learnt.chunks(config.seeds as usize))
    {
        add_learner(&mut report, config, learner, of);
    }
    add_held(&mut report, config, &held);
    report
}

/// A series over the seeds.
fn add_seeds(
    report: &mut Report,
    name: String,
    values: impl IntoIterator<Item = f64>,
    digits: u8,
) {
    let y: Vec<Number> =
        values.into_iter().map(|y| Number::rounded(y, digits)).collect();
    report.series(name, (1..=y.len()).map(|i| i as f64), y);
}

fn add_learner(
    report: &mut Report,
    config: &Config,
    learner: &Learner,
    learnt: &[&Learnt],
) {
    let key = key_of(&learner.name);
    let solved = |l: &Learnt| l.measured.solved_at.is_some();
    let count = learnt.iter().filter(|l| solved(l)).count();
    report
        .fact(format!("{key}_parameters"), learner.network().size() as f64)
        .fact(format!("{key}_solved"), count as f64);
    let flags = learnt.iter().map(|l| f64::from(u8::from(solved(l))));
    add_seeds(report, format!("solved_{key}_seeds"), flags, 4);
    let least = |l: &&Learnt| *l.right.iter().min().expect("a stream") as f64;
    let right: Vec<f64> = learnt.iter().map(least).collect();
    add_facts(report, &format!("{key}_right"), right.clone(), 4);
    add_seeds(report, format!("right_{key}_seeds"), right, 6);
    let updates = learnt.iter().map(|l| match l.measured.solved_at {
        Some(at) => at as f64,
        None => f64::INFINITY,
    });
    add_facts(report, &format!("{key}_updates"), updates.collect(), 4);
    let end = |of: fn(&Learnt) -> &[f64]| -> Vec<f64> {
        let last = |l: &&Learnt| of(l).last().copied();
        learnt.iter().map(|l| last(l).unwrap_or(f64::NAN)).collect()
    };
    add_facts(report, &format!("{key}_largest"), end(|l| &l.largest), 3);
    add_facts(report, &format!("{key}_slope"), end(|l| &l.slope), 2);
    let training = |of: fn(&Learnt) -> &[f64]| end(of);
    add_facts(
        report,
        &format!("{key}_training_largest"),
        training(|l| &l.measured.largest),
        3,
    );
    add_facts(
        report,
        &format!("{key}_training_slope"),
        training(|l| &l.measured.slope),
        2,
    );
    add_seeds(report, format!("largest_{key}_seeds"), end(|l| &l.largest), 4);
    let marks: Vec<f64> = config.marks().iter().map(|&m| m as f64).collect();
    type Along = fn(&Learnt) -> &[f64];
    let along: [(&str, Along); 3] = [
        ("largest", |l| &l.largest),
        ("middle", |l| &l.middle),
        ("slope", |l| &l.slope),
    ];
    for (what, of) in along {
        let curves = learnt.iter().map(|l| of(l)).collect();
        add_band(report, format!("{key}_{what}"), marks.clone(), curves);
    }
    let gates: Vec<&Gates> =
        learnt.iter().filter_map(|l| l.gates.as_ref()).collect();
    if let Some(first) = gates.first() {
        for (k, place) in ["first", "last", "elsewhere"].iter().enumerate() {
            let mean = gates.iter().map(|g| g.mean[k]).collect();
            add_facts(report, &format!("{key}_f_{place}"), mean, 3);
            let most = gates.iter().map(|g| g.most[k]).collect();
            add_facts(report, &format!("{key}_f_most_{place}"), most, 3);
        }
        let table =
            report.table(format!("gates_{key}"), ["at", "letter", "unit", "f"]);
        let units = first.f.chunks(learner.hidden);
        for (at, (letter, f)) in first.letters.iter().zip(units).enumerate() {
            let letter = LETTERS[*letter as usize].to_string();
            for (unit, &f) in f.iter().enumerate() {
                table.row((at + 1, &*letter, unit + 1, Number::rounded(f, 3)));
            }
        }
    }
}

fn add_held(report: &mut Report, config: &Config, held: &[&[Held]]) {
    let Config { held: gates, steps, .. } = config;
    let longest = steps.len() - 1;
    let per_hundred = steps[longest] as f64 / 100.0;
    let mut lines = Vec::new();
    let kinds = config.kinds();
    for (kind, found) in
        kinds.iter().zip(held.chunks(config.held_seeds as usize))
    {
        let key = kind.key();
        for (i, &f) in gates.iter().enumerate() {
            let at = |seed: &&[Held]| seed[i].clone();
            let all: Vec<Held> = found.iter().map(at).collect();
            let rates = all.iter().map(|h| h.gradient[longest] / per_hundred);
            let name = format!("gradient_{key}_f_{f}_seeds");
            add_seeds(report, name, rates, 5);
            let signals = all.iter().map(|h| h.signal[longest].sqrt());
            add_seeds(report, format!("signal_{key}_f_{f}_seeds"), signals, 5);
            for (k, &t) in steps.iter().enumerate() {
                let of = |what: fn(&Held) -> &[f64]| -> Vec<f64> {
                    all.iter().map(|h| what(h)[k]).collect()
                };
                let [low, gradient, high] = spread(of(|h| &h.gradient));
                let [_, state, _] = spread(of(|h| &h.state));
                let squares = of(|h| &h.signal);
                let n = squares.len() as f64;
                let signal = (squares.iter().sum::<f64>() / n).sqrt();
                let [signal_low, _, signal_high] =
                    spread(squares.iter().map(|s| s.sqrt()).collect());
                lines.push((
                    (key.clone(), f, t),
                    [gradient, low, high, state],
                    [signal, signal_low, signal_high],
                ));
            }
        }
    }
    let columns = [
        "network",
        "f",
        "steps",
        "decades",
        "decades_low",
        "decades_high",
        "gradient",
        "state",
        "signal",
        "signal_low",
        "signal_high",
        "law",
    ];
    let table = report.table("held", columns);
    for ((key, f, t), [gradient, low, high, state], signals) in &lines {
        let numbers = [
            (*gradient, 4),
            (*low, 4),
            (*high, 4),
            // Below the range of numbers it is 0.
            (Real::exp(gradient * LN_10), 3),
            (*state, 3),
            (signals[0], 4),
            (signals[1], 4),
            (signals[2], 4),
            (signal_of_white_drive(*f, *t), 4),
        ];
        let numbers = numbers.map(|(x, n)| Number::rounded(x, n).into());
        let mut row = vec![Value::from(&**key), (*f).into(), (*t).into()];
        row.extend(numbers);
        table.row(row);
    }
    // Which of the gates gets most.
    for kind in &kinds {
        for &t in steps {
            let of = |line: &&((String, f64, usize), [f64; 4], [f64; 3])| {
                line.0.0 == kind.key() && line.0.2 == t
            };
            let best = lines
                .iter()
                .filter(of)
                .max_by(|a, b| a.2[0].total_cmp(&b.2[0]))
                .expect("a gate");
            report.fact(format!("best_{}_t{t}", kind.key()), best.0.1);
        }
    }
}
