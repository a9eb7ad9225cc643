//! What people choose when they must choose something.
//!
//! Passwords of fewer than twelve characters are refused by length, so this only has to know how short favourites
//! are stretched: by a year, by symbols, by saying them twice, by figures for letters. The words below were written
//! down for this purpose; breached lists with their frequencies are large, and belong outside.

use super::WeakPassword;

/// Letters only, lower case, as [`fold`] leaves them.
const WORDS: &[&str] = &[
    "abcabc",
    "access",
    "account",
    "admin",
    "administrator",
    "angel",
    "apple",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "autumn",
    "baby",
    "bailey",
    "banana",
    "baseball",
    "batman",
    "blessed",
    "buster",
    "butterfly",
    "changeit",
    "changeme",
    "charlie",
    "cheese",
    "chocolate",
    "computer",
    "cookie",
    "correcthorsebatterystaple",
    "daniel",
    "database",
    "default",
    "demo",
    "dragon",
    "family",
    "february",
    "flower",
    "football",
    "forever",
    "freedom",
    "friends",
    "george",
    "ginger",
    "god",
    "guest",
    "hello",
    "helloworld",
    "hockey",
    "home",
    "hunter",
    "iloveyou",
    "inference",
    "internet",
    "january",
    "jennifer",
    "jesus",
    "jessica",
    "jordan",
    "june",
    "july",
    "killer",
    "letmein",
    "liverpool",
    "login",
    "love",
    "loveme",
    "lovely",
    "maggie",
    "master",
    "matrix",
    "michael",
    "michelle",
    "model",
    "modelward",
    "monday",
    "money",
    "monkey",
    "mother",
    "mustang",
    "mypassword",
    "nicole",
    "ninja",
    "nothing",
    "orange",
    "pa",
    "pass",
    "passcode",
    "passphrase",
    "passw",
    "passwd",
    "password",
    "passwort",
    "pepper",
    "please",
    "pokemon",
    "princess",
    "private",
    "purple",
    "qazwsx",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "robert",
    "root",
    "samsung",
    "secret",
    "secure",
    "security",
    "server",
    "service",
    "shadow",
    "soccer",
    "spring",
    "starwars",
    "summer",
    "sunday",
    "sunshine",
    "superman",
    "superuser",
    "support",
    "system",
    "temp",
    "temporary",
    "test",
    "tester",
    "testing",
    "thomas",
    "tigger",
    "training",
    "trustno",
    "user",
    "username",
    "welcome",
    "whatever",
    "winter",
    "winner",
    "wordpass",
    "yankees",
    "zaqwsx",
    "zxcvbn",
    "zxcvbnm",
];

/// Rows people run a finger along, each also backwards.
const WALKS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "01234567890123456789",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
];

/// Fewer different characters than this are a pattern, however long.
const DIFFERENT_MIN: usize = 5;

pub(super) fn check(password: &str, account: &str) -> Result<(), WeakPassword> {
    let lower = password.to_lowercase();
    if is_regular(&lower) {
        return Err(WeakPassword::Regular);
    }
    let account = account.to_lowercase();
    if account.len() >= 3 && lower.contains(&account) {
        return Err(WeakPassword::Named);
    }
    if is_common(&lower) {
        return Err(WeakPassword::Common);
    }
    Ok(())
}

fn is_regular(lower: &str) -> bool {
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN {
        return true;
    }
    let backwards: String = lower.chars().rev().collect();
    WALKS.iter().any(|walk| {
        // A walk may start over, so it is laid out twice.
        let twice = walk.repeat(2);
        twice.contains(lower) || twice.contains(&backwards)
    })
}

/// Whether nothing is left once common words, figures and symbols are taken away.
fn is_common(lower: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|char| char.is_alphabetic()).collect::<String>();
    [bare(lower), bare(&fold(lower))].iter().any(|text| consists_of_words(text))
}

/// Undoes the usual figures for letters.
fn fold(lower: &str) -> String {
    lower
        .chars()
        .map(|char| match char {
            '0' => 'o',
            '1' | '!' | '|' => 'i',
            '3' | '€' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// At most two different words, in any number: `passwordpassword` and `adminwelcome` do not get by, a real phrase of
/// several words does. An empty text, all figures and symbols, is common too.
fn consists_of_words(text: &str) -> bool {
    let mut reachable: Vec<Option<Vec<&str>>> = vec![None; text.len() + 1];
    if let Some(start) = reachable.first_mut() {
        *start = Some(Vec::new());
    }
    for at in 0..text.len() {
        let Some(Some(used)) = reachable.get(at).cloned() else { continue };
        let Some(rest) = text.get(at..) else { continue };
        for word in WORDS.iter().filter(|word| rest.starts_with(**word)) {
            let mut with = used.clone();
            if !with.contains(word) {
                with.push(word);
            }
            if let Some(place) = reachable.get_mut(at + word.len())
                && with.len() <= 2
                && place.as_ref().is_none_or(|known| with.len() < known.len())
            {
                *place = Some(with);
            }
        }
    }
    reachable.last().is_some_and(Option::is_some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretched_favourites_are_refused() {
        for (password, expected) in [
            ("password1234", WeakPassword::Common),
            ("Password2026!!", WeakPassword::Common),
            ("P@ssw0rdP@ssw0rd", WeakPassword::Common),
            ("welcome-admin-1", WeakPassword::Common),
            ("Summer.2026.Summer", WeakPassword::Common),
            ("19841203-5567!", WeakPassword::Common),
            ("qwertyuiop[]12", WeakPassword::Common),
            ("qwertyuiopas", WeakPassword::Regular),
            ("765432109876", WeakPassword::Regular),
            ("1q2w3e4r5t6y7u", WeakPassword::Regular),
            ("aaaaaaaaaaaaaaaa", WeakPassword::Regular),
            ("abababababab", WeakPassword::Regular),
            ("mnopqrstuvwx", WeakPassword::Regular),
            ("dana-and-her-dog", WeakPassword::Named),
        ] {
            assert_eq!(check(password, "dana"), Err(expected), "{password}");
        }
    }

    #[test]
    fn phrases_are_welcome() {
        for password in [
            "tram ocean pickle lantern",
            "kX9#vTq2!mWz",
            "ein langer deutscher Satz",
            "пароль длиной больше",
            "hunter of love and thunder",
        ] {
            assert_eq!(check(password, "dana"), Ok(()), "{password}");
        }
    }
}
