//! Asked by another enforcement point: about its caller, or about somebody it only speaks of.

use std::sync::Arc;

use modelward_decision::Change;
use modelward_decision::vocabulary::{PersonId, PrincipalRef, Privilege};
use modelward_enforcement::{ByClass, NoPermit, ObligationKind, Reason};
use modelward_testkit::system::predict;
use modelward_testkit::{Deployed, Failure, System, World};

struct Cast {
    /// Asks; holds nothing.
    pat: PersonId,
    ana: PersonId,
    /// Has a budget of bytes.
    ben: PersonId,
    fraud: Deployed,
}

fn world(world: &mut World) -> Cast {
    let [pat, ana, ben] = ["pat", "ana", "ben"].map(|name| world.person(name));
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).give();
    world.grant(Privilege::Inference, ben, fraud.scope()).bytes(1_000).give();
    Cast { pat, ana, ben, fraud }
}

#[tokio::test]
async fn the_rights_are_the_subjects_and_the_credential_proves_nothing_of_it() -> Result<(), Failure> {
    let (system, Cast { pat, ana, fraud, .. }) = System::start(world)?;
    let asker = system.sign_in(pat)?;
    let situation = system.situation(fraud.endpoint);
    let about = |who| predict(&fraud).about(PrincipalRef::Person(who));
    let decided = system.enforcer.decide(&asker, about(ana), &situation);
    assert!(decided.is_allow());
    assert_eq!(decided.decision().map(|decision| decision.principal), Some(PrincipalRef::Person(ana)));
    assert!(!system.enforcer.decide(&asker, about(pat), &situation).is_allow());
    let subject = system.sign_in(ana)?;
    assert!(!system.enforcer.decide(&subject, about(pat), &situation).is_allow(), "not the asker's rights");
    // The subject's own sign-in would do for a second factor; being spoken of does not.
    let raw = |who| {
        modelward_testkit::system::operation(modelward_decision::vocabulary::Action::Embed, fraud.resource())
            .about(who)
    };
    assert!(!system.enforcer.decide(&subject, raw(PrincipalRef::Person(ana)), &situation).is_allow());
    Ok(())
}

#[tokio::test]
async fn bytes_that_leave_elsewhere_cannot_be_counted() -> Result<(), Failure> {
    let (system, Cast { ben, fraud, .. }) = System::start(world)?;
    let who = system.sign_in(ben)?;
    let situation = system.situation(fraud.endpoint);
    assert!(system.enforcer.decide(&who, predict(&fraud), &situation).is_allow());
    match system.enforcer.enforce(&who, predict(&fraud).elsewhere(), &situation).await {
        Err(NoPermit::Denied(denial)) => {
            assert_eq!(denial.reason(), Reason::Capability(ObligationKind::AnswerBytes));
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}

#[tokio::test]
async fn the_right_ends_with_whoever_it_is_about() -> Result<(), Failure> {
    let (system, Cast { pat, ana, fraud, .. }) = System::start(world)?;
    let asker = system.sign_in(pat)?;
    let operation = predict(&fraud).about(PrincipalRef::Person(ana));
    let decided = system.enforcer.decide(&asker, operation, &system.situation(fraud.endpoint));
    let ByClass::R1(queued) = decided.queue().await? else {
        return Err("a prediction is effect-free".into());
    };
    let snapshot = system.publisher.latest();
    let mut person = snapshot.person(ana).ok_or("ana is there")?.as_ref().clone();
    person.active = false;
    system.publish([Change::Person(Arc::new(person))])?;
    assert!(queued.permit().is_err());
    Ok(())
}
