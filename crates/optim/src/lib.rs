//! Gradient clipping, optimizers and schedules.
//!
//! The key decision: **everything here works on one flat slice of parameters and one flat gradient of the
//! same length.** Clipping by the *global* norm is then what clipping by norm is (clipping every tensor by
//! itself would change the gradient's direction; who wants that makes groups), an optimizer is one loop, and
//! nothing here knows a tape, a cell or a layer. Where names and shapes matter, for groups of parameters and for
//! adaptive clipping, they come as spans of the slice.
//!
//! The second decision: **what clipping does is reported, never hidden.** Exploding gradients are what
//! longlag looks at, so [`Clipped`] carries the norm before, the factor and the number of non-finite
//! entries, for every step.
//!
//! The third: **as little state as can be, all of it in [`Memory`].** A schedule is a function of the step; an
//! optimizer remembers vectors and a few numbers, and what is saved and restored goes on to the same bits.
//!
//! ```
//! use longlag_optim::{AdamConfig, OptimizerConfig, Schedule, clip_norm};
//!
//! let mut parameters = [1.0, 2.0];
//! let mut optimizer = OptimizerConfig::Adam(AdamConfig::default()).build(parameters.len());
//! let schedule = Schedule::WarmUp { steps: 10 };
//! for step in 0..3 {
//!     let mut gradient = [30.0, 40.0];
//!     let clipped = clip_norm(&mut gradient, 1.0);
//!     assert_eq!(clipped.norm_before, 50.0);
//!     assert_eq!(clipped.non_finite, 0);
//!     optimizer.set(|base| schedule.learning_rate(base, step), None);
//!     optimizer.step(&mut parameters, &gradient);
//! }
//! ```

mod adam;
mod adaptive;
mod clip;
mod group;
mod optimizer;
mod schedule;
mod settings;
mod sgd;

pub use adam::{AdamConfig, AdamWConfig, NAdamConfig, RAdamConfig};
pub use adaptive::{AdadeltaConfig, AdagradConfig, RmsPropConfig};
pub use clip::{
    Clip, ClipTelemetry, Clipped, NonFiniteNorm, clip_adaptive, clip_norm, clip_p_norm, clip_value, p_norm,
    try_clip_p_norm,
};
pub use group::{Group, GroupError, Groups};
pub use optimizer::{ForeignMemory, Memory, Optimizer, OptimizerConfig};
pub use schedule::{Anneal, Lambda, Mode, OneCycle, Phase, Plateau, PlateauConfig, Schedule, ThresholdMode};
pub use sgd::SgdConfig;
