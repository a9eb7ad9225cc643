//! Refresh handles and revocation at the token endpoint (RFC 6749 section 6, RFC 9700 section 4.14, RFC 7009).

use jiff::Timestamp;
use modelward_identity::token::{ProofKey, TokenRefusal};
use serde_json::{Value, json};

use crate::house::{Answer, House, ORIGIN, Session};
use crate::tokens::{ACCESS, SESSION, error, furnished, key, post, proof, token};

const HANDLE: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// A handle for these privileges, bound to the key.
async fn begin(house: &House, by: &Session, scope: &str, key: &ProofKey) -> Answer {
    let asked = [
        ("subject_token", by.secret.as_str()),
        ("subject_token_type", SESSION),
        ("requested_token_type", HANDLE),
        ("scope", scope),
    ];
    token(house, &asked, Some(&proof(house, key, "/api/v1/token", None))).await
}

async fn refresh(house: &House, handle: &str, key: &ProofKey, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", handle)];
    form.extend(more);
    post(house, "/api/v1/token", &form, Some(&proof(house, key, "/api/v1/token", None)), None).await
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap().to_owned()
}

async fn handle(house: &House, by: &Session) -> String {
    text(&begin(house, by, "read-only inference", &key(9)).await.ok(), "access_token")
}

fn is_good(house: &House, token: &str) -> Result<(), TokenRefusal> {
    let inspected = house.verifier.inspect(token.as_bytes(), &house.plane.snapshot(), house.now());
    inspected.map(drop)
}

/// The kinds of change that stand in the ledger from an entry on.
async fn changes_since(house: &House, by: &Session, first: u64) -> Vec<String> {
    let mut found = Vec::new();
    for index in first..house.ledger_size() {
        let entry = house.get(&format!("/api/v1/ledger/entries/{index}"), by).await.ok();
        found.push(entry.to_string());
    }
    found
}

#[tokio::test]
async fn a_handle_is_given_to_who_proves_a_key_and_gets_token_after_token() {
    let (house, _, femi) = furnished().await;
    let begun = begin(&house, &femi, "read-only inference deploy", &key(9)).await;
    assert_eq!(error(&begun), "use_dpop_nonce", "a handle for what weighs most is asked for with a nonce");
    let begun = begin(&house, &femi, "read-only inference", &key(9)).await.ok();
    assert_eq!((&begun["issued_token_type"], &begun["token_type"]), (&json!(HANDLE), &json!("N_A")));
    assert!((28_799..=28_800).contains(&begun["expires_in"].as_u64().unwrap()), "{begun}");
    let mut held = text(&begun, "access_token");
    for round in 0..5 {
        let answer = refresh(&house, &held, &key(9), &[("scope", "inference")]).await.ok();
        assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("DPoP"), &json!("inference")));
        assert_eq!(is_good(&house, &text(&answer, "access_token")), Ok(()), "{round}");
        held = text(&answer, "refresh_token");
        // Longer than a session may idle.
        house.pass_seconds(3000);
    }
    assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 401, "the session idled");
    house.pass_seconds(8 * 3600 - 5 * 3000 - 60);
    held = text(&refresh(&house, &held, &key(9), &[]).await.ok(), "refresh_token");
    house.pass_seconds(61);
    assert_eq!(error(&refresh(&house, &held, &key(9), &[]).await), "invalid_grant", "eight hours are over");
}

