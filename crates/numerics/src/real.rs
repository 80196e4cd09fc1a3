//! What equations are written over.

use crate::lanes::{Float, Lanes};
use crate::math;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A real number, or many of them side by side.
///
/// An equation written over `Real` runs on `f32` and `f64` as the scalar reference, on vector registers
/// ([`Lanes`]) inside fast kernels, on dual numbers as the forward-mode derivative, and on the tape's
/// variables (whole matrices) for the reverse mode. All of them round alike: the elementary functions
/// are those of [`crate::math`], never `std`'s.
///
/// On a concrete `f32` or `f64` the inherent methods of `std` win over these: write `Real::tanh(x)`
/// there, not `x.tanh()` (clippy's `disallowed_methods` and a test watch over it).
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The number `value`, of the same kind and shape as `self`; its derivative is zero.
    #[must_use]
    fn constant(self, value: f64) -> Self;
    /// eˣ.
    #[must_use]
    fn exp(self) -> Self;
    /// eˣ − 1, exact near 0.
    #[must_use]
    fn exp_m1(self) -> Self;
    /// The natural logarithm; NaN below 0, −∞ at 0.
    #[must_use]
    fn ln(self) -> Self;
    /// ln(1 + x), exact near 0.
    #[must_use]
    fn ln_1p(self) -> Self;
    /// √x; correctly rounded.
    #[must_use]
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    #[must_use]
    fn tanh(self) -> Self;
    /// The logistic function σ(x) = 1 / (1 + e⁻ˣ).
    #[must_use]
    fn sigmoid(self) -> Self;
    /// `positive` where `self > 0`, else (at 0 and NaN too) `otherwise`.
    #[must_use]
    fn select(self, positive: Self, otherwise: Self) -> Self;
    /// max(x, 0), with derivative 0 at 0.
    #[must_use]
    fn relu(self) -> Self {
        self.select(self, self.constant(0.0))
    }
    /// `1 − self`.
    #[must_use]
    fn one_minus(self) -> Self {
        self.constant(1.0) - self
    }
}

impl<L: Lanes> Real for L {
    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        self.fill(L::Element::from_f64(value))
    }
    #[inline(always)]
    fn exp(self) -> Self {
        math::exp(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        math::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        math::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        math::ln_1p(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes::sqrt(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn select(self, positive: Self, otherwise: Self) -> Self {
        L::pick(self.fill(L::Element::ZERO).lt(self), positive, otherwise)
    }
}

/// A function of `N` reals to `M` reals, written once over [`Real`].
///
/// This is the form of a cell's equations: [`crate::slice`] runs it along slices in vector registers,
/// the dual numbers differentiate it, the tape records it.
pub trait Pointwise<const N: usize, const M: usize> {
    /// The function's values at `x`. Mark the implementation `#[inline(always)]`, so that it is compiled
    /// for the instruction set of the loop it stands in.
    fn apply<R: Real>(&self, x: [R; N]) -> [R; M];
}
