//! What is said when a request needs a stronger or fresher sign-in (RFC 9470).

use modelward_identity::Strength;
use modelward_server::wire::StepUp;

/// What a password and a code are worth: a command line can show no more.
pub(crate) const SHOWN: u8 = Strength::TwoFactors.level();

/// What to do about it where nobody was asked, or could not be.
pub(crate) fn hint(asked: StepUp) -> String {
    if asked.strength > SHOWN {
        return format!(
            "it needs {}, which a command line cannot show: do it in the console, signed in with a passkey",
            in_words(asked)
        );
    }
    format!("it needs {}: run `modelward login NAME`, then the same again", in_words(asked))
}

pub(crate) fn in_words(asked: StepUp) -> String {
    let strength = Strength::of_level(asked.strength).unwrap_or(Strength::PhishingResistant);
    match asked.max_age {
        0 => format!("a sign-in with {strength}"),
        age if age % 60 == 0 => format!("a sign-in with {strength}, at most {} min old", age / 60),
        age => format!("a sign-in with {strength}, at most {age} s old"),
    }
}
