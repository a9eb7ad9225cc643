//! The values worth trying: those the caller's own grants name, those the policies compare with, and the least first.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy_core::ast::{ExprKind, Literal, Var};
use jiff::{SignedDuration, Timestamp};

use super::Choices;
use super::change::{Counterfactual, FactChange, GrantWanted, entrance};
use super::kinds::Kind;
use crate::circumstances::window_open;
use crate::decide::of_privilege;
use crate::decision::Request;
use crate::grant::{Conditions, Grant};
use crate::policy::Policy;
use crate::slice::{Key, Slice};
use crate::snapshot::Snapshot;
use crate::vocabulary::{Action, Field, Name, Privilege};

/// Values of one kind tried at most.
const VALUES_MAX: usize = 16;
/// Asked fields of which every subset is tried; of more, only single ones, the unheld and all.
const FIELDS_IN_FULL: usize = 4;
const APPROVALS_MAX: u8 = 3;
const STRENGTH_MAX: u8 = 3;
/// How far ahead a window is looked for.
const WINDOW_DAYS: i64 = 8;

/// The changes that can be chosen, kind by kind.
pub(super) struct Options {
    values: Vec<(Kind, Vec<FactChange>)>,
    request: Request,
}

impl Options {
    pub(super) fn new(snapshot: &Snapshot, request: &Request) -> Self {
        let seen = Seen::of(snapshot, request);
        let values = Kind::ALL
            .into_iter()
            .map(|kind| {
                let mut values = seen.values(kind, snapshot, request);
                values.truncate(VALUES_MAX);
                (kind, values)
            })
            .collect();
        Self { values, request: request.clone() }
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    fn of(&self, kind: Kind) -> &[FactChange] {
        self.values.iter().find(|(of, _)| *of == kind).map_or(&[], |(_, values)| values)
    }

    /// A grant that comes with other changes is as narrow as the request will be after them.
    pub(super) fn change(&self, choices: &Choices) -> Counterfactual {
        let mut changes: Vec<FactChange> =
            choices.iter().filter_map(|(kind, value)| self.of(*kind).get(*value).cloned()).collect();
        let (mut environment, mut purpose) =
            (self.request.facts.environment.clone(), self.request.facts.ask.purpose.clone());
        let mut without = BTreeSet::new();
        for change in &changes {
            match change {
                FactChange::Environment { environment: other } => environment = other.clone(),
                FactChange::Purpose { purpose: other } => purpose = Some(other.clone()),
                FactChange::WithoutFields { fields } => without.clone_from(fields),
                _ => {}
            }
        }
        for change in &mut changes {
            if let FactChange::Grant(wanted) = change {
                let conditions = &mut wanted.conditions;
                conditions.environments = Some(BTreeSet::from([environment.clone()]));
                conditions.purposes = purpose.clone().map(|purpose| BTreeSet::from([purpose]));
                if let Some(fields) = &mut conditions.fields {
                    fields.retain(|field| {
                        !without.contains(field) || Field::of(self.request.action) == Some(*field)
                    });
                }
            }
        }
        Counterfactual { changes }
    }
}

/// What the search can draw values from.
struct Seen {
    /// The caller's own grants on the resource, live or not: of the privilege, and of fields that are asked for.
    grants: Vec<Arc<Grant>>,
    policies: Vec<Arc<Policy>>,
}

impl Seen {
    fn of(snapshot: &Snapshot, request: &Request) -> Self {
        let slice = |action: Action| {
            let facts = &request.facts;
            let key = Key {
                principal: request.principal,
                action,
                resource: request.resource,
                endpoint: facts.endpoint,
                environment: facts.environment.clone(),
            };
            snapshot.cache().slice(snapshot, key)
        };
        // What may be seen of a field is decided by policies of its own.
        let actions = request.facts.ask.fields.iter().map(|field| field.action());
        let slices: Vec<Arc<Slice>> =
            std::iter::once(request.action).chain(actions).filter_map(slice).collect();
        let own = slices.first().map(|slice| of_privilege(snapshot, slice, request.action.privilege()));
        let of_fields =
            slices.get(1).map(|slice| of_privilege(snapshot, slice, Privilege::InferenceSensitive));
        let mut grants: Vec<Arc<Grant>> = own.into_iter().chain(of_fields).flatten().collect();
        grants.dedup_by_key(|grant| grant.id);
        let policies = slices
            .iter()
            .flat_map(|slice| {
                let rules = slice.obligations_once.iter().chain(&slice.obligations_per_grant);
                slice.once.iter().chain(&slice.per_grant).chain(rules)
            })
            .cloned()
            .collect();
        Self { grants, policies }
    }