#[tokio::test]
async fn a_handle_is_asked_for_and_used_in_one_way() {
    let (house, dana, femi) = furnished().await;
    let asked = [
        ("subject_token", femi.secret.as_str()),
        ("subject_token_type", SESSION),
        ("requested_token_type", HANDLE),
        ("scope", "inference"),
    ];
    let unproved = token(&house, &asked, None).await;
    assert_eq!(error(&unproved), "invalid_request");
    assert!(unproved.text.contains("bound to its holder"), "{}", unproved.text);
    let made = || proof(&house, &key(9), "/api/v1/token", None);
    let acting =
        [&asked[..], &[("actor_token", dana.secret.as_str()), ("actor_token_type", SESSION)]].concat();
    assert_eq!(error(&token(&house, &acting, Some(&made())).await), "invalid_request");
    let bound = token(&house, &[asked[0], asked[1], asked[3]], Some(&made())).await.ok();
    let of_token = [
        ("subject_token", bound["access_token"].as_str().unwrap()),
        ("subject_token_type", ACCESS),
        asked[2],
        asked[3],
    ];
    assert_eq!(error(&token(&house, &of_token, Some(&made())).await), "invalid_request", "no way to last");

    let held = handle(&house, &femi).await;
    for more in [
        ("subject_token", femi.secret.as_str()),
        ("requested_token_type", ACCESS),
        ("audience", ORIGIN),
        ("scope", "root"),
    ] {
        let refused = refresh(&house, &held, &key(9), &[more]).await;
        assert!(error(&refused).starts_with("invalid_"), "{more:?}: {}", refused.text);
    }
    let wider = refresh(&house, &held, &key(9), &[("scope", "audit")]).await;
    assert_eq!(error(&wider), "access_denied", "not what it was asked for");
    let missing = post(&house, "/api/v1/token", &[("grant_type", "refresh_token")], None, None).await;
    assert_eq!(error(&missing), "invalid_request");
    let made_up = format!("mwr_{}", "A".repeat(43));
    for unknown in ["mwr_guess", &made_up, femi.secret.as_str()] {
        assert_eq!(error(&refresh(&house, unknown, &key(9), &[]).await), "invalid_grant");
    }
    assert_eq!(error(&refresh(&house, &held, &key(66), &[]).await), "invalid_grant", "another key");
    let bare = [("grant_type", "refresh_token"), ("refresh_token", held.as_str())];
    assert_eq!(error(&post(&house, "/api/v1/token", &bare, None, None).await), "invalid_grant", "no key");
    assert!(refresh(&house, &held, &key(9), &[]).await.status.is_success(), "none of that used it up");
}

#[tokio::test]
async fn threat_22_of_two_who_refresh_at_once_both_go_on() {
    let (house, _, femi) = furnished().await;
    let held = handle(&house, &femi).await;
    let key = key(9);
    let (one, other) = tokio::join!(refresh(&house, &held, &key, &[]), refresh(&house, &held, &key, &[]));
    let (one, other) = (one.ok(), other.ok());
    assert_eq!(one["refresh_token"], other["refresh_token"], "there is one next handle");
    assert_eq!(is_good(&house, &text(&one, "access_token")), Ok(()));
    assert_eq!(is_good(&house, &text(&other, "access_token")), Ok(()));
    house.pass_seconds(60);
    let next = text(&one, "refresh_token");
    assert!(refresh(&house, &next, &key, &[]).await.status.is_success());
}

