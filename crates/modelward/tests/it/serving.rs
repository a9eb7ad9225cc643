//! The system as an operator runs it: init, serve, signals, kill.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::installation::{Serving, enrol, get, init};
use crate::stage::{Said, Stage};

#[test]
fn from_nothing_to_a_recorded_decision() {
    let stage = Stage::new();
    let code = init(&stage);
    assert_eq!(stage.run(&["init", "erin", "--data-dir", "data"]).code, 1, "init works once");

    let mut serving = Serving::start(&stage, &[]);
    let signed_in = enrol(&stage, "dana", &serving.control, &code);
    assert_eq!(signed_in.code, 0, "{}", signed_in.stderr);
    assert!(stage.run(&["whoami"]).stdout.contains("govern"));

    stage.write("risk.toml", "[[project]]\nname = 'risk'\n[[model]]\nname = 'fraud'\nproject = 'risk'\n");
    assert_eq!(stage.run(&["apply", "-f", "risk.toml", "--yes"]).code, 0);
    let again = stage.run(&["apply", "-f", "risk.toml"]);
    assert_eq!((again.code, again.stderr.as_str()), (0, "nothing to change\n"));

    let denied = stage.run(&["can", "me", "download weights", "fraud", "--json"]);
    assert_eq!(denied.code, 3);
    let answer: Value = serde_json::from_str(&denied.stdout).unwrap();
    assert_eq!(answer["allowed"], false);
    let decision = answer["decision"].as_str().unwrap();
    assert_eq!(stage.run(&["explain", decision]).code, 0);

    let rotated = stage.run(&["key", "rotate", "control-token"]);
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    assert!(rotated.stdout.contains("retiring until"));
    let kept = stage.run(&["key", "rotate", "checkpoint"]);
    assert_eq!(kept.code, 3, "{}", kept.stderr);

    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
    let verified = stage.run(&["ledger", "verify", "data/ledger", "--entries"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn after_a_kill_it_starts_again_by_itself() {
    let stage = Stage::new();
    let code = init(&stage);
    let mut serving = Serving::start(&stage, &[]);
    assert_eq!(enrol(&stage, "dana", &serving.control, &code).code, 0);
    serving.signal("-KILL");
    assert_eq!(serving.exit_code(), None);

    let mut serving = Serving::start(&stage, &[]);
    let whoami = stage.run(&["whoami", "--server", &serving.control]);
    assert_eq!(whoami.code, 4, "another port is another server to the command line: {}", whoami.stderr);
    serving.signal("-INT");
    assert_eq!(serving.exit_code(), Some(0));
    assert_eq!(stage.run(&["ledger", "verify", "data/ledger", "--entries"]).code, 0);
}

#[test]
fn probes_and_metrics_answer() {
    let stage = Stage::new();
    init(&stage);
    let serving = Serving::start(&stage, &[]);
    for (url, path, expected) in [
        (&serving.control, "/healthz/live", "alive"),
        (&serving.control, "/healthz/ready", "ready"),
        (&serving.control, "/metrics", "modelward_ledger_healthy 1"),
        (&serving.gateway, "/healthz/ready", "ok"),
    ] {
        let answer = get(url, path);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(expected), "{path}: {answer}");
    }
}

#[test]
fn other_enforcement_points_are_served_where_they_have_an_address() {
    let stage = Stage::new();
    init(&stage);
    let config = stage.path("data/modelward.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let callers = "\n[callers.edge]\nprincipal = 'machine:edge'\nsecret_file = 'edge.secret'\n";
    std::fs::write(&config, before + callers).unwrap();
    stage.write("data/edge.secret", "too short\n");
    let listen =
        [("MODELWARD_AUTHZEN_LISTEN", "127.0.0.1:0"), ("MODELWARD_FORWARD_AUTH_LISTEN", "127.0.0.1:0")];
    let mut command = stage.command(&["serve", "--config", "data/modelward.toml"]);
    let refused = command
        .envs(listen)
        .env("MODELWARD_CONTROL_LISTEN", "127.0.0.1:0")
        .env("MODELWARD_GATEWAY_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("edge.secret"), "{refused:?}");
    stage.write("data/edge.secret", "a secret that is long enough for a proxy\n");
    let mut serving = Serving::start(&stage, &listen);
    let authzen = format!("http://{}", serving.line_after("authzen: "));
    let forward_auth = format!("http://{}", serving.line_after("forward-auth: "));
    let metadata = get(&authzen, "/.well-known/authzen-configuration");
    assert!(metadata.starts_with("HTTP/1.1 200 "), "{metadata}");
    assert!(metadata.contains(&format!("\"policy_decision_point\":\"{authzen}\"")), "{metadata}");
    assert!(get(&forward_auth, "/").starts_with("HTTP/1.1 403 "));
    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let stage = Stage::new();
    init(&stage);
    let _serving = Serving::start(&stage, &[]);
    let second = stage
        .command(&["serve", "--config", "data/modelward.toml"])
        .env("MODELWARD_CONTROL_LISTEN", "127.0.0.1:0")
        .env("MODELWARD_GATEWAY_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    let said = Said::from(&second);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("hint: is another `modelward serve` running on it?"), "{}", said.stderr);
}

#[test]
fn a_certificate_is_renewed_under_way() {
    let stage = Stage::new();
    init(&stage);
    let write_certificate = |folder: &Path| {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    };
    write_certificate(&stage.path("data"));
    let variables =
        [("MODELWARD_CONTROL_TLS_CERTIFICATE", "cert.pem"), ("MODELWARD_CONTROL_TLS_KEY", "key.pem")];
    let serving = Serving::start(&stage, &variables);
    assert!(serving.control.starts_with("https://"));
    std::fs::copy(stage.path("data/cert.pem"), stage.path("first.pem")).unwrap();

    let login = |server: &str, ca: &str| {
        let args = ["login", "dana", "--server", server, "--ca", ca, "--password-stdin", "--totp", "000000"];
        stage.run_with(&args, "not the password\n")
    };
    // Whatever a stranger is told, the handshake is behind them.
    let shaken = |said: &Said| !said.stderr.contains("failed to reach");
    assert!(shaken(&login(&serving.control, "first.pem")));
    write_certificate(&stage.path("data"));
    serving.signal("-HUP");
    serving.line_with(|line| line.contains("the certificate was read again").then(String::new));
    assert!(!shaken(&login(&serving.control, "first.pem")), "the certificate before is shown no more");
    assert!(shaken(&login(&serving.control, "data/cert.pem")));
}

#[test]
fn a_code_that_ran_out_is_replaced_until_somebody_enrolled() {
    let stage = Stage::new();
    let first = init(&stage);
    let again = stage.run(&["init", "--again", "--data-dir", "data"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let second = again.stdout.trim().to_owned();
    assert_ne!(first, second);

    let mut serving = Serving::start(&stage, &[]);
    let outdated = stage.run_with(&["enrol", "--stdin", "--server", &serving.control], &format!("{first}\n"));
    assert_ne!(outdated.code, 0, "the code before is worthless");
    assert_eq!(enrol(&stage, "dana", &serving.control, &second).code, 0);
    serving.signal("-TERM");
    serving.exit_code();
    let refused = stage.run(&["init", "--again", "--data-dir", "data"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("enrolled already"), "{}", refused.stderr);
}

#[test]
fn a_feed_that_is_watched_does_not_keep_it_from_stopping() {
    let stage = Stage::new();
    let code = init(&stage);
    // Longer than any test runs: only an end that does not wait for it passes.
    let mut serving = Serving::start(&stage, &[("MODELWARD_DRAIN_TIMEOUT", "1h")]);
    assert_eq!(enrol(&stage, "dana", &serving.control, &code).code, 0);
    let mut tail = stage
        .command(&["ledger", "tail", "-n", "0", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut feed = BufReader::new(tail.stdout.take().unwrap());
    let mut line = String::new();
    let seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Something to see, until it is seen: when the watcher is there is not known.
        scope.spawn(|| {
            while !seen.load(Ordering::SeqCst) {
                stage.run(&["key", "list"]);
            }
        });
        feed.read_line(&mut line).unwrap();
        seen.store(true, Ordering::SeqCst);
    });
    assert!(serde_json::from_str::<Value>(&line).unwrap().get("sentence").is_some(), "{line}");
    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
    assert_eq!(tail.wait().unwrap().code(), Some(5), "the watcher is told that the server ended");
}

#[test]
fn traces_leave_for_the_collector() {
    let stage = Stage::new();
    init(&stage);
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let serving = Serving::start(&stage, &[("MODELWARD_TELEMETRY_OTLP_ENDPOINT", &endpoint)]);
    get(&serving.gateway, "/nothing");
    get(&serving.control, "/api/v1/openapi.json");
    serving.signal("-TERM");
    let (stream, _) = collector.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0);
    }
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
}
