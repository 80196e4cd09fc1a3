use super::below;
use longlag_numerics::random::Rng;
use serde::{Deserialize, Serialize};

/// The letters of the Reber grammar; a letter is its place here.
pub const LETTERS: [char; 7] = ['B', 'T', 'P', 'S', 'X', 'V', 'E'];
const B: usize = 0;
const T: usize = 1;
const P: usize = 2;
const S: usize = 3;
const X: usize = 4;
const V: usize = 5;
const E: usize = 6;

// ANCHOR: grammar
/// Where one is in a string of the embedded Reber grammar: a B, then a T
/// or a P, then a string of the Reber grammar, then the same T or P
/// again, then an E.
///
/// Source: Hochreiter & Schmidhuber 1997, "Long short-term memory",
/// Experiment 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reber {
    /// Before the first letter.
    Start,
    /// Behind it.
    Choice,
    /// Before the inner string's B, the outer letter being this one.
    Inner(usize),
    /// In the inner string, at one of five forks.
    Fork(usize, usize),
    /// Before its E.
    InnerEnd(usize),
    /// Before the outer letter comes again.
    Again(usize),
    /// Before the last letter.
    End,
}

/// The inner string's forks: at each two letters, and where they lead. The
/// place behind the last fork is its end.
const FORKS: [[(usize, usize); 2]; 5] = [
    [(T, 1), (P, 2)],
    [(S, 1), (X, 3)],
    [(T, 2), (V, 4)],
    [(X, 2), (S, 5)],
    [(P, 3), (V, 5)],
];

impl Reber {
    /// The letters that may come next, each with where it leads.
    pub fn ways(self) -> Vec<(usize, Reber)> {
        match self {
            Reber::Start => vec![(B, Reber::Choice)],
            Reber::Choice => [T, P].map(|l| (l, Reber::Inner(l))).to_vec(),
            Reber::Inner(outer) => vec![(B, Reber::Fork(outer, 0))],
            Reber::Fork(outer, fork) => FORKS[fork]
                .map(|(letter, to)| match to {
                    5 => (letter, Reber::InnerEnd(outer)),
                    _ => (letter, Reber::Fork(outer, to)),
                })
                .to_vec(),
            Reber::InnerEnd(outer) => vec![(E, Reber::Again(outer))],
            Reber::Again(outer) => vec![(outer, Reber::End)],
            Reber::End => vec![(E, Reber::Start)],
        }
    }
}
// ANCHOR_END: grammar

/// A letter of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its place in [`LETTERS`].
    pub letter: usize,
    /// Whether a string begins with it.
    pub first: bool,
    /// Which letters may follow.
    pub legal: [bool; LETTERS.len()],
}

/// Strings of the embedded Reber grammar, one behind the other without
/// end. Nothing but the letters says where one begins.
///
/// Source: Gers, Schmidhuber & Cummins 2000, "Learning to forget".
#[derive(Clone, Debug)]
pub struct ReberStream {
    rng: Rng,
    /// Which string it is in, from 0, and at which of its letters.
    at: (u64, u64),
    string: Vec<Letter>,
}

impl ReberStream {
    /// At its first letter. Each string has a stream of `rng` of its own.
    pub fn new(rng: Rng) -> ReberStream {
        let mut stream = ReberStream { rng, at: (0, 0), string: vec![] };
        stream.go_to((0, 0));
        stream
    }

    /// The letter it is at.
    pub fn now(&self) -> Letter {
        self.string[self.at.1 as usize]
    }

    // ANCHOR: stream
    /// On to the next letter.
    pub fn advance(&mut self) {
        let (string, letter) = self.at;
        if letter + 1 < self.string.len() as u64 {
            self.at.1 += 1;
        } else {
            self.go_to((string + 1, 0));
        }
    }
    // ANCHOR_END: stream

    /// Where it is, for [`go_to`](Self::go_to).
    pub fn position(&self) -> (u64, u64) {
        self.at
    }

    /// Goes to where a stream of the same generator was.
    pub fn go_to(&mut self, at: (u64, u64)) {
        let mut rng = self.rng.stream(&format!("string {}", at.0));
        self.at = at;
        self.string = string(&mut rng);
    }
}

/// A string of the embedded Reber grammar; at a fork both letters are equally likely.
pub fn string(rng: &mut Rng) -> Vec<Letter> {
    let mut place = Reber::Start;
    let mut letters = Vec::new();
    loop {
        let ways = place.ways();
        let (letter, next) = ways[below(ways.len(), rng)];
        let mut legal = [false; LETTERS.len()];
        next.ways().into_iter().for_each(|(letter, _)| legal[letter] = true);
        letters.push(Letter { letter, first: letters.is_empty(), legal });
        if next == Reber::Start {
            return letters;
        }
        place = next;
    }
}

// ANCHOR: right
/// Whether the letters that may follow are the most active outputs: each
/// of them above every other. NaN is never right.
pub fn predicts(outputs: impl Iterator<Item = f64>, next: Letter) -> bool {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for (output, legal) in outputs.zip(next.legal) {
        match legal {
            _ if output.is_nan() => return false,
            true => least = least.min(output),
            false => most = most.max(output),
        }
    }
    least > most
}
// ANCHOR_END: right
