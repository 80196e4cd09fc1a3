//! Every operation against duals and differences; broadcasts, views, second order, and wrong rules.

use longlag_autodiff::check::{self, Function};
use longlag_autodiff::{CustomOp, Dual, InputGradients, Inputs, Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Real, Scalar};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, array};
use std::rc::Rc;

fn normal(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut rng = Rng::new(seed);
    Array2::from_shape_simple_fn(shape, || rng.normal())
}

/// Declares functions over any scalar and checks each at normal arguments of the given shapes.
macro_rules! operations {
    ($($name:ident($($x:ident: $shape:expr),+) = $value:expr;)+) => {$(
        #[test]
        fn $name() {
            struct Op;
            impl Function for Op {
                fn name(&self) -> &str { stringify!($name) }
                fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
                    let [$($x),+] = *x else { unreachable!("the arguments listed") };
                    $value
                }
            }
            let mut seed = 0;
            let x = [$($shape),+].map(|shape| { seed += 1; normal(shape, seed) });
            for seed in 0..3 {
                check::gradient(&Op, &x, seed).unwrap_or_else(|e| panic!("{e}"));
            }
        }
    )+};
}

operations! {
    add(a: (3, 4), b: (3, 4)) = a + b;
    add_a_row(a: (3, 4), b: (1, 4)) = a + b;
    add_to_a_row(a: (1, 4), b: (3, 4)) = a + b;
    sub(a: (3, 4), b: (1, 4)) = a - b;
    mul(a: (3, 4), b: (3, 4)) = a * b;
    mul_a_row(a: (3, 4), b: (1, 4)) = a * b;
    div(a: (3, 4), b: (3, 4)) = a / (b * b + b.constant(0.5));
    div_by_itself(a: (3, 4)) = a / (a * a + a.constant(0.5));
    neg(a: (3, 4)) = -a;
    one_minus(a: (3, 4)) = a.one_minus();
    scale(a: (3, 4)) = a.scale(-2.5);
    exp(a: (3, 4)) = a.exp();
    exp_m1(a: (3, 4)) = a.exp_m1();
    ln(a: (3, 4)) = (a * a + a.constant(0.1)).ln();
    ln_1p(a: (3, 4)) = (a * a).ln_1p();
    sqrt(a: (3, 4)) = (a * a + a.constant(0.1)).sqrt();
    tanh(a: (3, 4)) = a.tanh();
    sigmoid(a: (3, 4)) = a.sigmoid();
    relu(a: (3, 4)) = a.relu();
    select(a: (3, 4), b: (1, 4), c: (3, 4)) = a.select(b, c);
    sum(a: (3, 4)) = a.sum();
    mean(a: (3, 4)) = a.mean();
    log_softmax(a: (3, 4)) = a.log_softmax();
    matmul(a: (3, 4), b: (4, 2)) = a.matmul(b);
    matmul_of_itself(a: (3, 3)) = a.matmul(a);
    affine(x: (3, 4), w: (5, 4), h: (3, 2), u: (5, 2), b: (1, 5), c: (1, 5)) = x.tape().affine(&[(x, w), (h, u)], &[b, c]);
    affine_without_bias(x: (3, 4), w: (5, 4)) = x.tape().affine(&[(x, w)], &[]);
    affine_on_a_matrix(x: (3, 4), w: (5, 4), z: (3, 5)) = x.tape().affine(&[(x, w)], &[z]);
    stack(a: (3, 4), b: (1, 4), c: (2, 4)) = a.tape().stack(&[a, b, c, a]).tanh();
    beside(a: (3, 4), b: (3, 1), c: (3, 2)) = a.tape().beside(&[a, b, c, b, a.columns(1..3)]).tanh();
    beside_of_one_row(a: (4, 4), b: (1, 3)) = a.tape().beside(&[a.rows(2..3), b, b]).tanh();
    gather_rows(a: (4, 3)) = a.gather_rows(&[3, 0, 3, 1, 3]).tanh();
    gather_rows_of_a_part(a: (4, 6)) = a.rows(1..4).columns(2..5).gather_rows(&[2, 1, 0, 0]).tanh() * a.columns(0..3);
    parts_of_a_matrix(a: (4, 6)) = {
        let [l, r] = a.rows(1..3).split();
        (l * r).columns(1..3).matmul(a.columns(2..4).rows(0..2))
    };
    a_part_twice(a: (4, 6)) = a.rows(0..2).tanh() * a.rows(1..3).sigmoid() + a.rows(1..2);
    one_row_of_many(a: (4, 6), b: (3, 6)) = a.rows(2..3) * b;
}

