//! The life of a request, one phase after the other:
//!
//! accept → identify → recognise → situate → decide → reserve → record → permit → forward → disclose → observe
//!
//! `decide`, `reserve`, `record` and `permit` are one call into `modelward-enforcement`, whose types make their order
//! unavoidable. A request that gets no further than `recognise` is rejected: recorded in aggregate, and nothing of it
//! is forwarded.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use modelward_decision::inventory::{Endpoint, Protocol};
use modelward_decision::vocabulary::{Ask, DecisionId, Name, PrincipalRef, ResourceRef};
use modelward_decision::{Decision, Remedy, Snapshot};
use modelward_enforcement::{
    Answer, Denial, Durable, Ending, Enforced, NoPermit, Operation, Peer, Rejection, RejectionKind,
    ReleaseClass, RequestMark, Status, Summary,
};
use modelward_identity::token::Scheme;
use modelward_seal::Digest;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};

use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use crate::answer::{Body, EventParts, Events};
use crate::disclose::{EventFilter, document, duties, keep_of};
use crate::forward::{self, Failure, Outgoing};
use crate::gateway::Shared;
use crate::identify::{self, identify};
use crate::local::{self, Asker, Seen};
use crate::observe::{Observation, observe};
use crate::recognise::{Recognised, recognise};
use crate::refusal::{Challenge, DECISION_HEADER, Reason, Refusal};
use crate::routes::{self, Call, Release, Verdict};
use crate::situate::situate;
use crate::strict::{self, Head};

/// What is known of a request so far, for its error shape and its line in the log.
#[derive(Debug)]
struct Trail {
    protocol: Protocol,
    route: Option<&'static str>,
    endpoint: Option<Name>,
    principal: Option<PrincipalRef>,
    /// What the caller is to prove itself under, should it have to do so again.
    scheme: Scheme,
    decision: Option<DecisionId>,
    upstream: Option<Duration>,
    started: Instant,
}

/// What a permit locks in: everything forwarding needs.
struct Job {
    recognised: Recognised,
    /// The document, where no upstream is asked.
    local: Option<Bytes>,
}

/// Answers one request, whatever it is.
pub(crate) async fn serve(shared: &Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
    let mut trail = Trail {
        protocol: Protocol::OpenAi,
        route: None,
        endpoint: None,
        principal: None,
        scheme: Scheme::Bearer,
        decision: None,
        upstream: None,
        started: Instant::now(),
    };
    let (parts, body) = request.into_parts();
    if let Some(answer) = probe(shared, &parts) {
        return answer;
    }
    let limit = shared.config.limits.request;
    let span = tracing::debug_span!(
        "gateway request",
        otel.kind = "server",
        route = Empty,
        endpoint = Empty,
        decision = Empty,
        http.response.status_code = Empty,
    );
    // Boxed, so that a quiet connection does not carry the state of a request.
    let phases = Box::pin(phases(shared, peer, &parts, body, &mut trail));
    let answered = timeout(limit, phases.instrument(span.clone())).await;
    let answered = answered
        .unwrap_or_else(|_| Err(Refusal::new(Reason::Deadline, "the request took longer than it may")));
    let response = match answered {
        Ok(response) => response,
        Err(refusal) => {
            // A flood of refusals lets whoever waits for this CPU go first: a revocation passes through several threads.
            std::thread::yield_now();
            refuse(shared, peer, refusal, &trail)
        }
    };
    trail.describe(&span, response.status());
    response
}

