//! What clipping promises, for any gradient.

use longlag_numerics::Span;
use longlag_numerics::slice::norm;
use longlag_optim::*;
use proptest::prelude::*;

/// The one span there is.
fn whole(shape: [usize; 2]) -> Span {
    Span { name: "w".into(), shape, start: 0 }
}

/// Gradients of 1 to 20 entries, their sizes from 10⁻³⁰⁰ to 10³⁰⁰.
fn gradients() -> impl Strategy<Value = Vec<f64>> {
    (-300..300, prop::collection::vec(-9.9..9.9, 1..20)).prop_map(|(exponent, x): (i32, Vec<f64>)| {
        let scale: f64 = format!("1e{exponent}").parse().unwrap();
        x.iter().map(|x| x * scale).collect()
    })
}

proptest! {
    /// A norm in parts is the norm of the whole; orders lie between the largest magnitude and the sum.
    #[test]
    fn norms_of_every_order_bound_each_other(gradient in gradients(), p in 1.0..8.0) {
        let norms = [1.0, p, f64::INFINITY].map(|p| p_norm(&gradient, p));
        prop_assert!(norms[2] <= norms[1] * (1.0 + 1e-14) && norms[1] <= norms[0] * (1.0 + 1e-14), "{:?}", norms);
        let mut clipped = gradient.clone();
        let seen = clip_p_norm(&mut clipped, p, 0.5);
        prop_assert_eq!(seen.norm_before, norms[1]);
        prop_assert!(p_norm(&clipped, p) <= 0.5 * (1.0 + 1e-13));
        // Apart from a gap, which stays as it is.
        let mut gapped = gradient.clone();
        gapped.insert(gradient.len() / 2, 7.5);
        let spans = [(0, gradient.len() / 2), (gradient.len() / 2 + 1, gradient.len() - gradient.len() / 2)];
        let spans: Vec<Span> = spans
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(start, n)| Span { name: start.to_string(), shape: [1, n], start })
            .collect();
        let parts = Clip::PNorm { p, limit: 0.5 }.apply(&mut gapped, &[], &spans);
        prop_assert!((parts.norm_before / norms[1] - 1.0).abs() < 1e-14);
        prop_assert_eq!(gapped.remove(gradient.len() / 2), 7.5);
        for (a, b) in gapped.iter().zip(&clipped) {
            prop_assert!((a - b).abs() <= 1e-13 * b.abs());
        }
    }

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
    let clipped = Clip::None.apply(&mut g, &[], &[whole([1, 3])]);
    assert_eq!((clipped.factor, clipped.cut, clipped.non_finite), (1.0, 0, 2));
    assert_eq!(bits(g), bits([5.0, -inf, nan]));
}

#[test]
fn adaptive_clipping_goes_row_by_row() {
    // Norms of the parameters' rows: 5, 0 (which counts as 0.5), 13.
    let parameters = [3.0, 4.0, 0.0, 0.0, 5.0, 12.0];
    let mut gradient: [f64; 6] = [0.6, 0.8, 0.0, 2.0, -3.0, 4.0];
    let clip = Clip::Adaptive { factor: 0.1, epsilon: 0.5 };
    let clipped = clip.apply(&mut gradient, &parameters, &[whole([3, 2])]);
    let want = [0.3, 0.4, 0.0, 0.05, -3.0 * 0.26, 4.0 * 0.26];
    for (got, want) in gradient.iter().zip(want) {
        assert!((got - want).abs() < 1e-15, "{gradient:?}");
    }
    assert_eq!((clipped.cut, clipped.fired()), (3, true));
    assert!((clipped.factor - 0.025).abs() < 1e-16);
    // A second time there is next to nothing to do; a row within its share stays to the bit.
    let mut small = [0.3, 0.3, 0.0, 0.0, 1.0, 0.1];
    let before = small;
    assert!(!clip.apply(&mut small, &parameters, &[whole([3, 2])]).fired());
    assert_eq!(small, before);
}

#[test]
fn telemetry_says_how_often_and_by_how_much() {
    let mut telemetry = ClipTelemetry::default();
    for size in [0.1, 4.0, 8.0, 1.0] {
        telemetry.add(&clip_norm(&mut [size], 2.0));
    }
    assert_eq!((telemetry.updates, telemetry.fired, telemetry.largest_norm), (4, 2, 8.0));
    let factors = [2.0 / (4.0 + 1e-6), 2.0 / (8.0 + 1e-6)];
    assert_eq!((telemetry.share(), telemetry.smallest_factor), (0.5, factors[1]));
    assert_eq!(telemetry.mean_factor(), (factors[0] + factors[1]) / 2.0);
    let bytes = postcard::to_allocvec(&telemetry).unwrap();
    assert_eq!(postcard::from_bytes::<ClipTelemetry>(&bytes).unwrap(), telemetry);
}

