//! Signing in through an issuer, with a browser or with a token a program got there, and being signed out by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{Action, Binding, GroupId, PersonId, ResourceRef};
use modelward_decision::{EpochScope, Snapshot};
use modelward_enforcement::Summary;
use modelward_governance::inventory::Thing;
use modelward_identity::federation::{
    Assertion, Callback, CallbackRefusal, Expected, Flow, FlowStart, ForeignRefusal, Identity, Purpose,
    TrustedIssuer,
};
use modelward_identity::session::{self, ABSOLUTE, Since};
use modelward_policy::parts::{GroupMappings, Parts};
use modelward_store::StateChange;
use modelward_store::federation::Sighting;

use super::{believe, link, refused};
use crate::caller::{Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::federation::Issuer;
use crate::ops::account::{self, SignedIn};
use crate::outbound::form;
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::Changed;
use crate::wire::{ErrorCode, IssuerLoginRequest, LogoutNoticeRequest, LogoutNoticed};

/// Where issuers send browsers back to.
const BACK: &str = "/sign-in/back";
/// Sessions one notice ends at most: nobody has as many.
const NOTICE_SESSIONS_MAX: u32 = 1000;

/// A flow begun: where the browser goes, and what it keeps meanwhile.
pub(crate) struct Begun {
    pub(crate) location: String,
    pub(crate) cookie: String,
}

/// What came of a flow.
pub(crate) enum Arrived {
    SignedIn { allowed: Box<Allowed<SignedIn>>, next: String },
    Linked,
}

/// Sends a browser to an issuer.
pub(crate) async fn begin(
    plane: &Arc<ControlPlane>,
    name: &str,
    purpose: Purpose,
    next: String,
) -> Result<Begun, Problem> {
    let issuer = plane.federation.issuer(name)?;
    believe(plane, issuer).await?;
    let client = console_client(&issuer.trusted)?;
    let now = plane.now();
    let metadata = plane.federation.metadata(issuer, now).await?;
    let Some(authorization) = &metadata.authorization else {
        return Err(Problem::not_found("issuer to sign in through", name));
    };
    let FlowStart { flow, parameters } =
        Flow::begin(&issuer.trusted, client, &redirect_uri(plane), purpose, next, &*plane.ids, now);
    let query = match &metadata.pushed_authorization {
        Some(url) => {
            let reference = plane.federation.push(issuer, url.clone(), client, &parameters).await?;
            form(&[("client_id", client), ("request_uri", &reference)])
        }
        None => {
            let fields: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            form(&fields)
        }
    };
    let join = if authorization.has_query() { '&' } else { '?' };
    let cookie = plane
        .flow_key
        .seal(&flow, &*plane.ids)
        .ok_or_else(|| Problem::new(ErrorCode::Internal, "a sign-in could not begin"))?;
    Ok(Begun { location: format!("{authorization}{join}{}", query.as_str()), cookie })
}

/// A browser comes back: with what it kept, what the issuer gave it, and, to link, with its session.
pub(crate) async fn come_back(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    kept: Option<&str>,
    callback: &Callback<'_>,
    caller: Option<&Caller>,
) -> Result<Arrived, Problem> {
    let flow = kept
        .and_then(|sealed| plane.flow_key.open(sealed))
        .ok_or_else(|| not_answered(&CallbackRefusal::State))?;
    let issuer = Arc::clone(plane.federation.issuer(flow.issuer.as_str())?);
    believe(plane, &issuer).await?;
    let now = plane.now();
    let metadata = plane.federation.metadata(&issuer, now).await?;
    let code = flow.code(callback, &issuer.trusted, &metadata, now).map_err(|why| not_answered(&why))?;
    let client = console_client(&issuer.trusted)?;
    let token =
        plane.federation.redeem(&issuer, &metadata, &flow, (client, &redirect_uri(plane), code)).await?;
    let expected = Expected { client, nonce: Some(flow.nonce()), login_age_max: ABSOLUTE };
    let before = plane.snapshot();
    let assertion = assert(plane, visit, &issuer, &token, &expected).await?;
    match flow.purpose {
        Purpose::SignIn | Purpose::SignInAgain => {
            let allowed = signed_in(plane, visit, &issuer, &assertion, &before, Binding::Cookie).await?;
            Ok(Arrived::SignedIn { allowed: Box::new(allowed), next: flow.next })
        }
        Purpose::Link { person, session } => {
            link::link_own(plane, caller, (person, session), assertion.identity()).await?;
            Ok(Arrived::Linked)
        }
    }
}

fn not_answered(why: &CallbackRefusal) -> Problem {
    Problem::new(ErrorCode::Refused, why.to_string()).hint("begin again from the page to sign in")
}

/// A program of the person's own was at the issuer, and shows what it got there.
pub(crate) async fn sign_in_with_token(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: IssuerLoginRequest,
    binding: Binding,
) -> Result<Allowed<SignedIn>, Problem> {
    let issuer = Arc::clone(plane.federation.issuer(request.issuer.as_str())?);
    believe(plane, &issuer).await?;
    let Some(client) = issuer.trusted.cli_client.clone() else {
        return Err(Problem::not_found("issuer to sign in through", request.issuer.as_str()));
    };
    let expected = Expected { client: &client, nonce: request.nonce.as_deref(), login_age_max: ABSOLUTE };
    let before = plane.snapshot();
    let assertion = assert(plane, visit, &issuer, request.id_token.expose(), &expected).await?;
    signed_in(plane, visit, &issuer, &assertion, &before, binding).await
}

async fn assert(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    issuer: &Issuer,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Assertion, Problem> {
    let no = |refusal| refused(plane, visit, issuer, refusal);
    let key = issuer.trusted.key_of_id_token(token).map_err(no)?;
    let keys = plane.federation.keys(issuer, key, plane.now()).await?;
    let now = plane.now();
    let assertion = issuer.trusted.assert(token, &keys, expected, now).map_err(no)?;
    // A token proves one sign-in: a copy of it proves nothing.
    let until = assertion.expires_at().checked_add(ABSOLUTE).unwrap_or(assertion.expires_at());
    if !plane.store.use_once(assertion.token(), until, now).await? {
        return Err(Problem::new(ErrorCode::BadCredentials, "this token was shown before")
            .hint("sign in at the issuer again"));
    }
    Ok(assertion)
}

/// Opens the session of a person an issuer vouches for, decided and recorded like any sign-in.
async fn signed_in(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    issuer: &Issuer,
    assertion: &Assertion,
    before: &Snapshot,
    binding: Binding,
) -> Result<Allowed<SignedIn>, Problem> {
    let Some(link) = plane.store.link(assertion.identity()).await? else {
        return Err(stranger(plane, issuer, assertion).await?);
    };
    let now = plane.now();
    let login = assertion.login(link.person);
    let since = Since::read(before, login.principal());
    let mut opened = session::open(&login, since, binding, visit.user_agent.as_deref(), &*plane.ids, now);
    opened.record.source = Some(visit.situation.peer.as_str().to_owned());
    let who = opened
        .record
        .authenticate(&opened.token, &plane.snapshot(), now)
        .map_err(account::ended_meanwhile)?;
    let caller =
        Caller { who, situation: visit.situation.clone(), mark: visit.mark, session: None, form_token: None };
    let summary =
        Summary::default().with("session", opened.record.id).with("issuer", issuer.trusted.name.as_str());
    let (opened, pass) =
        plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, opened).await?;
    pass.carry_out(async {
        follow_groups(plane, &issuer.trusted, link.person, assertion.groups()).await?;
        plane.store.begin_session(&opened.record).await?;
        // Whoever distrusted the issuer meanwhile ended the sessions there were.
        if let Err(problem) = believe(plane, issuer).await {
            plane.store.end_session(opened.record.id, now).await?;
            return Err(problem);
        }
        Ok(SignedIn { opened, recovery_codes_left: None })
    })
    .await
}

/// Somebody who is somebody elsewhere, and nobody here yet.
async fn stranger(plane: &ControlPlane, issuer: &Issuer, assertion: &Assertion) -> Result<Problem, Problem> {
    let said = assertion.said();
    plane
        .store
        .note_sighting(&Sighting {
            identity: assertion.identity().clone(),
            name: said.name.clone().unwrap_or_default(),
            email: said.email.clone().unwrap_or_default(),
            seen_at: plane.now(),
        })
        .await?;
    let title = &issuer.trusted.title;
    Ok(Problem::new(
        ErrorCode::Refused,
        format!(
            "{title} says who you are, and that is nobody here yet: your identity is linked to no person"
        ),
    )
    .hint(format!(
        "ask somebody who manages people to link `{}` of {title}; it stands in their list now",
        assertion.identity().subject
    )))
}

/// Makes memberships follow what the issuer says, as far as the policy bundle maps its groups and its tier lets them
/// through. Memberships that come from nowhere else stay untouched.
async fn follow_groups(
    plane: &Arc<ControlPlane>,
    issuer: &TrustedIssuer,
    person: PersonId,
    said: &BTreeSet<String>,
) -> Result<(), Problem> {
    let mappings = mappings(&plane.snapshot())?;
    if !mappings.mappings.iter().any(|mapping| mapping.provider == issuer.name) {
        return Ok(());
    }
    let turn = plane.turn().await?;
    let state = Arc::clone(turn.state());
    let Some(before) = state.person(person) else { return Ok(()) };
    let every = mappings
        .mappings
        .iter()
        .filter(|mapping| mapping.provider == issuer.name)
        .map(|it| it.external.clone());
    let managed = given(&state, issuer, &mappings, &every.collect());
    // What its provisioning client says of them counts beside what the token says.
    let mut said = said.clone();
    said.extend(plane.store.scim_groups_at(issuer.name.as_str(), person).await?);
    let given = given(&state, issuer, &mappings, &said);
    let mut after = Person::clone(before);
    after.groups.retain(|group| !managed.contains(group));
    after.groups.extend(given);
    if after.groups == before.groups {
        return Ok(());
    }
    let named = |groups: &mut dyn Iterator<Item = &GroupId>| -> String {
        let names: Vec<String> =
            groups.filter_map(|id| state.group(*id).map(|group| group.name.to_string())).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    };
    let lines = vec![format!(
        "{} follows {}: joins {}, leaves {}",
        after.name,
        issuer.name,
        named(&mut after.groups.difference(&before.groups)),
        named(&mut before.groups.difference(&after.groups)),
    )];
    let changes = vec![StateChange::Put(Box::new(Thing::Person(after)))];
    turn.make(Changed { actor: None, what: "follow-groups", lines, changes }).await?;
    Ok(())
}

/// The groups of ours that groups of an issuer stand for, as far as its tier lets them through.
pub(crate) fn given(
    state: &Snapshot,
    issuer: &TrustedIssuer,
    mappings: &GroupMappings,
    said: &BTreeSet<String>,
) -> BTreeSet<GroupId> {
    let known = |name: &str| issuer.may_give(name).then(|| state.group_named(name).map(|group| group.id))?;
    mappings.of(issuer.name.as_str(), said).filter_map(|group| known(group.as_str())).collect()
}

/// The mappings of the bundle in force.
pub(crate) fn mappings(snapshot: &Snapshot) -> Result<GroupMappings, Problem> {
    Parts::read(snapshot.bundle().sources()).map(|parts| parts.groups).map_err(|findings| {
        let what = findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
        tracing::error!(what, "the tables of the bundle in force cannot be read");
        Problem::new(ErrorCode::Internal, "the group mappings in force cannot be read")
    })
}

/// An issuer says that somebody signed out there: their sessions here end, with all tokens and streams.
pub(crate) async fn signed_out_there(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    name: &str,
    request: &LogoutNoticeRequest,
) -> Result<LogoutNoticed, Problem> {
    let issuer = Arc::clone(plane.federation.issuer(name)?);
    let no = |refusal| refused(plane, visit, &issuer, refusal);
    let token = request.logout_token.expose();
    let key = issuer.trusted.key_of_logout(token).map_err(no)?;
    let keys = plane.federation.keys(&issuer, key, plane.now()).await?;
    let now = plane.now();
    let clients = [&issuer.trusted.console_client, &issuer.trusted.cli_client];
    let mut outcome = Err(ForeignRefusal::Audience);
    for client in clients.into_iter().flatten() {
        outcome = issuer.trusted.notice(token, &keys, client, now);
        if !matches!(outcome, Err(ForeignRefusal::Audience)) {
            break;
        }
    }
    let notice = outcome.map_err(no)?;
    let sessions = plane
        .store
        .sessions_from(&notice.issuer, notice.subject.as_deref(), notice.sid.as_deref(), NOTICE_SESSIONS_MAX)
        .await?;
    let ended: Vec<_> = sessions.iter().map(|session| session.record.id).collect();
    if !ended.is_empty() {
        let bump = Bump::new(None, Cause::SignedOutElsewhere)
            .of_each(ended.iter().copied().map(EpochScope::Session))
            .line(format!("{} sessions ended, as {} says", ended.len(), issuer.trusted.name));
        plane.turn().await?.bump(bump).await?;
    }
    // Noted last: where ending them failed, the issuer sends the notice again, and it has to count then.
    if !plane.store.use_once(&notice.once, notice.once_until, now).await? {
        tracing::info!(issuer = %issuer.trusted.name, "a notice of a sign-out came twice");
    }
    Ok(LogoutNoticed { sessions: u64::try_from(ended.len()).unwrap_or(u64::MAX) })
}

/// Where a person also signs out at the issuer (OpenID Connect RP-Initiated Logout 1.0).
pub(crate) async fn sign_out_url(plane: &ControlPlane, identity: &Identity) -> Option<String> {
    let issuer = plane.federation.issuers().find(|each| each.trusted.url.as_str() == identity.issuer)?;
    let client = issuer.trusted.console_client.as_deref()?;
    let metadata = plane.federation.metadata(issuer, plane.now()).await.ok()?;
    let end = metadata.end_session?;
    let back = format!("{}/sign-in", plane.settings.external_url);
    let join = if end.has_query() { '&' } else { '?' };
    let query = form(&[("client_id", client), ("post_logout_redirect_uri", &back)]);
    Some(format!("{end}{join}{}", query.as_str()))
}

fn console_client(issuer: &TrustedIssuer) -> Result<&str, Problem> {
    let client = issuer.console_client.as_deref();
    client.ok_or_else(|| Problem::not_found("issuer to sign in through", issuer.name.as_str()))
}

fn redirect_uri(plane: &ControlPlane) -> String {
    format!("{}{BACK}", plane.settings.external_url)
}
