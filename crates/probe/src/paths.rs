//! The direct and the total path of ∂c_T/∂c_k.
//!
//! An LSTM's cell state reaches a later one directly, c_t = f_t ∘ c_{t−1} + …, and by detours through h: c_t
//! makes h_t, and that the gates of the next step, z = U·h + …. Write the tangent recursion with ε at every
//! detour, dz = ε·U·dh:
//!
//!   ds_t = J_t·E·ds_{t−1}, E = 1 on the columns of c and ε on those of h.
//!
//! At ε = 0 it is diag(Π f) exactly (with peepholes, the gates' dependence on c is in it too), at ε = 1 the
//! total derivative. In between it is a polynomial in ε; its coefficient j is the sum over all paths that
//! take U j times, and the sum of those up to d is the part with at most d such detours. (Two steps in h in a
//! row count as two.)
//!
//! One functional for all of them: ‖J_cc‖_F / √H, the root mean square of the growth of a random direction.

use crate::scaled::{ZERO, log10, log10_norm, normalise, pow2, times_pow2};
use longlag_numerics::product::product;
use ndarray::{Array2, ArrayView2, Axis, Slice};
use std::ops::Range;

/// ∂s_t/∂c_k of a fixed k and growing t, by numbers of detours.
#[derive(Clone, Debug)]
pub struct Paths {
    direct: Range<usize>,
    detour: Range<usize>,
    /// M_j, the coefficient of εʲ, for j = 0 … d: (S, H) each.
    coefficients: Vec<Scaled>,
    /// M at ε = 1.
    total: Scaled,
}

/// A matrix times 2^exponent.
#[derive(Clone, Debug)]
struct Scaled {
    entries: Array2<f64>,
    exponent: i64,
}

impl Scaled {
    /// Σ a·b over the terms (a, b), with the columns of a that meet the rows `rows` of b.
    fn sum(terms: &[(ArrayView2<'_, f64>, &Scaled, Range<usize>)]) -> Scaled {
        let top = terms.iter().map(|(_, b, _)| b.exponent).max().unwrap_or(ZERO);
        let (a, b, _) = &terms[0];
        let mut entries = Array2::zeros((a.nrows(), b.entries.ncols()));
        for (a, b, rows) in terms {
            let by = pow2(b.exponent - top);
            let rows = Slice::from(rows.clone());
            let b = b.entries.slice_axis(Axis(0), rows).mapv(|b| b * by);
            product(a.slice_axis(Axis(1), rows), b.view(), entries.view_mut(), true);
        }
        let out = normalise(entries.as_slice_mut().expect("a new array lies densely"));
        Scaled { entries, exponent: out.map_or(ZERO, |n| top + n) }
    }
}

impl Paths {
    /// From t = k on, where ∂s_k/∂c_k is 1.
    ///
    /// `direct` are the columns of c in a state of `size` numbers, `detour` those of h: all the others. Paths
    /// are told apart by their detours up to `most` of them.
    ///
    /// Panics if the two don't make up the state.
    #[track_caller]
    pub fn new(size: usize, direct: Range<usize>, detour: Range<usize>, most: usize) -> Paths {
        let whole = direct.len() + detour.len() == size
            && (direct.end == detour.start || detour.end == direct.start)
            && direct.start.min(detour.start) == 0;
        assert!(whole, "paths: {direct:?} and {detour:?} aren't the two parts of a state of {size}");
        let mut entries = Array2::zeros((size, direct.len()));
        let part = Slice::from(direct.clone());
        entries.slice_axis_mut(Axis(0), part).diag_mut().fill(1.0);
        let one = Scaled { entries, exponent: 0 };
        let mut coefficients = vec![one.clone()];
        coefficients
            .resize(most + 1, Scaled { entries: Array2::zeros((size, direct.len())), exponent: ZERO });
        Paths { direct, detour, coefficients, total: one }
    }

    /// From t − 1 to t by J_t = ∂s_t/∂s_{t−1}, (S, S).
    #[track_caller]
    pub fn advance(&mut self, jacobian: ArrayView2<'_, f64>) {
        let size = self.direct.len() + self.detour.len();
        assert!(jacobian.dim() == (size, size), "advance: J is {:?} for {size} numbers", jacobian.dim());
        let (direct, detour) = (self.direct.clone(), self.detour.clone());
        for j in (0..self.coefficients.len()).rev() {
            let mut terms = vec![(jacobian, &self.coefficients[j], direct.clone())];
            if j > 0 {
                terms.push((jacobian, &self.coefficients[j - 1], detour.clone()));
            }
            self.coefficients[j] = Scaled::sum(&terms);
        }
        self.total = Scaled::sum(&[(jacobian, &self.total, 0..size)]);
    }

    /// J_cc over the paths with at most `detours` detours, (H, H); with 0 that is the direct path.
    ///
    /// Panics if these paths weren't told apart.
    #[track_caller]
    pub fn up_to(&self, detours: usize) -> Array2<f64> {
        self.part(&self.sum_up_to(detours))
    }

    /// J_cc over all paths, (H, H).
    pub fn total(&self) -> Array2<f64> {
        self.part(&self.total)
    }

    /// log₁₀ of ‖J_cc‖_F / √H over the paths with at most `detours` detours; −∞ of 0. It is right also where
    /// [`up_to`](Self::up_to) is out of the range of `f64`.
    ///
    /// Panics if these paths weren't told apart.
    #[track_caller]
    pub fn log10_up_to(&self, detours: usize) -> f64 {
        self.log10_of(&self.sum_up_to(detours))
    }

    /// log₁₀ of ‖J_cc‖_F / √H over all paths.
    pub fn log10_total(&self) -> f64 {
        self.log10_of(&self.total)
    }

    #[track_caller]
    fn sum_up_to(&self, detours: usize) -> Scaled {
        let told = self.coefficients.len() - 1;
        assert!(detours <= told, "paths are told apart up to {told} detours, not {detours}");
        let size = self.direct.len() + self.detour.len();
        let one = Array2::eye(size);
        let terms: Vec<_> = self.coefficients[..=detours].iter().map(|m| (one.view(), m, 0..size)).collect();
        Scaled::sum(&terms)
    }

    fn part(&self, m: &Scaled) -> Array2<f64> {
        let part = Slice::from(self.direct.clone());
        m.entries.slice_axis(Axis(0), part).mapv(|x| times_pow2(x, m.exponent))
    }

    fn log10_of(&self, m: &Scaled) -> f64 {
        let part = Slice::from(self.direct.clone());
        let part: Vec<f64> = m.entries.slice_axis(Axis(0), part).iter().copied().collect();
        log10_norm(&part, m.exponent) - 0.5 * log10(self.direct.len() as f64)
    }
}
