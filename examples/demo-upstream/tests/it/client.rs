//! A server on a free port, and the HTTP to talk to it.

use demo_upstream::{Credential, Options, Server};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) const CREDENTIAL: &str = "upstream-credential-for-tests";

pub(crate) struct Client {
    base: String,
    credential: Option<String>,
    http: HyperClient<HttpConnector, Full<Bytes>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The `data:` of every event, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        assert!(self.content_type.starts_with("text/event-stream"), "{}", self.content_type);
        self.text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The events that are JSON.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        self.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
    }
}

/// A freshly trained server in this process.
pub(crate) async fn started() -> Client {
    let options = Options { pace_ms: 0, ..Options::new(Credential::new(CREDENTIAL), 1_700_000_000) };
    let server = Server::bind(options).await.unwrap();
    let client = Client::new(server.report().url);
    tokio::spawn(server.serve(std::future::pending()));
    client
}

impl Client {
    pub(crate) fn new(base: String) -> Self {
        Self {
            base,
            credential: Some(CREDENTIAL.to_owned()),
            http: HyperClient::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(crate) fn presenting(mut self, credential: Option<&str>) -> Self {
        self.credential = credential.map(str::to_owned);
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(credential) = &self.credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let request =
            request.header("content-type", "application/json").body(Full::new(Bytes::from(body))).unwrap();
        let response = self.http.request(request).await.unwrap();
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            content_type: content_type.unwrap_or_default(),
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
