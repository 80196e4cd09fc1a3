//! The protocol against published values, exact counts and its own definitions.

use longlag_experiments::protocol::*;
use longlag_report::{LookupError, Report};
use proptest::prelude::*;

/// Rounding: of sums of up to 2,560 terms, each made by as many divisions, the last digits.
const ROUNDING: f64 = 1e-12;

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= ROUNDING * b.abs(), "{a:e} is not {b:e}");
}

fn choose(n: u32, k: u32) -> u128 {
    (0..k).fold(1, |c, i| c * u128::from(n - i) / u128::from(i + 1))
}

// ------------------------------------------------------------ the binomial

#[test]
fn binomial_probabilities_are_those_of_whole_numbers() {
    // With p = a/64, all are multiples of 64⁻ⁿ.
    for n in [0, 1, 7, 20] {
        for a in [0, 1, 13, 32, 63, 64_u32] {
            let all = u128::from(64_u32).pow(n);
            let got = binomial(n as usize, f64::from(a) / 64.0);
            for k in 0..=n {
                let part = u128::from(a).pow(k) * u128::from(64 - a).pow(n - k);
                let exact = (choose(n, k) * part) as f64 / all as f64;
                close(got[k as usize], exact);
            }
        }
    }
}

#[test]
fn binomial_of_many_trials_neither_overflows_nor_vanishes() {
    for p in [1e-9, 0.25, 0.5, 0.999] {
        let got = binomial(100_000, p);
        close(got.iter().sum(), 1.0);
        let mean: f64 = got.iter().enumerate().map(|(k, w)| k as f64 * w).sum();
        assert!((mean - 1e5 * p).abs() <= 1e-9 * 1e5 * p);
    }
}

// ----------------------------------------------------------- the intervals

#[test]
fn order_statistics_around_the_median() {
    let ranks = |n| median_ranks(n).unwrap();
    assert_eq!(ranks(10), (2..=9, 1.0 - 22.0 / 1024.0));
    assert_eq!(ranks(20).0, 6..=15);
    close(ranks(20).1, 1.0 - 2.0 * 21_700.0 / 1_048_576.0);
    assert_eq!(ranks(6), (1..=6, 1.0 - 2.0 / 64.0));
    assert!((0..6).all(|n| median_ranks(n).is_none()));
    for n in 6..=120_u32 {
        let (ranks, coverage) = ranks(n as usize);
        let r = *ranks.start() as u32;
        assert_eq!(*ranks.end() as u32, n + 1 - r);
        let missed = |r| 2 * (0..r).map(|k| choose(n, k)).sum::<u128>();
        let all = 1_u128 << n;
        assert!(20 * missed(r) <= all, "n = {n}: more than 5 % missed");
        assert!(20 * missed(r + 1) > all, "n = {n}: a narrower one exists");
        close(coverage, 1.0 - missed(r) as f64 / all as f64);
    }
}

#[test]
fn medians() {
    let values: Vec<Interval> = (1..=10).map(|i| f64::from(i).into()).collect();
    assert_eq!(median_interval(&values), Interval { low: 2.0, high: 9.0 });
    assert_eq!(median_interval(&values[..5]), Interval::ALL);
}

proptest! {
    /// What is not known could be anything: whatever it turns out to be, the interval is not beyond what was
    /// given before.
    #[test]
    fn an_unknown_value_widens_the_median_interval(
        values in prop::collection::vec((-9.0..9.0, 0.0..1.0, 0.0..9.0), 6..30),
        nan in 0..6_usize,
    ) {
        let width = |w: f64| if w < 5.0 { 0.0 } else { w };
        let mut before: Vec<Interval> = values
            .iter()
            .map(|&(low, _, w)| Interval { low, high: low + width(w) })
            .collect();
        before[nan] = f64::NAN.into();
        let after: Vec<Interval> = values
            .iter()
            .map(|&(low, part, w)| Interval::from(low + part * width(w)))
            .collect();
        let (before, after) = (median_interval(&before), median_interval(&after));
        prop_assert!(before.low <= after.low && after.high <= before.high);
    }

    #[test]
    fn the_sign_test_leaves_zero_out_when_the_interval_does(
        values in prop::collection::vec(-1.0..3.0, 6..40),
    ) {
        prop_assume!(values.iter().all(|&v| v != 0.0));
        let contrast = Contrast::of_differences("", values);
        let beyond = !contrast.interval.contains(0.0);
        prop_assert_eq!(contrast.p <= 1.0 - CONFIDENCE, beyond);
    }
}

