//! Sessions: an opaque secret at the holder, its digest and the facts of the login here.
//!
//! Ends after 30 minutes without use, after 12 hours in any case (ASVS 5.0 7.3), and at once when the epoch of its
//! principal or of itself is bumped. A session's secret is always made here: there is no way to bring one's own, so
//! none can be planted before a login (ASVS 5.0 7.2.4).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{
    Binding, CredentialScope, MachineId, Name, PrincipalRef, SessionFacts, SessionId,
};
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::authenticated::{Authenticated, EpochMark, Epochs};
use crate::federation::{Attested, Identity};
use crate::login::Login;
use crate::rights::Strength;

/// A session unused for this long ends.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// A session ends after this long, however much it is used.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// Uses closer together than this are not worth a write.
pub const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Stands among the methods of a sign-in that was made with the embedded identity, not with an issuer's: what a policy
/// asks for that bars people of the house's own accounts from something. RFC 8176 leaves room for words of one's own.
pub const EMBEDDED: &str = "embedded";
/// Characters of a user agent that are kept.
pub const USER_AGENT_MAX: usize = 256;

/// So that secret scanners, and people, know what it is.
const PREFIX: &str = "mws_";
const SECRET_BYTES: usize = 32;

/// The secret of one session: 256 random bits, written `mws_` and 43 characters of base64url.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<[u8; SECRET_BYTES]>);

/// What is kept about a session. The secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub principal: PrincipalRef,
    /// [`SessionToken::digest`]; the key to find the record by.
    pub token_hash: Digest,
    pub strength: Strength,
    /// RFC 8176 where it has a word.
    pub methods: Vec<Name>,
    pub authenticated_at: Timestamp,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// Epochs at creation.
    pub epoch: EpochMark,
    /// [`Binding::Cookie`] in a browser, [`Binding::None`] on a command line.
    pub binding: Binding,
    /// For the owner's list of sessions; printable characters only.
    pub user_agent: Option<String>,
    /// What it can be used for at most.
    pub scope: CredentialScope,
    /// Where it ends before [`ABSOLUTE`] does: the proof it rests on ends there.
    pub until: Option<Timestamp>,
    /// Who vouched for it, if that was somebody else.
    pub origin: Option<Origin>,
    /// The network it was opened from, for the owner's list of sessions.
    pub source: Option<String>,
}

/// Where a session comes from: who its holder is at an issuer, and their session there, by which the issuer ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub identity: Identity,
    pub sid: Option<String>,
}

/// A session just opened: the secret for the holder, the record to keep.
#[derive(Debug)]
pub struct Opened {
    pub token: SessionToken,
    pub record: SessionRecord,
    /// The session this one takes the place of; it must be ended in the same transaction.
    pub ends: Option<SessionId>,
}

/// Why a session does not count. All of them look alike from outside: sign in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is not a session of ours")]
    Unknown,
    #[error("the session was unused for 30 minutes")]
    Idle,
    #[error("the session is older than 12 hours, or than the proof it rests on")]
    Expired,
    #[error("the session was ended")]
    Revoked,
}

/// The revocations of somebody that were in force before anything of their sign-in was looked at. A session opened with
/// it ends with every later one: also with the one that came while the password was being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(u64);

impl Since {
    /// To be read first of all, before what is stored about the person.
    pub fn read(epochs: &(impl Epochs + ?Sized), principal: PrincipalRef) -> Self {
        Self(epochs.epoch(EpochScope::Principal(principal)))
    }
}

/// Opens a session for somebody who just signed in.
pub fn open(
    login: &Login,
    since: Since,
    binding: Binding,
    user_agent: Option<&str>,
    ids: &(impl Ids + ?Sized),
    now: Timestamp,
) -> Opened {
    let id = SessionId::from_uuid(ids.uuid());
    let token = SessionToken::random(ids);
    let record = SessionRecord {
        id,
        principal: login.principal(),
        token_hash: token.digest(),
        strength: login.strength(),
        methods: login.methods(),
        authenticated_at: login.at(),
        created_at: now,
        last_seen_at: now,
        // Nobody can have ended a session that did not exist.
        epoch: EpochMark { principal: since.0, session: 0 },
        binding,
        user_agent: user_agent
            .map(|text| text.chars().filter(|char| !char.is_control()).take(USER_AGENT_MAX).collect()),
        scope: login.scope(),
        until: None,
        origin: login.origin(),
        source: None,
    };
    Opened { token, record, ends: None }
}

/// Opens a session for a workload that just proved itself. It ends with the proof, and its secret is nobody's: what the
/// workload gets are tokens.
pub fn open_workload(
    attested: &Attested,
    machine: MachineId,
    since: Since,
    ids: &(impl Ids + ?Sized),
    now: Timestamp,
) -> Opened {
    let token = SessionToken::random(ids);
    let record = SessionRecord {
        id: SessionId::from_uuid(ids.uuid()),
        principal: PrincipalRef::Machine(machine),
        token_hash: token.digest(),
        strength: attested.strength(),
        methods: Name::new("attested").into_iter().collect(),
        authenticated_at: attested.issued_at(),
        created_at: now,
        last_seen_at: now,
        epoch: EpochMark { principal: since.0, session: 0 },
        binding: Binding::None,
        user_agent: None,
        scope: attested.scope().clone(),
        until: Some(attested.expires_at()),
        origin: Some(attested.origin()),
        source: None,
    };
    Opened { token, record, ends: None }
}

