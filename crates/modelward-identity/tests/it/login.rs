//! Signing in: two factors, each once, and an answer that gives nothing away.

use modelward_identity::Strength;
use modelward_identity::login::{Account, Login, LoginRefusal};
use modelward_identity::password::{
    HashError, Password, PasswordHash, PasswordPolicy, Passwords, WeakPassword,
};
use modelward_identity::recovery::{self, RecoveryCode, RecoveryCodes};
use modelward_identity::totp::{self, Step, TotpRefusal, TotpSecret};

use crate::support::{SeededIds, dana_id, enrolled, later, noon, totp_of};

const RIGHT: &str = "tram ocean pickle lantern";

fn account() -> Account {
    Account { person: dana_id(), password: enrolled().password.clone() }
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

fn first_factor() -> Login {
    Login::with_password(&Passwords::new(), Some(&account()), &password(RIGHT), later(600)).unwrap()
}

#[test]
fn password_and_code_make_two_factors() {
    let login = first_factor();
    assert_eq!(login.strength(), Strength::OneFactor);
    let code = totp_of(enrolled()).0.code(later(600));
    let (login, step) = login.and_totp(totp_of(enrolled()).0, &code, Some(totp_of(enrolled()).1)).unwrap();
    assert_eq!(login.strength(), Strength::TwoFactors);
    assert_eq!(login.methods().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["pwd", "otp"]);
    assert_eq!(step, Step::at(later(600)));
}

#[test]
fn an_unknown_name_and_a_wrong_password_answer_alike() {
    let passwords = Passwords::new();
    let unknown = Login::with_password(&passwords, None, &password(RIGHT), noon()).unwrap_err();
    let wrong =
        Login::with_password(&passwords, Some(&account()), &password("tram ocean pickle lanterm"), noon())
            .unwrap_err();
    let wrong_code = first_factor().and_totp(totp_of(enrolled()).0, "000000", None).unwrap_err();
    let code = totp_of(enrolled()).0.code(later(600));
    let used = first_factor().and_totp(totp_of(enrolled()).0, &code, Some(Step::at(later(600)))).unwrap_err();
    let wrong_recovery = first_factor().and_recovery(&enrolled().recovery_hashes, "not a code").unwrap_err();
    for refusal in [unknown, wrong, wrong_code, used, wrong_recovery] {
        assert_eq!(refusal, LoginRefusal::Wrong);
        assert_eq!(refusal.to_string(), "name, password or code is wrong");
    }
}

#[test]
fn the_dummy_password_of_unknown_names_opens_nothing() {
    // Even a password that hashed to the dummy would not: there is no account behind it.
    for text in ["", "nobody's salt", RIGHT] {
        assert_eq!(Passwords::new().verify(None, &password(text)), Ok(false));
    }
}

#[test]
fn a_hash_is_salted_and_says_how_it_was_made() {
    let ids = SeededIds::new(3);
    let passwords = Passwords::new();
    let [one, other] = [(), ()].map(|()| passwords.hash(&password(RIGHT), &ids).unwrap());
    assert_ne!(one.as_phc(), other.as_phc());
    assert!(one.as_phc().starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{}", one.as_phc());
    assert!(!one.is_outdated());
    assert_eq!(passwords.verify(Some(&one), &password(RIGHT)), Ok(true));
    assert_eq!(passwords.verify(Some(&one), &password("tram ocean pickle Lantern")), Ok(false));
    assert_eq!(PasswordHash::from_stored(one.as_phc()), Ok(one));
}

#[test]
fn a_stored_hash_that_would_exhaust_us_is_not_computed() {
    let (_, tail) = enrolled().password.as_phc().split_once("p=1").unwrap();
    let with = |params: &str| PasswordHash::from_stored(&format!("$argon2id$v=19${params}{tail}"));
    assert!(with("m=47104,t=1,p=1").is_ok());
    assert!(with("m=19456,t=2,p=1").unwrap().is_outdated(), "older parameters verify, and are replaced");
    for bad in ["m=4194304,t=1,p=1", "m=47104,t=1000000,p=1", "m=47104,t=1,p=64"] {
        assert_eq!(with(bad), Err(HashError::Stored), "{bad}");
    }
    for bad in [
        "",
        "x",
        "$argon2i$v=19$m=47104,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo",
        "$2b$12$abcdefghijklmnopqrstuv",
    ] {
        assert_eq!(PasswordHash::from_stored(bad), Err(HashError::Stored), "{bad}");
    }
}

#[test]
fn length_decides_and_composition_does_not() {
    let check = |text: &str| PasswordPolicy::DEFAULT.check(&password(text), "dana");
    assert_eq!(check("kfmrwpxzhvb"), Err(WeakPassword::Short { min: 12 }));
    assert_eq!(check("kfmrwpxzhvbn"), Ok(()), "lower case only is fine");
    assert_eq!(check(&"длинная фраза ".repeat(10)), Ok(()), "so is any script, by characters");
    assert_eq!(check(&format!("tram ocean {}", "lantern ".repeat(30))), Ok(()), "251 characters");
    assert!(!PasswordPolicy::DEFAULT.is_recommended(&password("kfmrwpxzhvbn")));
    assert_eq!(Password::new("x".repeat(257)).unwrap_err(), WeakPassword::Long { max: 256 });
    assert_eq!(Password::new("x".repeat(1 << 24)).unwrap_err(), WeakPassword::Long { max: 256 });
    assert!(Password::new("€".repeat(256)).is_ok(), "nothing is cut off");
}

#[test]
fn the_published_codes_are_ours() {
    // RFC 6238 appendix B, SHA-1, the last six of the eight digits.
    let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
    for (second, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(secret.code(jiff::Timestamp::from_second(second).unwrap()), code);
    }
    assert_eq!(secret.base32().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

#[test]
fn a_code_counts_once() {
    let secret = totp_of(enrolled()).0;
    let code = secret.code(noon());
    let step = totp::verify(secret, &code, noon(), None).unwrap();
    assert_eq!(totp::verify(secret, &code, noon(), Some(step)), Err(TotpRefusal::Used));
    assert_eq!(totp::verify(secret, &code, later(29), Some(step)), Err(TotpRefusal::Used));
    let next = secret.code(later(30));
    assert_eq!(totp::verify(secret, &next, later(30), Some(step)), Ok(Step::at(later(30))));
    // Nor does an earlier one count afterwards.
    assert_eq!(totp::verify(secret, &code, later(30), Some(Step::at(later(30)))), Err(TotpRefusal::Used));
}

#[test]
fn a_code_counts_one_step_off_and_no_further() {
    let secret = totp_of(enrolled()).0;
    let code = secret.code(noon());
    let at = |second| totp::verify(secret, &code, later(second), None);
    assert_eq!(at(-31), Err(TotpRefusal::Wrong));
    assert_eq!(at(-30), Ok(Step::at(noon())));
    assert_eq!(at(59), Ok(Step::at(noon())));
    assert_eq!(at(60), Err(TotpRefusal::Wrong));
}

#[test]
fn only_six_digits_are_a_code() {
    let secret = totp_of(enrolled()).0;
    let code = secret.code(noon());
    for bad in [
        String::new(),
        code[..5].to_owned(),
        format!("{code}0"),
        format!(" {code}"),
        format!("+{}", &code[1..]),
        format!("-{}", &code[1..]),
        code.replace(|_: char| true, "٣"),
        "9".repeat(1 << 20),
    ] {
        assert_eq!(totp::verify(secret, &bad, noon(), None), Err(TotpRefusal::Wrong));
    }
}

#[test]
fn the_address_for_the_app_is_complete() {
    let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
    let name = |text| modelward_decision::vocabulary::Name::new(text).unwrap();
    assert_eq!(
        secret.uri(&name("Modelward"), &name("dana")).as_str(),
        "otpauth://totp/Modelward:dana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Modelward&algorithm=SHA1&digits=6&period=30"
    );
    assert!(TotpSecret::from_bytes(b"short").is_err());
}

#[test]
fn a_recovery_code_counts_once() {
    let (codes, hashes) = recovery::generate(&SeededIds::new(5));
    assert_eq!(codes.len(), 10);
    let typed = codes[3].expose().to_uppercase().replace('-', " ");
    let (login, left) = first_factor().and_recovery(&hashes, &typed).unwrap();
    assert_eq!(login.strength(), Strength::TwoFactors);
    assert_eq!(login.methods()[1].as_str(), "recovery");
    assert_eq!(left.unused.len(), 9);
    assert_eq!(first_factor().and_recovery(&left, &typed).unwrap_err(), LoginRefusal::Wrong);
    assert!(left.spend(&codes[4]).is_ok());
}

#[test]
fn recovery_codes_are_long_different_and_not_what_is_stored() {
    let (codes, hashes) = recovery::generate(&SeededIds::new(5));
    let texts: std::collections::BTreeSet<String> =
        codes.iter().map(|code| code.expose().to_string()).collect();
    assert_eq!(texts.len(), 10);
    for text in &texts {
        assert_eq!(text.chars().filter(|char| *char != '-').count() * 5, 120, "bits of {text}");
        assert!(!format!("{hashes:?}").contains(text.as_str()));
    }
    assert!(!format!("{codes:?}").contains(texts.first().unwrap().as_str()));
    for bad in ["", "-", "aaaaaa", "u".repeat(24).as_str(), "0".repeat(25).as_str(), &"0".repeat(1 << 20)] {
        assert!(RecoveryCode::read(bad).is_err());
    }
    let none = RecoveryCodes::default();
    assert!(none.spend(&codes[0]).is_err());
}