/// Successes, trials, confidence, both limits: roots of the regularised incomplete beta function, bisected with
/// 50 digits by mpmath 1.4.1. (SciPy 1.17.1 has the same to 11 digits, and no more for 1 of 20.)
const CLOPPER_PEARSON: [(usize, usize, f64, f64, f64); 8] = [
    (0, 10, 0.95, 0.0, 0.308_497_107_818_760_8),
    (3, 10, 0.95, 0.066_739_511_177_734_47, 0.652_452_850_059_997_3),
    (10, 10, 0.95, 0.691_502_892_181_239_2, 1.0),
    (16, 20, 0.95, 0.563_385_997_003_331_6, 0.942_666_002_949_967_2),
    (16, 20, 0.975, 0.531_389_782_548_591_1, 0.953_441_306_277_709_8),
    (1, 20, 0.95, 0.001_265_089_497_949_803_7, 0.248_732_762_772_027_78),
    (2511, 2560, 0.95, 0.974_773_271_636_176_2, 0.985_806_951_902_877_6),
    (5, 7, 0.99, 0.202_972_395_703_302, 0.984_155_670_571_229_3),
];

#[test]
fn clopper_pearson_to_the_last_digits() {
    for (k, n, confidence, low, high) in CLOPPER_PEARSON {
        let got = clopper_pearson(k, n, confidence);
        close(got.low, low);
        close(got.high, high);
    }
}

#[test]
fn clopper_pearson_covers() {
    for n in [1, 2, 5, 10, 20, 33] {
        let intervals: Vec<Interval> =
            (0..=n).map(|k| clopper_pearson(k, n, CONFIDENCE)).collect();
        for i in 0..=400 {
            let p = f64::from(i) / 400.0;
            let seen = binomial(n, p);
            let covered = intervals.iter().zip(seen);
            let covered: f64 =
                covered.filter(|(i, _)| i.contains(p)).map(|(_, w)| w).sum();
            assert!(covered >= CONFIDENCE, "n = {n}, p = {p}: {covered}");
        }
    }
}

#[test]
fn the_difference_of_successes_covers() {
    let n = 12;
    let interval = |ours, theirs| success_difference(ours, theirs, n);
    let intervals: Vec<Vec<Interval>> = (0..=n)
        .map(|ours| (0..=n - ours).map(|t| interval(ours, t)).collect())
        .collect();
    for a in 0..=20 {
        for b in 0..=20 - a {
            let (p, q) = (f64::from(a) / 20.0, f64::from(b) / 20.0);
            let mut covered = 0.0;
            for (ours, w) in binomial(n, p).into_iter().enumerate() {
                let rest = if p < 1.0 { (q / (1.0 - p)).min(1.0) } else { 0.0 };
                let theirs = binomial(n - ours, rest);
                let hit = theirs.iter().zip(&intervals[ours]);
                covered += w * hit
                    .filter(|(_, i)| i.contains(p - q))
                    .map(|(w, _)| w)
                    .sum::<f64>();
            }
            assert!(covered >= CONFIDENCE, "{p} and {q}: {covered}");
        }
    }
}

#[test]
fn sixteen_of_twenty_are_beyond_the_margin() {
    let low = |ours| success_difference(ours, 0, 20).low;
    assert!(low(16) > 0.3 && low(15) < 0.3);
    // Equal on all twenty seeds is the same, by that margin.
    let same = success_difference(0, 0, 20);
    assert!(Prediction::Within(SUCCESS_MARGIN).is_met(same).unwrap());
}

