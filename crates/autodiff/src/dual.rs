use autodiff::FT;
use longlag_numerics::{Pointwise, Real, Scalar};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::cmp::Ordering;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A number and its derivative in one direction: forward mode.
///
/// The arithmetic is that of the `autodiff` crate, so that it is independent of the tape's rules; the
/// elementary functions are those of `longlag_numerics`, so that it is portable to the bit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual(FT<f64>);

impl Dual {
    /// The number `x` with derivative `dx`.
    pub fn new(x: f64, dx: f64) -> Dual {
        Dual(FT { x, dx })
    }
    /// Its derivative.
    pub fn derivative(self) -> f64 {
        self.0.dx
    }
    /// A function's value and slope at this number, chained.
    fn chain(self, value: f64, slope: f64) -> Dual {
        Dual::new(value, self.0.dx * slope)
    }
}

/// Compares the numbers, not the derivatives.
impl PartialEq for Dual {
    fn eq(&self, other: &Dual) -> bool {
        self.0.x == other.0.x
    }
}
impl PartialOrd for Dual {
    fn partial_cmp(&self, other: &Dual) -> Option<Ordering> {
        self.0.x.partial_cmp(&other.0.x)
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, b: Dual) -> Dual {
        Dual(self.0 + b.0)
    }
}
impl Sub for Dual {
    type Output = Dual;
    fn sub(self, b: Dual) -> Dual {
        Dual(self.0 - b.0)
    }
}
impl Mul for Dual {
    type Output = Dual;
    fn mul(self, b: Dual) -> Dual {
        Dual(self.0 * b.0)
    }
}
impl Div for Dual {
    type Output = Dual;
    fn div(self, b: Dual) -> Dual {
        Dual(self.0 / b.0)
    }
}
impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual(-self.0)
    }
}
impl AddAssign for Dual {
    fn add_assign(&mut self, b: Dual) {
        *self = *self + b;
    }
}

impl Real for Dual {
    fn constant(self, value: f64) -> Dual {
        Dual::new(value, 0.0)
    }
    fn exp(self) -> Dual {
        let y = Real::exp(self.0.x);
        self.chain(y, y)
    }
    fn exp_m1(self) -> Dual {
        self.chain(Real::exp_m1(self.0.x), Real::exp(self.0.x))
    }
    fn ln(self) -> Dual {
        self.chain(Real::ln(self.0.x), 1.0 / self.0.x)
    }
    fn ln_1p(self) -> Dual {
        self.chain(Real::ln_1p(self.0.x), 1.0 / (1.0 + self.0.x))
    }
    fn sqrt(self) -> Dual {
        let y = Real::sqrt(self.0.x);
        self.chain(y, 0.5 / y)
    }
    fn tanh(self) -> Dual {
        // tanh′(x) = 4 σ(2x) σ(−2x) keeps its digits where 1 − tanh² has none left.
        let x = self.0.x;
        let slope = 4.0 * Real::sigmoid(2.0 * x) * Real::sigmoid(-2.0 * x);
        self.chain(Real::tanh(x), slope)
    }
    fn sigmoid(self) -> Dual {
        // σ(−x) keeps its digits where 1 − σ(x) has none left.
        let x = self.0.x;
        self.chain(Real::sigmoid(x), Real::sigmoid(x) * Real::sigmoid(-x))
    }
    fn select(self, positive: Dual, otherwise: Dual) -> Dual {
        if self.0.x > 0.0 { positive } else { otherwise }
    }
}

impl Scalar for Dual {
    fn of(x: f64) -> Dual {
        Dual::new(x, 0.0)
    }
    fn value(self) -> f64 {
        self.0.x
    }
    fn product(a: ArrayView2<Dual>, b: ArrayView2<Dual>, mut c: ArrayViewMut2<Dual>, accumulate: bool) {
        assert!(
            a.ncols() == b.nrows() && c.dim() == (a.nrows(), b.ncols()),
            "product: shapes {:?} · {:?} to {:?}",
            a.dim(),
            b.dim(),
            c.dim()
        );
        for ((i, j), c) in c.indexed_iter_mut() {
            let from = if accumulate { *c } else { Dual::of(0.0) };
            *c = a.row(i).iter().zip(b.column(j)).fold(from, |sum, (&a, &b)| sum + a * b);
        }
    }
    fn pointwise<P: Pointwise<N, M>, const N: usize, const M: usize>(
        p: &P,
        x: [&[Dual]; N],
        y: [&mut [Dual]; M],
        accumulate: bool,
    ) {
        let mut y = y;
        for i in 0..y.first().map_or(0, |y| y.len()) {
            for (y, v) in y.iter_mut().zip(p.apply(x.map(|x| x[i]))) {
                y[i] = if accumulate { y[i] + v } else { v };
            }
        }
    }
}
