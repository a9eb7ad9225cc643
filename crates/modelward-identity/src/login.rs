//! One sign-in: a chain of verified factors, which is the only thing a session can be opened with.

use jiff::Timestamp;
use modelward_decision::vocabulary::{CredentialScope, Name, PersonId, PrincipalRef};

use crate::password::{HashError, Password, PasswordHash, Passwords};
use crate::recovery::{RecoveryCode, RecoveryCodes};
use crate::rights::Strength;
use crate::session::Origin;
use crate::totp::{self, Step, TotpSecret};

/// Somebody who has just proved one factor or more. It exists for the length of one request.
#[derive(Debug)]
pub struct Login {
    person: PersonId,
    factors: Factors,
    at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Factors {
    Password,
    PasswordAndTotp,
    PasswordAndRecovery,
    /// The device verified its holder, so it is two factors in one.
    Passkey {
        /// The key can be in more than one device.
        synced: bool,
    },
    /// Whatever they were, an issuer saw them and vouches for them, as far as it is trusted.
    Elsewhere(Box<Elsewhere>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Elsewhere {
    strength: Strength,
    methods: Vec<Name>,
    scope: CredentialScope,
    origin: Origin,
}

/// What is stored about somebody who may sign in with a password.
#[derive(Debug, Clone)]
pub struct Account {
    pub person: PersonId,
    pub password: PasswordHash,
}

/// Why a factor was not accepted.
///
/// Unknown account, wrong password, wrong code and used code are one answer, so that nobody learns from it which
/// accounts exist or which factor was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    #[error("name, password or code is wrong")]
    Wrong,
    /// Says nothing about the account: it happens before anything is looked at.
    #[error("too many people are signing in at this moment")]
    Busy,
    /// Our own fault: a stored credential cannot be read.
    #[error("the stored credential cannot be read")]
    Broken,
}

impl Login {
    /// First factor. For a name nobody has, pass `None`: it takes as long and ends in the same refusal.
    pub fn with_password(
        passwords: &Passwords,
        account: Option<&Account>,
        presented: &Password,
        now: Timestamp,
    ) -> Result<Self, LoginRefusal> {
        let verified = passwords.verify(account.map(|account| &account.password), presented);
        match (verified, account) {
            (Ok(true), Some(account)) => {
                Ok(Self { person: account.person, factors: Factors::Password, at: now })
            }
            (Ok(_), _) => Err(LoginRefusal::Wrong),
            (Err(HashError::Busy), _) => Err(LoginRefusal::Busy),
            (Err(HashError::Stored | HashError::Argon2), _) => Err(LoginRefusal::Broken),
        }
    }

    /// Second factor: a code of the person's authenticator. The step returned must be stored before a session is
    /// opened.
    pub fn and_totp(
        self,
        secret: &TotpSecret,
        code: &str,
        last_step: Option<Step>,
    ) -> Result<(Self, Step), LoginRefusal> {
        let step = totp::verify(secret, code, self.at, last_step).map_err(|_| LoginRefusal::Wrong)?;
        Ok((Self { factors: Factors::PasswordAndTotp, ..self }, step))
    }

    /// Second factor: a recovery code. What is left of them must be stored before a session is opened.
    pub fn and_recovery(
        self,
        codes: &RecoveryCodes,
        typed: &str,
    ) -> Result<(Self, RecoveryCodes), LoginRefusal> {
        let code = RecoveryCode::read(typed).map_err(|_| LoginRefusal::Wrong)?;
        let left = codes.spend(&code).map_err(|_| LoginRefusal::Wrong)?;
        Ok((Self { factors: Factors::PasswordAndRecovery, ..self }, left))
    }

    /// Both factors were proved while they were being set up.
    pub(crate) const fn by_enrolment(person: PersonId, at: Timestamp) -> Self {
        Self { person, factors: Factors::PasswordAndTotp, at }
    }

    /// A passkey was proved, with user verification.
    pub(crate) const fn by_passkey(person: PersonId, synced: bool, at: Timestamp) -> Self {
        Self { person, factors: Factors::Passkey { synced }, at }
    }

    /// An issuer vouches for them; `at` is when they signed in there.
    pub(crate) fn by_issuer(
        person: PersonId,
        strength: Strength,
        methods: Vec<Name>,
        at: Timestamp,
        scope: CredentialScope,
        origin: Origin,
    ) -> Self {
        let elsewhere = Elsewhere { strength, methods, scope, origin };
        Self { person, factors: Factors::Elsewhere(Box::new(elsewhere)), at }
    }

    pub const fn person(&self) -> PersonId {
        self.person
    }

    pub const fn principal(&self) -> PrincipalRef {
        PrincipalRef::Person(self.person)
    }

    pub const fn at(&self) -> Timestamp {
        self.at
    }

    pub const fn strength(&self) -> Strength {
        match &self.factors {
            Factors::Password => Strength::OneFactor,
            Factors::PasswordAndTotp | Factors::PasswordAndRecovery => Strength::TwoFactors,
            Factors::Passkey { .. } => Strength::PhishingResistant,
            Factors::Elsewhere(elsewhere) => elsewhere.strength,
        }
    }

    /// `pwd`, `otp`, `hwk`, `swk` and `user` of RFC 8176; a recovery code has no word there and is `recovery`. Of
    /// elsewhere, what was said.
    pub fn methods(&self) -> Vec<Name> {
        let words: &[&str] = match &self.factors {
            Factors::Password => &["pwd"],
            Factors::PasswordAndTotp => &["pwd", "otp"],
            Factors::PasswordAndRecovery => &["pwd", "recovery"],
            Factors::Passkey { synced: false } => &["hwk", "user"],
            Factors::Passkey { synced: true } => &["swk", "user"],
            Factors::Elsewhere(elsewhere) => return elsewhere.methods.clone(),
        };
        words.iter().filter_map(|word| Name::new(word).ok()).collect()
    }

    /// What a session opened with it can be used for at most.
    pub(crate) fn scope(&self) -> CredentialScope {
        match &self.factors {
            Factors::Password
            | Factors::PasswordAndTotp
            | Factors::PasswordAndRecovery
            | Factors::Passkey { .. } => CredentialScope::Full,
            Factors::Elsewhere(elsewhere) => elsewhere.scope.clone(),
        }
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        match &self.factors {
            Factors::Password
            | Factors::PasswordAndTotp
            | Factors::PasswordAndRecovery
            | Factors::Passkey { .. } => None,
            Factors::Elsewhere(elsewhere) => Some(elsewhere.origin.clone()),
        }
    }
}
