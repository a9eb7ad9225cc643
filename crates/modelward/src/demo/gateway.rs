//! The gateway as a caller sees it: one address and one token in place of the model server's own.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use modelward_server::wire::Secret;
use serde_json::Value;

use crate::client::DPOP;
use crate::exit::{Exit, Failure, chain};

/// The largest answer the story reads.
const ANSWER_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Caller {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    gateway: String,
    token: Secret,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) decision: Option<String>,
    pub(super) body: Value,
}

impl Answer {
    /// The error text of either protocol.
    pub(super) fn message(&self) -> String {
        let error = self.body.get("error");
        let text =
            error.and_then(|error| error.as_str().or_else(|| error.get("message").and_then(Value::as_str)));
        text.unwrap_or("no error").to_owned()
    }
}

impl Caller {
    pub(super) fn new(gateway: &str, token: Secret) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { http, gateway: gateway.trim_end_matches('/').to_owned(), token }
    }

    pub(super) async fn read(&self, path: &str) -> Result<Answer, Failure> {
        self.answer(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.answer(Method::POST, path, body.to_string().into()).await
    }

    /// Opens a stream of server-sent events.
    pub(super) async fn stream(&self, path: &str, body: &Value) -> Result<Events, Failure> {
        let response = self.send(Method::POST, path, body.to_string().into()).await?;
        if !response.status().is_success() {
            return Err(Failure::new(Exit::Failure, format!("the gateway answered {}", response.status())));
        }
        Ok(Events { body: response.into_body(), text: String::new(), ready: VecDeque::new() })
    }

    /// Posts under this scheme, with this proof or none.
    pub(super) async fn post_as(
        &self,
        scheme: &str,
        proof: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let response = self.send_as(scheme, proof, Method::POST, path, body.to_string().into()).await?;
        Self::whole(response).await
    }

    /// The address a proof is for.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway)
    }

    async fn answer(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, Failure> {
        Self::whole(self.send(method, path, body).await?).await
    }

    async fn whole(response: Response<Incoming>) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let header = response.headers().get("x-modelward-decision");
        let decision = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| failed(error.as_ref()))?.to_bytes();
        Ok(Answer { status, decision, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, Failure> {
        self.send_as("Bearer", None, method, path, body).await
    }

    async fn send_as(
        &self,
        scheme: &str,
        proof: Option<&str>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let mut credential = HeaderValue::try_from(format!("{scheme} {}", self.token.expose()))
            .map_err(|error| Failure::of(Exit::Failure, &error))?;
        credential.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.gateway))
            .header(AUTHORIZATION, credential);
        if let Some(proof) = proof {
            request = request.header(DPOP, proof);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body)).map_err(|error| Failure::of(Exit::Failure, &error))?;
        self.http.request(request).await.map_err(|error| failed(&error))
    }
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Failure, format!("failed to reach the gateway: {}", chain(error)))
}

/// The data of the events of one stream, until it ends.
#[derive(Debug)]
pub(super) struct Events {
    body: Incoming,
    text: String,
    ready: VecDeque<String>,
}

impl Events {
    /// The next event's data; nothing when the stream has ended, however it ended.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            let Ok(data) = frame.into_data() else { continue };
            self.text.push_str(&String::from_utf8_lossy(&data));
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
                self.ready.push_back(data.collect::<Vec<_>>().join("\n"));
                self.text = rest.to_owned();
            }
        }
    }
}
