//! From what was measured to the report, and the claims.

use super::{Batches, CliffsAndClipping, Config, Networks, OneUnit, Outcome};
use crate::experiment::Experiment;
use crate::protocol::{
    Claim, Contrast, Prediction, Rule, SEEDS, SHARE_MARGIN, SUCCESS_MARGIN,
};
use crate::runs::Either;
use crate::summary::{add_band, add_facts};
use crate::trials::{Tried, add_trial, solved_pairs};
use longlag_numerics::{Real, slice};
use longlag_optim::Clip;
use longlag_probe::statistics::median;
use longlag_report::{LookupError, Number, Report};
use std::f64::consts::LOG10_E;

// ANCHOR: claims
pub(super) const CLAIMS: &[Claim] = &[
    Claim::measured(
        "A11",
        "Explosion keeps a training from converging, and clipping mends that.",
        "success with the gradient clipped, less success without, at the same learning rate, from a start whose \
         gradient explodes",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| clipped_less(report, "none"),
    ),
    Claim::measured(
        "A11, own rate",
        "No learning rate without clipping does what one with clipping does.",
        "success with the gradient clipped, less success without at the learning rate that was found best for that",
        Prediction::Beyond(SUCCESS_MARGIN),
        SEEDS,
        |report| clipped_less(report, "none_own"),
    ),
    Claim {
        id: "A11, within a batch",
        statement: "Clipped by its norm, one batch's update has the same shares by lag as before.",
        rule: Rule::Identity {
            test: "crates/experiments/tests/experiments/cliffs_and_clipping.rs",
        },
    },
    Claim::measured(
        "A11, across batches",
        "Over many batches, clipping each by its norm changes which lags the weights have learnt from.",
        "how much of the mean gradient of the recurrent weights has another lag when batches are clipped, from a \
         start whose gradient explodes",
        Prediction::Beyond(SHARE_MARGIN),
        SEEDS,
        across,
    ),
];

/// Success with clipping less that of another trial, at each width.
fn clipped_less(
    report: &Report,
    other: &str,
) -> Result<Vec<Contrast>, LookupError> {
    let widths = config(report).widths;
    let contrast = |hidden: usize| {
        let [clip, other] = ["clip", other].map(|n| format!("h{hidden}_{n}"));
        let pairs = solved_pairs(report, &clip, &other)?;
        Ok(Contrast::of_successes(format!("H = {hidden}"), &pairs))
    };
    widths.into_iter().map(contrast).collect()
}

/// What moves to another lag, at the start and trained, at each width.
fn across(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let mut all = vec![];
    for hidden in config(report).widths {
        for when in ["start", "trained"] {
            let key = format!("h{hidden}_high_{when}");
            let moved = report.find_series(&format!("across_{key}"))?.y();
            let condition = format!("H = {hidden}, {when}");
            all.push(Contrast::of_differences(condition, moved));
        }
    }
    Ok(all)
}
// ANCHOR_END: claims

/// The config that a report was computed with.
pub(super) fn config(report: &Report) -> Config {
    report.config_as().unwrap_or_default()
}

/// Where the error of one unit is drawn, and the ways on it: from here, at this rate, with the gradient as it is and
/// clipped to this norm.
const SIDES: [(f64, f64, usize); 2] = [(3.5, 7.5, 33), (-4.5, 2.5, 36)];
pub(super) const WAY: ([f64; 2], f64, f64) = ([6.5, -2.5], 0.3, 0.5);
const UPDATES: usize = 400;
/// How many places in a cell of the drawing the gradient is the largest of.
const WITHIN: usize = 21;
/// The error below which a way has arrived.
const ARRIVED: f64 = 0.01;
/// What is tried from a grid of starts.
const RATES: [f64; 4] = [0.1, 0.3, 1.0, 3.0];
const CLIPS: [Clip; 3] = [Clip::None, Clip::Norm(0.5), Clip::Norm(0.1)];

fn places((from, to, count): (f64, f64, usize)) -> Vec<f64> {
    let step = (to - from) / (count - 1) as f64;
    (0..count).map(|i| from + step * i as f64).collect()
}

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(CliffsAndClipping::NAME, &self.config);
        add_surface(&mut report, self.config.one_unit);
        let tried = |outcome: &Outcome| match outcome {
            Either::Left(Either::Left(tried) | Either::Right(tried)) => *tried,
            Either::Right(_) => unreachable!("trainings come first"),
        };
        let mut left = outcomes;
        let mut take = |count: usize| -> Vec<Tried> {
            let (these, rest) = left.split_at(count);
            left = rest;
            these.iter().map(tried).collect()
        };
        self.judged.add_to(&mut report, &take(self.judged.count()));
        let regularised = take(self.regularised.count());
        for (number, trial) in self.regularised.trials.iter().enumerate() {
            let of = self.regularised.of(number, &regularised);
            add_trial(&mut report, &trial.key(), of);
        }
        self.add_map(&mut report, &take(self.map.count()));
        let seeds: Vec<&Vec<Batches>> =
            left.iter().filter_map(Either::right).collect();
        for (number, kind) in self.config.kinds().into_iter().enumerate() {
            let of: Vec<&Batches> =
                seeds.iter().map(|found| &found[number]).collect();
            add_batches(&mut report, &kind.key(), &of);
        }
        report
    }

    fn add_map(&self, report: &mut Report, tried: &[Tried]) {
        let Config { rates, clips, .. } = &self.config;
        let columns =
            ["start", "clip", "rate", "solved", "diverged", "right", "updates"];
        let table = report.table("map", columns);
        let starts = self.config.starts().into_iter();
        let clip_rate = |start: super::Start| {
            let name = start.name;
            clips.iter().flat_map(move |&clip| {
                let name = name.clone();
                rates.iter().map(move |&rate| (name.clone(), clip, rate))
            })
        };
        for (number, (name, clip, rate)) in
            starts.flat_map(clip_rate).enumerate()
        {
            let of = self.map.of(number, tried);
            let right: Vec<f64> = of.iter().map(|t| t.right).collect();
            let updates: Vec<f64> =
                of.iter().map(|t| t.updates as f64).collect();
            table.row((
                name,
                clip_name(clip),
                rate,
                of.iter().filter(|t| t.solved).count() as f64 / of.len() as f64,
                of.iter().filter(|t| t.diverged).count(),
                Number::rounded(median(&right), 3),
                median(&updates),
            ));
        }
    }
}

