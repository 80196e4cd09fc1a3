//! The wiring diagrams of the cells, for the book.
//!
//! All have the same plan: time goes from left to right, the state's way on top and thick, what the gates see on
//! a line below. So what stands on the thick line is what a gradient has to pass on its way back.

use longlag_report::figure::{Diagram, Figure, Ink, ink_of};

/// Draws one.
type Draw = fn() -> Diagram;

/// All diagrams by name.
pub(crate) const DIAGRAMS: [(&str, Draw); 15] = [
    ("cell-rnn", rnn),
    ("cell-leak", leak),
    ("cell-skip", skip),
    ("cell-lstm-1997", lstm_1997),
    ("cell-lstm", || lstm(&Parts::default())),
    ("cell-lstm-peepholes", || lstm(&Parts { peepholes: true, ..Parts::default() })),
    ("cell-lstm-coupled", || lstm(&Parts { coupled: true, ..Parts::default() })),
    ("cell-lstm-projection", || lstm(&Parts { projection: true, ..Parts::default() })),
    ("cell-lstm-layer-norm", || lstm(&Parts { normalised: true, ..Parts::default() })),
    ("cell-janet", janet),
    ("cell-min-lstm", min_lstm),
    ("cell-gru", gru),
    ("cell-gru-reset-before", gru_reset_before),
    ("cell-mgu", mgu),
    ("cell-min-gru", min_gru),
];

/// The diagram of that name.
pub(crate) fn diagram(name: &str) -> Option<Figure> {
    let (_, draw) = DIAGRAMS.iter().find(|(known, _)| *known == name)?;
    Some(draw().figure())
}

const H_PREV: &str = "*h*_{*t*−1}";
const H: &str = "*h*_{*t*}";
const C_PREV: &str = "*c*_{*t*−1}";
const C: &str = "*c*_{*t*}";
const X: &str = "*x*_{*t*}";

/// The rows of a diagram with a state on top.
const TOP: i32 = 3;
const MIDDLE: i32 = 9;
const GATES: i32 = 14;
const BUS: i32 = 18;
const INPUT: i32 = 21;

fn rnn() -> Diagram {
    let text = "The plain network: on its way from step to step the state goes through a box, that is through the \
                weights and the slope of the function.";
    Diagram::new(text, 10, ink_of("RNN"))
        .port(H_PREV, (4, 4))
        .port(H, (40, 4))
        .port(X, (22, 9))
        .sum("", "tanh", (22, 4))
        .wire(&[(22, 9), (22, 4)])
        .path(&[(4, 4), (22, 4), (40, 4)])
}

fn leak() -> Diagram {
    let text =
        "The fixed leak: a share 1 − a of the state goes on as it is, beside the box; a share a is new.";
    Diagram::new(text, 18, Ink::Text)
        .port(H_PREV, (4, TOP))
        .port(H, (40, TOP))
        .port(X, (25, 17))
        .function("× (1 − *a*)", (15, TOP))
        .operation("+", (32, TOP))
        .sum("", "tanh", (25, 12))
        .function("× *a*", (25, 7))
        .wire(&[(8, TOP), (8, 12), (25, 12)])
        .wire(&[(25, 17), (25, 12), (25, 7)])
        .wire(&[(25, 7), (32, 7), (32, TOP)])
        .path(&[(4, TOP), (15, TOP), (32, TOP), (40, TOP)])
}

fn skip() -> Diagram {
    let text = "The skip connection: the state of k steps before is added as it is; the state of the step before goes \
                through the box.";
    Diagram::new(text, 16, Ink::Text)
        .port("*h*_{*t*−*k*}", (4, TOP))
        .port(H, (40, TOP))
        .port(H_PREV, (4, 10))
        .port(X, (22, 15))
        .operation("+", (30, TOP))
        .sum("", "tanh", (22, 10))
        .wire(&[(4, 10), (22, 10)])
        .wire(&[(22, 15), (22, 10)])
        .wire(&[(22, 10), (30, 10), (30, TOP)])
        .path(&[(4, TOP), (30, TOP), (40, TOP)])
}

