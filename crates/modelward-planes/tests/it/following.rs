//! What a gateway puts in force, and what it refuses.

use std::time::Duration;

use modelward_decision::Change;
use modelward_planes::{FollowError, Log};

use crate::control::{
    Control, GATEWAY, NOON, challenge, change, connect, feed, follower, grant, key, told, trust,
};

#[test]
fn a_new_gateway_gets_the_whole_state_and_then_what_changes() {
    let mut control = Control::new(1, 7);
    control.publish((0..9).map(|kind| change(kind, 5)).collect());
    let mut follower = follower(&control, 0);
    let news = connect(&mut follower, &control);
    assert_eq!(told(&news.snapshot.unwrap()), told(&control.snapshot));
    assert_eq!(news.fresh_at, Some(10), "as fresh as the challenge is old");

    let before = follower.position().unwrap();
    control.publish(vec![Change::Revoke(grant(5))]);
    let news = feed(&mut follower, &control.news(before, challenge(1))).unwrap().unwrap();
    assert!(news.snapshot.unwrap().grant(grant(5)).is_none());
    assert_eq!(follower.position(), Some(control.log.head()));
}

#[test]
fn nothing_is_in_force_before_a_beat_signs_for_it() {
    let mut control = Control::new(1, 0);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);
    let before = follower.position().unwrap();
    control.publish(vec![change(4, 1)]);
    let lines = control.news(before, challenge(1));
    assert!(feed(&mut follower, &lines[..1]).unwrap().is_none());
    assert_eq!(follower.position(), Some(before));
    // The connection breaks here: what was half done is not carried over.
    let hello = follower.begin(challenge(2), 20);
    assert_eq!(hello.position, Some(before));
    let news = feed(&mut follower, &control.welcome(&hello)).unwrap().unwrap();
    assert_eq!(told(&news.snapshot.unwrap()), told(&control.snapshot));
}

#[test]
fn an_old_state_that_is_replayed_is_refused_after_a_restart_too() {
    let mut control = Control::new(1, 4);
    let old = control.image().0;
    control.publish(vec![change(4, 1)]);
    control.publish(vec![change(6, 1)]);
    let mut running = follower(&control, 0);
    connect(&mut running, &control);
    running.begin(challenge(2), 20);
    let refused = feed(&mut running, &old);
    assert!(matches!(refused, Err(FollowError::Older { offered: 4, floor: 6 })), "{refused:?}");

    let mut restarted = follower(&control, 6);
    restarted.begin(challenge(3), 30);
    assert!(matches!(feed(&mut restarted, &old), Err(FollowError::Older { offered: 4, floor: 6 })));
    let news = connect(&mut restarted, &control);
    assert_eq!(news.position.revision, 6, "the state of that very revision is good");
}

#[test]
fn a_recorded_beat_counts_neither_later_nor_elsewhere() {
    let control = Control::new(1, 0);
    let mut first = follower(&control, 0);
    let hello = first.begin(challenge(1), 10);
    let recorded = control.welcome(&hello);
    feed(&mut first, &recorded).unwrap();
    first.begin(challenge(2), 20);
    assert!(matches!(feed(&mut first, &recorded), Err(FollowError::Replayed)));

    first.begin(challenge(3), 30);
    let for_another = control.beat_for("gw-2", control.log.head(), challenge(3), None);
    let refused = feed(&mut first, &[for_another]);
    assert!(matches!(refused, Err(FollowError::OtherGateway(name)) if name == "gw-2"));
}

#[test]
fn a_delayed_beat_is_as_old_as_the_challenge_it_answers() {
    let control = Control::new(1, 0);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);
    let answer = control.beat(challenge(1), None);
    for number in 2..9 {
        follower.challenge(challenge(number), u64::from(number) * 1000);
    }
    let news = feed(&mut follower, std::slice::from_ref(&answer)).unwrap().unwrap();
    assert_eq!(news.fresh_at, Some(10));
    let news = feed(&mut follower, &[control.beat(challenge(5), None)]).unwrap().unwrap();
    assert_eq!(news.fresh_at, Some(5000));
    assert!(matches!(feed(&mut follower, &[answer]), Err(FollowError::Replayed)), "time does not go back");
}

