//! Saying no in the caller's own protocol: one shape per protocol, one stable code per reason.
//!
//! Nothing here ever holds an upstream's words, address or credential.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use modelward_decision::inventory::Protocol;
use modelward_decision::vocabulary::DecisionId;
use modelward_identity::Strength;
use modelward_identity::token::{Nonce, Scheme};

use crate::json::write_text;

/// The nonce for the next proof (RFC 9449 section 8.1).
pub(crate) const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// Names the decision an answer rests on.
pub const DECISION_HEADER: HeaderName = HeaderName::from_static("x-modelward-decision");

/// Why a request gets no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// One sentence for the caller.
    pub(crate) message: Cow<'static, str>,
    /// The part of the request that is at fault, where one is.
    pub(crate) param: Option<String>,
    pub(crate) decision: Option<DecisionId>,
    pub(crate) retry_after_seconds: Option<u32>,
    pub(crate) challenge: Option<Challenge>,
    /// For the next proof (RFC 9449 section 9).
    pub(crate) nonce: Option<Nonce>,
}

/// The kinds of no, each with its status and its stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The HTTP message could be read in two ways, or breaks a bound.
    Http,
    /// The header block, path or body is too large.
    TooLarge,
    /// The body is not what the route takes.
    MediaType,
    /// The body is not the JSON the route takes.
    Body,
    /// No credential, or one that does not hold.
    Unauthenticated,
    /// The caller must prove itself more strongly or more recently.
    StepUp,
    /// No route of ours: denied because unknown.
    UnknownRoute,
    /// A route we know and never forward.
    DeniedRoute,
    /// No such model, or none the caller may know of.
    UnknownModel,
    /// The decision is deny.
    Denied,
    /// Too many requests.
    Rate,
    /// The decision could not be recorded, or the gateway has no current state: closed.
    Closed,
    /// The upstream is unreachable, too slow, or answered what cannot be passed on.
    Upstream,
    /// The upstream took longer than it may.
    UpstreamSlow,
    /// The upstream says the request itself is wrong.
    UpstreamRefused,
    /// The answer is larger than the caller may take.
    AnswerTooLarge,
    /// A right ended while the answer was on its way.
    Cut,
    /// The request took longer than it may.
    Deadline,
}

/// What a caller must do to be let in (RFC 6750, RFC 9449, RFC 9470).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Any credential would do; what to do to get one is told where it is known.
    Missing,
    Invalid(Scheme),
    /// By the error code.
    Proof(&'static str),
    StepUp {
        strength: u8,
        max_age_seconds: u32,
        scheme: Scheme,
    },
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            param: None,
            decision: None,
            retry_after_seconds: None,
            challenge: None,
            nonce: None,
        }
    }

    #[must_use]
    pub(crate) fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub(crate) const fn decided(mut self, decision: DecisionId) -> Self {
        self.decision = Some(decision);
        self
    }

    #[must_use]
    pub(crate) const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    #[must_use]
    pub(crate) const fn challenging(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    #[must_use]
    pub(crate) fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Challenges under the scheme the caller uses.
    #[must_use]
    pub(crate) const fn under(mut self, scheme: Scheme) -> Self {
        self.challenge = match self.challenge {
            Some(Challenge::StepUp { strength, max_age_seconds, scheme: _ }) => {
                Some(Challenge::StepUp { strength, max_age_seconds, scheme })
            }
            other => other,
        };
        self
    }

    /// What an unknown model and one the caller may not know of both get.
    pub(crate) fn unknown_model() -> Self {
        Self::new(Reason::UnknownModel, "there is no such model here, or none you may know of").about("model")
    }

    /// The answer, in the shape of `protocol`.
    pub(crate) fn response(&self, protocol: Protocol) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body(protocol)));
        *response.status_mut() = self.reason.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.decision_header(headers);
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge.and_then(Challenge::header) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = self.nonce.as_ref().and_then(|nonce| HeaderValue::from_str(nonce.as_str()).ok())
        {
            headers.insert(NONCE_HEADER, nonce);
        }
        response
    }

    fn decision_header(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.decision.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
            headers.insert(DECISION_HEADER, value);
        }
    }

    /// The error document alone, as it also ends a stream.
    pub(crate) fn body(&self, protocol: Protocol) -> Vec<u8> {
        let message = self.sentence();
        let mut out = Vec::with_capacity(message.len() + 128);
        match protocol {
            Protocol::OpenInference => {
                out.extend_from_slice(b"{\"error\":");
                write_text(&mut out, &message);
                out.push(b'}');
            }
            Protocol::OpenAi => {
                out.extend_from_slice(b"{\"error\":{\"message\":");
                write_text(&mut out, &message);
                out.extend_from_slice(b",\"type\":\"");
                out.extend_from_slice(self.reason.openai_type().as_bytes());
                out.extend_from_slice(b"\",\"param\":");
                match &self.param {
                    Some(param) => write_text(&mut out, param),
                    None => out.extend_from_slice(b"null"),
                }
                out.extend_from_slice(b",\"code\":\"");
                out.extend_from_slice(self.reason.code().as_bytes());
                out.extend_from_slice(b"\"}}");
            }
        }
        out
    }

    pub(crate) fn sentence(&self) -> String {
        match self.decision {
            Some(decision) => format!("{} (decision {decision})", self.message),
            None => self.message.clone().into_owned(),
        }
    }
}

