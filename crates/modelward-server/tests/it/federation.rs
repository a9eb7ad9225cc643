//! People and workloads of elsewhere, against an issuer that is played here: it answers what a test tells it to, and
//! counts how often it is asked.

mod signals;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use http::Request;
use jiff::SignedDuration;
use modelward_decision::Bundle;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::Strength;
use modelward_identity::federation::{
    Algorithm, Algorithms, KeySource, Reach, Stream, Tier, Transmitter, TrustedIssuer, WorkloadRule,
};
use modelward_server::outbound::{Fetched, Outbound, OutboundError, Outgoing};
use modelward_server::{ClientSecret, Federation};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::house::{Answer, House, ORIGIN, Session};

const URL: &str = "https://id.example.org";

/// The issuer, as the network would show it.
#[derive(Debug)]
struct Played {
    key: Mutex<(String, SigningKey)>,
    /// What the token endpoint will give out next, by code.
    codes: Mutex<BTreeMap<String, String>>,
    asked: Mutex<BTreeMap<String, u64>>,
    silent: AtomicU64,
    /// Security events that wait to be fetched, by id, and what was said of them and asked for.
    waiting: Mutex<BTreeMap<String, String>>,
    told: Mutex<Vec<String>>,
}

impl Played {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::new(("one".to_owned(), SigningKey::from_bytes(&[1; 32]))),
            codes: Mutex::default(),
            asked: Mutex::default(),
            silent: AtomicU64::new(0),
            waiting: Mutex::default(),
            told: Mutex::default(),
        })
    }

    fn rotate(&self, kid: &str) {
        *self.key.lock().unwrap() =
            (kid.to_owned(), SigningKey::from_bytes(&[u8::try_from(kid.len()).unwrap(); 32]));
    }

    fn asked(&self, path: &str) -> u64 {
        self.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        let (kid, key) = &*self.key.lock().unwrap();
        let header = json!({ "alg": "EdDSA", "typ": typ, "kid": kid }).to_string();
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes()))
    }

    fn answer(&self, outgoing: &Outgoing) -> Result<Vec<u8>, OutboundError> {
        let path = outgoing.url.target();
        *self.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
        if self.silent.load(Ordering::Relaxed) > 0 {
            return Err(OutboundError::Slow);
        }
        let document = match path.as_str() {
            "/.well-known/openid-configuration" => json!({
                "issuer": URL,
                "authorization_endpoint": format!("{URL}/auth"),
                "token_endpoint": format!("{URL}/token"),
                "jwks_uri": format!("{URL}/jwks"),
                "end_session_endpoint": format!("{URL}/end"),
                "authorization_response_iss_parameter_supported": true,
            }),
            "/poll" | "/verify" => signals::answer(self, &path, outgoing.json.as_ref())?,
            "/jwks" => {
                let (kid, key) = &*self.key.lock().unwrap();
                let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
                json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": x }] })
            }
            "/token" => {
                let form = outgoing.form.as_ref().map(|form| form.to_string()).unwrap_or_default();
                assert!(outgoing.basic.is_some() && form.contains("code_verifier="), "{form}");
                let code = form.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap_or_default();
                match self.codes.lock().unwrap().remove(code) {
                    Some(id_token) => {
                        json!({ "id_token": id_token, "token_type": "Bearer", "access_token": "x" })
                    }
                    None => return Err(OutboundError::Status { status: 400, body: Vec::new() }),
                }
            }
            _ => return Err(OutboundError::Status { status: 404, body: Vec::new() }),
        };
        Ok(document.to_string().into_bytes())
    }
}

#[derive(Debug)]
struct Network(Arc<Played>);

impl Outbound for Network {
    fn fetch(&self, outgoing: Outgoing) -> Fetched<'_> {
        Box::pin(std::future::ready(self.0.answer(&outgoing)))
    }
}

