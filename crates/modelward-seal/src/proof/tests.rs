use super::*;
use crate::merkle::{leaf_hash, node_hash};
use crate::note::Signer as _;
use crate::note::tests::signer;

#[test]
fn a_receipt_prints_parses_and_verifies() {
    let log = signer("log", 1);
    let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
    let head = Checkpoint { origin: log.name().clone(), size: 2, root: node_hash(&left, &right) };
    let proof = TlogProof { index: 1, path: vec![left], checkpoint: head.sign(&log).unwrap() };
    let again: TlogProof = proof.to_string().parse().unwrap();
    assert_eq!(again, proof);
    let trusted = log.verifier().unwrap();
    assert_eq!(again.verify(&right, &trusted), Ok(head));
    assert!(matches!(again.verify(&left, &trusted), Err(ProofError::NotIncluded { index: 1, .. })));
    let with_extra = proof.to_string().replacen("index", "extra AAAA\nindex", 1);
    assert_eq!(with_extra.parse(), Ok(proof));
}

#[test]
fn malformed_receipts_are_rejected() {
    let note = "log\n0\nroot\n\n— log AAAAAAAA\n";
    for head in
        ["", "c2sp.org/tlog-proof@v2\nindex 0", "c2sp.org/tlog-proof@v1\nindex 00", "c2sp.org/tlog-proof@v1"]
    {
        assert!(format!("{head}\n\n{note}").parse::<TlogProof>().is_err(), "{head}");
    }
    let long = format!(
        "c2sp.org/tlog-proof@v1\nindex 0\n{}\n{note}",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(64)
    );
    assert_eq!(long.parse::<TlogProof>(), Err(ProofError::Form("more than 63 hashes")));
}
