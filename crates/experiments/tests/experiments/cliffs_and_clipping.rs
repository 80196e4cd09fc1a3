use longlag_cells::init::Init;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::Experiment;
use longlag_experiments::cliffs_and_clipping::{
    CliffsAndClipping, Config, OneUnit,
};
use longlag_experiments::tasks::{Batch, Definition, Task, TemporalOrder};
use longlag_experiments::update_shares::{
    ByLag, Steps, far_share, moved, norm_shares,
};
use longlag_numerics::Parameters;
use longlag_numerics::random::Rng;
use longlag_optim::{
    AdamConfig, Clip, OptimizerConfig, RmsPropConfig, SgdConfig,
};
use ndarray::{Array2, array};

/// A plain network whose gradient explodes, and a batch.
fn exploding() -> (Network, Parameters<f64>, Batch) {
    let task = TemporalOrder {
        definition: Definition::Pascanu2013,
        symbols: 2,
        steps: 20,
    };
    let network = Network::new(Cell::RnnTanh, task.inputs(), 5, task.outputs());
    let start = Initialisation {
        recurrent: Init::Gaussian { gain: 3.0 },
        ..Initialisation::default()
    };
    let at = network.parameters(&start, &Rng::new(3));
    let batch = task.batch(4, &mut Rng::new(4));
    (network, at, batch)
}

/// The largest distance of entries, in units of the largest of `b`.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let most = b.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs() / most);
    apart.fold(0.0, f64::max)
}

fn sum(parts: &[Array2<f64>]) -> Vec<f64> {
    let zero = Array2::zeros(parts[0].dim());
    parts.iter().fold(zero, |sum, part| sum + part).into_iter().collect()
}

/// Rounding of sums of twenty parts that cancel in part.
const ROUNDING: f64 = 1e-12;

/// The identity of claim A11, within a batch.
#[test]
fn clipping_by_norm_keeps_the_shares_and_by_value_does_not() {
    let (network, at, batch) = exploding();
    let whole = ByLag::of(&network, &at, &batch);
    let own =
        |by_lag: &ByLag| by_lag.gradient[by_lag.recurrent.clone()].to_vec();
    assert!(apart(&sum(&whole.parts), &own(&whole)) < ROUNDING);
    let shares = norm_shares(&whole.parts);
    let clipped = |clip| {
        let mut clipped = whole.clone();
        assert!(clipped.clip(clip, &at).fired());
        assert!(apart(&sum(&clipped.parts), &own(&clipped)) < ROUNDING);
        moved(&norm_shares(&clipped.parts), &shares)
    };
    let norm = longlag_numerics::slice::norm(&whole.gradient);
    assert!(clipped(Clip::Norm(norm / 10.0)) < ROUNDING);
    assert!(clipped(Clip::Value(norm / 100.0)) > 1e-3);
}

#[test]
fn parts_add_up_to_every_optimizers_step() {
    let (network, start, batch) = exploding();
    let sgd = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
    let optimizers = [
        OptimizerConfig::Sgd(SgdConfig::default()),
        OptimizerConfig::Sgd(sgd),
        OptimizerConfig::Sgd(SgdConfig { nesterov: true, ..sgd }),
        OptimizerConfig::Adam(AdamConfig::default()),
        OptimizerConfig::RmsProp(RmsPropConfig::default()),
    ];
    for optimizer in optimizers {
        let mut at = start.clone();
        let mut steps = Steps::new(optimizer, at.values.len());
        let mut shares = vec![];
        for update in 0..3 {
            let by_lag = ByLag::of(&network, &at, &batch);
            let before = at.values.clone();
            let parts = steps.step(&mut at, &by_lag);
            let step: Vec<f64> = by_lag
                .recurrent
                .clone()
                .map(|i| at.values[i] - before[i])
                .collect();
            assert!(apart(&sum(&parts), &step) < ROUNDING, "{optimizer:?}");
            shares = norm_shares(&parts);
            // Plain descent, and the first step with momentum, is the gradient but for a factor.
            let plain = matches!(optimizer, OptimizerConfig::Sgd(_));
            if update == 0 && plain {
                let same = moved(&shares, &norm_shares(&by_lag.parts));
                assert!(same < ROUNDING, "{optimizer:?}: {same}");
            }
        }
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < ROUNDING);
    }
}

#[test]
fn shares_of_known_parts() {
    let parts = [array![[3.0, 4.0]], array![[0.0, 0.0]], array![[0.0, 5.0]]];
    assert_eq!(norm_shares(&parts), [0.5, 0.0, 0.5]);
    assert_eq!(far_share(&[0.5, 0.25, 0.25, 0.0]), 0.25);
    assert_eq!(moved(&[0.5, 0.5], &[0.0, 1.0]), 0.5);
}

/// Its gradient is the slope of its error, and on the ridge it grows by w/4 a step.
#[test]
fn one_unit_knows_its_slope() {
    let unit = OneUnit::default();
    let (at, d) = ([4.5, -2.1], 1e-6);
    let (_, [d_w, d_b]) = unit.error(at);
    let slope = |to: [f64; 2], from: [f64; 2]| {
        (unit.error(to).0 - unit.error(from).0) / (2.0 * d)
    };
    let by_w = slope([at[0] + d, at[1]], [at[0] - d, at[1]]);
    let by_b = slope([at[0], at[1] + d], [at[0], at[1] - d]);
    assert!((d_w / by_w - 1.0).abs() < 1e-6, "{d_w} {by_w}");
    assert!((d_b / by_b - 1.0).abs() < 1e-6, "{d_b} {by_b}");
}

#[test]
fn what_cannot_be_run_is_refused() {
    let good = Config::default;
    let bad = [
        (Config { widths: vec![], ..good() }, "`widths` is []"),
        (Config { own_rates: vec![0.1], ..good() }, "`own_rates`"),
        (Config { limit: 0.0, ..good() }, "`limit` is 0.0"),
        (Config { steps: 5, ..good() }, "`steps` is 5"),
        (Config { omega: f64::NAN, ..good() }, "`omega`"),
    ];
    for (config, message) in bad {
        let error = CliffsAndClipping::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
}
