//! Resources as clients send them, and what the server says of itself.

use modelward_scim::resource::{MEMBERS_MAX, TEXT_MAX, VALUES_MAX, read};
use modelward_scim::{Error, Kind, discovery};
use serde_json::{Value, json};

use crate::told;

fn user(members: Value) -> Result<modelward_scim::Object, String> {
    let mut body = json!({ "schemas": [Kind::User.schema()], "userName": "eli" });
    if let (Some(body), Value::Object(members)) = (body.as_object_mut(), members) {
        body.extend(members);
    }
    read(Kind::User, &body).map_err(|error| told(&error))
}

#[test]
fn names_are_made_canonical_and_what_is_not_kept_is_dropped() {
    let read = user(json!({
        "DISPLAYNAME": "Eli",
        "active": "True",
        "title": "",
        "locale": null,
        "emails": [{ "Value": "a@b.c", "PRIMARY": "true" }, { "value": "a@b.c", "primary": true }],
        "id": "chosen", "meta": { "version": "9" }, "groups": [{ "value": "admins" }],
        "phoneNumbers": [{ "value": "1" }], "roles": [{ "value": "admin" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "x" },
    }));
    assert_eq!(
        Value::Object(read.unwrap()),
        json!({
            "userName": "eli", "displayName": "Eli", "active": true,
            "emails": [{ "value": "a@b.c", "primary": true }],
        })
    );
}

#[test]
fn what_is_no_resource_is_told_so() {
    let long = "x".repeat(TEXT_MAX + 1);
    let many: Vec<Value> = (0..=VALUES_MAX).map(|number| json!({ "value": number.to_string() })).collect();
    let cases = [
        (
            json!({ "schemas": ["urn:x"] }),
            "400 invalidSyntax: `schemas` does not name `urn:ietf:params:scim:schemas:core:2.0:User`",
        ),
        (json!({ "userName": null }), "400 invalidValue: `userName` is required"),
        (json!({ "userName": 7 }), "400 invalidValue: `userName` is text"),
        (json!({ "username": "x" }), "400 invalidSyntax: `userName` stands there twice"),
        (json!({ "colour": "red" }), "400 invalidSyntax: there is no attribute `colour`"),
        (
            json!({ "password": "secret" }),
            "400 invalidValue: no password is taken: people sign in at their issuer",
        ),
        (json!({ "name": { "colour": "red" } }), "400 invalidSyntax: there is no attribute `name.colour`"),
        (json!({ "name": "Eli" }), "400 invalidValue: `name` is an object"),
        (json!({ "title": long }), "400 invalidValue: `title` is text of at most 1024 printable characters"),
        (
            json!({ "title": "a\u{7}b" }),
            "400 invalidValue: `title` is text of at most 1024 printable characters",
        ),
        (json!({ "emails": many }), "400 invalidValue: `emails` has more than 64 values"),
        (
            json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
            "400 invalidValue: `emails` has two primary values",
        ),
    ];
    for (members, expected) in cases {
        assert_eq!(user(members.clone()).unwrap_err(), expected, "{members}");
    }
    assert_eq!(
        told(&read(Kind::User, &json!([])).unwrap_err()),
        "400 invalidSyntax: a resource is a JSON object"
    );
    let members: Vec<Value> =
        (0..=MEMBERS_MAX).map(|number| json!({ "value": number.to_string() })).collect();
    let group = json!({ "schemas": [Kind::Group.schema()], "displayName": "all", "members": members });
    assert!(told(&read(Kind::Group, &group).unwrap_err()).contains("more than 8000"));
}

#[test]
fn an_error_has_the_protocols_shape() {
    let error = Error::new(modelward_scim::ErrorKind::Uniqueness, "taken");
    assert_eq!(
        error.body(),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": "409", "scimType": "uniqueness", "detail": "taken",
        })
    );
    assert!(Error::status(404, "gone").body().get("scimType").is_none());
}

#[test]
fn the_server_says_what_it_is() {
    let base = "https://mw.example/scim/v2";
    let config = discovery::service_provider_config(base);
    assert_eq!((&config["patch"]["supported"], &config["bulk"]["supported"]), (&json!(true), &json!(false)));
    for kind in Kind::ALL {
        let schema = discovery::schema(kind, base);
        assert_eq!(schema["id"], discovery::resource_type(kind, base)["schema"]);
        let named: Vec<&str> =
            schema["attributes"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert!(!named.contains(&"password") && !named.contains(&"id"));
    }
}
