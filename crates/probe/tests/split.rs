//! The split over lags, the walk back and surgery, against their definitions in plain loops.

mod common;

use common::{Probed, cells, close, gradient_by_tape, largest, normal2, normal3};
use longlag_autodiff::Tape;
use longlag_cells::{Cell, RecurrentCell, State};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, product::product};
use longlag_probe::split::{Split, usable_signal};
use longlag_probe::surgery::{Surgery, altered_gradient, loss_with_gradient};
use longlag_probe::walk::{Back, Factor, Losses, Row, Walk, Weight, input_gradient_norms};
use longlag_probe::{OnTape, RecurrentStep, StepGradients, Trajectory};
use ndarray::{Array2, Array3, ArrayView2, Axis, array};

const N: usize = 5;
const T: usize = 6;
const I: usize = 2;
const H: usize = 4;

/// T steps of sums of I + H + 2 terms, their roundings passed on through T steps more.
const TOLERANCE: f64 = 4.0 * (T * T * (I + H + 2)) as f64 * f64::EPSILON;

/// A cell over N sequences, with losses at every step, whose gradients by the states are random.
struct Setting {
    probed: Probed,
    step: OnTape<Probed>,
    trajectory: Trajectory,
    /// (T, N, S).
    d_states: Array3<f64>,
}

impl Setting {
    fn new(cell: Cell) -> Setting {
        let probed = Probed::new(cell, I, H, 1.2);
        let step = probed.clone().on_tape();
        let n = step.state_size();
        let trajectory = Trajectory::run(&step, normal3((T, N, I), "x"), normal2((N, n), "start").view());
        Setting { probed, step, trajectory, d_states: normal3((T, N, n), "losses") }
    }
    /// The same with a loss at the last step only.
    fn at_the_end(mut self) -> Setting {
        self.d_states.axis_iter_mut(Axis(0)).take(T - 1).for_each(|mut d| d.fill(0.0));
        self
    }
    fn sums(&self) -> usize {
        self.probed.layer.cell.gates().len() * H
    }
    fn hh(&self) -> Weight {
        Weight { sums: 0..self.sums(), factor: Factor::State(0..H) }
    }
    fn ih(&self) -> Weight {
        Weight { sums: 0..self.sums(), factor: Factor::Input(0..I) }
    }
    fn bias(&self) -> Weight {
        Weight { sums: 0..self.sums(), factor: Factor::One }
    }
    fn split(&self, weight: &Weight, losses: &Losses) -> Split {
        let mut split = Split::new(weight.clone());
        let mut walk = Walk::over_lags(&self.step, &self.trajectory, losses);
        while let Some(back) = walk.next() {
            split.add(back);
        }
        split
    }
    /// δ_t^{(s)} of sequence n, for t = 1 … s, by one tape of the whole sequence with a leaf for each z_t.
    fn deltas(&self, n: usize, s: usize) -> Vec<Vec<f64>> {
        let tape = Tape::<f64>::new();
        let layer = &self.probed.layer;
        let weights = layer.weights(&tape.bind(&self.probed.parameters));
        let row =
            |a: &Array3<f64>, t: usize| tape.leaf(&a.index_axis(Axis(0), t).row(n).insert_axis(Axis(0)));
        let start = row(&self.trajectory.states, 0);
        let c = layer.cell.has_c().then(|| start.columns(H..2 * H));
        let mut state = State { h: start.columns(0..H), c };
        let mut leaves = Vec::new();
        for t in 0..s {
            let leaf = tape.zeros(1, self.sums());
            let mut w = weights;
            w.b_hh = w.b_hh + leaf;
            state = layer.cell.step(&w, row(&self.trajectory.x, t), state);
            leaves.push(leaf);
        }
        let d = row(&self.d_states, s - 1);
        let mut loss = (state.h * d.columns(0..H)).sum();
        if let Some(c) = state.c {
            loss = loss + (c * d.columns(H..2 * H)).sum();
        }
        let grads = loss.backward();
        leaves.iter().map(|leaf| grads.of(*leaf).row(0).to_vec()).collect()
    }
    /// What `weight` multiplies in the step t of sequence n.
    fn factor(&self, weight: &Weight, n: usize, t: usize) -> Vec<f64> {
        match &weight.factor {
            Factor::Input(_) => self.trajectory.x.index_axis(Axis(0), t - 1).row(n).to_vec(),
            Factor::State(_) => {
                self.trajectory.states.index_axis(Axis(0), t - 1).row(n).to_vec()[..H].to_vec()
            }
            Factor::One => vec![1.0],
        }
    }
    /// Σ over the steps s of w(s, k)·δ_{s−k}^{(s)}·uᵀ with lag k, for each k and sequence.
    fn parts(
        &self,
        weight: &Weight,
        scale: impl Fn(&[Vec<f64>], usize, usize) -> f64,
    ) -> Vec<Vec<Array2<f64>>> {
        let mut parts = Vec::new();
        for n in 0..N {
            let columns = self.factor(weight, n, 1).len();
            let mut g = vec![Array2::zeros((self.sums(), columns)); T];
            for s in 1..=T {
                let deltas = self.deltas(n, s);
                for t in 1..=s {
                    let (k, u) = (s - t, self.factor(weight, n, t));
                    let w = scale(&deltas, s, k);
                    let outer = |(i, j)| w * deltas[t - 1][i] * u[j];
                    g[k] += &Array2::from_shape_fn((self.sums(), columns), outer);
                }
            }
            parts.push(g);
        }
        parts
    }
}

