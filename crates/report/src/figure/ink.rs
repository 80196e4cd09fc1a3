//! Inks: colours by meaning, one value for light pages and one for dark.
use plotters::style::{Color, ShapeStyle};
use plotters_backend::BackendColor;
use std::collections::BTreeSet;
use std::fmt::Write;

use super::ramp;

/// A colour by name. Blue to purple are told apart by colour-blind readers too: to the red-green blind, by the
/// simulation of Machado, Oliveira and Fernandes (2009), any two differ by at least 0.08 in OKLab. They have a
/// contrast of at least 5:1 on white and 7.6:1 on the dark page; still every curve carries its name.
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
    Purple,
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
    (Ink::Purple, "purple", "#7a1f7a", "#f5bde2"),
];

/// The ink of a cell, the same in every figure: LSTM, GRU, ReLU RNN, RNN, found anywhere in the name
/// (`LSTM, forget bias 3`). Other names get the text's colour.
pub fn ink_of(cell: &str) -> Ink {
    let name = cell.to_lowercase();
    let has = |part| name.contains(part);
    match () {
        _ if has("lstm") => Ink::Blue,
        _ if has("gru") => Ink::Green,
        _ if has("relu") => Ink::Purple,
        _ if has("rnn") => Ink::Orange,
        _ => Ink::Text,
    }
}

/// What a shape or a text is coloured with, in one byte for plotters: an ink, a level of the ramps of heat
/// maps ([`ramp`]), or the ink of a number in such a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tone(u8);

/// Numbers in cells are black or white, in a light and in a dark page.
const LETTERS: [(&str, &str, &str); 4] = [
    ("black", "#000000", "#000000"),
    ("black-white", "#000000", "#ffffff"),
    ("white-black", "#ffffff", "#000000"),
    ("white", "#ffffff", "#ffffff"),
];
const FIRST_LETTER: u8 = 16;
const FIRST_COLD: u8 = 64;
const FIRST_WARM: u8 = 128;

impl From<Ink> for Tone {
    fn from(ink: Ink) -> Tone {
        Tone(ink as u8)
    }
}

impl Tone {
    /// A level of the ramps.
    pub(super) fn level(level: i8) -> Tone {
        Tone(if level > 0 { FIRST_WARM } else { FIRST_COLD } + level.unsigned_abs())
    }

    /// Of a number in a cell of that level: whichever of black and white has the higher contrast.
    pub(super) fn on_level(level: i8) -> Tone {
        let [light, dark] = [false, true].map(|dark| u8::from(ramp::is_dark(ramp::color(level, dark))));
        Tone(FIRST_LETTER + 2 * light + dark)
    }

    /// As the backend gets it back.
    pub(super) fn of_code(code: u8) -> Tone {
        Tone(code)
    }

    fn ramp_level(self) -> Option<i8> {
        match self.0 {
            FIRST_WARM.. => Some((self.0 - FIRST_WARM) as i8),
            FIRST_COLD.. => Some(-((self.0 - FIRST_COLD) as i8)),
            _ => None,
        }
    }

    /// Its name in classes and variables.
    fn name(self) -> String {
        match self.ramp_level() {
            Some(level) => format!("{}{}", if level > 0 { "warm" } else { "cold" }, level.unsigned_abs()),
            None if self.0 >= FIRST_LETTER => LETTERS[usize::from(self.0 - FIRST_LETTER)].0.to_owned(),
            None => INKS[usize::from(self.0)].1.to_owned(),
        }
    }

    fn value(self, dark: bool) -> String {
        let of = |light: &str, darker: &str| (if dark { darker } else { light }).to_owned();
        match self.ramp_level() {
            Some(level) => ramp::hex(ramp::color(level, dark)),
            None if self.0 >= FIRST_LETTER => {
                let (_, light, darker) = LETTERS[usize::from(self.0 - FIRST_LETTER)];
                of(light, darker)
            }
            None => {
                let (_, _, light, darker) = INKS[usize::from(self.0)];
                of(light, darker)
            }
        }
    }

    /// All there are, for a page's style sheet.
    fn all() -> BTreeSet<Tone> {
        let levels = ramp::LEVELS;
        let inks = INKS.iter().map(|(ink, ..)| Tone::from(*ink));
        let letters = (0..LETTERS.len() as u8).map(|letter| Tone(FIRST_LETTER + letter));
        inks.chain(letters).chain((-levels..=levels).map(Tone::level)).collect()
    }

    /// The class of shapes stroked with it.
    pub(super) fn stroke_class(self) -> String {
        format!("s-{}", self.name())
    }

    /// The class of shapes and texts filled with it.
    pub(super) fn fill_class(self) -> String {
        format!("f-{}", self.name())
    }
}

pub(super) const DASHED: u8 = 1;
pub(super) const DOTTED: u8 = 2;
pub(super) const HALO: u8 = 4;

