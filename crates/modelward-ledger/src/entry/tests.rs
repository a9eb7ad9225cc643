//! The format is frozen: what these tests compare with must not change while entries say `"v":1`.

use std::sync::Arc;

use modelward_seal::Digest;
use serde_json::json;

use super::*;

fn sealer() -> Sealer {
    let parts = crate::sim::parts("modelward.example/golden", 1).unwrap();
    Sealer {
        origin: "modelward.example/golden".to_owned(),
        node: "node-1".to_owned(),
        boot: "00112233445566778899aabbccddeeff".to_owned(),
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
        pseudonyms: parts.pseudonyms,
        keys: parts.subject_keys,
    }
}

fn drafts() -> Vec<EntryDraft> {
    let decision = EntryDraft::new(Kind::Decision, "ev_1")
        .decision(Verdict::Allow)
        .outcome("permitted")
        .class(ReleaseClass::R0)
        .intent()
        .subject(SubjectKind::Human, "dana@example.org")
        .action("Export::DownloadWeights")
        .resource(Resource {
            digest: Some(Digest::of(b"weights")),
            version: Some("3".to_owned()),
            ..Resource::new("ModelVersion", "fraud")
        })
        .policy(Digest::of(b"bundle"), Digest::of(b"schema"))
        .determining(["guard-export", "grant-base"])
        .obligation(json!({"kind": "byte-budget", "bytes": 1_000_000}))
        .rationale("granted")
        .grant("gr_1")
        .revision(42)
        .facts(br#"{"ip":"192.0.2.7"}"#.to_vec())
        .detail("route", "GET /v2/models/fraud");
    vec![
        decision,
        EntryDraft::outcome_of("ev_1", 0, "ok").detail("bytes", 12_345),
        EntryDraft::state_change("event-1").narrowing().detail("what", "grant revoked"),
        EntryDraft::new(Kind::RejectedRequest, "ev_2").rationale("x".repeat(600)),
    ]
}

#[test]
fn the_bytes_of_version_1_are_frozen() {
    let sealer = sealer();
    let sealed = drafts().into_iter().map(|draft| sealer.seal(draft).unwrap().bytes);
    let lines: Vec<String> = sealed.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect();
    let golden = include_str!("../../tests/golden/entries-v1.jsonl");
    assert_eq!(lines.join("\n") + "\n", golden);
}

#[test]
fn the_reference_page_names_every_field_and_kind() {
    // docs/reference/ledger-entry.md
    let page = include_str!("../../../../docs/reference/ledger-entry.md");
    for draft in drafts() {
        let bytes = sealer().seal(draft).unwrap().bytes;
        let entry: Value = serde_json::from_slice(&bytes).unwrap();
        for field in entry.as_object().unwrap().keys() {
            assert!(page.contains(&format!("\n| `{field}` |")), "{field}");
        }
    }
    for kind in [
        Kind::Decision,
        Kind::Outcome,
        Kind::Indeterminate,
        Kind::DenialAggregate,
        Kind::StateChange,
        Kind::KeyEvent,
        Kind::Recovery,
        Kind::Start,
        Kind::Stop,
        Kind::RejectedRequest,
    ] {
        let name = serde_json::to_value(kind).unwrap();
        assert!(page.contains(&format!("`{}`", name.as_str().unwrap())), "{kind:?}");
    }
}

#[test]
fn an_entry_reads_back_and_only_from_its_own_bytes() {
    for line in include_str!("../../tests/golden/entries-v1.jsonl").lines() {
        let entry = Entry::from_bytes(line.as_bytes()).unwrap();
        assert_eq!(canonical::to_string(&entry).unwrap(), line);
        let spaced = line.replacen(':', ": ", 1);
        assert_eq!(Entry::from_bytes(spaced.as_bytes()), Err(EntryError::NotCanonical));
        let unknown = line.replacen("\"v\":1", "\"v\":1,\"w\":1", 1);
        assert!(matches!(Entry::from_bytes(unknown.as_bytes()), Err(EntryError::Shape(_))));
        let later = line.replacen("\"v\":1", "\"v\":2", 1);
        assert_eq!(Entry::from_bytes(later.as_bytes()), Err(EntryError::Version(2)));
        let twice = line.replacen("\"v\":1", "\"v\":1,\"v\":1", 1);
        assert!(matches!(Entry::from_bytes(twice.as_bytes()), Err(EntryError::Json(_))));
    }
}

#[test]
fn whatever_is_thrown_at_it_an_entry_fits() {
    let mut draft =
        EntryDraft::new(Kind::Decision, "x").facts(vec![b' '; 8000]).subject(SubjectKind::Agent, "a");
    for n in 0..200 {
        draft =
            draft.detail(format!("key {n}"), "ä".repeat(900)).obligation(json!({"kind": "x".repeat(500)}));
    }
    let draft = draft.determining((0..100).map(|n| format!("policy {n} {}", "p".repeat(300))));
    let sealed = sealer().seal(draft).unwrap();
    assert!(sealed.bytes.len() <= ENTRY_BYTES_MAX);
    let entry = Entry::from_bytes(&sealed.bytes).unwrap();
    assert_eq!(entry.truncated.keys().collect::<Vec<_>>(), ["details", "determining", "obligations"]);
    assert!(entry.facts.unwrap().sealed.is_some());
}

#[test]
fn equal_drafts_have_different_leaves() {
    let sealer = sealer();
    let leaf = || sealer.seal(EntryDraft::new(Kind::Decision, "x")).unwrap().leaf;
    assert_ne!(leaf(), leaf());
}

#[test]
fn names_are_refused_rather_than_cut() {
    let long = "x".repeat(129);
    let refused = [
        EntryDraft::new(Kind::Decision, ""),
        EntryDraft::state_change(long.clone()),
        EntryDraft::outcome_of(long, 1, "ok"),
    ];
    for draft in refused {
        assert!(matches!(sealer().seal(draft), Err(DraftError::BadName { .. })));
    }
}

#[test]
fn a_draft_does_not_show_its_subject() {
    let shown = format!("{:?}", drafts().remove(0));
    assert!(!shown.contains("dana") && !shown.contains("192.0.2.7"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _entry = Entry::from_bytes(&bytes);
    }
}
