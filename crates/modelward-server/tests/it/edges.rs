//! What the edge lets through, route by route.

use axum::body::Body;
use expect_test::expect_file;
use http::Request;
use modelward_decision::vocabulary::Privilege;
use modelward_server::routes::{Method, Needs, ROUTES, Route};
use serde_json::{Value, json};

use crate::house::{House, ORIGIN};

/// An address and a body that a route takes.
fn sample(route: &Route) -> (String, Option<Value>) {
    let until = "2026-11-21T10:00:00Z";
    let path = route
        .path
        .replace("{session}", "se_00000000000000000000000001")
        .replace("{grant}", "gr_00000000000000000000000001")
        .replace("{decision}", "de_00000000000000000000000001")
        .replace("{model}", "fraud")
        .replace("{version}", "3")
        .replace("{endpoint}", "scoring")
        .replace("{dataset}", "claims")
        .replace("{person}", "femi")
        .replace("{purpose}", "access-token")
        .replace("{key}", "k1")
        .replace("{issuer}", "corporate")
        .replace("{client}", "okta")
        .replace("{index}", "0")
        .replace("{bundle}", "sha256:0")
        .replace("{*path}", "entries/000.p/1");
    let path = match route.path {
        "/api/v1/grants" | "/api/v1/decisions" | "/api/v1/decisions/stream"
            if route.method == Method::Get =>
        {
            format!("{path}?whose=all")
        }
        _ => path,
    };
    let body = match route.takes {
        "EnrolRequest" => Some(json!({ "code": "x" })),
        "EnrolConfirmRequest" => Some(json!({ "code": "x", "password": "x", "totp": "1" })),
        "LoginRequest" => Some(json!({ "name": "x", "password": "x", "totp": "1" })),
        "GrantRequest" => {
            Some(json!({ "grantee": "femi", "privilege": "inference", "scope": "fraud", "not_after": until }))
        }
        "RevokeRequest" | "PersonChange" | "RotateKeyRequest" | "ReplayRequest" => Some(json!({})),
        "ApplyRequest" => Some(json!({ "declaration": {} })),
        "ApplyGroupsRequest" => Some(json!({ "groups": [] })),
        "ApplyMachinesRequest" => Some(json!({ "machines": [] })),
        "LiftRequest" => Some(json!({ "about": "dana", "signal": "risk-high" })),
        "InviteGatewayRequest" => Some(json!({ "name": "edge" })),
        "ScimClientRequest" => Some(json!({ "name": "okta", "issuer": "corporate" })),
        "ScimSecretRequest" => Some(json!({})),
        "InviteRequest" => Some(json!({ "name": "kofi" })),
        "IdentityRequest" => Some(json!({ "issuer": "corporate", "subject": "x" })),
        "CanRequest" => Some(json!({ "principal": "dana", "action": "predict", "resource": "fraud" })),
        "WhatCanRequest" => Some(json!({ "principal": "dana" })),
        "WhoCanRequest" => Some(json!({ "action": "predict", "resource": "fraud" })),
        "ProposeRequest" | "ReplayTextRequest" => Some(json!({ "file": "{}" })),
        "TrialRequest" | "ActivateRequest" | "StepRequest" => Some(json!({ "bundle": "sha256:0" })),
        "SignBundleRequest" => Some(json!({
            "author": "dana", "previous": "sha256:0", "reviewer": "ben", "role": "security", "signature": "AA==",
        })),
        _ => None,
    };
    (path, body)
}

#[tokio::test]
async fn every_endpoint_refuses_whoever_shows_no_credential() {
    let house = House::new().await;
    for route in ROUTES.iter().filter(|route| route.needs != Needs::Nothing) {
        let (path, body) = sample(route);
        let answer = house.call(route.method.as_str(), &path, None, body).await;
        // The token endpoint carries its credential in the form, and answers in the form of RFC 6749.
        let expected = if route.path == "/api/v1/token" { 400 } else { 401 };
        assert_eq!(answer.status, expected, "{} {path}: {}", route.method.as_str(), answer.text);
    }
}

#[tokio::test]
async fn every_endpoint_refuses_whoever_lacks_the_right_and_names_the_decision() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    for route in ROUTES {
        let needed = match route.needs {
            Needs::Nothing => continue,
            Needs::Action(action) => action,
            Needs::Own { others, .. } => others,
            Needs::Either(either, _) | Needs::OwnOrEither { either, .. } => either,
        };
        if needed.privilege() == Privilege::SelfService {
            continue;
        }
        let (path, body) = sample(route);
        let answer = house.call(route.method.as_str(), &path, Some(&femi), body).await;
        assert_eq!(answer.status, 403, "{} {path}: {}", route.method.as_str(), answer.text);
        assert_eq!(answer.code(), "denied", "{path}");
        let decision = answer.json()["error"]["decision"].as_str().map(str::to_owned);
        assert!(decision.is_some_and(|id| id.starts_with("de_")), "{path}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_before_anything_is_done() {
    let house = House::new().await;
    let dana = house.first().await;
    let post = |body: String, media_type: &'static str| {
        Request::post("/api/v1/can")
            .header("authorization", format!("Bearer {}", dana.secret))
            .header("content-type", media_type)
            .body(Body::from(body))
            .unwrap()
    };
    let twice = r#"{"action":"predict","action":"export","resource":"fraud"}"#.to_owned();
    assert_eq!(house.send(post(twice, "application/json")).await.code(), "malformed");
    let unknown = r#"{"action":"predict","resource":"fraud","colour":"red"}"#.to_owned();
    assert_eq!(house.send(post(unknown, "application/json")).await.code(), "malformed");
    let trailing = r#"{"action":"predict","resource":"fraud"} {}"#.to_owned();
    assert_eq!(house.send(post(trailing, "application/json")).await.code(), "malformed");
    assert_eq!(house.send(post("{}".to_owned(), "text/plain")).await.status, 415);
    assert_eq!(house.send(post(" ".repeat(70_000), "application/json")).await.status, 413);
    let both = Request::get("/api/v1/whoami")
        .header("authorization", format!("Bearer {}", dana.secret))
        .header("cookie", format!("mw_sid={}", dana.secret));
    assert_eq!(house.send(both.body(Body::empty()).unwrap()).await.code(), "malformed");
    assert_eq!(house.call("PUT", "/api/v1/whoami", Some(&dana), None).await.status, 405);
    assert_eq!(house.call("GET", "/api/v1/nowhere", Some(&dana), None).await.status, 404);
}