// --------------------------------------------------------------- the tests

#[test]
fn sign_test_by_counting() {
    // Darwin's 15 pairs of plants, 13 taller and 2 shorter.
    close(sign_test(13, 2), 2.0 * (1.0 + 15.0 + 105.0) / 32_768.0);
    assert_eq!(sign_test(2, 13), sign_test(13, 2));
    assert_eq!(sign_test(0, 0), 1.0);
    assert_eq!(sign_test(3, 3), 1.0);
    close(sign_test(20, 0), 2.0 / 1_048_576.0);
}

#[test]
#[expect(clippy::approx_constant, reason = "3.14 is a patient's score")]
fn wilcoxon_as_published() {
    // Depression scale of nine patients at two visits: Hollander & Wolfe 1973, page 29.
    let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
    let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    let differences: Vec<f64> =
        before.iter().zip(after).map(|(b, a)| b - a).collect();
    assert_eq!(wilcoxon(&differences), 20.0 / 512.0);
    // Darwin's plants, in eighths of an inch. SciPy 1.17.1 gives the same.
    let darwin = [
        49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0,
        75.0, 60.0, -48.0,
    ];
    assert_eq!(wilcoxon(&darwin), 0.041_259_765_625);
    assert_eq!(wilcoxon(&[]), 1.0);
    assert_eq!(wilcoxon(&[0.0, 0.0]), 1.0);
}

proptest! {
    /// With ties and zeros too, it counts the signs that do as much.
    #[test]
    fn wilcoxon_by_all_signs(differences in prop::collection::vec(-4..=4, 0..11)) {
        let sizes: Vec<i32> =
            differences.iter().filter(|d| **d != 0).copied().collect();
        let rank = |d: i32| -> i32 {
            let smaller = sizes.iter().filter(|o| o.abs() < d.abs()).count();
            let equal = sizes.iter().filter(|o| o.abs() == d.abs()).count();
            (2 * smaller + equal + 1) as i32
        };
        let off = |signs: &dyn Fn(usize) -> bool| -> i32 {
            let ranks = sizes.iter().enumerate();
            let sum: i32 = ranks
                .map(|(i, &d)| if signs(i) { rank(d) } else { -rank(d) })
                .sum();
            sum.abs()
        };
        let seen = off(&|i| sizes[i] > 0);
        let all = 1_u32 << sizes.len();
        let as_far = (0..all).filter(|s| off(&|i| s >> i & 1 == 1) >= seen);
        let exact = as_far.count() as f64 / f64::from(all);
        let values: Vec<f64> = differences.iter().map(|&d| d.into()).collect();
        prop_assert_eq!(wilcoxon(&values), exact);
    }
}

#[test]
fn holm_by_hand() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
    for (a, b) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
        close(*a, b);
    }
    assert_eq!(holm(&[0.4, 0.6]), [0.8, 0.8]);
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    assert_eq!(holm(&[]), [0.0; 0]);
}

proptest! {
    #[test]
    fn holm_keeps_order_and_bounds(p in prop::collection::vec(0.0..=1.0, 1..12)) {
        let adjusted = holm(&p);
        let m = p.len() as f64;
        for (&p, &a) in p.iter().zip(&adjusted) {
            prop_assert!(p <= a && a <= (m * p).min(1.0));
        }
        for i in 0..p.len() {
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
            }
        }
    }

    /// The step-down procedure itself: go through the tests by their p, stop at the first that isn't small
    /// enough.
    #[test]
    fn holm_rejects_what_the_procedure_rejects(
        p in prop::collection::vec(0.0..0.2_f64, 1..12),
        alpha in 0.01..0.2,
    ) {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
        let small = |&(rank, &test): &(usize, &usize)| {
            (p.len() - rank) as f64 * p[test] <= alpha
        };
        let rejected: Vec<usize> =
            order.iter().enumerate().take_while(small).map(|(_, &t)| t).collect();
        for (test, a) in holm(&p).into_iter().enumerate() {
            prop_assert_eq!(a <= alpha, rejected.contains(&test));
        }
    }
}

