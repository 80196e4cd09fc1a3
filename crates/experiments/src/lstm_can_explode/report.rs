//! From what was measured to the report.

use super::{Kind, LstmCanExplode, Networks, Outcome, Untrained, Watch};
use crate::experiment::Experiment;
use crate::runs::Either;
use crate::summary::{add_band, add_facts, spread};
use crate::trials::Tried;
use longlag_report::{Number, Report};

/// What was measured once, earlier, by other code, at gains of 2.5, 4 and 8: the median growth of a random direction of
/// the plain network, and of LSTMs with a forget bias of 1.
const EARLIER: [(f64, f64, f64); 3] =
    [(2.5, 6.3, -0.8), (4.0, 12.9, 1.5), (8.0, 21.5, 7.2)];

impl Networks {
    pub(super) fn summary(&self, outcomes: &[Outcome]) -> Report {
        let mut report = Report::new(LstmCanExplode::NAME, &self.config);
        let watched: Vec<&Watch> =
            outcomes.iter().filter_map(Either::left).collect();
        let tried: Vec<Tried> = watched.iter().map(|w| w.tried).collect();
        self.trials.add_to(&mut report, &tried);
        let mut rows = vec![];
        for (number, trial) in self.trials.trials.iter().enumerate() {
            let of = self.trials.of(number, &watched);
            let key = trial.key();
            let largest: Vec<f64> = of.iter().map(|w| w.largest).collect();
            let seeds = (1..=largest.len()).map(|seed| seed as f64);
            report.series(format!("largest_{key}"), seeds, largest.clone());
            add_facts(&mut report, &format!("largest_{key}"), largest, 2);
            rows.extend(of.iter().enumerate().map(|(seed, w)| {
                (format!("{key} {}", seed + 1), w.weights.to_string())
            }));
        }
        let table = report.table("weights", ["run", "weights"]);
        for row in rows {
            table.row(row);
        }
        let measured: Vec<&Vec<[f64; 2]>> =
            outcomes.iter().filter_map(Either::right).collect();
        let at = |untrained: Untrained, functional: usize| -> Vec<f64> {
            let same = |other: &Untrained| *other == untrained;
            let number = self.untrained.iter().position(same);
            let number = number.expect("all of them are measured");
            measured.iter().map(|m| m[number][functional]).collect()
        };
        for &hidden in &self.config.widths {
            for kind in Kind::ALL {
                let mut curves: Vec<Vec<f64>> = vec![vec![]; measured.len()];
                for &gain in &self.config.gains {
                    let values = at(Untrained { hidden, kind, gain }, 0);
                    let g = gain.to_string().replace('.', "_");
                    let name = format!("growth_h{hidden}_{}_g{g}", kind.key());
                    let seeds = (1..=values.len()).map(|seed| seed as f64);
                    report.series(&*name, seeds, values.clone());
                    for (curve, value) in curves.iter_mut().zip(&values) {
                        curve.push(*value);
                    }
                    add_facts(&mut report, &name, values, 3);
                }
                let name = format!("sweep_h{hidden}_{}", kind.key());
                let curves = curves.iter().map(|c| &c[..]).collect();
                add_band(&mut report, name, self.config.gains.clone(), curves);
            }
        }
        let columns = [
            "gain",
            "RNN, earlier",
            "RNN",
            "low",
            "high",
            "LSTM, earlier",
            "LSTM",
            "LSTM low",
            "LSTM high",
        ];
        let table = report.table("earlier", columns);
        let hidden = self.config.widths[0];
        for (gain, rnn, lstm) in EARLIER {
            let [ours, theirs] = [Kind::Rnn, Kind::Lstm(1.0)].map(|kind| {
                let values = at(Untrained { hidden, kind, gain }, 1);
                spread(values).map(|x| Number::rounded(x, 3))
            });
            table.row((
                gain, rnn, ours[1], ours[0], ours[2], lstm, theirs[1],
                theirs[0], theirs[2],
            ));
        }
        report
    }
}
