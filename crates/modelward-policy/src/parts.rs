//! The tables that surround the policies, each parsed once into a type that cannot be wrong.
//!
//! Every file is optional; one that is there is read strictly: unknown keys, names that lead nowhere and lists without
//! end are refused with their place.

use std::collections::BTreeMap;
use std::ops::Range;

use modelward_decision::bundle::Place;
use serde::de::DeserializeOwned;

use crate::Finding;

mod entitlements;
mod groups;
mod manifest;
mod reviewers;
mod signals;

pub use entitlements::{ApprovalRule, Entitlement, Entitlements, ScopeKind, Slot};
pub use groups::{GroupMappings, Mapping};
pub use manifest::{Demand, Gate, Header, Uncovered, UnscopedPermits, Value};
pub use reviewers::{Reviewer, Reviewers, ReviewersError, SECURITY};
pub use signals::{Response, Signal, Signals};

/// Entries of one table at most.
pub const ENTRIES_MAX: usize = 10_000;
/// Bytes of one table at most.
pub const TABLE_BYTES_MAX: usize = 1024 * 1024;

/// Everything a bundle says besides its policies.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub gate: Gate,
    pub entitlements: Entitlements,
    pub groups: GroupMappings,
    pub signals: Signals,
    pub reviewers: Reviewers,
}

impl Parts {
    /// Reads the tables of a bundle. Every table that is wrong is named, not only the first.
    pub fn read(sources: &BTreeMap<String, String>) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let parts = Self {
            gate: part(sources, manifest::FILE, |source| Ok(manifest::read(source)?.gate), &mut findings),
            entitlements: part(sources, entitlements::FILE, entitlements::read, &mut findings),
            groups: part(sources, groups::FILE, groups::read, &mut findings),
            signals: part(sources, signals::FILE, signals::read, &mut findings),
            reviewers: part(sources, reviewers::FILE, reviewers::read, &mut findings),
        };
        if findings.is_empty() { Ok(parts) } else { Err(findings) }
    }
}

impl Header {
    /// Reads `bundle.toml`.
    pub fn read(sources: &BTreeMap<String, String>) -> Result<Self, Finding> {
        let Some(text) = sources.get(manifest::FILE) else {
            return Err(Finding::error("bundle", "the bundle has no file `bundle.toml`"));
        };
        manifest::read(Source { file: manifest::FILE, text })
    }
}

/// A table's name and text, for findings about it.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    file: &'static str,
    text: &'a str,
}

fn part<T: Default>(
    sources: &BTreeMap<String, String>,
    file: &'static str,
    read: impl Fn(Source<'_>) -> Result<T, Finding>,
    findings: &mut Vec<Finding>,
) -> T {
    let Some(text) = sources.get(file) else { return T::default() };
    let source = Source { file, text };
    let part = if text.len() > TABLE_BYTES_MAX {
        Err(source.wrong(0..0, format!("the file is larger than {TABLE_BYTES_MAX} bytes")))
    } else {
        read(source)
    };
    part.unwrap_or_else(|finding| {
        findings.push(finding);
        T::default()
    })
}

impl Source<'_> {
    fn parse<T: DeserializeOwned>(self) -> Result<T, Finding> {
        self.read(|text| toml::from_str(text))
    }

    fn read<T>(self, read: impl Fn(&str) -> Result<T, toml::de::Error>) -> Result<T, Finding> {
        read(self.text).map_err(|error| {
            let finding = self.wrong(error.span().unwrap_or(0..0), error.message().to_owned());
            match error.message().starts_with("unknown field") {
                true => finding.hint("a key that is not known is refused, so that a misspelt one is noticed"),
                false => finding,
            }
        })
    }

    fn wrong(self, bytes: Range<usize>, message: impl Into<String>) -> Finding {
        Finding::error("bundle", message).at(Place::new(self.file, self.text, bytes))
    }

    fn bounded<T>(self, entries: &[T]) -> Result<(), Finding> {
        if entries.len() <= ENTRIES_MAX {
            return Ok(());
        }
        Err(self.wrong(0..0, format!("{} entries, more than {ENTRIES_MAX}", entries.len())))
    }
}
