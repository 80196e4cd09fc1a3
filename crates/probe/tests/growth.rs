//! Growth rates and Lyapunov exponents where they are known, and against their definitions in plain loops.

mod common;

use common::{Probed, normal2, normal3, times};
use longlag_cells::Cell;
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, product::product};
use longlag_probe::growth::{DECADES_PER_100_STEPS, GrowthProbe, LyapunovExponent, LyapunovProbe};
use longlag_probe::{RecurrentStep, StepGradients};
use ndarray::{Array2, ArrayView2, Axis, array};
use std::f64::consts::LN_10;

/// s_t = x_{t,1} A s_{t−1}.
struct Linear(Array2<f64>);
impl RecurrentStep for Linear {
    fn state_size(&self) -> usize {
        self.0.nrows()
    }
    fn step(&self, x: ArrayView2<'_, f64>, s: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut next = Array2::zeros(s.dim());
        product(s, self.0.t(), next.view_mut(), false);
        // The state itself is to stay in range.
        next.mapv_inplace(|s| s.clamp(-1.0, 1.0));
        assert_eq!(x.dim(), (s.nrows(), 1));
        next
    }
    fn vjp(&self, x: ArrayView2<'_, f64>, _: ArrayView2<'_, f64>, d: ArrayView2<'_, f64>) -> StepGradients {
        let mut d_state = Array2::zeros(d.dim());
        product(d, self.0.view(), d_state.view_mut(), false);
        d_state *= &x.column(0).insert_axis(Axis(1));
        StepGradients { d_state, d_x: Array2::zeros(x.dim()), d_z: Array2::zeros((x.nrows(), 0)) }
    }
}

fn ones(rows: usize) -> impl FnMut(usize) -> Array2<f64> {
    move |_| Array2::ones((rows, 1))
}

/// −500 decades and +500: all tangents grow alike, by 10^±0.5 a step.
#[test]
fn growth_far_beyond_the_range() {
    for factor in [10.0_f64.sqrt(), 0.1_f64.sqrt()] {
        let turn = array![[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]] * factor;
        let probe = GrowthProbe { burn_in: 3, steps: 1000, part: 0..3 };
        let growth = probe.measure(&Linear(turn), normal2((5, 3), "start").view(), ones(5), &mut Rng::new(1));
        let want = if factor > 1.0 { 50.0 } else { -50.0 };
        for rate in growth.rates.iter().chain([&growth.median, &growth.log_rms]) {
            // A thousand roundings of the factor and the products.
            assert!((rate - want).abs() < 1e-11, "{rate} for {want}");
        }
    }
}

#[test]
fn a_tangent_that_dies_has_the_rate_of_zero() {
    let nilpotent = Linear(array![[0.0, 1.0], [0.0, 0.0]]);
    let probe = GrowthProbe { burn_in: 0, steps: 2, part: 0..2 };
    let growth = probe.measure(&nilpotent, normal2((3, 2), "start").view(), ones(3), &mut Rng::new(1));
    assert_eq!((growth.median, growth.log_rms), (f64::NEG_INFINITY, f64::NEG_INFINITY));
}

