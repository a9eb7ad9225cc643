//! Tokens of clusters, trust domains and CI systems.

use std::fmt::Write as _;

use expect_test::expect;
use jiff::SignedDuration;
use modelward_decision::vocabulary::{MachineId, Privilege};
use modelward_identity::Strength;
use modelward_identity::federation::{ClaimMatch, ForeignRefusal, WorkloadRule};
use modelward_identity::session::{self, Refusal, Since};
use serde_json::{Value, json};

use super::provider::{Provider, URL, issuer, with};
use crate::support::{House, later, noon};

fn rule(name: &str, machine: &str, claims: &[&str]) -> WorkloadRule {
    WorkloadRule {
        name: name.parse().unwrap(),
        issuer: "corporate".parse().unwrap(),
        machine: machine.parse().unwrap(),
        claims: claims.iter().map(|text| text.parse().unwrap()).collect(),
        life_max: SignedDuration::from_hours(1),
        strength: Strength::PhishingResistant,
    }
}

fn rules() -> Vec<WorkloadRule> {
    vec![
        rule("pod", "trainer", &["sub=system:serviceaccount:ml:trainer", "kubernetes.io/namespace=ml"]),
        rule(
            "release",
            "releaser",
            &[
                "repository_id=1234",
                "job_workflow_ref=acme/models/.github/workflows/release.yml@refs/heads/main",
                "environment=production",
                "ref=refs/heads/*",
            ],
        ),
        rule("svid", "scorer", &["sub=spiffe://prod.example.org/ns/*/sa/scorer"]),
    ]
}

fn base() -> Value {
    let now = noon().as_second();
    json!({ "iss": URL, "aud": ["https://modelward.example"], "iat": now - 60, "exp": now + 540 })
}

fn pod() -> Value {
    let kubernetes = json!({ "namespace": "ml", "pod": { "name": "trainer-0", "uid": "u" } });
    with(base(), json!({ "sub": "system:serviceaccount:ml:trainer", "kubernetes.io": kubernetes }))
}

fn ci() -> Value {
    with(
        base(),
        json!({
            "sub": "repo:acme/models:environment:production", "repository": "acme/models", "repository_id": "1234",
            "job_workflow_ref": "acme/models/.github/workflows/release.yml@refs/heads/main",
            "environment": "production", "ref": "refs/heads/main", "aud": "https://modelward.example",
        }),
    )
}

fn svid() -> Value {
    with(base(), json!({ "sub": "spiffe://prod.example.org/ns/fraud/sa/scorer", "iat": null }))
}

fn told(claims: &Value) -> String {
    let op = Provider::new("a");
    match issuer().attest(&op.sign(claims), &op.keys(), &rules(), noon()) {
        Ok(attested) => format!("{} by {}", attested.machine(), attested.rule()),
        Err(refusal) => format!("no: {refusal}"),
    }
}

