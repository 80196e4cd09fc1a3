//! Backward surgery: another gradient of the same network, the forward pass untouched.
//!
//! It is the causal test of "vanishing is why it doesn't learn": let the gradient's parts have the same size
//! at all lags, or take the far ones away, train with that, and see.
//!
//! By linearity either is a factor w for each lag of each loss, Σ_s Σ_k w_k^{(s)}·δ_{s−k}^{(s)}·u_{s−k}ᵀ. It
//! is applied on the way back, to δ and to what flows on alike, so nothing underflows before it can be scaled
//! up.
//!
//! To train with it: run the sequences ([`Trajectory`]), take ∂ℓ/∂s of the losses from the read-out
//! ([`Losses`]), then [`altered_gradient`], and hand the result to the training loop as the gradient of
//! [`loss_with_gradient`]. The read-out's own gradient is the usual one: nothing vanishes on its way.

use crate::step::{RecurrentStep, Trajectory};
use crate::walk::{Losses, Walk, Weight};
use longlag_autodiff::{Bound, Var};
use longlag_numerics::product::product;
use longlag_numerics::{Parameters, Scalar, slice};
use ndarray::Array2;

/// What is done to δ_{s−k}^{(s)} on the way back, for each loss by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surgery {
    /// Nothing: the gradient as it is.
    None,
    /// Its norm becomes that at lag 0, ‖δ_s^{(s)}‖. What is exactly 0 stays 0.
    ///
    /// Not a constant for all losses: a loss that is nearly 0 must still have a gradient that is nearly 0.
    ConstantNorm,
    /// It becomes 0 beyond this lag.
    CutBeyond(usize),
}

/// The gradients of `weights`, each as if it were ∂L/∂W of the sum L of the losses, after surgery.
///
/// A loss's norm ‖δ‖ is over all M sums.
#[track_caller]
pub fn altered_gradient(
    step: &dyn RecurrentStep,
    trajectory: &Trajectory,
    losses: &Losses,
    surgery: Surgery,
    weights: &[Weight],
) -> Vec<Array2<f64>> {
    let mut gradients = Vec::new();
    let mut norms = vec![0.0; losses.len()];
    let mut walk = Walk::over_lags(step, trajectory, losses);
    while let Some(back) = walk.next() {
        match surgery {
            Surgery::CutBeyond(last) if back.lag > last => break,
            Surgery::None | Surgery::CutBeyond(_) => {}
            Surgery::ConstantNorm => {
                for (i, row) in back.rows.iter().enumerate() {
                    let norm = slice::norm(&back.gradients.d_z.row(i).to_vec());
                    if back.lag == 0 {
                        norms[row.loss] = norm;
                    } else if norm > 0.0 {
                        let by = norms[row.loss] / norm;
                        back.gradients.d_z.row_mut(i).mapv_inplace(|d| d * by);
                        back.gradients.d_state.row_mut(i).mapv_inplace(|d| d * by);
                    }
                }
            }
        }
        for (w, weight) in weights.iter().enumerate() {
            let [d_z, u] = weight.terms(back);
            if back.lag == 0 {
                gradients.push(Array2::zeros((d_z.ncols(), u.ncols())));
            }
            product(d_z.t(), u.view(), gradients[w].view_mut(), true);
        }
    }
    gradients
}

/// A loss whose value is `loss` and whose gradient is `gradient`, wherever that came from: its expansion
/// loss + Σ (w − w₀)·gradient around the parameters' present values w₀. With it a gradient after surgery goes
/// through the usual training loop.
///
/// `gradient` has some or all of the parameters that are bound, under their names; the others get no
/// gradient. Panics, naming those that exist, if it has one that isn't bound.
#[track_caller]
pub fn loss_with_gradient<'t, T: Scalar>(
    parameters: &Bound<'t, '_, T>,
    loss: f64,
    gradient: &Parameters<f64>,
) -> Var<'t, T> {
    let tape = parameters.tape();
    let mut sum = tape.constant_with(1, 1, |y| y.fill(T::of(loss)));
    for span in gradient.spans() {
        let w = parameters.get(&span.name);
        let d_w = gradient.view(&span.name).mapv(T::of);
        let moved = w - tape.constant(&w.value().view());
        sum = sum + (moved * tape.constant(&d_w.view())).sum();
    }
    sum
}