fn federation(played: &Arc<Played>) -> Federation {
    let issuer = TrustedIssuer {
        name: "corporate".parse().unwrap(),
        title: "Corporate".to_owned(),
        url: URL.parse().unwrap(),
        algorithms: Algorithms::new([Algorithm::EdDsa]),
        tier: Tier {
            privileges: [Privilege::ReadOnly, Privilege::Inference, Privilege::Govern].into(),
            group_prefix: Some("corp-".to_owned()),
            acr: BTreeMap::from([("mfa".to_owned(), Strength::TwoFactors)]),
        },
        keys: KeySource::Discovery,
        console_client: Some("console".to_owned()),
        cli_client: Some("cli".to_owned()),
        scopes: vec!["openid".to_owned()],
        groups_claim: "groups".to_owned(),
        workload_audience: ORIGIN.to_owned(),
        signals: Some(Transmitter {
            audience: ORIGIN.to_owned(),
            mail_domain: Some("example.org".to_owned()),
            lasts: SignedDuration::from_hours(24),
            stream: Some(Stream {
                id: "s-1".to_owned(),
                poll: Some(format!("{URL}/poll").parse().unwrap()),
                verify: Some(format!("{URL}/verify").parse().unwrap()),
                silence: SignedDuration::from_mins(15),
            }),
        }),
        reach: Reach::default(),
    };
    let rule = WorkloadRule {
        name: "pod".parse().unwrap(),
        issuer: issuer.name.clone(),
        machine: "trainer".parse().unwrap(),
        claims: vec!["sub=system:serviceaccount:ml:trainer".parse().unwrap()],
        life_max: SignedDuration::from_hours(1),
        strength: Strength::OneFactor,
    };
    let secret = ClientSecret::new(Zeroizing::new("of-the-console".to_owned()));
    Federation::new([(issuer, Some(secret))], vec![rule], Arc::new(Network(Arc::clone(played))))
}

fn bundle() -> Bundle {
    let mut sources = Bundle::default_bundle().unwrap().sources().clone();
    let mapped = |external: &str, group: &str| {
        format!("[[mapping]]\nprovider = \"corporate\"\nexternal = \"{external}\"\ngroup = \"{group}\"\n")
    };
    let mappings = mapped("fraud", "corp-fraud") + &mapped("admins", "owners") + &mapped("old", "corp-old");
    sources.insert("groups.toml".to_owned(), mappings);
    Bundle::from_sources(sources).unwrap()
}

