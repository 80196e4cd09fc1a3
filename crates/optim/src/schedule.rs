//! Schedules of the learning rate.

use crate::settings::{count, non_negative, positive, share, some_momenta};
use longlag_numerics::precise::{cos_pi, powf, powi};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How the learning rate changes from update to update; in a config `"none"`,
/// `{ "exponential": { "gamma": 0.99 } }` or
/// `{ "sequence": [{ "steps": 100, "schedule": { "warm_up": { "steps": 100 } } }, { "schedule": … }] }`.
///
/// **A schedule is a function of the step and of the optimizer's own learning rate η**, so that its state is the
/// number of the step, and a training goes on to the same bits. The step counts from 0: it is the number of updates
/// done. PyTorch gets each rate from the one before, by a product; here each is computed afresh, which differs by
/// rounding. What settings are left out have PyTorch's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// η throughout.
    #[default]
    None,
    /// η·γ^⌊t / s⌋: PyTorch's `StepLR`.
    Step {
        /// s, 1 or more.
        #[serde(deserialize_with = "count")]
        step_size: u64,
        /// γ, 0 or more.
        #[serde(default = "tenth", deserialize_with = "non_negative")]
        gamma: f64,
    },
    /// η·γⁿ, n being the number of milestones up to t: PyTorch's `MultiStepLR`.
    MultiStep {
        /// Steps, in any order.
        milestones: Vec<u64>,
        /// γ, 0 or more.
        #[serde(default = "tenth", deserialize_with = "non_negative")]
        gamma: f64,
    },
    /// η·γᵗ: PyTorch's `ExponentialLR`.
    Exponential {
        /// γ, 0 or more.
        #[serde(deserialize_with = "non_negative")]
        gamma: f64,
    },
    /// η times the factor before step s, η from there: PyTorch's `ConstantLR`.
    Constant {
        /// The factor, 0 or more.
        #[serde(default = "third", deserialize_with = "non_negative")]
        factor: f64,
        /// s.
        #[serde(default = "five")]
        steps: u64,
    },
    /// η times a factor that goes in a straight line from one to another until step s: PyTorch's `LinearLR`.
    Linear {
        /// The factor at step 0, 0 or more.
        #[serde(default = "third", deserialize_with = "non_negative")]
        start_factor: f64,
        /// The factor from step s on, 0 or more.
        #[serde(default = "one", deserialize_with = "non_negative")]
        end_factor: f64,
        /// s, 1 or more.
        #[serde(default = "five", deserialize_with = "count")]
        steps: u64,
    },
    /// η·min(1, (t + 1) / s): linear warm-up.
    WarmUp {
        /// s, 1 or more.
        #[serde(deserialize_with = "count")]
        steps: u64,
    },
    /// η·(1 − min(t, s) / s)ᵖ: PyTorch's `PolynomialLR`.
    Polynomial {
        /// s, 1 or more.
        #[serde(default = "five", deserialize_with = "count")]
        steps: u64,
        /// p, 0 or more.
        #[serde(default = "one", deserialize_with = "non_negative")]
        power: f64,
    },
    /// m + (η − m)·(1 + cos(π·t / s)) / 2, which goes up again after step s: PyTorch's `CosineAnnealingLR`.
    ///
    /// Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5,
    /// without the restarts.
    Cosine {
        /// s, 1 or more.
        #[serde(deserialize_with = "count")]
        steps: u64,
        /// m, the smallest rate, whatever η is; 0 or more.
        #[serde(default, deserialize_with = "non_negative")]
        minimum: f64,
    },
    /// The same from η to m, again and again, each period `period_factor` times as long as the one before:
    /// PyTorch's `CosineAnnealingWarmRestarts`. Source: that of the cosine.
    CosineRestarts {
        /// The steps of the first period, 1 or more.
        #[serde(deserialize_with = "count")]
        period: u64,
        /// A whole number from 1 on.
        #[serde(default = "once", deserialize_with = "count")]
        period_factor: u64,
        /// m, 0 or more.
        #[serde(default, deserialize_with = "non_negative")]
        minimum: f64,
    },
    /// Up to η and down again: [`OneCycle`].
    OneCycle(OneCycle),
    /// One schedule after the other, each counting its steps from 0: PyTorch's `SequentialLR`.
    Sequence(Vec<Phase>),
    /// All at once: each takes what the one before it gives for η. PyTorch's `ChainedScheduler` does the same for
    /// schedules that multiply η.
    Chain(Vec<Schedule>),
    /// η times your own function of the step: PyTorch's `LambdaLR`. A config can't hold it: writing one is an error.
    #[serde(skip)]
    Lambda(Lambda),
}

