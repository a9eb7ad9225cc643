use std::collections::HashMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

#[test]
fn the_examples_of_rfc_8785_come_out_byte_for_byte() {
    let value: Value = serde_json::from_str(
        r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
    )
    .unwrap();
    assert_eq!(
        to_string(&value).unwrap(),
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
         \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
    );
}

#[test]
fn keys_sort_by_utf16_code_units() {
    let value =
        json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    let text = to_string(&value).unwrap();
    let digits: String = text.split(':').skip(1).filter_map(|part| part.chars().next()).collect();
    assert_eq!(digits, "2467153");
}

#[test]
fn numbers_print_as_ecmascript_prints_them() {
    let check = |value: f64, text: &str| assert_eq!(to_string(&value).unwrap(), text);
    check(0.0, "0");
    check(-0.0, "0");
    check(1.0, "1");
    check(5e-324, "5e-324");
    check(1.7976931348623157e308, "1.7976931348623157e+308");
    check(9007199254740991.0, "9007199254740991");
    check(1e21, "1e+21");
    check(1e-7, "1e-7");
}

#[test]
fn what_has_no_single_form_is_an_error() {
    assert_eq!(to_vec(&f64::NAN), Err(CanonicalError::NotFinite));
    assert_eq!(to_vec(&f64::INFINITY), Err(CanonicalError::NotFinite));
    assert!(matches!(to_vec(&(INTEGER_MAX + 1)), Err(CanonicalError::IntegerTooLarge { .. })));
    assert!(matches!(to_vec(&i64::MIN), Err(CanonicalError::IntegerTooLarge { .. })));
    assert!(matches!(to_vec(&9007199254740992.0_f64), Err(CanonicalError::IntegerTooLarge { .. })));
    assert!(to_vec(&INTEGER_MAX).is_ok());
    assert_eq!(to_vec(&HashMap::from([((1, 2), 3)])), Err(CanonicalError::KeyNotString));
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    assert_eq!(to_vec(&deep), Err(CanonicalError::TooDeep));
}

#[test]
fn enums_and_structs_serialize_as_serde_json_does() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, u8),
        Named { z: u8, a: Option<u8> },
    }
    let shapes = [Shape::Unit, Shape::New(1), Shape::Pair(1, 2), Shape::Named { z: 1, a: None }];
    assert_eq!(
        to_string(&shapes).unwrap(),
        r#"["Unit",{"New":1},{"Pair":[1,2]},{"Named":{"a":null,"z":1}}]"#
    );
}

fn refuse(text: &str) -> ParseError {
    parse_strict(text.as_bytes(), Limits { bytes: 200, depth: 3, values: 10 }).unwrap_err()
}

#[test]
fn duplicate_keys_are_rejected_where_they_stand() {
    let error = refuse("{\"a\":1,\n \"b\":{\"c\":1,\"c\":2}}");
    assert_eq!(error.kind, ParseErrorKind::DuplicateKey { key: "c".to_owned() });
    assert_eq!(error.line, 2);
    assert!(error.offset > 8, "{error:?}");
    // The escaped spelling is the same key.
    let error = refuse(r#"{"a":1,"\u0061":2}"#);
    assert_eq!(error.kind, ParseErrorKind::DuplicateKey { key: "a".to_owned() });
}

#[test]
fn bounds_hold() {
    assert_eq!(refuse("[[[[1]]]]").kind, ParseErrorKind::TooDeep { max: 3 });
    assert_eq!(refuse("[1,2,3,4,5,6,7,8,9,10]").kind, ParseErrorKind::TooManyValues { max: 10 });
    assert_eq!(refuse(&" ".repeat(201)).kind, ParseErrorKind::TooLarge { max: 200 });
}

#[test]
fn broken_json_is_rejected_with_a_place() {
    for text in ["", "{", "[1,]", "nul", "\"\\ud800\"", "1e999", "1 2", "{\"a\":1}x", "NaN", "'a'", "[01]"] {
        let error = refuse(text);
        assert!(matches!(error.kind, ParseErrorKind::Syntax { .. }), "{text}: {error:?}");
        assert!(!error.to_string().contains("line 0"), "{text}: {error}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("has a form", |f| to_vec(f).is_ok()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_bytes_parse_back_and_are_a_fixed_point(value in any_json()) {
        let bytes = to_vec(&value).unwrap();
        let read = parse_strict(&bytes, Limits::DEFAULT).unwrap();
        prop_assert_eq!(to_vec(&read).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _outcome = parse_strict(&bytes, Limits::DEFAULT);
    }
}