impl SessionRecord {
    /// Checks the presented secret, both ends of the session and the epochs.
    pub fn authenticate(
        &self,
        presented: &SessionToken,
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, Refusal> {
        let digest = presented.digest();
        if !bool::from(digest.as_bytes().ct_eq(self.token_hash.as_bytes())) {
            return Err(Refusal::Unknown);
        }
        if now >= self.ends_for_good_at() {
            return Err(Refusal::Expired);
        }
        if now >= after(self.last_seen_at, IDLE) {
            return Err(Refusal::Idle);
        }
        let expires_at = self.ends_for_good_at().min(after(now, IDLE));
        let facts = SessionFacts {
            id: self.id,
            strength: self.strength.level(),
            methods: self.methods_with_place(),
            authenticated_at: self.authenticated_at,
            binding: self.binding,
            scope: self.scope.clone(),
        };
        let who = Authenticated::of_session(self.principal, Arc::new(facts), expires_at, self.epoch);
        if !who.is_unrevoked(epochs) {
            return Err(Refusal::Revoked);
        }
        Ok(who)
    }

    /// The methods, with [`EMBEDDED`] among them where the sign-in was made here. No issuer can say so, or keep it from
    /// being said.
    fn methods_with_place(&self) -> Vec<Name> {
        let said = self.methods.iter().filter(|method| method.as_str() != EMBEDDED).cloned();
        let is_embedded = self.origin.is_none() && matches!(self.principal, PrincipalRef::Person(_));
        said.chain(is_embedded.then(|| Name::new(EMBEDDED).ok()).flatten()).collect()
    }

    /// When the session ends if it is not used before.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_for_good_at().min(after(self.last_seen_at, IDLE))
    }

    /// When the session ends however much it is used.
    pub fn ends_for_good_at(&self) -> Timestamp {
        let absolute = after(self.created_at, ABSOLUTE);
        self.until.map_or(absolute, |until| until.min(absolute))
    }

    /// The record to write after a use, or nothing when the last use was noted moments ago.
    pub fn touched(&self, now: Timestamp) -> Option<Self> {
        (now >= after(self.last_seen_at, TOUCH_EVERY)).then(|| Self { last_seen_at: now, ..self.clone() })
    }

    /// A session of the same person with a stronger or fresher login, under a new secret and a new id.
    ///
    /// The former session goes on existing until the caller ends [`Opened::ends`].
    pub fn step_up(
        &self,
        login: &Login,
        since: Since,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<Opened, Refusal> {
        if login.principal() != self.principal {
            return Err(Refusal::Unknown);
        }
        let opened = open(login, since, self.binding, self.user_agent.as_deref(), ids, now);
        Ok(Opened { ends: Some(self.id), ..opened })
    }
}

impl SessionToken {
    fn random(ids: &(impl Ids + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        ids.fill(secret.as_mut_slice());
        Self(secret)
    }

    /// Reads a presented secret. Anything that is not exactly the form we give out is unknown.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Refusal::Unknown)?;
        // 43 characters decode to 32 bytes; the decoder refuses padding and stray trailing bits.
        if encoded.len() != 43 {
            return Err(Refusal::Unknown);
        }
        let mut decoded = Zeroizing::new([0; 48]);
        let length =
            URL_SAFE_NO_PAD.decode_slice(encoded, decoded.as_mut_slice()).map_err(|_| Refusal::Unknown)?;
        let bytes = decoded.get(..length).and_then(|bytes| bytes.try_into().ok()).ok_or(Refusal::Unknown)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The secret itself, to be handed to its holder once: never into a log, an error or an address.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 43));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.0.as_slice(), &mut text);
        text
    }

    /// What is stored and looked up.
    pub fn digest(&self) -> Digest {
        self.derive(b"modelward session v1\0")
    }

    /// What a form of this session must carry, so that another site cannot send it (a synchronizer token).
    pub fn form_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(b"modelward form v1\0").as_bytes())
    }

    pub fn is_form_token(&self, presented: &str) -> bool {
        self.form_token().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn derive(&self, purpose: &[u8]) -> Digest {
        let mut text = Zeroizing::new(Vec::with_capacity(purpose.len() + SECRET_BYTES));
        text.extend_from_slice(purpose);
        text.extend_from_slice(self.0.as_slice());
        Digest::of(&text)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// The far end of time rather than an overflow.
pub(crate) fn after(start: Timestamp, span: SignedDuration) -> Timestamp {
    start.checked_add(span).unwrap_or(Timestamp::MAX)
}