impl Reason {
    /// The HTTP status, the same in every protocol.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Http | Self::Body | Self::UpstreamRefused => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthenticated | Self::StepUp => StatusCode::UNAUTHORIZED,
            Self::UnknownRoute | Self::UnknownModel => StatusCode::NOT_FOUND,
            Self::DeniedRoute | Self::Denied | Self::AnswerTooLarge | Self::Cut => StatusCode::FORBIDDEN,
            Self::Rate => StatusCode::TOO_MANY_REQUESTS,
            Self::Closed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::UpstreamSlow => StatusCode::GATEWAY_TIMEOUT,
            Self::Deadline => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// A word that never changes, for programs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Http => "malformed_http",
            Self::TooLarge => "too_large",
            Self::MediaType => "unsupported_media_type",
            Self::Body => "invalid_body",
            Self::Unauthenticated => "unauthenticated",
            Self::StepUp => "insufficient_user_authentication",
            Self::UnknownRoute => "unknown_route",
            Self::DeniedRoute => "route_denied",
            Self::UnknownModel => "model_not_found",
            Self::Denied => "access_denied",
            Self::Rate => "rate_limit_exceeded",
            Self::Closed => "fail_closed",
            Self::Upstream => "upstream_failed",
            Self::UpstreamSlow => "upstream_timeout",
            Self::UpstreamRefused => "upstream_rejected_request",
            Self::AnswerTooLarge => "answer_too_large",
            Self::Cut => "access_ended",
            Self::Deadline => "deadline_exceeded",
        }
    }

    const fn openai_type(self) -> &'static str {
        match self {
            Self::Http
            | Self::TooLarge
            | Self::MediaType
            | Self::Body
            | Self::UnknownRoute
            | Self::UnknownModel
            | Self::UpstreamRefused
            | Self::Deadline => "invalid_request_error",
            Self::Unauthenticated | Self::StepUp => "authentication_error",
            Self::DeniedRoute | Self::Denied | Self::AnswerTooLarge | Self::Cut => "permission_error",
            Self::Rate => "rate_limit_error",
            Self::Closed | Self::Upstream | Self::UpstreamSlow => "server_error",
        }
    }
}

impl Challenge {
    pub(crate) fn header(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Missing => "Bearer realm=\"modelward\"".to_owned(),
            Self::Invalid(Scheme::Bearer) => "Bearer realm=\"modelward\", error=\"invalid_token\"".to_owned(),
            Self::Invalid(Scheme::Dpop) => "DPoP error=\"invalid_token\", algs=\"EdDSA ES256\"".to_owned(),
            Self::Proof(error) => format!("DPoP error=\"{error}\", algs=\"EdDSA ES256\""),
            Self::StepUp { strength, max_age_seconds, scheme } => {
                let scheme = match scheme {
                    Scheme::Bearer => "Bearer realm=\"modelward\",",
                    Scheme::Dpop => "DPoP",
                };
                let acr = Strength::of_level(strength).map_or("phr", Strength::acr);
                format!(
                    "{scheme} error=\"insufficient_user_authentication\", acr_values=\"{acr}\", \
                     max_age=\"{max_age_seconds}\""
                )
            }
        };
        HeaderValue::from_str(&text).ok()
    }
}
