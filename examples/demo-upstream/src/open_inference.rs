//! The Open Inference Protocol v2 over REST, for the classifier.
//!
//! Paths, shapes and errors follow `specification/protocol/inference_rest.md` of kserve/open-inference-protocol; the
//! model list is KServe's, the repository routes are those that MLServer and Triton share. Tensor data is JSON: the
//! binary tensor extension is refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::classifier::Scored;
use crate::dataset::FEATURES;
use crate::server::{self, Service};

/// Name under which the classifier is served.
pub(crate) const MODEL: &str = "breast-cancer";

/// The most rows in one request.
const ROWS_MAX: usize = 1024;

const INPUT: &str = "measurements";

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2", get(server_metadata))
        .route("/v2/", get(server_metadata))
        .route("/v2/models", get(models))
        .route("/v2/models/{model}", get(model_metadata))
        .route("/v2/models/{model}/versions/{version}", get(version_metadata))
        .route("/v2/models/{model}/ready", get(model_ready))
        .route("/v2/models/{model}/versions/{version}/ready", get(version_ready))
        .route("/v2/models/{model}/infer", post(infer))
        .route("/v2/models/{model}/versions/{version}/infer", post(infer_version))
        .route("/v2/repository/index", post(index))
        .route("/v2/repository/models/{model}/load", post(load))
        .route("/v2/repository/models/{model}/unload", post(unload))
}

/// Probes carry no credential.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/v2/health/live" | "/v2/health/ready")
}

pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    server::json(status, &json!({ "error": message }))
}

/// A failed request, in the protocol's shape: `{"error": …}`.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn missing(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        refusal(self.status, &self.message)
    }
}

fn ok(body: &Value) -> Response {
    server::json(StatusCode::OK, body)
}

async fn live() -> Response {
    ok(&json!({ "live": true }))
}

/// The specification's prose says `live`, its OpenAPI file says `ready`: both are there.
async fn ready(State(service): State<Arc<Service>>) -> Response {
    let ready = service.loaded.load(Ordering::Relaxed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    server::json(status, &json!({ "live": true, "ready": ready }))
}

async fn server_metadata() -> Response {
    ok(&json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["model_repository"],
    }))
}

async fn models() -> Response {
    ok(&json!({ "models": [MODEL] }))
}

async fn model_metadata(
    State(service): State<Arc<Service>>,
    Path(model): Path<String>,
) -> Result<Response, Failure> {
    known(&service, &model, None)?;
    Ok(ok(&metadata(&service)))
}

async fn version_metadata(
    State(service): State<Arc<Service>>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    known(&service, &model, Some(&version))?;
    Ok(ok(&metadata(&service)))
}

fn metadata(service: &Service) -> Value {
    json!({
        "name": MODEL,
        "versions": service.classifier.versions().collect::<Vec<_>>(),
        "platform": "smartcore_logistic_regression",
        "inputs": [{ "name": INPUT, "datatype": "FP64", "shape": [-1, FEATURES] }],
        "outputs": Output::ALL
            .map(|output| json!({ "name": output.name(), "datatype": output.datatype(), "shape": [-1, 1] })),
    })
}

async fn model_ready(
    State(service): State<Arc<Service>>,
    Path(model): Path<String>,
) -> Result<Response, Failure> {
    known(&service, &model, None)?;
    Ok(readiness(&service))
}

async fn version_ready(
    State(service): State<Arc<Service>>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    known(&service, &model, Some(&version))?;
    Ok(readiness(&service))
}

fn readiness(service: &Service) -> Response {
    let ready = service.loaded.load(Ordering::Relaxed);
    let status = if ready { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    server::json(status, &json!({ "name": MODEL, "ready": ready }))
}

async fn index(State(service): State<Arc<Service>>) -> Response {
    let state = if service.loaded.load(Ordering::Relaxed) { "READY" } else { "UNAVAILABLE" };
    let entries: Vec<Value> = service
        .classifier
        .versions()
        .map(|version| json!({ "name": MODEL, "version": version, "state": state, "reason": "" }))
        .collect();
    ok(&Value::Array(entries))
}

async fn load(State(service): State<Arc<Service>>, Path(model): Path<String>) -> Result<Response, Failure> {
    known(&service, &model, None)?;
    service.loaded.store(true, Ordering::Relaxed);
    Ok(ok(&json!({})))
}

async fn unload(State(service): State<Arc<Service>>, Path(model): Path<String>) -> Result<Response, Failure> {
    known(&service, &model, None)?;
    service.loaded.store(false, Ordering::Relaxed);
    Ok(ok(&json!({})))
}

/// The version to use; refuses what does not exist.
fn known<'a>(service: &Service, model: &str, version: Option<&'a str>) -> Result<&'a str, Failure> {
    if model != MODEL {
        return Err(Failure::missing(format!("model `{model}` is not found")));
    }
    let Some(version) = version else {
        return Ok(service.classifier.default_version());
    };
    if service.classifier.versions().any(|known| known == version) {
        return Ok(version);
    }
    Err(Failure::missing(format!("model `{model}` has no version `{version}`")))
}

async fn infer(
    State(service): State<Arc<Service>>,
    Path(model): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let version = known(&service, &model, None)?;
    answer(&service, version, &headers, body)
}

async fn infer_version(
    State(service): State<Arc<Service>>,
    Path((model, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let version = known(&service, &model, Some(&version))?;
    answer(&service, version, &headers, body)
}

#[derive(Debug, Deserialize)]
struct InferRequest {
    id: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "a valid request may carry parameters; none of them changes the answer")]
    parameters: Map<String, Value>,
    inputs: Vec<InputTensor>,
    outputs: Option<Vec<RequestedOutput>>,
}

