//! Equations and sums along slices.
//!
//! The key decision: **the order of a sum is decided by the slice's length alone.** A sum runs in `f64`, in
//! 16 partial sums: element i is added to partial sum i mod 16, in increasing order, and the partial sums
//! are then added in pairs, the first half and the second half, until one is left. That order suits vector
//! registers of every width, and a long sum's rounding error grows 16 times more slowly than in one chain.

use crate::isa::{self, Cpu, Kernel};
use crate::lanes::{Float, Lanes};
use crate::real::Pointwise;

struct Along<'a, T, P, const N: usize, const M: usize> {
    p: &'a P,
    x: [&'a [T]; N],
    y: [&'a mut [T]; M],
    accumulate: bool,
}

impl<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize> Kernel<T> for Along<'_, T, P, N, M> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Element = T>>(mut self, cpu: Cpu<L>) {
        let n = self.y.first().map_or(0, |y| y.len());
        let whole = n - n % L::WIDTH;
        // Plain loops: closures, as in `array::map`, are not always inlined here.
        let mut v = [cpu.splat(T::ZERO); N];
        for at in (0..whole).step_by(L::WIDTH) {
            for (v, x) in v.iter_mut().zip(&self.x) {
                *v = cpu.load(&x[at..]);
            }
            for (y, mut v) in self.y.iter_mut().zip(self.p.apply(v)) {
                if self.accumulate {
                    v = cpu.load(&y[at..]) + v;
                }
                cpu.store(v, &mut y[at..]);
            }
        }
        if whole < n {
            for (v, x) in v.iter_mut().zip(&self.x) {
                *v = cpu.load_head(&x[whole..n]);
            }
            for (y, mut v) in self.y.iter_mut().zip(self.p.apply(v)) {
                let y = &mut y[whole..n];
                if self.accumulate {
                    v = cpu.load_head(y) + v;
                }
                cpu.store_head(v, y);
            }
        }
    }
}

/// `y = p(x)`, or `y += p(x)` if `accumulate`, element by element, in vector registers.
///
/// # Panics
/// If the slices differ in length.
#[track_caller]
pub fn pointwise<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize>(
    p: &P,
    x: [&[T]; N],
    y: [&mut [T]; M],
    accumulate: bool,
) {
    let (from, to) = (x.map(<[T]>::len), y.each_ref().map(|y| y.len()));
    assert!(
        from.iter().chain(&to).all(|n| *n == to[0]),
        "pointwise: the slices differ in length: {from:?} to {to:?}"
    );
    isa::run(Along { p, x, y, accumulate });
}

/// Σ f(x), in the order that the module states.
struct Sum<'a, T, F> {
    x: &'a [T],
    f: F,
}

impl<T: Float, F: Fn(f64) -> f64> Kernel<T> for Sum<'_, T, F> {
    type Output = f64;
    #[inline(always)]
    fn run<L: Lanes<Element = T>>(self, _: Cpu<L>) -> f64 {
        const PARTS: usize = 16;
        let mut parts = [0.0; PARTS];
        let (chunks, rest) = self.x.as_chunks::<PARTS>();
        for chunk in chunks {
            for (part, x) in parts.iter_mut().zip(chunk) {
                *part += (self.f)(x.to_f64());
            }
        }
        for (part, x) in parts.iter_mut().zip(rest) {
            *part += (self.f)(x.to_f64());
        }
        let mut half = PARTS / 2;
        while half > 0 {
            for i in 0..half {
                parts[i] += parts[i + half];
            }
            half /= 2;
        }
        parts[0]
    }
}

/// The sum, in the order that the module states; 0 of nothing.
pub fn sum<T: Float>(x: &[T]) -> f64 {
    isa::run(Sum { x, f: |x| x })
}

struct MaxAbs<'a, T>(&'a [T]);

impl<T: Float> Kernel<T> for MaxAbs<'_, T> {
    type Output = T;
    #[inline(always)]
    fn run<L: Lanes<Element = T>>(self, cpu: Cpu<L>) -> T {
        // A comparison with NaN is false: it never becomes the largest, and is kept apart.
        let (mut largest, mut nan) = (cpu.splat(T::ZERO), cpu.splat(T::ZERO));
        for x in self.0.chunks(L::WIDTH) {
            let x = if x.len() == L::WIDTH { cpu.load(x) } else { cpu.load_head(x) };
            largest = L::pick(largest.lt(x.abs()), x.abs(), largest);
            nan = L::pick(x.eq(x), nan, x);
        }
        let mut lanes = [[T::ZERO; isa::MAX_WIDTH]; 2];
        cpu.store(largest, &mut lanes[0]);
        cpu.store(nan, &mut lanes[1]);
        let largest = lanes[0].into_iter().fold(T::ZERO, |a, b| if a < b { b } else { a });
        lanes[1].into_iter().find(|x| *x != T::ZERO).unwrap_or(largest)
    }
}

/// The largest magnitude; 0 of nothing, NaN if any element is NaN.
pub fn max_abs<T: Float>(x: &[T]) -> f64 {
    isa::run(MaxAbs(x)).to_f64()
}

/// The Euclidean norm √Σx²; 0 of nothing, NaN if any element is NaN, else infinite if any is.
///
/// It overflows only where the norm itself does, and doesn't underflow: elements whose squares would be too
/// large or too small for `f64` are first multiplied by a power of two, after Blue, "A portable Fortran
/// program to find the Euclidean norm of a vector", ACM TOMS 4(1), 1978.
pub fn norm<T: Float>(x: &[T]) -> f64 {
    let largest = max_abs(x);
    if !largest.is_finite() || largest == 0.0 {
        return largest;
    }
    // Squares of what lies between add up to less than 2¹⁰²⁴ in any slice that fits a memory, and those that
    // underflow are below 2⁻¹¹⁴ of the largest.
    let (scale, unscale) = if largest > TWO_480 {
        (1.0 / TWO_600, TWO_600)
    } else if largest < 1.0 / TWO_480 {
        (TWO_600, 1.0 / TWO_600)
    } else {
        (1.0, 1.0)
    };
    let squares = isa::run(Sum { x, f: |x| (x * scale) * (x * scale) });
    squares.sqrt() * unscale
}

const TWO_480: f64 = f64::from_bits((1023 + 480) << 52);
const TWO_600: f64 = f64::from_bits((1023 + 600) << 52);
