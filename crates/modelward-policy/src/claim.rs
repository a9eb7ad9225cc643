//! What has to be proved of a bundle, by name, and what such a proof is about.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, PolicySet};
use modelward_decision::bundle::{FileKind, Kind, Place, WarningKind};
use modelward_seal::Digest;

use crate::project::ENVELOPE as ENVELOPE_FILE;
use crate::{Bundle, BundleError, Finding};

/// That all a project permits lies within the envelope.
pub const ENVELOPE: &str = "envelope";

/// That what the bundle allows fulfils this invariant.
pub fn invariant(id: &str) -> String {
    format!("invariant/{id}")
}

/// That this forbid never fails.
pub fn forbid(policy: &str) -> String {
    format!("forbid/{policy}")
}

/// That this obligation rule never fails.
pub fn obligation(policy: &str) -> String {
    format!("obligation/{policy}")
}

/// The claims of one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Claims there may be: a policy that can never apply makes one that no request is about.
    known: BTreeSet<String>,
    /// Claims there have to be verdicts on.
    required: BTreeSet<String>,
}

impl Claims {
    /// The claims of a root bundle, or of the whole that a project bundle makes with it.
    pub fn of(whole: &Bundle, kind: Kind) -> Result<Self, Finding> {
        let dead: BTreeSet<&str> = whole
            .warnings()
            .iter()
            .filter(|warning| warning.kind == WarningKind::Dead)
            .map(|warning| warning.policy.as_str())
            .collect();
        let mut claims = Self { known: BTreeSet::new(), required: BTreeSet::new() };
        for id in invariants(whole.sources())? {
            claims.add(invariant(&id), true);
        }
        for policy in whole.policies().policies().filter(|policy| policy.effect() == Effect::Forbid) {
            let id = policy.id().to_string();
            claims.add(forbid(&id), !dead.contains(id.as_str()));
        }
        for policy in whole.obligations().policies() {
            let id = policy.id().to_string();
            claims.add(obligation(&id), !dead.contains(id.as_str()));
        }
        if kind == Kind::Project {
            claims.add(ENVELOPE.to_owned(), true);
        }
        Ok(claims)
    }

    fn add(&mut self, claim: String, required: bool) {
        if required {
            self.required.insert(claim.clone());
        }
        self.known.insert(claim);
    }

    /// What is not among the claims that were proved.
    pub fn missing(&self, proved: &BTreeSet<&str>) -> Vec<&str> {
        self.required.iter().map(String::as_str).filter(|claim| !proved.contains(claim)).collect()
    }

    /// What was proved and is claimed by nobody.
    pub fn unknown<'a>(&self, proved: &BTreeSet<&'a str>) -> Vec<&'a str> {
        proved.iter().copied().filter(|claim| !self.known.contains(*claim)).collect()
    }
}

/// Whether a file holds invariants of the bundle, and no envelope for others.
pub fn is_invariant(file: &str) -> bool {
    FileKind::of(file) == Some(FileKind::Invariant) && file != ENVELOPE_FILE
}

fn invariants(sources: &BTreeMap<String, String>) -> Result<Vec<String>, Finding> {
    let mut ids = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| is_invariant(file)) {
        let parsed: PolicySet = text
            .parse()
            .map_err(|error| Finding::error("proof", format!("{error}")).at(Place::start(file)))?;
        for policy in parsed.policies() {
            let id = policy
                .annotation("id")
                .ok_or_else(|| Finding::error("proof", "an invariant lacks `@id`").at(Place::start(file)))?;
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

/// The identity of all that proofs rest on: schema, policies, obligation rules, invariants and the envelope. Tests and
/// tables can change without touching it.
pub fn subject(sources: &BTreeMap<String, String>) -> Result<Digest, BundleError> {
    let rests_on = |file: &str| {
        matches!(
            FileKind::of(file),
            Some(FileKind::Schema | FileKind::Policies | FileKind::Obligations | FileKind::Invariant)
        )
    };
    let of: BTreeMap<String, String> = sources
        .iter()
        .filter(|(file, _)| rests_on(file))
        .map(|(file, text)| (file.clone(), text.clone()))
        .collect();
    Bundle::digest_of(&of)
}
