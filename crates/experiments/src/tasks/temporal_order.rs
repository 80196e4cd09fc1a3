use super::{
    Baseline, Definition, Sequence, Success, Task, any, below, check_steps,
    one_hot,
};
use crate::ConfigError;
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Temporal order: among symbols that mean nothing there are two or three, each X or Y, and in the end it is
/// asked which they were, in order: a class of 4 or 8, X counting 0 and Y 1, the first for most.
///
/// The inputs are X, Y, four others; in 1997 also a start and an end symbol. Sources: Experiments 6a and 6b of
/// the paper of 1997; `tempOrder.py` and `tempOrder3bit.py` of the code of 2013 (where the first counts least).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemporalOrder {
    /// Whose sequences, and whose rule for what is right.
    pub definition: Definition,
    /// How many symbols matter: 2 (6a) or 3 (6b).
    pub symbols: usize,
    /// T, the shortest length. In 1997 it is always 100; here the positions keep their place in proportion.
    pub steps: usize,
}

impl Default for TemporalOrder {
    fn default() -> Self {
        let definition = Definition::Hochreiter1997;
        TemporalOrder { definition, symbols: 2, steps: 100 }
    }
}

/// The columns of the start and the end symbol; X and Y are 0 and 1, those without meaning 2 to 5.
const START: usize = 6;
const END: usize = 7;

impl Task for TemporalOrder {
    fn inputs(&self) -> usize {
        match self.definition {
            Definition::Hochreiter1997 => 8,
            _ => 6,
        }
    }

    fn outputs(&self) -> usize {
        1 << self.symbols
    }

    fn lengths(&self) -> RangeInclusive<usize> {
        match self.definition {
            Definition::Hochreiter1997 => {
                self.steps..=self.steps + self.steps / 10
            }
            _ => self.steps..=self.steps,
        }
    }

    fn success(&self) -> Success {
        match self.definition {
            Definition::Hochreiter1997 => Success::ProbabilityErrorBelow(0.3),
            _ => Success::LargestOutput,
        }
    }

    // ANCHOR: temporal_order
    fn sequence(&self, rng: &mut Rng) -> Sequence {
        let length = any(self.lengths(), rng);
        let mut symbols: Vec<usize> =
            (0..length).map(|_| 2 + below(4, rng)).collect();
        if self.definition == Definition::Hochreiter1997 {
            symbols[0] = START;
            symbols[length - 1] = END;
        }
        let mut class = 0;
        for window in self.windows() {
            let symbol = below(2, rng);
            symbols[any(window, rng)] = symbol;
            class = 2 * class + symbol;
        }
        Sequence {
            x: one_hot(&symbols, self.inputs()),
            target: one_hot(&[class], self.outputs()),
        }
    }
    // ANCHOR_END: temporal_order

    fn baselines(&self) -> Vec<Baseline> {
        // Of how many symbols each knows; what the last step shows is none of them.
        let known = [
            ("constant", 0),
            ("memoryless", 0),
            ("last symbol", 1),
            ("last two symbols", 2),
        ];
        let known = known.into_iter().filter(|(_, n)| *n < self.symbols);
        // How many of the classes remain.
        let left = known.map(|(name, n)| (name, 1 << (self.symbols - n)));
        left.map(|(name, left)| Baseline {
            name,
            success: 1.0 / f64::from(left),
            loss: Real::ln(f64::from(left)),
        })
        .collect()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let known = self.definition != Definition::Arjovsky2016;
        let rule = "it must be 1997 or 2013";
        ConfigError::unless(known, "definition", self.definition, rule)?;
        let rule = "it must be 2 or 3";
        let good = [2, 3].contains(&self.symbols);
        ConfigError::unless(good, "symbols", self.symbols, rule)?;
        // So that the windows lie apart and inside.
        check_steps("steps", self.steps, 20)
    }
}

impl TemporalOrder {
    // ANCHOR: windows
    /// The steps, from 0, in which the symbols that matter come.
    ///
    /// In 1997 the t-th, from 1, for t from 10 to 20, 50 to 60 (or 33 to
    /// 43, 66 to 76), both ends included; in 2013 the second tenth and the
    /// sixth (or the fourth, the seventh) of the steps.
    fn windows(&self) -> Vec<RangeInclusive<usize>> {
        let starts: &[usize] = match (self.definition, self.symbols) {
            (_, 2) => &[10, 50],
            (Definition::Hochreiter1997, _) => &[10, 33, 66],
            (_, _) => &[10, 30, 60],
        };
        let at = |percent: usize| percent * self.steps / 100;
        let window = |&start: &usize| match self.definition {
            Definition::Hochreiter1997 => {
                at(start) - 1..=at(start) + at(10) - 1
            }
            _ => at(start)..=at(start) + at(10) - 1,
        };
        starts.iter().map(window).collect()
    }
    // ANCHOR_END: windows
}
