//! A bundle as one file.

use modelward_policy::verdict::{Proof, Solver, Verdict, Verdicts};
use modelward_policy::{BundleFile, FileError};
use modelward_seal::Digest;

use crate::house::{default_bundle, packed, sources};

#[test]
fn a_file_is_what_was_packed_under_the_digest_decisions_name() {
    let file = packed(sources());
    assert_eq!(file.digest(), default_bundle().digest());
    let bytes = file.to_bytes().expect("bytes");
    let opened = BundleFile::open(&bytes).expect("the same file");
    assert_eq!(opened, file);
    assert_eq!(opened.to_bytes().expect("bytes"), bytes, "one file, one byte form");
    assert_eq!(opened.bundle().expect("a bundle").digest(), default_bundle().digest());
}

#[test]
fn verdicts_travel_and_take_old_signatures_with_them() {
    let checks = vec![Verdict {
        claim: "invariant/one".to_owned(),
        name: "one: in one environment".to_owned(),
        query: Digest::of(b"query"),
        result: Proof::NotProven { reason: "no solver".to_owned() },
        time_ms: 3,
        counterexample: None,
        test_case: None,
    }];
    let solver = Solver { name: "cvc5".to_owned(), version: "1.0.3".to_owned() };
    let file =
        packed(sources()).with_verdicts(Verdicts { subject: Digest::ZERO, root: None, solver, checks });
    let opened = BundleFile::open(&file.to_bytes().expect("bytes")).expect("the same file");
    assert_eq!(opened.verdicts(), file.verdicts());
    assert!(!opened.verdicts().expect("verdicts").hold(), "not proven is not a yes");
}

#[test]
fn a_file_that_is_not_what_it_says_is_rejected() {
    let text = String::from_utf8(packed(sources()).to_bytes().expect("bytes")).expect("text");
    let open = |text: &str| BundleFile::open(text.as_bytes()).expect_err("a broken file");

    let other = text.replacen("this account is not active", "this account is  not active", 1);
    assert!(matches!(open(&other), FileError::Digest { .. }));
    let newer = text.replacen("modelward-bundle/1", "modelward-bundle/2", 1);
    assert!(matches!(open(&newer), FileError::Format { .. }));
    let twice = text.replacen('{', "{\"digest\":\"x\",", 1);
    assert!(matches!(open(&twice), FileError::Json(_)), "a key that stands twice");
    let unknown = text.replacen("\"signatures\":[]", "\"signatures\":[],\"more\":1", 1);
    assert!(matches!(open(&unknown), FileError::Shape(_)));
    let half: String = text.chars().take(10_000).collect();
    assert!(matches!(open(&half), FileError::Json(_)));
    let mut outside = sources();
    outside.insert("../outside.cedar".to_owned(), String::new());
    assert!(matches!(BundleFile::pack(outside), Err(FileError::Bundle(_))));
}
