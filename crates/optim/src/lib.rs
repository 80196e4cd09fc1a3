//! Gradient clipping and optimizers.
//!
//! The key decision: **everything here works on one flat slice of parameters and one flat gradient of the
//! same length.** Clipping by the *global* norm is then the only norm clipping there is (clipping every
//! tensor by itself would change the gradient's direction), an optimizer is one loop, and nothing here
//! knows a tape, a cell or a layer.
//!
//! The second decision: **what clipping does is reported, never hidden.** Exploding gradients are what
//! longlag looks at, so [`Clipped`] carries the norm before, the factor and the number of non-finite
//! entries, for every step.
//!
//! ```
//! use longlag_optim::{AdamConfig, Clip, OptimizerConfig};
//!
//! let mut parameters = [1.0, 2.0];
//! let mut optimizer = OptimizerConfig::Adam(AdamConfig::default()).build(parameters.len());
//! let mut gradient = [30.0, 40.0];
//! let clipped = Clip::Norm(1.0).apply(&mut gradient);
//! assert_eq!(clipped.norm_before, 50.0);
//! assert_eq!(clipped.non_finite, 0);
//! optimizer.step(&mut parameters, &gradient);
//! ```

mod clip;
mod optimizer;

pub use clip::{Clip, Clipped, clip_norm, clip_value};
pub use optimizer::{Adam, AdamConfig, ForeignMemory, Memory, Optimizer, OptimizerConfig, Sgd, SgdConfig};
