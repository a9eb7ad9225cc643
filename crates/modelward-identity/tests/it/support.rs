//! Virtual time, foreseeable randomness, and a second, independent signer (ed25519-dalek) to forge tokens with.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Binding, ModelId, Name, PersonId, Privilege};
use modelward_identity::enrol::{Enrolled, Enrolment, Factor};
use modelward_identity::password::{Password, Passwords};
use modelward_identity::session::{self, Opened, Since};
use modelward_identity::token::{
    Admission, Ask, ExchangeRefusal, Issuer, KeySet, MintedToken, Profile, ProofKey, Proofs, Scheme, Shown,
    SigningKey, Standing, TokenBinding, Unadmitted, Verifier, is_for_bearers,
};
use modelward_identity::totp::{Step, TotpSecret};
use modelward_identity::{Authenticated, Epochs, Models, Rights};
use modelward_seal::source::Ids;

pub(crate) const ISS: &str = "https://modelward.example";
pub(crate) const GATEWAY: &str = "https://gateway.modelward.example";
/// What the tests ask of the gateway.
pub(crate) const URL: &str = "https://gateway.modelward.example/llm/v1/chat/completions";
pub(crate) const CONTROL: &str = "https://control.modelward.example";

/// 2026-11-20 16:00 UTC.
pub(crate) fn noon() -> Timestamp {
    "2026-11-20T16:00:00Z".parse().expect("a timestamp")
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

/// Splitmix64: the same bytes in every run.
#[derive(Debug)]
pub(crate) struct SeededIds(Mutex<u64>);

impl SeededIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed ^ (mixed >> 31)).to_le_bytes()[0];
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Bumped(Mutex<BTreeMap<EpochScope, u64>>);

impl Bumped {
    pub(crate) fn bump(&self, scope: EpochScope) {
        *self.0.lock().unwrap().entry(scope).or_default() += 1;
    }
}

impl Epochs for Bumped {
    fn epoch(&self, scope: EpochScope) -> u64 {
        self.0.lock().unwrap().get(&scope).copied().unwrap_or(0)
    }
}

/// Issuer, verifiers of both planes, and what they share.
pub(crate) struct House {
    pub(crate) ids: SeededIds,
    pub(crate) epochs: Bumped,
    pub(crate) access_key: SigningKey,
    pub(crate) control_key: SigningKey,
    pub(crate) issuer: Issuer,
    pub(crate) gateway: Verifier,
    pub(crate) control: Verifier,
    /// The gateway's door, which knows proofs too.
    pub(crate) door: Admission,
}

impl House {
    pub(crate) fn new() -> Self {
        let ids = SeededIds::new(7);
        let access_key = SigningKey::generate(Profile::Access, &ids).unwrap();
        let control_key = SigningKey::generate(Profile::Control, &ids).unwrap();
        let keys = KeySet::new([
            (access_key.public().clone(), Standing::Active),
            (control_key.public().clone(), Standing::Active),
        ])
        .unwrap();
        let issuer = Issuer::new(ISS, GATEWAY, access_key.clone(), CONTROL, control_key.clone()).unwrap();
        let verifier = Verifier::new(Profile::Access, ISS, GATEWAY, keys.clone());
        let door = Admission::new(
            std::sync::Arc::new(verifier),
            Proofs::new(std::sync::Arc::new(SeededIds::new(11)), noon()),
        );
        Self {
            door,
            ids,
            epochs: Bumped::default(),
            issuer,
            gateway: Verifier::new(Profile::Access, ISS, GATEWAY, keys.clone()),
            control: Verifier::new(Profile::Control, ISS, CONTROL, keys),
            access_key,
            control_key,
        }
    }

    /// Dana, signed in with two factors at 16:00 without the cost of a password hash in every test.
    pub(crate) fn dana(&self) -> Authenticated {
        let opened = self.session(noon());
        opened.record.authenticate(&opened.token, &self.epochs, noon()).unwrap()
    }

    pub(crate) fn since(&self) -> Since {
        Since::read(&self.epochs, enrolled().login.principal())
    }

