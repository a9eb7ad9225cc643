//! How a session begins, goes on and ends.

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Binding, CredentialScope};
use modelward_identity::session::{self, Refusal, SessionToken};

use crate::support::{House, enrolled, later, noon};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

#[test]
fn the_holder_of_the_secret_is_who_signed_in() {
    let house = House::new();
    let opened = house.session(noon());
    let presented = SessionToken::parse(&opened.token.expose()).unwrap();
    let who = opened.record.authenticate(&presented, &house.epochs, noon()).unwrap();
    assert_eq!(who.principal(), enrolled().login.principal());
    assert_eq!(who.session().scope, CredentialScope::Full);
    assert_eq!(who.session().strength, 2);
    assert_eq!(who.token(), None);
    assert_eq!(presented.digest(), opened.record.token_hash, "the record is found by it");
}

#[test]
fn another_secret_is_nobody() {
    let house = House::new();
    let (mine, yours) = (house.session(noon()), house.session(noon()));
    assert_eq!(mine.record.authenticate(&yours.token, &house.epochs, noon()).unwrap_err(), Refusal::Unknown);
}

#[test]
fn only_the_exact_form_is_a_secret() {
    let house = House::new();
    let text = house.session(noon()).token.expose();
    for bad in [
        String::new(),
        "mws_".to_owned(),
        text[4..].to_owned(),
        format!("{}=", text.as_str()),
        format!("{} ", text.as_str()),
        format!(" {}", text.as_str()),
        text.to_uppercase(),
        text.replace("mws_", "mwt_"),
        text[..text.len() - 1].to_owned(),
        format!("{}/", &text[..text.len() - 1]),
        "mws_".to_owned() + &"A".repeat(1 << 20),
    ] {
        assert_eq!(SessionToken::parse(&bad).unwrap_err(), Refusal::Unknown);
    }
    // The last character carries four bits of the secret; one with other stray bits would be a second text for it.
    let twins = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_'])
        .filter(|last| SessionToken::parse(&format!("{}{last}", &text[..text.len() - 1])).is_ok());
    assert_eq!(twins.count(), 16);
}

#[test]
fn thirty_minutes_without_use_end_it() {
    let house = House::new();
    let opened = house.session(noon());
    let at = |second| opened.record.authenticate(&opened.token, &house.epochs, later(second)).err();
    assert_eq!(at(30 * MINUTE - 1), None);
    assert_eq!(at(30 * MINUTE), Some(Refusal::Idle));
}

#[test]
fn twelve_hours_end_it_however_much_it_is_used() {
    let house = House::new();
    let opened = house.session(noon());
    let mut record = opened.record;
    for minute in 1..12 * 60 {
        let now = later(minute * MINUTE);
        let who = record.authenticate(&opened.token, &house.epochs, now).unwrap();
        assert!(who.expires_at() <= later(12 * HOUR));
        record = record.touched(now).unwrap_or(record);
    }
    let end = record.authenticate(&opened.token, &house.epochs, later(12 * HOUR));
    assert_eq!(end.unwrap_err(), Refusal::Expired);
}

#[test]
fn uses_in_quick_succession_are_one_write() {
    let house = House::new();
    let record = house.session(noon()).record;
    assert_eq!(record.touched(later(59)), None);
    assert_eq!(record.touched(later(60)).unwrap().last_seen_at, later(60));
    assert_eq!(record.ends_at(), later(30 * MINUTE));
}

#[test]
fn a_bump_ends_it_at_once() {
    let house = House::new();
    let opened = house.session(noon());
    house.epochs.bump(EpochScope::Session(opened.record.id));
    let refused = opened.record.authenticate(&opened.token, &house.epochs, noon());
    assert_eq!(refused.unwrap_err(), Refusal::Revoked);

    let again = house.session(noon());
    house.epochs.bump(EpochScope::Principal(again.record.principal));
    let refused = again.record.authenticate(&again.token, &house.epochs, noon());
    assert_eq!(refused.unwrap_err(), Refusal::Revoked);
    let after = house.session(noon());
    after.record.authenticate(&after.token, &house.epochs, noon()).expect("a later sign-in counts");
}

#[test]
fn a_planted_secret_is_worth_nothing_after_the_login() {
    let house = House::new();
    let planted = house.session(noon());
    let after_login = house.session(later(1));
    assert_ne!(planted.record.id, after_login.record.id);
    assert_ne!(planted.token.expose(), after_login.token.expose());
    assert_eq!(
        after_login.record.authenticate(&planted.token, &house.epochs, later(1)).unwrap_err(),
        Refusal::Unknown
    );
}

#[test]
fn stepping_up_gives_a_new_secret_and_a_new_id() {
    let house = House::new();
    let before = house.session(noon());
    let stepped =
        before.record.step_up(&enrolled().login, house.since(), &house.ids, later(5 * MINUTE)).unwrap();
    assert_eq!(stepped.ends, Some(before.record.id));
    assert_ne!(stepped.record.id, before.record.id);
    assert_ne!(stepped.record.token_hash, before.record.token_hash);
    assert_eq!(stepped.record.binding, before.record.binding);
}

#[test]
fn a_bump_while_somebody_signs_in_ends_what_they_get() {
    let house = House::new();
    let since = house.since();
    house.epochs.bump(EpochScope::Principal(enrolled().login.principal()));
    let opened = session::open(&enrolled().login, since, Binding::None, None, &house.ids, noon());
    let refused = opened.record.authenticate(&opened.token, &house.epochs, noon());
    assert_eq!(refused.unwrap_err(), Refusal::Revoked);
}

#[test]
fn the_user_agent_is_kept_short_and_printable() {
    let house = House::new();
    let agent = format!("curl/8\r\nSet-Cookie: x\u{1b}[31m{}", "x".repeat(5000));
    let opened =
        session::open(&enrolled().login, house.since(), Binding::Cookie, Some(&agent), &house.ids, noon());
    let kept = opened.record.user_agent.unwrap();
    assert_eq!(kept.chars().count(), session::USER_AGENT_MAX);
    assert!(kept.chars().all(|char| !char.is_control()));
}

#[test]
fn a_form_of_another_session_is_refused() {
    let house = House::new();
    let (mine, yours) = (house.session(noon()).token, house.session(noon()).token);
    assert!(mine.is_form_token(&mine.form_token()));
    assert!(!mine.is_form_token(&yours.form_token()));
    assert!(!mine.is_form_token(""));
    assert!(!mine.expose().contains(&mine.form_token()), "a form gives nothing away of the secret");
}

#[test]
fn a_session_says_whether_one_signed_in_here() {
    use modelward_identity::federation::Identity;
    use modelward_identity::session::{EMBEDDED, Origin};

    let house = House::new();
    let opened = house.session(noon());
    let methods = |record: &session::SessionRecord| -> Vec<String> {
        let who = record.authenticate(&opened.token, &house.epochs, noon()).unwrap();
        who.session().methods.iter().map(ToString::to_string).collect()
    };
    assert_eq!(methods(&opened.record), ["pwd", "otp", EMBEDDED]);
    // An issuer can neither say so nor keep it from being said.
    let identity = Identity { issuer: "https://id.example.org".to_owned(), subject: "dana".to_owned() };
    let mut elsewhere = opened.record.clone();
    elsewhere.origin = Some(Origin { identity, sid: None });
    elsewhere.methods = ["pwd", EMBEDDED].iter().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(methods(&elsewhere), ["pwd"]);
}
