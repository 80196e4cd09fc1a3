//! Groups of parameters.

use crate::clip::{Clip, Clipped, runs};
use crate::optimizer::{Optimizer, OptimizerConfig};
use crate::settings::{non_negative, some_non_negative};
use longlag_numerics::{Float, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Parameters with settings of their own; in a config
/// `{ "parameters": ["*bias*"], "weight_decay": 0.0 }`.
///
/// What a group doesn't say is as for all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Their names; `*` stands for anything.
    pub parameters: Vec<String>,
    /// What the learning rate is multiplied by, 0 or more; with 0 they stay as they are.
    #[serde(default = "one", deserialize_with = "non_negative")]
    pub learning_rate_factor: f64,
    /// The weight decay, 0 or more.
    #[serde(default, deserialize_with = "some_non_negative")]
    pub weight_decay: Option<f64>,
    /// How the group's gradient is clipped, by itself. If nothing is said, together with all others of which
    /// nothing is said.
    #[serde(default)]
    pub clip: Option<Clip>,
}

fn one() -> f64 {
    1.0
}

impl Group {
    /// Of these names, with nothing of their own yet.
    pub fn new(parameters: impl IntoIterator<Item = impl Into<String>>) -> Group {
        let parameters = parameters.into_iter().map(Into::into).collect();
        Group { parameters, learning_rate_factor: 1.0, weight_decay: None, clip: None }
    }
}

/// A mistake in a list of [`Group`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// A name, or a pattern, that is no parameter's; and all that there are.
    Nothing(String, Vec<String>),
    /// A parameter that two groups name.
    Twice(String),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Nothing(pattern, all) => {
                write!(f, "a group names `{pattern}`, which is no parameter; there are: {}", all.join(", "))
            }
            GroupError::Twice(name) => write!(f, "the parameter `{name}` is in two groups"),
        }
    }
}
impl std::error::Error for GroupError {}

/// The parameters, group by group.
#[derive(Clone, Debug)]
pub struct Groups {
    /// The spans of each group; first those of none.
    sets: Vec<(Vec<Span>, Group)>,
    /// What is clipped together: first what no group clips by itself.
    clips: Vec<(Vec<Span>, Clip)>,
}

/// Whether a name is as the pattern says.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.any(|at| matches(tail, &rest[at..]))
        }),
    }
}

impl Groups {
    /// Finds the parameters of each group; `clip` is for those that no group clips by itself.
    ///
    /// # Errors
    /// If a group names what is no parameter, or two groups the same one.
    pub fn new(groups: &[Group], clip: Clip, spans: &[Span]) -> Result<Groups, GroupError> {
        let none = Group::new([""; 0]);
        let mut sets: Vec<_> = [&none].into_iter().chain(groups).map(|g| (Vec::new(), g.clone())).collect();
        for pattern in groups.iter().flat_map(|group| &group.parameters) {
            if !spans.iter().any(|span| matches(pattern, &span.name)) {
                let all = spans.iter().map(|span| span.name.clone()).collect();
                return Err(GroupError::Nothing(pattern.clone(), all));
            }
        }
        let mut clips = vec![(Vec::new(), clip)];
        let own: Vec<_> =
            groups.iter().map(|group| group.clip.map(|clip| clips_push(&mut clips, clip))).collect();
        for span in spans {
            let named = |group: &Group| group.parameters.iter().any(|pattern| matches(pattern, &span.name));
            let mut of = (0..groups.len()).filter(|&i| named(&groups[i]));
            let group = of.next();
            if of.next().is_some() {
                return Err(GroupError::Twice(span.name.clone()));
            }
            sets[group.map_or(0, |i| i + 1)].0.push(span.clone());
            clips[group.and_then(|i| own[i]).unwrap_or(0)].0.push(span.clone());
        }
        Ok(Groups { sets, clips })
    }

    /// The optimizer for all `len` parameters.
    pub fn optimizer<T: Float>(&self, config: OptimizerConfig, len: usize) -> Optimizer<T> {
        let ranges = self.sets.iter().flat_map(|(spans, group)| {
            let mut own = config.with_learning_rate(config.learning_rate() * group.learning_rate_factor);
            if let Some(decay) = group.weight_decay {
                own = own.with_weight_decay(decay);
            }
            runs(spans).map(move |range| (range, own))
        });
        Optimizer::new(len, ranges)
    }

    /// Clips the gradient, and shows `each` what was done: first to what no group clips by itself, then to each
    /// group that does, in order. Allocates nothing.
    pub fn clip<T: Float>(&self, gradient: &mut [T], parameters: &[T], mut each: impl FnMut(usize, Clipped)) {
        for (index, (spans, clip)) in self.clips.iter().enumerate() {
            each(index, clip.apply(gradient, parameters, spans));
        }
    }
    /// How many gradients are clipped by themselves, with the first, of what no group clips.
    pub fn clips(&self) -> usize {
        self.clips.len()
    }
}

/// Adds a clip; gives its index.
fn clips_push(clips: &mut Vec<(Vec<Span>, Clip)>, clip: Clip) -> usize {
    clips.push((Vec::new(), clip));
    clips.len() - 1
}
