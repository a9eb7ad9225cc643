//! Enrolment: a code typed once lets a person set a password and a second factor, both proved on the spot. The second
//! factor is an authenticator app or a passkey, as they choose.
//!
//! Pending → Offered (the secret for the authenticator was shown) → Enrolled; with a passkey, Pending → Enrolled. A code lasts 15 minutes, counts once,
//! never travels in an address, and is stored as a digest (ASVS 5.0 6.4.1). There is no default password to change.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::PersonId;
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::login::Login;
use crate::passkey::Passkey;
use crate::password::{HashError, Password, PasswordHash, PasswordPolicy, Passwords, WeakPassword};
use crate::recovery::{self, RecoveryCode, RecoveryCodes};
use crate::session::after;
use crate::totp::{self, Step, TotpSecret};

/// How long a code can be typed.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);
const PURPOSE: &str = "modelward enrolment v1";

/// What the new person types: 80 random bits in four groups of four characters.
#[derive(Clone)]
pub struct EnrolmentCode(Code<16, 4>);

/// One invitation, as stored. The caller writes each step back only if the row is still in the state it was read in.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub person: PersonId,
    /// [`EnrolmentCode::digest`]; the key to find the row by.
    pub code_hash: Digest,
    pub expires_at: Timestamp,
    pub state: EnrolmentState,
}

#[derive(Debug, Clone)]
pub enum EnrolmentState {
    Pending,
    /// The secret was shown, to be confirmed with a code. Stored only sealed.
    Offered {
        secret: TotpSecret,
    },
    Enrolled {
        at: Timestamp,
    },
}

/// What a finished enrolment leaves to be stored, in one transaction.
#[derive(Debug)]
pub struct Enrolled {
    pub enrolment: Enrolment,
    pub password: PasswordHash,
    pub factor: Factor,
    /// To be shown once.
    pub recovery: Vec<RecoveryCode>,
    pub recovery_hashes: RecoveryCodes,
    /// Both factors were just proved: a session can be opened with it.
    pub login: Login,
}

/// What somebody chose as their second factor.
#[derive(Debug)]
pub enum Factor {
    Totp {
        secret: TotpSecret,
        /// The step of the confirming code; it does not count again.
        last_step: Step,
    },
    Passkey(Box<Named>),
}

/// A passkey, and what its owner calls it.
#[derive(Debug)]
pub struct Named {
    pub name: String,
    pub passkey: Passkey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// Wrong, expired and used are one answer.
    #[error("the enrolment code is wrong, expired or used")]
    Code,
    #[error("ask for an authenticator secret first")]
    NotOffered,
    #[error("the code of the authenticator is wrong")]
    Totp,
    #[error("the password will not do")]
    Password(#[source] WeakPassword),
    #[error("no password was hashed")]
    Hash(#[source] HashError),
}

impl Enrolment {
    /// Invites a person.
    pub fn issue(person: PersonId, ids: &(impl Ids + ?Sized), now: Timestamp) -> (EnrolmentCode, Self) {
        let code = EnrolmentCode(Code::random(ids));
        let enrolment = Self {
            person,
            code_hash: code.digest(),
            expires_at: after(now, CODE_LIFE),
            state: EnrolmentState::Pending,
        };
        (code, enrolment)
    }

    /// Offers a secret for the authenticator. Asking again, after a lost page, offers a new one.
    pub fn offer(
        &self,
        code: &EnrolmentCode,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<(Self, TotpSecret), EnrolmentRefusal> {
        self.check(code, now)?;
        let secret = TotpSecret::generate(ids);
        let state = EnrolmentState::Offered { secret: secret.clone() };
        Ok((Self { state, ..self.clone() }, secret))
    }

    /// Whether the code is right and this password will do: asked before a device makes a passkey in vain.
    pub fn admits(
        &self,
        code: &EnrolmentCode,
        account: &str,
        password: &Password,
        now: Timestamp,
    ) -> Result<(), EnrolmentRefusal> {
        self.check(code, now)?;
        PasswordPolicy::DEFAULT.check(password, account).map_err(EnrolmentRefusal::Password)
    }

    /// Ends the enrolment: the password meets the policy, and the authenticator shows the right code.
    ///
    /// It hashes a password, so call it from a thread that may block.
    #[expect(clippy::too_many_arguments, reason = "time, randomness and the gate are arguments, not state")]
    pub fn complete(
        &self,
        code: &EnrolmentCode,
        account: &str,
        password: &Password,
        totp_code: &str,
        passwords: &Passwords,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<Enrolled, EnrolmentRefusal> {
        self.check(code, now)?;
        let EnrolmentState::Offered { secret } = &self.state else {
            return Err(EnrolmentRefusal::NotOffered);
        };
        PasswordPolicy::DEFAULT.check(password, account).map_err(EnrolmentRefusal::Password)?;
        let last_step = totp::verify(secret, totp_code, now, None).map_err(|_| EnrolmentRefusal::Totp)?;
        let factor = Factor::Totp { secret: secret.clone(), last_step };
        self.enrolled(password, factor, Login::by_enrolment(self.person, now), passwords, ids)
    }

    /// Ends the enrolment: the password meets the policy, and a device just made this passkey for this person.
    ///
    /// It hashes a password, so call it from a thread that may block.
    #[expect(clippy::too_many_arguments, reason = "time, randomness and the gate are arguments, not state")]
    pub fn complete_with_passkey(
        &self,
        code: &EnrolmentCode,
        account: &str,
        password: &Password,
        named: Named,
        passwords: &Passwords,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<Enrolled, EnrolmentRefusal> {
        self.admits(code, account, password, now)?;
        let login = Login::by_passkey(self.person, named.passkey.is_synced(), now);
        self.enrolled(password, Factor::Passkey(Box::new(named)), login, passwords, ids)
    }

    fn enrolled(
        &self,
        password: &Password,
        factor: Factor,
        login: Login,
        passwords: &Passwords,
        ids: &(impl Ids + ?Sized),
    ) -> Result<Enrolled, EnrolmentRefusal> {
        let password = passwords.hash(password, ids).map_err(EnrolmentRefusal::Hash)?;
        let (recovery, recovery_hashes) = recovery::generate(ids);
        Ok(Enrolled {
            enrolment: Self { state: EnrolmentState::Enrolled { at: login.at() }, ..self.clone() },
            password,
            factor,
            recovery,
            recovery_hashes,
            login,
        })
    }

    fn check(&self, code: &EnrolmentCode, now: Timestamp) -> Result<(), EnrolmentRefusal> {
        let is_right = bool::from(code.digest().as_bytes().ct_eq(self.code_hash.as_bytes()));
        let is_open = match self.state {
            EnrolmentState::Pending | EnrolmentState::Offered { .. } => now < self.expires_at,
            EnrolmentState::Enrolled { .. } => false,
        };
        if is_right && is_open { Ok(()) } else { Err(EnrolmentRefusal::Code) }
    }
}

impl EnrolmentCode {
    /// Reads what somebody typed; case, spaces and hyphens do not matter.
    pub fn read(typed: &str) -> Result<Self, EnrolmentRefusal> {
        Code::read(typed).map(Self).ok_or(EnrolmentRefusal::Code)
    }

    /// The code itself, to be shown once.
    pub fn expose(&self) -> Zeroizing<String> {
        self.0.text()
    }

    pub fn digest(&self) -> Digest {
        self.0.digest(PURPOSE)
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(…)")
    }
}
