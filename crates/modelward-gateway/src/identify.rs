//! Who asks: the token of a request, with the proof that whoever sends it holds what it is bound to.

use bytes::Bytes;
use http::request::Parts;
use modelward_decision::Snapshot;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::Authenticated;
use modelward_identity::token::{
    PROOF_ALGORITHMS, Profile, ProofRefusal, Scheme, Shown, TokenRefusal, Unadmitted, Verifier,
};
use serde_json::json;

use crate::gateway::{ClientCertificate, Shared};
use crate::refusal::{Challenge, Reason, Refusal};
use crate::strict::Head;

/// Where the metadata is (RFC 9728 section 3).
pub(crate) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The token that says who asks. `base` is what this server is called by those who ask it; `None` where nobody knows it,
/// so that no proof can be for it.
pub(crate) fn identify(
    shared: &Shared,
    parts: &Parts,
    head: &Head<'_>,
    base: Option<&str>,
    snapshot: &Snapshot,
) -> Result<Authenticated, Refusal> {
    let presented = head.credential()?;
    let scheme = presented.scheme();
    let now = shared.enforcer.now();
    let url = format!("{}{}", base.unwrap_or_default(), parts.uri.path());
    let shown = Shown {
        token: presented.reveal().as_bytes(),
        scheme,
        proofs: head.proofs(),
        method: parts.method.as_str(),
        url: &url,
        certificate: parts.extensions.get().map(|ClientCertificate(thumbprint)| *thumbprint),
    };
    shared.admission.admit(&shown, snapshot, now).map_err(|why| {
        tracing::debug!(%why, "a credential was refused");
        let refusal = refused(why, scheme);
        match scheme {
            Scheme::Bearer => refusal,
            Scheme::Dpop => refusal.nonce(shared.admission.nonce(now)),
        }
    })
}

/// Nothing of why a token is refused is told, but for what its honest holder needs to do better.
fn refused(why: Unadmitted, scheme: Scheme) -> Refusal {
    let (message, challenge) = match why {
        Unadmitted::Token(TokenRefusal::Scheme) => (
            "the token is bound to a key, or is not, and was sent as what it is not; see `token_type`",
            Challenge::Invalid(Scheme::Dpop),
        ),
        Unadmitted::Token(_) => {
            ("the credential does not count, or counts no longer; get a new one", Challenge::Invalid(scheme))
        }
        Unadmitted::Proof(ProofRefusal::Nonce) => (
            "the proof has to carry the nonce in `dpop-nonce`; send it again with one",
            Challenge::Proof("use_dpop_nonce"),
        ),
        Unadmitted::Proof(_) => (
            "the proof in `dpop` does not count; make a new one for every request",
            Challenge::Proof("invalid_dpop_proof"),
        ),
    };
    Refusal::new(Reason::Unauthenticated, message).challenging(challenge)
}

/// What this resource is and who gives tokens for it (RFC 9728 section 2).
pub(crate) fn metadata(verifier: &Verifier) -> Bytes {
    debug_assert_eq!(verifier.profile(), Profile::Access, "the gateway takes access tokens");
    let scopes: Vec<&str> = Privilege::ALL.iter().map(|privilege| privilege.as_str()).collect();
    let document = json!({
        "resource": verifier.audience(),
        "authorization_servers": [verifier.issuer()],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": "Modelward gateway",
        "tls_client_certificate_bound_access_tokens": true,
        "authorization_details_types_supported": ["modelward"],
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        // Tokens for reading and predicting may be bearer tokens of two minutes; policy can deny those too.
        "dpop_bound_access_tokens_required": false,
    });
    Bytes::from(document.to_string())
}