/// A part of a [`Schedule::Sequence`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// How many steps it lasts; if nothing is said, for good.
    #[serde(default)]
    pub steps: Option<u64>,
    /// What holds in it.
    pub schedule: Schedule,
}

/// A function of the step.
#[derive(Clone)]
pub struct Lambda(Arc<dyn Fn(u64) -> f64 + Send + Sync>);

impl Lambda {
    /// For [`Schedule::Lambda`]. Its results are the same everywhere if those of the function are: it should not
    /// call `std`'s powers and cosines.
    pub fn new(factor: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Lambda {
        Lambda(Arc::new(factor))
    }
}
impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}
/// The same function, not one that gives the same.
impl PartialEq for Lambda {
    fn eq(&self, other: &Lambda) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The one-cycle policy: the learning rate rises from η / `div_factor` to η and falls to
/// η / (`div_factor`·`final_div_factor`), the momentum goes the other way.
///
/// Source: Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large learning
/// rates". In the paper the lines are straight, and there are three phases: up, as far down, and the rest of the
/// way down; PyTorch's default, here too, is two phases along cosines. η is PyTorch's `max_lr`. After the last
/// step, where PyTorch refuses to go on, the last values stay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneCycle {
    /// How many steps there are, 1 or more.
    #[serde(deserialize_with = "count")]
    pub steps: u64,
    /// The share of the steps in which the rate rises.
    #[serde(default = "rise", deserialize_with = "share")]
    pub rise: f64,
    /// The form of the way.
    #[serde(default)]
    pub anneal: Anneal,
    /// Whether there is a phase down to the first rate, as long as that up, before the rest.
    #[serde(default)]
    pub three_phase: bool,
    /// η divided by the first rate; above 0.
    #[serde(default = "div", deserialize_with = "positive")]
    pub div_factor: f64,
    /// The first rate divided by the last; above 0.
    #[serde(default = "final_div", deserialize_with = "positive")]
    pub final_div_factor: f64,
    /// The momentum (or β₁) at the highest and at the lowest rate; `null` leaves it alone.
    #[serde(default = "momentum", deserialize_with = "some_momenta")]
    pub momentum: Option<[f64; 2]>,
}

/// The form of the way from one value to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

fn tenth() -> f64 {
    0.1
}
fn third() -> f64 {
    1.0 / 3.0
}
fn one() -> f64 {
    1.0
}
fn five() -> u64 {
    5
}
fn once() -> u64 {
    1
}
fn rise() -> f64 {
    0.3
}
fn div() -> f64 {
    25.0
}
fn final_div() -> f64 {
    1e4
}
#[expect(clippy::unnecessary_wraps, reason = "it is the default of an option")]
fn momentum() -> Option<[f64; 2]> {
    Some([0.85, 0.95])
}

/// From η at 0 to the minimum at 1.
fn cosine(base: f64, minimum: f64, share: f64) -> f64 {
    minimum + (base - minimum) * (1.0 + cos_pi(share)) / 2.0
}

