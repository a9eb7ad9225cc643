//! Whatever changes, and whatever happens on the way: a gateway has a state the control plane signed for, or none.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::control::{Control, challenge, change, feed, follower, told};

/// What somebody on the way does to one line.
#[derive(Debug, Clone, Copy)]
enum Meddling {
    Drop,
    Double,
    Swap,
    Flip(u16),
    Cut(u16),
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        Just(Meddling::Drop),
        Just(Meddling::Double),
        Just(Meddling::Swap),
        any::<u16>().prop_map(Meddling::Flip),
        any::<u16>().prop_map(Meddling::Cut),
    ]
}

fn meddle(lines: &mut Vec<String>, at: usize, how: Meddling) {
    if lines.is_empty() {
        return;
    }
    let at = at % lines.len();
    let nothing_left = lines[at].is_empty();
    match how {
        Meddling::Flip(_) | Meddling::Cut(_) if nothing_left => {}
        Meddling::Drop => drop(lines.remove(at)),
        Meddling::Double => lines.insert(at, lines[at].clone()),
        Meddling::Swap => {
            let other = (at + 1) % lines.len();
            lines.swap(at, other);
        }
        Meddling::Flip(place) => {
            let mut bytes = lines[at].clone().into_bytes();
            let place = usize::from(place) % bytes.len();
            bytes[place] ^= 1;
            lines[at] = String::from_utf8(bytes).unwrap();
        }
        Meddling::Cut(place) => {
            let keep = usize::from(place) % lines[at].len();
            let cut: String = lines[at].chars().take(keep).collect();
            lines[at] = cut;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_follower_has_exactly_what_the_control_plane_has(
        rounds in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<u8>()), 0..12), 1..8),
        breaks in prop::collection::vec(any::<bool>(), 8),
    ) {
        let mut control = Control::new(1, 3);
        let mut follower = follower(&control, 0);
        let hello = follower.begin(challenge(0), 0);
        feed(&mut follower, &control.welcome(&hello)).unwrap();
        for (round, changes) in rounds.iter().enumerate() {
            control.publish(changes.iter().map(|(kind, number)| change(*kind, *number)).collect());
            let number = u8::try_from(round).unwrap() + 1;
            let lines = if breaks[round] {
                let hello = follower.begin(challenge(number), 0);
                control.welcome(&hello)
            } else {
                follower.challenge(challenge(number), 0);
                control.news(follower.position().unwrap(), challenge(number))
            };
            let news = feed(&mut follower, &lines).unwrap().unwrap();
            prop_assert_eq!(told(&news.snapshot.unwrap()), told(&control.snapshot));
        }
        // From nothing it is the same.
        let mut fresh = crate::control::follower(&control, 0);
        let hello = fresh.begin(challenge(99), 0);
        let news = feed(&mut fresh, &control.welcome(&hello)).unwrap().unwrap();
        prop_assert_eq!(told(&news.snapshot.unwrap()), told(&control.snapshot));
    }

    #[test]
    fn whatever_is_meddled_with_only_signed_states_come_in_force_and_never_an_older_one(
        rounds in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<u8>()), 1..6), 1..6),
        meddlings in prop::collection::vec((any::<u16>(), meddling()), 1..4),
        anew in any::<bool>(),
    ) {
        let mut control = Control::new(1, 3);
        let mut signed = BTreeMap::from([(3, told(&control.snapshot))]);
        let mut follower = follower(&control, 0);
        let hello = follower.begin(challenge(0), 0);
        feed(&mut follower, &control.welcome(&hello)).unwrap();
        let before = follower.position().unwrap();
        for changes in &rounds {
            control.publish(changes.iter().map(|(kind, number)| change(*kind, *number)).collect());
            signed.insert(control.snapshot.revision(), told(&control.snapshot));
        }
        let mut lines = if anew {
            let mut stranger = crate::control::follower(&control, 0);
            let hello = stranger.begin(challenge(1), 0);
            follower.begin(challenge(1), 0);
            control.welcome(&hello)
        } else {
            control.news(before, challenge(0))
        };
        for (at, how) in meddlings {
            meddle(&mut lines, usize::from(at), how);
        }
        if let Ok(Some(news)) = feed(&mut follower, &lines)
            && let Some(snapshot) = news.snapshot
        {
            let told = told(&snapshot);
            prop_assert_eq!(Some(&told), signed.get(&told.0));
        }
        prop_assert!(follower.position().unwrap().revision >= before.revision);
    }
}
