//! The LSTM and GRU of the crate rust-lstm: f64 only, one thread only, and the gradient of the input always.

use longlag_peers::{Case, Cell, Dtype, Mode, fail};
use ndarray::Array2;
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use rust_lstm::{GRUNetwork, LSTMNetwork};
use std::hint::black_box;

fn main() {
    let case = Case::from_args();
    if case.dtype == Some(Dtype::F32) {
        fail("rust-lstm computes in f64 only");
    }
    let x: Vec<Array2<f64>> =
        (0..case.seq_len).map(|_| Array2::random((case.input, case.batch), StandardNormal)).collect();

    let train = case.mode != Mode::Fwd;
    match case.cell {
        Cell::Lstm => {
            let mut network = LSTMNetwork::new(case.input, case.hidden, 1);
            case.measure("rust-lstm", Dtype::F64, || {
                let (out, caches) = network.forward_sequence_with_cache(&x);
                if train {
                    black_box(network.backward_sequence(&d_out(&out), &caches));
                }
                black_box((out, caches));
            });
        }
        Cell::Gru => {
            let mut network = GRUNetwork::new(case.input, case.hidden, 1);
            case.measure("rust-lstm", Dtype::F64, || {
                let (out, caches) = network.forward_sequence_with_cache(&x);
                if train {
                    black_box(network.backward_sequence(&d_out(&out), &caches));
                }
                black_box((out, caches));
            });
        }
        Cell::RnnTanh => fail("rust-lstm has no tanh RNN"),
    }
}

/// The gradient of the mean of the squared outputs, from each step's output and whatever comes with it.
fn d_out<S>(out: &[(Array2<f64>, S)]) -> Vec<Array2<f64>> {
    let count: usize = out.iter().map(|(h, _)| h.len()).sum();
    out.iter().map(|(h, _)| h * (2.0 / count as f64)).collect()
}