#[test]
fn a_workload_is_the_machine_whose_claims_all_match_and_nobody_else() {
    let now = noon().as_second();
    let mut table = String::new();
    let mut row = |name: &str, claims: Value| writeln!(table, "{name}: {}", told(&claims)).unwrap();
    row("a pod", pod());
    row("of another namespace", with(pod(), json!({ "kubernetes.io": { "namespace": "default" } })));
    row("of another account", with(pod(), json!({ "sub": "system:serviceaccount:ml:trainer2" })));
    row("with the prefix of ours", with(pod(), json!({ "sub": "xsystem:serviceaccount:ml:trainer" })));
    row("for another audience", with(pod(), json!({ "aud": ["https://kubernetes.default.svc"] })));
    row(
        "for two audiences",
        with(pod(), json!({ "aud": ["https://modelward.example", "https://kubernetes.default.svc"] })),
    );
    row("living a year", with(pod(), json!({ "exp": now + 31_536_000 })));
    row("living an hour and a second", with(pod(), json!({ "exp": now - 60 + 3601 })));
    row("a release", ci());
    row("of a renamed repository with the same name", with(ci(), json!({ "repository_id": "9999" })));
    row("of a pull request", with(ci(), json!({ "ref": "refs/pull/7/merge" })));
    row("of a branch with a slash", with(ci(), json!({ "ref": "refs/heads/a/b" })));
    row("of another environment", with(ci(), json!({ "environment": null })));
    row("with a number for a text", with(ci(), json!({ "repository_id": 1234 })));
    row("an SVID", svid());
    row("of a deeper path", with(svid(), json!({ "sub": "spiffe://prod.example.org/ns/fraud/x/sa/scorer" })));
    row(
        "of another trust domain",
        with(svid(), json!({ "sub": "spiffe://dev.example.org/ns/fraud/sa/scorer" })),
    );
    row("living long, without `iat`", with(svid(), json!({ "exp": now + 3601 })));
    row("a person's token", with(pod(), json!({ "nonce": "n" })));
    row("a notice", with(pod(), json!({ "events": {} })));
    row("without a subject", with(pod(), json!({ "sub": null })));
    row("expired", with(pod(), json!({ "exp": now - 31 })));
    expect![[r#"
        a pod: trainer by pod
        of another namespace: no: no configured workload matches the claims of the token
        of another account: no: no configured workload matches the claims of the token
        with the prefix of ours: no: no configured workload matches the claims of the token
        for another audience: no: the token is for another audience, or for others too
        for two audiences: no: the token is for another audience, or for others too
        living a year: no: the token is too old to be shown here, or lives too long
        living an hour and a second: no: the token is too old to be shown here, or lives too long
        a release: releaser by release
        of a renamed repository with the same name: no: no configured workload matches the claims of the token
        of a pull request: no: no configured workload matches the claims of the token
        of a branch with a slash: no: no configured workload matches the claims of the token
        of another environment: no: no configured workload matches the claims of the token
        with a number for a text: releaser by release
        an SVID: scorer by svid
        of a deeper path: no: no configured workload matches the claims of the token
        of another trust domain: no: no configured workload matches the claims of the token
        living long, without `iat`: no: the token is too old to be shown here, or lives too long
        a person's token: no: the token is of another type
        a notice: no: the token is of another type
        without a subject: no: the token's claims have a member missing, doubled or of the wrong kind
        expired: no: the token has expired
    "#]]
    .assert_eq(&table);
}

#[test]
fn two_rules_for_two_machines_are_none() {
    let op = Provider::new("a");
    let mut rules = rules();
    rules.push(rule("greedy", "other", &["sub=system:serviceaccount:**"]));
    let attested = issuer().attest(&op.sign(&pod()), &op.keys(), &rules, noon());
    assert_eq!(attested.map(drop), Err(ForeignRefusal::NoMatch));
    rules[3].machine = "trainer".parse().unwrap();
    assert!(issuer().attest(&op.sign(&pod()), &op.keys(), &rules, noon()).is_ok());
}

#[test]
fn its_session_ends_with_its_proof_and_reaches_what_the_issuer_may() {
    let (op, house) = (Provider::new("a"), House::new());
    let attested = issuer().attest(&op.sign(&pod()), &op.keys(), &rules(), noon()).unwrap();
    let machine = MachineId::from_uuid(uuid::Uuid::from_u128(9));
    let since = Since::read(&house.epochs, modelward_decision::vocabulary::PrincipalRef::Machine(machine));
    let opened = session::open_workload(&attested, machine, since, &house.ids, noon());
    // A platform vouches for a program, not for a person with a key in their hand.
    assert_eq!(opened.record.strength, Strength::TwoFactors);
    let who = opened.record.authenticate(&opened.token, &house.epochs, noon()).unwrap();
    assert_eq!(who.expires_at(), later(540));
    assert!(!who.rights().privileges.contains(&Privilege::Retraining));
    let ended = opened.record.authenticate(&opened.token, &house.epochs, later(540)).map(drop);
    assert_eq!(ended, Err(Refusal::Expired));
}

#[test]
fn patterns_that_say_nothing_or_too_much_are_no_patterns() {
    let refused = |text: &str| text.parse::<ClaimMatch>().unwrap_err().to_string();
    let table = ["sub", "=x", "sub=", "sub=*", "sub=**", "a//b=c", "sub=*********a"].map(refused);
    expect![[r#"
        it is not of the form `CLAIM=PATTERN`
        the claim or the pattern is empty or longer than 512 bytes
        the claim or the pattern is empty or longer than 512 bytes
        the pattern says nothing: any value would match
        the pattern says nothing: any value would match
        the claim or the pattern is empty or longer than 512 bytes
        a pattern has at most 8 stars"#]]
    .assert_eq(&table.join("\n"));
    let long = format!("sub={}b", "*a".repeat(8));
    let rule = rule("slow", "trainer", &[&long]);
    let op = Provider::new("a");
    let claims = with(pod(), json!({ "sub": "a".repeat(255) }));
    assert_eq!(
        issuer().attest(&op.sign(&claims), &op.keys(), &[rule], noon()).map(drop),
        Err(ForeignRefusal::NoMatch)
    );
}