// ----------------------------------------------------------- time to solve

use SolveTime::{Solved, Unsolved};

/// Weeks of remission under 6-mercaptopurine: Freireich et al. 1963. The estimate is from SciPy 1.17.1's `ecdf`.
#[test]
fn kaplan_meier_as_published() {
    let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|t| Solved(t.into()));
    let lost = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let runs = [&ended[..], &lost.map(|t| Unsolved(t.into()))].concat();
    let estimate = KaplanMeier::of(&runs);
    let published = [
        (6.0, 18.0 / 21.0),
        (7.0, 0.806_722_689_075_630_2),
        (10.0, 0.752_941_176_470_588_2),
        (13.0, 0.690_196_078_431_372_4),
        (16.0, 0.627_450_980_392_156_7),
        (22.0, 0.537_815_126_050_42),
        (23.0, 0.448_179_271_708_683_4),
    ];
    assert_eq!(estimate.steps.len(), published.len());
    for (got, (cost, share)) in estimate.steps.iter().zip(published) {
        assert_eq!(got.0, cost);
        close(got.1, share);
    }
    assert_eq!(estimate.median(), Some(23.0));
    assert_eq!(estimate.unsolved(5.9), 1.0);
    assert_eq!(estimate.unsolved(22.5), estimate.steps[5].1);
}

proptest! {
    #[test]
    fn kaplan_meier_without_the_unsolved_is_the_distribution(
        costs in prop::collection::vec(1..30_u8, 1..30),
    ) {
        let costs: Vec<f64> = costs.into_iter().map(f64::from).collect();
        let runs: Vec<SolveTime> = costs.iter().copied().map(Solved).collect();
        let estimate = KaplanMeier::of(&runs);
        for t in 0..32 {
            let t = f64::from(t);
            let left = costs.iter().filter(|&&c| c > t).count();
            prop_assert_eq!(estimate.unsolved(t), left as f64 / costs.len() as f64);
        }
        prop_assert_eq!(estimate.median(), Some(longlag_probe::statistics::median(&costs)));
    }

    /// One budget for all changes nothing before it.
    #[test]
    fn kaplan_meier_to_a_budget(
        costs in prop::collection::vec(1..30_u8, 1..30),
        budget in 1..30_u8,
    ) {
        let full: Vec<SolveTime> =
            costs.iter().map(|&c| Solved(c.into())).collect();
        let cut: Vec<SolveTime> = costs
            .iter()
            .map(|&c| match c <= budget {
                true => Solved(c.into()),
                false => Unsolved(budget.into()),
            })
            .collect();
        let (full, cut) = (KaplanMeier::of(&full), KaplanMeier::of(&cut));
        for t in 0..=budget {
            prop_assert_eq!(full.unsolved(t.into()), cut.unsolved(t.into()));
        }
        prop_assert_eq!(cut.median().is_some(), cut.unsolved(f64::MAX) <= 0.5);
    }
}

#[test]
fn the_median_time_to_solve_has_an_interval() {
    // Of 20 runs, 12 solve: the upper rank, 15, is among those that don't.
    let solved = (1..=12).map(|i| Solved(f64::from(i)));
    let runs: Vec<SolveTime> = solved.chain([Unsolved(99.0); 8]).collect();
    let known: Vec<Interval> = runs.iter().map(|&r| r.into()).collect();
    let interval = median_interval(&known);
    assert_eq!(interval, Interval { low: 6.0, high: f64::INFINITY });
    assert_eq!(KaplanMeier::of(&runs).median(), Some(10.5));
    let never = [Interval::from(Unsolved(99.0)); 20];
    assert_eq!(median_interval(&never).low, 99.0);
}

