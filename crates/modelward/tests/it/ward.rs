//! An installation with a model behind it: dana governs, ines may predict.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use serde_json::Value;

use crate::installation::{Serving, enrol, init_with};
use crate::stage::{Said, Stage};

/// What only the model knows.
pub(crate) const LABEL: &str = "malignant";

pub(crate) const ASKED: &str = r#"{"inputs":[{"name":"measurements","shape":[1,1],"datatype":"FP64","data":[1.5]}],"outputs":[{"name":"label"}]}"#;

pub(crate) struct Ward {
    stage: Stage,
    /// Where ines is signed in.
    ines: Stage,
    control: u16,
    gateway: u16,
    model: String,
    /// What allows ines to predict.
    grant: String,
}

/// What a caller got of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `de_…`
    pub(crate) decision: Option<String>,
    pub(crate) text: String,
}

impl Ward {
    /// Set up and stopped.
    pub(crate) fn new() -> Self {
        Self::made_with(&[])
    }

    /// The same, where the reviewers of this file sign policies.
    pub(crate) fn reviewed_by(reviewers: &Path) -> Self {
        Self::made_with(&["--reviewers", reviewers.to_str().unwrap()])
    }

    fn made_with(more: &[&str]) -> Self {
        let stage = Stage::new();
        let code = init_with(&stage, more);
        let model = model_server();
        let file = stage.path("data/modelward.toml");
        let before = std::fs::read_to_string(&file).unwrap();
        let upstream = format!(
            "{before}\n[upstreams.hospital]\nurls = [\"{model}\"]\ndanger_credential = \"of-the-model\"\n"
        );
        std::fs::write(&file, upstream).unwrap();

        let mut ward =
            Self { stage, ines: Stage::new(), control: port(), gateway: port(), model, grant: String::new() };
        let mut serving = ward.start();
        assert_eq!(enrol(&ward.stage, "dana", &serving.control, &code).code, 0);
        let inventory = include_str!("../../src/demo/inventory/platform.toml");
        ward.stage.write("things.toml", &format!("{inventory}\n[[group]]\nname = \"clinicians\"\n"));
        ward.dana(&["apply", "-f", "things.toml", "--yes"]);
        let granted = ward.dana(&[
            "grant",
            "group:clinicians",
            "inference",
            "project:pathology",
            "--for",
            "8h",
            "--json",
        ]);
        let granted: Value = serde_json::from_str(&granted.stdout).unwrap();
        ward.grant = granted["grant"]["id"].as_str().unwrap().to_owned();
        let invited = ward.dana(&["invite", "ines", "--group", "clinicians", "--clearance", "confidential"]);
        let said = enrol(&ward.ines, "ines", &serving.control, invited.stdout.trim());
        assert_eq!(said.code, 0, "{}", said.stderr);
        serving.signal("-TERM");
        assert_eq!(serving.exit_code(), Some(0));
        ward
    }

