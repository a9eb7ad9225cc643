//! Who has to sign a bundle before it can come into force, and whether they did.
//!
//! The reviewers who count are those the bundle *before* it lists, so that no bundle can choose its own. Two of them,
//! neither the author; one from security where what guards everybody changes.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelward_decision::bundle::{FileKind, Kind};
use modelward_decision::vocabulary::Name;
use modelward_seal::Digest;
use modelward_seal::note::{SignError, Signer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::file::{BundleFile, FileError};
use crate::parts::{Header, Parts, Reviewer, Reviewers, SECURITY};
use crate::{Bundle, Finding, project};

/// What a reviewer signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub bundle: Digest,
    /// The bundle in force before it.
    pub previous: Digest,
    /// What the solver said, as the reviewer saw it.
    pub verdicts: Option<Digest>,
    pub author: Name,
    pub reviewer: Name,
    /// The group the reviewer signs for.
    pub role: Name,
}

/// One reviewer's yes, as the file carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub author: Name,
    pub previous: Digest,
    pub reviewer: Name,
    pub role: Name,
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub signature: [u8; 64],
}

/// Proof that a bundle has the signatures it needs; only [`check_signatures`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    bundle: Digest,
    previous: Digest,
    author: Name,
    reviewers: BTreeSet<Name>,
    /// Why one of them had to be from security; empty where none had to.
    security: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("`{reviewer}` is not among the reviewers the bundle in force lists")]
    Unknown { reviewer: Name },
    #[error("`{reviewer}` is listed for projects only, and not for this bundle")]
    Elsewhere { reviewer: Name },
    #[error("`{reviewer}` signs for `{signed}` and is listed in `{listed}`")]
    Role { reviewer: Name, signed: Name, listed: Name },
    #[error("`{reviewer}` wrote the bundle and signs it too")]
    Author { reviewer: Name },
    #[error("`{reviewer}` signed for a bundle that follows {signed}, and {found} is in force")]
    Previous { reviewer: Name, signed: Digest, found: Digest },
    #[error("the signatures name different authors: `{one}` and `{other}`")]
    Authors { one: Name, other: Name },
    #[error("the signature of `{reviewer}` does not belong to this bundle and these verdicts")]
    Invalid { reviewer: Name },
    #[error("{found} of 2 reviewers have signed")]
    TooFew { found: usize },
    #[error("nobody from `{SECURITY}` has signed, and this needs it: {}", reasons.join(", "))]
    NoSecurity { reasons: Vec<String> },
    #[error("nobody could sign the bundle after this one: it lists {found} reviewers")]
    NoReviewersLeft { found: usize },
    #[error("{}", .0.first().map_or_else(String::new, |finding| finding.message.clone()))]
    Parts(Vec<Finding>),
    #[error(transparent)]
    File(#[from] FileError),
}

