//! The facts a request is judged by, what each is when all is well, and how to say that it is not.
//!
//! A counterexample is easy to read when everything in it is well except what the hole needs. Facts that stand in no row
//! here (another schema may have them) are handled by their type.

use serde_json::{Value, json};

use crate::world::{Root, World};

/// One fact of the default schema.
pub(crate) struct Fact {
    pub(crate) root: Root,
    pub(crate) path: &'static [&'static str],
    /// What it is when all is well, as JSON text; `null` where it had better be absent.
    well: &'static str,
    /// A common way of not being well, as JSON text; empty where there is only one.
    ill: &'static str,
    /// What to say when it is not well; `{}` stands for the value.
    phrase: &'static str,
}

const fn fact(
    root: Root,
    path: &'static [&'static str],
    well: &'static str,
    ill: &'static str,
    phrase: &'static str,
) -> Fact {
    Fact { root, path, well, ill, phrase }
}

use Root::{Context, Principal, Resource};

/// Every fact, in the order it is told.
pub(crate) const FACTS: &[Fact] = &[
    fact(Resource, &["sensitivity"], "1", "3", "the sensitivity is {}"),
    fact(Principal, &["clearance"], "3", "0", "the clearance is {}"),
    fact(Principal, &["active"], "true", "", "the account is not active"),
    fact(Principal, &["ownerActive"], "true", "", "the owner of the machine is not active"),
    fact(Resource, &["quarantined"], "false", "", "it is in quarantine"),
    fact(Resource, &["proven"], "true", "", "its provenance is not verified"),
    fact(Resource, &["approved"], "true", "", "the endpoint is not approved"),
    fact(Resource, &["stripsSensitive"], "false", "", "sensitive parts of its answers are stripped"),
    fact(Resource, &["tags"], "[]", "", "its tags are {}"),
    fact(Context, &["now"], r#""2026-01-05T12:00:00Z""#, "", "it is {}"),
    fact(
        Context,
        &["grant", "notBefore"],
        r#""2026-01-01T00:00:00Z""#,
        r#""2026-01-06T00:00:00Z""#,
        "the grant has not begun",
    ),
    fact(
        Context,
        &["grant", "notAfter"],
        r#""2026-02-01T00:00:00Z""#,
        r#""2026-01-04T00:00:00Z""#,
        "the grant has ended",
    ),
    fact(Context, &["grant", "personal"], "true", "", "the grant is held by a group"),
    fact(Context, &["grant", "approvals"], "9", "1", "the approvals behind the grant are {}"),
    fact(Context, &["grant", "id"], r#""grant-1""#, "", "the grant is {}"),
    fact(
        Context,
        &["grant", "environments"],
        "null",
        r#"["elsewhere"]"#,
        "the grant is for the environments {}",
    ),
    fact(Context, &["grant", "regions"], "null", r#"["elsewhere"]"#, "the grant is for the regions {}"),
    fact(Context, &["grant", "segments"], "null", r#"["elsewhere"]"#, "the grant is for the networks {}"),
    fact(Context, &["grant", "purposes"], "null", r#"["elsewhere"]"#, "the grant is for the purposes {}"),
    fact(Context, &["grant", "fields"], "[]", "", "the fields of the grant are {}"),
    fact(Context, &["grantWindowOpen"], "true", "", "no time window of the grant is open"),
    fact(Context, &["session", "strength"], "3", "1", "the strength of the sign-in is {}"),
    fact(Context, &["session", "ageSeconds"], "0", "3600", "the sign-in is {} seconds old"),
    fact(Context, &["session", "bound"], "true", "", "the credential is not bound to its holder"),
    fact(Context, &["session", "covers"], "true", "", "the credential was not issued for this"),
    fact(Context, &["session", "methods"], "[]", "", "the methods of the sign-in are {}"),
    fact(Context, &["device", "managed"], "true", "", "the device is not managed"),
    fact(Context, &["device", "compliant"], "true", "", "the device is not compliant"),
    fact(Context, &["device", "confidence"], "3", "1", "the confidence in the device is {}"),
    fact(
        Context,
        &["endpoint"],
        r#"{"approved":true,"name":"endpoint"}"#,
        "",
        "no approved endpoint is used",
    ),
    fact(Context, &["production"], "false", "", "it is in production"),
    fact(Context, &["environment"], r#""development""#, "", "the environment is {}"),
    fact(Context, &["risk", "value"], "0", "100", "the risk is {}"),
    fact(Context, &["risk", "confidence"], "3", "1", "the confidence in the risk is {}"),
    fact(Context, &["network", "confidence"], "3", "1", "the confidence in the network is {}"),
    fact(Context, &["place", "confidence"], "3", "1", "the confidence in the place is {}"),
    fact(Context, &["ask", "held"], "[]", "", "the fields held are {}"),
    fact(Context, &["ask", "fields"], "[]", r#"["raw-scores"]"#, "the fields asked for are {}"),
];

impl Fact {
    pub(crate) fn well(&self) -> Value {
        serde_json::from_str(self.well).unwrap_or_default()
    }

    pub(crate) fn ill(&self) -> Option<Value> {
        serde_json::from_str(self.ill).ok()
    }

    /// Whether the fact is as it should be. One that is absent is not, unless it had better be.
    pub(crate) fn is_well(&self, world: &World) -> bool {
        world.fact(self.root, self.path).map_or(Value::Null, plain) == self.well()
    }

    /// Whether it has one of the two values people know.
    pub(crate) fn is_settled(&self, world: &World) -> bool {
        self.is_well(world) || world.fact(self.root, self.path).map(plain) == self.ill()
    }

    pub(crate) fn phrase(&self, world: &World) -> String {
        let value = world.fact(self.root, self.path).map_or(Value::Null, plain);
        self.phrase.replace("{}", &told(&value))
    }
}

/// The fact at a path of the context, if there is one.
pub(crate) fn named(root: Root, path: &[String]) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.root == root && fact.path.iter().eq(path.iter()))
}

/// A value without the wrapping Cedar's JSON gives to moments and entities.
pub(crate) fn plain(value: &Value) -> Value {
    let inner = value.get("__extn").and_then(|call| call.get("arg"));
    inner.or_else(|| value.get("__entity").and_then(|uid| uid.get("id"))).unwrap_or(value).clone()
}

/// A value as a sentence has it.
pub(crate) fn told(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| told(&plain(item))).collect::<Vec<_>>().join(", "),
        Value::Null => "absent".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The plainest value of the same JSON type.
pub(crate) fn plainest(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(true) => Some(json!(false)),
        Value::Number(number) if number.as_i64() != Some(0) => Some(json!(0)),
        Value::String(text) if !text.is_empty() => Some(json!("")),
        Value::Array(items) if !items.is_empty() => Some(json!([])),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}
