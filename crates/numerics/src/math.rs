//! Elementary functions from correctly rounded operations.
use crate::lanes::{Float, Lanes};
use crate::real::Real;

/// The elementary functions of an element type, over registers of it.
pub trait Elementary: Sized {
    /// eˣ.
    fn lanes_exp<L: Lanes<Element = Self>>(x: L) -> L;
    /// eˣ − 1.
    fn lanes_exp_m1<L: Lanes<Element = Self>>(x: L) -> L;
    /// ln x.
    fn lanes_ln<L: Lanes<Element = Self>>(x: L) -> L;
    /// ln(1 + x).
    fn lanes_ln_1p<L: Lanes<Element = Self>>(x: L) -> L;
    /// tanh x.
    fn lanes_tanh<L: Lanes<Element = Self>>(x: L) -> L;
    /// 1 / (1 + e⁻ˣ).
    fn lanes_sigmoid<L: Lanes<Element = Self>>(x: L) -> L;
}
macro_rules! crude {
    ($t:ident) => {
        impl Elementary for $t {
            #[inline(always)]
            fn lanes_exp<L: Lanes<Element = Self>>(x: L) -> L {
                let k = |v: f64| x.fill($t::from_f64(v));
                let lim = |x: L, a: f64| {
                    let x = L::pick(k(a).lt(x), k(a), x);
                    L::pick(x.lt(k(-a)), k(-a), x)
                };
                let x = lim(x, 80.0);
                let n = (x * k(std::f64::consts::LOG2_E)).round();
                let r = n.neg_mul_add(k(std::f64::consts::LN_2), x);
                let mut p = k(1.0);
                for i in (1..14).rev() {
                    p = (p * r).mul_add(k(1.0 / i as f64), k(1.0));
                }
                p * n.pow2()
            }
            #[inline(always)]
            fn lanes_exp_m1<L: Lanes<Element = Self>>(x: L) -> L {
                Real::exp(x) - x.fill(1.0)
            }
            #[inline(always)]
            fn lanes_ln<L: Lanes<Element = Self>>(x: L) -> L {
                let k = |v: f64| x.fill($t::from_f64(v));
                let (m, e) = (x.mantissa(), x.exponent());
                let s = (m - k(1.0)) / (m + k(1.0));
                let z = s * s;
                let mut p = k(0.0);
                for i in (0..17).rev() {
                    p = p.mul_add(z, k(2.0 / (2 * i + 1) as f64));
                }
                p.mul_add(s, e * k(std::f64::consts::LN_2))
            }
            #[inline(always)]
            fn lanes_ln_1p<L: Lanes<Element = Self>>(x: L) -> L {
                Real::ln(x + x.fill(1.0))
            }
            #[inline(always)]
            fn lanes_tanh<L: Lanes<Element = Self>>(x: L) -> L {
                let k = |v: f64| x.fill($t::from_f64(v));
                k(1.0) - k(2.0) / (Real::exp(x + x) + k(1.0))
            }
            #[inline(always)]
            fn lanes_sigmoid<L: Lanes<Element = Self>>(x: L) -> L {
                let k = |v: f64| x.fill($t::from_f64(v));
                k(1.0) / (Real::exp(-x) + k(1.0))
            }
        }
    };
}
crude!(f32);
crude!(f64);
