//! Vector registers: the operations every instruction set rounds alike.

use std::fmt::{Debug, Display, LowerExp};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

mod sealed {
    /// What a register type of this crate has.
    pub trait Sealed {}
}

/// One vector register of `f32` or `f64`; the two number types themselves are registers of one lane.
///
/// Every operation is correctly rounded, or exact, in each lane: an equation over `Lanes` has the same
/// bits whatever the width. Only [`crate::isa::Cpu`] makes the first value, so a value is the proof that
/// the CPU has the registers, and all further methods are safe.
///
/// The kernels trust what an implementation says of itself, so only this crate can write one.
pub trait Lanes:
    sealed::Sealed
    + Copy
    + Debug
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// `f32` or `f64`.
    type Element: Float;
    /// The result of a comparison, lane by lane.
    type Mask: Copy;
    /// The number of lanes.
    const WIDTH: usize;

    /// `x` in every lane.
    ///
    /// # Safety
    /// The CPU must have the registers.
    #[allow(unsafe_code)]
    unsafe fn splat(x: Self::Element) -> Self;
    /// The `WIDTH` elements at `p`, which need not be aligned.
    ///
    /// # Safety
    /// The CPU must have the registers, and `p` must be valid for reading `WIDTH` elements.
    #[allow(unsafe_code)]
    unsafe fn load(p: *const Self::Element) -> Self;
    /// Writes the lanes to `p`, which need not be aligned.
    ///
    /// # Safety
    /// `p` must be valid for writing `WIDTH` elements.
    #[allow(unsafe_code)]
    unsafe fn store(self, p: *mut Self::Element);

    /// `x` in every lane.
    #[must_use]
    fn fill(self, x: Self::Element) -> Self;
    /// `self · b + c`, rounded once.
    #[must_use]
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `c − self · b`, rounded once.
    #[must_use]
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// √x.
    #[must_use]
    fn sqrt(self) -> Self;
    /// |x|.
    #[must_use]
    fn abs(self) -> Self;
    /// |x| with the sign of `sign`.
    #[must_use]
    fn copysign(self, sign: Self) -> Self;
    /// The nearest integer, ties to even.
    #[must_use]
    fn round(self) -> Self;
    /// The smaller of `self` and `limit`; a NaN stays.
    #[must_use]
    fn at_most(self, limit: Self) -> Self;
    /// The larger of `self` and `limit`; a NaN stays.
    #[must_use]
    fn at_least(self, limit: Self) -> Self;
    /// `self < b`; false if either is NaN.
    fn lt(self, b: Self) -> Self::Mask;
    /// `self == b`; false if either is NaN.
    fn eq(self, b: Self) -> Self::Mask;
    /// `yes` in the lanes of `mask`, else `no`.
    #[must_use]
    fn pick(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// One step of a transposition: swaps the odd blocks of `SPAN` lanes of `self` with the even ones of
    /// `other`. With `self` = a₀ a₁ a₂ a₃ and `other` = b₀ b₁ b₂ b₃, a span of 1 gives a₀ b₀ a₂ b₂ and
    /// a₁ b₁ a₃ b₃. `SPAN` is a power of two below `WIDTH`.
    #[must_use]
    fn exchange<const SPAN: usize>(self, other: Self) -> (Self, Self);
    /// 2ⁿ of an integer n from −126 to 127 (`f32`) or −1022 to 1023 (`f64`); anything else gives garbage.
    #[must_use]
    fn pow2(self) -> Self;
    /// `self` · 2ⁿ, rounded once also where it is subnormal; infinite where it is too large.
    ///
    /// n is an integer from −252 to 254 (`f32`) or −2044 to 2046 (`f64`), and `self` · 2^(n/2) must be
    /// normal or exact: so it is for every n if `self` is from ½ to 2. Anything else gives garbage.
    #[inline(always)]
    #[must_use]
    fn scale(self, n: Self) -> Self {
        let half = (n * n.fill(Self::Element::from_f64(0.5))).round();
        self * half.pow2() * (n - half).pow2()
    }
    /// Begins to bring the cache line at `p` into the cache, wherever it points; `self` only proves the CPU.
    #[inline(always)]
    fn prefetch(self, p: *const Self::Element) {
        let _ = p;
    }
    /// ⌊log₂|x|⌋ of a normal x; anything else gives garbage.
    #[must_use]
    fn exponent(self) -> Self;
    /// |x| · 2^−exponent, from 1 to below 2, of a normal x; anything else gives garbage.
    #[must_use]
    fn mantissa(self) -> Self;
}

