//! AVX2 and AVX-512 registers.
#![allow(unsafe_code)]

use super::Lanes;
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// For each lane of the two results of an exchange, where it comes from: a lane of the first register, or
/// N + a lane of the second.
#[inline(always)]
fn exchange_lanes<I: Copy + Default + TryFrom<usize>, const N: usize>(span: usize) -> [[I; N]; 2] {
    let index = |i: usize| I::try_from(i).unwrap_or_default();
    let [mut even, mut odd] = [[I::default(); N]; 2];
    for (lane, (even, odd)) in even.iter_mut().zip(&mut odd).enumerate() {
        let from = if lane & span == 0 { lane } else { N + lane - span };
        (*even, *odd) = (index(from), index(from + span));
    }
    [even, odd]
}

/// A register type from its intrinsics. `$int` names the integer twin of the vector, whose bits the
/// last four methods work on.
macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $vector:ty, [$element:ident; $width:literal], mask $mask:ty,
        $set1:ident $loadu:ident $storeu:ident $add:ident $sub:ident $mul:ident $div:ident
        $fmadd:ident $fnmadd:ident $sqrt:ident, round $round:expr,
        $min:ident $max:ident, compare $lt:expr, $eq:expr, pick $pick:expr, $(scale $scale:ident,)? exchange $exchange:expr,
        int $iset1:ident $iand:ident $ior:ident $ixor:ident $shl:ident $shr:ident $to_int:ident $from_int:ident
        $bits:ident $signed:ident $mantissa:literal $bias:literal
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
                Self(unsafe { $from_int($ixor($to_int(self.0), $iset1($signed::MIN))) })
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
                Self(unsafe { $set1(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $element) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { $loadu(p) })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $element) {
                // SAFETY: the caller's promise.
                unsafe { $storeu(p, self.0) }
            }
            #[inline(always)]
            fn fill(self, x: $element) -> Self {
                // SAFETY: see above.
                Self(unsafe { $set1(x) })
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fmadd(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fnmadd(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $from_int($iand($to_int(self.0), $iset1($signed::MAX))) })
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe {
                    let sign = $iand($to_int(sign.0), $iset1($signed::MIN));
                    $from_int($ior($to_int(self.abs().0), sign))
                })
            }
            #[inline(always)]
            fn round(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $round(self.0) })
            }
            #[inline(always)]
            fn at_most(self, limit: Self) -> Self {
                // The second operand is what these instructions give where either is NaN.
                // SAFETY: see above.
                Self(unsafe { $min(limit.0, self.0) })
            }
            #[inline(always)]
            fn at_least(self, limit: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $max(limit.0, self.0) })
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
                Self(unsafe { $pick(mask, yes.0, no.0) })
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
            $(
                #[inline(always)]
                fn scale(self, n: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $scale(self.0, n.0) })
                }
            )?
            #[inline(always)]
            fn prefetch(self, p: *const $element) {
                // SAFETY: a prefetch is allowed at any address, and every x86-64 CPU has it.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                let big = ((1 as $bits) << $mantissa) as $element;
                // SAFETY: see above.
                let e = Self(unsafe {
                    let e = $shr::<$mantissa>($to_int(self.abs().0));
                    $from_int($ior(e, $iset1(big.to_bits() as $signed)))
                });
                e - self.fill(big + $bias as $element)
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                // SAFETY: see above.
                Self(unsafe {
                    let low = $iand($to_int(self.0), $iset1(((1 as $signed) << $mantissa) - 1));
                    $from_int($ior(low, $iset1((1 as $element).to_bits() as $signed)))
                })
            }
        }
    };
}

register! {
    /// Eight `f32`.
    F32x8: __m256, [f32; 8], mask __m256,
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_fmadd_ps _mm256_fnmadd_ps _mm256_sqrt_ps,
    round |v| _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v),
    _mm256_min_ps _mm256_max_ps, compare |a, b| _mm256_cmp_ps::<_CMP_LT_OQ>(a, b), |a, b| _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b),
    pick |m, y, n| _mm256_blendv_ps(n, y, m),
    exchange |span, a, b| match span {
        1 => (
            _mm256_blend_ps::<0b1010_1010>(a, _mm256_moveldup_ps(b)),
            _mm256_blend_ps::<0b1010_1010>(_mm256_movehdup_ps(a), b),
        ),
        2 => {
            let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
            (_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)))
        }
        _ => (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)),
    },
    int _mm256_set1_epi32 _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256 _mm256_slli_epi32 _mm256_srli_epi32
    _mm256_castps_si256 _mm256_castsi256_ps u32 i32 23 127
}
register! {
    /// Four `f64`.
    F64x4: __m256d, [f64; 4], mask __m256d,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_fmadd_pd _mm256_fnmadd_pd _mm256_sqrt_pd,
    round |v| _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v),
    _mm256_min_pd _mm256_max_pd, compare |a, b| _mm256_cmp_pd::<_CMP_LT_OQ>(a, b), |a, b| _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b),
    pick |m, y, n| _mm256_blendv_pd(n, y, m),
    exchange |span, a, b| match span {
        1 => (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
        _ => (_mm256_permute2f128_pd::<0x20>(a, b), _mm256_permute2f128_pd::<0x31>(a, b)),
    },
    int _mm256_set1_epi64x _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256 _mm256_slli_epi64 _mm256_srli_epi64
    _mm256_castpd_si256 _mm256_castsi256_pd u64 i64 52 1023
}
register! {
    /// Sixteen `f32`.
    F32x16: __m512, [f32; 16], mask __mmask16,
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps
    _mm512_fmadd_ps _mm512_fnmadd_ps _mm512_sqrt_ps,
    round |v| _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v),
    _mm512_min_ps _mm512_max_ps, compare |a, b| _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), |a, b| _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b),
    pick |m, y, n| _mm512_mask_blend_ps(m, n, y), scale _mm512_scalef_ps,
    exchange |span, a, b| {
        let [even, odd]: [[i32; 16]; 2] = exchange_lanes(span);
        let (even, odd) = (_mm512_loadu_epi32(even.as_ptr()), _mm512_loadu_epi32(odd.as_ptr()));
        (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
    },
    int _mm512_set1_epi32 _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512 _mm512_slli_epi32 _mm512_srli_epi32
    _mm512_castps_si512 _mm512_castsi512_ps u32 i32 23 127
}
register! {
    /// Eight `f64`.
    F64x8: __m512d, [f64; 8], mask __mmask8,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_fmadd_pd _mm512_fnmadd_pd _mm512_sqrt_pd,
    round |v| _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v),
    _mm512_min_pd _mm512_max_pd, compare |a, b| _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), |a, b| _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b),
    pick |m, y, n| _mm512_mask_blend_pd(m, n, y), scale _mm512_scalef_pd,
    exchange |span, a, b| {
        let [even, odd]: [[i64; 8]; 2] = exchange_lanes(span);
        let (even, odd) = (_mm512_loadu_epi64(even.as_ptr()), _mm512_loadu_epi64(odd.as_ptr()));
        (_mm512_permutex2var_pd(a, even, b), _mm512_permutex2var_pd(a, odd, b))
    },
    int _mm512_set1_epi64 _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512 _mm512_slli_epi64 _mm512_srli_epi64
    _mm512_castpd_si512 _mm512_castsi512_pd u64 i64 52 1023
}
