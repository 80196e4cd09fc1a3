//! Growth rates and Lyapunov exponents: how fast tangents grow along trajectories.
//!
//! For the tangent v_t = J_t·v_{t−1}, J_t = ∂s_t/∂s_{t−1}, the *growth rate* of one trajectory over L steps
//! is (100 / L)·log₁₀(‖v_L‖ / ‖v_0‖): decades per 100 steps. By it a gradient vanishes or explodes on the way
//! from one end of the sequence to the other. It differs from trajectory to trajectory, so there are many,
//! and two numbers for them all: the median, and the logarithm of the root of the mean square, which rare
//! trajectories may carry alone and which lies decades above the median where they do.
//!
//! The *Lyapunov exponents* λ_1 ≥ λ_2 ≥ … are the rates in the limit of infinitely many steps: nats per step.
//! They are found by QR factorisations along one trajectory, J_t·Q_{t−1} = Q_t·R_t, as the means of ln
//! |R_t|'s diagonal. Multiply by [`DECADES_PER_100_STEPS`] to compare both.
//!
//! Sources: Benettin, Galgani, Giorgilli and Strelcyn, "Lyapunov characteristic exponents for smooth
//! dynamical systems", Meccanica 15, 1980; on recurrent networks: Pascanu, Mikolov and Bengio, "On the
//! difficulty of training recurrent neural networks", 2013, for the bounds; Vogt et al., "On Lyapunov
//! exponents for RNNs", 2022, and Engelken, Wolf and Abbott, "Lyapunov spectra of chaotic recurrent neural
//! networks", 2023, for the spectra.

use crate::qr::qr;
use crate::scaled::{log10, log10_norm, normalise};
use crate::statistics::median;
use crate::step::{RecurrentStep, jacobian};
use longlag_numerics::Real;
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use ndarray::{Array2, ArrayView2, Axis, Slice};
use std::f64::consts::{LN_10, LOG10_E};
use std::ops::Range;

/// 1 nat per step in decades per 100 steps.
pub const DECADES_PER_100_STEPS: f64 = 100.0 * LOG10_E;

/// How growth rates are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowthProbe {
    /// Steps that every trajectory takes before the measurement; 1000 where a stationary state is asked for.
    pub burn_in: usize,
    /// L, the steps of the measurement.
    pub steps: usize,
    /// The columns of the state that tangents begin in and are measured in: all of them, or those of c, say.
    pub part: Range<usize>,
}

/// Growth rates, in decades per 100 steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// Of each trajectory; −∞ where the tangent became 0.
    pub rates: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// (100 / L)·log₁₀ √(mean of (‖v_L‖ / ‖v_0‖)²).
    pub log_rms: f64,
}

impl GrowthProbe {
    /// Measures along B trajectories that begin at `start` (B, S); have 200 or more.
    ///
    /// `input` is asked for x_t (B, I) at t = 1, 2, … in turn. Each tangent begins as a unit vector, all
    /// directions equally likely, drawn from `rng`. Tangents are scaled by powers of two on the way, so
    /// nothing overflows or underflows.
    ///
    /// Panics if there are no steps, no trajectories, or the part isn't within the state.
    #[track_caller]
    pub fn measure(
        &self,
        step: &dyn RecurrentStep,
        start: ArrayView2<'_, f64>,
        mut input: impl FnMut(usize) -> Array2<f64>,
        rng: &mut Rng,
    ) -> Growth {
        let GrowthProbe { burn_in, steps, part } = self;
        assert!(*steps > 0 && start.nrows() > 0, "measure: {steps} steps of {} trajectories", start.nrows());
        assert!(part.start < part.end && part.end <= start.ncols(), "measure: {part:?} of {}", start.ncols());
        let mut state = start.to_owned();
        for t in 1..=*burn_in {
            state = step.step(input(t).view(), state.view());
        }
        let mut tangents = Array2::zeros(start.dim());
        let mut exponents = vec![0; start.nrows()];
        let mut before = Vec::new();
        for mut v in tangents.rows_mut() {
            let v = &mut v.as_slice_mut().expect("rows lie densely")[part.clone()];
            v.fill_with(|| rng.normal());
            // Dividing by the norm now would only round.
            before.push(log10_norm(v, 0));
        }
        for t in burn_in + 1..=burn_in + steps {
            let x = input(t);
            tangents = step.jvp(x.view(), state.view(), tangents.view()).as_standard_layout().into_owned();
            for (mut v, exponent) in tangents.rows_mut().into_iter().zip(&mut exponents) {
                // A tangent that is 0 stays it, whatever the exponent.
                *exponent += normalise(v.as_slice_mut().expect("rows lie densely")).unwrap_or(0);
            }
            state = step.step(x.view(), state.view());
        }
        let after = tangents.slice_axis(Axis(1), Slice::from(part.clone()));
        let decades: Vec<f64> = (after.rows().into_iter().zip(exponents).zip(before))
            .map(|((v, exponent), before)| log10_norm(&v.to_vec(), exponent) - before)
            .collect();
        let per_100 = 100.0 / *steps as f64;
        let rates: Vec<f64> = decades.iter().map(|d| per_100 * d).collect();
        Growth { median: median(&rates), log_rms: per_100 * log_rms(&decades), rates }
    }
}

