//! Marks: for one principal and one model, which privileges hold, and what is missing where one does not.
//!
//! Each mark is a real answer of the decision point, tried under each grant that could matter; a cell without such a
//! grant is empty without being asked. What only the moment of a request can bring (a bound credential, a managed
//! device, a recent key sign-in) is assumed to be as good as it gets up to the strength given, so a mark says what the
//! grant and the guardrails allow, and `Needs` names what would have to come along.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::grant::Grant;
use modelward_decision::inventory::Model;
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Confidence, CredentialScope, DeviceFacts, EndpointId, Fact, Facts, GranteeRef,
    Name, PrincipalRef, Privilege, ResourceRef, ScopeRef, SessionFacts, SessionId, Source, VersionId,
};
use modelward_decision::{Decision, Outcome, Remedy, Request, Snapshot};

use crate::caller::Caller;
use crate::control::ControlPlane;
use crate::names;
use crate::wire::{AccessRow, MarkState, MatrixMark, PrincipalView};

/// Under which circumstances marks are made.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) at: Timestamp,
    /// Where no environment is named, each grant is tried where it would count.
    pub(crate) environment: Option<Name>,
    /// Where no network is named, each grant is tried from where it would count.
    pub(crate) network: Option<Name>,
    /// The words for "no environment of a model" and "nobody said".
    control: Name,
    unknown: Name,
}

impl Sight {
    pub(crate) fn now(plane: &ControlPlane, caller: &Caller) -> Self {
        let network = &caller.situation.network;
        let network = (network.confidence != Confidence::None).then(|| network.value.clone());
        Self {
            at: plane.now(),
            environment: None,
            network,
            control: caller.situation.environment.clone(),
            unknown: caller.situation.place.value.clone(),
        }
    }

    /// At another moment, in another environment, from another network.
    pub(crate) fn elsewhere(self, at: Timestamp, environment: Option<Name>, network: Option<Name>) -> Self {
        Self { at, environment, network, ..self }
    }
}

/// Everything about one model that grants can point at.
struct Reach {
    scopes: BTreeSet<ScopeRef>,
    versions: Vec<VersionId>,
    /// Endpoint, its environment, and the version it serves.
    served: Vec<(EndpointId, Name, VersionId)>,
}

impl Reach {
    fn of(snapshot: &Snapshot, model: &Model) -> Self {
        let mut scopes =
            BTreeSet::from([ScopeRef::Platform, ScopeRef::Project(model.project), ScopeRef::Model(model.id)]);
        let versions: Vec<VersionId> =
            crate::ops::inventory::versions_of(snapshot, model.id).iter().map(|version| version.id).collect();
        scopes.extend(versions.iter().copied().map(ScopeRef::Version));
        scopes.extend(snapshot.aliases().filter(|it| it.model == model.id).map(|it| ScopeRef::Alias(it.id)));
        let mut served = Vec::new();
        for endpoint in snapshot.endpoints() {
            for target in endpoint.serves.iter().filter(|served| served.model == model.id) {
                if let Some(version) = snapshot.resolve(target.target) {
                    scopes.insert(ScopeRef::Endpoint(endpoint.id));
                    served.push((endpoint.id, endpoint.environment.clone(), version.id));
                }
            }
        }
        Self { scopes, versions, served }
    }
}

