//! Every instrument gives the same bits with every instruction set. Alone in its process: a cap is for all
//! threads.

mod common;

use common::{Probed, normal2, normal3};
use longlag_cells::{Cell, RecurrentCell};
use longlag_numerics::isa;
use longlag_numerics::random::Rng;
use longlag_probe::growth::{GrowthProbe, LyapunovProbe};
use longlag_probe::paths::Paths;
use longlag_probe::products::singular_values;
use longlag_probe::split::Split;
use longlag_probe::surgery::{Surgery, altered_gradient};
use longlag_probe::walk::{Factor, Losses, Walk, Weight, input_gradient_norms};
use longlag_probe::{RecurrentStep, Trajectory};
use ndarray::Array2;

const T: usize = 20;
const B: usize = 5;
const H: usize = 7;

fn measure_all(cell: Cell) -> Vec<f64> {
    let step = Probed::new(cell, 2, H, 1.1).on_tape();
    let n = step.state_size();
    let start = |rows| Array2::zeros((rows, n));
    let input = |rows| move |t: usize| normal2((rows, 2), &format!("x {t}"));
    let growth = GrowthProbe { burn_in: 5, steps: T, part: 0..n };
    let growth = growth.measure(&step, start(B).view(), input(B), &mut Rng::new(1));
    let lyapunov = LyapunovProbe { exponents: n, burn_in: 5, steps: T, blocks: 2 };
    let lyapunov = lyapunov.measure(&step, start(1).view(), input(1), &mut Rng::new(1));

    let trajectory = Trajectory::run(&step, normal3((T, B, 2), "x"), start(B).view());
    let jacobians: Vec<_> = trajectory.jacobians(&step, 0).collect();
    let d_states = normal3((T, B, n), "losses");
    let losses = Losses::at_every_step(d_states.view());
    let weight = Weight { sums: 0..cell.gates().len() * H, factor: Factor::State(0..H) };
    let mut split = Split::new(weight.clone());
    let mut walk = Walk::over_lags(&step, &trajectory, &losses);
    while let Some(back) = walk.next() {
        split.add(back);
    }
    let altered = altered_gradient(&step, &trajectory, &losses, Surgery::ConstantNorm, &[weight]);
    let mut paths = Paths::new(n, n - H..n, 0..n - H, 2);
    jacobians.iter().for_each(|j| paths.advance(j.view()));

    let mut all = growth.rates;
    all.extend([growth.median, growth.log_rms, paths.log10_up_to(2), paths.log10_total()]);
    all.extend(lyapunov.iter().flat_map(|l| [l.value, l.standard_error]));
    all.extend(singular_values(&jacobians));
    all.extend(split.parts().iter().flat_map(|p| [p.signed_share, p.norm_share, p.norm, p.snr_squared]));
    all.extend(altered[0].iter());
    all.extend(input_gradient_norms(&step, &trajectory, d_states.view()).iter());
    all
}

#[test]
fn with_every_instruction_set() {
    for cell in [Cell::RnnTanh, Cell::Lstm] {
        let all = || measure_all(cell).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let before = isa::active();
        let want = all();
        for set in isa::Isa::available() {
            isa::cap(set).unwrap();
            assert_eq!(all(), want, "{cell}, {}", set.name());
        }
        isa::cap(before).unwrap();
    }
}
