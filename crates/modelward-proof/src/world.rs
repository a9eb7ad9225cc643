//! One concrete request with everything it is judged by, as JSON that can be changed piece by piece.

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Schema,
};
use cedar_policy_symcc::Env;
use serde_json::{Map, Value, json};

/// Where a fact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Principal,
    Resource,
    Context,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) principal: Uid,
    pub(crate) action: Uid,
    pub(crate) resource: Uid,
    pub(crate) context: Value,
    pub(crate) entities: Vec<Value>,
}

/// The type and the id of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Uid {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// What the ordinary authorizer makes of a world.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) allowed: bool,
    /// The policies that decided.
    pub(crate) policies: Vec<String>,
    /// The policies that failed.
    pub(crate) failed: Vec<String>,
}

impl World {
    /// The world of an example the solver gave; nothing if it is incomplete.
    pub(crate) fn of(example: &Env) -> Option<Self> {
        let request = &example.request;
        let action = Uid::of(request.action()?);
        let entities = example.entities.to_json_value().ok()?;
        let entities = entities.as_array()?.iter().filter(|entity| {
            // Actions come from the schema.
            uid_in(entity.get("uid")).is_some_and(|uid| uid.kind != action.kind)
        });
        Some(Self {
            principal: Uid::of(request.principal()?),
            resource: Uid::of(request.resource()?),
            context: request.context()?.to_json_value().ok()?,
            entities: entities.cloned().collect(),
            action,
        })
    }

    /// Request and entities as Cedar has them; nothing if they do not fit the schema.
    fn cedar(&self, schema: &Schema) -> Option<(Request, Entities)> {
        let action = self.action.cedar()?;
        let context = Context::from_json_value(self.context.clone(), Some((schema, &action))).ok()?;
        let entities = Entities::from_json_value(Value::Array(self.entities.clone()), Some(schema)).ok()?;
        let (principal, resource) = (self.principal.cedar()?, self.resource.cedar()?);
        // An entity that is not there has no attributes: Cedar would call that an error of the policy.
        if entities.get(&principal).is_none() || entities.get(&resource).is_none() {
            return None;
        }
        Some((Request::new(principal, action, resource, context, Some(schema)).ok()?, entities))
    }

    /// What the ordinary authorizer makes of it; nothing if it does not fit the schema.
    pub(crate) fn judge(&self, schema: &Schema, policies: &[&PolicySet]) -> Option<Vec<Judged>> {
        let (request, entities) = self.cedar(schema)?;
        let judge = |policies: &&PolicySet| {
            let response = Authorizer::new().is_authorized(&request, policies, &entities);
            let diagnostics = response.diagnostics();
            let mut judged = Judged {
                allowed: response.decision() == Decision::Allow,
                policies: diagnostics.reason().map(ToString::to_string).collect(),
                failed: diagnostics.errors().map(failed_policy).collect(),
            };
            judged.policies.sort();
            judged.failed.sort();
            judged
        };
        Some(policies.iter().map(judge).collect())
    }

