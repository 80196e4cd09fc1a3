use super::Reduction;
use longlag_autodiff::{CustomOp, InputGradients, Inputs, Var};
use longlag_numerics::{Real, Scalar};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::rc::Rc;

/// Connectionist temporal classification: −ln p(labels | input), where the network says at each step how
/// probable each class or *blank* is, and where in time the labels lie is not known.
///
/// A path, one class a step, spells the labels that are left when runs of a class become one and then blanks
/// fall out. p is the sum over all paths that spell the target; recursions forward and backward over its
/// labels with blanks between them give it and its derivative, −(the probability that a path of the target is
/// at the class in that step), in T·(2 S + 1) steps each. All in logarithms, so no length underflows.
///
/// Source: Graves, Fernández, Gomez & Schmidhuber 2006, "Connectionist temporal classification: labelling
/// unsegmented sequence data with recurrent neural networks", sections 3 and 4; the logarithms in place of
/// their rescaling. It is PyTorch's `CTCLoss`, but for the derivative by log-probabilities, which is that of
/// the definition (PyTorch gives the one by logits there).
///
/// ```
/// use longlag_autodiff::Tape;
/// use longlag_numerics::Real;
/// use longlag_train::Ctc;
/// use ndarray::array;
///
/// // Two steps, one sequence, the blank and one label, all equally probable.
/// let tape = Tape::<f64>::new();
/// let log_probs = tape.zeros(2, 2).log_softmax();
/// let loss = Ctc::default().apply(log_probs, &[&[1]], &[2]);
/// // Three of the four paths spell the label: 01, 10 and 11.
/// assert!((loss.item() + Real::ln(0.75)).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ctc {
    /// Which class is the blank.
    pub blank: usize,
    /// Whether a target that no path spells, as it has more labels than there are steps, has loss and
    /// gradient 0. Else its loss is infinite and its gradient NaN.
    pub zero_infinity: bool,
    /// What becomes of the sequences' losses, which are (N, 1). The mean divides each by its number of labels
    /// (by 1 if there are none) and then by N.
    pub reduction: Reduction,
}

impl Ctc {
    /// The loss of N sequences.
    ///
    /// `log_probs` is (T·N, C), the logarithms of the probabilities (see [`Var::log_softmax`]), the steps one
    /// below the other. `targets` are the sequences' labels, and `lengths` how many steps each has; what comes
    /// after them doesn't count. Of these two it keeps a copy, so that recording it allocates.
    ///
    /// Panics if a length is 0 or above T, a label is the blank or not below C, or the numbers of sequences
    /// differ.
    #[track_caller]
    pub fn apply<'t, T: Scalar>(
        &self,
        log_probs: Var<'t, T>,
        targets: &[&[usize]],
        lengths: &[usize],
    ) -> Var<'t, T> {
        let [rows, classes] = log_probs.shape();
        let (n, blank) = (targets.len(), self.blank);
        assert!(
            n > 0 && n == lengths.len() && rows % n == 0,
            "Ctc: {n} targets, {} lengths, {rows} rows of probabilities",
            lengths.len()
        );
        assert!(blank < classes, "Ctc: the blank {blank} of {classes} classes");
        for (target, &length) in targets.iter().zip(lengths) {
            assert!(
                0 < length && length <= rows / n,
                "Ctc: a length of {length} of {} steps",
                rows / n
            );
            for &label in *target {
                assert!(
                    label != blank && label < classes,
                    "Ctc: the label {label} of {classes} classes, of which {blank} is the blank"
                );
            }
        }
        let sequences = targets.iter().zip(lengths).map(|(target, &steps)| {
            let labels = target.iter().flat_map(|&label| [label, blank]);
            Sequence {
                steps,
                labels: [blank].into_iter().chain(labels).collect(),
            }
        });
        let op: Rc<dyn CustomOp<T>> = Rc::new(Losses {
            sequences: sequences.collect(),
            zero_infinity: self.zero_infinity,
        });
        let tape = log_probs.tape();
        let losses = tape.custom(&op, &[log_probs], [n, 1]);
        match self.reduction {
            Reduction::Mean => {
                let share = tape.constant_with(n, 1, |to| {
                    for (to, target) in to.iter_mut().zip(targets) {
                        *to = T::of(1.0 / (n * target.len().max(1)) as f64);
                    }
                });
                (losses * share).sum()
            }
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}

/// A target with a blank before, between and after its labels.
struct Sequence {
    steps: usize,
    labels: Vec<usize>,
}

impl Sequence {
    /// Whether a path may come to place `s` from two places before: over a blank between different labels.
    fn skips(&self, s: usize) -> bool {
        s >= 2 && s % 2 == 1 && self.labels[s] != self.labels[s - 2]
    }
}

