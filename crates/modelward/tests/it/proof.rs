//! One saved proof is checked without a ledger and without a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::leaf_hash;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use modelward_seal::proof::TlogProof;
use serde_json::json;

use crate::stage::Stage;

const ENTRY: &[u8] = br#"{"kind":"decision"}"#;

/// A log of one entry: key, proof, and both as `ledger show --json` writes them.
fn saved(stage: &Stage, entry: &[u8]) -> String {
    let origin = KeyName::new("example.org/audit").unwrap();
    let signer = SoftwareSigner::from_seed(origin.clone(), &[7; 32]);
    let checkpoint = Checkpoint { origin, size: 1, root: leaf_hash(ENTRY) }.sign(&signer).unwrap();
    let proof = TlogProof { index: 0, path: Vec::new(), checkpoint }.to_string();
    let view = json!({
        "place": { "index": 0, "leaf_hash": leaf_hash(ENTRY).to_string(), "proof": proof, "tree_size": 1 },
        "kind": "decision", "at": "2026-11-20T08:00:00Z", "entry": {}, "bytes": STANDARD.encode(entry)
    });
    stage.write("saved.json", &view.to_string());
    stage.write("proof", proof.trim_end());
    stage.write("entry", std::str::from_utf8(entry).unwrap());
    stage.write("other", "{}");
    signer.verifier().unwrap().to_string()
}

#[test]
fn a_saved_entry_is_proved_by_the_key_alone() {
    let stage = Stage::new();
    let key = saved(&stage, ENTRY);
    let verify = |args: &[&str]| stage.run(&[&["ledger", "verify", "--key", &key, "--proof"], args].concat());
    let said = verify(&["saved.json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("intact: entry 0 is one of the 1 entries of example.org/audit"));
    assert_eq!(verify(&["proof", "--entry", "entry"]).code, 0);
    let said = verify(&["proof", "--entry", "entry", "--json"]);
    assert!(said.stdout.contains("\"verdict\""), "{}", said.stdout);

    assert_eq!(verify(&["proof", "--entry", "other"]).code, 1, "another entry");
    let said = verify(&["proof"]);
    assert_eq!(said.code, 2, "a proof of nothing: {}", said.stderr);
    assert!(said.stderr.contains("--entry"), "{}", said.stderr);
}

#[test]
fn a_changed_entry_and_another_key_are_told() {
    let stage = Stage::new();
    let key = saved(&stage, br#"{"kind":"outcome"}"#);
    let said = stage.run(&["ledger", "verify", "--proof", "saved.json", "--key", &key]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("not at index 0"), "{}", said.stderr);

    let origin = KeyName::new("example.org/audit").unwrap();
    let other = SoftwareSigner::from_seed(origin, &[8; 32]).verifier().unwrap().to_string();
    saved(&stage, ENTRY);
    let said = stage.run(&["ledger", "verify", "--proof", "saved.json", "--key", &other]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    let said = stage.run(&["ledger", "verify", "--proof", "saved.json"]);
    assert_eq!(said.code, 2, "a key from beside the proof would prove nothing");
}
