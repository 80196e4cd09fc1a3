use longlag_experiments::Experiment;
use longlag_experiments::initialisation::{Config, Initialisation};
use longlag_experiments::summary::rank_correlation;

#[test]
fn ranks_of_equal_values_are_shared() {
    let x = [10.0, 20.0, 20.0, f64::INFINITY];
    assert_eq!(rank_correlation(&x, &x), 1.0);
    assert_eq!(rank_correlation(&x, &x.map(|x| -x)), -1.0);
    // Ranks 1, 2.5, 2.5, 4 with 1, 3, 2, 4: 4.5 / √(4.5 · 5).
    let of = rank_correlation(&x, &[1.0, 3.0, 2.0, 4.0]);
    assert!((of - 0.9486832980505138).abs() < 1e-15, "{of}");
    assert!(rank_correlation(&x, &[1.0; 4]).is_nan());
}

#[test]
fn starts_that_cannot_be_compared_are_refused() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Initialisation::check(&config).expect_err("a mistake").0
    };
    let message = refused(&|c| c.judged = 51);
    assert!(message.contains("`judged` is 51"), "{message}");
    let message = refused(&|c| c.widths.clear());
    assert!(message.contains("`widths` is []"), "{message}");
    let message = refused(&|c| drop(c.starts.remove(0)));
    assert!(message.contains("`starts`"), "{message}");
    let message = refused(&|c| c.starts[1].name = c.starts[0].name.clone());
    assert!(message.contains("no two"), "{message}");
    let message = refused(&|c| c.lengths[0] = 5);
    assert!(message.contains("`steps` is 5"), "{message}");
    assert!(Initialisation::check(&Config::default()).is_ok());
}
