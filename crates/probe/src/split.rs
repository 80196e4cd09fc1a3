//! The gradient of a weight, split by how far it came.
//!
//! For a recurrent weight W_hh the gradient is a sum over lags, ∂L/∂W_hh = Σ_k G_k, where
//! G_k = Σ_s δ_{s−k}^{(s)}·h_{s−k−1}ᵀ is what losses say about the step k steps before them. [`Split`] has,
//! for each k and for any [`Weight`], over N sequences (a bar is their mean):
//!
//! - the *signed share* p_k = ⟨Ḡ_k, Ḡ⟩ / ‖Ḡ‖², Ḡ = Σ_k Ḡ_k. They sum to 1, and may be negative.
//! - the *norm share* ‖Ḡ_k‖ / Σ_j ‖Ḡ_j‖.
//! - the *signal-to-noise ratio* SNR_k² = (‖Ḡ_k‖² − tr Σ_k / N) / tr Σ_k, Σ_k the covariance of G_k among
//!   sequences: the squared length of the mean, less what chance alone adds to it, in units of the noise of
//!   one sequence. Whatever N is, it estimates the same number, and 1 / SNR_k² is about how many sequences a
//!   batch needs for its mean to stick out.
//!
//! A large share is not a usable signal. What sequences have in common without meaning anything (a bias to be
//! learnt, say) is in SNR_k² too; the null takes it out: the same split with targets permuted among
//! sequences. The *usable signal* is the difference, [`usable_signal`].
//!
//! The key decision: **G_k of a sequence is never kept.** The sum of G_k and the sum of ‖G_k‖² give
//! everything. Both are in units of the first sequences' size, a power of two, so that neither leaves the
//! range of `f64` where gradients of 10⁻²⁰⁰ are squared. Batches of about a hundred sequences are the
//! fastest.
//!
//! ```
//! # use longlag_autodiff::Var;
//! # use longlag_numerics::{Real, Scalar};
//! use longlag_numerics::random::Rng;
//! use longlag_probe::split::{Split, usable_signal};
//! use longlag_probe::walk::{Factor, Losses, Walk, Weight};
//! use longlag_probe::{ComposedStep, OnTape, Trajectory};
//! use ndarray::{Array2, Array3, array};
//! # struct Mine { u: Array2<f64> }
//! # impl ComposedStep for Mine {
//! #     fn parts(&self) -> Vec<usize> { vec![2] }
//! #     fn sums(&self) -> usize { 2 }
//! #     fn record<'t, T: Scalar>(&self, x: Var<'t, T>, s: &[Var<'t, T>], z: Var<'t, T>) -> Vec<Var<'t, T>> {
//! #         let u = x.tape().constant(&self.u.mapv(T::of).view());
//! #         vec![x.tape().affine(&[(s[0], u)], &[x, z]).tanh()]
//! #     }
//! # }
//!
//! // h_t = tanh(U h_{t−1} + x_t), y = h_{T,1} + h_{T,2}; the target is a number that came in 3 steps before.
//! let step = OnTape::new(Mine { u: array![[0.0, 0.9], [-0.9, 0.0]] });
//! let mut draw = Rng::new(1);
//! let x = Array3::from_shape_simple_fn((10, 500, 2), || 0.5 * draw.normal());
//! let trajectory = Trajectory::run(&step, x, Array2::zeros((500, 2)).view());
//!
//! // ℓ = ½ (y − target)², so ∂ℓ/∂h_T = y − target for both units.
//! let split = |target: &dyn Fn(usize) -> f64| {
//!     let y = |n: usize| trajectory.states[[10, n, 0]] + trajectory.states[[10, n, 1]];
//!     let d_state = Array2::from_shape_fn((500, 2), |(n, _)| y(n) - target(n));
//!     let losses = Losses::at_the_end(&trajectory, d_state);
//!     let mut split = Split::new(Weight { sums: 0..2, factor: Factor::State(0..2) });
//!     let mut walk = Walk::over_lags(&step, &trajectory, &losses);
//!     while let Some(back) = walk.next() {
//!         split.add(back);
//!     }
//!     split
//! };
//! let order = draw.permutation(500);
//! let truth = split(&|n| trajectory.x[[6, n, 0]]);
//! let null = split(&|n| trajectory.x[[6, order[n], 0]]);
//!
//! let shares = truth.parts().iter().map(|part| part.signed_share).sum::<f64>();
//! assert!((shares - 1.0).abs() < 1e-14);
//! // What came in at t = 7 is a factor of the sums at t = 8, two steps before the loss.
//! let usable = usable_signal(&truth, &null);
//! let best = (0..10).max_by(|&a, &b| usable[a].total_cmp(&usable[b]));
//! assert_eq!(best, Some(2));
//! ```

use crate::scaled::{normalise, times_pow2};
use crate::walk::{Back, Weight};
use longlag_numerics::product::product;
use longlag_numerics::slice;
use ndarray::{Array2, Axis, Slice};

/// The split of one weight's gradient, over all sequences whose walks are added.
///
/// Over steps ([`Walk::over_steps`](crate::walk::Walk::over_steps)) it is a split by time: part k is that of
/// t = T − k. For W_ih that is how much each input step has to say.
#[derive(Clone, Debug)]
pub struct Split {
    weight: Weight,
    parts: Vec<Sums>,
}

