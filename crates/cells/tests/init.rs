//! What every initialiser promises, and the eigenvalues behind the spectral radius.

use longlag_cells::init::{
    Fan, Init, NoSpectralRadius, Nonlinearity, forget_gate_bias,
    scale_to_spectral_radius, spectral_radius,
};
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real};
use ndarray::{Array2, ArrayView2, array};

fn filled(
    init: Init,
    shape: (usize, usize),
    hidden: usize,
    seed: u64,
) -> Array2<f64> {
    let mut matrix = Array2::from_elem(shape, f64::NAN);
    init.fill(matrix.view_mut(), hidden, &mut Rng::new(seed));
    matrix
}

fn times(a: ArrayView2<f64>, b: ArrayView2<f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    product(a, b, c.view_mut(), false);
    c
}

/// Mean and standard deviation.
fn moments(x: &Array2<f64>) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (mean, (x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt())
}

/// Mean 0 and the standard deviation, both within five standard errors of a sample of this size.
#[track_caller]
fn check_moments(x: &Array2<f64>, deviation: f64) {
    let (mean, got) = moments(x);
    let error = 5.0 / (x.len() as f64).sqrt();
    assert!(mean.abs() < error * deviation, "mean {mean}");
    assert!(
        (got / deviation - 1.0).abs() < error,
        "standard deviation {got}, not {deviation}"
    );
}

#[track_caller]
fn check_uniform(x: &Array2<f64>, bound: f64) {
    assert!(x.iter().all(|x| x.abs() <= bound));
    let most = x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    assert!(
        most > 0.999 * bound,
        "the largest of {} entries is {most}, the bound {bound}",
        x.len()
    );
    check_moments(x, bound / 3_f64.sqrt());
}

#[test]
fn uniform_has_the_bound_of_the_hidden_size() {
    check_uniform(&filled(Init::Uniform, (4 * 64, 28), 64, 1), 0.125);
}

#[test]
fn xavier_has_the_bound_of_both_sides() {
    check_uniform(&filled(Init::Xavier { gain: 1.0 }, (120, 30), 30, 1), 0.2);
    check_uniform(
        &filled(Init::Xavier { gain: 5.0 / 3.0 }, (30, 120), 30, 1),
        1.0 / 3.0,
    );
}

#[test]
fn gaussian_has_variance_gain_squared_over_hidden() {
    let x = filled(Init::Gaussian { gain: 1.5 }, (4 * 64, 64), 64, 1);
    check_moments(&x, 1.5 / 8.0);
    // Unlike the uniform: of a normal distribution, 4.55 % lie beyond two standard deviations.
    let beyond = x.iter().filter(|x| x.abs() > 3.0 / 8.0).count() as f64
        / x.len() as f64;
    assert!((beyond - 0.0455).abs() < 0.01, "{beyond}");
}

/// The largest difference of `gain`⁻²·x·xᵀ (or xᵀ·x, if x has more rows) from the identity.
fn distance_from_orthogonal(x: ArrayView2<f64>, gain: f64) -> f64 {
    let x = if x.nrows() > x.ncols() { x.reversed_axes() } else { x };
    let square = times(x, x.t()) / (gain * gain);
    (square - Array2::<f64>::eye(x.nrows()))
        .iter()
        .fold(0.0, |most, x| most.max(x.abs()))
}

#[test]
fn orthogonal_is_orthogonal_block_by_block() {
    for (rows, columns, hidden, gain) in [
        (1, 1, 1, 1.0),
        (2, 2, 2, 1.0),
        (50, 50, 50, 1.0),
        (50, 50, 50, 0.3),
        (90, 30, 30, 2.0),
        (60, 10, 20, 1.0),
        (20, 45, 5, 1.5),
    ] {
        let x = filled(Init::Orthogonal { gain }, (rows, columns), hidden, 7);
        for block in x.axis_chunks_iter(ndarray::Axis(0), hidden) {
            let distance = distance_from_orthogonal(block, gain);
            assert!(
                distance < 1e-15 * hidden.max(columns) as f64,
                "{rows}×{columns}: {distance:e}"
            );
        }
    }
}

