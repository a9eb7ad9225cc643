//! Signing in through an issuer, linking who one is there, and the page on issuers.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Request;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use modelward_decision::vocabulary::{Action, PrincipalRef, ResourceRef};
use modelward_identity::federation::{Callback, FLOW_TTL, Purpose};
use serde::Deserialize;

use super::{Site, bare, local, page, refusal_page, see_other, theme_of};
use crate::api::{self, Plane};
use crate::caller;
use crate::console::page::{ConfirmPage, IssuersPage, SignedOutPage};
use crate::console::part::{Mark, When};
use crate::console::view::{self, Section};
use crate::http::{BODY_MAX, Incoming};
use crate::ops::federation::{self as elsewhere, Arrived, Begun};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::wire::{ErrorCode, IdentityRequest, IssuerView};

/// The issuers the page to sign in shows. A page that cannot tell shows none: name and password always work.
pub(super) async fn buttons(plane: &Plane, next: &str) -> Vec<view::IssuerButton> {
    let options = elsewhere::options(plane).await.map(|options| options.issuers).unwrap_or_default();
    let button = |option: crate::wire::SignInOption| view::IssuerButton {
        link: format!("/sign-in/with/{}?next={}", option.name, super::show::escape(next)),
        title: option.title,
    };
    options.into_iter().filter(|option| option.console).map(button).collect()
}

/// The issuers one can link who one is there.
pub(super) async fn links(plane: &Plane) -> Vec<view::IssuerButton> {
    let options = elsewhere::options(plane).await.map(|options| options.issuers).unwrap_or_default();
    let button = |option: crate::wire::SignInOption| view::IssuerButton {
        link: format!("/sessions/link/{}", option.name),
        title: option.title,
    };
    options.into_iter().filter(|option| option.console).map(button).collect()
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LeaveQuery {
    next: Option<String>,
    again: Option<String>,
}

/// To the issuer, from the page to sign in.
pub(super) async fn leave(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        let query: LeaveQuery = incoming.query()?;
        let purpose = if query.again.is_some() { Purpose::SignInAgain } else { Purpose::SignIn };
        let begun = elsewhere::begin(&plane, &issuer, purpose, local(query.next.as_deref())).await?;
        gone(&plane.settings, &begun)
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

/// To the issuer, to link who one is there. Begins on our own page only, and asks for a fresh proof there.
pub(super) async fn leave_to_link(site: &Site, issuer: &str) -> Result<Response, Problem> {
    caller::same_origin(&site.incoming.parts.headers, &site.plane.settings)?;
    let PrincipalRef::Person(person) = site.caller.who.principal() else {
        return Err(Problem::new(ErrorCode::Refused, "only people link identities"));
    };
    let purpose = Purpose::Link { person, session: site.caller.who.session().id };
    let begun = elsewhere::begin(&site.plane, issuer, purpose, "/sessions".to_owned()).await?;
    gone(&site.plane.settings, &begun)
}

fn gone(settings: &Settings, begun: &Begun) -> Result<Response, Problem> {
    let mut response = see_other(&begun.location);
    response.headers_mut().insert(SET_COOKIE, flow_cookie(settings, &begun.cookie, FLOW_TTL.as_secs())?);
    Ok(response)
}

fn flow_cookie(settings: &Settings, value: &str, seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if settings.is_https() { "; Secure" } else { "" };
    let name = settings.flow_cookie();
    // Sent along when the issuer sends the browser back, which is a navigation from another site.
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut value =
        HeaderValue::from_str(&text).map_err(|error| Problem::internal("writing a cookie", &error))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The one flow this browser began; two under one name are none.
fn kept<'a>(incoming: &'a Incoming, settings: &Settings) -> Option<&'a str> {
    let name = settings.flow_cookie();
    let mut found = incoming
        .parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(known, value)| (known == name).then_some(value));
    found.next().filter(|_| found.next().is_none())
}

