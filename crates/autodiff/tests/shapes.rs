//! A wrong shape panics at the caller's line and says which operation and which shapes.
#![allow(dropping_copy_types, reason = "what would be dropped is never made: making it panics")]

use longlag_autodiff::{Tape, Var};
use longlag_numerics::Real;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// The message and the line of the panic in `f`, given a (2, 3), a (4, 5) matrix and a row of 3.
fn panic_of(f: fn(Var<'_, f64>, Var<'_, f64>, Var<'_, f64>)) -> (String, String) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static SEEN: Mutex<Option<(String, String)>> = Mutex::new(None);
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or_default().to_string();
        *SEEN.lock().unwrap() = Some((text, info.location().unwrap().file().to_string()));
    }));
    let tape = Tape::new();
    let result = catch_unwind(AssertUnwindSafe(|| f(tape.zeros(2, 3), tape.zeros(4, 5), tape.zeros(1, 3))));
    std::panic::set_hook(old);
    assert!(result.is_err(), "it did not panic");
    SEEN.lock().unwrap().take().unwrap()
}

#[track_caller]
fn check(f: fn(Var<'_, f64>, Var<'_, f64>, Var<'_, f64>), parts: &[&str]) {
    let (text, file) = panic_of(f);
    assert!(file.ends_with("tests/shapes.rs"), "{text}: the panic points to {file}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
}

#[test]
fn the_operation_and_both_shapes_are_named() {
    check(|a, b, _| drop(a + b), &["add", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a - b), &["sub", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a * b), &["mul", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a / b), &["div", "(2, 3)", "(4, 5)"]);
    check(|a, b, r| drop(r.select(a, b)), &["select", "(1, 3)", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a.matmul(b)), &["matmul", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a.tape().affine(&[(a, b)], &[])), &["affine", "(2, 3)", "(4, 5)"]);
    check(|a, b, r| drop(a.tape().affine(&[(a, a)], &[r, b])), &["affine", "(1, 3)", "(2, 2)"]);
    check(|a, b, _| drop(a.tape().stack(&[a, b])), &["stack", "(2, 3)", "(4, 5)"]);
    check(|a, b, _| drop(a.tape().beside(&[a, b])), &["beside", "(2, 3)", "(4, 5)"]);
    check(|a, _, _| drop(a.tape().beside(&[])), &["beside", "no matrices"]);
    check(|a, _, _| drop(a.gather_rows(&[0, 2])), &["gather_rows", "row 2", "(2, 3)"]);
    check(|a, _, _| drop(a.gather_rows(&[])), &["gather_rows", "no indices"]);
    check(|a, _, _| drop(a.rows(1..3)), &["rows", "1..3", "(2, 3)"]);
    check(|a, _, _| drop(a.columns(1..4)), &["columns", "1..4", "(2, 3)"]);
    check(|a, _, _| drop(a.split::<2>()), &["split", "2", "(2, 3)"]);
    check(|a, _, _| drop(a.backward()), &["backward", "(2, 3)"]);
    check(|a, _, _| drop(a.item()), &["item", "(2, 3)"]);
    check(|a, _, _| drop(a.tape().zeros(0, 3)), &["(0, 3)"]);
    check(|a, _, _| drop(Tape::new().zeros(2, 3) + a), &["another tape"]);
}
