//! A bundle's way into force and out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{PersonId, PrincipalRef};
use modelward_policy::gate::{Candidate, Report, check};
use modelward_policy::life::{Refusal, Release, Share};
use modelward_policy::review::sign;
use modelward_policy::{Reviewed, check_signatures};
use modelward_seal::Digest;

use crate::house::{changed, default_bundle, genesis, key, name, packed, with};

const START: Timestamp = Timestamp::constant(1_795_176_000, 0);

fn at(minutes: i64) -> Timestamp {
    START + SignedDuration::from_mins(minutes)
}

fn candidate() -> BTreeMap<String, String> {
    changed("privileges.cedar", "A deploy grant decides", "A deploy grant settles")
}

static PASSED: LazyLock<Report> =
    LazyLock::new(|| check(Candidate { sources: &candidate(), active: None, verdicts: None }));

fn reviewed() -> Reviewed {
    let mut file = packed(candidate());
    for who in ["erin", "dana"] {
        let previous = default_bundle().digest();
        let signature = sign(&file, previous, &name("alice"), &name(who), &name("platform"), &key(who));
        file = file.with_signature(signature.expect("a signature"));
    }
    check_signatures(&file, &default_bundle(), &genesis()).expect("two reviewers")
}

fn draft() -> Release {
    Release::draft(packed(candidate()).digest(), name("alice"), at(0))
}

fn proposed() -> Release {
    draft().propose(&PASSED, name("alice"), at(1)).expect("a passed gate")
}

fn ready() -> Release {
    proposed().review(&reviewed(), name("erin"), at(2)).expect("two signatures")
}

#[test]
fn a_bundle_goes_step_by_step_into_force_and_can_be_brought_back() {
    let active = default_bundle().digest();
    let share = Share::new(500).expect("five percent");
    let shadow = ready().shadow(active, name("erin"), at(3)).expect("in the shadow");
    let canary = shadow.canary(share, active, name("erin"), at(4)).expect("a canary");
    let canary =
        canary.canary(Share::new(5_000).expect("half"), active, name("erin"), at(5)).expect("a wider one");
    let in_force = canary.activate(active, name("erin"), at(6)).expect("in force");
    let next = Digest::of(b"the next bundle");
    let superseded = in_force.supersede(next, name("erin"), at(7)).expect("superseded");
    let back = superseded.roll_back(name("dana"), at(8)).expect("back in force");
    let states = [&shadow, &canary, &in_force, &superseded, &back].map(|release| release.state.as_str());
    assert_eq!(states, ["shadow", "canary", "active", "superseded", "active"]);
    assert_eq!(back.state.step().by, name("dana"));
    let text = serde_json::to_string(&canary).expect("JSON");
    assert_eq!(serde_json::from_str::<Release>(&text).expect("the same"), canary);
}

#[test]
fn nothing_comes_into_force_without_gate_and_signatures() {
    let active = default_bundle().digest();
    let mut failed = PASSED.clone();
    failed.add(modelward_policy::gate::Step::new("x", "", vec![modelward_policy::Finding::error("x", "no")]));
    assert_eq!(draft().propose(&failed, name("alice"), at(1)), Err(Refusal::GateFailed));
    assert_eq!(draft().propose(&PASSED, name("bob"), at(1)), Err(Refusal::NotAuthor { by: name("bob") }));
    let other = Release::draft(Digest::of(b"other"), name("alice"), at(0));
    assert_eq!(other.propose(&PASSED, name("alice"), at(1)), Err(Refusal::OtherReport));
    for early in [draft(), proposed()] {
        assert!(matches!(early.activate(active, name("erin"), at(3)), Err(Refusal::OutOfTurn { .. })));
        assert!(matches!(early.shadow(active, name("erin"), at(3)), Err(Refusal::OutOfTurn { .. })));
    }
    let mut of_bob = proposed();
    of_bob.author = name("bob");
    assert!(matches!(of_bob.review(&reviewed(), name("erin"), at(2)), Err(Refusal::OtherAuthor { .. })));
    let mut other = proposed();
    other.bundle = Digest::of(b"other");
    assert_eq!(other.review(&reviewed(), name("erin"), at(2)), Err(Refusal::OtherBundle));
}

#[test]
fn signatures_given_against_another_bundle_are_overtaken() {
    let other = Digest::of(b"somebody was faster");
    let refused = ready().activate(other, name("erin"), at(3));
    assert_eq!(refused, Err(Refusal::Overtaken { reviewed: default_bundle().digest(), active: other }));
}

#[test]
fn what_is_over_stays_over_and_time_runs_forward() {
    let active = default_bundle().digest();
    let gone = ready().withdraw(name("alice"), at(3)).expect("withdrawn");
    assert!(matches!(gone.activate(active, name("erin"), at(4)), Err(Refusal::OutOfTurn { .. })));
    assert!(matches!(gone.roll_back(name("erin"), at(4)), Err(Refusal::OutOfTurn { .. })));
    let in_force = ready().activate(active, name("erin"), at(3)).expect("in force");
    assert_eq!(in_force.roll_back(name("erin"), at(4)), Err(Refusal::InForce));
    assert!(matches!(in_force.withdraw(name("erin"), at(4)), Err(Refusal::OutOfTurn { .. })));
    assert_eq!(in_force.supersede(active, name("erin"), at(2)), Err(Refusal::BackInTime));
    let shadow = ready().shadow(active, name("erin"), at(3)).expect("in the shadow");
    assert_eq!(shadow.stop(name("erin"), at(4)).expect("stopped").state.as_str(), "reviewed");
}

#[test]
fn a_canary_is_the_same_everywhere_keeps_its_people_as_it_grows_and_is_as_large_as_said() {
    let bundle = default_bundle().digest();
    let people: Vec<PrincipalRef> =
        (0..20_000).map(|number| PrincipalRef::Person(PersonId::from_bits(number))).collect();
    let of = |share: u16, bundle: Digest| -> BTreeSet<PrincipalRef> {
        let share = Share::new(share).expect("a share");
        people.iter().copied().filter(|person| share.includes(bundle, *person)).collect()
    };
    let (few, many) = (of(500, bundle), of(5_000, bundle));
    assert_eq!(few, of(500, bundle));
    assert!(few.is_subset(&many));
    assert!((800..1_200).contains(&few.len()), "{} of 1000", few.len());
    assert!((9_500..10_500).contains(&many.len()), "{} of 10000", many.len());
    let other = packed(with("groups.toml", "# other\n")).digest();
    assert_ne!(few, of(500, other), "not always the same people");
    assert!(Share::new(0).is_err() && Share::new(10_000).is_err());
    assert!(serde_json::from_str::<Share>("10000").is_err());
}
