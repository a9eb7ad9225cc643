//! Token exchange, RFC 8693: a session secret or a token in, a short-lived access token for some of one's rights out.

mod refresh;
mod revoke;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::request::Parts;
use modelward_decision::Snapshot;
use modelward_decision::grant::Grant;
use modelward_decision::vocabulary::{Action, ModelId, Name, PrincipalRef, Privilege, ResourceRef, ScopeRef};
use modelward_enforcement::Summary;
use modelward_identity::token::{
    Ask, Demand, ExchangeRefusal, Held, Inspected, MODELS_MAX, MintedToken, PROOF_ALGORITHMS, Profile,
    ProofRefusal, Thumbprint, TokenBinding, TokenRefusal, needs_nonce,
};
use modelward_identity::{Actions, Models, Rights, Strength};
use modelward_seal::canonical::{self, Limits};

use crate::caller::{self, Caller, Visit, proofs};
use crate::control::{Allowed, ControlPlane};
use crate::gateways::PeerCertificate;
use crate::names;
use crate::ops::federation;
use crate::problem::{Challenge, Problem};
use crate::wire::{
    AuthorizationDetail, ErrorCode, IntrospectRequest, Introspection, Secret, TokenRequest, TokenResponse,
};

pub(crate) use revoke::revoke;

/// The only type of `authorization_details` there is.
const DETAIL_TYPE: &str = "modelward";

/// An error in the form of RFC 6749 section 5.2.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: &'static str,
    pub(crate) problem: Problem,
}

impl Refused {
    fn new(error: &'static str, message: impl Into<String>) -> Self {
        Self { error, problem: Problem::malformed(message) }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let error = match problem.code {
            ErrorCode::Unauthenticated | ErrorCode::BadCredentials => "invalid_grant",
            ErrorCode::Denied | ErrorCode::StepUp | ErrorCode::Refused => "access_denied",
            ErrorCode::Unavailable | ErrorCode::TooManyTries => "temporarily_unavailable",
            ErrorCode::Internal => "server_error",
            ErrorCode::Malformed
            | ErrorCode::CrossSite
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::Conflict
            | ErrorCode::TooLarge
            | ErrorCode::MediaType => "invalid_request",
        };
        Self { error, problem }
    }
}

/// The token endpoint.
pub(crate) async fn token(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    parts: &Parts,
    request: TokenRequest,
) -> Result<Allowed<TokenResponse>, Refused> {
    let for_handle = request.requested_token_type.as_deref() == Some(TokenRequest::REFRESH_TOKEN);
    match request.grant_type.as_str() {
        TokenRequest::GRANT_TYPE if for_handle => refresh::begin(plane, visit, parts, &request).await,
        TokenRequest::GRANT_TYPE => exchange(plane, visit, parts, request).await,
        TokenRequest::REFRESH => refresh::refresh(plane, visit, parts, &request).await,
        _ => Err(Refused::new(
            "unsupported_grant_type",
            format!("`grant_type` is {} or {}", TokenRequest::GRANT_TYPE, TokenRequest::REFRESH),
        )),
    }
}

async fn exchange(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    parts: &Parts,
    request: TokenRequest,
) -> Result<Allowed<TokenResponse>, Refused> {
    let ask = asked(plane, &request)?;
    let held = held(plane, visit, parts, &ask.rights)?;
    let ask = Ask { binding: held.map(Held::binding), ..ask };
    let (token, kind) = subject(&request)?;
    let (caller, opened) = if kind == TokenRequest::SUBJECT_WORKLOAD {
        let (caller, opened) = federation::attest(plane, visit, token.expose()).await?;
        (caller, Some(opened))
    } else {
        (offered(plane, visit, held, token, kind).await?, None)
    };
    let actor = match (&request.actor_token, &request.actor_token_type) {
        (Some(token), Some(kind)) => Some(offered(plane, visit, held, token, kind).await?),
        (None, None) => None,
        _ => {
            let message = "`actor_token` and `actor_token_type` go together";
            return Err(Refused::new("invalid_request", message));
        }
    };
    let asked_for: Vec<&str> = ask.rights.privileges.iter().map(|privilege| privilege.as_str()).collect();
    let mut summary = Summary::default().with("what", "token").with("privileges", asked_for.join(" "));
    if let Some(actor) = &actor {
        summary = summary.with("actor", plane.pseudonym(actor.who.principal()));
    }
    let (ask, pass) = plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, ask).await?;
    let minted = pass
        .carry_out(async {
            if let Some(opened) = &opened {
                plane.store.begin_session(&opened.record).await?;
            }
            mint(plane, &caller, actor.as_ref(), &ask)
        })
        .await?;
    Ok(minted)
}

