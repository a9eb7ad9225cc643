//! The Open Inference Protocol, over HTTP.

use demo_upstream::dataset;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{self, Client};

const INFER: &str = "/v2/models/breast-cancer/infer";

/// The first row of the source is malignant, row 19 is benign.
fn row(number: usize) -> Vec<f64> {
    dataset::rows()[number].features.iter().copied().map(f64::from).collect()
}

fn input(data: &Value, rows: usize) -> Value {
    json!({ "name": "measurements", "shape": [rows, 30], "datatype": "FP64", "data": data })
}

fn output_names(answer: &Value) -> Vec<&str> {
    answer["outputs"].as_array().unwrap().iter().map(|output| output["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn health_needs_no_credential_and_everything_else_does() {
    for credential in [None, Some("wrong"), Some("")] {
        let client = client::started().await.presenting(credential);
        assert_eq!(client.get("/v2/health/live").await.json(), json!({ "live": true }));
        assert_eq!(client.get("/v2/health/ready").await.status, 200);
        for path in ["/v2", "/v2/models/breast-cancer", "/nowhere"] {
            let answer = client.get(path).await;
            assert_eq!((answer.status, answer.json()["error"].is_string()), (401, true), "{path}");
        }
        let answer = client.get("/v1/models").await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    }
}

#[tokio::test]
async fn metadata_names_versions_inputs_and_outputs() {
    let client = client::started().await;
    let server = client.get("/v2").await.json();
    assert_eq!(server["name"], "demo-upstream");
    assert_eq!(client.get("/v2/").await.json(), server);
    assert_eq!(client.get("/v2/models").await.json(), json!({ "models": ["breast-cancer"] }));
    let metadata = client.get("/v2/models/breast-cancer").await.json();
    assert_eq!(
        metadata,
        json!({
            "name": "breast-cancer",
            "versions": ["1", "2"],
            "platform": "smartcore_logistic_regression",
            "inputs": [{ "name": "measurements", "datatype": "FP64", "shape": [-1, 30] }],
            "outputs": [
                { "name": "label", "datatype": "BYTES", "shape": [-1, 1] },
                { "name": "probability", "datatype": "FP64", "shape": [-1, 1] },
                { "name": "margin", "datatype": "FP64", "shape": [-1, 1] },
            ],
        })
    );
    assert_eq!(client.get("/v2/models/breast-cancer/versions/1").await.json(), metadata);
    for path in ["/v2/models/breast-cancer/ready", "/v2/models/breast-cancer/versions/2/ready"] {
        assert_eq!(client.get(path).await.json(), json!({ "name": "breast-cancer", "ready": true }));
    }
}

#[tokio::test]
async fn a_version_can_be_named_and_the_latest_answers_otherwise() {
    let client = client::started().await;
    let body = json!({ "id": "request-7", "inputs": [input(&json!(row(0)), 1)] });
    let latest = client.post(INFER, &body).await.json();
    assert_eq!(latest["model_version"], "2");
    assert_eq!(latest["id"], "request-7");
    assert_eq!(latest["outputs"][0]["data"], json!(["malignant"]));
    let first = client.post("/v2/models/breast-cancer/versions/1/infer", &body).await.json();
    assert_eq!(first["model_version"], "1");
    assert_ne!(first["outputs"][2]["data"], latest["outputs"][2]["data"]);
}

#[tokio::test]
async fn the_caller_chooses_the_outputs_and_gets_all_without_choosing() {
    let client = client::started().await;
    let inputs = json!([input(&json!([row(0), row(19)]), 2)]);
    let all = client.post(INFER, &json!({ "inputs": inputs })).await.json();
    assert_eq!(output_names(&all), ["label", "probability", "margin"]);
    assert!(all.get("id").is_none());
    let asked =
        json!({ "inputs": inputs, "outputs": [{ "name": "label", "parameters": { "binary_data": false } }] });
    let label = client.post(INFER, &asked).await.json();
    assert_eq!(
        label["outputs"],
        json!([{ "name": "label", "shape": [2, 1], "datatype": "BYTES", "data": ["malignant", "benign"] }])
    );
    let probability = all["outputs"][1]["data"][0].as_f64().unwrap();
    let margin = all["outputs"][2]["data"][0].as_f64().unwrap();
    assert!((probability - 1.0 / (1.0 + (-margin).exp())).abs() < 1e-12);
}

#[tokio::test]
async fn flat_and_nested_data_are_the_same() {
    let client = client::started().await;
    let flat: Vec<f64> = [row(0), row(19)].concat();
    let flat = client.post(INFER, &json!({ "inputs": [input(&json!(flat), 2)] })).await;
    let nested = client.post(INFER, &json!({ "inputs": [input(&json!([row(0), row(19)]), 2)] })).await;
    assert_eq!(flat.json(), nested.json());
}

async fn refused(client: &Client, body: &Value) -> String {
    let answer = client.post(INFER, body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    answer.json()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_shape_of_the_protocol() {
    let client = client::started().await;
    let good = input(&json!(row(0)), 1);
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        json!({ "inputs": [changed] })
    };
    let cases = [
        (json!({}), "missing field `inputs`"),
        (json!({ "inputs": [] }), "expected one input"),
        (with("name", json!("rows")), "no input `rows`"),
        (with("shape", json!([1, 29])), "has shape [rows, 30]"),
        (with("shape", json!([0, 30])), "1 to 1024 rows"),
        (with("shape", json!([2, 30])), "has shape [2, 30] and 30 values"),
        (with("datatype", json!("BYTES")), "not `BYTES`"),
        (with("data", json!(["high"])), "takes numbers"),
        (with("data", json!([[[1.0]]])), "takes numbers"),
        (with("data", Value::Null), "has no data"),
        (with("parameters", json!({ "shared_memory_region": "x" })), "extension"),
        (json!({ "inputs": [good], "outputs": [{ "name": "weights" }] }), "no output `weights`"),
        (json!({ "inputs": [good], "outputs": [{ "name": "label" }, { "name": "label" }] }), "twice"),
        (
            json!({ "inputs": [good], "outputs": [{ "name": "label", "parameters": { "classification": 1 } }] }),
            "extension",
        ),
    ];
    for (body, expected) in cases {
        let told = refused(&client, &body).await;
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
    let torn = client.send(Method::POST, INFER, "{\"inputs\": [".to_owned()).await;
    assert_eq!((torn.status, torn.json()["error"].is_string()), (400, true));
    let huge = client.send(Method::POST, INFER, " ".repeat((1 << 20) + 1)).await;
    assert_eq!((huge.status, huge.json()["error"].is_string()), (413, true));
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let client = client::started().await;
    for path in [
        "/v2/models/other",
        "/v2/models/breast-cancer/versions/3",
        "/v2/models/breast-cancer/versions/3/ready",
        "/v2/models/breast-cancer/config",
        "/v3",
    ] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (404, true), "{path}");
    }
    assert_eq!(client.get(INFER).await.status, 405);
}

#[tokio::test]
async fn whoever_holds_the_credential_can_turn_the_model_off() {
    let client = client::started().await;
    let body = json!({ "inputs": [input(&json!(row(0)), 1)] });
    assert_eq!(client.post("/v2/repository/models/breast-cancer/unload", &json!({})).await.status, 200);
    assert_eq!(client.get("/v2/health/ready").await.status, 503);
    assert_eq!(client.post("/v2/repository/index", &json!({})).await.json()[0]["state"], "UNAVAILABLE");
    assert!(refused(&client, &body).await.contains("not ready"));
    client.post("/v2/repository/models/breast-cancer/load", &json!({})).await;
    assert_eq!(client.post(INFER, &body).await.status, 200);
}
