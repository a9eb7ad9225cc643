//! One's own sessions, and what one signs in with; the same of somebody else for whoever audits or governs; and the ways
//! in by passkey.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, Request};
use modelward_decision::vocabulary::{Action, Binding, ResourceRef, SessionId};
use modelward_identity::factors;
use serde::Deserialize;
use serde_json::Value;

use super::{Site, bare, federation, local, page, refusal_page, see_other, sentence, theme_of};
use crate::api::{self, Plane};
use crate::caller;
use crate::console::page::{
    AuthenticatorPage, ConfirmPage, EnrolPage, PersonPage, RecoveryCodesPage, SessionsPage,
};
use crate::console::part::When;
use crate::console::view::{self, Section};
use crate::console::{qr, show};
use crate::http::{BODY_MAX, Incoming};
use crate::ops::{account, enrol, factors as operations, people};
use crate::problem::Problem;
use crate::wire::{
    AddPasskeyRequest, AttemptView, AuthenticatorOffered, AuthenticatorRequest, EnrolPasskeyRequest,
    ErrorCode, FactorsView, PasskeyLoginRequest, PasskeyView, Secret,
};

// --- One's own sessions ---

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    shown(site, None).await
}

async fn shown(site: &Site, said: Option<view::Notice>) -> Result<Response, Problem> {
    let list = account::sessions(&site.plane, &site.caller).await?.into_part()?;
    let mine = operations::own(&site.plane, &site.caller).await?.into_part()?;
    let attempts = operations::attempts(&site.plane, &site.caller).await?.into_part()?;
    let session = account::current_session(&site.plane, &site.caller).await?;
    let rows: Vec<_> = list.items.iter().map(|session| show::session_row(session, site.now)).collect();
    let mut shell = site.shell(Section::Sessions, "Sessions").await;
    let by_recovery_code = session.methods.iter().any(|method| method.as_str() == "recovery");
    shell.notice = said.or_else(|| warning(&mine, by_recovery_code));
    let view = view::Sessions {
        others: rows.iter().filter(|row| !row.current).count(),
        rows,
        issuers: federation::links(&site.plane).await,
        can_prove_again: mine.passkeys_possible && mine.passkeys.iter().any(|each| each.copied_at.is_none()),
        changeable: factors::may_change(&session, site.now).is_ok() && mine.password,
        factors: factors_of(mine, site.now),
        attempts: attempts.items.into_iter().map(|attempt| attempt_row(attempt, site.now)).collect(),
    };
    page(&SessionsPage { shell, view })
}

/// What the holder of the account should know first.
fn warning(mine: &FactorsView, by_recovery_code: bool) -> Option<view::Notice> {
    let bad = |text: String, hint: &str| view::Notice {
        good: false,
        text,
        hint: Some(hint.to_owned()),
        decision: None,
    };
    if let Some(copied) = mine.passkeys.iter().find(|each| each.copied_at.is_some()) {
        return Some(bad(
            format!(
                "The passkey “{}” was copied: its counter did not go up. It is not accepted any more.",
                copied.name
            ),
            "End the sessions you do not know, remove it, and make a new one.",
        ));
    }
    by_recovery_code.then(|| {
        bad(
            format!(
                "You signed in with a recovery code. It is used up; {} are left.",
                mine.recovery_codes_left
            ),
            "If that was not you, end the other sessions and make new codes. Otherwise set up a passkey or an authenticator \
             app again.",
        )
    })
}

pub(super) async fn end(site: &Site, id: &str) -> Result<Response, Problem> {
    let id: SessionId = id.parse().map_err(|_| Problem::not_found("session", id))?;
    let own = site.caller.who.session().id == id;
    account::end_session(&site.plane, &site.caller, id).await?.into_part()?;
    if !own {
        return Ok(see_other(&back(site)));
    }
    let mut response = see_other("/sign-in");
    response.headers_mut().insert(SET_COOKIE, api::no_cookie(&site.plane.settings)?);
    Ok(response)
}

