//! Gradient-flow instruments, for anyone's cell.
//!
//! The key decision: **an instrument sees a step and its derivatives, never a cell.** [`RecurrentStep`] is
//! s_t = f(x_t, s_{t−1}) with its vector-Jacobian product; whoever writes one by hand (15 lines) or on the
//! tape ([`ComposedStep`], fewer) has every instrument. All are in `f64`, all results are the same bits
//! everywhere.
//!
//! | question | instrument | unit |
//! |---|---|---|
//! | How fast do tangents grow along trajectories? | [`growth::GrowthProbe`] | decades (log₁₀) per 100 steps |
//! | And in the long run? | [`growth::LyapunovProbe`] | nats per step |
//! | What does a long product of Jacobians do to each direction? | [`products::singular_values`] | log₁₀ of each |
//! | Which lags is the gradient made of, and which can be learnt from? | [`split::Split`], [`split::usable_signal`], [`statistics::horizon`] | shares; ratios to the noise; steps |
//! | Which input steps count? | the same over [`walk::Walk::over_steps`], [`walk::input_gradient_norms`] | shares; norms |
//! | What if nothing vanished? | [`surgery`] | – |
//! | How much of ∂c_T/∂c_k takes the direct path? | [`paths::Paths`], [`statistics::half_life`] | log₁₀ of ‖J_cc‖_F / √H; steps |
//!
//! Symbols: s_t is the state after step t, x_t the step's input, z_t the sums of products before the
//! nonlinearities, δ_t = ∂ℓ/∂z_t, J_t = ∂s_t/∂s_{t−1}. Shapes: `B` sequences (or other rows), `T` steps, `I`
//! inputs, `S` numbers of a state, `M` sums, `H` units.

pub mod growth;
mod layer_step;
mod on_tape;
pub mod paths;
pub mod products;
mod qr;
mod scaled;
pub mod split;
pub mod statistics;
mod step;
pub mod surgery;
pub mod walk;

pub use layer_step::LayerStep;
pub use on_tape::{ComposedStep, OnTape};
pub use step::{RecurrentStep, StepGradients, Trajectory, jacobian};
