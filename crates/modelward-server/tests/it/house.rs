//! A whole control plane in a temporary folder, on a clock that only tests move.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::Bundle;
use modelward_decision::vocabulary::Name;
use modelward_enforcement::{Reservations, Unobserved};
use modelward_identity::token::{Issuer, KeySet, Profile, SigningKey, Standing, Verifier};
use modelward_identity::totp::TotpSecret;
use modelward_ledger::sim::MemorySubjectKeys;
use modelward_ledger::{Config, Ledger};
use modelward_seal::note::{KeyName, SoftwareSigner};
use modelward_seal::source::{Clock, Ids};
use modelward_server::wire::KeyView;
use modelward_server::{ControlPlane, Federation, Keeper, KeeperError, Parts, Settings, TotpKey};
use modelward_store::{Options, Store};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tower::ServiceExt as _;
use zeroize::Zeroizing;

/// A name: browsers make passkeys for names only.
pub(crate) const ORIGIN: &str = "http://localhost:7080";
pub(crate) const GATEWAY: &str = "http://127.0.0.1:7070";
pub(crate) const PASSWORD: &str = "a long walk by the river";

#[derive(Debug)]
pub(crate) struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        // One microsecond on at each look, so that no two entries share a moment.
        Timestamp::from_microsecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

#[derive(Debug)]
struct CountedIds {
    clock: Arc<StillClock>,
    count: AtomicU64,
}

impl Ids for CountedIds {
    fn uuid(&self) -> uuid::Uuid {
        let millis = u128::try_from(self.clock.now().as_millisecond()).unwrap();
        let count = u128::from(self.count.fetch_add(1, Ordering::Relaxed));
        uuid::Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | count)
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.count.fetch_add(1, Ordering::Relaxed);
            let block = Sha256::digest(count.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[derive(Debug)]
struct NoKeys;

impl Keeper for NoKeys {
    fn keys(&self, _now: Timestamp) -> Vec<KeyView> {
        Vec::new()
    }

    fn rotate(&self, purpose: &str, _at_once: bool, _now: Timestamp) -> Result<(), KeeperError> {
        if purpose == "access-token" { Ok(()) } else { Err(KeeperError::Unknown(purpose.to_owned())) }
    }

    fn sign_with_newest(&self, _purpose: &str) -> Result<(), KeeperError> {
        Ok(())
    }

    fn revoke(&self, key: &str, _now: Timestamp) -> Result<(), KeeperError> {
        Err(KeeperError::Unknown(key.to_owned()))
    }
}

pub(crate) struct House {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) verifier: Arc<Verifier>,
    ledger: Arc<Ledger>,
    app: axum::Router,
    clock: Arc<StillClock>,
    folder: TempDir,
}

/// An answer: status, headers, body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    /// The stable code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }
}

/// Somebody signed in.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) secret: String,
    totp: String,
}

impl Session {
    pub(crate) fn with_secret(secret: &str) -> Self {
        Self { secret: secret.to_owned(), totp: String::new() }
    }

    pub(crate) fn with_totp(totp: &str) -> Self {
        Self { secret: String::new(), totp: totp.to_owned() }
    }

    /// What the authenticator of this person shows now.
    pub(crate) fn code(&self, house: &House) -> String {
        house.totp(&self.totp)
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::under(Bundle::default_bundle().unwrap()).await
    }

    /// A house that begins with this bundle.
    pub(crate) async fn under(bundle: Bundle) -> Self {
        Self::believing(bundle, Federation::none()).await
    }

    /// One that believes others too.
    pub(crate) async fn believing(bundle: Bundle, federation: Federation) -> Self {
        Box::pin(Self::in_folder(tempfile::tempdir().unwrap(), false, bundle, federation)).await
    }

