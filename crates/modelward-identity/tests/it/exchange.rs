//! Exchange: what comes out is never more than what went in.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Action, CredentialScope, ModelId, Privilege, ResourceRef};
use modelward_identity::token::{Ask, ExchangeRefusal, Profile, TokenBinding};
use modelward_identity::{Models, Rights};
use proptest::prelude::*;

use crate::support::{House, ask, holder, later, model, noon};

#[test]
fn a_token_holds_what_was_asked_what_the_credential_has_and_what_its_holder_has() {
    let house = House::new();
    let bound = Rights::new([Privilege::Inference, Privilege::Deploy], Models::only([model(1), model(2)]));
    let asked = ask([Privilege::ReadOnly, Privilege::Inference], [2, 3]);
    let token =
        house.issuer.exchange(&house.dana(), &asked, &bound, &house.epochs, &house.ids, noon()).unwrap();
    assert_eq!(token.rights, Rights::new([Privilege::Inference], Models::only([model(2)])));
}

#[test]
fn a_token_can_be_for_single_actions() {
    let house = House::new();
    let asked = |actions: &[Action]| Ask {
        rights: Rights::of_actions(actions.iter().copied(), Models::only([model(1)])),
        binding: Some(TokenBinding::Key(holder().thumbprint())),
        ..ask([], [])
    };
    let token = house.exchange(&house.dana(), &asked(&[Action::Predict, Action::ReadCard]), noon()).unwrap();
    let who = house.admit(token.text.expose(), noon()).unwrap();
    let reached = reach(&who.session().scope);
    let above: BTreeSet<Action> = reached
        .iter()
        .map(|(action, _)| *action)
        .filter(|action| action.privilege() != Privilege::SelfService)
        .collect();
    assert_eq!(above, [Action::Predict, Action::ReadCard].into());

    // What holds for privileges holds for their actions: what joins, what is held, how long it lives.
    let joined = house.exchange(&house.dana(), &asked(&[Action::Predict, Action::LaunchTraining]), noon());
    assert!(matches!(joined.unwrap_err(), ExchangeRefusal::Joined(..)));
    let bound = Rights::new([Privilege::ReadOnly], Models::Any);
    let asked_both = asked(&[Action::Predict, Action::ReadCard]);
    let held = house.issuer.exchange(&house.dana(), &asked_both, &bound, &house.epochs, &house.ids, noon());
    let held = held.unwrap().rights;
    assert_eq!(held, Rights::of_actions([Action::ReadCard], Models::only([model(1)])));
    let many = asked(
        &Action::ALL.into_iter().filter(|action| action.privilege() == Privilege::Govern).collect::<Vec<_>>(),
    );
    let many = house.exchange(&house.dana(), &many, noon());
    let governing = Action::ALL.iter().filter(|action| action.privilege() == Privilege::Govern).count();
    assert_eq!(many.is_ok(), governing <= 32, "{governing}");
}

#[test]
fn nothing_left_is_a_refusal_and_never_a_token_for_any_model() {
    let house = House::new();
    for (asked, bound) in [
        (ask([Privilege::Inference], [1]), Rights::new([Privilege::Inference], Models::only([model(2)]))),
        (ask([Privilege::Inference], [1]), Rights::new([Privilege::ReadOnly], Models::Any)),
        (ask([Privilege::Inference], []), Rights::new([Privilege::Inference], Models::only([]))),
        (ask([], [1]), Rights::full()),
        (ask([Privilege::Inference], [1]), Rights::new([], Models::Any)),
    ] {
        let refused = house.issuer.exchange(&house.dana(), &asked, &bound, &house.epochs, &house.ids, noon());
        assert_eq!(refused.unwrap_err(), ExchangeRefusal::NothingLeft, "{asked:?} {bound:?}");
    }
}

