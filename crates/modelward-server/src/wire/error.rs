//! How the API says no.

use modelward_decision::vocabulary::DecisionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every answer that is not a success has this body, but for the token endpoint (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    pub code: ErrorCode,
    /// For people; not stable.
    pub message: String,
    /// What to do next, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The decision behind a denial: `modelward explain` tells more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub decision: Option<DecisionId>,
    /// Seconds to wait before another try, where waiting helps; also in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// With `step-up`: which sign-in it needs. The same request counts after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
}

/// A sign-in that is asked for (RFC 9470 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// 0 nothing, 1 one factor, 2 two factors, 3 phishing-resistant.
    pub strength: u8,
    /// In seconds.
    pub max_age: u32,
}

/// Stable: a code keeps its meaning and its status for as long as version 1 lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// 400: the body is not what the operation takes.
    Malformed,
    /// 401: no credential, or one that no longer counts.
    Unauthenticated,
    /// 401: name, password or second factor are wrong; which one is not said.
    BadCredentials,
    /// 401: it needs a stronger or fresher sign-in; `step_up` says which (RFC 9470).
    StepUp,
    /// 403: policy denies it; `decision` names the decision.
    Denied,
    /// 403: the request came from another site, or without this session's token.
    CrossSite,
    /// 404: no such thing, or none the caller may know of.
    NotFound,
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 409: the state does not allow it (any more).
    Conflict,
    /// 413: more bytes than the operation takes.
    TooLarge,
    /// 415: the body is not of the media type the operation takes.
    MediaType,
    /// 422: well-formed, but a rule of governance refuses it.
    Refused,
    /// 429: too many tries.
    TooManyTries,
    /// 500: a fault of ours; the log has the rest.
    Internal,
    /// 503: the decision could not be recorded or state could not be reached, so nothing was done.
    Unavailable,
}

impl ErrorCode {
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::BadCredentials,
        Self::StepUp,
        Self::Denied,
        Self::CrossSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::MediaType,
        Self::Refused,
        Self::TooManyTries,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated | Self::BadCredentials | Self::StepUp => 401,
            Self::Denied | Self::CrossSite => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::Refused => 422,
            Self::TooManyTries => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::BadCredentials => "bad-credentials",
            Self::StepUp => "step-up",
            Self::Denied => "denied",
            Self::CrossSite => "cross-site",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::MediaType => "media-type",
            Self::Refused => "refused",
            Self::TooManyTries => "too-many-tries",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The error of the token endpoint, RFC 6749 section 5.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenError {
    /// `invalid_request`, `invalid_grant`, `unsupported_grant_type`, `invalid_scope`, `invalid_target`,
    /// `invalid_authorization_details`, `invalid_dpop_proof`, `use_dpop_nonce`, `access_denied`.
    pub error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}
