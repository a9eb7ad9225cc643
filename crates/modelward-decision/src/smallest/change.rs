//! One change of facts, and what the world is like after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decision::Request;
use crate::grant::{Conditions, Grant, Origin};
use crate::snapshot::{Change, Snapshot};
use crate::vocabulary::{
    Binding, Confidence, CredentialScope, DeviceFacts, EndpointId, EventId, Fact, Facts, Field, GrantId,
    Name, Privilege, ResourceRef, ScopeRef, Source,
};

/// The closed list of what a caller can change, or have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum FactChange {
    /// Ask without these fields.
    WithoutFields { fields: BTreeSet<Field> },
    /// State this purpose.
    Purpose { purpose: Name },
    /// Ask in this environment; where the request came through an endpoint, through its best one there.
    Environment { environment: Name },
    /// Sign in again: at least this strongly, and at most this long before the request.
    StepUp { strength: u8, max_age_seconds: Option<u32> },
    /// Use a credential that is bound to its holder.
    Binding,
    /// Use a credential that covers the action, such as a session.
    Credential,
    /// Come from this segment, or from any other than now.
    Network { segment: Option<Name> },
    /// Come from this region, or from any other than now.
    Place { region: Option<Name> },
    /// Use a managed, compliant device.
    Device,
    /// Ask again then.
    Wait { until: Timestamp },
    /// Have a grant one holds approved by this many.
    Approvals { grant: GrantId, approvals: u8 },
    /// Hold one more grant.
    Grant(Box<GrantWanted>),
    /// Have the security signal against one cleared.
    Risk,
}

/// A grant to the caller alone, as narrow as the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantWanted {
    pub privilege: Privilege,
    pub scope: ScopeRef,
    pub approvals: u8,
    pub conditions: Conditions,
}

/// Changes of facts that together turn a denial into an allow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counterfactual {
    pub changes: Vec<FactChange>,
}

/// No grant has such an id; it only exists in a search.
const WANTED: GrantId = GrantId::from_bits(u128::MAX);
const WANTED_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// Stands for any segment or region that nothing names; it is longer than what people write.
const ELSEWHERE: &str = "elsewhere-than-any-place-that-is-named";

impl Counterfactual {
    /// World and request as they would be.
    pub fn apply(&self, snapshot: &Snapshot, request: &Request) -> (Snapshot, Request) {
        let mut changed = snapshot.clone();
        let mut asked = request.clone();
        // Time first: a sign-in or a grant that comes with it is one of then.
        let is_wait = |change: &&FactChange| matches!(change, FactChange::Wait { .. });
        let (first, then): (Vec<_>, Vec<_>) = self.changes.iter().partition(is_wait);
        for change in first.into_iter().chain(then) {
            match change {
                FactChange::Grant(wanted) => {
                    changed = changed.with([Change::Grant(Arc::new(wanted.grant(&asked)))]);
                }
                FactChange::Approvals { grant, approvals } => {
                    changed = changed.with(approved(snapshot, *grant, *approvals));
                }
                other => other.alter(snapshot, &mut asked),
            }
        }
        (changed, asked)
    }

    /// The same about another resource.
    pub(super) fn about(mut self, resource: ResourceRef) -> Self {
        for change in &mut self.changes {
            if let FactChange::Grant(wanted) = change {
                wanted.scope = resource.as_scope();
            }
        }
        self
    }
}

impl FactChange {
    fn alter(&self, snapshot: &Snapshot, request: &mut Request) {
        let facts = &mut request.facts;
        match self {
            Self::WithoutFields { fields } => facts.ask.fields.retain(|field| !fields.contains(field)),
            Self::Purpose { purpose } => facts.ask.purpose = Some(purpose.clone()),
            Self::Environment { environment } => {
                if let Some(endpoint) = entrance(snapshot, request, environment) {
                    request.facts.endpoint = Some(endpoint);
                }
                request.facts.environment = environment.clone();
            }
            Self::StepUp { strength, max_age_seconds } => {
                let session = Arc::make_mut(&mut facts.session);
                session.strength = *strength;
                if let Some(age) = max_age_seconds {
                    let at = facts.now.checked_sub(SignedDuration::from_secs(i64::from(*age)));
                    session.authenticated_at = at.unwrap_or(Timestamp::MIN);
                }
            }
            Self::Binding => Arc::make_mut(&mut facts.session).binding = Binding::Dpop,
            Self::Credential => Arc::make_mut(&mut facts.session).scope = CredentialScope::Full,
            Self::Network { segment } => facts.network = observed(segment.as_ref(), facts),
            Self::Place { region } => facts.place = observed(region.as_ref(), facts),
            Self::Device => {
                facts.device = DeviceFacts { managed: true, compliant: true, confidence: Confidence::Proved };
            }
            Self::Wait { until } => wait(facts, *until),
            Self::Risk => facts.risk = Fact::new(0, Source::Default, facts.now, Confidence::None),
            Self::Approvals { .. } | Self::Grant(_) => {}
        }
    }
}

/// What is seen of network, place and risk is seen anew; the sign-in grows older.
fn wait(facts: &mut Facts, until: Timestamp) {
    let passed = until.duration_since(facts.now);
    for at in [&mut facts.network.observed_at, &mut facts.place.observed_at, &mut facts.risk.observed_at] {
        *at = at.checked_add(passed).unwrap_or(until);
    }
    facts.now = until;
}

fn observed(value: Option<&Name>, facts: &Facts) -> Fact<Name> {
    let elsewhere = || Name::new(ELSEWHERE).unwrap_or_else(|_| facts.network.value.clone());
    let value = value.cloned().unwrap_or_else(elsewhere);
    Fact::new(value, Source::Operator, facts.now, Confidence::Managed)
}

/// The endpoint through which the resource is reached in an environment: approved ones first, then by name.
pub(super) fn entrance(snapshot: &Snapshot, request: &Request, environment: &Name) -> Option<EndpointId> {
    request.facts.endpoint?;
    let model = snapshot.model_of(request.resource)?;
    let serving = snapshot.endpoints().filter(|endpoint| {
        endpoint.environment == *environment && endpoint.serves.iter().any(|served| served.model == model)
    });
    serving.min_by_key(|endpoint| (!endpoint.approved, endpoint.name.clone())).map(|endpoint| endpoint.id)
}

impl GrantWanted {
    fn grant(&self, request: &Request) -> Grant {
        let now = request.facts.now;
        Grant {
            id: WANTED,
            grantee: request.principal.as_grantee(),
            privilege: self.privilege,
            scope: self.scope,
            conditions: self.conditions.clone(),
            not_before: now,
            not_after: now.checked_add(WANTED_LASTS).unwrap_or(Timestamp::MAX),
            origin: origin(self.approvals),
        }
    }
}

const fn origin(approvals: u8) -> Origin {
    Origin::Request { request: EventId::from_bits(0), approvals }
}

fn approved(snapshot: &Snapshot, grant: GrantId, approvals: u8) -> Option<Change> {
    let grant = Grant { origin: origin(approvals), ..snapshot.grant(grant)?.as_ref().clone() };
    Some(Change::Grant(Arc::new(grant)))
}
