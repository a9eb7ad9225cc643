//! What a minted token is, and for how long it counts.

use std::sync::Arc;

use expect_test::expect;
use jiff::SignedDuration;
use modelward_decision::vocabulary::{CredentialScope, PrincipalRef, Privilege};
use modelward_decision::{Bundle, Change, EpochScope, Snapshot};
use modelward_identity::token::{Ask, BEARER_TTL_MAX, Profile, TokenBinding, TokenRefusal, Verifier, ttl};
use modelward_identity::{Models, Rights};

use crate::support::{GATEWAY, House, ISS, ask, dana_id, holder, later, model, noon, read};

#[test]
fn a_token_says_exactly_this() {
    let house = House::new();
    let token =
        house.exchange(&house.dana(), &ask([Privilege::ReadOnly, Privilege::Inference], [2, 1]), noon());
    let (header, claims, signature) = read(token.unwrap().text.expose());
    expect![[r#"{"alg":"EdDSA","typ":"at+jwt","kid":"qw2bthpy19bceg6r"}"#]].assert_eq(&header);
    expect![[r#"
        {"iss":"https://modelward.example",
        "sub":"pe_01jc000000e00800000000006t",
        "aud":"https://gateway.modelward.example",
        "client_id":"cli",
        "iat":1795190400,
        "nbf":1795190400,
        "exp":1795190520,
        "jti":"tk_3vpybxgng09esassztx4c2dad0",
        "sid":"se_5c58r7jjyz8jas5t5rcp1a0sk2",
        "acr":"2fa",
        "amr":["pwd",
        "otp",
        "embedded"],
        "auth_time":1795190400,
        "authorization_details":[{"type":"modelward",
        "privileges":["read-only",
        "inference"],
        "models":["mo_00000000000000000000000001",
        "mo_00000000000000000000000002"]}],
        "mw_epoch":{"principal":0,
        "session":0}}"#]]
    .assert_eq(&claims.replace(",\"", ",\n\""));
    assert_eq!(signature.len(), 64);
}

#[test]
fn what_was_minted_is_what_is_verified() {
    let house = House::new();
    let dana = house.dana();
    let token = house.exchange(&dana, &ask([Privilege::Inference], [1]), noon()).unwrap();
    let who = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(1)).unwrap();
    assert_eq!(who.principal(), PrincipalRef::Person(dana_id()));
    assert_eq!(who.token(), Some(token.id));
    assert_eq!(who.expires_at(), later(120));
    assert_eq!(who.accepted_until(), later(150));
    assert_eq!(who.epoch(), dana.epoch());
    assert_eq!(who.session().id, dana.session().id);
    assert_eq!(who.session().strength, 2);
    assert_eq!(who.session().methods, dana.session().methods);
    assert_eq!(who.session().authenticated_at, noon());
    assert_eq!(
        who.session().scope,
        CredentialScope::Limited {
            privileges: [Privilege::Inference].into(),
            models: [model(1)].into(),
            actions: [].into(),
        }
    );
}

#[test]
fn a_token_counts_from_the_leeway_before_to_the_leeway_after() {
    let house = House::new();
    let token = house.token();
    let at =
        |second| house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(second)).err();
    assert_eq!(at(-31), Some(TokenRefusal::NotYet));
    assert_eq!(at(-30), None);
    assert_eq!(at(0), None);
    assert_eq!(at(149), None);
    assert_eq!(at(150), Some(TokenRefusal::Expired), "cached or not");
    assert_eq!(at(150), Some(TokenRefusal::Expired));
}

#[test]
fn the_shortest_lived_privilege_decides() {
    let bound = Some(TokenBinding::Key(holder().thumbprint()));
    let minutes = |privileges: &[Privilege]| {
        ttl(Profile::Access, &Rights::new(privileges.iter().copied(), Models::Any), bound).as_mins()
    };
    let bearer = ttl(Profile::Access, &Rights::new([Privilege::ReadOnly], Models::Any), None);
    assert_eq!(bearer, BEARER_TTL_MAX, "what anybody can use does not live long");
    assert_eq!(minutes(&[Privilege::ReadOnly]), 10);
    assert_eq!(minutes(&[Privilege::Inference]), 5);
    assert_eq!(minutes(&[Privilege::InferenceSensitive, Privilege::ReadOnly]), 5);
    for privilege in [
        Privilege::Experiment,
        Privilege::Registry,
        Privilege::Retraining,
        Privilege::Export,
        Privilege::DataExport,
        Privilege::Deploy,
        Privilege::Govern,
        Privilege::Audit,
    ] {
        assert_eq!(minutes(&[privilege, Privilege::ReadOnly]), 2, "{privilege}");
    }
}

#[test]
fn a_shorter_life_can_be_asked_for_and_a_longer_one_not() {
    let house = House::new();
    let life = |asked| {
        let asked = Ask { ttl: Some(SignedDuration::from_secs(asked)), ..ask([Privilege::Inference], [1]) };
        house.exchange(&house.dana(), &asked, noon()).map(|token| (token.expires_at - noon()).get_seconds())
    };
    assert_eq!(life(20).unwrap(), 20);
    assert_eq!(life(100_000).unwrap(), 120);
    assert!(life(0).is_err());
    assert!(life(-5).is_err());
}

#[test]
fn a_bump_kills_a_remembered_token() {
    for scope in ["person", "session"] {
        let house = House::new();
        let dana = house.dana();
        let token = house.exchange(&dana, &ask([Privilege::Inference], [1]), noon()).unwrap();
        let verify = || house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(1));
        let who = verify().unwrap();
        verify().unwrap();
        assert_eq!(house.gateway.cache().hits, 1, "the second use was remembered");
        assert!(who.is_current(&house.epochs, later(1)));

        house.epochs.bump(match scope {
            "person" => EpochScope::Principal(who.principal()),
            _ => EpochScope::Session(who.session().id),
        });
        assert_eq!(verify().unwrap_err(), TokenRefusal::Revoked, "{scope}");
        assert!(!who.is_current(&house.epochs, later(1)), "a running stream can tell too");
    }
}

#[test]
fn the_epochs_of_a_snapshot_are_the_epochs_in_force() {
    let house = House::new();
    let token = house.token();
    let snapshot = Arc::new(Snapshot::empty(Arc::new(Bundle::default_bundle().unwrap())));
    let verify = |snapshot: &Arc<Snapshot>| {
        house.gateway.verify(token.text.expose().as_bytes(), snapshot, later(1)).map(|who| who.principal())
    };
    let dana = verify(&snapshot).unwrap();
    let next = Arc::new(snapshot.with([Change::Bump(EpochScope::Principal(dana))]));
    assert_eq!(verify(&next).unwrap_err(), TokenRefusal::Revoked);
}

#[test]
fn a_bump_of_somebody_else_changes_nothing() {
    let house = House::new();
    let token = house.token();
    house.epochs.bump(EpochScope::Principal(PrincipalRef::Person(
        modelward_decision::vocabulary::PersonId::from_bits(99),
    )));
    house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(1)).unwrap();
}

