use crate::fused::Fused;
use crate::lstm_variant::{self, FusedVariant, LstmParts};
use crate::{gru, lstm, rnn};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Scalar};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;

/// A recurrent cell: which equations take the state from one step to the next.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// The plain network with tanh (Elman 1990): h_t = tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh).
    RnnTanh,
    /// The plain network with max(·, 0) in place of tanh (Le, Jaitly and Hinton 2015).
    RnnRelu,
    /// Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and
    /// Cummins 2000); gates in the order i f g o.
    Lstm,
    /// The gated recurrent unit whose reset gate acts *after* the recurrent product, as in PyTorch and cuDNN;
    /// gates in the order r z n.
    Gru,
    /// The gated recurrent unit whose reset gate acts *before* the recurrent product, as first published
    /// (Cho et al. 2014); gates in the order r z n.
    GruResetBefore,
    /// An LSTM with parts added or taken away; its gates, those that there are, in the order i f g o.
    LstmVariant(LstmParts),
}

impl Cell {
    /// All cells, but for the variants of the LSTM.
    pub const ALL: [Cell; 5] = [
        Cell::RnnTanh,
        Cell::RnnRelu,
        Cell::Lstm,
        Cell::Gru,
        Cell::GruResetBefore,
    ];

    /// Its name in tables and figures.
    pub fn name(self) -> &'static str {
        match self {
            Cell::RnnTanh => "RNN",
            Cell::RnnRelu => "ReLU RNN",
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::GruResetBefore => "GRU, reset before",
            Cell::LstmVariant(_) => "LSTM variant",
        }
    }

    /// The names of its gates, in the order in which their blocks of H rows are stacked in the weights.
    pub fn gates(self) -> &'static [&'static str] {
        match self {
            Cell::RnnTanh | Cell::RnnRelu => &["h"],
            Cell::Lstm => &["i", "f", "g", "o"],
            Cell::Gru | Cell::GruResetBefore => &["r", "z", "n"],
            Cell::LstmVariant(parts) => parts.gate_names(),
        }
    }

    /// Whether its state has a cell state c beside h.
    pub fn has_c(self) -> bool {
        matches!(self, Cell::Lstm | Cell::LstmVariant(_))
    }

    /// The number of peephole vectors: weights from the cell state to the gates, unit by unit.
    pub fn peepholes(self) -> usize {
        match self {
            Cell::LstmVariant(parts) => parts.peephole_vectors(),
            _ => 0,
        }
    }

    /// The number of parameters of a layer of it, from I inputs to H units.
    pub fn size(self, input: usize, hidden: usize) -> usize {
        let sums = self.gates().len() * hidden * (input + hidden + 2);
        sums + self.peepholes() * hidden
    }

    /// What the sequence kernels need of it.
    ///
    /// The equations of `f32` and `f64` are compiled here: a generic function would be compiled anew, for
    /// every instruction set, in each crate that runs a sequence.
    pub(crate) fn fused<T: Float>(self) -> Box<dyn Fused<T>> {
        let compiled: [fn(Cell) -> Box<dyn Any>; 2] = [
            |cell| Box::new(cell.fused_f32()),
            |cell| Box::new(cell.fused_f64()),
        ];
        let of_t = |make: fn(Cell) -> Box<dyn Any>| make(self).downcast().ok();
        *compiled.into_iter().find_map(of_t).expect("a Float is f32 or f64")
    }
    fn fused_f32(self) -> Box<dyn Fused<f32>> {
        self.equations()
    }
    fn fused_f64(self) -> Box<dyn Fused<f64>> {
        self.equations()
    }
    fn equations<T: Float>(self) -> Box<dyn Fused<T>> {
        match self {
            Cell::RnnTanh => Box::new(rnn::RnnTanh),
            Cell::RnnRelu => Box::new(rnn::RnnRelu),
            Cell::Lstm => Box::new(lstm::FusedLstm),
            Cell::Gru => Box::new(gru::FusedGru),
            Cell::GruResetBefore => Box::new(gru::FusedGruResetBefore),
            Cell::LstmVariant(parts) => Box::new(FusedVariant::new(parts)),
        }
    }

    /// One step on the tape. `x` is (B, I), the state's matrices are (B, H).
    ///
    /// Panics if the shapes don't fit the weights, or if a state c is missing or too many.
    #[track_caller]
    pub fn step<'t, T: Scalar>(
        self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        assert!(
            s.c.is_some() == self.has_c(),
            "{self}: the state c is for cells that have one, and only them"
        );
        if let Some(c) = s.c {
            let (h, c) = (s.h.shape(), c.shape());
            assert!(
                h == c,
                "{self}: the states h {h:?} and c {c:?} differ in shape"
            );
        }
        match self {
            Cell::RnnTanh => rnn::step(&rnn::RnnTanh, w, x, s),
            Cell::RnnRelu => rnn::step(&rnn::RnnRelu, w, x, s),
            Cell::Lstm => lstm::step(w, x, s),
            Cell::Gru => gru::step_reset_after(w, x, s),
            Cell::GruResetBefore => gru::step_reset_before(w, x, s),
            Cell::LstmVariant(parts) => lstm_variant::step(parts, w, x, s),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state that a cell hands from step to step; `c` is there for LSTMs only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State<V> {
    /// The hidden state, which is the output too.
    pub h: V,
    /// The cell state.
    pub c: Option<V>,
}

impl<V> State<V> {
    /// The same for other contents.
    pub fn map<U>(self, mut f: impl FnMut(V) -> U) -> State<U> {
        State { h: f(self.h), c: self.c.map(f) }
    }
}

/// The weights of a layer, whatever they are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights<V> {
    /// (G·H, I).
    pub w_ih: V,
    /// (G·H, H).
    pub w_hh: V,
    /// (1, G·H).
    pub b_ih: V,
    /// (1, G·H).
    pub b_hh: V,
    /// (P, H), the peepholes of the gates that have them, in the gates' order; for a cell with peepholes.
    pub peephole: Option<V>,
}