    pub(crate) fn session(&self, now: Timestamp) -> Opened {
        session::open(&enrolled().login, self.since(), Binding::None, None, &self.ids, now)
    }

    pub(crate) fn exchange(
        &self,
        subject: &Authenticated,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<MintedToken, ExchangeRefusal> {
        self.issuer.exchange(subject, ask, &Rights::full(), &self.epochs, &self.ids, now)
    }

    /// What a token proves in the hands of its holder.
    pub(crate) fn admit(&self, token: &str, now: Timestamp) -> Result<Authenticated, Unadmitted> {
        let nonce = self.door.nonce(now);
        let proof = holder().prove("POST", URL, Some(token.as_bytes()), Some(nonce.as_str()), &self.ids, now);
        let proof = proof.unwrap();
        let is_bound = read(token).1.contains("\"jkt\"");
        let shown = Shown {
            token: token.as_bytes(),
            scheme: if is_bound { Scheme::Dpop } else { Scheme::Bearer },
            proofs: &[proof.as_bytes()],
            method: "POST",
            url: URL,
            certificate: None,
        };
        self.door.admit(&shown, &self.epochs, now)
    }

    /// A token for predictions of model 1, minted at 16:00, good until 16:02 for whoever has it.
    pub(crate) fn token(&self) -> MintedToken {
        self.exchange(&self.dana(), &ask([Privilege::Inference], [1]), noon()).unwrap()
    }
}

pub(crate) fn dana_id() -> PersonId {
    PersonId::from_bits(0x0193_0000_0000_7000_8000_0000_0000_00da)
}

pub(crate) fn model(number: u128) -> ModelId {
    ModelId::from_bits(number)
}

/// The key of an honest client.
pub(crate) fn holder() -> ProofKey {
    ProofKey::from_seed(zeroize(9)).unwrap()
}

pub(crate) fn zeroize(byte: u8) -> zeroize::Zeroizing<[u8; 32]> {
    zeroize::Zeroizing::new([byte; 32])
}

/// Asks for the data plane; no model named means any. Bound to the honest client's key where it has to be.
pub(crate) fn ask<const P: usize, const M: usize>(privileges: [Privilege; P], models: [u128; M]) -> Ask {
    let models = if M == 0 { Models::Any } else { Models::only(models.map(model)) };
    let is_bound = !privileges.into_iter().all(is_for_bearers);
    Ask {
        profile: Profile::Access,
        rights: Rights::new(privileges, models),
        client: Name::new("cli").unwrap(),
        ttl: None,
        binding: is_bound.then(|| TokenBinding::Key(holder().thumbprint())),
    }
}

/// One enrolment, hashed once for the whole run.
pub(crate) fn enrolled() -> &'static Enrolled {
    static ENROLLED: std::sync::OnceLock<Enrolled> = std::sync::OnceLock::new();
    ENROLLED.get_or_init(|| {
        let ids = SeededIds::new(1);
        let (code, enrolment) = Enrolment::issue(dana_id(), &ids, noon());
        let (enrolment, secret) = enrolment.offer(&code, &ids, noon()).unwrap();
        let password = Password::new("tram ocean pickle lantern").unwrap();
        enrolment
            .complete(&code, "dana", &password, &secret.code(noon()), &Passwords::new(), &ids, noon())
            .unwrap()
    })
}

/// What their authenticator app knows, and the step of the code it was confirmed with.
pub(crate) fn totp_of(enrolled: &Enrolled) -> (&TotpSecret, Step) {
    match &enrolled.factor {
        Factor::Totp { secret, last_step } => (secret, *last_step),
        Factor::Passkey(_) => panic!("enrolled with a passkey"),
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs any header and claims with a seed: what an attacker with our key, or a careless issuer, could make.
pub(crate) fn forge(seed: &[u8; 32], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", b64(header), b64(claims));
    let signature = ed25519_dalek::SigningKey::from_bytes(seed).sign(signed.as_bytes());
    format!("{signed}.{}", b64(signature.to_bytes()))
}

/// The three parts of a token, decoded where they are text.
pub(crate) fn read(token: &str) -> (String, String, Vec<u8>) {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
    (text(&parts[0]), text(&parts[1]), parts[2].clone())
}