/// a·b²/2 with, if it is wrong, the exponent of b² brought down without the half.
struct HalfSquare {
    wrong: bool,
}
impl<T: Scalar> CustomOp<T> for HalfSquare {
    fn name(&self) -> &str {
        "half_square"
    }
    fn forward(&self, x: Inputs<'_, T>, mut y: ArrayViewMut2<'_, T>, _: &mut [T]) {
        let (a, b) = (x.get(0), x.get(1));
        for ((y, &a), &b) in y.iter_mut().zip(&a).zip(&b) {
            *y = a * b * b * T::of(0.5);
        }
    }
    fn backward(
        &self,
        x: Inputs<'_, T>,
        _: ArrayView2<'_, T>,
        d_y: ArrayViewMut2<'_, T>,
        mut d_x: InputGradients<'_, T>,
        _: &mut [T],
    ) {
        let (a, b) = (x.get(0), x.get(1));
        if d_x.wanted(0) {
            for ((d, &g), &b) in d_x.get(0).iter_mut().zip(&d_y).zip(&b) {
                *d += g * b * b * T::of(0.5);
            }
        }
        let factor = T::of(if self.wrong { 2.0 } else { 1.0 });
        for (((d, &g), &a), &b) in d_x.get(1).iter_mut().zip(&d_y).zip(&a).zip(&b) {
            *d += g * a * b * factor;
        }
    }
}

struct WithCustom {
    wrong: bool,
}
impl Function for WithCustom {
    fn name(&self) -> &str {
        "tanh of a half square"
    }
    fn eval<'t, T: Scalar>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let op: Rc<dyn CustomOp<T>> = Rc::new(HalfSquare { wrong: self.wrong });
        x[0].tape().custom(&op, &[x[0].sigmoid(), x[1]], x[0].shape()).tanh()
    }
}

#[test]
fn a_custom_operation_with_two_inputs() {
    let x = [normal((3, 4), 1), normal((3, 4), 2)];
    check::gradient(&WithCustom { wrong: false }, &x, 1).unwrap();
}

#[test]
fn a_wrong_rule_is_named_with_both_values() {
    let x = [normal((3, 4), 1), normal((3, 4), 2)];
    let error = check::gradient(&WithCustom { wrong: true }, &x, 1).unwrap_err();
    assert_eq!((error.function.as_str(), error.argument), ("tanh of a half square", 1));
    let culprit = error.culprit.clone().expect("the operation can be told");
    assert_eq!((culprit.op.as_str(), culprit.node, culprit.input), ("half_square", 1, 1));
    assert!((culprit.reverse / culprit.forward - 2.0).abs() < 1e-12);
    let text = error.to_string();
    for part in ["`tanh of a half square`", "argument 1", "op `half_square`", "reverse mode gives", "duals"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_second_derivative_from_a_tape_of_duals() {
    // The Hessian of Σ tanh(x)² times v, against differences of the gradient.
    fn loss<'t, T: Scalar>(x: Var<'t, T>) -> Var<'t, T> {
        let y = x.matmul(x).tanh();
        (y * y).sum()
    }
    let (x, v) = (normal((3, 3), 1) * 0.5, normal((3, 3), 2));
    let duals = Tape::<Dual>::new();
    let seeded = ndarray::Zip::from(&x).and(&v).map_collect(|&x, &v| Dual::new(x, v));
    let s = duals.leaf(&seeded.view());
    let forward_over_reverse = loss(s).backward().of(s).mapv(Dual::derivative);
    let gradient = |step: f64| {
        let tape = Tape::<f64>::new();
        let x = tape.leaf(&(&x + &(&v * step)).view());
        loss(x).backward().of(x).to_owned()
    };
    let differences = (gradient(check::STEP) - gradient(-check::STEP)) / (2.0 * check::STEP);
    for (a, b) in forward_over_reverse.iter().zip(&differences) {
        assert!((a - b).abs() < 1e-8 * (1.0 + b.abs()), "{a} and {b}");
    }
}

#[test]
fn single_precision_follows_double_precision() {
    fn loss<'t, T: Scalar>(x: Var<'t, T>, w: Var<'t, T>) -> Var<'t, T> {
        x.tape().affine(&[(x, w)], &[]).tanh().log_softmax().mean()
    }
    let (x, w) = (normal((5, 7), 1), normal((3, 7), 2));
    let (tape, tape32) = (Tape::<f64>::new(), Tape::<f32>::new());
    let (a, b) = (tape.leaf(&x.view()), tape.leaf(&w.view()));
    let d = loss(a, b).backward().of(b).to_owned();
    let (a, b) = (tape32.leaf(&x.mapv(|x| x as f32).view()), tape32.leaf(&w.mapv(|x| x as f32).view()));
    let d32 = loss(a, b).backward().of(b).to_owned();
    for (d, d32) in d.iter().zip(&d32) {
        // A few dozen roundings of 2⁻²⁴ each.
        assert!((d - f64::from(*d32)).abs() < 2e-6, "{d} and {d32}");
    }
}

#[test]
fn gradients_of_intermediate_values_survive() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(&array![[2.0]].view());
    let y = x * x;
    let z = y.scale(3.0);
    let grads = z.backward();
    assert_eq!([x, y, z].map(|v| grads.of(v)[[0, 0]]), [12.0, 3.0, 1.0]);
}

#[test]
fn recording_goes_on_while_gradients_are_read() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(&array![[2.0]].view());
    let grads = (x * x).backward();
    let later = x.scale(5.0);
    assert_eq!((grads.of(x)[[0, 0]], later.item()), (4.0, 10.0));
}