/// A reviewer's key could not sign.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error(transparent)]
    Key(#[from] SignError),
    #[error(transparent)]
    File(#[from] FileError),
}

impl Statement {
    /// The bytes that are signed: readable, and for nothing else but this.
    pub fn text(&self) -> String {
        let Self { bundle, previous, verdicts, author, reviewer, role } = self;
        let verdicts = verdicts.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        format!(
            "modelward bundle review v1\nbundle {bundle}\nprevious {previous}\nverdicts {verdicts}\nauthor {author}\n\
             reviewer {reviewer}\nrole {role}\n"
        )
    }
}

/// Signs a bundle as one reviewer.
pub fn sign(
    file: &BundleFile,
    previous: Digest,
    author: &Name,
    reviewer: &Name,
    role: &Name,
    signer: &dyn Signer,
) -> Result<Signature, SigningError> {
    let statement = Statement {
        bundle: file.digest(),
        previous,
        verdicts: file.verdicts_digest()?,
        author: author.clone(),
        reviewer: reviewer.clone(),
        role: role.clone(),
    };
    let signature = signer.sign(statement.text().as_bytes())?;
    let Statement { author, reviewer, role, .. } = statement;
    Ok(Signature { author, previous, reviewer, role, signature })
}

/// The reviewers who count for the bundle after this one: its own, or as long as it lists none, those fixed at `init`.
pub fn reviewers_of(bundle: &Bundle, genesis: &Reviewers) -> Result<Reviewers, SignatureError> {
    let own = Parts::read(bundle.sources()).map_err(SignatureError::Parts)?.reviewers;
    Ok(if own.is_empty() { genesis.clone() } else { own })
}

/// Whether a root bundle may follow `previous`, or a project bundle stand beside it. `genesis` are the reviewers fixed at `init`.
pub fn check_signatures(
    candidate: &BundleFile,
    previous: &Bundle,
    genesis: &Reviewers,
) -> Result<Reviewed, SignatureError> {
    let reviewers = reviewers_of(previous, genesis)?;
    let Some(first) = candidate.signatures().first() else { return Err(SignatureError::TooFew { found: 0 }) };
    let mut signed = BTreeMap::new();
    for signature in candidate.signatures() {
        if signature.author != first.author {
            let (one, other) = (first.author.clone(), signature.author.clone());
            return Err(SignatureError::Authors { one, other });
        }
        let reviewer = check_one(candidate, previous.digest(), &reviewers, signature)?;
        signed.insert(&reviewer.name, reviewer);
    }
    if signed.len() < 2 {
        return Err(SignatureError::TooFew { found: signed.len() });
    }
    let reasons = match header(candidate)?.kind {
        Kind::Root => {
            check_next(candidate.files(), previous, &reviewers)?;
            needs_security(candidate.files(), previous.sources())
        }
        // It only permits, as its form is checked to, and says nothing of reviewers.
        Kind::Project => {
            project::compose(previous, candidate.files()).map_err(SignatureError::Parts)?;
            Vec::new()
        }
    };
    if !reasons.is_empty() && !signed.values().any(|reviewer| reviewer.is_of_security()) {
        return Err(SignatureError::NoSecurity { reasons });
    }
    Ok(Reviewed {
        bundle: candidate.digest(),
        previous: previous.digest(),
        author: first.author.clone(),
        reviewers: signed.into_keys().cloned().collect(),
        security: reasons,
    })
}

/// Whether one signature counts on a bundle that may follow `previous`.
pub fn check_signature(
    candidate: &BundleFile,
    previous: &Bundle,
    genesis: &Reviewers,
    signature: &Signature,
) -> Result<(), SignatureError> {
    let reviewers = reviewers_of(previous, genesis)?;
    check_one(candidate, previous.digest(), &reviewers, signature).map(drop)
}

fn header(candidate: &BundleFile) -> Result<Header, SignatureError> {
    Header::read(candidate.files()).map_err(|finding| SignatureError::Parts(vec![finding]))
}

fn check_one<'a>(
    candidate: &BundleFile,
    previous: Digest,
    reviewers: &'a Reviewers,
    signature: &Signature,
) -> Result<&'a Reviewer, SignatureError> {
    let name = || signature.reviewer.clone();
    let Some(reviewer) = reviewers.named(&signature.reviewer) else {
        return Err(SignatureError::Unknown { reviewer: name() });
    };
    if !reviewer.signs(header(candidate)?.project.as_ref()) {
        return Err(SignatureError::Elsewhere { reviewer: name() });
    }
    if signature.reviewer == signature.author {
        return Err(SignatureError::Author { reviewer: name() });
    }
    if signature.previous != previous {
        return Err(SignatureError::Previous {
            reviewer: name(),
            signed: signature.previous,
            found: previous,
        });
    }
    if signature.role != reviewer.group {
        let (signed, listed) = (signature.role.clone(), reviewer.group.clone());
        return Err(SignatureError::Role { reviewer: name(), signed, listed });
    }
    let statement = Statement {
        bundle: candidate.digest(),
        previous,
        verdicts: candidate.verdicts_digest()?,
        author: signature.author.clone(),
        reviewer: name(),
        role: signature.role.clone(),
    };
    let text = statement.text();
    if reviewer.keys.iter().any(|key| key.verify_raw(text.as_bytes(), &signature.signature)) {
        return Ok(reviewer);
    }
    Err(SignatureError::Invalid { reviewer: name() })
}

/// What in a change only security may let through: whatever narrows everybody's rights, checks the bundle, or says who
/// reviews the next one. A file counts as changed with its first byte, so nothing hides in a reformatted guardrail.
pub fn needs_security(
    candidate: &BTreeMap<String, String>,
    previous: &BTreeMap<String, String>,
) -> Vec<String> {
    let names: BTreeSet<&String> = candidate.keys().chain(previous.keys()).collect();
    let changed = names.into_iter().filter(|name| candidate.get(*name) != previous.get(*name));
    let guards = |name: &str| {
        let texts = [candidate.get(name), previous.get(name)];
        match FileKind::of(name) {
            Some(
                FileKind::Manifest
                | FileKind::Schema
                | FileKind::Obligations
                | FileKind::Reviewers
                | FileKind::Invariant,
            ) => true,
            Some(FileKind::Policies) => texts.into_iter().flatten().any(|text| holds_forbid(text)),
            Some(
                FileKind::Entitlements
                | FileKind::Groups
                | FileKind::Signals
                | FileKind::Matrix
                | FileKind::Scenario
                | FileKind::CedarTest,
            ) => false,
            None => true,
        }
    };
    changed.filter(|name| guards(name)).map(|name| format!("`{name}` changed")).collect()
}

/// Text that is no policy set may hold anything.
fn holds_forbid(text: &str) -> bool {
    text.parse::<cedar_policy::PolicySet>()
        .map_or(true, |set| set.policies().any(|policy| policy.effect() == cedar_policy::Effect::Forbid))
}

/// A bundle that leaves nobody to sign the next one could never be replaced.
fn check_next(
    candidate: &BTreeMap<String, String>,
    previous: &Bundle,
    reviewers: &Reviewers,
) -> Result<(), SignatureError> {
    let own = Parts::read(candidate).map_err(SignatureError::Parts)?.reviewers;
    let listed_before = !Parts::read(previous.sources()).map_err(SignatureError::Parts)?.reviewers.is_empty();
    let next = match own.is_empty() {
        true if listed_before => &own,
        true => reviewers,
        false => &own,
    };
    if next.can_change_guardrails() {
        return Ok(());
    }
    Err(SignatureError::NoReviewersLeft { found: next.iter().count() })
}

impl Reviewed {
    pub const fn bundle(&self) -> Digest {
        self.bundle
    }

    pub const fn previous(&self) -> Digest {
        self.previous
    }

    pub const fn author(&self) -> &Name {
        &self.author
    }

    pub const fn reviewers(&self) -> &BTreeSet<Name> {
        &self.reviewers
    }

    /// What only security could let through.
    pub fn security(&self) -> &[String] {
        &self.security
    }
}

fn to_base64<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    bytes.try_into().map_err(|_| serde::de::Error::custom("a signature has 64 bytes"))
}