/// log₁₀ √(mean of 10^(2d)).
fn log_rms(decades: &[f64]) -> f64 {
    let most = decades.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let squares: f64 = decades.iter().map(|d| Real::exp(2.0 * LN_10 * (d - most))).sum();
    most + 0.5 * log10(squares / decades.len() as f64)
}

/// How Lyapunov exponents are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LyapunovProbe {
    /// How many exponents, the largest ones; all if S.
    pub exponents: usize,
    /// Steps before the measurement, which also turn Q in its directions.
    pub burn_in: usize,
    /// Steps of the measurement; 10 000 or more.
    pub steps: usize,
    /// How many blocks of steps the standard error is from, 2 or more. A block is to be far longer than the
    /// trajectory's memory, so that blocks are nearly independent; 20 leave the error itself known to 16 %.
    pub blocks: usize,
}

/// One Lyapunov exponent, in nats per step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LyapunovExponent {
    /// λ; −∞ if a Jacobian was singular in its direction.
    pub value: f64,
    /// Its standard error: the standard deviation of the blocks' means over the root of their number. NaN if
    /// λ is infinite.
    pub standard_error: f64,
}

impl LyapunovProbe {
    /// Measures along the trajectory that begins at `start` (1, S); gives the exponents in descending order.
    ///
    /// `input` is asked for x_t (1, I) at t = 1, 2, … in turn. Q begins at random, drawn from `rng`.
    ///
    /// Panics if there are fewer than 2 blocks or fewer steps than blocks, or more exponents than S.
    #[track_caller]
    pub fn measure(
        &self,
        step: &dyn RecurrentStep,
        start: ArrayView2<'_, f64>,
        mut input: impl FnMut(usize) -> Array2<f64>,
        rng: &mut Rng,
    ) -> Vec<LyapunovExponent> {
        let &LyapunovProbe { exponents, burn_in, steps, blocks } = self;
        let (rows, n) = start.dim();
        assert!(rows == 1, "measure: exponents are those of one trajectory, not of {rows}");
        assert!(blocks >= 2 && steps >= blocks, "measure: {blocks} blocks of {steps} steps");
        assert!(exponents <= n, "measure: {exponents} exponents of a state of {n}");
        let mut state = start.to_owned();
        let (mut q, _) = qr(Array2::from_shape_simple_fn((n, exponents), || rng.normal()));
        // Of each block, the number of steps and the sums of the logarithms.
        let mut sums = vec![(0, vec![0.0; exponents]); blocks];
        for t in 0..burn_in + steps {
            let x = input(t + 1);
            let j = jacobian(step, x.row(0), state.row(0));
            let mut turned = Array2::zeros((n, exponents));
            product(j.view(), q.view(), turned.view_mut(), false);
            let (next, r) = qr(turned);
            q = next;
            if t >= burn_in {
                let (count, sums) = &mut sums[(t - burn_in) * blocks / steps];
                *count += 1;
                sums.iter_mut().zip(r.diag()).for_each(|(sum, r)| *sum += Real::ln(r.abs()));
            }
            state = step.step(x.view(), state.view());
        }
        let of = |i: usize| {
            let value = sums.iter().map(|(_, sums)| sums[i]).sum::<f64>() / steps as f64;
            let apart = |(count, sums): &(usize, Vec<f64>)| sums[i] / *count as f64 - value;
            let squares: f64 = sums.iter().map(apart).map(|d| d * d).sum();
            let standard_error = (squares / ((blocks - 1) * blocks) as f64).sqrt();
            LyapunovExponent { value, standard_error }
        };
        let mut found: Vec<_> = (0..exponents).map(of).collect();
        found.sort_by(|a, b| b.value.total_cmp(&a.value));
        found
    }
}
