//! A sign-in on its way through an issuer: the authorization code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect
//! Core 1.0), from the browser that began it and back to the same browser.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Name, PersonId, SessionId};
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{Metadata, TrustedIssuer};
use crate::session::{ABSOLUTE, after};

/// How long somebody may take at the issuer.
pub const FLOW_TTL: SignedDuration = SignedDuration::from_mins(10);

/// What the browser that began keeps, sealed, until it comes back. Whoever brings an answer without it began elsewhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    pub issuer: Name,
    pub purpose: Purpose,
    /// Where to go when signed in.
    pub next: String,
    state: String,
    nonce: String,
    verifier: String,
    expires_at: Timestamp,
}

/// What somebody goes to the issuer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    SignIn,
    /// To prove themselves again there, for something that asks for a fresh proof.
    SignInAgain,
    /// To link who they are there to who they are here, where they are signed in.
    Link {
        person: PersonId,
        session: SessionId,
    },
}

/// A flow begun: what the browser keeps, and what it is sent to the issuer with.
#[derive(Debug)]
pub struct FlowStart {
    pub flow: Flow,
    /// Parameters of the authorization request.
    pub parameters: Vec<(&'static str, String)>,
}

/// Why an answer of the issuer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefusal {
    #[error("this sign-in did not begin in this browser, or ended already")]
    State,
    #[error("this sign-in took longer than {} minutes", FLOW_TTL.as_mins())]
    Expired,
    #[error("the answer is not from the issuer that was asked")]
    Issuer,
    #[error("the issuer says no: {0}")]
    Refused(String),
    #[error("the answer of the issuer has no code")]
    NoCode,
}

/// The answer of an issuer, as the browser brings it.
#[derive(Debug, Clone, Default)]
pub struct Callback<'a> {
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    pub iss: Option<&'a str>,
    pub error: Option<&'a str>,
}

impl Flow {
    pub fn begin(
        issuer: &TrustedIssuer,
        client: &str,
        redirect_uri: &str,
        purpose: Purpose,
        next: String,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> FlowStart {
        let flow = Self {
            issuer: issuer.name.clone(),
            purpose,
            next,
            state: random(ids),
            nonce: random(ids),
            verifier: random(ids),
            expires_at: after(now, FLOW_TTL),
        };
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("response_mode", "query".to_owned()),
            ("client_id", client.to_owned()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", issuer.scopes.join(" ")),
            ("state", flow.state.clone()),
            ("nonce", flow.nonce.clone()),
            ("code_challenge", flow.challenge()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        // Asking for an age makes the issuer say `auth_time` (OpenID Connect Core 1.0 section 3.1.2.1).
        match purpose {
            Purpose::SignIn => parameters.push(("max_age", ABSOLUTE.as_secs().to_string())),
            Purpose::SignInAgain | Purpose::Link { .. } => {
                parameters.push(("max_age", "0".to_owned()));
                parameters.push(("prompt", "login".to_owned()));
            }
        }
        FlowStart { flow, parameters }
    }

    /// The code of an answer, if it is the answer to this flow, by the issuer that was asked (RFC 9207).
    pub fn code<'a>(
        &self,
        callback: &Callback<'a>,
        issuer: &TrustedIssuer,
        metadata: &Metadata,
        now: Timestamp,
    ) -> Result<&'a str, CallbackRefusal> {
        let same = |presented: &str| bool::from(presented.as_bytes().ct_eq(self.state.as_bytes()));
        if !callback.state.is_some_and(same) || self.issuer != issuer.name {
            return Err(CallbackRefusal::State);
        }
        if now >= self.expires_at {
            return Err(CallbackRefusal::Expired);
        }
        match callback.iss {
            Some(named) if named != issuer.url.as_str() => return Err(CallbackRefusal::Issuer),
            None if metadata.answers_name_issuer => return Err(CallbackRefusal::Issuer),
            Some(_) | None => {}
        }
        if let Some(error) = callback.error {
            let word = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
            return Err(CallbackRefusal::Refused(error.chars().filter(word).take(64).collect()));
        }
        callback.code.filter(|code| (1..=4096).contains(&code.len())).ok_or(CallbackRefusal::NoCode)
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// For the token request, and nobody else.
    pub fn expose_verifier(&self) -> &str {
        &self.verifier
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Digest::of(self.verifier.as_bytes()).as_bytes())
    }
}

/// 256 random bits in 43 characters.
fn random(ids: &(impl Ids + ?Sized)) -> String {
    let mut bytes = [0; 32];
    ids.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("issuer", &self.issuer)
            .field("purpose", &self.purpose)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
