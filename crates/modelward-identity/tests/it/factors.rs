//! What somebody signs in with, and who may change it when.

use modelward_identity::Strength;
use modelward_identity::factors::{FactorRefusal, Held, may_change};
use modelward_identity::federation::Identity;
use modelward_identity::passkey::PASSKEYS_MAX;
use modelward_identity::session::Origin;

use crate::support::{House, later, noon};

#[test]
fn a_change_takes_two_factors_within_ten_minutes_made_here() {
    let record = House::new().session(noon()).record;
    assert_eq!(may_change(&record, later(599)), Ok(()));
    assert_eq!(may_change(&record, later(600)), Err(FactorRefusal::Stale));
    let mut weak = record.clone();
    weak.strength = Strength::OneFactor;
    assert_eq!(may_change(&weak, noon()), Err(FactorRefusal::Weak));
    let identity = Identity { issuer: "https://id.example.org".to_owned(), subject: "dana".to_owned() };
    let mut elsewhere = record;
    elsewhere.origin = Some(Origin { identity, sid: None });
    assert_eq!(may_change(&elsewhere, noon()), Err(FactorRefusal::Elsewhere));
}

#[test]
fn the_last_second_factor_stays() {
    let held = |totp, passkeys| Held { totp, passkeys };
    assert_eq!(held(true, 0).may_remove_totp(), Err(FactorRefusal::Last));
    assert_eq!(held(true, 1).may_remove_totp(), Ok(()));
    assert_eq!(held(false, 1).may_remove_passkey(true), Err(FactorRefusal::Last));
    assert_eq!(held(false, 2).may_remove_passkey(true), Ok(()));
    assert_eq!(held(true, 1).may_remove_passkey(true), Ok(()));
    // One that counts for nothing is no loss, as long as something counts.
    assert_eq!(held(false, 1).may_remove_passkey(false), Ok(()));
    assert_eq!(held(false, 0).may_remove_passkey(false), Err(FactorRefusal::Last));
}

#[test]
fn passkeys_are_bounded() {
    assert_eq!(Held::may_add_passkey(PASSKEYS_MAX - 1), Ok(()));
    assert_eq!(Held::may_add_passkey(PASSKEYS_MAX), Err(FactorRefusal::TooMany));
}
