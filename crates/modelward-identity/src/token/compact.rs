//! The JWS compact serialization (RFC 7515 section 7.1), read in one way only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The three parts, decoded, and what the signature is over.
pub(super) struct Parts<'a> {
    pub(super) signed: &'a [u8],
    pub(super) header: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    Count,
    Encoding,
}

impl<'a> Parts<'a> {
    pub(super) fn split(text: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = text.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Count);
        };
        let signed = text.get(..header.len() + 1 + claims.len()).ok_or(Malformed::Count)?;
        Ok(Self { signed, header: decode(header)?, claims: decode(claims)?, signature: decode(signature)? })
    }
}

/// Padding, foreign characters and stray trailing bits are refused: one byte string has one text.
fn decode(part: &[u8]) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Encoding)
}

/// A JSON object, and not the array that would deserialize to the same struct.
pub(super) fn object<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}
