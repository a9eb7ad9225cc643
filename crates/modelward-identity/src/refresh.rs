//! Refresh handles: what a program keeps in the place of a session, to get one token after the other with (RFC 6749
//! section 6), under the rules of RFC 9700 section 4.14.
//!
//! A handle counts once and only in the hands that hold the key or certificate it was given to: each use answers with the
//! next. One that comes back later was copied, so its whole family ends. Whoever asks again within [`RETRY`] gets the same
//! next handle, because an answer can be lost on its way.
//!
//! A handle outlives the idleness of its session: its key is in a program that works while the person does not. It does
//! not outlive the session itself, nor [`LIFE`].

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{
    CredentialScope, Name, PrincipalRef, RefreshId, SessionFacts, SessionId,
};
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use crate::authenticated::{Authenticated, Epochs};
use crate::rights::Rights;
use crate::session::{SessionRecord, after};
use crate::token::{Held, Profile, TokenBinding};

/// A family of handles ends after this long, however it is used.
pub const LIFE: SignedDuration = SignedDuration::from_hours(8);
/// Whoever did not get the answer can ask again within this time.
pub const RETRY: SignedDuration = SignedDuration::from_secs(10);
/// Live families of one session; one more ends the one that began first.
pub const FAMILIES_MAX: u32 = 32;
/// Handles of one family, so that nobody fills the disk: one every three seconds for [`LIFE`].
pub const HANDLES_MAX: u32 = 10_000;

const PREFIX: &str = "mwr_";
const SECRET_BYTES: usize = 32;
const ENCODED_BYTES: usize = 43;

/// One handle: 256 bits, written `mwr_` and 43 characters of base64url.
#[derive(Clone)]
pub struct Handle(Zeroizing<[u8; SECRET_BYTES]>);

/// All handles that follow from one. None of them is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    pub id: RefreshId,
    /// The sign-in it rests on, and ends with.
    pub session: SessionId,
    pub principal: PrincipalRef,
    /// The plane its tokens are for.
    pub profile: Profile,
    /// What its tokens can carry at most.
    pub scope: CredentialScope,
    /// Which program asked.
    pub client: Name,
    /// Who may use it: the holder of this key or certificate.
    pub holder: TokenBinding,
    pub created_at: Timestamp,
    pub ends_at: Timestamp,
}

/// What is kept about one handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleRecord {
    /// [`Handle::digest`]; the key to find it by.
    pub hash: Digest,
    pub used: Option<Use>,
}

/// That a handle was used, and what its next one is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub at: Timestamp,
    /// Random. The next handle is the digest of this and the used handle, so it can be told again to whoever has the one,
    /// and by nobody who has read the database alone.
    pub salt: Digest,
}

/// What a handle is good for at this moment.
#[derive(Debug)]
pub enum Presented {
    /// To be used up, and followed by the next, if nobody else was faster.
    Fresh { used: Use, next: Handle },
    /// The answer was lost: this is the next handle once more.
    Again { next: Handle },
}

/// Why a handle gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleRefusal {
    #[error("this is no refresh handle of ours")]
    Unknown,
    #[error("the refresh handle has ended")]
    Ended,
    #[error("the refresh handle was given to the holder of another key")]
    Holder,
    /// The family has to end.
    #[error("the refresh handle was used before")]
    Reused,
    #[error("the sign-in behind the refresh handle has ended")]
    SignedOut,
}

/// Begins a family: the first handle for its holder, and the record to keep.
pub fn begin(
    session: &SessionRecord,
    rights: &Rights,
    (profile, client): (Profile, Name),
    held: Held,
    ids: &(impl Ids + ?Sized),
    now: Timestamp,
) -> Option<(Handle, Family)> {
    let scope = rights.intersection(&Rights::of_scope(&session.scope)).into_scope()?;
    let family = Family {
        id: RefreshId::from_uuid(ids.uuid()),
        session: session.id,
        principal: session.principal,
        profile,
        scope,
        client,
        holder: held.binding(),
        created_at: now,
        ends_at: after(now, LIFE).min(session.ends_for_good_at()),
    };
    Some((Handle::random(ids), family))
}