pub(crate) struct Stage {
    pub(crate) house: House,
    played: Arc<Played>,
    pub(crate) dana: Session,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let played = Played::new();
        let house = House::believing(bundle(), federation(&played)).await;
        let dana = house.first().await;
        for group in ["corp-fraud", "corp-old", "owners"] {
            let declared = json!({ "groups": [{ "name": group }] });
            house.post("/api/v1/groups", &dana, declared).await.ok();
        }
        Self { house, played, dana }
    }

    /// A person of the inventory who never enrolled.
    pub(crate) async fn person(&self, name: &str) {
        self.house.post("/api/v1/enrolments", &self.dana, json!({ "name": name })).await.ok();
    }

    pub(crate) async fn link(&self, person: &str, subject: &str) -> Answer {
        let request = json!({ "issuer": "corporate", "subject": subject });
        self.house.post(&format!("/api/v1/people/{person}/identities"), &self.dana, request).await
    }

    pub(crate) fn claims(&self, audience: &str, subject: &str) -> Value {
        let now = self.house.now().as_second();
        json!({
            "iss": URL, "aud": audience, "sub": subject, "iat": now, "exp": now + 300, "auth_time": now - 5,
            "acr": "mfa", "amr": ["pwd", "otp"], "sid": format!("sid-{subject}"), "groups": ["fraud", "admins"],
            "name": "Eli", "email": "dana@example.org",
        })
    }

    pub(crate) async fn login(&self, claims: &Value) -> Answer {
        let token = self.played.sign("JWT", claims);
        let request = json!({ "issuer": "corporate", "id_token": token });
        self.house.call("POST", "/api/v1/login/issuer", None, Some(request)).await
    }

    /// Signs in with a token, as the command line does.
    pub(crate) async fn signed_in(&self, subject: &str) -> Session {
        self.house.pass_seconds(1);
        let answer = self.login(&self.claims("cli", subject)).await.ok();
        Session::with_secret(answer["session_secret"].as_str().unwrap())
    }

    async fn get(&self, path: &str, cookie: Option<&str>, site: &str) -> Answer {
        let mut request = Request::get(path).header("sec-fetch-site", site);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        self.house.send(request.body(Body::empty()).unwrap()).await
    }

    /// Goes to the issuer. What the browser keeps, and the parameters it is sent with.
    async fn leave(&self, path: &str, cookie: Option<&str>) -> (String, BTreeMap<String, String>) {
        let answer = self.get(path, cookie, "same-origin").await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let to = answer.headers["location"].to_str().unwrap().to_owned();
        let (place, query) = to.split_once('?').unwrap();
        assert_eq!(place, format!("{URL}/auth"));
        let parameters = query.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        (cookie_of(&answer, "mw_flow"), parameters.collect())
    }

    /// Comes back with a code for these claims.
    async fn back(&self, parameters: &BTreeMap<String, String>, cookie: &str, subject: &str) -> Answer {
        let mut claims = self.claims("console", subject);
        claims["nonce"] = json!(parameters["nonce"]);
        let code = format!("code-{}", self.played.codes.lock().unwrap().len() + 1);
        self.played.codes.lock().unwrap().insert(code.clone(), self.played.sign("JWT", &claims));
        let path = format!(
            "/sign-in/back?code={code}&state={}&iss=https%3A%2F%2Fid.example.org",
            parameters["state"]
        );
        self.get(&path, Some(cookie), "cross-site").await
    }

    async fn logout(&self, claims: &Value, typ: &str) -> Answer {
        let token = self.played.sign(typ, claims);
        let request = Request::post("/api/v1/issuers/corporate/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={token}")));
        self.house.send(request.unwrap()).await
    }

    pub(crate) async fn is_in(&self, session: &Session) -> bool {
        self.house.get("/api/v1/whoami", session).await.status == 200
    }

    async fn workload(&self, claims: &Value, scope: &str) -> Answer {
        let token = self.played.sign("JWT", claims);
        let body = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={token}\
             &subject_token_type=urn:ietf:params:oauth:token-type:jwt&scope={scope}"
        );
        let request = Request::post("/api/v1/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body));
        self.house.send(request.unwrap()).await
    }
}

fn cookie_of(answer: &Answer, name: &str) -> String {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = set.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name}: {:?}", answer.headers)).to_owned()
}

#[tokio::test]
async fn somebody_of_elsewhere_is_nobody_until_they_are_linked() {
    let stage = Stage::new().await;
    let refused = stage.login(&stage.claims("cli", "eli-1")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "refused"));
    assert!(refused.text.contains("eli-1"), "the way out is named: {}", refused.text);
    let strangers = stage.house.get("/api/v1/strangers", &stage.dana).await.ok();
    assert_eq!(strangers["items"][0]["subject"], "eli-1");
    assert_eq!(strangers["items"][0]["email"], "dana@example.org", "shown, and worth nothing");

    stage.person("eli").await;
    let linked = stage.link("eli", "eli-1").await.ok();
    assert_eq!(linked["identities"][0]["issuer"], "corporate");
    assert!(
        stage.house.get("/api/v1/strangers", &stage.dana).await.ok()["items"].as_array().unwrap().is_empty()
    );
    let eli = stage.signed_in("eli-1").await;
    let me = stage.house.get("/api/v1/whoami", &eli).await.ok();
    assert_eq!(me["principal"]["name"], "eli");
    assert_eq!(me["session"]["strength"], 2);
    assert_eq!(me["session"]["methods"], json!(["pwd", "otp"]));
    assert_eq!(me["groups"], json!(["corp-fraud"]), "mapped, and under the prefix of the tier");
}

#[tokio::test]
async fn whoever_manages_people_cannot_sign_in_as_anybody() {
    let stage = Stage::new().await;
    stage.house.invited(&stage.dana, "femi").await;
    let refused = stage.link("femi", "attacker").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "conflict"));
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let again = stage.link("eli", "attacker").await;
    assert_eq!(again.code(), "conflict", "one who can sign in links further ones themselves");
    let taken = stage.link("eli", "eli-1").await;
    assert_eq!(taken.code(), "conflict");
}

