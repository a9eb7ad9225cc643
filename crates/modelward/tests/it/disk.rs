//! The ledger's folder taken away, made read-only or filled up under the running process: what is not recorded does not
//! leave, probes and log say why, and a full disk still takes revocations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::installation::{Serving, get};
use crate::ward::{LABEL, Ward};

#[test]
fn a_ledger_deleted_underneath_stops_every_answer_and_the_next_start() {
    let ward = Ward::new();
    let serving = ward.start();
    let token = ward.token();
    assert!(ward.predict(&token).unwrap().text.contains(LABEL));
    // The publisher may write a file between two steps of the removal.
    while ward.ledger().exists() {
        fs::remove_dir_all(ward.ledger()).unwrap_or_default();
    }
    check_nothing_leaves(&ward, &token);
    check_not_ready(&serving, "removed underneath");
    let said = ward.revoke();
    assert_eq!(said.code, 5, "{}", said.stdout);
    assert!(said.stderr.contains("nothing was done: decisions cannot be recorded"), "{}", said.stderr);
    check_nothing_leaves(&ward, &token);
    drop(serving);
    let refused = ward.command().stdin(Stdio::null()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "without its ledger it starts no more");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("the ledger cannot be opened"), "{told}");
}

#[test]
fn a_read_only_ledger_lets_go_of_what_it_recorded_and_of_nothing_after() {
    let ward = Ward::new();
    let Some(serving) = ward.start_unprivileged() else { return };
    let token = ward.token();
    let status = Command::new("chmod").args(["-R", "a-w"]).arg(ward.ledger()).status().unwrap();
    assert!(status.success());
    let answered = ask_until_refused(&ward, &token);
    check_nothing_leaves(&ward, &token);
    check_not_ready(&serving, "Permission denied");
    let said = ward.revoke();
    assert_eq!(said.code, 5, "no room for it can be made ready: {}", said.stdout);
    check_nothing_leaves(&ward, &token);
    drop(serving);
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(ward.ledger()).status().unwrap();
    assert!(status.success());
    check_all_recorded(&ward, answered);
}

#[test]
fn a_full_ledger_stops_answers_and_takes_revocations() {
    let ward = Ward::new();
    let Some(_small) = SmallDisk::under(&ward.ledger()) else { return };
    let serving = ward.start();
    let token = ward.token();
    let filler = fill(&ward.ledger());
    let answered = ask_until_refused(&ward, &token);
    check_nothing_leaves(&ward, &token);
    check_not_ready(&serving, "No space left");
    let said = ward.revoke();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(ward.predict(&token).unwrap().status, 404, "the revocation is in force");
    assert!(
        get(&serving.gateway, "/healthz/ready").starts_with("HTTP/1.1 503 "),
        "answers are still stopped"
    );
    drop(serving);
    fs::remove_file(filler).unwrap();
    check_all_recorded(&ward, answered);
}

/// How many answers came before none did. What is prepared lasts for some.
fn ask_until_refused(ward: &Ward, token: &str) -> usize {
    for answered in 0..20_000 {
        let answer = ward.predict(token).unwrap();
        if answer.status != 200 {
            assert_eq!(answer.status, 503, "{answer:?}");
            return answered;
        }
    }
    panic!("it never stopped");
}

fn check_nothing_leaves(ward: &Ward, token: &str) {
    for _ in 0..3 {
        let answer = ward.predict(token).unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(!answer.text.contains(LABEL), "{answer:?}");
        assert!(answer.text.contains("cannot be recorded"), "{answer:?}");
    }
}

/// Both listeners say so, that of the operators says why, and so does the log.
fn check_not_ready(serving: &Serving, why: &str) {
    let gateway = get(&serving.gateway, "/healthz/ready");
    assert!(gateway.starts_with("HTTP/1.1 503 "), "{gateway}");
    let control = get(&serving.control, "/healthz/ready");
    assert!(control.starts_with("HTTP/1.1 503 ") && control.contains(why), "{control}");
    serving.line_with(|line| (line.contains("ERROR") && line.contains(why)).then(String::new));
}

/// After a restart with the folder as it should be: every answer has its decision, and the log verifies.
fn check_all_recorded(ward: &Ward, answered: usize) {
    let mut serving = ward.start();
    serving.signal("-TERM");
    assert_eq!(serving.exit_code(), Some(0));
    let verified = ward.verify();
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let entries: usize =
        verified.stdout.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap();
    assert!(entries > answered, "{answered} answers: {}", verified.stdout);
}

/// A file system of 24 MiB over a folder, with what was in it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where this process may not mount.
    fn under(folder: &Path) -> Option<Self> {
        let kept = folder.with_extension("kept");
        fs::rename(folder, &kept).unwrap();
        fs::create_dir(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs"]).arg(folder);
        if !mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            println!("skipped: a full disk needs the right to mount one");
            return None;
        }
        let disk = Self(folder.to_owned());
        // What was filled with zeros has to stay filled.
        let mut copy = Command::new("cp");
        copy.args(["-a", "--sparse=never"]).arg(kept.join(".")).arg(folder);
        assert!(copy.status().unwrap().success());
        Some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// A file that takes all the room there is.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut file = fs::File::create(&path).unwrap();
    while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|written| written > 0) {}
    path
}
