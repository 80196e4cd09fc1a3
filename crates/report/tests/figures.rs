//! Sample figures of the kinds the experiments draw: their layout is sound and their bytes are fixed.
mod samples;

use longlag_report::figure::{
    Axis, Bins, Css, Curve, DotChart, DotRow, Figure, HeatMap, Histogram, Ink, LineChart, Marker, page_css,
};
use samples::*;

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
    insta::assert_snapshot!("two_hundred_decades", sound(&two_hundred_decades()));
    insta::assert_snapshot!("memory_beside_gradient", sound(&memory_beside_gradient()));
    insta::assert_snapshot!("success_by_length", sound(&success_by_length()));
    insta::assert_snapshot!("updates_by_length", sound(&updates_by_length()));
    insta::assert_snapshot!("collapse", sound(&collapse()));
    insta::assert_snapshot!("updates_to_solve", sound(&updates_to_solve()));
    insta::assert_snapshot!("solved_matrix", sound(&solved_matrix()));
    insta::assert_snapshot!("phase_diagram", sound(&phase_diagram()));
    insta::assert_snapshot!("usable_signal", sound(&usable_signal()));
    insta::assert_snapshot!("losses", sound(&losses()));
    insta::assert_snapshot!("forget_gates", sound(&forget_gates()));
    insta::assert_snapshot!("gradient_norms", sound(&gradient_norms()));
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
    let map =
        HeatMap::new("", Axis::linear("x"), Axis::log("y"), Axis::linear("z")).diverging(0.0).numbers(1);
    assert_eq!(map.contour("", 0.0).figure().lint(), Vec::<String>::new());
    let histogram = Histogram::new("", Axis::log("x"), Axis::linear("y"));
    assert_eq!(histogram.clone().figure().lint(), Vec::<String>::new());
    assert_eq!(histogram.bins(Bins::even("", 1.0, 2.0, 3)).figure().lint(), Vec::<String>::new());
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
fn lint_finds_what_is_wrong_in_maps_and_histograms() {
    let names = |count: usize| Axis::names("", vec!["x"; count]);
    let map = |columns, value| HeatMap::new("", names(columns), names(1), value);
    let wide = map(12, Axis::linear("")).cells((0..12).map(|i| (f64::from(i), 0.0, 1234.5))).numbers(3);
    finding(&wide.figure(), "the number \"1234.500\" is wider than its cell");
    let share = || Axis::linear("").range(0.0, 1.0);
    let over = map(1, share()).cells([(0.0, 0.0, 1.5)]);
    finding(&over.figure(), "the cell at (0, 0) has the value 1.5, which has no colour");
    let contour = map(2, share()).cells([(0.0, 0.0, 0.1), (1.0, 0.0, 0.9)]).contour("two", 2.0);
    finding(&contour.figure(), "the contour \"two\" at 2 is outside the colours");
    let way = map(1, share()).cells([(0.0, 0.0, 0.1)]).curve(Curve::new("c", [(0.0, 0.0), (3.0, 0.0)]));
    finding(&way.figure(), "the curve \"c\" leaves the map at (3.0, 0.0)");
    let crowd = (0..5).fold(map(1, share()).columns(5), |map, _| map.panel("p").cells([(0.0, 0.0, 0.1)]));
    finding(&crowd.figure(), "a plot only");

    let histogram = |bins| Histogram::new("", Axis::linear(""), Axis::linear("").range(0.0, 5.0)).bins(bins);
    let bins = || Bins::even("c", 0.0, 1.0, 4);
    finding(&histogram(bins().count([0.5, 1.5, f64::NAN])).figure(), "2 values of \"c\" are in no bin");
    finding(&histogram(bins().count([0.5; 9])).figure(), "a bin of \"c\" leaves the plot: 9");
    let beside = histogram(bins()).reference("far", f64::INFINITY);
    finding(&beside.figure(), "the line \"far\" at inf is outside");
    let long = "a name that is much longer than the plot is wide, and so has no room anywhere inside of it";
    finding(&histogram(bins().count([0.5])).reference(long, 0.5).figure(), "no room for the label");
}