#[tokio::test]
async fn a_session_of_elsewhere_reaches_what_its_issuer_is_trusted_with() {
    let stage = Stage::new().await;
    // Dana links who she is elsewhere, as the owner; the tier of the issuer has no `audit`.
    let cookie = console_session(&stage, "dana").await;
    let (kept, parameters) = stage.leave("/sessions/link/corporate", Some(&cookie)).await;
    assert_eq!((parameters["max_age"].as_str(), parameters["prompt"].as_str()), ("0", "login"));
    let linked = stage.back(&parameters, &format!("{cookie}; {kept}"), "dana-9").await;
    assert_eq!((linked.status.as_u16(), &linked.headers["location"]), (303, &"/sessions".parse().unwrap()));
    let dana = stage.signed_in("dana-9").await;
    assert_eq!(stage.house.get("/api/v1/keys", &dana).await.status, 200, "govern is in the tier");
    let denied = stage.house.get("/api/v1/ledger", &dana).await;
    assert_eq!(denied.code(), "denied", "audit is not: {}", denied.text);
    assert_eq!(stage.house.get("/api/v1/ledger", &stage.dana).await.status, 200, "she holds it");
}

/// A browser session of somebody, made from a session secret.
async fn console_session(stage: &Stage, name: &str) -> String {
    let session = stage.house.again(name, &stage.dana).await;
    format!("mw_sid={}", session.secret)
}

#[tokio::test]
async fn row_16_a_code_counts_only_in_the_browser_that_asked_for_it() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let (mine, parameters) = stage.leave("/sign-in/with/corporate?next=%2Fgrants", None).await;
    let (theirs, other) = stage.leave("/sign-in/with/corporate", None).await;
    assert_ne!(parameters["state"], other["state"]);

    let swapped = stage.back(&other, &mine, "eli-1").await;
    assert_eq!(swapped.status, 422, "the code of another browser: {}", swapped.text);
    let bare = stage.back(&parameters, "a=b", "eli-1").await;
    assert_eq!(bare.status, 422, "no browser at all");
    let planted = stage.back(&parameters, &format!("{mine}; {theirs}"), "eli-1").await;
    assert_eq!(planted.status, 422, "two at once");
    let forged = format!("mw_flow={}", URL_SAFE_NO_PAD.encode([0; 200]));
    assert_eq!(stage.back(&parameters, &forged, "eli-1").await.status, 422, "made up");

    let right = stage.back(&parameters, &mine, "eli-1").await;
    assert_eq!((right.status.as_u16(), &right.headers["location"]), (303, &"/grants".parse().unwrap()));
    let session = cookie_of(&right, "mw_sid");
    assert_eq!(stage.get("/sessions", Some(&session), "same-origin").await.status, 200);
    let line =
        right.headers.get_all("set-cookie").iter().find(|line| line.to_str().unwrap().starts_with("mw_sid"));
    assert!(line.unwrap().to_str().unwrap().contains("HttpOnly; SameSite=Lax"));
}

#[tokio::test]
async fn row_15_a_planted_session_cookie_is_replaced_at_sign_in() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let planted = format!("mw_sid=mws_{}", URL_SAFE_NO_PAD.encode([7; 32]));
    let (kept, parameters) = stage.leave("/sign-in/with/corporate", Some(&planted)).await;
    let answer = stage.back(&parameters, &format!("{planted}; {kept}"), "eli-1").await;
    let session = cookie_of(&answer, "mw_sid");
    assert_ne!(session, planted);
    assert_ne!(stage.get("/sessions", Some(&planted), "same-origin").await.status, 200);
}

#[tokio::test]
async fn row_7_an_answer_that_names_another_issuer_is_refused() {
    let stage = Stage::new().await;
    let (kept, parameters) = stage.leave("/sign-in/with/corporate", None).await;
    for iss in ["&iss=https%3A%2F%2Fother.example.org", ""] {
        let path = format!("/sign-in/back?code=c&state={}{iss}", parameters["state"]);
        assert_eq!(stage.get(&path, Some(&kept), "cross-site").await.status, 422, "{iss}");
    }
    assert_eq!(stage.played.asked("/token"), 0, "no code is handed on");
}

