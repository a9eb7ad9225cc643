//! Answers that need no upstream: what exists here, as far as the caller may know, and how the gateway is.

use std::sync::Arc;

use bytes::Bytes;
use modelward_decision::inventory::{Endpoint, Protocol};
use modelward_decision::vocabulary::{Action, Ask, DecisionId, Facts, Privilege, ResourceRef};
use modelward_decision::{Request, Snapshot, decide};
use modelward_enforcement::Situation;
use modelward_identity::Authenticated;
use tokio::task::yield_now;

use crate::json::write_text;
use crate::recognise::{Bound, bind};
use crate::routes::Call;

/// Rows of a list that are weighed at most. Others have their turn between two rows.
const ROWS_MAX: usize = 1024;

/// Who asks, from where: everything but the question.
pub(crate) struct Asker<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) who: &'a Authenticated,
    pub(crate) situation: &'a Situation,
    pub(crate) now: jiff::Timestamp,
}

/// By which operation something is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) action: Action,
    pub(crate) resource: ResourceRef,
}

impl Seen {
    const OWN: Self = Self { action: Action::ReadSelf, resource: ResourceRef::Platform };
}

/// What one may do with a model that lets one know of it.
const BY_USE: [Action; 3] = [Action::ReadServing, Action::Predict, Action::Embed];
const LISTS_OR_USES: [Action; 4] = [Action::ListModels, Action::ReadServing, Action::Predict, Action::Embed];

impl Asker<'_> {
    /// A question that is neither enforced nor recorded: it only shapes what is shown.
    fn is_allowed(&self, action: Action, resource: ResourceRef) -> bool {
        let facts = Facts {
            now: self.now,
            environment: self.situation.environment.clone(),
            endpoint: self.situation.endpoint,
            session: Arc::clone(self.who.session()),
            device: self.situation.device.clone(),
            network: self.situation.network.clone(),
            place: self.situation.place.clone(),
            risk: self.situation.risk.clone(),
            ask: Ask::default(),
        };
        let request = Request { principal: self.who.principal(), action, resource, facts };
        decide(self.snapshot, &request, DecisionId::from_bits(0)).is_allow()
    }

    /// Whether a grant of theirs for one of these actions reaches a thing. No policy is asked.
    fn is_reached(&self, actions: &[Action], resource: ResourceRef) -> bool {
        let privileges: Vec<Privilege> = actions.iter().map(|action| action.privilege()).collect();
        let via = self.situation.endpoint;
        self.snapshot.is_reached_by(self.who.principal(), &privileges, resource, via, self.now)
    }

    /// Whether the caller may know that a model exists: some right of theirs reaches it.
    pub(crate) fn knows(&self, bound: &Bound) -> bool {
        self.is_reached(&BY_USE, ResourceRef::Version(bound.version.id))
    }

    /// Whether the caller may know that an endpoint exists.
    pub(crate) async fn knows_endpoint(&self, endpoint: &Arc<Endpoint>) -> bool {
        if self.is_reached(&[Action::ReadEndpoint], ResourceRef::Endpoint(endpoint.id)) {
            return true;
        }
        for bound in &self.rows(endpoint) {
            if self.knows(bound) {
                return true;
            }
            yield_now().await;
        }
        false
    }

    /// How the caller may see a model, if at all: as one of its project's, or else as one of those they may read or
    /// use, which is a part of their own rights.
    pub(crate) fn sight(&self, bound: &Bound) -> Option<Seen> {
        let version = ResourceRef::Version(bound.version.id);
        let project =
            self.snapshot.model(bound.version.model).map(|model| ResourceRef::Project(model.project));
        let listed = project.map(|project| Seen { action: Action::ListModels, resource: project });
        listed.filter(|seen| self.is_allowed(seen.action, seen.resource)).or_else(|| {
            BY_USE.into_iter().any(|action| self.is_allowed(action, version)).then_some(Seen::OWN)
        })
    }

    /// The served models the caller may see, and the operation that lists them.
    pub(crate) async fn visible(&self, endpoint: &Arc<Endpoint>) -> (Vec<Bound>, Seen) {
        let mut by = Seen::OWN;
        let mut visible = Vec::new();
        for bound in self.rows(endpoint) {
            // Whatever lists a model or lets one use it reaches its version, so most rows need no decision.
            if self.is_reached(&LISTS_OR_USES, ResourceRef::Version(bound.version.id))
                && let Some(seen) = self.sight(&bound)
            {
                if by == Seen::OWN {
                    by = seen;
                }
                visible.push(bound);
            }
            yield_now().await;
        }
        (visible, by)
    }

    fn rows(&self, endpoint: &Arc<Endpoint>) -> Vec<Bound> {
        let mut rows = bind::all(self.snapshot, endpoint);
        rows.truncate(ROWS_MAX);
        rows
    }
}

/// The document of a list, or of one model in the shape lists have.
pub(crate) fn models(call: Call, bounds: &[Bound]) -> Bytes {
    let mut out = Vec::with_capacity(64 + bounds.len() * 64);
    match call {
        Call::Models => {
            out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
            each(&mut out, bounds, write_model);
            out.extend_from_slice(b"]}");
        }
        Call::InferenceModels => {
            out.extend_from_slice(b"{\"models\":[");
            each(&mut out, bounds, |out, bound| write_text(out, bound.public_name()));
            out.extend_from_slice(b"]}");
        }
        _ => {
            out.push(b'[');
            each(&mut out, bounds, |out, bound| {
                out.extend_from_slice(b"{\"name\":");
                write_text(out, bound.public_name());
                out.extend_from_slice(b",\"version\":");
                write_text(out, bound.label());
                out.extend_from_slice(b",\"state\":\"READY\",\"reason\":\"\"}");
            });
            out.push(b']');
        }
    }
    Bytes::from(out)
}

/// One model of the OpenAI-compatible API. No path, parent or owner of the server behind.
pub(crate) fn model(bound: &Bound) -> Bytes {
    let mut out = Vec::with_capacity(96);
    write_model(&mut out, bound);
    Bytes::from(out)
}

fn write_model(out: &mut Vec<u8>, bound: &Bound) {
    out.extend_from_slice(b"{\"id\":");
    write_text(out, bound.public_name());
    out.extend_from_slice(b",\"object\":\"model\",\"created\":0,\"owned_by\":\"modelward\"}");
}

fn each(out: &mut Vec<u8>, bounds: &[Bound], write: impl Fn(&mut Vec<u8>, &Bound)) {
    for (place, bound) in bounds.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, bound);
    }
}

/// The metadata of a server of the Open Inference Protocol: ours, not the upstream's.
pub(crate) const SERVER: &[u8] =
    concat!("{\"name\":\"modelward\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"extensions\":[]}")
        .as_bytes();

/// The protocol a path speaks, for the shape of errors before its endpoint is known.
pub(crate) fn spoken(second: Option<&str>) -> Protocol {
    match second {
        Some("v2") => Protocol::OpenInference,
        _ => Protocol::OpenAi,
    }
}
