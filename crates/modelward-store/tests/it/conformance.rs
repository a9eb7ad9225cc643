//! Promises every backend keeps.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use modelward_decision::inventory::Model;
use modelward_decision::vocabulary::{
    Action, Binding, Classification, CredentialScope, GranteeRef, Name, PersonId, PrincipalRef, Privilege,
    ScopeRef, SessionId,
};
use modelward_decision::{Change, EpochScope, Reach, Removed};
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Thing};
use modelward_governance::policy::PolicyState;
use modelward_identity::federation::{Identity, Link, Standing};
use modelward_identity::passkey::Passkey;
use modelward_identity::password::PasswordHash;
use modelward_identity::recovery::RecoveryCodes;
use modelward_identity::refresh::{FAMILIES_MAX, Family, Use};
use modelward_identity::session::{Origin, SessionRecord};
use modelward_identity::softlock::{LockKey, Softlock};
use modelward_identity::token::{Profile, Thumbprint, TokenBinding};
use modelward_identity::{EpochMark, Strength};
use modelward_seal::Digest;
use modelward_store::bundles::{BundleHead, BundleRow};
use modelward_store::credential::{CredentialChange, Factor};
use modelward_store::enrolment::Enrolment;
use modelward_store::federation::{SIGHTINGS_KEPT, Sighting};
use modelward_store::gateway::GatewayInvitation;
use modelward_store::grants::GrantsOf;
use modelward_store::key::{KeyState, SigningKey};
use modelward_store::passkey::{NewPasskey, StoredCeremony, StoredPasskey};
use modelward_store::scim::{
    Client as ScimClient, Resource, ResourceKind, Secret as ScimSecret, Subject, Write,
};
use modelward_store::secret::Sealed;
use modelward_store::sign_in::Attempt;
use modelward_store::{
    Commit, CommitError, LedgeredError, Moment, PAGE_MAX, Recorded, StateChange, Store, StoreError,
};

use crate::house::{
    NEXT, Place, Process, after, alias, commit, dump, empty, endpoint, environment, event, furnished, give,
    grant, grant_id, group, id, model, name, noon, now, person, project, put, snapshot, version,
};

macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod on_sqlite {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    super::$promise(&Place::sqlite()).await;
                }
            )+
        }

        #[cfg(feature = "postgres")]
        mod on_postgres {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(place) = Place::postgres(stringify!($promise)).await {
                        super::$promise(&place).await;
                    }
                }
            )+
        }
    };
}

promises![
    the_policy_moves_step_by_step_once_the_ledger_has_it,
    bundles_are_kept_and_signed_by_one_at_a_time,
    a_grant_counts_only_once_the_ledger_has_it,
    a_revocation_counts_at_commit,
    a_mixed_change_is_split,
    any_past_moment_can_be_asked,
    memberships_end_and_begin_at_their_own_time,
    time_never_runs_backwards_in_history,
    committing_twice_is_committing_once,
    reporting_twice_is_reporting_once,
    a_widening_never_overtakes_a_later_narrowing,
    whatever_the_order_the_last_commit_wins,
    what_is_published_is_what_is_stored,
    from_any_revision_to_any_later_one,
    what_is_read_is_of_one_revision,
    names_are_unique_now_and_later,
    references_lead_somewhere,
    what_is_referred_to_stays,
    an_alias_moves_off_a_version_that_goes_in_one_commit,
    a_grant_never_changes_and_never_comes_back,
    a_commit_is_whole_or_not_there,
    commits_are_bounded,
    the_outbox_holds_no_secret,
    epochs_survive_a_restart,
    the_house_is_initialised_once,
    a_description_follows_its_model,
    grants_are_listed_in_pages,
    credentials_count_once_the_ledger_has_them,
    an_older_credential_never_replaces_a_newer_one,
    a_one_time_code_counts_once,
    a_recovery_code_counts_once,
    a_passkey_counts_from_the_ledger_on_until_it_is_removed,
    of_two_signatures_at_once_one_counts,
    a_challenge_is_taken_once_in_time_and_for_what_it_is,
    an_enrolment_code_counts_once,
    a_gateway_is_let_in_once_and_known_by_its_certificate,
    a_session_ends_for_good,
    sessions_of_an_issuer_are_found_by_it,
    a_refresh_handle_is_used_once,
    of_many_refresh_families_the_oldest_end,
    an_identity_is_one_person_once_the_ledger_knows,
    an_issuer_is_distrusted_at_once_and_trusted_later,
    what_counts_once_counts_once,
    a_provisioning_client_counts_while_a_secret_of_it_does,
    what_a_client_says_is_kept_with_what_follows_from_it,
    a_withdrawn_resource_leaves_nothing_behind,
    whom_a_client_ended_is_remembered_for_a_while,
    strangers_are_remembered_for_a_while,
    softlocks_survive_a_restart,
    attempts_are_listed_newest_first,
    a_key_never_becomes_active_again,
    settings_survive_a_restart,
    events_know_their_place_in_the_ledger,
];

async fn a_grant_counts_only_once_the_ledger_has_it(place: &Place) {
    let store = furnished(place).await;
    let committed = store.commit(commit(NEXT, [give(grant(90))])).await.unwrap();
    assert!(committed.narrowing.is_empty());
    assert!(now(&store).await.grant(grant_id(90)).is_none());
    assert!(now(&place.open().await).await.grant(grant_id(90)).is_none(), "nor after a restart");

    let ledgered = store.ledgered(event(NEXT), 7, noon()).await.unwrap();
    assert!(matches!(ledgered.widening.as_slice(), [Change::Grant(given)] if **given == grant(90)));
    assert_eq!(now(&store).await.grant(grant_id(90)).map(|it| (**it).clone()), Some(grant(90)));
    assert_eq!(now(&store).await.revision(), ledgered.revision);
}

async fn a_revocation_counts_at_commit(place: &Place) {
    let store = furnished(place).await;
    store.commit(commit(NEXT, [give(grant(90))])).await.unwrap();
    store.ledgered(event(NEXT), 7, noon()).await.unwrap();
    let committed = store.commit(commit(NEXT + 1, [StateChange::Revoke(grant_id(90))])).await.unwrap();
    assert!(matches!(committed.narrowing.as_slice(), [Change::Revoke(gone)] if *gone == grant_id(90)));
    assert!(now(&store).await.grant(grant_id(90)).is_none());
    let ledgered = store.ledgered(event(NEXT + 1), 8, noon()).await.unwrap();
    assert!(ledgered.widening.is_empty());
    assert_eq!(ledgered.revision, committed.revision, "nothing came into force any more");
}

async fn a_mixed_change_is_split(place: &Place) {
    let store = furnished(place).await;
    let mut changed = model();
    changed.quarantined = true;
    changed.classification = Classification::Public;
    store.commit(commit(NEXT, [put(Thing::Model(changed.clone()))])).await.unwrap();
    let between = now(&store).await;
    let between = between.model(id(40)).unwrap();
    assert!(between.quarantined);
    assert_eq!(between.classification, Classification::Internal);
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    assert_eq!(**now(&store).await.model(id(40)).unwrap(), changed);
}

async fn any_past_moment_can_be_asked(place: &Place) {
    let store = furnished(place).await;
    let first = now(&store).await;
    let mut give_later = commit(NEXT, [give(grant(90))]);
    give_later.at = after(60);
    store.commit(give_later).await.unwrap();
    let given = store.ledgered(event(NEXT), 1, after(61)).await.unwrap();
    let mut revoke = commit(NEXT + 1, [StateChange::Revoke(grant_id(90))]);
    revoke.at = after(120);
    store.commit(revoke).await.unwrap();
    store.ledgered(event(NEXT + 1), 2, after(121)).await.unwrap();
    let mut quarantined = model();
    quarantined.quarantined = true;
    let mut lock = commit(NEXT + 2, [put(Thing::Model(quarantined))]);
    lock.at = after(180);
    store.commit(lock).await.unwrap();

    let has_grant = async |moment| snapshot(&store, moment).await.grant(grant_id(90)).is_some();
    assert!(
        snapshot(&store, Moment::At(noon() - SignedDuration::from_secs(1))).await.models().next().is_none()
    );
    assert_eq!(dump(&snapshot(&store, Moment::At(noon())).await), dump(&first));
    assert!(!has_grant(Moment::At(after(60))).await, "committed, but not in the ledger yet");
    assert!(has_grant(Moment::At(after(61))).await);
    assert!(has_grant(Moment::At(after(119))).await);
    assert!(!has_grant(Moment::At(after(120))).await, "revoked at commit");
    assert!(has_grant(Moment::Revision(given.revision)).await, "as a decision names it");
    let locked = async |moment| snapshot(&store, moment).await.model(id(40)).unwrap().quarantined;
    assert!(!locked(Moment::At(after(179))).await);
    assert!(locked(Moment::At(after(180))).await);
    assert!(locked(Moment::Now).await);
}

async fn memberships_end_and_begin_at_their_own_time(place: &Place) {
    let store = furnished(place).await;
    let mut moved = person(2, "dana");
    moved.groups.insert(id(21));
    let mut step = commit(NEXT, [put(Thing::Person(moved))]);
    step.at = after(10);
    store.commit(step).await.unwrap();
    store.ledgered(event(NEXT), 1, after(20)).await.unwrap();
    let groups = async |moment| snapshot(&store, moment).await.person(id(2)).unwrap().groups.clone();
    assert_eq!(groups(Moment::At(after(9))).await, BTreeSet::from([id(20)]));
    assert_eq!(groups(Moment::At(after(15))).await, BTreeSet::new(), "left at commit, not joined yet");
    assert_eq!(groups(Moment::At(after(20))).await, BTreeSet::from([id(21)]));
}

