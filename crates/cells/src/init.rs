//! Initialisers of weights and biases.
//!
//! The key decision: **an initialiser draws in `f64` and in the order of the rows, whatever it fills.** The
//! same seed then gives an `f32` network the rounded weights of the `f64` one.
//!
//! Matrices have the layout [out, in]. Those of a gated cell are its G gate blocks of H rows one below the
//! other, [G·H, in]. What is a statement about one linear map (orthogonal, identity, spectral radius) is
//! made block by block; the others fill all entries alike.

mod linalg;

pub use linalg::spectral_radius;

use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Real, Scalar};
use ndarray::{Array2, ArrayViewMut2, Axis, Zip};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::num::NonZeroUsize;

/// How to initialise a matrix; in a config `"uniform"` or `{ "orthogonal": { "gain": 1.0 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// All 0; for biases.
    Zero,
    /// Uniform in ±1/√H: PyTorch's default for every weight and bias of a recurrent layer.
    Uniform,
    /// Uniform in ±gain·√(6 / (in + out)), with `in` and `out` those of the whole matrix.
    ///
    /// Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    /// networks", equation 16; also called Glorot's. As PyTorch's `xavier_uniform_` does, it takes the G
    /// gate blocks of one matrix for one map to G·H outputs.
    Xavier {
        /// What the bound is multiplied by, 0 or more; 1 if left out.
        #[serde(default = "one", deserialize_with = "moderate")]
        gain: f64,
    },
    /// gain times an orthogonal matrix, uniformly distributed over all of them (by Haar's measure).
    ///
    /// Each gate block by itself. In a block that isn't square, the rows or the columns, whichever are
    /// fewer, are orthonormal before the gain. Source: Saxe, McClelland & Ganguli 2014, "Exact solutions to
    /// the nonlinear dynamics of learning in deep linear neural networks"; Mezzadri 2007, "How to generate
    /// random matrices from the classical compact groups", for the signs that make it uniform.
    Orthogonal {
        /// What all singular values are; 1 if left out.
        #[serde(default = "one")]
        gain: f64,
    },
    /// Independent normal entries of mean 0 and variance gain²/H.
    ///
    /// For large H, an [H, H] matrix has a spectral radius near gain and a largest singular value near
    /// 2·gain (Girko's circular law; Sompolinsky, Crisanti & Sommers 1988, "Chaos in random neural
    /// networks", for what that does to a tanh network).
    Gaussian {
        /// g; 1 if left out.
        #[serde(default = "one")]
        gain: f64,
    },
    /// scale on the diagonal of each gate block, else 0. As the start of the state's weights of
    /// [`Cell::RnnRelu`](crate::Cell::RnnRelu), with biases 0, it makes the IRNN.
    ///
    /// Source: Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear
    /// units".
    Identity {
        /// What stands on the diagonal; 1 if left out.
        #[serde(default = "one")]
        scale: f64,
    },
    /// Independent normal entries, then scaled so that the largest |eigenvalue| is `radius`, up to rounding
    /// to the matrix's type.
    ///
    /// Each gate block by itself; the blocks must be square. As the echo state networks do it: Jaeger 2001,
    /// "The 'echo state' approach to analysing and training recurrent neural networks".
    SpectralRadius {
        /// ρ, 0 or more.
        #[serde(deserialize_with = "non_negative")]
        radius: f64,
    },
    /// The start of the "smart tanh" network: a few independent normal entries in each row, each unit's incoming
    /// connections, else 0; then scaled to the spectral radius `radius`. [`Init::SMART_TANH`] has the published
    /// numbers.
    ///
    /// Each gate block by itself; the blocks must be square, and narrow ones have no zeros. Source: Pascanu,
    /// Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks"; the sparse entries are
    /// those of Martens 2010 and of Sutskever, Martens, Dahl and Hinton 2013.
    SmartTanh {
        /// Non-zeros in a row; 15 if left out.
        #[serde(default = "fifteen")]
        connections: NonZeroUsize,
        /// ρ, 0 or more; 0.95 if left out.
        #[serde(default = "below_one", deserialize_with = "non_negative")]
        radius: f64,
    },
    /// Every entry the same.
    Constant {
        /// Which.
        value: f64,
    },
    /// first, first + step, first + 2·step … along each row; for the biases of successive memory blocks, such as
    /// −1, −2, −3 (Hochreiter and Schmidhuber 1997).
    Progression {
        /// The first entry.
        first: f64,
        /// The difference of successive entries.
        step: f64,
    },
    /// Uniform between two numbers.
    UniformIn {
        /// One of them.
        low: f64,
        /// The other.
        high: f64,
    },
    /// Normal.
    Normal {
        /// The mean; 0 if left out.
        #[serde(default)]
        mean: f64,
        /// The standard deviation, 0 or more.
        #[serde(deserialize_with = "moderate")]
        deviation: f64,
    },
    /// Normal without its tails: what falls further from the mean than `bound` deviations is drawn anew.
    TruncatedNormal {
        /// The mean; 0 if left out.
        #[serde(default)]
        mean: f64,
        /// The standard deviation of the whole distribution, 0 or more; what is left has a smaller one.
        #[serde(deserialize_with = "moderate")]
        deviation: f64,
        /// In deviations, 0 or more; 2 if left out.
        #[serde(default = "two", deserialize_with = "non_negative")]
        bound: f64,
    },
    /// Normal of variance gain²·2 / (in + out), with `in` and `out` those of the whole matrix: the normal
    /// counterpart of [`Init::Xavier`], as PyTorch's `xavier_normal_`.
    XavierNormal {
        /// What the deviation is multiplied by, 0 or more; 1 if left out.
        #[serde(default = "one", deserialize_with = "moderate")]
        gain: f64,
    },
    /// Uniform of variance gain²/fan, so in ±gain·√(3 / fan): PyTorch's `kaiming_uniform_`; also called He's.
    ///
    /// Source: He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers". PyTorch's default for a linear layer,
    /// ±1/√in, is this with a leaky rectifier of slope √5.
    KaimingUniform {
        /// Which side of the whole matrix counts; `in` if left out.
        #[serde(default)]
        fan: Fan,
        /// Whose gain it is; that of `relu` if left out.
        #[serde(default)]
        nonlinearity: Nonlinearity,
    },
    /// Normal of variance gain²/fan: PyTorch's `kaiming_normal_`.
    KaimingNormal {
        /// Which side of the whole matrix counts; `in` if left out.
        #[serde(default)]
        fan: Fan,
        /// Whose gain it is; that of `relu` if left out.
        #[serde(default)]
        nonlinearity: Nonlinearity,
    },
}

