//! An issuer under our control: it signs whatever a test wants, well or badly.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_identity::Strength;
use modelward_identity::federation::{
    Algorithm, Algorithms, ForeignKeys, KeySource, Reach, Tier, TrustedIssuer, WebUrl,
};
use serde_json::{Value, json};

pub(super) const URL: &str = "https://id.example.org/realms/staff";
pub(super) const CLIENT: &str = "modelward-console";

pub(super) struct Provider {
    pub(super) kid: String,
    key: SigningKey,
}

impl Provider {
    pub(super) fn new(kid: &str) -> Self {
        let mut seed = [7; 32];
        for (place, byte) in seed.iter_mut().zip(kid.bytes()) {
            *place ^= byte;
        }
        Self { kid: kid.to_owned(), key: SigningKey::from_bytes(&seed) }
    }

    pub(super) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x })
    }

    pub(super) fn keys(&self) -> ForeignKeys {
        keys(&json!({ "keys": [self.jwk()] }))
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    pub(super) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs texts as they are, for members that stand twice.
    pub(super) fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }
}

pub(super) fn trusted() -> Algorithms {
    Algorithms::new([Algorithm::EdDsa, Algorithm::Es256])
}

pub(super) fn keys(document: &Value) -> ForeignKeys {
    ForeignKeys::read(document.to_string().as_bytes(), &trusted()).expect("keys")
}

pub(super) fn issuer() -> TrustedIssuer {
    TrustedIssuer {
        name: Name::new("corporate").expect("a name"),
        title: "Corporate".to_owned(),
        url: WebUrl::parse(URL).expect("a URL"),
        algorithms: trusted(),
        tier: Tier {
            privileges: [Privilege::ReadOnly, Privilege::Inference].into(),
            group_prefix: Some("corp-".to_owned()),
            acr: BTreeMap::from([
                ("urn:example:mfa".to_owned(), Strength::TwoFactors),
                ("phr".to_owned(), Strength::PhishingResistant),
            ]),
        },
        keys: KeySource::Discovery,
        console_client: Some(CLIENT.to_owned()),
        cli_client: Some("modelward-cli".to_owned()),
        scopes: vec!["openid".to_owned(), "profile".to_owned()],
        groups_claim: "groups".to_owned(),
        workload_audience: "https://modelward.example".to_owned(),
        signals: None,
        reach: Reach::default(),
    }
}

/// `claims` with some set to other values; `null` takes one away.
pub(super) fn with(mut claims: Value, changes: Value) -> Value {
    let claims_of = claims.as_object_mut().expect("claims");
    let Value::Object(changes) = changes else { return claims };
    for (name, value) in changes {
        if value.is_null() {
            claims_of.remove(&name);
        } else {
            claims_of.insert(name, value);
        }
    }
    claims
}
