//! The colours of heat maps: two ramps that start at the same grey, near the page's colour. A map of one
//! direction takes the cold one; a map with a middle takes the cold one below it and the warm one above.
//!
//! Blue and orange are told apart by colour-blind readers. Lightness in OKLab goes in even steps and alike in
//! both, so that a print without colours still shows how far a value is from the middle.
use longlag_numerics::Real;

/// Steps from grey to the end of a ramp.
pub(super) const LEVELS: i8 = 24;

type Rgb = [u8; 3];

/// From grey to the end, on a light and on a dark page.
const COLD: [[Rgb; 5]; 2] = [
    [[243, 244, 245], [157, 199, 242], [82, 151, 220], [23, 105, 175], [3, 63, 110]],
    [[34, 35, 37], [36, 78, 112], [44, 124, 184], [89, 173, 240], [182, 221, 254]],
];
const WARM: [[Rgb; 5]; 2] = [
    [[243, 244, 245], [242, 177, 151], [216, 115, 74], [169, 65, 13], [105, 35, 0]],
    [[34, 35, 37], [106, 62, 35], [173, 96, 43], [228, 141, 85], [255, 203, 173]],
];

/// The colour of a level: 0 is grey, below it is cold, above it is warm, to [`LEVELS`] either way.
pub(super) fn color(level: i8, dark: bool) -> Rgb {
    let stops = if level > 0 { WARM } else { COLD }[usize::from(dark)];
    // Between the stops by straight lines, in whole numbers.
    let (part, whole) = (i32::from(level.unsigned_abs()) * 4, i32::from(LEVELS));
    let (stop, rest) = ((part / whole).min(3), part - (part / whole).min(3) * whole);
    std::array::from_fn(|channel| {
        let [from, to] = [stop, stop + 1].map(|stop| i32::from(stops[stop as usize][channel]));
        (from + ((to - from) * rest).div_euclid(whole)) as u8
    })
}

pub(super) fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance(color: Rgb) -> f64 {
    let channel = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { Real::exp(2.4 * Real::ln((value + 0.055) / 1.055)) }
    };
    let [red, green, blue] = color.map(channel);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn ratio(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Whether white is more legible on it than black.
pub(super) fn is_dark(color: Rgb) -> bool {
    let luminance = luminance(color);
    ratio(1.0, luminance) > ratio(0.0, luminance)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Contrast of two colours like `#0072b2`, as WCAG 2.2 defines it: from 1 to 21.
    pub(in crate::figure) fn contrast(a: &str, b: &str) -> f64 {
        let of = |hex: &str| {
            luminance(std::array::from_fn(|i| {
                u8::from_str_radix(&hex[1 + 2 * i..3 + 2 * i], 16).expect("two digits")
            }))
        };
        ratio(of(a), of(b))
    }

    #[test]
    fn ramps_meet_in_grey_and_end_at_their_ends() {
        for dark in [false, true] {
            assert_eq!(color(0, dark), WARM[usize::from(dark)][0]);
            assert_eq!(color(LEVELS, dark), WARM[usize::from(dark)][4]);
            assert_eq!(color(-LEVELS, dark), COLD[usize::from(dark)][4]);
        }
    }

    #[test]
    fn lightness_tells_the_level() {
        for (dark, side) in [(false, 1), (false, -1), (true, 1), (true, -1)] {
            let lights: Vec<f64> = (0..=LEVELS).map(|level| luminance(color(side * level, dark))).collect();
            assert!(lights.windows(2).all(|pair| (pair[1] > pair[0]) == dark), "{lights:?}");
        }
        for level in 0..=LEVELS {
            for dark in [false, true] {
                let [cold, warm] = [-level, level].map(|level| luminance(color(level, dark)));
                assert!(ratio(cold, warm) < 1.3, "level {level}: {}", ratio(cold, warm));
            }
        }
    }
}
