use crate::fused::Fused;
use crate::lstm_variant::{FusedVariant, LstmParts};
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
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

    /// What the sequence kernels need of it: of a cell that is its own [`fused`](RecurrentCell::fused).
    ///
    /// The equations of `f32` and `f64` are compiled here: a generic function would be compiled anew, for
    /// every instruction set, in each crate that runs a sequence.
    pub(crate) fn kernel<T: Float>(self) -> Box<dyn Fused<T>> {
        let compiled: [fn(Cell) -> Box<dyn Any>; 2] = [
            |cell| Box::new(cell.kernel_f32()),
            |cell| Box::new(cell.kernel_f64()),
        ];
        let of_t = |make: fn(Cell) -> Box<dyn Any>| make(self).downcast().ok();
        *compiled.into_iter().find_map(of_t).expect("a Float is f32 or f64")
    }
    fn kernel_f32(self) -> Box<dyn Fused<f32>> {
        self.equations()
    }
    fn kernel_f64(self) -> Box<dyn Fused<f64>> {
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
}

/// The cell of each variant, as a type of its own.
macro_rules! each {
    ($cell:expr, $of:ident => $value:expr) => {
        match $cell {
            Cell::RnnTanh => {
                let $of = &rnn::RnnTanh;
                $value
            }
            Cell::RnnRelu => {
                let $of = &rnn::RnnRelu;
                $value
            }
            Cell::Lstm => {
                let $of = &lstm::Lstm;
                $value
            }
            Cell::Gru => {
                let $of = &gru::Gru;
                $value
            }
            Cell::GruResetBefore => {
                let $of = &gru::GruResetBefore;
                $value
            }
            Cell::LstmVariant(parts) => {
                let $of = parts;
                $value
            }
        }
    };
}

impl RecurrentCell for Cell {
    fn name(&self) -> &'static str {
        each!(self, cell => cell.name())
    }
    fn gates(&self) -> &'static [&'static str] {
        each!(self, cell => cell.gates())
    }
    fn widths(&self, hidden: usize) -> State<usize> {
        each!(self, cell => cell.widths(hidden))
    }
    fn output(&self, hidden: usize) -> usize {
        each!(self, cell => cell.output(hidden))
    }
    fn per_unit(&self) -> Option<PerUnit> {
        each!(self, cell => cell.per_unit())
    }
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        each!(self, cell => cell.shapes(input, hidden))
    }
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>> {
        assert!(
            s.c.is_some() == self.has_c(),
            "{self}: the state c is for cells that have one, and only them"
        );
        if let Some(c) = s.c {
            let ([rows, _], [c_rows, _]) = (s.h.shape(), c.shape());
            assert!(
                rows == c_rows,
                "{self}: the states h {:?} and c {:?} differ in rows",
                s.h.shape(),
                c.shape()
            );
        }
        each!(self, cell => cell.step(w, x, s))
    }
    fn fused(&self) -> Option<Cell> {
        each!(self, cell => cell.fused())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
