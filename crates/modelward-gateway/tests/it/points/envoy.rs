//! A client made of the types Envoy publishes, over gRPC.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, SocketAddress, address};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request as Asked};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use modelward_decision::vocabulary::Privilege;
use modelward_gateway::pdp::Point;
use tonic::transport::Channel;

use super::{Desk, SECRET, STRIPPING_SECRET};
use crate::rig::named;

async fn client(desk: &Desk) -> AuthorizationClient<Channel> {
    let address = format!("http://{}", desk.rig.points[&Point::ExtAuthz]);
    AuthorizationClient::connect(address).await.unwrap()
}

fn http(method: &str, path: &str, token: &str) -> HttpRequest {
    let headers = [
        (":method", method),
        (":path", path),
        (":authority", "models.test"),
        ("authorization", &format!("Bearer {token}")),
        ("content-type", "application/json"),
        ("x-request-id", "7"),
    ];
    HttpRequest {
        id: "1".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        host: "models.test".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        size: 70,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..HttpRequest::default()
    }
}

fn check(http: Option<HttpRequest>, from: &str) -> CheckRequest {
    let socket = SocketAddress { address: from.to_owned(), ..SocketAddress::default() };
    let address = Address { address: Some(address::Address::SocketAddress(socket)) };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer { address: Some(address), ..Peer::default() }),
            request: Some(Asked { http, ..Asked::default() }),
            context_extensions: HashMap::from([("a".to_owned(), "b".to_owned())]),
            ..AttributeContext::default()
        }),
    }
}

async fn ask(desk: &Desk, secret: &str, request: CheckRequest) -> CheckResponse {
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("x-modelward-proxy-secret", secret.parse().unwrap());
    client(desk).await.check(request).await.unwrap().into_inner()
}

/// The status of the verdict; 200 for one that lets through.
fn status(response: &CheckResponse) -> i32 {
    let code = response.status.as_ref().unwrap().code;
    match response.http_response.as_ref().unwrap() {
        HttpResponse::OkResponse(_) => {
            assert_eq!(code, 0);
            200
        }
        HttpResponse::DeniedResponse(denied) => {
            assert_ne!(code, 0);
            assert!(denied.body.starts_with(r#"{"error":"#), "{}", denied.body);
            denied.status.as_ref().unwrap().code
        }
        // An error, where there must be a verdict.
        HttpResponse::ErrorResponse(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_is_told_what_may_pass() {
    let desk = Desk::open().await;
    let people = &desk.rig.people;
    let (ines, rita, noel) = (people.ines, people.rita, people.noel);
    for (secret, who, method, path, wanted) in [
        (SECRET, rita, "GET", "/v2/models/fraud/ready", 200),
        (SECRET, noel, "GET", "/v2/models/fraud/ready", 404),
        (SECRET, ines, "POST", "/v2/models/fraud/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/fraud/versions/1/infer", 200),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/fraud/infer?x=1", 400),
        (STRIPPING_SECRET, ines, "POST", "/llm/v1/chat/completions", 403),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/../models/fraud/infer", 400),
        ("nobody's secret", rita, "GET", "/v2/models/fraud/ready", 403),
    ] {
        let token = desk.rig.token(who);
        let response = ask(&desk, secret, check(Some(http(method, path, &token)), "192.0.2.7")).await;
        assert_eq!(status(&response), wanted, "{who} {method} {path}: {response:?}");
    }
    let response = ask(&desk, SECRET, check(Some(http("GET", "/v2/models/fraud/ready", "x")), "a")).await;
    assert_eq!(status(&response), 401);
    for nothing in [CheckRequest::default(), check(None, "192.0.2.7")] {
        assert_eq!(status(&ask(&desk, SECRET, nothing).await), 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credential_ends_at_the_proxy_and_our_headers_are_ours() {
    let desk = Desk::open().await;
    let token = desk.rig.token(desk.rig.people.rita);
    let mut request = http("GET", "/v2/models/fraud/ready", &token);
    // Envoy can keep headers apart instead.
    let listed =
        request.headers.drain().map(|(key, value)| HeaderValue { key, value, ..HeaderValue::default() });
    request.header_map = Some(HeaderMap { headers: listed.collect() });
    let response = ask(&desk, SECRET, check(Some(request), "192.0.2.7")).await;
    assert_eq!(status(&response), 200);
    let Some(HttpResponse::OkResponse(passed)) = response.http_response else { return };
    let removed = ["authorization", "dpop", "api-key", "x-api-key", "x-modelward-purpose"];
    assert_eq!(passed.headers_to_remove, removed);
    let headers: HashMap<String, String> = passed
        .headers
        .into_iter()
        .map(|option| {
            assert_eq!(option.append_action, 2, "overwrites what a client sent");
            option.header.map(|header| (header.key, header.value)).unwrap()
        })
        .collect();
    assert_eq!(headers["x-modelward-model"], "fraud");
    assert_eq!(headers["x-modelward-version"], "1");
    let entries = desk.rig.system.entries_about(&headers["x-modelward-decision"], 2).await.unwrap();
    assert_eq!(entries[0].action.as_deref(), Some("readServing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_request_comes_from_counts_from_proxies_that_may_say() {
    for (is_trusted, wanted) in [(false, 403), (true, 200)] {
        let desk = Desk::with(
            true,
            move |callers| callers[2].asserts_network = is_trusted,
            |world, people| {
                let lab = |grant: &mut modelward_decision::Grant| {
                    grant.conditions.segments = Some([named("lab")].into());
                };
                world.grant(Privilege::ReadOnly, people.noel, people.fraud.scope()).with(lab).give();
            },
        )
        .await;
        let token = desk.rig.token(desk.rig.people.noel);
        let request = |from| check(Some(http("GET", "/v2/models/fraud/ready", &token)), from);
        assert_eq!(status(&ask(&desk, SECRET, request("10.9.8.7")).await), wanted);
        assert_eq!(status(&ask(&desk, SECRET, request("192.0.2.7")).await), 403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_nothing_passes() {
    let desk = Desk::open().await;
    let token = desk.rig.token(desk.rig.people.rita);
    let request = check(Some(http("GET", "/v2/models/fraud/ready", &token)), "192.0.2.7");
    let response = client(&desk).await.check(request).await.unwrap().into_inner();
    assert_eq!(status(&response), 403, "a verdict, so that no Envoy takes it for an error");
}
