use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};

use super::{
    Algorithm, KeyName, NoteError, SignedNote, Signer, SoftwareSigner, Verifier, cosign, cosignature_time,
};

pub(crate) fn signer(name: &str, seed: u8) -> SoftwareSigner {
    SoftwareSigner::from_seed(KeyName::new(name).unwrap(), &[seed; 32])
}

fn signed(text: &str, signers: &[&SoftwareSigner]) -> SignedNote {
    let mut note = SignedNote::new(text.to_owned()).unwrap();
    signers.iter().for_each(|signer| note.sign(*signer).unwrap());
    note
}

#[test]
fn a_note_signed_here_is_accepted_by_another_implementation() {
    let key = signer("log.example/audit", 7);
    let vkey = key.verifier().unwrap().to_string();
    let note = signed("log.example/audit\n5\nroot\n", &[&key]).to_string();
    let oracle = StandardVerifier::new(&vkey).unwrap();
    assert_eq!(oracle.key_id().to_be_bytes(), *key.key_id().as_bytes());
    let parsed = Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, unverified) = parsed.verify(&VerifierList::new(vec![Box::new(oracle)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
}

#[test]
fn a_verifier_key_prints_and_parses_back() {
    // The well-known test key of golang.org/x/mod/sumdb/note.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: Verifier = text.parse().unwrap();
    assert_eq!(key.to_string(), text);
    let note = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note: SignedNote = note.parse().unwrap();
    assert_eq!(note.verify(&[key]).unwrap().by.len(), 1);
}

#[test]
fn a_wrong_signature_by_a_known_key_spoils_the_note() {
    let (log, other) = (signer("log", 1), signer("other", 2));
    let note = signed("text\n", &[&log, &other]).to_string();
    let forged: SignedNote = note.replacen("text", "test", 1).parse().unwrap();
    let known = [log.verifier().unwrap()];
    assert!(matches!(forged.verify(&known), Err(NoteError::WrongSignature { .. })));
    let honest: SignedNote = note.parse().unwrap();
    assert_eq!(honest.verify(&known).unwrap().by.len(), 1);
    assert_eq!(honest.verify(&[signer("third", 3).verifier().unwrap()]), Err(NoteError::Unsigned));
    // The same name with another key is another key.
    assert_eq!(honest.verify(&[signer("log", 9).verifier().unwrap()]), Err(NoteError::Unsigned));
}

#[test]
fn malformed_notes_are_rejected() {
    for text in [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— log\n",
        "text\n\n— log AAAA\n",
        "text\n\n- log AAAAAAAA\n",
        "te\txt\n\n— log AAAAAAAA\n",
        "text\n\n— log AAAAAAAA",
        "text\n\n— lo+g AAAAAAAA\n",
        "a\r\n\n— log AAAAAAAA\n",
    ] {
        assert!(text.parse::<SignedNote>().is_err(), "{text:?}");
    }
    let many = format!("text\n\n{}", "— log AAAAAAAA\n".repeat(65));
    assert_eq!(many.parse::<SignedNote>(), Err(NoteError::TooManySignatures));
    assert!(format!("text\n\n{}", "— log AAAAAAAA\n".repeat(64)).parse::<SignedNote>().is_ok());
}

#[test]
fn a_cosignature_binds_its_time() {
    let (log, witness) = (signer("log", 1), signer("witness", 2));
    let mut note = signed("log\n0\nroot\n", &[&log]);
    let line = cosign(&witness, note.text(), 1_700_000_000).unwrap();
    note.add(line.clone()).unwrap();
    let public = witness.public_key();
    let key = Verifier::new(witness.name().clone(), Algorithm::CosignatureV1, &public).unwrap();
    let parsed: SignedNote = note.to_string().parse().unwrap();
    assert_eq!(parsed.verify(std::slice::from_ref(&key)).unwrap().by, [&line]);
    assert_eq!(cosignature_time(&line), Some(1_700_000_000));
    let mut later = line;
    later.blob[7] ^= 1;
    assert!(!key.verify(note.text(), &later.blob));
    // A cosignature is not a plain signature by the same key.
    assert_eq!(parsed.verify(&[witness.verifier().unwrap()]), Err(NoteError::Unsigned));
    assert_eq!(key.to_string().parse::<Verifier>().unwrap(), key);
}

#[test]
fn a_signer_does_not_show_its_key() {
    let key = signer("log", 0xab);
    assert_eq!(format!("{key:?}"), "SoftwareSigner(log, key hidden)");
    assert_eq!(*key.seed(), [0xab; 32]);
}

proptest! {
    #[test]
    fn signed_texts_parse_back(text in "[a-zA-Z0-9äöü \n]{0,80}") {
        let key = signer("log", 4);
        let note = signed(&format!("{text}\n"), &[&key]);
        let again: SignedNote = note.to_string().parse().unwrap();
        prop_assert_eq!(&again, &note);
        prop_assert!(again.verify(&[key.verifier().unwrap()]).is_ok());
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _note = SignedNote::from_bytes(&bytes);
        let _verifier = text.parse::<Verifier>();
        let _proof = text.parse::<crate::proof::TlogProof>();
        let _checkpoint = text.parse::<crate::checkpoint::Checkpoint>();
    }
}
