//! Who may give which grant, and take it back.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::Change;
use modelward_decision::grant::{Day, Grant, Origin, Window};
use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{GranteeRef, PrincipalRef, Privilege, ScopeRef};
use modelward_governance::bootstrap::first_grants;
use modelward_governance::grants::{
    RevocationKind, drop_own, grantee_rule, may_grant_directly, revoke, well_formed,
};
use modelward_governance::{Bootstrap, Giver, Reason, Refusal};

use crate::world::{ADA, ADMINS, ANALYSTS, DANA, FIRM, KIM, SCORER, ada, days, grant, id, name, noon, world};

fn open() -> Bootstrap {
    Bootstrap::Open { first: ada(), opened_at: noon() }
}

/// What becomes of Ada's grant to Dana once it is changed like this.
fn given(edit: impl FnOnce(&mut Grant)) -> Result<(), Refusal> {
    let mut grant = grant();
    edit(&mut grant);
    let world = world();
    may_grant_directly(open(), &Giver::of(ada(), &world), &grant, &world, noon())
}

#[test]
fn little_can_be_given_directly() {
    for privilege in Privilege::ALL {
        let expected = match privilege {
            Privilege::ReadOnly | Privilege::Inference | Privilege::Govern | Privilege::Audit => Ok(()),
            Privilege::SelfService => Err(Refusal::NeedsNoGrant(privilege)),
            above => Err(Refusal::AboveBootstrap(above)),
        };
        assert_eq!(given(|grant| grant.privilege = privilege), expected, "{privilege:?}");
    }
}

#[test]
fn nothing_can_be_given_before_or_after() {
    let world = world();
    let giver = Giver::of(ada(), &world);
    let in_state = |state| may_grant_directly(state, &giver, &grant(), &world, noon());
    assert_eq!(in_state(Bootstrap::Uninitialised), Err(Refusal::NotInitialised));
    assert_eq!(in_state(open()), Ok(()));
    let closed = Bootstrap::Closed { pair: [id(ADA), id(DANA)], closed_at: noon() };
    assert_eq!(in_state(closed), Err(Refusal::RequestNeeded));
    assert!(Refusal::RequestNeeded.hint().is_some());
}

#[test]
fn nobody_gives_to_themselves_by_any_way_round() {
    let to = |grantee| given(|grant| grant.grantee = grantee);
    assert_eq!(to(GranteeRef::Person(id(ADA))), Err(Refusal::SelfGrant));
    assert_eq!(to(GranteeRef::Group(id(ADMINS))), Err(Refusal::SelfGrant), "a group one is in");
    assert_eq!(to(GranteeRef::Group(id(FIRM))), Err(Refusal::SelfGrant), "a group that group is in");
    assert_eq!(to(GranteeRef::Machine(id(SCORER))), Err(Refusal::SelfGrant), "a machine one answers for");
    assert_eq!(to(GranteeRef::Group(id(ANALYSTS))), Ok(()));
    assert_eq!(to(GranteeRef::Person(id(KIM))), Ok(()));
}

#[test]
fn a_direct_grant_is_short() {
    assert_eq!(given(|grant| grant.not_after = days(30)), Ok(()));
    assert_eq!(given(|grant| grant.not_after = days(31)), Err(Refusal::TooLong));
    assert_eq!(given(|grant| grant.not_before = days(8)), Err(Refusal::NeverLive));
    assert_eq!(
        given(|grant| (grant.not_before, grant.not_after) = (days(-2), days(-1))),
        Err(Refusal::NeverLive),
        "over before it begins"
    );
}

#[test]
fn a_direct_grant_says_so() {
    let other = Origin::Bootstrap { by: id(KIM) };
    assert_eq!(given(|grant| grant.origin = other), Err(Refusal::WrongOrigin));
    let forged = Origin::Request { request: id(5), approvals: 2 };
    assert_eq!(given(|grant| grant.origin = forged), Err(Refusal::WrongOrigin));
}

#[test]
fn a_grant_needs_somebody_and_something() {
    assert_eq!(given(|grant| grant.grantee = GranteeRef::Person(id(9))), Err(Refusal::UnknownGrantee));
    assert_eq!(given(|grant| grant.grantee = GranteeRef::Group(id(29))), Err(Refusal::UnknownGrantee));
    assert_eq!(given(|grant| grant.scope = ScopeRef::Model(id(49))), Err(Refusal::UnknownScope));
    let dana = world().person(id(DANA)).map(|dana| Person::clone(dana)).unwrap();
    let asleep = world().with([Change::Person(Arc::new(Person { active: false, ..dana }))]);
    let giver = Giver::of(ada(), &asleep);
    assert_eq!(may_grant_directly(open(), &giver, &grant(), &asleep, noon()), Err(Refusal::UnknownGrantee));
    let stranger = Giver::of(id(9), &asleep);
    let mut theirs = grant();
    theirs.origin = Origin::Bootstrap { by: id(9) };
    assert_eq!(may_grant_directly(open(), &stranger, &theirs, &asleep, noon()), Err(Refusal::UnknownGiver));
}

