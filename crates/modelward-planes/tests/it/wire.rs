//! The shapes that travel. A change here is another [`modelward_planes::FORMAT`].

use expect_test::expect;
use modelward_planes::{Delta, Position, Step};

use crate::control::{Control, NOON, challenge, change};

#[test]
fn steps_look_as_format_1_says() {
    let lines: Vec<String> =
        (0..13).map(|kind| serde_json::to_string(&Step::of(&change(kind, 1))).unwrap()).collect();
    expect![[r#"
        {"person":{"id":"pe_000000000000000000000000z9","name":"person-1","display_name":"Person 1","clearance":"internal","active":true,"groups":["gp_00000000000000000000000001"]}}
        {"group":{"id":"gp_00000000000000000000000001","name":"group-1","parents":[]}}
        {"project":{"id":"pr_00000000000000000000000001","name":"project-1"}}
        {"model":{"id":"mo_00000000000000000000000001","project":"pr_00000000000000000000000001","name":"model-1","classification":"internal","tags":[],"quarantined":false,"on_sensitive_ask":"refuse"}}
        {"grant":{"id":"gr_000000000000000000000001yh","grantee":{"kind":"person","id":"pe_000000000000000000000000z9"},"privilege":"inference","scope":{"kind":"project","id":"pr_00000000000000000000000001"},"conditions":{"max_uses":18446744073709551614},"not_before":"2027-01-15T08:00:00Z","not_after":"2027-01-15T09:00:00Z","origin":{"kind":"request","request":"ev_00000000000000000000000007","approvals":2}}}
        {"grant":{"id":"gr_000000000000000000000001yh","grantee":{"kind":"person","id":"pe_000000000000000000000000z9"},"privilege":"inference","scope":{"kind":"project","id":"pr_00000000000000000000000001"},"conditions":{"max_uses":18446744073709551614},"not_before":"2027-01-15T08:00:00Z","not_after":"2027-01-15T09:00:00Z","origin":{"kind":"request","request":"ev_00000000000000000000000007","approvals":2}}}
        {"revoke":"gr_000000000000000000000001yh"}
        {"bump":{"kind":"principal","id":{"kind":"person","id":"pe_000000000000000000000000z9"}}}
        {"bump":{"kind":"session","id":"se_00000000000000000000000001"}}
        {"remove":{"Model":"mo_00000000000000000000000001"}}
        {"raise":{"what":{"about":{"kind":"principal","id":{"kind":"person","id":"pe_000000000000000000000000z9"}},"signal":"risk-high"},"raised_at":"2027-01-15T08:00:00Z","until":"2027-01-15T08:00:00Z","by":"corporate","confidence":"managed"}}
        {"lift":{"about":{"kind":"principal","id":{"kind":"person","id":"pe_000000000000000000000000z9"}},"signal":"risk-high"}}
        {"candidate":null}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn deltas_and_beats_look_as_format_1_says() {
    let delta = Delta::of(Position::first(&[7; 16], 4), 5, NOON, &[change(6, 1)]);
    let mut control = Control::new(1, 4);
    control.publish(vec![change(6, 1)]);
    let told = format!("{}\n{}", serde_json::to_string(&delta).unwrap(), control.beat(challenge(5), None));
    expect![[r#"
        {"from":{"revision":4,"hash":"sha256:beaadca0c0fa8c1fe9e57462dfa634f6293fa094fda68063b41a0ffa896ca089"},"to":5,"at":"2027-01-15T08:00:00Z","steps":[{"revoke":"gr_000000000000000000000001yh"}]}
        beat "modelward/heartbeat/v1\ngw-1\n5\nsha256:e9538f853d036c944f1a7bbb47f1c9c87e6fba5df44bf1c0f9ace1e9138f8214\n-\nsha256:a63f723bf9ff03d562729274daf4b5a795dbe6c4562cc4d2dd20454fdf281164\n2027-01-15T08:00:00Z\n05050505050505050505050505050505\n\n— modelward/snapshot X78dLAGoD8kT1fn22YKbZzwCpGquNZGHeFGq94Rz9XEm9jkFZVxHVw8yxqYtymMdzNnrvQJ/b7EW+MwegDbELGW4Kgg=\n"
    "#]].assert_eq(&told);
}

#[test]
fn what_is_unknown_is_refused() {
    for text in [
        r#"{"unlock":"gr_00000000000000000000000001"}"#,
        r#"{"candidate":{"bundle":"sha256:00","reach":{"kind":"shadow"}}}"#,
        r#"{"epoch":{"scope":{"kind":"grant","id":"gr_00000000000000000000000001"},"count":1,"more":2}}"#,
    ] {
        assert!(serde_json::from_str::<Step>(text).is_err(), "{text}");
    }
}
