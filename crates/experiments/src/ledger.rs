//! The ledger: what is said about LSTMs and gradients, and what has become of it here.
//!
//! The key decision: **the ledger is a report like any other.** A statement is text and is written here; everything
//! else comes from the experiments' claims, judged by their reports. So its snapshot is held by a test, the book
//! quotes it by the usual directives, and a verdict that changes shows in a diff.

use crate::experiment::Entry;
use crate::protocol::{LedgerLine, Margin, Prediction, Rule, Verdict, ledger};
use crate::summary::key_of;
use longlag_report::figure::{Figure, Ink, MarkTable};
use longlag_report::{LookupError, Number, Report};

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its number. Claims about it have a number that begins so.
    pub id: &'static str,
    /// It in a few words.
    pub short: &'static str,
    /// It in a sentence.
    pub says: &'static str,
    /// What is measured of it, or would be.
    pub settled_by: &'static str,
    /// What of it is not measured yet.
    pub open: Option<&'static str>,
}

/// Where the report of the ledger begins its statements of the second kind.
const SECOND: &str = "B1";

const fn statement(
    id: &'static str,
    short: &'static str,
    says: &'static str,
    settled_by: &'static str,
) -> Statement {
    Statement { id, short, says, settled_by, open: None }
}

impl Statement {
    const fn with_open(self, what: &'static str) -> Statement {
        Statement { open: Some(what), ..self }
    }
}

/// All statements: A, what explanations of the LSTM say; B, what is commonly added.
pub const STATEMENTS: [Statement; 31] = [
    statement(
        "A1",
        "Far parts vanish, so it fails",
        "In a plain network the gradient's far parts become tiny, and for that reason it learns no long dependencies.",
        "the gradient split by lag, its usable signal, and surgery on the way back",
    ),
    statement(
        "A2",
        "Early steps fade from updates",
        "The updates heed early steps less and less.",
        "shares of ∂L/∂W_ih by step, before, during and after training",
    ),
    statement(
        "A3",
        "The LSTM avoids it by its gates",
        "The gates keep the LSTM's gradient from vanishing.",
        "growth by the direct path and by all, over forget bias and gain, along trainings",
    ),
    statement(
        "A4",
        "A unit has a state and an output",
        "A unit has a state and an output, and each step uses the input and what was before.",
        "the equations against those of PyTorch",
    ),
    statement(
        "A5",
        "Input gate: input to state",
        "The input gate decides what the input does to the state.",
        "interventions on the gate, on the way back and forward",
    ),
    statement(
        "A6",
        "Forget gate: state to state",
        "The forget gate decides what the state does to the next state.",
        "interventions on the gate; ∂c_T/∂c_k by the direct path and by all",
    ),
    statement(
        "A7",
        "Output gate: state to output",
        "The output gate decides what the state does to the output.",
        "interventions on the gate, over one step and over many",
    ),
    statement(
        "A8",
        "A forget gate near 1 saturates",
        "A forget gate near 1 is saturated and lets go of the far gradient; one near 0 blocks it.",
        "gates held from 0.1 to 0.9999: far state, far gradient, and the gate's own signal",
    ),
    statement(
        "A9",
        "LSTM beats RNN at long lags",
        "The LSTM copes with longer sequences than a plain network.",
        "races at matched parameters, state and time, also against a remedied plain network",
    )
    .with_open("lags beyond 400 steps"),
    statement(
        "A10",
        "Gates relieve explosion too",
        "The gates also keep gradients from exploding.",
        "growth at equal gains; training without clipping",
    ),
    statement(
        "A11",
        "Clipping cures explosion",
        "Exploding gradients make updates too large and spoil the training; clipping mends that.",
        "a cliff, trainings with and without clipping, and the updates' shares",
    ),
    statement(
        "A12",
        "Variants such as the GRU help",
        "Other gated cells, such as the GRU, help as well.",
        "the same probes and races for the family",
    ),
    statement(
        "A13",
        "Batch normalisation helps",
        "Batch normalisation helps a recurrent network over long lags.",
        "growth over its scales and inputs, then training",
    ),
    statement(
        "A14",
        "Initialisation helps",
        "A good start helps.",
        "growth at the start and through training, and success, over many starts",
    ),
    statement(
        "A15",
        "Learning rate, optimizer help",
        "A suitable learning rate, such as a small one, and a suitable optimizer help.",
        "learning rate, optimizer and lag; what they do to the updates' shares",
    ),
    statement(
        "A16",
        "A problem of long sequences",
        "All of this is a matter of long sequences: every further step costs the same factor.",
        "growth, Lyapunov exponents and bounds",
    ),
    statement(
        "A17",
        "Overfitting, depth, direction",
        "Overfitting has other cures; deep and bidirectional networks help too.",
        "small training sets with regularisers",
    )
    .with_open("deep and bidirectional networks"),
    statement(
        "A18",
        "The LSTM serves speech",
        "The LSTM serves the recognition of speech.",
        "training on audio with the CTC loss",
    )
    .with_open("all of it"),
    statement(
        "B1",
        "The gradient is the product of f",
        "The gradient along the cell state is the product of the forget gates.",
        "the direct path against all paths",
    ),
    statement(
        "B2",
        "1997's LSTM does as well",
        "The LSTM of 1997 was today's, with three gates. (It had two, which is a matter of record; measured is whether \
         the third is missed.)",
        "a stream without end, with and without a forget gate",
    ),
    statement(
        "B3",
        "Eigenvalue above 1: explodes",
        "An eigenvalue above 1 makes gradients explode. (That all below 1 make them vanish is also said; the chapter has a \
         counterexample.)",
        "growth along trajectories of matrices of known eigenvalues",
    ),
    statement(
        "B4",
        "Forget bias 1: long memory",
        "A forget bias of 1 gives a long memory.",
        "half-lives for several biases, before and after training",
    ),
    statement(
        "B5",
        "tanh bounds the cell",
        "The tanh bounds the cell's state.",
        "the largest |c| along a stream, after training",
    ),
    statement(
        "B6",
        "Adam fixes it",
        "Adam makes up for vanishing gradients.",
        "update shares, ε, and success over lags",
    ),
    statement(
        "B7",
        "If it doesn't vanish, it trains",
        "A gradient that doesn't vanish is enough for training.",
        "sensitivity as a decay nears 1; then training",
    ),
    statement(
        "B8",
        "Better than baseline: solved",
        "What beats the baseline has solved the task.",
        "what a constant answer gets, beside the races",
    ),
    statement(
        "B9",
        "1997: full backpropagation",
        "The LSTM of 1997 was trained with the full gradient.",
        "truncated against full gradients",
    ),
    statement(
        "B10",
        "Nothing beyond the window",
        "Truncated backpropagation learns nothing from before its window.",
        "one fixed lag, windows, with and without carried state",
    ),
    statement(
        "B11",
        "No gradient: it forgot",
        "Where the gradient has vanished, the network has forgotten.",
        "reading the input from the state beside the gradient",
    ),
    statement(
        "B12",
        "Gating does it",
        "It is the gating that helps.",
        "a race of the LSTM and the best network without gates, with leaks, skips and constant gates beside them",
    ),
    statement(
        "B13",
        "ReLU fixes it; underflow",
        "ReLU mends it; it is a matter of underflow.",
        "growth with ReLU; single against double precision",
    ),
];