#[test]
fn privileges_of_different_families_never_join() {
    let house = House::new();
    let joined = |one, other| {
        let asked = ask([one, other], []);
        house.exchange(&house.dana(), &asked, noon()).is_ok()
    };
    let mut table = String::new();
    for one in Privilege::ALL {
        let row: String = Privilege::ALL
            .iter()
            .map(|other| if joined(one, *other) { other.letter() } else { '.' })
            .collect();
        table.push_str(&format!("{:<20} {row}\n", one.as_str()));
    }
    expect_test::expect![[r#"
        self                 -RISEGTXYDVA
        read-only            -RISEGTXYDVA
        inference            -RIS........
        inference-sensitive  -RIS........
        experiment           -R..EG......
        registry             -R..EG......
        retraining           -R....T.....
        export               -R.....X....
        data-export          -R......Y...
        deploy               -R.......D..
        govern               -R........V.
        audit                -R.........A
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_token_ends_with_what_it_was_exchanged_for() {
    let house = House::new();
    let token = house.token();
    let who = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon()).unwrap();
    let narrower = house.exchange(&who, &ask([Privilege::Inference], [1]), later(100)).unwrap();
    assert_eq!(narrower.expires_at, token.expires_at);

    // The leeway is for clocks, not for chains of exchanges.
    let late = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(130)).unwrap();
    let refused = house.exchange(&late, &ask([Privilege::Inference], [1]), later(130));
    assert_eq!(refused.unwrap_err(), ExchangeRefusal::Expired);

    let session = house.dana();
    let refused = house.exchange(&session, &ask([Privilege::Inference], [1]), session.expires_at());
    assert_eq!(refused.unwrap_err(), ExchangeRefusal::Expired);
}

#[test]
fn a_bump_between_proof_and_exchange_ends_both() {
    let house = House::new();
    let dana = house.dana();
    house.epochs.bump(EpochScope::Principal(dana.principal()));
    let refused = house.exchange(&dana, &ask([Privilege::Inference], [1]), noon());
    assert_eq!(refused.unwrap_err(), ExchangeRefusal::Revoked);
}

#[test]
fn a_token_carries_the_epoch_of_its_credential_and_dies_with_it() {
    let house = House::new();
    let dana = house.dana();
    house.epochs.bump(EpochScope::Principal(dana.principal()));
    let again = house.dana();
    assert_eq!(again.epoch().principal, 1);
    let token = house.exchange(&again, &ask([Privilege::Inference], [1]), noon()).unwrap();
    let who = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon()).unwrap();
    assert_eq!(who.epoch(), again.epoch());
}

#[test]
fn a_token_names_a_bounded_number_of_models() {
    let house = House::new();
    let asked = |count: u128| Ask {
        rights: Rights::new([Privilege::Inference], Models::only((0..count).map(model))),
        ..ask([], [])
    };
    let largest = house.exchange(&house.dana(), &asked(64), noon()).unwrap();
    house.gateway.verify(largest.text.expose().as_bytes(), &house.epochs, noon()).expect("it fits");
    let refused = house.exchange(&house.dana(), &asked(65), noon());
    assert_eq!(refused.unwrap_err(), ExchangeRefusal::TooManyModels);
}

fn privileges() -> impl Strategy<Value = BTreeSet<Privilege>> {
    proptest::collection::btree_set(proptest::sample::select(Privilege::ALL.to_vec()), 0..5)
}

fn rights() -> impl Strategy<Value = Rights> {
    let models = prop_oneof![
        2 => Just(Models::Any),
        5 => proptest::collection::btree_set((1..6_u128).prop_map(model), 0..4).prop_map(Models::Only),
    ];
    let actions = proptest::collection::btree_set(proptest::sample::select(Action::ALL.to_vec()), 0..6);
    let of_actions = |(actions, models): (BTreeSet<Action>, Models)| Rights::of_actions(actions, models);
    prop_oneof![
        3 => (privileges(), models.clone()).prop_map(|(privileges, models)| Rights::new(privileges, models)),
        1 => (actions, models).prop_map(of_actions),
    ]
}