/// A side of a weight matrix [out, in].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Fan {
    /// Its columns: keeps the variance of values on the way forward.
    #[default]
    In,
    /// Its rows: keeps the variance of gradients on the way back.
    Out,
}

/// What follows a linear map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Nonlinearity {
    /// Nothing.
    Linear,
    /// σ.
    Sigmoid,
    /// tanh.
    Tanh,
    /// max(·, 0).
    #[default]
    Relu,
    /// The self-normalising unit (Klambauer et al. 2017).
    Selu,
    /// x above 0, slope·x below.
    LeakyRelu {
        /// The slope below 0.
        slope: f64,
    },
}

impl Nonlinearity {
    /// What PyTorch's `calculate_gain` recommends to multiply weights by: 1, 1, 5/3, √2, 3/4 and
    /// √(2 / (1 + slope²)), in the order above.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2.0_f64.sqrt(),
            Nonlinearity::Selu => 0.75,
            Nonlinearity::LeakyRelu { slope } => {
                (2.0 / (1.0 + slope * slope)).sqrt()
            }
        }
    }
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

fn below_one() -> f64 {
    0.95
}

const FIFTEEN: NonZeroUsize = NonZeroUsize::new(15).expect("15 is not 0");

fn fifteen() -> NonZeroUsize {
    FIFTEEN
}

fn non_negative<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = f64::deserialize(from)?;
    if x >= 0.0 {
        Ok(x)
    } else {
        Err(serde::de::Error::custom(format_args!("{x} must be 0 or more")))
    }
}

/// A factor that leaves every weight finite.
fn moderate<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let x = non_negative(from)?;
    if x <= 1e30 {
        Ok(x)
    } else {
        Err(serde::de::Error::custom(format_args!("{x} must be at most 1e30")))
    }
}

impl Init {
    /// [`Init::SmartTanh`] as published: 15 connections, spectral radius 0.95.
    pub const SMART_TANH: Init =
        Init::SmartTanh { connections: FIFTEEN, radius: 0.95 };

    /// Whether it can fill a matrix of `shape` [out, in] in a layer with `hidden` units (H).
    ///
    /// Orthogonal, identity, spectral radius and smart tanh need whole blocks of H rows, so they fill no bias; the
    /// last two also need square blocks. The others fill everything.
    pub fn check(&self, shape: [usize; 2], hidden: usize) -> Result<(), Unfit> {
        let whole = shape[0].is_multiple_of(hidden);
        let needs = match self {
            Init::Orthogonal { .. } | Init::Identity { .. } if !whole => {
                "whole blocks"
            }
            Init::SpectralRadius { .. } | Init::SmartTanh { .. }
                if !whole || shape[1] != hidden =>
            {
                "whole square blocks"
            }
            _ => return Ok(()),
        };
        Err(Unfit { init: *self, needs, shape, hidden })
    }

