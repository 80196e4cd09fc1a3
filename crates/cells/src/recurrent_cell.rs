use crate::cell::Cell;
use longlag_autodiff::Var;
use longlag_numerics::Scalar;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Range;

/// What makes a recurrent cell: the shapes of its weights and of its state, and one step.
///
/// **A cell is one file**: a type that implements this trait, with its equations over
/// [`Real`](longlag_numerics::Real) beside it. [`Layer`](crate::Layer), [`Stack`](crate::Stack) and
/// [`Network`](crate::Network) take any such type, so a cell of your own is trained, unrolled and probed like
/// those of [`Cell`]. What it gains as a line in that enum is a name in configs, and what a kernel brings is
/// speed; neither is needed.
///
/// A cell that forgets by a single gate, f = σ(a_f), h_t = f h_{t−1} + (1 − f) x'_t, in all it takes:
///
/// ```
/// use longlag_autodiff::{Tape, Var};
/// use longlag_cells::{Initialisation, Network, RecurrentCell, State, Weights};
/// use longlag_numerics::{Real, Scalar, random::Rng};
/// use ndarray::Array2;
///
/// #[derive(Clone, Debug)]
/// struct OneGate;
/// impl RecurrentCell for OneGate {
///     fn name(&self) -> &'static str {
///         "one gate"
///     }
///     fn gates(&self) -> &'static [&'static str] {
///         &["f", "g"]
///     }
///     fn step<'t, T: Scalar>(
///         &self,
///         w: &Weights<Var<'t, T>>,
///         x: Var<'t, T>,
///         s: State<Var<'t, T>>,
///     ) -> State<Var<'t, T>> {
///         let [a_f, a_g] = w.sum(x, s.h).split();
///         let (f, g) = (a_f.sigmoid(), a_g.tanh());
///         State { h: f * s.h + f.one_minus() * g, c: None }
///     }
/// }
///
/// let network = Network::new(OneGate, 3, 8, 2);
/// let parameters = network.parameters::<f64>(&Initialisation::default(), &Rng::new(1));
/// let tape = Tape::new();
/// let bound = tape.bind(&parameters);
/// let x = tape.constant(&Array2::ones((10 * 4, 3)).view());
/// let y = network.apply(&bound, x, 4);
/// assert_eq!(y.shape(), [4, 2]);
/// y.sum().backward();
/// ```
pub trait RecurrentCell: Clone + Debug {
    /// Its name in tables and figures.
    fn name(&self) -> &'static str;

    /// The names of its gates, in the order in which their blocks of rows are stacked in the weights.
    fn gates(&self) -> &'static [&'static str];

    /// Which rows of the weights belong to gate number `gate`, in a layer of `hidden` units: a block of H, unless it
    /// says otherwise.
    fn gate_rows(&self, gate: usize, hidden: usize) -> Range<usize> {
        gate * hidden..(gate + 1) * hidden
    }

    /// Whether there can be a layer of `hidden` units of it.
    ///
    /// # Errors
    /// What doesn't fit, in words.
    fn check(&self, _hidden: usize) -> Result<(), String> {
        Ok(())
    }

    /// How many columns h and c have in a layer of `hidden` units: H and none, unless it says otherwise.
    ///
    /// h may be wider than the output: its first [`output`](Self::output) columns are what the layer gives.
    fn widths(&self, hidden: usize) -> State<usize> {
        State { h: hidden, c: None }
    }

    /// How many numbers a layer of `hidden` units gives at each step: H, unless it says otherwise.
    fn output(&self, hidden: usize) -> usize {
        hidden
    }

    /// The vectors of weights that act unit by unit, if it has them: peepholes, gains of a normalisation.
    fn per_unit(&self) -> Option<PerUnit> {
        None
    }

    /// The shapes of its weights, [rows, columns], from I inputs to H units: one block of H rows for each gate,
    /// unless it says otherwise. What it hasn't got is empty: [`Weights::from_input`].
    fn shapes(&self, input: usize, hidden: usize) -> Weights<[usize; 2]> {
        let rows = self.gates().len() * hidden;
        Weights {
            w_ih: [rows, input],
            w_hh: [rows, self.output(hidden)],
            b_ih: [1, rows],
            b_hh: [1, rows],
            per_unit: self.per_unit().map(|p| [p.vectors, hidden]),
            w_hr: None,
        }
    }

    /// One step on the tape. `x` is (B, I), the state's matrices are as wide as [`widths`](Self::widths) says.
    ///
    /// Panics if the shapes don't fit the weights, or if a state c is missing or too many.
    #[track_caller]
    fn step<'t, T: Scalar>(
        &self,
        w: &Weights<Var<'t, T>>,
        x: Var<'t, T>,
        s: State<Var<'t, T>>,
    ) -> State<Var<'t, T>>;

    /// The cell of the same mathematics that the sequence kernels know. Without one, a sequence is computed
    /// step by step.
    fn fused(&self) -> Option<Cell> {
        None
    }

    /// Whether its state has a cell state c beside h.
    fn has_c(&self) -> bool {
        self.widths(1).c.is_some()
    }

    /// The number of parameters of a layer of it, from I inputs to H units.
    fn size(&self, input: usize, hidden: usize) -> usize {
        let shapes = self.shapes(input, hidden);
        shapes.list().map(|[rows, columns]| rows * columns).sum()
    }
}