#[test]
fn gate_blocks_are_drawn_independently() {
    for init in
        [Init::Orthogonal { gain: 1.0 }, Init::SpectralRadius { radius: 1.0 }]
    {
        let x = filled(init, (16, 8), 8, 3);
        assert_ne!(x[[0, 0]], x[[8, 0]], "{init:?}");
    }
}

/// By Haar's measure on the orthogonal 3×3 matrices, an entry has mean 0 and mean square 1/3, the trace mean 0
/// and mean square 1, and half the determinants are −1. A plain Q of Q·R has diagonal entries below 0.
#[test]
fn orthogonal_is_uniform() {
    let n = 20_000;
    let mut rng = Rng::new(5);
    let mut x = Array2::<f64>::zeros((3, 3));
    let (mut entry, mut square, mut trace, mut trace_square, mut reflections) = (
        Array2::<f64>::zeros((3, 3)),
        Array2::<f64>::zeros((3, 3)),
        0.0,
        0.0,
        0.0,
    );
    for _ in 0..n {
        Init::Orthogonal { gain: 1.0 }.fill(x.view_mut(), 3, &mut rng);
        let t = x.diag().iter().sum::<f64>();
        let minor = |i, j| x[[1, i]] * x[[2, j]] - x[[1, j]] * x[[2, i]];
        let determinant = x[[0, 0]] * minor(1, 2) - x[[0, 1]] * minor(0, 2)
            + x[[0, 2]] * minor(0, 1);
        assert!((determinant.abs() - 1.0).abs() < 1e-14);
        entry += &x;
        square += &(&x * &x);
        trace += t;
        trace_square += t * t;
        reflections += f64::from(determinant < 0.0);
    }
    // Five standard errors of the noisiest of these means, the trace's square (its variance is below 4).
    let error = 10.0 / f64::from(n).sqrt();
    let close = |sum: f64, want: f64| (sum / f64::from(n) - want).abs() < error;
    assert!(entry.iter().all(|&x| close(x, 0.0)), "{entry}");
    assert!(square.iter().all(|&x| close(x, 1.0 / 3.0)), "{square}");
    assert!(
        close(trace, 0.0)
            && close(trace_square, 1.0)
            && close(reflections, 0.5)
    );
}

#[test]
fn identity_stands_in_every_block() {
    let x = filled(Init::Identity { scale: 0.5 }, (4, 3), 2, 1);
    assert_eq!(
        x,
        array![
            [0.5, 0.0, 0.0],
            [0.0, 0.5, 0.0],
            [0.5, 0.0, 0.0],
            [0.0, 0.5, 0.0]
        ]
    );
}

#[test]
fn the_spectral_radius_is_exact_in_every_block() {
    for hidden in [1, 2, 3, 10, 64] {
        for radius in [0.25, 0.95, 1.0, 2.5] {
            let x = filled(
                Init::SpectralRadius { radius },
                (3 * hidden, hidden),
                hidden,
                11,
            );
            for block in x.axis_chunks_iter(ndarray::Axis(0), hidden) {
                let got = spectral_radius(block);
                // The eigenvalues of a Gaussian matrix move by a small multiple of what its entries move.
                assert!(
                    (got / radius - 1.0).abs() < 1e-12,
                    "{hidden}: {got}, not {radius}"
                );
                assert!((oracle(block) / radius - 1.0).abs() < 1e-12);
            }
        }
    }
}

/// Φ(x), by its series around 0 (Abramowitz & Stegun 26.2.10): exact to ten digits for |x| < 5.
fn normal_below(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..100 {
        let n = f64::from(n);
        term *= -x * x * (2.0 * n - 1.0) / (2.0 * n * (2.0 * n + 1.0));
        sum += term;
    }
    let below = 0.5 + sum / (2.0 * std::f64::consts::PI).sqrt();
    if x.abs() < 5.0 { below } else { f64::from(u8::from(x > 0.0)) }
}

