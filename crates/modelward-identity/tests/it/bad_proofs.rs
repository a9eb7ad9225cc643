//! The corpus of bad proofs (RFC 9449 section 4.3), each with the refusal it meets. Every row but those about the
//! signature itself is signed with the key it names: what refuses it is the check it is about.

use std::sync::Arc;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, EncodingKey};
use modelward_identity::token::{Demand, ProofRefusal, Proofs, Thumbprint};
use serde_json::{Value, json};

use crate::support::{SeededIds, URL, b64, forge, holder, later, noon};
use ProofRefusal as R;

const TOKEN: &[u8] = b"the.token.shown";

/// A good proof taken apart, and a server that has seen none.
struct Workshop {
    proofs: Proofs,
    header: Value,
    claims: Value,
}

impl Workshop {
    fn new() -> Self {
        let ids = SeededIds::new(3);
        let proofs = Proofs::new(Arc::new(SeededIds::new(4)), noon());
        let proof = holder().prove("POST", URL, Some(TOKEN), None, &ids, noon()).unwrap();
        let (header, claims, _) = crate::support::read(&proof);
        let [header, claims] = [header, claims].map(|text| serde_json::from_str(&text).unwrap());
        Self { proofs, header, claims }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        forge(&[9; 32], &header.to_string(), &claims.to_string())
    }

    /// The good proof under another id, with a member of the claims changed; `null` takes it away.
    fn claims(&self, member: &str, value: Value) -> String {
        self.sign(&self.header, &changed(&self.fresh(), member, value))
    }

    fn header(&self, member: &str, value: Value) -> String {
        self.sign(&changed(&self.header, member, value), &self.fresh())
    }

    fn jwk(&self, member: &str, value: Value) -> String {
        self.header("jwk", changed(&self.header["jwk"], member, value))
    }

    fn fresh(&self) -> Value {
        changed(&self.claims, "jti", json!(format!("proof-{}", next())))
    }

    fn check(&self, proof: impl AsRef<[u8]>) -> Result<Thumbprint, R> {
        self.proofs.check(proof.as_ref(), &demand(), None, noon())
    }

