use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, Look, TEXT_SIZE, TICK_SIZE, WIDTH, px};
use super::ink::Paint;
use super::markup::{bold_width, width};
use super::path::Point;
use super::{Figure, Ink};

/// A wiring diagram: boxes, functions and operations, and wires between them.
///
/// Places are in units of 10 px from the figure's top left; the figure is 44 units wide. A wire is a list of
/// corners. Where it ends at a node it has an arrow head; where it begins on another wire, a dot. Wires that cross
/// without a dot have nothing to do with each other.
///
/// ```
/// use longlag_report::figure::{Css, Diagram, Ink};
///
/// let figure = Diagram::new("A plain network: the state goes through weights and tanh at every step.", 11, Ink::Orange)
///     .port("*h*_{*t*−1}", (4, 4))
///     .sum("*h*", "tanh", (20, 4))
///     .port("*h*_{*t*}", (40, 4))
///     .port("*x*_{*t*}", (20, 10))
///     .wire(&[(20, 10), (20, 4)])
///     .path(&[(4, 4), (20, 4), (40, 4)])
///     .figure();
/// assert_eq!(figure.lint(), Vec::<String>::new());
/// assert!(figure.svg(Css::Page).contains("tanh"));
/// ```
#[derive(Clone, Debug)]
pub struct Diagram {
    description: String,
    height: i32,
    ink: Ink,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    notes: Vec<(String, Point)>,
}

#[derive(Clone, Debug)]
struct Node {
    at: Point,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A learned sum, and what is done to it.
    Sum { name: String, function: String },
    /// A function without weights.
    Function(String),
    /// × or +.
    Operation(String),
    /// Where something comes in or goes out.
    Port(String),
}

#[derive(Clone, Debug)]
struct Wire {
    corners: Vec<Point>,
    thick: bool,
}

const UNIT: i32 = px(10);
const SUM_HALF: Point = (px(22), px(14));
/// Beside a text in a box.
const SUM_MARGIN: i32 = px(6);
const OPERATION_HALF: i32 = px(10);
const FUNCTION_HALF_HEIGHT: i32 = px(11);

impl Kind {
    /// Half of its width and of its height.
    fn half(&self) -> Point {
        match self {
            Kind::Sum { function, .. } => {
                (SUM_HALF.0.max(bold_width(function, TEXT_SIZE) / 2 + SUM_MARGIN), SUM_HALF.1)
            }
            Kind::Function(label) => (width(label, TEXT_SIZE) / 2 + px(7), FUNCTION_HALF_HEIGHT),
            Kind::Operation(_) => (OPERATION_HALF, OPERATION_HALF),
            Kind::Port(label) => (width(label, TEXT_SIZE) / 2 + px(3), px(10)),
        }
    }
}

