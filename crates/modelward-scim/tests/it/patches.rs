//! Changes: RFC 7644 section 3.5.2, and what clients in the wild make of it.

use modelward_scim::patch::Patch;
use modelward_scim::{Kind, Object};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{barbara, object, told};

fn patch(kind: Kind, before: &Object, operations: Value) -> Result<Object, String> {
    let mut body = json!({ "schemas": [Patch::SCHEMA] });
    body["Operations"] = operations;
    Patch::read(kind, &body).and_then(|patch| patch.apply(kind, before)).map_err(|error| told(&error))
}

fn users(operations: Value) -> Result<Object, String> {
    patch(Kind::User, &barbara(), operations)
}

fn group() -> Object {
    let member = |id: &str| json!({ "value": id, "$ref": format!("https://mw/Users/{id}"), "type": "User" });
    object(json!({ "displayName": "Analysts", "members": [member("pe_1"), member("pe_2"), member("pe_3")] }))
}

fn members(group: &Object) -> Vec<&str> {
    let members = group.get("members").and_then(Value::as_array);
    members.into_iter().flatten().map(|member| member["value"].as_str().unwrap()).collect()
}

#[test]
fn attributes_are_added_replaced_and_removed() {
    let after = users(json!([
        { "op": "add", "path": "displayName", "value": "Babs" },
        { "op": "replace", "path": "name", "value": { "givenName": "Babs" } },
        { "op": "replace", "path": "name.familyName", "value": "Jones" },
        { "op": "remove", "path": "title" },
        { "op": "replace", "path": "emails[type eq \"home\"].value", "value": "babs@jones.org" },
        { "op": "add", "path": "emails", "value": [{ "value": "b@jones.org", "primary": true }] },
    ]))
    .unwrap();
    assert_eq!(after["displayName"], "Babs");
    assert_eq!(after["name"], json!({ "givenName": "Babs", "familyName": "Jones" }));
    assert!(!after.contains_key("title"));
    assert_eq!(
        after["emails"],
        json!([
            { "value": "bjensen@example.com", "type": "work", "primary": false },
            { "value": "babs@jones.org", "type": "home" },
            { "value": "b@jones.org", "primary": true },
        ])
    );
}

