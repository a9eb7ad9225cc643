//! A real nginx in front of a model server, asking before it lets anything through.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use modelward_decision::vocabulary::Privilege;
use modelward_gateway::pdp::Point;
use modelward_testkit::World;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::{Desk, SECRET};
use crate::rig::{People, exchange, request, within};

struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The configuration of the guide, with the addresses of the test.
fn configuration(folder: &Path, listen: SocketAddr, ask: SocketAddr, models: SocketAddr) -> String {
    let folder = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String =
        kinds.iter().map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n")).collect();
    format!(
        r#"worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
{temporary}  access_log off;
  server {{
    listen {listen};
    location / {{
      auth_request /_modelward;
      auth_request_set $modelward_decision $upstream_http_x_modelward_decision;
      proxy_set_header Authorization "Bearer of-the-model-server";
      proxy_set_header api-key "";
      proxy_set_header x-api-key "";
      proxy_set_header X-Modelward-Decision $modelward_decision;
      proxy_pass http://{models};
    }}
    location = /_modelward {{
      internal;
      proxy_pass http://{ask};
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Forwarded-Uri "";
      proxy_set_header X-Forwarded-Method "";
      proxy_set_header X-Modelward-Proxy-Secret "{SECRET}";
    }}
  }}
}}
"#
    )
}

async fn start(ask: SocketAddr, models: SocketAddr) -> Option<Nginx> {
    let folder = TempDir::new().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let file = folder.path().join("nginx.conf");
    fs::write(&file, configuration(folder.path(), address, ask, models)).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-e").arg(folder.path().join("error.log"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let nginx = Nginx { child, address, _folder: folder };
    within(async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    Some(nginx)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_lets_through_what_is_allowed_and_nothing_else() {
    let reads_fraud = |world: &mut World, people: &People| {
        world.grant(Privilege::ReadOnly, people.noel, people.fraud.scope()).give();
    };
    let desk = Desk::with(true, |_| (), reads_fraud).await;
    let Some(nginx) = start(desk.rig.points[&Point::ForwardAuth], desk.rig.upstream.address).await else {
        eprintln!("skipped: there is no nginx on the path");
        return;
    };
    let people = &desk.rig.people;
    let ready = "/v2/models/fraud/ready";
    for (who, method, path, more, status) in [
        (people.noel, "GET", ready, "", 200),
        (people.ines, "GET", ready, "", 403),
        (people.noel, "GET", "/v2/models/vault/ready", "", 403),
        (people.noel, "POST", "/v2/models/fraud/infer", "", 403),
        (people.noel, "GET", "/metrics", "", 403),
        // A client cannot speak for the proxy.
        (people.noel, "GET", "/v2/models/vault/ready", "x-original-uri: /v2/models/fraud/ready\r\n", 403),
        (people.noel, "GET", "/v2/models/vault/ready", "x-forwarded-uri: /v2/models/fraud/ready\r\n", 403),
        (people.noel, "GET", "/v2/models/fraud/%72eady", "", 403),
    ] {
        let token = desk.rig.token(who);
        let bytes = request(method, path, &token, "").replace("host:", &format!("{more}host:"));
        let answer = exchange(nginx.address, bytes.as_bytes()).await;
        assert_eq!(answer.status, status, "{who} {method} {path} {more}: {answer:?}");
    }
    let anonymous = format!("GET {ready} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(exchange(nginx.address, anonymous.as_bytes()).await.status, 401);
    let seen = desk.rig.upstream.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let seen = seen[0].to_ascii_lowercase();
    assert!(seen.contains("authorization: bearer of-the-model-server"), "{seen}");
    assert!(seen.contains("x-modelward-decision: ") && !seen.contains("bearer ey"), "{seen}");
}