/// The Kolmogorov–Smirnov distance of a sample from its distribution is at most 2.2/√n but in one of 8000 samples.
#[track_caller]
fn check_distribution(x: &Array2<f64>, below: &dyn Fn(f64) -> f64) {
    let mut x: Vec<f64> = x.iter().copied().collect();
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    let steps = x.iter().enumerate().map(|(k, &x)| {
        let (k, below) = (k as f64, below(x));
        (below - k / n).abs().max((below - (k + 1.0) / n).abs())
    });
    let distance = steps.fold(0.0, f64::max);
    assert!(distance <= 2.2 / n.sqrt(), "the distance is {distance}");
}

#[test]
fn smart_tanh_has_fifteen_connections_and_the_radius() {
    for (hidden, connections) in [(50, 15), (20, 15), (10, 10)] {
        let x = filled(Init::SMART_TANH, (2 * hidden, hidden), hidden, 1);
        for block in x.axis_chunks_iter(ndarray::Axis(0), hidden) {
            for row in block.rows() {
                let there = row.iter().filter(|&&x| x != 0.0).count();
                assert_eq!(there, connections);
            }
            let got = spectral_radius(block);
            assert!((got / 0.95 - 1.0).abs() < 1e-12, "{got}");
        }
        // Which ones they are differs from row to row, and from block to block.
        if connections < hidden {
            let there = |row: usize| x.row(row).mapv(|x| x != 0.0);
            assert_ne!(there(0), there(1));
            assert_ne!(there(0), there(hidden));
        }
    }
    let json = r#"{"smart_tanh":{"connections":1}}"#;
    let one: Init = serde_json::from_str(json).unwrap();
    let x = filled(one, (30, 30), 30, 2);
    assert_eq!(x.iter().filter(|&&x| x != 0.0).count(), 30);
    assert!(Init::SMART_TANH.check([16, 3], 4).is_err());
}

#[test]
fn a_truncated_normal_has_no_tails() {
    for bound in [0.1, 1.0, 1.4, 1.6, 2.0, 4.0] {
        let (mean, deviation) = (0.5, 0.2);
        let init = Init::TruncatedNormal { mean, deviation, bound };
        let x = filled(init, (100, 100), 100, 3);
        let far = bound * deviation * (1.0 + f64::EPSILON);
        assert!(x.iter().all(|x| (x - mean).abs() <= far + f64::EPSILON));
        let inside = 2.0 * normal_below(bound) - 1.0;
        check_distribution(&x, &|x| {
            let below = normal_below((x - mean) / deviation);
            (below - normal_below(-bound)) / inside
        });
    }
}

#[test]
fn a_progression_runs_along_the_row() {
    let init = Init::Progression { first: -1.0, step: -2.0 };
    assert_eq!(filled(init, (1, 3), 3, 1), array![[-1.0, -3.0, -5.0]]);
}

#[test]
fn single_precision_gets_the_rounded_numbers() {
    for init in [
        Init::Uniform,
        Init::Xavier { gain: 1.0 },
        Init::Gaussian { gain: 1.0 },
        Init::Orthogonal { gain: 1.0 },
    ] {
        let mut single = Array2::<f32>::zeros((12, 6));
        init.fill(single.view_mut(), 6, &mut Rng::new(9));
        assert_eq!(
            single,
            filled(init, (12, 6), 6, 9).mapv(|x| x as f32),
            "{init:?}"
        );
    }
}

#[test]
fn the_layout_of_the_memory_does_not_matter() {
    for init in [
        Init::Uniform,
        Init::Orthogonal { gain: 1.0 },
        Init::SpectralRadius { radius: 1.0 },
    ] {
        let mut transposed = Array2::<f64>::zeros((5, 10));
        init.fill(transposed.view_mut().reversed_axes(), 5, &mut Rng::new(2));
        assert_eq!(
            transposed.reversed_axes(),
            filled(init, (10, 5), 5, 2),
            "{init:?}"
        );
    }
}

