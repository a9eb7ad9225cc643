//! From a draft to the bytes of a leaf: who, where, when, and the encryption of what is personal.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use modelward_seal::Digest;
use modelward_seal::merkle::leaf_hash;
use modelward_seal::source::{Clock, Ids};

use super::{
    DraftError, Entry, EntryDraft, FORMAT_VERSION, Facts, IntentRef, Phase, PrincipalEntry, SealedFacts,
    bounds,
};
use crate::subject::{Month, PseudonymKey, SubjectKeys};

/// Facts longer than this are recorded by digest alone.
const FACTS_BYTES_MAX: usize = 8 * 1024;
const SALT_BYTES: usize = 16;

/// Seals drafts for one log. Runs on the submitting thread, so that the sequencer only writes.
pub(crate) struct Sealer {
    pub(crate) origin: String,
    pub(crate) node: String,
    pub(crate) boot: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) pseudonyms: PseudonymKey,
    pub(crate) keys: Arc<dyn SubjectKeys>,
}

/// An entry ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) leaf: Digest,
    pub(crate) event: Option<String>,
    pub(crate) mark: Mark,
}

/// What an entry does to the list of open intents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    Opens(String),
    Closes(IntentRef),
}

impl Mark {
    pub(crate) fn of(phase: Option<Phase>, id: &str, intent: Option<&IntentRef>) -> Self {
        match (phase, intent) {
            (Some(Phase::Intent), _) => Self::Opens(id.to_owned()),
            (None, Some(intent)) => Self::Closes(intent.clone()),
            (None, None) => Self::None,
        }
    }
}

impl Sealer {
    pub(crate) fn seal(&self, draft: EntryDraft) -> Result<Sealed, DraftError> {
        let now = self.clock.now();
        let pseudonym = draft.subject.as_ref().map(|(_, id)| self.pseudonyms.of(id));
        let facts = match draft.facts {
            None => None,
            Some(facts) => Some(self.seal_facts(&facts, pseudonym.as_deref(), Month::of(now))?),
        };
        let principal = draft.subject.as_ref().zip(pseudonym);
        let mut entry = Entry {
            action: draft.action,
            boot: self.boot.clone(),
            class: draft.class,
            decision: draft.decision,
            details: draft.details,
            determining: draft.determining,
            event: draft.event,
            facts,
            grant: draft.grant,
            id: draft.id,
            intent: draft.intent,
            kind: draft.kind,
            mono: self.clock.monotonic_micros(),
            node: self.node.clone(),
            nonce: self.nonce(),
            obligations: draft.obligations,
            outcome: draft.outcome,
            phase: draft.phase,
            policy: draft.policy,
            principal: principal.map(|((kind, _), pseudonym)| PrincipalEntry { kind: *kind, pseudonym }),
            rationale: draft.rationale,
            resource: draft.resource,
            revision: draft.revision,
            t: now.as_microsecond(),
            truncated: std::collections::BTreeMap::new(),
            v: FORMAT_VERSION,
        };
        let bytes: Arc<[u8]> = bounds::fit(&mut entry)?.into();
        let mark = Mark::of(entry.phase, &entry.id, entry.intent.as_ref());
        Ok(Sealed { leaf: leaf_hash(&bytes), bytes, event: entry.event, mark })
    }

    fn nonce(&self) -> String {
        let mut nonce = [0; 16];
        self.ids.fill(&mut nonce);
        URL_SAFE_NO_PAD.encode(nonce)
    }

    fn seal_facts(&self, facts: &[u8], pseudonym: Option<&str>, month: Month) -> Result<Facts, DraftError> {
        let (Some(pseudonym), true) = (pseudonym, facts.len() <= FACTS_BYTES_MAX) else {
            return Ok(Facts { digest: Digest::of(facts), sealed: None });
        };
        // The salt is erased with the facts: a digest of a few guessable facts alone would outlive them.
        let mut salted = vec![0; SALT_BYTES];
        self.ids.fill(&mut salted);
        salted.extend_from_slice(facts);
        let digest = Digest::of(&salted);
        let refuse = |reason: String| DraftError::Seal { reason };
        let (key_id, key) = self.keys.current(pseudonym, month).map_err(|error| refuse(error.to_string()))?;
        let mut nonce = [0; 24];
        self.ids.fill(&mut nonce);
        let aad = associated_data(&self.origin, &digest);
        let ct = key.seal(&nonce, &salted, aad.as_bytes()).map_err(|error| refuse(error.to_string()))?;
        let sealed = SealedFacts {
            ct: URL_SAFE_NO_PAD.encode(ct),
            key_id: key_id.to_string(),
            nonce: URL_SAFE_NO_PAD.encode(nonce),
        };
        Ok(Facts { digest, sealed: Some(sealed) })
    }

    /// The facts in clear, or nothing once their key is erased.
    pub(crate) fn open_facts(&self, facts: &Facts) -> Result<Option<Vec<u8>>, DraftError> {
        let refuse = |reason: &dyn fmt::Display| DraftError::Seal { reason: reason.to_string() };
        let Some(sealed) = &facts.sealed else { return Ok(None) };
        let key = self.keys.find(&sealed.key_id).map_err(|error| refuse(&error))?;
        let Some(key) = key else { return Ok(None) };
        let nonce = URL_SAFE_NO_PAD.decode(&sealed.nonce).map_err(|error| refuse(&error))?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| refuse(&"the nonce has not 24 bytes"))?;
        let ct = URL_SAFE_NO_PAD.decode(&sealed.ct).map_err(|error| refuse(&error))?;
        let aad = associated_data(&self.origin, &facts.digest);
        let mut salted = key.open(&nonce, &ct, aad.as_bytes()).map_err(|error| refuse(&error))?;
        if Digest::of(&salted) != facts.digest || salted.len() < SALT_BYTES {
            return Err(refuse(&"the facts do not have their digest"));
        }
        Ok(Some(salted.split_off(SALT_BYTES)))
    }
}

fn associated_data(origin: &str, digest: &Digest) -> String {
    format!("modelward/facts/v1\n{origin}\n{digest}")
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("origin", &self.origin)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
