//! A named portable generator with streams, and samples from it.
//!
//! The key decision: **the generator is ChaCha with 8 rounds, and a key is a name.** A library's "standard"
//! generator may change with its version; ChaCha8 is fixed by its definition (Bernstein, "ChaCha, a variant of
//! Salsa20", 2008). It computes any part of its output from a key, so each purpose draws from a stream of
//! its own, and a draw more for one purpose changes nothing for another.
//!
//! All samples are made here from 64-bit words by correctly rounded operations: the same seed gives the
//! same numbers on every machine.

use crate::real::Real;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A source of random numbers: ChaCha8.
///
/// Its state is the key and the place in the output; no sample leaves anything behind.
///
/// ```
/// use longlag_numerics::random::Rng;
/// let rng = Rng::new(7);
/// let (mut weights, mut order) = (rng.stream("weights"), rng.stream("order"));
/// assert!(weights.uniform() < 1.0 && order.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    core: ChaCha8Rng,
}

impl Rng {
    /// The generator of `seed`: the 256-bit key is the seed in little-endian order and then zeros, the
    /// nonce is 0.
    pub fn new(seed: u64) -> Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Rng { core: ChaCha8Rng::from_seed(key) }
    }

    /// An independent generator for the purpose `label`, the same however much `self` has given.
    ///
    /// Its key is the first 256 bits that the key of `self` gives with the nonce h, Fowler, Noll and Vo's 64-bit FNV-1a hash of
    /// the label's UTF-8 bytes; its own nonce is 0. Streams of streams so form a tree:
    /// `rng.stream("a").stream("b")` is neither `rng.stream("b")` nor `rng.stream("b").stream("a")`.
    #[must_use]
    pub fn stream(&self, label: &str) -> Rng {
        let hash = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut parent = ChaCha8Rng::from_seed(self.core.get_seed());
        parent.set_stream(hash);
        let mut key = [0; 32];
        parent.fill_bytes(&mut key);
        Rng { core: ChaCha8Rng::from_seed(key) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.core.next_u64()
    }

    /// Uniform in [0, 1): a multiple of 2⁻⁵³, every one equally likely.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in [low, high). Where rounding would give `high`, the number is drawn again.
    ///
    /// # Panics
    /// If `low` isn't below `high`, or `high − low` isn't finite.
    #[track_caller]
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        let width = high - low;
        assert!(low < high && width.is_finite(), "uniform_in: no numbers from {low} to below {high}");
        loop {
            let x = low + width * self.uniform();
            if x < high {
                return x;
            }
        }
    }

    /// From the standard normal distribution, by the polar method: Marsaglia and Bray, "A convenient method
    /// for generating normal variables", SIAM Review 6(3), 1964.
    ///
    /// The method gives two numbers at a time. The second is thrown away: a generator that kept it would
    /// have a state beyond its place in the output. The tails are right as far as they go: a point of the
    /// disc is at least 2⁻⁵² from the centre, so no number is larger than √(208 ln 2) ≈ 12.01, which a normal
    /// variable exceeds with a probability of 3·10⁻³³.
    pub fn normal(&mut self) -> f64 {
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if 0.0 < square && square < 1.0 {
                return x * Real::sqrt(-2.0 * Real::ln(square) / square);
            }
        }
    }

    /// A whole number from 0 to n − 1, every one exactly equally likely: Lemire, "Fast random integer
    /// generation in an interval", ACM TOMACS 29(1), 2019.
    ///
    /// # Panics
    /// If n is 0.
    #[track_caller]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "below: no whole number is below 0");
        // The product's upper word is below n. Of the 2⁶⁴ lower words, the first 2⁶⁴ mod n are left out, so that
        // as many lead to each result.
        let left_out = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= left_out {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts `x` in a random order, every one equally likely: Fisher and Yates' shuffle, as Durstenfeld,
    /// "Algorithm 235: Random permutation", CACM 7(7), 1964, does it in place.
    pub fn shuffle<T>(&mut self, x: &mut [T]) {
        for i in (1..x.len()).rev() {
            x.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// The whole numbers from 0 to n − 1 in a random order, every one equally likely.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
