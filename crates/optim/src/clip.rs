//! Gradient clipping.

use crate::settings::{non_negative, positive};
use longlag_numerics::precise::{powf, powi};
use longlag_numerics::{Float, Span, slice};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::ops::Range;

/// How to clip a gradient; in a config `"none"`, `{ "norm": 1.0 }`, `{ "value": 0.5 }`,
/// `{ "p_norm": { "p": "inf", "limit": 1.0 } }` or `{ "adaptive": { "factor": 0.01 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Clip {
    /// Leaves the gradient alone; the report still has its norm and its non-finite entries.
    #[default]
    None,
    /// Scales the gradient down to this Euclidean norm: [`clip_norm`].
    Norm(#[serde(deserialize_with = "limit")] f64),
    /// Limits every entry to ± this value: [`clip_value`].
    Value(#[serde(deserialize_with = "limit")] f64),
    /// Scales the gradient down to a norm of another order: [`clip_p_norm`].
    PNorm {
        /// The order, from 1 on; infinity, in a config `"inf"`, for the largest magnitude.
        #[serde(with = "order")]
        p: f64,
        /// The greatest norm, 0 or more.
        #[serde(deserialize_with = "limit")]
        limit: f64,
    },
    /// Scales each row of a gradient down to a share of the norm of its row of the parameters: [`clip_adaptive`].
    Adaptive {
        /// λ, the greatest share, 0 or more.
        #[serde(deserialize_with = "non_negative")]
        factor: f64,
        /// What a row's norm counts as at least, so that rows of zeros can grow; above 0.
        #[serde(default = "epsilon", deserialize_with = "positive")]
        epsilon: f64,
    },
}

/// That of the paper.
fn epsilon() -> f64 {
    1e-3
}

impl Clip {
    /// Clips the gradient of these spans together, and reports what was done. Allocates nothing.
    ///
    /// `gradient` and `parameters` are whole; what is in none of the `spans` stays as it is and counts for nothing.
    /// Panics if a limit is negative or NaN, or a span goes beyond.
    #[track_caller]
    pub fn apply<T: Float>(self, gradient: &mut [T], parameters: &[T], spans: &[Span]) -> Clipped {
        match self {
            Clip::None => Clipped::untouched(gradient, runs(spans), 2.0),
            Clip::Norm(limit) => scale_to(gradient, runs(spans), 2.0, limit),
            Clip::PNorm { p, limit } => scale_to(gradient, runs(spans), p, limit),
            Clip::Value(limit) => cut(gradient, runs(spans), limit),
            Clip::Adaptive { factor, epsilon } => clip_adaptive(gradient, parameters, spans, factor, epsilon),
        }
    }
}

/// The ranges of spans; those that touch are one.
pub(crate) fn runs(spans: &[Span]) -> impl Iterator<Item = Range<usize>> + Clone + '_ {
    let mut ranges = spans.iter().map(Span::range).peekable();
    std::iter::from_fn(move || {
        let mut run = ranges.next()?;
        while let Some(next) = ranges.next_if(|next| next.start == run.end) {
            run.end = next.end;
        }
        Some(run)
    })
}

fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if x >= 0.0 {
        Ok(x)
    } else {
        Err(D::Error::custom(format_args!("a clip's limit must be 0 or more, not {x}")))
    }
}

/// JSON has no infinity.
mod order {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Order {
        Number(f64),
        Name(String),
    }

    pub(super) fn serialize<S: Serializer>(p: &f64, to: S) -> Result<S::Ok, S::Error> {
        if *p == f64::INFINITY { Order::Name("inf".into()) } else { Order::Number(*p) }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        match Order::deserialize(from)? {
            Order::Number(p) if p >= 1.0 => Ok(p),
            Order::Name(name) if name == "inf" => Ok(f64::INFINITY),
            Order::Number(p) => {
                Err(D::Error::custom(format_args!("a norm's order must be 1 or more, not {p}")))
            }
            Order::Name(name) => {
                Err(D::Error::custom(format_args!("a norm's order is a number or \"inf\", not \"{name}\"")))
            }
        }
    }
}

/// What a clip found and did.
///
/// Look at [`non_finite`](Self::non_finite) before the optimizer's step: clipping does not mend such a
/// gradient, and one step with it spoils the parameters for good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Clipped {
    /// The norm of the whole gradient before: Euclidean, or of the order that it was clipped by. Infinite or NaN
    /// if an entry is, and infinite beyond the largest `f64`.
    pub norm_before: f64,
    /// What every entry was multiplied by; 1 if clipping by norm did nothing or wasn't asked for. Of adaptive
    /// clipping, the smallest factor of a row.
    pub factor: f64,
    /// The number of entries that were cut to ± the limit by value, or of rows that were scaled adaptively; else 0.
    pub cut: usize,
    /// The number of entries that were infinite or NaN before.
    pub non_finite: usize,
}