/// What issuers append: more than this is theirs to know.
#[derive(Deserialize, Default)]
#[serde(default)]
struct BackQuery {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Back from the issuer.
pub(super) async fn back(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let incoming = match Incoming::read(&plane, request, BODY_MAX).await {
        Ok(incoming) => incoming,
        Err(problem) => return refusal_page(bare(&plane, None, "Refused"), &problem),
    };
    let shell = bare(&plane, Some(theme_of(&incoming)), "Sign in");
    let mut response = match arrive(&plane, &incoming).await {
        Ok(response) => response,
        Err(problem) => refusal_page(shell, &problem),
    };
    // Whatever came of it, it is over.
    if let Ok(over) = flow_cookie(&plane.settings, "", 0) {
        response.headers_mut().append(SET_COOKIE, over);
    }
    response
}

async fn arrive(plane: &Plane, incoming: &Incoming) -> Result<Response, Problem> {
    let query: BackQuery = incoming.query()?;
    let callback = Callback {
        state: query.state.as_deref(),
        code: query.code.as_deref(),
        iss: query.iss.as_deref(),
        error: query.error.as_deref(),
    };
    let kept = kept(incoming, &plane.settings);
    let signed_in = caller::has_credential(&incoming.parts.headers, &plane.settings);
    let caller = if signed_in { incoming.caller(plane).await.ok() } else { None };
    match elsewhere::come_back(plane, &incoming.visit, kept, &callback, caller.as_ref()).await? {
        Arrived::SignedIn { allowed, next } => {
            let mut cookie = None;
            allowed.release(|signed_in| {
                cookie = Some(api::cookie(&plane.settings, &signed_in)?);
                Ok(Vec::new())
            })?;
            let mut response = see_other(&next);
            response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        }
        Arrived::Linked => Ok(see_other("/sessions")),
    }
}

/// After signing out here: the way to sign out there.
pub(super) fn signed_out(plane: &Plane, theme: view::Theme, link: String) -> Result<Response, Problem> {
    page(&SignedOutPage { shell: bare(plane, Some(theme), "Signed out"), view: view::SignedOut { link } })
}

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    let issuers = elsewhere::issuers(&site.plane, &site.caller).await?.into_part()?;
    let can_link = site.may(Action::ManagePeople, ResourceRef::Platform);
    let strangers = if can_link {
        elsewhere::strangers(&site.plane, &site.caller).await?.into_part()?.items
    } else {
        Vec::new()
    };
    let view = view::Issuers {
        rows: issuers.items.iter().map(|issuer| row(site, issuer)).collect(),
        strangers: strangers
            .into_iter()
            .map(|stranger| view::StrangerRow {
                issuer: stranger.issuer,
                subject: stranger.subject,
                called: [stranger.name, stranger.email]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
                    .join(", "),
                seen: When::distance(stranger.seen_at, site.now),
            })
            .collect(),
        can_link,
        can_distrust: site.may(Action::ManageKeys, ResourceRef::Platform),
    };
    page(&IssuersPage { shell: site.shell(Section::People, "Issuers").await, view })
}

fn row(site: &Site, issuer: &IssuerView) -> view::IssuerRow {
    let ways: Vec<&str> = [
        (issuer.console, "console"),
        (issuer.cli, "command line"),
        (!issuer.workloads.is_empty(), "workloads"),
    ]
    .into_iter()
    .filter_map(|(is_one, word)| is_one.then_some(word))
    .collect();
    let groups = issuer.group_prefix.as_ref().map_or_else(
        || "gives no group".to_owned(),
        |prefix| format!("gives groups that begin with {prefix}"),
    );
    view::IssuerRow {
        name: issuer.name.to_string(),
        title: issuer.title.clone(),
        url: issuer.url.clone(),
        distrusted: issuer.distrusted_at.map(|at| When::distance(at, site.now)),
        ways: ways.join(", "),
        marks: issuer.privileges.iter().map(|privilege| Mark::allow(*privilege)).collect(),
        groups,
        acr: issuer.acr.clone(),
        algorithms: issuer.algorithms.join(" "),
        keys: issuer.keys.clone(),
        keys_seen: issuer.keys_seen_at.map(|at| When::distance(at, site.now)),
        mappings: issuer
            .mappings
            .iter()
            .map(|mapping| view::MappingRow {
                external: mapping.external.clone(),
                group: mapping.group.to_string(),
                counts: mapping.counts,
            })
            .collect(),
        workloads: issuer
            .workloads
            .iter()
            .map(|workload| view::WorkloadRow {
                name: workload.name.to_string(),
                machine: workload.machine.to_string(),
                claims: workload.claims.clone(),
            })
            .collect(),
        sessions: issuer.sessions,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    confirmed: Option<String>,
}

pub(super) async fn do_stand(site: &Site, name: &str) -> Result<Response, Problem> {
    let form: StandingForm = site.form()?;
    match (form.what.as_str(), form.confirmed.is_some()) {
        ("distrust", false) => {
            let issuer = elsewhere::issuer(&site.plane, &site.caller, name).await?.into_part()?;
            let view = view::Confirm {
                headline: format!("Distrust {}?", issuer.title),
                effect: format!(
                    "{} sessions end now, with their tokens and streams. Until it is trusted again, nobody signs in \
                     through it and no workload of it gets a token.",
                    issuer.sessions
                ),
                undo: "It can be trusted again; whoever was signed in signs in anew.".to_owned(),
                action: format!("/issuers/{}", issuer.name),
                what: "distrust".to_owned(),
                verb: "Distrust".to_owned(),
                back: "/issuers".to_owned(),
                also: None,
            };
            page(&ConfirmPage { shell: site.shell(Section::People, "Distrust an issuer").await, view })
        }
        ("distrust", true) => {
            elsewhere::distrust(&site.plane, &site.caller, name).await?.into_part()?;
            Ok(see_other("/issuers"))
        }
        ("trust", _) => {
            elsewhere::trust(&site.plane, &site.caller, name).await?.into_part()?;
            Ok(see_other("/issuers"))
        }
        _ => Err(Problem::malformed("an issuer is trusted or distrusted")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    person: String,
    issuer: String,
    subject: String,
}

pub(super) async fn do_link(site: &Site) -> Result<Response, Problem> {
    let form: LinkForm = site.form()?;
    let request = IdentityRequest { issuer: form.issuer, subject: form.subject };
    elsewhere::link(&site.plane, &site.caller, form.person.trim(), request).await?.into_part()?;
    Ok(see_other("/issuers"))
}
