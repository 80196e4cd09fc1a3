use longlag_autodiff::Tape;
use longlag_cells::{Cell, Initialisation, Network};
use longlag_experiments::Experiment;
use longlag_experiments::learner::Learnable;
use longlag_experiments::overfitting_is_another_problem::{
    Config, Dropped, Dropping, Few, Learnt, Look, OverfittingIsAnotherProblem,
    adding, hold, unroll,
};
use longlag_experiments::tasks::Task;
use longlag_numerics::Parameters;
use longlag_numerics::precise::powi;
use longlag_numerics::random::Rng;

const STEPS: usize = 12;

fn network() -> (Network, Parameters<f32>) {
    let network = Network::new(Cell::Lstm, 2, 4, 1);
    let weights = network.parameters(&Initialisation::default(), &Rng::new(1));
    (network, weights)
}

/// What a network with this dropout is trained on in one update.
fn loss(dropping: Option<(Dropping, f64)>, update: u64) -> f32 {
    let (network, weights) = network();
    let batch = adding(STEPS).batch(5, &mut Rng::new(3));
    let model = Dropped { network, dropping, masks: Rng::new(2) };
    let tape = Tape::new();
    model.loss(&batch, update, &tape.bind(&weights)).item()
}

/// Each kind draws new masks for each update and the same for the same one, and with probability 0 changes nothing.
#[test]
fn dropout_is_of_its_update() {
    let without = loss(None, 1);
    for how in Dropping::ALL {
        let with = |p, update| loss(Some((how, p)), update);
        assert!((with(0.0, 1) / without - 1.0).abs() < 1e-5, "{how:?}");
        assert_eq!(with(0.5, 1), with(0.5, 1), "{how:?}");
        assert_ne!(with(0.5, 1), with(0.5, 2), "{how:?}");
        assert_ne!(with(0.5, 1), without, "{how:?}");
    }
}

/// Dropping all of c in a step leaves no gradient from before it; dropping all of h or g leaves that along c.
#[test]
fn only_dropout_of_c_cuts_the_carousel() {
    let (network, weights) = network();
    let batch = adding(STEPS).batch(3, &mut Rng::new(3));
    let far = |how| {
        let tape = Tape::new();
        let weights = weights.map(f64::from);
        let bound = tape.bind(&weights);
        let mut start = network.layer.zero_state(&tape, 3);
        let c = start.c.expect("an LSTM has a cell state").value();
        let c = tape.leaf(&(c + 0.5).view());
        start.c = Some(c);
        let (w, x) =
            (network.layer.weights(&bound), tape.constant(&batch.x.view()));
        // A probability of 1 would divide by 0; with this one, all is dropped.
        let dropped = (how, 1.0 - 1e-12);
        let states =
            unroll(&network.layer, &w, x, start, dropped, &mut Rng::new(5));
        let last = states.last().expect("there are steps").c.expect("a state");
        last.sum().backward().of(c).iter().map(|g| g.abs()).sum::<f64>()
    };
    assert_eq!(far(Dropping::Cell), 0.0);
    for how in [Dropping::Candidate, Dropping::Sequence, Dropping::Upward] {
        assert!(far(how) > 1e-6, "{how:?}");
    }
}

/// Of a memory what is kept in one step to the power of the steps is left, of its bits as of its gradient.
#[test]
fn a_memory_that_is_dropped_on_decays_by_the_law_of_the_product() {
    let (size, p, spans) = ((16, 400), 0.02, [10, 40, 80]);
    let left = hold(size, &spans, (Dropping::Cell, p), &Rng::new(1));
    for (left, span) in left.iter().zip(spans) {
        let law = powi(1.0 - p, span as u64);
        // Six standard deviations of 6400 bits are below 0.04; twice that for reading.
        assert!((left.bits - law).abs() < 0.08, "{left:?} {law}");
        assert!((left.gradient - law).abs() < 0.04, "{left:?} {law}");
    }
    for how in [Dropping::Candidate, Dropping::Sequence] {
        let left = hold(size, &spans, (how, 0.5), &Rng::new(1));
        assert!(left.iter().all(|l| l.bits == 1.0 && l.gradient == 1.0));
    }
}

/// Few sequences are split without loss, and batches are drawn from them alone.
#[test]
fn few_are_few() {
    let few = Few::of(adding(STEPS), 10, &mut Rng::new(1));
    let [first, last] = few.split(3);
    assert_eq!([first.sequences.len(), last.sequences.len()], [7, 3]);
    assert_eq!([&first.sequences[..], &last.sequences].concat(), few.sequences);
    let mut draw = Rng::new(2);
    for _ in 0..50 {
        assert!(first.sequences.contains(&first.sequence(&mut draw)));
    }
}

/// Early stopping goes by what is held out, and by nothing else.
#[test]
fn early_stopping_ends_at_the_least_loss_that_it_sees() {
    let look = |updates, held_out, right| Look {
        updates,
        learnt: 0.0,
        held_out,
        test: 0.0,
        right,
        solved: false,
    };
    let of = |held_out: [f64; 3]| {
        let looks = [
            look(0, held_out[0], 0.9),
            look(1, held_out[1], 0.1),
            look(2, held_out[2], 0.5),
        ];
        Learnt { looks: looks.to_vec(), diverged: false }.end().updates
    };
    assert_eq!(of([0.3, 0.1, 0.2]), 1);
    assert_eq!(of([f64::NAN; 3]), 2);
}

#[test]
fn configs_that_cannot_be_run_are_refused() {
    let usual = Config::default;
    for (field, config) in [
        ("seeds", Config { seeds: 0, ..usual() }),
        ("few", Config { few: 1, ..usual() }),
        ("lengths", Config { lengths: vec![], ..usual() }),
        ("spans", Config { spans: vec![20, 10], ..usual() }),
        ("drops", Config { drops: vec![1.0, 0.1, 0.2], ..usual() }),
        ("decays", Config { decays: vec![0.1], ..usual() }),
        ("own", Config { own: [2.0; 6], ..usual() }),
        ("learning_rate", Config { learning_rate: f64::NAN, ..usual() }),
    ] {
        let refused = OverfittingIsAnotherProblem::check(&config);
        let message = refused.expect_err(field).to_string();
        assert!(message.contains(field), "{message}");
    }
    assert!(OverfittingIsAnotherProblem::check(&usual()).is_ok());
}
