//! What clipping promises, for any gradient.

use longlag_numerics::slice::norm;
use longlag_optim::{Clip, clip_norm, clip_value};
use proptest::prelude::*;

/// Gradients of 1 to 20 entries, their sizes from 10⁻³⁰⁰ to 10³⁰⁰.
fn gradients() -> impl Strategy<Value = Vec<f64>> {
    (-300..300, prop::collection::vec(-9.9..9.9, 1..20)).prop_map(|(exponent, x): (i32, Vec<f64>)| {
        let scale: f64 = format!("1e{exponent}").parse().unwrap();
        x.iter().map(|x| x * scale).collect()
    })
}

proptest! {
    #[test]
    fn a_clipped_norm_is_at_most_the_greatest(gradient in gradients(), max_norm in 0.01..100.0) {
        let mut got = gradient.clone();
        let clipped = clip_norm(&mut got, max_norm);
        prop_assert_eq!(clipped.norm_before, norm(&gradient));
        // A few roundings.
        prop_assert!(norm(&got) <= max_norm * (1.0 + 1e-14));
        if clipped.norm_before <= max_norm - 1e-6 {
            prop_assert_eq!(clipped.factor, 1.0);
            prop_assert_eq!(&got, &gradient);
        } else {
            // 10⁻⁶ in the denominator is what it may fall short by.
            prop_assert!(norm(&got) >= max_norm * (1.0 - 1e-14) * (1.0 - 1e-6 / clipped.norm_before));
        }
        // The direction stays: every entry has the same factor.
        for (&got, &before) in got.iter().zip(&gradient) {
            prop_assert_eq!(got, before * clipped.factor);
        }
    }

    #[test]
    fn clipping_again_changes_next_to_nothing(gradient in gradients(), max_norm in 0.01..100.0) {
        let mut once = gradient.clone();
        let _ = clip_norm(&mut once, max_norm);
        let factor = clip_norm(&mut once, max_norm).factor;
        prop_assert!(factor >= 1.0 - 1.01e-6 / max_norm, "{}", factor);
    }

    #[test]
    fn values_are_cut_to_the_limit(gradient in gradients(), limit in 0.0..100.0) {
        let mut got = gradient.clone();
        let clipped = clip_value(&mut got, limit);
        let want: Vec<f64> = gradient.iter().map(|x| x.clamp(-limit, limit)).collect();
        prop_assert_eq!(&got, &want);
        prop_assert_eq!(clipped.cut, gradient.iter().filter(|x| x.abs() > limit).count());
        prop_assert_eq!(clipped.factor, 1.0);
        prop_assert_eq!(clip_value(&mut got, limit).cut, 0);
    }
}

#[test]
fn extreme_norms_neither_overflow_nor_underflow() {
    let mut huge = [3e300_f64, -4e300];
    assert_eq!(clip_norm(&mut huge, 5.0).norm_before, 5e300);
    // The factor 10⁻³⁰⁰ is rounded, and so is each product.
    assert!((huge[0] - 3.0).abs() < 1e-14 && (huge[1] + 4.0).abs() < 1e-14, "{huge:?}");

    let mut tiny = [3e-300, -4e-300];
    let clipped = clip_norm(&mut tiny, 5.0);
    assert!((clipped.norm_before - 5e-300).abs() < 1e-314, "{clipped:?}");
    assert_eq!((clipped.factor, tiny), (1.0, [3e-300, -4e-300]));

    // The factor 10⁻⁴² is kept in `f64`: in `f32` it would be subnormal, with three digits.
    let mut single = [3e38_f32, -1e38];
    assert!(clip_norm(&mut single, 1e-3).norm_before.is_finite());
    assert!((norm(&single) / 1e-3 - 1.0).abs() < 1e-7, "{single:?}");
}

#[test]
fn zero_is_no_division_by_zero() {
    let mut zero = [0.0; 3];
    let clipped = clip_norm(&mut zero, 0.0);
    assert_eq!((clipped.norm_before, clipped.factor, zero), (0.0, 0.0, [0.0; 3]));
    assert_eq!(clip_norm(&mut [0.0; 3], 1.0).factor, 1.0);
    let mut some = [3.0, 4.0];
    assert_eq!(clip_norm(&mut some, 0.0).norm_before, 5.0);
    assert_eq!(some, [0.0, 0.0]);
    assert_eq!(clip_norm::<f64>(&mut [], 1.0).norm_before, 0.0);
}

#[test]
fn non_finite_entries_are_counted_and_passed_on() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let bits = |x: [f64; 3]| x.map(f64::to_bits);

    let mut g = [1.0, -inf, 2.0];
    let clipped = clip_norm(&mut g, 1.0);
    assert_eq!((clipped.norm_before, clipped.factor, clipped.non_finite), (inf, 0.0, 1));
    assert!(g[0] == 0.0 && g[1].is_nan() && g[2] == 0.0, "{g:?}");

    let mut g = [1.0, inf, nan];
    let clipped = clip_norm(&mut g, 1.0);
    assert_eq!(clipped.non_finite, 2);
    assert!(clipped.norm_before.is_nan() && clipped.factor.is_nan() && g.iter().all(|x| x.is_nan()));

    let mut g = [5.0, -inf, nan];
    let clipped = clip_value(&mut g, 1.0);
    assert_eq!((clipped.cut, clipped.non_finite), (2, 2));
    assert!(g[..2] == [1.0, -1.0] && g[2].is_nan(), "{g:?}");

    let mut g = [5.0, -inf, nan];
    let clipped = Clip::None.apply(&mut g);
    assert_eq!((clipped.factor, clipped.cut, clipped.non_finite), (1.0, 0, 2));
    assert_eq!(bits(g), bits([5.0, -inf, nan]));
}

#[test]
fn a_config_reads_as_it_is_written() {
    for (clip, json) in [
        (Clip::None, r#""none""#),
        (Clip::Norm(1.0), r#"{"norm":1.0}"#),
        (Clip::Value(0.5), r#"{"value":0.5}"#),
    ] {
        assert_eq!(serde_json::to_string(&clip).unwrap(), json);
        assert_eq!(serde_json::from_str::<Clip>(json).unwrap(), clip);
    }
    let error = serde_json::from_str::<Clip>(r#"{"norm":-1.0}"#).unwrap_err().to_string();
    assert!(error.contains("a clip's limit must be 0 or more, not -1"), "{error}");
    assert!(serde_json::from_str::<Clip>(r#"{"nrom":1.0}"#).is_err());
}

#[test]
#[should_panic(expected = "clip_norm: the greatest norm must be 0 or more, not -1")]
fn a_negative_norm_panics() {
    let _ = clip_norm(&mut [1.0], -1.0);
}

#[test]
#[should_panic(expected = "clip_value: the limit must be 0 or more, not NaN")]
fn a_limit_of_nan_panics() {
    let _ = clip_value(&mut [1.0], f64::NAN);
}