/// Where a form asks to go back to.
fn back(site: &Site) -> String {
    let form: BackForm = site.form().unwrap_or_default();
    form.back.map_or_else(|| "/sessions".to_owned(), |back| local(Some(&back)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BackForm {
    back: Option<String>,
}

pub(super) async fn end_others(site: &Site) -> Result<Response, Problem> {
    let ended = account::end_others(&site.plane, &site.caller).await?.into_part()?;
    let text = match ended.sessions {
        0 => "There was no other session.".to_owned(),
        1 => "1 other session ended, with every token and stream from it.".to_owned(),
        more => format!("{more} other sessions ended, with every token and stream from them."),
    };
    shown(site, Some(good(text))).await
}

fn good(text: impl Into<String>) -> view::Notice {
    view::Notice { good: true, text: text.into(), hint: None, decision: None }
}

// --- What one signs in with ---

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    name: String,
    credential: String,
}

/// What a device said, as the page's script put it into a field.
fn read(credential: &str) -> Result<Value, Problem> {
    serde_json::from_str(credential).map_err(|_| {
        Problem::new(ErrorCode::Refused, "no passkey came along")
            .hint("passkeys need a browser with scripts on")
    })
}

pub(super) async fn add_passkey(site: &Site) -> Result<Response, Problem> {
    let form: AddForm = site.form()?;
    let request = AddPasskeyRequest { name: form.name, credential: read(&form.credential)? };
    operations::add_passkey(&site.plane, &site.caller, &site.incoming.visit, request).await?.into_part()?;
    shown(site, Some(good("The passkey is yours: sign in with it from now on."))).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    #[serde(default, rename = "do")]
    _what: Option<String>,
    #[serde(default)]
    confirmed: Option<String>,
}

pub(super) async fn remove_passkey(site: &Site, id: &str) -> Result<Response, Problem> {
    let form: ChangeForm = site.form()?;
    if form.confirmed.is_none() {
        let mine = operations::own(&site.plane, &site.caller).await?.into_part()?;
        let found = mine.passkeys.iter().find(|each| each.id == id);
        let name = found.map(|each| each.name.clone()).ok_or_else(|| Problem::not_found("passkey", id))?;
        return confirm(site, Asked {
            headline: format!("Remove the passkey “{name}”?"),
            effect: "Nobody signs in with it any more. Sessions that were opened with it go on until you end them.",
            undo: "There is no undo; the same device can make a new one.",
            action: format!("/passkeys/{id}/remove"),
            verb: "Remove",
        })
        .await;
    }
    operations::remove_passkey(&site.plane, &site.caller, id).await?.into_part()?;
    shown(site, Some(good("The passkey is gone."))).await
}

pub(super) async fn begin_authenticator(site: &Site) -> Result<Response, Problem> {
    let offered = operations::begin_authenticator(&site.plane, &site.caller).await?.into_part()?;
    authenticator(site, &offered, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    totp: Secret,
}

pub(super) async fn add_authenticator(site: &Site) -> Result<Response, Problem> {
    let form: CodeForm = site.form()?;
    let request = AuthenticatorRequest { totp: form.totp };
    let done = match operations::add_authenticator(&site.plane, &site.caller, request).await {
        Ok(allowed) => allowed.into_part().map(drop),
        Err(problem) => Err(problem),
    };
    match done {
        Ok(()) => shown(site, Some(good("The authenticator app counts from now on, and no other."))).await,
        // The same square again: whoever scanned it only mistyped.
        Err(problem) => match operations::resume_authenticator(&site.plane, &site.caller).await {
            Ok(offered) => authenticator(site, &offered.into_part()?, Some(sentence(&problem.message))).await,
            Err(_) => Err(problem),
        },
    }
}

async fn authenticator(
    site: &Site,
    offered: &AuthenticatorOffered,
    problem: Option<String>,
) -> Result<Response, Problem> {
    let view = view::Authenticator {
        secret: super::in_fours(offered.secret.expose()),
        otpauth: offered.otpauth.expose().to_owned(),
        qr: qr::square(offered.otpauth.expose()),
        problem,
    };
    page(&AuthenticatorPage { shell: site.shell(Section::Sessions, "Authenticator app").await, view })
}

pub(super) async fn remove_authenticator(site: &Site) -> Result<Response, Problem> {
    let form: ChangeForm = site.form()?;
    if form.confirmed.is_none() {
        return confirm(site, Asked {
            headline: "Remove the authenticator app?".to_owned(),
            effect: "Its codes sign nobody in any more; your passkeys do. The command line asks for a code, so you cannot \
                     sign in there.",
            undo: "There is no undo; an app can be set up anew at any time.",
            action: "/authenticator/remove".to_owned(),
            verb: "Remove",
        })
        .await;
    }
    operations::remove_authenticator(&site.plane, &site.caller).await?.into_part()?;
    shown(site, Some(good("The authenticator app is gone."))).await
}

pub(super) async fn recovery_codes(site: &Site) -> Result<Response, Problem> {
    let form: ChangeForm = site.form()?;
    let mine = operations::own(&site.plane, &site.caller).await?.into_part()?;
    if form.confirmed.is_none() && mine.recovery_codes_left > 0 {
        return confirm(
            site,
            Asked {
                headline: "Make ten new recovery codes?".to_owned(),
                effect: "The codes you have are void at once.",
                undo: "There is no undo.",
                action: "/recovery-codes".to_owned(),
                verb: "Make new codes",
            },
        )
        .await;
    }
    let made = operations::new_recovery_codes(&site.plane, &site.caller).await?.into_part()?;
    let codes = made.recovery_codes.iter().map(|code| code.expose().to_owned()).collect();
    let shell = site.shell(Section::Sessions, "Recovery codes").await;
    page(&RecoveryCodesPage { shell, view: view::RecoveryCodes { codes } })
}

/// A change that is asked about before it is made.
struct Asked {
    headline: String,
    effect: &'static str,
    undo: &'static str,
    action: String,
    verb: &'static str,
}

async fn confirm(site: &Site, asked: Asked) -> Result<Response, Problem> {
    let view = view::Confirm {
        headline: asked.headline,
        effect: asked.effect.to_owned(),
        undo: asked.undo.to_owned(),
        action: asked.action,
        what: "remove".to_owned(),
        also: None,
        verb: asked.verb.to_owned(),
        back: "/sessions".to_owned(),
    };
    page(&ConfirmPage { shell: site.shell(Section::Sessions, "Confirm").await, view })
}

/// Proves with a passkey who is signed in: what takes a fresh sign-in can be done again.
pub(super) async fn prove_again(site: &Site) -> Result<Response, Problem> {
    let form: PasskeyForm = site.form()?;
    let request = PasskeyLoginRequest { credential: read(&form.credential)? };
    let allowed = operations::again(&site.plane, &site.caller, &site.incoming.visit, &request).await?;
    let mut cookie = None;
    allowed.release(|signed_in| {
        cookie = Some(api::cookie(&site.plane.settings, &signed_in)?);
        Ok(Vec::new())
    })?;
    let mut response = see_other(&local(form.next.as_deref().or(Some("/sessions"))));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

// --- The ways in ---

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasskeyForm {
    #[serde(default, rename = "csrf")]
    _csrf: Option<String>,
    #[serde(default)]
    next: Option<String>,
    credential: String,
}

pub(super) async fn sign_in(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let incoming = match Incoming::read(&plane, request, BODY_MAX).await {
        Ok(incoming) => incoming,
        Err(problem) => return refusal_page(bare(&plane, None, "Refused"), &problem),
    };
    let form: Result<PasskeyForm, Problem> =
        caller::same_origin(&incoming.parts.headers, &plane.settings).and_then(|()| incoming.form());
    let form = match form {
        Ok(form) => form,
        Err(problem) => return refusal_page(bare(&plane, Some(theme_of(&incoming)), "Sign in"), &problem),
    };
    let next = local(form.next.as_deref());
    match signed_in(&plane, &incoming, &form).await {
        Ok(mut response) => {
            if let Ok(to) = HeaderValue::from_str(&next) {
                response.headers_mut().insert(LOCATION, to);
            }
            response
        }
        Err(problem) => super::sign_in_again(&plane, &incoming, String::new(), next, false, &problem).await,
    }
}

async fn signed_in(plane: &Plane, incoming: &Incoming, form: &PasskeyForm) -> Result<Response, Problem> {
    let request = PasskeyLoginRequest { credential: read(&form.credential)? };
    let allowed = operations::sign_in(plane, &incoming.visit, &request, Binding::Cookie).await?;
    super::with_cookie(plane, allowed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolForm {
    code: Secret,
    /// For password managers only.
    #[serde(default, rename = "username")]
    _username: Option<String>,
    password: Secret,
    name: String,
    credential: String,
}

pub(super) async fn enrol(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        caller::same_origin(&incoming.parts.headers, &plane.settings)?;
        let shell = bare(&plane, Some(theme_of(&incoming)), "Enrol");
        let form: EnrolForm = incoming.form()?;
        let request = EnrolPasskeyRequest {
            code: form.code.clone(),
            password: form.password,
            name: form.name,
            credential: read(&form.credential)?,
        };
        let view = match enrol::confirm_passkey(&plane, &incoming.visit, request).await {
            Ok(allowed) => super::enrolled(&allowed.into_part()?),
            Err(problem) => super::mistyped(&plane, &incoming, &form.code, &problem).await,
        };
        page(&EnrolPage { shell, view })
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

// --- Somebody else's ---

pub(super) async fn show_person(site: &Site, name: &str) -> Result<Response, Problem> {
    let sessions = account::sessions_of(&site.plane, &site.caller, name).await?.into_part()?;
    let factors = operations::of(&site.plane, &site.caller, name).await?.into_part()?;
    let id = people::person_named(&site.snapshot, name)?;
    let person = site.snapshot.person(id).ok_or_else(|| Problem::not_found("person", name))?;
    let view = view::Person {
        name: person.name.to_string(),
        display_name: person.display_name.clone(),
        active: person.active,
        rows: sessions.items.iter().map(|session| show::session_row(session, site.now)).collect(),
        factors: factors_of(factors, site.now),
        can_end: site.may(Action::EndSessions, ResourceRef::Platform),
    };
    page(&PersonPage { shell: site.shell(Section::People, &view.display_name).await, view })
}

// --- Rows ---

fn factors_of(factors: FactorsView, now: jiff::Timestamp) -> view::Factors {
    view::Factors {
        password: factors.password,
        authenticator: factors.authenticator,
        recovery_codes_left: factors.recovery_codes_left,
        passkeys_possible: factors.passkeys_possible,
        passkeys: factors.passkeys.into_iter().map(|passkey| passkey_row(passkey, now)).collect(),
    }
}

fn passkey_row(passkey: PasskeyView, now: jiff::Timestamp) -> view::PasskeyRow {
    view::PasskeyRow {
        id: passkey.id,
        name: passkey.name,
        kind: if passkey.synced { "in several devices" } else { "in one device" }.to_owned(),
        added: When::new(passkey.added_at, now),
        used: passkey.used_at.map(|at| When::new(at, now)),
        copied: passkey.copied_at.map(|at| When::new(at, now)),
    }
}

fn attempt_row(attempt: AttemptView, now: jiff::Timestamp) -> view::AttemptRow {
    let (good, text) = match attempt.outcome.as_str() {
        "ok" => (true, "password and code"),
        "passkey" => (true, "passkey"),
        "recovery-code" => (true, "recovery code"),
        "passkey-copied" => (false, "a copied passkey"),
        _ => (false, "refused"),
    };
    view::AttemptRow { at: When::new(attempt.at, now), source: attempt.source, good, text: text.to_owned() }
}
