//! What proxies ask: may this request pass, of which they show the head and no body.
//!
//! The request goes through the strict reading, the route table and the model names of the gateway itself, and only
//! routes whose path names the model are answered. A body that nobody here reads could ask for whatever its route can
//! give, so that is what is decided, unless the proxy declares that it leaves out what is not held.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request};
use modelward_decision::inventory::{Endpoint, Protocol};
use modelward_decision::vocabulary::{
    Action, Ask, Confidence, DecisionId, DeviceFacts, Fact, Field, ResourceRef, Source,
};
use modelward_decision::{Obligation, Snapshot};
use modelward_enforcement::{
    Ending, Enforced, ObligationKind, Operation, Peer, Rejection, ReleaseClass, RequestMark, Situation,
    Status, Summary,
};

use super::Door;
use super::config::Caller;
use crate::identify::identify;
use crate::local::Asker;
use crate::phases;
use crate::recognise::{Bound, bind};
use crate::refusal::{Reason, Refusal};
use crate::routes::{self, Call, Verdict};
use crate::strict;

/// The header in which a proxy shows its secret.
pub(super) const SECRET: HeaderName = HeaderName::from_static("x-modelward-proxy-secret");
/// What a proxy is told of a request that may pass, besides the decision.
pub(super) const MODEL: &str = "x-modelward-model";
pub(super) const VERSION: &str = "x-modelward-version";
pub(super) const OBLIGATIONS: &str = "x-modelward-obligations";
pub(super) const DECISION: &str = "x-modelward-decision";
/// Headers of a caller that are read here, and that no model server needs.
pub(super) static CREDENTIALS: [HeaderName; 5] = [
    AUTHORIZATION,
    HeaderName::from_static("dpop"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-modelward-purpose"),
];

/// A request that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) decision: DecisionId,
    pub(super) model: String,
    pub(super) version: String,
    /// What the proxy must do, as in the vocabulary of obligations; empty for nothing.
    pub(super) obligations: String,
}

/// The head of a request as a proxy tells it.
#[derive(Debug)]
pub(super) struct Told<'t> {
    pub(super) method: &'t str,
    /// The target as it stood in the request line.
    pub(super) target: &'t str,
    pub(super) headers: HeaderMap,
    /// Where it came from, as far as the proxy says.
    pub(super) client: Option<IpAddr>,
}

/// Decides and records. Every refusal is recorded too, and names its record. Who is no proxy is not told what was wrong
/// with what it told.
pub(super) async fn check(
    door: &Door<'_>,
    secret: Option<&[u8]>,
    told: Result<Told<'_>, Refusal>,
) -> Result<Passed, Refusal> {
    let checked = Box::pin(pass(door, secret, told)).await;
    checked.map_err(|refusal| match refusal.decision {
        Some(_) => refusal,
        None => rejected(door, refusal),
    })
}