/// What an LSTM has beside its gates.
#[derive(Default)]
struct Parts {
    peepholes: bool,
    coupled: bool,
    projection: bool,
    normalised: bool,
}

fn lstm(parts: &Parts) -> Diagram {
    let which = match parts {
        Parts { peepholes: true, .. } => "The LSTM with peepholes: the gates see the cell state, too",
        Parts { coupled: true, .. } => {
            "The LSTM with coupled gates: what is forgotten makes room for what is new"
        }
        Parts { projection: true, .. } => {
            "The LSTM with a projection: the output is a narrower image of the units"
        }
        Parts { normalised: true, .. } => {
            "The LSTM with layer normalisation of its sums and of the cell state"
        }
        _ => "The LSTM",
    };
    let text =
        format!("{which}. On its way from step to step the cell state meets a factor and a sum, no box.");
    let gate = if parts.normalised { "N, σ" } else { "σ" };
    let candidate = if parts.normalised { "N, tanh" } else { "tanh" };
    let mut d = Diagram::new(text, 23, ink_of("LSTM"))
        .port(C_PREV, (3, TOP))
        .port(C, (41, TOP))
        .port(H_PREV, (3, BUS))
        .port(X, (7, INPUT + 1))
        .port(H, (41, BUS))
        .operation("×", (11, TOP))
        .operation("+", (24, TOP))
        .operation("×", (24, MIDDLE))
        .sum("*i*", gate, (18, GATES))
        .sum("*g*", candidate, (24, GATES))
        .sum("*o*", gate, (31, GATES));
    // The line of what the gates see.
    d = d.wire(&[(3, BUS), (31, BUS), (31, GATES)]);
    d = d.wire(&[(7, INPUT + 1), (7, BUS)]);
    d = d.wire(&[(18, BUS), (18, GATES)]).wire(&[(24, BUS), (24, GATES)]);
    d = d.wire(&[(18, GATES), (18, MIDDLE), (24, MIDDLE)]);
    d = d.wire(&[(24, GATES), (24, MIDDLE), (24, TOP)]);
    if parts.coupled {
        d = d.function("1 −", (11, MIDDLE)).wire(&[(18, MIDDLE), (11, MIDDLE), (11, TOP)]);
    } else {
        d = d.sum("*f*", gate, (11, GATES)).wire(&[(11, BUS), (11, GATES), (11, TOP)]);
    }
    // The way out.
    let read = if parts.normalised { "N, tanh" } else { "tanh" };
    d = d.function(read, (36, 6)).operation("×", (36, 10));
    d = d.wire(&[(36, TOP), (36, 6), (36, 10)]).wire(&[(31, GATES), (31, 10), (36, 10)]);
    d = if parts.projection {
        d.sum("", "W", (36, 14)).wire(&[(36, 10), (36, 14)]).wire(&[(36, 14), (36, BUS), (41, BUS)])
    } else {
        d.wire(&[(36, 10), (36, BUS), (41, BUS)])
    };
    if parts.peepholes {
        d = d.wire(&[(7, TOP), (7, GATES), (11, GATES)]);
        d = d.wire(&[(7, 11), (15, 11), (15, GATES), (18, GATES)]);
        d = d.wire(&[(28, TOP), (28, GATES), (31, GATES)]);
    }
    d.path(&[(3, TOP), (11, TOP), (24, TOP), (41, TOP)])
}

