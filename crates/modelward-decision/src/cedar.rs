//! Our words in Cedar's: entity types, entity ids, values, and the one line that evaluates a body.
//!
//! This is the only file that builds Cedar's own values, so that a new version of Cedar is a change in one place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cedar_policy_core::FromNormalizedStr as _;
use cedar_policy_core::ast::{
    Eid, EntityType, EntityUID, Expr, Literal, Name as CedarName, RestrictedExpr, SlotEnv, Value, ValueKind,
};
use cedar_policy_core::evaluator::{Evaluator, RestrictedEvaluator};
use cedar_policy_core::extensions::Extensions;
use jiff::Timestamp;
use smol_str::SmolStr;

use crate::vocabulary::{Action, GranteeRef, PrincipalRef, ResourceKind, ResourceRef, ScopeRef};

/// The attributes of a record or of the context.
pub(crate) type Record = BTreeMap<SmolStr, Value>;

/// The entity types of the schema, parsed once per bundle.
#[derive(Debug)]
pub(crate) struct Types {
    action: EntityType,
    grantee: EntityType,
    scope: EntityType,
    group: EntityType,
    person: EntityType,
    machine: EntityType,
    resources: [(ResourceKind, EntityType); 6],
    datetime: CedarName,
}

impl Types {
    /// The types of namespace `Modelward`; nothing only if Cedar's own grammar of names changed.
    pub(crate) fn new() -> Option<Self> {
        let entity = |name: &str| {
            Some(EntityType::from(CedarName::from_normalized_str(&format!("Modelward::{name}")).ok()?))
        };
        let resource = |kind: ResourceKind| Some((kind, entity(kind.as_str())?));
        Some(Self {
            action: entity("Action")?,
            grantee: entity("Grantee")?,
            scope: entity("Scope")?,
            group: entity("Group")?,
            person: entity("Person")?,
            machine: entity("Machine")?,
            resources: [
                resource(ResourceKind::Platform)?,
                resource(ResourceKind::Project)?,
                resource(ResourceKind::Model)?,
                resource(ResourceKind::Version)?,
                resource(ResourceKind::Endpoint)?,
                resource(ResourceKind::Dataset)?,
            ],
            datetime: CedarName::from_normalized_str("datetime").ok()?,
        })
    }

    pub(crate) fn action(&self, action: Action) -> EntityUID {
        uid(&self.action, action.as_str())
    }

    pub(crate) fn action_group(&self, action: Action) -> EntityUID {
        uid(&self.action, action.privilege().group())
    }

    pub(crate) fn principal(&self, principal: PrincipalRef) -> EntityUID {
        match principal {
            PrincipalRef::Person(id) => uid(&self.person, id),
            PrincipalRef::Machine(id) => uid(&self.machine, id),
        }
    }

    pub(crate) fn group(&self, id: crate::vocabulary::GroupId) -> EntityUID {
        uid(&self.group, id)
    }

    pub(crate) fn resource(&self, resource: ResourceRef) -> EntityUID {
        let kind = resource.kind();
        let found = self.resources.iter().find(|(known, _)| *known == kind);
        // Every kind stands in the table, so the scope type is never taken.
        uid(found.map_or(&self.scope, |(_, name)| name), resource)
    }

    /// The leaf that grants to this grantee point at.
    pub(crate) fn grantee_leaf(&self, grantee: GranteeRef) -> EntityUID {
        uid(&self.grantee, grantee)
    }

    /// The leaf that grants on this scope point at.
    pub(crate) fn scope_leaf(&self, scope: ScopeRef) -> EntityUID {
        uid(&self.scope, scope)
    }

    /// A moment, cut to whole seconds.
    pub(crate) fn datetime(&self, second: i64) -> Option<Value> {
        let at = Timestamp::from_second(second).ok()?;
        let text = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let call = RestrictedExpr::call_extension_fn(self.datetime.clone(), [RestrictedExpr::val(text)]);
        RestrictedEvaluator::new(Extensions::all_available()).interpret(call.as_borrowed()).ok()
    }
}

fn uid(name: &EntityType, id: impl fmt::Display) -> EntityUID {
    EntityUID::from_components(name.clone(), Eid::new(smol_str::format_smolstr!("{id}")), None)
}

pub(crate) fn long(value: impl Into<i64>) -> Value {
    Value::from(value.into())
}

pub(crate) fn boolean(value: bool) -> Value {
    Value::from(value)
}

pub(crate) fn string(value: &str) -> Value {
    Value::from(SmolStr::new(value))
}

pub(crate) fn entity(uid: EntityUID) -> Value {
    Value::from(uid)
}

pub(crate) fn strings<'a>(values: impl IntoIterator<Item = &'a str>) -> Value {
    Value::set_of_lits(values.into_iter().map(|value| Literal::String(SmolStr::new(value))), None)
}

pub(crate) fn record<const N: usize>(pairs: [(&'static str, Value); N]) -> Value {
    let pairs: Record = pairs.into_iter().map(|(name, value)| (SmolStr::new_static(name), value)).collect();
    Value::record_arc(Arc::new(pairs), None)
}

/// What came of evaluating a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    DoesNotHold,
    Errs,
}

/// Whether the conditions of a policy hold, its scope being settled already.
pub(crate) fn evaluate(evaluator: &Evaluator<'_>, body: Option<&Expr>) -> Verdict {
    let Some(body) = body else { return Verdict::Holds };
    match evaluator.interpret(body, &SlotEnv::new()).map(|value| value.value) {
        Ok(ValueKind::Lit(Literal::Bool(true))) => Verdict::Holds,
        Ok(ValueKind::Lit(Literal::Bool(false))) => Verdict::DoesNotHold,
        Ok(_) | Err(_) => Verdict::Errs,
    }
}
