//! Whoever looks after devices: a transmitter of security events, of another organisation as far as this one knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use modelward_seal::source::Ids;
use serde_json::json;
use zeroize::Zeroizing;

use super::people::Desk;
use crate::exit::{Exit, Failure, chain};

#[derive(Debug)]
pub(super) struct DeviceDesk {
    key: SoftwareSigner,
}

const NAME: &str = "device-desk";
const URL: &str = "https://devices.ward.example";
const AUDIENCE: &str = "https://modelward.ward.example";
const EVENT: &str = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";

impl DeviceDesk {
    pub(super) fn new(ids: &dyn Ids) -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0; 32]);
        ids.fill(&mut *seed);
        let name = KeyName::new(NAME).map_err(|error| Failure::of(Exit::Failure, &error))?;
        Ok(Self { key: SoftwareSigner::from_seed(name, &seed) })
    }

    /// What an administrator writes to believe it: its keys, and that `NAME@ward.example` is `NAME` here.
    pub(super) fn configuration(&self) -> Result<String, Failure> {
        let verifier = self.key.verifier().map_err(|error| Failure::of(Exit::Failure, &error))?;
        let x = URL_SAFE_NO_PAD.encode(verifier.public_key());
        let jwks =
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": NAME, "alg": "EdDSA", "x": x }] });
        Ok(format!(
            "[issuers.{NAME}]\nurl = \"{URL}\"\nalgorithms = [\"EdDSA\"]\njwks = '{jwks}'\n\
             signals_audience = \"{AUDIENCE}\"\nsignals_mail_domain = \"ward.example\"\n"
        ))
    }

    /// Tells that the device of somebody keeps the rules or no longer does; the status it is answered with.
    pub(super) async fn tell(&self, desk: &Desk<'_>, person: &str, compliant: bool) -> Result<u16, Failure> {
        let status = |compliant| if compliant { "compliant" } else { "not-compliant" };
        let claims = json!({
            "iss": URL, "aud": AUDIENCE, "iat": desk.clock.now().as_second(), "jti": desk.ids.uuid().to_string(),
            "sub_id": {
                "format": "complex",
                "user": { "format": "email", "email": format!("{person}@ward.example") },
                "device": { "format": "opaque", "id": format!("tablet of {person}") },
            },
            "events": { EVENT: {
                "previous_status": status(!compliant), "current_status": status(compliant),
                "reason_admin": { "en": "the disk is no longer encrypted" },
            } },
        });
        let url = format!("{}/api/v1/issuers/{NAME}/events", desk.control);
        let body = Full::new(Bytes::from(self.sign(&claims)?));
        let request = Request::post(url).header(CONTENT_TYPE, "application/secevent+jwt").body(body);
        let request = request.map_err(|error| Failure::of(Exit::Failure, &error))?;
        let http = legacy::Client::builder(TokioExecutor::new()).build_http();
        let answer = http.request(request).await.map_err(|error| {
            Failure::new(Exit::Failure, format!("failed to reach the control plane: {}", chain(&error)))
        })?;
        Ok(answer.status().as_u16())
    }

    fn sign(&self, claims: &serde_json::Value) -> Result<String, Failure> {
        let header = json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": NAME }).to_string();
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature =
            self.key.sign(signed.as_bytes()).map_err(|error| Failure::of(Exit::Failure, &error))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
