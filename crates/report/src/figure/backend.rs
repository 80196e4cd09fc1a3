//! The plotters backend that writes SVG.
//!
//! - A unit is a tenth of a pixel: plotters' coordinates are integers, and so nothing is ever formatted
//!   from a float. Sizes that plotters presets in pixels must all be set.
//! - A colour is a token ([`Paint`](super::ink::Paint)); the style sheet gives it a value.
//! - Neighbours of one style become one path, texts of one style one group.
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write;

use super::ink::{DASHED, DOTTED, HALO, Tone, embedded_css};
use super::markup::{bold_width, escape, to_svg, width};
use super::path::{Bounds, Pen, overlap, simplify, tenths};
use super::{Css, Ink};

/// How a shape is painted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Style {
    tone: Tone,
    flags: u8,
    percent: u8,
    /// Tenths of a pixel; 0 is a fill.
    width: i32,
    /// Segments of no length that are discs by their round caps.
    discs: bool,
}

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Face {
    tone: Tone,
    flags: u8,
    size: i32,
    bold: bool,
    anchor: &'static str,
}

#[derive(Debug)]
enum Item {
    Path(Style, Pen),
    Text(Face, String),
}

/// A text and the rectangle it takes.
#[derive(Debug)]
struct TextBox {
    bounds: Bounds,
    text: String,
}

/// What was drawn so far.
#[derive(Debug)]
pub(super) struct Drawing {
    width: i32,
    height: i32,
    pub(super) description: String,
    items: Vec<Item>,
    texts: Vec<TextBox>,
    /// Findings of the charts, for `lint`.
    pub(super) notes: Vec<String>,
}

/// A page shows a figure up to this much larger than its own coordinates: 5/4.
const MAGNIFICATION: [i32; 2] = [5, 4];

impl Drawing {
    pub(super) fn new(width: i32, height: i32, description: String) -> Drawing {
        Drawing { width, height, description, items: Vec::new(), texts: Vec::new(), notes: Vec::new() }
    }

    /// The pen for shapes of that style: that of the last shape, if it has the same.
    fn pen(&mut self, color: BackendColor, width: i32, discs: bool) -> Option<&mut Pen> {
        let percent = (color.alpha * 100.0).round() as u8;
        if percent == 0 {
            return None;
        }
        let style = Style { tone: Tone::of_code(color.rgb.0), flags: color.rgb.1, percent, width, discs };
        if !matches!(self.items.last(), Some(Item::Path(last, _)) if *last == style) {
            self.items.push(Item::Path(style, Pen::default()));
        }
        match self.items.last_mut() {
            Some(Item::Path(_, pen)) => Some(pen),
            _ => None,
        }
    }

    /// Whether a text with these bounds would lie on another one.
    pub(super) fn is_taken(&self, bounds: Bounds) -> bool {
        self.texts.iter().any(|other| overlap(bounds, other.bounds))
    }

    pub(super) fn lint(&self) -> Vec<String> {
        let mut findings = self.notes.clone();
        for (index, TextBox { bounds, text }) in self.texts.iter().enumerate() {
            let [left, top, right, bottom] = *bounds;
            if left < 0 || top < 0 || right > self.width || bottom > self.height {
                findings.push(format!("the text {text:?} leaves the figure"));
            }
            for other in self.texts[..index].iter().filter(|other| overlap(*bounds, other.bounds)) {
                findings.push(format!("the texts {:?} and {text:?} overlap", other.text));
            }
        }
        findings
    }

    pub(super) fn svg(&self, css: Css) -> String {
        let (width, height) = (tenths(self.width), tenths(self.height));
        let [larger, smaller] = MAGNIFICATION;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-label=\"{}\" \
             width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\">\n",
            escape(&self.description),
            tenths(self.width * larger / smaller),
            tenths(self.height * larger / smaller),
        );
        if css == Css::Embedded {
            let page = Tone::from(Ink::Page);
            let tones = self.items.iter().map(Item::tone).chain([page]).collect::<BTreeSet<_>>();
            // In a page it would be a tooltip over the whole figure.
            let _ = writeln!(svg, "<title>{}</title>", escape(&self.description));
            let _ = writeln!(svg, "<style>{}</style>", embedded_css(&tones));
            let page = page.fill_class();
            let _ = writeln!(svg, "<path class=\"{page}\" d=\"M0 0h{width}v{height}h-{width}z\"/>");
        }
        let mut open: Option<Face> = None;
        for item in &self.items {
            let face = match item {
                Item::Text(face, _) => Some(*face),
                Item::Path(..) => None,
            };
            if face != open {
                if open.is_some() {
                    svg += "</g>\n";
                }
                if let Some(face) = face {
                    svg += &face.open_group();
                }
                open = face;
            }
            match item {
                Item::Path(style, pen) => svg += &style.path(pen),
                Item::Text(_, text) => svg += text,
            }
        }
        if open.is_some() {
            svg += "</g>\n";
        }
        svg + "</svg>\n"
    }
}