impl<V> Weights<V> {
    /// The same for other contents.
    pub fn map<U>(&self, mut f: impl FnMut(&V) -> U) -> Weights<U> {
        Weights {
            w_ih: f(&self.w_ih),
            w_hh: f(&self.w_hh),
            b_ih: f(&self.b_ih),
            b_hh: f(&self.b_hh),
            peephole: self.peephole.as_ref().map(f),
        }
    }
}

impl<'t, T: Scalar> Weights<Var<'t, T>> {
    /// The weights of gates `from..to` of cells of `hidden` units.
    pub(crate) fn gates(&self, hidden: usize, from: usize, to: usize) -> Self {
        let r = from * hidden..to * hidden;
        Weights {
            w_ih: self.w_ih.rows(r.clone()),
            w_hh: self.w_hh.rows(r.clone()),
            b_ih: self.b_ih.columns(r.clone()),
            b_hh: self.b_hh.columns(r),
            peephole: None,
        }
    }
    /// W_ih x + b_ih + W_hh h + b_hh.
    #[track_caller]
    pub(crate) fn sum(&self, x: Var<'t, T>, h: Var<'t, T>) -> Var<'t, T> {
        x.tape()
            .affine(&[(x, self.w_ih), (h, self.w_hh)], &[self.b_ih, self.b_hh])
    }
    /// W_ih x + b_ih.
    #[track_caller]
    pub(crate) fn input_sum(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().affine(&[(x, self.w_ih)], &[self.b_ih])
    }
    /// W_hh h + b_hh.
    #[track_caller]
    pub(crate) fn state_sum(&self, h: Var<'t, T>) -> Var<'t, T> {
        h.tape().affine(&[(h, self.w_hh)], &[self.b_hh])
    }
}