impl Clipped {
    fn untouched<T: Float>(
        gradient: &[T],
        runs: impl Iterator<Item = Range<usize>> + Clone,
        p: f64,
    ) -> Clipped {
        let entries = runs.clone().flat_map(|run| &gradient[run]);
        let non_finite = entries.filter(|x| !x.finite()).count();
        let mut norms = runs.map(|run| p_norm(&gradient[run], p));
        let first = norms.next().unwrap_or(0.0);
        let norm_before = norms.fold(first, |a, b| join(a, b, p));
        Clipped { norm_before, factor: 1.0, cut: 0, non_finite }
    }
    /// Whether clipping changed the gradient.
    pub fn fired(&self) -> bool {
        self.factor != 1.0 || self.cut > 0
    }
}

/// How often clipping fired, and by how much, over many updates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipTelemetry {
    /// The updates that were seen.
    pub updates: u64,
    /// Those in which clipping changed the gradient.
    pub fired: u64,
    /// The sum of their factors.
    pub factor_sum: f64,
    /// The smallest factor; 1 if clipping never fired.
    pub smallest_factor: f64,
    /// The largest norm before clipping.
    pub largest_norm: f64,
    /// The entries (by value) or rows (adaptive) that were cut, all updates together.
    pub cut: u64,
}

impl Default for ClipTelemetry {
    fn default() -> Self {
        ClipTelemetry {
            updates: 0,
            fired: 0,
            factor_sum: 0.0,
            smallest_factor: 1.0,
            largest_norm: 0.0,
            cut: 0,
        }
    }
}

impl ClipTelemetry {
    /// Counts one more.
    pub fn add(&mut self, clipped: &Clipped) {
        let &Clipped { norm_before, factor, cut, .. } = clipped;
        self.updates += 1;
        self.largest_norm = self.largest_norm.max(norm_before);
        if clipped.fired() {
            self.fired += 1;
            self.factor_sum += factor;
            self.smallest_factor = self.smallest_factor.min(factor);
            self.cut += cut as u64;
        }
    }
    /// The share of the updates in which clipping fired; NaN of none.
    pub fn share(&self) -> f64 {
        self.fired as f64 / self.updates as f64
    }
    /// The mean factor where it fired; NaN if it never did.
    pub fn mean_factor(&self) -> f64 {
        self.factor_sum / self.fired as f64
    }
}

/// A gradient whose norm is infinite or NaN; it has this norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonFiniteNorm(pub f64);

impl fmt::Display for NonFiniteNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gradient's norm is {}, so that it can't be clipped", self.0)
    }
}
impl std::error::Error for NonFiniteNorm {}

/// The norm (Σ|x|ᵖ)^(1/p) for p from 1 on, the largest magnitude for p = ∞; 0 of nothing.
///
/// It overflows only where the norm itself does. NaN if an entry is, else infinite if one is. Panics if p is
/// below 1 or NaN.
#[track_caller]
pub fn p_norm<T: Float>(x: &[T], p: f64) -> f64 {
    assert!(p >= 1.0, "p_norm: the order must be 1 or more, not {p}");
    if p == 2.0 {
        return slice::norm(x);
    }
    let largest = slice::max_abs(x);
    if p == f64::INFINITY || !largest.is_finite() || largest == 0.0 {
        return largest;
    }
    if p == 1.0 {
        return x.iter().fold(0.0, |sum, x| sum + x.to_f64().abs());
    }
    let whole = p <= 64.0 && p.fract() == 0.0;
    let power = |x: f64| if whole { powi(x, p as u64) } else { powf(x, p) };
    let sum = x.iter().fold(0.0, |sum, x| sum + power(x.to_f64().abs() / largest));
    largest * powf(sum, 1.0 / p)
}

/// The norm of all entries, from the norms of two parts.
fn join(a: f64, b: f64, p: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { p_norm(&[a, b], p) }
}

/// Multiplies the gradient by min(1, `max_norm` / (‖gradient‖ + 10⁻⁶)).
///
/// Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
/// algorithm 1. They advise a `max_norm` of half to ten times the norm's average over many updates. The
/// 10⁻⁶ is that of PyTorch's `clip_grad_norm_`; it keeps 0/0 away, and makes the new norm smaller than
/// `max_norm` by about 10⁻⁶. So a `max_norm` not far above 10⁻⁶ shrinks even gradients that are below it.
///
/// The factor is computed and applied in `f64`, and the norm neither overflows nor underflows on the way:
/// norms of 10³⁰⁰ and 10⁻³⁰⁰ are as exact as others.
///
/// With non-finite entries it does what PyTorch does (`error_if_nonfinite=False`): a NaN makes every entry
/// NaN; else an infinity makes the factor 0, so that finite entries become 0 and infinite ones NaN. Who
/// wants to keep such a gradient as it is takes [`try_clip_p_norm`].
///
/// Panics if `max_norm` is negative or NaN.
#[track_caller]
pub fn clip_norm<T: Float>(gradient: &mut [T], max_norm: f64) -> Clipped {
    clip_p_norm(gradient, 2.0, max_norm)
}

