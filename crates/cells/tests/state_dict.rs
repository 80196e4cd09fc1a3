//! Weights from and to bytes: the files of PyTorch, what doesn't fit, and damage of all kinds.

use longlag_cells::{Dtype, StateDict, Tensor};
use longlag_numerics::Parameters;
use proptest::prelude::*;

/// What `crates/longlag/peers/state_dict.py` wrote: the same network in each dtype.
const FILES: [(Dtype, &[u8]); 4] = [
    (Dtype::F64, include_bytes!("data/state_dict_f64.safetensors")),
    (Dtype::F32, include_bytes!("data/state_dict_f32.safetensors")),
    (Dtype::F16, include_bytes!("data/state_dict_f16.safetensors")),
    (Dtype::BF16, include_bytes!("data/state_dict_bf16.safetensors")),
];

/// The parameters of that network, with the shapes that PyTorch has for them.
const PARAMETERS: [(&str, [usize; 2], &[usize]); 11] = [
    ("embedding.weight", [5, 3], &[5, 3]),
    ("encoder.weight_ih_l0", [16, 3], &[16, 3]),
    ("encoder.weight_hh_l0", [16, 4], &[16, 4]),
    ("encoder.bias_ih_l0", [1, 16], &[16]),
    ("encoder.bias_hh_l0", [1, 16], &[16]),
    ("norm.weight", [1, 4], &[4]),
    ("norm.bias", [1, 4], &[4]),
    ("norm.running_mean", [1, 4], &[4]),
    ("norm.running_var", [1, 4], &[4]),
    ("decoder.weight", [1, 4], &[1, 4]),
    ("decoder.bias", [1, 1], &[1]),
];
const COUNTER: &str = "norm.num_batches_tracked";

fn parameters() -> Parameters<f64> {
    let mut parameters = Parameters::default();
    for (name, shape, _) in PARAMETERS {
        parameters.push(name, shape, f64::NAN);
    }
    parameters
}

fn read(bytes: &[u8]) -> StateDict {
    StateDict::from_bytes(bytes).unwrap()
}

#[test]
fn what_pytorch_wrote_is_read_and_written_to_the_same_bytes() {
    for (dtype, bytes) in FILES {
        let state_dict = read(bytes);
        assert_eq!(state_dict.metadata()["format"], "pt");
        let mut parameters = parameters();
        state_dict.load_into(&mut parameters).unwrap();

        let mut written = StateDict::from_parameters(&parameters, dtype);
        written.squeeze("norm.weight");
        for (name, _, shape) in PARAMETERS {
            assert_eq!(written.get(name).unwrap().shape(), shape, "{name}");
        }
        let counter = state_dict.get(COUNTER).unwrap().clone();
        assert_eq!(counter.numbers(), Some(vec![7.0]));
        written.insert(COUNTER, counter);
        assert!(written.to_bytes() == bytes, "{dtype}");
    }
}

#[test]
fn biases_of_several_rows_stay_matrices() {
    let mut parameters = Parameters::default();
    parameters.push("bias_of_pairs", [2, 3], 1.0);
    let written = StateDict::from_parameters(&parameters, Dtype::F64);
    assert_eq!(written.get("bias_of_pairs").unwrap().shape(), [2, 3]);
}

#[test]
fn in_single_precision_too() {
    let [_, (dtype, bytes), ..] = FILES;
    let mut parameters = parameters().map(|x| x as f32);
    read(bytes).load_into(&mut parameters).unwrap();
    let written = StateDict::from_parameters(&parameters, dtype);
    for (name, tensor) in written.iter() {
        assert_eq!(
            tensor.numbers::<f32>(),
            read(bytes).get(name).unwrap().numbers()
        );
    }
}

/// The files are of the same numbers, so each is the first one rounded by PyTorch.
#[test]
fn numbers_are_rounded_as_pytorch_rounds_them() {
    let exact = read(FILES[0].1);
    for (dtype, bytes) in FILES {
        for (name, tensor) in read(bytes).iter() {
            if name == COUNTER {
                continue;
            }
            let numbers: Vec<f64> = exact.get(name).unwrap().numbers().unwrap();
            assert_eq!(
                &Tensor::new(dtype, tensor.shape(), &numbers),
                tensor,
                "{name} in {dtype}"
            );
        }
    }
}