async fn pass(
    door: &Door<'_>,
    secret: Option<&[u8]>,
    told: Result<Told<'_>, Refusal>,
) -> Result<Passed, Refusal> {
    let snapshot = door.shared.enforcer.snapshot();
    let proxy = secret.and_then(|secret| door.proxy_of(&snapshot, secret)).ok_or_else(unknown_proxy)?;
    let told = told?;
    let client = told.client.filter(|_| proxy.asserts_network);
    let parts = head(told)?;
    let head = strict::read(&parts)?;
    // What the client called is known to the proxy alone, so no proof could be told to be for it.
    let who = identify(door.shared, &parts, &head, None, &snapshot)?;
    let segments = head.path.segments();
    let own = proxy.endpoint.as_ref().map(modelward_decision::vocabulary::Name::as_str);
    let (named, below) = match own {
        Some(own) => (own, segments),
        None => (
            segments.first().ok_or_else(Refusal::unknown_model)?.as_ref(),
            segments.get(1..).unwrap_or_default(),
        ),
    };
    let endpoint = snapshot.endpoint_named(named).ok_or_else(Refusal::unknown_model)?;
    let situation = situation(door, endpoint, client);
    let asker =
        Asker { snapshot: &snapshot, who: &who, situation: &situation, now: door.shared.enforcer.now() };
    let subject_is_reached = proxy.reaches_subject(&snapshot, who.principal());
    if !subject_is_reached {
        return Err(Refusal::unknown_model());
    }
    let (route, call, action, model, version) = match recognise(endpoint, head.method, below) {
        Ok(found) => found,
        // Whoever may not know of the endpoint learns nothing of its routes either.
        Err(refusal) if asker.knows_endpoint(endpoint).await => return Err(refusal),
        Err(_) => return Err(Refusal::unknown_model()),
    };
    let bound = bound(&snapshot, endpoint, model, version)?;
    let resource = ResourceRef::Version(bound.version.id);
    if !proxy.reaches_resource(&snapshot, resource) {
        return Err(Refusal::unknown_model());
    }
    let fields = blind_asks(proxy, call);
    let summary = Summary::default()
        .with("point", door.point.as_str())
        .with("caller", &proxy.name)
        .with("endpoint", &endpoint.name)
        .with("route", route)
        .with("model", bound.public_name())
        .with("version", bound.label());
    let mark = RequestMark::of(format!("{} {}", parts.method, parts.uri).as_bytes());
    let operation = Operation::new(action, resource, mark, ())
        .released_as(ReleaseClass::R1)
        .asking(Ask { fields: fields.clone(), bytes: None, purpose: head.purpose.clone() })
        .elsewhere()
        .summarised(summary);
    let enforcer = door.shared.enforcer.able_to(proxy.obligations);
    let enforced = enforcer.enforce(&who, operation, &situation).await;
    let enforced = enforced.map_err(|no| phases::no_permit(&no, asker.knows(&bound)))?;
    disclose(enforced, &fields, &bound).await
}

/// The request as the gateway itself would have seen it.
fn head(told: Told<'_>) -> Result<Parts, Refusal> {
    let malformed = |message: &'static str| Refusal::new(Reason::Http, message);
    if !told.target.starts_with('/') {
        return Err(malformed("the target of the request is not a path"));
    }
    let mut request = Request::builder()
        .method(told.method)
        .uri(told.target)
        .body(())
        .map_err(|_| malformed("the method or the target of the request cannot be read"))?;
    *request.headers_mut() = told.headers;
    // Which host was asked plays no part; how many are named would.
    request.headers_mut().insert(HOST, HeaderValue::from_static("proxied"));
    Ok(request.into_parts().0)
}

type Found<'p> = (&'static str, Call, Action, &'p str, Option<&'p str>);

/// The row of the route table, if its path names a model and its answer needs no rewriting by the gateway.
fn recognise<'p>(
    endpoint: &Endpoint,
    method: &http::Method,
    below: &'p [std::borrow::Cow<'_, str>],
) -> Result<Found<'p>, Refusal> {
    let unknown =
        || Refusal::new(Reason::UnknownRoute, "there is no such route; what is not listed is denied");
    let found = routes::find(endpoint.protocol, method, below).ok_or_else(unknown)?;
    let Verdict::Allow { actions, call, .. } = found.route.verdict else {
        let message = format!("this route is denied: {}", found.route.note);
        return Err(Refusal::new(Reason::DeniedRoute, message));
    };
    let through_gateway = || {
        let message = "this route is answered by the gateway alone: its path does not say everything";
        Refusal::new(Reason::DeniedRoute, message)
    };
    match call {
        Call::Infer | Call::Generate | Call::GenerateStream | Call::InferenceModelReady => {}
        Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceIndex
        | Call::InferenceModel
        | Call::ChatCompletions
        | Call::Completions
        | Call::Responses
        | Call::Embeddings
        | Call::Models
        | Call::Model => return Err(through_gateway()),
    }
    debug_assert_eq!(endpoint.protocol, Protocol::OpenInference, "no other names models in its paths");
    let action = actions.first().copied().ok_or_else(unknown)?;
    let model = found.model.ok_or_else(through_gateway)?;
    Ok((found.route.id, call, action, model, found.version))
}

