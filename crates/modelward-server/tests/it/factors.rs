//! What people sign in with: passkeys against every way to misuse one, recovery codes, one's own factors and sessions.

use http::StatusCode;
use serde_json::{Value, json};

use crate::device::Device;
use crate::house::{Answer, House, PASSWORD, Session};

impl House {
    /// Somebody without a credential who sends JSON, or nothing.
    async fn stranger(&self, path: &str, body: Option<Value>) -> Answer {
        self.call("POST", path, None, body).await
    }

    /// Enrols the first person with a passkey.
    async fn first_with_passkey(&self, device: &mut Device) -> Value {
        let name = "dana".parse().unwrap();
        let invited = self.plane.initialise(name, "Dana Osei".to_owned()).await.unwrap();
        let code = invited.code.expose();
        let begin = json!({ "code": code, "password": PASSWORD });
        let begun = self.stranger("/api/v1/enrol/passkey/begin", Some(begin)).await.ok();
        let credential = device.create(&begun["options"]).await;
        let enrol = json!({ "code": code, "password": PASSWORD, "name": "laptop", "credential": credential });
        self.stranger("/api/v1/enrol/passkey", Some(enrol)).await.ok()
    }

    async fn challenge(&self) -> Value {
        self.stranger("/api/v1/login/passkey/begin", None).await.ok()["options"].clone()
    }

    async fn answer(&self, credential: Value) -> Answer {
        self.stranger("/api/v1/login/passkey", Some(json!({ "credential": credential }))).await
    }

    async fn sign_in_with(&self, device: &mut Device) -> Answer {
        // The softlock of passkeys lasts a second.
        self.pass_seconds(2);
        let options = self.challenge().await;
        self.answer(device.get(&options).await).await
    }

    async fn session_of(&self, device: &mut Device) -> Session {
        let signed_in = self.sign_in_with(device).await.ok();
        Session::with_secret(signed_in["session_secret"].as_str().unwrap())
    }

    async fn add_passkey(&self, session: &Session, device: &mut Device, name: &str) -> Answer {
        let begun = self.call("POST", "/api/v1/factors/passkeys/begin", Some(session), None).await.ok();
        let credential = device.create(&begun["options"]).await;
        self.post("/api/v1/factors/passkeys", session, json!({ "name": name, "credential": credential }))
            .await
    }
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    assert_eq!(answer.json()["error"]["message"], "the passkey was not accepted");
}

