//! What an issuer says about itself (OpenID Connect Discovery 1.0, RFC 8414), as far as it is believed.

use modelward_seal::canonical::{Limits, parse_strict};
use serde_json::{Map, Value};

use super::web::DOCUMENT_BYTES_MAX;
use super::{UrlRefusal, WebUrl};

/// Addresses of an issuer. Its algorithms are not taken from here: whoever can change this document could weaken them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub jwks: WebUrl,
    /// Absent where nobody signs in, as at a cluster.
    pub authorization: Option<WebUrl>,
    pub token: Option<WebUrl>,
    pub device_authorization: Option<WebUrl>,
    pub end_session: Option<WebUrl>,
    pub pushed_authorization: Option<WebUrl>,
    /// The issuer names itself in its answers (RFC 9207): then an answer without it is from somebody else.
    pub answers_name_issuer: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("it is not a discovery document: {0}")]
    Form(String),
    #[error("it is the document of another issuer")]
    OtherIssuer,
    #[error("`{member}` cannot be used: {why}")]
    Address { member: &'static str, why: UrlRefusal },
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("the issuer does not do PKCE with S256")]
    NoPkce,
}

impl Metadata {
    /// Where the document stands, below the issuer.
    pub const PATH: &'static str = "/.well-known/openid-configuration";

    /// The issuer has to be named byte for byte as the configuration names it (ASVS 5.0 10.5.3).
    pub fn read(document: &[u8], issuer: &WebUrl) -> Result<Self, MetadataError> {
        let limits = Limits { bytes: DOCUMENT_BYTES_MAX, depth: 16, values: 4096 };
        let value = parse_strict(document, limits).map_err(|error| MetadataError::Form(error.to_string()))?;
        let Value::Object(members) = value else {
            return Err(MetadataError::Form("it is no object".to_owned()));
        };
        if members.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
            return Err(MetadataError::OtherIssuer);
        }
        if let Some(Value::Array(methods)) = members.get("code_challenge_methods_supported")
            && !methods.iter().any(|method| method == "S256")
        {
            return Err(MetadataError::NoPkce);
        }
        Ok(Self {
            jwks: address(&members, "jwks_uri")?.ok_or(MetadataError::Missing("jwks_uri"))?,
            authorization: address(&members, "authorization_endpoint")?,
            token: address(&members, "token_endpoint")?,
            device_authorization: address(&members, "device_authorization_endpoint")?,
            end_session: address(&members, "end_session_endpoint")?,
            pushed_authorization: address(&members, "pushed_authorization_request_endpoint")?,
            answers_name_issuer: members.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}

fn address(members: &Map<String, Value>, member: &'static str) -> Result<Option<WebUrl>, MetadataError> {
    match members.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            WebUrl::parse(text).map(Some).map_err(|why| MetadataError::Address { member, why })
        }
        Some(_) => Err(MetadataError::Form(format!("`{member}` is no text"))),
    }
}
