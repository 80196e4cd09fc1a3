//! The chapter "Learning to forget" as a program you can change: one seed of each network, and a gate that is held.
//!
//! `cargo run --release --example learning_to_forget`

use longlag_experiments::learning_to_forget::{
    Clamped, Config, Held, Learner, Learnt, Probe, Training,
};
use longlag_experiments::runs::Run;
use longlag_numerics::random::Rng;
use std::io::{self, Write};

// ANCHOR: settings
/// What can be changed: all that the experiment's configuration has.
pub fn settings() -> Config {
    let learner = |name: &str, forget_gate| Learner {
        name: name.to_owned(),
        hidden: 8,
        forget_gate,
        reset: false,
        learning_rate: 0.05,
    };
    Config {
        learners: vec![
            learner("with a forget gate", true),
            learner("without", false),
        ],
        updates: 500,
        test_letters: 1000,
        held: vec![0.5, 0.9, 0.99, 0.999],
        steps: vec![10, 100],
        ..Config::default()
    }
}
// ANCHOR_END: settings

// ANCHOR: learn
/// Trains each learner once.
pub fn learn(config: &Config) -> Vec<Learnt> {
    let train = |learner: &Learner| {
        let rng = Rng::new(config.seed);
        let mut training = Training::start(config, learner, rng);
        while training.advance().is_continue() {}
        training.outcome()
    };
    config.learners.iter().map(train).collect()
}
// ANCHOR_END: learn

// ANCHOR: hold
/// Holds the forget gate of one network at each value.
pub fn hold(config: &Config) -> Vec<Held> {
    let rng = Rng::new(config.seed);
    let mut weights = rng.stream("weights");
    let network = Clamped::draw(8, config.gain, &mut weights);
    let measure = |&f: &f64| {
        let Config { noise, trajectories, ref steps, .. } = *config;
        network.measure(&Probe { f, noise, trajectories, steps }, &rng)
    };
    config.held.iter().map(measure).collect()
}
// ANCHOR_END: hold

/// Prints how far the networks get, and what a held gate does.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let config = settings();
    writeln!(out, "                      letters until   largest")?;
    writeln!(out, "                      a mistake       |c|")?;
    for (learner, learnt) in config.learners.iter().zip(learn(&config)) {
        let right = learnt.right.iter().min().expect("a stream");
        let largest = learnt.largest.last().expect("a mark");
        writeln!(out, "{:22}{right:8}{largest:14.1}", learner.name)?;
    }
    writeln!(out)?;
    writeln!(out, "           left of the gradient   the gate's own signal")?;
    writeln!(out, "f          T = 10     T = 100     T = 10     T = 100")?;
    for (f, held) in config.held.iter().zip(hold(&config)) {
        let Held { gradient, signal, .. } = held;
        writeln!(
            out,
            "{f:<10} 10^{:<8.1}10^{:<8.1}{:8.2}{:12.2}",
            gradient[0],
            gradient[1],
            signal[0].sqrt(),
            signal[1].sqrt(),
        )?;
    }
    Ok(())
}

#[allow(dead_code, reason = "a test includes this file and calls `run`")]
fn main() -> io::Result<()> {
    run(&mut io::stdout().lock())
}

#[cfg(test)]
mod solutions {
    use super::*;
    use longlag_numerics::Real;
    use std::f64::consts::LOG10_E;

    // ANCHOR: solutions
    #[test]
    fn exercises() {
        let last = |of: &[f64]| *of.last().expect("a mark");

        // 1. Nothing is forgotten, unless somebody resets it.
        let mut config = Config { updates: 200, ..settings() };
        config.learners.remove(0);
        let kept = &learn(&config)[0];
        assert!(last(&kept.largest) > 100.0 && last(&kept.slope) < 1e-6);
        config.learners[0].reset = true;
        let reset = &learn(&config)[0];
        assert!(last(&reset.largest) < 60.0 && last(&reset.slope) > 0.05);

        // 2. On its own, every unit multiplies by f in each step.
        let alone = Config { gain: 0.0, ..settings() };
        for (f, held) in alone.held.iter().zip(hold(&alone)) {
            let decades = 100.0 * Real::ln(*f) * LOG10_E;
            assert!((held.gradient[1] - decades).abs() < 1e-9);
        }

        // 3. Twice as many steps, half as far from 1.
        let held = vec![0.98, 0.99, 0.995];
        let best = |steps: usize| {
            let steps = vec![steps];
            let config = Config { held: held.clone(), steps, ..settings() };
            let all = hold(&Config { gain: 0.0, ..config });
            let largest = all
                .iter()
                .zip(&held)
                .max_by(|a, b| a.0.signal[0].total_cmp(&b.0.signal[0]));
            *largest.expect("a gate").1
        };
        assert_eq!([best(70), best(140), best(280)], [0.98, 0.99, 0.995]);
    }
    // ANCHOR_END: solutions
}
