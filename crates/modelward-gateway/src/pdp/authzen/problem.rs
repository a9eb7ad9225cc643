//! What is wrong with a request, as the Authorization API says it: a status, and a body that is a message.
//!
//! A denial is not a problem: it is answered with 200.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::answer::Body;
use crate::refusal::{Challenge, NONCE_HEADER, Reason, Refusal};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    pub(super) message: String,
    /// How the caller is to prove who it is, where it has not.
    challenge: Option<HeaderValue>,
    /// For its next proof.
    nonce: Option<HeaderValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is not one.
    Malformed,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not ask this, or at all.
    Forbidden,
    NoSuchPath,
    /// The path takes this method alone.
    Method(&'static str),
    TooLarge,
    /// Decisions cannot be made or recorded now.
    Closed,
}

impl Problem {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), challenge: None, nonce: None }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Malformed => StatusCode::BAD_REQUEST,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NoSuchPath => StatusCode::NOT_FOUND,
            Kind::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Closed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// As one evaluation of several: the others go on.
    pub(super) fn in_context(&self) -> Value {
        json!({ "error": { "status": self.status().as_u16(), "message": self.message } })
    }

    pub(super) fn response(self) -> Response<Body> {
        let status = self.status();
        let kind = self.kind;
        let mut response = Response::new(Body::from(Bytes::from(self.message)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match kind {
            Kind::Unauthenticated => {
                let any = HeaderValue::from_static("Bearer realm=\"modelward\"");
                headers.insert(WWW_AUTHENTICATE, self.challenge.unwrap_or(any));
                if let Some(nonce) = self.nonce {
                    headers.insert(NONCE_HEADER, nonce);
                }
            }
            Kind::Method(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Kind::Malformed | Kind::Forbidden | Kind::NoSuchPath | Kind::TooLarge | Kind::Closed => {}
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.reason {
            Reason::Unauthenticated | Reason::StepUp => Kind::Unauthenticated,
            Reason::TooLarge => Kind::TooLarge,
            Reason::Closed => Kind::Closed,
            Reason::Denied | Reason::DeniedRoute | Reason::Rate | Reason::Cut => Kind::Forbidden,
            Reason::Http | Reason::MediaType | Reason::Body | Reason::UnknownRoute | Reason::UnknownModel => {
                Kind::Malformed
            }
            // Nothing is forwarded to a model here.
            Reason::Upstream
            | Reason::UpstreamSlow
            | Reason::UpstreamRefused
            | Reason::AnswerTooLarge
            | Reason::Deadline => Kind::Closed,
        };
        let nonce = refusal.nonce.and_then(|nonce| HeaderValue::from_str(nonce.as_str()).ok());
        let challenge = refusal.challenge.and_then(Challenge::header);
        Self { challenge, nonce, ..Self::new(kind, refusal.message) }
    }
}
