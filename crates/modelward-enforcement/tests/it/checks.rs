//! What is checked beside the policies, and what each answer says.

use jiff::SignedDuration;
use modelward_decision::vocabulary::{Action, Field, PersonId, Privilege};
use modelward_decision::{Bundle, Candidate, Change, EpochScope, Outcome, Reach, Remedy};
use modelward_enforcement::{Capabilities, Denial, End, NoPermit, ObligationKind, Operation, Reason};
use modelward_identity::Authenticated;
use modelward_ledger::entry::{Kind, ReleaseClass, Verdict};
use modelward_testkit::system::{operation, predict};
use modelward_testkit::{Deployed, Failure, System, World, principal};
use std::sync::Arc;

fn world(world: &mut World) -> (PersonId, Deployed) {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).give();
    (ana, fraud)
}

async fn denied(
    system: &System,
    who: &Authenticated,
    operation: Operation<&'static str>,
    at: &Deployed,
) -> Result<Denial, Failure> {
    match system.enforcer.enforce(who, operation, &system.situation(at.endpoint)).await {
        Err(NoPermit::Denied(denial)) => Ok(*denial),
        other => Err(format!("{other:?}").into()),
    }
}

/// The default bundle with one more obligation on every prediction.
fn obliging(obligation: &str) -> Result<Change, Failure> {
    let default = modelward_testkit::default_bundle();
    let rule = format!(
        r#"
@id("added")
@title("Added by a test")
@owner("tests")
@obligation("{obligation}")
permit (principal, action in [Modelward::Action::"predict"], resource);
"#
    );
    let sources = default.sources().iter().map(|(name, text)| {
        let text = if name == "obligations.cedar" { format!("{text}{rule}") } else { text.clone() };
        (name.clone(), text)
    });
    Ok(Change::Bundle(Arc::new(Bundle::from_sources(sources)?)))
}

#[tokio::test]
async fn a_denial_by_policy_is_recorded_and_keeps_its_reason_and_remedies() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let denial = denied(&system, &who, operation(Action::DownloadWeights, fraud.resource()), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Policy);
    assert!(!denial.decision().is_allow() && !denial.decision().sentence.is_empty());

    let entries = system.entries_about(&denial.id().to_string(), 1).await?;
    let entry = &entries[0];
    assert_eq!(
        (entry.kind, entry.decision, entry.class),
        (Kind::Decision, Some(Verdict::Deny), Some(ReleaseClass::R2))
    );
    assert_eq!(entry.rationale.as_deref(), Some(denial.decision().sentence.as_str()));
    assert_eq!(entry.phase, None, "no outcome follows a denial");
    Ok(())
}

#[tokio::test]
async fn a_credential_is_checked_again_when_it_is_used() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let session_ended = system.sign_in(ana)?;
    let revoked = system.sign_in(ana)?;
    let fresh_until_noon = system.sign_in(ana)?;

    system.publish([Change::Bump(EpochScope::Session(session_ended.session().id))])?;
    let denial = denied(&system, &session_ended, predict(&fraud), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Credential(End::SessionEnded));
    assert_eq!(denial.decision().outcome, Outcome::NotPermitted);
    assert!(matches!(denial.decision().remedies[..], [Remedy::StepUp { .. }]));
    system.enforcer.enforce(&revoked, predict(&fraud), &system.situation(fraud.endpoint)).await?;

    system.clock.advance(SignedDuration::from_hours(13));
    let denial = denied(&system, &fresh_until_noon, predict(&fraud), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Credential(End::CredentialExpired));

    system.publish([Change::Bump(EpochScope::Principal(principal(ana)))])?;
    let who = system.sign_in(ana)?;
    system.publish([Change::Bump(EpochScope::Principal(principal(ana)))])?;
    let denial = denied(&system, &who, predict(&fraud), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Credential(End::PrincipalRevoked));
    Ok(())
}

#[tokio::test]
async fn an_obligation_nobody_here_can_do_is_a_denial() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.publish([obliging("watermark")?])?;

    let denial = denied(&system, &who, predict(&fraud), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Capability(ObligationKind::Watermark));
    assert_eq!(denial.decision().outcome, Outcome::ObligationUnmet);

    let able = system.enforcer.able_to(Capabilities::NONE.with(ObligationKind::Watermark));
    let permitted = able.enforce(&who, predict(&fraud), &system.situation(fraud.endpoint)).await?;
    assert_eq!(permitted.permit.obligations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_rate_is_kept_without_the_callers_help_and_names_the_wait() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.publish([obliging("rate:2")?])?;
    let situation = system.situation(fraud.endpoint);
    for _ in 0..2 {
        system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    }
    let denial = denied(&system, &who, predict(&fraud), &fraud).await?;
    let wait = denial.retry_after_seconds().expect("the wait is known");
    system.clock.advance(SignedDuration::from_secs(i64::from(wait)));
    system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    Ok(())
}