    /// The process, on the same addresses each time: they stand in sessions and tokens.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.stage.command(&["serve", "--config", "data/modelward.toml"]);
        command.env("MODELWARD_CONTROL_LISTEN", format!("127.0.0.1:{}", self.control));
        command.env("MODELWARD_GATEWAY_LISTEN", format!("127.0.0.1:{}", self.gateway));
        command
    }

    pub(crate) fn start(&self) -> Serving {
        Serving::of(&mut self.command())
    }

    /// The same process without root's right to write where nobody may; nothing where that cannot be given up.
    pub(crate) fn start_unprivileged(&self) -> Option<Serving> {
        let plain = self.command();
        let is_root = std::fs::metadata(self.ledger()).is_ok_and(|folder| folder.uid() == 0);
        if !is_root {
            return Some(self.start());
        }
        if !Command::new("setpriv").arg("--version").output().is_ok_and(|told| told.status.success()) {
            println!("skipped: root needs `setpriv` to give up its rights");
            return None;
        }
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
        command.arg(plain.get_program()).args(plain.get_args()).current_dir(plain.get_current_dir().unwrap());
        command.env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Some(Serving::of(&mut command))
    }

    /// The control plane alone, with an address for gateways.
    pub(crate) fn start_control(&self, planes: u16) -> Serving {
        let mut command = self.command();
        command.args(["--role", "control"]).env("MODELWARD_PLANES_LISTEN", format!("127.0.0.1:{planes}"));
        let mut serving = Serving::spawn(&mut command);
        serving.control = serving.line_after("control plane and console: ");
        serving.line_after("other gateways connect to: ");
        serving
    }

    /// The configuration of a gateway that reaches the control plane at this port.
    pub(crate) fn gateway_config(&self, name: &str, planes: u16) -> String {
        format!(
            "role = \"gateway\"\ndata_dir = \"data\"\n[planes]\ncontrol = \"127.0.0.1:{planes}\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
             [telemetry]\nlisten = \"127.0.0.1:0\"\n[ledger]\norigin = \"localhost/{name}\"\n\
             [upstreams.hospital]\nurls = [\"{}\"]\ndanger_credential = \"of-the-model\"\n",
            self.model
        )
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.stage.path("data")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.stage.path("data/ledger")
    }

    /// What dana's command line says; it must succeed.
    pub(crate) fn dana(&self, args: &[&str]) -> Said {
        let said = self.stage.run(args);
        assert_eq!(said.code, 0, "{args:?}: {}{}", said.stdout, said.stderr);
        said
    }

    /// A command of dana, to be started.
    pub(crate) fn dana_command(&self, args: &[&str]) -> Command {
        self.stage.command(args)
    }

    pub(crate) fn revoke(&self) -> Said {
        self.stage.run(&["revoke", &self.grant, "--reason", "a test"])
    }

    pub(crate) fn verify(&self) -> Said {
        self.stage.run(&["ledger", "verify", "data/ledger", "--entries"])
    }

    /// What the command line of ines says.
    pub(crate) fn ines(&self, args: &[&str]) -> Said {
        self.ines.run(args)
    }

    pub(crate) fn ines_path(&self, name: &str) -> PathBuf {
        self.ines.path(name)
    }

    /// An agent of ines, ready to answer.
    pub(crate) fn agent(&self, args: &[&str]) -> Agent {
        let mut command = self.ines.command(&["agent"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = Vec::new();
        // A socket is told in one line, a port in two; an OpenAI endpoint would add two more.
        let expected = if args.contains(&"--socket") { 1 } else { 2 };
        while told.len() < expected {
            told.push(lines.next().expect("it says where it is").unwrap());
        }
        Agent { child, told }
    }

    /// A token of ines, good for minutes.
    pub(crate) fn token(&self) -> String {
        let said = self.ines.run(&["token"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stdout.trim().to_owned()
    }

    /// Asks the model; nothing when no head of an answer came.
    pub(crate) fn predict(&self, token: &str) -> Option<Answer> {
        predict_at(self.gateway, token)
    }
}

/// `modelward agent`, until it is dropped.
pub(crate) struct Agent {
    child: Child,
    told: Vec<String>,
}

impl Agent {
    /// What it tells programs in this variable.
    pub(crate) fn variable(&self, name: &str) -> String {
        let prefix = format!("export {name}=");
        let told = self.told.iter().find_map(|line| line.strip_prefix(&prefix));
        told.unwrap_or_else(|| panic!("no {name} in {:?}", self.told)).to_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The same, at any gateway of this machine.
pub(crate) fn predict_at(gateway: u16, token: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway)).ok()?;
    let head = format!(
        "POST /diagnosis/v2/models/breast-cancer/infer HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{ASKED}",
        gateway,
        ASKED.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // What came before it broke off counts too.
    let _broken = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    let decision = head.lines().find_map(|line| line.strip_prefix("x-modelward-decision: "));
    Some(Answer { status, decision: decision.map(str::to_owned), text })
}

/// A port that the system gives to nobody by itself, so that it is free again after each start.
pub(crate) fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A model server that has one answer. Its address.
fn model_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_all(BufReader::new(stream)));
        }
    });
    url
}

fn answer_all(mut stream: BufReader<TcpStream>) -> Option<()> {
    let body = format!(
        r#"{{"model_name":"breast-cancer","model_version":"1","outputs":[{{"name":"label","shape":[1,1],"datatype":"BYTES","data":["{LABEL}"]}}]}}"#
    );
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        stream.read_exact(&mut vec![0; length]).ok()?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}
