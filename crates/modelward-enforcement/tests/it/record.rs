//! What the ledger says of a request, and what it does not.

use modelward_decision::Request;
use modelward_decision::vocabulary::{Action, PersonId, Privilege};
use modelward_enforcement::{Peer, Rejection, RejectionKind, RequestMark, Summary};
use modelward_ledger::entry::{Kind, SubjectKind};
use modelward_seal::Digest;
use modelward_testkit::system::predict;
use modelward_testkit::{Deployed, Failure, System, World};

fn world(world: &mut World) -> (PersonId, Deployed) {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).give();
    (ana, fraud)
}

#[tokio::test]
async fn an_entry_says_what_was_decided_by_which_policy_on_which_facts_and_names_nobody()
-> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let operation = predict(&fraud).summarised(Summary::default().with("model", "fraud").with("inputs", 3));
    let situation = system.situation(fraud.endpoint);
    let enforced = system.enforcer.enforce(&who, operation, &situation).await?;
    let decision = enforced.permit.decision().clone();
    let durable = enforced.record.durable().await?;
    let entry = system.ledger.reader().entry(durable.index())?;

    assert_eq!(entry.id, decision.id.to_string());
    assert_eq!(entry.action.as_deref(), Some("predict"));
    assert_eq!(entry.outcome.as_deref(), Some("permitted"));
    assert_eq!(entry.grant, decision.grant.map(|grant| grant.to_string()));
    assert_eq!(entry.revision, Some(decision.revision));
    assert_eq!(
        entry.policy.map(|policy| (policy.bundle, policy.schema)),
        Some((decision.bundle, decision.schema))
    );
    assert_eq!(entry.determining.len(), decision.determining.len());
    assert_eq!(entry.details["request"], Digest::of(b"request").to_string());
    assert_eq!(entry.details["summary"]["model"], "fraud");
    let resource = entry.resource.as_ref().unwrap();
    assert_eq!((resource.kind.as_str(), &resource.id), ("version", &fraud.version.to_string()));

    // The principal stands there by pseudonym, the facts by digest; sealed beside it is the very request that was decided.
    let text = String::from_utf8(system.ledger.reader().entry_bytes(durable.index())?)?;
    assert!(!text.contains(&ana.to_string()) && !text.contains("ana\""), "{text}");
    assert_eq!(entry.principal.as_ref().unwrap().pseudonym, system.ledger.pseudonym(&ana.to_string()));
    let facts = entry.facts.as_ref().unwrap();
    let clear = system.ledger.open_facts(facts)?.expect("the key is there");
    assert_ne!(Digest::of(&clear), facts.digest, "few facts could be guessed from a plain digest");
    let request: Request = serde_json::from_slice(&clear)?;
    assert_eq!((request.principal, request.action), (who.principal(), Action::Predict));
    let snapshot = system.publisher.latest();
    let again = modelward_decision::decide(&snapshot, &request, decision.id);
    assert_eq!(again, decision, "an auditor comes to the same decision");
    Ok(())
}

#[tokio::test]
async fn a_malformed_request_is_recorded_without_a_principal() -> Result<(), Failure> {
    let (system, _) = System::start(world)?;
    let id = system.enforcer.reject(&Rejection {
        kind: RejectionKind::Malformed,
        peer: Peer::of("203.0.113.9".parse()?),
        protocol: "openai",
        reason: "the body names a key twice".to_owned(),
        request: Some(RequestMark::of(b"{}")),
    });
    let entries = system.entries_about(&id.to_string(), 1).await?;
    let entry = &entries[0];
    assert_eq!((entry.kind, entry.outcome.as_deref()), (Kind::RejectedRequest, Some("malformed")));
    assert_eq!(entry.principal.as_ref().map(|principal| principal.kind), Some(SubjectKind::Anonymous));
    assert_eq!(entry.rationale.as_deref(), Some("the body names a key twice"));
    assert_eq!(entry.details["protocol"], "openai");
    Ok(())
}
