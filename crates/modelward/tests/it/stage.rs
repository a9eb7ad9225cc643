//! The binary with an environment of its own, and a control plane that answers what a test tells it to.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A folder to run in.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

/// What one run said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
        command.args(args).current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        // Seven segments are filled with zeros for each installation.
        command.env("MODELWARD_LEDGER_SEGMENT_SIZE", "1 MiB");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.run_with(args, "")
    }

    /// Runs at a terminal, and types each answer once its question stands there: what the terminal showed. Nothing where
    /// no terminal can be made.
    pub(crate) fn at_terminal(&self, args: &[&str], answers: &[(&str, &str)]) -> Option<String> {
        let plain = self.command(args);
        let words = std::iter::once(plain.get_program()).chain(plain.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("/usr/bin/script");
        command.args(["-qec", &line.join(" "), "/dev/null"]).current_dir(self.folder.path());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("SHELL", "/bin/sh");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let (mut stdin, mut stdout) = (child.stdin.take()?, child.stdout.take()?);
        let mut answers = answers.iter();
        let mut next = answers.next();
        let mut shown = Vec::new();
        let mut byte = [0];
        // Byte by byte: a question has no end of line.
        while stdout.read(&mut byte).is_ok_and(|read| read == 1) {
            shown.extend(byte);
            if let Some((question, answer)) = next
                && shown.ends_with(format!("{question}: ").as_bytes())
            {
                // The question stands there a moment before the terminal stops to show what is typed.
                for _ in 0..LOOKS {
                    if *question != "Password" || is_silent(child.id()) {
                        break;
                    }
                    thread::park_timeout(Duration::from_millis(5));
                }
                writeln!(stdin, "{answer}").unwrap();
                next = answers.next();
            }
        }
        child.wait().unwrap();
        Some(String::from_utf8_lossy(&shown).into_owned())
    }

    /// Runs with this text on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Said {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input closes it: no reason to fail.
        let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
        Said::from(&child.wait_with_output().unwrap())
    }
}

/// How often a test looks at a terminal before it types all the same.
const LOOKS: usize = 2_000;

/// Whether the terminal that `script` made for its child does not show what is typed.
fn is_silent(script: u32) -> bool {
    let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children"));
    let Some(child) = children.ok().and_then(|all| all.split(' ').next().map(str::to_owned)) else {
        return false;
    };
    let Ok(terminal) = std::fs::read_link(format!("/proc/{child}/fd/0")) else { return false };
    let told = Command::new("stty").arg("-F").arg(terminal).arg("-a").output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains(" -echo "))
}

impl From<&Output> for Said {
    fn from(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// A control plane of canned answers, taken in order. Each connection carries one request.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `POST /api/v1/login`
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn answering(answers: Vec<(u16, serde_json::Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            let mut answers: VecDeque<_> = answers.into();
            for stream in listener.incoming() {
                let Some((status, body)) = answers.pop_front() else { return };
                exchange(stream.unwrap(), status, &body.to_string(), &seen);
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Notes the request before it answers: whoever has the answer finds it noted.
fn exchange(stream: TcpStream, status: u16, body: &str, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(found.split_once(':')?.1.trim().to_owned())
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut content = vec![0; length];
    reader.read_exact(&mut content).unwrap();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let line = head.first().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let body = String::from_utf8(content).unwrap();
    seen.lock().unwrap().push(Request { line, authorization: header("authorization"), body });
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
}