    fn values(&self, kind: Kind, snapshot: &Snapshot, request: &Request) -> Vec<FactChange> {
        let facts = &request.facts;
        match kind {
            Kind::Fields => without(&facts.ask.fields),
            Kind::Purpose => {
                let names = self.names("ask", Some("purpose"), |conditions| conditions.purposes.as_ref());
                let other = names.into_iter().filter(|name| facts.ask.purpose.as_ref() != Some(name));
                other.map(|purpose| FactChange::Purpose { purpose }).collect()
            }
            Kind::Environment => self.environments(snapshot, request),
            Kind::StepUp => self.sign_ins(request),
            Kind::Binding => vec![FactChange::Binding],
            Kind::Credential => vec![FactChange::Credential],
            Kind::Network => {
                let names = self.names("network", None, |conditions| conditions.segments.as_ref());
                let other = names.into_iter().filter(|name| facts.network.value != *name).map(Some);
                other
                    .take(VALUES_MAX - 1)
                    .chain([None])
                    .map(|segment| FactChange::Network { segment })
                    .collect()
            }
            Kind::Place => {
                let names = self.names("place", None, |conditions| conditions.regions.as_ref());
                let other = names.into_iter().filter(|name| facts.place.value != *name).map(Some);
                other.take(VALUES_MAX - 1).chain([None]).map(|region| FactChange::Place { region }).collect()
            }
            Kind::Device => vec![FactChange::Device],
            Kind::Wait => {
                self.moments(facts.now).into_iter().map(|until| FactChange::Wait { until }).collect()
            }
            Kind::Approvals => self.approvals(),
            Kind::Grant => grants(request),
            Kind::Risk => (facts.risk.value > 0).then_some(FactChange::Risk).into_iter().collect(),
        }
    }

