//! The key in the header of a proof: public, of one of two kinds, and nothing else in it (RFC 7517, RFC 7518, RFC 8037).

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use modelward_seal::Digest;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::ProofRefusal;
use crate::token::binding::Thumbprint;
use crate::token::key::Check;

/// A private member, such as `d`, is unknown here like any other, and refuses the proof.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jwk<'a> {
    #[serde(borrow)]
    pub(super) kty: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) crv: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) x: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) y: Option<Cow<'a, str>>,
}

pub(super) struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

const COORDINATE_BYTES: usize = 32;

impl Jwk<'_> {
    /// The key itself. Its kind must be the one its algorithm is for.
    pub(super) fn key(&self, alg: &str) -> Result<Key, ProofRefusal> {
        match (alg, &*self.kty, &*self.crv, &self.y) {
            ("EdDSA", "OKP", "Ed25519", None) => {
                let decoding = DecodingKey::from_ed_der(&coordinate(&self.x)?);
                Ok(Key { algorithm: Algorithm::EdDSA, decoding })
            }
            ("ES256", "EC", "P-256", Some(y)) => {
                // An uncompressed point (SEC 1 section 2.3.3); whether it is on the curve is checked with the signature.
                let point = [&[4], coordinate(&self.x)?.as_slice(), coordinate(y)?.as_slice()].concat();
                Ok(Key { algorithm: Algorithm::ES256, decoding: DecodingKey::from_ec_der(&point) })
            }
            _ => Err(ProofRefusal::Algorithm),
        }
    }

    /// RFC 7638 section 3: the required members in lexical order, without white space. The values need no escapes, since
    /// [`Self::key`] took them.
    pub(super) fn thumbprint(&self) -> Thumbprint {
        let Self { kty, crv, x, y } = self;
        let json = match y {
            None => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#),
            Some(y) => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#),
        };
        Thumbprint::new(Digest::of(json.as_bytes()))
    }
}

impl Key {
    pub(super) fn is_signature(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        Check::new(self.algorithm, &self.decoding).is_signature(message, signature)
    }
}

/// An object, and not the array that would deserialize to the same struct.
pub(super) fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Jwk<'de>, D::Error> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Jwk<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Jwk<'de>, A::Error> {
            Jwk::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object)
}

fn coordinate(text: &str) -> Result<[u8; COORDINATE_BYTES], ProofRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ProofRefusal::Key)?;
    bytes.try_into().map_err(|_| ProofRefusal::Key)
}
