//! Provisioning clients: letting one in, renewing its secret, letting it go on after its breaker stopped it, ending it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{Action, Name, PersonId, ResourceRef};
use modelward_enforcement::Summary;
use modelward_identity::provision::{ProvisioningSecret, SECRET_LIFE, SECRET_LIFE_MAX, SECRET_OVERLAP};
use modelward_store::scim::{Client, Resource, ResourceKind, Secret as Kept, Subject};

use super::federation::believe;
use super::keys::record;
use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::problem::Problem;
use crate::scim::{PASS, WINDOW};
use crate::wire::{
    ErrorCode, List, ScimClientChanged, ScimClientMade, ScimClientRequest, ScimClientView, ScimSecretRequest,
    ScimState, ScimSubject, Secret,
};
use crate::{names, ops};

/// People a client may end within the breaker's window, and the share of its people, unless asked otherwise.
const PEOPLE_MAX: u32 = 10;
const PERCENT_MAX: u32 = 10;
/// Nobody provisions more.
const PEOPLE_BOUND: u32 = 100_000;

pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<ScimClientView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "scim-clients");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async { views(plane).await }).await
}

pub(crate) async fn views(plane: &ControlPlane) -> Result<List<ScimClientView>, Problem> {
    let mut items = Vec::new();
    for client in plane.store.scim_clients().await? {
        items.push(view(plane, client).await?);
    }
    Ok(List { items, revision: plane.snapshot().revision() })
}

/// Makes a client for the people of one issuer. Its secret is shown once.
pub(crate) async fn add(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ScimClientRequest,
) -> Result<Allowed<ScimClientMade>, Problem> {
    let summary = Summary::default().with("what", "add-scim-client").with("client", request.name.as_str());
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let issuer = Arc::clone(plane.federation.issuer(request.issuer.as_str())?);
        believe(plane, &issuer).await?;
        let now = plane.now();
        let (secret, kept) = secret(plane, request.days, now)?;
        let client = Client {
            id: plane.ids.uuid().to_string(),
            name: request.name.clone(),
            issuer: issuer.trusted.name.clone(),
            subject: match request.subject.unwrap_or_default() {
                ScimSubject::ExternalId => Subject::ExternalId,
                ScimSubject::UserName => Subject::UserName,
            },
            people_max: bound("pause_above", request.pause_above, PEOPLE_MAX, PEOPLE_BOUND)?,
            percent_max: bound("pause_above_percent", request.pause_above_percent, PERCENT_MAX, 100)?,
            made_by: caller.who.principal(),
            made_at: now,
            revoked_at: None,
            seen_at: None,
            changed_at: None,
            paused_at: None,
            passes_until: None,
        };
        // First the record: what lets somebody in does not overtake it.
        record(plane, caller, "add-scim-client", client.name.as_str()).await?;
        if !plane.store.add_scim_client(&client, &kept).await? {
            let message = format!("there is a provisioning client `{}` already", client.name);
            return Err(
                Problem::new(ErrorCode::Conflict, message).hint("revoke it first, or take another name")
            );
        }
        made(plane, client, &secret, kept.expires_at).await
    })
    .await
}

/// Another secret; the one before goes on for a day, so that nothing is missed while the client is told.
pub(crate) async fn rotate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    request: ScimSecretRequest,
) -> Result<Allowed<ScimClientMade>, Problem> {
    let summary = Summary::default().with("what", "rotate-scim-secret").with("client", name);
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let client = named(plane, name).await?;
        let now = plane.now();
        let (secret, kept) = secret(plane, request.days, now)?;
        record(plane, caller, "rotate-scim-secret", name).await?;
        let overlap = if request.at_once { now } else { now.checked_add(SECRET_OVERLAP).unwrap_or(now) };
        plane.store.renew_scim_secret(&client.id, &kept, overlap).await?;
        made(plane, client, &secret, kept.expires_at).await
    })
    .await
}

/// Ends a client. The people it brought stay as they are, and are anybody's to change who manages people.
pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<ScimClientChanged>, Problem> {
    let summary = Summary::default().with("what", "revoke-scim-client").with("client", name);
    let ((), pass) = plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let client = named(plane, name).await?;
        plane.store.revoke_scim_client(&client.id, plane.now()).await?;
        record(plane, caller, "revoke-scim-client", name).await?;
        Ok(ScimClientChanged { clients: views(plane).await?.items })
    })
    .await
}