#[test]
fn a_config_reads_as_it_is_written() {
    let cases = [
        (Init::Zero, r#""zero""#),
        (Init::Uniform, r#""uniform""#),
        (Init::Xavier { gain: 1.0 }, r#"{"xavier":{"gain":1.0}}"#),
        (Init::Orthogonal { gain: 0.5 }, r#"{"orthogonal":{"gain":0.5}}"#),
        (Init::Gaussian { gain: 1.5 }, r#"{"gaussian":{"gain":1.5}}"#),
        (Init::Identity { scale: 0.01 }, r#"{"identity":{"scale":0.01}}"#),
        (
            Init::SpectralRadius { radius: 0.95 },
            r#"{"spectral_radius":{"radius":0.95}}"#,
        ),
        (
            Init::SMART_TANH,
            r#"{"smart_tanh":{"connections":15,"radius":0.95}}"#,
        ),
        (Init::Constant { value: 1.0 }, r#"{"constant":{"value":1.0}}"#),
        (
            Init::Progression { first: -1.0, step: -1.0 },
            r#"{"progression":{"first":-1.0,"step":-1.0}}"#,
        ),
        (
            Init::UniformIn { low: -0.1, high: 0.1 },
            r#"{"uniform_in":{"low":-0.1,"high":0.1}}"#,
        ),
        (
            Init::Normal { mean: 0.0, deviation: 0.1 },
            r#"{"normal":{"mean":0.0,"deviation":0.1}}"#,
        ),
        (
            Init::TruncatedNormal { mean: 0.0, deviation: 0.1, bound: 2.0 },
            r#"{"truncated_normal":{"mean":0.0,"deviation":0.1,"bound":2.0}}"#,
        ),
        (Init::XavierNormal { gain: 1.0 }, r#"{"xavier_normal":{"gain":1.0}}"#),
        (
            Init::KaimingNormal {
                fan: Fan::Out,
                nonlinearity: Nonlinearity::Tanh,
            },
            r#"{"kaiming_normal":{"fan":"out","nonlinearity":"tanh"}}"#,
        ),
        (
            Init::KaimingUniform {
                fan: Fan::In,
                nonlinearity: Nonlinearity::LeakyRelu { slope: 0.2 },
            },
            r#"{"kaiming_uniform":{"fan":"in","nonlinearity":{"leaky_relu":{"slope":0.2}}}}"#,
        ),
    ];
    for (init, json) in cases {
        assert_eq!(serde_json::to_string(&init).unwrap(), json);
        assert_eq!(serde_json::from_str::<Init>(json).unwrap(), init);
    }
    let short: Init = serde_json::from_str(r#"{"orthogonal":{}}"#).unwrap();
    assert_eq!(short, Init::Orthogonal { gain: 1.0 });
    for (json, want) in [
        (
            r#"{"orthogonal":{"gian":1.0}}"#,
            "unknown field `gian`, expected `gain`",
        ),
        (
            r#"{"spectral_radius":{"radius":-1.0}}"#,
            "-1 must be 0 or more at line 1",
        ),
        (r#"{"spectral_radius":{}}"#, "missing field `radius`"),
        (r#"{"smart_tanh":{"connections":0}}"#, "expected a nonzero"),
        (r#"{"normal":{"deviation":-1.0}}"#, "-1 must be 0 or more at line 1"),
    ] {
        let error = serde_json::from_str::<Init>(json).unwrap_err().to_string();
        assert!(error.contains(want), "{json}: {error}");
    }
}

#[test]
fn zero_fills_anything() {
    assert_eq!(
        filled(Init::Zero, (1, 12), 3, 1),
        Array2::<f64>::zeros((1, 12))
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let radius = Init::SpectralRadius { radius: 1.0 };
    let orthogonal = Init::Orthogonal { gain: 1.0 };
    for (init, shape, fits) in [
        (Init::Uniform, [1, 16], true),
        (Init::Gaussian { gain: 1.0 }, [10, 3], true),
        (orthogonal, [16, 3], true),
        (orthogonal, [1, 16], false),
        (Init::Identity { scale: 1.0 }, [16, 3], true),
        (Init::Identity { scale: 1.0 }, [10, 4], false),
        (radius, [16, 4], true),
        (radius, [16, 3], false),
        (radius, [10, 4], false),
    ] {
        assert_eq!(init.check(shape, 4).is_ok(), fits, "{init:?}, {shape:?}");
    }
    assert_eq!(
        radius.check([16, 3], 4).unwrap_err().to_string(),
        "SpectralRadius { radius: 1.0 } fills whole square blocks of 4 rows, not a matrix of 16 × 3"
    );
}

#[test]
#[should_panic(
    expected = "fill: Orthogonal { gain: 1.0 } fills whole blocks of 4 rows, not a matrix of 10 × 4"
)]
fn half_a_block_panics() {
    filled(Init::Orthogonal { gain: 1.0 }, (10, 4), 4, 1);
}

#[test]
#[should_panic(expected = "spectral_radius: the shape [4, 3] isn't square")]
fn a_spectral_radius_needs_a_square() {
    spectral_radius(Array2::<f64>::zeros((4, 3)).view());
}

#[test]
fn the_forget_gate_gets_its_bias_once() {
    let mut p = Parameters::default();
    p.push("weight", [2, 4], 9.0);
    p.push("bias_ih", [1, 8], 1.0);
    p.push("bias_hh", [1, 8], 2.0);
    forget_gate_bias(&mut p, "bias_ih", "bias_hh", 5.0);
    assert_eq!(p.view("weight"), Array2::from_elem((2, 4), 9.0));
    assert_eq!(
        p.view("bias_ih"),
        array![[1.0, 1.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0]]
    );
    assert_eq!(
        p.view("bias_hh"),
        array![[2.0, 2.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0]]
    );
}

#[test]
#[should_panic(expected = "gate_bias: `b` has 6 entries, not 4·H")]
fn a_bias_of_another_cell_panics() {
    let mut p = Parameters::default();
    p.push("b", [1, 6], 0.0_f32);
    forget_gate_bias(&mut p, "b", "b", 1.0);
}

/// nalgebra's eigenvalues: another implementation.
fn oracle(a: ArrayView2<f64>) -> f64 {
    let a = nalgebra::DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[[i, j]]);
    a.complex_eigenvalues().iter().fold(0.0, |most: f64, x| most.max(x.norm()))
}

#[track_caller]
fn check_radius(a: &Array2<f64>, want: f64, relative: f64) {
    let got = spectral_radius(a.view());
    assert!(
        (got - want).abs() <= relative * want,
        "{got:?}, not {want:?}, off by {:e}\n{a}",
        got / want - 1.0
    );
}

/// The companion matrix of the monic polynomial with these roots: they are its eigenvalues.
fn companion(roots: &[f64]) -> Array2<f64> {
    let n = roots.len();
    let mut coefficients = vec![0.0; n + 1];
    coefficients[0] = 1.0;
    for (degree, root) in roots.iter().enumerate() {
        for k in (0..=degree + 1).rev() {
            let lower = if k > 0 { coefficients[k - 1] } else { 0.0 };
            coefficients[k] =
                lower - root * if k <= degree { coefficients[k] } else { 0.0 };
        }
    }
    Array2::from_shape_fn((n, n), |(i, j)| {
        let below = if i == j + 1 { 1.0 } else { 0.0 };
        if j == n - 1 { -coefficients[i] } else { below }
    })
}

#[test]
fn known_spectral_radii() {
    // The polynomial's coefficients are whole numbers; rounding moves the root 5 by about cond·10⁻¹⁶.
    check_radius(&companion(&[1.0, -2.0, 3.0, -4.0, 5.0]), 5.0, 1e-13);
    check_radius(&companion(&[1.0, -1.0]), 1.0, 1e-15);
    check_radius(&array![[3.0, -4.0], [4.0, 3.0]], 5.0, 1e-15);
    check_radius(
        &array![[0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [2.0, 0.0, 0.0]],
        2.0,
        1e-15,
    );
    check_radius(
        &array![[1.0, 9.0, 9.0], [0.0, -7.0, 9.0], [0.0, 0.0, 2.0]],
        7.0,
        0.0,
    );
    check_radius(&array![[-0.5]], 0.5, 0.0);
    // All ones: rank 1, the eigenvalue n.
    check_radius(&Array2::ones((20, 20)), 20.0, 1e-14);
    assert_eq!(spectral_radius(Array2::<f64>::zeros((0, 0)).view()), 0.0);
    assert_eq!(spectral_radius(array![[1.5_f32, 0.0], [0.0, 1.0]].view()), 1.5);
}

/// The eigenvalues of a cyclic permutation are the n-th roots of 1; plain double shifts never start on it.
#[test]
fn cyclic_permutations_converge() {
    for n in 1..=64 {
        let a = Array2::from_shape_fn((n, n), |(i, j)| {
            f64::from(u8::from(i == (j + 1) % n))
        });
        check_radius(&a, 1.0, 1e-14);
    }
}

/// A k-fold defective eigenvalue: what rounding does to it is of the size ε^(1/k).
#[test]
fn defective_matrices() {
    let jordan = |k: usize, x: f64| {
        Array2::from_shape_fn((k, k), |(i, j)| {
            if i == j { x } else { f64::from(u8::from(j == i + 1)) }
        })
    };
    for k in 2..=5_u8 {
        let rounding = Real::exp(Real::ln(f64::EPSILON) / f64::from(k));
        let upper = jordan(k.into(), 0.5);
        check_radius(&upper, 0.5, 0.0);
        let lower = upper.clone().reversed_axes();
        check_radius(&lower, 0.5, 10.0 * rounding);
        // In another basis, by a reflection.
        let v = Array2::<f64>::ones((k.into(), 1));
        let p = Array2::<f64>::eye(k.into())
            - times(v.view(), v.t()) * (2.0 / f64::from(k));
        check_radius(
            &times(times(p.view(), upper.view()).view(), p.view()),
            0.5,
            10.0 * rounding,
        );
    }
}

#[test]
fn random_matrices_agree_with_nalgebra() {
    let mut rng = Rng::new(3);
    for n in 1..=64 {
        let gaussian = Array2::from_shape_simple_fn((n, n), || rng.normal());
        check_radius(&gaussian, oracle(gaussian.view()), 1e-12);
        let symmetric = &gaussian + &gaussian.t();
        check_radius(&symmetric, oracle(symmetric.view()), 1e-13);
        let orthogonal =
            filled(Init::Orthogonal { gain: 1.1 }, (n, n), n, n as u64);
        check_radius(&orthogonal, 1.1, 1e-13);
    }
    // With many zeros, blocks fall apart early; of small ones, hardly anything but zeros is left.
    for n in 24..=64 {
        let sparse =
            Array2::from_shape_simple_fn((n, n), || match rng.normal() {
                x if x.abs() < 1.5 => 0.0,
                x => x,
            });
        check_radius(&sparse, oracle(sparse.view()), 1e-12);
    }
}

#[test]
fn extreme_sizes_neither_overflow_nor_underflow() {
    let mut rng = Rng::new(4);
    let a = Array2::from_shape_simple_fn((8, 8), || rng.normal());
    let radius = spectral_radius(a.view());
    for scale in [1e300, 1e-300] {
        check_radius(&(&a * scale), radius * scale, 1e-13);
        let mut b = &a * scale;
        scale_to_spectral_radius(b.view_mut(), 0.9).unwrap();
        check_radius(&b, 0.9, 1e-13);
    }
}

#[test]
fn what_has_no_radius_to_scale_is_refused() {
    for n in [1, 2, 3, 6] {
        let zero = Array2::<f64>::zeros((n, n));
        let nilpotent = Array2::from_shape_fn((n, n), |(i, j)| {
            if i < j { 1.0 + i as f64 } else { 0.0 }
        });
        for before in [zero, nilpotent] {
            let mut a = before.clone();
            assert_eq!(
                scale_to_spectral_radius(a.view_mut(), 1.0),
                Err(NoSpectralRadius(0.0))
            );
            assert_eq!(a, before);
        }
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let mut a = array![[1.0, bad], [0.0, 1.0]];
        let error = scale_to_spectral_radius(a.view_mut(), 1.0).unwrap_err();
        assert!(error.0.is_nan());
        assert_eq!(
            error.to_string(),
            "the matrix has the spectral radius NaN: no factor makes it another one"
        );
    }
}
