//! What the control plane is told about its surroundings.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use modelward_decision::vocabulary::Name;

/// Names the network segment an address falls in.
pub type SegmentOf = Arc<dyn Fn(IpAddr) -> Option<Name> + Send + Sync>;

#[derive(Clone)]
pub struct Settings {
    /// How browsers and programs name this control plane: scheme, host and port, no path, no final slash. Requests of
    /// other origins are refused, and cookies are marked secure where the scheme is `https`.
    pub external_url: String,
    /// The audience of access tokens: the gateway's own address.
    pub gateway_audience: String,
    /// What authenticator apps show beside the account.
    pub issuer_name: Name,
    /// The key the ledger's checkpoints verify under, as C2SP writes it: `name+hash+key`.
    pub ledger_verifier_key: String,
    pub segment_of: SegmentOf,
    /// Segments an operator named, for choices in the console.
    pub segments: Vec<Name>,
}

impl Settings {
    pub fn is_https(&self) -> bool {
        self.external_url.starts_with("https://")
    }

    /// `__Host-` binds a cookie to this very host over TLS (RFC 6265bis 4.1.3.2); plain loopback cannot have it.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-mw_sid" } else { "mw_sid" }
    }

    /// Keeps a sign-in that is on its way through an issuer with the browser that began it.
    pub fn flow_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-mw_flow" } else { "mw_flow" }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("external_url", &self.external_url)
            .field("gateway_audience", &self.gateway_audience)
            .field("issuer_name", &self.issuer_name)
            .field("ledger_verifier_key", &self.ledger_verifier_key)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}
