//! Noise against overfitting: dropout in its forms, zoneout, noise on weights.
//!
//! The key decision: **a mask is data.** It is drawn from a generator that the caller holds, in the order of the
//! rows, and then stands on the tape like any constant: results depend on the seed alone, one mask can serve many
//! steps, and after training no mask is drawn at all.
//!
//! Kept entries are divided by the probability of being kept, so that the mean is the same with and without
//! ("inverted" dropout, as PyTorch does it). Source of dropout itself: Srivastava, Hinton, Krizhevsky, Sutskever &
//! Salakhutdinov 2014, "Dropout: a simple way to prevent neural networks from overfitting".

use crate::gru::GruEquations;
use crate::lstm::LstmEquations;
use crate::recurrent_cell::{RecurrentCell, State, Weights};
use longlag_autodiff::{Tape, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Pointwise, Real, Scalar};

#[track_caller]
fn check(p: f64) {
    assert!((0.0..=1.0).contains(&p), "a probability of {p}, not from 0 to 1");
}

/// A mask (rows, columns): 0 with probability `p`, else 1/(1 − p).
///
/// Panics if `p` isn't from 0 to 1.
#[track_caller]
pub fn dropout_mask<'t, T: Scalar>(
    tape: &'t Tape<T>,
    [rows, columns]: [usize; 2],
    p: f64,
    rng: &mut Rng,
) -> Var<'t, T> {
    check(p);
    tape.constant_with(rows, columns, |mask| draw(mask, p, rng))
}

fn draw<T: Scalar>(mask: &mut [T], p: f64, rng: &mut Rng) {
    for entry in mask {
        let kept = rng.uniform() >= p;
        *entry = T::of(if kept { 1.0 / (1.0 - p) } else { 0.0 });
    }
}

/// Dropout: every entry of `x` by itself becomes 0 with probability `p`, else itself / (1 − p).
///
/// With `p` 0 it is `x`, and nothing is drawn. On the way from layer to layer it leaves the memory alone; on the
/// way from step to step it would wipe it out (Zaremba, Sutskever & Vinyals 2014, "Recurrent neural network
/// regularization"). There, one mask serves a whole sequence: [`sequence_dropout`], [`dropout_step`].
#[track_caller]
pub fn dropout<'t, T: Scalar>(
    x: Var<'t, T>,
    p: f64,
    rng: &mut Rng,
) -> Var<'t, T> {
    check(p);
    if p == 0.0 { x } else { x * dropout_mask(x.tape(), x.shape(), p, rng) }
}

/// Dropout with one mask (B, I) for all steps of `x` (T·B, I).
///
/// Source: Gal & Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural networks".
#[track_caller]
pub fn sequence_dropout<'t, T: Scalar>(
    x: Var<'t, T>,
    batch: usize,
    p: f64,
    rng: &mut Rng,
) -> Var<'t, T> {
    check(p);
    let [rows, columns] = x.shape();
    assert!(
        batch > 0 && rows % batch == 0,
        "sequence_dropout: {rows} rows are no whole number of steps of {batch} sequences"
    );
    if p == 0.0 {
        return x;
    }
    let mask = x.tape().constant_with(rows, columns, |mask| {
        let (first, later) = mask.split_at_mut(batch * columns);
        draw(first, p, rng);
        for step in later.chunks_exact_mut(batch * columns) {
            step.copy_from_slice(first);
        }
    });
    x * mask
}

/// A step that sees its input and its state through masks, the same at every step of a sequence.
///
/// Draw the masks, (B, I) and (B, H), once for the sequence by [`dropout_mask`]. All gates see the same one. The
/// cell state isn't masked. Source: Gal & Ghahramani 2016; of its two forms, the one with a mask for
/// each of x and h, which multiplies inputs and not the rows of each gate's matrix.
#[track_caller]
pub fn dropout_step<'t, T: Scalar>(
    cell: &impl RecurrentCell,
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
    [mask_x, mask_h]: [Var<'t, T>; 2],
) -> State<Var<'t, T>> {
    cell.step(w, x * mask_x, State { h: s.h * mask_h, ..s })
}

/// A step of an LSTM whose candidate g, alone, is masked: c_t = f ∘ c_{t−1} + i ∘ (g ∘ mask).
///
/// What is in the cell stays: however many steps, what is dropped is an update and no memory. The mask (B, H) may
/// be new at every step or the same for a sequence. Source: Semeniuta, Severyn & Barth 2016, "Recurrent dropout
/// without memory loss".
#[track_caller]
pub fn lstm_candidate_dropout_step<'t, T: Scalar>(
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
    mask: Var<'t, T>,
) -> State<Var<'t, T>> {
    let [a_i, a_f, a_g, a_o] = w.sum(x, s.h).split();
    let c_prev = s.c.expect("an LSTM has a cell state");
    let sums = [a_i, a_f, a_g, a_o, c_prev];
    let [_, _, i, f, g, o] = LstmEquations.apply(sums);
    let c = f * c_prev + i * (g * mask);
    State { h: o * c.tanh(), c: Some(c) }
}

