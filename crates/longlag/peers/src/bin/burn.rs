//! burn's LSTM and GRU on its CPU backend Flex, with its automatic differentiation.

use burn::nn::{GruConfig, LstmConfig};
use burn::tensor::{Device, Distribution, FloatDType, Tensor};
use longlag_peers::{Case, Cell, Dtype, Mode, fail};
use std::hint::black_box;

fn main() {
    let case = Case::from_args();
    let dtype = case.dtype.unwrap_or(Dtype::F32);
    let mut device = Device::flex();
    let number = match dtype {
        Dtype::F32 => FloatDType::F32,
        Dtype::F64 => FloatDType::F64,
    };
    device.configure(number).expect("the backend has both");
    if case.mode != Mode::Fwd {
        device = device.autodiff();
    }

    let shape = [case.batch, case.seq_len, case.input];
    let mut x = Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    if case.mode == Mode::TrainDx {
        x = x.require_grad();
    }
    let forward = network(&case, &device);
    case.measure("burn", dtype, || {
        let out = forward(x.clone());
        if case.mode == Mode::Fwd {
            black_box(out);
        } else {
            black_box(out.square().mean().backward());
        }
    });
}

/// Maps the input, [B, T, I], to the hidden states of all steps, [B, T, H].
type Forward = Box<dyn Fn(Tensor<3>) -> Tensor<3>>;

fn network(case: &Case, device: &Device) -> Forward {
    match case.cell {
        Cell::Lstm => {
            let lstm = LstmConfig::new(case.input, case.hidden, true).init(device);
            Box::new(move |x| lstm.forward(x, None).0)
        }
        Cell::Gru => {
            let gru = GruConfig::new(case.input, case.hidden, true).init(device);
            Box::new(move |x| gru.forward(x, None))
        }
        Cell::RnnTanh => fail("burn has no tanh RNN"),
    }
}