async fn phases(
    shared: &Arc<Shared>,
    peer: IpAddr,
    parts: &Parts,
    body: Incoming,
    trail: &mut Trail,
) -> Result<Response<Body>, Refusal> {
    // Accept: the head can be read in one way only.
    trail.protocol = guess(parts);
    let head = strict::read(parts)?;
    let segments = head.path.segments();
    trail.protocol = local::spoken(segments.get(1).map(Cow::as_ref));
    if let Some(alive) = live(&head, trail) {
        return Ok(alive);
    }

    // Identify: before anything is looked up or read.
    let snapshot = shared.enforcer.snapshot();
    trail.scheme = head.scheme();
    let who = identify(shared, parts, &head, Some(shared.admission.verifier().audience()), &snapshot)?;
    trail.principal = Some(who.principal());

    // Recognise: endpoint, route, body, model.
    let endpoint = endpoint(&snapshot, segments).ok_or_else(Refusal::unknown_model)?;
    trail.protocol = endpoint.protocol;
    trail.endpoint = Some(endpoint.name.clone());
    let now = shared.enforcer.now();
    let situation = situate(&shared.config.segments, &shared.unknown, peer, &endpoint, now);
    let asker = Asker { snapshot: &snapshot, who: &who, situation: &situation, now };
    let recognised = match read_request(shared, &snapshot, &endpoint, parts, &head, body, trail).await {
        Ok((recognised, mark)) => Ok((recognised, mark)),
        // Whoever may not know of the endpoint learns nothing of its routes either.
        Err(refusal) if refusal.reason.tells_of_endpoint() && !asker.knows_endpoint(&endpoint).await => {
            Err(Refusal::unknown_model())
        }
        Err(refusal) => Err(refusal),
    };
    let (recognised, mark) = recognised?;
    let ask = Ask { fields: recognised.asks.clone(), bytes: None, purpose: head.purpose.clone() };
    let (seen, local) = locally(shared, &asker, &recognised, trail.protocol).await?;
    let bound = recognised.bound.clone();

    // Decide, reserve, record, permit.
    let operation = Operation::new(seen.action, seen.resource, mark, Job { recognised, local })
        .released_as(ReleaseClass::R1)
        .asking(ask)
        .summarised(summary(
            &endpoint,
            bound.as_ref().map(|bound| (bound.public_name(), bound.label())),
            trail,
        ));
    let enforced = match shared.enforcer.enforce(&who, operation, &situation).await {
        Ok(enforced) => enforced,
        Err(no) => {
            let knows = match &bound {
                Some(bound) => asker.knows(bound),
                None => asker.knows_endpoint(&endpoint).await,
            };
            return Err(no_permit(&no, knows));
        }
    };
    trail.decision = Some(enforced.permit.id());
    carry_out(shared, &endpoint, enforced, trail).await.map_err(|refusal| match trail.decision {
        Some(id) => refusal.decided(id),
        None => refusal,
    })
}

fn endpoint(snapshot: &Snapshot, segments: &[Cow<'_, str>]) -> Option<Arc<Endpoint>> {
    snapshot.endpoint_named(segments.first()?).cloned()
}

/// Finds the row, reads the body it takes, and understands it.
async fn read_request(
    shared: &Shared,
    snapshot: &Snapshot,
    endpoint: &Arc<Endpoint>,
    parts: &Parts,
    head: &Head<'_>,
    body: Incoming,
    trail: &mut Trail,
) -> Result<(Recognised, RequestMark), Refusal> {
    let below = head.path.segments().get(1..).unwrap_or_default();
    let unknown =
        || Refusal::new(Reason::UnknownRoute, "there is no such route; what is not listed is denied");
    let found = routes::find(endpoint.protocol, head.method, below).ok_or_else(unknown)?;
    trail.route = Some(found.route.id);
    let (actions, call) = match found.route.verdict {
        Verdict::Allow { actions, call, release: Release::R1 } => (actions, call),
        Verdict::Allow { release: Release::Unrecorded, .. } => return Err(unknown()),
        Verdict::Deny => {
            let message = format!("this route is denied: {}", found.route.note);
            return Err(Refusal::new(Reason::DeniedRoute, message));
        }
    };
    let body = if call.takes_body() {
        strict::check_json_body(parts, head)?;
        read_body(shared, head, body).await?
    } else if body.is_end_stream() {
        Bytes::new()
    } else {
        return Err(Refusal::new(Reason::Http, "this route takes no body"));
    };
    let mark = mark(parts, &body);
    let recognised = recognise(snapshot, endpoint, &found, (call, actions), body, &shared.config.bounds)?;
    Ok((recognised, mark))
}

/// The body, within its bounds of size and time.
async fn read_body(shared: &Shared, head: &Head<'_>, mut body: Incoming) -> Result<Bytes, Refusal> {
    let max = shared.config.limits.body_bytes;
    let too_large = || Refusal::new(Reason::TooLarge, format!("the body is larger than {max} bytes"));
    if head.length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max)) {
        return Err(too_large());
    }
    let read = async {
        let mut first = Bytes::new();
        let mut more = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::new(Reason::Http, "the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.len() + more.len() + data.len() > max {
                return Err(too_large());
            }
            match (first.is_empty(), more.is_empty()) {
                (true, true) => first = data,
                (_, true) => {
                    more.reserve(first.len() + data.len());
                    more.extend_from_slice(&first);
                    more.extend_from_slice(&data);
                    first = Bytes::new();
                }
                (_, false) => more.extend_from_slice(&data),
            }
        }
        Ok(if more.is_empty() { first } else { more.freeze() })
    };
    let late = || Refusal::new(Reason::Deadline, "the body did not arrive in time");
    timeout(shared.config.limits.body, read).await.map_err(|_| late())?
}

