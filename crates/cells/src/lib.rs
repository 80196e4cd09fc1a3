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
mod fused;
mod gru;
pub mod init;
mod layer;
mod linear;
mod lstm;
mod lstm_variant;
mod network;
pub mod onnx;
mod recurrent_cell;
pub mod reference;
mod rnn;
mod sequence;
mod stack;
pub mod state_dict;

pub use cell::Cell;
pub use gru::{Gru, GruCandidate, GruEquations, GruGates, GruResetBefore};
pub use layer::{Initialisation, Layer};
pub use linear::Linear;
pub use lstm::{Lstm, LstmBackward, LstmEquations};
pub use lstm_variant::{Forget, LstmParts};
pub use network::Network;
pub use recurrent_cell::{PerUnit, RecurrentCell, State, Weights};
pub use rnn::{RnnRelu, RnnTanh};
pub use sequence::{
    GRADIENT_FLOOR, Lengths, Sequence, SequenceGradients, SequenceInputs,
    SequenceOptions, SequenceRequest, SequenceShape, SequenceStates,
};
pub use stack::{Stack, StackRequest, StackStates, reversed};
pub use state_dict::{Dtype, StateDict, Tensor};
