//! Losses and the one training loop.
//!
//! The key decision: **there is one loop, and what it does to a gradient is never hidden.** Every update is
//! parameters → tape → loss → backward → flat gradient → clip → optimizer, and an observer sees the loss,
//! the gradient's norm before clipping, the factor, and the count of non-finite entries of each.
//! A loss or a gradient with such entries changes nothing: it ends the training with an error that names the
//! parameter, and the operation, its row and its time step where the first infinity or NaN came up, or the update
//! is skipped and counted, as the settings say.
//!
//! Parameters and gradients are flat buffers that the tape shares with the optimizer, and the tape keeps its
//! memory: after the first update, one of the same shape allocates nothing.
//!
//! A training can stop between two updates: a [`Checkpoint`] holds all that changes, and a trainer made like the
//! first goes on from it to the same bits.

mod accumulation;
mod loss;
mod omega;
mod stopping;
mod trainer;
mod truncated;

pub use loss::{
    CrossEntropy, Ctc, Reduction, bce_with_logits, cross_entropy, mse, one_hot,
    squared_error,
};
pub use omega::{Omega, omega};
pub use stopping::EarlyStopping;
pub use trainer::{
    Checkpoint, Diverged, ForeignCheckpoint, NonFinitePolicy, Step, Trainer,
    TrainerConfig, TrainerConfigError, Updated, Watched,
};
pub use truncated::{CarriedState, Truncation, Window};
