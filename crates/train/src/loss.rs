//! Losses on the tape.
//!
//! A loss of single entries gives them all, and the tape's `sum` and `mean` reduce them: [`squared_error`],
//! [`bce_with_logits`]. Those whose mean is more than that take a [`Reduction`]: [`CrossEntropy`], [`Ctc`].

mod ctc;

pub use ctc::Ctc;

use longlag_autodiff::{Tape, Var};
use longlag_numerics::{Real, Scalar};
use serde::{Deserialize, Serialize};

/// What becomes of the losses of the rows, or sequences, of a batch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Their mean, (1, 1), as the loss defines it.
    #[default]
    Mean,
    /// Their sum, (1, 1).
    Sum,
    /// They stay as they are, one below the other.
    None,
}

/// The squared error of every entry. Shapes: both (B, O), and so is the result.
#[track_caller]
pub fn squared_error<'t, T: Scalar>(
    prediction: Var<'t, T>,
    target: Var<'t, T>,
) -> Var<'t, T> {
    same_shape("squared_error", prediction, target);
    let error = prediction - target;
    error * error
}

/// The mean squared error, over all entries. Shapes: both (B, O).
#[track_caller]
pub fn mse<'t, T: Scalar>(
    prediction: Var<'t, T>,
    target: Var<'t, T>,
) -> Var<'t, T> {
    same_shape("mse", prediction, target);
    squared_error(prediction, target).mean()
}

/// The binary cross-entropy −y ln σ(x) − (1 − y) ln σ(−x) of every logit x and target y, in nats.
///
/// `pos_weight`, if given, multiplies the term of y, so that rare positives count more. Weights of entries
/// are factors of the result. No logit overflows: with s = ln σ(−x) it computes (1 − y) x + (1 + (p − 1) y) s,
/// as PyTorch's `BCEWithLogitsLoss` does.
///
/// Shapes: `logits` and `target` (B, O), `pos_weight` (1, O) or (B, O); the result is (B, O).
#[track_caller]
pub fn bce_with_logits<'t, T: Scalar>(
    logits: Var<'t, T>,
    target: Var<'t, T>,
    pos_weight: Option<Var<'t, T>>,
) -> Var<'t, T> {
    same_shape("bce_with_logits", logits, target);
    // ln(1 + e⁻ˣ) as ln(1 + e^−|x|) + max(−x, 0). At 0 both take the side of −x, so that the slope is −1/2.
    let zero = logits.constant(0.0);
    let lack = (-logits.select(logits, -logits)).exp().ln_1p()
        + logits.select(zero, -logits);
    let lack = match pos_weight {
        Some(p) => lack * ((p - p.constant(1.0)) * target + p.constant(1.0)),
        None => lack,
    };
    target.one_minus() * logits + lack
}

/// The cross-entropy −Σ target · ln softmax(logits), in nats, averaged over the rows.
///
/// Shapes: both (B, C) for C classes; each row of `target` is a distribution, see [`one_hot`]. With weights,
/// labels that don't count, or smoothing, it is [`CrossEntropy`].
#[track_caller]
pub fn cross_entropy<'t, T: Scalar>(
    logits: Var<'t, T>,
    target: Var<'t, T>,
) -> Var<'t, T> {
    same_shape("cross_entropy", logits, target);
    CrossEntropy::default().of_distributions(logits, target)
}

/// The cross-entropy −Σ target · ln softmax(logits) with all that PyTorch's `CrossEntropyLoss` can do.
///
/// Logits are finite numbers, (N, C) for C classes; those of a sequence are the rows of its steps. A class
/// that is to be impossible gets a large negative logit: of −∞, the product with a target of 0 is NaN.
///
/// ```
/// use longlag_autodiff::Tape;
/// use longlag_numerics::Real;
/// use longlag_train::CrossEntropy;
///
/// let tape = Tape::<f64>::new();
/// let logits = tape.zeros(3, 4);
/// // The second row is padding.
/// let loss = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() }
///     .of_labels(logits, &[Some(2), None, Some(0)]);
/// assert!((loss.item() - Real::ln(4.0)).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy<'a> {
    /// w, a factor for each class's term, for classes of different frequency; all 1 if left out.
    pub class_weights: Option<&'a [f64]>,
    /// e from 0 to 1: the target becomes (1 − e) target + e/C, so that no logit gains by growing without
    /// end. Source: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision",
    /// section 7.
    pub label_smoothing: f64,
    /// What becomes of the rows' losses, which are (N, 1).
    pub reduction: Reduction,
}