/// A step of a GRU, reset after, whose candidate n, alone, is masked: h_t = z ∘ h_{t−1} + (1 − z) ∘ (n ∘ mask).
///
/// Source: that of [`lstm_candidate_dropout_step`].
#[track_caller]
pub fn gru_candidate_dropout_step<'t, T: Scalar>(
    w: &Weights<Var<'t, T>>,
    x: Var<'t, T>,
    s: State<Var<'t, T>>,
    mask: Var<'t, T>,
) -> State<Var<'t, T>> {
    let [_, hidden] = s.h.shape();
    let [a_r, a_z] = w.gates(hidden, 0, 2).sum(x, s.h).split();
    let n = w.gates(hidden, 2, 3);
    let sums = [a_r, a_z, n.input_sum(x), n.state_sum(s.h), s.h];
    let [_, _, z, n] = GruEquations.apply(sums);
    let n = n * mask;
    State { h: n + z * (s.h - n), c: None }
}

/// Zoneout in training: each unit keeps its `previous` state with a probability of its own matrix of the state,
/// else it takes the `next` one.
///
/// `next` is what the cell makes of the whole `previous` state, so that h_t = o ∘ tanh(f ∘ c_{t−1} + i ∘ g)
/// whatever c keeps. A unit that keeps its state passes its gradient on unchanged. `p` gives the probabilities of
/// h and, for a cell that has it, of c; masks are drawn anew at every step, for h first.
///
/// Source: Krueger et al. 2017, "Zoneout: regularizing RNNs by randomly preserving hidden activations".
///
/// Panics if a probability isn't from 0 to 1, or a state c is missing or too many.
#[track_caller]
pub fn zoneout<'t, T: Scalar>(
    previous: State<Var<'t, T>>,
    next: State<Var<'t, T>>,
    p: State<f64>,
    rng: &mut Rng,
) -> State<Var<'t, T>> {
    zip(previous, next, p, |previous, next, p| {
        let [rows, columns] = next.shape();
        let keeps = next.tape().constant_with(rows, columns, |mask| {
            for entry in mask {
                let keeps = rng.uniform() < p;
                *entry = T::of(if keeps { 1.0 } else { 0.0 });
            }
        });
        keeps.select(previous, next)
    })
}

/// Zoneout after training: the mean of what [`zoneout`] gives, p · previous + (1 − p) · next.
#[track_caller]
pub fn zoneout_mean<'t, T: Scalar>(
    previous: State<Var<'t, T>>,
    next: State<Var<'t, T>>,
    p: State<f64>,
) -> State<Var<'t, T>> {
    zip(previous, next, p, |previous, next, p| {
        previous.scale(p) + next.scale(1.0 - p)
    })
}

#[track_caller]
fn zip<'t, T: Scalar>(
    previous: State<Var<'t, T>>,
    next: State<Var<'t, T>>,
    p: State<f64>,
    mut of: impl FnMut(Var<'t, T>, Var<'t, T>, f64) -> Var<'t, T>,
) -> State<Var<'t, T>> {
    check(p.h);
    let h = of(previous.h, next.h, p.h);
    let c = match (previous.c, next.c, p.c) {
        (Some(previous), Some(next), Some(p)) => {
            check(p);
            Some(of(previous, next, p))
        }
        (None, None, None) => None,
        _ => panic!("zoneout: the state c is missing or too many"),
    };
    State { h, c }
}

/// Noise on weights: `w` and normal noise of the given standard deviation on every entry.
///
/// Once for each training sequence or batch, before it; the optimizer's step then takes the gradient at the noisy
/// weights to the weights without noise. Source: Graves 2011, "Practical variational inference for neural
/// networks" (a Gaussian of fixed variance); used so by Graves, Mohamed & Hinton 2013, "Speech
/// recognition with deep recurrent neural networks".
///
/// With deviation 0 it is `w`, and nothing is drawn.
#[track_caller]
pub fn weight_noise<'t, T: Scalar>(
    w: Var<'t, T>,
    deviation: f64,
    rng: &mut Rng,
) -> Var<'t, T> {
    assert!(
        deviation >= 0.0,
        "weight_noise: a standard deviation of {deviation}, not 0 or more"
    );
    if deviation == 0.0 {
        return w;
    }
    let [rows, columns] = w.shape();
    let noise = w.tape().constant_with(rows, columns, |noise| {
        noise.iter_mut().for_each(|x| *x = T::of(deviation * rng.normal()));
    });
    w + noise
}
