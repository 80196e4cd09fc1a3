//! Direct and total paths against the forget gates, the tape, and the sum over paths one by one.

mod common;

use common::{Probed, close, normal3, times};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, LstmEquations, LstmParts};
use longlag_numerics::{Pointwise, Real};
use longlag_probe::Trajectory;
use longlag_probe::paths::Paths;
use longlag_probe::statistics::half_life;
use ndarray::{Array1, Array2, Array3, Axis, array};
use std::f64::consts::LN_10;

const I: usize = 2;
const H: usize = 5;

/// Tolerance for the total derivative, relative to its largest entry.
const TOTAL: f64 = 1e-12;

fn lstm(gain: f64) -> Probed {
    Probed::new(Cell::Lstm, I, H, gain)
}

/// The trajectory of one sequence of `steps`, and its Jacobians.
fn run(probed: &Probed, steps: usize) -> (Trajectory, Vec<Array2<f64>>) {
    let step = probed.clone().on_tape();
    let trajectory = Trajectory::run(&step, normal3((steps, 1, I), "x"), Array2::zeros((1, 2 * H)).view());
    let jacobians = trajectory.jacobians(&step, 0).collect();
    (trajectory, jacobians)
}

/// The forget gates, from the equations.
fn forget_gates(probed: &Probed, trajectory: &Trajectory) -> Vec<Array1<f64>> {
    let tape = Tape::<f64>::new();
    let w = probed.layer.weights(&tape.bind(&probed.parameters));
    let row = |a: &Array3<f64>, t: usize| tape.leaf(&a.index_axis(Axis(0), t));
    let gates = |t: usize| {
        let (x, s) = (row(&trajectory.x, t), row(&trajectory.states, t));
        let z = tape.affine(&[(x, w.w_ih), (s.columns(0..H), w.w_hh)], &[w.b_ih, w.b_hh]);
        let [i, f, g, o] = z.split();
        let [.., f, _, _] = LstmEquations.apply([i, f, g, o, s.columns(H..2 * H)]);
        f.value().row(0).to_owned()
    };
    (0..trajectory.steps()).map(gates).collect()
}

#[test]
fn without_detours_it_is_the_product_of_the_forget_gates_exactly() {
    let probed = lstm(2.0);
    let (trajectory, jacobians) = run(&probed, 60);
    let mut paths = Paths::new(2 * H, H..2 * H, 0..H, 0);
    let mut product = Array1::<f64>::ones(H);
    for (j, f) in jacobians.iter().zip(forget_gates(&probed, &trajectory)) {
        paths.advance(j.view());
        product *= &f;
        assert_eq!(paths.up_to(0), Array2::from_diag(&product));
        let size = product.iter().map(|p| p * p).sum::<f64>().sqrt() / (H as f64).sqrt();
        assert!((paths.log10_up_to(0) - Real::ln(size) / LN_10).abs() < 1e-14);
    }
    assert!(paths.log10_up_to(0) < -3.0, "{}", paths.log10_up_to(0));
}

#[test]
fn all_paths_are_the_tapes_derivative() {
    for (gain, steps) in [(1.0, 30), (3.0, 30), (1.0, 100)] {
        let probed = lstm(gain);
        let (trajectory, jacobians) = run(&probed, steps);
        let mut paths = Paths::new(2 * H, H..2 * H, 0..H, 1);
        jacobians.iter().for_each(|j| paths.advance(j.view()));

        let mut want = Array2::zeros((H, H));
        for i in 0..H {
            let tape = Tape::<f64>::new();
            let w = probed.layer.weights(&tape.bind(&probed.parameters));
            let zero = probed.layer.zero_state(&tape, 1);
            let x = trajectory.x.to_shape((steps, I)).unwrap();
            let last = probed.layer.unroll(&w, tape.constant(&x.view()), zero, |_, _| {});
            let grads = last.c.unwrap().columns(i..i + 1).sum().backward();
            want.row_mut(i).assign(&grads.of(zero.c.unwrap()).row(0));
        }
        close(&paths.total(), &want, TOTAL);
        let size = want.iter().map(|p| p * p).sum::<f64>().sqrt() / (H as f64).sqrt();
        assert!((paths.log10_total() - Real::ln(size) / LN_10).abs() < TOTAL);
        // The two are decades apart: the test above isn't this one.
        assert!(paths.log10_total() - paths.log10_up_to(0) > 0.3);
    }
}

/// ds_t = J_t·E·ds_{t−1} with a number for ε.
fn recursion(jacobians: &[Array2<f64>], epsilon: f64) -> Array2<f64> {
    let weighted = |j: &Array2<f64>| {
        Array2::from_shape_fn(j.dim(), |(a, b)| j[[a, b]] * if b < H { epsilon } else { 1.0 })
    };
    let product = jacobians.iter().fold(Array2::eye(2 * H), |m, j| times(&weighted(j), &m));
    product.slice_axis(Axis(0), (H..).into()).slice_axis(Axis(1), (H..).into()).to_owned()
}

#[test]
fn the_coefficients_are_those_of_the_recursion() {
    let steps = 7;
    let (_, jacobians) = run(&lstm(2.0), steps);
    let mut paths = Paths::new(2 * H, H..2 * H, 0..H, steps);
    jacobians.iter().for_each(|j| paths.advance(j.view()));
    for epsilon in [0.0, 0.3, 1.0, -2.0] {
        let (mut sum, mut power, mut before) = (Array2::zeros((H, H)), 1.0, Array2::zeros((H, H)));
        for detours in 0..=steps {
            let up_to = paths.up_to(detours);
            sum = sum + (&up_to - &before) * power;
            (before, power) = (up_to, power * epsilon);
        }
        // Coefficients are differences here; powers of 2 up to 2⁷ enlarge their roundings.
        close(&sum, &recursion(&jacobians, epsilon), 1e-12);
    }
    // The first step begins in c: at most `steps − 1` others take U.
    close(&paths.up_to(steps - 1), &paths.total(), TOTAL);
}

