//! The chapters' programs print what the book shows, and the solutions of the exercises find what it says.

use longlag_tests::{names_in, setup, with_snapshots};

/// A module with the program, and a test that runs it.
macro_rules! examples {
    ($($name:ident in $path:literal,)*) => {
        $(#[path = $path]
        #[allow(dead_code, unreachable_pub, reason = "a program of its own, with its own main")]
        mod $name;

        #[test]
        fn $name() {
            setup();
            let mut out = Vec::new();
            $name::run(&mut out).expect("it runs");
            let text = String::from_utf8(out).expect("it prints text");
            with_snapshots(|| insta::assert_snapshot!(concat!("example-", stringify!($name)), text));
        })*

        #[test]
        fn every_example_is_tested() {
            let mut tested = vec![$(concat!(stringify!($name), ".rs")),*];
            tested.sort_unstable();
            let found: Vec<_> = names_in("examples").into_iter().filter(|name| name.ends_with(".rs")).collect();
            assert_eq!(found, tested);
        }
    };
}

examples! {
    trust_the_gradient in "../../examples/trust_the_gradient.rs",
    first_race in "../../examples/first_race.rs",
    memory_is_not_gradient in "../../examples/memory_is_not_gradient.rs",
}

#[test]
fn exercises_of_memory_is_not_gradient() {
    use longlag_cells::init::Init;
    use longlag_experiments::memory_is_not_gradient::Kind;
    use memory_is_not_gradient::{Line, Settings, compare};
    setup();
    let find = |settings: Settings, name: &str| -> Line {
        let mut lines = compare(&settings).into_iter();
        lines.rfind(|line| line.system == name).expect("a system of this name")
    };

    // ANCHOR: memory_is_not_gradient
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
    // ANCHOR_END: memory_is_not_gradient
}
