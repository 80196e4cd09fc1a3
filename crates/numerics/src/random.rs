//! A named portable generator with streams, and samples from it.

use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A source of random numbers: ChaCha8.
#[derive(Clone, Debug)]
pub struct Rng {
    core: rand_chacha::ChaCha8Rng,
}

impl Rng {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Rng {
        Rng { core: rand_chacha::ChaCha8Rng::seed_from_u64(seed) }
    }
    /// An independent generator of the same seed, for `purpose`; how many numbers `self` has given doesn't matter.
    #[must_use]
    pub fn stream(&self, purpose: &str) -> Rng {
        let mut core = self.core.clone();
        let id = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        core.set_stream(id);
        core.set_word_pos(0);
        Rng { core }
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.core.next_u64()
    }
    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
    /// Uniform in [low, high).
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }
    /// From the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
    /// A whole number from 0 to n − 1, every one equally likely. Panics if n is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }
    /// Puts `x` in a random order, every one equally likely.
    pub fn shuffle<T>(&mut self, x: &mut [T]) {
        for i in (1..x.len()).rev() {
            x.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}
