//! Figures quoted from the literature, each with its source: the file `book/facts.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Hosts that a source may link to.
const HOSTS: [&str; 2] = ["https://doi.org/", "https://arxiv.org/"];

/// The file's content.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    /// By key; keys begin with the first author's name, so their order is that of a list of references.
    #[serde(default)]
    pub(super) sources: BTreeMap<String, Source>,
    #[serde(default)]
    pub(super) facts: BTreeMap<String, Fact>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Authors, title, place, year.
    pub(super) cite: String,
    /// Where to read it.
    pub(super) url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fact {
    /// What stands in the prose.
    pub(super) value: String,
    /// What the value is, for the list of sources.
    pub(super) says: String,
    /// A key of `sources`.
    pub(super) source: String,
    /// The section, table or page of the source.
    #[serde(rename = "where")]
    pub(super) place: String,
}

impl Facts {
    /// Reads the file's text.
    ///
    /// # Errors
    /// If it is no TOML of this form, a fact names a source that is not there, or a link leads elsewhere
    /// than to doi.org or arxiv.org.
    pub(super) fn parse(text: &str) -> Result<Facts, String> {
        let facts: Facts = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for (key, fact) in &facts.facts {
            if !facts.sources.contains_key(&fact.source) {
                let known = facts.sources.keys().cloned().collect();
                return Err(format!("fact `{key}`: {}", super::not_found("source", &fact.source, known)));
            }
        }
        for (key, source) in &facts.sources {
            if let Some(url) =
                source.url.as_ref().filter(|url| !HOSTS.iter().any(|host| url.starts_with(host)))
            {
                return Err(format!("source `{key}`: {url} is not at doi.org or arxiv.org"));
            }
        }
        Ok(facts)
    }
}
