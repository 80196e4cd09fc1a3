use longlag_cells::Cell;
use longlag_experiments::learner::{Budget, adam};
use longlag_experiments::runs::Run;
use longlag_experiments::tasks::{Adding, Latch, TaskConfig};
use longlag_experiments::trials::{Trial, Trials, check, solved_pairs, tried};
use longlag_numerics::random::Rng;
use longlag_optim::Clip;
use longlag_report::Report;

fn small() -> Vec<Trial> {
    let budget =
        Budget { updates: 6, batch: 2, ask_every: 2, test: 5, wrong: 0.01 };
    let adding = TaskConfig::Adding(Adding { steps: 20, ..Adding::default() });
    let trial = |name: &str, task, cell| Trial {
        name: name.into(),
        task,
        cell,
        hidden: 3,
        start: Default::default(),
        trainer: adam(1e-2, Clip::None),
        budget,
    };
    let latch = TaskConfig::Latch(Latch::default());
    vec![
        trial("Plain", adding, Cell::RnnTanh),
        trial("Long memory", adding, Cell::Lstm),
        trial("Latch", latch, Cell::Gru),
    ]
}

fn trials() -> Trials {
    Trials::new(small(), 2, 3, Rng::new(4))
}

fn to_the_end(
    trials: &Trials,
    run: usize,
) -> longlag_experiments::trials::Tried {
    let mut run = trials.start(run);
    while run.advance().is_continue() {}
    run.outcome()
}

#[test]
fn a_report_gives_back_what_it_was_given() {
    let trials = trials();
    assert_eq!(trials.names()[..3], ["plain 1", "plain 2", "long_memory 1"]);
    let outcomes: Vec<_> =
        (0..trials.count()).map(|run| to_the_end(&trials, run)).collect();
    let mut report = Report::new("test", &());
    trials.add_to(&mut report, &outcomes);
    let of = tried(&report, "long_memory").unwrap();
    assert_eq!(of.len(), 2);
    for (there, here) in of.iter().zip(trials.of(1, &outcomes)) {
        assert_eq!((there.updates, there.right), (here.updates, here.right));
        for k in 0..2 {
            let apart = there.growth[k] / here.growth[k] - 1.0;
            assert!(apart.abs() < 1e-3, "{there:?} {here:?}");
        }
    }
    assert!(report.facts().contains_key("long_memory_solved"));
    assert_eq!(solved_pairs(&report, "plain", "latch").unwrap().len(), 2);
}

#[test]
fn a_trial_goes_on_where_it_was() {
    let trials = trials();
    let whole = to_the_end(&trials, 2);
    let mut first = trials.start(2);
    for _ in 0..3 {
        assert!(first.advance().is_continue());
    }
    let mut second = trials.start(2);
    second.restore(first.save()).unwrap();
    while second.advance().is_continue() {}
    assert_eq!(second.outcome(), whole);
    assert!(trials.start(4).restore(first.save()).is_err());
}

/// Two networks of one shape start from the same numbers and see the same batches.
#[test]
fn trials_of_a_seed_are_paired() {
    let mut two = small()[..1].to_vec();
    two.push(Trial { name: "again".into(), ..two[0].clone() });
    let trials = Trials::new(two, 2, 0, Rng::new(4));
    let of = |run| trials.start(run).save();
    assert_eq!(of(0).0, of(2).0);
    assert_ne!(of(0).0, of(1).0);
    let [first, again] = [0, 2].map(|run| to_the_end(&trials, run));
    assert_eq!((first.updates, first.right), (again.updates, again.right));
}

#[test]
fn what_cannot_be_tried_is_refused() {
    let with = |change: &dyn Fn(&mut Trial)| {
        let mut all = small();
        change(&mut all[1]);
        check(&all).expect_err("a mistake").0
    };
    let message = with(&|t| t.name = "plain".into());
    assert!(message.contains("`trials`"), "{message}");
    let message = with(&|t| t.hidden = 0);
    assert!(message.contains("`hidden` is 0"), "{message}");
    let message = with(&|t| t.budget.batch = 0);
    assert!(message.contains("`batch` is 0"), "{message}");
    let message = with(&|t| t.start.chrono = Some(1.0));
    assert!(message.contains("Long memory"), "{message}");
    assert!(check(&small()).is_ok());
}
