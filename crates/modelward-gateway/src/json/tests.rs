use proptest::prelude::*;

use super::*;

fn check(text: &str) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text.as_bytes())?;
    scanner.value()?;
    scanner.end()
}

#[test]
fn what_two_parsers_could_read_differently_is_a_fault() {
    for (text, fault) in [
        (r#"{"a":1,"a":2}"#, "the key `a` stands twice"),
        (r#"{"model":"x","mod\u0065l":"y"}"#, "the key `model` stands twice"),
        (r#"[{"b":{"c":1,"c":1}}]"#, "the key `c` stands twice"),
        (r#"["\ud800"]"#, "surrogate"),
        (r#"["\udc00"]"#, "surrogate"),
        (r#"["\ud800\u0041"]"#, "surrogate"),
        ("[1e999]", "out of range"),
        ("[01]", "`,` or `]`"),
        ("[1.]", "a digit"),
        ("[+1]", "a value"),
        ("[NaN]", "a value"),
        ("[1,]", "a value"),
        (r#"{"a":1,}"#, "a key"),
        (r"{'a':1}", "a key"),
        ("[1] 2", "the end"),
        ("\"a\nb\"", "control character"),
        ("\u{feff}[]", "a value"),
        ("", "a value"),
        ("nul", "null"),
    ] {
        let shown = check(text).expect_err(text).to_string();
        assert!(shown.contains(fault), "{text}: {shown}");
    }
}

#[test]
fn many_keys_are_told_apart_as_well_as_few() {
    let keys: Vec<String> = (0..500).map(|n| format!(r#""k{n}":0"#)).collect();
    assert_eq!(check(&format!("{{{}}}", keys.join(","))), Ok(()));
    let twice = format!("{{{},\"k7\":1}}", keys.join(","));
    assert_eq!(check(&twice), Err(Fault::Duplicate { key: "k7".to_owned() }));
    let flood: Vec<String> = (0..30_000).map(|n| format!(r#""{n}":0"#)).collect();
    assert_eq!(check(&format!("{{{}}}", flood.join(","))), Err(Fault::Keys));
}

#[test]
fn nesting_ends_at_the_bound() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check(&nested(32)), Ok(()));
    assert_eq!(check(&nested(33)), Err(Fault::Depth));
    assert_eq!(check(&nested(100_000)), Err(Fault::Depth));
}

#[test]
fn siblings_do_not_count_as_nesting() {
    let wide = format!("[{}]", vec!["[{}]"; 1000].join(","));
    assert_eq!(check(&wide), Ok(()));
}

#[test]
fn numbers_keep_so_many_decimals() {
    let round = |raw: &str, decimals| {
        let mut out = Vec::new();
        write_number_rounded(&mut out, raw, decimals);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(round("0.99999999878", 2), "1");
    assert_eq!(round("-0.001", 2), "0");
    assert_eq!(round("1.2e-9", 3), "0");
    assert_eq!(round("0.125", 1), "0.1");
    assert_eq!(round("12", 0), "12");
    assert_eq!(round("100.0", 0), "100");
    assert_eq!(round("1e3", 2), "1000");
}

#[test]
fn an_answer_may_hold_half_a_character() {
    let mut scanner = Scanner::answer(r#"{"content":"\ud83d"}"#);
    assert_eq!(scanner.value(), Ok(r#"{"content":"\ud83d"}"#));
    assert!(Scanner::answer(r#"{"\ud83d":1}"#).value().is_err(), "never in a key");
}

proptest! {
    #[test]
    fn whatever_is_written_reads_back(text in any::<String>()) {
        let mut out = Vec::new();
        write_text(&mut out, &text);
        let raw = String::from_utf8(out).unwrap();
        prop_assert_eq!(check(&raw), Ok(()));
        let plain = text_of(&raw).unwrap();
        prop_assert_eq!(plain.as_ref(), text.as_str());
    }

    /// Nothing is accepted that the strict parser of the signed formats would reject.
    #[test]
    fn arbitrary_bytes_never_pass_unless_they_are_json(bytes in proptest::collection::vec(
        prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b':'), Just(b','),
            Just(b'\\'), Just(b'u'), Just(b'1'), Just(b'e'), Just(b'.'), Just(b'-'), Just(b'a'), Just(b' ')], 0..24)
    ) {
        if let Ok(mut scanner) = Scanner::new(&bytes)
            && scanner.value().is_ok()
            && scanner.end().is_ok()
        {
            let other: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
            prop_assert!(other.is_ok(), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