impl Item {
    fn tone(&self) -> Tone {
        match self {
            Item::Path(style, _) => style.tone,
            Item::Text(face, _) => face.tone,
        }
    }
}

impl Style {
    fn path(&self, pen: &Pen) -> String {
        let class = if self.width == 0 { self.tone.fill_class() } else { self.tone.stroke_class() };
        let mut svg = format!("<path class=\"{class}\"");
        if self.width != 0 {
            let _ = write!(svg, " stroke-width=\"{}\"", tenths(self.width));
        }
        if self.discs {
            svg += " stroke-linecap=\"round\"";
        } else if self.flags & DASHED != 0 {
            svg += " stroke-dasharray=\"5 3\"";
        } else if self.flags & DOTTED != 0 {
            svg += " stroke-dasharray=\"1.5 2.5\"";
        }
        if self.percent < 100 {
            let _ = write!(svg, " opacity=\".{:02}\"", self.percent);
        }
        let _ = writeln!(svg, " d=\"{}\"/>", pen.data());
        svg
    }
}

impl Face {
    fn open_group(&self) -> String {
        let halo = if self.flags & HALO != 0 { " halo" } else { "" };
        let weight = if self.bold { " font-weight=\"600\"" } else { "" };
        let anchor = match self.anchor {
            "start" => String::new(),
            anchor => format!(" text-anchor=\"{anchor}\""),
        };
        format!(
            "<g class=\"{}{halo}\" font-size=\"{}\"{anchor}{weight}>\n",
            self.tone.fill_class(),
            tenths(self.size)
        )
    }
}

/// Baselines come from Helvetica's capital height and descent and not from `dominant-baseline`, which
/// renderers read differently. In thousandths of the size, downwards.
fn baseline(position: VPos, size: i32) -> i32 {
    let thousandths = match position {
        VPos::Top => 730,
        VPos::Center => 355,
        VPos::Bottom => -220,
    };
    thousandths * size / 1000
}

/// The rectangle that a text takes, by estimate.
pub(super) fn text_bounds(
    text: &str,
    size: i32,
    bold: bool,
    (x, y): BackendCoord,
    h: HPos,
    v: VPos,
) -> Bounds {
    let width = if bold { bold_width(text, size) } else { width(text, size) };
    let left = match h {
        HPos::Left => x,
        HPos::Center => x - width / 2,
        HPos::Right => x - width,
    };
    let base = y + baseline(v, size);
    [left, base - 730 * size / 1000, left + width, base + 200 * size / 1000]
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Drawing {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Drawn {
        unreachable!("every primitive has its own function; pixels have no place in a figure")
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points = simplify(&path.into_iter().collect::<Vec<_>>());
        if points.len() > 1
            && let Some(pen) = self.pen(style.color(), style.stroke_width().max(1) as i32, false)
        {
            pen.polyline(&points, false);
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let width = if fill { 0 } else { style.stroke_width().max(1) as i32 };
        if let Some(pen) = self.pen(style.color(), width, false) {
            pen.polyline(&[(left, top), (right, top), (right, bottom), (left, bottom)], true);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        outline: I,
        style: &S,
    ) -> Drawn {
        let points = simplify(&outline.into_iter().collect::<Vec<_>>());
        if points.len() > 2
            && let Some(pen) = self.pen(style.color(), 0, false)
        {
            pen.polyline(&points, true);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let radius = radius as i32;
        let width = if fill { 2 * radius } else { style.stroke_width().max(1) as i32 };
        if let Some(pen) = self.pen(style.color(), width, fill) {
            if fill { pen.disc(centre) } else { pen.circle(centre, radius) }
        }
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, at: BackendCoord) -> Drawn {
        let color = style.color();
        if color.alpha <= 0.0 || text.is_empty() {
            return Ok(());
        }
        let size = style.size().round() as i32;
        let anchor = style.anchor();
        let face = Face {
            tone: Tone::of_code(color.rgb.0),
            flags: color.rgb.1,
            size,
            bold: matches!(style.style(), FontStyle::Bold),
            anchor: match anchor.h_pos {
                HPos::Left => "start",
                HPos::Center => "middle",
                HPos::Right => "end",
            },
        };
        let bounds = text_bounds(text, size, face.bold, at, anchor.h_pos, anchor.v_pos);
        self.texts.push(TextBox { bounds, text: text.to_owned() });
        let (x, y) = (tenths(at.0), tenths(at.1 + baseline(anchor.v_pos, size)));
        self.items.push(Item::Text(face, format!("<text x=\"{x}\" y=\"{y}\">{}</text>\n", to_svg(text))));
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size().round() as i32;
        Ok((width(text, size) as u32, size as u32))
    }
}
