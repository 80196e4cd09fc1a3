//! Which kernels run, and that the check that all give the same bits can fail.
//!
//! One test, alone in its program: the set in use is the whole process's.

mod product_check;

use longlag_numerics::{Float, Isa, Scalar, isa, product};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use product_check::*;

/// Checks shapes on both sides of every block and tile size, with the layouts of a network's products.
fn check_shapes<T: Float>(
    product: impl Fn(ArrayView2<T>, ArrayView2<T>, ArrayViewMut2<T>, bool),
) -> Result<(), String> {
    let shapes = [
        (1, 1, 1),
        (1, 64, 256),
        (1, 130, 17),
        (2, 7, 100),
        (3, 5, 129),
        (4, 17, 33),
        (5, 3, 64),
        (6, 1, 65),
        (7, 128, 31),
        (8, 129, 16),
        (13, 257, 15),
        (17, 16, 7),
        (31, 2, 40),
        (33, 127, 100),
        (49, 9, 70),
        (64, 40, 1),
        (100, 20, 2),
        (193, 130, 18),
        (55, 300, 10),
    ];
    let network = [[Dense, Columns, Dense], [Columns, Dense, Dense]];
    let layouts: Vec<_> = LAYOUTS.map(|layout| [layout; 3]).into_iter().chain(network).collect();
    for (i, shape) in shapes.into_iter().enumerate() {
        for &layouts in &layouts {
            for accumulate in [false, true] {
                let case = Case { shape, layouts, accumulate, seed: i as u64, special: false };
                check_case(&case, &product)?;
            }
        }
    }
    Ok(())
}

/// k from the back: right in exact arithmetic only.
fn backwards(a: ArrayView2<f32>, b: ArrayView2<f32>, c: ArrayViewMut2<f32>, accumulate: bool) {
    product::reference(a.slice(s![.., ..;-1]), b.slice(s![..;-1, ..]), c, accumulate);
}

/// The last column is left as it was where it is alone behind whole registers.
fn forgets_a_tail(a: ArrayView2<f32>, b: ArrayView2<f32>, mut c: ArrayViewMut2<f32>, accumulate: bool) {
    let n = if b.ncols() % 16 == 1 { b.ncols() - 1 } else { b.ncols() };
    f32::product(a, b.slice(s![.., ..n]), c.slice_mut(s![.., ..n]), accumulate);
}

/// Wrong with the fastest set alone.
fn wrong_with_one_set(a: ArrayView2<f32>, b: ArrayView2<f32>, c: ArrayViewMut2<f32>, accumulate: bool) {
    match Isa::available().last() == Some(&isa::active()) {
        true => backwards(a, b, c, accumulate),
        false => f32::product(a, b, c, accumulate),
    }
}

#[test]
fn every_set_runs_and_gives_the_bits_of_the_definition() {
    // Which kernels run.
    with_every_isa(|set| {
        isa::forget_runs();
        check_shapes(<f32 as Scalar>::product)?;
        check_shapes(<f64 as Scalar>::product)?;
        println!("ran: {:?}", isa::ran());
        assert_eq!((isa::active(), isa::ran()), (set, vec![set]));
        Ok(())
    })
    .unwrap();

    // Wrong kernels are noticed.
    let best = *Isa::available().last().unwrap();
    for (wrong, noticed_with) in [
        (backwards as fn(ArrayView2<f32>, ArrayView2<f32>, ArrayViewMut2<f32>, bool), Isa::Portable),
        (forgets_a_tail, Isa::Portable),
        (wrong_with_one_set, best),
    ] {
        let mut seen = None;
        let error = with_every_isa(|set| {
            seen = Some(set);
            check_shapes(wrong)
        })
        .expect_err("a wrong product passed the check");
        assert_eq!(seen, Some(noticed_with), "{error}");
        assert!(error.contains(&format!("with {noticed_with}: c(")), "{error}");
    }

    // Names, and what can't be had.
    isa::cap(best).unwrap();
    let have: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
    let have = have.join(", ");
    let unknown = "sse9".parse::<Isa>().unwrap_err().to_string();
    assert_eq!(unknown, format!("no instruction set is called `sse9`; there is: {have}"));
    for name in ["portable", "avx2", "avx512", "neon"] {
        let set: Isa = name.parse().unwrap();
        assert_eq!(set.to_string(), name);
        if !set.supported() {
            let error = isa::cap(set).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the instruction set `{name}` can't be used on this machine; there is: {have}")
            );
            assert_eq!(isa::active(), best);
        }
    }
}