async fn time_never_runs_backwards_in_history(place: &Place) {
    let store = furnished(place).await;
    let mut late = commit(NEXT, [give(grant(90))]);
    late.at = after(60);
    store.commit(late).await.unwrap();
    store.ledgered(event(NEXT), 1, after(60)).await.unwrap();
    let mut early = commit(NEXT + 1, [StateChange::Revoke(grant_id(90))]);
    early.at = noon();
    store.commit(early).await.unwrap();
    assert!(snapshot(&store, Moment::At(after(59))).await.grant(grant_id(90)).is_none());
    assert!(snapshot(&store, Moment::At(after(60))).await.grant(grant_id(90)).is_none());
    let record = store.grant(grant_id(90)).await.unwrap().unwrap();
    assert_eq!(record.in_force_from, after(60));
    assert_eq!(record.revoked_at, Some(after(60)));
}

async fn committing_twice_is_committing_once(place: &Place) {
    let store = furnished(place).await;
    let bump = StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(2))));
    let first = store.commit(commit(NEXT, [bump.clone(), give(grant(90))])).await.unwrap();
    let second = store.commit(commit(NEXT, [bump.clone(), give(grant(90))])).await.unwrap();
    assert!(!first.repeated && second.repeated);
    assert_eq!(first.revision, second.revision);
    assert!(second.narrowing.is_empty());
    assert_eq!(now(&store).await.epoch(EpochScope::Principal(PrincipalRef::Person(id(2)))), 1);
    let other = store.commit(commit(NEXT, [bump])).await;
    assert!(matches!(other, Err(CommitError::EventReused(reused)) if reused == event(NEXT)));
    assert_eq!(store.pending_outbox(10).await.unwrap().len(), 1);
}

async fn reporting_twice_is_reporting_once(place: &Place) {
    let store = furnished(place).await;
    store.commit(commit(NEXT, [give(grant(90))])).await.unwrap();
    store.ledgered(event(NEXT), 5, noon()).await.unwrap();
    let again = store.ledgered(event(NEXT), 5, noon()).await.unwrap();
    assert!(again.repeated && again.widening.is_empty());
    let other = store.ledgered(event(NEXT), 6, noon()).await;
    assert!(matches!(other, Err(LedgeredError::OtherIndex { first: 5, second: 6, .. })));
    let unknown = store.ledgered(event(1), 6, noon()).await;
    assert!(matches!(unknown, Err(LedgeredError::Unknown(_))));
}

async fn a_widening_never_overtakes_a_later_narrowing(place: &Place) {
    let mut process = Process { store: furnished(place).await, published: empty() };
    process.published = now(&process.store).await;
    let mut locked = model();
    locked.quarantined = true;
    process.commit(commit(NEXT, [put(Thing::Model(locked.clone()))])).await;
    process.ledgered(event(NEXT), 1).await;
    // Somebody lifts the quarantine; before the ledger has that, somebody else sees a reason to keep it.
    process.commit(commit(NEXT + 1, [put(Thing::Model(model()))])).await;
    process.commit(commit(NEXT + 2, [put(Thing::Model(locked))])).await;
    process.ledgered(event(NEXT + 1), 2).await;
    assert!(process.published.model(id(40)).unwrap().quarantined);
    process.ledgered(event(NEXT + 2), 3).await;
    assert!(process.published.model(id(40)).unwrap().quarantined);

    // The same with a grant that is revoked before it counted.
    process.commit(commit(NEXT + 3, [give(grant(90))])).await;
    process.commit(commit(NEXT + 4, [StateChange::Revoke(grant_id(90))])).await;
    process.ledgered(event(NEXT + 3), 4).await;
    assert!(process.published.grant(grant_id(90)).is_none());
    process.ledgered(event(NEXT + 4), 5).await;
    assert!(process.published.grant(grant_id(90)).is_none());
}

/// Random edits of one model and its version, reported in random order: at every moment no more is in force than any
/// change on its way to the ledger allows, and in the end the last commit is in force.
async fn whatever_the_order_the_last_commit_wins(place: &Place) {
    let mut process = Process { store: furnished(place).await, published: empty() };
    process.published = now(&process.store).await;
    let mut random = Random(42);
    let mut open: Vec<u128> = Vec::new();
    let (mut last, mut last_version) = (model(), version(50, "1"));
    let mut next = NEXT;
    let mut index = 1;
    for _ in 0..120 {
        if open.is_empty() || random.below(2) == 0 {
            last.quarantined = random.below(2) == 0;
            last.classification = Classification::ALL[random.below(4)];
            last.tags = ["a", "b", "c"].into_iter().filter(|_| random.below(2) == 0).map(name).collect();
            last_version.proven = random.below(2) == 0;
            let changes = [put(Thing::Model(last.clone())), put(Thing::Version(last_version.clone()))];
            process.commit(commit(next, changes)).await;
            open.push(next);
            next += 1;
        } else {
            let done = open.swap_remove(random.below(open.len()));
            process.ledgered(event(done), index).await;
            index += 1;
        }
        let in_force = process.published.model(id(40)).unwrap();
        assert!(in_force.quarantined || !last.quarantined);
        assert!(in_force.classification >= last.classification);
        assert!(in_force.tags.is_superset(&last.tags));
        assert!(last_version.proven || !process.published.version(id(50)).unwrap().proven);
        assert_eq!(dump(&now(&process.store).await), dump(&process.published));
    }
    for done in open {
        process.ledgered(event(done), index).await;
        index += 1;
    }
    assert_eq!(**process.published.model(id(40)).unwrap(), last);
    assert_eq!(**process.published.version(id(50)).unwrap(), last_version);
    assert!(process.store.pending_outbox(10).await.unwrap().is_empty());
}

async fn what_is_published_is_what_is_stored(place: &Place) {
    let store = furnished(place).await;
    let mut process = Process { published: now(&store).await, store };
    let bump = StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(1))));
    process.commit(commit(NEXT, [give(grant(90)), give(grant(91)), bump])).await;
    process.ledgered(event(NEXT), 1).await;
    let changes = [StateChange::Revoke(grant_id(90)), StateChange::Remove(Removed::Endpoint(id(70)))];
    process.commit(commit(NEXT + 1, changes)).await;
    process.ledgered(event(NEXT + 1), 2).await;
    let again = Process::start(place).await;
    assert_eq!(dump(&again.published), dump(&process.published));
    assert_eq!(again.published.revision(), process.published.revision());
}

async fn from_any_revision_to_any_later_one(place: &Place) {
    let store = furnished(place).await;
    let renamed = Model { name: name("fraud-2"), quarantined: true, ..model() };
    let policy = PolicyState::first(Digest::of(b"first"));
    let steps: [Vec<StateChange>; 8] = [
        vec![StateChange::Policy(policy.clone())],
        vec![give(grant(90)), give(grant(91))],
        vec![put(Thing::Model(renamed)), StateChange::Revoke(grant_id(90))],
        vec![StateChange::Remove(Removed::Endpoint(id(70)))],
        vec![StateChange::Policy(policy.activate(Digest::of(b"next"), &BTreeSet::new()).unwrap())],
        vec![put(Thing::Person(person(9, "nina"))), give(grant(92))],
        vec![put(Thing::Endpoint(endpoint())), put(Thing::Model(model()))],
        vec![StateChange::Revoke(grant_id(91)), StateChange::Revoke(grant_id(92))],
    ];
    for (number, changes) in (0..).zip(steps) {
        store.commit(commit(NEXT + u128::from(number), changes)).await.unwrap();
        store.ledgered(event(NEXT + u128::from(number)), number + 1, noon()).await.unwrap();
    }
    let last = now(&store).await.revision();
    for from in 0..last {
        for to in from..=last {
            let then = snapshot(&store, Moment::Revision(from)).await;
            let carried = then.with(store.changes_between(from, to).await.unwrap());
            let read = snapshot(&store, Moment::Revision(to)).await;
            assert_eq!(dump(&carried), dump(&read), "from {from} to {to}");
        }
    }
}

/// Each commit revokes one grant and bumps one epoch, so in every state there ever was their numbers add up.
async fn what_is_read_is_of_one_revision(place: &Place) {
    const GRANTS: u64 = 30;
    let store = furnished(place).await;
    let grants: Vec<_> = (0..GRANTS).map(|number| give(grant(100 + u128::from(number)))).collect();
    store.commit(commit(NEXT, grants)).await.unwrap();
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    let ada = EpochScope::Principal(PrincipalRef::Person(id(1)));
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for number in 0..u128::from(GRANTS) {
            let changes = [StateChange::Revoke(grant_id(100 + number)), StateChange::Bump(ada)];
            writer.commit(commit(NEXT + 1 + number, changes)).await.unwrap();
        }
    });
    loop {
        let done = writing.is_finished();
        let read = now(&store).await;
        let left = u64::try_from(read.grants().count()).unwrap();
        assert_eq!(left + read.epoch(ada), GRANTS, "at revision {}", read.revision());
        if done {
            break;
        }
    }
    writing.await.unwrap();
    assert_eq!(now(&store).await.epoch(ada), GRANTS);
}