#[test]
fn groups_are_clipped_by_themselves() {
    let spans: Vec<Span> = [("l.weight", 0, 2), ("l.bias", 2, 1), ("m.weight", 3, 2), ("m.bias", 5, 1)]
        .map(|(name, start, n)| Span { name: name.into(), shape: [1, n], start })
        .into();
    let biases = Group { clip: Some(Clip::Value(1.0)), weight_decay: Some(0.0), ..Group::new(["*.bias"]) };
    let frozen = Group { learning_rate_factor: 0.0, ..Group::new(["m.weight"]) };
    let groups = Groups::new(&[biases.clone(), frozen], Clip::Norm(5.0), &spans).unwrap();
    let mut gradient = [3.0, 6.0, 9.0, 6.0, 0.0, 0.5];
    let mut seen = Vec::new();
    groups.clip(&mut gradient, &[0.0; 6], |index, clipped| {
        seen.push((index, clipped.norm_before, clipped.cut))
    });
    // 3, 6, 6 and 0 have the norm 9.
    assert_eq!((seen[0], seen[1].0, seen[1].2), ((0, 9.0, 0), 1, 1));
    let factor = 5.0 / (9.0 + 1e-6);
    assert_eq!(gradient, [3.0 * factor, 6.0 * factor, 1.0, 6.0 * factor, 0.0, 0.5]);

    // θ ← θ − η·(g + λ·θ), without λ for biases and not at all for what is frozen.
    let config =
        OptimizerConfig::Sgd(SgdConfig { learning_rate: 0.5, weight_decay: 0.1, ..SgdConfig::default() });
    let mut parameters = [1.0; 6];
    groups.optimizer(config, 6).step(&mut parameters, &[1.0; 6]);
    assert_eq!(parameters, [1.0 - 0.5 * 1.1, 1.0 - 0.5 * 1.1, 0.5, 1.0, 1.0, 0.5]);

    let error = Groups::new(&[Group::new(["bais"])], Clip::None, &spans).unwrap_err().to_string();
    assert!(error.contains("`bais`, which is no parameter; there are: l.weight, l.bias"), "{error}");
    let error = Groups::new(&[biases, Group::new(["l.*"])], Clip::None, &spans).unwrap_err().to_string();
    assert_eq!(error, "the parameter `l.bias` is in two groups");
    let error = serde_json::from_str::<Group>(r#"{"parameters":["a"],"weight_decay":-1}"#).unwrap_err();
    assert!(error.to_string().contains("-1 must be 0 or more"), "{error}");
}

#[test]
fn a_config_reads_as_it_is_written() {
    for (clip, json) in [
        (Clip::PNorm { p: 3.0, limit: 1.0 }, r#"{"p_norm":{"p":3.0,"limit":1.0}}"#),
        (Clip::PNorm { p: f64::INFINITY, limit: 1.0 }, r#"{"p_norm":{"p":"inf","limit":1.0}}"#),
        (Clip::Adaptive { factor: 0.01, epsilon: 1e-3 }, r#"{"adaptive":{"factor":0.01,"epsilon":0.001}}"#),
        (Clip::None, r#""none""#),
        (Clip::Norm(1.0), r#"{"norm":1.0}"#),
        (Clip::Value(0.5), r#"{"value":0.5}"#),
    ] {
        assert_eq!(serde_json::to_string(&clip).unwrap(), json);
        assert_eq!(serde_json::from_str::<Clip>(json).unwrap(), clip);
    }
    let error = serde_json::from_str::<Clip>(r#"{"norm":-1.0}"#).unwrap_err().to_string();
    assert!(error.contains("a clip's limit must be 0 or more, not -1"), "{error}");
    for (json, want) in [
        (r#"{"nrom":1.0}"#, "unknown variant `nrom`"),
        (r#"{"p_norm":{"p":0.5,"limit":1.0}}"#, "a norm's order must be 1 or more, not 0.5"),
        (r#"{"p_norm":{"p":"two","limit":1.0}}"#, "a number or \"inf\", not \"two\""),
        (r#"{"adaptive":{"factor":0.1,"eps":1.0}}"#, "unknown field `eps`"),
    ] {
        let error = serde_json::from_str::<Clip>(json).unwrap_err().to_string();
        assert!(error.contains(want), "{json}: {error}");
    }
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