/// [`clip_norm`] with the norm of order p, from 1 on: PyTorch's `norm_type`. Infinity limits the largest magnitude
/// without changing the direction.
///
/// Panics if p is below 1, or `max_norm` is negative or NaN.
#[track_caller]
pub fn clip_p_norm<T: Float>(gradient: &mut [T], p: f64, max_norm: f64) -> Clipped {
    let all = 0..gradient.len();
    scale_to(gradient, std::iter::once(all), p, max_norm)
}

/// [`clip_p_norm`] for a finite norm only: PyTorch's `error_if_nonfinite=True`.
///
/// # Errors
/// If the norm is infinite or NaN; then the gradient stays as it is.
///
/// # Panics
/// As [`clip_p_norm`].
#[track_caller]
pub fn try_clip_p_norm<T: Float>(
    gradient: &mut [T],
    p: f64,
    max_norm: f64,
) -> Result<Clipped, NonFiniteNorm> {
    let norm = p_norm(gradient, p);
    if norm.is_finite() { Ok(clip_p_norm(gradient, p, max_norm)) } else { Err(NonFiniteNorm(norm)) }
}

#[track_caller]
fn scale_to<T: Float>(
    gradient: &mut [T],
    runs: impl Iterator<Item = Range<usize>> + Clone,
    p: f64,
    max_norm: f64,
) -> Clipped {
    assert!(max_norm >= 0.0, "clip_norm: the greatest norm must be 0 or more, not {max_norm}");
    let mut clipped = Clipped::untouched(gradient, runs.clone(), p);
    let factor = max_norm / (clipped.norm_before + 1e-6);
    // Not `f64::min`, which would make 1 of NaN.
    clipped.factor = if factor > 1.0 { 1.0 } else { factor };
    if clipped.factor != 1.0 {
        for run in runs {
            scale(&mut gradient[run], clipped.factor);
        }
    }
    clipped
}

fn scale<T: Float>(x: &mut [T], factor: f64) {
    for x in x {
        *x = T::from_f64(x.to_f64() * factor);
    }
}

/// Limits every entry of the gradient to −`limit` … `limit`; PyTorch's `clip_grad_value_`.
///
/// This changes the gradient's direction. Infinite entries become ± `limit`, NaN stays NaN; both are
/// counted as non-finite. Panics if `limit` is negative or NaN.
#[track_caller]
pub fn clip_value<T: Float>(gradient: &mut [T], limit: f64) -> Clipped {
    let all = 0..gradient.len();
    cut(gradient, std::iter::once(all), limit)
}

#[track_caller]
fn cut<T: Float>(
    gradient: &mut [T],
    runs: impl Iterator<Item = Range<usize>> + Clone,
    limit: f64,
) -> Clipped {
    assert!(limit >= 0.0, "clip_value: the limit must be 0 or more, not {limit}");
    let mut clipped = Clipped::untouched(gradient, runs.clone(), 2.0);
    let limit = T::from_f64(limit);
    for run in runs {
        for x in &mut gradient[run] {
            if *x > limit || *x < -limit {
                *x = limit.copysign(*x);
                clipped.cut += 1;
            }
        }
    }
    clipped
}

/// Adaptive gradient clipping: multiplies each row gᵢ of a gradient by min(1, λ·max(‖wᵢ‖, ε) / ‖gᵢ‖), wᵢ being the
/// same row of the parameters and λ the `factor`.
///
/// Source: Brock, De, Smith & Simonyan 2021, "High-performance large-scale image recognition without
/// normalization", equation 3. A row is what leads to one unit; a vector (a bias) is one row. The paper has
/// λ from 0.002 to 0.16, ε = 10⁻³, and leaves the last layer unclipped: give that a group of its own. PyTorch has
/// no such function.
///
/// A row whose norm is not finite becomes zeros and NaN (an infinity) or stays (a NaN). Panics if λ is negative,
/// ε is not above 0, or a span goes beyond.
#[track_caller]
pub fn clip_adaptive<T: Float>(
    gradient: &mut [T],
    parameters: &[T],
    spans: &[Span],
    factor: f64,
    epsilon: f64,
) -> Clipped {
    assert!(factor >= 0.0, "clip_adaptive: the factor must be 0 or more, not {factor}");
    assert!(epsilon > 0.0, "clip_adaptive: epsilon must be above 0, not {epsilon}");
    let mut clipped = Clipped::untouched(gradient, runs(spans), 2.0);
    for span in spans {
        let width = span.shape[1];
        let rows = gradient[span.range()].chunks_exact_mut(width);
        for (g, w) in rows.zip(parameters[span.range()].chunks_exact(width)) {
            let most = factor * slice::norm(w).max(epsilon);
            let norm = slice::norm(g);
            if norm > most {
                let factor = most / norm;
                scale(g, factor);
                clipped.factor = clipped.factor.min(factor);
                clipped.cut += 1;
            }
        }
    }
    clipped
}
