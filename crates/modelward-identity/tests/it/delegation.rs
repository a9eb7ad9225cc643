//! Somebody acts for somebody else: never with more than either may do.

use std::sync::Arc;

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Binding, PersonId, PrincipalRef, Privilege};
use modelward_identity::session::{SessionRecord, SessionToken};
use modelward_identity::token::{Ask, ExchangeRefusal, TokenRefusal};
use modelward_identity::{Authenticated, Models, Rights};
use proptest::prelude::*;

use crate::support::{House, ask, later, model, noon};

/// Somebody else than dana, signed in like her.
fn other(house: &House, number: u128) -> Authenticated {
    let opened = house.session(noon());
    let principal = PrincipalRef::Person(PersonId::from_bits(number));
    let id = modelward_decision::vocabulary::SessionId::from_bits(1000 + number);
    let record = SessionRecord { principal, id, binding: Binding::None, ..opened.record };
    let token: SessionToken = opened.token;
    record.authenticate(&token, &house.epochs, noon()).unwrap()
}

fn acting(
    house: &House,
    subject: &Authenticated,
    actor: &Authenticated,
    ask: &Ask,
) -> Result<Authenticated, ExchangeRefusal> {
    let full = Rights::full();
    let minted =
        house.issuer.exchange_for(subject, Some(actor), ask, &full, &house.epochs, &house.ids, noon())?;
    Ok(house.admit(minted.text.expose(), noon()).unwrap())
}

#[test]
fn a_token_names_who_acts_for_whom() {
    let house = House::new();
    let (dana, bot) = (house.dana(), other(&house, 7));
    let who = acting(&house, &dana, &bot, &ask([Privilege::Inference], [1])).unwrap();
    assert_eq!(who.principal(), dana.principal());
    let actors: Vec<_> = who.actors().iter().map(|actor| actor.principal).collect();
    assert_eq!(actors, [bot.principal()]);
    assert_eq!(who.session().id, dana.session().id, "strength and age are those of whom it is done for");
}

#[test]
fn a_chain_is_three_long_at_most_with_the_current_actor_first() {
    let house = House::new();
    let asked = ask([Privilege::Inference], [1]);
    let mut who = house.dana();
    let chain: Vec<Authenticated> = (1..=3).map(|number| other(&house, number)).collect();
    for actor in &chain {
        who = acting(&house, &who, actor, &asked).unwrap();
    }
    let actors: Vec<_> = who.actors().iter().map(|actor| actor.principal).collect();
    let expected: Vec<_> = chain.iter().rev().map(Authenticated::principal).collect();
    assert_eq!(actors, expected);
    let one_more = acting(&house, &who, &other(&house, 4), &asked);
    assert_eq!(one_more.unwrap_err(), ExchangeRefusal::TooManyActors);
}

#[test]
fn threat_26_a_token_ends_with_each_who_acts() {
    let house = House::new();
    let (dana, first, second) = (house.dana(), other(&house, 1), other(&house, 2));
    let asked = ask([Privilege::Inference], [1]);
    let once = acting(&house, &dana, &first, &asked).unwrap();
    let full = Rights::full();
    let twice =
        house.issuer.exchange_for(&once, Some(&second), &asked, &full, &house.epochs, &house.ids, noon());
    let text = twice.unwrap().text.expose().to_owned();
    for scope in [
        EpochScope::Principal(dana.principal()),
        EpochScope::Principal(first.principal()),
        EpochScope::Session(first.session().id),
        EpochScope::Principal(second.principal()),
    ] {
        let bumped = crate::support::Bumped::default();
        house.gateway.verify(text.as_bytes(), &bumped, later(1)).unwrap();
        bumped.bump(scope);
        let refused = house.gateway.verify(text.as_bytes(), &bumped, later(1)).unwrap_err();
        assert_eq!(refused, TokenRefusal::Revoked, "{scope:?}");
    }
}

#[test]
fn an_actor_whose_credential_ended_acts_for_nobody() {
    let house = House::new();
    let (dana, bot) = (house.dana(), other(&house, 7));
    house.epochs.bump(EpochScope::Principal(bot.principal()));
    let refused = acting(&house, &dana, &bot, &ask([Privilege::Inference], [1]));
    assert_eq!(refused.unwrap_err(), ExchangeRefusal::Revoked);
}

fn some_rights() -> impl Strategy<Value = Rights> {
    let privileges = [Privilege::ReadOnly, Privilege::Inference, Privilege::SelfService];
    let privileges = proptest::sample::subsequence(privileges.to_vec(), 1..=3);
    let models = prop_oneof![
        1 => Just(Models::Any),
        3 => proptest::collection::btree_set((1..6_u128).prop_map(model), 1..4).prop_map(Models::Only),
    ];
    (privileges, models).prop_map(|(privileges, models)| Rights::new(privileges, models))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Row 26: what comes out is within subject, actor, request and policy, all four, and within every link before.
    #[test]
    fn threat_26_no_chain_of_actors_widens(
        subject in some_rights(),
        links in proptest::collection::vec((some_rights(), some_rights(), some_rights()), 1..5),
    ) {
        let house = House::new();
        let narrow = |who: &Authenticated, rights: &Rights| {
            let asked = Ask { rights: rights.clone(), ..ask([], []) };
            let minted = house.exchange(who, &asked, noon()).unwrap();
            house.admit(minted.text.expose(), noon()).unwrap()
        };
        let mut who = Arc::new(narrow(&house.dana(), &subject));
        for (number, (actor, asked, bound)) in links.iter().enumerate() {
            let actor_rights = actor;
            let actor = narrow(&other(&house, number as u128 + 1), actor_rights);
            let asked = Ask { rights: asked.clone(), ..ask([], []) };
            let minted =
                house.issuer.exchange_for(&who, Some(&actor), &asked, bound, &house.epochs, &house.ids, noon());
            let Ok(minted) = minted else { return Ok(()) };
            let next = house.admit(minted.text.expose(), noon()).unwrap();
            for limit in [&who.rights(), actor_rights, &asked.rights, bound] {
                prop_assert!(next.rights().is_within(limit), "{:?} in {limit:?}", next.rights());
            }
            prop_assert!(next.expires_at() <= who.expires_at().min(actor.expires_at()));
            prop_assert_eq!(next.principal(), who.principal());
            prop_assert_eq!(next.actors().len(), number + 1);
            prop_assert!(next.actors().len() <= 3);
            who = Arc::new(next);
        }
    }
}
