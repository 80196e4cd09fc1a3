//! Gradient clipping.

use longlag_numerics::{Float, slice};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// How to clip a gradient; in a config `"none"`, `{ "norm": 1.0 }` or `{ "value": 0.5 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// Leaves the gradient alone; the report still has its norm and its non-finite entries.
    #[default]
    None,
    /// Scales the gradient down to this Euclidean norm: [`clip_norm`].
    Norm(#[serde(deserialize_with = "limit")] f64),
    /// Limits every entry to ± this value: [`clip_value`].
    Value(#[serde(deserialize_with = "limit")] f64),
}

impl Clip {
    /// Clips `gradient` and reports what was done. Panics if the limit is negative or NaN.
    #[track_caller]
    pub fn apply<T: Float>(self, gradient: &mut [T]) -> Clipped {
        match self {
            Clip::None => Clipped::untouched(gradient),
            Clip::Norm(max_norm) => clip_norm(gradient, max_norm),
            Clip::Value(limit) => clip_value(gradient, limit),
        }
    }
}

fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if x >= 0.0 {
        Ok(x)
    } else {
        Err(D::Error::custom(format_args!("a clip's limit must be 0 or more, not {x}")))
    }
}

/// What a clip found and did.
///
/// Look at [`non_finite`](Self::non_finite) before the optimizer's step: clipping does not mend such a
/// gradient, and one step with it spoils the parameters for good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Clipped {
    /// The Euclidean norm of the whole gradient before; infinite or NaN if an entry is, and infinite
    /// beyond the largest `f64`.
    pub norm_before: f64,
    /// What every entry was multiplied by; 1 if clipping by norm did nothing or wasn't asked for.
    pub factor: f64,
    /// The number of entries that were cut to ± the limit; 0 unless clipping by value.
    pub cut: usize,
    /// The number of entries that were infinite or NaN before.
    pub non_finite: usize,
}

impl Clipped {
    fn untouched<T: Float>(gradient: &[T]) -> Clipped {
        let non_finite = gradient.iter().filter(|x| !x.finite()).count();
        Clipped { norm_before: slice::norm(gradient), factor: 1.0, cut: 0, non_finite }
    }
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
/// wants to keep such a gradient as it is asks [`Clip::None`] for the report first.
///
/// Panics if `max_norm` is negative or NaN.
#[track_caller]
pub fn clip_norm<T: Float>(gradient: &mut [T], max_norm: f64) -> Clipped {
    assert!(max_norm >= 0.0, "clip_norm: the greatest norm must be 0 or more, not {max_norm}");
    let mut clipped = Clipped::untouched(gradient);
    let factor = max_norm / (clipped.norm_before + 1e-6);
    // Not `f64::min`, which would make 1 of NaN.
    clipped.factor = if factor > 1.0 { 1.0 } else { factor };
    if clipped.factor != 1.0 {
        for x in gradient {
            *x = T::from_f64(x.to_f64() * clipped.factor);
        }
    }
    clipped
}

/// Limits every entry of the gradient to −`limit` … `limit`; PyTorch's `clip_grad_value_`.
///
/// This changes the gradient's direction. Infinite entries become ± `limit`, NaN stays NaN; both are
/// counted as non-finite. Panics if `limit` is negative or NaN.
#[track_caller]
pub fn clip_value<T: Float>(gradient: &mut [T], limit: f64) -> Clipped {
    assert!(limit >= 0.0, "clip_value: the limit must be 0 or more, not {limit}");
    let mut clipped = Clipped::untouched(gradient);
    let limit = T::from_f64(limit);
    for x in gradient {
        if *x > limit || *x < -limit {
            *x = limit.copysign(*x);
            clipped.cut += 1;
        }
    }
    clipped
}