#[tokio::test]
async fn row_14_linking_cannot_be_begun_by_another_site() {
    let stage = Stage::new().await;
    let cookie = console_session(&stage, "dana").await;
    let begun = stage.get("/sessions/link/corporate", Some(&cookie), "cross-site").await;
    assert_eq!(begun.status, 403, "{}", begun.text);
    // One who began it under another session is told so.
    let (kept, parameters) = stage.leave("/sessions/link/corporate", Some(&cookie)).await;
    let other = console_session(&stage, "dana").await;
    let refused = stage.back(&parameters, &format!("{other}; {kept}"), "dana-9").await;
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[tokio::test]
async fn a_token_is_shown_once_and_only_for_the_client_it_was_made_for() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let claims = stage.claims("cli", "eli-1");
    stage.login(&claims).await.ok();
    let again = stage.login(&claims).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (401, "bad-credentials"));
    let console = stage.login(&stage.claims("console", "eli-1")).await;
    assert_eq!(console.code(), "bad-credentials", "made for the console");
}

#[tokio::test]
async fn signing_out_there_is_signing_out_here() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let (one, two) = (stage.signed_in("eli-1").await, stage.signed_in("eli-1").await);
    let now = stage.house.now().as_second();
    let notice = json!({
        "iss": URL, "aud": "cli", "iat": now, "exp": now + 120, "jti": "n1", "sid": "sid-eli-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let mut wrong = notice.clone();
    wrong["nonce"] = json!("n");
    let refused = stage.logout(&wrong, "logout+jwt").await;
    assert_eq!((refused.status.as_u16(), refused.json()["error"].as_str()), (400, Some("invalid_request")));
    assert_eq!(stage.logout(&notice, "JWT").await.status, 400, "row 6: an ID token is no notice");
    assert!(stage.is_in(&one).await);

    let noticed = stage.logout(&notice, "logout+jwt").await.ok();
    assert_eq!(noticed["sessions"], 2);
    assert!(!stage.is_in(&one).await && !stage.is_in(&two).await);
    assert_eq!(stage.logout(&notice, "logout+jwt").await.ok()["sessions"], 0, "once more ends nothing more");
    assert!(stage.is_in(&stage.dana).await, "nobody else");
}

#[tokio::test]
async fn a_distrusted_issuer_counts_for_nothing_and_so_does_what_came_from_it() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let eli = stage.signed_in("eli-1").await;
    let changed = stage.house.post("/api/v1/issuers/corporate/distrust", &stage.dana, json!({})).await.ok();
    assert_eq!(changed["sessions_ended"], 1);
    assert!(changed["issuer"]["distrusted_at"].is_string());
    assert!(!stage.is_in(&eli).await);
    assert_eq!(stage.login(&stage.claims("cli", "eli-1")).await.code(), "refused");
    let options = stage.house.call("GET", "/api/v1/sign-in", None, None).await.ok();
    assert!(options["issuers"].as_array().unwrap().is_empty());

    let Stage { house, played, dana } = stage;
    let house = house.restarted_believing(bundle(), federation(&played)).await;
    let stage = Stage { house, played, dana };
    assert_eq!(stage.login(&stage.claims("cli", "eli-1")).await.code(), "refused", "after a restart too");
    let dana = stage.house.again("dana", &stage.dana).await;
    stage.house.post("/api/v1/issuers/corporate/trust", &dana, json!({})).await.ok();
    assert!(stage.is_in(&stage.signed_in("eli-1").await).await);
}

