use super::{
    Baseline, Definition, Sequence, Success, Task, any, below, check_steps,
};
use crate::ConfigError;
use longlag_numerics::random::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The adding problem: pairs of a number and a marker are read, and in the end the sum of the two marked
/// numbers is wanted, in 1997 and 2013 scaled to between 0 and 1.
///
/// Under the rule of 1997 a constant answer is right on 15.4 % of that paper's sequences; under the rule of
/// 2013 on 64 % of that one's, and an answer from one of the two numbers on 80 %. In 2016 there is no rule but
/// the mean squared error, of which a constant has 1/6.
///
/// Sources: Experiment 4 of the paper of 1997; `addition.py` and `RNN.py` of the code of 2013, where a batch
/// shares one length and the marker comes before the number; Section 4.2 of the paper of 2016.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adding {
    /// Whose sequences.
    pub definition: Definition,
    /// Whose rule for what is right: an error below 0.04 (1997), or a squared error of at most 0.04 (2013).
    pub success: Definition,
    /// T, the shortest length; in 2016 the only one.
    pub steps: usize,
}

impl Default for Adding {
    fn default() -> Self {
        let paper = Definition::Hochreiter1997;
        Adding { definition: paper, success: paper, steps: 100 }
    }
}

impl Task for Adding {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        1
    }

    fn lengths(&self) -> RangeInclusive<usize> {
        let most = self.steps + self.steps / 10;
        match self.definition {
            Definition::Hochreiter1997 => self.steps..=most,
            Definition::Pascanu2013 => self.steps..=most - 1,
            Definition::Arjovsky2016 => self.steps..=self.steps,
        }
    }

    fn success(&self) -> Success {
        match self.success {
            Definition::Pascanu2013 => Success::SquaredErrorAtMost(0.04),
            _ => Success::ErrorBelow(0.04),
        }
    }

    fn sequence(&self, rng: &mut Rng) -> Sequence {
        match self.definition {
            Definition::Hochreiter1997 => self.of_1997(rng),
            Definition::Pascanu2013 => self.of_2013(rng),
            Definition::Arjovsky2016 => self.of_2016(rng),
        }
    }

    fn baselines(&self) -> Vec<Baseline> {
        // The largest error that is right.
        let limit = match self.success {
            Definition::Pascanu2013 => 0.2,
            _ => 0.04,
        };
        let zero = match self.definition {
            Definition::Hochreiter1997 => self.first_pair_is_marked(),
            _ => 0.0,
        };
        // How likely the last step shows a marked number.
        let last = match self.definition {
            Definition::Arjovsky2016 => {
                1.0 / (self.steps - self.steps / 2) as f64
            }
            _ => 0.0,
        };
        // Away from its mean, the target of one number is uniform within
        // ± this, that of two triangular within twice as much.
        let width = match self.definition {
            Definition::Arjovsky2016 => 0.5,
            _ => 0.25,
        };
        let one: f64 = limit / width;
        let miss = 1.0 - one / 2.0;
        let two = 1.0 - miss * miss;
        let variance = width * width / 3.0;
        let constant = Baseline {
            name: "constant",
            success: (1.0 - zero) * two + zero * one,
            loss: (2.0 - zero) * variance,
        };
        // Knows the later of the two, as a short memory does.
        let one = Baseline {
            name: "one marker",
            success: (1.0 - zero) * one + zero,
            loss: (1.0 - zero) * variance,
        };
        let mixed = |a: f64, b: f64| (1.0 - last) * a + last * b;
        let memoryless = Baseline {
            name: "memoryless",
            success: mixed(constant.success, one.success),
            loss: mixed(constant.loss, one.loss),
        };
        vec![constant, memoryless, one]
    }

    fn check(&self) -> Result<(), ConfigError> {
        let ruled = self.success != Definition::Arjovsky2016;
        let rule = "it must be 1997 or 2013: in 2016 no answer is right";
        ConfigError::unless(ruled, "success", self.success, rule)?;
        let least = match self.definition {
            // So that all marks are in the first half.
            Definition::Hochreiter1997 => 20,
            // So that a tenth is a step or more.
            Definition::Pascanu2013 => 10,
            Definition::Arjovsky2016 => 2,
        };
        check_steps("steps", self.steps, least)
    }
}

impl Adding {
    // ANCHOR: of_1997
    /// T to T + T/10 pairs with numbers from −1 to 1. One of the first ten
    /// is marked, then one of the first T/2 − 1 that are not marked yet.
    /// The ends have the marker −1: a marked number that it hides is 0.
    fn of_1997(&self, rng: &mut Rng) -> Sequence {
        let length = any(self.lengths(), rng);
        let first = below(10, rng);
        let unmarked = below(self.steps / 2 - 1, rng);
        let second = unmarked + usize::from(unmarked >= first);
        let mut x = Array2::zeros((length, 2));
        for t in 0..length {
            x[[t, 0]] = rng.uniform_in(-1.0, 1.0);
        }
        for marked in [first, second] {
            x[[marked, 1]] = 1.0;
        }
        if x[[0, 1]] == 1.0 {
            x[[0, 0]] = 0.0;
        }
        for end in [0, length - 1] {
            x[[end, 1]] = -1.0;
        }
        let sum = x[[first, 0]] + x[[second, 0]];
        Sequence::of_number(x, 0.5 + sum / 4.0)
    }

    /// How likely the marker −1 hides a mark: the first or the second.
    fn first_pair_is_marked(&self) -> f64 {
        0.1 + 0.9 / (self.steps / 2 - 1) as f64
    }
    // ANCHOR_END: of_1997

    // ANCHOR: of_2013
    /// T to less than T + T/10 pairs with numbers from 0 to 1. One of the
    /// first tenth is marked, and one of the next four tenths.
    fn of_2013(&self, rng: &mut Rng) -> Sequence {
        let length = any(self.lengths(), rng);
        let tenth = length / 10;
        let first = below(tenth, rng);
        let second = tenth + below(4 * length / 10, rng);
        let mut x = Array2::zeros((length, 2));
        for t in 0..length {
            x[[t, 0]] = rng.uniform();
        }
        for marked in [first, second] {
            x[[marked, 1]] = 1.0;
        }
        let sum = x[[first, 0]] + x[[second, 0]];
        Sequence::of_number(x, sum / 2.0)
    }
    // ANCHOR_END: of_2013

    /// T pairs with numbers from 0 to 1. One of each half is marked, and
    /// their sum is wanted as it is.
    fn of_2016(&self, rng: &mut Rng) -> Sequence {
        let half = self.steps / 2;
        let marked = [below(half, rng), half + below(self.steps - half, rng)];
        let x =
            Array2::from_shape_fn(
                (self.steps, 2),
                |(t, column)| match column {
                    0 => rng.uniform(),
                    _ => f64::from(u8::from(marked.contains(&t))),
                },
            );
        let sum = x[[marked[0], 0]] + x[[marked[1], 0]];
        Sequence::of_number(x, sum)
    }
}
