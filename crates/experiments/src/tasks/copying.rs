use super::{Baseline, Sequence, Success, Task, below, check_steps, one_hot};
use crate::ConfigError;
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The copying memory problem: symbols are read, then T blanks whose last has a delimiter in its place,
/// then as many blanks as there were symbols, in whose place these are wanted. Until then the answer is a blank.
///
/// Source: Arjovsky, Shah & Bengio 2016, "Unitary evolution recurrent neural networks", and its code, with ten
/// symbols of eight kinds. An answer is right if the whole sequence's is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Copying {
    /// T, the steps between the symbols and their copy.
    pub steps: usize,
    /// How many symbols are to be copied.
    pub symbols: usize,
}

impl Default for Copying {
    fn default() -> Self {
        Copying { steps: 100, symbols: 10 }
    }
}

/// Of how many kinds the symbols are. The columns of the blank and the delimiter, which is never an answer, follow
/// theirs.
const KINDS: usize = 8;
const BLANK: usize = KINDS;
const DELIMITER: usize = KINDS + 1;

impl Task for Copying {
    fn inputs(&self) -> usize {
        KINDS + 2
    }

    fn outputs(&self) -> usize {
        KINDS + 1
    }

    fn lengths(&self) -> RangeInclusive<usize> {
        let length = self.steps + 2 * self.symbols;
        length..=length
    }

    fn success(&self) -> Success {
        Success::LargestOutput
    }

    // ANCHOR: copying
    fn sequence(&self, rng: &mut Rng) -> Sequence {
        let length = self.steps + 2 * self.symbols;
        let mut read = vec![BLANK; length];
        let mut wanted = vec![BLANK; length];
        for i in 0..self.symbols {
            let symbol = below(KINDS, rng);
            read[i] = symbol;
            wanted[length - self.symbols + i] = symbol;
        }
        read[length - self.symbols - 1] = DELIMITER;
        Sequence {
            x: one_hot(&read, self.inputs()),
            target: one_hot(&wanted, self.outputs()),
        }
    }
    // ANCHOR_END: copying

    fn baselines(&self) -> Vec<Baseline> {
        let length = (self.steps + 2 * self.symbols) as f64;
        let (symbols, kinds) = (self.symbols as f64, KINDS as f64);
        let blank = 1.0 - symbols / length;
        let any = symbols / length / kinds;
        vec![
            // The same at every step: it never names a symbol.
            Baseline {
                name: "constant",
                success: 0.0,
                loss: -blank * Real::ln(blank) - kinds * any * Real::ln(any),
            },
            // Knows the step, but none of the symbols.
            Baseline {
                name: "memoryless",
                success: (0..self.symbols).fold(1.0, |p, _| p / kinds),
                loss: symbols * Real::ln(kinds) / length,
            },
        ]
    }

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::within("symbols", self.symbols, 1..=1_000)?;
        check_steps("steps", self.steps, 1)
    }
}
