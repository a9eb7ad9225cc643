//! What gateways ask for, over mutual TLS. A certificate counts only while its digest is that of a gateway.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use modelward_enforcement::reservations::{Budget, ReserveError, Wanted};
use modelward_identity::join::JoinCode;
use modelward_ledger::entry::{EntryDraft, Kind, SubjectKind};
use modelward_ledger::{Lane, LedgerSink as _};
use modelward_planes::message::{
    Acknowledgement, BundleText, Certificate, Join, Joined, Lend, Lent, Renew, Settle, path,
};
use modelward_planes::{FORMAT, Hello};
use modelward_seal::Digest;
use modelward_seal::canonical::{self, Limits};
use modelward_store::gateway::Gateway;
use serde::de::DeserializeOwned;

use super::feed;
use crate::authority::{Authority, AuthorityError};
use crate::control::ControlPlane;
use crate::http::{BODY_MAX, bytes, respond_plain};
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// The digest of the certificate a peer proved to have the key of. The listener puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate(pub Digest);

type Plane = Arc<ControlPlane>;
type Answer = Result<Response, Problem>;

/// Everything gateways can ask for.
pub fn router(plane: Arc<ControlPlane>) -> Router {
    Router::new()
        .route(path::JOIN, post(join))
        .route(path::RENEW, post(renew))
        .route(path::FEED, post(follow))
        .route(path::ACKNOWLEDGE, post(acknowledge))
        .route(path::LEND, post(lend))
        .route(path::SETTLE, post(settle))
        .route(&format!("{}{{bundle}}", path::BUNDLES), get(bundle))
        .fallback(async || Problem::new(ErrorCode::NotFound, "there is nothing at this address"))
        .with_state(plane)
}

fn authority(plane: &ControlPlane) -> Result<&Arc<dyn Authority>, Problem> {
    let none = || Problem::new(ErrorCode::Refused, "this control plane serves no gateways");
    plane.gateways.authority.as_ref().ok_or_else(none)
}

fn shown(request: &Request<Body>) -> Option<PeerCertificate> {
    request.extensions().get().copied()
}

/// The gateway that shows this certificate.
async fn peer(plane: &ControlPlane, shown: Option<PeerCertificate>) -> Result<Gateway, Problem> {
    let unknown = || {
        Problem::new(ErrorCode::Unauthenticated, "no certificate of a gateway")
            .hint("enrol it with `modelward gateway enrol`")
    };
    let PeerCertificate(digest) = shown.ok_or_else(unknown)?;
    if let Some(known) = plane.gateways.known(&digest) {
        return Ok(known);
    }
    let gateway = plane.store.gateway_showing(&digest).await?.ok_or_else(unknown)?;
    if plane.gateways.recognise(digest, &gateway) { Ok(gateway) } else { Err(unknown()) }
}

async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    let body = Limited::new(request.into_body(), BODY_MAX).collect().await;
    let body = body.map_err(|_| Problem::malformed("the body ended early or is too large"))?.to_bytes();
    let value = canonical::parse_strict(&body, Limits::DEFAULT.bytes(BODY_MAX))
        .map_err(|error| Problem::malformed(error.to_string()))?;
    serde_json::from_value(value).map_err(|error| Problem::malformed(error.to_string()))
}

fn speaks(format: u32) -> Result<(), Problem> {
    if format == FORMAT {
        return Ok(());
    }
    let message = format!("the gateway speaks format {format}, this control plane format {FORMAT}");
    Err(Problem::new(ErrorCode::Refused, message).hint("run the same version on both"))
}

async fn join(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let Join { format, code, request } = read(request).await?;
    speaks(format)?;
    let authority = authority(&plane)?;
    let wrong = || Problem::new(ErrorCode::Unauthenticated, "the code is wrong, expired or used");
    let code = JoinCode::digest_of(&code).ok_or_else(wrong)?;
    let now = plane.now();
    let gateway = plane.store.gateway_invited(&code, now).await?.ok_or_else(wrong)?;
    let (certificate, digest) =
        authority.certify(&request, &gateway.id, now).map_err(|error| not_certified(&error))?;
    if !plane.store.enrol_gateway(&code, &digest, now).await? {
        return Err(wrong());
    }
    record(&plane, "enrol-gateway", &gateway).await?;
    let trust = authority.trust().borrow().text().to_owned();
    respond_plain(&Joined { gateway: gateway.id, name: gateway.name.to_string(), certificate, trust })
}