/// A token for the part of what is asked that those who take part hold at this moment.
fn mint(
    plane: &ControlPlane,
    caller: &Caller,
    actor: Option<&Caller>,
    ask: &Ask,
) -> Result<TokenResponse, Problem> {
    let (snapshot, now) = (plane.snapshot(), plane.now());
    let asked = &ask.rights.privileges;
    let mut bound = bound(&snapshot, caller.who.principal(), now, asked);
    let actor = actor.map(|actor| &actor.who);
    if let Some(actor) = actor {
        bound = bound.intersection(&self::bound(&snapshot, actor.principal(), now, asked));
    }
    let minted = plane.issuer.exchange_for(&caller.who, actor, ask, &bound, &snapshot, &*plane.ids, now);
    let minted = minted.map_err(|why| refusal(&why))?;
    Ok(answer(&minted, ask.binding, now))
}

fn answer(minted: &MintedToken, binding: Option<TokenBinding>, now: jiff::Timestamp) -> TokenResponse {
    TokenResponse {
        access_token: Secret::new(minted.text.expose()),
        issued_token_type: TokenRequest::ACCESS_TOKEN.to_owned(),
        token_type: TokenBinding::scheme(binding).to_owned(),
        expires_in: seconds_until(minted.expires_at, now),
        scope: scope(&minted.rights),
        privileges: minted.rights.privileges.iter().copied().collect(),
        models: models(&minted.rights),
        actions: actions(&minted.rights),
        refresh_token: None,
    }
}

/// Single actions by name; none where it is all of the privileges.
fn actions(rights: &Rights) -> Vec<Action> {
    match &rights.actions {
        Actions::Any => Vec::new(),
        Actions::Only(actions) => actions.iter().copied().collect(),
    }
}

/// Models by name; none where it is any.
fn models(rights: &Rights) -> Vec<ModelId> {
    match &rights.models {
        Models::Any => Vec::new(),
        Models::Only(models) => models.iter().copied().collect(),
    }
}

fn seconds_until(end: jiff::Timestamp, now: jiff::Timestamp) -> u64 {
    u64::try_from(end.duration_since(now).as_secs()).unwrap_or(0)
}

fn scope(rights: &Rights) -> String {
    let words: Vec<&str> = rights.privileges.iter().map(|privilege| privilege.as_str()).collect();
    words.join(" ")
}

/// What whoever asks has shown that they hold: the key of the proof that came with the request, or else the certificate of
/// the connection, if there was either.
fn held(
    plane: &ControlPlane,
    visit: &Visit,
    parts: &Parts,
    rights: &Rights,
) -> Result<Option<Held>, Refused> {
    let proofs = proofs(&parts.headers);
    if proofs.is_empty() {
        let certificate = parts.extensions.get::<PeerCertificate>();
        return Ok(certificate.map(|PeerCertificate(digest)| Held::certificate(Thumbprint::new(*digest))));
    }
    let now = plane.now();
    let url = format!("{}{}", plane.settings.external_url, parts.uri.path());
    let demand = Demand { method: parts.method.as_str(), url: &url, token: None, nonce: needs_nonce(rights) };
    plane.admission.prove(&proofs, &demand, None, now).map(Some).map_err(|why| {
        let error = match why {
            ProofRefusal::Nonce => "use_dpop_nonce",
            _ => "invalid_dpop_proof",
        };
        let challenge = Challenge { error, nonce: plane.admission.nonce(now) };
        let recorded = visit.unauthenticated(plane, &why.to_string());
        Refused { error, problem: Problem { message: why.to_string(), ..recorded }.challenge(challenge) }
    })
}

