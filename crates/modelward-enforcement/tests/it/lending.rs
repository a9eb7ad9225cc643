//! Uses and bytes that are counted somewhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modelward_decision::vocabulary::{GrantId, PersonId, Privilege};
use modelward_enforcement::reservations::{Back, Lender, Lending, Loan, ReserveError, Wanted};
use modelward_enforcement::{Enforcer, NoPermit, Parts, Reservations, Unavailable};
use modelward_testkit::system::{DATA_PLANE, predict};
use modelward_testkit::{Deployed, Failure, System, World};

/// Lends while it has something left, and notes what comes back.
#[derive(Debug)]
struct Bank {
    left: Mutex<u128>,
    back: Mutex<Vec<(u128, Back)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lender for Bank {
    fn lend(&self, _grant: GrantId, _wanted: Wanted) -> Lending<'_> {
        let mut left = locked(&self.left);
        let id = *left;
        *left = left.saturating_sub(1);
        Box::pin(async move {
            if id == 0 { Err(ReserveError::Unavailable) } else { Ok(Loan { id, bytes: Some(10) }) }
        })
    }

    fn settle(&self, loan: Loan, back: Back) {
        locked(&self.back).push((loan.id, back));
    }

    fn is_healthy(&self) -> bool {
        true
    }
}

fn world(world: &mut World) -> (PersonId, Deployed) {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).uses(3).bytes(100).give();
    (ana, fraud)
}

#[tokio::test]
async fn every_loan_is_settled_once_and_without_one_nothing_is_permitted() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let bank = Arc::new(Bank { left: Mutex::new(3), back: Mutex::default() });
    let lender: Arc<dyn Lender> = Arc::<Bank>::clone(&bank);
    let enforcer = Enforcer::start(Parts {
        snapshots: system.publisher.subscribe(),
        ledger: system.ledger.sink(),
        reservations: Arc::new(Reservations::at(lender)),
        clock: Arc::<modelward_testkit::VirtualClock>::clone(&system.clock),
        ids: Arc::<modelward_testkit::SeededIds>::clone(&system.ids),
        observer: Arc::<modelward_testkit::Counts>::clone(&system.observer),
    })
    .able_to(DATA_PLANE);
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);

    // Not opened; opened and lost; answered with four bytes.
    drop(enforcer.enforce(&who, predict(&fraud), &situation).await?);
    let enforced = enforcer.enforce(&who, predict(&fraud), &situation).await?;
    drop(enforced.permit.open());
    let enforced = enforcer.enforce(&who, predict(&fraud), &situation).await?;
    let answer = enforced.permit.open().1.answer(());
    let record = enforced.record.durable().await?;
    let ((), mut gate) = answer.disclose(&record)?.into_parts();
    gate.pass(b"four")?;
    drop(gate);

    let whole = Back { whole: true, bytes: 10 };
    let nothing = Back { whole: false, bytes: 0 };
    let unused = Back { whole: false, bytes: 6 };
    assert_eq!(*locked(&bank.back), [(3, whole), (2, nothing), (1, unused)]);

    let refused = enforcer.enforce(&who, predict(&fraud), &situation).await;
    assert!(matches!(refused, Err(NoPermit::Unavailable(Unavailable::Counters))), "{refused:?}");
    Ok(())
}
