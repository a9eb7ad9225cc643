//! Traces over OTLP: HTTP with protobuf, through the HTTP client the binary has anyway.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::client::{TrustError, client_config};
use crate::config::Telemetry;

/// How long a collector may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// A collector has little to say.
const MAX_ANSWER: usize = 64 << 10;

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the exporter cannot be built")]
    Build(#[from] ExporterBuildError),
}

/// The provider for the configured endpoint; none without one.
pub(super) fn provider(telemetry: &Telemetry) -> Result<Option<SdkTracerProvider>, OtlpError> {
    let Some(endpoint) = &telemetry.otlp_endpoint else { return Ok(None) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Exporter::new()?)
        .with_endpoint(endpoint.to_string())
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("modelward")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let share = f64::from(telemetry.otlp_sample_per_mille) / 1000.0;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}

/// Sends on the runtime of the process: the thread that asks has none of its own.
struct Exporter {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Exporter {
    fn new() -> Result<Self, TrustError> {
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(client_config(None)?)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { http: Client::builder(TokioExecutor::new()).build(https), runtime: Handle::current() })
    }
}

#[async_trait::async_trait]
impl HttpClient for Exporter {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let exchange = async move {
            let (head, body) = http.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        self.runtime.spawn(async move { tokio::time::timeout(EXPORT_TIMEOUT, exchange).await }).await??
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}