/// One unit, every path by itself: at each step it is in c or in h, and being in h is a detour.
#[test]
fn paths_one_by_one() {
    let step = Probed::new(Cell::Lstm, 1, 1, 1.5).on_tape();
    let steps = 5;
    let trajectory = Trajectory::run(&step, normal3((steps, 1, 1), "x"), Array2::zeros((1, 2)).view());
    let jacobians: Vec<_> = trajectory.jacobians(&step, 0).collect();
    let mut paths = Paths::new(2, 1..2, 0..1, 3);
    jacobians.iter().for_each(|j| paths.advance(j.view()));
    for most in 0..=3 {
        let mut want = 0.0;
        // Bit t of `way` says that the state between steps t + 1 and t + 2 is h.
        for way in (0..1_u32 << (steps - 1)).filter(|way| way.count_ones() <= most) {
            let at = |t: usize| usize::from(t == 0 || t == steps || way >> (t - 1) & 1 == 0);
            want += (0..steps).map(|t| jacobians[t][[at(t + 1), at(t)]]).product::<f64>();
        }
        let got = paths.up_to(most as usize)[[0, 0]];
        assert!((got - want).abs() < 1e-14 * want.abs().max(0.1), "{most}: {got} for {want}");
    }
}

/// f = 0.1 and nothing else for 1000 steps: 10⁻¹⁰⁰⁰; with detours that keep all, 1.
#[test]
fn paths_beyond_the_range() {
    let alone = array![[0.0, 0.5], [0.0, 0.1]];
    let round = array![[0.0, 0.5], [2.0, 0.1]];
    let mut paths = [(); 2].map(|()| Paths::new(2, 1..2, 0..1, 1));
    for _ in 0..1000 {
        paths[0].advance(alone.view());
        paths[1].advance(round.view());
    }
    for paths in &paths {
        // A thousand roundings.
        assert!((paths.log10_up_to(0) + 1000.0).abs() < 1e-12, "{}", paths.log10_up_to(0));
        assert_eq!(paths.up_to(0)[[0, 0]], 0.0);
    }
    assert_eq!(paths[0].log10_total(), paths[0].log10_up_to(1));
    // One detour at any of 999 places costs two steps and gives 0.5·2: 999·0.1⁹⁹⁸.
    let want = Real::ln(999.0 + 0.01) / LN_10 - 998.0;
    assert!((paths[1].log10_up_to(1) - want).abs() < 1e-12);
    // The eigenvalue of [[0, ½], [2, 0.1]]: 0.05 + √(1 + 0.05²).
    let growth = Real::ln(0.05 + 1.0025_f64.sqrt()) / LN_10;
    assert!((paths[1].log10_total() / 1000.0 - growth).abs() < 1e-3);
    let mut dead = Paths::new(2, 1..2, 0..1, 0);
    dead.advance(Array2::zeros((2, 2)).view());
    assert_eq!((dead.log10_up_to(0), dead.log10_total()), (f64::NEG_INFINITY, f64::NEG_INFINITY));
}

/// With f = σ(1): σ(1)² > ½ > σ(1)³, the half-life of 2.2 steps to whole ones.
#[test]
fn the_half_life_of_a_forget_bias() {
    let f = Real::sigmoid(1.0_f64);
    let step = array![[0.0, 0.5], [0.0, f]];
    let mut paths = Paths::new(2, 1..2, 0..1, 0);
    let mut curve = vec![paths.log10_up_to(0)];
    for _ in 0..5 {
        paths.advance(step.view());
        curve.push(paths.log10_up_to(0));
    }
    let curve = Array2::from_shape_vec((1, 6), curve).unwrap();
    assert_eq!(half_life(curve.view()), Some(3));
}

/// With peepholes, what a gate sees of c is on the direct path.
#[test]
fn peepholes_are_direct() {
    let parts = LstmParts { peepholes: true, ..LstmParts::default() };
    let mut probed = Probed::new(Cell::LstmVariant(parts), I, H, 1.0);
    let recurrent = probed.parameters.span("weight_hh_l0").range();
    let (_, jacobians) = run(&probed, 10);
    let mut with = Paths::new(2 * H, H..2 * H, 0..H, 0);
    jacobians.iter().for_each(|j| with.advance(j.view()));
    assert!(with.log10_total() != with.log10_up_to(0));
    // Without recurrent weights there is nothing else.
    probed.parameters.values[recurrent].fill(0.0);
    let (_, jacobians) = run(&probed, 10);
    let mut without = Paths::new(2 * H, H..2 * H, 0..H, 0);
    jacobians.iter().for_each(|j| without.advance(j.view()));
    assert_eq!(without.total(), without.up_to(0));
}

#[test]
#[should_panic = "paths: 1..2 and 0..2 aren't the two parts of a state of 2"]
fn parts_that_overlap_are_refused() {
    Paths::new(2, 1..2, 0..2, 0);
}

#[test]
#[should_panic = "paths are told apart up to 1 detours, not 2"]
fn detours_that_were_not_told_apart_are_refused() {
    Paths::new(2, 1..2, 0..1, 1).up_to(2);
}
