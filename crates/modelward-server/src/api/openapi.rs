//! The OpenAPI document: paths from the list of routes, shapes from the wire types. A golden file freezes it.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::Answer;
use crate::http;
use crate::routes::{Needs, ROUTES, Route, TAKEN};
use crate::wire;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Modelward control API",
        version = "1",
        description = "Who may do what to which model: grants, inventory, decisions and the ledger that proves them."
    ),
    components(schemas(
        wire::AccessRow,
        wire::AddPasskeyRequest,
        wire::AttemptView,
        wire::AuthenticatorOffered,
        wire::AuthenticatorRequest,
        wire::Applied,
        wire::ApplyGroupsRequest,
        wire::ApplyMachinesRequest,
        wire::ActivateRequest,
        wire::ApplyRequest,
        wire::BundleDifference,
        wire::BundleLine,
        wire::BundleText,
        wire::BundleView,
        wire::CanAnswer,
        wire::CanRequest,
        wire::DatasetView,
        wire::DecisionFilter,
        wire::DecisionLine,
        wire::DecisionView,
        wire::DifferenceQuery,
        wire::EndpointView,
        wire::EnrolConfirmRequest,
        wire::EnrolPasskeyBegin,
        wire::EnrolPasskeyRequest,
        wire::EnrolRequest,
        wire::EnrolStarted,
        wire::Enrolled,
        wire::EnvironmentView,
        wire::ErrorBody,
        wire::EventRefused,
        wire::FactorsChanged,
        wire::FactorsView,
        wire::GrantFilter,
        wire::GroupMappingView,
        wire::GrantRequest,
        wire::GatewayInvited,
        wire::GatewayView,
        wire::GatewaysChanged,
        wire::GrantView,
        wire::Granted,
        wire::GroupView,
        wire::HandbookText,
        wire::InviteGatewayRequest,
        wire::IdentitiesChanged,
        wire::IdentityRequest,
        wire::IdentityView,
        wire::InviteRequest,
        wire::Invited,
        wire::IssuerChanged,
        wire::IssuerLoginRequest,
        wire::IssuerView,
        wire::KeyChanged,
        wire::KeyView,
        wire::LedgerEntryView,
        wire::LedgerPosition,
        wire::LiftRequest,
        wire::LoggedIn,
        wire::LoggedOut,
        wire::LoginRequest,
        wire::LogoutNoticeRequest,
        wire::LogoutNoticed,
        wire::MachineView,
        wire::MatrixQuery,
        wire::MatrixView,
        wire::MetricsView,
        wire::ModelLine,
        wire::ModelView,
        wire::PasskeyLoginRequest,
        wire::PasskeyOptions,
        wire::PasskeyView,
        wire::PersonChange,
        wire::PersonChanged,
        wire::PersonView,
        wire::PolicyChanged,
        wire::PolicyEffects,
        wire::PolicyInFull,
        wire::PolicyStatus,
        wire::PrivilegeView,
        wire::ProjectView,
        wire::ProofView,
        wire::ProposeRequest,
        wire::ReceivedView,
        wire::RecoveryCodesMade,
        wire::ReplayReport,
        wire::ReplayRequest,
        wire::ReplayTextRequest,
        wire::ReplayView,
        wire::RevokeRequest,
        wire::Revoked,
        wire::RevokeTokenRequest,
        wire::RotateKeyRequest,
        wire::ScimClientChanged,
        wire::ScimClientMade,
        wire::ScimClientRequest,
        wire::ScimClientView,
        wire::ScimSecretRequest,
        wire::SessionView,
        wire::SessionsEnded,
        wire::SignBundleRequest,
        wire::SignInOption,
        wire::SignInOptions,
        wire::SignalLifted,
        wire::StandingView,
        wire::StrangerView,
        wire::AuthorizationDetail,
        wire::IntrospectRequest,
        wire::Introspection,
        wire::StepRequest,
        wire::TokenError,
        wire::TokenRequest,
        wire::TokenResponse,
        wire::TokenRevoked,
        wire::TransmitterView,
        wire::TrialRequest,
        wire::VersionView,
        wire::WhatCanAnswer,
        wire::WhatCanRequest,
        wire::WhoCanAnswer,
        wire::WhoCanRequest,
        wire::Whoami,
        wire::WorkloadView,
    ))
)]
struct Shapes;

/// The document as JSON.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Shapes::openapi()).unwrap_or_default();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = route.path.replace("{*path}", "{path}");
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert(route.method.as_str().to_lowercase(), operation(route, &document));
        }
    }
    if let Some(object) = document.as_object_mut() {
        object.insert("paths".to_owned(), Value::Object(paths));
        if let Some(components) = object.get_mut("components").and_then(Value::as_object_mut) {
            components.insert(
                "securitySchemes".to_owned(),
                json!({
                    "session": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A session secret, or a control token from the token endpoint."
                    },
                    "cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-mw_sid" }
                }),
            );
        }
    }
    document
}

