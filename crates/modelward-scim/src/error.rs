//! How the protocol says no: RFC 7644 section 3.12.

use serde_json::{Value, json};

/// A refusal: the HTTP status, the kind a client may react to, and words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    pub status: u16,
    pub kind: Option<ErrorKind>,
    pub detail: String,
}

/// `scimType`, table 9 of RFC 7644.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    Sensitive,
}

impl ErrorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Sensitive => "sensitive",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Sensitive => 403,
            Self::InvalidFilter
            | Self::TooMany
            | Self::Mutability
            | Self::InvalidSyntax
            | Self::InvalidPath
            | Self::NoTarget
            | Self::InvalidValue => 400,
        }
    }
}

impl Error {
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:Error";

    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { status: kind.status(), kind: Some(kind), detail: detail.into() }
    }

    /// An error without a kind of its own, such as 404.
    pub fn status(status: u16, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    /// The body to answer with.
    pub fn body(&self) -> Value {
        let mut body =
            json!({ "schemas": [Self::SCHEMA], "status": self.status.to_string(), "detail": self.detail });
        if let (Some(kind), Some(members)) = (self.kind, body.as_object_mut()) {
            members.insert("scimType".to_owned(), kind.as_str().into());
        }
        body
    }
}

/// What somebody sent, short enough and harmless to show in an error.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(80).collect()
}
