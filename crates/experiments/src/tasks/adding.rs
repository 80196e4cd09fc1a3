use super::{
    Baseline, Definition, Sequence, Success, Task, any, below, check_steps,
};
use crate::ConfigError;
use longlag_numerics::random::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The adding problem: pairs of a number and a marker are read, and in the end the sum of the two marked
/// numbers is wanted, scaled to between 0 and 1.
///
/// Under the rule of 1997 a constant answer is right on 15.4 % of that paper's sequences; under the rule of
/// 2013 on 64 % of that one's, and an answer from one of the two numbers on 80 %.
///
/// Sources: Experiment 4 of the paper of 1997; `addition.py` and `RNN.py` of the code of 2013, where a batch
/// shares one length and the marker comes before the number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adding {
    /// Whose sequences.
    pub definition: Definition,
    /// Whose rule for what is right: an error below 0.04 (1997), or a squared error of at most 0.04 (2013).
    pub success: Definition,
    /// T, the shortest length.
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
        }
    }

    fn success(&self) -> Success {
        match self.success {
            Definition::Hochreiter1997 => Success::ErrorBelow(0.04),
            Definition::Pascanu2013 => Success::SquaredErrorAtMost(0.04),
        }
    }

    fn sequence(&self, rng: &mut Rng) -> Sequence {
        match self.definition {
            Definition::Hochreiter1997 => self.of_1997(rng),
            Definition::Pascanu2013 => self.of_2013(rng),
        }
    }

    fn baselines(&self) -> Vec<Baseline> {
        // The largest error that is right.
        let limit = match self.success {
            Definition::Hochreiter1997 => 0.04,
            Definition::Pascanu2013 => 0.2,
        };
        let zero = match self.definition {
            Definition::Hochreiter1997 => self.first_pair_is_marked(),
            Definition::Pascanu2013 => 0.0,
        };
        // Away from its mean ½, the target of one number is uniform
        // within ±¼, that of two triangular within ±½.
        let one: f64 = 4.0 * limit;
        let two = 1.0 - (1.0 - 2.0 * limit) * (1.0 - 2.0 * limit);
        let constant = Baseline {
            name: "constant",
            success: (1.0 - zero) * two + zero * one,
            loss: (1.0 - zero) / 24.0 + zero / 48.0,
        };
        vec![
            constant,
            // What the last step shows is not marked.
            Baseline { name: "memoryless", ..constant },
            // Knows the later of the two, as a short memory does.
            Baseline {
                name: "one marker",
                success: (1.0 - zero) * one + zero,
                loss: (1.0 - zero) / 48.0,
            },
        ]
    }

    fn check(&self) -> Result<(), ConfigError> {
        // So that all marks are in the first half.
        check_steps("steps", self.steps, 20)
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
}
