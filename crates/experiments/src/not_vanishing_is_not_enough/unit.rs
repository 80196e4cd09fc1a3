//! A unit that keeps a share λ of its state, and one that learns another's λ.

use longlag_numerics::random::Rng;
use longlag_numerics::{Real, slice};
use longlag_optim::{AdamConfig, Optimizer, OptimizerConfig, SgdConfig};
use serde::{Deserialize, Serialize};

/// Sequences that run side by side.
pub const SEQUENCES: usize = 8;

/// The λ whose memory is so many steps: 1 − 1/`memory`.
pub fn lambda_of(memory: f64) -> f64 {
    1.0 - 1.0 / memory
}

/// White noise of variance 1: every input is 1 or −1 by the toss of a coin.
#[derive(Debug)]
pub struct Coins<'a> {
    rng: &'a mut Rng,
    bits: u64,
    left: usize,
}

impl Coins<'_> {
    /// Tossed by `rng`.
    pub fn new(rng: &mut Rng) -> Coins<'_> {
        Coins { rng, bits: 0, left: 0 }
    }
    /// The next input of each sequence.
    pub fn toss(&mut self) -> [f64; SEQUENCES] {
        if self.left == 0 {
            (self.bits, self.left) = (self.rng.bits(), 64 / SEQUENCES);
        }
        let bits = self.bits;
        self.bits >>= SEQUENCES;
        self.left -= 1;
        // The bit becomes the sign, without a branch.
        std::array::from_fn(|k| {
            f64::from_bits(1.0_f64.to_bits() | (bits >> k & 1) << 63)
        })
    }
}

// ANCHOR: unit
/// h_t = λ h_{t−1} + x_t in all sequences, and beside it ∂h_t/∂λ, which
/// obeys ∂h_t/∂λ = h_{t−1} + λ ∂h_{t−1}/∂λ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unit {
    /// h.
    pub h: [f64; SEQUENCES],
    /// ∂h/∂λ.
    pub slope: [f64; SEQUENCES],
}

impl Unit {
    /// A step.
    pub fn step(&mut self, lambda: f64, x: &[f64; SEQUENCES]) {
        for (k, x) in x.iter().enumerate() {
            self.slope[k] = self.h[k] + lambda * self.slope[k];
            self.h[k] = lambda * self.h[k] + x;
        }
    }
}
// ANCHOR_END: unit

// ANCHOR: form
/// What a unit gives out, and by which number it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// h, by λ.
    Plain,
    /// √(1 − λ²) h, which has variance 1 whatever λ is, by λ.
    Normalised,
    /// The same by ν, where λ = exp(−exp ν).
    Exponential,
}

/// A form at a λ: the output is `scale` h, and its derivative
/// `by` (`scale` ∂h/∂λ + `d_scale` h).
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// λ.
    pub lambda: f64,
    /// The factor of the input.
    pub scale: f64,
    /// Its derivative by λ.
    pub d_scale: f64,
    /// The derivative of λ by what is trained.
    pub by: f64,
}

impl Form {
    /// The number that is trained, where the unit keeps λ.
    pub fn parameter(self, lambda: f64) -> f64 {
        match self {
            Form::Plain | Form::Normalised => lambda,
            Form::Exponential => Real::ln(-Real::ln(lambda)),
        }
    }

    /// What the unit is where that number is `parameter`.
    pub fn at(self, parameter: f64) -> At {
        let lambda = match self {
            Form::Plain | Form::Normalised => parameter,
            Form::Exponential => Real::exp(-Real::exp(parameter)),
        };
        let (scale, d_scale) = match self {
            Form::Plain => (1.0, 0.0),
            Form::Normalised | Form::Exponential => {
                let scale = (1.0 - lambda * lambda).sqrt();
                (scale, -lambda / scale)
            }
        };
        let by = match self {
            Form::Plain | Form::Normalised => 1.0,
            Form::Exponential => lambda * Real::ln(lambda),
        };
        At { lambda, scale, d_scale, by }
    }
}
// ANCHOR_END: form

/// ∂(output)/∂(parameter), of each sequence.
pub fn sensitivity(at: At, unit: &Unit) -> [f64; SEQUENCES] {
    std::array::from_fn(|k| {
        at.by * (at.scale * unit.slope[k] + at.d_scale * unit.h[k])
    })
}

/// What a student is to become, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// The teacher's memory in steps, 1/(1 − λ).
    pub memory: f64,
    /// T.
    pub steps: usize,
    /// The most updates.
    pub updates: u32,
    /// So many updates in a row the student's memory must be within
    /// [`NEAR`] of the teacher's.
    pub in_a_row: u32,
}

/// How near a memory must be: within a tenth.
pub const NEAR: f64 = 0.1;

/// How a student learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// What facts of it begin with.
    pub key: &'static str,
    /// What it gives out, by which number.
    pub form: Form,
    /// Whether by Adam; else by gradient descent.
    pub adam: bool,
}

/// All ways.
pub const WAYS: [Way; 4] = [
    Way { key: "plain", form: Form::Plain, adam: false },
    Way { key: "adam", form: Form::Plain, adam: true },
    Way { key: "normalised", form: Form::Normalised, adam: false },
    Way { key: "exponential", form: Form::Exponential, adam: false },
];

