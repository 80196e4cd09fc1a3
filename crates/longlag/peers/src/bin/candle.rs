//! candle's LSTM and GRU on the CPU.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{GRUConfig, LSTMConfig, RNN, VarBuilder, VarMap, gru, lstm};
use longlag_peers::{Case, Cell, Dtype, Mode, fail};
use std::hint::black_box;

fn main() -> Result<()> {
    let case = Case::from_args();
    let dtype = case.dtype.unwrap_or(Dtype::F32);
    let number = match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
    };
    let shape = (case.batch, case.seq_len, case.input);
    let mut x = Tensor::randn(0.0, 1.0, shape, &Device::Cpu)?.to_dtype(number)?;
    if case.mode == Mode::TrainDx {
        x = Var::from_tensor(&x)?.into_inner();
    }

    let variables = VarMap::new();
    let mut forward = network(&case, VarBuilder::from_varmap(&variables, number, &Device::Cpu))?;
    if case.mode == Mode::Fwd {
        // With constants for parameters, candle keeps nothing for a backward pass.
        let named = variables.data().lock().expect("nobody else has it");
        let constants = named.iter().map(|(name, v)| (name.clone(), v.as_detached_tensor())).collect();
        forward = network(&case, VarBuilder::from_tensors(constants, number, &Device::Cpu))?;
    }

    let step = || {
        let out = forward(&x)?;
        if case.mode == Mode::Fwd {
            black_box(out);
        } else {
            black_box(out.sqr()?.mean_all()?.backward()?);
        }
        Result::Ok(())
    };
    case.measure("candle-nn", dtype, || step().expect("the shapes agree"));
    Ok(())
}

/// Maps the input, [B, T, I], to the hidden states of all steps.
type Forward = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

fn network(case: &Case, parameters: VarBuilder) -> Result<Forward> {
    Ok(match case.cell {
        Cell::Lstm => {
            let lstm = lstm(case.input, case.hidden, LSTMConfig::default(), parameters)?;
            Box::new(move |x| lstm.states_to_tensor(&lstm.seq(x)?))
        }
        Cell::Gru => {
            let gru = gru(case.input, case.hidden, GRUConfig::default(), parameters)?;
            Box::new(move |x| gru.states_to_tensor(&gru.seq(x)?))
        }
        Cell::RnnTanh => fail("candle has no tanh RNN"),
    })
}
