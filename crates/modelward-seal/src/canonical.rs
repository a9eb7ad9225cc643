//! Canonical JSON (RFC 8785, JCS) and a strict parser.
//!
//! What is signed or hashed must have one byte form, and what is read must mean the same to every reader.
//! [`to_vec`] gives the first: keys sorted by UTF-16 code units, ECMAScript numbers, no white space.
//! [`parse_strict`] gives the second: duplicate keys, deep nesting and oversized input are rejected.
//!
//! Stricter than the RFC in one point: an integer beyond ±(2⁵³ − 1) is an error, because as the double the
//! RFC makes of it two different values would get the same bytes. Write such numbers as strings.

mod parse;
mod write;

pub use parse::{Limits, ParseError, ParseErrorKind, parse_strict};
pub use write::{CanonicalError, INTEGER_MAX, to_string, to_vec, write_to};

#[cfg(test)]
mod tests;
