//! The tape against the plain reference: values over f64, every gradient over dual numbers.

use longlag_autodiff::{Dual, Tape};
use longlag_cells::{
    Cell, Initialisation, Layer, Lstm1997, RecurrentCell, SkipRnn, State,
    reference,
};
use longlag_numerics::random::Rng;
use longlag_numerics::{Parameters, Scalar};
use ndarray::{Array2, Axis, Slice};

/// Both sides evaluate the same equations on sums of I + H + 2 terms, in different orders and with or
/// without fused multiply-adds. So each step adds at most that many roundings on each side, and the
/// weights, at most 1/√H, pass on what earlier steps left without enlarging it much: a factor of 4 is
/// for that and for the functions. A layer normalisation adds up the 4H sums of both its parts twice more, and
/// divides by deviations below 1, which enlarges: a factor of 16.
fn tolerance(layer: &Layer, steps: usize) -> f64 {
    let terms = layer.input + layer.hidden + 2;
    let (factor, terms) = match layer.cell {
        Cell::LayerNormLstm => (16.0, terms + 2 * 2 * 4 * layer.hidden),
        _ => (4.0, terms),
    };
    factor * (steps * terms) as f64 * f64::EPSILON
}

/// A layer, a sequence, a start and a loss Σ w_t·h_t + v·c_T, all drawn at random.
struct Setting {
    layer: Layer,
    steps: usize,
    batch: usize,
    parameters: Parameters<f64>,
    /// (T·B, I).
    x: Array2<f64>,
    /// (B, H) each, or as wide as the cell says.
    start: State<Array2<f64>>,
    /// w, ((T + 1)·B, width of h): the start is in the loss too.
    w: Array2<f64>,
    /// v, (B, H).
    v: Array2<f64>,
}

impl Setting {
    fn new(cell: Cell, [steps, batch, input, hidden]: [usize; 4]) -> Setting {
        let layer = Layer::new("", cell, input, hidden);
        let mut parameters = Parameters::default();
        let seed = Rng::new(1);
        layer.push_parameters(
            &mut parameters,
            &Initialisation::default(),
            &seed,
        );
        let mut draw = seed.stream("setting");
        let mut normal = |rows, cols| {
            Array2::from_shape_simple_fn((rows, cols), || draw.normal())
        };
        let widths = cell.widths(hidden);
        Setting {
            x: normal(steps * batch, input),
            start: State {
                h: normal(batch, widths.h),
                c: widths.c.map(|width| normal(batch, width)),
            },
            w: normal((steps + 1) * batch, widths.h),
            v: normal(batch, hidden),
            layer,
            steps,
            batch,
            parameters,
        }
    }

    /// Every cell at every size, with one to seven steps.
    fn all() -> impl Iterator<Item = Setting> {
        let mut all = Vec::new();
        let blocks =
            |truncated| Cell::Lstm1997(Lstm1997 { block: 3, truncated });
        let more =
            [blocks(false), blocks(true), Cell::SkipRnn(SkipRnn { steps: 1 })];
        for cell in Cell::FAMILY.into_iter().chain(more) {
            for (steps, batch) in
                [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)]
            {
                let sizes = [(1, 1), (1, 3), (2, 1), (2, 3)];
                // Normalised, the sums of one unit are constants, and their gradient is what rounding leaves of 0; and
                // from step to step a normalisation enlarges what it left.
                let sound = |hidden: usize| {
                    let normalised = cell == Cell::LayerNormLstm;
                    let short = steps <= 2 && hidden > 1;
                    cell.check(hidden).is_ok() && (short || !normalised)
                };
                for (input, hidden) in sizes.into_iter().filter(|s| sound(s.1))
                {
                    all.push((cell, [steps, batch, input, hidden]));
                }
            }
        }
        all.into_iter().map(|(cell, sizes)| Setting::new(cell, sizes))
    }

    /// What the reference makes of sequence `b` from the state `from` before step `first`.
    fn states<R: Scalar>(
        &self,
        b: usize,
        first: usize,
        from: State<Vec<R>>,
        parameters: &Parameters<R>,
        x: &Array2<R>,
    ) -> Vec<State<Vec<R>>> {
        // After the last step there is nothing left.
        let from_row = (first * self.batch + b).min(x.nrows());
        let every = Slice::new(from_row as isize, None, self.batch as isize);
        reference::states(
            &self.layer,
            parameters,
            x.slice_axis(Axis(0), every),
            from,
        )
    }

    /// What `states`, of sequence `b` from state `first` on, add to the loss.
    fn loss<R: Scalar>(
        &self,
        b: usize,
        first: usize,
        states: &[State<Vec<R>>],
    ) -> R {
        let inner = |w: ndarray::ArrayView1<f64>, h: &[R]| {
            w.iter().zip(h).fold(R::of(0.0), |sum, (&w, &h)| sum + R::of(w) * h)
        };
        let of_h = (first..)
            .zip(states)
            .map(|(t, s)| inner(self.w.row(t * self.batch + b), &s.h));
        let of_c = states
            .last()
            .and_then(|s| s.c.as_ref())
            .map(|c| inner(self.v.row(b), c));
        of_h.chain(of_c).fold(R::of(0.0), |sum, x| sum + x)
    }

    fn row(&self, b: usize) -> State<Vec<f64>> {
        let row = |m: &Array2<f64>| m.row(b).to_vec();
        State { h: row(&self.start.h), c: self.start.c.as_ref().map(row) }
    }

    /// The derivative of the whole loss where `seed` has put a derivative of 1 somewhere.
    fn derivative(
        &self,
        seed: impl FnOnce(
            &mut Parameters<Dual>,
            &mut Array2<Dual>,
            &mut [State<Vec<Dual>>],
        ),
    ) -> f64 {
        let mut parameters = self.parameters.map(Dual::of);
        let mut x = self.x.mapv(Dual::of);
        let mut starts: Vec<_> =
            (0..self.batch).map(|b| self.row(b).map(duals)).collect();
        seed(&mut parameters, &mut x, &mut starts);
        let of = |(b, start)| {
            self.loss(b, 0, &self.states(b, 0, start, &parameters, &x))
                .derivative()
        };
        starts.into_iter().enumerate().map(of).sum()
    }

    fn name(&self) -> String {
        let Layer { cell, input, hidden, .. } = self.layer;
        format!(
            "{cell} with (T, B, I, H) = ({}, {}, {input}, {hidden})",
            self.steps, self.batch
        )
    }
}

