//! A policy bundle: schema, policies and obligations, checked once and identified by the digest of their text.
//!
//! What does not pass strict validation at level 2, or lacks an id, a title, a reason or a known remedy, is no bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use modelward_seal::Digest;
use serde::Deserialize;

use crate::cedar::Types;
use crate::index::Index;
use crate::policy::{Policy, Set};
use crate::vocabulary::Name;

mod error;

pub use error::BundleError;

/// Policies of one bundle at most, and bytes of all its files together.
pub const POLICIES_MAX: usize = 100_000;
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many hops from principal or resource a policy may look.
const LEVEL: u32 = 2;

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
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub name: Name,
    pub version: Name,
    /// Version of the schema's vocabulary.
    pub schema_version: u32,
}

impl Bundle {
    /// The schema vocabulary this decision point understands.
    pub const SCHEMA_VERSION: u32 = 1;

    /// The bundle in `policies/`, built into the program.
    pub fn default_bundle() -> Result<Self, BundleError> {
        Self::from_sources(
            [
                (MANIFEST, include_str!("../../../policies/bundle.toml")),
                (SCHEMA, include_str!("../../../policies/schema.cedarschema")),
                ("privileges.cedar", include_str!("../../../policies/privileges.cedar")),
                ("guardrails.cedar", include_str!("../../../policies/guardrails.cedar")),
                (OBLIGATIONS, include_str!("../../../policies/obligations.cedar")),
            ]
            .map(|(name, text)| (name.to_owned(), text.to_owned())),
        )
    }

    /// Checks the files of a bundle: `bundle.toml`, `schema.cedarschema`, `obligations.cedar` and any number of other
    /// `.cedar` files.
    pub fn from_sources(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, BundleError> {
        let sources: BTreeMap<String, String> = files.into_iter().collect();
        let bytes: usize = sources.values().map(String::len).sum();
        if bytes > BYTES_MAX {
            return Err(BundleError::TooLarge { what: "bytes", found: bytes, max: BYTES_MAX });
        }
        let manifest = manifest(text(&sources, MANIFEST)?)?;
        let schema_text = text(&sources, SCHEMA)?;
        let schema = error::located(SCHEMA, schema_text, Schema::from_cedarschema_str(schema_text))
            .map(|(schema, _warnings)| schema)?;

        let mut ids = BTreeSet::new();
        let mut policies = Vec::new();
        let mut obligations = Vec::new();
        for (file, text) in sources.iter().filter(|(file, _)| file.ends_with(".cedar")) {
            let set = if file == OBLIGATIONS { Set::Obligations } else { Set::Policies };
            let parsed: PolicySet = error::located(file, text, text.parse())?;
            for policy in parsed.policies() {
                let policy = Policy::check(file, policy, set)?;
                if !ids.insert(policy.id.clone()) {
                    return Err(BundleError::DuplicateId { file: file.clone(), id: policy.id.to_string() });
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

        let validator = Validator::new(schema.clone());
        let policy_set = valid(&validator, &policies)?;
        let obligation_set = valid(&validator, &obligations)?;
        Ok(Self {
            digest: digest(&sources)?,
            schema_digest: Digest::of(schema_text.as_bytes()),
            manifest,
            schema,
            index: Index::new(policies, obligations),
            types: Types::new().ok_or(BundleError::Vocabulary)?,
            policies: policy_set,
            obligations: obligation_set,
            sources,
        })
    }

    /// The identity of the bundle: any changed byte changes it.
    pub const fn digest(&self) -> Digest {
        self.digest
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

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) const fn types(&self) -> &Types {
        &self.types
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
    let manifest: Manifest = toml::from_str(text)
        .map_err(|source| BundleError::Manifest { file: MANIFEST, source: Box::new(source) })?;
    if manifest.schema_version == Bundle::SCHEMA_VERSION {
        return Ok(manifest);
    }
    Err(BundleError::SchemaVersion { found: manifest.schema_version, known: Bundle::SCHEMA_VERSION })
}

/// The policies as a set under our own ids, strictly valid.
fn valid(validator: &Validator, policies: &[Arc<Policy>]) -> Result<PolicySet, BundleError> {
    let set = PolicySet::from_policies(policies.iter().map(|policy| policy.cedar.clone()))
        .map_err(|source| BundleError::Set { source: Box::new(source) })?;
    let result = validator.validate_with_level(&set, ValidationMode::Strict, LEVEL);
    // The validator's own order differs from run to run.
    let first =
        result.validation_errors().map(|error| (error.policy_id().to_string(), error.to_string())).min();
    let Some((id, message)) = first else { return Ok(set) };
    let file = policies.iter().find(|policy| policy.id == id).map(|policy| policy.file.to_string());
    Err(BundleError::Invalid { file: file.unwrap_or_default(), id, message })
}

/// SHA-256 over the canonical JSON of the files: `{"name":"text",…}` with sorted names.
fn digest(sources: &BTreeMap<String, String>) -> Result<Digest, BundleError> {
    let canonical = serde_json::to_vec(sources).map_err(|source| BundleError::Digest { source })?;
    Ok(Digest::of(&canonical))
}

#[cfg(test)]
mod tests;