#[test]
fn all_that_does_not_fit_is_listed_and_nothing_changes() {
    let mut other = Parameters::default();
    other.push("encoder.weight_ih_l0", [16, 3], 1.0);
    other.push("encoder.weight_hh_l0", [12, 4], 2.0);
    other.push("encoder.weight_hr_l0", [2, 4], 3.0);
    let before = other.clone();
    let mut state_dict = read(FILES[0].1);
    state_dict.retain(|name| {
        name.starts_with("encoder.") || name.starts_with("norm.num")
    });
    let misfit = state_dict.load_into(&mut other).unwrap_err();
    assert_eq!(
        misfit.to_string(),
        "these weights are of another network; missing: encoder.weight_hr_l0; \
         unexpected: encoder.bias_hh_l0, encoder.bias_ih_l0; \
         of another shape: encoder.weight_hh_l0 [16, 4] in place of [12, 4]"
    );
    assert_eq!(other, before);
}

/// A file of one tensor.
fn file(header: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn a_dtype_of_which_nothing_is_known_is_named() {
    let header =
        r#"{"w":{"dtype":"F8_E4M3","shape":[1,2],"data_offsets":[0,2]}}"#;
    let state_dict = read(&file(header, &[0, 0]));
    assert_eq!(state_dict.get("w").unwrap().numbers::<f64>(), None);
    let mut parameters = Parameters::default();
    parameters.push("w", [1, 2], 0.0_f64);
    assert_eq!(
        state_dict.load_into(&mut parameters).unwrap_err().to_string(),
        "these weights are of another network; of a dtype that can't be read: w (F8_E4M3)"
    );
}

#[test]
fn a_header_that_lies_is_refused() {
    let tensor = |shape: &str, end: u64| {
        format!(
            r#"{{"w":{{"dtype":"U8","shape":{shape},"data_offsets":[0,{end}]}}}}"#
        )
    };
    let most = 1_u64 << 60;
    // Eight tensors that end at the largest number but few.
    let eighth = (1_u64 << 61) - 1;
    let many = (0..8).map(|i| {
        let (from, to) = (i * eighth, (i + 1) * eighth);
        format!(r#""{i}":{{"dtype":"U8","shape":[{eighth}],"data_offsets":[{from},{to}]}}"#)
    });
    let many = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
    let cases = [
        (
            tensor("[1152921504606846976]", most),
            "by its header 1152921504606846976 bytes of tensors follow, and there are 4",
        ),
        (
            many,
            "by its header 18446744073709551608 bytes of tensors follow, and there are 4",
        ),
        (
            tensor("[4]", 3),
            "the header is wrong: invalid shape, data type, or offset for tensor",
        ),
        (
            tensor("[-4]", 4),
            "the header is wrong: invalid value: integer `-4`, expected usize at line 1 column 54",
        ),
        (
            "[".repeat(10_000),
            "the header is wrong: invalid type: sequence, expected struct HashMetadata at line 1 column 0",
        ),
    ];
    for (header, problem) in cases {
        let error = StateDict::from_bytes(&file(&header, &[0; 4])).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "this is no safetensors file, or a damaged one: {problem}; write or fetch it again"
            )
        );
    }
    let problem =
        |bytes: &[u8]| StateDict::from_bytes(bytes).unwrap_err().to_string();
    assert!(problem(b"seven b").contains(
        "it has 7 bytes, and the length of the header alone takes 8"
    ));
    let huge = [u64::MAX.to_le_bytes(), *b"{}      "].concat();
    assert!(
        problem(&huge)
            .contains("said to have 18446744073709551615 bytes, and 8 follow")
    );
}

proptest! {
    #[test]
    fn bits_survive(bits in prop::collection::vec(any::<u32>(), 1..50)) {
        let numbers: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).filter(|x| !x.is_nan()).collect();
        let mut state_dict = StateDict::default();
        state_dict.insert("a", Tensor::new(Dtype::F32, &[numbers.len()], &numbers));
        let back: Vec<f32> = read(&state_dict.to_bytes()).get("a").unwrap().numbers().unwrap();
        prop_assert!(back.iter().map(|x| x.to_bits()).eq(numbers.iter().map(|x| x.to_bits())));
    }

    /// Damage is refused, or what is read is whole: it can be written and read again.
    #[test]
    fn damage_is_refused_or_harmless(
        file in 0..FILES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = FILES[file].1.to_vec();
        for (at, to) in flips {
            // Half of the damage to the header.
            let end = if to % 2 == 0 { 900 } else { bytes.len() };
            bytes[at.index(end)] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(more);
        if let Ok(state_dict) = StateDict::from_bytes(&bytes) {
            let again = read(&state_dict.to_bytes());
            prop_assert!(state_dict.iter().eq(again.iter()));
            let _ = state_dict.load_into(&mut parameters());
        }
    }
}