#[tokio::test]
async fn row_21_new_keys_are_found_once_a_minute_and_old_ones_are_gone() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let before = stage.played.sign("JWT", &stage.claims("cli", "eli-1"));
    stage.signed_in("eli-1").await;
    assert_eq!(stage.played.asked("/jwks"), 1);

    stage.played.rotate("second");
    assert_eq!(
        stage.login(&stage.claims("cli", "eli-1")).await.code(),
        "bad-credentials",
        "asked a moment ago"
    );
    stage.house.pass_seconds(60);
    stage.signed_in("eli-1").await;
    assert_eq!(stage.played.asked("/jwks"), 2);
    let old = json!({ "issuer": "corporate", "id_token": before });
    let refused = stage.house.call("POST", "/api/v1/login/issuer", None, Some(old)).await;
    assert_eq!(refused.code(), "bad-credentials", "its key is gone");

    for number in 0..500 {
        stage.played.rotate("0123456789".get(..number % 9 + 1).unwrap_or("x"));
        stage.login(&stage.claims("cli", "eli-1")).await;
    }
    assert!(stage.played.asked("/jwks") <= 3, "{} questions", stage.played.asked("/jwks"));
}

#[tokio::test]
async fn an_issuer_that_is_silent_signs_nobody_in_and_holds_nobody_up() {
    let stage = Stage::new().await;
    stage.played.silent.store(1, Ordering::Relaxed);
    let refused = stage.login(&stage.claims("cli", "eli-1")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "unavailable"));
    let page = stage.get("/sign-in", None, "none").await;
    assert_eq!(page.status, 200);
    assert!(stage.is_in(&stage.dana).await);
}

#[tokio::test]
async fn memberships_follow_the_issuer_and_only_those_it_gives() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let groups = async |claims: Value| {
        stage.house.pass_seconds(1);
        let answer = stage.login(&claims).await.ok();
        let session = Session::with_secret(answer["session_secret"].as_str().unwrap());
        stage.house.get("/api/v1/whoami", &session).await.ok()["groups"].clone()
    };
    let with = |listed: Value| {
        let mut claims = stage.claims("cli", "eli-1");
        claims["groups"] = listed;
        claims
    };
    assert_eq!(groups(with(json!(["fraud", "old", "unmapped"]))).await, json!(["corp-fraud", "corp-old"]));
    assert_eq!(
        groups(with(json!(["old", "admins"]))).await,
        json!(["corp-old"]),
        "`owners` is beyond its prefix"
    );
    let mut overage = with(json!(null));
    overage.as_object_mut().unwrap().remove("groups");
    overage["_claim_names"] = json!({ "groups": "src1" });
    let refused = stage.login(&overage).await;
    assert!(refused.text.contains("too many"), "{}", refused.text);
    assert_eq!(groups(with(json!([]))).await, json!([]));
}

#[tokio::test]
async fn a_workload_gets_tokens_of_its_machine_and_no_other() {
    let stage = Stage::new().await;
    stage.house.furnish(&stage.dana).await;
    stage.person("eli").await;
    let machines = json!({ "machines": [{ "name": "trainer", "owner": "eli", "clearance": "internal" }] });
    let declared = stage.house.post("/api/v1/machines", &stage.dana, machines).await;
    assert!(declared.status.is_success(), "{}", declared.text);
    let until = (stage.house.now() + SignedDuration::from_hours(8)).to_string();
    let grant = json!({ "grantee": "machine:trainer", "privilege": "inference", "scope": "fraud", "not_after": until });
    stage.house.post("/api/v1/grants", &stage.dana, grant).await.ok();
    let now = stage.house.now().as_second();
    let claims = json!({
        "iss": URL, "aud": [ORIGIN], "sub": "system:serviceaccount:ml:trainer", "iat": now, "exp": now + 600,
    });
    let given = stage.workload(&claims, "inference").await.ok();
    assert_eq!(given["scope"], "inference");
    let snapshot = stage.house.plane.snapshot();
    let token = given["access_token"].as_str().unwrap();
    let who = stage.house.verifier.verify(token.as_bytes(), &*snapshot, stage.house.now()).unwrap();
    let trainer = snapshot.machine_named("trainer").unwrap().id;
    assert_eq!(who.principal(), modelward_decision::vocabulary::PrincipalRef::Machine(trainer));

    let mut other = claims.clone();
    other["sub"] = json!("system:serviceaccount:ml:other");
    assert_eq!(stage.workload(&other, "inference").await.json()["error"], "invalid_grant");
    let mut audience = claims.clone();
    audience["aud"] = json!(["https://kubernetes.default.svc"]);
    assert_eq!(stage.workload(&audience, "inference").await.json()["error"], "invalid_grant");
    let mut stranger = claims.clone();
    stranger["iss"] = json!("https://evil.example.org");
    assert_eq!(stage.workload(&stranger, "inference").await.json()["error"], "invalid_grant");
    assert_eq!(
        stage.workload(&claims, "retraining").await.json()["error"],
        "access_denied",
        "beyond the tier"
    );

    // Switching off the person who answers for it ends it at once, distrusting its issuer too.
    let switch = async |active: bool| {
        stage.house.post("/api/v1/people/eli", &stage.dana, json!({ "active": active })).await.ok();
    };
    switch(false).await;
    assert_eq!(stage.workload(&claims, "inference").await.json()["error"], "access_denied");
    switch(true).await;
    stage.workload(&claims, "inference").await.ok();
    stage.house.post("/api/v1/issuers/corporate/distrust", &stage.dana, json!({})).await.ok();
    let snapshot = stage.house.plane.snapshot();
    assert!(stage.house.verifier.verify(token.as_bytes(), &*snapshot, stage.house.now()).is_err());
    assert_eq!(stage.workload(&claims, "inference").await.json()["error"], "access_denied");
}

