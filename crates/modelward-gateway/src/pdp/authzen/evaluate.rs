//! One question, decided and recorded like any request, and answered once the record is durable.

use modelward_decision::search::PrincipalKind;
use modelward_decision::vocabulary::{
    Action, Confidence, DeviceFacts, Fact, Field, PrincipalRef, ResourceKind, ResourceRef, Source,
};
use modelward_decision::{Obligation, Snapshot};
use modelward_enforcement::{
    Capabilities, Denial, Ending, Enforcer, NoPermit, ObligationKind, Operation, Peer, Reason, Rejection,
    RejectionKind, ReleaseClass, RequestMark, Situation, Status, Summary,
};
use modelward_identity::Authenticated;
use serde_json::Value;

use super::answer;
use super::message::{Circumstances, Entity, Question};
use super::problem::{Kind, Problem};
use crate::pdp::config::Caller;
use crate::pdp::{Door, names};

/// Who asks, on which state of the world.
pub(super) struct Asker<'a> {
    pub(super) door: &'a Door<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) who: &'a Authenticated,
    pub(super) caller: &'a Caller,
    /// Of the whole request, several questions in it or one.
    pub(super) mark: RequestMark,
}

/// An answer: whether, and what goes with it.
#[derive(Debug)]
pub(super) struct Evaluated {
    pub(super) is_allowed: bool,
    pub(super) context: Value,
}

