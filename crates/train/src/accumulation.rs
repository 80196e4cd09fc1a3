use longlag_numerics::{Float, Scalar};
use longlag_optim::{ForeignMemory, Memory};

/// The mean of the gradients of several batches, as far as it has come.
#[derive(Debug)]
pub(crate) struct Accumulation<T> {
    /// How many batches there are to an update.
    pub(crate) batches: u64,
    /// How many are in it.
    pub(crate) done: u64,
    loss: f64,
    gradient: Vec<T>,
}

impl<T: Float + Scalar> Accumulation<T> {
    pub(crate) fn new(batches: u64, len: usize) -> Accumulation<T> {
        let gradient = vec![T::ZERO; len];
        Accumulation { batches, done: 0, loss: 0.0, gradient }
    }
    /// Adds the share of one batch; with the last one gives the mean loss and
    /// gradient, and begins anew.
    pub(crate) fn add(
        &mut self,
        loss: T,
        gradient: &[T],
    ) -> Option<(T, &mut [T])> {
        if self.done == 0 {
            self.loss = 0.0;
            self.gradient.fill(T::ZERO);
        }
        // Shares, not a sum to be divided, which might overflow.
        let share = 1.0 / self.batches as f64;
        self.loss += loss.to_f64() * share;
        for (sum, &g) in self.gradient.iter_mut().zip(gradient) {
            *sum += g * T::from_f64(share);
        }
        self.done += 1;
        if self.done < self.batches {
            return None;
        }
        self.done = 0;
        Some((T::from_f64(self.loss), &mut self.gradient))
    }
    pub(crate) fn memory(&self) -> Memory<T> {
        // What stands there between two updates is garbage.
        let begun = self.done > 0;
        Memory {
            vectors: vec![if begun {
                self.gradient.clone()
            } else {
                vec![T::ZERO; self.gradient.len()]
            }],
            numbers: vec![
                self.done as f64,
                if begun { self.loss } else { 0.0 },
            ],
        }
    }
    pub(crate) fn restore(
        &mut self,
        memory: Memory<T>,
    ) -> Result<(), ForeignMemory> {
        let [gradient] =
            memory.vectors.try_into().map_err(|_| ForeignMemory)?;
        let [done, loss] =
            memory.numbers[..].try_into().map_err(|_| ForeignMemory)?;
        let done = done as u64;
        *self = Accumulation { batches: self.batches, done, loss, gradient };
        Ok(())
    }
}
