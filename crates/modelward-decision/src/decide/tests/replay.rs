//! Decisions made again: the same on the same state, and every flip found under another bundle.

use super::world::{self, Rng, World};
use super::*;
use crate::replay::{Batch, Direction, Item, Recorded, flips};
use crate::{Bundle, Change, Snapshot};

/// A state with what was decided on it.
type Then = (Snapshot, Vec<Decision>, Vec<Request>);

fn history(bundle: &Arc<Bundle>, rng: &mut Rng) -> Vec<Then> {
    (0..12)
        .map(|_| {
            let world = World::new(rng);
            let snapshot = Snapshot::empty(Arc::clone(bundle)).with(world.changes());
            let requests: Vec<Request> = (0..40).map(|_| world.request(rng)).collect();
            let decisions =
                requests.iter().map(|it| decide(&snapshot, it, DecisionId::from_bits(1))).collect();
            (snapshot, decisions, requests)
        })
        .collect()
}

fn item(decision: &Decision, request: &Request) -> Item {
    Item {
        decision: decision.id,
        request: request.clone(),
        outcome: decision.outcome,
        determining: decision.determining.iter().map(|it| it.policy.clone()).collect(),
        obligations: decision.obligations.clone(),
    }
}

#[test]
fn a_decision_made_again_is_the_same_and_a_change_is_named() {
    let mut rng = Rng::new(3);
    let bundle = Arc::new(world::bundle(&mut rng));
    for (snapshot, decisions, requests) in history(&bundle, &mut rng) {
        for (decision, request) in decisions.iter().zip(&requests) {
            let text = serde_json::to_string(request).expect("a request");
            let read: Request = serde_json::from_str(&text).expect("the same request");
            let again = decide(&snapshot, &read, DecisionId::from_bits(2));
            assert_eq!(Recorded::of(decision).compare(&Recorded::of(&again)), None);
            let other = Recorded { sentence: "another".to_owned(), ..Recorded::of(decision) };
            let difference = other.compare(&Recorded::of(&again)).expect("a difference");
            assert_eq!((difference.part.as_str(), difference.recorded.as_str()), ("sentence", "another"));
        }
    }
}

#[test]
fn every_flip_is_found_whatever_the_number_of_workers() {
    let mut rng = Rng::new(5);
    let (one, other) = (Arc::new(world::bundle(&mut rng)), Arc::new(world::bundle(&mut rng)));
    let mut directions = BTreeSet::new();
    // What is looser one way is stricter the other way.
    for (bundle, candidate) in [(&one, &other), (&other, &one)] {
        let history = history(bundle, &mut Rng::new(9));
        let same = flips(batches(&history, bundle).into_iter(), 2, &|_| ());
        assert_eq!((same.replayed, same.flips.len()), (12 * 40, 0), "a bundle does not differ from itself");

        let heard = std::sync::atomic::AtomicU64::new(0);
        let hear = |done| {
            heard.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
        };
        let found = flips(batches(&history, candidate).into_iter(), 1, &hear);
        assert_eq!(heard.into_inner(), 12 * 40);
        assert_eq!(flips(batches(&history, candidate).into_iter(), 3, &|_| ()), found);
        assert_eq!(found.flips.values().map(Vec::len).sum::<usize>(), expected(&history, candidate));
        directions.extend(found.flips.keys().map(|key| key.direction));
    }
    assert!(directions.contains(&Direction::Looser) && directions.contains(&Direction::Stricter));
}

fn batches(history: &[Then], under: &Arc<Bundle>) -> Vec<Batch> {
    let batch = |(snapshot, decisions, requests): &Then| Batch {
        snapshot: Arc::new(snapshot.with([Change::Bundle(Arc::clone(under))])),
        items: decisions.iter().zip(requests).map(|(it, request)| item(it, request)).collect(),
    };
    history.iter().map(batch).collect()
}

/// How many flip, by definition.
fn expected(history: &[Then], candidate: &Arc<Bundle>) -> usize {
    let mut flipped = 0;
    for Batch { snapshot, items } in batches(history, candidate) {
        for it in items {
            let now = decide(&snapshot, &it.request, DecisionId::from_bits(2));
            let both = it.outcome.is_allow() && now.is_allow();
            let other = both && it.obligations != now.obligations;
            flipped += usize::from(it.outcome.is_allow() != now.is_allow() || other);
        }
    }
    flipped
}
