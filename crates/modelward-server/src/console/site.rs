//! The console's addresses: each page asks the same operations as the API, and shows what they answer.

mod federation;
mod gateways;
mod own;
mod policy;
mod scim;
mod signals;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, COOKIE, HeaderValue, LOCATION, REFERER, SET_COOKIE};
use http::{Method, Request, StatusCode};
use modelward_decision::Snapshot;
use modelward_decision::vocabulary::{
    Action, Binding, DecisionId, GrantId, PrincipalRef, Privilege, ResourceRef,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::page::*;
use super::part::{Count, IdChip, Sparkline, When};
use super::show;
use super::view::{self, Choice, Section, Theme};
use super::{assets, card, qr};
use crate::api::{self, Plane};
use crate::caller::{self, Caller};
use crate::control::Allowed;
use crate::http::{self as edge, BODY_MAX, Incoming};
use crate::ops::{access, account, decisions, enrol, grants, inventory, ledger, people};
use crate::problem::Problem;
use crate::wire::{
    self, CanRequest, DecisionFilter, EnrolConfirmRequest, EnrolRequest, ErrorCode, Format, GrantFilter,
    GrantRequest, GrantState, InviteRequest, LoginRequest, MatrixQuery, MatrixRows, PersonChange,
    RevokeRequest, Secret, Verdict, Whose,
};
use crate::{export, names};

const PAGE: usize = 50;
/// Columns of the matrix on one page; a filter narrows to any model.
const MATRIX_COLUMNS: usize = 24;
/// Words offered while a question is typed.
const WORDS_MAX: usize = 400;
const THEME_COOKIE: &str = "mw_light";

pub(crate) fn router() -> Router<Plane> {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in_form).post(sign_in))
        .route("/sign-in/with/{issuer}", get(federation::leave))
        .route("/sign-in/passkey", post(own::sign_in))
        .route("/sign-in/back", get(federation::back))
        .route("/sign-out", post(sign_out))
        .route("/enrol", get(enrol_form).post(enrol_start))
        .route("/enrol/confirm", post(enrol_confirm))
        .route("/enrol/passkey", post(own::enrol))
        .route("/theme", post(theme))
        .route("/can", get(can))
        .route("/models", get(models))
        .route("/models.csv", get(models_csv))
        .route("/models/{model}", get(model))
        .route("/models/{model}/{version}", get(version))
        .route("/matrix", get(matrix))
        .route("/matrix.csv", get(matrix_csv))
        .route("/matrix.json", get(matrix_json))
        .route("/policy", get(policy_page))
        .route("/policy/difference", get(difference))
        .route("/policy/handbook", get(handbook))
        .route("/policy/handbook.md", get(handbook_markdown))
        .route("/policy/handbook.html", get(handbook_html))
        .route("/policy/{bundle}", get(bundle).post(move_bundle))
        .route("/policy/{bundle}/replay", get(replay))
        .route("/policy/{bundle}/replay/run", get(replay_run))
        .route("/policy/{bundle}/policies/{policy}", get(single_policy))
        .route("/decisions", get(decision_list))
        .route("/decisions.csv", get(decisions_csv))
        .route("/decisions.json", get(decisions_json))
        .route("/decisions/stream", get(decision_stream))
        .route("/decisions/{decision}", get(decision))
        .route("/grants", get(grant_list).post(give))
        .route("/grants.csv", get(grants_csv))
        .route("/grants.json", get(grants_json))
        .route("/grants/{grant}", get(grant))
        .route("/grants/{grant}/revoke", post(revoke))
        .route("/sessions", get(sessions))
        .route("/sessions/again", post(prove_again))
        .route("/sessions/others/end", post(end_others))
        .route("/sessions/{session}/end", post(end_session))
        .route("/passkeys", post(add_passkey))
        .route("/passkeys/{passkey}/remove", post(remove_passkey))
        .route("/authenticator", post(begin_authenticator))
        .route("/authenticator/confirm", post(add_authenticator))
        .route("/authenticator/remove", post(remove_authenticator))
        .route("/recovery-codes", post(recovery_codes))
        .route("/sessions/link/{issuer}", get(link_own))
        .route("/people", get(people_list))
        .route("/people/{person}", get(person).post(change_person))
        .route("/invitations", post(invite))
        .route("/issuers", get(issuers))
        .route("/issuers/{issuer}", post(stand))
        .route("/strangers", post(link_stranger))
        .route("/provisioning", get(provisioning))
        .route("/provisioning/{client}", post(change_provisioning))
        .route("/ledger", get(ledger_page))
        .route("/gateways", get(gateways_page))
        .route("/signals", get(signals_page))
        .route("/ledger/find", get(find_entry))
        .route("/ledger/entries/{index}", get(entry))
        .route("/assets/{file}", get(asset))
}

// --- What every page shares ---

/// A visitor of the console who is signed in.
struct Site {
    plane: Plane,
    incoming: Incoming,
    caller: Caller,
    snapshot: Arc<Snapshot>,
    now: jiff::Timestamp,
}

impl Site {
    /// Reads the request and finds out who asks. Whoever is not signed in is shown the way.
    async fn enter(plane: &Plane, request: Request<Body>) -> Result<Self, Response> {
        let unread = |problem: Problem| refusal_page(bare(plane, None, "Refused"), &problem);
        let incoming = Incoming::read(plane, request, BODY_MAX).await.map_err(unread)?;
        let theme = theme_of(&incoming);
        let here = here(&incoming);
        if !caller::has_credential(&incoming.parts.headers, &plane.settings) {
            return Err(see_other(&format!("/sign-in?next={}", show::escape(&here))));
        }
        let form_token = if incoming.parts.method == Method::POST {
            let fields: BTreeMap<String, String> = incoming.form().unwrap_or_default();
            fields.get("csrf").cloned()
        } else {
            None
        };
        let entered =
            caller::authenticate(plane, &incoming.parts, &incoming.visit, form_token.as_deref()).await;
        match entered {
            Ok(caller) => {
                let (snapshot, now) = (plane.snapshot(), plane.now());
                Ok(Self { plane: Arc::clone(plane), incoming, caller, snapshot, now })
            }
            Err(problem) if problem.code == ErrorCode::Unauthenticated => {
                let next = if incoming.parts.method == Method::GET { here } else { "/".to_owned() };
                let mut response = see_other(&format!("/sign-in?next={}", show::escape(&next)));
                if let Ok(value) = api::no_cookie(&plane.settings) {
                    response.headers_mut().insert(SET_COOKIE, value);
                }
                Err(response)
            }
            Err(problem) => Err(refusal_page(bare(plane, Some(theme), "Refused"), &problem)),
        }
    }

    async fn shell(&self, section: Section, title: &str) -> view::Shell {
        let remark = match self.plane.bootstrap().await {
            Ok(state) if state.is_open() => Some(account::bootstrap_view(state).sentence),
            _ => None,
        };
        let who = names::principal_view(&self.snapshot, self.caller.who.principal());
        view::Shell {
            title: title.to_owned(),
            section,
            who: Some(view::Who {
                display_name: who.display_name.unwrap_or_else(|| who.name.clone()),
                name: who.name,
            }),
            theme: theme_of(&self.incoming),
            csrf: self.caller.form_token.clone().unwrap_or_default(),
            here: here(&self.incoming),
            revision: self.snapshot.revision(),
            remark,
            notice: None,
            assets: assets::paths(),
        }
    }

    fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.incoming.query()
    }

    fn form<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.incoming.form()
    }

    fn may(&self, action: Action, resource: ResourceRef) -> bool {
        self.plane.may(&self.caller, action, resource)
    }

    /// A page, or in its place the page that says why not.
    async fn finish(&self, section: Section, result: Result<Response, Problem>) -> Response {
        match result {
            Ok(response) => response,
            Err(problem) => {
                let shell = self.shell(section, "Refused").await;
                refusal_page(view::Shell { here: self.back(), ..shell }, &problem)
            }
        }
    }

    /// Where to be again after a sign-in: this page, or the one whose form was sent.
    fn back(&self) -> String {
        if self.incoming.parts.method == Method::GET {
            return here(&self.incoming);
        }
        let referrer = self.incoming.parts.headers.get(REFERER).and_then(|from| from.to_str().ok());
        let path = referrer.and_then(|from| from.strip_prefix(self.plane.settings.external_url.as_str()));
        local(path)
    }

    /// The query of this page with one parameter changed.
    fn with(&self, name: &str, value: Option<&str>) -> String {
        let query = self.incoming.parts.uri.query().unwrap_or_default();
        let kept = query.split('&').filter(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            key != name && !value.is_empty()
        });
        let changed = value.map(|value| format!("{name}={}", show::escape(value)));
        kept.map(str::to_owned).chain(changed).collect::<Vec<_>>().join("&")
    }
}

/// Writes a page.
fn page(template: &impl Template) -> Result<Response, Problem> {
    Ok(edge::html(StatusCode::OK, render(template)?))
}

fn render(template: &impl Template) -> Result<String, Problem> {
    template.render().map_err(|error| Problem::internal("writing a page", &error))
}

fn bare(plane: &Plane, theme: Option<Theme>, title: &str) -> view::Shell {
    view::Shell {
        title: title.to_owned(),
        section: Section::None,
        who: None,
        theme: theme.unwrap_or_default(),
        csrf: String::new(),
        here: "/".to_owned(),
        revision: plane.snapshot().revision(),
        remark: None,
        notice: None,
        assets: assets::paths(),
    }
}

fn refusal_page(shell: view::Shell, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headline = match problem.code {
        ErrorCode::Denied => "Denied.",
        ErrorCode::StepUp => "Sign in again.",
        ErrorCode::NotFound => "Not here.",
        ErrorCode::Refused | ErrorCode::Conflict => "Refused.",
        ErrorCode::Unavailable | ErrorCode::Internal => "Not now.",
        ErrorCode::TooManyTries => "Too often.",
        ErrorCode::Malformed
        | ErrorCode::Unauthenticated
        | ErrorCode::BadCredentials
        | ErrorCode::CrossSite
        | ErrorCode::MethodNotAllowed
        | ErrorCode::TooLarge
        | ErrorCode::MediaType => "Not understood.",
    };
    let view = view::Refusal {
        status: status.as_u16(),
        headline: headline.to_owned(),
        text: sentence(&problem.message),
        hint: problem.hint.as_deref().map(sentence),
        decision: problem.decision.map(|id| IdChip::new(id.to_string())),
        again: problem.step_up.and(shell.who.as_ref()).map(|who| {
            format!("/sign-in?name={}&next={}", show::escape(&who.name), show::escape(&shell.here))
        }),
    };
    let html = RefusalPage { shell, view }.render().unwrap_or_default();
    edge::html(status, html)
}

/// Errors are lowercase without a final period; on a page they are sentences.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

fn see_other(to: &str) -> Response {
    let mut response = edge::html(StatusCode::SEE_OTHER, String::new());
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn here(incoming: &Incoming) -> String {
    incoming.parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
}

/// A place on this site to go to, whatever an address claims.
fn local(next: Option<&str>) -> String {
    match next {
        Some(path)
            if path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']) =>
        {
            path.to_owned()
        }
        _ => "/".to_owned(),
    }
}

fn theme_of(incoming: &Incoming) -> Theme {
    incoming
        .parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == THEME_COOKIE)
        .map_or(Theme::System, |(_, value)| Theme::parse(value))
}

async fn asset(Path(file): Path<String>) -> Response {
    let Some(asset) = assets::find(&format!("/assets/{file}")) else {
        return edge::html(StatusCode::NOT_FOUND, String::new());
    };
    let mut response = edge::bytes(asset.media_type, asset.bytes);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: String,
    #[serde(default)]
    here: Option<String>,
}

