//! `groups.toml`: which groups of identity providers are which groups of ours.

use std::collections::BTreeSet;

use modelward_decision::vocabulary::Name;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = "groups.toml";
const EXTERNAL_MAX: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMappings {
    pub mappings: Vec<Mapping>,
}

/// Members of `external` at `provider` are members of `group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The identity provider, as the configuration calls it.
    pub provider: Name,
    /// The group as the provider calls it, byte for byte.
    pub external: String,
    pub group: Name,
}

impl GroupMappings {
    /// Our groups for a provider's. A group nobody mapped counts for nothing.
    pub fn of<'a>(
        &'a self,
        provider: &'a str,
        external: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Name> {
        let maps =
            move |each: &&Mapping| each.provider.as_str() == provider && external.contains(&each.external);
        self.mappings.iter().filter(maps).map(|each| &each.group)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    mapping: Vec<Spanned<Mapping>>,
}

pub(super) fn read(source: Source<'_>) -> Result<GroupMappings, Finding> {
    let page: Page = source.parse()?;
    source.bounded(&page.mapping)?;
    let mut seen = BTreeSet::new();
    for entry in &page.mapping {
        let Mapping { provider, external, group } = entry.as_ref();
        let fits = !external.is_empty() && external.len() <= EXTERNAL_MAX;
        if !fits || external.chars().any(char::is_control) {
            let message =
                format!("an external group has 1 to {EXTERNAL_MAX} bytes and no control characters");
            return Err(source.wrong(entry.span(), message));
        }
        if !seen.insert((provider, external, group)) {
            let message = format!("`{external}` of `{provider}` is mapped to `{group}` twice");
            return Err(source.wrong(entry.span(), message).hint("remove one of the two"));
        }
    }
    Ok(GroupMappings { mappings: page.mapping.into_iter().map(Spanned::into_inner).collect() })
}