fn dot(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
fn mean(parts: &[Vec<Array2<f64>>], k: usize) -> Array2<f64> {
    parts.iter().fold(Array2::zeros(parts[0][k].dim()), |sum, g| sum + &g[k]) / parts.len() as f64
}

/// The claims' formulas, with the covariance's trace from the definition.
#[track_caller]
fn check_split(split: &Split, parts: &[Vec<Array2<f64>>]) {
    let n = parts.len() as f64;
    assert_eq!(split.sequences(), parts.len());
    let means: Vec<_> = (0..T).map(|k| mean(parts, k)).collect();
    let whole = means.iter().fold(Array2::zeros(means[0].dim()), |sum, g| sum + g);
    let norms: Vec<f64> = means.iter().map(|g| dot(g, g).sqrt()).collect();
    let got = split.parts();
    assert_eq!(got.len(), T);
    let near = |a: f64, b: f64, of: f64| assert!((a - b).abs() <= TOLERANCE * of, "{a} for {b}");
    for (k, part) in got.iter().enumerate() {
        close(&split.mean(k), &means[k], TOLERANCE);
        near(part.signed_share, dot(&means[k], &whole) / dot(&whole, &whole), 1.0);
        near(part.norm, norms[k], norms[k]);
        near(part.norm_share, norms[k] / norms.iter().sum::<f64>(), 1.0);
        let apart = |g: &Vec<Array2<f64>>| dot(&(&g[k] - &means[k]), &(&g[k] - &means[k]));
        let noise = parts.iter().map(apart).sum::<f64>() / (n - 1.0);
        let want = (dot(&means[k], &means[k]) - noise / n) / noise;
        near(part.snr_squared, want, 1.0);
    }
    near(got.iter().map(|p| p.signed_share).sum(), 1.0, 1.0);
    near(got.iter().map(|p| p.norm_share).sum(), 1.0, 1.0);
}

/// GRUs' candidates have other δ for W_ih (reset after) or another factor for W_hh (reset before).
fn plain_cells() -> [Cell; 3] {
    [Cell::RnnTanh, Cell::RnnRelu, Cell::Lstm]
}

#[test]
fn the_split_of_losses_at_every_step() {
    for cell in plain_cells() {
        let setting = Setting::new(cell);
        let losses = Losses::at_every_step(setting.d_states.view());
        assert_eq!(losses.len(), N * T);
        for weight in [setting.hh(), setting.ih(), setting.bias()] {
            check_split(&setting.split(&weight, &losses), &setting.parts(&weight, |_, _, _| 1.0));
        }
    }
}

#[test]
fn the_split_of_losses_at_the_end() {
    for cell in plain_cells() {
        let setting = Setting::new(cell).at_the_end();
        let d_state = setting.d_states.index_axis(Axis(0), T - 1).to_owned();
        let losses = Losses::at_the_end(&setting.trajectory, d_state);
        assert_eq!(losses.len(), N);
        for weight in [setting.hh(), setting.ih(), setting.bias()] {
            check_split(&setting.split(&weight, &losses), &setting.parts(&weight, |_, _, _| 1.0));
        }
    }
}

/// Of GRUs too: the sums get b_hh, whose gradient is theirs summed up.
#[test]
fn the_parts_sum_to_the_gradient() {
    for cell in cells() {
        let setting = Setting::new(cell);
        let Setting { probed, trajectory, d_states, .. } = &setting;
        let start = trajectory.states.index_axis(Axis(0), 0).to_owned();
        let want = gradient_by_tape(probed, &trajectory.x, &start, d_states);
        let whole = |weight: &Weight, name: &str| {
            let split = setting.split(weight, &Losses::at_every_step(d_states.view()));
            let sum = (1..T).fold(split.mean(0), |sum, k| sum + split.mean(k)) * N as f64;
            let want = want.view(name);
            let want = if name.starts_with("bias") { want.reversed_axes() } else { want };
            close(&sum, &want.to_owned(), TOLERANCE);
        };
        whole(&setting.bias(), "bias_hh_l0");
        if cell != Cell::GruResetBefore {
            whole(&setting.hh(), "weight_hh_l0");
        }
        if !matches!(cell, Cell::Gru | Cell::GruResetBefore) {
            whole(&setting.ih(), "weight_ih_l0");
        }
    }
}

#[test]
fn the_split_over_steps_is_by_time() {
    let setting = Setting::new(Cell::Lstm);
    let weight = setting.ih();
    let mut split = Split::new(weight.clone());
    let mut walk = Walk::over_steps(&setting.step, &setting.trajectory, setting.d_states.view());
    while let Some(back) = walk.next() {
        assert!(back.rows.iter().enumerate().all(|(n, r)| (r.sequence, r.t) == (n, T - back.lag)));
        split.add(back);
    }
    let mut parts = vec![vec![Array2::zeros((4 * H, I)); T]; N];
    for (n, parts) in parts.iter_mut().enumerate() {
        for s in 1..=T {
            for (t, delta) in setting.deltas(n, s).iter().enumerate() {
                let u = setting.factor(&weight, n, t + 1);
                parts[T - 1 - t] += &Array2::from_shape_fn((4 * H, I), |(i, j)| delta[i] * u[j]);
            }
        }
    }
    check_split(&split, &parts);
}

#[test]
fn sequences_may_come_in_batches() {
    let setting = Setting::new(Cell::Lstm);
    let whole = setting.split(&setting.hh(), &Losses::at_every_step(setting.d_states.view()));
    let mut split = Split::new(setting.hh());
    for rows in [0..2, 2..3, 3..N] {
        let part = |a: &Array3<f64>| a.slice_axis(Axis(1), rows.clone().into()).to_owned();
        let Trajectory { x, states } = &setting.trajectory;
        let trajectory = Trajectory { x: part(x), states: part(states) };
        let losses = Losses::at_every_step(part(&setting.d_states).view());
        let mut walk = Walk::over_lags(&setting.step, &trajectory, &losses);
        while let Some(back) = walk.next() {
            split.add(back);
        }
    }
    assert_eq!(split.sequences(), N);
    for (a, b) in split.parts().iter().zip(whole.parts()) {
        assert!(
            (a.snr_squared - b.snr_squared).abs() <= TOLERANCE
                && (a.norm - b.norm).abs() <= TOLERANCE * b.norm
        );
    }
}

/// Those without a loss so late that it has a lag count for 0 there.
#[test]
fn losses_at_different_steps() {
    let setting = Setting::new(Cell::Lstm);
    let last = [T, 2, 4, 1, 4];
    let at: Vec<_> = last.iter().enumerate().map(|(n, &t)| (n, t)).collect();
    let d_state = Array2::from_shape_fn((N, 2 * H), |(n, i)| setting.d_states[[last[n] - 1, n, i]]);
    let split = setting.split(&setting.hh(), &Losses::new(at, d_state));
    let mut parts = vec![vec![Array2::zeros((4 * H, H)); T]; N];
    for (n, parts) in parts.iter_mut().enumerate() {
        for (t, delta) in setting.deltas(n, last[n]).iter().enumerate() {
            let u = setting.factor(&setting.hh(), n, t + 1);
            parts[last[n] - 1 - t] = Array2::from_shape_fn((4 * H, H), |(i, j)| delta[i] * u[j]);
        }
    }
    check_split(&split, &parts);
}

/// Gradients whose squares are out of range have the same ratios.
#[test]
fn a_tiny_gradient_has_the_same_shares_and_ratios() {
    let setting = Setting::new(Cell::RnnTanh);
    let parts = |scale: f64| {
        let d_states = &setting.d_states * scale;
        setting.split(&setting.hh(), &Losses::at_every_step(d_states.view())).parts()
    };
    // A power of two, so that nothing is rounded: 2⁻⁸⁰⁰.
    let tiny = (0..800).fold(1.0, |x, _| x / 2.0);
    for (a, b) in parts(tiny).iter().zip(parts(1.0)) {
        assert_eq!(
            (a.signed_share, a.norm_share, a.snr_squared),
            (b.signed_share, b.norm_share, b.snr_squared)
        );
        assert_eq!(a.norm, b.norm * tiny);
    }
    // And so if it is tiny by what the weight multiplies.
    let parts = |scale: f64| {
        let mut split = Split::new(Weight { sums: 0..2, factor: Factor::Input(0..1) });
        let mut back = back(normal2((9, 2), "d_z"));
        back.x.assign(&(normal2((9, 1), "x") * scale));
        split.add(&back);
        split.parts()[0]
    };
    assert_eq!(parts(tiny).snr_squared, parts(1.0).snr_squared);
    assert_eq!(parts(tiny).norm, parts(1.0).norm * tiny);
}

#[test]
fn no_gradient_has_no_signal() {
    let setting = Setting::new(Cell::RnnTanh);
    let d_states = &setting.d_states * 0.0;
    let parts = setting.split(&setting.hh(), &Losses::at_every_step(d_states.view())).parts();
    for (k, part) in parts.iter().enumerate() {
        assert!(part.signed_share.is_nan() && part.norm_share.is_nan(), "{k}");
        assert_eq!((part.norm, part.snr_squared), (0.0, 0.0));
    }
}

/// One step back of made-up sequences.
fn back(d_z: Array2<f64>) -> Back {
    let n = d_z.nrows();
    Back {
        lag: 0,
        rows: (0..n).map(|sequence| Row { loss: sequence, sequence, t: 1 }).collect(),
        x: Array2::zeros((n, 1)),
        state: Array2::zeros((n, 1)),
        gradients: StepGradients { d_state: Array2::zeros((n, 1)), d_x: Array2::zeros((n, 1)), d_z },
    }
}

/// With a planted mean μ and noise of standard deviation 1 in each of M sums, SNR² is ‖μ‖²/M: whatever N is,
/// on average.
#[test]
fn the_signal_to_noise_ratio_is_the_planted_one() {
    const M: usize = 8;
    let mut draw = Rng::new(1);
    for (mu, n) in [(0.0, 4), (0.0, 30), (0.3, 4), (0.3, 30), (2.0, 30)] {
        let repetitions = 4000;
        let ratios: Vec<f64> = (0..repetitions)
            .map(|_| {
                let mut split = Split::new(Weight { sums: 0..M, factor: Factor::One });
                split.add(&back(Array2::from_shape_simple_fn((n, M), || mu + draw.normal())));
                split.parts()[0].snr_squared
            })
            .collect();
        let mean = ratios.iter().sum::<f64>() / f64::from(repetitions);
        let variance = ratios.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / f64::from(repetitions);
        let error = (variance / f64::from(repetitions)).sqrt();
        // E 1/χ²_d = 1/(d − 2) and not 1/d: the noise is itself known to d = M(N − 1) degrees of freedom.
        let d = (M * (n - 1)) as f64;
        let bias = d / (d - 2.0);
        let want = (mu * mu + 1.0 / n as f64) * bias - 1.0 / n as f64;
        assert!((mean - want).abs() < 4.0 * error, "μ = {mu}, N = {n}: {mean} ± {error} for {want}");
    }
}

#[test]
fn what_sequences_share_without_targets_is_no_usable_signal() {
    // A constant gradient that no target has a say in, and one that has the target's sign.
    let mut draw = Rng::new(1);
    let n = 2000;
    let (sign, noise): (Vec<f64>, Vec<f64>) =
        (0..n).map(|_| (if draw.below(2) == 0 { 1.0 } else { -1.0 }, draw.normal())).unzip();
    let order = draw.permutation(n);
    let split = |target: &dyn Fn(usize) -> f64| {
        let mut split = Split::new(Weight { sums: 0..1, factor: Factor::One });
        let d_z = Array2::from_shape_fn((n, 1), |(i, _)| 1.0 + 2.0 * sign[i] * target(i) + noise[i]);
        split.add(&back(d_z));
        let mut shared = back(Array2::from_shape_fn((n, 1), |(i, _)| 1.0 + noise[i]));
        shared.lag = 1;
        split.add(&shared);
        split
    };
    let (truth, permuted) = (split(&|i| sign[i]), split(&|i| sign[order[i]]));
    let usable = usable_signal(&truth, &permuted);
    // (1 + 2)²/1 less 1²/(1 + 4); and nothing. The ratios' own errors are about 2·3/√N.
    assert!((usable[0] - 8.8).abs() < 1.0, "{usable:?}");
    assert_eq!(usable[1], 0.0);
    assert!(truth.parts()[1].snr_squared > 0.9);
}

#[test]
fn input_gradients_are_the_tapes() {
    for cell in cells() {
        let Setting { probed, step, trajectory, d_states } = Setting::new(cell);
        let norms = input_gradient_norms(&step, &trajectory, d_states.view());
        for n in 0..N {
            let tape = Tape::<f64>::new();
            let weights = probed.layer.weights(&tape.bind(&probed.parameters));
            let of = |a: &Array3<f64>| a.index_axis(Axis(1), n).to_owned();
            let x = tape.leaf(&of(&trajectory.x).view());
            let d = tape.constant(&of(&d_states).view());
            let s = tape.leaf(&of(&trajectory.states).view());
            let mut state = State { h: s.rows(0..1).columns(0..H), c: None };
            state.c = cell.has_c().then(|| s.rows(0..1).columns(H..2 * H));
            let mut loss = tape.constant(&array![[0.0]].view());
            for t in 0..T {
                state = probed.layer.cell.step(&weights, x.rows(t..t + 1), state);
                let d = d.rows(t..t + 1);
                loss = loss + (state.h * d.columns(0..H)).sum();
                if let Some(c) = state.c {
                    loss = loss + (c * d.columns(H..2 * H)).sum();
                }
            }
            let grads = loss.backward();
            for (t, d_x) in grads.of(x).rows().into_iter().enumerate() {
                let want = d_x.iter().map(|d| d * d).sum::<f64>().sqrt();
                assert!((norms[[t, n]] - want).abs() <= TOLERANCE * want.max(1.0), "{cell}");
            }
        }
    }
}

/// Every altered gradient is a sum of the plain definition's terms with weights of its own.
#[test]
fn surgery_weighs_the_terms() {
    let norm = |delta: &[f64]| delta.iter().map(|d| d * d).sum::<f64>().sqrt();
    type Scale<'a> = &'a dyn Fn(&[Vec<f64>], usize, usize) -> f64;
    let constant: Scale<'_> = &|deltas, s, k| norm(&deltas[s - 1]) / norm(&deltas[s - 1 - k]);
    let none: Scale<'_> = &|_, _, _| 1.0;
    let near: Scale<'_> = &|_, _, k| f64::from(u8::from(k <= 2));
    for cell in plain_cells() {
        let setting = Setting::new(cell);
        let losses = Losses::at_every_step(setting.d_states.view());
        let weights = [setting.hh(), setting.ih(), setting.bias()];
        for (surgery, scale) in
            [(Surgery::None, none), (Surgery::CutBeyond(2), near), (Surgery::ConstantNorm, constant)]
        {
            let got = altered_gradient(&setting.step, &setting.trajectory, &losses, surgery, &weights);
            for (got, weight) in got.iter().zip(&weights) {
                let parts = setting.parts(weight, scale);
                let want = parts.iter().flatten().fold(Array2::zeros(got.dim()), |sum, g| sum + g);
                close(got, &want, 4.0 * TOLERANCE);
            }
        }
    }
}

/// s_t = r·s_{t−1} + x_t with one number, r = 10⁻⁵: over 200 steps a gradient of 10⁻¹⁰⁰⁰.
struct Leak(f64);
impl RecurrentStep for Leak {
    fn state_size(&self) -> usize {
        1
    }
    fn step(&self, x: ArrayView2<'_, f64>, s: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut next = x.to_owned();
        product(s, array![[self.0]].view(), next.view_mut(), true);
        next
    }
    fn vjp(&self, _: ArrayView2<'_, f64>, _: ArrayView2<'_, f64>, d: ArrayView2<'_, f64>) -> StepGradients {
        StepGradients { d_state: &d * self.0, d_x: d.to_owned(), d_z: d.to_owned() }
    }
}

#[test]
fn a_constant_norm_knows_no_underflow() {
    let step = Leak(-1e-5);
    let trajectory = Trajectory::run(&step, normal3((200, 1, 1), "x"), array![[0.0]].view());
    let losses = Losses::at_the_end(&trajectory, array![[3.0]]);
    let weight = Weight { sums: 0..1, factor: Factor::Input(0..1) };
    let got = altered_gradient(&step, &trajectory, &losses, Surgery::ConstantNorm, &[weight]);
    let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
    let want: f64 = (0..200).map(|k| 3.0 * sign(k) * trajectory.x[[199 - k, 0, 0]]).sum();
    assert!((got[0][[0, 0]] - want).abs() < 1e-12, "{} for {want}", got[0]);
}

#[test]
fn a_gradient_from_elsewhere_goes_through_a_tape() {
    let mut parameters = Parameters::default();
    parameters.push("a", [2, 3], 0.5_f32);
    parameters.push("b", [1, 2], -7.0);
    let mut gradient = Parameters::default();
    gradient.push("a", [2, 3], 0.0);
    gradient.values.iter_mut().zip(normal2((1, 6), "g").iter()).for_each(|(g, x)| *g = *x);
    let tape = Tape::new();
    let bound = tape.bind(&parameters);
    let loss = loss_with_gradient(&bound, 0.1, &gradient);
    assert_eq!(loss.item(), 0.1);
    let grads = loss.backward();
    let want: Vec<f32> = gradient.values.iter().map(|&g| g as f32).chain([0.0, 0.0]).collect();
    assert_eq!(grads.of_parameters(&bound), want);
}

/// A loss on h and a gradient step by it: the training loop with a gradient after surgery does what it does
/// with the tape's where surgery does nothing.
#[test]
fn without_surgery_it_is_the_gradient() {
    let Setting { probed, step, trajectory, d_states } = Setting::new(Cell::Lstm);
    let start = trajectory.states.index_axis(Axis(0), 0).to_owned();
    let want = gradient_by_tape(&probed, &trajectory.x, &start, &d_states);
    let weights = [Factor::Input(0..I), Factor::State(0..H), Factor::One, Factor::One];
    let weights = weights.map(|factor| Weight { sums: 0..4 * H, factor });
    let losses = Losses::at_every_step(d_states.view());
    let got = altered_gradient(&step, &trajectory, &losses, Surgery::None, &weights);
    let mut gradient = probed.parameters.clone();
    for (span, got) in probed.parameters.spans().iter().zip(&got) {
        // A bias is a column here and a row there.
        gradient.values[span.range()].iter_mut().zip(got).for_each(|(to, g)| *to = *g);
    }
    let tape = Tape::new();
    let bound = tape.bind(&probed.parameters);
    let loss = loss_with_gradient(&bound, 1.0, &gradient);
    let grads = loss.backward();
    let apart = grads.of_parameters(&bound).iter().zip(&want.values).map(|(a, b)| a - b);
    assert!(largest(&apart.collect::<Vec<_>>()) < TOLERANCE * largest(&want.values));
    assert_eq!(Real::sqrt(loss.item()), 1.0);
}

#[test]
#[should_panic = "losses: those of a sequence must stand together"]
fn scattered_losses_are_refused() {
    Losses::new(vec![(0, 1), (1, 1), (0, 2)], Array2::zeros((3, 1)));
}

#[test]
#[should_panic = "a loss at step 7 of sequence 0: there are 6 of 5"]
fn losses_after_the_end_are_refused() {
    let setting = Setting::new(Cell::RnnTanh);
    let losses = Losses::new(vec![(0, 7)], Array2::zeros((1, H)));
    Walk::over_lags(&setting.step, &setting.trajectory, &losses);
}

#[test]
#[should_panic = "usable_signal: N and lags are (5, 6), those of the null (0, 0)"]
fn a_null_of_other_sequences_is_refused() {
    let setting = Setting::new(Cell::RnnTanh);
    let split = setting.split(&setting.hh(), &Losses::at_every_step(setting.d_states.view()));
    usable_signal(&split, &Split::new(setting.hh()));
}