async fn renew(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let gateway = peer(&plane, shown(&request)).await?;
    let Renew { request } = read(request).await?;
    let (certificate, digest): (Certificate, Digest) = authority(&plane)?
        .certify(&request, &gateway.id, plane.now())
        .map_err(|error| not_certified(&error))?;
    if !plane.store.renew_gateway(&gateway.id, &digest).await? {
        return Err(Problem::new(ErrorCode::Conflict, "the gateway was removed"));
    }
    record(&plane, "renew-gateway", &gateway).await?;
    respond_plain(&certificate)
}

fn not_certified(error: &AuthorityError) -> Problem {
    match error {
        AuthorityError::Request(_) => Problem::malformed(error.to_string()),
        AuthorityError::Signing(_) => Problem::internal("making a certificate", error),
    }
}

async fn record(plane: &ControlPlane, what: &str, gateway: &Gateway) -> Result<(), Problem> {
    let draft = EntryDraft::new(Kind::KeyEvent, plane.ids.uuid().to_string())
        .subject(SubjectKind::Service, format!("gateway/{}", gateway.id))
        .action(what)
        .detail("which", gateway.name.as_str());
    plane.ledger.submit(Lane::Control, draft)?.await?;
    Ok(())
}

async fn follow(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let gateway = peer(&plane, shown(&request)).await?;
    let hello: Hello = read(request).await?;
    speaks(hello.format)?;
    let authority = Arc::clone(authority(&plane)?);
    let lines = feed::start(&plane, authority, &gateway, &hello);
    let lines = stream::unfold(lines, async |mut lines| {
        lines.recv().await.map(|line| (Ok::<_, Infallible>(line), lines))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = HeaderValue::from_static("application/vnd.modelward.feed");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

async fn acknowledge(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let gateway = peer(&plane, shown(&request)).await?;
    let acknowledged: Acknowledgement = read(request).await?;
    plane.gateways.heard(&gateway.id, &acknowledged, plane.now());
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Counts for all gateways together, by the grant as it stands here.
async fn lend(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let gateway = peer(&plane, shown(&request)).await?;
    let Lend { loan, grant, at_most, up_to } = read(request).await?;
    let now = plane.now();
    if plane.gateways.is_fenced(&gateway.id, now) {
        return Err(Problem::new(
            ErrorCode::Conflict,
            "the gateway is fenced: it is behind the state in force",
        ));
    }
    let snapshot = plane.snapshot();
    let found = snapshot.grant(grant).ok_or_else(|| Problem::not_found("grant", &grant.to_string()))?;
    let wanted = at_most.map_or(Wanted::Unknown { up_to }, Wanted::AtMost);
    let reservation = match plane.reservations.reserve(found, wanted, now).await {
        Ok(reservation) => reservation,
        Err(ReserveError::Exhausted { budget, .. }) => return respond_plain(&spent(budget)),
        Err(error @ ReserveError::Unavailable) => {
            return Err(Problem::new(ErrorCode::Unavailable, error.to_string()));
        }
    };
    let bytes = reservation.bytes();
    if !plane.gateways.lend(&gateway.id, loan, reservation, now) {
        return Err(Problem::new(ErrorCode::Unavailable, "too much is set aside already"));
    }
    respond_plain(&Lent::Bytes(bytes))
}

const fn spent(budget: Budget) -> Lent {
    match budget {
        Budget::Uses { max } => Lent::UsesSpent { max },
        Budget::Bytes { max, left } => Lent::BytesSpent { max, left },
    }
}

async fn settle(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let gateway = peer(&plane, shown(&request)).await?;
    let Settle { loan, whole, bytes } = read(request).await?;
    plane.gateways.settle(&gateway.id, loan, whole, bytes);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The files of a bundle. Whoever reads them checks that they are those of the digest.
async fn bundle(State(plane): State<Plane>, Path(bundle): Path<String>, request: Request<Body>) -> Answer {
    peer(&plane, shown(&request)).await?;
    let digest: Digest = bundle.parse().map_err(|_| Problem::not_found("bundle", &bundle))?;
    // One that was put together from several stands in no table under its own digest.
    let bundle = match plane.policies.in_memory(digest) {
        Some(bundle) => bundle,
        None => plane.policies.bundle(digest).await?,
    };
    let sources = serde_json::to_vec(&BundleText::of(&bundle))
        .map_err(|error| Problem::internal("writing a bundle", &error))?;
    Ok(bytes("application/json", sources))
}
