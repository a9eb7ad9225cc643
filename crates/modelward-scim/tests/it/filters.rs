//! Filters: RFC 7644 section 3.4.2.2.

use expect_test::{Expect, expect};
use modelward_scim::Kind;
use modelward_scim::filter::{DEPTH_MAX, Filter, TESTS_MAX};
use proptest::prelude::*;

use crate::{barbara, told};

fn check(filters: &[&str], expected: &Expect) {
    let mut lines = String::new();
    for text in filters {
        let line = match Filter::read(text, &[Kind::User]) {
            Ok(filter) => {
                format!("{}  {text}\n", if filter.matches(Kind::User, &barbara()) { "yes" } else { "no " })
            }
            Err(error) => format!("{}  <- {text}\n", told(&error)),
        };
        lines.push_str(&line);
    }
    expected.assert_eq(&lines);
}

#[test]
fn a_filter_finds_what_it_says() {
    check(
        &[
            r#"userName eq "BJENSEN@example.com""#,
            r#"USERNAME Eq "bjensen@example.com""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "bj""#,
            r#"externalId eq "bjensen""#,
            r#"externalId eq "Bjensen""#,
            r#"title pr"#,
            r#"displayName pr"#,
            r#"nickName pr"#,
            r#"name.familyName co "ens" and not (title co "chief")"#,
            r#"title eq "x" or title eq "y" or active eq true"#,
            r#"active eq "True""#,
            r#"active ne true"#,
            r#"emails co "jensen.org""#,
            r#"emails.type eq "work""#,
            r#"emails[type eq "work" and value co "jensen.org"]"#,
            r#"emails[type eq "home" and value co "jensen.org"]"#,
            r#"meta.lastModified gt "2026-05-13T06:42:33+02:00""#,
            r#"meta.lastModified lt "2026-05-13T04:42:34Z""#,
            r#"displayName eq null"#,
            r#"title eq "\u0056ice President""#,
            r#"title gt "vicd" and title lt "vicf""#,
        ],
        &expect![[r#"
            yes  userName eq "BJENSEN@example.com"
            yes  USERNAME Eq "bjensen@example.com"
            yes  urn:ietf:params:scim:schemas:core:2.0:User:userName sw "bj"
            no   externalId eq "bjensen"
            yes  externalId eq "Bjensen"
            yes  title pr
            no   displayName pr
            no   nickName pr
            yes  name.familyName co "ens" and not (title co "chief")
            yes  title eq "x" or title eq "y" or active eq true
            yes  active eq "True"
            no   active ne true
            yes  emails co "jensen.org"
            yes  emails.type eq "work"
            no   emails[type eq "work" and value co "jensen.org"]
            yes  emails[type eq "home" and value co "jensen.org"]
            yes  meta.lastModified gt "2026-05-13T06:42:33+02:00"
            no   meta.lastModified lt "2026-05-13T04:42:34Z"
            yes  displayName eq null
            yes  title eq "\u0056ice President"
            yes  title gt "vicd" and title lt "vicf"
        "#]],
    );
}

#[test]
fn what_is_no_filter_is_told_so() {
    check(
        &[
            "",
            "userName",
            "userName eq",
            "userName eq bjensen",
            r#"userName is "x""#,
            r#"userName eq "x"#,
            r#"userName eq "x" and"#,
            r#"(userName pr"#,
            r#"userName pr)"#,
            r#"emails[type eq "work""#,
            r#"userName eq "x"; drop table person"#,
            r#"colour eq "red""#,
            r#"name.colour eq "red""#,
            r#"name eq "Barbara""#,
            r#"title[value eq "x"]"#,
            "active gt true",
            r#"urn:example:User:userName eq "x""#,
            "1userName pr",
            "userName.name.part pr",
        ],
        &expect![[r#"
            400 invalidFilter: an attribute is missing at the end  <- 
            400 invalidFilter: an operator is missing at the end  <- userName
            400 invalidFilter: a value is missing at the end  <- userName eq
            400 invalidFilter: `bjensen` is not a value: text stands in quotes  <- userName eq bjensen
            400 invalidFilter: `is` is not an operator  <- userName is "x"
            400 invalidFilter: a quote is not closed  <- userName eq "x
            400 invalidFilter: an attribute is missing at the end  <- userName eq "x" and
            400 invalidFilter: `)` is missing before the end  <- (userName pr
            400 invalidFilter: nothing can follow before `)`  <- userName pr)
            400 invalidFilter: `]` is missing before the end  <- emails[type eq "work"
            400 invalidFilter: `;` has no meaning here  <- userName eq "x"; drop table person
            400 invalidFilter: there is no attribute `colour`  <- colour eq "red"
            400 invalidFilter: there is no attribute `name.colour`  <- name.colour eq "red"
            400 invalidFilter: `name` has parts: compare one of them  <- name eq "Barbara"
            400 invalidFilter: `title` has no parts to filter by  <- title[value eq "x"]
            400 invalidFilter: `active` is true or false and has no order  <- active gt true
            400 invalidFilter: there is no attribute `urn:example:User:userName`  <- urn:example:User:userName eq "x"
            400 invalidFilter: `1userName` is not an attribute  <- 1userName pr
            400 invalidFilter: `userName.name.part` is not an attribute  <- userName.name.part pr
        "#]],
    );
}

#[test]
fn a_filter_has_a_bound_in_every_direction() {
    let deep = format!("{}userName pr{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1));
    let wide = vec!["userName pr"; TESTS_MAX + 1].join(" or ");
    let long = format!(r#"userName eq "{}""#, "x".repeat(5000));
    for text in [deep, wide, long] {
        let error = Filter::read(&text, &[Kind::User]).unwrap_err();
        assert!(
            error.detail.contains("more than") || error.detail.contains("longer than"),
            "{}",
            error.detail
        );
    }
    let most = vec!["userName pr"; TESTS_MAX].join(" or ");
    assert!(Filter::read(&most, &[Kind::User]).unwrap().matches(Kind::User, &barbara()));
}

/// Text that is a filter, whatever it finds.
fn filter() -> impl Strategy<Value = String> {
    let path =
        prop::sample::select(vec!["userName", "title", "name.givenName", "emails.value", "externalId"]);
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let test = (path.clone(), operator, ".{0,12}").prop_map(|(path, operator, value)| {
        format!("{path} {operator} {}", serde_json::Value::String(value))
    });
    let leaf = prop_oneof![test, path.prop_map(|path| format!("{path} pr"))];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
            Just(r#"emails[type eq "work" and value pr]"#.to_owned()),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_written_out_is_the_same_filter(text in filter()) {
        let filter = Filter::read(&text, &[Kind::User]).unwrap();
        let again = Filter::read(&filter.to_string(), &[Kind::User]).unwrap();
        prop_assert_eq!(&again, &filter);
        prop_assert_eq!(again.matches(Kind::User, &barbara()), filter.matches(Kind::User, &barbara()));
    }

    #[test]
    fn not_turns_every_answer_around(text in filter()) {
        let filter = Filter::read(&text, &[Kind::User]).unwrap();
        let not = Filter::read(&format!("not ({text})"), &[Kind::User]).unwrap();
        prop_assert_ne!(filter.matches(Kind::User, &barbara()), not.matches(Kind::User, &barbara()));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ a-zA-Z0-9()\\[\\].:\"$_\\\\-]{0,80}") {
        if let Ok(filter) = Filter::read(&text, &Kind::ALL) {
            filter.matches(Kind::User, &barbara());
        }
    }
}
