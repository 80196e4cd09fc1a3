use longlag_experiments::Experiment;
use longlag_experiments::long_lag_race::{Config, Fits, LongLagRace};
use longlag_experiments::tasks::Copying;
use longlag_numerics::Real;

#[test]
fn a_law_is_found_again() {
    let lengths = [20.0, 50.0, 100.0, 200.0];
    let power = |t: f64| 3.0 * t * t.sqrt();
    let exponential = |t: f64| 3.0 * Real::exp(0.01 * t);
    let of = |law: &dyn Fn(f64) -> f64| {
        Fits::of(&lengths.map(|t| (t, law(t)))).expect("enough points")
    };
    let fits = of(&power);
    assert!((fits.power - 1.5).abs() < 1e-12 && fits.power_miss < 1e-12);
    assert!(fits.rate_miss > 0.1, "{fits:?}");
    let fits = of(&exponential);
    assert!((fits.rate - 0.01).abs() < 1e-12 && fits.rate_miss < 1e-12);
    assert!(fits.power_miss > 0.05, "{fits:?}");
    // A factor of 10 at one of four lengths: off by 1 there, the mean by 1/4, the slope corrected.
    let off = |t: f64| if t == 50.0 { 10.0 } else { 1.0 };
    assert!((0.3..0.5).contains(&of(&off).power_miss), "{:?}", of(&off));
    assert!(Fits::of(&[(1.0, 2.0), (2.0, 3.0)]).is_none());
}

#[test]
fn what_cannot_be_raced_is_refused() {
    let bad = [
        (Config { lengths: vec![50, 20], ..Config::default() }, "`lengths`"),
        (Config { decisive: 70, ..Config::default() }, "`decisive` is 70"),
        (Config { contenders: vec![], ..Config::default() }, "IRNN"),
        (Config { order: 3, ..Config::default() }, "`steps` is 3"),
        (
            Config {
                copying: vec![Copying::default(); 2],
                ..Config::default()
            },
            "`copying`",
        ),
        (Config { seeds: 0, ..Config::default() }, "`seeds` is 0"),
    ];
    for (config, message) in bad {
        let error = LongLagRace::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
    let mut twice = Config::default();
    twice.relatives[0].name = "IRNN".into();
    assert!(LongLagRace::check(&twice).is_err());
    assert!(LongLagRace::check(&Config::default()).is_ok());
}