impl Schedule {
    /// The learning rate at a step, counted from 0, where the optimizer's own is `base`.
    pub fn learning_rate(&self, base: f64, step: u64) -> f64 {
        match self {
            Schedule::None => base,
            Schedule::Step { step_size, gamma } => base * powi(*gamma, step / step_size),
            Schedule::MultiStep { milestones, gamma } => {
                base * powi(*gamma, milestones.iter().filter(|at| **at <= step).count() as u64)
            }
            Schedule::Exponential { gamma } => base * powi(*gamma, step),
            Schedule::Constant { factor, steps } => {
                if step < *steps {
                    base * factor
                } else {
                    base
                }
            }
            &Schedule::Linear { start_factor, end_factor, steps } => {
                let share = step.min(steps) as f64 / steps as f64;
                base * (start_factor + (end_factor - start_factor) * share)
            }
            Schedule::WarmUp { steps } => {
                if step < *steps {
                    base * ((step + 1) as f64 / *steps as f64)
                } else {
                    base
                }
            }
            &Schedule::Polynomial { steps, power } => {
                base * powf((steps - step.min(steps)) as f64 / steps as f64, power)
            }
            &Schedule::Cosine { steps, minimum } => cosine(base, minimum, step as f64 / steps as f64),
            &Schedule::CosineRestarts { period, period_factor, minimum } => {
                assert!(period > 0 && period_factor > 0, "CosineRestarts: a period has 1 step or more");
                let (mut at, mut length) = (step, period);
                if period_factor == 1 {
                    at %= length;
                }
                while at >= length {
                    at -= length;
                    length = length.saturating_mul(period_factor);
                }
                cosine(base, minimum, at as f64 / length as f64)
            }
            Schedule::OneCycle(cycle) => {
                let low = base / cycle.div_factor;
                cycle.at(step, [low, base, low / cycle.final_div_factor])
            }
            Schedule::Sequence(phases) => {
                phase(phases, step).map_or(base, |(schedule, step)| schedule.learning_rate(base, step))
            }
            Schedule::Chain(schedules) => {
                schedules.iter().fold(base, |base, schedule| schedule.learning_rate(base, step))
            }
            Schedule::Lambda(Lambda(factor)) => base * factor(step),
        }
    }

    /// The momentum at a step, for a schedule that changes it.
    pub fn momentum(&self, step: u64) -> Option<f64> {
        match self {
            Schedule::OneCycle(cycle) => cycle.momentum.map(|[low, high]| cycle.at(step, [high, low, high])),
            Schedule::Sequence(phases) => {
                phase(phases, step).and_then(|(schedule, step)| schedule.momentum(step))
            }
            Schedule::Chain(schedules) => schedules.iter().rev().find_map(|schedule| schedule.momentum(step)),
            _ => None,
        }
    }

    /// Whether it changes the momentum at any step.
    pub fn moves_momentum(&self) -> bool {
        match self {
            Schedule::OneCycle(cycle) => cycle.momentum.is_some(),
            Schedule::Sequence(phases) => phases.iter().any(|phase| phase.schedule.moves_momentum()),
            Schedule::Chain(schedules) => schedules.iter().any(Schedule::moves_momentum),
            _ => false,
        }
    }
}

/// The schedule that holds at a step, and its own step; the last one holds for good.
fn phase(phases: &[Phase], mut step: u64) -> Option<(&Schedule, u64)> {
    let (last, before) = phases.split_last()?;
    for Phase { steps, schedule } in before {
        match steps {
            Some(steps) if *steps <= step => step -= steps,
            _ => return Some((schedule, step)),
        }
    }
    Some((&last.schedule, step))
}

impl OneCycle {
    /// With PyTorch's defaults.
    pub fn new(steps: u64) -> OneCycle {
        OneCycle {
            steps,
            rise: rise(),
            anneal: Anneal::default(),
            three_phase: false,
            div_factor: div(),
            final_div_factor: final_div(),
            momentum: momentum(),
        }
    }

    /// The value at a step, from the first over that at the peak to the last.
    fn at(&self, step: u64, [first, peak, last]: [f64; 3]) -> f64 {
        let (step, end) = (step as f64, self.steps as f64 - 1.0);
        let top = self.rise * self.steps as f64 - 1.0;
        let down = 2.0 * self.rise * self.steps as f64 - 2.0;
        if step <= top {
            self.between(first, peak, step, 0.0, top)
        } else if self.three_phase && step <= down {
            self.between(peak, first, step, top, down)
        } else if self.three_phase {
            self.between(first, last, step, down, end)
        } else {
            self.between(peak, last, step, top, end)
        }
    }

