//! Token exchange, RFC 8693: a session secret in, a short-lived access token for some of one's rights out.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::grant::Grant;
use modelward_decision::vocabulary::{Action, ModelId, Name, PrincipalRef, Privilege, ResourceRef, ScopeRef};
use modelward_enforcement::Summary;
use modelward_identity::session::SessionToken;
use modelward_identity::token::{Ask, ExchangeRefusal, MODELS_MAX, Profile};
use modelward_identity::{Models, Rights};

use crate::caller::{Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::names;
use crate::problem::Problem;
use crate::wire::{ErrorCode, Secret, TokenRequest, TokenResponse};

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
            ErrorCode::Denied | ErrorCode::Refused => "access_denied",
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

pub(crate) async fn exchange(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: TokenRequest,
) -> Result<Allowed<TokenResponse>, Refused> {
    let ask = asked(plane, &request)?;
    let caller = subject(plane, visit, &request.subject_token).await?;
    let asked_for: Vec<&str> = ask.rights.privileges.iter().map(|privilege| privilege.as_str()).collect();
    let summary = Summary::default().with("what", "token").with("privileges", asked_for.join(" "));
    let (ask, pass) = plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, ask).await?;
    let minted = pass
        .carry_out(async {
            let snapshot = plane.snapshot();
            let now = plane.now();
            let bound = bound(&snapshot, caller.who.principal(), now, &ask.rights.privileges);
            let minted = plane.issuer.exchange(&caller.who, &ask, &bound, &snapshot, &*plane.ids, now);
            let minted = minted.map_err(|why| refusal(&why))?;
            let privileges: Vec<Privilege> = minted.rights.privileges.iter().copied().collect();
            let models = match &minted.rights.models {
                Models::Any => Vec::new(),
                Models::Only(models) => models.iter().copied().collect(),
            };
            let scope: Vec<&str> = privileges.iter().map(|privilege| privilege.as_str()).collect();
            Ok(TokenResponse {
                access_token: Secret::new(minted.text.expose()),
                issued_token_type: TokenRequest::ACCESS_TOKEN.to_owned(),
                token_type: "Bearer".to_owned(),
                expires_in: u64::try_from(minted.expires_at.duration_since(now).as_secs()).unwrap_or(0),
                scope: scope.join(" "),
                privileges,
                models,
            })
        })
        .await?;
    Ok(minted)
}

fn refusal(refusal: &ExchangeRefusal) -> Problem {
    match refusal {
        ExchangeRefusal::Expired | ExchangeRefusal::Revoked => {
            Problem::new(ErrorCode::Unauthenticated, refusal.to_string())
        }
        ExchangeRefusal::NothingLeft => Problem::new(ErrorCode::Refused, refusal.to_string())
            .hint("ask for a privilege you hold a live grant of; `modelward whoami` lists them"),
        ExchangeRefusal::Joined(..) | ExchangeRefusal::TooManyModels | ExchangeRefusal::Life => {
            Problem::new(ErrorCode::Refused, refusal.to_string())
        }
        ExchangeRefusal::Unwritable(_) => Problem::internal("writing a token", refusal),
    }
}

fn asked(plane: &ControlPlane, request: &TokenRequest) -> Result<Ask, Refused> {
    if request.grant_type != TokenRequest::GRANT_TYPE {
        return Err(Refused::new(
            "unsupported_grant_type",
            format!("`grant_type` is {}", TokenRequest::GRANT_TYPE),
        ));
    }
    if request.subject_token_type != TokenRequest::SUBJECT_SESSION {
        return Err(Refused::new(
            "invalid_request",
            format!("`subject_token_type` is {}", TokenRequest::SUBJECT_SESSION),
        ));
    }
    if request.requested_token_type.as_deref().is_some_and(|asked| asked != TokenRequest::ACCESS_TOKEN) {
        return Err(Refused::new(
            "invalid_request",
            format!("`requested_token_type` is {}", TokenRequest::ACCESS_TOKEN),
        ));
    }
    let profile = match request.audience.as_deref() {
        None => Profile::Access,
        Some(audience) if audience == plane.settings.gateway_audience => Profile::Access,
        Some(audience) if audience == plane.settings.external_url => Profile::Control,
        Some(_) => {
            return Err(Refused::new(
                "invalid_target",
                "`audience` is the address of the gateway or of this API",
            ));
        }
    };
    let mut privileges = BTreeSet::new();
    for word in request.scope.as_deref().unwrap_or("inference").split_whitespace() {
        let privilege: Privilege =
            word.parse().map_err(|error: modelward_decision::vocabulary::UnknownPrivilege| {
                Refused::new("invalid_scope", error.to_string())
            })?;
        privileges.insert(privilege);
    }
    let snapshot = plane.snapshot();
    let models = match request.models.as_deref() {
        None => Models::Any,
        Some(models) => {
            let mut found = BTreeSet::new();
            for word in models.split_whitespace() {
                // An unknown model is left out, so that the answer does not tell which exist.
                if let Ok(resource) = names::resource(&snapshot, word) {
                    found.extend(snapshot.model_of(resource));
                }
            }
            Models::Only(found)
        }
    };
    let client = Name::new("api").map_err(|error| Problem::internal("naming a client", &error))?;
    Ok(Ask { profile, rights: Rights::new(privileges, models), client, ttl: None })
}

async fn subject(plane: &ControlPlane, visit: &Visit, secret: &Secret) -> Result<Caller, Problem> {
    let refused = |reason: String| visit.unauthenticated(plane, &reason);
    let token = SessionToken::parse(secret.expose()).map_err(|refusal| refused(refusal.to_string()))?;
    let found = plane.store.session_by_token(&token.digest()).await?;
    let Some(found) = found.filter(|session| session.ended_at.is_none()) else {
        return Err(refused("this is not a session of ours, or it was ended".to_owned()));
    };
    let now = plane.now();
    let who = found
        .record
        .authenticate(&token, &plane.snapshot(), now)
        .map_err(|refusal| refused(refusal.to_string()))?;
    if let Some(touched) = found.record.touched(now) {
        plane.store.touch_session(touched.id, now).await?;
    }
    Ok(Caller {
        who,
        situation: visit.situation.clone(),
        mark: visit.mark,
        session: Some(Arc::new(found.record)),
        form_token: None,
    })
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
