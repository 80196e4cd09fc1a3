use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::Experiment;
use longlag_experiments::learning_rate_and_optimizer::{
    Config, LearningRateAndOptimizer, OPTIMIZERS, optimizer,
};
use longlag_experiments::tasks::{Adding, Definition, Task};
use longlag_experiments::update_shares::{ByLag, Steps, moved, norm_shares};
use longlag_numerics::random::Rng;

/// The identity of claim A15: from the same gradients, all rates have the same shares.
#[test]
fn a_learning_rate_changes_no_share() {
    let paper = Definition::Pascanu2013;
    let task = Adding { definition: paper, success: paper, steps: 20 };
    let network = Network::new(Cell::RnnTanh, 2, 5, 1);
    let start = Initialisation::default();
    let at = network.parameters(&start, &Rng::new(1));
    let mut draw = Rng::new(2);
    let gradients: Vec<ByLag> = (0..3)
        .map(|_| ByLag::of(&network, &at, &task.batch(4, &mut draw)))
        .collect();
    for (name, _) in OPTIMIZERS {
        let shares = |rate: f64| {
            let mut at = at.clone();
            let mut steps = Steps::new(optimizer(name, rate), at.values.len());
            let shares =
                gradients.iter().map(|g| norm_shares(&steps.step(&mut at, g)));
            shares.collect::<Vec<_>>()
        };
        for (small, large) in shares(0.01).iter().zip(&shares(1.0)) {
            // A step is the difference of two parameters, rounded to theirs.
            assert!(moved(small, large) < 1e-9, "{name}");
        }
    }
}

#[test]
fn what_cannot_be_run_is_refused() {
    let good = Config::default;
    let bad = [
        (Config { widths: vec![4, 4], ..good() }, "`widths` is [4,4]"),
        (Config { rates: vec![0.1], ..good() }, "`scaled_rates`"),
        (Config { momentums: vec![1.0], ..good() }, "`momentums` is [1.0]"),
        (Config { lengths: [5, 20], ..good() }, "`steps` is 5"),
    ];
    for (config, message) in bad {
        let error =
            LearningRateAndOptimizer::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
}