/// `f32` or `f64`.
pub trait Float:
    Lanes<Element = Self, Mask = bool>
    + crate::math::Elementary
    + crate::panel::Compiled
    + Default
    + PartialOrd
    + AddAssign
    + Display
    + LowerExp
    + Send
    + Sync
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The name of the type, as Rust writes it.
    const NAME: &'static str;
    /// The register of eight `f32` or four `f64`.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Lanes<Element = Self>;
    /// The register of sixteen `f32` or eight `f64`.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Lanes<Element = Self>;
    /// The register of four `f32` or two `f64`.
    #[cfg(target_arch = "aarch64")]
    type Neon: Lanes<Element = Self>;
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// Exactly this number.
    fn to_f64(self) -> f64;
    /// The bits, widened with zeros.
    fn bits(self) -> u64;
    /// Neither infinite nor NaN.
    fn finite(self) -> bool;
}

/// Two registers that take every step together.
///
/// An equation is a chain in which each operation waits for the one before; with two chains side by side one
/// computes while the other waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<L>(pub(crate) L, pub(crate) L);

impl<L: Lanes> sealed::Sealed for Pair<L> {}
macro_rules! both {
    ($($trait:ident $method:ident)*) => { $(
        impl<L: Lanes> $trait for Pair<L> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, b: Self) -> Self {
                Pair($trait::$method(self.0, b.0), $trait::$method(self.1, b.1))
            }
        }
    )* };
}
both! { Add add  Sub sub  Mul mul  Div div }
impl<L: Lanes> Neg for Pair<L> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Pair(-self.0, -self.1)
    }
}
#[allow(unsafe_code)]
impl<L: Lanes> Lanes for Pair<L> {
    type Element = L::Element;
    type Mask = (L::Mask, L::Mask);
    const WIDTH: usize = 2 * L::WIDTH;
    #[inline(always)]
    unsafe fn splat(x: L::Element) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Pair(L::splat(x), L::splat(x)) }
    }
    #[inline(always)]
    unsafe fn load(p: *const L::Element) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Pair(L::load(p), L::load(p.add(L::WIDTH))) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut L::Element) {
        // SAFETY: the caller's promise.
        unsafe {
            self.0.store(p);
            self.1.store(p.add(L::WIDTH));
        }
    }
    #[inline(always)]
    fn fill(self, x: L::Element) -> Self {
        let x = self.0.fill(x);
        Pair(x, x)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Pair(self.0.mul_add(b.0, c.0), self.1.mul_add(b.1, c.1))
    }
    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Pair(self.0.neg_mul_add(b.0, c.0), self.1.neg_mul_add(b.1, c.1))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Pair(self.0.sqrt(), self.1.sqrt())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Pair(self.0.abs(), self.1.abs())
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Pair(self.0.copysign(sign.0), self.1.copysign(sign.1))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Pair(self.0.round(), self.1.round())
    }
    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        Pair(self.0.at_most(limit.0), self.1.at_most(limit.1))
    }
    #[inline(always)]
    fn at_least(self, limit: Self) -> Self {
        Pair(self.0.at_least(limit.0), self.1.at_least(limit.1))
    }
    #[inline(always)]
    fn lt(self, b: Self) -> Self::Mask {
        (self.0.lt(b.0), self.1.lt(b.1))
    }
    #[inline(always)]
    fn eq(self, b: Self) -> Self::Mask {
        (self.0.eq(b.0), self.1.eq(b.1))
    }
    #[inline(always)]
    fn pick(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Pair(L::pick(mask.0, yes.0, no.0), L::pick(mask.1, yes.1, no.1))
    }
    #[inline(always)]
    fn exchange<const SPAN: usize>(self, other: Self) -> (Self, Self) {
        if SPAN == L::WIDTH {
            return (Pair(self.0, other.0), Pair(self.1, other.1));
        }
        let (first, second) = (self.0.exchange::<SPAN>(other.0), self.1.exchange::<SPAN>(other.1));
        (Pair(first.0, second.0), Pair(first.1, second.1))
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        Pair(self.0.pow2(), self.1.pow2())
    }
    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        Pair(self.0.scale(n.0), self.1.scale(n.1))
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        Pair(self.0.exponent(), self.1.exponent())
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        Pair(self.0.mantissa(), self.1.mantissa())
    }
}