/// The action a privilege is judged by, and on what kind of thing.
const fn telling(privilege: Privilege) -> Option<(Action, Kind)> {
    Some(match privilege {
        Privilege::ReadOnly => (Action::ReadCard, Kind::Model),
        Privilege::Inference => (Action::Predict, Kind::Version),
        Privilege::InferenceSensitive => (Action::ReadRawScores, Kind::Version),
        Privilege::Experiment => (Action::CreateRun, Kind::Project),
        Privilege::Registry => (Action::UpdateModel, Kind::Model),
        Privilege::Retraining => (Action::ProposeTraining, Kind::Model),
        Privilege::Export => (Action::DownloadWeights, Kind::Version),
        Privilege::DataExport => (Action::ReadTraces, Kind::Model),
        Privilege::Deploy => (Action::SetProtectedAlias, Kind::Version),
        Privilege::Govern => (Action::GrantAccess, Kind::Model),
        Privilege::Audit => (Action::ReadAccess, Kind::Model),
        Privilege::SelfService => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Version,
    Project,
}

/// Grants by whoever holds them, for those that can count at a moment.
pub(crate) struct Holdings<'a> {
    by_grantee: BTreeMap<GranteeRef, Vec<&'a Arc<Grant>>>,
}

impl<'a> Holdings<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot, at: Timestamp) -> Self {
        let mut by_grantee: BTreeMap<GranteeRef, Vec<&Arc<Grant>>> = BTreeMap::new();
        for grant in snapshot.grants().filter(|grant| at < grant.not_after) {
            by_grantee.entry(grant.grantee).or_default().push(grant);
        }
        Self { by_grantee }
    }

    fn held(&self, snapshot: &Snapshot, principal: PrincipalRef) -> Vec<&'a Arc<Grant>> {
        let groups = names::groups_of(snapshot, principal).into_iter().map(GranteeRef::Group);
        std::iter::once(principal.as_grantee())
            .chain(groups)
            .filter_map(|grantee| self.by_grantee.get(&grantee))
            .flatten()
            .copied()
            .collect()
    }

    /// Every principal that holds something, directly or through a group.
    fn principals(&self, snapshot: &Snapshot) -> Vec<PrincipalRef> {
        let people = snapshot.people().filter(|it| it.active).map(|it| PrincipalRef::Person(it.id));
        let machines = snapshot.machines().filter(|it| it.active).map(|it| PrincipalRef::Machine(it.id));
        people.chain(machines).filter(|principal| !self.held(snapshot, *principal).is_empty()).collect()
    }
}

/// The marks of one principal on one model.
pub(crate) fn of_principal(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    principal: PrincipalRef,
    model: &Model,
    sight: &Sight,
) -> Vec<MatrixMark> {
    let holdings = Holdings::of(snapshot, sight.at);
    marks(plane, snapshot, principal, &Reach::of(snapshot, model), model, &holdings, sight)
}

fn marks(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    principal: PrincipalRef,
    reach: &Reach,
    model: &Model,
    holdings: &Holdings<'_>,
    sight: &Sight,
) -> Vec<MatrixMark> {
    let mut best: BTreeMap<Privilege, MatrixMark> = BTreeMap::new();
    for grant in holdings.held(snapshot, principal) {
        if !reach.scopes.contains(&grant.scope) {
            continue;
        }
        let Some(mark) = tried(plane, snapshot, principal, grant, reach, model, sight) else { continue };
        let better = best.get(&grant.privilege).is_none_or(|before| rank(mark.state) < rank(before.state));
        if better {
            best.insert(grant.privilege, mark);
        }
    }
    best.into_values().collect()
}

const fn rank(state: MarkState) -> u8 {
    match state {
        MarkState::Allow => 0,
        MarkState::Needs => 1,
        MarkState::Deny => 2,
    }
}

/// What the decision point says where this grant would count.
fn tried(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    principal: PrincipalRef,
    grant: &Grant,
    reach: &Reach,
    model: &Model,
    sight: &Sight,
) -> Option<MatrixMark> {
    let privilege = grant.privilege;
    let (action, kind) = telling(privilege)?;
    let fields = grant.conditions.fields.clone().unwrap_or_default();
    let action = match (privilege, fields.first()) {
        (Privilege::InferenceSensitive, Some(field)) => field.action(),
        _ => action,
    };
    if let Some(environments) = &grant.conditions.environments
        && let Some(environment) = &sight.environment
        && !environments.contains(environment)
    {
        return Some(mark(
            privilege,
            MarkState::Needs,
            Some(format!("only in {}", join(environments))),
            grant,
        ));
    }
    let place = place(snapshot, grant, reach, sight)?;
    let resource = match kind {
        Kind::Project => ResourceRef::Project(model.project),
        Kind::Version => ResourceRef::Version(place.version?),
        Kind::Model => match (grant.scope, place.version) {
            // A right on one version only is asked about on that version, where the action knows versions.
            (ScopeRef::Version(_) | ScopeRef::Alias(_), Some(version))
                if action.resources().contains(&modelward_decision::vocabulary::ResourceKind::Version) =>
            {
                ResourceRef::Version(version)
            }
            _ => ResourceRef::Model(model.id),
        },
    };
    let facts = facts(sight, place, fields, grant);
    let decision = plane.would(snapshot, &Request { principal, action, resource, facts });
    let (state, note) = verdict(&decision, grant, sight.at);
    Some(mark(privilege, state, note, grant))
}