async fn names_are_unique_now_and_later(place: &Place) {
    let store = furnished(place).await;
    let taken = async |number, thing| match store.commit(commit(number, [put(thing)])).await {
        Err(CommitError::NameTaken { .. }) => true,
        Ok(_) => false,
        Err(other) => panic!("{other}"),
    };
    assert!(taken(NEXT, Thing::Person(person(9, "dana"))).await);
    assert!(taken(NEXT, Thing::Version(version(59, "1"))).await);
    assert!(!taken(NEXT, Thing::Person(person(9, "robin"))).await);
    assert!(taken(NEXT + 1, Thing::Person(person(8, "robin"))).await, "though the ledger has not got it yet");
    // Somebody on the way to another name holds both.
    assert!(!taken(NEXT + 1, Thing::Person(person(3, "kimberly"))).await);
    assert!(taken(NEXT + 2, Thing::Person(person(7, "kim"))).await);
    assert!(taken(NEXT + 2, Thing::Person(person(7, "kimberly"))).await);
    store.ledgered(event(NEXT + 1), 1, noon()).await.unwrap();
    assert!(!taken(NEXT + 2, Thing::Person(person(7, "kim"))).await);
    let people = now(&store).await;
    assert_eq!(people.person_named("kimberly").map(|it| it.id), Some(id(3)));
}

async fn references_lead_somewhere(place: &Place) {
    let store = furnished(place).await;
    let dangles = async |change| match store.commit(commit(NEXT, [change])).await {
        Err(CommitError::Dangling { .. }) => true,
        Ok(_) => false,
        Err(other) => panic!("{other}"),
    };
    let mut elsewhere = model();
    elsewhere.project = id(39);
    assert!(dangles(put(Thing::Model(elsewhere))).await);
    let mut member = person(2, "dana");
    member.groups.insert(id(29));
    assert!(dangles(put(Thing::Person(member))).await);
    let mut nowhere = endpoint();
    nowhere.environment = name("moon");
    assert!(dangles(put(Thing::Endpoint(nowhere))).await);
    let mut stranger = grant(90);
    stranger.grantee = GranteeRef::Group(id(29));
    assert!(dangles(give(stranger)).await);
    let mut thing = grant(90);
    thing.scope = ScopeRef::Model(id(49));
    assert!(dangles(give(thing)).await);
    let credential = CredentialChange::of(id(9));
    assert!(dangles(StateChange::Credential(Box::new(credential))).await);
    assert!(store.pending_outbox(10).await.unwrap().is_empty(), "nothing of a refused commit stays");
    assert!(matches!(
        store.commit(commit(NEXT, [StateChange::Revoke(grant_id(99))])).await,
        Err(CommitError::Missing { .. })
    ));
    assert!(matches!(
        store.commit(commit(NEXT, [StateChange::Remove(Removed::Model(id(49)))])).await,
        Err(CommitError::Missing { .. })
    ));
}

async fn what_is_referred_to_stays(place: &Place) {
    let store = furnished(place).await;
    for (removed, by) in [
        (Removed::Project(id(30)), "of its model"),
        (Removed::Model(id(40)), "of its versions"),
        (Removed::Version(id(50)), "of its alias"),
        (Removed::Alias(id(60)), "of the endpoint that serves it"),
        (Removed::Group(id(20)), "of its member"),
    ] {
        let refused = store.commit(commit(NEXT, [StateChange::Remove(removed)])).await;
        assert!(matches!(refused, Err(CommitError::InUse { .. })), "{removed:?} stays because {by}");
    }
    // Still so when only a change on its way to the ledger refers to it.
    let mut member = person(3, "kim");
    member.groups.insert(id(21));
    store.commit(commit(NEXT, [put(Thing::Person(member))])).await.unwrap();
    let refused = store.commit(commit(NEXT + 1, [StateChange::Remove(Removed::Group(id(21)))])).await;
    assert!(matches!(refused, Err(CommitError::InUse { .. })));
    // Everything together may go.
    let all = [
        StateChange::Remove(Removed::Endpoint(id(70))),
        StateChange::Remove(Removed::Alias(id(60))),
        StateChange::Remove(Removed::Version(id(50))),
        StateChange::Remove(Removed::Version(id(51))),
        StateChange::Remove(Removed::Model(id(40))),
        StateChange::Remove(Removed::Dataset(id(80))),
        StateChange::Remove(Removed::Project(id(30))),
    ];
    store.commit(commit(NEXT + 1, all)).await.unwrap();
    assert!(now(&store).await.projects().next().is_none());
    // And what goes can be made again under its old name.
    let mut again = project();
    again.id = id(38);
    store.commit(commit(NEXT + 2, [put(Thing::Project(again))])).await.unwrap();
}

async fn an_alias_moves_off_a_version_that_goes_in_one_commit(place: &Place) {
    let store = furnished(place).await;
    let mut moved = alias();
    moved.version = id(51);
    let changes = [put(Thing::Alias(moved)), StateChange::Remove(Removed::Version(id(50)))];
    store.commit(commit(NEXT, changes)).await.unwrap();
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    let snapshot = now(&store).await;
    assert_eq!(snapshot.alias(id(60)).unwrap().version, id(51));
    assert!(snapshot.version(id(50)).is_none());
}

async fn a_grant_never_changes_and_never_comes_back(place: &Place) {
    let store = furnished(place).await;
    let exists = async |number| {
        matches!(
            store.commit(commit(number, [give(grant(90))])).await,
            Err(CommitError::GrantExists(found)) if found == grant_id(90)
        )
    };
    store.commit(commit(NEXT, [give(grant(90))])).await.unwrap();
    assert!(exists(NEXT + 1).await, "on its way");
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    assert!(exists(NEXT + 1).await, "in force");
    store.commit(commit(NEXT + 1, [StateChange::Revoke(grant_id(90))])).await.unwrap();
    assert!(exists(NEXT + 2).await, "revoked");
    let odd = after(10) + SignedDuration::from_nanos(999);
    let mut precise = grant(91);
    (precise.not_before, precise.not_after) = (odd, odd + SignedDuration::from_secs(1));
    store.commit(commit(NEXT + 2, [give(precise.clone())])).await.unwrap();
    store.ledgered(event(NEXT + 2), 2, noon()).await.unwrap();
    let kept = now(&store).await.grant(grant_id(91)).unwrap().clone();
    assert!(
        kept.not_before >= precise.not_before && kept.not_after <= precise.not_after,
        "never longer than given"
    );
}

async fn a_commit_is_whole_or_not_there(place: &Place) {
    let store = furnished(place).await;
    let before = dump(&now(&store).await);
    let mut locked = model();
    locked.quarantined = true;
    let mut dangling = grant(90);
    dangling.grantee = GranteeRef::Person(id(9));
    let bump = StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(1))));
    let refused = store.commit(commit(NEXT, [put(Thing::Model(locked)), bump, give(dangling)])).await;
    assert!(refused.is_err());
    assert_eq!(dump(&now(&store).await), before);
    assert_eq!(store.pending_outbox_len().await.unwrap(), 0);
    assert!(matches!(store.resolve(Moment::Now).await, Ok(loaded) if loaded.revision == 1));
}

async fn commits_are_bounded(place: &Place) {
    let store = furnished(place).await;
    let twice = store.commit(commit(NEXT, [give(grant(90)), StateChange::Revoke(grant_id(90))])).await;
    assert!(matches!(twice, Err(CommitError::Twice { .. })));
    let many: Vec<_> = (0..=Commit::CHANGES_MAX).map(|number| give(grant(9000 + number as u128))).collect();
    assert!(matches!(store.commit(commit(NEXT, many)).await, Err(CommitError::TooMany { .. })));
    let mut wordy = commit(NEXT, []);
    wordy.detail = "x".repeat(Commit::DETAIL_BYTES_MAX).into();
    assert!(matches!(store.commit(wordy).await, Err(CommitError::TooLong { .. })));
    let mut long = Description::empty(id(40));
    long.card = "x".repeat(Description::CARD_BYTES_MAX + 1);
    let long = store.commit(commit(NEXT, [put(Thing::Description(long))])).await;
    assert!(matches!(long, Err(CommitError::TooLong { .. })));
}

async fn the_outbox_holds_no_secret(place: &Place) {
    let store = furnished(place).await;
    let change = credential(id(2), 1);
    assert!(!format!("{change:?}").contains("argon2"));
    assert!(!format!("{change:?}").contains("[7,"));
    store.commit(commit(NEXT, [StateChange::Credential(Box::new(change)), give(grant(90))])).await.unwrap();
    let pending = store.pending_outbox(10).await.unwrap();
    let [pending] = pending.as_slice() else { panic!("one event") };
    assert_eq!(pending.detail, serde_json::json!({ "why": "a test" }));
    assert_eq!(pending.actor, Some(PrincipalRef::Person(id(1))));
    assert_eq!(
        pending.changes,
        [
            Recorded::Credential {
                person: id(2),
                password: true,
                totp: true,
                recovery_codes: 2,
                passkey: None,
            },
            Recorded::Grant(Box::new(grant(90))),
        ]
    );
}

async fn epochs_survive_a_restart(place: &Place) {
    let store = furnished(place).await;
    let ada = EpochScope::Principal(PrincipalRef::Person(id(1)));
    let (old, fresh) = (EpochScope::Session(id(5)), EpochScope::Session(id(6)));
    store.commit(commit(NEXT, [StateChange::Bump(ada), StateChange::Bump(old)])).await.unwrap();
    let mut later = commit(NEXT + 1, [StateChange::Bump(ada), StateChange::Bump(fresh)]);
    later.at = after(3 * 86_400);
    store.commit(later).await.unwrap();
    let again = place.open().await;
    let snapshot = again.restore(empty(), Moment::Now, after(3 * 86_400)).await.unwrap();
    assert_eq!(snapshot.epoch(ada), 2);
    assert_eq!(snapshot.epoch(fresh), 1);
    assert_eq!(snapshot.epoch(old), 0, "no session lives that long");
    let then = again.restore(empty(), Moment::At(after(60)), after(3 * 86_400)).await.unwrap();
    assert_eq!((then.epoch(ada), then.epoch(old)), (1, 1));
}