impl Diagram {
    /// An empty diagram of `height` units. `ink` is that of the path that is to be followed.
    pub fn new(description: impl Into<String>, height: i32, ink: Ink) -> Diagram {
        Diagram {
            description: description.into(),
            height: height * UNIT,
            ink,
            nodes: Vec::new(),
            wires: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn node(mut self, (x, y): Point, kind: Kind) -> Diagram {
        self.nodes.push(Node { at: (x * UNIT, y * UNIT), kind });
        self
    }

    /// A box: a learned sum of all that comes in, and the function of it; its result has a name, or none.
    #[must_use]
    pub fn sum(self, name: &str, function: &str, at: (i32, i32)) -> Diagram {
        self.node(at, Kind::Sum { name: name.into(), function: function.into() })
    }

    /// A function without weights, unit by unit.
    #[must_use]
    pub fn function(self, label: &str, at: (i32, i32)) -> Diagram {
        self.node(at, Kind::Function(label.into()))
    }

    /// A product or a sum, unit by unit: ×, +.
    #[must_use]
    pub fn operation(self, label: &str, at: (i32, i32)) -> Diagram {
        self.node(at, Kind::Operation(label.into()))
    }

    /// A name where something comes in or goes out.
    #[must_use]
    pub fn port(self, label: &str, at: (i32, i32)) -> Diagram {
        self.node(at, Kind::Port(label.into()))
    }

    /// A few words, centred.
    #[must_use]
    pub fn note(mut self, text: &str, (x, y): (i32, i32)) -> Diagram {
        self.notes.push((text.into(), (x * UNIT, y * UNIT)));
        self
    }

    /// A wire along these corners.
    #[must_use]
    pub fn wire(self, corners: &[(i32, i32)]) -> Diagram {
        self.line(corners, false)
    }

    /// The path that is to be followed: a thick wire.
    #[must_use]
    pub fn path(self, corners: &[(i32, i32)]) -> Diagram {
        self.line(corners, true)
    }

    fn line(mut self, corners: &[(i32, i32)], thick: bool) -> Diagram {
        let corners = corners.iter().map(|(x, y)| (x * UNIT, y * UNIT)).collect();
        self.wires.push(Wire { corners, thick });
        self
    }

    /// Draws it.
    pub fn figure(&self) -> Figure {
        let canvas = Canvas::new(self.height, &self.description);
        for wire in self.wires.iter().filter(|wire| !wire.thick) {
            self.draw_wire(&canvas, wire);
        }
        for wire in self.wires.iter().filter(|wire| wire.thick) {
            self.draw_wire(&canvas, wire);
        }
        for node in &self.nodes {
            self.draw_node(&canvas, node);
        }
        for (text, at) in &self.notes {
            let look = Look::label(Ink::Muted).size(TICK_SIZE).halo().held(HPos::Center, VPos::Center);
            canvas.text(text, *at, look);
        }
        canvas.finish()
    }

    fn node_at(&self, at: Point) -> Option<&Node> {
        self.nodes.iter().find(|node| node.at == at)
    }

    /// Pieces from node to node, each with an arrow head.
    fn draw_wire(&self, canvas: &Canvas, wire: &Wire) {
        let (ink, width) = if wire.thick { (self.ink, px(4)) } else { (Ink::Muted, 13) };
        let paint = Paint::from(ink);
        let first = wire.corners[0];
        if self.node_at(first).is_none() {
            canvas.disc(first, px(2), ink, ink);
        }
        let mut piece = vec![first];
        if let (Some(node), Some(next)) = (self.node_at(first), wire.corners.get(1)) {
            // Nothing covers it in a port.
            let (dx, dy) = ((next.0 - first.0).signum(), (next.1 - first.1).signum());
            let (half_width, half_height) = node.kind.half();
            piece[0] = (first.0 + dx * half_width, first.1 + dy * half_height);
        }
        for &corner in &wire.corners[1..] {
            piece.push(corner);
            let Some(node) = self.node_at(corner) else { continue };
            let [.., before, _] = piece[..] else { continue };
            let (dx, dy) = ((corner.0 - before.0).signum(), (corner.1 - before.1).signum());
            let half = node.kind.half();
            // How far before the node's middle the line is to end.
            let reach = if dx != 0 { half.0 } else { half.1 };
            let head = if wire.thick { px(9) } else { px(6) };
            let end = |back: i32| (corner.0 - dx * back, corner.1 - dy * back);
            *piece.last_mut().expect("two corners") = end(reach + head - 5);
            canvas.stroke(piece, paint.stroke(width));
            let (tip, base) = (end(reach), end(reach + head));
            let aside = |by: i32| (base.0 + dy * by, base.1 + dx * by);
            let wide = head * 5 / 9;
            canvas.fill(vec![tip, aside(wide), aside(-wide)], paint.fill());
            piece = vec![corner];
        }
        if piece.len() > 1 {
            canvas.stroke(piece, paint.stroke(width));
        }
    }

    fn draw_node(&self, canvas: &Canvas, Node { at: (x, y), kind }: &Node) {
        let (x, y) = (*x, *y);
        let (half_width, half_height) = kind.half();
        let page = Paint::from(Ink::Page).fill();
        let line = Paint::from(Ink::Text).stroke(13);
        let bounds = [x - half_width, y - half_height, x + half_width, y + half_height];
        if bounds[0] < 0 || bounds[2] > WIDTH || bounds[1] < 0 || bounds[3] > self.height {
            canvas.note(format!("the node at ({x}, {y}) leaves the figure"));
        }
        let centred = |ink| Look::label(ink).held(HPos::Center, VPos::Center);
        match kind {
            Kind::Sum { name, function } => {
                canvas.rectangle(bounds, page);
                canvas.rectangle(bounds, Paint::from(Ink::Muted).percent(18).fill());
                canvas.rectangle(bounds, line);
                canvas.text(function, (x, y), centred(Ink::Text).bold());
                let look = Look::label(Ink::Text).halo().held(HPos::Left, VPos::Bottom);
                canvas.text(name, (x + px(4), bounds[1] - px(4)), look);
            }
            Kind::Function(label) => {
                let outline = pill(bounds);
                canvas.fill(outline.clone(), page);
                let mut closed = outline;
                closed.push(closed[0]);
                canvas.stroke(closed, line);
                canvas.text(label, (x, y), centred(Ink::Text));
            }
            Kind::Operation(label) => {
                canvas.disc((x, y), OPERATION_HALF, Ink::Page, Ink::Text);
                canvas.text(label, (x, y), centred(Ink::Text).bold());
            }
            Kind::Port(label) => {
                canvas.text(label, (x, y), centred(Ink::Text));
            }
        }
    }
}

/// A rectangle with its corners cut off.
fn pill([left, top, right, bottom]: [i32; 4]) -> Vec<Point> {
    let cut = px(5);
    vec![
        (left + cut, top),
        (right - cut, top),
        (right, top + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (left + cut, bottom),
        (left, bottom - cut),
        (left, top + cut),
    ]
}