    /// Fills `matrix`, shape [out, in], of a layer with `hidden` units (H).
    ///
    /// Panics where [`check`](Self::check) fails, and if H is 0.
    #[track_caller]
    pub fn fill<T: Scalar>(
        &self,
        mut matrix: ArrayViewMut2<T>,
        hidden: usize,
        rng: &mut Rng,
    ) {
        assert!(hidden > 0, "fill: the hidden size is 0");
        let (rows, columns) = matrix.dim();
        if let Err(unfit) = self.check([rows, columns], hidden) {
            panic!("fill: {unfit}");
        }
        match *self {
            Init::Zero => matrix.fill(T::of(0.0)),
            Init::Uniform => {
                let bound = 1.0 / (hidden as f64).sqrt();
                draw(matrix, || rng.uniform_in(-bound, bound));
            }
            Init::Xavier { gain } => {
                let bound = (6.0 / (rows + columns) as f64).sqrt();
                draw(matrix, || gain * rng.uniform_in(-bound, bound));
            }
            Init::Gaussian { gain } => {
                let deviation = gain / (hidden as f64).sqrt();
                draw(matrix, || deviation * rng.normal());
            }
            Init::Orthogonal { gain } => {
                for mut block in matrix.axis_chunks_iter_mut(Axis(0), hidden) {
                    let q = linalg::orthogonal(block.dim(), rng);
                    Zip::from(&mut block)
                        .and(&q)
                        .for_each(|x, q| *x = T::of(gain * q));
                }
            }
            Init::Identity { scale } => {
                for mut block in matrix.axis_chunks_iter_mut(Axis(0), hidden) {
                    block.fill(T::of(0.0));
                    block.diag_mut().fill(T::of(scale));
                }
            }
            Init::SpectralRadius { radius } => {
                for block in matrix.axis_chunks_iter_mut(Axis(0), hidden) {
                    let mut exact = Array2::<f64>::zeros(block.dim());
                    draw(exact.view_mut(), || rng.normal());
                    scaled(block, exact, radius);
                }
            }
            Init::SmartTanh { connections, radius } => {
                for block in matrix.axis_chunks_iter_mut(Axis(0), hidden) {
                    let mut exact = Array2::<f64>::zeros(block.dim());
                    for mut row in exact.rows_mut() {
                        let places = rng.permutation(hidden);
                        for &place in places.iter().take(connections.get()) {
                            row[place] = rng.normal();
                        }
                    }
                    scaled(block, exact, radius);
                }
            }
            Init::Constant { value } => matrix.fill(T::of(value)),
            Init::Progression { first, step } => {
                for ((_, k), x) in matrix.indexed_iter_mut() {
                    *x = T::of(first + k as f64 * step);
                }
            }
            Init::UniformIn { low, high } => {
                draw(matrix, || low + rng.uniform() * (high - low));
            }
            Init::Normal { mean, deviation } => {
                draw(matrix, || mean + deviation * rng.normal());
            }
            Init::TruncatedNormal { mean, deviation, bound } => {
                draw(matrix, || mean + deviation * without_tails(bound, rng));
            }
            Init::XavierNormal { gain } => {
                let deviation = gain * (2.0 / (rows + columns) as f64).sqrt();
                draw(matrix, || deviation * rng.normal());
            }
            Init::KaimingUniform { fan, nonlinearity } => {
                let bound = fan.deviation([rows, columns], nonlinearity)
                    * 3.0_f64.sqrt();
                draw(matrix, || bound * (2.0 * rng.uniform() - 1.0));
            }
            Init::KaimingNormal { fan, nonlinearity } => {
                let deviation = fan.deviation([rows, columns], nonlinearity);
                draw(matrix, || deviation * rng.normal());
            }
        }
    }
}

impl Fan {
    /// gain / √fan.
    fn deviation(self, [rows, columns]: [usize; 2], of: Nonlinearity) -> f64 {
        let fan = match self {
            Fan::In => columns,
            Fan::Out => rows,
        };
        of.gain() / (fan as f64).sqrt()
    }
}

/// Writes `exact`, scaled to a spectral radius, in a block.
fn scaled<T: Scalar>(
    mut block: ArrayViewMut2<T>,
    mut exact: Array2<f64>,
    radius: f64,
) {
    scale_to_spectral_radius(exact.view_mut(), radius).expect(
        "a random matrix without empty rows is nilpotent with probability 0",
    );
    block.zip_mut_with(&exact, |x, &exact| *x = T::of(exact));
}