async fn the_house_is_initialised_once(place: &Place) {
    let store = furnished(place).await;
    let open = Bootstrap::Open { first: id(1), opened_at: noon() };
    let closed = Bootstrap::Closed { pair: [id(1), id(2)], closed_at: noon() };
    assert_eq!(store.bootstrap().await.unwrap(), Bootstrap::Uninitialised);
    store.commit(commit(NEXT, [StateChange::Bootstrap(open)])).await.unwrap();
    assert_eq!(store.bootstrap().await.unwrap(), Bootstrap::Uninitialised, "the ledger has not got it yet");
    let again = store.commit(commit(NEXT + 1, [StateChange::Bootstrap(open)])).await;
    assert!(matches!(again, Err(CommitError::BootstrapBackwards)));
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    assert_eq!(store.bootstrap().await.unwrap(), open);
    store.commit(commit(NEXT + 1, [StateChange::Bootstrap(closed)])).await.unwrap();
    assert_eq!(store.bootstrap().await.unwrap(), closed, "closing narrows");
    let reopened = store.commit(commit(NEXT + 2, [StateChange::Bootstrap(open)])).await;
    assert!(matches!(reopened, Err(CommitError::BootstrapBackwards)));
}

async fn the_policy_moves_step_by_step_once_the_ledger_has_it(place: &Place) {
    let store = furnished(place).await;
    let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
    let first = PolicyState::first(old);
    assert_eq!(store.policy(Moment::Now).await.unwrap(), None);
    store.commit(commit(NEXT, [StateChange::Policy(first.clone())])).await.unwrap();
    assert_eq!(store.policy(Moment::Now).await.unwrap(), None, "the ledger has not got it yet");
    let ledgered = store.ledgered(event(NEXT), 1, after(1)).await.unwrap();
    assert_eq!(ledgered.policy, Some(first.clone()));

    let shadow = first.clone().try_out(new, Reach::Shadow).unwrap();
    store.commit(commit(NEXT + 1, [StateChange::Policy(shadow.clone())])).await.unwrap();
    // Somebody else started from the same state.
    let other = first.clone().activate(new, &BTreeSet::new()).unwrap();
    let refused = store.commit(commit(NEXT + 2, [StateChange::Policy(other)])).await;
    assert!(matches!(refused, Err(CommitError::PolicyMoved)), "{refused:?}");
    store.ledgered(event(NEXT + 1), 2, after(2)).await.unwrap();
    let active = shadow.clone().activate(new, &BTreeSet::new()).unwrap();
    store.commit(commit(NEXT + 2, [StateChange::Policy(active.clone())])).await.unwrap();
    let last = store.ledgered(event(NEXT + 2), 3, after(3)).await.unwrap();

    let again = place.open().await;
    assert_eq!(again.policy(Moment::Now).await.unwrap(), Some(active.clone()));
    assert_eq!(again.policy(Moment::At(after(2))).await.unwrap(), Some(shadow.clone()));
    assert_eq!(again.policy(Moment::Revision(last.revision - 1)).await.unwrap(), Some(shadow.clone()));
    let steps: Vec<_> =
        again.policy_steps(10).await.unwrap().into_iter().map(|step| (step.state, step.since)).collect();
    assert_eq!(steps, [(active, after(3)), (shadow, after(2)), (first, after(1))]);
}

async fn bundles_are_kept_and_signed_by_one_at_a_time(place: &Place) {
    let store = furnished(place).await;
    let head = BundleHead {
        digest: Digest::of(b"bundle"),
        name: "default".to_owned(),
        version: "1".to_owned(),
        proposed_by: Some(PrincipalRef::Person(id(1))),
        proposed_at: noon(),
    };
    let digest = head.digest;
    let row = |head: &BundleHead, file: &str| BundleRow { head: head.clone(), file: file.to_owned() };
    store.put_bundle(&row(&head, "{}")).await.unwrap();
    let other = BundleHead { proposed_by: None, ..head.clone() };
    store.put_bundle(&row(&other, "other")).await.unwrap();
    assert_eq!(store.bundle_head(digest).await.unwrap(), Some(head.clone()), "what is kept stays as it is");
    assert_eq!(store.bundle_file(digest).await.unwrap().as_deref(), Some("{}"));
    assert_eq!(store.bundle_head(Digest::ZERO).await.unwrap(), None);
    assert_eq!(store.bundle_file(Digest::ZERO).await.unwrap(), None);

    assert!(store.replace_bundle(digest, "{}", "one signature").await.unwrap());
    assert!(!store.replace_bundle(digest, "{}", "another signature").await.unwrap(), "nothing is lost");
    assert_eq!(store.bundle_file(digest).await.unwrap().as_deref(), Some("one signature"));
    let later = BundleHead { digest: Digest::of(b"later"), proposed_at: after(5), ..head.clone() };
    store.put_bundle(&row(&later, "{}")).await.unwrap();
    assert_eq!(store.bundles(10).await.unwrap(), [later, head], "newest first");
}

async fn a_description_follows_its_model(place: &Place) {
    let store = furnished(place).await;
    let mut first = Description::empty(id(40));
    first.card = "# Fraud\n".to_owned();
    first.metrics.insert("auc".to_owned(), serde_json::json!(0.1 + 0.2));
    let mut second = first.clone();
    second.card.push_str("Now with limits.");
    store.commit(commit(NEXT, [put(Thing::Description(first.clone()))])).await.unwrap();
    store.ledgered(event(NEXT), 1, after(1)).await.unwrap();
    store.commit(commit(NEXT + 1, [put(Thing::Description(second.clone()))])).await.unwrap();
    assert_eq!(store.description(id(40), Moment::Now).await.unwrap(), Some(first.clone()));
    store.ledgered(event(NEXT + 1), 2, after(2)).await.unwrap();
    assert_eq!(store.description(id(40), Moment::Now).await.unwrap(), Some(second.clone()));
    assert_eq!(store.description(id(40), Moment::At(after(1))).await.unwrap(), Some(first));
    assert_eq!(store.descriptions([id(40), id(41)]).await.unwrap().len(), 1);
    let gone = [
        StateChange::Remove(Removed::Endpoint(id(70))),
        StateChange::Remove(Removed::Alias(id(60))),
        StateChange::Remove(Removed::Version(id(50))),
        StateChange::Remove(Removed::Version(id(51))),
        StateChange::Remove(Removed::Model(id(40))),
    ];
    store.commit(commit(NEXT + 2, gone)).await.unwrap();
    assert_eq!(store.description(id(40), Moment::Now).await.unwrap(), None);
    assert_eq!(store.description(id(40), Moment::At(after(2))).await.unwrap(), None, "removed at that time");
}

async fn grants_are_listed_in_pages(place: &Place) {
    let store = furnished(place).await;
    let mut grants: Vec<_> = (0..25).map(|number| grant(100 + number)).collect();
    grants[24].grantee = GranteeRef::Group(id(20));
    grants[24].scope = ScopeRef::Platform;
    store.commit(commit(NEXT, grants.iter().cloned().map(give).collect::<Vec<_>>())).await.unwrap();
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    let dana = GrantsOf::Grantee(GranteeRef::Person(id(2)));
    let mut seen = Vec::new();
    loop {
        let page = store.grants(dana, seen.last().copied(), 10).await.unwrap();
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|record| record.grant.id));
    }
    assert_eq!(seen.len(), 24);
    assert_eq!(store.grants(GrantsOf::Scope(ScopeRef::Platform), None, 10).await.unwrap().len(), 1);
    assert_eq!(store.grants(GrantsOf::Everyone, None, u32::MAX).await.unwrap().len(), 25);
    const { assert!(PAGE_MAX <= 1000) };
}