#[test]
fn ratios_of_times() {
    let ratio = |a: SolveTime, b| a.over(b);
    let exactly = Interval::from;
    assert_eq!(ratio(Solved(6.0), Solved(3.0)), exactly(2.0));
    let infinity = f64::INFINITY;
    let more = Interval { low: 3.0, high: infinity };
    assert_eq!(ratio(Unsolved(9.0), Solved(3.0)), more);
    let less = Interval { low: 0.0, high: 0.5 };
    assert_eq!(ratio(Solved(3.0), Unsolved(6.0)), less);
    let any = Interval { low: 0.0, high: infinity };
    assert_eq!(ratio(Unsolved(3.0), Unsolved(6.0)), any);
}

// --------------------------------------------------------------- verdicts

#[test]
fn a_prediction_is_met_missed_or_open() {
    let beyond = Prediction::Beyond(Margin::Difference(1.0));
    let within = Prediction::Within(Margin::Difference(1.0));
    let check = |low, high, expected: [Option<bool>; 2]| {
        let interval = Interval { low, high };
        let got = [beyond, within].map(|p| p.is_met(interval));
        assert_eq!(got, expected, "{interval:?}");
    };
    check(1.1, 2.0, [Some(true), Some(false)]);
    check(1.0, 2.0, [None, None]);
    check(0.5, 2.0, [None, None]);
    check(-0.9, 0.9, [Some(false), Some(true)]);
    check(-1.0, 0.9, [Some(false), None]);
    check(-2.0, 0.9, [Some(false), None]);
    check(-3.0, -2.0, [Some(false), Some(false)]);
    check(f64::NEG_INFINITY, f64::INFINITY, [None, None]);
    let twice = Prediction::Within(FACTOR_MARGIN);
    let met = |low, high| twice.is_met(Interval { low, high });
    assert_eq!(met(0.51, 1.9), Some(true));
    assert_eq!(met(0.5, 1.9), None);
    assert_eq!(met(0.1, 0.4), Some(false));
}

#[test]
fn a_verdict_needs_every_condition() {
    let [met, open, missed] = [(2.0, 3.0), (0.0, 3.0), (-3.0, 0.5)]
        .map(|(low, high)| Interval { low, high });
    let decide = |contrasts: &[Interval]| {
        decide(Prediction::Beyond(GROWTH_MARGIN), contrasts)
    };
    assert_eq!(decide(&[met, met]), Verdict::Holds);
    assert_eq!(decide(&[missed, missed]), Verdict::Fails);
    for mixed in [[met, open], [open, missed], [met, missed]] {
        assert_eq!(decide(&mixed), Verdict::Unsettled);
    }
}

#[test]
#[should_panic(expected = "no contrast")]
fn no_condition_is_no_verdict() {
    decide(Prediction::Beyond(GROWTH_MARGIN), &[]);
}

#[test]
fn contrasts() {
    let rises = Contrast::of_differences("", (0..10).map(f64::from));
    assert_eq!(rises.estimate, 4.5.into());
    assert_eq!(rises.interval, Interval { low: 1.0, high: 8.0 });
    assert_eq!((rises.seeds, rises.p), (10, sign_test(9, 0)));

    // A diverged run could have come out on either side.
    let nan =
        Contrast::of_differences("", [&[1.0; 9][..], &[f64::NAN]].concat());
    assert_eq!(nan.p, sign_test(9, 1));
    assert_eq!(nan.interval, 1.0.into());
    let nan =
        Contrast::of_differences("", [1.0, 1.0, f64::NAN, f64::NAN, f64::NAN]);
    assert_eq!((nan.p, nan.interval), (1.0, Interval::ALL));

    let times = [Unsolved(8.0); 10].map(|slow| slow.over(Solved(2.0)));
    let slower = Contrast::of_ratios("", times);
    assert_eq!(slower.interval, Interval { low: 4.0, high: f64::INFINITY });
    assert_eq!(slower.p, sign_test(10, 0));

    let pairs = [[(true, false); 16], [(true, true); 16]].concat();
    let more = Contrast::of_successes("", &pairs[..20]);
    assert_eq!((more.estimate, more.p), (0.8.into(), sign_test(16, 0)));
    assert_eq!(more.interval, success_difference(16, 0, 20));
}