impl CrossEntropy<'_> {
    /// The loss where each row has one class, or none: a row without a label doesn't count, as one that has
    /// PyTorch's `ignore_index`.
    ///
    /// The mean divides by the sum of the labels' weights. If no row has a label, it is NaN with gradient 0.
    ///
    /// Panics if there is not a label for each row, or one is not below C.
    #[track_caller]
    pub fn of_labels<'t, T: Scalar>(
        &self,
        logits: Var<'t, T>,
        labels: &[Option<usize>],
    ) -> Var<'t, T> {
        let [rows, classes] = logits.shape();
        self.check(classes);
        let n = labels.len();
        assert!(n == rows, "CrossEntropy: {n} labels of {rows} rows");
        for label in labels.iter().flatten() {
            assert!(
                *label < classes,
                "CrossEntropy: the label {label} of {classes} classes, which count from 0"
            );
        }
        let weight = |c: usize| self.class_weights.map_or(1.0, |w| w[c]);
        let even = self.label_smoothing / classes as f64;
        let target = logits.tape().constant_with(rows, classes, |entries| {
            for (row, label) in entries.chunks_exact_mut(classes).zip(labels) {
                row.fill(T::of(0.0));
                let Some(label) = *label else { continue };
                for (c, entry) in row.iter_mut().enumerate() {
                    *entry = T::of(weight(c) * even);
                }
                let own = 1.0 - self.label_smoothing + even;
                row[label] = T::of(weight(label) * own);
            }
        });
        let total = labels.iter().flatten().fold(0.0, |s, &y| s + weight(y));
        self.reduced(logits, target, total)
    }

    /// The loss where each row of `target` (N, C) is a distribution over the classes. The mean divides by N.
    #[track_caller]
    pub fn of_distributions<'t, T: Scalar>(
        &self,
        logits: Var<'t, T>,
        target: Var<'t, T>,
    ) -> Var<'t, T> {
        let [rows, classes] = logits.shape();
        same_shape("CrossEntropy", logits, target);
        self.check(classes);
        let mut target = target;
        if self.label_smoothing != 0.0 {
            let even = self.label_smoothing / classes as f64;
            target = target.scale(1.0 - self.label_smoothing)
                + target.constant(even);
        }
        if let Some(weights) = self.class_weights {
            let weights = logits.tape().constant_with(1, classes, |row| {
                row.iter_mut().zip(weights).for_each(|(r, &w)| *r = T::of(w));
            });
            target = target * weights;
        }
        self.reduced(logits, target, rows as f64)
    }

    #[track_caller]
    fn check(&self, classes: usize) {
        let e = self.label_smoothing;
        assert!(
            (0.0..=1.0).contains(&e),
            "CrossEntropy: a label smoothing of {e}, not from 0 to 1"
        );
        if let Some(weights) = self.class_weights {
            let n = weights.len();
            assert!(
                n == classes,
                "CrossEntropy: {n} weights, {classes} classes"
            );
        }
    }

    fn reduced<'t, T: Scalar>(
        &self,
        logits: Var<'t, T>,
        target: Var<'t, T>,
        total: f64,
    ) -> Var<'t, T> {
        let gain = logits.log_softmax() * target;
        match self.reduction {
            Reduction::Mean if total == 0.0 => {
                let nothing = gain.sum().scale(0.0);
                nothing + nothing.constant(f64::NAN)
            }
            Reduction::Mean => gain.sum().scale(-1.0 / total),
            Reduction::Sum => gain.sum().scale(-1.0),
            Reduction::None => {
                let [_, classes] = gain.shape();
                let ones = |to: &mut [T]| to.fill(T::of(1.0));
                -gain.matmul(gain.tape().constant_with(classes, 1, ones))
            }
        }
    }
}

/// A row would stretch to any height unasked.
#[track_caller]
fn same_shape<T: Scalar>(name: &str, a: Var<'_, T>, b: Var<'_, T>) {
    let (a, b) = (a.shape(), b.shape());
    assert!(a == b, "{name}: shapes {a:?} and {b:?} differ");
}

/// A constant (B, C) with a 1 in the column of each label and 0 elsewhere.
///
/// Panics if a label is not below `classes`.
#[track_caller]
pub fn one_hot<'t, T: Scalar>(
    tape: &'t Tape<T>,
    labels: impl ExactSizeIterator<Item = usize>,
    classes: usize,
) -> Var<'t, T> {
    let mut wrong = None;
    let target = tape.constant_with(labels.len(), classes, |entries| {
        entries.fill(T::of(0.0));
        for (row, label) in entries.chunks_exact_mut(classes).zip(labels) {
            match row.get_mut(label) {
                Some(entry) => *entry = T::of(1.0),
                None => wrong = Some(label),
            }
        }
    });
    if let Some(label) = wrong {
        panic!(
            "one_hot: the label {label} of {classes} classes, which count from 0"
        );
    }
    target
}
