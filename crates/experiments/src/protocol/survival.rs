//! Time to solve, where some runs have not solved their task when their budget ends.

use super::interval::Interval;

/// When a run solved its task, in whatever costs are counted in, such as updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SolveTime {
    /// It did, at this cost.
    Solved(f64),
    /// It had not when this budget was spent.
    Unsolved(f64),
}

impl SolveTime {
    /// The cost at which it was solved, or given up.
    pub fn cost(self) -> f64 {
        match self {
            SolveTime::Solved(cost) | SolveTime::Unsolved(cost) => cost,
        }
    }

    /// How many times the cost of `other` it took: an interval where either is not known.
    ///
    /// # Panics
    /// If a cost isn't above 0.
    #[track_caller]
    pub fn over(self, other: SolveTime) -> Interval {
        let (a, b) = (Interval::from(self), Interval::from(other));
        assert!(a.low > 0.0 && b.low > 0.0, "{self:?} over {other:?}");
        Interval { low: a.low / b.high, high: a.high / b.low }
    }
}

impl From<SolveTime> for Interval {
    fn from(time: SolveTime) -> Interval {
        match time {
            SolveTime::Solved(cost) => cost.into(),
            SolveTime::Unsolved(cost) => {
                Interval { low: cost, high: f64::INFINITY }
            }
        }
    }
}

// ANCHOR: kaplan_meier
/// Kaplan and Meier's estimate of the share of runs that is still
/// unsolved after a cost.
///
/// At each cost at which runs are solved the share falls by their part of
/// the runs that were still at it. A run that was given up is at it up to
/// its budget, and says nothing about later.
///
/// Source: Kaplan & Meier 1958, "Nonparametric estimation from incomplete
/// observations".
#[derive(Clone, Debug, PartialEq)]
pub struct KaplanMeier {
    /// The costs at which runs were solved, ascending, and the share that
    /// is unsolved from there on.
    pub steps: Vec<(f64, f64)>,
}

impl KaplanMeier {
    /// The estimate from some runs.
    ///
    /// # Panics
    /// If a cost is NaN.
    #[track_caller]
    pub fn of(runs: &[SolveTime]) -> KaplanMeier {
        let mut runs = runs.to_vec();
        assert!(runs.iter().all(|r| !r.cost().is_nan()), "a cost is NaN");
        runs.sort_by(|a, b| a.cost().total_cmp(&b.cost()));
        let mut steps = Vec::new();
        // Between runs that were given up, the shares' products are
        // quotients of counts: so no rounding adds up.
        let (mut share, mut count) = (1.0, runs.len());
        let mut left = runs.len();
        for runs in runs.chunk_by(|a, b| a.cost() == b.cost()) {
            let solved = |r: &&SolveTime| matches!(r, SolveTime::Solved(_));
            let solved = runs.iter().filter(solved).count();
            let after = share * (left - solved) as f64 / count as f64;
            if solved > 0 {
                steps.push((runs[0].cost(), after));
            }
            left -= runs.len();
            if solved < runs.len() {
                (share, count) = (after, left);
            }
        }
        KaplanMeier { steps }
    }

    /// The share that is unsolved after `cost`.
    pub fn unsolved(&self, cost: f64) -> f64 {
        let reached = self.steps.iter().rfind(|step| step.0 <= cost);
        reached.map_or(1.0, |step| step.1)
    }

    /// The cost at which the share falls below ½, or the middle of the
    /// stretch on which it is ½; `None` if it stays above.
    pub fn median(&self) -> Option<f64> {
        let at = self.steps.iter().position(|step| step.1 <= 0.5)?;
        let (cost, share) = self.steps[at];
        match self.steps.get(at + 1) {
            Some((next, _)) if share == 0.5 => Some(cost / 2.0 + next / 2.0),
            _ => Some(cost),
        }
    }
}
// ANCHOR_END: kaplan_meier