#[test]
fn clocks_that_are_far_apart_prove_no_freshness() {
    for (seconds, is_fresh) in [(30, true), (31, false), (-30, true), (-31, false)] {
        let mut control = Control::new(1, 0);
        control.publish(vec![change(4, 1)]);
        control.now = NOON + jiff::SignedDuration::from_secs(seconds);
        let mut follower = follower(&control, 0);
        let news = connect(&mut follower, &control);
        assert_eq!(news.fresh_at.is_some(), is_fresh, "{seconds}");
        assert!(news.snapshot.is_some(), "the state is the newest all the same");
    }
}

#[test]
fn what_does_not_follow_on_is_refused() {
    let mut control = Control::new(1, 0);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);
    let before = follower.position().unwrap();
    control.publish(vec![change(4, 1)]);
    control.publish(vec![change(6, 1)]);
    let lines = control.news(before, challenge(1));
    for (what, lines) in [
        ("one left out", vec![lines[1].clone(), lines[2].clone()]),
        ("one twice", vec![lines[0].clone(), lines[0].clone()]),
        ("the wrong way round", vec![lines[1].clone(), lines[0].clone()]),
    ] {
        follower.begin(challenge(1), 10);
        assert!(matches!(feed(&mut follower, &lines), Err(FollowError::Gap)), "{what}");
    }
    follower.begin(challenge(1), 10);
    let only_the_first = vec![lines[0].clone(), lines[2].clone()];
    assert!(matches!(feed(&mut follower, &only_the_first), Err(FollowError::OtherState)));
    assert_eq!(follower.position(), Some(before));
}

#[test]
fn a_control_plane_that_started_again_sends_everything_anew() {
    let mut control = Control::new(1, 3);
    control.publish(vec![change(4, 1)]);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);
    let mut again = Control::new(2, 4);
    again.snapshot = control.snapshot.clone();
    let hello = follower.begin(challenge(2), 20);
    assert!(again.log.after(hello.position.unwrap()).is_none(), "it knows nothing of the chain before");
    let news = feed(&mut follower, &again.welcome(&hello)).unwrap().unwrap();
    assert_eq!(told(&news.snapshot.unwrap()), told(&control.snapshot));
}

#[test]
fn the_signing_key_changes_under_way_and_a_strangers_counts_for_nothing() {
    let mut control = Control::new(1, 0);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);

    // Both sign while the old one retires; then the new one alone.
    control.keys.push(key(2));
    control.trust = trust(&control.keys);
    let news = connect(&mut follower, &control);
    assert!(news.trust.is_some());
    control.keys.remove(0);
    control.trust = trust(&control.keys);
    assert!(connect(&mut follower, &control).trust.is_some());

    let beat_before = control.beat(challenge(3), None);
    control.keys = vec![key(9)];
    follower.begin(challenge(3), 30);
    let refused = feed(&mut follower, &[control.beat(challenge(3), None)]);
    assert!(matches!(refused, Err(FollowError::Signature(_))));
    assert!(feed(&mut follower, &[beat_before]).is_ok());
}

#[test]
fn keys_count_only_once_a_beat_names_them() {
    let mut control = Control::new(1, 0);
    let mut follower = follower(&control, 0);
    connect(&mut follower, &control);
    let strangers = modelward_planes::frame::line::trust(trust(&[key(9)]).text());
    let lines = [strangers, control.beat(challenge(1), None)];
    assert!(matches!(feed(&mut follower, &lines), Err(FollowError::OtherState)));
    control.now += Duration::from_secs(1);
    assert!(connect(&mut follower, &control).trust.is_none(), "the keys are those of before");
}

#[test]
fn a_log_that_forgot_a_position_says_so() {
    let mut log = Log::new([1; 16], 0);
    let first = log.head();
    for to in 1..=5000 {
        log.append(to, NOON, &[change(7, 1)]);
    }
    assert!(log.after(first).is_none());
    assert_eq!(log.after(log.head()).unwrap().len(), 0);
    assert_eq!(GATEWAY.len(), 4);
}