/// The digest of what was asked. The path is in its one spelling, and no header changes what is asked.
fn mark(parts: &Parts, body: &Bytes) -> RequestMark {
    let mut digest = Sha256::new();
    digest.update(parts.method.as_str());
    digest.update(b" ");
    digest.update(parts.uri.path());
    digest.update(b"\n");
    digest.update(body);
    let digest: [u8; 32] = digest.finalize().into();
    RequestMark { digest: Digest::from_bytes(digest), bytes: u64::try_from(body.len()).unwrap_or(u64::MAX) }
}

fn summary(endpoint: &Endpoint, model: Option<(&str, &str)>, trail: &Trail) -> Summary {
    let summary =
        Summary::default().with("endpoint", &endpoint.name).with("route", trail.route.unwrap_or("none"));
    match model {
        Some((model, version)) => summary.with("model", model).with("version", version),
        None => summary,
    }
}

/// What is decided, and the document of those routes that ask no upstream.
async fn locally(
    shared: &Shared,
    asker: &Asker<'_>,
    recognised: &Recognised,
    protocol: Protocol,
) -> Result<(Seen, Option<Bytes>), Refusal> {
    let endpoint = &recognised.endpoint;
    let about_endpoint = Seen { action: recognised.action, resource: ResourceRef::Endpoint(endpoint.id) };
    match recognised.call {
        Call::InferenceServer => Ok((about_endpoint, Some(Bytes::from_static(local::SERVER)))),
        Call::InferenceReady => {
            let is_ready =
                shared.upstreams.named(&endpoint.upstream).is_some_and(|upstream| upstream.is_well());
            let document: &[u8] = if is_ready { b"{\"ready\":true}" } else { b"{\"ready\":false}" };
            Ok((about_endpoint, Some(Bytes::from_static(document))))
        }
        Call::Models | Call::InferenceModels | Call::InferenceIndex => {
            let (rows, seen) = asker.visible(endpoint).await;
            if rows.is_empty() && !asker.knows_endpoint(endpoint).await {
                return Err(Refusal::unknown_model());
            }
            Ok((seen, Some(local::models(recognised.call, &rows))))
        }
        Call::Model => {
            let bound = recognised.bound.as_ref().ok_or_else(Refusal::unknown_model)?;
            let seen = asker.sight(bound).ok_or_else(Refusal::unknown_model)?;
            Ok((seen, Some(local::model(bound))))
        }
        Call::Infer
        | Call::Generate
        | Call::GenerateStream
        | Call::InferenceModel
        | Call::InferenceModelReady
        | Call::ChatCompletions
        | Call::Completions
        | Call::Responses
        | Call::Embeddings
        | Call::InferenceLive => {
            let bound = recognised.bound.as_ref().ok_or_else(Refusal::unknown_model)?;
            debug_assert_eq!(protocol, endpoint.protocol, "the shape of errors is the endpoint's");
            Ok((Seen { action: recognised.action, resource: ResourceRef::Version(bound.version.id) }, None))
        }
    }
}