#[tokio::test]
async fn threat_22_an_answer_lost_in_a_crash_is_given_again() {
    let (house, _, femi) = furnished().await;
    // The house starts again at eleven.
    let shortly_before: Timestamp = "2026-11-20T10:50:00Z".parse().unwrap();
    house.pass_seconds(shortly_before.duration_since(house.now()).as_secs());
    let femi = house.again("femi", &femi).await;
    let held = handle(&house, &femi).await;
    let crash: Timestamp = "2026-11-20T10:59:55Z".parse().unwrap();
    house.pass_seconds(crash.duration_since(house.now()).as_secs());
    let lost = refresh(&house, &held, &key(9), &[]).await.ok();
    let house = house.restarted().await;
    let again = refresh(&house, &held, &key(9), &[]).await.ok();
    assert_eq!(again["refresh_token"], lost["refresh_token"]);
    assert_eq!(is_good(&house, &text(&again, "access_token")), Ok(()));
    let next = text(&again, "refresh_token");
    assert!(refresh(&house, &next, &key(9), &[]).await.status.is_success(), "and it works");
    // Nothing of that can be read from the disk.
    let stored = std::fs::read(house.database()).unwrap();
    for secret in [&held, &next] {
        assert!(!stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
}

#[tokio::test]
async fn threat_22_a_handle_that_comes_back_ends_all_that_followed_and_is_on_record() {
    for thief in [9, 66] {
        let (house, dana, femi) = furnished().await;
        let stolen = handle(&house, &femi).await;
        let first = refresh(&house, &stolen, &key(9), &[("scope", "inference")]).await.ok();
        house.pass_seconds(11);
        let before = house.ledger_size();
        assert_eq!(error(&refresh(&house, &stolen, &key(thief), &[]).await), "invalid_grant");

        let next = text(&first, "refresh_token");
        assert_eq!(error(&refresh(&house, &next, &key(9), &[]).await), "invalid_grant");
        assert_eq!(is_good(&house, &text(&first, "access_token")), Err(TokenRefusal::Revoked));
        assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 401, "the sign-in ended too");
        let told = changes_since(&house, &dana, before).await;
        assert!(told.iter().any(|entry| entry.contains("refresh-reused")), "{told:?}");
        let again = house.ledger_size();
        assert_eq!(error(&refresh(&house, &stolen, &key(9), &[]).await), "invalid_grant");
        let told = changes_since(&house, &dana, again).await;
        assert!(!told.iter().any(|entry| entry.contains("refresh-reused")), "once is enough: {told:?}");
    }
}

#[tokio::test]
async fn a_handle_ends_with_the_sign_in_behind_it() {
    let (house, dana, femi) = furnished().await;
    let held = handle(&house, &femi).await;
    house.call("POST", "/api/v1/logout", Some(&femi), None).await.ok();
    assert_eq!(error(&refresh(&house, &held, &key(9), &[]).await), "invalid_grant");

    let again = house.again("femi", &femi).await;
    let held = handle(&house, &again).await;
    house.call("POST", "/api/v1/people/femi/end-sessions", Some(&dana), None).await.ok();
    assert_eq!(error(&refresh(&house, &held, &key(9), &[]).await), "invalid_grant");

    let again = house.again("femi", &femi).await;
    let held = handle(&house, &again).await;
    house.post("/api/v1/people/femi", &dana, json!({ "active": false })).await.ok();
    assert_eq!(error(&refresh(&house, &held, &key(9), &[]).await), "invalid_grant");
}

#[tokio::test]
async fn a_refresh_gives_what_is_held_at_that_moment() {
    let (house, dana, femi) = furnished().await;
    let held = handle(&house, &femi).await;
    let granted = house.get("/api/v1/grants", &femi).await.ok();
    let id = granted["items"].as_array().unwrap().iter().find(|grant| grant["privilege"] == "inference");
    let id = id.unwrap()["id"].as_str().unwrap();
    house.post(&format!("/api/v1/grants/{id}/revoke"), &dana, json!({ "reason": "a test" })).await.ok();
    let refused = refresh(&house, &held, &key(9), &[("scope", "inference")]).await;
    assert_eq!(error(&refused), "access_denied");
    let answer = refresh(&house, &held, &key(9), &[("scope", "read-only")]).await.ok();
    assert_eq!(answer["scope"], "read-only", "a refusal used nothing up");
}

#[tokio::test]
async fn whoever_has_a_token_may_end_it() {
    let (house, dana, femi) = furnished().await;
    let revoke = async |token: &str| post(&house, "/api/v1/revoke", &[("token", token)], None, None).await;
    let held = handle(&house, &femi).await;
    let first = refresh(&house, &held, &key(9), &[("scope", "inference")]).await.ok();
    let other = refresh(&house, &text(&first, "refresh_token"), &key(9), &[]).await.ok();
    let (token, second) = (text(&first, "access_token"), text(&other, "access_token"));
    let before = house.ledger_size();
    assert_eq!(revoke(&token).await.ok(), json!({}));
    assert_eq!(is_good(&house, &token), Err(TokenRefusal::Revoked));
    assert_eq!(is_good(&house, &second), Ok(()), "this one alone");
    assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 200);

    // Any handle of the family stands for all of it.
    assert_eq!(revoke(&held).await.ok(), json!({}));
    let next = text(&other, "refresh_token");
    assert_eq!(error(&refresh(&house, &next, &key(9), &[]).await), "invalid_grant");
    assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 200, "the person stays signed in");
    let told = changes_since(&house, &dana, before).await;
    for what in ["revoke-token", "revoke-refresh"] {
        assert!(told.iter().any(|entry| entry.contains(what)), "{what}: {told:?}");
    }
    let quiet = house.ledger_size();
    for nothing in [token.as_str(), held.as_str(), "x.y.z", "mwr_guess", femi.secret.as_str()] {
        assert_eq!(revoke(nothing).await.ok(), json!({}), "the answer tells nothing");
    }
    assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 200, "a session is no token");
    assert!(changes_since(&house, &dana, quiet).await.iter().all(|entry| !entry.contains("revoke-")));
    let missing = post(&house, "/api/v1/revoke", &[("token_type_hint", "access_token")], None, None).await;
    assert_eq!((missing.status.as_u16(), error(&missing).as_str()), (400, "invalid_request"));
}