/// How bright the pages are is nobody's secret and no right: a cookie of its own, without asking anybody.
async fn theme(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        api::not_from_elsewhere(&incoming.parts, &plane.settings)?;
        let form: ThemeForm = incoming.form()?;
        let mut response = see_other(&local(form.here.as_deref()));
        let cookie = format!(
            "{THEME_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000",
            Theme::parse(&form.theme).as_str()
        );
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, value);
        }
        Ok(response)
    };
    result.await.unwrap_or_else(|problem: Problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

// --- Signing in and enrolling ---

#[derive(Deserialize, Default)]
#[serde(default)]
struct SignInQuery {
    next: Option<String>,
    name: Option<String>,
    recovery: Option<String>,
}

async fn sign_in_form(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        let query: SignInQuery = incoming.query()?;
        let next = local(query.next.as_deref());
        page(&SignInPage {
            shell: bare(&plane, Some(theme_of(&incoming)), "Sign in"),
            view: view::SignIn {
                name: query.name.unwrap_or_default(),
                issuers: federation::buttons(&plane, &next).await,
                next,
                use_recovery: query.recovery.is_some(),
                problem: None,
                passkeys: plane.passkeys.is_some(),
            },
        })
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInForm {
    #[serde(default)]
    next: Option<String>,
    name: String,
    password: Secret,
    #[serde(default)]
    totp: Option<Secret>,
    #[serde(default)]
    recovery_code: Option<Secret>,
}

async fn sign_in(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let incoming = match Incoming::read(&plane, request, BODY_MAX).await {
        Ok(incoming) => incoming,
        Err(problem) => return refusal_page(bare(&plane, None, "Refused"), &problem),
    };
    let form: Result<SignInForm, Problem> =
        caller::same_origin(&incoming.parts.headers, &plane.settings).and_then(|()| incoming.form());
    let form = match form {
        Ok(form) => form,
        Err(problem) => return refusal_page(bare(&plane, Some(theme_of(&incoming)), "Sign in"), &problem),
    };
    let (name, next, use_recovery) =
        (form.name.clone(), local(form.next.as_deref()), form.recovery_code.is_some());
    match signed_in(&plane, &incoming, form).await {
        Ok(mut response) => {
            // Whoever used up a recovery code is told so first.
            let to = if use_recovery { "/sessions" } else { &next };
            if let Ok(to) = HeaderValue::from_str(to) {
                response.headers_mut().insert(LOCATION, to);
            }
            response
        }
        Err(problem) => sign_in_again(&plane, &incoming, name, next, use_recovery, &problem).await,
    }
}

/// The page to sign in, with what was wrong.
async fn sign_in_again(
    plane: &Plane,
    incoming: &Incoming,
    name: String,
    next: String,
    use_recovery: bool,
    problem: &Problem,
) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let wait = problem.retry_after.map(|seconds| format!(" Wait {seconds} s before the next try."));
    let problem = format!("{}{}", sentence(&problem.message), wait.unwrap_or_default());
    let issuers = federation::buttons(plane, &next).await;
    let shell = bare(plane, Some(theme_of(incoming)), "Sign in");
    let passkeys = plane.passkeys.is_some();
    let view = view::SignIn { name, next, use_recovery, problem: Some(problem), passkeys, issuers };
    match render(&SignInPage { shell, view }) {
        Ok(html) => edge::html(status, html),
        Err(problem) => refusal_page(bare(plane, None, "Refused"), &problem),
    }
}

async fn signed_in(plane: &Plane, incoming: &Incoming, form: SignInForm) -> Result<Response, Problem> {
    // A name nobody could have is answered as one nobody has.
    let name = form
        .name
        .trim()
        .parse()
        .map_err(|_| Problem::new(ErrorCode::BadCredentials, "name, password or code is wrong"))?;
    let request =
        LoginRequest { name, password: form.password, totp: form.totp, recovery_code: form.recovery_code };
    let allowed = account::sign_in(plane, &incoming.visit, request, Binding::Cookie).await?;
    with_cookie(plane, allowed)
}

/// Whoever signed in goes on with a cookie.
fn with_cookie(plane: &Plane, allowed: Allowed<account::SignedIn>) -> Result<Response, Problem> {
    let mut cookie = None;
    allowed.release(|signed_in| {
        cookie = Some(api::cookie(&plane.settings, &signed_in)?);
        Ok(Vec::new())
    })?;
    let mut response = see_other("/");
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn sign_out(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let site = match Site::enter(&plane, request).await {
        Ok(site) => site,
        Err(response) => return response,
    };
    let result = async {
        let ended = account::sign_out(&site.plane, &site.caller).await?.into_part()?;
        let mut response = match ended.issuer_sign_out_url {
            Some(link) => federation::signed_out(&plane, theme_of(&site.incoming), link)?,
            None => see_other("/sign-in"),
        };
        response.headers_mut().insert(SET_COOKIE, api::no_cookie(&plane.settings)?);
        Ok(response)
    };
    let result = result.await;
    site.finish(Section::Sessions, result).await
}

async fn enrol_form(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        let shell = bare(&plane, Some(theme_of(&incoming)), "Enrol");
        page(&EnrolPage { shell, view: view::Enrol::Code { problem: None } })
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    code: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmForm {
    code: Secret,
    /// For password managers only.
    #[serde(default, rename = "username")]
    _username: Option<String>,
    password: Secret,
    totp: Secret,
}

async fn enrol_start(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        caller::same_origin(&incoming.parts.headers, &plane.settings)?;
        let shell = bare(&plane, Some(theme_of(&incoming)), "Enrol");
        let form: CodeForm = incoming.form()?;
        let request = EnrolRequest { code: form.code.clone() };
        let view = match enrol::start(&plane, &incoming.visit, request).await {
            Ok(started) => authenticator(&plane, &form.code, &started, None),
            Err(problem) => view::Enrol::Code { problem: Some(sentence(&problem.message)) },
        };
        page(&EnrolPage { shell, view })
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

/// A secret as people read it out.
fn in_fours(secret: &str) -> String {
    let secret: Vec<char> = secret.chars().collect();
    let groups: Vec<String> = secret.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

fn authenticator(
    plane: &Plane,
    code: &Secret,
    started: &wire::EnrolStarted,
    problem: Option<String>,
) -> view::Enrol {
    view::Enrol::Authenticator {
        name: started.name.to_string(),
        display_name: started.display_name.clone(),
        code: code.expose().to_owned(),
        secret: in_fours(started.secret.expose()),
        otpauth: started.otpauth.expose().to_owned(),
        qr: qr::square(started.otpauth.expose()),
        passkeys: plane.passkeys.is_some(),
        problem,
    }
}

/// The last page of an enrolment.
fn enrolled(enrolled: &wire::Enrolled) -> view::Enrol {
    view::Enrol::Done {
        name: enrolled.name.to_string(),
        first: enrolled.first,
        recovery_codes: enrolled.recovery_codes.iter().map(|code| code.expose().to_owned()).collect(),
    }
}

/// The same square again: whoever scanned it only mistyped.
async fn mistyped(plane: &Plane, incoming: &Incoming, code: &Secret, problem: &Problem) -> view::Enrol {
    let hint = problem.hint.as_deref().map(|hint| format!(" {}", sentence(hint))).unwrap_or_default();
    let text = format!("{}{hint}", sentence(&problem.message));
    match enrol::resume(plane, &incoming.visit, code).await {
        Ok(started) => authenticator(plane, code, &started, Some(text)),
        Err(_) => view::Enrol::Code { problem: Some(text) },
    }
}

async fn enrol_confirm(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let result = async {
        let incoming = Incoming::read(&plane, request, BODY_MAX).await?;
        caller::same_origin(&incoming.parts.headers, &plane.settings)?;
        let shell = bare(&plane, Some(theme_of(&incoming)), "Enrol");
        let form: ConfirmForm = incoming.form()?;
        let request =
            EnrolConfirmRequest { code: form.code.clone(), password: form.password, totp: form.totp };
        let view = match enrol::confirm(&plane, &incoming.visit, request).await {
            Ok(allowed) => enrolled(&allowed.into_part()?),
            Err(problem) => mistyped(&plane, &incoming, &form.code, &problem).await,
        };
        page(&EnrolPage { shell, view })
    };
    result.await.unwrap_or_else(|problem| refusal_page(bare(&plane, None, "Refused"), &problem))
}

/// A page of somebody signed in: enters, shows, and says why not where it cannot.
macro_rules! pages {
    ($($name:ident => $section:expr, $show:path;)+) => {$(
        async fn $name(State(plane): State<Plane>, request: Request<Body>) -> Response {
            let site = match Site::enter(&plane, request).await {
                Ok(site) => site,
                Err(response) => return response,
            };
            let result = $show(&site).await;
            site.finish($section, result).await
        }
    )+};
}

/// A page about one thing.
macro_rules! pages_of_one {
    ($($name:ident => $section:expr, $show:path;)+) => {$(
        async fn $name(
            State(plane): State<Plane>,
            Path(which): Path<String>,
            request: Request<Body>,
        ) -> Response {
            let site = match Site::enter(&plane, request).await {
                Ok(site) => site,
                Err(response) => return response,
            };
            let result = $show(&site, &which).await;
            site.finish($section, result).await
        }
    )+};
}

/// A page about a part of one thing.
macro_rules! pages_within_one {
    ($($name:ident => $section:expr, $show:path;)+) => {$(
        async fn $name(
            State(plane): State<Plane>,
            Path((whole, part)): Path<(String, String)>,
            request: Request<Body>,
        ) -> Response {
            let site = match Site::enter(&plane, request).await {
                Ok(site) => site,
                Err(response) => return response,
            };
            let result = $show(&site, &whole, &part).await;
            site.finish($section, result).await
        }
    )+};
}

pages! {
    home => Section::Home, show_home;
    can => Section::Can, show_can;
    models => Section::Models, show_models;
    models_csv => Section::Models, export_models;
    matrix => Section::Matrix, show_matrix;
    matrix_csv => Section::Matrix, export_matrix_csv;
    matrix_json => Section::Matrix, export_matrix_json;
    policy_page => Section::Policy, policy::show;
    difference => Section::Policy, policy::show_difference;
    handbook => Section::Policy, policy::show_handbook;
    handbook_markdown => Section::Policy, policy::export_markdown;
    handbook_html => Section::Policy, policy::export_html;
    decision_list => Section::Decisions, show_decisions;
    decisions_csv => Section::Decisions, export_decisions_csv;
    decisions_json => Section::Decisions, export_decisions_json;
    decision_stream => Section::Decisions, stream_decisions;
    grant_list => Section::Grants, show_grants;
    grants_csv => Section::Grants, export_grants_csv;
    grants_json => Section::Grants, export_grants_json;
    give => Section::Grants, do_give;
    sessions => Section::Sessions, own::show;
    prove_again => Section::Sessions, own::prove_again;
    end_others => Section::Sessions, own::end_others;
    add_passkey => Section::Sessions, own::add_passkey;
    begin_authenticator => Section::Sessions, own::begin_authenticator;
    add_authenticator => Section::Sessions, own::add_authenticator;
    remove_authenticator => Section::Sessions, own::remove_authenticator;
    recovery_codes => Section::Sessions, own::recovery_codes;
    issuers => Section::People, federation::show;
    link_stranger => Section::People, federation::do_link;
    provisioning => Section::People, scim::show;
    people_list => Section::People, show_people;
    invite => Section::People, do_invite;
    ledger_page => Section::Ledger, show_ledger;
    find_entry => Section::Ledger, do_find_entry;
    gateways_page => Section::Ledger, gateways::show;
    signals_page => Section::People, signals::show;
}

pages_of_one! {
    model => Section::Models, show_model;
    bundle => Section::Policy, policy::show_bundle;
    replay => Section::Policy, policy::show_replay;
    replay_run => Section::Policy, policy::run_replay;
    move_bundle => Section::Policy, policy::do_move;
    decision => Section::Decisions, show_decision;
    grant => Section::Grants, show_grant;
    revoke => Section::Grants, do_revoke;
    end_session => Section::Sessions, own::end;
    remove_passkey => Section::Sessions, own::remove_passkey;
    person => Section::People, own::show_person;
    link_own => Section::Sessions, federation::leave_to_link;
    stand => Section::People, federation::do_stand;
    change_provisioning => Section::People, scim::change;
    change_person => Section::People, do_change_person;
    entry => Section::Ledger, show_entry;
}

pages_within_one! {
    version => Section::Models, show_version;
    single_policy => Section::Policy, policy::show_single;
}

// --- Home ---

async fn show_home(site: &Site) -> Result<Response, Problem> {
    let me = account::whoami(&site.plane, &site.caller).await?.into_part()?;
    let refused = DecisionFilter {
        whose: Some(Whose::Me),
        verdict: Some(Verdict::Deny),
        limit: Some(5),
        ..DecisionFilter::default()
    };
    let (refused, _) = decisions::list(&site.plane, &site.caller, refused).await?.into_part()?;
    let display_name = me.principal.display_name.clone().unwrap_or_else(|| me.principal.name.clone());
    let ends = me.session.idle_until.min(me.session.expires_at);
    let view = view::Home {
        display_name,
        signed_in: When::distance(me.session.authenticated_at, site.now),
        methods: account::proof_in_words(&me.session),
        session_ends: When::distance(ends, site.now),
        groups: me.groups.join(", "),
        rights: me
            .grants
            .iter()
            .take(PAGE)
            .map(|grant| show::right_row(grant, &me.principal, site.now))
            .collect(),
        refused: refused.items.iter().map(|line| show::decision_row(line, site.now)).collect(),
        operator: operator(site).await?,
    };
    page(&HomePage { shell: site.shell(Section::Home, "Home").await, view })
}

/// What operators see first; everybody else does not know that it is there.
async fn operator(site: &Site) -> Result<Option<view::Operator>, Problem> {
    if !site.may(Action::ReadLedger, ResourceRef::Platform) {
        return Ok(None);
    }
    let position = ledger::position(&site.plane, &site.caller).await?.into_part()?;
    let hour = site.plane.figures.hour(site.now);
    let most = hour.reasons.first().map_or(1, |(_, count)| *count).max(1);
    let reasons = hour
        .reasons
        .iter()
        .take(6)
        .map(|(reason, count)| view::ReasonRow {
            reason: reason_in_words(reason),
            link: "/decisions?verdict=deny".to_owned(),
            count: Count(*count),
            share: u32::try_from(count * 100 / most).unwrap_or(100),
        })
        .collect();
    let last = hour.per_minute.last().copied().unwrap_or(0);
    Ok(Some(view::Operator {
        allowed: Count(hour.allowed),
        denied: Count(hour.denied),
        per_minute: Sparkline {
            label: format!("Decisions per minute over the last hour, {last} in the last minute"),
            values: hour.per_minute,
        },
        per_minute_last: format!("{last} in the last minute"),
        reasons,
        enforce_p99: hour.enforced_p99.map(|took| format!("{:.1} ms", took.as_secs_f64() * 1000.0)),
        ledger_size: Count(position.size),
        checkpoint: Count(position.checkpoint_size),
        revision: Count(site.snapshot.revision()),
        bundle: IdChip::new(site.snapshot.bundle().digest().to_string()),
    }))
}

fn reason_in_words(outcome: &str) -> String {
    match outcome {
        "not-permitted" => "no grant says yes",
        "forbidden" => "a guardrail says no",
        "error-closed" => "could not be evaluated",
        "obligation-unmet" => "a duty could not be met",
        "flood" => "floods, counted together",
        other => other,
    }
    .to_owned()
}

// --- Can I? ---

#[derive(Deserialize, Default)]
#[serde(default)]
struct CanQuery {
    q: Option<String>,
}

async fn show_can(site: &Site) -> Result<Response, Problem> {
    let query: CanQuery = site.query()?;
    let question = query.q.unwrap_or_default();
    let (mut answer, mut problem) = (None, None);
    if !question.trim().is_empty() {
        match ask(site, &question).await {
            Ok(found) => answer = Some(show::answer(&found, site.now)),
            Err(refused) if refused.decision.is_some() => return Err(refused),
            Err(refused) => {
                let hint =
                    refused.hint.as_deref().map(|hint| format!(" {}", sentence(hint))).unwrap_or_default();
                problem = Some(format!("{}{hint}", sentence(&refused.message)));
            }
        }
    }
    let view = view::Can { question, examples: examples(site), words: known_words(site), problem, answer };
    page(&CanPage { shell: site.shell(Section::Can, "Can I?").await, view })
}

async fn ask(site: &Site, question: &str) -> Result<wire::CanAnswer, Problem> {
    let request: CanRequest = crate::question::read(&site.snapshot, question)?;
    // Naming oneself is asking about oneself.
    let me = names::principal_view(&site.snapshot, site.caller.who.principal());
    let principal = request.principal.filter(|name| *name != me.name && *name != me.id);
    access::can(&site.plane, &site.caller, CanRequest { principal, ..request }).await?.into_part()
}

fn known_models(site: &Site) -> Vec<String> {
    let mut models: Vec<String> = site
        .snapshot
        .models()
        .filter(|model| inventory::may_know(&site.plane, &site.caller, &site.snapshot, model))
        .map(|model| model.name.to_string())
        .take(WORDS_MAX)
        .collect();
    models.sort();
    models
}

fn examples(site: &Site) -> Vec<String> {
    match known_models(site).first() {
        Some(model) => {
            ["predict", "read card", "download weights"].map(|verb| format!("{verb} · {model}")).to_vec()
        }
        None => vec!["read ledger".to_owned(), "grant access".to_owned()],
    }
}

fn known_words(site: &Site) -> Vec<String> {
    let actions = Action::ALL.into_iter().map(crate::question::in_words);
    let models = known_models(site).into_iter();
    let environments = site.snapshot.environments().map(|environment| environment.name.to_string());
    let people: Vec<String> = if site.may(Action::ReadAccess, ResourceRef::Platform) {
        site.snapshot.people().map(|person| person.name.to_string()).take(WORDS_MAX).collect()
    } else {
        Vec::new()
    };
    actions.chain(models).chain(environments).chain(people).take(WORDS_MAX).collect()
}

// --- Models ---

#[derive(Deserialize, Default)]
#[serde(default)]
struct ModelsQuery {
    q: Option<String>,
    offset: Option<usize>,
}

async fn known(site: &Site) -> Result<(Vec<wire::ModelLine>, String, usize), Problem> {
    let query: ModelsQuery = site.query()?;
    let wanted = query.q.unwrap_or_default();
    let list = inventory::models(&site.plane, &site.caller).await?.into_part()?;
    let needle = wanted.to_lowercase();
    let fits = |model: &wire::ModelLine| {
        needle.is_empty()
            || model.name.to_lowercase().contains(&needle)
            || model.project.to_lowercase().contains(&needle)
            || model.tags.iter().any(|tag| tag.to_lowercase().contains(&needle))
    };
    Ok((list.items.into_iter().filter(fits).collect(), wanted, query.offset.unwrap_or(0)))
}

async fn show_models(site: &Site) -> Result<Response, Problem> {
    let (models, query, offset) = known(site).await?;
    let total = models.len();
    let rows: Vec<view::ModelRow> = models
        .iter()
        .skip(offset)
        .take(PAGE)
        .map(|model| view::ModelRow {
            name: model.name.clone(),
            project: model.project.clone(),
            classification: model.classification.clone(),
            versions: Count(model.version_count),
            aliases: model
                .aliases
                .iter()
                .map(|alias| format!("{} → {}", alias.name, alias.version))
                .collect(),
            tags: model.tags.clone(),
            quarantined: model.quarantined,
            mine: show::marks(&model.mine),
        })
        .collect();
    let paging = by_offset(site, "/models", offset, rows.len(), total, None);
    page(&ModelsPage {
        shell: site.shell(Section::Models, "Models").await,
        view: view::Models { query, rows, paging },
    })
}

/// Where a list stands that is counted from its beginning.
fn by_offset(
    site: &Site,
    path: &str,
    offset: usize,
    shown: usize,
    total: usize,
    json: Option<&str>,
) -> view::Paging {
    let count = |number: usize| Count(u64::try_from(number).unwrap_or(u64::MAX));
    let to = |offset: usize| format!("{path}?{}", site.with("offset", Some(&offset.to_string())));
    let end = offset + shown;
    let all = site.with("offset", None);
    view::Paging {
        shown: if shown == 0 {
            String::new()
        } else {
            format!("{}–{} of {}", offset + 1, end, count(total))
        },
        previous: (offset > 0).then(|| to(offset.saturating_sub(PAGE))),
        next: (end < total).then(|| to(end)),
        csv: Some(format!("{path}.csv?{all}")),
        json: json.map(|path| format!("{path}?{all}")),
        complete_to: Some(Count(site.plane.reader().position().size)),
    }
}

async fn export_models(site: &Site) -> Result<Response, Problem> {
    let (models, _, _) = known(site).await?;
    Ok(attachment("text/csv; charset=utf-8", export::models_csv(&models)))
}

fn attachment(media_type: &'static str, text: String) -> Response {
    let mut response = edge::bytes(media_type, text);
    response.headers_mut().insert(http::header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    response
}

/// Who can do what with a model, for those who may see that.
async fn access_of(site: &Site, model: &str, resource: ResourceRef) -> Result<view::Access, Problem> {
    if !site.may(Action::ReadAccess, resource) {
        return Ok(view::Access::Hidden);
    }
    let rows = inventory::model_access(&site.plane, &site.caller, model).await?.into_part()?;
    Ok(show::access(&rows.items))
}

fn version_rows(versions: &[wire::VersionLine]) -> Vec<view::VersionRow> {
    versions
        .iter()
        .map(|version| view::VersionRow {
            label: version.label.clone(),
            aliases: version.aliases.clone(),
            digest: version.digest.clone().map(IdChip::new),
            proven: version.proven,
            quarantined: version.quarantined,
        })
        .collect()
}

async fn show_model(site: &Site, name: &str) -> Result<Response, Problem> {
    let model = inventory::model(&site.plane, &site.caller, name).await?.into_part()?;
    let known = inventory::endpoints(&site.plane, &site.caller).await?.into_part()?;
    let resource = names::resource(&site.snapshot, name)?;
    let mut endpoints = Vec::new();
    for endpoint in known.items {
        for served in endpoint.serves.iter().filter(|served| served.model == name) {
            let now = served.resolves_to.as_ref().filter(|_| served.target.starts_with('@'));
            endpoints.push(view::EndpointRow {
                name: endpoint.name.clone(),
                environment: endpoint.environment.clone(),
                protocol: endpoint.protocol.clone(),
                public_name: served.public_name.clone(),
                target: match now {
                    Some(version) => format!("{}, now version {version}", served.target),
                    None => format!("version {}", served.target),
                },
            });
        }
    }
    let view = view::Model {
        name: model.line.name.clone(),
        id: IdChip::new(model.line.id.clone()),
        project: model.line.project.clone(),
        classification: model.line.classification.clone(),
        tags: model.line.tags.clone(),
        quarantined: model.line.quarantined,
        on_sensitive_ask: match model.on_sensitive_ask.as_str() {
            "strip" => "left out of answers to whoever may not see them",
            _ => "a request for one without the right is refused",
        }
        .to_owned(),
        in_an_outage: if model.fail_static {
            "predictions go on for up to 12 hours without news of revocations"
        } else {
            "predictions end after 30 seconds without news of revocations"
        },
        card: model.card.as_deref().map(card::render),
        versions: version_rows(&model.versions),
        endpoints,
        mine: show::marks(&model.line.mine),
        access: access_of(site, name, resource).await?,
    };
    page(&ModelPage { shell: site.shell(Section::Models, name).await, view })
}

async fn show_version(site: &Site, model: &str, label: &str) -> Result<Response, Problem> {
    let version = inventory::version(&site.plane, &site.caller, model, label).await?.into_part()?;
    let name = format!("{model}/{label}");
    let resource = names::resource(&site.snapshot, &name)?;
    let metrics = if site.may(Action::ReadMetrics, resource) {
        let read = inventory::metrics(&site.plane, &site.caller, model, label).await?.into_part()?;
        view::Metrics::Rows(read.metrics.into_iter().map(|(name, value)| (name, value.to_string())).collect())
    } else {
        view::Metrics::Hidden
    };
    let history = if site.may(Action::ReadDecisions, ResourceRef::Platform) {
        let filter = DecisionFilter {
            whose: Some(Whose::All),
            resource: Some(name.clone()),
            limit: Some(10),
            ..DecisionFilter::default()
        };
        let (found, _) = decisions::list(&site.plane, &site.caller, filter).await?.into_part()?;
        view::History::Rows(found.items.iter().map(|line| show::decision_row(line, site.now)).collect())
    } else {
        view::History::Hidden
    };
    let mine = site.snapshot.model_named(model).map(|found| {
        let sight = crate::marks::Sight::now(&site.plane, &site.caller);
        crate::marks::of_principal(&site.plane, &site.snapshot, site.caller.who.principal(), found, &sight)
    });
    let view = view::Version {
        model: model.to_owned(),
        label: label.to_owned(),
        id: IdChip::new(version.line.id.clone()),
        classification: version.classification.clone(),
        aliases: version.line.aliases.clone(),
        digest: version.line.digest.clone().map(IdChip::new),
        proven: version.line.proven,
        quarantined: version.line.quarantined,
        label_outputs: version.line.label_outputs.clone(),
        metrics,
        mine: show::marks(&mine.unwrap_or_default()),
        access: access_of(site, model, resource).await?,
        history,
    };
    page(&VersionPage { shell: site.shell(Section::Models, &name).await, view })
}

// --- Matrix ---

/// The page's own query: `at` as browsers send a local time, which is read as UTC.
#[derive(Deserialize, Default)]
#[serde(default)]
struct MatrixPageQuery {
    environment: Option<String>,
    network: Option<String>,
    at: Option<String>,
    rows: Option<MatrixRows>,
    model: Option<String>,
    offset: Option<u32>,
}

fn matrix_query(site: &Site, format: Option<Format>) -> Result<(MatrixQuery, MatrixPageQuery), Problem> {
    let asked: MatrixPageQuery = site.query()?;
    let at = match asked.at.as_deref() {
        None => None,
        Some(text) => Some(moment(text)?),
    };
    let query = MatrixQuery {
        environment: asked.environment.clone(),
        network: asked.network.clone(),
        at,
        rows: asked.rows,
        model: asked.model.clone(),
        format,
        offset: if format.is_some() { None } else { asked.offset },
        limit: None,
    };
    Ok((query, asked))
}

fn moment(text: &str) -> Result<jiff::Timestamp, Problem> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let wrong = || Problem::malformed("`at` is a time such as 2026-11-20T10:00");
    let local: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    let zoned = local.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

async fn show_matrix(site: &Site) -> Result<Response, Problem> {
    let (query, asked) = matrix_query(site, None)?;
    let matrix = access::matrix(&site.plane, &site.caller, query).await?.into_part()?;
    let columns: Vec<String> =
        matrix.columns.iter().take(MATRIX_COLUMNS).map(|column| column.name.clone()).collect();
    let rows: Vec<view::MatrixRow> = matrix
        .rows
        .iter()
        .map(|row| view::MatrixRow {
            name: row.principal.name.clone(),
            detail: row.principal.display_name.clone().unwrap_or_default(),
            cells: columns
                .iter()
                .map(|column| row.cells.get(column).map(|cell| show::marks(cell)).unwrap_or_default())
                .collect(),
        })
        .collect();
    let environments: Vec<String> =
        site.snapshot.environments().map(|environment| environment.name.to_string()).collect();
    let networks: Vec<String> = site.plane.settings.segments.iter().map(ToString::to_string).collect();
    let rows_of = match asked.rows {
        Some(MatrixRows::Groups) => "groups",
        Some(MatrixRows::Machines) => "machines",
        Some(MatrixRows::People) | None => "people",
    };
    let offset = usize::try_from(asked.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let total = usize::try_from(matrix.total_rows).unwrap_or(usize::MAX);
    let mut paging = by_offset(site, "/matrix", offset, rows.len(), total, Some("/matrix.json"));
    if matrix.columns.len() > columns.len() {
        paging.shown =
            format!("{}, first {} of {} models", paging.shown, columns.len(), matrix.columns.len());
    }
    let view = view::Matrix {
        environments: some_or_any(&environments, asked.environment.as_deref()),
        rows_of: show::choices(
            &[("people", "people"), ("groups", "groups"), ("machines", "machines")],
            Some(rows_of),
        ),
        networks: some_or_any(&networks, asked.network.as_deref()),
        model: asked.model.unwrap_or_default(),
        at: asked.at.unwrap_or_default(),
        columns,
        rows,
        legend: show::legend(),
        paging,
        bundle: IdChip::new(matrix.bundle),
    };
    page(&MatrixPage { shell: site.shell(Section::Matrix, "Matrix").await, view })
}

fn some_or_any(of: &[String], chosen: Option<&str>) -> Vec<Choice> {
    let any = Choice { value: String::new(), label: "any".to_owned(), chosen: chosen.is_none() };
    std::iter::once(any)
        .chain(of.iter().map(|name| Choice {
            value: name.clone(),
            label: name.clone(),
            chosen: chosen == Some(name.as_str()),
        }))
        .collect()
}

async fn export_matrix_csv(site: &Site) -> Result<Response, Problem> {
    let (query, _) = matrix_query(site, Some(Format::Csv))?;
    let matrix = access::matrix(&site.plane, &site.caller, query).await?.into_part()?;
    Ok(attachment("text/csv; charset=utf-8", export::matrix_csv(&matrix)))
}

async fn export_matrix_json(site: &Site) -> Result<Response, Problem> {
    let (query, _) = matrix_query(site, Some(Format::Json))?;
    edge::respond(access::matrix(&site.plane, &site.caller, query).await?)
}

// --- Decisions ---

async fn show_decisions(site: &Site) -> Result<Response, Problem> {
    let filter: DecisionFilter = site.query()?;
    let (found, whose) = decisions::list(&site.plane, &site.caller, filter.clone()).await?.into_part()?;
    let can_see_all = site.may(Action::ReadDecisions, ResourceRef::Platform);
    let rows: Vec<view::DecisionRow> =
        found.items.iter().map(|line| show::decision_row(line, site.now)).collect();
    let verdict = filter.verdict.map(|verdict| match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
    });
    let paging =
        newest_first(site, "/decisions", &found.next, rows.len(), found.complete_to, filter.after.is_some());
    let view = view::Decisions {
        own_only: !can_see_all,
        whose_all: whose == Whose::All,
        can_see_all,
        principal: filter.principal.unwrap_or_default(),
        resource: filter.resource.unwrap_or_default(),
        privileges: show::privilege_choices(Some("any"), filter.privilege.as_deref(), &grantable()),
        verdicts: show::choices(&[("", "both"), ("allow", "allowed"), ("deny", "denied")], verdict),
        own_account: filter.own_account.unwrap_or(false),
        rows,
        paging,
        stream: filter.after.is_none().then(|| format!("/decisions/stream?{}", site.with("after", None))),
    };
    page(&DecisionsPage { shell: site.shell(Section::Decisions, "Decisions").await, view })
}

fn grantable() -> Vec<Privilege> {
    Privilege::ALL.into_iter().filter(|privilege| *privilege != Privilege::SelfService).collect()
}

/// Where a list stands that is read from its newest end.
fn newest_first(
    site: &Site,
    path: &str,
    next: &Option<String>,
    shown: usize,
    complete_to: u64,
    older: bool,
) -> view::Paging {
    let query = site.with("", None);
    view::Paging {
        shown: if shown == 0 { String::new() } else { format!("{shown} shown") },
        previous: older.then(|| format!("{path}?{}", site.with("after", None))),
        next: next.as_deref().map(|next| format!("{path}?{}", site.with("after", Some(next)))),
        csv: Some(format!("{path}.csv?{query}")),
        json: Some(format!("{path}.json?{query}")),
        complete_to: Some(Count(complete_to)),
    }
}

async fn exported_decisions(site: &Site) -> Result<wire::Page<wire::DecisionLine>, Problem> {
    let filter: DecisionFilter = site.query()?;
    let (found, _) = decisions::list(&site.plane, &site.caller, filter).await?.into_part()?;
    Ok(found)
}

async fn export_decisions_csv(site: &Site) -> Result<Response, Problem> {
    Ok(attachment("text/csv; charset=utf-8", export::decisions_csv(&exported_decisions(site).await?)))
}

async fn export_decisions_json(site: &Site) -> Result<Response, Problem> {
    let found = exported_decisions(site).await?;
    let json = String::from_utf8(crate::control::json(&found)?).unwrap_or_default();
    Ok(attachment("application/json", json))
}

/// The feed as rows this page wrote itself, so that there is one way to write a row.
async fn stream_decisions(site: &Site) -> Result<Response, Problem> {
    let filter: DecisionFilter = site.query()?;
    let feed = decisions::follow(&site.plane, &site.caller, filter).await?;
    let plane = Arc::downgrade(&site.plane);
    api::feed(&site.plane, feed, move |line| {
        let now = plane.upgrade()?.now();
        let row = FeedRow { row: show::decision_row(line, now) };
        row.render().ok().map(|html| html.replace('\n', ""))
    })
}

async fn show_decision(site: &Site, id: &str) -> Result<Response, Problem> {
    let id: DecisionId = id.parse().map_err(|_| Problem::not_found("decision", id))?;
    let found = decisions::one(&site.plane, &site.caller, id).await?.into_part()?;
    let sees_bundles = site.may(Action::ReadConfiguration, ResourceRef::Platform);
    let view = show::decision(&found, site.now, sees_bundles);
    page(&DecisionPage { shell: site.shell(Section::Decisions, "Decision").await, view })
}

// --- Grants ---

async fn show_grants(site: &Site) -> Result<Response, Problem> {
    let filter: GrantFilter = site.query()?;
    let privileges = directly();
    let give = view::GiveForm {
        privileges: show::privilege_choices(None, Some("read-only"), &privileges),
        days: "7".to_owned(),
        ..view::GiveForm::default()
    };
    grants_page(site, filter, give).await
}

/// What one person's word can be enough for in the first days.
fn directly() -> Vec<Privilege> {
    vec![Privilege::ReadOnly, Privilege::Inference, Privilege::Audit, Privilege::Govern]
}

async fn grants_page(site: &Site, filter: GrantFilter, give: view::GiveForm) -> Result<Response, Problem> {
    let (found, whose) = grants::list(&site.plane, &site.caller, filter.clone()).await?.into_part()?;
    let can_see_all = site.may(Action::ReadAccess, ResourceRef::Platform)
        || site.may(Action::ReadConfiguration, ResourceRef::Platform);
    let bootstrap = account::bootstrap_view(site.plane.bootstrap().await?);
    let rule = if bootstrap.open {
        "While the installation is young, read-only, inference, audit and govern can be given directly, for at most 30 \
         days. Nobody gives a grant to themselves, and every one given so is marked as such."
            .to_owned()
    } else {
        bootstrap.sentence.clone()
    };
    let rows: Vec<view::GrantRow> =
        found.items.iter().map(|grant| show::grant_row(grant, site.now)).collect();
    let states = [
        ("", "live and to come"),
        ("live", "live"),
        ("pending", "to come"),
        ("expired", "expired"),
        ("revoked", "revoked"),
    ];
    let mut paging =
        newest_first(site, "/grants", &found.next, rows.len(), found.complete_to, filter.after.is_some());
    if let Some(total) = found.total {
        paging.shown = format!("{} of {}", rows.len(), Count(total));
    }
    let view = view::Grants {
        all: whose == Whose::All,
        can_see_all,
        can_give: site.may(Action::GrantAccess, ResourceRef::Platform),
        open: bootstrap.open,
        rule,
        grantee: filter.grantee.unwrap_or_default(),
        scope: filter.scope.unwrap_or_default(),
        privileges: show::privilege_choices(Some("any"), filter.privilege.as_deref(), &grantable()),
        states: show::choices(&states, filter.state.map(GrantState::as_str)),
        rows,
        paging,
        give,
    };
    page(&GrantsPage { shell: site.shell(Section::Grants, "Grants").await, view })
}

async fn exported_grants(site: &Site) -> Result<wire::Page<wire::GrantView>, Problem> {
    let filter: GrantFilter = site.query()?;
    let (found, _) = grants::list(&site.plane, &site.caller, filter).await?.into_part()?;
    Ok(found)
}

async fn export_grants_csv(site: &Site) -> Result<Response, Problem> {
    Ok(attachment("text/csv; charset=utf-8", export::grants_csv(&exported_grants(site).await?)))
}

async fn export_grants_json(site: &Site) -> Result<Response, Problem> {
    let json = String::from_utf8(crate::control::json(&exported_grants(site).await?)?).unwrap_or_default();
    Ok(attachment("application/json", json))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GiveForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    grantee: String,
    privilege: String,
    scope: String,
    #[serde(default)]
    environment: Option<String>,
    days: String,
}

async fn do_give(site: &Site) -> Result<Response, Problem> {
    let form: GiveForm = site.form()?;
    match given(site, &form).await {
        Ok(id) => Ok(see_other(&format!("/grants/{id}"))),
        Err(problem) if problem.decision.is_some() => Err(problem),
        Err(problem) => {
            let hint = problem.hint.as_deref().map(|hint| format!(" {}", sentence(hint))).unwrap_or_default();
            let give = view::GiveForm {
                privileges: show::privilege_choices(None, Some(&form.privilege), &directly()),
                grantee: form.grantee,
                scope: form.scope,
                environment: form.environment.unwrap_or_default(),
                days: form.days,
                problem: Some(format!("{}{hint}", sentence(&problem.message))),
                expanded: true,
            };
            grants_page(site, GrantFilter::default(), give).await
        }
    }
}

async fn given(site: &Site, form: &GiveForm) -> Result<GrantId, Problem> {
    let days: i64 = form.days.parse().map_err(|_| Problem::malformed("the days are a number"))?;
    let not_after = site
        .now
        .checked_add(jiff::SignedDuration::from_hours(days.clamp(0, 400) * 24))
        .map_err(|_| Problem::malformed("the end lies too far ahead"))?;
    let privilege =
        form.privilege.parse().map_err(|error: modelward_decision::vocabulary::UnknownPrivilege| {
            Problem::malformed(error.to_string())
        })?;
    let mut conditions = modelward_decision::grant::Conditions::default();
    if let Some(environment) = form.environment.as_deref() {
        let known = site.snapshot.environments().find(|known| known.name.as_str() == environment);
        let known = known.ok_or_else(|| Problem::not_found("environment", environment))?;
        conditions.environments = Some(std::collections::BTreeSet::from([known.name.clone()]));
    }
    let request = GrantRequest {
        grantee: form.grantee.clone(),
        privilege,
        scope: form.scope.clone(),
        conditions,
        not_before: None,
        not_after,
        dry_run: false,
    };
    let granted = grants::give(&site.plane, &site.caller, request).await?.into_part()?;
    Ok(granted.grant.id)
}

fn grant_id(text: &str) -> Result<GrantId, Problem> {
    text.parse().map_err(|_| Problem::not_found("grant", text))
}

async fn show_grant(site: &Site, id: &str) -> Result<Response, Problem> {
    let id = grant_id(id)?;
    let grant = grants::one(&site.plane, &site.caller, id).await?.into_part()?;
    let row = show::grant_row(&grant, site.now);
    let title = format!("{}: {}", row.grantee, row.privilege);
    let view = view::Grant {
        end: ending(site, &grant)?,
        from: When::new(grant.not_before, site.now),
        means: grant.privilege.summary().to_owned(),
        actions: grant.privilege.actions().map(|action| action.phrase().to_owned()).collect(),
        row,
    };
    page(&GrantPage { shell: site.shell(Section::Grants, &title).await, view })
}

/// What ending the grant would do, in numbers, for whoever could.
fn ending(site: &Site, grant: &wire::GrantView) -> Result<Option<view::EndGrant>, Problem> {
    let Some(found) = site.snapshot.grant(grant.id) else { return Ok(None) };
    let own = found.grantee == site.caller.who.principal().as_grantee();
    let resource = names::governed(&site.snapshot, found.scope);
    let over = !matches!(grant.state, GrantState::Live | GrantState::Pending);
    if over || (!own && !site.may(Action::RevokeAccess, resource)) {
        return Ok(None);
    }
    let effect = grants::effect(&site.plane, &site.snapshot, found);
    let people = |count: u64| if count == 1 { "1 holder".to_owned() } else { format!("{count} holders") };
    let keeps = match effect.keep_by_other_grants {
        0 => String::new(),
        kept => format!(", {kept} of whom keep it by another grant"),
    };
    let streams = match effect.streams {
        0 => "No stream is open under it.".to_owned(),
        1 => "Cuts 1 open stream.".to_owned(),
        count => format!("Cuts {count} open streams."),
    };
    Ok(Some(view::EndGrant {
        verb: if own { "Give it back" } else { "Revoke" }.to_owned(),
        effect: format!("Ends the right for {}{keeps}, at once. {streams}", people(effect.principals)),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    #[serde(default)]
    reason: Option<String>,
}

async fn do_revoke(site: &Site, id: &str) -> Result<Response, Problem> {
    let form: RevokeForm = site.form()?;
    let id = grant_id(id)?;
    let request = RevokeRequest { reason: form.reason.unwrap_or_default(), dry_run: false };
    grants::revoke(&site.plane, &site.caller, id, request).await?.into_part()?;
    Ok(see_other(&format!("/grants/{id}")))
}

// --- People ---

#[derive(Deserialize, Default)]
#[serde(default)]
struct PeopleQuery {
    offset: Option<usize>,
}

async fn show_people(site: &Site) -> Result<Response, Problem> {
    people_page(site, None).await
}

async fn people_page(site: &Site, invited: Option<view::InvitedCode>) -> Result<Response, Problem> {
    let query: PeopleQuery = site.query().unwrap_or_default();
    let people = people::people(&site.plane, &site.caller).await?.into_part()?;
    let groups = people::groups(&site.plane, &site.caller).await?.into_part()?;
    let machines = people::machines(&site.plane, &site.caller).await?.into_part()?;
    let me = site.caller.who.principal().to_string();
    let offset = query.offset.unwrap_or(0);
    let total = people.items.len();
    let rows: Vec<view::PersonRow> = people
        .items
        .into_iter()
        .skip(offset)
        .take(PAGE)
        .map(|person| view::PersonRow {
            own: person.id == me,
            name: person.name,
            display_name: person.display_name,
            clearance: person.clearance,
            active: person.active,
            groups: person.groups,
        })
        .collect();
    let paging = view::Paging { csv: None, ..by_offset(site, "/people", offset, rows.len(), total, None) };
    let view = view::People {
        rows,
        groups: groups
            .items
            .into_iter()
            .map(|group| view::GroupRow {
                name: group.name,
                parents: group.parents,
                members: group.members.into_iter().map(|member| member.name).collect(),
            })
            .collect(),
        machines: machines
            .items
            .into_iter()
            .map(|machine| view::MachineRow {
                name: machine.name,
                owner: machine.owner,
                clearance: machine.clearance,
                active: machine.active,
            })
            .collect(),
        can_manage: site.may(Action::ManagePeople, ResourceRef::Platform),
        invited,
        invite_name: String::new(),
        invite_groups: String::new(),
        paging,
    };
    page(&PeoplePage { shell: site.shell(Section::People, "People").await, view })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    name: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    groups: Option<String>,
}

async fn do_invite(site: &Site) -> Result<Response, Problem> {
    let form: InviteForm = site.form()?;
    let name = |text: &str| {
        text.trim()
            .parse()
            .map_err(|error: modelward_decision::vocabulary::NameError| Problem::malformed(error.to_string()))
    };
    let groups = form.groups.unwrap_or_default();
    let groups =
        groups.split(',').filter(|group| !group.trim().is_empty()).map(name).collect::<Result<_, _>>()?;
    let request =
        InviteRequest { name: name(&form.name)?, display_name: form.display_name, groups, clearance: None };
    let invited = people::invite(&site.plane, &site.caller, request).await?.into_part()?;
    let code = view::InvitedCode {
        name: invited.name.to_string(),
        code: invited.code.expose().to_owned(),
        expires: When::new(invited.expires_at, site.now),
    };
    people_page(site, Some(code)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonForm {
    csrf: String,
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    confirmed: Option<String>,
}

async fn do_change_person(site: &Site, name: &str) -> Result<Response, Problem> {
    let form: PersonForm = site.form()?;
    let ends = matches!(form.what.as_str(), "deactivate" | "end-sessions");
    if ends && form.confirmed.is_none() {
        return confirm_person(site, name, &form).await;
    }
    match form.what.as_str() {
        "deactivate" | "activate" => {
            let change = PersonChange { active: Some(form.what == "activate"), ..PersonChange::default() };
            people::change(&site.plane, &site.caller, name, change).await?.into_part()?;
        }
        "end-sessions" => {
            account::end_all(&site.plane, &site.caller, name).await?.into_part()?;
        }
        _ => return Err(Problem::malformed("no such change")),
    }
    Ok(see_other("/people"))
}

/// Says in numbers what will end, before it does.
async fn confirm_person(site: &Site, name: &str, form: &PersonForm) -> Result<Response, Problem> {
    if !site.may(Action::ManagePeople, ResourceRef::Platform) {
        // Let the operation itself say no, so that there is a decision to explain.
        people::change(&site.plane, &site.caller, name, PersonChange::default()).await?.into_part()?;
    }
    let id = people::person_named(&site.snapshot, name)?;
    let display_name = site.snapshot.person(id).map(|person| person.display_name.clone()).unwrap_or_default();
    let principal = PrincipalRef::Person(id);
    let now = site.now;
    let sessions = site.plane.store().sessions_of(principal, None, modelward_store::PAGE_MAX).await?;
    let live = sessions.iter().filter(|it| it.ended_at.is_none() && now < it.record.ends_at()).count();
    let held = grants::held(&site.plane, &site.snapshot, principal).len();
    let (headline, effect, undo, verb) = match form.what.as_str() {
        "deactivate" => (
            format!("Deactivate {display_name}?"),
            format!(
                "Ends {live} sessions and every token and stream from them at once. {held} grants stay but count for \
                 nothing until activated again."
            ),
            "Activating again gives the grants back; the sessions stay ended.",
            "Deactivate",
        ),
        _ => (
            format!("End every session of {display_name}?"),
            format!("Ends {live} sessions and every token and stream from them at once."),
            "There is no undo; signing in again is all it takes.",
            "End sessions",
        ),
    };
    let view = view::Confirm {
        headline,
        effect,
        undo: undo.to_owned(),
        action: format!("/people/{name}"),
        what: form.what.clone(),
        verb: verb.to_owned(),
        back: "/people".to_owned(),
        also: None,
    };
    let mut shell = site.shell(Section::People, "Confirm").await;
    shell.csrf.clone_from(&form.csrf);
    page(&ConfirmPage { shell, view })
}

// --- Ledger ---

#[derive(Deserialize, Default)]
#[serde(default)]
struct LedgerQuery {
    after: Option<u64>,
}

async fn show_ledger(site: &Site) -> Result<Response, Problem> {
    let query: LedgerQuery = site.query()?;
    let position = ledger::position(&site.plane, &site.caller).await?.into_part()?;
    let entries = ledger::list(&site.plane, &site.caller, query.after, PAGE).await?.into_part()?;
    let rows: Vec<view::EntryRow> = entries
        .items
        .iter()
        .map(|entry| view::EntryRow {
            index: entry.index,
            index_shown: Count(entry.index),
            at: When::clock(entry.at, site.now),
            kind: entry.kind.clone(),
            summary: entry.summary.clone(),
            leaf_hash: IdChip::new(entry.leaf_hash.clone()),
        })
        .collect();
    let paging = view::Paging {
        csv: None,
        json: None,
        ..newest_first(site, "/ledger", &entries.next, rows.len(), entries.complete_to, query.after.is_some())
    };
    let view = view::Ledger {
        origin: position.origin,
        size: Count(position.size),
        checkpoint_size: Count(position.checkpoint_size),
        root: position.root,
        verifier_key: position.verifier_key,
        checkpoint: position.checkpoint,
        rows,
        paging,
    };
    page(&LedgerPage { shell: site.shell(Section::Ledger, "Ledger").await, view })
}

#[derive(Deserialize)]
struct FindQuery {
    id: String,
}

async fn do_find_entry(site: &Site) -> Result<Response, Problem> {
    let query: FindQuery = site.query()?;
    let text = query.id.trim();
    if text.parse::<DecisionId>().is_ok() {
        return Ok(see_other(&format!("/decisions/{text}")));
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let index: u64 = digits.parse().map_err(|_| Problem::not_found("entry", text))?;
    Ok(see_other(&format!("/ledger/entries/{index}")))
}

async fn show_entry(site: &Site, index: &str) -> Result<Response, Problem> {
    let index: u64 = index.parse().map_err(|_| Problem::not_found("entry", index))?;
    let entry = ledger::entry(&site.plane, &site.caller, index).await?.into_part()?;
    let json = serde_json::to_string_pretty(&entry.entry)
        .map_err(|error| Problem::internal("writing an entry", &error))?;
    let id = entry.entry.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
    let size = site.plane.reader().position().size;
    let view = view::Entry {
        index,
        index_shown: Count(index),
        at: When::new(entry.at, site.now),
        json,
        decision_link: (entry.kind == "decision").then(|| format!("/decisions/{id}")),
        proof: show::entry_proof(&entry.place),
        previous: index.checked_sub(1),
        next: Some(index + 1).filter(|next| *next < size),
        kind: entry.kind,
    };
    page(&EntryPage { shell: site.shell(Section::Ledger, "Entry").await, view })
}

/// An address that leads nowhere, in the console's own words.
pub(crate) async fn nothing_here(State(plane): State<Plane>, request: Request<Body>) -> Response {
    let problem = Problem::new(ErrorCode::NotFound, "there is nothing at this address");
    match Site::enter(&plane, request).await {
        Ok(site) => site.finish(Section::None, Err(problem)).await,
        Err(response) => response,
    }
}
