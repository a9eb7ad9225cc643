//! One control plane and its gateways, each a process of its own: killed, paused, cut off, delayed, set back.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::installation::{Serving, get};
use crate::proxy::Proxy;
use crate::stage::Stage;
use crate::ward::{Ward, port, predict_at};

/// How often a test looks before it gives up; no test asserts how long anything takes.
const LOOKS: usize = 2_000;
/// What nobody has any right on does not exist for them.
const DENIED: u16 = 404;
const A_MOMENT: Duration = Duration::from_millis(50);

/// A gateway in a process of its own, behind a proxy of its own.
struct Outpost {
    name: &'static str,
    stage: Stage,
    proxy: Proxy,
    serving: Serving,
    port: u16,
    probes: String,
}

impl Outpost {
    /// Enrolled and started.
    fn new(ward: &Ward, name: &'static str, planes: u16) -> Self {
        let stage = Stage::new();
        let proxy = Proxy::to(planes);
        stage.write("gateway.toml", &ward.gateway_config(name, proxy.port));
        let code = ward.dana(&["gateway", "invite", name]).stdout;
        let args = ["gateway", "enrol", "--stdin", "--config", "gateway.toml"];
        let said = stage.run_with(&args, &code);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let again = Stage::new();
        again.write("gateway.toml", &ward.gateway_config(name, proxy.port));
        assert_eq!(again.run_with(&args, &code).code, 3, "a code counts once");
        let (serving, port, probes) = start(&stage, name);
        Self { name, stage, proxy, serving, port, probes }
    }

    fn restart(&mut self) {
        let (serving, port, probes) = start(&self.stage, self.name);
        (self.serving, self.port, self.probes) = (serving, port, probes);
    }

    /// The status of a prediction.
    fn predicts(&self, token: &str) -> Option<u16> {
        predict_at(self.port, token).map(|answer| answer.status)
    }

    fn until_it_predicts(&self, token: &str, status: u16) {
        until(&format!("{} answers {status}", self.name), || self.predicts(token) == Some(status));
    }

    /// What it has in force is acknowledged, too: it may predict a moment before the control plane knows.
    fn until_it_is_current(&self, ward: &Ward) {
        until(&format!("{} is current", self.name), || listed(ward, self.name) == ("current".to_owned(), 0));
    }

    fn is_ready(&self) -> bool {
        get(&self.probes, "/healthz/ready").starts_with("HTTP/1.1 200 ")
    }
}

fn start(stage: &Stage, name: &str) -> (Serving, u16, String) {
    let serving = Serving::spawn(&mut stage.command(&["serve", "--config", "gateway.toml"]));
    let address = serving.line_after(&format!("gateway {name}: "));
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let probes = serving.line_after("probes and metrics: ");
    (serving, port, format!("http://{probes}"))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        thread::park_timeout(A_MOMENT);
    }
    panic!("it did not come to it: {what}");
}

/// State and revision of a gateway, as the control plane tells them.
fn listed(ward: &Ward, name: &str) -> (String, u64) {
    let list: Value = serde_json::from_str(&ward.dana(&["gateway", "list", "--json"]).stdout).unwrap();
    let found = list.as_array().unwrap().iter().find(|gateway| gateway["name"] == name).unwrap();
    (found["state"].as_str().unwrap().to_owned(), found["behind"].as_u64().unwrap())
}

#[test]
fn threat_27_an_outage_of_the_control_plane_is_survived_within_bounds_and_healed_without_a_restart() {
    let ward = Ward::new();
    let planes = port();
    let control = ward.start_control(planes);
    let outposts = ["edge-1", "edge-2", "edge-3"].map(|name| Outpost::new(&ward, name, planes));
    let [one, two, three] = &outposts;
    let token = ward.token();
    for outpost in &outposts {
        outpost.until_it_predicts(&token, 200);
        outpost.until_it_is_current(&ward);
    }

    // One is paused, then the control plane dies. Those left go on predicting, for a while.
    three.serving.signal("-STOP");
    control.signal("-KILL");
    assert_eq!(one.predicts(&token), Some(200));
    until("the first one hears nothing for too long", || !one.is_ready());
    assert_eq!(one.predicts(&token), Some(503));
    until("the second one too", || two.predicts(&token) == Some(503));
    // The one that sleeps may have heard a heartbeat or two more.
    thread::park_timeout(Duration::from_secs(4));

    // It comes back, and what it has taken away is gone everywhere, also where nobody could listen.
    let control = ward.start_control(planes);
    let token = ward.token();
    for outpost in [one, two] {
        outpost.until_it_predicts(&token, 200);
    }
    assert_eq!(ward.revoke().code, 0);
    for outpost in [one, two] {
        outpost.until_it_predicts(&token, DENIED);
    }
    three.serving.signal("-CONT");
    until("the third one answers again", || {
        let status = three.predicts(&token);
        assert_ne!(status, Some(200), "it slept longer than any state is good for");
        status == Some(DENIED)
    });
    for outpost in &outposts {
        outpost.until_it_is_current(&ward);
    }

    // A control plane that stands still is as good as none, and needs no restart either.
    control.signal("-STOP");
    until("a silent control plane is noticed", || !one.is_ready());
    control.signal("-CONT");
    until("and heard again", || one.is_ready());
}

