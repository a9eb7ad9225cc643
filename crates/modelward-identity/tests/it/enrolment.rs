//! Enrolment: typed once, within 15 minutes, and nobody is enrolled without a second factor.

use modelward_identity::Strength;
use modelward_identity::enrol::{Enrolled, Enrolment, EnrolmentCode, EnrolmentRefusal, EnrolmentState};
use modelward_identity::password::{Password, Passwords, WeakPassword};

use crate::support::{SeededIds, dana_id, enrolled, later, noon, totp_of};

const PHRASE: &str = "tram ocean pickle lantern";

fn complete(
    enrolment: &Enrolment,
    code: &EnrolmentCode,
    password: &str,
    totp: &str,
    second: i64,
) -> Result<Enrolled, EnrolmentRefusal> {
    let password = Password::new(password).unwrap();
    enrolment.complete(code, "dana", &password, totp, &Passwords::new(), &SeededIds::new(9), later(second))
}

#[test]
fn enrolling_proves_both_factors_and_signs_in() {
    let enrolled = enrolled();
    assert_eq!(enrolled.login.strength(), Strength::TwoFactors);
    assert_eq!(enrolled.login.person(), dana_id());
    assert_eq!(enrolled.recovery.len(), 10);
    assert!(matches!(enrolled.enrolment.state, EnrolmentState::Enrolled { at } if at == noon()));
}

#[test]
fn the_code_is_read_as_people_type_it() {
    let ids = SeededIds::new(1);
    let (code, enrolment) = Enrolment::issue(dana_id(), &ids, noon());
    let shown = code.expose();
    assert_eq!(shown.len(), 19, "four groups of four: {}", shown.as_str());
    for typed in [
        shown.to_string(),
        shown.to_uppercase(),
        shown.replace('-', ""),
        shown.replace('-', " "),
        shown.replace('0', "O").replace('1', "l"),
    ] {
        assert_eq!(EnrolmentCode::read(&typed).unwrap().digest(), enrolment.code_hash, "{typed}");
    }
    assert!(!format!("{code:?} {enrolment:?}").contains(shown.as_str()));
}

#[test]
fn wrong_expired_and_used_codes_answer_alike() {
    let ids = SeededIds::new(2);
    let (code, pending) = Enrolment::issue(dana_id(), &ids, noon());
    let (other, _) = Enrolment::issue(dana_id(), &ids, noon());
    let (offered, secret) = pending.offer(&code, &ids, noon()).unwrap();

    let wrong = complete(&offered, &other, PHRASE, &secret.code(noon()), 0).unwrap_err();
    let late = complete(&offered, &code, PHRASE, &secret.code(later(900)), 900).unwrap_err();
    let done = complete(&offered, &code, PHRASE, &secret.code(noon()), 0).unwrap();
    let again = complete(&done.enrolment, &code, PHRASE, &secret.code(later(30)), 30).unwrap_err();
    let offer_again = done.enrolment.offer(&code, &ids, noon()).unwrap_err();
    for refusal in [wrong, late, again, offer_again] {
        assert_eq!(refusal, EnrolmentRefusal::Code);
    }
    assert!(complete(&offered, &code, PHRASE, &secret.code(later(899)), 899).is_ok());
}

#[test]
fn nobody_is_enrolled_without_a_second_factor() {
    let ids = SeededIds::new(3);
    let (code, pending) = Enrolment::issue(dana_id(), &ids, noon());
    assert_eq!(complete(&pending, &code, PHRASE, "123456", 0).unwrap_err(), EnrolmentRefusal::NotOffered);
    let (offered, secret) = pending.offer(&code, &ids, noon()).unwrap();
    assert_eq!(complete(&offered, &code, PHRASE, "000000", 0).unwrap_err(), EnrolmentRefusal::Totp);
    assert_eq!(
        complete(&offered, &code, "password1234", &secret.code(noon()), 0).unwrap_err(),
        EnrolmentRefusal::Password(WeakPassword::Common)
    );
    assert_eq!(
        complete(&offered, &code, "dana likes trams", &secret.code(noon()), 0).unwrap_err(),
        EnrolmentRefusal::Password(WeakPassword::Named)
    );
}

#[test]
fn a_lost_page_can_be_asked_for_again_and_shows_a_new_secret() {
    let ids = SeededIds::new(4);
    let (code, pending) = Enrolment::issue(dana_id(), &ids, noon());
    let (offered, first) = pending.offer(&code, &ids, noon()).unwrap();
    let (offered, second) = offered.offer(&code, &ids, noon()).unwrap();
    assert_ne!(first.expose(), second.expose());
    assert_eq!(
        complete(&offered, &code, PHRASE, &first.code(noon()), 0).unwrap_err(),
        EnrolmentRefusal::Totp
    );
    assert!(complete(&offered, &code, PHRASE, &second.code(noon()), 0).is_ok());
}

#[test]
fn the_confirming_code_does_not_count_again() {
    let enrolled = enrolled();
    let (secret, last_step) = totp_of(enrolled);
    let code = secret.code(noon());
    let again = modelward_identity::totp::verify(secret, &code, noon(), Some(last_step));
    assert!(again.is_err());
}
