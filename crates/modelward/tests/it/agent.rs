//! Programs that know nothing of proofs, with an agent around them.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::ward::{LABEL, Ward};

const ASK: &str = "http://127.0.0.1";

/// A request as a plain client writes it.
fn request(host: &str, key: Option<&str>, more: &str) -> String {
    let body = crate::ward::ASKED;
    let key = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
    format!(
        "POST /diagnosis/v2/models/breast-cancer/infer HTTP/1.1\r\nhost: {host}\r\n{key}{more}\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn talk(mut stream: impl std::io::Read + std::io::Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_plain_client_is_answered_through_the_agent_and_nobody_else_is() {
    let ward = Ward::new();
    let _serving = ward.start();
    let agent = ward.agent(&[]);
    let url = agent.variable("MODELWARD_AGENT_URL");
    let key = agent.variable("MODELWARD_AGENT_KEY");
    let host = url.strip_prefix("http://").unwrap();
    assert!(url.starts_with(ASK), "loopback alone: {url}");
    let ask = |request: &str| talk(TcpStream::connect(host).unwrap(), request);

    let answer = ask(&request(host, Some(&key), ""));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(LABEL), "{answer}");
    assert!(answer.contains("x-modelward-decision: de_"), "{answer}");
    for (status, text) in [
        (401, request(host, None, "")),
        (401, request(host, Some("mwa_guess"), "")),
        (403, request("attacker.example", Some(&key), "")),
        (403, request(host, Some(&key), "origin: https://attacker.example\r\n")),
        (403, request(host, Some(&key), "sec-fetch-site: cross-site\r\n")),
        (400, request(host, Some(&key), "").replacen("/infer ", "/infer?key=x ", 1)),
    ] {
        let answer = ask(&text);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}: {answer}");
        assert!(!answer.contains(LABEL), "{answer}");
    }
    // What the gateway refuses is told as the gateway tells it.
    let unknown = ask(&request(host, Some(&key), "").replacen("breast-cancer", "nothing", 1));
    assert!(unknown.starts_with("HTTP/1.1 404 ") && !unknown.contains("www-authenticate"), "{unknown}");
}

#[test]
fn the_token_an_agent_holds_is_worth_nothing_elsewhere() {
    let ward = Ward::new();
    let _serving = ward.start();
    let agent = ward.agent(&[]);
    let host = agent.variable("MODELWARD_AGENT_URL").replace("http://", "");
    let key = agent.variable("MODELWARD_AGENT_KEY");
    talk(TcpStream::connect(&host).unwrap(), &request(&host, Some(&key), ""));
    // The secret of the run is no credential of the gateway.
    assert_eq!(ward.predict(&key).unwrap().status, 401);
    let said = ward.ines(&["token", "--privilege", "inference-sensitive"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
}

#[test]
fn a_socket_needs_no_secret_and_a_folder_of_its_own() {
    let ward = Ward::new();
    let _serving = ward.start();
    std::fs::create_dir(ward.ines_path("open")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(ward.ines_path("open"), open).unwrap();
    let refused = ward.ines(&["agent", "--socket", "open/agent.sock"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);

    std::fs::create_dir(ward.ines_path("own")).unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(ward.ines_path("own"), closed).unwrap();
    let agent = ward.agent(&["--socket", "own/agent.sock"]);
    assert_eq!(agent.variable("MODELWARD_AGENT_SOCKET"), "own/agent.sock");
    let answer =
        talk(UnixStream::connect(ward.ines_path("own/agent.sock")).unwrap(), &request("agent", None, ""));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(LABEL), "{answer}");
    let page = request("agent", None, "origin: null\r\n");
    let refused = talk(UnixStream::connect(ward.ines_path("own/agent.sock")).unwrap(), &page);
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
}

#[test]
fn a_command_is_told_where_its_agent_is_and_ends_it() {
    let ward = Ward::new();
    let _serving = ward.start();
    let script = "test -n \"$MODELWARD_AGENT_KEY\" && echo \"$MODELWARD_AGENT_URL\"; exit 7";
    let said = ward.ines(&["exec", "--", "sh", "-c", script]);
    assert_eq!(said.code, 7, "{}", said.stderr);
    let host = said.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    assert!(TcpStream::connect(host).is_err(), "nobody answers there any more");
    assert_eq!(ward.ines(&["exec", "--", "no-such-command-here"]).code, 2);
    assert_eq!(ward.ines(&["exec"]).code, 2);
}

#[test]
fn an_agent_goes_on_over_a_crash_and_ends_with_the_sign_out() {
    let ward = Ward::new();
    let serving = ward.start();
    ward.dana(&["grant", "group:clinicians", "read-only", "project:pathology", "--for", "8h"]);
    let agent = ward.agent(&[]);
    let host = agent.variable("MODELWARD_AGENT_URL").replace("http://", "");
    let key = agent.variable("MODELWARD_AGENT_KEY");
    let ask = |text: &str| talk(TcpStream::connect(&host).unwrap(), text);
    let predict = request(&host, Some(&key), "");
    let describe = format!(
        "GET /diagnosis/v2/models/breast-cancer HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         connection: close\r\n\r\n"
    );
    assert!(ask(&predict).starts_with("HTTP/1.1 200 "));
    serving.signal("-KILL");
    drop(serving);
    let _serving = ward.start();
    // Another privilege needs another token: taken with the handle from before the crash.
    let answer = ask(&describe);
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(!answer.contains("agent_error"), "{answer}");

    let out = ward.ines(&["logout"]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let refused = ask(&predict);
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("modelward login ines"), "{refused}");
}