macro_rules! float {
    ($t:ident, $bits:ident, $mantissa:literal, $bias:literal, $avx2:ident, $avx512:ident, $neon:ident) => {
        impl sealed::Sealed for $t {}
        #[allow(unsafe_code)]
        impl Lanes for $t {
            type Element = $t;
            type Mask = bool;
            const WIDTH: usize = 1;
            #[inline(always)]
            unsafe fn splat(x: $t) -> $t {
                x
            }
            #[inline(always)]
            unsafe fn load(p: *const $t) -> $t {
                // SAFETY: the caller's promise.
                unsafe { p.read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { p.write_unaligned(self) }
            }
            #[inline(always)]
            fn fill(self, x: $t) -> $t {
                x
            }
            #[inline(always)]
            fn mul_add(self, b: $t, c: $t) -> $t {
                // Where the target has no such instruction, this calls the C library. That of Linux (glibc)
                // and of macOS round once, as IEEE 754 asks; those of MinGW and musl are known not to in
                // rare cases, which only a CPU without FMA would get to see.
                <$t>::mul_add(self, b, c)
            }
            #[inline(always)]
            fn neg_mul_add(self, b: $t, c: $t) -> $t {
                <$t>::mul_add(-self, b, c)
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> $t {
                <$t>::abs(self)
            }
            #[inline(always)]
            fn copysign(self, sign: $t) -> $t {
                <$t>::copysign(self, sign)
            }
            #[inline(always)]
            fn round(self) -> $t {
                self.round_ties_even()
            }
            #[inline(always)]
            fn at_most(self, limit: $t) -> $t {
                if limit < self { limit } else { self }
            }
            #[inline(always)]
            fn at_least(self, limit: $t) -> $t {
                if self < limit { limit } else { self }
            }
            #[inline(always)]
            fn lt(self, b: $t) -> bool {
                self < b
            }
            #[inline(always)]
            fn eq(self, b: $t) -> bool {
                self == b
            }
            #[inline(always)]
            fn pick(mask: bool, yes: $t, no: $t) -> $t {
                if mask { yes } else { no }
            }
            #[inline(always)]
            fn exchange<const SPAN: usize>(self, _: $t) -> ($t, $t) {
                unreachable!("no span is below a width of 1")
            }
            #[inline(always)]
            fn pow2(self) -> $t {
                // Adding 2^m + bias leaves n + bias in the lowest bits of the mantissa.
                let n = self + (((1 as $bits) << $mantissa) + $bias) as $t;
                $t::from_bits(n.to_bits() << $mantissa)
            }
            #[inline(always)]
            fn exponent(self) -> $t {
                let big = ((1 as $bits) << $mantissa) as $t;
                let e = $t::from_bits(self.abs().to_bits() >> $mantissa | big.to_bits());
                e - (big + $bias as $t)
            }
            #[inline(always)]
            fn mantissa(self) -> $t {
                let low = self.to_bits() & (((1 as $bits) << $mantissa) - 1);
                $t::from_bits(low | (1 as $t).to_bits())
            }
        }

        impl Float for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const NAME: &'static str = stringify!($t);
            #[cfg(target_arch = "x86_64")]
            type Avx2 = x86::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = x86::$avx512;
            #[cfg(target_arch = "aarch64")]
            type Neon = neon::$neon;
            fn from_f64(x: f64) -> $t {
                x as $t
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }
            fn finite(self) -> bool {
                self.is_finite()
            }
        }
    };
}
float!(f32, u32, 23, 127, F32x8, F32x16, F32x4);
float!(f64, u64, 52, 1023, F64x4, F64x8, F64x2);