impl Family {
    /// Looks at a handle of this family that somebody presents, with what they have shown that they hold.
    pub fn present(
        &self,
        handle: &Handle,
        record: &HandleRecord,
        held: Option<Held>,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<Presented, HandleRefusal> {
        if handle.digest() != record.hash {
            return Err(HandleRefusal::Unknown);
        }
        if now >= self.ends_at {
            return Err(HandleRefusal::Ended);
        }
        let is_holder = held.is_some_and(|held| held.binding() == self.holder);
        match record.used {
            Some(used) if is_holder && now < after(used.at, RETRY) => {
                Ok(Presented::Again { next: handle.next(used.salt) })
            }
            Some(_) => Err(HandleRefusal::Reused),
            None if !is_holder => Err(HandleRefusal::Holder),
            None => {
                let mut salt = [0; SECRET_BYTES];
                ids.fill(&mut salt);
                let used = Use { at: now, salt: Digest::from_bytes(salt) };
                Ok(Presented::Fresh { used, next: handle.next(used.salt) })
            }
        }
    }

    /// Who asks with a handle of this family, as long as the sign-in behind it counts.
    pub fn authenticate(
        &self,
        session: &SessionRecord,
        held: Held,
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, HandleRefusal> {
        if held.binding() != self.holder {
            return Err(HandleRefusal::Holder);
        }
        let expires_at = self.ends_at.min(session.ends_for_good_at());
        if now >= expires_at {
            return Err(HandleRefusal::Ended);
        }
        if session.id != self.session || session.principal != self.principal {
            return Err(HandleRefusal::SignedOut);
        }
        let facts = SessionFacts {
            id: session.id,
            strength: session.strength.level(),
            methods: session.methods.clone(),
            authenticated_at: session.authenticated_at,
            binding: self.holder.fact(),
            scope: self.scope.clone(),
        };
        let who =
            Authenticated::of_handle(self.principal, Arc::new(facts), expires_at, session.epoch, self.holder);
        if who.is_unrevoked(epochs) { Ok(who) } else { Err(HandleRefusal::SignedOut) }
    }

    /// The most its tokens can carry.
    pub fn rights(&self) -> Rights {
        Rights::of_scope(&self.scope)
    }
}

impl Handle {
    fn random(ids: &(impl Ids + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        ids.fill(secret.as_mut_slice());
        Self(secret)
    }

    /// Reads a presented handle. Anything that is not exactly the form we give out is unknown.
    pub fn parse(text: &str) -> Result<Self, HandleRefusal> {
        let encoded = text.strip_prefix(PREFIX).ok_or(HandleRefusal::Unknown)?;
        if encoded.len() != ENCODED_BYTES {
            return Err(HandleRefusal::Unknown);
        }
        let mut decoded = Zeroizing::new([0; 48]);
        let length = URL_SAFE_NO_PAD
            .decode_slice(encoded, decoded.as_mut_slice())
            .map_err(|_| HandleRefusal::Unknown)?;
        let bytes =
            decoded.get(..length).and_then(|bytes| bytes.try_into().ok()).ok_or(HandleRefusal::Unknown)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The handle itself, to be handed to its holder once: never into a log, an error or an address.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + ENCODED_BYTES));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.0.as_slice(), &mut text);
        text
    }

    /// What is stored and looked up.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[b"modelward refresh v1\0", self.0.as_slice()])
    }

    /// The next one. Both parts have a fixed length.
    fn next(&self, salt: Digest) -> Self {
        let next = Digest::of_parts(&[b"modelward refresh next v1\0", self.0.as_slice(), salt.as_bytes()]);
        Self(Zeroizing::new(*next.as_bytes()))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(…)")
    }
}
