//! What is asked to be seen: RFC 7644 section 3.4.2.

use modelward_scim::query::{COUNT_MAX, Query, View};
use modelward_scim::{Kind, Object};
use serde_json::{Value, json};

use crate::{barbara, object, told};

fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn people() -> Vec<(Kind, Object)> {
    ["carol", "Anna", "bob"]
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let mut user = object(json!({ "id": format!("pe_{place}"), "userName": name }));
            if name != "bob" {
                user.insert("title".to_owned(), name.into());
            }
            (Kind::User, user)
        })
        .collect()
}

fn names(pairs: &[(&str, &str)]) -> Value {
    let answer = Query::of_parameters(&[Kind::User], &parameters(pairs)).unwrap().answer(people());
    let names = answer["Resources"].as_array().unwrap().iter().map(|user| user["userName"].clone());
    json!([answer["totalResults"], answer["itemsPerPage"], names.collect::<Vec<_>>()])
}

#[test]
fn resources_are_filtered_ordered_and_paged() {
    assert_eq!(names(&[]), json!([3, 3, ["carol", "Anna", "bob"]]));
    assert_eq!(names(&[("sortBy", "userName")]), json!([3, 3, ["Anna", "bob", "carol"]]));
    // Whoever has no value comes last, and first in the other direction.
    assert_eq!(names(&[("sortBy", "title")]), json!([3, 3, ["Anna", "carol", "bob"]]));
    assert_eq!(
        names(&[("sortBy", "title"), ("sortOrder", "descending")]),
        json!([3, 3, ["bob", "carol", "Anna"]])
    );
    assert_eq!(names(&[("sortBy", "userName"), ("startIndex", "2"), ("count", "1")]), json!([3, 1, ["bob"]]));
    assert_eq!(names(&[("filter", "title pr"), ("startIndex", "-3"), ("count", "0")]), json!([2, 0, []]));
    assert_eq!(names(&[("startIndex", "9")]), json!([3, 0, []]));
    let many: Vec<(Kind, Object)> = (0..500).map(|_| people().remove(0)).collect();
    let answer =
        Query::of_parameters(&[Kind::User], &parameters(&[("count", "100000")])).unwrap().answer(many);
    assert_eq!((&answer["totalResults"], &answer["itemsPerPage"]), (&json!(500), &json!(COUNT_MAX)));
}

#[test]
fn both_kinds_are_searched_at_once() {
    let body = json!({ "schemas": [Query::SCHEMA], "filter": "userName pr or displayName pr", "attributes": ["displayName"] });
    let mut both = people();
    both.push((Kind::Group, object(json!({ "id": "g", "displayName": "Analysts", "externalId": "x" }))));
    let answer = Query::of_body(&Kind::ALL, &body).unwrap().answer(both);
    assert_eq!(answer["totalResults"], 4);
    assert_eq!(answer["Resources"][3], json!({ "id": "g", "displayName": "Analysts" }));
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let shown = |pairs: &[(&str, &str)]| {
        Value::Object(View::of_parameters(&parameters(pairs)).unwrap().show(Kind::User, barbara()))
    };
    assert_eq!(
        shown(&[("attributes", "username, emails.value ,name.givenName,colour")]),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "pe_1",
            "userName": "bjensen@example.com",
            "name": { "givenName": "Barbara" },
            "emails": [{ "value": "bjensen@example.com" }, { "value": "babs@jensen.org" }],
        })
    );
    let without = shown(&[(
        "excludedAttributes",
        "id,meta,emails.type,urn:ietf:params:scim:schemas:core:2.0:User:title",
    )]);
    assert_eq!(without["id"], "pe_1");
    assert_eq!(without["emails"][1], json!({ "value": "babs@jensen.org" }));
    assert!(
        without.get("meta").is_none() && without.get("title").is_none() && without.get("userName").is_some()
    );
}

#[test]
fn what_is_no_query_is_told_so() {
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("page", "2")], "400 invalidSyntax: there is no parameter `page`"),
        (&[("count", "many")], "400 invalidValue: `count` has no such value"),
        (&[("sortOrder", "up")], "400 invalidValue: `sortOrder` has no such value"),
        (&[("sortBy", "colour")], "400 invalidPath: there is no attribute `colour` to sort by"),
        (&[("filter", "x")], "400 invalidFilter: an operator is missing at the end"),
        (&[("count", "1"), ("COUNT", "2")], "400 invalidSyntax: `COUNT` stands there twice"),
        (
            &[("attributes", "a"), ("excludedAttributes", "b")],
            "400 invalidSyntax: `attributes` and `excludedAttributes` exclude each other",
        ),
        (&[("attributes", "a b")], "400 invalidSyntax: `a b` is not an attribute"),
    ];
    for (pairs, expected) in cases {
        let error = Query::of_parameters(&[Kind::User], &parameters(pairs)).unwrap_err();
        assert_eq!(told(&error), expected);
    }
    let body = json!({ "schemas": [Query::SCHEMA], "filter": true });
    assert_eq!(
        told(&Query::of_body(&Kind::ALL, &body).unwrap_err()),
        "400 invalidValue: `filter` has no such value"
    );
    let body = json!({ "filter": "userName pr" });
    assert!(told(&Query::of_body(&Kind::ALL, &body).unwrap_err()).contains("`schemas` does not name"));
}
