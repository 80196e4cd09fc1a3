//! Lines of one value through a grid of values (marching squares; Lorensen and Cline 1987 in two dimensions).
use std::collections::BTreeMap;

use super::path::Point;

/// An edge between two neighbours of the grid: where it starts, and whether it goes up or along.
type Edge = (usize, usize, bool);

/// The lines where values pass `level`, straight between neighbours. `value(i, j)` stands at `x[i]`, `y[j]`;
/// where it is missing there are no lines.
pub(super) fn contour(
    x: &[i32],
    y: &[i32],
    value: impl Fn(usize, usize) -> Option<f64>,
    level: f64,
) -> Vec<Vec<Point>> {
    let mut next: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for j in 1..y.len() {
        for i in 1..x.len() {
            for (from, to) in square(i - 1, j - 1, &value, level) {
                next.entry(from).or_default().push(to);
                next.entry(to).or_default().push(from);
            }
        }
    }
    let point = |(i, j, up): Edge| {
        let (k, l) = if up { (i, j + 1) } else { (i + 1, j) };
        let (a, b) = (value(i, j).unwrap_or(level), value(k, l).unwrap_or(level));
        let part = (level - a) / (b - a);
        let between = |a: i32, b: i32| a + (f64::from(b - a) * part).round() as i32;
        (between(x[i], x[k]), between(y[j], y[l]))
    };
    // Lines with ends before those without: from an end a line is followed whole.
    let mut starts: Vec<Edge> = next.keys().copied().collect();
    starts.sort_by_key(|edge| next[edge].len());
    let mut lines = Vec::new();
    for start in starts {
        let mut line = vec![point(start)];
        let mut at = start;
        while let Some(to) = next.get_mut(&at).and_then(Vec::pop) {
            if let Some(back) = next.get_mut(&to) {
                back.swap_remove(back.iter().position(|edge| *edge == at).expect("links go both ways"));
            }
            line.push(point(to));
            at = to;
        }
        if line.len() > 1 {
            lines.push(line);
        }
    }
    lines
}

/// The one or two pieces of the lines in a square of neighbours.
fn square(i: usize, j: usize, value: impl Fn(usize, usize) -> Option<f64>, level: f64) -> Vec<(Edge, Edge)> {
    let corners = [value(i, j), value(i + 1, j), value(i + 1, j + 1), value(i, j + 1)];
    let [Some(a), Some(b), Some(c), Some(d)] = corners else { return Vec::new() };
    let [above_a, above_b, above_c, above_d] = [a, b, c, d].map(|value| value >= level);
    let sides = [
        (above_a != above_b, (i, j, false)),
        (above_b != above_c, (i + 1, j, true)),
        (above_c != above_d, (i, j + 1, false)),
        (above_d != above_a, (i, j, true)),
    ];
    let crossed: Vec<Edge> =
        sides.into_iter().filter(|(crossed, _)| *crossed).map(|(_, edge)| edge).collect();
    match crossed[..] {
        [from, to] => vec![(from, to)],
        // A saddle: the mean says which corners are one region.
        [ab, bc, cd, da] if ((a + b + c + d) / 4.0 >= level) == above_a => vec![(ab, bc), (cd, da)],
        [ab, bc, cd, da] => vec![(ab, da), (bc, cd)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: [i32; 4] = [0, 10, 20, 30];

    fn of(values: [[f64; 4]; 4], level: f64) -> Vec<Vec<Point>> {
        contour(&AT, &AT, |i, j| Some(values[j][i]).filter(|value| !value.is_nan()), level)
    }

    #[test]
    fn a_slope_has_one_straight_line() {
        let values = std::array::from_fn(|_| [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(of(values, 1.5), [[(15, 0), (15, 10), (15, 20), (15, 30)]]);
        assert!(of(values, 3.5).is_empty());
    }

    #[test]
    fn a_hill_has_a_closed_line() {
        let mut values = [[0.0; 4]; 4];
        values[1][1] = 1.0;
        let [line] = &of(values, 0.5)[..] else { panic!("one line") };
        assert_eq!((line.len(), line[0]), (5, line[4]));
        let mut corners = line[1..].to_vec();
        corners.sort_unstable();
        assert_eq!(corners, [(5, 10), (10, 5), (10, 15), (15, 10)]);
    }

    #[test]
    fn gaps_and_saddles_leave_lines_whole() {
        let slope = [0.0, 1.0, 2.0, 3.0];
        let mut values = [slope; 4];
        values[0][1] = f64::NAN;
        assert_eq!(of(values, 1.5), [[(15, 10), (15, 20), (15, 30)]]);
        // High at two opposite corners: they are joined if the mean is high.
        let saddle = |level: f64| {
            let mut lines = contour(&[0, 10], &[0, 10], |i, j| Some(if i == j { 1.0 } else { 0.0 }), level);
            lines.iter_mut().for_each(|line| line.sort_unstable());
            lines
        };
        assert_eq!(saddle(0.4), [[(6, 0), (10, 4)], [(0, 6), (4, 10)]]);
        assert_eq!(saddle(0.6), [[(0, 4), (4, 0)], [(6, 10), (10, 6)]]);
    }
}