/// What a token says, to whoever may know (RFC 7662): its holder, and those who may read access.
pub(crate) async fn introspect(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: IntrospectRequest,
) -> Result<Allowed<Introspection>, Problem> {
    let found = inspect(plane, request.token.expose());
    let own = found.as_ref().is_none_or(|(found, _)| found.principal() == caller.who.principal());
    let is_known = own || plane.may(caller, Action::ReadAccess, ResourceRef::Platform);
    let action = if own || !is_known { Action::ReadSelf } else { Action::ReadAccess };
    let summary = Summary::default().with("what", "introspection");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    let told = found.filter(|_| is_known);
    pass.carry_out(async {
        Ok(told.map_or_else(Introspection::default, |(found, aud)| say(plane, &found, aud)))
    })
    .await
}

/// What this authorization server does (RFC 8414 section 2).
pub(crate) fn metadata(plane: &ControlPlane) -> serde_json::Value {
    let url = &plane.settings.external_url;
    let scopes: Vec<&str> = Privilege::ALL.iter().map(|privilege| privilege.as_str()).collect();
    serde_json::json!({
        "issuer": url,
        "token_endpoint": format!("{url}/api/v1/token"),
        "introspection_endpoint": format!("{url}/api/v1/introspect"),
        "revocation_endpoint": format!("{url}/api/v1/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "scopes_supported": scopes,
        "response_types_supported": [],
        "grant_types_supported": [TokenRequest::GRANT_TYPE, TokenRequest::REFRESH],
        // A program is known by the credential it offers in exchange.
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_details_types_supported": [DETAIL_TYPE],
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        "tls_client_certificate_bound_access_tokens": plane.settings.is_https(),
        "protected_resources": [plane.settings.gateway_audience],
    })
}

fn inspect(plane: &ControlPlane, token: &str) -> Option<(Inspected, String)> {
    let (snapshot, now) = (plane.snapshot(), plane.now());
    [&plane.access, plane.admission.verifier()].into_iter().find_map(|verifier| {
        let inspected = verifier.inspect(token.as_bytes(), &snapshot, now).ok()?;
        Some((inspected, verifier.audience().to_owned()))
    })
}

fn say(plane: &ControlPlane, token: &Inspected, aud: String) -> Introspection {
    let rights = token.rights();
    let session = token.session();
    Introspection {
        active: true,
        token_type: Some(TokenBinding::scheme(token.binding()).to_owned()),
        iss: Some(plane.settings.external_url.clone()),
        sub: Some(token.principal().to_string()),
        aud: Some(aud),
        exp: Some(token.expires_at().as_second()),
        jti: token.token().map(|id| id.to_string()),
        scope: Some(scope(&rights)),
        models: Some(models(&rights).iter().map(ToString::to_string).collect()),
        actions: actions(&rights),
        acr: Strength::of_level(session.strength).map(|strength| strength.acr().to_owned()),
        auth_time: Some(session.authenticated_at.as_second()),
        cnf: token.binding(),
        actors: token.actors().iter().map(|actor| actor.principal.to_string()).collect(),
    }
}

fn refusal(refusal: &ExchangeRefusal) -> Problem {
    match refusal {
        ExchangeRefusal::Expired | ExchangeRefusal::Revoked => {
            Problem::new(ErrorCode::Unauthenticated, refusal.to_string())
        }
        ExchangeRefusal::NothingLeft => Problem::new(ErrorCode::Refused, refusal.to_string())
            .hint("ask for a privilege you hold a live grant of; `modelward whoami` lists them"),
        ExchangeRefusal::Unbound(_) => Problem::new(ErrorCode::Refused, refusal.to_string())
            .hint("`modelward agent` and `modelward exec` do it for a program that cannot"),
        ExchangeRefusal::Joined(..)
        | ExchangeRefusal::Binding
        | ExchangeRefusal::TooManyModels
        | ExchangeRefusal::TooManyActions
        | ExchangeRefusal::TooManyActors
        | ExchangeRefusal::Life => Problem::new(ErrorCode::Refused, refusal.to_string()),
        ExchangeRefusal::Unwritable(_) => Problem::internal("writing a token", refusal),
    }
}

/// What is offered in an exchange.
fn subject(request: &TokenRequest) -> Result<(&Secret, &str), Refused> {
    let invalid = |message| Refused::new("invalid_request", message);
    if request.refresh_token.is_some() {
        return Err(invalid("`refresh_token` goes with `grant_type=refresh_token`"));
    }
    match (&request.subject_token, &request.subject_token_type) {
        (Some(token), Some(kind)) => Ok((token, kind)),
        _ => Err(invalid("an exchange takes `subject_token` and `subject_token_type`")),
    }
}

fn asked(plane: &ControlPlane, request: &TokenRequest) -> Result<Ask, Refused> {
    let kinds = [TokenRequest::ACCESS_TOKEN, TokenRequest::REFRESH_TOKEN];
    if request.requested_token_type.as_deref().is_some_and(|asked| !kinds.contains(&asked)) {
        let message = format!("`requested_token_type` is {}", kinds.join(" or "));
        return Err(Refused::new("invalid_request", message));
    }
    let profile = profile(plane, request)?.unwrap_or(Profile::Access);
    let rights = match rights(plane, request)? {
        Some(rights) => rights,
        None => Rights::new([Privilege::Inference], Models::Any),
    };
    let client = Name::new("api").map_err(|error| Problem::internal("naming a client", &error))?;
    Ok(Ask { profile, rights, client, ttl: None, binding: None })
}

/// The plane that is asked for, where one is.
fn profile(plane: &ControlPlane, request: &TokenRequest) -> Result<Option<Profile>, Refused> {
    match request.audience.as_deref() {
        None => Ok(None),
        Some(audience) if audience == plane.settings.gateway_audience => Ok(Some(Profile::Access)),
        Some(audience) if audience == plane.settings.external_url => Ok(Some(Profile::Control)),
        Some(_) => {
            Err(Refused::new("invalid_target", "`audience` is the address of the gateway or of this API"))
        }
    }
}

/// The rights that are asked for, where any are named.
fn rights(plane: &ControlPlane, request: &TokenRequest) -> Result<Option<Rights>, Refused> {
    match &request.authorization_details {
        None if request.scope.is_none() && request.models.is_none() => Ok(None),
        None => rights_of_scope(plane, request).map(Some),
        Some(_) if request.scope.is_some() || request.models.is_some() => {
            let message = "`authorization_details` stands in the place of `scope` and `models`";
            Err(Refused::new("invalid_request", message))
        }
        Some(details) => rights_of_details(plane, details).map(Some),
    }
}

fn rights_of_scope(plane: &ControlPlane, request: &TokenRequest) -> Result<Rights, Refused> {
    let mut privileges = BTreeSet::new();
    for word in request.scope.as_deref().unwrap_or("inference").split_whitespace() {
        let privilege: Privilege =
            word.parse().map_err(|error: modelward_decision::vocabulary::UnknownPrivilege| {
                Refused::new("invalid_scope", error.to_string())
            })?;
        privileges.insert(privilege);
    }
    let models = request.models.as_deref().map(|models| models.split_whitespace());
    Ok(Rights::new(privileges, models.map_or(Models::Any, |models| models_named(plane, models))))
}

/// RFC 9396 section 5: what is not understood whole is refused, and not in part left out.
fn rights_of_details(plane: &ControlPlane, details: &str) -> Result<Rights, Refused> {
    let wrong = |message: String| Refused::new("invalid_authorization_details", message);
    let value = canonical::parse_strict(details.as_bytes(), Limits::DEFAULT)
        .map_err(|error| wrong(error.to_string()))?;
    let [detail]: [AuthorizationDetail; 1] =
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    if detail.kind != DETAIL_TYPE {
        return Err(wrong(format!("`type` is {DETAIL_TYPE}")));
    }
    let models = detail.models.as_ref().map(|models| models.iter().map(String::as_str));
    let models = models.map_or(Models::Any, |models| models_named(plane, models));
    match (detail.privileges, detail.actions) {
        (Some(privileges), None) => Ok(Rights::new(privileges, models)),
        (None, Some(actions)) => Ok(Rights::of_actions(actions, models)),
        _ => Err(wrong("name `privileges` or single `actions`, one of them".to_owned())),
    }
}

/// An unknown model is left out, so that the answer does not tell which exist.
fn models_named<'a>(plane: &ControlPlane, names: impl Iterator<Item = &'a str>) -> Models {
    let snapshot = plane.snapshot();
    let found = names
        .filter_map(|name| names::resource(&snapshot, name).ok())
        .filter_map(|resource| snapshot.model_of(resource));
    Models::only(found)
}

