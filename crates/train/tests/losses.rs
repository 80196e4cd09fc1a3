//! The losses against values by hand and against differences.

use longlag_autodiff::check::{self, Function};
use longlag_autodiff::{Tape, Var};
use longlag_numerics::{Real, Scalar};
use longlag_train::{cross_entropy, mse, one_hot};
use ndarray::{Array2, array};

#[test]
fn mse_is_the_mean_over_all_entries() {
    let tape = Tape::<f64>::new();
    let prediction = tape.leaf(&array![[1.0, 2.0], [3.0, 4.0]].view());
    let target = tape.constant(&array![[1.0, 4.0], [0.0, 5.0]].view());
    let loss = mse(prediction, target);
    // (0 + 4 + 9 + 1) / 4, with gradient 2 (prediction − target) / 4.
    assert_eq!(loss.item(), 3.5);
    assert_eq!(
        loss.backward().of(prediction),
        array![[0.0, -1.0], [1.5, -0.5]]
    );
}

#[test]
fn cross_entropy_is_the_mean_over_the_rows_of_what_the_right_class_lacks() {
    let tape = Tape::<f64>::new();
    // The softmax of the logarithms of 1, 2, 5 is 1/8, 2/8, 5/8; of equal numbers, 1/3 each.
    let [zero, two, five] = [1.0, 2.0, 5.0].map(Real::ln);
    let logits = tape.leaf(&array![[zero, two, five], [7.0, 7.0, 7.0]].view());
    let loss = cross_entropy(logits, one_hot(&tape, [1, 0].into_iter(), 3));
    let want: f64 = (Real::ln(4.0) + Real::ln(3.0)) / 2.0;
    assert!(
        (loss.item() - want).abs() < 1e-15 * 4.0,
        "{} is not {want}",
        loss.item()
    );
    // (softmax − target) / B.
    let got = loss.backward().of(logits).to_owned();
    let third = 1.0 / 3.0;
    let want =
        array![[1.0 / 8.0, -6.0 / 8.0, 5.0 / 8.0], [third - 1.0, third, third]]
            / 2.0;
    let apart =
        (&got - &want).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // Numbers near 7 have roundings of 4·10⁻¹⁶.
    assert!(apart < 1e-15, "{got}");
}

/// No exponential overflows, and the loss of a sure and wrong answer is how sure it was.
#[test]
fn cross_entropy_bears_large_logits() {
    let tape = Tape::<f32>::new();
    let logits = tape.leaf(&array![[1e4, -1e4], [1e4, -1e4]].view());
    let loss = cross_entropy(logits, one_hot(&tape, [0, 1].into_iter(), 2));
    assert_eq!(loss.item(), 1e4);
    assert_eq!(loss.backward().of(logits), array![[0.0, 0.0], [0.5, -0.5]]);
}

#[test]
fn gradients_agree_with_duals_and_differences() {
    struct Mse;
    impl Function for Mse {
        fn name(&self) -> &str {
            "mse"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            mse(x[0], x[1])
        }
    }
    struct CrossEntropy;
    impl Function for CrossEntropy {
        fn name(&self) -> &str {
            "cross_entropy"
        }
        fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            cross_entropy(x[0], x[1])
        }
    }
    let x = [
        array![[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]],
        array![[0.2, 0.5, 0.3], [0.9, 0.0, 0.1]],
    ];
    for seed in 0..3 {
        check::gradient(&Mse, &x, seed).unwrap_or_else(|e| panic!("{e}"));
        check::gradient(&CrossEntropy, &x, seed)
            .unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn one_hot_has_a_one_in_each_row_and_forgets_what_was_there() {
    let mut tape = Tape::<f64>::new();
    tape.leaf(&Array2::from_elem((3, 4), 7.0).view());
    tape.reset();
    let target = one_hot(&tape, [2, 0, 3].into_iter(), 4).value();
    assert_eq!(
        target,
        array![
            [0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0]
        ]
    );
}

#[test]
#[should_panic(expected = "one_hot: the label 4 of 4 classes")]
fn one_hot_names_a_label_that_is_none() {
    one_hot(&Tape::<f64>::new(), [0, 4, 1].into_iter(), 4);
}

/// A target of one row would otherwise stretch.
#[test]
#[should_panic(expected = "mse: shapes [2, 3] and [1, 3] differ")]
fn mse_names_shapes_that_differ() {
    let tape = Tape::<f64>::new();
    mse(tape.zeros(2, 3), tape.zeros(1, 3));
}

#[test]
#[should_panic(expected = "cross_entropy: shapes [2, 3] and [1, 3] differ")]
fn cross_entropy_names_shapes_that_differ() {
    let tape = Tape::<f64>::new();
    cross_entropy(tape.zeros(2, 3), one_hot(&tape, [1].into_iter(), 3));
}