/// What plotters takes for a colour: a tone, flags and an opacity. The backend reads them out of the
/// colour's red and green and out of its alpha.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    tone: Tone,
    flags: u8,
    percent: u8,
}

impl<T: Into<Tone>> From<T> for Paint {
    fn from(tone: T) -> Paint {
        Paint { tone: tone.into(), flags: 0, percent: 100 }
    }
}

impl Paint {
    /// Nothing is drawn with it.
    pub(super) const NONE: Paint = Paint { tone: Tone(Ink::Page as u8), flags: 0, percent: 0 };

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
        BackendColor { rgb: (self.tone.0, self.flags, 0), alpha: f64::from(self.percent) / 100.0 }
    }
}

const FONTS: &str = "'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif";

/// The style sheet for a page with [`Css::Page`](super::Css::Page) figures. It follows the theme classes
/// of mdBook's root element: `light` and `rust` are light, `coal`, `navy` and `ayu` dark. The page's own
/// `--bg` is the background, so it must be set. Paper is white, whatever the theme.
pub fn page_css() -> String {
    let tones = Tone::all();
    let light = variables(&tones, false, Some("var(--bg)"));
    let dark = variables(&tones, true, Some("var(--bg)"));
    let paper = "--plot-page:#ffffff;--plot-text:#000000;--plot-muted:#333333;--plot-axis:#555555";
    format!(
        ":root{{{light}}}\n@media screen{{.coal,.navy,.ayu{{{dark}}}}}\n@media print{{.plot{{{paper}}}}}\n{}",
        rules(&tones, "\n")
    )
}

/// The style sheet inside a file that stands alone, for the tones that it has.
pub(super) fn embedded_css(tones: &BTreeSet<Tone>) -> String {
    let (light, dark) = (variables(tones, false, None), variables(tones, true, None));
    format!(
        ".plot{{{light}}}@media screen and (prefers-color-scheme:dark){{.plot{{{dark}}}}}{}",
        rules(tones, "")
    )
}

fn variables(tones: &BTreeSet<Tone>, dark: bool, page: Option<&str>) -> String {
    let value = |tone: Tone| match page {
        Some(page) if tone == Ink::Page.into() => page.to_owned(),
        _ => tone.value(dark),
    };
    let set: Vec<String> =
        tones.iter().map(|&tone| format!("--plot-{}:{}", tone.name(), value(tone))).collect();
    set.join(";")
}

fn rules(tones: &BTreeSet<Tone>, newline: &str) -> String {
    let mut css = format!(
        ".plot{{display:block;width:100%;max-width:550px;height:auto;font-family:{FONTS};\
         font-variant-numeric:tabular-nums}}{newline}\
         .plot .i{{font-style:italic}}{newline}\
         .plot .u{{font-size:72%}}{newline}\
         .plot .halo{{paint-order:stroke;stroke:var(--plot-page);stroke-width:3px;stroke-linejoin:round}}{newline}"
    );
    // Straight lines of the frame and the borders of cells sit on whole device pixels; data is antialiased.
    let crisp = "shape-rendering:crispEdges";
    if tones.iter().any(|tone| tone.ramp_level().is_some()) {
        let _ = write!(css, ".plot [class*=-cold],.plot [class*=-warm]{{{crisp}}}{newline}");
    }
    for &tone in tones {
        let name = tone.name();
        if tone.0 < FIRST_LETTER {
            let frame = [Ink::Axis, Ink::Grid].map(Tone::from).contains(&tone);
            let lines = if frame { crisp } else { "stroke-linejoin:round" };
            let _ = write!(css, ".plot .s-{name}{{fill:none;stroke:var(--plot-{name});{lines}}}{newline}");
        }
        let _ = write!(css, ".plot .f-{name}{{fill:var(--plot-{name})}}{newline}");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(inks, [Ink::Orange, Ink::Purple, Ink::Blue, Ink::Green, Ink::Green, Ink::Text]);
    }

    #[test]
    fn inks_of_data_and_text_are_legible() {
        let [_, _, _, _, page, ..] = INKS;
        for (ink, name, light, dark) in INKS {
            if !matches!(ink, Ink::Axis | Ink::Grid | Ink::Page) {
                assert!(ramp::tests::contrast(light, page.2) >= 5.0, "{name} on white");
                assert!(ramp::tests::contrast(dark, page.3) >= 7.6, "{name} on dark");
            }
        }
    }

    #[test]
    fn numbers_in_cells_are_legible() {
        for level in -ramp::LEVELS..=ramp::LEVELS {
            for dark in [false, true] {
                let (cell, number) = (Tone::level(level), Tone::on_level(level));
                let contrast = ramp::tests::contrast(&cell.value(dark), &number.value(dark));
                assert!(contrast >= 4.5, "level {level}: {contrast}");
            }
        }
    }
}