/// A contrast for each row of the report's table.
fn measure(report: &Report) -> Result<Vec<Contrast>, LookupError> {
    let table = report.find_table("differences")?;
    let seeds = table.numbers("seeds");
    let rows = seeds.into_iter().zip(table.numbers("difference"));
    Ok(rows
        .map(|(n, d)| Contrast::of_differences("", vec![d; n as usize]))
        .collect())
}

const PRIMARY: Primary = Primary {
    contrast: "growth of A less growth of B",
    predicts: Prediction::Beyond(GROWTH_MARGIN),
    seeds: SEEDS_OF_MEASUREMENTS,
    only_if: None,
    measure,
};

const fn claim(primary: Primary) -> Claim {
    Claim { id: "A0", statement: "A grows", rule: Rule::Measured(primary) }
}

fn report(rows: &[(usize, f64)]) -> Report {
    let mut report = Report::new("made-up", &());
    let table = report.table("differences", ["seeds", "difference"]);
    rows.iter().for_each(|&row| {
        table.row(row);
    });
    report
}

#[test]
fn claims_are_judged() {
    let judge = |primary, rows: &[(usize, f64)]| {
        claim(primary).judge(&report(rows)).unwrap().verdict
    };
    assert_eq!(judge(PRIMARY, &[(10, 2.0), (20, 3.0)]), Verdict::Holds);
    assert_eq!(judge(PRIMARY, &[(10, 0.2), (20, -3.0)]), Verdict::Fails);
    assert_eq!(judge(PRIMARY, &[(10, 2.0), (9, 3.0)]), Verdict::Unsettled);
    let gain = Primary { only_if: Some("the gain is 4 or more"), ..PRIMARY };
    let held = judge(gain, &[(10, 2.0)]);
    assert_eq!(held.to_string(), "holds if the gain is 4 or more");
    assert_eq!(judge(gain, &[(10, 0.0)]), Verdict::Fails);
    let same = Prediction::Within(GROWTH_MARGIN);
    let same = Primary { predicts: same, ..PRIMARY };
    assert_eq!(judge(same, &[(10, 0.2)]), Verdict::Holds);

    let lacking = claim(PRIMARY).judge(&Report::new("made-up", &()));
    let message = lacking.unwrap_err().to_string();
    assert!(message.contains("tables.differences"), "{message}");
}

#[test]
fn the_ledger_adjusts_over_all_that_have_a_p() {
    let identity = Claim {
        rule: Rule::Identity { test: "crates/cells/tests/reference.rs" },
        ..claim(PRIMARY)
    };
    let same = Prediction::Within(GROWTH_MARGIN);
    let same = claim(Primary { predicts: same, ..PRIMARY });
    let plain = claim(PRIMARY);
    // Ten seeds of the same sign, and of the two conditions the worse p.
    let (sure, weak) = (report(&[(10, 2.0)]), report(&[(6, 2.0), (20, 2.0)]));
    let lines = ledger([
        (&plain, &weak),
        (&identity, &sure),
        (&same, &sure),
        (&plain, &sure),
    ])
    .unwrap();
    let p: Vec<_> = lines.iter().map(|l| (l.finding.p, l.adjusted_p)).collect();
    let (weak, sure) = (sign_test(6, 0), sign_test(10, 0));
    assert_eq!(
        p,
        [
            (Some(weak), Some(weak)),
            (None, None),
            (None, None),
            (Some(sure), Some(2.0 * sure)),
        ]
    );
    assert_eq!(lines[1].finding.verdict, Verdict::Identity);
    assert_eq!(lines[0].finding.verdict, Verdict::Unsettled);
    assert_eq!(lines[2].finding.verdict, Verdict::Fails);
}
