//! Who sends a request: a client by its secret, and the issuer it speaks for.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use modelward_identity::provision::ProvisioningSecret;
use modelward_scim::{Kind, Object};
use modelward_store::scim::{Client, Subject};
use serde_json::Value;

use super::answer::Refusal;
use crate::control::ControlPlane;
use crate::federation::Issuer;
use crate::http::Incoming;
use crate::ops::federation::believe;

/// How long a paused client is told to wait: somebody has to look first.
const PAUSED_RETRY_SECONDS: u32 = 3600;

/// A client that proved who it is.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) issuer: Arc<Issuer>,
    /// The address its resources lie below.
    pub(super) base: String,
}

/// Takes one bearer secret in the header for it, and nothing else: no cookie, no token, no parameter.
pub(super) async fn enter(plane: &ControlPlane, incoming: &Incoming) -> Result<Source, Refusal> {
    let now = plane.now();
    let unknown = |why: &str| {
        let noted = incoming.visit.unauthenticated(plane, why);
        tracing::debug!(%noted, why, "a provisioning client was not recognised");
        Refusal::unauthenticated()
    };
    let mut shown = incoming.parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else {
        return Err(unknown("a provisioning client shows one secret"));
    };
    let secret = only
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, text)| ProvisioningSecret::read(text.trim()));
    let Some(secret) = secret else { return Err(unknown("this is no secret of a provisioning client")) };
    let Some(client) = plane.store.scim_client_showing(&secret.digest(), now).await? else {
        return Err(unknown("the secret of a provisioning client is unknown, expired or revoked"));
    };
    plane.store.note_scim_client(&client, now).await?;
    let issuer = plane.federation.issuer(client.issuer.as_str()).map(Arc::clone);
    let issuer = issuer.map_err(|_| {
        Refusal::forbidden(format!("the issuer `{}` is no longer configured here", client.issuer))
    })?;
    believe(plane, &issuer).await?;
    let base = format!("{}/scim/v2", plane.settings.external_url);
    Ok(Source { client, issuer, base })
}

impl Source {
    /// A client that ended too many people changes nothing until somebody lets it.
    pub(super) fn may_write(&self) -> Result<(), Refusal> {
        match self.client.paused_at {
            None => Ok(()),
            Some(_) => Err(paused(&self.client)),
        }
    }

    pub(super) fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }

    /// Who a user is at the issuer, if it is said.
    pub(super) fn subject<'a>(&self, said: &'a Object) -> Option<&'a str> {
        let attribute = match self.client.subject {
            Subject::ExternalId => "externalId",
            Subject::UserName => "userName",
        };
        said.get(attribute).and_then(Value::as_str)
    }
}

pub(super) fn paused(client: &Client) -> Refusal {
    Refusal::unavailable(
        format!(
            "`{}` is paused: it ended more people than its breaker lets pass; an administrator looks at it and lets \
             it go on with `modelward scim resume {}`, or revokes it",
            client.name, client.name
        ),
        PAUSED_RETRY_SECONDS,
    )
}
