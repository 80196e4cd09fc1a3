//! The generator's numbers, to the bit, and that they are distributed as they should be.
//!
//! The seeds are fixed, so no statistical test here fails now and then.

use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use std::fmt::Write;

#[test]
fn first_samples() {
    let mut text = String::new();
    for (seed, rng) in [(0, Rng::new(0)), (1997, Rng::new(1997))] {
        for (name, rng) in [
            ("itself", rng.clone()),
            ("stream \"weights\"", rng.stream("weights")),
            ("stream \"weights\", stream \"layer 0\"", rng.stream("weights").stream("layer 0")),
        ] {
            writeln!(text, "seed {seed}, {name}").unwrap();
            let mut draw = rng.clone();
            let words: Vec<_> = (0..4).map(|_| format!("{:016x}", draw.bits())).collect();
            writeln!(text, "  words        {}", words.join(" ")).unwrap();
            for (what, f) in [
                ("uniform     ", Rng::uniform as fn(&mut Rng) -> f64),
                ("in [-2, 6)  ", |rng| rng.uniform_in(-2.0, 6.0)),
                ("normal      ", Rng::normal),
            ] {
                let mut draw = rng.clone();
                for _ in 0..3 {
                    let x = f(&mut draw);
                    writeln!(text, "  {what} {:016x} {x:?}", x.to_bits()).unwrap();
                }
            }
            let mut draw = rng.clone();
            let below: Vec<_> = [2, 10, 1797, 1 << 40, u64::MAX].map(|n| draw.below(n).to_string()).into();
            writeln!(text, "  below 2, 10, 1797, 2^40, 2^64-1: {}", below.join(" ")).unwrap();
            writeln!(text, "  permutation of 12: {:?}", rng.clone().permutation(12)).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn streams_are_independent_of_each_other_and_of_what_was_drawn() {
    let rng = Rng::new(3);
    let first = |rng: &Rng| rng.clone().bits();
    let all = [
        first(&rng),
        first(&Rng::new(4)),
        first(&Rng::new(3 << 32)),
        first(&rng.stream("")),
        first(&rng.stream("a")),
        first(&rng.stream("b")),
        first(&rng.stream("a").stream("b")),
        first(&rng.stream("b").stream("a")),
        first(&rng.stream("a").stream("a")),
        first(&rng.stream("ab")),
        first(&Rng::new(4).stream("a")),
    ];
    for (i, x) in all.iter().enumerate() {
        assert!(!all[..i].contains(x), "stream {i} repeats another");
    }
    let mut used = rng.clone();
    for _ in 0..100 {
        used.bits();
    }
    assert_eq!(first(&used.stream("a")), first(&rng.stream("a")));
    let mut copy = used.clone();
    assert_eq!([copy.bits(), copy.bits()], [used.bits(), used.bits()]);
}

#[test]
fn chacha8_is_chacha8() {
    // Key and nonce 0, as published with the eSTREAM test vectors of ChaCha8 (256-bit key, test vector TC1).
    let mut rng = Rng::new(0);
    assert_eq!(rng.bits().to_le_bytes(), [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
    assert_eq!(rng.bits().to_le_bytes(), [0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1]);
}

const N: usize = 100_000;

/// Asserts that the mean and the variance of N samples are within five standard errors of what they should be.
fn check_moments(mut draw: impl FnMut() -> f64, mean: f64, variance: f64, fourth_moment: f64) {
    let x: Vec<f64> = (0..N).map(|_| draw()).collect();
    let m = x.iter().sum::<f64>() / N as f64;
    let v = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / N as f64;
    let error = (variance / N as f64).sqrt();
    assert!((m - mean).abs() < 5.0 * error, "the mean is {m}, not {mean} ± {error}");
    let error = ((fourth_moment - variance * variance) / N as f64).sqrt();
    assert!((v - variance).abs() < 5.0 * error, "the variance is {v}, not {variance} ± {error}");
}

/// Asserts that N samples follow the distribution function `f`: Kolmogorov and Smirnov's largest distance,
/// which passes 2.3/√N once in 20 000 times.
fn check_distribution(mut draw: impl FnMut() -> f64, f: impl Fn(f64) -> f64) {
    let mut x: Vec<f64> = (0..N).map(|_| draw()).collect();
    x.sort_by(f64::total_cmp);
    let distance =
        |i: usize, x: f64| (f(x) - i as f64 / N as f64).abs().max((f(x) - (i + 1) as f64 / N as f64).abs());
    let largest = x.iter().enumerate().map(|(i, &x)| distance(i, x)).fold(0.0, f64::max);
    assert!(largest < 2.3 / (N as f64).sqrt(), "distance {largest}");
}

/// The normal distribution function, by Marsaglia's series, "Evaluating the normal distribution", Journal of
/// Statistical Software 11(4), 2004; good to 1e-12 for the |x| < 6 that occur here.
fn normal_distribution(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for i in 1..200 {
        term *= x * x / f64::from(2 * i + 1);
        sum += term;
    }
    0.5 + sum * Real::exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn uniforms_are_uniform() {
    let mut rng = Rng::new(11);
    check_moments(|| rng.uniform(), 0.5, 1.0 / 12.0, 1.0 / 80.0);
    check_distribution(|| rng.uniform(), |x| x);
    check_distribution(|| rng.uniform_in(-3.0, 5.0), |x| (x + 3.0) / 8.0);
}

#[test]
fn a_uniform_never_is_its_upper_end() {
    let mut rng = Rng::new(12);
    let above = 1.0 + f64::EPSILON;
    for _ in 0..1000 {
        // Half of the products round to the upper end here.
        assert_eq!(rng.uniform_in(1.0, above), 1.0);
        assert!((-1e-320..0.0).contains(&rng.uniform_in(-1e-320, 0.0)));
    }
}

#[test]
fn normals_are_normal() {
    let mut rng = Rng::new(13);
    check_moments(|| rng.normal(), 0.0, 1.0, 3.0);
    check_distribution(|| rng.normal(), normal_distribution);
    // Neighbours don't depend on each other: their product has mean 0 and variance 1.
    check_moments(|| rng.normal() * rng.normal(), 0.0, 1.0, 9.0);
    // The tail: 100 000 normals pass 3 in magnitude 270 ± 16 times.
    let far = (0..N).filter(|_| rng.normal().abs() > 3.0).count();
    assert!(far.abs_diff(270) < 5 * 16, "{far}");
}

/// Asserts that all of the counts' cells are equally likely: Pearson's χ² within five standard deviations.
fn check_equally_likely(counts: &[usize]) {
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    let chi2: f64 = counts.iter().map(|&n| (n as f64 - expected) * (n as f64 - expected) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    assert!((chi2 - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "χ² is {chi2} at {freedom} degrees");
}

#[test]
fn whole_numbers_are_equally_likely() {
    let mut rng = Rng::new(14);
    for n in [2, 3, 10, 97] {
        let mut counts = vec![0; n];
        for _ in 0..N {
            counts[rng.below(n as u64) as usize] += 1;
        }
        check_equally_likely(&counts);
    }
    // Of 3·2⁶² numbers, taking the remainder would make the first third twice as likely.
    let mut thirds = [0; 3];
    for _ in 0..N {
        thirds[(rng.below(3 << 62) >> 62) as usize] += 1;
    }
    check_equally_likely(&thirds);
    assert_eq!(rng.below(1), 0);
}

#[test]
fn orders_are_equally_likely() {
    let mut rng = Rng::new(15);
    let mut counts = [0; 24];
    for _ in 0..N {
        let p = rng.permutation(4);
        let mut sorted = p.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3]);
        // The rank of the order among all 24.
        let rank =
            (0..4).fold(0, |rank, i| rank * (4 - i) + p[i + 1..].iter().filter(|&&x| x < p[i]).count());
        counts[rank] += 1;
    }
    check_equally_likely(&counts);
    rng.shuffle::<u8>(&mut []);
}

#[test]
#[should_panic(expected = "below: no whole number is below 0")]
fn nothing_is_below_0() {
    Rng::new(0).below(0);
}

#[test]
#[should_panic(expected = "uniform_in: no numbers from 1 to below 1")]
fn an_empty_interval_has_no_numbers() {
    Rng::new(0).uniform_in(1.0, 1.0);
}