#[tokio::test]
async fn unlinking_ends_what_rests_on_it() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let eli = stage.signed_in("eli-1").await;
    let request = json!({ "issuer": "corporate", "subject": "eli-1" });
    let path = "/api/v1/people/eli/identities/unlink";
    let unlinked = stage.house.post(path, &stage.dana, request.clone()).await.ok();
    assert_eq!(
        (&unlinked["sessions_ended"], unlinked["identities"].as_array().unwrap().len()),
        (&json!(1), 0)
    );
    assert!(!stage.is_in(&eli).await);
    stage.house.pass_seconds(1);
    assert_eq!(stage.login(&stage.claims("cli", "eli-1")).await.code(), "refused");
    assert_eq!(stage.house.post(path, &stage.dana, request).await.code(), "not-found");
}

#[tokio::test]
async fn every_sign_in_and_every_link_is_in_the_ledger() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    let before = stage.house.ledger_size();
    stage.link("eli", "eli-1").await.ok();
    stage.signed_in("eli-1").await;
    let after = stage.house.ledger_size();
    let mut actions = Vec::new();
    for index in before..after {
        let entry = stage.house.get(&format!("/api/v1/ledger/entries/{index}"), &stage.dana).await.ok();
        actions.push(entry.to_string());
    }
    let all = actions.join("\n");
    for word in ["link-identity", "signIn", "follow-groups"] {
        assert!(all.contains(word), "no {word} in {all}");
    }
    assert!(!all.contains("eli-1"), "who somebody is elsewhere does not stand there in clear");
}

#[tokio::test]
async fn the_pages_offer_the_issuer_and_the_way_out_of_it() {
    let stage = Stage::new().await;
    stage.person("eli").await;
    stage.link("eli", "eli-1").await.ok();
    let page = stage.get("/sign-in?next=%2Fgrants", None, "none").await;
    assert!(page.text.contains("/sign-in/with/corporate?next=%2Fgrants"), "{}", page.text);
    let (kept, parameters) = stage.leave("/sign-in/with/corporate", None).await;
    let session = cookie_of(&stage.back(&parameters, &kept, "eli-1").await, "mw_sid");
    let page = stage.get("/", Some(&session), "same-origin").await;
    let csrf =
        page.text.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let request = Request::post("/sign-out")
        .header("cookie", &session)
        .header("origin", ORIGIN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("csrf={csrf}")));
    let out = stage.house.send(request.unwrap()).await;
    assert_eq!(out.status, 200);
    assert!(out.text.contains("https://id.example.org/end?client_id=console"), "{}", out.text);
    assert_ne!(stage.get("/grants", Some(&session), "same-origin").await.status, 200);

    let dana = console_session(&stage, "dana").await;
    let issuers = stage.get("/issuers", Some(&dana), "same-origin").await;
    assert!(issuers.text.contains("corp-fraud") && issuers.text.contains("system:serviceaccount:ml:trainer"));
}
