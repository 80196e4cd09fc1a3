use longlag_cells::{Cell, RecurrentCell};
use longlag_experiments::Experiment;
use longlag_experiments::which_gate_matters::{Config, WhichGateMatters};

#[test]
fn each_network_lacks_what_it_is_called_by() {
    let gates = |name: &str| {
        let networks = Config::default().networks;
        let of = networks.iter().find(|network| network.name == name);
        of.expect("it learns").cell.gates()
    };
    assert_eq!(gates("LSTM"), Cell::Lstm.gates());
    assert_eq!(gates("no input gate"), ["f", "g", "o"]);
    assert_eq!(gates("no forget gate"), ["i", "g", "o"]);
    assert_eq!(gates("no output gate"), ["i", "f", "g"]);
    assert_eq!(gates("coupled gates"), ["i", "g", "o"]);
    assert_eq!(gates("peepholes"), ["i", "f", "g", "o"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut without = Config::default();
    without.networks.retain(|network| network.name != "GRU");
    let bad = [
        (without, "no forget gate"),
        (Config { probes: 0, ..Config::default() }, "`probes` is 0"),
        (Config { adding: 1, ..Config::default() }, "`steps` is 1"),
        (Config { hidden: 0, ..Config::default() }, "`hidden` is 0"),
    ];
    for (config, message) in bad {
        let error = WhichGateMatters::check(&config).expect_err(message);
        assert!(error.0.contains(message), "{error}");
    }
    assert!(WhichGateMatters::check(&Config::default()).is_ok());
}