impl Way {
    /// The optimizer with this learning rate.
    pub fn optimizer(self, learning_rate: f64) -> OptimizerConfig {
        if self.adam {
            let rest = AdamConfig::default();
            OptimizerConfig::Adam(AdamConfig { learning_rate, ..rest })
        } else {
            let rest = SgdConfig::default();
            OptimizerConfig::Sgd(SgdConfig { learning_rate, ..rest })
        }
    }
}

// ANCHOR: gradient
/// The derivative, by the number that is trained, of the mean of
/// (student's output − teacher's output)² over T steps of random
/// sequences.
pub fn gradient(
    form: Form,
    parameter: f64,
    lesson: &Lesson,
    rng: &mut Rng,
) -> f64 {
    let at = form.at(parameter);
    let wanted = form.at(form.parameter(lambda_of(lesson.memory)));
    let (mut student, mut teacher) = (Unit::default(), Unit::default());
    let (mut coins, mut sums) = (Coins::new(rng), [0.0; SEQUENCES]);
    for _ in 0..lesson.steps {
        let x = coins.toss();
        student.step(at.lambda, &x);
        teacher.step(wanted.lambda, &x);
        let slope = sensitivity(at, &student);
        for k in 0..SEQUENCES {
            let error = at.scale * student.h[k] - wanted.scale * teacher.h[k];
            sums[k] += 2.0 * error * slope[k];
        }
    }
    slice::sum(&sums) / (lesson.steps * SEQUENCES) as f64
}
// ANCHOR_END: gradient

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The student has the teacher's memory.
    Solved,
    /// It hasn't, after all updates.
    Unsolved,
    /// It ended in infinities or NaN.
    Diverged,
}

// ANCHOR: student
/// A unit that learns.
#[derive(Debug)]
pub struct Student {
    form: Form,
    parameter: [f64; 1],
    optimizer: Optimizer<f64>,
}

impl Student {
    /// One that has this memory and learns this way.
    pub fn new(way: Way, learning_rate: f64, memory: f64) -> Student {
        Student {
            form: way.form,
            parameter: [way.form.parameter(lambda_of(memory))],
            optimizer: way.optimizer(learning_rate).build(1),
        }
    }

    /// One update.
    pub fn update(&mut self, lesson: &Lesson, rng: &mut Rng) {
        let [parameter] = self.parameter;
        let gradient = gradient(self.form, parameter, lesson, rng);
        self.optimizer.step(&mut self.parameter, &[gradient]);
    }

    /// 1/(1 − λ). Negative where λ is above 1.
    pub fn memory(&self) -> f64 {
        1.0 / (1.0 - self.form.at(self.parameter[0]).lambda)
    }

    /// Learns until it has the teacher's memory, or can't; and after how
    /// many updates that was.
    pub fn learn(&mut self, lesson: &Lesson, rng: &Rng) -> (u32, End) {
        let mut row = 0;
        for update in 1..=lesson.updates {
            self.update(lesson, &mut rng.stream(&update.to_string()));
            if !self.parameter[0].is_finite() {
                return (update, End::Diverged);
            }
            let near = (self.memory() / lesson.memory - 1.0).abs() <= NEAR;
            row = if near { row + 1 } else { 0 };
            if row == lesson.in_a_row {
                return (update, End::Solved);
            }
        }
        (lesson.updates, End::Unsolved)
    }
}
// ANCHOR_END: student

/// What theory says of white noise after T steps from the state 0.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// E\[h²\] = Σ λ^2k.
    pub h: f64,
    /// E\[(∂h/∂λ)²\] = Σ k² λ^(2k−2).
    pub slope: f64,
    /// E\[h ∂h/∂λ\] = Σ k λ^(2k−1).
    pub both: f64,
}

impl Law {
    /// By the sums.
    pub fn after(steps: usize, lambda: f64) -> Law {
        let mut law = Law { h: 0.0, slope: 0.0, both: 0.0 };
        // λ^k of the input k steps back, and its derivative k λ^(k−1).
        let (mut kept, mut d_kept) = (1.0, 0.0);
        for _ in 0..steps {
            law.h += kept * kept;
            law.slope += d_kept * d_kept;
            law.both += kept * d_kept;
            d_kept = kept + lambda * d_kept;
            kept *= lambda;
        }
        law
    }

    /// Without end: 1/(1 − λ²), (1 + λ²)/(1 − λ²)³ and λ/(1 − λ²)².
    pub fn in_the_end(lambda: f64) -> Law {
        let rest = 1.0 - lambda * lambda;
        Law {
            h: 1.0 / rest,
            slope: (1.0 + lambda * lambda) / (rest * rest * rest),
            both: lambda / (rest * rest),
        }
    }

    /// The mean square of what [`sensitivity`] gives.
    pub fn sensitivity(&self, at: At) -> f64 {
        let At { scale, d_scale, by, .. } = at;
        let Law { h, slope, both } = *self;
        by * by
            * (scale * scale * slope
                + 2.0 * scale * d_scale * both
                + d_scale * d_scale * h)
    }
}