fn credential(person: PersonId, kind: u8) -> CredentialChange {
    let phc = format!(
        "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHRzb21lc2FsdA${}",
        if kind == 1 {
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        } else {
            "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        }
    );
    CredentialChange {
        person,
        password: Some(PasswordHash::from_stored(&phc).unwrap()),
        totp: Some(Sealed::new(vec![7, kind]).unwrap()),
        totp_step: Some(100),
        recovery: Some(RecoveryCodes { unused: vec![Digest::of(&[kind, 1]), Digest::of(&[kind, 2])] }),
        passkey: None,
    }
}

async fn give_credential(store: &Store, number: u128) {
    let change = StateChange::Credential(Box::new(credential(id(2), 1)));
    store.commit(commit(number, [change])).await.unwrap();
    store.ledgered(event(number), 50, noon()).await.unwrap();
}

async fn credentials_count_once_the_ledger_has_them(place: &Place) {
    let store = furnished(place).await;
    let change = StateChange::Credential(Box::new(credential(id(2), 1)));
    store.commit(commit(NEXT, [change.clone()])).await.unwrap();
    assert_eq!(store.credential(id(2)).await.unwrap(), None);
    assert!(store.second_factor_holders(None, 10).await.unwrap().is_empty());
    store.ledgered(event(NEXT), 1, noon()).await.unwrap();
    let found = store.credential(id(2)).await.unwrap().unwrap();
    assert_eq!(found.password, credential(id(2), 1).password);
    assert_eq!(found.totp, credential(id(2), 1).totp);
    assert_eq!(found.totp_step, Some(100));
    assert_eq!(found.recovery_codes_left, 2);
    assert_eq!(store.second_factor_holders(None, 10).await.unwrap(), [id(2)]);
    // Dropping takes along what was on its way.
    store.commit(commit(NEXT + 1, [change])).await.unwrap();
    store.commit(commit(NEXT + 2, [StateChange::DropCredential(id(2))])).await.unwrap();
    assert_eq!(store.credential(id(2)).await.unwrap(), None);
    store.ledgered(event(NEXT + 1), 2, noon()).await.unwrap();
    assert_eq!(store.credential(id(2)).await.unwrap(), None);
}

async fn an_older_credential_never_replaces_a_newer_one(place: &Place) {
    let store = furnished(place).await;
    let whole = credential(id(2), 1);
    let only_password =
        CredentialChange { totp: None, totp_step: None, recovery: None, ..credential(id(2), 2) };
    store.commit(commit(NEXT, [StateChange::Credential(Box::new(whole.clone()))])).await.unwrap();
    store.commit(commit(NEXT + 1, [StateChange::Credential(Box::new(only_password.clone()))])).await.unwrap();
    store.ledgered(event(NEXT + 1), 1, noon()).await.unwrap();
    store.ledgered(event(NEXT), 2, noon()).await.unwrap();
    let found = store.credential(id(2)).await.unwrap().unwrap();
    assert_eq!(found.password, only_password.password, "the newer one");
    assert_eq!(found.totp, whole.totp, "which said nothing of the second factor");
    let (old, new) = (whole.password.unwrap(), only_password.password.unwrap());
    assert!(!store.rehash_password(id(2), &old, &old).await.unwrap());
    assert!(store.rehash_password(id(2), &new, &old).await.unwrap());
}

async fn a_one_time_code_counts_once(place: &Place) {
    let store = furnished(place).await;
    give_credential(&store, NEXT).await;
    assert!(!store.use_totp_step(id(2), 100).await.unwrap(), "it proved the seed");
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        tries.spawn(async move { store.use_totp_step(id(2), 101).await.unwrap() });
    }
    let passed = tries.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 1);
    assert!(!store.use_totp_step(id(2), 100).await.unwrap(), "nor an earlier one");
    assert!(!store.use_totp_step(id(1), 101).await.unwrap(), "nor somebody who has none");
    assert!(place.open().await.use_totp_step(id(2), 102).await.unwrap());
}

/// A public key as a device made it, under another credential id each.
fn passkey(number: u8) -> Passkey {
    // Base64url of 32 bytes.
    let id = char::from(b'A' + 4 * number).to_string().repeat(43);
    let text = include_str!("passkey.json").replace("CREDENTIAL", &id);
    Passkey::from_stored(text.trim()).unwrap()
}

async fn give_passkey(store: &Store, number: u128, key: u8) {
    let new = NewPasskey { name: format!("key {key}"), passkey: passkey(key) };
    let change = CredentialChange { passkey: Some(new), ..CredentialChange::of(id(2)) };
    store.commit(commit(number, [StateChange::Credential(Box::new(change))])).await.unwrap();
}

async fn a_passkey_counts_from_the_ledger_on_until_it_is_removed(place: &Place) {
    let store = furnished(place).await;
    give_passkey(&store, NEXT, 1).await;
    assert_eq!(store.passkeys(id(2)).await.unwrap(), []);
    assert_eq!(store.second_factor_holders(None, 10).await.unwrap(), []);
    store.ledgered(event(NEXT), 60, noon()).await.unwrap();
    give_passkey(&store, NEXT + 1, 2).await;
    store.ledgered(event(NEXT + 1), 61, noon()).await.unwrap();
    let found = place.open().await.passkeys(id(2)).await.unwrap();
    let names: Vec<&str> = found.iter().map(|each| each.name.as_str()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(found.iter().all(StoredPasskey::counts));
    assert_eq!(store.passkey_owner(&passkey(1).id()).await.unwrap(), Some(id(2)));
    assert_eq!(store.second_factor_holders(None, 10).await.unwrap(), [id(2)]);

    let drop = StateChange::DropFactor(id(2), Factor::Passkey(passkey(1).id()));
    store.commit(commit(NEXT + 2, [drop])).await.unwrap();
    assert_eq!(store.passkeys(id(2)).await.unwrap().len(), 1, "gone at commit");
    assert!(store.passkey_was_copied(&passkey(2).id(), after(9)).await.unwrap());
    assert!(!store.passkey_was_copied(&passkey(2).id(), after(10)).await.unwrap());
    assert_eq!(store.second_factor_holders(None, 10).await.unwrap(), [], "a copied one is none");
    assert_eq!(store.passkeys(id(2)).await.unwrap()[0].copied_at, Some(after(9)));
    store.commit(commit(NEXT + 3, [StateChange::DropCredential(id(2))])).await.unwrap();
    assert_eq!(store.passkeys(id(2)).await.unwrap(), []);
}

async fn of_two_signatures_at_once_one_counts(place: &Place) {
    let store = furnished(place).await;
    give_passkey(&store, NEXT, 1).await;
    store.ledgered(event(NEXT), 60, noon()).await.unwrap();
    let read = store.passkeys(id(2)).await.unwrap().remove(0);
    assert!(store.use_passkey(&read, &read.passkey, 7, after(1)).await.unwrap());
    assert!(!store.use_passkey(&read, &read.passkey, 8, after(1)).await.unwrap(), "another one came between");
    let read = store.passkeys(id(2)).await.unwrap().remove(0);
    assert_eq!((read.counter, read.used_at), (7, Some(after(1))));
    assert!(store.passkey_was_copied(&read.id(), after(2)).await.unwrap());
    assert!(!store.use_passkey(&read, &read.passkey, 9, after(3)).await.unwrap(), "it counts no more");
}

fn ceremony(number: u32, purpose: &str) -> StoredCeremony {
    StoredCeremony {
        challenge: Digest::of(&number.to_be_bytes()),
        purpose: purpose.to_owned(),
        source: "192.0.2.0/24".to_owned(),
        state: format!("state {number}"),
        expires_at: after(300 + i64::from(number)),
    }
}

async fn a_challenge_is_taken_once_in_time_and_for_what_it_is(place: &Place) {
    let store = furnished(place).await;
    let take = async |number: u32, purpose: &str, at: i64| {
        let challenge = Digest::of(&number.to_be_bytes());
        store.take_ceremony(&challenge, purpose, after(at)).await.unwrap().is_some()
    };
    for number in 1..=3 {
        store.begin_ceremony(&ceremony(number, StoredCeremony::SIGN_IN), noon()).await.unwrap();
    }
    assert!(take(1, StoredCeremony::SIGN_IN, 1).await);
    assert!(!take(1, StoredCeremony::SIGN_IN, 1).await, "once");
    assert!(!take(2, "add se_1", 1).await, "for something else");
    assert!(!take(2, StoredCeremony::SIGN_IN, 1).await, "and gone by that");
    assert!(!take(3, StoredCeremony::SIGN_IN, 303).await, "too late");

    // What is bound to somebody is begun anew, not twice.
    store.begin_ceremony(&ceremony(4, "add se_1"), noon()).await.unwrap();
    store.begin_ceremony(&ceremony(5, "add se_1"), noon()).await.unwrap();
    assert!(!take(4, "add se_1", 1).await);
    assert!(take(5, "add se_1", 1).await);

    // A network that asks without end loses its own oldest.
    for number in 10..80 {
        store.begin_ceremony(&ceremony(number, StoredCeremony::SIGN_IN), noon()).await.unwrap();
    }
    assert!(!take(10, StoredCeremony::SIGN_IN, 1).await);
    assert!(take(79, StoredCeremony::SIGN_IN, 1).await);
}

async fn a_recovery_code_counts_once(place: &Place) {
    let store = furnished(place).await;
    give_credential(&store, NEXT).await;
    let code = Digest::of(&[1, 1]);
    assert_eq!(store.recovery_codes(id(2)).await.unwrap().unused.len(), 2);
    assert!(!store.use_recovery_code(id(1), &code).await.unwrap());
    assert!(store.use_recovery_code(id(2), &code).await.unwrap());
    assert!(!store.use_recovery_code(id(2), &code).await.unwrap());
    assert_eq!(store.credential(id(2)).await.unwrap().unwrap().recovery_codes_left, 1);
}

async fn an_enrolment_code_counts_once(place: &Place) {
    let store = furnished(place).await;
    let enrolment = |kind: u8| Enrolment {
        code_hash: Digest::of(&[kind]),
        person: id(2),
        issued_by: Some(PrincipalRef::Person(id(1))),
        offered: None,
        created_at: noon(),
        expires_at: after(900),
        used_at: None,
    };
    store.issue_enrolment(&enrolment(1)).await.unwrap();
    store.issue_enrolment(&enrolment(2)).await.unwrap();
    assert_eq!(store.enrolment(&Digest::of(&[1])).await.unwrap(), None, "a new code ends the old one");
    let sealed = Sealed::new(vec![1, 2, 3]).unwrap();
    assert!(store.offer_enrolment(&Digest::of(&[2]), &sealed, after(1)).await.unwrap());
    assert_eq!(store.enrolment_of(id(2)).await.unwrap().unwrap().offered, Some(sealed));
    assert_eq!(store.use_enrolment(&Digest::of(&[2]), after(900)).await.unwrap(), None, "expired");
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tries.spawn(async move { store.use_enrolment(&Digest::of(&[2]), after(5)).await.unwrap().is_some() });
    }
    let passed = tries.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 1);
    let used = store.enrolment(&Digest::of(&[2])).await.unwrap().unwrap();
    assert_eq!((used.used_at, used.offered), (Some(after(5)), None), "the offered secret is not kept");
}

