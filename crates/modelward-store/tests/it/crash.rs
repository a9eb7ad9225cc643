//! The process dies at every step between commit and publication; nothing is lost and nothing doubled.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{EventId, PrincipalRef};
use modelward_governance::inventory::Thing;
use modelward_store::{StateChange, Store};

use crate::house::{
    NEXT, Place, Process, commit, dump, event, furnished, give, grant, grant_id, id, model, noon, now, put,
};

/// A ledger that knows events by their id: appending one twice is appending it once.
#[derive(Default)]
struct Ledger(Vec<EventId>);

impl Ledger {
    fn append(&mut self, event: EventId) -> u64 {
        let found = self.0.iter().position(|known| *known == event);
        let index = found.unwrap_or_else(|| {
            self.0.push(event);
            self.0.len() - 1
        });
        // The furniture stands at index 0.
        u64::try_from(index).unwrap() + 1
    }
}

/// What every start does with what the last process left behind.
async fn recover(process: &mut Process, ledger: &mut Ledger) {
    for pending in process.store.pending_outbox(1000).await.unwrap() {
        let index = ledger.append(pending.event);
        process.ledgered(pending.event, index).await;
    }
}

#[tokio::test]
async fn a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    let bump = StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(2))));
    let mut locked = model();
    locked.quarantined = true;
    let changes = [bump, put(Thing::Model(locked)), give(grant(90))];

    let mut outcomes = Vec::new();
    for dies_after in ["commit", "append", "ledgered", "never"] {
        let place = Place::sqlite();
        furnished(&place).await.close().await;
        let mut ledger = Ledger::default();
        let mut process = Process::start(&place).await;

        process.commit(commit(NEXT, changes.clone())).await;
        if dies_after != "commit" {
            let index = ledger.append(event(NEXT));
            if dies_after != "append" {
                process.ledgered(event(NEXT), index).await;
            }
        }
        if dies_after != "never" {
            // Nothing the process had in memory survives.
            process = Process::start(&place).await;
            assert!(process.published.model(id(40)).unwrap().quarantined, "what narrowed bites");
            let granted = process.published.grant(grant_id(90)).is_some();
            assert_eq!(granted, dies_after == "ledgered", "what widens waits for the ledger");
            recover(&mut process, &mut ledger).await;
            recover(&mut process, &mut ledger).await;
        }
        assert_eq!(ledger.0, [event(NEXT)]);
        assert!(process.store.pending_outbox(10).await.unwrap().is_empty());
        assert_eq!(dump(&now(&process.store).await), dump(&process.published));
        outcomes.push(dump(&process.published));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "it does not show where the process died");
}

#[tokio::test]
async fn work_that_is_cut_short_is_done_whole_or_not_at_all() {
    let place = Place::sqlite();
    let store = furnished(&place).await;
    let bump = StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(2))));
    let (mut cut, mut whole) = (0, 0);
    let mut polls = 1;
    let mut number = NEXT;
    while whole < 3 {
        let grant_number = 2000 + number;
        let before = now(&store).await;
        let changes = [bump.clone(), give(grant(grant_number))];
        let finished = limited(store.commit(commit(number, changes)), polls).await.is_some();
        let committed = store.event(event(number)).await.unwrap().is_some();
        assert!(committed || !finished, "what was acknowledged is there");
        let between = now(&store).await;
        let dana = EpochScope::Principal(PrincipalRef::Person(id(2)));
        assert_eq!(between.epoch(dana), before.epoch(dana) + u64::from(committed));
        assert!(between.grant(grant_id(grant_number)).is_none());
        if committed {
            let index = u64::try_from(number).unwrap();
            let finished = limited(store.ledgered(event(number), index, noon()), polls).await.is_some();
            let noted = store.event(event(number)).await.unwrap().unwrap().ledger_index.is_some();
            assert!(noted || !finished);
            assert_eq!(now(&store).await.grant(grant_id(grant_number)).is_some(), noted);
            store.ledgered(event(number), index, noon()).await.unwrap();
            whole += usize::from(finished);
        } else {
            cut += 1;
        }
        polls += 1;
        number += 1;
    }
    assert!(cut > 3, "it was cut short at several places, not {cut}");
    assert!(store.pending_outbox(10).await.unwrap().is_empty());
    let again: Store = place.open().await;
    assert_eq!(dump(&now(&again).await), dump(&now(&store).await));
}

/// Polls a future at most so often, then drops it as a cancelled request would.
async fn limited<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    struct Limited<'a, F>(Pin<&'a mut F>, usize);
    impl<F: Future> Future for Limited<'_, F> {
        type Output = Option<F::Output>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            if self.1 == 0 {
                return Poll::Ready(None);
            }
            self.1 -= 1;
            self.0.as_mut().poll(context).map(Some)
        }
    }
    let mut future = pin!(future);
    Limited(future.as_mut(), polls).await
}
