use crate::fused::Fused;
use crate::janet::{FusedJanet, Janet};
use crate::layer_norm_lstm::LayerNormLstm;
use crate::leaky_rnn::LeakyRnn;
use crate::lstm_1997::Lstm1997;
use crate::lstm_variant::{FusedVariant, LstmParts};
use crate::mgu::{FusedMgu, Mgu};
use crate::min_gru::MinGru;
use crate::min_lstm::MinLstm;
use crate::projected_lstm::ProjectedLstm;
use crate::recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
use crate::skip_rnn::SkipRnn;
use crate::{gru, lstm, rnn};
use longlag_autodiff::Var;
use longlag_numerics::{Float, Scalar};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::ops::Range;

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
    /// The plain network with max(·, 0) in place of tanh. With W_hh = I and biases 0 at the start
    /// ([`Init::Identity`](crate::init::Init::Identity)) it is the IRNN of Le, Jaitly and Hinton 2015.
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
    /// The plain network with a fixed leak: h_t = (1 − a) h_{t−1} + a tanh(…).
    LeakyRnn(LeakyRnn),
    /// The plain network with skip connections over k steps: h_t = h_{t−k} + tanh(…).
    SkipRnn(SkipRnn),
    /// The LSTM of 1997: memory blocks, no forget gate (Hochreiter and Schmidhuber 1997); i g o.
    Lstm1997(Lstm1997),
    /// An LSTM with a forget gate only (van der Westhuizen and Lasenby 2018); f g.
    Janet,
    /// An LSTM with a projection of its outputs (Sak, Senior and Beaufays 2014); i f g o.
    ProjectedLstm(ProjectedLstm),
    /// An LSTM with layer normalisation (Ba, Kiros and Hinton 2016); i f g o.
    LayerNormLstm,
    /// The minimal gated unit, a GRU with one gate (Zhou et al. 2016); z n.
    Mgu,
    /// A GRU whose gates don't see the state (Feng et al. 2024); z n.
    MinGru,
    /// An LSTM whose gates don't see the state (Feng et al. 2024); i f g.
    MinLstm,
}

impl Cell {
    /// The cells without options that the deep-learning libraries have too, and the GRU's other form.
    pub const ALL: [Cell; 5] = [
        Cell::RnnTanh,
        Cell::RnnRelu,
        Cell::Lstm,
        Cell::Gru,
        Cell::GruResetBefore,
    ];

    /// The whole family: each kind of cell once, those with options with one choice of them.
    pub const FAMILY: [Cell; 15] = [
        Cell::RnnTanh,
        Cell::RnnRelu,
        Cell::LeakyRnn(LeakyRnn::new(0.25)),
        Cell::SkipRnn(SkipRnn { steps: 2 }),
        Cell::Lstm1997(Lstm1997 { block: 1, truncated: false }),
        Cell::Lstm,
        Cell::LstmVariant(LstmParts::PEEPHOLES),
        Cell::Janet,
        Cell::ProjectedLstm(ProjectedLstm { outputs: 2 }),
        Cell::LayerNormLstm,
        Cell::Gru,
        Cell::GruResetBefore,
        Cell::Mgu,
        Cell::MinGru,
        Cell::MinLstm,
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
            Cell::LeakyRnn(cell) => Box::new(cell.kernel()),
            Cell::SkipRnn(SkipRnn { steps: 1 }) => Box::new(SkipRnn::kernel()),
            Cell::Janet => Box::new(FusedJanet),
            Cell::Mgu => Box::new(FusedMgu),
            Cell::SkipRnn(_)
            | Cell::Lstm1997(_)
            | Cell::ProjectedLstm(_)
            | Cell::LayerNormLstm
            | Cell::MinGru
            | Cell::MinLstm => {
                panic!("{self}: there is no kernel for {self:?}")
            }
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
            Cell::LeakyRnn(cell) => {
                let $of = cell;
                $value
            }
            Cell::SkipRnn(cell) => {
                let $of = cell;
                $value
            }
            Cell::Lstm1997(cell) => {
                let $of = cell;
                $value
            }
            Cell::Janet => {
                let $of = &Janet;
                $value
            }
            Cell::ProjectedLstm(cell) => {
                let $of = cell;
                $value
            }
            Cell::LayerNormLstm => {
                let $of = &LayerNormLstm;
                $value
            }
            Cell::Mgu => {
                let $of = &Mgu;
                $value
            }
            Cell::MinGru => {
                let $of = &MinGru;
                $value
            }
            Cell::MinLstm => {
                let $of = &MinLstm;
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
    fn gate_rows(&self, gate: usize, hidden: usize) -> Range<usize> {
        each!(self, cell => cell.gate_rows(gate, hidden))
    }
    fn check(&self, hidden: usize) -> Result<(), String> {
        each!(self, cell => cell.check(hidden))
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
