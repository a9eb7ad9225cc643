use super::Digest;

#[test]
fn a_digest_prints_and_parses_back() {
    let digest = Digest::of(b"abc");
    let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digest.to_string(), text);
    assert_eq!(text.parse::<Digest>().unwrap(), digest);
    assert_eq!(digest.short(), "sha256:ba78…ad");
    assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Digest>(&format!("\"{text}\"")).unwrap(), digest);
    assert_eq!(Digest::of_parts(&[b"a", b"bc"]), digest);
}

#[test]
fn other_spellings_of_a_digest_are_rejected() {
    let upper = Digest::of(b"abc").to_string().to_uppercase();
    for text in ["", "sha256:", "ba78", "md5:00", "sha256:zz", upper.as_str(), &upper.replace("SHA", "sha")] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
