//! A network of one unit, whose error can be drawn.

use longlag_numerics::{Real, Span};
use longlag_optim::Clip;
use serde::{Deserialize, Serialize};

// ANCHOR: one_unit
/// One unit without input: h_t = σ(w·h_{t−1} + b). Its error is the squared
/// distance of h_T from a target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneUnit {
    /// T.
    pub steps: usize,
    /// h_0.
    pub start: f64,
    /// What h_T should be.
    pub target: f64,
}

impl OneUnit {
    /// The error at (w, b), and its derivatives by w and b.
    pub fn error(&self, [w, b]: [f64; 2]) -> (f64, [f64; 2]) {
        let (mut h, mut d_w, mut d_b) = (self.start, 0.0, 0.0);
        for _ in 0..self.steps {
            let next = Real::sigmoid(w * h + b);
            let slope = next * (1.0 - next);
            d_w = slope * (h + w * d_w);
            d_b = slope * (1.0 + w * d_b);
            h = next;
        }
        let miss = h - self.target;
        (miss * miss, [2.0 * miss * d_w, 2.0 * miss * d_b])
    }

    /// Gradient descent: where it is before and after each update.
    pub fn descend(
        &self,
        start: [f64; 2],
        rate: f64,
        clip: Clip,
        updates: usize,
    ) -> Vec<[f64; 2]> {
        let both = [Span { name: "w, b".into(), shape: [1, 2], start: 0 }];
        let mut at = start;
        let mut way = vec![at];
        for _ in 0..updates {
            let (_, mut gradient) = self.error(at);
            let _ = clip.apply(&mut gradient, &at, &both);
            at = [at[0] - rate * gradient[0], at[1] - rate * gradient[1]];
            way.push(at);
        }
        way
    }
}
// ANCHOR_END: one_unit

impl Default for OneUnit {
    fn default() -> Self {
        OneUnit { steps: 50, start: 0.5, target: 0.7 }
    }
}