/// The losses of all sequences, (N, 1). Its room holds their forward variables, then two rows of backward ones.
struct Losses {
    sequences: Vec<Sequence>,
    zero_infinity: bool,
}

/// ln(eᵃ + eᵇ), where either may be −∞.
fn log_add<T: Scalar>(a: T, b: T) -> T {
    let (high, low) = if a < b { (b, a) } else { (a, b) };
    if low == T::of(f64::NEG_INFINITY) {
        return high;
    }
    high + Real::ln_1p(Real::exp(low - high))
}

/// ln p from the forward variables of the last step: a path ends at the last label or at the blank after it.
fn log_probability<T: Scalar>(last: &[T]) -> T {
    match *last {
        [.., label, blank] => log_add(label, blank),
        [blank] => blank,
        [] => unreachable!("there is a blank"),
    }
}

impl<T: Scalar> CustomOp<T> for Losses {
    fn name(&self) -> &str {
        "ctc"
    }

    fn room(&self) -> usize {
        let widths = self.sequences.iter().map(|s| s.labels.len());
        let forward: usize =
            self.sequences.iter().map(|s| s.steps * s.labels.len()).sum();
        forward + 2 * widths.max().unwrap_or(0)
    }

    /// α_t(s) = ln p(the path's first t classes lead to place s): section 4.1 of the paper.
    fn forward(
        &self,
        x: Inputs<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        room: &mut [T],
    ) {
        let (x, none) = (x.get(0), T::of(f64::NEG_INFINITY));
        let (n, mut rest) = (self.sequences.len(), room);
        for (i, sequence) in self.sequences.iter().enumerate() {
            let labels = &sequence.labels;
            let width = labels.len();
            let (alpha, after) = rest.split_at_mut(sequence.steps * width);
            rest = after;
            for s in 0..width {
                alpha[s] = if s < 2 { x[[i, labels[s]]] } else { none };
            }
            for t in 1..sequence.steps {
                let (before, now) = alpha.split_at_mut(t * width);
                let before = &before[(t - 1) * width..];
                for s in 0..width {
                    let mut sum = before[s];
                    if s >= 1 {
                        sum = log_add(sum, before[s - 1]);
                    }
                    if sequence.skips(s) {
                        sum = log_add(sum, before[s - 2]);
                    }
                    now[s] = sum + x[[t * n + i, labels[s]]];
                }
            }
            let p = log_probability(&alpha[(sequence.steps - 1) * width..]);
            let zero = self.zero_infinity && p == none;
            y[[i, 0]] = if zero { T::of(0.0) } else { -p };
        }
    }

    /// With β_t(s) = ln p(the target is spelt to its end | the path is at place s in step t), the paper's without
    /// the factor of step t itself, the paths at place s have the share exp(α_t(s) + β_t(s) − ln p).
    fn backward(
        &self,
        x: Inputs<'_, T>,
        _: ArrayView2<'_, T>,
        d_y: ArrayViewMut2<'_, T>,
        mut d_x: InputGradients<'_, T>,
        room: &mut [T],
    ) {
        let (x, mut d_x) = (x.get(0), d_x.get(0));
        let (none, certain) = (T::of(f64::NEG_INFINITY), T::of(0.0));
        let (n, mut rest) = (self.sequences.len(), room);
        for (i, sequence) in self.sequences.iter().enumerate() {
            let Sequence { steps, ref labels } = *sequence;
            let width = labels.len();
            let (alpha, after) = rest.split_at_mut(steps * width);
            rest = after;
            let p = log_probability(&alpha[(steps - 1) * width..]);
            if self.zero_infinity && p == none {
                continue;
            }
            // The two rows are at the end of the room, behind all forward variables.
            let end = rest.len();
            let (mut now, mut later) =
                rest[end - 2 * width..].split_at_mut(width);
            for t in (0..steps).rev() {
                for s in 0..width {
                    now[s] = if t + 1 == steps {
                        if s + 2 >= width { certain } else { none }
                    } else {
                        // `later` already has the factor of its own step.
                        let mut sum = later[s];
                        if s + 1 < width {
                            sum = log_add(sum, later[s + 1]);
                        }
                        if s + 2 < width && sequence.skips(s + 2) {
                            sum = log_add(sum, later[s + 2]);
                        }
                        sum
                    };
                }
                for s in 0..width {
                    let at = [t * n + i, labels[s]];
                    let share = Real::exp(alpha[t * width + s] + now[s] - p);
                    d_x[at] += -(d_y[[i, 0]] * share);
                    now[s] += x[at];
                }
                std::mem::swap(&mut now, &mut later);
            }
        }
    }
}