/// The definition, with Jacobians by duals of the plain reference: for the RNN on its state, for the LSTM on
/// c.
#[test]
fn growth_is_as_defined() {
    const B: usize = 7;
    const I: usize = 2;
    const H: usize = 6;
    const BURN_IN: usize = 5;
    const STEPS: usize = 40;
    for (cell, part) in [(Cell::RnnTanh, 0..H), (Cell::Lstm, H..2 * H), (Cell::GruResetBefore, 0..H)] {
        let probed = Probed::new(cell, I, H, 1.3);
        let step = probed.clone().on_tape();
        let n = step.state_size();
        let (start, x) = (normal2((B, n), "start"), normal3((BURN_IN + STEPS, B, I), "x"));
        let input = |t: usize| x.index_axis(Axis(0), t - 1).to_owned();
        let probe = GrowthProbe { burn_in: BURN_IN, steps: STEPS, part: part.clone() };
        let growth = probe.measure(&step, start.view(), input, &mut Rng::new(1));

        let mut draw = Rng::new(1);
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let factors: Vec<f64> = (0..B)
            .map(|b| {
                let mut s = start.row(b).to_vec();
                let mut v = vec![0.0; n];
                v[part.clone()].fill_with(|| draw.normal());
                let before = norm(&v);
                for t in 0..BURN_IN + STEPS {
                    let x = x.index_axis(Axis(0), t).row(b).to_vec();
                    if t >= BURN_IN {
                        let [j, ..] = probed.jacobians(&x, &s);
                        v = times(&j, &Array2::from_shape_vec((n, 1), v).unwrap())
                            .into_raw_vec_and_offset()
                            .0;
                    }
                    s = probed.reference(&probed.parameters, &x, &s);
                }
                norm(&v[part.clone()]) / before
            })
            .collect();
        let per_100 = |factor: f64| 100.0 / STEPS as f64 * Real::ln(factor) / LN_10;
        let mut want: Vec<f64> = factors.iter().map(|f| per_100(*f)).collect();
        // 40 products of sums of 14 terms, times 100/40 and the logarithm's slope.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{cell}: {a} for {b}");
        growth.rates.iter().zip(&want).for_each(|(a, b)| close(*a, *b));
        close(growth.log_rms, per_100((factors.iter().map(|f| f * f).sum::<f64>() / B as f64).sqrt()));
        want.sort_by(f64::total_cmp);
        close(growth.median, want[B / 2]);
        assert!(growth.log_rms > growth.median);
    }
}

#[test]
fn the_exponents_of_a_triangular_matrix_are_the_logarithms_of_its_diagonal() {
    // Orthogonal coordinates beside: eigenvalues 1.5, 0.9, 0.9·0.1.
    let triangular = array![[0.09, 2.0, -1.0], [0.0, 1.5, 0.7], [0.0, 0.0, 0.9]];
    let turn = array![[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]];
    let a = times(&times(&turn, &triangular), &turn.t().to_owned());
    let probe = LyapunovProbe { exponents: 3, burn_in: 100, steps: 50, blocks: 5 };
    let found = probe.measure(&Linear(a.clone()), Array2::zeros((1, 3)).view(), ones(1), &mut Rng::new(1));
    for (LyapunovExponent { value, standard_error }, want) in found.iter().zip([1.5, 0.9, 0.09]) {
        assert!((value - Real::ln(want)).abs() < 1e-12, "{value} for ln {want}");
        assert!(*standard_error < 1e-13, "{standard_error}");
    }
    let probe = LyapunovProbe { exponents: 1, ..probe };
    let first = probe.measure(&Linear(a), Array2::zeros((1, 3)).view(), ones(1), &mut Rng::new(2));
    assert!((first[0].value - Real::ln(1.5)).abs() < 1e-12 && first.len() == 1);
}

/// Hénon's map, x ← 1 − a x² + y, y ← b x, with a = 1.4, b = 0.3.
struct Henon;
impl RecurrentStep for Henon {
    fn state_size(&self) -> usize {
        2
    }
    fn step(&self, _: ArrayView2<'_, f64>, s: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn(s.dim(), |(b, i)| match i {
            0 => 1.0 - 1.4 * s[[b, 0]] * s[[b, 0]] + s[[b, 1]],
            _ => 0.3 * s[[b, 0]],
        })
    }
    fn vjp(&self, x: ArrayView2<'_, f64>, s: ArrayView2<'_, f64>, d: ArrayView2<'_, f64>) -> StepGradients {
        let d_state = Array2::from_shape_fn(s.dim(), |(b, i)| match i {
            0 => -2.8 * s[[b, 0]] * d[[b, 0]] + 0.3 * d[[b, 1]],
            _ => d[[b, 0]],
        });
        StepGradients { d_state, d_x: Array2::zeros(x.dim()), d_z: Array2::zeros((x.nrows(), 0)) }
    }
}

