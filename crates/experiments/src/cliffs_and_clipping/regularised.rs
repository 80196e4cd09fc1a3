//! A plain network that is trained with Ω.

use crate::learner::{Learnable, Learner, Standing};
use crate::runs::Run;
use crate::tasks::Batch;
use crate::trials::{Trials, Tried};
use longlag_autodiff::{Bound, Var};
use longlag_cells::Network;
use longlag_train::{Checkpoint, Diverged, Step, Trainer, Updated, omega};
use std::ops::ControlFlow;

/// A plain network with Ω beside the loss, which asks the gradient to keep its norm from step to step.
#[derive(Debug)]
pub struct Regularised {
    /// The network, of a cell that [`omega`] knows.
    pub network: Network,
    /// By how much Ω counts.
    pub weight: f64,
}

// ANCHOR: regularised
impl Learnable for Regularised {
    fn outputs<'t>(
        &self,
        batch: &Batch,
        parameters: &Bound<'t, '_, f32>,
    ) -> Var<'t, f32> {
        batch.outputs(&self.network, parameters)
    }

    fn train(
        &self,
        trainer: &mut Trainer<f32>,
        batch: &Batch,
        _update: u64,
        see: &mut dyn FnMut(Step<'_, f32>),
    ) -> Result<Updated, Diverged> {
        let Network { layer, head } = &self.network;
        let w_hh = &layer.names.w_hh;
        trainer.update_adding(
            |parameters| {
                let states = batch.all_states(layer, parameters);
                let outputs = head.apply(parameters, states.last.h);
                (batch.loss(outputs), vec![states.h])
            },
            |watched, parameters, gradient| {
                let omega = omega(
                    layer.cell,
                    parameters.view(w_hh),
                    watched[0].value.view(),
                    watched[0].gradient.view(),
                    batch.lengths.len(),
                );
                let own = &mut gradient[parameters.span(w_hh).range()];
                for (g, d) in own.iter_mut().zip(&omega.d_w_hh) {
                    *g += self.weight as f32 * d;
                }
            },
            see,
        )
    }
}
// ANCHOR_END: regularised

/// A trial with Ω.
#[derive(Debug)]
pub struct RegularisedRun<'a> {
    learner: Learner<'a, Regularised>,
}

impl<'a> RegularisedRun<'a> {
    /// One of these trials, that with this number, with Ω.
    pub fn start(trials: &'a Trials, run: usize, weight: f64) -> Self {
        let of = |network| Regularised { network, weight };
        RegularisedRun { learner: trials.learner(run, of) }
    }
}

impl Run for RegularisedRun<'_> {
    type Saved = (Checkpoint<f32>, Standing);
    type Outcome = Tried;

    fn advance(&mut self) -> ControlFlow<()> {
        self.learner.update()
    }
    fn save(&self) -> Self::Saved {
        self.learner.save()
    }
    fn restore(&mut self, saved: Self::Saved) -> Result<(), String> {
        self.learner.restore(saved)
    }
    fn outcome(&self) -> Tried {
        let Standing { right, solved, diverged } = self.learner.standing;
        let updates = self.learner.updates();
        Tried { updates, solved, diverged, right, growth: [f64::NAN; 2] }
    }
}
