//! SCIM 2.0 (RFC 7643, RFC 7644) as documents: what a provisioning client may send, and what it is answered.
//!
//! Rule: pure. A resource is a JSON object, a change of it a function; who is meant, and what follows from it, is
//! somebody else's. Everything from outside is bounded, read by the attribute tables of [`schema`], and refused with
//! the protocol's own error ([`Error`]) where it is not what they say.
//!
//! Deliberately absent: HTTP, storage, people, bulk operations, passwords, and every attribute that access control has
//! no use for: what is not kept cannot leak.
//!
//! Start at [`resource::read`], [`patch::Patch`] and [`query::Query`].

mod error;

pub mod discovery;
pub mod filter;
pub mod patch;
pub mod query;
pub mod resource;
pub mod schema;

pub use error::{Error, ErrorKind};
pub use schema::Kind;

/// A resource without what the server adds: canonical names, only what is kept.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// The media type of requests and answers (RFC 7644 section 3.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