async fn a_gateway_is_let_in_once_and_known_by_its_certificate(place: &Place) {
    let store = furnished(place).await;
    let edge: Name = "edge".parse().unwrap();
    let invitation = |kind: u8| GatewayInvitation {
        id: format!("gw-{kind}"),
        name: edge.clone(),
        invited_by: PrincipalRef::Person(id(1)),
        invited_at: noon(),
        code_hash: digest(kind),
        code_until: after(900),
    };
    assert!(store.invite_gateway(&invitation(1)).await.unwrap());
    assert!(store.invite_gateway(&invitation(2)).await.unwrap());
    assert_eq!(
        store.gateway_invited(&digest(1), after(1)).await.unwrap(),
        None,
        "a new code ends the old one"
    );
    assert_eq!(store.gateway_invited(&digest(2), after(900)).await.unwrap(), None, "expired");
    assert_eq!(store.gateway_invited(&digest(2), after(1)).await.unwrap().unwrap().id, "gw-2");

    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tries.spawn(async move {
            store.enrol_gateway(&Digest::of(&[2]), &Digest::of(&[10]), after(5)).await.unwrap()
        });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|passed| *passed).count(), 1);
    assert!(!store.invite_gateway(&invitation(3)).await.unwrap(), "the name is taken");
    let known = store.gateway_showing(&digest(10)).await.unwrap().unwrap();
    assert_eq!((known.name.clone(), known.enrolled_at), (edge.clone(), Some(after(5))));
    assert_eq!(store.gateway_showing(&digest(11)).await.unwrap(), None);

    assert!(store.renew_gateway("gw-2", &digest(11)).await.unwrap());
    assert!(store.gateway_showing(&digest(10)).await.unwrap().is_some(), "it has not shown the new one yet");
    assert!(store.gateway_showing(&digest(11)).await.unwrap().is_some());
    assert_eq!(store.gateway_showing(&digest(10)).await.unwrap(), None, "now the one before is given up");

    assert_eq!(store.gateways().await.unwrap().len(), 1);
    assert_eq!(store.remove_gateway(&edge, after(6)).await.unwrap().unwrap().id, "gw-2");
    assert_eq!(store.gateway_showing(&digest(11)).await.unwrap(), None);
    assert!(!store.renew_gateway("gw-2", &digest(12)).await.unwrap());
    assert_eq!(store.remove_gateway(&edge, after(7)).await.unwrap(), None);
    assert!(store.invite_gateway(&invitation(3)).await.unwrap(), "the name is free again");
}

fn session(number: u128, person: u128) -> SessionRecord {
    SessionRecord {
        id: id(number),
        principal: PrincipalRef::Person(id(person)),
        token_hash: Digest::of(&number.to_be_bytes()),
        strength: Strength::TwoFactors,
        methods: vec![name("pwd"), name("otp")],
        authenticated_at: noon(),
        created_at: noon(),
        last_seen_at: noon(),
        epoch: EpochMark { principal: 3, session: 1 },
        binding: Binding::Cookie,
        user_agent: Some("a browser".to_owned()),
        scope: CredentialScope::Full,
        until: None,
        origin: None,
        source: Some("192.0.2.0/24".to_owned()),
    }
}

async fn a_session_ends_for_good(place: &Place) {
    let store = furnished(place).await;
    for number in 1..=3 {
        store.begin_session(&session(number, 2)).await.unwrap();
    }
    store.begin_session(&session(4, 3)).await.unwrap();
    assert!(store.begin_session(&session(4, 3)).await.is_err(), "no token opens two sessions");
    let one: SessionId = id(1);
    let found = store.session_by_token(&Digest::of(&1_u128.to_be_bytes())).await.unwrap().unwrap();
    assert_eq!(found.record, session(1, 2));
    store.touch_session(one, after(60)).await.unwrap();
    store.touch_session(one, after(30)).await.unwrap();
    assert_eq!(store.session(one).await.unwrap().unwrap().record.last_seen_at, after(60));
    assert!(store.end_session(one, after(90)).await.unwrap());
    assert!(!store.end_session(one, after(91)).await.unwrap());
    store.touch_session(one, after(100)).await.unwrap();
    let ended = place.open().await.session(one).await.unwrap().unwrap();
    assert_eq!((ended.ended_at, ended.record.last_seen_at), (Some(after(90)), after(60)));
    let dana = PrincipalRef::Person(id(2));
    assert_eq!(store.end_sessions_of(dana, Some(id(2)), after(95)).await.unwrap(), 1);
    assert_eq!(store.sessions_of(dana, None, 10).await.unwrap().len(), 3);
    assert_eq!(store.sessions_of(dana, Some(id(2)), 10).await.unwrap().len(), 1);
    assert_eq!(store.forget_sessions(after(13 * 3600)).await.unwrap(), 4);
    let mut wordy = session(9, 2);
    wordy.user_agent = Some("x".repeat(300));
    assert!(matches!(store.begin_session(&wordy).await, Err(StoreError::TooLong { .. })));
}

fn identity(subject: &str) -> Identity {
    Identity { issuer: "https://id.example.org".to_owned(), subject: subject.to_owned() }
}

async fn sessions_of_an_issuer_are_found_by_it(place: &Place) {
    let store = furnished(place).await;
    let of = |number, subject: &str, sid: Option<&str>| SessionRecord {
        scope: CredentialScope::of_privileges([Privilege::ReadOnly]),
        until: Some(after(600)),
        origin: Some(Origin { identity: identity(subject), sid: sid.map(str::to_owned) }),
        ..session(number, 2)
    };
    store.begin_session(&session(1, 2)).await.unwrap();
    store.begin_session(&of(2, "dana", Some("a"))).await.unwrap();
    store.begin_session(&of(3, "dana", Some("b"))).await.unwrap();
    store.begin_session(&of(4, "eli", None)).await.unwrap();
    assert_eq!(store.session(id(2)).await.unwrap().unwrap().record, of(2, "dana", Some("a")));
    let found = async |subject, sid| {
        let found = store.sessions_from("https://id.example.org", subject, sid, 10).await.unwrap();
        found.iter().map(|session| session.record.id).collect::<Vec<SessionId>>()
    };
    assert_eq!(found(None, None).await, [id(2), id(3), id(4)]);
    assert_eq!(found(Some("dana"), None).await, [id(2), id(3)]);
    assert_eq!(found(None, Some("b")).await, [id(3)]);
    assert_eq!(found(Some("eli"), Some("b")).await, []);
    store.end_session(id(3), after(5)).await.unwrap();
    assert_eq!(found(Some("dana"), None).await, [id(2)]);
    assert_eq!(store.sessions_from("https://other.example.org", None, None, 10).await.unwrap(), []);
    assert_eq!(store.forget_sessions(after(601)).await.unwrap(), 3, "over with their proof");
}

fn digest(kind: u8) -> Digest {
    Digest::of(&[kind])
}

fn family(number: u128, session: u128, begun: i64) -> Family {
    Family {
        id: id(number),
        session: id(session),
        principal: PrincipalRef::Person(id(2)),
        profile: Profile::Access,
        scope: CredentialScope::Limited {
            privileges: [Privilege::Inference].into(),
            models: [id(3)].into(),
            actions: [Action::Predict].into(),
        },
        client: name("api"),
        holder: TokenBinding::Key(Thumbprint::new(digest(7))),
        created_at: after(begun),
        ends_at: after(begun + 600),
    }
}

fn used(at: i64, salt: u8) -> Use {
    Use { at: after(at), salt: digest(salt) }
}

async fn a_refresh_handle_is_used_once(place: &Place) {
    let store = furnished(place).await;
    let one = family(1, 1, 0);
    store.begin_refresh(&one, &digest(1)).await.unwrap();
    let found = store.refresh_handle(&digest(1)).await.unwrap().unwrap();
    assert_eq!((&found.family, found.ended_at, found.handle.used), (&one, None, None));
    assert_eq!(store.refresh_handle(&digest(9)).await.unwrap(), None);

    // Of two at once, one is first, and the other finds what that one wrote.
    let again = place.open().await;
    let (mine, other) = (used(5, 101), used(6, 102));
    let (next, beside) = (digest(2), digest(3));
    let former = digest(1);
    let (first, second) = tokio::join!(
        store.use_refresh(one.id, &former, &mine, &next),
        again.use_refresh(one.id, &former, &other, &beside)
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first != second, "{first} {second}");
    let (winner, follower, loser) = if first { (mine, next, beside) } else { (other, beside, next) };
    let found = again.refresh_handle(&digest(1)).await.unwrap().unwrap();
    assert_eq!(found.handle.used, Some(winner));
    assert!(store.refresh_handle(&follower).await.unwrap().is_some());
    assert_eq!(store.refresh_handle(&loser).await.unwrap(), None);

    let stranger = family(2, 1, 1);
    store.begin_refresh(&stranger, &digest(20)).await.unwrap();
    assert!(!store.use_refresh(stranger.id, &follower, &used(9, 103), &digest(4)).await.unwrap());
    assert!(store.end_refresh(one.id, after(10)).await.unwrap());
    assert!(!store.end_refresh(one.id, after(11)).await.unwrap());
    assert!(!store.use_refresh(one.id, &follower, &used(12, 104), &digest(4)).await.unwrap());
    assert_eq!(store.refresh_handle(&digest(4)).await.unwrap(), None, "both or neither");
    let found = place.open().await.refresh_handle(&follower).await.unwrap().unwrap();
    assert_eq!((found.ended_at, found.handle.used), (Some(after(10)), None));
    assert_eq!(store.forget_refresh(after(601)).await.unwrap(), 1);
    assert_eq!(store.refresh_handle(&follower).await.unwrap(), None);
    assert!(store.refresh_handle(&digest(20)).await.unwrap().is_some());
}

