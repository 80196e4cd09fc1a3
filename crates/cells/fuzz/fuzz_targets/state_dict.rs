//! Whatever the bytes: they are refused, or they are a state dict that can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use longlag_cells::{Dtype, StateDict};
use longlag_numerics::Parameters;

fuzz_target!(|bytes: &[u8]| {
    let Ok(state_dict) = StateDict::from_bytes(bytes) else { return };
    let again = StateDict::from_bytes(&state_dict.to_bytes()).expect("what was written is read");
    assert!(state_dict.iter().eq(again.iter()));

    // Parameters that the tensors fit, as far as they are matrices.
    let mut parameters = Parameters::<f64>::default();
    for (name, tensor) in state_dict.iter() {
        let shape = match *tensor.shape() {
            [columns] => [1, columns],
            [rows, columns] => [rows, columns],
            _ => continue,
        };
        if !tensor.shape().contains(&0) {
            parameters.push(name, shape, 0.0);
        }
    }
    if state_dict.load_into(&mut parameters).is_ok() {
        let _ = StateDict::from_parameters(&parameters, Dtype::F16).to_bytes();
    }
});
