//! The reference page says what the code does.

use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::{LEEWAY, MODELS_MAX, PROFILES, Profile, TOKEN_BYTES_MAX, TokenRefusal, ttl};
use modelward_identity::{Models, Rights, Strength};

use crate::support::{House, read};

const PAGE: &str = include_str!("../../../../docs/reference/tokens.md");

#[track_caller]
fn says(text: &str) {
    assert!(PAGE.contains(text), "docs/reference/tokens.md does not say: {text}");
}

#[test]
fn every_claim_is_described() {
    let (header, claims, _) = read(House::new().token().text.expose());
    for object in [header, claims] {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&object).unwrap();
        for member in object.keys() {
            says(&format!("| `{member}` |"));
        }
    }
}

#[test]
fn every_refusal_is_described() {
    for refusal in TokenRefusal::ALL {
        says(&format!("| `{}` | {refusal} |", refusal.code()));
    }
}

#[test]
fn every_figure_is_the_one_in_force() {
    for row in PROFILES {
        says(&format!("| {} | `{}` |", row.name, row.typ));
    }
    for privilege in Privilege::ALL {
        let life = ttl(Profile::Access, &Rights::new([privilege], Models::Any)).as_mins();
        says(&format!("| `{privilege}` | {life} min |"));
    }
    for strength in Strength::ALL {
        says(&format!("| `{}` | {} | {strength} |", strength.acr(), strength.level()));
    }
    says(&format!("{} s", LEEWAY.as_secs()));
    says(&format!("{TOKEN_BYTES_MAX} bytes"));
    says(&format!("at most {MODELS_MAX}"));
}