/// A standard normal number in ±bound.
fn without_tails(bound: f64, rng: &mut Rng) -> f64 {
    loop {
        // Of what is proposed, more than half is kept: from near the mean uniformly, from far by the tails' weight.
        let (x, keep) = if bound < 1.5 {
            let x = bound * (2.0 * rng.uniform() - 1.0);
            (x, rng.uniform() < Real::exp(-0.5 * x * x))
        } else {
            let x = rng.normal();
            (x, x.abs() <= bound)
        };
        if keep {
            return x;
        }
    }
}

/// The biases of forget gates that chrono initialisation gives, ln u with u ~ U(1, longest − 1) for each unit.
#[track_caller]
pub(crate) fn chrono_biases(
    longest: f64,
    hidden: usize,
    rng: &mut Rng,
) -> Vec<f64> {
    assert!(longest >= 2.0, "chrono is {longest}, not a time of 2 or more");
    let mut bias = || Real::ln(1.0 + rng.uniform() * (longest - 2.0));
    (0..hidden).map(|_| bias()).collect()
}

/// Fills a matrix row by row.
fn draw<T: Scalar>(
    mut matrix: ArrayViewMut2<T>,
    mut sample: impl FnMut() -> f64,
) {
    matrix.iter_mut().for_each(|x| *x = T::of(sample()));
}

/// An initialiser that can't fill a matrix of this shape: [`Init::check`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unfit {
    init: Init,
    needs: &'static str,
    shape: [usize; 2],
    hidden: usize,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Unfit { init, needs, shape: [rows, columns], hidden } = self;
        write!(
            f,
            "{init:?} fills {needs} of {hidden} rows, not a matrix of {rows} × {columns}"
        )
    }
}

impl std::error::Error for Unfit {}

/// Multiplies a square matrix so that its [`spectral_radius`] is `radius`, up to rounding.
///
/// Fails, and leaves the matrix alone, if no factor can do it: the radius is 0 up to rounding (below
/// n·2⁻⁵² of the largest entry; so are the zero matrix and triangular nilpotent ones), or an entry isn't
/// finite. Panics if the matrix isn't square.
#[track_caller]
pub fn scale_to_spectral_radius<T: Scalar>(
    mut matrix: ArrayViewMut2<T>,
    radius: f64,
) -> Result<(), NoSpectralRadius> {
    let now = spectral_radius(matrix.view());
    let largest =
        matrix.iter().fold(0.0, |most: f64, x| most.max(x.value().abs()));
    let rounding = matrix.nrows() as f64 * f64::EPSILON * largest;
    if now.is_nan() || now <= rounding {
        return Err(NoSpectralRadius(now));
    }
    matrix.iter_mut().for_each(|x| *x = T::of(x.value() / now * radius));
    Ok(())
}

/// A matrix whose spectral radius can't be scaled, with the radius found: 0 up to rounding, or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoSpectralRadius(pub f64);

impl fmt::Display for NoSpectralRadius {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "the matrix has the spectral radius {:e}: no factor makes it another one",
            self.0
        )
    }
}

impl std::error::Error for NoSpectralRadius {}

/// Sets the bias of an LSTM's forget gate: f = σ(`value` + …) at the start.
///
/// An LSTM in PyTorch's form adds two biases, [1, 4·H] each, gates in the order i f g o. The block of f
/// becomes `value` in the first and 0 in the second, so that their sum is `value`; setting both would
/// double it. The other blocks stay. `b_ih` and `b_hh` are their names in `parameters`.
///
/// Source: Gers, Schmidhuber & Cummins 2000, "Learning to forget"; Jozefowicz, Zaremba & Sutskever 2015,
/// "An empirical exploration of recurrent network architectures", for the value 1.
///
/// Panics if there is no parameter of a name, or its length isn't 4·H.
#[track_caller]
pub fn forget_gate_bias<T: Scalar>(
    parameters: &mut Parameters<T>,
    b_ih: &str,
    b_hh: &str,
    value: f64,
) {
    gate_bias(parameters, [b_ih, b_hh], 1, 4, value);
}

/// The same for gate number `gate` (from 0) of a cell with `gates`.
///
/// Panics if there is no parameter of a name, or its length isn't `gates`·H.
#[track_caller]
pub fn gate_bias<T: Scalar>(
    parameters: &mut Parameters<T>,
    [b_ih, b_hh]: [&str; 2],
    gate: usize,
    gates: usize,
    value: f64,
) {
    for (name, value) in [(b_ih, value), (b_hh, 0.0)] {
        let span = parameters.span(name);
        let (len, start) = (span.len(), span.start);
        assert!(
            len.is_multiple_of(gates) && gate < gates,
            "gate_bias: `{name}` has {len} entries, not {gates}·H"
        );
        let hidden = len / gates;
        parameters.values[start + gate * hidden..start + (gate + 1) * hidden]
            .fill(T::of(value));
    }
}
