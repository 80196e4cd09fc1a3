use crate::cell::Cell;
use crate::layer::{Initialisation, Layer};
use crate::linear::Linear;
use crate::recurrent_cell::{RecurrentCell, State};
use longlag_autodiff::{Bound, Var};
use longlag_numerics::random::Rng;
use longlag_numerics::{Float, Parameters, Scalar};

/// A recurrent layer and a linear read-out of its last output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network<C = Cell> {
    /// The recurrent layer; its parameters' names begin with `rnn.`.
    pub layer: Layer<C>,
    /// The read-out; its parameters' names begin with `head.`.
    pub head: Linear,
}

impl<C: RecurrentCell> Network<C> {
    /// A network from I inputs through H hidden units to O outputs.
    pub fn new(
        cell: C,
        input: usize,
        hidden: usize,
        output: usize,
    ) -> Network<C> {
        let layer = Layer::new("rnn.", cell, input, hidden);
        let head = Linear::new("head", layer.output(), output);
        Network { layer, head }
    }

    /// The number of its parameters.
    pub fn size(&self) -> usize {
        self.layer.size() + self.head.output * (self.head.input + 1)
    }

    /// The network of the given cell whose number of parameters comes nearest to `size`, by its H.
    pub fn of_size(
        cell: C,
        input: usize,
        output: usize,
        size: usize,
    ) -> Network<C> {
        let mut below = None;
        for hidden in (1..).filter(|&hidden| cell.check(hidden).is_ok()) {
            let at = Network::new(cell.clone(), input, hidden, output);
            if at.size() < size {
                below = Some(at);
                continue;
            }
            let miss = |network: &Network<C>| size.abs_diff(network.size());
            return match below {
                Some(below) if miss(&below) < miss(&at) => below,
                _ => at,
            };
        }
        unreachable!("sizes grow with H")
    }

    /// Its parameters at the start.
    pub fn parameters<T: Scalar>(
        &self,
        start: &Initialisation,
        rng: &Rng,
    ) -> Parameters<T> {
        let mut parameters = Parameters::default();
        self.layer.push_parameters(&mut parameters, start, rng);
        self.head.push_parameters(&mut parameters, rng);
        parameters
    }

    /// The outputs (B, O) after the last step of `x` (T·B, I), from the state 0, by the fused kernel if there is one.
    #[track_caller]
    pub fn apply<'t, T: Float + Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
        batch: usize,
    ) -> Var<'t, T> {
        let w = self.layer.weights(parameters);
        let start = self.layer.zero_state(parameters.tape(), batch);
        let states = self.layer.sequence(&w, x, start);
        self.read_out(parameters, states.last)
    }

    /// The same step by step: `each` sees (t, state after step t) for t = 0 (the state 0) to T.
    #[track_caller]
    pub fn unroll<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        x: Var<'t, T>,
        batch: usize,
        mut each: impl FnMut(usize, State<Var<'t, T>>),
    ) -> Var<'t, T> {
        let w = self.layer.weights(parameters);
        let start = self.layer.zero_state(parameters.tape(), batch);
        each(0, start);
        let last = self.layer.unroll(&w, x, start, each);
        self.read_out(parameters, last)
    }

    fn read_out<'t, T: Scalar>(
        &self,
        parameters: &Bound<'t, '_, T>,
        last: State<Var<'t, T>>,
    ) -> Var<'t, T> {
        let h = last.h.columns(0..self.layer.output());
        self.head.apply(parameters, h)
    }
}
