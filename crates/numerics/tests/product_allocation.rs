//! A warm product allocates nothing.
#![allow(unsafe_code, reason = "an allocator that counts")]

use longlag_numerics::{Isa, Scalar, isa};
use ndarray::Array2;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    f();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_warm_product_allocates_nothing() {
    let (m, k, n) = (70, 300, 90);
    let (a, b, bt) = (Array2::<f32>::ones((m, k)), Array2::ones((k, n)), Array2::ones((n, k)));
    let (at, mut c, mut ct) = (Array2::<f32>::ones((k, m)), Array2::zeros((m, n)), Array2::zeros((n, m)));
    let mut all = || {
        f32::product(a.view(), b.view(), c.view_mut(), false);
        f32::product(a.view(), bt.t(), c.view_mut(), true);
        f32::product(at.t(), b.view(), c.view_mut(), true);
        f32::product(at.t(), bt.t(), ct.view_mut().reversed_axes(), true);
    };
    assert!(allocations(|| drop(Vec::<u8>::with_capacity(1))) > 0, "the counter counts");
    for set in Isa::available() {
        isa::cap(set).unwrap();
        all();
        assert_eq!(allocations(&mut all), 0, "{set}");
    }
}
