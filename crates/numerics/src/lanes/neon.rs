//! NEON registers.
#![allow(unsafe_code)]

use super::Lanes;
use std::arch::aarch64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A register type from its intrinsics. `$bits` is the integer twin of an element, `$mask` that of the
/// vector: a comparison's result, and the bits that the last four methods work on.
macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $vector:ty, [$element:ident; $width:literal], mask $mask:ty,
        $dup:ident $ld1:ident $st1:ident $add:ident $sub:ident $mul:ident $div:ident $neg:ident
        $fma:ident $fms:ident $sqrt:ident $abs:ident $round:ident,
        compare $lt:ident $eq:ident, pick $bsl:ident, exchange $exchange:expr,
        int $idup:ident $ior:ident $shl:ident $shr:ident $to_int:ident $from_int:ident
        $bits:ident $mantissa:literal $bias:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($vector);

        // SAFETY of every block below: a value of this type exists only where the CPU has the registers
        // (its first maker, `splat` or `load`, asks that of the caller).
        impl Add for $name {
            type Output = Self;
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $add(self.0, b.0) })
            }
        }
        impl Sub for $name {
            type Output = Self;
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $sub(self.0, b.0) })
            }
        }
        impl Mul for $name {
            type Output = Self;
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $mul(self.0, b.0) })
            }
        }
        impl Div for $name {
            type Output = Self;
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $div(self.0, b.0) })
            }
        }
        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $neg(self.0) })
            }
        }
        impl super::sealed::Sealed for $name {}
        impl Lanes for $name {
            type Element = $element;
            type Mask = $mask;
            const WIDTH: usize = $width;
            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { $dup(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $element) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { $ld1(p) })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $element) {
                // SAFETY: the caller's promise.
                unsafe { $st1(p, self.0) }
            }
            #[inline(always)]
            fn fill(self, x: $element) -> Self {
                // SAFETY: see above.
                Self(unsafe { $dup(x) })
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fma(c.0, self.0, b.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fms(c.0, self.0, b.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $abs(self.0) })
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                // SAFETY: see above.
                Self::pick(unsafe { $idup(1 << ($bits::BITS - 1)) }, sign, self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $round(self.0) })
            }
            #[inline(always)]
            fn at_most(self, limit: Self) -> Self {
                // Not the minimum instruction: it gives NaN if only the limit is, and puts −0 below 0.
                Self::pick(limit.lt(self), limit, self)
            }
            #[inline(always)]
            fn at_least(self, limit: Self) -> Self {
                Self::pick(self.lt(limit), limit, self)
            }
            #[inline(always)]
            fn lt(self, b: Self) -> $mask {
                // SAFETY: see above.
                unsafe { $lt(self.0, b.0) }
            }
            #[inline(always)]
            fn eq(self, b: Self) -> $mask {
                // SAFETY: see above.
                unsafe { $eq(self.0, b.0) }
            }
            #[inline(always)]
            fn pick(mask: $mask, yes: Self, no: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $bsl(mask, yes.0, no.0) })
            }
            #[inline(always)]
            fn exchange<const SPAN: usize>(self, other: Self) -> (Self, Self) {
                // SAFETY: see above.
                let (even, odd) = unsafe { $exchange(SPAN, self.0, other.0) };
                (Self(even), Self(odd))
            }
            #[inline(always)]
            fn pow2(self) -> Self {
                // Adding 2^m + bias leaves n + bias in the lowest bits of the mantissa.
                let n = self + self.fill((((1 as $bits) << $mantissa) + $bias) as $element);
                // SAFETY: see above.
                Self(unsafe { $from_int($shl::<$mantissa>($to_int(n.0))) })
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                let big = ((1 as $bits) << $mantissa) as $element;
                // SAFETY: see above.
                let e = Self(unsafe {
                    let e = $shr::<$mantissa>($to_int(self.abs().0));
                    $from_int($ior(e, $idup(big.to_bits())))
                });
                e - self.fill(big + $bias as $element)
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                // SAFETY: see above.
                Self::pick(unsafe { $idup((1 << $mantissa) - 1) }, self, self.fill(1.0))
            }
        }
    };
}

register! {
    /// Four `f32`.
    F32x4: float32x4_t, [f32; 4], mask uint32x4_t,
    vdupq_n_f32 vld1q_f32 vst1q_f32 vaddq_f32 vsubq_f32 vmulq_f32 vdivq_f32 vnegq_f32
    vfmaq_f32 vfmsq_f32 vsqrtq_f32 vabsq_f32 vrndnq_f32,
    compare vcltq_f32 vceqq_f32, pick vbslq_f32,
    exchange |span, a, b| match span {
        1 => (vtrn1q_f32(a, b), vtrn2q_f32(a, b)),
        _ => {
            let (a, b) = (vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b));
            (vreinterpretq_f32_f64(vtrn1q_f64(a, b)), vreinterpretq_f32_f64(vtrn2q_f64(a, b)))
        }
    },
    int vdupq_n_u32 vorrq_u32 vshlq_n_u32 vshrq_n_u32 vreinterpretq_u32_f32 vreinterpretq_f32_u32 u32 23 127
}
register! {
    /// Two `f64`.
    F64x2: float64x2_t, [f64; 2], mask uint64x2_t,
    vdupq_n_f64 vld1q_f64 vst1q_f64 vaddq_f64 vsubq_f64 vmulq_f64 vdivq_f64 vnegq_f64
    vfmaq_f64 vfmsq_f64 vsqrtq_f64 vabsq_f64 vrndnq_f64,
    compare vcltq_f64 vceqq_f64, pick vbslq_f64,
    exchange |_, a, b| (vtrn1q_f64(a, b), vtrn2q_f64(a, b)),
    int vdupq_n_u64 vorrq_u64 vshlq_n_u64 vshrq_n_u64 vreinterpretq_u64_f64 vreinterpretq_f64_u64 u64 52 1023
}
