use longlag_experiments::Experiment;
use longlag_experiments::lstm_can_explode::{
    Config, Drive, LstmCanExplode, lstm, rnn,
};
use longlag_experiments::runs::{Recorded, Run, Runs};
use longlag_experiments::tasks::TemporalOrder;
use longlag_numerics::Real;
use longlag_numerics::random::Rng;
use std::f64::consts::LOG10_E;

const DRIVE: Drive = Drive { hidden: 6, noise: 0.5, burn_in: 5, steps: 40 };

fn small() -> Config {
    let published = Config::default();
    let mut budget = published.budget;
    (budget.updates, budget.batch, budget.test) = (4, 2, 3);
    let task = TemporalOrder { steps: 20, ..published.task };
    Config { seeds: 1, widths: vec![4, 3], task, budget, ..published }
}

/// With hardly any recurrent weights, what is left of an LSTM's state is the product of the forget gates; of the plain
/// network's hardly anything, by a factor of the gain at each step.
#[test]
fn at_a_small_gain_both_are_known() {
    let rng = Rng::new(1);
    let quiet = Drive { noise: 0.0, ..DRIVE };
    let f: f64 = Real::sigmoid(1.0);
    let decades = 40.0 * LOG10_E * Real::ln(f);
    let left = lstm(quiet, 1.0, 1e-3, &rng).log10_total();
    assert!((left - decades).abs() < 1e-2, "{left} {decades}");
    let [one, tenth] = [1e-2, 1e-3].map(|g| rnn(quiet, g, &rng).log10_total());
    // In the state 0 the Jacobian is U, at every step.
    assert!((one - tenth - 40.0).abs() < 1e-6, "{one} {tenth}");
}

/// The largest norm is that of all updates so far, whether the training was stopped between them or not.
#[test]
fn the_largest_gradient_goes_on_where_it_was() {
    let config = small();
    let networks = LstmCanExplode::runs(&config);
    let whole = |mut run: <longlag_experiments::lstm_can_explode::Networks as Runs>::Run<'_>| {
        while run.advance().is_continue() {}
        let outcome = run.outcome();
        outcome.left().expect("a training").largest
    };
    let largest = whole(networks.start(0));
    assert!(largest > 0.0);
    let mut first = networks.start(0);
    for _ in 0..2 {
        assert!(first.advance().is_continue());
    }
    let mut second = networks.start(0);
    second.restore(first.save()).unwrap();
    assert_eq!(whole(second), largest);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let mut methods = small().methods;
    methods[1] = methods[0];
    let bad = [
        (Config { gains: vec![1.0, 4.0], ..small() }, "`gains` is [1.0,4.0]"),
        (Config { methods, ..small() }, "`methods`"),
        (Config { widths: vec![], ..small() }, "`widths` is []"),
        (Config { steps: 0, ..small() }, "`steps` is 0, but"),
        (Config { noise: -1.0, ..small() }, "`noise`"),
    ];
    for (config, message) in bad {
        let error = LstmCanExplode::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
    assert!(LstmCanExplode::check(&small()).is_ok());
}