fn lstm_1997() -> Diagram {
    let text = "The LSTM of 1997: the cell state meets a sum only, and is never forgotten. The gates see each other's \
                values of the step before.";
    Diagram::new(text, 23, ink_of("LSTM"))
        .port(C_PREV, (3, TOP))
        .port(C, (41, TOP))
        .port("*y*_{*t*−1}", (3, BUS))
        .port(X, (7, INPUT + 1))
        .port("*y*_{*t*}", (41, BUS))
        .operation("+", (20, TOP))
        .operation("×", (20, MIDDLE))
        .sum("*i*", "σ", (13, GATES))
        .sum("", "*g*", (20, GATES))
        .sum("*o*", "σ", (28, GATES))
        .function("*h*", (34, 6))
        .operation("×", (34, 10))
        .wire(&[(3, BUS), (28, BUS), (28, GATES)])
        .wire(&[(7, INPUT + 1), (7, BUS)])
        .wire(&[(13, BUS), (13, GATES)])
        .wire(&[(20, BUS), (20, GATES)])
        .wire(&[(13, GATES), (13, MIDDLE), (20, MIDDLE)])
        .wire(&[(20, GATES), (20, MIDDLE), (20, TOP)])
        .wire(&[(34, TOP), (34, 6), (34, 10)])
        .wire(&[(28, GATES), (28, 10), (34, 10)])
        .wire(&[(34, 10), (34, BUS), (41, BUS)])
        .path(&[(3, TOP), (20, TOP), (41, TOP)])
}

fn janet() -> Diagram {
    let text = "JANET: one gate f decides how much of the state goes on, and 1 − f, but for a shift, how much is new. \
                The state is the output.";
    one_gate(text, "*f*", "*g*", true, ink_of("LSTM"))
}

fn min_gru() -> Diagram {
    let text = "The minimal GRU of 2024: the gate and what is new see the input only, so nothing but the thick line \
                leads from step to step.";
    one_gate(text, "*z*", "*n*", false, ink_of("GRU"))
}

/// A state, a gate and what is new; `state`: whether the boxes see the state.
fn one_gate(text: &str, gate: &str, candidate: &str, state: bool, ink: Ink) -> Diagram {
    // The factor of what is kept: f itself, or 1 − z.
    let keeps = gate == "*f*";
    let d = Diagram::new(text, 23, ink)
        .port(H_PREV, (3, TOP))
        .port(H, (41, TOP))
        .port(X, (7, INPUT + 1))
        .operation("×", (14, TOP))
        .operation("+", (30, TOP))
        .operation("×", (30, MIDDLE))
        .sum(gate, "σ", (14, GATES))
        .sum(candidate, if state { "tanh" } else { "linear" }, (30, GATES))
        .wire(&[(7, INPUT + 1), (7, BUS), (30, BUS), (30, GATES)])
        .wire(&[(14, BUS), (14, GATES)])
        .wire(&[(30, GATES), (30, MIDDLE), (30, TOP)])
        .path(&[(3, TOP), (14, TOP), (30, TOP), (41, TOP)]);
    let d = if keeps {
        d.function("1 −", (22, MIDDLE)).wire(&[(14, GATES), (14, TOP)]).wire(&[
            (14, MIDDLE),
            (22, MIDDLE),
            (30, MIDDLE),
        ])
    } else {
        d.function("1 −", (14, 6))
            .wire(&[(14, GATES), (14, 6), (14, TOP)])
            .wire(&[(14, MIDDLE), (30, MIDDLE)])
    };
    if state { d.wire(&[(7, TOP), (7, BUS)]) } else { d }
}

fn min_lstm() -> Diagram {
    let text = "The minimal LSTM of 2024: gates and candidate see the input only, and the gates are scaled to sum to \
                1.";
    Diagram::new(text, 23, ink_of("LSTM"))
        .port(H_PREV, (3, TOP))
        .port(H, (41, TOP))
        .port(X, (5, INPUT + 1))
        .operation("×", (11, TOP))
        .operation("+", (30, TOP))
        .operation("×", (30, MIDDLE))
        .function("*f*, *i* to sum 1", (15, MIDDLE))
        .sum("*f*", "σ", (11, GATES))
        .sum("*i*", "σ", (19, GATES))
        .sum("*g*", "linear", (30, GATES))
        .wire(&[(5, INPUT + 1), (5, BUS), (30, BUS), (30, GATES)])
        .wire(&[(11, BUS), (11, GATES)])
        .wire(&[(19, BUS), (19, GATES)])
        .wire(&[(11, GATES), (11, TOP)])
        .wire(&[(19, GATES), (19, MIDDLE)])
        .wire(&[(19, MIDDLE), (30, MIDDLE)])
        .wire(&[(30, GATES), (30, MIDDLE), (30, TOP)])
        .path(&[(3, TOP), (11, TOP), (30, TOP), (41, TOP)])
}