#[test]
fn govern_goes_to_one_more_person_and_no_further() {
    let govern = |grantee| {
        let mut govern = grant();
        (govern.privilege, govern.grantee, govern.scope) = (Privilege::Govern, grantee, ScopeRef::Platform);
        govern
    };
    let own = first_grants([id(91), id(92)], ada(), noon());
    let first = world().with(own.map(|grant| Change::Grant(Arc::new(grant))));
    let giver = Giver::of(ada(), &first);
    let give = |grant: &Grant, world: &_, now| may_grant_directly(open(), &giver, grant, world, now);
    let to_dana = govern(GranteeRef::Person(id(DANA)));
    assert_eq!(give(&to_dana, &first, noon()), Ok(()));
    let to_analysts = govern(GranteeRef::Group(id(ANALYSTS)));
    assert_eq!(give(&to_analysts, &first, noon()), Err(Refusal::GroupGrantee(Privilege::Govern)));

    let both = first.with([Change::Grant(Arc::new(to_dana.clone()))]);
    let to_kim = govern(GranteeRef::Person(id(KIM)));
    assert_eq!(give(&to_kim, &both, noon()), Err(Refusal::EnoughGovernors));
    assert_eq!(give(&to_dana, &both, noon()), Ok(()), "renewed, not one more");
    let later = Grant { not_after: days(10), ..to_kim };
    assert_eq!(give(&later, &both, days(8)), Ok(()), "Dana's has ended");
}

#[test]
fn above_inference_a_grantee_is_personal() {
    for privilege in Privilege::ALL {
        let group = grantee_rule(privilege, GranteeRef::Group(id(ANALYSTS)));
        let personal =
            matches!(privilege, Privilege::SelfService | Privilege::ReadOnly | Privilege::Inference);
        assert_eq!(group.is_ok(), personal, "{privilege:?}");
        assert_eq!(grantee_rule(privilege, GranteeRef::Machine(id(SCORER))), Ok(()));
        assert_eq!(grantee_rule(privilege, GranteeRef::Person(id(DANA))), Ok(()));
    }
}

#[test]
fn a_condition_can_be_met() {
    let checked = |edit: fn(&mut Grant)| {
        let mut grant = grant();
        edit(&mut grant);
        well_formed(&grant)
    };
    let window = |zone: &str, days: &[Day]| Window {
        days: days.iter().copied().collect(),
        from: jiff::civil::time(9, 0, 0, 0),
        until: jiff::civil::time(17, 0, 0, 0),
        zone: zone.to_owned(),
    };
    assert_eq!(
        checked(|grant| grant.conditions.purposes = Some(BTreeSet::new())),
        Err(Refusal::EmptyCondition)
    );
    assert_eq!(checked(|grant| grant.conditions.max_uses = Some(0)), Err(Refusal::EmptyCondition));
    assert_eq!(checked(|grant| grant.conditions.environments = Some([name("test")].into())), Ok(()));
    assert_eq!(
        checked(
            |grant| grant.conditions.fields = Some([modelward_decision::vocabulary::Field::Logprobs].into())
        ),
        Err(Refusal::FieldsWithoutUse)
    );
    let mut timed = grant();
    timed.conditions.windows = Some(vec![window("Europe/Berlin", &[Day::Mon])]);
    assert_eq!(well_formed(&timed), Ok(()));
    timed.conditions.windows = Some(vec![window("Europe/Berlin", &[])]);
    assert_eq!(well_formed(&timed), Err(Refusal::EmptyCondition));
    timed.conditions.windows = Some(vec![window("Mars/Olympus", &[Day::Mon])]);
    assert_eq!(well_formed(&timed), Err(Refusal::UnknownZone("Mars/Olympus".to_owned())));
}

#[test]
fn a_holder_gives_back_what_is_theirs() {
    let world = world();
    let reason = || Reason::new("no longer needed").unwrap();
    let drop = |grant: &Grant, by| drop_own(grant, by, &world, reason(), noon());
    let (dana, ada_) = (PrincipalRef::Person(id(DANA)), PrincipalRef::Person(id(ADA)));
    let dropped = drop(&grant(), dana).unwrap();
    assert_eq!((dropped.grant, dropped.by, dropped.kind), (id(90), dana, RevocationKind::Dropped));
    assert_eq!(
        drop(&grant(), ada_),
        Err(Refusal::NotHolder),
        "even by whoever gave it: that is a revocation"
    );

    let machine = Grant { grantee: GranteeRef::Machine(id(SCORER)), ..grant() };
    assert!(drop(&machine, PrincipalRef::Machine(id(SCORER))).is_ok());
    assert!(drop(&machine, ada_).is_ok(), "by the person who answers for the machine");
    assert_eq!(drop(&machine, dana), Err(Refusal::NotHolder));
    let shared = Grant { grantee: GranteeRef::Group(id(ANALYSTS)), ..grant() };
    assert_eq!(drop(&shared, dana), Err(Refusal::HeldByGroup));
    assert_eq!(drop_own(&grant(), dana, &world, reason(), days(7)), Err(Refusal::Over));
}

#[test]
fn a_revocation_says_who_when_and_why() {
    let by = PrincipalRef::Person(id(ADA));
    let revoked = revoke(&grant(), by, Reason::new(" left the team ").unwrap(), days(1)).unwrap();
    assert_eq!((revoked.kind, revoked.at), (RevocationKind::Revoked, days(1)));
    assert_eq!(revoked.reason.as_str(), "left the team");
    let early = Grant { not_before: days(3), ..grant() };
    assert!(revoke(&early, by, Reason::new("x").unwrap(), days(1)).is_ok(), "also before it begins");
    assert_eq!(revoke(&grant(), by, Reason::new("x").unwrap(), days(8)), Err(Refusal::Over));
    for bad in ["", "  ", "a\u{7}b", &"x".repeat(501)] {
        assert_eq!(Reason::new(bad), Err(Refusal::BadReason));
    }
    assert!(serde_json::from_str::<Reason>("\"\"").is_err());
}