fn duals(x: Vec<f64>) -> Vec<Dual> {
    x.into_iter().map(Dual::of).collect()
}

fn seed(x: &mut Dual) {
    *x = Dual::new(x.value(), 1.0);
}

/// Entries may differ by the tolerance times the largest that they stand among.
#[track_caller]
fn check(setting: &Setting, what: &str, got: f64, want: f64, scale: f64) {
    let near =
        (got - want).abs() <= tolerance(&setting.layer, setting.steps) * scale;
    assert!(
        near,
        "{}: {what} is {got:e} on the tape, {want:e} by the reference",
        setting.name()
    );
}

fn largest<'a>(x: impl IntoIterator<Item = &'a f64>) -> f64 {
    x.into_iter().fold(0.0, |most, x| most.max(x.abs()))
}

#[test]
fn values_agree_with_the_reference() {
    for setting in Setting::all() {
        let tape = Tape::new();
        let bound = tape.bind(&setting.parameters);
        let start = setting.start.clone().map(|s| tape.leaf(&s.view()));
        let got = setting.layer.states(
            &setting.layer.weights(&bound),
            tape.constant(&setting.x.view()),
            start,
        );
        assert_eq!(got.len(), setting.steps + 1);
        for b in 0..setting.batch {
            let want = setting.states(
                b,
                0,
                setting.row(b),
                &setting.parameters,
                &setting.x,
            );
            let scale = largest(
                want.iter()
                    .flat_map(|s| s.h.iter().chain(s.c.iter().flatten())),
            );
            for (got, want) in got.iter().zip(&want) {
                let pairs =
                    [(Some(got.h), Some(&want.h)), (got.c, want.c.as_ref())];
                for (got, want) in
                    pairs.into_iter().filter_map(|(got, want)| got.zip(want))
                {
                    for (&got, &want) in got.value().row(b).iter().zip(want) {
                        check(&setting, "a state", got, want, scale);
                    }
                }
                assert_eq!(got.c.is_some(), want.c.is_some());
            }
        }
    }
}

#[test]
fn gradients_agree_with_duals() {
    for setting in Setting::all() {
        let Setting { layer, parameters, x, start, w, v, .. } = &setting;
        let tape = Tape::new();
        let bound = tape.bind(parameters);
        let at_x = tape.leaf(&x.view());
        let at_start = start.clone().map(|s| tape.leaf(&s.view()));
        let states = layer.states(&layer.weights(&bound), at_x, at_start);
        let h = tape.stack(&states.iter().map(|s| s.h).collect::<Vec<_>>());
        let mut loss = (h * tape.constant(&w.view())).sum();
        if let Some(c) = states.last().unwrap().c {
            loss = loss + (c * tape.constant(&v.view())).sum();
        }
        let grads = loss.backward();

        let got = grads.of_parameters(&bound);
        let scale = largest(got);
        for (i, &got) in got.iter().enumerate() {
            let want = setting
                .derivative(|parameters, _, _| seed(&mut parameters.values[i]));
            check(&setting, "a parameter's gradient", got, want, scale);
        }
        let scale = largest(grads.of(at_x)).max(scale);
        for (at, &got) in grads.of(at_x).indexed_iter() {
            let want = setting.derivative(|_, x, _| seed(&mut x[at]));
            check(&setting, "the input's gradient", got, want, scale);
        }
        // Gradients that no weight makes smaller: of c, and beside the products.
        let of_states = states.iter().flat_map(|s| [Some(s.h), s.c]).flatten();
        let scale =
            of_states.map(|s| largest(grads.of(s))).fold(scale, f64::max);
        for ((b, j), &got) in grads.of(at_start.h).indexed_iter() {
            let want =
                setting.derivative(|_, _, starts| seed(&mut starts[b].h[j]));
            check(
                &setting,
                "the gradient of h before the first step",
                got,
                want,
                scale,
            );
        }
        for ((b, j), &got) in
            at_start.c.iter().flat_map(|&c| grads.of(c).into_indexed_iter())
        {
            let want = setting.derivative(|_, _, starts| {
                seed(&mut starts[b].c.as_mut().unwrap()[j])
            });
            check(
                &setting,
                "the gradient of c before the first step",
                got,
                want,
                scale,
            );
        }
        // ∂L/∂h_t: the reference goes on from state t, where h_t alone has a derivative.
        for (t, state) in states.iter().enumerate() {
            let value = state.map(|s| s.value());
            for ((b, j), &got) in grads.of(state.h).indexed_iter() {
                let row = |m: &Array2<f64>| m.row(b).mapv(Dual::of).to_vec();
                let mut from =
                    State { h: row(&value.h), c: value.c.as_ref().map(row) };
                seed(&mut from.h[j]);
                let on = setting.states(
                    b,
                    t,
                    from,
                    &parameters.map(Dual::of),
                    &x.mapv(Dual::of),
                );
                let want = setting.loss(b, t, &on).derivative();
                check(&setting, &format!("∂L/∂h_{t}"), got, want, scale);
            }
        }
    }
}
