//! From what was measured to the report.

use super::network::{Activation, Plain};
use super::{
    Condition, Config, LAG_STEP, LENGTHS, LawOfTheProduct, Networks, Setting,
    gaussian,
};
use crate::experiment::Experiment;
use crate::summary::{add_band, add_facts};
use longlag_cells::init::spectral_radius;
use longlag_numerics::Real;
use longlag_numerics::product::product;
use longlag_numerics::random::Rng;
use longlag_probe::growth::{DECADES_PER_100_STEPS, GrowthProbe};
use longlag_probe::products::singular_values;
use longlag_probe::statistics::median;
use longlag_report::{Number, Report};
use ndarray::{Array2, array};
use std::f64::consts::LOG10_E;

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Vec<Vec<f64>>]) -> Report {
        let mut report = Report::new(LawOfTheProduct::NAME, &self.config);
        let first = self.config.widths[0];
        for (i, condition) in self.conditions.iter().enumerate() {
            let of: Vec<&[f64]> = outcomes.iter().map(|o| &o[i][..]).collect();
            let column = |k: usize| of.iter().map(|o| o[k]).collect::<Vec<_>>();
            match condition {
                Condition::Growth(setting) => {
                    let key = setting.key();
                    add_facts(&mut report, &key, column(0), 3);
                    let rms = Number::rounded(median(&column(1)), 3);
                    report.fact(format!("{key}_rms"), rms);
                    add_seeds(&mut report, &format!("rate_{key}"), column(0));
                }
                Condition::Length(setting) => {
                    let h = setting.hidden;
                    add_seeds(&mut report, &format!("once_h{h}"), column(0));
                    add_seeds(&mut report, &format!("four_h{h}"), column(1));
                    add_facts(&mut report, &format!("once_h{h}"), column(0), 3);
                    add_facts(&mut report, &format!("four_h{h}"), column(1), 3);
                }
                Condition::Bounds(h) => {
                    for (k, name) in
                        ["singular", "row_sum", "entries", "radius"]
                            .iter()
                            .enumerate()
                    {
                        let name = format!("{name}_h{h}");
                        add_facts(&mut report, &name, column(k), 3);
                    }
                    // That of the gain of 4 which the logistic function has as its bound.
                    let four = column(0).iter().map(|s| 4.0 * s).collect();
                    add_facts(
                        &mut report,
                        &format!("singular_of_4_h{h}"),
                        four,
                        3,
                    );
                }
                Condition::Single(setting) => {
                    let key = format!("single_{}", setting.key());
                    add_facts(&mut report, &key, column(0), 3);
                }
                &Condition::Lstm(bias, gain, noise) => {
                    let key = lstm_key(bias, gain, noise);
                    add_facts(
                        &mut report,
                        &format!("{key}_total"),
                        column(0),
                        3,
                    );
                    add_facts(
                        &mut report,
                        &format!("{key}_direct"),
                        column(1),
                        3,
                    );
                }
                Condition::Spectrum(setting) => {
                    add_spectrum(&mut report, setting, &of);
                }
                Condition::Underflow(setting) => {
                    add_underflow(&mut report, setting.hidden, &of);
                }
            }
        }
        for activation in Activation::ALL {
            self.add_sweep(&mut report, activation, outcomes);
        }
        add_nilpotent(&mut report);
        report.fact("first_width", first);
        report
    }

    /// Rates against the gain, at each width, and the bounds at the first.
    fn add_sweep(
        &self,
        report: &mut Report,
        activation: Activation,
        outcomes: &[Vec<Vec<f64>>],
    ) {
        let Config { gains, widths, noise, .. } = &self.config;
        let place = |condition: &Condition| {
            let found = self.conditions.iter().position(|c| c == condition);
            found.expect("a condition of this config")
        };
        let name = activation.name();
        for &hidden in widths {
            let places: Vec<usize> = gains
                .iter()
                .map(|&gain| {
                    place(&Condition::Growth(Setting {
                        hidden,
                        activation,
                        start: gaussian(gain),
                        noise: *noise,
                    }))
                })
                .collect();
            let curves: Vec<Vec<f64>> = outcomes
                .iter()
                .map(|o| places.iter().map(|&i| o[i][0]).collect())
                .collect();
            let curves = curves.iter().map(|c| &c[..]).collect();
            let key = format!("sweep_{name}_h{hidden}");
            add_band(report, key, gains.clone(), curves);
        }
        let bounds = place(&Condition::Bounds(widths[0]));
        for (k, bound) in ["singular", "row_sum"].iter().enumerate() {
            let rate = |size: f64, gain: f64| {
                let factor = activation.steepest() * gain * size;
                Real::ln(factor) * DECADES_PER_100_STEPS
            };
            let curves: Vec<Vec<f64>> = outcomes
                .iter()
                .map(|o| gains.iter().map(|&g| rate(o[bounds][k], g)).collect())
                .collect();
            let curves = curves.iter().map(|c| &c[..]).collect();
            let key = format!("bound_{bound}_{name}");
            add_band(report, key, gains.clone(), curves);
        }
    }
}

