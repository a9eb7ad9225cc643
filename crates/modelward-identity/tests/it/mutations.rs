//! Fuzzing in small: nothing panics, and nothing verifies that is not, byte for byte, what was minted.

use std::sync::OnceLock;

use proptest::prelude::*;

use modelward_identity::enrol::EnrolmentCode;
use modelward_identity::password::PasswordHash;
use modelward_identity::recovery::RecoveryCode;
use modelward_identity::session::SessionToken;
use modelward_identity::softlock::{AccountKey, SourcePrefix};
use modelward_identity::token::KeyId;

use crate::support::{House, enrolled, forge, later, noon, read};

fn house() -> &'static (House, Vec<u8>) {
    static HOUSE: OnceLock<(House, Vec<u8>)> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let house = House::new();
        let token = house.token().text.expose().as_bytes().to_vec();
        (house, token)
    })
}

fn verifies(token: &[u8]) -> bool {
    let (house, _) = house();
    house.gateway.verify(token, &house.epochs, later(1)).is_ok()
}

/// One change to a text.
#[derive(Debug, Clone)]
enum Edit {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    Double(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let byte = || {
        prop_oneof![
            3 => proptest::sample::select(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".to_vec()
            ),
            1 => proptest::sample::select(b".=+/ \r\n\0".to_vec()),
            1 => any::<u8>(),
        ]
    };
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        at().prop_map(Edit::Remove),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        at().prop_map(Edit::Cut),
        at().prop_map(Edit::Double),
    ]
}

fn apply(edit: &Edit, text: &mut Vec<u8>) {
    let length = text.len();
    if text.is_empty() {
        return;
    }
    match edit {
        Edit::Replace(at, byte) => text[at.index(length)] = *byte,
        Edit::Insert(at, byte) => text.insert(at.index(length + 1), *byte),
        Edit::Remove(at) => {
            text.remove(at.index(length));
        }
        Edit::Swap(one, other) => text.swap(one.index(length), other.index(length)),
        Edit::Cut(at) => text.truncate(at.index(length)),
        Edit::Double(at) => {
            let tail = text[at.index(length)..].to_vec();
            text.extend(tail);
        }
    }
}

/// Whatever came out, it came out.
fn tried<T>(_read: T) {}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_changed_token_verifies_only_if_nothing_changed(edits in proptest::collection::vec(edit(), 1..4)) {
        let (_, good) = house();
        let mut token = good.clone();
        edits.iter().for_each(|edit| apply(edit, &mut token));
        prop_assert_eq!(verifies(&token), token == *good);
    }

    #[test]
    fn bytes_are_no_token(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(!verifies(&bytes));
    }

    #[test]
    fn text_of_the_right_form_is_no_token(token in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{86}") {
        prop_assert!(!verifies(token.as_bytes()));
    }

    /// Behind a good signature the claims meet a parser of their own: it may refuse or accept, never panic, and what
    /// it accepts has kept every bound.
    #[test]
    fn signed_claims_with_any_change_keep_the_bounds(edits in proptest::collection::vec(edit(), 1..3)) {
        let (house, good) = house();
        let (header, claims, _) = read(std::str::from_utf8(good).unwrap());
        let mut changed = claims.into_bytes();
        edits.iter().for_each(|edit| apply(edit, &mut changed));
        let Ok(changed) = String::from_utf8(changed) else { return Ok(()) };
        let token = forge(house.access_key.expose_seed(), &header, &changed);
        if let Ok(who) = house.gateway.verify(token.as_bytes(), &house.epochs, later(1)) {
            prop_assert!(who.expires_at() <= later(1 + 300 + 30));
            prop_assert!(who.rights().conflict().is_none());
            prop_assert!(who.accepted_until() > later(1));
        }
    }

    #[test]
    fn no_reader_of_outside_text_panics(text in any::<String>(), address in any::<std::net::IpAddr>()) {
        tried(SessionToken::parse(&text));
        tried(EnrolmentCode::read(&text));
        tried(RecoveryCode::read(&text));
        tried(PasswordHash::from_stored(&text));
        tried(text.parse::<KeyId>());
        tried(AccountKey::of(&text));
        tried(SourcePrefix::of(address).to_string());
        tried(modelward_identity::totp::verify(crate::support::totp_of(enrolled()).0, &text, noon(), None));
    }

    #[test]
    fn a_changed_session_secret_is_unknown(edits in proptest::collection::vec(edit(), 1..3)) {
        let (house, _) = house();
        let opened = house.session(noon());
        let good = opened.token.expose();
        let mut changed = good.as_bytes().to_vec();
        edits.iter().for_each(|edit| apply(edit, &mut changed));
        let Ok(changed) = String::from_utf8(changed) else { return Ok(()) };
        let known = SessionToken::parse(&changed)
            .is_ok_and(|token| opened.record.authenticate(&token, &house.epochs, noon()).is_ok());
        prop_assert_eq!(known, changed == good.as_str());
    }
}
