//! The store's suite on a PostgreSQL server that exists for it alone.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Running;
use crate::{Error, packages, say};

/// How long the server may take until it answers.
const READY: Duration = Duration::from_secs(30);

const PACKAGES: &str = "/usr/lib/postgresql";

pub(super) async fn run() -> Result<(), Error> {
    let server = Server::start().await?;
    say(&format!("interop postgres: the store's suite on {}", server.url()));
    let mut tests = Command::new("cargo");
    tests.args(["test", "--quiet", "--package", "modelward-store", "--features", "postgres", "--test", "it"]);
    tests.args(["--", "on_postgres"]).env("MODELWARD_TEST_POSTGRES", server.url());
    let told = packages::output(&mut tests)?;
    say(told.trim());
    // A filter that finds nothing passes too.
    if told.contains("test result: ok. 0 passed") {
        return Err(Error::Unmet("no test of the store runs on PostgreSQL".to_owned()));
    }
    Ok(())
}

/// A cluster in a temporary folder, on a free port of the loopback interface.
struct Server {
    port: u16,
    programs: PathBuf,
    running: Running,
    _folder: TempDir,
}

impl Server {
    async fn start() -> Result<Self, Error> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                packages::install("postgresql")?;
                programs().ok_or_else(|| {
                    Error::Unmet(format!("the package `postgresql` brought no `initdb` to `{PACKAGES}`"))
                })?
            }
        };
        let folder = TempDir::new().map_err(Error::file("a temporary folder"))?;
        if packages::is_root() {
            packages::run(Command::new("chown").arg("postgres:").arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb
            .args(["--auth=trust", "--username=modelward", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(&data);
        packages::run(initdb.stdout(Stdio::null()).current_dir(folder.path()))?;
        let port = free_port()?;
        let mut postgres = unprivileged(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-F"]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "log_min_messages=fatal"] {
            postgres.args(["-c", setting]);
        }
        postgres.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start("postgres", &mut postgres)?;
        let mut server = Self { port, programs, running, _folder: folder };
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let step = Duration::from_millis(100);
        for _ in 0..READY.as_millis() / step.as_millis() {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args(["--quiet", "--host=127.0.0.1", "--port", &self.port.to_string()]);
            if packages::run(&mut asked).is_ok() {
                return Ok(());
            }
            self.running.must_run()?;
            tokio::time::sleep(step).await;
        }
        Err(Error::Late { what: "PostgreSQL".to_owned(), seconds: READY.as_secs() })
    }

    fn url(&self) -> String {
        format!("postgres://modelward@127.0.0.1:{}/postgres", self.port)
    }
}

/// The server refuses to run as root, so its package's own user runs it.
fn unprivileged(program: &Path) -> Command {
    if !packages::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// Where the newest installed server has its programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(PACKAGES).ok()?;
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| bin(*version).join("initdb").is_file())
        .max()?;
    Some(bin(newest))
}

fn bin(version: u32) -> PathBuf {
    Path::new(PACKAGES).join(version.to_string()).join("bin")
}

/// Free a moment ago: good enough for a server that says so when it is not.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::connect("127.0.0.1:0"))?;
    Ok(listener.local_addr().map_err(Error::connect("127.0.0.1:0"))?.port())
}