    #[track_caller]
    fn all(&self, rows: impl IntoIterator<Item = (&'static str, String, R)>) {
        let good = self.claims("htm", json!("POST"));
        assert_eq!(self.check(good), Ok(holder().thumbprint()), "the proof all others are made from is good");
        let wrong: Vec<String> = rows
            .into_iter()
            .filter_map(|(name, proof, expected)| {
                let found = self.check(proof);
                (found != Err(expected)).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn next() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

const fn demand() -> Demand<'static> {
    Demand { method: "POST", url: URL, token: Some(TOKEN), nonce: false }
}

fn changed(object: &Value, member: &str, value: Value) -> Value {
    let mut object = object.clone();
    if value.is_null() {
        object.as_object_mut().unwrap().remove(member);
    } else {
        object[member] = value;
    }
    object
}

#[test]
fn headers() {
    let bench = Workshop::new();
    let raw = |header: &str| forge(&[9; 32], header, &bench.fresh().to_string());
    let header = bench.header.to_string();
    let unsigned = |alg: &str| {
        let header = changed(&bench.header, "alg", json!(alg)).to_string();
        format!("{}.{}.", b64(header), b64(bench.fresh().to_string()))
    };
    bench.all([
        ("typ of an access token", bench.header("typ", json!("at+jwt")), R::Type),
        ("typ JWT", bench.header("typ", json!("JWT")), R::Type),
        ("typ in another case", bench.header("typ", json!("DPoP+jwt")), R::Type),
        ("typ missing", bench.header("typ", Value::Null), R::Header),
        ("alg none, no signature", unsigned("none"), R::Algorithm),
        ("no signature under a good header", unsigned("EdDSA"), R::Signature),
        ("HS256", bench.header("alg", json!("HS256")), R::Algorithm),
        ("RS256", bench.header("alg", json!("RS256")), R::Algorithm),
        ("ES256 with a key of EdDSA", bench.header("alg", json!("ES256")), R::Algorithm),
        ("ES384", bench.header("alg", json!("ES384")), R::Algorithm),
        ("alg missing", bench.header("alg", Value::Null), R::Header),
        ("kid", bench.header("kid", json!("k")), R::Header),
        ("jku", bench.header("jku", json!("https://attacker.example")), R::Header),
        ("x5c", bench.header("x5c", json!([])), R::Header),
        ("crit", bench.header("crit", json!(["exp"])), R::Header),
        ("b64", bench.header("b64", json!(false)), R::Header),
        ("jwk missing", bench.header("jwk", Value::Null), R::Header),
        ("jwk a string", bench.header("jwk", json!("key")), R::Header),
        ("jwk a list", bench.header("jwk", json!(["OKP", "Ed25519", "x"])), R::Header),
        (
            "jwk twice",
            raw(&header.replacen('{', &format!("{{\"jwk\":{},", bench.header["jwk"]), 1)),
            R::Header,
        ),
        ("alg twice", raw(&header.replacen('{', "{\"alg\":\"none\",", 1)), R::Header),
        ("a list", raw("[]"), R::Header),
        ("nothing", raw(""), R::Header),
    ]);
}

#[test]
fn keys() {
    let bench = Workshop::new();
    let x = bench.header["jwk"]["x"].as_str().unwrap().to_owned();
    let oct = bench.header("jwk", json!({ "kty": "oct", "k": b64([9; 32]) }));
    let rsa = bench.header("jwk", json!({ "kty": "RSA", "n": b64([9; 256]), "e": "AQAB" }));
    bench.all([
        ("its private half", bench.jwk("d", json!(b64([9; 32]))), R::Header),
        ("a shared secret", oct, R::Header),
        ("RSA", rsa, R::Header),
        ("X25519", bench.jwk("crv", json!("X25519")), R::Algorithm),
        ("Ed448", bench.jwk("crv", json!("Ed448")), R::Algorithm),
        ("kty EC", bench.jwk("kty", json!("EC")), R::Algorithm),
        ("a second coordinate", bench.jwk("y", json!(x)), R::Algorithm),
        ("key_ops", bench.jwk("key_ops", json!(["sign"])), R::Header),
        ("x missing", bench.jwk("x", Value::Null), R::Header),
        ("x of 31 bytes", bench.jwk("x", json!(b64([1; 31]))), R::Key),
        ("x of 33 bytes", bench.jwk("x", json!(b64([1; 33]))), R::Key),
        ("x padded", bench.jwk("x", json!(format!("{x}="))), R::Key),
        ("x no base64url", bench.jwk("x", json!("?")), R::Key),
        ("another key", bench.jwk("x", json!(b64([1; 32]))), R::Signature),
    ]);
}

#[test]
fn claims() {
    let bench = Workshop::new();
    let now = noon().as_second();
    let raw = |claims: &str| forge(&[9; 32], &bench.header.to_string(), claims);
    let ath = bench.claims["ath"].as_str().unwrap().to_owned();
    bench.all([
        ("another method", bench.claims("htm", json!("GET")), R::Method),
        ("method in lower case", bench.claims("htm", json!("post")), R::Method),
        ("htm missing", bench.claims("htm", Value::Null), R::Claims),
        ("another path", bench.claims("htu", json!(format!("{URL}x"))), R::Address),
        (
            "another host",
            bench.claims("htu", json!("https://attacker.example/llm/v1/chat/completions")),
            R::Address,
        ),
        ("a query", bench.claims("htu", json!(format!("{URL}?x=1"))), R::Address),
        ("a fragment", bench.claims("htu", json!(format!("{URL}#x"))), R::Address),
        ("a path alone", bench.claims("htu", json!("/llm/v1/chat/completions")), R::Address),
        ("htu missing", bench.claims("htu", Value::Null), R::Claims),
        ("61 s ago", bench.claims("iat", json!(now - 61)), R::Time),
        ("61 s ahead", bench.claims("iat", json!(now + 61)), R::Time),
        ("1970", bench.claims("iat", json!(0)), R::Time),
        ("the end of time", bench.claims("iat", json!(i64::MAX)), R::Time),
        ("before all time", bench.claims("iat", json!(i64::MIN)), R::Claims),
        ("iat a string", bench.claims("iat", json!(now.to_string())), R::Claims),
        ("iat a fraction", bench.claims("iat", json!(1.5)), R::Claims),
        ("iat missing", bench.claims("iat", Value::Null), R::Claims),
        ("another token", bench.claims("ath", json!(b64([1; 32]))), R::Token),
        ("ath padded", bench.claims("ath", json!(format!("{ath}="))), R::Token),
        ("ath missing", bench.claims("ath", Value::Null), R::Token),
        ("jti missing", bench.claims("jti", Value::Null), R::Claims),
        ("jti empty", bench.claims("jti", json!("")), R::Claims),
        ("jti of 129 bytes", bench.claims("jti", json!("j".repeat(129))), R::Claims),
        ("jti a number", bench.claims("jti", json!(7)), R::Claims),
        ("a nonce nobody gave", bench.claims("nonce", json!("abc")), R::Nonce),
        ("a claim nobody knows", bench.claims("sub", json!("dana")), R::Claims),
        ("htm twice", raw(&bench.fresh().to_string().replacen('{', "{\"htm\":\"GET\",", 1)), R::Claims),
        ("a list", raw("[]"), R::Claims),
    ]);
    for edge in [-60, 60] {
        bench.check(bench.claims("iat", json!(now + edge))).expect("clocks may differ by a minute");
    }
}

#[test]
fn forms() {
    let bench = Workshop::new();
    let good = || bench.claims("htm", json!("POST"));
    let other = || forge(&[8; 32], &bench.header.to_string(), &bench.fresh().to_string());
    let swapped = || {
        let (one, two) = (good(), good());
        let (signed, _) = one.rsplit_once('.').unwrap();
        format!("{signed}.{}", two.rsplit_once('.').unwrap().1)
    };
    bench.all([
        ("nothing", String::new(), R::Form),
        ("two parts", good().rsplit_once('.').unwrap().0.to_owned(), R::Form),
        ("four parts", format!("{}.", good()), R::Form),
        ("padded", format!("{}=", good()), R::Form),
        ("with a space", format!("{} ", good()), R::Form),
        ("too long", "a".repeat(4097), R::TooLong),
        ("signed by another", other(), R::Signature),
        ("the signature of another proof", swapped(), R::Signature),
    ]);
}

#[test]
fn threat_08_a_proof_counts_once() {
    let bench = Workshop::new();
    let proof = bench.claims("htm", json!("POST"));
    bench.check(&proof).unwrap();
    for second in [0, 1, 59, 60] {
        let again = bench.proofs.check(proof.as_bytes(), &demand(), None, later(second));
        assert_eq!(again, Err(R::Replayed), "after {second} s");
    }
    let later = bench.proofs.check(proof.as_bytes(), &demand(), None, later(61));
    assert_eq!(later, Err(R::Time), "and then it is too old");
}

#[test]
fn a_proof_from_ahead_of_time_is_remembered_until_it_is_too_old() {
    let bench = Workshop::new();
    let ahead = bench.claims("iat", json!(noon().as_second() + 60));
    bench.check(&ahead).unwrap();
    // Others come in between, so that the memory turns over as often as it may.
    for second in 0..=121 {
        let other = bench.claims("iat", json!(later(second).as_second()));
        bench.proofs.check(other.as_bytes(), &demand(), None, later(second)).unwrap();
        let again = bench.proofs.check(ahead.as_bytes(), &demand(), None, later(second)).unwrap_err();
        assert!(matches!(again, R::Replayed | R::Time), "{second}: {again:?}");
    }
}

#[test]
fn a_refused_proof_is_not_spent() {
    let bench = Workshop::new();
    let proof = bench.claims("htm", json!("POST"));
    let elsewhere = Demand { url: "https://other.example/", ..demand() };
    assert_eq!(bench.proofs.check(proof.as_bytes(), &elsewhere, None, noon()), Err(R::Address));
    bench.check(&proof).expect("nobody can spend another's proof by sending it to the wrong place");
}

#[test]
fn the_memory_of_proofs_is_bounded_and_closed_when_full() {
    let bench = Workshop::new();
    let proofs = Proofs::new(Arc::new(SeededIds::new(1)), noon()).remembering(16 * 4);
    let check = |second| {
        let proof = bench.claims("iat", json!(later(second).as_second()));
        proofs.check(proof.as_bytes(), &demand(), None, later(second))
    };
    for _ in 0..4 {
        check(0).unwrap();
    }
    assert_eq!(check(0), Err(R::Busy));
    assert_eq!(check(121), Err(R::Busy));
    check(122).expect("what can no longer be sent again makes room");
}

#[test]
fn nonces_are_of_this_server_and_of_these_two_minutes() {
    let bench = Workshop::new();
    let nonce = bench.proofs.nonce(noon());
    assert_eq!(nonce, bench.proofs.nonce(later(59)), "the same for a minute");
    let check = |nonce: Option<&str>, demanded, second| {
        let claims = changed(&bench.fresh(), "nonce", nonce.map_or(Value::Null, |nonce| json!(nonce)));
        let claims = changed(&claims, "iat", json!(later(second).as_second()));
        let proof = bench.sign(&bench.header, &claims);
        let demand = Demand { nonce: demanded, ..demand() };
        bench.proofs.check(proof.as_bytes(), &demand, None, later(second)).err()
    };
    assert_eq!(check(None, true, 0), Some(R::Nonce));
    assert_eq!(check(Some(nonce.as_str()), true, 0), None);
    assert_eq!(check(Some(nonce.as_str()), true, 119), None);
    assert_eq!(check(Some(nonce.as_str()), true, 120), Some(R::Nonce));

    let second = bench.proofs.nonce(later(119));
    assert_ne!(nonce, second);
    assert_eq!(check(Some(nonce.as_str()), true, 170), None, "the one before counts for as long");
    assert_eq!(check(Some(second.as_str()), true, 170), None);
    assert_eq!(check(Some(nonce.as_str()), true, 180), Some(R::Nonce));
    let other = Proofs::new(Arc::new(SeededIds::new(6)), noon()).nonce(noon());
    assert_eq!(check(Some(other.as_str()), false, 170), Some(R::Nonce), "a nonce of another server");
}

/// The example of RFC 9449 section 4.1, and the thumbprint of its key in section 6.1: another implementation's ES256.
#[test]
fn the_example_of_the_standard_is_a_proof() {
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0Vj\
        NoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsI\
        mNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGU\
        uY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK\
        70nfbV37xRZT3Lg";
    let now = "2019-07-04T17:50:30Z".parse().unwrap();
    let proofs = Proofs::new(Arc::new(SeededIds::new(1)), now);
    let demand =
        Demand { method: "POST", url: "https://server.example.com/token", token: None, nonce: false };
    let key = proofs.check(PROOF.as_bytes(), &demand, None, now).unwrap();
    assert_eq!(key.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

/// The key of RFC 7515 appendix A.3.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

fn sign_es256(header: &Value, claims: &Value) -> String {
    let [x, y, d] = [X, Y, D]
        .map(|text| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).unwrap());
    // PKCS#8 around a SEC 1 private key.
    let der = [
        &[0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8][..],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x6d, 0x30, 0x6b, 2, 1, 1, 4, 0x20],
        &d,
        &[0xa1, 0x44, 3, 0x42, 0, 4],
        &x,
        &y,
    ]
    .concat();
    let signer =
        (DEFAULT_PROVIDER.signer_factory)(&Algorithm::ES256, &EncodingKey::from_ec_der(&der)).unwrap();
    let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = signer.try_sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", b64(signature))
}

#[test]
fn es256() {
    let bench = Workshop::new();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y });
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    let with = |jwk: Value| sign_es256(&changed(&header, "jwk", jwk), &bench.fresh());
    bench.check(with(jwk.clone())).unwrap();
    let off_the_curve = changed(&jwk, "y", json!(X));
    let no_signature = |signature: &[u8]| {
        let signed = sign_es256(&header, &bench.fresh());
        format!("{}.{}", signed.rsplit_once('.').unwrap().0, b64(signature))
    };
    bench.all([
        (
            "EdDSA with a key of ES256",
            sign_es256(&changed(&header, "alg", json!("EdDSA")), &bench.fresh()),
            R::Algorithm,
        ),
        ("another curve", with(changed(&jwk, "crv", json!("P-384"))), R::Algorithm),
        ("secp256k1", with(changed(&jwk, "crv", json!("secp256k1"))), R::Algorithm),
        ("one coordinate", with(changed(&jwk, "y", Value::Null)), R::Algorithm),
        ("its private half", with(changed(&jwk, "d", json!(D))), R::Header),
        ("a short coordinate", with(changed(&jwk, "y", json!(b64([1; 31])))), R::Key),
        ("off the curve", with(off_the_curve), R::Signature),
        (
            "no point at all",
            with(json!({ "kty": "EC", "crv": "P-256", "x": b64([0; 32]), "y": b64([0; 32]) })),
            R::Signature,
        ),
        // CVE-2022-21449: r and s of zero.
        ("a signature of zeros", no_signature(&[0; 64]), R::Signature),
        ("a signature in DER", no_signature(&[0x30, 6, 2, 1, 1, 2, 1, 1]), R::Signature),
        ("no signature", no_signature(&[]), R::Signature),
    ]);
}
