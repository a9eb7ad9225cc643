//! Who vouches for the control plane towards gateways, as the control plane sees it. Whoever implements this holds the keys.

use std::fmt;

use jiff::Timestamp;
use modelward_planes::message::Certificate;
use modelward_planes::{Beat, TrustText};
use modelward_seal::Digest;
use modelward_seal::note::{NoteError, SignedNote};
use tokio::sync::watch;

/// Signs heartbeats and certificates. Calls are short.
pub trait Authority: Send + Sync + fmt::Debug {
    /// What gateways shall believe, as it changes.
    fn trust(&self) -> watch::Receiver<TrustText>;

    fn sign(&self, beat: &Beat) -> Result<SignedNote, NoteError>;

    /// A certificate over the key of a signing request, for this gateway alone, and its digest.
    fn certify(
        &self,
        request: &str,
        gateway: &str,
        now: Timestamp,
    ) -> Result<(Certificate, Digest), AuthorityError>;

    /// The digest of the authority's own certificate, which codes for gateways name.
    fn digest(&self) -> Digest;
}

#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("the certificate signing request cannot be used")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no certificate could be made")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
}
