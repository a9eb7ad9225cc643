//! Keys and discovery documents of issuers that mean no good, and how often they are asked.

use expect_test::expect;
use modelward_identity::federation::{
    Algorithm, Algorithms, ForeignKeys, JwksError, KeyCache, Metadata, Plan, WebUrl,
};
use serde_json::{Value, json};

use super::provider::{Provider, URL, keys, trusted, with};
use crate::support::later;

fn read(document: &Value) -> Result<usize, JwksError> {
    ForeignKeys::read(document.to_string().as_bytes(), &trusted()).map(|keys| keys.len())
}

#[test]
fn row_21_a_key_that_is_a_secret_or_not_understood_is_left_out() {
    let good = Provider::new("good").jwk();
    let short_rsa = json!({ "kty": "RSA", "kid": "short", "e": "AQAB", "n": "x".repeat(171) });
    let set = json!({ "keys": [
        { "kty": "oct", "kid": "secret", "k": "c2VjcmV0" },
        with(good.clone(), json!({ "kid": "encrypts", "use": "enc" })),
        with(good.clone(), json!({ "kid": "private", "d": "AAAA" })),
        with(good.clone(), json!({ "kid": "other-alg", "alg": "ES256" })),
        with(good.clone(), json!({ "kid": "../../dev/null", "x": "AAAA" })),
        with(good.clone(), json!({ "kid": 7 })),
        { "kty": "martian", "kid": "unknown" },
        short_rsa,
        "not an object",
        good,
    ] });
    assert_eq!(keys(&set).ids().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn row_21_a_flood_of_keys_is_refused_as_a_whole() {
    let many: Vec<Value> = (0..65).map(|number| Provider::new(&format!("k{number}")).jwk()).collect();
    assert_eq!(read(&json!({ "keys": many })), Err(JwksError::TooMany));
    assert_eq!(read(&json!({ "keys": many[..64] })), Ok(64));
    assert_eq!(read(&json!({ "keys": [] })), Err(JwksError::Nothing));
    let rsa_only = Algorithms::new([Algorithm::Rs256]);
    let set = json!({ "keys": [Provider::new("a").jwk()] });
    assert!(matches!(ForeignKeys::read(set.to_string().as_bytes(), &rsa_only), Err(JwksError::Nothing)));
    let doubled = br#"{"keys":[],"keys":[]}"#;
    assert!(matches!(ForeignKeys::read(doubled, &trusted()), Err(JwksError::Form(_))));
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "a".repeat(64 * 1024));
    assert!(matches!(ForeignKeys::read(large.as_bytes(), &trusted()), Err(JwksError::Form(_))));
}

#[test]
fn row_21_ten_thousand_unknown_keys_are_one_question_a_minute() {
    let mut cache = KeyCache::default();
    let mut asked = 0;
    for number in 0..10_000_i64 {
        let now = later(number / 50);
        if cache.plan(Some(&format!("random-{number}")), Algorithm::EdDsa, now) == Plan::Fetch {
            cache.asked(now);
            cache.learned(Provider::new("a").keys(), now);
            asked += 1;
        }
    }
    // 200 seconds: at 0, 60, 120 and 180.
    assert_eq!(asked, 4);
}

#[test]
fn row_21_keys_are_kept_a_day_where_the_issuer_is_silent_and_not_a_second_longer() {
    let mut cache = KeyCache::default();
    let plan = |cache: &KeyCache, seconds| cache.plan(Some("a"), Algorithm::EdDsa, later(seconds));
    assert_eq!(plan(&cache, 0), Plan::Fetch);
    assert!(cache.keys(later(0)).is_err());
    cache.asked(later(0));
    cache.learned(Provider::new("a").keys(), later(0));
    assert_eq!(plan(&cache, 899), Plan::Use, "fresh");
    assert_eq!(plan(&cache, 900), Plan::Fetch, "a quarter of an hour old");
    cache.asked(later(900));
    assert_eq!(plan(&cache, 901), Plan::Use, "asked a moment ago, and it was silent");
    assert!(cache.keys(later(86_399)).is_ok());
    assert!(cache.keys(later(86_400)).is_err());
}

#[test]
fn row_21_a_key_that_is_gone_from_the_set_is_gone_here() {
    let mut cache = KeyCache::default();
    cache.learned(Provider::new("old").keys(), later(0));
    cache.learned(Provider::new("new").keys(), later(60));
    let known = cache.keys(later(61)).unwrap();
    assert_eq!(known.ids().collect::<Vec<_>>(), ["new"]);
}

#[test]
fn a_discovery_document_counts_for_exactly_its_issuer() {
    let issuer = WebUrl::parse(URL).unwrap();
    let good = json!({
        "issuer": URL,
        "authorization_endpoint": "https://id.example.org/auth",
        "token_endpoint": "https://id.example.org/token",
        "jwks_uri": "https://id.example.org/jwks",
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "id_token_signing_alg_values_supported": ["none", "HS256"],
    });
    let verdict =
        |change: Value| match Metadata::read(with(good.clone(), change).to_string().as_bytes(), &issuer) {
            Ok(metadata) => format!("keys at {}", metadata.jwks),
            Err(error) => error.to_string(),
        };
    let table = [
        verdict(json!({})),
        verdict(json!({ "issuer": format!("{URL}/") })),
        verdict(json!({ "issuer": "https://ID.example.org/realms/staff" })),
        verdict(json!({ "issuer": null })),
        verdict(json!({ "jwks_uri": "http://id.example.org/jwks" })),
        verdict(json!({ "jwks_uri": "https://id.example.org@127.0.0.1/" })),
        verdict(json!({ "jwks_uri": null })),
        verdict(json!({ "token_endpoint": 7 })),
        verdict(json!({ "code_challenge_methods_supported": ["plain"] })),
    ];
    expect![[r#"
        keys at https://id.example.org/jwks
        it is the document of another issuer
        it is the document of another issuer
        it is the document of another issuer
        `jwks_uri` cannot be used: it is not an `https://` URL
        `jwks_uri` cannot be used: it names a user, a fragment or an escaped host
        `jwks_uri` is missing
        it is not a discovery document: `token_endpoint` is no text
        the issuer does not do PKCE with S256"#]]
    .assert_eq(&table.join("\n"));
    assert!(Metadata::read(b"[]", &issuer).is_err());
    assert!(Metadata::read(b"<html>", &issuer).is_err());
}
