//! Commands against a control plane of canned answers: what is sent, what is shown, how it exits.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;
use serde_json::{Value, json};

use crate::stage::{Server, Stage};

const PERSON: &str = "pe_00000000000000000000000001";
const SECRET: &str = "mws_0123456789abcdef";

fn session() -> Value {
    json!({
        "id": "se_00000000000000000000000001", "current": true, "strength": 2, "methods": ["pwd", "otp"],
        "authenticated_at": "2026-11-20T08:00:00Z", "created_at": "2026-11-20T08:00:00Z",
        "last_seen_at": "2026-11-20T08:00:00Z", "idle_until": "2026-11-20T08:30:00Z",
        "expires_at": "2026-11-20T20:00:00Z", "user_agent": "modelward"
    })
}

fn dana() -> Value {
    json!({ "kind": "person", "id": PERSON, "name": "dana", "display_name": "Dana Osei" })
}

pub(crate) fn logged_in() -> Value {
    json!({ "session_secret": SECRET, "session": session(), "person": dana() })
}

pub(crate) fn sign_in(stage: &Stage, server: &Server) {
    let said = stage.run_with(
        &["login", "dana", "--server", &server.url, "--password-stdin", "--totp", "123456"],
        "correct horse battery\n",
    );
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
fn a_sign_in_is_kept_where_nobody_else_can_read_it() {
    let stage = Stage::new();
    let server = Server::answering(vec![(200, logged_in()), (200, json!({ "session": session()["id"] }))]);
    sign_in(&stage, &server);
    let sent = server.requests();
    assert_eq!(sent[0].line, "POST /api/v1/login");
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!(body, json!({ "name": "dana", "password": "correct horse battery", "totp": "123456" }));

    let file = stage.path(".config/modelward/credentials.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // The server signed in to is where the next command goes.
    let said = stage.run(&["logout"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(server.requests()[1].authorization.as_deref(), Some(format!("Bearer {SECRET}").as_str()));
    assert!(!std::fs::read_to_string(&file).unwrap().contains(SECRET));
}

#[test]
fn a_session_others_can_read_is_not_used() {
    let stage = Stage::new();
    let server = Server::answering(vec![(200, logged_in())]);
    sign_in(&stage, &server);
    let file = stage.path(".config/modelward/credentials.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = stage.run(&["whoami"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("hint: chmod go-rwx"), "{}", said.stderr);
}

#[test]
fn nobody_signed_in_exits_with_4() {
    let stage = Stage::new();
    let said = stage.run(&["whoami"]);
    assert_eq!(said.code, 4);
    expect![[r#"
        error: nobody is signed in at `http://127.0.0.1:7080`
        hint: sign in with `modelward login`
    "#]]
    .assert_eq(&said.stderr);
}

#[test]
fn a_server_that_is_not_there_exits_with_5() {
    let stage = Stage::new();
    // Port 9 of loopback: reserved for discard, and nobody runs that.
    let args = ["login", "dana", "--server", "http://127.0.0.1:9", "--password-stdin", "--totp", "123456"];
    let said = stage.run_with(&args, "correct horse battery\n");
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("hint: is `modelward serve` running?"), "{}", said.stderr);
    assert!(!said.stderr.contains("correct"));
}

#[test]
fn a_password_is_never_sent_in_plain_text() {
    let stage = Stage::new();
    let args = ["login", "dana", "--server", "http://example.org", "--password-stdin", "--totp", "1"];
    let said = stage.run_with(&args, "correct horse battery\n");
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("plain text"), "{}", said.stderr);
}

#[test]
fn a_denial_exits_with_3_and_says_how_to_go_on() {
    let stage = Stage::new();
    let denied = json!({ "error": {
        "code": "denied", "message": "you may not give grants", "hint": "ask for a grant of `govern`",
        "decision": "de_00000000000000000000000002"
    }});
    let server = Server::answering(vec![(200, logged_in()), (403, denied)]);
    sign_in(&stage, &server);
    let said =
        stage.run(&["grant", "group:analysts", "inference", "fraud", "--for", "8h", "--max-uses", "3"]);
    assert_eq!(said.code, 3);
    assert!(said.stdout.is_empty());
    expect![[r#"
        error: you may not give grants
        hint: ask for a grant of `govern`
        hint: `modelward explain de_00000000000000000000000002` says why
    "#]]
    .assert_eq(&said.stderr);
    let body: Value = serde_json::from_str(&server.requests()[1].body).unwrap();
    assert_eq!(body["conditions"], json!({ "max_uses": 3 }));
    assert_eq!(body["grantee"], "group:analysts");
}

#[test]
fn a_refusal_in_json_is_json_on_stderr() {
    let stage = Stage::new();
    let refused = json!({ "error": { "code": "refused", "message": "every grant needs a request by now" } });
    let server = Server::answering(vec![(200, logged_in()), (422, refused)]);
    sign_in(&stage, &server);
    let said = stage.run(&["grant", "dana", "govern", "platform", "--for", "1h", "--json"]);
    assert_eq!(said.code, 3);
    let error: Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!(error["error"]["message"], "every grant needs a request by now");
    assert_eq!(error["error"]["exit"], 3);
}

#[test]
fn a_token_is_the_only_thing_on_stdout() {
    let stage = Stage::new();
    let token = json!({
        "access_token": "eyJ.a.b", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer", "expires_in": 300, "scope": "inference", "privileges": ["inference"], "models": []
    });
    let server = Server::answering(vec![(200, logged_in()), (200, token)]);
    sign_in(&stage, &server);
    let said = stage.run(&["token", "--model", "fraud"]);
    assert_eq!(said.stdout, "eyJ.a.b\n");
    let form = &server.requests()[1].body;
    assert!(form.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"), "{form}");
    assert!(form.contains(&format!("subject_token={SECRET}")) && form.contains("models=fraud"), "{form}");
}

#[test]
fn can_answers_with_its_exit_code() {
    let stage = Stage::new();
    let answer = json!({
        "allowed": false, "outcome": "not-permitted",
        "sentence": "You hold no grant that lets you download weights of fraud/3.",
        "question": {
            "principal": dana(), "action": "downloadWeights", "privilege": "export", "phrase": "download weights",
            "resource": { "kind": "version", "name": "fraud/3" }, "environment": "production",
            "at": "2026-11-20T08:00:00Z"
        },
        "facts": [], "obligations": [], "held_fields": [], "determining": [],
        "remedies": [{ "kind": "grant", "text": "a grant of `export` on fraud/3" }],
        "decision": "de_00000000000000000000000002", "revision": 7, "bundle": BUNDLE
    });
    let server = Server::answering(vec![(200, logged_in()), (200, answer)]);
    sign_in(&stage, &server);
    let said = stage.run(&["can", "me", "download weights", "fraud/3"]);
    assert_eq!(said.code, 3);
    expect![[r#"
        deny  You hold no grant that lets you download weights of fraud/3.
        question      may dana download weights (downloadWeights, export) on fraud/3 in production at 2026-11-20 08:00:00Z
        outcome       not-permitted
        bundle        sha256:45db000000000000000000000000000000000000000000000000000000000000
        would help    a grant of `export` on fraud/3
    "#]]
    .assert_eq(&said.stdout);
    let body: Value = serde_json::from_str(&server.requests()[1].body).unwrap();
    assert_eq!(body, json!({ "action": "download weights", "resource": "fraud/3" }));
}

#[test]
fn apply_shows_the_difference_and_without_a_yes_changes_nothing() {
    let stage = Stage::new();
    std::fs::create_dir(stage.path("inventory")).unwrap();
    stage.write("inventory/a.toml", "[[project]]\nname = 'risk'\n");
    let planned = json!({
        "changes": [{ "verb": "add", "kind": "project", "name": "risk", "details": [] }],
        "not_declared": ["model old"], "dry_run": true
    });
    let applied = json!({
        "changes": [{ "verb": "add", "kind": "project", "name": "risk", "details": [] }],
        "not_declared": [], "dry_run": false, "revision": 8
    });
    let server =
        Server::answering(vec![(200, logged_in()), (200, planned.clone()), (200, planned), (200, applied)]);
    sign_in(&stage, &server);
    let said = stage.run(&["apply", "-f", "inventory"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        + project risk
          model old is not declared and stays; `--prune` removes it
        error: nothing was applied
        hint: `--yes` applies without asking
    "#]]
    .assert_eq(&said.stderr);

    let said = stage.run(&["apply", "-f", "inventory", "--yes"]);
    assert_eq!(said.code, 0);
    expect![[r#"
        + project risk
        applied; revision 8
    "#]]
    .assert_eq(&said.stderr);
    let dry: Vec<bool> = server.requests()[1..]
        .iter()
        .map(|request| serde_json::from_str::<Value>(&request.body).unwrap()["dry_run"] == true)
        .collect();
    assert_eq!(dry, [true, true, false]);
}

#[test]
fn an_answer_that_is_not_of_the_api_is_an_error() {
    let stage = Stage::new();
    let server = Server::answering(vec![(200, logged_in()), (200, json!("hello"))]);
    sign_in(&stage, &server);
    let said = stage.run(&["whoami"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("not of the control API"), "{}", said.stderr);
}

fn person(active: bool) -> Value {
    json!({
        "id": "pe_00000000000000000000000002", "name": "femi", "display_name": "Femi Ade",
        "clearance": "public", "active": active, "groups": ["analysts"]
    })
}

#[test]
fn people_are_listed_and_changed() {
    let stage = Stage::new();
    let changed = |active| json!({ "person": person(active), "revision": 7 });
    let server = Server::answering(vec![
        (200, logged_in()),
        (200, json!({ "items": [person(true)], "revision": 6 })),
        (200, changed(true)),
        (200, changed(false)),
        (200, changed(true)),
    ]);
    sign_in(&stage, &server);
    assert!(stage.run(&["people", "list"]).stdout.contains("femi"));
    assert_eq!(stage.run(&["people", "set", "femi", "--clearance", "public"]).code, 0);
    let off = stage.run(&["people", "deactivate", "femi"]);
    assert!(off.stdout.contains("off") && off.stderr.contains("revision 7"), "{} {}", off.stdout, off.stderr);
    assert_eq!(stage.run(&["people", "reactivate", "femi"]).code, 0);
    assert_eq!(stage.run(&["people", "set", "femi"]).code, 2, "nothing to set");
    let sent = server.requests();
    assert_eq!(sent[1].line, "GET /api/v1/people");
    assert_eq!(sent[2].line, "POST /api/v1/people/femi");
    let bodies: Vec<Value> =
        sent.iter().skip(2).map(|sent| serde_json::from_str(&sent.body).unwrap()).collect();
    assert_eq!(
        bodies,
        [json!({ "clearance": "public" }), json!({ "active": false }), json!({ "active": true })]
    );
}

#[test]
fn sessions_of_others_are_listed_and_ended() {
    let stage = Stage::new();
    let ended = json!({ "sessions": 1, "revision": 7 });
    let list = json!({ "items": [session()], "revision": 6 });
    let server = Server::answering(vec![
        (200, logged_in()),
        (200, list.clone()),
        (200, list),
        (200, ended.clone()),
        (200, ended.clone()),
        (200, ended),
    ]);
    sign_in(&stage, &server);
    let id = "se_00000000000000000000000001";
    assert!(stage.run(&["sessions", "list"]).stdout.contains(id));
    assert!(stage.run(&["sessions", "list", "femi"]).stdout.contains(id));
    assert!(stage.run(&["sessions", "end", "femi"]).stderr.contains("sessions ended: 1"));
    assert_eq!(stage.run(&["sessions", "end", id]).code, 0);
    assert_eq!(stage.run(&["sessions", "end", "--others"]).code, 0);
    assert_eq!(stage.run(&["sessions", "end"]).code, 2, "whose is not said");
    let lines: Vec<String> = server.requests().iter().skip(1).map(|sent| sent.line.clone()).collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/sessions",
            "GET /api/v1/people/femi/sessions",
            "POST /api/v1/people/femi/end-sessions",
            &format!("DELETE /api/v1/sessions/{id}"),
            "POST /api/v1/sessions/end-others",
        ]
    );
}

#[test]
fn what_one_signs_in_with_is_listed_and_changed() {
    let stage = Stage::new();
    let passkey = |id: &str, name: &str| json!({ "id": format!("sha256:{id}"), "name": name, "added_at": "2026-11-20T10:00:00Z", "synced": false });
    let factors = json!({
        "password": true, "authenticator": false, "recovery_codes_left": 9, "passkeys_possible": true,
        "passkeys": [passkey("aa", "laptop"), passkey("bb", "key"), passkey("cc", "key")],
    });
    let server = Server::answering(vec![
        (200, logged_in()),
        (200, factors.clone()),
        (200, factors.clone()),
        (200, factors.clone()),
        (200, json!({ "factors": factors, "revision": 7 })),
        (200, json!({ "recovery_codes": ["7k2pm9-qxr4tv-8hcd3f-a1b2c3"], "revision": 8 })),
    ]);
    sign_in(&stage, &server);
    let listed = stage.run(&["factors", "list"]).stdout;
    assert!(listed.contains("laptop") && listed.contains("9 left"), "{listed}");
    let which = stage.run(&["factors", "remove-passkey", "key"]);
    assert!(which.code == 2 && which.stderr.contains("more than one"), "{}", which.stderr);
    assert!(stage.run(&["factors", "remove-passkey", "laptop"]).stderr.contains("revision 7"));
    let codes = stage.run(&["factors", "recovery-codes"]);
    assert_eq!(codes.stdout.trim(), "7k2pm9-qxr4tv-8hcd3f-a1b2c3");
    let last = server.requests().iter().rev().take(2).map(|sent| sent.line.clone()).collect::<Vec<_>>();
    assert_eq!(last, ["POST /api/v1/factors/recovery-codes", "DELETE /api/v1/factors/passkeys/sha256%3Aaa"]);
}

#[test]
fn a_first_apply_plans_a_group_with_a_machine_of_the_same_folder() {
    let stage = Stage::new();
    stage.write(
        "inventory.toml",
        "[[machine]]\nname = 'scorer'\nowner = 'dana'\n\n[[group]]\nname = 'robots'\nmembers = ['dana', 'machine:scorer']\n",
    );
    let applied = |changes: Value, dry_run: bool| json!({ "changes": changes, "not_declared": [], "dry_run": dry_run, "revision": (!dry_run).then_some(7) });
    let machine = json!([{ "verb": "add", "kind": "machine", "name": "scorer", "details": [] }]);
    let group = json!([{ "verb": "add", "kind": "group", "name": "robots", "details": [] }]);
    let server = Server::answering(vec![
        (200, logged_in()),
        (200, applied(machine.clone(), true)),
        (200, applied(group.clone(), true)),
        (200, applied(machine, false)),
        (200, applied(group, false)),
    ]);
    sign_in(&stage, &server);
    let said = stage.run(&["apply", "-f", "inventory.toml", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let members: Vec<Value> = [2, 4]
        .map(|at| {
            serde_json::from_str::<Value>(&server.requests()[at].body).unwrap()["groups"][0]["members"]
                .clone()
        })
        .into();
    assert_eq!(
        members,
        [json!(["dana"]), json!(["dana", "machine:scorer"])],
        "planned without, made with it"
    );
}

#[test]
fn a_plan_says_what_a_new_machine_joins() {
    let stage = Stage::new();
    stage.write(
        "inventory.toml",
        "[[machine]]\nname = 'scorer'\nowner = 'dana'\n\n[[group]]\nname = 'robots'\nmembers = ['machine:scorer']\n",
    );
    let machine = json!([{ "verb": "add", "kind": "machine", "name": "scorer", "details": [] }]);
    let server = Server::answering(vec![
        (200, logged_in()),
        (200, json!({ "changes": machine, "not_declared": [], "dry_run": true })),
        (200, json!({ "changes": [], "not_declared": [], "dry_run": true })),
    ]);
    sign_in(&stage, &server);
    let said = stage.run(&["apply", "-f", "inventory.toml", "--dry-run"]);
    assert!(said.stderr.contains("~ machine scorer\n    groups: nothing → robots"), "{}", said.stderr);
}

const BUNDLE: &str = "sha256:45db000000000000000000000000000000000000000000000000000000000000";

fn bundle_line(stage: &str) -> Value {
    json!({
        "digest": BUNDLE, "name": "acme", "version": "2", "stage": stage, "proposed_by": "dana",
        "proposed_at": "2026-11-20T08:00:00Z"
    })
}

#[test]
fn one_policy_is_shown_with_its_place_and_its_tests_also_to_who_may_not_see_decisions() {
    let stage = Stage::new();
    let at = |line: u64| json!({ "file": "guardrails.cedar", "line": line, "column": 1 });
    let policy = json!({
        "bundle": bundle_line("proposed"),
        "policy": {
            "id": "bound", "title": "A bound credential", "owner": "security", "effect": "forbid", "at": at(41),
            "halves": 2, "seen": 1
        },
        "reason": "a bound credential is needed",
        "text": "forbid (principal, action, resource)\nunless { context.bound };",
        "clauses": [{
            "text": "context.bound", "at": at(42),
            "seen_true": { "scenarios": 12, "titles": ["weights leave"] },
            "seen_false": { "scenarios": 0, "titles": [] }
        }]
    });
    let denied = json!({ "error": { "code": "denied", "message": "you may not see decisions" } });
    let server = Server::answering(vec![(200, logged_in()), (200, policy), (403, denied)]);
    sign_in(&stage, &server);
    let said = stage.run(&["policy", "show", BUNDLE, "--policy", "bound"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    expect![[r#"
        policy  effect  kept by   stands in            tests saw  title
        bound   forbid  security  guardrails.cedar:41  1 of 2     A bound credential

           41  forbid (principal, action, resource)
           42  unless { context.bound };

        denies with   a bound credential is needed

        line  clause         seen true                   seen false
        42    context.bound  weights leave, and 11 more  never
    "#]]
    .assert_eq(&said.stdout);
    assert!(said.stderr.contains("shown with the audit right"), "{}", said.stderr);
    let asked: Vec<String> = server.requests()[1..].iter().map(|request| request.line.clone()).collect();
    let path = format!("GET /api/v1/policy/bundles/{}/policies/bound", BUNDLE.replace(':', "%3A"));
    assert_eq!(asked, [path.clone(), format!("{path}/effects")]);
}

#[test]
fn two_bundles_are_compared_cell_by_cell() {
    let stage = Stage::new();
    let difference = json!({
        "from": bundle_line("active"), "to": bundle_line("proposed"),
        "files": [{ "name": "guardrails.cedar", "bytes": 10, "change": "changed" }],
        "cells": [{
            "leaning": "stricter", "action": "predict", "privilege": "inference", "resource": "Version",
            "holder": "person", "condition": "well", "before": "permitted", "after": "forbidden"
        }],
        "looser": 0, "stricter": 1, "other": 0
    });
    let server = Server::answering(vec![(200, logged_in()), (200, difference)]);
    sign_in(&stage, &server);
    let said = stage.run(&["policy", "show", BUNDLE, "--against", "sha256:00"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    expect![[r#"
        bundle                                                                   name  version  of    stage     proposed              by
        sha256:45db000000000000000000000000000000000000000000000000000000000000  acme  2        root  active    2026-11-20 08:00:00Z  dana
        sha256:45db000000000000000000000000000000000000000000000000000000000000  acme  2        root  proposed  2026-11-20 08:00:00Z  dana

        changed       guardrails.cedar

        becomes   action   on a     by a    circumstances  from       to
        stricter  predict  Version  person  well           permitted  forbidden
    "#]]
    .assert_eq(&said.stdout);
    assert!(
        said.stderr.contains("0 cells become looser, 1 stricter, 0 deny for another reason"),
        "{}",
        said.stderr
    );
    assert_eq!(
        server.requests()[1].line,
        format!("GET /api/v1/policy/bundles/{}/difference?from=sha256%3A00", BUNDLE.replace(':', "%3A"))
    );
}

/// A refusal that a fresh sign-in would change.
fn step_up(strength: u8) -> Value {
    json!({ "error": {
        "code": "step-up", "message": "this needs a fresh sign-in", "hint": "sign in again",
        "step_up": { "strength": strength, "max_age": 300 }
    } })
}

#[test]
fn a_script_is_told_how_to_sign_in_again() {
    let stage = Stage::new();
    let server = Server::answering(vec![(200, logged_in()), (401, step_up(2)), (401, step_up(3))]);
    sign_in(&stage, &server);
    let said = stage.run(&["whoami"]);
    assert_eq!(said.code, 4);
    expect![[r#"
        error: this needs a fresh sign-in
        hint: it needs a sign-in with two factors, at most 5 min old: run `modelward login NAME`, then the same again
    "#]]
    .assert_eq(&said.stderr);
    let said = stage.run(&["whoami"]);
    assert_eq!(said.code, 4);
    assert!(said.stderr.contains("signed in with a passkey"), "{}", said.stderr);
}

#[test]
fn a_person_is_asked_to_sign_in_again_and_the_same_request_goes_on() {
    let stage = Stage::new();
    let mut again = logged_in();
    again["session_secret"] = json!("mws_fresh");
    let ended = json!({ "sessions": 1 });
    let server = Server::answering(vec![(200, logged_in()), (401, step_up(2)), (200, again), (200, ended)]);
    sign_in(&stage, &server);
    let Some(said) = stage.at_terminal(
        &["sessions", "end", "se_00000000000000000000000001"],
        &[("Password", "correct horse battery"), ("Code of the authenticator app", "654321")],
    ) else {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    };
    assert!(said.contains("sign in again as dana"), "{said}");
    let sent = server.requests();
    let lines: Vec<&str> = sent.iter().map(|request| request.line.as_str()).collect();
    let end = "DELETE /api/v1/sessions/se_00000000000000000000000001";
    assert_eq!(lines, ["POST /api/v1/login", end, "POST /api/v1/login", end]);
    let body: Value = serde_json::from_str(&sent[2].body).unwrap();
    assert_eq!(body, json!({ "name": "dana", "password": "correct horse battery", "totp": "654321" }));
    assert_eq!(sent[3].authorization.as_deref(), Some("Bearer mws_fresh"));
    assert!(!said.contains("correct horse"), "a password is not shown: {said}");
    let file = stage.path(".config/modelward/credentials.json");
    assert!(std::fs::read_to_string(&file).unwrap().contains("mws_fresh"), "and it is kept");
}
