use super::{Baseline, Sequence, Success, Task, any, below, check_steps};
use crate::ConfigError;
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The latch, or two-sequence, problem: the first inputs are 1 for one class and −1 for the other, all others
/// are noise, and in the end the class is asked: 1 or 0, right with an error below 0.2.
///
/// Sources: Experiments 3a and 3b of the paper of 1997, [`two_sequence`](Self::two_sequence). It has the
/// problem from Bengio, Simard & Frasconi 1994, "Learning long-term dependencies with gradient descent is
/// difficult", who draw lengths from T/2 to T: [`of_1994`](Self::of_1994). In their "latch problem" the first
/// inputs are not given but learnt with the network, which no task can express.
///
/// Random weights solve it faster than training does (1997): draw that baseline too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latch {
    /// The shortest length.
    pub shortest: usize,
    /// The longest length.
    pub longest: usize,
    /// N, the steps that show the class: 1 or 3 in 1997.
    pub signal: usize,
    /// The variance of the noise.
    pub noise_variance: f64,
    /// Whether the steps that show the class have the noise added (3b) or not (3a).
    pub noisy_signal: bool,
}

impl Latch {
    /// The problem of 1997: T to T + T/10 steps, of which the first N show the class.
    pub fn two_sequence(steps: usize, signal: usize) -> Latch {
        Latch {
            shortest: steps,
            longest: steps + steps / 10,
            signal,
            noise_variance: 0.2,
            noisy_signal: false,
        }
    }

    /// The lengths of 1994: T/2 to T steps, of which the first N show the class.
    pub fn of_1994(steps: usize, signal: usize) -> Latch {
        Latch {
            shortest: steps / 2,
            longest: steps,
            ..Latch::two_sequence(steps, signal)
        }
    }
}

impl Default for Latch {
    fn default() -> Self {
        Latch::two_sequence(100, 3)
    }
}

impl Task for Latch {
    fn inputs(&self) -> usize {
        1
    }

    fn outputs(&self) -> usize {
        1
    }

    fn lengths(&self) -> RangeInclusive<usize> {
        self.shortest..=self.longest
    }

    fn success(&self) -> Success {
        Success::ErrorBelow(0.2)
    }

    // ANCHOR: latch
    fn sequence(&self, rng: &mut Rng) -> Sequence {
        let length = any(self.lengths(), rng);
        let class = below(2, rng) as f64;
        let deviation = Real::sqrt(self.noise_variance);
        let x = Array2::from_shape_fn((length, 1), |(t, _)| {
            let noise = deviation * rng.normal();
            match t < self.signal {
                true if self.noisy_signal => 2.0 * class - 1.0 + noise,
                true => 2.0 * class - 1.0,
                false => noise,
            }
        });
        Sequence::of_number(x, class)
    }
    // ANCHOR_END: latch

    fn baselines(&self) -> Vec<Baseline> {
        let constant = Baseline { name: "constant", success: 0.5, loss: 0.25 };
        vec![constant, Baseline { name: "memoryless", ..constant }]
    }

    fn check(&self) -> Result<(), ConfigError> {
        let Latch { shortest, longest, signal, noise_variance, .. } = *self;
        let good = (1..=1000).contains(&signal);
        let rule = "it must be from 1 to 1000";
        ConfigError::unless(good, "signal", signal, rule)?;
        check_steps("shortest", shortest, signal + 1)?;
        check_steps("longest", longest, shortest)?;
        let good = (0.0..=1e6).contains(&noise_variance);
        let rule = "it must be from 0 to 1000000";
        ConfigError::unless(good, "noise_variance", noise_variance, rule)
    }
}