impl Asker<'_> {
    pub(super) async fn evaluate(&self, question: &Question) -> Result<Evaluated, Problem> {
        let Ok(action) = question.action.parse::<Action>() else {
            return Ok(self.unmapped());
        };
        let subject = self.subject(&question.subject);
        let resource = self.resource(&question.resource);
        let Circumstances { ask, .. } = &question.circumstances;
        let operation = Operation::new(action, resource, self.mark, ())
            .released_as(ReleaseClass::R1)
            .asking(ask.clone())
            .about(subject)
            .summarised(self.summary());
        let situation = self.situation(resource, &question.circumstances);
        let enforced = self.enforcer(&question.circumstances).enforce(self.who, operation, &situation).await;
        let enforced = match enforced {
            Ok(enforced) => enforced,
            Err(NoPermit::Denied(denial)) => return self.denied(&denial, question),
            Err(NoPermit::Unavailable(_)) => return Err(closed()),
        };
        let id = enforced.permit.id();
        let left_out = ask.fields.difference(enforced.permit.held_fields()).copied().collect();
        let obligations = obligations(enforced.permit.obligations(), left_out);
        let ((), opened) = enforced.permit.open();
        let durable = match enforced.record.durable().await {
            Ok(durable) => durable,
            Err(NoPermit::Denied(denial)) => return self.denied(&denial, question),
            Err(NoPermit::Unavailable(_)) => return Err(closed()),
        };
        let context = answer::allowed(id, &obligations, &self.door.config.authzen);
        let disclosed = opened.answer(context).disclose(&durable).map_err(|error| {
            tracing::error!(%error, "an answer met another request's record");
            closed()
        })?;
        let (context, gate) = disclosed.into_parts();
        durable.conclude(&Ending::new(Status::Done));
        drop(gate);
        Ok(Evaluated { is_allowed: true, context })
    }

    fn denied(&self, denial: &Denial, question: &Question) -> Result<Evaluated, Problem> {
        if let Reason::Credential(_) = denial.reason() {
            return Err(Problem::new(
                Kind::Unauthenticated,
                "the credential counts no longer; get a new one",
            ));
        }
        let context = answer::denied(denial.decision(), question, &self.door.config.authzen);
        Ok(Evaluated { is_allowed: false, context })
    }

    /// An action nobody has: there is nothing to decide, and the record says so.
    fn unmapped(&self) -> Evaluated {
        let id = self.door.shared.enforcer.reject(&Rejection {
            kind: RejectionKind::Unmapped,
            peer: Peer::of(self.door.peer),
            protocol: self.door.point.as_str(),
            reason: format!("{} asked about an action that does not exist", self.caller.name),
            request: Some(self.mark),
        });
        Evaluated { is_allowed: false, context: answer::unmapped(id) }
    }

    /// What the caller can do, as far as it can be told to.
    pub(super) fn enforcer(&self, circumstances: &Circumstances) -> Enforcer {
        let mut able = Capabilities::NONE;
        if self.door.config.authzen.drafts {
            for kind in ObligationKind::ALL {
                let is_named = circumstances
                    .obligations
                    .as_ref()
                    .is_none_or(|types| types.contains(answer::obligation_type(kind)));
                if is_named && self.caller.obligations.can_do(kind) {
                    able = able.with(kind);
                }
            }
        }
        self.door.shared.enforcer.able_to(able)
    }

    /// The subject, or nobody: unknown and out of reach are the same.
    pub(super) fn subject(&self, named: &Entity) -> PrincipalRef {
        let kind = names::principal_kind(&named.kind);
        kind.and_then(|kind: PrincipalKind| names::subject(self.snapshot, kind, &named.id))
            .filter(|subject| self.caller.reaches_subject(self.snapshot, *subject))
            .unwrap_or(names::no_subject(kind))
    }

    pub(super) fn resource(&self, named: &Entity) -> ResourceRef {
        let kind = names::resource_kind(&named.kind);
        kind.and_then(|kind: ResourceKind| names::resource(self.snapshot, kind, &named.id))
            .filter(|resource| self.caller.reaches_resource(self.snapshot, *resource))
            .unwrap_or(names::no_resource(kind))
    }

    /// Where the request is made: the caller's own endpoint, or the one it is about. What the caller says of network and
    /// device counts as its word, and only where it may give it.
    pub(super) fn situation(&self, resource: ResourceRef, said: &Circumstances) -> Situation {
        let unknown = &self.door.shared.unknown;
        let now = self.door.shared.enforcer.now();
        let own = self.caller.endpoint.as_ref();
        let endpoint = match resource {
            ResourceRef::Endpoint(id) => self.snapshot.endpoint(id),
            ResourceRef::Platform
            | ResourceRef::Project(_)
            | ResourceRef::Model(_)
            | ResourceRef::Version(_)
            | ResourceRef::Dataset(_) => own.and_then(|name| self.snapshot.endpoint_named(name.as_str())),
        };
        let nobody_said = Fact::new(unknown.clone(), Source::Default, now, Confidence::None);
        let network = match said.network.as_ref().filter(|_| self.caller.asserts_network) {
            Some(network) => Fact::new(network.clone(), Source::TrustedProxy, now, Confidence::Claimed),
            None => nobody_said.clone(),
        };
        let device = match said.device.filter(|_| self.caller.asserts_device) {
            Some((managed, compliant)) => DeviceFacts { managed, compliant, confidence: Confidence::Claimed },
            None => DeviceFacts::UNKNOWN,
        };
        Situation {
            peer: Peer::of(self.door.peer),
            environment: endpoint
                .map_or_else(|| self.door.shared.control.clone(), |endpoint| endpoint.environment.clone()),
            endpoint: endpoint.map(|endpoint| endpoint.id),
            device,
            network,
            place: nobody_said,
            risk: Fact::new(0, Source::Default, now, Confidence::None),
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary::default().with("point", self.door.point.as_str()).with("caller", &self.caller.name)
    }
}

/// The decision's obligations, and the parts asked for that must be left out.
pub(super) fn obligations(
    decided: &[Obligation],
    left_out: std::collections::BTreeSet<Field>,
) -> Vec<Obligation> {
    let mut obligations = decided.to_vec();
    if !left_out.is_empty() {
        obligations.push(Obligation::StripFields { fields: left_out });
    }
    // A rate was counted here already, and who must prove themselves again got no permit.
    obligations
        .retain(|obligation| !matches!(obligation, Obligation::Rate { .. } | Obligation::StepUp { .. }));
    match modelward_decision::obligation::join(obligations.clone()) {
        Ok(joined) => joined,
        Err(_) => obligations,
    }
}

pub(super) fn closed() -> Problem {
    let message = "decisions cannot be recorded or rights not known right now, so nothing is answered";
    Problem::new(Kind::Closed, message)
}