    fn between(&self, start: f64, end: f64, step: f64, from: f64, to: f64) -> f64 {
        let share = if to > from { ((step - from) / (to - from)).min(1.0) } else { 1.0 };
        match self.anneal {
            Anneal::Cosine => cosine(start, end, share),
            Anneal::Linear => (end - start) * share + start,
        }
    }
}

/// Reduces the learning rate when a figure, such as the loss on validation data, stops getting better: PyTorch's
/// `ReduceLROnPlateau`.
///
/// A schedule can stand on top: it takes the reduced rate for the optimizer's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlateauConfig {
    /// Which figures are better.
    pub mode: Mode,
    /// What the rate is multiplied by, 0 to 1.
    #[serde(deserialize_with = "share")]
    pub factor: f64,
    /// How many figures in a row may be no better before the rate is reduced.
    pub patience: u64,
    /// By how much a figure must be better to count; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub threshold: f64,
    /// What the threshold is measured by.
    pub threshold_mode: ThresholdMode,
    /// How many figures after a reduction are not counted.
    pub cooldown: u64,
    /// The smallest rate; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub minimum: f64,
    /// A reduction by no more than this is left out; 0 or more.
    #[serde(deserialize_with = "non_negative")]
    pub epsilon: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        PlateauConfig {
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Relative,
            cooldown: 0,
            minimum: 0.0,
            epsilon: 1e-8,
        }
    }
}

/// Which figures are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Smaller ones: a loss.
    #[default]
    Min,
    /// Larger ones: an accuracy.
    Max,
}

impl Mode {
    /// What every figure is better than.
    pub fn worst(self) -> f64 {
        match self {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        }
    }
    /// Whether a figure is better than another by more than `margin`; NaN never is.
    pub fn better(self, figure: f64, than: f64, margin: f64) -> bool {
        match self {
            Mode::Min => figure < than - margin,
            Mode::Max => figure > than + margin,
        }
    }
}

/// What a threshold is measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// The best figure so far.
    #[default]
    Relative,
    /// Nothing: it is a difference.
    Absolute,
}

/// Where a [`PlateauConfig`] is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    config: PlateauConfig,
    best: f64,
    bad: u64,
    cooldown: u64,
    reductions: u64,
}

impl Plateau {
    /// Before the first figure.
    pub fn new(config: PlateauConfig) -> Plateau {
        Plateau { config, best: config.mode.worst(), bad: 0, cooldown: 0, reductions: 0 }
    }

    /// Takes the next figure. NaN counts as no better.
    pub fn observe(&mut self, figure: f64) {
        let PlateauConfig { mode, patience, threshold, threshold_mode, cooldown, .. } = self.config;
        let better = match (threshold_mode, mode) {
            (ThresholdMode::Absolute, _) => mode.better(figure, self.best, threshold),
            // As PyTorch has it: of a best figure below 0, the share goes the other way.
            (ThresholdMode::Relative, Mode::Min) => figure < self.best * (1.0 - threshold),
            (ThresholdMode::Relative, Mode::Max) => figure > self.best * (1.0 + threshold),
        };
        if better {
            self.best = figure;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.bad = 0;
        }
        if self.bad > patience {
            self.reductions += 1;
            self.cooldown = cooldown;
            self.bad = 0;
        }
    }

    /// The learning rate now, where the optimizer's own is `base`.
    pub fn learning_rate(&self, base: f64) -> f64 {
        let PlateauConfig { factor, minimum, epsilon, .. } = self.config;
        let mut rate = base;
        for _ in 0..self.reductions {
            let reduced = (rate * factor).max(minimum);
            // A reduction that is left out once is so for good.
            if rate - reduced <= epsilon {
                break;
            }
            rate = reduced;
        }
        rate
    }

    /// What it remembers.
    pub fn memory(&self) -> [f64; 4] {
        [self.best, self.bad as f64, self.cooldown as f64, self.reductions as f64]
    }

    /// Goes on from what one of the same settings remembered.
    pub fn restore(&mut self, [best, bad, cooldown, reductions]: [f64; 4]) {
        *self = Plateau {
            config: self.config,
            best,
            bad: bad as u64,
            cooldown: cooldown as u64,
            reductions: reductions as u64,
        };
    }
}