fn lstm_key(bias: f64, gain: f64, noise: f64) -> String {
    let key = format!("lstm_bias_{bias}_gain_{gain}_noise_{noise}");
    key.replace('.', "_")
}

/// A series with one value for each seed.
fn add_seeds(report: &mut Report, name: &str, values: Vec<f64>) {
    let seeds = (1..=values.len()).map(|seed| seed as f64);
    report.series(name, seeds, values);
}

/// Singular values against the length, and the exponents.
fn add_spectrum(report: &mut Report, setting: &Setting, of: &[&[f64]]) {
    let hidden = setting.hidden;
    let key = setting.start.0.replace('.', "_");
    let lengths: Vec<f64> = LENGTHS.iter().map(|&l| l as f64).collect();
    for i in shown(hidden) {
        let curve = |o: &&[f64]| -> Vec<f64> {
            (0..LENGTHS.len()).map(|l| o[l * hidden + i]).collect()
        };
        let curves: Vec<Vec<f64>> = of.iter().map(curve).collect();
        let curves = curves.iter().map(|c| &c[..]).collect();
        let name = format!("singular_{key}_{}", i + 1);
        add_band(report, name, lengths.clone(), curves);
    }
    let exponents = LENGTHS.len() * hidden;
    let curves = of.iter().map(|o| &o[exponents..exponents + hidden]);
    let rates: Vec<Vec<f64>> = curves
        .map(|c| c.iter().map(|l| l * DECADES_PER_100_STEPS).collect())
        .collect();
    let first: Vec<f64> = rates.iter().map(|r| r[0]).collect();
    let last: Vec<f64> = rates.iter().map(|r| r[hidden - 1]).collect();
    let curves = rates.iter().map(|c| &c[..]).collect();
    let indices = (1..=hidden).map(|i| i as f64).collect();
    add_band(report, format!("exponents_{key}"), indices, curves);
    add_facts(report, &format!("exponent_{key}"), first.clone(), 3);
    add_facts(report, &format!("exponent_last_{key}"), last, 3);
    let error = |o: &&[f64]| o[exponents + hidden];
    let errors = of.iter().map(error).fold(0.0, f64::max);
    report.fact(format!("exponent_error_{key}"), Number::rounded(errors, 2));
    // How far the largest singular value of the longest product is from the rate in the limit.
    let longest = LENGTHS.len() - 1;
    let rate =
        |o: &&[f64]| 100.0 * o[longest * hidden] / LENGTHS[longest] as f64;
    let rates: Vec<f64> = of.iter().map(rate).collect();
    add_facts(report, &format!("singular_rate_{key}"), rates, 3);
}

/// Which singular values are drawn, counted from 0.
pub(super) fn shown(hidden: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..=4).map(|k| k * (hidden - 1) / 4).collect();
    shown.dedup();
    shown
}

/// Below this, numbers of 32 bits begin to lose digits: a little above 2⁻¹²⁶, log₁₀.
const F32_NORMAL: f64 = -36.0;

fn add_underflow(report: &mut Report, hidden: usize, of: &[&[f64]]) {
    let count = of[0].len() / 2;
    let lags: Vec<f64> = (0..count).map(|i| (i * LAG_STEP) as f64).collect();
    let name = |what: &str| format!("{what}_h{hidden}");
    let halves: Vec<(&[f64], &[f64])> =
        of.iter().map(|o| o.split_at(count)).collect();
    // As far as the numbers of 32 bits are normal, at least one step.
    let far = |f32: &[f64]| {
        let beyond = f32.iter().position(|&n| n < F32_NORMAL);
        beyond.unwrap_or(count).max(2) - 1
    };
    let rate = |norms: &[f64], far: usize| 100.0 * norms[far] / lags[far];
    let in_f32 = halves.iter().map(|(f32, _)| rate(f32, far(f32))).collect();
    let in_f64 = halves.iter().map(|(f32, f64)| rate(f64, far(f32))).collect();
    add_seeds(report, &name("in_f32"), in_f32);
    add_seeds(report, &name("in_f64"), in_f64);
    let dead = |f32: &[f64]| {
        let dead = f32.iter().position(|&n| n == f64::NEG_INFINITY);
        dead.map_or(f64::INFINITY, |i| lags[i])
    };
    let deaths = halves.iter().map(|(f32, _)| dead(f32)).collect();
    add_facts(report, &name("f32_dead_at"), deaths, 3);
    let last = halves.iter().map(|(_, f64)| f64[count - 1]).collect();
    add_facts(report, &name("f64_last"), last, 3);
    let apart = halves.iter().map(|(f32, f64)| {
        (0..=far(f32)).map(|i| (f32[i] - f64[i]).abs()).fold(0.0, f64::max)
    });
    add_facts(report, &name("apart"), apart.collect(), 2);
    for (what, half) in [("norm_f32", 0), ("norm_f64", 1)] {
        let of = if half == 0 { halves[0].0 } else { halves[0].1 };
        let power = |n: &f64| {
            // Zero has a place of its own in the figure; nothing else is below 10⁻³⁰⁰.
            Number::rounded(Real::exp(*n / LOG10_E), 4)
        };
        let norms: Vec<Number> = of.iter().map(power).collect();
        report.series(name(what), lags.clone(), norms);
    }
}

