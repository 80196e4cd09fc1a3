use longlag_cells::Cell;
use longlag_numerics::{Float, Scalar, slice};
use ndarray::{Array2, ArrayView2};

/// The value of the regulariser Ω, and the gradient that its source gives it: see [`omega`].
#[derive(Clone, Debug, PartialEq)]
pub struct Omega<T> {
    /// Ω itself.
    pub value: f64,
    /// ∂⁺Ω/∂W_hh, (H, H): to be added, times the regulariser's weight, to the loss's gradient.
    pub d_w_hh: Array2<T>,
}

/// The regulariser that keeps the norm of a plain network's gradient from step to step:
///
/// Ω = Σ_k (‖∂L/∂h_{k+1} · ∂h_{k+1}/∂h_k‖ / ‖∂L/∂h_{k+1}‖ − 1)²,
///
/// k from 0 to T − 1, averaged over the sequences.
///
/// Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks", section
/// 3.3, equations 9 and 10; there x_k = W σ(x_{k−1}) + …, here h_k = σ(W_hh h_{k−1} + …), so that
/// ∂h_{k+1}/∂h_k = diag(σ′) W_hh. As there, its gradient is the *immediate* one: by the W_hh that stands in
/// the formula, while ∂L/∂h_{k+1} and h_k are held. It is not the derivative of Ω, which would need second
/// derivatives through time. (The program that they published has the ratio of the squared norms and the mean over
/// the steps instead, so that its weights for Ω are not those of this formula.)
///
/// It asks only for a gradient that keeps its norm along the way, not for one that is large: what doesn't matter
/// to the loss at any lag, it can't bring back.
///
/// A gradient that is 0 has no direction and counts nothing. Where the product is 0, the ratio is 0 and the
/// gradient, which isn't defined there, is taken for 0.
///
/// Shapes: `w_hh` (H, H); `h`, the states after each step, and `d_h`, the whole ∂L/∂h of each, (T·B, H), the
/// steps one below the other.
///
/// Panics if they don't fit, or the cell isn't [`Cell::RnnTanh`] or [`Cell::RnnRelu`], whose slope is known
/// from h.
#[track_caller]
pub fn omega<T: Float + Scalar>(
    cell: Cell,
    w_hh: ArrayView2<'_, T>,
    h: ArrayView2<'_, T>,
    d_h: ArrayView2<'_, T>,
    batch: usize,
) -> Omega<T> {
    let (rows, hidden) = h.dim();
    assert!(
        w_hh.dim() == (hidden, hidden) && d_h.dim() == h.dim(),
        "omega: w_hh {:?}, h {:?}, d_h {:?}",
        w_hh.dim(),
        h.dim(),
        d_h.dim()
    );
    assert!(
        batch > 0 && rows % batch == 0,
        "omega: {rows} rows are no whole number of steps of {batch} sequences"
    );
    let slope = |h: T| match cell {
        Cell::RnnTanh => T::ONE - h * h,
        Cell::RnnRelu if h > T::ZERO => T::ONE,
        Cell::RnnRelu => T::ZERO,
        _ => panic!("omega: a {cell} has more than one Jacobian"),
    };
    // ∂L/∂h_{k+1} / ‖∂L/∂h_{k+1}‖ · diag(σ′), in rows: a direction, so that nothing after it overflows or
    // vanishes, however far the gradient has.
    let mut through = Array2::from_elem((rows, hidden), T::ZERO);
    let mut row = vec![T::ZERO; hidden];
    for (i, mut through) in through.rows_mut().into_iter().enumerate() {
        row.iter_mut().zip(d_h.row(i)).for_each(|(x, &d)| *x = d);
        let norm = slice::norm(&row);
        if norm != 0.0 {
            for ((x, d), &h) in through.iter_mut().zip(&row).zip(h.row(i)) {
                *x = T::from_f64(d.to_f64() / norm) * slope(h);
            }
        }
    }
    let mut product = Array2::from_elem((rows, hidden), T::ZERO);
    T::product(through.view(), w_hh, product.view_mut(), false);
    // From here on the product is Ω's derivative by it.
    let mut value = 0.0;
    for (i, mut product) in product.rows_mut().into_iter().enumerate() {
        if d_h.row(i).iter().all(|d| *d == T::ZERO) {
            continue;
        }
        row.iter_mut().zip(&product).for_each(|(x, &p)| *x = p);
        let ratio = slice::norm(&row);
        let excess = ratio - 1.0;
        value += excess * excess / batch as f64;
        for p in product.iter_mut().filter(|p| **p != T::ZERO) {
            let direction = p.to_f64() / ratio;
            *p = T::from_f64(2.0 * excess / batch as f64 * direction);
        }
    }
    let mut d_w_hh = Array2::from_elem((hidden, hidden), T::ZERO);
    T::product(
        through.view().reversed_axes(),
        product.view(),
        d_w_hh.view_mut(),
        false,
    );
    Omega { value, d_w_hh }
}
