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
    gradient_is_a_sum in "../../examples/gradient_is_a_sum.rs",
    law_of_the_product in "../../examples/law_of_the_product.rs",
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
    // 1. The neighbours find in chaos what they have seen before.
    let few = |noise| Settings { numbers: Some(8), noise, ..Settings::default() };
    let silent = find(few(0.0), "chaos");
    assert!(silent.nearest.bit == 1.0 && silent.nearest.number == 1.0);
    assert!(silent.linear.bit < 0.6 && silent.linear.number < 0.1);
    let noisy = find(few(1e-12), "chaos");
    assert!(noisy.nearest.bit < 0.6 && noisy.nearest.number < 0.1);

    // 2. A weak latch: more gradient, less memory.
    let latch = |scale, noise| {
        let systems = vec![Kind::new("latch", Init::Identity { scale }, true)];
        find(Settings { systems, noise, ..Settings::default() }, "latch")
    };
    let (weak, strong) = (latch(1.1, 0.3), latch(2.0, 0.3));
    assert!(weak.decades > strong.decades + 40.0);
    assert!(weak.linear.bit < 0.9 && strong.linear.bit == 1.0);

    // 3. An orthogonal matrix with tanh units.
    let turning = |tanh| {
        let systems = vec![Kind::new("orthogonal", Init::Orthogonal { gain: 1.0 }, tanh)];
        find(Settings { systems, ..Settings::default() }, "orthogonal")
    };
    let (bent, straight) = (turning(true), turning(false));
    assert!(bent.decades < -1.0 && straight.decades.abs() < 1e-9);
    assert!(bent.linear.number < straight.linear.number - 0.2);
    // ANCHOR_END: memory_is_not_gradient
}

// ANCHOR: sum_solutions
#[test]
fn solutions_of_the_gradient_is_a_sum() {
    use gradient_is_a_sum::{SETTINGS, Settings, before_and_after};
    use longlag_cells::Cell;
    let far_share = |shares: &[f64]| shares[15..].iter().sum::<f64>();
    let least_usable = |usable: &[f64]| usable[15..29].iter().fold(1.0_f64, |least, u| least.min(*u));

    let [_, lstm] = before_and_after(SETTINGS);
    assert!(far_share(&lstm.share) > 0.5 && least_usable(&lstm.usable) > 0.01);
    // 1. Next to nothing, before and after.
    for lags in before_and_after(Settings { cell: Cell::RnnTanh, ..SETTINGS }) {
        assert!(far_share(&lags.share) < 0.01);
    }
    // 2. No: not yet, at least.
    let [_, usual] = before_and_after(Settings { forget_bias: 1.0, ..SETTINGS });
    assert!(least_usable(&usual.usable) < 0.01);
}
// ANCHOR_END: sum_solutions