#[test]
fn bounds_have_no_say_in_the_axes() {
    let data = || Curve::new("", [(0.0, 1.0), (10.0, 1e-3)]);
    let chart = || LineChart::new("", Axis::linear("x"), Axis::log("y"));
    let bound = Curve::new("bound", (0..=30).map(|x| (f64::from(x), if x < 20 { 1e-30 } else { 0.0 })));
    let with = chart().curve(data()).curve(bound.clone().bound()).figure();
    assert_eq!(with.lint(), ["the bound \"bound\" is nowhere in the plot"]);
    let frame = |svg: String| {
        svg.lines().filter(|line| line.contains("<text")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(frame(with.svg(Css::Page)), frame(chart().curve(data()).figure().svg(Css::Page)));
    // Alone it is the data.
    assert_eq!(chart().curve(bound.bound()).figure().lint(), Vec::<String>::new());
}

#[test]
fn values_are_counted_between_borders() {
    let heights = |bins: Bins| {
        let figure =
            Histogram::new("", Axis::linear(""), Axis::linear("")).bins(bins.ink(Ink::Blue)).figure();
        assert_eq!(figure.lint(), Vec::<String>::new());
        figure.svg(Css::Page)
    };
    let counted = Bins::new("", [0.0, 1.0, 2.0, 4.0]).count([0.0, 0.5, 1.0, 4.0, 3.9, 2.0]);
    assert_eq!(heights(counted), heights(Bins::new("", [0.0, 1.0, 2.0, 4.0]).counts([2, 1, 3])));
    let even = Bins::even("", -1.0, 1.0, 4).count([-1.0, -0.5, 0.0, 0.5, 1.0]);
    assert_eq!(heights(even), heights(Bins::new("", [-1.0, -0.5, 0.0, 0.5, 1.0]).counts([1, 1, 1, 2])));
}

/// The label says all to those who don't see the figure, and doesn't appear over it when a mouse is there.
#[test]
fn only_a_file_has_a_title() {
    let figure = updates_to_solve();
    let (page, file) = (figure.svg(Css::Page), figure.svg(Css::Embedded));
    for svg in [&page, &file] {
        assert!(svg.contains(&format!("role=\"img\" aria-label=\"{}\"", figure.description())));
    }
    assert!(!page.contains("<title>"));
    assert!(file.contains(&format!("<title>{}</title>", figure.description())));
}

/// A style sheet inside a file has what the file uses, a page's has all.
#[test]
fn style_sheets_have_every_class() {
    let page = page_css();
    for figure in [phase_diagram(), solved_matrix(), usable_signal(), two_hundred_decades(), accuracies()] {
        let svg = figure.svg(Css::Embedded);
        let (style, body) = svg.split_once("</style>").expect("a style sheet");
        let classes = body.split("class=\"").skip(1).flat_map(|rest| rest.split('"').next());
        for class in classes.flat_map(|classes| classes.split(' ')) {
            for sheet in [style, &page] {
                assert!(sheet.contains(&format!(".plot .{class}{{")), "{class}");
            }
        }
        assert!(svg.len() < 20_000, "{} bytes", svg.len());
    }
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

#[test]
#[should_panic(expected = "points, low and high are [2, 1, 2]")]
fn a_band_has_all_points() {
    Curve::new("c", [(0.0, 0.0), (1.0, 0.0)]).band([0.0], [0.0, 1.0]);
}

#[test]
#[should_panic(expected = "two cells at (0, 0)")]
fn a_cell_comes_once() {
    HeatMap::new("", Axis::linear(""), Axis::linear(""), Axis::linear(""))
        .cells([(0.0, 0.0, 1.0), (-0.0, 0.0, 2.0)]);
}

#[test]
#[should_panic(expected = "a cell at (0, 1)")]
fn a_cell_is_on_its_axes() {
    HeatMap::new("", Axis::log(""), Axis::linear(""), Axis::linear("")).cells([(0.0, 1.0, 1.0)]);
}

#[test]
#[should_panic(expected = "the bins \"c\" have the borders [0.0, 0.0]")]
fn bins_have_widths() {
    Bins::even("c", 0.0, 0.0, 1);
}

#[test]
#[should_panic(expected = "the bins \"c\" begin at 0 on a logarithmic axis")]
fn bins_are_on_their_axis() {
    Histogram::new("", Axis::log(""), Axis::linear("")).bins(Bins::even("c", 0.0, 1.0, 2));
}

#[test]
#[should_panic(expected = "an axis of names without a name")]
fn an_axis_of_names_has_names() {
    Axis::names("", [""; 0]);
}
