//! Messages that can be read in two ways, sent as bytes: refused, or forwarded as one that cannot.

use crate::rig::{INFER, Rig, request};

const PATH: &str = "/oip/v2/models/fraud/infer";

/// What the upstream must never see, whatever the message was.
fn check_forwarded(requests: &[String]) {
    for request in requests {
        let head = request.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        let lines: Vec<&str> = head.lines().collect();
        assert_eq!(lines[0], "post /v2/models/up%2fstream%20model/versions/1/infer http/1.1", "{request}");
        for once in
            ["host: ", "content-length: ", "authorization: ", "content-type: ", "accept-encoding: identity"]
        {
            assert_eq!(lines.iter().filter(|line| line.starts_with(once)).count(), 1, "{once} in {request}");
        }
        assert_eq!(lines.len(), 8, "a header of the caller's got through: {request}");
        for never in ["transfer-encoding", "x-forwarded", "smuggled", "bearer ey", "cookie"] {
            assert!(!head.contains(never), "{never} in {request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_of_ambiguous_messages() {
    let rig = Rig::start().await;
    let token = rig.token(rig.people.ines);
    let auth = format!("Authorization: Bearer {token}\r\n");
    let json = "Content-Type: application/json\r\n";
    let length = format!("Content-Length: {}\r\n", INFER.len());
    let chunked = format!("{:x}\r\n{INFER}\r\n0\r\n\r\n", INFER.len());
    let te = "Transfer-Encoding: chunked\r\n";
    let close = "Connection: close\r\n";
    let smuggled = format!("0\r\n\r\nGET /oip/v2/smuggled HTTP/1.1\r\nHost: gw.test\r\n{auth}\r\n");
    let post = |target: &str, headers: &str, body: &str| {
        format!("POST {target} HTTP/1.1\r\n{headers}{auth}{json}{close}\r\n{body}")
    };
    let host = "Host: gw.test\r\n";
    let ok = |headers: &str| format!("{host}{headers}");
    // (name, message, statuses it may get)
    let cases: Vec<(&str, String, &[u16])> = vec![
        ("plain", post(PATH, &ok(&length), INFER), &[200]),
        ("chunked", post(PATH, &ok(te), &chunked), &[200]),
        // hyper drops the length and closes: one reading is left, and a second message is never read.
        ("CL then TE", post(PATH, &ok(&format!("{length}{te}")), &chunked), &[200, 400]),
        ("TE then CL", post(PATH, &ok(&format!("{te}{length}")), &chunked), &[200, 400]),
        (
            "CL.TE with a smuggled GET",
            post(PATH, &ok(&format!("Content-Length: {}\r\n{te}", smuggled.len())), &smuggled),
            &[400],
        ),
        ("two different lengths", post(PATH, &ok(&format!("{length}Content-Length: 3\r\n")), INFER), &[400]),
        // Equal lengths are merged by hyper, or refused by us.
        ("two equal lengths", post(PATH, &ok(&format!("{length}{length}")), INFER), &[200, 400]),
        ("a signed length", post(PATH, &ok("Content-Length: +5\r\n"), INFER), &[400]),
        ("gzip, chunked", post(PATH, &ok("Transfer-Encoding: gzip, chunked\r\n"), &chunked), &[400]),
        ("xchunked", post(PATH, &ok("Transfer-Encoding: xchunked\r\n"), &chunked), &[400]),
        ("TE twice", post(PATH, &ok(&format!("{te}{te}")), &chunked), &[400]),
        ("TE with a space", post(PATH, &ok("Transfer-Encoding : chunked\r\n"), &chunked), &[400]),
        ("chunked, chunked", post(PATH, &ok("Transfer-Encoding: chunked, chunked\r\n"), &chunked), &[400]),
        ("HTTP/1.0 with TE", post(PATH, &ok(te), &chunked).replace("HTTP/1.1", "HTTP/1.0"), &[400]),
        ("two hosts", post(PATH, &format!("{host}{host}{length}"), INFER), &[400]),
        ("two different hosts", post(PATH, &format!("{host}Host: other.test\r\n{length}"), INFER), &[400]),
        ("no host", post(PATH, &length, INFER), &[400]),
        (
            "absolute form of another host",
            post(&format!("http://other.test{PATH}"), &ok(&length), INFER),
            &[400],
        ),
        ("absolute form of this host", post(&format!("http://gw.test{PATH}"), &ok(&length), INFER), &[200]),
        ("a user in the host", post(PATH, &format!("Host: a@gw.test\r\n{length}"), INFER), &[400]),
        ("obs-fold", post(PATH, &ok(&format!("{length}X-A: b\r\n c\r\n")), INFER), &[400]),
        // Bare line feeds end lines for hyper; what is forwarded is written anew.
        ("bare line feeds", post(PATH, &ok(&length), INFER).replacen("\r\n", "\n", 2), &[200, 400]),
        (
            "a line feed in a chunk extension",
            post(PATH, &ok(te), &chunked.replacen("\r\n", ";a\nb\r\n", 1)),
            &[400],
        ),
        ("an underscore", post(PATH, &ok(&format!("{length}X_Forwarded_For: 1.2.3.4\r\n")), INFER), &[400]),
        ("content_length", post(PATH, &ok(&format!("{length}Content_Length: 3\r\n")), INFER), &[400]),
        ("two content types", post(PATH, &ok(&format!("{length}{json}")), INFER), &[400]),
        ("two authorizations", post(PATH, &ok(&format!("{length}{auth}")), INFER), &[400]),
        ("two different credentials", post(PATH, &ok(&format!("{length}api-key: other\r\n")), INFER), &[400]),
        (
            "host named in connection",
            post(PATH, &ok(&format!("{length}Connection: host\r\n")), INFER),
            &[400],
        ),
        ("dot segments", post("/oip/v2/x/../models/fraud/infer", &ok(&length), INFER), &[400]),
        ("encoded slash", post("/oip/v2/models%2Ffraud/infer", &ok(&length), INFER), &[400]),
        ("encoded dot", post("/oip/v2/%2e/models/fraud/infer", &ok(&length), INFER), &[400]),
        ("needless encoding", post("/oip/v2/models/frau%64/infer", &ok(&length), INFER), &[400]),
        ("double slash", post("/oip//v2/models/fraud/infer", &ok(&length), INFER), &[400]),
        ("path parameter", post("/oip/v2/models/fraud;x=1/infer", &ok(&length), INFER), &[400]),
        ("backslash", post("/oip/v2/models\\fraud/infer", &ok(&length), INFER), &[400]),
        ("token in the URL", post(&format!("{PATH}?access_token=url-canary"), &ok(&length), INFER), &[400]),
        ("key in the URL", post(&format!("{PATH}?a=b&%61pi_key=url-canary"), &ok(&length), INFER), &[400]),
        ("a query", post(&format!("{PATH}?timeout=1"), &ok(&length), INFER), &[400]),
        (
            "binary tensors",
            post(PATH, &ok(&format!("{length}Inference-Header-Content-Length: 10\r\n")), INFER),
            &[415],
        ),
        (
            "another media type",
            post(PATH, &ok(&length), INFER).replace("application/json", "text/plain"),
            &[415],
        ),
        // Triton's client names none.
        ("no media type", post(PATH, &ok(&length), INFER).replace(json, ""), &[200]),
        (
            "no media type, and no JSON",
            post(PATH, &ok("Content-Length: 3\r\n"), "a=b").replace(json, ""),
            &[400],
        ),
        ("a coded body", post(PATH, &ok(&format!("{length}Content-Encoding: gzip\r\n")), INFER), &[415]),
        ("an asterisk", format!("OPTIONS * HTTP/1.1\r\n{host}{auth}{close}\r\n"), &[400]),
        ("connect", format!("CONNECT gw.test:443 HTTP/1.1\r\n{host}{auth}{close}\r\n"), &[400]),
        (
            "a body on a GET",
            format!("GET /oip/v2/models HTTP/1.1\r\n{host}{auth}{length}{close}\r\n{INFER}"),
            &[400],
        ),
        (
            "the caller's own routing headers",
            post(
                PATH,
                &ok(&format!(
                    "{length}X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-Uri: /\r\nX-Real-IP: 10.0.0.1\r\nCookie: a=b\r\nX-Smuggled: 1\r\n"
                )),
                INFER,
            ),
            &[200],
        ),
    ];
    for (name, message, statuses) in &cases {
        let before = rig.upstream.requests().len();
        let answer = rig.raw(message.as_bytes()).await;
        assert!(statuses.contains(&answer.status), "{name}: {answer:?}");
        let forwarded = rig.upstream.requests().len() - before;
        assert_eq!(forwarded, usize::from(answer.status == 200), "{name}: {answer:?}");
        assert!(!answer.body.contains("url-canary") && !answer.body.contains(&token), "{name}: {answer:?}");
        assert_eq!(answer.body.matches("HTTP/1.1").count(), 0, "{name}: a second answer: {answer:?}");
    }
    check_forwarded(&rig.upstream.requests());
    assert!(rig.seen.all().iter().all(|seen| seen.status != 500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_has_the_shape_of_its_protocol() {
    let rig = Rig::start().await;
    let answer = rig
        .post(rig.people.ines, "/llm/v1/chat/completions", r#"{"model":"chat","messages":[],"x":1}"#)
        .await;
    assert_eq!(answer.status, 400);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert_eq!(body["error"]["param"], "x");
    assert_eq!(body["error"]["code"], "invalid_body");
    let id = answer.header("x-modelward-decision").unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains(id));
    let answer = rig.post(rig.people.ines, "/oip/v2/models/fraud/infer", r#"{"inputs":[],"x":1}"#).await;
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["error"].as_str().unwrap().starts_with("the key `x` is not taken here"));
    assert_eq!(body.as_object().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_refused_before_it_is_read() {
    let rig = Rig::start().await;
    let token = rig.token(rig.people.ines);
    let large = format!(
        "POST {PATH} HTTP/1.1\r\nhost: gw.test\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\nconnection: close\r\n\r\n{{"
    );
    assert_eq!(rig.raw(large.as_bytes()).await.status, 413);
    let deep = format!(r#"{{"inputs":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    assert_eq!(rig.post(rig.people.ines, PATH, &deep).await.status, 400);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = request("GET", "/oip/v2", &token, "").replace("connection", &format!("{many}connection"));
    assert_eq!(rig.raw(many.as_bytes()).await.status, 431);
    let long = format!("GET /{} HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n", "a".repeat(5000));
    assert_eq!(rig.raw(long.as_bytes()).await.status, 400);
    assert_eq!(rig.upstream.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_need_no_credential_and_tell_nothing() {
    let rig = Rig::start().await;
    for (path, status) in [
        ("/healthz/live", 200),
        ("/healthz/ready", 200),
        ("/oip/v2/health/live", 200),
        ("/none/v2/health/live", 200),
    ] {
        let answer = rig
            .raw(format!("GET {path} HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n").as_bytes())
            .await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let answer =
        rig.raw(b"GET /oip/v2/health/ready HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("bearer realm=\"modelward\""), "{challenge}");
}
