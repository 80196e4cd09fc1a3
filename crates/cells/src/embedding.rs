use longlag_autodiff::{Bound, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar};

/// A vector for each of a vocabulary's tokens: what a recurrent layer reads in place of a one-hot input.
///
/// It is the product of a one-hot row with the matrix, without the product. The gradient of a row is the sum over
/// all places where its token stands, and 0 if there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// V.
    pub tokens: usize,
    /// D.
    pub width: usize,
    /// The name of the matrix, (V, D).
    pub weight: String,
}

impl Embedding {
    /// Vectors whose matrix is called `{prefix}.weight`, as PyTorch names it.
    pub fn new(prefix: &str, tokens: usize, width: usize) -> Embedding {
        Embedding { tokens, width, weight: format!("{prefix}.weight") }
    }

    /// Adds the matrix, drawn as PyTorch draws it: from the standard normal distribution.
    pub fn push_parameters<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        rng: &Rng,
    ) {
        let mut rng = rng.stream(&self.weight);
        to.push(&self.weight, [self.tokens, self.width], T::of(0.0));
        to.view_mut(&self.weight)
            .iter_mut()
            .for_each(|w| *w = T::of(rng.normal()));
    }

    /// The vectors of `tokens`, one below the other: T·B of them give (T·B, D), as a layer reads it.
    ///
    /// Panics if one is not below V.
    #[track_caller]
    pub fn apply<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        tokens: &[usize],
    ) -> Var<'t, T> {
        parameters.get(&self.weight).gather_rows(tokens)
    }
}