async fn of_many_refresh_families_the_oldest_end(place: &Place) {
    let store = furnished(place).await;
    let most = u128::from(FAMILIES_MAX);
    for number in 0..most + 2 {
        let family = family(number + 1, 1, i64::try_from(number).unwrap());
        let first = Digest::of(&number.to_be_bytes());
        store.begin_refresh(&family, &first).await.unwrap();
    }
    store.begin_refresh(&family(900, 2, 0), &digest(1)).await.unwrap();
    let live = store.refresh_families_of(id(1)).await.unwrap();
    assert_eq!(live, (3..=most + 2).map(id).collect::<Vec<_>>());
    assert_eq!(store.refresh_families_of(id(2)).await.unwrap(), [id(900)]);
}

async fn an_identity_is_one_person_once_the_ledger_knows(place: &Place) {
    let store = furnished(place).await;
    let link = |person| Link { identity: identity("dana"), person: id(person), linked_at: noon() };
    let put = |person| StateChange::Link(Box::new(link(person)));
    store.commit(commit(NEXT, [put(2)])).await.unwrap();
    assert_eq!(store.link(&identity("dana")).await.unwrap(), None, "not before the ledger knows");
    store.ledgered(event(NEXT), 0, noon()).await.unwrap();
    assert_eq!(place.open().await.link(&identity("dana")).await.unwrap(), Some(link(2)));
    assert_eq!(store.links_of(id(2)).await.unwrap(), [link(2)]);
    assert_eq!(store.link(&identity("eli")).await.unwrap(), None);
    store.commit(commit(NEXT + 1, [put(3)])).await.unwrap();
    assert_eq!(store.link(&identity("dana")).await.unwrap(), None, "nobody until the ledger knows who");
    store.ledgered(event(NEXT + 1), 1, noon()).await.unwrap();
    assert_eq!(store.link(&identity("dana")).await.unwrap(), Some(link(3)));
    store.commit(commit(NEXT + 2, [StateChange::Unlink(Box::new(identity("dana")))])).await.unwrap();
    assert_eq!(store.link(&identity("dana")).await.unwrap(), None, "at once");
    let nobody = commit(NEXT + 3, [put(99)]);
    assert!(matches!(store.commit(nobody).await, Err(CommitError::Dangling { .. })));
}

async fn an_issuer_is_distrusted_at_once_and_trusted_later(place: &Place) {
    let store = furnished(place).await;
    let issuer = "https://id.example.org";
    let said =
        |distrusted_at| StateChange::Issuer(Box::new(Standing { issuer: issuer.to_owned(), distrusted_at }));
    let distrusted = async |store: &Store| {
        store.issuer_standing(issuer).await.unwrap().is_some_and(|said| said.distrusted_at.is_some())
    };
    assert!(!distrusted(&store).await);
    store.commit(commit(NEXT, [said(Some(noon()))])).await.unwrap();
    assert!(distrusted(&store).await, "at once");
    store.ledgered(event(NEXT), 0, noon()).await.unwrap();
    store.commit(commit(NEXT + 1, [said(None)])).await.unwrap();
    assert!(distrusted(&place.open().await).await, "not before the ledger knows");
    store.ledgered(event(NEXT + 1), 1, noon()).await.unwrap();
    assert!(!distrusted(&place.open().await).await);
    now(&store).await;
}

async fn what_counts_once_counts_once(place: &Place) {
    let store = furnished(place).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tries.spawn(async move { store.use_once(&Digest::of(b"a"), after(60), noon()).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|first| *first).count(), 1);
    assert!(store.use_once(&Digest::of(b"b"), after(60), noon()).await.unwrap());
    assert!(!store.use_once(&Digest::of(b"a"), after(60), after(60)).await.unwrap());
    assert!(store.use_once(&Digest::of(b"a"), after(160), after(61)).await.unwrap(), "forgotten by then");
}

async fn strangers_are_remembered_for_a_while(place: &Place) {
    let store = furnished(place).await;
    let seen = |subject: &str, seconds| Sighting {
        identity: identity(subject),
        name: "Dana".to_owned(),
        email: String::new(),
        seen_at: after(seconds),
    };
    for number in 0..SIGHTINGS_KEPT + 10 {
        store.note_sighting(&seen(&number.to_string(), number)).await.unwrap();
    }
    let found = store.sightings().await.unwrap();
    assert_eq!(i64::try_from(found.len()).unwrap(), SIGHTINGS_KEPT);
    assert_eq!(found[0], seen("265", 265));
    store.forget_sighting(&identity("265")).await.unwrap();
    assert_eq!(store.sightings().await.unwrap()[0], seen("264", 264));
    store.note_sighting(&seen("late", 9 * 86_400)).await.unwrap();
    assert_eq!(store.sightings().await.unwrap(), [seen("late", 9 * 86_400)]);
}

fn scim_client(number: u8) -> ScimClient {
    ScimClient {
        id: format!("client-{number}"),
        name: name("okta"),
        issuer: name("corporate"),
        subject: Subject::ExternalId,
        people_max: 10,
        percent_max: 100,
        made_by: PrincipalRef::Person(id(1)),
        made_at: noon(),
        revoked_at: None,
        seen_at: None,
        changed_at: None,
        paused_at: None,
        passes_until: None,
    }
}

fn scim_secret(text: &str, made: i64, life: i64) -> ScimSecret {
    ScimSecret { hash: Digest::of(text.as_bytes()), made_at: after(made), expires_at: after(made + life) }
}

async fn a_provisioning_client_counts_while_a_secret_of_it_does(place: &Place) {
    let store = furnished(place).await;
    let showing = async |text: &str, seconds: i64| {
        let found =
            place.open().await.scim_client_showing(&Digest::of(text.as_bytes()), after(seconds)).await;
        found.unwrap().map(|client| client.id)
    };
    let ours = Some("client-1".to_owned());
    assert!(store.add_scim_client(&scim_client(1), &scim_secret("a", 0, 100)).await.unwrap());
    assert!(
        !store.add_scim_client(&scim_client(2), &scim_secret("x", 0, 100)).await.unwrap(),
        "one of a name"
    );
    assert_eq!(store.scim_client_named("okta").await.unwrap(), Some(scim_client(1)));
    assert_eq!(
        (showing("a", 99).await, showing("a", 100).await, showing("b", 0).await),
        (ours.clone(), None, None)
    );

    store.renew_scim_secret("client-1", &scim_secret("b", 10, 100), after(50)).await.unwrap();
    assert_eq!(
        (showing("a", 49).await, showing("b", 49).await),
        (ours.clone(), ours.clone()),
        "both for a while"
    );
    assert_eq!((showing("a", 50).await, showing("b", 109).await), (None, ours.clone()));
    store.renew_scim_secret("client-1", &scim_secret("c", 20, 100), after(60)).await.unwrap();
    assert_eq!(
        (showing("a", 21).await, showing("b", 21).await, showing("c", 21).await),
        (None, ours.clone(), ours)
    );
    assert_eq!(store.scim_secrets_of("client-1", after(21)).await.unwrap().len(), 2);

    let client = scim_client(1);
    store.note_scim_client(&client, after(5)).await.unwrap();
    assert!(store.pause_scim_client("client-1", after(6)).await.unwrap());
    assert!(!store.pause_scim_client("client-1", after(7)).await.unwrap(), "it is paused already");
    let found = store.scim_clients().await.unwrap();
    assert_eq!((found[0].seen_at, found[0].paused_at), (Some(after(5)), Some(after(6))));
    store.resume_scim_client("client-1", after(90)).await.unwrap();
    let found = store.scim_clients().await.unwrap();
    assert_eq!((found[0].paused_at, found[0].passes_until), (None, Some(after(90))));

    assert!(store.revoke_scim_client("client-1", after(8)).await.unwrap());
    assert!(!store.revoke_scim_client("client-1", after(9)).await.unwrap());
    assert_eq!(showing("c", 21).await, None, "at once");
    assert!(store.scim_clients().await.unwrap().is_empty());
    assert!(
        store.add_scim_client(&scim_client(2), &scim_secret("y", 0, 100)).await.unwrap(),
        "the name is free"
    );
}

fn said(kind: ResourceKind, id: &str, label: &str, version: u64) -> Write {
    let resource = Resource {
        id: id.to_owned(),
        client: "client-1".to_owned(),
        kind,
        name_key: label.to_lowercase(),
        label: label.to_owned(),
        body: "{}".to_owned(),
        version,
        ended: false,
        created_at: noon(),
        changed_at: after(i64::try_from(version).unwrap()),
    };
    Write {
        client: "client-1".to_owned(),
        kind,
        id: id.to_owned(),
        resource: Some(resource),
        joins: Vec::new(),
        leaves: Vec::new(),
        ends: None,
    }
}

fn scim(write: Write) -> StateChange {
    StateChange::Scim(Box::new(write))
}

