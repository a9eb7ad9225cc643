//! An installation and the process that serves it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use jiff::Timestamp;
use modelward_identity::totp::TotpSecret;
use serde_json::Value;

use crate::stage::{Said, Stage};

const PASSWORD: &str = "seven unlikely brown kettles";

/// `modelward serve`, until it is told to stop or dropped.
pub(crate) struct Serving {
    child: Child,
    lines: Receiver<String>,
    pub(crate) control: String,
    pub(crate) gateway: String,
}

impl Serving {
    /// On any free ports.
    pub(crate) fn start(stage: &Stage, variables: &[(&str, &str)]) -> Self {
        let mut command = stage.command(&["serve", "--config", "data/modelward.toml"]);
        command.env("MODELWARD_CONTROL_LISTEN", "127.0.0.1:0").env("MODELWARD_GATEWAY_LISTEN", "127.0.0.1:0");
        command.envs(variables.iter().copied());
        Self::of(&mut command)
    }

    /// Waits until it has said where it listens.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut serving = Self::spawn(command);
        serving.control = serving.line_after("control plane and console: ");
        serving.gateway = serving.line_after("gateway: ");
        serving
    }

    /// Waits for nothing.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        // Read all the time: a full pipe would stop the process.
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, control: String::new(), gateway: String::new() }
    }

    /// What follows this text on the line that begins with it.
    pub(crate) fn line_after(&self, beginning: &str) -> String {
        self.line_with(|line| line.strip_prefix(beginning).map(str::to_owned))
    }

    pub(crate) fn line_with(&self, found: impl Fn(&str) -> Option<String>) -> String {
        let mut before = String::new();
        for line in &self.lines {
            if let Some(found) = found(line.trim_end()) {
                return found;
            }
            before.push_str(&line);
            before.push('\n');
        }
        panic!("it ended before it said so:\n{before}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Makes the installation, and gives the code its first person enrols with.
pub(crate) fn init(stage: &Stage) -> String {
    init_with(stage, &[])
}

pub(crate) fn init_with(stage: &Stage, more: &[&str]) -> String {
    let said = stage.run(&[&["init", "dana", "--data-dir", "data"], more].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

/// Enrols and signs in as a script would.
pub(crate) fn enrol(stage: &Stage, name: &str, server: &str, code: &str) -> Said {
    let mut child = stage
        .command(&["enrol", "--stdin", "--server", server])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    writeln!(stdin, "{code}").unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let secret = secret_of(started.get("secret").and_then(Value::as_str).unwrap());
    writeln!(stdin, "{PASSWORD}").unwrap();
    writeln!(stdin, "{}", secret.code(now())).unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let enrolled: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(enrolled.get("recovery_codes").and_then(Value::as_array).unwrap().len(), 10);
    assert!(child.wait().unwrap().success());
    // A code counts once, so that of the next half minute is used, which counts already.
    let next = secret.code(now() + jiff::SignedDuration::from_secs(30));
    let args = ["login", name, "--server", server, "--password-stdin", "--totp", &next];
    stage.run_with(&args, &format!("{PASSWORD}\n"))
}

/// A code for a process that has the real clock needs the real clock.
fn now() -> Timestamp {
    modelward_seal::source::Clock::now(&modelward::clock::SystemClock::unmarked())
}

fn secret_of(base32: &str) -> TotpSecret {
    TotpSecret::from_base32(base32).unwrap()
}

/// One request to a probe: the whole answer.
pub(crate) fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
