//! A policy bundle: schema, policies and obligations, checked once and identified by the digest of their text.
//!
//! What does not pass strict validation at level 2, or lacks an id, a title, a reason or a known remedy, is no bundle.
//! Files that decide nothing (tests, invariants, who may request and review what) are carried under the same digest;
//! `modelward-policy` reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{PolicyId, PolicySet, Schema};
use modelward_seal::Digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::cedar::Types;
use crate::index::Index;
use crate::policy::{Policy, Set};
use crate::signal::Signals;
use crate::vocabulary::{Name, ProjectId};

mod composition;
mod error;
mod files;
mod place;
mod validate;

pub use composition::Composition;
pub use error::BundleError;
pub use files::FileKind;
pub(crate) use place::Lines;
pub use place::Place;
use validate::Judge;

/// Policies of one bundle at most, and bytes of all its files together.
pub const POLICIES_MAX: usize = 100_000;
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
const SCHEMA: &str = "schema.cedarschema";
const MANIFEST: &str = "bundle.toml";
const OBLIGATIONS: &str = "obligations.cedar";

/// A bundle that passed every check.
pub struct Bundle {
    digest: Digest,
    schema_digest: Digest,
    manifest: Manifest,
    sources: BTreeMap<String, String>,
    schema: Schema,
    policies: PolicySet,
    obligations: PolicySet,
    index: Index,
    types: Types,
    warnings: Vec<Warning>,
    /// `None` where the table cannot be read.
    signals: Option<Signals>,
    composition: Option<Composition>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub name: Name,
    pub version: Name,
    /// Version of the schema's vocabulary.
    pub schema_version: u32,
    #[serde(default)]
    pub kind: Kind,
    /// The project a project bundle is for, and the leaf its permits are bound to.
    pub project: Option<Name>,
    pub scope: Option<ProjectId>,
    /// What the bundle asks of its own checks: read by `modelward-policy`.
    #[serde(default, rename = "gate")]
    _gate: IgnoredAny,
}

/// Whether a bundle decides, or only adds permits to one that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Root,
    Project,
}

/// Something the validator finds odd but not wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    pub policy: SmolStr,
    pub kind: WarningKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// The policy can never apply.
    Dead,
    /// Characters that look like others, or change the direction of reading.
    Confusable,
}

impl Bundle {
    /// The schema vocabulary this decision point understands.
    pub const SCHEMA_VERSION: u32 = 1;

