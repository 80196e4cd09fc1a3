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
    carousel in "../../examples/carousel.rs",
    still_vanishing in "../../examples/still_vanishing.rs",
    learning_to_forget in "../../examples/learning_to_forget.rs",
    gates_one_by_one in "../../examples/gates_one_by_one.rs",
    lstm_can_explode in "../../examples/lstm_can_explode.rs",
    long_lag_race in "../../examples/long_lag_race.rs",
    which_gate_matters in "../../examples/which_gate_matters.rs",
    cliffs_and_clipping in "../../examples/cliffs_and_clipping.rs",
    learning_rate_and_optimizer in "../../examples/learning_rate_and_optimizer.rs",
    initialisation in "../../examples/initialisation.rs",
    normalisation in "../../examples/normalisation.rs",
    truncation_and_detaching in "../../examples/truncation_and_detaching.rs",
    overfitting_is_another_problem in "../../examples/overfitting_is_another_problem.rs",
    not_vanishing_is_not_enough in "../../examples/not_vanishing_is_not_enough.rs",
    the_family in "../../examples/the_family.rs",
    bringing_your_own_weights in "../../examples/bringing_your_own_weights.rs",
    longlag_as_a_library in "../../examples/longlag_as_a_library.rs",
    the_toolbox in "../../examples/the_toolbox.rs",
}
