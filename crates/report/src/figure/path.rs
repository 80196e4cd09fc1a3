//! SVG path data: relative commands in tenths of a pixel, no needless separators.

/// A position in tenths of a pixel.
pub(super) type Point = (i32, i32);

/// A rectangle: left, top, right, bottom.
pub(super) type Bounds = [i32; 4];

/// Whether two rectangles have a part in common that is more than a border.
pub(super) fn overlap(a: Bounds, b: Bounds) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// Writes path data.
#[derive(Debug, Default)]
pub(super) struct Pen {
    data: String,
    at: Point,
    /// The command that a number without a letter would continue.
    command: Option<char>,
    /// The last number had a decimal point, so one that starts with a point needs no space.
    after_fraction: bool,
}

/// `n` tenths as a decimal number: `12.3`, `-.5`, `7`.
pub(super) fn tenths(n: i32) -> String {
    let (sign, size) = (if n < 0 { "-" } else { "" }, n.abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, fraction) => format!("{sign}.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

impl Pen {
    /// The data so far.
    pub(super) fn data(&self) -> &str {
        &self.data
    }

    fn command(&mut self, letter: char, numbers: &[i32]) {
        let new = self.command != Some(letter);
        if new {
            self.data.push(letter);
            self.command = Some(letter);
        }
        for (index, number) in numbers.iter().enumerate() {
            let text = tenths(*number);
            let separate = text.starts_with('-') || text.starts_with('.') && self.after_fraction;
            if !(separate || new && index == 0) {
                self.data.push(' ');
            }
            self.after_fraction = text.contains('.');
            self.data += &text;
        }
    }

    fn move_to(&mut self, to: Point) {
        if self.data.is_empty() {
            self.command('M', &[to.0, to.1]);
        } else {
            // Numbers after a move would be lines: each move has its letter.
            self.command = None;
            self.command('m', &[to.0 - self.at.0, to.1 - self.at.1]);
        }
        self.command = None;
        self.at = to;
    }

    fn line_to(&mut self, to: Point) {
        match (to.0 - self.at.0, to.1 - self.at.1) {
            (dx, 0) => self.command('h', &[dx]),
            (0, dy) => self.command('v', &[dy]),
            (dx, dy) => self.command('l', &[dx, dy]),
        }
        self.at = to;
    }

    fn close(&mut self, start: Point) {
        self.data.push('z');
        self.command = None;
        self.at = start;
    }

    /// A line through the points, or their outline.
    pub(super) fn polyline(&mut self, points: &[Point], closed: bool) {
        self.move_to(points[0]);
        for &point in &points[1..] {
            self.line_to(point);
        }
        if closed {
            self.close(points[0]);
        }
    }

    /// A line of no length: with round caps a disc as wide as the stroke.
    pub(super) fn disc(&mut self, centre: Point) {
        self.move_to(centre);
        self.command('h', &[0]);
    }

    /// The outline of a circle.
    pub(super) fn circle(&mut self, centre: Point, radius: i32) {
        let start = (centre.0 - radius, centre.1);
        self.move_to(start);
        let (r, d) = (tenths(radius), tenths(2 * radius));
        self.data += &format!("a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0");
        self.close(start);
    }
}

/// Drops points that lie within 0.14 px of the line without them (Douglas and Peucker 1973), in integers.
pub(super) fn simplify(points: &[Point]) -> Vec<Point> {
    /// In square units of a tenth of a pixel.
    const TOLERANCE_SQUARED: i64 = 2;
    fn between(points: &[Point], first: usize, last: usize, keep: &mut [bool]) {
        let offset =
            |i: usize| (i64::from(points[i].0 - points[first].0), i64::from(points[i].1 - points[first].1));
        let (dx, dy) = offset(last);
        let chord = dx * dx + dy * dy;
        // The distance to the chord, squared and times the chord's own square; to its start if it has no length.
        let distance = |i: usize| {
            let (x, y) = offset(i);
            if chord == 0 { x * x + y * y } else { (x * dy - y * dx) * (x * dy - y * dx) }
        };
        let Some(farthest) = (first + 1..last).max_by_key(|&i| (distance(i), std::cmp::Reverse(i))) else {
            return;
        };
        if distance(farthest) > TOLERANCE_SQUARED * chord.max(1) {
            keep[farthest] = true;
            between(points, first, farthest, keep);
            between(points, farthest, last, keep);
        }
    }
    let Some(last) = points.len().checked_sub(1) else { return Vec::new() };
    let mut keep = vec![false; points.len()];
    keep[0] = true;
    keep[last] = true;
    between(points, 0, last, &mut keep);
    points.iter().zip(keep).filter_map(|(&point, keep)| keep.then_some(point)).collect()
}

/// The part of the segment from `a` to `b` inside the rectangle, borders included (Liang and Barsky 1984).
pub(super) fn clip(a: Point, b: Point, [left, top, right, bottom]: Bounds) -> Option<(Point, Point)> {
    let (x, y) = (f64::from(a.0), f64::from(a.1));
    let (dx, dy) = (f64::from(b.0) - x, f64::from(b.1) - y);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (speed, room) in [
        (-dx, x - f64::from(left)),
        (dx, f64::from(right) - x),
        (-dy, y - f64::from(top)),
        (dy, f64::from(bottom) - y),
    ] {
        if speed == 0.0 && room < 0.0 {
            return None;
        } else if speed < 0.0 {
            enter = enter.max(room / speed);
        } else if speed > 0.0 {
            leave = leave.min(room / speed);
        }
    }
    let at = |t: f64| ((x + t * dx).round() as i32, (y + t * dy).round() as i32);
    (enter <= leave).then(|| (at(enter), at(leave)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_data_is_short() {
        let mut pen = Pen::default();
        pen.polyline(&[(10, 20), (15, 25), (20, 30), (20, 0)], false);
        pen.polyline(&[(0, 0), (100, 0), (100, 100)], true);
        pen.disc((55, 5));
        assert_eq!(pen.data(), "M1 2l.5.5.5.5v-3m-2 0h10v10zm5.5.5h0");
    }

    #[test]
    fn simplifying_keeps_corners() {
        assert_eq!(simplify(&[(0, 0), (50, 1), (100, 0), (100, 80)]), [(0, 0), (100, 0), (100, 80)]);
        assert_eq!(simplify(&[(0, 0), (50, 2), (100, 0)]), [(0, 0), (50, 2), (100, 0)]);
        // A hairpin: the chord has no length.
        assert_eq!(simplify(&[(0, 0), (50, 0), (0, 0)]), [(0, 0), (50, 0), (0, 0)]);
        assert!(simplify(&[]).is_empty());
    }

    #[test]
    fn clipping_cuts_at_the_border() {
        let plot = [0, 0, 100, 100];
        assert_eq!(clip((50, 50), (150, 150), plot), Some(((50, 50), (100, 100))));
        assert_eq!(clip((-50, 0), (50, 100), plot), Some(((0, 50), (50, 100))));
        assert_eq!(clip((-10, 50), (-10, 90), plot), None);
        assert_eq!(clip((10, 10), (20, 30), plot), Some(((10, 10), (20, 30))));
    }
}