/// What a credential offered in exchange proves. A session is its holder's secret; a bound token has to be offered by
/// whoever holds what it is bound to.
async fn offered(
    plane: &ControlPlane,
    visit: &Visit,
    held: Option<Held>,
    secret: &Secret,
    kind: &str,
) -> Result<Caller, Refused> {
    match kind {
        TokenRequest::SUBJECT_SESSION => Ok(caller::session(plane, visit, secret.expose()).await?.0),
        TokenRequest::ACCESS_TOKEN => {
            let (token, snapshot, now) = (secret.expose().as_bytes(), plane.snapshot(), plane.now());
            let who = match plane.access.offered(token, held, &snapshot, now) {
                Err(TokenRefusal::Type) => plane.admission.verifier().offered(token, held, &snapshot, now),
                other => other,
            };
            let who = who.map_err(|why| visit.unauthenticated(plane, &why.to_string()))?;
            let (situation, mark) = (visit.situation.clone(), visit.mark);
            Ok(Caller { who, situation, mark, session: None, form_token: None })
        }
        _ => {
            let known = [TokenRequest::SUBJECT_SESSION, TokenRequest::ACCESS_TOKEN].join(" or ");
            Err(Refused::new("invalid_request", format!("the type of an offered token is {known}")))
        }
    }
}