fn join<T: ToString>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn mark(privilege: Privilege, state: MarkState, note: Option<String>, grant: &Grant) -> MatrixMark {
    MatrixMark { privilege, letter: privilege.letter(), state, note, until: Some(grant.not_after) }
}

/// Where a grant is tried: environment, endpoint, version.
struct Place {
    environment: Option<Name>,
    endpoint: Option<EndpointId>,
    version: Option<VersionId>,
}

fn place(snapshot: &Snapshot, grant: &Grant, reach: &Reach, sight: &Sight) -> Option<Place> {
    let named = match grant.scope {
        ScopeRef::Version(id) => Some(id),
        ScopeRef::Alias(id) => Some(snapshot.alias(id)?.version),
        ScopeRef::Platform
        | ScopeRef::Project(_)
        | ScopeRef::Model(_)
        | ScopeRef::Endpoint(_)
        | ScopeRef::Dataset(_) => None,
    };
    let endpoint_named = |endpoint: &EndpointId| match grant.scope {
        ScopeRef::Endpoint(id) => id == *endpoint,
        _ => true,
    };
    let environment_fits = |environment: &Name| match (&sight.environment, &grant.conditions.environments) {
        (Some(wanted), _) => wanted == environment,
        (None, Some(named)) => named.contains(environment),
        (None, None) => true,
    };
    let through = reach.served.iter().find(|(endpoint, environment, version)| {
        endpoint_named(endpoint)
            && environment_fits(environment)
            && named.is_none_or(|named| named == *version)
    });
    Some(match through {
        Some((endpoint, environment, version)) => Place {
            environment: Some(environment.clone()),
            endpoint: Some(*endpoint),
            version: Some(*version),
        },
        None => Place {
            environment: sight
                .environment
                .clone()
                .or_else(|| grant.conditions.environments.as_ref().and_then(|named| named.first().cloned())),
            endpoint: None,
            version: named.or_else(|| reach.versions.first().copied()),
        },
    })
}

fn facts(
    sight: &Sight,
    place: Place,
    fields: BTreeSet<modelward_decision::vocabulary::Field>,
    grant: &Grant,
) -> Facts {
    let fact = |name: Option<Name>| match name {
        Some(name) => Fact::new(name, Source::Operator, sight.at, Confidence::Managed),
        None => Fact::new(sight.unknown.clone(), Source::Default, sight.at, Confidence::None),
    };
    let first = |named: &Option<BTreeSet<Name>>| named.as_ref().and_then(|named| named.first().cloned());
    let conditions = &grant.conditions;
    Facts {
        now: sight.at,
        environment: place.environment.unwrap_or_else(|| sight.control.clone()),
        endpoint: place.endpoint,
        session: Arc::new(session(sight.at)),
        device: DeviceFacts { managed: true, compliant: true, confidence: Confidence::Proved },
        network: fact(sight.network.clone().or_else(|| first(&conditions.segments))),
        place: fact(first(&conditions.regions)),
        risk: Fact::new(0, Source::Default, sight.at, Confidence::None),
        ask: Ask { fields, bytes: None, purpose: first(&conditions.purposes) },
    }
}

/// As good a sign-in as there is, of this moment.
fn session(at: Timestamp) -> SessionFacts {
    SessionFacts {
        id: SessionId::from_bits(0),
        strength: 3,
        methods: Vec::new(),
        authenticated_at: at,
        binding: Binding::Dpop,
        scope: CredentialScope::Full,
    }
}

