//! Everything but oneself: grants, inventory, people, issuers, decisions, keys, ledger. Each handler is one operation.

use axum::body::Body;
use axum::extract::{Path, State};
use http::Request;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use modelward_decision::vocabulary::{DecisionId, GrantId};

use super::{Answer, Plane, incoming};
use crate::http::{self as edge, INVENTORY_MAX, Incoming, respond};
use crate::ops::{
    access, account, decisions as feed, explain, factors, federation as elsewhere, gateways as outposts,
    grants as giving, inventory, keys as keeping, ledger as log, people as folk, policy as governing,
    replay as again, scim as provisioning, signals as signalling,
};
use crate::problem::Problem;
use crate::wire::{DecisionFilter, Format, GrantFilter, MatrixQuery};

/// A read of the caller's own view, with nothing but the caller to go by.
macro_rules! reads {
    ($($name:ident: $operation:path;)+) => {$(
        pub(super) async fn $name(State(plane): State<Plane>, request: Request<Body>) -> Answer {
            let caller = incoming(&plane, request).await?.caller(&plane).await?;
            respond($operation(&plane, &caller).await?)
        }
    )+};
}

/// A read of one thing by its name.
macro_rules! reads_one {
    ($($name:ident: $operation:path;)+) => {$(
        pub(super) async fn $name(
            State(plane): State<Plane>,
            Path(which): Path<String>,
            request: Request<Body>,
        ) -> Answer {
            let caller = incoming(&plane, request).await?.caller(&plane).await?;
            respond($operation(&plane, &caller, &which).await?)
        }
    )+};
}

/// A command with a JSON body.
macro_rules! commands {
    ($($name:ident: $operation:path, $max:expr;)+) => {$(
        pub(super) async fn $name(State(plane): State<Plane>, request: Request<Body>) -> Answer {
            let incoming = Incoming::read(&plane, request, $max).await?;
            let caller = incoming.caller(&plane).await?;
            respond($operation(&plane, &caller, incoming.json()?).await?)
        }
    )+};
}

/// A read of one thing by its id.
macro_rules! reads_by_id {
    ($($name:ident: $operation:path, $id:path;)+) => {$(
        pub(super) async fn $name(
            State(plane): State<Plane>,
            Path(which): Path<String>,
            request: Request<Body>,
        ) -> Answer {
            let caller = incoming(&plane, request).await?.caller(&plane).await?;
            respond($operation(&plane, &caller, $id(&which)?).await?)
        }
    )+};
}

/// A read of one thing that belongs to another, by both their names.
macro_rules! reads_within {
    ($($name:ident: $operation:path;)+) => {$(
        pub(super) async fn $name(
            State(plane): State<Plane>,
            Path((whole, part)): Path<(String, String)>,
            request: Request<Body>,
        ) -> Answer {
            let caller = incoming(&plane, request).await?.caller(&plane).await?;
            respond($operation(&plane, &caller, &whole, &part).await?)
        }
    )+};
}

/// A command on one thing, with its body as `json` or, where that may be left out, as `json_or_default`.
macro_rules! commands_on_one {
    ($($name:ident: $operation:path, $body:ident;)+) => {$(
        pub(super) async fn $name(
            State(plane): State<Plane>,
            Path(which): Path<String>,
            request: Request<Body>,
        ) -> Answer {
            let incoming = incoming(&plane, request).await?;
            let caller = incoming.caller(&plane).await?;
            respond($operation(&plane, &caller, &which, incoming.$body()?).await?)
        }
    )+};
}

reads! {
    privileges: access::privileges;
    projects: inventory::projects;
    environments: inventory::environments;
    models: inventory::models;
    endpoints: inventory::endpoints;
    datasets: inventory::datasets;
    groups: folk::groups;
    people: folk::people;
    machines: folk::machines;
    keys: keeping::list;
    gateways: outposts::list;
    ledger: log::position;
    policy: governing::state;
    bundles: governing::list;
    handbook: governing::handbook;
    end_trial: governing::end_trial;
    issuers: elsewhere::issuers;
    strangers: elsewhere::strangers;
    signals: signalling::standing;
    signals_received: signalling::received;
    transmitters: signalling::transmitters;
    scim_clients: provisioning::list;
}

