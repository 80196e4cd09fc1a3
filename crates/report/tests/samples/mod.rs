//! Figures of the kinds that experiments draw, on made-up data.
use longlag_numerics::Real;
use longlag_report::figure::{
    Axis, Bins, Curve, DotChart, DotRow, Figure, HeatMap, Histogram, Ink, LineChart, Marker, ink_of,
};

const CELLS: [&str; 4] = ["RNN", "ReLU RNN", "LSTM", "GRU"];

/// A wiggle in −1..1 that looks like noise.
fn noise(seed: u32, step: u32) -> f64 {
    let mixed = (seed * 7919 + step).wrapping_mul(2_654_435_761);
    f64::from(mixed.wrapping_mul(mixed >> 15 | 1)) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// ∂L/∂h_t against the lag, log axis, two panels.
pub(super) fn gradient_flow() -> Figure {
    let mut chart = LineChart::new(
        "Gradient norm against lag before and after training. The RNN's falls to 10^-13 over 64 steps before \
         training and to 10^-5 after; the LSTM's and the GRU's stay above 10^-3.",
        Axis::linear("Steps back from the loss"),
        Axis::log("Gradient norm ‖∂*L*/∂*h*_{*t*}‖, median and range of 5 seeds"),
    );
    for (panel, rates) in
        [("before training", [0.45, 0.05, 0.12, 0.2]), ("after training", [0.2, 0.15, 0.01, 0.03])]
    {
        chart = chart.panel(panel);
        for (index, (cell, rate)) in
            (0..).zip(CELLS.iter().zip(rates)).filter(|(_, (cell, _))| **cell != "ReLU RNN")
        {
            let norm = |lag: u32| Real::exp(-rate * f64::from(lag) + 0.3 * noise(index, lag));
            let points: Vec<(f64, f64)> = (0..64).map(|lag| (f64::from(lag), norm(lag))).collect();
            let factor = |x: f64| 1.0 + 0.2 * x;
            let low: Vec<f64> = points.iter().map(|(x, y)| y / factor(*x)).collect();
            let high: Vec<f64> = points.iter().map(|(x, y)| y * factor(*x)).collect();
            chart = chart.curve(Curve::new(*cell, points).band(low, high));
        }
    }
    chart.figure()
}

/// Accuracy against update, with baselines.
pub(super) fn training_curves() -> Figure {
    let mut chart = LineChart::new(
        "Test accuracy against update. LSTM and GRU pass logistic regression, the RNNs do not.",
        Axis::linear("Update"),
        Axis::linear("Test accuracy, median and range of 5 seeds").percent().range(0.0, 1.0),
    )
    .reference("logistic regression", 0.89)
    .reference("majority class", 0.1);
    for (index, cell) in (0..).zip(CELLS) {
        let curve = |update: u32| {
            let progress = 1.0 - Real::exp(-f64::from(update) / (100.0 + 40.0 * f64::from(index % 3)));
            0.1 + [0.45, 0.6, 0.85, 0.84][index as usize] * progress + 0.01 * noise(index, update)
        };
        let points: Vec<(f64, f64)> = (0..=40).map(|i| (f64::from(i) * 20.0, curve(i * 20))).collect();
        let low: Vec<f64> = points.iter().map(|(x, y)| y - 0.05 * x / 800.0).collect();
        let high: Vec<f64> = points.iter().map(|(x, y)| y + 0.03 * x / 800.0).collect();
        chart = chart.curve(Curve::new(cell, points).band(low, high));
    }
    chart.figure()
}

/// Test accuracy per cell: seeds as dots, medians, baselines.
pub(super) fn accuracies() -> Figure {
    let mut chart = DotChart::new(
        "Test accuracy of five seeds per cell: GRU and LSTM above 90 percent, RNN near 60 percent.",
        Axis::linear("Test accuracy, five seeds and median").percent().range(0.0, 1.0),
    )
    .reference("majority class", 0.101)
    .reference("logistic regression", 0.892);
    for (index, (cell, accuracy)) in (0..).zip(CELLS.into_iter().zip([0.58, 0.71, 0.93, 0.925])) {
        let spread = if accuracy > 0.9 { 0.012 } else { 0.08 };
        let mut seeds: Vec<f64> = (0..5).map(|seed| accuracy + spread * noise(index + 10, seed)).collect();
        seeds.sort_by(f64::total_cmp);
        let median = seeds[2];
        let note = longlag_report::format::format_percent(median, 1);
        chart = chart.row(DotRow::new(cell).median(median).note(note).dots(Marker::Disc, seeds));
    }
    chart.figure()
}

/// Relative disagreement per cell and T, two comparisons; some exact zeros.
pub(super) fn disagreements() -> Figure {
    let mut chart = DotChart::new(
        "Relative disagreement of gradients per cell and sequence length: tape and duals agree to 10^-15, tape and \
         differences to 10^-8.",
        Axis::log("Relative disagreement"),
    )
    .legend(Marker::Disc, "tape against duals")
    .legend(Marker::Ring, "tape against differences");
    for (index, cell) in (0..).zip(CELLS) {
        chart = chart.group(cell);
        for (row, steps) in (0..).zip([1, 2, 7, 40]) {
            let exact = 1e-16 * f64::from(steps) * (1.5 + noise(index, row));
            let differences = 3e-10 * (1.5 + noise(index + 5, row)) * f64::from(steps);
            chart = chart.row(
                DotRow::new(format!("*T* = {steps}"))
                    .dots(Marker::Disc, [if steps == 1 && index > 1 { 0.0 } else { exact }])
                    .dots(Marker::Ring, [differences]),
            );
        }
    }
    chart.figure()
}

/// One panel per cell, solid and dashed, with what an axis has no place for.
pub(super) fn odd_values() -> Figure {
    let mut chart = LineChart::new(
        "Gradient norms with exact zeros, a diverged run and a gap.",
        Axis::linear("Step *t*").range(20.0, 0.0),
        Axis::log("Norm"),
    );
    for (cell, rate) in [("RNN", 3.0), ("LSTM", 0.1), ("GRU", 0.2)] {
        let value = |t: u32, rate: f64| match t {
            3 if cell == "GRU" => f64::NAN,
            11 if cell == "GRU" => f64::INFINITY,
            _ if rate * f64::from(20 - t) > 40.0 => 0.0,
            _ => Real::exp(-rate * f64::from(20 - t)),
        };
        let points =
            |rate: f64| (0..=20).rev().map(move |t| (f64::from(t), value(t, rate))).collect::<Vec<_>>();
        chart = chart
            .panel(cell)
            .curve(Curve::new("before", points(rate)).ink(ink_of(cell)).dashed())
            .curve(Curve::new("after", points(rate * 0.8)).ink(ink_of(cell)));
    }
    chart.figure()
}

/// Gradient norms over 300 lags and 210 decades, one of them to zero, with what theory and floats allow.
pub(super) fn two_hundred_decades() -> Figure {
    let curve = |index: u32, name: &str, ink: Ink, rate: f64| {
        let norm = move |lag: u32| {
            let walk: f64 = (0..lag).map(|step| noise(index + 20, step)).sum();
            let exponent = rate * f64::from(lag) + 0.8 * walk;
            if exponent < -190.0 { 0.0 } else { Real::exp(exponent * std::f64::consts::LN_10) }
        };
        let lags = || (0..=300).step_by(6);
        let spread = |lag: u32| Real::exp(0.2 * f64::from(lag).sqrt() * std::f64::consts::LN_10);
        let low: Vec<f64> = lags().map(|lag| norm(lag) / spread(lag)).collect();
        let high: Vec<f64> = lags().map(|lag| norm(lag) * spread(lag)).collect();
        Curve::new(name, lags().map(|lag| (f64::from(lag), norm(lag)))).band(low, high).ink(ink)
    };
    let bound = (0..=300).map(|lag| (f64::from(lag), Real::exp(-1.05 * f64::from(lag))));
    LineChart::new(
        "Gradient norm against lag, median and range: the LSTM's stays within ten decades of 1; with gain 0.9 the \
         RNN's falls to 10^-60, with gain 0.3 to 10^-150, and with ReLU it is zero from lag 200 on.",
        Axis::linear("Lag *k*"),
        Axis::log("‖∂*L*/∂*h*_{*t*−*k*}‖, median and range of 20 seeds"),
    )
    .reference("smallest normal f32", f64::from(f32::MIN_POSITIVE))
    .curve(curve(0, "*g* = 1.1", Ink::Green, 0.03))
    .curve(curve(1, "LSTM", Ink::Blue, -0.01))
    .curve(curve(2, "*g* = 0.9", Ink::Orange, -0.2))
    .curve(curve(3, "*g* = 0.3", Ink::Purple, -0.9))
    .curve(Curve::new("bound *γ*^{*k*}", bound).bound())
    .figure()
}

/// Two plots with axes of their own over one x: what is decoded, and the gradient.
pub(super) fn memory_beside_gradient() -> Figure {
    let systems = [
        ("contraction", Ink::Orange, -0.3, 0.04),
        ("orthogonal", Ink::Green, 0.0, 0.012),
        ("chaos", Ink::Purple, 0.05, 0.1),
        ("latch", Ink::Blue, -0.77, 0.0),
    ];
    let mut chart = LineChart::new(
        "Above, how often the first input is decoded from the state after some steps; below, the norm of the \
         Jacobian over these steps. The latch keeps its bit while its gradient falls to 10^-153.",
        Axis::linear("Steps *k*"),
        Axis::linear("Input decoded correctly").percent().range(0.0, 1.0),
    )
    .reference("chance", 0.5)
    .vertical("end of the training window", 64.0);
    let lags = || (0..=200).step_by(20).map(f64::from);
    for (index, (name, ink, _, loss)) in (0..).zip(systems) {
        let share = |lag: f64| {
            let kept = 0.5 + 0.5 * Real::exp(-loss * lag);
            kept - 0.015 * (1.0 + noise(index, lag as u32))
        };
        let low: Vec<f64> = lags().map(|lag| (share(lag) - 0.04).max(0.0)).collect();
        let high: Vec<f64> = lags().map(|lag| (share(lag) + 0.03).min(1.0)).collect();
        let curve = Curve::new(name, lags().map(|lag| (lag, share(lag)))).band(low, high).ink(ink);
        chart = chart.curve(
            curve.marked([Marker::Disc, Marker::Square, Marker::Triangle, Marker::Diamond][index as usize]),
        );
    }
    chart = chart.below(Axis::log("‖∂*h*_{*t*}/∂*h*_{*t*−*k*}‖"));
    for (name, ink, rate, _) in systems {
        let norm = |lag: f64| Real::exp(rate * lag * std::f64::consts::LN_10);
        chart = chart.curve(Curve::new(name, lags().map(|lag| (lag, norm(lag)))).ink(ink));
    }
    chart.figure()
}

/// Success counts with intervals, on a logarithmic axis of lengths.
pub(super) fn success_by_length() -> Figure {
    let mut chart = LineChart::new(
        "Share of 20 runs that solve the adding task, with 95 % intervals, against its length: RNNs fail from 100 \
         steps on, GRU and LSTM from 800.",
        Axis::log("Length *T*"),
        Axis::linear("Runs that solve the task, of 20").percent().range(0.0, 1.0),
    );
    for (name, half) in [("RNN", 70.0), ("GRU", 700.0), ("LSTM", 900.0)] {
        let lengths = [25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0];
        let share = |length: f64| (20.0 / (1.0 + Real::exp(4.0 * Real::ln(length / half)))).round() / 20.0;
        let reach = |share: f64| 0.03 + 0.4 * (share * (1.0 - share)).sqrt();
        let shares = lengths.map(share);
        let curve = Curve::new(name, lengths.into_iter().zip(shares))
            .band(shares.map(|s| (s - reach(s)).max(0.0)), shares.map(|s| (s + reach(s)).min(1.0)));
        chart = chart.curve(curve.marked(Marker::Disc));
    }
    chart.figure()
}

/// Updates to solve against length, in part stopped at a budget.
pub(super) fn updates_by_length() -> Figure {
    let mut chart = LineChart::new(
        "Updates until the task is solved against its length, median and interval of 20 runs, in part more than the \
         100,000 that a run has: the RNN's from length 100 on, the GRU's from 800 on.",
        Axis::log("Length *T*"),
        Axis::log("Updates until solved, median").infinity("> 100,000"),
    );
    for (cell, start, power) in [("RNN", 6.0, 2.0), ("GRU", 60.0, 1.1), ("LSTM", 70.0, 0.9)] {
        let lengths = [25.0, 50.0, 100.0, 200.0, 400.0, 800.0];
        let stopped = |updates: f64| if updates > 1e5 { f64::INFINITY } else { updates };
        let updates = |length: f64| start * Real::exp(power * Real::ln(length));
        let medians = lengths.map(|length| stopped(updates(length)));
        let (low, high) = (
            lengths.map(|length| stopped(updates(length) * 0.6)),
            lengths.map(|l| stopped(updates(l) * 2.2)),
        );
        chart = chart
            .curve(Curve::new(cell, lengths.into_iter().zip(medians)).band(low, high).marked(Marker::Disc));
    }
    chart.figure()
}

/// Many runs in no order: success against what the gradient did at the start.
pub(super) fn collapse() -> Figure {
    let mut chart = LineChart::new(
        "Success against the initial growth rate times the length: runs of all cells and starts fall on one curve.",
        Axis::linear("Initial growth over the whole sequence, decades"),
        Axis::linear("Runs that solve the task").percent().range(0.0, 1.0),
    )
    .legend(Marker::Disc, "default start")
    .legend(Marker::Diamond, "orthogonal")
    .vertical("no growth", 0.0);
    for (index, cell) in (0..).zip(["RNN", "GRU", "LSTM"]) {
        for (set, marker) in [(0, Marker::Disc), (1, Marker::Diamond)] {
            let points = (0..9).map(|i| {
                let x = -14.0 + 4.0 * f64::from(index) + 1.2 * f64::from(i) + noise(index, i + 50 * set);
                let y = 1.0 / (1.0 + Real::exp(-0.9 * (x + 4.0)));
                (x, (y + 0.08 * noise(index + 3, i + 50 * set)).clamp(0.0, 1.0))
            });
            let name = if set == 0 { cell } else { "" };
            chart = chart.curve(Curve::new(name, points).scattered(marker).ink(ink_of(cell)));
        }
    }
    chart.figure()
}

/// Updates to solve with intervals, stopped at a budget.
pub(super) fn updates_to_solve() -> Figure {
    let mut chart = DotChart::new(
        "Updates until the task is solved, median with interval and single runs: the RNN mostly hasn't solved it \
         after 50,000.",
        Axis::log("Updates until solved").infinity("> 50,000").range(500.0, 50_000.0),
    );
    let never = f64::INFINITY;
    let rows = [
        ("RNN", vec![22_000.0, 41_000.0, never, never, never], (41_000.0, never), "> 50,000"),
        ("ReLU RNN", vec![5_200.0, 9_100.0, 14_000.0, 30_000.0, never], (7_000.0, never), "14,000"),
        ("GRU", vec![1_100.0, 1_300.0, 1_400.0, 2_100.0, 2_600.0], (1_200.0, 2_300.0), "1400"),
        ("LSTM", vec![900.0, 1_700.0, 1_900.0, 2_000.0, 4_800.0], (1_300.0, 3_000.0), "1900"),
    ];
    for (name, runs, (low, high), note) in rows {
        let median = runs[2];
        chart = chart
            .row(DotRow::new(name).dots(Marker::Ring, runs).median(median).interval(low, high).note(note));
    }
    chart.figure()
}

/// A matrix of names with its numbers, two values of which are missing in different ways.
pub(super) fn solved_matrix() -> Figure {
    let rates = ["10^{−4}", "3·10^{−4}", "10^{−3}", "3·10^{−3}", "10^{−2}", "3·10^{−2}"];
    let clips = ["none", "10", "3", "1", "0.3", "0.1"];
    let cells = (0..clips.len()).flat_map(|row| {
        (0..rates.len()).map(move |column| {
            let (a, b) = (column as f64 - 2.6, row as f64 - 2.8);
            let ridge = Real::exp(-(a * a) / 3.2 - (b - 0.5 * a) * (b - 0.5 * a) / 6.0);
            let blown_up = row == 0 && column > 3;
            (column as f64, row as f64, if blown_up { f64::NAN } else { (ridge * 50.0).round() / 50.0 })
        })
    });
    HeatMap::new(
        "Success rate by gradient clip and learning rate: all of the runs at clip 1 and rate 0.001; without \
         clipping training diverges from 0.01 on.",
        Axis::names("Learning rate", rates),
        Axis::names("Clip at norm", clips),
        Axis::linear("Runs that solve the task").percent().range(0.0, 1.0),
    )
    .cells(cells)
    .numbers(0)
    .figure()
}

/// Growth rates with the line of none, and the ways of two runs.
pub(super) fn phase_diagram() -> Figure {
    let growth = |bias: f64, gain: f64| {
        let forget = 1.0 / (1.0 + Real::exp(-bias));
        12.0 * Real::ln(forget + 0.6 * gain * gain * (1.0 - 0.4 * forget))
    };
    let gains = || (0..22).map(|i| 0.1 + 0.1 * f64::from(i));
    let cells = (0..24).map(|i| -2.0 + 0.3 * f64::from(i));
    let cells = cells.flat_map(|bias| gains().map(move |gain| (bias, gain, growth(bias, gain))));
    let way = |bias: f64, gain: f64, turn: f64| {
        (0..30).map(move |i| {
            let t = f64::from(i) / 29.0;
            (bias + 2.2 * t + 0.1 * noise(9, i), gain + turn * t * t + 0.03 * noise(10, i))
        })
    };
    HeatMap::new(
        "Growth of the gradient per 100 steps against forget bias and recurrent gain: it vanishes below the line \
         and explodes above. Two runs start where it vanishes and end on the line.",
        Axis::linear("Forget bias *b*_{*f*}"),
        Axis::linear("Recurrent gain *g*"),
        Axis::linear("Growth, decades per 100 steps"),
    )
    .diverging(0.0)
    .cells(cells)
    .contour("no growth", 0.0)
    .curve(Curve::new("*T* = 100", way(0.0, 0.9, 0.4)).ink(Ink::Text))
    .curve(Curve::new("*T* = 400", way(0.9, 0.5, 0.75)).ink(Ink::Purple))
    .figure()
}

/// Six heat maps of a logarithmic value, some of it zero.
pub(super) fn usable_signal() -> Figure {
    let mut map = HeatMap::new(
        "Usable gradient signal by lag and training time for three cells and two lengths: in the RNN it never \
         reaches beyond lag 20; in GRU and LSTM it spreads during training.",
        Axis::linear("Update, thousands"),
        Axis::log("Lag"),
        Axis::log("Signal-to-noise ratio").range(1e-6, 1.0),
    )
    .columns(3);
    for length in [50, 200] {
        for (cell, reach, speed) in [("RNN", 3.0, 0.1), ("GRU", 4.0, 0.9), ("LSTM", 5.0, 1.3)] {
            let cells = (0..10).flat_map(move |time| {
                (0..8).map(move |step| {
                    let lag = f64::from(1 << step);
                    let far = reach * (1.0 + speed * f64::from(time)) * 7.0 / f64::from(length).sqrt();
                    let value = Real::exp(-2.6 * (lag / far).sqrt() * (1.0 + lag / 200.0) - 0.6);
                    (f64::from(time), lag, if value < 1e-6 { 0.0 } else { value })
                })
            });
            map = map.panel(format!("{cell}, *T* = {length}")).cells(cells);
        }
    }
    map.figure()
}

/// Two by three panels: each cell among the others.
pub(super) fn losses() -> Figure {
    let mut chart = LineChart::new(
        "Loss during training for three cells (columns) and two lags (rows). At lag 200 only the LSTM learns.",
        Axis::linear("Update, thousands"),
        Axis::log("Cross-entropy, mean and range of 8 seeds"),
    )
    .columns(3);
    let cells = ["RNN", "GRU", "LSTM"];
    let settings = [
        [(0.55, 2.0, 0.5), (0.012, 5.0, 0.9), (0.004, 3.5, 1.3)],
        [(2.05, 1.0, 0.2), (0.4, 22.0, 0.35), (0.012, 14.0, 0.55)],
    ];
    for (row, lag) in [50, 200].into_iter().enumerate() {
        let loss = |column: usize| {
            let (floor, start, rate) = settings[row][column];
            (0..=40).map(move |step| {
                let x = f64::from(step);
                let learnt = 1.0 / (1.0 + 0.6 * Real::exp((x - start) * rate));
                (
                    x,
                    (floor + (2.2 - floor) * learnt)
                        * (1.0 + 0.1 * noise(column as u32, step + 99 * row as u32)),
                )
            })
        };
        for (column, cell) in cells.into_iter().enumerate() {
            chart = chart.panel(format!("{cell}, lag {lag}"));
            for other in (0..3).filter(|other| *other != column) {
                chart = chart.curve(Curve::new(cells[other], loss(other)).ink(Ink::Muted).faint());
            }
            let (low, high): (Vec<f64>, Vec<f64>) = loss(column).map(|(_, y)| (y / 1.4, y * 1.4)).unzip();
            chart = chart.curve(Curve::new("", loss(column)).band(low, high).ink(ink_of(cell)));
        }
    }
    chart.figure()
}

/// Overlaid densities.
pub(super) fn forget_gates() -> Figure {
    let mut histogram = Histogram::new(
        "Forget gates at the start for three biases: 0 keeps them about one half, 3 near 1.",
        Axis::linear("Forget gate *f*_{*t*}").range(0.0, 1.0),
        Axis::linear("Density at the start"),
    )
    .densities()
    .reference("half-life 100 steps", 0.9931);
    for (bias, ink) in [(0.0, Ink::Orange), (1.0, Ink::Green), (3.0, Ink::Purple)] {
        let gate = |i: u32| {
            let normal: f64 = (0..6).map(|k| noise(i, 17 * k + 1)).sum::<f64>() / 1.41;
            1.0 / (1.0 + Real::exp(-(bias + 0.62 * normal)))
        };
        histogram = histogram
            .bins(Bins::even(format!("*b* = {bias}"), 0.0, 1.0, 40).count((0..4000).map(gate)).ink(ink));
    }
    histogram.figure()
}

/// Counts below each other on a logarithmic axis.
pub(super) fn gradient_norms() -> Figure {
    let mut histogram = Histogram::new(
        "Norms of single gradients: the RNN's spread over ten decades, the LSTM's over three.",
        Axis::log("‖∂*L*/∂*θ*‖ of a sequence"),
        Axis::linear("Sequences"),
    )
    .columns(1);
    for (index, (cell, middle, spread)) in
        (0..).zip([("RNN", -7.0, 2.4), ("GRU", -2.0, 1.0), ("LSTM", -1.0, 0.7)])
    {
        let norm = |i: u32| {
            let normal: f64 = (0..6).map(|k| noise(i + 7 * index, 31 * k + 5)).sum::<f64>() / 1.41;
            Real::exp((middle + spread * normal) * std::f64::consts::LN_10)
        };
        let bins = Bins::logarithmic("", 1e-16, 1e4, 60).count((0..3000).map(norm)).ink(ink_of(cell));
        histogram = histogram.panel(cell).bins(bins);
    }
    histogram.reference("clipped above", 1.0).figure()
}