/// The name of the ledger's report.
pub const NAME: &str = "ledger";

/// The statement that a claim is about.
pub fn statement_of(claim: &str) -> Option<&'static Statement> {
    STATEMENTS.iter().find(|statement| {
        claim
            .strip_prefix(statement.id)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The verdicts in the order of the figure, as columns of it.
const COLUMNS: [(&str, Ink); 5] = [
    ("holds", Ink::Green),
    ("in part", Ink::Blue),
    ("unsettled", Ink::Muted),
    ("fails", Ink::Orange),
    ("open", Ink::Grid),
];

/// Of these the column for what is not measured yet.
const OPEN: usize = 4;

fn column_of(verdict: &str) -> usize {
    match verdict {
        "holds" | "identity" => 0,
        "unsettled" => 2,
        "fails" => 3,
        // Holds if …
        _ => 1,
    }
}

fn predicts(prediction: Prediction) -> String {
    let (where_, margin) = match prediction {
        Prediction::Beyond(margin) => ("beyond", margin),
        Prediction::Within(margin) => ("within", margin),
    };
    match margin {
        Margin::Difference(margin) => format!("{where_} {margin}"),
        Margin::Factor(margin) => format!("{where_} a factor of {margin}"),
    }
}

/// The ledger's report from those of the experiments: the tables `statements` (id, statement, verdicts, what is
/// open, settled by),
/// `claims` (claim, statement, text, contrast, prediction, verdict, chapter, p, adjusted p) and `figures` (claim,
/// condition, estimate, low, high, seeds, p); how many have which verdict; and each claim's verdict as a fact of its name, such as
/// `a3_mitigates`.
///
/// # Errors
/// If a report lacks what a claim is judged by.
///
/// # Panics
/// If a claim is about no statement.
#[track_caller]
pub fn report(
    reports: &[(&'static Entry, Report)],
) -> Result<Report, LookupError> {
    let claims = reports.iter().flat_map(|(entry, report)| {
        entry.claims.iter().map(move |c| (c, report))
    });
    let chapters: Vec<&str> = reports
        .iter()
        .flat_map(|(entry, _)| entry.claims.iter().map(|_| entry.name))
        .collect();
    let lines = ledger(claims)?;
    let mut report = Report::new(NAME, &());
    add_statements(&mut report, &lines);
    add_claims(&mut report, &lines, &chapters);
    let table = report.table(
        "figures",
        ["claim", "condition", "estimate", "low", "high", "seeds", "p"],
    );
    for line in &lines {
        for contrast in &line.finding.contrasts {
            let number = |x: f64| Number::rounded(x, 3);
            table.row((
                line.claim.id,
                contrast.condition.clone(),
                number(contrast.estimate.low),
                number(contrast.interval.low),
                number(contrast.interval.high),
                contrast.seeds,
                number(contrast.p),
            ));
        }
    }
    let count = |wanted: &str| {
        let of = lines.iter().map(|line| line.finding.verdict.to_string());
        of.filter(|verdict| verdict == wanted).count()
    };
    let conditional = |line: &&LedgerLine<'_>| {
        matches!(line.finding.verdict, Verdict::HoldsIf(_))
    };
    let open = STATEMENTS
        .iter()
        .filter(|s| s.open.is_some() || of_statement(s, &lines).is_empty());
    report
        .fact("statements", STATEMENTS.len())
        .fact("claims", lines.len())
        .fact("holds", count("holds"))
        .fact("holds_if", lines.iter().filter(conditional).count())
        .fact("fails", count("fails"))
        .fact("unsettled", count("unsettled"))
        .fact("identities", count("identity"))
        .fact("open", open.count());
    for line in &lines {
        let verdict = line.finding.verdict.to_string();
        report.fact(key_of(line.claim.id), verdict);
    }
    Ok(report)
}

fn of_statement<'l, 'c>(
    statement: &Statement,
    lines: &'l [LedgerLine<'c>],
) -> Vec<&'l LedgerLine<'c>> {
    let about =
        |line: &&LedgerLine<'_>| statement_of(line.claim.id) == Some(statement);
    lines.iter().filter(about).collect()
}

fn add_statements(report: &mut Report, lines: &[LedgerLine<'_>]) {
    let table = report.table(
        "statements",
        ["id", "statement", "verdict", "open", "settled by"],
    );
    for statement in &STATEMENTS {
        let of = of_statement(statement, lines);
        let verdict = |line: &&LedgerLine<'_>| line.finding.verdict.to_string();
        let verdicts: Vec<String> = of.iter().map(verdict).collect();
        let open = match of.is_empty() {
            true => "all of it",
            false => statement.open.unwrap_or(""),
        };
        table.row((
            statement.id,
            statement.says,
            verdicts.join(", "),
            open,
            statement.settled_by,
        ));
    }
}

#[track_caller]
fn add_claims(
    report: &mut Report,
    lines: &[LedgerLine<'_>],
    chapters: &[&str],
) {
    let columns = [
        "claim",
        "statement",
        "text",
        "contrast",
        "predicted",
        "verdict",
        "chapter",
        "p",
        "adjusted p",
    ];
    let table = report.table("claims", columns);
    for (line, &chapter) in lines.iter().zip(chapters) {
        let id = line.claim.id;
        let Some(statement) = statement_of(id) else {
            panic!("the claim {id} is about none of the ledger's statements")
        };
        let (contrast, predicted) = match line.claim.rule {
            Rule::Identity { test } => {
                (format!("proved: {test}"), String::new())
            }
            Rule::Measured(primary) => {
                (primary.contrast.to_owned(), predicts(primary.predicts))
            }
        };
        let number = |p: Option<f64>| {
            p.map_or(Number::exact(f64::NAN), |p| Number::rounded(p, 2))
        };
        table.row((
            id,
            statement.id,
            line.claim.statement,
            contrast,
            predicted,
            line.finding.verdict.to_string(),
            chapter,
            number(line.finding.p),
            number(line.adjusted_p),
        ));
    }
}

/// All statements and the verdicts of their claims.
///
/// # Errors
/// If the report is not the ledger's.
pub fn summary(report: &Report) -> Result<Figure, LookupError> {
    let mut chart = MarkTable::new(
        "A table with a row for each statement of the ledger and columns for what became of its claims: it holds, holds \
         in part, is unsettled, fails, or is open.",
        200,
    );
    for (name, ink) in COLUMNS {
        chart = chart.column(name, ink);
    }
    chart = chart.heading("What explanations say");
    let claims = report.find_table("claims")?.rows();
    for row in report.find_table("statements")?.rows() {
        let id = row[0].to_string();
        let Some(statement) = statement_of(&id) else { continue };
        if id == SECOND {
            chart = chart.heading("What is commonly added");
        }
        let of = claims.iter().filter(|claim| claim[1].to_string() == id);
        let mut marks: Vec<usize> =
            of.map(|claim| column_of(&claim[5].to_string())).collect();
        if !row[3].to_string().is_empty() {
            marks.push(OPEN);
        }
        chart = chart.row(format!("*{id}* {}", statement.short), &marks);
    }
    Ok(chart.figure())
}