#[derive(Debug, Deserialize)]
struct InputTensor {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct RequestedOutput {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Label,
    Probability,
    Margin,
}

impl Output {
    const ALL: [Self; 3] = [Self::Label, Self::Probability, Self::Margin];

    const fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Probability => "probability",
            Self::Margin => "margin",
        }
    }

    const fn datatype(self) -> &'static str {
        match self {
            Self::Label => "BYTES",
            Self::Probability | Self::Margin => "FP64",
        }
    }

    fn value(self, scored: &Scored) -> Value {
        match self {
            Self::Label => scored.label.as_str().into(),
            Self::Probability => scored.probability.into(),
            Self::Margin => scored.margin.into(),
        }
    }
}

fn answer(
    service: &Service,
    version: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    if !service.loaded.load(Ordering::Relaxed) {
        return Err(Failure::bad(format!("model `{MODEL}` is not ready")));
    }
    if headers.contains_key("inference-header-content-length") {
        return Err(Failure::bad("binary tensor data is not supported, send it as JSON"));
    }
    let body = body.map_err(|error| Failure { status: error.status(), message: error.body_text() })?;
    let request: InferRequest = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad(format!("failed to parse the request: {error}")))?;
    let outputs = wanted(request.outputs.as_deref())?;
    let rows = rows(&request.inputs)?;
    let scored: Vec<Scored> =
        rows.chunks_exact(FEATURES).filter_map(|row| service.classifier.score(version, row)).collect();
    let tensors: Vec<Value> = outputs
        .into_iter()
        .map(|output| {
            json!({
                "name": output.name(),
                "shape": [scored.len(), 1],
                "datatype": output.datatype(),
                "data": scored.iter().map(|row| output.value(row)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut response = json!({ "model_name": MODEL, "model_version": version, "outputs": tensors });
    if let (Some(id), Some(fields)) = (request.id, response.as_object_mut()) {
        fields.insert("id".to_owned(), id.into());
    }
    Ok(ok(&response))
}

/// All outputs when none are named, as the protocol says.
fn wanted(requested: Option<&[RequestedOutput]>) -> Result<Vec<Output>, Failure> {
    let Some(requested) = requested.filter(|outputs| !outputs.is_empty()) else {
        return Ok(Output::ALL.to_vec());
    };
    let mut wanted = Vec::new();
    for request in requested {
        let output = Output::ALL
            .into_iter()
            .find(|output| output.name() == request.name)
            .ok_or_else(|| Failure::bad(format!("model `{MODEL}` has no output `{}`", request.name)))?;
        if wanted.contains(&output) {
            return Err(Failure::bad(format!("output `{}` is asked for twice", request.name)));
        }
        json_only(&request.parameters)?;
        wanted.push(output);
    }
    Ok(wanted)
}

/// The values of the one input, row after row.
fn rows(inputs: &[InputTensor]) -> Result<Vec<f64>, Failure> {
    let [input] = inputs else {
        return Err(Failure::bad(format!("expected one input, `{INPUT}`, and got {}", inputs.len())));
    };
    if input.name != INPUT {
        return Err(Failure::bad(format!("model `{MODEL}` has no input `{}`", input.name)));
    }
    if !matches!(input.datatype.as_str(), "FP64" | "FP32" | "INT64" | "INT32") {
        return Err(Failure::bad(format!("input `{INPUT}` takes FP64 or FP32, not `{}`", input.datatype)));
    }
    json_only(&input.parameters)?;
    let count = match input.shape.as_slice() {
        [rows, columns] if usize::try_from(*columns).is_ok_and(|columns| columns == FEATURES) => {
            usize::try_from(*rows).ok().filter(|rows| (1..=ROWS_MAX).contains(rows))
        }
        _ => None,
    }
    .ok_or_else(|| {
        Failure::bad(format!("input `{INPUT}` has shape [rows, {FEATURES}] with 1 to {ROWS_MAX} rows"))
    })?;
    let mut values = Vec::new();
    let data = input.data.as_ref().ok_or_else(|| Failure::bad(format!("input `{INPUT}` has no data")))?;
    flatten(data, &mut values, 0)?;
    if values.len() != count * FEATURES {
        return Err(Failure::bad(format!(
            "input `{INPUT}` has shape [{count}, {FEATURES}] and {} values",
            values.len()
        )));
    }
    Ok(values)
}

/// Tensor data may be flat or nested, row by row. The depth is that of the shape, so two.
fn flatten(data: &Value, into: &mut Vec<f64>, depth: usize) -> Result<(), Failure> {
    match data {
        Value::Array(items) if depth < 2 => items.iter().try_for_each(|item| flatten(item, into, depth + 1)),
        Value::Number(number) => {
            into.push(number.as_f64().ok_or_else(|| Failure::bad("a value is not a finite number"))?);
            Ok(())
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => {
            Err(Failure::bad(format!("input `{INPUT}` takes numbers, flat or in rows")))
        }
    }
}

/// Refuses what would need an extension; other parameters are ignored, as the protocol allows.
fn json_only(parameters: &Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in parameters {
        let asks_binary = name == "binary_data" && value != &Value::Bool(false);
        if asks_binary
            || name == "binary_data_size"
            || name.starts_with("shared_memory")
            || name == "classification"
        {
            return Err(Failure::bad(format!("parameter `{name}` needs an extension that is not supported")));
        }
    }
    Ok(())
}
