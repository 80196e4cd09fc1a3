//! The chapter "The toolbox" as a program you can change.
//!
//! `cargo run --release --example the_toolbox`

use longlag_numerics::{Parameters, slice};
use longlag_optim::{
    AdadeltaConfig, AdagradConfig, AdamConfig, AdamWConfig, Clip, NAdamConfig,
    OneCycle, OptimizerConfig, Phase, RAdamConfig, RmsPropConfig, Schedule,
    SgdConfig,
};
use std::io::{self, Write};

// ANCHOR: clips
/// A gradient of two matrices of two rows each, in which one row is a
/// hundred times as long as the others, and the parameters that it is of.
fn exploded() -> (Vec<f64>, Parameters<f64>) {
    let mut parameters = Parameters::default();
    parameters.push("a", [2, 2], 0.0);
    parameters.push("b", [2, 2], 0.0);
    let values = [1.0, -1.0, 0.5, 0.5, 2.0, 0.0, 0.1, 0.1];
    parameters.values.copy_from_slice(&values);
    (vec![0.3, 0.4, -30.0, 40.0, 0.0, 0.5, -0.4, 0.3], parameters)
}

const CLIPS: [(&str, Clip); 6] = [
    ("none", Clip::None),
    ("norm 1", Clip::Norm(1.0)),
    ("1-norm 1", Clip::PNorm { p: 1.0, limit: 1.0 }),
    ("∞-norm 1", Clip::PNorm { p: f64::INFINITY, limit: 1.0 }),
    ("value 1", Clip::Value(1.0)),
    ("adaptive 0.1", Clip::Adaptive { factor: 0.1, epsilon: 1e-3 }),
];
// ANCHOR_END: clips

/// What each way of clipping leaves of one and the same gradient.
fn clipping(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "clipping      row 1   row 2   row 3   row 4   cosine")?;
    let (before, parameters) = exploded();
    for (name, clip) in CLIPS {
        let mut after = before.clone();
        let _ = clip.apply(&mut after, &parameters.values, parameters.spans());
        write!(out, "{name:<12}")?;
        for row in after.chunks(2) {
            write!(out, "{:>7.4} ", slice::norm(row))?;
        }
        let along: f64 = before.iter().zip(&after).map(|(a, b)| a * b).sum();
        let cosine = along / (slice::norm(&before) * slice::norm(&after));
        writeln!(out, "{cosine:>8.4}")?;
    }
    Ok(())
}

/// How far each optimizer, at the same learning rate, moves two parameters,
/// of which one has a gradient a thousand times as large.
fn optimizers(out: &mut impl Write) -> io::Result<()> {
    let learning_rate = 0.01;
    let config = |config: OptimizerConfig| {
        config.with_learning_rate(learning_rate).with_weight_decay(0.0)
    };
    let momentum = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
    let all = [
        ("SGD", OptimizerConfig::Sgd(SgdConfig::default())),
        ("momentum", OptimizerConfig::Sgd(momentum)),
        ("RMSprop", OptimizerConfig::RmsProp(RmsPropConfig::default())),
        ("Adagrad", OptimizerConfig::Adagrad(AdagradConfig::default())),
        ("Adadelta", OptimizerConfig::Adadelta(AdadeltaConfig::default())),
        ("Adam", OptimizerConfig::Adam(AdamConfig::default())),
        ("AdamW", OptimizerConfig::AdamW(AdamWConfig::default())),
        ("NAdam", OptimizerConfig::NAdam(NAdamConfig::default())),
        ("RAdam", OptimizerConfig::RAdam(RAdamConfig::default())),
    ];
    writeln!(out, "\n           after 1 update        after 10")?;
    writeln!(out, "gradient       1     0.001       1     0.001")?;
    for (name, kind) in all {
        let mut optimizer = config(kind).build(2);
        let mut parameters = [0.0_f64; 2];
        write!(out, "{name:<9}")?;
        for update in 1..=10 {
            optimizer.step(&mut parameters, &[1.0, 0.001]);
            if update == 1 || update == 10 {
                let [large, small] = parameters.map(f64::abs);
                write!(out, " {large:>8.1e}  {small:>8.1e}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

// ANCHOR: schedules
/// Schedules over twelve updates.
fn schedules() -> [(&'static str, Schedule); 7] {
    let cosine = Schedule::Cosine { steps: 9, minimum: 0.0 };
    let warm_up = Schedule::WarmUp { steps: 3 };
    [
        ("step", Schedule::Step { step_size: 4, gamma: 0.5 }),
        ("exponential", Schedule::Exponential { gamma: 0.8 }),
        ("polynomial", Schedule::Polynomial { steps: 12, power: 2.0 }),
        ("cosine", Schedule::Cosine { steps: 12, minimum: 0.0 }),
        (
            "restarts",
            Schedule::CosineRestarts {
                period: 4,
                period_factor: 2,
                minimum: 0.0,
            },
        ),
        ("one cycle", Schedule::OneCycle(OneCycle::new(12))),
        (
            "sequence",
            Schedule::Sequence(vec![
                Phase { steps: Some(3), schedule: warm_up },
                Phase { steps: None, schedule: cosine },
            ]),
        ),
    ]
}
// ANCHOR_END: schedules

/// The learning rate at each update, as a share of the optimizer's own.
fn rates(out: &mut impl Write) -> io::Result<()> {
    write!(out, "\nupdates done")?;
    (0..12).step_by(2).try_for_each(|step| write!(out, "{step:>7}"))?;
    writeln!(out)?;
    for (name, schedule) in schedules() {
        write!(out, "{name:<12}")?;
        for step in (0..12).step_by(2) {
            write!(out, "{:>7.3}", schedule.learning_rate(1.0, step))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Shows what clippings, optimizers and schedules do.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    clipping(out)?;
    optimizers(out)?;
    rates(out)
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}
