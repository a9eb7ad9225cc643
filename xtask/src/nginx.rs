//! The peer of the gateway benches: nginx as a plain reverse proxy, one worker.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use hyper::Uri;
use tempfile::TempDir;

use crate::load::Connection;
use crate::process::{self, Running};
use crate::{Error, packages};

/// How long it may take to listen.
const READY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Nginx {
    running: Running,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Nginx {
    /// In front of `upstream` (host and port), on one CPU, adding the credential that the gateway adds too.
    pub(crate) async fn start(upstream: &str, credential: &str, cpu: usize) -> Result<Self, Error> {
        packages::need("nginx", "nginx-light")?;
        let folder = TempDir::new().map_err(Error::file("a temporary folder"))?;
        let listen = free_address()?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(folder.path(), &listen, upstream, credential))
            .map_err(Error::file(&file))?;
        let mut command = process::pinned(cpu, Path::new("nginx"));
        command.arg("-c").arg(&file).arg("-e").arg(folder.path().join("error.log"));
        let running = Running::start("nginx", &mut command)?;
        let url = format!("http://{listen}");
        let nginx = Self { running, url, _folder: folder };
        nginx.wait().await
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    async fn wait(mut self) -> Result<Self, Error> {
        let uri: Uri =
            self.url.parse().map_err(|_| Error::Unmet(format!("`{}` is not an address", self.url)))?;
        for _ in 0..READY.as_millis() / 20 {
            self.running.must_run()?;
            if Connection::open(&uri).await.is_ok() {
                return Ok(self);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Error::Late { what: "nginx".to_owned(), seconds: READY.as_secs() })
    }
}

/// A port of the loopback interface that was free a moment ago.
fn free_address() -> Result<String, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::connect("127.0.0.1:0"))?;
    let address = listener.local_addr().map_err(Error::connect("127.0.0.1:0"))?;
    Ok(address.to_string())
}

fn configuration(folder: &Path, listen: &str, upstream: &str, credential: &str) -> String {
    let folder = folder.display();
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        temporary.push_str(&format!("  {kind}_temp_path {folder}/{kind};\n"));
    }
    format!(
        "worker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{temporary}  access_log off;\n\
         \x20 upstream model {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n    listen {listen};\n    keepalive_requests 1000000000;\n\
         \x20   location / {{\n      proxy_pass http://model;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_set_header Authorization \"Bearer {credential}\";\n\
         \x20     proxy_buffering off;\n    }}\n  }}\n}}\n"
    )
}
