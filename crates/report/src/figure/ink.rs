//! Inks: colours by meaning, one value for light pages and one for dark.
use plotters::style::{Color, ShapeStyle};
use plotters_backend::BackendColor;
use std::fmt::Write;

/// A colour by name. Blue to pink are told apart by colour-blind readers too, and have a contrast of at
/// least 5:1 on white and 7.6:1 on the dark page; still every curve carries its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ink {
    /// The page's text colour.
    Text,
    /// Titles, tick labels, reference lines.
    Muted,
    /// Axis lines and ticks.
    Axis,
    /// Grid lines: translucent, to show on any page.
    Grid,
    /// The page's background, also the halo of texts.
    Page,
    /// Data; the LSTM's.
    Blue,
    /// Data; the tanh RNN's.
    Orange,
    /// Data; the GRU's.
    Green,
    /// Data; the ReLU RNN's.
    Pink,
}

/// The ink, its name in classes and variables, its light and its dark value.
const INKS: [(Ink, &str, &str, &str); 9] = [
    (Ink::Text, "text", "#1d2126", "#e8eaed"),
    (Ink::Muted, "muted", "#59616a", "#a9b1bb"),
    (Ink::Axis, "axis", "#7b838c", "#7f8893"),
    (Ink::Grid, "grid", "#00000020", "#ffffff26"),
    (Ink::Page, "page", "#ffffff", "#14171b"),
    (Ink::Blue, "blue", "#0072b2", "#56b4e9"),
    (Ink::Orange, "orange", "#b84e00", "#e69f00"),
    (Ink::Green, "green", "#00785a", "#2dd4a7"),
    (Ink::Pink, "pink", "#a8487e", "#e79ac6"),
];

/// The ink of a cell, the same in every figure: LSTM, GRU, ReLU RNN, RNN, found anywhere in the name
/// (`LSTM, forget bias 3`). Other names get the text's colour.
pub fn ink_of(cell: &str) -> Ink {
    let name = cell.to_lowercase();
    let has = |part| name.contains(part);
    match () {
        _ if has("lstm") => Ink::Blue,
        _ if has("gru") => Ink::Green,
        _ if has("relu") => Ink::Pink,
        _ if has("rnn") => Ink::Orange,
        _ => Ink::Text,
    }
}

/// The class of shapes stroked with an ink.
pub(super) fn stroke_class(ink: u8) -> String {
    format!("s-{}", INKS[usize::from(ink)].1)
}

/// The class of shapes and texts filled with an ink.
pub(super) fn fill_class(ink: u8) -> String {
    format!("f-{}", INKS[usize::from(ink)].1)
}

pub(super) const DASHED: u8 = 1;
pub(super) const DOTTED: u8 = 2;
pub(super) const HALO: u8 = 4;

/// What plotters takes for a colour: an ink, flags and an opacity. The backend reads them out of the
/// colour's red and green and out of its alpha.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    ink: Ink,
    flags: u8,
    percent: u8,
}

impl From<Ink> for Paint {
    fn from(ink: Ink) -> Paint {
        Paint { ink, flags: 0, percent: 100 }
    }
}

impl Paint {
    /// Nothing is drawn with it.
    pub(super) const NONE: Paint = Paint { ink: Ink::Page, flags: 0, percent: 0 };

    pub(super) fn with(mut self, flag: u8) -> Paint {
        self.flags |= flag;
        self
    }

    pub(super) fn percent(mut self, percent: u8) -> Paint {
        self.percent = percent;
        self
    }

    /// A line, `width` in tenths of a pixel.
    pub(super) fn stroke(self, width: i32) -> ShapeStyle {
        Color::stroke_width(&self, width as u32)
    }

    pub(super) fn fill(self) -> ShapeStyle {
        self.filled()
    }
}

impl Color for Paint {
    fn to_backend_color(&self) -> BackendColor {
        BackendColor { rgb: (self.ink as u8, self.flags, 0), alpha: f64::from(self.percent) / 100.0 }
    }
}

const FONTS: &str = "'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif";

/// The style sheet for a page with [`Css::Page`](super::Css::Page) figures. It follows the theme classes
/// of mdBook's root element: `light` and `rust` are light, `coal`, `navy` and `ayu` dark. The page's own
/// `--bg` is the background, so it must be set.
pub fn page_css() -> String {
    let light = variables(false, Some("var(--bg)"));
    let dark = variables(true, Some("var(--bg)"));
    let paper = variables(false, None);
    format!(
        ":root,.light,.rust{{{light}}}\n.coal,.navy,.ayu{{{dark}}}\n@media print{{.plot{{{paper}}}}}\n{}",
        rules("\n")
    )
}

/// The style sheet inside a file that stands alone.
pub(super) fn embedded_css() -> String {
    let (light, dark) = (variables(false, None), variables(true, None));
    format!(".plot{{{light}}}@media(prefers-color-scheme:dark){{.plot{{{dark}}}}}{}", rules(""))
}

fn variables(dark: bool, page: Option<&str>) -> String {
    let value = |ink, light, darker| match page {
        Some(page) if ink == Ink::Page => page,
        _ if dark => darker,
        _ => light,
    };
    let set: Vec<String> = INKS
        .iter()
        .map(|&(ink, name, light, dark)| format!("--plot-{name}:{}", value(ink, light, dark)))
        .collect();
    set.join(";")
}

fn rules(newline: &str) -> String {
    let mut css = format!(
        ".plot{{display:block;width:100%;max-width:550px;height:auto;font-family:{FONTS};\
         font-variant-numeric:tabular-nums}}{newline}\
         .plot .i{{font-style:italic}}{newline}\
         .plot .u{{font-size:72%}}{newline}\
         .plot .halo{{paint-order:stroke;stroke:var(--plot-page);stroke-width:3px;stroke-linejoin:round}}{newline}"
    );
    for (ink, name, ..) in INKS {
        // Straight lines of the frame sit on whole device pixels; data is antialiased.
        let lines = if matches!(ink, Ink::Axis | Ink::Grid) {
            "shape-rendering:crispEdges"
        } else {
            "stroke-linejoin:round"
        };
        let _ = write!(
            css,
            ".plot .s-{name}{{fill:none;stroke:var(--plot-{name});{lines}}}{newline}\
             .plot .f-{name}{{fill:var(--plot-{name})}}{newline}"
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;
    use longlag_numerics::Real;

    #[test]
    fn inks_stand_at_their_own_index() {
        for (index, (ink, ..)) in INKS.iter().enumerate() {
            assert_eq!(*ink as usize, index);
        }
    }

    #[test]
    fn a_cell_has_one_ink() {
        let inks =
            ["RNN", "ReLU RNN", "LSTM", "GRU", "GRU (reset before)", "logistic regression"].map(ink_of);
        assert_eq!(inks, [Ink::Orange, Ink::Pink, Ink::Blue, Ink::Green, Ink::Green, Ink::Text]);
    }

    /// WCAG 2.2, contrast ratio.
    #[test]
    fn inks_of_data_and_text_are_legible() {
        let luminance = |hex: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 {
                    value / 12.92
                } else {
                    Real::exp(2.4 * Real::ln((value + 0.055) / 1.055))
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let page = INKS[Ink::Page as usize];
        for (ink, name, light, dark) in INKS {
            if !matches!(ink, Ink::Axis | Ink::Grid | Ink::Page) {
                assert!(contrast(light, page.2) >= 5.0, "{name} on white");
                assert!(contrast(dark, page.3) >= 7.6, "{name} on dark");
            }
        }
    }
}