#[test]
fn a_verifier_that_lags_behind_accepts_what_was_minted_after_the_bump_it_missed() {
    let house = House::new();
    house.epochs.bump(EpochScope::Principal(PrincipalRef::Person(dana_id())));
    let token = house.token();
    let behind = crate::support::Bumped::default();
    house.gateway.verify(token.text.expose().as_bytes(), &behind, later(1)).unwrap();
}

#[test]
fn the_memory_of_tokens_is_bounded() {
    let house = House::new();
    let gateway =
        Verifier::new(Profile::Access, ISS, GATEWAY, (*house.gateway.keys()).clone()).remembering(64);
    let dana = house.dana();
    for _ in 0..500 {
        let token = house.exchange(&dana, &ask([Privilege::Inference], [1]), noon()).unwrap();
        gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon()).unwrap();
    }
    assert!(gateway.cache().tokens <= 64, "{:?}", gateway.cache());
}

#[test]
fn remembered_or_not_the_answer_is_the_same() {
    let house = House::new();
    let without =
        Verifier::new(Profile::Access, ISS, GATEWAY, (*house.gateway.keys()).clone()).remembering(0);
    let token = house.token();
    for second in [-40, -1, 0, 100, 140, 160] {
        let ask = |verifier: &Verifier| {
            verifier
                .verify(token.text.expose().as_bytes(), &house.epochs, later(second))
                .map(|who| (who.principal(), who.session().clone(), who.expires_at()))
        };
        assert_eq!(ask(&house.gateway), ask(&without), "{second}");
    }
    assert_eq!(without.cache().tokens, 0);
}

#[test]
fn no_secret_shows_in_debug() {
    let house = House::new();
    let token = house.token();
    let session = house.session(noon());
    let shown =
        format!("{token:?} {session:?} {:?} {:?} {:?}", house.access_key, house.issuer, house.gateway);
    let secret = session.token.expose();
    assert!(!shown.contains(token.text.expose()));
    assert!(!shown.contains(secret.as_str()) && !shown.contains(&secret[4..]));
    let seed = house.access_key.expose_seed();
    assert!(!shown.contains(&format!("{:?}", seed.as_slice())[1..40]));
    assert!(!shown.contains(&crate::support::b64(seed.as_slice())));
}