    /// Names that the grants' conditions allow, then those policies compare with `context.attribute`.
    fn names(
        &self,
        attribute: &str,
        part: Option<&str>,
        pick: fn(&Conditions) -> Option<&BTreeSet<Name>>,
    ) -> Vec<Name> {
        let granted = self.grants.iter().filter_map(|grant| pick(&grant.conditions)).flatten().cloned();
        let mut names: Vec<Name> = granted.collect::<BTreeSet<Name>>().into_iter().collect();
        let compared: BTreeSet<Name> = self
            .literals(attribute, part)
            .filter_map(|literal| match literal {
                Literal::String(text) => Name::new(text).ok(),
                _ => None,
            })
            .collect();
        names.extend(compared.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        names
    }

    /// The literals of policies that look at `context.attribute`, or at this part of it.
    fn literals(&self, attribute: &str, part: Option<&str>) -> impl Iterator<Item = &Literal> {
        let bodies = self.policies.iter().filter_map(|policy| policy.body.as_deref());
        bodies.filter(move |body| looks_at(body, attribute, part)).flat_map(|body| {
            body.subexpressions().filter_map(|part| match part.expr_kind() {
                ExprKind::Lit(literal) => Some(literal),
                _ => None,
            })
        })
    }

    fn environments(&self, snapshot: &Snapshot, request: &Request) -> Vec<FactChange> {
        let granted = self.names("environment", None, |conditions| conditions.environments.as_ref());
        let known = snapshot.environments().map(|environment| environment.name.clone());
        let mut all: Vec<Name> = granted;
        all.extend(known.filter(|name| !all.contains(name)).collect::<Vec<_>>());
        // The same environment through a better endpoint is a change too.
        let facts = &request.facts;
        let other = all.into_iter().filter(|name| match entrance(snapshot, request, name) {
            Some(endpoint) => facts.endpoint != Some(endpoint) || *name != facts.environment,
            None => {
                let anyhow = facts.endpoint.is_none() || snapshot.model_of(request.resource).is_none();
                anyhow && *name != facts.environment
            }
        });
        other.map(|environment| FactChange::Environment { environment }).collect()
    }

    /// Stronger first without another moment, then as old as policies let it be, then just now.
    fn sign_ins(&self, request: &Request) -> Vec<FactChange> {
        let session = &request.facts.session;
        let now = request.facts.now;
        let age = now.as_second().saturating_sub(session.authenticated_at.as_second());
        let compared = self.literals("session", Some("ageSeconds")).filter_map(|literal| match literal {
            Literal::Long(seconds) => Some(*seconds),
            _ => None,
        });
        let ages: BTreeSet<i64> =
            compared.flat_map(|seconds| [seconds, seconds - 1]).chain([0]).filter(|it| *it < age).collect();
        let ages = ages.into_iter().rev().filter_map(|seconds| u32::try_from(seconds).ok()).map(Some);
        let mut found = Vec::new();
        for max_age_seconds in std::iter::once(None).chain(ages) {
            for strength in session.strength..=STRENGTH_MAX {
                if strength > session.strength || max_age_seconds.is_some() {
                    found.push(FactChange::StepUp { strength, max_age_seconds });
                }
            }
        }
        found
    }

    /// When something begins or ends to hold: a grant, a window, a moment a policy names.
    fn moments(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut found = BTreeSet::new();
        for grant in &self.grants {
            found.extend([grant.not_before].into_iter().filter(|at| now < *at));
            found.extend(next_opening(grant, now.max(grant.not_before)));
        }
        for literal in self.literals("now", None) {
            if let Literal::String(text) = literal {
                found.extend(moment(text));
            }
        }
        found.into_iter().filter(|at| now < *at).collect()
    }

    fn approvals(&self) -> Vec<FactChange> {
        let more = |grant: &Arc<Grant>| {
            let id = grant.id;
            let from = grant.origin.approvals().saturating_add(1);
            (from..=APPROVALS_MAX).map(move |approvals| FactChange::Approvals { grant: id, approvals })
        };
        self.grants.iter().flat_map(more).collect()
    }
}

fn looks_at(body: &cedar_policy_core::ast::Expr, attribute: &str, part: Option<&str>) -> bool {
    body.subexpressions().any(|expr| {
        let (ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr }) = expr.expr_kind() else {
            return false;
        };
        match part {
            None => attr == attribute && matches!(expr.expr_kind(), ExprKind::Var(Var::Context)),
            Some(part) => attr == part && super::kinds::context_attribute(expr) == Some(attribute),
        }
    })
}

/// Fewer fields left out first.
fn without(asked: &BTreeSet<Field>) -> Vec<FactChange> {
    let fields: Vec<Field> = asked.iter().copied().collect();
    let mut sets: Vec<BTreeSet<Field>> = if fields.len() <= FIELDS_IN_FULL {
        (1_u32..1 << fields.len())
            .map(|bits| {
                let chosen = fields.iter().enumerate().filter(|(place, _)| bits & (1 << place) != 0);
                chosen.map(|(_, field)| *field).collect()
            })
            .collect()
    } else {
        fields.iter().map(|field| BTreeSet::from([*field])).chain([asked.clone()]).collect()
    };
    sets.sort_by_key(|set| (set.len(), set.clone()));
    sets.into_iter().map(|fields| FactChange::WithoutFields { fields }).collect()
}

/// Fewer approvals first.
fn grants(request: &Request) -> Vec<FactChange> {
    let privilege = request.action.privilege();
    if privilege == Privilege::SelfService {
        return Vec::new();
    }
    let fields: Option<BTreeSet<Field>> = (privilege == Privilege::InferenceSensitive)
        .then(|| request.facts.ask.fields.iter().copied().chain(Field::of(request.action)).collect());
    let one = |approvals| {
        FactChange::Grant(Box::new(GrantWanted {
            privilege,
            scope: request.resource.as_scope(),
            approvals,
            conditions: Conditions { fields: fields.clone(), ..Conditions::default() },
        }))
    };
    (0..=APPROVALS_MAX).map(one).collect()
}

/// The next time one of a grant's windows opens.
fn next_opening(grant: &Grant, from: Timestamp) -> Option<Timestamp> {
    let windows = grant.conditions.windows.as_ref()?;
    if windows.is_empty() || window_open(grant, from) {
        return None;
    }
    let end = from.checked_add(SignedDuration::from_hours(24 * WINDOW_DAYS)).ok()?;
    let mut openings = BTreeSet::new();
    for window in windows {
        let mut day = from.in_tz(&window.zone).ok()?.date();
        for _ in 0..=WINDOW_DAYS {
            let opens = day.to_datetime(window.from).in_tz(&window.zone).ok()?.timestamp();
            openings
                .extend([opens].into_iter().filter(|at| from <= *at && *at < end && window_open(grant, *at)));
            day = day.tomorrow().ok()?;
        }
    }
    openings.first().copied()
}

/// A moment as policies write it: `2027-01-01` or `2027-01-01T08:00:00Z`.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(date.in_tz("UTC").ok()?.timestamp())
}
