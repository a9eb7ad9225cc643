//! Keys as the control plane sees them: public halves and states. Whoever implements this holds the secrets.

use std::fmt;

use jiff::Timestamp;

use crate::wire::KeyView;

/// Keeps the keys of an installation. Calls may block, as keys lie on disk or in a device.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// Every key, newest first.
    fn keys(&self, now: Timestamp) -> Vec<KeyView>;

    /// Makes a new key of this purpose, which verifies from now on. The one before keeps verifying for as long as
    /// anything it signed can live, unless `at_once`; then the new one also signs from now on.
    fn rotate(&self, purpose: &str, at_once: bool, now: Timestamp) -> Result<(), KeeperError>;

    /// Signs with the newest key of this purpose from now on: by now everybody verifies with it.
    fn sign_with_newest(&self, purpose: &str) -> Result<(), KeeperError>;

    /// Ends a key: nothing it signed counts any more.
    fn revoke(&self, key: &str, now: Timestamp) -> Result<(), KeeperError>;
}

#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error("there is no key or purpose `{0}`")]
    Unknown(String),
    /// It can be read with nothing else, or is the identity of the ledger.
    #[error("{0}")]
    Refused(String),
    #[error("the keys could not be written")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}
