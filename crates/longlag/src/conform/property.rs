//! What results of random numbers must satisfy: those of another program can't be compared entry by entry.

use super::case::{Case, Options, Stop, unknown};
use longlag_cells::StateDict;
use longlag_numerics::Real;
use std::f64::consts::PI;

/// What one result must satisfy.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) tensor: String,
    pub(super) shape: Vec<usize>,
    pub(super) law: Law,
}

/// Where its numbers come from.
#[derive(Debug)]
pub(super) enum Law {
    Constant {
        value: f64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// The rows or the columns, whichever are fewer, are orthogonal and have the length `gain`.
    Orthogonal {
        gain: f64,
    },
    /// Each is 0 with probability `p`, else that of `input` / (1 − p); and `gradient` that of `upstream` likewise.
    Dropout {
        input: String,
        p: f64,
        gradient: String,
        upstream: String,
    },
}

/// How many standard errors a mean, a deviation or a share may be off.
const ERRORS: f64 = 5.0;
/// What √n times the Kolmogorov-Smirnov distance of n numbers may be: it is more in one of 8000 samples.
const KOLMOGOROV_SMIRNOV: f64 = 2.2;
/// What products of orthogonal vectors may be off.
const ORTHOGONAL: f64 = 1e-9;
/// What rounding may do to a bound, or relatively to a scaled number.
const ROUNDING: f64 = 1e-12;

impl Property {
    pub(super) fn read(options: &Options) -> Result<Property, Stop> {
        let number = |name| options.get::<f64>(name);
        let law = if options.has("dropout_of") {
            Law::Dropout {
                input: options.get("dropout_of")?,
                p: number("p")?,
                gradient: options.get("gradient")?,
                upstream: options.get("upstream")?,
            }
        } else {
            match &options.get::<String>("distribution")?[..] {
                "constant" => Law::Constant { value: number("value")? },
                "uniform" => Law::Uniform { low: number("low")?, high: number("high")? },
                "normal" => Law::Normal { mean: number("mean")?, deviation: number("std")? },
                "orthogonal" => Law::Orthogonal { gain: number("gain")? },
                other => return Err(unknown(format!("distribution = {other}"))),
            }
        };
        let property = Property { tensor: options.get("tensor")?, shape: options.get("shape")?, law };
        options.all_known()?;
        Ok(property)
    }

    /// What is wrong with the results; nothing, if they satisfy it.
    pub(super) fn judge(&self, case: &Case, results: &StateDict) -> Option<String> {
        let Some(got) = results.get(&self.tensor) else { return Some("missing".to_owned()) };
        if got.shape() != self.shape {
            return Some(format!("the shape is {:?}, not {:?}", got.shape(), self.shape));
        }
        let Some(x) = got.numbers::<f64>() else { return Some(format!("{} can't be judged", got.dtype())) };
        if let Some(at) = x.iter().position(|x| !x.is_finite()) {
            return Some(format!("entry {at} is {}", x[at]));
        }
        match &self.law {
            Law::Constant { value } => {
                let at = x.iter().position(|x| x != value)?;
                Some(format!("entry {at} is {:e}, not {value:e}", x[at]))
            }
            Law::Uniform { low, high } => {
                let inside = low - ROUNDING..=high + ROUNDING;
                if let Some(at) = x.iter().position(|x| !inside.contains(x)) {
                    return Some(format!("entry {at} is {:e}, not from {low:e} to {high:e}", x[at]));
                }
                let width = high - low;
                let moments =
                    Moments { mean: (low + high) / 2.0, deviation: width / 12_f64.sqrt(), fourth: 1.8 };
                moments.judge(&x).or_else(|| distance(x, |x| (x - low) / width))
            }
            Law::Normal { mean, deviation } => {
                let moments = Moments { mean: *mean, deviation: *deviation, fourth: 3.0 };
                moments.judge(&x).or_else(|| distance(x, |x| normal_below((x - mean) / deviation)))
            }
            Law::Orthogonal { gain } => orthogonal(&x, &self.shape, *gain),
            Law::Dropout { input, p, gradient, upstream } => {
                let wanted = |name: &str| case.wanted(name).and_then(|tensor| tensor.numbers::<f64>());
                let [Some(input), Some(upstream)] = [wanted(input), wanted(upstream)] else {
                    return Some("what was dropped, or the upstream gradient, is missing".to_owned());
                };
                let Some(gradient) = results.get(gradient).and_then(|tensor| tensor.numbers::<f64>()) else {
                    return Some(format!("{gradient} is missing"));
                };
                dropped(&x, &input, *p).or_else(|| same_mask(&x, &gradient, &upstream, *p))
            }
        }
    }
}

/// The first moments of a distribution.
struct Moments {
    mean: f64,
    deviation: f64,
    /// The fourth central moment over the square of the second.
    fourth: f64,
}

impl Moments {
    fn judge(&self, x: &[f64]) -> Option<String> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        if (mean - self.mean).abs() > ERRORS * self.deviation / n.sqrt() {
            return Some(format!("the mean is {mean:.5}, not {:.5}", self.mean));
        }
        let relative = variance / (self.deviation * self.deviation) - 1.0;
        (relative.abs() > ERRORS * ((self.fourth - 1.0) / n).sqrt())
            .then(|| format!("the standard deviation is {:.5}, not {:.5}", variance.sqrt(), self.deviation))
    }
}

