//! The OpenID AuthZEN Authorization API 1.0 over HTTP: evaluation, evaluations, three searches, metadata.
//!
//! A denial is an answer like any other, with status 200. What is not a request of the API gets an error status and a
//! message as its body, and `X-Request-ID` comes back whatever happens.

mod answer;
mod evaluate;
mod message;
mod page;
mod problem;
mod search;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use modelward_enforcement::{Peer, Rejection, RejectionKind, RequestMark};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::Door;
use crate::answer::Body;
use crate::identify::identify;
use crate::strict;
use evaluate::{Asker, Evaluated};
use message::{Evaluations, Semantic};
use problem::{Kind, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer request ids do not come back.
const REQUEST_ID_MAX: usize = 256;

/// Bytes of one request at most.
const BODY_MAX: usize = 256 * 1024;

/// Time for one request, evaluations and all.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// The paths there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Metadata,
    Evaluation,
    Evaluations,
    Search(search::Search),
}

const CALLS: [(&str, Call); 6] = [
    ("/.well-known/authzen-configuration", Call::Metadata),
    ("/access/v1/evaluation", Call::Evaluation),
    ("/access/v1/evaluations", Call::Evaluations),
    ("/access/v1/search/subject", Call::Search(search::Search::Subject)),
    ("/access/v1/search/resource", Call::Search(search::Search::Resource)),
    ("/access/v1/search/action", Call::Search(search::Search::Action)),
];