#[tokio::test]
async fn threat_24_a_passkey_signs_in_alone_and_cannot_be_phished() {
    let house = House::new().await;
    let mut device = Device::new();
    let enrolled = house.first_with_passkey(&mut device).await;
    assert_eq!(enrolled["recovery_codes"].as_array().unwrap().len(), 10);

    let signed_in = house.sign_in_with(&mut device).await.ok();
    assert_eq!(signed_in["session"]["strength"], 3);
    assert_eq!(signed_in["person"]["name"], "dana");
    let methods = signed_in["session"]["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("user")), "{methods:?}");

    let session = Session::with_secret(signed_in["session_secret"].as_str().unwrap());
    let mine = house.get("/api/v1/factors", &session).await.ok();
    assert_eq!(mine["passkeys"][0]["name"], "laptop");
    assert!(mine["passkeys"][0]["used_at"].is_string());
    assert_eq!((&mine["password"], &mine["authenticator"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn threat_24_an_answer_made_at_another_page_counts_for_nothing() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;

    // Another port of the same host: the device cannot tell, the origin in the answer does.
    let mut elsewhere = Device { origin: "http://localhost:9999".to_owned(), ..device.clone() };
    refused(&house.sign_in_with(&mut elsewhere).await);

    // Another host: a page that passes our challenge on, with its own name in it.
    house.pass_seconds(2);
    let mut options = house.challenge().await;
    options["publicKey"]["rpId"] = json!("phish.example");
    let mut phished = device.clone();
    phished.origin = "https://phish.example".to_owned();
    if let Some(passkey) = &mut phished.passkey {
        passkey.rp_id = "phish.example".to_owned();
    }
    refused(&house.answer(phished.get(&options).await).await);

    // What the page says is covered by the signature, so it cannot be corrected on the way.
    house.pass_seconds(2);
    let options = house.challenge().await;
    let mut other = Device { origin: "http://localhost:9999".to_owned(), ..device.clone() };
    let mut answer = other.get(&options).await;
    let data = decoded(&answer["response"]["clientDataJSON"]).replace("localhost:9999", "localhost:7080");
    answer["response"]["clientDataJSON"] = json!(encoded(&data));
    refused(&house.answer(answer).await);

    house.sign_in_with(&mut device).await.ok();
}

#[tokio::test]
async fn threat_24_a_device_that_did_not_look_who_it_is_counts_for_nothing() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let mut careless = Device { verifies: false, ..device.clone() };
    refused(&house.sign_in_with(&mut careless).await);

    // Nor does a passkey come into being that way.
    let session = house.session_of(&mut device).await;
    let mut careless = Device { verifies: false, ..Device::new() };
    let added = house.add_passkey(&session, &mut careless, "careless").await;
    refused(&added);
}

#[tokio::test]
async fn threat_24_a_copied_passkey_is_told_by_its_counter() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    house.sign_in_with(&mut device).await.ok();
    let mut copy = device.clone();
    let session = house.session_of(&mut device).await;
    house.sign_in_with(&mut device).await.ok();

    // The copy counts on from where it was made.
    let before = house.ledger_size();
    refused(&house.sign_in_with(&mut copy).await);
    assert!(house.ledger_size() > before, "the ledger has it");
    // Nobody knows which of the two is the thief's: neither counts any more.
    refused(&house.sign_in_with(&mut device).await);

    let mine = house.get("/api/v1/factors", &session).await.ok();
    assert!(mine["passkeys"][0]["copied_at"].is_string(), "{mine}");
    let attempts = house.get("/api/v1/factors/sign-ins", &session).await.ok();
    let outcomes: Vec<&str> =
        attempts["items"].as_array().unwrap().iter().filter_map(|each| each["outcome"].as_str()).collect();
    assert_eq!(outcomes[..3], ["refused", "refused", "passkey-copied"]);
}

#[tokio::test]
async fn threat_24_a_challenge_counts_once_and_for_five_minutes() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;

    house.pass_seconds(2);
    let options = house.challenge().await;
    let answer = device.get(&options).await;
    house.answer(answer.clone()).await.ok();
    house.pass_seconds(2);
    refused(&house.answer(answer).await);

    // Too late.
    house.pass_seconds(2);
    let answer = device.get(&house.challenge().await).await;
    house.pass_seconds(300);
    refused(&house.answer(answer).await);

    // One that we never made.
    house.pass_seconds(2);
    let mut options = house.challenge().await;
    options["publicKey"]["challenge"] = json!(encoded("a challenge of somebody else, 32 byte"));
    refused(&house.answer(device.get(&options).await).await);

    // One that was made for something else: to prove again who has this session.
    let session = house.session_of(&mut device).await;
    let begun = house.call("POST", "/api/v1/login/again/begin", Some(&session), None).await.ok();
    house.pass_seconds(2);
    refused(&house.answer(device.get(&begun["options"]).await).await);
    house.sign_in_with(&mut device).await.ok();
}

#[tokio::test]
async fn threat_24_an_answer_that_is_no_answer_is_refused_like_any_other() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let answer = device.get(&house.challenge().await).await;
    for (place, with) in [
        ("/response/clientDataJSON", json!("bm90IGpzb24")),
        ("/response/authenticatorData", json!("AA")),
        ("/response/signature", json!("AAAA")),
        ("/response/userHandle", json!("AAAA")),
        ("/rawId", json!("AAAA")),
        ("/response", json!({})),
    ] {
        house.pass_seconds(2);
        let mut broken = answer.clone();
        *broken.pointer_mut(place).unwrap() = with;
        refused(&house.answer(broken).await);
    }
    let huge = json!({ "response": "x".repeat(40_000) });
    assert_eq!(house.answer(huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn threat_18_guesses_at_a_password_do_not_keep_out_who_holds_a_passkey() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let guess = json!({ "name": "dana", "password": "another long walk", "totp": "000000" });
    let mut looked_at = 0;
    while looked_at < 20 {
        match house.stranger("/api/v1/login", Some(guess.clone())).await.status {
            StatusCode::TOO_MANY_REQUESTS => house.pass_seconds(1),
            status => {
                assert_eq!(status, StatusCode::UNAUTHORIZED);
                looked_at += 1;
            }
        }
    }
    let blocked = house.stranger("/api/v1/login", Some(guess)).await;
    assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS);
    let options = house.challenge().await;
    house.answer(device.get(&options).await).await.ok();
}

#[tokio::test]
async fn threat_17_nothing_in_the_answer_tells_which_names_exist() {
    let house = House::new().await;
    let dana = house.first().await;
    // Invited and not enrolled; enrolled and switched off.
    house.post("/api/v1/enrolments", &dana, json!({ "name": "eli" })).await.ok();
    house.invited(&dana, "femi").await;
    house.post("/api/v1/people/femi", &dana, json!({ "active": false })).await.ok();
    let mut answers = Vec::new();
    for (name, password) in [
        ("nobody", PASSWORD),
        ("dana", "another long walk"),
        ("dana", PASSWORD),
        ("eli", PASSWORD),
        ("femi", "another long walk"),
    ] {
        house.pass_seconds(60);
        let guess = json!({ "name": name, "password": password, "totp": "000000" });
        let answer = house.stranger("/api/v1/login", Some(guess)).await;
        let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        answers.push((answer.status, answer.text, headers));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    // A challenge for passkeys names nobody: there is nothing to ask it about.
    let options = house.challenge().await;
    let allowed = options["publicKey"]["allowCredentials"].as_array().map_or(0, Vec::len);
    assert_eq!(allowed, 0);
}

#[tokio::test]
async fn threat_23_one_code_opens_one_session_however_often_it_is_sent() {
    let house = House::new().await;
    let session = house.first().await;
    house.pass_seconds(30);
    let body = || Some(json!({ "name": "dana", "password": PASSWORD, "totp": session.code(&house) }));
    let (one, other) =
        tokio::join!(house.stranger("/api/v1/login", body()), house.stranger("/api/v1/login", body()));
    let opened = [&one, &other].iter().filter(|answer| answer.status.is_success()).count();
    assert!(opened <= 1, "{} and {}", one.status, other.status);
    let code = session.code(&house);
    house.pass_seconds(3);
    let again = json!({ "name": "dana", "password": PASSWORD, "totp": code });
    let again = house.stranger("/api/v1/login", Some(again)).await;
    assert!(opened == 0 || again.status == StatusCode::UNAUTHORIZED, "{}", again.text);
    // The code of the next step is another one.
    house.again("dana", &session).await;
}

#[tokio::test]
async fn passkeys_are_added_named_and_removed_but_never_the_last_factor() {
    let house = House::new().await;
    let mut laptop = Device::new();
    house.first_with_passkey(&mut laptop).await;
    let session = house.session_of(&mut laptop).await;

    let only = house.get("/api/v1/factors", &session).await.ok();
    let id = only["passkeys"][0]["id"].as_str().unwrap().to_owned();
    let last = house.call("DELETE", &format!("/api/v1/factors/passkeys/{id}"), Some(&session), None).await;
    assert_eq!((last.status, last.code()), (StatusCode::UNPROCESSABLE_ENTITY, "refused".to_owned()));

    let mut key = Device::new();
    house.add_passkey(&session, &mut key, "blue key").await.ok();
    house.sign_in_with(&mut key).await.ok();
    let nameless = house.add_passkey(&session, &mut Device::new(), " \u{7} ").await;
    assert_eq!(nameless.status, StatusCode::BAD_REQUEST);

    let left =
        house.call("DELETE", &format!("/api/v1/factors/passkeys/{id}"), Some(&session), None).await.ok();
    assert_eq!(left["factors"]["passkeys"].as_array().unwrap().len(), 1);
    refused(&house.sign_in_with(&mut laptop).await);
    house.sign_in_with(&mut key).await.ok();
    let gone = house.call("DELETE", &format!("/api/v1/factors/passkeys/{id}"), Some(&session), None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_authenticator_app_is_set_up_proved_and_given_up() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let session = house.session_of(&mut device).await;
    let begin = "/api/v1/factors/authenticator/begin";
    let offered = house.call("POST", begin, Some(&session), None).await.ok();
    let secret = offered["secret"].as_str().unwrap().to_owned();

    let wrong = house.post("/api/v1/factors/authenticator", &session, json!({ "totp": "000000" })).await;
    assert_eq!(wrong.code(), "refused");
    let right = json!({ "totp": house.totp(&secret) });
    let added = house.post("/api/v1/factors/authenticator", &session, right.clone()).await.ok();
    assert_eq!(added["factors"]["authenticator"], true);
    let again = house.post("/api/v1/factors/authenticator", &session, right).await;
    assert_eq!(again.code(), "conflict", "an offer counts once");
    let by_code = house.sign_in("dana", &secret).await;

    let removed = house.call("DELETE", "/api/v1/factors/authenticator", Some(&by_code), None).await.ok();
    assert_eq!(removed["factors"]["authenticator"], false);
    assert_eq!(house.sign_in_answer("dana", &Session::with_totp(&secret)).await.status, 401);
}

#[tokio::test]
async fn what_one_signs_in_with_changes_with_a_fresh_sign_in_only() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let session = house.session_of(&mut device).await;
    house.pass_seconds(601);
    let stale = house.call("POST", "/api/v1/factors/recovery-codes", Some(&session), None).await;
    assert_eq!(stale.code(), "refused");
    assert!(stale.text.contains("ten minutes"), "{}", stale.text);

    // Proving again who one is takes the place of the session: the former secret is worth nothing.
    let begun = house.call("POST", "/api/v1/login/again/begin", Some(&session), None).await.ok();
    let credential = device.get(&begun["options"]).await;
    let again = json!({ "credential": credential });
    let fresh = house.post("/api/v1/login/again", &session, again.clone()).await.ok();
    assert_eq!(house.get("/api/v1/whoami", &session).await.status, 401);
    let fresh = Session::with_secret(fresh["session_secret"].as_str().unwrap());
    house.call("POST", "/api/v1/factors/recovery-codes", Some(&fresh), None).await.ok();
    house.pass_seconds(2);
    refused(&house.post("/api/v1/login/again", &fresh, again).await);
}

#[tokio::test]
async fn nobody_proves_again_with_the_passkey_of_somebody_else() {
    let house = House::new().await;
    let mut danas = Device::new();
    house.first_with_passkey(&mut danas).await;
    let dana = house.session_of(&mut danas).await;
    let femi = house.invited(&dana, "femi").await;
    let mut femis = Device::new();
    house.add_passkey(&femi, &mut femis, "key").await.ok();
    house.pass_seconds(2);
    let begun = house.call("POST", "/api/v1/login/again/begin", Some(&dana), None).await.ok();
    let mut options = begun["options"].clone();
    options["publicKey"].as_object_mut().unwrap().remove("allowCredentials");
    let credential = femis.get(&options).await;
    refused(&house.post("/api/v1/login/again", &dana, json!({ "credential": credential })).await);
}

#[tokio::test]
async fn a_recovery_code_is_used_up_and_its_use_is_there_to_see() {
    let house = House::new().await;
    let mut device = Device::new();
    let enrolled = house.first_with_passkey(&mut device).await;
    let code = enrolled["recovery_codes"][0].as_str().unwrap();
    assert_eq!(code.len(), 27, "24 characters of five bits, in four groups");
    house.pass_seconds(2);
    let login = json!({ "name": "dana", "password": PASSWORD, "recovery_code": code });
    let signed_in = house.stranger("/api/v1/login", Some(login.clone())).await.ok();
    assert_eq!(signed_in["recovery_codes_left"], 9);
    house.pass_seconds(2);
    assert_eq!(house.stranger("/api/v1/login", Some(login)).await.status, 401);

    let session = Session::with_secret(signed_in["session_secret"].as_str().unwrap());
    let attempts = house.get("/api/v1/factors/sign-ins", &session).await.ok();
    assert_eq!(attempts["items"][1]["outcome"], "recovery-code");
    assert_eq!(attempts["items"][1]["source"], "127.0.0.0/24");

    let made = house.call("POST", "/api/v1/factors/recovery-codes", Some(&session), None).await.ok();
    assert_eq!(made["recovery_codes"].as_array().unwrap().len(), 10);
    let old = enrolled["recovery_codes"][1].as_str().unwrap();
    house.pass_seconds(5);
    let login = json!({ "name": "dana", "password": PASSWORD, "recovery_code": old });
    assert_eq!(house.stranger("/api/v1/login", Some(login)).await.status, 401, "the earlier ones are void");
    house.pass_seconds(30);
    let new = made["recovery_codes"][0].as_str().unwrap();
    let login = json!({ "name": "dana", "password": PASSWORD, "recovery_code": new });
    house.stranger("/api/v1/login", Some(login)).await.ok();
}

#[tokio::test]
async fn every_session_but_the_present_one_ends_at_once() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let present = house.session_of(&mut device).await;
    let others = [house.session_of(&mut device).await, house.session_of(&mut device).await];
    let ended = house.call("POST", "/api/v1/sessions/end-others", Some(&present), None).await.ok();
    assert_eq!(ended["sessions"], 2);
    for other in &others {
        assert_eq!(house.get("/api/v1/whoami", other).await.status, 401);
    }
    let list = house.get("/api/v1/sessions", &present).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["source"], "127.0.0.0/24");
    assert_eq!(
        house.call("POST", "/api/v1/sessions/end-others", Some(&present), None).await.ok()["sessions"],
        0
    );
}

#[tokio::test]
async fn whoever_governs_sees_what_others_sign_in_with_and_nobody_else_does() {
    let house = House::new().await;
    let mut device = Device::new();
    house.first_with_passkey(&mut device).await;
    let dana = house.session_of(&mut device).await;
    let femi = house.invited(&dana, "femi").await;
    let seen = house.get("/api/v1/people/femi/factors", &dana).await.ok();
    assert_eq!((&seen["authenticator"], &seen["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert_eq!(house.get("/api/v1/people/dana/factors", &femi).await.code(), "denied");
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn decoded(text: &Value) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}
