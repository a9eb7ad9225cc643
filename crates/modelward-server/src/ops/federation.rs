//! Identities of elsewhere: signing in through an issuer, being signed out by one, who is who, and whom to believe.

mod link;
mod sign_in;
mod standing;
mod workload;

use std::sync::Arc;

use modelward_enforcement::{Rejection, RejectionKind};
use modelward_identity::federation::ForeignRefusal;

use crate::caller::Visit;
use crate::control::ControlPlane;
use crate::federation::Issuer;
use crate::problem::Problem;
use crate::wire::{ErrorCode, SignInOption, SignInOptions};

pub(crate) use link::{identities, link, strangers, unlink};
pub(crate) use sign_in::{
    Arrived, Begun, begin, come_back, given, mappings, sign_in_with_token, sign_out_url, signed_out_there,
};
pub(crate) use standing::{distrust, issuer, issuers, trust};
pub(crate) use workload::attest;

/// The issuers people can sign in through at this moment. Public: it stands on the page to sign in.
pub(crate) async fn options(plane: &Arc<ControlPlane>) -> Result<SignInOptions, Problem> {
    let mut issuers = Vec::new();
    for issuer in plane.federation.issuers() {
        let trusted = &issuer.trusted;
        let for_people = trusted.console_client.is_some() || trusted.cli_client.is_some();
        if for_people && believe(plane, issuer).await.is_ok() {
            issuers.push(SignInOption {
                name: trusted.name.clone(),
                title: trusted.title.clone(),
                url: trusted.url.as_str().to_owned(),
                console: trusted.console_client.is_some(),
                cli_client_id: trusted.cli_client.clone(),
                scopes: trusted.scopes.clone(),
            });
        }
    }
    Ok(SignInOptions { issuers })
}

/// Refuses an issuer that is distrusted.
pub(crate) async fn believe(plane: &ControlPlane, issuer: &Issuer) -> Result<(), Problem> {
    let said = plane.store.issuer_standing(issuer.trusted.url.as_str()).await?;
    if said.is_some_and(|said| said.distrusted_at.is_some()) {
        return Err(Problem::new(
            ErrorCode::Refused,
            format!("nothing {} says counts at this moment", issuer.trusted.title),
        )
        .hint("sign in with name and password, or ask who governs"));
    }
    Ok(())
}

/// A foreign token that does not count: noted in the ledger, and told in words that help.
pub(super) fn refused(
    plane: &ControlPlane,
    visit: &Visit,
    issuer: &Issuer,
    refusal: ForeignRefusal,
) -> Problem {
    plane.enforcer().reject(&Rejection {
        kind: RejectionKind::Unauthenticated,
        peer: visit.situation.peer.clone(),
        protocol: "control",
        reason: format!("{}: {refusal}", issuer.trusted.name),
        request: Some(visit.mark),
    });
    let problem = Problem::new(ErrorCode::BadCredentials, refusal.to_string());
    match refusal.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
