//! Two planes in two processes: what each side needs to know the other, and the way between them.
//!
//! [`authority`] and [`door`] are the control plane's side, everything else the gateway's.

pub mod authority;
pub mod counters;
pub mod door;
pub mod follow;
pub mod link;
pub mod member;
pub mod tls;

use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

/// PKCS#8 version 1 around an Ed25519 seed (RFC 8410 section 7): all of it but the seed is constant.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key of a seed, for certificates.
fn key_of(seed: &[u8; 32]) -> Result<KeyPair, rcgen::Error> {
    let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + seed.len()));
    der.extend_from_slice(&PKCS8_PREFIX);
    der.extend_from_slice(seed);
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_slice()), &PKCS_ED25519)
}
