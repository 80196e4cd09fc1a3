//! Equations and sums along slices.

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
        for at in (0..whole).step_by(L::WIDTH) {
            let v = self.p.apply(self.x.map(|x| cpu.load(&x[at..])));
            for (y, mut v) in self.y.iter_mut().zip(v) {
                if self.accumulate {
                    v = cpu.load(&y[at..]) + v;
                }
                cpu.store(v, &mut y[at..]);
            }
        }
        if whole < n {
            let v = self.p.apply(self.x.map(|x| cpu.load_head(&x[whole..n])));
            for (y, mut v) in self.y.iter_mut().zip(v) {
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
/// Panics if the slices differ in length.
pub fn pointwise<T: Float, P: Pointwise<N, M>, const N: usize, const M: usize>(
    p: &P,
    x: [&[T]; N],
    y: [&mut [T]; M],
    accumulate: bool,
) {
    let n = y.first().map_or(0, |y| y.len());
    assert!(
        x.iter().all(|x| x.len() == n) && y.iter().all(|y| y.len() == n),
        "pointwise: the slices differ in length"
    );
    isa::run(Along { p, x, y, accumulate });
}
