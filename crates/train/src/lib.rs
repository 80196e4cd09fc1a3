//! Losses and the one training loop.
//!
//! The key decision: **there is one loop, and what it does to a gradient is never hidden.** Every update is
//! parameters → tape → loss → backward → flat gradient → clip → optimizer, and an observer sees the loss,
//! the gradient's norm before clipping, the factor, and the count of non-finite entries of each.
//! A gradient with such entries ends the training with an error that names the parameter; the parameters
//! stay as they were before that update.
//!
//! Parameters and gradients are flat buffers that the tape shares with the optimizer, and the tape keeps its
//! memory: after the first update, one of the same shape allocates nothing.

mod loss;
mod trainer;

pub use loss::{cross_entropy, mse, one_hot};
pub use trainer::{Diverged, Step, Trainer};