reads_one! {
    model: inventory::model;
    model_access: inventory::model_access;
    endpoint: inventory::endpoint;
    dataset: inventory::dataset;
    bundle: governing::one;
    bundle_file: governing::file;
    sessions_of: account::sessions_of;
    factors_of: factors::of;
    end_sessions: account::end_all;
    revoke_key: keeping::revoke;
    remove_gateway: outposts::remove;
    issuer: elsewhere::issuer;
    distrust: elsewhere::distrust;
    trust: elsewhere::trust;
    identities: elsewhere::identities;
    verify_transmitter: signalling::verify;
    resume_scim_client: provisioning::resume;
    revoke_scim_client: provisioning::revoke;
}

reads_by_id! {
    grant: giving::one, grant_id;
    decision: feed::one, decision_id;
    replay: again::replay, decision_id;
    ledger_entry: log::entry, index;
    ledger_proof: log::proof, index;
}

reads_within! {
    version: inventory::version;
    metrics: inventory::metrics;
    bundle_policy: governing::policy;
    policy_effects: governing::effects;
}

commands! {
    give: giving::give, edge::BODY_MAX;
    apply: inventory::apply, INVENTORY_MAX;
    apply_groups: inventory::apply_groups, INVENTORY_MAX;
    apply_machines: inventory::apply_machines, INVENTORY_MAX;
    invite: folk::invite, edge::BODY_MAX;
    invite_gateway: outposts::invite, edge::BODY_MAX;
    can: access::can, edge::BODY_MAX;
    who_can: access::who_can, edge::BODY_MAX;
    propose: governing::propose, edge::BUNDLE_MAX;
    try_bundle: governing::try_out, edge::BODY_MAX;
    activate: governing::activate, edge::BODY_MAX;
    roll_back: governing::roll_back, edge::BODY_MAX;
    suspend: governing::suspend, edge::BODY_MAX;
    replay_text: again::replay_text, edge::BUNDLE_MAX;
    what_can: explain::what_can, edge::BODY_MAX;
    lift_signal: signalling::lift, edge::BODY_MAX;
    add_scim_client: provisioning::add, edge::BODY_MAX;
}

commands_on_one! {
    change_person: folk::change, json;
    sign_bundle: governing::sign, json;
    replay_bundle: again::replay_bundle, json_or_default;
    rotate_key: keeping::rotate, json_or_default;
    rotate_scim_secret: provisioning::rotate, json_or_default;
    link: elsewhere::link, json;
    unlink: elsewhere::unlink, json;
}

pub(super) async fn grants(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let filter: GrantFilter = incoming.query()?;
    respond(giving::list(&plane, &caller, filter).await?.map(|(page, _)| page))
}

fn grant_id(text: &str) -> Result<GrantId, Problem> {
    text.parse().map_err(|_| Problem::not_found("grant", text))
}

fn decision_id(text: &str) -> Result<DecisionId, Problem> {
    text.parse().map_err(|_| Problem::not_found("decision", text))
}

pub(super) async fn revoke(
    State(plane): State<Plane>,
    Path(grant): Path<String>,
    request: Request<Body>,
) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    respond(giving::revoke(&plane, &caller, grant_id(&grant)?, incoming.json()?).await?)
}

pub(super) async fn matrix(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let query: MatrixQuery = incoming.query()?;
    let format = query.format.unwrap_or(Format::Json);
    let allowed = access::matrix(&plane, &caller, query).await?;
    let media_type = match format {
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8",
        Format::Text => "text/plain; charset=utf-8",
    };
    edge::respond_as(allowed, media_type, |matrix| access::write_matrix(&matrix, format))
}

pub(super) async fn bundle_difference(
    State(plane): State<Plane>,
    Path(bundle): Path<String>,
    request: Request<Body>,
) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    respond(governing::compare(&plane, &caller, &bundle, incoming.query()?).await?)
}

pub(super) async fn decisions(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let filter: DecisionFilter = incoming.query()?;
    respond(feed::list(&plane, &caller, filter).await?.map(|(page, _)| page))
}

pub(crate) fn index(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::not_found("entry", text))
}

pub(super) async fn checkpoint(State(plane): State<Plane>) -> Answer {
    Ok(edge::bytes("text/plain; charset=utf-8", log::checkpoint(&plane).await?))
}

pub(super) async fn tile(
    State(plane): State<Plane>,
    Path(path): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    let allowed = log::tile(&plane, &caller, format!("tile/{path}")).await?;
    let mut kind = None;
    let bytes = allowed.release(|file| {
        kind = Some((file.content_type, file.immutable));
        Ok(file.bytes)
    })?;
    let mut response = edge::bytes("application/octet-stream", bytes);
    if let Some((content_type, immutable)) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if immutable {
            let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
            response.headers_mut().insert(CACHE_CONTROL, forever);
        }
    }
    Ok(response)
}