/// How a clip is called in tables and figures.
pub(super) fn clip_name(clip: Clip) -> String {
    match clip {
        Clip::None => "none".into(),
        Clip::Norm(limit) => format!("norm {limit}"),
        Clip::Value(limit) => format!("value {limit}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn add_surface(report: &mut Report, unit: OneUnit) {
    let columns = ["w", "b", "error", "log10 gradient"];
    let table = report.table("surface", columns);
    let [ws, bs] = SIDES.map(places);
    let height = bs[1] - bs[0];
    for &w in &ws {
        for &b in &bs {
            let (error, _) = unit.error([w, b]);
            // The ridge is thinner than a cell: the largest of some places in it, none of them on b = −w/2, where no
            // training ever is.
            let within = |i: usize| {
                let part = (i as f64 + 0.4) / WITHIN as f64 - 0.5;
                slice::norm(&unit.error([w, b + part * height]).1)
            };
            let size = (0..WITHIN).map(within).fold(0.0, f64::max);
            let size = Real::ln(size) * LOG10_E;
            let number = |x: f64| Number::rounded(x, 3);
            let at = |x: f64| Number::rounded(x, 4);
            table.row((at(w), at(b), number(error), number(size)));
        }
    }
    let (start, rate, limit) = WAY;
    for (name, clip) in
        [("unclipped", Clip::None), ("clipped", Clip::Norm(limit))]
    {
        let way = unit.descend(start, rate, clip, UPDATES);
        let leap = |pair: &[[f64; 2]]| {
            slice::norm(&[pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]])
        };
        let largest = way.windows(2).map(leap).fold(0.0, f64::max);
        let steepest = way
            .iter()
            .map(|&at| slice::norm(&unit.error(at).1))
            .fold(0.0, f64::max);
        let end = unit.error(way[UPDATES]).0;
        report
            .fact(format!("{name}_leap"), Number::rounded(largest, 3))
            .fact(format!("{name}_steepest"), Number::rounded(steepest, 3))
            .fact(format!("{name}_error"), Number::rounded(end, 3));
        let (w, b): (Vec<_>, Vec<_>) = way
            .iter()
            .map(|at| (Number::rounded(at[0], 4), Number::rounded(at[1], 4)))
            .unzip();
        report.series(format!("way_{name}"), w, b);
    }
    let columns = ["rate", "clip", "arrived", "starts"];
    let table = report.table("arrived", columns);
    let [w, b] = [(4.5, 7.5, 7), (-4.0, 2.0, 7)].map(places);
    for rate in RATES {
        for clip in CLIPS {
            let starts = w.iter().flat_map(|&w| b.iter().map(move |&b| [w, b]));
            let arrives = |start: &[f64; 2]| {
                let way = unit.descend(*start, rate, clip, UPDATES);
                unit.error(way[UPDATES]).0 < ARRIVED
            };
            let arrived = starts.filter(arrives).count();
            table.row((rate, clip_name(clip), arrived, w.len() * b.len()));
        }
    }
}

fn add_batches(report: &mut Report, key: &str, of: &[&Batches]) {
    let mut facts = |name: &str, value: &dyn Fn(&Batches) -> f64| {
        let values = of.iter().map(|b| value(b)).collect();
        add_facts(report, &format!("{key}_{name}"), values, 3);
    };
    facts("norm", &|b| b.norms[0]);
    facts("norm_largest", &|b| b.norms[1]);
    facts("clipped", &|b| b.clipped);
    facts("largest", &|b| b.largest[0]);
    facts("largest_clipped", &|b| b.largest[1]);
    facts("within_value", &|b| b.within[1]);
    facts("across", &|b| b.across[0]);
    facts("across_value", &|b| b.across[1]);
    facts("far", &|b| b.far[0]);
    facts("far_clipped", &|b| b.far[1]);
    facts("far_value", &|b| b.far[2]);
    let most = of.iter().map(|b| b.within[0]).fold(0.0, f64::max);
    report.fact(format!("{key}_within_norm_most"), Number::rounded(most, 2));
    let seeds = (1..=of.len()).map(|seed| seed as f64);
    let moved: Vec<Number> =
        of.iter().map(|b| Number::rounded(b.across[0], 4)).collect();
    report.series(format!("across_{key}"), seeds, moved);
    for (k, name) in ["whole", "clipped"].iter().enumerate() {
        let curves: Vec<&[f64]> = of.iter().map(|b| &b.shares[k][..]).collect();
        let lags = (0..curves[0].len()).map(|lag| lag as f64).collect();
        add_band(report, format!("shares_{key}_{name}"), lags, curves);
    }
}
