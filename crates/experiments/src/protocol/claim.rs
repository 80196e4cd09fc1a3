//! Claims, the rule that each is judged by, and the ledger of all.

use super::exact::{holm, sign_test};
use super::interval::{Interval, median_interval, success_difference};
use longlag_probe::statistics::median;
use longlag_report::{LookupError, Report};
use std::fmt;

/// The margin of a growth rate: 1 decade per 100 steps.
pub const GROWTH_MARGIN: Margin = Margin::Difference(1.0);
/// The margin of a success rate.
pub const SUCCESS_MARGIN: Margin = Margin::Difference(0.30);
/// The margin of a longest length solved and of a time to solve.
pub const FACTOR_MARGIN: Margin = Margin::Factor(2.0);
/// The margin of a share.
pub const SHARE_MARGIN: Margin = Margin::Difference(0.02);

/// How many seeds a contrast needs to settle a claim.
pub const SEEDS: usize = 20;
/// How many seeds it needs if it compares measurements only, not successes.
pub const SEEDS_OF_MEASUREMENTS: usize = 10;

/// A statement about recurrent networks, and how it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Its number in the ledger, such as `A1`.
    pub id: &'static str,
    /// What is claimed.
    pub statement: &'static str,
    /// What it goes by.
    pub rule: Rule,
}

/// What a claim goes by; stated before the run that it is judged from.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// It is proved, and this test asserts it: no finding.
    Identity {
        /// The test's path, such as `crates/cells/tests/reference.rs`.
        test: &'static str,
    },
    /// It is measured.
    Measured(Primary),
}

/// The one contrast that a claim is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Primary {
    /// The contrast in words: of what, of which condition less (or over) which other, per seed.
    pub contrast: &'static str,
    /// Where the claim expects it.
    pub predicts: Prediction,
    /// The seeds it needs: [`SEEDS`] or [`SEEDS_OF_MEASUREMENTS`]; fewer only with the reason beside it.
    pub seeds: usize,
    /// The condition under which it is claimed, if not under all that were declared first. Then the contrasts
    /// are of that condition alone, from seeds that had no part in finding it.
    pub only_if: Option<&'static str>,
    /// The contrast in every declared condition.
    pub measure: fn(&Report) -> Result<Vec<Contrast>, LookupError>,
}

/// How far from no effect at all a contrast has to be to matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// Of a difference: it matters beyond ± this.
    Difference(f64),
    /// Of a ratio: it matters beyond this many times as much, or as little.
    Factor(f64),
}

impl Margin {
    /// From where to where nothing matters.
    pub fn within(self) -> Interval {
        match self {
            Margin::Difference(m) => Interval { low: -m, high: m },
            Margin::Factor(m) => Interval { low: 1.0 / m, high: m },
        }
    }
}

// ANCHOR: decide
/// Where a claim expects its contrast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction {
    /// Above the margin.
    Beyond(Margin),
    /// Within the margin: the two conditions are the same.
    Within(Margin),
}

impl Prediction {
    /// Whether the contrast is where it is expected, if its interval
    /// leaves no doubt.
    pub fn is_met(self, contrast: Interval) -> Option<bool> {
        let (Prediction::Beyond(margin) | Prediction::Within(margin)) = self;
        let (margin, Interval { low, high }) = (margin.within(), contrast);
        let (met, missed) = match self {
            Prediction::Beyond(_) => (margin.high < low, high < margin.high),
            Prediction::Within(_) => (
                margin.low < low && high < margin.high,
                margin.high < low || high < margin.low,
            ),
        };
        (met || missed).then_some(met)
    }
}

/// The verdict from the contrast's interval in each declared condition:
/// it must be met in all to hold, and missed in all to fail.
///
/// # Panics
/// If there is no condition.
#[track_caller]
pub fn decide(predicts: Prediction, contrasts: &[Interval]) -> Verdict {
    assert!(!contrasts.is_empty(), "a verdict on no contrast");
    let all = |met| contrasts.iter().all(|&c| predicts.is_met(c) == Some(met));
    if all(true) {
        Verdict::Holds
    } else if all(false) {
        Verdict::Fails
    } else {
        Verdict::Unsettled
    }
}
// ANCHOR_END: decide

/// What has become of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its contrast is where it was predicted, in every declared condition.
    Holds,
    /// It is so under this condition.
    HoldsIf(&'static str),
    /// Its contrast is not where it was predicted, in any declared condition.
    Fails,
    /// Neither: an interval reaches across the margin, conditions differ, or there are too few seeds.
    Unsettled,
    /// It is proved.
    Identity,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Holds => f.write_str("holds"),
            Verdict::HoldsIf(condition) => write!(f, "holds if {condition}"),
            Verdict::Fails => f.write_str("fails"),
            Verdict::Unsettled => f.write_str("unsettled"),
            Verdict::Identity => f.write_str("identity"),
        }
    }
}

/// A contrast as it was measured in one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// The condition, such as `H = 32, trained`.
    pub condition: String,
    /// The estimate: as a rule one number, from itself to itself.
    pub estimate: Interval,
    /// What the verdict goes by.
    pub interval: Interval,
    /// From how many seeds.
    pub seeds: usize,
    /// The exact two-sided p of its being 0 (a ratio: 1).
    pub p: f64,
}

