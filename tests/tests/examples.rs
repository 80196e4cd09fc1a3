//! The chapters' programs print what the book shows.

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
