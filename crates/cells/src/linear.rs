use longlag_autodiff::{Bound, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar};

/// A linear layer, y = W x + b, such as the read-out of a recurrent network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// I.
    pub input: usize,
    /// O.
    pub output: usize,
    /// The name of W, (O, I).
    pub weight: String,
    /// The name of b, (1, O).
    pub bias: String,
}

impl Linear {
    /// A layer whose parameters are `{name}.weight` and `{name}.bias`.
    pub fn new(name: &str, input: usize, output: usize) -> Linear {
        Linear {
            input,
            output,
            weight: format!("{name}.weight"),
            bias: format!("{name}.bias"),
        }
    }

    /// Adds its parameters, drawn as PyTorch draws them: from U(−1/√I, 1/√I).
    pub fn push_parameters<T: Scalar>(
        &self,
        to: &mut Parameters<T>,
        rng: &Rng,
    ) {
        let bound = 1.0 / (self.input as f64).sqrt();
        for (name, shape) in [
            (&self.weight, [self.output, self.input]),
            (&self.bias, [1, self.output]),
        ] {
            let mut rng = rng.stream(name);
            to.push(name, shape, T::of(0.0));
            to.view_mut(name)
                .iter_mut()
                .for_each(|w| *w = T::of(rng.uniform_in(-bound, bound)));
        }
    }

    /// Its value for `x` (B, I): (B, O).
    #[track_caller]
    pub fn apply<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
    ) -> Var<'t, T> {
        x.tape().affine(
            &[(x, parameters.get(&self.weight))],
            &[parameters.get(&self.bias)],
        )
    }
}
