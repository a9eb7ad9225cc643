//! The server as a child process: credential by standard input, one line of report, gone with its parent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use demo_upstream::StartupReport;

use crate::client::{CREDENTIAL, Client};

fn spawn(options: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_demo-upstream"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{options}").unwrap();
    child
}

#[tokio::test]
async fn it_reports_where_it_listens_and_ends_when_its_parent_lets_go() {
    let mut child = spawn(&format!(r#"{{"credential":"{CREDENTIAL}","started_at":1700000000}}"#));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let report: StartupReport = serde_json::from_str(&line).unwrap();
    assert!(report.url.starts_with("http://127.0.0.1:"));
    assert!(!line.contains(CREDENTIAL));
    let answer = Client::new(report.url).get("/v1/models").await;
    assert_eq!(answer.status, 200);

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_refuses_options_it_does_not_know() {
    let child = spawn(r#"{"credential":"x","started_at":0,"colour":"blue"}"#);
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("unknown field `colour`"), "{told}");
}

#[test]
fn it_refuses_to_serve_without_a_credential() {
    let output = spawn(r#"{"credential":"","started_at":0}"#).wait_with_output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("credential must not be empty"));
}