    /// The bundle in `policies/`, built into the program.
    pub fn default_bundle() -> Result<Self, BundleError> {
        Self::from_sources(files::DEFAULT.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    /// Checks the files of a bundle. What decides is `schema.cedarschema`, `obligations.cedar` and the other `.cedar`
    /// files at the top; the rest is carried ([`FileKind`]).
    pub fn from_sources(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, BundleError> {
        Self::read(files, None)
    }

    /// The same of files that come from several bundles: each policy then names the one it stands in.
    pub fn composed(
        files: impl IntoIterator<Item = (String, String)>,
        composition: Composition,
    ) -> Result<Self, BundleError> {
        Self::read(files, Some(composition))
    }

    fn read(
        files: impl IntoIterator<Item = (String, String)>,
        composition: Option<Composition>,
    ) -> Result<Self, BundleError> {
        let sources: BTreeMap<String, String> = files.into_iter().collect();
        let bytes: usize = sources.values().map(String::len).sum();
        if bytes > BYTES_MAX {
            return Err(BundleError::TooLarge { what: "bytes", found: bytes, max: BYTES_MAX });
        }
        files::check(&sources)?;
        let manifest = manifest(text(&sources, MANIFEST)?)?;
        let schema_text = text(&sources, SCHEMA)?;
        let schema = error::located(SCHEMA, schema_text, Schema::from_cedarschema_str(schema_text))
            .map(|(schema, _warnings)| schema)?;

        let mut ids = BTreeSet::new();
        let mut policies = Vec::new();
        let mut obligations = Vec::new();
        for (file, text) in &sources {
            let set = match FileKind::of(file) {
                Some(FileKind::Policies) => Set::Policies,
                Some(FileKind::Obligations) => Set::Obligations,
                _ => continue,
            };
            let parsed: PolicySet = error::located(file, text, text.parse())?;
            for policy in parsed.policies() {
                let bundle = composition.as_ref().map(|composition| composition.origin(file));
                let policy = Policy { bundle, ..Policy::check(file, text, policy, set)? };
                if !ids.insert(policy.id.clone()) {
                    let at = policy.place(text);
                    return Err(BundleError::DuplicateId { at, id: policy.id.to_string() });
                }
                match set {
                    Set::Policies => policies.push(Arc::new(policy)),
                    Set::Obligations => obligations.push(Arc::new(policy)),
                }
            }
        }
        if ids.len() > POLICIES_MAX {
            return Err(BundleError::TooLarge { what: "policies", found: ids.len(), max: POLICIES_MAX });
        }
        // The authorizer's order never shows, ours does: by id, whatever file a policy stands in.
        policies.sort_by(|a, b| a.id.cmp(&b.id));
        obligations.sort_by(|a, b| a.id.cmp(&b.id));

        let judge = Judge::new(&schema, schema_text, &sources);
        let (policy_set, mut warnings) = judge.valid(&policies)?;
        let (obligation_set, more) = judge.valid(&obligations)?;
        warnings.extend(more);
        Ok(Self {
            digest: digest(&sources)?,
            schema_digest: Digest::of(schema_text.as_bytes()),
            manifest,
            schema,
            index: Index::new(policies, obligations),
            types: Types::new().ok_or(BundleError::Vocabulary)?,
            policies: policy_set,
            obligations: obligation_set,
            warnings,
            signals: match sources.get(Signals::FILE) {
                Some(text) => Signals::read(text).ok(),
                None => Some(Signals::default()),
            },
            composition,
            sources,
        })
    }

    /// The identity of the bundle: any changed byte changes it.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The identity a bundle of these files has, whether or not it passes the checks.
    pub fn digest_of(sources: &BTreeMap<String, String>) -> Result<Digest, BundleError> {
        digest(sources)
    }

    /// What each security signal does to each privilege; `None` where the table cannot be read, which the gate finds.
    pub const fn signals(&self) -> Option<&Signals> {
        self.signals.as_ref()
    }

    pub const fn schema_digest(&self) -> Digest {
        self.schema_digest
    }

    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files the bundle was made of, by name.
    pub const fn sources(&self) -> &BTreeMap<String, String> {
        &self.sources
    }

    /// What it was put together from; nothing where it is one bundle.
    pub const fn composition(&self) -> Option<&Composition> {
        self.composition.as_ref()
    }

    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Permits and forbids, as the plain authorizer takes them.
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Obligation rules, as the plain authorizer takes them.
    pub const fn obligations(&self) -> &PolicySet {
        &self.obligations
    }

    /// What the validator found odd, in order of policy.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) const fn types(&self) -> &Types {
        &self.types
    }

    /// The bundle a policy stands in, where this one was put together from several.
    pub fn origin(&self, id: &str) -> Option<Digest> {
        self.composition.as_ref()?;
        self.index.all().find(|policy| policy.id == id)?.bundle
    }

    /// The text of one policy, for the privileged.
    pub fn policy_text(&self, id: &str) -> Option<String> {
        let id = PolicyId::new(id);
        self.policies.policy(&id).or_else(|| self.obligations.policy(&id)).map(ToString::to_string)
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("manifest", &self.manifest)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

fn text<'a>(sources: &'a BTreeMap<String, String>, file: &'static str) -> Result<&'a str, BundleError> {
    sources.get(file).map(String::as_str).ok_or(BundleError::Missing { file })
}

fn manifest(text: &str) -> Result<Manifest, BundleError> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| BundleError::Syntax {
        at: Place::new(MANIFEST, text, error.span().unwrap_or(0..0)),
        message: error.message().to_owned(),
        hint: None,
    })?;
    if manifest.schema_version != Bundle::SCHEMA_VERSION {
        return Err(BundleError::SchemaVersion {
            found: manifest.schema_version,
            known: Bundle::SCHEMA_VERSION,
        });
    }
    match manifest.kind {
        Kind::Root => Ok(manifest),
        Kind::Project => Err(BundleError::Project),
    }
}

/// SHA-256 over the canonical JSON of the files: `{"name":"text",…}` with sorted names.
fn digest(sources: &BTreeMap<String, String>) -> Result<Digest, BundleError> {
    let canonical = serde_json::to_vec(sources).map_err(|source| BundleError::Digest { source })?;
    Ok(Digest::of(&canonical))
}

#[cfg(test)]
mod tests;