#[test]
fn the_exponents_of_henons_map() {
    let probe = LyapunovProbe { exponents: 2, burn_in: 1000, steps: 40_000, blocks: 20 };
    let start = array![[0.1, 0.1]];
    let found = probe.measure(&Henon, start.view(), ones(1), &mut Rng::new(1));
    // The determinant of every Jacobian is −0.3.
    let sum = found[0].value + found[1].value;
    assert!((sum - Real::ln(0.3)).abs() < 1e-11, "{sum}");
    // Wolf, Swift, Swinney and Vastano, "Determining Lyapunov exponents from a time series", Physica D 16, 1985,
    // give 0.603 bits per step: 0.418 nats.
    let LyapunovExponent { value, standard_error } = found[0];
    assert!(standard_error < 0.01 && (value - 0.418).abs() < 3.0 * standard_error + 1e-3, "{found:?}");
    // The growth of tangents in the long run is the largest exponent.
    let probe = GrowthProbe { burn_in: 1000, steps: 40_000, part: 0..2 };
    let growth = probe.measure(&Henon, start.view(), ones(1), &mut Rng::new(2));
    assert!((growth.median / DECADES_PER_100_STEPS - value).abs() < 1e-3, "{} for {value}", growth.median);
}

/// Independent steps: the standard error is known.
#[test]
fn a_standard_error_is_that_of_the_blocks() {
    let mut draw = Rng::new(1);
    let steps = 2000;
    let logs: Vec<f64> = (0..steps).map(|_| 0.5 * draw.normal()).collect();
    let probe = LyapunovProbe { exponents: 1, burn_in: 0, steps, blocks: 20 };
    let input = |t: usize| Array2::from_elem((1, 1), Real::exp(logs[t - 1]));
    let found =
        probe.measure(&Linear(array![[1.0]]), Array2::zeros((1, 1)).view(), input, &mut Rng::new(1))[0];
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let all = mean(&logs);
    assert!((found.value - all).abs() < 1e-14);
    let blocks: Vec<f64> = logs.chunks(steps / 20).map(mean).collect();
    let variance = blocks.iter().map(|b| (b - all) * (b - all)).sum::<f64>() / 19.0;
    assert!((found.standard_error - (variance / 20.0).sqrt()).abs() < 1e-14);
    // σ/√n, itself known to 1/√(2·19).
    let expected = 0.5 / (steps as f64).sqrt();
    assert!((found.standard_error / expected - 1.0).abs() < 3.0 / 38.0_f64.sqrt(), "{found:?}");
}

/// Where exponents are equal, it is rounding that orders the directions; the result is in order all the same.
#[test]
fn exponents_come_in_descending_order() {
    let turn = array![[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]];
    let probe = LyapunovProbe { exponents: 3, burn_in: 0, steps: 3, blocks: 2 };
    for seed in 0..20 {
        let zero = Array2::zeros((1, 3));
        let found = probe.measure(&Linear(turn.clone()), zero.view(), ones(1), &mut Rng::new(seed));
        assert!(found.is_sorted_by(|a, b| a.value >= b.value), "{found:?}");
        assert!(found.iter().all(|l| l.value.abs() < 1e-15), "{found:?}");
    }
}

#[test]
fn a_dead_direction_has_the_exponent_of_zero() {
    let step = Linear(array![[0.5, 0.0], [0.0, 0.0]]);
    let probe = LyapunovProbe { exponents: 2, burn_in: 10, steps: 10, blocks: 2 };
    let found = probe.measure(&step, Array2::zeros((1, 2)).view(), ones(1), &mut Rng::new(1));
    assert!((found[0].value - Real::ln(0.5)).abs() < 1e-15);
    assert_eq!(found[1].value, f64::NEG_INFINITY);
    assert!(found[1].standard_error.is_nan());
}