pub(super) async fn serve(door: &Door<'_>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answering = Box::pin(answer(door, &parts, body));
    let answered = timeout(REQUEST_TIME, answering)
        .await
        .unwrap_or_else(|_| Err(Problem::new(Kind::Closed, "the request took longer than it may")));
    let mut response = answered.unwrap_or_else(Problem::response);
    if let Some(id) = request_id(&parts) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The identifier to give back, if it is one that can stand in an answer.
fn request_id(parts: &Parts) -> Option<HeaderValue> {
    let mut ids = parts.headers.get_all(REQUEST_ID).iter();
    let id = ids.next().filter(|_| ids.next().is_none())?;
    let is_plain = id.as_bytes().iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    (is_plain && (1..=REQUEST_ID_MAX).contains(&id.len())).then(|| id.clone())
}

async fn answer(door: &Door<'_>, parts: &Parts, body: Incoming) -> Result<Response<Body>, Problem> {
    let head = strict::read(parts).map_err(|refusal| rejected(door, refusal.into()))?;
    let path = parts.uri.path();
    let Some((_, call)) = CALLS.iter().find(|(known, _)| *known == path) else {
        return Err(rejected(door, Problem::new(Kind::NoSuchPath, "there is no such path")));
    };
    let method = if *call == Call::Metadata { Method::GET } else { Method::POST };
    if parts.method != method {
        let allowed = if *call == Call::Metadata { "GET" } else { "POST" };
        return Err(Problem::new(Kind::Method(allowed), format!("this path takes {allowed} alone")));
    }
    if *call == Call::Metadata {
        return Ok(metadata(door));
    }
    let snapshot = door.shared.enforcer.snapshot();
    let who = identify(door.shared, parts, &head, Some(&door.config.authzen.url), &snapshot)
        .map_err(|refusal| rejected(door, refusal.into()))?;
    let caller = door.caller_of(&snapshot, who.principal()).ok_or_else(|| {
        let message = "this principal is not configured to ask about others";
        rejected(door, Problem::new(Kind::Forbidden, message))
    })?;
    // Clients of models may leave the type out; those of this API have to name it.
    if head.content_type.is_none() {
        return Err(rejected(door, Problem::new(Kind::Malformed, "send `Content-Type: application/json`")));
    }
    strict::check_json_body(parts, &head).map_err(|refusal| rejected(door, refusal.into()))?;
    let body = read_body(body).await.map_err(|problem| rejected(door, problem))?;
    let request = message::object(&body).map_err(|problem| rejected(door, problem))?;
    let mark = RequestMark::of(&[path.as_bytes(), b"\n", &body].concat());
    let asker = Asker { door, snapshot: &snapshot, who: &who, caller, mark };
    let document = match call {
        Call::Metadata => return Ok(metadata(door)),
        Call::Evaluation => {
            let question = message::question(&request).map_err(|problem| rejected(door, problem))?;
            decision(&asker.evaluate(&question).await?)
        }
        Call::Evaluations => {
            match message::evaluations(&request).map_err(|problem| rejected(door, problem))? {
                Evaluations::One(question) => decision(&asker.evaluate(&question).await?),
                Evaluations::Several(questions, semantic) => {
                    json!({ "evaluations": several(&asker, questions, semantic).await? })
                }
            }
        }
        Call::Search(kind) => asker.search(*kind, &request).await?,
    };
    Ok(json_response(&document))
}

/// Every one of several questions has its own decision and its own record.
async fn several(
    asker: &Asker<'_>,
    questions: Vec<Result<message::Question, Problem>>,
    semantic: Semantic,
) -> Result<Vec<Value>, Problem> {
    let one = async |question: Result<message::Question, Problem>| match question {
        Ok(question) => asker.evaluate(&question).await,
        Err(problem) => Err(problem),
    };
    let evaluated = if semantic == Semantic::ExecuteAll {
        // Together, so that their records reach the disk together.
        join_all(questions.into_iter().map(|question| Box::pin(one(question)))).await
    } else {
        let stops_at = semantic == Semantic::PermitOnFirstPermit;
        let mut evaluated = Vec::with_capacity(questions.len());
        for question in questions {
            let next = Box::pin(one(question)).await;
            let is_allowed = next.as_ref().is_ok_and(|next| next.is_allowed);
            evaluated.push(next);
            if is_allowed == stops_at {
                break;
            }
        }
        evaluated
    };
    evaluated
        .into_iter()
        .map(|one| match one {
            Ok(evaluated) => Ok(decision(&evaluated)),
            // The caller itself counts no longer: that is no matter of one evaluation.
            Err(problem) if problem.kind == Kind::Unauthenticated => Err(problem),
            Err(problem) => Ok(json!({ "decision": false, "context": problem.in_context() })),
        })
        .collect()
}

fn decision(evaluated: &Evaluated) -> Value {
    json!({ "decision": evaluated.is_allowed, "context": evaluated.context })
}

/// Notes what was turned away before anything could be decided.
fn rejected(door: &Door<'_>, problem: Problem) -> Problem {
    let kind = match problem.kind {
        Kind::Unauthenticated | Kind::Forbidden => RejectionKind::Unauthenticated,
        Kind::NoSuchPath | Kind::Method(_) => RejectionKind::Unmapped,
        Kind::Malformed | Kind::TooLarge | Kind::Closed => RejectionKind::Malformed,
    };
    door.shared.enforcer.reject(&Rejection {
        kind,
        peer: Peer::of(door.peer),
        protocol: door.point.as_str(),
        reason: problem.status().to_string(),
        request: None,
    });
    problem
}

async fn read_body(body: Incoming) -> Result<Bytes, Problem> {
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(Kind::TooLarge, format!("the body is larger than {BODY_MAX} bytes")))
        }
        Err(_) => Err(Problem::malformed("the body broke off")),
    }
}

/// What this decision point is and where it answers. Nothing here is a secret, so nobody is asked who they are.
fn metadata(door: &Door<'_>) -> Response<Body> {
    let config = &door.config.authzen;
    let mut document = Map::from_iter([("policy_decision_point".to_owned(), json!(config.url))]);
    for (path, call) in CALLS {
        let key = match call {
            Call::Metadata => continue,
            Call::Evaluation => "access_evaluation_endpoint",
            Call::Evaluations => "access_evaluations_endpoint",
            Call::Search(search) => search.metadata_key(),
        };
        document.insert(key.to_owned(), json!(format!("{}{path}", config.url)));
    }
    if config.drafts {
        document.insert("obligations_supported".to_owned(), json!(answer::OBLIGATION_TYPES));
    }
    json_response(&Value::Object(document))
}

fn json_response(document: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(document.to_string())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