/// Rights that may stand in one token, so that enough cases are minted.
fn joinable() -> impl Strategy<Value = Rights> {
    let families = [
        vec![Privilege::ReadOnly],
        vec![Privilege::ReadOnly, Privilege::Inference],
        vec![Privilege::Inference, Privilege::InferenceSensitive],
        vec![Privilege::Experiment, Privilege::Registry],
        vec![Privilege::SelfService, Privilege::Deploy],
        vec![Privilege::Retraining],
    ];
    let by_action = proptest::collection::vec(proptest::bool::ANY, Action::ALL.len());
    (rights(), proptest::sample::select(families.to_vec()), proptest::option::of(by_action)).prop_map(
        |(rights, family, by_action)| match by_action {
            None => Rights::new(family, rights.models),
            Some(chosen) => {
                let of_family = Action::ALL.into_iter().zip(chosen);
                let of_family =
                    of_family.filter(|(action, chosen)| *chosen && family.contains(&action.privilege()));
                Rights::of_actions(of_family.map(|(action, _)| action), rights.models)
            }
        },
    )
}

/// Everything a scope lets through, asked of the function the decision uses.
fn reach(scope: &CredentialScope) -> BTreeSet<(Action, ModelId)> {
    let models = (0..8_u128).map(model);
    models
        .flat_map(|model| Action::ALL.into_iter().map(move |action| (action, model)))
        .filter(|(action, model)| scope.covers(*action, ResourceRef::Model(*model), Some(*model)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// rights(new) ⊆ rights(old), through two exchanges, for whatever is asked and whatever the holder has.
    #[test]
    fn no_chain_of_exchanges_widens(
        first in prop_oneof![joinable(), rights()],
        second in prop_oneof![joinable(), rights()],
        bound in rights(),
        wider in rights(),
        wait in 0..400_i64,
        life in proptest::option::of(-10..2000_i64),
        is_bound in proptest::bool::weighted(0.8),
    ) {
        let house = House::new();
        let binding = is_bound.then(|| TokenBinding::Key(holder().thumbprint()));
        let asked = |rights: &Rights| Ask {
            profile: Profile::Access,
            rights: rights.clone(),
            ttl: life.map(SignedDuration::from_secs),
            binding,
            ..ask([], [])
        };
        let dana = house.dana();
        let exchange = |who, rights: &Rights, bound: &Rights, now| {
            house.issuer.exchange(who, &asked(rights), bound, &house.epochs, &house.ids, now)
        };
        let Ok(old) = exchange(&dana, &first, &bound, noon()) else { return Ok(()) };
        let verify = |token: &str, now| house.admit(token, now);
        let old_who = verify(old.text.expose(), noon()).unwrap();
        prop_assert!(old.rights.is_within(&first) && old.rights.is_within(&bound));
        prop_assert!(old.expires_at <= dana.expires_at());
        prop_assert_eq!(&old_who.rights(), &old.rights);
        prop_assert!(old.rights.conflict().is_none());

        // The holder may have been given more since; the old token still bounds the new one.
        let Ok(new) = exchange(&old_who, &second, &wider, later(wait)) else { return Ok(()) };
        let new_who = verify(new.text.expose(), later(wait)).unwrap();
        prop_assert!(new.rights.is_within(&old.rights));
        prop_assert!(new.expires_at <= old.expires_at);
        prop_assert_eq!(new_who.principal(), old_who.principal());
        prop_assert_eq!(new_who.token_binding(), old_who.token_binding());
        prop_assert_eq!(new_who.epoch(), old_who.epoch());
        prop_assert_eq!(&new_who.session().methods, &old_who.session().methods);
        prop_assert_eq!(new_who.session().strength, old_who.session().strength);
        let (new_reach, old_reach) = (reach(&new_who.session().scope), reach(&old_who.session().scope));
        prop_assert!(new_reach.is_subset(&old_reach));
    }

    #[test]
    fn intersection_is_within_both_and_is_the_largest_such(one in rights(), other in rights(), third in rights()) {
        let both = one.intersection(&other);
        prop_assert!(both.is_within(&one) && both.is_within(&other));
        prop_assert_eq!(&both, &other.intersection(&one));
        if !third.is_nothing() && third.is_within(&one) && third.is_within(&other) {
            prop_assert!(third.is_within(&both));
        }
    }
}
