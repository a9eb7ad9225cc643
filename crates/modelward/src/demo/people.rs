//! The people of the story, each enrolled and signed in as anybody would be.

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_identity::token::ProofKey;
use modelward_identity::totp::TotpSecret;
use modelward_server::wire::{
    EnrolConfirmRequest, EnrolRequest, EnrolStarted, Enrolled, InviteRequest, Invited, LoggedIn,
    LoginRequest, Secret, TokenRequest, TokenResponse,
};

use crate::client::Client;
use crate::config::HttpUrl;
use crate::exit::{Exit, Failure};

/// Somebody with an account, and a session of theirs.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) name: Name,
    pub(super) password: Secret,
    pub(super) totp_secret: Secret,
    pub(super) client: Client,
    session: Secret,
}

/// What enrols somebody: the code they type, and a source of passwords and time.
pub(super) struct Desk<'a> {
    pub(super) control: &'a HttpUrl,
    pub(super) clock: &'a dyn modelward_seal::source::Clock,
    pub(super) ids: &'a dyn modelward_seal::source::Ids,
}

impl Desk<'_> {
    /// A proof that whoever sends this request holds the key.
    pub(super) fn prove(
        &self,
        key: &ProofKey,
        method: &str,
        url: &str,
        token: Option<&Secret>,
    ) -> Result<String, Failure> {
        let token = token.map(|token| token.expose().as_bytes());
        key.prove(method, url, token, None, self.ids, self.clock.now())
            .ok_or_else(|| Failure::new(Exit::Failure, "a proof could not be made"))
    }

    /// A fresh secret: 32 hexadecimal digits.
    /// Without vowels, so that no name can stand in it.
    pub(super) fn secret(&self) -> Secret {
        let mut bytes = [0; 16];
        self.ids.fill(&mut bytes);
        Secret::new(hex::encode(bytes).replace('a', "x").replace('e', "z"))
    }

    /// Types the code, chooses a password, proves the authenticator, and signs in.
    pub(super) async fn enrol(&self, code: Secret) -> Result<Actor, Failure> {
        let stranger = Client::new(self.control.clone(), None, None)?;
        let started: EnrolStarted =
            stranger.post("/api/v1/enrol", &EnrolRequest { code: code.clone() }).await?;
        let secret = authenticator(started.secret.expose())?;
        let (password, now) = (self.secret(), self.clock.now());
        let confirm =
            EnrolConfirmRequest { code, password: password.clone(), totp: Secret::new(secret.code(now)) };
        let enrolled: Enrolled = stranger.post("/api/v1/enrol/confirm", &confirm).await?;
        // A code counts once, and that of the next step is accepted a little early.
        let next = now + SignedDuration::from_secs(30);
        let session = sign_in(&stranger, &enrolled.name, &password, &secret, next).await?;
        let client = Client::new(self.control.clone(), None, Some(session.clone()))?;
        Ok(Actor { name: enrolled.name, password, totp_secret: started.secret, client, session })
    }
}

impl Actor {
    /// Invites somebody and hands over the code they will type.
    pub(super) async fn invite(
        &self,
        name: &str,
        display_name: &str,
        group: Option<&str>,
    ) -> Result<Secret, Failure> {
        let parsed = |text: &str| Name::new(text).map_err(|error| Failure::of(Exit::Failure, &error));
        let request = InviteRequest {
            name: parsed(name)?,
            display_name: Some(display_name.to_owned()),
            groups: group.map(parsed).transpose()?.into_iter().collect(),
            clearance: Some(modelward_decision::vocabulary::Classification::Confidential),
        };
        let invited: Invited = self.client.post("/api/v1/enrolments", &request).await?;
        Ok(invited.code)
    }

    /// A token for predictions that is worth nothing without this key.
    pub(super) async fn bound_token(&self, desk: &Desk<'_>, key: &ProofKey) -> Result<Secret, Failure> {
        let path = "/api/v1/token";
        let url = format!("{}{path}", desk.control);
        let proof = desk.prove(key, "POST", &url, None)?;
        let form = [
            ("grant_type", TokenRequest::GRANT_TYPE),
            ("subject_token_type", TokenRequest::SUBJECT_SESSION),
            ("subject_token", self.session.expose()),
            ("scope", "inference"),
        ];
        let answer: TokenResponse = self.client.form_proved(path, &form, &proof).await?;
        Ok(answer.access_token)
    }

    /// An access token for the gateway, good for minutes and for these privileges alone.
    pub(super) async fn token(&self, privileges: &[Privilege]) -> Result<Secret, Failure> {
        let scope = privileges.iter().map(|privilege| privilege.as_str()).collect::<Vec<_>>().join(" ");
        let form = [
            ("grant_type", TokenRequest::GRANT_TYPE),
            ("subject_token_type", TokenRequest::SUBJECT_SESSION),
            ("subject_token", self.session.expose()),
            ("scope", &scope),
        ];
        let answer: TokenResponse = self.client.form("/api/v1/token", &form).await?;
        Ok(answer.access_token)
    }
}

async fn sign_in(
    client: &Client,
    name: &Name,
    password: &Secret,
    authenticator: &TotpSecret,
    at: Timestamp,
) -> Result<Secret, Failure> {
    let request = LoginRequest {
        name: name.clone(),
        password: password.clone(),
        totp: Some(Secret::new(authenticator.code(at))),
        recovery_code: None,
    };
    let answer: LoggedIn = client.post("/api/v1/login", &request).await?;
    Ok(answer.session_secret)
}

fn authenticator(base32: &str) -> Result<TotpSecret, Failure> {
    TotpSecret::from_base32(base32).map_err(|error| Failure::of(Exit::Failure, &error))
}
