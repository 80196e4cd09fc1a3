//! Recurrent cells, their weights and their initialisers.
//!
//! The key decision: **a cell's equations stand once**, over [`Real`](longlag_numerics::Real), in the
//! cell's own file. The same lines run on the tape (whole matrices, reverse mode), on numbers (the plain
//! reference), on duals (forward mode), and on vector registers inside the fused kernels. A state is an
//! explicit value: what a step reads comes in, what it leaves goes out, nothing is hidden in the cell.
//!
//! There are two ways through a sequence. [`Layer::unroll`] takes the readable one, step by step on the tape,
//! and shows every state to who asks. [`Layer::sequence`] takes the fast one, the fused kernel of
//! [`Sequence`], recorded as one operation. Tests hold them together to rounding; training takes the fast one.
//!
//! Shapes are in the field's letters: `T` steps, `B` sequences in a batch, `I` inputs, `H` hidden units.
//! Weights have the names, the layout and the gate order of PyTorch's `state_dict`: `weight_ih_l0`
//! (G·H, I), `weight_hh_l0` (G·H, H), `bias_ih_l0` and `bias_hh_l0` (G·H), with G gates. [`StateDict`] reads and
//! writes them as PyTorch does.

mod cell;
pub mod dropout;
mod embedding;
mod fused;
mod gru;
pub mod init;
mod janet;
mod layer;
mod layer_norm_lstm;
mod leaky_rnn;
mod linear;
mod lstm;
mod lstm_1997;
mod lstm_variant;
mod mgu;
mod min_gru;
mod min_lstm;
mod network;
pub mod normalisation;
pub mod onnx;
mod projected_lstm;
mod recurrent_cell;
pub mod reference;
mod rnn;
mod sequence;
mod skip_rnn;
mod stack;
pub mod state_dict;

pub use cell::Cell;
pub use embedding::Embedding;
pub use gru::{Gru, GruCandidate, GruEquations, GruGates, GruResetBefore};
pub use janet::{Janet, JanetEquations};
pub use layer::{GateBiases, Initialisation, Layer};
pub use layer_norm_lstm::{
    LayerNormLstm, LayerNormLstmMemory, LayerNormLstmOutput,
};
pub use leaky_rnn::LeakyRnn;
pub use linear::Linear;
pub use lstm::{Lstm, LstmBackward, LstmEquations};
pub use lstm_1997::{Lstm1997, MemoryCell};
pub use lstm_variant::{Forget, LstmParts};
pub use mgu::{Mgu, MguCandidate};
pub use min_gru::{MinGru, MinGruEquations};
pub use min_lstm::{MinLstm, MinLstmEquations};
pub use network::Network;
pub use projected_lstm::ProjectedLstm;
pub use recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
pub use rnn::{RnnRelu, RnnTanh};
pub use sequence::{
    GRADIENT_FLOOR, Lengths, Sequence, SequenceGradients, SequenceInputs,
    SequenceOptions, SequenceRequest, SequenceShape, SequenceStates,
};
pub use skip_rnn::SkipRnn;
pub use stack::{Stack, StackRequest, StackStates, reversed};
pub use state_dict::{Dtype, StateDict, Tensor};