/// Lets a client go on that its breaker stopped; for an hour nothing is counted.
pub(crate) async fn resume(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<ScimClientChanged>, Problem> {
    let summary = Summary::default().with("what", "resume-scim-client").with("client", name);
    let ((), pass) = plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let client = named(plane, name).await?;
        if client.paused_at.is_none() {
            return Err(Problem::new(ErrorCode::Conflict, format!("`{name}` is not paused")));
        }
        record(plane, caller, "resume-scim-client", name).await?;
        let now = plane.now();
        plane.store.resume_scim_client(&client.id, now.checked_add(PASS).unwrap_or(now)).await?;
        Ok(ScimClientChanged { clients: views(plane).await?.items })
    })
    .await
}

/// The client that speaks of a person, while it counts.
pub(crate) async fn provisioned(
    plane: &ControlPlane,
    person: PersonId,
) -> Result<Option<(Client, Resource)>, Problem> {
    let found = plane.store.scim_user(person).await?;
    Ok(found.filter(|(client, _)| client.revoked_at.is_none()))
}

/// Nobody here lets somebody back in whom their source ended.
pub(crate) async fn lets_back(plane: &ControlPlane, person: &Person) -> Result<(), Problem> {
    match provisioned(plane, person.id).await? {
        Some((client, resource)) if resource.ended => Err(Problem::new(
            ErrorCode::Refused,
            format!("`{}` ended `{}`, and lets them back in", client.name, person.name),
        )
        .hint("activate them at their source")),
        Some(_) | None => Ok(()),
    }
}

async fn named(plane: &ControlPlane, name: &str) -> Result<Client, Problem> {
    let unknown = || Problem::not_found("provisioning client", name);
    let parsed: Name = name.parse().map_err(|_| unknown())?;
    plane.store.scim_client_named(parsed.as_str()).await?.ok_or_else(unknown)
}

fn secret(
    plane: &ControlPlane,
    days: Option<u32>,
    now: Timestamp,
) -> Result<(ProvisioningSecret, Kept), Problem> {
    let most = u32::try_from(SECRET_LIFE_MAX.as_hours() / 24).unwrap_or(1);
    let life = match days {
        None => SECRET_LIFE,
        Some(days) if (1..=most).contains(&days) => SignedDuration::from_hours(24 * i64::from(days)),
        Some(_) => return Err(Problem::malformed(format!("a secret counts for 1 to {most} days"))),
    };
    let secret = ProvisioningSecret::random(&*plane.ids);
    let expires_at = now.checked_add(life).unwrap_or(now);
    let kept = Kept { hash: secret.digest(), made_at: now, expires_at };
    Ok((secret, kept))
}

fn bound(what: &str, asked: Option<u32>, unless: u32, most: u32) -> Result<u32, Problem> {
    match asked {
        None => Ok(unless),
        Some(asked) if asked <= most => Ok(asked),
        Some(_) => Err(Problem::malformed(format!("`{what}` is at most {most}"))),
    }
}

async fn made(
    plane: &ControlPlane,
    client: Client,
    secret: &ProvisioningSecret,
    expires_at: Timestamp,
) -> Result<ScimClientMade, Problem> {
    Ok(ScimClientMade {
        address: format!("{}/scim/v2", plane.settings.external_url),
        secret: Secret::new(secret.expose().as_str()),
        expires_at,
        client: view(plane, client).await?,
    })
}

async fn view(plane: &ControlPlane, client: Client) -> Result<ScimClientView, Problem> {
    let now = plane.now();
    let since = now.checked_sub(WINDOW).unwrap_or(now);
    let secrets = plane.store.scim_secrets_of(&client.id, now).await?;
    let ended = plane.store.scim_ended(&client.id, since).await?;
    let state = match (client.paused_at, secrets.is_empty()) {
        (Some(_), _) => ScimState::Paused,
        (None, true) => ScimState::Expired,
        (None, false) => ScimState::Active,
    };
    Ok(ScimClientView {
        state,
        subject: match client.subject {
            Subject::ExternalId => ScimSubject::ExternalId,
            Subject::UserName => ScimSubject::UserName,
        },
        people: plane.store.scim_resource_count(&client.id, ResourceKind::User).await?,
        groups: plane.store.scim_resource_count(&client.id, ResourceKind::Group).await?,
        secrets_end_at: secrets.into_iter().map(|secret| secret.expires_at).collect(),
        made_by: names::principal_view(&plane.snapshot(), client.made_by).name,
        made_at: client.made_at,
        seen_at: client.seen_at,
        changed_at: client.changed_at,
        paused_at: client.paused_at,
        passes_until: client.passes_until.filter(|until| now < *until),
        ended_lately: u64::try_from(ended.len()).unwrap_or(u64::MAX),
        pause_above: client.people_max,
        pause_above_percent: client.percent_max,
        name: client.name,
        issuer: client.issuer,
    })
}