#[tokio::test]
async fn a_step_up_is_asked_for_when_the_sign_in_is_too_old() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    system.publish([obliging("step-up:2:300")?])?;
    let who = system.sign_in(ana)?;
    system.enforcer.enforce(&who, predict(&fraud), &system.situation(fraud.endpoint)).await?;

    system.clock.advance(SignedDuration::from_secs(301));
    let denial = denied(&system, &who, predict(&fraud), &fraud).await?;
    assert_eq!(denial.reason(), Reason::StepUp { strength: 2, max_age_seconds: 300 });
    assert_eq!(denial.decision().remedies, [Remedy::StepUp { strength: 2, max_age_seconds: 300 }]);
    Ok(())
}

#[tokio::test]
async fn a_sensitive_field_without_its_right_is_denied_with_the_right_named() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let ask = modelward_decision::vocabulary::Ask { fields: [Field::RawScores].into(), ..Default::default() };
    let denial = denied(&system, &who, predict(&fraud).asking(ask), &fraud).await?;
    assert_eq!(denial.reason(), Reason::Policy);
    assert!(!denial.decision().remedies.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_right_that_ends_while_its_record_is_written_gives_no_permit() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.disk.hold();
    let strict = predict(&fraud).released_as(modelward_enforcement::ReleaseClass::R0);
    let situation = system.situation(fraud.endpoint);
    let mut permitted = Box::pin(system.enforcer.enforce(&who, strict, &situation));
    assert!(tokio::time::timeout(modelward_testkit::system::A_MOMENT, &mut permitted).await.is_err());
    system.publish([Change::Bump(EpochScope::Principal(principal(ana)))])?;
    system.disk.release();

    let Err(NoPermit::Denied(denial)) = permitted.await else { panic!("it was permitted") };
    assert_eq!(denial.reason(), Reason::Ended(End::PrincipalRevoked));
    let entries = system.entries_about(&denial.id().to_string(), 2).await?;
    assert_eq!(entries[1].outcome.as_deref(), Some("ended"));
    assert_eq!(entries[1].details["end"], "principal-revoked");
    Ok(())
}

#[tokio::test]
async fn a_bound_too_large_to_write_down_does_not_keep_a_request_from_being_recorded() -> Result<(), Failure>
{
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let ask = modelward_decision::vocabulary::Ask { bytes: Some(u64::MAX), ..Default::default() };
    system.enforcer.enforce(&who, predict(&fraud).asking(ask), &system.situation(fraud.endpoint)).await?;
    Ok(())
}

/// A bundle under which nobody predicts.
fn without_predictions() -> Result<Arc<Bundle>, Failure> {
    let guardrail = r#"
@id("no-predictions")
@title("Nobody predicts")
@owner("tests")
@reason("predictions are stopped")
@remedy("administrator")
forbid (principal, action in [Modelward::Action::"predict"], resource);
"#;
    let default = modelward_testkit::default_bundle();
    let sources = default.sources().iter().map(|(name, text)| {
        let text = if name == "guardrails.cedar" { format!("{text}{guardrail}") } else { text.clone() };
        (name.clone(), text)
    });
    Ok(Arc::new(Bundle::from_sources(sources)?))
}

#[tokio::test]
async fn a_bundle_on_trial_is_compared_and_recorded_but_not_obeyed() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let bundle = without_predictions()?;
    let digest = bundle.digest();
    system.publish([Change::Candidate(Some(Candidate { bundle, reach: Reach::Shadow }))])?;

    let permitted = system.enforcer.enforce(&who, predict(&fraud), &system.situation(fraud.endpoint)).await?;
    let decision = permitted.permit.decision().clone();
    assert_ne!(decision.bundle, digest, "the active bundle decides");
    let comparison = decision.comparison.ok_or("no comparison was made")?;
    assert_eq!(
        (comparison.bundle, comparison.outcome, comparison.agrees),
        (digest, Outcome::Forbidden, false)
    );
    let entries = system.entries_about(&decision.id.to_string(), 1).await?;
    let told = entries[0].details.get("on_trial").ok_or("the difference is not recorded")?;
    assert_eq!(
        (told["bundle"].as_str(), told["outcome"].as_str()),
        (Some(&*digest.to_string()), Some("forbidden"))
    );
    Ok(())
}

#[tokio::test]
async fn a_canary_governs_its_share_and_no_more() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let bundle = without_predictions()?;
    for (per_mille, is_obeyed) in [(1000, true), (0, false)] {
        let reach = Reach::Canary { per_mille };
        let candidate = Candidate { bundle: Arc::clone(&bundle), reach };
        system.publish([Change::Candidate(Some(candidate))])?;
        let answer = system.enforcer.enforce(&who, predict(&fraud), &system.situation(fraud.endpoint)).await;
        let decision = match &answer {
            Ok(enforced) => enforced.permit.decision().clone(),
            Err(NoPermit::Denied(denial)) => denial.decision().clone(),
            Err(NoPermit::Unavailable(why)) => return Err(why.to_string().into()),
        };
        assert_eq!(decision.bundle == bundle.digest(), is_obeyed, "{per_mille} ‰");
        assert_eq!(answer.is_err(), is_obeyed);
    }
    system.publish([Change::Candidate(None)])?;
    let enforced = system.enforcer.enforce(&who, predict(&fraud), &system.situation(fraud.endpoint)).await?;
    assert_eq!(enforced.permit.decision().comparison, None);
    Ok(())
}