impl Contrast {
    /// The median of one difference, or one share, for each seed, by order statistics; p by the sign test. As
    /// long as no difference is 0, that is 5 % or less just when the interval leaves 0 out.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn of_differences<V: Into<Interval>>(
        condition: impl Into<String>,
        differences: impl IntoIterator<Item = V>,
    ) -> Contrast {
        Contrast::of_medians(condition.into(), differences, 0.0)
    }

    /// The median of one ratio for each seed, such as [`SolveTime::over`](super::SolveTime::over) gives; p of
    /// its being 1.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn of_ratios<V: Into<Interval>>(
        condition: impl Into<String>,
        ratios: impl IntoIterator<Item = V>,
    ) -> Contrast {
        Contrast::of_medians(condition.into(), ratios, 1.0)
    }

    #[track_caller]
    fn of_medians<V: Into<Interval>>(
        condition: String,
        values: impl IntoIterator<Item = V>,
        none: f64,
    ) -> Contrast {
        let values: Vec<Interval> = values.into_iter().map(V::into).collect();
        let (low, high): (Vec<f64>, Vec<f64>) =
            values.iter().map(|v| (v.low, v.high)).unzip();
        let estimate = Interval { low: median(&low), high: median(&high) };
        let above = low.iter().filter(|&&low| low > none).count();
        let below = high.iter().filter(|&&high| high < none).count();
        let exactly = |v: &&Interval| v.low == none && v.high == none;
        let ties = values.iter().filter(exactly).count();
        // Values on an unknown side count for the side that has fewer.
        let unknown = values.len() - above - below - ties;
        let (more, fewer) = (above.max(below), above.min(below));
        Contrast {
            condition,
            estimate,
            interval: median_interval(&values),
            seeds: values.len(),
            p: sign_test(more, (fewer + unknown).min(more)),
        }
    }

    /// The difference of the success rates of two conditions that share their seeds, by
    /// [`success_difference`]; p by McNemar's exact test. `pairs` has for each seed whether the first and
    /// whether the second succeeded.
    ///
    /// # Panics
    /// If there are no pairs.
    #[track_caller]
    pub fn of_successes(
        condition: impl Into<String>,
        pairs: &[(bool, bool)],
    ) -> Contrast {
        assert!(!pairs.is_empty(), "a contrast of no pairs");
        let count = |pair| pairs.iter().filter(|&&p| p == pair).count();
        let (ours, theirs) = (count((true, false)), count((false, true)));
        let difference = (ours as f64 - theirs as f64) / pairs.len() as f64;
        Contrast {
            condition: condition.into(),
            estimate: difference.into(),
            interval: success_difference(ours, theirs, pairs.len()),
            seeds: pairs.len(),
            p: sign_test(ours, theirs),
        }
    }
}

/// A verdict with what is behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// The primary contrast in every declared condition; none behind an identity.
    pub contrasts: Vec<Contrast>,
    /// The largest p of the contrasts, for all of them must be as predicted. There is none behind an identity,
    /// nor where the prediction is that two conditions are the same.
    pub p: Option<f64>,
}

impl Claim {
    /// One that is measured, under all conditions that were declared first.
    pub const fn measured(
        id: &'static str,
        statement: &'static str,
        contrast: &'static str,
        predicts: Prediction,
        seeds: usize,
        measure: fn(&Report) -> Result<Vec<Contrast>, LookupError>,
    ) -> Claim {
        let only_if = None;
        let rule = Primary { contrast, predicts, seeds, only_if, measure };
        Claim { id, statement, rule: Rule::Measured(rule) }
    }

    /// Judges it by a report of the experiment that lists it.
    ///
    /// # Errors
    /// If the report lacks what is measured.
    pub fn judge(&self, report: &Report) -> Result<Finding, LookupError> {
        let Rule::Measured(primary) = self.rule else {
            let verdict = Verdict::Identity;
            return Ok(Finding { verdict, contrasts: vec![], p: None });
        };
        let contrasts = (primary.measure)(report)?;
        let intervals: Vec<_> = contrasts.iter().map(|c| c.interval).collect();
        let enough = contrasts.iter().all(|c| c.seeds >= primary.seeds);
        let verdict = match decide(primary.predicts, &intervals) {
            _ if !enough => Verdict::Unsettled,
            Verdict::Holds => {
                primary.only_if.map_or(Verdict::Holds, Verdict::HoldsIf)
            }
            other => other,
        };
        let p = match primary.predicts {
            Prediction::Beyond(_) => {
                Some(contrasts.iter().fold(0.0, |p, c| c.p.max(p)))
            }
            Prediction::Within(_) => None,
        };
        Ok(Finding { verdict, contrasts, p })
    }
}

/// A line of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerLine<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// What has become of it.
    pub finding: Finding,
    /// Its p, by Holm's adjustment over all lines that have one.
    pub adjusted_p: Option<f64>,
}

/// All claims, each judged by its report, with their p-values adjusted for one another.
///
/// # Errors
/// If a report lacks what is measured.
pub fn ledger<'a>(
    claims: impl IntoIterator<Item = (&'a Claim, &'a Report)>,
) -> Result<Vec<LedgerLine<'a>>, LookupError> {
    let judged = claims.into_iter().map(|(claim, report)| {
        let finding = claim.judge(report)?;
        Ok(LedgerLine { claim, finding, adjusted_p: None })
    });
    let mut lines = judged.collect::<Result<Vec<_>, LookupError>>()?;
    let p: Vec<f64> = lines.iter().filter_map(|l| l.finding.p).collect();
    let with_p = lines.iter_mut().filter(|l| l.finding.p.is_some());
    for (line, p) in with_p.zip(holm(&p)) {
        line.adjusted_p = Some(p);
    }
    Ok(lines)
}