async fn what_a_client_says_is_kept_with_what_follows_from_it(place: &Place) {
    let store = furnished(place).await;
    store.add_scim_client(&scim_client(1), &scim_secret("a", 0, 100)).await.unwrap();
    let dana: PersonId = id(2);
    let user = said(ResourceKind::User, &dana.to_string(), "Dana", 1);
    let group = Write { joins: vec![dana, id(3)], ..said(ResourceKind::Group, "g", "Fraud", 1) };
    store.commit(commit(NEXT, [scim(user.clone()), scim(group.clone())])).await.unwrap();
    let users = |label: &'static str| store.scim_resource_named("client-1", ResourceKind::User, label);
    assert_eq!(users("dana").await.unwrap(), user.resource, "said is said, before the ledger has it");
    assert_eq!(store.scim_groups_of("client-1", dana).await.unwrap(), [("g".to_owned(), "Fraud".to_owned())]);
    assert_eq!(store.scim_groups_at("corporate", dana).await.unwrap(), ["Fraud"]);
    assert!(store.scim_groups_at("elsewhere", dana).await.unwrap().is_empty());
    assert_eq!(
        store.scim_user(dana).await.unwrap().map(|(client, _)| client.id),
        Some("client-1".to_owned())
    );
    assert_eq!(store.scim_resource("other", ResourceKind::User, &dana.to_string()).await.unwrap(), None);

    let renamed = Write { leaves: vec![dana], ..said(ResourceKind::Group, "g", "Risk", 2) };
    store.commit(commit(NEXT + 1, [scim(renamed.clone())])).await.unwrap();
    store.commit(commit(NEXT + 1, [scim(renamed)])).await.unwrap();
    assert_eq!(store.scim_members("g").await.unwrap(), [id(3)]);
    assert_eq!(store.scim_resources("client-1", ResourceKind::Group).await.unwrap()[0].label, "Risk");

    // A commit that is refused says nothing.
    let refused =
        commit(NEXT + 2, [scim(said(ResourceKind::User, "pe_x", "Eve", 1)), StateChange::Revoke(id(99))]);
    assert!(store.commit(refused).await.is_err());
    assert_eq!(users("eve").await.unwrap(), None);
    // Nor does one of two of one name.
    assert!(
        store.commit(commit(NEXT + 3, [scim(said(ResourceKind::User, "pe_y", "DANA", 1))])).await.is_err()
    );
    assert_eq!(store.scim_ids("client-1", ResourceKind::User).await.unwrap(), [dana.to_string()].into());
    store.ledgered(event(NEXT), 0, noon()).await.unwrap();
    now(&store).await;
}

async fn a_withdrawn_resource_leaves_nothing_behind(place: &Place) {
    let store = furnished(place).await;
    store.add_scim_client(&scim_client(1), &scim_secret("a", 0, 100)).await.unwrap();
    let dana: PersonId = id(2);
    let user = said(ResourceKind::User, &dana.to_string(), "Dana", 1);
    let group = |id: &str| Write { joins: vec![dana], ..said(ResourceKind::Group, id, id, 1) };
    store.commit(commit(NEXT, [scim(user.clone()), scim(group("g")), scim(group("h"))])).await.unwrap();
    let gone = |write: Write| scim(Write { resource: None, joins: Vec::new(), ..write });
    store.commit(commit(NEXT + 1, [gone(group("g"))])).await.unwrap();
    assert_eq!(store.scim_memberships("client-1").await.unwrap(), [("h".to_owned(), dana)]);
    store.commit(commit(NEXT + 2, [gone(user)])).await.unwrap();
    assert!(store.scim_memberships("client-1").await.unwrap().is_empty());
    assert_eq!(store.scim_user(dana).await.unwrap(), None);
    let left = store.scim_resources("client-1", ResourceKind::Group).await.unwrap();
    assert_eq!((left.len(), left[0].version), (1, 2), "a group somebody leaves is another version");
    assert_eq!(store.scim_resource_count("client-1", ResourceKind::User).await.unwrap(), 0);
}

async fn whom_a_client_ended_is_remembered_for_a_while(place: &Place) {
    let store = furnished(place).await;
    store.add_scim_client(&scim_client(1), &scim_secret("a", 0, 100)).await.unwrap();
    let ends = |number: u128, seconds: i64| {
        let person: PersonId = id(number);
        let write = said(ResourceKind::User, &person.to_string(), &format!("p{number}"), 1);
        let change = scim(Write { ends: Some(person), ..write });
        Commit {
            at: after(seconds),
            ..commit(NEXT + number * 1000 + u128::try_from(seconds).unwrap(), [change])
        }
    };
    for (number, seconds) in [(2, 0), (3, 10), (2, 20)] {
        store.commit(ends(number, seconds)).await.unwrap();
    }
    let since = async |seconds: i64| store.scim_ended("client-1", after(seconds)).await.unwrap();
    assert_eq!(since(-1).await, [id(2), id(3)], "each once");
    assert_eq!(since(10).await, [id(2)]);
    assert!(store.scim_ended("other", after(-1)).await.unwrap().is_empty());
    store.commit(ends(3, 90_000)).await.unwrap();
    assert_eq!(since(-1).await, [id(3)], "the others are forgotten");
}

async fn softlocks_survive_a_restart(place: &Place) {
    let store = furnished(place).await;
    let mut memory = modelward_identity::softlock::Softlocks::new();
    let keys: Vec<LockKey> = {
        let account = format!("account/{}", Digest::of(b"dana"));
        let pair = format!("pair/{}/192.0.2.0/24", Digest::of(b"dana"));
        let six = "source/2001:db8::/64".to_owned();
        [account, pair, six].iter().map(|text| text.parse().unwrap()).collect()
    };
    assert!("source/192.0.2.7/24".parse::<LockKey>().is_err(), "one source has one key");
    let _attempt = memory.begin("dana", "192.0.2.7".parse().unwrap(), noon()).unwrap();
    let lock = *memory.get(&keys[1]).unwrap();
    let trusted = Softlock { trusted_until: Some(after(86_400 * 9)), ..lock };
    store
        .keep_softlocks(&[(keys[0], Some(lock)), (keys[1], Some(trusted)), (keys[2], Some(lock))])
        .await
        .unwrap();
    store.keep_softlocks(&[(keys[2], None)]).await.unwrap();
    let again = place.open().await;
    let mut kept = again.softlocks(after(60)).await.unwrap();
    kept.sort_by_key(|(key, _)| *key);
    assert_eq!(kept, [(keys[1], trusted), (keys[0], lock)]);
    let next_day = again.softlocks(after(86_400)).await.unwrap();
    assert_eq!(next_day, [(keys[1], trusted)], "counts end with their day");
}

async fn attempts_are_listed_newest_first(place: &Place) {
    let store = furnished(place).await;
    for number in 0..5 {
        let attempt = Attempt {
            at: after(number),
            name: if number % 2 == 0 { "dana" } else { "kim" }.to_owned(),
            source: "192.0.2.7".to_owned(),
            outcome: "wrong-password".to_owned(),
        };
        store.note_attempt(&attempt).await.unwrap();
    }
    let all = store.attempts(None, None, 2).await.unwrap();
    assert_eq!(all.iter().map(|(_, attempt)| attempt.at).collect::<Vec<_>>(), [after(4), after(3)]);
    let rest = store.attempts(None, all.last().map(|(number, _)| *number), 10).await.unwrap();
    assert_eq!(rest.len(), 3);
    assert_eq!(store.attempts(Some("kim"), None, 10).await.unwrap().len(), 2);
    let long = Attempt { at: noon(), name: "x".repeat(300), source: String::new(), outcome: String::new() };
    assert!(matches!(store.note_attempt(&long).await, Err(StoreError::TooLong { .. })));
}

async fn a_key_never_becomes_active_again(place: &Place) {
    let store = furnished(place).await;
    let mut key = SigningKey {
        kid: "k1".to_owned(),
        purpose: "token".to_owned(),
        public: "ed25519:…".to_owned(),
        state: KeyState::Active,
        created_at: noon(),
        changed_at: noon(),
    };
    store.note_key(&key).await.unwrap();
    (key.state, key.changed_at) = (KeyState::Retired, after(5));
    store.note_key(&key).await.unwrap();
    (key.state, key.changed_at) = (KeyState::Active, after(9));
    store.note_key(&key).await.unwrap();
    let found = store.keys().await.unwrap();
    assert_eq!((found[0].state, found[0].changed_at), (KeyState::Retired, after(5)));
}

async fn settings_survive_a_restart(place: &Place) {
    let store = furnished(place).await;
    assert_eq!(store.setting("high-water").await.unwrap(), None);
    store.set_setting("high-water", "1").await.unwrap();
    store.set_setting("high-water", "2").await.unwrap();
    assert_eq!(place.open().await.setting("high-water").await.unwrap().as_deref(), Some("2"));
    let long = store.set_setting("x", &"x".repeat(Store::SETTING_BYTES_MAX)).await;
    assert!(matches!(long, Err(StoreError::TooLong { .. })));
    store.ping().await.unwrap();
}

async fn events_know_their_place_in_the_ledger(place: &Place) {
    let store = furnished(place).await;
    store.commit(commit(NEXT, [give(grant(90))])).await.unwrap();
    store
        .commit(commit(
            NEXT + 1,
            [put(Thing::Group(group(22, "more"))), put(Thing::Environment(environment()))],
        ))
        .await
        .unwrap();
    store.ledgered(event(NEXT), 41, after(2)).await.unwrap();
    let found = store.event(event(NEXT)).await.unwrap().unwrap();
    assert_eq!((found.ledger_index, found.ledgered_at), (Some(41), Some(after(2))));
    let waiting = store.event(event(NEXT + 1)).await.unwrap().unwrap();
    assert_eq!((waiting.ledger_index, waiting.ledgered_at), (None, None));
    let newest = store.events(None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|it| it.event).collect::<Vec<_>>(), [event(NEXT + 1), event(NEXT)]);
    assert_eq!(store.events(Some(newest[1].sequence), 10).await.unwrap().len(), 1);
}

/// Good enough to try orders in, and the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