#[test]
fn what_the_loss_does_not_depend_on_has_gradient_zero() {
    let tape = Tape::<f64>::new();
    let (x, unused) = (tape.leaf(&array![[2.0]].view()), tape.zeros(2, 2));
    let loss = x.scale(1.0);
    let _after = x.exp();
    assert!(loss.backward().of(unused).iter().all(|&d| d == 0.0));
}

#[test]
fn a_reset_tape_gives_the_same_bits() {
    let mut tape = Tape::<f64>::new();
    let mut run = |n: usize| {
        tape.reset();
        let x = tape.leaf(&normal((n, 4), 1).view());
        let w = tape.leaf(&normal((4, 4), 2).view());
        let grads = x.matmul(w).tanh().log_softmax().sum().backward();
        grads.of(w).mapv(f64::to_bits)
    };
    let first = run(3);
    run(17);
    run(1);
    assert_eq!(run(3), first);
}

#[test]
fn a_pass_sees_nothing_of_an_earlier_one() {
    let mut tape = Tape::<f64>::new();
    for width in [3, 5, 2] {
        tape.reset();
        let x = tape.leaf(&normal((4, width), 1).view());
        let data = tape.constant(&normal((2, width), 2).view()).exp();
        let w = tape.leaf(&normal((4, width), 3).view());
        let y = x.tanh();
        let early = y.sum();
        let v = tape.leaf(&normal((2, width), 4).view());
        let z = y.rows(1..3) * w.rows(0..2) * data * v;
        let apart = x.sigmoid();
        let late = (z * z).sum() + apart.sum();
        let full = late.backward();
        let (d_y, d_z) = (full.of(y).to_owned(), full.of(z).to_owned());
        assert_eq!(d_z, z.value() * 2.0);
        drop(full);

        let grads = early.backward();
        assert_eq!(grads.of(x), y.value().mapv(|y| 1.0 - y * y));
        for later in [w, v, z, apart, late] {
            assert!(grads.of(later).iter().all(|&d| d == 0.0));
        }
        drop(grads);
        let again = late.backward();
        assert_eq!((again.of(y), again.of(z)), (d_y.view(), d_z.view()));
        assert!(again.of(early)[[0, 0]] == 0.0 && d_y.row(0).iter().all(|&d| d == 0.0));
    }
}

#[test]
fn nothing_goes_through_a_detached_value() {
    fn loss<'t, T: Scalar>(x: Var<'t, T>, w: Var<'t, T>) -> Var<'t, T> {
        let (y, part) = (x.tanh(), x.columns(1..3));
        (y.detach() * y).sum() + part.detach().matmul(w).sum() + x.tape().stack(&[x.detach(), y]).sum()
    }
    let (x, w) = (normal((3, 3), 1), normal((2, 2), 2));
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.leaf(&x.view()), tape.leaf(&w.view()));
    assert_eq!(a.columns(1..3).detach().value(), a.columns(1..3).value());
    assert!(!a.detach().varies());
    let grads = loss(a, b).backward();
    // What the detached factor is worth: (y + 1)·y′ and, for w, the sums of the columns of x.
    let y = a.tanh().value();
    for (d, y) in grads.of(a).iter().zip(&y) {
        assert!((d - (y + 1.0) * (1.0 - y * y)).abs() < 1e-15, "{d}");
    }
    for ((i, _), d) in grads.of(b).indexed_iter() {
        let sum = x.column(1 + i).iter().fold(0.0, |s, x| s + x);
        assert!((d - sum).abs() < 1e-15, "{d}");
    }

    // Forward mode sees it the same way.
    let duals = Tape::<Dual>::new();
    let v = normal((3, 3), 3);
    let seeded = ndarray::Zip::from(&x).and(&v).map_collect(|&x, &v| Dual::new(x, v));
    let forward =
        loss(duals.leaf(&seeded.view()), duals.constant(&w.mapv(Dual::of).view())).item().derivative();
    let reverse: f64 = grads.of(a).iter().zip(&v).map(|(d, v)| d * v).sum();
    assert!((forward - reverse).abs() < 1e-14, "{forward} and {reverse}");
}

#[test]
fn what_rows_and_columns_are_put_together_from_is_not_what_the_memory_held() {
    let run = |tape: &Tape<f64>| {
        let x = tape.leaf(&normal((4, 3), 1).view());
        let gathered = x.gather_rows(&[3, 0, 0, 1]);
        let beside = tape.beside(&[gathered, x.detach(), x]);
        let grads = (beside * beside).sum().backward();
        [beside.value(), grads.of(x).to_owned(), grads.of(gathered).to_owned()]
    };
    let fresh = run(&Tape::new());
    let mut tape = Tape::new();
    let nan = tape.leaf(&Array2::from_elem((20, 20), f64::NAN).view());
    let _ = (nan * nan).sum().backward();
    tape.reset();
    assert_eq!(run(&tape), fresh);
}

#[test]
fn the_gradient_of_a_leaf_by_itself_is_1() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.zeros(1, 1), tape.zeros(2, 2));
    let grads = x.backward();
    assert_eq!((grads.of(x), grads.of(y)), (array![[1.0]].view(), Array2::zeros((2, 2)).view()));
}
