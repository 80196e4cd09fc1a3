//! The fused kernels give the same bits with every instruction set and number of threads. In a program of its own,
//! where no other test runs kernels while one caps the instruction set.

mod sequence_check;

use longlag_cells::Cell;
use longlag_numerics::isa::{self, Isa};
use longlag_numerics::{Float, Scalar};
use ndarray::Array2;
use proptest::prelude::*;
use sequence_check::*;
use std::sync::Mutex;

static ONE_SET_AT_A_TIME: Mutex<()> = Mutex::new(());

fn bits(outcome: &Outcome) -> Vec<(String, Vec<u64>)> {
    let of = |a: &Array2<f64>| a.iter().map(|x| x.to_bits()).collect();
    outcome.iter().map(|(name, a)| (name.clone(), of(a))).collect()
}

/// Runs a case with every instruction set and number of threads, and wants the same bits.
fn check_bits<T: Float + Scalar>(case: &Case) {
    let _guard =
        ONE_SET_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
    let before = isa::active();
    let mut first = None;
    for set in Isa::available() {
        isa::cap(set).unwrap();
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            isa::forget_runs();
            let got = bits(&pool.install(|| case.run::<T>(Way::Fused)));
            assert_eq!(isa::ran(), [set]);
            let first = first.get_or_insert_with(|| got.clone());
            for (first, got) in first.iter().zip(&got) {
                assert!(
                    first == got,
                    "{:?} {:?} {}: {} differs with {set}, {threads} threads",
                    case.cell,
                    case.shape,
                    T::NAME,
                    got.0
                );
            }
        }
    }
    isa::cap(before).unwrap();
}

#[test]
fn the_same_bits_with_every_instruction_set_and_number_of_threads() {
    for cell in some_cells() {
        for [t, b, i, h] in [[1, 1, 1, 1], [2, 3, 2, 7], [1, 3, 33, 17]] {
            check_bits::<f32>(&Case::new(cell, [t, b, i, h]));
            check_bits::<f64>(&Case::new(cell, [t, b, i, h]));
        }
    }
    // Enough work for several threads: many parts, and weights so large that there is one.
    for cell in Cell::ALL {
        check_bits::<f32>(&Case::new(cell, [9, 35, 3, 100]));
    }
    check_bits::<f64>(&Case::new(Cell::Lstm, [9, 35, 3, 60]));
    for cell in [Cell::Lstm, Cell::GruResetBefore] {
        check_bits::<f32>(&Case::new(cell, [3, 20, 40, 230]));
    }
    let lengths: Vec<usize> = (0..35).map(|b| 1 + b * 7 % 9).collect();
    check_bits::<f32>(&Case {
        lengths: Some(&lengths),
        ..Case::new(Cell::Lstm, [9, 35, 3, 100])
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_same_bits_for_any_shape(
        t in 1_usize..6, b in 1_usize..20, i in 1_usize..36, h in 1_usize..40, cell in 0_usize..14, double: bool,
    ) {
        let case = Case::new(some_cells()[cell], [t, b, i, h]);
        if double { check_bits::<f64>(&case) } else { check_bits::<f32>(&case) }
    }
}