/// The version that is decided about. The proxy forwards the path as it came, so that a path without a version is
/// answered only where there is one version it can mean.
fn bound(
    snapshot: &Snapshot,
    endpoint: &std::sync::Arc<Endpoint>,
    model: &str,
    version: Option<&str>,
) -> Result<Bound, Refusal> {
    let of_name = endpoint.serves.iter().filter(|served| served.public_name == model).count();
    if version.is_none() && of_name > 1 {
        return Err(Refusal::unknown_model());
    }
    bind::model(snapshot, endpoint, model, version)
}

/// What the body could ask for, where the proxy does not leave out what is not held.
fn blind_asks(proxy: &Caller, call: Call) -> BTreeSet<Field> {
    if proxy.obligations.can_do(ObligationKind::StripFields) {
        return BTreeSet::new();
    }
    match call {
        Call::Infer => BTreeSet::from([Field::RawScores]),
        Call::Generate | Call::GenerateStream => BTreeSet::from([Field::Logprobs, Field::Tokens]),
        // No body, or no route that gets this far.
        Call::InferenceModelReady
        | Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceIndex
        | Call::InferenceModel
        | Call::ChatCompletions
        | Call::Completions
        | Call::Responses
        | Call::Embeddings
        | Call::Models
        | Call::Model => BTreeSet::new(),
    }
}

fn situation(door: &Door<'_>, endpoint: &Endpoint, client: Option<IpAddr>) -> Situation {
    let now = door.shared.enforcer.now();
    let nobody_said = Fact::new(door.shared.unknown.clone(), Source::Default, now, Confidence::None);
    let segment = client.and_then(|client| door.shared.config.segments.of(client));
    let network = match segment {
        Some(segment) => Fact::new(segment.clone(), Source::TrustedProxy, now, Confidence::Claimed),
        None => nobody_said.clone(),
    };
    Situation {
        peer: Peer::of(client.unwrap_or(door.peer)),
        environment: endpoint.environment.clone(),
        endpoint: Some(endpoint.id),
        device: DeviceFacts::UNKNOWN,
        network,
        place: nobody_said,
        risk: Fact::new(0, Source::Default, now, Confidence::None),
    }
}

/// Tells the proxy, once the record is durable.
async fn disclose(enforced: Enforced<()>, asked: &BTreeSet<Field>, bound: &Bound) -> Result<Passed, Refusal> {
    let Enforced { permit, record } = enforced;
    let mut obligations: Vec<String> = permit
        .obligations()
        .iter()
        .filter(|obligation| !matches!(obligation, Obligation::Rate { .. } | Obligation::StepUp { .. }))
        .map(ToString::to_string)
        .collect();
    let left_out: BTreeSet<Field> = asked.difference(permit.held_fields()).copied().collect();
    if !left_out.is_empty() {
        obligations.push(Obligation::StripFields { fields: left_out }.to_string());
    }
    let passed = Passed {
        decision: permit.id(),
        model: bound.public_name().to_owned(),
        version: bound.label().to_owned(),
        obligations: obligations.join(", "),
    };
    let ((), opened) = permit.open();
    let durable = record.durable().await.map_err(|no| phases::no_permit(&no, true))?;
    let disclosed = opened.answer(passed).disclose(&durable).map_err(|error| {
        tracing::error!(%error, "an answer met another request's record");
        Refusal::new(Reason::Closed, "the answer is withheld")
    })?;
    let (passed, gate) = disclosed.into_parts();
    durable.conclude(&Ending::new(Status::Done));
    drop(gate);
    Ok(passed)
}

fn unknown_proxy() -> Refusal {
    Refusal::new(Reason::Denied, "this is answered to configured proxies alone, each with its secret")
}

fn rejected(door: &Door<'_>, refusal: Refusal) -> Refusal {
    let id = door.shared.enforcer.reject(&Rejection {
        kind: refusal.reason.rejection(),
        peer: Peer::of(door.peer),
        protocol: door.point.as_str(),
        reason: refusal.reason.code().to_owned(),
        request: None,
    });
    refusal.decided(id)
}
