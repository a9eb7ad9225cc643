//! Killing the whole process while a bundle comes into force: afterwards the one before governs or the new one, decisions
//! name it, and the log verifies.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::SystemTime;

use serde_json::Value;

use crate::stage::Stage;
use crate::ward::Ward;

/// Kills, each at another of the last writes of an activation.
const KILLS: usize = 5;

#[test]
fn a_crash_while_a_bundle_comes_into_force_leaves_the_old_one_or_the_new_one() {
    let reviewers = Reviewers::new();
    let ward = Ward::reviewed_by(&reviewers.stage.path("reviewers.toml"));
    let (before, after) = reviewers.propose(&ward);
    let (done, writes) = activate(&ward, &after, usize::MAX);
    assert!(done && governing(&ward, &before, &after) == after);
    let mut left = [0, 0];
    for kill in 0..KILLS {
        roll_back(&ward, &before);
        let (done, _) = activate(&ward, &after, writes.saturating_sub(kill));
        let now = governing(&ward, &before, &after);
        assert!(!done || now == after, "kill {kill}: it was answered and is undone");
        left[usize::from(now == after)] += 1;
    }
    println!("{KILLS} kills around write {writes}: {} left the old bundle, {} the new one", left[0], left[1]);
}

/// Kills the process once its files changed this often, or when the command ended: whether it was told that it is done,
/// and how often they changed.
fn activate(ward: &Ward, bundle: &str, writes: usize) -> (bool, usize) {
    let serving = ward.start();
    let mut asked = ward.dana_command(&["policy", "activate", bundle]);
    let mut asking = asked.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let seen = wait_for_writes(&ward.data(), writes, &mut asking);
    serving.signal("-KILL");
    (asking.wait().unwrap().success(), seen)
}

/// Back to the bundle of before, wherever the last kill left it.
fn roll_back(ward: &Ward, before: &str) {
    let mut serving = ward.start();
    let status: Value = serde_json::from_str(&ward.dana(&["policy", "show", "--json"]).stdout).unwrap();
    if status["active"]["digest"] != before {
        ward.dana(&["policy", "rollback", before]);
    }
    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
}

/// The digest in force after a start, which decisions name, in a log that verifies.
fn governing(ward: &Ward, before: &str, after: &str) -> String {
    let mut serving = ward.start();
    let status: Value = serde_json::from_str(&ward.dana(&["policy", "show", "--json"]).stdout).unwrap();
    let active = status["active"]["digest"].as_str().unwrap().to_owned();
    assert!(active == before || active == after, "{active}");
    let answer = ward.predict(&ward.token()).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let decision = ward.dana(&["explain", &answer.decision.unwrap(), "--json"]).stdout;
    let decision: Value = serde_json::from_str(&decision).unwrap();
    assert_eq!(decision["bundle"], active.as_str());
    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
    let verified = ward.verify();
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    active
}

/// Waits until the files of the installation changed this often, or nobody asks any more: how often they did.
fn wait_for_writes(data: &Path, writes: usize, asking: &mut Child) -> usize {
    let mut last = footprint(data);
    let mut changes = 0;
    while changes < writes && asking.try_wait().unwrap().is_none() {
        let now = footprint(data);
        changes += usize::from(now != last);
        last = now;
    }
    changes
}

/// When each file was written last. One that goes while it is looked at counts as a change.
fn footprint(folder: &Path) -> Vec<Option<(u64, SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(footprint(&path));
        } else {
            let known = entry.metadata().and_then(|it| Ok((it.len(), it.modified()?)));
            found.push(known.ok());
        }
    }
    found
}

/// Two people who sign, with their keys.
struct Reviewers {
    stage: Stage,
}

impl Reviewers {
    fn new() -> Self {
        let stage = Stage::new();
        let entry = |(name, group): (&str, &str)| {
            let key = format!("{name}.key");
            let said = stage.run(&["policy", "key", name, "--group", group, "--output", &key]);
            assert_eq!(said.code, 0, "{}", said.stderr);
            said.stdout
        };
        let text: String = [("ben", "platform"), ("eve", "security")].map(entry).concat();
        stage.write("reviewers.toml", &text);
        Self { stage }
    }

    /// A bundle that both of them signed: the digest of the one in force, and its own.
    fn propose(&self, ward: &Ward) -> (String, String) {
        let mut serving = ward.start();
        let status: Value = serde_json::from_str(&ward.dana(&["policy", "show", "--json"]).stdout).unwrap();
        let before = status["active"]["digest"].as_str().unwrap().to_owned();
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .args([policies, self.stage.path("policies")])
            .status()
            .unwrap();
        assert!(copied.success());
        let header = self.stage.path("policies/bundle.toml");
        let text = std::fs::read_to_string(&header).unwrap();
        std::fs::write(header, text.replace("version = \"0.1.0\"", "version = \"0.2.0\"")).unwrap();
        std::fs::copy(self.stage.path("reviewers.toml"), self.stage.path("policies/reviewers.toml")).unwrap();
        let built = self.stage.run(&["policy", "build", "policies", "--output", "next.mwb"]);
        assert_eq!(built.code, 0, "{}", built.stderr);
        for (name, role) in [("ben", "platform"), ("eve", "security")] {
            let key = format!("{name}.key");
            let sign = ["policy", "sign", "next.mwb", "--key", &key, "--author", "ada", "--role", role];
            let said = self.stage.run(&[&sign[..], &["--previous", &before]].concat());
            assert_eq!(said.code, 0, "{}", said.stderr);
        }
        let file = self.stage.path("next.mwb");
        ward.dana(&["policy", "propose", file.to_str().unwrap()]);
        serving.signal("-TERM");
        assert_eq!(serving.exit_code(), Some(0));
        (before, built.stdout.trim().to_owned())
    }
}
