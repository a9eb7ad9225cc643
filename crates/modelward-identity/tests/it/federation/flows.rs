//! Sign-ins on their way through an issuer.

use modelward_identity::federation::{
    Callback, CallbackRefusal, Flow, FlowStart, Metadata, Purpose, TrustedIssuer,
};

use super::provider::{CLIENT, issuer};
use crate::support::{SeededIds, later, noon};

const REDIRECT: &str = "https://modelward.example/sign-in/back";

fn begin(issuer: &TrustedIssuer, seed: u64) -> FlowStart {
    Flow::begin(issuer, CLIENT, REDIRECT, Purpose::SignIn, "/".to_owned(), &SeededIds::new(seed), noon())
}

fn parameter<'a>(start: &'a FlowStart, name: &str) -> &'a str {
    start.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).expect(name)
}

fn metadata() -> Metadata {
    Metadata {
        jwks: "https://id.example.org/jwks".parse().unwrap(),
        authorization: None,
        token: None,
        device_authorization: None,
        end_session: None,
        pushed_authorization: None,
        answers_name_issuer: true,
    }
}

fn other() -> TrustedIssuer {
    let mut other = issuer();
    other.name = "other".parse().unwrap();
    other.url = "https://other.example.org".parse().unwrap();
    other
}

#[test]
fn every_sign_in_has_its_own_state_nonce_and_verifier_and_sends_only_the_challenge() {
    let (one, two) = (begin(&issuer(), 1), begin(&issuer(), 2));
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&one, name), parameter(&two, name), "{name}");
        assert_eq!(parameter(&one, name).len(), 43, "{name}");
    }
    assert_eq!(parameter(&one, "code_challenge_method"), "S256");
    assert_eq!(parameter(&one, "response_type"), "code");
    assert!(one.parameters.iter().all(|(_, value)| value != one.flow.expose_verifier()));
    let shown = format!("{:?}", one.flow);
    assert!(!shown.contains(one.flow.expose_verifier()) && !shown.contains(one.flow.nonce()));
}

#[test]
fn row_16_an_answer_that_began_in_another_browser_is_refused() {
    let (mine, attackers) = (begin(&issuer(), 1), begin(&issuer(), 2));
    let (url, metadata) = (issuer().url, metadata());
    let answer = Callback {
        state: Some(parameter(&attackers, "state")),
        code: Some("code-of-the-attacker"),
        iss: Some(url.as_str()),
        error: None,
    };
    assert_eq!(mine.flow.code(&answer, &issuer(), &metadata, noon()), Err(CallbackRefusal::State));
    let none = Callback { state: None, ..answer.clone() };
    assert_eq!(mine.flow.code(&none, &issuer(), &metadata, noon()), Err(CallbackRefusal::State));
    let right = Callback { state: Some(parameter(&mine, "state")), ..answer };
    assert_eq!(mine.flow.code(&right, &issuer(), &metadata, noon()), Ok("code-of-the-attacker"));
}

#[test]
fn row_7_an_answer_of_another_issuer_is_refused() {
    let (start, url, stranger) = (begin(&issuer(), 1), issuer().url, other().url);
    let state = Some(parameter(&start, "state"));
    let answer = |iss| Callback { state, code: Some("c"), iss, error: None };
    let named = metadata();
    assert_eq!(
        start.flow.code(&answer(Some(stranger.as_str())), &issuer(), &named, noon()),
        Err(CallbackRefusal::Issuer)
    );
    assert_eq!(start.flow.code(&answer(None), &issuer(), &named, noon()), Err(CallbackRefusal::Issuer));
    let silent = Metadata { answers_name_issuer: false, ..metadata() };
    assert_eq!(start.flow.code(&answer(None), &issuer(), &silent, noon()), Ok("c"));
    assert_eq!(
        start.flow.code(&answer(Some(url.as_str())), &other(), &named, noon()),
        Err(CallbackRefusal::State)
    );
}

#[test]
fn a_sign_in_ends_after_ten_minutes_or_with_a_no() {
    let (start, url) = (begin(&issuer(), 1), issuer().url);
    let answer = |code, error| Callback {
        state: Some(parameter(&start, "state")),
        code,
        iss: Some(url.as_str()),
        error,
    };
    let metadata = metadata();
    let at = |callback: &Callback<'_>, seconds| {
        start.flow.code(callback, &issuer(), &metadata, later(seconds)).map(str::to_owned)
    };
    assert_eq!(at(&answer(Some("c"), None), 599).unwrap(), "c");
    assert_eq!(at(&answer(Some("c"), None), 600), Err(CallbackRefusal::Expired));
    assert_eq!(at(&answer(Some(""), None), 0), Err(CallbackRefusal::NoCode));
    assert_eq!(at(&answer(None, None), 0), Err(CallbackRefusal::NoCode));
    assert_eq!(
        at(&answer(Some("c"), Some("access_denied<script>")), 0),
        Err(CallbackRefusal::Refused("access_deniedscript".to_owned()))
    );
}

#[test]
fn a_sealed_flow_comes_back_as_it_was() {
    let flow = begin(&issuer(), 1).flow;
    let text = serde_json::to_string(&flow).unwrap();
    assert_eq!(serde_json::from_str::<Flow>(&text).unwrap(), flow);
    assert!(serde_json::from_str::<Flow>("{}").is_err());
}