/// What both GRUs have: the state's line, r, z, and where n comes in.
fn gru_frame(text: &str) -> Diagram {
    Diagram::new(text, 24, ink_of("GRU"))
        .port(H_PREV, (3, TOP))
        .port(H, (41, TOP))
        .port(X, (3, 22))
        .operation("×", (20, TOP))
        .operation("+", (36, TOP))
        .operation("×", (36, 8))
        .function("1 −", (28, 8))
        .sum("*r*", "σ", (13, 13))
        .sum("*z*", "σ", (20, 13))
        .wire(&[(6, 17), (20, 17), (20, 13)])
        .wire(&[(9, 22), (9, 17)])
        .wire(&[(13, 17), (13, 13)])
        .wire(&[(20, 13), (20, TOP)])
        .wire(&[(20, 8), (28, 8), (36, 8)])
        .path(&[(3, TOP), (20, TOP), (36, TOP), (41, TOP)])
}

fn gru() -> Diagram {
    let text = "The GRU of PyTorch: the reset gate r acts on what the weights U have made of the state, before the sum \
                that makes n.";
    gru_frame(text)
        .sum("", "U", (20, 19))
        .operation("×", (27, 19))
        .operation("+", (36, 19))
        .sum("", "W", (27, 22))
        .function("tanh", (36, 14))
        .wire(&[(6, TOP), (6, 19), (20, 19), (27, 19), (36, 19)])
        .wire(&[(3, 22), (27, 22), (36, 22), (36, 19)])
        .wire(&[(13, 13), (13, 10), (27, 10), (27, 19)])
        .wire(&[(36, 19), (36, 14), (36, 8), (36, TOP)])
        .note("*n*", (38, 11))
}

fn gru_reset_before() -> Diagram {
    let text =
        "The GRU as first published: the reset gate r acts on the state, before the weights that make n.";
    gru_frame(text)
        .operation("×", (27, 19))
        .sum("*n*", "tanh", (36, 14))
        .wire(&[(6, TOP), (6, 19), (27, 19), (36, 19), (36, 14)])
        .wire(&[(3, 22), (36, 22), (36, 19)])
        .wire(&[(13, 13), (13, 10), (27, 10), (27, 19)])
        .wire(&[(36, 14), (36, 8), (36, TOP)])
}

fn mgu() -> Diagram {
    let text =
        "The minimal gated unit: one gate z both resets the state that the candidate sees, and blends.";
    Diagram::new(text, 24, ink_of("GRU"))
        .port(H_PREV, (3, TOP))
        .port(H, (41, TOP))
        .port(X, (3, 22))
        .function("1 −", (16, 6))
        .operation("×", (16, TOP))
        .operation("+", (36, TOP))
        .operation("×", (36, 9))
        .operation("×", (26, 19))
        .sum("*z*", "σ", (16, 14))
        .sum("*n*", "tanh", (36, 14))
        .wire(&[(6, TOP), (6, 19), (26, 19), (36, 19), (36, 14)])
        .wire(&[(6, 17), (16, 17), (16, 14)])
        .wire(&[(9, 22), (9, 17)])
        .wire(&[(3, 22), (36, 22), (36, 19)])
        .wire(&[(16, 14), (16, 6), (16, TOP)])
        .wire(&[(16, 9), (36, 9)])
        .wire(&[(26, 9), (26, 19)])
        .wire(&[(36, 14), (36, 9), (36, TOP)])
        .path(&[(3, TOP), (16, TOP), (36, TOP), (41, TOP)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_laid_out_well() {
        for (name, _) in DIAGRAMS {
            let figure = diagram(name).expect("it is in the list");
            assert_eq!(figure.lint(), Vec::<String>::new(), "{name}");
        }
    }
}