fn verdict(decision: &Decision, grant: &Grant, at: Timestamp) -> (MarkState, Option<String>) {
    if at < grant.not_before {
        return (
            MarkState::Needs,
            Some(format!("from {} on", grant.not_before.strftime("%Y-%m-%d %H:%M UTC"))),
        );
    }
    if decision.is_allow() {
        let note = crate::words::conditions(&grant.conditions);
        return (MarkState::Allow, note);
    }
    match decision.outcome {
        Outcome::Forbidden | Outcome::ErrorClosed => {
            let waits = decision.remedies.iter().any(|remedy| {
                matches!(
                    remedy,
                    Remedy::Wait { .. }
                        | Remedy::Environment { .. }
                        | Remedy::Network { .. }
                        | Remedy::Purpose { .. }
                )
            });
            let title = decision.determining.first().map(|policy| policy.title.to_string());
            (if waits { MarkState::Needs } else { MarkState::Deny }, title)
        }
        Outcome::Permitted | Outcome::NotPermitted | Outcome::ObligationUnmet => {
            let title = decision.determining.first().map(|policy| policy.title.to_string());
            (MarkState::Needs, title.or_else(|| Some("more than the grant".to_owned())))
        }
    }
}

/// Who can do what with one model.
pub(crate) fn access(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    model: &Model,
    sight: &Sight,
) -> Vec<AccessRow> {
    let holdings = Holdings::of(snapshot, sight.at);
    let reach = Reach::of(snapshot, model);
    let mut rows: Vec<AccessRow> = holdings
        .principals(snapshot)
        .into_iter()
        .map(|principal| AccessRow {
            principal: names::principal_view(snapshot, principal),
            marks: marks(plane, snapshot, principal, &reach, model, &holdings, sight),
        })
        .filter(|row| !row.marks.is_empty())
        .collect();
    rows.sort_by(|one, other| one.principal.name.cmp(&other.principal.name));
    rows
}

/// One cell after another for these principals and models.
pub(crate) struct Table<'a> {
    plane: &'a ControlPlane,
    snapshot: &'a Snapshot,
    holdings: Holdings<'a>,
    reaches: Vec<(Arc<Model>, Reach)>,
    sight: &'a Sight,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        plane: &'a ControlPlane,
        snapshot: &'a Snapshot,
        models: &[Arc<Model>],
        sight: &'a Sight,
    ) -> Self {
        let reaches = models.iter().map(|model| (Arc::clone(model), Reach::of(snapshot, model))).collect();
        Self { plane, snapshot, holdings: Holdings::of(snapshot, sight.at), reaches, sight }
    }

    /// Model names to marks; models without a mark are absent.
    pub(crate) fn row(&self, principal: PrincipalRef) -> BTreeMap<String, Vec<MatrixMark>> {
        self.cells(|model, reach| {
            marks(self.plane, self.snapshot, principal, reach, model, &self.holdings, self.sight)
        })
    }

    /// A group has no sign-in of its own: its marks are the grants it holds, filled while they count.
    pub(crate) fn group_row(&self, group: GranteeRef) -> BTreeMap<String, Vec<MatrixMark>> {
        let held = self.holdings.by_grantee.get(&group).map(Vec::as_slice).unwrap_or_default();
        self.cells(|_, reach| {
            let mut best: BTreeMap<Privilege, MatrixMark> = BTreeMap::new();
            for grant in held.iter().filter(|grant| reach.scopes.contains(&grant.scope)) {
                let state = if grant.is_live(self.sight.at) { MarkState::Allow } else { MarkState::Needs };
                let mark = mark(grant.privilege, state, crate::words::conditions(&grant.conditions), grant);
                best.entry(grant.privilege).or_insert(mark);
            }
            best.into_values().collect()
        })
    }

    fn cells(&self, make: impl Fn(&Model, &Reach) -> Vec<MatrixMark>) -> BTreeMap<String, Vec<MatrixMark>> {
        self.reaches
            .iter()
            .map(|(model, reach)| (model.name.to_string(), make(model, reach)))
            .filter(|(_, marks)| !marks.is_empty())
            .collect()
    }
}

/// A principal's row in a list: by name.
pub(crate) fn by_name(one: &PrincipalView, other: &PrincipalView) -> std::cmp::Ordering {
    one.name.cmp(&other.name)
}

/// Models of a snapshot by name.
pub(crate) fn models_by_name(snapshot: &Snapshot, only: Option<&str>) -> Vec<Arc<Model>> {
    let mut models: Vec<Arc<Model>> = snapshot
        .models()
        .filter(|model| only.is_none_or(|only| model.name.as_str() == only))
        .map(Arc::clone)
        .collect();
    models.sort_by(|one, other| one.name.cmp(&other.name));
    models
}
