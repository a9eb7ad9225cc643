//! The data directory of a gateway in a process of its own: a ledger, the keys it needs, and what makes it a member.

use std::path::Path;
use std::sync::Arc;

use modelward_identity::join::JoinCode;
use modelward_identity::token::{KeyId, KeyIdError, KeySet, KeySetError, Profile, PublicKey, Standing};
use modelward_ledger::Ledger;
use modelward_planes::message::{Join, Joined, path};
use modelward_planes::{FORMAT, TokenStanding, TrustText};
use modelward_seal::source::Clock as _;

use super::{
    CLOCK_FILE, HouseError, KEYS_FOLDER, LEDGER_FOLDER, STATE_FOLDER, close, make_ledger, open_ledger,
};
use crate::clock::{SystemClock, SystemIds};
use crate::config::Config;
use crate::keys::{KeyRing, Purpose};
use crate::planes::link::{Link, LinkError};
use crate::planes::member::{Candidate, Member, MemberError};
use crate::planes::tls::{self, MutualError, Recognising};
use crate::private;

/// What a gateway signs and seals by itself.
const PURPOSES: [Purpose; 3] = [Purpose::Checkpoint, Purpose::Facts, Purpose::Pseudonym];

/// Everything that lies in the data directory of a gateway, open.
#[derive(Debug)]
pub(crate) struct Outpost {
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) ids: Arc<SystemIds>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) member: Arc<Member>,
}

/// Why a gateway cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    House(#[from] HouseError),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error(transparent)]
    Mutual(#[from] MutualError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the configuration names no control plane")]
    NoControl,
    #[error("the control plane showed no authority")]
    NoAuthority,
}

/// Why keys of tokens that the control plane named cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustKeysError {
    #[error(transparent)]
    Id(#[from] KeyIdError),
    #[error("a public key of tokens is not 32 bytes in hexadecimal")]
    Form(#[from] hex::FromHexError),
    #[error(transparent)]
    Set(#[from] KeySetError),
}

impl Outpost {
    /// # Errors
    /// The gateway is not enrolled, or a part of its data directory is damaged, open to others or in use.
    pub(crate) fn open(config: &Config) -> Result<Self, EnrolError> {
        let home = &config.data_dir;
        let member = Member::open(home)?;
        private::check_folder(home).map_err(HouseError::from)?;
        let clock =
            SystemClock::marked(home.join(STATE_FOLDER).join(CLOCK_FILE)).map_err(HouseError::from)?;
        let (clock, ids) = (Arc::new(clock), Arc::new(SystemIds));
        let keys = KeyRing::open_for(&home.join(KEYS_FOLDER), &PURPOSES).map_err(HouseError::from)?;
        let (ledger, _) = open_ledger(config, &keys, &clock, &ids)?;
        Ok(Self { clock, ids, ledger: Arc::new(ledger), member: Arc::new(member) })
    }

    /// Writes what is left to write and lets go of everything.
    pub(crate) async fn close(self) {
        close(self.ledger, self.clock).await;
    }
}

/// Makes this data directory that of a gateway: asks with the code, and writes down the answer. The name it got.
///
/// # Errors
/// It is one already, the control plane is not reached or does not take the code, or something cannot be written.
pub(crate) async fn enrol(config: &Config, code: JoinCode) -> Result<String, EnrolError> {
    let home = &config.data_dir;
    let address = config.planes.control.as_ref().ok_or(EnrolError::NoControl)?;
    Member::refuse_if_enrolled(home)?;
    furnish(config)?;
    let candidate = Candidate::new(&SystemIds)?;
    let recognising = Arc::new(Recognising::new(code.clone()));
    let tls = tls::stranger(Arc::clone(&recognising))?;
    let link = Link::connect(address.as_str(), tls).await?;
    let authority = recognising.authority().ok_or(EnrolError::NoAuthority)?;
    let join = Join { format: FORMAT, code: code.secret().to_string(), request: candidate.request.clone() };
    let joined: Joined = link.ask(path::JOIN, &join).await?;
    let member = Member::found(home, candidate, joined, &authority)?;
    Ok(member.name())
}

/// Keys and ledger, unless an attempt before made them.
fn furnish(config: &Config) -> Result<(), HouseError> {
    let home = &config.data_dir;
    for folder in [home.clone(), home.join(STATE_FOLDER)] {
        private::make_folder(&folder)?;
        private::check_folder(&folder)?;
    }
    if home.join(LEDGER_FOLDER).is_dir() {
        return Ok(());
    }
    let clock = Arc::new(SystemClock::marked(home.join(STATE_FOLDER).join(CLOCK_FILE))?);
    let ids = Arc::new(SystemIds);
    let keys_folder: &Path = &home.join(KEYS_FOLDER);
    let keys = if keys_folder.is_dir() {
        KeyRing::open_for(keys_folder, &PURPOSES)?
    } else {
        KeyRing::create_for(keys_folder, &PURPOSES, &*ids, clock.now())?
    };
    let (ledger, _) = make_ledger(config, &keys, &clock, &ids)?;
    ledger.close();
    Ok(())
}

/// The keys of access tokens that the control plane names.
///
/// # Errors
/// One of them is none.
pub(crate) fn token_keys(trust: &TrustText) -> Result<KeySet, TrustKeysError> {
    let keys = trust.trust().tokens.iter().map(|key| {
        let id: KeyId = key.id.parse()?;
        let mut public = [0; 32];
        hex::decode_to_slice(&key.public, &mut public)?;
        let standing = match key.standing {
            TokenStanding::Active => Standing::Active,
            TokenStanding::VerifyOnly => Standing::VerifyOnly,
            TokenStanding::Revoked => Standing::Revoked,
        };
        Ok((PublicKey::new(id, Profile::Access, public), standing))
    });
    Ok(KeySet::new(keys.collect::<Result<Vec<_>, TrustKeysError>>()?)?)
}
