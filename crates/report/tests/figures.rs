//! Sample figures of the kinds the experiments draw: their layout is sound and their bytes are fixed.
use longlag_numerics::Real;
use longlag_report::figure::{
    Axis, Css, Curve, DotChart, DotRow, Figure, Ink, LineChart, Marker, ink_of, page_css,
};

const CELLS: [&str; 4] = ["RNN", "ReLU RNN", "LSTM", "GRU"];

/// A wiggle in −1..1 that looks like noise.
fn noise(seed: u32, step: u32) -> f64 {
    let mixed = (seed * 7919 + step).wrapping_mul(2_654_435_761);
    f64::from(mixed.wrapping_mul(mixed >> 15 | 1)) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// ∂L/∂h_t against the lag, log axis, two panels.
fn gradient_flow() -> Figure {
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
fn training_curves() -> Figure {
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
fn accuracies() -> Figure {
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
fn disagreements() -> Figure {
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
fn odd_values() -> Figure {
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

#[track_caller]
fn sound(figure: &Figure) -> String {
    assert_eq!(figure.lint(), Vec::<String>::new());
    let svg = figure.svg(Css::Page);
    assert!(
        !svg.contains("\n\n") && !svg.contains(['*', '`', '[', ']', '\\', '|', '~', '$']),
        "Markdown would read it"
    );
    assert!(svg.len() < 16_000, "{} bytes", svg.len());
    svg
}

#[test]
fn samples_are_sound_and_stay_as_they_are() {
    insta::assert_snapshot!("gradient_flow", sound(&gradient_flow()));
    insta::assert_snapshot!("training_curves", sound(&training_curves()));
    insta::assert_snapshot!("accuracies", sound(&accuracies()));
    insta::assert_snapshot!("disagreements", sound(&disagreements()));
    insta::assert_snapshot!("odd_values", sound(&odd_values()));
    insta::assert_snapshot!("page_css", page_css());
}

#[test]
fn a_file_that_stands_alone_has_its_colours() {
    let svg = accuracies().svg(Css::Embedded);
    assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("#0072b2") && svg.contains("#56b4e9"));
    assert!(!svg.contains("--bg"), "the page's variables are not there");
    assert!(!page_css().contains("prefers-color-scheme"), "the page's theme decides");
}

#[test]
fn the_description_is_escaped() {
    let chart = LineChart::new("A \"<b>\" & more", Axis::linear("x"), Axis::linear("y"));
    let svg = chart.curve(Curve::new("c", [(0.0, 0.0), (1.0, 1.0)])).figure().svg(Css::Page);
    assert!(svg.contains("role=\"img\" aria-label=\"A &quot;&lt;b>&quot; &amp; more\""), "{svg}");
}

#[test]
fn empty_charts_are_charts() {
    assert_eq!(LineChart::new("", Axis::linear("x"), Axis::log("y")).figure().lint(), Vec::<String>::new());
    assert_eq!(DotChart::new("", Axis::linear("x")).figure().lint(), Vec::<String>::new());
}

#[track_caller]
fn finding(figure: &Figure, expected: &str) {
    let findings = figure.lint();
    assert!(findings.iter().any(|finding| finding.contains(expected)), "{findings:?} lacks {expected:?}");
}

#[test]
fn lint_finds_what_is_wrong() {
    let axis = || Axis::linear("Accuracy").range(0.0, 1.0);
    let line = |curve| LineChart::new("", Axis::linear("x"), axis()).curve(curve).figure();
    let rise = [(0.0, 0.5), (1.0, 1.5)];
    finding(&line(Curve::new("c", rise)), "curve \"c\" leaves the plot at (1.0, 1.5)");
    finding(&line(Curve::new("c", [(0.0, 0.5)]).band([-0.5], [0.6])), "band of \"c\" leaves the plot");
    let wide = "a title that is one endless word ".replace(' ', "-").repeat(4);
    finding(&LineChart::new("", Axis::linear(wide), axis()).figure(), "leaves the figure");
    let chart = LineChart::new("", Axis::linear("x"), axis()).curve(Curve::new("c", [(0.0, 0.5)]));
    finding(&chart.reference("bound", 2.0).figure(), "reference \"bound\" at 2 is outside");
    let chart = DotChart::new("", axis())
        .row(DotRow::new("a long name that leaves no room for a note at all in its row"));
    finding(
        &chart.row(DotRow::new("GRU").dots(Marker::Disc, [2.0])).figure(),
        "row \"GRU\": 2 is outside the axis",
    );
    let panels = ["one panel with a title far too long", "and another title far too long"].into_iter();
    let chart = panels.fold(LineChart::new("", Axis::linear("x"), axis()), |chart, title| {
        (0..3).fold(chart, |chart, _| chart.panel(title))
    });
    finding(&chart.columns(3).figure(), "overlap");
}

#[test]
fn a_curve_ends_at_the_border_and_does_not_bend() {
    // A steep line leaves through the top at a quarter of the width; moved points would run along the top.
    let chart = LineChart::new("", Axis::linear("").range(0.0, 4.0), Axis::linear("").range(0.0, 1.0));
    let svg = chart.curve(Curve::new("", [(0.0, 0.0), (4.0, 4.0)]).ink(Ink::Blue)).figure().svg(Css::Page);
    let data = svg.lines().find(|line| line.contains("s-blue")).unwrap().split("d=\"").nth(1).unwrap();
    let (width, height) = data.split_once('l').unwrap().1.trim_end_matches("\"/>").split_once('-').unwrap();
    assert_eq!(height, "230");
    let plot_width: f64 = 4.0 * width.parse::<f64>().unwrap();
    assert!((360.0..440.0).contains(&plot_width), "{plot_width}");
}

#[test]
#[should_panic(expected = "the curve \"c\" has a point at x = NaN")]
fn an_x_must_be_finite() {
    Curve::new("c", [(f64::NAN, 0.0)]);
}
