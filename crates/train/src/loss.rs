use longlag_autodiff::{Tape, Var};
use longlag_numerics::Scalar;

/// The mean squared error, over all entries. Shapes: both (B, O).
#[track_caller]
pub fn mse<'t, T: Scalar>(
    prediction: Var<'t, T>,
    target: Var<'t, T>,
) -> Var<'t, T> {
    same_shape("mse", prediction, target);
    let error = prediction - target;
    (error * error).mean()
}

/// The cross-entropy −Σ target · ln softmax(logits), in nats, averaged over the rows.
///
/// Shapes: both (B, C) for C classes; each row of `target` is a distribution, see [`one_hot`].
#[track_caller]
pub fn cross_entropy<'t, T: Scalar>(
    logits: Var<'t, T>,
    target: Var<'t, T>,
) -> Var<'t, T> {
    same_shape("cross_entropy", logits, target);
    let [rows, _] = logits.shape();
    (logits.log_softmax() * target).sum().scale(-1.0 / rows as f64)
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