fn operation(route: &Route, document: &Value) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let name = name.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    let mut operation = Map::new();
    match route.takes.strip_prefix('?') {
        Some(filter) => parameters.extend(query(filter, document)),
        None if route.takes != "-" => {
            let (media_type, schema) = match route.takes.split_once(' ') {
                Some(("form", shape)) => ("application/x-www-form-urlencoded", reference(shape)),
                Some(("text", media_type)) => (media_type, json!({ "type": "string" })),
                Some(_) | None => ("application/json", reference(route.takes)),
            };
            operation.insert(
                "requestBody".to_owned(),
                json!({ "required": true, "content": { media_type: { "schema": schema } } }),
            );
        }
        None => {}
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    operation.insert("operationId".to_owned(), json!(operation_id(route)));
    let needs = match route.needs {
        Needs::Nothing => "Needs no credential.".to_owned(),
        Needs::Action(action) => format!("Needs `{action}` ({}).", action.privilege()),
        Needs::Own { own, others } => format!("Needs `{own}` for one's own, `{others}` for others'."),
        Needs::Either(either, or) => format!("Needs `{either}` or `{or}`."),
        Needs::OwnOrEither { own, either, or } => {
            format!("Needs `{own}` for one's own, `{either}` or `{or}` for others'.")
        }
    };
    operation.insert("description".to_owned(), json!(needs));
    if route.needs != Needs::Nothing && route.path != "/api/v1/token" {
        operation.insert("security".to_owned(), json!([{ "session": [] }, { "cookie": [] }]));
    }
    operation.insert("responses".to_owned(), responses(route));
    Value::Object(operation)
}

/// `get_models_model_access` for `GET /api/v1/models/{model}/access`.
fn operation_id(route: &Route) -> String {
    let words = route.path.trim_start_matches("/api/v1").split(['/', '{', '}', '*', '.', '-']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_"))
}

/// Query parameters are the members of the filter's shape.
fn query(filter: &str, document: &Value) -> Vec<Value> {
    let shape = document.pointer(&format!("/components/schemas/{filter}/properties"));
    let members = shape.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema })).collect()
}

fn reference(shape: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{shape}") })
}

fn responses(route: &Route) -> Value {
    if route.answers == TAKEN {
        return json!({
            "202": { "description": "Taken." },
            "400": {
                "description": "Not taken; `err` says why.",
                "content": { "application/json": { "schema": reference("EventRefused") } }
            },
            "default": {
                "description": "Not taken; to be sent again.",
                "content": { "application/json": { "schema": reference("ErrorBody") } }
            }
        });
    }
    let schema = |shape: &str| -> Value {
        let inner = |prefix: &str| shape.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
        if let Some(item) = inner("List<") {
            return json!({
                "type": "object",
                "required": ["items", "revision"],
                "properties": {
                    "items": { "type": "array", "items": reference(item) },
                    "revision": { "type": "integer", "minimum": 0 }
                }
            });
        }
        if let Some(item) = inner("Page<") {
            return json!({
                "type": "object",
                "required": ["items", "complete_to"],
                "properties": {
                    "items": { "type": "array", "items": reference(item) },
                    "next": { "type": "string", "description": "Pass as `after` to go on." },
                    "total": { "type": "integer", "minimum": 0 },
                    "complete_to": { "type": "integer", "minimum": 0 }
                }
            });
        }
        reference(shape)
    };
    let content = match route.answers.split_once(' ') {
        // "text/event-stream of DecisionLine" and other answers that are no JSON of ours.
        Some((media_type, _)) if media_type.contains('/') => json!({ media_type: {} }),
        _ if route.answers.starts_with("OpenAPI") => json!({ "application/json": {} }),
        _ => json!({ "application/json": { "schema": schema(route.answers) } }),
    };
    let is_oauth = matches!(route.path, "/api/v1/token" | "/api/v1/revoke");
    let error = if is_oauth { "TokenError" } else { "ErrorBody" };
    json!({
        "200": { "description": "Done.", "content": content },
        "default": {
            "description": "Refused; `error` says why.",
            "content": { "application/json": { "schema": reference(error) } }
        }
    })
}

pub(super) async fn serve() -> Answer {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = DOCUMENT.get_or_init(|| serde_json::to_vec(&document()).unwrap_or_default());
    Ok(http::bytes("application/json", bytes.as_slice()))
}
