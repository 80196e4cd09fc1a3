//! The product against its definition: bits, shapes, strides, threads.

mod product_check;

use longlag_numerics::product::{product_threads, reference};
use longlag_numerics::{Float, Scalar};
use ndarray::{Array2, arr2};
use product_check::*;
use proptest::prelude::*;

fn every_isa(case: &Case) -> Result<(), String> {
    with_every_isa(|_| {
        check_case(case, <f32 as Scalar>::product)?;
        check_case(case, <f64 as Scalar>::product)
    })
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..=20_usize,
        prop::sample::select(vec![0, 1, 7, 16, 17, 31, 32, 33, 64, 65, 100, 127, 130, 200])
    ]
}

proptest! {
    #[test]
    fn any_product_is_its_definition(
        shape in (size(), size(), size()),
        layouts in prop::array::uniform3(prop::sample::select(LAYOUTS.to_vec())),
        accumulate: bool,
        seed: u64,
        special: bool,
    ) {
        let case = Case { shape, layouts, accumulate, seed, special };
        every_isa(&case).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn every_layout_of_every_operand() {
    for a in LAYOUTS {
        for b in LAYOUTS {
            for c in LAYOUTS {
                for shape in [(14, 35, 37), (60, 10, 9)] {
                    let case = Case { shape, layouts: [a, b, c], accumulate: true, seed: 5, special: false };
                    every_isa(&case).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_row_or_column_used_again_and_again() {
    let row = Array2::from_shape_fn((1, 40), |(_, j)| (j as f32).sqrt());
    let (a, b) = (row.broadcast((9, 40)).unwrap(), row.broadcast((33, 40)).unwrap().reversed_axes());
    let (mut c, mut expected) = (Array2::zeros((9, 33)), Array2::zeros((9, 33)));
    f32::product(a, b, c.view_mut(), false);
    reference(a, b, expected.view_mut(), false);
    assert_eq!(c, expected);
}

#[test]
fn no_terms_give_zeros_or_change_nothing() {
    let (a, b) = (Array2::<f64>::zeros((3, 0)), Array2::zeros((0, 2)));
    let mut c = arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    f64::product(a.view(), b.view(), c.view_mut(), true);
    assert_eq!(c, arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    f64::product(a.view(), b.view(), c.view_mut(), false);
    assert_eq!(c, Array2::zeros((3, 2)));
}

#[test]
fn the_order_is_increasing_k() {
    // 2²⁴ swallows a 1 added to it, so any other order or any partial sums would show.
    let big = 16_777_216.0_f32;
    let mut c = arr2(&[[0.0]]);
    f32::product(arr2(&[[1.0, big, 1.0, -big]]).view(), Array2::ones((4, 1)).view(), c.view_mut(), false);
    assert_eq!(c[[0, 0]], 0.0);
    f32::product(arr2(&[[big, -big, 1.0, 1.0]]).view(), Array2::ones((4, 1)).view(), c.view_mut(), false);
    assert_eq!(c[[0, 0]], 2.0);
    // A product that isn't rounded before it is added.
    let x = 1.0 + f32::EPSILON;
    f32::product(
        arr2(&[[1.0, x]]).view(),
        arr2(&[[-1.0 - 2.0 * f32::EPSILON], [x]]).view(),
        c.view_mut(),
        false,
    );
    assert_eq!(c[[0, 0]], f32::EPSILON * f32::EPSILON);
}

fn threads<T: Float + Scalar>() {
    for (m, k, n) in [(300, 70, 90), (5, 300, 1700), (1, 1, 1), (0, 5, 5)] {
        let make = |r, c| {
            Array2::from_shape_fn((r, c), |(i, j)| T::from_f64(((i * 31 + j * 17) % 101) as f64 / 7.0))
        };
        let (a, b, start): (Array2<T>, Array2<T>, Array2<T>) = (make(m, k), make(k, n), make(m, n));
        let mut expected = start.clone();
        reference(a.view(), b.view(), expected.view_mut(), true);
        for n in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            let mut c = start.clone();
            pool.install(|| product_threads(a.view(), b.view(), c.view_mut(), true));
            assert!(c == expected, "{n} threads, {}: other numbers for {:?}", T::NAME, (m, k, n));
        }
    }
}

#[test]
fn threads_change_nothing() {
    threads::<f32>();
    threads::<f64>();
}

#[test]
fn shapes_that_do_not_fit_panic_with_both_shapes() {
    fn message(a: (usize, usize), b: (usize, usize), c: (usize, usize)) -> String {
        let run = move || {
            f32::product(Array2::zeros(a).view(), Array2::zeros(b).view(), Array2::zeros(c).view_mut(), false)
        };
        let error = std::panic::catch_unwind(run).unwrap_err();
        error.downcast_ref::<String>().unwrap().clone()
    }
    assert_eq!(
        message((2, 3), (4, 5), (2, 5)),
        "product: a is 2×3 and b is 4×5: the columns of a must be the rows of b"
    );
    assert_eq!(message((2, 3), (3, 5), (5, 2)), "product: a is 2×3 and b is 3×5, so c must be 2×5, not 5×2");
}