#[test]
fn what_entra_sends_means_what_it_says() {
    let after = users(json!([
        { "op": "Replace", "path": "active", "value": "False" },
        { "op": "Add", "path": "emails[type eq \"other\"].value", "value": "third@example.com" },
        { "op": "Replace", "value": { "name.givenName": "Babs", "displayName": "Babs Jensen" } },
        { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "x" },
        { "op": "Replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "12" },
    ]))
    .unwrap();
    assert_eq!(after["active"], false);
    assert_eq!(after["emails"][2], json!({ "type": "other", "value": "third@example.com" }));
    assert_eq!(after["name"]["givenName"], "Babs");
    assert!(!after.keys().any(|name| name.contains("enterprise") || name == "phoneNumbers"));

    // A member is removed by value: taken literally, everybody would be.
    let after = patch(
        Kind::Group,
        &group(),
        json!([{ "op": "Remove", "path": "members", "value": [{ "value": "pe_2" }] }]),
    );
    assert_eq!(members(&after.unwrap()), ["pe_1", "pe_3"]);
}

#[test]
fn what_okta_sends_means_what_it_says() {
    let after = users(json!([{ "op": "replace", "value": { "active": false } }])).unwrap();
    assert_eq!(after["active"], false);
    let after = patch(
        Kind::Group,
        &group(),
        json!([
            { "op": "replace", "value": { "id": "whatever", "displayName": "Analysts 2" } },
            { "op": "remove", "path": "members[value eq \"pe_1\"]" },
            { "op": "add", "path": "members", "value": [{ "value": "pe_9", "display": "nine" }] },
        ]),
    )
    .unwrap();
    assert_eq!(members(&after), ["pe_2", "pe_3", "pe_9"]);
    assert_eq!(after["displayName"], "Analysts 2");
    let after =
        patch(Kind::Group, &group(), json!([{ "op": "replace", "path": "members", "value": [] }])).unwrap();
    assert!(members(&after).is_empty());
}

#[test]
fn what_is_no_patch_is_told_so_and_changes_nothing() {
    let cases = [
        (json!([]), "400 invalidSyntax: a patch has 1 to 256 operations"),
        (
            json!([{ "op": "move", "path": "title" }]),
            "400 invalidSyntax: `move` is not add, replace or remove",
        ),
        (json!([{ "op": "remove" }]), "400 noTarget: `remove` needs a `path`"),
        (json!([{ "op": "add", "value": "x" }]), "400 invalidValue: without `path`, `value` is an object"),
        (
            json!([{ "op": "add", "path": "colour", "value": "x" }]),
            "400 invalidPath: there is no attribute `colour`",
        ),
        (
            json!([{ "op": "add", "path": "title[" , "value": "x" }]),
            "400 invalidPath: an attribute is missing at the end",
        ),
        (json!([{ "op": "add", "path": 7, "value": "x" }]), "400 invalidPath: `path` is text"),
        (
            json!([{ "op": "replace", "path": "id", "value": "x" }]),
            "400 mutability: `id` is not a client's to change",
        ),
        (
            json!([{ "op": "add", "path": "groups", "value": [{ "value": "g" }] }]),
            "400 mutability: `groups` is not a client's to change",
        ),
        (json!([{ "op": "remove", "path": "userName" }]), "400 invalidValue: `userName` is required"),
        (
            json!([{ "op": "replace", "path": "userName", "value": " " }]),
            "400 invalidValue: `userName` is required",
        ),
        (
            json!([{ "op": "replace", "path": "active", "value": "perhaps" }]),
            "400 invalidValue: `active` is true or false",
        ),
        (
            json!([{ "op": "replace", "path": "emails[type eq \"x\"].value", "value": "y" }]),
            "400 noTarget: no value of `emails` is meant",
        ),
        (
            json!([{ "op": "replace", "path": "emails", "value": "x" }]),
            "400 invalidValue: `emails` is a list",
        ),
        (
            json!([{ "op": "add", "path": "password", "value": "x" }]),
            "400 invalidValue: no password is taken: people sign in at their issuer",
        ),
        (
            json!([{ "op": "add", "path": "title", "value": "x", "when": "now" }]),
            "400 invalidSyntax: an operation has no `when`",
        ),
    ];
    for (operations, expected) in cases {
        assert_eq!(users(operations.clone()).unwrap_err(), expected, "{operations}");
    }
    let changed = patch(
        Kind::Group,
        &group(),
        json!([{ "op": "replace", "path": "members[value eq \"pe_1\"].value", "value": "pe_7" }]),
    );
    assert_eq!(changed.unwrap_err(), "400 mutability: `value` is not a client's to change");
    // The first operation is fine, and is not made either.
    let before = barbara();
    assert!(
        patch(
            Kind::User,
            &before,
            json!([{ "op": "remove", "path": "title" }, { "op": "remove", "path": "userName" }])
        )
        .is_err()
    );
    assert!(before.contains_key("title"));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "[a-z]{0,6}".prop_map(Value::String),
        Just(json!({ "value": "x", "type": "work" })),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(
                prop::sample::select(vec!["value", "type", "primary", "givenName", "x"]),
                inner,
                0..3
            )
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_what_comes_out_is_still_a_user(
        operations in prop::collection::vec((
            prop::sample::select(vec!["add", "replace", "remove"]),
            prop::sample::select(vec![
                "title", "active", "name", "name.givenName", "emails", "emails.value", "emails[type eq \"work\"]",
                "emails[primary eq true].display", "externalId", "userName",
            ]),
            value(),
        ), 1..5),
    ) {
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }))
            .collect();
        let before = modelward_scim::resource::read(Kind::User, &Value::Object(barbara())).unwrap();
        if let Ok(after) = patch(Kind::User, &before, Value::Array(operations)) {
            let mut whole = after.clone();
            whole.insert("schemas".to_owned(), json!([Kind::User.schema()]));
            // Read again as if it were sent whole: nothing unknown, nothing of another form, at most one primary.
            prop_assert_eq!(modelward_scim::resource::read(Kind::User, &Value::Object(whole)).unwrap(), after);
        }
    }
}
