use half::{bf16, f16};
use longlag_numerics::Float;
pub use safetensors::Dtype;

/// Numbers in any number of dimensions, as a file holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of these numbers, row-major, rounded to the dtype.
    ///
    /// # Panics
    /// If there are more or fewer numbers than the shape has places, or the dtype is none of F64, F32, F16,
    /// BF16, I64 and U8. Of the last two, a number that the dtype doesn't have becomes the nearest one.
    #[track_caller]
    pub fn new<T: Float>(
        dtype: Dtype,
        shape: &[usize],
        numbers: &[T],
    ) -> Tensor {
        assert!(
            shape.iter().product::<usize>() == numbers.len(),
            "Tensor::new: {} numbers for the shape {shape:?}",
            numbers.len()
        );
        // A processor's NaN has bits of its own; a file has the same ones everywhere.
        let numbers = numbers.iter().map(|x| {
            let x = x.to_f64();
            if x.is_nan() { f64::NAN } else { x }
        });
        let bytes = match dtype {
            Dtype::F64 => numbers.flat_map(f64::to_le_bytes).collect(),
            Dtype::F32 => {
                numbers.flat_map(|x| (x as f32).to_le_bytes()).collect()
            }
            // By way of f32: from f64, the crate's last bit depends on the processor.
            Dtype::F16 => numbers
                .flat_map(|x| f16::from_f32(x as f32).to_le_bytes())
                .collect(),
            Dtype::BF16 => numbers
                .flat_map(|x| bf16::from_f32(x as f32).to_le_bytes())
                .collect(),
            Dtype::I64 => {
                numbers.flat_map(|x| (x as i64).to_le_bytes()).collect()
            }
            Dtype::U8 => numbers.map(|x| x as u8).collect(),
            _ => panic!("Tensor::new: {dtype} can't be written"),
        };
        Tensor { dtype, shape: shape.to_vec(), bytes }
    }

    /// A tensor of the bytes that a sound header says it has.
    pub(crate) fn of_bytes(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Vec<u8>,
    ) -> Tensor {
        Tensor { dtype, shape, bytes }
    }

    /// The type of its numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How many places it has in each dimension; none for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its numbers, row-major, rounded to `T`; `None` if its dtype isn't read.
    ///
    /// F64, F32, F16, BF16, the integers and BOOL are read; not complex numbers and those of 8 bits and fewer.
    pub fn numbers<T: Float>(&self) -> Option<Vec<T>> {
        /// Reads N bytes at a time.
        fn each<T: Float, const N: usize>(
            bytes: &[u8],
            read: fn([u8; N]) -> f64,
        ) -> Option<Vec<T>> {
            let (chunks, _) = bytes.as_chunks();
            Some(chunks.iter().map(|chunk| T::from_f64(read(*chunk))).collect())
        }
        let bytes = &self.bytes;
        match self.dtype {
            Dtype::F64 => each(bytes, f64::from_le_bytes),
            Dtype::F32 => each(bytes, |b| f32::from_le_bytes(b).into()),
            Dtype::F16 => {
                each(bytes, |b| f16::from_le_bytes(b).to_f32().into())
            }
            Dtype::BF16 => {
                each(bytes, |b| bf16::from_le_bytes(b).to_f32().into())
            }
            Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
            Dtype::U64 => each(bytes, |b| u64::from_le_bytes(b) as f64),
            Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
            Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
            Dtype::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
            Dtype::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
            Dtype::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
            Dtype::U8 | Dtype::BOOL => each(bytes, |[b]| b.into()),
            _ => None,
        }
    }

    /// Whether its numbers are integers or flags.
    pub fn is_integer(&self) -> bool {
        use Dtype::{BOOL, I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(self.dtype, I64 | U64 | I32 | U32 | I16 | U16 | I8 | U8 | BOOL)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it has the numbers of a matrix: the same shape, or that of a vector for one row.
    pub(crate) fn fits(&self, [rows, columns]: [usize; 2]) -> bool {
        self.shape == [rows, columns] || rows == 1 && self.shape == [columns]
    }

    #[track_caller]
    pub(crate) fn squeeze(&mut self) {
        match self.shape[..] {
            [1, columns] => self.shape = vec![columns],
            _ => panic!(
                "squeeze: the shape {:?} isn't that of one row",
                self.shape
            ),
        }
    }
}