/// Vectors of H weights that act unit by unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerUnit {
    /// What they are called: the parameter's name, without the layer's suffix.
    pub name: &'static str,
    /// How many there are.
    pub vectors: usize,
    /// What each of them starts at; if empty, they are drawn as
    /// [`Initialisation::peephole`](crate::Initialisation::peephole) says.
    pub starts: &'static [f64],
}

/// The state that a cell hands from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<V> {
    /// The hidden state, whose first columns are the output.
    pub h: V,
    /// The cell state, for cells that have one.
    pub c: Option<V>,
}

impl<V> State<V> {
    /// The same for other contents.
    pub fn map<U>(self, mut f: impl FnMut(V) -> U) -> State<U> {
        State { h: f(self.h), c: self.c.map(f) }
    }
}

/// The weights of a layer, whatever they are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights<V> {
    /// From the input: (G·H, I).
    pub w_ih: V,
    /// From the state: (G·H, H). Where a cell has none, its shape is empty, it is no parameter, and a single 0 stands
    /// for it on the tape.
    pub w_hh: V,
    /// (1, G·H).
    pub b_ih: V,
    /// (1, G·H); empty as `w_hh` is.
    pub b_hh: V,
    /// (P, H), weights that act unit by unit, for cells that have them: see [`RecurrentCell::per_unit`].
    pub per_unit: Option<V>,
    /// (R, H), the projection from the units to R outputs, for cells that have one.
    pub w_hr: Option<V>,
}

impl Weights<[usize; 2]> {
    /// The shapes of a cell whose sums are of the input alone: W_ih (rows, I) and one bias.
    pub fn from_input(rows: usize, input: usize) -> Self {
        Weights {
            w_ih: [rows, input],
            w_hh: [0, 0],
            b_ih: [1, rows],
            b_hh: [1, 0],
            per_unit: None,
            w_hr: None,
        }
    }
}

impl<V> Weights<V> {
    /// The same for other contents.
    pub fn map<U>(&self, mut f: impl FnMut(&V) -> U) -> Weights<U> {
        Weights {
            w_ih: f(&self.w_ih),
            w_hh: f(&self.w_hh),
            b_ih: f(&self.b_ih),
            b_hh: f(&self.b_hh),
            per_unit: self.per_unit.as_ref().map(&mut f),
            w_hr: self.w_hr.as_ref().map(f),
        }
    }
    /// Those that there are, in this order.
    pub fn list(self) -> impl Iterator<Item = V> {
        let Weights { w_ih, w_hh, b_ih, b_hh, per_unit, w_hr } = self;
        [w_ih, w_hh, b_ih, b_hh].into_iter().chain(per_unit).chain(w_hr)
    }
}

/// What the steps of cells are made of.
impl<'t, T: Scalar> Weights<Var<'t, T>> {
    /// The weights of gates `from..to` of cells of `hidden` units.
    pub fn gates(&self, hidden: usize, from: usize, to: usize) -> Self {
        let r = from * hidden..to * hidden;
        Weights {
            w_ih: self.w_ih.rows(r.clone()),
            w_hh: self.w_hh.rows(r.clone()),
            b_ih: self.b_ih.columns(r.clone()),
            b_hh: self.b_hh.columns(r),
            per_unit: None,
            w_hr: None,
        }
    }
    /// W_ih x + b_ih + W_hh h + b_hh.
    #[track_caller]
    pub fn sum(&self, x: Var<'t, T>, h: Var<'t, T>) -> Var<'t, T> {
        x.tape()
            .affine(&[(x, self.w_ih), (h, self.w_hh)], &[self.b_ih, self.b_hh])
    }
    /// W_ih x + b_ih.
    #[track_caller]
    pub fn input_sum(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().affine(&[(x, self.w_ih)], &[self.b_ih])
    }
    /// W_hh h + b_hh.
    #[track_caller]
    pub fn state_sum(&self, h: Var<'t, T>) -> Var<'t, T> {
        h.tape().affine(&[(h, self.w_hh)], &[self.b_hh])
    }
}