/// What is summed over sequences at one lag.
#[derive(Clone, Debug)]
struct Sums {
    /// How many sequences came by.
    sequences: usize,
    /// The exponent of the power of two that both sums are in units of; none as long as both are 0.
    unit: Option<i64>,
    /// Σ G_k.
    sum: Array2<f64>,
    /// Σ ‖G_k‖².
    squares: f64,
}

/// What [`Split`] has of one lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// p_k; NaN if the whole gradient is 0.
    pub signed_share: f64,
    /// ‖Ḡ_k‖ / Σ_j ‖Ḡ_j‖; NaN if all are 0.
    pub norm_share: f64,
    /// ‖Ḡ_k‖.
    pub norm: f64,
    /// SNR_k², which may be a little below 0; 0 if G_k of every sequence is 0, huge or infinite if they are
    /// all the same and not 0, NaN of a single sequence.
    pub snr_squared: f64,
}

impl Split {
    /// A split of this weight's gradient, so far over no sequences.
    pub fn new(weight: Weight) -> Split {
        Split { weight, parts: Vec::new() }
    }

    /// Adds one step of a walk. All steps of a walk are to be added, and a sequence in one walk only.
    pub fn add(&mut self, back: &Back) {
        let [mut d_z, mut u] = self.weight.terms(back);
        let shape = (d_z.ncols(), u.ncols());
        if self.parts.len() <= back.lag {
            let none = Sums { sequences: 0, unit: None, sum: Array2::zeros(shape), squares: 0.0 };
            self.parts.resize(back.lag + 1, none);
        }
        let part = &mut self.parts[back.lag];
        let sizes =
            [&mut d_z, &mut u].map(|a| normalise(a.as_slice_mut().expect("a new array lies densely")));
        if let [Some(of_d_z), Some(of_u)] = sizes {
            let own = of_d_z + of_u;
            let unit = *part.unit.get_or_insert(own);
            d_z.mapv_inplace(|d| times_pow2(d, own - unit));
        }
        product(d_z.t(), u.view(), part.sum.view_mut(), true);
        let mut first = 0;
        for chunk in back.rows.chunk_by(|a, b| a.sequence == b.sequence) {
            let rows = Slice::from(first..first + chunk.len());
            let (d_z, u) = (d_z.slice_axis(Axis(0), rows), u.slice_axis(Axis(0), rows));
            part.squares += if chunk.len() == 1 {
                // ‖δ·uᵀ‖ = ‖δ‖·‖u‖.
                squares(d_z.iter()) * squares(u.iter())
            } else {
                let mut g = Array2::zeros(shape);
                product(d_z.t(), u, g.view_mut(), false);
                squares(g.iter())
            };
            part.sequences += 1;
            first += chunk.len();
        }
    }

    /// N.
    pub fn sequences(&self) -> usize {
        // Those with no loss so late that it has this lag have the part 0.
        self.parts.iter().map(|p| p.sequences).max().unwrap_or(0)
    }

    /// Ḡ_k.
    pub fn mean(&self, lag: usize) -> Array2<f64> {
        let Sums { unit, sum, .. } = &self.parts[lag];
        let n = self.sequences() as f64;
        sum.mapv(|x| times_pow2(x / n, unit.unwrap_or(0)))
    }

    /// The parts, lag 0 first.
    pub fn parts(&self) -> Vec<Part> {
        let n = self.sequences() as f64;
        let means: Vec<Array2<f64>> = (0..self.parts.len()).map(|lag| self.mean(lag)).collect();
        let entries = |g: &Array2<f64>| g.iter().copied().collect::<Vec<f64>>();
        let norms: Vec<f64> = means.iter().map(|g| slice::norm(&entries(g))).collect();
        let all_norms = slice::sum(&norms);
        // The whole gradient, and in units of its largest entry.
        let whole =
            means.iter().fold(Array2::zeros(means.first().map_or((0, 0), Array2::dim)), |sum, g| sum + g);
        let largest = slice::max_abs(&entries(&whole));
        let direction = whole.mapv(|x| x / largest);
        let length = squares(direction.iter());
        let part = |(lag, sums): (usize, &Sums)| {
            let along = means[lag].iter().zip(&direction).fold(0.0, |s, (g, d)| s + g / largest * d);
            let mean = squares(sums.sum.iter()) / (n * n);
            // tr Σ_k; rounding may leave less than nothing of equal parts.
            let noise = ((sums.squares - n * mean) / (n - 1.0)).max(0.0);
            let snr_squared = match sums.squares {
                0.0 => 0.0,
                _ if n < 2.0 => f64::NAN,
                _ => (mean - noise / n) / noise,
            };
            Part {
                signed_share: along / length,
                norm_share: norms[lag] / all_norms,
                norm: norms[lag],
                snr_squared,
            }
        };
        self.parts.iter().enumerate().map(part).collect()
    }
}

fn squares<'a>(x: impl Iterator<Item = &'a f64>) -> f64 {
    x.fold(0.0, |sum, x| sum + x * x)
}

/// SNR_k² less that of the null, lag by lag: what the gradient says about the targets.
///
/// `permuted` is the split of the same trajectories with the targets permuted among the sequences. Panics if
/// the two differ in N or in lags.
#[track_caller]
pub fn usable_signal(split: &Split, permuted: &Split) -> Vec<f64> {
    let size = |split: &Split| (split.sequences(), split.parts.len());
    let (have, null) = (size(split), size(permuted));
    assert!(have == null, "usable_signal: N and lags are {have:?}, those of the null {null:?}");
    split.parts().iter().zip(permuted.parts()).map(|(a, b)| a.snr_squared - b.snr_squared).collect()
}