/// Forward and disclose, with the permit in hand.
async fn carry_out(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    enforced: Enforced<Job>,
    trail: &mut Trail,
) -> Result<Response<Body>, Refusal> {
    let Enforced { permit, record } = enforced;
    let (duties, held) = duties(permit.obligations(), permit.held_fields());
    let (Job { recognised, local }, opened) = permit.open();
    if let Some(document) = local {
        let durable = record.durable().await.map_err(|no| no_permit(&no, true))?;
        let status = match (recognised.call, document.as_ref()) {
            // The protocol says 4xx for "not ready".
            (Call::InferenceReady, b"{\"ready\":false}") => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        return disclose_whole(shared, opened.answer((status, document)), durable, trail);
    }
    let bound = recognised.bound.clone().ok_or_else(Refusal::unknown_model)?;
    let alternatives = shared.config.bounds.alternatives;
    let outgoing = forward::build(&recognised, &bound, held, duties, alternatives);
    let Some(upstream) = shared.upstreams.named(&endpoint.upstream) else {
        tracing::error!(endpoint = %endpoint.name, upstream = %endpoint.upstream, "an upstream is not configured");
        opened.nothing_sent();
        let durable = record.durable().await.map_err(|no| no_permit(&no, true))?;
        durable.conclude(&Ending::new(Status::Failed));
        return Err(Refusal::new(Reason::Upstream, "no model server is configured for this endpoint"));
    };

    // Forward, while the record is on its way to the disk. Nothing leaves before both are there; the record is asked
    // for last, so that those of many requests reach the disk together.
    let since = Instant::now();
    let call = recognised.call;
    let sent = match call {
        Call::InferenceModelReady => ready(upstream, &outgoing).await.map(Reply::Whole),
        _ => {
            let span = tracing::debug_span!("upstream", otel.kind = "client");
            forward::send(upstream, &outgoing).instrument(span).await.map(Reply::Arrived)
        }
    };
    trail.upstream = Some(since.elapsed());
    let durable = record.durable().await.map_err(|no| no_permit(&no, true))?;
    let reply = match sent {
        Ok(reply) => reply,
        Err(Failure { refusal, was_sent }) => {
            if !was_sent {
                opened.nothing_sent();
            }
            durable.conclude(&ending(Status::Failed, trail));
            return Err(refusal);
        }
    };
    let arrived = match reply {
        Reply::Whole(document) => return disclose_whole(shared, opened.answer(document), durable, trail),
        Reply::Arrived(arrived) => arrived,
    };

    // Disclose.
    if recognised.is_stream {
        let guard = shared.enforcer.register(opened.standing());
        let filter = EventFilter::new(call, outgoing.lens, shared.config.limits.event_bytes);
        let disclosure = opened.answer((arrived.body, filter)).disclose(&durable).map_err(|error| {
            tracing::error!(%error, "an answer met another request's record");
            Refusal::new(Reason::Closed, "the answer is withheld")
        })?;
        let ((upstream, filter), gate) = disclosure.into_parts();
        let events = Events::new(EventParts {
            upstream,
            filter,
            gate,
            guard,
            lasts: shared.config.limits.stream,
            record: durable,
            observer: Arc::clone(&shared.observer),
            observation: trail.observation(StatusCode::OK),
            started: trail.started,
        });
        let body = Body::Events(Box::new(events));
        return Ok(response(StatusCode::OK, "text/event-stream", body, trail.decision));
    }
    let filtered = match filter_whole(shared, call, arrived, &outgoing).await {
        Ok(filtered) => filtered,
        Err((refusal, status)) => {
            durable.conclude(&ending(status, trail));
            return Err(refusal);
        }
    };
    disclose_whole(shared, opened.answer((StatusCode::OK, filtered)), durable, trail)
}

/// What came back.
enum Reply {
    Arrived(crate::upstream::Arrived),
    Whole((StatusCode, Bytes)),
}

/// Whether a model is ready, in our own words.
async fn ready(
    upstream: &Arc<crate::upstream::Upstream>,
    outgoing: &Outgoing,
) -> Result<(StatusCode, Bytes), Failure> {
    let is_ready = forward::is_ready(upstream, outgoing).await?;
    let mut out = b"{\"name\":".to_vec();
    crate::json::write_text(&mut out, &outgoing.lens.public_name);
    out.extend_from_slice(if is_ready { b",\"ready\":true}" } else { b",\"ready\":false}" });
    let status = if is_ready { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok((status, Bytes::from(out)))
}

/// Reads a whole answer and filters it.
async fn filter_whole(
    shared: &Shared,
    call: Call,
    arrived: crate::upstream::Arrived,
    outgoing: &Outgoing,
) -> Result<Bytes, (Refusal, Status)> {
    let max = shared.config.limits.answer_bytes;
    let whole =
        arrived.body.collect(max).await.map_err(|fault| (Failure::of(&fault).refusal, Status::Failed))?;
    let withheld = || {
        let refusal = Refusal::new(Reason::Upstream, "the model server sent what cannot be passed on");
        (refusal, Status::Withheld)
    };
    let text = std::str::from_utf8(&whole).map_err(|_| withheld())?;
    let keep = keep_of(call).ok_or_else(withheld)?;
    let mut out = Vec::with_capacity(whole.len());
    if let Err(fault) = document(keep, &outgoing.lens, text, &mut out) {
        tracing::warn!(%fault, "an upstream's answer was withheld");
        return Err(withheld());
    }
    Ok(Bytes::from(out))
}

/// Lets a whole answer go: its right stands, its record is durable, and it is within its bound.
fn disclose_whole(
    shared: &Shared,
    answer: Answer<(StatusCode, Bytes)>,
    durable: Durable,
    trail: &Trail,
) -> Result<Response<Body>, Refusal> {
    if let Some(end) = answer.standing().end(&shared.enforcer.snapshot(), shared.enforcer.now()) {
        durable.conclude(&ending(Status::Ended(end), trail));
        return Err(Refusal::new(Reason::Cut, end.in_words()));
    }
    let disclosure = match answer.disclose(&durable) {
        Ok(disclosure) => disclosure,
        Err(error) => {
            tracing::error!(%error, "an answer met another request's record");
            durable.conclude(&ending(Status::Withheld, trail));
            return Err(Refusal::new(Reason::Closed, "the answer is withheld"));
        }
    };
    let ((status, document), mut gate) = disclosure.into_parts();
    if let Err(limit) = gate.pass(&document) {
        durable.conclude(&ending(Status::Withheld, trail));
        return Err(Refusal::new(Reason::AnswerTooLarge, limit.to_string()));
    }
    durable.conclude(&ending(Status::Done, trail).delivering(gate.delivered()));
    let mut observation = trail.observation(status);
    observation.bytes = u64::try_from(document.len()).unwrap_or(u64::MAX);
    observe(&*shared.observer, &observation);
    Ok(response(status, "application/json", Body::from(document), trail.decision))
}

fn ending(status: Status, trail: &Trail) -> Ending {
    let ending = Ending::new(status);
    match trail.upstream {
        Some(took) => ending.after_upstream_ms(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        None => ending,
    }
}

/// Why enforcement gave no permit, in the caller's words.
pub(crate) fn no_permit(no: &NoPermit, knows: bool) -> Refusal {
    use modelward_enforcement::Reason as Why;
    let denial = match no {
        NoPermit::Denied(denial) => denial,
        NoPermit::Unavailable(why) => {
            let message =
                "decisions cannot be recorded or rights not known right now, so nothing is released";
            let refusal = Refusal::new(Reason::Closed, message);
            return if why.is_passing() { refusal.retry_after(1) } else { refusal };
        }
    };
    let decision = denial.decision();
    let sentence = sentence(decision);
    let refusal = match denial.reason() {
        Why::Policy => policy(denial, sentence, knows),
        Why::Credential(_) => {
            Refusal::new(Reason::Unauthenticated, sentence).challenging(Challenge::Invalid(Scheme::Bearer))
        }
        Why::StepUp { strength, max_age_seconds } => Refusal::new(Reason::StepUp, sentence)
            .challenging(Challenge::StepUp { strength, max_age_seconds, scheme: Scheme::Bearer }),
        Why::Rate { retry_after_seconds, .. } => {
            Refusal::new(Reason::Rate, sentence).retry_after(retry_after_seconds)
        }
        Why::Ended(_) => Refusal::new(Reason::Cut, sentence),
        Why::Budget { .. } | Why::Capability(_) => Refusal::new(Reason::Denied, sentence),
        Why::Unsound => Refusal::new(Reason::Closed, "the decision is withheld"),
    };
    refusal.decided(denial.id())
}

/// A denial by policy. Somebody no grant of whom reaches the thing is told what somebody who made it up is told,
/// whatever denied it: a guardrail that speaks up would tell that the thing exists.
fn policy(denial: &Denial, sentence: String, knows: bool) -> Refusal {
    let decision = denial.decision();
    let is_hidden = decision.covering.is_empty() && !knows;
    if is_hidden {
        return Refusal::unknown_model();
    }
    match decision.remedies.first() {
        Some(Remedy::StepUp { strength, max_age_seconds }) => {
            let challenge = Challenge::StepUp {
                strength: *strength,
                max_age_seconds: *max_age_seconds,
                scheme: Scheme::Bearer,
            };
            Refusal::new(Reason::StepUp, sentence).challenging(challenge)
        }
        _ => Refusal::new(Reason::Denied, sentence),
    }
}

fn sentence(decision: &Decision) -> String {
    decision.sentence.trim_end_matches('.').to_owned()
}

/// The answer of a request that gets none, recorded if nothing recorded it before.
fn refuse(shared: &Shared, peer: IpAddr, refusal: Refusal, trail: &Trail) -> Response<Body> {
    let refusal = match refusal.decision.or(trail.decision) {
        Some(id) => refusal.decided(id),
        None if refusal.reason == Reason::Closed => refusal,
        None => {
            let reason = match trail.route {
                Some(route) => format!("{} {route}", refusal.reason.code()),
                None => refusal.reason.code().to_owned(),
            };
            let id = shared.enforcer.reject(&Rejection {
                kind: refusal.reason.rejection(),
                peer: Peer::of(peer),
                protocol: match trail.protocol {
                    Protocol::OpenInference => "open-inference",
                    Protocol::OpenAi => "openai",
                },
                reason,
                request: None,
            });
            refusal.decided(id)
        }
    };
    let refusal = refusal.under(trail.scheme);
    let mut response = refusal.response(trail.protocol);
    if refusal.challenge == Some(Challenge::Missing) {
        announce(&mut response, shared.admission.verifier().audience());
    }
    let mut observation = trail.observation(response.status());
    observation.decision = refusal.decision;
    observation.refused = Some(refusal.reason);
    observation.bytes = u64::try_from(response.body().len()).unwrap_or(u64::MAX);
    observe(&*shared.observer, &observation);
    response.map(Body::from)
}

/// Tells somebody without a credential where to learn how to get one (RFC 9728 section 5.1).
fn announce<B>(response: &mut Response<B>, resource: &str) {
    let path = identify::METADATA_PATH;
    response.headers_mut().remove(WWW_AUTHENTICATE);
    for scheme in ["Bearer realm=\"modelward\"", "DPoP algs=\"EdDSA ES256\""] {
        let challenge = format!("{scheme}, resource_metadata=\"{resource}{path}\"");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
}

impl Trail {
    /// Puts what is known at the end into the span, if anybody listens.
    fn describe(&self, span: &Span, status: StatusCode) {
        if span.is_disabled() {
            return;
        }
        span.record("http.response.status_code", status.as_u16());
        if let Some(route) = self.route {
            span.record("route", route);
        }
        if let Some(endpoint) = &self.endpoint {
            span.record("endpoint", endpoint.as_str());
        }
        if let Some(decision) = self.decision {
            span.record("decision", display(decision));
        }
    }

    fn observation(&self, status: StatusCode) -> Observation {
        Observation {
            route: self.route,
            endpoint: self.endpoint.clone(),
            principal: self.principal,
            decision: self.decision,
            status: status.as_u16(),
            refused: None,
            bytes: 0,
            events: 0,
            took: self.started.elapsed(),
            upstream: self.upstream,
        }
    }
}

impl Reason {
    pub(crate) const fn rejection(self) -> RejectionKind {
        match self {
            Self::Unauthenticated | Self::StepUp => RejectionKind::Unauthenticated,
            Self::UnknownRoute | Self::DeniedRoute | Self::UnknownModel => RejectionKind::Unmapped,
            Self::Http
            | Self::TooLarge
            | Self::MediaType
            | Self::Body
            | Self::Denied
            | Self::Rate
            | Self::Closed
            | Self::Upstream
            | Self::UpstreamSlow
            | Self::UpstreamRefused
            | Self::AnswerTooLarge
            | Self::Cut
            | Self::Deadline => RejectionKind::Malformed,
        }
    }

    /// Whether a refusal for this reason says that its endpoint exists.
    const fn tells_of_endpoint(self) -> bool {
        match self {
            Self::UnknownRoute
            | Self::DeniedRoute
            | Self::MediaType
            | Self::Body
            | Self::Http
            | Self::TooLarge => true,
            Self::Unauthenticated
            | Self::StepUp
            | Self::UnknownModel
            | Self::Denied
            | Self::Rate
            | Self::Closed
            | Self::Upstream
            | Self::UpstreamSlow
            | Self::UpstreamRefused
            | Self::AnswerTooLarge
            | Self::Cut
            | Self::Deadline => false,
        }
    }
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: Body,
    decision: Option<DecisionId>,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(value) = decision.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        headers.insert(DECISION_HEADER, value);
    }
    response
}

/// The gateway's own probes: no endpoint, no credential, no record.
fn probe(shared: &Shared, parts: &Parts) -> Option<Response<Body>> {
    let is_well = match parts.uri.path() {
        "/healthz/live" => true,
        identify::METADATA_PATH if parts.method == Method::GET && parts.uri.query().is_none() => {
            let document = Body::from(shared.metadata.clone());
            return Some(response(StatusCode::OK, "application/json", document, None));
        }
        "/healthz/ready" => !shared.draining.is_cancelled() && shared.enforcer.ready().is_ok(),
        _ => return None,
    };
    let (status, document): (_, &[u8]) = if is_well {
        (StatusCode::OK, b"{\"ok\":true}")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, b"{\"ok\":false}")
    };
    Some(response(status, "application/json", Body::from(Bytes::from_static(document)), None))
}

/// `/v2/health/live`: of the gateway, and the same whatever endpoint is named, so that it tells nothing.
fn live(head: &Head<'_>, trail: &mut Trail) -> Option<Response<Body>> {
    let found = routes::find(Protocol::OpenInference, head.method, head.path.segments().get(1..)?)?;
    let is_live = matches!(found.route.verdict, Verdict::Allow { call: Call::InferenceLive, .. });
    trail.route = is_live.then_some(found.route.id);
    is_live.then(|| {
        let document = Bytes::from_static(b"{\"live\":true}");
        response(StatusCode::OK, "application/json", Body::from(document), None)
    })
}

/// The protocol of a request whose path may not even be one.
fn guess(parts: &Parts) -> Protocol {
    local::spoken(parts.uri.path().split('/').nth(2))
}