/// The Kolmogorov-Smirnov distance from the distribution with this share `below` a number.
fn distance(mut x: Vec<f64>, below: impl Fn(f64) -> f64) -> Option<String> {
    x.sort_unstable_by(f64::total_cmp);
    let n = x.len() as f64;
    let steps = x.iter().enumerate().map(|(k, &x)| {
        let (k, below) = (k as f64, below(x));
        (below - k / n).abs().max((below - (k + 1.0) / n).abs())
    });
    let distance = steps.fold(0.0, f64::max);
    (distance > KOLMOGOROV_SMIRNOV / n.sqrt())
        .then(|| format!("the Kolmogorov-Smirnov distance from its distribution is {distance:.4}"))
}

/// Φ(z) = 1/2 + φ(z) · (z + z³/3 + z⁵/(3·5) + …) (Abramowitz & Stegun 26.2.11): no term cancels another.
fn normal_below(z: f64) -> f64 {
    // 1 − Φ(9) is 10⁻¹⁹.
    if z.abs() > 9.0 {
        return f64::from(z > 0.0);
    }
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 + Real::exp(-z * z / 2.0) / (2.0 * PI).sqrt() * sum
}

fn orthogonal(x: &[f64], shape: &[usize], gain: f64) -> Option<String> {
    let &[rows, columns] = shape else { return Some(format!("{shape:?} is no matrix")) };
    let entry = |vector: usize, k: usize| {
        if rows > columns { x[k * columns + vector] } else { x[vector * columns + k] }
    };
    let (vectors, length) = (rows.min(columns), rows.max(columns));
    let pairs = (0..vectors).flat_map(|i| (0..=i).map(move |j| (i, j)));
    let wrong = |&(i, j): &(usize, usize)| {
        let product: f64 = (0..length).map(|k| entry(i, k) * entry(j, k)).sum();
        let want = if i == j { gain * gain } else { 0.0 };
        (product - want).abs() > ORTHOGONAL
    };
    let (i, j) = pairs.into_iter().find(wrong)?;
    Some(format!("vectors {j} and {i} are not orthogonal of length {gain}"))
}

fn dropped(x: &[f64], input: &[f64], p: f64) -> Option<String> {
    if x.len() != input.len() {
        return Some(format!("{} entries of {}", x.len(), input.len()));
    }
    let wrong = |(&x, &input): (&f64, &f64)| {
        let kept = input / (1.0 - p);
        x != 0.0 && (x - kept).abs() > ROUNDING * kept.abs()
    };
    if let Some(at) = x.iter().zip(input).position(wrong) {
        let kept = input[at] / (1.0 - p);
        return Some(format!("entry {at} is {:e}, neither 0 nor {kept:e}", x[at]));
    }
    let n = x.len() as f64;
    let zeros = x.iter().filter(|&&x| x == 0.0).count();
    ((zeros as f64 / n - p).abs() > ERRORS * (p * (1.0 - p) / n).sqrt())
        .then(|| format!("{zeros} of {n} entries are dropped, with probability {p}"))
}

fn same_mask(x: &[f64], gradient: &[f64], upstream: &[f64], p: f64) -> Option<String> {
    if gradient.len() != x.len() || upstream.len() != x.len() {
        return Some(format!("gradients of {} entries, not {}", gradient.len(), x.len()));
    }
    (0..x.len()).find_map(|at| {
        let want = if x[at] == 0.0 { 0.0 } else { upstream[at] / (1.0 - p) };
        // In this order a NaN is wrong too.
        let near = (gradient[at] - want).abs() <= ROUNDING * want.abs();
        (!near).then(|| format!("the gradient's entry {at} is {:e}, not {want:e}", gradient[at]))
    })
}
