//! Signing keys: rotation, revocation, and one key for one plane.

use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::{
    Ask, Issuer, KeyId, KeySet, KeySetError, Profile, PublicKey, SigningKey, Standing, TokenRefusal,
};

use crate::support::{CONTROL, GATEWAY, House, ISS, SeededIds, ask, b64, later, noon};

#[test]
fn rotation_refuses_nobody() {
    let house = House::new();
    let old = house.token();
    let next = SigningKey::generate(Profile::Access, &house.ids).unwrap();

    // First every verifier learns the key, then the issuer signs with it.
    let keys = |old, next_standing| {
        KeySet::new([(house.access_key.public().clone(), old), (next.public().clone(), next_standing)])
            .unwrap()
    };
    house.gateway.replace_keys(keys(Standing::VerifyOnly, Standing::Active));
    house.issuer.rotate(next.clone());
    let new = house.token();
    assert_ne!(kid(old.text.expose()), kid(new.text.expose()));
    for token in [&old, &new] {
        house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, later(1)).unwrap();
    }
}

#[test]
fn a_revoked_key_kills_its_tokens_at_once_remembered_or_not() {
    let house = House::new();
    let (seen, unseen) = (house.token(), house.token());
    house.gateway.verify(seen.text.expose().as_bytes(), &house.epochs, noon()).unwrap();
    house
        .gateway
        .replace_keys(KeySet::new([(house.access_key.public().clone(), Standing::Revoked)]).unwrap());
    for token in [&seen, &seen, &unseen] {
        let refused = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon());
        assert_eq!(refused.unwrap_err(), TokenRefusal::KeyRevoked);
    }
}

#[test]
fn a_key_that_was_dropped_verifies_nothing() {
    let house = House::new();
    let token = house.token();
    house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon()).unwrap();
    house.gateway.replace_keys(KeySet::default());
    let refused = house.gateway.verify(token.text.expose().as_bytes(), &house.epochs, noon());
    assert_eq!(refused.unwrap_err(), TokenRefusal::Key);
}

#[test]
fn tokens_of_one_plane_are_refused_on_the_other() {
    let house = House::new();
    let mint = |profile| {
        let asked = Ask { profile, ..ask([Privilege::ReadOnly], []) };
        house.exchange(&house.dana(), &asked, noon()).unwrap()
    };
    for (minted_for, verifier, counts) in [
        (Profile::Access, &house.gateway, true),
        (Profile::Access, &house.control, false),
        (Profile::Control, &house.control, true),
        (Profile::Control, &house.gateway, false),
    ] {
        let token = mint(minted_for);
        let verified = verifier.verify(token.text.expose().as_bytes(), &house.epochs, noon());
        assert_eq!(verified.is_ok(), counts, "{minted_for} token at {}", verifier.profile());
    }
}

#[test]
fn a_key_of_one_plane_does_not_sign_for_the_other() {
    let house = House::new();
    let wrong = Issuer::new(ISS, GATEWAY, house.control_key.clone(), CONTROL, house.access_key);
    assert!(wrong.is_err());
}

#[test]
fn a_key_survives_being_kept_as_its_seed() {
    let house = House::new();
    let key = &house.access_key;
    let kept = SigningKey::from_seed(key.id().clone(), Profile::Access, key.expose_seed().clone()).unwrap();
    assert_eq!(kept.public(), key.public());
    // Derived by another implementation, it is the same key.
    let other = ed25519_dalek::SigningKey::from_bytes(key.expose_seed());
    assert_eq!(key.public().bytes(), other.verifying_key().as_bytes());
}

#[test]
fn a_key_id_is_safe_as_the_name_of_a_file() {
    for bad in ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "a b", "a\0", "ключ", &"k".repeat(65)] {
        assert!(bad.parse::<KeyId>().is_err(), "{bad}");
    }
    for seed in 0..200 {
        let key = SigningKey::generate(Profile::Access, &SeededIds::new(seed)).unwrap();
        assert_eq!(key.id().as_str().parse().as_ref(), Ok(key.id()));
    }
}

#[test]
fn one_id_names_one_key_and_its_worst_standing_counts() {
    let house = House::new();
    let key = house.access_key.public();
    let twice = KeySet::new([(key.clone(), Standing::Revoked), (key.clone(), Standing::Active)]).unwrap();
    assert_eq!(twice.standing(key.id()), Some(Standing::Revoked));

    let other = PublicKey::new(key.id().clone(), Profile::Access, [9; 32]);
    let conflict = KeySet::new([(key.clone(), Standing::Active), (other, Standing::Active)]);
    assert_eq!(conflict.unwrap_err(), KeySetError::Conflict { id: key.id().clone() });

    let many = (0..=KeySet::MAX).map(|number| {
        let id: KeyId = format!("k{number}").parse().unwrap();
        (PublicKey::new(id, Profile::Access, [1; 32]), Standing::VerifyOnly)
    });
    assert_eq!(KeySet::new(many).unwrap_err(), KeySetError::TooMany { max: KeySet::MAX });
}

#[test]
fn published_keys_leave_out_the_revoked_ones_and_every_secret() {
    let house = House::new();
    let keys = KeySet::new([
        (house.access_key.public().clone(), Standing::Active),
        (house.control_key.public().clone(), Standing::Revoked),
    ])
    .unwrap();
    let jwks = keys.jwks();
    let [key] = jwks["keys"].as_array().unwrap().as_slice() else { panic!("one key: {jwks}") };
    assert_eq!(key["kty"], "OKP");
    assert_eq!(key["crv"], "Ed25519");
    assert_eq!(key["kid"], house.access_key.id().as_str());
    assert_eq!(key["x"], b64(house.access_key.public().bytes()));
    assert!(key.get("d").is_none());
}

fn kid(token: &str) -> String {
    crate::support::read(token).0
}