    /// Lets everything go and starts again from what is on disk.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_believing(Bundle::default_bundle().unwrap(), Federation::none()).await
    }

    pub(crate) async fn restarted_believing(self, bundle: Bundle, federation: Federation) -> Self {
        let Self { plane, ledger, app, folder, verifier, clock } = self;
        drop((plane, app, verifier, clock));
        ledger.close();
        drop(ledger);
        Box::pin(Self::in_folder(folder, true, bundle, federation)).await
    }

    async fn in_folder(folder: TempDir, exists: bool, bundle: Bundle, federation: Federation) -> Self {
        let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let start = if exists { start + SignedDuration::from_hours(1) } else { start };
        let clock = Arc::new(StillClock(AtomicI64::new(start.as_microsecond())));
        let first = if exists { 1 << 32 } else { 1 };
        let ids = Arc::new(CountedIds { clock: Arc::clone(&clock), count: AtomicU64::new(first) });
        let store =
            Store::open(&folder.path().join("modelward.db"), Options::new(clock.now())).await.unwrap();
        let ledger = Arc::new(ledger(&folder.path().join("ledger"), exists, &clock, &ids));
        let reservations = folder.path().join("reservations");
        let reservations =
            if exists { Reservations::open(&reservations) } else { Reservations::create(&reservations) };
        let access = SigningKey::generate(Profile::Access, &*ids).unwrap();
        let control = SigningKey::generate(Profile::Control, &*ids).unwrap();
        let keys = |key: &SigningKey| KeySet::new([(key.public().clone(), Standing::Active)]).unwrap();
        let gateway = Arc::new(Verifier::new(Profile::Access, ORIGIN, GATEWAY, keys(&access)));
        let verifier = Arc::new(Verifier::new(Profile::Control, ORIGIN, ORIGIN, keys(&control)));
        let issuer = Issuer::new(ORIGIN, GATEWAY, access, ORIGIN, control).unwrap();
        let office = Name::new("office").unwrap();
        let plane = ControlPlane::start(Parts {
            store,
            ledger: Arc::clone(&ledger),
            reservations: Arc::new(reservations.unwrap()),
            bundle: Arc::new(bundle),
            observer: Arc::new(Unobserved),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids,
            issuer: Arc::new(issuer),
            verifier,
            access: Arc::clone(&gateway),
            keeper: Arc::new(NoKeys),
            authority: None,
            federation,
            totp_key: TotpKey::new(Zeroizing::new([7; 32])),
            settings: Settings {
                external_url: ORIGIN.to_owned(),
                gateway_audience: GATEWAY.to_owned(),
                issuer_name: Name::new("Modelward").unwrap(),
                ledger_verifier_key: "localhost/modelward+00000000+AQ".to_owned(),
                segments: vec![office.clone()],
                segment_of: Arc::new(move |address| address.is_loopback().then(|| office.clone())),
            },
        })
        .await
        .unwrap();
        let app = modelward_server::router(Arc::clone(&plane), axum::Router::new());
        Self { plane, verifier: gateway, ledger, app, clock, folder }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("modelward.db")
    }

    /// Foreseeable randomness that nothing else here uses.
    pub(crate) fn ids(&self) -> impl Ids + use<> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let count = AtomicU64::new((1 << 40) | (CALLS.fetch_add(1, Ordering::Relaxed) << 20));
        CountedIds { clock: Arc::clone(&self.clock), count }
    }

    /// Entries that are durable.
    pub(crate) fn ledger_size(&self) -> u64 {
        self.ledger.reader().position().size
    }

    /// Waits until so many entries are durable, and until whoever waited for them had a turn.
    pub(crate) async fn ledger_grows_to(&self, size: u64) {
        while self.ledger_size() < size {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn pass_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> http::Response<Body> {
        let mut request = request;
        let peer: SocketAddr = "127.0.0.1:40000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        session: Option<&Session>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(session) = session {
            request = request.header("authorization", format!("Bearer {}", session.secret));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, session: &Session) -> Answer {
        self.call("GET", path, Some(session), None).await
    }

    pub(crate) async fn post(&self, path: &str, session: &Session, body: Value) -> Answer {
        self.call("POST", path, Some(session), Some(body)).await
    }

    /// The six digits an authenticator with this secret shows now.
    pub(crate) fn totp(&self, secret: &str) -> String {
        TotpSecret::from_bytes(&base32(secret)).unwrap().code(self.now())
    }

    /// Enrols with a code and signs in.
    pub(crate) async fn enrol(&self, code: &str) -> Session {
        let started = self.call("POST", "/api/v1/enrol", None, Some(json!({ "code": code }))).await.ok();
        let secret = started["secret"].as_str().unwrap().to_owned();
        let confirm = json!({ "code": code, "password": PASSWORD, "totp": self.totp(&secret) });
        self.call("POST", "/api/v1/enrol/confirm", None, Some(confirm)).await.ok();
        self.sign_in(started["name"].as_str().unwrap(), &secret).await
    }

    pub(crate) async fn sign_in(&self, name: &str, totp_secret: &str) -> Session {
        let session = Session { secret: String::new(), totp: totp_secret.to_owned() };
        let signed_in = self.sign_in_answer(name, &session).await.ok();
        let secret = signed_in["session_secret"].as_str().unwrap().to_owned();
        Session { secret, totp: totp_secret.to_owned() }
    }

    /// What signing in with the authenticator of this session is answered.
    pub(crate) async fn sign_in_answer(&self, name: &str, session: &Session) -> Answer {
        // A code counts once, so the next one is waited for.
        self.pass_seconds(30);
        let body = json!({ "name": name, "password": PASSWORD, "totp": self.totp(&session.totp) });
        self.call("POST", "/api/v1/login", None, Some(body)).await
    }

    pub(crate) async fn again(&self, name: &str, session: &Session) -> Session {
        self.sign_in(name, &session.totp).await
    }

    /// The first person, enrolled and signed in.
    pub(crate) async fn first(&self) -> Session {
        let invited =
            self.plane.initialise(Name::new("dana").unwrap(), "Dana Osei".to_owned()).await.unwrap();
        self.enrol(invited.code.expose()).await
    }

    /// Another person, enrolled and signed in.
    pub(crate) async fn invited(&self, by: &Session, name: &str) -> Session {
        let invited =
            self.post("/api/v1/enrolments", by, json!({ "name": name, "clearance": "restricted" })).await;
        self.enrol(invited.ok()["code"].as_str().unwrap()).await
    }

    /// Makes the ledger forget what it knows of a person.
    pub(crate) async fn erase(&self, name: &str) {
        let person = self.plane.snapshot().person_named(name).unwrap().id;
        self.ledger.erase_subject(&person.to_string(), None).unwrap().await.unwrap();
    }

    /// A project with one served model.
    pub(crate) async fn furnish(&self, by: &Session) {
        self.post("/api/v1/apply", by, json!({ "declaration": declaration() })).await.ok();
    }
}

pub(crate) fn declaration() -> Value {
    json!({
        "environment": [{ "name": "production", "production": true }],
        "project": [{ "name": "risk" }],
        "model": [{
            "name": "fraud",
            "project": "risk",
            "classification": "internal",
            "tags": ["payments"],
            "card": "# Use\n\nScores payments.",
            "version": [{ "label": "3", "label_outputs": ["label"], "metrics": { "auc": 0.94 }, "proven": true }],
            "alias": [{ "name": "champion", "version": "3", "protected": true }]
        }],
        "endpoint": [{
            "name": "scoring",
            "environment": "production",
            "protocol": "open-inference",
            "upstream": "models",
            "approved": true,
            "serves": [{ "public_name": "fraud", "model": "fraud", "alias": "champion" }]
        }],
        "dataset": [{ "name": "claims", "project": "risk", "column": [{ "name": "amount", "classification": "internal" }] }]
    })
}

fn ledger(folder: &Path, exists: bool, clock: &Arc<StillClock>, ids: &Arc<CountedIds>) -> Ledger {
    let key = [9; 32];
    let parts = modelward_ledger::Parts {
        signer: Arc::new(SoftwareSigner::from_seed(KeyName::new("localhost/modelward").unwrap(), &key)),
        pseudonyms: modelward_ledger::subject::PseudonymKey::new(key),
        subject_keys: Arc::new(MemorySubjectKeys::new(Arc::clone(ids) as Arc<dyn Ids>)),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ids: Arc::clone(ids) as Arc<dyn Ids>,
    };
    let config = Config::small("test");
    let opened =
        if exists { Ledger::open(folder, config, parts) } else { Ledger::create(folder, config, parts) };
    opened.unwrap()
}

fn base32(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|byte| !matches!(byte, b' ' | b'=')) {
        held =
            (held << 5) | u32::try_from(ALPHABET.iter().position(|known| *known == digit).unwrap()).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((held >> count) & 0xff).unwrap());
        }
    }
    bytes
}