/// The rights a token of this principal can carry at most: the privileges of live grants, on the models they reach.
/// A grant above a model (project, platform) or of an endpoint reaches any; what the token then really does is decided
/// request by request.
fn bound(
    snapshot: &Snapshot,
    principal: PrincipalRef,
    now: jiff::Timestamp,
    asked: &BTreeSet<Privilege>,
) -> Rights {
    let groups = names::groups_of(snapshot, principal);
    let holds = |grant: &Grant| match grant.grantee {
        modelward_decision::vocabulary::GranteeRef::Group(group) => groups.contains(&group),
        grantee => grantee == principal.as_grantee(),
    };
    let mut privileges = BTreeSet::from([Privilege::SelfService]);
    let mut any = false;
    let mut models: BTreeSet<ModelId> = BTreeSet::new();
    for grant in snapshot.grants().filter(|grant| grant.is_live(now) && holds(grant)) {
        if !asked.contains(&grant.privilege) {
            continue;
        }
        privileges.insert(grant.privilege);
        match grant.scope {
            ScopeRef::Model(id) => {
                models.insert(id);
            }
            ScopeRef::Version(id) => models.extend(snapshot.version(id).map(|version| version.model)),
            ScopeRef::Alias(id) => models.extend(snapshot.alias(id).map(|alias| alias.model)),
            ScopeRef::Platform | ScopeRef::Project(_) | ScopeRef::Endpoint(_) | ScopeRef::Dataset(_) => {
                any = true;
            }
        }
    }
    // A token names few models; who holds rights on more gets one for any, decided request by request all the same.
    let models = if any || models.len() > MODELS_MAX { Models::Any } else { Models::Only(models) };
    Rights::new(privileges, models)
}