#[test]
fn a_gateway_that_is_cut_off_or_delayed_is_shown_so_and_never_allows_more_than_before() {
    let ward = Ward::new();
    let planes = port();
    let _control = ward.start_control(planes);
    let (near, far) = (Outpost::new(&ward, "near", planes), Outpost::new(&ward, "far", planes));
    let token = ward.token();
    near.until_it_predicts(&token, 200);
    far.until_it_predicts(&token, 200);
    far.until_it_is_current(&ward);

    far.proxy.hold();
    assert_eq!(ward.revoke().code, 0);
    near.until_it_predicts(&token, DENIED);
    until("the one that is held back is fenced", || listed(&ward, "far").0 == "fenced");
    assert!(listed(&ward, "far").1 > 0, "it is behind");
    far.proxy.release();
    far.until_it_predicts(&token, DENIED);
    far.until_it_is_current(&ward);

    far.proxy.cut();
    until("the one that is cut off is stale", || listed(&ward, "far").0 == "stale");
    far.proxy.mend();
    far.until_it_is_current(&ward);

    ward.dana(&["gateway", "remove", "far"]);
    until("a removed gateway permits nothing", || !far.is_ready());
    assert!(near.is_ready());
}

#[test]
fn an_older_state_is_refused_also_after_a_restart() {
    let ward = Ward::new();
    let planes = port();
    let mut control = ward.start_control(planes);
    let mut edge = Outpost::new(&ward, "edge", planes);
    let token = ward.token();
    edge.until_it_predicts(&token, 200);

    // Somebody puts back the data directory of before the revocation.
    control.signal("-TERM");
    assert_eq!(control.exit_code(), Some(0));
    let stage = Stage::new();
    let (data, kept) = (ward.data(), stage.path("kept"));
    copy(&data, &kept);
    let mut control = ward.start_control(planes);
    assert_eq!(ward.revoke().code, 0);
    edge.until_it_predicts(&token, DENIED);
    control.signal("-TERM");
    assert_eq!(control.exit_code(), Some(0));
    edge.serving.signal("-TERM");
    assert_eq!(edge.serving.exit_code(), Some(0));
    std::fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    let _control = ward.start_control(planes);
    edge.restart();
    edge.serving.line_with(|line| line.contains("which was in force here").then(String::new));
    assert!(!edge.is_ready());
    assert_ne!(edge.predicts(&token), Some(200), "it has no state it believes");
}

#[test]
fn threat_28_keys_are_rotated_under_load_and_a_stolen_one_ends_everywhere() {
    let ward = Ward::new();
    let planes = port();
    let _control = ward.start_control(planes);
    let outposts = ["edge-1", "edge-2", "edge-3"].map(|name| Outpost::new(&ward, name, planes));
    let before = ward.token();
    for outpost in &outposts {
        outpost.until_it_predicts(&before, 200);
    }
    for purpose in ["access-token", "snapshot", "access-token"] {
        ward.dana(&["key", "rotate", purpose]);
        let after = ward.token();
        for outpost in &outposts {
            assert_eq!(outpost.predicts(&after), Some(200), "a token of the new key, at once");
            assert_eq!(outpost.predicts(&before), Some(200), "and one of the key before");
        }
    }
    let stolen = ward.token();
    ward.dana(&["key", "rotate", "snapshot", "--now"]);
    ward.dana(&["key", "rotate", "access-token", "--now"]);
    for outpost in &outposts {
        outpost.until_it_predicts(&stolen, 401);
    }
    let after = ward.token();
    for outpost in &outposts {
        outpost.until_it_predicts(&after, 200);
    }
}

#[test]
fn uses_of_a_grant_are_counted_once_for_all_gateways() {
    let ward = Ward::new();
    let planes = port();
    let control = ward.start_control(planes);
    let outposts = ["edge-1", "edge-2", "edge-3"].map(|name| Outpost::new(&ward, name, planes));
    let token = ward.token();
    for outpost in &outposts {
        outpost.until_it_predicts(&token, 200);
    }
    assert_eq!(ward.revoke().code, 0);
    for outpost in &outposts {
        outpost.until_it_predicts(&token, DENIED);
    }
    ward.dana(&[
        "grant",
        "group:clinicians",
        "inference",
        "project:pathology",
        "--for",
        "8h",
        "--max-uses",
        "5",
    ]);
    for outpost in &outposts {
        outpost.until_it_is_current(&ward);
    }
    let token = ward.token();
    let ports = outposts.each_ref().map(|outpost| outpost.port);
    let allowed = thread::scope(|scope| {
        let ask = |port: u16| predict_at(port, &token).is_some_and(|answer| answer.status == 200);
        let calls: Vec<_> =
            ports.iter().cycle().take(18).map(|port| scope.spawn(move || ask(*port))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).filter(|allowed| *allowed).count()
    });
    assert_eq!(allowed, 5);

    // Without the control plane nobody counts, so nothing that has to be counted is allowed.
    control.signal("-KILL");
    for outpost in &outposts {
        let status = outpost.predicts(&token);
        assert!(matches!(status, Some(403 | 503)), "{status:?}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}