// ANCHOR: nilpotent
/// A matrix whose eigenvalues are all 0, and a bias with which its network
/// has an unstable fixed point.
const NILPOTENT: [[f64; 2]; 2] = [[8.0, 8.0], [-8.0, -8.0]];
const NILPOTENT_BIAS: [f64; 2] = [2.15, -2.59];

/// h with h = tanh(U h + b). Of h only s = h₁ + h₂ comes back, so s decides:
/// s = tanh(8 s + b₁) + tanh(−8 s + b₂), by bisection between two bounds.
fn fixed_point(mut low: f64, mut high: f64) -> Array2<f64> {
    let [b_1, b_2] = NILPOTENT_BIAS;
    let h = |s: f64| [Real::tanh(8.0 * s + b_1), Real::tanh(b_2 - 8.0 * s)];
    let over = |s: f64| h(s)[0] + h(s)[1] - s > 0.0;
    let side = over(low);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || high <= middle {
            return Array2::from(vec![h(low)]);
        }
        if over(middle) == side {
            low = middle;
        } else {
            high = middle;
        }
    }
}
// ANCHOR_END: nilpotent

fn add_nilpotent(report: &mut Report) {
    let u = array![NILPOTENT[0], NILPOTENT[1]];
    let network = Plain { activation: Activation::Tanh, u };
    let bias = Array2::from(vec![NILPOTENT_BIAS]);
    let zero = Array2::zeros((1, 2));
    let steps = 100;
    let rate = |factor: &Array2<f64>| {
        let factors = vec![factor.clone(); steps];
        100.0 * singular_values(&factors)[0] / steps as f64
    };
    let jacobian = |x: &Array2<f64>, h: &Array2<f64>| {
        longlag_probe::jacobian(&network, x.row(0), h.row(0))
    };
    // The middle one of three fixed points.
    let h = fixed_point(-0.25, -0.1);
    let at_bias = jacobian(&bias, &h);
    let trace = at_bias[[0, 0]] + at_bias[[1, 1]];
    let at_zero = jacobian(&zero, &zero);
    let mut twice = Array2::zeros((2, 2));
    product(at_zero.view(), at_zero.view(), twice.view_mut(), false);
    let largest = twice.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // A little beside the fixed point, and on from there.
    let probe = GrowthProbe { burn_in: 0, steps, part: 0..2 };
    let beside = &h + &array![[1e-3, 0.0]];
    let mut rng = Rng::new(0);
    let beside =
        probe.measure(&network, beside.view(), |_| bias.clone(), &mut rng);
    let radius = spectral_radius(network.u.view());
    let singular = Real::exp(singular_values(&[network.u])[0] / LOG10_E);
    report
        .fact("nilpotent_radius", radius)
        .fact("nilpotent_singular", Number::rounded(singular, 4))
        .fact("nilpotent_factor", Number::rounded(trace, 3))
        .fact("nilpotent_rate", Number::rounded(rate(&at_bias), 3))
        .fact("nilpotent_beside", Number::rounded(beside.median, 3))
        .fact("nilpotent_without_bias", largest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_point_is_one() {
        let h = fixed_point(-0.25, -0.1);
        let u = array![NILPOTENT[0], NILPOTENT[1]];
        let network = Plain { activation: Activation::Tanh, u };
        let bias = Array2::from(vec![NILPOTENT_BIAS]);
        let moved = network.next(bias.view(), h.view()) - &h;
        assert!(moved.iter().all(|x| x.abs() < 1e-14), "{moved}");
    }
}
