//! From nothing to the rule of four eyes.

use modelward_decision::grant::Origin;
use modelward_decision::vocabulary::{GranteeRef, Privilege, ScopeRef};
use modelward_governance::Bootstrap;
use modelward_governance::bootstrap::{Holder, first_grants};

use crate::world::{ADA, ADMINS, ANALYSTS, DANA, KIM, ada, days, groups, id, noon};

fn open() -> Bootstrap {
    Bootstrap::default().initialise(ada(), noon()).unwrap()
}

/// Whether the state closes when these people hold second factors.
fn closes(people: &[(u128, &[u128])]) -> bool {
    let people: Vec<_> = people.iter().map(|(person, of)| (id(*person), groups(of))).collect();
    let holders = people.iter().map(|(person, groups)| Holder { person: *person, groups });
    matches!(open().observe(holders, days(1)), Bootstrap::Closed { .. })
}

#[test]
fn init_works_once() {
    assert!(open().is_open());
    assert!(open().initialise(id(DANA), days(1)).is_err());
    let closed = Bootstrap::Closed { pair: [id(ADA), id(DANA)], closed_at: noon() };
    assert!(closed.initialise(id(DANA), days(1)).is_err());
}

#[test]
fn it_closes_with_two_people_in_two_groups() {
    assert!(closes(&[(ADA, &[ADMINS]), (DANA, &[ANALYSTS])]));
    assert!(
        closes(&[(ADA, &[ADMINS, ANALYSTS]), (DANA, &[ANALYSTS])]),
        "one of them can stand for the other group"
    );
    assert!(closes(&[(ADA, &[ADMINS]), (KIM, &[ADMINS]), (DANA, &[ANALYSTS])]));
    assert!(closes(&[(KIM, &[]), (ADA, &[ADMINS]), (DANA, &[ADMINS, ANALYSTS])]));
}

#[test]
fn it_stays_open_for_less() {
    assert!(!closes(&[]));
    assert!(!closes(&[(ADA, &[ADMINS, ANALYSTS])]), "one person is one person");
    assert!(!closes(&[(ADA, &[ADMINS]), (ADA, &[ANALYSTS])]), "under whatever account");
    assert!(!closes(&[(ADA, &[ADMINS]), (DANA, &[ADMINS])]), "two people of one group");
    assert!(!closes(&[(ADA, &[ADMINS]), (KIM, &[])]), "somebody in no group stands for none");
}

#[test]
fn it_closes_for_good() {
    let holders = [(id(ADA), groups(&[ADMINS])), (id(DANA), groups(&[ANALYSTS]))];
    let both = || holders.iter().map(|(person, groups)| Holder { person: *person, groups });
    let closed = open().observe(both(), days(1));
    assert_eq!(closed, Bootstrap::Closed { pair: [id(ADA), id(DANA)], closed_at: days(1) });
    assert_eq!(closed.observe([], days(2)), closed, "a lost second factor opens nothing");
    assert_eq!(closed.observe(both(), days(3)), closed);
    assert_eq!(Bootstrap::Uninitialised.observe(both(), days(1)), Bootstrap::Uninitialised);
    assert!(Bootstrap::Uninitialised.stage() < open().stage() && open().stage() < closed.stage());
}

#[test]
fn init_lets_the_first_person_govern_and_watch_and_no_more() {
    let grants = first_grants([id(90), id(91)], ada(), noon());
    assert_eq!(grants.each_ref().map(|grant| grant.privilege), [Privilege::Govern, Privilege::Audit]);
    for grant in grants {
        assert_eq!((grant.grantee, grant.scope), (GranteeRef::Person(ada()), ScopeRef::Platform));
        assert_eq!(grant.origin, Origin::Bootstrap { by: ada() });
        assert_eq!(grant.not_after, days(30));
    }
}

#[test]
fn the_state_reads_back_as_it_was_written() {
    for state in [Bootstrap::Uninitialised, open()] {
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Bootstrap>(&text).unwrap(), state);
    }
}
