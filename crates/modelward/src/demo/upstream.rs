//! The model server of the demonstration: another process, which knows nothing of Modelward.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use demo_upstream::StartupReport;
use jiff::Timestamp;
use modelward_server::wire::Secret;

use crate::exit::{Exit, Failure, chain};

/// Ends with its standard input, so with this process, however that ends.
#[derive(Debug)]
pub(super) struct Upstream {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(super) report: StartupReport,
}

impl Upstream {
    /// Starts the server, which trains its models first.
    pub(super) fn start(credential: &Secret, now: Timestamp) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| {
            Failure::new(Exit::Failure, format!("failed to start the model server: {}", chain(error)))
        };
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut child = Command::new(program)
            .arg("demo-upstream")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let silent = || Failure::new(Exit::Failure, "the model server ended before it was ready");
        let (mut stdin, stdout) =
            (child.stdin.take().ok_or_else(silent)?, child.stdout.take().ok_or_else(silent)?);
        let options = serde_json::json!({ "credential": credential.expose(), "started_at": now.as_second() });
        writeln!(stdin, "{options}").map_err(|error| failed(&error))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| failed(&error))?;
        let report = serde_json::from_str(&line).map_err(|_| silent())?;
        Ok(Self { child, stdin: Some(stdin), report })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if self.child.wait().is_err() {
            tracing::warn!("the model server of the demonstration could not be waited for");
        }
    }
}
