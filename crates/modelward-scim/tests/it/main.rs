//! What a provisioning client may send, and what comes of it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod filters;
mod patches;
mod queries;
mod resources;

use modelward_scim::{Error, Object};
use serde_json::{Value, json};

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

/// A user as the server shows one.
fn barbara() -> Object {
    object(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "pe_1",
        "externalId": "Bjensen",
        "userName": "bjensen@example.com",
        "name": { "givenName": "Barbara", "familyName": "Jensen" },
        "title": "Vice President",
        "active": true,
        "emails": [
            { "value": "bjensen@example.com", "type": "work", "primary": true },
            { "value": "babs@jensen.org", "type": "home" },
        ],
        "meta": { "resourceType": "User", "lastModified": "2026-05-13T04:42:34Z", "version": "W/\"1\"" },
    }))
}

/// A refusal in one line.
fn told(error: &Error) -> String {
    let kind = error.kind.map_or("-", modelward_scim::ErrorKind::as_str);
    format!("{} {kind}: {}", error.status, error.detail)
}