#[tokio::test]
async fn a_browser_session_is_used_from_our_pages_only() {
    let house = House::new().await;
    let dana = house.first().await;
    let csrf = {
        let page = Request::get("/sessions").header("cookie", format!("mw_sid={}", dana.secret));
        let html = house.send(page.body(Body::empty()).unwrap()).await.text;
        html.split(r#"name="csrf" value=""#).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let post = |headers: &[(&str, &str)], body: String| {
        let mut request = Request::post("/theme-of-others")
            .uri("/sign-out")
            .header("cookie", format!("mw_sid={}", dana.secret))
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body)).unwrap()
    };
    let right = format!("csrf={csrf}");
    let ours = ("origin", ORIGIN);
    for (headers, body, why) in [
        (vec![("origin", "https://elsewhere.example")], right.clone(), "another origin"),
        (vec![ours, ("sec-fetch-site", "cross-site")], right.clone(), "another site"),
        (vec![], right.clone(), "no word of where it comes from"),
        (vec![ours], String::new(), "no token"),
        (vec![ours], "csrf=AAAA".to_owned(), "a wrong token"),
    ] {
        let answer = house.send(post(&headers, body)).await;
        assert_eq!(answer.status, 403, "{why}");
        house.get("/api/v1/whoami", &dana).await.ok();
    }
    let answer = house.send(post(&[ours, ("sec-fetch-site", "same-origin")], right)).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(house.get("/api/v1/whoami", &dana).await.status, 401);
}

#[tokio::test]
async fn every_answer_carries_the_guards_of_a_browser() {
    let house = House::new().await;
    for path in ["/", "/sign-in", "/api/v1/whoami", "/api/v1/openapi.json", "/nowhere", "/healthz/live"] {
        let answer = house.call("GET", path, None, None).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}");
        for name in ["x-content-type-options", "x-frame-options", "referrer-policy"] {
            assert!(answer.headers.contains_key(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn the_console_shows_every_page_to_whoever_may_see_it_and_the_way_in_to_others() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    let page = async |session: &crate::house::Session, path: &str| {
        let request = Request::get(path).header("cookie", format!("mw_sid={}", session.secret));
        house.send(request.body(Body::empty()).unwrap()).await
    };
    let pages = [
        "/",
        "/can",
        "/can?q=femi+%C2%B7+predict+%C2%B7+fraud",
        "/models",
        "/matrix",
        "/decisions",
        "/grants",
        "/people",
        "/sessions",
        "/ledger",
        "/ledger/entries/0",
        "/gateways",
        "/signals",
        "/provisioning",
        "/matrix.csv",
        "/decisions.csv",
        "/grants.csv",
        "/models.csv",
    ];
    for path in pages {
        let answer = page(&dana, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let stranger = house.call("GET", path, None, None).await;
        assert_eq!(stranger.status, 303, "{path}");
        assert!(stranger.headers["location"].to_str().unwrap().starts_with("/sign-in?next="), "{path}");
    }
    for path in ["/matrix", "/people", "/ledger", "/models/fraud"] {
        let answer = page(&femi, path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("Denied.") && answer.text.contains("/decisions/de_"), "{path}");
    }
    for path in ["/", "/can", "/models", "/decisions", "/grants", "/sessions"] {
        assert_eq!(page(&femi, path).await.status, 200, "{path}");
    }
    let asked = page(&dana, "/can?q=can+femi+download+weights+of+fraud%2F3+in+production%3F").await;
    assert!(asked.text.contains("<b>No.</b>"), "{}", asked.text);
    assert_eq!(page(&dana, "/nowhere").await.status, 404);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in() {
    let house = House::new().await;
    for next in
        ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"]
    {
        let path = format!("/sign-in?next={next}");
        let Ok(request) = Request::get(&path).body(Body::empty()) else { continue };
        let html = house.send(request).await.text;
        assert!(html.contains(r#"name="next" value="/""#), "{next}");
    }
}

#[test]
fn the_api_document_is_reviewed_as_a_file() {
    let document = modelward_server::api::document();
    let mut text = serde_json::to_string_pretty(&document).unwrap();
    text.push('\n');
    expect_file!["../../../../docs/reference/openapi.json"].assert_eq(&text);
}

#[test]
fn every_shape_the_document_names_is_in_it() {
    let document = modelward_server::api::document();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(!document["components"]["schemas"][name].is_null(), "{name}");
    }
}