    pub(crate) fn fact(&self, root: Root, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self.facts(root)?, |value, name| value.get(name))
    }

    /// Sets a fact whose surroundings are there; `null` takes it away.
    pub(crate) fn set(&mut self, root: Root, path: &[&str], value: Value) {
        let Some((name, before)) = path.split_last() else { return };
        let Some(facts) = self.facts_mut(root) else { return };
        let place = before.iter().try_fold(facts, |value, name| value.get_mut(name));
        let Some(Value::Object(record)) = place else { return };
        match value {
            Value::Null => record.remove(*name),
            value => record.insert((*name).to_owned(), value),
        };
    }

    /// The paths of all facts below a root, records before what they hold.
    pub(crate) fn paths(&self, root: Root) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        if let Some(Value::Object(record)) = self.facts(root) {
            walk(record, &mut Vec::new(), &mut paths);
        }
        paths
    }

    pub(crate) fn parents(&self, uid: &Uid) -> Vec<Value> {
        let parents = self.entity(uid).and_then(|entity| entity.get("parents")).and_then(Value::as_array);
        parents.cloned().unwrap_or_default()
    }

    pub(crate) fn set_parents(&mut self, uid: &Uid, parents: Vec<Value>) {
        if let Some(Value::Object(entity)) = self.entity_mut(uid) {
            entity.insert("parents".to_owned(), Value::Array(parents));
        }
    }

    /// Gives an entity another id wherever it is named.
    pub(crate) fn rename(&mut self, from: &Uid, to: &str) {
        for uid in [&mut self.principal, &mut self.resource] {
            if uid == from {
                to.clone_into(&mut uid.id);
            }
        }
        rename_in(&mut self.context, from, to);
        self.entities.iter_mut().for_each(|entity| rename_in(entity, from, to));
    }

    /// Every entity that is named anywhere but the action, each once, in order.
    pub(crate) fn uids(&self) -> Vec<Uid> {
        let mut uids = vec![self.principal.clone(), self.resource.clone()];
        uids_in(&self.context, &mut uids);
        self.entities.iter().for_each(|entity| uids_in(entity, &mut uids));
        uids.retain(|uid| *uid != self.action);
        uids.sort();
        uids.dedup();
        uids
    }

    fn facts(&self, root: Root) -> Option<&Value> {
        match root {
            Root::Context => Some(&self.context),
            Root::Principal => self.entity(&self.principal)?.get("attrs"),
            Root::Resource => self.entity(&self.resource)?.get("attrs"),
        }
    }

    fn facts_mut(&mut self, root: Root) -> Option<&mut Value> {
        match root {
            Root::Context => Some(&mut self.context),
            Root::Principal => self.entity_mut(&self.principal.clone())?.get_mut("attrs"),
            Root::Resource => self.entity_mut(&self.resource.clone())?.get_mut("attrs"),
        }
    }

    fn entity(&self, uid: &Uid) -> Option<&Value> {
        self.entities.iter().find(|entity| uid_in(entity.get("uid")).as_ref() == Some(uid))
    }

    fn entity_mut(&mut self, uid: &Uid) -> Option<&mut Value> {
        self.entities.iter_mut().find(|entity| uid_in(entity.get("uid")).as_ref() == Some(uid))
    }
}

impl Uid {
    fn of(uid: &EntityUid) -> Self {
        Self { kind: uid.type_name().to_string(), id: uid.id().unescaped().to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "type": self.kind, "id": self.id })
    }

    /// The last part of the type: what people call it.
    pub(crate) fn short_kind(&self) -> &str {
        self.kind.rsplit("::").next().unwrap_or(&self.kind)
    }

    fn cedar(&self) -> Option<EntityUid> {
        EntityUid::from_json(self.json()).ok()
    }
}

fn failed_policy(error: &AuthorizationError) -> String {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    }
}

/// The entity a JSON value names, with or without Cedar's wrapping.
pub(crate) fn uid_in(value: Option<&Value>) -> Option<Uid> {
    let value = value?;
    let value = value.get("__entity").unwrap_or(value);
    let part = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Uid { kind: part("type")?, id: part("id")? })
}

fn walk(record: &Map<String, Value>, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (name, value) in record {
        before.push(name.clone());
        paths.push(before.clone());
        if let Value::Object(inner) = value
            && !inner.contains_key("__entity")
            && !inner.contains_key("__extn")
        {
            walk(inner, before, paths);
        }
        before.pop();
    }
}

fn uids_in(value: &Value, uids: &mut Vec<Uid>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| uids_in(item, uids)),
        Value::Object(record) => match uid_in(Some(value)) {
            Some(uid) => uids.push(uid),
            None => record.values().for_each(|inner| uids_in(inner, uids)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rename_in(value: &mut Value, from: &Uid, to: &str) {
    if uid_in(Some(value)).as_ref() == Some(from) {
        let inner = if value.get("__entity").is_some() { value.get_mut("__entity") } else { Some(value) };
        if let Some(Value::Object(uid)) = inner {
            uid.insert("id".to_owned(), Value::String(to.to_owned()));
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename_in(item, from, to)),
        Value::Object(record) => record.values_mut().for_each(|inner| rename_in(inner, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
