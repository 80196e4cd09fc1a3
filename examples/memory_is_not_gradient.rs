//! The chapter "Memory is not gradient" as a program you can change: one draw of each system.
//!
//! `cargo run --release --example memory_is_not_gradient`

use longlag_experiments::memory_is_not_gradient::{
    Decoded, Kind, Listener, four, messages, nearest,
};
use longlag_experiments::readout::{Examples, linear};
use longlag_numerics::random::Rng;
use ndarray::Array2;
use std::io::{self, Write};

// ANCHOR: settings
/// What can be changed.
pub struct Settings {
    /// The systems that are compared.
    pub systems: Vec<Kind>,
    /// H.
    pub hidden: usize,
    /// After how many steps the message is asked for.
    pub steps: Vec<usize>,
    /// The standard deviation of the noise in each unit at each step.
    pub noise: f64,
    /// How many different numbers there are to tell; None: any.
    pub numbers: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            systems: four(),
            hidden: 32,
            steps: vec![1, 10, 100],
            noise: 0.1,
            numbers: None,
        }
    }
}
// ANCHOR_END: settings

/// What was found of a system after some steps.
pub struct Line {
    /// Its name.
    pub system: String,
    /// T.
    pub steps: usize,
    /// log₁₀ ‖∂h_T/∂h_0‖.
    pub decades: f64,
    /// What a linear read-out finds in h_T.
    pub linear: Decoded,
    /// What the nearest neighbours find.
    pub nearest: Decoded,
}

/// Messages whose number is one of the middles of so many equal parts.
fn told(settings: &Settings, rng: &Rng) -> Array2<f64> {
    let mut told = messages(400, &mut rng.stream("messages"));
    if let Some(numbers) = settings.numbers {
        let parts = numbers as f64;
        let middle = |x: f64| ((x + 1.0) / 2.0 * parts).floor() + 0.5;
        told.column_mut(1).mapv_inplace(|x| middle(x) / parts * 2.0 - 1.0);
    }
    told
}

// ANCHOR: compare
/// Tells each system 400 messages twice, fits the decoders on the first
/// and tests them on the second.
pub fn compare(settings: &Settings) -> Vec<Line> {
    let Settings { systems, hidden, steps, noise, .. } = settings;
    let mut lines = Vec::new();
    for kind in systems {
        let rng = Rng::new(1);
        let mut draw = rng.stream("written");
        let listener = Listener {
            system: kind.draw(*hidden, &mut rng.stream("weights")),
            written: Array2::from_shape_simple_fn((2, *hidden), || {
                draw.normal()
            }),
            noise: *noise,
        };
        let hear = |rng: Rng| {
            let told = told(settings, &rng);
            let noise = &mut rng.stream("noise");
            let states = listener.states(&told, steps, noise);
            (told, states)
        };
        let (known, states) = hear(rng.stream("known"));
        let (asked, fresh) = hear(rng.stream("tested"));
        let one = messages(1, &mut rng.stream("probe"));
        let decades = listener.gradient(&one, steps, &mut rng.stream("probe"));
        for (i, &steps) in steps.iter().enumerate() {
            let known = Examples { states: &states[i], answers: &known };
            let said = linear(known, &fresh[i]);
            lines.push(Line {
                system: kind.name.clone(),
                steps,
                decades: decades[i],
                linear: Decoded::of(&said, &asked),
                nearest: Decoded::of(&nearest(known, &fresh[i]), &asked),
            });
        }
    }
    lines
}
// ANCHOR_END: compare

/// Prints what is decoded, linearly and by neighbours, beside the gradient.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "                      gradient   the bit       the number")?;
    writeln!(
        out,
        "system       steps    10^        linear near   linear near"
    )?;
    for line in compare(&Settings::default()) {
        let Line { system, steps, decades, linear, nearest } = line;
        writeln!(
            out,
            "{system:12}{steps:5}{:11.1}    {:4.0} %{:4.0} %{:8.2}{:6.2}",
            // Rounded first: what is left of a small negative number is −0.
            (10.0 * decades).round() / 10.0 + 0.0,
            100.0 * linear.bit,
            100.0 * nearest.bit,
            linear.number,
            nearest.number,
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
    use longlag_cells::init::Init;

    #[test]
    fn exercises() {
        let find = |settings: Settings, name: &str| -> Line {
            let mut lines = compare(&settings).into_iter();
            lines
                .rfind(|line| line.system == name)
                .expect("a system of this name")
        };

        // ANCHOR: solutions
        // 1. Both decoders find in chaos what they have seen before.
        let few = |noise| {
            let numbers = Some(8);
            Settings { numbers, noise, ..Settings::default() }
        };
        let silent = find(few(0.0), "chaos");
        assert!(silent.nearest.bit == 1.0 && silent.nearest.number == 1.0);
        assert!(silent.linear.bit == 1.0 && silent.linear.number > 0.999);
        let noisy = find(few(1e-6), "chaos");
        assert!(noisy.nearest.bit < 0.6 && noisy.nearest.number < 0.1);
        assert!(noisy.linear.bit < 0.6 && noisy.linear.number < 0.1);

        // 2. A weak latch: more gradient, less memory.
        let latch = |scale| {
            let weights = Init::Identity { scale };
            let systems = vec![Kind::new("latch", weights, true)];
            let noise = 0.3;
            find(Settings { systems, noise, ..Settings::default() }, "latch")
        };
        let (weak, strong) = (latch(1.1), latch(2.0));
        assert!(weak.decades > strong.decades + 40.0);
        assert!(weak.linear.bit < 0.6 && strong.linear.bit == 1.0);

        // 3. An orthogonal matrix with tanh units.
        let turning = |tanh| {
            let weights = Init::Orthogonal { gain: 1.0 };
            let systems = vec![Kind::new("orthogonal", weights, tanh)];
            find(Settings { systems, ..Settings::default() }, "orthogonal")
        };
        let (bent, straight) = (turning(true), turning(false));
        assert!(bent.decades > -4.0 && straight.decades.abs() < 1e-9);
        assert!(bent.linear.bit < 0.6 && straight.linear.bit > 0.95);
        // ANCHOR_END: solutions
    }
}
